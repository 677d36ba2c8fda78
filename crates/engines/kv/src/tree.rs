//! JSON objects taken apart without touching their leaves: numbers, arrays and texts stay as they were written.
//!
//! Works on text that is valid JSON already. Not here: validation (`kit::Body` and `RawJson` do it).

use indexmap::IndexMap;

/// Objects within objects. Bodies are limited to 300 levels before they get here; the margin is for the wrapping.
const MAX_DEPTH: usize = 400;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    #[error("the stored object is no valid JSON")]
    Malformed,
    #[error("the object is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
}

#[derive(Debug)]
pub enum Tree<'a> {
    Object(IndexMap<String, Member<'a>>),
    /// Anything that is no object, as its text.
    Leaf(&'a str),
    /// A member that is to be removed, or has never been there.
    Gone,
}

#[derive(Debug)]
pub struct Member<'a> {
    /// The name as it was written, quotes included.
    name: &'a str,
    value: Tree<'a>,
}

impl<'a> Tree<'a> {
    /// # Errors
    /// Text that is no JSON, or deeper than this room follows.
    pub fn parse(text: &'a str) -> Result<Self, TreeError> {
        Reader { text, at: 0 }.value(0)
    }

    fn is_null(&self) -> bool {
        matches!(self, Self::Leaf("null"))
    }

    /// RFC 7396: members of `patch` replace ours, objects merge, null removes.
    #[must_use]
    pub fn merged(self, patch: Self) -> Self {
        let Self::Object(changes) = patch else { return patch };
        let mut members = match self {
            Self::Object(members) => members,
            _ => IndexMap::new(),
        };
        for (key, change) in changes {
            let removes = change.value.is_null();
            match members.get_mut(&key) {
                Some(slot) if removes => slot.value = Self::Gone,
                Some(slot) => slot.value = std::mem::replace(&mut slot.value, Self::Gone).merged(change.value),
                None if removes => {}
                None => {
                    members.insert(key, Member { name: change.name, value: Self::Gone.merged(change.value) });
                }
            }
        }
        // One pass at the end: taking members out one by one would cost their number squared.
        members.retain(|_, member| !matches!(member.value, Self::Gone));
        Self::Object(members)
    }

    pub fn write(&self, out: &mut String) {
        match self {
            Self::Object(members) => write_object(members, out, |value, out| value.write(out)),
            Self::Leaf(text) => out.push_str(text),
            Self::Gone => out.push_str("null"),
        }
    }

    /// The structure alone: every leaf and every empty object becomes null; below `depth` levels objects do too
    /// (`None` = all levels).
    pub fn write_keys(&self, depth: Option<u64>, out: &mut String) {
        match self {
            Self::Object(members) => write_object(members, out, |value, out| match (value, depth) {
                (Self::Object(inner), None | Some(2..)) if !inner.is_empty() => {
                    value.write_keys(depth.map(|levels| levels - 1), out);
                }
                _ => out.push_str("null"),
            }),
            _ => out.push_str("null"),
        }
    }
}

