//! `kv get`, `put`, `patch`, `list`, `delete`, `undelete`, `destroy`, `rollback`, `enable-versioning`.
//!
//! The server is asked which mount a path belongs to and whether that mount keeps versions; paths of version 2 get their
//! `data/`, `metadata/` … inserted here. Not here: `kv metadata` (its own file).

use bulla_client::{ClientError, Json, Request, Secret};

use super::{
    generic::{DATA, data_from, deleted_at, list_at, nothing_at, written_to},
    kv_place::{place, show_path, show_titled},
    tidy,
};
use crate::{
    command::{Command, Kind, MANY, Run},
    context::Ctx,
    failure::{Done, Failure},
    flags::Flag,
};

pub const MOUNT: Flag = Flag::text("mount", "Where the store is mounted; PATH is then below it.");
const CAS: Flag = Flag::int("cas", "Write only if this is the current version; 0 if there must be none.");
const VERSIONS: Flag = Flag::repeat("versions", "Versions, separated by commas. May be given several times.");

const fn command(name: &'static str, args: &'static str, about: &'static str, run: fn(&mut Ctx) -> Done) -> Command {
    Command { name, args, about, help: "", words: (1, 1), flags: &[MOUNT], kind: Kind::Http, run: Run::Here(run) }
}

pub static COMMANDS: &[Command] = &[
    Command {
        flags: &[MOUNT, Flag::int("version", "Version to read; the newest if 0.")],
        kind: Kind::Field,
        ..command("kv get", "PATH", "Read an entry", get)
    },
    Command {
        flags: &[MOUNT, CAS],
        kind: Kind::Field,
        words: (1, MANY),
        help: DATA,
        ..command("kv put", "PATH [K=V... | @FILE | -]", "Write an entry", put)
    },
    Command {
        flags: &[
            MOUNT,
            CAS,
            Flag::text("method", "patch (needs that capability), or rw: read, change, write."),
            Flag::repeat("remove-data", "Key to remove. May be given several times."),
        ],
        kind: Kind::Field,
        words: (1, MANY),
        help: DATA,
        ..command("kv patch", "PATH [K=V... | @FILE | -]", "Change keys of an entry and keep the others", patch)
    },
    Command { kind: Kind::Format, ..command("kv list", "PATH", "List names", list) },
    Command {
        flags: &[MOUNT, VERSIONS],
        kind: Kind::Format,
        ..command("kv delete", "PATH", "Delete versions so that they can be undeleted", delete)
    },
    Command {
        flags: &[MOUNT, VERSIONS],
        kind: Kind::Format,
        ..command("kv undelete", "PATH", "Bring back deleted versions", undelete)
    },
    Command {
        flags: &[MOUNT, VERSIONS],
        kind: Kind::Format,
        ..command("kv destroy", "PATH", "Remove versions for good", destroy)
    },
    Command {
        flags: &[MOUNT, Flag::int("version", "Version whose data becomes the newest.")],
        kind: Kind::Format,
        ..command("kv rollback", "PATH", "Write an old version's data as a new version", rollback)
    },
    Command { flags: &[], ..command("kv enable-versioning", "MOUNT", "Turn a version 1 store into version 2", enable) },
];

fn get(ctx: &mut Ctx) -> Done {
    let place = place(ctx)?;
    let path = place.at("data");
    let mut request = Request::get(&path);
    if place.versioned {
        let version = ctx.flags.int("version").filter(|v| *v > 0);
        if let Some(version) = version {
            request = request.query("version", &version.to_string());
        }
    }
    let Some(secret) = ctx.read("", request).map_err(|f| reading(&path, f))? else { return Err(nothing_at(&path)) };
    if !place.versioned {
        return show_plain(ctx, &secret);
    }
    if let Some(field) = ctx.field() {
        return match secret.field("data") {
            Some(data) => ctx.show_member(&data.clone(), &field),
            None => Err(Failure::remote(format!("No data found at {path}"))),
        };
    }
    if !ctx.is_table() || secret.wrap_info.is_some() {
        return ctx.show(&secret);
    }
    ctx.warn_of(&secret);
    show_path(ctx, "Secret Path", &path);
    if let Some(metadata) = secret.field("metadata") {
        show_titled(ctx, "Metadata", metadata);
        if secret.field("data").is_some() {
            ctx.ui.say("");
        }
    }
    if let Some(data) = secret.field("data") {
        show_titled(ctx, "Data", data);
    }
    Ok(0)
}

