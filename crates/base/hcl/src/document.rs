//! The parsed document: ordered items with their places in the text. Typed access is next door (`access`).

use std::fmt;

/// Line and column, both counted from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Pos {
    pub line: u32,
    pub column: u32,
}

impl fmt::Display for Pos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    pub body: Object,
    pub is_json: bool,
}

/// Items in the order of the text; keys may repeat.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Object {
    pub items: Vec<Item>,
    pub pos: Pos,
}

/// `key = value`, or a block `key "label" { … }` with all its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Never empty.
    pub keys: Vec<Key>,
    /// Where the `=` (JSON: `:`) is; blocks have none.
    pub assign: Option<Pos>,
    pub value: Value,
}

impl Item {
    /// The first key: the name of the attribute or block.
    pub fn name(&self) -> &str {
        self.keys.first().map_or("", |k| &k.text)
    }

    pub fn pos(&self) -> Pos {
        self.keys.first().map_or(self.value.pos, |k| k.pos)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub text: String,
    pub pos: Pos,
    /// Written in quotes; kept for formatting.
    pub quoted: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    pub kind: Kind,
    pub pos: Pos,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    Object(Object),
    List(Vec<Value>),
    String(String),
    /// As written: `10`, `0x1F`, `1.5e3`, `-2`.
    Number(String),
    Bool(bool),
    /// Only JSON has it; typed access takes it for an absent key.
    Null,
}
