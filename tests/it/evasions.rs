//! The evasion table: each technique of hiding against each class, tricks of each language, and values that look alike.
//! The data lie in `tests/corpus/evasions`.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sluice::inspect::injection::{Classes, Context, DEFAULT_THRESHOLD, Detectors, Scratch};
use sluice::inspect::leaf::{HostSyntax, Leaf, OffsetMap, Path, Piece, Root};
use sluice::inspect::{Direction, Findings, PartId};
use sluice::span::Span;

const PAYLOADS: &str = include_str!("../corpus/evasions/payloads.jsonl");
const TRICKS: &str = include_str!("../corpus/evasions/tricks.jsonl");
const LOOKALIKES: &str = include_str!("../corpus/evasions/lookalikes.jsonl");
const GAPS: &str = include_str!("../corpus/evasions/gaps.jsonl");

/// The objects of a file of JSON lines.
fn lines(text: &str) -> impl Iterator<Item = serde_json::Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a JSON object a line"))
}

fn text<'a>(object: &'a serde_json::Value, name: &str) -> &'a str {
    object[name].as_str().expect("a string")
}

/// The best score of each class for `value` under the name `name`.
fn scores(detectors: &Detectors, (name, value): (&str, &[u8])) -> BTreeMap<&'static str, u8> {
    let mut path = Path::new(Root::Json);
    path.push_name(name.as_bytes());
    let map = OffsetMap::verbatim(0);
    let leaf = Leaf {
        path: &path,
        host: HostSyntax::JsonString,
        span: Span::new(0, value.len() as u64),
        bytes: value,
        map: &map,
        piece: Piece::Whole,
    };
    let context = Context {
        direction: Direction::Request,
        part: PartId::BODY,
        classes: Classes::all(),
        binary: false,
    };
    let mut findings = Findings::default();
    detectors.inspect(&leaf, &context, &mut Scratch::new(), &mut findings);
    let mut best = BTreeMap::new();
    for finding in &findings.list {
        let score = best.entry(finding.category.code()).or_insert(0);
        *score = finding.score.max(*score);
    }
    best
}

