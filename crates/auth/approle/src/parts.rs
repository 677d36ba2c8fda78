//! A role's fields one by one: `role/<name>/token-ttl` and the like. Each is shown, set, and set back to its default.

use crate::constraints::networks;
use crate::role::Role;
use crate::roles::RoleOnly;
use bulla_auth_tokens::{OldNames, TokenParams, span, uses};
use bulla_kit::{Answer, CommaList, Ctx, EngineError, Params, Reply, Route};
use bulla_types::Seconds;
use serde_json::{Map, Value};

/// One field with a path of its own.
trait Part: Params {
    fn role_name(&self) -> &str;
    /// # Errors
    /// The field was not sent, or cannot have the value.
    fn set(self, role: &mut Role) -> Result<(), EngineError>;
    /// The members of a read's data, among those of the whole role.
    const SHOWN: &'static [&'static str];
    /// # Errors
    /// None for a role that was right before.
    fn reset(role: &mut Role) -> Result<(), EngineError>;
}

pub fn routes() -> Vec<Route<Ctx>> {
    vec![
        route::<Policies>("role/{role_name}/policies", "The policies of the role's tokens."),
        route::<BoundCidrList>("role/{role_name}/bound-cidr-list", "The older name of `secret-id-bound-cidrs`."),
        route::<SecretIdBoundCidrs>(
            "role/{role_name}/secret-id-bound-cidrs",
            "Networks from which secret ids are accepted.",
        ),
        route::<TokenBoundCidrs>("role/{role_name}/token-bound-cidrs", "Networks from which tokens are accepted."),
        route::<BindSecretId>("role/{role_name}/bind-secret-id", "Whether a login needs a secret id."),
        route::<SecretIdNumUses>("role/{role_name}/secret-id-num-uses", "How often a secret id can be used."),
        route::<SecretIdTtl>("role/{role_name}/secret-id-ttl", "Time after which a secret id expires."),
        route::<Period>("role/{role_name}/period", "The period of the role's tokens."),
        route::<TokenNumUses>("role/{role_name}/token-num-uses", "How often a token can be used."),
        route::<TokenTtl>("role/{role_name}/token-ttl", "The first time to live of the role's tokens."),
        route::<TokenMaxTtl>("role/{role_name}/token-max-ttl", "The longest time to live of the role's tokens."),
    ]
}

fn route<P: Part>(pattern: &'static str, synopsis: &'static str) -> Route<Ctx> {
    Route::token(pattern)
        .help(synopsis, "One field of the role. A delete sets it back to its default.")
        .folded(&["role_name"])
        .read(read::<P>)
        .update(write::<P>)
        .delete(reset::<P>)
}

async fn read<P: Part>(ctx: Ctx, at: RoleOnly) -> Answer {
    let Some(role) = Role::read(&ctx.view, &at.role_name).await? else { return Ok(Reply::none()) };
    let whole = role.describe();
    let data: Map<String, Value> = whole.into_iter().filter(|(name, _)| P::SHOWN.contains(&name.as_str())).collect();
    Reply::json(&data)
}

async fn write<P: Part>(ctx: Ctx, sent: P) -> Answer {
    let name = sent.role_name().to_owned();
    let Some(mut role) = Role::read(&ctx.view, &name).await? else { return Err(EngineError::UnsupportedPath) };
    sent.set(&mut role)?;
    role.write(&ctx.view, &name, Some(&role.role_id)).await?;
    Ok(Reply::none())
}

async fn reset<P: Part>(ctx: Ctx, at: RoleOnly) -> Answer {
    if let Some(mut role) = Role::read(&ctx.view, &at.role_name).await? {
        P::reset(&mut role)?;
        role.write(&ctx.view, &at.role_name, Some(&role.role_id)).await?;
    }
    Ok(Reply::none())
}

fn sent<T>(field: &str, value: Option<T>) -> Result<T, EngineError> {
    value.ok_or_else(|| EngineError::bad(format!("missing {field}")))
}

