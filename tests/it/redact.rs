//! The labelled documents of `../shared/redaction`, judged by spans: each labelled value is replaced, nothing else is,
//! and the output does not depend on how the input was cut.

use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use bytes::BytesMut;
use sluice::budget::Budget;
use sluice::inspect::Direction;
use sluice::redact::{Profile, Redactor, Summary};

fn redacted(
    profile: &Arc<Profile>,
    content_type: &str,
    pieces: impl Iterator<Item = Vec<u8>>,
) -> (Vec<u8>, Summary) {
    let mut redactor = Redactor::new(
        profile.clone(),
        content_type,
        Direction::Response,
        &Budget::new(1 << 30),
    );
    let mut out = BytesMut::new();
    for piece in pieces {
        redactor.push(&piece, &mut out);
    }
    let summary = redactor.finish(&mut out);
    (out.to_vec(), summary)
}

fn in_pieces_of(body: &[u8], size: usize) -> impl Iterator<Item = Vec<u8>> {
    body.chunks(size).map(<[u8]>::to_vec)
}

/// A document of the set: its type, its bytes, the outer ranges of its labels.
struct Labelled {
    id: String,
    content_type: String,
    body: Vec<u8>,
    values: Vec<(u64, u64, u64, u64)>,
}

fn labelled() -> Option<Vec<Labelled>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/redaction/dev.jsonl");
    let Ok(text) = std::fs::read_to_string(&file) else {
        println!("skipped: ../shared/redaction/dev.jsonl is not here");
        return None;
    };
    let documents = text.lines().map(|line| {
        let json: serde_json::Value = serde_json::from_str(line).expect("a JSON line");
        let number = |value: &serde_json::Value| value.as_u64().expect("an offset");
        let values = json["spans"].as_array().expect("spans").iter();
        Labelled {
            id: json["id"].as_str().expect("an id").to_owned(),
            content_type: json["content_type"].as_str().expect("a type").to_owned(),
            body: base64::engine::general_purpose::STANDARD
                .decode(json["body_base64"].as_str().expect("a body"))
                .expect("base64"),
            values: values
                .map(|span| {
                    let (start, end) = (number(&span["start"]), number(&span["end"]));
                    let outer = &span["outer"];
                    (
                        start,
                        end,
                        outer[0].as_u64().unwrap_or(start),
                        outer[1].as_u64().unwrap_or(end),
                    )
                })
                .collect(),
        }
    });
    Some(documents.collect())
}

#[test]
fn labelled_values_go_and_everything_else_stays() {
    let Some(documents) = labelled() else { return };
    let profile = Arc::new(Profile::all());
    let (mut values, mut found, mut wrong) = (0_usize, 0_usize, Vec::new());
    for document in &documents {
        let (_, summary) = redacted(
            &profile,
            &document.content_type,
            in_pieces_of(&document.body, 16384),
        );
        values += document.values.len();
        // The list of edits is capped; what is beyond it is judged by tools/redaction_score.py.
        let complete = summary.edits as usize == summary.notes.len();
        for (start, end, ..) in &document.values {
            let hit = summary
                .notes
                .iter()
                .any(|note| note.span.start <= *start && *end <= note.span.end);
            found += usize::from(hit || !complete);
            if !hit && complete {
                wrong.push(format!("{} missed {start}..{end}", document.id));
            }
        }
        for note in &summary.notes {
            let (from, to) = (note.span.start, note.span.end);
            let inside = document
                .values
                .iter()
                .any(|(_, _, start, end)| *start <= from && to <= *end);
            if !inside {
                wrong.push(format!(
                    "{} altered {from}..{to} as {}",
                    document.id, note.rule
                ));
            }
        }
    }
    let recall = found as f64 / values as f64;
    println!(
        "recall {recall:.4} of {values} values; {} mistakes",
        wrong.len()
    );
    assert!(
        recall >= 0.97 && wrong.len() * 200 <= values,
        "{}",
        wrong.join("\n")
    );
}

#[test]
fn the_output_does_not_depend_on_the_pieces() {
    let Some(documents) = labelled() else { return };
    let profile = Arc::new(Profile::all());
    for document in documents
        .iter()
        .filter(|document| document.body.len() < 20_000)
    {
        let (whole, _) = redacted(
            &profile,
            &document.content_type,
            std::iter::once(document.body.clone()),
        );
        for size in [1, 7] {
            let (out, _) = redacted(
                &profile,
                &document.content_type,
                in_pieces_of(&document.body, size),
            );
            assert_eq!(out, whole, "{} in pieces of {size}", document.id);
        }
    }
}

