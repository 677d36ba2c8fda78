//! The options of a device: texts in, checked values out, once. What is checked is what is used: aliases (`path` for
//! `file_path`) are resolved before any check.

use super::Rules;
use crate::error::EnableError;
use crate::lane::{Durability, Limits};
use crate::sink::{FileMode, FileOptions, Target};
use crate::transcode::Lists;
use crate::veil::{Accessors, Strings};
use crate::vet;
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

/// Read and write for everybody is the widest a log may be; execute, setuid and the like would turn a log into a program.
const MODE_BITS: u32 = 0o666;

pub(crate) struct Options {
    pub(crate) target: Target,
    pub(crate) file: FileOptions,
    pub(crate) limits: Limits,
    pub(crate) prefix: String,
    pub(crate) strings: Strings,
    pub(crate) accessors: Accessors,
    pub(crate) lists: Lists,
    pub(crate) skips_test: bool,
}

impl Options {
    pub(crate) fn parse(kind: &str, texts: &BTreeMap<String, String>, rules: &Rules) -> Result<Self, EnableError> {
        let text = |key: &str| texts.get(key).map(String::as_str);
        let prefix = text("prefix").unwrap_or_default().to_owned();
        if !prefix.is_empty() && !rules.prefix {
            return Err(EnableError::PrefixOff);
        }
        if kind != "file" {
            return Err(EnableError::UnknownType(kind.to_owned()));
        }
        let path = text("file_path").or(text("path")).ok_or(EnableError::NoFilePath)?;
        match text("format") {
            None | Some("json") => {}
            Some(other) => return Err(EnableError::UnknownFormat(other.to_owned())),
        }
        let hmac_accessor = switch(text("hmac_accessor"), true)?;
        let log_raw = switch(text("log_raw"), false)?;
        let elide = switch(text("elide_list_responses"), false)?;
        let mode = mode(text("mode"))?;
        let target = target(path, &prefix, rules)?;
        Ok(Self {
            target,
            file: FileOptions { mode, rotate_bytes: number(text("rotate_bytes"), "rotate_bytes")? },
            limits: limits(text("durability"), text("deadline"))?,
            prefix,
            strings: if log_raw { Strings::Raw } else { Strings::Hashed },
            accessors: if hmac_accessor { Accessors::Hashed } else { Accessors::Clear },
            lists: if elide { Lists::Counted } else { Lists::Whole },
            skips_test: text("skip_test") == Some("true"),
        })
    }
}

/// The spellings Go's `strconv.ParseBool` knows.
fn switch(text: Option<&str>, default: bool) -> Result<bool, EnableError> {
    match text {
        None => Ok(default),
        Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(true),
        Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(false),
        Some(other) => Err(EnableError::NotBool(other.to_owned())),
    }
}

/// Octal; zero keeps whatever mode the file has.
fn mode(text: Option<&str>) -> Result<FileMode, EnableError> {
    let Some(text) = text else { return Ok(FileMode::Set(0o600)) };
    let digits = !text.is_empty() && text.bytes().all(|b| (b'0'..=b'7').contains(&b));
    let bits = if digits { u32::from_str_radix(text, 8).ok() } else { None };
    match bits {
        None => Err(EnableError::NotMode(text.to_owned())),
        Some(0) => Ok(FileMode::Keep),
        Some(bits) if bits & !MODE_BITS != 0 => Err(EnableError::ModeBits),
        Some(bits) => Ok(FileMode::Set(bits)),
    }
}

/// Words stand for the streams; everything else is a file, which may not climb out by `..`, may not be one of the
/// kernel's own (`/proc/self/fd` would reach any open file), and must lie in an allowed directory if there are any.
fn target(path: &str, prefix: &str, rules: &Rules) -> Result<Target, EnableError> {
    if path.is_empty() {
        return Err(EnableError::NoFilePath);
    }
    if path.eq_ignore_ascii_case("stdout") || path == "/dev/stdout" {
        return Ok(Target::Stdout);
    }
    if path.eq_ignore_ascii_case("stderr") || path == "/dev/stderr" {
        return Ok(Target::Stderr);
    }
    if path.eq_ignore_ascii_case("discard") || path == "/dev/null" {
        return Ok(Target::Discard);
    }
    let file = Path::new(path);
    if file.components().any(|part| part == Component::ParentDir) || path.ends_with('/') {
        return Err(EnableError::ForbiddenPath);
    }
    let real = real_location(file).map_err(|cause| EnableError::Open { path: path.to_owned(), cause })?;
    if ["/dev", "/proc", "/sys"].iter().any(|kernel| real.starts_with(kernel)) {
        return Err(EnableError::ForbiddenPath);
    }
    let allowed = |directory: &PathBuf| real_location(directory).is_ok_and(|directory| real.starts_with(directory));
    if !rules.directories.is_empty() && !rules.directories.iter().any(allowed) {
        return Err(EnableError::OutsideDirectories);
    }
    if let Some(own) = &rules.own {
        // What a link stands for is meant, and the link itself.
        let both = |place: &PathBuf| [real_location(place).ok(), place.canonicalize().ok()];
        let own: Vec<PathBuf> = own.iter().flat_map(both).flatten().collect();
        vet::check(&real, prefix, &own)?;
    }
    Ok(Target::File(real))
}

/// Where the file will lie once the symbolic links among its directories are followed: the deepest directory that
/// exists, resolved, and the rest. The last part itself is never followed, here or when it is opened.
fn real_location(file: &Path) -> std::io::Result<PathBuf> {
    let file = std::path::absolute(file)?;
    let mut rest = Vec::new();
    let mut above = file.as_path();
    while let (Some(parent), Some(name)) = (above.parent(), above.file_name()) {
        rest.push(name);
        above = parent;
        if let Ok(real) = parent.canonicalize() {
            return Ok(rest.iter().rev().fold(real, |path, name| path.join(name)));
        }
    }
    Ok(file)
}

fn number(text: Option<&str>, key: &'static str) -> Result<Option<u64>, EnableError> {
    match text.map(str::parse) {
        None => Ok(None),
        Some(Ok(0) | Err(_)) => Err(EnableError::NotNumber(key)),
        Some(Ok(number)) => Ok(Some(number)),
    }
}

fn limits(durability: Option<&str>, deadline: Option<&str>) -> Result<Limits, EnableError> {
    let durability = match durability {
        None | Some("delivered") => Durability::Delivered,
        Some("durable") => Durability::Durable,
        Some(_) => return Err(EnableError::NotDurability),
    };
    let mut limits = Limits { durability, ..Limits::default() };
    if let Some(text) = deadline {
        let nanos = bulla_types::parse_duration(text).ok().and_then(|span| u64::try_from(span).ok()).filter(|n| *n > 0);
        limits.deadline = Duration::from_nanos(nanos.ok_or(EnableError::NotDuration("deadline"))?);
    }
    Ok(limits)
}
