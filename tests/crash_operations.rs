//! kill -9 inside operations that change much at once: new shares, new keys, trees of tokens made and ended. After the
//! restart there is the state before or the state after, and somebody's shares unseal.
//!
//! `BULLA_CRASH_ROUNDS` sets the number of rounds of each (3 if not set); the kills are spread over the time that the
//! operation takes when it is left alone. As `crash.rs` for single writes, and `failing_steps.rs` for a failing device.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "tests")]

use bulla_testkit::{Client, HttpAnswer, Keys, ServerOptions, ServerProcess};
use bulla_tests::texts;
use serde_json::{Value, json};
use std::io;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

fn rounds() -> u32 {
    std::env::var("BULLA_CRASH_ROUNDS").ok().and_then(|r| r.parse().ok()).unwrap_or(3)
}

/// A server with secrets of before, three shares of which two are needed.
struct Story {
    server: ServerProcess,
    root: Client,
    keys: Keys,
    /// How often an operation was answered before the kill, and how often not.
    tally: (u32, u32),
}

impl Story {
    fn begin() -> Self {
        let server = ServerProcess::start(ServerOptions::default());
        let keys = server.init(3, 2);
        server.unseal(&keys);
        let root = server.client().with_token(&keys.root_token);
        bulla_tests::kv_mounts(&root);
        for number in 0..20 {
            let _ = root.post(&format!("kv1/s{number}"), json!({ "k": number })).ok();
        }
        Self { server, root, keys, tally: (0, 0) }
    }

    /// Sends a request and kills the server after `delay`; the answer, if it came.
    fn killed_after(&mut self, delay: Duration, path: &str, body: &Value) -> Option<HttpAnswer> {
        let mut connection = self.root.connect().unwrap();
        let body = body.to_string();
        let told: io::Result<HttpAnswer> = std::thread::scope(|scope| {
            let asked = scope.spawn(move || connection.send("POST", path, &body));
            std::thread::sleep(delay);
            self.server.kill();
            asked.join().unwrap()
        });
        self.server.launch();
        let told = told.ok();
        match &told {
            Some(answer) => {
                assert!(answer.status < 300, "{path}: {}", answer.text());
                self.tally.0 += 1;
            }
            None => self.tally.1 += 1,
        }
        told
    }

    /// Whether these shares unseal; if not, the server is as sealed as before.
    fn unseals(&self, shares: &[String]) -> bool {
        let nobody = self.server.client();
        for share in shares {
            let told = nobody.put("sys/unseal", json!({ "key": share }));
            if told.status >= 400 {
                return false;
            }
            if told.json()["sealed"] == false {
                return true;
            }
        }
        let _ = nobody.put("sys/unseal", json!({ "reset": true }));
        false
    }

    /// These shares unseal, now and after the next kill, and those do not then.
    fn only(&mut self, these: &[String], those: &[String], context: &str) {
        assert!(self.unseals(these), "{context}");
        self.is_whole();
        self.server.kill();
        self.server.launch();
        assert!(!self.unseals(those), "{context}");
        assert!(self.unseals(these), "{context}");
        self.is_whole();
    }

    /// How many shares there are, also while sealed.
    fn count_of_shares(&self) -> usize {
        let status = self.server.client().get("sys/seal-status").ok().json();
        usize::try_from(status["n"].as_u64().unwrap()).unwrap()
    }

    /// A rekey up to its last share; the body with that one.
    fn begin_rekey(&self, to: (usize, usize), verify: bool) -> Value {
        let ask = json!({ "secret_shares": to.0, "secret_threshold": to.1, "require_verification": verify });
        let nonce = data(self.root.post("sys/rotate/root/init", ask))["nonce"].clone();
        all_but_one(&self.root, "sys/rotate/root/update", &self.keys.shares[..self.keys.threshold], &nonce)
    }

    fn now_has(&mut self, shares: Vec<String>, threshold: usize) {
        self.keys.shares = shares;
        self.keys.threshold = threshold;
    }

    fn is_whole(&self) {
        for number in 0..20 {
            assert_eq!(self.root.get(&format!("kv1/s{number}")).ok().json()["data"]["k"], number);
        }
        let _ = self.root.post("kv1/after", json!({ "k": "v" })).ok();
    }

    fn report(&self, what: &str) {
        println!("{what}: {} answered before the kill, {} not", self.tally.0, self.tally.1);
    }
}

/// Moments spread over `whole` and a little more.
fn moments(whole: Duration) -> impl Iterator<Item = Duration> {
    let rounds = rounds();
    (0..rounds).map(move |round| whole.mul_f64(1.3 * f64::from(round) / f64::from(rounds.max(2) - 1)))
}

/// How long something takes that nobody disturbs.
fn timed(work: impl FnOnce()) -> Duration {
    let begin = Instant::now();
    work();
    begin.elapsed()
}

fn data(answer: HttpAnswer) -> Value {
    let json = answer.ok().json();
    if json["data"].is_object() { json["data"].clone() } else { json }
}

