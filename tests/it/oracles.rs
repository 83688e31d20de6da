//! The readers of structure against other readers (serde_json, quick-xml) and against tables of what their grammars
//! allow. The tables are our own, written from RFC 8259 and XML 1.0 in the manner of JSONTestSuite.

use proptest::prelude::*;
use sluice::inspect::leaf::{HostSyntax, Leaf, LeafSink};
use sluice::inspect::{Findings, json, xml};

/// Leaves with what is needed to compare them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Value {
    path: String,
    host: HostSyntax,
    bytes: Vec<u8>,
    span: (usize, usize),
}

#[derive(Default)]
struct Values(Vec<Value>);

impl LeafSink for Values {
    fn leaf(&mut self, leaf: &Leaf<'_>) {
        self.0.push(Value {
            path: leaf.path.to_string(),
            host: leaf.host,
            bytes: leaf.bytes.to_vec(),
            span: (leaf.span.start as usize, leaf.span.end as usize),
        });
    }
}

fn read_json<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Value>, Vec<String>) {
    let mut reader = json::Reader::default();
    let (mut values, mut findings) = (Values::default(), Findings::default());
    for piece in pieces {
        reader.push(piece, &mut values, &mut findings);
    }
    reader.finish(&mut values, &mut findings);
    (values.0, rules(&findings))
}

fn read_xml<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Value>, Vec<String>) {
    let mut reader = xml::Reader::default();
    let (mut values, mut findings) = (Values::default(), Findings::default());
    for piece in pieces {
        reader.push(piece, &mut values, &mut findings);
    }
    reader.finish(&mut values, &mut findings);
    (values.0, rules(&findings))
}

fn rules(findings: &Findings) -> Vec<String> {
    let rule = |finding: &sluice::inspect::Finding| format!("{} {}", finding.rule, finding.span);
    findings.list.iter().map(rule).collect()
}

/// What keeps a strict reader from taking a text.
fn refuses(rules: &[String]) -> bool {
    let strict = [
        "json-malformed/",
        "json-abuse/invalid-utf8",
        "json-abuse/lone-surrogate",
        "json-abuse/number-range",
        "json-abuse/number-length",
        "json-abuse/depth",
    ];
    rules
        .iter()
        .any(|rule| strict.iter().any(|prefix| rule.starts_with(prefix)))
}

#[test]
fn what_rfc_8259_allows_is_accepted() {
    let texts: [&[u8]; 60] = [
        b"[]",
        b"{}",
        b"[[]   ]",
        b"[\"\"]",
        b"\r\n\t [ ] \r\n\t ",
        b"{\"\":0}",
        b"{\"a\":[]}",
        b"{\"a\":{\"b\":[{}]}}",
        b"{ \"min\": -1.0e+28, \"max\": 1.0e+28 }",
        b"{\"a\\u0000\":1}",
        b"null",
        b"true",
        b" false ",
        b"\"x\"",
        b"0",
        b"-0",
        b"-0.0",
        b"42",
        b"-123",
        b"0.1",
        b"1.5",
        b"1e5",
        b"1E5",
        b"1e+5",
        b"1e-5",
        b"0e1",
        b"0e+1",
        b"1E22",
        b"123.456e78",
        b"123.456E-78",
        b"1e0000000001",
        b"[0,-0,0.0,-0.0e-0]",
        b"-0.000000000000000000000000000000000000000000000000000000000000000000000000000001",
        b"[1 , 2 ,3]",
        b"[null,true,false,\"\",0]",
        b"[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]",
        b"[\"\\u0020\\uabcd\\uABCD\"]",
        b"[\"\\ud83d\\ude00\"]",
        b"[\"\\uDBFF\\uDFFF\"]",
        b"[\"\\uD801\\udc37\\uD834\\uDD1E\"]",
        b"[\"\\\\u0000\"]",
        b"[\"\\u0000\"]",
        b"[\"\\u001f\\u007f\"]",
        b"[\"\x7f\"]",
        "[\"é€😀\u{ffff}\u{10ffff}\u{2028}\u{2029}\u{feff}\"]".as_bytes(),
        "{\"ключ\":\"значение\"}".as_bytes(),
        b"[\"a/*b*/c//d#e\"]",
        b"[\"[{,:}]\"]",
        b"[\"'\"]",
        b"[\"\\\"\"]",
        b"\"\"",
        b"[\"\",[\"\"],{\"\":\"\"}]",
        b"{\"a\":1,\"a\":1}",
        b"{\"a\":1,\"a\":2}",
        b"[[[[[[[[[[[[[[[[[[[[\"x\"]]]]]]]]]]]]]]]]]]]]",
        b"[123456789012345678901234567890]",
        b"[1.7976931348623157e308]",
        b"[5e-324,1e-400]",
        b"\xef\xbb\xbf[]",
        b"\xef\xbb\xbf 1 ",
    ];
    for text in texts {
        let (_, rules) = read_json([text]);
        let shown = String::from_utf8_lossy(text);
        assert!(!refuses(&rules), "{shown}: {rules:?}");
    }
}

