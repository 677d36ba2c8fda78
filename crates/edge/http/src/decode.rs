//! From the head of an HTTP request to what core understands. Text becomes types here, once.
//!
//! The order of the checks is what clients see when a request is wrong in several ways: path, verb, headers, body.

use crate::headers;
use crate::query;
use crate::settings::Settings;
use bulla_core::WrapRequest;
use bulla_kit::{Body, BodyLimits};
use bulla_secret::SecretText;
use bulla_types::{Operation, PathError, RequestPath, clean_path};
use http::request::Parts;
use http::{Method, StatusCode};

/// A request that is answered without asking core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Early {
    Redirect(String),
    Refused {
        status: StatusCode,
        errors: Vec<String>,
    },
    /// No body at all.
    Bare(StatusCode),
}

impl Early {
    pub(crate) fn bad(text: impl Into<String>) -> Self {
        Self::Refused { status: StatusCode::BAD_REQUEST, errors: vec![text.into()] }
    }

    pub(crate) fn silent(status: StatusCode) -> Self {
        Self::Refused { status, errors: Vec::new() }
    }
}

/// Everything but the body.
pub(crate) struct Head {
    pub(crate) path: RequestPath,
    pub(crate) operation: Operation,
    pub(crate) namespace: String,
    pub(crate) token: Option<SecretText>,
    pub(crate) wrap: Option<WrapRequest>,
    pub(crate) form: bool,
    /// Query members of a read, list or delete; `None` for writes, whose members come in the body, and for [`CANCELS`].
    pub(crate) members: Option<Body>,
}

pub(crate) fn head(parts: &Parts, settings: &Settings) -> Result<Head, Early> {
    let path = request_path(parts)?;
    let pairs =
        query::pairs(parts.uri.query().unwrap_or_default()).ok_or_else(|| Early::silent(StatusCode::BAD_REQUEST))?;
    if settings.require_request_header && parts.headers.get(headers::REQUEST).is_none_or(|v| v != "true") {
        let errors = vec!["missing 'X-Vault-Request' header".to_owned()];
        return Err(Early::Refused { status: StatusCode::PRECONDITION_FAILED, errors });
    }
    let token = headers::token(&parts.headers);
    let operation = operation(&parts.method, &path, &pairs, token.is_some())?;
    check_write(operation, &path, parts)?;
    let wrap = headers::wrap(&parts.headers).map_err(Early::bad)?;
    let folder = matches!(operation, Operation::List | Operation::Scan);
    if folder && OPEN.contains(&path.as_str()) {
        return Err(Early::silent(StatusCode::METHOD_NOT_ALLOWED));
    }
    let cancels = operation == Operation::Delete && pairs.is_empty() && CANCELS.contains(&path.as_str());
    let in_body = operation.writes() || cancels;
    Ok(Head {
        path: if folder { path.as_folder() } else { path },
        operation,
        namespace: namespace(parts)?,
        token: token.map(|t| SecretText::from(t.to_owned())),
        wrap,
        form: headers::media_type(&parts.headers).eq_ignore_ascii_case("application/x-www-form-urlencoded"),
        members: (!in_body).then(|| members(pairs, operation)),
    })
}

/// # Errors
/// The answer to a body that is no JSON object or form within the limits.
pub(crate) fn body(text: &[u8], form: bool, limits: &BodyLimits) -> Result<Body, Early> {
    // `curl -d '{…}'` sends JSON under the form's type unless told otherwise, and so do most scripts.
    let looks_like_json = matches!(text.trim_ascii_start().first(), Some(b'{' | b'['));
    if !form || looks_like_json {
        return Body::parse(text, limits).map_err(|e| Early::bad(e.to_string()));
    }
    let pairs = std::str::from_utf8(text).ok().and_then(query::pairs);
    pairs.map(query::body_of).ok_or_else(|| Early::bad("error parsing form data"))
}

fn request_path(parts: &Parts) -> Result<RequestPath, Early> {
    let raw = parts.uri.path();
    if needs_cleaning(raw)
        && let Some(mut clean) = clean_path(raw)
    {
        if let Some(query) = parts.uri.query() {
            clean.push('?');
            clean.push_str(query);
        }
        return Err(Early::Redirect(clean));
    }
    let decoded = query::percent_decode(raw).map_err(|_| Early::silent(StatusCode::BAD_REQUEST))?;
    if decoded.chars().any(char::is_control) {
        return Err(Early::Bare(StatusCode::BAD_REQUEST));
    }
    let Some(below) = decoded.strip_prefix("/v1/") else {
        return Err(Early::silent(StatusCode::NOT_FOUND));
    };
    RequestPath::parse(below).map_err(|error| match error {
        PathError::Control => Early::Bare(StatusCode::BAD_REQUEST),
        other => Early::bad(other.to_string()),
    })
}

