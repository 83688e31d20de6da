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
//! a scan step is busy nothing is read, and other connections get their turn between two steps (`turn`).
//!
//! `socket` is the waiting, reading and writing; `endings` is everything that ends a transaction other than its answer.
//! For the tests, `model` is a peer that fails at every byte, `steady` one that asks again and again.

#[cfg(test)]
mod closing;
mod endings;
#[cfg(test)]
mod model;
mod socket;
#[cfg(test)]
mod steady;
mod turn;

use std::future::Future;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::panic::{self, AssertUnwindSafe};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite};

use crate::icap::{BodyEnding, Connection, Event, Phase, Response};
use crate::service::outcome::Failure;
use crate::service::transaction::{Action, Copy, Source, Tail, Transaction};
use crate::shelf::Shelved;

use super::client::Client;
use super::deadline::{Clock, Waiting};
use super::pool::{PoolError, Share};
use super::quota::Ticket;
use super::spool::Spool;
use super::{Shared, Stage};
use crate::telemetry::live::Entry;
use turn::Turn;

/// Carries one connection from its first byte to its close. `draining` ends when the server is to stop.
pub(super) async fn serve<S>(stream: S, client: Client, shared: Arc<Shared>, draining: impl Future)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let snapshot = shared.snapshot.load_full();
    let config = &snapshot.config;
    let ours = Arc::clone(&shared);
    let register = &ours.telemetry.live;
    let registered = register.connection(client.peer.clone(), Arc::clone(&client.listener.name));
    let mut driver = Driver {
        live: Arc::clone(&registered.entry),
        connection: Connection::new(Arc::clone(&config.protocol), snapshot.house.istag),
        clock: Clock::new(config.deadlines, Instant::now()),
        drain_bytes: config.drain_bytes,
        scan_limits: ScanLimits {
            base: config.scan_time,
            per_mib: config.scan_time_per_mib,
        },
        stream,
        client,
        current: None,
        server: Server::Running,
        pause: Pause::None,
        buffers: Buffers::Returned,
        flush: Flush::Done,
        turn: Turn::begin(Instant::now(), 0),
        retire: config
            .connection_age
            .map(|age| Instant::now() + jittered(age)),
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
    client: Client,
    current: Option<Current>,
    server: Server,
    pause: Pause,
    buffers: Buffers,
    flush: Flush,
    turn: Turn,
    live: Arc<Entry>,
    /// From when on the next answer is the last.
    retire: Option<Instant>,
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

/// Whether a connection that idles still has the buffers of its last request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Buffers {
    Held,
    Returned,
}

/// Whether the stream may hold bytes of ours back: TLS has a buffer of its own, a socket has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flush {
    Done,
    Due,
}

/// Why nothing is read although there is room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pause {
    None,
    /// The memory of all connections together is full: no new request is begun.
    Memory,
    /// More answers wait than a peer may leave unread: a pipeline that nobody reads must not grow.
    Unread,
    /// The peer does not read what it asked for. After a while we read on all the same: it may be one that writes
    /// everything before it reads.
    Backlog(Instant),
}

