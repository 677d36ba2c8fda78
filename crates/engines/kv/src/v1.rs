//! The unversioned engine: the body of a write is the secret, whole.
//!
//! A member `ttl` (or `lease`) that is a duration shows as the answer's lease duration; there is no lease behind it, unless
//! the mount was made to give leases (`leased_passthrough`), as for trying out clients that renew them.

use crate::check_size;
use crate::params::{PathOnly, secret_path, writable_path};
use bulla_kit::{
    Answer, BoxFuture, Ctx, Engine, EngineError, EngineKind, Field, Input, LeaseIntent, Page, RawJson, Reply, Route,
    Routes, SecretLease, SignedDuration, View,
};
use bulla_types::Seconds;
use serde::Deserialize;

/// The folder that holds the secrets of a v1 mount, by the names users gave them.
pub const FOLDER: &str = "v1";

/// The most names one scan answers with.
const MAX_SCAN: usize = 1_000_000;

pub struct KvV1 {
    routes: Routes<Ctx>,
    reads: Reads,
}

/// What a read hands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    Plain,
    /// With a lease, whose end takes nothing back.
    Leased,
}

impl KvV1 {
    pub fn new(reads: Reads) -> Self {
        let secrets = Route::token("{path..?}")
            .help(
                "Stores one object of your choice at each path.",
                "A write replaces the whole object. A member `ttl` that is a duration is shown as the lease duration of \
                 a read, as a hint to the reader; nothing is taken back when it is over.",
            )
            .exists(|view: View, at: PathOnly| async move {
                match secret_path(&at.path) {
                    Some(path) => Ok(view.exists(&record(path)).await?),
                    None => Ok(false),
                }
            })
            .read(move |ctx: Ctx, at: PathOnly| read(ctx, at, reads))
            .update(write)
            .delete(delete)
            .list(list)
            .scan(scan);
        Self { routes: Routes::new(vec![secrets]), reads }
    }
}

impl Engine for KvV1 {
    fn kind(&self) -> EngineKind {
        EngineKind::Secrets
    }

    fn routes(&self) -> &Routes<Ctx> {
        &self.routes
    }

    fn only_reads_on_read(&self) -> bool {
        self.reads == Reads::Plain
    }

    /// By the same time again: a lease that may be renewed has it from the object.
    fn renew<'a>(&'a self, _ctx: &'a Ctx, lease: &'a SecretLease) -> BoxFuture<'a, Result<Seconds, EngineError>> {
        Box::pin(std::future::ready(Ok(lease.ttl)))
    }

    fn help(&self) -> &'static str {
        "The key-value engine keeps one object a path, without versions."
    }
}

/// Where the secret at `path` is stored.
pub fn record(path: &str) -> String {
    format!("{FOLDER}/{path}")
}

fn folder(path: &str) -> String {
    match path.trim_end_matches('/') {
        "" => FOLDER.to_owned(),
        inner => record(inner),
    }
}

async fn read(ctx: Ctx, at: PathOnly, reads: Reads) -> Answer {
    let Some(path) = secret_path(&at.path) else { return Ok(Reply::none()) };
    let Some(bytes) = ctx.view.get(&record(path)).await? else { return Ok(Reply::none()) };
    let object = object(bytes)?;
    let ttl = lease_hint(&object);
    match reads {
        Reads::Plain => Ok(Reply::data(object).lease_hint(ttl.unwrap_or(ctx.mount.default_ttl), false)),
        Reads::Leased => Ok(Reply::data(object).leased(lease(ttl))),
    }
}

/// Only a lease whose time the object itself names can be renewed.
fn lease(ttl: Option<Seconds>) -> LeaseIntent {
    let internal = RawJson::from_trusted("{}".into());
    LeaseIntent { kind: "kv", internal, ttl, max_ttl: None, renewable: ttl.is_some() }
}

