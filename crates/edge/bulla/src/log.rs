//! The server's log. Writing it never makes a request wait: lines go to a bounded queue and a thread of its own; when
//! nobody reads what that thread writes (a pipe that is full), lines are dropped and counted.

use crate::log_levels::{self, Levels};
use crate::start::StartError;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Lines that may wait; about a megabyte.
const QUEUE: usize = 4096;

/// How long the end of the process waits for the last lines.
const LAST_LINES: Duration = Duration::from_millis(200);

/// The log at work: what can be changed while it runs.
pub struct Log {
    levels: Arc<Levels>,
    queue: Queue,
}

enum Message {
    Line(Vec<u8>),
    Reopen,
    Flush(SyncSender<()>),
}

#[derive(Clone)]
struct Queue {
    sender: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
}

impl Log {
    /// Lines go to `file`, else to standard error.
    ///
    /// # Errors
    /// An unknown level, or a file that cannot be opened.
    pub fn start(level: &str, json: bool, file: Option<PathBuf>) -> Result<Self, StartError> {
        let target = Target::open(file)?;
        let queue = Queue::start(target);
        let (filter, levels) = Levels::start(log_levels::parse(level)?);
        let registry = tracing_subscriber::registry().with(filter);
        let lines = tracing_subscriber::fmt::layer().with_writer(queue.clone()).with_ansi(false);
        // A second start, as in tests, keeps the first.
        let _ = if json { registry.with(lines.json()).try_init() } else { registry.with(lines).try_init() };
        Ok(Self { levels: Arc::new(levels), queue })
    }

    /// # Errors
    /// An unknown level; the old one stays.
    pub fn set_level(&self, level: &str) -> Result<(), StartError> {
        self.levels.configure(log_levels::parse(level)?);
        Ok(())
    }

    /// The levels, for those who may change them while the server runs.
    pub fn levels(&self) -> Arc<Levels> {
        Arc::clone(&self.levels)
    }

    /// Opens the file anew, after somebody has moved it away.
    pub fn reopen(&self) {
        let _ = self.queue.sender.try_send(Message::Reopen);
    }

    /// Waits a moment for what is in the queue.
    pub fn flush(&self) {
        let (sender, done) = sync_channel(1);
        if self.queue.sender.try_send(Message::Flush(sender)).is_ok() {
            let _ = done.recv_timeout(LAST_LINES);
        }
    }
}

enum Target {
    Stderr,
    File(PathBuf, File),
}

impl Target {
    fn open(file: Option<PathBuf>) -> Result<Self, StartError> {
        let Some(path) = file else { return Ok(Self::Stderr) };
        match open_file(&path) {
            Ok(file) => Ok(Self::File(path, file)),
            Err(cause) => Err(StartError::Log { path: path.display().to_string(), cause }),
        }
    }

    fn write(&mut self, line: &[u8]) {
        // Nobody could be told.
        let _ = match self {
            Self::Stderr => io::stderr().write_all(line),
            Self::File(_, file) => file.write_all(line),
        };
    }

    fn reopen(&mut self) {
        if let Self::File(path, file) = self
            && let Ok(new) = open_file(path)
        {
            *file = new;
        }
    }
}

fn open_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

impl Queue {
    fn start(target: Target) -> Self {
        let (sender, receiver) = sync_channel(QUEUE);
        let dropped = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&dropped);
        let thread = std::thread::Builder::new().name("log".into());
        if thread.spawn(move || write_out(target, &receiver, &counter)).is_err() {
            dropped.store(1, Ordering::Relaxed);
        }
        Self { sender, dropped }
    }

    fn push(&self, line: Vec<u8>) {
        if let Err(TrySendError::Full(_)) = self.sender.try_send(Message::Line(line)) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn write_out(mut target: Target, receiver: &Receiver<Message>, dropped: &AtomicU64) {
    while let Ok(message) = receiver.recv() {
        match message {
            Message::Line(line) => target.write(&line),
            Message::Reopen => target.reopen(),
            Message::Flush(done) => _ = done.try_send(()),
        }
        let lost = dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            target.write(format!("{lost} log lines were dropped because they were not read in time\n").as_bytes());
        }
    }
}

/// One line on its way to the queue.
pub struct Line<'a> {
    queue: &'a Queue,
    bytes: Vec<u8>,
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        self.queue.push(std::mem::take(&mut self.bytes));
    }
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        Line { queue: self, bytes: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_reader_that_stops_costs_lines_not_time() {
        // A pipe nobody reads: its buffer takes 64 KiB, then the thread is stuck for good.
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let _reader = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let queue = Queue::start(Target::open(Some(path)).unwrap());
        let start = std::time::Instant::now();
        for _ in 0..QUEUE * 2 {
            queue.push(vec![b'x'; 1000]);
        }
        assert!(start.elapsed() < Duration::from_secs(5));
        assert!(queue.dropped.load(Ordering::Relaxed) > 0);
    }

    #[test]
    fn lines_arrive_in_order_and_the_file_can_be_moved() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let queue = Queue::start(Target::open(Some(path.clone())).unwrap());
        let flush = || {
            let (sender, done) = sync_channel(1);
            queue.sender.send(Message::Flush(sender)).unwrap();
            done.recv().unwrap();
        };
        queue.push(b"one\n".to_vec());
        flush();
        std::fs::rename(&path, dir.path().join("old")).unwrap();
        queue.sender.send(Message::Reopen).unwrap();
        queue.push(b"two\n".to_vec());
        flush();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two\n");
    }
}
