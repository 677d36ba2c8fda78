//! From a handler's reply to the outcome that the edge encodes.

use crate::answer::{ErrorKind, Outcome, Refusal};
use bulla_kit::Reply;
use bulla_types::Operation;
use bulla_wire::Envelope;

pub fn outcome(reply: Reply, operation: Operation, request_id: &str) -> Outcome {
    if !reply.some {
        return match operation {
            Operation::Read | Operation::List => Outcome::Refused(Refusal::silent(ErrorKind::NotFound)),
            _ => Outcome::NoContent,
        };
    }
    if let Some(raw) = reply.raw {
        return Outcome::Raw(raw);
    }
    let code = reply.code.or(if reply.not_found {
        Some(404)
    } else if reply.accepted {
        Some(202)
    } else {
        None
    });
    if let (true, Some(data)) = (reply.bare, &reply.data) {
        return Outcome::Bare { data: data.clone(), code };
    }
    if let Some(mut envelope) = reply.whole {
        // The answer that says where a wrapped one is has no id, and what was wrapped gets this request's.
        if envelope.wrap_info.is_none() {
            request_id.clone_into(&mut envelope.request_id);
        }
        return Outcome::Envelope { envelope, also_at_top: reply.also_at_top, code };
    }
    let (lease_duration, renewable) = reply.lease_hint.map_or((0, false), |(ttl, renewable)| (ttl.0, renewable));
    let envelope = Envelope {
        request_id: request_id.to_owned(),
        lease_id: reply.lease_id,
        renewable,
        lease_duration,
        data: reply.data,
        wrap_info: None,
        warnings: (!reply.warnings.is_empty()).then_some(reply.warnings),
        auth: reply.auth.map(|block| *block),
    };
    Outcome::Envelope { envelope: Box::new(envelope), also_at_top: reply.also_at_top, code }
}
