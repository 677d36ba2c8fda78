//! Text to pieces that keep what the parser has no use for: comments, and each token as it was written.

use crate::ParseError;
use crate::lexer::{Lexer, Token};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A key or a literal.
    Word,
    /// A literal whose last line must hold nothing else.
    Heredoc,
    Comment,
    Assign,
    Comma,
    OpenBrace,
    CloseBrace,
    OpenBracket,
    CloseBracket,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Piece<'a> {
    pub(super) what: What,
    pub(super) raw: &'a str,
    /// First and last line, counted from 0.
    pub(super) lines: (usize, usize),
}

/// All pieces of a text that parses.
///
/// # Errors
/// As the lexer.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece<'_>>, ParseError> {
    let mut lexer = Lexer::new(text);
    let mut out = Pieces { text, at: 0, line: 0, found: Vec::new() };
    loop {
        let (token, _) = lexer.next()?;
        let range = lexer.last_token();
        out.comments(range.start);
        let what = match token {
            Token::Eof => return Ok(out.found),
            Token::Heredoc(_) => What::Heredoc,
            Token::Assign => What::Assign,
            Token::Comma => What::Comma,
            Token::LBrace => What::OpenBrace,
            Token::RBrace => What::CloseBrace,
            Token::LBrack => What::OpenBracket,
            Token::RBrack => What::CloseBracket,
            _ => What::Word,
        };
        out.push(what, range.end);
    }
}

struct Pieces<'a> {
    text: &'a str,
    /// Everything before this offset, which is on this line, has been dealt with.
    at: usize,
    line: usize,
    found: Vec<Piece<'a>>,
}

impl Pieces<'_> {
    /// Everything up to `end` is one piece.
    fn push(&mut self, what: What, end: usize) {
        let raw = &self.text[self.at..end];
        let raw = if what == What::Comment { raw.trim_end() } else { raw };
        let last = self.line + raw.matches('\n').count();
        self.found.push(Piece { what, raw, lines: (self.line, last) });
        self.at += raw.len();
        self.line = last;
    }

    /// What stands before the next token: white space and comments.
    fn comments(&mut self, end: usize) {
        while self.at < end {
            let rest = &self.text[self.at..end];
            if let Some(inside) = rest.strip_prefix("/*") {
                let length = inside.find("*/").map_or(rest.len(), |at| at + 4);
                self.push(What::Comment, self.at + length);
            } else if rest.starts_with(['#', '/']) {
                let length = rest.find('\n').unwrap_or(rest.len());
                self.push(What::Comment, self.at + length);
            } else {
                let c = rest.chars().next().unwrap_or_default();
                self.line += usize::from(c == '\n');
                self.at += c.len_utf8().max(1);
            }
        }
    }
}
