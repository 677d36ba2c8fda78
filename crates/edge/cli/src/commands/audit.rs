//! `audit list`, `enable`, `disable`.

use bulla_client::{Json, Request};

use super::{folder, generic::data_from, mounts::path_for, mounts_list::fetch};
use crate::{
    command::{Command, Kind, MANY, Run},
    context::Ctx,
    failure::Done,
    flags::Flag,
    output,
};

pub static COMMANDS: &[Command] = &[
    Command {
        name: "audit list",
        args: "",
        about: "List audit devices",
        help: "Exit code 2 if there is none.",
        words: (0, 0),
        flags: &[],
        kind: Kind::Format,
        run: Run::Here(list),
    },
    Command {
        name: "audit enable",
        args: "TYPE [K=V...]",
        about: "Add an audit device",
        help: "",
        words: (1, MANY),
        flags: &[
            Flag::text("path", "Its name; its type if not given."),
            Flag::text("description", "What it is for."),
            Flag::switch("local", "Not replicated."),
        ],
        kind: Kind::Http,
        run: Run::Here(enable),
    },
    Command {
        name: "audit disable",
        args: "PATH",
        about: "Remove an audit device",
        help: "",
        words: (1, 1),
        flags: &[],
        kind: Kind::Http,
        run: Run::Here(disable),
    },
];

fn list(ctx: &mut Ctx) -> Done {
    let devices = fetch(ctx, "Error listing audits", "sys/audit")?;
    if !ctx.is_table() {
        let json = Json::object(devices.iter().map(|(path, device)| (path.clone(), in_order(device))));
        return ctx.show_json(&json);
    }
    if devices.is_empty() {
        ctx.ui.say("No audit devices are enabled.");
        return Ok(2);
    }
    let detailed = ctx.enabled("detailed");
    let rows: Vec<Vec<String>> = devices.iter().map(|(path, device)| row(path, device, detailed)).collect();
    let heading: &[&str] = if detailed {
        &["Path", "Type", "Description", "Replication", "Options"]
    } else {
        &["Path", "Type", "Description"]
    };
    ctx.ui.say(&output::table(heading, &rows));
    Ok(0)
}

fn row(path: &str, device: &Json, detailed: bool) -> Vec<String> {
    let text = |name: &str| device.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
    let mut row = vec![path.to_owned(), text("type"), text("description")];
    if detailed {
        let local = device.get("local").and_then(Json::as_bool).unwrap_or_default();
        row.push(if local { "local" } else { "replicated" }.to_owned());
        let options = device.get("options").cloned().unwrap_or_default().sorted();
        let options: Vec<String> =
            options.members().iter().map(|(k, v)| format!("{k}={}", output::display(v))).collect();
        row.push(options.join(" "));
    }
    row
}

fn in_order(device: &Json) -> Json {
    let member = |name: &'static str| (name, device.get(name).cloned().unwrap_or_default().sorted());
    Json::object(["type", "description", "options", "local", "path"].map(member))
}

fn enable(ctx: &mut Ctx) -> Done {
    let kind = ctx.arg(0).trim().to_owned();
    let options = data_from(ctx, 1)?;
    let path = path_for(&ctx.flags, &kind);
    let body = Json::object([
        ("type", Json::text(&kind)),
        ("description", Json::text(ctx.flags.text("description").unwrap_or_default())),
        ("options", options),
        ("local", Json::Bool(ctx.flags.on("local"))),
    ]);
    ctx.send("Error enabling audit device", Request::put(&format!("sys/audit/{path}"), &body))?;
    ctx.ui.say(&format!("Success! Enabled the {kind} audit device at: {path}"));
    Ok(0)
}

fn disable(ctx: &mut Ctx) -> Done {
    let path = folder(ctx.arg(0));
    ctx.send("Error disabling audit device", Request::delete(&format!("sys/audit/{path}")))?;
    ctx.ui.say(&format!("Success! Disabled audit device (if it was enabled) at: {path}"));
    Ok(0)
}
