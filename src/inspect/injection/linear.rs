//! Worst cases of every detector: the work grows with the value and not faster. What the detectors see through is held
//! by `tests/it/evasions.rs` and the data in `tests/corpus/evasions`.

use std::time::Duration;

use super::{Classes, Context, Detectors, Scratch};
use crate::inspect::leaf::{HostSyntax, Leaf, OffsetMap, Path, Piece, Root};
use crate::inspect::{Direction, Findings, PartId};
use crate::span::Span;

fn look(detectors: &Detectors, value: &[u8]) {
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
        binary: false,
    };
    let mut findings = Findings::default();
    detectors.inspect(&leaf, &context, &mut Scratch::new(), &mut findings);
    std::hint::black_box(&findings);
}

/// Worst cases of each room: the unit that is repeated.
const WORST: &[&str] = &[
    ";id",
    "`",
    "$(",
    "()",
    "() {",
    "'",
    "\\",
    "{a,",
    "${x",
    "$ifs",
    "for %x in (",
    "if \"",
    "|if a==",
    "../",
    "..%2f",
    "%25",
    "%c0%ae",
    "a:/",
    "....",
    "{{",
    "{%",
    "${",
    "#{{{",
    "{7*",
    "<%=",
    "(a=",
    ")(",
    "(&",
    "(|(",
    "${${",
    "${a:-",
    "${lower:",
    "//",
    "a://",
    "http://1.1/",
    "http://[",
    "@@@://",
    "!!",
    "o:8:\"a",
    "o:1:",
    "!ruby/",
    "a.b.",
    "\n",
    "\r\na:",
    "%0d%0aset-cookie:a=",
    "x\n\n<",
    "&#x0a;",
    "cos\n",
    "/etc/",
    "\u{ff0e}",
    "?a=b&",
    "' or ",
    "select ",
    "/*",
    "<a ",
    "<script",
    "a(",
    "[{\"",
    "{a:b(c:\"",
    "&lt",
    "+ADw-",
    "\"a\" ",
    "union select ",
    "{#",
    "[#",
    "{",
    "${${a:-",
    "<",
    "<a b='",
    "&lt;",
    "\\u003c",
    "$(a ",
    "\nls ",
    "http://a@",
    "(&(",
    "a=b&",
    "[\"a\",",
    "{\"a\":",
    "eval(",
    "QUFB",
    "${ifs ",
    "${x ",
    "&<?=",
    "<meta &=",
    "document/*",
    "if\"a",
    "/tomcat ",
    "{==",
    "{#{",
];

/// How long this thread has been on a processor: the machine is shared, its clock on the wall says little.
fn on_processor() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// What `times` looks at `unit`, repeated to `length` bytes, cost.
fn cost(detectors: &Detectors, unit: &str, (length, times): (usize, u32)) -> Duration {
    let value: Vec<u8> = unit.bytes().cycle().take(length).collect();
    let start = on_processor();
    for _ in 0..times {
        look(detectors, &value);
    }
    on_processor().saturating_sub(start)
}

#[test]
fn work_grows_with_the_value_and_not_faster() {
    let detectors = Detectors::new();
    let mut slow = Vec::new();
    for unit in WORST {
        // The same bytes in all: a quadratic room would take four times as long for the long value.
        let short = cost(&detectors, unit, (16 * 1024, 8));
        let long = cost(&detectors, unit, (64 * 1024, 2));
        // On some machines the processor's time is told in steps of some milliseconds.
        if long > short * 5 / 2 + Duration::from_millis(16) {
            slow.push(format!("{unit:?}: {short:?} -> {long:?}"));
        }
    }
    assert!(slow.is_empty(), "{}", slow.join("\n"));
}
