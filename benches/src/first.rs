//! The floors: KV version 2 reads and durable writes under load, and one connection alone.

use crate::wrk::Load;
use crate::{device, perf};
use bulla_testkit::{Client, ServerOptions, ServerProcess};
use serde_json::json;
use std::path::Path;

const SECRETS: usize = 10_000;
const VALUE: usize = 1024;
const RULES: usize = 35;

/// Prints a table.
pub fn run(with_perf: bool) {
    let folder = match std::env::var_os("BULLA_BENCH_DATA") {
        Some(path) => tempfile::tempdir_in(path),
        None => tempfile::tempdir(),
    };
    let Ok(folder) = folder else { return eprintln!("no folder for the store") };
    let seconds = std::env::var("BULLA_BENCH_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(10);
    let sync = device::fdatasync(folder.path());
    println!("fdatasync of this machine: {} µs (median)", sync.as_micros());

    let (server, client, _) = ServerProcess::ready(ServerOptions {
        data: Some(folder.path().join("data")),
        prefix: ["taskset", "-c", "0"].map(str::to_owned).to_vec(),
        more: "log_level = \"warn\"".into(),
        ..ServerOptions::default()
    });
    let token = prepare(&server, &client);
    let bench = Bench { server: &server, folder: folder.path(), seconds, with_perf };
    println!("{:<34} {:>10} {:>10} {:>10} {:>12}", "", "per second", "median µs", "p99 µs", "CPU µs each");
    bench.measure("KV v2 read, 64 connections", 64, &read_script(&token));
    bench.measure("KV v2 durable write, 64", 64, &write_script(&token, "many"));
    bench.measure("KV v2 read, 1 connection", 1, &read_script(&token));
    bench.measure("KV v2 durable write, 1", 1, &write_script(&token, "one"));
    println!("goals: read 15 000/s, write 5 000/s, one write under fdatasync + 500 µs = {} µs", sync.as_micros() + 500);
}

struct Bench<'a> {
    server: &'a ServerProcess,
    folder: &'a Path,
    seconds: u64,
    with_perf: bool,
}

impl Bench<'_> {
    fn measure(&self, name: &str, connections: usize, script: &str) {
        let address = self.server.client().address;
        let load = Load { address: &address, connections, seconds: self.seconds, script };
        let pid = self.server.pid();
        let watching = self.with_perf.then(|| perf::watch(pid, self.seconds, self.folder));
        let before = perf::processor_time(pid);
        match load.run(self.folder) {
            Err(error) => println!("{name:<34} {error}"),
            Ok(result) => {
                #[expect(clippy::cast_precision_loss, reason = "a handful of seconds")]
                let requests = result.per_second * self.seconds as f64;
                let each = (perf::processor_time(pid) - before) / requests * 1e6;
                let (median, p99) = (result.median.as_micros(), result.p99.as_micros());
                println!("{name:<34} {:>10.0} {median:>10} {p99:>10} {each:>12.1}", result.per_second);
            }
        }
        if let Some(watching) = watching {
            perf::report(watching, self.folder);
        }
    }
}

/// Audit device, mount, secrets, policy; the token of the load.
fn prepare(server: &ServerProcess, client: &Client) -> String {
    let audit = json!({ "type": "file", "options": { "file_path": server.folder().join("audit.log") } });
    let _ = client.put("sys/audit/file", audit).ok();
    let _ = client.post("sys/mounts/kv2", json!({ "type": "kv", "options": { "version": "2" } })).ok();
    let mut policy = String::from("path \"kv2/data/*\" { capabilities = [\"create\", \"read\", \"update\"] }\n");
    for rule in 1..RULES {
        policy.push_str(&format!("path \"team{rule}/+/config/*\" {{ capabilities = [\"read\", \"list\"] }}\n"));
    }
    let _ = client.put("sys/policies/acl/load", json!({ "policy": policy })).ok();
    let body = json!({ "data": { "value": "x".repeat(VALUE) } }).to_string();
    std::thread::scope(|scope| {
        for worker in 0..16 {
            let body = &body;
            scope.spawn(move || {
                let Ok(mut connection) = client.connect() else { return eprintln!("no connection") };
                for number in (worker..SECRETS).step_by(16) {
                    match connection.send("POST", &format!("kv2/data/s{number}"), body) {
                        Ok(answer) => drop(answer.ok()),
                        Err(error) => return eprintln!("{error}"),
                    }
                }
            });
        }
    });
    let answer = client.post("auth/token/create", json!({ "policies": ["load"], "ttl": "24h" })).ok().json();
    answer["auth"]["client_token"].as_str().unwrap_or_default().to_owned()
}

fn read_script(token: &str) -> String {
    format!(
        "local headers = {{ [\"X-Vault-Token\"] = \"{token}\" }}\n\
         request = function()\n  return wrk.format(\"GET\", \"/v1/kv2/data/s\" .. math.random(0, {}), headers)\nend\n",
        SECRETS - 1
    )
}

/// Each write makes a new secret.
fn write_script(token: &str, folder: &str) -> String {
    format!(
        "local headers = {{ [\"X-Vault-Token\"] = \"{token}\", [\"Content-Type\"] = \"application/json\" }}\n\
         local body = '{{\"data\":{{\"value\":\"' .. string.rep(\"x\", {VALUE}) .. '\"}}}}'\nlocal n = 0\n\
         request = function()\n  n = n + 1\n  \
         return wrk.format(\"POST\", \"/v1/kv2/data/{folder}-\" .. n, headers, body)\nend\n"
    )
}
