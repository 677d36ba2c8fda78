//! New shares: `sys/rotate/root/{init,update,verify,backup}` with a token, `sys/rekey/…` without.

use super::former::{hand_over, put_in_force};
use super::work::Operation;
use super::{Begun, CancelParams, Family, Held, ShareParams, authenticate, fresh_nonce, parse_share, seal_config};
use crate::recipients::{Backup, Recipients, base64_of, refusal};
use crate::sys::SysCtx;
use bulla_barrier::View;
use bulla_kit::{Answer, CommaList, EngineError, NoParams, Params, Reply, Route};
use bulla_records::{decode, encode};
use bulla_seal::{Finished, Rekey, RoundProgress, SealConfig, Share, ShareRound, UnsealKey, Verification, Verified};
use bulla_types::Time;
use serde_json::{Map, Value, json};

#[derive(Params)]
struct InitParams {
    /// How many shares there are to be.
    secret_shares: i64,
    /// How many of them are needed.
    secret_threshold: i64,
    /// Only for seals that keep shares themselves; has no meaning here.
    #[expect(dead_code, reason = "older clients always send it; known, so that they are not warned of it")]
    stored_shares: i64,
    /// PGP keys to encrypt the shares to.
    pgp_keys: CommaList,
    /// Whether the encrypted shares are kept, too.
    backup: bool,
    /// Whether the new shares must be presented before they count.
    require_verification: bool,
}

/// New shares under way, and whom they are for.
pub struct NewShares {
    pub rekey: Rekey,
    recipients: Recipients,
    /// The encrypted shares are kept, too.
    backup: bool,
}

impl Operation for NewShares {
    fn round(&self) -> &ShareRound {
        self.rekey.round()
    }

    fn is_untouched(&self) -> bool {
        self.rekey.round().progress() == 0 && self.rekey.verification_round().is_none()
    }
}

/// Where encrypted shares are kept.
const BACKUP: &str = "core/unseal-shares-backup";

pub fn routes() -> Vec<Route<SysCtx>> {
    use Family::{Legacy, Token};
    vec![
        init_route(Route::token("rotate/root/init"), Token),
        update_route(Route::token("rotate/root/update"), Token),
        verify_route(Route::token("rotate/root/verify"), Token),
        backup_route(Route::token("rotate/root/backup")),
        init_route(Route::public("rekey/init"), Legacy),
        update_route(Route::public("rekey/update"), Legacy),
        verify_route(Route::public("rekey/verify"), Legacy),
        backup_route(Route::sudo("rekey/backup")),
        backup_route(Route::sudo("rekey/recovery-key-backup")),
        recovery_route(Route::token("rotate/recovery/{step:any}"), Token),
        recovery_route(Route::public("rekey-recovery-key/{step:any}"), Legacy),
    ]
}

fn init_route(route: Route<SysCtx>, family: Family) -> Route<SysCtx> {
    route
        .help(
            "Start, show or cancel the making of new unseal shares.",
            "Cancelling needs the nonce; whoever started it needs none, nor does anybody after ten minutes.",
        )
        .read(move |ctx, p| status(ctx, p, family))
        .update(move |ctx, p| init(ctx, p, family))
        .delete(move |ctx, p| cancel(ctx, p, family))
}

fn update_route(route: Route<SysCtx>, family: Family) -> Route<SysCtx> {
    route
        .help("Present an unseal share.", "The last one gives the new shares.")
        .update(move |ctx, p| update(ctx, p, family))
}

fn verify_route(route: Route<SysCtx>, family: Family) -> Route<SysCtx> {
    route
        .help("Present the new shares, so that they come into force.", "Deleting starts over under another nonce.")
        .read(move |ctx, p| verification(ctx, p, family))
        .update(move |ctx, p| verify(ctx, p, family))
        .delete(move |ctx, p| restart(ctx, p, family))
}

