//! A secrets engine that hands out leased secrets, and an auth method that lets everybody in, for tests of leases.
//!
//! What the engine hands out lies in a [`World`] outside of the server, as accounts of a database would; the test says
//! how the world behaves when the engine wants a secret back.

use bulla_kit::{
    Answer, BoxFuture, Ctx, Engine, EngineError, EngineKind, LeaseIntent, LoginIntent, MountSettings, NoParams, Page,
    Params, RawJson, Reply, RevokeReason, Route, Routes, SecretLease, TokenLimits,
};
use bulla_types::{PolicyName, Seconds};
use indexmap::IndexMap;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How the world answers the engine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Behaviour {
    #[default]
    Works,
    /// Every call is refused, as a client's mistake would be.
    Refuses,
    /// The engine writes, then fails.
    FailsHalfWay,
    /// No answer.
    Hangs,
    /// The engine meets a fault.
    Faults,
}

#[derive(Default)]
struct Inside {
    behaviour: Behaviour,
    accounts: BTreeSet<String>,
    asked: Vec<(String, RevokeReason)>,
}

/// What is outside of the server.
#[derive(Default)]
pub struct World(Mutex<Inside>);

static WORLDS: Mutex<BTreeMap<String, Arc<World>>> = Mutex::new(BTreeMap::new());

impl World {
    /// The world that mounts with the option `world` of this name live in.
    pub fn named(name: &str) -> Arc<Self> {
        Arc::clone(WORLDS.lock().entry(name.to_owned()).or_default())
    }

    pub fn behave(&self, behaviour: Behaviour) {
        self.0.lock().behaviour = behaviour;
    }

    /// Accounts that work.
    pub fn accounts(&self) -> usize {
        self.0.lock().accounts.len()
    }

    pub fn works(&self, account: &str) -> bool {
        self.0.lock().accounts.contains(account)
    }

    /// How often the engine wanted something back.
    pub fn asked(&self) -> usize {
        self.0.lock().asked.len()
    }

    /// Why accounts were wanted back, in order.
    pub fn reasons(&self) -> Vec<RevokeReason> {
        self.0.lock().asked.iter().map(|(_, why)| *why).collect()
    }
}

struct Vending {
    world: Arc<World>,
    routes: Routes<Ctx>,
}

#[derive(Params)]
struct AskParams {
    /// Which kind of account.
    #[param(path)]
    name: String,
    /// How long it is to live.
    ttl: Option<Seconds>,
    /// How long it may live at most.
    max_ttl: Option<Seconds>,
    /// Whether it can be renewed.
    #[param(default = true)]
    renewable: bool,
}

/// What the engine keeps with a lease.
#[derive(Serialize, Deserialize)]
struct Kept {
    account: String,
}

/// The factory of the engine; the option `world` names its [`World`].
///
/// # Errors
/// Never.
pub fn vending(settings: &MountSettings) -> Result<Arc<dyn Engine>, String> {
    let world = World::named(settings.options.get("world").map_or("", String::as_str));
    let for_routes = Arc::clone(&world);
    let for_open = Arc::clone(&world);
    let routes = Routes::new(vec![
        Route::token("creds/{name:any}")
            .help("A leased account.", "")
            .read(move |ctx, params| hand_out(ctx, params, Arc::clone(&for_routes))),
        Route::token("accounts").help("The accounts that the engine keeps in its store.", "").list(kept),
        Route::public("open/{name:any}")
            .help("A leased account for anybody, which must not be.", "")
            .read(move |ctx, params| hand_out(ctx, params, Arc::clone(&for_open))),
    ]);
    Ok(Arc::new(Vending { world, routes }))
}

