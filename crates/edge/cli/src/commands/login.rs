//! `login`: exchange credentials for a token and remember it; `print token` shows what would be used.

use bulla_client::{Auth, Json, Request, Secret, Token};
use zeroize::Zeroizing;

use super::{generic::data_from, tidy};
use crate::{
    command::{Command, Kind, MANY, Run, seen_words},
    context::Ctx,
    data,
    failure::{Done, Failure, said},
    flags::Flag,
    output, token_file,
};

pub static COMMANDS: &[Command] = &[
    Command {
        name: "login",
        args: "[TOKEN | K=V...]",
        about: "Authenticate and remember the token",
        help: seen_words!(
            "With -method=userpass, ldap, okta or radius the words username= and password= are sent to the method's \
             login path; a missing password is asked for. Other methods get all words as they are. Without a method \
             the word is a token, asked for if missing; - reads it from standard input, @FILE from a file."
        ),
        words: (0, MANY),
        flags: &[
            Flag::text("method", "Type of auth method; token if not given."),
            Flag::text("path", "Where the method is mounted, if not at its type."),
            Flag::switch("no-store", "Do not remember the token."),
            Flag::switch("no-print", "Print nothing."),
            Flag::switch("token-only", "Print the token alone and do not remember it."),
        ],
        kind: Kind::Field,
        run: Run::Here(login),
    },
    Command {
        name: "print token",
        args: "",
        about: "Print the token that commands use",
        help: "",
        words: (0, 0),
        flags: &[],
        kind: Kind::Local,
        run: Run::Here(print_token),
    },
];

fn login(ctx: &mut Ctx) -> Done {
    let method = ctx.flags.filled("method").unwrap_or("token").to_owned();
    let secret = if method == "token" { by_token(ctx)? } else { by_method(ctx, &method)? };
    // A wrapped answer holds no token yet: it is for somebody else to unwrap.
    if secret.wrap_info.is_some() {
        return ctx.show(&secret);
    }
    let Some(auth) = &secret.auth else {
        return Err(Failure::remote("Error authenticating: the server returned no token"));
    };
    if !auth.value("mfa_requirement").is_null() {
        ctx.ui.warn("A second factor is needed; validate it with sys/mfa/validate and the request id below.");
        return ctx.show(&secret);
    }
    let only = ctx.flags.on("token-only");
    if only {
        ctx.ui.once_only();
    }
    let stored = !only && !ctx.flags.on("no-store");
    if stored && let Err(failure) = store(ctx, auth) {
        return not_stored(ctx, &secret, &failure);
    }
    if only {
        return ctx.show_value(&auth.value("client_token"));
    }
    if ctx.flags.on("no-print") {
        return Ok(0);
    }
    if ctx.field().is_some() {
        return ctx.show(&secret);
    }
    tell(ctx, stored);
    ctx.show(&secret)
}

fn by_token(ctx: &mut Ctx) -> Result<Secret, Failure> {
    let token = match ctx.args.as_slice() {
        [] => ctx.ask_hidden("Token (will be hidden): ")?,
        [word] => {
            let value = word.strip_prefix("token=").unwrap_or(word);
            Zeroizing::new(data::value_of(value, &mut ctx.ui).map_err(Failure::local)?)
        }
        _ => return Err(Failure::local("Too many arguments (expected 0-1)")),
    };
    let token = Token::parse(&token).ok_or_else(|| Failure::local("A token must be passed to login"))?;
    let request = Request::get("auth/token/lookup-self").with_token(token.duplicate());
    ctx.dry_run(&request)?;
    let found = ctx.quietly(async |client| client.send(&request).await)?;
    let found = found
        .and_then(|answer| answer.secret())
        .map_err(|e| Failure::remote(format!("Error authenticating: error looking up token: {}", said(&e))))?;
    match found.filter(|found| matches!(found.field("policies"), Some(Json::List(_)))) {
        Some(found) => Ok(as_auth(&token, &found)),
        // Whatever answered, it has not said that this is a token.
        None => Err(Failure::remote("Error authenticating: error looking up token: the answer describes no token")),
    }
}

