//! What a scan looks for: marked bytes, in all the forms in which a program may hold them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use regex::bytes::{Regex, RegexBuilder};
use std::collections::{BTreeMap, HashMap};

/// Shorter ones would be found by chance.
const SHORTEST: usize = 10;

/// Named byte sequences. Add them all, then scan.
#[derive(Default)]
pub struct Needles {
    /// Form of a needle -> its name and the word for the form.
    forms: HashMap<Vec<u8>, (String, &'static str)>,
}

impl Needles {
    /// Exactly these bytes.
    ///
    /// # Panics
    /// They are too few to mean anything.
    pub fn raw(&mut self, name: &str, bytes: &[u8]) -> &mut Self {
        self.form(name, "raw", bytes.to_vec())
    }

    /// The bytes, their hex digits, and their base64 at all three alignments.
    pub fn bytes(&mut self, name: &str, bytes: &[u8]) -> &mut Self {
        self.raw(name, bytes);
        self.form(name, "hex", hex::encode(bytes).into_bytes());
        self.form(name, "HEX", hex::encode_upper(bytes).into_bytes());
        for shift in 0..3 {
            self.form(name, "base64", base64_at(bytes, shift));
        }
        self
    }

    /// As [`Needles::bytes`], and UTF-16 as well.
    pub fn text(&mut self, name: &str, text: &str) -> &mut Self {
        self.bytes(name, text.as_bytes());
        self.form(name, "utf-16", text.encode_utf16().flat_map(u16::to_le_bytes).collect())
    }

    fn form(&mut self, name: &str, form: &'static str, bytes: Vec<u8>) -> &mut Self {
        assert!(bytes.len() >= SHORTEST, "{name}: too short to be found by purpose only");
        self.forms.entry(bytes).or_insert_with(|| (name.to_owned(), form));
        self
    }

    /// How many names there are.
    pub fn len(&self) -> usize {
        self.forms.values().map(|(name, _)| name).collect::<std::collections::BTreeSet<_>>().len()
    }

    pub fn is_empty(&self) -> bool {
        self.forms.is_empty()
    }

    pub(crate) fn longest(&self) -> usize {
        self.forms.keys().map(Vec::len).max().unwrap_or_default()
    }

    pub(crate) fn searcher(&self) -> Searcher<'_> {
        let escape = |bytes: &Vec<u8>| bytes.iter().map(|b| format!("\\x{b:02x}")).collect::<String>();
        // Longer forms first: of two that begin alike the longer one is to be named.
        let mut forms: Vec<_> = self.forms.keys().collect();
        forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        let pattern = forms.into_iter().map(escape).collect::<Vec<_>>().join("|");
        let regex = RegexBuilder::new(&pattern).unicode(false).size_limit(1 << 28).build().expect("literals only");
        Searcher { needles: self, regex }
    }
}

pub(crate) struct Searcher<'a> {
    needles: &'a Needles,
    regex: Regex,
}

impl Searcher<'_> {
    /// Name, form and position of each occurrence.
    pub(crate) fn find<'s>(&'s self, bytes: &'s [u8]) -> impl Iterator<Item = (&'s str, &'static str, usize)> + 's {
        self.regex.find_iter(bytes).filter_map(|found| {
            let (name, form) = self.needles.forms.get(found.as_bytes())?;
            Some((name.as_str(), *form, found.start()))
        })
    }
}

/// Where something was found.
#[derive(Clone, Debug)]
pub struct Hit {
    pub needle: String,
    pub form: &'static str,
    /// A memory region with the address, or a file with the offset.
    pub place: String,
    /// What stands around it, unprintable bytes as dots.
    pub context: String,
}

impl Hit {
    pub(crate) fn new(needle: &str, form: &'static str, place: String, bytes: &[u8], at: usize) -> Self {
        let around = &bytes[at.saturating_sub(64)..(at + 128).min(bytes.len())];
        let printable = |b: &u8| if b.is_ascii_graphic() || *b == b' ' { char::from(*b) } else { '.' };
        Self { needle: needle.to_owned(), form, place, context: around.iter().map(printable).collect() }
    }
}

/// The hits per needle, for messages.
pub fn tally(hits: &[Hit]) -> BTreeMap<&str, usize> {
    let mut tally = BTreeMap::new();
    for hit in hits {
        *tally.entry(hit.needle.as_str()).or_default() += 1;
    }
    tally
}

/// The characters that depend on `bytes` alone when `shift` unknown bytes stand before them.
fn base64_at(bytes: &[u8], shift: usize) -> Vec<u8> {
    let mut shifted = vec![0; shift];
    shifted.extend_from_slice(bytes);
    let text = STANDARD_NO_PAD.encode(&shifted);
    let first = (shift * 8).div_ceil(6);
    let last = shifted.len() * 8 / 6;
    text.as_bytes()[first..last].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_found_where_it_stands() {
        let mut needles = Needles::default();
        needles.text("mark", "canary-of-the-mine");
        let searcher = needles.searcher();
        let utf16: Vec<u8> = "canary-of-the-mine".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let forms = [
            (b"canary-of-the-mine".to_vec(), "raw"),
            (hex::encode("canary-of-the-mine").into_bytes(), "hex"),
            (hex::encode_upper("canary-of-the-mine").into_bytes(), "HEX"),
            (utf16, "utf-16"),
        ];
        for (bytes, form) in forms {
            let hay = [b"..".as_slice(), &bytes, b".."].concat();
            assert_eq!(searcher.find(&hay).collect::<Vec<_>>(), [("mark", form, 2)]);
        }
        for before in ["", "x", "xy", "xyz"] {
            let text = STANDARD_NO_PAD.encode(format!("{before}canary-of-the-mine and after"));
            assert_eq!(searcher.find(text.as_bytes()).count(), 1, "{before}");
        }
        assert_eq!(searcher.find(b"canary-of-the-min").count(), 0);
    }
}
