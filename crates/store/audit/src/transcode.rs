//! JSON in, the same JSON out with its strings behind the veil: one pass over the bytes, no tree in between.
//!
//! The default is to hash. What stays clear is listed here and nowhere else: keys, numbers, `true`, `false`, `null`,
//! and strings of the top-level keys the mount exempted. Numbers keep their text. Text that is no JSON (RFC 8259) is
//! not guessed at: it is hashed whole.

use crate::json;
use crate::veil::{Strings, Veil};

/// Deeper nesting counts as malformed. The edge refuses such bodies long before; this bounds the stack here.
const MAX_DEPTH: u32 = 128;

/// Longer numbers are hashed: nobody's counter has so many digits, but a secret may.
const MAX_NUMBER: usize = 64;

/// What stands in the line instead of text that is no JSON.
const UNREADABLE: &str = "unreadable";

/// Whether the content of lists is replaced by how many there are (`elide_list_responses`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lists {
    Whole,
    Counted,
}

/// Appends `text`, hashed, to `out`. `clear_keys` are top-level keys whose strings, alone or in an array, stay clear.
pub(crate) fn transcode(text: &[u8], veil: &Veil, clear_keys: &[&str], lists: Lists, out: &mut Vec<u8>) {
    let start = out.len();
    let done = std::str::from_utf8(text).map_err(|_| Malformed).and_then(|text| {
        let mut walk = Walk { text: text.as_bytes(), at: 0, veil, clear_keys, lists, out: &mut *out, mute: false };
        walk.document()
    });
    if done.is_err() {
        out.truncate(start);
        let mut object = json::Object::open(out);
        veil.secret(text, object.member(UNREADABLE));
        object.close();
    }
}

/// Whether the text says nothing, so that the member can be left out.
pub(crate) fn says_nothing(text: &[u8]) -> bool {
    let text = text.trim_ascii();
    matches!(text, b"" | b"null")
        || (text.first() == Some(&b'{')
            && text.last() == Some(&b'}')
            && text[1..text.len() - 1].trim_ascii().is_empty())
}

#[derive(Debug)]
struct Malformed;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Show {
    Hashed,
    Clear,
}

struct Walk<'a> {
    /// Valid UTF-8.
    text: &'a [u8],
    at: usize,
    veil: &'a Veil,
    clear_keys: &'a [&'a str],
    lists: Lists,
    out: &'a mut Vec<u8>,
    /// Reads on without writing, to count what is elided.
    mute: bool,
}

impl<'a> Walk<'a> {
    fn document(&mut self) -> Result<(), Malformed> {
        self.value(0, Show::Hashed)?;
        self.space();
        if self.at == self.text.len() { Ok(()) } else { Err(Malformed) }
    }

