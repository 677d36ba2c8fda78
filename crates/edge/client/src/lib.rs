//! Client of the HTTP API: used by the command line, the agent and tests.
//!
//! ```text
//! Request --> Client::send --> transport (TCP, TLS, proxies, unix socket) --> Answer --> Secret
//!                 |  retries, redirects, time limit                    |
//!                 `-- ClientError                                      `-- ApiError
//! ```
//!
//! Not here: what is printed (`edge/cli`), where an address or a token comes from (environment, token file: `edge/cli`).

mod address;
mod answer;
mod client;
mod config;
mod error;
mod json;
#[cfg(test)]
mod proxied_tests;
mod proxy;
mod request;
mod retry;
mod secret;
mod sys;
#[cfg(test)]
mod tests;
mod tls;
mod token;
mod transport;

pub use address::{Address, AddressError};
pub use answer::Answer;
pub use client::Client;
pub use config::{Config, TlsOptions};
pub use error::{ApiError, ClientError};
pub use json::{Json, JsonError};
pub use proxy::{Exceptions, Named, Proxies, Proxy, ProxyError};
pub use request::{Method, Request};
pub use retry::Retries;
pub use secret::{Auth, Secret, WrapInfo};
pub use sys::{InitAnswer, Leader, SealStatus};
pub use token::Token;
