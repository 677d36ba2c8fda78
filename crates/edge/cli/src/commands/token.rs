//! `token create`, `lookup`, `renew`, `revoke`, `capabilities`.

use bulla_client::{Json, Request};
use bulla_types::go_duration_text;

use crate::{
    command::{Command, Kind, Run, seen_words},
    context::Ctx,
    failure::{Done, Failure},
    flags::Flag,
};

const ACCESSOR: Flag = Flag::switch("accessor", "The word is an accessor, not a token.");

pub static COMMANDS: &[Command] = &[
    Command {
        name: "token create",
        args: "",
        about: "Create a token",
        help: "",
        words: (0, 0),
        flags: &[
            Flag::text("id", "The token's own text; needs sudo."),
            Flag::text("display-name", "Name for people."),
            Flag::duration("ttl", "How long it lives at first."),
            Flag::duration("explicit-max-ttl", "How long it may live at all, however often renewed."),
            Flag::duration("period", "Each renewal gives it this long again, without an end."),
            Flag::switch("renewable", "Whether it can be renewed; true if not given."),
            Flag::switch("orphan", "Without a parent, so that it outlives this one."),
            Flag::switch("no-default-policy", "Without the policy `default`."),
            Flag::int("use-limit", "Requests it is good for; 0 for any number."),
            Flag::text("role", "Role to create it from."),
            Flag::text("type", "service or batch."),
            Flag::text("entity-alias", "Alias of the entity to tie it to; needs a role that allows it."),
            Flag::switch("inline-auth", "Not available.").missing("requests cannot log in on their way"),
            Flag::repeat("policy", "Policy it gets. May be given several times."),
            Flag::pair("metadata", "key=value to keep with it and in the audit log. May be given several times."),
        ],
        kind: Kind::Field,
        run: Run::Here(create),
    },
    Command {
        name: "token lookup",
        args: "[TOKEN | ACCESSOR]",
        about: "Show a token's properties",
        help: seen_words!("Without a word the token that commands use; with - it is read from standard input."),
        words: (0, 1),
        flags: &[ACCESSOR],
        kind: Kind::Field,
        run: Run::Here(lookup),
    },
    Command {
        name: "token renew",
        args: "[TOKEN | ACCESSOR]",
        about: "Extend a token's life",
        help: seen_words!("Without a word the token that commands use; with - it is read from standard input."),
        words: (0, 1),
        flags: &[
            ACCESSOR,
            Flag::duration("increment", "How long it should live from now; the server may give less.").alias("i"),
        ],
        kind: Kind::Field,
        run: Run::Here(renew),
    },
    Command {
        name: "token revoke",
        args: "[TOKEN | ACCESSOR]",
        about: "Revoke a token and its children",
        help: seen_words!("With - the token is read from standard input."),
        words: (0, 1),
        flags: &[
            ACCESSOR,
            Flag::switch("self", "The token that commands use."),
            Flag::text("mode", "orphan: the token without its children; path: every token of an auth method's path."),
        ],
        kind: Kind::Http,
        run: Run::Here(revoke),
    },
    Command {
        name: "token capabilities",
        args: "[TOKEN | ACCESSOR] PATH",
        about: "Show what a token may do on a path",
        help: seen_words!(
            "With one word the token that commands use; with - for TOKEN it is read from standard input."
        ),
        words: (1, 2),
        flags: &[ACCESSOR],
        kind: Kind::Format,
        run: Run::Here(capabilities),
    },
];

fn create(ctx: &mut Ctx) -> Done {
    let flags = &ctx.flags;
    let mut body = Json::Object(Vec::new());
    for (member, flag) in
        [("id", "id"), ("display_name", "display-name"), ("type", "type"), ("entity_alias", "entity-alias")]
    {
        if let Some(value) = flags.filled(flag) {
            body.set(member, Json::text(value));
        }
    }
    for (member, flag) in [("ttl", "ttl"), ("explicit_max_ttl", "explicit-max-ttl"), ("period", "period")] {
        if let Some(value) = flags.duration(flag).filter(|value| *value != 0) {
            body.set(member, Json::text(go_duration_text(value)));
        }
    }
    for (member, flag) in [("no_parent", "orphan"), ("no_default_policy", "no-default-policy")] {
        if flags.on(flag) {
            body.set(member, Json::Bool(true));
        }
    }
    if flags.text("type") != Some("batch") {
        body.set("renewable", Json::Bool(flags.switch("renewable").unwrap_or(true)));
    }
    if let Some(uses) = flags.int("use-limit") {
        body.set("num_uses", Json::int(uses));
    }
    let policies: Vec<&str> = flags.all("policy").collect();
    if !policies.is_empty() {
        body.set("policies", Json::texts(&policies));
    }
    let metadata = Json::object(flags.pairs("metadata").map(|(name, value)| (name, Json::text(value))));
    if !metadata.members().is_empty() {
        body.set("meta", metadata);
    }
    let role = flags.filled("role").map(|role| format!("/{role}")).unwrap_or_default();
    let request = Request::post(&format!("auth/token/create{role}"), &body);
    match ctx.write("Error creating token", request)? {
        Some(secret) => ctx.show(&secret),
        None => Err(Failure::remote("Error creating token: the server returned no token")),
    }
}

