//! Properties of the output, over the seeded documents: the naive splice, nothing left to find, the same tree.

use quick_xml::events::Event;

use super::documents::{Document, FORMATS, TSV, document};
use super::{redacted, redacted_in_any_pieces};
use sluice::redact::Summary;

const SEEDS: u64 = 120;

fn each_document(formats: &[&'static str], mut check: impl FnMut(&Document)) {
    for content_type in formats {
        for seed in 0..SEEDS {
            check(&document(content_type, seed));
        }
    }
}

/// `body` with the spans of the notes replaced one after the other, each by its mask as `out` has it there.
fn spliced(body: &[u8], summary: &Summary, out: &[u8]) -> Vec<u8> {
    let (mut copy, mut at) = (Vec::new(), 0);
    for note in &summary.notes {
        let (start, end) = (note.span.start as usize, note.span.end as usize);
        copy.extend_from_slice(&body[at..start]);
        let mask = format!("[REDACTED:{}]", note.entity);
        let percent = format!("%5BREDACTED%3A{}%5D", note.entity);
        let number = format!("\"{mask}\"");
        let rest = &out[copy.len().min(out.len())..];
        let written = [mask, percent, number]
            .into_iter()
            .find(|spelling| rest.starts_with(spelling.as_bytes()));
        copy.extend_from_slice(
            written
                .expect("a mask stands where the note says")
                .as_bytes(),
        );
        at = end;
    }
    copy.extend_from_slice(&body[at..]);
    copy
}

#[test]
fn the_output_is_the_naive_splice_in_any_pieces() {
    each_document(&FORMATS, |document| {
        let (out, summary) = match document.values.len() % 4 {
            0 => redacted_in_any_pieces(document.content_type, document.body.as_bytes()),
            _ => redacted(document.content_type, [document.body.as_bytes()]),
        };
        let copy = spliced(document.body.as_bytes(), &summary, &out);
        assert_eq!(
            String::from_utf8_lossy(&out),
            String::from_utf8_lossy(&copy),
            "{document:?}"
        );
    });
}

#[test]
fn what_must_go_goes_and_is_not_found_again() {
    let mut wrong = Vec::new();
    each_document(&FORMATS, |document| {
        let (once, summary) = redacted(document.content_type, [document.body.as_bytes()]);
        let text = String::from_utf8_lossy(&once);
        let secrets = || {
            document
                .values
                .iter()
                .filter(|value| !value.secret.is_empty())
        };
        // In a table every value stands in each row.
        let rows = match document.content_type {
            "text/csv" | TSV => document.body.lines().count() - 1,
            _ => 1,
        };
        if summary.edits as usize != secrets().count() * rows {
            wrong.push(format!(
                "{} edits: {text}\nof {}",
                summary.edits, document.body
            ));
        }
        // A short value may be part of something else.
        if let Some(left) =
            secrets().find(|value| value.secret.len() > 6 && text.contains(value.secret))
        {
            wrong.push(format!(
                "{} is left: {text}\nof {}",
                left.secret, document.body
            ));
        }
        let (twice, again) = redacted(document.content_type, [once.as_slice()]);
        if twice != once {
            let spans: Vec<_> = again
                .notes
                .iter()
                .map(|note| {
                    String::from_utf8_lossy(&once[note.span.start as usize..note.span.end as usize])
                })
                .collect();
            wrong.push(format!("{spans:?} again in {text}"));
        }
    });
    assert!(
        wrong.is_empty(),
        "{} wrong\n{}",
        wrong.len(),
        wrong[..wrong.len().min(6)].join("\n")
    );
}

/// Leaves in order; containers as marks.
fn json_leaves(value: &serde_json::Value, out: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(members) => {
            for (name, value) in members {
                out.push(format!("name {name}"));
                json_leaves(value, out);
            }
            out.push("}".into());
        }
        serde_json::Value::Array(items) => {
            items.iter().for_each(|item| json_leaves(item, out));
            out.push("]".into());
        }
        serde_json::Value::String(text) => out.push(text.clone()),
        other => out.push(other.to_string()),
    }
}

