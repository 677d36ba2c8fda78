//! `auth/token/roles/…`: what tokens may be made by whom is granted on `create/<role>` may look like.

use super::granting::{any_glob, parse_net};
use crate::sys::SysCtx;
use bulla_barrier::{Page, View};
use bulla_kit::{Answer, CommaList, EngineError, NoParams, Params, Reply, Route};
use bulla_records::{TokenKindRecord, decode, encode};
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
    fn parse(text: &str) -> Option<Self> {
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
struct Renamed<T> {
    value: T,
    by_old_name: bool,
}

impl<T: Clone + Default> Renamed<T> {
    fn set(&mut self, new: Option<T>, old: Option<T>) {
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
    period: Renamed<Seconds>,
    explicit_max_ttl: Renamed<Seconds>,
    bound_cidrs: Renamed<Vec<String>>,
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

fn key(name: &str) -> String {
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

    fn apply(&mut self, params: RoleParams) -> Result<(), EngineError> {
        if let Some(names) = params.allowed_policies {
            self.allowed_policies = names_of(&names)?;
        }
        if let Some(names) = params.disallowed_policies {
            self.disallowed_policies = names_of(&names)?;
        }
        if let Some(globs) = params.allowed_policies_glob {
            self.allowed_policies_glob = lowered(globs);
        }
        if let Some(globs) = params.disallowed_policies_glob {
            self.disallowed_policies_glob = lowered(globs);
        }
        if let Some(aliases) = params.allowed_entity_aliases {
            self.allowed_entity_aliases = Some(lowered(aliases));
        }
        self.orphan = params.orphan.unwrap_or(self.orphan);
        self.renewable = params.renewable.unwrap_or(self.renewable);
        self.no_default_policy = params.token_no_default_policy.unwrap_or(self.no_default_policy);
        self.period.set(params.token_period, params.period);
        self.explicit_max_ttl.set(params.token_explicit_max_ttl, params.explicit_max_ttl);
        self.bound_cidrs.set(params.token_bound_cidrs.map(|l| l.0), params.bound_cidrs.map(|l| l.0));
        if let Some(uses) = params.token_num_uses {
            let count = u32::try_from(uses).map_err(|_| EngineError::bad("'token_num_uses' is out of range"))?;
            self.num_uses = Some(count).filter(|n| *n > 0);
        }
        if let Some(suffix) = params.path_suffix {
            self.path_suffix = suffix;
        }
        if let Some(kind) = params.token_type {
            self.kind = RoleKind::parse(&kind)
                .ok_or_else(|| EngineError::bad(format!("invalid 'token_type' value {kind:?}")))?;
        }
        self.check()
    }

    fn check(&self) -> Result<(), EngineError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
        if !self.path_suffix.chars().all(plain) || self.path_suffix.split('/').any(|s| matches!(s, "." | "..")) {
            return Err(EngineError::bad("given role path suffix contains invalid characters"));
        }
        if let Some(text) = self.bound_cidrs.value.iter().find(|t| parse_net(t).is_none()) {
            return Err(EngineError::bad(format!("invalid CIDR {text:?} in 'token_bound_cidrs'")));
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

    fn describe(&self) -> Map<String, Value> {
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

fn names_of(texts: &CommaList) -> Result<Vec<PolicyName>, EngineError> {
    let parse =
        |text: &String| PolicyName::parse(text).map_err(|e| EngineError::bad(format!("invalid policy name: {e}")));
    let mut names: Vec<PolicyName> = texts.0.iter().filter(|t| !t.is_empty()).map(parse).collect::<Result<_, _>>()?;
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

fn lowered(texts: CommaList) -> Vec<String> {
    let mut texts: Vec<String> = texts.0.into_iter().filter(|t| !t.is_empty()).map(|t| t.to_lowercase()).collect();
    texts.sort_unstable();
    texts.dedup();
    texts
}

#[derive(Params)]
struct RoleParams {
    /// The role's name.
    #[param(path)]
    role_name: String,
    /// Policies that its tokens may have.
    allowed_policies: Option<CommaList>,
    /// Policies that its tokens may not have.
    disallowed_policies: Option<CommaList>,
    /// Patterns of policies that its tokens may have.
    allowed_policies_glob: Option<CommaList>,
    /// Patterns of policies that its tokens may not have.
    disallowed_policies_glob: Option<CommaList>,
    /// Names that `entity_alias` may have; a star stands for any text.
    allowed_entity_aliases: Option<CommaList>,
    /// Its tokens have no parent.
    orphan: Option<bool>,
    /// Its tokens may be renewed.
    renewable: Option<bool>,
    /// Added to the path of its tokens.
    path_suffix: Option<String>,
    /// The older name of `token_period`.
    period: Option<Seconds>,
    /// The older name of `token_explicit_max_ttl`.
    explicit_max_ttl: Option<Seconds>,
    /// The older name of `token_bound_cidrs`.
    bound_cidrs: Option<CommaList>,
    /// Its tokens live for ever if renewed within this time.
    token_period: Option<Seconds>,
    /// The end that no renewal of its tokens passes.
    token_explicit_max_ttl: Option<Seconds>,
    /// Addresses its tokens may be used from.
    token_bound_cidrs: Option<CommaList>,
    /// Its tokens do not get the policy `default`.
    token_no_default_policy: Option<bool>,
    /// How often its tokens may be used; 0 = any number of times.
    token_num_uses: Option<i64>,
    /// `service`, `batch`, `default-service` or `default-batch`.
    token_type: Option<String>,
}

#[derive(Params)]
struct NameParams {
    /// The role's name.
    #[param(path)]
    role_name: String,
}

pub fn routes() -> Vec<Route<SysCtx>> {
    vec![
        Route::token("roles").help("List the roles.", "").list(list),
        Route::token("roles/{role_name}")
            .help("What tokens made by the role look like.", "")
            .exists(|view, p: NameParams| async move { Ok(view.exists(&key(&p.role_name)).await?) })
            .read(read)
            .update(write)
            .delete(delete),
    ]
}

async fn list(ctx: SysCtx, _: NoParams) -> Answer {
    Reply::keys(&ctx.ctx.view.list("role", &Page::default()).await?)
}

async fn read(ctx: SysCtx, params: NameParams) -> Answer {
    match Role::read(&ctx.ctx.view, &params.role_name).await? {
        Some(role) => Reply::json(&role.describe()),
        None => Ok(Reply::none()),
    }
}

async fn write(ctx: SysCtx, params: RoleParams) -> Answer {
    let name = params.role_name.clone();
    let mut role = Role::read(&ctx.ctx.view, &name).await?.unwrap_or_default();
    role.name.clone_from(&name);
    role.apply(params)?;
    let bytes = encode("token role", &role).map_err(|e| EngineError::internal(e.to_string()))?;
    ctx.ctx.view.put(&key(&name), bytes)?;
    Ok(Reply::none())
}

async fn delete(ctx: SysCtx, params: NameParams) -> Answer {
    ctx.ctx.view.delete(&key(&params.role_name))?;
    Ok(Reply::none())
}
