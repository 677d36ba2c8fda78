//! Standard input, output and error, replaceable in tests.

use std::io::{self, IsTerminal, Read, Write};

use zeroize::Zeroizing;

use crate::{
    failure::Failure,
    hidden::{self, HiddenError},
    output, standard_output,
};

/// The three streams of a command.
pub struct Ui {
    out: Box<dyn Write>,
    err: Box<dyn Write>,
    input: Option<Box<dyn Read>>,
    /// Why standard output no longer takes anything.
    lost: Option<io::Error>,
    /// What is said exists nowhere else: see [`Ui::once_only`].
    once: bool,
    /// Whether standard input was closed when the process began.
    no_input: fn() -> bool,
    /// Whether standard output would take something now.
    check: fn() -> io::Result<()>,
    /// Standard output is a person's terminal.
    pub out_is_terminal: bool,
    err_is_terminal: bool,
    /// It is one that shows colours, and its owner has not asked for none (`NO_COLOR`).
    colours: bool,
}

impl Ui {
    pub fn of_process() -> Self {
        let terminal = io::stdout().is_terminal();
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_none_or(|kind| kind.is_empty() || kind == "dumb");
        Self {
            out: Box::new(io::stdout()),
            err: Box::new(io::stderr()),
            input: Some(Box::new(io::stdin())),
            lost: None,
            once: false,
            no_input: || standard_output::may_be_closed(io::stdin()).unwrap_or_default(),
            check: || standard_output::check(io::stdout()),
            out_is_terminal: terminal,
            err_is_terminal: io::stderr().is_terminal(),
            colours: terminal && !dumb && !is_set("NO_COLOR"),
        }
    }

    #[cfg(test)]
    pub fn of_test(out: Box<dyn Write>, err: Box<dyn Write>, input: Box<dyn Read>) -> Self {
        Self {
            out,
            err,
            input: Some(input),
            lost: None,
            once: false,
            no_input: || false,
            check: || Ok(()),
            out_is_terminal: false,
            err_is_terminal: false,
            colours: false,
        }
    }

    /// The text in a colour of the terminal (a number of ECMA-48); as it is if nobody would see it.
    pub fn coloured(&self, text: &str, colour: u8) -> String {
        if self.colours { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// From here on this command says what the server will not say again (shares, tokens, wrapped answers). Where
    /// standard output fails, all of it goes to standard error instead.
    pub const fn once_only(&mut self) {
        self.once = true;
    }

    /// Like [`Ui::once_only`], for answers whose loss costs a server or a key: asked before the request is sent.
    ///
    /// # Errors
    /// If standard output would not take the answer.
    pub fn must_arrive(&mut self) -> Result<(), Failure> {
        self.once_only();
        (self.check)().map_err(|cause| {
            Failure::local(format!(
                "Nothing was sent: standard output cannot take the answer, which is shown only once ({cause})"
            ))
        })
    }

    /// A line or more on standard output. That it could not be written shows when the command [ends](Self::ended).
    pub fn say(&mut self, text: &str) {
        let shown = if self.out_is_terminal { output::harmless(text) } else { text.into() };
        self.say_coloured(&shown);
    }

    /// Like [`Ui::say`], for text with colours in it; what it says must be this machine's own.
    pub fn say_coloured(&mut self, text: &str) {
        let written = writeln!(self.out, "{text}").and_then(|()| self.out.flush());
        self.after(written, text.as_bytes());
    }

    /// The bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        let written = self.out.write_all(bytes).and_then(|()| self.out.flush());
        self.after(written, bytes);
    }

    fn after(&mut self, written: io::Result<()>, what: &[u8]) {
        let Err(cause) = written else { return };
        if self.once {
            if self.lost.is_none() {
                self.warn(&format!("Cannot write to standard output ({cause}). What follows is shown only once:"));
            }
            let rescued = self.err.write_all(what).and_then(|()| self.err.write_all(b"\n"));
            if rescued.and_then(|()| self.err.flush()).is_err() {
                to_terminal(what);
            }
        }
        self.lost.get_or_insert(cause);
    }

    /// The exit code of a command that would end with `code`: success is none if its output did not arrive. A reader
    /// that went away (`| head`) has seen what it wanted, unless it was the only chance to see it.
    pub fn ended(&mut self, code: u8) -> u8 {
        match self.lost.take() {
            None => code,
            Some(cause) if cause.kind() == io::ErrorKind::BrokenPipe && !self.once => code,
            Some(cause) => {
                if !self.once {
                    self.warn(&format!("Cannot write to standard output: {cause}"));
                }
                code.max(1)
            }
        }
    }

    /// A line or more on standard error.
    pub fn warn(&mut self, text: &str) {
        let shown = if self.err_is_terminal { output::harmless(text) } else { text.into() };
        let _ = writeln!(self.err, "{shown}");
        let _ = self.err.flush();
    }

    /// All of standard input; it can be asked for once.
    ///
    /// # Errors
    /// If it has been read before, is not UTF-8, or cannot be read.
    pub fn input(&mut self) -> Result<Zeroizing<String>, String> {
        if (self.no_input)() {
            return Err("standard input is closed, or leads to /dev/null".to_owned());
        }
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

/// The last place where somebody may see it: both streams are gone.
fn to_terminal(what: &[u8]) {
    if let Ok(mut terminal) = std::fs::OpenOptions::new().write(true).open("/dev/tty") {
        let _ = terminal.write_all(what).and_then(|()| terminal.write_all(b"\n"));
    }
}

/// 128 and the number of the signal that Ctrl-C stands for.
const INTERRUPTED: u8 = 130;
