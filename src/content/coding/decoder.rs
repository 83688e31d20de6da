//! One compressed stream of any format, decoded window by window.

use super::brotli::Brotli;
use super::bzip2::Bzip2;
use super::deflate64::Deflate64;
use super::gzip::Gzip;
use super::inflate::{Deflate, Inflate, Wrap};
use super::xz::Xz;
use super::zstd::Zstd;
use crate::anomaly::Anomaly;
use crate::content::Limits;
use crate::content::declared::Coding;
use crate::content::window::Window;

/// A compressed format: a content-coding, a file, or a method of zip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::content) enum Format {
    /// As it is (zip's method 0).
    Stored,
    /// gzip.
    Gzip,
    /// zlib, or bare DEFLATE: the data decides.
    Deflate,
    /// Bare DEFLATE (zip's method 8).
    Bare,
    /// Deflate64 (zip's method 9).
    Deflate64,
    /// Brotli.
    Brotli,
    /// Zstandard.
    Zstd,
    /// bzip2.
    Bzip2,
    /// xz.
    Xz,
}

impl Format {
    /// The format of a content-coding.
    pub(super) fn of(coding: Coding) -> Option<Self> {
        Some(match coding {
            Coding::Gzip => Format::Gzip,
            Coding::Deflate => Format::Deflate,
            Coding::Brotli => Format::Brotli,
            Coding::Zstd => Format::Zstd,
            Coding::Unknown => return None,
        })
    }

    /// True when other data cannot pass for it: it has a magic number or a checksum.
    pub(super) fn is_sure(self) -> bool {
        match self {
            Format::Gzip | Format::Zstd | Format::Bzip2 | Format::Xz => true,
            Format::Stored | Format::Deflate | Format::Bare | Format::Deflate64 => false,
            Format::Brotli => false,
        }
    }
}

/// What one call of a decoder came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::content) enum Decoded {
    /// All input is taken.
    NeedInput,
    /// The window is full; more output may wait.
    Full,
    /// A gzip member, a zstd frame or the like has ended; another may follow.
    Member,
    /// The stream has ended; the last `back` bytes taken, and all that follow, are not part of it.
    Over {
        /// Bytes taken too many.
        back: u64,
    },
    /// It cannot be decoded any further.
    Broken(Anomaly),
}

/// One compressed stream.
#[derive(Debug)]
pub(in crate::content) enum Decoder {
    Stored,
    Gzip(Box<Gzip>),
    Deflate(Box<Deflate>),
    Bare(Box<Inflate>),
    Deflate64(Deflate64),
    Brotli(Brotli),
    Zstd(Zstd),
    Bzip2(Bzip2),
    Xz(Box<Xz>),
}

impl Decoder {
    /// `None` when there is no memory for it.
    pub(in crate::content) fn new(format: Format, limits: &Limits) -> Option<Self> {
        Some(match format {
            Format::Stored => Decoder::Stored,
            Format::Gzip => Decoder::Gzip(Box::default()),
            Format::Deflate => Decoder::Deflate(Box::default()),
            Format::Bare => Decoder::Bare(Box::new(Inflate::new(Wrap::Raw))),
            Format::Deflate64 => Decoder::Deflate64(Deflate64::new()),
            Format::Brotli => Decoder::Brotli(Brotli::new()),
            Format::Zstd => Decoder::Zstd(Zstd::new(limits.coding_window_bytes)?),
            Format::Bzip2 => Decoder::Bzip2(Bzip2::new()),
            Format::Xz => Decoder::Xz(Box::new(Xz::new(limits.coding_window_bytes)?)),
        })
    }

    /// Takes input and fills the window.
    pub(in crate::content) fn decode(&mut self, input: &mut &[u8], out: &mut Window) -> Decoded {
        match self {
            Decoder::Stored => {
                out.copy(input);
                match out.is_full() {
                    true => Decoded::Full,
                    false => Decoded::NeedInput,
                }
            }
            Decoder::Gzip(gzip) => gzip.decode(input, out),
            Decoder::Deflate(deflate) => deflate.decode(input, out),
            Decoder::Bare(inflate) => match inflate.is_over() {
                true => Decoded::Over { back: 0 },
                false => match inflate.decode(input, out) {
                    Decoded::Member => Decoded::Over { back: 0 },
                    other => other,
                },
            },
            Decoder::Deflate64(deflate64) => deflate64.decode(input, out),
            Decoder::Brotli(brotli) => brotli.decode(input, out),
            Decoder::Zstd(zstd) => zstd.decode(input, out),
            Decoder::Bzip2(bzip2) => bzip2.decode(input, out),
            Decoder::Xz(xz) => xz.decode(input, out),
        }
    }

    /// True when the input may end here.
    pub(in crate::content) fn is_complete(&self) -> bool {
        match self {
            Decoder::Stored => true,
            Decoder::Gzip(gzip) => gzip.is_complete(),
            Decoder::Deflate(deflate) => deflate.is_complete(),
            Decoder::Bare(inflate) => inflate.is_over(),
            Decoder::Deflate64(deflate64) => deflate64.is_complete(),
            Decoder::Brotli(brotli) => brotli.is_complete(),
            Decoder::Zstd(zstd) => zstd.is_complete(),
            Decoder::Bzip2(bzip2) => bzip2.is_complete(),
            Decoder::Xz(xz) => xz.is_complete(),
        }
    }

    /// Bytes of memory that it holds after `written` bytes of output: exact where the library tells, else what its
    /// window can have grown to.
    pub(in crate::content) fn memory_bytes(&self, written: u64) -> u64 {
        match self {
            Decoder::Stored => 0,
            Decoder::Gzip(_) | Decoder::Deflate(_) | Decoder::Bare(_) => INFLATE_BYTES,
            Decoder::Deflate64(_) => 2 * INFLATE_BYTES,
            Decoder::Brotli(_) => grown(written, BROTLI_WINDOW_BYTES),
            Decoder::Zstd(zstd) => zstd.memory_bytes(),
            Decoder::Bzip2(_) => BZIP2_BYTES,
            Decoder::Xz(xz) => grown(written, xz.memory_bytes()),
        }
    }
}

/// A window that doubles as it fills.
fn grown(written: u64, most: u64) -> u64 {
    written.max(INFLATE_BYTES).next_power_of_two().min(most)
}

/// zlib's own figure for inflate, rounded up.
const INFLATE_BYTES: u64 = 48 * 1024;

/// RFC 7932 §9.1: WBITS is at most 24.
const BROTLI_WINDOW_BYTES: u64 = 1 << 24;

/// What bzip2's manual gives for decompressing 900k blocks.
const BZIP2_BYTES: u64 = 3700 * 1024;
