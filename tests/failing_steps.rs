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

/// Shares and threshold before a rekey and after it, the larger threshold now here and now there.
const CHANGES: [((usize, usize), (usize, usize)); 4] =
    [((3, 2), (4, 3)), ((4, 3), (3, 2)), ((1, 1), (3, 2)), ((3, 3), (1, 1))];

/// A rekey up to its last share; the state is its nonce.
async fn rekey_begun(from: (usize, usize), to: (usize, usize)) -> (House, Value) {
    let house = House::ready(from.0, from.1).await;
    house.root(Update, "cubbyhole/kept", json!({ "k": "kept" })).await.ok();
    let ask = json!({ "secret_shares": to.0, "secret_threshold": to.1 });
    let nonce = house.root(Update, "sys/rotate/root/init", ask).await.ok()["nonce"].clone();
    if from.1 > 1 {
        give(&house, "sys/rotate/root/update", &house.shares[..from.1 - 1], &nonce).await.ok();
    }
    (house, nonce)
}

async fn last_share(house: &House, nonce: &Value) -> Told {
    let last = house.threshold - 1;
    give(house, "sys/rotate/root/update", &house.shares[last..=last], nonce).await
}

/// These shares unseal, now and after the next restart, and those never again.
async fn only(house: House, these: &[String], those: &[String], context: &str) {
    assert!(house.unseals(these).await, "{context}");
    is_whole(&house).await;
    let house = house.restarted();
    assert!(!house.unseals(those).await, "{context}");
    assert!(house.unseals(these).await, "{context}");
    is_whole(&house).await;
}

/// Whoever is told new shares can unseal with them, and with no others. Whoever is told of a failure can unseal with the old
/// ones, also when the batch is durable and the device says that it is not.
#[tokio::test]
async fn after_a_rekey_those_shares_unseal_that_somebody_knows() {
    for (from, to) in CHANGES {
        at_each_write(
            async || rekey_begun(from, to).await,
            async |house, nonce| last_share(house, nonce).await,
            async |house, _, told, way| {
                let context = format!("{from:?} to {to:?}, {way:?}: {}", told.body);
                let old = house.shares.clone();
                match told.refused {
                    None => only(house, &texts(&told.body["keys"]), &old, &context).await,
                    Some(_) => only(house, &old, &[], &context).await,
                }
            },
        )
        .await;
    }
}

/// The answer is on its way when the server dies: nobody knows the new shares.
#[tokio::test]
async fn new_shares_that_nobody_was_told_lock_nobody_out() {
    for (from, to) in CHANGES {
        at_each_write(
            async || {
                let (mut house, nonce) = rekey_begun(from, to).await;
                house.loses_answers = true;
                (house, nonce)
            },
            async |house, nonce| last_share(house, nonce).await,
            async |house, _, told, way| {
                let lost = if told.refused.is_none() { texts(&told.body["keys"]) } else { Vec::new() };
                let (old, context) = (house.shares.clone(), format!("{from:?} to {to:?}, {way:?}"));
                only(house, &old, &lost, &context).await;
            },
        )
        .await;
    }
}

/// A rekey whose answer was lost, and the new shares.
async fn rekey_lost(from: (usize, usize), to: (usize, usize)) -> (House, Vec<String>) {
    let (mut house, nonce) = rekey_begun(from, to).await;
    house.loses_answers = true;
    let new = texts(&last_share(&house, &nonce).await.ok()["keys"]);
    (house, new)
}

/// The unseal that settles whose shares count fails at each of its writes: those that were used are never shut out by it.
#[tokio::test]
async fn an_unseal_that_fails_can_be_tried_again() {
    for by_new in [false, true] {
        for (from, to) in CHANGES {
            let sets = |house: &House, new: &Vec<String>| {
                let (old, new) = (house.shares.clone(), new.clone());
                if by_new { (new, old) } else { (old, new) }
            };
            at_each_write(
                async || {
                    let (house, new) = rekey_lost(from, to).await;
                    (house.restarted(), new)
                },
                async |house, new| {
                    let mut last = None;
                    for share in sets(house, new).0 {
                        last = Some(house.ask(&From::default(), Update, "sys/unseal", json!({ "key": share })).await);
                    }
                    last.unwrap()
                },
                async |house, new, _, way| {
                    let (these, those) = sets(&house, new);
                    only(house, &these, &those, &format!("{from:?} to {to:?}, {way:?}, by new: {by_new}")).await;
                },
            )
            .await;
        }
    }
}

/// A root key made meanwhile is sealed for the old shares, too.
#[tokio::test]
async fn a_new_root_key_does_not_end_the_old_shares_either() {
    for by_new in [false, true] {
        at_each_write(
            async || rekey_lost((3, 2), (4, 3)).await,
            async |house, _| house.root(Update, "sys/rotate/root", json!({})).await,
            async |house, new, told, way| {
                let old = house.shares.clone();
                let (these, those) = if by_new { (new, &old) } else { (&old, new) };
                only(house, these, those, &format!("{way:?}, by new: {by_new}: {}", told.body)).await;
            },
        )
        .await;
    }
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
