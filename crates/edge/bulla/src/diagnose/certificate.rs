//! The certificate of a listener: does it load, does the key belong to it, for how long is it good?

use bulla_cli::Check;
use bulla_http::{Address, Listener, Settings, TlsSettings};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};
use x509_cert::Certificate;
use x509_cert::der::Decode;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Time enough for whoever has to renew it by hand.
const SOON: Duration = Duration::from_secs(30 * 24 * 60 * 60);

pub fn checks(settings: &Settings, tls: &TlsSettings) -> Vec<Check> {
    let mut parts = vec![loads(settings, tls)];
    parts.extend(validity(&tls.certificate));
    parts.push(key_file(&tls.key));
    parts
}

/// As a server does it, on a port nobody has asked for: certificate, key and whether they fit, suites, authorities.
fn loads(settings: &Settings, tls: &TlsSettings) -> Check {
    let name = "Certificate and Key";
    let mut elsewhere = Settings::new(Address::Tcp("127.0.0.1:0".into()));
    elsewhere.tls.clone_from(&settings.tls);
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(cause) => return Check::skipped(name, format!("the runtime cannot be started: {cause}")),
    };
    match runtime.block_on(Listener::open(elsewhere)) {
        Ok(_) => Check::fine(name, format!("`{}` and `{}` fit", tls.certificate.display(), tls.key.display())),
        Err(error) => {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            Check::broken(
                name,
                format!("{error}{cause}"),
                "Put the certificate, with its chain below it, and its own key there, as PEM.",
            )
        }
    }
}

/// Nothing to say where it does not parse: then it did not load either.
fn validity(file: &Path) -> Option<Check> {
    let first = CertificateDer::pem_file_iter(file).ok()?.next()?.ok()?;
    let certificate = Certificate::from_der(&first).ok()?;
    let validity = certificate.tbs_certificate().validity();
    let (from, until) = (validity.not_before.to_system_time(), validity.not_after.to_system_time());
    Some(judge(from, until, SystemTime::now(), &validity.not_after.to_string()))
}

fn judge(from: SystemTime, until: SystemTime, now: SystemTime, end: &str) -> Check {
    let name = "Validity";
    let advice = "Get a new certificate and let the server load it: kill -HUP.";
    match until.duration_since(now) {
        Err(_) => Check::broken(name, format!("expired at {end}"), advice),
        Ok(_) if from > now => {
            Check::broken(name, "not valid yet", "Check the clock of this machine and the certificate's first day.")
        }
        Ok(left) if left < SOON => {
            Check::doubtful(name, format!("expires at {end}, in {} days", left.as_secs() / DAY.as_secs()), advice)
        }
        Ok(left) => Check::fine(name, format!("until {end}, {} days", left.as_secs() / DAY.as_secs())),
    }
}

fn key_file(key: &Path) -> Check {
    let name = "Mode of the Key";
    match std::fs::metadata(key) {
        Ok(about) if about.permissions().mode() & 0o007 != 0 => {
            Check::doubtful(name, "everybody on this machine may read it", format!("chmod o= {}", key.display()))
        }
        Ok(_) => Check::fine(name, ""),
        Err(cause) => Check::skipped(name, cause.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bulla_cli::Verdict;

    #[test]
    fn a_month_ahead_of_the_end() {
        let now = SystemTime::UNIX_EPOCH + DAY * 20_000;
        let second = Duration::from_secs(1);
        for (from, until, verdict) in [
            (now - DAY, now + SOON, Verdict::Fine),
            (now, now + SOON - second, Verdict::Doubtful),
            (now - DAY, now, Verdict::Doubtful),
            (now - DAY, now - second, Verdict::Broken),
            (now + second, now + DAY * 300, Verdict::Broken),
        ] {
            assert_eq!(judge(from, until, now, "the end").verdict, verdict, "{from:?} {until:?}");
        }
    }
}
