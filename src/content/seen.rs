//! What the tests of this room share: a sink that remembers, and splitters.

use bytes::Bytes;

use super::{Declared, Limits, Part, PartSink, Progress, Stack, WINDOW_BYTES};
use crate::anomaly::Anomaly;
use crate::span::PartId;

/// What a sink saw, in order, the windows of each part joined.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) parts: Vec<SeenPart>,
    pub(super) anomalies: Vec<(PartId, Anomaly, u64)>,
}

/// One part.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SeenPart {
    pub(super) part: Part,
    pub(super) bytes: Vec<u8>,
    pub(super) over: bool,
}

impl Seen {
    fn of(&mut self, part: PartId) -> &mut SeenPart {
        let seen = self.parts.iter_mut().find(|seen| seen.part.id == part);
        seen.expect("a part begins before anything else is said of it")
    }

    /// The bytes of the part with that path.
    pub(super) fn bytes(&self, path: &str) -> &[u8] {
        let seen = self.parts.iter().find(|seen| &*seen.part.path == path);
        seen.map_or_else(
            || panic!("no {path}, only {:?}", self.paths()),
            |seen| seen.bytes.as_slice(),
        )
    }

    pub(super) fn part(&self, path: &str) -> &Part {
        let seen = self.parts.iter().find(|seen| &*seen.part.path == path);
        &seen
            .unwrap_or_else(|| panic!("no {path}, only {:?}", self.paths()))
            .part
    }

    pub(super) fn paths(&self) -> Vec<&str> {
        self.parts.iter().map(|seen| &*seen.part.path).collect()
    }

    /// The anomalies, each once, sorted.
    pub(super) fn kinds(&self) -> Vec<Anomaly> {
        let mut kinds: Vec<_> = self.anomalies.iter().map(|at| at.1).collect();
        kinds.sort();
        kinds.dedup();
        kinds
    }
}

impl PartSink for Seen {
    fn begin(&mut self, part: &Part) {
        assert!(
            self.parts.iter().all(|seen| seen.part.id != part.id),
            "begun once"
        );
        self.parts.push(SeenPart {
            part: part.clone(),
            bytes: Vec::new(),
            over: false,
        });
    }

    fn window(&mut self, part: PartId, bytes: &[u8], offset: u64) {
        let seen = self.of(part);
        assert!(!seen.over, "no window after the end");
        assert_eq!(seen.bytes.len() as u64, offset);
        assert_eq!(seen.bytes.len() % WINDOW_BYTES, 0, "only the last is short");
        assert!(!bytes.is_empty() && bytes.len() <= WINDOW_BYTES);
        seen.bytes.extend_from_slice(bytes);
    }

    fn end(&mut self, part: PartId) {
        let seen = self.of(part);
        assert!(!std::mem::replace(&mut seen.over, true), "ended once");
    }

    fn anomaly(&mut self, part: PartId, anomaly: Anomaly, offset: u64) {
        self.anomalies.push((part, anomaly, offset));
    }
}

/// Feeds the pieces to a stack and works each off.
pub(super) fn run_with<'a>(
    declared: &Declared,
    limits: Limits,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Seen {
    let mut stack = Stack::new(declared, limits);
    let mut seen = Seen::default();
    for piece in pieces {
        stack.push(Bytes::copy_from_slice(piece));
        while stack.step(&mut seen) == Progress::Busy {}
    }
    stack.end();
    while stack.step(&mut seen) == Progress::Busy {}
    assert_eq!(stack.step(&mut seen), Progress::Done);
    assert!(seen.parts.iter().all(|seen| seen.over), "all parts end");
    seen
}

/// [`run_with`] the default limits.
pub(super) fn run<'a>(declared: &Declared, pieces: impl IntoIterator<Item = &'a [u8]>) -> Seen {
    run_with(declared, Limits::default(), pieces)
}

/// Runs `body` whole, byte by byte, in every two-way split (as many as are quick) and in random pieces, and demands the
/// same from all.
pub(super) fn run_split(declared: &Declared, body: &[u8]) -> Seen {
    let whole = run(declared, [body]);
    assert_eq!(run(declared, body.chunks(1)), whole, "byte by byte");
    let step = (body.len() / 64).max(1);
    for at in (0..body.len()).step_by(step) {
        let (one, two) = body.split_at(at);
        assert_eq!(run(declared, [one, two]), whole, "split at {at}");
    }
    for seed in 1..8u64 {
        assert_eq!(
            run(declared, random_pieces(body, seed)),
            whole,
            "seed {seed}"
        );
    }
    whole
}

/// `body` in pieces of random lengths.
pub(super) fn random_pieces(body: &[u8], seed: u64) -> Vec<&[u8]> {
    let mut state = seed;
    let mut rest = body;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let len = (random(&mut state) % 9000) as usize >> (random(&mut state) % 12);
        let (piece, after) = rest.split_at(len.min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

/// The next number of a xorshift generator.
pub(super) fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    state.wrapping_mul(0x2545_F491_4F6C_DD1D)
}

/// Bytes that look like text and compress a little.
pub(super) fn prose(len: usize, seed: u64) -> Vec<u8> {
    let words = [
        "order ", "total ", "of ", "a ", "line\n", "0123 ", "xyz, ", "sluice ",
    ];
    let mut state = seed;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        let word = words[(random(&mut state) % words.len() as u64) as usize];
        bytes.extend_from_slice(word.as_bytes());
    }
    bytes.truncate(len);
    bytes
}
