//! The command line: commands as data, and what they print.
//!
//! ```text
//! words --> commands (table) --> flags --> Ctx --> run --> client --> output --> exit code
//!                         `--> server: handed to the binary
//! ```
//!
//! A command is a row of a table; parser, help and tests read the same row. Not here: HTTP (`edge/client`), being a
//! server (`edge/bulla`).

mod command;
mod commands;
mod completion;
mod context;
mod data;
mod diagnosis;
mod dry_run;
mod env;
mod failure;
mod flags;
mod help;
mod hidden;
mod man;
mod output;
mod program;
mod show;
mod token_file;
mod ui;

#[cfg(test)]
mod tests;

use std::{ffi::OsString, process::ExitCode};

pub use commands::{
    operator_diagnose::DiagnoseOptions,
    server::{DevKv, DevOptions, ServerOptions},
};
pub use diagnosis::{Check, Verdict};
pub use token_file::write_private;

use crate::{
    command::{Command, Run},
    commands::{
        documents::{self, Wanted},
        operator_diagnose,
    },
    context::Ctx,
    env::Env,
    flags::{FlagError, Flags},
    program::Program,
    ui::Ui,
};

/// Exit code for words that are no command, as shells use it.
const NO_COMMAND: u8 = 127;

/// What only the binary can do. Called on the main thread, outside of any async runtime.
pub trait Binary {
    /// Runs a server until it ends.
    fn serve(self, options: ServerOptions) -> ExitCode;
    /// Looks at what a server would find, and changes nothing.
    fn diagnose(self, options: DiagnoseOptions) -> Check;
}

/// The whole command line; `args` begins with the program's name.
pub fn main(args: Vec<OsString>, binary: impl Binary) -> ExitCode {
    let mut ui = Ui::of_process();
    let mut words = Vec::with_capacity(args.len());
    for arg in args {
        match arg.into_string() {
            Ok(word) => words.push(word),
            Err(_) => {
                ui.warn("arguments must be UTF-8");
                return ExitCode::from(1);
            }
        }
    }
    match run(&words, ui, Env::of_process()) {
        Next::Exit(code) => ExitCode::from(code),
        Next::Serve(options) => binary.serve(*options),
        Next::Diagnose(options, mut ctx) => {
            let found = binary.diagnose(options);
            let shown = operator_diagnose::show(&mut ctx, &found);
            ExitCode::from(ended(shown, &mut ctx.ui))
        }
    }
}

/// The version line the program claims under the name it was called with.
pub fn version_line(argv0: &str) -> String {
    Program::called(argv0).version_line(&Env::of_process())
}

enum Next {
    Exit(u8),
    Serve(Box<ServerOptions>),
    Diagnose(DiagnoseOptions, Box<Ctx>),
}

fn run(words: &[String], mut ui: Ui, env: Env) -> Next {
    let (argv0, words) = words.split_first().map_or(("bulla", words), |(first, rest)| (first.as_str(), rest));
    let program = Program::called(argv0);
    if let [only] = words
        && matches!(only.as_str(), "-v" | "-version" | "--version")
    {
        ui.say(&program.version_line(&env));
        return Next::Exit(0);
    }
    if let Some(candidates) = completion::asked(&env) {
        // bash names what it replaces behind the name of the command.
        let word = words.get(1).map(String::as_str);
        candidates.iter().for_each(|one| ui.say(&completion::behind(one, word)));
        return Next::Exit(0);
    }
    if let [only] = words
        && let Some(wanted) = install_flag(only)
    {
        return Next::Exit(install(&env, program, wanted, &mut ui));
    }
    let Some((command, rest)) = find(words) else { return Next::Exit(no_command(words, program, &mut ui)) };
    let (flags, args) = match Flags::parse(rest, command.tables()) {
        Ok(parsed) => parsed,
        Err(FlagError::Help) => {
            ui.say(&help::command(program.name(), command));
            return Next::Exit(0);
        }
        Err(error) => {
            ui.warn(&error.to_string());
            return Next::Exit(1);
        }
    };
    if let Some(warning) = command::late_flags(&args) {
        ui.warn(&warning);
    }
    if let Err(complaint) = command.check_words(args.len()) {
        ui.warn(&complaint);
        return Next::Exit(1);
    }
    match command.run {
        Run::Server => {
            let version = program.version_line(&env);
            let claimed_version = program.claimed_version(&env);
            let asked = ServerOptions::of(&flags, &env);
            let options = ServerOptions { program: program.name(), version, claimed_version, ..asked };
            Next::Serve(Box::new(options))
        }
        Run::Here(run) => match Ctx::new(flags, args, ui, env, program) {
            Ok(mut ctx) => {
                let done = run(&mut ctx);
                Next::Exit(ended(done, &mut ctx.ui))
            }
            Err((mut ui, failure)) => Next::Exit(ended(Err(failure), &mut ui)),
        },
        Run::Diagnose => match Ctx::new(flags, args, ui, env, program) {
            Ok(mut ctx) => match operator_diagnose::options(&ctx) {
                Ok(options) => Next::Diagnose(options, Box::new(ctx)),
                Err(failure) => Next::Exit(ended(Err(failure), &mut ctx.ui)),
            },
            Err((mut ui, failure)) => Next::Exit(ended(Err(failure), &mut ui)),
        },
    }
}

fn install_flag(word: &str) -> Option<Wanted> {
    match word.trim_start_matches('-') {
        _ if !word.starts_with('-') => None,
        "autocomplete-install" => Some(Wanted::There),
        "autocomplete-uninstall" => Some(Wanted::Gone),
        _ => None,
    }
}

fn install(env: &Env, program: Program, wanted: Wanted, ui: &mut Ui) -> u8 {
    match documents::install(env, program, wanted) {
        Ok(files) => {
            let word = if wanted == Wanted::There { "Installed in" } else { "Removed from" };
            files.iter().for_each(|file| ui.say(&format!("{word} {}", file.display())));
            0
        }
        Err(why) => {
            ui.warn(&format!("Error: {why}"));
            1
        }
    }
}

/// The exit code, after saying what went wrong if anything did.
fn ended(done: failure::Done, ui: &mut Ui) -> u8 {
    done.unwrap_or_else(|failure| {
        if !failure.text.is_empty() {
            ui.warn(&failure.text);
        }
        failure.code
    })
}

/// The command with the most words at the front, and the words behind it.
fn find(words: &[String]) -> Option<(&'static Command, &[String])> {
    (1..=words.len().min(3)).rev().find_map(|n| {
        let name = words[..n].join(" ");
        commands::all().find(|command| command.name == name).map(|command| (command, &words[n..]))
    })
}

/// Words that name no command: help for the group they begin, or for everything.
fn no_command(words: &[String], program: Program, ui: &mut Ui) -> u8 {
    let is_help = |word: &String| matches!(word.as_str(), "-h" | "-help" | "--help" | "help");
    let asked = words.iter().any(is_help);
    let names: Vec<&str> =
        words.iter().map(String::as_str).take_while(|w| !w.starts_with('-') && *w != "help").collect();
    let group = (1..=names.len()).rev().find_map(|n| help::group(program.name(), &names[..n].join(" ")));
    match group {
        Some(text) if asked => {
            ui.say(&text);
            0
        }
        Some(text) => {
            ui.warn(&text);
            1
        }
        None if asked => {
            ui.say(&help::overview(program.name()));
            0
        }
        None => {
            ui.warn(&help::overview(program.name()));
            NO_COMMAND
        }
    }
}
