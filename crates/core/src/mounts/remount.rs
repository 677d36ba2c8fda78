//! `sys/remount`: a mount gets another path. Its data lie under its own id, so that only the record changes, in one
//! batch: accessor, settings and data stay.

use super::names::check_name;
use super::routes::{collision, full_path};
use super::store::MountStore;
use crate::sys::{Effect, SysCtx};
use bulla_crypto::random;
use bulla_kit::{Answer, EngineError, Params, Reply, Route};
use bulla_records::MountClass;
use bulla_types::MountPath;
use serde_json::json;
use std::collections::VecDeque;

#[derive(Params)]
struct MoveParams {
    /// Where the mount is; auth methods with `auth/` in front.
    from: String,
    /// Where it is to be.
    to: String,
}

#[derive(Params)]
struct StatusParams {
    /// The id that moving answered with.
    #[param(path)]
    id: String,
}

/// A mount that has been moved.
#[derive(Clone, Debug)]
pub struct Move {
    id: String,
    from: String,
    to: String,
}

/// Moves whose status can be asked for; older ones are forgotten.
const KEPT: usize = 256;

#[derive(Default)]
pub struct Moves(VecDeque<Move>);

impl Moves {
    pub fn add(&mut self, moved: Move) {
        tracing::info!(migration_id = %moved.id, from = %moved.from, to = %moved.to, "a mount was moved");
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back(moved);
    }

    fn find(&self, id: &str) -> Option<Move> {
        self.0.iter().find(|moved| moved.id == id).cloned()
    }
}

pub fn routes() -> Vec<Route<SysCtx>> {
    vec![
        Route::sudo("remount")
            .help("Move a mount to another path.", "It is moved at once, with all its data.")
            .update(remount),
        Route::token("remount/status/{id:any}")
            .help("What became of a move.", "By the id that the move was answered with.")
            .read(status),
    ]
}

/// Places of the server's own: nothing leaves them, nothing comes there.
const OWN: [&str; 4] = ["sys/", "cubbyhole/", "identity/", "audit/"];

fn check_places(from: &MountPath, to: &MountPath) -> Result<(), EngineError> {
    let (from, to) = (from.as_str(), to.as_str());
    if from == "auth/token/" || OWN.contains(&from) {
        return Err(EngineError::bad(format!("cannot remount {from:?}")));
    }
    let moves_auth = from.starts_with("auth/");
    if moves_auth && !to.starts_with("auth/") {
        return Err(EngineError::bad(format!("cannot remount auth mount to non-auth mount {to:?}")));
    }
    let reserved = OWN.iter().any(|own| to.starts_with(own)) || to == "auth/" || to.starts_with("auth/token/");
    if reserved || (!moves_auth && to.starts_with("auth/")) {
        return Err(EngineError::bad(format!("cannot remount to destination {to}")));
    }
    Ok(())
}

async fn remount(ctx: SysCtx, params: MoveParams) -> Answer {
    let trimmed = |text: &str| text.trim_matches('/').to_owned();
    let (from, to) = (trimmed(&params.from), trimmed(&params.to));
    if from.is_empty() || to.is_empty() {
        return Err(EngineError::bad("both 'from' and 'to' path must be specified as a string"));
    }
    let (from, to) = (full_path(&from, MountClass::Secret)?, full_path(&to, MountClass::Secret)?);
    check_name(&to)?;
    check_places(&from, &to)?;
    let store = MountStore::new(ctx.txn(), ctx.ctx.request.namespace);
    let Some(mut record) = store.at(from.as_str()).await? else {
        return Err(EngineError::bad(format!("no matching mount at {:?}", from.as_str())));
    };
    if let Some(other) = collision(&store.all().await?, &to) {
        return Err(EngineError::bad(format!("path already in use at {:?}", other.path.as_str())));
    }
    let id = random::uuid().map_err(|_| EngineError::internal("no randomness could be had from the system"))?;
    let moved = Move { id: id.clone(), from: from.as_str().to_owned(), to: to.as_str().to_owned() };
    record.path = to;
    store.put(&record)?;
    ctx.after_commit(Effect::MountsChanged);
    ctx.after_commit(Effect::MountMoved(moved));
    let warning = "The mount has been moved; the server's log tells of it under the returned migration_id.";
    Ok(Reply::json(&json!({ "migration_id": id }))?.at_top_too().warn(warning))
}

async fn status(ctx: SysCtx, params: StatusParams) -> Answer {
    let Some(moved) = ctx.pass.owner().moves.lock().find(&params.id) else { return Ok(Reply::none()) };
    let info = json!({ "source_mount": moved.from, "target_mount": moved.to, "status": "success" });
    Reply::json(&json!({ "migration_id": moved.id, "migration_info": info }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::CoreConfig;
    use crate::testing::Server;

    fn check(from: &str, to: &str) -> Option<String> {
        let path = |text| MountPath::parse(text).unwrap();
        check_places(&path(from), &path(to)).err().map(|error| error.to_string())
    }

    #[test]
    fn own_places_stay_and_kinds_do_not_mix() {
        assert_eq!(check("a/", "b/c/"), None);
        assert_eq!(check("auth/a/", "auth/b/"), None);
        assert_eq!(check("sys/", "b/").unwrap(), "cannot remount \"sys/\"");
        assert_eq!(check("auth/token/", "auth/b/").unwrap(), "cannot remount \"auth/token/\"");
        assert_eq!(check("a/", "auth/b/").unwrap(), "cannot remount to destination auth/b/");
        assert_eq!(check("a/", "identity/x/").unwrap(), "cannot remount to destination identity/x/");
        assert_eq!(check("auth/a/", "auth/token/x/").unwrap(), "cannot remount to destination auth/token/x/");
        assert_eq!(check("auth/a/", "b/").unwrap(), "cannot remount auth mount to non-auth mount \"b/\"");
    }

    #[tokio::test]
    async fn data_and_identity_move_along() {
        let server = Server::start(1, 1, CoreConfig::default()).await;
        for path in ["sys/mounts/a", "sys/mounts/taken"] {
            server.write(path, json!({ "type": "box" })).await.ok();
        }
        server.write("a/x", json!({ "text": "kept" })).await.ok();
        let before = server.read("sys/mounts/a").await.ok();
        for (to, error) in [("taken", "path already in use at \"taken/\""), ("a/b", "path already in use at \"a/\"")] {
            assert_eq!(server.write("sys/remount", json!({ "from": "a", "to": to })).await.error(), error);
        }
        assert_eq!(server.read("a/x").await.ok()["text"], "kept");
        let moved = server.write("sys/remount", json!({ "from": "/a/", "to": "b/c" })).await;
        let status = server.read(&format!("sys/remount/status/{}", moved.text("migration_id"))).await.ok();
        assert_eq!(status["migration_info"]["target_mount"], "b/c/");
        assert_eq!(server.read("b/c/x").await.ok()["text"], "kept");
        assert_eq!(server.read("sys/mounts/b/c").await.ok(), before);
        assert!(server.read("a/x").await.refused.is_some());
    }

    #[test]
    fn old_moves_are_forgotten() {
        let mut moves = Moves::default();
        for id in 0..=KEPT {
            moves.add(Move { id: id.to_string(), from: "a/".into(), to: "b/".into() });
        }
        assert!(moves.find("0").is_none() && moves.find("1").is_some() && moves.find(&KEPT.to_string()).is_some());
    }
}
