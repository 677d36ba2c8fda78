//! `sys/config/cors`: which web pages of other origins may call this server from a browser.
//!
//! What is stored is also kept in memory, outside of what a seal erases: it holds no secret, and a page that was let in
//! to seal the server is let in to see that it is sealed, as with Vault. Not here: what it does to a request (`edge/http`).

use super::{Effect, SysCtx};
use crate::core::Core;
use crate::state::Unsealed;
use bulla_barrier::{Pass, Txn, View};
use bulla_kit::{Answer, CommaList, EngineError, NoParams, Params, Reply, Route};
use bulla_records::{decode, encode};
use bulla_types::NamespaceId;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::Arc;

const PLACE: &str = "core/cors";
/// Origins, and headers besides the usual ones: each request from a browser is compared with the former, each preflight
/// is answered with the latter.
const MOST: usize = 256;
/// Bytes of one origin or header.
const LONGEST: usize = 256;

/// Headers that clients of this API send.
const USUAL: [&str; 10] = [
    "Content-Type",
    "X-Requested-With",
    "X-Vault-AWS-IAM-Server-ID",
    "X-Vault-MFA",
    "X-Vault-No-Request-Forwarding",
    "X-Vault-Wrap-Format",
    "X-Vault-Wrap-TTL",
    "X-Vault-Policy-Override",
    "Authorization",
    "X-Vault-Token",
];

/// Who may call from a browser, and with which headers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cors {
    /// Never empty; `*` stands alone.
    origins: Vec<String>,
    /// Besides the usual ones.
    headers: Vec<String>,
    credentials: bool,
}

impl Cors {
    /// Whether a page of this origin may call. Compared byte by byte, as browsers write it.
    pub fn allows(&self, origin: &str) -> bool {
        self.is_open() || self.origins.iter().any(|known| known == origin)
    }

    /// All headers that a page may send.
    pub fn headers(&self) -> impl Iterator<Item = &str> {
        USUAL.into_iter().chain(self.headers.iter().map(String::as_str))
    }

    /// Whether the browser may add what it knows of the user (client certificates, most of all).
    pub fn allows_credentials(&self) -> bool {
        self.credentials
    }

    fn is_open(&self) -> bool {
        matches!(&*self.origins, [only] if only == "*")
    }

    fn parse(params: WriteParams) -> Result<Self, EngineError> {
        let cors = Self {
            origins: params.allowed_origins.0,
            headers: params.allowed_headers.0,
            credentials: params.allow_credentials,
        };
        if cors.origins.is_empty() {
            return Err(EngineError::bad("at least one origin or the wildcard must be provided"));
        }
        if cors.origins.len() > 1 && cors.origins.iter().any(|origin| origin == "*") {
            return Err(EngineError::bad("to allow all origins the '*' must be the only value for allowed_origins"));
        }
        // Any page on the web could then act with the certificate of whoever looks at it.
        if cors.credentials && cors.is_open() {
            return Err(EngineError::bad("allow_credentials needs the allowed origins by name, not '*'"));
        }
        if cors.origins.len() > MOST || cors.headers.len() > MOST {
            return Err(EngineError::bad(format!("there can be at most {MOST} origins and {MOST} headers")));
        }
        let is_origin = |text: &str| text.bytes().all(|b| b.is_ascii_graphic());
        if let Some(bad) = cors.origins.iter().find(|o| o.len() > LONGEST || !is_origin(o)) {
            return Err(EngineError::bad(format!("`{bad}` is no origin")));
        }
        let is_name = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
        if let Some(bad) = cors.headers.iter().find(|h| h.is_empty() || h.len() > LONGEST || !is_name(h)) {
            return Err(EngineError::bad(format!("`{bad}` is no name of a header")));
        }
        Ok(cors)
    }
}

impl Core {
    /// `None` = switched off, or never unsealed since the start.
    pub fn cors(&self) -> Option<Arc<Cors>> {
        self.cors.load_full()
    }

    /// Puts in force what is stored.
    pub(crate) async fn reload_cors(&self, pass: &Pass<Unsealed>) -> Result<(), EngineError> {
        // In turn, so that of two changes the later one stays in force.
        let _one_at_a_time = pass.owner().publishing.lock().await;
        let stored = load(&Txn::begin(pass)?).await?;
        self.cors.store(stored.map(Arc::new));
        Ok(())
    }
}

/// # Errors
/// Storage; a record that cannot be read.
pub async fn load(txn: &Arc<Txn>) -> Result<Option<Cors>, EngineError> {
    match View::new(txn, NamespaceId::ROOT.0).get(PLACE).await? {
        Some(bytes) => decode("cors", &bytes).map(Some).map_err(|_| EngineError::damaged("cors configuration")),
        None => Ok(None),
    }
}

#[derive(Params)]
struct WriteParams {
    /// Origins whose pages may call, or `*`.
    allowed_origins: CommaList,
    /// Headers that they may send besides the usual ones.
    allowed_headers: CommaList,
    /// Whether browsers may add credentials of their own, such as client certificates.
    allow_credentials: bool,
}