#[test]
fn what_was_removed_is_not_found_again() {
    let Some(documents) = labelled() else { return };
    let profile = Arc::new(Profile::all());
    for document in documents.iter().take(150) {
        let (once, _) = redacted(
            &profile,
            &document.content_type,
            std::iter::once(document.body.clone()),
        );
        let (twice, summary) = redacted(
            &profile,
            &document.content_type,
            std::iter::once(once.clone()),
        );
        assert_eq!(twice, once, "{} {:?}", document.id, summary.notes);
    }
}

#[test]
fn a_long_stream_is_held_in_constant_memory_and_leaves_early() {
    let profile = Arc::new(Profile::all());
    let mut redactor = Redactor::new(
        profile,
        "application/x-ndjson",
        Direction::Response,
        &Budget::new(1 << 30),
    );
    let line = b"{\"name\": \"Ann\", \"email\": \"ann@example.org\", \"n\": 17}\n";
    let mut out = BytesMut::new();
    let (mut sent, mut received) = (0_usize, 0_usize);
    for _ in 0..20_000 {
        redactor.push(line, &mut out);
        sent += line.len();
        received += out.len();
        out.clear();
    }
    // The mask is as long as or longer than the value: nothing but the last leaf may lag behind.
    assert!(received + line.len() >= sent);
    assert_eq!(redactor.finish(&mut out).edits, 20_000);
}

#[test]
fn every_split_in_two_gives_the_same_bytes() {
    let pem = "-----BEGIN PRIVATE KEY-----\nNqZB/rja1p7L8+3DRaVs0DDTEJrlpwnLdq1Jqvg\nabc=\n-----END PRIVATE KEY-----\n";
    let cases: [(&str, String); 10] = [
        ("application/json", r#"{"a":{"pass\u0077ord":"x\u00417!"},"n":[4111111111111111,{"cvv":123}],"note":"mail \u0061@b.org now"}"#.into()),
        ("application/json", r#"{"raw":"{\"card\":\"4111\\u0031111 11111111\",\"email\":\"a@b.org\",\"cvv\":123}"}"#.into()),
        ("application/x-www-form-urlencoded", "a=1&email=%61%40b.org&password=a%26b+c&x".into()),
        ("text/csv", "name,password,note\nx,\"a\"\"b,c\",a@b.org\r\ny,zz9,\"one\ntwo a@b.org\"\n".into()),
        ("text/xml", "<r><password>a&#66;&amp;c</password><x y='a&#x40;b.org'/><![CDATA[a@b.org]]]]><!-- a@b.org ---></r>".into()),
        ("text/html", "<table><tr><th>Password</th><td>abc9!</td></tr></table><p>a < b, a&commat;b.org</p><script>x={\"cvv\":\"123\"};</script><input value=s3cret name=password>".into()),
        ("text/plain", format!("password: abc9!\n{pem}a@b.org")),
        ("multipart/form-data; boundary=xx", format!("--xx\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nabc9!\r\n--xx\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\nContent-Type: text/plain\r\n\r\n{pem}a@b.org\r\n--xx\r\nContent-Type: application/json\r\n\r\n{{\"cvv\":\"123\"}}\r\n--xx--\r\n")),
        ("text/xml", "<r><password>< abc9!</password>< a@b.org</r>".into()),
        ("application/json", "{\"broken\": [a@b.org, 'x', {\"password\": \"abc9!\"".into()),
    ];
    let profile = Arc::new(Profile::all());
    for (content_type, body) in cases {
        let body = body.as_bytes();
        let (whole, summary) = redacted(&profile, content_type, std::iter::once(body.to_vec()));
        let text = String::from_utf8_lossy(&whole);
        assert!(summary.edits > 0, "{content_type}: {text}");
        for secret in ["abc9!", "a@b.org", "NqZB", "s3cret"] {
            assert!(
                !text.contains(secret),
                "{content_type} keeps {secret}: {text}"
            );
        }
        for cut in 0..=body.len() {
            let (left, right) = body.split_at(cut);
            let pieces = [left.to_vec(), right.to_vec()].into_iter();
            let (out, _) = redacted(&profile, content_type, pieces);
            assert_eq!(
                String::from_utf8_lossy(&out),
                text,
                "{content_type} cut at {cut}"
            );
        }
        let (out, _) = redacted(&profile, content_type, in_pieces_of(body, 1));
        assert_eq!(
            String::from_utf8_lossy(&out),
            text,
            "{content_type} byte by byte"
        );
    }
}
