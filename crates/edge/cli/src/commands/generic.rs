//! `read`, `write`, `list`, `delete`, `patch`, `path-help`: any path of the API.

use bulla_client::{Json, Method, Request};

use super::{folder, tidy};
use crate::{
    command::{Command, Kind, MANY, Run, seen_words},
    context::Ctx,
    data,
    failure::{Done, Failure},
    flags::Flag,
    output::Format,
};

/// What is said of data in words; shared with `kv`.
pub const DATA: &str =
    seen_words!("A value may be @FILE or - (standard input); the word @FILE or - alone holds a JSON object.");

pub static COMMANDS: &[Command] = &[
    Command {
        name: "read",
        args: "PATH [K=V...]",
        about: "Read data and secrets",
        help: "K=V words become query parameters.",
        words: (1, MANY),
        flags: &[],
        kind: Kind::Field,
        run: Run::Here(read),
    },
    Command {
        name: "write",
        args: "PATH [K=V... | @FILE | -]",
        about: "Write data, configuration and secrets",
        help: DATA,
        words: (1, MANY),
        flags: &[FORCE_ROW],
        kind: Kind::Field,
        run: Run::Here(write),
    },
    Command {
        name: "patch",
        args: "PATH [K=V... | @FILE | -]",
        about: "Change parts of data, configuration and secrets",
        help: seen_words!(
            "Sent as a JSON merge patch: members not named stay as they are. A value may be @FILE or - (standard input); \
             the word @FILE or - alone holds a JSON object."
        ),
        words: (1, MANY),
        flags: &[FORCE_ROW],
        kind: Kind::Field,
        run: Run::Here(patch),
    },
    Command {
        name: "list",
        args: "PATH",
        about: "List data or secrets",
        help: "",
        words: (1, 1),
        flags: &[],
        kind: Kind::Format,
        run: Run::Here(list),
    },
    Command {
        name: "delete",
        args: "PATH [K=V...]",
        about: "Delete secrets and configuration",
        help: "K=V words become query parameters.",
        words: (1, MANY),
        flags: &[],
        kind: Kind::Field,
        run: Run::Here(delete),
    },
    Command {
        name: "path-help",
        args: "PATH",
        about: "Show the help of an API path",
        help: "",
        words: (1, 1),
        flags: &[],
        kind: Kind::Format,
        run: Run::Here(path_help),
    },
];

const FORCE_ROW: Flag = Flag::switch("force", "Send the request although there is no data.").alias("f");

fn read(ctx: &mut Ctx) -> Done {
    let path = tidy(ctx.arg(0)).to_owned();
    let request = with_query(ctx, Request::get(&path))?;
    let what = format!("Error reading {path}");
    if ctx.format == Format::Raw {
        let answer = ctx.send(&what, request)?;
        ctx.ui.bytes(&answer.body);
        return Ok(0);
    }
    match ctx.read(&what, request)? {
        Some(secret) => ctx.show(&secret),
        None => Err(nothing_at(&path)),
    }
}

fn write(ctx: &mut Ctx) -> Done {
    send_data(ctx, Method::Put)
}

fn patch(ctx: &mut Ctx) -> Done {
    send_data(ctx, Method::Patch)
}

fn send_data(ctx: &mut Ctx, method: Method) -> Done {
    let path = tidy(ctx.arg(0)).to_owned();
    let data = data_from(ctx, 1)?;
    if ctx.args.len() == 1 && !ctx.flags.on("force") {
        return Err(Failure::local("Must supply data or use -force"));
    }
    let (request, what) = if method == Method::Patch {
        (Request::patch(&path, &data), format!("Error patching {path}"))
    } else {
        (Request::new(method, &path).json(&data), format!("Error writing data to {path}"))
    };
    match ctx.write(&what, request)? {
        Some(secret) => {
            // It may have made what it shows: a secret id, a key.
            ctx.ui.once_only();
            ctx.show(&secret)
        }
        None => written_to(ctx, &path),
    }
}

fn list(ctx: &mut Ctx) -> Done {
    let path = tidy(ctx.arg(0)).to_owned();
    list_at(ctx, &path)
}

/// Lists a path and shows the names; shared with `kv list`.
pub fn list_at(ctx: &mut Ctx, path: &str) -> Done {
    let secret = ctx.read(&format!("Error listing {path}"), Request::list(&folder(path)))?;
    let has_keys = secret.as_ref().is_some_and(|secret| secret.keys().is_some());
    let wrapped = secret.as_ref().is_some_and(|secret| secret.wrap_info.is_some());
    match secret {
        Some(secret) if wrapped => ctx.show(&secret),
        Some(secret) if has_keys => ctx.show_list(&secret),
        _ if !ctx.is_table() => {
            ctx.show_json(&Json::Object(Vec::new()))?;
            Ok(2)
        }
        Some(secret) if secret.data.is_some() => Err(Failure::remote(format!("No entries found at {path}"))),
        _ => Err(nothing_at(path)),
    }
}

fn delete(ctx: &mut Ctx) -> Done {
    let path = tidy(ctx.arg(0)).to_owned();
    let request = with_query(ctx, Request::delete(&path))?;
    match ctx.write(&format!("Error deleting {path}"), request)? {
        Some(secret) if !secret.is_empty() => ctx.show(&secret),
        _ => deleted_at(ctx, &path),
    }
}

fn path_help(ctx: &mut Ctx) -> Done {
    let path = tidy(ctx.arg(0)).to_owned();
    help_of(ctx, &path)
}

/// The server's own help on a path; shared with `auth help`.
pub fn help_of(ctx: &mut Ctx, path: &str) -> Done {
    let answer = ctx.send("Error retrieving help", Request::get(path).query("help", "1"))?;
    let json = answer.json().map_err(|e| Failure::of("Error retrieving help", e))?.unwrap_or(Json::Null);
    // Answers come bare or in an envelope.
    let help = json.get("help").or_else(|| json.get("data").and_then(|data| data.get("help")));
    if !ctx.is_table() {
        return ctx.show_json(&json);
    }
    ctx.ui.say(help.and_then(Json::as_str).unwrap_or_default().trim_end());
    Ok(0)
}

/// The words from `first` on as data.
pub fn data_from(ctx: &mut Ctx, first: usize) -> Result<Json, Failure> {
    let words: Vec<String> = ctx.args.iter().skip(first).cloned().collect();
    data::parse(&words, &mut ctx.ui).map_err(|e| Failure::local(format!("Failed to parse K=V data: {e}")))
}

/// Nothing there: exit code 2.
pub fn nothing_at(path: &str) -> Failure {
    Failure::remote(format!("No value found at {path}"))
}

/// Says that a write went well, where a person reads.
pub fn written_to(ctx: &mut Ctx, path: &str) -> Done {
    if ctx.is_table() {
        ctx.ui.say(&format!("Success! Data written to: {path}"));
    }
    Ok(0)
}

/// Says that a delete went well, where a person reads.
pub fn deleted_at(ctx: &mut Ctx, path: &str) -> Done {
    if ctx.is_table() {
        ctx.ui.say(&format!("Success! Data deleted (if it existed) at: {path}"));
    }
    Ok(0)
}

fn with_query(ctx: &mut Ctx, mut request: Request) -> Result<Request, Failure> {
    for (name, value) in data_from(ctx, 1)?.members() {
        let values = if let Json::List(items) = value { items.as_slice() } else { std::slice::from_ref(value) };
        for value in values {
            request = request.query(name, &crate::output::display(value));
        }
    }
    Ok(request)
}
