//! Doors 8 and 11: what the pipeline knows of a request, put into the words of the audit record.

use crate::answer::{Answer, ErrorKind, Outcome, Refusal};
use crate::identity::Standing;
use crate::pipeline::{Known, Warrant};
use crate::policy::together;
use crate::refusal;
use crate::request::Request;
use crate::state::Unsealed;
use bulla_audit::{
    AuditError, Auth, Data, Disclosable, Entry, Exemption, GrantingPolicy, HashHeader, Header, Mount, Namespace,
    PolicyResults, Recorded, Wait,
};
use bulla_kit::RawJson;
use bulla_records::{MountClass, TokenRecord};
use bulla_types::{Operation, PolicyName, Seconds, Time};
use bulla_wire::AuthBlock;
use serde_json::json;
use smallvec::SmallVec;
use std::borrow::Cow;

/// Everything a record is made of.
pub struct Scene<'a> {
    pub unsealed: &'a Unsealed,
    pub request: &'a Request,
    pub known: &'a Known,
    pub now: Time,
}

/// Larger bodies of callers without a token are recorded as one text. Logins are smaller.
const ANONYMOUS_BODY: usize = 64 << 10;

type Texts<'a> = SmallVec<[&'a str; 8]>;

impl Scene<'_> {
    fn token(&self) -> Option<&TokenRecord> {
        self.known.caller.as_ref().map(|caller| &*caller.token.record)
    }

    fn operation(&self) -> Operation {
        self.known.operation.unwrap_or(self.request.operation)
    }

    fn mount(&self) -> Mount<'_> {
        let Some(routed) = &self.known.routed else { return Mount::default() };
        let record = &routed.mount.record;
        Mount {
            point: record.path.as_str(),
            kind: &record.kind,
            accessor: &record.accessor,
            class: if record.class == MountClass::Auth { "auth" } else { "secret" },
            running_version: "",
        }
    }

    /// The request's headers that are to be in the record.
    fn audited_headers(&self) -> Vec<(String, Vec<String>, HashHeader)> {
        let mut found = Vec::new();
        for (name, hmac) in self.unsealed.audited_headers.load().iter() {
            let mut values = Vec::new();
            self.request.headers.each(name, &mut |value| values.push(value.to_owned()));
            if !values.is_empty() {
                found.push((name.clone(), values, if *hmac { HashHeader::Yes } else { HashHeader::No }));
            }
        }
        found
    }

    /// The request's parameters. Those of callers without a token are cut down to one text when they are large: each text is
    /// hashed on its own and the hash is longer than most, so that anybody could fill the disk many times as fast as
    /// the network.
    fn body(&self) -> Option<RawJson> {
        let body = (!self.request.body.is_empty()).then(|| self.request.body.to_json())?;
        let size = body.get().len();
        if self.known.caller.is_some() || size <= ANONYMOUS_BODY {
            return Some(body);
        }
        Some(RawJson::of(&json!({ "whole_body": body.get(), "body_bytes": size })).unwrap_or_else(|_| RawJson::null()))
    }

    /// Hands the entry of this request to `then`, which writes it down.
    async fn with_entry<R>(
        &self,
        warrant: Option<&Warrant>,
        error: &str,
        answer: Option<&Answer>,
        then: impl AsyncFnOnce(&Entry<'_>) -> R,
    ) -> R {
        let asked = Asked::of(self, warrant);
        let (policies, values) = (asked.policies(), asked.headers());
        let auth = asked.auth(&policies);
        let headers: SmallVec<[Header<'_>; 2]> =
            values.iter().map(|(name, values, hash)| Header { name, values, hash: *hash }).collect();
        let shown = answer.map(|answer| Shown::of(answer, self));
        let new_token = shown.as_ref().and_then(Shown::new_token);
        let response = shown.as_ref().map(|shown| shown.response(new_token.as_ref()));
        let entry = Entry {
            time: self.now,
            auth: auth.as_ref(),
            request: asked.request(&headers),
            response: response.as_ref(),
            error,
        };
        then(&entry).await
    }
}

/// The parts of a request that its record shows.
struct Asked<'a> {
    scene: &'a Scene<'a>,
    client_token: &'a str,
    body: Option<RawJson>,
    remote: Option<(String, u16)>,
    policies: Policies<'a>,
    metadata: SmallVec<[(&'a str, &'a str); 4]>,
    allowed: bool,
    granting: SmallVec<[GrantingPolicy<'a>; 2]>,
    clear: Texts<'a>,
    headers: Vec<(String, Vec<String>, HashHeader)>,
}

impl<'a> Asked<'a> {
    fn of(scene: &'a Scene<'_>, warrant: Option<&'a Warrant>) -> Self {
        let token = scene.token();
        let own = token.map(|record| record.policies.as_slice()).unwrap_or_default();
        let standing = scene.known.caller.as_ref().and_then(|caller| caller.standing.as_deref());
        let identity = standing.map(Standing::policies).unwrap_or_default();
        let policies = Policies { all: together(own, standing), token: own, identity };
        let metadata = token.and_then(|record| record.meta.as_ref());
        let tuned = scene.known.routed.as_ref().map(|routed| {
            let keys = routed.mount.record.config.audit_non_hmac_request_keys.iter().map(String::as_str);
            keys.chain(routed.audit_clear().0.iter().copied()).collect()
        });
        Self {
            scene,
            client_token: scene.request.token.as_ref().map_or("", |token| token.dangerous_expose()),
            body: scene.body(),
            remote: scene.request.remote.map(|address| (address.ip().to_string(), address.port())),
            policies,
            metadata: metadata.into_iter().flatten().map(|(k, v)| (k.as_str(), v.as_str())).collect(),
            allowed: warrant.is_some(),
            granting: granting(warrant),
            clear: tuned.unwrap_or_default(),
            headers: scene.audited_headers(),
        }
    }

    fn policies(&self) -> PolicyTexts<'_> {
        let Policies { all, token, identity } = &self.policies;
        PolicyTexts { all: names(all), token: names(token), identity: names(identity) }
    }

    /// Whose token it was.
    fn auth<'s, 't: 's>(&'s self, policies: &'s PolicyTexts<'t>) -> Option<Auth<'s>> {
        let record = self.scene.token()?;
        Some(Auth {
            client_token: self.client_token,
            accessor: record.accessor.as_str(),
            display_name: &record.display_name,
            policies: &policies.all,
            token_policies: &policies.token,
            identity_policies: &policies.identity,
            policy_results: Some(PolicyResults { allowed: self.allowed, granting_policies: &self.granting }),
            metadata: &self.metadata,
            num_uses: u64::from(record.uses.unwrap_or(0)),
            remaining_uses: record.uses.map_or(0, |left| u64::from(left.saturating_sub(1))),
            entity_id: &record.entity_id,
            token_type: record.kind.word(),
            token_ttl: record.creation_ttl,
            token_issue_time: Some(record.created),
            ..Auth::default()
        })
    }

    /// Each with its values, and whether these are hashed.
    fn headers<'s>(&'s self) -> SmallVec<[(&'s str, Texts<'s>, HashHeader); 2]> {
        let texts = |(name, values, hash): &'s (String, Vec<String>, HashHeader)| {
            (name.as_str(), values.iter().map(String::as_str).collect(), *hash)
        };
        self.headers.iter().map(texts).collect()
    }

    fn request<'s>(&'s self, headers: &'s [Header<'s>]) -> bulla_audit::Request<'s> {
        let Self { scene, .. } = self;
        let path = scene.known.routed.as_ref().map_or(&scene.request.path, |routed| &routed.path);
        bulla_audit::Request {
            id: &scene.request.id,
            operation: scene.operation().word(),
            mount: scene.mount(),
            client_token: self.client_token,
            client_token_accessor: scene.token().map_or("", |record| record.accessor.as_str()),
            namespace: Namespace { id: "root", path: "" },
            path: path.as_str(),
            data: self.body.as_ref().map_or(Data::None, |json| Data::Json(json.get().as_bytes())),
            remote_address: self.remote.as_ref().map_or("", |(ip, _)| ip),
            remote_port: self.remote.as_ref().map_or(0, |(_, port)| *port),
            wrap_ttl: scene.request.wrap.map_or(Seconds::ZERO, |wrap| wrap.ttl),
            clear_keys: &self.clear,
            headers,
            ..bulla_audit::Request::default()
        }
    }
}

