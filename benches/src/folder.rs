//! A folder of very many secrets: pages of it cold and warm, a walk through all of it, and what the server's memory does.

use crate::perf;
use bulla_testkit::{Client, Connection, ServerOptions, ServerProcess};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const PAGE: usize = 1000;
const WRITERS: usize = 64;

/// Prints a table. `count` secrets, which take about 600 bytes of disk each.
pub fn run(count: usize) {
    let folder = match std::env::var_os("BULLA_BENCH_DATA") {
        Some(path) => tempfile::tempdir_in(path),
        None => tempfile::tempdir(),
    };
    let Ok(folder) = folder else { return eprintln!("no folder for the store") };
    let (mut server, client, keys) = ServerProcess::ready(ServerOptions {
        data: Some(folder.path().join("data")),
        more: "log_level = \"warn\"".into(),
        ..ServerOptions::default()
    });
    let _ = client.post("sys/mounts/kv2", json!({ "type": "kv", "options": { "version": "2" } })).ok();
    let begin = Instant::now();
    fill(&client, count);
    println!("{count} secrets written in {:.1} s", begin.elapsed().as_secs_f64());
    server.kill();
    let restart = server.launch();
    server.unseal(&keys);
    println!("started anew in {} ms", restart.as_millis());

    let Ok(connection) = client.connect() else { return eprintln!("no connection") };
    let mut look = Look { connection, server: &server, before: perf::resident(server.pid()) };
    println!("{:<34} {:>10} {:>12} {:>14}", "", "ms", "names", "RSS grown, kB");
    println!("{:<34} {:>10} {:>12} {:>14}", "before the first page", "", "", 0);
    look.page("first page, cold", "");
    look.page("first page, warm", "");
    look.page("page in the middle", &name(count / 2));
    let last = name(count.saturating_sub(PAGE + 1));
    look.page("last page, cold", &last);
    look.page("last page, warm", &last);
    look.page("first page again", "");
    look.walk("walk through all pages");
    look.walk("and once more");
    let write = json!({ "data": { "v": 1 } });
    let begin = Instant::now();
    let _ = client.post("kv2/data/f/new", write).ok();
    println!("{:<34} {:>10.1}", "a new secret meanwhile", ms(begin.elapsed()));
    look.page("first page after it", "");
    // Nobody knows without looking whether the sub-folder is still there.
    let _ = client.post("kv2/data/f/sub/only", json!({ "data": {} })).ok();
    let _ = client.delete("kv2/metadata/f/sub/only").ok();
    look.page("first page, scanned anew", "");
}

fn name(number: usize) -> String {
    format!("secret-{number:08}")
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Spread over connections, in no order.
fn fill(client: &Client, count: usize) {
    std::thread::scope(|scope| {
        for worker in 0..WRITERS {
            scope.spawn(move || {
                let Ok(mut connection) = client.connect() else { return eprintln!("no connection") };
                for number in (worker..count).step_by(WRITERS) {
                    let path = format!("kv2/data/f/{}", name(number));
                    match connection.send("POST", &path, r#"{"data":{"v":1}}"#) {
                        Ok(answer) => drop(answer.ok()),
                        Err(error) => return eprintln!("{error}"),
                    }
                }
            });
        }
    });
}

struct Look<'a> {
    connection: Connection,
    server: &'a ServerProcess,
    /// kB
    before: u64,
}

impl Look<'_> {
    fn names(&mut self, after: &str) -> Vec<String> {
        let path = format!("kv2/metadata/f?after={after}&limit={PAGE}");
        let answer = match self.connection.send("LIST", &path, "") {
            Ok(answer) if answer.status == 404 => return Vec::new(),
            Ok(answer) => answer.ok().json(),
            Err(error) => {
                eprintln!("{error}");
                return Vec::new();
            }
        };
        let keys = answer["data"]["keys"].as_array().cloned().unwrap_or_default();
        keys.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    fn page(&mut self, what: &str, after: &str) {
        let begin = Instant::now();
        let names = self.names(after).len();
        self.tell(what, begin.elapsed(), names);
    }

    fn walk(&mut self, what: &str) {
        let begin = Instant::now();
        let (mut all, mut after, mut slowest) = (0, String::new(), Duration::ZERO);
        loop {
            let page = Instant::now();
            let names = self.names(&after);
            slowest = slowest.max(page.elapsed());
            all += names.len();
            let Some(last) = names.last() else { break };
            after.clone_from(last);
        }
        self.tell(what, begin.elapsed(), all);
        println!("{:<34} {:>10.1}", "    its slowest page", ms(slowest));
    }

    fn tell(&self, what: &str, took: Duration, names: usize) {
        let grown = perf::resident(self.server.pid()).saturating_sub(self.before);
        println!("{what:<34} {:>10.1} {names:>12} {grown:>14}", ms(took));
    }
}