#[test]
fn what_rfc_8259_does_not_allow_is_refused() {
    let texts: [&[u8]; 133] = [
        b"",
        b" ",
        b"\xef\xbb\xbf",
        b"\xef",
        b"\xef\xbb{}",
        b"\xff",
        b"[",
        b"]",
        b"{",
        b"}",
        b"[}",
        b"{]",
        b"[1",
        b"[1,",
        b"[1,]",
        b"[,1]",
        b"[,]",
        b"[,",
        b"[1,,2]",
        b"[1,,]",
        b"[1]]",
        b"[1],",
        b"[1]x",
        b"[1][2]",
        b"[1 2]",
        b"[1 true]",
        b"[\"a\" \"b\"]",
        b"[1:2]",
        b"[\"a\":1]",
        b"[:1]",
        b"[*]",
        b"*",
        b"<a>",
        b"[1;2]",
        b"[{}",
        b"[{\"a\":1]",
        b"{\"a\":1",
        b"{\"a\":",
        b"{\"a\"",
        b"{\"a",
        b"{,}",
        b"{\"a\":1,}",
        b"{\"a\":1,,\"b\":2}",
        b"{,\"a\":1}",
        b"{\"a\" 1}",
        b"{\"a\",1}",
        b"{\"a\"::1}",
        b"{\"a\":}",
        b"{:1}",
        b"{1:1}",
        b"{a:1}",
        b"{'a':1}",
        b"{null:1}",
        b"{[]:1}",
        b"{{}:1}",
        b"{\"a\":1 \"b\":2}",
        b"{\"a\"}",
        b"{\"a\":1}}",
        b"{\"a\":1}#",
        b"{\"a\":1}//x",
        b"{\"a\":1/**/}",
        b"/**/{}",
        b"{}/",
        b"#x\n{}",
        b"nul",
        b"nulll",
        b"Null",
        b"NULL",
        b"tru",
        b"truee",
        b"True",
        b"fals",
        b"undefined",
        b"NaN",
        b"-NaN",
        b"Infinity",
        b"-Infinity",
        b"Inf",
        b"abc",
        b"[a]",
        b"+1",
        b"++1",
        b"-",
        b"--1",
        b"- 1",
        b"01",
        b"-01",
        b"00",
        b"1.",
        b".1",
        b"-.1",
        b"1.e1",
        b"1e",
        b"1e+",
        b"1e-",
        b"1e1.5",
        b"1ee1",
        b"1e+-1",
        b"0x1F",
        b"0b1",
        b"1_000",
        b"1 000",
        b"1a",
        b"-1x",
        b"1.2.3",
        b"1.2a-3",
        b"0.1.2",
        b"-2.",
        b"[0e]",
        b"[0e+]",
        "[１]".as_bytes(),
        b"1\0",
        b"[\0]",
        b"\"a",
        b"\"",
        b"\"\\\"",
        b"\"\\",
        b"\"\\x41\"",
        b"\"\\a\"",
        b"\"\\'\"",
        b"\"\\u12\"",
        b"\"\\u12G4\"",
        b"\"\\U0041\"",
        b"\"a\nb\"",
        b"\"a\tb\"",
        b"\"a\0b\"",
        b"\"\x1f\"",
        b"'a'",
        b"[\"a\x0b\"]",
        b"[\"\\ud800\\u\"]",
        b"[\"\\\xf0\x9f\x8c\x80\"]",
        b"[\x0b1]",
        b"[1\x0c]",
    ];
    for text in texts {
        let (_, rules) = read_json([text]);
        let shown = String::from_utf8_lossy(text);
        assert!(refuses(&rules), "{shown:?} is taken");
    }
    for text in ["[".repeat(100_000), "[{\"\":".repeat(50_000)] {
        assert!(refuses(&read_json([text.as_bytes()]).1));
    }
}

