//! The redactor as a stream: parts in other dresses, properties of its output, memory, and what it leaves behind.

mod configured;
pub(crate) mod documents;
mod examples;
mod filter;
mod masks;
mod parts;
mod properties;
pub(crate) mod reach;
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

#[test]
fn a_long_value_is_masked_across_its_windows_and_held_back_no_further() {
    // 1 MiB in one string: a mail every 200 bytes, as long as its mask, so that each edge of a window is near one.
    let filler = "lorem ipsum dolor sit amet ".repeat(7);
    let body: String = (0..5000)
        .map(|at| format!("{filler}{at:04}@example.org "))
        .collect();
    for (content_type, body) in [
        ("application/json", format!("{{\"log\":\"{body}\"}}")),
        ("application/xml", format!("<log>{body}</log>")),
        ("text/plain", body),
    ] {
        let (whole, summary) = redacted(content_type, [body.as_bytes()]);
        let text = String::from_utf8_lossy(&whole);
        assert_eq!(
            text.matches("[REDACTED:EMAIL]").count(),
            5000,
            "{content_type}"
        );
        assert!(!text.contains('@'), "{content_type}");
        assert_eq!(summary.edits, 5000);
        for size in [4096, 16384, 65536, 100_000] {
            let (pieces, _) = redacted(content_type, body.as_bytes().chunks(size));
            assert!(pieces == whole, "{content_type} in pieces of {size}");
        }
        // What has gone in and not come out, at any time.
        let budget = Budget::new(1 << 30);
        let profile = Arc::new(Profile::all());
        let mut redactor = Redactor::new(profile, content_type, Direction::Response, &budget);
        let mut out = BytesMut::new();
        let (mut gone, mut most) = (0, 0);
        for piece in body.as_bytes().chunks(1024) {
            redactor.push(piece, &mut out);
            gone += piece.len();
            most = most.max(gone - out.len());
        }
        assert!(most <= 2 * 65536, "{content_type}: {most} bytes held back");
    }
}
