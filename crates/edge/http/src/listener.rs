//! An open listener: the accept loop, and what its connections share.

use crate::body::Budget;
use crate::connection;
use crate::connections::Connections;
use crate::encode::AnswerHeaders;
use crate::error::ListenError;
use crate::service::Service;
use crate::settings::Settings;
use crate::socket::Acceptor;
use crate::tls::Tls;
use hyper_util::rt::TokioExecutor;
use hyper_util::server::conn::auto::Builder;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// After a failed accept (out of file descriptors, most likely); trying again at once would only burn the CPU.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What all connections of a listener use.
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) service: Arc<dyn Service>,
    pub(crate) tls: Option<Tls>,
    pub(crate) builder: Builder<TokioExecutor>,
    pub(crate) headers: AnswerHeaders,
    pub(crate) budget: Budget,
}

/// Bound to its address, not yet accepting.
pub struct Listener {
    acceptor: Acceptor,
    tls: Option<Tls>,
    settings: Settings,
}

impl Listener {
    /// # Errors
    /// The address is taken or may not be used, or certificate and key cannot be read.
    pub async fn open(settings: Settings) -> Result<Self, ListenError> {
        let tls = settings.tls.as_ref().map(Tls::load).transpose()?;
        Ok(Self { acceptor: Acceptor::open(&settings.address).await?, tls, settings })
    }

    /// Where it listens in fact: the port, if the configuration said 0.
    pub fn address(&self) -> String {
        self.acceptor.local_address()
    }

    /// Begins to accept. All listeners of a server share `connections`, so that a seal closes those of all.
    pub fn serve(self, service: Arc<dyn Service>, connections: Arc<Connections>) -> Running {
        let shared = Arc::new(Shared {
            builder: connection::builder(&self.settings.limits),
            headers: AnswerHeaders::new(&self.settings.custom_headers),
            budget: Budget::new(self.settings.limits.bodies_in_flight),
            settings: self.settings,
            service,
            tls: self.tls,
        });
        let task = tokio::spawn(accept(self.acceptor, Arc::clone(&shared), connections));
        Running { task, shared }
    }
}

/// A listener at work. Dropping it stops accepting; open connections go on.
pub struct Running {
    task: JoinHandle<()>,
    shared: Arc<Shared>,
}

impl Running {
    /// Reads certificate and key again; open connections keep the old ones.
    ///
    /// # Errors
    /// The files cannot be used; the old ones stay in force.
    pub fn reload_tls(&self) -> Result<(), ListenError> {
        self.shared.tls.as_ref().map_or(Ok(()), Tls::reload)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(acceptor: Acceptor, shared: Arc<Shared>, connections: Arc<Connections>) {
    let places = Arc::new(Semaphore::new(shared.settings.limits.connections));
    loop {
        // Beyond the limit clients wait in the kernel's queue, where they cost us nothing.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match acceptor.accept().await {
            Ok((socket, remote)) => {
                let (shared, entry) = (Arc::clone(&shared), connections.enter());
                tokio::spawn(async move {
                    connection::serve(socket, remote, shared, entry).await;
                    drop(place);
                });
            }
            // Whatever it is, it concerns one client; the loop never ends by it (CVE-2024-6468).
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