fn lookup(ctx: &mut Ctx) -> Done {
    let word = ctx.secret_word(0)?;
    let request = if ctx.flags.on("accessor") {
        needs_word(&word)?;
        Request::post("auth/token/lookup-accessor", &Json::object([("accessor", Json::text(&*word))]))
    } else if word.is_empty() {
        Request::get("auth/token/lookup-self")
    } else {
        Request::post("auth/token/lookup", &Json::object([("token", Json::text(&*word))]))
    };
    match ctx.write("Error looking up token", request)? {
        Some(secret) => ctx.show(&secret),
        None => Err(Failure::remote("Error looking up token: nothing returned")),
    }
}

fn renew(ctx: &mut Ctx) -> Done {
    let word = ctx.secret_word(0)?;
    let seconds = ctx.flags.duration("increment").unwrap_or_default() / 1_000_000_000;
    let increment = ("increment", Json::int(seconds));
    let request = if ctx.flags.on("accessor") {
        needs_word(&word)?;
        Request::post("auth/token/renew-accessor", &Json::object([("accessor", Json::text(&*word)), increment]))
    } else if word.is_empty() {
        Request::put("auth/token/renew-self", &Json::object([increment]))
    } else {
        Request::put("auth/token/renew", &Json::object([("token", Json::text(&*word)), increment]))
    };
    match ctx.write("Error renewing token", request)? {
        Some(secret) => ctx.show(&secret),
        None => Err(Failure::remote("Error renewing token: nothing returned")),
    }
}

fn revoke(ctx: &mut Ctx) -> Done {
    let word = ctx.secret_word(0)?;
    let (own, accessor) = (ctx.flags.on("self"), ctx.flags.on("accessor"));
    let mode = ctx.flags.text("mode").unwrap_or_default().to_owned();
    match (own, word.is_empty()) {
        (true, false) => return Err(Failure::local("Too many arguments with -self (expected 0, got 1)")),
        (false, true) => return Err(Failure::local("Not enough arguments (expected ID or -self)")),
        (true, true) if accessor => return Err(Failure::local("Cannot use -self with -accessor")),
        _ => {}
    }
    let token = Json::object([("token", Json::text(&*word))]);
    let request = match (own, accessor, mode.as_str()) {
        (true, _, "") => Request::put("auth/token/revoke-self", &Json::Object(Vec::new())),
        (_, true, "") => Request::post("auth/token/revoke-accessor", &Json::object([("accessor", Json::text(&*word))])),
        (false, false, "") => Request::put("auth/token/revoke", &token),
        (false, false, "orphan") => Request::put("auth/token/revoke-orphan", &token),
        (false, false, "path") => Request::put(&format!("sys/revoke-prefix/{}", *word), &Json::Object(Vec::new())),
        (false, false, other) => return Err(Failure::local(format!("Invalid mode: {other}"))),
        _ => return Err(Failure::local("Cannot use -mode with -self or -accessor")),
    };
    ctx.send("Error revoking token", request)?;
    ctx.ui.say("Success! Revoked token (if it existed)");
    Ok(0)
}

fn capabilities(ctx: &mut Ctx) -> Done {
    let (request, path) = if ctx.args.len() == 2 {
        let (word, path) = (ctx.secret_word(0)?, ctx.arg(1).to_owned());
        let (member, end) = if ctx.flags.on("accessor") { ("accessor", "-accessor") } else { ("token", "") };
        let body = Json::object([(member, Json::text(&*word)), ("path", Json::text(&path))]);
        (Request::post(&format!("sys/capabilities{end}"), &body), path)
    } else {
        let path = ctx.arg(0).to_owned();
        if ctx.flags.on("accessor") {
            return Err(Failure::local("Not enough arguments (expected 2, got 1)"));
        }
        (Request::post("sys/capabilities-self", &Json::object([("path", Json::text(&path))])), path)
    };
    let secret = ctx.write("Error listing capabilities", request)?.unwrap_or_default();
    let found = secret.field(&path).or_else(|| secret.field("capabilities"));
    let mut names: Vec<&str> = found.map(Json::items).unwrap_or_default().iter().filter_map(Json::as_str).collect();
    names.sort_unstable();
    if ctx.is_table() {
        ctx.ui.say(&names.join(", "));
        return Ok(0);
    }
    ctx.show_json(&Json::texts(&names))
}

fn needs_word(word: &str) -> Result<(), Failure> {
    if word.is_empty() {
        Err(Failure::local("Not enough arguments with -accessor (expected 1, got 0)"))
    } else {
        Ok(())
    }
}
