//! Literal rules on messages: each condition, at each kind of place.

use super::*;
use bytes::Bytes;
use sluice::http1::RequestHead;
use sluice::policy::profile::{Classes, Profile};
use sluice::scan::{Ended, Message, Report, Ruleset, Scan, Step};

/// A rule set of these literal rules (TOML) and nothing else.
fn literal_rules(text: &str) -> Arc<Ruleset> {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("literal")).expect("a folder");
    std::fs::write(folder.path().join("literal/test.toml"), text).expect("written");
    ruleset(Bundle::load(folder.path()).expect("loads"))
}

pub(super) fn ruleset(bundle: Bundle) -> Arc<Ruleset> {
    Arc::new(Ruleset::compile(vec![bundle], YaraLimits::default()).expect("compiles"))
}

/// A profile that looks at signatures only and blocks nothing, so that every finding is in the report.
pub(super) fn watching() -> Profile {
    let mut profile = Profile::named("observe", Direction::Request).expect("built in");
    profile.inspect.injection = false;
    profile.classes = Classes::enforcing();
    profile
}

/// What becomes of a message whose body comes in pieces of `size`.
pub(super) fn message(
    rules: &Arc<Ruleset>,
    profile: Profile,
    head: &str,
    (body, size): (&[u8], usize),
) -> Report {
    let request = RequestHead::parse(Bytes::copy_from_slice(head.as_bytes()));
    let message = Message {
        request: Some(&request),
        client: Some("192.0.2.7".parse().expect("an address")),
        ..Message::new(Direction::Request)
    };
    let mut scan = Scan::new(rules, &Arc::new(profile), &Budget::new(1 << 30), &message);
    for piece in body.chunks(size.max(1)) {
        scan.push(Bytes::copy_from_slice(piece));
        while scan.step_here() == Step::Busy {}
    }
    scan.end(Ended::Complete);
    while !matches!(scan.step_here(), Step::Done | Step::Decided) {}
    scan.into_report()
}

pub(super) fn rules_of(report: &Report) -> Vec<String> {
    let mut ids: Vec<String> = report
        .findings
        .iter()
        .map(|judged| judged.fact.rule.to_string())
        .filter(|rule| rule.contains("t/") || rule.contains("hash/"))
        .collect();
    ids.sort();
    // A rule may match in the head as it is written and in a value of it.
    ids.dedup();
    ids
}

fn found(rules: &Arc<Ruleset>, head: &str, body: &[u8]) -> Vec<String> {
    let whole = rules_of(&message(rules, watching(), head, (body, body.len())));
    let single = rules_of(&message(rules, watching(), head, (body, 1)));
    assert_eq!(whole, single, "byte by byte");
    whole
}

const PLACES: &str = r#"
[[rule]]
id = "t/everywhere"
text = "needle"
[[rule]]
id = "t/url"
text = "needle"
places = ["url"]
[[rule]]
id = "t/header"
text = "needle"
places = ["header"]
[[rule]]
id = "t/field"
text = "needle"
places = ["field"]
[[rule]]
id = "t/file"
text = "needle"
places = ["file"]
[[rule]]
id = "t/body"
text = "needle"
places = ["body"]
"#;