    /// Writes one value; for arrays and objects, says how many members it has.
    fn value(&mut self, depth: u32, show: Show) -> Result<u64, Malformed> {
        self.space();
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth, show),
            Some(b'"') => self.string(show).map(|()| 0),
            Some(b't') => self.literal(b"true").map(|()| 0),
            Some(b'f') => self.literal(b"false").map(|()| 0),
            Some(b'n') => self.literal(b"null").map(|()| 0),
            Some(b'-' | b'0'..=b'9') => self.number().map(|()| 0),
            Some(_) | None => Err(Malformed),
        }
    }

    fn object(&mut self, depth: u32) -> Result<u64, Malformed> {
        self.members(depth, b'{', b'}', |walk| {
            let key = walk.raw_string()?;
            walk.space();
            walk.take(b':')?;
            walk.put(b"\"");
            walk.put(key);
            walk.put(b"\":");
            if depth > 0 {
                return walk.value(depth + 1, Show::Hashed).map(|_| ());
            }
            walk.top_member(key)
        })
    }

    fn array(&mut self, depth: u32, show: Show) -> Result<u64, Malformed> {
        self.members(depth, b'[', b']', |walk| walk.value(depth + 1, show).map(|_| ()))
    }

    fn members(
        &mut self,
        depth: u32,
        open: u8,
        close: u8,
        mut each: impl FnMut(&mut Self) -> Result<(), Malformed>,
    ) -> Result<u64, Malformed> {
        if depth >= MAX_DEPTH {
            return Err(Malformed);
        }
        self.take(open)?;
        self.put(&[open]);
        self.space();
        let mut count = 0;
        if self.peek() != Some(close) {
            loop {
                self.space();
                each(self)?;
                count += 1;
                self.space();
                if self.peek() != Some(b',') {
                    break;
                }
                self.at += 1;
                self.put(b",");
            }
        }
        self.take(close)?;
        self.put(&[close]);
        Ok(count)
    }

    /// A member of the outermost object: the place where keys are exempted and lists elided.
    fn top_member(&mut self, raw_key: &[u8]) -> Result<(), Malformed> {
        let key = unescape(raw_key)?;
        self.space();
        let elided = match (self.lists, key.as_ref(), self.peek()) {
            (Lists::Counted, b"keys", Some(b'[')) | (Lists::Counted, b"key_info", Some(b'{')) => true,
            (Lists::Whole | Lists::Counted, _, _) => false,
        };
        if elided {
            self.mute = true;
            let count = self.value(1, Show::Hashed)?;
            self.mute = false;
            json::number(count, self.out);
            return Ok(());
        }
        let clear = self.clear_keys.iter().any(|exempt| exempt.as_bytes() == key.as_ref());
        self.value(1, if clear { Show::Clear } else { Show::Hashed }).map(|_| ())
    }

    fn string(&mut self, show: Show) -> Result<(), Malformed> {
        let raw = self.raw_string()?;
        if self.mute {
            return Ok(());
        }
        // Text that was valid JSON stays valid JSON, so what is shown in clear is copied as it came.
        if show == Show::Clear || self.veil.strings == Strings::Raw {
            self.put(b"\"");
            self.put(raw);
            self.put(b"\"");
            return Ok(());
        }
        // The hash is over the text itself, not over one of its spellings: `sys/audit-hash` gets the text.
        self.veil.secret(unescape(raw)?.as_ref(), self.out);
        Ok(())
    }

    /// The bytes between the quotes, checked for what may not stand there.
    fn raw_string(&mut self) -> Result<&'a [u8], Malformed> {
        self.take(b'"')?;
        let text = self.text;
        let from = self.at;
        loop {
            self.at += json::plain_prefix(&text[self.at..]);
            let rest = &text[self.at..];
            let stop = rest.iter().position(|b| matches!(b, b'"' | b'\\' | 0..=0x1f)).ok_or(Malformed)?;
            self.at += stop;
            match text[self.at] {
                b'"' => break,
                b'\\' => self.at += escape_length(&text[self.at..])?,
                _ => return Err(Malformed),
            }
        }
        let raw = &text[from..self.at];
        self.at += 1;
        Ok(raw)
    }

    /// RFC 8259, section 6.
    fn number(&mut self) -> Result<(), Malformed> {
        let from = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        let text = &self.text[from..self.at];
        if text.len() <= MAX_NUMBER || self.veil.strings == Strings::Raw {
            self.put(text);
        } else if !self.mute {
            self.veil.secret(text, self.out);
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Malformed> {
        let count = self.text[self.at..].iter().take_while(|b| b.is_ascii_digit()).count();
        self.at += count;
        if count > 0 { Ok(()) } else { Err(Malformed) }
    }

    fn literal(&mut self, word: &[u8]) -> Result<(), Malformed> {
        if !self.text[self.at..].starts_with(word) {
            return Err(Malformed);
        }
        self.at += word.len();
        self.put(word);
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) {
        if !self.mute {
            self.out.extend_from_slice(bytes);
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> Result<(), Malformed> {
        if self.peek() != Some(byte) {
            return Err(Malformed);
        }
        self.at += 1;
        Ok(())
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }
}

/// How many bytes the escape at the start of `text` takes.
fn escape_length(text: &[u8]) -> Result<usize, Malformed> {
    match text.get(1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(2),
        Some(b'u') => hex4(text.get(2..6)).map(|_| 6),
        Some(_) | None => Err(Malformed),
    }
}

fn hex4(digits: Option<&[u8]>) -> Result<u32, Malformed> {
    let digits = digits.ok_or(Malformed)?;
    digits.iter().try_fold(0, |value, digit| {
        let digit = char::from(*digit).to_digit(16).ok_or(Malformed)?;
        Ok(value * 16 + digit)
    })
}

/// What a checked raw string means. Half a surrogate pair means U+FFFD, as in most readers.
fn unescape(raw: &[u8]) -> Result<std::borrow::Cow<'_, [u8]>, Malformed> {
    if !raw.contains(&b'\\') {
        return Ok(raw.into());
    }
    let mut text = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.iter().position(|b| *b == b'\\') {
        text.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        let length = escape_length(rest)?;
        let byte = match rest[1] {
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let (letter, length) = unicode_escape(rest)?;
                text.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
                rest = &rest[length..];
                continue;
            }
            same => same,
        };
        text.push(byte);
        rest = &rest[length..];
    }
    text.extend_from_slice(rest);
    Ok(text.into())
}

/// The letter of a `\uXXXX` or of a pair of them, and how many bytes that took.
fn unicode_escape(text: &[u8]) -> Result<(char, usize), Malformed> {
    let first = hex4(text.get(2..6))?;
    if let Some(letter) = char::from_u32(first) {
        return Ok((letter, 6));
    }
    let second = if text.get(6..8) == Some(b"\\u") { hex4(text.get(8..12))? } else { 0 };
    if (0xd800..0xdc00).contains(&first) && (0xdc00..0xe000).contains(&second) {
        let joined = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        return Ok((char::from_u32(joined).unwrap_or(char::REPLACEMENT_CHARACTER), 12));
    }
    Ok((char::REPLACEMENT_CHARACTER, 6))
}
