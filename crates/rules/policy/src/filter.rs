//! `list_scan_response_keys_filter_path`: a small template that turns a key of a list into the path whose rights decide
//! whether the key is shown. Only what rules need: `.path`, `.key`, texts, and `replace`, `lowercase`, `uppercase`.

use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFilter {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Pipe(Start, Vec<Step>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Start {
    Path,
    Key,
    Text(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Replace(String, String),
    Lower,
    Upper,
}

/// The part of the template that is not understood. Refused rather than ignored: without the filter all keys show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotUnderstood(String);

impl fmt::Display for NotUnderstood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "template {:?} is not understood", self.0)
    }
}

impl KeyFilter {
    pub(crate) fn parse(text: &str) -> Result<Self, NotUnderstood> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, tail)) = rest.split_once("{{") {
            let (inner, after) = tail.split_once("}}").ok_or_else(|| NotUnderstood(text.to_owned()))?;
            pieces.push(Piece::Text(before.to_owned()));
            pieces.push(parse_pipe(inner).ok_or_else(|| NotUnderstood(inner.trim().to_owned()))?);
            rest = after;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Ok(Self { pieces })
    }

    /// The path for `key` in a list of `path`, which is taken with its slash at the end.
    pub fn render(&self, path: &str, key: &str) -> String {
        let mut out = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Pipe(start, steps) => {
                    let start = match start {
                        Start::Path if path.ends_with('/') || path.is_empty() => path.to_owned(),
                        Start::Path => format!("{path}/"),
                        Start::Key => key.to_owned(),
                        Start::Text(text) => text.clone(),
                    };
                    out.push_str(&steps.iter().fold(start, |value, step| step.apply(&value)));
                }
            }
        }
        out
    }
}

impl Step {
    fn apply(&self, value: &str) -> String {
        match self {
            Self::Replace(from, to) => value.replace(from, to),
            Self::Lower => value.to_lowercase(),
            Self::Upper => value.to_uppercase(),
        }
    }
}

fn parse_pipe(text: &str) -> Option<Piece> {
    let mut stages = stages(text)?.into_iter();
    let start = match stages.next()?.as_slice() {
        [Word::Bare(word)] if word == ".path" => Start::Path,
        [Word::Bare(word)] if word == ".key" => Start::Key,
        [Word::Quoted(text)] => Start::Text(text.clone()),
        _ => return None,
    };
    let steps = stages.map(|stage| parse_step(&stage)).collect::<Option<_>>()?;
    Some(Piece::Pipe(start, steps))
}

fn parse_step(words: &[Word]) -> Option<Step> {
    match words {
        [Word::Bare(f), Word::Quoted(from), Word::Quoted(to)] if f == "replace" && !from.is_empty() => {
            Some(Step::Replace(from.clone(), to.clone()))
        }
        [Word::Bare(f)] if f == "lowercase" => Some(Step::Lower),
        [Word::Bare(f)] if f == "uppercase" => Some(Step::Upper),
        _ => None,
    }
}

enum Word {
    Bare(String),
    Quoted(String),
}

/// Words between the bars of a pipe.
fn stages(text: &str) -> Option<Vec<Vec<Word>>> {
    let mut stages = vec![Vec::new()];
    let mut rest = text.trim_matches('-').trim();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('|') {
            stages.push(Vec::new());
            rest = after.trim_start();
            continue;
        }
        let (word, after) = if rest.starts_with('"') { quoted(rest)? } else { bare(rest) };
        stages.last_mut()?.push(word);
        rest = after.trim_start();
    }
    Some(stages)
}

fn bare(text: &str) -> (Word, &str) {
    let end = text.find([' ', '\t', '|', '"']).unwrap_or(text.len());
    (Word::Bare(text[..end].to_owned()), &text[end..])
}

fn quoted(text: &str) -> Option<(Word, &str)> {
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<String>();
    let word = stream.next()?.ok()?;
    let end = stream.byte_offset();
    Some((Word::Quoted(word), &text[end..]))
}
