//! Requests that a browser sends for a page of another origin (the CORS protocol of the Fetch standard).
//!
//! Judged before anything else of the request is looked at, and only where `sys/config/cors` is set: a page that is not
//! let in learns nothing but that. Not here: which pages are let in (`core`).

use crate::decode::Early;
use bulla_core::Cors;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use std::sync::Arc;

/// Those of Vault and OpenBao.
const METHODS: [&str; 7] = ["DELETE", "GET", "OPTIONS", "POST", "PUT", "LIST", "SCAN"];
/// Seconds for which a browser need not ask again.
const MAX_AGE: HeaderValue = HeaderValue::from_static("300");

/// A page that may call.
pub(crate) struct Granted {
    origin: HeaderValue,
    cors: Arc<Cors>,
    preflight: bool,
}

/// `None` = not a browser's request, or nobody has set what browsers may do.
///
/// # Errors
/// The answer to a page that may not call, or may not call like that.
pub(crate) fn judge(parts: &Parts, cors: impl FnOnce() -> Option<Arc<Cors>>) -> Result<Option<Granted>, Early> {
    let Some(origin) = parts.headers.get(ORIGIN).filter(|o| !o.is_empty()) else { return Ok(None) };
    if !parts.uri.path().starts_with("/v1/") {
        return Ok(None);
    }
    let Some(cors) = cors() else { return Ok(None) };
    // Several origins come from no browser.
    let several = parts.headers.get_all(ORIGIN).iter().nth(1).is_some();
    if several || !origin.to_str().is_ok_and(|text| cors.allows(text)) {
        let errors = vec!["origin not allowed".to_owned()];
        return Err(Early::Refused { status: StatusCode::FORBIDDEN, errors });
    }
    let preflight = parts.method == Method::OPTIONS;
    if preflight {
        let wanted = parts.headers.get(ACCESS_CONTROL_REQUEST_METHOD).map_or(&[][..], HeaderValue::as_bytes);
        if !METHODS.iter().any(|known| known.as_bytes() == wanted) {
            return Err(Early::Bare(StatusCode::METHOD_NOT_ALLOWED));
        }
    }
    Ok(Some(Granted { origin: origin.clone(), cors, preflight }))
}

impl Granted {
    /// The browser asks before it sends the request itself.
    pub(crate) fn is_preflight(&self) -> bool {
        self.preflight
    }

    pub(crate) fn add_to(self, headers: &mut HeaderMap) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, self.origin);
        headers.append(VARY, HeaderValue::from_static("Origin"));
        if self.cors.allows_credentials() {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        if !self.preflight {
            return;
        }
        let allowed = self.cors.headers().collect::<Vec<_>>().join(",");
        for (name, value) in
            [(ACCESS_CONTROL_ALLOW_METHODS, METHODS.join(",")), (ACCESS_CONTROL_ALLOW_HEADERS, allowed)]
        {
            // Checked when it was configured.
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    }
}
