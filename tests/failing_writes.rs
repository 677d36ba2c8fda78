//! Every operation that writes meets a device that fails at each of its writes, in each way. After a restart the store
//! shows the state from before the operation or the state after it, and never anything between; an operation that was
//! answered well is there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "tests")]

use bulla_core::{Answer, Core, CoreConfig, Outcome, Redact, Registry, Request, Workers};
use bulla_kit::{Body, BodyLimits, Engine, EngineKind, MountSettings};
use bulla_physical::failing::{Device, Failure};
use bulla_secret::SecretText;
use bulla_testkit::{TestClock, vending};
use bulla_types::{Operation, RequestPath};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A server in this process over a device that can fail.
struct House {
    core: Arc<Core>,
    device: Device,
    clock: Arc<TestClock>,
    share: String,
    root: String,
}

/// One request: what, where, with which body.
type Call = (Operation, &'static str, Value);

/// What a user did before, and the operation that meets the failure.
struct Case {
    name: &'static str,
    before: Vec<Call>,
    call: Call,
}

/// Stands for the last segment of the first lease.
const LEASE: &str = "{lease}";
const LEASES: &str = "sys/leases/lookup/db/creds/r";
const LEASE_RENEW: &str = "sys/leases/renew/db/creds/r/{lease}";
const LEASE_REVOKE: &str = "sys/leases/revoke/db/creds/r/{lease}";

const ROLE: &str = "auth/approle/role/r";
/// Stand for ids that the server has drawn.
const ENTITY_A: &str = "{entity a}";
const ENTITY_B: &str = "{entity b}";
const ACCESSOR: &str = "{accessor}";

const WAYS: [Failure; 4] = [Failure::Before, Failure::After, Failure::Torn, Failure::Full];

fn cases() -> Vec<Case> {
    use Operation::{Delete, Update};
    let case = |name, before: &[&Call], call: &Call| Case {
        name,
        before: before.iter().map(|c| (*c).clone()).collect(),
        call: call.clone(),
    };
    let v1 = (Update, "sys/mounts/kv1", json!({ "type": "kv" }));
    let v2 = (Update, "sys/mounts/kv2", json!({ "type": "kv", "options": { "version": "2" } }));
    let first = (Update, "kv2/data/s", json!({ "data": { "k": "first" } }));
    let second = (Update, "kv2/data/s", json!({ "data": { "k": "second" } }));
    let one_version = (Update, "kv2/metadata/s", json!({ "max_versions": 1, "custom_metadata": { "a": "b" } }));
    let plain = (Update, "kv1/s", json!({ "k": "v" }));
    let delete = (Delete, "kv2/data/s", json!({}));
    let policy = (Update, "sys/policies/acl/p", json!({ "policy": "path \"kv1/*\" { capabilities = [\"read\"] }" }));
    let token = (Update, "auth/token/create", json!({ "id": "fixed", "policies": ["p"], "ttl": "1h", "num_uses": 9 }));
    let child = (Update, "auth/token/create", json!({ "policies": ["p"], "ttl": "1h" }));
    let engine = (Update, "sys/mounts/db", json!({ "type": "vending", "options": { "world": "failing-writes" } }));
    let secret = (Operation::Read, "db/creds/r", json!({ "ttl": "1h" }));
    let entity_a = (Update, "identity/entity", json!({ "name": "a", "policies": "p", "metadata": { "k": "a" } }));
    let entity_b = (Update, "identity/entity", json!({ "name": "b", "policies": "q", "metadata": { "k": "b" } }));
    let alias = json!({ "name": "of-b", "mount_accessor": ACCESSOR, "canonical_id": ENTITY_B });
    let alias_of_b = (Update, "identity/entity-alias", alias);
    let merge = (Update, "identity/entity/merge", json!({ "from_entity_ids": [ENTITY_B], "to_entity_id": ENTITY_A }));
    let approle = (Update, "sys/auth/approle", json!({ "type": "approle" }));
    let role = (Update, ROLE, json!({ "secret_id_num_uses": 1, "token_policies": "p" }));
    let open_role = (Update, ROLE, json!({ "secret_id_num_uses": 0, "token_policies": "p" }));
    let role_id = (Update, "auth/approle/role/r/role-id", json!({ "role_id": "the-role" }));
    let custom = |id| (Update, "auth/approle/role/r/custom-secret-id", json!({ "secret_id": id }));
    let (secret_id, other_id) = (custom("for-one-use"), custom("for-another-use"));
    let login_with = |id| (Update, "auth/approle/login", json!({ "role_id": "the-role", "secret_id": id }));
    let (login, last) = (login_with("for-one-use"), login_with("for-another-use"));
    let of_token = |path| (Update, path, json!({ "token": "fixed" }));
    let of_fixed = |path| (Update, path, json!({ "token": "fixed", "increment": "30m" }));
    vec![
        case("enable v1", &[], &v1),
        case("enable v2", &[], &v2),
        case("disable a mount", &[&v2, &first], &(Delete, "sys/mounts/kv2", json!({}))),
        case(
            "tune a mount",
            &[&v1],
            &(Update, "sys/mounts/kv1/tune", json!({ "description": "other", "default_lease_ttl": "1h" })),
        ),
        case("move a secret engine's settings", &[&v2], &(Update, "kv2/config", json!({ "max_versions": 3 }))),
        case("v1 write", &[&v1], &plain),
        case("v1 overwrite", &[&v1, &plain], &(Update, "kv1/s", json!({ "k": "other" }))),
        case("v1 delete", &[&v1, &plain], &(Delete, "kv1/s", json!({}))),
        case("v2 write", &[&v2], &first),
        case("v2 second version", &[&v2, &first], &second),
        case("v2 version that pushes one out", &[&v2, &one_version, &first], &second),
        case("v2 patch", &[&v2, &first], &(Operation::Patch, "kv2/data/s", json!({ "data": { "more": 1 } }))),
        case("v2 delete", &[&v2, &first], &delete),
        case("v2 undelete", &[&v2, &first, &delete], &(Update, "kv2/undelete/s", json!({ "versions": [1] }))),
        case("v2 destroy", &[&v2, &first, &second], &(Update, "kv2/destroy/s", json!({ "versions": [1, 2] }))),
        case("v2 metadata", &[&v2, &first], &one_version),
        case("v2 delete all", &[&v2, &first, &second], &(Delete, "kv2/metadata/s", json!({}))),
        case("cubbyhole write", &[], &(Update, "cubbyhole/c", json!({ "k": "v" }))),
        case("policy write", &[], &policy),
        case(
            "policy overwrite",
            &[&policy],
            &(Update, "sys/policies/acl/p", json!({ "policy": "path \"x\" { capabilities = [\"list\"] }" })),
        ),
        case("policy delete", &[&policy], &(Delete, "sys/policies/acl/p", json!({}))),
        case("token create", &[&policy], &token),
        case("token renew", &[&policy, &token], &of_fixed("auth/token/renew")),
        case("token revoke", &[&policy, &token, &child], &of_fixed("auth/token/revoke")),
        case("lease issue", &[&engine], &secret),
        case("lease renew", &[&engine, &secret], &(Update, LEASE_RENEW, json!({ "increment": "2h" }))),
        case("lease revoke", &[&engine, &secret], &(Update, LEASE_REVOKE, json!({}))),
        case("lease revoke, waited for", &[&engine, &secret], &(Update, LEASE_REVOKE, json!({ "sync": true }))),
        case(
            "lease revoke by folder",
            &[&engine, &secret, &secret],
            &(Update, "sys/leases/revoke-prefix/db", json!({})),
        ),
        case("lease revoke by force", &[&engine, &secret, &secret], &(Update, "sys/leases/revoke-force/db", json!({}))),
        case("disable a mount with leases", &[&engine, &secret], &(Delete, "sys/mounts/db", json!({}))),
        case(
            "revoke tokens by folder",
            &[&policy, &token],
            &(Update, "sys/leases/revoke-prefix/auth/token", json!({})),
        ),
        case("token revoke at its path", &[&policy, &token], &of_token("auth/token/revoke")),
        case("rotate", &[&v1, &plain], &(Update, "sys/rotate", json!({}))),
        case("make an entity", &[], &entity_a),
        case("delete an entity", &[&entity_a], &(Delete, "identity/entity/name/a", json!({}))),
        case("merge entities", &[&approle, &entity_a, &entity_b, &alias_of_b], &merge),
        case("login that makes an entity", &[&approle, &role, &role_id, &secret_id], &login),
        case("login with a secret id for one use", &[&approle, &role, &role_id, &secret_id, &other_id, &login], &last),
        case("login of an entity that is there", &[&approle, &open_role, &role_id, &secret_id, &login], &login),
        case("remove a role with its secret ids", &[&approle, &role, &role_id, &secret_id], &(Delete, ROLE, json!({}))),
    ]
}

#[test]
fn old_or_new_but_nothing_between() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut failures = 0;
    for case in cases() {
        let new = runtime.block_on(undisturbed(&case));
        for way in WAYS {
            for n in 1.. {
                if !runtime.block_on(disturbed(&case, way, n, &new)) {
                    assert!(n > 1, "{}: it writes nothing", case.name);
                    break;
                }
                failures += 1;
            }
        }
    }
    println!("{failures} failures at {} operations in {} ways", cases().len(), WAYS.len());
}

