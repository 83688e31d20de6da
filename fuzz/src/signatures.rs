//! Signatures: the same hits, findings and verdicts under any cut and any coding, with the gate and without it.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use sluice::anomaly::Anomaly;
use sluice::budget::Budget;
use sluice::content::{Coding, Encoder};
use sluice::http1::RequestHead;
use sluice::inspect::literal::PartFacts;
use sluice::inspect::literal::search::{Hit, Search, SearchState};
use sluice::inspect::signatures::{SignatureScan, Signatures};
use sluice::inspect::yara::{Externals, YaraLimits};
use sluice::inspect::{Direction, Findings, PartId};
use sluice::policy::profile::Profile;
use sluice::rules::Bundle;
use sluice::rules::literal::{Case, Pattern, Place};
use sluice::rules::yara::YaraFile;
use sluice::scan::{Ended, Message, Report, Ruleset, Scan, Step};
use sluice::span::Span;

/// Four cut points, the patterns (each a byte that says its case and length, and its bytes; 0 ends the list), the text.
pub fn literal(data: &[u8]) {
    let Some((cuts, mut rest)) = data.split_at_checked(4) else {
        return;
    };
    let mut patterns = Vec::new();
    while let Some((head, after)) = rest.split_first() {
        let length = usize::from(head & 0x1f);
        let Some((bytes, after)) = after.split_at_checked(length).filter(|_| length > 0) else {
            rest = after;
            break;
        };
        rest = after;
        patterns.push(Pattern {
            bytes: bytes.into(),
            case: match head & 0x20 {
                0 => Case::Sensitive,
                _ => Case::Insensitive,
            },
        });
    }
    let search = Search::new(patterns.clone()).expect("none is empty");
    let mut wanted: Vec<Hit> = (0u32..)
        .zip(&patterns)
        .filter_map(|(number, pattern)| {
            first(pattern, rest).map(|end| Hit {
                end,
                pattern: number,
            })
        })
        .collect();
    wanted.sort_unstable();
    for pieces in [vec![rest], super::cut(rest, cuts), super::cut(rest, &[1])] {
        let (mut state, mut hits) = (SearchState::default(), Vec::new());
        for piece in pieces {
            search.push(&mut state, piece, &mut hits);
        }
        assert_eq!(hits, wanted);
    }
}

/// Where the first occurrence ends, by looking everywhere.
fn first(pattern: &Pattern, text: &[u8]) -> Option<u64> {
    let length = pattern.bytes.len();
    let start = text.windows(length).position(|found| match pattern.case {
        Case::Sensitive => *found == *pattern.bytes,
        Case::Insensitive => found.eq_ignore_ascii_case(&pattern.bytes),
    })?;
    Some((start + length) as u64)
}

/// Conditions of every shape that the gate concludes something from, on strings that a fuzzer meets.
const RULES: &str = include_str!("gate.yar");

static GATED: LazyLock<Arc<Signatures>> = LazyLock::new(|| {
    let mut bundle = Bundle::embedded();
    bundle.yara.push(YaraFile {
        namespace: "fuzz".into(),
        shown: "fuzz.yar".into(),
        text: RULES.into(),
        bundle: "fuzz".into(),
    });
    let rules = Signatures::compile(vec![bundle], YaraLimits::default()).expect("compiles");
    assert!(rules.problems().is_empty(), "{:?}", rules.problems());
    Arc::new(rules)
});

/// Four cut points and a body: the gate changes no verdict, nor does a cut.
pub fn gate(data: &[u8]) {
    let Some((cuts, body)) = data.split_at_checked(4) else {
        return;
    };
    let whole = gated(&[body]);
    assert_eq!(whole, gated(&super::cut(body, cuts)));
    assert_eq!(whole, gated(&super::cut(body, &[1])));
    let (rules, mut out) = (GATED.yara(), Findings::default());
    let matches = rules.scan_ungated(body, &Externals::default());
    rules.report(
        &matches,
        PartId::BODY,
        Span::new(0, body.len() as u64),
        &mut out,
    );
    let mut ungated = ids(&out);
    // What the literals say is in the other one too.
    let own: Vec<String> = GATED
        .yara()
        .rules()
        .map(|about| about.id.to_string())
        .collect();
    let mut gated = whole;
    gated.retain(|id| own.contains(id));
    ungated.retain(|id| own.contains(id));
    assert_eq!(gated, ungated);
}

