//! The door as clients meet it: real sockets, a service that says what it was asked.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod cors;
mod delivery;
mod limits;
mod protocols;
mod proxies;
mod reload;
mod seal;

use crate::{Address, BoxFuture, Connections, Listener, Running, Service, Settings};
use bulla_audit::{Disclosable, Exemption};
use bulla_core::{Answer, Cors, Outcome, Request};
use bulla_kit::RawJson;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;

/// Answers with what it was asked; waits at `slow` until told; `sys/seal` closes all others and seals.
struct Echo {
    connections: Arc<Connections>,
    slow_is_here: Notify,
    go_on: Notify,
    /// Holds seals back until there are two.
    together: tokio::sync::Barrier,
    cors: Mutex<Option<Arc<Cors>>>,
}

impl Service for Echo {
    fn handle(&self, request: Request) -> BoxFuture<'_, Disclosable<Answer>> {
        let exempt = |answer| Disclosable::exempt(answer, Exemption::HelpText);
        Box::pin(async move {
            match request.path.as_str() {
                "slow" => {
                    self.slow_is_here.notify_one();
                    self.go_on.notified().await;
                }
                "sys/seal" | "sys/seal/together" => {
                    if request.path.as_str().ends_with("together") {
                        self.together.wait().await;
                    }
                    self.connections.close_all_but(request.connection).await;
                    return exempt(Answer { sealed_by_this: true, ..Answer::new(Outcome::NoContent) });
                }
                _ => {}
            }
            let text = format!(
                r#"{{"path":{:?},"operation":"{}","body":{},"certificates":{},"remote":"{}"}}"#,
                request.path.as_str(),
                request.operation,
                request.body.to_json().get(),
                request.client_certificates.len(),
                request.remote.map_or_else(String::new, |a| a.to_string()),
            );
            exempt(Answer::new(Outcome::Bare { data: RawJson::parse(text).unwrap(), code: None }))
        })
    }

    fn cors(&self) -> Option<Arc<Cors>> {
        self.cors.lock().clone()
    }
}

struct Server {
    address: String,
    echo: Arc<Echo>,
    connections: Arc<Connections>,
    running: Running,
}

async fn server_with(change: impl FnOnce(&mut Settings)) -> Server {
    let mut settings = Settings::new(Address::Tcp("127.0.0.1:0".into()));
    change(&mut settings);
    let connections = Connections::new();
    let echo = Arc::new(Echo {
        connections: Arc::clone(&connections),
        slow_is_here: Notify::new(),
        go_on: Notify::new(),
        together: tokio::sync::Barrier::new(2),
        cors: Mutex::default(),
    });
    let listener = Listener::open(settings).await.unwrap();
    let address = listener.address();
    let service: Arc<dyn Service> = Arc::<Echo>::clone(&echo);
    let running = listener.serve(service, Arc::clone(&connections));
    Server { address, echo, connections, running }
}

async fn server() -> Server {
    server_with(|_| {}).await
}

impl Server {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).await.unwrap()
    }

    /// Sends `text` on a new connection and reads until the server closes or the answer is complete.
    async fn ask(&self, text: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect().await;
        ask_on(&mut stream, text).await
    }
}

async fn ask_on<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, text: impl AsRef<[u8]>) -> String {
    // A server that refuses early may close before all is sent.
    let _ = stream.write_all(text.as_ref()).await;
    let _ = stream.flush().await;
    answer_on(stream).await
}

/// One answer with `content-length` or without body, or what came until the end.
async fn answer_on<S: AsyncRead + Unpin>(stream: &mut S) -> String {
    let mut got = Vec::new();
    let read = async {
        let mut chunk = [0; 4096];
        loop {
            let n = stream.read(&mut chunk).await.unwrap_or(0);
            got.extend_from_slice(&chunk[..n]);
            if n == 0 || is_complete(&got) {
                return;
            }
        }
    };
    timeout(Duration::from_secs(5), read).await.expect("an answer in time");
    String::from_utf8(got).unwrap()
}

fn is_complete(got: &[u8]) -> bool {
    let text = String::from_utf8_lossy(got);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|l| l.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0_usize)
}

/// Whether the server closes the connection within `time`; what is still sent before counts for nothing.
async fn closes_within(stream: &mut TcpStream, time: Duration) -> bool {
    let mut rest = Vec::new();
    timeout(time, stream.read_to_end(&mut rest)).await.is_ok()
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")
}

fn put(path: &str, body: &str) -> String {
    format!("PUT {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}