#[test]
fn initialisation_happens_or_does_not() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let init = (Operation::Update, "sys/init", json!({ "secret_shares": 1, "secret_threshold": 1 }));
        for way in WAYS {
            let house = House::empty();
            house.device.fail_at(1, way);
            let (works, answer) = house.call(&init).await;
            assert!(!works, "{way:?}: keys of a store that does not keep them: {answer}");
            let again = House { core: core(&house.device, &house.clock), ..House::empty() };
            let (_, status) = again.call(&(Operation::Read, "sys/init", json!({}))).await;
            assert_eq!(status["initialized"], way == Failure::After, "{way:?}");
            assert_eq!(again.call(&init).await.0, way != Failure::After, "{way:?}");
        }
    });
}

/// What is seen after the operation when nothing fails.
async fn undisturbed(case: &Case) -> Value {
    let house = House::with(case).await;
    let old = house.observe().await;
    let (works, answer) = house.call(&case.call).await;
    assert!(works, "{}: {answer}", case.name);
    let new = house.restarted().await.observe().await;
    assert_ne!(old, new, "{}: nothing can be seen of it", case.name);
    new
}

/// One operation with its n-th write failing. `false` = it has no n-th write.
async fn disturbed(case: &Case, way: Failure, n: u64, new: &Value) -> bool {
    let house = House::with(case).await;
    let old = house.observe().await;
    let contents = house.device.contents();
    let writes = house.device.writes();
    house.device.fail_at(n, way);
    let (works, answer) = house.call(&case.call).await;
    if house.device.writes() < writes + n {
        assert!(works, "{}: {answer}", case.name);
        return false;
    }
    let context = format!("{}, write {n} failing {way:?}, answered {answer}", case.name);
    // Still running: reads go on, and show one of the two.
    let seen = house.observe().await;
    assert!(seen == old || seen == *new, "between while running: {context}\n{seen:#}");
    house.device.disarm();
    let nothing_kept = contents == house.device.contents();
    let seen = house.restarted().await.observe().await;
    assert!(seen == old || seen == *new, "between after a restart: {context}\n{}", difference(&old, &seen));
    assert!(!works || seen == *new, "answered and lost: {context}");
    assert!(way == Failure::After || nothing_kept || n > 1, "something of a write that failed was kept: {context}");
    true
}

