//! Sanitizing: what attacks its reader is cut out, and what is left goes on with correct framing.

use std::io::{Read, Write};
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use proptest::prelude::*;
use sluice::budget::Budget;
use sluice::http1::RequestHead;
use sluice::inspect::{Category, Direction};
use sluice::policy::Verdict;
use sluice::policy::profile::{Action, Profile};
use sluice::scan::{Ended, Message, Report, Ruleset, Scan, Step};

static RULES: LazyLock<Arc<Ruleset>> =
    LazyLock::new(|| Arc::new(Ruleset::embedded().expect("the shipped rules compile")));

/// The default profile, with every class that can be sanitized set to that.
fn sanitizing() -> Profile {
    let mut profile = Profile::built_in(Direction::Request);
    for category in [
        Category::Xxe,
        Category::XmlBomb,
        Category::JsonAbuse,
        Category::PrototypePollution,
    ] {
        profile.classes.set_action(category, Action::Sanitize);
    }
    profile
}

fn scan(profile: &Profile, fields: &str, pieces: &[&[u8]]) -> (Report, Vec<u8>) {
    let head = format!("POST /x HTTP/1.1\r\nHost: api.test\r\n{fields}\r\n");
    let request = RequestHead::parse(head.into());
    let message = Message {
        request: Some(&request),
        ..Message::new(Direction::Request)
    };
    let budget = Budget::new(1 << 30);
    let mut scan = Scan::new(&RULES, &Arc::new(profile.clone()), &budget, &message);
    let mut out = Vec::new();
    for piece in pieces {
        scan.push(Bytes::copy_from_slice(piece));
        while scan.step() == Step::Busy {}
        while let Some(bytes) = scan.released() {
            out.extend_from_slice(&bytes);
        }
    }
    scan.end(Ended::Complete);
    loop {
        let step = scan.step_here();
        while let Some(bytes) = scan.released() {
            out.extend_from_slice(&bytes);
        }
        if matches!(step, Step::Decided | Step::Done) {
            return (scan.into_report(), out);
        }
    }
}

const JSON: &str = "Content-Type: application/json\r\n";
const XML: &str = "Content-Type: application/xml\r\n";

fn code(report: &Report) -> &str {
    match &report.verdict {
        Verdict::Allow => "allow",
        Verdict::Redact { .. } => "redact",
        Verdict::Block(reason) => reason.code(),
    }
}

