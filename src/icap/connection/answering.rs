//! Answers in, bytes out.

use bytes::{Bytes, BytesMut};

use super::{Answer, Connection, Phase, Reading, Section};
use crate::icap::error::{ProtocolError, Scope};
use crate::icap::istag::IsTag;
use crate::icap::request::Persistence;
use crate::icap::response::{BodyEnding, LastAnswer, Response, Status};
use crate::wire::Fields;

impl Connection {
    /// The tag for answers that the connection writes itself, from now on.
    pub fn set_istag(&mut self, istag: IsTag) {
        self.istag = istag;
    }

    /// Asks for the rest of the body after a preview. Does nothing in any other state: after `ieof` 100 is illegal.
    pub fn send_continue(&mut self) {
        self.reading = match std::mem::replace(&mut self.reading, Reading::Closed) {
            Reading::AwaitingContinue(mut decoder) if !self.has_begun() => {
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
        if self.has_begun() {
            return;
        }
        if self.requests >= self.limits.requests || self.ends_with(response) {
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
            self.answer = Answer::Begun(match response.status() {
                Status::PartialContent => Section::Partial,
                _ => Section::Whole,
            });
        } else {
            self.answer_is_complete();
        }
    }

    /// Sends a piece of the answer's body as one chunk. Without a body being owed it does nothing.
    pub fn send_body(&mut self, piece: Bytes) {
        let Answer::Begun(_) = self.answer else {
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
        let Answer::Begun(section) = self.answer else {
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
                if section == Section::Whole || offset > self.body_bytes {
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
        if self.has_begun() {
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
        if self.phase() == Phase::Idle {
            self.reading = Reading::Closed;
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
            | Reading::Idle { .. }
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

    fn has_begun(&self) -> bool {
        match self.answer {
            Answer::NotOwed | Answer::Owed => false,
            Answer::Begun(_) | Answer::Sent => true,
        }
    }

    /// True when no request can follow this answer: it comes before the request is understood, or it is complete at once
    /// while a body still comes that nobody offered to drain.
    fn ends_with(&self, response: &Response) -> bool {
        match self.reading {
            Reading::Idle { .. }
            | Reading::IcapHead(_)
            | Reading::HttpHeads(..)
            | Reading::Closed => true,
            Reading::Body(_) => self.discard.is_none() && !response.has_body(),
            Reading::Preview(_)
            | Reading::AwaitingContinue(_)
            | Reading::IeofTold(_)
            | Reading::Complete => false,
        }
    }

    fn answer_is_complete(&mut self) {
        self.answer = Answer::Sent;
        match self.reading {
            // The rest of a preview is short: it is read to its end, or it would be taken for a request.
            Reading::Preview(_) | Reading::IeofTold(_) => {
                self.discard.get_or_insert(self.limits.preview_bytes);
            }
            // Nobody said what becomes of the body: Pingora CVE-2025-4366 is a connection that is used again then.
            Reading::Body(_) if self.discard.is_none() => {
                self.persistence = Persistence::Close;
                self.reading = Reading::Closed;
            }
            Reading::Idle { .. } | Reading::IcapHead(_) | Reading::HttpHeads(..) => {
                self.reading = Reading::Closed;
            }
            Reading::Complete => self.next_request(),
            Reading::Body(_) | Reading::AwaitingContinue(_) | Reading::Closed => {}
        }
    }
}

/// `size CRLF`, in hexadecimal.
fn write_chunk_size(out: &mut BytesMut, size: usize) {
    let digits = (usize::BITS - size.leading_zeros()).div_ceil(4).max(1);
    for at in (0..digits).rev() {
        let nibble = (size >> (at * 4)) & 15;
        out.extend(HEX.get(nibble));
    }
    out.extend_from_slice(b"\r\n");
}

/// RFC 9110 §6.5.1: fields that frame or route a message are not trailers.
fn write_trailers(out: &mut BytesMut, trailers: &Fields) {
    out.extend_from_slice(b"0\r\n");
    for field in trailers.iter() {
        let barred = |name: &&str| field.name.eq_ignore_ascii_case(name.as_bytes());
        if !NOT_TRAILERS.iter().any(barred) {
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
