//! `Encapsulated`: an accepted list, rendered, is accepted again and equal.

use sluice::icap::{BodySection, Encapsulated, Method};

/// Panics when the property does not hold for `data`: a method byte and a value.
pub fn holds(data: &[u8]) {
    let Some((method, value)) = data.split_first() else {
        return;
    };
    let method = match method % 3 {
        0 => Method::Options,
        1 => Method::Reqmod,
        _ => Method::Respmod,
    };
    let Ok(list) = Encapsulated::parse(method, value, HEAD_LIMIT) else {
        return;
    };
    let rendered = list.to_string();
    assert_eq!(
        Encapsulated::parse(method, rendered.as_bytes(), HEAD_LIMIT),
        Ok(list)
    );
    assert_ne!(list.body(), BodySection::Absent);
    for len in [list.request_head_len(), list.response_head_len()]
        .into_iter()
        .flatten()
    {
        assert!(len > 0 && len <= HEAD_LIMIT);
    }
    if method == Method::Options {
        assert_eq!(
            (list.request_head_len(), list.response_head_len()),
            (None, None)
        );
    }
}

const HEAD_LIMIT: usize = 128 * 1024;