/// Policies of a token: all of them, and where they are from.
struct Policies<'a> {
    all: Cow<'a, [PolicyName]>,
    token: &'a [PolicyName],
    identity: &'a [PolicyName],
}

/// Those as the record shows them.
struct PolicyTexts<'a> {
    all: Texts<'a>,
    token: Texts<'a>,
    identity: Texts<'a>,
}

fn names(policies: &[PolicyName]) -> Texts<'_> {
    policies.iter().map(PolicyName::as_str).collect()
}

fn granting(warrant: Option<&Warrant>) -> SmallVec<[GrantingPolicy<'_>; 2]> {
    let Some(permit) = warrant.and_then(Warrant::permit) else { return SmallVec::new() };
    let of = |name| GrantingPolicy { name, namespace_id: "root", namespace_path: "", kind: "acl" };
    if permit.is_root() {
        return SmallVec::from_iter([of("root")]);
    }
    permit.policies().iter().map(|name| of(name.as_str())).collect()
}

/// The parts of an answer that its record shows.
struct Shown<'a> {
    data: Data<'a>,
    auth: Option<&'a AuthBlock>,
    lease_id: &'a str,
    policies: PolicyTexts<'a>,
    metadata: SmallVec<[(&'a str, &'a str); 4]>,
    warnings: Texts<'a>,
    clear: Texts<'a>,
    mount: Mount<'a>,
    wrap: Option<bulla_audit::WrapInfo<'a>>,
}

