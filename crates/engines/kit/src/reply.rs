//! What a handler answers: data, and what it wants done with it. The pipeline carries the intents out in the request's
//! own transaction.

use crate::{EngineError, RawJson};
use bulla_types::{Network, PolicyName, Seconds};
use indexmap::IndexMap;
use serde::Serialize;

/// A secret that has to be taken back one day.
#[derive(Clone, Debug)]
pub struct LeaseIntent {
    /// The engine's word for this kind of secret.
    pub kind: &'static str,
    /// Kept with the lease and handed back at renewal and revocation.
    pub internal: RawJson,
    /// `None` = the mount's default.
    pub ttl: Option<Seconds>,
    pub max_ttl: Option<Seconds>,
    pub renewable: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TokenKind {
    /// What the mount is tuned to.
    #[default]
    MountDefault,
    Service,
    Batch,
}

/// The limits of a token that a login asks for.
#[derive(Clone, Debug, Default)]
pub struct TokenLimits {
    pub ttl: Option<Seconds>,
    pub max_ttl: Option<Seconds>,
    pub explicit_max_ttl: Option<Seconds>,
    pub period: Option<Seconds>,
    pub uses: Option<u32>,
    pub bound_cidrs: Vec<Network>,
    pub strictly_bind_ip: bool,
    pub no_default_policy: bool,
    pub kind: TokenKind,
}

/// Who logged in, in the auth method's own terms; identity makes an entity of it.
#[derive(Clone, Debug)]
pub struct AliasClaim {
    pub name: String,
    pub metadata: IndexMap<String, String>,
}

/// A login that succeeded: the core makes the token.
#[derive(Clone, Debug)]
pub struct LoginIntent {
    pub display_name: String,
    pub policies: Vec<PolicyName>,
    pub metadata: IndexMap<String, String>,
    pub alias: Option<AliasClaim>,
    pub group_aliases: Vec<String>,
    pub limits: TokenLimits,
    pub renewable: bool,
    /// Kept with the token and handed back at renewal.
    pub internal: Option<RawJson>,
}

/// An answer outside the envelope.
#[derive(Clone, Debug)]
pub struct RawBody {
    pub content_type: &'static str,
    pub bytes: Vec<u8>,
    /// `None` = 200.
    pub status: Option<u16>,
}

/// A handler's answer. [`Reply::none`] is "nothing to say": 404 for a read or list, 204 otherwise.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// There is a response at all; without it nothing below counts.
    pub some: bool,
    pub data: Option<RawJson>,
    /// The members of `data` stand at the top of the envelope as well.
    pub also_at_top: bool,
    /// The answer is `data` alone, without envelope.
    pub bare: bool,
    pub warnings: Vec<String>,
    pub lease: Option<LeaseIntent>,
    /// Duration and renewability shown: of `lease_id`, or without a lease behind them (kv v1).
    pub lease_hint: Option<(Seconds, bool)>,
    /// Filled in by core once it has made or renewed the lease.
    pub lease_id: String,
    pub login: Option<LoginIntent>,
    /// A token's block made by core itself (`auth/token/create`, renewals).
    pub auth: Option<Box<bulla_wire::AuthBlock>>,
    pub raw: Option<RawBody>,
    /// A whole envelope, as core kept or made it (wrapped answers); only its `request_id` is filled in.
    pub whole: Option<Box<bulla_wire::Envelope>>,
    /// The full envelope with status 404: deleted versions.
    pub not_found: bool,
    /// 202 instead of 200.
    pub accepted: bool,
    /// A code the caller asked for (`sys/health`).
    pub code: Option<u16>,
}

impl Reply {
    pub fn none() -> Self {
        Self::default()
    }

    /// An answer without data: the full envelope with `data` null.
    pub fn empty() -> Self {
        Self { some: true, ..Self::default() }
    }

    /// # Errors
    /// `data` cannot be written as JSON; a fault in the program.
    pub fn json<T: Serialize + ?Sized>(data: &T) -> Result<Self, EngineError> {
        let data = RawJson::of(data).map_err(|_| EngineError::internal("the answer could not be written as JSON"))?;
        Ok(Self::data(data))
    }

    pub fn data(data: RawJson) -> Self {
        Self { some: true, data: Some(data), ..Self::default() }
    }

    /// The answer to a list; nothing found is [`Reply::none`].
    ///
    /// # Errors
    /// As [`Reply::json`].
    pub fn keys(keys: &[String]) -> Result<Self, EngineError> {
        #[derive(Serialize)]
        struct Keys<'a> {
            keys: &'a [String],
        }
        if keys.is_empty() { Ok(Self::none()) } else { Self::json(&Keys { keys }) }
    }

    pub fn raw(content_type: &'static str, bytes: Vec<u8>) -> Self {
        Self { some: true, raw: Some(RawBody { content_type, bytes, status: None }), ..Self::default() }
    }

    #[must_use]
    pub fn warn(mut self, text: impl Into<String>) -> Self {
        self.some = true;
        self.warnings.push(text.into());
        self
    }

    #[must_use]
    pub fn at_top_too(mut self) -> Self {
        self.also_at_top = true;
        self
    }

    #[must_use]
    pub fn bare(mut self) -> Self {
        self.bare = true;
        self
    }

    #[must_use]
    pub fn as_not_found(mut self) -> Self {
        self.not_found = true;
        self
    }

    #[must_use]
    pub fn lease_hint(mut self, duration: Seconds, renewable: bool) -> Self {
        self.lease_hint = Some((duration, renewable));
        self
    }

    #[must_use]
    pub fn leased(mut self, lease: LeaseIntent) -> Self {
        self.lease = Some(lease);
        self
    }

    #[must_use]
    pub fn code(mut self, code: u16) -> Self {
        self.code = Some(code);
        self
    }

    /// A successful login.
    pub fn login(login: LoginIntent) -> Self {
        Self { some: true, login: Some(login), ..Self::default() }
    }
}