fn gated(pieces: &[&[u8]]) -> Vec<String> {
    let facts = PartFacts {
        part: PartId::BODY,
        place: Place::Body,
        direction: Direction::Request,
        content_type: None,
        within: None,
    };
    let mut scan = SignatureScan::new(&GATED, &Budget::new(1 << 24), &facts);
    let mut out = Findings::default();
    for piece in pieces {
        scan.push(piece, &mut out);
    }
    if let Some(work) = scan.finish(&mut out) {
        work.run(&Externals::default(), &mut out);
    }
    ids(&out)
}

fn ids(out: &Findings) -> Vec<String> {
    let mut ids: Vec<String> = out
        .list
        .iter()
        .map(|finding| finding.rule.to_string())
        .collect();
    ids.sort();
    ids
}

static SHIPPED: LazyLock<Arc<Ruleset>> =
    LazyLock::new(|| Arc::new(Ruleset::embedded().expect("the shipped rules compile")));

/// Four cut points, a choice, and a body: the same verdict and findings however it is cut and coded.
pub fn verdict(data: &[u8]) {
    const TYPES: &[&str] = &[
        "application/json",
        "text/xml",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=XY",
        "application/octet-stream",
        "text/html",
    ];
    let Some((head, body)) = data.split_at_checked(5) else {
        return;
    };
    let kind = TYPES[usize::from(head[4]) % TYPES.len()];
    let whole = scanned(kind, "identity", &[body]);
    assert_eq!(
        whole,
        scanned(kind, "identity", &super::cut(body, &head[..4]))
    );
    assert_eq!(whole, scanned(kind, "identity", &super::cut(body, &[1])));
    // Nothing, and nothing in a coding, are not the same message.
    if body.is_empty() {
        return;
    }
    for (name, coding) in [("gzip", Coding::Gzip), ("br", Coding::Brotli)] {
        let coded = coded(coding, body);
        let one = scanned(kind, name, &[&coded]);
        assert_eq!((&whole.0, &whole.1), (&one.0, &one.1), "{name}");
        assert_eq!(
            one,
            scanned(kind, name, &super::cut(&coded, &[1])),
            "{name}, byte by byte"
        );
    }
}

fn coded(coding: Coding, body: &[u8]) -> Vec<u8> {
    let mut encoder = Encoder::new(coding).expect("a coding that we have");
    let mut out = Vec::new();
    encoder.push(body, &mut out).expect("memory");
    encoder.finish(&mut out).expect("memory");
    out
}

/// Verdict, rules and anomalies, in no order.
type Outcome = (String, Vec<String>, Vec<Anomaly>);

fn scanned(kind: &str, coding: &str, pieces: &[&[u8]]) -> Outcome {
    static PROFILE: LazyLock<Arc<Profile>> = LazyLock::new(|| {
        Arc::new(Profile::named("observe", Direction::Request).expect("built in"))
    });
    let head = format!(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: {kind}\r\nContent-Encoding: {coding}\r\n\r\n"
    );
    let request = RequestHead::parse(Bytes::from(head));
    let message = Message {
        request: Some(&request),
        ..Message::new(Direction::Request)
    };
    let mut scan = Scan::new(&SHIPPED, &PROFILE, &Budget::new(1 << 26), &message);
    for piece in pieces {
        scan.push(Bytes::copy_from_slice(piece));
        while scan.step_here() == Step::Busy {}
    }
    scan.end(Ended::Complete);
    while !matches!(scan.step_here(), Step::Done | Step::Decided) {}
    outcome(&scan.into_report())
}

fn outcome(report: &Report) -> Outcome {
    let mut rules: Vec<String> = report
        .findings
        .iter()
        .map(|judged| judged.fact.rule.to_string())
        .collect();
    rules.sort();
    rules.dedup();
    let mut anomalies: Vec<Anomaly> = report
        .anomalies
        .iter()
        .map(|judged| judged.fact.anomaly)
        .collect();
    anomalies.sort_unstable();
    anomalies.dedup();
    (format!("{:?}", report.verdict), rules, anomalies)
}
