//! Server-side template injection: expressions that only an attacker would write into a value.
//!
//! Templates stand in ordinary values, too (`Hello {{name}}`, `${AWS::Region}`), so that a delimiter says nothing. The
//! content is what tells: arithmetic on literals (the probe), a walk from an object to its class, a call that reads
//! files or starts processes, a directive that sets or imports.

mod words;

use std::ops::Range;
use std::sync::LazyLock;

use super::lexis::{Places, WordSets, any_of, find, has, is_ident, joined, run, skip_blanks};
use super::{Evidence, Kind, Setting, Value};
use crate::inspect::table;
use words::{CALLS, FILTER_TRICKS, FRAMEWORK_OBJECTS, OBJECT_WALKS, SMARTY, TARGETS};

/// Words of which one at least stands in every value that this detector can find something in.
pub const ANCHORS: &[&str] = &joined::<{ BARE.len() + DELIMITED.len() }>(&[BARE, DELIMITED]);

/// Those that need no delimiter.
const BARE: &[&str] = &[
    "t(java",
    "__class__",
    "__globals__",
    "__subclasses__",
    "__builtins__",
    "__mro__",
    "getruntime",
    "$class.",
    "@java",
    "@ognl",
    "@system.",
];

const DELIMITED: &[&str] = &[
    "{{",
    "${",
    "#{",
    "*{",
    "{%",
    "<%",
    "@(",
    "@{",
    "[[",
    "{$",
    "{php",
    "{if",
    "{system",
    "{self",
    "{math",
    "{fetch",
    "{literal",
    "<#",
    "[#",
    "#set",
    "#foreach",
    "#include",
    "#evaluate",
    "%{",
    "~{",
    "{{=",
    "{#",
    "__${",
    "{7",
    "{8",
    "{9",
    "{6",
    "{5",
    "{4",
    "{3",
    "{2",
    "{1",
    "{'",
    "{\"",
    "freemarker",
    "?new(",
    "{=",
    "<c:out",
    "{ ",
];

/// Notes evidence of the class in `value`.
pub fn look(value: &Value<'_>, evidence: &mut Evidence) {
    let lower = value.lower;
    let mut at = 0;
    // The end of the last expression whose words were judged: what nests in it is only tried as a probe.
    let mut judged = 0;
    let mut places = Nearby::default();
    let mut braces = Braces::default();
    let mut closers = Closers::default();
    while let Some((open, delimiter)) = next_open(lower, at) {
        let start = open + delimiter.open.len();
        let inner = delimiter.sort == Sort::Weak || open < judged;
        let limit = if inner { INNER_BYTES } else { CONTENT_BYTES };
        let near = lower
            .get(start..lower.len().min(start + limit))
            .unwrap_or_default();
        let end = match delimiter.close {
            b"}" => braces
                .close_of(lower, start - 1)
                .map(|close| close - start)
                .filter(|length| *length < near.len()),
            close => closers
                .next(lower, start, close)
                .map(|at| at - start)
                .filter(|length| length + close.len() <= near.len()),
        };
        let text = near.get(..end.unwrap_or(near.len())).unwrap_or_default();
        let content = Content {
            text,
            words: places.sets_in(lower, start..start + text.len()),
            range: open..start + end.map_or(near.len(), |end| end + delimiter.close.len()),
            closed: end.is_some(),
        };
        if !inner {
            judged = start + content.text.len();
        }
        judge(value, delimiter, &content, evidence);
        at = start;
    }
    bare_object_walk(value, evidence);
    match value.setting {
        Setting::Short => {}
        Setting::Prose => evidence.temper(85),
        Setting::Document => evidence.temper(65),
    }
}

/// The words of [`WORDS`] around the expressions, read a stretch at a time.
#[derive(Default)]
struct Nearby {
    stretch: Range<usize>,
    places: Option<Places>,
}

impl Nearby {
    /// The sets of which a word stands in `range`, which never begins before the one asked for last.
    fn sets_in(&mut self, lower: &[u8], range: Range<usize>) -> u32 {
        if range.end > self.stretch.end || self.places.is_none() {
            self.stretch = range.start..lower.len().min(range.start + STRETCH_BYTES);
            self.places = lower
                .get(self.stretch.clone())
                .map(|text| WORDS.places(text));
        }
        let start = self.stretch.start;
        self.places.as_ref().map_or(0, |places| {
            places.sets_in(range.start - start..range.end - start)
        })
    }
}

