//! One device: how it is described in the API, in the configuration and in storage, how its options are checked, and
//! how it is opened. Not here: storing the record (core), queueing (`lane`), writing (`sink`).

mod options;

use crate::entry::{Entry, Namespace, Request};
use crate::error::{DeviceError, EnableError};
use crate::lane::{Counts, Lane, Ticket};
use crate::line::{Format, Kind};
use crate::sink::Sink;
use crate::veil::{Salt, Veil};
use bulla_types::Time;
use options::Options;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::time::Instant;

/// What the configuration allows.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// `unsafe_allow_api_audit_creation`.
    pub api_creation: bool,
    /// `allow_audit_log_prefixing`.
    pub prefix: bool,
    /// If not empty, audit files must lie in or below one of these.
    pub directories: Vec<PathBuf>,
    /// The device is made through the API just now: its file must be new or a log, and none of these files and folders of
    /// the server. `None` = whoever runs the server has chosen the file, or it was looked at when the device was made.
    pub own: Option<Vec<PathBuf>>,
}

impl Rules {
    /// Whether `PUT sys/audit/<path>` may make devices at all; comes before all other checks.
    pub fn check_api_creation(&self) -> Result<(), EnableError> {
        if self.api_creation { Ok(()) } else { Err(EnableError::ApiCreationOff) }
    }
}

/// The body of `PUT sys/audit/<path>`, or an `audit` block of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EnableRequest {
    #[serde(rename = "type")]
    pub kind: String,
    pub description: String,
    pub local: bool,
    pub options: BTreeMap<String, String>,
}

impl EnableRequest {
    /// Could a device declared so in the configuration be, as far as its words go? Nothing is opened or made.
    ///
    /// # Errors
    /// What enabling it would refuse.
    pub fn check_declared(&self) -> Result<(), EnableError> {
        let rules = Rules { api_creation: true, prefix: true, ..Rules::default() };
        Options::parse(&self.kind, &self.options, &rules).map(drop)
    }
}

/// Who declared a device and who may take it away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Managed {
    Api,
    Configuration,
}

/// What is made up once per device and kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub uuid: String,
    /// `audit_file_` and some letters.
    pub accessor: String,
    pub salt: Salt,
}

/// The stored description of a device. Devices of the configuration are stored too, for their salt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRecord {
    /// Ends in a slash.
    pub path: String,
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub local: bool,
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    pub uuid: String,
    pub accessor: String,
    pub managed: Managed,
    pub salt: Salt,
}

/// A device as `sys/audit` lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listing {
    pub description: String,
    pub local: bool,
    pub options: BTreeMap<String, String>,
    pub path: String,
    #[serde(rename = "type")]
    pub kind: String,
}

impl DeviceRecord {
    pub fn new(path: &str, request: EnableRequest, identity: Identity, managed: Managed) -> Self {
        Self {
            path: path_with_slash(path),
            kind: request.kind,
            description: request.description,
            local: request.local,
            options: request.options,
            uuid: identity.uuid,
            accessor: identity.accessor,
            managed,
            salt: identity.salt,
        }
    }

    pub fn listing(&self) -> Listing {
        Listing {
            description: self.description.clone(),
            local: self.local,
            options: self.options.clone(),
            path: self.path.clone(),
            kind: self.kind.clone(),
        }
    }

    pub(crate) fn is_declared(&self) -> bool {
        self.managed == Managed::Configuration
    }
}

/// `path` with exactly the slash at its end that stored paths have.
pub(crate) fn path_with_slash(path: &str) -> String {
    if path.ends_with('/') { path.to_owned() } else { format!("{path}/") }
}

/// An open device.
pub struct Device {
    record: DeviceRecord,
    format: Format,
    lane: Arc<Lane>,
    skips_test: bool,
}

impl Device {
    /// Checks the options and opens the device.
    ///
    /// # Errors
    /// The reference's refusals, in its order: prefix, type, path, format, switches, mode; then our own.
    pub fn open(record: DeviceRecord, rules: &Rules) -> Result<Self, EnableError> {
        let options = Options::parse(&record.kind, &record.options, rules)?;
        let opened = |cause| EnableError::Open { path: options.target.to_string(), cause };
        let sink = Sink::open(&options.target, options.file).map_err(opened)?;
        let lane = Lane::start(&record.path, sink, options.limits).map_err(opened)?;
        let veil = Veil::new(&record.salt, options.strings, options.accessors);
        let format = Format { prefix: options.prefix, veil, lists: options.lists };
        Ok(Self { record, format, lane, skips_test: options.skips_test })
    }

    pub fn record(&self) -> &DeviceRecord {
        &self.record
    }

    pub(crate) fn queue(&self, kind: Kind, entry: &Entry<'_>) -> Result<Ticket, DeviceError> {
        // Most lines fit; the rest grows once or twice.
        let mut line = Vec::with_capacity(2048);
        self.format.write(kind, entry, &mut line);
        Lane::queue(&self.lane, &line)
    }

    /// Writes a record that says nothing and waits for it.
    pub(crate) async fn probe(&self) -> Result<(), DeviceError> {
        let request = Request {
            id: &self.record.uuid,
            operation: "update",
            namespace: Namespace { id: "root", path: "" },
            path: "sys/audit/test",
            ..Request::default()
        };
        let ticket = self.queue(Kind::Request, &Entry { time: now(), request, ..Entry::default() })?;
        ticket.settled(Instant::now()).await
    }

    pub(crate) fn hash(&self, input: &str) -> String {
        self.format.veil.identify(input)
    }

    pub(crate) const fn skips_test(&self) -> bool {
        self.skips_test
    }

    pub(crate) fn reopen(&self) -> std::io::Result<()> {
        self.lane.reopen()
    }

    pub(crate) async fn flush(&self) {
        self.lane.flush().await;
    }

    pub(crate) fn is_quarantined(&self) -> bool {
        self.lane.is_quarantined()
    }

    pub(crate) fn counts(&self) -> Counts {
        self.lane.counts()
    }
}

#[cfg(test)]
impl Device {
    /// A device around a sink made for a test.
    pub(crate) fn around(path: &str, sink: Sink, limits: crate::lane::Limits, format: Format) -> Self {
        let identity = Identity { uuid: "u".into(), accessor: "a".into(), salt: Salt::from_random_text("salt".into()) };
        let record = DeviceRecord::new(path, EnableRequest::default(), identity, Managed::Api);
        let lane = Lane::start(path, sink, limits).unwrap_or_else(|error| unreachable!("{error}"));
        Self { record, format, lane, skips_test: true }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.lane.close();
    }
}

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Device({})", self.record.path)
    }
}

/// The wall clock, for the test record only; all other records bring their time with them.
fn now() -> Time {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Time(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}
