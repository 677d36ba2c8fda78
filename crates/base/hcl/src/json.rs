//! The JSON form of HCL: an object of items. Keys that come twice are repeated blocks unless refused.

use crate::cursor::Cursor;
use crate::parser::Seen;
use crate::{Duplicates, Item, Key, Kind, MAX_DEPTH, Object, ParseError, Pos, Value};

pub(crate) fn parse(text: &str, duplicates: Duplicates) -> Result<Object, ParseError> {
    let mut parser = Parser { cursor: Cursor::new(text), depth: 0, duplicates };
    parser.blank();
    let pos = parser.cursor.next_pos();
    parser.cursor.next();
    let object = parser.object(pos)?;
    parser.blank();
    match parser.cursor.peek() {
        None => Ok(object),
        Some(_) => Err(parser.unexpected("EOF")),
    }
}

struct Parser<'a> {
    cursor: Cursor<'a>,
    depth: usize,
    duplicates: Duplicates,
}

impl Parser<'_> {
    fn blank(&mut self) {
        self.cursor.take_while(|c| matches!(c, ' ' | '\t' | '\n' | '\r'));
    }

    fn unexpected(&self, expected: &str) -> ParseError {
        let got = match self.cursor.peek() {
            None => "EOF",
            Some('{') => "LBRACE",
            Some('}') => "RBRACE",
            Some('[') => "LBRACK",
            Some(']') => "RBRACK",
            Some(',') => "COMMA",
            Some(':') => "COLON",
            Some('"') => "STRING",
            Some('0'..='9' | '-') => "NUMBER",
            Some('t' | 'f') => "BOOL",
            Some('n') => "NULL",
            Some(_) => "ILLEGAL",
        };
        ParseError::json(self.cursor.next_pos(), format!("expected: {expected} got: {got}"))
    }

    fn expect(&mut self, c: char, word: &str) -> Result<Pos, ParseError> {
        self.blank();
        let pos = self.cursor.next_pos();
        if self.cursor.eat(c) { Ok(pos) } else { Err(self.unexpected(word)) }
    }

    fn enter(&mut self, pos: Pos) -> Result<(), ParseError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(ParseError::json(pos, format!("nested deeper than {MAX_DEPTH} levels")));
        }
        Ok(())
    }

    /// An object after its `{`.
    fn object(&mut self, pos: Pos) -> Result<Object, ParseError> {
        self.enter(pos)?;
        let mut items = Vec::new();
        let mut seen = Seen::default();
        self.blank();
        if !self.cursor.eat('}') {
            loop {
                let key_pos = self.expect('"', "STRING")?;
                let key = Key { text: self.string(key_pos)?, pos: key_pos, quoted: true };
                let assign = self.expect(':', "COLON")?;
                let item = Item { keys: vec![key], assign: Some(assign), value: self.value()? };
                if self.duplicates == Duplicates::Refuse {
                    seen.note(&item).map_err(|problem| ParseError::json(key_pos, problem))?;
                }
                items.push(item);
                self.blank();
                if self.cursor.eat('}') {
                    break;
                }
                self.expect(',', "COMMA")?;
            }
        }
        self.depth -= 1;
        Ok(Object { items, pos })
    }

    fn list(&mut self, pos: Pos) -> Result<Vec<Value>, ParseError> {
        self.enter(pos)?;
        let mut elements = Vec::new();
        self.blank();
        if !self.cursor.eat(']') {
            loop {
                elements.push(self.value()?);
                self.blank();
                if self.cursor.eat(']') {
                    break;
                }
                self.expect(',', "COMMA")?;
            }
        }
        self.depth -= 1;
        Ok(elements)
    }

    fn value(&mut self) -> Result<Value, ParseError> {
        self.blank();
        let pos = self.cursor.next_pos();
        let kind = match self.cursor.peek() {
            Some('{') => {
                self.cursor.next();
                Kind::Object(self.object(pos)?)
            }
            Some('[') => {
                self.cursor.next();
                Kind::List(self.list(pos)?)
            }
            Some('"') => {
                self.cursor.next();
                Kind::String(self.string(pos)?)
            }
            Some(_) => self.scalar(pos)?,
            None => return Err(self.unexpected("a value")),
        };
        Ok(Value { kind, pos })
    }

    fn scalar(&mut self, pos: Pos) -> Result<Kind, ParseError> {
        let mut probe = self.cursor.clone();
        let (text, _) = probe.take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
        let kind = match text {
            "true" => Kind::Bool(true),
            "false" => Kind::Bool(false),
            "null" => Kind::Null,
            _ if serde_json::from_str::<serde_json::Number>(text).is_ok() => Kind::Number(text.to_owned()),
            _ => return Err(ParseError::json(pos, self.unexpected("a value").to_string())),
        };
        self.cursor = probe;
        Ok(kind)
    }

    /// The rest of a string after its opening quote; its escapes are JSON's own.
    fn string(&mut self, pos: Pos) -> Result<String, ParseError> {
        let start = self.cursor.offset();
        loop {
            match self.cursor.next() {
                Some('"') => break,
                Some('\\') => {
                    self.cursor.next();
                }
                Some(_) => {}
                None => return Err(ParseError::json(pos, format!("{pos}: literal not terminated"))),
            }
        }
        let quoted = format!("\"{}", self.cursor.since(start));
        serde_json::from_str(&quoted).map_err(|_| ParseError::json(pos, format!("{pos}: illegal string")))
    }
}
