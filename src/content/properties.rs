//! Properties over damaged input: whatever the bytes, the tree is the same under any split, and the limits hold.

use super::seen::{Seen, prose, random, random_pieces, run_with};
use super::{Coding, Declared, Encoder, Limits, WINDOW_BYTES};

/// Limits low enough that damage meets them.
fn tight() -> Limits {
    Limits {
        decoded_bytes: 200_000,
        ratio: 20,
        ratio_floor_bytes: 60_000,
        members: 5,
        archive_entries: 8,
        multipart_parts: 6,
        depth: 4,
        parts: 20,
        ..Limits::default()
    }
}

fn encoded(coding: Coding, bytes: &[u8]) -> Vec<u8> {
    let mut encoder = Encoder::new(coding).expect("known");
    let mut out = Vec::new();
    encoder.push(bytes, &mut out).expect("memory");
    encoder.finish(&mut out).expect("memory");
    out
}

fn form(content: &[u8]) -> Vec<u8> {
    let mut body = b"--XY\r\nContent-Disposition: form-data; name=a; filename=x\r\n\
        Content-Transfer-Encoding: base64\r\n\r\naGVsbG8gd29ybGQ=\r\n\
        --XY\r\nContent-Disposition: form-data; name=b\r\n\r\n"
        .to_vec();
    body.extend_from_slice(content);
    body.extend_from_slice(b"\r\n--XY--\r\n");
    body
}

/// A stored zip member without a central directory is enough to be damaged.
fn zip(content: &[u8]) -> Vec<u8> {
    let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut deflate, content).expect("memory");
    let packed = deflate.finish().expect("memory");
    let mut crc = flate2::Crc::new();
    crc.update(content);
    let mut body = Vec::new();
    for name in [b"a", b"b"] {
        body.extend_from_slice(b"PK\x03\x04\x14\0\0\0\x08\0\0\0\0\0");
        body.extend(crc.sum().to_le_bytes());
        body.extend((packed.len() as u32).to_le_bytes());
        body.extend((content.len() as u32).to_le_bytes());
        body.extend_from_slice(b"\x01\0\0\0");
        body.extend_from_slice(name);
        body.extend_from_slice(&packed);
    }
    body
}

/// Bodies of every kind, some of them inside each other, with what is declared.
fn bodies() -> Vec<(Declared, Vec<u8>)> {
    let text = prose(30_000, 3);
    let coded = |name: &str, body| (Declared::new().content_encoding(name.as_bytes()), body);
    let typed = |name: &str, body| (Declared::new().content_type(name.as_bytes()), body);
    let wide: Vec<u8> = String::from_utf8_lossy(&text)
        .encode_utf16()
        .flat_map(u16::to_be_bytes)
        .collect();
    let gzip = encoded(Coding::Gzip, &text);
    let multipart = "multipart/form-data; boundary=XY";
    vec![
        coded("gzip", gzip.repeat(3)),
        coded("deflate", encoded(Coding::Deflate, &text)),
        coded("br", encoded(Coding::Brotli, &text)),
        coded("zstd", encoded(Coding::Zstd, &text).repeat(2)),
        coded("gzip, br", encoded(Coding::Brotli, &gzip)),
        coded("gzip", text.clone()),
        typed("text/xml; charset=utf-16", wide),
        typed("text/plain; charset=utf-7", b"a+ADw-b+2D3eAA-".repeat(900)),
        typed("text/plain; charset=shift_jis", text.clone()),
        typed(multipart, form(&text)),
        typed(multipart, form(&zip(&text))),
        typed("application/zip", zip(&form(&gzip))),
        typed(
            "image/gif",
            [b"GIF89a".as_slice(), &text, &zip(&text)].concat(),
        ),
        typed("application/gzip", encoded(Coding::Gzip, &zip(&gzip))),
    ]
}

