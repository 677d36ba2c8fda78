//! What a token may hand on.

use crate::bench::{Bench, DELETE, READ, UPDATE, With};
use serde_json::json;

const MAKER: &str = r#"
    path "auth/token/create" { capabilities = ["update"] }
    path "auth/token/lookup-self" { capabilities = ["read"] }
"#;

/// TOK-01: a child got `default` although its parent lacked it.
#[tokio::test]
async fn a_child_never_has_more_policies_than_its_parent() {
    let bench = Bench::new().await;
    bench.policy("p", MAKER).await;
    let parent = bench.make(&bench.root, json!({ "policies": ["p"], "no_default_policy": true })).await;
    for ask in [json!({}), json!({ "policies": ["p", "default"] }), json!({ "policies": ["p"] })] {
        let child = bench.ask(UPDATE, "auth/token/create", &parent, ask.clone()).await;
        assert_eq!((child.code, &child.body["auth"]["policies"]), (200, &json!(["p"])), "{ask}");
    }
    for ask in [json!({ "policies": ["other"] }), json!({ "policies": ["root"] })] {
        assert_eq!(bench.ask(UPDATE, "auth/token/create", &parent, ask.clone()).await.code, 400, "{ask}");
    }
    for ask in [json!({ "no_parent": true }), json!({ "period": 60 }), json!({ "id": "mine" })] {
        assert_eq!(bench.ask(UPDATE, "auth/token/create", &parent, ask.clone()).await.code, 400, "{ask}");
    }
}

/// Every use of a token reads all that are above it, and nothing limited how many that were: whoever could make tokens made
/// requests as slow as they liked.
#[tokio::test]
async fn a_chain_of_tokens_has_an_end() {
    let bench = Bench::new().await;
    bench.policy("p", MAKER).await;
    let make = async |parent: &str, ask| bench.ask(UPDATE, "auth/token/create", parent, ask).await;
    let mut chain = vec![bench.root.clone()];
    for depth in 1..=100 {
        let made = make(chain.last().unwrap(), json!({ "policies": ["p"] })).await;
        assert_eq!(made.code, 200, "{depth}: {}", made.body);
        chain.push(made.token());
    }
    let last = chain.last().unwrap();
    assert_eq!(bench.look(last).await, 200, "the last one works as any other");
    for ask in [json!({ "policies": ["p"] }), json!({ "policies": ["p"], "type": "batch" })] {
        let refused = make(last, ask).await;
        let text = refused.body["errors"][0].as_str().unwrap_or_default().to_owned();
        assert!(refused.code == 400 && text.contains("at most 100 tokens above it"), "{}", refused.body);
    }
    assert_eq!(bench.look(last).await, 200);
    // A batch token counts as any other, and an orphan has nothing above it.
    let batch = make(&chain[99], json!({ "policies": ["p"], "type": "batch" })).await.token();
    assert_eq!(bench.look(&batch).await, 200);
    let orphan = make(&bench.root, json!({ "policies": ["p"], "no_parent": true })).await.token();
    assert_eq!(make(&orphan, json!({ "policies": ["p"] })).await.code, 200);
    // Where the chain is cut, there is room again.
    let cut = bench.ask(UPDATE, "auth/token/revoke-orphan", &bench.root, json!({ "token": chain[50] })).await;
    assert_eq!(cut.code, 204, "{}", cut.body);
    assert_eq!(make(last, json!({ "policies": ["p"] })).await.code, 200);
    // And it goes as a whole.
    assert_eq!(bench.ask(UPDATE, "auth/token/revoke", &bench.root, json!({ "token": chain[51] })).await.code, 204);
    assert_eq!((bench.look(last).await, bench.look(&chain[49]).await), (403, 200));
}

