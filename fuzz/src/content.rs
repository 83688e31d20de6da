//! Bodies of every kind: the same tree of parts under any segmentation, inside the limits.

use bytes::Bytes;
use sluice::anomaly::Anomaly;
use sluice::content::{Declared, Limits, Part, PartId, PartSink, Progress, Stack, WINDOW_BYTES};

/// Under each content-coding and stacks of them. The first byte chooses.
pub fn coding(data: &[u8]) {
    const CODINGS: &[&str] = &[
        "gzip",
        "deflate",
        "br",
        "zstd",
        "gzip,br",
        "zstd, gzip",
        "deflate,deflate,deflate",
        "x-gzip,identity,,unheard-of",
        "gzip,gzip,gzip,gzip",
    ];
    holds(data, CODINGS, |choice| {
        Declared::new().content_encoding(choice.as_bytes())
    });
}

/// Under each charset label.
pub fn charset(data: &[u8]) {
    const TYPES: &[&str] = &[
        "text/xml",
        "text/xml; charset=utf-16",
        "text/xml; charset=utf-16be",
        "text/plain; charset=utf-32",
        "text/html; charset=utf-7",
        "application/json; charset=shift_jis",
        "text/xml; charset=ibm037",
        "text/html",
        "text/plain; charset=iso-2022-jp",
        "text/plain; charset=klingon",
    ];
    holds(data, TYPES, |choice| {
        Declared::new().content_type(choice.as_bytes())
    });
}

/// As multipart bodies and messages.
pub fn multipart(data: &[u8]) {
    const TYPES: &[&str] = &[
        "multipart/form-data; boundary=XY",
        "multipart/mixed; boundary=X",
        "multipart/form-data",
        "message/rfc822",
    ];
    holds(data, TYPES, |choice| {
        Declared::new().content_type(choice.as_bytes())
    });
}

/// As archives, by their own magic numbers.
pub fn archive(data: &[u8]) {
    const TYPES: &[&str] = &["application/zip", "application/octet-stream"];
    holds(data, TYPES, |choice| {
        Declared::new().content_type(choice.as_bytes())
    });
}

/// Everything together.
pub fn stack(data: &[u8]) {
    const BOTH: &[&str] = &[
        "gzip|multipart/form-data; boundary=XY",
        "br|text/xml",
        "|application/zip",
        "zstd|text/plain; charset=utf-16",
    ];
    holds(data, BOTH, |choice| {
        let (coding, media_type) = choice.split_once('|').unwrap_or_default();
        Declared::new()
            .content_encoding(coding.as_bytes())
            .content_type(media_type.as_bytes())
    });
}

/// Four cut points, a choice, and a body.
fn holds(data: &[u8], choices: &[&str], declared: fn(&str) -> Declared) {
    let Some((head, body)) = data.split_at_checked(5) else {
        return;
    };
    let (choice, cuts) = (usize::from(head[4]) % choices.len(), &head[..4]);
    let declared = declared(choices[choice]);
    let whole = decode(&declared, &[body]);
    assert!(whole == decode(&declared, &super::cut(body, cuts)));
    assert!(whole == decode(&declared, &super::cut(body, &[1])));
}

/// What came of a body.
#[derive(Default, PartialEq)]
struct Tree {
    parts: Vec<(Part, Vec<u8>, bool)>,
    anomalies: Vec<(PartId, Anomaly, u64)>,
}

impl PartSink for Tree {
    fn begin(&mut self, part: &Part) {
        assert!(part.depth <= LIMITS.depth);
        self.parts.push((part.clone(), Vec::new(), false));
    }

    fn window(&mut self, id: PartId, bytes: &[u8], offset: u64) {
        let (_, known, over) = self.of(id);
        assert!(
            !*over && known.len() as u64 == offset && offset.is_multiple_of(WINDOW_BYTES as u64)
        );
        assert!(!bytes.is_empty() && bytes.len() <= WINDOW_BYTES);
        known.extend_from_slice(bytes);
    }

    fn end(&mut self, id: PartId) {
        let over = &mut self.of(id).2;
        assert!(!std::mem::replace(over, true));
    }

    fn anomaly(&mut self, id: PartId, anomaly: Anomaly, offset: u64) {
        self.anomalies.push((id, anomaly, offset));
    }
}

impl Tree {
    fn of(&mut self, id: PartId) -> &mut (Part, Vec<u8>, bool) {
        let found = self.parts.iter_mut().find(|(part, _, _)| part.id == id);
        found.expect("a part begins first")
    }
}

/// Low enough to be met.
const LIMITS: Limits = Limits {
    decoded_bytes: 300_000,
    ratio: 50,
    ratio_floor_bytes: 100_000,
    codings: 3,
    members: 8,
    coding_window_bytes: 1 << 20,
    archive_depth: 2,
    archive_entries: 8,
    multipart_parts: 8,
    part_head_bytes: 1024,
    boundary_bytes: 70,
    depth: 5,
    parts: 24,
};

fn decode(declared: &Declared, pieces: &[&[u8]]) -> Tree {
    let mut stack = Stack::new(declared, LIMITS);
    let mut tree = Tree::default();
    let mut steps = 0u64;
    for piece in pieces {
        stack.push(Bytes::copy_from_slice(piece));
        while stack.step(&mut tree) == Progress::Busy {
            steps += 1;
        }
    }
    stack.end();
    while stack.step(&mut tree) != Progress::Done {
        steps += 1;
    }
    assert!(
        tree.parts.iter().all(|(_, _, over)| *over),
        "every part ends"
    );
    assert!(tree.parts.len() <= LIMITS.parts as usize + 1);
    let taken: usize = pieces.iter().map(|piece| piece.len()).sum();
    let most = 3
        * (LIMITS.decoded_bytes + taken as u64 + 8 * WINDOW_BYTES as u64)
        * u64::from(LIMITS.depth);
    assert!(stack.decoded_bytes() <= LIMITS.decoded_bytes + WINDOW_BYTES as u64);
    assert!(
        steps <= 1000 + most / 512,
        "{steps} steps for {taken} bytes"
    );
    tree
}
