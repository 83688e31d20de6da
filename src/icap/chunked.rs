//! The framing of encapsulated bodies: HTTP/1.1 chunks (RFC 9112 §7.1) with ICAP's `ieof` (RFC 3507 §4.5).
//!
//! The chunk parser is the security border of ICAP (Squid CVE-2023-46846): whatever lies outside the grammar is
//! refused, line ends are CRLF only, sizes are read digit by digit, and nothing is allocated from a declared size
//! (errata e6).

use bytes::{Buf, Bytes, BytesMut};
use memchr::memchr;
use nom::branch::alt;
use nom::bytes::complete::tag;
use nom::combinator::opt;
use nom::sequence::preceded;
use nom::{IResult, Parser};

use super::limits::Limits;
use crate::wire::Fields;
use crate::wire::framing::{FramingError, HeadFramer, LineEnds};
use crate::wire::grammar::{quoted_string, spaces, token};

/// Reads one chunked body, or the preview of one.
#[derive(Debug)]
pub struct ChunkDecoder {
    state: State,
    scanned: usize,
    gathered: BytesMut,
    extension_bytes: u64,
    body_bytes: u64,
    end: EndOfFile,
}

#[derive(Debug)]
enum State {
    Size,
    Data { remaining: u64 },
    DataEnd,
    Trailers(HeadFramer),
    Done,
}

enum Step {
    Go,
    Wait,
    Data(usize),
    Last { trailers_len: usize },
}

/// What the decoder found.
#[derive(Debug)]
pub enum Chunk {
    /// Body bytes, never empty.
    Data(Bytes),
    /// The last chunk, with its trailers.
    Last {
        /// Trailer fields, mostly none.
        trailers: Fields,
        /// What the last chunk says.
        end: EndOfFile,
    },
}

/// What the last chunk of a preview says about the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndOfFile {
    /// Nothing: there may be more.
    Unsaid,
    /// `ieof`: this is the whole body.
    Ieof,
}

/// Why a body's framing is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// A chunk line that does not begin with hexadecimal digits.
    #[error("chunk line does not begin with a hexadecimal size")]
    NoSize,
    /// More than 16 digits.
    #[error("chunk size has more than 16 digits")]
    TooManyDigits,
    /// A size over the limit.
    #[error("chunk size is over {limit} bytes")]
    SizeTooLarge {
        /// The limit.
        limit: u64,
    },
    /// An extension outside the grammar, or other bytes after the size.
    #[error("malformed chunk extension")]
    MalformedExtension,
    /// A chunk line without end.
    #[error("chunk line is longer than {limit} bytes")]
    LineTooLong {
        /// The limit.
        limit: usize,
    },
    /// A chunk line that does not end with CRLF.
    #[error("chunk line does not end with CRLF")]
    BareLf,
    /// More extension bytes than a body of this size may have.
    #[error("too many bytes of chunk extensions")]
    TooManyExtensions,
    /// Chunk data that is not followed by CRLF.
    #[error("chunk data is not followed by CRLF")]
    DataNotEnded,
    /// The trailer section breaks its framing or a limit.
    #[error("trailers: {0}")]
    Trailers(FramingError),
    /// A trailer line outside the grammar.
    #[error("malformed trailer field")]
    MalformedTrailer,
}

impl Default for ChunkDecoder {
    fn default() -> Self {
        Self::new()
    }
}

impl ChunkDecoder {
    /// At the beginning of a body.
    pub fn new() -> Self {
        Self {
            state: State::Size,
            scanned: 0,
            gathered: BytesMut::new(),
            extension_bytes: 0,
            body_bytes: 0,
            end: EndOfFile::Unsaid,
        }
    }

    /// After the preview: the rest of the same body, its counts going on.
    pub fn resume(&mut self) {
        self.state = State::Size;
        self.scanned = 0;
        self.end = EndOfFile::Unsaid;
    }

    /// Body bytes so far.
    pub fn body_bytes(&self) -> u64 {
        self.body_bytes
    }

