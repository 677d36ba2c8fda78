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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::dev;
    use crate::options::DevTls;
    use bulla_audit::{Disclosable, Exemption};
    use bulla_core::{Answer, Outcome, Request};
    use bulla_http::{BoxFuture, Connections, Listener, Service, UnixOwner};
    use std::sync::Arc;

    struct Nothing;

    impl Service for Nothing {
        fn handle(&self, _: Request) -> BoxFuture<'_, Disclosable<Answer>> {
            Box::pin(async { Disclosable::exempt(Answer::new(Outcome::NoContent), Exemption::HelpText) })
        }
    }

    async fn open(settings: &Settings) -> Running {
        Listener::open(settings.clone()).await.unwrap().serve(Arc::new(Nothing), Connections::new())
    }

    fn at(path: &std::path::Path) -> Settings {
        Settings::new(Address::Unix { path: path.to_owned(), owner: UnixOwner::default() })
    }

    #[tokio::test]
    async fn listeners_are_known_by_their_place() {
        let folder = tempfile::tempdir().unwrap();
        let [one, two, three] = ["1", "2", "3"].map(|name| at(&folder.path().join(name)));
        let running = [open(&one).await, open(&two).await];
        let with = |settings: &Settings, size: u64| {
            let mut settings = settings.clone();
            settings.limits.request_size = size;
            settings
        };
        let sizes = || running.each_ref().map(|r| r.settings().limits.request_size);
        reload(vec![with(&three, 3), with(&two, 2), with(&one, 1)], &running, false);
        assert_eq!(sizes(), [1, 2]);
        reload(vec![with(&two, 7)], &running, false);
        assert_eq!(sizes(), [1, 7], "what is gone stays as it was");
        reload(Vec::new(), &running, false);
        assert_eq!(sizes(), [1, 7], "and so does all if there is no configuration");
    }

    #[tokio::test]
    async fn tls_that_was_made_at_the_start_stays() {
        let folder = tempfile::tempdir().unwrap();
        let tls = dev::make_certificates(&DevTls { folder: Some(folder.path().into()), names: Vec::new() }).unwrap();
        let mut settings = at(&folder.path().join("socket"));
        settings.tls = Some(tls.settings);
        let running = [open(&settings).await];
        settings.tls = None;
        settings.limits.request_size = 5;
        reload(vec![settings], &running, true);
        let present = running[0].settings();
        assert!(present.tls.is_some() && present.limits.request_size == 5);
    }
}
