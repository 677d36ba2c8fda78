//! Everything that can go wrong with auditing. Texts that clients match on are the reference server's.

use std::io;
use std::sync::Arc;

/// A record was not kept, so the request must not go on or its answer must be withheld.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AuditError {
    #[error("failed to audit request, cannot continue")]
    Request(#[source] DeviceError),
    #[error("failed to audit response, cannot continue")]
    Response(#[source] DeviceError),
}

/// Why one device did not take a line.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DeviceError {
    #[error("audit device cannot be written")]
    Write(#[source] Arc<io::Error>),
    #[error("audit device did not take the record in time")]
    Deadline,
    #[error("audit device is quarantined until it takes records again")]
    Quarantined,
    #[error("audit device has too many records waiting")]
    Full,
}

/// A device is not opened, or not under this path.
#[derive(Debug, thiserror::Error)]
pub enum EnableError {
    #[error("cannot enable audit device via API; use declarative, config-based audit device management instead")]
    ApiCreationOff,
    #[error("audit log prefixing is not allowed")]
    PrefixOff,
    #[error("backend path must be specified")]
    NoPath,
    #[error("path already in use")]
    PathInUse,
    #[error("unknown backend type: {0:?}")]
    UnknownType(String),
    #[error("file_path is required")]
    NoFilePath,
    #[error("unknown format type {0:?}")]
    UnknownFormat(String),
    #[error("strconv.ParseBool: parsing {0:?}: invalid syntax")]
    NotBool(String),
    #[error("strconv.ParseUint: parsing {0:?}: invalid syntax")]
    NotMode(String),
    #[error("file mode may only hold read and write bits")]
    ModeBits,
    #[error("audit file path may not hold `..`, nor lie below /dev, /proc or /sys")]
    ForbiddenPath,
    #[error("audit file path lies outside the directories allowed by the configuration")]
    OutsideDirectories,
    #[error("audit file path cannot be used: {0}")]
    NotFree(&'static str),
    #[error("option `{0}` must be a positive number")]
    NotNumber(&'static str),
    #[error("option `{0}` must be a positive duration")]
    NotDuration(&'static str),
    #[error("option `durability` must be `delivered` or `durable`")]
    NotDurability,
    #[error("sanity check failed; unable to open {path:?} for writing: {cause}")]
    Open { path: String, cause: io::Error },
    #[error("audit backend failed test message: {0}")]
    Probe(#[source] DeviceError),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DisableError {
    #[error("backend path must be specified")]
    NoPath,
    #[error("cannot disable configuration-managed audit device")]
    ConfigurationManaged,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    #[error("the \"input\" parameter is empty")]
    EmptyInput,
    #[error("unknown audit backend {0:?}")]
    UnknownDevice(String),
}
