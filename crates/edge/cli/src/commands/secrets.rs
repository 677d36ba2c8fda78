//! `secrets list`, `enable`, `disable`, `tune`, `move`.

use bulla_client::Request;

use super::{
    mounts::{self, Noun},
    mounts_list,
};
use crate::{
    command::{Command, Kind, Run},
    context::Ctx,
    failure::Done,
    flags::Flag,
};

const fn command(name: &'static str, args: &'static str, about: &'static str, run: fn(&mut Ctx) -> Done) -> Command {
    Command { name, args, about, help: "", words: (1, 1), flags: &[], kind: Kind::Http, run: Run::Here(run) }
}

pub static COMMANDS: &[Command] = &[
    Command { words: (0, 0), kind: Kind::Format, ..command("secrets list", "", "List secrets engines", list) },
    Command {
        flags: &[
            Flag::text("path", "Where to mount it; its type if not given."),
            mounts::DESCRIPTION,
            mounts::DEFAULT_TTL,
            mounts::MAX_TTL,
            mounts::LISTING,
            mounts::AUDIT_REQUEST,
            mounts::AUDIT_RESPONSE,
            mounts::PASSTHROUGH,
            mounts::ALLOWED,
            mounts::OPTIONS,
            mounts::VERSION,
            mounts::PLUGIN_VERSION,
            Flag::text("plugin-name", "Name of the plugin, with the type `plugin`."),
            Flag::switch("force-no-cache", "Read from storage every time."),
            Flag::switch("local", "Not replicated."),
            Flag::switch("seal-wrap", "Wrap its values by the seal, too."),
            Flag::switch("external-entropy-access", "Take randomness from the seal."),
        ],
        ..command("secrets enable", "TYPE", "Mount a secrets engine", enable)
    },
    command("secrets disable", "PATH", "Unmount a secrets engine and revoke and delete all it holds", disable),
    Command {
        flags: &[
            mounts::DESCRIPTION,
            mounts::DEFAULT_TTL,
            mounts::MAX_TTL,
            mounts::LISTING,
            mounts::AUDIT_REQUEST,
            mounts::AUDIT_RESPONSE,
            mounts::PASSTHROUGH,
            mounts::ALLOWED,
            mounts::OPTIONS,
            mounts::VERSION,
            mounts::PLUGIN_VERSION,
        ],
        ..command("secrets tune", "PATH", "Change a secrets engine's settings", tune)
    },
    Command {
        words: (2, 2),
        ..command("secrets move", "SOURCE DESTINATION", "Move a secrets engine to another path", remount)
    },
];

fn list(ctx: &mut Ctx) -> Done {
    mounts_list::list(ctx, Noun::Secrets)
}

fn enable(ctx: &mut Ctx) -> Done {
    let word = ctx.arg(0).trim().to_owned();
    let kind = match ctx.flags.filled("plugin-name") {
        Some(plugin) if word == "plugin" => plugin.to_owned(),
        _ => word,
    };
    let path = mounts::path_for(&ctx.flags, &kind);
    let body = mounts::enable_body(&ctx.flags, &kind);
    ctx.send("Error enabling", Request::post(&format!("sys/mounts/{path}"), &body))?;
    ctx.ui.say(&format!("Success! Enabled the {kind} secrets engine at: {path}"));
    Ok(0)
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
