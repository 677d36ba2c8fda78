//! `sys/mounts/…` and `sys/auth/…`: one set of handlers for secrets engines and auth methods.

use super::names::{check_name, check_place};
use super::settings::{Settings, for_new, tune};
use super::show::{describe, short_path, tuning};
use super::store::{MountStore, new_mount, open_engine, settings};
use crate::lease;
use crate::policy::check_with_and_without_slash;
use crate::sys::{Effect, SysCtx};
use bulla_barrier::View;
use bulla_kit::{Answer, EngineError, Input, KeyValues, NoParams, Params, RawJson, Reply, Route, Setup};
use bulla_records::{MountClass, MountRecord};
use bulla_types::MountPath;
use indexmap::IndexMap;
use serde_json::{Map, Value};

#[derive(Params)]
struct PathParams {
    /// Where it is mounted.
    #[param(path)]
    path: String,
}

#[derive(Params)]
struct EnableParams {
    /// Where to mount it.
    #[param(path)]
    path: String,
    /// Which engine or method.
    #[param(name = "type")]
    kind: Option<String>,
    /// What it is for.
    description: String,
    /// Lease times, header lists, visibility.
    config: Option<RawJson>,
    /// Options of the engine itself, such as `version`.
    options: Option<KeyValues>,
    /// Kept out of replication.
    local: bool,
    /// Asks for the seal's own encryption besides.
    seal_wrap: bool,
    /// Asks for the seal's randomness besides.
    external_entropy_access: bool,
    /// The older place of the plugin's name.
    plugin_name: Option<String>,
}

/// What the routes of secrets engines and those of auth methods differ in.
struct Place {
    class: MountClass,
    /// Who may come near one mount; the list of all is open to every token whose policy grants it.
    guarded: fn(&'static str) -> Route<SysCtx>,
    all: (&'static str, [&'static str; 2]),
    one: (&'static str, [&'static str; 2]),
    tune: (&'static str, [&'static str; 2]),
}

const PLACES: [Place; 2] = [
    Place {
        class: MountClass::Secret,
        guarded: Route::token,
        all: ("mounts", ["List the secrets engines.", "By path, with kind, accessor and settings of each."]),
        one: (
            "mounts/{path..}",
            ["Enable, read or disable a secrets engine.", "Disabling it revokes its leases and erases all its data."],
        ),
        tune: (
            "mounts/{path..}/tune",
            [
                "Read or change the settings of a mount.",
                "Times to live, description, visibility and more. What is not sent stays as it is.",
            ],
        ),
    },
    Place {
        class: MountClass::Auth,
        guarded: Route::sudo,
        all: ("auth", ["List the auth methods.", "By path, with kind, accessor and settings of each."]),
        one: (
            "auth/{path..}",
            [
                "Enable, read or disable an auth method.",
                "Disabling it revokes the tokens it gave and erases all its data.",
            ],
        ),
        tune: (
            "auth/{path..}/tune",
            [
                "Read or change the settings of an auth method.",
                "Times to live, kind of token, lockout and more. What is not sent stays.",
            ],
        ),
    },
];

pub fn routes() -> Vec<Route<SysCtx>> {
    let mut routes: Vec<_> = PLACES.iter().flat_map(at_place).collect();
    routes.extend(super::remount::routes());
    routes
}

fn at_place(place: &Place) -> [Route<SysCtx>; 3] {
    let &Place { class, guarded, all, one, tune } = place;
    [
        guarded(tune.0)
            .help(tune.1[0], tune.1[1])
            .read(move |c, p| read_tuning(c, p, class))
            .update(move |c, p| write_tuning(c, p, class)),
        guarded(one.0)
            .help(one.1[0], one.1[1])
            .read(move |c, p| read(c, p, class))
            .update(move |c, p| enable(c, p, class))
            .delete(move |c, p| disable(c, p, class)),
        Route::token(all.0).help(all.1[0], all.1[1]).read(move |c, p| list(c, p, class)),
    ]
}

/// The complete path of a mount: auth methods lie below `auth/`. `sys/mounts/auth/x` names an auth method too.
pub(super) fn full_path(text: &str, class: MountClass) -> Result<MountPath, EngineError> {
    let text = text.trim_end_matches('/');
    let full = if class == MountClass::Auth { format!("auth/{text}") } else { text.to_owned() };
    MountPath::parse(&full).map_err(|e| EngineError::bad(e.to_string()))
}