    /// Takes the next piece off `input`; `None` when more input is needed. Data is handed out without copying, except
    /// that runs of small chunks are gathered into one piece: 1-byte chunks must not cost an event each.
    ///
    /// # Errors
    /// A [`ChunkError`] for the first byte that is outside the grammar, or over a limit.
    pub fn decode(
        &mut self,
        input: &mut BytesMut,
        limits: &Limits,
    ) -> Result<Option<Chunk>, ChunkError> {
        loop {
            let found = self.step(input, limits);
            if let Ok(Step::Go) = found {
                continue;
            }
            // What was gathered comes before what was found; a step that fails or waits does so again.
            if !self.gathered.is_empty() {
                return Ok(Some(Chunk::Data(self.gathered.split().freeze())));
            }
            match found? {
                Step::Go => {}
                Step::Wait => return Ok(None),
                Step::Data(len) => return Ok(Some(Chunk::Data(self.take(input, len)))),
                Step::Last { trailers_len } => {
                    let trailers = trailers(input, trailers_len)?;
                    self.state = State::Done;
                    return Ok(Some(Chunk::Last {
                        trailers,
                        end: self.end,
                    }));
                }
            }
        }
    }

    /// One step of the grammar. Data and trailers are found but left where they are.
    fn step(&mut self, input: &mut BytesMut, limits: &Limits) -> Result<Step, ChunkError> {
        match &mut self.state {
            State::Size => {
                self.state = match self.read_size(input, limits)? {
                    None => return Ok(Step::Wait),
                    Some(0) => State::Trailers(HeadFramer::new(LineEnds::Strict)),
                    Some(remaining) => State::Data { remaining },
                };
                Ok(Step::Go)
            }
            State::Data { remaining } => {
                let len = usize::try_from(*remaining).map_or(input.len(), |n| n.min(input.len()));
                if len == 0 {
                    return Ok(Step::Wait);
                }
                if len > GATHERED_CHUNK_BYTES || self.gathered.len() >= GATHERED_BYTES {
                    return Ok(Step::Data(len));
                }
                // A small chunk with another one behind it.
                match input.get(len..len + 3) {
                    Some([b'\r', b'\n', b'1'..=b'9' | b'a'..=b'f' | b'A'..=b'F']) => {
                        self.gather(input, len);
                        Ok(Step::Go)
                    }
                    _ if self.gathered.is_empty() => Ok(Step::Data(len)),
                    // The last of a run: the gathered piece is handed out before anything else is read.
                    _ => {
                        self.gather(input, len);
                        Ok(Step::Wait)
                    }
                }
            }
            State::DataEnd => match input.get(..input.len().min(2)) {
                Some(b"\r\n") => {
                    input.advance(2);
                    self.state = State::Size;
                    Ok(Step::Go)
                }
                Some(b"" | b"\r") => Ok(Step::Wait),
                _ => Err(ChunkError::DataNotEnded),
            },
            State::Trailers(framer) => {
                let found = framer.advance(input, &limits.trailers);
                Ok(match found.map_err(ChunkError::Trailers)? {
                    None => Step::Wait,
                    Some(trailers_len) => Step::Last { trailers_len },
                })
            }
            State::Done => Ok(Step::Wait),
        }
    }

    /// Takes `len` bytes of data off `input`.
    fn take(&mut self, input: &mut BytesMut, len: usize) -> Bytes {
        self.count(len);
        input.split_to(len).freeze()
    }

    /// Copies `len` bytes of data out of `input`.
    fn gather(&mut self, input: &mut BytesMut, len: usize) {
        if self.gathered.is_empty() {
            self.gathered.reserve(GATHERED_BYTES + GATHERED_CHUNK_BYTES);
        }
        self.count(len);
        self.gathered
            .extend_from_slice(input.get(..len).unwrap_or_default());
        input.advance(len);
    }

    fn count(&mut self, len: usize) {
        if let State::Data { remaining } = &mut self.state {
            *remaining = remaining.saturating_sub(len as u64);
            if *remaining == 0 {
                self.state = State::DataEnd;
            }
        }
        self.body_bytes += len as u64;
    }

