//! `operator init`, `unseal`, `seal`, `step-down`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bulla_client::{InitAnswer, Json, Method, Request};
use zeroize::Zeroizing;

use super::{operator_rounds::share, status};
use crate::{
    command::{Command, Kind, Run, seen_words},
    context::Ctx,
    failure::{Done, Failure},
    flags::Flag,
};

pub static COMMANDS: &[Command] = &[
    Command {
        name: "operator init",
        args: "",
        about: "Initialise a server: create its keys and the first root token",
        help: "The shares and the root token are printed once and kept nowhere.",
        words: (0, 0),
        flags: &[
            Flag::int("key-shares", "Shares to split the unseal key into; 5 if not given.").alias("n"),
            Flag::int("key-threshold", "Shares needed to unseal; 3 if not given.").alias("t"),
            Flag::repeat("pgp-keys", "Files with public PGP keys, one for each share, separated by commas."),
            Flag::text("root-token-pgp-key", "File with the public PGP key for the root token."),
            Flag::int("recovery-shares", "Shares of the recovery key, with a seal that unseals by itself."),
            Flag::int("recovery-threshold", "Recovery shares needed."),
            Flag::repeat("recovery-pgp-keys", "Files with public PGP keys for the recovery shares."),
            Flag::int("stored-shares", "Accepted for the sake of scripts; the seal decides."),
            Flag::switch("consul-auto", "Not available.").missing("servers are not looked up in Consul"),
            Flag::text("consul-service", "Not available.").missing("servers are not looked up in Consul"),
            Flag::switch("status", "Tell whether it is initialised: exit code 0 if so, 2 if not."),
        ],
        kind: Kind::Format,
        run: Run::Here(init),
    },
    Command {
        name: "operator unseal",
        args: "[KEY]",
        about: "Give one share of the unseal key",
        help: seen_words!(
            "Without a word the share is asked for and not shown; with - it is read from standard input."
        ),
        words: (0, 1),
        flags: &[
            Flag::switch("reset", "Forget the shares given so far."),
            Flag::switch("migrate", "The share is for moving to another seal."),
        ],
        kind: Kind::Format,
        run: Run::Here(unseal),
    },
    Command {
        name: "operator seal",
        args: "",
        about: "Seal the server: erase its keys from memory",
        help: "",
        words: (0, 0),
        flags: &[],
        kind: Kind::Http,
        run: Run::Here(seal),
    },
    Command {
        name: "operator step-down",
        args: "",
        about: "Make the active node hand over",
        help: "",
        words: (0, 0),
        flags: &[],
        kind: Kind::Http,
        run: Run::Here(step_down),
    },
];

/// Shares and threshold if none are asked for.
const USUAL: (i64, i64) = (5, 3);

fn init(ctx: &mut Ctx) -> Done {
    if ctx.flags.on("status") {
        return init_status(ctx);
    }
    let request = init_request(ctx)?;
    ctx.dry_run(&Request::put("sys/init", &request.body))?;
    ctx.ui.must_arrive()?;
    let answer = ctx.quietly(async |client| client.init(&request.body).await)?;
    let answer = answer.map_err(|e| Failure::of("Error initializing", e))?;
    if ctx.is_table() {
        tell_keys(ctx, &answer, &request);
        return complete(&answer);
    }
    ctx.show_json(&Json::object([
        ("unseal_keys_b64", Json::texts(&answer.keys_base64)),
        ("unseal_keys_hex", Json::texts(&answer.keys)),
        ("unseal_shares", Json::int(request.shares.0)),
        ("unseal_threshold", Json::int(request.shares.1)),
        ("recovery_keys_b64", Json::texts(&answer.recovery_keys_base64)),
        ("recovery_keys_hex", Json::texts(&answer.recovery_keys)),
        ("recovery_keys_shares", Json::int(request.recovery.0)),
        ("recovery_keys_threshold", Json::int(request.recovery.1)),
        ("root_token", Json::text(&answer.root_token)),
    ]))?;
    complete(&answer)
}

/// After all has been shown, whatever it is: it may be the only trace of keys.
fn complete(answer: &InitAnswer) -> Done {
    if answer.root_token.is_empty() || answer.keys_base64.is_empty() && answer.recovery_keys_base64.is_empty() {
        return Err(Failure::remote("Error initializing: the server's answer lacks shares or the root token"));
    }
    Ok(0)
}

struct InitRequest {
    body: Json,
    shares: (i64, i64),
    recovery: (i64, i64),
}

fn init_request(ctx: &mut Ctx) -> Result<InitRequest, Failure> {
    // Whoever does not say gets what fits the seal: shares for shamir, recovery shares where the seal unseals itself.
    let seal = if ctx.is_dry_run() {
        String::new()
    } else {
        ctx.quietly(async |client| client.seal_status().await)?.map(|status| status.kind).unwrap_or_default()
    };
    let itself = !matches!(seal.as_str(), "" | "shamir");
    let flags = &ctx.flags;
    let pair = |shares: &str, threshold: &str, usual: (i64, i64)| {
        (flags.int(shares).unwrap_or(usual.0), flags.int(threshold).unwrap_or(usual.1))
    };
    let shares = pair("key-shares", "key-threshold", if itself { (0, 0) } else { USUAL });
    let recovery = pair("recovery-shares", "recovery-threshold", if itself { USUAL } else { (0, 0) });
    let mut body = Json::Object(Vec::new());
    for (names, values) in
        [(["secret_shares", "secret_threshold"], shares), (["recovery_shares", "recovery_threshold"], recovery)]
    {
        if values != (0, 0) {
            body.set(names[0], Json::int(values.0));
            body.set(names[1], Json::int(values.1));
        }
    }
    for (member, flag) in [("pgp_keys", "pgp-keys"), ("recovery_pgp_keys", "recovery-pgp-keys")] {
        let files = flags.split(flag);
        if !files.is_empty() {
            body.set(member, Json::texts(&pgp_keys(&files)?));
        }
    }
    if let Some(file) = flags.filled("root-token-pgp-key") {
        let key = pgp_keys(&[file.to_owned()])?.swap_remove(0);
        body.set("root_token_pgp_key", Json::text(key));
    }
    Ok(InitRequest { body, shares, recovery })
}

