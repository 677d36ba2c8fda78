//! `namespace list`, `create`, `patch`, `lookup`, `delete`.

use bulla_client::{Json, Request};

use super::{
    generic::{list_at, nothing_at},
    tidy,
};
use crate::{
    command::{Command, Kind, Run},
    context::Ctx,
    failure::Done,
    flags::Flag,
};

const CUSTOM: Flag = Flag::pair("custom-metadata", "key=value to keep with it. May be given several times.");

const fn command(name: &'static str, args: &'static str, about: &'static str, run: fn(&mut Ctx) -> Done) -> Command {
    Command { name, args, about, help: "", words: (1, 1), flags: &[], kind: Kind::Field, run: Run::Here(run) }
}

pub static COMMANDS: &[Command] = &[
    Command {
        words: (0, 0),
        kind: Kind::Format,
        ..command("namespace list", "", "List the namespaces below this one", |ctx| list_at(ctx, "sys/namespaces"))
    },
    Command { flags: &[CUSTOM], ..command("namespace create", "PATH", "Create a namespace", create) },
    Command {
        flags: &[CUSTOM, Flag::repeat("remove-custom-metadata", "Key to remove. May be given several times.")],
        ..command("namespace patch", "PATH", "Change a namespace's metadata", patch)
    },
    command("namespace lookup", "PATH", "Show a namespace", lookup),
    Command { kind: Kind::Http, ..command("namespace delete", "PATH", "Delete a namespace and all in it", delete) },
];

fn create(ctx: &mut Ctx) -> Done {
    let path = tidy(ctx.arg(0)).to_owned();
    let body = Json::object([("custom_metadata", custom(ctx))]);
    match ctx.write("Error creating namespace", Request::put(&format!("sys/namespaces/{path}"), &body))? {
        Some(secret) => ctx.show(&secret),
        None => Ok(0),
    }
}

fn patch(ctx: &mut Ctx) -> Done {
    let path = tidy(ctx.arg(0)).to_owned();
    let mut metadata = custom(ctx);
    ctx.flags.split("remove-custom-metadata").iter().for_each(|key| metadata.set(key, Json::Null));
    let body = Json::object([("custom_metadata", metadata)]);
    match ctx.write("Error patching namespace", Request::patch(&format!("sys/namespaces/{path}"), &body))? {
        Some(secret) => ctx.show(&secret),
        None => Ok(0),
    }
}

fn lookup(ctx: &mut Ctx) -> Done {
    let path = tidy(ctx.arg(0)).to_owned();
    match ctx.read("Error looking up namespace", Request::get(&format!("sys/namespaces/{path}")))? {
        Some(secret) => ctx.show(&secret),
        None => Err(nothing_at(&path)),
    }
}

fn delete(ctx: &mut Ctx) -> Done {
    let path = tidy(ctx.arg(0)).to_owned();
    let secret = ctx.write("Error deleting namespace", Request::delete(&format!("sys/namespaces/{path}")))?;
    if let Some(secret) = secret.filter(|secret| !secret.is_empty()) {
        return ctx.show(&secret);
    }
    ctx.ui.say(&format!("Success! Namespace deleted at: {path}/"));
    Ok(0)
}

fn custom(ctx: &Ctx) -> Json {
    Json::object(ctx.flags.pairs("custom-metadata").map(|(name, value)| (name, Json::text(value))))
}
