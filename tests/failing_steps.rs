//! Operations of many steps over a device that fails at each of their writes, in each way: new shares, a new root key, and
//! the end of token trees too large for one batch. Operations of one step: `failing_writes.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "tests")]

use bulla_physical::failing::Failure;
use bulla_tests::{From, House, Told, texts};
use bulla_types::Operation;
use serde_json::{Value, json};

use Operation::{List, Read, Update};

const WAYS: [Failure; 4] = [Failure::Before, Failure::After, Failure::Torn, Failure::Full];

/// Every write of `last` fails in every way; `judge` sees what was told, and the device under a new server, sealed.
async fn at_each_write<S>(
    begin: impl AsyncFn() -> (House, S),
    last: impl AsyncFn(&House, &S) -> Told,
    judge: impl AsyncFn(House, &S, Told, Failure),
) {
    let mut failures = 0;
    for way in WAYS {
        for n in 1.. {
            let (house, state) = begin().await;
            let before = house.device.writes();
            house.device.fail_at(n, way);
            let told = last(&house, &state).await;
            let met = house.device.writes() >= before + n;
            house.device.disarm();
            judge(house.restarted(), &state, told, way).await;
            if !met {
                assert!(n > 1, "it writes nothing");
                break;
            }
            failures += 1;
        }
    }
    println!("{failures} failures");
}

async fn house_with_a_secret() -> House {
    let house = House::ready(3, 2).await;
    house.root(Update, "cubbyhole/kept", json!({ "k": "kept" })).await.ok();
    house
}

async fn is_whole(house: &House) {
    assert_eq!(house.root(Read, "cubbyhole/kept", json!({})).await.ok()["k"], "kept");
    house.root(Update, "cubbyhole/new", json!({ "k": "v" })).await.ok();
}

/// Gives shares until `needed` are given; the last answer.
async fn give(house: &House, path: &str, shares: &[String], nonce: &Value) -> Told {
    let mut last = None;
    for share in shares {
        last = Some(house.root(Update, path, json!({ "key": share, "nonce": nonce })).await);
    }
    last.unwrap()
}

/// A rekey up to its last share; the state is its nonce.
async fn rekey_begun() -> (House, Value) {
    let house = house_with_a_secret().await;
    let ask = json!({ "secret_shares": 4, "secret_threshold": 3 });
    let nonce = house.root(Update, "sys/rotate/root/init", ask).await.ok()["nonce"].clone();
    give(&house, "sys/rotate/root/update", &house.shares[..1], &nonce).await.ok();
    (house, nonce)
}

/// Whoever is told new shares can unseal with them. Whoever is told of a failure can unseal with the old ones, except when
/// the batch is durable and the device says that it is not: then the new shares are in force and nobody has been told
/// them. Who cannot bear that asks for verification (below).
#[tokio::test]
async fn after_a_rekey_that_fails_the_old_shares_unseal() {
    at_each_write(
        rekey_begun,
        async |house, nonce| give(house, "sys/rotate/root/update", &house.shares[1..2], nonce).await,
        async |house, _, told, way| {
            let old = house.unseals(&house.shares).await;
            if told.refused.is_none() {
                assert!(!old && house.unseals(&texts(&told.body["keys"])).await, "{way:?}: {}", told.body);
                is_whole(&house).await;
            } else if way == Failure::After {
                assert!(!old, "{way:?}");
            } else {
                assert!(old, "{way:?}: {}", told.body);
                is_whole(&house).await;
            }
        },
    )
    .await;
}

/// With verification the new shares are known before they are in force, so that at every moment somebody can unseal.
#[tokio::test]
async fn with_verification_old_or_new_shares_unseal_whatever_fails() {
    let begin = async || {
        let house = house_with_a_secret().await;
        let ask = json!({ "secret_shares": 4, "secret_threshold": 3, "require_verification": true });
        let nonce = house.root(Update, "sys/rotate/root/init", ask).await.ok()["nonce"].clone();
        let done = give(&house, "sys/rotate/root/update", &house.shares[..2], &nonce).await.ok();
        let new = texts(&done["keys"]);
        let nonce = done["verification_nonce"].clone();
        give(&house, "sys/rotate/root/verify", &new[..2], &nonce).await.ok();
        (house, (new, nonce))
    };
    at_each_write(
        begin,
        async |house, (new, nonce)| give(house, "sys/rotate/root/verify", &new[2..3], nonce).await,
        async |house, (new, _), told, way| {
            let old = house.unseals(&house.shares).await;
            assert!(old || house.unseals(new).await, "{way:?}: neither unseals; {}", told.body);
            assert!(told.refused.is_some() || !old, "{way:?}: told that the new shares count, and the old ones do");
            is_whole(&house).await;
        },
    )
    .await;
}

