//! `listener "tcp" { … }` and `listener "unix" { … }`.

use super::ConfigError;
use super::proxies;
use super::top::{Place, nanos};
use bulla_core::Redact;
use bulla_hcl::{Block, Object};
use bulla_http::{Address, ClientCertificates, CustomHeaders, Settings, TlsSettings, TlsVersion, UnixOwner};
use std::net::Ipv6Addr;
use std::time::Duration;

/// Keys that are known and have no effect.
const IDLE: [&str; 12] = [
    "cluster_address",
    "telemetry",
    "profiling",
    "inflight_requests_logging",
    "purpose",
    "http_write_timeout",
    "max_request_json_memory",
    "tls_prefer_server_cipher_suites",
    "chroot_namespace",
    "role",
    "disable_replication_status_endpoints",
    "disable_request_limiter",
];

/// How the options for fetching certificates from an authority begin.
const ACME: &str = "tls_acme_";

/// Beginnings of keys whose silent loss would open something or judge clients by a wrong certificate.
const NOT_YET: [(&str, &str); 2] = [
    (ACME, "; name certificate and key with `tls_cert_file` and `tls_key_file`"),
    (
        "x_forwarded_for_client_cert_header_decoders",
        "; use `x_forwarded_for_client_cert_decoders` with URL, PEM or RFC9440",
    ),
];

pub(super) fn parse(place: Place<'_>, block: &Block<'_>, warnings: &mut Vec<String>) -> Result<Settings, ConfigError> {
    let body = block.body;
    let reader = Reader { place, body };
    let mut settings = Settings::new(address(&reader, block)?);
    let is_local = matches!(settings.address, Address::Unix { .. });
    settings.tls = tls(&reader, block.pos.line, is_local)?;
    limits(&reader, &mut settings)?;
    settings.require_request_header = reader.flag("require_request_header")?.unwrap_or(false);
    let closed = |name: &str| reader.flag(name).map(|v| v.unwrap_or(true));
    settings.legacy_routes_open =
        !closed("disable_unauthed_rekey_endpoints")? || !closed("disable_unauthed_generate_root_endpoints")?;
    settings.redact = redact(&reader)?;
    settings.custom_headers = custom_headers(&reader)?;
    proxies::apply(&reader, &mut settings, warnings)?;
    for item in &body.items {
        let name = item.name();
        if let Some((_, instead)) = NOT_YET.iter().find(|(known, _)| name.starts_with(known)) {
            let problem = format!("listener option `{name}` is not supported{instead}");
            return Err(place.at(item.pos().line, problem));
        }
        if proxies::KNOWN.contains(&name) {
            continue;
        }
        if IDLE.contains(&name) {
            warnings.push(format!("{}: line {}: `{name}` has no effect", place.file, item.pos().line));
        } else if !KNOWN.contains(&name) {
            warnings.push(place.unknown(item, " of a listener"));
        }
    }
    Ok(settings)
}

const KNOWN: [&str; 37] = [
    "address",
    "socket_mode",
    "socket_user",
    "socket_group",
    "tls_disable",
    "tls_cert_file",
    "tls_key_file",
    "tls_min_version",
    "tls_max_version",
    "tls_cipher_suites",
    "tls_require_and_verify_client_cert",
    "tls_client_ca_file",
    "tls_disable_client_certs",
    "max_request_size",
    "max_request_json_strings",
    "max_json_depth",
    "max_json_string_value_length",
    "max_json_object_entry_count",
    "max_json_array_element_count",
    "max_json_nodes",
    "max_header_size",
    "max_header_count",
    "max_connections",
    "max_concurrent_streams",
    "max_bodies_in_flight",
    "http_read_header_timeout",
    "http_read_timeout",
    "http_idle_timeout",
    "tls_handshake_timeout",
    "require_request_header",
    "disable_unauthed_rekey_endpoints",
    "disable_unauthed_generate_root_endpoints",
    "custom_response_headers",
    "max_request_duration",
    "redact_addresses",
    "redact_cluster_name",
    "redact_version",
];

pub(super) struct Reader<'a> {
    pub(super) place: Place<'a>,
    pub(super) body: &'a Object,
}