fn backup_route(route: Route<SysCtx>) -> Route<SysCtx> {
    route
        .help("Shares that were kept encrypted to PGP keys.", "Kept where the rekey asked for it; deleted by hand.")
        .read(read_backup)
        .delete(delete_backup)
}

fn place(ctx: &SysCtx) -> View {
    View::new(ctx.txn(), ctx.ctx.request.namespace.0)
}

async fn read_backup(ctx: SysCtx, _: NoParams) -> Answer {
    let none = || EngineError::bad("no backed-up keys found");
    let bytes = place(&ctx).get(BACKUP).await?.ok_or_else(none)?;
    let damaged = || EngineError::damaged("backup of shares");
    let backup: Backup = decode("backup of shares", &bytes).map_err(|_| damaged())?;
    let mut base64 = Map::new();
    for (fingerprint, messages) in &backup.keys {
        let texts = messages.iter().map(|text| hex::decode(text).map(|bytes| Value::from(base64_of(&bytes))));
        base64.insert(fingerprint.clone(), texts.collect::<Result<_, _>>().map_err(|_| damaged())?);
    }
    Reply::json(&json!({ "nonce": backup.nonce, "keys": backup.keys, "keys_base64": base64 }))
}

async fn delete_backup(ctx: SysCtx, _: NoParams) -> Answer {
    place(&ctx).delete(BACKUP)?;
    Ok(Reply::none())
}

/// Only seals that unseal by themselves have recovery keys.
fn recovery_route(route: Route<SysCtx>, family: Family) -> Route<SysCtx> {
    let refuse = move |ctx: SysCtx, _: NoParams| async move {
        family.check_open(&ctx)?;
        let word = if family == Family::Legacy { "rekeying" } else { "rotation" };
        Err(EngineError::bad(format!("recovery {word} not supported")))
    };
    route.help("Recovery keys.", "There are none with this seal.").read(refuse).update(refuse).delete(refuse)
}

fn nonce_of(rekey: &Rekey) -> Option<String> {
    rekey.verification_round().map(|round| round.nonce().to_owned())
}

/// The state of an operation in the family's spelling.
fn shown(family: Family, work: Option<&NewShares>, required: u8) -> Answer {
    let mut out = Map::new();
    let rekey = work.map(|work| &work.rekey);
    let fingerprints = work.map_or(Value::Null, |work| work.recipients.fingerprints());
    let backup = work.is_some_and(|work| work.backup);
    if !fingerprints.is_null() && family == Family::Token {
        out.insert("pgp_fingerprints".into(), fingerprints.clone());
        out.insert("backup".into(), backup.into());
    }
    let round = rekey.map(Rekey::round);
    let target = rekey.map(Rekey::target);
    out.insert("started".into(), rekey.is_some().into());
    out.insert("t".into(), target.map_or(0, |t| t.threshold()).into());
    out.insert("n".into(), target.map_or(0, |t| t.shares()).into());
    out.insert("required".into(), required.into());
    let due = rekey.and_then(nonce_of);
    let verification = rekey.is_some_and(|r| r.verification() == Verification::Required);
    if rekey.is_some() || family == Family::Legacy {
        out.insert("nonce".into(), round.map_or("", ShareRound::nonce).into());
        out.insert("progress".into(), round.map_or(0, ShareRound::progress).into());
        out.insert("verification_required".into(), verification.into());
    }
    match family {
        Family::Legacy => {
            out.insert("pgp_fingerprints".into(), fingerprints);
            out.insert("backup".into(), backup.into());
            if let Some(nonce) = due {
                out.insert("verification_nonce".into(), nonce.into());
            }
        }
        Family::Token if rekey.is_some() => {
            out.insert("verification_nonce".into(), due.unwrap_or_default().into());
        }
        Family::Token => {}
    }
    spelled(family, &Value::Object(out))
}

/// With a token answers have the envelope, without one they have none.
fn spelled(family: Family, data: &Value) -> Answer {
    let reply = Reply::json(data)?;
    Ok(if family == Family::Legacy { reply.bare() } else { reply })
}

