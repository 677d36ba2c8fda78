//! One request and its answer on one connection.

use crate::body::{self, BodyTrouble};
use crate::cors;
use crate::decode::{self, Early, Head};
use crate::encode;
use crate::forwarded::{self, Client};
use crate::headers::Lazy;
use crate::listener::Shared;
use crate::live::Live;
use crate::phase::{Phase, State};
use crate::sent;
use crate::settings::Settings;
use bulla_core::Request;
use bulla_kit::Body;
use bytes::Bytes;
use http::request::Parts;
use http::{Method, Response, StatusCode};
use http_body::Body as _;
use http_body_util::Full;
use hyper::body::Incoming;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::time::timeout;

pub(crate) type HttpAnswer = Response<Full<Bytes>>;

/// What hyper calls for each request of a connection.
pub(crate) struct Exchange(Arc<Peer>);

struct Peer {
    shared: Arc<Shared>,
    state: Arc<State>,
    remote: Option<SocketAddr>,
    certificates: Vec<Vec<u8>>,
}

impl Exchange {
    pub(crate) fn new(
        shared: Arc<Shared>,
        state: Arc<State>,
        remote: Option<SocketAddr>,
        certificates: Vec<Vec<u8>>,
    ) -> Self {
        Self(Arc::new(Peer { shared, state, remote, certificates }))
    }
}

impl hyper::service::Service<hyper::Request<Incoming>> for Exchange {
    type Response = HttpAnswer;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<HttpAnswer, Infallible>> + Send>>;

    fn call(&self, request: hyper::Request<Incoming>) -> Self::Future {
        let peer = Arc::clone(&self.0);
        Box::pin(async move {
            let _busy = Busy::begin(&peer.state);
            let (parts, body) = request.into_parts();
            let is_head = parts.method == Method::HEAD;
            let mut answer = peer.answer(parts, body).await;
            if is_head {
                *answer.body_mut() = Full::default();
            }
            Ok(answer)
        })
    }
}

/// Keeps the connection's phase right, also when the request is dropped half-way.
struct Busy<'a>(&'a State);

impl<'a> Busy<'a> {
    fn begin(state: &'a State) -> Self {
        state.enter(Phase::Busy);
        Self(state)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        if !self.0.is_running() {
            self.0.enter(Phase::Idle);
        }
    }
}

impl Peer {
    async fn answer(&self, parts: Parts, incoming: Incoming) -> HttpAnswer {
        // As it is now: also a connection that was there before a change of the configuration is subject to it.
        let live = &*self.shared.live();
        let judged = self
            .client(&parts, live)
            .and_then(|client| cors::judge(&parts, || self.shared.service.cors()).map(|granted| (client, granted)));
        let (client, granted) = match judged {
            Ok(judged) => judged,
            Err(early) => {
                pass_over(incoming, &parts).await;
                return encode::early(early, &live.headers);
            }
        };
        let Some(granted) = granted else { return self.serve(parts, incoming, client, live).await };
        let mut answer = if granted.is_preflight() {
            pass_over(incoming, &parts).await;
            encode::early(Early::Bare(StatusCode::OK), &live.headers)
        } else {
            self.serve(parts, incoming, client, live).await
        };
        granted.add_to(answer.headers_mut());
        answer
    }

    /// Who asks: the other end of the connection, or whom a proxy there speaks for.
    fn client(&self, parts: &Parts, live: &Live) -> Result<Client, Early> {
        match &live.settings.forwarded_for {
            Some(rule) => forwarded::client(&parts.headers, self.remote, rule),
            None => Ok(Client { remote: self.remote, certificates: None }),
        }
    }

    async fn serve(&self, parts: Parts, incoming: Incoming, client: Client, live: &Live) -> HttpAnswer {
        let headers = &live.headers;
        let limits = &live.settings.limits;
        // Nobody waits for the body: what came with it is to be gone at once.
        if let Err(early) = check_size(&parts, limits.header_size, limits.header_count) {
            return encode::early(early, headers);
        }
        let head = match decode::head(&parts, &live.settings) {
            Ok(head) => head,
            Err(early) => {
                pass_over(incoming, &parts).await;
                return encode::early(early, headers);
            }
        };
        let body = match receive(incoming, &parts, &head, live).await {
            Ok(body) => body,
            Err(early) => return encode::early(early, headers),
        };
        let Some(running) = self.state.run() else {
            return encode::early(unavailable("the server is closing its connections"), headers);
        };
        let Some(request) = self.request(parts, head, body, client, &live.settings) else {
            return encode::early(Early::silent(StatusCode::INTERNAL_SERVER_ERROR), headers);
        };
        let Ok(answer) = timeout(limits.request, self.shared.service.handle(request)).await else {
            return encode::early(unavailable("the request took longer than this listener allows"), headers);
        };
        let sealed = answer.answer().sealed_by_this;
        let delivery = answer.answer().delivery.clone();
        let mut encoded = encode::answer(answer, headers);
        if let Some(delivery) = delivery {
            sent::watch(&mut encoded, delivery, &self.state);
        }
        if sealed {
            encoded.headers_mut().insert(http::header::CONNECTION, http::HeaderValue::from_static("close"));
            self.state.hold.store(true, Ordering::Release);
            self.state.wake();
        }
        drop(running);
        encoded
    }