/// The transaction that is being worked on.
struct Current {
    transaction: Shelved<Transaction>,
    ticket: Option<Ticket>,
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
    /// It comes from a store; with the tail known, no more is added.
    Store(Copy, Option<Tail>),
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
    async fn run(&mut self, draining: impl Future) {
        let mut draining = pin!(draining);
        let mut timer = pin!(tokio::time::sleep(Duration::from_secs(1)));
        loop {
            self.advance().await;
            let is_over = self.connection.wants().close && self.flush == Flush::Done;
            if is_over || self.server_is_over() {
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
        self.server == Server::Draining && self.connection.phase() == Phase::Idle && !self.writes()
    }

    /// True while bytes of ours wait for the peer.
    fn writes(&self) -> bool {
        self.connection.wants().write || self.flush == Flush::Due
    }

    /// Everything that needs no socket.
    async fn advance(&mut self) {
        let idles = self.current.is_none() && self.connection.pending_receive_bytes() == 0;
        let _turn = match idles {
            true => None,
            false => self.client.membership.account.turn().await,
        };
        loop {
            if self.current.is_some() {
                while self.work().await == Flow::More {}
                self.pump().await;
            }
            self.pause = self.pause_now();
            match self.pause {
                Pause::Unread | Pause::Backlog(_) => return,
                Pause::None | Pause::Memory => {}
            }
            if self.next_event() == Flow::Socket {
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
        if let Event::Request(request) = event {
            let now = Instant::now();
            self.close_current(now);
            self.clock.enter(Waiting::Work, now);
            self.clock.body(now);
            let snapshot = self.shared.snapshot.load();
            let shared = &self.shared;
            let peer = &self.client.peer;
            let memory = &self.client.membership.account.memory;
            let begun = guarded(|| {
                shared.probe(Stage::Begin, &request);
                Transaction::begin(&snapshot.house, memory, peer, request)
            });
            match begun {
                Ok(mut transaction) => {
                    let limits = &snapshot.config.quotas;
                    let ticket = self.client.examine(&mut transaction, shared, limits);
                    shared.telemetry.metrics.inflight.inc();
                    let service = transaction.service();
                    self.live
                        .begin(transaction.id(), transaction.method(), service);
                    let mut current = Current::new(transaction, now);
                    current.ticket = ticket;
                    self.current = Some(current);
                }
                Err(Panicked) => self.panicked(),
            }
            drop(snapshot);
            if self.retire.is_some_and(|retire| now >= retire) {
                self.connection.close_after_response();
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
        let long = current.steps > 0 || transaction.bytes_in() > UNTIMED_BYTES;
        let began = long.then(thread_time);
        let turn = self.turn;
        let crowded = self.client.membership.account.is_crowded();
        let Ok(action) = guarded(|| turn.work(transaction, crowded)) else {
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
                self.give_way().await;
            }
            Action::Continue => {
                self.connection.send_continue();
                self.clock.enter(Waiting::AfterContinue, Instant::now());
            }
            Action::Keep(copy, bytes) => {
                let limits = &self.client.membership.account.spool;
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
                let share = match job.is_file_work() {
                    true => Share::Disk,
                    false => Share::Processor,
                };
                let work = self.shared.pool.run(share, move || job.run());
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
            Action::BodyDone(tail) => {
                if let Body::Store(copy, _) = current.body {
                    current.body = Body::Store(copy, Some(tail));
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
        if self.shared.draining.load(Ordering::Relaxed) {
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
            let most = match done {
                Some(Tail::Original(seam)) => seam.edited - current.bytes_out.min(seam.edited),
                Some(Tail::Plain | Tail::Trailers(_)) | None => u64::MAX,
            };
            let popped = match store {
                Some(store) if most > 0 => store.pop().await,
                Some(_) | None => Ok(None),
            };
            match popped {
                Ok(Some(mut bytes)) => {
                    bytes.truncate(usize::try_from(most).unwrap_or(usize::MAX));
                    current.bytes_out += bytes.len() as u64;
                    self.connection.send_body(bytes);
                }
                Ok(None) => {
                    if let Some(tail) = done.take() {
                        self.connection.send_end(match &tail {
                            Tail::Plain => BodyEnding::Plain,
                            Tail::Trailers(trailers) => BodyEnding::Trailers(trailers),
                            Tail::Original(seam) => BodyEnding::UseOriginalBody(seam.original),
                        });
                        current.body = Body::Complete;
                    }
                    return;
                }
                Err(error) => {
                    tracing::warn!(%error, "the spool failed");
                    self.shared.telemetry.metrics.error("spool");
                    current.transaction.lose(Failure::Spool);
                    self.connection.abort();
                    return;
                }
            }
        }
    }

    /// Whether reading has to wait, and since when.
    fn pause_now(&self) -> Pause {
        if self.connection.pending_transmit_bytes() >= UNREAD_BYTES {
            return Pause::Unread;
        }
        let Some(current) = &self.current else {
            let full = self.client.membership.account.memory.is_full();
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
}

impl Current {
    fn new(transaction: Shelved<Transaction>, began: Instant) -> Self {
        Self {
            transaction,
            ticket: None,
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

/// `age`, a tenth more or less: connections that were opened together do not end together.
pub(super) fn jittered(age: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish() % 201;
    age.saturating_mul(900 + u32::try_from(random).unwrap_or_default()) / 1000
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

/// Bytes handed to the protocol ahead of the socket.
const TRANSMIT_BYTES: usize = 256 << 10;

/// Up to this many bytes of a message its inspection is timed only once it has let others go first: asking for the time of
/// a thread is a call of the kernel.
const UNTIMED_BYTES: u64 = 64 << 10;

/// Answers that may wait unread before no further request is looked at.
const UNREAD_BYTES: usize = 2 * TRANSMIT_BYTES;

/// How many times its processor time a job may take by the clock, waiting for its turn included.
const JOB_PATIENCE: u32 = 8;

/// What must still fit into the memory of a store for reading to go on.
const BACKLOG_BYTES: u64 = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_a_tenth_more_or_less_and_not_the_same() {
        let age = Duration::from_secs(1000);
        let ages: Vec<_> = (0..200).map(|_| jittered(age)).collect();
        let (least, most) = (ages.iter().min(), ages.iter().max());
        let bounds = (Duration::from_secs(900), Duration::from_secs(1100));
        assert!(least >= Some(&bounds.0) && most <= Some(&bounds.1));
        assert!(most > least.map(|least| *least + Duration::from_secs(50)).as_ref());
    }
}
