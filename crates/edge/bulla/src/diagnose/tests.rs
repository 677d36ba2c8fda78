//! Whole diagnoses of configurations on disk.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use super::run;
use crate::config::Environment;
use bulla_cli::{Check, DiagnoseOptions, Verdict};
use bulla_physical::{DiskOptions, Store};
use std::path::{Path, PathBuf};

fn diagnose(folder: &Path, text: &str, skip: &[&str]) -> Check {
    let file = folder.join("server.hcl");
    std::fs::write(&file, text.replace("FOLDER", &folder.display().to_string())).unwrap();
    let skip = skip.iter().map(|&name| name.to_owned()).collect();
    run(&DiagnoseOptions { configs: vec![file], skip }, &Environment::of([]))
}

/// The check with this name, anywhere in the tree.
fn part<'a>(check: &'a Check, name: &str) -> Option<&'a Check> {
    if check.name == name {
        return Some(check);
    }
    check.parts.iter().find_map(|inner| part(inner, name))
}

fn verdict(check: &Check, name: &str) -> Verdict {
    part(check, name).unwrap_or_else(|| panic!("no check `{name}` in {check:#?}")).verdict
}

const LOCAL: &str = r#"
storage "disk" { path = "FOLDER/store" }
listener "tcp" {
  address     = "127.0.0.1:0"
  tls_disable = true
}
"#;

#[test]
fn nothing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let check = diagnose(folder.path(), LOCAL, &[]);
    assert_ne!(check.verdict, Verdict::Broken, "{check:#?}");
    assert_eq!(verdict(&check, "Port"), Verdict::Fine);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "the configuration alone");
}

#[test]
fn a_configuration_that_does_not_parse_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let check = diagnose(folder.path(), "storage \"disk\" {", &[]);
    assert_eq!((check.verdict, check.parts.len()), (Verdict::Broken, 1));
    let check = diagnose(folder.path(), "ui = true\n", &[]);
    assert_eq!(verdict(&check, "Completeness"), Verdict::Broken);
}

#[test]
fn a_running_server_keeps_its_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store"), DiskOptions::default()).unwrap();
    let check = diagnose(folder.path(), LOCAL, &[]);
    let told = part(&check, "Store").unwrap();
    assert!(told.message.contains(&format!("in use by process {}", std::process::id())), "{told:?}");
    drop(store);
    let check = diagnose(folder.path(), LOCAL, &[]);
    assert!(!part(&check, "Store").unwrap().message.contains("in use"));
}

#[test]
fn foreign_folders_and_taken_ports() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    std::fs::create_dir(folder.path().join("store")).unwrap();
    std::fs::write(folder.path().join("store/letter"), "mine").unwrap();
    let check = diagnose(folder.path(), &LOCAL.replace("127.0.0.1:0", &taken.local_addr().unwrap().to_string()), &[]);
    assert_eq!(verdict(&check, "Store"), Verdict::Broken);
    assert_eq!(verdict(&check, "Port"), Verdict::Broken);
    let check = diagnose(folder.path(), LOCAL, &["storage", "listener", "system"]);
    assert_eq!((check.verdict, verdict(&check, "Check Storage")), (Verdict::Fine, Verdict::Skipped));
}

/// Once all was well with a socket that a server could not give away.
#[test]
fn owners_that_are_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let with = |owner: &str| {
        let text = format!("storage \"inmem\" {{}}\nlistener \"unix\" {{\n address = \"FOLDER/s\"\n {owner}\n}}");
        diagnose(folder.path(), &text, &["system", "storage"])
    };
    for owner in ["socket_user = \"no-such-user\"", "socket_group = \"no-such-group\""] {
        let check = with(owner);
        assert!(part(&check, "Owner").unwrap().message.contains("no-such-"), "{check:#?}");
        assert_eq!(check.verdict, Verdict::Broken);
    }
    assert!(part(&with("socket_user = \"root\"\n socket_mode = \"600\""), "Owner").is_none());
}

