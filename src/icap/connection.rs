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

use std::io::IoSlice;
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use memchr::memchr;

use super::chunked::{Chunk, ChunkDecoder, EndOfFile};
use super::error::{ProtocolError, Scope};
use super::istag::IsTag;
use super::limits::Limits;
use super::outbox::Outbox;
use super::request::{Persistence, Request, check_request_line};
use super::response::{BodyEnding, LastAnswer, Response};
use crate::http1::{RequestHead, ResponseHead};
use crate::wire::Fields;
use crate::wire::framing::{HeadFramer, LineEnds};
use crate::wire::grammar::is_tchar;

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
    requests: u64,
    body_bytes: u64,
}

/// What comes in.
#[derive(Debug)]
pub enum Event {
    /// A request with its embedded heads. `Body` events follow only when [`Request::has_body`].
    Request(Box<Request>),
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

#[derive(Debug)]
enum Reading {
    Idle,
    IcapHead(HeadFramer),
    HttpHeads(Box<Request>, HeadFramer),
    Preview(ChunkDecoder),
    AwaitingContinue(ChunkDecoder),
    Body(ChunkDecoder),
    /// `ieof` was told; `BodyEnd` comes next.
    IeofTold(Fields),
    Complete,
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Owed,
    Body(Status206),
    Sent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status206 {
    Yes,
    No,
}

/// Input.
impl Connection {
    /// A new connection. `istag` goes into answers that the connection writes itself.
    pub fn new(limits: Arc<Limits>, istag: IsTag) -> Self {
        Self {
            limits,
            istag,
            input: BytesMut::new(),
            input_end: InputEnd::Open,
            reading: Reading::Idle,
            answer: Answer::Owed,
            discard: None,
            outbox: Outbox::default(),
            persistence: Persistence::KeepAlive,
            requests: 0,
            body_bytes: 0,
        }
    }

    /// Where to read into: a buffer with room. Call it only to read: it allocates.
    pub fn receive_buffer(&mut self) -> &mut BytesMut {
        let room = match self.reading {
            Reading::Preview(_) | Reading::Body(_) => BODY_READ_BYTES,
            _ => HEAD_READ_BYTES,
        };
        if self.input.capacity() - self.input.len() < room / 2 {
            self.input.reserve(room);
        }
        &mut self.input
    }

    /// Takes bytes that were read elsewhere.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    /// The peer will send nothing more.
    pub fn receive_eof(&mut self) {
        self.input_end = InputEnd::Reached;
    }

    /// The next event; `None` when more input, or an answer from us, is needed first.
    ///
    /// # Errors
    /// The peer's misdeed. Answer it with [`send_error`](Self::send_error); after an error of
    /// [`Scope::Connection`] no event comes any more.
    pub fn poll_event(&mut self) -> Result<Option<Event>, ProtocolError> {
        match self.next_event() {
            Ok(event) => Ok(event),
            Err(error) => {
                match error.scope() {
                    Scope::Transaction => {}
                    Scope::Connection => self.reading = Reading::Closed,
                }
                Err(error)
            }
        }
    }

    fn next_event(&mut self) -> Result<Option<Event>, ProtocolError> {
        loop {
            // Each state either yields, or needs input, or hands over to the next one.
            let reading = std::mem::replace(&mut self.reading, Reading::Closed);
            let step = match reading {
                Reading::Idle => self.idle()?,
                Reading::IcapHead(framer) => self.icap_head(framer)?,
                Reading::HttpHeads(request, framer) => self.http_heads(request, framer)?,
                Reading::Preview(decoder) => self.preview(decoder)?,
                Reading::Body(decoder) => self.body(decoder)?,
                Reading::IeofTold(trailers) => {
                    self.reading = Reading::Complete;
                    Step::Yield(Event::BodyEnd { trailers })
                }
                Reading::Complete if self.answer == Answer::Sent => {
                    self.next_request();
                    Step::Go
                }
                waiting @ (Reading::AwaitingContinue(_) | Reading::Complete | Reading::Closed) => {
                    self.reading = waiting;
                    Step::Wait
                }
            };
            match step {
                Step::Go => {}
                Step::Wait => return Ok(None),
                Step::Yield(event) if self.discard.is_none() => return Ok(Some(event)),
                Step::Yield(event) => self.throw_away(&event),
            }
        }
    }

