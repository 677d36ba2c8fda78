//! All devices together, and the rule that at least one of them must have a record. Not here: lines, files.

use crate::device::{Device, Listing, path_with_slash};
use crate::entry::Entry;
use crate::error::{AuditError, DeviceError, DisableError, EnableError, HashError};
use crate::lane::{Counts, Ticket};
use crate::line::Kind;
use crate::proof::{Disclosable, Recorded};
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use smallvec::SmallVec;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::time::Instant;

/// When `record_request` comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// When a device has the record.
    Now,
    /// When the record is queued. For what only reads: the answer's record is queued behind it on the same devices, and
    /// `Broker::record_response_after` waits for both. Nothing is lost by that, because nothing leaves the process and
    /// nothing is stored before both are delivered; it saves a system call and a round through the scheduler. Whatever
    /// writes waits for `Recorded::delivered` before it commits.
    WithResponse,
}

/// The devices of an unsealed server. Hangs on the unsealed state: dropping it writes what still waits, closes the
/// files and erases the keys.
#[derive(Default)]
pub struct Broker {
    devices: ArcSwap<Vec<Arc<Device>>>,
    /// Taken by those who change the list, so that no change is lost. Never held across an await.
    changing: Mutex<()>,
}

impl Broker {
    /// A broker without devices, which records nothing and withholds nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces all devices. Those left out are closed when the last request using them is done.
    pub fn set_devices(&self, devices: Vec<Device>) {
        let _changing = self.changing.lock();
        self.devices.store(Arc::new(devices.into_iter().map(Arc::new).collect()));
    }

    /// Whether a device could stand under `path` (with or without the slash at its end).
    pub fn check_path(&self, path: &str) -> Result<(), EnableError> {
        check_path(&self.devices.load(), path)
    }

    /// Adds a device, after it has taken a test record (unless its option `skip_test` is `true`).
    pub async fn add(&self, device: Device) -> Result<(), EnableError> {
        self.check_path(&device.record().path)?;
        if !device.skips_test() {
            device.probe().await.map_err(EnableError::Probe)?;
        }
        let _changing = self.changing.lock();
        let devices = self.devices.load();
        // Asked again: another device may have come while this one was tested.
        check_path(&devices, &device.record().path)?;
        let mut devices = devices.as_ref().clone();
        devices.push(Arc::new(device));
        self.devices.store(Arc::new(devices));
        Ok(())
    }

    /// Takes a device away; whether there was one. Refused for devices the configuration file declares.
    pub fn remove(&self, path: &str) -> Result<bool, DisableError> {
        self.check_remove(path)?;
        let path = path_with_slash(path);
        let _changing = self.changing.lock();
        let devices = self.devices.load();
        let left: Vec<_> = devices.iter().filter(|device| device.record().path != path).cloned().collect();
        let found = left.len() < devices.len();
        self.devices.store(Arc::new(left));
        Ok(found)
    }

    /// Whether `remove` would be refused; for asking before the stored record is deleted.
    pub fn check_remove(&self, path: &str) -> Result<(), DisableError> {
        let path = path_with_slash(path);
        if path == "/" {
            return Err(DisableError::NoPath);
        }
        match self.find(&path) {
            Some(device) if device.record().is_declared() => Err(DisableError::ConfigurationManaged),
            Some(_) | None => Ok(()),
        }
    }

    pub fn has_devices(&self) -> bool {
        !self.devices.load().is_empty()
    }

    /// What `sys/audit` shows, by path.
    pub fn list(&self) -> BTreeMap<String, Listing> {
        self.devices.load().iter().map(|device| (device.record().path.clone(), device.record().listing())).collect()
    }

    /// What `sys/audit-hash/<path>` answers: `input` as it stands in that device's lines.
    pub fn hash(&self, path: &str, input: &str) -> Result<String, HashError> {
        if input.is_empty() {
            return Err(HashError::EmptyInput);
        }
        let path = path_with_slash(path);
        match self.find(&path) {
            Some(device) => Ok(device.hash(input)),
            None => Err(HashError::UnknownDevice(path)),
        }
    }

    /// Opens all files anew, for tools that move them away (SIGHUP). The devices that could not be opened are named;
    /// they keep writing to the file they have.
    pub fn reopen(&self) -> Vec<(String, std::io::Error)> {
        let devices = self.devices.load();
        devices.iter().filter_map(|device| device.reopen().err().map(|e| (device.record().path.clone(), e))).collect()
    }

    /// Waits until everything queued so far is written or given up; before a seal or the end of the process.
    pub async fn flush(&self) {
        let devices = self.devices.load_full();
        for device in devices.iter() {
            device.flush().await;
        }
    }

