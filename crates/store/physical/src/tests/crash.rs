//! kill -9 in the middle of load: every acknowledged write is there, and every batch whole.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{block_on, open, puts};
use crate::{ReadSet, Store};

const DIR: &str = "BULLA_TEST_STORE";

/// This test binary again, running one test that is otherwise ignored.
pub(crate) fn child(test: &str, dir: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", test, "--nocapture", "--test-threads=1"]).env(DIR, dir);
    command
}

pub(crate) fn child_dir() -> Option<PathBuf> {
    std::env::var_os(DIR).map(PathBuf::from)
}

#[test]
fn kill_in_mid_load_loses_nothing_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged: Vec<String> = Vec::new();
    for (round, after) in [1, 40, 200, 500].into_iter().enumerate() {
        let mut child = child("tests::crash::child_writes_until_killed", dir.path())
            .env("BULLA_TEST_ROUND", round.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut seen = 0;
        while seen < after {
            let line = lines.next().expect("the child ended early").unwrap();
            seen += usize::from(note(&line, &mut acknowledged));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What it had still said before it died counts as well.
        for line in lines.map_while(Result::ok) {
            note(&line, &mut acknowledged);
        }
        block_on(verify(&open(dir.path()), &acknowledged));
    }
    assert!(acknowledged.len() > 700);
}

/// Whole lines only: the last may be cut.
fn note(line: &str, acknowledged: &mut Vec<String>) -> bool {
    let Some(key) = line.strip_prefix("done ").and_then(|rest| rest.strip_suffix(" .")) else { return false };
    acknowledged.push(key.to_owned());
    true
}

async fn verify(store: &Store, acknowledged: &[String]) {
    let snapshot = store.snapshot().unwrap();
    for key in acknowledged {
        assert!(snapshot.get(format!("a/{key}").as_bytes()).await.unwrap().is_some(), "{key} is lost");
    }
    let left = snapshot.scan_keys(b"a/", b"a0", usize::MAX).await.unwrap();
    let right = snapshot.scan_keys(b"b/", b"b0", usize::MAX).await.unwrap();
    assert_eq!(
        left.iter().map(|key| &key[2..]).collect::<Vec<_>>(),
        right.iter().map(|key| &key[2..]).collect::<Vec<_>>(),
        "half a batch"
    );
}

#[test]
#[ignore = "run by kill_in_mid_load_loses_nothing_acknowledged"]
fn child_writes_until_killed() {
    let Some(dir) = child_dir() else { return };
    let round = std::env::var("BULLA_TEST_ROUND").unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let store = open(&dir);
        let tasks: Vec<_> =
            (0..16).map(|task| tokio::spawn(write_for_ever(store.clone(), format!("{round}-{task}")))).collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
}

async fn write_for_ever(store: Store, name: String) {
    for n in 0u64.. {
        let key = format!("{name}-{n}");
        let value = "v".repeat(500);
        store
            .commit(None, ReadSet::new(), puts([(&format!("a/{key}"), &value), (&format!("b/{key}"), &value)]))
            .await
            .unwrap();
        // One system call for the line, so that the parent never sees half of it as whole.
        std::io::stdout().write_all(format!("done {key} .\n").as_bytes()).unwrap();
    }
}
