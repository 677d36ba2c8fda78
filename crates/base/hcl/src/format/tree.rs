//! Pieces to rows: what stands on lines of its own. The text has been parsed before, so that its grammar holds.

use super::pieces::{Piece, What};

/// A comment or an item of an object, or of the file.
pub(super) enum Row<'a> {
    Comment {
        raw: &'a str,
        /// An empty line stood before it.
        apart: bool,
    },
    Item(Item<'a>),
}

pub(super) struct Item<'a> {
    pub(super) keys: Vec<&'a str>,
    pub(super) assign: bool,
    pub(super) value: Node<'a>,
    /// Comments behind it on its last line.
    pub(super) notes: Vec<&'a str>,
    pub(super) line: usize,
    pub(super) apart: bool,
}

pub(super) enum Node<'a> {
    Literal(&'a str),
    Heredoc(&'a str),
    Object(Vec<Row<'a>>),
    List(Vec<Entry<'a>>),
}

pub(super) enum Entry<'a> {
    Comment(&'a str),
    Element {
        value: Node<'a>,
        notes: Vec<&'a str>,
        /// It began on the line where the one before it, or the bracket, was.
        beside: bool,
    },
}

impl Node<'_> {
    /// It takes one line, and nothing but what is in it decides so.
    pub(super) fn is_one_line(&self) -> bool {
        match self {
            Node::Literal(raw) => !raw.contains('\n'),
            Node::Heredoc(_) => false,
            Node::Object(rows) => rows.is_empty(),
            Node::List(entries) => entries.iter().all(|entry| match entry {
                Entry::Comment(_) => false,
                Entry::Element { value, notes, beside } => *beside && notes.is_empty() && value.is_one_line(),
            }),
        }
    }
}

/// The rows of a whole file.
pub(super) fn rows<'a>(pieces: &'a [Piece<'a>]) -> Vec<Row<'a>> {
    Tree { pieces, at: 0 }.rows()
}

struct Tree<'a> {
    pieces: &'a [Piece<'a>],
    at: usize,
}

impl<'a> Tree<'a> {
    fn peek(&self) -> Option<Piece<'a>> {
        self.pieces.get(self.at).copied()
    }

    fn next(&mut self) -> Option<Piece<'a>> {
        let piece = self.peek();
        self.at += usize::from(piece.is_some());
        piece
    }

    fn next_if(&mut self, what: What) -> Option<Piece<'a>> {
        self.peek().filter(|piece| piece.what == what).and_then(|_| self.next())
    }

    /// The line of what was read last.
    fn line(&self) -> usize {
        self.at.checked_sub(1).and_then(|at| self.pieces.get(at)).map_or(0, |piece| piece.lines.1)
    }

    fn is_apart(&self, piece: &Piece<'a>) -> bool {
        self.at > 0 && piece.lines.0 > self.line() + 1
    }

    /// Until a closing brace, which is left, or the end.
    fn rows(&mut self) -> Vec<Row<'a>> {
        let mut rows = Vec::new();
        while let Some(piece) = self.peek() {
            let apart = self.is_apart(&piece);
            match piece.what {
                What::CloseBrace => break,
                What::Comma => drop(self.next()),
                What::Comment => {
                    self.next();
                    rows.push(Row::Comment { raw: piece.raw, apart });
                }
                _ => self.item(apart, piece.lines.0, &mut rows),
            }
        }
        rows
    }

    /// Comments between its keys and before its value get rows of their own above it.
    fn item(&mut self, apart: bool, line: usize, rows: &mut Vec<Row<'a>>) {
        let mut apart = apart;
        let (mut keys, mut assign) = (Vec::new(), false);
        let value = loop {
            let Some(piece) = self.next() else { return };
            match piece.what {
                What::Comment => {
                    rows.push(Row::Comment { raw: piece.raw, apart });
                    apart = false;
                }
                What::Assign => assign = true,
                What::Word if !assign => keys.push(piece.raw),
                _ => break self.value(piece),
            }
        };
        let notes = self.notes(&value);
        rows.push(Row::Item(Item { keys, assign, value, notes, line, apart }));
    }

    fn value(&mut self, first: Piece<'a>) -> Node<'a> {
        match first.what {
            What::Heredoc => Node::Heredoc(first.raw),
            What::OpenBrace => {
                let rows = self.rows();
                self.next_if(What::CloseBrace);
                Node::Object(rows)
            }
            What::OpenBracket => Node::List(self.entries()),
            _ => Node::Literal(first.raw),
        }
    }

    fn entries(&mut self) -> Vec<Entry<'a>> {
        let mut entries = Vec::new();
        let mut all_beside = true;
        // Commas do not count as what stands before an element.
        let mut line = self.line();
        while let Some(piece) = self.next() {
            match piece.what {
                What::CloseBracket => break,
                What::Comma => {}
                What::Comment => entries.push(Entry::Comment(piece.raw)),
                _ => {
                    all_beside = all_beside && piece.lines.0 == line;
                    let value = self.value(piece);
                    line = self.line();
                    let notes = self.notes(&value);
                    entries.push(Entry::Element { value, notes, beside: all_beside });
                }
            }
        }
        entries
    }

    /// The comments behind a value on its last line, before or behind the comma; the comma goes with them.
    fn notes(&mut self, value: &Node<'a>) -> Vec<&'a str> {
        let mut notes = Vec::new();
        if matches!(value, Node::Heredoc(_)) {
            return notes;
        }
        let line = self.line();
        while let Some(piece) = self.peek() {
            let is_note = piece.what == What::Comment && piece.lines == (line, line);
            if is_note {
                notes.push(piece.raw);
            } else if piece.what != What::Comma {
                break;
            }
            self.next();
        }
        notes
    }
}
