//! Waiting for the socket, reading from it and writing to it.

use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::Sleep;

use crate::icap::Phase;

use super::super::deadline::Waiting;
use super::{Buffers, Driver, Exchange, Flush, Overflow, Pause, Server};

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    /// Waits until the socket gives or takes something, a deadline passes, or the server is to stop.
    pub(super) async fn exchange(
        &mut self,
        mut timer: Pin<&mut Sleep>,
        mut draining: Pin<&mut impl Future>,
    ) -> Exchange {
        let mut now = Instant::now();
        if now >= self.turn.until {
            self.give_way().await;
            now = Instant::now();
        }
        let waiting = self.waiting();
        self.clock.enter(waiting, now);
        if let Some(current) = &self.current {
            self.live.at(state(waiting), current.transaction.bytes_in());
        }
        let alarm = self.alarm(now);
        if let Some(alarm) = alarm
            && (alarm < timer.deadline().into_std() || timer.is_elapsed())
        {
            timer.as_mut().reset(alarm.into());
        }
        let mut waited = false;
        let done = poll_fn(|cx| {
            if waited {
                self.begin_turn(Instant::now());
            }
            waited = true;
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
        if done != Exchange::Timeout {
            return done;
        }
        let now = Instant::now();
        let deadline = self.clock.deadline();
        if deadline.is_some_and(|deadline| now >= deadline) {
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
            self.buffers = Buffers::Returned;
        }
        Exchange::Progress
    }

    /// When to look again at the latest.
    fn alarm(&self, now: Instant) -> Option<Instant> {
        let earlier = match self.pause {
            Pause::Memory => Some(now + MEMORY_TIME),
            Pause::Backlog(since) => Some(since + BACKLOG_TIME),
            Pause::None
                if self.clock.waiting() == Waiting::Idle && self.buffers == Buffers::Held =>
            {
                Some(now + BUFFERS_TIME)
            }
            Pause::None | Pause::Unread => None,
        };
        match (self.clock.deadline(), earlier) {
            (Some(deadline), Some(earlier)) => Some(deadline.min(earlier)),
            (deadline, earlier) => deadline.or(earlier),
        }
    }

    /// Which deadline runs.
    fn waiting(&self) -> Waiting {
        let writes = self.writes();
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
        if !wants.write
            && self.flush == Flush::Due
            && let Poll::Ready(flushed) = Pin::new(&mut self.stream).poll_flush(cx)
        {
            self.flush = Flush::Done;
            return Some(match flushed {
                Ok(()) => {
                    self.wrote(Instant::now());
                    Exchange::Progress
                }
                Err(_) => Exchange::Gone,
            });
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
        let Poll::Ready(written) = polled? else {
            return Poll::Pending;
        };
        if written == 0 {
            return Poll::Ready(Ok(Exchange::Gone));
        }
        self.connection.advance_transmit(written);
        // A socket's flush does nothing; that of TLS sends what the socket had no room for.
        self.flush = match Pin::new(&mut self.stream).poll_flush(cx)? {
            Poll::Ready(()) => Flush::Done,
            Poll::Pending => Flush::Due,
        };
        self.wrote(Instant::now());
        Poll::Ready(Ok(Exchange::Progress))
    }

    /// The peer took bytes; when they were the last of an answer, the transaction is over.
    fn wrote(&mut self, now: Instant) {
        self.clock.sent(now);
        if let Pause::Backlog(since) = &mut self.pause {
            *since = now;
        }
        let writes = self.writes();
        let Some(current) = &mut self.current else {
            return;
        };
        if current.answered.is_some() {
            current.first_byte.get_or_insert(now);
        }
        if current.is_over() && !writes {
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
        self.buffers = Buffers::Held;
        if self.clock.waiting() == Waiting::AfterContinue {
            self.clock.enter(Waiting::Body, now);
        }
        if before == 0 && self.connection.phase() == Phase::Head {
            self.clock.enter(Waiting::Head, now);
        }
        self.clock.received(bytes as u64, now);
    }

    /// True when something has come that was not read.
    async fn has_unread(&mut self) -> bool {
        let mut byte = [0];
        let mut unread = ReadBuf::new(&mut byte);
        std::future::poll_fn(|context| {
            let read = Pin::new(&mut self.stream).poll_read(context, &mut unread);
            Poll::Ready(matches!(read, Poll::Ready(Ok(()))))
        })
        .await
            && !unread.filled().is_empty()
    }

    /// Half-closes and waits a moment for the peer's close, so that no RST overtakes the answer; only closes where the peer
    /// sends nothing more.
    pub(super) async fn close(&mut self) {
        // Bytes that nobody reads turn a close into an RST, too.
        let lingers = self.connection.lingers() || self.has_unread().await;
        // The end of a socket is said when it is dropped; TLS has a word of its own for it.
        if !lingers && self.client.listener.tls.is_none() {
            return;
        }
        let linger = self.shared.snapshot.load().config.deadlines.linger;
        let _ = tokio::time::timeout(linger, async {
            // That of TLS says good-bye first, which a peer that reads nothing can hold up.
            if self.stream.shutdown().await.is_err() || !lingers {
                return;
            }
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

/// The index in `STATES` of what is waited for.
fn state(waiting: Waiting) -> u8 {
    match waiting {
        Waiting::Work | Waiting::FirstByte | Waiting::Idle | Waiting::Linger => 0,
        Waiting::Head => 1,
        Waiting::Preview => 2,
        Waiting::Body => 3,
        Waiting::AfterContinue => 4,
        Waiting::Write => 5,
        Waiting::Drain => 6,
    }
}

thread_local! {
    static SCRATCH: std::cell::RefCell<Vec<u8>> = std::cell::RefCell::new(vec![0; SCRATCH_BYTES]);
}

/// One read of heads and small bodies.
const SCRATCH_BYTES: usize = 64 << 10;

/// How long an idle connection keeps its buffers: longer than the pause between two requests of a busy one.
const BUFFERS_TIME: Duration = Duration::from_secs(1);

/// Pieces of one vectored write: a chunk is three of them at most.
const SLICES: usize = 16;

/// How long the peer may leave its answer unread before we go on reading its body, to the disk.
const BACKLOG_TIME: Duration = Duration::from_millis(200);

/// How often a full memory budget is looked at.
const MEMORY_TIME: Duration = Duration::from_millis(5);

/// What is thrown away at once while lingering.
const LINGER_READ_BYTES: usize = 16 << 10;
