//! Enabling, options, paths, listing; and files on a real disk.

use super::*;
use std::os::unix::fs::{PermissionsExt as _, symlink};

fn refusal(kind: &str, options: &[(&str, &str)], rules: &Rules) -> String {
    Device::open(record("x", kind, options), rules).map(drop).unwrap_err().to_string()
}

fn lines_of(file: &Path) -> Vec<serde_json::Value> {
    std::fs::read_to_string(file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn ask(broker: &Broker, id: &str) -> Result<(), AuditError> {
    broker.record_request(&request_numbered(id), (), Wait::Now).await.map(drop)
}

#[test]
fn refusals_have_the_known_texts() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("b.log");
    let file = file.to_str().unwrap();
    let rules = Rules { api_creation: true, prefix: true, ..Rules::default() };
    let with = |key, value| refusal("file", &[("file_path", file), (key, value)], &rules);
    assert_eq!(refusal("no-such-device", &[], &rules), "unknown backend type: \"no-such-device\"");
    assert_eq!(refusal("", &[], &rules), "unknown backend type: \"\"");
    assert_eq!(refusal("file", &[], &rules), "file_path is required");
    assert_eq!(with("format", "xml"), "unknown format type \"xml\"");
    assert_eq!(with("log_raw", "maybe"), "strconv.ParseBool: parsing \"maybe\": invalid syntax");
    assert_eq!(with("hmac_accessor", "yes"), "strconv.ParseBool: parsing \"yes\": invalid syntax");
    assert_eq!(with("elide_list_responses", ""), "strconv.ParseBool: parsing \"\": invalid syntax");
    assert_eq!(with("mode", "rwx"), "strconv.ParseUint: parsing \"rwx\": invalid syntax");
    assert_eq!(with("rotate_bytes", "0"), "option `rotate_bytes` must be a positive number");
    assert_eq!(with("deadline", "0s"), "option `deadline` must be a positive duration");
    assert_eq!(with("durability", "x"), "option `durability` must be `delivered` or `durable`");
    let strict = Rules::default();
    assert_eq!(refusal("file", &[("file_path", file), ("prefix", "p")], &strict), "audit log prefixing is not allowed");
    assert_eq!(
        strict.check_api_creation().unwrap_err().to_string(),
        "cannot enable audit device via API; use declarative, config-based audit device management instead"
    );
    assert!(rules.check_api_creation().is_ok());
    assert!(!Path::new(file).exists(), "a refused device leaves no file");
}

#[test]
fn modes_that_make_programs_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for (at, mode) in ["0700", "04600", "02600", "01600", "0777", "100600"].iter().enumerate() {
        let file = dir.path().join(at.to_string());
        assert!(matches!(open_file("x", &file, &[("mode", mode)]), Err(EnableError::ModeBits)), "{mode}");
    }
    for (mode, bits) in [("0600", 0o600), ("640", 0o640), ("0666", 0o666)] {
        let file = dir.path().join(mode);
        open_file("x", &file, &[("mode", mode)]).unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o7777, bits);
    }
    let file = dir.path().join("kept");
    std::fs::write(&file, "").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    open_file("x", &file, &[("mode", "0000")]).unwrap();
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o7777, 0o644);
    open_file("x", &file, &[]).unwrap();
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o7777, 0o600);
}

#[test]
fn paths_do_not_climb() {
    let dir = tempfile::tempdir().unwrap();
    let (inside, outside) = (dir.path().join("in"), dir.path().join("out"));
    std::fs::create_dir_all(&inside).unwrap();
    std::fs::create_dir_all(&outside).unwrap();
    symlink(&outside, inside.join("way-out")).unwrap();
    symlink(outside.join("target"), inside.join("link")).unwrap();
    let rules = Rules { directories: vec![inside.clone()], ..Rules::default() };
    let open =
        |key: &str, path: &Path| Device::open(record("x", "file", &[(key, path.to_str().unwrap())]), &rules).map(drop);
    for key in ["file_path", "path"] {
        assert!(open(key, &inside.join("new/a.log")).is_ok());
        assert!(matches!(open(key, &outside.join("a.log")), Err(EnableError::OutsideDirectories)));
        assert!(matches!(open(key, &inside.join("way-out/a.log")), Err(EnableError::OutsideDirectories)));
        assert!(matches!(open(key, &dir.path().join("inx/a.log")), Err(EnableError::OutsideDirectories)));
        assert!(matches!(open(key, &inside.join("../out/a.log")), Err(EnableError::ForbiddenPath)));
        assert!(matches!(open(key, &inside.join("link")), Err(EnableError::Open { .. })));
        for kernel in ["/proc/self/fd/1", "/dev/full", "/sys/x"] {
            assert!(matches!(open(key, Path::new(kernel)), Err(EnableError::ForbiddenPath)), "{kernel}");
        }
    }
    assert!(!outside.join("target").exists());
    assert!(!outside.join("a.log").exists());
}

