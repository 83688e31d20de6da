//! Brotli (RFC 7932). Its "large window" extension is off: no browser takes it in a content-coding.

use std::fmt;

use brotli::enc::StandardAlloc;
use brotli::{BrotliDecompressStream, BrotliResult, BrotliState};

use super::decoder::Decoded;
use crate::anomaly::Anomaly;
use crate::content::window::Window;

/// A brotli stream.
pub(in crate::content) struct Brotli {
    state: Box<BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>>,
    over: bool,
}

impl Brotli {
    pub(super) fn new() -> Self {
        let alloc = StandardAlloc::default;
        Self {
            state: Box::new(BrotliState::new_strict(alloc(), alloc(), alloc())),
            over: false,
        }
    }

    pub(super) fn decode(&mut self, input: &mut &[u8], out: &mut Window) -> Decoded {
        if self.over {
            return Decoded::Over { back: 0 };
        }
        let (mut left, mut taken) = (input.len(), 0);
        let room = out.spare();
        let (mut free, mut written, mut total) = (room.len(), 0, 0);
        let result = BrotliDecompressStream(
            &mut left,
            &mut taken,
            input,
            &mut free,
            &mut written,
            room,
            &mut total,
            &mut self.state,
        );
        *input = input.get(taken..).unwrap_or_default();
        out.advance(written);
        match result {
            BrotliResult::ResultSuccess => {
                self.over = true;
                Decoded::Over { back: 0 }
            }
            BrotliResult::NeedsMoreInput if input.is_empty() => Decoded::NeedInput,
            BrotliResult::NeedsMoreOutput if out.is_full() => Decoded::Full,
            BrotliResult::NeedsMoreInput
            | BrotliResult::NeedsMoreOutput
            | BrotliResult::ResultFailure => Decoded::Broken(Anomaly::BrokenCoding),
        }
    }

    pub(super) fn is_complete(&self) -> bool {
        self.over
    }
}

impl fmt::Debug for Brotli {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Brotli").field("over", &self.over).finish()
    }
}
