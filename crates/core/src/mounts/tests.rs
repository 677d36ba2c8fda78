//! Mounts that change while requests are under way, and setups that take longer than a batch.
#![allow(clippy::unwrap_used, reason = "tests")]

use crate::config::Workers;
use crate::testing::Server;
use crate::{CoreConfig, ErrorKind};
use bulla_kit::{
    Answer, BoxFuture, Ctx, Engine, EngineError, EngineKind, MountSettings, NoParams, Reply, Route, Routes, Setup, View,
};
use bulla_types::{Operation, Time};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

static ARRIVED: Semaphore = Semaphore::const_new(0);
static MAY_GO: Semaphore = Semaphore::const_new(0);

/// A write waits in the handler until it is let go. The setup takes as many batches as the option `batches` says.
struct Slow(Routes<Ctx>, bool);

impl Slow {
    fn new(unlucky: bool) -> Self {
        Self(Routes::new(vec![Route::token("x").read(Self::read).update(Self::write)]), unlucky)
    }

    async fn read(_: Ctx, _: NoParams) -> Answer {
        Ok(Reply::empty())
    }

    async fn write(ctx: Ctx, _: NoParams) -> Answer {
        ctx.view.put("x", b"written".to_vec())?;
        ARRIVED.add_permits(1);
        MAY_GO.acquire().await.unwrap().forget();
        Ok(Reply::none())
    }
}

impl Engine for Slow {
    fn kind(&self) -> EngineKind {
        EngineKind::Secrets
    }

    fn routes(&self) -> &Routes<Ctx> {
        &self.0
    }

    fn help(&self) -> &'static str {
        "Takes its time."
    }

    fn setup<'a>(
        &'a self,
        view: &'a View,
        settings: &'a MountSettings,
        _: Time,
    ) -> BoxFuture<'a, Result<Setup, EngineError>> {
        Box::pin(async move {
            let Some(batches) = settings.options.get("batches") else { return Ok(Setup::Done) };
            view.put("left", batches.clone().into_bytes())?;
            Ok(Setup::Unfinished)
        })
    }

    fn go_on_setup<'a>(&'a self, view: &'a View, _: Time) -> BoxFuture<'a, Result<Setup, EngineError>> {
        Box::pin(async move {
            if self.1 {
                return Err(EngineError::internal("no luck"));
            }
            let left: u32 = String::from_utf8(view.get("left").await?.unwrap()).unwrap().parse().unwrap();
            view.put("left", (left - 1).to_string().into_bytes())?;
            Ok(if left == 1 { Setup::Done } else { Setup::Unfinished })
        })
    }

    fn tend<'a>(&'a self, view: &'a View, _: Time) -> BoxFuture<'a, Result<bool, EngineError>> {
        Box::pin(async move {
            view.put("tended", Vec::new())?;
            if self.1 { Err(EngineError::internal("no luck")) } else { Ok(false) }
        })
    }
}

async fn server() -> Arc<Server> {
    server_with(CoreConfig::default()).await
}

async fn server_with(config: CoreConfig) -> Arc<Server> {
    let server = Server::start_with(config, |registry| {
        let slow = |settings: &MountSettings| -> Result<Arc<dyn Engine>, String> {
            Ok(Arc::new(Slow::new(settings.options.contains_key("unlucky"))))
        };
        ["slow", "kv", "generic"].into_iter().fold(registry, |all, kind| all.with(EngineKind::Secrets, kind, slow))
    });
    Arc::new(server.await)
}

/// The mount has gone while the handler was at work: nothing is written to what is no longer there, and the client is
/// not told that it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_write_is_acknowledged_that_its_mount_did_not_live_to_see() {
    let server = server().await;
    server.write("sys/mounts/slow", json!({ "type": "slow" })).await.ok();
    let writer = Arc::clone(&server);
    let write = tokio::spawn(async move { writer.write("slow/x", json!({})).await });
    ARRIVED.acquire().await.unwrap().forget();
    server.call(Operation::Delete, "sys/mounts/slow", json!({})).await.ok();
    MAY_GO.add_permits(1);
    assert_eq!(write.await.unwrap().refused, Some(ErrorKind::NotFound));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_setup_goes_on_in_the_background_and_after_a_restart() {
    let server = server_with(CoreConfig { workers: Workers::Stopped, ..CoreConfig::default() }).await;
    let mut background = crate::Background::default();
    server.write("sys/mounts/slow", json!({ "type": "slow", "options": { "batches": "5" } })).await.ok();
    server.core.work_once(&mut background).await.unwrap();
    server.core.seal(Duration::from_secs(1), 0).await;
    server.unseal(&server.shares[..1]).await.unwrap();
    let told = server.read("slow/x").await;
    assert!(told.error().starts_with("Upgrading"), "{}", told.error());
    while server.core.work_once(&mut background).await.unwrap() {}
    server.read("slow/x").await.ok();
    let pass = server.core.gate.pass().unwrap();
    let txn = bulla_barrier::Txn::begin(&pass).unwrap();
    let scope = pass.owner().state.load().mounts.at("slow/").unwrap().record.uuid;
    assert_eq!(View::new(&txn, scope).get("left").await.unwrap(), Some(b"0".to_vec()), "no batch more, none less");
}

