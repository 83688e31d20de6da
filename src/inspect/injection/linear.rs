//! Work grows with the length of a value and not with its square, whatever is repeated in it.

use std::time::Duration;

use super::*;
use crate::inspect::Findings;
use crate::inspect::leaf::{HostSyntax, LEAF_BYTES, Leaf, OffsetMap, Path, Piece, Root};
use crate::span::Span;

/// What a detector or a decoder begins something at, over and over.
const FLOODS: &[&str] = &[
    "'",
    "' or ",
    "\"a\" ",
    "union select ",
    "/*",
    "{{",
    "{#",
    "[#",
    "{",
    "${",
    "${${a:-",
    "<",
    "<a b='",
    "%25",
    "&lt;",
    "\\u003c",
    "+ADw-",
    ";id",
    "$(a ",
    "\nls ",
    "http://a@",
    "..%2f",
    "(&(",
    "a=b&",
    "[\"a\",",
    "{\"a\":",
    "eval(",
    "QUFB",
];

#[test]
fn four_times_the_value_takes_no_more_than_eight_times_the_time() {
    let detectors = Detectors::new();
    let mut scratch = Scratch::new();
    for flood in FLOODS {
        let text = flood.repeat(LEAF_BYTES / flood.len());
        let (part, all) = (text.len() / 4, text.len());
        // What little time the quarter takes is measured with an error of a tick.
        let slack = Duration::from_millis(8);
        let short = time(&detectors, &text.as_bytes()[..part], &mut scratch);
        let long = time(&detectors, &text.as_bytes()[..all], &mut scratch);
        assert!(
            long <= (short + slack) * 8,
            "{flood:?}: {part} bytes {short:?}, {all} bytes {long:?}"
        );
    }
}

/// The least of two readings of the processor's time.
fn time(detectors: &Detectors, value: &[u8], scratch: &mut Scratch) -> Duration {
    let mut path = Path::new(Root::Json);
    path.push_name(b"note");
    let map = OffsetMap::verbatim(0);
    let leaf = Leaf {
        path: &path,
        host: HostSyntax::JsonString,
        span: Span::new(0, value.len() as u64),
        bytes: value,
        map: &map,
        piece: Piece::Whole,
    };
    let context = Context {
        direction: Direction::Request,
        part: PartId::BODY,
        classes: Classes::all(),
    };
    let read = |scratch: &mut Scratch| {
        scratch.begin();
        let before = now();
        detectors.inspect(&leaf, &context, scratch, &mut Findings::default());
        now().saturating_sub(before)
    };
    read(scratch).min(read(scratch))
}

fn now() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}
