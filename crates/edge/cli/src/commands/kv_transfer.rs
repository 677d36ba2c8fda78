//! `kv copy`, `kv move`: an entry with all its versions to another path of its store.
//!
//! The server does it in one step; that is why both paths must be in one store, and why nothing may be at the target
//! yet. Not here: where a path is mounted (`kv_place`).

use bulla_client::{Json, Request};

use super::kv_place::place;
use crate::{
    command::{Command, Kind, Run},
    context::Ctx,
    dry_run,
    failure::{Done, Failure},
    flags::Flag,
};

const MOUNT: Flag = Flag::text("mount", "Where the store is mounted; PATH and TARGET are then below it.");

const fn command(name: &'static str, about: &'static str, help: &'static str, run: fn(&mut Ctx) -> Done) -> Command {
    Command {
        name,
        args: "PATH TARGET",
        about,
        help,
        words: (2, 2),
        flags: &[MOUNT],
        kind: Kind::Format,
        run: Run::Here(run),
    }
}

pub static COMMANDS: &[Command] = &[
    command(
        "kv copy",
        "Copy an entry with all its versions",
        "TARGET is a path of the same store, spelled like PATH, where no entry is yet. The copy has the versions, settings \
         and times of the original. Only stores of version 2 can do this.",
        copy,
    ),
    command(
        "kv move",
        "Move an entry with all its versions",
        "TARGET is a path of the same store, spelled like PATH, where no entry is yet. Versions, settings and times go \
         along, and nothing is left behind. Only stores of version 2 can do this.",
        relocate,
    ),
];

/// One of the two, in the words of its route and of its messages.
struct Way {
    area: &'static str,
    noun: &'static str,
    /// `Error … a to b`.
    doing: &'static str,
    /// `Success! … a to b`.
    done: &'static str,
}

fn copy(ctx: &mut Ctx) -> Done {
    transfer(ctx, &Way { area: "copy", noun: "Copy", doing: "copying", done: "Copied" })
}

fn relocate(ctx: &mut Ctx) -> Done {
    transfer(ctx, &Way { area: "move", noun: "Move", doing: "moving", done: "Moved" })
}

/// As a path of a request is spelled: an entry with doubled slashes in its name could be reached by no command.
fn one_spelling(path: &str) -> String {
    path.trim().split('/').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
}

fn transfer(ctx: &mut Ctx, way: &Way) -> Done {
    let target = one_spelling(ctx.arg(1));
    let is_below = ctx.flags.filled("mount").is_some();
    let place = place(ctx)?.versioned_for(way.noun)?;
    let to = if is_below { Some(target.as_str()) } else { place.below(&target) };
    let to = to.ok_or_else(|| {
        Failure::local(format!("{target} is not in the store at {}/: TARGET must be in the same one", place.mount))
    })?;
    if to.is_empty() || place.name.is_empty() {
        return Err(Failure::local("PATH and TARGET must name an entry, not only a store"));
    }
    let request = Request::post(&place.at(way.area), &Json::object([("to", Json::text(to))]));
    let data = |name: &str| format!("{}/data/{name}", place.mount);
    let (from_path, to_path) = (data(&place.name), data(to));
    if ctx.flags.on("output-policy") {
        let there = dry_run::policy_for(&to_path, &["create"]);
        ctx.ui.say(&format!("{}\n\n{there}", dry_run::policy_for(request.path(), &["update"])));
        return Ok(0);
    }
    match ctx.write(&format!("Error {} {from_path} to {to_path}", way.doing), request)? {
        Some(secret) if !secret.is_empty() => ctx.show(&secret),
        _ => {
            if ctx.is_table() {
                ctx.ui.say(&format!("Success! {} {from_path} to: {to_path}", way.done));
            }
            Ok(0)
        }
    }
}