    /// Health and counters of every device.
    pub fn status(&self) -> Vec<DeviceStatus> {
        let devices = self.devices.load();
        let status = |device: &Arc<Device>| DeviceStatus {
            path: device.record().path.clone(),
            quarantined: device.is_quarantined(),
            counts: device.counts(),
        };
        devices.iter().map(status).collect()
    }

    /// Door 8. The record stands behind those of earlier requests on every device when this comes back, and is
    /// delivered where `wait` says so.
    ///
    /// # Errors
    /// No device took the record: the request must not go on.
    pub async fn record_request<P>(&self, entry: &Entry<'_>, permit: P, wait: Wait) -> Result<Recorded<P>, AuditError> {
        let tickets = self.queue(Kind::Request, entry).map_err(AuditError::Request)?;
        let recorded = Recorded::new(permit, tickets);
        if wait == Wait::Now {
            recorded.delivered().await?;
        }
        Ok(recorded)
    }

    /// Door 11 for a request that door 8 recorded: both records are delivered when this comes back.
    ///
    /// # Errors
    /// One of the two was not kept: `answer` is dropped and must not leave.
    pub async fn record_response_after<P, T>(
        &self,
        request: &Recorded<P>,
        entry: &Entry<'_>,
        answer: T,
    ) -> Result<Disclosable<T>, AuditError> {
        let answer = self.record_response(entry, answer).await?;
        // Costs nothing when the response's batch held both, which is the usual case.
        request.delivered().await?;
        Ok(answer)
    }

    /// Door 11 for refusals before door 8 and for whoever has waited for `Recorded::delivered` already.
    ///
    /// # Errors
    /// No device took the record: `answer` is dropped and must not leave.
    pub async fn record_response<T>(&self, entry: &Entry<'_>, answer: T) -> Result<Disclosable<T>, AuditError> {
        let tickets = self.queue(Kind::Response, entry).map_err(AuditError::Response)?;
        tickets.settled().await.map_err(AuditError::Response)?;
        Ok(Disclosable::recorded(answer))
    }

    /// Hands the line to every device. Fails only if there are devices and none took it.
    fn queue(&self, kind: Kind, entry: &Entry<'_>) -> Result<Tickets, DeviceError> {
        let mut tickets = SmallVec::new();
        let mut refusal = None;
        for device in self.devices.load().iter() {
            match device.queue(kind, entry) {
                Ok(ticket) => tickets.push(ticket),
                Err(error) => refusal = Some(error),
            }
        }
        match refusal {
            Some(error) if tickets.is_empty() => Err(error),
            Some(_) | None => Ok(Tickets(tickets)),
        }
    }

    fn find(&self, path_with_slash: &str) -> Option<Arc<Device>> {
        self.devices.load().iter().find(|device| device.record().path == path_with_slash).cloned()
    }
}

impl std::fmt::Debug for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Broker({} devices)", self.devices.load().len())
    }
}

/// Two devices may not have the same path, nor may one lie below the other.
fn check_path(devices: &[Arc<Device>], path: &str) -> Result<(), EnableError> {
    let path = path_with_slash(path);
    if path == "/" {
        return Err(EnableError::NoPath);
    }
    let clash = |device: &Arc<Device>| {
        let other = device.record().path.as_str();
        other.starts_with(&path) || path.starts_with(other)
    };
    if devices.iter().any(clash) { Err(EnableError::PathInUse) } else { Ok(()) }
}

/// How one device does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceStatus {
    pub path: String,
    /// It did not take a record in time and nobody waits for it any more; it comes back by itself.
    pub quarantined: bool,
    pub counts: Counts,
}

/// A place in the batch of every device that took the line.
pub(crate) struct Tickets(SmallVec<[Ticket; 2]>);

impl Tickets {
    /// Waits for all devices, each until its own deadline counted from now; one success is enough. No tickets means no
    /// devices, and then there is nothing to wait for.
    pub(crate) async fn settled(&self) -> Result<(), DeviceError> {
        let mut from = None;
        let mut taken = self.0.is_empty();
        let mut refusal = DeviceError::Quarantined;
        for ticket in &self.0 {
            let outcome = match ticket.outcome() {
                Some(outcome) => outcome,
                None => ticket.settled(*from.get_or_insert_with(Instant::now)).await,
            };
            match outcome {
                Ok(()) => taken = true,
                Err(error) => refusal = error,
            }
        }
        if taken { Ok(()) } else { Err(refusal) }
    }
}
