//! Shell completion from the command table. The shell calls the program with the line so far in `COMP_LINE` (bash, zsh
//! and fish alike), so that what is offered is always what this binary knows. Nothing is asked of a server.

use crate::{
    command::{Command, Kind},
    commands::{self, GROUPS},
    env::Env,
    flags::{Flag, Kind as FlagKind},
};

/// Values worth offering, by flag.
const VALUES: [(&str, &[&str]); 4] = [
    ("format", &["table", "json", "yaml", "raw"]),
    ("log-level", &["trace", "debug", "info", "warn", "error"]),
    ("log-format", &["standard", "json"]),
    ("method", &["token", "userpass", "approle", "ldap", "cert", "jwt", "oidc", "kubernetes", "radius"]),
];

/// What fits behind the line in the environment; `None` if no shell asks.
pub fn asked(env: &Env) -> Option<Vec<String>> {
    let line = env.plain("COMP_LINE")?;
    let upto = env.plain("COMP_POINT").and_then(|point| point.parse().ok()).unwrap_or(line.len());
    Some(candidates(line.get(..upto).unwrap_or(line)))
}

/// Words that fit at the end of `line`, which begins with the program's name. In order, each once.
pub fn candidates(line: &str) -> Vec<String> {
    let mut words: Vec<&str> = line.split_whitespace().skip(1).collect();
    let begun = if line.ends_with(char::is_whitespace) { "" } else { words.pop().unwrap_or_default() };
    let (names, rest) = named(&words);
    let found = commands::all().find(|command| command.name == names);
    let mut fitting = match found {
        Some(command) => {
            let mut fitting = arguments(command, rest, begun);
            fitting.extend(following(&names));
            fitting
        }
        None if rest.is_empty() => following(&names),
        None => Vec::new(),
    };
    fitting.retain(|word| word.starts_with(begun));
    fitting.sort_unstable();
    fitting.dedup();
    fitting
}

/// The command or group at the front, and the words behind it.
fn named<'a>(words: &'a [&'a str]) -> (String, &'a [&'a str]) {
    (0..=words.len().min(3))
        .rev()
        .map(|n| (words[..n].join(" "), &words[n..]))
        .find(|(name, _)| {
            name.is_empty() || commands::all().any(|c| c.name == name) || GROUPS.iter().any(|(group, _)| group == name)
        })
        .unwrap_or_default()
}

/// Words that lead further into the table.
fn following(names: &str) -> Vec<String> {
    let prefix = if names.is_empty() { String::new() } else { format!("{names} ") };
    let rows = commands::all().map(|command| command.name).chain(GROUPS.iter().map(|(name, _)| *name));
    rows.filter_map(|name| name.strip_prefix(&prefix)?.split(' ').next()).map(str::to_owned).collect()
}

/// Flags, or the values of the one that stands before the end. After the first word there are none.
fn arguments(command: &Command, rest: &[&str], begun: &str) -> Vec<String> {
    let flag = |word: &str| {
        let name = word.strip_prefix("--").or_else(|| word.strip_prefix('-'))?;
        command.tables().into_iter().flatten().find(|flag| flag.name == name || flag.alias == Some(name))
    };
    let takes_next = |word: &str| flag(word).filter(|flag| flag.kind != FlagKind::Switch);
    if let Some(waiting) = rest.last().and_then(|word| takes_next(word)) {
        return values(waiting).map(str::to_owned).collect();
    }
    if let Some((name, _)) = begun.split_once('=')
        && let Some(flag) = flag(name)
    {
        return values(flag).map(|value| format!("{name}={value}")).collect();
    }
    let is_past_flags =
        rest.iter().enumerate().any(|(i, word)| !(word.starts_with('-') || i > 0 && takes_next(rest[i - 1]).is_some()));
    if is_past_flags || (!begun.starts_with('-') && command.kind != Kind::Local) {
        return shells(command, rest);
    }
    let dashes = if begun.starts_with("--") { "--" } else { "-" };
    let tables = command.tables().into_iter().flatten().filter(|flag| flag.missing.is_none());
    let flags = tables.map(|flag| {
        let equals = if flag.kind == FlagKind::Switch { "" } else { "=" };
        format!("{dashes}{}{equals}", flag.name)
    });
    flags.chain(shells(command, rest)).collect()
}

fn values(flag: &Flag) -> impl Iterator<Item = &'static str> + use<> {
    let known = VALUES.iter().find(|(name, _)| *name == flag.name).map_or(&[][..], |(_, values)| values);
    known.iter().copied()
}