#[test]
fn certificates() {
    let folder = tempfile::tempdir().unwrap();
    let made = |name: &str| {
        let at = folder.path().join(name);
        let tls = crate::options::DevTls { folder: Some(at.clone()), names: vec![] };
        crate::dev::make_certificates(&tls).unwrap().settings
    };
    let (one, other) = (made("one"), made("other"));
    let with = |certificate: &PathBuf, key: &PathBuf| {
        let text = format!(
            "storage \"inmem\" {{}}\nlistener \"tcp\" {{\n  address = \"127.0.0.1:0\"\n  tls_cert_file = \"{}\"\n  \
             tls_key_file = \"{}\"\n}}\n",
            certificate.display(),
            key.display()
        );
        diagnose(folder.path(), &text, &[])
    };
    let good = with(&one.certificate, &one.key);
    assert_eq!(verdict(&good, "Certificate and Key"), Verdict::Fine);
    assert!(part(&good, "Validity").is_some());
    let mixed = with(&one.certificate, &other.key);
    assert_eq!((verdict(&mixed, "Certificate and Key"), mixed.exit_code()), (Verdict::Broken, 1));
    let missing = with(&folder.path().join("none.pem"), &one.key);
    assert_eq!(verdict(&missing, "Certificate and Key"), Verdict::Broken);
}

#[test]
fn an_open_door_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let check = diagnose(folder.path(), &LOCAL.replace("127.0.0.1:0", "0.0.0.0:0"), &[]);
    assert_eq!(verdict(&check, "TLS"), Verdict::Doubtful);
    assert_eq!(check.exit_code(), 2);
}

#[test]
fn audit_files_that_can_and_cannot_be() {
    let folder = tempfile::tempdir().unwrap();
    let with = |file: &str| {
        let block = format!("audit \"file\" \"main\" {{ options = {{ file_path = \"{file}\" }} }}\n");
        verdict(&diagnose(folder.path(), &format!("{LOCAL}{block}"), &[]), "file main/")
    };
    assert_eq!(with("FOLDER/logs/of/audit.log"), Verdict::Fine, "folders are made");
    assert!(!folder.path().join("logs").exists());
    assert_eq!(with("FOLDER"), Verdict::Broken, "a folder is no file");
    assert_eq!(with("/dev/null/audit.log"), Verdict::Broken, "nor is a file a folder");
    assert_eq!(with("stdout"), Verdict::Fine);
}

#[test]
fn proxies_that_are_believed() {
    let folder = tempfile::tempdir().unwrap();
    let with =
        |lines: &str| diagnose(folder.path(), &LOCAL.replace("tls_disable", &format!("{lines}\n  tls_disable")), &[]);
    let named = "proxy_protocol_authorized_addrs = \"10.0.0.1\"\n  x_forwarded_for_authorized_addrs = \"10.0.0.0/8\"";
    let good = with(&format!("proxy_protocol_behavior = \"deny_unauthorized\"\n  {named}"));
    assert_eq!(verdict(&good, "PROXY Protocol"), Verdict::Fine);
    let told = part(&good, "X-Forwarded-For").unwrap();
    assert!(told.verdict == Verdict::Fine && told.message.contains("10.0.0.0/8"), "{told:?}");
    assert_eq!(verdict(&with("proxy_protocol_behavior = \"use_always\""), "PROXY Protocol"), Verdict::Doubtful);
    assert_eq!(verdict(&with("x_forwarded_for_authorized_addrs = \"::/0\""), "X-Forwarded-For"), Verdict::Doubtful);
    let malformed = with("x_forwarded_for_authorized_addrs = \"10.0.0.0/40\"");
    assert_eq!((malformed.verdict, malformed.exit_code()), (Verdict::Broken, 1));
    let told = part(&malformed, "Parse Configuration").unwrap();
    assert!(told.message.contains("`10.0.0.0/40` is no address and no network in CIDR notation"), "{told:?}");
    let silent = with("x_forwarded_for_hop_skips = 1");
    assert_eq!(verdict(&silent, "Keys"), Verdict::Doubtful);
}