/// Which brace closes which, found in one pass when first asked for: braces in braces would be walked through once each.
#[derive(Default)]
struct Braces {
    /// Offset of an opening brace and of the one that closes it, in order of the former.
    pairs: Option<Vec<(usize, Option<usize>)>>,
    /// How many of them lie before what was asked for last.
    passed: usize,
}

impl Braces {
    /// Offset of the brace that closes the one at `open`, which is never before the one asked for last.
    fn close_of(&mut self, lower: &[u8], open: usize) -> Option<usize> {
        let pairs = self.pairs.get_or_insert_with(|| {
            let (mut pairs, mut unclosed) = (Vec::new(), Vec::new());
            for at in memchr::memchr2_iter(b'{', b'}', lower) {
                if lower.get(at) == Some(&b'{') {
                    unclosed.push(pairs.len());
                    pairs.push((at, None));
                } else if let Some((_, close)) = unclosed.pop().and_then(|own| pairs.get_mut(own)) {
                    *close = Some(at);
                }
            }
            pairs
        });
        let later = pairs.get(self.passed..)?;
        let before = later.iter().take_while(|(at, _)| *at < open).count();
        self.passed += before;
        let (at, close) = later.get(before)?;
        close.filter(|_| *at == open)
    }
}

/// Where the next closing delimiter of each spelling stands: expressions that are never closed would each be searched for
/// theirs.
#[derive(Default)]
struct Closers {
    /// Spelling, and the first place at or behind what was asked for last; `None` when there is none.
    found: Vec<(&'static [u8], Option<usize>)>,
}

impl Closers {
    /// Offset of the first `close` at or behind `from`, which is never before the one asked for last.
    fn next(&mut self, lower: &[u8], from: usize, close: &'static [u8]) -> Option<usize> {
        let search = || find(lower, close, from);
        match self.found.iter_mut().find(|(known, _)| *known == close) {
            Some((_, place)) => {
                if place.is_some_and(|at| at < from) {
                    *place = search();
                }
                *place
            }
            None => {
                let place = search();
                self.found.push((close, place));
                place
            }
        }
    }
}

/// How an expression or directive is set off.
#[derive(Clone, Copy, Debug)]
struct Delimiter {
    open: &'static [u8],
    close: &'static [u8],
    sort: Sort,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    /// Yields a value.
    Expression,
    /// Sets, loops, imports.
    Directive,
    /// A single brace or an at sign: too common to say anything.
    Weak,
}

const fn delimited(open: &'static [u8], close: &'static [u8], sort: Sort) -> Delimiter {
    Delimiter { open, close, sort }
}

/// By their first byte; longer ones before those that they begin with.
const OF_BRACE: &[Delimiter] = &[
    delimited(b"{{{", b"}}", Sort::Expression),
    delimited(b"{{", b"}}", Sort::Expression),
    delimited(b"{%", b"%}", Sort::Directive),
    delimited(b"{", b"}", Sort::Weak),
];
const OF_DOLLAR: &[Delimiter] = &[
    delimited(b"${{", b"}}", Sort::Expression),
    delimited(b"${", b"}", Sort::Expression),
];
const OF_HASH: &[Delimiter] = &[
    delimited(b"#{", b"}", Sort::Expression),
    delimited(b"#set", b")", Sort::Directive),
    delimited(b"#foreach", b")", Sort::Directive),
    delimited(b"#include", b")", Sort::Directive),
    delimited(b"#evaluate", b")", Sort::Directive),
    delimited(b"#parse", b")", Sort::Directive),
];
const OF_STAR: &[Delimiter] = &[delimited(b"*{", b"}", Sort::Expression)];
const OF_TILDE: &[Delimiter] = &[delimited(b"~{", b"}", Sort::Expression)];
const OF_PERCENT: &[Delimiter] = &[delimited(b"%{", b"}", Sort::Expression)];
const OF_AT: &[Delimiter] = &[
    delimited(b"@{", b"}", Sort::Expression),
    delimited(b"@(", b")", Sort::Weak),
];
const OF_BRACKET: &[Delimiter] = &[
    delimited(b"[[", b"]]", Sort::Expression),
    delimited(b"[#", b"]", Sort::Directive),
    delimited(b"[=", b"]", Sort::Expression),
];
const OF_ANGLE: &[Delimiter] = &[
    delimited(b"<%=", b"%>", Sort::Expression),
    delimited(b"<%", b"%>", Sort::Directive),
    delimited(b"<#", b">", Sort::Directive),
];
const OF_UNDERSCORE: &[Delimiter] = &[delimited(b"__${", b"}", Sort::Expression)];

/// The first bytes of all delimiters.
static OPENS: [bool; 256] = table::of(b"{$#*~%@[<_");

/// The next delimiter at or behind `from`, and where it is.
fn next_open(lower: &[u8], from: usize) -> Option<(usize, &'static Delimiter)> {
    let rest = lower.get(from..)?;
    let mut opens = rest
        .iter()
        .enumerate()
        .filter(|(_, byte)| OPENS[usize::from(**byte)]);
    opens.find_map(|(at, byte)| {
        let group = match byte {
            b'{' => OF_BRACE,
            b'$' => OF_DOLLAR,
            b'#' => OF_HASH,
            b'*' => OF_STAR,
            b'~' => OF_TILDE,
            b'%' => OF_PERCENT,
            b'@' => OF_AT,
            b'[' => OF_BRACKET,
            b'<' => OF_ANGLE,
            b'_' => OF_UNDERSCORE,
            _ => return None,
        };
        let here = rest.get(at..).unwrap_or_default();
        let begins = |delimiter: &&Delimiter| here.starts_with(delimiter.open);
        Some((from + at, group.iter().find(begins)?))
    })
}

/// What stands between delimiters.
struct Content<'a> {
    text: &'a [u8],
    /// The sets of [`WORDS`] of which a word stands in the text.
    words: u32,
    range: Range<usize>,
    closed: bool,
}

