//! `operator diagnose`: would a server with this configuration start, and should anybody worry? The binary looks; here
//! is how it is asked and how the answer is shown.

use std::path::PathBuf;

use crate::{
    command::{Command, Kind, Run},
    context::Ctx,
    diagnosis::{self, Check},
    failure::{Done, Failure},
    flags::Flag,
};

/// Exit code without a configuration to look at.
const NO_CONFIG: u8 = 3;

/// Names `-skip` knows.
pub const SKIPPABLE: [&str; 5] = ["system", "storage", "seal", "audit", "listener"];

pub static COMMANDS: &[Command] = &[Command {
    name: "operator diagnose",
    args: "",
    about: "Check a configuration and what it names before a server uses it",
    help: "Looks at the configuration, the store, certificates, ports and the limits of the system, and says what to do. \
           It changes nothing and disturbs no running server. Exit code 0 if all is well, 1 if a server would not start, \
           2 if there are warnings, 3 if there is no configuration to look at.",
    words: (0, 0),
    flags: &[
        Flag::repeat("config", "Configuration file, or folder of such files. May be given several times."),
        Flag::repeat(
            "skip",
            "Check to leave out: system, storage, seal, audit or listener. May be given several times.",
        ),
        Flag::switch("debug", "Accepted for the sake of scripts; everything is shown."),
    ],
    kind: Kind::Format,
    run: Run::Diagnose,
}];

/// What `operator diagnose` was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DiagnoseOptions {
    /// Files or folders, in the order given.
    pub configs: Vec<PathBuf>,
    /// Checks to leave out, by name.
    pub skip: Vec<String>,
}

pub fn options(ctx: &Ctx) -> Result<DiagnoseOptions, Failure> {
    let configs: Vec<PathBuf> = ctx.flags.all("config").map(PathBuf::from).collect();
    if configs.is_empty() && ctx.env.setting("LOCAL_CONFIG").is_none() {
        return Err(Failure { code: NO_CONFIG, text: "Must specify a configuration file using -config.".to_owned() });
    }
    let skip: Vec<String> = ctx.flags.split("skip").iter().map(|name| name.to_lowercase()).collect();
    match skip.iter().find(|name| !SKIPPABLE.contains(&name.as_str())) {
        Some(name) => Err(Failure::local(format!("no check `{name}`; there are {}", SKIPPABLE.join(", ")))),
        None => Ok(DiagnoseOptions { configs, skip }),
    }
}

pub fn show(ctx: &mut Ctx, found: &Check) -> Done {
    if ctx.is_table() {
        let text = diagnosis::text(found, &ctx.ui);
        ctx.ui.say_coloured(&text);
    } else {
        ctx.show_json(&diagnosis::json(found))?;
    }
    Ok(found.exit_code())
}
