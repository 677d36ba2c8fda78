//! `server`: its flags. What a server does is the binary's business.

use std::path::PathBuf;

use crate::{
    command::{Command, Kind, Run},
    env::Env,
    flags::{Flag, Flags, parse_bool},
};

pub static COMMANDS: &[Command] = &[Command {
    name: "server",
    args: "",
    about: "Run a server",
    help: "",
    words: (0, 0),
    flags: &[
        Flag::repeat("config", "Configuration file, or folder of such files. May be given several times."),
        Flag::switch("dev", "Run in memory, initialised and unsealed, for development."),
        Flag::text("dev-root-token-id", "Root token of a development server.").env("DEV_ROOT_TOKEN_ID"),
        Flag::text("dev-listen-address", "Where a development server listens; 127.0.0.1:8200 if not given.")
            .env("DEV_LISTEN_ADDRESS"),
        Flag::switch("dev-no-store-token", "Do not store the development root token for the client commands."),
        Flag::switch("dev-no-kv", "Mount no key/value store."),
        Flag::switch("dev-kv-v1", "Mount version 1 of the key/value store."),
        Flag::switch("dev-leased-kv", "Mount a key/value store that issues leases."),
        Flag::switch("dev-tls", "Listen with TLS, with an authority made for it."),
        Flag::text(
            "dev-tls-cert-dir",
            "Where to write that authority and certificate; a temporary folder if not given.",
        ),
        Flag::repeat("dev-tls-san", "Further name or address in that certificate. May be given several times."),
        Flag::text("dev-plugin-dir", "Folder of plugins. No effect in this version."),
        Flag::switch("dev-plugin-init", "Register the plugins found there. No effect in this version."),
        Flag::switch("dev-skip-init", "Do not initialise. Refused by this version."),
        Flag::switch("dev-three-node", "Run three nodes. Refused by this version."),
        Flag::text("dev-cluster-json", "File to describe those nodes in. No effect in this version."),
        Flag::switch("dev-ha", "Run with high availability in memory. In this version no more than `-dev`."),
        Flag::switch("dev-transactional", "Run with transactional storage in memory; always so."),
        Flag::int("dev-latency", "Delay of the storage, in milliseconds. No effect in this version."),
        Flag::int("dev-latency-jitter", "Random part of that delay, in percent. No effect in this version."),
        Flag::text("log-level", "trace, debug, info, warn or error.").env("LOG_LEVEL"),
        Flag::text("log-format", "standard or json.").env("LOG_FORMAT"),
        Flag::text("log-file", "File for logs, instead of standard error."),
        Flag::text(
            "log-rotate-bytes",
            "Size at which that file is rotated. No effect in this version: it is reopened at SIGHUP.",
        ),
        Flag::text("log-rotate-duration", "Age at which that file is rotated. No effect in this version."),
        Flag::text("log-rotate-max-files", "Rotated files to keep. No effect in this version."),
        Flag::text("address", "Accepted for the sake of scripts; listeners are configured."),
        Flag::text("cluster-address", "Accepted for the sake of scripts; listeners are configured."),
        Flag::switch("exit-on-core-shutdown", "Exit when the core shuts down. No effect in this version."),
        Flag::switch("recovery", "Start in recovery mode. Refused by this version."),
    ],
    kind: Kind::Local,
    run: Run::Server,
}];

/// Flags that are taken for the sake of scripts. Whoever gives one is told, so that nobody relies on it.
const IDLE: [&str; 10] = [
    "dev-plugin-dir",
    "dev-plugin-init",
    "dev-cluster-json",
    "dev-ha",
    "dev-latency",
    "dev-latency-jitter",
    "log-rotate-bytes",
    "log-rotate-duration",
    "log-rotate-max-files",
    "exit-on-core-shutdown",
];

/// What `server` was asked for, flags and environment taken together.
#[derive(Clone, Default)]
pub struct ServerOptions {
    /// Files or folders, in the order given.
    pub configs: Vec<PathBuf>,
    /// Text of a further configuration, from `VAULT_LOCAL_CONFIG` and its like.
    pub local_config: Option<String>,
    /// Set by `-dev` and by every flag that makes sense only with it.
    pub dev: Option<DevOptions>,
    pub log_level: Option<String>,
    pub log_format: Option<String>,
    pub log_file: Option<PathBuf>,
    /// Flags that were given and have no effect, without the dash.
    pub idle: Vec<&'static str>,
    pub recovery: bool,
    /// The name the binary was called with: `bulla`, `vault` or `bao`.
    pub program: &'static str,
    /// The line `version` prints.
    pub version: String,
    /// The version to tell clients that decide by it what to try.
    pub claimed_version: String,
}

/// A development server.
#[derive(Clone, Default)]
pub struct DevOptions {
    /// `None`: make one up.
    pub root_token: Option<String>,
    pub listen_address: Option<String>,
    /// Leave the token for the client commands in `~/.vault-token`.
    pub store_token: bool,
    pub kv: DevKv,
    pub tls: bool,
    pub tls_cert_dir: Option<PathBuf>,
    pub tls_sans: Vec<String>,
    pub skip_init: bool,
    pub three_nodes: bool,
}

