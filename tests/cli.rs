//! A whole session of the command line against a real server: every command's tables, JSON and errors, and exit codes.
//! `cli/session.txt` says what is typed, `cli/session.golden` what came back; scripts rely on both staying as they are.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use bulla_testkit::{ServerOptions, ServerProcess, binary};
use regex::Regex;
use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Stdio};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/cli");
const HINT: &str = "if that was meant: BULLA_WRITE_GOLDEN=1 cargo test -p bulla-tests --test cli";

#[test]
fn a_session_prints_what_it_always_printed() {
    let (server, client, keys) = ServerProcess::ready(ServerOptions::default());
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("bin")).unwrap();
    std::os::unix::fs::symlink(binary(), home.path().join("bin/vault")).unwrap();
    let mut shell = Shell { home: home.path(), variables: HashMap::new() };
    let address = format!("http://{}", client.address);
    for (name, value) in [
        ("VAULT_ADDR", address.as_str()),
        ("VAULT_TOKEN", &keys.root_token),
        ("UNSEAL_KEY", &keys.shares_base64[0]),
        ("VAULT_MAX_RETRIES", "0"),
        ("NO_COLOR", "1"),
    ] {
        shell.variables.insert(name.to_owned(), value.to_owned());
    }
    shell.run("vault secrets enable -path=secret -version=2 kv");
    let masks = masks(home.path());
    let session = std::fs::read_to_string(format!("{FOLDER}/session.txt")).unwrap();
    let mut found = String::new();
    for line in session.lines().filter(|line| !line.is_empty()) {
        if line.starts_with('#') {
            found += &format!("{line}\n\n");
            continue;
        }
        let shown = shell.type_in(line);
        found += &format!("$ {line}\n{}\n", masked(&shown, &masks));
    }
    drop(server);
    let file = format!("{FOLDER}/session.golden");
    if std::env::var_os("BULLA_WRITE_GOLDEN").is_some() {
        std::fs::write(&file, &found).unwrap();
    }
    let recorded = std::fs::read_to_string(&file).unwrap_or_default();
    for (was, is) in recorded.split("\n$ ").zip(found.split("\n$ ")) {
        assert!(was == is, "the command line has changed; {HINT}\n--- was\n$ {was}\n--- is\n$ {is}");
    }
    assert!(recorded == found, "the session has grown or shrunk; {HINT}");
}

/// Once the shares of `operator init > /dev/full` were nowhere, and its exit code was 0.
#[test]
fn nothing_is_made_that_could_not_be_shown() {
    let server = ServerProcess::start(ServerOptions::default());
    let address = format!("http://{}", server.client().address);
    let run = |line: &str| {
        let done = Command::new("sh").args(["-c", line]).env("BULLA", binary()).env("VAULT_ADDR", &address).output();
        let done = done.unwrap();
        (done.status.code(), String::from_utf8(done.stdout).unwrap(), String::from_utf8(done.stderr).unwrap())
    };
    for nowhere in ["> /dev/full", ">&-", "1< /dev/null", "| true"] {
        let line = format!("{{ sleep 0.2; $BULLA operator init; echo $? >&2; }} {nowhere}");
        let line = if nowhere.starts_with('|') { line } else { format!("$BULLA operator init {nowhere}; echo $? >&2") };
        let (_, _, err) = run(&line);
        assert!(err.starts_with("Nothing was sent: ") && err.ends_with("\n1\n"), "{line}: {err}");
    }
    let (code, _, err) = run("$BULLA operator init -status");
    assert_eq!(code, Some(2), "not initialised: {err}");
    assert_eq!(run("$BULLA version > /dev/full").0, Some(1));
    assert_eq!(run("$BULLA version > /dev/null").0, Some(0));
    let (code, _, err) = run("$BULLA write cubbyhole/a x=- <&-");
    assert!(code == Some(1) && err.contains("standard input is closed"), "{err}");
}