pub fn routes() -> Vec<Route<SysCtx>> {
    vec![
        Route::sudo("config/cors")
            .help(
                "Which web pages of other origins may call this server.",
                "Origins by name or `*`, and the headers they may send. Off until it is written.",
            )
            .read(read)
            .update(write)
            .delete(delete),
    ]
}

async fn read(ctx: SysCtx, _: NoParams) -> Answer {
    let Some(cors) = load(ctx.txn()).await? else {
        return Ok(Reply::json(&json!({ "enabled": false }))?.at_top_too());
    };
    let data = json!({
        "enabled": true,
        "allowed_origins": cors.origins,
        "allowed_headers": cors.headers().collect::<Vec<_>>(),
        "allow_credentials": cors.credentials,
    });
    Ok(Reply::json(&data)?.at_top_too())
}

async fn write(ctx: SysCtx, params: WriteParams) -> Answer {
    let cors = Cors::parse(params)?;
    let bytes = encode("cors", &cors).map_err(|error| EngineError::internal(error.to_string()))?;
    View::new(ctx.txn(), NamespaceId::ROOT.0).put(PLACE, bytes)?;
    ctx.after_commit(Effect::CorsChanged);
    Ok(Reply::none())
}

async fn delete(ctx: SysCtx, _: NoParams) -> Answer {
    View::new(ctx.txn(), NamespaceId::ROOT.0).delete(PLACE)?;
    ctx.after_commit(Effect::CorsChanged);
    Ok(Reply::none())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;
    use crate::CoreConfig;
    use crate::testing::Server;
    use bulla_types::Operation;
    use serde_json::Value;

    const AT: &str = "sys/config/cors";

    async fn server() -> Server {
        Server::start(1, 1, CoreConfig::default()).await
    }

    #[tokio::test]
    async fn what_is_written_is_in_force_at_once_and_after_an_unseal() {
        let server = server().await;
        assert_eq!(server.read(AT).await.ok(), json!({ "enabled": false }));
        assert!(server.core.cors().is_none());
        let body = json!({ "allowed_origins": "https://a.example,https://b.example", "allowed_headers": ["X-Own"] });
        server.write(AT, body).await.ok();
        let told = server.read(AT).await.ok();
        assert_eq!(told["allowed_origins"], json!(["https://a.example", "https://b.example"]));
        assert_eq!(told["allowed_headers"].as_array().unwrap().last().unwrap(), "X-Own");
        assert_eq!(told["allow_credentials"], false);
        let in_force = |server: &Server| server.core.cors().is_some_and(|c| c.allows("https://b.example"));
        assert!(in_force(&server));
        assert!(!server.core.cors().unwrap().allows("https://B.example"));
        server.core.shutdown(std::time::Duration::ZERO).await;
        assert!(in_force(&server), "a sealed server still knows whom it lets in");
        server.core.cors.store(None);
        server.unseal(&server.shares[..1]).await.unwrap();
        assert!(in_force(&server), "read back at the unseal");
        server.call(Operation::Delete, AT, json!({})).await.ok();
        assert!(server.core.cors().is_none());
        assert_eq!(server.read(AT).await.ok(), json!({ "enabled": false }));
    }

    #[tokio::test]
    async fn what_makes_no_sense_is_refused_and_changes_nothing() {
        let server = server().await;
        let long = "x".repeat(LONGEST + 1);
        let many: Vec<String> = (0..=MOST).map(|n| format!("https://{n}.example")).collect();
        for bad in [
            json!({}),
            json!({ "allowed_origins": [] }),
            json!({ "allowed_origins": "*,https://a.example" }),
            json!({ "allowed_origins": "*", "allow_credentials": true }),
            json!({ "allowed_origins": ["https://a.example\r\nx: y"] }),
            json!({ "allowed_origins": "*", "allowed_headers": ["a b"] }),
            json!({ "allowed_origins": "*", "allowed_headers": ["a\r\nb"] }),
            json!({ "allowed_origins": [long] }),
            json!({ "allowed_origins": many }),
        ] {
            assert_eq!(server.write(AT, bad.clone()).await.refused, Some(crate::ErrorKind::BadRequest), "{bad}");
        }
        assert!(server.core.cors().is_none());
        let origins = |count: usize| -> Value { json!({ "allowed_origins": many[..count] }) };
        server.write(AT, origins(MOST)).await.ok();
        assert!(server.core.cors().unwrap().allows("https://255.example"));
        server.write(AT, json!({ "allowed_origins": ["x".repeat(LONGEST)], "allow_credentials": true })).await.ok();
        assert!(server.core.cors().unwrap().allows_credentials());
        server.write(AT, json!({ "allowed_origins": "*" })).await.ok();
        assert!(server.core.cors().unwrap().allows("null"));
    }

    #[tokio::test]
    async fn only_sudo_may_look() {
        let server = server().await;
        server
            .write("sys/policies/acl/p", json!({ "policy": "path \"sys/*\" { capabilities = [\"read\"] }" }))
            .await
            .ok();
        let token = server.write("auth/token/create", json!({ "policies": ["p"] })).await.token();
        assert!(server.call_as(Some(&token), Operation::Read, AT, json!({})).await.refused.is_some());
    }
}
