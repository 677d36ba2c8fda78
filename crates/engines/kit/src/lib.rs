//! All that an engine may know of the server.
//!
//! An engine (secrets engine or auth method) is a table of [`Route`]s with handlers:
//!
//! ```text
//! request --core--> Route matched, existence checked, policy decided, recorded --> handler(Ctx, Params) -> Reply
//! ```
//!
//! A handler gets its parameters typed ([`Params`]), a [`View`] of its own storage inside the request's transaction,
//! the time, and narrow services ([`Ctx`]); it answers with data and intents ([`Reply`]): a lease, a login. It knows no
//! HTTP, no other mount, no token store. Not here: the router and the pipeline (`core`), status codes (`edge/http`).

mod body;
mod ctx;
mod engine;
mod error;
mod field;
mod openapi;
mod params;
mod pattern;
mod printable;
mod reply;
mod route;

pub use body::{Body, BodyError, BodyLimits};
pub use bulla_barrier::{BarrierError, Page, View};
pub use bulla_kit_derive::Params;
pub use bulla_wire::RawJson;
pub use ctx::{CallerInfo, Ctx, MountInfo, NoRights, RequestInfo, Rights, Services};
pub use engine::{BoxFuture, Engine, EngineKind, LoginLease, MountSettings, RevokeReason, SecretLease, Setup};
pub use error::EngineError;
pub use field::{CommaList, Field, FieldKind, Flag, JsonObject, KeyValues, SignedDuration, Span};
pub use openapi::{OpenApi, describe, undocumented};
pub use params::{FieldSpec, NoParams, ParamSource, Params, missing_field, read_field};
pub use pattern::{Captures, Pattern};
pub use printable::is_printable;
pub use reply::{AliasClaim, LeaseIntent, LoginIntent, RawBody, Reply, TokenKind, TokenLimits};
pub use route::{Access, Input, Lockout, LockoutName, OpSpec, Route, Routes};

/// What every handler answers.
pub type Answer = Result<Reply, EngineError>;
