//! `auth list`, `enable`, `disable`, `tune`, `move`, `help`.

use bulla_client::Request;

use super::{
    folder, generic,
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
    Command { words: (0, 0), kind: Kind::Format, ..command("auth list", "", "List auth methods", list) },
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
            mounts::TOKEN_TYPE,
            Flag::text("plugin-name", "Name of the plugin, with the type `plugin`."),
            Flag::switch("force-no-cache", "Read from storage every time."),
            Flag::switch("local", "Not replicated."),
            Flag::switch("seal-wrap", "Wrap its values by the seal, too."),
            Flag::switch("external-entropy-access", "Take randomness from the seal."),
        ],
        ..command("auth enable", "TYPE", "Mount an auth method", enable)
    },
    command("auth disable", "PATH", "Unmount an auth method; its tokens end", disable),
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
            mounts::TOKEN_TYPE,
        ],
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
    let word = ctx.arg(0).trim().to_owned();
    let kind = match ctx.flags.filled("plugin-name") {
        Some(plugin) if word == "plugin" => plugin.to_owned(),
        _ => word,
    };
    let path = mounts::path_for(&ctx.flags, &kind);
    let body = mounts::enable_body(&ctx.flags, &kind);
    ctx.send(&format!("Error enabling {kind} auth"), Request::post(&format!("sys/auth/{path}"), &body))?;
    ctx.ui.say(&format!("Success! Enabled {kind} auth method at: {path}"));
    Ok(0)
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