/// What a lookup tells, in the shape of a login's answer.
fn as_auth(token: &Token, found: &Secret) -> Secret {
    let field = |name: &str| found.field(name).cloned().unwrap_or_default();
    let seconds = found.field("ttl").and_then(Json::as_i64).unwrap_or_default();
    let renewable = found.field("renewable").and_then(Json::as_bool).unwrap_or_default();
    let block = Json::object([
        ("client_token", Json::text(token.dangerous_expose())),
        ("accessor", found.field("accessor").cloned().unwrap_or_else(|| Json::text(""))),
        ("policies", policies(found)),
        ("token_policies", field("policies")),
        ("identity_policies", field("identity_policies")),
        ("metadata", field("meta")),
        ("lease_duration", Json::int(seconds)),
        ("renewable", Json::Bool(renewable)),
    ]);
    Secret { auth: Some(Auth { block }), ..Secret::default() }
}

fn policies(found: &Secret) -> Json {
    let mut all: Vec<&str> = ["policies", "identity_policies"]
        .iter()
        .filter_map(|name| found.field(name))
        .flat_map(Json::items)
        .filter_map(Json::as_str)
        .collect();
    all.sort_unstable();
    all.dedup();
    Json::texts(&all)
}

fn by_method(ctx: &mut Ctx, method: &str) -> Result<Secret, Failure> {
    let mut data = data_from(ctx, 0)?;
    let mount = ctx.flags.filled("path").map_or(method, tidy).to_owned();
    let path = if matches!(method, "userpass" | "ldap" | "okta" | "radius") {
        named_login(ctx, &mount, &mut data)?
    } else {
        format!("auth/{mount}/login")
    };
    let secret = ctx.write("Error authenticating", Request::put(&path, &data))?;
    secret.ok_or_else(|| Failure::remote("Error authenticating: the server returned no token"))
}

fn named_login(ctx: &mut Ctx, mount: &str, data: &mut Json) -> Result<String, Failure> {
    let user = match data.get("username") {
        Some(Json::Text(name)) => name.clone(),
        Some(_) => return Err(Failure::local("'username' must be one text")),
        None => ctx.env.plain("LOGNAME").unwrap_or_default().to_owned(),
    };
    if user.is_empty() {
        return Err(Failure::local("'username' must be specified"));
    }
    let others = data.members().iter().filter(|(name, _)| name != "username").cloned();
    *data = Json::object(others);
    if data.get("password").is_none() {
        let password = ctx.ask_hidden("Password (will be hidden): ")?;
        data.set("password", Json::text(password.as_str()));
    }
    Ok(format!("auth/{mount}/login/{user}"))
}

fn store(ctx: &mut Ctx, auth: &Auth) -> Result<(), Failure> {
    let token = Token::parse(auth.text("client_token"));
    let token = token.ok_or_else(|| Failure::remote("Error authenticating: the server returned no token"))?;
    token_file::write(&ctx.env, &token).map_err(|e| Failure::local(format!("Error storing token: {e}")))?;
    if let Some((variable, _)) = ctx.env.named("TOKEN") {
        let text = format!(
            "WARNING! The {variable} environment variable is set! The value of this variable will take precedence; \
             if this is unwanted please unset {variable} or update its value accordingly."
        );
        ctx.ui.warn(&format!("{}\n", output::wrap(&text, 0)));
    }
    Ok(())
}

/// The login has made a token, which nobody else will name.
fn not_stored(ctx: &mut Ctx, secret: &Secret, failure: &Failure) -> Done {
    let text = "Authentication was successful, but the token was not stored. It is shown below.";
    ctx.ui.warn(&format!("{}\n{text}\n", failure.text));
    ctx.show(secret)?;
    Ok(NOT_STORED)
}

/// Exit code of a login whose token is not where the next command looks for it.
const NOT_STORED: u8 = 2;

fn tell(ctx: &mut Ctx, stored: bool) {
    let (name, prefix) = (ctx.program.name(), ctx.program.prefix());
    if !stored {
        let text = format!(
            "The token was not stored in token helper. Set the {prefix}_TOKEN environment variable or pass the token \
             below with each request."
        );
        ctx.ui.warn(&format!("{}\n", output::wrap(&text, 0)));
    } else if ctx.is_table() {
        let text = format!(
            "Success! You are now authenticated. The token information displayed below is already stored in the token \
             helper. You do NOT need to run \"{name} login\" again. Future requests will automatically use this token."
        );
        ctx.ui.say(&format!("{}\n", output::wrap(&text, 0)));
    }
}

fn print_token(ctx: &mut Ctx) -> Done {
    if let Some(token) = ctx.token() {
        ctx.ui.say(token.dangerous_expose());
    }
    Ok(0)
}
