//! One record as one line of JSON, in the shape that readers of Vault's and OpenBao's audit files know: members, their
//! order, and which are left out when empty. Not here: where the line goes (`lane`, `sink`).

use crate::entry::{
    Auth, Data, Entry, GrantingPolicy, HashHeader, Header, Mount, PolicyResults, Request, Response, WrapInfo,
};
use crate::json::{self, Object};
use crate::transcode::{Lists, says_nothing, transcode};
use crate::veil::Veil;
use bulla_types::Time;
use std::ops::Range;

/// Headers that carry credentials: hashed even where the configuration says otherwise.
const CREDENTIALS: [&str; 6] =
    ["authorization", "cookie", "proxy-authorization", "set-cookie", "x-bao-token", "x-vault-token"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Request,
    Response,
}

/// How one device wants its lines.
pub(crate) struct Format {
    pub(crate) prefix: String,
    pub(crate) veil: Veil,
    pub(crate) lists: Lists,
}

impl Format {
    /// Appends the line, with its line break, to `out`.
    pub(crate) fn write(&self, kind: Kind, entry: &Entry<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(self.prefix.as_bytes());
        let mut line = Object::open(out);
        line.text("time", &entry.time.rfc3339());
        line.text("type", if kind == Kind::Request { "request" } else { "response" });
        let mut seen = Seen::default();
        match entry.auth {
            Some(auth) => self.auth(auth, &mut seen, line.member("auth")),
            None => self.auth(&Auth::default(), &mut seen, line.member("auth")),
        }
        self.request(&entry.request, &mut seen, line.member("request"));
        if kind == Kind::Response {
            let counted = if entry.request.operation == "list" { self.lists } else { Lists::Whole };
            self.response(entry.response.unwrap_or(&Response::default()), counted, line.member("response"));
        }
        line.text("error", entry.error);
        line.close();
        out.push(b'\n');
    }

    fn auth<'e>(&self, auth: &Auth<'e>, seen: &mut Seen<'e>, out: &mut Vec<u8>) {
        let mut object = Object::open(out);
        seen.token.write(auth.client_token, "client_token", &mut object, |secret, out| self.token(secret, out));
        seen.accessor.write(auth.accessor, "accessor", &mut object, |text, out| self.veil.accessor(text, out));
        object.text("display_name", auth.display_name);
        object.texts("policies", auth.policies);
        object.texts("token_policies", auth.token_policies);
        object.texts("identity_policies", auth.identity_policies);
        if !auth.external_namespace_policies.is_empty() {
            let mut map = Object::open(object.member("external_namespace_policies"));
            for (namespace, policies) in auth.external_namespace_policies {
                json::list(policies, map.foreign_member(namespace), |policy, out| json::string(policy, out));
            }
            map.close();
        }
        object.flag("no_default_policy", auth.no_default_policy);
        if let Some(results) = &auth.policy_results {
            policy_results(results, object.member("policy_results"));
        }
        if !auth.metadata.is_empty() {
            let mut map = Object::open(object.member("metadata"));
            for (key, value) in auth.metadata {
                json::string(value, map.foreign_member(key));
            }
            map.close();
        }
        object.number("num_uses", auth.num_uses);
        object.number("remaining_uses", auth.remaining_uses);
        object.text("entity_id", auth.entity_id);
        object.flag("entity_created", auth.entity_created);
        object.text("token_type", if auth.token_type.is_empty() { "default" } else { auth.token_type });
        object.number("token_ttl", auth.token_ttl.0);
        if let Some(issued) = auth.token_issue_time {
            object.text("token_issue_time", &Time::from_unix(issued.unix()).rfc3339());
        }
        object.close();
    }

    fn request<'e>(&self, request: &Request<'e>, seen: &mut Seen<'e>, out: &mut Vec<u8>) {
        let mut object = Object::open(out);
        object.text("id", request.id);
        object.text("client_id", request.client_id);
        object.text("operation", request.operation);
        mount(&request.mount, "mount_running_version", &mut object);
        seen.token.write(request.client_token, "client_token", &mut object, |secret, out| self.token(secret, out));
        let accessor = request.client_token_accessor;
        seen.accessor.write(accessor, "client_token_accessor", &mut object, |text, out| self.veil.accessor(text, out));
        let mut namespace = Object::open(object.member("namespace"));
        namespace.text("id", request.namespace.id);
        namespace.text("path", request.namespace.path);
        namespace.close();
        object.text("path", request.path);
        self.data(request.data, request.clear_keys, Lists::Whole, &mut object);
        object.text("remote_address", request.remote_address);
        object.number("remote_port", request.remote_port.into());
        object.number("wrap_ttl", request.wrap_ttl.0);
        self.headers(request.headers, &mut object);
        object.text("client_certificate_serial_number", request.client_certificate_serial_number);
        object.close();
    }

    fn response(&self, response: &Response<'_>, lists: Lists, out: &mut Vec<u8>) {
        let mut object = Object::open(out);
        if let Some(auth) = response.auth {
            self.auth(auth, &mut Seen::default(), object.member("auth"));
        }
        mount(&response.mount, "mount_running_plugin_version", &mut object);
        if !response.lease_id.is_empty() {
            let mut secret = Object::open(object.member("secret"));
            secret.text("lease_id", response.lease_id);
            secret.close();
        }
        self.data(response.data, response.clear_keys, lists, &mut object);
        object.texts("warnings", response.warnings);
        object.text("redirect", response.redirect);
        if let Some(wrap) = &response.wrap_info {
            self.wrap_info(wrap, object.member("wrap_info"));
        }
        self.headers(response.headers, &mut object);
        object.close();
    }

    fn wrap_info(&self, wrap: &WrapInfo<'_>, out: &mut Vec<u8>) {
        let mut object = Object::open(out);
        object.number("ttl", wrap.ttl.0);
        self.secret(&mut object, "token", wrap.token);
        self.accessor(&mut object, "accessor", wrap.accessor);
        object.text("creation_time", &wrap.creation_time.rfc3339());
        object.text("creation_path", wrap.creation_path);
        self.accessor(&mut object, "wrapped_accessor", wrap.wrapped_accessor);
        object.close();
    }

    fn data(&self, data: Data<'_>, clear_keys: &[&str], lists: Lists, object: &mut Object<'_>) {
        match data {
            Data::None => {}
            Data::Json(text) if says_nothing(text) => {}
            Data::Json(text) => transcode(text, &self.veil, clear_keys, lists, object.member("data")),
            Data::Raw { body, content_type, status } => {
                let mut raw = Object::open(object.member("data"));
                self.secret(&mut raw, "http_content_type", content_type);
                self.veil.secret(body, raw.member("http_raw_body"));
                raw.number("http_status_code", status.into());
                raw.close();
            }
        }
    }

    fn headers(&self, headers: &[Header<'_>], object: &mut Object<'_>) {
        if headers.is_empty() {
            return;
        }
        let mut map = Object::open(object.member("headers"));
        for header in headers {
            let name = header.name.to_ascii_lowercase();
            let hashed = header.hash == HashHeader::Yes || CREDENTIALS.contains(&name.as_str());
            json::list(header.values, map.foreign_member(&name), |value, out| {
                if hashed { self.veil.secret(value.as_bytes(), out) } else { json::string(value, out) }
            });
        }
        map.close();
    }

    fn token(&self, token: &str, out: &mut Vec<u8>) {
        self.veil.secret(token.as_bytes(), out);
    }

    fn secret(&self, object: &mut Object<'_>, key: &str, secret: &str) {
        if !secret.is_empty() {
            self.veil.secret(secret.as_bytes(), object.member(key));
        }
    }

    fn accessor(&self, object: &mut Object<'_>, key: &str, accessor: &str) {
        if !accessor.is_empty() {
            self.veil.accessor(accessor, object.member(key));
        }
    }
}

