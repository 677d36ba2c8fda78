//! `sys/config/ui/headers`: headers for a user interface. They are kept for clients that set them; this server serves no
//! user interface that could send them.

use super::SysCtx;
use bulla_barrier::View;
use bulla_kit::{Answer, EngineError, NoParams, Params, Reply, Route};
use bulla_records::{decode, encode};
use serde_json::json;
use std::collections::BTreeMap;

/// One record for all of them.
const PLACE: &str = "core/ui-headers";
/// More would not fit into an answer's head anyway.
const MOST: usize = 64;

type Headers = BTreeMap<String, Vec<String>>;

#[derive(Params)]
struct NameParams {
    /// The header.
    #[param(path)]
    header: String,
    /// Whether to answer all values instead of the first.
    multivalue: bool,
}

#[derive(Params)]
struct WriteParams {
    /// The header.
    #[param(path)]
    header: String,
    /// Its values.
    values: Vec<String>,
}

pub fn routes() -> Vec<Route<SysCtx>> {
    vec![
        Route::sudo("config/ui/headers").help("List the headers of the user interface.", "Names only.").list(list),
        Route::sudo("config/ui/headers/{header:any}")
            .help(
                "Set, read or remove a header of the user interface.",
                "Sent with pages of the user interface, not with answers of the API.",
            )
            .folded(&["header"])
            .read(read)
            .update(write)
            .delete(delete),
    ]
}

fn view(ctx: &SysCtx) -> View {
    View::new(ctx.txn(), ctx.ctx.request.namespace.0)
}

async fn load(ctx: &SysCtx) -> Result<Headers, EngineError> {
    match view(ctx).get(PLACE).await? {
        Some(bytes) => decode("ui headers", &bytes).map_err(|_| EngineError::damaged("headers")),
        None => Ok(Headers::new()),
    }
}

fn store(ctx: &SysCtx, headers: &Headers) -> Result<(), EngineError> {
    let bytes = encode("ui headers", headers).map_err(|error| EngineError::internal(error.to_string()))?;
    Ok(view(ctx).put(PLACE, bytes)?)
}

/// `x-frame-options` and `X-FRAME-OPTIONS` are one header: each word begins with a capital.
///
/// # Errors
/// Characters that RFC 9110 (section 5.1) does not allow in a name.
fn canonical(name: &str) -> Result<String, EngineError> {
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)) {
        return Err(EngineError::bad("the name of a header holds letters, digits and dashes"));
    }
    let word = |word: &str| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_ascii_uppercase() + &rest.to_ascii_lowercase()
    };
    Ok(name.split('-').map(word).collect::<Vec<_>>().join("-"))
}

async fn list(ctx: SysCtx, _: NoParams) -> Answer {
    Reply::keys(&load(&ctx).await?.into_keys().collect::<Vec<_>>())
}

async fn read(ctx: SysCtx, params: NameParams) -> Answer {
    let headers = load(&ctx).await?;
    let Some(values) = headers.get(&canonical(&params.header)?) else { return Ok(Reply::none()) };
    if params.multivalue {
        return Reply::json(&json!({ "values": values }));
    }
    Reply::json(&json!({ "value": values.first() }))
}

async fn write(ctx: SysCtx, params: WriteParams) -> Answer {
    let name = canonical(&params.header)?;
    if name.starts_with("X-Vault-") {
        return Err(EngineError::bad("X-Vault headers cannot be set"));
    }
    if params.values.is_empty() {
        return Err(EngineError::bad("header and values must be specified"));
    }
    // A line end would let one header become two.
    if params.values.iter().any(|value| value.chars().any(char::is_control)) {
        return Err(EngineError::bad("the value of a header holds no control characters"));
    }
    let mut headers = load(&ctx).await?;
    headers.insert(name, params.values);
    if headers.len() > MOST {
        return Err(EngineError::bad(format!("there can be at most {MOST} headers")));
    }
    store(&ctx, &headers)?;
    Ok(Reply::empty())
}

async fn delete(ctx: SysCtx, params: NameParams) -> Answer {
    let mut headers = load(&ctx).await?;
    if headers.remove(&canonical(&params.header)?).is_some() {
        store(&ctx, &headers)?;
    }
    Ok(Reply::none())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;
    use crate::CoreConfig;
    use crate::testing::Server;
    use bulla_types::Operation;

    #[test]
    fn names_have_one_spelling() {
        assert_eq!(canonical("x-FRAME-options").unwrap(), "X-Frame-Options");
        assert_eq!(canonical("a--b").unwrap(), "A--B");
        for bad in ["", "a b", "a:b", "ä"] {
            assert!(canonical(bad).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn headers_are_bounded_and_hold_no_line_ends() {
        let server = Server::start(1, 1, CoreConfig::default()).await;
        let at = |name: &str| format!("sys/config/ui/headers/{name}");
        assert!(server.write(&at("a"), json!({ "values": ["x\r\nset-cookie: y"] })).await.refused.is_some());
        assert!(server.write(&at("x-vault-token"), json!({ "values": ["x"] })).await.refused.is_some());
        for number in 0..MOST {
            server.write(&at(&format!("h{number}")), json!({ "values": ["x"] })).await.ok();
        }
        assert!(server.write(&at("one-more"), json!({ "values": ["x"] })).await.error().contains("at most"));
        server.call(Operation::Delete, &at("H0"), json!({})).await.ok();
        server.write(&at("one-more"), json!({ "values": ["x", "y"] })).await.ok();
        assert_eq!(server.read(&at("ONE-MORE")).await.ok()["value"], "x");
    }
}
