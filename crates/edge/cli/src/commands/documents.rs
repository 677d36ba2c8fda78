//! `completion` and `man`: what the command table says to shells and to `man`. Also `-autocomplete-install` and its
//! opposite, which stand where a command would.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use crate::{
    command::{Command, Kind, MANY, Run},
    commands,
    completion::{self, SHELLS},
    context::Ctx,
    env::Env,
    failure::{Done, Failure},
    flags::Flag,
    man,
    program::Program,
};

pub static COMMANDS: &[Command] = &[
    Command {
        name: "completion",
        args: "SHELL",
        about: "Print what a shell needs to complete commands: bash, zsh or fish",
        help: "For the running shell: eval \"$(bulla completion bash)\". For every shell to come: bulla \
               -autocomplete-install writes it into the shells' own files, -autocomplete-uninstall takes it out again.",
        words: (1, 1),
        flags: &[],
        kind: Kind::Local,
        run: Run::Here(print_completion),
    },
    Command {
        name: "man",
        args: "[COMMAND]",
        about: "Print a manual page, or write all of them to a folder",
        help: "To read one: bulla man kv put | man -l -",
        words: (0, MANY),
        flags: &[Flag::text("dir", "Write a page for every command to this folder, and print none.")],
        kind: Kind::Local,
        run: Run::Here(print_man),
    },
];

fn print_completion(ctx: &mut Ctx) -> Done {
    let shell = ctx.arg(0).to_owned();
    let path = own_path().map_err(Failure::local)?;
    let script = completion::script(&shell, ctx.program.name(), &path);
    let script =
        script.ok_or_else(|| Failure::local(format!("no such shell: {shell}; there are {}", SHELLS.join(", "))))?;
    ctx.ui.say(&script);
    Ok(0)
}

fn own_path() -> Result<String, String> {
    let path = std::env::current_exe().map_err(|e| format!("cannot tell where this program is: {e}"))?;
    path.into_os_string().into_string().map_err(|_| "this program lies at a path that is not UTF-8".to_owned())
}

fn print_man(ctx: &mut Ctx) -> Done {
    let (program, version) = (ctx.program.name(), ctx.program.version_line(&ctx.env));
    if let Some(folder) = ctx.flags.filled("dir").map(PathBuf::from) {
        let written = write_pages(&folder, program, &version);
        let written = written.map_err(|e| Failure::local(format!("Error writing to {}: {e}", folder.display())))?;
        ctx.ui.say(&format!("{written} pages written to {}", folder.display()));
        return Ok(0);
    }
    let name = ctx.args.join(" ");
    let page = match commands::all().find(|command| command.name == name) {
        Some(command) => man::page(program, &version, command),
        None if name.is_empty() => man::overview(program, &version),
        None => return Err(Failure::local(format!("no such command: {name}"))),
    };
    ctx.ui.bytes(page.as_bytes());
    Ok(0)
}

fn write_pages(folder: &Path, program: &str, version: &str) -> std::io::Result<usize> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join(format!("{program}.1")), man::overview(program, version))?;
    let mut written = 1;
    for command in commands::all() {
        let file = folder.join(format!("{}.1", man::title(program, Some(command))));
        fs::write(file, man::page(program, version, command))?;
        written += 1;
    }
    Ok(written)
}

/// Puts completion into the files of the shells there are (or takes it out), and tells which.
///
/// # Errors
/// In words, if there is no home folder, no shell, it is there already, or a file cannot be written.
pub fn install(env: &Env, program: Program, wanted: Wanted) -> Result<Vec<PathBuf>, String> {
    let home = env.plain("HOME").map(PathBuf::from).ok_or("HOME is not set")?;
    let path = own_path()?;
    let mut changed = Vec::new();
    let mut files = shell_files(&home, program);
    if wanted == Wanted::There && files.is_empty() {
        files.extend(first_file(&home, program, env));
    }
    if files.is_empty() && wanted == Wanted::There {
        return Err("there is no bash, zsh or fish with a file in the home folder".to_owned());
    }
    for (shell, file) in files {
        let Some(script) = completion::script(shell, program.name(), &path) else { continue };
        if rewrite(&file, &script, wanted).map_err(|e| format!("{}: {e}", file.display()))? {
            changed.push(file);
        }
    }
    match (changed.is_empty(), wanted) {
        (true, Wanted::There) => Err("completion is installed already".to_owned()),
        (true, Wanted::Gone) => Err("completion is not installed".to_owned()),
        (false, _) => Ok(changed),
    }
}