impl<'a> Shown<'a> {
    fn of(answer: &'a Answer, scene: &'a Scene<'_>) -> Self {
        let mut shown = Self {
            data: Data::None,
            auth: None,
            lease_id: "",
            policies: PolicyTexts { all: Texts::new(), token: Texts::new(), identity: Texts::new() },
            metadata: SmallVec::new(),
            warnings: Texts::new(),
            clear: Texts::new(),
            mount: scene.mount(),
            wrap: None,
        };
        match &answer.outcome {
            Outcome::Envelope { envelope, .. } => {
                shown.data = envelope.data.as_ref().map_or(Data::None, |d| Data::Json(d.get().as_bytes()));
                shown.auth = envelope.auth.as_ref();
                shown.lease_id = &envelope.lease_id;
                shown.wrap = envelope.wrap_info.as_ref().map(|info| wrap_info(info, scene.now));
                shown.warnings = envelope.warnings.iter().flatten().map(String::as_str).collect();
            }
            Outcome::Bare { data, .. } => shown.data = Data::Json(data.get().as_bytes()),
            Outcome::Raw(raw) => {
                shown.data =
                    Data::Raw { body: &raw.bytes, content_type: raw.content_type, status: raw.status.unwrap_or(200) };
            }
            Outcome::NoContent | Outcome::Refused(_) => {}
        }
        if let Some(block) = shown.auth {
            let texts = |names: &'a [String]| names.iter().map(String::as_str).collect();
            shown.policies = PolicyTexts {
                all: texts(&block.policies),
                token: texts(&block.token_policies),
                identity: texts(&block.identity_policies),
            };
            shown.metadata = block.metadata.iter().flatten().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        }
        if let Some(routed) = &scene.known.routed {
            let keys = &routed.mount.record.config.audit_non_hmac_response_keys;
            shown.clear = keys.iter().map(String::as_str).chain(routed.audit_clear().1.iter().copied()).collect();
        }
        shown
    }

    /// A token that the answer hands out.
    fn new_token(&self) -> Option<Auth<'_>> {
        self.auth.map(|block| Auth {
            client_token: &block.client_token,
            accessor: &block.accessor,
            policies: &self.policies.all,
            token_policies: &self.policies.token,
            identity_policies: &self.policies.identity,
            metadata: &self.metadata,
            num_uses: block.num_uses,
            entity_id: &block.entity_id,
            token_type: &block.token_type,
            token_ttl: Seconds(block.lease_duration),
            ..Auth::default()
        })
    }

    fn response<'s>(&'s self, auth: Option<&'s Auth<'s>>) -> bulla_audit::Response<'s> {
        bulla_audit::Response {
            auth,
            mount: self.mount,
            data: self.data,
            lease_id: self.lease_id,
            warnings: &self.warnings,
            clear_keys: &self.clear,
            wrap_info: self.wrap,
            ..bulla_audit::Response::default()
        }
    }
}

fn wrap_info(info: &bulla_wire::WrapInfo, now: Time) -> bulla_audit::WrapInfo<'_> {
    bulla_audit::WrapInfo {
        ttl: Seconds(info.ttl),
        // One hash for the token in all its forms, so that its uses can be found.
        token: info.behind.as_ref().unwrap_or(&info.token),
        accessor: &info.accessor,
        creation_time: now,
        creation_path: &info.creation_path,
        wrapped_accessor: &info.wrapped_accessor,
    }
}

/// Door 8. Reads wait with the answer's record: nothing is disclosed before both are kept. Writes wait before they
/// commit (see the pipeline).
pub async fn request(scene: &Scene<'_>, warrant: Warrant) -> Result<Recorded<Warrant>, AuditError> {
    let for_entry = warrant.clone();
    let audit = &scene.unsealed.audit;
    scene
        .with_entry(Some(&for_entry), "", None, async move |entry| {
            audit.record_request(entry, warrant, Wait::WithResponse).await
        })
        .await
}

