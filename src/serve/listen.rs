//! Sockets: how many connections there are, how long a client may take, and how the server ends.

use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep, sleep_until, timeout};

use super::metrics::Metrics;
use crate::engine::CancelFlag;

/// Connections at once, fewer than the files that systems let a process have.
const CONNECTIONS: usize = 900;
/// Further ones that wait to be accepted.
const WAITING: u32 = 1024;
/// How long a client may take to send the head of a request.
const HEAD: Duration = Duration::from_secs(30);
/// How long it may take nothing of an answer.
const WRITE: Duration = Duration::from_secs(60);
/// How often it is looked whether the server is to end.
const PULSE: Duration = Duration::from_millis(250);
/// How long answers that are on their way may then take.
const GRACE: Duration = Duration::from_secs(5);

/// Listens on an address.
pub(super) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A server that is started again need not wait for the connections of the one before.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(WAITING)
}

/// Takes connections until the flag is raised, then lets answers that are on their way come to their end.
pub(super) async fn listen(listener: TcpListener, router: Router, stop: CancelFlag, metrics: &Metrics) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut place = None;
    while !stop.is_cancelled() {
        metrics.connections(CONNECTIONS - places.available_permits());
        if place.is_none() {
            place = timeout(PULSE, Arc::clone(&places).acquire_owned()).await.ok().and_then(Result::ok);
            continue;
        }
        match timeout(PULSE, listener.accept()).await {
            Err(_) => {}
            Ok(Ok((stream, _))) => {
                if let Some(place) = place.take() {
                    tokio::spawn(connection(stream, router.clone(), stop.clone(), place));
                }
            }
            // The system has no file for it, or the client has left already.
            Ok(Err(_)) => sleep(PULSE).await,
        }
    }
    drop((listener, place));
    let _ = timeout(GRACE, places.acquire_many(CONNECTIONS as u32)).await;
}

async fn connection(stream: TcpStream, router: Router, stop: CancelFlag, _place: OwnedSemaphorePermit) {
    let _ = stream.set_nodelay(true);
    let io = TokioIo::new(Impatient { stream, waiting: None });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(io, TowerToHyperService::new(router));
    let mut served = pin!(served);
    while timeout(PULSE, served.as_mut()).await.is_err() {
        if stop.is_cancelled() {
            served.as_mut().graceful_shutdown();
        }
    }
}

/// A stream that ends where its client takes nothing for too long.
struct Impatient {
    stream: TcpStream,
    /// Until when it is waited, where it is waited.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Impatient {
    fn patient<T>(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.waiting = None;
            return polled;
        }
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + WRITE)));
        ready!(waiting.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Impatient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl AsyncWrite for Impatient {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.patient(cx, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.patient(cx, polled)
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
