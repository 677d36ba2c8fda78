//! What must not pass in silence: output that went nowhere, settings that cannot be read, answers that say nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::io::ErrorKind;

use crate::tests::{Canned, Fake, NONE, Ran, Sink, V2, ran, ran_at, ran_in, ran_with};

const HOME: (&str, &str) = ("HOME", "");

fn into_nothing(fake: &Fake, words: &[&str], kind: ErrorKind) -> Ran {
    ran_in(fake, words, "", HOME, &Sink::failing(kind))
}

const INITIALISED: &[Canned] = &[
    ("GET /v1/sys/seal-status", 200, r#"{"type":"shamir","initialized":false,"sealed":true}"#),
    ("PUT /v1/sys/init", 200, r#"{"keys":["aa"],"keys_base64":["qg=="],"root_token":"hvs.root"}"#),
    ("POST /v1/auth/token/create", 200, r#"{"auth":{"client_token":"hvs.x","lease_duration":1800}}"#),
    ("PUT /v1/sys/wrapping/unwrap", 200, r#"{"data":{"a":"the only copy"}}"#),
    ("PUT /v1/auth/approle/role/r/secret-id", 200, r#"{"data":{"secret_id":"made just now"}}"#),
    ("GET /v1/c/a", 200, r#"{"data":{"x":"stays there"}}"#),
];

/// Once `operator init > /dev/full` lost every share and ended with 0.
#[test]
fn what_is_shown_once_is_shown_on_standard_error_instead() {
    let fake = Fake::answering(INITIALISED);
    for kind in [ErrorKind::StorageFull, ErrorKind::BrokenPipe] {
        for (words, secrets) in [
            (&["operator", "init"][..], &["qg==", "hvs.root"][..]),
            (&["operator", "init", "-format=json"], &["qg==", "hvs.root"]),
            (&["token", "create"], &["hvs.x"]),
            (&["token", "create", "-field=token"], &["hvs.x"]),
            (&["unwrap", "-field=a", "hvs.w"], &["the only copy"]),
            (&["write", "-f", "auth/approle/role/r/secret-id"], &["made just now"]),
        ] {
            let ran = into_nothing(&fake, words, kind);
            assert_eq!(ran.code, 1, "{words:?}");
            assert!(secrets.iter().all(|secret| ran.err.contains(secret)), "{words:?}: {}", ran.err);
            assert!(ran.err.starts_with("Cannot write to standard output"), "{}", ran.err);
        }
    }
}

/// Once `operator init -format=raw` initialised the server, and then said that it could not show the shares.
#[test]
fn a_format_that_cannot_be_printed_stops_everything() {
    let fake = Fake::answering(INITIALISED);
    for words in [
        &["operator", "init", "-format"][..],
        &["token", "create", "-format"],
        &["unwrap", "-format"],
        &["write", "-f", "-format"],
    ] {
        for (format, told) in
            [("raw", "does not support the -format=raw option"), ("pretty", "Invalid output format: pretty")]
        {
            let words = [words, &[format], if words[0] == "write" { &["auth/approle/role/r/secret-id"] } else { &[] }];
            let words = words.concat();
            let ran = ran(&fake, &words);
            assert!(ran.code == 1 && ran.out.is_empty() && ran.err.contains(told), "{words:?}: {}", ran.err);
        }
    }
    let by_variable = ran_in(&fake, &["operator", "init"], "", ("VAULT_FORMAT", "raw"), &Sink::default());
    assert!(by_variable.code == 1 && by_variable.err.contains("-format=raw"), "{}", by_variable.err);
    assert!(fake.seen().is_empty(), "nothing was sent");
    assert_eq!(ran(&fake, &["token", "create", "-format=raw", "-field=token"]).out, "hvs.x");
    assert!(ran(&fake, &["read", "-format=raw", "c/a"]).out.starts_with("{\"data\""));
}

#[test]
fn other_output_that_is_lost_is_an_error_and_stays_secret() {
    let fake = Fake::answering(INITIALISED);
    for words in [&["read", "c/a"][..], &["read", "-field=x", "c/a"], &["version"], &["read", "-h"], &["-h"]] {
        let full = into_nothing(&fake, words, ErrorKind::StorageFull);
        assert_eq!(
            (full.code, full.err.as_str()),
            (1, "Cannot write to standard output: no storage space\n"),
            "{words:?}"
        );
        let left = into_nothing(&fake, words, ErrorKind::BrokenPipe);
        assert_eq!((left.code, left.err.as_str()), (0, ""), "{words:?}");
    }
    assert_eq!(into_nothing(&fake, &["list", "-format=json", "none"], ErrorKind::StorageFull).code, 2);
}

#[test]
fn no_commands_help_is_lost_in_silence() {
    let fake = Fake::answering(NONE);
    for command in crate::commands::all() {
        let words: Vec<&str> = command.name.split(' ').chain(["-h"]).collect();
        let lost = into_nothing(&fake, &words, ErrorKind::StorageFull);
        assert_eq!(
            (lost.code, lost.err.as_str()),
            (1, "Cannot write to standard output: no storage space\n"),
            "{words:?}"
        );
    }
}

/// Once an answer that was to be wrapped came in the clear.
#[test]
fn a_wrapping_time_that_cannot_be_kept_stops_everything() {
    let fake = Fake::answering(NONE);
    for ttl in ["abc", "-5m", "500ms", "999ms"] {
        let by_variable = ran_in(&fake, &["kv", "get", "secret/a"], "", ("VAULT_WRAP_TTL", ttl), &Sink::default());
        assert_eq!((by_variable.code, by_variable.out.as_str()), (1, ""), "{ttl}");
        let by_flag = ran(&fake, &["read", &format!("-wrap-ttl={ttl}"), "c/a"]);
        assert_eq!((by_flag.code, by_flag.out.as_str()), (1, ""), "{ttl}");
        assert!(by_flag.err.contains(ttl), "{}", by_flag.err);
    }
    assert!(fake.seen().is_empty(), "nothing was sent");
    ran(&fake, &["read", "-wrap-ttl=1s", "c/a"]);
    ran_in(&fake, &["read", "-wrap-ttl=0", "c/a"], "", ("VAULT_WRAP_TTL", "5m"), &Sink::default());
    let seen = fake.seen();
    assert!(seen[0].contains("[x-vault-wrap-ttl: 1s]") && !seen[1].contains("wrap-ttl"), "{seen:?}");
}

#[test]
fn a_variable_that_cannot_be_read_is_not_off() {
    let fake = Fake::answering(NONE);
    for (variable, value) in
        [("VAULT_SKIP_VERIFY", "xyz"), ("BAO_DISABLE_REDIRECTS", "maybe"), ("VAULT_MAX_RETRIES", "x")]
    {
        let ran = ran_in(&fake, &["read", "c/a"], "", (variable, value), &Sink::default());
        assert!(ran.code == 1 && ran.err.contains(variable), "{}", ran.err);
    }
    assert!(fake.seen().is_empty());
}

#[test]
fn dry_runs_neither_ask_nor_change() {
    let fake = Fake::answering(&[("GET /v1/sys/internal/ui/mounts/secret/app", 200, V2)]);
    let home = tempfile::tempdir().unwrap();
    let home = home.path().to_str().unwrap();
    for (words, target) in [
        (&["login", "-output-curl-string", "hvs.mine"][..], "/v1/auth/token/lookup-self"),
        (&["status", "-output-curl-string"], "/v1/sys/seal-status"),
        (&["operator", "init", "-status", "-output-curl-string"], "/v1/sys/init"),
        (&["operator", "init", "-output-curl-string"], "/v1/sys/init"),
        (&["operator", "unseal", "-output-curl-string"], "/v1/sys/unseal"),
        (&["operator", "rekey", "-output-curl-string", "s"], "/v1/sys/rotate/root/update"),
        (&["operator", "generate-root", "-output-curl-string"], "/v1/sys/generate-root-token/update"),
    ] {
        let ran = ran_at(&fake, words, "", home);
        assert!(
            ran.code == 0 && ran.out.trim_end().ends_with(&format!("{target}\"")),
            "{words:?}: {}{}",
            ran.out,
            ran.err
        );
        assert!(!ran.out.contains("hvs.mine"));
    }
    assert!(fake.seen().is_empty());
    assert_eq!(std::fs::read_dir(home).unwrap().count(), 0, "no token was stored");

    let curl = ran(&fake, &["kv", "patch", "-method=rw", "-output-curl-string", "secret/app", "x=1"]).out;
    assert!(curl.lines().count() == 2 && curl.contains("-X PUT"), "{curl}");
    let policy = ran(&fake, &["kv", "patch", "-method=rw", "-output-policy", "secret/app", "x=1"]).out;
    assert_eq!(policy, "path \"secret/data/app\" {\n  capabilities = [\"read\", \"create\", \"update\"]\n}\n");
}

/// Once the policy for it let nobody read what is written back.
#[test]
fn a_rollback_needs_to_read_too() {
    let fake = Fake::answering(&[
        ("GET /v1/sys/internal/ui/mounts/secret/app", 200, V2),
        ("GET /v1/secret/data/app", 200, r#"{"data":{"data":{"a":"2"},"metadata":{"version":2}}}"#),
        ("GET /v1/secret/data/app?version=1", 200, r#"{"data":{"data":{"a":"1"},"metadata":{"version":1}}}"#),
    ]);
    let policy = ran(&fake, &["kv", "rollback", "-version=1", "-output-policy", "secret/app"]).out;
    assert_eq!(policy, "path \"secret/data/app\" {\n  capabilities = [\"read\", \"create\", \"update\"]\n}\n");
}

#[test]
fn a_rewriting_patch_wraps_only_its_end() {
    let fake = Fake::answering(&[
        ("GET /v1/sys/internal/ui/mounts/secret/app", 200, V2),
        ("GET /v1/secret/data/app", 200, r#"{"data":{"data":{"a":"1"},"metadata":{"version":3}}}"#),
        ("PUT /v1/secret/data/app", 200, r#"{"wrap_info":{"token":"hvs.w","ttl":60}}"#),
    ]);
    let ran = ran(&fake, &["kv", "patch", "-method=rw", "-wrap-ttl=1m", "secret/app", "x=1"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let seen = fake.seen();
    assert!(!seen[1].contains("wrap-ttl") && seen[2].contains("[x-vault-wrap-ttl: 1m0s]"), "{seen:?}");
}

/// Once any server that answered was taken for one that is open, and any word for a token.
#[test]
fn answers_that_say_nothing_prove_nothing() {
    let fake = Fake::answering(&[
        ("GET /v1/sys/seal-status", 200, r#"{"data":[1,2]}"#),
        ("GET /v1/sys/leader", 200, r#"{"data":[1,2]}"#),
        ("GET /v1/auth/token/lookup-self", 200, r#"{"data":[1,2]}"#),
    ]);
    let status = ran(&fake, &["status"]);
    assert!(status.code == 1 && status.out.is_empty() && status.err.contains("/v1/sys/seal-status"), "{}", status.err);
    let home = tempfile::tempdir().unwrap();
    let login = ran_at(&fake, &["login", "foo"], "", home.path().to_str().unwrap());
    assert!(login.code == 2 && login.err.contains("describes no token"), "{}", login.err);
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn a_token_file_that_cannot_be_read_is_told() {
    let fake = Fake::answering(NONE);
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".vault-token")).unwrap();
    let env = crate::env::Env::from([("HOME", home.path().to_str().unwrap())]);
    let (out, err) = (Sink::default(), &Sink::default());
    let ui = crate::ui::Ui::of_test(Box::new(out), Box::new(err.clone()), Box::new(std::io::empty()));
    crate::run(&["vault".into(), "print".into(), "token".into()], ui, env);
    assert!(err.text().contains("Going on without a token: cannot read "), "{}", err.text());
    // With a token named elsewhere nobody looks at the file.
    assert_eq!(ran_at(&fake, &["print", "token"], "", home.path().to_str().unwrap()).err, "");
}

/// The server of the tests is on this machine, so that only a proxy for all is asked.
#[test]
fn proxies_from_the_environment() {
    let fake = Fake::answering(NONE);
    for (variable, used) in [
        ("VAULT_PROXY_ADDR", true),
        ("BAO_PROXY_ADDR", true),
        ("BULLA_HTTP_PROXY", true),
        ("VAULT_HTTP_PROXY", true),
        ("HTTP_PROXY", false),
        ("http_proxy", false),
    ] {
        let ran = ran_in(&fake, &["read", "c/a"], "", (variable, "http://ann:s3cret@127.0.0.1:1"), &Sink::default());
        assert_eq!((ran.code, ran.err.contains("(by the proxy http://127.0.0.1:1)")), (2, used), "{}", ran.err);
        assert_eq!(fake.seen().len(), usize::from(!used), "{variable}");
        assert!(!ran.err.contains("s3cret"));
    }
    let ran = ran_in(&fake, &["read", "c/a"], "", ("VAULT_PROXY_ADDR", "socks5://ann:s3cret@h"), &Sink::default());
    assert!(ran.code == 1 && ran.err.starts_with("VAULT_PROXY_ADDR: ") && !ran.err.contains("s3cret"), "{}", ran.err);
    assert!(fake.seen().is_empty());
}

/// Once the token was made and told to nobody.
#[test]
fn a_token_that_cannot_be_stored_is_shown() {
    let fake = Fake::answering(&[("PUT /v1/auth/userpass/login/ann", 200, r#"{"auth":{"client_token":"hvs.ann"}}"#)]);
    let words = ["login", "-no-print", "-method=userpass", "username=ann", "password=pw"];
    let ran = ran_at(&fake, &words, "", "");
    assert!(ran.code == 2 && ran.out.contains("hvs.ann"), "{}{}", ran.out, ran.err);
    assert!(ran.err.starts_with("Error storing token: HOME is not set\nAuthentication was successful"), "{}", ran.err);
}

#[test]
fn a_name_given_twice_is_nobodys() {
    let fake = Fake::answering(NONE);
    let ran = ran_in(
        &fake,
        &["login", "-method=userpass", "username=a", "username=b", "password=p"],
        "",
        ("LOGNAME", "me"),
        &Sink::default(),
    );
    assert!(ran.code == 1 && ran.err.contains("'username' must be one text"), "{}", ran.err);
    assert!(fake.seen().is_empty());
}

#[test]
fn an_encoded_token_may_come_by_standard_input() {
    let fake = Fake::answering(NONE);
    // The letters XOR `aaaa`.
    let ran = ran_with(&fake, &["operator", "generate-root", "-decode=-", "-otp=aaaa"], "CRcSTw==\n");
    assert_eq!((ran.code, ran.out.as_str()), (0, "hvs.\n"));
}

#[test]
fn flags_of_what_is_not_here_say_so() {
    let fake = Fake::answering(NONE);
    for words in [
        &["operator", "init", "-consul-auto"][..],
        &["operator", "init", "-consul-service=x"],
        &["operator", "generate-root", "-dr-token"],
        &["operator", "generate-root", "-recovery-token"],
        &["secrets", "enable", "-identity-token-key=x", "kv"],
        &["secrets", "tune", "-delegated-auth-accessors=x", "kv"],
        &["auth", "enable", "-identity-token-key", "x", "userpass"],
        &["token", "create", "-inline-auth"],
    ] {
        let ran = ran(&fake, words);
        assert!(ran.code == 1 && ran.err.contains(" cannot be used: "), "{words:?}: {}", ran.err);
    }
    assert!(fake.seen().is_empty());
}

#[test]
fn lockouts_are_tuned() {
    let fake =
        Fake::answering(&[("POST /v1/sys/auth/userpass/tune", 204, ""), ("POST /v1/sys/mounts/kv/tune", 204, "")]);
    let words = [
        "auth",
        "tune",
        "-user-lockout-threshold=3",
        "-user-lockout-duration=10m",
        "-user-lockout-counter-reset-duration=1h",
        "-user-lockout-disable=false",
        "userpass",
    ];
    assert_eq!(ran(&fake, &words).code, 0);
    let want = r#"{"user_lockout_config":{"lockout_threshold":"3","lockout_duration":"10m0s","lockout_counter_reset_duration":"1h0m0s","lockout_disable":false}}"#;
    assert!(fake.seen()[0].contains(want));
    assert_eq!(ran(&fake, &["secrets", "tune", "-allowed-managed-keys=a,b", "kv"]).code, 0);
    assert!(fake.seen()[0].contains(r#"{"allowed_managed_keys":["a","b"]}"#));
}

/// Once a disk that was full cut the only copy of a policy in two.
#[test]
fn a_policy_is_laid_out_beside_itself() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
    let fake = Fake::answering(NONE);
    let folder = tempfile::tempdir().unwrap();
    let (file, link) = (folder.path().join("p.hcl"), folder.path().join("link"));
    std::fs::write(&file, "path \"a\" { }").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    symlink("p.hcl", &link).unwrap();
    let before = std::fs::metadata(&file).unwrap();
    assert_eq!(ran(&fake, &["policy", "fmt", link.to_str().unwrap()]).code, 0);
    let after = std::fs::metadata(&file).unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "path \"a\" {}\n");
    assert_ne!(after.ino(), before.ino(), "it is another file");
    assert_eq!(after.mode(), before.mode());
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "no draft is left");
}

/// Once a token could be given to these commands only where `ps` shows it.
#[test]
fn tokens_may_come_by_standard_input() {
    let fake = Fake::answering(&[
        ("POST /v1/auth/token/lookup", 200, r#"{"data":{"id":"hvs.x"}}"#),
        ("PUT /v1/auth/token/renew", 200, r#"{"auth":{"client_token":"hvs.x"}}"#),
        ("PUT /v1/auth/token/revoke", 204, ""),
        ("POST /v1/auth/token/revoke-accessor", 204, ""),
        ("POST /v1/sys/capabilities", 200, r#"{"data":{"capabilities":["read"]}}"#),
        ("PUT /v1/sys/wrapping/unwrap", 200, r#"{"data":{"a":"1"}}"#),
        ("GET /v1/sys/leader", 200, r#"{"ha_enabled":false}"#),
        ("PUT /v1/sys/unseal", 200, r#"{"initialized":true,"sealed":false,"t":1,"n":1}"#),
    ]);
    for words in [
        &["token", "lookup", "-"][..],
        &["token", "renew", "-"],
        &["token", "revoke", "-"],
        &["token", "revoke", "-accessor", "-"],
        &["token", "capabilities", "-", "p"],
        &["unwrap", "-"],
        &["operator", "unseal", "-"],
    ] {
        let ran = ran_with(&fake, words, "hvs.x\n");
        assert_eq!(ran.code, 0, "{words:?}: {}", ran.err);
        assert!(fake.seen()[0].contains(r#"":"hvs.x""#), "{words:?}");
        // Nothing is not the token that commands use.
        let nothing = ran_with(&fake, words, " \n");
        assert_eq!((nothing.code, nothing.err.as_str()), (1, "standard input holds nothing\n"), "{words:?}");
        assert!(fake.seen().is_empty(), "{words:?}");
    }
}

#[test]
fn commands_that_take_secrets_as_words_say_who_sees_them() {
    for name in [
        "operator unseal",
        "operator rekey",
        "operator generate-root",
        "login",
        "unwrap",
        "token lookup",
        "token renew",
        "token revoke",
        "token capabilities",
        "write",
        "patch",
        "kv put",
        "kv patch",
    ] {
        let command = crate::commands::all().find(|command| command.name == name).unwrap();
        let help = crate::help::command("bulla", command).replace('\n', " ");
        assert!(help.contains("can be seen by other users of the machine"), "{name}");
        assert!(help.contains("standard input"), "{name}");
    }
}