fn judge(value: &Value<'_>, delimiter: &Delimiter, content: &Content<'_>, evidence: &mut Evidence) {
    let text = content.text;
    let weak = delimiter.sort == Sort::Weak;
    let whole = is_whole(value, &content.range);
    let words = content.words;
    let mut found = false;
    let mut note = |kind, weight, name| {
        evidence.note_at(kind, weight, name, content.range.clone());
        found = true;
    };
    let backticks = delimiter.open.starts_with(b"<%") || delimiter.open == b"#{";
    if words & OBJECT_WALK != 0 {
        note(Kind::Semantics, 50, "object-walk");
    } else if backticks && memchr::memchr(b'`', text).is_some() {
        note(Kind::Semantics, 45, "shell-call");
    } else if words & CALL != 0 && (!weak || memchr::memchr(b'(', text).is_some()) {
        note(
            Kind::Semantics,
            if weak { 30 } else { 45 },
            "dangerous-call",
        );
    } else if content.closed && is_probe(text) && (!weak || whole) {
        note(Kind::Semantics, 45, "arithmetic-probe");
    } else if !weak && words & FRAMEWORK != 0 {
        note(Kind::Semantics, 40, "framework-object");
    } else if whole && content.closed && is_bare_global(text) && delimiter.open == b"{{" {
        note(Kind::Semantics, 40, "global-object");
    } else if (delimiter.sort == Sort::Directive || delimiter.open == b"<%=")
        && is_odd_directive(text)
    {
        note(Kind::Semantics, 40, "directive");
    } else if weak && is_smarty(text) {
        note(Kind::Semantics, 45, "smarty-tag");
    }
    if !found {
        return;
    }
    let structure = match (delimiter.sort, content.closed) {
        (Sort::Weak, _) => 15,
        (_, true) => 25,
        (_, false) => 15,
    };
    evidence.note(Kind::Structure, structure, "template-delimiter");
    if words & TARGET != 0 {
        evidence.note(Kind::Target, 30, "system-access");
    }
    if words & TRICK != 0 {
        evidence.note(Kind::Evasion, 25, "built-name");
    }
    if whole {
        evidence.note(Kind::Position, 10, "whole-value");
    }
}

/// True when the expression is all there is, but for a few bytes that break out of quotes or tags.
fn is_whole(value: &Value<'_>, range: &Range<usize>) -> bool {
    let before = value.lower.get(..range.start).unwrap_or_default();
    let after = value.lower.get(range.end..).unwrap_or_default();
    let odd = |text: &[u8]| !text.iter().any(|byte| byte.is_ascii_alphabetic());
    before.len() + after.len() <= 12 && odd(before) && odd(after)
}

