//! HCL 1: the language of policies and of the server's configuration file, and its JSON form.
//!
//! ```text
//! text ── lexer ──► tokens ── parser ──► Document ──► typed access (`Object::string`, `Object::blocks`, …)
//!    └─ begins with `{` ── json ────────────┘
//! ```
//!
//! Here: syntax, spans, one limit on nesting, typed access that names key and line when it fails. Not here: what a
//! key means (see `rules/policy` and the configuration of the binary), files, includes, HCL 2 expressions.

mod access;
mod cursor;
mod document;
mod error;
mod format;
mod json;
mod lexer;
mod parser;

pub use access::{Block, check_keys};
pub use document::{Document, Item, Key, Kind, Object, Pos, Value};
pub use error::{AccessError, ParseError, UnknownKeys};
pub use format::fmt;

/// Deepest nesting of objects and lists; both parsers recurse, so that this bounds their stack.
pub const MAX_DEPTH: usize = 64;

/// What a key that is set twice in one object means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duplicates {
    /// An error. For policies: a reviewer must not read one rule while the server applies another.
    Refuse,
    /// Repeated blocks, kept in order. For configuration, where `listener` may come twice even in JSON.
    Repeat,
}

/// Parses HCL, or JSON if the first character is `{`, with repeated keys kept as repeated blocks.
///
/// # Errors
/// [`ParseError`] with line and column.
pub fn parse(text: &str) -> Result<Document, ParseError> {
    parse_with(text, Duplicates::Repeat)
}

/// As [`parse`], but says what a key that is set twice means. Blocks (`path "a" { }`) may always repeat.
///
/// # Errors
/// [`ParseError`] with line and column.
pub fn parse_with(text: &str, duplicates: Duplicates) -> Result<Document, ParseError> {
    let is_json = text.trim_start().starts_with('{');
    let body = if is_json { json::parse(text, duplicates)? } else { parser::parse(text, duplicates)? };
    Ok(Document { body, is_json })
}

#[cfg(test)]
mod tests;
