//! One connection: owns the socket, the deadlines and the stores; carries bytes and events between the socket, the
//! protocol (`icap::Connection`) and the transaction.
//!
//! ```text
//!   socket ─read─► Connection ─event─► Transaction ─action─► Connection ─► socket
//!                                          │  ▲
//!                                   stores ┘  └ pool
//! ```
//!
//! `advance` does everything that needs no socket; `exchange` waits for the socket, the clock or the server's end. While
//! a scan step is busy nothing is read, and other connections get their turn between two steps.

use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::net::IpAddr;
use std::panic::{self, AssertUnwindSafe};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::Sleep;

use crate::icap::{BodyEnding, Connection, Event, Phase, ProtocolError, Response, Status};
use crate::service::outcome::{Ending, Facts, Failure, Method, Outcome, Timing, TransactionId};
use crate::service::transaction::{Action, Copy, Source, Transaction};
use crate::wire::Fields;

use super::deadline::{Clock, Waiting};
use super::pool::PoolError;
use super::spool::Spool;
use super::{Shared, Stage};

/// Carries one connection from its first byte to its close. `draining` ends when the server is to stop.
pub(super) async fn serve<S>(
    stream: S,
    peer: Option<IpAddr>,
    shared: Arc<Shared>,
    draining: impl Future,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let snapshot = shared.snapshot.load_full();
    let config = &snapshot.config;
    let driver = Driver {
        connection: Connection::new(Arc::clone(&config.protocol), snapshot.house.istag),
        clock: Clock::new(config.deadlines, Instant::now()),
        drain_bytes: config.drain_bytes,
        scan_limits: ScanLimits {
            base: config.scan_time,
            per_mib: config.scan_time_per_mib,
        },
        stream,
        peer,
        current: None,
        server: Server::Running,
        pause: Pause::None,
        shared,
    };
    drop(snapshot);
    driver.run(draining).await;
}

struct Driver<S> {
    stream: S,
    shared: Arc<Shared>,
    connection: Connection,
    clock: Clock,
    peer: Option<IpAddr>,
    current: Option<Box<Current>>,
    server: Server,
    pause: Pause,
    drain_bytes: u64,
    scan_limits: ScanLimits,
}

/// How much processor time one message's inspection may take.
#[derive(Clone, Copy, Debug)]
struct ScanLimits {
    base: Duration,
    per_mib: Duration,
}

impl ScanLimits {
    fn of(self, bytes: u64) -> Duration {
        let mib = u32::try_from(bytes >> 20).unwrap_or(u32::MAX);
        self.base.saturating_add(self.per_mib.saturating_mul(mib))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Server {
    Running,
    Draining,
}

/// Why nothing is read although there is room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pause {
    None,
    /// The memory of all connections together is full: no new request is begun.
    Memory,
    /// The peer does not read what it asked for. After a while we read on all the same: it may be one that writes
    /// everything before it reads.
    Backlog(Instant),
}

/// The transaction that is being worked on.
struct Current {
    transaction: Transaction,
    original: Option<Spool>,
    edited: Option<Spool>,
    body: Body,
    began: Instant,
    answered: Option<Instant>,
    first_byte: Option<Instant>,
    bytes_out: u64,
    overflow: Overflow,
    steps: u32,
    scanned: Duration,
}

/// How far the answer's body is.
enum Body {
    /// No answer yet.
    Owed,
    /// It comes from a store; with trailers (or their absence) known, no more is added.
    Store(Copy, Option<Option<Fields>>),
    /// All of it was handed over.
    Complete,
}

/// Whether a body may go to the disk because the peer does not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Overflow {
    Wait,
    Disk,
}

/// What the wait for the socket brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exchange {
    Progress,
    EndOfInput,
    Gone,
    Timeout,
    Draining,
}