    /// Reads a whole chunk line, resuming its search for the end.
    fn read_size(
        &mut self,
        input: &mut BytesMut,
        limits: &Limits,
    ) -> Result<Option<u64>, ChunkError> {
        let limit = limits.chunk_line_bytes;
        // A peer that sends something else is told so at its first byte, not when its line ends.
        if input.first().is_some_and(|byte| !byte.is_ascii_hexdigit()) {
            return Err(ChunkError::NoSize);
        }
        let found = memchr(b'\n', input.get(self.scanned..).unwrap_or_default());
        let Some(at) = found.map(|found| self.scanned + found) else {
            if input.len() > limit {
                return Err(ChunkError::LineTooLong { limit });
            }
            self.scanned = input.len();
            return Ok(None);
        };
        if at >= limit {
            return Err(ChunkError::LineTooLong { limit });
        }
        let line = input.get(..at).unwrap_or_default();
        let line = line.strip_suffix(b"\r").ok_or(ChunkError::BareLf)?;
        let (size, extensions) = size(line, limits)?;
        let extension_bytes = extensions.len() as u64;
        if !extensions.is_empty() {
            self.end = match read_extensions(extensions)? {
                EndOfFile::Ieof if size == 0 => EndOfFile::Ieof,
                EndOfFile::Ieof | EndOfFile::Unsaid => EndOfFile::Unsaid,
            };
        }
        self.extension_bytes = self.extension_bytes.saturating_add(extension_bytes);
        if self.extension_bytes > limits.extension_bytes.saturating_add(self.body_bytes / 2) {
            return Err(ChunkError::TooManyExtensions);
        }
        input.advance(at + 1);
        self.scanned = 0;
        Ok(Some(size))
    }
}

/// `1*16HEXDIG`, digit by digit, and what follows.
fn size<'a>(line: &'a [u8], limits: &Limits) -> Result<(u64, &'a [u8]), ChunkError> {
    let mut size = 0u64;
    let mut rest = line;
    let mut digits = 0;
    while let [byte, tail @ ..] = rest {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            _ => break,
        };
        digits += 1;
        if digits > MAX_SIZE_DIGITS {
            return Err(ChunkError::TooManyDigits);
        }
        size = (size << 4) | u64::from(digit);
        rest = tail;
    }
    if digits == 0 {
        return Err(ChunkError::NoSize);
    }
    if size > limits.chunk_bytes {
        return Err(ChunkError::SizeTooLarge {
            limit: limits.chunk_bytes,
        });
    }
    Ok((size, rest))
}

/// `*( BWS ";" BWS name [ BWS "=" BWS value ] ) BWS` (RFC 7230 errata 4667 allows the white space).
fn read_extensions(mut rest: &[u8]) -> Result<EndOfFile, ChunkError> {
    let mut end = EndOfFile::Unsaid;
    loop {
        let (after, (name, value)) = extension(rest).map_err(|_| ChunkError::MalformedExtension)?;
        if name.eq_ignore_ascii_case(b"ieof") {
            // RFC 3507 §4.5: "ieof" ends the body. With a value it is something else, and which reading is right
            // decides whether a body is complete: refuse.
            if value.is_some() {
                return Err(ChunkError::MalformedExtension);
            }
            end = EndOfFile::Ieof;
        }
        if crate::wire::grammar::trim(after).is_empty() {
            return Ok(end);
        }
        rest = after;
    }
}

/// Name and value.
type Extension<'a> = (&'a [u8], Option<&'a [u8]>);

fn extension(input: &[u8]) -> IResult<&[u8], Extension<'_>> {
    let value = preceded((spaces, tag("="), spaces), alt((token, quoted_string)));
    preceded((spaces, tag(";"), spaces), (token, opt(value))).parse(input)
}

/// The trailer section of `len` bytes, blank line included, taken off `input`.
fn trailers(input: &mut BytesMut, len: usize) -> Result<Fields, ChunkError> {
    if len == 2 {
        input.advance(2);
        return Ok(Fields::default());
    }
    let mut section = input.split_to(len);
    section.truncate(len.saturating_sub(2));
    let (fields, deviations) = Fields::parse(section.freeze());
    if deviations.is_empty() {
        Ok(fields)
    } else {
        Err(ChunkError::MalformedTrailer)
    }
}

/// A chunk up to this size is copied together with its neighbours.
const GATHERED_CHUNK_BYTES: usize = 512;

/// What is gathered before it is handed out.
const GATHERED_BYTES: usize = 4 * 1024;

/// 16 hexadecimal digits fill a `u64`; more would be leading zeros that no client sends.
const MAX_SIZE_DIGITS: usize = 16;
