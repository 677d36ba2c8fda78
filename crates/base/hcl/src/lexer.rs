//! Text to tokens: comments skipped, strings unescaped, heredocs unindented. No grammar here (`parser`).

use crate::cursor::Cursor;
use crate::{ParseError, Pos};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    Eof,
    Ident(String),
    String(String),
    Heredoc(String),
    Number(String),
    Float(String),
    Bool(bool),
    Assign,
    Comma,
    LBrace,
    RBrace,
    LBrack,
    RBrack,
    /// A character that has no place in HCL, or a sign without a number.
    Other(char),
}

impl Token {
    /// The word for a token in error texts.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Eof => "EOF",
            Self::Ident(_) => "IDENT",
            Self::String(_) => "STRING",
            Self::Heredoc(_) => "HEREDOC",
            Self::Number(_) => "NUMBER",
            Self::Float(_) => "FLOAT",
            Self::Bool(_) => "BOOL",
            Self::Assign => "ASSIGN",
            Self::Comma => "COMMA",
            Self::LBrace => "LBRACE",
            Self::RBrace => "RBRACE",
            Self::LBrack => "LBRACK",
            Self::RBrack => "RBRACK",
            Self::Other('+') => "ADD",
            Self::Other('-') => "SUB",
            Self::Other('.') => "PERIOD",
            Self::Other(_) => "ILLEGAL",
        }
    }
}