fn xml_leaves(text: &str) -> Vec<String> {
    let mut reader = quick_xml::Reader::from_str(text);
    let mut leaves = Vec::new();
    let tag = |tag: &quick_xml::events::BytesStart<'_>, leaves: &mut Vec<String>| {
        leaves.push(format!("<{:?}", tag.name()));
        for attribute in tag.attributes() {
            let attribute = attribute.expect("well-formed");
            leaves.push(format!("@{:?}", attribute.key));
            leaves.push(attribute.value.to_string());
        }
    };
    let mut text = String::new();
    loop {
        let event = reader.read_event().expect("well-formed XML");
        if !matches!(
            event,
            Event::Text(_) | Event::GeneralRef(_) | Event::CData(_)
        ) {
            leaves.push(std::mem::take(&mut text));
        }
        match event {
            Event::Eof => return leaves,
            Event::Start(start) => tag(&start, &mut leaves),
            Event::Empty(start) => {
                tag(&start, &mut leaves);
                leaves.push("/>".into());
            }
            Event::End(_) => leaves.push("</".into()),
            Event::Text(part) => text += &part,
            Event::CData(part) => text += &part,
            Event::GeneralRef(name) => {
                text += &format!("&{};", &*name);
            }
            other => leaves.push(format!("{other:?}")),
        }
    }
}

fn form_leaves(text: &str) -> Vec<String> {
    let decode = |text: &str| {
        let mut bytes = Vec::new();
        let mut rest = text.bytes();
        while let Some(byte) = rest.next() {
            bytes.push(match byte {
                b'+' => b' ',
                b'%' => {
                    let digits: String = rest.by_ref().take(2).map(char::from).collect();
                    u8::from_str_radix(&digits, 16).expect("two hexadecimal digits")
                }
                byte => byte,
            });
        }
        String::from_utf8(bytes).expect("UTF-8")
    };
    let pairs = text.split('&').flat_map(|pair| {
        let (name, value) = pair.split_once('=').expect("a pair");
        [format!("name {name}"), decode(value)]
    });
    pairs.collect()
}

/// RFC 4180, strictly: a quote only where it belongs.
fn csv_leaves(text: &str, separator: char) -> Vec<String> {
    let mut cells = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let cell = match rest.strip_prefix('"') {
            Some(mut quoted) => {
                let mut cell = String::new();
                loop {
                    let (part, after) = quoted.split_once('"').expect("a closing quote");
                    cell += part;
                    match after.strip_prefix('"') {
                        Some(more) => {
                            cell.push('"');
                            quoted = more;
                        }
                        None => {
                            rest = after;
                            break cell;
                        }
                    }
                }
            }
            None => {
                let end = rest.find([separator, '\r', '\n']).unwrap_or(rest.len());
                let (cell, after) = rest.split_at(end);
                assert!(!cell.contains('"'), "a quote in a bare cell");
                rest = after;
                cell.to_owned()
            }
        };
        cells.push(cell);
        let between = separator.to_string();
        let end = ["\r\n", "\n", &between]
            .into_iter()
            .find(|end| rest.starts_with(end));
        let end = end.unwrap_or_default();
        assert!(
            !end.is_empty() || rest.is_empty(),
            "a separator after a cell"
        );
        cells.push(format!("end {end:?}"));
        rest = &rest[end.len()..];
    }
    cells
}

fn leaves(content_type: &str, text: &str) -> Vec<String> {
    match content_type {
        "application/json" | "application/x-ndjson" => {
            let mut out = Vec::new();
            for value in serde_json::Deserializer::from_str(text).into_iter() {
                json_leaves(&value.expect("JSON"), &mut out);
            }
            out
        }
        "application/xml" => xml_leaves(text),
        "application/x-www-form-urlencoded" => form_leaves(text),
        "text/csv" => csv_leaves(text, ','),
        TSV => csv_leaves(text, '\t'),
        // Tags with their attributes, and what stands between them.
        "text/html" => text.split(['<', '>']).map(str::to_owned).collect(),
        _ => text.split("\r\n").map(str::to_owned).collect(),
    }
}

#[test]
fn the_output_parses_to_the_same_tree_with_only_leaves_changed() {
    let formats: Vec<&'static str> = FORMATS
        .into_iter()
        .filter(|format| *format != "text/plain")
        .collect();
    each_document(&formats, |document| {
        let (out, summary) = redacted(document.content_type, [document.body.as_bytes()]);
        let out = String::from_utf8(out).expect("UTF-8");
        let before = leaves(document.content_type, &document.body);
        let after = leaves(document.content_type, &out);
        assert_eq!(before.len(), after.len(), "{document:?}\n{out}");
        let mut changed = 0;
        for (was, is) in before.iter().zip(&after) {
            if was != is {
                assert!(is.contains("[REDACTED:"), "{was} became {is}\n{document:?}");
                changed += 1;
            }
        }
        assert!(changed <= summary.edits, "{document:?}\n{out}");
    });
}