/// What a disk that is full does to every kind of output. `/dev/null` loses it, too, and that is somebody's wish however
/// it was opened: for writing alone, as shells do, or for both ways, as the runtimes of other languages do.
#[test]
fn output_that_is_lost_is_an_error_and_output_nobody_wants_is_none() {
    let (server, client, keys) = ServerProcess::ready(ServerOptions::default());
    let home = tempfile::tempdir().unwrap();
    let mut shell = Shell { home: home.path(), variables: HashMap::new() };
    std::fs::create_dir(home.path().join("bin")).unwrap();
    std::os::unix::fs::symlink(binary(), home.path().join("bin/vault")).unwrap();
    for (name, value) in
        [("VAULT_ADDR", format!("http://{}", client.address)), ("VAULT_TOKEN", keys.root_token.clone())]
    {
        shell.variables.insert(name.to_owned(), value);
    }
    shell
        .run("vault secrets enable -path=secret -version=2 kv; vault kv put secret/a x=1; vault write cubbyhole/a x=1");
    for command in [
        "version",
        "-h",
        "kv get -h",
        "status",
        "read cubbyhole/a",
        "read -field=x cubbyhole/a",
        "read -format=raw cubbyhole/a",
        "list -format=yaml cubbyhole",
        "write cubbyhole/b x=1",
        "delete cubbyhole/b",
        "kv get secret/a",
        "kv get -format=json secret/a",
        "kv metadata get secret/a",
        "kv copy secret/a secret/b",
        "secrets list",
        "policy read default",
        "token lookup",
        "print token",
        "read -output-curl-string cubbyhole/a",
        "completion bash",
        "man",
        "path-help sys/mounts",
        "operator key-status",
    ] {
        let (code, _, err) = shell.run(&format!("vault {command} > /dev/full"));
        assert!(code == 1 && err.contains("Cannot write to standard output: "), "{command}: {code} {err}");
        shell.run("vault kv metadata delete secret/b");
        for nowhere in ["> /dev/null", "1<> /dev/null"] {
            let (code, _, err) = shell.run(&format!("vault {command} {nowhere}"));
            assert_eq!((code, err.as_str()), (0, ""), "{command} {nowhere}");
            shell.run("vault kv metadata delete secret/b");
        }
    }
    drop(server);
}

struct Shell<'a> {
    home: &'a Path,
    variables: HashMap<String, String>,
}

impl Shell<'_> {
    /// What a reader of the terminal sees, with standard error marked and the exit code below.
    fn type_in(&mut self, line: &str) -> String {
        let kept = line.split_once("=$ ");
        let (code, out, err) = self.run(kept.map_or(line, |(_, command)| command));
        let mut shown = String::new();
        for (mark, text) in [("", &out), ("2> ", &err)] {
            text.trim_end_matches('\n')
                .lines()
                .for_each(|line| shown += &format!("{}\n", format!("{mark}{line}").trim_end()));
        }
        if let Some((name, _)) = kept {
            self.variables.insert(name.to_owned(), out.trim().to_owned());
        }
        format!("{shown}[exit {code}]\n")
    }

    fn run(&self, line: &str) -> (i32, String, String) {
        let path = format!("{}/bin:/usr/bin:/bin", self.home.display());
        let done = Command::new("sh")
            .args(["-c", line])
            .current_dir(self.home)
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.home)
            .envs(&self.variables)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (done.status.code().unwrap(), text(done.stdout), text(done.stderr))
    }
}

/// What differs from run to run, and what stands in for it.
fn masks(home: &Path) -> Vec<(Regex, &'static str)> {
    let home = regex::escape(&home.display().to_string());
    let version = format!(r"Bulla v{}", regex::escape(env!("CARGO_PKG_VERSION")));
    [
        (home.as_str(), "<home>"),
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<uuid>"),
        (r"\bhv[sb]\.[A-Za-z0-9_\-]{20,}", "<token>"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", "<time>"),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? \+\d{4} \w+", "<time>"),
        (r"\d\d [A-Z][a-z]{2} \d\d \d\d:\d\d UTC", "<time>"),
        // Times end at their last digit that is not 0, and columns are as wide as they are.
        (r"(Installation Time|\n-{7} {4}-{17}) {4,}", "${1}    "),
        (r#"(accessor["\s:]+)[A-Za-z0-9]{24}\b"#, "${1}<accessor>"),
        (r"\b([a-z0-9\-]+(?:_[a-z0-9\-]+)*)_[0-9a-f]{8}\b", "${1}_<8 hex>"),
        (r"vault-cluster-[0-9a-f]{8}", "vault-cluster-<8 hex>"),
        (r"\b1\d{9}\b", "<unix>"),
        (r"127\.0\.0\.1:\d{4,}", "127.0.0.1:<port>"),
        (r#"("encryptions": |Encryption Count\s+)\d+"#, "${1}<count>"),
        // A second passes between making a token and looking at it, or it does not.
        (r#"(\nttl\s+|"ttl": )(30m|29m5\ds|1800|179\d)"#, "${1}<about half an hour>"),
        (version.as_str(), "Bulla v<version>"),
    ]
    .into_iter()
    .map(|(pattern, with)| (Regex::new(pattern).unwrap(), with))
    .collect()
}

fn masked(text: &str, masks: &[(Regex, &'static str)]) -> String {
    masks.iter().fold(text.to_owned(), |text, (pattern, with)| pattern.replace_all(&text, *with).into_owned())
}
