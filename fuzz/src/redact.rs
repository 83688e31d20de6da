//! Redaction, the same properties for each format: the output does not depend on the pieces that the input comes in, every
//! byte outside of the edits is the input's, and what parsed before parses after, to the same shape.

use std::sync::{Arc, LazyLock};

use bytes::BytesMut;
use sluice::budget::Budget;
use sluice::inspect::Direction;
use sluice::redact::{Heads, Profile, Redactor, Summary, redact_head};

static PROFILE: LazyLock<Arc<Profile>> = LazyLock::new(|| Arc::new(Profile::all()));

static HEADS: LazyLock<Arc<Profile>> = LazyLock::new(|| {
    let heads = Heads {
        fields: vec!["*".into()],
        cookies: true,
        query: true,
    };
    Arc::new(Profile::all().with_heads(heads))
});

/// JSON: what was a document stays one, with the same names and containers.
pub fn json(data: &[u8]) {
    let Some((body, out)) = holds("application/json", data) else {
        return;
    };
    if let Ok(before) = serde_json::from_slice::<serde_json::Value>(&body) {
        let after = serde_json::from_slice(&out).expect("still a document");
        assert!(same_shape(&before, &after), "another shape");
    }
}

/// JSON, one document a line, some of them broken.
pub fn ndjson(data: &[u8]) {
    let Some((body, out)) = holds("application/x-ndjson", data) else {
        return;
    };
    let lines = |text: &[u8]| text.split(|byte| *byte == b'\n').count();
    if body.split(|byte| *byte == b'\n').all(is_document) {
        assert_eq!(lines(&body), lines(&out), "lines come and go");
        assert!(out.split(|byte| *byte == b'\n').all(is_document));
    }
}

fn is_document(line: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(line).is_ok()
}

/// Containers and names are the same; leaves may differ.
fn same_shape(before: &serde_json::Value, after: &serde_json::Value) -> bool {
    use serde_json::Value;
    match (before, after) {
        (Value::Array(before), Value::Array(after)) => {
            before.len() == after.len()
                && before
                    .iter()
                    .zip(after)
                    .all(|(one, other)| same_shape(one, other))
        }
        (Value::Object(before), Value::Object(after)) => {
            before.len() == after.len()
                && before
                    .iter()
                    .zip(after)
                    .all(|((name, one), (same, other))| name == same && same_shape(one, other))
        }
        (Value::Array(_) | Value::Object(_), _) | (_, Value::Array(_) | Value::Object(_)) => false,
        _ => true,
    }
}

/// XML.
pub fn xml(data: &[u8]) {
    holds("application/xml", data);
}

/// HTML.
pub fn html(data: &[u8]) {
    holds("text/html", data);
}

/// Forms: the same names in the same order.
pub fn form(data: &[u8]) {
    let Some((body, out)) = holds("application/x-www-form-urlencoded", data) else {
        return;
    };
    // What begins like another document is read as that.
    let other = body.trim_ascii_start().first();
    if matches!(other, Some(b'{' | b'[' | b'<' | 0xef)) {
        return;
    }
    let name = |pair: &[u8]| pair.split(|byte| *byte == b'=').next().map(<[u8]>::to_vec);
    let names = |text: &[u8]| -> Vec<_> { text.split(|byte| *byte == b'&').map(name).collect() };
    assert_eq!(names(&body), names(&out), "other names");
}

/// Tables, with commas and with tabs.
pub fn csv(data: &[u8]) {
    holds("text/csv", data);
    holds("text/tab-separated-values", data);
}

/// Plain text.
pub fn text(data: &[u8]) {
    holds("text/plain", data);
}

/// Multipart bodies with the boundary `x`.
pub fn multipart(data: &[u8]) {
    holds("multipart/form-data; boundary=x", data);
}

/// A request target and field lines, all of which are searched: each value is replaced once, in order, by one in which
/// nothing new ends a line, and of the target no more than its query.
pub fn head(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let target = lines.next().unwrap_or_default();
    let fields: Vec<(&[u8], &[u8])> = lines
        .filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            Some((line.get(..colon)?, line.get(colon + 1..)?))
        })
        .collect();
    let (edits, summary) = redact_head(&HEADS, Some(target), fields.iter().copied());
    assert_eq!(edits.is_empty(), summary.edits == 0, "an edit is not told");
    assert!(
        edits.is_sorted_by(|one, next| one.field < next.field),
        "a value is replaced twice"
    );
    for edit in &edits {
        let before = edit.field.map_or(target, |field| fields[field].1);
        let ends = |value: &[u8]| value.iter().filter(|byte| b"\r\n\0".contains(byte)).count();
        assert!(ends(&edit.value) <= ends(before), "another line");
        if edit.field.is_none() {
            let path = |value: &[u8]| value.split(|byte| *byte == b'?').next().map(<[u8]>::to_vec);
            assert_eq!(path(&edit.value), path(before), "another path");
        }
    }
}

/// Whole, cut in two where the first byte says, and byte by byte: the same output, which is the input with the noted spans
/// replaced. The body and the output.
fn holds(content_type: &str, data: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (cut, body) = data.split_first()?;
    let (whole, summary) = redacted(content_type, &[body]);
    spliced(body, &whole, &summary);
    let (left, right) = body.split_at(usize::from(*cut) * body.len() / 256);
    assert_eq!(
        redacted(content_type, &[left, right]).0,
        whole,
        "cut in two"
    );
    let pieces: Vec<&[u8]> = body.chunks(1).collect();
    assert_eq!(redacted(content_type, &pieces).0, whole, "byte by byte");
    Some((body.to_vec(), whole))
}

/// Between its edits `out` is `body`. Parts in base64 are written anew, so only what is before their first edit counts.
fn spliced(body: &[u8], out: &[u8], summary: &Summary) {
    if summary.edits == 0 {
        assert_eq!(out, body, "changed without an edit");
    }
    if summary.notes.len() as u64 != summary.edits {
        return;
    }
    let offset = |at: u64| usize::try_from(at).expect("short");
    let (Some(first), Some(last)) = (summary.notes.first(), summary.notes.last()) else {
        return;
    };
    let kept = body.get(..offset(first.span.start)).expect("inside");
    assert!(out.starts_with(kept), "changed before the first edit");
    let base64 = body
        .windows(6)
        .any(|window| window.eq_ignore_ascii_case(b"base64"));
    let rest = body.get(offset(last.span.end)..).expect("inside");
    assert!(base64 || out.ends_with(rest), "changed after the last edit");
}

fn redacted(content_type: &str, pieces: &[&[u8]]) -> (Vec<u8>, Summary) {
    let budget = Budget::new(1 << 24);
    let mut redactor = Redactor::new(PROFILE.clone(), content_type, Direction::Response, &budget);
    let mut out = BytesMut::new();
    for piece in pieces {
        redactor.push(piece, &mut out);
    }
    let summary = redactor.finish(&mut out);
    (out.to_vec(), summary)
}
