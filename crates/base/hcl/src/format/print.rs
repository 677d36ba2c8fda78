//! Rows to text: two spaces a level, an object's items on lines of their own, neighbours aligned.

use super::tree::{Entry, Item, Node, Row};

/// The whole file.
pub(super) fn print(rows: &[Row<'_>]) -> String {
    let mut out = Printer { out: String::new() };
    out.rows(rows, 0);
    if rows.is_empty() {
        out.out.push('\n');
    }
    out.out
}

struct Printer {
    out: String,
}

/// How wide neighbours make each other's keys and values.
#[derive(Clone, Copy, Default)]
struct Widths {
    key: usize,
    value: usize,
}

impl Printer {
    fn rows(&mut self, rows: &[Row<'_>], depth: usize) {
        let mut start = 0;
        while start < rows.len() {
            // Neighbours without an empty line between them; in the file itself items have none.
            let more = rows[start..].windows(2).take_while(|pair| !is_apart(&pair[0], &pair[1], depth)).count();
            let group = &rows[start..=start + more];
            let widths = widths(group);
            for row in group {
                self.indent(depth);
                match row {
                    Row::Comment { raw, .. } => self.out.push_str(raw),
                    Row::Item(item) => self.item(item, widths, depth),
                }
                self.out.push('\n');
            }
            start += group.len();
            if start < rows.len() {
                self.out.push('\n');
            }
        }
    }

    fn item(&mut self, item: &Item<'_>, widths: Widths, depth: usize) {
        self.out.push_str(&item.keys.join(" "));
        if item.assign {
            let padding = if is_aligned(item) { widths.key - key_width(item) } else { 0 };
            self.out.push_str(&" ".repeat(padding));
            self.out.push_str(" =");
        }
        self.out.push(' ');
        let before = self.out.len();
        self.value(&item.value, depth);
        if !item.notes.is_empty() && is_aligned(item) {
            let padding = widths.value.saturating_sub(self.out.len() - before);
            self.out.push_str(&" ".repeat(padding));
        }
        self.notes(&item.notes);
    }

    fn value(&mut self, value: &Node<'_>, depth: usize) {
        match value {
            Node::Literal(raw) | Node::Heredoc(raw) => self.out.push_str(raw),
            Node::Object(rows) if rows.is_empty() => self.out.push_str("{}"),
            Node::Object(rows) => {
                self.out.push_str("{\n");
                self.rows(rows, depth + 1);
                self.indent(depth);
                self.out.push('}');
            }
            Node::List(entries) => self.list(entries, depth),
        }
    }

    /// Elements stay on the line of the bracket if they were there; others get lines of their own. Comments, and
    /// heredocs, whose last line must be theirs, put all of them on lines of their own.
    fn list(&mut self, entries: &[Entry<'_>], depth: usize) {
        let spread = entries.iter().any(|entry| match entry {
            Entry::Comment(_) => true,
            Entry::Element { value, notes, .. } => !notes.is_empty() || matches!(value, Node::Heredoc(_)),
        });
        self.out.push('[');
        let mut is_beside = true;
        for (index, entry) in entries.iter().enumerate() {
            is_beside = matches!(entry, Entry::Element { beside: true, .. }) && !spread;
            if is_beside {
                self.out.push_str(if index == 0 { "" } else { " " });
            } else {
                self.line(depth + 1);
            }
            match entry {
                Entry::Comment(raw) => self.out.push_str(raw),
                Entry::Element { value, notes, .. } => {
                    self.value(value, if is_beside { depth } else { depth + 1 });
                    if matches!(value, Node::Heredoc(_)) {
                        self.line(depth + 1);
                    }
                    if !is_beside || index + 1 < entries.len() {
                        self.out.push(',');
                    }
                    self.notes(notes);
                }
            }
        }
        if !is_beside {
            self.line(depth);
        }
        self.out.push(']');
    }

    fn notes(&mut self, notes: &[&str]) {
        for note in notes {
            self.out.push(' ');
            self.out.push_str(note);
        }
    }

    fn line(&mut self, depth: usize) {
        self.out.push('\n');
        self.indent(depth);
    }

    fn indent(&mut self, depth: usize) {
        self.out.push_str(&"  ".repeat(depth));
    }
}

/// Whether an empty line parts two rows. Items are neighbours only if each takes one line and the lines were next to
/// each other; comments stay as near to what follows as they were.
fn is_apart(before: &Row<'_>, row: &Row<'_>, depth: usize) -> bool {
    match (before, row) {
        (Row::Comment { .. }, Row::Comment { apart, .. } | Row::Item(Item { apart, .. })) => *apart,
        (Row::Item(_), Row::Comment { .. }) => true,
        (Row::Item(before), Row::Item(item)) => {
            depth == 0 || !is_line(before) || !is_line(item) || item.line != before.line + 1
        }
    }
}

fn is_line(item: &Item<'_>) -> bool {
    item.value.is_one_line() && item.keys.iter().all(|key| !key.contains('\n'))
}

fn is_aligned(item: &Item<'_>) -> bool {
    item.assign && item.keys.len() == 1 && is_line(item)
}

fn key_width(item: &Item<'_>) -> usize {
    item.keys.iter().map(|key| key.len()).sum()
}

fn widths(group: &[Row<'_>]) -> Widths {
    let mut widths = Widths::default();
    for row in group {
        if let Row::Item(item) = row
            && is_aligned(item)
        {
            let mut value = Printer { out: String::new() };
            value.value(&item.value, 0);
            widths.key = widths.key.max(key_width(item));
            widths.value = widths.value.max(value.out.len());
        }
    }
    widths
}
