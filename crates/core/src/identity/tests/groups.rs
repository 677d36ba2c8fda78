//! Groups of groups, and what keeps them in order.

use super::*;
use crate::identity::IdentityStore;
use bulla_barrier::Txn;
use bulla_types::GroupId;

#[tokio::test]
async fn members_come_and_go() {
    let house = House::new().await;
    let a = house.make("entity", json!({ "name": "a" })).await;
    let b = house.make("entity", json!({ "name": "b" })).await;
    let group = house.make("group", json!({ "name": "g", "member_entity_ids": [a, b, a] })).await;
    let path = format!("group/id/{group}");
    let mut both = [a.clone(), b.clone()];
    both.sort();
    assert_eq!(house.read(&path).await["member_entity_ids"], json!(both));
    house.write(&path, json!({ "member_entity_ids": [b] })).await.ok();
    house.write(&path, json!({ "policies": ["p"] })).await.ok();
    assert_eq!(house.read(&path).await["member_entity_ids"], json!([b]), "not named, not changed");
    assert_eq!(house.read(&format!("entity/id/{a}")).await["direct_group_ids"], json!([]));
    let told = house.write(&path, json!({ "member_entity_ids": [b, "nobody"] })).await;
    assert_eq!(told.error(), "invalid entity ID \"nobody\"");
    house.delete(&format!("entity/id/{b}")).await;
    assert_eq!(house.read(&path).await["member_entity_ids"], Value::Null);
    house.delete("group/name/G").await;
    assert!(house.list("group/id").await.is_empty());
}

#[tokio::test]
async fn a_group_is_not_inside_itself() {
    let house = House::new().await;
    let a = house.make("group", json!({ "name": "a" })).await;
    let b = house.make("group", json!({ "name": "b", "member_group_ids": [a] })).await;
    let c = house.make("group", json!({ "name": "c", "member_group_ids": [b] })).await;
    for inside in [&a, &b, &c] {
        let told = house.write(&format!("group/id/{a}"), json!({ "member_group_ids": [inside] })).await;
        assert_eq!(told.error(), format!("cyclic relationship detected for member group ID \"{inside}\""));
    }
    let entity = house.make("entity", json!({ "name": "e" })).await;
    house.write(&format!("group/id/{a}"), json!({ "member_entity_ids": [entity] })).await.ok();
    let seen = house.read(&format!("entity/id/{entity}")).await;
    assert_eq!((&seen["group_ids"], &seen["inherited_group_ids"]), (&json!([a, b, c]), &json!([b, c])));
    house.delete(&format!("group/id/{b}")).await;
    assert_eq!(house.read(&format!("entity/id/{entity}")).await["group_ids"], json!([a]));
    house.write(&format!("group/id/{a}"), json!({ "member_group_ids": [c] })).await.ok();
}

/// A deletion leaves the group in the records of those who are too many for one batch.
#[tokio::test]
async fn a_group_that_is_gone_gives_nothing() {
    let house = House::new().await;
    house.policy("p").await;
    let guest = house.login("bob").await;
    let body = json!({ "name": "g", "policies": ["p"], "member_entity_ids": [guest.entity] });
    let group = house.make("group", body).await;
    assert_eq!(house.may_read(&guest.token, &["secret/p"]).await, [true]);
    let left = async |delete: bool| {
        let pass = house.0.core.gate.pass().unwrap();
        let txn = Txn::begin(&pass).unwrap();
        let store = IdentityStore::of(&pass.owner().state.load_full(), &txn).unwrap();
        let id = GroupId::parse(&group).unwrap();
        if delete {
            store.delete_group(&store.group(id).await.unwrap().unwrap());
        }
        let left = store.members(id, 9).await.unwrap().len();
        txn.commit(()).await.unwrap();
        left
    };
    assert_eq!(left(true).await, 1);
    assert_eq!(house.may_read(&guest.token, &["secret/p"]).await, [false]);
    assert_eq!(house.read(&format!("entity/id/{}", guest.entity)).await["group_ids"], json!([]));
    house.login("bob").await;
    assert_eq!(left(false).await, 0);
}

