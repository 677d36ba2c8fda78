//! Listeners: certificates that fit, ports that are free.

use super::{certificate, files};
use crate::config::Config;
use bulla_cli::Check;
use bulla_http::{Address, ForwardedFor, ProxyTrust, Settings, SocketPlace};
use std::io::ErrorKind;
use std::net::{TcpListener, ToSocketAddrs};
use std::path::Path;

/// `running` is the server that uses the store, which then has the ports too.
pub fn check(name: &str, config: &Config, running: Option<u32>) -> Check {
    if config.listeners.is_empty() {
        return Check::skipped(name, "none is configured");
    }
    let mut held = Vec::new();
    let mut parts = Vec::new();
    for (number, settings) in config.listeners.iter().enumerate() {
        let is_taken = config.listeners.iter().take(number).any(|other| same_place(&other.address, &settings.address));
        parts.push(listener(settings, running, is_taken, &mut held));
    }
    Check::of(name, parts)
}

/// Port 0 is another port each time.
fn same_place(one: &Address, other: &Address) -> bool {
    match (one, other) {
        (Address::Tcp(one), Address::Tcp(other)) => one == other && !one.ends_with(":0"),
        (Address::Unix { path: one, .. }, Address::Unix { path: other, .. }) => one == other,
        _ => false,
    }
}

/// `held` are the ports of the listeners before this one, `is_taken`: one of them is where this one should be.
fn listener(settings: &Settings, running: Option<u32>, is_taken: bool, held: &mut Vec<TcpListener>) -> Check {
    let (name, place) = match &settings.address {
        Address::Tcp(address) if is_taken => (format!("tcp {address}"), taken("Port")),
        Address::Tcp(address) => (format!("tcp {address}"), port(address, running, held)),
        Address::Unix { path, .. } if is_taken => (format!("unix {}", path.display()), taken("Socket")),
        Address::Unix { path, .. } => (format!("unix {}", path.display()), socket(path, running)),
    };
    let mut parts = vec![place];
    parts.extend(owner(&settings.address));
    match &settings.tls {
        Some(tls) => parts.extend(certificate::checks(settings, tls)),
        None => parts.push(plain(&settings.address)),
    }
    parts.extend(settings.proxy.as_ref().map(proxy));
    parts.extend(settings.forwarded_for.as_ref().map(forwarded_for));
    Check::of(&name, parts)
}

fn plain(address: &Address) -> Check {
    let name = "TLS";
    match address {
        Address::Unix { .. } => Check::skipped(name, "nobody listens in on a socket of the file system"),
        Address::Tcp(address) if is_local(address) => Check::fine(name, "off, and the address is local"),
        Address::Tcp(_) => Check::doubtful(
            name,
            "off: tokens and secrets cross the network for everybody to read",
            "Name `tls_cert_file` and `tls_key_file`, or listen on 127.0.0.1 behind something that ends TLS.",
        ),
    }
}

/// Whoever is believed can give himself any address, and with it what is bound to addresses.
fn proxy(trust: &ProxyTrust) -> Check {
    let name = "PROXY Protocol";
    let (networks, others) = match trust {
        ProxyTrust::Always => {
            let advice = "Use `deny_unauthorized` and name the proxies, unless nobody else reaches this port.";
            return Check::doubtful(name, "everybody who connects is believed about his address", advice);
        }
        ProxyTrust::Some(networks) => (networks, "others connect as themselves"),
        ProxyTrust::Only(networks) => (networks, "others may not connect"),
    };
    if networks.is_everybody() {
        let told = format!("everybody is believed about his address ({networks})");
        return Check::doubtful(name, told, "Name the addresses of the proxies in `proxy_protocol_authorized_addrs`.");
    }
    Check::fine(name, format!("of {networks}; {others}"))
}

