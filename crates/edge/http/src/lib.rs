//! The HTTP door: listeners, TLS, limits, decoding of requests and encoding of answers.
//!
//! ```text
//! socket ─► PROXY header ─► hold ─► TLS ─► framing ─► hyper ─► decode ─► Service::handle ─► encode ─► hyper ─► TLS ─► hold ─► socket
//!                             └── connection: phases, time limits, what a seal closes ──┘
//! ```
//!
//! What an operator may change while the server runs is in `live`: a connection keeps what it found when it was
//! accepted, a request what it found when it came.
//!
//! Status codes exist only here (`encode`). Not here: what a path means (`core`), shapes of JSON (`base/wire`),
//! where listeners are configured (`edge/bulla`).

mod body;
mod certificate_header;
mod connection;
mod connections;
mod cors;
mod decode;
mod dev_certificates;
mod encode;
mod error;
mod exchange;
mod forwarded;
mod framing;
mod headers;
mod hold;
mod listener;
mod live;
mod networks;
mod phase;
mod places;
mod proxy;
mod query;
mod sent;
mod service;
mod settings;
mod socket;
mod tls;
mod verifier;

#[cfg(test)]
mod tests;

pub use certificate_header::{CertificateDecoder, CertificateHeader};
pub use connections::Connections;
pub use dev_certificates::DevCertificates;
pub use error::ListenError;
pub use listener::{Listener, Running};
pub use networks::Networks;
pub use service::{BoxFuture, Service};
pub use settings::{Address, CustomHeaders, ForwardedFor, Limits, ProxyTrust, Settings, UnixOwner};
pub use socket::SocketPlace;
pub use tls::{ClientCertificates, TlsSettings, TlsVersion};
