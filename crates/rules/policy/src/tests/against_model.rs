//! Random rules and asks: the compiled form and the model agree. And how fast the compiled form is, when asked.

use super::NOW;
use crate::{Acl, Ask, NoIdentity, NoParameters, Options, Parameters, Policy, model};
use bulla_types::{Operation, PolicyName, RequestPath, Seconds, Time};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value, json};
use std::cell::Cell;
use std::fmt::Write;
use std::ops::ControlFlow;
use std::sync::Arc;

const CAPABILITIES: [&str; 9] = ["create", "read", "update", "patch", "delete", "list", "scan", "sudo", "deny"];

fn pattern() -> impl Strategy<Value = String> {
    let segment = prop::sample::select(vec!["a", "b", "ab", "+", "+", "a+", "*"]);
    let end = prop::sample::select(vec!["", "", "/", "*", "/*"]);
    (prop::collection::vec(segment, 1..4), end)
        // `+*` is refused when parsed.
        .prop_map(|(segments, end)| format!("{}{end}", segments.join("/")).replace("+*", "*"))
}

fn rule() -> impl Strategy<Value = (String, String)> {
    // `deny` last and rare, or hardly anything is ever allowed.
    let capabilities = (prop::sample::subsequence(CAPABILITIES[..8].to_vec(), 0..8), prop::bool::weighted(0.1));
    let lists = || {
        let values = prop::sample::subsequence(vec!["\"x\"", "\"y*\"", "5"], 0..3).prop_map(|v| v.join(","));
        prop::option::weighted(0.2, (prop::sample::select(vec!["a", "b", "*", "C"]), values))
    };
    let wraps = (prop::option::weighted(0.1, 1..20u64), prop::option::weighted(0.1, 20..40u64));
    let rest = (
        prop::option::weighted(0.1, prop::sample::select(vec!["a", "B", "limit"])),
        prop::option::weighted(0.2, 1..5u64),
        prop::option::weighted(0.1, 0..4u64),
    );
    (pattern(), capabilities, lists(), lists(), wraps, rest).prop_map(|(path, caps, allowed, denied, wraps, rest)| {
        let mut words: Vec<String> = caps.0.iter().map(|c| format!("{c:?}")).collect();
        words.extend(caps.1.then(|| "\"deny\"".to_owned()));
        let mut body = format!("capabilities = [{}]", words.join(","));
        for (key, rule) in [("allowed_parameters", allowed), ("denied_parameters", denied)] {
            if let Some((name, values)) = rule {
                write!(body, " {key} = {{ {name:?} = [{values}] }}").unwrap();
            }
        }
        for (key, value) in [("min_wrapping_ttl", wraps.0), ("max_wrapping_ttl", wraps.1), ("pagination_limit", rest.1)]
        {
            if let Some(value) = value {
                write!(body, " {key} = {value}").unwrap();
            }
        }
        if let Some(name) = rest.0 {
            write!(body, " required_parameters = [{name:?}]").unwrap();
        }
        if let Some(seconds) = rest.2 {
            write!(body, " expiration = {:?}", NOW.plus(Seconds(seconds)).rfc3339()).unwrap();
        }
        (path, body)
    })
}

fn policy() -> impl Strategy<Value = (String, Options)> {
    let rules = prop::collection::btree_map(pattern(), rule(), 0..8);
    let namespace = prop::sample::select(vec!["", "", "", "a/"]);
    let expires = prop::option::weighted(0.1, 0..4u64);
    (rules, namespace, expires).prop_map(|(rules, namespace, expires)| {
        let text = rules.into_iter().fold(String::new(), |mut text, (path, (_, body))| {
            writeln!(text, "path {path:?} {{ {body} }}").unwrap();
            text
        });
        let expires = expires.map(|s| NOW.plus(Seconds(s)));
        (text, Options { namespace: namespace.into(), expires, ..Options::default() })
    })
}

#[derive(Debug)]
struct Question {
    namespace: &'static str,
    path: RequestPath,
    operation: Operation,
    body: WithOlderName,
    wrap: Option<u64>,
    limit: Option<i64>,
    sudo: bool,
    now: Time,
}

/// Of the parameters here, `c` is an older name of `a`.
#[derive(Debug)]
struct WithOlderName(Map<String, Value>);

impl Parameters for WithOlderName {
    fn has(&self, name: &str) -> bool {
        let twin = [("a", "c"), ("c", "a")].iter().find(|(one, _)| *one == name);
        self.0.has(name) || twin.is_some_and(|(_, other)| self.0.has(other))
    }

    fn present<'n>(&self, name: &'n str) -> &'n str {
        if matches!(name, "c" | "C") { "a" } else { name }
    }

    fn visit(&self, see: &mut dyn FnMut(&str, &Value) -> ControlFlow<()>) {
        self.0.visit(see);
    }
}

