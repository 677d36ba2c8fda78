//! Several entities become one.

use super::*;

async fn merge(house: &House, from: &[&str], to: &str, keep: &[&str]) -> Told {
    let body = json!({ "from_entity_ids": from, "to_entity_id": to, "conflicting_alias_ids_to_keep": keep });
    house.write("entity/merge", body).await
}

async fn aliases(house: &House, entity: &str) -> Vec<(String, String)> {
    let seen = house.read(&format!("entity/id/{entity}")).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    seen["aliases"].as_array().unwrap().iter().map(|a| (text(&a["name"]), text(&a["id"]))).collect()
}

#[tokio::test]
async fn aliases_groups_and_live_tokens_move() {
    let house = House::new().await;
    house.policy("p").await;
    let a = house.login_with("up", "a", json!({})).await;
    let b = house.login_with("other", "b", json!({})).await;
    let group = json!({ "name": "g", "policies": ["p"], "member_entity_ids": [a.entity] });
    house.make("group", group).await;
    house.write(&format!("entity/id/{}", a.entity), json!({ "policies": ["of-a"] })).await.ok();
    merge(&house, &[&a.entity], &b.entity, &[]).await.ok();
    house.restart().await;

    assert_eq!(house.read("group/name/g").await["member_entity_ids"], json!([b.entity]));
    let seen = house.read(&format!("entity/id/{}", b.entity)).await;
    assert_eq!(seen["merged_entity_ids"], json!([a.entity]));
    assert_eq!(seen["policies"], json!([]), "the others' policies are not taken over");
    assert_eq!(house.login_with("up", "A", json!({})).await.entity, b.entity);
    for token in [&a.token, &b.token] {
        assert_eq!(house.may_read(token, &["secret/p"]).await, [true]);
    }
    assert_eq!(house.list("entity/id").await, [b.entity.as_str()]);

    // And on: whoever became part of b becomes part of what b becomes.
    let c = house.make("entity", json!({ "name": "c" })).await;
    merge(&house, &[&b.entity], &c, &[]).await.ok();
    assert_eq!(house.may_read(&a.token, &["secret/p"]).await, [true]);
    house.delete(&format!("entity/id/{c}")).await;
    for token in [&a.token, &b.token] {
        assert_eq!(house.look_at_self(token).await.refused, Some(ErrorKind::Denied));
    }
}

#[tokio::test]
async fn of_two_aliases_on_one_mount_the_caller_says_which_is_kept() {
    let house = House::new().await;
    let a = house.login("a").await.entity;
    let b = house.login("b").await.entity;
    let c = house.login_with("other", "c", json!({})).await.entity;
    let d = house.login_with("other", "d", json!({})).await.entity;
    let e = house.make("entity", json!({ "name": "e" })).await;
    let (of_a, of_b) = (aliases(&house, &a).await, aliases(&house, &b).await);

    // Between the two, and between two that are both to become part of a third.
    for (from, to, keep) in [
        (vec![a.as_str()], b.as_str(), vec![]),
        (vec![a.as_str()], b.as_str(), vec![of_a[0].1.as_str(), of_b[0].1.as_str()]),
        (vec![c.as_str(), d.as_str()], e.as_str(), vec![]),
        (vec![c.as_str(), d.as_str()], e.as_str(), vec![of_a[0].1.as_str()]),
    ] {
        let told = merge(&house, &from, to, &keep).await;
        assert!(told.error().contains("same mount accessor"), "{}", told.body);
    }
    assert_eq!(house.list("entity/id").await.len(), 5, "nothing has happened");
    assert_eq!((aliases(&house, &a).await, aliases(&house, &b).await), (of_a.clone(), of_b));

    merge(&house, &[&a], &b, &[&of_a[0].1]).await.ok();
    assert_eq!(aliases(&house, &b).await, of_a);
    assert_eq!(house.login("a").await.entity, b);
    assert_ne!(house.login("b").await.entity, b, "its alias is gone");
}

#[tokio::test]
async fn merging_names_what_is_missing() {
    let house = House::new().await;
    let a = house.make("entity", json!({ "name": "a" })).await;
    for (from, to, error) in [
        (vec![], "", "missing entity id to merge to"),
        (vec![], a.as_str(), "missing entity ids to merge from"),
        (vec![a.as_str()], "nobody", "entity id to merge to is invalid"),
        (vec!["nobody"], a.as_str(), "entity id to merge from is invalid"),
        (vec![a.as_str()], a.as_str(), "to_entity_id should not be present in from_entity_ids"),
    ] {
        assert_eq!(merge(&house, &from, to, &[]).await.error(), error);
    }
}