/// `7*7`, `3 * '3'`, `1337-1`, `"a"*3`, `=8*8`: nobody computes with literals in a template.
fn is_probe(text: &[u8]) -> bool {
    let text = text.trim_ascii();
    let text = text.strip_prefix(b"=").unwrap_or(text).trim_ascii_start();
    // `#set($x = 7*7)`: what stands behind the sign is the expression.
    let text = match text.iter().rposition(|byte| *byte == b'=') {
        Some(at) if text.starts_with(b"(") => text.get(at + 1..).unwrap_or_default(),
        _ => text,
    };
    let mut at = 0;
    let mut operands = 0;
    let mut operator = false;
    let mut multiplied = false;
    while let Some(&byte) = text.get(at) {
        let length = match byte {
            b' ' | b'(' | b')' | b'{' | b'}' | b'$' | b'%'
                if operands == 0 || !is_operator(byte) =>
            {
                1
            }
            b'0'..=b'9' => {
                operands += 1;
                run(text, at, |b| b.is_ascii_digit() || b == b'.').len()
            }
            b'\'' | b'"' => {
                let inner = run(text, at + 1, |b| b != byte);
                if inner.len() > 8 {
                    return false;
                }
                operands += 1;
                inner.len() + 2
            }
            _ if is_operator(byte) && operands > 0 => {
                operator = true;
                multiplied |= byte != b'-' && byte != b'/';
                1
            }
            _ => return false,
        };
        at += length;
    }
    // `2024-01-31` and `1/2` are no probes.
    operator && (multiplied && operands >= 2 || operands == 2 && !has(text, b"/"))
}

fn is_operator(byte: u8) -> bool {
    matches!(byte, b'*' | b'+' | b'-' | b'/' | b'%' | b'^' | b'~' | b'|')
}

/// `{{config}}`, `{{self}}`: the application's own objects, printed whole.
fn is_bare_global(text: &[u8]) -> bool {
    let text = text.trim_ascii();
    matches!(
        text,
        b"config"
            | b"self"
            | b"request"
            | b"settings"
            | b"_self"
            | b"_context"
            | b"app"
            | b"dump(app)"
            | b"dump()"
            | b"debug"
            | b"this"
            | b"g"
            | b"session"
            | b"handler.settings"
            | b"settings.secret_key"
            | b"dump(_context)"
            | b"_self.env"
            | b"range.constructor"
            | b"lipsum"
            | b"cycler"
            | b"joiner"
            | b"url_for"
            | b"namespace"
    )
}

/// A condition on a constant, an import, an assignment of a name that builds others.
fn is_odd_directive(text: &[u8]) -> bool {
    let at = skip_blanks(text, 0);
    let text = text.get(at..).unwrap_or_default();
    let text = text.strip_prefix(b"-").unwrap_or(text).trim_ascii_start();
    let keyword = run(text, 0, |byte| is_ident(byte) || byte == b'@');
    let rest = text.get(keyword.len()..).unwrap_or_default().trim_ascii();
    let rest = rest.strip_suffix(b"-").unwrap_or(rest).trim_ascii();
    match keyword {
        b"if" | b"elif" | b"unless" => {
            matches!(
                rest,
                b"true"
                    | b"1"
                    | b"false"
                    | b"0"
                    | b"not false"
                    | b"true then"
                    | b"1==1"
                    | b"1 == 1"
                    | b"(true)"
            ) || is_probe(rest)
        }
        b"import" | b"from" | b"debug" | b"do" | b"include" | b"extends" => {
            keyword == b"debug" && rest.is_empty()
                || has(rest, b"os") && keyword == b"import"
                || has(rest, b"/etc/")
                || has(rest, b"../")
                || has(rest, b"(")
        }
        b"assign" => has(rest, b"?new") || has(rest, b"class") || has(rest, b"freemarker"),
        b"set" => any_of(
            rest,
            &[
                "_context", "|first", "_charset", "dump(", "block(", "|slice", "type", "|join",
            ],
        )
        .is_some(),
        b"block" => rest.len() <= 2,
        _ => false,
    }
}

