//! What an entity makes of its tokens.

use super::*;
use bulla_audit::EnableRequest;
use bulla_barrier::{Txn, View};
use bulla_types::EntityId;

#[tokio::test]
async fn policies_of_entity_and_groups_hold_at_once() {
    let house = House::new().await;
    for name in ["own", "inner", "outer"] {
        house.policy(name).await;
    }
    let paths = ["secret/own", "secret/inner", "secret/outer"];
    let service = house.login("bob").await;
    let batch = house.login_with("up", "bob", json!({ "batch": true })).await;
    let both = async || {
        let service = house.may_read(&service.token, &paths).await;
        assert_eq!(service, house.may_read(&batch.token, &paths).await);
        service
    };
    assert_eq!(both().await, [false, false, false]);
    let entity = format!("entity/id/{}", service.entity);
    house.write(&entity, json!({ "policies": "own" })).await.ok();
    assert_eq!(both().await, [true, false, false]);
    let members = json!({ "name": "inner", "policies": "inner", "member_entity_ids": service.entity });
    let inner = house.make("group", members).await;
    assert_eq!(both().await, [true, true, false]);
    let outer = json!({ "name": "outer", "policies": "outer", "member_group_ids": [inner] });
    house.make("group", outer).await;
    assert_eq!(both().await, [true, true, true]);

    let seen = house.look_at_self(&service.token).await.ok();
    assert_eq!(seen["policies"], json!(["default"]));
    assert_eq!(seen["identity_policies"], json!(["inner", "outer", "own"]));
    let auth = house.try_login("up", "bob", json!({})).await.auth.unwrap();
    assert_eq!(auth.policies, ["default", "inner", "outer", "own"]);
    assert_eq!(auth.token_policies, ["default"]);
    assert_eq!(auth.identity_policies, ["inner", "outer", "own"]);
    let asked = json!({ "token": service.token, "paths": paths });
    let told = house.0.write("sys/capabilities", asked).await.ok();
    assert_eq!(told["secret/outer"], json!(["read"]));
    let acl = house.0.call_as(Some(&service.token), Read, "sys/internal/ui/resultant-acl", json!({})).await.ok();
    assert!(acl["exact_paths"]["secret/outer"].is_object(), "{acl}");

    house.write(&entity, json!({ "policies": [] })).await.ok();
    house.delete(&format!("group/id/{inner}")).await;
    assert_eq!(both().await, [false, false, false]);
}

#[tokio::test]
async fn a_disabled_entity_refuses_its_tokens_and_logins() {
    let house = House::new().await;
    let guest = house.login("bob").await;
    let batch = house.login_with("up", "bob", json!({ "batch": true })).await;
    let entity = format!("entity/id/{}", guest.entity);
    house.write(&entity, json!({ "disabled": true })).await.ok();
    house.restart().await;
    for token in [&guest.token, &batch.token] {
        let told = house.look_at_self(token).await;
        assert_eq!((told.refused, told.error()), (Some(ErrorKind::Denied), "permission denied"));
        let told = house.0.write("sys/capabilities", json!({ "token": token, "path": "x" })).await;
        assert_eq!(told.refused, Some(ErrorKind::Denied));
    }
    let told = house.try_login("up", "BOB", json!({})).await;
    assert_eq!((told.refused, told.error()), (Some(ErrorKind::Denied), "permission denied"));
    house.write(&entity, json!({ "disabled": false })).await.ok();
    house.look_at_self(&guest.token).await.ok();
}

#[tokio::test]
async fn a_deleted_entity_takes_its_tokens_along() {
    let house = House::new().await;
    for way in ["id", "name", "batch"] {
        let guest = house.login("bob").await;
        let batch = house.login_with("up", "bob", json!({ "batch": true })).await;
        let seen = house.read(&format!("entity/id/{}", guest.entity)).await;
        match way {
            "id" => house.delete(&format!("entity/id/{}", guest.entity)).await,
            "name" => house.delete(&format!("entity/name/{}", seen["name"].as_str().unwrap())).await,
            _ => {
                let ids = json!({ "entity_ids": [guest.entity, "nobody"] });
                house.write("entity/batch-delete", ids).await.ok();
            }
        }
        for token in [&guest.token, &batch.token] {
            assert_eq!(house.look_at_self(token).await.refused, Some(ErrorKind::Denied), "{way}");
        }
        assert!(house.list("entity-alias/id").await.is_empty(), "{way}");
        assert_ne!(house.login("bob").await.entity, guest.entity, "{way}: somebody new");
    }
}