/// What a development server mounts at `secret/`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DevKv {
    #[default]
    Versioned,
    Plain,
    Leased,
    None,
}

impl std::fmt::Debug for ServerOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let dev = if self.dev.is_some() { "development" } else { "configured" };
        write!(f, "ServerOptions({dev}, {} configurations)", self.configs.len())
    }
}

impl ServerOptions {
    pub(crate) fn of(flags: &Flags, env: &Env) -> Self {
        let setting =
            |flag: &str, variable: &str| flags.filled(flag).or_else(|| env.setting(variable)).map(str::to_owned);
        Self {
            configs: flags.all("config").map(PathBuf::from).collect(),
            local_config: env.setting("LOCAL_CONFIG").map(str::to_owned),
            dev: is_dev(flags).then(|| dev(flags, env)),
            log_level: setting("log-level", "LOG_LEVEL"),
            log_format: setting("log-format", "LOG_FORMAT"),
            log_file: flags.filled("log-file").map(PathBuf::from),
            idle: IDLE.into_iter().filter(|name| flags.text(name).is_some()).collect(),
            recovery: flags.on("recovery"),
            program: "bulla",
            version: String::new(),
            claimed_version: String::new(),
        }
    }
}

fn is_dev(flags: &Flags) -> bool {
    ["dev", "dev-ha", "dev-transactional", "dev-leased-kv", "dev-three-node", "dev-tls", "dev-kv-v1"]
        .iter()
        .any(|name| flags.on(name))
}

fn dev(flags: &Flags, env: &Env) -> DevOptions {
    let setting = |flag: &str, variable: &str| flags.filled(flag).or_else(|| env.setting(variable)).map(str::to_owned);
    let no_store =
        flags.switch("dev-no-store-token").or_else(|| env.setting("DEV_NO_STORE_TOKEN").and_then(parse_bool));
    let kv = if flags.on("dev-no-kv") {
        DevKv::None
    } else if flags.on("dev-leased-kv") {
        DevKv::Leased
    } else if flags.on("dev-kv-v1") {
        DevKv::Plain
    } else {
        DevKv::Versioned
    };
    DevOptions {
        root_token: setting("dev-root-token-id", "DEV_ROOT_TOKEN_ID"),
        listen_address: setting("dev-listen-address", "DEV_LISTEN_ADDRESS"),
        store_token: !no_store.unwrap_or_default(),
        kv,
        tls: flags.on("dev-tls"),
        tls_cert_dir: flags.filled("dev-tls-cert-dir").map(PathBuf::from),
        tls_sans: flags.split("dev-tls-san"),
        skip_init: flags.on("dev-skip-init"),
        three_nodes: flags.on("dev-three-node"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn options(line: &str, env: &Env) -> ServerOptions {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        ServerOptions::of(&Flags::parse(&words, COMMANDS[0].tables()).unwrap().0, env)
    }

    #[test]
    fn flags_win_over_the_environment() {
        let env = Env::from([("VAULT_DEV_ROOT_TOKEN_ID", "env"), ("BAO_DEV_LISTEN_ADDRESS", "0.0.0.0:1")]);
        let dev = options("-dev -dev-root-token-id=flag -dev-no-store-token", &env).dev.unwrap();
        assert_eq!((dev.root_token.as_deref(), dev.listen_address.as_deref()), (Some("flag"), Some("0.0.0.0:1")));
        assert!(!dev.store_token);
        assert_eq!(options("-dev", &env).dev.unwrap().root_token.as_deref(), Some("env"));
    }

    #[test]
    fn plain_servers_have_configurations() {
        let options = options("-config=a.hcl -config b -log-level debug -address=x", &Env::default());
        assert!(options.dev.is_none());
        assert_eq!(options.configs, [PathBuf::from("a.hcl"), PathBuf::from("b")]);
        assert_eq!(options.log_level.as_deref(), Some("debug"));
    }

    #[test]
    fn flags_without_effect_are_named() {
        let given = "-dev -dev-latency=100 -log-rotate-bytes 5 -address=x -exit-on-core-shutdown";
        assert_eq!(options(given, &Env::default()).idle, ["dev-latency", "log-rotate-bytes", "exit-on-core-shutdown"]);
        assert!(options("-dev -dev-tls -log-level=warn", &Env::default()).idle.is_empty());
        for name in IDLE {
            let flag = COMMANDS[0].flags.iter().find(|flag| flag.name == name).unwrap();
            assert!(flag.help.contains("in this version") || flag.help.contains("In this version"), "{name}");
        }
    }

    #[test]
    fn kinds_of_development_stores() {
        let kv = |line| options(line, &Env::default()).dev.unwrap().kv;
        assert_eq!(kv("-dev"), DevKv::Versioned);
        assert_eq!(kv("-dev-kv-v1"), DevKv::Plain);
        assert_eq!(kv("-dev-leased-kv"), DevKv::Leased);
        assert_eq!(kv("-dev -dev-no-kv"), DevKv::None);
    }
}
