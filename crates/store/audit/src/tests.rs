//! The room as a whole: what lines look like, that nothing secret is in them, and that no answer leaves unrecorded.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod delivery;
mod devices;
mod hashing;
mod lines;
mod speed;

use crate::device::{Device, DeviceRecord, EnableRequest, Identity, Managed, Rules};
use crate::lane::Limits;
use crate::line::{Format, Kind};
use crate::sink::{Pace, Sink};
use crate::transcode::Lists;
use crate::veil::{Accessors, Salt, Strings, Veil};
use crate::*;
use bulla_types::{Seconds, Time};
use parking_lot::{Condvar, Mutex};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

fn salt() -> Salt {
    Salt::from_random_text("a salt nobody guesses".to_owned())
}

fn veil() -> Veil {
    Veil::new(&salt(), Strings::Hashed, Accessors::Hashed)
}

fn format() -> Format {
    Format { prefix: String::new(), veil: veil(), lists: Lists::Whole }
}

fn line(format: &Format, kind: Kind, entry: &Entry<'_>) -> String {
    let mut out = Vec::new();
    format.write(kind, entry, &mut out);
    String::from_utf8(out).unwrap()
}

fn json(line: &str) -> serde_json::Value {
    assert_eq!(line.matches('\n').count(), 1, "one line: {line}");
    serde_json::from_str(line).unwrap()
}

fn request_numbered(id: &str) -> Entry<'_> {
    let request = Request {
        id,
        operation: "read",
        namespace: Namespace { id: "root", path: "" },
        path: "secret/data/x",
        client_token: "hvs.canary",
        ..Request::default()
    };
    Entry { time: Time::from_unix(1_700_000_000), request, ..Entry::default() }
}

fn record(path: &str, kind: &str, options: &[(&str, &str)]) -> DeviceRecord {
    let options = options.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let request = EnableRequest { kind: kind.to_owned(), options, ..EnableRequest::default() };
    let identity = Identity { uuid: "uuid".to_owned(), accessor: "audit_file_1".to_owned(), salt: salt() };
    DeviceRecord::new(path, request, identity, Managed::Api)
}

fn open_file(path: &str, file: &Path, options: &[(&str, &str)]) -> Result<Device, EnableError> {
    let file = file.to_str().unwrap();
    let all: Vec<_> = [("file_path", file)].into_iter().chain(options.iter().copied()).collect();
    Device::open(record(path, "file", &all), &Rules { api_creation: true, prefix: true, ..Rules::default() })
}

fn broker(devices: Vec<Device>) -> Arc<Broker> {
    let broker = Broker::new();
    broker.set_devices(devices);
    Arc::new(broker)
}

/// A writer a test looks into, closes, and fills up.
#[derive(Clone, Default)]
struct Pipe(Arc<(Mutex<PipeState>, Condvar)>);

#[derive(Default)]
struct PipeState {
    bytes: Vec<u8>,
    blocked: bool,
    fails: bool,
    /// Takes so many bytes, then fails.
    room: Option<usize>,
}

impl Pipe {
    fn text(&self) -> String {
        String::from_utf8(self.0.0.lock().bytes.clone()).unwrap()
    }

    fn set(&self, change: impl FnOnce(&mut PipeState)) {
        change(&mut self.0.0.lock());
        self.0.1.notify_all();
    }

    fn device(&self, path: &str, pace: Pace, limits: Limits) -> Device {
        Device::around(path, Sink::Test(pace, Box::new(self.clone())), limits, format())
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.0.0.lock();
        while state.blocked {
            self.0.1.wait(&mut state);
        }
        if state.fails {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let taken = state.room.map_or(bytes.len(), |room| room.min(bytes.len()));
        if taken == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        state.room = state.room.map(|room| room - taken);
        state.bytes.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
