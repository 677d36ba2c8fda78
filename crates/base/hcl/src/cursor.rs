//! Characters with their places. Shared by the lexer and the JSON parser.

use crate::Pos;

#[derive(Clone)]
pub(crate) struct Cursor<'a> {
    text: &'a str,
    /// Byte offset of the next character.
    offset: usize,
    /// The place of the character read last; column 0 right after a line feed.
    pos: Pos,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, offset: 0, pos: Pos { line: 1, column: 0 } }
    }

    pub(crate) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// The next character. Reading past the end moves the column on, since upstream's positions of `EOF` do.
    pub(crate) fn next(&mut self) -> Option<char> {
        let c = self.peek();
        self.pos.column = self.pos.column.saturating_add(1);
        if let Some(c) = c {
            self.offset += c.len_utf8();
            if c == '\n' {
                self.pos = Pos { line: self.pos.line.saturating_add(1), column: 0 };
            }
        }
        c
    }

    pub(crate) fn eat(&mut self, c: char) -> bool {
        let hit = self.peek() == Some(c);
        if hit {
            self.next();
        }
        hit
    }

    /// Reads while `keep` holds. `at_end` says whether the end of the text was what stopped it.
    pub(crate) fn take_while(&mut self, keep: impl Fn(char) -> bool) -> (&'a str, bool) {
        let start = self.offset;
        while self.peek().is_some_and(&keep) {
            self.next();
        }
        (&self.text[start..self.offset], self.offset == self.text.len())
    }

    pub(crate) fn rest(&self) -> &'a str {
        &self.text[self.offset..]
    }

    pub(crate) fn offset(&self) -> usize {
        self.offset
    }

    pub(crate) fn since(&self, start: usize) -> &'a str {
        &self.text[start..self.offset]
    }

    pub(crate) fn pos(&self) -> Pos {
        self.pos
    }

    /// The place of the character that comes next.
    pub(crate) fn next_pos(&self) -> Pos {
        Pos { line: self.pos.line, column: self.pos.column.saturating_add(1) }
    }
}
