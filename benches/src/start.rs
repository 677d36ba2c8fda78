//! How long people wait: for a development server's first answer, and for `status`. Says how large the binary is.

use bulla_testkit::{Client, binary};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const ROUNDS: usize = 20;
const START_GOAL: Duration = Duration::from_millis(100);
const STATUS_GOAL: Duration = Duration::from_millis(15);
const PATIENCE: Duration = Duration::from_secs(30);

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Prints a table; whether the medians keep to the goals.
pub fn run() -> bool {
    let (mut starts, mut answers) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let Some(place) = free_place() else {
            eprintln!("no free port");
            return false;
        };
        let Some((server, took)) = start(&place) else {
            eprintln!("the server does not answer");
            return false;
        };
        starts.push(took);
        let Some(took) = status(&place) else {
            eprintln!("`status` does not say that the server is unsealed");
            return false;
        };
        answers.push(took);
        drop(server);
    }
    let size = std::fs::metadata(binary()).map_or(0, |file| file.len());
    println!("{}: {:.1} MB", binary().display(), megabytes(size));
    println!("{:<34} {:>10} {:>10} {:>10}", "", "median ms", "worst ms", "goal ms");
    let start_kept = show("server -dev, first answer", starts, START_GOAL);
    show("status", answers, STATUS_GOAL) && start_kept
}

fn free_place() -> Option<String> {
    let listener = TcpListener::bind("127.0.0.1:0").ok()?;
    Some(listener.local_addr().ok()?.to_string())
}

/// Until it answers that it is unsealed.
fn start(place: &str) -> Option<(Server, Duration)> {
    let mut command = Command::new(binary());
    command.args(["server", "-dev", "-dev-no-store-token", &format!("-dev-listen-address={place}")]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let client = Client { address: place.to_owned(), tls: false, token: None };
    let begin = Instant::now();
    let server = Server(command.spawn().ok()?);
    while begin.elapsed() < PATIENCE {
        let answer = client.try_send("GET", "sys/seal-status", "");
        if answer.is_ok_and(|answer| answer.status == 200 && answer.json()["sealed"] == false) {
            return Some((server, begin.elapsed()));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    None
}

/// From the start of the program to its end, what a prompt or a script waits for.
fn status(place: &str) -> Option<Duration> {
    let mut command = Command::new(binary());
    command.arg("status").env("VAULT_ADDR", format!("http://{place}"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let begin = Instant::now();
    let status = command.status().ok()?;
    status.success().then(|| begin.elapsed())
}

fn show(name: &str, mut times: Vec<Duration>, goal: Duration) -> bool {
    times.sort_unstable();
    let (median, worst) = (times.get(times.len() / 2), times.last());
    let (median, worst) = (median.copied().unwrap_or_default(), worst.copied().unwrap_or_default());
    println!("{name:<34} {:>10.1} {:>10.1} {:>10}", ms(median), ms(worst), goal.as_millis());
    median < goal
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[expect(clippy::cast_precision_loss, reason = "one digit is shown")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
