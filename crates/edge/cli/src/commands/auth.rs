//! `auth list`, `enable`, `disable`, `tune`, `move`, `help`.

use super::{
    folder, generic,
    mounts::{self, Noun},
    mounts_list,
};
use crate::{
    command::{Command, Kind, Run},
    context::Ctx,
    failure::Done,
    flags::{Flag, joined},
};

const fn command(name: &'static str, args: &'static str, about: &'static str, run: fn(&mut Ctx) -> Done) -> Command {
    Command { name, args, about, help: "", words: (1, 1), flags: &[], kind: Kind::Http, run: Run::Here(run) }
}

const SETTINGS: [Flag; 13] = joined(mounts::SETTINGS, [mounts::TOKEN_TYPE]);

pub static COMMANDS: &[Command] = &[
    Command { words: (0, 0), kind: Kind::Format, ..command("auth list", "", "List auth methods", list) },
    Command {
        flags: &joined::<13, 6, 19>(SETTINGS, mounts::MAKING),
        ..command("auth enable", "TYPE", "Mount an auth method", enable)
    },
    command("auth disable", "PATH", "Unmount an auth method; its tokens end", disable),
    Command {
        flags: &joined::<13, 4, 17>(SETTINGS, mounts::LOCKOUT),
        ..command("auth tune", "PATH", "Change an auth method's settings", tune)
    },
    Command {
        words: (2, 2),
        ..command("auth move", "SOURCE DESTINATION", "Move an auth method, auth/a/ to auth/b/", remount)
    },
    Command { kind: Kind::Format, ..command("auth help", "PATH", "Show the help of the auth method at a path", help) },
];

fn list(ctx: &mut Ctx) -> Done {
    mounts_list::list(ctx, Noun::Auth)
}

fn enable(ctx: &mut Ctx) -> Done {
    mounts::enable(ctx, Noun::Auth)
}

fn disable(ctx: &mut Ctx) -> Done {
    mounts::disable(ctx, Noun::Auth)
}

fn tune(ctx: &mut Ctx) -> Done {
    mounts::tune(ctx, Noun::Auth)
}

fn remount(ctx: &mut Ctx) -> Done {
    mounts::remount(ctx, Noun::Auth)
}

fn help(ctx: &mut Ctx) -> Done {
    let path = format!("auth/{}", folder(ctx.arg(0)));
    generic::help_of(ctx, &path)
}
