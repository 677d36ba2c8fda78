//! What core answers, in terms that know no status code. `edge/http` alone turns it into HTTP.

use crate::delivery::Delivery;
use bulla_kit::{RawBody, RawJson};
use bulla_wire::Envelope;

/// Why a request was refused; each kind has one status code at the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// 400
    BadRequest,
    /// 403
    Denied,
    /// 404
    NotFound,
    /// 405
    Unsupported,
    /// 412
    PreconditionFailed,
    /// 413
    TooLarge,
    /// 415
    MediaType,
    /// 429
    TooMany,
    /// 500
    Internal,
    /// 502
    BadGateway,
    /// 503
    Sealed,
    /// 507 would say it better, but clients retry on 503: the store is full.
    StoreFull,
}

#[derive(Clone, Debug)]
pub struct Refusal {
    pub kind: ErrorKind,
    pub errors: Vec<String>,
    pub data: Option<RawJson>,
    pub warnings: Vec<String>,
}

impl Refusal {
    pub fn new(kind: ErrorKind, text: impl Into<String>) -> Self {
        Self { kind, errors: vec![text.into()], data: None, warnings: Vec::new() }
    }

    /// A refusal with an empty list of errors.
    pub fn silent(kind: ErrorKind) -> Self {
        Self { kind, errors: Vec::new(), data: None, warnings: Vec::new() }
    }
}

#[derive(Clone, Debug)]
pub enum Outcome {
    /// 200 with the envelope.
    Envelope {
        envelope: Box<Envelope>,
        /// The members of `data` stand at the top as well.
        also_at_top: bool,
        /// `None` = 200; deleted versions are 404, accepted work 202, `sys/health` whatever was asked for.
        code: Option<u16>,
    },
    /// 200 (or the code) with this JSON alone.
    Bare {
        data: RawJson,
        code: Option<u16>,
    },
    /// 204
    NoContent,
    Raw(RawBody),
    Refused(Refusal),
}

/// The answer to a request.
#[derive(Clone, Debug)]
pub struct Answer {
    pub outcome: Outcome,
    /// Headers that a mount lets through or that quotas add; names in lower case.
    pub headers: Vec<(String, String)>,
    /// The server has just been sealed by this request: the connection's answer goes out last, and then it closes.
    pub sealed_by_this: bool,
    /// Somebody waits to hear that this answer has left.
    pub delivery: Option<Delivery>,
}

impl Answer {
    pub fn new(outcome: Outcome) -> Self {
        Self { outcome, headers: Vec::new(), sealed_by_this: false, delivery: None }
    }

    pub fn refused(refusal: Refusal) -> Self {
        Self::new(Outcome::Refused(refusal))
    }
}