    /// Looks for the first byte of a request, past stray line ends.
    fn idle(&mut self) -> Result<Step, ProtocolError> {
        self.reading = Reading::Idle;
        for _ in 0..=self.limits.stray_lines {
            match self.input.get(..self.input.len().min(3)) {
                Some(b"" | b"\r") => return Ok(self.wait_or_close()),
                Some([b'\r', b'\n', ..]) => self.input.advance(2),
                // Axway sends a last chunk after the answer to a null-body request.
                Some(b"0" | b"0\r") if self.requests > 0 => {
                    return match self.input_end {
                        InputEnd::Open => Ok(Step::Wait),
                        InputEnd::Reached => Ok(self.closed()),
                    };
                }
                Some(b"0\r\n") if self.requests > 0 => self.input.advance(3),
                Some([first, ..]) if is_tchar(*first) => {
                    self.reading = Reading::IcapHead(HeadFramer::new(LineEnds::Strict));
                    return Ok(Step::Go);
                }
                _ => return Err(ProtocolError::Garbage),
            }
        }
        Err(ProtocolError::Garbage)
    }

    fn icap_head(&mut self, mut framer: HeadFramer) -> Result<Step, ProtocolError> {
        let found = framer.advance(&self.input, &self.limits.icap_head);
        let Some(len) = found.map_err(ProtocolError::Head)? else {
            if self.input_end == InputEnd::Reached {
                return Err(ProtocolError::TruncatedHead);
            }
            // A peer that does not speak ICAP is told so at its first line (F5 ID561500).
            if framer.lines() == 1 {
                let end = memchr(b'\r', &self.input).unwrap_or_default();
                check_request_line(self.input.get(..end).unwrap_or_default())?;
            }
            self.reading = Reading::IcapHead(framer);
            return Ok(Step::Wait);
        };
        let head = self.input.split_to(len).freeze();
        self.requests += 1;
        self.body_bytes = 0;
        // After a refusal that leaves the position known, the request counts as read.
        self.reading = Reading::Complete;
        let request = Box::new(Request::parse(head, &self.limits)?);
        self.persistence = request.persistence;
        self.reading = Reading::HttpHeads(request, HeadFramer::new(LineEnds::Lenient));
        Ok(Step::Go)
    }

    /// Reads the sections that `Encapsulated` announces; each must end exactly where it says.
    fn http_heads(
        &mut self,
        mut request: Box<Request>,
        mut framer: HeadFramer,
    ) -> Result<Step, ProtocolError> {
        let sections = &request.encapsulated;
        if let Some(len) = sections
            .request_head_len()
            .filter(|_| request.http_request.is_none())
        {
            let Some(head) = self.section(len, &mut framer)? else {
                self.reading = Reading::HttpHeads(request, framer);
                return Ok(Step::Wait);
            };
            request.http_request = Some(RequestHead::parse(head));
            framer = HeadFramer::new(LineEnds::Lenient);
        }
        if let Some(len) = sections
            .response_head_len()
            .filter(|_| request.http_response.is_none())
        {
            let Some(head) = self.section(len, &mut framer)? else {
                self.reading = Reading::HttpHeads(request, framer);
                return Ok(Step::Wait);
            };
            request.http_response = Some(ResponseHead::parse(head));
        }
        self.reading = match (request.has_body(), request.preview) {
            (false, _) => Reading::Complete,
            (true, None) => Reading::Body(ChunkDecoder::new()),
            (true, Some(_)) => Reading::Preview(ChunkDecoder::new()),
        };
        Ok(Step::Yield(Event::Request(request)))
    }

    /// Takes one section off the input once it is all there. What ends too early is known before the rest has come: an
    /// offset that points past the heads must not make us wait.
    fn section(
        &mut self,
        len: usize,
        framer: &mut HeadFramer,
    ) -> Result<Option<Bytes>, ProtocolError> {
        let section = self
            .input
            .get(..len.min(self.input.len()))
            .unwrap_or_default();
        let found = framer.advance(section, &self.limits.http_head);
        match found.map_err(ProtocolError::HttpHead)? {
            Some(end) if end == len => Ok(Some(self.input.split_to(len).freeze())),
            Some(end) => Err(ProtocolError::SectionTooLong { end, len }),
            None if section.len() == len => Err(ProtocolError::SectionNotEnded { len }),
            None if self.input_end == InputEnd::Reached => Err(ProtocolError::TruncatedHead),
            None => Ok(None),
        }
    }

