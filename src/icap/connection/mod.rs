//! The server's side of one ICAP connection, sans-IO: bytes in, events out; answers in, bytes out. No clock: the driver
//! asks [`Connection::phase`] which deadline runs.
//!
//! ```text
//!            first byte          Request             PreviewEnd             send_continue()
//!   Idle ───────────► Head ─────────────► Preview ─────────────► AwaitingContinue ─────────┐
//!    ▲                 │ no preview                    │ ieof: BodyEnd                      ▼
//!    │                 ├────────────────────────────── │ ───────────────────────────────► Body
//!    │                 │ no body                       ▼             BodyEnd               │
//!    │                 └───────────────────────────► Answering ◄───────────────────────────┘
//!    └──────────────── request read and answer sent ───┘
//!
//!   Draining: an answer stands, the rest of the body is thrown away.   Closed: nothing more is read.
//! ```
//!
//! The next request is not looked at before the answer to this one is complete (strict order, §4.3); its bytes wait.
//!
//! `reading` turns bytes into events, `answering` turns answers into bytes; the state they share is here.

mod answering;
mod reading;
#[cfg(test)]
mod tests;

use std::io::IoSlice;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::chunked::ChunkDecoder;
use super::istag::IsTag;
use super::limits::Limits;
use super::outbox::Outbox;
use super::request::{Persistence, Request};
use crate::shelf::Shelved;
use crate::wire::Fields;
use crate::wire::framing::HeadFramer;

/// One connection.
///
/// The driver's loop: read into [`receive_buffer`](Self::receive_buffer) while [`wants`](Self::wants) says so, take
/// events from [`poll_event`](Self::poll_event) until it yields `None`, answer with the `send_` methods, write what
/// [`poll_transmit`](Self::poll_transmit) shows and report it to [`advance_transmit`](Self::advance_transmit).
#[derive(Debug)]
pub struct Connection {
    limits: Arc<Limits>,
    istag: IsTag,
    input: BytesMut,
    input_end: InputEnd,
    reading: Reading,
    answer: Answer,
    discard: Option<u64>,
    outbox: Outbox,
    persistence: Persistence,
    /// What the client of the current request said of it.
    announced: Persistence,
    requests: u64,
    body_bytes: u64,
}

/// What comes in.
#[derive(Debug)]
pub enum Event {
    /// A request with its embedded heads. `Body` events follow only when [`Request::has_body`].
    Request(Shelved<Request>),
    /// Body bytes, never empty.
    Body(Bytes),
    /// The preview is over.
    PreviewEnd {
        /// True when that was the whole body: `BodyEnd` is the next event, and 100 is not an answer (§4.5). False: the
        /// client waits for [`Connection::send_continue`] or a final answer.
        ieof: bool,
    },
    /// The body is over.
    BodyEnd {
        /// HTTP trailers (errata e2), mostly none.
        trailers: Fields,
    },
}

/// Where the connection stands; each phase has its own deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Between requests, nothing of the next one has come.
    Idle,
    /// Inside the ICAP head or the embedded heads: an absolute deadline.
    Head,
    /// Inside a preview. Short: clients send it at once (errata e9: some forget its last CRLF and wait).
    Preview,
    /// After a preview, before the decision: our turn.
    AwaitingContinue,
    /// Inside a body.
    Body,
    /// The request is complete, the answer is not: our turn.
    Answering,
    /// The rest of a body is being thrown away.
    Draining,
    /// Nothing more is read.
    Closed,
}

/// What the driver should wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wants {
    /// Readable: there is room for input.
    pub read: bool,
    /// Writable: there is output.
    pub write: bool,
    /// Everything is written and nothing more will come: close, after a [`lingering`](Connection::lingers) if need be.
    pub close: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum InputEnd {
    Open,
    Reached,
}

/// What the next received byte belongs to.
#[derive(Debug)]
enum Reading {
    /// Nothing of a request has come, save so many stray lines.
    Idle {
        stray_lines: usize,
    },
    IcapHead(HeadFramer),
    HttpHeads(Shelved<Request>, HeadFramer),
    Preview(ChunkDecoder),
    AwaitingContinue(ChunkDecoder),
    Body(ChunkDecoder),
    /// `ieof` was told; `BodyEnd` comes next.
    IeofTold(Fields),
    /// The request is read to its end.
    Complete,
    Closed,
}