/// Whether there is more to do before the socket is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    More,
    Socket,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    async fn run(mut self, draining: impl Future) {
        let mut draining = pin!(draining);
        let mut timer = pin!(tokio::time::sleep(Duration::from_secs(1)));
        loop {
            self.advance().await;
            if self.connection.wants().close || self.server_is_over() {
                break;
            }
            match self.exchange(timer.as_mut(), draining.as_mut()).await {
                Exchange::Progress => {}
                Exchange::EndOfInput => self.connection.receive_eof(),
                Exchange::Gone => return self.gone(),
                Exchange::Timeout => {
                    if !self.timed_out() {
                        break;
                    }
                }
                Exchange::Draining => {
                    self.server = Server::Draining;
                    self.connection.close_after_response();
                }
            }
        }
        self.close_current(Instant::now());
        self.close().await;
    }

    fn server_is_over(&self) -> bool {
        self.server == Server::Draining
            && self.connection.phase() == Phase::Idle
            && !self.connection.wants().write
    }

    /// Everything that needs no socket.
    async fn advance(&mut self) {
        loop {
            if self.current.is_some() {
                while self.work().await == Flow::More {}
                self.pump().await;
            }
            self.pause = self.pause_now();
            if matches!(self.pause, Pause::Backlog(_)) || self.next_event() == Flow::Socket {
                return;
            }
        }
    }

    /// Takes one event off the protocol.
    fn next_event(&mut self) -> Flow {
        let connection = &mut self.connection;
        let event = match guarded(|| connection.poll_event()) {
            Ok(Ok(Some(event))) => event,
            Ok(Ok(None)) => return Flow::Socket,
            Ok(Err(error)) => {
                self.misdeed(error);
                return Flow::More;
            }
            Err(Panicked) => {
                self.panicked();
                return Flow::More;
            }
        };
        let now = Instant::now();
        if let Event::Request(request) = event {
            self.close_current(now);
            self.clock.enter(Waiting::Work, now);
            self.clock.body(now);
            let snapshot = self.shared.snapshot.load();
            let shared = &self.shared;
            let begun = guarded(|| {
                shared.probe(Stage::Begin, &request);
                Transaction::begin(&snapshot.house, &shared.memory, request)
            });
            drop(snapshot);
            match begun {
                Ok(transaction) => {
                    self.shared.telemetry.metrics.inflight.inc();
                    self.current = Some(Box::new(Current::new(transaction, now)));
                }
                Err(Panicked) => self.panicked(),
            }
            return Flow::More;
        }
        let Some(current) = &mut self.current else {
            return Flow::More;
        };
        let transaction = &mut current.transaction;
        let handed = guarded(|| match event {
            Event::Body(bytes) => transaction.body(bytes),
            // `BodyEnd` is next.
            Event::PreviewEnd { ieof: true } | Event::Request(_) => {}
            Event::PreviewEnd { ieof: false } => transaction.preview_end(),
            Event::BodyEnd { trailers } => transaction.body_end(trailers),
        });
        if handed.is_err() {
            self.panicked();
        }
        Flow::More
    }

    /// Does one action of the transaction.
    async fn work(&mut self) -> Flow {
        let Some(current) = &mut self.current else {
            return Flow::Socket;
        };
        let transaction = &mut current.transaction;
        let began = (current.steps > 0).then(thread_time);
        let Ok(action) = guarded(|| transaction.poll()) else {
            self.panicked();
            return Flow::Socket;
        };
        if let Some(began) = began {
            current.scanned += thread_time().saturating_sub(began);
            if current.scanned > self.scan_limits.of(transaction.bytes_in()) {
                transaction.time_is_over();
            }
        }
        self.act(action).await
    }

    async fn act(&mut self, action: Action) -> Flow {
        let Some(current) = &mut self.current else {
            return Flow::Socket;
        };
        match action {
            Action::Wait => return Flow::Socket,
            Action::Yield => {
                current.steps = current.steps.saturating_add(1);
                tokio::task::yield_now().await;
            }
            Action::Continue => {
                self.connection.send_continue();
                self.clock.enter(Waiting::AfterContinue, Instant::now());
            }
            Action::Keep(copy, bytes) => {
                let limits = &self.shared.spool;
                let store = current
                    .store(copy)
                    .get_or_insert_with(|| Spool::new(limits));
                if let Err(error) = store.push(bytes).await {
                    tracing::warn!(%error, "the spool failed");
                    self.shared.telemetry.metrics.error("spool");
                    let action = current.transaction.store_failed();
                    self.finish_early(action);
                }
            }
            Action::Offload(job) => {
                let work = self.shared.pool.run(move || job.run());
                let patience = self.scan_limits.of(current.transaction.bytes_in()) * JOB_PATIENCE;
                match tokio::time::timeout(patience, work).await {
                    Ok(Ok(result)) => current.transaction.job_done(result),
                    Ok(Err(PoolError::Full)) => {
                        self.shared.telemetry.metrics.shed("heavy-queue");
                        current.transaction.job_refused();
                    }
                    Ok(Err(PoolError::Panicked)) => self.panicked(),
                    // The thread goes on to its end and keeps its place in the pool; nobody waits for it.
                    Err(_) => current.transaction.job_timed_out(),
                }
            }
            Action::BodyDone(trailers) => {
                if let Body::Store(copy, _) = current.body {
                    current.body = Body::Store(copy, Some(trailers));
                }
            }
            action @ (Action::Respond(..) | Action::CutOff) => self.finish_early(action),
        }
        Flow::More
    }

    fn finish_early(&mut self, action: Action) {
        match action {
            Action::Respond(response, source) => self.respond(&response, source),
            Action::CutOff => self.connection.abort(),
            Action::Wait
            | Action::Yield
            | Action::Keep(..)
            | Action::Continue
            | Action::BodyDone(_)
            | Action::Offload(_) => {}
        }
    }

    /// Sends the head of the final answer, and its body where it is at hand.
    fn respond(&mut self, response: &Response, source: Source) {
        let streams = matches!(source, Source::Store(_));
        if !streams {
            self.forget_rest();
        }
        if self.server == Server::Draining {
            self.connection.close_after_response();
        }
        self.connection.send_response(response);
        let Some(current) = &mut self.current else {
            return;
        };
        current.answered = Some(Instant::now());
        current.body = match source {
            Source::Store(copy) => Body::Store(copy, None),
            Source::Inline(bytes) => {
                current.bytes_out = bytes.len() as u64;
                self.connection.send_body(bytes);
                self.connection.send_end(BodyEnding::Plain);
                Body::Complete
            }
            Source::None => Body::Complete,
        };
    }

    /// The answer stands before the body is over. What is here already is thrown away first: mostly that is all of it,
    /// and the connection lives on. Else the close is announced, and the rest is drained: closing on unread bytes would
    /// send an RST that can destroy the answer on its way.
    fn forget_rest(&mut self) {
        while let Phase::Body | Phase::Preview = self.connection.phase() {
            match self.connection.poll_event() {
                Ok(Some(Event::Body(bytes))) => {
                    if let Some(current) = &mut self.current {
                        current.transaction.body(bytes);
                    }
                }
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => {
                    tracing::debug!(code = error.code(), "misdeed after an early answer");
                    break;
                }
            }
        }
        if let Phase::Body | Phase::Closed = self.connection.phase() {
            self.connection.close_after_response();
        }
        self.connection.drain(self.drain_bytes);
    }

    /// Moves bytes from the store to the protocol as long as the socket takes them.
    async fn pump(&mut self) {
        let Some(current) = &mut self.current else {
            return;
        };
        let Body::Store(copy, done) = &mut current.body else {
            return;
        };
        let store = match copy {
            Copy::Original => &mut current.original,
            Copy::Edited => &mut current.edited,
        };
        while self.connection.pending_transmit_bytes() < TRANSMIT_BYTES {
            let popped = match store {
                Some(store) => store.pop().await,
                None => Ok(None),
            };
            match popped {
                Ok(Some(bytes)) => {
                    current.bytes_out += bytes.len() as u64;
                    self.connection.send_body(bytes);
                }
                Ok(None) => {
                    if let Some(trailers) = done.take() {
                        self.connection.send_end(match &trailers {
                            Some(trailers) => BodyEnding::Trailers(trailers),
                            None => BodyEnding::Plain,
                        });
                        current.body = Body::Complete;
                    }
                    return;
                }
                Err(error) => {
                    tracing::warn!(%error, "the spool failed");
                    self.shared.telemetry.metrics.error("spool");
                    current.transaction.abandon(Failure::Spool, 0);
                    self.connection.abort();
                    return;
                }
            }
        }
    }

    /// Whether reading has to wait, and since when.
    fn pause_now(&self) -> Pause {
        let Some(current) = &self.current else {
            let full = self.shared.memory.used() >= self.shared.memory.limit();
            return if full { Pause::Memory } else { Pause::None };
        };
        let backlog = match (&current.body, current.overflow) {
            (Body::Store(Copy::Original, None), Overflow::Wait) => &current.original,
            (Body::Store(Copy::Edited, None), Overflow::Wait) => &current.edited,
            _ => &None,
        };
        match (backlog, self.pause) {
            (Some(store), Pause::Backlog(since)) if !store.fits_memory(BACKLOG_BYTES) => {
                Pause::Backlog(since)
            }
            (Some(store), _) if !store.fits_memory(BACKLOG_BYTES) => Pause::Backlog(Instant::now()),
            _ => Pause::None,
        }
    }

    /// The peer broke the protocol.
    fn misdeed(&mut self, error: ProtocolError) {
        let status = error.status().code();
        let failure = match error {
            ProtocolError::TruncatedHead | ProtocolError::TruncatedBody => Failure::PeerGone,
            _ => Failure::Protocol(error.code()),
        };
        let refused = self
            .current
            .as_ref()
            .is_none_or(|current| current.transaction.answered());
        if refused && self.connection.owes_answer() {
            self.close_current(Instant::now());
            self.record(failure, status);
        } else if let Some(current) = &mut self.current {
            current.transaction.abandon(failure, status);
        }
        self.connection.send_error(error);
    }

    /// A bug of ours: this transaction ends with 500, this connection with it, and nothing else.
    fn panicked(&mut self) {
        match self.current.take() {
            Some(current) => {
                let current = *current;
                self.shared.telemetry.metrics.inflight.dec();
                let id = current.transaction.id();
                // What panicked once may do it again when it is dropped.
                let _ = guarded(move || drop(current));
                self.record_as(id, Failure::Panic, 500);
            }
            None => self.record(Failure::Panic, 500),
        }
        if self.connection.owes_answer() {
            let istag = self.shared.snapshot.load().house.istag;
            self.connection.close_after_response();
            self.connection.drain(self.drain_bytes);
            self.connection
                .send_response(&Response::new(Status::ServerError, istag));
        } else {
            self.connection.abort();
        }
    }

    /// A deadline passed; false: there is nobody to tell.
    fn timed_out(&mut self) -> bool {
        let waiting = self.clock.waiting();
        let failure = Failure::Timeout(waiting.code());
        match waiting {
            Waiting::Idle | Waiting::FirstByte | Waiting::Linger | Waiting::Work => false,
            Waiting::Drain | Waiting::Write => {
                if let Some(current) = &mut self.current {
                    current.transaction.abandon(failure, 0);
                }
                self.shared.telemetry.metrics.error(waiting.code());
                false
            }
            Waiting::Head | Waiting::Preview | Waiting::Body | Waiting::AfterContinue => {
                match &mut self.current {
                    Some(current) if !current.is_over() => {
                        current.transaction.abandon(failure, 408)
                    }
                    Some(_) | None => self.record(failure, 408),
                }
                self.connection.send_error(ProtocolError::TimedOut);
                true
            }
        }
    }

    /// The peer is gone: nothing more can be said.
    fn gone(mut self) {
        if let Some(current) = &mut self.current {
            current.transaction.abandon(Failure::PeerGone, 0);
        }
        self.close_current(Instant::now());
    }

    /// Records the transaction, when there is one.
    fn close_current(&mut self, now: Instant) {
        let Some(current) = self.current.take() else {
            return;
        };
        self.shared.telemetry.metrics.inflight.dec();
        let mut current = *current;
        if !current.transaction.answered() {
            current.transaction.abandon(Failure::PeerGone, 0);
        }
        if current.answered.is_some() {
            current.first_byte.get_or_insert(now);
        }
        let since = |at: Instant| at.saturating_duration_since(current.began);
        let timing = Timing {
            first_byte: current.first_byte.map(since),
            total: since(now),
        };
        let outcome = current
            .transaction
            .into_outcome(self.peer, timing, current.bytes_out);
        self.shared.telemetry.transaction(&outcome);
    }

    /// Records a request that never became a transaction.
    fn record(&self, failure: Failure, status: u16) {
        self.record_as(TransactionId::next(), failure, status);
    }

    fn record_as(&self, id: TransactionId, failure: Failure, status: u16) {
        self.shared.telemetry.transaction(&Outcome {
            id,
            peer: self.peer,
            method: Method::Unknown,
            service: None,
            profile: None,
            message: Facts::default(),
            report: crate::scan::Report::default(),
            status,
            ending: Ending::Failed(failure),
            bytes_in: 0,
            bytes_out: 0,
            timing: Timing::default(),
        });
    }
}

