//! What a seal does to connections: all others are gone before its answer, which goes out last.

use super::*;
use std::sync::atomic::{AtomicBool, Ordering};

#[tokio::test]
async fn all_others_are_closed_first_and_the_answer_goes_last() {
    let server = server().await;
    let mut idle = server.connect().await;
    assert!(ask_on(&mut idle, get("/v1/a")).await.starts_with("HTTP/1.1 200"));
    let mut half_head = server.connect().await;
    half_head.write_all(b"GET /v1/a HTTP/1.1\r\nx-vault-token: t").await.unwrap();
    let mut half_body = server.connect().await;
    half_body.write_all(b"PUT /v1/a HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{\"secret\"").await.unwrap();
    let mut running = server.connect().await;
    running.write_all(get("/v1/slow").as_bytes()).await.unwrap();
    server.echo.slow_is_here.notified().await;

    let mut sealer = server.connect().await;
    let sealed = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&sealed);
    let seal = tokio::spawn(async move {
        let answer = ask_on(&mut sealer, put("/v1/sys/seal", "")).await;
        flag.store(true, Ordering::SeqCst);
        let ended = closes_within(&mut sealer, Duration::from_secs(2)).await;
        (answer, ended)
    });
    for stream in [&mut idle, &mut half_head, &mut half_body] {
        assert!(closes_within(stream, Duration::from_secs(2)).await);
    }
    assert!(!sealed.load(Ordering::SeqCst), "one request is still running");
    server.echo.go_on.notify_one();
    let answer = answer_on(&mut running).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "running requests get their answer: {answer}");
    assert!(closes_within(&mut running, Duration::from_secs(2)).await);
    let (answer, ended) = seal.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    assert!(ended);
    timeout(Duration::from_secs(2), server.connections.close_all()).await.unwrap();
    assert_eq!(server.connections.count(), 0);
}

#[tokio::test]
async fn two_seals_at_a_time_do_not_wait_for_each_other() {
    let server = server().await;
    let mut running = server.connect().await;
    running.write_all(get("/v1/slow").as_bytes()).await.unwrap();
    server.echo.slow_is_here.notified().await;
    let (mut one, mut two) = (server.connect().await, server.connect().await);
    for sealer in [&mut one, &mut two] {
        sealer.write_all(put("/v1/sys/seal/together", "").as_bytes()).await.unwrap();
    }
    server.echo.go_on.notify_one();
    for sealer in [&mut one, &mut two] {
        assert!(answer_on(sealer).await.starts_with("HTTP/1.1 204"));
    }
}

#[tokio::test]
async fn the_answer_is_held_back_until_the_connection_is_erased() {
    use crate::hold::Hold;
    use crate::phase::State;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (socket, _) = listener.accept().await.unwrap();
    let state = Arc::new(State::new(1));
    let mut hold = Hold::new(crate::socket::Socket::Tcp(socket), Vec::new(), Arc::clone(&state));
    hold.write_all(b"before ").await.unwrap();
    state.hold.store(true, Ordering::Release);
    hold.write_all(b"held").await.unwrap();
    hold.shutdown().await.unwrap();
    let mut got = [0; 64];
    assert_eq!(client.read(&mut got).await.unwrap(), 7);
    assert!(timeout(Duration::from_millis(100), client.read(&mut got)).await.is_err(), "nothing but what came before");
    drop(hold);
    let (mut socket, bytes) = state.rescued.lock().take().expect("the socket survives");
    assert_eq!(bytes, b"held");
    socket.write_all(&bytes).await.unwrap();
    assert_eq!(client.read(&mut got).await.unwrap(), 4);
}

#[tokio::test]
async fn a_client_that_does_not_read_does_not_stop_the_seal() {
    let server = server_with(|s| s.limits.request_size = 64 << 20).await;
    let mut deaf = server.connect().await;
    let body = format!(r#"{{"a":"{}"}}"#, "x".repeat(30 << 20));
    deaf.write_all(put("/v1/a", &body).as_bytes()).await.unwrap();
    while server.connections.count() == 0 {
        tokio::task::yield_now().await;
    }
    timeout(Duration::from_secs(3), server.connections.close_all()).await.expect("bounded");
}
