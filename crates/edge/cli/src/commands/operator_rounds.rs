//! `operator rekey` and `operator generate-root`: rounds in which holders give their shares one by one.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use bulla_client::{Json, Method, Request};
use zeroize::Zeroizing;

use super::operator::pgp_keys;
use crate::{
    command::{Command, Kind, Run},
    context::Ctx,
    failure::{Done, Failure},
    flags::Flag,
    output,
};

const INIT: Flag = Flag::switch("init", "Begin a round.");
const CANCEL: Flag = Flag::switch("cancel", "End the round; the shares given so far are forgotten.");
const STATUS: Flag = Flag::switch("status", "Show how far the round is.");
const NONCE: Flag = Flag::text("nonce", "Nonce of the round the share is for.");

pub static COMMANDS: &[Command] = &[
    Command {
        name: "operator rekey",
        args: "[KEY]",
        about: "Split the unseal key anew",
        help: "Begin with -init, then each holder gives a share.",
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
    },
    Command {
        name: "operator generate-root",
        args: "[KEY]",
        about: "Make a root token from shares of the unseal key",
        help: "Begin with -init, which prints a one-time password; then each holder gives a share; the encoded token at \
               the end is decoded with -decode and -otp.",
        words: (0, 1),
        flags: &[
            INIT,
            CANCEL,
            STATUS,
            NONCE,
            Flag::text("decode", "Encoded token to decode; needs -otp."),
            Flag::text("otp", "One-time password."),
            Flag::switch("generate-otp", "Make a one-time password and print it."),
            Flag::text("pgp-key", "File with a public PGP key to encrypt the token with instead."),
        ],
        kind: Kind::Format,
        run: Run::Here(generate_root),
    },
];

fn rekey(ctx: &mut Ctx) -> Done {
    let base = match ctx.flags.filled("target").unwrap_or("barrier") {
        "barrier" => "sys/rekey",
        "recovery" | "hsm" => "sys/rekey-recovery-key",
        other => return Err(Failure::local(format!("Unknown target: {other}"))),
    };
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

const ATTEMPT: &str = "sys/generate-root/attempt";

fn generate_root(ctx: &mut Ctx) -> Done {
    let flags = &ctx.flags;
    if let Some(encoded) = flags.filled("decode") {
        let (encoded, otp) = (encoded.to_owned(), flags.filled("otp").unwrap_or_default().to_owned());
        return decode(ctx, &encoded, &otp);
    }
    if flags.on("generate-otp") {
        return generate_otp(ctx);
    }
    if flags.on("cancel") {
        ctx.send("Error canceling root token generation", Request::delete(ATTEMPT))?;
        ctx.ui.say("Success! Root token generation canceled (if it was started)");
        return Ok(0);
    }
    if flags.on("status") {
        let status = fetch(ctx, "Error getting root generation status", Request::get(ATTEMPT))?;
        return show_generation(ctx, &status);
    }
    if !flags.on("init") {
        let status =
            give_share(ctx, "Error posting unseal key", ATTEMPT, "sys/generate-root/update", "Root generation")?;
        return show_generation(ctx, &status);
    }
    let mut body = Json::Object(Vec::new());
    if let Some(otp) = flags.filled("otp") {
        body.set("otp", Json::text(otp));
    }
    if let Some(file) = flags.filled("pgp-key") {
        body.set("pgp_key", Json::text(pgp_keys(&[file.to_owned()])?.swap_remove(0)));
    }
    let status = fetch(ctx, "Error initializing root generation", Request::put(ATTEMPT, &body))?;
    show_generation(ctx, &status)
}

fn show_generation(ctx: &mut Ctx, status: &Json) -> Done {
    if !ctx.is_table() {
        return ctx.show_json(status);
    }
    let flag = |name: &str| status.get(name).and_then(Json::as_bool).unwrap_or_default().to_string();
    let mut rows = vec![
        ["Nonce".to_owned(), member(status, "nonce")],
        ["Started".to_owned(), flag("started")],
        ["Progress".to_owned(), format!("{}/{}", member(status, "progress"), member(status, "required"))],
        ["Complete".to_owned(), flag("complete")],
    ];
    let mut add = |key: &str, name: &str| {
        let value = member(status, name);
        if !value.is_empty() && value != "0" {
            rows.push([key.to_owned(), value]);
        }
    };
    add("PGP Fingerprint", "pgp_fingerprint");
    let token = if member(status, "encoded_token").is_empty() { "encoded_root_token" } else { "encoded_token" };
    add(if token == "encoded_token" { "Encoded Token" } else { "Encoded Root Token" }, token);
    add("OTP", "otp");
    add("OTP Length", "otp_length");
    if !member(status, "otp").is_empty() {
        ctx.ui.warn(&output::wrap("A One-Time-Password has been generated for you. Keep it: without it the resulting token cannot be decoded.", 0));
    }
    ctx.ui.say(&output::columns(&rows));
    Ok(0)
}

fn decode(ctx: &mut Ctx, encoded: &str, otp: &str) -> Done {
    if otp.is_empty() {
        return Err(Failure::local("Missing otp: use -otp to supply it"));
    }
    let token = decoded(encoded, otp).map_err(|why| Failure::local(format!("Error decoding root token: {why}")))?;
    if ctx.is_table() {
        ctx.ui.say(&token);
        return Ok(0);
    }
    ctx.show_json(&Json::object([("token", Json::text(token.as_str()))]))
}

/// The encoded token is the token XOR the password, in base64.
fn decoded(encoded: &str, otp: &str) -> Result<Zeroizing<String>, &'static str> {
    let bytes = STANDARD_NO_PAD.decode(encoded.trim().trim_end_matches('=')).map_err(|_| "it is not base64")?;
    let bytes = Zeroizing::new(bytes);
    if bytes.len() != otp.len() {
        return Err("token and password have different lengths");
    }
    let plain: Vec<u8> = bytes.iter().zip(otp.bytes()).map(|(a, b)| a ^ b).collect();
    String::from_utf8(plain).map(Zeroizing::new).map_err(|_| "the password does not fit the token")
}

