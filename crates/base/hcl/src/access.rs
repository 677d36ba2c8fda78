//! Typed access to a document: attributes, blocks, and the check for unknown keys.

use crate::{AccessError, Item, Kind, Object, Pos, UnknownKeys, Value};

/// A block with its labels, wherever they stood: `listener "tcp" { }`, `listener { tcp { } }`, `listener = [{ tcp = {} }]`
/// or the same in JSON.
#[derive(Clone, Debug)]
pub struct Block<'a> {
    pub labels: Vec<&'a str>,
    pub body: &'a Object,
    pub pos: Pos,
}

/// Lists keys of `object` that are not among `valid`.
///
/// # Errors
/// [`UnknownKeys`], all of them at once, each line beginning with `prefix`.
pub fn check_keys(object: &Object, valid: &[&str], prefix: &str) -> Result<(), UnknownKeys> {
    let unknown = |item: &&Item| !valid.contains(&item.name());
    let line = |item: &Item| item.assign.map_or(0, |pos| pos.line);
    let keys: Vec<_> = object.items.iter().filter(unknown).map(|i| (i.name().to_owned(), line(i))).collect();
    if keys.is_empty() { Ok(()) } else { Err(UnknownKeys { prefix: prefix.to_owned(), keys }) }
}

impl Object {
    /// The last item with that name whose value is not null; a block counts too, so that it is not overlooked.
    pub fn item(&self, name: &str) -> Option<&Item> {
        self.items.iter().rev().find(|i| i.name() == name && i.value.kind != Kind::Null)
    }

    pub fn value(&self, name: &str) -> Option<&Value> {
        self.item(name).map(|i| &i.value)
    }

    /// Text; numbers and booleans are given as they were written.
    ///
    /// # Errors
    /// Lists and objects.
    pub fn string(&self, name: &str) -> Result<Option<String>, AccessError> {
        self.typed(name, "a string", |v| v.text())
    }

    /// Whole numbers, also in quotes: `8200`, `"8200"`, `0x10`, `-1`.
    ///
    /// # Errors
    /// Anything else, fractions and numbers beyond 64 bits included.
    pub fn integer(&self, name: &str) -> Result<Option<i64>, AccessError> {
        self.typed(name, "a whole number", Value::integer)
    }

    /// Booleans, also as `"true"`, `"false"`, `1` and `0`.
    ///
    /// # Errors
    /// Anything else.
    pub fn boolean(&self, name: &str) -> Result<Option<bool>, AccessError> {
        self.typed(name, "true or false", |v| match &v.kind {
            Kind::Bool(value) => Some(*value),
            Kind::String(text) | Kind::Number(text) => match text.as_str() {
                "true" | "1" => Some(true),
                "false" | "0" => Some(false),
                _ => None,
            },
            _ => None,
        })
    }

    /// A list of strings.
    ///
    /// # Errors
    /// Anything else.
    pub fn strings(&self, name: &str) -> Result<Option<Vec<String>>, AccessError> {
        self.typed(name, "a list of strings", |v| match &v.kind {
            Kind::List(elements) => elements.iter().map(|e| e.text()).collect(),
            _ => None,
        })
    }

    /// One object; repeated blocks or a list with one object count as that object.
    ///
    /// # Errors
    /// Anything else, several objects included.
    pub fn object(&self, name: &str) -> Result<Option<&Object>, AccessError> {
        let mut found = self.blocks(name, 0)?.into_iter();
        match (found.next(), found.next()) {
            (first, None) => Ok(first.map(|b| b.body)),
            (_, Some(second)) => {
                Err(AccessError { key: name.to_owned(), pos: second.pos, expected: "a single object" })
            }
        }
    }

    /// All blocks called `name`, with exactly `labels` labels each, in the order of the text.
    ///
    /// # Errors
    /// An item of that name that is no block, or has more labels.
    pub fn blocks(&self, name: &str, labels: usize) -> Result<Vec<Block<'_>>, AccessError> {
        let mut out = Vec::new();
        for item in self.items.iter().filter(|i| i.name() == name && i.value.kind != Kind::Null) {
            let mut found = item.keys.iter().skip(1).map(|k| k.text.as_str()).collect();
            collect(item, &mut found, &item.value, labels, &mut out)?;
        }
        Ok(out)
    }

    fn typed<T>(
        &self,
        name: &str,
        expected: &'static str,
        convert: impl Fn(&Value) -> Option<T>,
    ) -> Result<Option<T>, AccessError> {
        let Some(item) = self.item(name) else {
            return Ok(None);
        };
        let wrong = || AccessError { key: name.to_owned(), pos: item.pos(), expected };
        convert(&item.value).map(Some).ok_or_else(wrong)
    }
}

/// Walks down to the bodies below `value`, taking labels from the keys on the way.
fn collect<'a>(
    item: &'a Item,
    found: &mut Vec<&'a str>,
    value: &'a Value,
    labels: usize,
    out: &mut Vec<Block<'a>>,
) -> Result<(), AccessError> {
    let wrong = |pos| AccessError { key: item.name().to_owned(), pos, expected: "a block" };
    match &value.kind {
        Kind::List(elements) => elements.iter().try_for_each(|e| collect(item, found, e, labels, out)),
        Kind::Object(body) if found.len() == labels => {
            let pos = if labels == 0 { item.pos() } else { value.pos };
            out.push(Block { labels: found.clone(), body, pos });
            Ok(())
        }
        Kind::Object(body) if found.len() < labels => body.items.iter().try_for_each(|inner| {
            let before = found.len();
            found.extend(inner.keys.iter().map(|k| k.text.as_str()));
            let result = collect(item, found, &inner.value, labels, out);
            found.truncate(before);
            result
        }),
        _ => Err(wrong(value.pos)),
    }
}

impl Value {
    /// Text of a string, number or boolean as written.
    pub fn text(&self) -> Option<String> {
        match &self.kind {
            Kind::String(text) | Kind::Number(text) => Some(text.clone()),
            Kind::Bool(value) => Some(value.to_string()),
            _ => None,
        }
    }

    /// A whole number of 64 bits with sign, decimal, `0x` hexadecimal or octal with a leading 0.
    pub fn integer(&self) -> Option<i64> {
        let (Kind::Number(text) | Kind::String(text)) = &self.kind else {
            return None;
        };
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text.as_str()),
        };
        let (digits, base) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
            Some(hex) => (hex, 16),
            None if digits.len() > 1 && digits.starts_with('0') => (digits, 8),
            None => (digits, 10),
        };
        // `from_str_radix` would take a second sign.
        if !digits.starts_with(|c: char| c.is_ascii_hexdigit()) {
            return None;
        }
        let magnitude = i128::from_str_radix(digits, base).ok()?;
        i64::try_from(if negative { -magnitude } else { magnitude }).ok()
    }
}
