//! How a command shows what the server answered, in the format that was asked for. Not here: the layouts (`output`).

use bulla_client::{Json, Secret};

use crate::{
    context::Ctx,
    failure::{Done, Failure},
    output::{self, Format},
};

impl Ctx {
    /// Prints an envelope in the chosen format, with its warnings on standard error.
    pub fn show(&mut self, secret: &Secret) -> Done {
        // Tokens and leased secrets are made for this one answer.
        if secret.auth.is_some() || secret.wrap_info.is_some() || !secret.lease_id.is_empty() {
            self.ui.once_only();
        }
        if let Some(field) = self.field() {
            return self.show_field(secret, &field);
        }
        match self.format {
            Format::Table => {
                self.warn_of(secret);
                let rows = output::secret_rows(secret);
                if !rows.is_empty() {
                    self.ui.say(&output::table(&["Key", "Value"], &rows));
                }
                Ok(0)
            }
            _ => self.show_json(&output::secret_json(secret)),
        }
    }

    /// Prints one field of an envelope.
    pub fn show_field(&mut self, secret: &Secret, field: &str) -> Done {
        match output::raw_field(secret, field) {
            Some(value) => {
                self.warn_of(secret);
                self.show_value(&value)
            }
            None => Err(no_field(field)),
        }
    }

    /// Prints one member of an object.
    pub fn show_member(&mut self, object: &Json, field: &str) -> Done {
        match object.get(field).filter(|value| !value.is_null()) {
            Some(value) => self.show_value(value),
            None => Err(no_field(field)),
        }
    }

    /// Prints a value by itself: no newline unless a person is looking.
    pub fn show_value(&mut self, value: &Json) -> Done {
        let text = match self.format {
            Format::Table | Format::Raw => output::display(value),
            Format::Json => value.pretty(),
            Format::Yaml => output::yaml(value),
        };
        if self.ui.out_is_terminal {
            self.ui.say(&text);
        } else {
            self.ui.bytes(text.as_bytes());
        }
        Ok(0)
    }

    /// Prints a list answer: its keys, or all of it with `-detailed`.
    pub fn show_list(&mut self, secret: &Secret) -> Done {
        let detailed = self.enabled("detailed");
        let keys = secret.keys().unwrap_or_default();
        if !self.is_table() {
            let list = Json::List(keys.to_vec());
            return self.show_json(&if detailed { output::secret_json(secret) } else { list });
        }
        self.warn_of(secret);
        let mut names: Vec<String> = keys.iter().map(output::display).collect();
        names.sort();
        let info = secret.field("key_info").filter(|info| detailed && !info.members().is_empty());
        if !names.is_empty() {
            self.ui.say(&list_table(&names, info));
        }
        Ok(0)
    }

    /// Prints structured data; as a table it is rows of key and value.
    pub fn show_json(&mut self, data: &Json) -> Done {
        match self.format {
            Format::Json => self.ui.say(&data.pretty()),
            Format::Yaml => self.ui.say(&output::yaml(data)),
            Format::Table => {
                let rows = output::map_rows(data);
                if !rows.is_empty() {
                    self.ui.say(&output::table(&["Key", "Value"], &rows));
                }
            }
            Format::Raw => return Err(Failure::local("This command does not support the -format=raw option.")),
        }
        Ok(0)
    }

    /// The answer's warnings, on standard error.
    pub fn warn_of(&mut self, secret: &Secret) {
        if secret.warnings.is_empty() {
            return;
        }
        self.ui.warn("WARNING! The following warnings were returned from the server:\n");
        for warning in &secret.warnings {
            self.ui.warn(&output::wrap(&format!("* {warning}"), 2));
            self.ui.warn("");
        }
    }
}

fn no_field(field: &str) -> Failure {
    Failure::local(format!("Field {field:?} not present in secret"))
}

fn list_table(names: &[String], info: Option<&Json>) -> String {
    let Some(info) = info else {
        let rows: Vec<[String; 1]> = names.iter().map(|name| [name.clone()]).collect();
        return output::table(&["Keys"], &rows);
    };
    let mut columns: Vec<&str> =
        info.members().iter().flat_map(|(_, of)| of.members()).map(|(k, _)| k.as_str()).collect();
    columns.sort_unstable();
    columns.dedup();
    let rows: Vec<Vec<String>> = names
        .iter()
        .map(|name| {
            let of = info.get(name);
            let cells = columns
                .iter()
                .map(|c| of.and_then(|of| of.get(c)).map_or_else(|| "n/a".to_owned(), |value| output::cell(c, value)));
            std::iter::once(name.clone()).chain(cells).collect()
        })
        .collect();
    let heading: Vec<&str> = std::iter::once("Keys").chain(columns.iter().copied()).collect();
    output::table(&heading, &rows)
}
