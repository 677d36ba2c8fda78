//! What a password policy means.
//!
//! ```text
//! length = 20
//! rule "charset" { charset = "abcdefghij"  min-chars = 1 }
//! ```
//! A password has `length` characters out of all charsets together, and of each charset at least `min-chars`.

use bulla_crypto::{CryptoError, random};
use bulla_hcl::{AccessError, Duplicates, Object, ParseError};
use std::collections::BTreeSet;
use zeroize::Zeroizing;

pub const MIN_LENGTH: i64 = 4;
pub const MAX_LENGTH: i64 = 100;
/// More that each ask for a character fit into no password; and each password that is drawn is held against all.
pub const MAX_RULES: usize = 100;

/// Texts are the API's where the reference has one.
#[derive(Debug, thiserror::Error)]
pub enum PasswordPolicyError {
    #[error("invalid password policy: unable to decode: {0}")]
    Undecodable(ParseError),
    #[error("invalid password policy: unable to decode: {0}")]
    WrongType(AccessError),
    #[error("invalid password policy: unable to parse rules: unable to parse rule {0}: unrecognized rule type {0}")]
    UnknownRule(String),
    #[error("invalid password policy: unable to parse rules: unable to parse rule charset: {0}")]
    BadRule(AccessError),
    #[error(
        "invalid password policy: unable to parse rules: unable to parse rule charset: min-chars cannot be negative"
    )]
    Negative,
    #[error("invalid password policy: {}", several(.0))]
    Impossible(Vec<String>),
    #[error("invalid password policy: more than {MAX_RULES} rules")]
    TooMany,
    #[error("passwords must be between {MIN_LENGTH} and {MAX_LENGTH} characters")]
    Length,
}

/// The framing of errors that the reference collects.
fn several(errors: &[String]) -> String {
    let noun = if errors.len() == 1 { "error" } else { "errors" };
    let lines: String = errors.iter().map(|error| format!("\t* {error}\n")).collect();
    format!("{} {noun} occurred:\n{lines}\n", errors.len())
}

#[derive(Debug)]
struct Rule {
    charset: BTreeSet<char>,
    at_least: usize,
}

#[derive(Debug)]
pub struct PasswordPolicy {
    length: usize,
    rules: Vec<Rule>,
    /// All charsets together, no character twice: each is equally likely.
    charset: Vec<char>,
}

/// Passwords drawn before one is put together so that it fits.
const DRAWS: usize = 64;

impl PasswordPolicy {
    /// # Errors
    /// A text that is no policy, or a policy no password can follow.
    pub fn parse(text: &str) -> Result<Self, PasswordPolicyError> {
        let document = bulla_hcl::parse_with(text, Duplicates::Refuse).map_err(PasswordPolicyError::Undecodable)?;
        let length = document.body.integer("length").map_err(PasswordPolicyError::WrongType)?.unwrap_or(0);
        let blocks = document.body.blocks("rule", 1).map_err(PasswordPolicyError::WrongType)?;
        if blocks.len() > MAX_RULES {
            return Err(PasswordPolicyError::TooMany);
        }
        let mut rules = Vec::with_capacity(blocks.len());
        for block in &blocks {
            match block.labels.first().copied().unwrap_or_default() {
                "charset" => rules.push(rule(block.body)?),
                other => return Err(PasswordPolicyError::UnknownRule(other.to_owned())),
            }
        }
        let charset: BTreeSet<char> = rules.iter().flat_map(|rule| rule.charset.iter().copied()).collect();
        check(length, &rules, &charset)?;
        let length = usize::try_from(length).map_err(|_| PasswordPolicyError::Length)?;
        Ok(Self { length, rules, charset: charset.into_iter().collect() })
    }

    /// A password, each that follows the rules as likely as any other. Rules that hardly any password follows by chance
    /// are met by construction instead.
    ///
    /// # Errors
    /// No randomness.
    pub fn generate(&self) -> Result<Zeroizing<String>, CryptoError> {
        for _ in 0..DRAWS {
            let drawn = self.draw(&self.charset, self.length)?;
            if self.follows(&drawn) {
                return Ok(text(&drawn));
            }
        }
        self.construct()
    }

    fn draw(&self, from: &[char], count: usize) -> Result<Zeroizing<Vec<char>>, CryptoError> {
        let mut drawn = Zeroizing::new(Vec::with_capacity(self.length));
        for _ in 0..count {
            drawn.extend(from.get(below(from.len())?));
        }
        Ok(drawn)
    }

