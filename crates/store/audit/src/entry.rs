//! What a record is made of: borrowed plain data, filled by the pipeline from its own types.
//! Not here: how it becomes a line (`line`), what of it is hashed (`veil`, `transcode`).

use bulla_types::{Seconds, Time};

/// Everything known about one request and, in a response record, its answer. Members left empty do not appear in the
/// line.
///
/// Hashed unless the device says otherwise: tokens, accessors, string values of request and response data, headers
/// marked so and those that carry credentials. In clear: everything else, so no other member may hold a secret.
#[derive(Clone, Copy, Debug, Default)]
pub struct Entry<'a> {
    /// When the record is made.
    pub time: Time,
    /// Who asked, as far as door 6 and 7 found out. `None` is written as an anonymous caller.
    pub auth: Option<&'a Auth<'a>>,
    pub request: Request<'a>,
    /// Looked at in response records only.
    pub response: Option<&'a Response<'a>>,
    /// Why the request failed. Written in clear: it may name fields and paths, never values.
    pub error: &'a str,
}

/// The `request` object of a line.
#[derive(Clone, Copy, Default)]
pub struct Request<'a> {
    pub id: &'a str,
    pub client_id: &'a str,
    /// `create`, `read`, `update`, `patch`, `delete`, `list`, `scan`, `help`.
    pub operation: &'a str,
    pub mount: Mount<'a>,
    pub client_token: &'a str,
    pub client_token_accessor: &'a str,
    pub namespace: Namespace<'a>,
    pub path: &'a str,
    pub data: Data<'a>,
    pub remote_address: &'a str,
    pub remote_port: u16,
    /// Zero if no wrapping was asked for.
    pub wrap_ttl: Seconds,
    /// The headers the configuration wants in the record, and no others.
    pub headers: &'a [Header<'a>],
    pub client_certificate_serial_number: &'a str,
    /// Top-level keys of `data` whose strings stay clear (`audit_non_hmac_request_keys` of the mount).
    pub clear_keys: &'a [&'a str],
}

/// The `response` object of a line.
#[derive(Clone, Copy, Default)]
pub struct Response<'a> {
    /// A token made by this answer.
    pub auth: Option<&'a Auth<'a>>,
    pub mount: Mount<'a>,
    /// The lease of a dynamic secret; clear, so that it can be revoked by what the log says.
    pub lease_id: &'a str,
    pub data: Data<'a>,
    pub warnings: &'a [&'a str],
    pub redirect: &'a str,
    pub wrap_info: Option<WrapInfo<'a>>,
    pub headers: &'a [Header<'a>],
    /// Top-level keys of `data` whose strings stay clear (`audit_non_hmac_response_keys` of the mount).
    pub clear_keys: &'a [&'a str],
}

/// A body. JSON is transcoded byte by byte, so give the very bytes that came in or go out.
#[derive(Clone, Copy, Default)]
pub enum Data<'a> {
    #[default]
    None,
    /// JSON text, normally an object. Text that is no JSON is hashed whole.
    Json(&'a [u8]),
    /// Any other body: hashed whole (`http_raw_body`), with what says how to read it.
    Raw { body: &'a [u8], content_type: &'a str, status: u16 },
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Mount<'a> {
    pub point: &'a str,
    /// `kv`, `approle`, `system` …
    pub kind: &'a str,
    pub accessor: &'a str,
    /// `secret` or `auth`.
    pub class: &'a str,
    pub running_version: &'a str,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Namespace<'a> {
    pub id: &'a str,
    pub path: &'a str,
}

#[derive(Clone, Copy)]
pub struct Header<'a> {
    /// Written in lower case.
    pub name: &'a str,
    pub values: &'a [&'a str],
    pub hash: HashHeader,
}

/// Whether a header's values are hashed. Headers that carry credentials are hashed whatever this says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashHeader {
    Yes,
    No,
}

/// A token: the caller's, or a new one in an answer.
#[derive(Clone, Copy, Default)]
pub struct Auth<'a> {
    pub client_token: &'a str,
    pub accessor: &'a str,
    pub display_name: &'a str,
    pub policies: &'a [&'a str],
    pub token_policies: &'a [&'a str],
    pub identity_policies: &'a [&'a str],
    pub external_namespace_policies: &'a [(&'a str, &'a [&'a str])],
    pub no_default_policy: bool,
    pub policy_results: Option<PolicyResults<'a>>,
    pub metadata: &'a [(&'a str, &'a str)],
    pub num_uses: u64,
    pub remaining_uses: u64,
    pub entity_id: &'a str,
    pub entity_created: bool,
    /// `service`, `batch`, `recovery`; empty is written as `default`.
    pub token_type: &'a str,
    pub token_ttl: Seconds,
    pub token_issue_time: Option<Time>,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct PolicyResults<'a> {
    pub allowed: bool,
    pub granting_policies: &'a [GrantingPolicy<'a>],
}

#[derive(Clone, Copy, Debug, Default)]
pub struct GrantingPolicy<'a> {
    pub name: &'a str,
    pub namespace_id: &'a str,
    pub namespace_path: &'a str,
    /// `acl`.
    pub kind: &'a str,
}

#[derive(Clone, Copy)]
pub struct WrapInfo<'a> {
    pub ttl: Seconds,
    pub token: &'a str,
    pub accessor: &'a str,
    pub creation_time: Time,
    pub creation_path: &'a str,
    pub wrapped_accessor: &'a str,
}

/// `Debug` of everything that can hold a secret says what it is about, never what it holds.
mod debug {
    use super::{Auth, Data, Header, Request, Response, WrapInfo};
    use std::fmt;

    impl fmt::Debug for Request<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "Request({} {} {})", self.id, self.operation, self.path)
        }
    }

    impl fmt::Debug for Response<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "Response({:?})", self.data)
        }
    }

    impl fmt::Debug for Data<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            match self {
                Self::None => f.write_str("Data(none)"),
                Self::Json(text) => write!(f, "Data({} bytes of JSON)", text.len()),
                Self::Raw { body, .. } => write!(f, "Data({} bytes)", body.len()),
            }
        }
    }

    impl fmt::Debug for Header<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "Header({}, {} values)", self.name, self.values.len())
        }
    }

    impl fmt::Debug for Auth<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "Auth({})", self.display_name)
        }
    }

    impl fmt::Debug for WrapInfo<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "WrapInfo({})", self.creation_path)
        }
    }
}