/// `::ffff:10.0.0.1` is how a socket for both families shows `10.0.0.1`: a binding in one spelling shut the other out.
#[tokio::test]
async fn an_address_has_two_spellings_and_one_meaning() {
    let bench = Bench::new().await;
    let look = async |token: &str, ip: &'static str| {
        let from = With { from: Some(ip), ..With::default() };
        bench.ask_with(READ, "auth/token/lookup-self", token, json!({}), from).await.code
    };
    for bound in ["10.0.0.0/8", "::ffff:10.0.0.0/104", "10.0.0.1", "::ffff:10.0.0.1", "::ffff:a00:1/128"] {
        let role = json!({ "token_bound_cidrs": bound, "allowed_policies": "default" });
        assert_eq!(bench.ask(UPDATE, "auth/token/roles/r", &bench.root, role).await.code, 204, "{bound}");
        let token = bench.ask(UPDATE, "auth/token/create/r", &bench.root, json!({})).await.token();
        for inside in ["10.0.0.1", "::ffff:10.0.0.1", "::ffff:a00:1"] {
            assert_eq!(look(&token, inside).await, 200, "{bound} {inside}");
        }
        for outside in ["11.0.0.1", "::ffff:11.0.0.1", "::10.0.0.1", "::1"] {
            assert_eq!(look(&token, outside).await, 403, "{bound} {outside}");
        }
    }
    let shown = bench.ask(READ, "auth/token/roles/r", &bench.root, json!({})).await;
    assert_eq!(shown.body["data"]["token_bound_cidrs"], json!(["10.0.0.1"]));
    for (count, code) in [(1000, 204), (1001, 400)] {
        let role = json!({ "token_bound_cidrs": vec!["10.0.0.1"; count] });
        assert_eq!(bench.ask(UPDATE, "auth/token/roles/many", &bench.root, role).await.code, code, "{count}");
    }
}

/// An id with a line break, a space or an umlaut made a token that no header carries.
#[tokio::test]
async fn a_chosen_id_can_be_sent() {
    let bench = Bench::new().await;
    let make = async |id: &str| {
        bench.ask(UPDATE, "auth/token/create", &bench.root, json!({ "id": id, "policies": ["default"] })).await
    };
    for id in ["a", "my-own-token_id", "!\"#$%&'()*+,-/:;<=>?@[\\]^_`{|}~", &"x".repeat(1024)] {
        let made = make(id).await;
        assert_eq!((made.code, made.token().as_str()), (200, id));
        assert_eq!(bench.look(id).await, 200, "{id}");
    }
    for id in [
        " ",
        "a b",
        " a",
        "a ",
        "a\nb",
        "a\r\nX-Vault-Token: b",
        "a\t",
        "\u{0}",
        "a\u{7f}",
        "ä",
        "a\u{a0}",
        "\u{202e}a",
        &"x".repeat(1025),
    ] {
        let refused = make(id).await;
        let text = refused.body["errors"][0].as_str().unwrap_or_default().to_owned();
        assert!(refused.code == 400 && text.starts_with("custom token ID"), "{id:?}: {}", refused.body);
        assert_eq!(bench.look(id).await, 403, "{id:?}");
    }
}

#[tokio::test]
async fn nobody_makes_a_wrapping_token_by_hand() {
    let bench = Bench::new().await;
    let ask = json!({ "policies": ["response-wrapping"] });
    assert_eq!(bench.ask(UPDATE, "auth/token/create", &bench.root, ask).await.code, 400);
}

