//! Whoever waits for an answer to leave hears of it when it has, and not before.

use super::*;
use bulla_core::{Delivered, Delivery};
use tokio::task::JoinHandle;

/// More than the buffers of two sockets and of HTTP/2 hold.
const LARGE: usize = 32 << 20;

/// Answers with so many bytes that somebody waits for.
struct Waiting {
    size: usize,
    begun: Mutex<Option<tokio::sync::oneshot::Sender<Delivered>>>,
    go_on: Notify,
}

impl Service for Waiting {
    fn handle(&self, _: Request) -> BoxFuture<'_, Disclosable<Answer>> {
        Box::pin(async move {
            let (delivery, delivered) = Delivery::new();
            let begun = self.begun.lock().take().unwrap();
            let _ = begun.send(delivered);
            self.go_on.notified().await;
            let data = RawJson::parse(format!("\"{}\"", "x".repeat(self.size))).unwrap();
            let answer = Answer::new(Outcome::Bare { data, code: None });
            Disclosable::exempt(Answer { delivery: Some(delivery), ..answer }, Exemption::HelpText)
        })
    }
}

struct Setting {
    address: String,
    service: Arc<Waiting>,
    /// Ready when it is known whether the answer has left.
    known: JoinHandle<bool>,
    _running: Running,
}

async fn setting(size: usize) -> Setting {
    let (begun, begins) = tokio::sync::oneshot::channel::<Delivered>();
    let service = Arc::new(Waiting { size, begun: Mutex::new(Some(begun)), go_on: Notify::new() });
    let listener = Listener::open(Settings::new(Address::Tcp("127.0.0.1:0".into()))).await.unwrap();
    let address = listener.address();
    let running = listener.serve(Arc::<Waiting>::clone(&service), Connections::new());
    let known = tokio::spawn(async move { begins.await.unwrap().known().await });
    Setting { address, service, known, _running: running }
}

impl Setting {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).await.unwrap()
    }

    async fn has_left(self) -> bool {
        timeout(Duration::from_secs(5), self.known).await.expect("it becomes known").unwrap()
    }
}

async fn a_moment() {
    tokio::time::sleep(Duration::from_millis(200)).await;
}

#[tokio::test]
async fn an_answer_that_was_read_has_left() {
    let setting = setting(100).await;
    setting.service.go_on.notify_one();
    let answer = ask_on(&mut setting.connect().await, get("/v1/a")).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("content-length: 102"), "{answer}");
    assert!(setting.has_left().await);
}

#[tokio::test]
async fn an_answer_nobody_reads_has_not_left() {
    let setting = setting(LARGE).await;
    let mut stream = setting.connect().await;
    stream.write_all(get("/v1/a").as_bytes()).await.unwrap();
    setting.service.go_on.notify_one();
    a_moment().await;
    assert!(!setting.known.is_finished());
    drop(stream);
    assert!(!setting.has_left().await);
}

#[tokio::test]
async fn a_large_answer_has_left_with_its_last_byte() {
    let setting = setting(LARGE).await;
    let mut stream = setting.connect().await;
    stream.write_all(get("/v1/a").as_bytes()).await.unwrap();
    setting.service.go_on.notify_one();
    let mut some = vec![0; 1 << 20];
    stream.read_exact(&mut some).await.unwrap();
    a_moment().await;
    assert!(!setting.known.is_finished());
    let mut rest = vec![0; LARGE - (1 << 20)];
    stream.read_exact(&mut rest).await.unwrap();
    assert!(setting.has_left().await);
}

#[tokio::test]
async fn a_client_that_hung_up_gets_nothing() {
    let setting = setting(100).await;
    let mut stream = setting.connect().await;
    stream.write_all(get("/v1/a").as_bytes()).await.unwrap();
    a_moment().await;
    drop(stream);
    a_moment().await;
    setting.service.go_on.notify_one();
    assert!(!setting.has_left().await);
}

/// Of one stream of several, whose window is closed until somebody reads.
#[tokio::test]
async fn with_http2_as_well() {
    use http_body_util::{BodyExt, Empty};
    use hyper_util::rt::{TokioExecutor, TokioIo};
    for size in [100, LARGE] {
        let setting = setting(size).await;
        let io = TokioIo::new(setting.connect().await);
        let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        let request = http::Request::get("http://localhost/v1/a").body(Empty::<bytes::Bytes>::new()).unwrap();
        setting.service.go_on.notify_one();
        let answer = sender.send_request(request).await.unwrap();
        a_moment().await;
        assert_eq!(setting.known.is_finished(), size < LARGE, "{size}");
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes().len(), size + 2);
        assert!(setting.has_left().await, "{size}");
    }
}
