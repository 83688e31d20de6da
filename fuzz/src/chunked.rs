//! A chunked body: the same under any segmentation.

use bytes::BytesMut;
use sluice::icap::Limits;
use sluice::icap::chunked::{Chunk, ChunkDecoder, ChunkError, EndOfFile};

/// What a body comes to.
#[derive(Debug, PartialEq)]
struct Decoded {
    body: Vec<u8>,
    end: Option<(EndOfFile, Vec<u8>)>,
    error: Option<ChunkError>,
    left: usize,
}

/// Panics when the property does not hold for `data`: four cut points and a body.
pub fn holds(data: &[u8]) {
    let Some((cuts, body)) = data.split_at_checked(4) else {
        return;
    };
    let whole = decode(&[body]);
    assert!(whole.body.len() <= body.len());
    assert_eq!(whole, decode(&super::cut(body, cuts)));
    assert_eq!(whole, decode(&super::cut(body, &[1])));
}

fn decode(pieces: &[&[u8]]) -> Decoded {
    let limits = Limits {
        chunk_line_bytes: 64,
        extension_bytes: 32,
        ..Limits::default()
    };
    let mut decoder = ChunkDecoder::new();
    let mut input = BytesMut::new();
    let mut decoded = Decoded {
        body: Vec::new(),
        end: None,
        error: None,
        left: 0,
    };
    for piece in pieces {
        input.extend_from_slice(piece);
        while decoded.error.is_none() {
            match decoder.decode(&mut input, &limits) {
                Ok(None) => break,
                Ok(Some(Chunk::Data(data))) => {
                    assert!(!data.is_empty());
                    decoded.body.extend_from_slice(&data);
                }
                Ok(Some(Chunk::Last { trailers, end })) => {
                    let mut raw = Vec::new();
                    trailers.write_to(&mut raw);
                    assert!(decoded.end.replace((end, raw)).is_none(), "two ends");
                }
                Err(error) => decoded.error = Some(error),
            }
        }
    }
    assert_eq!(decoder.body_bytes(), decoded.body.len() as u64);
    // What is behind the end is not touched; what is behind an error is of no account.
    decoded.left = if decoded.error.is_none() {
        input.len()
    } else {
        0
    };
    decoded
}
