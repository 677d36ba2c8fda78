//! A role: what the tokens that are made by it look like. Not here: its routes (`roles`), how it is applied (`creating`,
//! `granting`).

use super::granting::any_glob;
use bulla_barrier::View;
use bulla_kit::EngineError;
use bulla_records::{TokenKindRecord, decode};
use bulla_types::{PolicyName, Seconds};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The kind of token a role makes; the two defaults leave it to the request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RoleKind {
    #[default]
    DefaultService,
    DefaultBatch,
    Service,
    Batch,
}

impl RoleKind {
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "" | "default" | "default-service" => Self::DefaultService,
            "default-batch" => Self::DefaultBatch,
            "service" => Self::Service,
            "batch" => Self::Batch,
            _ => return None,
        })
    }

    fn word(self) -> &'static str {
        match self {
            Self::DefaultService => "default-service",
            Self::DefaultBatch => "default-batch",
            Self::Service => "service",
            Self::Batch => "batch",
        }
    }

    pub fn decide(self, asked: Option<TokenKindRecord>) -> TokenKindRecord {
        match self {
            Self::DefaultService => asked.unwrap_or(TokenKindRecord::Service),
            Self::DefaultBatch => asked.unwrap_or(TokenKindRecord::Batch),
            Self::Service => TokenKindRecord::Service,
            Self::Batch => TokenKindRecord::Batch,
        }
    }
}

/// A value that clients may give by an older name. What was given by the older one is shown under both.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Renamed<T> {
    value: T,
    by_old_name: bool,
}

impl<T: Clone + Default> Renamed<T> {
    pub fn set(&mut self, new: Option<T>, old: Option<T>) {
        if let Some(value) = new {
            *self = Self { value, by_old_name: false };
        } else if let Some(value) = old {
            *self = Self { value, by_old_name: true };
        }
    }

    fn old(&self) -> T {
        if self.by_old_name { self.value.clone() } else { T::default() }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Role {
    pub name: String,
    pub allowed_policies: Vec<PolicyName>,
    pub disallowed_policies: Vec<PolicyName>,
    pub allowed_policies_glob: Vec<String>,
    pub disallowed_policies_glob: Vec<String>,
    pub allowed_entity_aliases: Option<Vec<String>>,
    pub orphan: bool,
    pub renewable: bool,
    pub path_suffix: String,
    pub no_default_policy: bool,
    pub num_uses: Option<u32>,
    pub kind: RoleKind,
    pub period: Renamed<Seconds>,
    pub explicit_max_ttl: Renamed<Seconds>,
    pub bound_cidrs: Renamed<Vec<String>>,
}

impl Default for Role {
    fn default() -> Self {
        Self {
            name: String::new(),
            allowed_policies: Vec::new(),
            disallowed_policies: Vec::new(),
            allowed_policies_glob: Vec::new(),
            disallowed_policies_glob: Vec::new(),
            allowed_entity_aliases: None,
            orphan: false,
            renewable: true,
            path_suffix: String::new(),
            no_default_policy: false,
            num_uses: None,
            kind: RoleKind::default(),
            period: Renamed::default(),
            explicit_max_ttl: Renamed::default(),
            bound_cidrs: Renamed::default(),
        }
    }
}

/// Where a role lies in the token mount's scope.
pub fn key(name: &str) -> String {
    format!("role/{name}")
}

impl Role {
    /// # Errors
    /// Storage; a role that cannot be read.
    pub async fn read(view: &View, name: &str) -> Result<Option<Self>, EngineError> {
        let Some(bytes) = view.get(&key(name)).await? else { return Ok(None) };
        decode("token role", &bytes).map(Some).map_err(|_| EngineError::damaged("token role"))
    }

    pub fn period(&self) -> Option<Seconds> {
        Some(self.period.value).filter(|p| !p.is_zero())
    }

    /// The lower of a token's own end and the role's.
    pub fn lower_explicit_max(&self, own: Option<Seconds>) -> Option<Seconds> {
        let role = Some(self.explicit_max_ttl.value).filter(|e| !e.is_zero());
        match (own, role) {
            (Some(own), Some(role)) => Some(own.min(role)),
            (own, role) => own.or(role),
        }
    }

    pub fn bound_cidrs(&self) -> &[String] {
        &self.bound_cidrs.value
    }

    /// It says which policies its tokens may have.
    pub fn allows_by_list(&self) -> bool {
        !self.allowed_policies.is_empty() || !self.allowed_policies_glob.is_empty()
    }

    /// It has rules about policies at all; without them the parent's are the limit.
    pub fn rules_policies(&self) -> bool {
        self.allows_by_list() || !self.disallowed_policies.is_empty() || !self.disallowed_policies_glob.is_empty()
    }

    pub fn allows_alias(&self, alias: &str) -> bool {
        let allowed = self.allowed_entity_aliases.as_deref().unwrap_or_default();
        let lower: Vec<String> = allowed.iter().map(|a| a.to_lowercase()).collect();
        any_glob(&lower, &alias.to_lowercase())
    }

    /// # Errors
    /// What was set does not fit together.
    pub fn check(&self) -> Result<(), EngineError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
        if !self.path_suffix.chars().all(plain) || self.path_suffix.split('/').any(|s| matches!(s, "." | "..")) {
            return Err(EngineError::bad("given role path suffix contains invalid characters"));
        }
        if self.kind != RoleKind::Batch {
            return Ok(());
        }
        let wrong = if !self.orphan {
            "non-orphan tokens"
        } else if self.renewable {
            "renewable tokens"
        } else if self.period().is_some() {
            "periodic tokens"
        } else if self.lower_explicit_max(None).is_some() {
            "tokens with an explicit max TTL"
        } else if self.num_uses.is_some() {
            "tokens with limited use count"
        } else {
            return Ok(());
        };
        Err(EngineError::bad(format!("'token_type' cannot be 'batch' when role is set to generate {wrong}")))
    }

    /// The data of a read.
    pub fn describe(&self) -> Map<String, Value> {
        let mut data = Map::new();
        let mut put = |name: &str, value: Value| {
            data.insert(name.to_owned(), value);
        };
        put("name", self.name.as_str().into());
        put("allowed_policies", json!(self.allowed_policies));
        put("disallowed_policies", json!(self.disallowed_policies));
        put("allowed_policies_glob", json!(self.allowed_policies_glob));
        put("disallowed_policies_glob", json!(self.disallowed_policies_glob));
        put("allowed_entity_aliases", json!(self.allowed_entity_aliases));
        put("orphan", self.orphan.into());
        put("renewable", self.renewable.into());
        put("path_suffix", self.path_suffix.as_str().into());
        put("period", self.period.old().0.into());
        put("explicit_max_ttl", self.explicit_max_ttl.old().0.into());
        put("token_period", self.period.value.0.into());
        put("token_explicit_max_ttl", self.explicit_max_ttl.value.0.into());
        put("token_no_default_policy", self.no_default_policy.into());
        put("token_type", self.kind.word().into());
        if let Some(uses) = self.num_uses {
            put("token_num_uses", uses.into());
        }
        if !self.bound_cidrs.value.is_empty() {
            put("token_bound_cidrs", json!(self.bound_cidrs.value));
            if self.bound_cidrs.by_old_name {
                put("bound_cidrs", json!(self.bound_cidrs.value));
            }
        }
        data
    }
}