/// A technique: its name, and what becomes of a payload.
type Technique = (&'static str, fn(&str) -> String);

const TECHNIQUES: &[Technique] = &[
    ("plain", str::to_owned),
    ("percent", percent_signs),
    ("percent-all", |text| {
        each(text, |byte| format!("%{byte:02X}"))
    }),
    ("percent-twice", |text| percent_signs(&percent_signs(text))),
    ("percent-u", |text| {
        signs(text, |byte| format!("%u{:04x}", byte))
    }),
    ("base64", |text| STANDARD.encode(text)),
    ("base64-in-words", |text| {
        let digits = STANDARD.encode(text);
        let words: Vec<_> = digits.as_bytes().chunks(7).collect();
        String::from_utf8(words.join(&b" \t"[..])).expect("digits")
    }),
    ("base64url", |text| URL_SAFE_NO_PAD.encode(text)),
    ("base64-of-percent", |text| {
        STANDARD.encode(percent_signs(text))
    }),
    ("base64-twice", |text| {
        STANDARD.encode(STANDARD.encode(text))
    }),
    ("data-url", |text| {
        format!("data:text/plain;base64,{}", STANDARD.encode(text))
    }),
    ("hex", |text| each(text, |byte| format!("{byte:02x}"))),
    ("hex-escapes", |text| {
        each(text, |byte| format!("\\x{byte:02x}"))
    }),
    ("unicode-escapes", |text| {
        each(text, |byte| format!("\\u{byte:04x}"))
    }),
    ("decimal-references", |text| {
        each(text, |byte| format!("&#{byte};"))
    }),
    ("padded-references", |text| {
        each(text, |byte| format!("&#x00{byte:02x};"))
    }),
    ("full-width", |text| {
        text.chars()
            .map(|char| match char {
                '!'..='~' => char::from_u32(char as u32 + 0xfee0).unwrap_or(char),
                other => other,
            })
            .collect()
    }),
    ("nested-json", nested),
    ("nested-json-twice", |text| nested(&nested(text))),
    ("base64-of-json", |text| STANDARD.encode(nested(text))),
    ("form", |text| {
        format!("id=7&note={}&lang=en", percent_signs(text))
    }),
    ("url-query", |text| {
        format!("/shop/list?page=2&note={}", percent_signs(text))
    }),
    ("blanks-around", |text| format!("  {text} ")),
    ("blank-lines-before", |text| {
        format!("{}{text}", "\n".repeat(3000))
    }),
    ("graphql-comment", |text| format!("#{text}\n{{a}}")),
    ("basic-credentials", |text| {
        format!("Basic {}", STANDARD.encode(text))
    }),
    ("token", |text| {
        let claims = serde_json::json!({"sub": text}).to_string();
        let [head, claims] =
            [r#"{"alg":"none"}"#, &claims].map(|json| URL_SAFE_NO_PAD.encode(json));
        format!("Bearer {head}.{claims}.")
    }),
    ("token-with-blanks", |text| {
        let claims = serde_json::json!({"sub": text}).to_string();
        let [head, claims] = ["\n{ \"alg\":\"none\"}", &format!("  {claims}")]
            .map(|json| URL_SAFE_NO_PAD.encode(json));
        format!("JWT {head}.{claims}.")
    }),
    ("lines-before", |text| format!("{LETTER}\n{text}")),
    ("lines-after", |text| format!("{text}\n{LETTER}")),
    ("lines-around", |text| format!("{LETTER}\n{text}\n{LETTER}")),
    ("words-before", |text| format!("{SENTENCES} {text}")),
    ("words-after", |text| format!("{text} {SENTENCES}")),
    ("odd-words-before", |text| format!("{ODD_WORDS} {text}")),
    ("odd-words-after", |text| format!("{text} {ODD_WORDS}")),
    ("words-around", |text| {
        format!("{SENTENCES} {text} {SENTENCES}")
    }),
    ("quotes-around", |text| format!("\"{text}\"")),
];

/// Text of many lines.
const LETTER: &str = "The order came yesterday and was complete.\nPlease send the next one to the new address.\n\
    We have moved to the second floor of the house.\nThe bell does not work at the moment.\n\
    Call us when you are there, somebody will come down.\nThank you, the team of the shop.";

/// Text of one line.
const SENTENCES: &str = "The order came yesterday and was complete. Please send the next one to the new address, since \
    we have moved to the second floor of the house.";

/// Text of one line in which no four plain words stand in a row.
const ODD_WORDS: &str = "Our order 4711 for twelve 12 lamps came on 3 May and two 2 were already broken 5 days later here";

fn each(text: &str, one: impl Fn(u8) -> String) -> String {
    text.bytes().map(one).collect()
}

fn signs(text: &str, one: impl Fn(u8) -> String) -> String {
    each(text, |byte| match byte.is_ascii_alphanumeric() {
        true => char::from(byte).to_string(),
        false => one(byte),
    })
}

fn percent_signs(text: &str) -> String {
    signs(text, |byte| format!("%{byte:02x}"))
}

fn nested(text: &str) -> String {
    serde_json::json!({"a": [1, {"note": text}]}).to_string()
}

/// Seen and all, by class and technique.
type Cells = BTreeMap<(String, &'static str), (u32, u32)>;

fn print_table(cells: &Cells) {
    let classes: std::collections::BTreeSet<&String> =
        cells.keys().map(|(class, _)| class).collect();
    print!("{:<20}", "");
    for class in &classes {
        print!("{:>16}", class);
    }
    println!();
    for (technique, _) in TECHNIQUES {
        print!("{technique:<20}");
        for class in &classes {
            let cell = cells.get(&((*class).clone(), *technique));
            let shown = cell.map_or(String::new(), |(seen, all)| format!("{seen}/{all}"));
            print!("{shown:>16}");
        }
        println!();
    }
}

#[test]
fn every_technique_is_seen_through_for_every_class() {
    let detectors = Detectors::new();
    let gaps: Vec<serde_json::Value> = lines(GAPS).collect();
    let mut cells = Cells::new();
    let mut missed = Vec::new();
    let mut closed = Vec::new();
    for object in lines(PAYLOADS) {
        let (class, payload) = (text(&object, "class"), text(&object, "value"));
        for (technique, apply) in TECHNIQUES {
            let hidden = apply(payload);
            let found = scores(&detectors, ("note", hidden.as_bytes()));
            let score = found.get(class).copied().unwrap_or(0);
            let cell = cells.entry((class.to_owned(), *technique)).or_default();
            let is_seen = score >= DEFAULT_THRESHOLD;
            cell.0 += u32::from(is_seen);
            cell.1 += 1;
            let known = gaps
                .iter()
                .any(|gap| text(gap, "technique") == *technique && text(gap, "value") == payload);
            let cell = format!("{class}: {technique}: {payload}: {score}");
            match (is_seen, known) {
                (false, false) => missed.push(cell),
                (true, true) => closed.push(cell),
                _ => {}
            }
        }
    }
    print_table(&cells);
    assert!(
        missed.is_empty(),
        "{}\n{} missed",
        missed.join("\n"),
        missed.len()
    );
    assert!(closed.is_empty(), "gaps no more:\n{}", closed.join("\n"));
}

#[test]
fn the_tricks_of_each_language_are_known() {
    let detectors = Detectors::new();
    let mut missed = Vec::new();
    for object in lines(TRICKS) {
        let (class, attack) = (text(&object, "class"), text(&object, "value"));
        let found = scores(&detectors, ("note", attack.as_bytes()));
        let score = found.get(class).copied().unwrap_or(0);
        if score < DEFAULT_THRESHOLD {
            missed.push(format!("{class}: {attack:?}: {score} {found:?}"));
        }
    }
    assert!(
        missed.is_empty(),
        "{}\n{} missed",
        missed.join("\n"),
        missed.len()
    );
}

#[test]
fn lookalikes_are_let_through() {
    let detectors = Detectors::new();
    let mut caught = Vec::new();
    for object in lines(LOOKALIKES) {
        let value = text(&object, "value");
        for name in ["note", "url", "file", "q", "command"] {
            for (class, score) in scores(&detectors, (name, value.as_bytes())) {
                if score >= DEFAULT_THRESHOLD {
                    caught.push(format!("{class}: {name}={value:?}: {score}"));
                }
            }
        }
    }
    assert!(
        caught.is_empty(),
        "{}\n{} caught",
        caught.join("\n"),
        caught.len()
    );
}

/// Tags inside attributes are read again for each other only so often: what is beyond is an attack by itself.
#[test]
fn a_flood_of_tags_inside_attributes_is_judged_and_a_page_is_not_one() {
    let detectors = Detectors::new();
    let xss = |value: String| {
        let scores = scores(&detectors, ("note", value.as_bytes()));
        scores.get("xss").copied().unwrap_or(0)
    };
    for flood in ["&<?=", "<meta &="] {
        assert!(xss(flood.repeat(8000)) >= DEFAULT_THRESHOLD, "{flood:?}");
    }
    let hidden = format!("{}<img src=x onerror=alert(1)>", "&<?=".repeat(8000));
    assert!(xss(hidden) >= DEFAULT_THRESHOLD);
    for page in [
        "<div title='<b>bold</b>' class='note'>Some words of a page.</div>\n",
        "<p data-html=\"<ul><li>one</li><li>two</li></ul>\">A paragraph with a list in it.</p>\n",
    ] {
        assert!(xss(page.repeat(800)) < DEFAULT_THRESHOLD, "{page:?}");
    }
}

/// A text around an attack is no disguise: of twenty tricks 17 at least are seen in it, and 13 when
/// odd words break its rows of plain ones.
#[test]
fn tricks_are_seen_among_lines_and_words() {
    let detectors = Detectors::new();
    let among = |name: &str| name.contains("lines-") || name.contains("words-");
    for (technique, apply) in TECHNIQUES.iter().filter(|(name, _)| among(name)) {
        let (mut seen, mut all) = (0, 0);
        for object in lines(TRICKS) {
            let found = scores(
                &detectors,
                ("note", apply(text(&object, "value")).as_bytes()),
            );
            let score = found.get(text(&object, "class")).copied().unwrap_or(0);
            seen += u32::from(score >= DEFAULT_THRESHOLD);
            all += 1;
        }
        println!("{technique}: {seen} of {all}");
        let twentieths = if technique.starts_with("odd-") {
            13
        } else {
            17
        };
        assert!(
            seen * 20 >= all * twentieths,
            "{technique}: {seen} of {all}"
        );
    }
}
