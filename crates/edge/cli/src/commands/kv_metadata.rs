//! `kv metadata get`, `put`, `patch`, `delete`, `list`.

use bulla_client::{Json, Request};
use bulla_types::go_duration_text;

use super::{
    generic::{deleted_at, list_at, nothing_at, written_to},
    kv::MOUNT,
    kv_place::{place, show_path, show_titled},
};
use crate::{
    command::{Command, Kind, Run},
    context::Ctx,
    failure::Done,
    flags::Flag,
};

const CUSTOM: Flag = Flag::pair("custom-metadata", "key=value to keep with the entry. May be given several times.");
const CAS: Flag = Flag::switch("cas-required", "Accept only writes that name the current version.");
const AGE: Flag = Flag::duration("delete-version-after", "Age at which versions are deleted; 0 for never.");
const MAX: Flag = Flag::int("max-versions", "Versions to keep; 0 for the store's own limit.");

const fn command(name: &'static str, about: &'static str, run: fn(&mut Ctx) -> Done) -> Command {
    Command {
        name,
        args: "PATH",
        about,
        help: "",
        words: (1, 1),
        flags: &[MOUNT],
        kind: Kind::Format,
        run: Run::Here(run),
    }
}

pub static COMMANDS: &[Command] = &[
    Command { kind: Kind::Field, ..command("kv metadata get", "Show an entry's versions and settings", get) },
    Command {
        flags: &[MOUNT, CUSTOM, CAS, AGE, MAX],
        ..command("kv metadata put", "Replace an entry's settings", put)
    },
    Command {
        flags: &[
            MOUNT,
            CUSTOM,
            CAS,
            AGE,
            MAX,
            Flag::repeat("remove-custom-metadata", "Custom key to remove. May be given several times."),
        ],
        ..command("kv metadata patch", "Change some of an entry's settings", patch)
    },
    command("kv metadata delete", "Remove an entry with all its versions", delete),
    command("kv metadata list", "List names", list),
];

fn get(ctx: &mut Ctx) -> Done {
    let path = place(ctx)?.versioned_for("Metadata")?.at("metadata");
    let secret = ctx.read(&format!("Error reading {path}"), Request::get(&path))?;
    let Some(secret) = secret else { return Err(nothing_at(&path)) };
    if ctx.field().is_some() || !ctx.is_table() || secret.wrap_info.is_some() {
        return ctx.show(&secret);
    }
    let data = secret.data.clone().unwrap_or_default();
    ctx.warn_of(&secret);
    show_path(ctx, "Metadata Path", &path);
    let own = Json::object(data.members().iter().filter(|(name, _)| name != "versions").cloned());
    show_titled(ctx, "Metadata", &own);
    let mut versions: Vec<(i64, &Json)> = data
        .get("versions")
        .map(Json::members)
        .unwrap_or_default()
        .iter()
        .map(|(number, version)| (number.parse().unwrap_or_default(), version))
        .collect();
    versions.sort_by_key(|(number, _)| *number);
    for (number, version) in versions {
        ctx.ui.say("");
        show_titled(ctx, &format!("Version {number}"), version);
    }
    Ok(0)
}

fn put(ctx: &mut Ctx) -> Done {
    let path = place(ctx)?.versioned_for("Metadata")?.at("metadata");
    let body = settings(ctx);
    match ctx.write(&format!("Error writing data to {path}"), Request::put(&path, &body))? {
        Some(secret) if !secret.is_empty() => ctx.show(&secret),
        _ => written_to(ctx, &path),
    }
}

fn patch(ctx: &mut Ctx) -> Done {
    let path = place(ctx)?.versioned_for("Metadata")?.at("metadata");
    let mut body = settings(ctx);
    let removed = ctx.flags.split("remove-custom-metadata");
    if !removed.is_empty() {
        let mut custom = body.get("custom_metadata").cloned().unwrap_or_else(|| Json::Object(Vec::new()));
        removed.iter().for_each(|key| custom.set(key, Json::Null));
        body.set("custom_metadata", custom);
    }
    match ctx.write(&format!("Error writing data to {path}"), Request::patch(&path, &body))? {
        Some(secret) if !secret.is_empty() => ctx.show(&secret),
        _ => written_to(ctx, &path),
    }
}

fn delete(ctx: &mut Ctx) -> Done {
    let path = place(ctx)?.versioned_for("Metadata")?.at("metadata");
    match ctx.write(&format!("Error deleting {path}"), Request::delete(&path))? {
        Some(secret) if !secret.is_empty() => ctx.show(&secret),
        _ => deleted_at(ctx, &path),
    }
}

fn list(ctx: &mut Ctx) -> Done {
    let path = place(ctx)?.versioned_for("Metadata")?.at("metadata");
    list_at(ctx, &path)
}

fn settings(ctx: &Ctx) -> Json {
    let flags = &ctx.flags;
    let mut body = Json::Object(Vec::new());
    if let Some(max) = flags.int("max-versions") {
        body.set("max_versions", Json::int(max));
    }
    if let Some(required) = flags.switch("cas-required") {
        body.set("cas_required", Json::Bool(required));
    }
    if let Some(age) = flags.duration("delete-version-after") {
        body.set("delete_version_after", Json::text(go_duration_text(age)));
    }
    let custom = Json::object(flags.pairs("custom-metadata").map(|(name, value)| (name, Json::text(value))));
    if !custom.members().is_empty() {
        body.set("custom_metadata", custom);
    }
    body
}