    fn preview(&mut self, mut decoder: ChunkDecoder) -> Result<Step, ProtocolError> {
        let chunk = self.chunk(&mut decoder)?;
        if decoder.body_bytes() > self.limits.preview_bytes {
            return Err(ProtocolError::PreviewTooLarge);
        }
        Ok(match chunk {
            None => {
                self.reading = Reading::Preview(decoder);
                Step::Wait
            }
            Some(Chunk::Data(data)) => {
                self.reading = Reading::Preview(decoder);
                Step::Yield(Event::Body(data))
            }
            Some(Chunk::Last {
                trailers,
                end: EndOfFile::Ieof,
            }) => {
                self.reading = Reading::IeofTold(trailers);
                Step::Yield(Event::PreviewEnd { ieof: true })
            }
            Some(Chunk::Last {
                end: EndOfFile::Unsaid,
                ..
            }) => {
                self.reading = match self.answer {
                    Answer::Owed => Reading::AwaitingContinue(decoder),
                    // The final answer was given early: the client sends nothing more of this body.
                    Answer::Body(_) | Answer::Sent => Reading::Complete,
                };
                Step::Yield(Event::PreviewEnd { ieof: false })
            }
        })
    }

    fn body(&mut self, mut decoder: ChunkDecoder) -> Result<Step, ProtocolError> {
        Ok(match self.chunk(&mut decoder)? {
            None => {
                self.reading = Reading::Body(decoder);
                Step::Wait
            }
            Some(Chunk::Data(data)) => {
                self.reading = Reading::Body(decoder);
                Step::Yield(Event::Body(data))
            }
            Some(Chunk::Last { trailers, .. }) => {
                self.reading = Reading::Complete;
                Step::Yield(Event::BodyEnd { trailers })
            }
        })
    }

    fn chunk(&mut self, decoder: &mut ChunkDecoder) -> Result<Option<Chunk>, ProtocolError> {
        let chunk = decoder.decode(&mut self.input, &self.limits)?;
        self.body_bytes = decoder.body_bytes();
        if chunk.is_none() && self.input_end == InputEnd::Reached {
            return Err(ProtocolError::TruncatedBody);
        }
        Ok(chunk)
    }

    /// Counts a piece of a body that nobody wants any more; over the limit the connection ends instead.
    fn throw_away(&mut self, event: &Event) {
        if let (Event::Body(data), Some(left)) = (event, &mut self.discard) {
            match left.checked_sub(data.len() as u64) {
                Some(rest) => *left = rest,
                None => {
                    self.persistence = Persistence::Close;
                    self.reading = Reading::Closed;
                }
            }
        }
    }

    fn next_request(&mut self) {
        self.reading = match self.persistence {
            Persistence::KeepAlive => Reading::Idle,
            Persistence::Close => Reading::Closed,
        };
        self.answer = Answer::Owed;
        self.discard = None;
    }

    fn wait_or_close(&mut self) -> Step {
        match self.input_end {
            InputEnd::Open => Step::Wait,
            InputEnd::Reached => self.closed(),
        }
    }

    fn closed(&mut self) -> Step {
        self.reading = Reading::Closed;
        Step::Wait
    }
}

/// Answers.
impl Connection {
    /// The tag for answers that the connection writes itself, from now on.
    pub fn set_istag(&mut self, istag: IsTag) {
        self.istag = istag;
    }

    /// Asks for the rest of the body after a preview. Does nothing in any other state: after `ieof` 100 is illegal.
    pub fn send_continue(&mut self) {
        self.reading = match std::mem::replace(&mut self.reading, Reading::Closed) {
            Reading::AwaitingContinue(mut decoder) if self.answer == Answer::Owed => {
                decoder.resume();
                // Errata e1: no body, no Encapsulated.
                self.outbox
                    .write(|out| out.extend_from_slice(b"ICAP/1.0 100 Continue\r\n\r\n"));
                Reading::Body(decoder)
            }
            other => other,
        };
    }