/// Gives all shares but the last that is needed; the body of that one.
fn all_but_one(root: &Client, path: &str, shares: &[String], nonce: &Value) -> Value {
    let (last, first) = shares.split_last().unwrap();
    for share in first {
        let _ = data(root.post(path, json!({ "key": share, "nonce": nonce })));
    }
    json!({ "key": last, "nonce": nonce })
}

/// Shares and threshold of one rekey after the other.
const SHARES: [(usize, usize); 5] = [(4, 3), (3, 2), (1, 1), (5, 5), (3, 2)];

/// Both sets of shares are known at the moment of the change.
#[test]
fn old_or_verified_new_shares_unseal() {
    let mut story = Story::begin();
    let present = |story: &Story, to: (usize, usize)| {
        let done = data(story.root.post("sys/rotate/root/update", story.begin_rekey(to, true)));
        let new = texts(&done["keys"]);
        let last = all_but_one(&story.root, "sys/rotate/root/verify", &new[..to.1], &done["verification_nonce"]);
        (new, last)
    };
    let (new, last) = present(&story, SHARES[3]);
    let whole = timed(|| drop(story.root.post("sys/rotate/root/verify", last).ok()));
    story.now_has(new, SHARES[3].1);
    for (round, (delay, to)) in moments(whole).zip(SHARES.into_iter().cycle()).enumerate() {
        let (new, last) = present(&story, to);
        let told = story.killed_after(delay, "sys/rotate/root/verify", &last);
        let old = story.unseals(&story.keys.shares);
        assert!(old || story.unseals(&new), "round {round}: neither unseals");
        assert!(!old || told.is_none(), "round {round}: the new shares were said to be in force");
        if !old {
            story.now_has(new, to.1);
        }
        story.is_whole();
    }
    story.report("rekeys with verification");
}

/// Nobody knows the new shares until the answer is out: whoever has it unseals with them, whoever has none with the old.
/// `failing_steps.rs` does the same where the moment is certain.
#[test]
fn old_shares_unseal_or_new_ones_that_were_told() {
    let mut story = Story::begin();
    let mut lost = 0;
    let last = story.begin_rekey(SHARES[4], false);
    let mut done = Value::Null;
    let whole = timed(|| done = data(story.root.post("sys/rotate/root/update", last)));
    story.now_has(texts(&done["keys"]), SHARES[4].1);
    for (round, (delay, to)) in moments(whole).zip(SHARES.into_iter().cycle()).enumerate() {
        let (old, last) = (story.keys.shares.clone(), story.begin_rekey(to, false));
        let told = story.killed_after(delay, "sys/rotate/root/update", &last);
        let context = format!("round {round}, {:?}, told: {}", to, told.is_some());
        if let Some(answer) = told {
            let new = texts(&data(answer)["keys"]);
            story.only(&new, &old, &context);
            story.now_has(new, to.1);
        } else {
            lost += u32::from(old.len() != to.0 && story.count_of_shares() == to.0);
            story.only(&old, &[], &context);
        }
    }
    story.report("rekeys");
    println!("{lost} of them had new shares in force that nobody was told");
}

/// In the undisturbed case the old shares end with the answer, however soon somebody tries them.
#[test]
fn old_shares_are_worth_nothing_once_the_new_ones_were_told() {
    let mut story = Story::begin();
    for (round, to) in SHARES.into_iter().chain(SHARES).enumerate() {
        let (old, last) = (story.keys.shares.clone(), story.begin_rekey(to, false));
        let new = texts(&data(story.root.post("sys/rotate/root/update", last))["keys"]);
        let _ = story.root.post("sys/seal", json!({})).is(204);
        assert!(!story.unseals(&old), "round {round}, {to:?}");
        story.only(&new, &old, &format!("round {round}, {to:?}"));
        story.now_has(new, to.1);
    }
}

#[test]
fn a_new_root_key_or_data_key_is_there_or_not() {
    let mut story = Story::begin();
    for path in ["sys/rotate/root", "sys/rotate"] {
        let whole = timed(|| drop(story.root.post(path, json!({})).ok()));
        for (round, delay) in moments(whole).enumerate() {
            let term = |root: &Client| root.get("sys/key-status").ok().json()["data"]["term"].as_u64().unwrap();
            let before = term(&story.root);
            let told = story.killed_after(delay, path, &json!({}));
            assert!(story.unseals(&story.keys.shares), "{path}, round {round}");
            story.is_whole();
            let more = term(&story.root) - before;
            let most = u64::from(path == "sys/rotate");
            assert!(more == most || (more == 0 && told.is_none()), "{path}, round {round}: {more} terms more");
        }
    }
    story.report("rotations");
}

fn make(parent: &Client) -> io::Result<String> {
    let ask = json!({ "policies": ["tree"], "ttl": "1h" }).to_string();
    let answer = parent.try_send("POST", "auth/token/create", &ask)?;
    assert_eq!(answer.status, 200, "{}", answer.text());
    Ok(answer.json()["auth"]["client_token"].as_str().unwrap().to_owned())
}

