//! The pipeline from bytes to verdict, in memory: the shipped rules, the default profiles, any chunking.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use sluice::anomaly::Anomaly;
use sluice::budget::Budget;
use sluice::content::Pace;
use sluice::http1::{RequestHead, ResponseHead};
use sluice::inspect::Direction;
use sluice::policy::Verdict;
use sluice::policy::profile::{FailMode, Mode, Profile};
use sluice::scan::{Ended, Message, Report, Ruleset, Scan, Step};

static RULES: LazyLock<Arc<Ruleset>> =
    LazyLock::new(|| Arc::new(Ruleset::embedded().expect("the shipped rules compile")));

/// The EICAR test string, assembled so that no scanner stops at this file.
pub fn eicar() -> Vec<u8> {
    let mut text = String::from(r"X5O!P%@AP[4\PZX54(P^)7CC)7}$");
    text.push_str("EICAR-STANDARD-");
    text.push_str("ANTIVIRUS-TEST-FILE!$H+H*");
    text.into_bytes()
}

/// A request with a body, cut at `cuts`.
fn scan_request(head: &str, body: &[u8], cuts: &[usize]) -> Report {
    let request = RequestHead::parse(Bytes::copy_from_slice(head.as_bytes()));
    let message = Message {
        request: Some(&request),
        ..Message::new(Direction::Request)
    };
    scan(&message, &Profile::built_in(Direction::Request), body, cuts)
}

fn scan_response(head: &str, body: &[u8], cuts: &[usize]) -> Report {
    let response = ResponseHead::parse(Bytes::copy_from_slice(head.as_bytes()));
    let message = Message {
        response: Some(&response),
        ..Message::new(Direction::Response)
    };
    scan(
        &message,
        &Profile::built_in(Direction::Response),
        body,
        cuts,
    )
}

fn scan(message: &Message<'_>, profile: &Profile, body: &[u8], cuts: &[usize]) -> Report {
    let budget = Budget::new(1 << 30);
    let mut scan = Scan::new(&RULES, &Arc::new(profile.clone()), &budget, message);
    let mut from = 0;
    for to in cuts.iter().copied().chain([body.len()]) {
        scan.push(Bytes::copy_from_slice(&body[from..to]));
        from = to;
        while scan.step() == Step::Busy {}
    }
    scan.end(Ended::Complete);
    while !matches!(scan.step_here(), Step::Decided | Step::Done) {}
    scan.into_report()
}

fn post(content_type: &str) -> String {
    format!("POST /upload HTTP/1.1\r\nHost: api.test\r\nContent-Type: {content_type}\r\n\r\n")
}

fn code(report: &Report) -> &str {
    match &report.verdict {
        Verdict::Allow => "allow",
        Verdict::Redact { .. } => "redact",
        Verdict::Block(reason) => reason.code(),
    }
}

const XXE: &[u8] =
    br#"<?xml version="1.0"?><!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/passwd">]><r>&e;</r>"#;

#[test]
fn ordinary_messages_are_allowed() {
    for (content_type, body) in [
        (
            "application/json",
            br#"{"name":"O'Brien","age":42,"tags":["a","b"]}"#.as_slice(),
        ),
        (
            "application/xml",
            b"<?xml version=\"1.0\"?><order id=\"7\"><item>tea</item></order>",
        ),
        (
            "application/x-www-form-urlencoded",
            b"name=Jane+Doe&city=Cork",
        ),
        (
            "text/plain",
            b"Select a colour from the list, or drop us a line.",
        ),
        ("application/octet-stream", &[0, 1, 2, 3, 255]),
        ("application/json", b""),
    ] {
        let report = scan_request(&post(content_type), body, &[]);
        assert_eq!(report.verdict, Verdict::Allow, "{content_type}: {report:?}");
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n\r\n");
        let report = scan_response(&head, body, &[]);
        assert_eq!(report.verdict, Verdict::Allow, "{content_type}: {report:?}");
    }
}

