//! From an answer to HTTP: the only place that knows status codes.

use crate::decode::Early;
use crate::exchange::HttpAnswer;
use crate::settings::CustomHeaders;
use bulla_audit::Disclosable;
use bulla_core::{Answer, ErrorKind, Outcome, Refusal};
use bulla_kit::RawJson;
use bulla_wire::Envelope;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body_util::Full;
use serde::Serialize;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Headers of all answers of a listener, checked once when it is opened.
pub(crate) struct AnswerHeaders {
    rules: Vec<(When, HeaderName, Vec<HeaderValue>)>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum When {
    Always,
    /// The first digit.
    Class(u16),
    Status(u16),
}

impl AnswerHeaders {
    /// Rules that cannot be used are named in the log and left out.
    pub(crate) fn new(custom: &CustomHeaders) -> Self {
        let mut rules: Vec<_> = custom.rules.iter().filter_map(rule).collect();
        // The more exact rule comes later and replaces.
        rules.sort_by_key(|(when, ..)| *when);
        Self { rules }
    }

    fn add(&self, status: StatusCode, headers: &mut HeaderMap) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000; includeSubDomains"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        for (when, name, values) in &self.rules {
            let applies = match when {
                When::Always => true,
                When::Class(digit) => status.as_u16() / 100 == *digit,
                When::Status(code) => status.as_u16() == *code,
            };
            if applies {
                headers.remove(name);
                values.iter().for_each(|v| _ = headers.append(name.clone(), v.clone()));
            }
        }
    }
}

fn rule((key, name, values): &(String, String, Vec<String>)) -> Option<(When, HeaderName, Vec<HeaderValue>)> {
    let when = match key.as_str() {
        "default" => Some(When::Always),
        class if class.len() == 3 && class.ends_with("xx") => class[..1].parse().ok().map(When::Class),
        code => code.parse().ok().filter(|c| (100..600).contains(c)).map(When::Status),
    };
    let reserved = name.to_ascii_lowercase().starts_with("x-vault-");
    let values: Option<Vec<_>> = values.iter().map(|v| HeaderValue::from_str(v).ok()).collect();
    match (when, HeaderName::from_bytes(name.as_bytes()), values) {
        (Some(when), Ok(name), Some(values)) if !reserved => Some((when, name, values)),
        _ => {
            tracing::warn!(status = %key, header = %name, "a custom response header cannot be used and is left out");
            None
        }
    }
}

/// Door 11's proof is given up here: what was not recorded is not encoded.
pub(crate) fn answer(answer: Disclosable<Answer>, headers: &AnswerHeaders) -> HttpAnswer {
    let answer = answer.into_inner();
    let mut encoded = match answer.outcome {
        Outcome::Envelope { envelope, also_at_top, code } => {
            finish(code_or_ok(code), envelope_json(&envelope, also_at_top), Some(JSON), headers)
        }
        Outcome::Bare { data, code } => {
            finish(code_or_ok(code), data.get().to_owned().into_bytes(), Some(JSON), headers)
        }
        Outcome::NoContent => finish(StatusCode::NO_CONTENT, Vec::new(), Some(JSON), headers),
        Outcome::Raw(raw) => {
            let kind = HeaderValue::from_str(raw.content_type).ok();
            finish(code_or_ok(raw.status), raw.bytes, kind, headers)
        }
        Outcome::Refused(refusal) => finish(status_of(refusal.kind), refusal_json(&refusal), Some(JSON), headers),
    };
    for (name, value) in &answer.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
            encoded.headers_mut().append(name, value);
        }
    }
    encoded
}

pub(crate) fn early(early: Early, headers: &AnswerHeaders) -> HttpAnswer {
    match early {
        Early::Redirect(to) => {
            let mut encoded = finish(StatusCode::TEMPORARY_REDIRECT, Vec::new(), None, headers);
            if let Ok(location) = HeaderValue::from_str(&to) {
                encoded.headers_mut().insert(LOCATION, location);
            }
            encoded
        }
        Early::Refused { status, errors } => finish(status, errors_json(&errors, None, &[]), Some(JSON), headers),
        Early::Bare(status) => finish(status, Vec::new(), None, headers),
    }
}

fn finish(status: StatusCode, body: Vec<u8>, kind: Option<HeaderValue>, headers: &AnswerHeaders) -> HttpAnswer {
    // A status without a body by definition (RFC 9110, section 6.4.1) must not carry one.
    let body = if matches!(status.as_u16(), 100..=199 | 204 | 304) { Bytes::new() } else { Bytes::from(body) };
    let mut answer = HttpAnswer::new(Full::new(body));
    *answer.status_mut() = status;
    if let Some(kind) = kind {
        answer.headers_mut().insert(CONTENT_TYPE, kind);
    }
    headers.add(status, answer.headers_mut());
    answer
}

