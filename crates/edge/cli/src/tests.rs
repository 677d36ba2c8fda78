//! Whole commands against a server that answers from a table; texts are those the reference printed.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::{
    cell::RefCell,
    io::{BufRead, BufReader, Cursor, Read, Write},
    net::TcpListener,
    rc::Rc,
    sync::{Arc, Mutex},
};

use crate::{Next, env::Env, run, ui::Ui};

/// Method and target, status, body.
pub(crate) type Canned = (&'static str, u16, &'static str);

pub(crate) struct Fake {
    pub(crate) port: u16,
    /// `PUT /v1/x {"body":1}` and, behind it, headers of interest.
    pub(crate) seen: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    pub(crate) fn answering(table: &'static [Canned]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = BufReader::new(stream.unwrap());
                let mut line = String::new();
                stream.read_line(&mut line).unwrap();
                let call = line.rsplit_once(' ').unwrap().0.to_owned();
                let (mut length, mut kept) = (0, String::new());
                loop {
                    let mut header = String::new();
                    stream.read_line(&mut header).unwrap();
                    let header = header.trim().to_lowercase();
                    if header.is_empty() {
                        break;
                    }
                    if let Some(value) = header.strip_prefix("content-length: ") {
                        length = value.parse().unwrap();
                    } else if header.starts_with("x-vault-") && header != "x-vault-request: true" {
                        kept.push_str(&format!(" [{header}]"));
                    }
                }
                let mut body = vec![0; length];
                stream.read_exact(&mut body).unwrap();
                log.lock().unwrap().push(format!("{call} {}{kept}", String::from_utf8(body).unwrap()));
                let (status, body) = table
                    .iter()
                    .find(|(known, ..)| *known == call)
                    .map_or((404, r#"{"errors":[]}"#), |(_, status, body)| (*status, *body));
                let head =
                    format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
                stream.get_mut().write_all(format!("{head}{body}").as_bytes()).unwrap();
            }
        });
        Self { port, seen }
    }

    pub(crate) fn seen(&self) -> Vec<String> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

#[derive(Clone, Default)]
pub(crate) struct Sink(Rc<RefCell<Vec<u8>>>, Option<std::io::ErrorKind>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if let Some(kind) = self.1 {
            return Err(kind.into());
        }
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Sink {
    pub(crate) fn failing(kind: std::io::ErrorKind) -> Self {
        Self(Rc::default(), Some(kind))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.borrow().clone()).unwrap()
    }
}

pub(crate) struct Ran {
    pub(crate) code: u8,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) fn ran_with(fake: &Fake, words: &[&str], input: &str) -> Ran {
    ran_at(fake, words, input, "")
}

/// `home` is where the token file is; none if empty.
pub(crate) fn ran_at(fake: &Fake, words: &[&str], input: &str, home: &str) -> Ran {
    ran_in(fake, words, input, ("HOME", home), &Sink::default())
}

/// With one more variable in the environment, and output that may fail.
pub(crate) fn ran_in(fake: &Fake, words: &[&str], input: &str, more: (&str, &str), out: &Sink) -> Ran {
    let address = format!("http://127.0.0.1:{}", fake.port);
    let pairs = [("VAULT_ADDR", address.as_str()), ("BAO_TOKEN", "tok"), ("VAULT_MAX_RETRIES", "0"), more];
    let env = Env::from(pairs);
    let err = Sink::default();
    let ui =
        Ui::of_test(Box::new(out.clone()), Box::new(err.clone()), Box::new(Cursor::new(input.as_bytes().to_vec())));
    let words: Vec<String> = std::iter::once("vault").chain(words.iter().copied()).map(str::to_owned).collect();
    let Next::Exit(code) = run(&words, ui, env) else { unreachable!("no server asked for") };
    let hide = |text: String| text.replace(&fake.port.to_string(), "PORT");
    Ran { code, out: hide(out.text()), err: hide(err.text()) }
}

pub(crate) fn ran(fake: &Fake, words: &[&str]) -> Ran {
    ran_with(fake, words, "")
}

pub(crate) const NONE: &[Canned] = &[];

const UNSEALED: &str = r#"{"type":"shamir","initialized":true,"sealed":false,"t":1,"n":1,"progress":0,"nonce":"",
    "version":"2.0.0-HEAD","build_date":"","migration":false,"cluster_name":"c","cluster_id":"i","recovery_seal":false,
    "storage_type":"inmem"}"#;

