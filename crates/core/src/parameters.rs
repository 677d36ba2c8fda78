//! A request's parameters as policy rules look at them: those of the body, or only the names that a second path would get.
//!
//! Rules hold under all names of a parameter. Not here: the rules (`rules/policy`), which names are one parameter (the
//! routes, `engines/kit`).

use bulla_kit::{Body, FieldSpec};
use bulla_policy::Parameters;
use serde_json::Value;
use std::ops::ControlFlow;

/// What the parameter that is called `name` in any case is called today.
fn present_name<'n>(fields: &[FieldSpec], name: &'n str) -> &'n str {
    let field = fields.iter().find(|field| field.older_name_of.is_some() && field.name.eq_ignore_ascii_case(name));
    field.map_or(name, |field| field.present_name())
}

/// A request's parameters as policy rules look at them.
pub struct BodyParameters<'a> {
    pub body: &'a Body,
    /// Those of the route; they tell which names mean one parameter.
    pub fields: &'static [FieldSpec],
}

impl BodyParameters<'_> {
    /// The page size asked for, if it is a number.
    pub fn limit(&self) -> Option<i64> {
        let raw = self.body.get("limit")?;
        match raw.to_value() {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }
    }
}

impl Parameters for BodyParameters<'_> {
    fn has(&self, name: &str) -> bool {
        let present = self.present(name);
        let mut named = self.fields.iter().filter(|field| field.present_name() == present);
        self.body.get(name).is_some() || named.any(|field| self.body.get(field.name).is_some())
    }

    fn present<'n>(&self, name: &'n str) -> &'n str {
        present_name(self.fields, name)
    }

    fn visit(&self, look: &mut dyn FnMut(&str, &Value) -> ControlFlow<()>) {
        for (name, raw) in self.body.iter() {
            if look(name, &raw.to_value()).is_break() {
                return;
            }
        }
    }
}

/// Parameters of which only the names are known. Rules that allow or deny a name as such apply; one that allows only
/// certain values allows none of these.
pub struct Unseen<'a> {
    pub names: &'a [&'a str],
    pub fields: &'static [FieldSpec],
}

impl Parameters for Unseen<'_> {
    fn has(&self, name: &str) -> bool {
        let present = self.present(name);
        self.names.iter().any(|own| *own == name || present_name(self.fields, own) == present)
    }

    fn present<'n>(&self, name: &'n str) -> &'n str {
        present_name(self.fields, name)
    }

    fn visit(&self, see: &mut dyn FnMut(&str, &Value) -> ControlFlow<()>) {
        for name in self.names {
            if see(name, &Value::Null).is_break() {
                return;
            }
        }
    }
}