#[test]
fn sockets_are_replaced_only_when_nobody_answers() {
    let folder = tempfile::tempdir().unwrap();
    let with = |name: &str| {
        let block = format!(
            "storage \"inmem\" {{}}\nlistener \"unix\" {{\n  address = \"FOLDER/{name}\"\n  tls_disable = true\n}}\n"
        );
        diagnose(folder.path(), &block, &[])
    };
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("file"), "mine").unwrap();
    std::os::unix::fs::symlink(at("nothing"), at("link")).unwrap();
    let listening = std::os::unix::net::UnixListener::bind(at("live")).unwrap();
    drop(std::os::unix::net::UnixListener::bind(at("dead")).unwrap());
    for (name, expected, word) in [
        ("file", Verdict::Broken, "a file"),
        ("link", Verdict::Broken, "a symbolic link"),
        ("live", Verdict::Broken, "in use"),
        ("dead", Verdict::Fine, "left over"),
        ("new", Verdict::Fine, "can be made"),
        ("no/folder", Verdict::Broken, "nothing can be made"),
    ] {
        let check = with(name);
        let told = part(&check, "Socket").unwrap();
        assert!(told.verdict == expected && told.message.contains(word), "{name}: {told:?}");
    }
    assert_eq!(std::fs::read_to_string(at("file")).unwrap(), "mine");
    drop(listening);
}

#[test]
fn two_listeners_in_one_place() {
    let folder = tempfile::tempdir().unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let with = |one: &str, other: &str| {
        let block = |rest: &str| format!("listener {rest}\n tls_disable = true\n}}\n");
        let text = format!("storage \"inmem\" {{}}\n{}{}", block(one), block(other));
        let check = diagnose(folder.path(), &text, &[]);
        part(&check, "Check Listener").unwrap().parts[1].parts[0].clone()
    };
    let tcp = |host: &str| format!("\"tcp\" {{\n address = \"{host}:{free}\"");
    let unix = "\"unix\" {\n address = \"FOLDER/s\"";
    for (one, other) in [(&*tcp("127.0.0.1"), &*tcp("127.0.0.1")), (&tcp("0.0.0.0"), &tcp("127.0.0.1")), (unix, unix)] {
        let told = with(one, other);
        assert!(told.verdict == Verdict::Broken && told.message.contains("another listener of this"), "{told:?}");
    }
    assert_eq!(with(unix, &tcp("127.0.0.1")).verdict, Verdict::Fine);
    let any = "\"tcp\" {\n address = \"127.0.0.1:0\"";
    assert_eq!(with(any, any).verdict, Verdict::Fine);
}

#[test]
fn what_a_server_would_not_start_with() {
    let folder = tempfile::tempdir().unwrap();
    for (line, word) in [("log_level = \"bogus\"", "bogus"), ("audit \"nosuch\" \"a\" {}", "nosuch")] {
        let check = diagnose(folder.path(), &format!("{LOCAL}{line}\n"), &[]);
        let told = part(&check, "Completeness").unwrap();
        assert!(told.verdict == Verdict::Broken && told.message.contains(word), "{told:?}");
    }
    let check = diagnose(folder.path(), &LOCAL.replace("FOLDER/store", "/proc/x"), &[]);
    let told = part(&check, "Store").unwrap();
    assert!(told.verdict == Verdict::Broken && told.message.contains("kernel"), "{told:?}");
}

/// Right before a first start all is well, and what cannot become a store is told.
#[test]
fn a_store_that_is_not_there_yet() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("empty")).unwrap();
    std::fs::write(at("file"), "mine").unwrap();
    std::os::unix::fs::symlink(at("nowhere"), at("link")).unwrap();
    let with = |store: &str| {
        let check = diagnose(folder.path(), &LOCAL.replace("FOLDER/store", store), &["system"]);
        // The room depends on the disk of whoever runs this.
        (part(&check, "Store").unwrap().clone(), verdict(&check, "Room") == Verdict::Fine, check.exit_code())
    };
    for store in ["FOLDER/store", "FOLDER/deep/er/store", "FOLDER/empty"] {
        let (told, has_room, code) = with(store);
        assert!(told.verdict == Verdict::Fine && told.message.contains("there is none yet"), "{store}: {told:?}");
        assert!(!has_room || code == 0, "{store}");
    }
    for store in ["FOLDER/file", "FOLDER/file/store", "FOLDER/link", "FOLDER/link/store", "/proc/x/store"] {
        let (told, _, code) = with(store);
        assert_eq!((told.verdict, code), (Verdict::Broken, 1), "{store}: {told:?}");
    }
    let mut left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["empty", "file", "link", "server.hcl"]);
    assert_eq!(std::fs::read_dir(at("empty")).unwrap().count(), 0);
}