#[test]
fn status_tells_by_its_exit_code() {
    let fake = Fake::answering(&[
        ("GET /v1/sys/seal-status", 200, UNSEALED),
        ("GET /v1/sys/leader", 200, r#"{"ha_enabled":false}"#),
    ]);
    let table = ran(&fake, &["status"]);
    let want = "Key             Value\n---             -----\nSeal Type       shamir\nInitialized     true\n\
                Sealed          false\nTotal Shares    1\nThreshold       1\nVersion         2.0.0-HEAD\n\
                Storage Type    inmem\nCluster Name    c\nCluster ID      i\nHA Enabled      false\n";
    assert_eq!((table.code, table.out.as_str(), table.err.as_str()), (0, want, ""));
    let json = ran(&fake, &["status", "-format=json"]).out;
    let names: Vec<&str> = json.lines().filter_map(|l| l.trim().strip_prefix('"')?.split('"').next()).collect();
    assert_eq!(
        names.join(" "),
        "type initialized sealed t n progress nonce version commit_date migration cluster_name cluster_id \
         recovery_seal storage_type build_date ha_enabled"
    );

    let sealed = Fake::answering(&[
        (
            "GET /v1/sys/seal-status",
            200,
            r#"{"type":"shamir","initialized":true,"sealed":true,"t":3,"n":5,"progress":1}"#,
        ),
        ("GET /v1/sys/leader", 200, r#"{"ha_enabled":false}"#),
    ]);
    let table = ran(&sealed, &["status"]);
    assert_eq!(table.code, 2);
    assert!(table.out.contains("Unseal Progress    1/3\nUnseal Nonce       n/a\n"), "{}", table.out);

    let nobody = Fake { port: 1, seen: Arc::default() };
    assert_eq!(ran(&nobody, &["status"]).code, 1);
    assert_eq!(ran(&nobody, &["read", "x"]).code, 2);
}

#[test]
fn generic_commands() {
    let fake = Fake::answering(&[
        ("GET /v1/c/a", 200, r#"{"request_id":"r","data":{"y":"two","x":"1","ttl":3600},"warnings":["mind it"]}"#),
        ("PUT /v1/c/a", 204, ""),
        ("GET /v1/c?list=true", 200, r#"{"data":{"keys":["b","a"]}}"#),
        ("DELETE /v1/c/a", 204, ""),
        ("PUT /v1/denied", 403, r#"{"errors":["permission denied"]}"#),
    ]);
    let read = ran(&fake, &["read", "c/a"]);
    assert_eq!(read.out, "Key    Value\n---    -----\nttl    1h\nx      1\ny      two\n");
    assert!(read.err.contains("  * mind it\n"));
    assert_eq!(ran(&fake, &["read", "-field=y", "c/a"]).out, "two");
    let none = ran(&fake, &["read", "-field=nope", "c/a"]);
    assert_eq!((none.code, none.err.as_str()), (1, "Field \"nope\" not present in secret\n"));
    let lost = ran(&fake, &["read", "c/none"]);
    assert_eq!((lost.code, lost.err.as_str()), (2, "No value found at c/none\n"));
    let few = ran(&fake, &["read"]);
    assert_eq!((few.code, few.err.as_str()), (1, "Not enough arguments (expected 1, got 0)\n"));

    fake.seen();
    let written = ran_with(&fake, &["write", "-wrap-ttl=5m", "c/a", "-"], r#"{"n":1.0,"l":[1]}"#);
    assert_eq!((written.code, written.out.as_str()), (0, "Success! Data written to: c/a\n"));
    assert_eq!(fake.seen(), [r#"PUT /v1/c/a {"n":1.0,"l":[1]} [x-vault-token: tok] [x-vault-wrap-ttl: 5m0s]"#]);
    assert_eq!(ran(&fake, &["write", "c/a"]).err, "Must supply data or use -force\n");

    assert_eq!(ran(&fake, &["list", "c"]).out, "Keys\n----\na\nb\n");
    assert_eq!(ran(&fake, &["list", "-format=json", "c/"]).out, "[\n  \"b\",\n  \"a\"\n]\n");
    let empty = ran(&fake, &["list", "-format=json", "d"]);
    assert_eq!((empty.code, empty.out.as_str()), (2, "{}\n"));
    assert_eq!(ran(&fake, &["delete", "c/a"]).out, "Success! Data deleted (if it existed) at: c/a\n");

    let denied = ran(&fake, &["write", "-f", "denied"]);
    let want = "Error writing data to denied: Error making API request.\n\nURL: PUT http://127.0.0.1:PORT/v1/denied\n\
                Code: 403. Errors:\n\n* permission denied\n";
    assert_eq!((denied.code, denied.err.as_str()), (2, want));
}

#[test]
fn dry_runs_send_nothing() {
    let fake = Fake::answering(NONE);
    let curl = ran(&fake, &["read", "-output-curl-string", "c/a"]);
    let want = "curl -H \"X-Vault-Request: true\" -H \"X-Vault-Token: $(vault print token)\" \"http://127.0.0.1:PORT/v1/c/a\"\n";
    assert_eq!((curl.code, curl.out.as_str()), (0, want));
    assert_eq!(
        ran(&fake, &["write", "-output-policy", "c/a", "x=1"]).out,
        "path \"c/a\" {\n  capabilities = [\"create\", \"update\"]\n}\n"
    );
    assert!(fake.seen().is_empty());
}

pub(crate) const V2: &str = r#"{"data":{"options":{"version":"2"},"path":"secret/"}}"#;

#[test]
fn key_value_with_versions() {
    let fake = Fake::answering(&[
        ("GET /v1/sys/internal/ui/mounts/secret/app", 200, V2),
        (
            "GET /v1/secret/data/app",
            200,
            r#"{"data":{"data":{"user":"bob","pass":"s3cret"},"metadata":{"created_time":"T","custom_metadata":null,
               "deletion_time":"","destroyed":false,"version":1}}}"#,
        ),
        ("PUT /v1/secret/data/app", 200, r#"{"data":{"version":2,"deletion_time":""}}"#),
        ("PUT /v1/secret/undelete/app", 204, ""),
    ]);
    let want = "= Secret Path =\nsecret/data/app\n\n======= Metadata =======\nKey                Value\n\
                ---                -----\ncreated_time       T\ncustom_metadata    <nil>\ndeletion_time      n/a\n\
                destroyed          false\nversion            1\n\n==== Data ====\nKey     Value\n---     -----\n\
                pass    s3cret\nuser    bob\n";
    assert_eq!(ran(&fake, &["kv", "get", "secret/app"]).out, want);
    assert_eq!(ran(&fake, &["kv", "get", "-field=pass", "secret/app"]).out, "s3cret");
    fake.seen();
    assert_eq!(ran(&fake, &["kv", "put", "-cas=0", "secret/app", "x=1"]).code, 0);
    assert_eq!(
        fake.seen()[1],
        r#"PUT /v1/secret/data/app {"data":{"x":"1"},"options":{"cas":0}} [x-vault-token: tok]"#
    );
    let undeleted = ran(&fake, &["kv", "undelete", "-versions=3,4", "secret/app"]);
    assert_eq!(undeleted.out, "Success! Data written to: secret/undelete/app\n");
    assert!(fake.seen()[1].contains(r#"{"versions":["3","4"]}"#));
    assert_eq!(ran(&fake, &["kv", "put", "secret/app"]).err, "Must supply data\n");
}

#[test]
fn entries_are_copied_and_moved() {
    let fake = Fake::answering(&[
        ("GET /v1/sys/internal/ui/mounts/secret/app", 200, V2),
        ("GET /v1/sys/internal/ui/mounts/secret", 200, V2),
        ("GET /v1/sys/internal/ui/mounts/old/app", 200, r#"{"data":{"options":null,"path":"old/"}}"#),
        ("POST /v1/secret/copy/app", 204, ""),
        ("POST /v1/secret/move/app", 200, r#"{"warnings":["mind it"]}"#),
    ]);
    let copied = ran(&fake, &["kv", "copy", "secret/app", "/secret/team/app/"]);
    let want = "Success! Copied secret/data/app to: secret/data/team/app\n";
    assert_eq!((copied.code, copied.out.as_str()), (0, want), "{}", copied.err);
    assert_eq!(fake.seen()[1], r#"POST /v1/secret/copy/app {"to":"team/app"} [x-vault-token: tok]"#);
    // Once the copy lay where no command could reach it.
    assert_eq!(ran(&fake, &["kv", "copy", "secret/app", "secret//team//app"]).out, want);
    assert!(fake.seen()[1].contains(r#"{"to":"team/app"}"#));
    let moved = ran(&fake, &["kv", "move", "-mount=secret", "app", "secret/app"]);
    assert!(moved.code == 0 && moved.err.contains("* mind it"), "{}", moved.err);
    assert_eq!(fake.seen()[1], r#"POST /v1/secret/move/app {"to":"secret/app"} [x-vault-token: tok]"#);
    assert_eq!(ran(&fake, &["kv", "copy", "-format=json", "secret/app", "secret/b"]).out, "");
    fake.seen();

    for (from, to, want) in [
        ("secret/app", "other/app", "other/app is not in the store at secret/: TARGET must be in the same one\n"),
        ("secret/app", "secrets/app", "secrets/app is not in the store at secret/: TARGET must be in the same one\n"),
        ("secret/app", "secret/", "PATH and TARGET must name an entry, not only a store\n"),
        ("secret", "secret/b", "PATH and TARGET must name an entry, not only a store\n"),
        ("old/app", "old/b", "Move not supported on KV Version 1\n"),
    ] {
        let refused = ran(&fake, &["kv", "move", from, to]);
        assert_eq!((refused.code, refused.err.as_str()), (1, want), "{from} {to}");
    }
    let policy = ran(&fake, &["kv", "move", "-output-policy", "secret/app", "secret/b"]).out;
    let want = "path \"secret/move/app\" {\n  capabilities = [\"update\"]\n}\n\n\
                path \"secret/data/b\" {\n  capabilities = [\"create\"]\n}\n";
    assert_eq!(policy, want);
    assert!(fake.seen().iter().all(|request| request.starts_with("GET ")));
    let lost = ran(&fake, &["kv", "copy", "-mount=secret", "none", "b"]);
    assert!(
        lost.code == 2 && lost.err.starts_with("Error copying secret/data/none to secret/data/b: "),
        "{}",
        lost.err
    );
}

#[test]
fn tokens() {
    let fake = Fake::answering(&[
        ("POST /v1/auth/token/create", 200, r#"{"auth":{"client_token":"hvs.x","lease_duration":1800}}"#),
        ("POST /v1/sys/capabilities-self", 200, r#"{"data":{"p":["update","read"],"capabilities":["update","read"]}}"#),
    ]);
    assert_eq!(ran(&fake, &["token", "create", "-field=token", "-policy=a", "-policy=b", "-ttl=30m"]).out, "hvs.x");
    assert!(fake.seen()[0].contains(r#"{"ttl":"30m0s","renewable":true,"policies":["a","b"]}"#));
    assert_eq!(ran(&fake, &["token", "capabilities", "p"]).out, "read, update\n");
    let bad = ran(&fake, &["token", "create", "-ttl=abc"]);
    assert_eq!(
        (bad.code, bad.err.as_str()),
        (1, "invalid value \"abc\" for flag -ttl: time: invalid duration \"abc\"\n")
    );
}

#[test]
fn login_remembers_the_token() {
    let fake = Fake::answering(&[
        (
            "PUT /v1/auth/userpass/login/ann",
            200,
            r#"{"auth":{"client_token":"hvs.ann","accessor":"acc","policies":["default"],"token_policies":["default"],
               "metadata":{"username":"ann"},"lease_duration":1800,"renewable":true}}"#,
        ),
        ("GET /v1/auth/token/lookup-self", 200, r#"{"data":{"accessor":"acc","policies":["root"],"ttl":0}}"#),
    ]);
    let home = std::env::temp_dir().join(format!("bulla-login-{}", std::process::id()));
    std::fs::create_dir_all(&home).unwrap();
    let (file, home) = (home.join(".vault-token"), home.to_str().unwrap());
    let by_name = ["login", "-method=userpass", "username=ann", "password=pw"];

    let ran = ran_at(&fake, &by_name, "", home);
    assert_eq!(ran.code, 0);
    assert!(ran.out.starts_with("Success! You are now authenticated."));
    assert!(ran.out.ends_with("\npolicies               [\"default\"]\ntoken_meta_username    ann\n"), "{}", ran.out);
    assert!(ran.err.contains("BAO_TOKEN"), "the variable still wins: {}", ran.err);
    assert!(fake.seen()[0].starts_with(r#"PUT /v1/auth/userpass/login/ann {"password":"pw"}"#));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "hvs.ann");

    std::fs::remove_file(&file).unwrap();
    let only = ran_at(&fake, &["login", "-token-only", by_name[1], by_name[2], by_name[3]], "", home);
    assert_eq!((only.out.as_str(), only.err.as_str()), ("hvs.ann", ""));
    let unstored = ran_at(&fake, &["login", "-no-store", "-format=json", "-"], "hvs.other\n", home);
    assert!(unstored.out.contains("\"client_token\": \"hvs.other\"") && unstored.err.contains("not stored"));
    assert!(fake.seen()[1].contains("[x-vault-token: hvs.other]"));
    // Once the name of the file was sent as the token.
    let held = std::path::Path::new(home).join("held");
    std::fs::write(&held, "hvs.held\n").unwrap();
    let held = format!("token=@{}", held.display());
    for (word, input, sent) in
        [(held.as_str(), "", "hvs.held"), (&held[6..], "", "hvs.held"), ("token=-", "hvs.typed\n", "hvs.typed")]
    {
        fake.seen();
        assert_eq!(ran_at(&fake, &["login", "-no-store", "-no-print", word], input, home).code, 0, "{word}");
        assert!(fake.seen()[0].contains(&format!("[x-vault-token: {sent}]")), "{word}");
    }
    assert!(!file.exists());
    assert_eq!(ran_at(&fake, &["login", "-no-print", "hvs.other"], "", home).out, "");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "hvs.other");
    std::fs::remove_dir_all(home).unwrap();
}

const WRAPPED: &str = r#"{"wrap_info":{"token":"hvs.w","accessor":"a","ttl":300,"creation_time":"2026-11-24T16:16:42Z",
    "creation_path":"secret/data/app"}}"#;

#[test]
fn wrapped_answers() {
    let fake = Fake::answering(&[
        ("GET /v1/sys/internal/ui/mounts/secret/app", 200, V2),
        ("GET /v1/secret/data/app", 200, WRAPPED),
        ("PUT /v1/sys/wrapping/unwrap", 200, r#"{"data":{"a":"1"}}"#),
    ]);
    let wrapped = ran(&fake, &["kv", "get", "-wrap-ttl=5m", "secret/app"]);
    let want = "Key                              Value\n---                              -----\n\
                wrapping_token:                  hvs.w\nwrapping_accessor:               a\n\
                wrapping_token_ttl:              5m\n\
                wrapping_token_creation_time:    2026-11-24 16:16:42 +0000 UTC\n\
                wrapping_token_creation_path:    secret/data/app\n";
    assert_eq!(wrapped.out, want);
    let seen = fake.seen();
    assert!(!seen[0].contains("wrap-ttl") && seen[1].contains("[x-vault-wrap-ttl: 5m0s]"), "{seen:?}");
    assert_eq!(ran(&fake, &["read", "-field=wrapping_token", "secret/data/app"]).out, "hvs.w");
    assert_eq!(ran(&fake, &["unwrap", "-field=a", "hvs.w"]).out, "1");
    assert!(fake.seen()[1].contains(r#"{"token":"hvs.w"} [x-vault-token: tok]"#));
}

#[test]
fn initialisation_for_machines() {
    let fake = Fake::answering(&[
        ("GET /v1/sys/seal-status", 200, r#"{"type":"shamir"}"#),
        ("PUT /v1/sys/init", 200, r#"{"keys":["aa"],"keys_base64":["qg=="],"root_token":"hvs.root"}"#),
    ]);
    let json = ran(&fake, &["operator", "init", "-key-shares=1", "-key-threshold=1", "-format=json"]);
    let want = "{\n  \"unseal_keys_b64\": [\n    \"qg==\"\n  ],\n  \"unseal_keys_hex\": [\n    \"aa\"\n  ],\n  \
                \"unseal_shares\": 1,\n  \"unseal_threshold\": 1,\n  \"recovery_keys_b64\": [],\n  \
                \"recovery_keys_hex\": [],\n  \"recovery_keys_shares\": 0,\n  \"recovery_keys_threshold\": 0,\n  \
                \"root_token\": \"hvs.root\"\n}\n";
    assert_eq!((json.code, json.out.as_str()), (0, want));
    assert!(fake.seen()[1].contains(r#"{"secret_shares":1,"secret_threshold":1}"#));
    let table = ran(&fake, &["operator", "init"]).out;
    assert!(table.starts_with("Unseal Key 1: qg==\n\nInitial Root Token: hvs.root\n"), "{table}");
}

#[test]
fn rounds_of_shares() {
    const RUNNING: &str = r#"{"nonce":"n1","started":true,"progress":0,"required":2,"complete":false,"otp_length":26}"#;
    let fake = Fake::answering(&[
        ("GET /v1/sys/generate-root/attempt", 200, RUNNING),
        (
            "PUT /v1/sys/generate-root/update",
            200,
            r#"{"nonce":"n1","started":true,"progress":2,"required":2,"complete":true,"encoded_token":"abc"}"#,
        ),
        ("GET /v1/sys/rekey/init", 200, r#"{"nonce":"","started":false,"t":0,"n":0,"progress":0,"required":2}"#),
    ]);
    let status = ran(&fake, &["operator", "generate-root", "-status"]).out;
    assert_eq!(
        status,
        "Nonce         n1\nStarted       true\nProgress      0/2\nComplete      false\nOTP Length    26\n"
    );
    fake.seen();
    let given = ran_with(&fake, &["operator", "generate-root", "-"], "share\n").out;
    assert!(given.contains("Complete         true\nEncoded Token    abc\n"), "{given}");
    let seen = fake.seen();
    assert_eq!(seen[0], "GET /v1/sys/generate-root-token/attempt  [x-vault-token: tok]", "the better route first");
    assert!(seen[2].contains(r#"{"key":"share","nonce":"n1"}"#));
    let idle = ran(&fake, &["operator", "rekey", "share"]);
    assert!(idle.code == 1 && idle.err.contains("not in progress"));
    assert_eq!(ran(&fake, &["operator", "rekey", "-status"]).out, "Nonce      n/a\nStarted    false\n");
}

#[test]
fn words_that_are_no_command() {
    let fake = Fake::answering(NONE);
    assert_eq!(ran(&fake, &["nope"]).code, 127);
    assert_eq!(ran(&fake, &[]).code, 127);
    assert_eq!(ran(&fake, &["kv"]).code, 1);
    assert_eq!(ran(&fake, &["-h"]).code, 0);
    let help = ran(&fake, &["kv", "metadata", "-h"]);
    assert!(help.code == 0 && help.out.contains("  put "));
    let help = ran(&fake, &["kv", "get", "-h"]);
    assert!(help.code == 0 && help.out.contains("  -version=<number>") && help.out.contains("  -field=<text>"));
    for words in [["version"], ["-version"], ["--version"], ["-v"]] {
        assert!(ran(&fake, &words).out.starts_with("Vault v1.21.4 ("));
    }
    assert_eq!(ran(&fake, &["read", "-format=xml", "a"]).err, "Invalid output format: xml\n");
    let late = ran(&fake, &["write", "-output-policy", "p", "a=1", "-force"]);
    assert!(late.err.contains("will not be parsed as flags: [-force]"), "{}", late.err);
}

/// All help pages are one file, so that a change of a flag or command shows in review as what it is: a change of promise.
#[test]
fn help_is_as_recorded() {
    let mut text = crate::help::overview("bulla");
    for (words, _) in crate::commands::GROUPS {
        text.push_str(&format!("\n\n# {words}\n\n{}", crate::help::group("bulla", words).unwrap()));
    }
    for command in crate::commands::all() {
        let help = crate::help::command("bulla", command);
        // The flags every command has are recorded once, with `status`.
        let own = help.split("\n\nFlags of every command").next().unwrap();
        let shown = if command.name == "status" { &help } else { own };
        text.push_str(&format!("\n\n# {}\n\n{shown}", command.name));
    }
    text.push('\n');
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/help.txt");
    if std::env::var_os("BULLA_WRITE_GOLDEN").is_some() {
        std::fs::write(file, &text).unwrap();
    }
    let recorded = std::fs::read_to_string(file).unwrap();
    assert!(
        recorded == text,
        "help has changed; if that was meant: BULLA_WRITE_GOLDEN=1 cargo test -p bulla-cli help_is"
    );
}