    fn follows(&self, password: &[char]) -> bool {
        let enough = |rule: &Rule| password.iter().filter(|c| rule.charset.contains(c)).count() >= rule.at_least;
        self.rules.iter().all(enough)
    }

    /// What each rule asks for, the rest from all charsets, in random order.
    fn construct(&self) -> Result<Zeroizing<String>, CryptoError> {
        let mut password = Zeroizing::new(Vec::with_capacity(self.length));
        for rule in &self.rules {
            let charset: Vec<char> = rule.charset.iter().copied().collect();
            password.extend(self.draw(&charset, rule.at_least)?.iter());
        }
        let rest = self.length.saturating_sub(password.len());
        password.extend(self.draw(&self.charset, rest)?.iter());
        for last in (1..password.len()).rev() {
            password.swap(last, below(last + 1)?);
        }
        Ok(text(&password))
    }
}

fn rule(body: &Object) -> Result<Rule, PasswordPolicyError> {
    let charset = body.string("charset").map_err(PasswordPolicyError::BadRule)?.unwrap_or_default();
    let at_least = body.integer("min-chars").map_err(PasswordPolicyError::BadRule)?.unwrap_or(0);
    let at_least = usize::try_from(at_least).map_err(|_| PasswordPolicyError::Negative)?;
    Ok(Rule { charset: charset.chars().collect(), at_least })
}

fn check(length: i64, rules: &[Rule], charset: &BTreeSet<char>) -> Result<(), PasswordPolicyError> {
    let mut errors = Vec::new();
    let needed = rules.iter().fold(0_usize, |sum, rule| sum.saturating_add(rule.at_least));
    let has_empty = rules.iter().any(|rule| rule.charset.is_empty());
    if charset.is_empty() || has_empty {
        errors.push("no charset specified".to_owned());
    }
    if charset.iter().any(|c| c.is_control()) {
        errors.push("non-printable character in charset".to_owned());
    }
    if length > 0 && i64::try_from(needed).unwrap_or(i64::MAX) > length {
        errors.push(format!("specified rules require at least {needed} characters but {length} is specified"));
    }
    if !errors.is_empty() {
        return Err(PasswordPolicyError::Impossible(errors));
    }
    if (MIN_LENGTH..=MAX_LENGTH).contains(&length) { Ok(()) } else { Err(PasswordPolicyError::Length) }
}

fn text(password: &[char]) -> Zeroizing<String> {
    // Room for all of it at once: growing would leave copies behind.
    let mut out = Zeroizing::new(String::with_capacity(password.len() * 4));
    out.extend(password);
    out
}

