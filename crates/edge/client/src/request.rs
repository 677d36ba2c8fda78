//! One call: method, path below `/v1/`, query, body, and what only this call needs in its headers.

use std::{fmt, fmt::Write as _};

use bytes::Bytes;

use crate::{Json, Token};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    /// Sent as `GET` with `list=true`, which passes every proxy.
    List,
    Put,
    Post,
    Patch,
    Delete,
    Head,
}

impl Method {
    /// The verb on the wire.
    pub const fn verb(self) -> &'static str {
        match self {
            Self::Get | Self::List => "GET",
            Self::Put => "PUT",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Head => "HEAD",
        }
    }

    /// Whether repeating it after a lost answer does no harm.
    pub const fn is_idempotent(self) -> bool {
        matches!(self, Self::Get | Self::List | Self::Head | Self::Delete)
    }
}

/// A request before it meets a client.
pub struct Request {
    pub method: Method,
    path: String,
    query: Vec<(String, String)>,
    pub(crate) body: Option<(Bytes, &'static str)>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) token: Option<Token>,
    pub(crate) retry: bool,
}

impl Request {
    /// `path` is below `/v1/`, unescaped; slashes at its ends and doubled ones do not count.
    pub fn new(method: Method, path: &str) -> Self {
        let path: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let query = if method == Method::List { vec![("list".to_owned(), "true".to_owned())] } else { Vec::new() };
        Self { method, path: path.join("/"), query, body: None, headers: Vec::new(), token: None, retry: true }
    }

    pub fn get(path: &str) -> Self {
        Self::new(Method::Get, path)
    }

    pub fn list(path: &str) -> Self {
        Self::new(Method::List, path)
    }

    pub fn put(path: &str, body: &Json) -> Self {
        Self::new(Method::Put, path).json(body)
    }

    pub fn post(path: &str, body: &Json) -> Self {
        Self::new(Method::Post, path).json(body)
    }

    pub fn delete(path: &str) -> Self {
        Self::new(Method::Delete, path)
    }

    /// A merge patch (RFC 7396).
    pub fn patch(path: &str, body: &Json) -> Self {
        let mut request = Self::new(Method::Patch, path);
        request.body = Some((Bytes::from(body.compact()), "application/merge-patch+json"));
        request
    }

    #[must_use]
    pub fn json(mut self, body: &Json) -> Self {
        self.body = Some((Bytes::from(body.compact()), "application/json"));
        self
    }

    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.query.push((name.to_owned(), value.to_owned()));
        self
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Uses this token instead of the client's.
    #[must_use]
    pub fn with_token(mut self, token: Token) -> Self {
        self.token = Some(token);
        self
    }

    /// One attempt only: for questions whose bad answer is an answer, like the seal status.
    #[must_use]
    pub const fn once(mut self) -> Self {
        self.retry = false;
        self
    }

    /// The path below `/v1/` as given.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The body's text, if there is one.
    pub fn body_text(&self) -> Option<std::borrow::Cow<'_, str>> {
        self.body.as_ref().map(|(bytes, _)| String::from_utf8_lossy(bytes))
    }

    pub fn content_type(&self) -> Option<&'static str> {
        self.body.as_ref().map(|(_, kind)| *kind)
    }

    pub fn header_pairs(&self) -> &[(String, String)] {
        &self.headers
    }

    /// Path and query, escaped, from `/v1/` on.
    pub fn target(&self) -> String {
        let mut target = String::from("/v1/");
        escape(&mut target, &self.path, b"-_.~$&+,/:;=@");
        for (i, (name, value)) in self.query.iter().enumerate() {
            target.push(if i == 0 { '?' } else { '&' });
            escape(&mut target, name, b"-_.~");
            target.push('=');
            escape(&mut target, value, b"-_.~");
        }
        target
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = self.body.as_ref().map_or(0, |(bytes, _)| bytes.len());
        write!(f, "Request({} {}, body of {body} bytes)", self.method.verb(), self.path)
    }
}

fn escape(out: &mut String, text: &str, keep: &[u8]) {
    for &byte in text.as_bytes() {
        if byte.is_ascii_alphanumeric() || keep.contains(&byte) {
            out.push(char::from(byte));
        } else {
            // writing to a String cannot fail
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_escaped_and_tidy() {
        assert_eq!(Request::get("/secret//a b%/ü?").target(), "/v1/secret/a%20b%25/%C3%BC%3F");
        assert_eq!(Request::list("cubbyhole/").target(), "/v1/cubbyhole?list=true");
        assert_eq!(Request::get("x").query("a", "b&c").target(), "/v1/x?a=b%26c");
    }

    #[test]
    fn debug_hides_the_body() {
        let request = Request::put("x", &Json::object([("password", Json::text("hunter2"))]));
        assert_eq!(format!("{request:?}"), "Request(PUT x, body of 22 bytes)");
    }
}
