//! `secrets list`, `enable`, `disable`, `tune`, `move`.

use super::{
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

const SETTINGS: [Flag; 14] = joined(mounts::SETTINGS, mounts::KEYS);

pub static COMMANDS: &[Command] = &[
    Command { words: (0, 0), kind: Kind::Format, ..command("secrets list", "", "List secrets engines", list) },
    Command {
        flags: &joined::<14, 6, 20>(SETTINGS, mounts::MAKING),
        ..command("secrets enable", "TYPE", "Mount a secrets engine", enable)
    },
    command("secrets disable", "PATH", "Unmount a secrets engine and revoke and delete all it holds", disable),
    Command { flags: &SETTINGS, ..command("secrets tune", "PATH", "Change a secrets engine's settings", tune) },
    Command {
        words: (2, 2),
        ..command("secrets move", "SOURCE DESTINATION", "Move a secrets engine to another path", remount)
    },
];

fn list(ctx: &mut Ctx) -> Done {
    mounts_list::list(ctx, Noun::Secrets)
}

fn enable(ctx: &mut Ctx) -> Done {
    mounts::enable(ctx, Noun::Secrets)
}

fn disable(ctx: &mut Ctx) -> Done {
    mounts::disable(ctx, Noun::Secrets)
}

fn tune(ctx: &mut Ctx) -> Done {
    mounts::tune(ctx, Noun::Secrets)
}

fn remount(ctx: &mut Ctx) -> Done {
    mounts::remount(ctx, Noun::Secrets)
}