/// The caller's token and accessor stand in a line twice, under `auth` and `request`; hashing them is the dearest part
/// of a short line, so the second time the first is copied.
#[derive(Default)]
struct Seen<'e> {
    token: Twice<'e>,
    accessor: Twice<'e>,
}

#[derive(Default)]
struct Twice<'e> {
    text: &'e str,
    /// Where in the line it stands, written.
    written: Range<usize>,
}

impl<'e> Twice<'e> {
    fn write(&mut self, text: &'e str, key: &str, object: &mut Object<'_>, each: impl FnOnce(&str, &mut Vec<u8>)) {
        if text.is_empty() {
            return;
        }
        let out = object.member(key);
        if text == self.text {
            out.extend_from_within(self.written.clone());
            return;
        }
        let start = out.len();
        each(text, out);
        *self = Self { text, written: start..out.len() };
    }
}

/// The version's key differs between request and response; existing readers know both.
fn mount(mount: &Mount<'_>, version_key: &str, object: &mut Object<'_>) {
    object.text("mount_point", mount.point);
    object.text("mount_type", mount.kind);
    object.text("mount_accessor", mount.accessor);
    object.text(version_key, mount.running_version);
    object.text("mount_class", mount.class);
}

fn policy_results(results: &PolicyResults<'_>, out: &mut Vec<u8>) {
    let mut object = Object::open(out);
    object.member("allowed").extend_from_slice(if results.allowed { b"true" } else { b"false" });
    if !results.granting_policies.is_empty() {
        json::list(results.granting_policies, object.member("granting_policies"), granting_policy);
    }
    object.close();
}

fn granting_policy(policy: &GrantingPolicy<'_>, out: &mut Vec<u8>) {
    let mut object = Object::open(out);
    object.text("name", policy.name);
    object.text("namespace_id", policy.namespace_id);
    object.text("namespace_path", policy.namespace_path);
    json::string(policy.kind, object.member("type"));
    object.close();
}
