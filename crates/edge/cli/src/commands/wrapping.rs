//! `unwrap`: what a wrapping token holds.

use bulla_client::{Json, Request, Token};

use crate::{
    command::{Command, Kind, Run, seen_words},
    context::Ctx,
    failure::{Done, Failure},
};

pub static COMMANDS: &[Command] = &[Command {
    name: "unwrap",
    args: "[TOKEN]",
    about: "Fetch what a wrapping token holds",
    help: seen_words!(
        "Without a word the token that commands use is taken for the wrapping token; with - it is read from standard input."
    ),
    words: (0, 1),
    flags: &[],
    kind: Kind::Field,
    run: Run::Here(unwrap),
}];

fn unwrap(ctx: &mut Ctx) -> Done {
    let word = ctx.secret_word(0)?;
    let token = Token::parse(&word);
    let own = ctx.token();
    // Who has no other token may present the wrapping token itself.
    let request = match token {
        Some(token) if own.is_none() => {
            Request::put("sys/wrapping/unwrap", &Json::Object(Vec::new())).with_token(token)
        }
        Some(token) => {
            Request::put("sys/wrapping/unwrap", &Json::object([("token", Json::text(token.dangerous_expose()))]))
        }
        None => Request::put("sys/wrapping/unwrap", &Json::Object(Vec::new())),
    };
    match ctx.write("Error unwrapping", request)? {
        Some(secret) => {
            ctx.ui.once_only();
            ctx.show(&secret)
        }
        None => Err(Failure::remote("Could not find wrapped response")),
    }
}
