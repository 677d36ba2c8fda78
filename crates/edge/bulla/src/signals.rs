//! Signals as a stream of wishes.

use tokio::signal::unix::{Signal, SignalKind, signal};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// SIGTERM, SIGINT: seal and end.
    Stop,
    /// SIGHUP: settings of listeners, certificates, log level and audit files are read anew.
    Reload,
    /// SIGUSR1, SIGUSR2: other servers tell what they are doing. Left alone they would end this one, unsealed as it is.
    Nothing,
}

pub struct Signals {
    term: Signal,
    int: Signal,
    hup: Signal,
    users: [Signal; 2],
}

impl Signals {
    /// # Errors
    /// The system refuses handlers.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            hup: signal(SignalKind::hangup())?,
            users: [signal(SignalKind::user_defined1())?, signal(SignalKind::user_defined2())?],
        })
    }

    pub async fn next(&mut self) -> Wish {
        let [one, two] = &mut self.users;
        tokio::select! {
            _ = self.term.recv() => Wish::Stop,
            _ = self.int.recv() => Wish::Stop,
            _ = self.hup.recv() => Wish::Reload,
            _ = one.recv() => Wish::Nothing,
            _ = two.recv() => Wish::Nothing,
        }
    }
}