async fn list(ctx: SysCtx, _: NoParams, class: MountClass) -> Answer {
    let mut all: Map<String, Value> = Map::new();
    for mount in ctx.state.mounts.iter().filter(|m| m.record.class == class) {
        all.insert(short_path(&mount.record).to_owned(), Value::Object(describe(&mount.record, &ctx.core)));
    }
    Ok(Reply::json(&all)?.at_top_too())
}

async fn read(ctx: SysCtx, params: PathParams, class: MountClass) -> Answer {
    check_with_and_without_slash(&ctx)?;
    let path = full_path(&params.path, class)?;
    match ctx.state.mounts.at(path.as_str()) {
        Some(mount) if mount.record.class == class => {
            Ok(Reply::json(&describe(&mount.record, &ctx.core))?.at_top_too())
        }
        _ => {
            let what = if class == MountClass::Auth { "auth engine" } else { "secret engine mount" };
            Err(EngineError::bad(format!("No {what} at {}", shown(&path, class))))
        }
    }
}

fn shown(path: &MountPath, class: MountClass) -> &str {
    let text = path.as_str();
    if class == MountClass::Auth { text.strip_prefix("auth/").unwrap_or(text) } else { text }
}

async fn read_tuning(ctx: SysCtx, params: PathParams, class: MountClass) -> Answer {
    let path = full_path(&params.path, class)?;
    let Some(mount) = ctx.state.mounts.at(path.as_str()) else {
        return Err(EngineError::bad(format!("cannot fetch sysview for path {:?}", path.as_str())));
    };
    Ok(Reply::json(&tuning(&mount.record, &ctx.core.config))?.at_top_too())
}

async fn write_tuning(ctx: SysCtx, input: Input, class: MountClass) -> Answer {
    let path = full_path(input.captures.get("path").unwrap_or_default(), class)?;
    let store = MountStore::new(ctx.txn(), ctx.ctx.request.namespace);
    let Some(mut record) = store.at(path.as_str()).await? else {
        return Err(EngineError::bad(format!("tune of path {:?} failed: no mount entry found", path.as_str())));
    };
    let given = Settings(input.body.iter().map(|(name, value)| (name.to_owned(), value.clone())).collect());
    tune(&given, &mut record, &ctx.core.config)?;
    let before = record.options.clone();
    if let Some(raw) = given.0.get("options") {
        change_options(&ctx, &mut record, raw).await?;
    }
    store.put(&record)?;
    ctx.after_commit(Effect::MountsChanged);
    // Changed options are answered with an envelope, as the reference does where an engine had work to do.
    let reply = if record.options == before { Reply::none() } else { Reply::empty() };
    let is_second = |options: &Option<IndexMap<String, String>>| {
        options.as_ref().and_then(|o| o.get("version")).is_some_and(|version| version == "2")
    };
    if record.kind == "kv" && !is_second(&before) && is_second(&record.options) {
        return Ok(reply.warn("The mount was upgraded from version 1 to version 2: its paths have changed."));
    }
    Ok(reply)
}

/// New options are merged into the old; the engine is set up with them in the same transaction.
async fn change_options(ctx: &SysCtx, record: &mut MountRecord, raw: &RawJson) -> Result<(), EngineError> {
    let given: IndexMap<String, Value> = serde_json::from_str(raw.get()).unwrap_or_default();
    let mut options = record.options.clone().unwrap_or_default();
    for (name, value) in given {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        if name == "version" && matches!(record.kind.as_str(), "kv" | "generic") {
            if !matches!(text.as_str(), "" | "1" | "2") {
                return Err(EngineError::bad(format!("invalid version provided: {text}")));
            }
            // No version is the first one.
            if options.get("version").is_some_and(|v| v == "2") && text != "2" {
                return Err(EngineError::bad("cannot downgrade mount from version 2"));
            }
        }
        options.insert(name, text);
    }
    record.options = Some(options);
    set_up(ctx, record).await
}

