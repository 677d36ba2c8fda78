//! Manual pages from the command table, in the `man` macros.

use crate::{
    command::{Command, HTTP_FLAGS, Kind},
    commands,
    flags::{Flag, Kind as FlagKind},
};

/// `bulla-kv-put` for a command, `bulla` for the overview.
pub fn title(program: &str, command: Option<&Command>) -> String {
    command.map_or_else(|| program.to_owned(), |command| format!("{program}-{}", command.name.replace(' ', "-")))
}

/// The page of the program: every command with a line about it, and the flags most of them have.
pub fn overview(program: &str, version: &str) -> String {
    let mut page = head(program, program, version, "secrets server and its command line");
    page += &format!(".SH SYNOPSIS\n.B {}\n.I command\n.RI [ flags ]\n.RI [ words ]\n", escaped(program));
    page += ".SH COMMANDS\n";
    for command in commands::all() {
        page += &format!(".TP\n.B {}\n{}.\n", escaped(command.name), line(command.about));
    }
    page += ".SH FLAGS\nOf every command that talks to a server:\n";
    page += &flags(HTTP_FLAGS);
    page += SECRETS;
    page + EXIT
}

const SECRETS: &str = ".SH SECRETS\nShares, tokens and passwords that are given as words can be seen by other users of the \
                       machine, in ps, until the command has begun and written over them; they also stay in the \
                       shell\\(aqs history. With \\- in their place they are read from standard input, and some are asked \
                       for and not shown if they are missing.\n";

/// The page of one command.
pub fn page(program: &str, version: &str, command: &Command) -> String {
    let mut page = head(program, &title(program, Some(command)), version, command.about);
    page += &format!(".SH SYNOPSIS\n.B {} {}\n.RI [ flags ]\n", escaped(program), escaped(command.name));
    if !command.args.is_empty() {
        page += &format!("{}\n", line(command.args));
    }
    if !command.help.is_empty() {
        page += &format!(".SH DESCRIPTION\n{}\n", line(command.help));
    }
    let tables = command.tables();
    if tables.iter().any(|table| !table.is_empty()) {
        page += ".SH FLAGS\n";
        tables.iter().for_each(|table| page += &flags(table));
    }
    if command.kind == Kind::Local { page } else { page + EXIT }
}

const EXIT: &str = ".SH ENVIRONMENT\nVariables are read with BULLA_, BAO_ or VAULT_ in front, in this order. \
                    PROXY_ADDR names a proxy for all servers; without it HTTPS_PROXY, HTTP_PROXY and NO_PROXY are read \
                    as they stand.\n.SH EXIT STATUS\n\
                    0: done; 1: used wrongly; 2: refused by the server, or nothing there.\n";

fn head(program: &str, title: &str, version: &str, about: &str) -> String {
    format!(
        ".TH \"{}\" 1 \"\" \"{}\" \"{} commands\"\n.SH NAME\n{} \\- {}\n",
        escaped(&title.to_uppercase()),
        escaped(version),
        escaped(program),
        escaped(title),
        line(about)
    )
}

fn flags(table: &[Flag]) -> String {
    let one = |flag: &Flag| {
        let value = if flag.kind == FlagKind::Switch { "" } else { "=\\fIvalue\\fR" };
        let alias = flag.alias.map(|alias| format!(", \\fB\\-{alias}\\fR")).unwrap_or_default();
        let env = flag.env.map(|env| format!(" Variable: {env}.")).unwrap_or_default();
        format!(".TP\n\\fB\\-{}\\fR{value}{alias}\n{}\n", escaped(flag.name), line(&format!("{}{env}", flag.help)))
    };
    table.iter().map(one).collect()
}

/// Text at the beginning of a line, where a dot or quote would be a macro.
fn line(text: &str) -> String {
    let text = escaped(text);
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_becomes_a_macro() {
        assert_eq!(line(".TH -x\\"), "\\&.TH \\-x\\e");
        let macros = [".TH ", ".SH ", ".TP", ".B ", ".RI ", ".I "];
        for command in commands::all() {
            for text in page("bulla", "1", command).lines().filter(|line| line.starts_with(['.', '\''])) {
                assert!(macros.iter().any(|known| text.starts_with(known)), "{}: {text}", command.name);
            }
        }
    }

    #[test]
    fn every_flag_is_on_its_page() {
        for command in commands::all() {
            let page = page("bulla", "1", command);
            for flag in command.tables().into_iter().flatten() {
                assert!(page.contains(&format!("\\fB\\-{}\\fR", escaped(flag.name))), "{} {}", command.name, flag.name);
            }
        }
    }
}