impl Reader<'_> {
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, ConfigError> {
        self.body.string(name).map(|t| t.filter(|t| !t.is_empty())).map_err(|e| self.place.wrong(&e))
    }

    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, ConfigError> {
        self.body.boolean(name).map_err(|e| self.place.wrong(&e))
    }

    fn time(&self, name: &str) -> Result<Option<Duration>, ConfigError> {
        let value = self.body.value(name);
        value.map(|v| nanos(self.place, name, v).map(Duration::from_nanos)).transpose()
    }

    /// A number above zero; zero leaves the default.
    fn count(&self, name: &str) -> Result<Option<usize>, ConfigError> {
        let Some(number) = self.body.integer(name).map_err(|e| self.place.wrong(&e))? else { return Ok(None) };
        let line = self.line(name);
        let size =
            usize::try_from(number).map_err(|_| self.place.at(line, format!("`{name}` must not be negative")))?;
        Ok((size > 0).then_some(size))
    }

    pub(super) fn line(&self, name: &str) -> u32 {
        self.body.item(name).map_or(0, |i| i.pos().line)
    }
}

fn address(reader: &Reader<'_>, block: &Block<'_>) -> Result<Address, ConfigError> {
    match block.labels.concat().as_str() {
        "tcp" => {
            let text = reader.text("address")?.unwrap_or_else(|| "127.0.0.1".into());
            let text = with_port(&text).map_err(|problem| reader.place.at(reader.line("address"), problem))?;
            Ok(Address::Tcp(text))
        }
        "unix" => {
            let line = block.pos.line;
            let path =
                reader.text("address")?.ok_or_else(|| reader.place.at(line, "listener `unix` needs an `address`"))?;
            let mode = reader.text("socket_mode")?.map(|m| u32::from_str_radix(&m, 8)).transpose();
            let mode = mode.map_err(|_| reader.place.at(reader.line("socket_mode"), "`socket_mode` must be octal"))?;
            let owner = UnixOwner { mode, user: reader.text("socket_user")?, group: reader.text("socket_group")? };
            Ok(Address::Unix { path: path.into(), owner })
        }
        other => Err(reader.place.at(block.pos.line, format!("unknown listener `{other}`; there are tcp and unix"))),
    }
}

/// With the usual port, unless it names one.
fn with_port(address: &str) -> Result<String, String> {
    if let Ok(bare) = address.parse::<Ipv6Addr>() {
        return Ok(format!("[{bare}]:{PORT}"));
    }
    match address.rsplit_once(':') {
        // The colons of an IPv6 address stand in brackets.
        Some((_, port)) if !port.ends_with(']') => match port.parse::<u16>() {
            Ok(_) => Ok(address.to_owned()),
            Err(_) => Err(format!("`address` must be host:port, and `{port}` is no port")),
        },
        _ => Ok(format!("{address}:{PORT}")),
    }
}

const PORT: u16 = 8200;

/// A socket of the file system (`is_local`) needs none, since nobody listens in on it.
fn tls(reader: &Reader<'_>, line: u32, is_local: bool) -> Result<Option<TlsSettings>, ConfigError> {
    let pair = (reader.text("tls_cert_file")?, reader.text("tls_key_file")?);
    if reader.flag("tls_disable")?.unwrap_or(false) {
        return Ok(None);
    }
    if is_local && pair == (None, None) {
        let demanded = reader.flag("tls_require_and_verify_client_cert")?.unwrap_or(false);
        let problem = "`tls_require_and_verify_client_cert` needs `tls_cert_file` and `tls_key_file`";
        return if demanded { Err(reader.place.at(line, problem)) } else { Ok(None) };
    }
    let (Some(certificate), Some(key)) = pair else {
        let problem = "a listener needs `tls_cert_file` and `tls_key_file`, or `tls_disable = true`";
        return Err(reader.place.at(line, problem));
    };
    let mut settings = TlsSettings::new(certificate.into(), key.into());
    if let Some(version) = reader.text("tls_min_version")? {
        // Clients asking for less get what is safe.
        settings.min = version_of(reader, "tls_min_version", &version)?;
    }
    if let Some(version) = reader.text("tls_max_version")? {
        settings.max = version_of(reader, "tls_max_version", &version)?;
    }
    let suites = reader.text("tls_cipher_suites")?.unwrap_or_default();
    settings.suites = suites.split(',').map(str::trim).filter(|s| !s.is_empty()).map(str::to_owned).collect();
    settings.clients = clients(reader)?;
    Ok(Some(settings))
}