/// What a caller of the API names must be new or a log; whoever runs the server may name anything.
#[test]
fn what_the_api_names_is_new_or_a_log() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let through_api = Rules { api_creation: true, prefix: true, own: Some(Vec::new()), ..Rules::default() };
    let with = |path: &Path, options: &[(&str, &str)], rules: &Rules| {
        let all = [&[("file_path", path.to_str().unwrap())], options].concat();
        Device::open(record("x", "file", &all), rules).map(drop).map_err(|error| error.to_string())
    };
    let refused = |name: &str, why: &str| {
        let told = with(&at(name), &[], &through_api).unwrap_err();
        assert_eq!(told, format!("audit file path cannot be used: {why}"), "{name}");
    };
    let is_a_log = "it holds something else than audit records";
    let log = "{\"time\":\"2026-01-01T00:00:00Z\",\"type\":\"response\",\"auth\":{}}\n";
    let cases = [
        ("config.hcl", "listener \"tcp\" {}\n"),
        ("config.json", "{\"time\":\"1\",\"listener\":{}}"),
        ("cut", "{\"time\":\"2026-01-01T00:00:00Z\",\"type\":\"re"),
        ("key.pem", "-----BEGIN PRIVATE KEY-----\n"),
        ("behind", &format!("#!/bin/sh\n{log}")),
        ("binary", "\u{0}"),
    ];
    for (name, text) in cases {
        std::fs::write(at(name), text).unwrap();
        refused(name, is_a_log);
        assert_eq!(std::fs::read_to_string(at(name)).unwrap(), text, "{name} is as it was");
    }
    let write = |name: &str, text: &str| std::fs::write(at(name), text).unwrap();
    for (name, text) in [("empty", ""), ("log", log), ("begun as", &format!("@{log}"))] {
        write(name, text);
        let prefix: &[_] = if name == "begun as" { &[("prefix", "@")] } else { &[] };
        assert_eq!(with(&at(name), prefix, &through_api), Ok(()), "{name}");
    }
    assert_eq!(with(&at("log"), &[("prefix", "@")], &through_api), Ok(()), "with a prefix from now on");
    refused("begun as", is_a_log);

    write("target", log);
    symlink(at("target"), at("link")).unwrap();
    refused("link", "it is a symbolic link");
    symlink(at("nothing"), at("dangling")).unwrap();
    refused("dangling", "it is a symbolic link");
    std::fs::hard_link(at("target"), at("second name")).unwrap();
    refused("target", "it has another name as well");
    std::fs::create_dir(at("folder")).unwrap();
    refused("folder", "it is neither a file nor a pipe");
    let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    refused("socket", "it is neither a file nor a pipe");
    write("program", "");
    for mode in [0o700, 0o610, 0o601, 0o4600] {
        std::fs::set_permissions(at("program"), std::fs::Permissions::from_mode(mode)).unwrap();
        refused("program", "it is a program");
    }
    if rustix::process::geteuid().is_root() {
        write("theirs", "");
        std::os::unix::fs::chown(at("theirs"), Some(12345), None).unwrap();
        refused("theirs", "it belongs to somebody else");
    }
    assert_eq!(with(&at("config.hcl"), &[], &Rules::default()), Ok(()), "as the operator says");
}

#[test]
fn what_is_the_servers_own_is_no_log() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    std::fs::create_dir(at("real-store")).unwrap();
    symlink(at("real-store"), at("store")).unwrap();
    symlink(dir.path(), at("round")).unwrap();
    let own = ["store", "new/certificate.pem", "server.log"].map(at).to_vec();
    let rules = Rules { own: Some(own), ..Rules::default() };
    let open = |name: &str| Device::open(record("x", "file", &[("file_path", at(name).to_str().unwrap())]), &rules);
    for name in [
        "store",
        "store/x",
        "real-store/deep/x",
        "round/real-store/x",
        "new/certificate.pem",
        "new/certificate.pem/x",
        "new",
        "server.log",
        "round/server.log",
    ] {
        assert!(matches!(open(name), Err(EnableError::NotFree("it belongs to the server itself"))), "{name}");
        assert!(!at("server.log").exists() && !at("new").exists(), "{name}");
    }
    for name in ["stored", "server.log.1", "newer", "new/other.log"] {
        open(name).unwrap();
    }
}

#[tokio::test]
async fn listed_by_path_and_taken_away() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::new();
    assert!(!broker.has_devices());
    broker.add(open_file("deep/path", &dir.path().join("a"), &[]).unwrap()).await.unwrap();
    for clash in ["deep/path", "deep/path/", "deep", "deep/path/below"] {
        assert_eq!(broker.check_path(clash).unwrap_err().to_string(), "path already in use", "{clash}");
    }
    assert!(broker.check_path("deep/pat").is_ok());
    assert_eq!(broker.check_path("").unwrap_err().to_string(), "backend path must be specified");
    let list = serde_json::to_value(broker.list()).unwrap();
    let file = dir.path().join("a");
    let expected = serde_json::json!({"deep/path/": {"description": "", "local": false,
        "options": {"file_path": file.to_str().unwrap()}, "path": "deep/path/", "type": "file"}});
    assert_eq!(list, expected);
    assert!(broker.remove("deep/path").unwrap());
    assert!(!broker.remove("deep/path").unwrap());
    assert!(!broker.has_devices());
    // The test record, and nothing after the device was taken away.
    assert_eq!(lines_of(&file)[0]["request"]["path"], "sys/audit/test");
    ask(&broker, "1").await.unwrap();
    assert_eq!(lines_of(&file).len(), 1);
}