#[test]
fn a_text_that_begins_like_json_and_is_none_is_read_as_a_text_to_its_end() {
    use base64::Engine as _;

    let attack = "<script>alert(document.cookie)</script>";
    let filler = "{x ".repeat(1000);
    for body in [
        format!("{filler}{attack}"),
        format!("{filler}{{\"a\":\"{attack}\"}}"),
    ] {
        for head in [post("text/plain"), post("")] {
            let report = scan_request(&head, body.as_bytes(), &[]);
            assert_eq!(code(&report), "xss", "{head}");
        }
    }
    // What is JSON again behind it is taken apart as JSON is, and so is a long word.
    let hidden = base64::engine::general_purpose::STANDARD.encode(eicar());
    for body in [
        format!("{filler}\n{{\"file\":\"{hidden}\"}}"),
        format!("{filler}{{{hidden}"),
        format!("{filler}[\"{hidden}"),
    ] {
        let report = scan_request(&post("text/plain"), body.as_bytes(), &[]);
        assert_eq!(code(&report), "malware", "{report:?}");
    }
}

#[test]
fn eicar_is_blocked_under_every_two_way_split() {
    let body = eicar();
    for cut in 0..=body.len() {
        let report = scan_request(&post("application/octet-stream"), &body, &[cut]);
        assert_eq!(code(&report), "malware", "cut at {cut}");
    }
}

#[test]
fn xxe_is_blocked_byte_by_byte_and_in_both_directions() {
    let every: Vec<usize> = (1..XXE.len()).collect();
    assert_eq!(
        code(&scan_request(&post("application/xml"), XXE, &every)),
        "xxe"
    );
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n";
    assert_eq!(code(&scan_response(head, XXE, &every)), "xxe");
    // The type lies, or is missing.
    assert_eq!(code(&scan_request(&post("text/plain"), XXE, &[])), "xxe");
    assert_eq!(
        code(&scan_request(
            "POST / HTTP/1.1\r\nHost: a\r\n\r\n",
            XXE,
            &[]
        )),
        "xxe"
    );
}