fn shells(command: &Command, rest: &[&str]) -> Vec<String> {
    let wanted = command.name == "completion" && rest.is_empty();
    SHELLS.iter().filter(|_| wanted).map(|shell| (*shell).to_owned()).collect()
}

/// Shells there are scripts for.
pub const SHELLS: [&str; 3] = ["bash", "fish", "zsh"];

/// The lines a shell needs to call `program` (its name) at `path`; `None` for an unknown shell.
pub fn script(shell: &str, program: &str, path: &str) -> Option<String> {
    let path = format!("'{}'", path.replace('\'', r"'\''"));
    Some(match shell {
        "bash" => format!("complete -o nospace -C {path} {program}"),
        "zsh" => format!("autoload -U +X bashcompinit && bashcompinit\ncomplete -o nospace -C {path} {program}"),
        "fish" => format!(
            "function __complete_{program}\n    set -lx COMP_LINE (commandline -cp)\n    \
             test -z (commandline -ct); and set COMP_LINE \"$COMP_LINE \"\n    {path}\nend\n\
             complete -f -c {program} -a \"(__complete_{program})\""
        ),
        _ => return None,
    })
}

/// For a shell that breaks words at `=` and replaces only what is behind it: `word` is what it replaces.
pub fn behind(candidate: &str, word: Option<&str>) -> String {
    match (candidate.split_once('='), word) {
        (Some((_, value)), Some(word)) if !word.starts_with('-') && !value.is_empty() => value.to_owned(),
        _ => candidate.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn words_lead_into_the_table() {
        assert_eq!(candidates("bulla operator unse"), ["unseal"]);
        assert_eq!(candidates("bulla kv meta"), ["metadata"]);
        assert!(candidates("bulla kv metadata ").contains(&"put".to_owned()));
        assert_eq!(candidates("bulla sta"), ["status"]);
        assert!(candidates("bulla ").len() > 20);
        assert!(candidates("bulla nonsense ").is_empty());
        assert_eq!(candidates("bulla completion z"), ["zsh"]);
    }

    #[test]
    fn flags_and_their_values() {
        assert_eq!(candidates("bulla kv get -fi"), ["-field="]);
        assert_eq!(candidates("bulla kv get --fi"), ["--field="]);
        assert_eq!(candidates("bulla kv get -format=js"), ["-format=json"]);
        assert_eq!(candidates("bulla kv get -format js"), ["json"]);
        assert_eq!(candidates("bulla kv get -format json -fi"), ["-field="]);
        assert_eq!(candidates("bulla write -for"), ["-force", "-format="]);
        assert!(candidates("bulla kv get secret/a -fi").is_empty(), "flags end at the first word");
        assert_eq!(behind("-format=json", Some("js")), "json");
        assert_eq!(behind("-format=json", Some("-format=js")), "-format=json");
        assert_eq!(behind("-field=", Some("-fi")), "-field=");
    }

    #[test]
    fn the_cursor_counts() {
        let env = Env::from([("COMP_LINE", "bulla sta secret/a"), ("COMP_POINT", "9")]);
        assert_eq!(asked(&env).unwrap(), ["status"]);
        assert!(asked(&Env::default()).is_none());
    }

    #[test]
    fn odd_paths_are_quoted() {
        assert_eq!(script("bash", "bulla", "/a b/it's").unwrap(), r"complete -o nospace -C '/a b/it'\''s' bulla");
        assert!(script("tcsh", "bulla", "/b").is_none());
    }
}
