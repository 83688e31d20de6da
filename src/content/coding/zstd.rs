//! Zstandard (RFC 8878): any number of frames, skippable ones too.

use std::fmt;

use zstd::zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer};

use super::decoder::Decoded;
use crate::anomaly::Anomaly;
use crate::content::window::Window;

/// A zstd stream.
pub(in crate::content) struct Zstd {
    context: DCtx<'static>,
    state: State,
}

/// Where it is. The magic number is read here, so that what follows the last frame is told from a broken frame.
#[derive(Clone, Copy, Debug)]
enum State {
    /// Before a frame, with so many bytes of its magic number.
    Magic {
        bytes: [u8; 4],
        at: usize,
        first: bool,
    },
    /// In a frame.
    Frame,
    /// Nothing more is zstd.
    Over,
}

impl Zstd {
    /// `None` when there is no memory for the context.
    pub(super) fn new(window_bytes: u64) -> Option<Self> {
        let mut context = DCtx::try_create()?;
        let log = window_bytes.max(1024).ilog2().clamp(10, 30);
        context.set_parameter(DParameter::WindowLogMax(log)).ok()?;
        Some(Self {
            context,
            state: State::magic(true),
        })
    }

    pub(super) fn decode(&mut self, input: &mut &[u8], out: &mut Window) -> Decoded {
        loop {
            match &mut self.state {
                State::Over if input.is_empty() => return Decoded::NeedInput,
                State::Over => return Decoded::Over { back: 0 },
                State::Magic { bytes, at, first } => {
                    let Some((byte, rest)) = input.split_first() else {
                        return Decoded::NeedInput;
                    };
                    *input = rest;
                    if let Some(place) = bytes.get_mut(*at) {
                        *place = *byte;
                    }
                    *at += 1;
                    if *at < bytes.len() {
                        continue;
                    }
                    if !is_frame(*bytes) {
                        let first = *first;
                        self.state = State::Over;
                        return match first {
                            true => Decoded::Broken(Anomaly::BrokenCoding),
                            false => Decoded::Over { back: 4 },
                        };
                    }
                    let bytes = *bytes;
                    self.state = State::Frame;
                    let mut magic = bytes.as_slice();
                    match self.frame(&mut magic, out) {
                        Decoded::NeedInput => {}
                        other => return other,
                    }
                }
                State::Frame => return self.frame(input, out),
            }
        }
    }

    /// True between frames. Up to three bytes of a next magic number are then trailing data, which [`decode`] cannot
    /// tell from a frame that is cut short, so they are not complete.
    ///
    /// [`decode`]: Self::decode
    pub(super) fn is_complete(&self) -> bool {
        matches!(
            self.state,
            State::Magic {
                at: 0,
                first: false,
                ..
            } | State::Over
        )
    }

    /// Bytes that the context holds, its window included.
    pub(super) fn memory_bytes(&self) -> u64 {
        self.context.sizeof() as u64
    }

    fn frame(&mut self, input: &mut &[u8], out: &mut Window) -> Decoded {
        loop {
            let mut room = OutBuffer::around(out.spare());
            let mut from = InBuffer::around(input);
            let result = self.context.decompress_stream(&mut room, &mut from);
            let (taken, written) = (from.pos(), room.pos());
            *input = input.get(taken..).unwrap_or_default();
            out.advance(written);
            match result {
                Ok(0) => {
                    self.state = State::magic(false);
                    return Decoded::Member;
                }
                Ok(_) if out.is_full() => return Decoded::Full,
                Ok(_) if input.is_empty() => return Decoded::NeedInput,
                Ok(_) if taken == 0 && written == 0 => {
                    return Decoded::Broken(Anomaly::BrokenCoding);
                }
                Ok(_) => {}
                Err(code) if code.wrapping_neg() == WINDOW_TOO_LARGE => {
                    return Decoded::Broken(Anomaly::CodingWindowTooLarge);
                }
                Err(_) => return Decoded::Broken(Anomaly::BrokenCoding),
            }
        }
    }
}

impl State {
    fn magic(first: bool) -> Self {
        State::Magic {
            bytes: [0; 4],
            at: 0,
            first,
        }
    }
}

/// RFC 8878 §3.1.1 and §3.1.2: a frame or a skippable frame.
fn is_frame(magic: [u8; 4]) -> bool {
    let magic = u32::from_le_bytes(magic);
    magic == 0xFD2F_B528 || magic & 0xFFFF_FFF0 == 0x184D_2A50
}

impl fmt::Debug for Zstd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Zstd").field("state", &self.state).finish()
    }
}

/// `ZSTD_error_frameParameter_windowTooLarge`; errors are returned as its negative.
const WINDOW_TOO_LARGE: usize = 16;
