//! xz: any number of streams.

use std::fmt;

use liblzma::stream::{Action, Error, Status, Stream};

use super::decoder::Decoded;
use crate::anomaly::Anomaly;
use crate::content::window::Window;

/// An xz file, or the data of one zip member.
pub(in crate::content) struct Xz {
    stream: Stream,
    memory: u64,
    /// Between two streams.
    between: bool,
}

impl Xz {
    /// `None` when there is no memory for it. `dictionary_bytes` is the most that a stream may ask for.
    pub(super) fn new(dictionary_bytes: u64) -> Option<Self> {
        let memory = dictionary_bytes.saturating_add(OVERHEAD_BYTES);
        Some(Self {
            stream: Stream::new_stream_decoder(memory, 0).ok()?,
            memory,
            between: false,
        })
    }

    pub(super) fn decode(&mut self, input: &mut &[u8], out: &mut Window) -> Decoded {
        if self.between {
            // Streams are padded with zeros to multiples of four (xz file format §2.2).
            let padding = input.iter().take_while(|byte| **byte == 0).count();
            *input = input.get(padding..).unwrap_or_default();
            match input.first() {
                None => return Decoded::NeedInput,
                Some(0xfd) => {
                    let Ok(stream) = Stream::new_stream_decoder(self.memory, 0) else {
                        return Decoded::Broken(Anomaly::MemoryBudget);
                    };
                    self.stream = stream;
                    self.between = false;
                }
                Some(_) => return Decoded::Over { back: 0 },
            }
        }
        loop {
            let (taken, written) = (self.stream.total_in(), self.stream.total_out());
            let status = self.stream.process(input, out.spare(), Action::Run);
            let taken = self.stream.total_in().saturating_sub(taken);
            let written = self.stream.total_out().saturating_sub(written);
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
                Err(Error::MemLimit) => return Decoded::Broken(Anomaly::CodingWindowTooLarge),
                Ok(_) | Err(_) => return Decoded::Broken(Anomaly::BrokenCoding),
            }
        }
    }

    /// Bytes that it may hold at most.
    pub(super) fn memory_bytes(&self) -> u64 {
        self.memory
    }

    pub(super) fn is_complete(&self) -> bool {
        self.between
    }
}

impl fmt::Debug for Xz {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Xz")
            .field("between", &self.between)
            .finish()
    }
}

/// What the decoder needs beside its dictionary (liblzma: about 64 KiB and the filters' states).
const OVERHEAD_BYTES: u64 = 1024 * 1024;
