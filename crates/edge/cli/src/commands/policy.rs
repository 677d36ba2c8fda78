//! `policy list`, `read`, `write`, `delete`, `fmt`.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use bulla_client::{Json, Request};

use crate::{
    command::{Command, Kind, Run},
    context::Ctx,
    failure::{Done, Failure},
};

const fn command(name: &'static str, args: &'static str, about: &'static str, run: fn(&mut Ctx) -> Done) -> Command {
    Command { name, args, about, help: "", words: (1, 1), flags: &[], kind: Kind::Http, run: Run::Here(run) }
}

pub static COMMANDS: &[Command] = &[
    Command { words: (0, 0), kind: Kind::Format, ..command("policy list", "", "List policies", list) },
    Command { kind: Kind::Format, ..command("policy read", "NAME", "Print a policy", read) },
    Command {
        words: (2, 2),
        help: "With - the policy is read from standard input.",
        ..command("policy write", "NAME FILE", "Store a policy", write)
    },
    command("policy delete", "NAME", "Delete a policy", delete),
    Command { kind: Kind::Local, ..command("policy fmt", "FILE", "Lay out a policy file", fmt) },
];

fn list(ctx: &mut Ctx) -> Done {
    let secret = ctx.read("Error listing policies", Request::list("sys/policies/acl"))?.unwrap_or_default();
    let names: Vec<&str> = secret.keys().unwrap_or_default().iter().filter_map(Json::as_str).collect();
    if ctx.is_table() {
        ctx.ui.say(&names.join("\n"));
        return Ok(0);
    }
    ctx.show_json(&Json::texts(&names))
}

fn read(ctx: &mut Ctx) -> Done {
    let name = named(ctx.arg(0));
    let secret =
        ctx.read(&format!("Error reading policy named {name}"), Request::get(&format!("sys/policies/acl/{name}")))?;
    let text = secret.as_ref().and_then(|secret| secret.field("policy").or_else(|| secret.field("rules")));
    let Some(text) = text.and_then(Json::as_str) else {
        return Err(Failure::remote(format!("No policy named: {name}")));
    };
    if ctx.is_table() {
        ctx.ui.say(text.trim());
        return Ok(0);
    }
    ctx.show_json(&Json::object([("policy", Json::text(text))]))
}

fn write(ctx: &mut Ctx) -> Done {
    let name = named(ctx.arg(0));
    let file = ctx.arg(1).to_owned();
    let text = if file == "-" {
        ctx.ui.input().map_err(Failure::local)?.to_string()
    } else {
        fs::read_to_string(&file).map_err(|e| Failure::remote(format!("Error opening policy file: {file}: {e}")))?
    };
    let request = Request::put(&format!("sys/policies/acl/{name}"), &Json::object([("policy", Json::text(text))]));
    ctx.send("Error uploading policy", request)?;
    ctx.ui.say(&format!("Success! Uploaded policy: {name}"));
    Ok(0)
}

fn delete(ctx: &mut Ctx) -> Done {
    let name = named(ctx.arg(0));
    ctx.send(&format!("Error deleting {name}"), Request::delete(&format!("sys/policies/acl/{name}")))?;
    ctx.ui.say(&format!("Success! Deleted policy: {name}"));
    Ok(0)
}

fn fmt(ctx: &mut Ctx) -> Done {
    let file = ctx.arg(0).to_owned();
    let text = fs::read_to_string(&file).map_err(|e| Failure::local(format!("Error reading {file}: {e}")))?;
    let laid_out = bulla_hcl::fmt(&text).map_err(|e| Failure::local(format!("failed to parse policy: {e}")))?;
    replace(Path::new(&file), &laid_out).map_err(|e| Failure::local(format!("Error writing {file}: {e}")))?;
    ctx.ui.say(&format!("Success! Formatted policy: {file}"));
    Ok(0)
}

/// Puts a new text in a file's place in one step: on a full disk the old one is still there. Mode and link stay.
fn replace(file: &Path, text: &str) -> io::Result<()> {
    let file = fs::canonicalize(file)?;
    // Whoever may not write the file shall not replace it either.
    let old = fs::OpenOptions::new().write(true).open(&file)?.metadata()?;
    let mut draft = file.clone().into_os_string();
    draft.push(format!(".{}.tmp", std::process::id()));
    let mut open = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    let written = open.write_all(text.as_bytes()).and_then(|()| open.set_permissions(old.permissions()));
    let done = written.and_then(|()| open.sync_all()).and_then(|()| fs::rename(&draft, &file));
    if done.is_err() {
        let _ = fs::remove_file(&draft);
    }
    done
}

/// Policy names are lower case on the server.
fn named(word: &str) -> String {
    word.trim().to_lowercase()
}
