//! Nothing leaves without a record: batches, order, failures, stuck devices, requests that vanish.

use super::*;
use std::time::{Duration, Instant};

fn limits(deadline: u64) -> Limits {
    Limits { deadline: Duration::from_millis(deadline), ..Limits::default() }
}

fn ids(text: &str) -> Vec<(String, String)> {
    let word = |v: &serde_json::Value| v.as_str().unwrap().to_owned();
    let read = |line| serde_json::from_str::<serde_json::Value>(line).unwrap();
    text.lines().map(read).map(|v| (word(&v["type"]), word(&v["request"]["id"]))).collect()
}

async fn exchange(broker: &Broker, id: &str) -> Result<u8, AuditError> {
    let entry = request_numbered(id);
    let recorded = broker.record_request(&entry, (), Wait::WithResponse).await?;
    broker.record_response_after(&recorded, &entry, 7).await.map(Disclosable::into_inner)
}

async fn until(mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !done() {
        assert!(Instant::now() < end, "did not happen");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn thousand() -> (String, Counts) {
    let pipe = Pipe::default();
    let broker = broker(vec![pipe.device("x", Pace::Prompt, limits(10_000))]);
    let tasks: Vec<_> = (0..1000)
        .map(|n| {
            let broker = Arc::clone(&broker);
            tokio::spawn(async move { exchange(&broker, &n.to_string()).await.unwrap() })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), 7);
    }
    (pipe.text(), broker.status()[0].counts)
}

fn each_once_and_in_order(text: &str) {
    let all = ids(text);
    assert_eq!(all.len(), 2000);
    for n in 0..1000 {
        let of_n: Vec<_> = all.iter().filter(|(_, id)| *id == n.to_string()).map(|(kind, _)| kind.as_str()).collect();
        assert_eq!(of_n, ["request", "response"]);
    }
}

#[tokio::test]
async fn many_lines_one_write() {
    let (text, counts) = thousand().await;
    each_once_and_in_order(&text);
    assert_eq!((counts.lines, counts.bytes), (2000, text.len() as u64));
    assert!(counts.writes <= 50, "{counts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_lines_few_writes_on_many_workers() {
    let (text, counts) = thousand().await;
    each_once_and_in_order(&text);
    assert!(counts.writes <= 1000, "{counts:?}");
}

#[tokio::test]
async fn alone_one_write_for_request_and_answer() {
    let pipe = Pipe::default();
    let broker = broker(vec![pipe.device("x", Pace::Prompt, limits(1000))]);
    exchange(&broker, "1").await.unwrap();
    assert_eq!(ids(&pipe.text()), [("request".into(), "1".into()), ("response".into(), "1".into())]);
    assert_eq!(broker.status()[0].counts.writes, 1);
}

#[tokio::test]
async fn a_write_waits_for_its_own_record() {
    let pipe = Pipe::default();
    let broker = broker(vec![pipe.device("x", Pace::Prompt, limits(1000))]);
    let recorded = broker.record_request(&request_numbered("1"), 5, Wait::WithResponse).await.unwrap();
    assert_eq!(pipe.text(), "");
    recorded.delivered().await.unwrap();
    recorded.delivered().await.unwrap();
    assert_eq!(*recorded.permit(), 5);
    assert_eq!(ids(&pipe.text()).len(), 1);
    broker.record_request(&request_numbered("2"), (), Wait::Now).await.map(drop).unwrap();
    assert_eq!(ids(&pipe.text()).len(), 2);
}

#[tokio::test]
async fn without_devices_nothing_is_withheld() {
    let broker = Broker::new();
    assert_eq!(exchange(&broker, "1").await.unwrap(), 7);
}

#[tokio::test]
async fn a_failing_device_withholds() {
    let pipe = Pipe::default();
    let broker = broker(vec![pipe.device("x", Pace::Prompt, limits(1000))]);
    pipe.set(|p| p.fails = true);
    let refused = broker.record_request(&request_numbered("1"), (), Wait::Now).await.map(drop).unwrap_err();
    assert_eq!(refused.to_string(), "failed to audit request, cannot continue");
    let refused = exchange(&broker, "2").await.unwrap_err();
    assert_eq!(refused.to_string(), "failed to audit response, cannot continue");
    let tasks: Vec<_> = (0..50)
        .map(|n| {
            let broker = Arc::clone(&broker);
            tokio::spawn(async move { exchange(&broker, &n.to_string()).await })
        })
        .collect();
    for task in tasks {
        assert!(task.await.unwrap().is_err());
    }
    pipe.set(|p| p.fails = false);
    exchange(&broker, "3").await.unwrap();
}

#[tokio::test]
async fn an_answer_is_withheld_if_only_the_request_was_lost() {
    let pipe = Pipe::default();
    let broker = broker(vec![pipe.device("x", Pace::Prompt, limits(1000))]);
    let entry = request_numbered("1");
    let recorded = broker.record_request(&entry, (), Wait::WithResponse).await.unwrap();
    pipe.set(|p| p.fails = true);
    broker.flush().await;
    pipe.set(|p| p.fails = false);
    let refused = broker.record_response_after(&recorded, &entry, ()).await.map(drop).unwrap_err();
    assert!(matches!(refused, AuditError::Request(DeviceError::Write(_))));
}

#[tokio::test]
async fn one_of_two_devices_is_enough() {
    let (good, bad) = (Pipe::default(), Pipe::default());
    bad.set(|p| p.fails = true);
    for good_first in [true, false] {
        let mut devices =
            vec![good.device("good", Pace::Prompt, limits(1000)), bad.device("bad", Pace::Prompt, limits(1000))];
        if !good_first {
            devices.reverse();
        }
        exchange(&broker(devices), "1").await.unwrap();
    }
    assert_eq!((ids(&good.text()).len(), bad.text().len()), (4, 0));
}

#[tokio::test]
async fn a_stuck_device_delays_once_and_comes_back() {
    let (good, stuck) = (Pipe::default(), Pipe::default());
    stuck.set(|p| p.blocked = true);
    let devices =
        vec![stuck.device("stuck", Pace::Anyones, limits(200)), good.device("good", Pace::Prompt, limits(200))];
    let broker = broker(devices);
    let start = Instant::now();
    exchange(&broker, "1").await.unwrap();
    let first = start.elapsed();
    assert!(first >= Duration::from_millis(200) && first < Duration::from_millis(390), "{first:?}");
    assert!(broker.status()[0].quarantined);
    let start = Instant::now();
    for _ in 0..100 {
        exchange(&broker, "2").await.unwrap();
    }
    assert!(start.elapsed() < Duration::from_millis(150), "{:?}", start.elapsed());
    stuck.set(|p| p.blocked = false);
    until(|| !broker.status()[0].quarantined).await;
    exchange(&broker, "3").await.unwrap();
    assert_eq!(ids(&stuck.text()), ids(&good.text()), "nothing was lost meanwhile");
}

#[tokio::test]
async fn two_stuck_devices_delay_no_longer_than_one() {
    let stuck = Pipe::default();
    stuck.set(|p| p.blocked = true);
    let broker =
        broker(vec![stuck.device("a", Pace::Anyones, limits(200)), stuck.device("b", Pace::Anyones, limits(200))]);
    let start = Instant::now();
    assert!(matches!(exchange(&broker, "1").await, Err(AuditError::Response(DeviceError::Deadline))));
    assert!(start.elapsed() < Duration::from_millis(390), "{:?}", start.elapsed());
    assert!(matches!(exchange(&broker, "2").await, Err(AuditError::Response(DeviceError::Quarantined))));
    stuck.set(|p| p.blocked = false);
}

#[tokio::test]
async fn a_fifo_nobody_empties_does_not_hold_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    assert!(matches!(open_file("f", &fifo, &[]), Err(EnableError::Open { .. })), "nobody reads it yet");
    let reader = std::fs::OpenOptions::new().read(true).write(true).open(&fifo).unwrap();
    let file = dir.path().join("file");
    let broker = broker(vec![
        open_file("fifo", &fifo, &[("deadline", "300ms")]).unwrap(),
        open_file("file", &file, &[]).unwrap(),
    ]);
    // A pipe holds 64 KiB; every exchange has more than half a kilobyte.
    let mut slow = 0;
    for n in 0..400 {
        let start = Instant::now();
        exchange(&broker, &n.to_string()).await.unwrap();
        assert!(start.elapsed() < Duration::from_millis(580), "{:?}", start.elapsed());
        slow += u32::from(start.elapsed() > Duration::from_millis(250));
    }
    assert!(slow <= 1, "one request finds out, nobody else waits: {slow}");
    assert!(broker.status()[0].quarantined);
    assert_eq!(ids(&std::fs::read_to_string(&file).unwrap()).len(), 800);
    drop(reader);
}

#[tokio::test]
async fn waiting_bytes_have_a_limit() {
    let pipe = Pipe::default();
    let one = line(&format(), Kind::Request, &request_numbered("1")).len();
    let tight = Limits { waiting_bytes: 2 * one, ..limits(1000) };
    let broker = broker(vec![pipe.device("x", Pace::Prompt, tight)]);
    let entry = request_numbered("1");
    let first = broker.record_request(&entry, (), Wait::WithResponse).await.unwrap();
    let second = broker.record_request(&entry, (), Wait::WithResponse).await.unwrap();
    let third = broker.record_request(&entry, (), Wait::WithResponse).await;
    assert!(matches!(third, Err(AuditError::Request(DeviceError::Full))));
    first.delivered().await.unwrap();
    second.delivered().await.unwrap();
    assert_eq!(broker.status()[0].counts.refused, 1);
    // However small the limit, a single line is taken.
    let tiny = Limits { waiting_bytes: 1, ..limits(1000) };
    broker.set_devices(vec![pipe.device("x", Pace::Prompt, tiny)]);
    broker.record_request(&entry, (), Wait::Now).await.map(drop).unwrap();
}

#[tokio::test]
async fn a_vanished_request_leaves_its_record() {
    let pipe = Pipe::default();
    let broker = broker(vec![pipe.device("x", Pace::Prompt, limits(1000))]);
    drop(broker.record_request(&request_numbered("1"), (), Wait::WithResponse).await.unwrap());
    until(|| !pipe.text().is_empty()).await;
}

#[tokio::test]
async fn a_cancelled_writer_passes_the_baton() {
    let pipe = Pipe::default();
    let broker = broker(vec![pipe.device("x", Pace::Prompt, limits(10_000))]);
    let entry = request_numbered("1");
    {
        let first = broker.record_request(&entry, (), Wait::Now);
        tokio::pin!(first);
        // Polled once it holds the baton; then its client goes away.
        let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(first.as_mut().poll(cx).is_pending())).await;
        assert!(polled);
    }
    let start = Instant::now();
    exchange(&broker, "2").await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(ids(&pipe.text()).len(), 3);
}