fn works(root: &Client, token: &str) -> bool {
    match root.with_token(token).get("auth/token/lookup-self").status {
        200 => true,
        403 => false,
        other => panic!("{other}"),
    }
}

fn accessors(root: &Client) -> Vec<String> {
    texts(&root.list("auth/token/accessors").ok().json()["data"]["keys"])
}

/// The workers take apart what has ended.
fn until_cleared(root: &Client, left: usize) {
    let begin = Instant::now();
    while accessors(root).len() != left {
        assert!(begin.elapsed() < PATIENCE, "{} tokens are left of {left}", accessors(root).len());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn with_tree_policy(story: &Story) {
    let policy = "path \"auth/token/*\" { capabilities = [\"update\", \"read\", \"sudo\"] }";
    let _ = story.root.put("sys/policies/acl/tree", json!({ "policy": policy })).ok();
}

/// Each token is made by the one before, by several at once, until the server dies. What was told works, what is listed can
/// be looked up, and the whole goes with the first of each line.
#[test]
fn lines_of_tokens_are_as_long_as_was_told() {
    let mut story = Story::begin();
    with_tree_policy(&story);
    for delay in moments(Duration::from_millis(120)) {
        let firsts: Vec<String> = (0..4).map(|_| make(&story.root).unwrap()).collect();
        let lines: Vec<Vec<String>> = std::thread::scope(|scope| {
            let root = story.root.clone();
            let grow = |first: &String| {
                let (root, mut line) = (root.clone(), vec![first.clone()]);
                scope.spawn(move || {
                    while let Ok(child) = make(&root.with_token(line.last().unwrap())) {
                        line.push(child);
                    }
                    line
                })
            };
            let writers: Vec<_> = firsts.iter().map(grow).collect();
            std::thread::sleep(delay);
            story.server.kill();
            writers.into_iter().map(|w| w.join().unwrap()).collect()
        });
        story.server.launch();
        assert!(story.unseals(&story.keys.shares));
        story.tally.0 += u32::try_from(lines.iter().map(Vec::len).sum::<usize>()).unwrap();
        for token in lines.iter().flatten() {
            assert!(works(&story.root, token));
        }
        for accessor in accessors(&story.root) {
            let _ = story.root.post("auth/token/lookup-accessor", json!({ "accessor": accessor })).ok();
        }
        for line in &lines {
            let _ = story.root.post("auth/token/revoke", json!({ "token": line[0] })).is(204);
            assert!(line.iter().all(|token| !works(&story.root, token)));
        }
        until_cleared(&story.root, 1);
    }
    story.report("tokens");
}

/// Also one too large for one batch: it ends at once, and is taken apart later, whatever stops that.
#[test]
fn trees_of_tokens_end_whole_or_not_at_all() {
    let mut story = Story::begin();
    with_tree_policy(&story);
    let tree = |story: &Story, width: usize| {
        let top = make(&story.root).unwrap();
        let parent = story.root.with_token(&top);
        let mut tokens = vec![top];
        let below: Vec<String> = std::thread::scope(|scope| {
            let share = |number: usize| (width + number) / 4;
            let makers: Vec<_> = (0..4)
                .map(|n| {
                    scope.spawn({
                        let parent = &parent;
                        move || (0..share(n)).map(|_| make(parent).unwrap()).collect::<Vec<_>>()
                    })
                })
                .collect();
            makers.into_iter().flat_map(|m| m.join().unwrap()).collect()
        });
        tokens.extend(below);
        tokens.push(make(&story.root.with_token(&tokens[1])).unwrap());
        tokens
    };
    for width in [40, 600] {
        let tokens = tree(&story, width);
        let whole = timed(|| drop(story.root.post("auth/token/revoke", json!({ "token": tokens[0] })).is(204)));
        until_cleared(&story.root, 1);
        // The answer to the revocation of a large tree is out before it is taken apart: that has to be met, too.
        let whole = if width > 500 { whole.mul_f64(3.0) } else { whole };
        for (round, delay) in moments(whole).enumerate() {
            let tokens = tree(&story, width);
            let told = story.killed_after(delay, "auth/token/revoke", &json!({ "token": tokens[0] }));
            assert!(story.unseals(&story.keys.shares));
            let ended = !works(&story.root, &tokens[0]);
            assert!(ended || told.is_none(), "{width}, round {round}: answered and lost");
            for token in tokens.iter().step_by(1 + width / 50).chain(tokens.last()) {
                assert_eq!(works(&story.root, token), !ended, "{width}, round {round}: half a tree");
            }
            if !ended {
                let _ = story.root.post("auth/token/revoke", json!({ "token": tokens[0] })).is(204);
            }
            until_cleared(&story.root, 1);
            story.is_whole();
        }
    }
    story.report("revocations");
}
