//! Route patterns: literal segments, `{name}` for one segment, `{path..}` for the rest.
//!
//! | form | matches |
//! | --- | --- |
//! | `{name}` | one segment of word characters, dots and dashes, beginning and ending with a word character |
//! | `{name:any}` | any one segment |
//! | `{name:at}` | as `{name}`, with `@` too |
//! | `{path..}` | one or more segments; a trailing slash is kept; literals may follow |
//! | `{path..?}` | the same, or nothing |

use smallvec::SmallVec;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Literal(&'static str),
    One(&'static str, Charset),
    Rest { name: &'static str, optional: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Charset {
    Name,
    NameAt,
    Any,
}

/// What a pattern caught: name and text.
#[derive(Clone, Debug, Default)]
pub struct Captures(SmallVec<[(&'static str, String); 3]>);

impl Captures {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| *key == name).map(|(_, text)| text.as_str())
    }

    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(name, text)| (*name, text.as_str()))
    }

    /// Replaces a capture, for routes that fold a name (case, spaces) before policy and audit see it.
    pub fn set(&mut self, name: &'static str, text: String) {
        if let Some(slot) = self.0.iter_mut().find(|(key, _)| *key == name) {
            slot.1 = text;
        }
    }
}

#[derive(Clone, Debug)]
pub struct Pattern {
    text: &'static str,
    parts: Vec<Part>,
}

impl Pattern {
    pub fn new(text: &'static str) -> Self {
        let parts = text.split('/').filter(|s| !s.is_empty()).map(part).collect();
        Self { text, parts }
    }

    pub fn text(&self) -> &'static str {
        self.text
    }

    /// Captures, if `path` (relative to the mount) fits. `folder`: a list, whose path may end in a slash that means
    /// nothing to literals and single captures.
    pub fn matches(&self, path: &str, folder: bool) -> Option<Captures> {
        let (path, slash) = match path.strip_suffix('/') {
            Some(stripped) => (stripped, true),
            None => (path, false),
        };
        let segments: SmallVec<[&str; 8]> = if path.is_empty() { SmallVec::new() } else { path.split('/').collect() };
        let mut captures = Captures::default();
        let ends_open = self.step(&self.parts, &segments, slash, &mut captures)?;
        // `roles/` is the folder `roles` when listing and no path of ours otherwise; `{path..}` keeps the slash itself.
        (folder || !slash || ends_open).then_some(captures)
    }

    /// The path that these captures make: the spelling that policy sees once names are folded.
    pub fn render(&self, captures: &Captures) -> String {
        let pieces = self.parts.iter().map(|part| match *part {
            Part::Literal(word) => word,
            Part::One(name, _) | Part::Rest { name, .. } => captures.get(name).unwrap_or_default(),
        });
        pieces.filter(|piece| !piece.is_empty()).collect::<Vec<_>>().join("/")
    }

    /// Matches `parts` against `segments`; the answer says whether the last part was a rest that took the slash.
    fn step(&self, parts: &[Part], segments: &[&str], slash: bool, captures: &mut Captures) -> Option<bool> {
        let Some((first, others)) = parts.split_first() else {
            return segments.is_empty().then_some(false);
        };
        match *first {
            Part::Literal(word) => {
                (*segments.first()? == word).then(|| self.step(others, &segments[1..], slash, captures))?
            }
            Part::One(name, charset) => {
                let segment = segments.first().filter(|s| charset.allows(s))?;
                captures.0.push((name, (*segment).to_owned()));
                self.step(others, &segments[1..], slash, captures)
            }
            Part::Rest { name, optional } => self.rest(name, optional, others, segments, slash, captures),
        }
    }

    fn rest(
        &self,
        name: &'static str,
        optional: bool,
        after: &[Part],
        segments: &[&str],
        slash: bool,
        captures: &mut Captures,
    ) -> Option<bool> {
        let taken = segments.len().checked_sub(after.len())?;
        if taken == 0 && !optional {
            return None;
        }
        let mut text = segments[..taken].join("/");
        if after.is_empty() && slash && taken > 0 {
            text.push('/');
        }
        captures.0.push((name, text));
        let inner = self.step(after, &segments[taken..], slash, captures)?;
        Some(after.is_empty() || inner)
    }
}

fn part(segment: &'static str) -> Part {
    let Some(inner) = segment.strip_prefix('{').and_then(|s| s.strip_suffix('}')) else {
        return Part::Literal(segment);
    };
    if let Some(name) = inner.strip_suffix("..?") {
        return Part::Rest { name, optional: true };
    }
    if let Some(name) = inner.strip_suffix("..") {
        return Part::Rest { name, optional: false };
    }
    match inner.split_once(':') {
        Some((name, "any")) => Part::One(name, Charset::Any),
        Some((name, "at")) => Part::One(name, Charset::NameAt),
        _ => Part::One(inner, Charset::Name),
    }
}

impl Charset {
    fn allows(self, segment: &str) -> bool {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let middle = |c: char| word(c) || c == '.' || c == '-' || (self == Self::NameAt && c == '@');
        match self {
            Self::Any => true,
            _ => segment.starts_with(word) && segment.ends_with(word) && segment.chars().all(middle),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn caught(pattern: &'static str, path: &str, folder: bool) -> Option<Vec<(String, String)>> {
        let captures = Pattern::new(pattern).matches(path, folder)?;
        Some(captures.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect())
    }

    fn one(name: &str, text: &str) -> Option<Vec<(String, String)>> {
        Some(vec![(name.into(), text.into())])
    }

    #[test]
    fn literals_and_names() {
        assert_eq!(caught("roles/{name}", "roles/a.b-c", false), one("name", "a.b-c"));
        assert_eq!(caught("roles/{name}", "roles/-a", false), None);
        assert_eq!(caught("roles/{name}", "roles/a/b", false), None);
        assert_eq!(caught("roles/{name:any}", "roles/-a", false), one("name", "-a"));
        assert_eq!(caught("users/{name:at}", "users/a@b", false), one("name", "a@b"));
        assert_eq!(caught("config", "config", false), Some(vec![]));
        assert_eq!(caught("config", "config/", false), None);
    }

    #[test]
    fn a_listing_may_end_in_a_slash() {
        assert_eq!(caught("roles", "roles/", true), Some(vec![]));
        assert_eq!(caught("roles/{name}", "roles/a/", true), one("name", "a"));
        assert_eq!(caught("roles/{name}", "roles/a/", false), None);
    }

    #[test]
    fn the_rest_keeps_its_slash() {
        assert_eq!(caught("data/{path..}", "data/a/b", false), one("path", "a/b"));
        assert_eq!(caught("data/{path..}", "data/a/", false), one("path", "a/"));
        assert_eq!(caught("data/{path..}", "data", false), None);
        assert_eq!(caught("data/{path..?}", "data/", true), one("path", ""));
        assert_eq!(caught("{path..?}", "", true), one("path", ""));
        assert_eq!(caught("mounts/{path..}/tune", "mounts/a/b/tune", false), one("path", "a/b"));
        assert_eq!(caught("mounts/{path..}/tune", "mounts/tune", false), None);
    }
}
