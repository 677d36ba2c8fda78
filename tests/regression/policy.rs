//! Policies: what was written is what holds, for every spelling of what is asked.
//!
//! | Row | Attack | Guard that was switched off to see the test fail |
//! | --- | --- | --- |
//! | POL-01 | reach another folder through `..`, `//` and their encodings | `RequestPath::parse` lets relative segments pass, and the router takes them away after policy has seen them |
//! | POL-02 | list a denied folder below an allowed one | the decision takes the path of a list without its slash |
//! | POL-03 | name a denied thing in another spelling | routes of users and roles fold no names before the decision |
//! | POL-04 | name a denied secret in capitals | the router folds the paths of all engines |
//! | POL-05 | pass a denied value in capitals, in a list, in a form | `hits` compares like `permits` |
//! | POL-05 | give the denied parameter by its other name | `present_name` gives back the name as it is |
//! | POL-05 | send a denied switch, time or number in another form | `hits` compares neither switches nor times (`crates/rules/policy`, `pol_05_a_denied_switch_time_or_number_is_denied_in_every_form`) |
//! | POL-08 | name a policy `../admin` | `PolicyName::parse` lets relative segments pass |
//! | POL-10 | go on with what a policy allowed before it was changed | a change of a policy does not count up the generation |
//! | POL-11 | ask for a page of no size, less, or very much | `listing::bound` sets none (nothing did, before this test) |
//! | (none) | see in a list what the rule's filter hides | `listing::shown` does not ask `sees` |
//! | (none) | see more of a list that its engine does not page | `listing::shown` cuts neither keys nor `key_info` |
//! | POL-12 | say a thing twice and have the reader see the other one | duplicate keys are not looked for |
//!
//! Elsewhere: POL-01 on version 1 of key-value (`tests/bad_input.rs`: `paths_that_try_to_get_elsewhere`), POL-03 for
//! policies and mounts (there, `another_spelling_of_a_name_is_not_another_path`; with a slash at the end:
//! `crates/core/src/policy/spelling.rs`) and for entities and groups
//! (`crates/core/src/identity/tests/attacks.rs`), POL-06, POL-07 and POL-09 (there, by their ids).

use bulla_testkit::{Client, Keys, ServerOptions, ServerProcess};
use serde_json::{Value, json};

fn server() -> (ServerProcess, Client, Keys) {
    let (server, client, keys) = ServerProcess::ready(ServerOptions::default());
    bulla_tests::kv_mounts(&client);
    (server, client, keys)
}

/// A token with this policy and no other.
fn bearer(client: &Client, policy: &str) -> Client {
    let _ = client.put("sys/policies/acl/p", json!({ "policy": policy })).ok();
    let made = client.post("auth/token/create", json!({ "policies": ["p"], "no_default_policy": true })).ok().json();
    client.with_token(made["auth"]["client_token"].as_str().unwrap())
}

fn enable(client: &Client, method: &str) {
    let _ = client.post(&format!("sys/auth/{method}"), json!({ "type": method })).ok();
}

fn keys(answer: &bulla_testkit::HttpAnswer) -> Vec<String> {
    answer.json()["data"]["keys"]
        .as_array()
        .map(|k| k.iter().map(|k| k.as_str().unwrap().to_owned()).collect())
        .unwrap_or_default()
}

