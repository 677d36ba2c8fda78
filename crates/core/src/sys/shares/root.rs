//! A new root token from the shares: `sys/generate-root-token/…` with a token, `sys/generate-root/…` without; and
//! `sys/decode-token`, which takes the one-time password off the result.

use super::work::Operation;
use super::{Begun, CancelParams, Family, Held, ShareParams, authenticate, fresh_nonce, parse_share, seal_config};
use crate::recipients::{refusal, token_for};
use crate::sys::SysCtx;
use crate::token::{NewToken, issue};
use bulla_crypto::random;
use bulla_kit::{Answer, EngineError, NoParams, Params, Reply, Route};
use bulla_pgp::PgpKey;
use bulla_seal::{Purpose, RootGeneration, RoundProgress, ShareRound, decode_token};
use bulla_secret::SecretText;
use serde_json::{Map, Value, json};

/// The tokens made here have the reference's short form, `s.` and 24 characters: tools take the length of the one-time
/// password from it.
const TOKEN_LENGTH: usize = 26;

#[derive(Params)]
struct AttemptParams {
    /// The one-time password, as long as the token; made here if not given.
    otp: String,
    /// A PGP key to encrypt the token to.
    pgp_key: String,
}

#[derive(Params)]
struct DecodeParams {
    /// The token under its password, base64.
    encoded_token: String,
    /// The one-time password.
    otp: String,
}

pub fn routes() -> Vec<Route<SysCtx>> {
    use Family::{Legacy, Token};
    vec![
        attempt_route(Route::token("generate-root-token/attempt"), Token),
        update_route(Route::token("generate-root-token/update"), Token),
        attempt_route(Route::public("generate-root/attempt"), Legacy),
        update_route(Route::public("generate-root/update"), Legacy),
        Route::public("decode-token")
            .help(
                "Take the one-time password off a generated token.",
                "A service for callers who cannot do it themselves; better done where the password was made.",
            )
            .update(decode),
    ]
}

fn attempt_route(route: Route<SysCtx>, family: Family) -> Route<SysCtx> {
    route
        .help(
            "Start, show or cancel the making of a root token.",
            "Cancelling needs the nonce; whoever started it needs none, nor does anybody after ten minutes.",
        )
        .read(move |ctx, p| status(ctx, p, family))
        .update(move |ctx, p| start(ctx, p, family))
        .delete(move |ctx, p| cancel(ctx, p, family))
}

fn update_route(route: Route<SysCtx>, family: Family) -> Route<SysCtx> {
    route.help("Present an unseal share.", "The last one gives the token.").update(move |ctx, p| update(ctx, p, family))
}

/// An attempt, and whom its token is for.
pub struct Attempt {
    generation: RootGeneration,
    recipient: Option<PgpKey>,
}

impl Operation for Attempt {
    fn round(&self) -> &ShareRound {
        self.generation.round()
    }
}

impl Attempt {
    fn duplicate(&self) -> Self {
        Self { generation: self.generation.duplicate(), recipient: self.recipient.clone() }
    }

    fn fingerprint(&self) -> String {
        self.recipient.as_ref().map(|key| key.fingerprint().to_owned()).unwrap_or_default()
    }
}

/// What an answer tells besides the state of the round.
#[derive(Default)]
struct Extra<'a> {
    otp: &'a str,
    fingerprint: String,
    /// The token, once it is made.
    encoded: Option<&'a str>,
    /// Answers to shares tell other members than those to starts.
    of_update: bool,
}

fn shown(family: Family, made: Option<(&str, u8)>, required: u8, extra: &Extra<'_>) -> Answer {
    let mut out = Map::new();
    let encoded = extra.encoded.unwrap_or_default();
    out.insert("started".into(), made.is_some().into());
    out.insert("progress".into(), made.map_or(0, |(_, progress)| progress).into());
    out.insert("required".into(), required.into());
    out.insert("complete".into(), extra.encoded.is_some().into());
    let length = if extra.of_update { 0 } else { TOKEN_LENGTH };
    if family == Family::Legacy || made.is_some() {
        out.insert("nonce".into(), made.map_or("", |(nonce, _)| nonce).into());
        out.insert("pgp_fingerprint".into(), extra.fingerprint.as_str().into());
    }
    if family == Family::Legacy || !extra.of_update {
        out.insert("otp".into(), extra.otp.into());
        out.insert("otp_length".into(), length.into());
    }
    if family == Family::Legacy || extra.of_update {
        out.insert("encoded_token".into(), encoded.into());
    }
    if family == Family::Legacy {
        out.insert("encoded_root_token".into(), encoded.into());
    }
    let reply = Reply::json(&Value::Object(out))?;
    Ok(if family == Family::Legacy { reply.bare() } else { reply })
}

fn state(attempt: &Attempt) -> (&str, u8) {
    (attempt.round().nonce(), attempt.round().progress())
}

async fn status(ctx: SysCtx, _: NoParams, family: Family) -> Answer {
    family.check_open(&ctx)?;
    let held = ctx.pass.owner().keys.root_generation().await;
    let required = seal_config(&ctx).await?.threshold();
    let seen = Begun::seen(&held, family);
    let fingerprint = seen.map(Attempt::fingerprint).unwrap_or_default();
    shown(family, seen.map(state), required, &Extra { fingerprint, ..Extra::default() })
}

