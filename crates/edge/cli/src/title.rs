//! What other users of the machine see of this process in `ps`: the command, without its words and values, some of which
//! are secrets. They are seen until this has run; whoever cannot have that gives them by `-` and standard input.
//!
//! The kernel shows the memory the arguments were passed in, so that is what is written over, as a file and after
//! making sure that it holds what it should. Nothing depends on success.

use std::{
    fs::{self, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
};

use zeroize::Zeroizing;

/// Words of `server` to hide; the others tell one server from another.
const SERVER_SECRETS: [&str; 1] = ["dev-root-token-id"];

/// `words` is the whole command line; of it, `command` words are the program and the command's name.
pub fn hide(words: &[String], command: usize) {
    let server = words.get(1).is_some_and(|word| word == "server");
    let shown: Vec<String> = if server { of_server(words) } else { of_command(words, command) };
    if shown != words {
        let _ = write(words, &shown);
    }
}

fn of_command(words: &[String], command: usize) -> Vec<String> {
    let shown = |(i, word): (usize, &String)| match word.split_once('=') {
        _ if i < command => word.clone(),
        Some((_, "")) => word.clone(),
        Some((name, _)) => format!("{name}={MASK}"),
        None if word.is_empty() || word.starts_with('-') => word.clone(),
        None => MASK.to_owned(),
    };
    words.iter().enumerate().map(shown).collect()
}

fn of_server(words: &[String]) -> Vec<String> {
    let is_secret = |name: &str| name.starts_with('-') && SERVER_SECRETS.contains(&name.trim_start_matches('-'));
    let mut value_follows = false;
    let shown = |word: &String| {
        let hidden = std::mem::replace(&mut value_follows, is_secret(word));
        match word.split_once('=') {
            _ if hidden && !word.is_empty() => MASK.to_owned(),
            Some((name, value)) if is_secret(name) && !value.is_empty() => format!("{name}={MASK}"),
            _ => word.clone(),
        }
    };
    words.iter().map(shown).collect()
}

/// Never longer than what it stands for, as long as that is not empty.
const MASK: &str = "*";

/// As the kernel keeps arguments: a zero behind each.
fn bytes(words: &[String]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(words.iter().flat_map(|word| word.bytes().chain([0])).collect())
}

fn write(words: &[String], shown: &[String]) -> Option<()> {
    let there = bytes(words);
    let mut instead = bytes(shown);
    instead.resize(there.len(), 0);
    let start = SeekFrom::Start(start_of_arguments()?);
    let mut memory = OpenOptions::new().read(true).write(true).open("/proc/self/mem").ok()?;
    let mut found = Zeroizing::new(vec![0; there.len()]);
    memory.seek(start).ok()?;
    memory.read_exact(&mut found).ok()?;
    if found != there {
        return None;
    }
    memory.seek(start).ok()?;
    memory.write_all(&instead).ok()
}

/// Field 48 of `proc_pid_stat(5)`. The name in the second one may hold anything, so it is counted from its end.
fn start_of_arguments() -> Option<u64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(48 - 3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn values_and_words_are_hidden() {
        for (line, command, want) in [
            ("bulla login hvs.x", 2, "bulla login *"),
            ("bulla login -method=userpass username=a password=p", 2, "bulla login -method=* username=* password=*"),
            ("bulla kv put -mount s a p=x=y @f", 3, "bulla kv put -mount * * p=* *"),
            ("bulla operator unseal", 3, "bulla operator unseal"),
        ] {
            assert_eq!(of_command(&words(line), command).join(" "), want);
        }
    }

    #[test]
    fn a_server_stays_recognisable() {
        let shown =
            of_server(&words("bulla server -config=/etc/b -dev-root-token-id=root --dev-root-token-id root -dev"));
        assert_eq!(shown.join(" "), "bulla server -config=/etc/b -dev-root-token-id=* --dev-root-token-id * -dev");
    }
}
