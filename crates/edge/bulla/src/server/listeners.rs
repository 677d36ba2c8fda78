//! Listeners of a running server under a new configuration.

use bulla_http::{Address, Running, Settings};

/// `new` is in the order of the files; empty if there is no configuration to go by. Certificates are read again in any
/// case. `made_tls`: those of the first listener were made at the start and are in no file.
pub fn reload(new: Vec<Settings>, running: &[Running], made_tls: bool) {
    let is_readable = !new.is_empty();
    let mut new: Vec<Option<Settings>> = new.into_iter().map(Some).collect();
    for (number, listener) in running.iter().enumerate() {
        let present = listener.settings();
        let here = place(&present.address);
        let found = new.iter_mut().find(|one| one.as_ref().is_some_and(|settings| place(&settings.address) == here));
        let mut settings = match found.and_then(Option::take) {
            Some(settings) => settings,
            None => {
                if is_readable {
                    tracing::warn!(listener = %here, "gone from the configuration; it stays until a restart");
                }
                present.clone()
            }
        };
        if made_tls && number == 0 {
            settings.tls.clone_from(&present.tls);
        }
        apply(listener, settings, &here);
    }
    for settings in new.iter().flatten() {
        tracing::warn!(listener = %place(&settings.address), "a new listener takes a restart");
    }
}

fn apply(listener: &Running, settings: Settings, here: &str) {
    match listener.reload(settings) {
        Ok(stays) => stays.iter().for_each(|name| {
            tracing::warn!(listener = %here, "a change of `{name}` takes a restart");
        }),
        Err(error) => {
            tracing::error!(%error, listener = %here, "the settings and the certificate in use stay");
        }
    }
}

/// Where it listens, by which it is known again.
fn place(address: &Address) -> String {
    match address {
        Address::Tcp(address) => address.clone(),
        Address::Unix { path, .. } => path.display().to_string(),
    }
}
