//! Secret ids: made, listed, looked up, destroyed, by themselves and by accessor.

use crate::constraints::{check_subset, networks};
use crate::metadata;
use crate::role::{MAX_ID, Role, fresh_id};
use crate::roles::page;
use crate::secret_id::{self, Place, SecretId};
use bulla_auth_tokens::{SecretParam, span, uses};
use bulla_kit::{Answer, CommaList, Ctx, EngineError, Params, Reply, Route};
use bulla_types::{Network, Seconds};
use serde_json::json;

pub fn routes() -> Vec<Route<Ctx>> {
    vec![
        Route::token("role/{role_name}/secret-id")
            .help("Makes a secret id, and lists those there are by accessor.", "The secret id is shown this once only.")
            .folded(&["role_name"])
            .list(list)
            .update(generate),
        Route::token("role/{role_name}/custom-secret-id")
            .help("Makes a secret id of the caller's choice.", "Random ones are harder to guess.")
            .folded(&["role_name"])
            .update(take_custom),
        Route::token("role/{role_name}/secret-id/lookup")
            .help(
                "Tells what a secret id may do.",
                "By the secret id itself, which goes in the body so that it stays out of logs.",
            )
            .folded(&["role_name"])
            .update(lookup),
        Route::token("role/{role_name}/secret-id/destroy")
            .help("Makes a secret id worthless.", "Tokens that it gave stay.")
            .folded(&["role_name"])
            .update(destroy)
            .delete(destroy),
        Route::token("role/{role_name}/secret-id-accessor/lookup")
            .help(
                "Tells what the secret id of an accessor may do.",
                "The accessor is what lists show; the secret id itself is never shown again.",
            )
            .folded(&["role_name"])
            .update(lookup_accessor),
        Route::token("role/{role_name}/secret-id-accessor/destroy")
            .help("Makes the secret id of an accessor worthless.", "Tokens that it gave stay.")
            .folded(&["role_name"])
            .update(destroy_accessor)
            .delete(destroy_accessor),
    ]
}

#[derive(Params)]
struct ListParams {
    /// Name of the role, in any case.
    #[param(path)]
    role_name: String,
    /// Accessor after which the listing begins; it need not exist.
    after: String,
    /// Number of accessors to answer with; zero or less means all.
    limit: i64,
}

/// What may be asked of a new secret id.
#[derive(Params)]
struct Wanted {
    /// A JSON object of texts, as one text; goes into the metadata of tokens.
    metadata: String,
    /// Networks from which the secret id is accepted; within the role's.
    cidr_list: CommaList,
    /// Networks from which its tokens are accepted, instead of the role's; within these.
    token_bound_cidrs: CommaList,
    /// How often it can be used; not more than the role allows.
    num_uses: Option<i64>,
    /// Time after which it expires; not longer than the role allows.
    ttl: Option<Seconds>,
}

#[derive(Params)]
struct GenerateParams {
    /// Name of the role, in any case.
    #[param(path)]
    role_name: String,
    #[param(flatten)]
    wanted: Wanted,
}

#[derive(Params)]
struct CustomParams {
    /// Name of the role, in any case.
    #[param(path)]
    role_name: String,
    /// The secret id, at most 4096 bytes.
    secret_id: SecretParam,
    #[param(flatten)]
    wanted: Wanted,
}

#[derive(Params)]
struct SecretIdParams {
    /// Name of the role, in any case.
    #[param(path)]
    role_name: String,
    /// The secret id.
    secret_id: SecretParam,
}

#[derive(Params)]
struct AccessorParams {
    /// Name of the role, in any case.
    #[param(path)]
    role_name: String,
    /// The accessor of the secret id.
    secret_id_accessor: String,
}

fn no_role(name: &str) -> String {
    format!("role {name:?} does not exist")
}

/// The role of a request that cannot do without.
async fn role_of(ctx: &Ctx, name: &str) -> Result<Role, EngineError> {
    Role::read(&ctx.view, name).await?.ok_or_else(|| EngineError::bad(no_role(name)))
}

