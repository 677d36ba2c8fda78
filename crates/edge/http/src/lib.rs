//! The HTTP door: listeners, TLS, limits, decoding of requests and encoding of answers.
//!
//! ```text
//! socket ─► hold ─► TLS ─► hyper ─► decode ─► Service::handle ─► encode ─► hyper ─► TLS ─► hold ─► socket
//!             └── connection: phases, time limits, what a seal closes ──┘
//! ```
//!
//! Status codes exist only here (`encode`). Not here: what a path means (`core`), shapes of JSON (`base/wire`),
//! where listeners are configured (`edge/bulla`).

mod body;
mod connection;
mod connections;
mod cors;
mod decode;
mod dev_certificates;
mod encode;
mod error;
mod exchange;
mod headers;
mod hold;
mod listener;
mod phase;
mod query;
mod sent;
mod service;
mod settings;
mod socket;
mod tls;
mod verifier;

#[cfg(test)]
mod tests;

pub use connections::Connections;
pub use dev_certificates::DevCertificates;
pub use error::ListenError;
pub use listener::{Listener, Running};
pub use service::{BoxFuture, Service};
pub use settings::{Address, CustomHeaders, Limits, Settings, UnixOwner};
pub use tls::{ClientCertificates, TlsSettings, TlsVersion};
