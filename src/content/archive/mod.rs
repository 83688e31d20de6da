//! Archives: members become parts while the archive streams by.
//!
//! Nothing is seekable here, so zip is walked by its local headers, and its central directory, which other readers go
//! by, is held against that walk when it comes.

mod tar;
mod zip;

pub(super) use tar::Tar;
pub(super) use zip::{Start, Zip};

use super::PartKind;
use super::reader::Child;

/// The part of a member of that name.
fn member(format: &str, name: &str) -> Child {
    let mut child = Child::new(PartKind::Member, format!("{format}:{name}"));
    child.name = Some(name.into());
    child
}

/// True for a name that would leave the folder into which it is unpacked, or hides behind a NUL.
fn escapes(name: &[u8]) -> bool {
    let mut components = name.split(|byte| matches!(byte, b'/' | b'\\'));
    let drive = name.get(1) == Some(&b':') && name.first().is_some_and(u8::is_ascii_alphabetic);
    name.contains(&0)
        || drive
        || matches!(name.first(), Some(b'/' | b'\\'))
        || components.any(|component| component == b"..")
}

/// Bytes of a member's name that are kept.
const NAME_BYTES: usize = 1024;
