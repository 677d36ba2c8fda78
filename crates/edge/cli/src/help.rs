//! Help texts, written from the command table.

use crate::{
    command::{Command, HTTP_FLAGS, Kind},
    commands::{self, GROUPS},
    flags::{Flag, Kind as FlagKind},
    output::wrap,
};

/// All commands by their first word.
pub fn overview(program: &str) -> String {
    let mut names: Vec<(&str, &str)> = GROUPS.iter().copied().filter(|(name, _)| !name.contains(' ')).collect();
    names.extend(commands::all().filter(|c| !c.name.contains(' ')).map(|c| (c.name, c.about)));
    names.sort_unstable();
    format!(
        "Usage: {program} <command> [flags] [words]\n\n{}\n\nMore about a command: {program} <command> -h",
        listed(&names)
    )
}

/// The commands that begin with these words; `None` if there are none.
pub fn group(program: &str, words: &str) -> Option<String> {
    let prefix = format!("{words} ");
    let about = GROUPS.iter().find(|(name, _)| *name == words).map(|(_, about)| *about)?;
    let depth = words.split(' ').count() + 1;
    let mut names: Vec<(&str, &str)> = commands::all()
        .filter(|c| c.name.starts_with(&prefix) && c.name.split(' ').count() == depth)
        .map(|c| (&c.name[prefix.len()..], c.about))
        .collect();
    let nested = GROUPS.iter().filter(|(name, _)| name.starts_with(&prefix));
    names.extend(nested.map(|(name, about)| (&name[prefix.len()..], *about)));
    names.sort_unstable();
    Some(format!("Usage: {program} {words} <command> [flags] [words]\n\n{about}\n\n{}", listed(&names)))
}

const VARIABLES: &str = "Variables are read with BULLA_, BAO_ or VAULT_ in front, in this order. PROXY_ADDR names a proxy \
                         for all servers; without it HTTPS_PROXY, HTTP_PROXY and NO_PROXY are read as they stand.";

/// One command with its flags.
pub fn command(program: &str, command: &Command) -> String {
    let mut text = format!("Usage: {program} {} [flags] {}", command.name, command.args).trim_end().to_owned();
    text.push_str(&format!("\n\n{}", wrap(&format!("{}.", command.about), 0)));
    if !command.help.is_empty() {
        text.push_str(&format!("\n\n{}", wrap(command.help, 0)));
    }
    for table in command.tables() {
        if table.is_empty() {
            continue;
        }
        let title = if std::ptr::eq(table, HTTP_FLAGS) {
            "Flags of every command that talks to a server"
        } else if std::ptr::eq(table, command.flags) {
            "Flags"
        } else {
            "Output"
        };
        text.push_str(&format!("\n\n{title}:\n\n"));
        text.push_str(&table.iter().map(flag).collect::<Vec<_>>().join("\n"));
    }
    if command.kind != Kind::Local {
        text.push_str(&format!("\n\n{}", wrap(VARIABLES, 0)));
    }
    text
}

fn flag(flag: &Flag) -> String {
    let value = match flag.kind {
        FlagKind::Switch => "",
        FlagKind::Text | FlagKind::Repeat => "=<text>",
        FlagKind::Int => "=<number>",
        FlagKind::Duration => "=<duration>",
        FlagKind::Pair => "=<key=value>",
    };
    let alias = flag.alias.map(|alias| format!(", -{alias}")).unwrap_or_default();
    let env = flag.env.map(|env| format!(" Variable: {env}.")).unwrap_or_default();
    format!("  -{}{value}{alias}\n{}", flag.name, wrap(&format!("{}{env}", flag.help), 6))
}

fn listed(names: &[(&str, &str)]) -> String {
    let width = names.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    names.iter().map(|(name, about)| format!("  {name:width$}    {about}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn every_command_is_reachable_from_the_overview() {
        let overview = overview("bulla");
        for command in commands::all() {
            let first = command.name.split(' ').next().unwrap();
            assert!(overview.contains(&format!("  {first} ")), "{}", command.name);
            if let Some((words, last)) = command.name.rsplit_once(' ') {
                assert!(group("bulla", words).unwrap().contains(&format!("  {last} ")), "{}", command.name);
            }
        }
    }

    #[test]
    fn no_flag_is_declared_twice() {
        for command in commands::all() {
            let mut names: Vec<&str> =
                command.tables().into_iter().flatten().flat_map(|f| [Some(f.name), f.alias]).flatten().collect();
            let all = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), all, "{}", command.name);
        }
    }
}