fn code_or_ok(code: Option<u16>) -> StatusCode {
    code.map_or(Ok(StatusCode::OK), StatusCode::from_u16).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn status_of(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::BadRequest => StatusCode::BAD_REQUEST,
        ErrorKind::Denied => StatusCode::FORBIDDEN,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Unsupported => StatusCode::METHOD_NOT_ALLOWED,
        ErrorKind::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ErrorKind::TooMany => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        ErrorKind::BadGateway => StatusCode::BAD_GATEWAY,
        ErrorKind::Sealed | ErrorKind::StoreFull => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn envelope_json(envelope: &Envelope, also_at_top: bool) -> Vec<u8> {
    let size = 512 + envelope.data.as_ref().map_or(0, |d| d.get().len() * if also_at_top { 2 } else { 1 });
    let mut out = Vec::with_capacity(size);
    if also_at_top && let Some(members) = envelope.data.as_ref().and_then(members_of) {
        out.push(b'{');
        out.extend_from_slice(members.as_bytes());
        out.push(b',');
        let start = out.len();
        write_json(&mut out, envelope);
        // The envelope's own brace is in the way; there is always a member behind it.
        out.remove(start);
        return out;
    }
    write_json(&mut out, envelope);
    out
}

/// What stands between the braces of an object that is not empty.
fn members_of(data: &RawJson) -> Option<&str> {
    let inner = data.get().trim().strip_prefix('{')?.strip_suffix('}')?.trim();
    (!inner.is_empty()).then_some(inner)
}

fn refusal_json(refusal: &Refusal) -> Vec<u8> {
    errors_json(&refusal.errors, refusal.data.as_ref(), &refusal.warnings)
}

fn errors_json(errors: &[String], data: Option<&RawJson>, warnings: &[String]) -> Vec<u8> {
    #[derive(Serialize)]
    struct Refused<'a> {
        errors: &'a [String],
        #[serde(skip_serializing_if = "Option::is_none")]
        data: Option<&'a RawJson>,
        #[serde(skip_serializing_if = "<[String]>::is_empty")]
        warnings: &'a [String],
    }
    let mut out = Vec::with_capacity(128);
    write_json(&mut out, &Refused { errors, data, warnings });
    out
}

/// Structures of texts, numbers and ready-made JSON always serialise into memory.
fn write_json<T: Serialize>(out: &mut Vec<u8>, value: &T) {
    if let Err(error) = serde_json::to_writer(&mut *out, value) {
        tracing::error!(%error, "an answer could not be written");
    }
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use bulla_audit::Exemption;

    fn encoded_of(plain: Answer, headers: &AnswerHeaders) -> HttpAnswer {
        answer(Disclosable::exempt(plain, Exemption::HelpText), headers)
    }
    use http_body_util::BodyExt;

    fn plain() -> AnswerHeaders {
        AnswerHeaders::new(&CustomHeaders::default())
    }

    fn text_of(answer: HttpAnswer) -> String {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let bytes = runtime.block_on(answer.into_body().collect()).unwrap().to_bytes();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn refusals_are_lists_of_errors() {
        let encoded = encoded_of(Answer::refused(Refusal::new(ErrorKind::Denied, "permission denied")), &plain());
        assert_eq!(encoded.status(), 403);
        assert_eq!(encoded.headers()["cache-control"], "no-store");
        assert_eq!(encoded.headers()["content-type"], "application/json");
        assert_eq!(text_of(encoded), "{\"errors\":[\"permission denied\"]}\n");
        let silent = encoded_of(Answer::refused(Refusal::silent(ErrorKind::NotFound)), &plain());
        assert_eq!(text_of(silent), "{\"errors\":[]}\n");
    }

    #[test]
    fn members_stand_at_the_top_too() {
        let data = RawJson::parse(r#"{"hash":"x", "n": {"a":1}}"#.into()).unwrap();
        let envelope = Box::new(Envelope { request_id: "r".into(), data: Some(data), ..Envelope::default() });
        let text =
            text_of(encoded_of(Answer::new(Outcome::Envelope { envelope, also_at_top: true, code: None }), &plain()));
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["hash"], "x");
        assert_eq!(value["data"]["n"]["a"], 1);
        assert_eq!(value["request_id"], "r");
        assert!(value["wrap_info"].is_null() && value.as_object().unwrap().contains_key("auth"));
    }

    #[test]
    fn nothing_at_the_top_of_empty_data() {
        let envelope = Box::new(Envelope { data: Some(RawJson::parse("{}".into()).unwrap()), ..Envelope::default() });
        let text = text_of(encoded_of(
            Answer::new(Outcome::Envelope { envelope, also_at_top: true, code: Some(404) }),
            &plain(),
        ));
        assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{text}");
    }

    #[test]
    fn custom_headers_by_status() {
        let rule = |key: &str, name: &str, value: &str| (key.to_owned(), name.to_owned(), vec![value.to_owned()]);
        let rules = vec![
            rule("404", "X-A", "exact"),
            rule("4xx", "X-A", "class"),
            rule("default", "X-A", "all"),
            rule("default", "X-Vault-Thing", "no"),
            rule("abc", "X-B", "no"),
        ];
        let headers = AnswerHeaders::new(&CustomHeaders { rules });
        let value = |status: u16| {
            let answer = early(Early::silent(StatusCode::from_u16(status).unwrap()), &headers);
            assert!(!answer.headers().contains_key("x-vault-thing") && !answer.headers().contains_key("x-b"));
            answer.headers()["x-a"].to_str().unwrap().to_owned()
        };
        assert_eq!([value(404), value(400), value(500)], ["exact", "class", "all"]);
    }

    #[test]
    fn no_content_has_none() {
        let encoded = encoded_of(Answer::new(Outcome::NoContent), &plain());
        assert_eq!(encoded.headers()["content-type"], "application/json");
        assert_eq!(text_of(encoded), "");
    }
}
