//! Flags by Go's rules: `-name=value`, `-name value`, one dash or two, `-name` alone for a switch; the first word that
//! is no flag ends them, so does `--`; a lone `-` is a word.
//!
//! Not here: which flags a command has (`commands`).

use bulla_types::parse_duration;

/// What a flag's value must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Switch,
    Text,
    Int,
    /// `90`, `1h30m`, `2d`.
    Duration,
    /// May be given several times.
    Repeat,
    /// `key=value`, may be given several times.
    Pair,
}

/// One row of a command's flag table.
#[derive(Debug, Clone, Copy)]
pub struct Flag {
    pub name: &'static str,
    pub alias: Option<&'static str>,
    pub kind: Kind,
    /// Environment variable behind it, without `BULLA_`, `BAO_`, `VAULT_`.
    pub env: Option<&'static str>,
    /// Known elsewhere, of no use here: what is missing. Giving it is an error that says so.
    pub missing: Option<&'static str>,
    pub help: &'static str,
}

impl Flag {
    pub const fn new(name: &'static str, kind: Kind, help: &'static str) -> Self {
        Self { name, alias: None, kind, env: None, missing: None, help }
    }

    pub const fn switch(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::Switch, help)
    }

    pub const fn text(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::Text, help)
    }

    pub const fn int(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::Int, help)
    }

    pub const fn duration(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::Duration, help)
    }

    pub const fn repeat(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::Repeat, help)
    }

    pub const fn pair(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::Pair, help)
    }

    pub const fn alias(mut self, alias: &'static str) -> Self {
        self.alias = Some(alias);
        self
    }

    pub const fn env(mut self, env: &'static str) -> Self {
        self.env = Some(env);
        self
    }

    pub const fn missing(mut self, what: &'static str) -> Self {
        self.missing = Some(what);
        self
    }

    /// # Errors
    /// What is wrong with the value, in Go's words.
    pub fn check(&self, value: &str) -> Result<(), String> {
        match self.kind {
            Kind::Text | Kind::Repeat => Ok(()),
            Kind::Switch => parse_bool(value).map(drop).ok_or_else(|| "parse error".to_owned()),
            Kind::Int => value.parse::<i64>().map(drop).map_err(|_| "parse error".to_owned()),
            Kind::Duration => parse_duration(value).map(drop).map_err(|e| e.to_string()),
            Kind::Pair if value.contains('=') => Ok(()),
            Kind::Pair => Err(format!("missing = in KV pair: {value:?}")),
        }
    }
}

/// Two tables as one, for commands that share rows.
pub const fn joined<const A: usize, const B: usize, const N: usize>(first: [Flag; A], second: [Flag; B]) -> [Flag; N] {
    assert!(A > 0 && A + B == N, "as long as both together");
    let mut all = [first[0]; N];
    let mut i = 0;
    while i < N {
        all[i] = if i < A { first[i] } else { second[i - A] };
        i += 1;
    }
    all
}

/// Why the words could not be parsed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum FlagError {
    /// `-h` or `-help`.
    #[error("help was asked for")]
    Help,
    #[error("flag provided but not defined: -{0}")]
    Unknown(String),
    #[error("flag needs an argument: -{0}")]
    NoValue(String),
    #[error("flag -{name} cannot be used: {what}")]
    Missing { name: &'static str, what: &'static str },
    #[error("bad flag syntax: {0}")]
    Syntax(String),
    #[error("invalid value {value:?} for flag -{name}: {why}")]
    Value { name: String, value: String, why: String },
}

/// The flags given, checked against their kinds.
#[derive(Debug, Default)]
pub struct Flags {
    tables: Vec<&'static [Flag]>,
    given: Vec<(&'static str, String)>,
}

impl Flags {
    /// Takes the flags off the front of `words` and returns them with the words left.
    ///
    /// # Errors
    /// [`FlagError`] in Go's words.
    pub fn parse(words: &[String], tables: Vec<&'static [Flag]>) -> Result<(Self, Vec<String>), FlagError> {
        let mut flags = Self { tables, given: Vec::new() };
        let mut words = words.iter();
        while let Some(word) = words.as_slice().first() {
            if word.len() < 2 || !word.starts_with('-') {
                break;
            }
            words.next();
            if word == "--" {
                break;
            }
            flags.take(word, &mut words)?;
        }
        Ok((flags, words.as_slice().to_vec()))
    }

