//! The house keeper: `cargo xtask check` tells whether a tree may be merged and changes nothing; `cargo xtask fix`
//! changes files. Each step of the check can be called alone.
//!
//! ```text
//! check = fmt · links · licences · layers · hatches · clippy · doc · test      cheap steps first, the first failure ends it
//! ```
//! Not here: the release build and the conformance replay (`.ci/run`).
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool for people at a terminal")]

mod hatches;
mod layers;
mod licences;
mod links;
mod workspace;

use std::process::{Command, ExitCode};
use std::time::Instant;

/// What went wrong, ready to be shown.
type Outcome = Result<(), String>;

struct Step {
    name: &'static str,
    about: &'static str,
    run: fn() -> Outcome,
}

const CHECK: [Step; 8] = [
    Step {
        name: "fmt",
        about: "the code is formatted",
        run: || cargo(&["fmt", "--all", "--check", "--", "--files-with-diff"], &[]),
    },
    Step { name: "links", about: "documents name files that exist", run: links::check },
    Step { name: "licences", about: "licences are on the list, banned crates are absent", run: licences::check },
    Step { name: "layers", about: "no crate depends on a floor above or beside", run: layers::check },
    Step { name: "hatches", about: "doors beside the doors are opened where they may be", run: hatches::check },
    Step { name: "clippy", about: "no warnings on any target", run: clippy },
    Step { name: "doc", about: "documentation builds without warnings", run: doc },
    Step { name: "test", about: "all tests pass", run: test },
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["check"] => check(),
        ["fix"] => fix(),
        [name] => match CHECK.iter().find(|step| step.name == *name) {
            Some(step) => timed(step),
            None => Err(usage()),
        },
        _ => Err(usage()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn check() -> Outcome {
    let begun = Instant::now();
    for step in &CHECK {
        timed(step)?;
    }
    println!("check: all {} steps passed in {:.1} s", CHECK.len(), begun.elapsed().as_secs_f64());
    Ok(())
}

fn timed(step: &Step) -> Outcome {
    println!("{:<9} {} …", step.name, step.about);
    let begun = Instant::now();
    let outcome = (step.run)();
    let seconds = begun.elapsed().as_secs_f64();
    match outcome {
        Ok(()) => println!("{:<9} ok, {seconds:.1} s", step.name),
        Err(problem) => return Err(format!("{problem}\n{} failed after {seconds:.1} s", step.name)),
    }
    Ok(())
}

fn fix() -> Outcome {
    cargo(&["clippy", "--locked", "--workspace", "--all-targets", "--fix", "--allow-dirty", "--allow-staged"], &[])?;
    cargo(&["fmt", "--all"], &[])
}

fn clippy() -> Outcome {
    cargo(&["clippy", "--locked", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"], &[])
}

/// Runs on after a failure: one look at the output tells all of them.
fn test() -> Outcome {
    cargo(&["test", "--locked", "--workspace", "--quiet", "--no-fail-fast"], &[])
}

fn doc() -> Outcome {
    let build = ["doc", "--locked", "--workspace", "--no-deps", "--document-private-items", "--quiet"];
    cargo(&build, &[("RUSTDOCFLAGS", "-D warnings")])
}

fn cargo(arguments: &[&str], environment: &[(&str, &str)]) -> Outcome {
    let status = Command::new(workspace::cargo())
        .current_dir(workspace::root())
        .args(arguments)
        .envs(environment.iter().copied())
        .status()
        .map_err(|cause| format!("cargo could not be started: {cause}"))?;
    if status.success() { Ok(()) } else { Err(format!("`cargo {}` failed", arguments.join(" "))) }
}

fn usage() -> String {
    let mut text =
        String::from("usage: cargo xtask check | fix | STEP\n\n  check      all steps below, in this order\n");
    for step in &CHECK {
        text += &format!("  {:<10} {}\n", step.name, step.about);
    }
    text + "  fix        applies clippy's suggestions and formats"
}

/// A list of findings as the outcome of a step.
fn none_of(findings: &[String]) -> Outcome {
    if findings.is_empty() { Ok(()) } else { Err(findings.join("\n")) }
}