async fn hand_out(ctx: Ctx, params: AskParams, world: Arc<World>) -> Answer {
    let account = format!("{}-{}", params.name, hex::encode(ctx.random::<8>()?));
    world.0.lock().accounts.insert(account.clone());
    ctx.view.put(&format!("accounts/{account}"), Vec::new())?;
    let internal = RawJson::of(&Kept { account: account.clone() }).map_err(|e| EngineError::internal(e.to_string()))?;
    let lease = LeaseIntent {
        kind: "account",
        internal,
        ttl: params.ttl,
        max_ttl: params.max_ttl,
        renewable: params.renewable,
    };
    Ok(Reply::json(&json!({ "account": account }))?.leased(lease))
}

async fn kept(ctx: Ctx, _: NoParams) -> Answer {
    Reply::keys(&ctx.view.list("accounts", &Page::default()).await?)
}

impl Vending {
    async fn behave(&self) -> Result<(), EngineError> {
        let behaviour = self.world.0.lock().behaviour.clone();
        match behaviour {
            Behaviour::Works => Ok(()),
            Behaviour::Refuses => Err(EngineError::bad("the world refuses")),
            Behaviour::FailsHalfWay => Err(EngineError::internal("the world broke off")),
            Behaviour::Hangs => std::future::pending().await,
            Behaviour::Faults => panic!("a fault in an engine, on purpose"),
        }
    }
}

impl Engine for Vending {
    fn kind(&self) -> EngineKind {
        EngineKind::Secrets
    }

    fn routes(&self) -> &Routes<Ctx> {
        &self.routes
    }

    fn help(&self) -> &'static str {
        "Leased accounts."
    }

    fn renew<'a>(&'a self, _: &'a Ctx, lease: &'a SecretLease) -> BoxFuture<'a, Result<Seconds, EngineError>> {
        Box::pin(async move {
            self.behave().await?;
            Ok(lease.increment.unwrap_or(lease.ttl))
        })
    }

    fn revoke<'a>(
        &'a self,
        ctx: &'a Ctx,
        lease: &'a SecretLease,
        why: RevokeReason,
    ) -> BoxFuture<'a, Result<(), EngineError>> {
        Box::pin(async move {
            let kept: Kept = serde_json::from_str(lease.internal.get()).map_err(|_| EngineError::damaged("lease"))?;
            self.world.0.lock().asked.push((kept.account.clone(), why));
            ctx.view.delete(&format!("accounts/{}", kept.account))?;
            self.behave().await?;
            self.world.0.lock().accounts.remove(&kept.account);
            Ok(())
        })
    }
}

struct Door(Routes<Ctx>);

#[derive(Params)]
struct LoginParams {
    /// Who comes in.
    #[param(path)]
    name: String,
    /// How long the token lives.
    ttl: Option<Seconds>,
    /// Policies of the token.
    policies: Option<Vec<String>>,
}

/// The factory of an auth method that lets everybody in.
///
/// # Errors
/// Never.
pub fn open_door(_: &MountSettings) -> Result<Arc<dyn Engine>, String> {
    let login = Route::public("login/{name:any}").help("Come in.", "").update(let_in);
    Ok(Arc::new(Door(Routes::new(vec![login]))))
}

async fn let_in(_: Ctx, params: LoginParams) -> Answer {
    let policies = params.policies.unwrap_or_default();
    let parse = |name: &String| PolicyName::parse(name).map_err(|e| EngineError::bad(e.to_string()));
    Ok(Reply::login(LoginIntent {
        display_name: params.name,
        policies: policies.iter().map(parse).collect::<Result<_, _>>()?,
        metadata: IndexMap::new(),
        alias: None,
        group_aliases: Vec::new(),
        limits: TokenLimits { ttl: params.ttl, ..TokenLimits::default() },
        renewable: true,
        internal: None,
    }))
}

impl Engine for Door {
    fn kind(&self) -> EngineKind {
        EngineKind::Auth
    }

    fn routes(&self) -> &Routes<Ctx> {
        &self.0
    }

    fn help(&self) -> &'static str {
        "Lets everybody in."
    }
}
