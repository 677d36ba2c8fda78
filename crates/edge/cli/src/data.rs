//! `key=value` words to JSON: `k=v`, `k=@file`, `k=-` (standard input), `@file` and `-` alone for whole JSON objects,
//! `k=\@v` for a value that begins with `@`; other backslashes are the value's own. A repeated key collects a list. Values are texts; the server converts.

use bulla_client::Json;

use crate::ui::Ui;

/// The object these words spell.
///
/// # Errors
/// In plain words, without any of the words given: a secret may be among them.
pub fn parse(words: &[String], ui: &mut Ui) -> Result<Json, String> {
    let mut data = Json::Object(Vec::new());
    for (i, word) in words.iter().enumerate() {
        if word == "-" {
            let text = ui.input()?;
            merge(&mut data, &text, "standard input")?;
        } else if let Some(file) = word.strip_prefix('@') {
            merge(&mut data, &read(file)?, file)?;
        } else {
            let Some((key, value)) = word.split_once('=') else {
                return Err(format!("invalid key/value pair (word {} of the data): format must be key=value", i + 1));
            };
            add(&mut data, key, Json::text(value_of(value, ui)?));
        }
    }
    Ok(data)
}

/// What the text behind `=` stands for.
///
/// # Errors
/// As [`parse`].
pub fn value_of(value: &str, ui: &mut Ui) -> Result<String, String> {
    if value == "-" {
        return Ok(ui.input()?.to_string());
    }
    if let Some(file) = value.strip_prefix('@') {
        return read(file);
    }
    let escaped = value.strip_prefix('\\').filter(|rest| rest.starts_with('@'));
    Ok(escaped.unwrap_or(value).to_owned())
}

fn read(file: &str) -> Result<String, String> {
    std::fs::read_to_string(file).map_err(|e| format!("error reading file {file:?}: {e}"))
}

fn merge(data: &mut Json, text: &str, source: &str) -> Result<(), String> {
    match Json::parse(text.as_bytes()) {
        Ok(Json::Object(members)) => members.into_iter().for_each(|(key, value)| add(data, &key, value)),
        Ok(_) => return Err(format!("{source} is not a JSON object")),
        Err(e) => return Err(format!("{source}: {e}")),
    }
    Ok(())
}

fn add(data: &mut Json, key: &str, value: Json) {
    let value = match data.get(key).cloned() {
        None => value,
        Some(Json::List(mut items)) => {
            items.push(value);
            Json::List(items)
        }
        Some(first) => Json::List(vec![first, value]),
    };
    data.set(key, value);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn parsed(words: &[&str], input: &'static str) -> Result<String, String> {
        let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
        let mut ui = Ui::of_test(Box::new(std::io::sink()), Box::new(std::io::sink()), Box::new(input.as_bytes()));
        parse(&words, &mut ui).map(|json| json.compact())
    }

    #[test]
    fn every_spelling() {
        assert_eq!(parsed(&["a=1", "b=x=y", r"c=\@z", "d="], "").unwrap(), r#"{"a":"1","b":"x=y","c":"@z","d":""}"#);
        assert_eq!(parsed(&[r"a=\-x", r"b=\\@"], "").unwrap(), r#"{"a":"\\-x","b":"\\\\@"}"#);
        assert_eq!(parsed(&["a=1", "a=2", "a=3"], "").unwrap(), r#"{"a":["1","2","3"]}"#);
        assert_eq!(parsed(&["-"], r#"{"j":1,"k":[1,2.0]}"#).unwrap(), r#"{"j":1,"k":[1,2.0]}"#);
        assert_eq!(parsed(&["k=-"], "in\n").unwrap(), r#"{"k":"in\n"}"#);
        assert_eq!(parsed(&["e=@/dev/null"], "").unwrap(), r#"{"e":""}"#);
    }

    #[test]
    fn mistakes() {
        let told = parsed(&["a=1", "hunter2"], "").unwrap_err();
        assert!(told.contains("word 2") && told.ends_with("format must be key=value") && !told.contains("hunter2"));
        assert!(parsed(&["a=-", "b=-"], "x").unwrap_err().contains("only once"));
        assert!(parsed(&["-"], "[1]").unwrap_err().contains("not a JSON object"));
        assert!(parsed(&["a=@/no/such/file"], "").is_err());
    }
}
