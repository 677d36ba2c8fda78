//! What notes that users keep beside their things may be made of.

/// Letters, marks, numbers, punctuation, symbols and the ASCII space.
#[must_use]
pub fn is_printable(c: char) -> bool {
    match c {
        ' ' | '"' | '\'' | '\\' => true,
        c if c.is_whitespace() => false,
        // Behind another character a combining mark is printed as it is; alone it would be escaped like a control.
        c => String::from_iter(['a', c]).escape_debug().count() == 2,
    }
}
