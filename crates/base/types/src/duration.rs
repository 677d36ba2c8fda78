//! Durations in whole seconds and the texts that clients write for them. Not here: points in time (`time`).

use serde::{Deserialize, Serialize};
use std::fmt;

/// A span of whole seconds: TTLs, periods, lease durations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seconds(pub u64);

impl Seconds {
    pub const ZERO: Self = Self(0);

    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Whole seconds of so many nanoseconds; `None` = negative, or more than 64 bits hold. Fractions are cut off, but less
    /// than a second is one: zero means "none" or "without end" almost everywhere, and nobody asked for that.
    pub fn of_nanos(nanos: i128) -> Option<Self> {
        let whole = nanos / 1_000_000_000;
        u64::try_from(if nanos > 0 { whole.max(1) } else { nanos.min(whole) }).ok().map(Self)
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&go_duration_text(i128::from(self.0) * 1_000_000_000))
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    #[error("time: invalid duration {0:?}")]
    Invalid(String),
    #[error("time: missing unit in duration {0:?}")]
    MissingUnit(String),
    #[error("time: unknown unit {unit:?} in duration {text:?}")]
    UnknownUnit { unit: String, text: String },
    #[error("cannot be negative")]
    Negative,
}

const UNITS: [(&str, i128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

/// Parses what clients write for a duration, in nanoseconds, sign included: `90` (seconds), `"90"`, `1h30m`, `.5h`, `2d`.
///
/// # Errors
/// In Go's words, since clients show them.
pub fn parse_duration(text: &str) -> Result<i128, DurationError> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Ok(0);
    }
    if let Ok(seconds) = trimmed.parse::<i64>() {
        return Ok(i128::from(seconds) * 1_000_000_000);
    }
    let (negative, mut rest) = match trimmed.as_bytes()[0] {
        b'-' => (true, &trimmed[1..]),
        b'+' => (false, &trimmed[1..]),
        _ => (false, trimmed),
    };
    if rest.is_empty() {
        return Err(DurationError::Invalid(text.into()));
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let (nanos, after) = parse_part(rest, text)?;
        total = total.checked_add(nanos).ok_or_else(|| DurationError::Invalid(text.into()))?;
        rest = after;
    }
    // Go keeps durations in an i64 of nanoseconds; anything beyond is not a duration for any client.
    if total > i128::from(i64::MAX) {
        return Err(DurationError::Invalid(text.into()));
    }
    Ok(if negative { -total } else { total })
}

/// One number with its unit off the front of `rest`.
fn parse_part<'a>(rest: &'a str, whole: &str) -> Result<(i128, &'a str), DurationError> {
    let invalid = || DurationError::Invalid(whole.into());
    let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    let (number, after) = rest.split_at(number_end);
    let (int, frac) = number.split_once('.').unwrap_or((number, ""));
    if (int.is_empty() && frac.is_empty()) || frac.contains('.') || int.len() > 19 || frac.len() > 30 {
        return Err(invalid());
    }
    let unit_end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
    let (unit, after) = after.split_at(unit_end);
    if unit.is_empty() {
        return Err(DurationError::MissingUnit(whole.into()));
    }
    let Some((_, scale)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        return Err(DurationError::UnknownUnit { unit: unit.into(), text: whole.into() });
    };
    let int: i128 = if int.is_empty() { 0 } else { int.parse().map_err(|_| invalid())? };
    let mut nanos = int.checked_mul(*scale).ok_or_else(invalid)?;
    let mut step = *scale;
    for digit in frac.bytes() {
        step /= 10;
        nanos += i128::from(digit - b'0') * step;
    }
    Ok((nanos, after))
}

/// A duration as Go prints it: `0s`, `1m30s`, `3h25m19s`, `1.5s`, `-1s`.
pub fn go_duration_text(nanos: i128) -> String {
    if nanos == 0 {
        return "0s".into();
    }
    let sign = if nanos < 0 { "-" } else { "" };
    let abs = nanos.unsigned_abs();
    if abs < 1_000_000_000 {
        let (unit, scale) = match abs {
            1_000_000.. => ("ms", 1_000_000),
            1_000.. => ("µs", 1_000),
            _ => ("ns", 1),
        };
        return format!("{sign}{}{unit}", decimal(abs, scale));
    }
    let whole = abs / 1_000_000_000;
    let (hours, minutes) = (whole / 3600, whole / 60 % 60);
    let seconds = decimal(abs - (whole / 60 * 60) * 1_000_000_000, 1_000_000_000);
    match (hours, minutes) {
        (0, 0) => format!("{sign}{seconds}s"),
        (0, _) => format!("{sign}{minutes}m{seconds}s"),
        _ => format!("{sign}{hours}h{minutes}m{seconds}s"),
    }
}

/// `value / scale` with as many decimals as needed.
fn decimal(value: u128, scale: u128) -> String {
    let (int, frac) = (value / scale, value % scale);
    if frac == 0 {
        return int.to_string();
    }
    let width = scale.ilog10() as usize;
    format!("{int}.{}", format!("{frac:0width$}").trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i128 = 1_000_000_000;

    #[test]
    fn reads_every_form_clients_write() {
        let cases = [
            ("", 0),
            ("90", 90 * S),
            ("-1", -S),
            ("1h30m", 5400 * S),
            ("2d", 172_800 * S),
            (".5h", 1800 * S),
            ("1.5s", 1_500_000_000),
            ("10ms", 10_000_000),
            ("-1m", -60 * S),
        ];
        for (text, nanos) in cases {
            assert_eq!(parse_duration(text), Ok(nanos), "{text}");
        }
    }

    #[test]
    fn refuses_in_go_words() {
        assert_eq!(parse_duration("soon").map_err(|e| e.to_string()), Err("time: invalid duration \"soon\"".into()));
        assert!(matches!(parse_duration("1.5"), Err(DurationError::MissingUnit(_))));
        assert!(matches!(parse_duration("5x"), Err(DurationError::UnknownUnit { .. })));
        assert!(parse_duration("1..5s").is_err());
        assert!(parse_duration("-").is_err());
        assert!(parse_duration("292471h").is_ok());
        assert!(parse_duration("9999999999h").is_err());
    }

    #[test]
    fn prints_like_go() {
        let cases = [(0, "0s"), (90 * S, "1m30s"), (12_319 * S, "3h25m19s"), (-S, "-1s"), (1_500_000, "1.5ms")];
        for (nanos, text) in cases {
            assert_eq!(go_duration_text(nanos), text);
        }
        assert_eq!(go_duration_text(2_764_800 * S), "768h0m0s");
    }
}