#[test]
fn declared_devices_stay() {
    let dir = tempfile::tempdir().unwrap();
    let mut declared = record("main", "file", &[("file_path", dir.path().join("a").to_str().unwrap())]);
    declared.managed = Managed::Configuration;
    let stored = serde_json::to_string(&declared).unwrap();
    let read: DeviceRecord = serde_json::from_str(&stored).unwrap();
    assert_eq!(read, declared);
    let broker = broker(vec![Device::open(read, &Rules::default()).unwrap()]);
    let refused = broker.remove("main").unwrap_err();
    assert_eq!(refused.to_string(), "cannot disable configuration-managed audit device");
    assert!(broker.has_devices());
}

#[test]
fn hashes_as_the_log_does() {
    let dir = tempfile::tempdir().unwrap();
    let broker = broker(vec![open_file("file", &dir.path().join("a"), &[("log_raw", "true")]).unwrap()]);
    assert_eq!(broker.hash("file", "hello").unwrap(), veil().identify("hello"));
    assert_eq!(broker.hash("file/", "hello").unwrap(), veil().identify("hello"));
    assert_eq!(broker.hash("file", "").unwrap_err().to_string(), "the \"input\" parameter is empty");
    assert_eq!(broker.hash("nothing", "x").unwrap_err().to_string(), "unknown audit backend \"nothing/\"");
}

#[tokio::test]
async fn raw_devices_do_not_infect_others() {
    let dir = tempfile::tempdir().unwrap();
    let (raw, hashed) = (dir.path().join("raw"), dir.path().join("hashed"));
    for raw_first in [true, false] {
        let mut devices =
            vec![open_file("raw", &raw, &[("log_raw", "true")]).unwrap(), open_file("hashed", &hashed, &[]).unwrap()];
        if !raw_first {
            devices.reverse();
        }
        ask(&broker(devices), "1").await.unwrap();
    }
    assert!(lines_of(&raw).iter().all(|line| line["request"]["client_token"] == "hvs.canary"));
    assert!(!std::fs::read_to_string(&hashed).unwrap().contains("canary"));
}

#[tokio::test]
async fn reopening_follows_the_name() {
    let dir = tempfile::tempdir().unwrap();
    let (file, moved) = (dir.path().join("a"), dir.path().join("moved"));
    let broker = broker(vec![open_file("x", &file, &[]).unwrap()]);
    ask(&broker, "1").await.unwrap();
    std::fs::rename(&file, &moved).unwrap();
    ask(&broker, "2").await.unwrap();
    assert!(broker.reopen().is_empty());
    ask(&broker, "3").await.unwrap();
    assert_eq!((lines_of(&moved).len(), lines_of(&file).len()), (2, 1));
    // A reopen that fails keeps the open file.
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    assert_eq!(broker.reopen()[0].0, "x/");
    ask(&broker, "4").await.unwrap();
}

#[tokio::test]
async fn a_removed_file_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a");
    let broker = broker(vec![open_file("x", &file, &[]).unwrap()]);
    ask(&broker, "1").await.unwrap();
    std::fs::remove_file(&file).unwrap();
    for _ in 0..256 {
        ask(&broker, "2").await.unwrap();
    }
    assert!(!lines_of(&file).is_empty());
}

#[tokio::test]
async fn full_files_are_moved_aside_and_never_lost() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a");
    std::fs::write(dir.path().join("a.1"), "older\n").unwrap();
    ask(&broker(vec![open_file("x", &file, &[]).unwrap()]), "0").await.unwrap();
    let one = std::fs::metadata(&file).unwrap().len();
    let limit = (2 * one).to_string();
    let broker = broker(vec![open_file("x", &file, &[("rotate_bytes", &limit)]).unwrap()]);
    for id in ["1", "2", "3", "4"] {
        ask(&broker, id).await.unwrap();
    }
    assert_eq!(std::fs::read_to_string(dir.path().join("a.1")).unwrap(), "older\n");
    let ids = |name: &str| -> Vec<String> {
        lines_of(&dir.path().join(name)).iter().map(|l| l["request"]["id"].as_str().unwrap().to_owned()).collect()
    };
    // Exactly two lines fit.
    assert_eq!(
        (ids("a.2"), ids("a.3"), ids("a")),
        (vec!["0".into(), "1".into()], vec!["2".into(), "3".into()], vec!["4".into()])
    );
}

#[tokio::test]
async fn discard_takes_everything() {
    let device = Device::open(record("x", "file", &[("file_path", "DISCARD")]), &Rules::default()).unwrap();
    ask(&broker(vec![device]), "1").await.unwrap();
}

#[tokio::test]
async fn durable_devices_keep_records_too() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a");
    let broker = broker(vec![open_file("x", &file, &[("durability", "durable")]).unwrap()]);
    ask(&broker, "1").await.unwrap();
    assert_eq!(lines_of(&file).len(), 1);
}
