//! Deflate64, zip's method 9: Windows Explorer makes it for members over 2 GiB.

use std::fmt;

use deflate64::InflaterManaged;

use super::decoder::Decoded;
use crate::anomaly::Anomaly;
use crate::content::window::Window;

/// A Deflate64 stream.
pub(in crate::content) struct Deflate64 {
    inflater: Box<InflaterManaged>,
}

impl Deflate64 {
    pub(super) fn new() -> Self {
        Self {
            inflater: Box::new(InflaterManaged::new()),
        }
    }

    pub(super) fn decode(&mut self, input: &mut &[u8], out: &mut Window) -> Decoded {
        loop {
            if self.inflater.finished() {
                return Decoded::Over { back: 0 };
            }
            let result = self.inflater.inflate(input, out.spare());
            *input = input.get(result.bytes_consumed..).unwrap_or_default();
            out.advance(result.bytes_written);
            if result.data_error || self.inflater.errored() {
                return Decoded::Broken(Anomaly::BrokenCoding);
            }
            if out.is_full() {
                return Decoded::Full;
            }
            if input.is_empty() && result.bytes_written == 0 {
                return match self.inflater.finished() {
                    true => Decoded::Over { back: 0 },
                    false => Decoded::NeedInput,
                };
            }
            if result.bytes_consumed == 0 && result.bytes_written == 0 {
                return Decoded::Broken(Anomaly::BrokenCoding);
            }
        }
    }

    pub(super) fn is_complete(&self) -> bool {
        self.inflater.finished()
    }
}

impl fmt::Debug for Deflate64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deflate64").finish_non_exhaustive()
    }
}