async fn start(ctx: SysCtx, params: AttemptParams, family: Family) -> Answer {
    family.check_open(&ctx)?;
    let required = seal_config(&ctx).await?.threshold();
    let for_key = params.otp.is_empty() && !params.pgp_key.is_empty();
    let own = params.otp.is_empty() && !for_key;
    let otp = if own { random::base62(TOKEN_LENGTH).map_err(|_| no_randomness())? } else { params.otp };
    let attempt = if for_key {
        let key = PgpKey::parse(&params.pgp_key, ctx.now()).map_err(|e| refusal("error parsing PGP key: ", e))?;
        Attempt { generation: RootGeneration::for_key(required, fresh_nonce()?), recipient: Some(key) }
    } else {
        let generation = RootGeneration::start(required, fresh_nonce()?, SecretText::from(otp.clone()), TOKEN_LENGTH)
            .map_err(|error| EngineError::bad(error.to_string()))?;
        Attempt { generation, recipient: None }
    };
    let held = ctx.pass.owner().keys.root_generation().await;
    if held.is_some() {
        return Err(EngineError::bad(Purpose::RootGeneration.already_in_progress()));
    }
    // A password that the caller brought along is not repeated.
    let extra = Extra { otp: if own { &otp } else { "" }, fingerprint: attempt.fingerprint(), ..Extra::default() };
    let answer = shown(family, Some(state(&attempt)), required, &extra);
    Begun::start(&ctx, held, family, attempt);
    answer
}

fn no_randomness() -> EngineError {
    EngineError::internal("no randomness could be had from the system")
}

async fn cancel(ctx: SysCtx, params: CancelParams, family: Family) -> Answer {
    family.check_open(&ctx)?;
    let held = ctx.pass.owner().keys.root_generation().await;
    Begun::cancel(&ctx, held, family, &params.nonce)?;
    Ok(Reply::none())
}

fn check_share(params: &ShareParams, family: Family) -> Result<(), EngineError> {
    match (family, params.key.is_empty(), params.nonce.is_empty()) {
        (Family::Legacy, true, _) => Err(EngineError::bad("'key' must be specified in request body as JSON")),
        (Family::Token, _, true) => Err(EngineError::bad("nonce is required")),
        (Family::Token, true, _) => Err(EngineError::bad("key is required")),
        _ => Ok(()),
    }
}

async fn update(ctx: SysCtx, params: ShareParams, family: Family) -> Answer {
    family.check_open(&ctx)?;
    check_share(&params, family)?;
    let share = parse_share(&params.key)?;
    let mut held = ctx.pass.owner().keys.root_generation().await;
    let none = || EngineError::bad(Purpose::RootGeneration.none_in_progress());
    let mut next = Begun::seen(&held, family).ok_or_else(none)?.duplicate();
    let required = next.round().required();
    let outcome = match next.generation.add(&params.nonce, share) {
        Ok(RoundProgress::More) => {
            let answer = shown(
                family,
                Some(state(&next)),
                required,
                &Extra { of_update: true, fingerprint: next.fingerprint(), ..Extra::default() },
            );
            Begun::advance(&ctx, held, next);
            return answer;
        }
        Ok(RoundProgress::Done(key)) => authenticate(&ctx, &key).await.map_err(aborted),
        Err(error) => Err(EngineError::bad(error.to_string())),
    };
    match outcome {
        Ok(()) => finish(&ctx, held, next, family).await,
        Err(error) => {
            // What failed is over at once: shares that gave no key are gone.
            Begun::keep(&mut held, next);
            Err(error)
        }
    }
}

fn aborted(error: EngineError) -> EngineError {
    match error {
        EngineError::BadRequest(text) => EngineError::bad(format!("root generation aborted: {text}")),
        other => other,
    }
}

/// The token is written in the request's own batch; it counts together with the end of the operation.
async fn finish(ctx: &SysCtx, held: Held<Attempt>, attempt: Attempt, family: Family) -> Answer {
    let id = format!("s.{}", random::base62(TOKEN_LENGTH - 2).map_err(|_| no_randomness())?);
    let nonce = attempt.round().nonce().to_owned();
    let required = attempt.round().required();
    let new = NewToken::root(ctx.ctx.request.namespace, Some(id));
    let issued = issue(ctx.txn(), new, ctx.now()).await?;
    let fingerprint = attempt.fingerprint();
    let encoded = match &attempt.recipient {
        Some(key) => token_for(key, &issued.id).map_err(|error| refusal("", error))?,
        None => attempt.generation.finish(&issued.id).map_err(|error| EngineError::internal(error.to_string()))?,
    };
    Begun::end(ctx, held);
    let extra = Extra { encoded: Some(&encoded), of_update: true, fingerprint, ..Extra::default() };
    shown(family, Some((&nonce, required)), required, &extra)
}

async fn decode(_: SysCtx, params: DecodeParams) -> Answer {
    let token = decode_token(&params.encoded_token, &SecretText::from(params.otp))
        .map_err(|error| EngineError::bad(error.to_string()))?;
    Reply::json(&json!({ "token": token.dangerous_expose() }))
}