/// Flips, cuts, doubles and drops bytes of `body`.
fn damaged(body: &[u8], seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut bytes = body.to_vec();
    for _ in 0..random(&mut state) % 4 {
        let at = (random(&mut state) as usize) % bytes.len().max(1);
        let len = (random(&mut state) as usize % 2000).min(bytes.len() - at);
        match random(&mut state) % 5 {
            0 => bytes.truncate(at),
            1 => {
                let piece = bytes[at..at + len].to_vec();
                bytes.splice(at..at, piece);
            }
            2 => {
                bytes.drain(at..at + len);
            }
            _ => {
                for byte in bytes.iter_mut().skip(at).take(1 + len % 7) {
                    *byte ^= 1 << (random(&mut state) % 8);
                }
            }
        }
    }
    bytes
}

fn limits_hold(seen: &Seen, limits: &Limits, taken: usize) {
    assert!(seen.parts.len() <= limits.parts as usize + 1);
    assert!(
        seen.parts
            .iter()
            .all(|seen| seen.part.depth <= limits.depth)
    );
    let decoded: u64 = seen.parts.iter().map(|seen| seen.bytes.len() as u64).sum();
    // Each level shows bytes again; charsets at most triple them.
    let most =
        (limits.decoded_bytes + (taken + 8 * WINDOW_BYTES) as u64) * 3 * u64::from(limits.depth);
    assert!(decoded <= most, "{decoded} of {most}");
}

#[test]
fn damaged_bodies_give_the_same_tree_under_any_split() {
    for (number, (declared, body)) in bodies().into_iter().enumerate() {
        for round in 0..12u64 {
            let seed = 1 + round + 1000 * number as u64;
            let limits = if round % 2 == 0 {
                tight()
            } else {
                Limits::default()
            };
            let bytes = damaged(&body, seed);
            let whole = run_with(&declared, limits, [bytes.as_slice()]);
            limits_hold(&whole, &limits, bytes.len());
            let pieces = random_pieces(&bytes, seed);
            let split = run_with(&declared, limits, pieces);
            assert!(whole == split, "body {number}, seed {seed}");
        }
    }
}

#[test]
fn random_bytes_under_every_label_give_the_same_tree_under_any_split() {
    let labels = ["gzip", "deflate", "br", "zstd", "gzip, deflate, br"];
    for seed in 1..60u64 {
        let mut state = seed;
        let len = random(&mut state) as usize % 3000;
        let bytes: Vec<u8> = (0..len).map(|_| random(&mut state) as u8).collect();
        for label in labels {
            let declared = Declared::new().content_encoding(label.as_bytes());
            let whole = run_with(&declared, tight(), [bytes.as_slice()]);
            let single = run_with(&declared, tight(), bytes.chunks(1));
            assert!(whole == single, "{label}, seed {seed}");
        }
    }
}

#[test]
fn work_grows_with_the_input_not_faster() {
    // Delimiters that never come, escapes that never end, signatures by the thousand: steps are counted, not seconds.
    let cases: [(&str, &[u8]); 6] = [
        ("multipart/form-data; boundary=XY", b"\r\n--X"),
        ("multipart/form-data; boundary=XY", b"\r\n--XY\r\n\r\n"),
        ("text/plain; charset=utf-7", b"+AD"),
        ("application/octet-stream", b"\0PK\x03\x04"),
        ("application/zip", b"PK\x03\x04"),
        ("application/zip", b"PK\x01\x02\0\0"),
    ];
    for (content_type, unit) in cases {
        let declared = Declared::new().content_type(content_type.as_bytes());
        let steps = |repeat: usize| {
            let mut stack = super::Stack::new(&declared, Limits::default());
            let mut seen = Seen::default();
            stack.push(unit.repeat(repeat).into());
            stack.end();
            let mut steps = 1u64;
            while stack.step(&mut seen) != super::Progress::Done {
                steps += 1;
            }
            steps
        };
        let (once, twice) = (steps(100_000), steps(200_000));
        assert!(
            twice <= once * 2 + 200,
            "{content_type}: {once} and {twice} steps"
        );
    }
}
