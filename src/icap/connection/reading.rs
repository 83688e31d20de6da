//! Bytes in, events out.

use bytes::{Buf, Bytes, BytesMut};

use super::{Answer, Connection, Event, InputEnd, Reading};
use crate::http1::{RequestHead, ResponseHead};
use crate::icap::chunked::{Chunk, ChunkDecoder, EndOfFile};
use crate::icap::error::ProtocolError;
use crate::icap::request::{Persistence, Request, check_request_line};
use crate::shelf::Shelved;
use crate::wire::framing::{HeadFramer, LineEnds};
use crate::wire::grammar::is_tchar;

impl Connection {
    /// Where to read into: a buffer with room. Call it only to read: it allocates.
    pub fn receive_buffer(&mut self) -> &mut BytesMut {
        let room = match self.reading {
            Reading::Preview(_) | Reading::Body(_) if self.body_bytes > LONG_BODY_BYTES => {
                LONG_BODY_READ_BYTES
            }
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
        // What is left of the buffer behind the last request may not do for the rest of this one.
        if self.input.is_empty() && matches!(self.reading, Reading::Idle { .. }) {
            let _ = self.input.try_reclaim(BODY_READ_BYTES);
        }
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
            // Who has his answer may go away in the middle of a body that nobody wants.
            Err(ProtocolError::TruncatedBody) if self.answered_early() => Ok(None),
            other => other,
        }
    }

    fn answered_early(&self) -> bool {
        self.discard.is_some() && self.answer == Answer::Sent
    }

    fn next_event(&mut self) -> Result<Option<Event>, ProtocolError> {
        loop {
            // A state that fails leaves the connection closed to input, unless it says otherwise.
            let reading = std::mem::replace(&mut self.reading, Reading::Closed);
            let step = match reading {
                Reading::Idle { stray_lines } => self.idle(stray_lines)?,
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
    fn idle(&mut self, stray_lines: usize) -> Result<Step, ProtocolError> {
        let between_requests = self.requests > 0;
        let stray_bytes = match self.input.get(..self.input.len().min(3)) {
            Some([b'\r', b'\n', ..]) => 2,
            // Axway sends a last chunk after a request with a null-body.
            Some(b"0\r\n") if between_requests => 3,
            None | Some(b"" | b"\r") => return Ok(self.wait_between_requests(stray_lines)),
            Some(b"0" | b"0\r") if between_requests => {
                return Ok(self.wait_between_requests(stray_lines));
            }
            Some([first, ..]) if is_tchar(*first) => {
                self.reading = Reading::IcapHead(HeadFramer::new(LineEnds::Strict));
                return Ok(Step::Go);
            }
            Some(_) => return Err(ProtocolError::Garbage),
        };
        if stray_lines >= self.limits.stray_lines {
            return Err(ProtocolError::Garbage);
        }
        self.input.advance(stray_bytes);
        self.reading = Reading::Idle {
            stray_lines: stray_lines + 1,
        };
        Ok(Step::Go)
    }

    fn wait_between_requests(&mut self, stray_lines: usize) -> Step {
        self.reading = match self.input_end {
            InputEnd::Open => Reading::Idle { stray_lines },
            InputEnd::Reached => Reading::Closed,
        };
        Step::Wait
    }

    fn icap_head(&mut self, mut framer: HeadFramer) -> Result<Step, ProtocolError> {
        let lines_before = framer.lines();
        let found = framer.advance(&self.input, &self.limits.icap_head);
        // A peer that does not speak ICAP is told so at its first line (F5 ID561500), whatever comes behind it.
        if lines_before == 0 && framer.lines() > 0 && !matches!(found, Ok(Some(_))) {
            check_request_line(&self.input)?;
        }
        let Some(len) = found.map_err(ProtocolError::Head)? else {
            if self.input_end == InputEnd::Reached {
                return Err(ProtocolError::TruncatedHead);
            }
            self.reading = Reading::IcapHead(framer);
            return Ok(Step::Wait);
        };
        let head = self.input.split_to(len).freeze();
        self.requests += 1;
        self.body_bytes = 0;
        // After a refusal that leaves the position known, the request counts as read.
        self.reading = Reading::Complete;
        self.answer = Answer::Owed;
        let request = Shelved::new(Request::parse(head, &self.limits)?);
        self.persistence = request.persistence;
        self.announced = request.persistence;
        self.reading = Reading::HttpHeads(request, HeadFramer::new(LineEnds::Lenient));
        Ok(Step::Go)
    }

    /// Reads the sections that `Encapsulated` announces; each must end exactly where it says.
    fn http_heads(
        &mut self,
        mut request: Shelved<Request>,
        mut framer: HeadFramer,
    ) -> Result<Step, ProtocolError> {
        let sections = request.encapsulated;
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
                    Answer::NotOwed | Answer::Owed => Reading::AwaitingContinue(decoder),
                    // The final answer was given early: the client sends nothing more of this body.
                    Answer::Begun(_) | Answer::Sent => Reading::Complete,
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
        let (Event::Body(data), Some(left)) = (event, &mut self.discard) else {
            return;
        };
        match left.checked_sub(data.len() as u64) {
            Some(rest) => *left = rest,
            None => self.stop_reading(),
        }
    }

    fn stop_reading(&mut self) {
        self.persistence = Persistence::Close;
        self.reading = Reading::Closed;
    }
}

enum Step {
    Go,
    Wait,
    Yield(Event),
}

/// Room for a read outside bodies: the heads of a usual request.
const HEAD_READ_BYTES: usize = 4 * 1024;

/// Room for a read inside a body.
const BODY_READ_BYTES: usize = 16 * 1024;

/// Room for a read inside a body that has proved to be long: fewer reads. Not before, for the buffer stays with the
/// connection.
const LONG_BODY_READ_BYTES: usize = 64 * 1024;

/// When a body is long.
const LONG_BODY_BYTES: u64 = 64 * 1024;