    /// Sends the head of the one final answer. When [`Response::has_body`], [`send_body`](Self::send_body) and
    /// [`send_end`](Self::send_end) follow; else the answer is complete.
    ///
    /// It may be sent while the body still comes (§4.5, errata e7). Say first what shall become of the rest:
    /// [`drain`](Self::drain), [`close_after_response`](Self::close_after_response), or go on taking events.
    pub fn send_response(&mut self, response: &Response) {
        if self.answer != Answer::Owed {
            return;
        }
        if self.requests >= self.limits.requests {
            self.persistence = Persistence::Close;
        }
        let last = match self.persistence {
            Persistence::KeepAlive => LastAnswer::No,
            Persistence::Close => LastAnswer::Yes,
        };
        self.outbox.write(|out| response.render(out, last));
        if let Reading::AwaitingContinue(_) = self.reading {
            self.reading = Reading::Complete;
        }
        if response.has_body() {
            self.answer = Answer::Body(match response.status() {
                super::Status::PartialContent => Status206::Yes,
                _ => Status206::No,
            });
        } else {
            self.answer_is_complete();
        }
    }

    /// Sends a piece of the answer's body as one chunk. Without a body being owed it does nothing.
    pub fn send_body(&mut self, piece: Bytes) {
        let Answer::Body(_) = self.answer else {
            return;
        };
        if piece.is_empty() {
            return;
        }
        let len = piece.len();
        self.outbox.write(|out| write_chunk_size(out, len));
        self.outbox.push(piece);
        self.outbox.write(|out| out.extend_from_slice(b"\r\n"));
    }

    /// Ends the answer's body.
    pub fn send_end(&mut self, ending: BodyEnding<'_>) {
        let Answer::Body(status) = self.answer else {
            return;
        };
        match ending {
            BodyEnding::Plain => self.outbox.write(|out| out.extend_from_slice(b"0\r\n\r\n")),
            BodyEnding::Trailers(trailers) => {
                self.outbox.write(|out| write_trailers(out, trailers))
            }
            BodyEnding::UseOriginalBody(offset) => {
                // draft-icap-ext-partial-content-07 §2: only in a 206, and not beyond what the client has sent. There is
                // no honest way to end such an answer but to break it off.
                if status == Status206::No || offset > self.body_bytes {
                    self.abort();
                    return;
                }
                let last = format!("0; use-original-body={offset}\r\n\r\n");
                self.outbox
                    .write(|out| out.extend_from_slice(last.as_bytes()));
            }
        }
        self.answer_is_complete();
    }

    /// Answers a misdeed and, when it reaches further than the request, closes. When an answer has begun already it is
    /// broken off instead.
    pub fn send_error(&mut self, error: ProtocolError) {
        if self.answer != Answer::Owed {
            self.abort();
            return;
        }
        match error.scope() {
            Scope::Transaction => self.drain(self.limits.error_drain_bytes),
            Scope::Connection => {
                self.close_after_response();
                self.reading = Reading::Closed;
            }
        }
        self.send_response(&Response::new(error.status(), self.istag));
    }

    /// Lets the current answer announce `Connection: close` and ends the connection after it. Between requests it ends
    /// the connection at once.
    pub fn close_after_response(&mut self) {
        self.persistence = Persistence::Close;
        if let (Reading::Idle, true) = (&self.reading, self.input.is_empty()) {
            if self.requests > 0 {
                self.reading = Reading::Closed;
            }
        }
    }

    /// Wants no more of the current body: up to `limit_bytes` of it are thrown away, then the connection can carry the
    /// next request; with more to come it is closed.
    pub fn drain(&mut self, limit_bytes: u64) {
        match self.reading {
            Reading::Preview(_) | Reading::Body(_) | Reading::IeofTold(_) => {
                self.discard = Some(limit_bytes);
            }
            Reading::AwaitingContinue(_)
            | Reading::Complete
            | Reading::Idle
            | Reading::IcapHead(_)
            | Reading::HttpHeads(..)
            | Reading::Closed => {}
        }
    }

    /// Ends the connection without completing the answer: the peer sees a body that was cut off.
    pub fn abort(&mut self) {
        self.persistence = Persistence::Close;
        self.answer = Answer::Sent;
        self.reading = Reading::Closed;
    }

