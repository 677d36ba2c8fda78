//! Columns of text, four spaces apart; an empty cell says `n/a`.

const GLUE: &str = "    ";
const EMPTY: &str = "n/a";

/// Rows below a heading and a rule.
pub fn table<R: AsRef<[String]>>(heading: &[&str], rows: &[R]) -> String {
    let rule = heading.iter().map(|h| "-".repeat(h.len())).collect();
    let heading = heading.iter().map(|h| (*h).to_owned()).collect();
    let mut all: Vec<Vec<String>> = vec![heading, rule];
    all.extend(rows.iter().map(|row| row.as_ref().to_vec()));
    columns(&all)
}

/// Rows without a heading. The last cell of a row is not padded.
pub fn columns<R: AsRef<[String]>>(rows: &[R]) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        for (i, cell) in row.as_ref().iter().enumerate() {
            let width = shown(cell).chars().count();
            match widths.get_mut(i) {
                Some(known) => *known = width.max(*known),
                None => widths.push(width),
            }
        }
    }
    let lines: Vec<String> = rows.iter().map(|row| line(row.as_ref(), &widths)).collect();
    lines.join("\n")
}

fn line(row: &[String], widths: &[usize]) -> String {
    let mut out = String::new();
    for (i, (cell, width)) in row.iter().zip(widths).enumerate() {
        let cell = shown(cell);
        out.push_str(cell);
        if i + 1 < row.len() {
            out.push_str(&" ".repeat(width - cell.chars().count()));
            out.push_str(GLUE);
        }
    }
    out
}

fn shown(cell: &str) -> &str {
    let cell = cell.trim();
    if cell.is_empty() { EMPTY } else { cell }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_the_reference_prints_it() {
        let rows = [["x".to_owned(), "1".to_owned()], ["why".to_owned(), String::new()]];
        assert_eq!(table(&["Key", "Value"], &rows), "Key    Value\n---    -----\nx      1\nwhy    n/a");
    }
}
