//! Headers of both versions, whole, cut and damaged.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use super::*;

fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    [V2, &[command, family], &length, body].concat()
}

fn source(bytes: &[u8]) -> Option<String> {
    match beginning(bytes) {
        Ok(Beginning::Header { length, source }) => {
            assert_eq!(length, bytes.len());
            Some(source.map_or_else(String::new, |a| a.to_string()))
        }
        Err(_) => None,
        other => panic!("{other:?}"),
    }
}

const IPV4: [u8; 12] = [192, 0, 2, 1, 198, 51, 100, 1, 0x9c, 0x40, 1, 0xbb];

fn ipv6() -> Vec<u8> {
    let mut body = vec![0; 36];
    body[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
    body[15] = 7;
    body[32..].copy_from_slice(&[0, 80, 1, 0xbb]);
    body
}

#[test]
fn version_1_in_all_its_forms() {
    let line = |text: &str| source(format!("PROXY {text}\r\n").as_bytes());
    assert_eq!(line("TCP4 192.0.2.1 198.51.100.1 40000 443").unwrap(), "192.0.2.1:40000");
    assert_eq!(line("TCP6 2001:db8::7 ::1 80 443").unwrap(), "[2001:db8::7]:80");
    assert_eq!(line("TCP4 192.0.2.1 198.51.100.1 0 65535").unwrap(), "192.0.2.1:0");
    assert_eq!(line("UNKNOWN").unwrap(), "");
    assert_eq!(line("UNKNOWN ffff::1 ffff::2 65535 65535").unwrap(), "");
    for wrong in [
        "",
        "TCP4",
        "TCP5 192.0.2.1 198.51.100.1 1 2",
        "TCP4 192.0.2.1 198.51.100.1 1",
        "TCP4 192.0.2.1 198.51.100.1 1 2 3",
        "TCP4  192.0.2.1 198.51.100.1 1 2",
        "TCP4 2001:db8::7 ::1 1 2",
        "TCP6 192.0.2.1 198.51.100.1 1 2",
        "TCP4 192.0.2.256 198.51.100.1 1 2",
        "TCP4 192.0.2.1 host 1 2",
        "TCP4 192.0.2.1 198.51.100.1 +1 2",
        "TCP4 192.0.2.1 198.51.100.1 01 2",
        "TCP4 192.0.2.1 198.51.100.1 65536 2",
        "TCP4 192.0.2.1 198.51.100.1 1 -2",
        "TCP4\t192.0.2.1 198.51.100.1 1 2",
        "tcp4 192.0.2.1 198.51.100.1 1 2",
    ] {
        assert_eq!(line(wrong), None, "{wrong}");
    }
    assert!(beginning(b"PROXY TCP4 \xff 198.51.100.1 1 2\r\n").is_err());
}

#[test]
fn version_1_has_107_bytes_at_most() {
    let of = |length: usize| format!("PROXY UNKNOWN {}\r\n", "x".repeat(length - 16)).into_bytes();
    assert_eq!(source(&of(107)).unwrap(), "");
    assert!(beginning(&of(108)).is_err());
    assert_eq!(beginning(&of(108)[..106]).unwrap(), Beginning::Open);
    assert!(beginning(&of(200)[..107]).is_err(), "not waited for any longer");
}

#[test]
fn version_2_in_all_its_forms() {
    assert_eq!(source(&v2(0x21, 0x11, &IPV4)).unwrap(), "192.0.2.1:40000");
    assert_eq!(source(&v2(0x21, 0x12, &IPV4)).unwrap(), "192.0.2.1:40000");
    assert_eq!(source(&v2(0x21, 0x21, &ipv6())).unwrap(), "[2001:db8::7]:80");
    assert_eq!(source(&v2(0x21, 0x11, &[&IPV4[..], &[4, 0, 1, 0]].concat())).unwrap(), "192.0.2.1:40000");
    assert_eq!(source(&v2(0x20, 0x11, &IPV4)).unwrap(), "", "the proxy speaks for itself");
    assert_eq!(source(&v2(0x20, 0x00, &[])).unwrap(), "");
    assert_eq!(source(&v2(0x21, 0x00, &[1, 2, 3])).unwrap(), "");
    assert_eq!(source(&v2(0x21, 0x31, &[0; 216])).unwrap(), "");
    for (command, family, body) in [
        (0x11, 0x11, &IPV4[..]),
        (0x31, 0x11, &IPV4),
        (0x22, 0x11, &IPV4),
        (0x21, 0x13, &IPV4),
        (0x21, 0x41, &IPV4),
        (0x21, 0x11, &IPV4[..11]),
        (0x21, 0x21, &ipv6()[..35]),
        (0x21, 0x31, &[0; 215]),
    ] {
        assert_eq!(source(&v2(command, family, body)), None, "{command:x} {family:x} {}", body.len());
    }
}

#[test]
fn version_2_has_4096_bytes_at_most() {
    let of = |length: usize| v2(0x21, 0x11, &[&IPV4[..], &vec![0; length - 28]].concat());
    assert_eq!(source(&of(4096)).unwrap(), "192.0.2.1:40000");
    assert!(beginning(&of(4097)[..16]).is_err(), "refused by its length, before it is there");
}

#[test]
fn what_is_no_header_is_left_alone() {
    for other in [&b"GET / HTTP/1.1"[..], b"\x16\x03\x01", b"PRI * HTTP/2.0", b"PUT /", b"PROXX", b"\r\nGET", b"proxy "]
    {
        assert_eq!(beginning(other).unwrap(), Beginning::NoHeader, "{other:?}");
    }
}

/// Of every header, every beginning is waited for and every single damage is borne.
#[test]
fn cut_and_damaged() {
    let line = b"PROXY TCP4 192.0.2.1 198.51.100.1 40000 443\r\n".to_vec();
    for whole in [line, v2(0x21, 0x11, &IPV4), v2(0x21, 0x21, &ipv6()), v2(0x21, 0x31, &[0; 216])] {
        for cut in 0..whole.len() {
            assert_eq!(beginning(&whole[..cut]).unwrap(), Beginning::Open, "{cut} of {whole:?}");
        }
        for at in 0..whole.len() {
            for value in 0..=255 {
                let mut damaged = whole.clone();
                damaged[at] = value;
                if let Ok(Beginning::Header { length, .. }) = beginning(&damaged) {
                    assert!(length <= damaged.len());
                }
            }
        }
        let more = [&whole[..], b"GET / HTTP/1.1\r\n\r\n"].concat();
        assert!(matches!(beginning(&more).unwrap(), Beginning::Header { length, .. } if length == whole.len()));
    }
}