    fn answer_is_complete(&mut self) {
        self.answer = Answer::Sent;
        match self.reading {
            // The rest of a preview is short: it is read to its end, or it would be taken for a request.
            Reading::Preview(_) if self.discard.is_none() => {
                self.discard = Some(self.limits.preview_bytes);
            }
            // Nobody said what becomes of the body: Pingora CVE-2025-4366 is a connection that is used again then.
            Reading::Body(_) if self.discard.is_none() => {
                self.persistence = Persistence::Close;
                self.reading = Reading::Closed;
            }
            Reading::Idle | Reading::IcapHead(_) | Reading::HttpHeads(..) => {
                self.reading = Reading::Closed;
            }
            Reading::Complete => self.next_request(),
            Reading::Preview(_)
            | Reading::Body(_)
            | Reading::AwaitingContinue(_)
            | Reading::IeofTold(_)
            | Reading::Closed => {}
        }
    }
}

/// Output and state.
impl Connection {
    /// Fills `slices` with what is to be written next, for one vectored write; says how many were filled.
    pub fn poll_transmit<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        self.outbox.fill(slices)
    }

    /// Takes note that the first `written` bytes of what [`poll_transmit`](Self::poll_transmit) shows are gone.
    pub fn advance_transmit(&mut self, written: usize) {
        self.outbox.advance(written);
    }

    /// Bytes that wait to be written. Over a bound of the caller's, it should stop sending until they have left.
    pub fn pending_transmit_bytes(&self) -> usize {
        self.outbox.len()
    }

    /// Received bytes that are not taken yet.
    pub fn pending_receive_bytes(&self) -> usize {
        self.input.len()
    }

    /// What to wait for.
    pub fn wants(&self) -> Wants {
        let read = match self.reading {
            Reading::Closed => false,
            Reading::AwaitingContinue(_) | Reading::Complete | Reading::IeofTold(_) => {
                self.input.len() < self.limits.input_bytes
            }
            // These take what they are given.
            Reading::Idle
            | Reading::IcapHead(_)
            | Reading::HttpHeads(..)
            | Reading::Preview(_)
            | Reading::Body(_) => true,
        };
        Wants {
            read: read && self.input_end == InputEnd::Open,
            write: !self.outbox.is_empty(),
            close: matches!(self.reading, Reading::Closed)
                && self.outbox.is_empty()
                && self.answer_is_over(),
        }
    }

    /// Where the connection stands.
    pub fn phase(&self) -> Phase {
        match self.reading {
            Reading::Closed => Phase::Closed,
            _ if self.discard.is_some() => Phase::Draining,
            Reading::Idle if self.input.is_empty() => Phase::Idle,
            Reading::Idle | Reading::IcapHead(_) | Reading::HttpHeads(..) => Phase::Head,
            Reading::Preview(_) => Phase::Preview,
            Reading::AwaitingContinue(_) => Phase::AwaitingContinue,
            Reading::Body(_) => Phase::Body,
            Reading::IeofTold(_) | Reading::Complete => Phase::Answering,
        }
    }

    /// True while the final answer to the current request has not begun.
    pub fn owes_answer(&self) -> bool {
        self.answer == Answer::Owed
    }

    /// True when the peer may still be sending while we close: then half-close, and read and forget for a second, or an
    /// RST destroys the answer on its way.
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

    /// Gives the buffers of an idle connection back.
    pub fn shrink(&mut self) {
        if let (Reading::Idle, true) = (&self.reading, self.input.is_empty()) {
            self.input = BytesMut::new();
            self.outbox.shrink();
        }
    }

    /// A closed connection may still owe the end of an answer whose request was read to its end.
    fn answer_is_over(&self) -> bool {
        !matches!(self.answer, Answer::Body(_))
    }
}

enum Step {
    Go,
    Wait,
    Yield(Event),
}

/// `size CRLF`, in hexadecimal.
fn write_chunk_size(out: &mut Vec<u8>, size: usize) {
    let digits = (usize::BITS - size.leading_zeros()).div_ceil(4).max(1);
    for at in (0..digits).rev() {
        let nibble = (size >> (at * 4)) & 15;
        out.extend(HEX.get(nibble));
    }
    out.extend_from_slice(b"\r\n");
}

/// RFC 9110 §6.5.1: fields that frame or route a message are not trailers.
fn write_trailers(out: &mut Vec<u8>, trailers: &Fields) {
    out.extend_from_slice(b"0\r\n");
    for field in trailers.iter() {
        let barred = |name: &&str| field.name.eq_ignore_ascii_case(name.as_bytes());
        if !NOT_TRAILERS.iter().any(|name| barred(&name)) {
            out.extend_from_slice(field.raw);
        }
    }
    out.extend_from_slice(b"\r\n");
}

const HEX: &[u8; 16] = b"0123456789abcdef";

const NOT_TRAILERS: [&str; 10] = [
    "transfer-encoding",
    "content-length",
    "host",
    "content-encoding",
    "content-type",
    "content-range",
    "trailer",
    "connection",
    "encapsulated",
    "te",
];

/// Room for a read outside bodies: the heads of a usual request.
const HEAD_READ_BYTES: usize = 4 * 1024;

/// Room for a read inside a body.
const BODY_READ_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::icap::{Allow, BodySection, Method, Status};