fn forwarded_for(rule: &ForwardedFor) -> Check {
    let name = "X-Forwarded-For";
    let networks = &rule.authorized;
    if networks.is_everybody() {
        let told = format!("everybody is believed about his address ({networks})");
        return Check::doubtful(name, told, "Name the addresses of the proxies in `x_forwarded_for_authorized_addrs`.");
    }
    let absent = if rule.reject_not_present { "; requests without it are refused, checks of health too" } else { "" };
    Check::fine(name, format!("of {networks}{absent}"))
}

fn is_local(address: &str) -> bool {
    address.to_socket_addrs().is_ok_and(|mut found| found.all(|one| one.ip().is_loopback()))
}

fn taken(name: &str) -> Check {
    Check::broken(name, "another listener of this configuration is there", "Give each listener an address of its own.")
}

/// Taken until all listeners have been looked at, as a server would, and given back.
fn port(address: &str, running: Option<u32>, held: &mut Vec<TcpListener>) -> Check {
    let name = "Port";
    let problem = match TcpListener::bind(address) {
        Ok(listener) => {
            held.push(listener);
            return Check::fine(name, "free");
        }
        Err(problem) => problem,
    };
    let ports = |address: &str| address.to_socket_addrs().into_iter().flatten().map(|a| a.port()).next();
    let is_held = held.iter().any(|one| one.local_addr().ok().map(|a| a.port()) == ports(address));
    if problem.kind() == ErrorKind::AddrInUse && is_held {
        return taken(name);
    }
    match (problem.kind(), running) {
        (ErrorKind::AddrInUse, Some(process)) => {
            Check::fine(name, format!("in use, as is the store, by process {process} it seems"))
        }
        (ErrorKind::AddrInUse, None) => {
            Check::broken(name, "in use by another program", "Stop it, or listen on another port. `ss -ltnp` names it.")
        }
        (ErrorKind::PermissionDenied, _) => Check::broken(
            name,
            problem.to_string(),
            "Ports below 1024 need the capability CAP_NET_BIND_SERVICE; or listen on another port.",
        ),
        (ErrorKind::AddrNotAvailable, _) => Check::broken(
            name,
            problem.to_string(),
            "No interface of this machine has the address. `ip address` lists them.",
        ),
        _ => Check::broken(name, problem.to_string(), "Correct `address`."),
    }
}

fn socket(path: &Path, running: Option<u32>) -> Check {
    let name = "Socket";
    let place = match place(path) {
        Ok(place) => place,
        Err(problem) if problem.kind() == ErrorKind::AddrInUse => return socket_in_use(name, running),
        Err(problem) => {
            let advice = "Name another path, or move away what is there: only a socket that nobody uses is replaced.";
            return Check::broken(name, problem.to_string(), advice);
        }
    };
    if let Err(problem) = files::can_make_in(&files::parent(path)) {
        return Check::broken(name, problem, "Make the folder and let the server's user write there.");
    }
    match place {
        SocketPlace::Leftover => Check::fine(name, "left over; a server replaces it"),
        SocketPlace::Free => Check::fine(name, "can be made"),
    }
}

/// Nothing to say where there is no owner, or one that is known.
fn owner(address: &Address) -> Option<Check> {
    let Address::Unix { owner, .. } = address else { return None };
    let problem = owner.numbers().err()?;
    Some(Check::broken("Owner", problem.to_string(), "Correct `socket_user` or `socket_group`, or make the account."))
}

fn socket_in_use(name: &str, running: Option<u32>) -> Check {
    match running {
        Some(process) => Check::fine(name, format!("in use, as is the store, by process {process} it seems")),
        None => {
            Check::broken(name, "in use by another program", "Stop it, or listen on another path. `ss -lxp` names it.")
        }
    }
}

/// Looked at as a server does, which never waits for an answer.
fn place(path: &Path) -> std::io::Result<SocketPlace> {
    tokio::runtime::Builder::new_current_thread().enable_io().build()?.block_on(SocketPlace::at(path))
}
