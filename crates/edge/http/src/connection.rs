//! One connection from accept to close: PROXY header, handshake, requests, time limits, and the end a seal makes of it.
//!
//! The order at the end matters: the entry in [`crate::Connections`] goes last, when nothing of the connection is left
//! in memory, because the seal waits for it.

use crate::connections::Entry;
use crate::exchange::Exchange;
use crate::framing::Framing;
use crate::hold::Hold;
use crate::listener::Shared;
use crate::live::Live;
use crate::phase::{Phase, State};
use crate::proxy::{self, Introduction};
use crate::settings::Limits;
use crate::socket::Socket;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::{Sleep, sleep_until, timeout};

/// What a connection may take to hand over its last answer once it has been told to close.
const LAST_WORDS: Duration = Duration::from_millis(500);

pub(crate) async fn serve(socket: Socket, remote: Option<SocketAddr>, shared: Arc<Shared>, entry: Entry) {
    let state = Arc::clone(&entry.state);
    let live = shared.live();
    // Boxed so that it can be dropped, with all its buffers, before the end of this function.
    Box::pin(run_raw(socket, remote, &live, &shared, &state)).await;
    let rescued = state.rescued.lock().take();
    if let Some((mut socket, bytes)) = rescued {
        let send = async {
            let _ = socket.write_all(&bytes).await;
            let _ = socket.shutdown().await;
        };
        let _ = timeout(LAST_WORDS, send).await;
    }
    drop(entry);
}

async fn run_raw(socket: Socket, remote: Option<SocketAddr>, live: &Live, shared: &Arc<Shared>, state: &Arc<State>) {
    let mut socket = socket;
    let Some(client) = introduce(&mut socket, remote, live, state).await else { return };
    let io = Hold::new(socket, client.ahead, Arc::clone(state));
    match live.tls.as_ref() {
        None => run(io, client.remote, Vec::new(), live, shared, state).await,
        Some(tls) => run_tls(io, client.remote, tls.acceptor(), live, shared, state).await,
    }
}

/// Who is at the other end. `None` = nobody we talk to.
async fn introduce(
    socket: &mut Socket,
    remote: Option<SocketAddr>,
    live: &Live,
    state: &State,
) -> Option<Introduction> {
    let Some(trust) = &live.settings.proxy else { return Some(Introduction { remote, ahead: Vec::new() }) };
    let header = timeout(live.settings.limits.read_header, proxy::introduce(socket, remote, trust));
    tokio::select! {
        done = header => match done {
            Ok(Ok(client)) => {
                // The time for what comes next begins now.
                state.enter(Phase::Head);
                Some(client)
            }
            Ok(Err(error)) => {
                tracing::debug!(%error, peer = ?remote, "no connection");
                None
            }
            Err(_) => {
                tracing::debug!(peer = ?remote, "the PROXY header took too long");
                None
            }
        },
        () = closed(state) => None,
    }
}

async fn run_tls(
    io: Hold,
    remote: Option<SocketAddr>,
    acceptor: tokio_rustls::TlsAcceptor,
    live: &Live,
    shared: &Arc<Shared>,
    state: &Arc<State>,
) {
    let handshake = timeout(live.settings.limits.handshake, acceptor.accept(io));
    let stream = tokio::select! {
        done = handshake => match done {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return tracing::debug!(%error, "TLS handshake failed"),
            Err(_) => return tracing::debug!("TLS handshake took too long"),
        },
        () = closed(state) => return,
    };
    let session = stream.get_ref().1;
    let chain = session.peer_certificates().unwrap_or_default().iter().map(|c| c.to_vec()).collect();
    if session.alpn_protocol() == Some(b"h2") {
        state.multiplexed.store(true, std::sync::atomic::Ordering::Relaxed);
        state.enter(Phase::Idle);
    } else {
        state.enter(Phase::Head);
    }
    run(stream, remote, chain, live, shared, state).await;
}

/// Ready once the connection is to close.
fn closed(state: &State) -> impl Future<Output = ()> {
    poll_fn(|cx| {
        state.wake_me(cx.waker());
        if state.is_closing() { Poll::Ready(()) } else { Poll::Pending }
    })
}

