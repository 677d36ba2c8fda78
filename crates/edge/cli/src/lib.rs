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
mod context;
mod data;
mod dry_run;
mod env;
mod failure;
mod flags;
mod help;
mod output;
mod program;
mod show;
mod token_file;
mod ui;

#[cfg(test)]
mod tests;

use std::{ffi::OsString, process::ExitCode};

pub use commands::server::{DevKv, DevOptions, ServerOptions};

use crate::{
    command::{Command, Run},
    context::Ctx,
    env::Env,
    flags::{FlagError, Flags},
    program::Program,
    ui::Ui,
};

/// Exit code for words that are no command, as shells use it.
const NO_COMMAND: u8 = 127;

/// Runs a server until it ends. Called on the main thread, outside of any async runtime.
pub trait Server {
    fn run(self, options: ServerOptions) -> ExitCode;
}

impl<F: FnOnce(ServerOptions) -> ExitCode> Server for F {
    fn run(self, options: ServerOptions) -> ExitCode {
        self(options)
    }
}

/// The whole command line; `args` begins with the program's name.
pub fn main(args: Vec<OsString>, server: impl Server) -> ExitCode {
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
        Next::Serve(options) => server.run(*options),
    }
}

/// The version line the program claims under the name it was called with.
pub fn version_line(argv0: &str) -> String {
    Program::called(argv0).version_line(&Env::of_process())
}

enum Next {
    Exit(u8),
    Serve(Box<ServerOptions>),
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
            let options = ServerOptions { program: program.name(), version, ..ServerOptions::of(&flags, &env) };
            Next::Serve(Box::new(options))
        }
        Run::Here(run) => Next::Exit(carry_out(run, Ctx::new(flags, args, ui, env, program))),
    }
}

fn carry_out(run: fn(&mut Ctx) -> failure::Done, ctx: Result<Ctx, (Ui, failure::Failure)>) -> u8 {
    let (mut ui, failure) = match ctx {
        Ok(mut ctx) => match run(&mut ctx) {
            Ok(code) => return code,
            Err(failure) => (ctx.ui, failure),
        },
        Err(early) => early,
    };
    if !failure.text.is_empty() {
        ui.warn(&failure.text);
    }
    failure.code
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