/// A tag of Smarty that runs or reveals.
fn is_smarty(text: &[u8]) -> bool {
    let begins = |word: &&str| text.starts_with(word.as_bytes());
    text == b"php"
        || matches!(text, [b'$' | b'f' | b'i' | b'm' | b's', ..]) && SMARTY.iter().any(begins)
}

/// OGNL and SpEL without delimiters, and class walks in attribute values.
fn bare_object_walk(value: &Value<'_>, evidence: &mut Evidence) {
    if evidence.has(Kind::Semantics) {
        return;
    }
    if !value.anchors().any(|(index, _)| index < BARE.len()) {
        return;
    }
    let lower = value.lower;
    if let Some(name) = any_of(
        lower,
        &[
            "@java.lang.",
            "t(java.lang.",
            "@ognl.",
            "getruntime().exec",
            "$class.inspect",
            "@system.diagnostics.",
            "@system.io.",
            "@system.environment",
        ],
    ) {
        let at = find(lower, name.as_bytes(), 0).unwrap_or_default();
        evidence.note_at(Kind::Semantics, 40, "object-walk", at..at + name.len());
        if has(lower, b"@get")
            || has(lower, b"@value")
            || has(lower, b".exec(")
            || has(lower, b".start(")
            || has(lower, b"@sleep")
            || has(lower, b").")
            || has(lower, b".readall")
        {
            evidence.note(Kind::Structure, 30, "static-call");
        }
    }
    if let Some(name) = any_of(
        lower,
        &[
            "__class__",
            "__globals__",
            "__subclasses__",
            "__builtins__",
            "__mro__",
        ],
    ) {
        let at = find(lower, name.as_bytes(), 0).unwrap_or_default();
        evidence.note_at(Kind::Semantics, 35, "dunder", at..at + name.len());
        if has(lower, b".__") || has(lower, b"['__") || has(lower, b"[\"__") {
            evidence.note(Kind::Structure, 30, "attribute-chain");
        }
    }
}

/// Bytes of an expression that are looked at.
const CONTENT_BYTES: usize = 1024;
/// Bytes that are searched for words at a time.
const STRETCH_BYTES: usize = 4 * CONTENT_BYTES;
/// The same inside another expression, and between single braces: enough for a probe.
const INNER_BYTES: usize = 64;

/// The word tables below, in the order of the bits.
static WORDS: LazyLock<WordSets> = LazyLock::new(|| {
    WordSets::new(&[
        OBJECT_WALKS,
        CALLS,
        FRAMEWORK_OBJECTS,
        TARGETS,
        FILTER_TRICKS,
    ])
});
const OBJECT_WALK: u32 = 1;
const CALL: u32 = 1 << 1;
const FRAMEWORK: u32 = 1 << 2;
const TARGET: u32 = 1 << 3;
const TRICK: u32 = 1 << 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tag_of_smarty_is_known() {
        assert!(SMARTY.iter().all(|word| is_smarty(word.as_bytes())));
    }

    #[test]
    fn closing_delimiters_and_braces_are_found_from_any_place_on() {
        let text = b"{ a } {{ b }} { {c} ] }} ]] {";
        let (mut closers, mut braces) = (Closers::default(), Braces::default());
        for from in 0..text.len() {
            for close in [b"}}".as_slice(), b"]]", b"]", b"%>"] {
                assert_eq!(closers.next(text, from, close), find(text, close, from));
            }
            let close = match from {
                0 => Some(4),
                6 => Some(12),
                7 => Some(11),
                14 => Some(22),
                16 => Some(18),
                _ => None,
            };
            assert_eq!(braces.close_of(text, from), close, "{from}");
        }
    }

    #[test]
    fn arithmetic_on_literals_is_a_probe_and_other_content_is_not() {
        for text in [
            "7*7",
            " 3 * '3' ",
            "=8*8",
            "1337-1",
            "6+5",
            "{9*9}",
            "\"7\"*7",
            "2^3",
        ] {
            assert!(is_probe(text.as_bytes()), "{text}");
        }
        for text in [
            "user.name",
            "x*2",
            "2024-01-31",
            "1,2,3",
            "name",
            "1",
            "",
            "a+b",
            "1/2",
        ] {
            assert!(!is_probe(text.as_bytes()), "{text}");
        }
    }
}
