//! Where a head ends. Resumable: a head that comes one byte at a time is still looked at once, and every limit is
//! checked while the bytes arrive (Squid CVE-2024-25617: limits that were checked after the fact).

use memchr::memchr;

/// Which line ends count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineEnds {
    /// CRLF only; a bare LF is an error. For everything ICAP itself reads (security: one reader, one meaning).
    Strict,
    /// A bare LF ends a line too (and will be a deviation), but only CRLFCRLF ends the head. For embedded HTTP heads.
    Lenient,
}

/// How much of a head is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// The whole head, blank line included.
    pub bytes: usize,
    /// Lines, start line included, blank line not.
    pub lines: usize,
    /// The first line, line end included.
    pub first_line_bytes: usize,
    /// Any other line, line end included.
    pub line_bytes: usize,
}

/// What is wrong with a head before it is even read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// Over [`HeadLimits::bytes`].
    #[error("head is longer than {limit} bytes")]
    HeadTooLong {
        /// The limit.
        limit: usize,
    },
    /// Over [`HeadLimits::lines`].
    #[error("head has more than {limit} lines")]
    TooManyLines {
        /// The limit.
        limit: usize,
    },
    /// Over [`HeadLimits::line_bytes`] or [`HeadLimits::first_line_bytes`].
    #[error("line {line} of the head is longer than {limit} bytes")]
    LineTooLong {
        /// The limit.
        limit: usize,
        /// Which line, from 0.
        line: usize,
    },
    /// LF without CR.
    #[error("bare LF at byte {at} of the head")]
    BareLf {
        /// Offset of the LF in the head.
        at: usize,
    },
}

/// Looks for the end of one head.
#[derive(Clone, Debug)]
pub struct HeadFramer {
    line_ends: LineEnds,
    scanned: usize,
    line_start: usize,
    lines: usize,
}

impl HeadFramer {
    /// At the beginning of a head.
    pub fn new(line_ends: LineEnds) -> Self {
        Self {
            line_ends,
            scanned: 0,
            line_start: 0,
            lines: 0,
        }
    }

    /// Complete lines seen so far.
    pub fn lines(&self) -> usize {
        self.lines
    }

    /// Looks at what is new in `head`, which holds the head from its first byte on and perhaps more than the head.
    /// Yields the head's length, blank line included, once its end is there.
    ///
    /// # Errors
    /// A [`FramingError`] as soon as a limit is passed or a line is ended wrongly.
    #[inline]
    pub fn advance(
        &mut self,
        head: &[u8],
        limits: &HeadLimits,
    ) -> Result<Option<usize>, FramingError> {
        while let Some(found) = memchr(b'\n', head.get(self.scanned..).unwrap_or_default()) {
            let at = self.scanned + found;
            self.scanned = at + 1;
            self.fits(at + 1, limits)?;
            if self.ends_line(head, at, limits)? {
                return Ok(Some(at + 1));
            }
        }
        self.scanned = head.len();
        self.fits(head.len(), limits)?;
        Ok(None)
    }

    /// Takes note of the line that ends with the LF at `at`; true when that is the end of the head.
    #[inline]
    fn ends_line(
        &mut self,
        head: &[u8],
        at: usize,
        limits: &HeadLimits,
    ) -> Result<bool, FramingError> {
        let line = head.get(self.line_start..at).unwrap_or_default();
        if self.line_ends == LineEnds::Strict && line.last() != Some(&b'\r') {
            return Err(FramingError::BareLf { at });
        }
        if line == b"\r" {
            let blank = match self.line_ends {
                LineEnds::Strict => true,
                LineEnds::Lenient => head
                    .get(..self.line_start)
                    .is_some_and(|before| before.ends_with(b"\r\n")),
            };
            if blank {
                return Ok(true);
            }
        }
        self.line_start = at + 1;
        self.lines += 1;
        if self.lines > limits.lines {
            return Err(FramingError::TooManyLines {
                limit: limits.lines,
            });
        }
        Ok(false)
    }

    /// Names the limit that the first `seen` bytes pass first, so that the misdeed does not depend on how they came.
    #[inline]
    fn fits(&self, seen: usize, limits: &HeadLimits) -> Result<(), FramingError> {
        let line_limit = match self.lines {
            0 => limits.first_line_bytes,
            _ => limits.line_bytes,
        };
        let line_end = self.line_start.saturating_add(line_limit);
        if seen <= limits.bytes.min(line_end) {
            return Ok(());
        }
        Err(if line_end <= limits.bytes {
            FramingError::LineTooLong {
                limit: line_limit,
                line: self.lines,
            }
        } else {
            FramingError::HeadTooLong {
                limit: limits.bytes,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: HeadLimits = HeadLimits {
        bytes: 64,
        lines: 4,
        first_line_bytes: 16,
        line_bytes: 24,
    };

    type Framed = Result<Option<usize>, FramingError>;

    /// The result for `head` however it arrives; panics when arrivals disagree.
    fn framed(head: &[u8], line_ends: LineEnds) -> Framed {
        let whole = HeadFramer::new(line_ends).advance(head, &LIMITS);
        let mut framer = HeadFramer::new(line_ends);
        let mut slowly = Ok(None);
        for end in 1..=head.len() {
            slowly = framer.advance(&head[..end], &LIMITS);
            if slowly != Ok(None) {
                break;
            }
        }
        assert_eq!(whole, slowly, "{:?}", String::from_utf8_lossy(head));
        whole
    }

    #[test]
    fn finds_the_same_end_and_the_same_misdeed_byte_by_byte() {
        use FramingError::*;
        use LineEnds::*;
        let long = [b'a'; 80];
        let cases: [(&[u8], LineEnds, Framed); 13] = [
            (b"a\r\nb: c\r\n\r\nrest", Strict, Ok(Some(11))),
            (b"a\r\nb: c\r\n", Strict, Ok(None)),
            (b"\r\n", Strict, Ok(Some(2))),
            (b"\r\n", Lenient, Ok(None)),
            (b"a\nb\r\n\r\n", Strict, Err(BareLf { at: 1 })),
            (b"a\nb\r\n\r\n", Lenient, Ok(Some(7))),
            (b"a\n\n", Lenient, Ok(None)),
            (b"a\n\r\n", Lenient, Ok(None)),
            (b"a\r\n\n", Strict, Err(BareLf { at: 3 })),
            (&long, Strict, Err(LineTooLong { limit: 16, line: 0 })),
            (
                b"a\r\nb\r\nc\r\nd\r\ne\r\n",
                Strict,
                Err(TooManyLines { limit: 4 }),
            ),
            (b"a\r\n1234567890123456789012\r\n\r\n", Strict, Ok(Some(29))),
            (
                b"a\r\n12345678901234567890123\r\n\r\n",
                Strict,
                Err(LineTooLong { limit: 24, line: 1 }),
            ),
        ];
        for (head, ends, expected) in cases {
            assert_eq!(
                framed(head, ends),
                expected,
                "{:?}",
                String::from_utf8_lossy(head)
            );
        }
        let wide = b"a\r\n12345678901234567890\r\n12345678901234567890\r\n1234567890123456\r\n";
        assert_eq!(framed(wide, Strict), Err(HeadTooLong { limit: 64 }));
    }
}
