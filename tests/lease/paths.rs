//! Who may do what to which lease: the path that policy sees is the path that counts.

use crate::house::{House, LIST, READ, UPDATE};
use bulla_types::RequestPath;
use serde_json::json;

/// TOK-08: the right to revoke secrets' leases was a right to revoke tokens.
#[tokio::test]
async fn tok_08_a_right_over_one_folder_is_none_over_tokens() {
    let house = House::new().await;
    house.auth("door").await;
    let token = house.ask(UPDATE, "auth/door/login/bob", "", json!({ "ttl": "1h" })).await.text("/auth/client_token");
    house
        .policy(
            "revoker",
            r#"path "sys/leases/revoke-prefix/db/*" { capabilities = ["update", "sudo"] }
               path "sys/leases/revoke-force/db/*" { capabilities = ["update", "sudo"] }"#,
        )
        .await;
    let made = house.write("auth/token/create", json!({ "policies": ["revoker"] })).await;
    let revoker = made.text("/auth/client_token");
    for way in ["revoke-prefix", "revoke-force"] {
        for prefix in ["auth", "auth/door", "auth/door/login/bob", "d", "auth/token"] {
            let path = format!("sys/leases/{way}/{prefix}");
            assert_eq!(house.ask(UPDATE, &path, &revoker, json!({ "sync": true })).await.code, 403, "{path}");
        }
        for path in ["db/../auth", "../auth", "db/./../auth", "db//../auth"] {
            assert!(RequestPath::parse(&format!("sys/leases/{way}/{path}")).is_err(), "{path}");
        }
        let asked = json!({ "sync": true, "prefix": "auth" });
        let got = house.ask(UPDATE, &format!("sys/leases/{way}/db/creds"), &revoker, asked).await;
        assert!(got.code < 300, "{}", got.body);
        assert!(house.alive(&token).await && house.alive(&revoker).await);
        let got = house.ask(UPDATE, &format!("sys/{way}/db/creds"), &revoker, json!({})).await;
        assert_eq!(got.code, 403, "the older path is a path of its own");
    }
}

/// Folders and lists need sudo on every spelling of their path.
#[tokio::test]
async fn what_needs_sudo_needs_it_everywhere() {
    let house = House::new().await;
    let secret = house.secret("db/creds/reader", &house.root, json!({})).await;
    let token = house.token(&house.root, json!({})).await;
    for path in
        ["sys/leases/revoke-prefix/db", "sys/leases/revoke-force/db", "sys/revoke-prefix/db", "sys/revoke-force/db"]
    {
        assert_eq!(house.ask(UPDATE, path, &token, json!({})).await.code, 403, "{path}");
    }
    for path in ["sys/leases/lookup/db", "sys/leases/lookup"] {
        assert_eq!(house.ask(LIST, path, &token, json!({})).await.code, 403, "{path}");
    }
    assert_eq!(house.ask(READ, "sys/leases", &token, json!({ "type": "irrevocable" })).await.code, 403);
    for (path, body) in [
        ("sys/leases/lookup", json!({ "lease_id": secret.lease })),
        ("sys/leases/renew", json!({ "lease_id": secret.lease })),
        ("sys/renew", json!({ "lease_id": secret.lease })),
    ] {
        assert_eq!(house.ask(UPDATE, path, "", body.clone()).await.code, 403, "{path}");
        assert_eq!(house.ask(UPDATE, path, &token, body).await.code, 200, "{path}");
    }
    assert!(house.is_lease(&secret.lease).await);
}

/// Older clients and scripts have the paths without `leases/`: they do the same, not something like it.
#[tokio::test]
async fn the_older_paths_do_the_same() {
    for base in ["sys/leases", "sys"] {
        let mut house = House::new().await;
        let secret = async || house.secret("db/creds/reader", &house.root, json!({ "ttl": 60 })).await;
        let ask = async |path: &str, body| house.write(&format!("{base}/{path}"), body).await;
        let (a, b, c, d) = (secret().await, secret().await, secret().await, secret().await);
        let renewed = ask("renew", json!({ "lease_id": a.lease, "increment": 90 })).await;
        assert_eq!((renewed.code, renewed.number("/lease_duration")), (200, 90), "{base}");
        let renewed = ask(&format!("renew/{}", b.lease), json!({ "increment": 80 })).await;
        assert_eq!((renewed.code, renewed.text("/lease_id")), (200, b.lease.clone()), "{base}");
        assert_eq!(ask("renew", json!({})).await.error(), "lease_id must be specified");
        assert_eq!(ask("revoke", json!({})).await.error(), "lease_id must be specified");
        assert_eq!(ask("renew/db/creds/reader/none", json!({})).await.error(), "lease not found");
        assert_eq!(ask("revoke", json!({ "lease_id": a.lease, "sync": true })).await.code, 204, "{base}");
        assert_eq!(ask(&format!("revoke/{}", b.lease), json!({ "sync": true })).await.code, 204, "{base}");
        let works = |secret: &crate::house::Secret| house.world.works(&secret.account);
        assert_eq!([works(&a), works(&b), works(&c), works(&d)], [false, false, true, true], "{base}");
        assert_eq!(ask("revoke-prefix/db/creds/reader", json!({ "sync": true })).await.code, 204, "{base}");
        assert_eq!((works(&c), works(&d)), (false, false), "{base}");
        let e = secret().await;
        house.world.behave(bulla_testkit::Behaviour::Refuses);
        let failed = ask("revoke", json!({ "lease_id": e.lease, "sync": true })).await;
        assert!(failed.code == 400 && failed.error().starts_with("failed to revoke"), "{base}: {}", failed.body);
        assert_eq!(ask("revoke-force/db", json!({})).await.code, 204, "{base}");
        house.work().await;
        assert!(!house.is_lease(&e.lease).await && house.list("db").await.is_empty(), "{base}");
    }
}

