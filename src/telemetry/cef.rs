//! Detections as lines of the Common Event Format (ArcSight CEF, version 0).
//!
//! ```text
//! CEF:0|vendor|product|version|rule|name|severity|key=value key=value …
//! ```
//!
//! In the head `|` and `\` are escaped, in values `=` and `\`; nothing else that a reader could take for a line end, a
//! separator or a control is ever written as itself.

use std::io::Write;
use std::time::UNIX_EPOCH;

use super::detection::Detection;
use super::ecs::severity_number;
use super::object::FIELD_BYTES;

/// The line of one detection, without its end. Its length is bounded by its fields, each of which is capped.
pub fn detection(detection: &Detection<'_>, line: &mut Vec<u8>) {
    let outcome = detection.outcome;
    let facts = &outcome.message;
    line.extend_from_slice(b"CEF:0|sluice|sluice|");
    head(env!("CARGO_PKG_VERSION"), line);
    head(detection.rule, line);
    head(detection.category, line);
    // CEF counts from 0 to 10.
    let _ = write!(line, "{}|", 2 * severity_number(detection.severity));
    let since = detection.at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let _ = write!(line, "rt={}", since.as_millis());
    let peer = outcome.peer.map(|peer| peer.to_string());
    let status = facts.http_status.to_string();
    let score = detection.score.to_string();
    for (key, value) in [
        ("externalId", &*detection.id()),
        ("act", detection.action),
        ("src", peer.as_deref().unwrap_or_default()),
        ("suser", &facts.user),
        ("requestMethod", &facts.http_method),
        ("dhost", &facts.host),
        ("request", &facts.path),
        ("outcome", outcome.verdict_code()),
        ("reason", detection.reason),
        ("cs1Label", "transaction"),
        ("cs1", &outcome.id.to_string()),
        ("cs2Label", "service"),
        ("cs2", outcome.service.as_deref().unwrap_or_default()),
        ("cs3Label", "profile"),
        ("cs3", outcome.profile.as_deref().unwrap_or_default()),
        ("cs4Label", "client"),
        ("cs4", &facts.client),
        ("cs5Label", "place"),
        ("cs5", detection.place),
        ("cn1Label", "http status"),
        ("cn1", &status),
        ("cn2Label", "score"),
        ("cn2", &score),
    ] {
        if !value.is_empty() {
            let _ = write!(line, " {key}=");
            escape_into(value, Within::Extension, line);
        }
    }
}

fn head(text: &str, line: &mut Vec<u8>) {
    escape_into(text, Within::Head, line);
    line.push(b'|');
}

/// Where a value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Within {
    Head,
    Extension,
}

/// `text` escaped for its place, in printable ASCII. A line end in a value is `\n` or `\r`, as the format has it; in the
/// head, which cannot hold one, and for whatever else cannot be printed, `\uXXXX` stands with its backslash escaped.
fn escape_into(text: &str, within: Within, out: &mut Vec<u8>) {
    let begin = out.len();
    for character in text.chars() {
        if out.len() - begin >= FIELD_BYTES {
            out.extend_from_slice(b"...");
            return;
        }
        match (character, within) {
            ('\\', _) => out.extend_from_slice(b"\\\\"),
            ('|', Within::Head) => out.extend_from_slice(b"\\|"),
            ('=', Within::Extension) => out.extend_from_slice(b"\\="),
            ('\n', Within::Extension) => out.extend_from_slice(b"\\n"),
            ('\r', Within::Extension) => out.extend_from_slice(b"\\r"),
            (' '..='~', _) => out.push(u8::try_from(character).unwrap_or(b'?')),
            _ => {
                let _ = write!(out, "\\\\u{:04x}", u32::from(character));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(text: &str, within: Within) -> String {
        let mut out = Vec::new();
        escape_into(text, within, &mut out);
        String::from_utf8(out).expect("ASCII")
    }

    /// A reader of CEF: the head's fields, and the extension's pairs.
    fn read(line: &str) -> (Vec<String>, Vec<(String, String)>) {
        let mut fields = vec![String::new()];
        let mut rest = line.chars();
        while fields.len() < 8 {
            match rest.next().expect("seven fields") {
                '\\' => fields
                    .last_mut()
                    .expect("one")
                    .push(rest.next().expect("one")),
                '|' => fields.push(String::new()),
                other => fields.last_mut().expect("one").push(other),
            }
        }
        fields.pop();
        let mut pairs: Vec<(String, String)> = Vec::new();
        let mut token = String::new();
        while let Some(character) = rest.next() {
            match character {
                '\\' => token.push(match rest.next().expect("one") {
                    'n' => '\n',
                    'r' => '\r',
                    other => other,
                }),
                '=' => {
                    let (value, key) = token.rsplit_once(' ').unwrap_or(("", &token));
                    if let Some(last) = pairs.last_mut() {
                        value.clone_into(&mut last.1);
                    }
                    pairs.push((key.to_owned(), String::new()));
                    token = String::new();
                }
                other => token.push(other),
            }
        }
        pairs.last_mut().expect("a pair").1 = token;
        (fields, pairs)
    }

    #[test]
    fn hostile_values_make_neither_a_line_nor_a_field_nor_a_pair() {
        assert_eq!(
            escaped("a|b\\c=d\ne\r", Within::Head),
            r"a\|b\\c=d\\u000ae\\u000d"
        );
        assert_eq!(
            escaped("a|b\\c=d\ne\r", Within::Extension),
            r"a|b\\c\=d\ne\r"
        );
        assert_eq!(
            escaped("\u{1b}[2J\u{2028}\u{9b}ü", Within::Extension),
            r"\\u001b[2J\\u2028\\u009b\\u00fc"
        );
        assert_eq!(
            escaped(&"=".repeat(10_000), Within::Extension).len(),
            FIELD_BYTES + 3
        );
    }

    #[test]
    fn a_reader_finds_the_values_that_were_put_in() {
        let mut line = Vec::new();
        let outcome = crate::telemetry::tests::hostile();
        let detection = Detection {
            at: UNIX_EPOCH,
            outcome: &outcome,
            number: 1,
            rule: "a|b\\",
            category: "sqli",
            severity: crate::inspect::Severity::High,
            score: 90,
            place: "body",
            start: 0,
            end: 4,
            action: "block",
            reason: "x act=allow\\",
        };
        super::detection(&detection, &mut line);
        assert!(line.iter().all(|byte| (b' '..=b'~').contains(byte)));
        let (head, pairs) = read(&String::from_utf8(line).expect("ASCII"));
        assert_eq!(head[4..], ["a|b\\", "sqli", "8"]);
        let value = |key: &str| {
            let mut all = pairs.iter().filter(|(name, _)| name == key);
            let found = all.next().map(|(_, value)| value.as_str());
            assert!(all.next().is_none(), "{key} stands twice");
            found
        };
        assert_eq!(value("act"), Some("block"));
        assert_eq!(value("reason"), Some("x act=allow\\"));
        assert_eq!(value("request"), Some("/a\nact=allow|x\\ src=1.2.3.4"));
        assert_eq!(value("src"), Some("127.0.0.1"));
    }
}
