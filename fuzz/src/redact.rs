//! Redaction, a property a format: the output does not depend on the pieces that the input comes in.

use std::sync::{Arc, LazyLock};

use bytes::BytesMut;
use sluice::budget::Budget;
use sluice::inspect::Direction;
use sluice::redact::{Profile, Redactor};

static PROFILE: LazyLock<Arc<Profile>> = LazyLock::new(|| Arc::new(Profile::all()));

/// JSON and NDJSON.
pub fn json(data: &[u8]) {
    holds("application/json", data);
}

/// XML.
pub fn xml(data: &[u8]) {
    holds("application/xml", data);
}

/// HTML.
pub fn html(data: &[u8]) {
    holds("text/html", data);
}

/// Forms.
pub fn form(data: &[u8]) {
    holds("application/x-www-form-urlencoded", data);
}

/// Tables.
pub fn csv(data: &[u8]) {
    holds("text/csv", data);
}

/// Plain text.
pub fn text(data: &[u8]) {
    holds("text/plain", data);
}

/// Multipart bodies with the boundary `x`.
pub fn multipart(data: &[u8]) {
    holds("multipart/form-data; boundary=x", data);
}

/// Whole, cut in two where the first byte says, and byte by byte: the same output. Nothing masked: nothing changed.
fn holds(content_type: &str, data: &[u8]) {
    let Some((cut, body)) = data.split_first() else {
        return;
    };
    let (whole, edits) = redacted(content_type, &[body]);
    if edits == 0 {
        assert_eq!(whole, body, "changed without an edit");
    }
    let (left, right) = body.split_at(usize::from(*cut) * body.len() / 256);
    assert_eq!(
        redacted(content_type, &[left, right]).0,
        whole,
        "cut in two"
    );
    let pieces: Vec<&[u8]> = body.chunks(1).collect();
    assert_eq!(redacted(content_type, &pieces).0, whole, "byte by byte");
}

fn redacted(content_type: &str, pieces: &[&[u8]]) -> (Vec<u8>, u64) {
    let budget = Budget::new(1 << 24);
    let mut redactor = Redactor::new(PROFILE.clone(), content_type, Direction::Response, &budget);
    let mut out = BytesMut::new();
    for piece in pieces {
        redactor.push(piece, &mut out);
    }
    let edits = redactor.finish(&mut out).edits;
    (out.to_vec(), edits)
}