/// The one final answer to the current request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// There is no request yet.
    NotOwed,
    Owed,
    /// Its head is sent, its body is not.
    Begun(Section),
    Sent,
}

/// What a begun answer may end with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Section {
    Whole,
    /// A 206 may end with `use-original-body`.
    Partial,
}

impl Connection {
    /// A new connection. `istag` goes into answers that the connection writes itself.
    pub fn new(limits: Arc<Limits>, istag: IsTag) -> Self {
        Self {
            limits,
            istag,
            input: BytesMut::new(),
            input_end: InputEnd::Open,
            reading: Reading::Idle { stray_lines: 0 },
            answer: Answer::NotOwed,
            discard: None,
            outbox: Outbox::default(),
            persistence: Persistence::KeepAlive,
            announced: Persistence::KeepAlive,
            requests: 0,
            body_bytes: 0,
        }
    }

    /// What to wait for. Take all events first: an event may be what ends the connection.
    pub fn wants(&self) -> Wants {
        let room = match self.reading {
            Reading::Closed => false,
            Reading::AwaitingContinue(_) | Reading::Complete | Reading::IeofTold(_) => {
                self.input.len() < self.limits.input_bytes
            }
            // These take what they are given.
            Reading::Idle { .. }
            | Reading::IcapHead(_)
            | Reading::HttpHeads(..)
            | Reading::Preview(_)
            | Reading::Body(_) => true,
        };
        let answered = match self.answer {
            Answer::NotOwed | Answer::Sent => true,
            Answer::Owed | Answer::Begun(_) => false,
        };
        Wants {
            read: room && self.input_end == InputEnd::Open,
            write: !self.outbox.is_empty(),
            close: matches!(self.reading, Reading::Closed) && self.outbox.is_empty() && answered,
        }
    }

    /// Where the connection stands.
    pub fn phase(&self) -> Phase {
        match self.reading {
            Reading::Closed => Phase::Closed,
            Reading::Idle { .. } if self.input.is_empty() => Phase::Idle,
            Reading::Idle { .. } | Reading::IcapHead(_) | Reading::HttpHeads(..) => Phase::Head,
            Reading::IeofTold(_) | Reading::Complete => Phase::Answering,
            Reading::AwaitingContinue(_) => Phase::AwaitingContinue,
            Reading::Preview(_) | Reading::Body(_) if self.discard.is_some() => Phase::Draining,
            Reading::Preview(_) => Phase::Preview,
            Reading::Body(_) => Phase::Body,
        }
    }

    /// True when a request is there and the final answer to it has not begun.
    pub fn owes_answer(&self) -> bool {
        self.answer == Answer::Owed
    }

    /// True when the peer may still be sending while we close: then half-close, and read and forget for a second, or an
    /// RST destroys the answer on its way. Whoever announced that this request is his last sends nothing behind its body; behind
    /// a request without one, some gateways send a last chunk.
    pub fn lingers(&self) -> bool {
        self.input_end == InputEnd::Open
    }

    /// Requests whose ICAP head was read.
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// Bytes of the current body that have come, preview included.
    pub fn body_bytes(&self) -> u64 {
        self.body_bytes
    }

    /// Received bytes that are not taken yet.
    pub fn pending_receive_bytes(&self) -> usize {
        self.input.len()
    }

    /// Bytes that wait to be written. Over a bound of the caller's, it should stop sending until they have left.
    pub fn pending_transmit_bytes(&self) -> usize {
        self.outbox.len()
    }

    /// Fills `slices` with what is to be written next, for one vectored write; says how many were filled.
    pub fn poll_transmit<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        self.outbox.fill(slices)
    }

    /// Takes note that the first `written` bytes of what [`poll_transmit`](Self::poll_transmit) shows are gone.
    pub fn advance_transmit(&mut self, written: usize) {
        self.outbox.advance(written);
    }

    /// Gives the buffers of an idle connection back.
    pub fn shrink(&mut self) {
        if self.phase() == Phase::Idle {
            self.input = BytesMut::new();
            self.outbox.shrink();
        }
    }

    fn next_request(&mut self) {
        self.reading = match self.persistence {
            Persistence::KeepAlive => Reading::Idle { stray_lines: 0 },
            Persistence::Close => Reading::Closed,
        };
        if self.announced == Persistence::Close && self.input.is_empty() && self.body_bytes > 0 {
            self.input_end = InputEnd::Reached;
        }
        self.answer = Answer::NotOwed;
        self.discard = None;
    }
}
