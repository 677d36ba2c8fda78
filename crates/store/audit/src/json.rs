//! Writing JSON into a byte buffer. Not here: reading it (`transcode`).

use std::io::Write as _;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// A JSON string with everything escaped that RFC 8259, section 7, wants escaped. It never holds a line break, which is
/// what keeps a record on one line.
pub(crate) fn string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let plain = plain_prefix(bytes);
    out.extend_from_slice(&bytes[..plain]);
    let mut from = plain;
    for (at, byte) in bytes.iter().enumerate().skip(plain) {
        let short = match byte {
            b'"' => b'"',
            b'\\' => b'\\',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0..=0x1f => b'u',
            _ => continue,
        };
        out.extend_from_slice(&bytes[from..at]);
        out.extend_from_slice(&[b'\\', short]);
        if short == b'u' {
            out.extend_from_slice(&[b'0', b'0', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
        from = at + 1;
    }
    out.extend_from_slice(&bytes[from..]);
    out.push(b'"');
}

/// How many bytes at the start certainly mean themselves in a JSON string: no quote, no backslash, no control
/// character. Looks at sixteen at once, which the compiler turns into vector instructions; the end of the text and the
/// neighbourhood of a special byte are left to the caller.
pub(crate) fn plain_prefix(bytes: &[u8]) -> usize {
    let special = |byte: &u8| (*byte < 0x20) | (*byte == b'"') | (*byte == b'\\');
    let chunks = bytes.chunks_exact(16);
    16 * chunks.take_while(|chunk| !chunk.iter().fold(false, |any, byte| any | special(byte))).count()
}

pub(crate) fn number(value: u64, out: &mut Vec<u8>) {
    // Writing to a vector cannot fail.
    let _ = write!(out, "{value}");
}

/// An object being written; empty members are left out, as clients of these lines know it.
pub(crate) struct Object<'o> {
    out: &'o mut Vec<u8>,
    empty: bool,
}

impl<'o> Object<'o> {
    pub(crate) fn open(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, empty: true }
    }

    pub(crate) fn close(self) {
        self.out.push(b'}');
    }

    /// Writes the key and hands out the buffer for its value. `key` is one of ours and needs no escaping.
    pub(crate) fn member(&mut self, key: &str) -> &mut Vec<u8> {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    /// As `member`, for a key that came from outside.
    pub(crate) fn foreign_member(&mut self, key: &str) -> &mut Vec<u8> {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
        string(key, self.out);
        self.out.push(b':');
        self.out
    }

    pub(crate) fn text(&mut self, key: &str, value: &str) {
        if !value.is_empty() {
            string(value, self.member(key));
        }
    }

    pub(crate) fn number(&mut self, key: &str, value: u64) {
        if value != 0 {
            number(value, self.member(key));
        }
    }

    pub(crate) fn flag(&mut self, key: &str, value: bool) {
        if value {
            self.member(key).extend_from_slice(b"true");
        }
    }

    pub(crate) fn texts(&mut self, key: &str, values: &[&str]) {
        if !values.is_empty() {
            list(values, self.member(key), |value, out| string(value, out));
        }
    }
}

/// An array of whatever `each` writes.
pub(crate) fn list<T>(values: &[T], out: &mut Vec<u8>, mut each: impl FnMut(&T, &mut Vec<u8>)) {
    out.push(b'[');
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        each(value, out);
    }
    out.push(b']');
}