#[tokio::test]
async fn a_child_is_its_parents_entitys() {
    let house = House::new().await;
    house.policy("own").await;
    house.rules("maker", r#"path "auth/token/create" { capabilities = ["update"] }"#).await;
    let guest = house.login("bob").await;
    let entity = format!("entity/id/{}", guest.entity);
    house.write(&entity, json!({ "policies": "own,maker" })).await.ok();
    let told = house.0.call_as(Some(&guest.token), Update, "auth/token/create", json!({})).await;
    let auth = told.auth.unwrap();
    assert_eq!((&auth.entity_id, &auth.identity_policies[..]), (&guest.entity, &["maker".into(), "own".into()][..]));
    assert_eq!(house.may_read(&auth.client_token, &["secret/own"]).await, [true]);
    // What a token has by its entity is not its own to hand on.
    let more = json!({ "policies": ["own"] });
    let told = house.0.call_as(Some(&guest.token), Update, "auth/token/create", more).await;
    assert_eq!(told.refused, Some(ErrorKind::BadRequest));
    house.write(&entity, json!({ "disabled": true })).await.ok();
    assert_eq!(house.look_at_self(&auth.client_token).await.refused, Some(ErrorKind::Denied));
}

#[tokio::test]
async fn a_role_makes_tokens_for_an_alias() {
    let house = House::new().await;
    let role = json!({ "allowed_entity_aliases": "web*", "allowed_policies": "default" });
    house.0.write("auth/token/roles/r", role).await.ok();
    let make = async |alias: &str| house.0.write("auth/token/create/r", json!({ "entity_alias": alias })).await;
    let first = make("web-1").await.auth.unwrap();
    let again = make("WEB-1").await.auth.unwrap();
    assert_eq!((&first.entity_id, first.entity_id.len()), (&again.entity_id, 36));
    assert_ne!(make("web-2").await.auth.unwrap().entity_id, first.entity_id);
    assert_eq!(make("db-1").await.error(), "invalid 'entity_alias' value");
    let told = house.0.write("auth/token/create", json!({ "entity_alias": "web-1" })).await;
    assert_eq!(told.error(), "'entity_alias' is only allowed in combination with token role");
    house.write(&format!("entity/id/{}", first.entity_id), json!({ "disabled": true })).await.ok();
    assert_eq!(make("web-1").await.refused, Some(ErrorKind::Denied));
}

#[tokio::test]
async fn audit_tells_whose_token_it_was_and_by_what_right() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("audit.log");
    let options = [("file_path".to_owned(), file.display().to_string())].into_iter().collect();
    let device = EnableRequest { kind: "file".into(), options, ..EnableRequest::default() };
    let house = House::with(CoreConfig { audit: vec![("main/".into(), device)], ..CoreConfig::default() }).await;
    house.make("entity", json!({ "name": "robert", "policies": ["own"] })).await;
    let entity = house.read("entity/name/robert").await["id"].as_str().unwrap().to_owned();
    let alias = json!({ "name": "bob", "canonical_id": entity, "mount_accessor": house.accessor("up").await });
    house.make("entity-alias", alias).await;
    let guest = house.login("bob").await;
    house.look_at_self(&guest.token).await.ok();
    let text = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = |path: &str| lines.iter().rev().find(|line| line["request"]["path"] == path).unwrap();
    for auth in [&last("auth/up/login/bob")["response"]["auth"], &last("auth/token/lookup-self")["auth"]] {
        assert_eq!(auth["entity_id"], json!(entity), "{auth}");
        assert_eq!(auth["policies"], json!(["default", "own"]));
        assert_eq!((&auth["token_policies"], &auth["identity_policies"]), (&json!(["default"]), &json!(["own"])));
    }
}

/// A record that cannot be read might have said "disabled".
#[tokio::test]
async fn a_damaged_entity_refuses_its_tokens_and_nothing_else() {
    let house = House::new().await;
    let (bob, eve) = (house.login("bob").await, house.login("eve").await);
    let pass = house.0.core.gate.pass().unwrap();
    let txn = Txn::begin(&pass).unwrap();
    let mount = pass.owner().state.load_full().mounts.at("identity/").unwrap().record.uuid;
    let key = [b"e", &EntityId::parse(&bob.entity).unwrap().0[..]].concat();
    View::new(&txn, mount).plain_put(&key, b"{}".to_vec());
    txn.commit(()).await.unwrap();
    assert_eq!(house.look_at_self(&bob.token).await.refused, Some(ErrorKind::Internal));
    assert_eq!(house.try_login("up", "bob", json!({})).await.refused, Some(ErrorKind::Internal));
    house.look_at_self(&eve.token).await.ok();
    assert_eq!(house.list("entity/id").await, [eve.entity]);
}
