//! One way to lay out a text.
//!
//! ```text
//! text ── pieces: tokens as written, and comments ──► tree: what gets lines of its own ──► print
//! ```
//!
//! The parsed document is not enough: it has no comments, and no spelling of strings and numbers.

mod pieces;
mod print;
mod tree;

use crate::{ParseError, parse};

/// The canonical layout of HCL text; JSON is given back as it is. What it means, and its comments, stay.
///
/// Two spaces a level; every item of an object on a line of its own, `{}` alone may be empty on one; an empty line
/// between items of the file, and in objects around items that take several lines or did not stand on neighbouring ones;
/// `=` and comments of neighbours aligned. Elements of a list stay on the line of its bracket if they were there, others
/// get one each. Commas between items go. Lines inside heredocs and block comments are kept; a comment in the middle of
/// an item moves above it.
///
/// # Errors
/// If the text does not parse.
pub fn fmt(text: &str) -> Result<String, ParseError> {
    let document = parse(text)?;
    if document.is_json {
        return Ok(text.to_owned());
    }
    let pieces = pieces::pieces(text)?;
    Ok(print::print(&tree::rows(&pieces)))
}

#[cfg(test)]
mod tests;
