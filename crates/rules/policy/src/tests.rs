//! The behaviour of the room: texts of errors, priorities, parameters, templates, and the compiled form against the model.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "tests")]

mod against_model;
mod decisions;
mod parsing;
mod templates;

use crate::{Acl, Ask, Denied, NoIdentity, NoParameters, Options, Permit, Policy, PolicyError};
use bulla_types::{Operation, PolicyName, RequestPath, Seconds, Time};
use serde_json::{Map, Value};
use std::sync::Arc;

pub(crate) const NOW: Time = Time::from_unix(1_000_000);

pub(crate) fn parse(text: &str) -> Result<Policy, PolicyError> {
    Policy::parse(PolicyName::parse("p").unwrap(), text, Options::default())
}

pub(crate) fn named(name: &str, text: &str) -> Arc<Policy> {
    Arc::new(Policy::parse(PolicyName::parse(name).unwrap(), text, Options::default()).unwrap())
}

/// An ACL of several policies for a caller without an entity.
pub(crate) fn acl(texts: &[&str]) -> Acl {
    let policies: Vec<_> = texts.iter().enumerate().map(|(i, t)| named(&format!("p{i}"), t)).collect();
    Acl::compile(&policies, &NoIdentity, NOW)
}

pub(crate) struct Try<'a> {
    acl: &'a Acl,
    namespace: &'a str,
    body: Option<Value>,
    wrap: Option<u64>,
    limit: Option<i64>,
    sudo: bool,
    now: Time,
}

pub(crate) fn on(acl: &Acl) -> Try<'_> {
    Try { acl, namespace: "", body: None, wrap: None, limit: None, sudo: false, now: NOW }
}

impl<'a> Try<'a> {
    fn body(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }

    fn wrap(self, seconds: u64) -> Self {
        Self { wrap: Some(seconds), ..self }
    }

    fn limit(self, limit: i64) -> Self {
        Self { limit: Some(limit), ..self }
    }

    fn sudo(self) -> Self {
        Self { sudo: true, ..self }
    }

    fn namespace(self, namespace: &'a str) -> Self {
        Self { namespace, ..self }
    }

    fn at(self, now: Time) -> Self {
        Self { now, ..self }
    }

    fn ask(&self, operation: Operation, path: &str) -> Result<Permit, Denied> {
        let empty = Map::new();
        let parameters: &dyn crate::Parameters = match &self.body {
            None => &NoParameters,
            Some(body) => body.as_object().unwrap_or(&empty),
        };
        self.acl.decide(&Ask {
            namespace: self.namespace,
            path: &RequestPath::parse(path).unwrap(),
            operation,
            parameters,
            wrap_ttl: self.wrap.map(Seconds),
            limit: self.limit,
            route_needs_sudo: self.sudo,
            now: self.now,
        })
    }

    fn may(&self, operation: Operation, path: &str) -> bool {
        self.ask(operation, path).is_ok()
    }
}