#[test]
fn what_is_well_defined_is_cut_and_all_else_is_blocked() {
    let table: &[(&str, &str, &str, &str)] = &[
        (JSON, r#"{"a":1}"#, "allow", r#"{"a":1}"#),
        (
            JSON,
            r#"{"a":1,"__proto__":{"b":1}}"#,
            "redact",
            r#"{"a":1}"#,
        ),
        (JSON, r#"{"a":1,"a":2,"b":3}"#, "redact", r#"{"a":1,"b":3}"#),
        (
            XML,
            "<!DOCTYPE a [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><a>x&e;</a>",
            "redact",
            "<a>x</a>",
        ),
        (
            "",
            "<!DOCTYPE a [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><a>x&e;</a>",
            "redact",
            "<a>x</a>",
        ),
        // No cut is well defined.
        (JSON, r#"{"role":"user","ROLE":"admin"}"#, "json-abuse", ""),
        (
            JSON,
            r#"[{"op":"add","path":"/__proto__/x","value":1}]"#,
            "prototype-pollution",
            "",
        ),
        (
            XML,
            "<a><![CDATA[<!DOCTYPE d [<!ENTITY % p SYSTEM 'http://x/'> %p;]><d/>]]></a>",
            "xxe",
            "",
        ),
        (
            XML,
            "<a xmlns:q='http://www.w3.org/2001/XInclude'><q:include href='x'/></a>",
            "xxe",
            "",
        ),
        // A growing entity in a declaration that was harmless by itself: it has gone before that is known.
        (
            "Content-Type: application/x-www-form-urlencoded\r\n",
            "__proto__[a]=1",
            "prototype-pollution",
            "",
        ),
        // The rest of the document is judged as ever.
        (JSON, r#"{"__proto__":1,"q":"' or '1'='1"}"#, "sqli", ""),
        (JSON, r#"{"__proto__":{"q":"' or '1'='1"}}"#, "sqli", ""),
    ];
    for (fields, body, expected, out) in table {
        let (report, bytes) = scan(&sanitizing(), fields, &[body.as_bytes()]);
        assert_eq!(code(&report), *expected, "{body}: {report:?}");
        if !out.is_empty() {
            assert_eq!(String::from_utf8_lossy(&bytes), *out, "{body}");
            let (again, _) = scan(&Profile::built_in(Direction::Request), fields, &[&bytes]);
            assert_eq!(
                again.verdict,
                Verdict::Allow,
                "{body} scanned again: {again:?}"
            );
        }
    }
}

#[test]
fn an_attack_in_another_charset_or_an_inner_part_is_blocked() {
    let text: Vec<u8> =
        r#"{"a":1,"__proto__":2}"#.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let (report, _) = scan(&sanitizing(), JSON, &[&text]);
    assert_eq!(code(&report), "json-abuse");
    let body = "--b\r\nContent-Disposition: form-data; name=\"d\"\r\nContent-Type: application/xml\r\n\r\n\
                <!DOCTYPE a [<!ENTITY e SYSTEM 'file:///x'>]><a>&e;</a>\r\n--b--\r\n";
    let multipart = "Content-Type: multipart/form-data; boundary=b\r\n";
    let (report, _) = scan(&sanitizing(), multipart, &[body.as_bytes()]);
    assert_eq!(code(&report), "xxe");
}

#[test]
fn a_coded_body_goes_back_into_its_coding() {
    let mut coder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    coder
        .write_all(br#"{"a":"b","__proto__":{},"c":1}"#)
        .expect("memory");
    let body = coder.finish().expect("memory");
    let fields = format!("{JSON}Content-Encoding: gzip\r\n");
    let (report, out) = scan(&sanitizing(), &fields, &[&body]);
    assert_eq!(code(&report), "redact");
    let mut text = String::new();
    flate2::read::GzDecoder::new(out.as_slice())
        .read_to_string(&mut text)
        .expect("gzip");
    assert_eq!(text, r#"{"a":"b","c":1}"#);
}

#[test]
fn an_observing_profile_cuts_nothing() {
    let mut profile = sanitizing();
    profile.mode = sluice::policy::profile::Mode::Observe;
    let body = br#"{"a":1,"__proto__":{"b":1}}"#;
    let (report, _) = scan(&profile, JSON, &[body]);
    assert_eq!((code(&report), report.edits), ("allow", 0));
}

/// A JSON value whose objects may repeat names.
#[derive(Clone, Debug)]
enum Loose {
    Leaf(&'static str),
    Array(Vec<Loose>),
    Object(Vec<(&'static str, Loose)>),
}

/// A name as written, and as read.
const NAMES: [(&str, &str); 6] = [
    ("a", "a"),
    ("b", "b"),
    ("\\u0061", "a"),
    ("__proto__", "__proto__"),
    ("__pr\\u006fto__", "__proto__"),
    ("c d", "c d"),
];

fn loose() -> impl Strategy<Value = Loose> {
    let leaf = prop::sample::select(vec!["1", "-2.5e3", "true", "null", "\"x\"", "\"},{[\\\"\""]);
    leaf.prop_map(Loose::Leaf)
        .prop_recursive(4, 40, 6, |inner| {
            let names: Vec<&'static str> = NAMES.iter().map(|(written, _)| *written).collect();
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Loose::Array),
                prop::collection::vec((prop::sample::select(names), inner), 0..6)
                    .prop_map(Loose::Object),
            ]
        })
}

impl Loose {
    fn write(&self, blank: &str, out: &mut String) {
        let list = |open: char, close: char, items: Vec<String>, out: &mut String| {
            out.push(open);
            out.push_str(&items.join(&format!("{blank},{blank}")));
            out.push_str(blank);
            out.push(close);
        };
        let text = |value: &Loose| {
            let mut text = String::new();
            value.write(blank, &mut text);
            text
        };
        match self {
            Loose::Leaf(leaf) => out.push_str(leaf),
            Loose::Array(items) => list('[', ']', items.iter().map(text).collect(), out),
            Loose::Object(members) => {
                let members = members
                    .iter()
                    .map(|(name, value)| format!("{blank}\"{name}\"{blank}:{blank}{}", text(value)))
                    .collect();
                list('{', '}', members, out);
            }
        }
    }

    /// What is left: the first of each name, and none that reaches a prototype.
    fn cleaned(&self) -> serde_json::Value {
        match self {
            Loose::Leaf(leaf) => serde_json::from_str(leaf).expect("a leaf"),
            Loose::Array(items) => items.iter().map(Loose::cleaned).collect(),
            Loose::Object(members) => {
                let mut object = serde_json::Map::new();
                for (written, value) in members {
                    let read = NAMES.iter().find(|(known, _)| known == written);
                    let read = read.expect("a known name").1;
                    if read != "__proto__" && !object.contains_key(read) {
                        object.insert(read.to_owned(), value.cleaned());
                    }
                }
                object.into()
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_sanitized_document_is_the_first_of_each_name_and_scans_clean(
        value in loose(),
        blank in prop::sample::select(vec!["", " ", "\n\t"]),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut text = String::new();
        value.write(blank, &mut text);
        let at = cut.index(text.len() + 1);
        let (left, right) = text.as_bytes().split_at(at);
        let (report, out) = scan(&sanitizing(), JSON, &[left, right]);
        let is_block = matches!(report.verdict, Verdict::Block(_));
        prop_assert!(!is_block, "{report:?}");
        let read: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
        prop_assert_eq!(read, value.cleaned());
        prop_assert!(out.len() <= text.len());
        let (again, _) = scan(&Profile::built_in(Direction::Request), JSON, &[&out]);
        prop_assert_eq!(again.verdict, Verdict::Allow);
    }

    #[test]
    fn sanitized_xml_has_no_declaration_and_scans_clean(
        // None of the names that XML itself defines.
        name in "e[a-z]{0,7}",
        target in prop::sample::select(vec!["file:///etc/passwd", "http://10.0.0.1/x", "x.dtd"]),
        pad in 0usize..40_000,
        references in prop::collection::vec("[ -%'-;=?-~]{0,20}", 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let body = references.join(&format!("&{name};"));
        let text = format!(
            "<?xml version='1.0'?><!--{}--><!DOCTYPE r [<!ENTITY {name} SYSTEM '{target}'>]><r a='&{name};'>{body}</r>",
            " ".repeat(pad)
        );
        let (left, right) = text.as_bytes().split_at(cut.index(text.len() + 1));
        let mut profile = sanitizing();
        profile.inspect.injection = false;
        let (report, out) = scan(&profile, XML, &[left, right]);
        prop_assert_eq!(code(&report), "redact");
        let expected = format!(
            "<?xml version='1.0'?><!--{}--><r a=''>{}</r>",
            " ".repeat(pad),
            references.concat()
        );
        prop_assert_eq!(String::from_utf8_lossy(&out), expected);
        let mut strict = Profile::named("strict", Direction::Request).expect("built in");
        strict.inspect.injection = false;
        let (again, _) = scan(&strict, XML, &[&out]);
        prop_assert_eq!(again.verdict, Verdict::Allow);
    }
}
