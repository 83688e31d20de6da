//! The files of a bundle as they were read, before anything in them is believed: what is tried aside and what is then put
//! in force are the same bytes, whatever happens to the files in between.
//!
//! On the way to the process that tries them they are lengths and bytes, nothing else.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::rules::bundle::{self, Bundle, BundleDigest, Source};
use crate::rules::{RulesError, folder, pack};

/// A bundle's bytes.
#[derive(Clone, Debug)]
pub struct Raw {
    /// What messages call it.
    shown: PathBuf,
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    /// The rules of the program itself.
    Embedded,
    /// Files of a folder, or a single one.
    Files(Vec<Source>),
    /// A pack.
    Pack(Vec<u8>),
}

impl Raw {
    /// The rules that come with the program.
    pub fn embedded() -> Self {
        Self {
            shown: "signatures".into(),
            form: Form::Embedded,
        }
    }

    /// The bytes of a pack; `shown` is what messages call it.
    pub fn pack(shown: &Path, bytes: Vec<u8>) -> Self {
        Self {
            shown: shown.into(),
            form: Form::Pack(bytes),
        }
    }

    /// Reads a folder, a single rule file or a pack.
    ///
    /// # Errors
    /// [`RulesError`] for files that are missing, too many, too large, links, or that others may write.
    pub fn read(root: &Path) -> Result<Self, RulesError> {
        let form = match is_pack(root) {
            true => Form::Pack(folder::read(root, pack::PACK_BYTES)?),
            false => Form::Files(bundle::sources_of(root)?),
        };
        Ok(Self {
            shown: root.into(),
            form,
        })
    }

    /// What messages call it.
    pub fn shown(&self) -> &Path {
        &self.shown
    }

    /// Reads what is in it.
    ///
    /// # Errors
    /// [`RulesError`] with file and line.
    pub fn parse(&self) -> Result<Bundle, RulesError> {
        match &self.form {
            Form::Embedded => Ok(Bundle::embedded()),
            Form::Files(sources) => Bundle::from_sources(sources.clone(), &self.shown),
            Form::Pack(bytes) => pack::read(&self.shown, bytes),
        }
    }

    /// The bytes of a pack.
    pub fn pack_bytes(&self) -> Option<&[u8]> {
        match &self.form {
            Form::Pack(bytes) => Some(bytes),
            Form::Embedded | Form::Files(_) => None,
        }
    }

    /// True for the rules that come with the program: their examples are held to by its own tests.
    pub fn is_embedded(&self) -> bool {
        matches!(self.form, Form::Embedded)
    }

    /// A digest of all bytes of several bundles, to see whether anything changed.
    pub fn digest_of(all: &[Self]) -> BundleDigest {
        let mut hash = Hash(Sha256::new());
        for raw in all {
            raw.write_to(&mut hash).expect("a digest takes all bytes");
        }
        BundleDigest(hash.0.finalize().into())
    }

    /// Writes it down for [`read_from`](Self::read_from).
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        let tag = match &self.form {
            Form::Embedded => EMBEDDED,
            Form::Files(_) => FILES,
            Form::Pack(_) => PACK,
        };
        out.write_all(&[tag])?;
        put(out, self.shown.as_os_str().as_encoded_bytes())?;
        match &self.form {
            Form::Embedded => Ok(()),
            Form::Pack(bytes) => put(out, bytes),
            Form::Files(sources) => {
                out.write_all(&(sources.len() as u64).to_be_bytes())?;
                for source in sources {
                    put(out, source.path.as_os_str().as_encoded_bytes())?;
                    put(out, &source.bytes)?;
                }
                Ok(())
            }
        }
    }

    /// The next one of those written down; `None` at the end.
    ///
    /// # Errors
    /// Those of `input`, and when it does not hold what was written.
    pub fn read_from(input: &mut impl Read) -> io::Result<Option<Self>> {
        let mut tag = [0];
        if input.read(&mut tag)? == 0 {
            return Ok(None);
        }
        let shown = path(take(input, PATH_BYTES)?)?;
        let form = match tag {
            [EMBEDDED] => Form::Embedded,
            [PACK] => Form::Pack(take(input, pack::PACK_BYTES)?),
            [FILES] => {
                let count = number(input)?;
                if count > folder::MAX_FILES as u64 {
                    return Err(io::ErrorKind::InvalidData.into());
                }
                let mut sources = Vec::new();
                for _ in 0..count {
                    sources.push(Source {
                        path: path(take(input, PATH_BYTES)?)?,
                        bytes: take(input, folder::FILE_BYTES)?,
                    });
                }
                Form::Files(sources)
            }
            _ => return Err(io::ErrorKind::InvalidData.into()),
        };
        Ok(Some(Self { shown, form }))
    }
}

/// True when the path names a pack.
pub fn is_pack(path: &Path) -> bool {
    path.to_string_lossy().ends_with(".tar.zst")
}

const EMBEDDED: u8 = 1;
const FILES: u8 = 2;
const PACK: u8 = 3;

/// Longest path of a file; PATH_MAX of Linux.
const PATH_BYTES: u64 = 4096;

struct Hash(Sha256);

impl Write for Hash {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn put(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    out.write_all(&(bytes.len() as u64).to_be_bytes())?;
    out.write_all(bytes)
}

fn number(input: &mut impl Read) -> io::Result<u64> {
    let mut bytes = [0; 8];
    input.read_exact(&mut bytes)?;
    Ok(u64::from_be_bytes(bytes))
}

fn take(input: &mut impl Read, limit: u64) -> io::Result<Vec<u8>> {
    let length = number(input)?;
    if length > limit {
        return Err(io::ErrorKind::InvalidData.into());
    }
    // No capacity in advance: a length is a claim until its bytes have come.
    let mut bytes = Vec::new();
    input.take(length).read_to_end(&mut bytes)?;
    match bytes.len() as u64 == length {
        true => Ok(bytes),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn path(bytes: Vec<u8>) -> io::Result<PathBuf> {
    use std::os::unix::ffi::OsStringExt as _;
    Ok(std::ffi::OsString::from_vec(bytes).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_down_is_read_back_and_no_cut_passes() {
        let files = Raw {
            shown: "own".into(),
            form: Form::Files(vec![Source {
                path: "literal/a.toml".into(),
                bytes: b"[[rule]]\nid='a/b'\ntext='abc'\n".to_vec(),
            }]),
        };
        let all = [
            Raw::embedded(),
            files,
            Raw::pack(Path::new("p.tar.zst"), vec![1, 2, 3]),
        ];
        let mut text = Vec::new();
        for raw in &all {
            raw.write_to(&mut text).expect("a vector takes all");
        }
        let back = |mut input: &[u8]| -> io::Result<Vec<Raw>> {
            std::iter::from_fn(|| Raw::read_from(&mut input).transpose()).collect()
        };
        let read = back(&text).expect("reads");
        assert_eq!(Raw::digest_of(&read), Raw::digest_of(&all));
        assert_eq!(read[1].parse().expect("parses").literals.len(), 1);
        for cut in 0..text.len() {
            let whole = back(&text[..cut]).is_ok_and(|read| read.len() == all.len());
            assert!(!whole, "cut at {cut}");
        }
    }
}