    fn take(&mut self, word: &str, rest: &mut std::slice::Iter<'_, String>) -> Result<(), FlagError> {
        let body = word.strip_prefix("--").or_else(|| word.strip_prefix('-')).unwrap_or(word);
        if body.starts_with(['-', '=']) {
            return Err(FlagError::Syntax(word.to_owned()));
        }
        let (name, value) = body.split_once('=').map_or((body, None), |(name, value)| (name, Some(value)));
        let Some(flag) = self.find(name) else {
            let help = matches!(name, "h" | "help");
            return Err(if help { FlagError::Help } else { FlagError::Unknown(name.to_owned()) });
        };
        if let Some(what) = flag.missing {
            return Err(FlagError::Missing { name: flag.name, what });
        }
        let value = match (flag.kind, value) {
            (_, Some(value)) => value.to_owned(),
            (Kind::Switch, None) => "true".to_owned(),
            (_, None) => rest.next().ok_or_else(|| FlagError::NoValue(name.to_owned()))?.clone(),
        };
        flag.check(&value).map_err(|why| FlagError::Value { name: name.to_owned(), value: value.clone(), why })?;
        self.given.push((flag.name, value));
        Ok(())
    }

    fn find(&self, name: &str) -> Option<&'static Flag> {
        self.tables.iter().flat_map(|table| table.iter()).find(|f| f.name == name || f.alias == Some(name))
    }

    /// The last value given.
    pub fn text(&self, name: &str) -> Option<&str> {
        debug_assert!(self.find(name).is_some(), "no flag -{name} in this command's table");
        self.given.iter().rev().find(|(n, _)| *n == name).map(|(_, v)| v.as_str())
    }

    /// The last value given, unless it is empty.
    pub fn filled(&self, name: &str) -> Option<&str> {
        self.text(name).filter(|value| !value.is_empty())
    }

    /// Whether the table knows the flag; commands share code that asks for flags only some have.
    pub fn knows(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// Whether a switch is on.
    pub fn on(&self, name: &str) -> bool {
        self.switch(name).unwrap_or_default()
    }

    /// A switch as given; `None` if it was not.
    pub fn switch(&self, name: &str) -> Option<bool> {
        self.text(name).and_then(parse_bool)
    }

    pub fn int(&self, name: &str) -> Option<i64> {
        self.text(name).and_then(|value| value.parse().ok())
    }

    /// Nanoseconds.
    pub fn duration(&self, name: &str) -> Option<i128> {
        self.text(name).and_then(|value| parse_duration(value).ok())
    }

    /// Every value given, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        debug_assert!(self.find(name).is_some(), "no flag -{name} in this command's table");
        self.given.iter().filter(move |(n, _)| *n == name).map(|(_, v)| v.as_str())
    }

    /// Every value of a repeated flag, each split at commas.
    pub fn split(&self, name: &str) -> Vec<String> {
        self.all(name).flat_map(|v| v.split(',')).map(str::trim).filter(|v| !v.is_empty()).map(str::to_owned).collect()
    }

    /// Every pair, in order.
    pub fn pairs<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.all(name).filter_map(|pair| pair.split_once('='))
    }
}

/// What Go takes for a truth value.
pub fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    static TABLE: &[Flag] = &[
        Flag::switch("force", "").alias("f"),
        Flag::text("format", ""),
        Flag::duration("ttl", ""),
        Flag::int("cas", ""),
        Flag::repeat("policy", ""),
        Flag::pair("metadata", ""),
    ];

    fn parse(line: &str) -> Result<(Flags, Vec<String>), FlagError> {
        let words: Vec<String> = line.split(' ').filter(|w| !w.is_empty()).map(str::to_owned).collect();
        Flags::parse(&words, vec![TABLE])
    }

    #[test]
    fn every_spelling() {
        for line in ["-format=json x", "-format json x", "--format=json x", "--format json x"] {
            let (flags, rest) = parse(line).unwrap();
            assert_eq!((flags.text("format"), rest.as_slice()), (Some("json"), &["x".to_owned()][..]), "{line}");
        }
        assert!(parse("-f a").unwrap().0.on("force"));
        assert!(!parse("-force=false a").unwrap().0.on("force"));
        let (flags, _) = parse("-policy=a,b -policy c -metadata=k=v=w").unwrap();
        assert_eq!(flags.split("policy"), ["a", "b", "c"]);
        assert_eq!(flags.pairs("metadata").collect::<Vec<_>>(), [("k", "v=w")]);
    }

    #[test]
    fn the_first_word_ends_the_flags() {
        assert_eq!(parse("a -force").unwrap().1, ["a", "-force"]);
        assert_eq!(parse("- -force").unwrap().1, ["-", "-force"]);
        assert_eq!(parse("-force -- -format").unwrap().1, ["-format"]);
    }

    #[test]
    fn mistakes_are_told_in_known_words() {
        let told = |line| parse(line).unwrap_err().to_string();
        assert_eq!(told("-nope"), "flag provided but not defined: -nope");
        assert_eq!(told("-format"), "flag needs an argument: -format");
        assert_eq!(told("-ttl=abc"), r#"invalid value "abc" for flag -ttl: time: invalid duration "abc""#);
        assert_eq!(told("-cas=x"), r#"invalid value "x" for flag -cas: parse error"#);
        assert_eq!(told("-force=maybe"), r#"invalid value "maybe" for flag -force: parse error"#);
        assert_eq!(parse("-h").unwrap_err(), FlagError::Help);
    }
}
