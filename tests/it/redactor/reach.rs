//! What does not come as plain text: each body is redacted, or an anomaly says that it was not, and policy judges that.

use std::io::{Read, Write};
use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use sluice::anomaly::Anomaly;
use sluice::budget::Budget;
use sluice::http1::ResponseHead;
use sluice::inspect::Direction;
use sluice::policy::profile::{FailMode, Profile};
use sluice::policy::{Reason, Verdict};
use sluice::scan::{Ended, Message, Report, Ruleset, Scan, Step};

static RULES: LazyLock<Arc<Ruleset>> =
    LazyLock::new(|| Arc::new(Ruleset::embedded().expect("the shipped rules compile")));

/// What became of a body.
struct Passed {
    report: Report,
    /// The outgoing bytes; `None` where the original is what passes.
    edited: Option<Vec<u8>>,
}

fn profile() -> Profile {
    Profile {
        redact: Some(Arc::new(sluice::redact::Profile::all())),
        ..Profile::built_in(Direction::Response)
    }
}

fn respond(head: &str, body: &[u8], profile: Profile, size: usize) -> Passed {
    let head = format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n");
    let response = ResponseHead::parse(Bytes::from(head));
    let message = Message {
        response: Some(&response),
        ..Message::new(Direction::Response)
    };
    let budget = Budget::new(1 << 30);
    let mut scan = Scan::new(&RULES, &Arc::new(profile), &budget, &message);
    let mut edited = Vec::new();
    let mut drain = |scan: &mut Scan| {
        while let Some(bytes) = scan.released() {
            edited.extend_from_slice(&bytes);
        }
    };
    for piece in body.chunks(size) {
        scan.push(Bytes::copy_from_slice(piece));
        while scan.step() == Step::Busy {
            drain(&mut scan);
        }
    }
    scan.end(Ended::Complete);
    loop {
        let step = scan.step_here();
        drain(&mut scan);
        if matches!(step, Step::Decided | Step::Done) {
            break;
        }
    }
    let edits = scan.edits();
    Passed {
        report: scan.into_report(),
        edited: edits.then_some(edited),
    }
}

fn blocked_for(report: &Report) -> Option<Anomaly> {
    match &report.verdict {
        Verdict::Block(Reason::Anomaly(anomaly)) => Some(*anomaly),
        _ => None,
    }
}

const TEXT: &str = r#"{"id": 17, "note": "write to bob@example.org", "password": "Velvet9!"}"#;

fn encoded(coding: &str, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match coding {
        "gzip" => {
            let mut encoder = flate2::write::GzEncoder::new(out, flate2::Compression::best());
            encoder.write_all(bytes).expect("memory does not fail");
            return encoder.finish().expect("memory does not fail");
        }
        "deflate" => {
            let mut encoder = flate2::write::ZlibEncoder::new(out, flate2::Compression::best());
            encoder.write_all(bytes).expect("memory does not fail");
            return encoder.finish().expect("memory does not fail");
        }
        "br" => {
            let mut encoder = brotli::CompressorWriter::new(&mut out, 4096, 5, 20);
            encoder.write_all(bytes).expect("memory does not fail");
        }
        "zstd" => out = zstd::encode_all(bytes, 1).expect("memory does not fail"),
        other => panic!("no coding {other}"),
    }
    out
}

fn decoded(coding: &str, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let done = match coding {
        "gzip" => flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut out),
        "deflate" => flate2::read::ZlibDecoder::new(bytes).read_to_end(&mut out),
        "br" => brotli::Decompressor::new(bytes, 4096).read_to_end(&mut out),
        "zstd" => {
            out = zstd::decode_all(bytes).expect("whole frames");
            Ok(out.len())
        }
        other => panic!("no coding {other}"),
    };
    done.expect("a whole stream");
    out
}