    fn connection() -> Connection {
        let istag = IsTag::new("T-1").expect("a legal tag");
        Connection::new(Arc::new(Limits::default()), istag)
    }

    fn sent(connection: &mut Connection) -> String {
        let mut all = Vec::new();
        loop {
            let mut slices = [IoSlice::new(&[]); 8];
            let filled = connection.poll_transmit(&mut slices);
            if filled == 0 {
                return String::from_utf8(all).expect("our answers are ASCII");
            }
            let bytes = slices.iter().take(filled).map(|slice| slice.len()).sum();
            slices
                .iter()
                .take(filled)
                .for_each(|slice| all.extend_from_slice(slice));
            connection.advance_transmit(bytes);
        }
    }

    #[test]
    fn a_previewed_reqmod_is_continued_and_answered_section_4_5() {
        let mut peer = connection();
        let head = "POST /x HTTP/1.1\r\nHost: o\r\n\r\n";
        let request = format!(
            "REQMOD icap://h/reqmod ICAP/1.0\r\nHost: h\r\nAllow: 204, trailers\r\nPreview: 4\r\n\
             Encapsulated: req-hdr=0, req-body={}\r\n\r\n{head}4\r\nabcd\r\n0\r\n\r\n",
            head.len()
        );
        peer.receive(request.as_bytes());
        let Ok(Some(Event::Request(request))) = peer.poll_event() else {
            panic!("a request was expected");
        };
        assert_eq!(request.method, Method::Reqmod);
        assert_eq!(request.allow, Allow::NO_CONTENT | Allow::TRAILERS);
        assert_eq!(request.preview, Some(4));
        assert_eq!(request.encapsulated.body(), BodySection::Request);
        assert_eq!(
            request.http_request.as_ref().map(|http| http.target()),
            Some(&b"/x"[..])
        );
        assert!(matches!(peer.poll_event(), Ok(Some(Event::Body(data))) if data == "abcd"));
        assert!(matches!(
            peer.poll_event(),
            Ok(Some(Event::PreviewEnd { ieof: false }))
        ));
        assert!(matches!(peer.poll_event(), Ok(None)));
        assert_eq!(peer.phase(), Phase::AwaitingContinue);
        peer.send_continue();
        assert_eq!(sent(&mut peer), "ICAP/1.0 100 Continue\r\n\r\n");
        peer.receive(b"2\r\nef\r\n0\r\n\r\nREQ");
        assert!(matches!(peer.poll_event(), Ok(Some(Event::Body(data))) if data == "ef"));
        assert!(matches!(peer.poll_event(), Ok(Some(Event::BodyEnd { .. }))));
        assert!(matches!(peer.poll_event(), Ok(None)));
        let istag = IsTag::new("T-1").expect("a legal tag");
        let page = Bytes::from_static(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\n");
        peer.send_response(
            &Response::new(Status::Ok, istag)
                .http_response(page)
                .with_body(),
        );
        peer.send_body(Bytes::from_static(b"no"));
        peer.send_end(BodyEnding::Plain);
        assert_eq!(
            sent(&mut peer),
            "ICAP/1.0 200 OK\r\nISTag: \"T-1\"\r\nEncapsulated: res-hdr=0, res-body=45\r\n\r\n\
             HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\n2\r\nno\r\n0\r\n\r\n"
        );
        assert!(matches!(peer.poll_event(), Ok(None)));
        assert_eq!(peer.phase(), Phase::Head);
    }
}
