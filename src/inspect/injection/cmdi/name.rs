//! Names of programs: with directory, with extension, with letters left open.

use super::shell::Marks;
use crate::inspect::injection::lexis::has;

/// The name of a command without directory and `.exe`, and whether it had one of them.
pub(super) fn base_name(word: &[u8]) -> (&[u8], bool) {
    let word = word
        .strip_prefix(b"@")
        .or_else(|| word.strip_prefix(b"+"))
        .unwrap_or(word);
    let base = word
        .iter()
        .rposition(|byte| matches!(byte, b'/' | b'\\'))
        .map_or(word, |at| word.get(at + 1..).unwrap_or_default());
    let stem = base
        .strip_suffix(b".exe")
        .or_else(|| base.strip_suffix(b".com"))
        .unwrap_or(base);
    let directory = word
        .get(..word.len().saturating_sub(base.len()))
        .unwrap_or_default();
    if directory.is_empty() {
        return (stem, stem.len() != base.len());
    }
    let plausible = directory == b"./"
        || holds_pair(directory, [b"in", b"m3"])
            && (has(directory, b"bin/")
                || has(directory, b"system32")
                || has(directory, b"windows"));
    if plausible {
        (stem, base.len() != word.len() || stem.len() != base.len())
    } else {
        (word, false)
    }
}

/// Cheaper than a search for words: most directories fail here.
fn holds_pair(directory: &[u8], pairs: [&[u8; 2]; 2]) -> bool {
    directory.array_windows().any(|pair| pairs.contains(&pair))
}

/// `/usr/bin/x`, `bin/x`
pub(super) fn in_bin(word: &[u8]) -> bool {
    const PLACES: &[&[u8]] = &[
        b"/bin/",
        b"/sbin/",
        b"/usr/bin/",
        b"/usr/sbin/",
        b"/usr/local/bin/",
        b"usr/bin/",
        b"bin/",
    ];
    PLACES
        .iter()
        .any(|place| word.starts_with(place) && word.len() > place.len())
}

/// `/b?n/c*t`: a path to a command with letters left open.
pub(super) fn globbed_path(word: &[u8], marks: Marks) -> bool {
    if !marks.contains(Marks::GLOB) || word.first() != Some(&b'/') {
        return false;
    }
    let slashes = word.iter().filter(|byte| **byte == b'/').count();
    let open = word
        .iter()
        .filter(|byte| matches!(byte, b'?' | b'[' | b'*'))
        .count();
    slashes >= 2
        && (open >= 2 || has(word, b"bin/"))
        && word.len() <= 40
        && !word.ends_with(b"/*")
        && !has(word, b"**")
}
