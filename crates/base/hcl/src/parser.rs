//! The grammar of HCL 1: lists of items, each a key with a value or a block with labels.

use crate::lexer::{Lexer, Token};
use crate::{Duplicates, Item, Key, Kind, MAX_DEPTH, Object, ParseError, Pos, Value};
use std::collections::HashSet;

pub(crate) fn parse(text: &str, duplicates: Duplicates) -> Result<Object, ParseError> {
    let mut parser = Parser { lexer: Lexer::new(text), ahead: None, depth: 0, duplicates };
    let items = parser.items(Inside::File)?;
    Ok(Object { items, pos: Pos { line: 1, column: 1 } })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    File,
    Braces,
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    ahead: Option<(Token, Pos)>,
    depth: usize,
    duplicates: Duplicates,
}

/// What ended a run of keys.
enum After {
    Assign(Pos),
    Brace(Pos),
    End,
    /// Something else, at that place: the keys have no value.
    Nothing(Pos),
}

impl Parser<'_> {
    fn next(&mut self) -> Result<(Token, Pos), ParseError> {
        match self.ahead.take() {
            Some(token) => Ok(token),
            None => self.lexer.next(),
        }
    }

    fn peek(&mut self) -> Result<&Token, ParseError> {
        if self.ahead.is_none() {
            self.ahead = Some(self.lexer.next()?);
        }
        Ok(self.ahead.as_ref().map_or(&Token::Eof, |(token, _)| token))
    }

    fn items(&mut self, inside: Inside) -> Result<Vec<Item>, ParseError> {
        let mut items: Vec<Item> = Vec::new();
        let mut seen = Seen::default();
        loop {
            if inside == Inside::Braces && *self.peek()? == Token::RBrace {
                return Ok(items);
            }
            let Some(item) = self.item()? else {
                return Ok(items);
            };
            if self.duplicates == Duplicates::Refuse {
                seen.note(&item).map_err(|problem| ParseError::at(item.pos(), problem))?;
            }
            items.push(item);
            if *self.peek()? == Token::Comma {
                self.next()?;
            }
        }
    }

    /// One item; `None` at the end of the text.
    fn item(&mut self) -> Result<Option<Item>, ParseError> {
        let (keys, after) = self.keys()?;
        let (assign, value) = match after {
            After::End => return Ok(None),
            After::Assign(pos) => (Some(pos), self.value(&keys)?),
            After::Brace(pos) => (None, self.braces(pos)?),
            After::Nothing(pos) => {
                let names: Vec<String> =
                    keys.iter().map(|k| if k.quoted { format!("{:?}", k.text) } else { k.text.clone() }).collect();
                let problem = format!("key '{}' expected start of object ('{{') or assignment ('=')", names.join(" "));
                return Err(ParseError::at(pos, problem));
            }
        };
        if let (Some(pos), true, false) = (assign, keys.len() > 1, matches!(value.kind, Kind::Object(_))) {
            return Err(ParseError::at(pos, "nested object expected: LBRACE got: ASSIGN"));
        }
        Ok(Some(Item { keys, assign, value }))
    }

    fn keys(&mut self) -> Result<(Vec<Key>, After), ParseError> {
        let mut keys = Vec::new();
        loop {
            let (token, pos) = self.next()?;
            let quoted = matches!(token, Token::String(_));
            match token {
                Token::Ident(text) | Token::String(text) => keys.push(Key { text, pos, quoted }),
                Token::Eof if keys.is_empty() => return Ok((keys, After::End)),
                Token::Eof => return Ok((keys, After::Nothing(pos))),
                Token::RBrace if !keys.is_empty() => return Ok((keys, After::Nothing(pos))),
                Token::Assign if keys.is_empty() => return Err(ParseError::at(pos, "no object keys found!")),
                Token::Assign => return Ok((keys, After::Assign(pos))),
                Token::LBrace if keys.is_empty() => {
                    return Err(ParseError::at(pos, "expected: IDENT | STRING got: LBRACE"));
                }
                Token::LBrace => return Ok((keys, After::Brace(pos))),
                other if other.word() == "ILLEGAL" => return Err(ParseError::at(pos, "illegal character")),
                other => {
                    let problem = format!("expected: IDENT | STRING | ASSIGN | LBRACE got: {}", other.word());
                    return Err(ParseError::at(pos, problem));
                }
            }
        }
    }

    fn value(&mut self, keys: &[Key]) -> Result<Value, ParseError> {
        let (token, pos) = self.next()?;
        match token {
            Token::LBrace => self.braces(pos),
            Token::LBrack => self.list(pos),
            Token::Eof => {
                let name = keys.first().map_or("", |k| &k.text);
                Err(ParseError::at(pos, format!("key '{name}' expected a value got: EOF")))
            }
            token => literal(token, pos).map_err(|token| {
                ParseError::at(pos, format!("Unknown token: {pos} {} {}", token.word(), text(&token)))
            }),
        }
    }

    /// An object after its `{`.
    fn braces(&mut self, pos: Pos) -> Result<Value, ParseError> {
        self.enter(pos)?;
        let items = self.items(Inside::Braces)?;
        let (token, end) = self.next()?;
        if token != Token::RBrace {
            return Err(ParseError::at(end, format!("object expected closing RBRACE got: {}", token.word())));
        }
        self.depth -= 1;
        Ok(Value { kind: Kind::Object(Object { items, pos }), pos })
    }

    /// A list after its `[`. Commas part elements; several of them, or one at the end, are fine.
    fn list(&mut self, start: Pos) -> Result<Value, ParseError> {
        self.enter(start)?;
        let mut elements = Vec::new();
        let mut need_comma = false;
        loop {
            let (token, pos) = self.next()?;
            match token {
                Token::RBrack => break,
                Token::Comma => {
                    need_comma = false;
                    continue;
                }
                other if need_comma => {
                    let problem = format!("error parsing list, expected comma or list end, got: {}", other.word());
                    return Err(ParseError::at(pos, problem));
                }
                Token::LBrace => elements.push(self.braces(pos)?),
                Token::LBrack => elements.push(self.list(pos)?),
                other => elements.push(literal(other, pos).map_err(|token| {
                    ParseError::at(pos, format!("unexpected token while parsing list: {}", token.word()))
                })?),
            }
            need_comma = true;
        }
        self.depth -= 1;
        Ok(Value { kind: Kind::List(elements), pos: start })
    }

    fn enter(&mut self, pos: Pos) -> Result<(), ParseError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(ParseError::at(pos, format!("nested deeper than {MAX_DEPTH} levels")));
        }
        Ok(())
    }
}