fn version_of(reader: &Reader<'_>, name: &str, text: &str) -> Result<TlsVersion, ConfigError> {
    match text {
        "tls10" | "tls11" if name == "tls_min_version" => Ok(TlsVersion::Tls12),
        "tls12" => Ok(TlsVersion::Tls12),
        "tls13" => Ok(TlsVersion::Tls13),
        _ => Err(reader.place.at(reader.line(name), format!("`{name}` must be tls12 or tls13"))),
    }
}

fn clients(reader: &Reader<'_>) -> Result<ClientCertificates, ConfigError> {
    let demanded = reader.flag("tls_require_and_verify_client_cert")?.unwrap_or(false);
    let off = reader.flag("tls_disable_client_certs")?.unwrap_or(false);
    match (demanded, off, reader.text("tls_client_ca_file")?) {
        (true, true, _) => {
            let problem = "`tls_disable_client_certs` and `tls_require_and_verify_client_cert` exclude each other";
            Err(reader.place.at(reader.line("tls_disable_client_certs"), problem))
        }
        (true, false, Some(authorities)) => Ok(ClientCertificates::Verified { authorities: authorities.into() }),
        (true, false, None) => {
            let problem = "`tls_require_and_verify_client_cert` needs `tls_client_ca_file`";
            Err(reader.place.at(reader.line("tls_require_and_verify_client_cert"), problem))
        }
        (false, true, _) => Ok(ClientCertificates::Off),
        (false, false, _) => Ok(ClientCertificates::Any),
    }
}

fn limits(reader: &Reader<'_>, settings: &mut Settings) -> Result<(), ConfigError> {
    let limits = &mut settings.limits;
    if let Some(size) = reader.count("max_request_size")? {
        limits.request_size = size as u64;
    }
    for (name, slot) in [
        ("max_request_json_strings", &mut limits.body.strings),
        ("max_json_depth", &mut limits.body.depth),
        ("max_json_string_value_length", &mut limits.body.string_length),
        ("max_json_nodes", &mut limits.body.nodes),
        ("max_header_size", &mut limits.header_size),
        ("max_header_count", &mut limits.header_count),
        ("max_connections", &mut limits.connections),
        ("max_bodies_in_flight", &mut limits.bodies_in_flight),
    ] {
        if let Some(value) = reader.count(name)? {
            *slot = value;
        }
    }
    // Members and elements are counted together here; the stricter of the two holds for both.
    for name in ["max_json_object_entry_count", "max_json_array_element_count"] {
        if let Some(value) = reader.count(name)? {
            limits.body.nodes = limits.body.nodes.min(value);
        }
    }
    if let Some(streams) = reader.count("max_concurrent_streams")? {
        limits.streams = u32::try_from(streams).unwrap_or(u32::MAX);
    }
    for (name, slot) in [
        ("http_read_header_timeout", &mut limits.read_header),
        ("http_read_timeout", &mut limits.read_body),
        ("max_request_duration", &mut limits.request),
        ("http_idle_timeout", &mut limits.idle),
        ("tls_handshake_timeout", &mut limits.handshake),
    ] {
        if let Some(time) = reader.time(name)?.filter(|t| !t.is_zero()) {
            *slot = time;
        }
    }
    Ok(())
}

fn redact(reader: &Reader<'_>) -> Result<Redact, ConfigError> {
    let asked = |name: &str| reader.flag(name).map(|flag| flag.unwrap_or(false));
    // There is one node, and no answer without a token holds an address.
    asked("redact_addresses")?;
    Ok(Redact { cluster_name: asked("redact_cluster_name")?, version: asked("redact_version")? })
}

fn custom_headers(reader: &Reader<'_>) -> Result<CustomHeaders, ConfigError> {
    let place = reader.place;
    let mut rules = Vec::new();
    for block in reader.body.blocks("custom_response_headers", 1).map_err(|e| place.wrong(&e))? {
        for item in &block.body.items {
            let values = match item.value.text() {
                Some(text) => vec![text],
                None => block.body.strings(item.name()).map_err(|e| place.wrong(&e))?.unwrap_or_default(),
            };
            rules.push((block.labels.concat(), item.name().to_owned(), values));
        }
    }
    Ok(CustomHeaders { rules })
}

pub(super) fn sanitized(settings: &Settings) -> serde_json::Value {
    let (kind, address) = match &settings.address {
        Address::Tcp(address) => ("tcp", address.clone()),
        Address::Unix { path, .. } => ("unix", path.display().to_string()),
    };
    serde_json::json!({ "type": kind, "config": { "address": address, "tls_disable": settings.tls.is_none() } })
}