/// Every mount gets its turn, whatever their number, and one that fails keeps none from it.
#[tokio::test]
async fn all_mounts_are_tended() {
    let server = server().await;
    for n in 0..70 {
        let options = if n == 5 { json!({ "unlucky": "" }) } else { json!({}) };
        server.write(&format!("sys/mounts/m{n}"), json!({ "type": "slow", "options": options })).await.ok();
    }
    server.core.gate.pass().unwrap().owner().workers.cancel();
    let mut background = crate::Background::default();
    for _ in 0..3 {
        server.core.work_once(&mut background).await.unwrap();
    }
    let pass = server.core.gate.pass().unwrap();
    let txn = bulla_barrier::Txn::begin(&pass).unwrap();
    for mount in pass.owner().state.load().mounts.iter().filter(|m| m.record.kind == "slow") {
        let tended = View::new(&txn, mount.record.uuid).get("tended").await.unwrap();
        assert_eq!(tended.is_some(), mount.record.path.as_str() != "m5/", "{}", mount.record.path);
    }
}

/// Back in the first version nobody reads what the second one keeps, and an upgrade that follows would write over it.
#[tokio::test]
async fn nothing_leads_back_from_the_second_version() {
    let server = server().await;
    for kind in ["kv", "generic"] {
        let (mount, tune) = (format!("sys/mounts/{kind}"), format!("sys/mounts/{kind}/tune"));
        server.write(&mount, json!({ "type": kind })).await.ok();
        for version in ["", "1", "2", "2"] {
            server.write(&tune, json!({ "options": { "version": version } })).await.ok();
        }
        for version in [json!("1"), json!(1), json!("")] {
            let told = server.write(&tune, json!({ "options": { "version": version } })).await;
            assert_eq!(told.error(), "cannot downgrade mount from version 2", "{kind} {version}");
        }
        for version in [json!("3"), json!(null), json!(" 1"), json!("01")] {
            let told = server.write(&tune, json!({ "options": { "version": version } })).await;
            assert_eq!(told.refused, Some(ErrorKind::BadRequest), "{kind} {version}");
        }
        assert_eq!(server.read(&mount).await.ok()["options"], json!({ "version": "2" }));
    }
}

/// Counts look at a page of keys at a time; just at, just over and far over one page.
#[tokio::test]
async fn counting_is_right_beyond_a_page() {
    let server = server().await;
    let pass = server.core.gate.pass().unwrap();
    let mut counted = 0;
    for more in [511, 1, 1, 2_000] {
        let txn = bulla_barrier::Txn::begin(&pass).unwrap();
        let view = View::new(&txn, bulla_types::ScopeId([7; 16]));
        for n in counted..counted + more {
            view.plain_put(format!("e{n:08}").as_bytes(), Vec::new());
        }
        view.plain_put(b"f", Vec::new());
        txn.commit(()).await.unwrap();
        counted += more;
        let txn = bulla_barrier::Txn::begin(&pass).unwrap();
        assert_eq!(View::new(&txn, bulla_types::ScopeId([7; 16])).plain_count(b"e").await.unwrap(), counted);
    }
}

#[tokio::test]
async fn a_mount_that_cannot_be_set_up_holds_up_no_other() {
    let server = server().await;
    server.core.gate.pass().unwrap().owner().workers.cancel();
    for (name, options) in [("a", json!({ "batches": "2", "unlucky": "" })), ("b", json!({ "batches": "2" }))] {
        server.write(&format!("sys/mounts/{name}"), json!({ "type": "slow", "options": options })).await.ok();
    }
    let mut background = crate::Background::default();
    for _ in 0..2 {
        server.core.work_once(&mut background).await.unwrap_err();
    }
    server.read("b/x").await.ok();
    assert!(server.read("a/x").await.error().starts_with("Upgrading"));
}

/// It was taken without a word, and from then on no setting of the mount could be changed, whatever it was.
#[tokio::test]
async fn no_mount_begins_with_a_default_beyond_the_systems_maximum() {
    let server = server().await;
    let most = server.core.config.max_ttl.0;
    let enable = async |name: &str, config: serde_json::Value| {
        server.write(&format!("sys/mounts/{name}"), json!({ "type": "box", "config": config })).await
    };
    let told = enable("a", json!({ "default_lease_ttl": format!("{}s", most + 1) })).await;
    assert_eq!(told.error(), format!("given default lease TTL greater than system max lease TTL of {most}"));
    // With a maximum of its own it may live longer.
    enable("b", json!({ "default_lease_ttl": format!("{}s", most + 1), "max_lease_ttl": format!("{}s", most + 1) }))
        .await
        .ok();
    enable("c", json!({ "default_lease_ttl": format!("{most}s") })).await.ok();
    for name in ["b", "c"] {
        server.write(&format!("sys/mounts/{name}/tune"), json!({ "description": "changed" })).await.ok();
    }
}
