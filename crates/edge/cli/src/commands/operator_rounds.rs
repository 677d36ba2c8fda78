//! What `operator rekey` and `operator generate-root` share: rounds in which holders give their shares one by one.

use bulla_client::{Json, Method, Request};
use zeroize::Zeroizing;

use crate::{context::Ctx, failure::Failure, flags::Flag, output};

pub const INIT: Flag = Flag::switch("init", "Begin a round.");
pub const CANCEL: Flag = Flag::switch("cancel", "End the round; the shares given so far are forgotten.");
pub const STATUS: Flag = Flag::switch("status", "Show how far the round is.");
pub const NONCE: Flag = Flag::text("nonce", "Nonce of the round the share is for.");

/// Where a round is kept: at `ours`, for callers with a token, or at `old`, for anybody. Servers close the old routes by
/// default, and those of other makes have no others.
pub fn place(ctx: &mut Ctx, ours: &'static str, old: &'static str, round: &str) -> Result<&'static str, Failure> {
    if ctx.token().is_none() {
        return Ok(old);
    }
    if ctx.is_dry_run() {
        return Ok(ours);
    }
    let request = Request::get(&format!("{ours}/{round}"));
    let asked = ctx.quietly(async |client| client.send(&request).await)?;
    // Anything but "no such route" is for the command's own request to report.
    Ok(if asked.is_err_and(|error| error.status() == Some(404)) { old } else { ours })
}

/// Gives one share, asking for it if there is no word, with the nonce of the running round.
pub fn give_share(
    ctx: &mut Ctx,
    what: &str,
    status_path: &str,
    update_path: &str,
    noun: &str,
) -> Result<Json, Failure> {
    if ctx.is_dry_run() {
        let key = share(ctx, "")?;
        let nonce = ctx.flags.filled("nonce").unwrap_or("NONCE").to_owned();
        return fetch(ctx, what, giving(update_path, &key, nonce));
    }
    ctx.ui.must_arrive()?;
    let status = fetch(ctx, what, Request::get(status_path))?;
    if !status.get("started").and_then(Json::as_bool).unwrap_or_default() {
        return Err(Failure::local(format!("{noun} is not in progress; begin it with the -init flag")));
    }
    let nonce = ctx.flags.filled("nonce").map_or_else(|| member(&status, "nonce"), str::to_owned);
    let key = share(ctx, &format!("Operation nonce: {nonce}\nUnseal Key (will be hidden): "))?;
    fetch(ctx, what, giving(update_path, &key, nonce))
}

fn giving(path: &str, key: &str, nonce: String) -> Request {
    let body = Json::object([("key", Json::text(key.trim())), ("nonce", Json::text(nonce))]);
    Request::new(Method::Put, path).json(&body)
}

/// The share that is given: the word, standard input for `-`, or typed unseen. Where the request is only printed nobody is
/// asked, since what was typed unseen would then be shown.
pub fn share(ctx: &mut Ctx, question: &str) -> Result<Zeroizing<String>, Failure> {
    match ctx.args.first().map(String::as_str) {
        None if ctx.is_dry_run() => Ok(Zeroizing::new("SHARE".to_owned())),
        None => ctx.ask_hidden(question),
        Some(_) => ctx.secret_word(0),
    }
}

/// The answer's own members: bare, or under `data`.
pub fn fetch(ctx: &mut Ctx, what: &str, request: Request) -> Result<Json, Failure> {
    let answer = ctx.send(what, request)?;
    let json = answer.json().map_err(|e| Failure::of(what, e))?.unwrap_or_default();
    let data = json.get("data").filter(|data| !data.is_null() && json.get("nonce").is_none()).cloned();
    Ok(data.unwrap_or(json))
}

pub fn member(json: &Json, name: &str) -> String {
    json.get(name).filter(|value| !value.is_null()).map(output::display).unwrap_or_default()
}
