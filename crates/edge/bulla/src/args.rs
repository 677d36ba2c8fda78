//! Reading the command line of `server` and `version`. To be replaced by the room of commands (`edge/cli`).

use crate::config::Environment;
use crate::options::{DevOptions, DevSecret, DevTls, Options};
use crate::server;
use std::io::Write;
use std::process::ExitCode;

const VERSION: &str = concat!("Vault v", env!("CARGO_PKG_VERSION"), " (Bulla)");

pub fn run(args: &[String]) -> ExitCode {
    let environment = Environment::of(std::env::vars());
    match args.split_first().map(|(command, rest)| (command.as_str(), rest)) {
        Some(("server", rest)) => match parse(rest, &environment) {
            Ok(options) => server::run(&options, &environment),
            Err(problem) => fail(&problem),
        },
        Some(("version" | "-version" | "--version" | "-v", _)) => say(VERSION),
        _ => fail("usage: bulla server [-dev] [-config=FILE|FOLDER …] | bulla version"),
    }
}

fn say(text: &str) -> ExitCode {
    let _ = writeln!(std::io::stdout(), "{text}");
    ExitCode::SUCCESS
}

fn fail(problem: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "{problem}");
    ExitCode::FAILURE
}

/// Flags with a value, and those without. Those that do nothing here are accepted because suites pass them.
const VALUES: [&str; 12] = [
    "config",
    "dev-root-token-id",
    "dev-listen-address",
    "dev-tls-cert-dir",
    "dev-tls-san",
    "dev-plugin-dir",
    "dev-cluster-json",
    "dev-latency",
    "log-level",
    "log-format",
    "log-file",
    "address",
];
const SWITCHES: [&str; 12] = [
    "dev",
    "dev-no-store-token",
    "dev-kv-v1",
    "dev-leased-kv",
    "dev-tls",
    "dev-three-node",
    "dev-four-cluster",
    "dev-ha",
    "dev-transactional",
    "dev-plugin-init",
    "exit-on-core-shutdown",
    "non-interactive",
];

fn parse(args: &[String], environment: &Environment) -> Result<Options, String> {
    let mut options = Options::default();
    let mut dev = DevOptions::default();
    let mut tls = DevTls::default();
    let mut is_dev = false;
    let mut args = args.iter();
    if let Some(id) = environment.get("DEV_ROOT_TOKEN_ID") {
        dev.root_token_id = Some(id.to_owned());
    }
    if let Some(address) = environment.get("DEV_LISTEN_ADDRESS") {
        address.clone_into(&mut dev.listen_address);
    }
    while let Some(arg) = args.next() {
        let name = arg.strip_prefix("--").or_else(|| arg.strip_prefix('-'));
        let name = name.ok_or_else(|| format!("unexpected argument `{arg}`"))?;
        let (name, given) = name.split_once('=').map_or((name, None), |(n, v)| (n, Some(v.to_owned())));
        if SWITCHES.contains(&name) {
            let on = given.as_deref().is_none_or(|v| matches!(v, "true" | "1" | "t" | "T" | "TRUE" | "True"));
            is_dev |= switch(name, on, &mut dev)?;
            continue;
        }
        if !VALUES.contains(&name) {
            return Err(format!("flag provided but not defined: -{name}"));
        }
        let value = given.or_else(|| args.next().cloned()).ok_or_else(|| format!("flag needs an argument: -{name}"))?;
        match name {
            "config" => options.configs.push(value.into()),
            "dev-root-token-id" => dev.root_token_id = Some(value).filter(|v| !v.is_empty()),
            "dev-listen-address" => dev.listen_address = value,
            "dev-tls-cert-dir" => tls.folder = Some(value.into()),
            "dev-tls-san" => tls.names.push(value),
            "log-level" => options.log_level = Some(value),
            "log-format" => options.log_format = Some(value),
            "log-file" => options.log_file = Some(value.into()),
            _ => {}
        }
    }
    // The switch says whether, the other flags say how, in any order.
    dev.tls = dev.tls.map(|_| tls);
    options.dev = is_dev.then_some(dev);
    Ok(options)
}

/// Whether the switch asks for a development server.
fn switch(name: &str, on: bool, dev: &mut DevOptions) -> Result<bool, String> {
    match name {
        "dev-no-store-token" => dev.store_token = !on,
        "dev-tls" if on => {
            dev.tls.get_or_insert_default();
            return Ok(true);
        }
        "dev-kv-v1" if on => dev.secret = DevSecret::KvV1,
        "dev-leased-kv" if on => dev.secret = DevSecret::LeasedKv,
        "dev-three-node" | "dev-four-cluster" if on => {
            return Err(format!("-{name} is not supported by this version"));
        }
        _ => {}
    }
    Ok(on && name == "dev")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn read(args: &[&str]) -> Result<Options, String> {
        parse(&args.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>(), &Environment::default())
    }

    #[test]
    fn flags_in_all_spellings() {
        let options = read(&[
            "-dev",
            "--dev-root-token-id=r",
            "-dev-listen-address",
            "127.0.0.1:1",
            "-dev-no-store-token",
            "-log-level=debug",
        ])
        .unwrap();
        let dev = options.dev.unwrap();
        assert_eq!(dev.root_token_id.as_deref(), Some("r"));
        assert_eq!(dev.listen_address, "127.0.0.1:1");
        assert!(!dev.store_token && dev.tls.is_none());
        let tls = read(&["-dev-tls-cert-dir=d", "-dev-tls", "-dev-tls-san=a", "-dev-tls-san=b"])
            .unwrap()
            .dev
            .unwrap()
            .tls
            .unwrap();
        assert_eq!((tls.folder.unwrap().to_str(), tls.names.len()), (Some("d"), 2));
        let options = read(&["-config=a", "-config", "b", "-dev=false"]).unwrap();
        assert_eq!(options.configs, [std::path::PathBuf::from("a"), "b".into()]);
        assert_eq!(options.dev, None);
    }

    #[test]
    fn what_is_not_there_is_said() {
        assert!(read(&["-dev-three-node"]).unwrap_err().contains("not supported"));
        assert!(read(&["-colour"]).unwrap_err().contains("not defined"));
        assert!(read(&["-config"]).unwrap_err().contains("needs an argument"));
    }

    #[test]
    fn the_environment_gives_dev_defaults() {
        let variables = [("VAULT_DEV_ROOT_TOKEN_ID", "e"), ("BAO_DEV_LISTEN_ADDRESS", "0.0.0.0:2")];
        let environment = Environment::of(variables.map(|(n, v)| (n.to_owned(), v.to_owned())));
        let dev = parse(&["-dev".to_owned()], &environment).unwrap().dev.unwrap();
        assert_eq!((dev.root_token_id.as_deref(), dev.listen_address.as_str()), (Some("e"), "0.0.0.0:2"));
    }
}
