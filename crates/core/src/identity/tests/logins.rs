//! From a login to its entity.

use super::*;
use crate::identity::{IdentityStore, of_login};
use bulla_barrier::Txn;
use std::collections::HashSet;

const ROUNDS: usize = 200;
const AT_ONCE: usize = 50;

/// `name` with some of its letters in capitals, as the number says.
fn spelled(name: &str, number: usize) -> String {
    name.chars().enumerate().map(|(at, c)| if number >> at & 1 == 1 { c.to_ascii_uppercase() } else { c }).collect()
}

/// In one such server each of several first logins at the same time made an entity of its own, and which of them counted
/// was a matter of luck.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn first_logins_at_the_same_time_make_one_entity() {
    let house = Arc::new(House::new().await);
    let mut all = HashSet::new();
    for round in 0..ROUNDS {
        let logins: Vec<_> = (0..AT_ONCE)
            .map(|number| {
                let (house, name) = (Arc::clone(&house), spelled(&format!("somebody-{round}"), number * 7 + round));
                // Batch tokens keep the token store out of it: only the entity is written.
                tokio::spawn(async move { house.login_with("up", &name, json!({ "batch": true })).await.entity })
            })
            .collect();
        let mut entities = HashSet::new();
        for login in logins {
            entities.insert(login.await.unwrap());
        }
        assert_eq!(entities.len(), 1, "round {round}");
        all.extend(entities);
    }
    assert_eq!(all.len(), ROUNDS);
    house.restart().await;
    let listed: HashSet<String> = house.list("entity/id").await.into_iter().collect();
    assert_eq!(listed, all);
    assert_eq!(house.list("entity/name").await.len(), ROUNDS);
    assert_eq!(house.list("entity-alias/id").await.len(), ROUNDS);
    assert!(all.contains(&house.login("SOMEBODY-0").await.entity));
}

#[tokio::test]
async fn a_name_is_another_on_another_mount() {
    let house = House::new().await;
    let here = house.login_with("up", "bob", json!({})).await;
    let there = house.login_with("other", "bob", json!({})).await;
    assert_ne!(here.entity, there.entity);
}

#[tokio::test]
async fn a_login_that_changes_nothing_writes_nothing() {
    let house = House::new().await;
    house.make("group", json!({ "name": "g", "type": "external" })).await;
    let alias = json!({ "name": "ops", "mount_accessor": house.accessor("up").await });
    let group = house.read("group/name/g").await["id"].clone();
    let with = json!({ "canonical_id": group, "name": alias["name"], "mount_accessor": alias["mount_accessor"] });
    house.write("group-alias", with).await.ok();
    let body = json!({ "metadata": { "a": "1", "b": "2" }, "groups": ["ops"] });
    house.login_with("up", "bob", body).await;

    let writes = async |metadata: &[(&str, &str)], groups: &[&str]| {
        let pass = house.0.core.gate.pass().unwrap();
        let state = pass.owner().state.load_full();
        let txn = Txn::begin(&pass).unwrap();
        let store = IdentityStore::of(&state, &txn).unwrap();
        let metadata = metadata.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let claim = AliasClaim { name: "BOB".into(), metadata };
        let groups: Vec<String> = groups.iter().map(|g| (*g).to_owned()).collect();
        let mount = &state.mounts.at("auth/up/").unwrap().record;
        of_login(&store, mount, &claim, &groups, bulla_types::Time(7)).await.unwrap();
        txn.has_writes()
    };
    assert!(!writes(&[("b", "2"), ("a", "1")], &["ops", "unknown"]).await, "the same in another order");
    assert!(writes(&[("a", "1"), ("b", "3")], &["ops"]).await, "another value");
    assert!(writes(&[("a", "1")], &["ops"]).await, "a value less");
    assert!(writes(&[("a", "1"), ("b", "2")], &[]).await, "a group less");
}

/// ID-05: an alias was looked up by its name alone, and logins on one mount overwrote what another mount had said.
#[tokio::test]
async fn id_05_each_mount_has_its_own_metadata() {
    let house = House::new().await;
    let entity = house.login_with("up", "bob", json!({ "metadata": { "team": "up" } })).await.entity;
    let other = house.accessor("other").await;
    house.make("entity-alias", json!({ "name": "bob", "canonical_id": entity, "mount_accessor": other })).await;
    for _ in 0..2 {
        for mount in ["other", "up"] {
            let guest = house.login_with(mount, "bob", json!({ "metadata": { "team": mount } })).await;
            assert_eq!(guest.entity, entity);
        }
    }
    let seen = house.read(&format!("entity/id/{entity}")).await;
    for alias in seen["aliases"].as_array().unwrap() {
        assert_eq!(alias["mount_path"], format!("auth/{}/", alias["metadata"]["team"].as_str().unwrap()));
    }
    assert_eq!(seen["aliases"].as_array().unwrap().len(), 2);
}

/// ID-06: who was taken out of the last of their groups in the directory kept the groups' policies, as an empty list was
/// taken for no news.
#[tokio::test]
async fn id_06_a_login_without_groups_leaves_them() {
    let house = House::new().await;
    house.policy("p").await;
    for (name, mount) in [("here", "up"), ("there", "other")] {
        let group = house.make("group", json!({ "name": name, "type": "external", "policies": ["p"] })).await;
        let accessor = house.accessor(mount).await;
        let alias = json!({ "name": "ops", "mount_accessor": accessor, "canonical_id": group });
        house.write("group-alias", alias).await.ok();
    }
    let first = house.login_with("up", "bob", json!({ "groups": ["OPS"] })).await;
    assert_eq!(house.may_read(&first.token, &["secret/p"]).await, [true]);
    let group = house.read("group/name/here").await;
    assert_eq!(group["member_entity_ids"], json!([first.entity]));
    assert_eq!(house.read("group/name/there").await["member_entity_ids"], Value::Null, "another mount's");

    let second = house.login_with("up", "bob", json!({ "groups": [] })).await;
    for token in [&first.token, &second.token] {
        assert_eq!(house.may_read(token, &["secret/p"]).await, [false]);
    }
    assert_eq!(house.read("group/name/here").await["member_entity_ids"], Value::Null);
}

#[tokio::test]
async fn a_login_touches_no_groups_but_its_own_mounts() {
    let house = House::new().await;
    let entity = house.login("bob").await.entity;
    let other = house.accessor("other").await;
    house.make("entity-alias", json!({ "name": "rob", "canonical_id": entity, "mount_accessor": other })).await;
    house.make("group", json!({ "name": "inside", "member_entity_ids": [entity] })).await;
    let group = house.make("group", json!({ "name": "outside", "type": "external" })).await;
    house.write("group-alias", json!({ "name": "ops", "mount_accessor": other, "canonical_id": group })).await.ok();
    house.login_with("other", "rob", json!({ "groups": ["ops"] })).await;
    house.login("bob").await;
    for name in ["inside", "outside"] {
        assert_eq!(house.read(&format!("group/name/{name}")).await["member_entity_ids"], json!([entity]), "{name}");
    }
}