fn reading(path: &str, failure: Failure) -> Failure {
    if failure.code == 2 { Failure::remote(format!("Error reading {path}: {}", failure.text)) } else { failure }
}

fn show_plain(ctx: &mut Ctx, secret: &Secret) -> Done {
    match &secret.data {
        Some(data) if ctx.is_table() && ctx.field().is_none() && secret.wrap_info.is_none() => {
            ctx.warn_of(secret);
            show_titled(ctx, "Data", data);
            Ok(0)
        }
        _ => ctx.show(secret),
    }
}

fn put(ctx: &mut Ctx) -> Done {
    if ctx.args.len() < 2 {
        return Err(Failure::local("Must supply data"));
    }
    let data = data_from(ctx, 1)?;
    let place = place(ctx)?;
    let path = place.at("data");
    let body = if place.versioned { body(data, ctx.flags.int("cas")) } else { data };
    let secret = ctx.write(&format!("Error writing data to {path}"), Request::put(&path, &body))?;
    show_written(ctx, &path, secret)
}

fn body(data: Json, cas: Option<i64>) -> Json {
    let options = cas.filter(|cas| *cas >= 0).map(|cas| ("cas", Json::int(cas)));
    Json::object([("data", data), ("options", Json::object(options))])
}

fn show_written(ctx: &mut Ctx, path: &str, secret: Option<Secret>) -> Done {
    let Some(secret) = secret else { return written_to(ctx, path) };
    if ctx.field().is_some() || !ctx.is_table() || secret.wrap_info.is_some() {
        return ctx.show(&secret);
    }
    ctx.warn_of(&secret);
    show_path(ctx, "Secret Path", path);
    if let Some(metadata) = &secret.data {
        show_titled(ctx, "Metadata", metadata);
    }
    Ok(0)
}

fn patch(ctx: &mut Ctx) -> Done {
    let removed = ctx.flags.split("remove-data");
    if ctx.args.len() < 2 && removed.is_empty() {
        return Err(Failure::local("Must supply data"));
    }
    let mut data = data_from(ctx, 1)?;
    removed.iter().for_each(|key| data.set(key, Json::Null));
    let place = place(ctx)?.versioned_for("Patch")?;
    let path = place.at("data");
    let what = format!("Error writing data to {path}");
    let method = ctx.flags.text("method").unwrap_or_default().to_owned();
    if !matches!(method.as_str(), "" | "patch" | "rw") {
        return Err(Failure::local(format!("Unsupported method provided to -method flag: {method}")));
    }
    if method != "rw" {
        let request = Request::patch(&path, &body(data.clone(), ctx.flags.int("cas")));
        match ctx.try_send(request)? {
            Ok(answer) => {
                let secret = answer.secret().map_err(|e| Failure::of(&what, e))?;
                return show_written(ctx, &path, secret);
            }
            // Without the capability or the verb there is still the long way, unless one was asked for.
            Err(e) if method.is_empty() && matches!(e.status(), Some(403 | 405)) => {}
            Err(e) => return Err(Failure::of(&what, e)),
        }
    }
    patch_by_rewriting(ctx, &path, &data)
}

fn patch_by_rewriting(ctx: &mut Ctx, path: &str, changes: &Json) -> Done {
    // Neither wrapped nor printed: the command is about the write.
    let question = Request::get(path);
    ctx.dry_run_after(Some(&question), &Request::put(path, &body(changes.clone(), ctx.flags.int("cas"))))?;
    let old = quiet_read(ctx, &question)?.map_err(|e| Failure::of(&format!("Error doing pre-read at {path}"), e))?;
    let old = old.as_ref().and_then(|secret| Some((secret.field("data")?, secret.field("metadata")?)));
    let Some((data, metadata)) = old else { return Err(nothing_at(path)) };
    let mut data = data.clone();
    for (key, value) in changes.members() {
        data.set(key, value.clone());
    }
    let data = Json::object(data.members().iter().filter(|(_, value)| !value.is_null()).cloned());
    let cas = ctx.flags.int("cas").or_else(|| metadata.get("version").and_then(Json::as_i64));
    let secret = ctx.write(&format!("Error writing data to {path}"), Request::put(path, &body(data, cas)))?;
    show_written(ctx, path, secret)
}