fn literal(token: Token, pos: Pos) -> Result<Value, Token> {
    let kind = match token {
        Token::String(text) | Token::Heredoc(text) => Kind::String(text),
        Token::Number(text) | Token::Float(text) => Kind::Number(text),
        Token::Bool(value) => Kind::Bool(value),
        other => return Err(other),
    };
    Ok(Value { kind, pos })
}

fn text(token: &Token) -> String {
    match token {
        Token::Ident(text) => text.clone(),
        Token::Other(c) => c.to_string(),
        Token::Assign => "=".into(),
        Token::Comma => ",".into(),
        Token::RBrace => "}".into(),
        Token::RBrack => "]".into(),
        _ => String::new(),
    }
}

/// The names set so far in one object, for [`Duplicates::Refuse`].
#[derive(Default)]
pub(crate) struct Seen {
    attributes: HashSet<String>,
    blocks: HashSet<String>,
}

impl Seen {
    /// Blocks may repeat; an attribute may neither repeat nor share its name with a block.
    pub(crate) fn note(&mut self, item: &Item) -> Result<(), String> {
        let name = item.name();
        let is_attribute = item.assign.is_some() && item.keys.len() == 1;
        let taken = self.attributes.contains(name) || (is_attribute && self.blocks.contains(name));
        if taken {
            let pos = item.pos();
            return Err(format!(
                "The argument {name:?} at {pos} was already set. Each argument can only be defined once"
            ));
        }
        let names = if is_attribute { &mut self.attributes } else { &mut self.blocks };
        names.insert(name.to_owned());
        Ok(())
    }
}
