//! An HTTP connection of the scan API or of the admin listener: the deadlines that hyper leaves to its caller.
//!
//! | what the peer does | what ends it |
//! |---|---|
//! | sends no head, or drips one, or idles | `timeouts.head-ms` |
//! | does not read its answer | `timeouts.write-stall-ms` |
//! | stays | `server.connection-seconds`, `server.requests-per-connection` |

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use crate::config::Config;

use super::driver::jittered;

/// How long a connection and its states may last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    head: Duration,
    write_stall: Duration,
    age: Option<Duration>,
    requests: u64,
}

impl Terms {
    /// Those of `config`.
    pub(super) fn of(config: &Config) -> Self {
        Self {
            head: config.deadlines.head,
            write_stall: config.deadlines.write_stall,
            age: config.connection_age.map(jittered),
            requests: config.protocol.requests,
        }
    }
}

/// Carries one connection to its end; after `draining` its next answer is its last.
pub(super) async fn carry<S, A, F, B>(
    stream: S,
    answer: A,
    terms: Terms,
    draining: impl Future<Output = ()>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
    A: Fn(Request<Incoming>) -> F,
    F: Future<Output = Response<B>>,
    B: Body<Data = Bytes> + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let asked = AtomicU64::new(0);
    let service = service_fn(|request| {
        let is_last = asked.fetch_add(1, Ordering::Relaxed) + 1 >= terms.requests;
        let answer = answer(request);
        async move {
            let mut answer = answer.await;
            if is_last {
                let close = HeaderValue::from_static("close");
                answer.headers_mut().insert(CONNECTION, close);
            }
            Ok::<_, Infallible>(answer)
        }
    });
    let stream = Stalling {
        stream,
        time: terms.write_stall,
        stalled: None,
    };
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(terms.head)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let retired = async {
        match terms.age {
            Some(age) => tokio::time::sleep(age).await,
            None => std::future::pending().await,
        }
    };
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = draining => last(connection).await,
        () = retired => last(connection).await,
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "an HTTP connection ended");
    }
}

/// Finishes what is under way.
async fn last<T, S, B>(mut connection: Pin<&mut http1::Connection<T, S>>) -> hyper::Result<()>
where
    http1::Connection<T, S>: Future<Output = hyper::Result<()>>,
    T: hyper::rt::Read + hyper::rt::Write + Unpin,
    S: hyper::service::HttpService<Incoming, ResBody = B>,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    connection.as_mut().graceful_shutdown();
    connection.await
}

/// A stream whose peer has to take our bytes: hyper would wait for ever for one that does not, and with it the connection
/// would be held that others need.
struct Stalling<S> {
    stream: S,
    time: Duration,
    /// Ends when the peer has taken nothing for that time.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> Stalling<S> {
    fn watched<T>(
        &mut self,
        context: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.stalled = None;
            return polled;
        }
        let time = self.time;
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(time)));
        stalled
            .as_mut()
            .poll(context)
            .map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stalling<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stalling<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watched(context, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.watched(context, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(context);
        self.watched(context, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_shutdown(context);
        self.watched(context, polled)
    }
}

/// Largest head of a call; that of the ICAP head has its own limit.
const HEAD_BYTES: usize = 64 << 10;