fn write_object<'a>(members: &IndexMap<String, Member<'a>>, out: &mut String, value: impl Fn(&Tree<'a>, &mut String)) {
    out.push('{');
    for (index, member) in members.values().enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push_str(member.name);
        out.push(':');
        value(&member.value, out);
    }
    out.push('}');
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Result<u8, TreeError> {
        self.text.as_bytes().get(self.at).copied().ok_or(TreeError::Malformed)
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Ok(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), TreeError> {
        self.skip_space();
        if self.peek()? != byte {
            return Err(TreeError::Malformed);
        }
        self.at += 1;
        Ok(())
    }

    fn since(&self, start: usize) -> Result<&'a str, TreeError> {
        self.text.get(start..self.at).ok_or(TreeError::Malformed)
    }

    fn value(&mut self, depth: usize) -> Result<Tree<'a>, TreeError> {
        self.skip_space();
        if self.peek()? == b'{' {
            return self.object(depth);
        }
        let start = self.at;
        match self.peek()? {
            b'"' => self.string()?,
            b'[' => self.array()?,
            _ => {
                while !matches!(self.peek(), Err(_) | Ok(b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r')) {
                    self.at += 1;
                }
            }
        }
        self.since(start).map(Tree::Leaf)
    }

    fn object(&mut self, depth: usize) -> Result<Tree<'a>, TreeError> {
        if depth >= MAX_DEPTH {
            return Err(TreeError::TooDeep);
        }
        self.expect(b'{')?;
        let mut members = IndexMap::new();
        self.skip_space();
        if self.peek()? == b'}' {
            self.at += 1;
            return Ok(Tree::Object(members));
        }
        loop {
            self.skip_space();
            let start = self.at;
            self.string()?;
            let name = self.since(start)?;
            self.expect(b':')?;
            let value = self.value(depth + 1)?;
            // An escaped half of a surrogate pair is no text; such a name stands for itself as it is written.
            let key = serde_json::from_str(name).unwrap_or_else(|_| name.to_owned());
            members.insert(key, Member { name, value });
            self.skip_space();
            let next = self.peek()?;
            self.at += 1;
            match next {
                b',' => {}
                b'}' => return Ok(Tree::Object(members)),
                _ => return Err(TreeError::Malformed),
            }
        }
    }

    fn string(&mut self) -> Result<(), TreeError> {
        if self.peek()? != b'"' {
            return Err(TreeError::Malformed);
        }
        self.at += 1;
        loop {
            match self.peek()? {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        Ok(())
    }

    /// Up to the bracket that closes this one; what is inside does not matter here.
    fn array(&mut self) -> Result<(), TreeError> {
        let mut open = 0_usize;
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'[' | b'{' => open += 1,
                b']' | b'}' => open -= 1,
                _ => {}
            }
            self.at += 1;
            if open == 0 {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Map, Value};

    fn merge(target: &str, patch: &str) -> String {
        let mut out = String::new();
        Tree::parse(target).unwrap().merged(Tree::parse(patch).unwrap()).write(&mut out);
        out
    }

    fn keys(text: &str, depth: Option<u64>) -> String {
        let mut out = String::new();
        Tree::parse(text).unwrap().write_keys(depth, &mut out);
        out
    }

    /// The examples of RFC 7396, appendix A.
    #[test]
    fn merges_as_the_rfc_shows() {
        let cases = [
            (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"a":null}"#, "{}"),
            (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
            (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
            (r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#),
            (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
            (r#"["a","b"]"#, r#"["c","d"]"#, r#"["c","d"]"#),
            (r#"{"a":"b"}"#, r#"["c"]"#, r#"["c"]"#),
            (r#"{"a":"foo"}"#, "null", "null"),
            (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#),
            ("[1,2]", r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#),
            ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
        ];
        for (target, patch, expected) in cases {
            assert_eq!(merge(target, patch), expected, "{target} + {patch}");
        }
    }

    #[test]
    fn leaves_and_names_keep_their_text() {
        let text = r#"{"z":1.0,"a":1e400,"n":1180591620717411303424,"l":[ 1, {"x":"]}"} ],"\u00e4":"\"","\ud800":1}"#;
        assert_eq!(merge(text, "{}"), text);
        assert_eq!(merge(r#"{"ä":1}"#, r#"{"\u00e4":2}"#), r#"{"ä":2}"#);
        assert_eq!(merge(" { \"a\" : { \"b\" : 1 } , \"c\":[ ]} ", "{}"), r#"{"a":{"b":1},"c":[ ]}"#);
    }

    #[test]
    fn keys_alone() {
        let text = r#"{"x":1,"o":{"p":{"q":"deep"},"r":"s"},"l":[{"m":1}],"e":{},"n":null}"#;
        assert_eq!(keys(text, None), r#"{"x":null,"o":{"p":{"q":null},"r":null},"l":null,"e":null,"n":null}"#);
        assert_eq!(keys(text, Some(1)), r#"{"x":null,"o":null,"l":null,"e":null,"n":null}"#);
        assert_eq!(keys(text, Some(2)), r#"{"x":null,"o":{"p":null,"r":null},"l":null,"e":null,"n":null}"#);
        assert_eq!(keys("{}", None), "{}");
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |levels: usize| format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels));
        assert!(Tree::parse(&nested(MAX_DEPTH)).is_ok());
        assert_eq!(Tree::parse(&nested(MAX_DEPTH + 1)).unwrap_err(), TreeError::TooDeep);
    }

    #[test]
    fn broken_text_is_an_error_and_no_panic() {
        for bad in ["", "{", "{\"a\"", "{\"a\":", "{\"a\":1", "[", "\"", "\"\\", "{\"a\" 1}", "{a:1}", "{\"a\":1]"] {
            assert!(Tree::parse(bad).is_err(), "{bad}");
        }
    }

    /// Ten plain lines over parsed values.
    fn model(target: Value, patch: Value) -> Value {
        let Value::Object(changes) = patch else { return patch };
        let mut object = if let Value::Object(object) = target { object } else { Map::new() };
        for (key, value) in changes {
            if value.is_null() {
                object.remove(&key);
            } else {
                let old = object.remove(&key).unwrap_or(Value::Null);
                object.insert(key, model(old, value));
            }
        }
        Value::Object(object)
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[a-c\"\\\\{}\\[\\]:, é]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[ab\"\\\\]{0,2}", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn merges_like_the_model(target in json(), patch in json()) {
            let merged = merge(&target.to_string(), &patch.to_string());
            prop_assert_eq!(serde_json::from_str::<Value>(&merged).unwrap(), model(target, patch));
        }
    }
}