fn generate_otp(ctx: &mut Ctx) -> Done {
    let status = fetch(ctx, "Error getting root generation status", Request::get(ATTEMPT))?;
    let length = status.get("otp_length").and_then(Json::as_i64).unwrap_or_default();
    let length = usize::try_from(length).ok().filter(|n| (1..=256).contains(n));
    let length = length.ok_or_else(|| Failure::remote("the server did not say how long the password must be"))?;
    let otp = random_base62(length).map_err(|e| Failure::local(format!("no randomness: {e}")))?;
    if ctx.is_table() {
        ctx.ui.say(&otp);
        return Ok(0);
    }
    ctx.show_json(&Json::object([("otp", Json::text(otp.as_str()))]))
}

fn random_base62(length: usize) -> std::io::Result<Zeroizing<String>> {
    use std::io::Read as _;
    const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut source = std::fs::File::open("/dev/urandom")?;
    let mut otp = Zeroizing::new(String::with_capacity(length));
    let mut byte = [0];
    while otp.len() < length {
        source.read_exact(&mut byte)?;
        // 248 = 4 * 62: every letter is as likely as any other.
        if byte[0] < 248 {
            otp.push(char::from(LETTERS[usize::from(byte[0]) % 62]));
        }
    }
    Ok(otp)
}

/// Gives one share, asking for it if there is no word, with the nonce of the running round.
fn give_share(ctx: &mut Ctx, what: &str, status_path: &str, update_path: &str, noun: &str) -> Result<Json, Failure> {
    let status = fetch(ctx, what, Request::get(status_path))?;
    if !status.get("started").and_then(Json::as_bool).unwrap_or_default() {
        return Err(Failure::local(format!("{noun} is not in progress; begin it with the -init flag")));
    }
    let nonce = ctx.flags.filled("nonce").map_or_else(|| member(&status, "nonce"), str::to_owned);
    let key = match ctx.args.first().map(String::as_str) {
        None => {
            ctx.ui.ask_hidden(&format!("Operation nonce: {nonce}\nUnseal Key (will be hidden): ")).map_err(|e| {
                Failure::local(format!("cannot ask for the key, there is no terminal ({e}); give it as a word or as -"))
            })?
        }
        Some("-") => ctx.ui.input().map_err(Failure::local)?,
        Some(word) => Zeroizing::new(word.to_owned()),
    };
    let body = Json::object([("key", Json::text(key.trim())), ("nonce", Json::text(nonce))]);
    fetch(ctx, what, Request::new(Method::Put, update_path).json(&body))
}

/// The answer's own members: bare, or under `data`.
fn fetch(ctx: &mut Ctx, what: &str, request: Request) -> Result<Json, Failure> {
    let answer = ctx.send(what, request)?;
    let json = answer.json().map_err(|e| Failure::of(what, e.into()))?.unwrap_or_default();
    let data = json.get("data").filter(|data| !data.is_null() && json.get("nonce").is_none()).cloned();
    Ok(data.unwrap_or(json))
}

fn member(json: &Json, name: &str) -> String {
    json.get(name).filter(|value| !value.is_null()).map(output::display).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn tokens_are_decoded() {
        let (token, otp) = ("hvs.abcdef", "0123456789");
        let mixed: Vec<u8> = token.bytes().zip(otp.bytes()).map(|(a, b)| a ^ b).collect();
        let encoded = STANDARD_NO_PAD.encode(mixed);
        assert_eq!(decoded(&encoded, otp).unwrap().as_str(), token);
        assert_eq!(decoded(&format!("{encoded}=="), otp).unwrap().as_str(), token);
        assert!(decoded(&encoded, "012345678").is_err());
        assert!(decoded("!", otp).is_err());
    }

    #[test]
    fn passwords_are_letters_and_digits() {
        let otp = random_base62(28).unwrap();
        assert!(otp.len() == 28 && otp.bytes().all(|b| b.is_ascii_alphanumeric()));
        assert_ne!(otp, random_base62(28).unwrap());
    }
}