/// TOK-04: addresses were not handed on, so a child could be used from anywhere.
#[tokio::test]
async fn a_child_is_bound_to_its_parents_addresses() {
    let bench = Bench::new().await;
    bench.policy("p", r#"path "auth/token/*" { capabilities = ["read", "update", "sudo"] }"#).await;
    for (role, cidr) in [("inside", "10.1.0.0/16"), ("around", "0.0.0.0/0"), ("elsewhere", "192.168.0.0/16")] {
        let path = format!("auth/token/roles/{role}");
        let made = bench.ask(UPDATE, &path, &bench.root, json!({ "token_bound_cidrs": cidr })).await;
        assert_eq!(made.code, 204, "{}", made.body);
    }
    let role = json!({ "token_bound_cidrs": "10.0.0.0/8", "allowed_policies": "p" });
    bench.ask(UPDATE, "auth/token/roles/ten", &bench.root, role).await;
    let parent = bench.ask(UPDATE, "auth/token/create/ten", &bench.root, json!({})).await.token();
    let from = |ip| With { from: Some(ip), ..With::default() };
    let look =
        async |token: &str, ip| bench.ask_with(READ, "auth/token/lookup-self", token, json!({}), from(ip)).await.code;
    assert_eq!((look(&parent, "10.9.9.9").await, look(&parent, "127.0.0.1").await), (200, 403));
    assert_eq!(bench.look(&parent).await, 403, "an unknown address is not an allowed one");
    let make = async |path: &str| bench.ask_with(UPDATE, path, &parent, json!({}), from("10.9.9.9")).await;
    for path in ["auth/token/create", "auth/token/create-orphan", "auth/token/create/around"] {
        let child = make(path).await.token();
        assert_eq!((look(&child, "10.9.9.9").await, look(&child, "127.0.0.1").await), (200, 403), "{path}");
    }
    let narrower = make("auth/token/create/inside").await.token();
    assert_eq!((look(&narrower, "10.1.0.1").await, look(&narrower, "10.9.9.9").await), (200, 403));
    assert_eq!(make("auth/token/create/elsewhere").await.code, 400);
}

/// A role is chosen by the path, which policy has seen, never by the body.
#[tokio::test]
async fn the_body_does_not_choose_the_role() {
    let bench = Bench::new().await;
    bench.policy("p", MAKER).await;
    bench.ask(UPDATE, "auth/token/roles/strong", &bench.root, json!({ "allowed_policies": "secret" })).await;
    let token = bench.make(&bench.root, json!({ "policies": ["p"] })).await;
    let ask = json!({ "role_name": "strong", "policies": ["secret"] });
    assert_eq!(bench.ask(UPDATE, "auth/token/create", &token, ask).await.code, 400);
    assert_eq!(bench.ask(UPDATE, "auth/token/create/strong", &token, json!({})).await.code, 403);
}

/// Even a role that lists `root` makes no root token for anybody else.
#[tokio::test]
async fn a_role_does_not_make_root_tokens_for_others() {
    let bench = Bench::new().await;
    bench.policy("p", r#"path "auth/token/create/*" { capabilities = ["update", "sudo"] }"#).await;
    bench.ask(UPDATE, "auth/token/roles/r", &bench.root, json!({ "allowed_policies": "root,p" })).await;
    let token = bench.make(&bench.root, json!({ "policies": ["p"] })).await;
    for ask in [json!({ "policies": ["root"] }), json!({ "policies": ["root"], "ttl": 60 })] {
        let made = bench.ask(UPDATE, "auth/token/create/r", &token, ask).await;
        assert_eq!(made.code, 400, "{}", made.body);
    }
    // `root` stands alone in a list, as upstream: the role allows nothing else.
    let other = bench.ask(UPDATE, "auth/token/create/r", &token, json!({ "policies": ["p"] })).await;
    assert_eq!(other.code, 400, "{}", other.body);
}

#[tokio::test]
async fn a_role_has_the_last_word_on_uses_and_renewal() {
    let bench = Bench::new().await;
    let role = json!({ "token_num_uses": 2, "renewable": false });
    bench.ask(UPDATE, "auth/token/roles/r", &bench.root, role).await;
    for (asked, given) in [(0, 2), (1, 1), (2, 2), (3, 2)] {
        let ask = json!({ "policies": ["default"], "num_uses": asked });
        let made = bench.ask(UPDATE, "auth/token/create/r", &bench.root, ask).await;
        assert_eq!((&made.body["auth"]["num_uses"], &made.body["auth"]["renewable"]), (&json!(given), &json!(false)));
    }
    let token = bench.ask(UPDATE, "auth/token/create/r", &bench.root, json!({ "policies": ["default"] })).await.token();
    assert_eq!((bench.look(&token).await, bench.look(&token).await, bench.look(&token).await), (200, 200, 403));
    assert_eq!(bench.ask(DELETE, "auth/token/roles/r", &bench.root, json!({})).await.code, 204);
    assert_eq!(bench.ask(UPDATE, "auth/token/create/r", &bench.root, json!({})).await.code, 400);
}
