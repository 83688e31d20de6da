//! Encoders, for the edited body that must leave in the codings in which it came.

use std::fmt;
use std::io::{self, Write};

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};

use crate::content::declared::Coding;

/// Applies one content-coding, push-style: output comes as it is produced and may lag behind the input.
pub struct Encoder {
    inner: Inner,
}

enum Inner {
    Gzip(GzEncoder<Vec<u8>>),
    Deflate(ZlibEncoder<Vec<u8>>),
    Brotli(Box<brotli::CompressorWriter<Vec<u8>>>),
    Zstd(Box<zstd::stream::write::Encoder<'static, Vec<u8>>>),
}

/// A coding cannot be applied: it is unknown, or its library has no memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the content-coding {} cannot be applied", .0.name())]
pub struct Unencodable(pub Coding);

impl Encoder {
    /// An encoder of that coding, at a level meant for traffic in flight.
    ///
    /// # Errors
    /// [`Unencodable`].
    pub fn new(coding: Coding) -> Result<Self, Unencodable> {
        let inner = match coding {
            Coding::Gzip => Inner::Gzip(GzEncoder::new(Vec::new(), Compression::new(LEVEL))),
            Coding::Deflate => {
                Inner::Deflate(ZlibEncoder::new(Vec::new(), Compression::new(LEVEL)))
            }
            Coding::Brotli => Inner::Brotli(Box::new(brotli::CompressorWriter::new(
                Vec::new(),
                BROTLI_BUFFER_BYTES,
                BROTLI_QUALITY,
                BROTLI_WINDOW_LOG,
            ))),
            Coding::Zstd => zstd::stream::write::Encoder::new(Vec::new(), ZSTD_LEVEL)
                .map(|encoder| Inner::Zstd(Box::new(encoder)))
                .map_err(|_| Unencodable(coding))?,
            Coding::Unknown => return Err(Unencodable(coding)),
        };
        Ok(Self { inner })
    }

    /// Memory that an encoder of that coding takes, about: its window and its tables.
    pub fn memory_bytes(coding: Coding) -> u64 {
        match coding {
            Coding::Gzip | Coding::Deflate => 300 * 1024,
            Coding::Brotli => 2 * 1024 * 1024,
            Coding::Zstd => 4 * 1024 * 1024,
            Coding::Unknown => 0,
        }
    }

    /// Takes `bytes` and appends to `out` what is ready.
    ///
    /// # Errors
    /// What the library says; none of them fails on a vector but for want of memory.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        let ready = match &mut self.inner {
            Inner::Gzip(encoder) => {
                encoder.write_all(bytes)?;
                encoder.get_mut()
            }
            Inner::Deflate(encoder) => {
                encoder.write_all(bytes)?;
                encoder.get_mut()
            }
            Inner::Brotli(encoder) => {
                encoder.write_all(bytes)?;
                encoder.get_mut()
            }
            Inner::Zstd(encoder) => {
                encoder.write_all(bytes)?;
                encoder.get_mut()
            }
        };
        out.append(ready);
        Ok(())
    }

    /// Ends the stream and appends the rest to `out`.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn finish(self, out: &mut Vec<u8>) -> io::Result<()> {
        let mut rest = match self.inner {
            Inner::Gzip(encoder) => encoder.finish()?,
            Inner::Deflate(encoder) => encoder.finish()?,
            Inner::Brotli(encoder) => encoder.into_inner(),
            Inner::Zstd(encoder) => encoder.finish()?,
        };
        out.append(&mut rest);
        Ok(())
    }
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let coding = match self.inner {
            Inner::Gzip(_) => Coding::Gzip,
            Inner::Deflate(_) => Coding::Deflate,
            Inner::Brotli(_) => Coding::Brotli,
            Inner::Zstd(_) => Coding::Zstd,
        };
        f.debug_tuple("Encoder").field(&coding).finish()
    }
}

/// DEFLATE level: what nginx and Apache use in flight ranges from 1 to 6.
const LEVEL: u32 = 4;
/// Brotli quality and window for traffic in flight: 4 is Cloudflare's; 2^18 keeps an encoder below 1 MiB.
const BROTLI_QUALITY: u32 = 4;
const BROTLI_WINDOW_LOG: u32 = 18;
const BROTLI_BUFFER_BYTES: usize = 4096;
/// zstd's default level; its window is 2 MiB, under the 8 MiB that RFC 9659 allows.
const ZSTD_LEVEL: i32 = 3;