/// A stored secret as JSON.
pub fn object(bytes: Vec<u8>) -> Result<RawJson, EngineError> {
    let text = String::from_utf8(bytes).map_err(|_| EngineError::damaged("secret"))?;
    RawJson::parse(text).map_err(|_| EngineError::damaged("secret"))
}

/// The duration that the object itself names; `ttl` beats `lease` even where it is no duration.
fn lease_hint(object: &RawJson) -> Option<Seconds> {
    #[derive(Deserialize)]
    struct Hints {
        ttl: Option<RawJson>,
        lease: Option<RawJson>,
    }
    let hints: Hints = serde_json::from_str(object.get()).ok()?;
    let SignedDuration(nanos) = SignedDuration::decode(&hints.ttl.or(hints.lease)?).ok()?;
    Seconds::of_nanos(nanos)
}

async fn write(ctx: Ctx, input: Input) -> Answer {
    let path = writable_path(input.captures.get("path").unwrap_or_default())?;
    if input.body.is_empty() {
        return Err(EngineError::bad("missing data fields"));
    }
    let object = input.body.to_json();
    check_size(object.get())?;
    ctx.view.put(&record(path), object.get().into())?;
    Ok(Reply::none())
}

async fn delete(ctx: Ctx, at: PathOnly) -> Answer {
    if let Some(path) = secret_path(&at.path) {
        ctx.view.delete(&record(path))?;
    }
    Ok(Reply::none())
}

async fn list(ctx: Ctx, at: PathOnly) -> Answer {
    Reply::keys(&ctx.view.list(&folder(&at.path), &Page::default()).await?)
}

async fn scan(ctx: Ctx, at: PathOnly) -> Answer {
    scan_reply(&scanned(&ctx.view, &folder(&at.path)).await?)
}

/// All names below a folder; too many to answer with is an error, never a shorter answer.
pub async fn scanned(view: &View, folder: &str) -> Result<Vec<String>, EngineError> {
    all_of(view.scan(folder, MAX_SCAN + 1).await?)
}

fn all_of(names: Vec<String>) -> Result<Vec<String>, EngineError> {
    if names.len() > MAX_SCAN {
        return Err(EngineError::bad(format!("there are more than {MAX_SCAN} secrets here; scan a smaller folder")));
    }
    Ok(names)
}

/// Nothing found is an empty answer here, where a list would say "not found".
pub fn scan_reply(names: &[String]) -> Answer {
    if names.is_empty() { Ok(Reply::data(RawJson::from_trusted("{}".into()))) } else { Reply::keys(names) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn hint(text: &str) -> Option<u64> {
        lease_hint(&RawJson::parse(text.into()).unwrap()).map(|s| s.0)
    }

    #[test]
    fn a_scan_has_a_limit() {
        assert_eq!(all_of(vec![String::new(); MAX_SCAN]).unwrap().len(), MAX_SCAN);
        let refused = all_of(vec![String::new(); MAX_SCAN + 1]).unwrap_err().to_string();
        assert!(refused.contains("more than 1000000 secrets"), "{refused}");
    }

    #[test]
    fn hints_are_durations_or_nothing() {
        assert_eq!(hint(r#"{"ttl":"90m"}"#), Some(5400));
        assert_eq!(hint(r#"{"ttl":"120"}"#), Some(120));
        assert_eq!(hint(r#"{"ttl":45}"#), Some(45));
        assert_eq!(hint(r#"{"lease":"2h"}"#), Some(7200));
        assert_eq!(hint(r#"{"ttl":"10s","lease":"20s"}"#), Some(10));
        assert_eq!(hint(r#"{"ttl":"soon","lease":"20s"}"#), None);
        assert_eq!(hint(r#"{"ttl":[1]}"#), None);
        assert_eq!(hint(r#"{"ttl":{"a":1}}"#), None);
        assert_eq!(hint(r#"{"ttl":"-5s"}"#), None);
        assert_eq!(hint(r#"{"ttl":1e400}"#), None);
        assert_eq!(hint(r#"{"v":1}"#), None);
    }
}
