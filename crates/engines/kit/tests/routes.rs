//! What the router promises: one meaning a path, and parameters as the derive reads them.
#![allow(clippy::unwrap_used, reason = "tests")]

use bulla_kit::{
    Body, BodyLimits, EngineError, FieldKind, Flag, Input, NoParams, ParamSource, Params, Reply, Route, Routes,
};
use bulla_types::{Operation, Seconds};
use std::future::ready;
use std::sync::Arc;

fn answer(
    text: &'static str,
) -> impl Fn((), NoParams) -> std::future::Ready<bulla_kit::Answer> + Send + Sync + 'static {
    move |(), _| ready(Reply::json(text))
}

fn table() -> Routes<()> {
    Routes::new(vec![
        Route::token("data").read(answer("root")),
        Route::token("data/{path..}").read(answer("data")).update(answer("data")),
        Route::token("roles").list(answer("roles")),
        Route::token("roles/{name}").folded(&["name"]).read(answer("role")),
        Route::token("{path..?}").read(answer("rest")),
    ])
}

fn found(path: &str, operation: Operation) -> Option<(&'static str, Vec<(String, String)>)> {
    let routes = table();
    let (index, captures) = routes.find(path, operation)?;
    Some((routes.get(index)?.pattern.text(), captures.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect()))
}

#[test]
fn the_first_pattern_that_fits_wins_whatever_its_operations() {
    assert_eq!(found("data", Operation::Read).unwrap().0, "data");
    assert_eq!(found("data", Operation::Delete).unwrap().0, "data");
    assert_eq!(found("data/a/b", Operation::List).unwrap(), ("data/{path..}", vec![("path".into(), "a/b".into())]));
    assert_eq!(found("data/", Operation::Read).unwrap().0, "{path..?}");
    let routes = table();
    let (index, _) = routes.find("data", Operation::Delete).unwrap();
    assert!(routes.get(index).unwrap().operation(Operation::Delete).is_none());
}

#[test]
fn only_a_route_that_lists_passes_over_the_slash_of_a_list() {
    assert_eq!(found("roles/", Operation::List).unwrap().0, "roles");
    assert_eq!(found("roles/", Operation::Read).unwrap().0, "{path..?}");
    assert_eq!(found("data/", Operation::List).unwrap().0, "{path..?}");
}

#[test]
fn folded_captures_arrive_in_one_spelling() {
    assert_eq!(found("roles/Admin", Operation::Read).unwrap().1, [("name".into(), "admin".into())]);
    assert_eq!(found("other/Admin", Operation::Read).unwrap().1, [("path".into(), "other/Admin".into())]);
}

#[test]
fn a_create_is_served_by_the_update() {
    let routes = table();
    let (index, _) = routes.find("data/a", Operation::Create).unwrap();
    assert_eq!(routes.get(index).unwrap().operation(Operation::Create).unwrap().operation, Operation::Update);
}

/// Parameters of all kinds.
#[derive(Debug, Params)]
struct Sample {
    /// Where it is.
    /// In two lines.
    #[param(path)]
    path: String,
    /// How long.
    #[param(name = "ttl", default = Seconds(60))]
    time: Seconds,
    #[param(required)]
    count: i64,
    r#type: Flag,
}

#[derive(Params)]
#[params(free_form)]
struct Anything {
    #[param(path)]
    #[allow(dead_code, reason = "only its table is looked at")]
    path: String,
}

fn sample(path: &str, body: &str) -> Result<Sample, EngineError> {
    let routes = table();
    let captures = routes.find(path, Operation::Read).unwrap().1;
    let body = Arc::new(Body::parse(body.as_bytes(), &BodyLimits::default()).unwrap());
    Sample::from_input(&Input { operation: Operation::Read, path: path.into(), captures, body })
}

#[test]
fn the_derive_describes_its_fields() {
    let fields = Sample::FIELDS;
    assert_eq!(fields.iter().map(|f| f.name).collect::<Vec<_>>(), ["path", "ttl", "count", "type"]);
    assert_eq!(fields[0].help, "Where it is. In two lines.");
    assert_eq!((fields[0].source, fields[0].kind), (ParamSource::Path, FieldKind::Text));
    assert_eq!((fields[1].source, fields[1].kind), (ParamSource::Body, FieldKind::Duration));
    assert!(fields[2].required && !fields[3].required);
    const { assert!(Anything::FREE_FORM && !Sample::FREE_FORM) };
}

#[test]
fn the_derive_reads_its_fields() {
    let read = sample("data/a", r#"{"count":"3","type":true,"path":"b"}"#).unwrap();
    assert_eq!((read.path.as_str(), read.time, read.count, read.r#type), ("a", Seconds(60), 3, Some(true)));
    let read = sample("data/a", r#"{"count":1,"ttl":"5m"}"#).unwrap();
    assert_eq!((read.time, read.r#type), (Seconds(300), None));
}

#[test]
fn a_missing_or_wrong_field_is_named_and_its_value_is_not() {
    assert!(sample("data/a", "{}").unwrap_err().to_string().contains("\"count\""));
    let error = sample("data/a", r#"{"count":"canary"}"#).unwrap_err().to_string();
    assert!(error.contains("\"count\"") && !error.contains("canary"), "{error}");
}
