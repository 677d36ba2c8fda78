//! What `operator diagnose` found, and how it is shown. Not here: the looking itself, which the binary does.

use bulla_client::Json;

use crate::{output::wrap, ui::Ui};

/// How a check came out, from best to worst; a check is as bad as the worst of its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    Fine,
    /// Not looked at; the message says why.
    Skipped,
    /// A server would start, but somebody should look at it.
    Doubtful,
    /// A server would not start, or not serve.
    Broken,
}

/// One check, with the checks it consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    pub name: String,
    pub verdict: Verdict,
    /// What was found; may be empty.
    pub message: String,
    /// What to do about it; may be empty.
    pub advice: String,
    pub parts: Vec<Check>,
}

impl Check {
    pub fn new(name: &str, verdict: Verdict, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name: name.to_owned(), verdict, message: message.into(), advice: advice.into(), parts: Vec::new() }
    }

    pub fn fine(name: &str, message: impl Into<String>) -> Self {
        Self::new(name, Verdict::Fine, message, "")
    }

    pub fn skipped(name: &str, why: impl Into<String>) -> Self {
        Self::new(name, Verdict::Skipped, why, "")
    }

    pub fn doubtful(name: &str, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(name, Verdict::Doubtful, message, advice)
    }

    pub fn broken(name: &str, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(name, Verdict::Broken, message, advice)
    }

    /// A check that is its parts; without any it was skipped.
    pub fn of(name: &str, parts: Vec<Self>) -> Self {
        let worst = parts.iter().map(|part| part.verdict).filter(|v| *v != Verdict::Skipped).max();
        Self { parts, ..Self::new(name, worst.unwrap_or(Verdict::Skipped), "", "") }
    }

    /// 0 fine, 1 broken, 2 doubtful.
    pub const fn exit_code(&self) -> u8 {
        match self.verdict {
            Verdict::Fine | Verdict::Skipped => 0,
            Verdict::Broken => 1,
            Verdict::Doubtful => 2,
        }
    }
}

impl Verdict {
    const fn word(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::Skipped => "skipped",
            Self::Doubtful => "warn",
            Self::Broken => "fail",
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::Fine => "[ success ]",
            Self::Skipped => "[ skipped ]",
            Self::Doubtful => "[ warning ]",
            Self::Broken => "[ failure ]",
        }
    }

    /// Green, blue, yellow, red.
    const fn colour(self) -> u8 {
        match self {
            Self::Fine => 32,
            Self::Skipped => 34,
            Self::Doubtful => 33,
            Self::Broken => 31,
        }
    }
}

/// Indented lines, with advice below what it is about.
pub(crate) fn text(check: &Check, ui: &Ui) -> String {
    let mut lines = Vec::new();
    add_text(check, 0, ui, &mut lines);
    lines.join("\n")
}

fn add_text(check: &Check, depth: usize, ui: &Ui, lines: &mut Vec<String>) {
    let indent = " ".repeat(depth * 2);
    let label = ui.coloured(check.verdict.label(), check.verdict.colour());
    let colon = if check.message.is_empty() { "" } else { ": " };
    lines.push(format!("{indent}{label} {}{colon}{}", check.name, check.message));
    if !check.advice.is_empty() {
        lines.push(wrap(&check.advice, depth * 2 + 4));
    }
    check.parts.iter().for_each(|part| add_text(part, depth + 1, ui, lines));
}

/// Members without a value are left out.
pub(crate) fn json(check: &Check) -> Json {
    let mut json = Json::object([("name", Json::text(&check.name)), ("status", Json::text(check.verdict.word()))]);
    for (name, value) in [("message", &check.message), ("advice", &check.advice)] {
        if !value.is_empty() {
            json.set(name, Json::text(value));
        }
    }
    if !check.parts.is_empty() {
        json.set("children", Json::List(check.parts.iter().map(self::json).collect()));
    }
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_as_bad_as_the_worst_part() {
        let part = |verdict| Check::new("part", verdict, "", "");
        let whole = |verdicts: &[Verdict]| Check::of("all", verdicts.iter().copied().map(part).collect());
        for (parts, verdict, code) in [
            (&[][..], Verdict::Skipped, 0),
            (&[Verdict::Skipped], Verdict::Skipped, 0),
            (&[Verdict::Skipped, Verdict::Fine], Verdict::Fine, 0),
            (&[Verdict::Fine, Verdict::Doubtful, Verdict::Skipped], Verdict::Doubtful, 2),
            (&[Verdict::Broken, Verdict::Doubtful], Verdict::Broken, 1),
        ] {
            let check = whole(parts);
            assert_eq!((check.verdict, check.exit_code()), (verdict, code), "{parts:?}");
        }
    }
}
