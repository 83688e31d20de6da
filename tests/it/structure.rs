//! The readers of structure against the labelled corpus, when it is there: what they find by themselves, without any
//! detector of payloads.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sluice::inspect::Findings;
use sluice::inspect::form;
use sluice::inspect::json;
use sluice::inspect::leaf::{Leaf, LeafSink, Written};
use sluice::inspect::xml;

/// Looks into values for what an application would parse later, as `scan` does.
#[derive(Default)]
struct Nested {
    embedded: Vec<String>,
}

impl LeafSink for Nested {
    fn leaf(&mut self, leaf: &Leaf<'_>) {
        let whole = leaf.map.raw(0, leaf.bytes.len());
        assert!(whole.start >= leaf.span.start && whole.end <= leaf.span.end);
        if let Some(found) = xml::embedded(leaf.bytes) {
            self.embedded.push(found.rule.to_owned());
        }
    }
}

struct Case {
    id: String,
    class: String,
    technique: String,
    content_type: String,
    body: Vec<u8>,
}

fn cases(name: &str) -> Option<Vec<Case>> {
    let path = Path::new("../shared/corpus").join(name);
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: no {}", path.display());
        return None;
    };
    let cases = text.lines().map(|line| {
        let case: serde_json::Value = serde_json::from_str(line).expect("a line is a case");
        let field = |name: &str| case[name].as_str().unwrap_or("").to_owned();
        Case {
            id: field("id"),
            class: field("class"),
            technique: field("tech"),
            content_type: field("content_type"),
            body: STANDARD
                .decode(field("body_base64"))
                .expect("a body is base64"),
        }
    });
    Some(cases.collect())
}

/// What `content` does to charsets, as far as the corpus needs it.
fn utf8(body: &[u8]) -> (Vec<u8>, Written) {
    let units = |body: &[u8], big: bool| -> Vec<u8> {
        let units = body.chunks_exact(2).map(|pair| match big {
            true => u16::from_be_bytes([pair[0], pair[1]]),
            false => u16::from_le_bytes([pair[0], pair[1]]),
        });
        char::decode_utf16(units)
            .map(|unit| unit.unwrap_or('\u{fffd}'))
            .collect::<String>()
            .into_bytes()
    };
    match body {
        [0xff, 0xfe, 0, 0, ..] | [_, 0, 0, 0, ..] | [0, 0, 0, _, ..] => {
            let big = body[0] == 0;
            let text = body.chunks_exact(4).filter_map(|unit| {
                let bytes = [unit[0], unit[1], unit[2], unit[3]];
                char::from_u32(if big {
                    u32::from_be_bytes(bytes)
                } else {
                    u32::from_le_bytes(bytes)
                })
            });
            (text.collect::<String>().into_bytes(), Written::Utf32)
        }
        [0xff, 0xfe, rest @ ..] => (units(rest, false), Written::Utf16),
        [0xfe, 0xff, rest @ ..] => (units(rest, true), Written::Utf16),
        [first, 0, _, 0, ..] if *first != 0 => (units(body, false), Written::Utf16),
        [0, first, 0, _, ..] if *first != 0 => (units(body, true), Written::Utf16),
        _ => (body.to_vec(), Written::Utf8),
    }
}

/// Rules at or over the default threshold that a body breaks; `None` for types that are not ours.
fn rules(case: &Case) -> Option<Vec<String>> {
    let (body, written) = utf8(&case.body);
    let mut findings = Findings::default();
    let mut nested = Nested::default();
    let kind = case.content_type.split(';').next().unwrap_or("").trim();
    if kind.ends_with("json") {
        let mut reader = json::Reader::default();
        reader.begin(json::Document {
            written,
            ..json::Document::default()
        });
        for window in body.chunks(16 * 1024) {
            reader.push(window, &mut nested, &mut findings);
        }
        reader.finish(&mut nested, &mut findings);
    } else if kind.ends_with("xml") {
        let mut reader = xml::Reader::default();
        reader.begin(xml::Document {
            written,
            ..xml::Document::default()
        });
        for window in body.chunks(16 * 1024) {
            reader.push(window, &mut nested, &mut findings);
        }
        reader.finish(&mut nested, &mut findings);
    } else if kind.ends_with("x-www-form-urlencoded") {
        let mut reader = form::Reader::new();
        reader.push(&body, &mut nested, &mut findings);
        reader.finish(&mut nested, &mut findings);
    } else {
        return None;
    }
    let mut rules = nested.embedded;
    let judged = findings.list.iter().filter(|finding| finding.score >= 60);
    rules.extend(judged.map(|finding| finding.rule.to_string()));
    Some(rules)
}

/// The half of the corpus that may be tuned on.
fn is_tuning_half(id: &str) -> bool {
    let hash = id.bytes().fold(5381u32, |hash, byte| {
        hash.wrapping_mul(33) ^ u32::from(byte)
    });
    hash.is_multiple_of(2)
}

#[test]
fn structure_alone_stops_the_attacks_that_are_structural() {
    let (Some(attacks), Some(benign)) = (cases("attack.jsonl"), cases("benign.jsonl")) else {
        return;
    };
    let show = std::env::var_os("SHOW_MISSES").is_some();
    let mut totals: BTreeMap<(String, bool), (u32, u32)> = BTreeMap::new();
    for case in &attacks {
        let ours = ["json_abuse", "json_malformed", "xxe", "xml_bomb"];
        let Some(rules) = rules(case).filter(|_| ours.contains(&case.class.as_str())) else {
            continue;
        };
        let half = is_tuning_half(&case.id);
        let total = totals.entry((case.class.clone(), half)).or_default();
        total.0 += 1;
        total.1 += u32::from(!rules.is_empty());
        if rules.is_empty() && half && show {
            println!("missed {} {} {}", case.id, case.technique, case.body.len());
        }
    }
    for ((class, half), (all, found)) in &totals {
        let half = if *half { "tuned" } else { "other" };
        println!("{class:16} {half}: {found} of {all}");
    }
    let (mut all, mut refused) = ([0u32; 2], [0u32; 2]);
    for case in &benign {
        let Some(rules) = rules(case) else {
            continue;
        };
        let half = usize::from(is_tuning_half(&case.id));
        all[half] += 1;
        if !rules.is_empty() {
            refused[half] += 1;
            if show && half == 1 {
                println!("refused {} {} {rules:?}", case.id, case.technique);
            }
        }
    }
    println!(
        "benign: other half {} of {} refused, tuned half {} of {}",
        refused[0], all[0], refused[1], all[1]
    );
    for ((class, _), (all, found)) in &totals {
        // Labels of the XML classes hold payloads of other classes in CDATA, and charsets that only `content` undoes.
        let bar = if class == "xxe" { 80 } else { 95 };
        assert!(found * 100 >= all * bar, "{class}: {found} of {all}");
    }
    assert!(refused[0] * 1000 <= all[0] * 3);
}