/// A JSON text with blanks between its tokens, escapes in its strings and numbers of all kinds.
fn json_text() -> impl Strategy<Value = String> {
    let blank =
        prop_oneof![4 => Just(""), 1 => Just(" "), 1 => Just("\n\t"), 1 => Just("\r\n        ")];
    let character = prop_oneof![
        6 => "[a-zA-Z0-9 _.,:{}\\[\\]'/<>&-]",
        1 => any::<char>().prop_filter("is no control character", |char| *char >= ' ' && !"\"\\".contains(*char)).prop_map(String::from),
        1 => prop_oneof![Just("\\n"), Just("\\\""), Just("\\\\"), Just("\\/"), Just("\\u00e9"), Just("\\uD83D\\uDE00")].prop_map(str::to_owned),
    ];
    let string =
        prop::collection::vec(character, 0..12).prop_map(|chars| format!("\"{}\"", chars.concat()));
    let number = prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>()
            .prop_filter("is finite", |number| number.is_finite())
            .prop_map(|number| format!("{number:e}")),
        "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,2})?",
    ];
    let leaf = prop_oneof![
        string.clone(),
        number,
        Just("true".to_owned()),
        Just("null".to_owned())
    ];
    let value = leaf.prop_recursive(5, 48, 6, move |inner| {
        let item = (blank.clone(), inner.clone(), blank.clone())
            .prop_map(|(before, value, after)| format!("{before}{value}{after}"));
        let member = (blank.clone(), string.clone(), blank.clone(), item.clone())
            .prop_map(|(before, name, after, value)| format!("{before}{name}{after}:{value}"));
        prop_oneof![
            prop::collection::vec(item, 0..6).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(member, 0..6).prop_map(|all| format!("{{{}}}", all.join(","))),
        ]
    });
    value.boxed()
}

/// A text with a few bytes put in, taken out or put in the place of others.
fn mutated(
    text: impl Strategy<Value = String>,
    alphabet: &'static [u8],
) -> impl Strategy<Value = Vec<u8>> {
    let change = (
        any::<prop::sample::Index>(),
        0..3u8,
        prop::sample::select(alphabet),
    );
    (text, prop::collection::vec(change, 0..4)).prop_map(|(text, changes)| {
        let mut bytes = text.into_bytes();
        for (place, kind, byte) in changes {
            if bytes.is_empty() {
                break;
            }
            let at = place.index(bytes.len());
            match kind {
                0 => bytes.insert(at, byte),
                1 => bytes[at] = byte,
                _ => {
                    bytes.remove(at);
                }
            }
        }
        bytes
    })
}

/// Cuts a text at the places given.
fn pieces<'a>(text: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
    places.extend([0, text.len()]);
    places.sort_unstable();
    places
        .windows(2)
        .map(|pair| &text[pair[0]..pair[1]])
        .collect()
}

/// The strings of a value in document order, names included.
fn strings(value: &serde_json::Value, all: &mut Vec<String>) {
    match value {
        serde_json::Value::String(text) => all.push(text.clone()),
        serde_json::Value::Array(items) => items.iter().for_each(|item| strings(item, all)),
        serde_json::Value::Object(members) => {
            for (name, value) in members {
                all.push(name.clone());
                strings(value, all);
            }
        }
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {}
    }
}

const JSON_ALPHABET: &[u8] =
    b"{}[]:,\"\\'/*#truefalsn0123456789+-.eE \n\t\0\x1f\x80\xc3\xe2\xff\xed\xa0ud8x";