fn list(ctx: &mut Ctx) -> Done {
    let path = place(ctx)?.at("metadata");
    list_at(ctx, &path)
}

fn delete(ctx: &mut Ctx) -> Done {
    let versions = ctx.flags.split("versions");
    let place = place(ctx)?;
    let path = place.at("data");
    let what = format!("Error deleting {path}");
    let request = if place.versioned && !versions.is_empty() {
        Request::put(&place.at("delete"), &Json::object([("versions", Json::texts(&versions))]))
    } else {
        Request::delete(&path)
    };
    match ctx.write(&what, request)? {
        Some(secret) if !secret.is_empty() => ctx.show(&secret),
        _ => deleted_at(ctx, &path),
    }
}

fn undelete(ctx: &mut Ctx) -> Done {
    on_versions(ctx, "undelete", "Undelete")
}

fn destroy(ctx: &mut Ctx) -> Done {
    on_versions(ctx, "destroy", "Destroy")
}

fn on_versions(ctx: &mut Ctx, area: &str, noun: &str) -> Done {
    let versions = ctx.flags.split("versions");
    if versions.is_empty() {
        return Err(Failure::local("No versions provided, use the \"-versions\" flag to specify the versions."));
    }
    let path = place(ctx)?.versioned_for(noun)?.at(area);
    let body = Json::object([("versions", Json::texts(&versions))]);
    match ctx.write(&format!("Error writing data to {path}"), Request::put(&path, &body))? {
        Some(secret) if !secret.is_empty() => ctx.show(&secret),
        _ => written_to(ctx, &path),
    }
}

fn rollback(ctx: &mut Ctx) -> Done {
    let version = ctx.flags.int("version").filter(|version| *version > 0);
    let version =
        version.ok_or_else(|| Failure::local("Invalid number for version: the -version flag must be above 0"))?;
    let path = place(ctx)?.versioned_for("Rollback")?.at("data");
    let what = format!("Error doing pre-read at {path}");
    let current = quiet_read(ctx, &Request::get(&path))?.map_err(|e| Failure::of(&what, e))?;
    let current = current.as_ref().and_then(|secret| secret.field("metadata")?.get("version")?.as_i64());
    let current = current.ok_or_else(|| nothing_at(&path))?;
    let old = quiet_read(ctx, &Request::get(&path).query("version", &version.to_string()))?;
    let old = old.map_err(|e| Failure::of(&what, e))?.and_then(|secret| secret.field("data").cloned());
    let old = old.ok_or_else(|| Failure::remote(format!("No data found at {path} for version {version}")))?;
    // The check keeps a write that happened in between.
    let request = Request::put(&path, &body(old, Some(current)));
    ctx.dry_run_after(Some(&Request::get(&path)), &request)?;
    match ctx.write(&format!("Error writing data to {path}"), request)? {
        Some(secret) => ctx.show(&secret),
        None => written_to(ctx, &path),
    }
}

fn quiet_read(ctx: &mut Ctx, request: &Request) -> Result<Result<Option<Secret>, ClientError>, Failure> {
    ctx.quietly(async |client| client.read(request).await)
}

fn enable(ctx: &mut Ctx) -> Done {
    let mount = tidy(ctx.arg(0)).to_owned();
    let body = Json::object([("options", Json::object([("version", Json::text("2"))]))]);
    let request = Request::post(&format!("sys/mounts/{mount}/tune"), &body);
    ctx.send(&format!("Error tuning secrets engine {mount}/"), request)?;
    ctx.ui.say(&format!("Success! Tuned the secrets engine at: {mount}/"));
    Ok(0)
}
