//! Rules about the parameters of a request: which may, must or must not be there, and with which values.

use crate::ask::Parameters;
use bulla_types::{Seconds, parse_duration};
use serde_json::Value;
use std::ops::ControlFlow;

/// Names in lower case, each with its values; no values means "any value".
pub(crate) type NamedValues = Vec<(String, Vec<Value>)>;

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ParameterRules {
    /// Empty: anything is allowed.
    pub(crate) allowed: NamedValues,
    pub(crate) denied: NamedValues,
    /// In lower case.
    pub(crate) required: Vec<String>,
}

const ANY: &str = "*";

impl ParameterRules {
    pub(crate) fn merge(&mut self, other: &Self) {
        merge_values(&mut self.allowed, &other.allowed);
        merge_values(&mut self.denied, &other.denied);
        for name in &other.required {
            if !self.required.contains(name) {
                self.required.push(name.clone());
            }
        }
    }

    pub(crate) fn requires(&self, name: &str) -> bool {
        self.required.iter().any(|r| r == name)
    }

    pub(crate) fn allow(&self, parameters: &dyn Parameters) -> bool {
        if !self.required.iter().all(|name| parameters.has(name)) {
            return false;
        }
        if self.denied.is_empty() && self.allowed.is_empty() {
            return true;
        }
        let mut good = true;
        parameters.visit(&mut |name, value| {
            let is = |rule: &str| same_name(parameters.present(rule), parameters.present(name));
            good = !self.denies(is, value) && self.allows(is, value);
            if good { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        good
    }

    fn denies(&self, is: impl Fn(&str) -> bool, value: &Value) -> bool {
        self.denied.iter().any(|(rule, values)| {
            rule == ANY || (is(rule) && (values.is_empty() || values.iter().any(|v| hits(v, value))))
        })
    }

    /// Rules about two names of one parameter unite, as those of two policies about one name do.
    fn allows(&self, is: impl Fn(&str) -> bool, value: &Value) -> bool {
        let mut about = self.allowed.iter().filter(|(rule, _)| is(rule)).peekable();
        if about.peek().is_none() {
            return self.allowed.is_empty() || self.allowed.iter().any(|(rule, _)| rule == ANY);
        }
        about.any(|(_, values)| values.is_empty() || values.iter().any(|v| permits(v, value)))
    }
}

fn merge_values(own: &mut NamedValues, other: &NamedValues) {
    for (name, values) in other {
        match own.iter_mut().find(|(n, _)| n == name) {
            None => own.push((name.clone(), values.clone())),
            Some((_, mine)) if values.is_empty() || mine.is_empty() => mine.clear(),
            Some((_, mine)) => mine.extend(values.iter().cloned()),
        }
    }
}

/// Parameter names ignore case; `rule` is in lower case already.
fn same_name(rule: &str, name: &str) -> bool {
    rule == name || name.chars().flat_map(char::to_lowercase).eq(rule.chars())
}

/// An allowed value is matched strictly: same type, same spelling, with a star at either end of a text.
pub(crate) fn permits(rule: &Value, value: &Value) -> bool {
    match (rule, value) {
        (Value::String(rule), Value::String(value)) => globbed(rule, value),
        _ => rule == value,
    }
}

/// A denied value is matched generously, since engines take one thing in many spellings: case and outer space do not
/// count, a list is looked through, a text is also taken as joined by commas, a number may come as a text, a switch as a
/// number, a time with another unit, and what is empty stands for what it is read as.
pub(crate) fn hits(rule: &Value, value: &Value) -> bool {
    if permits(rule, value) || same_switch(rule, value) || same_time(rule, value) {
        return true;
    }
    match value {
        Value::Array(elements) => elements.iter().any(|e| hits(rule, e)),
        Value::String(text) => folded_hit(rule, text) || text.split(',').any(|piece| folded_hit(rule, piece)),
        Value::Number(number) => folded_hit(rule, &number.to_string()),
        Value::Bool(flag) => folded_hit(rule, if *flag { "true" } else { "false" }),
        Value::Null | Value::Object(_) => false,
    }
}

fn folded_hit(rule: &Value, text: &str) -> bool {
    let rule = match rule {
        Value::String(rule) => rule.trim().to_lowercase(),
        Value::Number(_) | Value::Bool(_) => rule.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => return false,
    };
    let text = text.trim().to_lowercase();
    let numbers = rule.parse::<f64>().ok().zip(text.parse::<f64>().ok());
    globbed(&rule, &text) || numbers.is_some_and(|(a, b)| a.to_bits() == b.to_bits())
}

/// Switches are sent as `true`, `1`, `"t"` and more. A rule is about one only if it says so in full.
fn same_switch(rule: &Value, value: &Value) -> bool {
    let rule = match rule {
        Value::Bool(flag) => *flag,
        Value::String(text) if text.eq_ignore_ascii_case("true") => true,
        Value::String(text) if text.eq_ignore_ascii_case("false") => false,
        _ => return false,
    };
    let value = match value {
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::Null => false,
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "1" | "t" | "true" => true,
            "" | "0" | "f" | "false" => false,
            _ => return false,
        },
        Value::Array(_) | Value::Object(_) => return false,
    };
    rule == value
}

/// A minute is `60`, `"1m"`, `"60000ms"` and more. Also plain numbers, of which an empty text and null are zero.
fn same_time(rule: &Value, value: &Value) -> bool {
    let empty_is_zero = rule.is_number() || matches!(rule, Value::String(text) if !text.trim().is_empty());
    let value = match seconds(value) {
        None if empty_is_zero && is_empty(value) => Some(Seconds::ZERO),
        other => other,
    };
    value.is_some() && seconds(rule) == value
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())
}

/// As handlers take times: whole seconds, a part of the first one counts as one.
fn seconds(value: &Value) -> Option<Seconds> {
    match value {
        Value::Number(number) => {
            let text = number.as_i64().map_or_else(|| format!("{number}s"), |whole| whole.to_string());
            parse_duration(&text).ok().and_then(Seconds::of_nanos)
        }
        Value::String(text) if !text.trim().is_empty() => parse_duration(text).ok().and_then(Seconds::of_nanos),
        _ => None,
    }
}

/// A star at the start, the end or both; a lone star is only itself.
fn globbed(rule: &str, text: &str) -> bool {
    if rule.len() < 2 {
        return rule == text;
    }
    match (rule.strip_prefix('*'), rule.strip_suffix('*')) {
        (Some(_), Some(_)) => text.contains(&rule[1..rule.len() - 1]),
        (Some(end), None) => text.ends_with(end),
        (None, Some(start)) => text.starts_with(start),
        (None, None) => rule == text,
    }
}
