//! An XML text: the same leaves and findings in any pieces; no entity is ever expanded.

use super::leaves::{Log, rules};
use sluice::inspect::Findings;
use sluice::inspect::xml::{Document, Reader};

/// Panics when the property does not hold for `data`: four cut points and a text.
pub fn holds(data: &[u8]) {
    let Some((cuts, text)) = data.split_at_checked(4) else {
        return;
    };
    let whole = read(text, &[text]);
    let other = read(text, &super::cut(text, cuts));
    assert_eq!(whole.1, other.1);
    assert_eq!(whole, other);
    assert_eq!(whole, read(text, &super::cut(text, &[1])));
}

fn read(text: &[u8], pieces: &[&[u8]]) -> (Log, Vec<String>) {
    let mut log = Log {
        len: text.len() as u64,
        ..Log::default()
    };
    let mut findings = Findings::default();
    let mut reader = Reader::default();
    reader.begin(Document::default());
    for piece in pieces {
        reader.push(piece, &mut log, &mut findings);
    }
    reader.finish(&mut log, &mut findings);
    (log, rules(&findings))
}
