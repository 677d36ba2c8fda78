//! Documentation made from route tables: OpenAPI and the texts of `?help=1`.

use crate::pattern::Pattern;
use crate::route::{Access, Route, Routes};
use crate::{FieldSpec, ParamSource};
use bulla_types::Operation;
use serde_json::{Map, Value, json};

/// An OpenAPI 3.0 document under construction.
pub struct OpenApi {
    paths: Map<String, Value>,
}

impl Default for OpenApi {
    fn default() -> Self {
        Self { paths: Map::new() }
    }
}

impl OpenApi {
    /// Adds a table under its mount path (`secret/`; `` for paths that are complete already).
    pub fn add<C>(&mut self, mount: &str, routes: &Routes<C>) {
        for route in routes.iter() {
            let path = format!("/{mount}{}", openapi_path(&route.pattern));
            let entry = self.paths.entry(path).or_insert_with(|| json!({}));
            if let Value::Object(item) = entry {
                fill_path(item, mount, route);
            }
        }
    }

    pub fn finish(self, version: &str) -> Value {
        json!({
            "openapi": "3.0.2",
            "info": {
                "title": "Bulla API",
                "description": "HTTP API that gives you full access to Bulla. All API routes are prefixed with `/v1/`.",
                "version": version,
                "license": { "name": "Mozilla Public License 2.0", "url": "https://www.mozilla.org/en-US/MPL/2.0" },
            },
            "paths": self.paths,
            "components": { "schemas": {} },
        })
    }
}

fn fill_path<C>(item: &mut Map<String, Value>, mount: &str, route: &Route<C>) {
    item.insert("description".into(), route.synopsis.into());
    if route.access == Access::Public {
        item.insert("x-vault-unauthenticated".into(), true.into());
    }
    if route.access == Access::Sudo {
        item.insert("x-vault-sudo".into(), true.into());
    }
    if route.has_existence_check() {
        item.insert("x-vault-createSupported".into(), true.into());
    }
    let in_path: Vec<&FieldSpec> = unique(route, ParamSource::Path);
    if !in_path.is_empty() {
        let parameters: Vec<Value> = in_path
            .iter()
            .map(|f| {
                json!({ "name": f.name, "in": "path", "required": true, "description": f.help, "schema": { "type": "string" } })
            })
            .collect();
        item.insert("parameters".into(), parameters.into());
    }
    let tag = if mount.starts_with("auth/") {
        "auth"
    } else if mount.starts_with("sys/") {
        "system"
    } else {
        "secrets"
    };
    for op in &route.operations {
        let (verb, list) = match op.operation {
            Operation::Read => ("get", false),
            Operation::List | Operation::Scan => ("get", true),
            Operation::Delete => ("delete", false),
            Operation::Patch => ("patch", false),
            _ => ("post", false),
        };
        let mut entry =
            json!({ "tags": [tag], "summary": op.summary, "responses": { "200": { "description": "OK" } } });
        let body: Vec<&FieldSpec> = op.fields.iter().filter(|f| f.source == ParamSource::Body).collect();
        if verb == "get" && list {
            entry["parameters"] = json!([{ "name": "list", "in": "query", "description": "Must be set to `true`", "schema": { "type": "string", "enum": ["true"] }, "required": true }]);
        } else if matches!(verb, "post" | "patch") && !body.is_empty() {
            let properties: Map<String, Value> = body.iter().map(|f| (f.name.to_owned(), schema(f))).collect();
            entry["requestBody"] = json!({ "content": { "application/json": { "schema": { "type": "object", "properties": properties } } } });
        }
        item.insert(verb.into(), entry);
    }
}

fn schema(field: &FieldSpec) -> Value {
    let (kind, format) = field.kind.openapi();
    let mut schema = json!({ "type": kind, "description": field.help });
    if let Some(format) = format {
        schema["format"] = format.into();
    }
    if kind == "array" {
        schema["items"] = json!({ "type": "string" });
    }
    schema
}

fn unique<C>(route: &Route<C>, source: ParamSource) -> Vec<&'static FieldSpec> {
    let mut seen: Vec<&'static FieldSpec> = Vec::new();
    for field in route.operations.iter().flat_map(|op| op.fields.iter()).filter(|f| f.source == source) {
        if !seen.iter().any(|f| f.name == field.name) {
            seen.push(field);
        }
    }
    seen
}

/// What of a table its readers would find empty: routes, and parameters of theirs. For tests.
pub fn undocumented<C>(routes: &Routes<C>) -> Vec<String> {
    let mut found = Vec::new();
    for route in routes.iter() {
        let pattern = route.pattern.text();
        if route.synopsis.is_empty() || route.description.is_empty() {
            found.push(pattern.to_owned());
        }
        let fields = route.operations.iter().flat_map(|op| op.fields);
        found.extend(fields.filter(|f| f.help.is_empty()).map(|f| format!("{pattern}: {}", f.name)));
    }
    found
}

/// `data/{path..}` -> `data/{path}`.
fn openapi_path(pattern: &Pattern) -> String {
    let mut out = String::new();
    for (index, segment) in pattern.text().split('/').enumerate() {
        if index > 0 {
            out.push('/');
        }
        match segment.strip_prefix('{') {
            Some(rest) => {
                let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                out.push('{');
                out.push_str(&name);
                out.push('}');
            }
            None => out.push_str(segment),
        }
    }
    out
}

/// The help of one path: request, matching route, description, parameters.
pub fn describe<C>(path: &str, route: &Route<C>) -> String {
    let mut text =
        format!("Request:        {path}\nMatching Route: ^{}$\n\n{}\n\n", route.pattern.text(), route.synopsis);
    let fields: Vec<&FieldSpec> = {
        let mut all = unique(route, ParamSource::Path);
        all.extend(unique(route, ParamSource::Body));
        all.sort_by_key(|f| f.name);
        all
    };
    if !fields.is_empty() {
        text.push_str("## PARAMETERS\n\n");
        for field in fields {
            text.push_str(&format!("    {} ({})\n\n        {}\n\n", field.name, field.kind.word(), field.help));
        }
    }
    text.push_str("## DESCRIPTION\n\n");
    text.push_str(route.description);
    text.push('\n');
    text
}