/// A number below `limit`, each equally likely: what lies above the largest multiple of `limit` is thrown away, or the
/// first characters would come up more often than the rest.
fn below(limit: usize) -> Result<usize, CryptoError> {
    let limit = u32::try_from(limit).unwrap_or(u32::MAX).max(1);
    let usable = u32::MAX - u32::MAX % limit;
    loop {
        let number = u32::from_le_bytes(random::bytes()?);
        if number < usable {
            return Ok((number % limit) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn policy(length: i64, rules: &[(&str, i64)]) -> Result<PasswordPolicy, String> {
        let rules: String = rules
            .iter()
            .map(|(set, least)| format!("rule \"charset\" {{\n charset = \"{set}\"\n min-chars = {least}\n}}\n"))
            .collect();
        PasswordPolicy::parse(&format!("length = {length}\n{rules}")).map_err(|error| error.to_string())
    }

    #[test]
    fn length_has_limits() {
        for (length, fits) in [(3, false), (4, true), (100, true), (101, false), (0, false), (-1, false)] {
            assert_eq!(policy(length, &[("ab", 0)]).is_ok(), fits, "{length}");
        }
        assert_eq!(policy(8, &[("ab", 4), ("cd", 4)]).map(|p| p.charset.len()), Ok(4));
        assert!(policy(8, &[("ab", 5), ("cd", 4)]).unwrap_err().contains("require at least 9 characters but 8 is"));
    }

    /// A rule with less than no characters made room for what the others ask for, and was no rule.
    #[test]
    fn a_rule_asks_for_a_number_of_characters() {
        for (least, fits) in
            [(-1, false), (0, true), (1, true), (8, true), (9, false), (i64::MIN, false), (i64::MAX, false)]
        {
            assert_eq!(policy(8, &[("ab", least)]).is_ok(), fits, "{least}");
        }
        assert!(policy(8, &[("ab", 8), ("cd", -4), ("ef", 4)]).unwrap_err().ends_with("min-chars cannot be negative"));
        for least in ["1.5", "\"many\"", "[1]", "9223372036854775808", "1e30", "true"] {
            let text = format!("length = 8\nrule \"charset\" {{ charset = \"ab\" min-chars = {least} }}");
            assert!(PasswordPolicy::parse(&text).is_err(), "{least}");
        }
        for length in ["8.5", "\"long\"", "[8]", "18446744073709551624", "1e30", "true"] {
            let text = format!("length = {length}\nrule \"charset\" {{ charset = \"ab\" }}");
            assert!(PasswordPolicy::parse(&text).is_err(), "{length}");
        }
    }

    /// A policy of many rules made each password that is generated by it cost as much as its author liked.
    #[test]
    fn rules_have_a_number() {
        for (count, fits) in [(MAX_RULES, true), (MAX_RULES + 1, false)] {
            assert_eq!(policy(100, &vec![("ab", 1); count]).is_ok(), fits, "{count}");
            assert_eq!(policy(100, &vec![("ab", 0); count]).is_ok(), fits, "{count}");
        }
    }

    /// Who reads the first of two lines would be wrong about what counts.
    #[test]
    fn nothing_is_said_twice() {
        for text in [
            "length = 8\nlength = 20\nrule \"charset\" { charset = \"abc\" }",
            "length = 8\nrule \"charset\" { charset = \"abc\" charset = \"a\" }",
            "length = 8\nrule \"charset\" { charset = \"abc\" min-chars = 4 min-chars = 0 }",
            r#"{"length":20,"length":4,"rule":[{"charset":{"charset":"abc"}}]}"#,
            r#"{"length":20,"rule":[{"charset":{"charset":"abc","charset":"a"}}]}"#,
            r#"{"length":20,"rule":[{"charset":{"charset":"abc"}}],"rule":[{"charset":{"charset":"a"}}]}"#,
        ] {
            assert!(PasswordPolicy::parse(text).is_err(), "{text}");
        }
        // Two rules are two rules.
        assert!(policy(8, &[("abc", 1), ("abc", 2)]).is_ok());
    }

    #[test]
    fn nothing_to_choose_from_is_refused() {
        let expected = "invalid password policy: 1 error occurred:\n\t* no charset specified\n\n";
        assert_eq!(policy(8, &[]).unwrap_err(), expected);
        assert_eq!(policy(8, &[("", 0)]).unwrap_err(), expected);
        let other = PasswordPolicy::parse("length = 8\nrule \"weird\" { charset = \"abc\" }").unwrap_err();
        assert!(other.to_string().ends_with("unrecognized rule type weird"));
        assert!(PasswordPolicy::parse("{{{").is_err());
    }

    #[test]
    fn json_says_the_same() {
        let policy = PasswordPolicy::parse(r#"{"length":20,"rule":[{"charset":{"charset":"abc","min-chars":1}}]}"#);
        assert_eq!(policy.unwrap().generate().unwrap().len(), 20);
    }

    #[test]
    fn passwords_follow_the_rules_also_where_chance_would_not() {
        let wide: String = ('!'..='~').filter(|c| !matches!(c, '"' | '\\' | '$' | '%' | '0'..='9')).collect();
        for rules in [&[(wide.as_str(), 0), ("0123456789", 2)][..], &[(wide.as_str(), 0), ("7", 20)], &[("ä", 1)]] {
            let policy = policy(20, rules).unwrap();
            for _ in 0..20 {
                let password: Vec<char> = policy.generate().unwrap().chars().collect();
                assert_eq!(password.len(), 20);
                assert!(policy.follows(&password));
                assert!(password.iter().all(|c| policy.charset.contains(c)));
            }
        }
    }

    /// A charset that repeats a character does not make it likelier, and no place in a constructed password is special.
    #[test]
    fn characters_are_equally_likely() {
        let policy = policy(100, &[("aaaaab", 0)]).unwrap();
        let count = |c: char| (0..100).map(|_| policy.generate().unwrap().matches(c).count()).sum::<usize>();
        let found = count('a');
        assert!((4_500..5_500).contains(&found), "{found}");
        let policy = self::policy(4, &[("a", 1), ("bcdefghijklmnopqrstuvwxyz", 3)]).unwrap();
        let first = (0..4_000).filter(|_| policy.construct().unwrap().starts_with('a')).count();
        assert!((800..1_200).contains(&first), "{first}");
    }
}
