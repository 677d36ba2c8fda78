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
mod proxy;
mod show;
mod standard_output;
mod title;
mod token_file;
mod ui;

#[cfg(test)]
mod strict_tests;
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
    failure::Failure,
    flags::{FlagError, Flags},
    output::Format,
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
    if let Some((_, rest)) = words.split_first().and_then(|(_, words)| find(words)) {
        title::hide(&words, words.len() - rest.len());
    }
    let env = match Env::of_process() {
        Ok(env) => env,
        Err(why) => {
            ui.warn(&why);
            return ExitCode::from(1);
        }
    };
    match run(&words, ui, env) {
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
    Program::called(argv0).version_line(&Env::of_process().unwrap_or_default())
}

enum Next {
    Exit(u8),
    Serve(Box<ServerOptions>),
    Diagnose(DiagnoseOptions, Box<Ctx>),
}

fn run(words: &[String], mut ui: Ui, env: Env) -> Next {
    let (argv0, words) = words.split_first().map_or(("bulla", words), |(first, rest)| (first.as_str(), rest));
    let program = Program::called(argv0);
    if let Some(code) = without_command(words, program, &env, &mut ui) {
        return Next::Exit(ui.ended(code));
    }
    let Some((command, rest)) = find(words) else {
        let code = no_command(words, program, &mut ui);
        return Next::Exit(ui.ended(code));
    };
    match parse(command, rest, program, &mut ui) {
        Ok((flags, args)) => start(command, flags, args, ui, env, program),
        Err(code) => Next::Exit(ui.ended(code)),
    }
}

/// What stands where a command would: `-version`, a shell's question how to go on, `-autocomplete-install`.
fn without_command(words: &[String], program: Program, env: &Env, ui: &mut Ui) -> Option<u8> {
    if let [only] = words
        && matches!(only.as_str(), "-v" | "-version" | "--version")
    {
        ui.say(&program.version_line(env));
        return Some(0);
    }
    if let Some(candidates) = completion::asked(env) {
        // bash names what it replaces behind the name of the command.
        let word = words.get(1).map(String::as_str);
        candidates.iter().for_each(|one| ui.say(&completion::behind(one, word)));
        return Some(0);
    }
    let [only] = words else { return None };
    install_flag(only).map(|wanted| install(env, program, wanted, ui))
}

/// A command's flags and words, or the exit code if it shall not run.
fn parse(command: &Command, rest: &[String], program: Program, ui: &mut Ui) -> Result<(Flags, Vec<String>), u8> {
    let (flags, args) = match Flags::parse(rest, command.tables()) {
        Ok(parsed) => parsed,
        Err(FlagError::Help) => {
            ui.say(&help::command(program.name(), command));
            return Err(0);
        }
        Err(error) => {
            ui.warn(&error.to_string());
            return Err(1);
        }
    };
    if let Some(warning) = command::late_flags(&args) {
        ui.warn(&warning);
    }
    if let Err(complaint) = command.check_words(args.len()) {
        ui.warn(&complaint);
        return Err(1);
    }
    Ok((flags, args))
}

fn start(command: &Command, flags: Flags, args: Vec<String>, ui: Ui, env: Env, program: Program) -> Next {
    if matches!(command.run, Run::Server) {
        let version = program.version_line(&env);
        let claimed_version = program.claimed_version(&env);
        let asked = ServerOptions::of(&flags, &env);
        let options = ServerOptions { program: program.name(), version, claimed_version, ..asked };
        return Next::Serve(Box::new(options));
    }
    let mut ctx = match Ctx::new(flags, args, ui, env, program) {
        Ok(ctx) => ctx,
        Err((mut ui, failure)) => return Next::Exit(ended(Err(failure), &mut ui)),
    };
    // Before anything is sent: an answer that cannot be shown may be the only one.
    if ctx.format == Format::Raw && !command.takes_raw(&ctx.flags) {
        let refused = Failure::local("This command does not support the -format=raw option.");
        return Next::Exit(ended(Err(refused), &mut ctx.ui));
    }
    let done = match command.run {
        Run::Here(run) => run(&mut ctx),
        _ => match operator_diagnose::options(&ctx) {
            Ok(options) => return Next::Diagnose(options, Box::new(ctx)),
            Err(failure) => Err(failure),
        },
    };
    Next::Exit(ended(done, &mut ctx.ui))
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
    let code = done.unwrap_or_else(|failure| {
        if !failure.text.is_empty() {
            ui.warn(&failure.text);
        }
        failure.code
    });
    ui.ended(code)
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
