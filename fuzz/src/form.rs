//! A form: the same leaves and findings in any pieces, and every byte of a leaf from its own place in the form.

use super::leaves::{Log, rules};
use sluice::inspect::form::Reader;
use sluice::inspect::leaf::Root;
use sluice::inspect::{Findings, PartId};

/// Panics when the property does not hold for `data`: four cut points and a form.
pub fn holds(data: &[u8]) {
    let Some((cuts, form)) = data.split_at_checked(4) else {
        return;
    };
    let whole = read(form, &[form]);
    assert_eq!(whole, read(form, &super::cut(form, cuts)));
    assert_eq!(whole, read(form, &super::cut(form, &[1])));
}

fn read(form: &[u8], pieces: &[&[u8]]) -> (Log, Vec<String>) {
    let mut log = Log {
        len: form.len() as u64,
        ..Log::default()
    };
    let mut findings = Findings::default();
    let mut reader = Reader::new();
    reader.begin(PartId::BODY, Root::Form, 0);
    for piece in pieces {
        reader.push(piece, &mut log, &mut findings);
    }
    reader.finish(&mut log, &mut findings);
    (log, rules(&findings))
}