async fn list(ctx: Ctx, sent: ListParams) -> Answer {
    let role = role_of(&ctx, &sent.role_name).await?;
    Reply::keys(&secret_id::list(&ctx.view, role.key, &page(sent.after, sent.limit)).await?)
}

async fn generate(ctx: Ctx, sent: GenerateParams) -> Answer {
    make(&ctx, &sent.role_name, SecretParam::new(fresh_id()?), sent.wanted).await
}

async fn take_custom(ctx: Ctx, sent: CustomParams) -> Answer {
    if sent.secret_id.is_empty() {
        return Err(EngineError::bad("missing secret_id"));
    }
    if sent.secret_id.len() > MAX_ID {
        return Err(EngineError::bad(format!("secret_id is longer than {MAX_ID} bytes")));
    }
    make(&ctx, &sent.role_name, sent.secret_id, sent.wanted).await
}

async fn make(ctx: &Ctx, role_name: &str, text: SecretParam, wanted: Wanted) -> Answer {
    let role = Role::read(&ctx.view, role_name).await?;
    let role = role.ok_or_else(|| EngineError::NotFoundBecause(no_role(role_name)))?;
    if !role.bind_secret_id {
        return Err(EngineError::bad("bind_secret_id is not set on the role"));
    }
    let made = wanted.check(ctx, &role)?;
    let place = Place::of(&ctx.view, role.key, text.dangerous_expose());
    match secret_id::read_any(&ctx.view, &place).await? {
        Some(there) if there.is_good(ctx.now) => {
            return Err(EngineError::bad("failed to store secret_id: SecretID is already registered"));
        }
        Some(expired) => secret_id::remove(&ctx.view, &place, &expired)?,
        None => {}
    }
    secret_id::add(&ctx.view, &place, &made)?;
    Reply::json(&json!({
        "secret_id": text.dangerous_expose(),
        "secret_id_accessor": made.accessor,
        "secret_id_num_uses": made.uses_left.unwrap_or(0),
        "secret_id_ttl": made.ttl.map_or(0, |ttl| ttl.0),
    }))
}

impl Wanted {
    /// The secret id as it is to be stored.
    fn check(self, ctx: &Ctx, role: &Role) -> Result<SecretId, EngineError> {
        let cidrs = networks(&self.cidr_list.0)?;
        check_subset(role.secret_id_bound_cidrs.value(), &cidrs)?;
        let token_cidrs: Vec<Network> = networks(&self.token_bound_cidrs.0)?;
        check_subset(role.token.bound_cidrs.value(), &token_cidrs)?;
        // What lives longer than the mount lets anything live is cut, as it is shown.
        let ttl = ttl_within(role.secret_id_ttl, self.ttl)?.map(|ttl| ttl.min(ctx.mount.max_ttl));
        Ok(SecretId {
            accessor: fresh_id()?,
            uses_left: uses_within(role.secret_id_num_uses, self.num_uses)?,
            ttl,
            created: ctx.now,
            updated: ctx.now,
            expires: ttl.map(|ttl| ctx.now.plus(ttl)),
            metadata: metadata::parse(&self.metadata)?,
            cidrs,
            token_cidrs,
        })
    }
}

/// Not asked for is what the role says; any number is more than a limit.
fn uses_within(role: Option<u32>, asked: Option<i64>) -> Result<Option<u32>, EngineError> {
    let Some(asked) = asked.map(|number| uses("num_uses", number)).transpose()? else { return Ok(role) };
    match (role, asked) {
        (Some(_), None) => Err(too_many()),
        (Some(limit), Some(asked)) if asked > limit => Err(too_many()),
        _ => Ok(asked),
    }
}

fn too_many() -> EngineError {
    EngineError::bad("num_uses cannot be higher than the role's secret_id_num_uses")
}

