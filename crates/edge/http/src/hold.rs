//! The lowest layer above a socket: notices what the connection is doing and can hold back what is written.
//!
//! Holding back is how a seal keeps its promise on its own connection: the answer is encoded (and encrypted) into
//! memory, then everything above is dropped and erased (buffers of hyper and TLS hold the token that sealed), and
//! only then the bytes go out.

use crate::phase::{Phase, State};
use crate::socket::Socket;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// First bytes of HTTP/2 without TLS (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2";

pub(crate) struct Hold {
    /// Present until dropped.
    socket: Option<Socket>,
    /// Already taken from the socket and not yet handed on.
    ahead: Vec<u8>,
    held: Vec<u8>,
    state: Arc<State>,
    /// Nothing has been read yet.
    fresh: bool,
}

impl Hold {
    /// `ahead` was read from the socket before and comes first.
    pub(crate) fn new(socket: Socket, ahead: Vec<u8>, state: Arc<State>) -> Self {
        Self { socket: Some(socket), ahead, held: Vec::new(), state, fresh: true }
    }

    fn socket(&mut self) -> io::Result<Pin<&mut Socket>> {
        self.socket.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    fn is_held(&self) -> bool {
        self.state.hold.load(Ordering::Acquire)
    }

    fn note_read(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if std::mem::take(&mut self.fresh) && bytes.starts_with(PREFACE) {
            self.state.multiplexed.store(true, Ordering::Relaxed);
            self.state.enter(Phase::Idle);
        }
        if self.state.phase() == Phase::Idle && !self.state.multiplexed.load(Ordering::Relaxed) {
            self.state.enter(Phase::Head);
        }
    }

    fn note_write(&self, result: &Poll<io::Result<usize>>) {
        match (result, self.state.phase()) {
            (Poll::Pending, phase) if phase != Phase::Stalled => self.state.enter(Phase::Stalled),
            (Poll::Ready(_), Phase::Stalled) => {
                self.state.enter(if self.state.is_running() { Phase::Busy } else { Phase::Idle });
            }
            _ => {}
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if self.is_held()
            && let Some(socket) = self.socket.take()
        {
            *self.state.rescued.lock() = Some((socket, std::mem::take(&mut self.held)));
        }
    }
}

impl AsyncRead for Hold {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        if !self.ahead.is_empty() && buf.remaining() > 0 {
            let size = self.ahead.len().min(buf.remaining());
            buf.put_slice(&self.ahead[..size]);
            self.ahead.drain(..size);
            self.note_read(&buf.filled()[before..]);
            return Poll::Ready(Ok(()));
        }
        let result = self.socket()?.poll_read(cx, buf);
        self.note_read(&buf.filled()[before..]);
        result
    }
}

impl AsyncWrite for Hold {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_held() {
            self.held.extend_from_slice(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        let result = self.socket()?.poll_write(cx, bytes);
        self.note_write(&result);
        result
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_held() {
            return Poll::Ready(Ok(()));
        }
        let result = self.socket()?.poll_flush(cx);
        if matches!(result, Poll::Ready(Ok(()))) {
            self.state.flushed();
        }
        result
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_held() { Poll::Ready(Ok(())) } else { self.socket()?.poll_shutdown(cx) }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.is_held() {
            bufs.iter().for_each(|b| self.held.extend_from_slice(b));
            return Poll::Ready(Ok(bufs.iter().map(|b| b.len()).sum()));
        }
        let result = self.socket()?.poll_write_vectored(cx, bufs);
        self.note_write(&result);
        result
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}