async fn status(ctx: SysCtx, _: NoParams, family: Family) -> Answer {
    family.check_open(&ctx)?;
    let held = ctx.pass.owner().keys.alone().await;
    let required = seal_config(&ctx).await?.threshold();
    shown(family, Begun::seen(&held, family), required)
}

/// The configuration asked for.
fn target(params: &InitParams, family: Family, now: Time) -> Result<(SealConfig, Recipients), EngineError> {
    let keys = params.pgp_keys.0.len();
    if params.backup && keys == 0 {
        let text = "cannot request a backup of the new keys without providing PGP keys for encryption";
        return Err(EngineError::bad(text));
    }
    let word = if family == Family::Legacy { "rekey" } else { "rotation" };
    if keys > 0 && i64::try_from(keys) != Ok(params.secret_shares) {
        return Err(EngineError::bad(format!("incorrect number of PGP keys for {word}")));
    }
    let prefix = format!("invalid {word} seal configuration: ");
    let config = SealConfig::new(params.secret_shares, params.secret_threshold)
        .map_err(|error| EngineError::bad(format!("{prefix}{error}")))?;
    let recipients = Recipients::parse(&params.pgp_keys.0, now).map_err(|error| refusal(&prefix, error))?;
    Ok((config, recipients))
}

async fn init(ctx: SysCtx, params: InitParams, family: Family) -> Answer {
    family.check_open(&ctx)?;
    let (target, recipients) = target(&params, family, ctx.now())?;
    let held = ctx.pass.owner().keys.alone().await;
    if held.is_some() {
        return Err(EngineError::bad(family.rekey().already_in_progress()));
    }
    let current = seal_config(&ctx).await?;
    let verification = if params.require_verification { Verification::Required } else { Verification::No };
    let rekey = Rekey::start(family.rekey(), current, target, verification, fresh_nonce()?);
    let work = NewShares { rekey, recipients, backup: params.backup };
    let answer = shown(family, Some(&work), current.threshold());
    Begun::start(&ctx, held, family, work);
    answer
}

async fn cancel(ctx: SysCtx, params: CancelParams, family: Family) -> Answer {
    family.check_open(&ctx)?;
    let held = ctx.pass.owner().keys.alone().await;
    Begun::cancel(&ctx, held, family, &params.nonce)?;
    Ok(Reply::none())
}

fn share(params: &ShareParams, family: Family) -> Result<Share, EngineError> {
    match (family, params.key.is_empty(), params.nonce.is_empty()) {
        (Family::Legacy, true, _) => Err(EngineError::bad("'key' must be specified in request body as JSON")),
        (Family::Token, true, _) => Err(EngineError::bad("missing required field 'key'")),
        (Family::Token, false, true) => Err(EngineError::bad("missing required field 'nonce'")),
        _ => parse_share(&params.key),
    }
}

fn copy(work: &NewShares) -> Result<NewShares, EngineError> {
    let rekey = work.rekey.duplicate().map_err(|_| EngineError::internal("no memory could be had for a key"))?;
    Ok(NewShares { rekey, recipients: work.recipients.clone(), backup: work.backup })
}

