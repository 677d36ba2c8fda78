//! The options of a listener behind proxies: who may say on whose behalf a connection or a request comes.

use super::ConfigError;
use super::listener::Reader;
use bulla_http::{Address, CertificateDecoder, CertificateHeader, ForwardedFor, Networks, ProxyTrust, Settings};

const BEHAVIOR: &str = "proxy_protocol_behavior";
const PROXIES: &str = "proxy_protocol_authorized_addrs";
const AUTHORIZED: &str = "x_forwarded_for_authorized_addrs";
const HOPS: &str = "x_forwarded_for_hop_skips";
const NOT_PRESENT: &str = "x_forwarded_for_reject_not_present";
const NOT_AUTHORIZED: &str = "x_forwarded_for_reject_not_authorized";
const CERTIFICATE: &str = "x_forwarded_for_client_cert_header";
const DECODERS: &str = "x_forwarded_for_client_cert_decoders";

pub(super) const KNOWN: [&str; 8] =
    [BEHAVIOR, PROXIES, AUTHORIZED, HOPS, NOT_PRESENT, NOT_AUTHORIZED, CERTIFICATE, DECODERS];

pub(super) fn apply(
    reader: &Reader<'_>,
    settings: &mut Settings,
    warnings: &mut Vec<String>,
) -> Result<(), ConfigError> {
    settings.proxy = proxy(reader, warnings)?;
    settings.forwarded_for = forwarded_for(reader, warnings)?;
    let first = [(settings.proxy.is_some(), BEHAVIOR), (settings.forwarded_for.is_some(), AUTHORIZED)];
    match (&settings.address, first.iter().find(|(set, _)| *set)) {
        (Address::Unix { .. }, Some((_, name))) => {
            Err(wrong(reader, name, "needs a listener `tcp`: who connects to a socket file has no address"))
        }
        _ => Ok(()),
    }
}

fn wrong(reader: &Reader<'_>, name: &str, problem: &str) -> ConfigError {
    reader.place.at(reader.line(name), format!("`{name}` {problem}"))
}

fn idle(reader: &Reader<'_>, name: &str, without: &str) -> String {
    format!("{}: line {}: `{name}` has no effect without `{without}`", reader.place.file, reader.line(name))
}

/// A list of texts, or one text with commas.
fn list(reader: &Reader<'_>, name: &str) -> Result<Option<Vec<String>>, ConfigError> {
    let Some(value) = reader.body.value(name) else { return Ok(None) };
    let found = match value.text() {
        Some(text) => text.split(',').map(|part| part.trim().to_owned()).collect(),
        None => reader.body.strings(name).map_err(|e| reader.place.wrong(&e))?.unwrap_or_default(),
    };
    Ok(Some(found))
}

fn networks(reader: &Reader<'_>, name: &str) -> Result<Option<Networks>, ConfigError> {
    let Some(found) = list(reader, name)? else { return Ok(None) };
    let parsed = Networks::parse(found.iter().map(String::as_str).filter(|text| !text.is_empty()));
    parsed.map(Some).map_err(|problem| reader.place.at(reader.line(name), format!("`{name}`: {problem}")))
}

fn proxy(reader: &Reader<'_>, warnings: &mut Vec<String>) -> Result<Option<ProxyTrust>, ConfigError> {
    let authorized = networks(reader, PROXIES)?;
    let Some(behavior) = reader.text(BEHAVIOR)? else {
        if authorized.is_some() {
            warnings.push(idle(reader, PROXIES, BEHAVIOR));
        }
        return Ok(None);
    };
    let needed = |authorized: Option<Networks>| {
        authorized.ok_or_else(|| wrong(reader, BEHAVIOR, &format!("`{behavior}` needs `{PROXIES}`")))
    };
    match behavior.as_str() {
        "use_always" => Ok(Some(ProxyTrust::Always)),
        "allow_authorized" => Ok(Some(ProxyTrust::Some(needed(authorized)?))),
        "deny_unauthorized" => Ok(Some(ProxyTrust::Only(needed(authorized)?))),
        _ => Err(wrong(reader, BEHAVIOR, "must be use_always, allow_authorized or deny_unauthorized")),
    }
}

fn forwarded_for(reader: &Reader<'_>, warnings: &mut Vec<String>) -> Result<Option<ForwardedFor>, ConfigError> {
    let certificate = certificate(reader, warnings)?;
    let (not_present, not_authorized) = (reader.flag(NOT_PRESENT)?, reader.flag(NOT_AUTHORIZED)?);
    let hops = reader.body.integer(HOPS).map_err(|e| reader.place.wrong(&e))?;
    let Some(authorized) = networks(reader, AUTHORIZED)? else {
        if certificate.is_some() {
            // Anybody could show a certificate whose key they have not.
            return Err(wrong(reader, CERTIFICATE, &format!("needs `{AUTHORIZED}`")));
        }
        let given = [HOPS, NOT_PRESENT, NOT_AUTHORIZED].into_iter().filter(|name| reader.body.value(name).is_some());
        warnings.extend(given.map(|name| idle(reader, name, AUTHORIZED)));
        return Ok(None);
    };
    let mut rule = ForwardedFor { certificate, ..ForwardedFor::new(authorized) };
    rule.hop_skips =
        usize::try_from(hops.unwrap_or_default()).map_err(|_| wrong(reader, HOPS, "must not be negative"))?;
    rule.reject_not_present = not_present.unwrap_or(rule.reject_not_present);
    rule.reject_not_authorized = not_authorized.unwrap_or(rule.reject_not_authorized);
    Ok(Some(rule))
}

fn certificate(reader: &Reader<'_>, warnings: &mut Vec<String>) -> Result<Option<CertificateHeader>, ConfigError> {
    let named = list(reader, DECODERS)?;
    let Some(text) = reader.text(CERTIFICATE)? else {
        if named.is_some() {
            warnings.push(idle(reader, DECODERS, CERTIFICATE));
        }
        return Ok(None);
    };
    let name = text.parse().map_err(|_| wrong(reader, CERTIFICATE, "must be the name of a header"))?;
    let named = named.unwrap_or_default();
    let known = named.iter().filter(|text| !text.is_empty()).map(|text| CertificateDecoder::parse(text));
    let decoders = known.collect::<Option<Vec<_>>>();
    let decoders = decoders.ok_or_else(|| wrong(reader, DECODERS, "may name URL, PEM and RFC9440"))?;
    Ok(Some(CertificateHeader { name, decoders }))
}