#[test]
fn coded_bodies_come_back_in_the_codings_they_came_in() {
    let lines: String = (0..3000)
        .map(|at| {
            format!(
                "{{\"id\": {at}, \"cvv\": \"1{:02}\", \"x\": \"plain words\"}}\n",
                at % 100
            )
        })
        .collect();
    let bodies = [("application/json", TEXT), ("application/x-ndjson", &lines)];
    let stacks: [&[&str]; 7] = [
        &["gzip"],
        &["deflate"],
        &["br"],
        &["zstd"],
        &["gzip", "br"],
        &["deflate", "gzip"],
        &["br", "zstd", "gzip"],
    ];
    for (content_type, text) in bodies {
        let (expected, _) = super::redacted(content_type, [text.as_bytes()]);
        for stack in stacks {
            let coded = stack
                .iter()
                .fold(text.as_bytes().to_vec(), |bytes, coding| {
                    encoded(coding, &bytes)
                });
            let head = format!(
                "Content-Type: {content_type}\r\nContent-Encoding: {}",
                stack.join(", ")
            );
            let mut first = None;
            for size in [coded.len(), 1000, 17] {
                let passed = respond(&head, &coded, profile(), size);
                assert!(
                    matches!(passed.report.verdict, Verdict::Redact { .. }),
                    "{stack:?}"
                );
                let edited = passed.edited.expect("it is edited");
                let plain = stack
                    .iter()
                    .rev()
                    .fold(edited.clone(), |bytes, coding| decoded(coding, &bytes));
                assert_eq!(
                    String::from_utf8_lossy(&plain),
                    String::from_utf8_lossy(&expected),
                    "{stack:?}"
                );
                // The coded bytes, too, are a function of the body and not of its pieces.
                assert_eq!(
                    first.get_or_insert_with(|| edited.clone()),
                    &edited,
                    "{stack:?}"
                );
            }
        }
    }
}

#[test]
fn codings_that_cannot_be_written_again_keep_the_original_whatever_policy_says() {
    let gzip = encoded("gzip", TEXT.as_bytes());
    let mut trailing = gzip.clone();
    trailing.extend_from_slice(b"more bob@example.org");
    let mut cut = gzip.clone();
    cut.truncate(gzip.len() - 9);
    let four = ["gzip"; 4]
        .iter()
        .fold(TEXT.as_bytes().to_vec(), |bytes, coding| {
            encoded(coding, &bytes)
        });
    let cases: [(&str, &[u8], Anomaly); 5] = [
        ("compress", TEXT.as_bytes(), Anomaly::UnknownCoding),
        ("gzip", TEXT.as_bytes(), Anomaly::CodingMismatch),
        ("gzip", &trailing, Anomaly::TrailingData),
        ("gzip", &cut, Anomaly::BrokenCoding),
        ("gzip, gzip, gzip, gzip", &four, Anomaly::TooManyCodings),
    ];
    for (coding, body, anomaly) in cases {
        let head = format!("Content-Type: application/json\r\nContent-Encoding: {coding}");
        let closed = respond(&head, body, profile(), 4096);
        assert_eq!(blocked_for(&closed.report), Some(anomaly), "{coding}");
        // Let through by policy: what is found all the same blocks, and nothing half coded ever leaves.
        let mut open = profile();
        open.fail_modes.set(anomaly, FailMode::Open);
        let passed = respond(&head, body, open, 4096);
        assert_eq!(passed.edited, None, "{coding}");
        let unreached = blocked_for(&passed.report) == Some(Anomaly::UnreachableEdit);
        assert!(unreached || anomaly == Anomaly::TooManyCodings, "{coding}");
    }
}

/// How a body is to pass.
#[derive(Debug, PartialEq)]
enum Way {
    /// Edited.
    Redacted,
    /// Not at all, for that anomaly.
    Blocked(Anomaly),
    /// As it came, and that anomaly was noted.
    Noted(Anomaly),
}

pub(crate) fn zipped(name: &str, text: &[u8]) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(text);
    let crc = crc.sum().to_le_bytes();
    let len = u32::try_from(text.len()).expect("short").to_le_bytes();
    let name_len = u16::try_from(name.len()).expect("short").to_le_bytes();
    let common = [
        &[20, 0, 0, 0, 0, 0, 0, 0, 0, 0][..],
        &crc,
        &len,
        &len,
        &name_len,
        &[0, 0],
    ]
    .concat();
    let local = [b"PK\x03\x04", common.as_slice(), name.as_bytes(), text].concat();
    let central = [
        b"PK\x01\x02\x14\0",
        common.as_slice(),
        &[0; 14],
        name.as_bytes(),
    ]
    .concat();
    let at = u32::try_from(local.len()).expect("short").to_le_bytes();
    let size = u32::try_from(central.len()).expect("short").to_le_bytes();
    let end = [
        b"PK\x05\x06\0\0\0\0\x01\0\x01\0".as_slice(),
        &size,
        &at,
        &[0, 0],
    ]
    .concat();
    [local, central, end].concat()
}

