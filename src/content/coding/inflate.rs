//! DEFLATE (RFC 1951), bare or in zlib's wrapping (RFC 1950).

use flate2::{Decompress, FlushDecompress, Status};

use super::decoder::Decoded;
use crate::anomaly::Anomaly;
use crate::content::window::Window;

/// A DEFLATE stream.
#[derive(Debug)]
pub(in crate::content) struct Inflate {
    decompress: Decompress,
    over: bool,
}

/// Who wraps the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::content) enum Wrap {
    /// Nobody.
    Raw,
    /// zlib: two bytes before, an Adler-32 after.
    Zlib,
}

impl Inflate {
    pub(in crate::content) fn new(wrap: Wrap) -> Self {
        Self {
            decompress: Decompress::new(wrap == Wrap::Zlib),
            over: false,
        }
    }

    /// Decodes until the window is full, the input empty, or the stream over ([`Decoded::Member`]).
    pub(in crate::content) fn decode(&mut self, input: &mut &[u8], out: &mut Window) -> Decoded {
        loop {
            let room = out.spare();
            let (taken, written) = (self.decompress.total_in(), self.decompress.total_out());
            let status = self
                .decompress
                .decompress(input, room, FlushDecompress::None);
            let taken = self.decompress.total_in().saturating_sub(taken);
            let written = self.decompress.total_out().saturating_sub(written);
            let taken = usize::try_from(taken).unwrap_or(input.len());
            *input = input.get(taken..).unwrap_or_default();
            out.advance(usize::try_from(written).unwrap_or(0));
            match status {
                Ok(Status::StreamEnd) => {
                    self.over = true;
                    return Decoded::Member;
                }
                Ok(Status::Ok | Status::BufError) => {}
                Err(_) => return Decoded::Broken(Anomaly::BrokenCoding),
            }
            if out.is_full() {
                return Decoded::Full;
            }
            if input.is_empty() {
                return Decoded::NeedInput;
            }
            if taken == 0 && written == 0 {
                return Decoded::Broken(Anomaly::BrokenCoding);
            }
        }
    }

    /// True when the stream has come to its end.
    pub(in crate::content) fn is_over(&self) -> bool {
        self.over
    }
}

/// The `deflate` coding: zlib by RFC 9110 §8.4.1.2, but peers also send and take bare DEFLATE; the first two bytes tell.
#[derive(Debug, Default)]
pub(in crate::content) struct Deflate {
    first: Option<u8>,
    inflate: Option<Inflate>,
}

impl Deflate {
    pub(super) fn decode(&mut self, input: &mut &[u8], out: &mut Window) -> Decoded {
        if self.inflate.is_none() {
            let Some((byte, rest)) = input.split_first() else {
                return Decoded::NeedInput;
            };
            *input = rest;
            let Some(first) = self.first else {
                self.first = Some(*byte);
                return self.decode_rest(input, out);
            };
            return self.start([first, *byte], input, out);
        }
        self.decode_rest(input, out)
    }

    pub(super) fn is_complete(&self) -> bool {
        self.inflate.as_ref().is_some_and(Inflate::is_over)
    }

    fn start(&mut self, head: [u8; 2], input: &mut &[u8], out: &mut Window) -> Decoded {
        let wrap = if is_zlib(head) { Wrap::Zlib } else { Wrap::Raw };
        let inflate = self.inflate.insert(Inflate::new(wrap));
        let mut head = head.as_slice();
        match inflate.decode(&mut head, out) {
            Decoded::NeedInput => self.decode_rest(input, out),
            Decoded::Member => Decoded::Over {
                back: head.len() as u64,
            },
            other => other,
        }
    }

    fn decode_rest(&mut self, input: &mut &[u8], out: &mut Window) -> Decoded {
        let Some(inflate) = &mut self.inflate else {
            return match input.is_empty() {
                true => Decoded::NeedInput,
                false => self.decode(input, out),
            };
        };
        if inflate.is_over() {
            return Decoded::Over { back: 0 };
        }
        match inflate.decode(input, out) {
            Decoded::Member => Decoded::Over { back: 0 },
            other => other,
        }
    }
}

/// RFC 1950 §2.2: CM is 8, CINFO at most 7, no preset dictionary, and the pair a multiple of 31.
fn is_zlib(head: [u8; 2]) -> bool {
    let [method, flags] = head;
    method & 0x0f == 8
        && method >> 4 <= 7
        && flags & 0x20 == 0
        && u16::from_be_bytes(head).is_multiple_of(31)
}