fn ttl_within(role: Option<Seconds>, asked: Option<Seconds>) -> Result<Option<Seconds>, EngineError> {
    let Some(asked) = asked.map(span) else { return Ok(role) };
    match role {
        Some(limit) if asked.is_none_or(|asked| asked > limit) => {
            Err(EngineError::bad("ttl cannot be longer than the role's secret_id_ttl"))
        }
        _ => Ok(asked),
    }
}

/// Where the secret id of a request would lie.
async fn place_of(ctx: &Ctx, sent: &SecretIdParams) -> Result<Place, EngineError> {
    if sent.secret_id.is_empty() {
        return Err(EngineError::bad("missing secret_id"));
    }
    let role = role_of(ctx, &sent.role_name).await?;
    Ok(Place::of(&ctx.view, role.key, sent.secret_id.dangerous_expose()))
}

async fn lookup(ctx: Ctx, sent: SecretIdParams) -> Answer {
    let place = place_of(&ctx, &sent).await?;
    match secret_id::read(&ctx.view, &place, ctx.now).await? {
        Some(found) => Reply::json(&found.describe()),
        None => Ok(Reply::none()),
    }
}

async fn destroy(ctx: Ctx, sent: SecretIdParams) -> Answer {
    let place = place_of(&ctx, &sent).await?;
    if let Some(found) = secret_id::read_any(&ctx.view, &place).await? {
        secret_id::remove(&ctx.view, &place, &found)?;
    }
    Ok(Reply::none())
}

/// The secret id of this role, and of no other, that has the accessor.
async fn found_by(ctx: &Ctx, sent: &AccessorParams) -> Result<Option<(Place, SecretId)>, EngineError> {
    if sent.secret_id_accessor.is_empty() {
        return Err(EngineError::bad("missing secret_id_accessor"));
    }
    let role = role_of(ctx, &sent.role_name).await?;
    secret_id::by_accessor(&ctx.view, role.key, &sent.secret_id_accessor, ctx.now).await
}

/// Not repeating what was sent: it may be the secret id, in the wrong place.
const NO_ACCESSOR: &str = "failed to find accessor entry for the given secret_id_accessor";

async fn lookup_accessor(ctx: Ctx, sent: AccessorParams) -> Answer {
    match found_by(&ctx, &sent).await? {
        Some((_, found)) => Reply::json(&found.describe()),
        None => Ok(Reply::json(&json!({ "error": NO_ACCESSOR }))?.as_not_found()),
    }
}

async fn destroy_accessor(ctx: Ctx, sent: AccessorParams) -> Answer {
    match found_by(&ctx, &sent).await? {
        Some((place, found)) => secret_id::remove(&ctx.view, &place, &found)?,
        None => return Err(EngineError::NotFoundBecause(NO_ACCESSOR.into())),
    }
    Ok(Reply::none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_id_gets_no_more_than_its_role_allows() {
        let uses = |role, asked| uses_within(role, asked).map_err(|e| e.to_string());
        assert_eq!(uses(Some(5), None), Ok(Some(5)));
        assert_eq!(uses(Some(5), Some(5)), Ok(Some(5)));
        assert_eq!(uses(None, Some(9)), Ok(Some(9)));
        assert_eq!(uses(None, Some(0)), Ok(None));
        for asked in [6, 0] {
            assert!(uses(Some(5), Some(asked)).is_err(), "{asked}");
        }
        assert_eq!(uses(None, Some(-1)), Err("num_uses cannot be negative".into()));

        let hour = Some(Seconds(3600));
        let ttl = |role, asked| ttl_within(role, asked).map_err(|e| e.to_string());
        assert_eq!((ttl(hour, None), ttl(hour, hour), ttl(None, hour)), (Ok(hour), Ok(hour), Ok(hour)));
        assert_eq!(ttl(None, Some(Seconds(0))), Ok(None));
        assert!(ttl(hour, Some(Seconds(3601))).is_err() && ttl(hour, Some(Seconds(0))).is_err());
    }
}
