//! `version` of this program, `version-history` of the server.

use bulla_client::{Json, Request};

use crate::{
    command::{Command, Kind, Run},
    context::Ctx,
    failure::Done,
    output,
};

pub static COMMANDS: &[Command] = &[
    Command {
        name: "version",
        args: "",
        about: "Print the version of this program",
        help: "",
        words: (0, 0),
        flags: &[],
        kind: Kind::Local,
        run: Run::Here(version),
    },
    Command {
        name: "version-history",
        args: "",
        about: "Show which versions the server has run",
        help: "",
        words: (0, 0),
        flags: &[],
        kind: Kind::Format,
        run: Run::Here(history),
    },
];

fn version(ctx: &mut Ctx) -> Done {
    let line = ctx.program.version_line(&ctx.env);
    ctx.ui.say(&line);
    Ok(0)
}

fn history(ctx: &mut Ctx) -> Done {
    let secret = ctx.read("Error reading version history", Request::list("sys/version-history"))?.unwrap_or_default();
    if !ctx.is_table() {
        return ctx.show_json(&output::secret_json(&secret));
    }
    let none = Json::Null;
    let info = secret.field("key_info").unwrap_or(&none);
    let rows: Vec<[String; 3]> = secret
        .keys()
        .unwrap_or_default()
        .iter()
        .filter_map(Json::as_str)
        .map(|version| {
            let text = |name: &str| {
                let value = info.get(version).and_then(|one| one.get(name)).and_then(Json::as_str);
                value.unwrap_or_default().to_owned()
            };
            [version.to_owned(), text("timestamp_installed"), text("build_date")]
        })
        .collect();
    ctx.ui.say(&output::table(&["Version", "Installation Time", "Build Date"], &rows));
    Ok(0)
}
