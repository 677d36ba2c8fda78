//! What a command is: one row of a table that feeds parser, help and completion.

use crate::{
    context::Ctx,
    failure::Done,
    flags::{Flag, Flags},
};

/// Help that ends with what all words that may be secrets have in common.
macro_rules! seen_words {
    ($help:literal) => {
        concat!(
            $help,
            " A word can be seen by other users of the machine for a moment, and stays in the shell's history."
        )
    };
}
pub(crate) use seen_words;

/// One command of the command line.
#[derive(Debug)]
pub struct Command {
    /// `kv metadata get`.
    pub name: &'static str,
    /// What follows the flags: `PATH [K=V...]`.
    pub args: &'static str,
    /// One line for lists.
    pub about: &'static str,
    /// Further paragraphs of its own help; may be empty.
    pub help: &'static str,
    /// Fewest and most words.
    pub words: (usize, usize),
    /// Its own flags.
    pub flags: &'static [Flag],
    /// What it does besides: talk to a server, print structured output.
    pub kind: Kind,
    pub run: Run,
}

/// Which of the common flags a command has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// None.
    Local,
    /// Those of a client.
    Http,
    /// Those of a client, and `-format`.
    Format,
    /// And `-field`.
    Field,
}

/// Who carries a command out.
#[derive(Clone, Copy)]
pub enum Run {
    Here(fn(&mut Ctx) -> Done),
    /// Handed to the binary, which alone knows how to be a server.
    Server,
    /// Looked up by the binary, which alone knows what a server needs.
    Diagnose,
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Here(_) => "Here",
            Self::Server => "Server",
            Self::Diagnose => "Diagnose",
        })
    }
}

/// As many words as one likes.
pub const MANY: usize = usize::MAX;

/// Flags of every command that talks to a server.
pub static HTTP_FLAGS: &[Flag] = &[
    Flag::text("address", "Server to talk to, such as https://127.0.0.1:8200 or unix:///run/bulla.sock.").env("ADDR"),
    Flag::text("agent-address", "Agent to talk to instead of the server.").env("AGENT_ADDR"),
    Flag::text("ca-cert", "PEM file with the only authorities to trust.").env("CACERT"),
    Flag::text("ca-path", "Folder of such PEM files.").env("CAPATH"),
    Flag::text("client-cert", "PEM file with the client's certificate.").env("CLIENT_CERT"),
    Flag::text("client-key", "PEM file with the key of the client's certificate.").env("CLIENT_KEY"),
    Flag::text("tls-server-name", "Name to expect in the server's certificate.").env("TLS_SERVER_NAME"),
    Flag::switch("tls-skip-verify", "Accept any certificate. Anybody in between can then read and change everything.")
        .env("SKIP_VERIFY"),
    Flag::switch("disable-redirects", "Do not follow redirects to the active node.").env("DISABLE_REDIRECTS"),
    Flag::text("namespace", "Namespace to work in.").alias("ns").env("NAMESPACE"),
    Flag::pair("header", "Further request header, name=value. May be given several times."),
    Flag::repeat("mfa", "Second factor, method[:value]. May be given several times.").env("MFA"),
    Flag::duration("wrap-ttl", "Wrap the answer in a single-use token that lives this long.").env("WRAP_TTL"),
    Flag::switch("policy-override", "Override policies that allow it."),
    Flag::switch("non-interactive", "Never ask on the terminal."),
    Flag::switch("output-curl-string", "Print the request as a curl command instead of sending it."),
    Flag::switch("output-policy", "Print the policy the request needs instead of sending it."),
    Flag::text("unlock-key", "Key to unlock a locked namespace's API."),
];

/// Flags of commands with structured output.
pub static FORMAT_FLAGS: &[Flag] = &[
    Flag::text("format", "How to print: table, json, yaml; raw for the answer of `read` as it came, and for a field.")
        .env("FORMAT"),
    Flag::switch("detailed", "Print more about each entry where there is more.").env("DETAILED"),
];

/// Flags of commands whose output has fields.
pub static FIELD_FLAGS: &[Flag] =
    &[Flag::text("field", "Print this field alone; without a newline when the output is not a terminal.")];

impl Command {
    /// All its flags, its own first.
    pub fn tables(&self) -> Vec<&'static [Flag]> {
        let mut tables = vec![self.flags];
        match self.kind {
            Kind::Local => {}
            Kind::Http => tables.push(HTTP_FLAGS),
            Kind::Format => tables.extend([HTTP_FLAGS, FORMAT_FLAGS]),
            Kind::Field => tables.extend([HTTP_FLAGS, FORMAT_FLAGS, FIELD_FLAGS]),
        }
        tables
    }

    /// Whether it can pass on what came as it is: a whole answer, or one field.
    pub fn takes_raw(&self, flags: &Flags) -> bool {
        self.name == "read" || self.kind == Kind::Field && flags.filled("field").is_some()
    }

    /// Checks how many words there are, in the words scripts know.
    pub fn check_words(&self, given: usize) -> Result<(), String> {
        let (fewest, most) = self.words;
        if given < fewest {
            Err(format!("Not enough arguments (expected {fewest}, got {given})"))
        } else if given > most {
            Err(format!("Too many arguments (expected {most}, got {given})"))
        } else {
            Ok(())
        }
    }
}

/// Flags that came too late to be flags, as one warning.
pub fn late_flags(words: &[String]) -> Option<String> {
    let late: Vec<&str> = words.iter().map(String::as_str).filter(|w| w.len() > 1 && w.starts_with('-')).collect();
    (!late.is_empty()).then(|| {
        format!(
            "Command flags must be provided before positional arguments. \
             The following arguments will not be parsed as flags: [{}]",
            late.join(",")
        )
    })
}

/// What stands behind the flags of every command in the environment must be what the flag would take: a switch that
/// cannot be read must not count as off.
///
/// # Errors
/// Names the variable.
pub fn check_settings(flags: &Flags, env: &crate::env::Env) -> Result<(), String> {
    let known = [HTTP_FLAGS, FORMAT_FLAGS].into_iter().flatten();
    for flag in known.filter(|flag| flags.knows(flag.name) && flags.filled(flag.name).is_none()) {
        if let Some((variable, value)) = flag.env.and_then(|name| env.named(name)) {
            flag.check(value).map_err(|why| format!("invalid value {value:?} of {variable}: {why}"))?;
        }
    }
    Ok(())
}

/// A flag's value, or that of the environment variable behind it.
pub fn setting<'a>(flags: &'a Flags, env: &'a crate::env::Env, name: &'a str) -> Option<&'a str> {
    if !flags.knows(name) {
        return None;
    }
    let variable = [HTTP_FLAGS, FORMAT_FLAGS].into_iter().flatten().find(|f| f.name == name).and_then(|f| f.env);
    flags.text(name).or_else(|| variable.and_then(|v| env.setting(v))).filter(|value| !value.is_empty())
}
