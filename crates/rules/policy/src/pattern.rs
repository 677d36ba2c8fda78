//! Path patterns: exact, prefix (`*` at the end) and with whole segments free (`+`), and which of two is more specific.

use std::cmp::Ordering;

/// A pattern of a rule, namespace included.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Pattern {
    Exact(String),
    /// Without its star.
    Prefix(String),
    Segments(Segments),
}

/// A pattern with at least one `+` segment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Segments {
    /// Without a trailing star.
    text: String,
    is_prefix: bool,
    /// Bytes before the first `+`.
    head: usize,
    pluses: usize,
}

/// `+*` has no meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PlusStar;

impl Pattern {
    pub(crate) fn parse(path: &str) -> Result<Self, PlusStar> {
        if path.contains("+*") {
            return Err(PlusStar);
        }
        let (text, is_prefix) = path.strip_suffix('*').map_or((path, false), |t| (t, true));
        let pluses = text.split('/').filter(|s| *s == "+").count();
        Ok(match (pluses, is_prefix) {
            (0, false) => Self::Exact(text.to_owned()),
            (0, true) => Self::Prefix(text.to_owned()),
            _ => {
                let text = text.to_owned();
                let head = text.split_inclusive('/').take_while(|s| s.trim_end_matches('/') != "+").map(str::len).sum();
                Self::Segments(Segments { text, is_prefix, head, pluses })
            }
        })
    }
}

impl Segments {
    pub(crate) fn head(&self) -> &str {
        &self.text[..self.head]
    }

    pub(crate) fn matches(&self, path: &str) -> bool {
        let Some(mut path) = path.strip_prefix(self.head()) else {
            return false;
        };
        let mut pattern = &self.text[self.head..];
        loop {
            let (want, want_rest) = split(pattern);
            let (got, got_rest) = split(path);
            let Some(next) = want_rest else {
                return self.last_matches(want, got, got_rest);
            };
            let Some(rest) = got_rest.filter(|_| want == "+" || want == got) else {
                return false;
            };
            (pattern, path) = (next, rest);
        }
    }

    /// A `+` never comes right before a star, so a prefix ends in a plain, maybe empty, piece.
    fn last_matches(&self, want: &str, got: &str, got_rest: Option<&str>) -> bool {
        if self.is_prefix { got.starts_with(want) } else { got_rest.is_none() && (want == "+" || want == got) }
    }

    /// Whether some path below `folder` (which ends in a slash or is empty) can match.
    pub(crate) fn reaches_below(&self, folder: &str) -> bool {
        let mut pattern = self.text.as_str();
        let mut path = folder;
        loop {
            if path.is_empty() {
                return true;
            }
            let (want, want_rest) = split(pattern);
            let (got, got_rest) = split(path);
            let Some(next) = want_rest else {
                return self.is_prefix && got.starts_with(want);
            };
            if want != "+" && want != got {
                return false;
            }
            (pattern, path) = (next, got_rest.unwrap_or(""));
        }
    }

    pub(crate) fn rank(&self) -> Rank<'_> {
        Rank { wild_at: self.head, whole: !self.is_prefix, pluses: self.pluses, text: &self.text }
    }
}

fn split(path: &str) -> (&str, Option<&str>) {
    path.split_once('/').map_or((path, None), |(segment, rest)| (segment, Some(rest)))
}

/// Greater is more specific and decides. The order is upstream's documented one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rank<'a> {
    wild_at: usize,
    whole: bool,
    pluses: usize,
    text: &'a str,
}

impl<'a> Rank<'a> {
    pub(crate) fn of_prefix(prefix: &'a str) -> Self {
        Self { wild_at: prefix.len(), whole: false, pluses: 0, text: prefix }
    }
}

impl Ord for Rank<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.wild_at
            .cmp(&other.wild_at)
            .then(self.whole.cmp(&other.whole))
            .then(other.pluses.cmp(&self.pluses))
            .then(self.text.len().cmp(&other.text.len()))
            .then_with(|| self.text.cmp(other.text))
    }
}

impl PartialOrd for Rank<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