const XML_ALPHABET: &[u8] = b"<>/!?-[]=\"'& ;#xa1:DOCTYPE\n\x80";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn json_is_taken_and_refused_as_serde_json_does(text in mutated(json_text(), JSON_ALPHABET)) {
        let oracle = serde_json::from_slice::<serde_json::Value>(&text);
        let (_, rules) = read_json([text.as_slice()]);
        prop_assert_eq!(refuses(&rules), oracle.is_err(), "{:?} {:?} {:?}", String::from_utf8_lossy(&text), rules, oracle);
    }

    #[test]
    fn strings_of_json_are_those_that_serde_json_reads(text in json_text()) {
        let (values, _) = read_json([text.as_bytes()]);
        // serde_json keeps one of several members of a name, in an order of its own.
        let mut expected = Vec::new();
        let value: serde_json::Value = serde_json::from_str(&text).expect("the text is JSON");
        strings(&value, &mut expected);
        let mut found: Vec<String> = values
            .iter()
            .filter(|value| matches!(value.host, HostSyntax::JsonString | HostSyntax::JsonKey))
            .map(|value| String::from_utf8(value.bytes.clone()).expect("a string is UTF-8"))
            .collect();
        for value in &values {
            let raw = &text[value.span.0..value.span.1];
            match value.host {
                HostSyntax::JsonString | HostSyntax::JsonKey => {
                    let quoted = &text[value.span.0 - 1..value.span.1 + 1];
                    let decoded: String = serde_json::from_str(quoted).expect("a span covers a string");
                    prop_assert_eq!(decoded.as_bytes(), value.bytes.as_slice());
                }
                _ => prop_assert_eq!(raw.as_bytes(), value.bytes.as_slice()),
            }
        }
        found.sort();
        found.dedup();
        expected.sort();
        expected.dedup();
        for text in &expected {
            prop_assert!(found.binary_search(text).is_ok());
        }
    }

    #[test]
    fn json_reads_alike_in_any_pieces(
        text in mutated(json_text(), JSON_ALPHABET),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let whole = read_json([text.as_slice()]);
        prop_assert_eq!(&read_json(pieces(&text, &cuts)), &whole);
        prop_assert_eq!(&read_json(text.chunks(1)), &whole);
    }

    #[test]
    fn no_byte_of_a_json_text_is_passed_over(text in mutated(json_text(), JSON_ALPHABET)) {
        let (values, _) = read_json([text.as_slice()]);
        let mut seen = vec![false; text.len()];
        for value in &values {
            seen[value.span.0..value.span.1].fill(true);
        }
        let syntax = b"{}[]:,\"' \n\r\t\x1e";
        for (at, &byte) in text.iter().enumerate() {
            prop_assert!(seen[at] || syntax.contains(&byte), "{at} of {:?}", String::from_utf8_lossy(&text));
        }
    }

    #[test]
    fn no_byte_of_an_xml_text_is_passed_over(text in mutated(xml_text(), XML_ALPHABET)) {
        let (values, _) = read_xml([text.as_slice()]);
        let mut seen = vec![false; text.len()];
        for value in &values {
            seen[value.span.0..value.span.1].fill(true);
        }
        // The XML declaration is read for what it declares.
        if text.starts_with(b"<?xml") {
            let end = text.windows(2).position(|pair| pair == b"?>").unwrap_or(text.len());
            seen[..end].fill(true);
        }
        // Names and the words of markup are looked at by themselves; so is a document type declaration.
        let syntax = |byte: u8| byte.is_ascii_alphanumeric() || b"<>/!?-[]='\" \n\r\t:._&;#".contains(&byte) || byte >= 0x80;
        for (at, &byte) in text.iter().enumerate() {
            prop_assert!(seen[at] || syntax(byte), "{at} of {:?}", String::from_utf8_lossy(&text));
        }
    }

    #[test]
    fn document_types_read_alike_in_any_pieces(
        text in mutated(doctype_text(), XML_ALPHABET),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let whole = read_xml([text.as_slice()]);
        prop_assert_eq!(&read_xml(pieces(&text, &cuts)), &whole);
        prop_assert_eq!(&read_xml(text.chunks(1)), &whole);
    }

    #[test]
    fn xml_reads_alike_in_any_pieces(
        text in mutated(xml_text(), XML_ALPHABET),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let whole = read_xml([text.as_slice()]);
        prop_assert_eq!(&read_xml(pieces(&text, &cuts)), &whole);
        prop_assert_eq!(&read_xml(text.chunks(1)), &whole);
    }

    #[test]
    fn what_quick_xml_refuses_is_refused(text in mutated(xml_text(), XML_ALPHABET)) {
        // Charsets are `content`'s to judge.
        if std::str::from_utf8(&text).is_ok() && quick_xml_refuses(&text) {
            let (_, rules) = read_xml([text.as_slice()]);
            prop_assert!(!rules.is_empty(), "{:?}", String::from_utf8_lossy(&text));
        }
    }

    #[test]
    fn values_of_xml_are_those_that_quick_xml_reads(text in xml_text()) {
        let (values, rules) = read_xml([text.as_bytes()]);
        prop_assert!(rules.is_empty(), "{text}: {rules:?}");
        let mut found: Vec<String> = values
            .iter()
            .filter(|value| matches!(value.host, HostSyntax::XmlText | HostSyntax::XmlAttribute))
            .map(|value| String::from_utf8_lossy(&value.bytes).into_owned())
            .collect();
        for expected in quick_xml_values(&text) {
            let at = found.iter().position(|value| *value == expected);
            prop_assert!(at.is_some(), "{text}: {expected:?} is not among {found:?}");
            found.remove(at.expect("it was found"));
        }
        prop_assert!(found.is_empty(), "{text}: {found:?} too many");
    }
}

