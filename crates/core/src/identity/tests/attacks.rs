//! Known faults of such servers, by the names they go by.

use super::*;
use crate::identity::IdentityStore;
use crate::identity::login::new_entity;
use bulla_barrier::{Txn, View};
use bulla_types::{ScopeId, Time};

const ROOT: [&str; 8] = ["root", "rooT", "Root", "rOoT", "root ", " root", "root\u{200b}", "ｒｏｏｔ"];

/// ID-01: an entity was changed in memory before the change was checked, and stayed so when it was refused.
#[tokio::test]
async fn id_01_a_refused_write_changes_nothing() {
    let house = House::new().await;
    let guest = house.login("bob").await;
    let by_id = format!("entity/id/{}", guest.entity);
    let before = house.read(&by_id).await;
    let by_name = format!("entity/name/{}", before["name"].as_str().unwrap());
    let body = json!({ "policies": ["default", "root"], "metadata": { "a": "b" }, "disabled": true });
    let in_body = json!({ "id": guest.entity, "policies": "default,root" });
    for (path, body) in [(by_id.as_str(), body.clone()), (by_name.as_str(), body), ("entity", in_body)] {
        assert_eq!(house.write(path, body).await.error(), "policies cannot contain root", "{path}");
    }
    assert_eq!(house.read(&by_id).await, before);
    house.login("bob").await;
    assert_eq!(house.may_read(&guest.token, &["sys/raw/x"]).await, [false]);
}

/// ID-02: `root` was looked for before names were put into one spelling.
#[tokio::test]
async fn id_02_no_spelling_of_root_for_an_entity() {
    let house = House::new().await;
    let id = house.make("entity", json!({ "name": "x" })).await;
    for root in ROOT {
        for path in ["entity", "entity/name/x", "entity/name/new", &format!("entity/id/{id}")] {
            let told = house.write(path, json!({ "policies": ["a", root] })).await;
            assert_eq!(told.refused, Some(ErrorKind::BadRequest), "{root:?} {path}");
        }
    }
    assert_eq!(house.list("entity/name").await, ["x"]);
    house.write("entity/name/x", json!({ "policies": ["roots", "B ", "a"] })).await.ok();
    assert_eq!(house.read("entity/name/x").await["policies"], json!(["a", "b", "roots"]));
}

/// ID-03: the same for groups, whose members became root.
#[tokio::test]
async fn id_03_no_spelling_of_root_for_a_group() {
    let house = House::new().await;
    let id = house.make("group", json!({ "name": "x" })).await;
    for root in ROOT {
        for kind in ["internal", "external"] {
            let told = house.write("group", json!({ "name": "new", "type": kind, "policies": [root] })).await;
            assert_eq!(told.refused, Some(ErrorKind::BadRequest), "{root:?} {kind}");
        }
        for path in ["group/name/x", "group/name/new", &format!("group/id/{id}")] {
            let told = house.write(path, json!({ "policies": [root] })).await;
            assert_eq!(told.refused, Some(ErrorKind::BadRequest), "{root:?} {path}");
        }
    }
    assert_eq!(house.list("group/name").await, ["x"]);
}