    /// `None` if the system has no randomness.
    fn request(&self, parts: Parts, head: Head, body: Body, client: Client, settings: &Settings) -> Option<Request> {
        Some(Request {
            id: request_id()?,
            namespace: head.namespace,
            path: head.path,
            operation: head.operation,
            token: head.token,
            body: Arc::new(body),
            wrap: head.wrap,
            remote: client.remote,
            headers: Box::new(Lazy(parts.headers)),
            client_certificates: client.certificates.unwrap_or_else(|| self.certificates.clone()),
            help: head.operation == bulla_types::Operation::Help,
            legacy_routes_open: settings.legacy_routes_open,
            redact: settings.redact,
            connection: self.state.id,
        })
    }
}

async fn receive(incoming: Incoming, parts: &Parts, head: &Head, live: &Live) -> Result<Body, Early> {
    if let Some(members) = &head.members {
        pass_over(incoming, parts).await;
        return Ok(members.clone());
    }
    let limits = &live.settings.limits;
    let text = body::receive(incoming, limits.request_size, limits.read_body, &live.budget).await;
    decode::body(&text.map_err(refusal_of)?, head.form, &limits.body)
}

/// hyper bounds its buffer, which is never smaller than 8 KiB and may take in a little more than the limit at a time;
/// this is the limit itself. With HTTP/2 it knows no number of headers, and one byte can stand for a header that takes a
/// hundred in memory.
fn check_size(parts: &Parts, limit: usize, count: usize) -> Result<(), Early> {
    let target = parts.uri.path_and_query().map_or(0, |p| p.as_str().len());
    // Colon, blank and line end of each header; blanks, version and line ends of the rest.
    let headers: usize = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    let size = parts.method.as_str().len() + target + headers + 14;
    if size > limit || parts.headers.len() > count {
        return Err(Early::silent(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
    }
    Ok(())
}

fn unavailable(text: &str) -> Early {
    Early::Refused { status: StatusCode::SERVICE_UNAVAILABLE, errors: vec![text.into()] }
}

fn refusal_of(trouble: BodyTrouble) -> Early {
    match trouble {
        BodyTrouble::TooLarge => {
            let errors = vec!["http: request body too large".into()];
            Early::Refused { status: StatusCode::PAYLOAD_TOO_LARGE, errors }
        }
        BodyTrouble::Broken => Early::silent(StatusCode::BAD_REQUEST),
        BodyTrouble::Slow => Early::silent(StatusCode::REQUEST_TIMEOUT),
        BodyTrouble::Crowded => unavailable("too many large requests at a time"),
    }
}

/// Reads a body nobody wants, so that the connection can go on. A client that waits to be asked for its body is not.
async fn pass_over(body: Incoming, parts: &Parts) {
    if !body.is_end_stream() && !parts.headers.contains_key(http::header::EXPECT) {
        body::drain(body).await;
    }
}

/// A random UUID (RFC 9562, version 4).
fn request_id() -> Option<String> {
    let mut bytes: [u8; 16] = bulla_crypto::random::bytes().ok()?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push(char::from(b"0123456789abcdef"[usize::from(byte >> 4)]));
        text.push(char::from(b"0123456789abcdef"[usize::from(byte & 15)]));
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    #[test]
    fn ids_are_random_uuids() {
        let (one, two) = (super::request_id().unwrap(), super::request_id().unwrap());
        assert_ne!(one, two);
        assert_eq!(one.len(), 36);
        assert_eq!(&one[14..15], "4");
        assert!(matches!(&one[19..20], "8" | "9" | "a" | "b"));
        assert!([8, 13, 18, 23].iter().all(|at| &one[*at..=*at] == "-"));
    }
}