impl House {
    async fn with(case: &Case) -> Self {
        let mut house = Self::empty();
        let init = json!({ "secret_shares": 1, "secret_threshold": 1 });
        let (works, keys) = house.call(&(Operation::Update, "sys/init", init)).await;
        assert!(works, "{keys}");
        house.share = keys["keys"][0].as_str().unwrap().to_owned();
        house.root = keys["root_token"].as_str().unwrap().to_owned();
        house.unseal().await;
        for call in &case.before {
            let (works, answer) = house.call(call).await;
            assert!(works, "{}, before: {call:?}: {answer}", case.name);
        }
        house
    }

    fn empty() -> Self {
        let device = Device::new();
        let clock = Arc::new(TestClock::default());
        Self { core: core(&device, &clock), device, clock, share: String::new(), root: String::new() }
    }

    async fn unseal(&self) {
        let (works, answer) = self.call(&(Operation::Update, "sys/unseal", json!({ "key": self.share }))).await;
        assert!(works && answer["sealed"] == false, "{answer}");
    }

    /// The same device under a new server.
    async fn restarted(&self) -> Self {
        let Self { device, clock, share, root, .. } = self;
        let house = Self {
            core: core(device, clock),
            device: device.clone(),
            clock: Arc::clone(clock),
            share: share.clone(),
            root: root.clone(),
        };
        house.unseal().await;
        house
    }

