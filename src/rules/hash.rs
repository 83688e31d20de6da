//! `hash/*`: lists of whole-content digests, to block or to allow, as abuse.ch and ClamAV publish them.
//!
//! | format | a line |
//! | --- | --- |
//! | plain | `<md5 or sha256 hex>` and anything after a blank, comma or semicolon; `#` begins a comment |
//! | abuse.ch CSV | `"first seen","sha256","md5",…`: the quoted hex columns |
//! | ClamAV `.hdb`, `.hsb` | `<hex>:<size or *>:<name>[:<level>]` |
//!
//! A file whose name ends in `.allow.txt` (or begins with `allow`) holds digests that are known to be good.

use std::path::Path;
use std::sync::Arc;

use crate::rules::{Fault, RulesError};

/// The digests of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HashList {
    /// Name of the list: its file name without the extension; part of the finding's id.
    pub name: Box<str>,
    /// Block or allow.
    pub kind: ListKind,
    /// Name of the bundle that it came in.
    pub bundle: Arc<str>,
    /// SHA-256 digests, as they come.
    pub sha256: Vec<[u8; 32]>,
    /// MD5 digests, as they come.
    pub md5: Vec<[u8; 16]>,
}

/// What a digest on the list means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ListKind {
    /// Known to be bad.
    #[default]
    Block,
    /// Known to be good: hash findings of the same content are dropped.
    Allow,
}

/// Entries in all lists together.
pub const MAX_ENTRIES: usize = 4_000_000;

/// Reads a list.
///
/// # Errors
/// [`RulesError`] with the line that is not a digest.
pub fn parse(file: &Path, text: &[u8]) -> Result<HashList, RulesError> {
    parse_up_to(file, text, MAX_ENTRIES)
}

fn parse_up_to(file: &Path, text: &[u8], limit: usize) -> Result<HashList, RulesError> {
    let file_name = file
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or("list");
    let allow = file_name.starts_with("allow") || file_name.ends_with(".allow.txt");
    let mut list = HashList {
        name: file_name.split('.').next().unwrap_or(file_name).into(),
        kind: if allow {
            ListKind::Allow
        } else {
            ListKind::Block
        },
        ..HashList::default()
    };
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() || matches!(line.first(), Some(b'#' | b';')) {
            continue;
        }
        let number = u32::try_from(index).unwrap_or(u32::MAX).saturating_add(1);
        let before = list.sha256.len() + list.md5.len();
        for field in line.split(|byte| matches!(byte, b',' | b';' | b':' | b' ' | b'\t')) {
            let field = field.trim_ascii();
            let field = field
                .strip_prefix(b"\"")
                .and_then(|rest| rest.strip_suffix(b"\""))
                .unwrap_or(field);
            if let Some(digest) = digest::<32>(field) {
                list.sha256.push(digest);
                break;
            }
            if let Some(digest) = digest::<16>(field) {
                list.md5.push(digest);
                break;
            }
        }
        let after = list.sha256.len() + list.md5.len();
        if after == before && !is_header(line) {
            return Err(RulesError::new(
                file,
                Some(number),
                Fault::BadEncoding {
                    encoding: "digest: 32 (MD5) or 64 (SHA-256) hex digits",
                },
            ));
        }
        if after > limit {
            let fault = Fault::TooManyRules { limit };
            return Err(RulesError::new(file, Some(number), fault));
        }
    }
    Ok(list)
}

/// A CSV's line of column names.
fn is_header(line: &[u8]) -> bool {
    let lower = line.to_ascii_lowercase();
    [b"sha256".as_slice(), b"md5", b"hash"]
        .iter()
        .any(|name| memchr::memmem::find(&lower, name).is_some())
}

fn digest<const N: usize>(hex: &[u8]) -> Option<[u8; N]> {
    if hex.len() != N * 2 {
        return None;
    }
    let mut out = [0; N];
    for (byte, pair) in out.iter_mut().zip(hex.chunks_exact(2)) {
        let (high, low) = (pair.first()?, pair.get(1)?);
        let high = char::from(*high).to_digit(16)?;
        let low = char::from(*low).to_digit(16)?;
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MD5: &str = "d41d8cd98f00b204e9800998ecf8427e";
    const SHA: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn reads_plain_clamav_and_abuse_ch_lines() {
        let text = format!(
            "# comment\n{MD5}\n{SHA}  name.exe\r\n{MD5}:1024:Some.Name\n{SHA}:*:Other.Name:73\n\"2020-01-01 00:00:00\",\"{SHA}\",\"{MD5}\",\"x\"\n"
        );
        let list = parse(Path::new("hash/bad.hdb"), text.as_bytes()).expect("parses");
        assert_eq!((&*list.name, list.kind), ("bad", ListKind::Block));
        assert_eq!((list.md5.len(), list.sha256.len()), (2, 3));
    }

    #[test]
    fn a_list_beyond_the_limit_is_refused_at_its_line() {
        let text = format!("{MD5}\n# comment\n{SHA}\n{MD5}\n");
        let parsed = |limit| parse_up_to(Path::new("x.txt"), text.as_bytes(), limit);
        assert!(parsed(3).is_ok());
        let error = parsed(2).expect_err("one more");
        assert!(matches!(error.fault, Fault::TooManyRules { limit: 2 }));
        assert_eq!(error.line, Some(4));
    }

    #[test]
    fn names_the_line_that_is_no_digest() {
        let text = format!("{MD5}\nnothing\n");
        let error = parse(Path::new("x.txt"), text.as_bytes()).expect_err("no digest");
        assert_eq!(error.line, Some(2));
    }

    #[test]
    fn the_name_says_that_a_list_allows() {
        let list = parse(Path::new("good.allow.txt"), MD5.as_bytes()).expect("parses");
        assert_eq!(list.kind, ListKind::Allow);
    }
}