/// The record of a request that was refused before door 9. Its failure shows when the refusal itself is recorded.
pub async fn refused(scene: &Scene<'_>, why: &Refusal) {
    let audit = &scene.unsealed.audit;
    let error = why.errors.first().map_or("", String::as_str);
    let kept = scene
        .with_entry(None, error, None, async |entry| audit.record_request(entry, (), Wait::WithResponse).await)
        .await;
    if let Err(error) = kept {
        tracing::error!(%error, "a refused request was not recorded");
    }
}

/// Door 11.
pub async fn response(scene: &Scene<'_>, answer: Answer) -> Disclosable<Answer> {
    match try_response(scene, answer).await {
        Ok(disclosable) => disclosable,
        Err(error) => {
            tracing::error!(%error, "an answer is withheld");
            audit_failed()
        }
    }
}

/// Door 11 for those who take back what they did when the answer cannot be recorded.
pub async fn try_response(scene: &Scene<'_>, answer: Answer) -> Result<Disclosable<Answer>, AuditError> {
    let audit = &scene.unsealed.audit;
    if !audit.has_devices() {
        // No device is configured: the broker passes everything.
        return audit.record_response(&Entry::default(), answer).await;
    }
    let error = match &answer.outcome {
        Outcome::Refused(refusal) => refusal.errors.first().map_or("", String::as_str).to_owned(),
        _ => String::new(),
    };
    let recorded = scene.known.recorded.as_ref();
    let warrant = recorded.map(Recorded::permit);
    let kept = scene
        .with_entry(warrant, &error, Some(&answer), async |entry| match recorded {
            Some(recorded) => audit.record_response_after(recorded, entry, ()).await,
            None => audit.record_response(entry, ()).await,
        })
        .await;
    Ok(kept?.map(|()| answer))
}

/// The answer while sealed.
pub fn sealed() -> Disclosable<Answer> {
    Disclosable::exempt(Answer::refused(refusal::sealed()), Exemption::SealedRefusal)
}

/// The answer that stands in for one that could not be recorded.
pub fn audit_failed() -> Disclosable<Answer> {
    let text = refusal::one_error("failed to audit response, cannot continue");
    unrecorded(Refusal::new(ErrorKind::Internal, text))
}

/// A refusal that stands in for an answer; carries nothing stored.
pub fn unrecorded(refusal: Refusal) -> Disclosable<Answer> {
    Disclosable::exempt(Answer::refused(refusal), Exemption::Unavailable)
}

/// A request that met a fault of ours.
pub fn faulted() -> Disclosable<Answer> {
    unrecorded(Refusal::new(ErrorKind::Internal, refusal::one_error("internal error")))
}

/// The server is sealed but could not prove that all is erased.
pub fn seal_incomplete() -> Disclosable<Answer> {
    unrecorded(Refusal::new(ErrorKind::Internal, "sealed, but some work could not be ended; restart to erase it"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::CoreConfig;
    use crate::testing::Server;
    use serde_json::Value;

    /// The records of one write, the request's and the answer's.
    async fn recorded(server: &Server, file: &std::path::Path, token: Option<&str>, texts: usize) -> Vec<Value> {
        std::fs::write(file, "").unwrap();
        let body = json!({ "list": vec!["x"; texts] });
        server.call_as(token, Operation::Update, "box/a", body).await;
        std::fs::read_to_string(file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[tokio::test]
    async fn anybody_writes_little_more_into_the_audit_log_than_into_the_network() {
        let config = CoreConfig { api_audit_creation: true, ..CoreConfig::default() };
        let server = Server::start(1, 1, config).await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("audit.log");
        let options = json!({ "type": "file", "options": { "file_path": file.to_str().unwrap() } });
        server.write("sys/audit/file", options).await.ok();

        // `{"list":["x",…]}`: four bytes a text, and ten around them.
        let just = (ANONYMOUS_BODY - 10) / 4;
        for line in recorded(&server, &file, None, just).await {
            assert_eq!(line["request"]["data"]["list"].as_array().unwrap().len(), just);
        }
        for line in recorded(&server, &file, None, just + 1).await {
            let data = &line["request"]["data"];
            assert_eq!(data["body_bytes"], 10 + 4 * (just + 1));
            assert!(data["whole_body"].as_str().unwrap().starts_with("hmac-sha256:"));
            assert!(line.to_string().len() < 2000);
        }
        let lines = recorded(&server, &file, Some(&server.root), just + 1).await;
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["request"]["data"]["list"].as_array().unwrap().len(), just + 1);
    }
}
