//! The PROXY protocol: what a proxy that passes bytes on says of its client before the first of them (HAProxy's
//! `proxy-protocol.txt`, versions 1 and 2). Read before TLS, never more than [`MOST`] bytes of it. Not here: whose word is
//! taken (`settings`), how long it may take (`connection`).
//!
//! Neither version can be taken for TLS or HTTP, so a connection without a header is told from one with it.

use crate::settings::ProxyTrust;
use crate::socket::{Socket, plain};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::io::AsyncReadExt;

/// Bytes of a header of version 1, line end included (section 2.1).
const MOST_V1: usize = 107;
/// Bytes of a header of version 2. Its length field would allow 64 KiB; addresses take 216 and what proxies add about TLS
/// some hundred.
const MOST: usize = 4096;
/// Read at a time; what of it is no header is handed on.
const CHUNK: usize = 512;

const V1: &[u8] = b"PROXY ";
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// What the beginning of a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beginning {
    /// More bytes have to come to tell.
    Open,
    NoHeader,
    /// `source` is missing if the proxy speaks for itself or does not know.
    Header {
        length: usize,
        source: Option<SocketAddr>,
    },
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum ProxyTrouble {
    #[error("who connects may not speak for others, and only those may connect")]
    NotAuthorized,
    #[error("the PROXY header is malformed")]
    Malformed,
    #[error("the connection ended before it began")]
    Ended(#[from] std::io::Error),
}

/// Who the client is, and bytes that came behind the header.
pub(crate) struct Introduction {
    pub(crate) remote: Option<SocketAddr>,
    pub(crate) ahead: Vec<u8>,
}

/// Takes the header off the connection from `remote`, if there is one.
///
/// # Errors
/// The connection is to be closed without a word.
pub(crate) async fn introduce(
    socket: &mut Socket,
    remote: Option<SocketAddr>,
    trust: &ProxyTrust,
) -> Result<Introduction, ProxyTrouble> {
    let believed = match trust {
        ProxyTrust::Always => true,
        ProxyTrust::Some(authorized) => authorized.contains(remote),
        ProxyTrust::Only(authorized) if authorized.contains(remote) => true,
        ProxyTrust::Only(_) => return Err(ProxyTrouble::NotAuthorized),
    };
    let mut got = Vec::new();
    loop {
        match beginning(&got)? {
            Beginning::NoHeader => return Ok(Introduction { remote, ahead: got }),
            Beginning::Header { length, source } => {
                got.drain(..length);
                let source = source.filter(|_| believed).map(plain);
                return Ok(Introduction { remote: source.or(remote), ahead: got });
            }
            Beginning::Open => {}
        }
        got.reserve(CHUNK);
        if (&mut *socket).take(CHUNK as u64).read_buf(&mut got).await? == 0 {
            return Err(ProxyTrouble::Ended(std::io::ErrorKind::UnexpectedEof.into()));
        }
    }
}

/// Bounded: [`Beginning::Open`] is the answer to fewer than [`MOST`] bytes only.
fn beginning(bytes: &[u8]) -> Result<Beginning, ProxyTrouble> {
    if bytes.starts_with(V1) {
        return version_1(bytes);
    }
    if bytes.starts_with(V2) {
        return version_2(bytes);
    }
    let may_become = V1.starts_with(bytes) || V2.starts_with(bytes);
    Ok(if may_become { Beginning::Open } else { Beginning::NoHeader })
}

/// `PROXY TCP4 192.0.2.1 198.51.100.1 40000 443`, closed by CR and LF (section 2.1).
fn version_1(bytes: &[u8]) -> Result<Beginning, ProxyTrouble> {
    let window = &bytes[..bytes.len().min(MOST_V1)];
    let Some(end) = window.windows(2).position(|pair| pair == b"\r\n") else {
        return if window.len() < MOST_V1 { Ok(Beginning::Open) } else { Err(ProxyTrouble::Malformed) };
    };
    let line = std::str::from_utf8(&window[V1.len()..end]).map_err(|_| ProxyTrouble::Malformed)?;
    let source = match line.split(' ').collect::<Vec<_>>().as_slice() {
        ["TCP4", source, target, from, to] => {
            Some(pair::<Ipv4Addr>(source, target, from, to).ok_or(ProxyTrouble::Malformed)?)
        }
        ["TCP6", source, target, from, to] => {
            Some(pair::<Ipv6Addr>(source, target, from, to).ok_or(ProxyTrouble::Malformed)?)
        }
        // Whatever follows is to be ignored.
        ["UNKNOWN", ..] => None,
        _ => return Err(ProxyTrouble::Malformed),
    };
    Ok(Beginning::Header { length: end + 2, source })
}

/// The source, if both ends are well-formed.
fn pair<A: std::str::FromStr + Into<IpAddr>>(source: &str, target: &str, from: &str, to: &str) -> Option<SocketAddr> {
    let _: A = target.parse().ok()?;
    let source: A = source.parse().ok()?;
    port(to)?;
    Some(SocketAddr::new(source.into(), port(from)?))
}

/// Digits only, and no zero in front, unlike what `parse` takes.
fn port(text: &str) -> Option<u16> {
    let is_plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_plain)
}

/// Twelve fixed bytes, version and command, family, length, addresses, and extensions that are passed over (section 2.2).
fn version_2(bytes: &[u8]) -> Result<Beginning, ProxyTrouble> {
    let Some((head, rest)) = bytes.split_first_chunk::<16>() else { return Ok(Beginning::Open) };
    let [.., command, family, high, low] = *head;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if head.len() + length > MOST || !matches!(command, 0x20 | 0x21) || family & 0x0f > 2 {
        return Err(ProxyTrouble::Malformed);
    }
    let Some(body) = rest.get(..length) else { return Ok(Beginning::Open) };
    let source = match (command, family >> 4) {
        // The proxy's own connection, to look whether we live: whatever else is there is to be ignored.
        (0x20, _) => None,
        (_, 0) => None,
        (_, 1) => Some(block::<4, 12, Ipv4Addr>(body)?),
        (_, 2) => Some(block::<16, 36, Ipv6Addr>(body)?),
        (_, 3) if body.len() >= 216 => None,
        _ => return Err(ProxyTrouble::Malformed),
    };
    Ok(Beginning::Header { length: head.len() + length, source })
}

/// The source of an address block of `WHOLE` bytes: two addresses of `SIZE` bytes each, two ports.
fn block<const SIZE: usize, const WHOLE: usize, A: From<[u8; SIZE]> + Into<IpAddr>>(
    body: &[u8],
) -> Result<SocketAddr, ProxyTrouble> {
    let whole = body.first_chunk::<WHOLE>().ok_or(ProxyTrouble::Malformed)?;
    let (source, ports) = (whole.first_chunk::<SIZE>(), whole.get(2 * SIZE..));
    let (Some(source), Some([high, low, ..])) = (source, ports) else { return Err(ProxyTrouble::Malformed) };
    Ok(SocketAddr::new(A::from(*source).into(), u16::from_be_bytes([*high, *low])))
}

#[cfg(test)]
#[path = "proxy_tests.rs"]
mod tests;