/// Public keys as the API takes them: base64 of the binary form. Files may hold binary, base64 or armour.
pub fn pgp_keys(files: &[String]) -> Result<Vec<String>, Failure> {
    files
        .iter()
        .map(|file| {
            let file = file.strip_prefix('@').unwrap_or(file);
            let bytes = std::fs::read(file).map_err(|e| Failure::local(format!("Error reading {file}: {e}")))?;
            Ok(std::str::from_utf8(&bytes).ok().and_then(base64_inside).unwrap_or_else(|| STANDARD.encode(&bytes)))
        })
        .collect()
}

fn base64_inside(text: &str) -> Option<String> {
    let text = text.trim();
    let body: String = match text.strip_prefix("-----BEGIN PGP PUBLIC KEY BLOCK-----") {
        Some(armour) => {
            // Headers end with an empty line; `=XXXX` is a checksum, not data.
            let after = armour.trim_start_matches([' ', '\r']).replace('\r', "");
            let data = after.split_once("\n\n").map_or(after.as_str(), |(_, data)| data).to_owned();
            data.lines().take_while(|line| !line.starts_with("-----") && !line.starts_with('=')).collect()
        }
        None => text.lines().map(str::trim).collect(),
    };
    STANDARD.decode(&body).is_ok().then_some(body)
}

fn init_status(ctx: &mut Ctx) -> Done {
    ctx.dry_run(&Request::get("sys/init"))?;
    let known = ctx.quietly(async |client| client.is_initialized().await)?;
    let known =
        known.map_err(|e| Failure::local(format!("Error checking init status: {}", crate::failure::said(&e))))?;
    if ctx.is_table() {
        ctx.ui.say(if known { "Vault is initialized" } else { "Vault is not initialized" });
    } else {
        ctx.show_json(&Json::object([("initialized", Json::Bool(known))]))?;
    }
    Ok(if known { 0 } else { 2 })
}

fn tell_keys(ctx: &mut Ctx, answer: &InitAnswer, request: &InitRequest) {
    let mut text = Zeroizing::new(String::new());
    for (what, keys) in [("Unseal", &answer.keys_base64), ("Recovery", &answer.recovery_keys_base64)] {
        for (i, key) in keys.iter().enumerate() {
            text.push_str(&format!("{what} Key {}: {key}\n", i + 1));
        }
    }
    text.push_str(&format!("\nInitial Root Token: {}\n", answer.root_token));
    ctx.ui.say(&text);
    let (shares, threshold) = request.shares;
    if shares > 0 {
        ctx.ui.say(&crate::output::wrap(
            &format!(
                "Vault initialized with {shares} key shares and a key threshold of {threshold}. Give each share to a \
                 different person and keep none of them together: whoever has {threshold} of them can unseal the \
                 server, and without {threshold} of them nobody can, ever."
            ),
            0,
        ));
    } else {
        ctx.ui.say("Success! Vault is initialized");
    }
}

fn unseal(ctx: &mut Ctx) -> Done {
    if ctx.flags.on("reset") {
        return offer(ctx, &Json::object([("reset", Json::Bool(true))]));
    }
    let key = share(ctx, "Unseal Key (will be hidden): ")?;
    let mut body = Json::object([("key", Json::text(key.trim()))]);
    if ctx.flags.on("migrate") {
        body.set("migrate", Json::Bool(true));
    }
    offer(ctx, &body)
}

fn offer(ctx: &mut Ctx, body: &Json) -> Done {
    ctx.dry_run(&Request::put("sys/unseal", body))?;
    let answer = ctx.quietly(async |client| client.unseal(body).await)?;
    let answer = answer.map_err(|e| Failure::of("Error unsealing", e))?;
    status::show(ctx, &answer)
}

fn seal(ctx: &mut Ctx) -> Done {
    ctx.send("Error sealing", Request::new(Method::Put, "sys/seal").once())?;
    ctx.ui.say("Success! Vault is sealed.");
    Ok(0)
}

fn step_down(ctx: &mut Ctx) -> Done {
    ctx.send("Error stepping down", Request::new(Method::Put, "sys/step-down"))?;
    let address = ctx.quietly(async |client| Ok(client.config().address.base().to_owned()))?.unwrap_or_default();
    ctx.ui.say(&format!("Success! Stepped down: {address}"));
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn armour_is_taken_off() {
        let armour = "-----BEGIN PGP PUBLIC KEY BLOCK-----\nComment: x\n\nQUJD\nREVG\n=abcd\n-----END PGP PUBLIC KEY BLOCK-----\n";
        assert_eq!(base64_inside(armour).as_deref(), Some("QUJDREVG"));
        assert_eq!(base64_inside("QUJD\n").as_deref(), Some("QUJD"));
        assert_eq!(base64_inside("not base64!"), None);
    }
}