/// Whether completion shall be in the shells' files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    There,
    Gone,
}

/// Files of the shells this user has: those that are there, and fish's own where fish has a folder.
fn shell_files(home: &Path, program: Program) -> Vec<(&'static str, PathBuf)> {
    let mut files = Vec::new();
    let bash = [".bashrc", ".bash_profile", ".bash_login", ".profile"].map(|name| home.join(name));
    files.extend(bash.into_iter().find(|file| file.is_file()).map(|file| ("bash", file)));
    files.extend(Some(home.join(".zshrc")).filter(|file| file.is_file()).map(|file| ("zsh", file)));
    let fish = home.join(".config/fish");
    if fish.is_dir() {
        files.push(("fish", fish.join(format!("completions/{}.fish", program.name()))));
    }
    files
}

/// The file to begin in a home folder without any: that of the shell the user logs in with.
fn first_file(home: &Path, program: Program, env: &Env) -> Option<(&'static str, PathBuf)> {
    match Path::new(env.plain("SHELL")?).file_name()?.to_str()? {
        "bash" => Some(("bash", home.join(".bashrc"))),
        "zsh" => Some(("zsh", home.join(".zshrc"))),
        "fish" => Some(("fish", home.join(format!(".config/fish/completions/{}.fish", program.name())))),
        _ => None,
    }
}

/// Whether the file was changed. Everything else in it stays as it is.
fn rewrite(file: &Path, script: &str, wanted: Wanted) -> std::io::Result<bool> {
    let text = match fs::read_to_string(file) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
        other => other?,
    };
    let block = format!("{script}\n");
    match (text.contains(&block), wanted) {
        (false, Wanted::There) => {
            if let Some(folder) = file.parent() {
                fs::create_dir_all(folder)?;
            }
            let gap = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
            let mut open = fs::OpenOptions::new().create(true).append(true).open(file)?;
            open.write_all(format!("{gap}{block}").as_bytes())?;
            Ok(true)
        }
        (true, Wanted::Gone) => fs::write(file, text.replacen(&block, "", 1)).map(|()| true),
        _ => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn installed_once_and_taken_out_whole() {
        let home = tempfile::tempdir().unwrap();
        let env = Env::from([("HOME", home.path().to_str().unwrap())]);
        assert!(install(&env, Program::Bulla, Wanted::There).is_err(), "no shell");
        let file = home.path().join(".bashrc");
        fs::write(&file, "alias ll='ls -l'").unwrap();
        fs::create_dir_all(home.path().join(".config/fish")).unwrap();
        assert_eq!(install(&env, Program::Bulla, Wanted::There).unwrap().len(), 2);
        assert!(fs::read_to_string(&file).unwrap().starts_with("alias ll='ls -l'\ncomplete -o nospace -C "));
        assert!(install(&env, Program::Bulla, Wanted::There).unwrap_err().contains("already"));
        assert_eq!(install(&env, Program::Bulla, Wanted::Gone).unwrap().len(), 2);
        assert_eq!(fs::read_to_string(&file).unwrap(), "alias ll='ls -l'\n");
        assert!(install(&env, Program::Bulla, Wanted::Gone).is_err());
    }

    #[test]
    fn an_empty_home_gets_the_file_of_its_shell() {
        for (shell, file) in
            [("/bin/bash", ".bashrc"), ("zsh", ".zshrc"), ("/x/fish", ".config/fish/completions/bulla.fish")]
        {
            let home = tempfile::tempdir().unwrap();
            let env = Env::from([("HOME", home.path().to_str().unwrap()), ("SHELL", shell)]);
            assert_eq!(install(&env, Program::Bulla, Wanted::There).unwrap(), [home.path().join(file)]);
            assert!(install(&env, Program::Bulla, Wanted::There).unwrap_err().contains("already"));
            assert_eq!(install(&env, Program::Bulla, Wanted::Gone).unwrap(), [home.path().join(file)]);
        }
        let home = tempfile::tempdir().unwrap();
        let env = Env::from([("HOME", home.path().to_str().unwrap()), ("SHELL", "/bin/dash")]);
        assert!(install(&env, Program::Bulla, Wanted::There).unwrap_err().contains("there is no bash"));
    }

    #[test]
    fn a_page_for_every_command() {
        let folder = tempfile::tempdir().unwrap();
        let written = write_pages(folder.path(), "vault", "Vault v1").unwrap();
        assert_eq!(written, commands::all().count() + 1);
        assert!(folder.path().join("vault-kv-metadata-put.1").is_file());
    }
}