/// The socket.
impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    /// Waits until the socket gives or takes something, a deadline passes, or the server is to stop.
    async fn exchange(
        &mut self,
        mut timer: Pin<&mut Sleep>,
        mut draining: Pin<&mut impl Future>,
    ) -> Exchange {
        let now = Instant::now();
        self.clock.enter(self.waiting(), now);
        let alarm = self.alarm(now);
        if let Some(alarm) = alarm
            && (alarm < timer.deadline().into_std() || timer.is_elapsed())
        {
            timer.as_mut().reset(alarm.into());
        }
        let done = poll_fn(|cx| {
            if let Some(done) = self.transfer(cx) {
                return Poll::Ready(done);
            }
            if self.server == Server::Running && draining.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Exchange::Draining);
            }
            loop {
                let Some(alarm) = alarm else {
                    return Poll::Pending;
                };
                if timer.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                // The timer is armed lazily: it may ring for a deadline that was moved since.
                if Instant::now() >= alarm {
                    return Poll::Ready(Exchange::Timeout);
                }
                timer.as_mut().reset(alarm.into());
            }
        })
        .await;
        self.settle(done)
    }

    /// An alarm is a deadline only when the deadline has passed.
    fn settle(&mut self, done: Exchange) -> Exchange {
        let now = Instant::now();
        if done != Exchange::Timeout
            || self
                .clock
                .deadline()
                .is_some_and(|deadline| now >= deadline)
        {
            return done;
        }
        if let Pause::Backlog(since) = self.pause
            && now >= since + BACKLOG_TIME
            && let Some(current) = &mut self.current
        {
            current.overflow = Overflow::Disk;
        }
        if self.clock.waiting() == Waiting::Idle {
            self.connection.shrink();
        }
        Exchange::Progress
    }

    /// When to look again at the latest.
    fn alarm(&self, now: Instant) -> Option<Instant> {
        let earlier = match self.pause {
            Pause::Memory => Some(now + MEMORY_TIME),
            Pause::Backlog(since) => Some(since + BACKLOG_TIME),
            Pause::None => None,
        };
        match (self.clock.deadline(), earlier) {
            (Some(deadline), Some(earlier)) => Some(deadline.min(earlier)),
            (deadline, earlier) => deadline.or(earlier),
        }
    }

    /// Which deadline runs.
    fn waiting(&self) -> Waiting {
        let writes = self.connection.wants().write;
        match self.connection.phase() {
            Phase::Draining if writes => Waiting::Write,
            Phase::Draining => Waiting::Drain,
            Phase::Body if self.pause != Pause::None => Waiting::Write,
            Phase::Body if self.clock.waiting() == Waiting::AfterContinue => Waiting::AfterContinue,
            Phase::Body => Waiting::Body,
            Phase::Preview => Waiting::Preview,
            _ if writes => Waiting::Write,
            Phase::Idle if self.connection.requests() == 0 => Waiting::FirstByte,
            Phase::Idle => Waiting::Idle,
            Phase::Head => Waiting::Head,
            Phase::AwaitingContinue | Phase::Answering | Phase::Closed => Waiting::Work,
        }
    }

    /// One write and one read, as far as the socket is ready; `None`: it is not.
    fn transfer(&mut self, cx: &mut Context<'_>) -> Option<Exchange> {
        let wants = self.connection.wants();
        if wants.write
            && let Poll::Ready(written) = self.poll_write(cx)
        {
            return Some(written.unwrap_or(Exchange::Gone));
        }
        if wants.read
            && self.pause == Pause::None
            && let Poll::Ready(read) = self.poll_read(cx)
        {
            return Some(read.unwrap_or(Exchange::Gone));
        }
        None
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Exchange>> {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let filled = self.connection.poll_transmit(&mut slices);
        let slices = slices.get(..filled).unwrap_or_default();
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        polled.map_ok(|written| {
            if written == 0 {
                return Exchange::Gone;
            }
            self.connection.advance_transmit(written);
            self.wrote(Instant::now());
            Exchange::Progress
        })
    }

    /// The peer took bytes; when they were the last of an answer, the transaction is over.
    fn wrote(&mut self, now: Instant) {
        self.clock.sent(now);
        if let Pause::Backlog(since) = &mut self.pause {
            *since = now;
        }
        let Some(current) = &mut self.current else {
            return;
        };
        if current.answered.is_some() {
            current.first_byte.get_or_insert(now);
        }
        if current.is_over() && !self.connection.wants().write {
            self.close_current(now);
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Exchange>> {
        let before = self.connection.pending_receive_bytes();
        let bulk = matches!(self.connection.phase(), Phase::Body | Phase::Draining);
        let read = if bulk {
            let buffer = self.connection.receive_buffer();
            pin!(self.stream.read_buf(buffer)).poll(cx)
        } else {
            // A connection that waits for a request holds no buffer of its own, and a small request with its body comes
            // in one read.
            SCRATCH.with_borrow_mut(|scratch| {
                let mut buffer = ReadBuf::new(scratch);
                let polled = Pin::new(&mut self.stream).poll_read(cx, &mut buffer);
                polled.map_ok(|()| {
                    self.connection.receive(buffer.filled());
                    buffer.filled().len()
                })
            })
        };
        read.map_ok(|bytes| {
            if bytes == 0 {
                return Exchange::EndOfInput;
            }
            let now = Instant::now();
            self.received(bytes, before, now);
            Exchange::Progress
        })
    }

    fn received(&mut self, bytes: usize, before: usize, now: Instant) {
        if self.clock.waiting() == Waiting::AfterContinue {
            self.clock.enter(Waiting::Body, now);
        }
        if before == 0 && self.connection.phase() == Phase::Head {
            self.clock.enter(Waiting::Head, now);
        }
        self.clock.received(bytes as u64, now);
    }

    /// Half-closes and waits a moment for the peer's close, so that no RST overtakes the answer.
    async fn close(mut self) {
        if self.stream.shutdown().await.is_err() || !self.connection.lingers() {
            return;
        }
        let linger = self.shared.snapshot.load().config.deadlines.linger;
        let _ = tokio::time::timeout(linger, async {
            let mut sink = Vec::with_capacity(LINGER_READ_BYTES);
            let mut left = self.drain_bytes;
            while let Ok(1..) = self.stream.read_buf(&mut sink).await {
                left = left.saturating_sub(sink.len() as u64);
                if left == 0 {
                    break;
                }
                sink.clear();
            }
        })
        .await;
    }
}

impl Current {
    fn new(transaction: Transaction, began: Instant) -> Self {
        Self {
            transaction,
            original: None,
            edited: None,
            body: Body::Owed,
            began,
            answered: None,
            first_byte: None,
            bytes_out: 0,
            overflow: Overflow::Wait,
            steps: 0,
            scanned: Duration::ZERO,
        }
    }

    fn store(&mut self, copy: Copy) -> &mut Option<Spool> {
        match copy {
            Copy::Original => &mut self.original,
            Copy::Edited => &mut self.edited,
        }
    }

    fn is_over(&self) -> bool {
        matches!(self.body, Body::Complete)
    }
}

/// The processor time of this thread: between two points without an `await` in between it is the work's own, however
/// busy the machine is.
fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

struct Panicked;

/// A panic in `work` is an answer like any other.
fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    panic::catch_unwind(AssertUnwindSafe(work)).map_err(|_| Panicked)
}

thread_local! {
    static SCRATCH: std::cell::RefCell<Vec<u8>> = std::cell::RefCell::new(vec![0; SCRATCH_BYTES]);
}

/// One read of heads and small bodies.
const SCRATCH_BYTES: usize = 64 << 10;

/// Bytes handed to the protocol ahead of the socket.
const TRANSMIT_BYTES: usize = 256 << 10;

/// How many times its processor time a job may take by the clock, waiting for its turn included.
const JOB_PATIENCE: u32 = 8;

/// Pieces of one vectored write: a chunk is three of them at most.
const SLICES: usize = 16;

/// How long the peer may leave its answer unread before we go on reading its body, to the disk.
const BACKLOG_TIME: Duration = Duration::from_millis(200);

/// What must still fit into the memory of a store for reading to go on.
const BACKLOG_BYTES: u64 = 64 << 10;

/// How often a full memory budget is looked at.
const MEMORY_TIME: Duration = Duration::from_millis(5);

/// What is thrown away at once while lingering.
const LINGER_READ_BYTES: usize = 16 << 10;
