//! A line typed at the terminal that is not shown. Whatever ends or suspends it (Enter, Ctrl-C, Ctrl-Z, a signal, an
//! error), the terminal is as it was.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    sync::{Mutex, OnceLock, PoisonError, mpsc},
    thread,
};

use rustix::{
    process::{Signal, getpid, kill_process},
    termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr},
};
use tokio::signal::unix::{SignalKind, signal};
use zeroize::{Zeroize, Zeroizing};

/// More than any share, token or password; what is longer was pasted by mistake.
const LONGEST: usize = 16 * 1024;

/// Why there is no line.
#[derive(Debug, thiserror::Error)]
pub enum HiddenError {
    /// Ctrl-C
    #[error("interrupted")]
    Interrupted,
    /// Ctrl-D with nothing typed, or the terminal went away.
    #[error("nothing was typed")]
    Nothing,
    #[error("more than {LONGEST} bytes were typed")]
    TooLong,
    #[error("what was typed is not UTF-8")]
    NotText,
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Asks on the terminal that controls this process, wherever the standard streams lead.
///
/// # Errors
/// [`HiddenError`]; [`HiddenError::Io`] if there is no terminal.
pub fn ask(question: &str) -> Result<Zeroizing<String>, HiddenError> {
    let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
    restore_on_signals()?;
    let muted = Muted::new(&terminal, OptionalActions::Flush)?;
    let mut screen = &terminal;
    screen.write_all(question.as_bytes())?;
    let line = line(&terminal, || {
        restore();
        kill_process(getpid(), Signal::TSTP)?;
        // Here the process stands still until it is continued. The keys that wait were typed for this question.
        std::mem::forget(Muted::new(&terminal, OptionalActions::Now)?);
        screen.write_all(format!("\n{question}").as_bytes())
    });
    drop(muted);
    screen.write_all(b"\n")?;
    let bytes = line?;
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(HiddenError::NotText),
    }
}

/// The terminal that shows nothing at present, and how it was before.
static MUTED: Mutex<Option<(File, Termios)>> = Mutex::new(None);

/// A terminal that shows nothing and hands over every key, until this is dropped.
struct Muted;

impl Muted {
    fn new(terminal: &File, typed_so_far: OptionalActions) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut modes = before.clone();
        // Ctrl-C comes as a key: a signal would end the process before it can give the terminal back.
        modes.local_modes &= !(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG);
        *MUTED.lock().unwrap_or_else(PoisonError::into_inner) = Some((terminal.try_clone()?, before));
        tcsetattr(terminal, typed_so_far, &modes)?;
        Ok(Self)
    }
}

impl Drop for Muted {
    fn drop(&mut self) {
        restore();
    }
}

fn restore() {
    if let Some((terminal, before)) = MUTED.lock().unwrap_or_else(PoisonError::into_inner).take() {
        let _ = tcsetattr(terminal, OptionalActions::Now, &before);
    }
}

/// From the first question on, signals that end the process do so after the terminal is as it was.
fn restore_on_signals() -> io::Result<()> {
    static WATCHED: OnceLock<()> = OnceLock::new();
    if WATCHED.get().is_some() {
        return Ok(());
    }
    let (tell, ready) = mpsc::channel();
    thread::Builder::new().name("terminal".to_owned()).spawn(move || match end_signal(&tell) {
        Ok(number) => {
            restore();
            std::process::exit(128 + number);
        }
        Err(cause) => drop(tell.send(Err(cause))),
    })?;
    ready.recv().map_err(io::Error::other)??;
    let _ = WATCHED.set(());
    Ok(())
}

/// Waits for a signal that ends the process; says when it is waiting.
fn end_signal(waiting: &mpsc::Sender<io::Result<()>>) -> io::Result<i32> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut hangup = signal(SignalKind::hangup())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut quit = signal(SignalKind::quit())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let _ = waiting.send(Ok(()));
        Ok(tokio::select! {
            _ = hangup.recv() => SignalKind::hangup().as_raw_value(),
            _ = interrupt.recv() => SignalKind::interrupt().as_raw_value(),
            _ = quit.recv() => SignalKind::quit().as_raw_value(),
            _ = terminate.recv() => SignalKind::terminate().as_raw_value(),
        })
    })
}

/// Reads keys up to Enter. The room is taken at once: a buffer that grows leaves copies behind.
fn line(mut keys: impl Read, mut suspend: impl FnMut() -> io::Result<()>) -> Result<Zeroizing<Vec<u8>>, HiddenError> {
    let mut typed = Zeroizing::new(Vec::with_capacity(LONGEST));
    let mut key = [0];
    loop {
        match keys.read(&mut key) {
            Ok(0) if typed.is_empty() => return Err(HiddenError::Nothing),
            Ok(0) => return Ok(typed),
            Ok(_) => {}
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
            Err(cause) => return Err(cause.into()),
        }
        match key[0] {
            b'\r' | b'\n' => return Ok(typed),
            CTRL_C | CTRL_BACKSLASH => return Err(HiddenError::Interrupted),
            CTRL_Z => suspend()?,
            CTRL_D if typed.is_empty() => return Err(HiddenError::Nothing),
            CTRL_D => return Ok(typed),
            CTRL_U => {
                typed.zeroize();
                typed.reserve_exact(LONGEST);
            }
            BACKSPACE | DELETE => rub_out(&mut typed),
            _ if typed.len() == LONGEST => return Err(HiddenError::TooLong),
            other => typed.push(other),
        }
        key.zeroize();
    }
}

/// Takes away the last character, which may be several bytes.
fn rub_out(typed: &mut Vec<u8>) {
    while let Some(last) = typed.pop() {
        if last & 0b1100_0000 != 0b1000_0000 {
            break;
        }
    }
}

const CTRL_C: u8 = 0x03;
const CTRL_D: u8 = 0x04;
const BACKSPACE: u8 = 0x08;
const CTRL_U: u8 = 0x15;
const CTRL_Z: u8 = 0x1a;
const CTRL_BACKSLASH: u8 = 0x1c;
const DELETE: u8 = 0x7f;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn typed(keys: &[u8]) -> Result<Vec<u8>, HiddenError> {
        line(keys, || Ok(())).map(|bytes| bytes.to_vec())
    }

    #[test]
    fn keys() {
        assert_eq!(typed(b"abc\rrest").unwrap(), b"abc");
        assert_eq!(typed(b"abd\x7fc\n").unwrap(), b"abc");
        assert_eq!(typed("a\u{fc}\x08b\r".as_bytes()).unwrap(), b"ab");
        assert_eq!(typed(b"wrong\x15right\r").unwrap(), b"right");
        assert_eq!(typed(b"\x7f\x7fa\x04").unwrap(), b"a");
        assert!(matches!(typed(b"abc\x03"), Err(HiddenError::Interrupted)));
        assert!(matches!(typed(b"\x04"), Err(HiddenError::Nothing)));
        assert!(matches!(typed(b""), Err(HiddenError::Nothing)));
        assert_eq!(typed(b"\r").unwrap(), b"");
        assert_eq!(typed(b"a\x1ab\r").unwrap(), b"ab", "Ctrl-Z is no part of it");
    }

    #[test]
    fn the_longest_line() {
        let most = [vec![b'a'; LONGEST], vec![b'\r']].concat();
        assert_eq!(typed(&most).unwrap().len(), LONGEST);
        let more = [vec![b'a'; LONGEST + 1], vec![b'\r']].concat();
        assert!(matches!(typed(&more), Err(HiddenError::TooLong)));
    }
}