/// A well-formed XML text.
fn xml_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => "[a-zA-Z0-9 _.,:{}'\"\\]/-]{1,8}",
        1 => prop_oneof![Just("&lt;"), Just("&amp;"), Just("&#60;"), Just("&#x0041;"), Just("&quot;"), Just("é€😀")].prop_map(str::to_owned),
    ];
    let text =
        prop::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat().replace("]]", "]"));
    let value = text.clone().prop_map(|text| text.replace('"', ""));
    let attributes = prop::collection::btree_map("[a-z]{1,3}", value, 0..3).prop_map(|all| {
        let all = all
            .iter()
            .map(|(name, value)| format!(" {name}=\"{value}\""));
        all.collect::<String>()
    });
    let empty =
        ("[a-z]{1,3}", attributes.clone()).prop_map(|(name, all)| format!("<{name}{all}/>"));
    let element = empty.prop_recursive(4, 24, 5, move |inner| {
        let child = prop_oneof![
            3 => inner,
            2 => text.clone(),
            1 => "[a-z ]{0,6}".prop_map(|text| format!("<!--{text}-->")),
            1 => "[a-z<>& ]{0,6}".prop_map(|text| format!("<![CDATA[{text}]]>")),
            1 => "[a-z ]{0,6}".prop_map(|text| format!("<?p {text}?>")),
        ];
        (
            "[a-z]{1,3}",
            attributes.clone(),
            prop::collection::vec(child, 0..5),
        )
            .prop_map(|(name, all, children)| {
                format!("<{name}{all}>{}</{name}>", children.concat())
            })
    });
    ("(<\\?xml version='1.0'\\?>)?\n?", element)
        .prop_map(|(front, element)| format!("{front}{element}\n"))
}

/// A document with a document type declaration and references to what it declares.
fn doctype_text() -> impl Strategy<Value = String> {
    let declaration = prop_oneof![
        "<!ENTITY [a-c] \"[a-c<>&;# ]{0,8}\">",
        "<!ENTITY [a-c] '&[a-c];&[a-c];'>",
        "<!ENTITY (% )?[a-c] (SYSTEM|PUBLIC 'p') '(file:///|http://h/)?[a-c]'>",
        "<!ELEMENT r ANY>",
        "<!--[a-c'> ]{0,4}-->",
        "<\\?p [a-c'> ]{0,4}\\?>",
        "%[a-c];",
    ];
    let all = prop::collection::vec(declaration, 0..5).prop_map(|all| all.concat());
    (all, "(&[a-d];|x|<e/>){0,4}")
        .prop_map(|(all, content)| format!("<!DOCTYPE r [{all}]><r>{content}</r>"))
}

fn quick_xml_refuses(text: &[u8]) -> bool {
    let mut reader = quick_xml::Reader::from_reader(text);
    loop {
        match reader.read_event() {
            Err(_) => return true,
            Ok(quick_xml::events::Event::Eof) => return false,
            Ok(_) => {}
        }
    }
}

/// Texts and attribute values, unescaped; texts that are blank left out.
fn quick_xml_values(text: &str) -> Vec<String> {
    use quick_xml::events::Event;
    let mut reader = quick_xml::Reader::from_str(text);
    let mut values = Vec::new();
    let mut run = String::new();
    loop {
        let event = reader.read_event().expect("the text is well-formed");
        match &event {
            Event::Text(text) => {
                run.push_str(text);
                continue;
            }
            Event::GeneralRef(name) => {
                run.push('&');
                run.push_str(name);
                run.push(';');
                continue;
            }
            _ => {}
        }
        let plain = quick_xml::escape::unescape(&run).expect("references are known");
        if !plain.trim_matches([' ', '\n', '\r', '\t']).is_empty() {
            values.push(plain.into_owned());
        }
        run.clear();
        match event {
            Event::Start(tag) | Event::Empty(tag) => {
                for attribute in tag.attributes() {
                    let attribute = attribute.expect("attributes are well-formed");
                    let value = quick_xml::escape::unescape(&attribute.value)
                        .expect("references are known");
                    values.push(value.into_owned());
                }
            }
            Event::Eof => return values,
            _ => {}
        }
    }
}