    /// Whether it was done, and the data of the answer.
    async fn call(&self, (operation, path, body): &Call) -> (bool, Value) {
        if path.contains(LEASE) {
            let path = path.replace(LEASE, &self.first_lease().await);
            return self.send(*operation, &path, body).await;
        }
        let text = body.to_string();
        if !text.contains("{entity") && !text.contains(ACCESSOR) {
            return self.send(*operation, path, body).await;
        }
        let mut text = text;
        for (mark, path, at) in [
            (ENTITY_A, "identity/entity/name/a", "/id"),
            (ENTITY_B, "identity/entity/name/b", "/id"),
            (ACCESSOR, "sys/auth/approle", "/accessor"),
        ] {
            let (_, data) = self.send(Operation::Read, path, &json!({})).await;
            text = text.replace(mark, data.pointer(at).and_then(Value::as_str).unwrap_or("none"));
        }
        self.send(*operation, path, &serde_json::from_str(&text).unwrap()).await
    }

    async fn first_lease(&self) -> String {
        let (_, found) = self.send(Operation::List, LEASES, &json!({})).await;
        found["keys"][0].as_str().unwrap_or("none").to_owned()
    }

    async fn send(&self, operation: Operation, path: &str, body: &Value) -> (bool, Value) {
        let request = Request {
            id: "00000000-0000-4000-8000-000000000000".into(),
            namespace: String::new(),
            path: RequestPath::parse(path).unwrap(),
            operation,
            token: (!self.root.is_empty()).then(|| SecretText::from(self.root.clone())),
            body: Arc::new(Body::parse(body.to_string().as_bytes(), &BodyLimits::default()).unwrap()),
            wrap: None,
            remote: None,
            headers: Box::new(Vec::new()),
            client_certificates: Vec::new(),
            help: false,
            legacy_routes_open: false,
            redact: Redact::default(),
            connection: 0,
        };
        data_of(self.core.handle(request).await.into_inner())
    }