fn utf16(text: &str) -> Vec<u8> {
    let mut bytes = vec![0xff, 0xfe];
    bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    bytes
}

#[test]
fn every_body_is_redacted_or_an_anomaly_says_that_it_was_not() {
    let base64 = STANDARD.encode(TEXT);
    let long = STANDARD.encode(TEXT.repeat(1000));
    let lines = |text: &str| {
        let lines = text.as_bytes().chunks(76).map(String::from_utf8_lossy);
        lines.collect::<Vec<_>>().join("\\n")
    };
    let multipart = |head: &str, body: &[u8]| {
        let head = format!(
            "--x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n{head}\r\n\r\n"
        );
        [head.as_bytes(), body, b"\r\n--x--\r\n"].concat()
    };
    let form = "multipart/form-data; boundary=x";
    let png = [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice(), &[0; 600]].concat();
    let nested = format!(r#"{{"a": {}}}"#, serde_json::Value::from(TEXT));
    let cases: Vec<(&str, &str, Vec<u8>, Way)> = vec![
        (
            "unknown type",
            "application/octet-stream",
            TEXT.into(),
            Way::Redacted,
        ),
        (
            "vendor type",
            "application/vnd.acme.v2",
            TEXT.into(),
            Way::Redacted,
        ),
        ("nonsense type", "nonsense", TEXT.into(), Way::Redacted),
        (
            "text of unknown type",
            "application/x-foo",
            "mail bob@example.org\n".into(),
            Way::Redacted,
        ),
        ("mislabelled json", "text/html", TEXT.into(), Way::Redacted),
        (
            "json posted as a form",
            "application/x-www-form-urlencoded",
            TEXT.into(),
            Way::Redacted,
        ),
        (
            "an error page as json",
            "application/json",
            "<html><p>mail bob@example.org</p></html>".into(),
            Way::Redacted,
        ),
        (
            "text as json",
            "application/json",
            "Contact bob@example.org, password: Velvet9!".into(),
            Way::Redacted,
        ),
        (
            "octet-stream part",
            form,
            multipart("Content-Type: application/octet-stream", TEXT.as_bytes()),
            Way::Redacted,
        ),
        (
            "unknown part",
            form,
            multipart("Content-Type: application/x-foo", TEXT.as_bytes()),
            Way::Redacted,
        ),
        (
            "base64 part",
            form,
            multipart("Content-Transfer-Encoding: base64", base64.as_bytes()),
            Way::Redacted,
        ),
        (
            "unknown encoding",
            form,
            multipart("Content-Transfer-Encoding: x-uue", base64.as_bytes()),
            Way::Blocked(Anomaly::BrokenEncoding),
        ),
        (
            "png part",
            form,
            multipart("Content-Type: image/png", &png),
            Way::Noted(Anomaly::UnreadContent),
        ),
        (
            "png",
            "image/png",
            png.clone(),
            Way::Noted(Anomaly::UnreadContent),
        ),
        (
            "zip",
            "application/zip",
            zipped("a.json", TEXT.as_bytes()),
            Way::Blocked(Anomaly::UnreachableEdit),
        ),
        (
            "clean zip",
            "application/zip",
            zipped("a.json", b"{\"a\": 1}"),
            Way::Noted(Anomaly::UnreadContent),
        ),
        (
            "gzip file",
            "application/gzip",
            encoded("gzip", TEXT.as_bytes()),
            Way::Blocked(Anomaly::UnreachableEdit),
        ),
        (
            "zip part",
            form,
            multipart(
                "Content-Type: application/zip",
                &zipped("a.csv", b"name,password\na,Velvet9!\n"),
            ),
            Way::Blocked(Anomaly::UnreachableEdit),
        ),
        (
            "utf-16",
            "application/json",
            utf16(TEXT),
            Way::Blocked(Anomaly::UnreachableEdit),
        ),
        (
            "utf-16 part",
            form,
            multipart(
                "Content-Type: text/plain; charset=utf-16",
                &utf16("mail bob@example.org"),
            ),
            Way::Blocked(Anomaly::UnreachableEdit),
        ),
        (
            "unknown charset",
            "text/plain; charset=x-none",
            "mail bob@example.org".into(),
            Way::Blocked(Anomaly::UnknownCharset),
        ),
        (
            "latin-1",
            "text/plain; charset=iso-8859-1",
            b"f\xfcr bob@example.org".to_vec(),
            Way::Redacted,
        ),
        (
            "json in json",
            "application/json",
            nested.into(),
            Way::Redacted,
        ),
        (
            "json in a form",
            "application/x-www-form-urlencoded",
            "a=%7B%22password%22%3A%22Velvet9%21%22%7D".into(),
            Way::Redacted,
        ),
        (
            "base64 in json",
            "application/json",
            format!(r#"{{"data": "{base64}"}}"#).into(),
            Way::Redacted,
        ),
        (
            "a data uri in json",
            "application/json",
            format!(r#"{{"f": "data:application/json;base64,{base64}"}}"#).into(),
            Way::Redacted,
        ),
        (
            "base64 in running text",
            "text/plain",
            format!("payload={base64} took 3 ms\n").into(),
            Way::Redacted,
        ),
        (
            "base64 in lines",
            "application/json",
            format!(r#"{{"content": "{}\n{}\n"}}"#, &base64[..60], &base64[60..]).into(),
            Way::Redacted,
        ),
        (
            "base64 over 64 KiB",
            "application/json",
            format!(r#"{{"data": "{long}"}}"#).into(),
            Way::Blocked(Anomaly::DecodeLimit),
        ),
        (
            "base64 over 64 KiB in lines",
            "application/json",
            format!(r#"{{"data": "{}"}}"#, lines(&long)).into(),
            Way::Blocked(Anomaly::DecodeLimit),
        ),
        (
            "base64 inside base64",
            "application/json",
            format!(r#"{{"data": "{}"}}"#, STANDARD.encode(&base64)).into(),
            Way::Blocked(Anomaly::DecodeLimit),
        ),
        (
            "base64 in xml",
            "application/xml",
            format!("<a><data>{base64}</data></a>").into(),
            Way::Redacted,
        ),
        (
            "xml in json",
            "application/json",
            r#"{"soap": "<a><password>Velvet9!</password></a>"}"#.into(),
            Way::Redacted,
        ),
        (
            "json in xml",
            "application/xml",
            r#"<a>{"password": "Velvet9!"}</a>"#.into(),
            Way::Redacted,
        ),
        (
            "ndjson with errors",
            "application/x-ndjson",
            "{\"a\": 1}\n{oops\n{\"password\": \"Velvet9!\"}\n".into(),
            Way::Redacted,
        ),
        (
            "truncated json",
            "application/json",
            r#"{"a": [1, {"password": "Velvet9!"#.into(),
            Way::Redacted,
        ),
        (
            "truncated xml",
            "application/xml",
            "<a><password>Velvet9!".into(),
            Way::Redacted,
        ),
        (
            "truncated csv",
            "text/csv",
            "name,password\nann,\"Velvet9!".into(),
            Way::Redacted,
        ),
        (
            "multipart without boundary",
            "multipart/mixed",
            "--x\r\n\r\nbob@example.org\r\n--x--".into(),
            Way::Blocked(Anomaly::BrokenMultipart),
        ),
    ];
    let mut wrong = Vec::new();
    for (name, content_type, body, way) in cases {
        let head = format!("Content-Type: {content_type}");
        let passed = respond(&head, &body, profile(), 777);
        let noted = |anomaly| {
            let mut facts = passed.report.anomalies.iter();
            facts.any(|judged| judged.fact.anomaly == anomaly)
        };
        let leaks = passed.edited.as_ref().is_none_or(|edited| {
            [b"bob@example".as_slice(), b"Velvet9"]
                .iter()
                .any(|secret| memchr::memmem::find(edited, secret).is_some())
        });
        let fine = match &way {
            Way::Redacted => matches!(passed.report.verdict, Verdict::Redact { .. }) && !leaks,
            Way::Blocked(anomaly) => {
                matches!(passed.report.verdict, Verdict::Block(_)) && noted(*anomaly)
            }
            Way::Noted(anomaly) => {
                passed.report.verdict == Verdict::Allow
                    && noted(*anomaly)
                    && passed.edited.as_deref() == Some(&body)
            }
        };
        if !fine {
            let edited = passed.edited.unwrap_or_default();
            let edited = String::from_utf8_lossy(&edited).into_owned();
            wrong.push(format!(
                "{name}: expected {way:?}, got {:?} {:?} {edited:?}",
                passed.report.verdict, passed.report.anomalies
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn text_that_is_not_read_is_masked_whole_where_policy_says_so() {
    let long = STANDARD.encode(TEXT.repeat(1000));
    let twice = STANDARD.encode(STANDARD.encode(TEXT));
    let profile = || Profile {
        redact: Some(Arc::new(
            sluice::redact::Profile::all().with_unread(sluice::redact::Unread::Mask),
        )),
        ..Profile::built_in(Direction::Response)
    };
    let within = STANDARD.encode(format!("{{\"x\": \"{}\"}}", STANDARD.encode(TEXT)));
    let body = format!(
        r#"{{"a": 1, "data": "{long}", "twice": "{twice}", "within": "{within}", "mail": "x"}}"#
    );
    let mut first = None;
    for size in [body.len(), 16 << 10, 777] {
        let head = "Content-Type: application/json";
        let passed = respond(head, body.as_bytes(), profile(), size);
        let counts = &passed.report.redactions;
        assert!(
            counts.get("UNREAD").is_some_and(|count| *count > 1),
            "{counts:?}"
        );
        let edited = String::from_utf8(passed.edited.expect("it is edited")).expect("UTF-8");
        let json: serde_json::Value = serde_json::from_str(&edited).expect("JSON");
        let data = json["data"].as_str().expect("a string");
        assert_eq!(data.replace("[REDACTED:UNREAD]", ""), "", "{size}");
        assert_eq!(json["twice"], "[REDACTED:UNREAD]");
        // Somewhere inside the outer text: only that is masked.
        let inner = STANDARD.decode(json["within"].as_str().expect("a string"));
        assert_eq!(inner.expect("base64"), b"{\"x\": \"[REDACTED:UNREAD]\"}");
        assert_eq!((&json["a"], &json["mail"]), (&1.into(), &"x".into()));
        assert_eq!(
            first.get_or_insert_with(|| edited.clone()),
            &edited,
            "{size}"
        );
    }
    // A picture is no text, however long it is.
    let noise: Vec<u8> = (0..90_000_u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let body = format!(
        r#"{{"png": "data:image/png;base64,{}"}}"#,
        STANDARD.encode(noise)
    );
    let passed = respond(
        "Content-Type: application/json",
        body.as_bytes(),
        profile(),
        4096,
    );
    assert_eq!(passed.report.verdict, Verdict::Allow);
}

#[test]
fn coded_bodies_leave_in_no_coding_where_policy_says_so() {
    let (expected, _) = super::redacted("application/json", [TEXT.as_bytes()]);
    let profile = || Profile {
        redact: Some(Arc::new(
            sluice::redact::Profile::all().with_recode(sluice::redact::Recode::Identity),
        )),
        ..Profile::built_in(Direction::Response)
    };
    for coding in ["gzip", "deflate", "br", "zstd"] {
        let head = format!("Content-Type: application/json\r\nContent-Encoding: {coding}");
        let coded = encoded(coding, TEXT.as_bytes());
        let passed = respond(&head, &coded, profile(), 17);
        assert_eq!(passed.edited.as_ref(), Some(&expected), "{coding}");
        let clean = encoded(coding, b"{\"a\": 1}");
        let passed = respond(&head, &clean, profile(), 17);
        assert_eq!(passed.report.verdict, Verdict::Allow, "{coding}");
        // A coding that lies is judged as ever.
        let broken = respond(&head, TEXT.as_bytes(), profile(), 17);
        assert!(
            matches!(broken.report.verdict, Verdict::Block(_)),
            "{coding}"
        );
    }
}

#[test]
fn encoders_draw_on_the_memory_budget() {
    let response = ResponseHead::parse(Bytes::from_static(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: zstd\r\n\r\n",
    ));
    let message = Message {
        response: Some(&response),
        ..Message::new(Direction::Response)
    };
    let budget = Budget::new(1 << 20);
    let mut scan = Scan::new(&RULES, &Arc::new(profile()), &budget, &message);
    scan.end(Ended::Complete);
    while scan.step() == Step::Busy {}
    assert_eq!(blocked_for(scan.report()), Some(Anomaly::MemoryBudget));
    drop(scan);
    assert_eq!(budget.used(), 0);
}

#[test]
fn what_no_edit_reaches_is_masked_whole_where_the_profile_says_so() {
    let veiling = || Profile {
        redact: Some(Arc::new(
            sluice::redact::Profile::all().with_unread(sluice::redact::Unread::Mask),
        )),
        ..Profile::built_in(Direction::Response)
    };
    let multipart = |head: &str, body: &[u8]| {
        let head = format!(
            "--x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n{head}\r\n\r\n"
        );
        [head.as_bytes(), body, b"\r\n--x--\r\n"].concat()
    };
    let json = |value: &str| format!(r#"{{"f": "{value}", "n": 17}}"#).into_bytes();
    let mask = "[REDACTED:UNREAD]";
    let zip = zipped("a.csv", b"name,password\na,Velvet9!\n");
    let gzip = encoded("gzip", TEXT.as_bytes());
    let long = STANDARD.encode(zipped(
        "a.csv",
        &b"name,password\na,Velvet9!\n".repeat(4000),
    ));
    let form = "multipart/form-data; boundary=x";
    let coded = "Content-Type: application/zip\r\nContent-Transfer-Encoding: base64";
    let inner = "Content-Type: application/json";
    let wide = "Content-Type: text/plain; charset=utf-16";
    let uri = "data:application/zip;base64,";
    let cases = [
        (
            form,
            multipart("Content-Type: application/zip", &zip),
            multipart("Content-Type: application/zip", mask.as_bytes()),
        ),
        (
            form,
            multipart(coded, STANDARD.encode(&zip).as_bytes()),
            multipart(coded, STANDARD.encode(mask).as_bytes()),
        ),
        (
            form,
            multipart(wide, &utf16("mail bob@example.org")),
            multipart(wide, mask.as_bytes()),
        ),
        (
            form,
            multipart(inner, &json(&STANDARD.encode(&zip))),
            multipart(inner, &json(mask)),
        ),
        ("application/json", json(&STANDARD.encode(&zip)), json(mask)),
        (
            "application/json",
            json(&STANDARD.encode(&gzip)),
            json(mask),
        ),
        (
            "application/json",
            json(&STANDARD.encode(utf16(TEXT))),
            json(mask),
        ),
        (
            "application/json",
            json(&(uri.to_owned() + &STANDARD.encode(&zip))),
            json(&(uri.to_owned() + mask)),
        ),
    ];
    for (at, (content_type, body, expected)) in cases.iter().enumerate() {
        let head = format!("Content-Type: {content_type}");
        for size in [body.len(), 100, 7, 1] {
            let judged = respond(&head, body, profile(), size);
            assert_eq!(
                blocked_for(&judged.report),
                Some(Anomaly::UnreachableEdit),
                "case {at}"
            );
            let passed = respond(&head, body, veiling(), size);
            assert_eq!(blocked_for(&passed.report), None, "case {at}");
            let edited = passed.edited.expect("it is edited");
            assert_eq!(
                String::from_utf8_lossy(&edited),
                String::from_utf8_lossy(expected),
                "case {at} in pieces of {size}"
            );
            let unread = passed.report.redactions.get("UNREAD");
            assert_eq!(unread, Some(&1), "case {at}");
        }
    }
    // A long one comes in windows, each of which is masked.
    let passed = respond(
        "Content-Type: application/json",
        &json(&long),
        veiling(),
        5000,
    );
    assert_eq!(blocked_for(&passed.report), None);
    let edited = passed.edited.expect("it is edited");
    assert!(edited.len() < 200 && edited.starts_with(b"{\"f\": \"[REDACTED:UNREAD]"));
    // Where there is no leaf around it, and where one was not masked, policy judges.
    let two = [json(&STANDARD.encode(&zip)), b"\n".to_vec(), json(mask)].concat();
    for (content_type, body) in [
        ("application/zip", &zip),
        ("application/json", &utf16(TEXT)),
    ] {
        let passed = respond(
            &format!("Content-Type: {content_type}"),
            body,
            veiling(),
            100,
        );
        assert_eq!(blocked_for(&passed.report), Some(Anomaly::UnreachableEdit));
    }
    let passed = respond("Content-Type: application/x-ndjson", &two, veiling(), 100);
    assert_eq!(blocked_for(&passed.report), None);
}