/// Two changes that are right one by one and a circle together.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_at_the_same_time_make_no_circle() {
    let house = Arc::new(House::new().await);
    for round in 0..50 {
        let a = house.make("group", json!({ "name": format!("a{round}") })).await;
        let b = house.make("group", json!({ "name": format!("b{round}") })).await;
        let put = |above: String, below: String| {
            let house = Arc::clone(&house);
            tokio::spawn(async move {
                house.write(&format!("group/id/{above}"), json!({ "member_group_ids": [below] })).await.refused
            })
        };
        let (one, other) = (put(a.clone(), b.clone()), put(b, a));
        let refused = [one.await.unwrap(), other.await.unwrap()].iter().filter(|r| r.is_some()).count();
        assert_eq!(refused, 1, "round {round}");
    }
}

#[tokio::test]
async fn an_external_group_has_one_alias_and_an_alias_one_group() {
    let house = House::new().await;
    let accessor = house.accessor("up").await;
    let one = house.make("group", json!({ "name": "one", "type": "external" })).await;
    let two = house.make("group", json!({ "name": "two", "type": "external" })).await;
    let alias = |name: &str, group: &str| json!({ "name": name, "mount_accessor": accessor, "canonical_id": group });
    let id = house.make("group-alias", alias("ops", &one)).await;
    assert_eq!(house.write("group-alias", alias("dev", &one)).await.error(), "the group has another alias already");
    // The same alias again, in another case and for another group: it moves.
    assert_eq!(house.make("group-alias", alias("OPS", &two)).await, id);
    assert_eq!(house.read("group/name/one").await["alias"], json!({}));
    assert_eq!(house.read("group/name/two").await["alias"]["name"], "OPS");
    house.make("group-alias", alias("dev", &one)).await;
    let told = house.write(&format!("group-alias/id/{id}"), alias("DEV", &two)).await;
    assert_eq!(told.error(), "alias with combination of mount accessor and name already exists");
    let made = house.write("group-alias", json!({ "name": "new", "mount_accessor": accessor })).await;
    let group = house.read(&format!("group/id/{}", made.text("canonical_id"))).await;
    assert_eq!((&group["type"], &group["alias"]["name"]), (&json!("external"), &json!("new")));
    for (field, value) in [("member_entity_ids", json!(["x"])), ("member_group_ids", json!([one]))] {
        let told = house.write(&format!("group/id/{two}"), json!({ field: value })).await;
        assert_eq!(told.refused, Some(ErrorKind::BadRequest), "{field}");
    }
}

#[tokio::test]
async fn names_mean_the_same_in_any_case() {
    let house = House::new().await;
    for noun in ["entity", "group"] {
        let id = house.make(noun, json!({ "name": "Bob" })).await;
        let found = house.0.write(&format!("identity/lookup/{noun}"), json!({ "name": "bOB" })).await.ok();
        assert_eq!((&found["id"], &found["name"]), (&json!(id), &json!("Bob")), "{noun}");
        let other = house.make(noun, json!({ "name": "eve" })).await;
        let told = house.write(&format!("{noun}/id/{other}"), json!({ "name": "BOB" })).await;
        assert_eq!(told.error(), format!("{noun} name is already in use"));
        house.write(noun, json!({ "name": "BOB" })).await.ok();
        assert_eq!(house.read(&format!("{noun}/id/{id}")).await["name"], "BOB", "{noun}");
        assert_eq!(house.list(&format!("{noun}/name")).await, ["BOB", "eve"]);
        house.write(&format!("{noun}/id/{id}"), json!({ "name": "carl" })).await.ok();
        house.make(noun, json!({ "name": "bob" })).await;
    }
}
