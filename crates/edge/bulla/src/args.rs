//! From the command line's words for a server (`edge/cli`) to ours, refusing what this version does not do.

use crate::config::Environment;
use crate::options::{DevOptions, DevSecret, DevTls, Options};
use crate::{diagnose, server};
use bulla_cli::{Check, DevKv, DiagnoseOptions, ServerOptions};
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

/// Runs the command line; `args` begins with the program's name.
pub fn run(args: Vec<OsString>) -> ExitCode {
    bulla_cli::main(args, Binary)
}

struct Binary;

impl bulla_cli::Binary for Binary {
    fn serve(self, asked: ServerOptions) -> ExitCode {
        match options(&asked) {
            Ok(options) => server::run(&options, &environment()),
            Err(problem) => {
                let _ = writeln!(std::io::stderr(), "{problem}");
                ExitCode::FAILURE
            }
        }
    }

    fn diagnose(self, asked: DiagnoseOptions) -> Check {
        diagnose::run(&asked, &environment())
    }
}

fn environment() -> Environment {
    Environment::of(std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))))
}

fn options(asked: &ServerOptions) -> Result<Options, &'static str> {
    if asked.recovery {
        return Err("-recovery is not supported by this version");
    }
    Ok(Options {
        configs: asked.configs.clone(),
        dev: asked.dev.as_ref().map(dev).transpose()?,
        log_level: asked.log_level.clone(),
        log_format: asked.log_format.clone(),
        log_file: asked.log_file.clone(),
        claimed_version: asked.claimed_version.clone(),
        idle: asked.idle.clone(),
    })
}

fn dev(asked: &bulla_cli::DevOptions) -> Result<DevOptions, &'static str> {
    if asked.three_nodes {
        return Err("-dev-three-node is not supported by this version");
    }
    if asked.skip_init {
        return Err("-dev-skip-init is not supported by this version");
    }
    Ok(DevOptions {
        root_token_id: asked.root_token.clone(),
        listen_address: asked.listen_address.clone().unwrap_or_else(|| DevOptions::default().listen_address),
        store_token: asked.store_token,
        secret: match asked.kv {
            DevKv::Versioned => DevSecret::KvV2,
            DevKv::Plain => DevSecret::KvV1,
            DevKv::Leased => DevSecret::LeasedKv,
            DevKv::None => DevSecret::None,
        },
        tls: asked.tls.then(|| DevTls { folder: asked.tls_cert_dir.clone(), names: asked.tls_sans.clone() }),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_is_not_there_is_said() {
        let mut asked = ServerOptions { dev: Some(bulla_cli::DevOptions::default()), ..ServerOptions::default() };
        assert!(options(&asked).is_ok());
        asked.dev.as_mut().unwrap().three_nodes = true;
        assert!(options(&asked).unwrap_err().contains("not supported"));
        asked = ServerOptions { recovery: true, ..ServerOptions::default() };
        assert!(options(&asked).is_err());
    }

    #[test]
    fn development_servers_listen_where_clients_look() {
        let asked = bulla_cli::DevOptions { tls: true, kv: DevKv::None, ..bulla_cli::DevOptions::default() };
        let dev = dev(&asked).unwrap();
        assert_eq!((dev.listen_address.as_str(), dev.secret), ("127.0.0.1:8200", DevSecret::None));
        assert!(dev.tls.is_some());
    }
}
