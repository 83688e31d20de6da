//! Texts that every reader of JSON must take or refuse, and documents by production of XML: `tests/corpus/json`,
//! `tests/corpus/xml`.

use sluice::inspect::leaf::{Leaf, LeafSink};
use sluice::inspect::{Category, Finding, Findings, json, xml};

const JSON: &str = include_str!("../corpus/json/cases.jsonl");
const XML: &str = include_str!("../corpus/xml/cases.jsonl");

struct Nobody;

impl LeafSink for Nobody {
    fn leaf(&mut self, _leaf: &Leaf<'_>) {}
}

fn read_json<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Finding> {
    let mut reader = json::Reader::default();
    let mut findings = Findings::default();
    for piece in pieces {
        reader.push(piece, &mut Nobody, &mut findings);
    }
    reader.finish(&mut Nobody, &mut findings);
    findings.list
}

fn read_xml<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Finding> {
    let mut reader = xml::Reader::default();
    let mut findings = Findings::default();
    for piece in pieces {
        reader.push(piece, &mut Nobody, &mut findings);
    }
    reader.finish(&mut Nobody, &mut findings);
    findings.list
}

fn bytes(case: &serde_json::Value) -> Vec<u8> {
    if let Some(text) = case["text"].as_str() {
        return text.as_bytes().to_vec();
    }
    let hex = case["hex"].as_str().expect("text or hex");
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal"))
        .collect()
}

#[test]
fn json_is_taken_or_refused_as_the_grammar_says() {
    let mut wrong = Vec::new();
    for line in JSON.lines() {
        let case: serde_json::Value = serde_json::from_str(line).expect("a case");
        let name = case["name"].as_str().expect("a name");
        let text = bytes(&case);
        let whole = read_json([text.as_slice()].into_iter());
        assert_eq!(read_json(text.chunks(1)), whole, "{name} byte by byte");
        let refused = whole.iter().any(|finding| {
            matches!(finding.category, Category::JsonMalformed)
                || finding.rule == "json-abuse/invalid-utf8"
        });
        let must_refuse = name.starts_with("n_");
        if refused != must_refuse {
            wrong.push(format!("{name}: {:?}", String::from_utf8_lossy(&text)));
        }
        // The oracle agrees, where it has the same grammar.
        let marked = text.starts_with(b"\xef\xbb\xbf");
        let oracle = serde_json::from_slice::<serde_json::Value>(&text).is_err();
        if !marked && oracle != must_refuse {
            wrong.push(format!("{name}: the oracle says otherwise"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn xml_is_judged_production_by_production() {
    let mut wrong = Vec::new();
    for line in XML.lines() {
        let case: serde_json::Value = serde_json::from_str(line).expect("a case");
        let text = bytes(&case);
        let whole = read_xml([text.as_slice()].into_iter());
        assert_eq!(read_xml(text.chunks(1)), whole, "{line} byte by byte");
        let rules: Vec<&str> = whole.iter().map(|finding| &*finding.rule).collect();
        let right = match case["rule"].as_str() {
            None => rules.is_empty(),
            Some(rule) => rules.contains(&rule),
        };
        if !right {
            wrong.push(format!(
                "{} {}: {rules:?}",
                case["production"], case["name"]
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
