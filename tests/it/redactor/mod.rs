//! The redactor as a stream: parts in other dresses, properties of its output, memory, and what it leaves behind.

pub(crate) mod documents;
mod examples;
mod filter;
mod masks;
mod parts;
mod properties;
mod reach;
mod variants;

use std::sync::Arc;

use bytes::BytesMut;
use sluice::budget::Budget;
use sluice::inspect::Direction;
use sluice::redact::{Profile, Redactor, Summary};

/// What goes in as `pieces` comes out as one.
fn redacted<'a>(
    content_type: &str,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<u8>, Summary) {
    let profile = Arc::new(Profile::all());
    let budget = Budget::new(1 << 30);
    let mut redactor = Redactor::new(profile, content_type, Direction::Response, &budget);
    let mut out = BytesMut::new();
    for piece in pieces {
        redactor.push(piece, &mut out);
    }
    let summary = redactor.finish(&mut out);
    (out.to_vec(), summary)
}

/// The output of `body` as a whole, after a check that no way of cutting it gives another.
fn redacted_in_any_pieces(content_type: &str, body: &[u8]) -> (Vec<u8>, Summary) {
    let (whole, summary) = redacted(content_type, [body]);
    let shown = || String::from_utf8_lossy(&whole).into_owned();
    for size in [1, 7, 16, 4096] {
        let (pieces, again) = redacted(content_type, body.chunks(size));
        assert_eq!(
            String::from_utf8_lossy(&pieces),
            shown(),
            "pieces of {size}"
        );
        assert_eq!(again, summary, "pieces of {size}");
    }
    let every = body.len().div_ceil(SPLITS).max(1);
    for cut in (0..body.len()).step_by(every) {
        let (left, right) = body.split_at(cut);
        let (pieces, _) = redacted(content_type, [left, right]);
        assert_eq!(String::from_utf8_lossy(&pieces), shown(), "cut at {cut}");
    }
    (whole, summary)
}

/// Two-way splits of one body that are tried, evenly spread.
const SPLITS: usize = 150;