async fn update(ctx: SysCtx, params: ShareParams, family: Family) -> Answer {
    family.check_open(&ctx)?;
    let share = share(&params, family)?;
    let mut held = ctx.pass.owner().keys.alone().await;
    let none = || EngineError::bad(family.rekey().none_in_progress());
    let mut next = copy(Begun::seen(&held, family).ok_or_else(none)?)?;
    let added = next.rekey.add(&params.nonce, share).map_err(|error| EngineError::bad(error.to_string()));
    let outcome = match added {
        Ok(RoundProgress::More) => {
            let answer = shown(family, Some(&next), next.round().required());
            Begun::advance(&ctx, held, next);
            return answer;
        }
        Ok(RoundProgress::Done(key)) => authenticate(&ctx, &key).await,
        Err(error) => Err(error),
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

async fn finish(ctx: &SysCtx, held: Held<NewShares>, work: NewShares, family: Family) -> Answer {
    let no_randomness = |_| EngineError::internal("no randomness could be had from the system");
    let NewShares { rekey, recipients, backup } = work;
    let nonce = rekey.round().nonce().to_owned();
    let new = UnsealKey::generate().map_err(no_randomness)?;
    let (shares, finished) = rekey.finish(new, fresh_nonce()?).map_err(no_randomness)?;
    let out = recipients.hand_out(&shares).map_err(|error| refusal("", error))?;
    if backup {
        let kept = encode("backup of shares", &recipients.backup(&nonce, &out));
        place(ctx).put(BACKUP, kept.map_err(|error| EngineError::internal(error.to_string()))?)?;
    }
    let fingerprints = recipients.fingerprints();
    let due = match finished {
        Finished::InForce(key, config) => {
            hand_over(ctx, held, key, &config).await?;
            None
        }
        Finished::Verify(rekey) => {
            let due = nonce_of(&rekey);
            Begun::advance(ctx, held, NewShares { rekey, recipients, backup });
            due
        }
    };
    let mut data = json!({
        "nonce": nonce,
        "complete": true,
        "keys": out.keys,
        "keys_base64": out.keys_base64,
        "pgp_fingerprints": fingerprints,
        "backup": backup,
        "verification_required": due.is_some(),
    });
    if due.is_some() || family == Family::Token {
        data["verification_nonce"] = due.unwrap_or_default().into();
    }
    spelled(family, &data)
}

fn shown_verification(family: Family, rekey: &Rekey) -> Answer {
    let none = || EngineError::bad(family.rekey().no_configuration());
    let round = rekey.verification_round().ok_or_else(none)?;
    let target = rekey.target();
    let data = json!({
        "nonce": round.nonce(),
        "started": true,
        "t": target.threshold(),
        "n": target.shares(),
        "progress": round.progress(),
    });
    spelled(family, &data)
}

async fn verification(ctx: SysCtx, _: NoParams, family: Family) -> Answer {
    family.check_open(&ctx)?;
    let held = ctx.pass.owner().keys.alone().await;
    let none = || EngineError::bad(family.rekey().no_configuration());
    shown_verification(family, &Begun::seen(&held, family).ok_or_else(none)?.rekey)
}

async fn verify(ctx: SysCtx, params: ShareParams, family: Family) -> Answer {
    family.check_open(&ctx)?;
    let share = share(&params, family)?;
    let mut held = ctx.pass.owner().keys.alone().await;
    let none = || EngineError::bad(family.rekey().no_configuration());
    let mut next = copy(Begun::seen(&held, family).ok_or_else(none)?)?;
    match next.rekey.verify(&params.nonce, share) {
        Ok(Verified::More) => {
            let answer = shown_verification(family, &next.rekey);
            Begun::advance(&ctx, held, next);
            answer
        }
        Ok(Verified::InForce(key, config)) => {
            put_in_force(&ctx, held, key, &config)?;
            spelled(family, &json!({ "nonce": params.nonce, "complete": true }))
        }
        Err(error) => {
            Begun::keep(&mut held, next);
            Err(EngineError::bad(error.to_string()))
        }
    }
}

async fn restart(ctx: SysCtx, params: CancelParams, family: Family) -> Answer {
    family.check_open(&ctx)?;
    let held = ctx.pass.owner().keys.alone().await;
    let none = || EngineError::bad(family.rekey().no_configuration());
    let mut next = copy(Begun::seen(&held, family).ok_or_else(none)?)?;
    Begun::check_restart(&held, &ctx, family, &params.nonce)?;
    next.rekey.restart_verification(fresh_nonce()?).map_err(|error| EngineError::bad(error.to_string()))?;
    let answer = shown_verification(family, &next.rekey);
    Begun::advance(&ctx, held, next);
    answer
}
