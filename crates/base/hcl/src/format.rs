//! One way to lay out a text: two spaces a level, aligned `=`. Works on lines instead of the parsed document, so that
//! comments stay where they are and nothing is lost.

use crate::{ParseError, parse};

/// The canonical layout of HCL text; JSON is given back as it is.
///
/// Works on lines, so that comments stay where they are: indentation by depth, no space at line ends, at most one
/// blank line in a row, `=` of neighbouring attributes aligned. Lines inside heredocs and block comments are kept.
///
/// # Errors
/// If the text does not parse.
pub fn fmt(text: &str) -> Result<String, ParseError> {
    let document = parse(text)?;
    if document.is_json {
        return Ok(text.to_owned());
    }
    let mut lines = layout(text);
    align(&mut lines);
    Ok(join(&lines))
}

/// A line with its depth; `split` is where its ` = ` stands if it is a plain attribute.
struct Line {
    depth: usize,
    text: String,
    split: Option<usize>,
    verbatim: bool,
}

#[derive(Default)]
struct State {
    depth: usize,
    heredoc: Option<String>,
    in_comment: bool,
}

fn layout(text: &str) -> Vec<Line> {
    let mut state = State::default();
    text.lines().map(|raw| layout_line(raw, &mut state)).collect()
}

fn layout_line(raw: &str, state: &mut State) -> Line {
    if let Some(marker) = &state.heredoc {
        if raw.trim() == marker {
            state.heredoc = None;
        }
        return Line { depth: 0, text: raw.to_owned(), split: None, verbatim: true };
    }
    let was_comment = state.in_comment;
    let text = raw.trim();
    let before = state.depth;
    let scan = scan(text, state);
    if was_comment {
        return Line { depth: 0, text: raw.to_owned(), split: None, verbatim: true };
    }
    // A line that begins by closing what earlier lines opened stands where they stood.
    let depth = before - scan.leading_closers.min(before);
    let text = match scan.assign {
        Some(at) => format!("{} = {}", text[..at].trim_end(), text[at + 1..].trim_start()),
        None => text.to_owned(),
    };
    let split =
        scan.assign.map(|at| raw.trim()[..at].trim_end().len()).filter(|_| scan.flat && state.heredoc.is_none());
    Line { depth, text, split, verbatim: false }
}

struct Scan {
    /// Byte offset of the first `=` outside of everything.
    assign: Option<usize>,
    leading_closers: usize,
    /// Opens nothing that it does not close.
    flat: bool,
}

/// Follows strings, comments, braces and heredocs through one line.
fn scan(text: &str, state: &mut State) -> Scan {
    let start_depth = state.depth;
    let mut out = Scan { assign: None, leading_closers: 0, flat: true };
    let mut leading = true;
    let mut chars = text.char_indices().peekable();
    let mut braced = false;
    while let Some((at, c)) = chars.next() {
        let rest = &text[at..];
        if state.in_comment {
            if rest.starts_with("*/") {
                state.in_comment = false;
                chars.next();
            }
            continue;
        }
        match c {
            '#' => break,
            '/' if rest.starts_with("//") => break,
            '/' if rest.starts_with("/*") => {
                state.in_comment = true;
                chars.next();
            }
            '"' => {
                let end = at + string_len(rest);
                while chars.next_if(|(i, _)| *i < end).is_some() {}
            }
            '<' if rest.starts_with("<<") => {
                let marker = rest.trim_start_matches(['<', '-']);
                state.heredoc = Some(marker.to_owned());
                break;
            }
            '{' | '[' => {
                state.depth += 1;
                braced = true;
            }
            '}' | ']' => {
                state.depth = state.depth.saturating_sub(1);
                if leading {
                    out.leading_closers += 1;
                }
            }
            '=' if out.assign.is_none() && !braced => out.assign = Some(at),
            _ => {}
        }
        leading = leading && matches!(c, '}' | ']' | ',' | ' ');
    }
    out.flat = state.depth == start_depth && !state.in_comment;
    out
}

/// Bytes of the string literal that `text` begins with, quotes included.
fn string_len(text: &str) -> usize {
    let mut braces = 0usize;
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => {
                chars.next();
            }
            '"' if braces == 0 => return at + 1,
            '$' if braces == 0 && chars.next_if(|(_, c)| *c == '{').is_some() => braces = 1,
            '{' if braces > 0 => braces += 1,
            '}' if braces > 0 => braces -= 1,
            _ => {}
        }
    }
    text.len()
}

/// Pads the names of neighbouring attributes to one width.
fn align(lines: &mut [Line]) {
    let mut start = 0;
    while start < lines.len() {
        let depth = lines[start].depth;
        let run = lines[start..].iter().take_while(|l| l.split.is_some() && l.depth == depth).count();
        let width = lines[start..start + run].iter().filter_map(|l| l.split).max().unwrap_or(0);
        for line in &mut lines[start..start + run] {
            if let Some(at) = line.split {
                line.text.insert_str(at, &" ".repeat(width - at));
            }
        }
        start += run.max(1);
    }
}

fn join(lines: &[Line]) -> String {
    let mut out = String::new();
    let mut blank = true;
    for line in lines {
        if line.verbatim {
            out.push_str(&line.text);
        } else if line.text.is_empty() {
            if blank {
                continue;
            }
        } else {
            out.push_str(&"  ".repeat(line.depth));
            out.push_str(&line.text);
        }
        blank = !line.verbatim && line.text.is_empty();
        out.push('\n');
    }
    let kept = out.trim_end().len();
    out.truncate(kept);
    out.push('\n');
    out
}
