//! bzip2: any number of streams, as `bzip2 -d` takes them.

use std::fmt;

use bzip2::{Decompress, Status};

use super::decoder::Decoded;
use crate::anomaly::Anomaly;
use crate::content::window::Window;

/// A bzip2 file, or the data of one zip member.
pub(in crate::content) struct Bzip2 {
    decompress: Decompress,
    /// Between two streams.
    between: bool,
}

impl Bzip2 {
    pub(super) fn new() -> Self {
        Self {
            decompress: Decompress::new(false),
            between: false,
        }
    }

    pub(super) fn decode(&mut self, input: &mut &[u8], out: &mut Window) -> Decoded {
        if self.between {
            match input.first() {
                None => return Decoded::NeedInput,
                Some(b'B') => *self = Self::new(),
                Some(_) => return Decoded::Over { back: 0 },
            }
        }
        loop {
            let (taken, written) = (self.decompress.total_in(), self.decompress.total_out());
            let status = self.decompress.decompress(input, out.spare());
            let taken = self.decompress.total_in().saturating_sub(taken);
            let written = self.decompress.total_out().saturating_sub(written);
            let taken = usize::try_from(taken).unwrap_or(input.len());
            *input = input.get(taken..).unwrap_or_default();
            out.advance(usize::try_from(written).unwrap_or(0));
            match status {
                Ok(Status::StreamEnd) => {
                    self.between = true;
                    return Decoded::Member;
                }
                Ok(_) if out.is_full() => return Decoded::Full,
                Ok(_) if input.is_empty() && written == 0 => return Decoded::NeedInput,
                Ok(_) if taken > 0 || written > 0 => {}
                Ok(_) | Err(_) => return Decoded::Broken(Anomaly::BrokenCoding),
            }
        }
    }

    pub(super) fn is_complete(&self) -> bool {
        self.between
    }
}

impl fmt::Debug for Bzip2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bzip2")
            .field("between", &self.between)
            .finish()
    }
}