async fn run<IO: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
    io: IO,
    remote: Option<SocketAddr>,
    certificates: Vec<Vec<u8>>,
    live: &Live,
    shared: &Arc<Shared>,
    state: &Arc<State>,
) {
    let exchange = Exchange::new(Arc::clone(shared), Arc::clone(state), remote, certificates);
    let mut connection = pin!(live.builder.serve_connection(TokioIo::new(Framing::new(io)), exchange));
    let mut supervisor = Supervisor::new(Arc::clone(state), live.settings.limits);
    poll_fn(|cx| {
        state.wake_me(cx.waker());
        if let Poll::Ready(result) = connection.as_mut().poll(cx) {
            if let Err(error) = result {
                tracing::debug!(error = %error, "connection ended");
            }
            return Poll::Ready(());
        }
        if supervisor.begins_to_close() {
            connection.as_mut().graceful_shutdown();
            // What was told to close may have nothing left to say.
            cx.waker().wake_by_ref();
        }
        supervisor.poll_end(cx)
    })
    .await;
}

/// Decides when a connection has to end although hyper would go on.
struct Supervisor {
    state: Arc<State>,
    limits: Limits,
    timer: Pin<Box<Sleep>>,
    armed: Instant,
    told: bool,
    /// A request was running after the connection had been told to close.
    ran: bool,
    /// When the last running request of a closing connection was answered.
    silent_since: Option<Instant>,
}

impl Supervisor {
    fn new(state: Arc<State>, limits: Limits) -> Self {
        let armed = Instant::now() + limits.read_header;
        Self {
            timer: Box::pin(sleep_until(armed.into())),
            armed,
            state,
            limits,
            told: false,
            ran: false,
            silent_since: None,
        }
    }

    /// Once: the connection is to close, and hyper has to be told.
    fn begins_to_close(&mut self) -> bool {
        let closing = self.state.is_closing() || self.state.hold.load(std::sync::atomic::Ordering::Acquire);
        closing && !std::mem::replace(&mut self.told, true)
    }

    /// Ready when the connection must be dropped.
    fn poll_end(&mut self, cx: &mut std::task::Context<'_>) -> Poll<()> {
        loop {
            let Some(deadline) = self.deadline() else { return Poll::Ready(()) };
            // Timers are only moved to an earlier time; a later one is found out when the timer fires, so that an
            // ordinary request never touches the timer.
            if deadline < self.armed {
                self.arm(deadline);
            }
            if self.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            let now = Instant::now();
            let Some(deadline) = self.deadline().filter(|d| *d > now) else { return Poll::Ready(()) };
            self.arm(deadline);
        }
    }

    fn arm(&mut self, at: Instant) {
        self.armed = at;
        self.timer.as_mut().reset(at.into());
    }

    /// `None` = now.
    fn deadline(&mut self) -> Option<Instant> {
        if self.told {
            if self.state.is_running() {
                self.ran = true;
                return Some(Instant::now() + self.limits.idle);
            }
            let is_held = self.state.hold.load(std::sync::atomic::Ordering::Acquire);
            // Neither idle connections nor half-sent requests are owed an answer.
            if !self.ran && !is_held && self.state.phase() != Phase::Stalled {
                return None;
            }
            let since = *self.silent_since.get_or_insert_with(Instant::now);
            return Some(since + LAST_WORDS);
        }
        let limit = match self.state.phase() {
            Phase::Idle | Phase::Stalled => self.limits.idle,
            Phase::Head => self.limits.read_header,
            // The body has its own limit, the answer is core's to give; look again later.
            Phase::Busy => return Some(Instant::now() + self.limits.idle),
        };
        Some(self.state.since() + limit)
    }
}

/// hyper with our limits; made once per listener and configuration.
pub(crate) fn builder(limits: &Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // The supervisor does it, without a timer per request.
        .header_read_timeout(None)
        .keep_alive(true)
        .max_headers(limits.header_count)
        .max_buf_size(limits.header_size.max(8192));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(u32::try_from(limits.header_size).unwrap_or(u32::MAX))
        .initial_stream_window_size(256 << 10)
        .initial_connection_window_size(1 << 20)
        .max_frame_size(16 << 10)
        .max_send_buf_size(256 << 10);
    builder
}