/// Declares the parameters of one field: its name in the body, its type, and what it does to a role.
macro_rules! part {
    ($(#[$about:meta])* $part:ident { $field:ident: $type:ty } shown $shown:expr;
     set $role:ident, $value:ident: $set:expr; reset $reset:expr) => {
        #[derive(Params)]
        struct $part {
            /// Name of the role, in any case.
            #[param(path)]
            role_name: String,
            $(#[$about])*
            $field: Option<$type>,
        }

        impl Part for $part {
            const SHOWN: &'static [&'static str] = &$shown;

            fn role_name(&self) -> &str {
                &self.role_name
            }

            fn set(self, $role: &mut Role) -> Result<(), EngineError> {
                let $value = sent(stringify!($field), self.$field)?;
                $set
            }

            fn reset($role: &mut Role) -> Result<(), EngineError> {
                $reset
            }
        }
    };
}

part! {
    #[param(older_name_of = "secret_id_bound_cidrs")]
    BoundCidrList { bound_cidr_list: CommaList } shown ["bound_cidr_list"];
    set role, list: role.secret_id_bound_cidrs.set(None, Some(list), |list| networks(&list.0));
    reset clear_cidrs(role)
}

part! {
    /// Networks from which secret ids are accepted.
    SecretIdBoundCidrs { secret_id_bound_cidrs: CommaList } shown ["secret_id_bound_cidrs"];
    set role, list: role.secret_id_bound_cidrs.set(Some(list), None, |list| networks(&list.0));
    reset clear_cidrs(role)
}

part! {
    /// Networks and addresses from which tokens are accepted.
    TokenBoundCidrs { token_bound_cidrs: CommaList } shown ["token_bound_cidrs"];
    set role, list: token(role, TokenParams { token_bound_cidrs: Some(list), ..TokenParams::default() });
    reset token(role, TokenParams { token_bound_cidrs: Some(CommaList::default()), ..TokenParams::default() })
}

part! {
    /// A login needs a secret id.
    BindSecretId { bind_secret_id: bool } shown ["bind_secret_id"];
    set role, flag: { role.bind_secret_id = flag; Ok(()) };
    reset { role.bind_secret_id = true; Ok(()) }
}

part! {
    /// How often a secret id can be used; 0: any number of times.
    SecretIdNumUses { secret_id_num_uses: i64 } shown ["secret_id_num_uses"];
    set role, number: { role.secret_id_num_uses = uses("secret_id_num_uses", number)?; Ok(()) };
    reset { role.secret_id_num_uses = None; Ok(()) }
}

part! {
    /// Time after which a secret id expires; 0: never.
    SecretIdTtl { secret_id_ttl: Seconds } shown ["secret_id_ttl"];
    set role, ttl: { role.secret_id_ttl = span(ttl); Ok(()) };
    reset { role.secret_id_ttl = None; Ok(()) }
}

part! {
    /// How often the token can be used; 0: any number of times.
    TokenNumUses { token_num_uses: i64 } shown ["token_num_uses"];
    set role, number: token(role, TokenParams { token_num_uses: Some(number), ..TokenParams::default() });
    reset token(role, TokenParams { token_num_uses: Some(0), ..TokenParams::default() })
}

part! {
    /// The token's first time to live; 0: the mount's.
    TokenTtl { token_ttl: Seconds } shown ["token_ttl"];
    set role, ttl: token(role, TokenParams { token_ttl: Some(ttl), ..TokenParams::default() });
    reset token(role, TokenParams { token_ttl: Some(Seconds::ZERO), ..TokenParams::default() })
}

part! {
    /// The longest time that renewals can give the token; 0: the mount's.
    TokenMaxTtl { token_max_ttl: Seconds } shown ["token_max_ttl"];
    set role, ttl: token(role, TokenParams { token_max_ttl: Some(ttl), ..TokenParams::default() });
    reset token(role, TokenParams { token_max_ttl: Some(Seconds::ZERO), ..TokenParams::default() })
}

fn token(role: &mut Role, params: TokenParams) -> Result<(), EngineError> {
    role.token.apply(params, OldNames::default())
}

fn clear_cidrs(role: &mut Role) -> Result<(), EngineError> {
    role.secret_id_bound_cidrs = Default::default();
    Ok(())
}

/// The two fields with an older name beside.
#[derive(Params)]
struct Policies {
    /// Name of the role, in any case.
    #[param(path)]
    role_name: String,
    /// The policies of the token.
    token_policies: Option<CommaList>,
    #[param(older_name_of = "token_policies")]
    policies: Option<CommaList>,
}

impl Part for Policies {
    const SHOWN: &'static [&'static str] = &["token_policies", "policies"];

    fn role_name(&self) -> &str {
        &self.role_name
    }

    fn set(self, role: &mut Role) -> Result<(), EngineError> {
        if self.token_policies.is_none() && self.policies.is_none() {
            return Err(EngineError::bad("missing token_policies"));
        }
        let new = TokenParams { token_policies: self.token_policies, ..TokenParams::default() };
        role.token.apply(new, OldNames { policies: self.policies, ..OldNames::default() })
    }

    fn reset(role: &mut Role) -> Result<(), EngineError> {
        token(role, TokenParams { token_policies: Some(CommaList::default()), ..TokenParams::default() })
    }
}

#[derive(Params)]
struct Period {
    /// Name of the role, in any case.
    #[param(path)]
    role_name: String,
    /// Makes periodic tokens; 0: not periodic.
    token_period: Option<Seconds>,
    #[param(older_name_of = "token_period")]
    period: Option<Seconds>,
}

impl Part for Period {
    const SHOWN: &'static [&'static str] = &["token_period", "period"];

    fn role_name(&self) -> &str {
        &self.role_name
    }

    fn set(self, role: &mut Role) -> Result<(), EngineError> {
        if self.token_period.is_none() && self.period.is_none() {
            return Err(EngineError::bad("missing period"));
        }
        let new = TokenParams { token_period: self.token_period, ..TokenParams::default() };
        role.token.apply(new, OldNames { period: self.period, ..OldNames::default() })
    }

    fn reset(role: &mut Role) -> Result<(), EngineError> {
        token(role, TokenParams { token_period: Some(Seconds::ZERO), ..TokenParams::default() })
    }
}