/// ID-04: an alias could be pointed at somebody who had one on that mount already, and both became one.
#[tokio::test]
async fn id_04_aliases_never_make_one_of_two() {
    let house = House::new().await;
    let mallory = house.login("mallory").await.entity;
    let victim = house.login("victim").await.entity;
    let accessor = house.accessor("up").await;
    let own = house.read(&format!("entity/id/{mallory}")).await["aliases"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("entity-alias/id/{own}");
    let told = house.write(&path, json!({ "canonical_id": victim })).await;
    assert_eq!(told.error(), "Alias already exists for requested entity and mount accessor");
    for name in ["victim", "VICTIM"] {
        let told = house.write(&path, json!({ "name": name, "mount_accessor": accessor })).await;
        assert_eq!(told.error(), "alias with combination of mount accessor and name already exists");
    }
    let told =
        house.write("entity-alias", json!({ "name": "mallory", "mount_accessor": accessor, "canonical_id": victim }));
    assert_eq!(told.await.error(), "Alias already exists for requested entity and mount accessor");
    assert_eq!(house.list("entity/id").await.len(), 2);
    assert_eq!(house.login("mallory").await.entity, mallory);
    assert_eq!(house.login("victim").await.entity, victim);
}

/// Whoever logs in does so at an auth mount; the accessors of others were taken, too.
#[tokio::test]
async fn aliases_are_of_auth_mounts() {
    let house = House::new().await;
    let entity = house.login("ada").await.entity;
    let own = house.read(&format!("entity/id/{entity}")).await["aliases"][0]["id"].as_str().unwrap().to_owned();
    let group = house.make("group", json!({ "name": "g", "type": "external" })).await;
    for mount in ["cubbyhole", "sys", "identity"] {
        let accessor = house.0.read(&format!("sys/mounts/{mount}")).await.text("accessor");
        for (path, more) in [
            ("entity-alias".to_owned(), json!({ "name": "x", "canonical_id": entity })),
            (format!("entity-alias/id/{own}"), json!({ "name": "x" })),
            ("group-alias".to_owned(), json!({ "name": "x", "canonical_id": group })),
        ] {
            let mut body = more;
            body["mount_accessor"] = accessor.as_str().into();
            let told = house.write(&path, body).await;
            assert_eq!(told.error(), format!("invalid mount accessor {accessor:?}: not an auth mount"), "{path}");
        }
    }
    // The token store logs nobody in by itself, but makes tokens for the aliases that a role allows.
    let token = house.0.read("sys/auth/token").await.text("accessor");
    house.make("entity-alias", json!({ "name": "x", "canonical_id": entity, "mount_accessor": token })).await;
}

/// ID-07: ids of another namespace were deleted. Whatever is not in this identity store is not there for it.
#[tokio::test]
async fn id_07_ids_of_another_store_are_nobodys() {
    let house = House::new().await;
    let pass = house.0.core.gate.pass().unwrap();
    let txn = Txn::begin(&pass).unwrap();
    let other = IdentityStore::new(View::new(&txn, ScopeId([9; 16])));
    let theirs = new_entity(&other, Some("theirs".into()), Time(1)).await.unwrap();
    other.put_entity(None, &theirs).await.unwrap();
    txn.commit(()).await.unwrap();
    let ids = json!({ "entity_ids": [theirs.id.to_string()] });
    house.write("entity/batch-delete", ids).await.ok();
    house.delete(&format!("entity/id/{}", theirs.id)).await;
    house.delete("entity/name/theirs").await;
    let txn = Txn::begin(&pass).unwrap();
    let other = IdentityStore::new(View::new(&txn, ScopeId([9; 16])));
    assert_eq!(other.entity(theirs.id).await.unwrap().as_ref(), Some(&theirs));
    assert_eq!(other.entity_named("THEIRS").await.unwrap(), Some(theirs));
}

/// ID-08: the path named one entity and the body another; policy had been asked about the path.
#[tokio::test]
async fn id_08_the_body_does_not_choose_another() {
    let house = House::new().await;
    for noun in ["entity", "group"] {
        let alice = house.make(noun, json!({ "name": "alice" })).await;
        let bob = house.make(noun, json!({ "name": "bob" })).await;
        let told = house.write(&format!("{noun}/name/alice"), json!({ "id": bob, "policies": ["p"] })).await;
        assert_eq!(told.refused, Some(ErrorKind::BadRequest), "{noun}");
        house.write(&format!("{noun}/id/{alice}"), json!({ "id": bob, "policies": ["p"] })).await.ok();
        let policies = async |name: &str| house.read(&format!("{noun}/name/{name}")).await["policies"].clone();
        assert_eq!(policies("alice").await, json!(["p"]), "{noun}: the path's");
        assert_ne!(policies("bob").await, json!(["p"]), "{noun}");
    }
}

/// Names mean the same in any case, ids do not; neither may get past a rule by its spelling.
#[tokio::test]
async fn an_odd_spelling_does_not_get_past_a_rule() {
    let house = House::new().await;
    let text = r#"path "identity/entity/name/*" { capabilities = ["read", "update", "delete"] }
        path "identity/entity/name/admin" { capabilities = ["deny"] }
        path "identity/group/name/*" { capabilities = ["read", "update", "delete"] }
        path "identity/group/name/Admin" { capabilities = ["deny"] }"#;
    house.rules("p", text).await;
    house.make("entity", json!({ "name": "admin" })).await;
    house.make("group", json!({ "name": "Admin" })).await;
    let id = house.make("entity", json!({ "name": "Other" })).await;
    let token = house.0.write("auth/token/create", json!({ "policies": ["p"] })).await.token();
    for noun in ["entity", "group"] {
        for name in ["admin", "ADMIN", "Admin", "aDmin"] {
            for operation in [Read, Update, Delete] {
                let path = format!("identity/{noun}/name/{name}");
                let told = house.0.call_as(Some(&token), operation, &path, json!({ "policies": ["x"] })).await;
                assert_eq!(told.refused, Some(ErrorKind::Denied), "{operation:?} {path}");
            }
        }
    }
    house.0.call_as(Some(&token), Read, "identity/entity/name/OTHER", json!({})).await.ok();
    let told = house.0.read(&format!("identity/entity/id/{}", id.to_uppercase())).await;
    assert_eq!(told.refused, Some(ErrorKind::NotFound));
}

/// POL-06: what somebody may write into their own metadata widened a policy to others' secrets.
#[tokio::test]
async fn pol_06_metadata_cannot_widen_a_policy() {
    let house = House::new().await;
    let accessor = house.accessor("up").await;
    let path = format!("secret/{{{{identity.entity.aliases.{accessor}.metadata.scope}}}}/*");
    house.rules("tpl", &format!("path \"{path}\" {{ capabilities = [\"read\"] }}")).await;
    let paths = ["secret/a/x", "secret/b/x", "secret/a/b/x", "secret/*/x", "secret/+/x"];
    let login = async |scope: &str| {
        let body = json!({ "policies": ["tpl"], "metadata": { "scope": scope } });
        let token = house.login_with("up", "bob", body).await.token;
        house.may_read(&token, &paths).await
    };
    assert_eq!(login("a").await, [true, false, true, false, false]);
    for scope in ["a/b", "*", "+", "..", "%2f", "{{identity.entity.id}}", "", "a*", "a\u{0}"] {
        assert_eq!(login(scope).await, [false; 5], "{scope:?}");
    }
    let open = json!({ "policy": format!("path \"{path}\" {{ capabilities = [\"read\"] }}"),
        "allow_slashes_in_identity_templates": true });
    house.0.write("sys/policies/acl/tpl", open).await.ok();
    assert_eq!(login("a/b").await, [false, false, true, false, false]);
}

/// POL-07: whoever broke their own metadata got rid of the `deny` that was made with it.
#[tokio::test]
async fn pol_07_a_deny_does_not_go_away_with_its_value() {
    let house = House::new().await;
    let text = r#"path "kv/*" { capabilities = ["read"] }
        path "sys/capabilities-self" { capabilities = ["update"] }
        path "kv/{{identity.entity.metadata.team}}/*" { capabilities = ["deny"] }"#;
    house.rules("tpl", text).await;
    let guest = house.login_with("up", "bob", json!({ "policies": ["tpl"] })).await;
    let entity = format!("entity/id/{}", guest.entity);
    let may = async |path: &str| {
        house.0.call_as(Some(&guest.token), Read, path, json!({})).await.refused != Some(ErrorKind::Denied)
    };
    house.write(&entity, json!({ "metadata": { "team": "blue" } })).await.ok();
    assert!(may("kv/red/x").await && !may("kv/blue/x").await);
    for team in [json!({}), json!({ "team": "a/b" }), json!({ "team": "*" }), json!({ "team": "" })] {
        house.write(&entity, json!({ "metadata": team })).await.ok();
        assert!(!may("kv/red/x").await && !may("kv/blue/x").await, "{team}");
    }
    house.write(&entity, json!({ "metadata": { "team": "red" } })).await.ok();
    assert!(may("kv/blue/x").await && !may("kv/red/x").await, "and it follows the value at once");
}

/// POL-09: of two aliases on one mount, the one made first was taken into the path. There cannot be two.
#[tokio::test]
async fn pol_09_an_entity_has_one_alias_on_a_mount() {
    let house = House::new().await;
    let accessor = house.accessor("up").await;
    let path = format!("secret/{{{{identity.entity.aliases.{accessor}.name}}}}");
    house.rules("tpl", &format!("path \"{path}\" {{ capabilities = [\"read\"] }}")).await;
    let first = house.login_with("up", "first", json!({ "policies": ["tpl"] })).await;
    let second = house.login_with("up", "second", json!({ "policies": ["tpl"] })).await;
    let merge = json!({ "from_entity_ids": [second.entity], "to_entity_id": first.entity });
    assert_eq!(house.write("entity/merge", merge).await.refused, Some(ErrorKind::BadRequest));
    let alias = json!({ "name": "third", "mount_accessor": accessor, "canonical_id": first.entity });
    assert_eq!(house.write("entity-alias", alias).await.refused, Some(ErrorKind::BadRequest));
    let other = house.accessor("other").await;
    let alias = json!({ "name": "fourth", "mount_accessor": other, "canonical_id": first.entity });
    let moved = house.make("entity-alias", alias).await;
    let told = house.write(&format!("entity-alias/id/{moved}"), json!({ "mount_accessor": accessor })).await;
    assert_eq!(told.refused, Some(ErrorKind::BadRequest));
    let paths = ["secret/first", "secret/second"];
    assert_eq!(house.may_read(&first.token, &paths).await, [true, false]);
    assert_eq!(house.may_read(&second.token, &paths).await, [false, true]);
}

#[tokio::test]
async fn what_is_written_has_limits() {
    let house = House::new().await;
    let pairs = |count: usize| (0..count).map(|n| (format!("k{n}"), json!("v"))).collect::<serde_json::Map<_, _>>();
    let one = |key: String, value: String| serde_json::Map::from_iter([(key, json!(value))]);
    let good = [pairs(64), one("k".repeat(128), "v".into()), one("a=/+_-9".into(), "v".repeat(512))];
    let bad = [
        pairs(65),
        one("k".repeat(129), "v".into()),
        one("k".into(), "v".repeat(513)),
        one(String::new(), "v".into()),
        one("k k".into(), "v".into()),
        one("vault-k".into(), "v".into()),
    ];
    for noun in ["entity", "group"] {
        for metadata in &good {
            house.write(noun, json!({ "metadata": metadata })).await.ok();
        }
        let before = house.list(&format!("{noun}/id")).await;
        for metadata in &bad {
            let told = house.write(noun, json!({ "metadata": metadata })).await;
            assert!(told.error().starts_with(&format!("invalid {noun} metadata")), "{}", told.body);
        }
        assert_eq!(house.write(noun, json!({ "name": "n".repeat(1025) })).await.refused, Some(ErrorKind::BadRequest));
        assert_eq!(house.list(&format!("{noun}/id")).await, before);
        house.write(noun, json!({ "name": "n".repeat(1024) })).await.ok();
    }
}
