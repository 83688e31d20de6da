//! An HTTP head: byte-faithful unless edited, and edited exactly as asked.

use bytes::Bytes;
use sluice::http1::{MediaType, RequestHead, ResponseHead, Target};

/// Panics when the property does not hold for `data`: an edit byte and a head.
pub fn holds(data: &[u8]) {
    let Some((edit, head)) = data.split_first() else {
        return;
    };
    let raw = Bytes::copy_from_slice(head);
    let mut request = RequestHead::parse(raw.clone());
    assert_eq!(request.to_bytes(), raw);
    let response = ResponseHead::parse(raw.clone());
    assert_eq!(response.to_bytes(), raw);
    if let Some(status) = response.status() {
        assert!(status <= 999);
    }
    parts(&request);

    let names = ["Connection", "content-length", "X-Added", "Host"];
    let name = names[usize::from(*edit) % names.len()];
    match edit / 4 % 4 {
        0 => {
            request.fields.remove(name);
            assert!(!request.fields.contains(name));
        }
        1 => {
            request.fields.set(name, head);
            assert_eq!(request.fields.get_all(name).count(), 1);
        }
        2 => request.fields.append(name, b"a\r\nb: c"),
        _ => {
            request.strip_hop_by_hop();
            for gone in [
                "connection",
                "te",
                "upgrade",
                "transfer-encoding",
                "keep-alive",
            ] {
                assert!(!request.fields.contains(gone));
            }
        }
    }
    let expected = request.fields.len();
    let written = request.to_bytes();
    // What lies outside the grammar can still be forwarded; only a regular head must read back as it was written.
    if request.deviations().is_empty() && head.ends_with(b"\r\n\r\n") {
        assert!(written.ends_with(b"\r\n\r\n"));
        let again = RequestHead::parse(written);
        assert_eq!(again.fields.len(), expected);
        assert!(again.target() == request.target() && again.method() == request.method());
    }
}

/// Targets and media types are parts of what came.
fn parts(request: &RequestHead) {
    let target = request.target();
    let split = Target::parse(target);
    assert!(target[split.path_at..].starts_with(split.path));
    if let Some(query) = split.query {
        assert_eq!(&target[split.query_at..], query);
    }
    for value in request.fields.get_all("content-type") {
        if let Some(media) = MediaType::parse(value) {
            assert!(media.kind().len() + media.subtype().len() < value.len());
            for (name, inner) in media.parameters() {
                assert!(!name.is_empty() && inner.len() < value.len());
            }
        }
    }
}
