//! `operator rekey`: the unseal key split anew.

use bulla_client::{Json, Request};
use zeroize::Zeroizing;

use super::{
    operator::pgp_keys,
    operator_rounds::{CANCEL, INIT, NONCE, STATUS, fetch, give_share, member, place},
};
use crate::{
    command::{Command, Kind, Run, seen_words},
    context::Ctx,
    failure::{Done, Failure},
    flags::Flag,
    output,
};

pub static COMMANDS: &[Command] = &[Command {
    name: "operator rekey",
    args: "[KEY]",
    about: "Split the unseal key anew",
    help: seen_words!(
        "Begin with -init, then each holder gives a share: asked for and not shown, or from standard input with -."
    ),
    words: (0, 1),
    flags: &[
        INIT,
        CANCEL,
        STATUS,
        NONCE,
        Flag::int("key-shares", "Shares to split the new key into; 5 if not given.").alias("n"),
        Flag::int("key-threshold", "Shares needed to unseal; 3 if not given.").alias("t"),
        Flag::repeat("pgp-keys", "Files with public PGP keys, one for each share, separated by commas."),
        Flag::text("target", "barrier (the unseal key) or recovery."),
        Flag::switch(
            "verify",
            "The share is a new one, to prove that it was received; or with -init: ask for such proof.",
        ),
        Flag::switch("backup", "Keep PGP-encrypted shares on the server."),
        Flag::switch("backup-retrieve", "Show the kept shares."),
        Flag::switch("backup-delete", "Delete the kept shares."),
    ],
    kind: Kind::Format,
    run: Run::Here(rekey),
}];

fn rekey(ctx: &mut Ctx) -> Done {
    let (ours, old) = match ctx.flags.filled("target").unwrap_or("barrier") {
        "barrier" => ("sys/rotate/root", "sys/rekey"),
        "recovery" | "hsm" => ("sys/rotate/recovery", "sys/rekey-recovery-key"),
        other => return Err(Failure::local(format!("Unknown target: {other}"))),
    };
    let base = place(ctx, ours, old, "init")?;
    let flags = &ctx.flags;
    let round = if flags.on("verify") && !flags.on("init") { "verify" } else { "init" };
    if flags.on("backup-delete") {
        ctx.send("Error deleting stored keys", Request::delete(&format!("{base}/backup")))?;
        ctx.ui.say("Success! Delete backup keys (if they existed)");
        return Ok(0);
    }
    if flags.on("backup-retrieve") {
        let what = "Error retrieving stored keys";
        let secret = ctx.read(what, Request::get(&format!("{base}/backup")))?;
        return match secret {
            Some(secret) => ctx.show(&secret),
            None => Err(Failure::remote(format!("{what}: there are none"))),
        };
    }
    if flags.on("cancel") {
        ctx.send("Error canceling rekey", Request::delete(&format!("{base}/{round}")))?;
        ctx.ui.say("Success! Canceled rekeying (if it was started)");
        return Ok(0);
    }
    if flags.on("status") {
        let status = fetch(ctx, "Error reading rekey status", Request::get(&format!("{base}/{round}")))?;
        return show_rekey(ctx, &status);
    }
    if flags.on("init") { begin_rekey(ctx, base) } else { continue_rekey(ctx, base, round) }
}

fn begin_rekey(ctx: &mut Ctx, base: &str) -> Done {
    let flags = &ctx.flags;
    let mut body = Json::object([
        ("secret_shares", Json::int(flags.int("key-shares").unwrap_or(5))),
        ("secret_threshold", Json::int(flags.int("key-threshold").unwrap_or(3))),
        ("backup", Json::Bool(flags.on("backup"))),
        ("require_verification", Json::Bool(flags.on("verify"))),
    ]);
    let files = flags.split("pgp-keys");
    if !files.is_empty() {
        body.set("pgp_keys", Json::texts(&pgp_keys(&files)?));
    }
    let what = "Error initializing rekey";
    ctx.send(what, Request::put(&format!("{base}/init"), &body))?;
    let status = fetch(ctx, what, Request::get(&format!("{base}/init")))?;
    show_rekey(ctx, &status)
}

fn continue_rekey(ctx: &mut Ctx, base: &str, round: &str) -> Done {
    let what = "Error posting unseal key";
    let path = if round == "verify" { format!("{base}/verify") } else { format!("{base}/update") };
    let answer = give_share(ctx, what, &format!("{base}/{round}"), &path, "Rekey")?;
    let complete = answer.get("complete").and_then(Json::as_bool).unwrap_or_default();
    if !complete || !ctx.is_table() {
        return if ctx.is_table() { show_rekey(ctx, &answer) } else { ctx.show_json(&answer) };
    }
    if round == "verify" {
        ctx.ui.say("Success! Rekey verification completed");
        return Ok(0);
    }
    let keys = answer.get("keys_base64").map(Json::items).unwrap_or_default();
    let prints = answer.get("pgp_fingerprints").map(Json::items).unwrap_or_default();
    let mut text = Zeroizing::new(String::new());
    for (i, key) in keys.iter().filter_map(Json::as_str).enumerate() {
        let print = prints.get(i).and_then(Json::as_str).map(|p| format!(" fingerprint: {p};")).unwrap_or_default();
        text.push_str(&format!("\nKey {}{print}: {key}", i + 1));
    }
    ctx.ui.say(&format!("{}\n\nOperation nonce: {}\n", text.as_str(), member(&answer, "nonce")));
    let pending = answer.get("verification_required").and_then(Json::as_bool).unwrap_or_default();
    ctx.ui.say(if pending {
        "The new shares count once they have been proved with -verify."
    } else {
        "The unseal key has been split anew; the old shares no longer count."
    });
    Ok(0)
}

fn show_rekey(ctx: &mut Ctx, status: &Json) -> Done {
    if !ctx.is_table() {
        return ctx.show_json(status);
    }
    let started = status.get("started").and_then(Json::as_bool).unwrap_or_default();
    let mut rows = vec![["Nonce".to_owned(), member(status, "nonce")], ["Started".to_owned(), started.to_string()]];
    if started {
        let name = if status.get("verification_nonce").and_then(Json::as_str).is_some_and(|n| !n.is_empty()) {
            "Verification Progress"
        } else {
            "Rekey Progress"
        };
        rows.push([name.to_owned(), format!("{}/{}", member(status, "progress"), member(status, "required"))]);
        rows.push(["New Shares".to_owned(), member(status, "n")]);
        rows.push(["New Threshold".to_owned(), member(status, "t")]);
        let required = status.get("verification_required").and_then(Json::as_bool).unwrap_or_default();
        rows.push(["Verification Required".to_owned(), required.to_string()]);
        let verification = member(status, "verification_nonce");
        if !verification.is_empty() {
            rows.push(["Verification Nonce".to_owned(), verification]);
        }
    }
    ctx.ui.say(&output::columns(&rows));
    Ok(0)
}