    /// Everything a user can ask for, without what is random.
    async fn observe(&self) -> Value {
        use Operation::{List, Read, Update};
        let asks = [
            (Read, "sys/mounts"),
            (Read, "sys/mounts/kv1/tune"),
            (List, "sys/policies/acl"),
            (Read, "sys/policies/acl/p"),
            (Read, "kv1/s"),
            (List, "kv1"),
            (Read, "kv2/data/s"),
            (Read, "kv2/metadata/s"),
            (List, "kv2/metadata"),
            (Read, "kv2/config"),
            (Read, "cubbyhole/c"),
            (List, "auth/token/accessors"),
            (List, LEASES),
            (List, "sys/leases/lookup/auth/token/create"),
            (Read, "sys/key-status"),
            (Read, ROLE),
            (List, "auth/approle/role/r/secret-id"),
            (List, "identity/entity/id"),
            (List, "identity/entity-alias/id"),
            (Read, "identity/entity/name/a"),
            (Read, "identity/entity/name/b"),
        ];
        let mut seen = BTreeMap::new();
        for (operation, path) in asks {
            let (_, mut data) = self.call(&(operation, path, json!({}))).await;
            if operation == List && !path.starts_with("kv") && path != "sys/policies/acl" {
                // Ids that were drawn: how many there are is what can be compared.
                data = json!(data["keys"].as_array().map(Vec::len));
            }
            if path.starts_with("identity/entity/name") {
                let aliases = data["aliases"].as_array().map(Vec::len);
                data = json!([data["name"], data["policies"], data["metadata"], aliases]);
            }
            seen.insert(format!("{operation} {path}"), plain(data));
        }
        for version in ["1", "2"] {
            let (_, data) = self.call(&(Read, "kv2/data/s", json!({ "version": version }))).await;
            seen.insert(format!("version {version}"), plain(data));
        }
        let (_, data) = self.call(&(Update, "auth/token/lookup", json!({ "token": "fixed" }))).await;
        seen.insert("the token".into(), plain(data));
        let lease = format!("db/creds/r/{}", self.first_lease().await);
        let (_, data) = self.call(&(Update, "sys/leases/lookup", json!({ "lease_id": lease }))).await;
        seen.insert("the lease".into(), plain(json!({ "expire_time": data["expire_time"], "ttl": data["ttl"] })));
        json!(seen)
    }
}

fn core(device: &Device, clock: &Arc<TestClock>) -> Arc<Core> {
    let kv = |settings: &MountSettings| -> Result<Arc<dyn Engine>, String> {
        let is_v2 = settings.options.get("version").is_some_and(|v| v == "2");
        Ok(if is_v2 { bulla_kv::kv_v2() } else { bulla_kv::kv_v1() })
    };
    let registry = Registry::default().with(EngineKind::Secrets, "kv", kv);
    let registry = registry.with(EngineKind::Secrets, "vending", vending);
    let registry = registry.with(EngineKind::Auth, "approle", |_| Ok(bulla_approle::approle()));
    // What works in the background would take the failure that is meant for the operation.
    let config = CoreConfig { workers: Workers::Stopped, ..CoreConfig::default() };
    Core::new(config, device.open(), registry, Arc::clone(clock) as _)
}

fn data_of(answer: Answer) -> (bool, Value) {
    match answer.outcome {
        Outcome::Bare { data, .. } => (true, data.to_value()),
        Outcome::Envelope { envelope, .. } => (true, envelope.data.map_or(Value::Null, |d| d.to_value())),
        Outcome::NoContent => (true, Value::Null),
        Outcome::Raw(raw) => (true, json!(raw.bytes.len())),
        Outcome::Refused(refusal) => {
            (false, json!({ "kind": format!("{:?}", refusal.kind), "errors": refusal.errors }))
        }
    }
}

/// Without ids that are random and counts that depend on who asked.
fn plain(mut value: Value) -> Value {
    match &mut value {
        Value::Object(members) => {
            for (key, member) in members.iter_mut() {
                let is_random = matches!(key.as_str(), "accessor" | "uuid" | "encryptions" | "request_id");
                *member = if is_random { Value::Null } else { plain(member.take()) };
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = plain(item.take())),
        _ => {}
    }
    value
}

fn difference(old: &Value, seen: &Value) -> String {
    let empty = serde_json::Map::new();
    let (old, seen) = (old.as_object().unwrap_or(&empty), seen.as_object().unwrap_or(&empty));
    seen.iter().filter(|(k, v)| old.get(*k) != Some(*v)).map(|(k, v)| format!("{k}: {v}\n")).collect()
}