/// CVE-2026-3605: policy saw the path as it was sent, the engine saw it cleaned.
#[test]
fn pol_01_no_way_leads_from_an_allowed_folder_into_another() {
    let (_server, client, _) = server();
    enable(&client, "userpass");
    let hash = "$2b$05$abcdefghijklmnopqrstuuK9ijZjW8Y1bFqQ0s6d4q5a1yHkQ3yWe";
    let all = r#"capabilities = ["create", "read", "update", "patch", "delete", "list"]"#;
    let places = [
        ("kv2/metadata/app1", "app2/s"),
        ("kv2/data/app1", "app2/s"),
        ("kv2/destroy/app1", "app2/s"),
        ("kv1/app1", "app2/s"),
        ("auth/userpass/users/app1", "app2"),
        ("sys/policies/acl/app1", "app2"),
    ];
    let policy: String = places.iter().map(|(from, _)| format!("path \"{from}/*\" {{ {all} }}\n")).collect();
    let narrow = bearer(&client, &policy);
    let _ = client.post("kv2/data/app2/s", json!({ "data": { "k": "kept" } })).ok();
    let _ = client.post("kv1/app2/s", json!({ "k": "kept" })).ok();
    let _ = client.put("sys/policies/acl/app2", json!({ "policy": "# kept" })).ok();
    let made = client.post("auth/userpass/users/app2", json!({ "password_hash": hash, "token_ttl": 765_432 }));
    let _ = made.ok();
    let kept = |way: &str| {
        assert_eq!(client.get("kv2/data/app2/s").ok().json()["data"]["data"]["k"], "kept", "{way}");
        assert_eq!(client.get("kv2/metadata/app2/s").ok().json()["data"]["current_version"], 1, "{way}");
        assert_eq!(client.get("kv1/app2/s").ok().json()["data"]["k"], "kept", "{way}");
        assert_eq!(client.get("sys/policies/acl/app2").ok().json()["data"]["policy"], "# kept", "{way}");
        assert_eq!(client.get("auth/userpass/users/app2").ok().json()["data"]["token_ttl"], 765_432, "{way}");
    };
    let ways = [
        "/../",
        "/%2e%2e/",
        "/%2E%2E/",
        "/.%2e/",
        "/..%2f",
        "%2f..%2f",
        "/%252e%252e/",
        "/./../",
        "//../",
        "/x/../../",
        "/..;/",
        "/..%5c",
        "\\..\\",
        "/..//",
        "/%2e%2e%2f",
        "/..%00/",
    ];
    for (from, target) in places {
        for end in ["", "/", "/.", "%2f", "%2f."] {
            for way in ways {
                let path = format!("{from}{way}{target}{end}");
                for (method, body) in [
                    ("DELETE", ""),
                    ("POST", r#"{"versions":[1],"data":{"k":"x"},"k":"x","policy":"","token_ttl":1}"#),
                    ("LIST", ""),
                    ("GET", ""),
                ] {
                    let told = narrow.send(method, &path, body);
                    // `%252e` is a name of its own below the allowed folder, and stays there.
                    let leads_out = told.text().contains("kept") || told.text().contains("765432");
                    assert!(!leads_out, "{method} {path}: {}", told.text());
                }
            }
        }
        kept(from);
    }
}

/// CVE-2026-12624, CVE-2026-63131: the slash of a list was taken off before the look-up, and the broad allow won.
#[test]
fn pol_02_a_denied_folder_is_not_listed() {
    let (_server, client, _) = server();
    let _ = client.post("kv2/data/test/s", json!({ "data": { "k": 1 } })).ok();
    let _ = client.post("kv2/data/private/internal/s", json!({ "data": { "k": 1 } })).ok();
    let _ = client.post("kv2/data/private/granted/s", json!({ "data": { "k": 1 } })).ok();
    let narrow = bearer(
        &client,
        r#"path "kv2/metadata/*" { capabilities = ["list", "scan"] }
           path "kv2/metadata/private/*" { capabilities = ["deny"] }
           path "kv2/metadata/private/granted/*" { capabilities = ["list", "scan"] }"#,
    );
    for (folder, may) in [
        ("kv2", false),
        ("kv2/metadata", true),
        ("kv2/metadata/test", true),
        ("kv2/metadata/private", false),
        ("kv2/metadata/private/internal", false),
        ("kv2/metadata/private/granted", true),
    ] {
        for slash in ["", "/"] {
            for (method, query) in
                [("LIST", ""), ("SCAN", ""), ("GET", "?list=true"), ("GET", "?scan=true"), ("GET", "?list=1")]
            {
                let path = format!("{folder}{slash}{query}");
                let told = narrow.send(method, &path, "");
                assert_eq!(told.status, if may { 200 } else { 403 }, "{method} {path}: {}", told.text());
                assert!(may || !told.text().contains("granted"), "{method} {path}: {}", told.text());
            }
        }
    }
}

/// CVE-2026-89322: methods folded case or took spaces off after policy had seen the name.
#[test]
fn pol_03_a_denied_name_is_denied_in_every_spelling() {
    let (_server, client, _) = server();
    enable(&client, "userpass");
    enable(&client, "approle");
    let hash = "$2b$05$abcdefghijklmnopqrstuuK9ijZjW8Y1bFqQ0s6d4q5a1yHkQ3yWe";
    let places = [
        (
            "auth/userpass/users",
            json!({ "password_hash": hash, "token_ttl": 765_432 }),
            vec!["", "/password", "/policies"],
        ),
        (
            "auth/approle/role",
            json!({ "token_ttl": 765_432 }),
            vec!["", "/role-id", "/secret-id", "/policies", "/token-ttl"],
        ),
        ("auth/token/roles", json!({ "token_explicit_max_ttl": 765_432 }), vec![""]),
    ];
    let all = r#"capabilities = ["create", "read", "update", "delete", "list"]"#;
    let policy: String = places
        .iter()
        .map(|(at, ..)| format!("path \"{at}/*\" {{ {all} }}\npath \"{at}/admin\" {{ capabilities = [\"deny\"] }}\npath \"{at}/admin/*\" {{ capabilities = [\"deny\"] }}\n"))
        .collect();
    let narrow = bearer(&client, &policy);
    for (at, settings, below) in places {
        let admin = format!("{at}/admin");
        let _ = client.post(&admin, settings).ok();
        let before = client.get(&admin).ok().json()["data"].clone();
        for name in [
            "admin",
            "ADMIN",
            "Admin",
            "aDmIn",
            "admin%20",
            "%20admin",
            "admin%09",
            "admin/",
            "%2fadmin",
            "admin%2f",
            "%EF%BD%81dmin",
            "adm%C4%B1n",
            "admin%00",
            "admin%E2%80%8B",
            "./admin",
            "x/../admin",
            "%61dmin",
            "admin.",
        ] {
            for more in &below {
                for method in ["GET", "DELETE", "POST"] {
                    let body = if method == "POST" {
                        r#"{"token_ttl":1,"ttl":1,"token_explicit_max_ttl":1,"password":"mine","policies":"root","token_policies":"root","role_id":"mine"}"#
                    } else {
                        ""
                    };
                    let told = narrow.send(method, &format!("{at}/{name}{more}"), body);
                    assert!(!told.text().contains("765432"), "{method} {at}/{name}{more}: {}", told.text());
                    let now = client.get(&admin).ok().json()["data"].clone();
                    assert_eq!(now, before, "{method} {at}/{name}{more}: {}", told.status);
                }
            }
        }
        let folded = ["ADMIN", "Admin", "%61dmin"];
        // Names of roles of the token store are told apart by case: these are other roles.
        for name in if at == "auth/token/roles" { &folded[2..] } else { &folded[..] } {
            let _ = narrow.get(&format!("{at}/{name}")).is(403);
        }
    }
}

/// CVE-2026-93335: of names that differ in case one was denied and the other was the same thing. Here they are two things:
/// secrets, mounts and policies' paths tell capitals from small letters, and a rule is about the one it names.
#[test]
fn pol_04_another_spelling_of_a_denied_secret_is_another_secret() {
    let (_server, client, _) = server();
    let _ = client.post("kv2/data/example", json!({ "data": { "k": "hidden" } })).ok();
    let _ = client.post("kv1/example", json!({ "k": "hidden" })).ok();
    let narrow = bearer(
        &client,
        r#"path "*" { capabilities = ["create", "read", "update", "delete", "list"] }
           path "kv2/+/example" { capabilities = ["deny"] }
           path "kv1/example" { capabilities = ["deny"] }"#,
    );
    for (mount, words) in [("kv2", ["data", "metadata", "destroy"]), ("kv1", [".", ".", "."])] {
        for word in words {
            for (mount, word, name) in [
                (mount.to_owned(), word.to_owned(), "EXAMPLE"),
                (mount.to_owned(), word.to_owned(), "Example"),
                (mount.to_owned(), word.to_uppercase(), "example"),
                (mount.to_uppercase(), word.to_owned(), "example"),
            ] {
                let path = if word == "." { format!("{mount}/{name}") } else { format!("{mount}/{word}/{name}") };
                if path == "kv1/example" {
                    continue;
                }
                for (method, body) in [("GET", ""), ("DELETE", ""), ("POST", r#"{"data":{"k":"x"},"versions":[1]}"#)] {
                    let told = narrow.send(method, &path, body);
                    assert!(!told.text().contains("hidden"), "{method} {path}: {}", told.text());
                }
            }
        }
    }
    assert_eq!(client.get("kv2/data/example").ok().json()["data"]["data"]["k"], "hidden");
    assert_eq!(client.get("kv2/metadata/example").ok().json()["data"]["current_version"], 1);
    assert_eq!(client.get("kv1/example").ok().json()["data"]["k"], "hidden");
}

/// Vault 2.0.4: values were compared as they came, and folded later.
#[test]
fn pol_05_a_denied_policy_is_denied_in_every_spelling() {
    let (_server, client, _) = server();
    enable(&client, "userpass");
    let _ = client
        .put("sys/policies/acl/super-admin", json!({ "policy": "path \"*\" { capabilities = [\"read\"] }" }))
        .ok();
    let denied = r#"denied_parameters = { "policies" = ["super-admin"], "token_policies" = ["super-admin"] }"#;
    let narrow = bearer(
        &client,
        &format!(
            r#"path "auth/token/create" {{ capabilities = ["update", "sudo"] {denied} }}
               path "auth/token/create-orphan" {{ capabilities = ["update", "sudo"] {denied} }}
               path "auth/userpass/users/*" {{ capabilities = ["create", "update"] {denied} }}"#
        ),
    );
    let values = [
        r#""super-admin""#,
        r#""Super-Admin""#,
        r#"["SUPER-ADMIN"]"#,
        r#"[" super-admin "]"#,
        r#"" super-admin\t""#,
        r#""a,Super-Admin""#,
        r#"["a,Super-Admin"]"#,
        r#"["a", "sUper-admin"]"#,
        r#"[["super-admin"]]"#,
        r#""super\u002dadmin""#,
        r#"["\u0053uper-Admin"]"#,
    ];
    let refused = |path: &str, body: &str| {
        let told = narrow.send("POST", path, body);
        assert!(matches!(told.status, 400 | 403), "{path} {body}: {} {}", told.status, told.text());
    };
    for path in
        ["auth/token/create", "auth/token/create-orphan", "auth/userpass/users/u", "auth/userpass/users/u/policies"]
    {
        for value in values {
            for name in ["policies", "Policies", "POLICIES", "token_policies", "Token_Policies", r"p\u006flicies"] {
                let plain = format!(r#"{{"password":"a password","{name}":{value}}}"#);
                if name.to_lowercase() == "token_policies" && path.starts_with("auth/token") {
                    continue;
                }
                refused(path, &plain);
                // Of a name that is sent twice the last value counts, for policy and for the method alike.
                refused(path, &format!(r#"{{"{name}":"default","password":"a password","{name}":{value}}}"#));
                refused(path, &format!(r#"{{"policies":"default","password":"a password","{name}":{value}}}"#));
            }
        }
        // As a form, once and repeated.
        for form in ["policies=Super-Admin", "policies=a&policies=super-admin", "policies=a%2C%20Super-Admin"] {
            let mut connection = narrow.connect().unwrap();
            let head = connection.head("POST", path, form.len());
            let head = head.replacen("\r\n", "\r\nContent-Type: application/x-www-form-urlencoded\r\n", 1);
            connection.write(format!("{head}{form}").as_bytes()).unwrap();
            let told = connection.answer().unwrap();
            assert!(matches!(told.status, 400 | 403), "{path} {form}: {}", told.text());
        }
    }
    let _ = client.get("auth/userpass/users/u").is(404);
    // What is not denied passes.
    let body = json!({ "password": "a password", "token_policies": "p" });
    let _ = narrow.post("auth/userpass/users/u", body).is(204);
}

/// The same: the denial was about `policies`, and the method takes them by the name `token_policies`, too.
#[test]
fn pol_05_a_parameter_has_its_rules_under_all_of_its_names() {
    let (_server, client, _) = server();
    enable(&client, "userpass");
    enable(&client, "approle");
    let hash = "$2b$05$abcdefghijklmnopqrstuuK9ijZjW8Y1bFqQ0s6d4q5a1yHkQ3yWe";
    let _ = client.post("auth/userpass/users/known", json!({ "password_hash": hash })).ok();
    let _ = client.post("auth/approle/role/known", json!({})).ok();
    let _ = client.put("sys/policies/acl/known", json!({ "policy": "# known" })).ok();
    // Paths, the two names of a parameter, a value that the rules are about and one that they are not.
    let list = |text: &str| json!([text, "a-list"]);
    let pairs = [
        ("auth/userpass/users/u", "policies", "token_policies", json!("super"), json!("other")),
        ("auth/userpass/users/u", "policies", "token_policies", list("super"), list("other")),
        ("auth/userpass/users/u", "ttl", "token_ttl", json!(600), json!(60)),
        ("auth/userpass/users/u", "max_ttl", "token_max_ttl", json!("600s"), json!("60s")),
        ("auth/userpass/users/u", "bound_cidrs", "token_bound_cidrs", json!("0.0.0.0/0"), json!("127.0.0.1/32")),
        ("auth/userpass/users/known/policies", "policies", "token_policies", json!("super"), json!("other")),
        ("auth/approle/role/r", "policies", "token_policies", json!("super"), json!("other")),
        ("auth/approle/role/r", "period", "token_period", json!(600), json!(60)),
        ("auth/approle/role/r", "bound_cidr_list", "secret_id_bound_cidrs", json!("0.0.0.0/0"), json!("127.0.0.1/32")),
        ("auth/approle/role/known/policies", "policies", "token_policies", json!("super"), json!("other")),
        ("auth/approle/role/known/period", "period", "token_period", json!(600), json!(60)),
        ("auth/token/roles/r", "period", "token_period", json!(600), json!(60)),
        ("auth/token/roles/r", "explicit_max_ttl", "token_explicit_max_ttl", json!(600), json!(60)),
        ("auth/token/roles/r", "bound_cidrs", "token_bound_cidrs", json!("0.0.0.0/0"), json!("127.0.0.1/32")),
        ("auth/token/create", "lease", "ttl", json!(600), json!(60)),
        ("sys/policies/acl/known", "rules", "policy", json!("# super"), json!("# other")),
    ];
    for (path, older, present, of_rule, another) in pairs {
        for (ruled, sent) in [(older, present), (present, older), (older, older), (present, present)] {
            let at = |rule: &str| {
                bearer(&client, &format!(r#"path "{path}" {{ capabilities = ["create", "update"] {rule} }}"#))
            };
            let tell = |who: &Client, value: &Value| {
                // Users need a password, and what is there does not stay with the next rule.
                let told = who.post(path, json!({ sent: value, "password_hash": hash })).status;
                let _ = client.delete(path).status;
                let _ = client.post("auth/approle/role/known", json!({})).ok();
                let _ = client.put("sys/policies/acl/known", json!({ "policy": "# known" })).ok();
                told
            };
            let case = format!("{path}: a rule about {ruled}, {sent} is sent");
            let refused = |who: &Client, value: &Value, rule: &str| {
                assert_eq!(tell(who, value), 403, "{case}: {rule}");
            };
            let passes = |who: &Client, value: &Value, rule: &str| {
                let status = tell(who, value);
                assert!(matches!(status, 200 | 204), "{case}: {rule}: {status}");
            };
            for name in [ruled.to_owned(), ruled.to_uppercase()] {
                let rule = format!(r#"denied_parameters = {{ "{name}" = [] }}"#);
                refused(&at(&rule), &another, &rule);
                let rule = format!(r#"denied_parameters = {{ "{name}" = [{of_rule}] }}"#);
                refused(&at(&rule), &of_rule, &rule);
                passes(&at(&rule), &another, &rule);
                // The rule about the one name holds for the other, though a star would let that pass.
                let rule = format!(r#"allowed_parameters = {{ "{name}" = [{of_rule}], "*" = [] }}"#);
                refused(&at(&rule), &another, &rule);
                passes(&at(&rule), &of_rule, &rule);
                let rule = format!(r#"allowed_parameters = {{ "{name}" = [], "password_hash" = [] }}"#);
                passes(&at(&rule), &another, &rule);
            }
            let rule = format!(r#"required_parameters = ["{ruled}"]"#);
            passes(&at(&rule), &another, &rule);
            let who = at(&rule);
            assert_eq!(who.post(path, json!({ "password_hash": hash })).status, 403, "{case}: nothing is sent");
        }
    }
}

/// CVE-2026-115365, CVE-2026-105820: names were joined to paths of a cache, and `../` reached another's policy.
#[test]
fn pol_08_no_name_of_a_policy_leads_to_another() {
    let (_server, client, _) = server();
    enable(&client, "userpass");
    enable(&client, "approle");
    let all = r#"path "*" { capabilities = ["create", "read", "update", "delete", "list", "sudo"] }"#;
    let _ = client.put("sys/policies/acl/admin", json!({ "policy": all })).ok();
    let warm = bearer(&client, all);
    let _ = warm.get("sys/mounts").ok();
    let warm = client.post("auth/token/create", json!({ "policies": ["admin"] })).ok().json();
    let _ = client.with_token(warm["auth"]["client_token"].as_str().unwrap()).get("sys/mounts").ok();
    for name in [
        "../admin",
        "../../admin",
        "root/../admin",
        "a/../../admin",
        "./admin",
        "a/./admin",
        "/admin",
        "admin/",
        "a//admin",
        "..",
        ".",
        "admin\u{0}",
        "\u{200b}admin",
        "..\\admin/../admin",
        "\u{ff01}admin",
    ] {
        for (path, body) in [
            ("auth/token/create", json!({ "policies": [name] })),
            ("auth/token/create", json!({ "policies": name })),
            ("auth/token/roles/r", json!({ "allowed_policies": [name] })),
            ("auth/userpass/users/u", json!({ "password": "a password", "token_policies": [name] })),
            ("auth/approle/role/r", json!({ "token_policies": [name] })),
            ("identity/entity", json!({ "name": "e", "policies": [name] })),
            ("identity/group", json!({ "name": "g", "policies": [name] })),
        ] {
            let told = client.post(path, body);
            assert_eq!(told.status, 400, "{path} {name:?}: {}", told.text());
        }
    }
}

/// Vault 0.9.7: a policy that was changed went on as it had been, until the server was started anew.
#[test]
fn pol_10_a_changed_policy_holds_with_the_next_request() {
    let (mut server, client, keys) = server();
    let _ = client.post("kv1/s", json!({ "k": "v" })).ok();
    let open = r#"path "kv1/s" { capabilities = ["read"] }"#;
    let shut = r#"path "kv1/s" { capabilities = ["deny"] }"#;
    let narrow = bearer(&client, open);
    let mut connection = narrow.connect().unwrap();
    for round in 0..20 {
        assert_eq!(connection.send("GET", "kv1/s", "").unwrap().status, 200, "round {round}");
        match round % 3 {
            0 => drop(client.put("sys/policies/acl/p", json!({ "policy": shut })).ok()),
            1 => drop(client.put("sys/policy/p", json!({ "policy": "path \"other\" {}" })).ok()),
            _ => drop(client.delete("sys/policies/acl/p").ok()),
        }
        assert_eq!(connection.send("GET", "kv1/s", "").unwrap().status, 403, "round {round}");
        if round == 5 {
            let _ = client.put("sys/seal", json!({})).ok();
            server.unseal(&keys);
            connection = narrow.connect().unwrap();
            assert_eq!(connection.send("GET", "kv1/s", "").unwrap().status, 403, "after a seal");
        }
        if round == 10 {
            server.kill();
            server.launch();
            server.unseal(&keys);
            connection = narrow.connect().unwrap();
            assert_eq!(connection.send("GET", "kv1/s", "").unwrap().status, 403, "after a restart");
        }
        let _ = client.put("sys/policies/acl/p", json!({ "policy": open })).ok();
    }
}

/// OpenBao 2.6.1: a limit of zero or less was none.
#[test]
fn pol_11_a_list_is_never_longer_than_the_policy_allows() {
    let (_server, client, _) = server();
    for number in 0..25 {
        let _ = client.post(&format!("kv2/data/f/s{number:02}"), json!({ "data": { "k": 1 } })).ok();
        let _ = client.post(&format!("kv1/f/s{number:02}"), json!({ "k": 1 })).ok();
    }
    let narrow = bearer(
        &client,
        r#"path "kv2/metadata/f/" { capabilities = ["list", "scan"] pagination_limit = 10 }
           path "kv1/f/" { capabilities = ["list", "scan"] pagination_limit = 10 }"#,
    );
    let huge = format!("limit={}", "9".repeat(31));
    let queries = [
        "",
        "limit=0",
        "limit=-1",
        "limit=-9223372036854775808",
        "limit=1e9",
        "limit=1000000000",
        "limit=9223372036854775807",
        "limit=9223372036854775808",
        "limit=18446744073709551616",
        &huge,
        "limit=10&limit=100",
        "limit=100&limit=10",
        "limit=",
        "limit=%20",
        "limit=abc",
        "limit=0x7fffffff",
        "limit=10.5",
        "limit=+100",
        "limit=%2B100",
        "limit=%20100",
        "Limit=100",
        "LIMIT=100",
        "limit=null",
        "limit=true",
        "limit=[100]",
        "limit=1_000",
        "after=s00",
        "after=",
        "limit=11",
    ];
    for mount in ["kv2/metadata/f", "kv1/f"] {
        for query in queries {
            for (method, more) in [("LIST", "?"), ("SCAN", "?"), ("GET", "?list=true&"), ("GET", "?scan=true&")] {
                let told = narrow.send(method, &format!("{mount}{more}{query}"), "");
                let shown = keys(&told);
                let good = matches!(told.status, 400 | 403 | 405) || (told.status == 200 && shown.len() <= 10);
                assert!(good, "{method} {mount}{more}{query}: {} with {} keys", told.status, shown.len());
            }
        }
        assert_eq!(keys(&narrow.list(mount)).len(), 10);
        if mount.starts_with("kv2") {
            let next = keys(&narrow.send("LIST", &format!("{mount}?limit=10&after=s09"), ""));
            assert_eq!(next, (10..20).map(|n| format!("s{n}")).collect::<Vec<_>>());
        }
        assert_eq!(keys(&client.list(mount)).len(), 25, "and there are more");
    }
}

/// The filter of keys that a rule may set was read and never asked: all keys showed.
#[test]
fn a_list_shows_only_keys_that_the_rules_filter_lets_pass() {
    let (_server, client, _) = server();
    for name in ["mine", "theirs", "folder/mine"] {
        let _ = client.post(&format!("kv2/data/f/{name}"), json!({ "data": { "k": 1 } })).ok();
        let _ = client.post(&format!("kv1/f/{name}"), json!({ "k": 1 })).ok();
    }
    let narrow = bearer(
        &client,
        r#"path "kv2/metadata/f/" { capabilities = ["list"] list_scan_response_keys_filter_path = "{{ .path }}{{ .key }}" }
           path "kv2/metadata/f/mine" { capabilities = ["read"] }
           path "kv1/f/" { capabilities = ["list"] list_scan_response_keys_filter_path = "kv1/f/{{ .key }}" }
           path "kv1/f/mine" { capabilities = ["read"] }"#,
    );
    for folder in ["kv2/metadata/f", "kv1/f"] {
        assert_eq!(keys(&narrow.list(folder).ok()), ["mine"], "{folder}");
        assert_eq!(keys(&client.list(folder).ok()), ["folder/", "mine", "theirs"], "{folder}");
    }
}

/// The same for engines that do not page by themselves, and for what a list tells about its keys beside them.
#[test]
fn a_list_that_is_not_paged_by_its_engine_shows_no_more_than_the_rule_allows() {
    let (_server, client, _) = server();
    for number in 0..12 {
        let _ = client.post("identity/entity", json!({ "name": format!("e{number:02}") })).ok();
    }
    let all = client.list("identity/entity/id").ok();
    let ids = keys(&all);
    let about = |answer: &bulla_testkit::HttpAnswer| {
        let told = answer.json()["data"]["key_info"].as_object().cloned().unwrap_or_default();
        told.keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!((ids.len(), about(&all).len()), (12, 12));
    let bound = r#"path "identity/entity/+/" { capabilities = ["list"] pagination_limit = 10 }"#;
    let narrow = bearer(&client, bound);
    for (path, info) in [("identity/entity/id", 10), ("identity/entity/name", 0)] {
        let told = narrow.list(path).ok();
        assert_eq!((keys(&told).len(), about(&told).len()), (10, info), "{path}");
    }
    let seen = &ids[3];
    let filtered = bearer(
        &client,
        &format!(
            r#"path "identity/entity/id/" {{ capabilities = ["list"] list_scan_response_keys_filter_path = "identity/entity/id/{{{{ .key }}}}" }}
               path "identity/entity/id/{seen}" {{ capabilities = ["read"] }}"#
        ),
    );
    let told = filtered.list("identity/entity/id").ok();
    assert_eq!((keys(&told), about(&told)), (vec![seen.clone()], vec![seen.clone()]));
}

/// Vault 2.0.4: of two attributes with one name the last won, and the reader of the policy saw the first.
#[test]
fn pol_12_nothing_is_said_twice() {
    let (_server, client, _) = server();
    let kept = r#"path "kv1/s" { capabilities = ["read"] }"#;
    let narrow = bearer(&client, kept);
    let twice = [
        r#"path "kv1/s" { capabilities = ["deny"] capabilities = ["read", "update"] }"#,
        "path \"kv1/s\" {\n  capabilities = [\"deny\"]\n  \"capabilities\" = [\"update\"]\n}",
        r#"path "kv1/s" { policy = "deny" policy = "write" }"#,
        r#"path "kv1/s" { capabilities = ["update"] denied_parameters = { "k" = [] } denied_parameters = { "x" = [] } }"#,
        r#"path "kv1/s" { capabilities = ["update"] denied_parameters = { "k" = [], "k" = ["x"] } }"#,
        r#"{"path":{"kv1/s":{"capabilities":["deny"],"capabilities":["update"]}}}"#,
        r#"{"path":{"kv1/s":{"capabilities":["deny"]}},"path":{"kv1/s":{"capabilities":["update"]}}}"#,
        r#"{"path":{"kv1/s":{"capabilities":["deny"],"c\u0061pabilities":["update"]}}}"#,
        "name = \"a\"\nname = \"b\"\npath \"kv1/s\" { capabilities = [\"update\"] }",
    ];
    for policy in twice {
        for path in ["sys/policies/acl/p", "sys/policy/p"] {
            let told = client.put(path, json!({ "policy": policy }));
            assert_eq!(told.status, 400, "{policy}: {}", told.text());
        }
    }
    assert_eq!(client.get("sys/policies/acl/p").ok().json()["data"]["policy"], kept);
    // Two blocks about one path add up, and a denial in either wins.
    for (policy, may) in [
        (r#"path "kv1/s" { capabilities = ["read"] } path "kv1/s" { capabilities = ["deny"] }"#, false),
        (r#"path "kv1/s" { capabilities = ["deny"] } path "kv1/s" { capabilities = ["read"] }"#, false),
        (r#"{"path":{"kv1/s":{"capabilities":["deny"]},"kv1/s":{"capabilities":["read"]}}}"#, false),
    ] {
        let told = client.put("sys/policies/acl/p", json!({ "policy": policy }));
        assert!(matches!(told.status, 204 | 400), "{policy}: {}", told.text());
        let _ = client.post("kv1/s", json!({ "k": "v" })).ok();
        assert_eq!(narrow.get("kv1/s").status == 200, may || told.status == 400, "{policy}");
        let _ = client.put("sys/policies/acl/p", json!({ "policy": kept })).ok();
    }
    let _: Value = narrow.get("kv1/s").ok().json();
}
