//! What auditing costs. Run by hand: `cargo test --release -p bulla-audit speed -- --ignored --nocapture`.
#![allow(clippy::print_stdout, reason = "prints measurements")]

use super::*;
use std::time::Instant;

fn kilobyte() -> String {
    format!("{{\"data\":{{\"value\":\"{}\"}},\"metadata\":{{\"version\":1}}}}", "x".repeat(1024))
}

#[test]
#[ignore = "measures"]
fn speed_of_a_request_and_its_answer() {
    let dir = tempfile::tempdir().unwrap();
    let body = kilobyte();
    let auth = Auth {
        client_token: "hvs.CAESIJlU9JMYEhOPYv4igdhm9PnZDrabYTobQ4Ymnlq1qY",
        accessor: "aaaaaaaaaaaaaaaaaaaaaaaa",
        display_name: "token",
        policies: &["default", "team"],
        token_policies: &["default", "team"],
        token_type: "service",
        ..Auth::default()
    };
    let run = |clients: usize, target: &str| {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let file = dir.path().join(target);
        let path = if target == "discard" { Path::new("discard") } else { &file };
        let broker = broker(vec![open_file("x", path, &[]).unwrap()]);
        let rounds = 100_000 / clients;
        let start = Instant::now();
        runtime.block_on(async {
            let tasks: Vec<_> = (0..clients)
                .map(|_| {
                    let (broker, body) = (Arc::clone(&broker), body.clone());
                    tokio::spawn(async move {
                        for _ in 0..rounds {
                            let mut entry = request_numbered("7c6b7a1e-1f5c-4d2d-9a5e-0c7f0c7a0001");
                            entry.auth = Some(&auth);
                            entry.request.client_token = auth.client_token;
                            entry.request.client_token_accessor = auth.accessor;
                            let recorded = broker.record_request(&entry, (), Wait::WithResponse).await.unwrap();
                            let response = Response { data: Data::Json(body.as_bytes()), ..Response::default() };
                            entry.response = Some(&response);
                            broker.record_response_after(&recorded, &entry, ()).await.unwrap().into_inner();
                            drop(recorded);
                            tokio::task::yield_now().await;
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
        let pairs = (rounds * clients) as f64;
        let counts = broker.status()[0].counts;
        println!(
            "{clients:>3} clients, {target}: {:.2} µs per pair, {:.1} lines per write, {:.0} bytes per pair",
            start.elapsed().as_secs_f64() * 1e6 / pairs,
            counts.lines as f64 / counts.writes.max(1) as f64,
            counts.bytes as f64 / pairs
        );
    };
    for clients in [1, 64] {
        for target in ["discard", "file"] {
            run(clients, target);
        }
    }
    let veil = veil();
    for size in [26, 1024] {
        let (secret, mut out) = (vec![b'x'; size], Vec::new());
        let start = Instant::now();
        for _ in 0..100_000 {
            out.clear();
            veil.secret(&secret, &mut out);
        }
        println!("one hash over {size} bytes: {:.2} µs", start.elapsed().as_secs_f64() * 10.0);
    }
}