#[tokio::test]
async fn a_writer_that_is_never_run_again_is_replaced() {
    let pipe = Pipe::default();
    let broker = broker(vec![pipe.device("x", Pace::Prompt, limits(100))]);
    let entry = request_numbered("1");
    let asleep = broker.record_request(&entry, (), Wait::Now);
    tokio::pin!(asleep);
    let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(asleep.as_mut().poll(cx).is_pending())).await;
    assert!(polled);
    exchange(&broker, "2").await.unwrap();
    assert_eq!(ids(&pipe.text()).len(), 3);
    asleep.await.map(drop).unwrap();
}

#[test]
fn closing_writes_what_waits() {
    let pipe = Pipe::default();
    for pace in [Pace::Prompt, Pace::Anyones] {
        let broker = broker(vec![pipe.device("x", pace, limits(1000))]);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let recorded = runtime.block_on(broker.record_request(&request_numbered("1"), (), Wait::WithResponse)).unwrap();
        drop(broker);
        drop(recorded);
    }
    let end = Instant::now() + Duration::from_secs(10);
    while ids(&pipe.text()).len() < 2 {
        assert!(Instant::now() < end);
        std::thread::yield_now();
    }
}

#[test]
fn a_torn_line_does_not_swallow_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    let options = crate::sink::FileOptions { mode: crate::sink::FileMode::Set(0o600), rotate_bytes: None };
    let mut sink = Sink::open(&crate::sink::Target::File(path.clone()), options).unwrap();
    let (stop, mut calls) = (std::sync::atomic::AtomicBool::new(false), 0);
    sink.write(b"{}\n{\"half", &stop, &mut calls).unwrap();
    let Sink::File(log) = &mut sink else { panic!("a file") };
    log.tear();
    sink.write(b"{}\n", &stop, &mut calls).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "{}\n{\"half\n{}\n");
}

#[test]
fn every_exemption_says_why() {
    for exemption in Exemption::ALL {
        assert!(exemption.reason().len() > 20);
        assert_eq!(Disclosable::exempt(1, exemption).into_inner(), 1);
    }
}
