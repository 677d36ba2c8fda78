//! One server from start to exit: configuration, log, listeners, core, signals.

use crate::config::{self, Config, Environment, Storage};
use crate::dev::{self, Ready};
use crate::house::House;
use crate::log::Log;
use crate::options::{DevOptions, Options};
use crate::process;
use crate::signals::{Signals, Wish};
use crate::start::StartError;
use crate::wiring::{self, Open};
use bulla_http::{Address, Connections, Listener, Running, Service, Settings};
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// How long requests in flight may go on after a signal to stop.
const DRAIN: Duration = Duration::from_secs(10);
/// How long connections may take to end after that.
const CLOSE: Duration = Duration::from_secs(2);

pub fn run(options: &Options, environment: &Environment) -> ExitCode {
    match start(options, environment) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One line, also for those who do not read the log.
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn start(options: &Options, environment: &Environment) -> Result<(), StartError> {
    let mut config = assemble(options, environment)?;
    let made = options.dev.as_ref().and_then(|dev| dev.tls.as_ref()).map(dev::make_certificates).transpose()?;
    if let Some(certificates) = &made {
        config.listeners[0].tls = Some(certificates.settings.clone());
    }
    let json = config.log_format.as_deref().is_some_and(|format| format.eq_ignore_ascii_case("json"));
    let log = Log::start(config.log_level.as_deref().unwrap_or("info"), json, config.log_file.clone())?;
    config.warnings.iter().for_each(|line| tracing::warn!("{line}"));
    options.idle.iter().for_each(|flag| tracing::warn!("-{flag} has no effect in this version"));
    for gap in bulla_secret::harden_process() {
        tracing::warn!("{gap}");
    }
    process::raise_file_limit();
    // As many workers as processors this process may use: `taskset` counts.
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(workers).enable_all().build().map_err(StartError::Runtime)?;
    let result = runtime.block_on(serve(options, environment, config, &log, wiring::open));
    // Background work that is still there has nothing left to protect.
    runtime.shutdown_timeout(Duration::from_millis(500));
    log.flush();
    result
}

/// Files, then environment, then flags.
fn assemble(options: &Options, environment: &Environment) -> Result<Config, StartError> {
    let mut config = config::read(&options.configs, environment)?;
    if let Some(dev) = &options.dev {
        config.listeners.insert(0, Settings::new(Address::Tcp(dev.listen_address.clone())));
        config.storage = Some(Storage::Memory);
        let scheme = if dev.tls.is_some() { "https" } else { "http" };
        config.api_addr.get_or_insert_with(|| format!("{scheme}://{}", dev.listen_address));
    }
    for (flag, slot) in [(&options.log_level, &mut config.log_level), (&options.log_format, &mut config.log_format)] {
        if flag.is_some() {
            slot.clone_from(flag);
        }
    }
    if options.log_file.is_some() {
        config.log_file.clone_from(&options.log_file);
    }
    config.claimed_version.clone_from(&options.claimed_version);
    config.check()?;
    Ok(config)
}

async fn serve(
    options: &Options,
    environment: &Environment,
    config: Config,
    log: &Log,
    open: Open,
) -> Result<(), StartError> {
    let mut signals = Signals::listen().map_err(StartError::Runtime)?;
    let mut listeners = Vec::new();
    for settings in &config.listeners {
        listeners.push(Listener::open(settings.clone()).await?);
    }
    let connections = Connections::new();
    let house = open(&config, &connections)?;
    // Now that the store is ours: a second process that finds it taken must not touch the file of the first.
    let _pid_file = config.pid_file.clone().map(process::PidFile::write).transpose()?;
    house.set_log_levels(log.levels());
    let ready = match &options.dev {
        Some(dev) => Some((dev, dev::set_up(house.as_ref(), dev).await?)),
        None => None,
    };
    announce(&config, &listeners, ready.as_ref());
    // Told; a seal finds nothing of it, neither kept nor in dead frames of this thread, which serves no requests.
    drop(ready);
    bulla_secret::scrub_stack_by(bulla_secret::SCRUB_LIMIT / 2);
    if bulla_secret::mlock_refused() && !config.disable_mlock {
        tracing::warn!(
            "the system refuses to keep keys out of swap; raise the limit of locked memory or turn swap off"
        );
    }
    let service: Arc<dyn Service> = Arc::<dyn House>::clone(&house);
    let running: Vec<Running> =
        listeners.into_iter().map(|l| l.serve(Arc::clone(&service), Arc::clone(&connections))).collect();
    loop {
        match signals.next().await {
            Wish::Stop => break,
            Wish::Nothing => tracing::warn!("SIGUSR1 and SIGUSR2 have no effect"),
            Wish::Reload => {
                reload(options, environment, log, &running).await;
                house.reopen_audit().await;
                tracing::info!("reloaded");
            }
        }
    }
    tracing::info!("a signal asks to stop: sealing");
    // No new connections first, or draining would never end.
    drop(running);
    house.seal(DRAIN).await;
    let _ = tokio::time::timeout(CLOSE, connections.close_all()).await;
    tracing::info!("stopped");
    Ok(())
}

/// Settings of listeners, certificates, log level and log file. Anything that is wrong leaves the old in force.
async fn reload(options: &Options, environment: &Environment, log: &Log, running: &[Running]) {
    tracing::info!("reloading");
    let (own_options, own_environment) = (options.clone(), environment.clone());
    let read = tokio::task::spawn_blocking(move || assemble(&own_options, &own_environment)).await;
    let listeners = match read {
        Ok(Ok(config)) => {
            config.warnings.iter().for_each(|line| tracing::warn!("{line}"));
            if let Err(error) = log.set_level(config.log_level.as_deref().unwrap_or("info")) {
                tracing::error!(%error, "the log level stays");
            }
            config.listeners
        }
        Ok(Err(error)) => {
            tracing::error!(%error, "the configuration in use stays");
            Vec::new()
        }
        Err(_) => Vec::new(),
    };
    listeners::reload(listeners, running, options.dev.as_ref().is_some_and(|dev| dev.tls.is_some()));
    log.reopen();
}

/// What an operator sees first, on standard output. Scripts look for the keys at the start of a line.
fn announce(config: &Config, listeners: &[Listener], ready: Option<&(&DevOptions, Ready)>) {
    let mut text = String::from("==> Bulla server configuration:\n\n");
    let mut line = |name: &str, value: &str| text.push_str(&format!("{name:>20}: {value}\n"));
    line("Api Address", config.api_addr.as_deref().filter(|address| !address.is_empty()).unwrap_or("not configured"));
    for (number, listener) in listeners.iter().enumerate() {
        line(&format!("Listener {}", number + 1), &listener.address());
    }
    line("Log Level", config.log_level.as_deref().unwrap_or("info"));
    line("Storage", if matches!(config.storage, Some(Storage::Disk(_))) { "disk" } else { "inmem" });
    line("Version", concat!("Bulla v", env!("CARGO_PKG_VERSION")));
    if let Some((dev, ready)) = ready {
        if dev.store_token {
            store_token(ready);
        }
        text.push_str(&dev_text(ready, config));
    }
    text.push_str("\n==> Bulla server started! Log data will stream in below:\n\n");
    let mut out = std::io::stdout();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// For the client commands of this user.
fn store_token(ready: &Ready) {
    if let Some(home) = std::env::home_dir()
        && let Err(error) = dev::store_token(&home, &ready.root_token)
    {
        tracing::warn!(%error, "the root token could not be stored in the home folder");
    }
}

fn dev_text(ready: &Ready, config: &Config) -> String {
    let address = config.api_addr.as_deref().unwrap_or_default();
    let mut variables = format!("    $ export VAULT_ADDR={}\n", quoted(address));
    if let Some(tls) = config.listeners.first().and_then(|listener| listener.tls.as_ref()) {
        let authority = dev::authority(tls);
        variables.push_str(&format!("    $ export VAULT_CACERT={}\n", quoted(&authority.display().to_string())));
    }
    format!(
        "\nWARNING! dev mode is enabled! In this mode, Bulla runs entirely in-memory\n\
         and starts unsealed with a single unseal key. The root token is already\n\
         authenticated to the CLI, so you can immediately begin using it.\n\n\
         You may need to set the following environment variables:\n\n\
         {variables}\n\
         The unseal key and root token are displayed below in case you want to\n\
         seal/unseal or re-authenticate.\n\n\
         Unseal Key: {}\nRoot Token: {}\n\n\
         Development mode should NOT be used in production installations!\n",
        ready.unseal_key, ready.root_token,
    )
}

/// As a shell reads it back, whatever is in it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

mod listeners;
#[cfg(test)]
mod tests;