pub(crate) struct Lexer<'a> {
    cursor: Cursor<'a>,
    /// Offset of the token read last.
    start: usize,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let mut cursor = Cursor::new(text);
        if cursor.peek() == Some('\u{feff}') {
            cursor.next();
        }
        Self { cursor, start: 0 }
    }

    /// The next token and where it begins.
    pub(crate) fn next(&mut self) -> Result<(Token, Pos), ParseError> {
        self.skip_blank()?;
        let pos = self.cursor.next_pos();
        let start = self.cursor.offset();
        self.start = start;
        let Some(c) = self.cursor.next() else {
            return Ok((Token::Eof, pos));
        };
        let token = match c {
            '=' => Token::Assign,
            ',' => Token::Comma,
            '{' => Token::LBrace,
            '}' => Token::RBrace,
            '[' => Token::LBrack,
            ']' => Token::RBrack,
            '"' => Token::String(self.string(pos)?),
            '<' if self.cursor.eat('<') => Token::Heredoc(self.heredoc(pos)?),
            '-' if self.cursor.peek().is_some_and(|c| c.is_ascii_digit()) => self.number(start, pos)?,
            c if c.is_ascii_digit() => self.number(start, pos)?,
            c if is_letter(c) => self.word(start),
            other => Token::Other(other),
        };
        Ok((token, pos))
    }

    /// Where in the text the token read last stands, in bytes.
    pub(crate) fn last_token(&self) -> std::ops::Range<usize> {
        self.start..self.cursor.offset()
    }

    /// White space and the three kinds of comments.
    fn skip_blank(&mut self) -> Result<(), ParseError> {
        loop {
            self.cursor.take_while(|c| matches!(c, ' ' | '\t' | '\n' | '\r'));
            let rest = self.cursor.rest();
            if rest.starts_with('#') || rest.starts_with("//") {
                self.cursor.take_while(|c| c != '\n');
            } else if rest.starts_with("/*") {
                self.block_comment()?;
            } else {
                return Ok(());
            }
        }
    }

    fn block_comment(&mut self) -> Result<(), ParseError> {
        let pos = self.cursor.next_pos();
        self.cursor.next();
        self.cursor.next();
        while let Some(c) = self.cursor.next() {
            if c == '*' && self.cursor.eat('/') {
                return Ok(());
            }
        }
        Err(ParseError::at(pos, "comment not terminated"))
    }

    fn word(&mut self, start: usize) -> Token {
        let (_, at_end) = self.cursor.take_while(|c| is_letter(c) || c.is_numeric() || c == '-' || c == '.');
        self.read_past(at_end);
        match self.cursor.since(start) {
            "true" => Token::Bool(true),
            "false" => Token::Bool(false),
            word => Token::Ident(word.to_owned()),
        }
    }

    fn number(&mut self, start: usize, pos: Pos) -> Result<Token, ParseError> {
        let (_, at_end) = self.cursor.take_while(|c| c.is_ascii_alphanumeric() || c == '.');
        // The sign of an exponent is the one place where a sign stands inside a number.
        let mut at_end = at_end;
        let so_far = self.cursor.since(start);
        if so_far.ends_with(['e', 'E']) && !is_hex(so_far) && matches!(self.cursor.peek(), Some('+' | '-')) {
            self.cursor.next();
            at_end = self.cursor.take_while(|c| c.is_ascii_digit()).1;
        }
        self.read_past(at_end);
        let text = self.cursor.since(start);
        if is_whole(text) {
            return Ok(Token::Number(text.to_owned()));
        }
        if is_decimal_fraction(text) {
            return Ok(Token::Float(text.to_owned()));
        }
        Err(ParseError::at(pos, format!("illegal number {text:?}")))
    }

    /// Words and numbers that end with the text have looked past its end, which shows in the place of `EOF`.
    fn read_past(&mut self, at_end: bool) {
        if at_end {
            self.cursor.next();
        }
    }

    /// The rest of a string after its opening quote. What stands in `${…}` is kept as written, quotes and all.
    fn string(&mut self, start: Pos) -> Result<String, ParseError> {
        let unterminated = || ParseError::at(start, "literal not terminated");
        let mut out = String::new();
        let mut braces = 0u32;
        loop {
            let c = self.cursor.next().ok_or_else(unterminated)?;
            match c {
                '\n' if braces == 0 => return Err(unterminated()),
                '"' if braces == 0 => return Ok(out),
                '\\' if braces == 0 => {
                    out.push(self.escape()?);
                    continue;
                }
                '\\' => {
                    out.push(c);
                    out.push(self.cursor.next().ok_or_else(unterminated)?);
                    continue;
                }
                '$' if braces == 0 && self.cursor.eat('{') => {
                    braces = 1;
                    out.push_str("${");
                    continue;
                }
                '{' if braces > 0 => braces += 1,
                '}' if braces > 0 => braces -= 1,
                _ => {}
            }
            out.push(c);
        }
    }

    fn escape(&mut self) -> Result<char, ParseError> {
        let pos = self.cursor.pos();
        let illegal = || ParseError::at(pos, "illegal char escape");
        let c = self.cursor.next().ok_or_else(illegal)?;
        let code = match c {
            'a' => return Ok('\u{7}'),
            'b' => return Ok('\u{8}'),
            'f' => return Ok('\u{c}'),
            'n' => return Ok('\n'),
            'r' => return Ok('\r'),
            't' => return Ok('\t'),
            'v' => return Ok('\u{b}'),
            '\\' | '"' => return Ok(c),
            '0'..='7' => {
                let first = c.to_digit(8).ok_or_else(illegal)?;
                first * 64 + self.digits(2, 8).ok_or_else(illegal)?
            }
            'x' => self.digits(2, 16).ok_or_else(illegal)?,
            'u' => self.digits(4, 16).ok_or_else(illegal)?,
            'U' => self.digits(8, 16).ok_or_else(illegal)?,
            _ => return Err(illegal()),
        };
        char::from_u32(code).ok_or_else(illegal)
    }

    fn digits(&mut self, count: u32, base: u32) -> Option<u32> {
        let mut value = 0u32;
        for _ in 0..count {
            let digit = self.cursor.peek()?.to_digit(base)?;
            self.cursor.next();
            value = value.checked_mul(base)?.checked_add(digit)?;
        }
        Some(value)
    }

    /// The rest of a heredoc after `<<`: the lines until one that holds only the marker.
    fn heredoc(&mut self, start: Pos) -> Result<String, ParseError> {
        let unterminated = || ParseError::at(start, "heredoc not terminated");
        let indented = self.cursor.eat('-');
        let (marker, _) = self.cursor.take_while(|c| is_letter(c) || c.is_numeric());
        self.cursor.eat('\r');
        if marker.is_empty() || !self.cursor.eat('\n') {
            return Err(ParseError::at(start, "invalid characters in heredoc anchor"));
        }
        let mut lines = Vec::new();
        loop {
            let (line, at_end) = self.cursor.take_while(|c| c != '\n');
            let bare = line.strip_suffix('\r').unwrap_or(line);
            let closes = if indented { bare.trim_start_matches([' ', '\t']) == marker } else { bare == marker };
            if closes {
                let margin = &bare[..bare.len() - marker.len()];
                return Ok(join_heredoc(&lines, margin));
            }
            if at_end {
                return Err(unterminated());
            }
            lines.push(line);
            self.cursor.next();
        }
    }
}

/// The lines with the closing marker's indentation taken off, provided that all of them have it.
fn join_heredoc(lines: &[&str], margin: &str) -> String {
    let all_have = lines.iter().all(|l| l.starts_with(margin));
    lines.iter().map(|l| if all_have { &l[margin.len()..] } else { l }).fold(String::new(), |mut out, l| {
        out.push_str(l);
        out.push('\n');
        out
    })
}

fn is_letter(c: char) -> bool {
    c == '_' || c.is_alphabetic()
}

fn is_hex(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.starts_with("0x") || digits.starts_with("0X")
}

fn is_whole(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) => !hex.is_empty() && hex.bytes().all(|b| b.is_ascii_hexdigit()),
        None => {
            let octal = digits.len() > 1 && digits.starts_with('0');
            digits.bytes().all(|b| if octal { matches!(b, b'0'..=b'7') } else { b.is_ascii_digit() })
        }
    }
}

fn is_decimal_fraction(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (number, exponent) = digits.split_once(['e', 'E']).unwrap_or((digits, "0"));
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    digits.contains(['.', 'e', 'E'])
        && [whole, fraction, exponent].iter().all(|d| !d.is_empty() && d.bytes().all(|b| b.is_ascii_digit()))
}