/// NS-08, NS-09: an id in the body chose another lease than the path that policy had seen.
#[tokio::test]
async fn ns_09_the_path_names_the_lease_and_the_body_does_not() {
    let house = House::new().await;
    house.mount("other").await;
    for base in ["sys/leases", "sys"] {
        let allowed = house.secret("db/creds/reader", &house.root, json!({})).await;
        let target = house.secret("other/creds/reader", &house.root, json!({})).await;
        house
            .policy(
                "db-only",
                &format!(
                    r#"path "{base}/revoke/db/*" {{ capabilities = ["update"] }}
                       path "{base}/renew/db/*" {{ capabilities = ["update"] }}"#
                ),
            )
            .await;
        let made =
            house.write("auth/token/create", json!({ "policies": ["db-only"], "no_default_policy": true })).await;
        let token = made.text("/auth/client_token");
        for action in ["renew", "revoke"] {
            let path = format!("{base}/{action}/{}", allowed.lease);
            let body = json!({ "lease_id": target.lease, "url_lease_id": target.lease, "increment": 10, "sync": true });
            let got = house.ask(UPDATE, &path, &token, body).await;
            assert!(got.code < 300, "{}", got.body);
            let path = format!("{base}/{action}/{}", target.lease);
            assert_eq!(house.ask(UPDATE, &path, &token, json!({})).await.code, 403);
            let path = format!("{base}/{action}");
            assert_eq!(house.ask(UPDATE, &path, &token, json!({ "lease_id": target.lease })).await.code, 403);
        }
        assert!(house.world.works(&target.account) && !house.world.works(&allowed.account));
        assert_eq!(house.lookup(&target.lease).await.number("/data/ttl"), target.ttl);
    }
}

/// The last segment finds a lease, but only at the place where it is: an id cannot be put below an allowed path.
#[tokio::test]
async fn a_lease_is_not_found_at_a_path_that_is_not_its_own() {
    let house = House::new().await;
    house.auth("door").await;
    house.mount("other").await;
    let secret = house.secret("other/creds/reader", &house.root, json!({})).await;
    house.ask(UPDATE, "auth/door/login/bob", "", json!({ "ttl": "1h" })).await;
    let tail = secret.lease.rsplit('/').next().unwrap();
    let token_tail = house.list("auth/door/login/bob").await.remove(0);
    for id in [
        format!("db/creds/reader/{tail}"),
        format!("other/creds/{tail}"),
        format!("other/creds/reader/x/{tail}"),
        tail.to_owned(),
        format!("/{}", secret.lease),
        format!("db/creds/reader/{token_tail}"),
        token_tail,
    ] {
        assert!(!house.is_lease(&id).await, "{id}");
        assert_eq!(house.renew(&id, None).await.error(), "lease not found");
        assert_eq!(house.revoke(&id, true).await.code, 204);
    }
    assert!(house.is_lease(&secret.lease).await);
    assert_eq!(house.list("auth/door/login/bob").await.len(), 1);
}

/// TOK-09: ids with dots were cut at the dot.
#[tokio::test]
async fn tok_09_dots_and_strange_names_are_only_names() {
    let mut house = House::new().await;
    for mount in ["d.b", "a.b/c.d", "x-y_z"] {
        house.mount(mount).await;
        for role in ["r.1", "..r", "r.", "ünïcode", "a b", "hAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
            let path = format!("{mount}/creds/{role}");
            let ways: [&str; 3] = ["id", "folder", "token"];
            for way in ways {
                let token = house.token(&house.root, json!({})).await;
                let secret = house.secret(&path, &token, json!({})).await;
                assert!(house.is_lease(&secret.lease).await, "{}", secret.lease);
                let got = match way {
                    "id" => house.revoke(&secret.lease, true).await,
                    "folder" => house.write(&format!("sys/leases/revoke-prefix/{path}"), json!({ "sync": true })).await,
                    _ => house.write("auth/token/revoke", json!({ "token": token })).await,
                };
                assert_eq!(got.code, 204, "{way} {}: {}", secret.lease, got.body);
                house.work().await;
                assert!(!house.world.works(&secret.account), "{way} {}", secret.lease);
            }
        }
    }
}

/// Strange values are refused or find nothing.
#[tokio::test]
async fn ids_of_other_types_find_nothing() {
    let house = House::new().await;
    for id in
        [json!(1), json!(true), json!(["db"]), json!({ "a": 1 }), json!("\u{0}"), json!("/"), json!("//"), json!(" ")]
    {
        let got = house.write("sys/leases/lookup", json!({ "lease_id": id })).await;
        assert_eq!(got.code, 400, "{id}: {}", got.body);
    }
}
