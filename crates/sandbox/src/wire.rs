//! Connections that the fault plan can spoil: one is cut, and the client sees no byte of an answer; another one drips from its
//! first byte on.

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Sleep, sleep};

/// The handle by which a request spoils its own connection.
#[derive(Clone, Default)]
pub(crate) struct Wire(Arc<Spoilt>);

#[derive(Default)]
struct Spoilt {
    is_cut: AtomicBool,
    byte_ms: AtomicU64,
}

impl Wire {
    /// Nothing is written to this connection from now on: the next answer closes it.
    pub(crate) fn cut(&self) {
        self.0.is_cut.store(true, Ordering::SeqCst);
    }

    /// From now on a byte leaves every so many ms; 0: all of them as fast as they can.
    pub(crate) fn drip(&self, byte_ms: u64) {
        self.0.byte_ms.store(byte_ms, Ordering::SeqCst);
    }
}

/// A TCP connection that refuses to write once it is cut, and writes byte by byte while it drips.
pub(crate) struct Cuttable {
    stream: TcpStream,
    wire: Wire,
    wait: Option<Pin<Box<Sleep>>>,
}

impl Cuttable {
    fn check(&self) -> io::Result<()> {
        if self.wire.0.is_cut.load(Ordering::SeqCst) { Err(io::Error::other("cut by the fault plan")) } else { Ok(()) }
    }

    /// How many bytes may leave now; waits for the turn of the next one where they drip.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        let byte_ms = self.wire.0.byte_ms.load(Ordering::SeqCst);
        if byte_ms == 0 {
            return Poll::Ready(usize::MAX);
        }
        let wait = self.wait.get_or_insert_with(|| Box::pin(sleep(Duration::from_millis(byte_ms))));
        ready!(wait.as_mut().poll(cx));
        self.wait = None;
        Poll::Ready(1)
    }
}

impl AsyncRead for Cuttable {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Cuttable {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check()?;
        let most = ready!(self.poll_turn(cx)).min(bytes.len());
        Pin::new(&mut self.stream).poll_write(cx, &bytes[..most])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        match ready!(self.poll_turn(cx)) {
            1 => {
                let bytes: &[u8] = slices.iter().find(|slice| !slice.is_empty()).map_or(&[], |slice| &slice[..]);
                let first = &bytes[..bytes.len().min(1)];
                Pin::new(&mut self.stream).poll_write(cx, first)
            }
            _ => Pin::new(&mut self.stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A listener whose connections can be cut.
pub(crate) struct CuttableListener(pub TcpListener);

impl Listener for CuttableListener {
    type Io = Cuttable;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Cuttable, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(error = %error, "the connection keeps Nagle's algorithm");
        }
        (Cuttable { stream, wire: Wire::default(), wait: None }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl Connected<IncomingStream<'_, CuttableListener>> for Wire {
    fn connect_info(stream: IncomingStream<'_, CuttableListener>) -> Self {
        stream.io().wire.clone()
    }
}
