//! `operator generate-root`: a root token made from shares of the unseal key.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
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
    name: "operator generate-root",
    args: "[KEY]",
    about: "Make a root token from shares of the unseal key",
    help: seen_words!(
        "Begin with -init, which prints a one-time password; then each holder gives a share (asked for and not shown, or \
         from standard input with -); the encoded token at the end is decoded with -decode and -otp."
    ),
    words: (0, 1),
    flags: &[
        INIT,
        CANCEL,
        STATUS,
        NONCE,
        Flag::text("decode", "Encoded token to decode; needs -otp. With - it is read from standard input."),
        Flag::text("otp", "One-time password."),
        Flag::switch("generate-otp", "Make a one-time password and print it."),
        Flag::switch("dr-token", "Not available.").missing("there is no disaster recovery replication"),
        Flag::switch("recovery-token", "Not available.").missing("there are no recovery tokens"),
        Flag::text("pgp-key", "File with a public PGP key to encrypt the token with instead."),
    ],
    kind: Kind::Format,
    run: Run::Here(generate_root),
}];

/// With a token, and without.
const PLACES: (&str, &str) = ("sys/generate-root-token", "sys/generate-root");

fn generate_root(ctx: &mut Ctx) -> Done {
    if let Some(encoded) = ctx.flags.filled("decode").map(str::to_owned) {
        let otp = Zeroizing::new(ctx.flags.filled("otp").unwrap_or_default().to_owned());
        let encoded = if encoded == "-" { ctx.ui.input().map_err(Failure::local)?.to_string() } else { encoded };
        return decode(ctx, &encoded, &otp);
    }
    let base = place(ctx, PLACES.0, PLACES.1, "attempt")?;
    let attempt = format!("{base}/attempt");
    if ctx.flags.on("generate-otp") {
        return generate_otp(ctx, &attempt);
    }
    let flags = &ctx.flags;
    if flags.on("cancel") {
        ctx.send("Error canceling root token generation", Request::delete(&attempt))?;
        ctx.ui.say("Success! Root token generation canceled (if it was started)");
        return Ok(0);
    }
    if flags.on("status") {
        let status = fetch(ctx, "Error getting root generation status", Request::get(&attempt))?;
        return show_generation(ctx, &status);
    }
    if !flags.on("init") {
        let update = format!("{base}/update");
        let status = give_share(ctx, "Error posting unseal key", &attempt, &update, "Root generation")?;
        return show_generation(ctx, &status);
    }
    let mut body = Json::Object(Vec::new());
    if let Some(otp) = flags.filled("otp") {
        body.set("otp", Json::text(otp));
    }
    if let Some(file) = flags.filled("pgp-key") {
        body.set("pgp_key", Json::text(pgp_keys(&[file.to_owned()])?.swap_remove(0)));
    }
    ctx.ui.once_only();
    let status = fetch(ctx, "Error initializing root generation", Request::put(&attempt, &body))?;
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
    ctx.ui.once_only();
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

fn generate_otp(ctx: &mut Ctx, attempt: &str) -> Done {
    let status = fetch(ctx, "Error getting root generation status", Request::get(attempt))?;
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