#[test]
fn each_place_is_its_own() {
    let rules = literal_rules(PLACES);
    let post = |kind: &str| format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: {kind}\r\n\r\n");
    assert_eq!(
        found(&rules, "GET /a/needle?q=1 HTTP/1.1\r\nHost: a\r\n\r\n", b""),
        ["t/everywhere", "t/header", "t/url"]
    );
    assert_eq!(
        found(&rules, "GET /?q=%6eeedle HTTP/1.1\r\nHost: a\r\n\r\n", b""),
        ["t/everywhere", "t/url"]
    );
    assert_eq!(
        found(
            &rules,
            "GET / HTTP/1.1\r\nHost: a\r\nX-A: a needle\r\n\r\n",
            b""
        ),
        ["t/everywhere", "t/header"]
    );
    assert_eq!(
        found(&rules, &post("application/json"), br#"{"a":"the needle"}"#),
        ["t/body", "t/everywhere", "t/field"]
    );
    assert_eq!(
        found(
            &rules,
            &post("application/json"),
            br#"{"a":"the \u006eeedle"}"#
        ),
        ["t/everywhere", "t/field"]
    );
    assert_eq!(
        found(
            &rules,
            &post("application/x-www-form-urlencoded"),
            b"a=b&c=needl%65"
        ),
        ["t/everywhere", "t/field"]
    );
    // A body that is no document is one value.
    assert_eq!(
        found(&rules, &post("application/octet-stream"), b"\x00\x01needle"),
        ["t/body", "t/everywhere", "t/field"]
    );
    let form = b"--X\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.bin\"\r\n\r\n\x00needle\r\n--X--\r\n";
    let kinds = found(&rules, &post("multipart/form-data; boundary=X"), form);
    assert!(kinds.contains(&"t/file".to_owned()), "{kinds:?}");
    assert!(!kinds.contains(&"t/field".to_owned()), "{kinds:?}");
}

#[test]
fn content_types_and_direction_are_conditions_of_values_too() {
    let rules = literal_rules(
        r#"
[[rule]]
id = "t/json"
text = "needle"
content-types = ["application/json"]
[[rule]]
id = "t/json-field"
text = "needle"
places = ["field"]
content-types = ["application/*"]
[[rule]]
id = "t/text"
text = "needle"
content-types = ["text/*"]
[[rule]]
id = "t/answers"
text = "needle"
direction = "response"
"#,
    );
    let head =
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json; charset=utf-8\r\n\r\n";
    assert_eq!(
        found(&rules, head, br#"{"a":"needle"}"#),
        ["t/json", "t/json-field"]
    );
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\n\r\n";
    assert_eq!(found(&rules, head, b"needle"), ["t/text"]);
}

#[test]
fn whole_values_are_told_from_parts_of_them() {
    let rules = literal_rules(
        r#"
[[rule]]
id = "t/whole"
text = "needle"
covers = "whole"
[[rule]]
id = "t/whole-insensitive"
text = "NeEdLe"
case = "insensitive"
covers = "whole"
"#,
    );
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\r\n";
    let both = ["t/whole", "t/whole-insensitive"];
    assert_eq!(found(&rules, head, br#"{"a":"needle","b":"x"}"#), both);
    assert_eq!(
        found(&rules, head, br#"{"a":"NEEDLE"}"#),
        ["t/whole-insensitive"]
    );
    assert!(found(&rules, head, br#"{"a":"needles","b":" needle"}"#).is_empty());
    assert_eq!(
        found(&rules, head, b"needle"),
        both,
        "the body is a value as well"
    );
    let head = "GET /?q=needle HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(found(&rules, head, b""), both);
    let head = "GET / HTTP/1.1\r\nHost: a\r\nX-A: needle\r\n\r\n";
    assert_eq!(found(&rules, head, b""), both);
}

#[test]
fn hex_pieces_and_case_are_compared_in_one_pass_under_any_cut() {
    let rules = literal_rules(
        r#"
[[rule]]
id = "t/hex"
hex = "00 ff 6e 65 65 64"
[[rule]]
id = "t/pieces"
pieces = ["nee", "dle"]
case = "insensitive"
[[rule]]
id = "t/any"
any = ["absent", { hex = "00ff4e" }]
[[rule]]
id = "t/exact"
text = "NEEDLE"
"#,
    );
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/octet-stream\r\n\r\n";
    assert_eq!(
        found(&rules, head, b"..\x00\xffneedLE"),
        ["t/hex", "t/pieces"]
    );
    assert_eq!(
        found(&rules, head, b"\x00\xffNEEDLE"),
        ["t/any", "t/exact", "t/pieces"]
    );
    let long = [
        vec![b'.'; 40_000],
        b"\x00\xffneedLE".to_vec(),
        vec![b'.'; 40_000],
    ]
    .concat();
    for size in [1, 7, 4096, 16 * 1024, 90_000] {
        let report = message(&rules, watching(), head, (&long, size));
        assert_eq!(rules_of(&report), ["t/hex", "t/pieces"], "pieces of {size}");
    }
}
