//! Every command, one file per noun. A new command is a row in its noun's table and a function beside it.

mod audit;
mod auth;
pub mod documents;
mod generic;
mod kv;
mod kv_metadata;
mod kv_place;
mod kv_transfer;
mod lease;
mod login;
mod mounts;
mod mounts_list;
mod namespace;
mod operator;
pub mod operator_diagnose;
mod operator_generate_root;
mod operator_keys;
mod operator_rekey;
mod operator_rounds;
mod policy;
mod secrets;
pub mod server;
mod status;
mod token;
mod version;
mod wrapping;

use crate::command::Command;

/// All commands, in the order help lists them.
pub fn all() -> impl Iterator<Item = &'static Command> {
    [
        generic::COMMANDS,
        kv::COMMANDS,
        kv_transfer::COMMANDS,
        kv_metadata::COMMANDS,
        login::COMMANDS,
        wrapping::COMMANDS,
        token::COMMANDS,
        lease::COMMANDS,
        policy::COMMANDS,
        secrets::COMMANDS,
        auth::COMMANDS,
        audit::COMMANDS,
        namespace::COMMANDS,
        status::COMMANDS,
        server::COMMANDS,
        operator::COMMANDS,
        operator_keys::COMMANDS,
        operator_rekey::COMMANDS,
        operator_generate_root::COMMANDS,
        operator_diagnose::COMMANDS,
        version::COMMANDS,
        documents::COMMANDS,
    ]
    .into_iter()
    .flatten()
}

/// Words that begin several commands, with what those are about.
pub static GROUPS: &[(&str, &str)] = &[
    ("audit", "Audit devices: where requests are recorded"),
    ("auth", "Auth methods: how clients prove who they are"),
    ("kv", "The key/value store"),
    ("kv metadata", "Versions and settings of one entry of the key/value store"),
    ("lease", "Leases of secrets"),
    ("namespace", "Namespaces"),
    ("operator", "Running a server: init, unseal, seal, keys"),
    ("policy", "Policies: who may do what"),
    ("print", "What this command line would use"),
    ("secrets", "Secrets engines and where they are mounted"),
    ("token", "Tokens"),
];

/// Without slashes and blanks at either end.
fn tidy(path: &str) -> &str {
    path.trim().trim_matches('/')
}

/// With one slash at its end.
fn folder(path: &str) -> String {
    format!("{}/", tidy(path))
}