/// The shares stay, whatever becomes of the key behind them.
#[tokio::test]
async fn a_new_root_key_or_data_key_that_fails_locks_nobody_out() {
    for path in ["sys/rotate/root", "sys/rotate", "sys/rotate/keyring"] {
        at_each_write(
            async || (house_with_a_secret().await, ()),
            async |house, ()| house.root(Update, path, json!({})).await,
            async |house, (), told, way| {
                assert!(house.unseals(&house.shares).await, "{path} {way:?}");
                is_whole(&house).await;
                let term = house.root(Read, "sys/key-status", json!({})).await.ok()["term"].as_u64().unwrap();
                let new = if path == "sys/rotate/root" { 1 } else { 2 };
                assert!(term == new || (term == 1 && told.refused.is_some()), "{path} {way:?}: term {term}");
                // The next rotation works, and so do the shares after it.
                house.root(Update, path, json!({})).await.ok();
                let house = house.restarted();
                assert!(house.unseals(&house.shares).await, "{path} {way:?}");
                is_whole(&house).await;
            },
        )
        .await;
    }
}

/// A token with `width` children, the first of which has a child of its own. All but the first are below it.
async fn tree(width: usize) -> (House, Vec<String>) {
    let house = house_with_a_secret().await;
    let policy = "path \"auth/token/*\" { capabilities = [\"update\", \"read\", \"sudo\"] }";
    house.root(Update, "sys/policies/acl/p", json!({ "policy": policy })).await.ok();
    let make = async |parent: &str| {
        let ask = json!({ "policies": ["p"], "ttl": "1h" });
        house.ask(&From::token(parent), Update, "auth/token/create", ask).await.token.unwrap()
    };
    let mut tokens = vec![make(&house.root).await];
    for _ in 0..width {
        tokens.push(make(&tokens[0]).await);
    }
    tokens.push(make(&tokens[1]).await);
    (house, tokens)
}

async fn works(house: &House, token: &str) -> bool {
    house.ask(&From::token(token), Read, "auth/token/lookup-self", json!({})).await.refused.is_none()
}

/// How many of these tokens work.
async fn working(house: &House, tokens: &[String]) -> usize {
    let mut count = 0;
    for token in tokens {
        count += usize::from(works(house, token).await);
    }
    count
}

async fn accessors(house: &House) -> usize {
    texts(&house.root(List, "auth/token/accessors", json!({})).await.ok()["keys"]).len()
}

/// Until only the root token is left, which the workers see to.
async fn until_cleared(house: &House, left: usize) {
    for _ in 0..2_000 {
        if accessors(house).await == left {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("{} tokens are left of {left}", accessors(house).await);
}

/// Also a tree that is ended at once and taken apart batch by batch: the failure then meets a batch, now or later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tree_of_tokens_ends_whole_or_not_at_all() {
    for (width, path) in [(3, "auth/token/revoke"), (520, "auth/token/revoke")] {
        at_each_write_of_a_request(width, path, async |house, tokens, ended, context| {
            let left = working(house, tokens).await;
            assert_eq!(left, if ended { 0 } else { tokens.len() }, "{context}");
            if !ended {
                house.root(Update, path, json!({ "token": tokens[0] })).await.ok();
                assert_eq!(working(house, tokens).await, 0, "{context}");
            }
            until_cleared(house, 1).await;
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn children_become_orphans_all_or_none() {
    for (width, path) in [(3, "auth/token/revoke-orphan"), (520, "auth/token/revoke-orphan")] {
        at_each_write_of_a_request(width, path, async |house, tokens, ended, context| {
            assert_eq!(works(house, &tokens[0]).await, !ended, "{context}");
            assert_eq!(working(house, &tokens[1..]).await, tokens.len() - 1, "{context}");
            if !ended {
                house.root(Update, path, json!({ "token": tokens[0] })).await.ok();
            }
            until_cleared(house, tokens.len()).await;
            assert_eq!(working(house, &tokens[1..]).await, tokens.len() - 1, "{context}");
        })
        .await;
    }
}

/// As [`at_each_write`], for the one batch of the request itself and the first of the workers after it.
async fn at_each_write_of_a_request(width: usize, path: &str, judge: impl AsyncFn(&House, &[String], bool, &str)) {
    // A large tree takes a second to make.
    let (ways, writes) = if width > 500 { (&WAYS[1..3], 2) } else { (&WAYS[..], 3) };
    for way in ways.iter().copied() {
        for n in 1..=writes {
            let (house, tokens) = tree(width).await;
            house.device.fail_at(n, way);
            let told = house.root(Update, path, json!({ "token": tokens[0] })).await;
            let context = format!("{width} children, {path}, write {n} failing {way:?}: {}", told.body);
            assert!(n > 1 || told.refused.is_some() || house.device.armed(), "{context}");
            if n > 1 && width > 500 {
                // The workers meet it; long before that the tree is no more.
                for _ in 0..500 {
                    if !house.device.armed() {
                        break;
                    }
                    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                }
            }
            let house = house.restarted();
            assert!(house.unseals(&house.shares).await, "{context}");
            let ended = !works(&house, &tokens[0]).await;
            assert!(ended || told.refused.is_some(), "answered and lost: {context}");
            judge(&house, &tokens, ended, &context).await;
            is_whole(&house).await;
        }
    }
}