async fn set_up(ctx: &SysCtx, record: &mut MountRecord) -> Result<(), EngineError> {
    let engine = open_engine(&ctx.core.registry, record).map_err(EngineError::BadRequest)?;
    let view = View::new(ctx.txn(), record.uuid);
    let setup = engine.setup(&view, &settings(record.options.clone()), ctx.now()).await?;
    record.unfinished = setup == Setup::Unfinished;
    Ok(())
}

async fn enable(ctx: SysCtx, params: EnableParams, class: MountClass) -> Answer {
    check_with_and_without_slash(&ctx)?;
    let path = full_path(&params.path, class)?;
    let mut kind = params.kind.clone().unwrap_or_default();
    if kind == "plugin" {
        kind = params.plugin_name.clone().unwrap_or_default();
    }
    if kind.is_empty() {
        return Err(EngineError::bad("backend type must be specified as a string"));
    }
    let given = Settings::of_object(params.config.as_ref());
    let config = for_new(&given, class, &ctx.core.config)?;
    check_name(&path)?;
    check_place(&path, &kind, class)?;
    let store = MountStore::new(ctx.txn(), ctx.ctx.request.namespace);
    let all = store.all().await?;
    if let Some(other) = collision(&all, &path) {
        return Err(EngineError::bad(format!("path is already in use at {}", short_path(&other))));
    }
    let mut options = params.options.map(|o| o.0).unwrap_or_default();
    match kind.as_str() {
        "kv-v1" => drop(options.insert("version".into(), "1".into())),
        "kv-v2" => drop(options.insert("version".into(), "2".into())),
        _ => {}
    }
    let kind = if kind.starts_with("kv-v") { "kv".to_owned() } else { kind };
    let mut fresh = new_mount(class, path.clone(), &kind)?;
    // Leases, tokens and aliases know their mount by its accessor.
    while all.iter().any(|other| other.accessor == fresh.accessor) {
        fresh = new_mount(class, path.clone(), &kind)?;
    }
    let mut record = MountRecord {
        description: params.description,
        local: params.local,
        seal_wrap: params.seal_wrap,
        external_entropy_access: params.external_entropy_access,
        options: Some(options),
        config,
        ..fresh
    };
    set_up(&ctx, &mut record).await?;
    store.put(&record)?;
    ctx.after_commit(Effect::MountsChanged);
    Ok(Reply::none())
}

/// A mount at, above or below `path`. One that is being disabled is in nobody's way.
pub(super) fn collision(all: &[MountRecord], path: &MountPath) -> Option<MountRecord> {
    let path = path.as_str();
    let mut there = all.iter().filter(|r| !r.going);
    there.find(|r| r.path.as_str().starts_with(path) || path.starts_with(r.path.as_str())).cloned()
}

async fn disable(ctx: SysCtx, params: PathParams, class: MountClass) -> Answer {
    check_with_and_without_slash(&ctx)?;
    let path = full_path(&params.path, class)?;
    match (class, path.as_str()) {
        (MountClass::Auth, "auth/token/") => {
            return Err(EngineError::bad("token credential backend cannot be disabled"));
        }
        (MountClass::Secret, text @ ("sys/" | "cubbyhole/" | "identity/")) => {
            return Err(EngineError::bad(format!("cannot unmount {text:?}")));
        }
        _ => {}
    }
    let store = MountStore::new(ctx.txn(), ctx.ctx.request.namespace);
    let Some(mut record) = store.at(path.as_str()).await?.filter(|r| r.class == class) else {
        return Ok(Reply::none());
    };
    // What does not fit into one batch is finished by the workers, also after a restart: the record stays, marked. So it
    // does while engines have secrets to take back, for which they need their data; and tokens are refused from now on
    // because their mount is gone.
    if !lease::has_any(ctx.txn(), &record.accessor).await? && clear(&ctx, &record).await? {
        store.delete(record.uuid)?;
    } else {
        record.going = true;
        store.put(&record)?;
    }
    ctx.after_commit(Effect::MountsChanged);
    Ok(Reply::none())
}

/// Records deleted in one batch.
const CLEAR: usize = 20_000;

async fn clear(ctx: &SysCtx, record: &MountRecord) -> Result<bool, EngineError> {
    let view = View::new(ctx.txn(), record.uuid);
    Ok(view.clear(CLEAR).await? && view.plain_clear(CLEAR).await?)
}