#[test]
fn eicar_in_a_json_value_is_found_through_escapes_and_base64() {
    use base64::Engine as _;
    let text = String::from_utf8(eicar()).expect("EICAR is ASCII");
    let escaped = serde_json::json!({ "file": { "content": text } }).to_string();
    let unicode: String = text.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
    let unicode = format!(r#"{{"content":"{unicode}"}}"#);
    let base64 = base64::engine::general_purpose::STANDARD.encode(eicar());
    let data_uri = format!(r#"{{"avatar":"data:application/octet-stream;base64,{base64}"}}"#);
    let base64 = format!(r#"{{"content":"{base64}"}}"#);
    for body in [escaped, unicode, base64, data_uri] {
        let report = scan_request(&post("application/json"), body.as_bytes(), &[]);
        assert_eq!(code(&report), "malware", "{body}");
    }
}

#[test]
fn an_object_stream_is_found_compressed_and_in_a_value() {
    use base64::Engine as _;
    use std::io::Write as _;
    let mut stream =
        b"\xac\xed\x00\x05sr\x00\x0ctest.Example\x00\x00\x00\x00\x00\x00\x00\x01".to_vec();
    stream.extend_from_slice(b"\x02\x00\x01L\x00\x04namet\x00\x12Ljava/lang/String;xpt\x00\x01a");
    let packed = |header: flate2::GzBuilder| {
        let mut gzip = header.write(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&stream).expect("memory takes it");
        gzip.finish().expect("memory takes it")
    };
    let gzip = packed(flate2::GzBuilder::new());
    let named = packed(flate2::GzBuilder::new().filename("state.bin"));
    let base64 = base64::engine::general_purpose::STANDARD.encode(&gzip);
    let json = format!(r#"{{"state":"{base64}"}}"#);
    for (kind, body) in [
        ("application/octet-stream", stream.as_slice()),
        ("application/octet-stream", &gzip),
        ("application/octet-stream", &named),
        ("application/json", json.as_bytes()),
    ] {
        let report = scan_request(&post(kind), body, &[]);
        assert_eq!(code(&report), "deser", "{kind}");
    }
}

#[test]
fn neither_control_characters_nor_magic_numbers_hide_an_attack_in_a_text() {
    let attack = "<script>alert(document.cookie)</script>";
    let filler = "a".repeat(250);
    let [escaped, raw, percent] = ["\\u0001", "\x01", "%01"].map(|text| text.repeat(40));
    let field = "--b\r\nContent-Disposition: form-data; name=c\r\n\r\n";
    let file = "--b\r\nContent-Disposition: form-data; name=c; filename=d\r\n\r\n\x01PNG";
    for (content_type, body) in [
        (
            "application/json",
            format!("{{\"c\":\"{escaped}{filler}{attack}\"}}"),
        ),
        (
            "application/x-www-form-urlencoded",
            format!("c={percent}{filler}{attack}"),
        ),
        ("text/plain", format!("{raw}{filler}{attack}")),
        (
            "application/x-www-form-urlencoded",
            format!("b={raw}&c={raw}{filler}{attack}"),
        ),
        (
            "application/x-www-form-urlencoded",
            format!("{file}&c={attack}&d=\r\n--b--\r\n"),
        ),
        ("text/plain", format!("{file}{attack}\r\n--b--\r\n")),
        ("text/plain", format!("GIF89a{attack}")),
        ("application/octet-stream", format!("GIF89a: {attack}")),
        ("application/yaml", format!("%PDF-1.4: {attack}")),
        ("application/x-yaml", format!("{raw}{filler}{attack}")),
        ("text/plain; charset=utf-8", format!("%PDF-1.4 {attack}")),
        (
            "multipart/form-data; boundary=b",
            format!("{field}{raw}{filler}{attack}\r\n--b--\r\n"),
        ),
    ] {
        let report = scan_request(&post(content_type), body.as_bytes(), &[]);
        assert_eq!(code(&report), "xss", "{content_type}");
    }
}

/// A thread knows the names of the messages before; what is noted of a message does not depend on them.
#[test]
fn the_names_of_members_are_noted_whichever_of_them_are_known() {
    let noted = |names: &[String]| {
        let head = post("application/json");
        let request = RequestHead::parse(Bytes::copy_from_slice(head.as_bytes()));
        let message = Message {
            request: Some(&request),
            ..Message::new(Direction::Request)
        };
        let members: Vec<_> = names.iter().map(|name| format!("\"{name}\":1")).collect();
        let record = format!("{{{}}}", members.join(","));
        let profile = Arc::new(Profile::built_in(Direction::Request));
        let mut scan = Scan::new(&RULES, &profile, &Budget::new(1 << 30), &message);
        scan.watch_members();
        scan.push(Bytes::from(format!("[{record},{record},{record}]")));
        scan.end(Ended::Complete);
        while !matches!(scan.step_here(), Step::Decided | Step::Done) {}
        scan.take_members().unwrap_or_default()
    };
    let names = |range: std::ops::Range<usize>| -> Vec<String> {
        range.map(|number| format!("n{number}")).collect()
    };
    for _ in 0..3 {
        for range in [0..9, 5..40, 0..40, 100..120] {
            let expected: String = names(range.clone())
                .iter()
                .map(|name| format!("{name}\n"))
                .collect();
            assert_eq!(*noted(&names(range)), *expected);
        }
        // More than are kept, so that some give way to others.
        for from in (1000..3000).step_by(40) {
            noted(&names(from..from + 40));
        }
    }
}

#[test]
fn a_body_that_is_given_up_counts_as_uninspected_where_it_may_pass() {
    let head = RequestHead::parse(Bytes::from(post("text/plain")));
    let message = Message {
        request: Some(&head),
        ..Message::new(Direction::Request)
    };
    let body = b"harmless words ".repeat(100);
    let mut profile = Profile::built_in(Direction::Request);
    profile.limits.body_bytes = 1000;
    for cuts in [&[][..], &[400, 900, 1400]] {
        profile
            .fail_modes
            .set(Anomaly::BodyTooLarge, FailMode::Closed);
        let closed = scan(&message, &profile, &body, cuts);
        assert_ne!(code(&closed), "allow");
        profile
            .fail_modes
            .set(Anomaly::BodyTooLarge, FailMode::Open);
        let open = scan(&message, &profile, &body, cuts);
        assert_eq!(code(&open), "allow");
        assert_eq!(open.uninspected_bytes(), body.len() as u64);
        assert_eq!(
            open.uninspected.codes().collect::<Vec<_>>(),
            ["body-too-large"]
        );
    }
}

#[test]
fn a_scan_that_runs_out_of_time_keeps_what_it_found_and_counts_the_rest() {
    let head = RequestHead::parse(Bytes::from(post("application/json")));
    let message = Message {
        request: Some(&head),
        ..Message::new(Direction::Request)
    };
    let mut profile = Profile::built_in(Direction::Request);
    profile.fail_modes.set(Anomaly::ScanTimeout, FailMode::Open);
    let profile = Arc::new(profile);
    // A body's beginning is read when more of it is there than tells its type.
    let rest = format!("\"rest\":[{}", "1,".repeat(40_000));
    let given_up = |value: &str| {
        let budget = Budget::new(1 << 30);
        let mut scan = Scan::new(&RULES, &profile, &budget, &message);
        scan.push(Bytes::from(format!("{{\"a\":\"{value}\",{rest}")));
        while scan.step() == Step::Busy {}
        scan.abandon(Anomaly::ScanTimeout);
        scan.push(Bytes::from_static(b"more"));
        scan.end(Ended::Complete);
        scan.into_report()
    };
    let open = given_up("harmless");
    assert_eq!(code(&open), "allow");
    assert_eq!(open.uninspected_bytes(), open.body_bytes);
    assert!(open.body_bytes > rest.len() as u64);
    assert_eq!(
        open.uninspected.codes().collect::<Vec<_>>(),
        ["scan-timeout"]
    );
    let attack = given_up("1' UNION SELECT password FROM users --");
    assert_ne!(code(&attack), "allow");
    assert_eq!(attack.uninspected_bytes(), 0);
}

#[test]
fn an_attack_that_ends_a_text_of_many_windows_is_seen() {
    let line = "We have moved to the second floor; the bell (the old one) does not work.\\n";
    let decoy = "it's ' or 1\\n";
    for lines in [10, 800, 900, 1000, 3000] {
        let text = line.repeat(lines);
        for before in ["", decoy] {
            let body = format!("{{\"note\":\"{text}{before}{line}zed' or 'q'='q' -- \"}}");
            let head = post("application/json");
            let report = scan_request(&head, body.as_bytes(), &[body.len() / 3]);
            assert_ne!(code(&report), "allow", "{lines} {before}");
            let body = format!("{{\"note\":\"{text}{before}{line}\"}}");
            let report = scan_request(&head, body.as_bytes(), &[body.len() / 3]);
            assert_eq!(code(&report), "allow", "{lines} {before}");
        }
    }
}

#[test]
fn structure_that_is_off_blocks_nothing_and_hides_nothing_else() {
    let mut off = Profile::built_in(Direction::Request);
    off.inspect.structure = false;
    let bomb = "<!DOCTYPE a [<!ENTITY b 'bbbbbbbbbb'><!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;'>\
        <!ENTITY d '&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;'><!ENTITY e '&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;'>\
        <!ENTITY f '&e;&e;&e;&e;&e;&e;&e;&e;&e;&e;'><!ENTITY g '&f;&f;&f;&f;&f;&f;&f;&f;&f;&f;'>]><a>&g;</a>";
    let structure = [
        ("application/xml", bomb),
        (
            "application/xml",
            "<!DOCTYPE a [<!ENTITY b SYSTEM 'x.txt'>]><a>&b;</a>",
        ),
        (
            "application/json",
            "{\"a\":\"<!DOCTYPE a [<!ENTITY b PUBLIC 'a' 'http://e.example/x'>]><a>&b;</a>\"}",
        ),
        ("application/json", "{\"a\":1,\"a\":2}"),
    ];
    let others = [
        (
            "application/xml",
            "<a>1' UNION SELECT password FROM users --</a>",
        ),
        (
            "application/json",
            "{\"a\":\"1' UNION SELECT password FROM users --\"}",
        ),
        ("application/json", "{\"__proto__\":{\"admin\":true}}"),
    ];
    let allows = |profile: &Profile, (content_type, body): (&str, &str)| {
        let head = RequestHead::parse(Bytes::from(post(content_type)));
        let message = Message {
            request: Some(&head),
            ..Message::new(Direction::Request)
        };
        let report = scan(&message, profile, body.as_bytes(), &[body.len() / 2]);
        code(&report) == "allow"
    };
    let on = Profile::built_in(Direction::Request);
    for case in structure {
        assert!(allows(&off, case), "{case:?}");
        assert!(!allows(&on, case), "{case:?}");
    }
    for case in others {
        assert!(!allows(&off, case), "{case:?}");
    }
}

#[test]
fn an_attack_in_the_query_is_found_without_a_body() {
    let head = "GET /items?id=1%27%20UNION%20SELECT%20password%20FROM%20users-- HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(code(&scan_request(head, b"", &[])), "sqli");
}

#[test]
fn no_field_of_a_head_is_too_narrow_for_an_attack() {
    let attack = "<script>alert(document.cookie)</script>";
    for head in [
        format!("GET / HTTP/1.1\r\nHost: a\r\nIf-Modified-Since: {attack}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: {attack}=1\r\n\r\n"),
        format!("GET http://{attack}@a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    ] {
        let report = scan_request(&head, b"", &[]);
        assert_eq!(code(&report), "xss", "{head}");
    }
    let head = "GET http://a/b HTTP/1.1\r\nHost: a\r\nRange: bytes=0-9,20-\r\n\
                If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT\r\nCookie: a.b-c=1\r\n\r\n";
    assert_eq!(code(&scan_request(head, b"", &[])), "allow");
}

#[test]
fn what_stands_far_behind_is_read_like_what_stands_in_front() {
    use base64::Engine as _;
    let attack = "<script>alert(document.cookie)</script>";
    let written = |text: String| {
        let digits = base64::engine::general_purpose::STANDARD.encode(text);
        let lines: Vec<_> = digits.as_bytes().chunks(77).collect();
        String::from_utf8(lines.join(&b"\r\n"[..])).expect("digits")
    };
    let far = written(format!("{}{attack}", "a b ".repeat(30_000)));
    let near = written(attack.into());
    for digits in [near, far] {
        let report = scan_request(&post("text/plain"), digits.as_bytes(), &[]);
        assert_eq!(code(&report), "xss");
    }
    for blanks in [0, 70_000] {
        let body = format!(
            "{}<r>&#60;script>alert(document.cookie)</r>",
            " ".repeat(blanks)
        );
        let report = scan_request(&post("text/plain"), body.as_bytes(), &[]);
        assert_eq!(code(&report), "xss", "{blanks}");
    }
}

#[test]
fn what_an_attribute_holds_by_default_is_a_value() {
    let body = "<!DOCTYPE r [<!ATTLIST r a CDATA '&#60;script>alert(document.cookie)'>]><r/>";
    let report = scan_request(&post("application/xml"), body.as_bytes(), &[]);
    assert_eq!(code(&report), "xss");
}

#[test]
fn a_truncated_body_is_blocked() {
    let budget = Budget::new(1 << 20);
    let profile = Arc::new(Profile::built_in(Direction::Request));
    let mut scan = Scan::new(&RULES, &profile, &budget, &Message::new(Direction::Request));
    scan.push(Bytes::from_static(b"half a bo"));
    scan.end(Ended::Truncated);
    assert_eq!(scan.step(), Step::Decided);
    assert_eq!(code(scan.report()), "truncated-body");
}

#[test]
fn observe_reports_and_lets_pass() {
    let request = RequestHead::parse(Bytes::from(post("application/xml")));
    let message = Message {
        request: Some(&request),
        ..Message::new(Direction::Request)
    };
    let profile = Profile {
        mode: Mode::Observe,
        ..Profile::built_in(Direction::Request)
    };
    let report = scan(&message, &profile, XXE, &[]);
    assert_eq!(report.verdict, Verdict::Allow);
    assert!(!report.findings.is_empty());
}

#[test]
fn a_scan_may_move_between_threads() {
    fn is_send<T: Send>() {}
    is_send::<Scan>();
    is_send::<sluice::scan::Job>();
}

/// Every byte of the test string as `%XX`.
fn percent_eicar() -> String {
    eicar().iter().map(|byte| format!("%{byte:02X}")).collect()
}

#[test]
fn signatures_see_what_values_of_heads_and_bodies_decode_to() {
    let once = percent_eicar();
    let twice = once.replace('%', "%25");
    let heads = [
        format!("GET /?q={once} HTTP/1.1\r\nHost: a\r\n\r\n"),
        format!("GET /{once} HTTP/1.1\r\nHost: a\r\n\r\n"),
        format!("GET /?q={twice} HTTP/1.1\r\nHost: a\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: a={once}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: a\r\nReferer: http://x/?{once}\r\n\r\n"),
    ];
    for head in heads {
        assert_eq!(code(&scan_request(&head, b"", &[])), "malware", "{head}");
    }
    let head = format!("HTTP/1.1 302 Found\r\nLocation: http://x/?{once}\r\n\r\n");
    assert_eq!(code(&scan_response(&head, b"x", &[])), "malware");
    let form = post("application/x-www-form-urlencoded");
    let body = format!("a={twice}");
    assert_eq!(code(&scan_request(&form, body.as_bytes(), &[])), "malware");
    let body = format!("{{\"a\":\"{once}\"}}");
    let json = post("application/json");
    assert_eq!(code(&scan_request(&json, body.as_bytes(), &[])), "malware");
}

#[test]
fn the_name_of_a_part_is_read_as_it_is_spelled_and_as_it_is_meant() {
    let head =
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=X\r\n\r\n";
    let blocked = |name: &str| {
        let part = format!(
            "--X\r\nContent-Disposition: form-data; name=\"f\"; {name}\r\n\r\nhello\r\n--X--\r\n"
        );
        let report = scan_request(head, part.as_bytes(), &[]);
        matches!(report.verdict, Verdict::Block(_))
    };
    assert!(!blocked("filename=\"plain.txt\""));
    assert!(blocked(&format!("filename*=UTF-8''{}", percent_eicar())));
    let (first, second) = (eicar(), percent_eicar());
    let half = String::from_utf8_lossy(&first[..30]).into_owned();
    assert!(blocked(&format!(
        "filename*0=\"{half}\"; filename*1*={}",
        &second[90..]
    )));
}

#[test]
fn a_part_that_some_readers_take_for_a_field_is_read_as_one() {
    let attack = "<script>alert(document.cookie)</script>";
    let blocked = |disposition: &str, content: &str| {
        let part = format!(
            "--X\r\nContent-Disposition: form-data; {disposition}\r\n\r\n{content}\r\n--X--\r\n"
        );
        let report = scan_request(
            &post("multipart/form-data; boundary=X"),
            part.as_bytes(),
            &[],
        );
        code(&report) == "xss"
    };
    let content = format!("%PDF-1.4 {attack}");
    assert!(!blocked("name=a; filename=b", &content));
    for name in [
        "filename=\"\"",
        "filename",
        "filename*=UTF-8''b",
        "filename*0=b",
    ] {
        assert!(blocked(&format!("name=a; {name}"), &content), "{name}");
    }
    let long = "x".repeat(300);
    for disposition in [
        format!("name=\"{long}{attack}\""),
        format!("name=a; filename=\"{long}{attack}\""),
        format!("name=a; filename=\"{attack}\"; filename*=UTF-8''b"),
        format!("name=a; filename*=UTF-8''b; filename=\"{attack}\""),
        format!("name=a; other=\"{attack}\""),
    ] {
        assert!(blocked(&disposition, "hello"), "{disposition}");
    }
}

#[test]
fn every_field_of_a_parts_head_is_a_value() {
    let scan = |fields: &str| {
        let part = format!(
            "--X\r\nContent-Disposition: form-data; name=\"f\"\r\n{fields}\r\nhello\r\n--X--\r\n"
        );
        scan_request(
            &post("multipart/form-data; boundary=X"),
            part.as_bytes(),
            &[],
        )
    };
    assert_eq!(
        code(&scan(
            "Content-Type: text/plain; charset=utf-8\r\nX-Note: a b\r\n"
        )),
        "allow"
    );
    let attack = "1' union select name, secret from users -- ";
    for (field, before) in [
        ("X-Note", ""),
        ("Content-ID", ""),
        ("Content-Type", "text/plain; a="),
    ] {
        let report = scan(&format!("{field}: {before}{attack}\r\n"));
        assert_eq!(code(&report), "sqli", "{field}");
        let found = report
            .findings
            .iter()
            .find(|judged| judged.fact.rule.starts_with("sqli/"));
        let path = found.map(|judged| judged.fact.path.to_string());
        assert_eq!(path, Some(format!("part:f.{}", field.to_ascii_lowercase())));
    }
}

#[test]
fn documents_inside_values_and_unknown_external_subsets_are_refused_in_requests() {
    let bad = "<!DOCTYPE r [<!ENTITY x PUBLIC 'a' 'http://e.example/x'>]><r>&x;</r>";
    let include =
        "<r xmlns:x='http://www.w3.org/2001/XInclude'><x:include href='http://e.example/x'/></r>";
    for value in [bad, include] {
        let body = format!("{{\"a\":\"{value}\"}}");
        let report = scan_request(&post("application/json"), body.as_bytes(), &[]);
        assert_ne!(code(&report), "allow", "{value}");
        let report = scan_request(
            &post("text/plain"),
            format!("hello {value}").as_bytes(),
            &[],
        );
        assert_ne!(code(&report), "allow", "{value}");
    }
    let xml = post("application/xml");
    for id in [
        "SYSTEM 'x.dtd'",
        "SYSTEM ''",
        "PUBLIC 'a' 'x.dtd'",
        "SYSTEM 'http://www.w3.org/evil.dtd'",
    ] {
        let body = format!("<!DOCTYPE r {id}><r/>");
        assert_ne!(
            code(&scan_request(&xml, body.as_bytes(), &[])),
            "allow",
            "{id}"
        );
    }
    let svg = "<!DOCTYPE svg PUBLIC '-//W3C//DTD SVG 1.1//EN' 'http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd'><svg/>";
    assert_eq!(code(&scan_request(&xml, svg.as_bytes(), &[])), "allow");
}

#[test]
fn in_slices_the_report_is_that_of_whole_windows() {
    let filler = |count: usize| -> String {
        (0..count)
            .map(|at| format!("{{\"id\":{at},\"text\":\"the quick brown fox {at}\"}},"))
            .collect()
    };
    let attack = "{\"q\":\"1' OR '1'='1' UNION SELECT name, pw FROM users--\"}]";
    let form = format!("a={}&b=1%27%20OR%201%3D1--", "x".repeat(40_000));
    let xml = [
        b"<r>".as_slice(),
        "<a>b</a>".repeat(6000).as_bytes(),
        b"</r>",
    ]
    .concat();
    for (content_type, body) in [
        (
            "application/json",
            format!("[{}{attack}", filler(1500)).into_bytes(),
        ),
        (
            "application/json",
            format!("[{}{{}}]", filler(1500)).into_bytes(),
        ),
        ("application/x-www-form-urlencoded", form.into_bytes()),
        ("application/xml", [xml, XXE.to_vec()].concat()),
        ("text/plain", [filler(900).into_bytes(), eicar()].concat()),
    ] {
        let windows = scan_request(&post(content_type), &body, &[]);
        let head = post(content_type);
        let request = RequestHead::parse(Bytes::copy_from_slice(head.as_bytes()));
        let message = Message {
            request: Some(&request),
            ..Message::new(Direction::Request)
        };
        let profile = Arc::new(Profile::built_in(Direction::Request));
        let mut scan = Scan::new(&RULES, &profile, &Budget::new(1 << 30), &message);
        scan.push(Bytes::from(body.clone()));
        scan.end(Ended::Complete);
        scan.pace(Pace::Slices);
        let mut steps = 0;
        while !matches!(scan.step_here(), Step::Decided | Step::Done) {
            steps += 1;
        }
        let slices = scan.into_report();
        assert_eq!(
            format!("{slices:?}"),
            format!("{windows:?}"),
            "{content_type}"
        );
        let all = windows.verdict == Verdict::Allow;
        assert!(!all || steps > body.len() / 4096, "{steps} steps");
    }
}
