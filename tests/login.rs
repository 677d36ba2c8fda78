//! What a login costs the disk: the store's own count of waits for it, on a real one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use bulla_core::ErrorKind;
use bulla_physical::{DiskOptions, Store};
use bulla_tests::{From, House, Told};
use bulla_types::Operation::{Read, Update};
use serde_json::{Value, json};
use tempfile::TempDir;

struct Story {
    house: House,
    store: Store,
    _folder: TempDir,
}

impl Story {
    /// `auth/up/` with ada and bob, `auth/ar/` with roles `service` and `batch`.
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("data"), DiskOptions::default()).unwrap();
        let story = Self { house: House::over(store.clone()).await, store, _folder: folder };
        story.root("sys/auth/up", json!({ "type": "userpass" })).await;
        story.root("sys/auth/ar", json!({ "type": "approle" })).await;
        for name in ["ada", "bob"] {
            let kind = if name == "bob" { "batch" } else { "service" };
            story.root(&format!("auth/up/users/{name}"), json!({ "password": "right", "token_type": kind })).await;
        }
        for kind in ["service", "batch"] {
            story.root(&format!("auth/ar/role/{kind}"), json!({ "token_type": kind })).await;
        }
        story
    }

    async fn root(&self, path: &str, body: Value) -> Value {
        Box::pin(self.house.root(Update, path, body)).await.ok()
    }

    async fn login(&self, mount: &str, body: Value) -> Told {
        // Large enough to be worth a place of its own.
        Box::pin(self.house.ask(&From::default(), Update, &format!("auth/{mount}"), body)).await
    }

    /// Waits for the disk, and batches, that `work` costs.
    async fn cost<T>(&self, work: impl Future<Output = T>) -> (u64, u64, T) {
        let before = self.store.stats();
        let done = work.await;
        let after = self.store.stats();
        (after.syncs - before.syncs, after.commits - before.commits, done)
    }

    async fn records(&self) -> usize {
        self.store.snapshot().unwrap().scan_keys(&[0], &[0xff], usize::MAX).await.unwrap().len()
    }

    async fn userpass(&self, name: &str, password: &str) -> (u64, u64, Told) {
        self.cost(self.login(&format!("up/login/{name}"), json!({ "password": password }))).await
    }

    /// What an AppRole login with these ids sends.
    async fn ids(&self, role: &str, of_secret: Value) -> Value {
        let path = format!("auth/ar/role/{role}/role-id");
        let role_id = Box::pin(self.house.root(Read, &path, json!({}))).await.ok();
        let secret = self.root(&format!("auth/ar/role/{role}/secret-id"), of_secret).await;
        json!({ "role_id": role_id["role_id"], "secret_id": secret["secret_id"] })
    }

    async fn approle(&self, ids: &Value) -> (u64, u64, Told) {
        self.cost(self.login("ar/login", ids.clone())).await
    }
}

/// Whether it let somebody in with a token of the kind.
fn got(told: &Told, prefix: &str) -> bool {
    told.token.as_deref().is_some_and(|token| token.starts_with(prefix))
}

#[tokio::test]
async fn a_login_waits_for_the_disk_once_whatever_it_writes() {
    let story = Story::new().await;
    for turn in ["makes the entity", "finds it", "finds it again"] {
        let (syncs, commits, told) = story.userpass("ada", "right").await;
        assert!(got(&told, "hvs."), "{}", told.body);
        assert_eq!((syncs, commits), (1, 1), "userpass, {turn}");
    }
    let ids = story.ids("service", json!({})).await;
    for turn in ["makes the entity", "finds it", "finds it again"] {
        let (syncs, commits, told) = story.approle(&ids).await;
        assert!(got(&told, "hvs."), "{}", told.body);
        assert_eq!((syncs, commits), (1, 1), "AppRole, {turn}");
    }
    // The use of the secret id is counted, and its last one removes it, in the same batch.
    let ids = story.ids("service", json!({ "num_uses": 2 })).await;
    for turn in ["a use", "the last use"] {
        let (syncs, commits, told) = story.approle(&ids).await;
        assert!(got(&told, "hvs."), "{}", told.body);
        assert_eq!((syncs, commits), (1, 1), "AppRole, {turn}");
    }
}

#[tokio::test]
async fn a_batch_token_waits_only_if_it_makes_somebody() {
    let story = Story::new().await;
    let (syncs, commits, told) = story.userpass("bob", "right").await;
    assert!(got(&told, "hvb."), "{}", told.body);
    assert_eq!((syncs, commits), (1, 1), "userpass, makes the entity");
    let (syncs, commits, told) = story.userpass("bob", "right").await;
    assert!(got(&told, "hvb."), "{}", told.body);
    assert_eq!((syncs, commits), (0, 0), "userpass, nothing to write");
    let ids = story.ids("batch", json!({})).await;
    assert_eq!(story.approle(&ids).await.0, 1, "AppRole, makes the entity");
    let (syncs, commits, told) = story.approle(&ids).await;
    assert!(got(&told, "hvb."), "{}", told.body);
    assert_eq!((syncs, commits), (0, 0), "AppRole, nothing to write");
    let counted = story.ids("batch", json!({ "num_uses": 2 })).await;
    assert_eq!(story.approle(&counted).await.0, 1, "AppRole, a use that is counted");
}

#[tokio::test]
async fn a_failed_login_waits_once_whether_there_is_such_a_name_or_not() {
    let story = Story::new().await;
    story.userpass("ada", "right").await;
    let (syncs, commits, told) = story.userpass("ada", "wrong").await;
    assert_eq!(told.refused, Some(ErrorKind::BadRequest), "{}", told.body);
    assert_eq!((syncs, commits), (1, 1), "userpass, counted for lockout");
    let (syncs, commits, told) = story.userpass("ada", "right").await;
    assert!(got(&told, "hvs."), "{}", told.body);
    assert_eq!((syncs, commits), (1, 1), "userpass, the count is cleared");
    // Strangers take as long, but what anybody can make up does not fill the store.
    story.userpass("nobody", "wrong").await;
    let records = story.records().await;
    for name in ["nobody", "noone"] {
        let (syncs, commits, told) = story.userpass(name, "wrong").await;
        assert!(told.refused.is_some());
        assert_eq!((syncs, commits), (1, 1), "userpass, {name}");
    }
    assert_eq!(story.records().await, records);
    let mut ids = story.ids("service", json!({})).await;
    ids["secret_id"] = "wrong".into();
    let (syncs, commits, told) = story.approle(&ids).await;
    assert!(told.refused.is_some());
    assert_eq!((syncs, commits), (1, 1), "AppRole, counted for lockout");
    // Locked out: refused before anything is looked at.
    for _ in 0..5 {
        story.userpass("ada", "wrong").await;
    }
    let (syncs, _, told) = story.userpass("ada", "right").await;
    assert!(told.refused.is_some());
    assert_eq!(syncs, 0, "a name that is locked out");
}
