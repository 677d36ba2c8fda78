//! Standard input, output and error, replaceable in tests.

use std::io::{IsTerminal, Read, Write};

use zeroize::Zeroizing;

use crate::{
    failure::Failure,
    hidden::{self, HiddenError},
};

/// The three streams of a command.
pub struct Ui {
    out: Box<dyn Write>,
    err: Box<dyn Write>,
    input: Option<Box<dyn Read>>,
    /// Standard output is a person's terminal.
    pub out_is_terminal: bool,
    /// It is one that shows colours, and its owner has not asked for none (`NO_COLOR`).
    colours: bool,
}

impl Ui {
    pub fn of_process() -> Self {
        let terminal = std::io::stdout().is_terminal();
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_none_or(|kind| kind.is_empty() || kind == "dumb");
        Self {
            out: Box::new(std::io::stdout()),
            err: Box::new(std::io::stderr()),
            input: Some(Box::new(std::io::stdin())),
            out_is_terminal: terminal,
            colours: terminal && !dumb && !is_set("NO_COLOR"),
        }
    }

    #[cfg(test)]
    pub fn of_test(out: Box<dyn Write>, err: Box<dyn Write>, input: Box<dyn Read>) -> Self {
        Self { out, err, input: Some(input), out_is_terminal: false, colours: false }
    }

    /// The text in a colour of the terminal (a number of ECMA-48); as it is if nobody would see it.
    pub fn coloured(&self, text: &str, colour: u8) -> String {
        if self.colours { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// A line or more on standard output. A reader that went away is no reason to complain.
    pub fn say(&mut self, text: &str) {
        let _ = writeln!(self.out, "{text}");
        let _ = self.out.flush();
    }

    /// The bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        let _ = self.out.write_all(bytes);
        let _ = self.out.flush();
    }

    /// A line or more on standard error.
    pub fn warn(&mut self, text: &str) {
        let _ = writeln!(self.err, "{text}");
        let _ = self.err.flush();
    }

    /// All of standard input; it can be asked for once.
    ///
    /// # Errors
    /// If it has been read before, is not UTF-8, or cannot be read.
    pub fn input(&mut self) -> Result<Zeroizing<String>, String> {
        let mut input = self.input.take().ok_or("standard input can be used only once")?;
        let mut text = Zeroizing::new(String::new());
        input.read_to_string(&mut text).map_err(|e| format!("standard input: {e}"))?;
        Ok(text)
    }

    /// Asks on the terminal without showing what is typed.
    ///
    /// # Errors
    /// Exit code 130 after Ctrl-C, as shells have it; 1 if there is no terminal.
    pub fn ask_hidden(&self, question: &str) -> Result<Zeroizing<String>, Failure> {
        hidden::ask(question).map_err(|error| match error {
            HiddenError::Interrupted => Failure::silent(INTERRUPTED),
            HiddenError::Io(cause) => Failure::local(format!(
                "cannot ask, there is no terminal ({cause}); give it as a word, or - to read standard input"
            )),
            other => Failure::local(other.to_string()),
        })
    }
}

/// 128 and the number of the signal that Ctrl-C stands for.
const INTERRUPTED: u8 = 130;