/// Almost no path does; spares the others the work.
fn needs_cleaning(path: &str) -> bool {
    path.contains("//") || path.contains("/.")
}

fn operation(
    method: &Method,
    path: &RequestPath,
    pairs: &[(String, String)],
    has_token: bool,
) -> Result<Operation, Early> {
    let is_read = method == Method::GET;
    let asks_help = pairs.iter().any(|(name, value)| name == "help" && !value.is_empty());
    if (is_read && asks_help) || method.as_str() == "HELP" {
        return Ok(Operation::Help);
    }
    match method.as_str() {
        "GET" => read_or_list(pairs),
        "POST" | "PUT" => Ok(Operation::Update),
        "DELETE" => Ok(Operation::Delete),
        "LIST" => Ok(Operation::List),
        "SCAN" => Ok(Operation::Scan),
        "PATCH" => Ok(Operation::Patch),
        "HEAD" => head_operation(path, has_token),
        _ => Err(Early::silent(StatusCode::METHOD_NOT_ALLOWED)),
    }
}

fn read_or_list(pairs: &[(String, String)]) -> Result<Operation, Early> {
    let flag = |wanted: &str| match pairs.iter().find(|(name, value)| name == wanted && !value.is_empty()) {
        None => Ok(false),
        Some((_, value)) => query::parse_bool(value).ok_or_else(|| Early::silent(StatusCode::BAD_REQUEST)),
    };
    match (flag("list")?, flag("scan")?) {
        (true, true) => Err(Early::silent(StatusCode::BAD_REQUEST)),
        (true, false) => Ok(Operation::List),
        (false, true) => Ok(Operation::Scan),
        (false, false) => Ok(Operation::Read),
    }
}

/// Routes that are open to everybody and answered before any mount is looked at.
const OPEN: [&str; 6] = ["sys/seal-status", "sys/init", "sys/leader", "sys/unseal", "sys/seal", "sys/health"];

/// Where a DELETE cancels an operation on shares: clients send the nonce that this takes in the body. Anywhere else the
/// body of a DELETE is not looked at.
const CANCELS: [&str; 6] = [
    "sys/rotate/root/init",
    "sys/rotate/root/verify",
    "sys/rekey/init",
    "sys/rekey/verify",
    "sys/generate-root/attempt",
    "sys/generate-root-token/attempt",
];

/// Besides health, the routes that are answered while sealed.
const ALWAYS_OPEN: [&str; 5] = ["sys/seal-status", "sys/init", "sys/leader", "sys/unseal", "sys/seal"];

/// Only the health route knows HEAD. Elsewhere the refusal tells nothing of what is there: it depends on the presence
/// of a token and on whether the route is one of those open to everybody, and on nothing else.
fn head_operation(path: &RequestPath, has_token: bool) -> Result<Operation, Early> {
    match path.as_str() {
        "sys/health" => Ok(Operation::Read),
        known if has_token || ALWAYS_OPEN.contains(&known) => Err(Early::silent(StatusCode::METHOD_NOT_ALLOWED)),
        _ => Err(Early::Refused { status: StatusCode::FORBIDDEN, errors: vec!["permission denied".into()] }),
    }
}

fn check_write(operation: Operation, path: &RequestPath, parts: &Parts) -> Result<(), Early> {
    // These know no PATCH whatever it holds, and core says so.
    if operation == Operation::Patch && !ALWAYS_OPEN.contains(&path.as_str()) {
        let kind = headers::media_type(&parts.headers);
        if !kind.eq_ignore_ascii_case("application/merge-patch+json") {
            let text = format!("PATCH requires Content-Type of application/merge-patch+json, provided {kind}");
            return Err(Early::Refused { status: StatusCode::UNSUPPORTED_MEDIA_TYPE, errors: vec![text] });
        }
    }
    if operation.writes() && path.as_str().ends_with('/') {
        return Err(Early::bad("cannot write to a path ending in '/'"));
    }
    Ok(())
}

fn namespace(parts: &Parts) -> Result<String, Early> {
    let Some(value) = parts.headers.get(headers::NAMESPACE) else {
        return Ok(String::new());
    };
    let text = value.to_str().map_err(|_| Early::bad("the namespace header is not a text"))?;
    let trimmed = text.trim_matches('/');
    RequestPath::parse(trimmed).map_err(|e| Early::bad(e.to_string()))?;
    Ok(trimmed.to_owned())
}

/// The members that the verb itself does not use.
fn members(pairs: Vec<(String, String)>, operation: Operation) -> Body {
    if pairs.is_empty() {
        return Body::default();
    }
    let is_verb = |name: &str| match operation {
        Operation::Read | Operation::List | Operation::Scan => matches!(name, "list" | "scan"),
        Operation::Help => name == "help",
        _ => false,
    };
    query::body_of(pairs.into_iter().filter(|(name, _)| !is_verb(name)).collect())
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