fn question() -> impl Strategy<Value = Question> {
    let segments = prop::collection::vec(prop::sample::select(vec!["a", "b", "ab", "abb", "a+", "*"]), 1..5);
    let path = (segments, prop::bool::weighted(0.2)).prop_map(|(s, slash)| {
        RequestPath::parse(&format!("{}{}", s.join("/"), if slash { "/" } else { "" })).unwrap()
    });
    let values = || prop::option::of(prop::sample::select(vec![json!("x"), json!("yy"), json!(5), json!(["X"])]));
    let body = (values(), values(), values()).prop_map(|(a, b, c)| {
        let names = [("a", a), ("B", b), ("c", c)];
        WithOlderName(names.into_iter().filter_map(|(name, v)| v.map(|v| (name.to_owned(), v))).collect())
    });
    let numbers = (prop::option::of(0..50u64), prop::option::of(-1..6i64), prop::bool::weighted(0.2), 0..6u64);
    (prop::sample::select(vec!["", "", "a/"]), path, prop::sample::select(Operation::ALL.to_vec()), body, numbers)
        .prop_map(|(namespace, path, operation, body, (wrap, limit, sudo, later))| {
            let now = NOW.plus(Seconds(later));
            Question { namespace, path, operation, body, wrap, limit, sudo, now }
        })
}

fn compare(cases: u32) {
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let (allowed, refused) = (Cell::new(0u32), Cell::new(0u32));
    let input = (prop::collection::vec(policy(), 1..4), prop::collection::vec(question(), 8));
    runner
        .run(&input, |(texts, questions)| {
            let policies: Vec<Arc<Policy>> = texts
                .iter()
                .enumerate()
                .map(|(i, (text, options))| {
                    let name = PolicyName::parse(&format!("p{i}")).unwrap();
                    Arc::new(Policy::parse(name, text, options.clone()).unwrap())
                })
                .collect();
            let acl = Acl::compile(&policies, &NoIdentity, NOW);
            let plain: Vec<&Policy> = policies.iter().map(AsRef::as_ref).collect();
            for q in &questions {
                let ask = Ask {
                    namespace: q.namespace,
                    path: &q.path,
                    operation: q.operation,
                    parameters: &q.body,
                    wrap_ttl: q.wrap.map(Seconds),
                    limit: q.limit,
                    route_needs_sudo: q.sudo,
                    now: q.now,
                };
                let fast = acl.decide(&ask);
                let slow = model::allows(&plain, &NoIdentity, &ask);
                if q.operation != Operation::Help {
                    let count = if slow { &allowed } else { &refused };
                    count.set(count.get() + 1);
                }
                prop_assert_eq!(fast.is_ok(), slow, "{:?} {:?}", q, fast);
            }
            Ok(())
        })
        .unwrap();
    // The comparison is worth something only if both answers come up.
    let (allowed, refused) = (allowed.get(), refused.get());
    assert!(allowed > 100 && refused > 100, "{allowed} allowed, {refused} refused");
}

#[test]
fn compiled_rules_agree_with_the_model() {
    compare(2_000);
}

#[test]
#[ignore = "takes long"]
fn compiled_rules_agree_with_the_model_a_million_times() {
    compare(1_000_000);
}

fn hundred_rules() -> Acl {
    let mut text = String::new();
    for i in 0..60 {
        writeln!(text, "path \"secret/data/team{i}/*\" {{ capabilities = [\"read\",\"list\"] }}").unwrap();
    }
    for i in 0..30 {
        writeln!(text, "path \"kv/app{i}/config\" {{ capabilities = [\"read\"] }}").unwrap();
    }
    for i in 0..10 {
        writeln!(text, "path \"db/+/creds/role{i}\" {{ capabilities = [\"read\"] }}").unwrap();
    }
    super::acl(&[&text])
}

#[test]
#[ignore = "a measurement; run it in a release build"]
fn how_long_a_decision_takes() {
    let acl = hundred_rules();
    for path in ["kv/app7/config", "secret/data/team42/a/b/c", "db/prod/creds/role9", "other/thing"] {
        let path = RequestPath::parse(path).unwrap();
        let ask = Ask {
            namespace: "",
            path: &path,
            operation: Operation::Read,
            parameters: &NoParameters,
            wrap_ttl: None,
            limit: None,
            route_needs_sudo: false,
            now: NOW,
        };
        const ROUNDS: u32 = 200_000;
        let start = std::time::Instant::now();
        for _ in 0..ROUNDS {
            let _ = std::hint::black_box(acl.decide(std::hint::black_box(&ask)));
        }
        println!("{path}: {} ns", start.elapsed().as_nanos() / u128::from(ROUNDS));
    }
}
