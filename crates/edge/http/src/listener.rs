//! An open listener: the accept loop, and what its connections share.

use crate::connection;
use crate::connections::Connections;
use crate::error::ListenError;
use crate::live::Live;
use crate::places::Places;
use crate::service::Service;
use crate::settings::{Address, Settings};
use crate::socket::Acceptor;
use arc_swap::ArcSwap;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// After a failed accept (out of file descriptors, most likely); trying again at once would only burn the CPU.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What all connections of a listener use.
pub(crate) struct Shared {
    live: ArcSwap<Live>,
    pub(crate) service: Arc<dyn Service>,
    places: Places,
}

impl Shared {
    pub(crate) fn live(&self) -> Arc<Live> {
        self.live.load_full()
    }
}

/// Bound to its address, not yet accepting.
pub struct Listener {
    acceptor: Acceptor,
    live: Live,
}

impl Listener {
    /// # Errors
    /// The address is taken or may not be used, or certificate and key cannot be read.
    pub async fn open(settings: Settings) -> Result<Self, ListenError> {
        let live = Live::new(settings)?;
        Ok(Self { acceptor: Acceptor::open(&live.settings.address).await?, live })
    }

    /// Where it listens in fact: the port, if the configuration said 0.
    pub fn address(&self) -> String {
        self.acceptor.local_address()
    }

    /// Begins to accept. All listeners of a server share `connections`, so that a seal closes those of all.
    pub fn serve(self, service: Arc<dyn Service>, connections: Arc<Connections>) -> Running {
        let places = Places::new(self.live.settings.limits.connections);
        let shared = Arc::new(Shared { live: ArcSwap::from_pointee(self.live), service, places });
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
    /// As configured at present.
    pub fn settings(&self) -> Settings {
        self.shared.live().settings.clone()
    }

    /// Takes over new settings, and reads certificate and key again: limits of requests, headers and whom to believe for
    /// the next request, of connections and TLS for the next connection. The address stays, and whether there is TLS at
    /// all. What is left as it was is named.
    ///
    /// # Errors
    /// The certificate or key cannot be used; all that was in force stays so.
    pub fn reload(&self, mut settings: Settings) -> Result<Vec<&'static str>, ListenError> {
        let old = self.shared.live();
        let mut stays = Vec::new();
        if settings.address != old.settings.address {
            stays.push(if matches!(settings.address, Address::Tcp(_)) {
                "address"
            } else {
                "the socket and its owner"
            });
            settings.address = old.settings.address.clone();
        }
        if settings.tls.is_some() != old.settings.tls.is_some() {
            stays.push("tls_disable");
            settings.tls.clone_from(&old.settings.tls);
        }
        let new = old.renewed(settings)?;
        self.shared.places.resize(new.settings.limits.connections);
        self.shared.live.store(Arc::new(new));
        Ok(stays)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn is_of_one_client(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted)
}

async fn accept(acceptor: Acceptor, shared: Arc<Shared>, connections: Arc<Connections>) {
    loop {
        // Beyond the limit clients wait in the kernel's queue, where they cost us nothing.
        let Some(place) = shared.places.take().await else { return };
        match acceptor.accept().await {
            Ok((socket, remote)) => {
                let (shared, entry) = (Arc::clone(&shared), connections.enter());
                tokio::spawn(async move {
                    connection::serve(socket, remote, shared, entry).await;
                    drop(place);
                });
            }
            // Whatever it is, it concerns one client; the loop never ends by it (CVE-2024-6468). Those who go away before
            // they are accepted do not keep others waiting either.
            Err(error) if is_of_one_client(error.kind()) => tracing::debug!(%error, "gone before it was accepted"),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
