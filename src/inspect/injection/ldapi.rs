//! LDAP filter and XPath injection.
//!
//! An LDAP filter (RFC 4515) is items in brackets; what breaks out of one closes a bracket that it did not open and
//! opens an item of its own. XPath is broken out of with a quote, and speaks of axes, node tests and functions that
//! no other language has.

use std::ops::Range;

use super::lexis::{WordSets, has, joined, run, skip_blanks};
use super::{Evidence, Hints, Kind, Setting, Value};
use crate::inspect::leaf::HostSyntax;
use std::sync::LazyLock;

/// Words of which one at least stands in every value that this detector can find something in.
pub const ANCHORS: &[&str] =
    &joined::<{ SIGNS.len() + FUNCTIONS.len() + AXES.len() }>(&[SIGNS, FUNCTIONS, AXES]);

/// What filters are made of, and what breaks out into a path.
const SIGNS: &[&str] = &[
    ")(",
    "(|",
    "(&",
    "(!",
    "*)",
    ")|",
    "*(|",
    "=*",
    "objectclass",
    "(uid=",
    "(cn=",
    "(mail=",
    "(sn=",
    "userpassword",
    "//user",
    "//*",
    "/*[",
    "or '",
    "or \"",
    "\\00",
    "\\2a",
    "\\28",
    "']",
    "concat(",
    "//",
];

/// Notes evidence of the class in `value`.
pub fn look(value: &Value<'_>, evidence: &mut Evidence) {
    if is_probe(value.lower) {
        evidence.note(Kind::BreakOut, 35, "filter-characters");
        evidence.note(Kind::Position, 25, "whole-value");
    }
    filter(value, evidence);
    if evidence.score() < 40 {
        xpath(value, evidence);
    }
    match value.setting {
        Setting::Short => {}
        Setting::Prose => evidence.temper(60),
        Setting::Document => evidence.temper(40),
    }
}

/// Nothing but the characters that a filter must escape: `*()|&'`.
fn is_probe(lower: &[u8]) -> bool {
    (5..=16).contains(&lower.len())
        && lower.iter().all(|byte| b"*()|&'\\!=~<>\"/,".contains(byte))
        && [b'*', b'(', b')'].iter().all(|byte| lower.contains(byte))
        && (lower.iter().any(|byte| matches!(byte, b'|' | b'&'))
            || memchr::memchr_iter(b')', lower).count() > memchr::memchr_iter(b'(', lower).count())
}

/// What a walk over the brackets of a value finds.
#[derive(Default)]
struct Brackets {
    depth: i32,
    /// A bracket was closed that was not open.
    closed_first: bool,
    /// Items `attribute=value`.
    items: u32,
    known: bool,
    secret: bool,
    wildcard: bool,
    /// `(|`, `(&`, `(!` before an item or the end.
    operators: u32,
    /// `(&)`, `(|)`: always true, always false.
    constants: u32,
    /// An item or operator that comes after a closing bracket too many.
    opened_after: bool,
    /// A matching rule: `:1.2.840.113556.1.4.803:=`, `:dn:=`
    rule: bool,
    first: Option<usize>,
    last: usize,
}

fn filter(value: &Value<'_>, evidence: &mut Evidence) {
    let lower = value.lower;
    let mut brackets = Brackets::default();
    let mut at = 0;
    while let Some(found) = memchr::memchr2(b'(', b')', lower.get(at..).unwrap_or_default()) {
        let here = at + found;
        at = here + 1;
        if lower.get(here) == Some(&b')') {
            brackets.depth -= 1;
            brackets.closed_first |= brackets.depth < 0;
            continue;
        }
        brackets.depth = brackets.depth.max(0) + 1;
        let near = lower
            .get(at..lower.len().min(at + ITEM_BYTES))
            .unwrap_or_default();
        brackets.open(near, here);
    }
    note_filter(value, &brackets, evidence);
}

impl Brackets {
    /// What follows an opening bracket at `here`.
    fn open(&mut self, near: &[u8], here: usize) {
        let blank = skip_blanks(near, 0);
        let before = (self.items, self.operators, self.constants);
        match near.get(blank) {
            Some(b'&' | b'|' | b'!') => {
                let next = near.get(skip_blanks(near, blank + 1));
                match next {
                    Some(b')') => self.constants += 1,
                    Some(b'(') => self.operators += 1,
                    None => self.operators += 1,
                    // `(|userPassword=*)`: the bracket of the item is left out.
                    Some(_) => {
                        self.item(near.get(skip_blanks(near, blank + 1)..).unwrap_or_default())
                    }
                }
            }
            Some(_) => self.item(near.get(blank..).unwrap_or_default()),
            None => {}
        }
        if before != (self.items, self.operators, self.constants) {
            self.first = self.first.or(Some(here));
            self.last = here + near.len().min(2);
            self.opened_after |= self.closed_first;
        }
    }

    /// `attribute=value`, as far as it goes.
    fn item(&mut self, near: &[u8]) {
        let name = run(near, 0, |byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b';' | b'.')
        });
        let mut at = name.len();
        if name.is_empty() {
            return;
        }
        if near.get(at) == Some(&b':') {
            let rule = run(near, at, |byte| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b':')
            });
            at += rule.len();
            self.rule |= rule.len() > 1 && rule.ends_with(b":");
        }
        if matches!(near.get(at), Some(b'~' | b'>' | b'<')) {
            at += 1;
        }
        if near.get(at) != Some(&b'=') || matches!(near.get(at + 1), Some(b'=' | b'>')) {
            return;
        }
        self.items += 1;
        self.known |= KNOWN.contains(&name);
        self.secret |= has(name, b"pass") || has(name, b"pwd") || has(name, b"secret");
        let text = run(near, at + 1, |byte| !matches!(byte, b'(' | b')'));
        self.wildcard |= text.contains(&b'*');
    }
}

fn note_filter(value: &Value<'_>, brackets: &Brackets, evidence: &mut Evidence) {
    let lower = value.lower;
    let Some(first) = brackets.first else {
        cut_filter(lower, evidence);
        return;
    };
    let range = first..brackets.last.max(first + 1).min(lower.len().max(first + 1));
    if brackets.opened_after {
        evidence.note_at(Kind::BreakOut, 35, "filter-break-out", range.clone());
    }
    if brackets.constants > 0 {
        evidence.note_at(Kind::Semantics, 35, "constant-filter", range);
    } else if brackets.items > 0 || (brackets.operators > 0 && brackets.opened_after) {
        evidence.note_at(
            Kind::Semantics,
            if brackets.items > 0 { 20 } else { 25 },
            "filter-item",
            range,
        );
    }
    if brackets.operators > 0 {
        evidence.note(
            Kind::Structure,
            if brackets.items > 1 || brackets.opened_after || has(lower, b"*(") {
                25
            } else {
                10
            },
            "filter-operator",
        );
    } else if brackets.rule {
        evidence.note(Kind::Structure, 25, "matching-rule");
    }
    if brackets.secret {
        evidence.note(Kind::Target, 25, "secret-attribute");
    } else if brackets.known {
        evidence.note(Kind::Target, 15, "known-attribute");
    }
    if brackets.wildcard {
        evidence.note(Kind::Evasion, 10, "wildcard");
    }
    if lower.ends_with(b"\0") || lower.ends_with(b"%00") || lower.ends_with(b"\\00") {
        evidence.note(Kind::Terminator, 20, "cut");
    }
    if first <= 2 || lower.first() == Some(&b'*') {
        evidence.note(Kind::Position, 10, "leading");
    }
    if value.hints.contains(Hints::QUERY) && brackets.opened_after {
        evidence.note(Kind::Hint, 5, "query-name");
    }
}

/// `*)` and `admin*)` with the rest cut off by a NUL.
fn cut_filter(lower: &[u8], evidence: &mut Evidence) {
    let text = lower.trim_ascii_end();
    let cut = [b"\0".as_slice(), b"%00", b"\\00"]
        .iter()
        .find_map(|end| text.strip_suffix(*end));
    if let Some(rest) = cut
        && rest.ends_with(b")")
        && !rest.contains(&b'(')
    {
        evidence.note(Kind::BreakOut, 35, "filter-break-out");
        evidence.note(Kind::Terminator, 30, "cut");
    }
}

/// Attributes that filters of directories ask for.
const KNOWN: &[&[u8]] = &[
    b"cn",
    b"uid",
    b"sn",
    b"mail",
    b"ou",
    b"dc",
    b"objectclass",
    b"userpassword",
    b"givenname",
    b"samaccountname",
    b"memberof",
    b"member",
    b"objectcategory",
    b"userprincipalname",
    b"department",
    b"telephonenumber",
    b"user",
    b"username",
    b"name",
    b"uidnumber",
    b"admincount",
    b"serviceprincipalname",
    b"useraccountcontrol",
    b"o",
    b"c",
    b"login",
    b"role",
    b"homedirectory",
    b"loginshell",
];

/// XPath: functions, axes and node tests, and how the value breaks out.
fn xpath(value: &Value<'_>, evidence: &mut Evidence) {
    let lower = value.lower;
    // Stylesheets and schemas select by XPath.
    if value.host == HostSyntax::XmlAttribute
        && matches!(
            value.path.last_name(),
            Some(b"select" | b"test" | b"match" | b"xpath" | b"use" | b"path")
        )
    {
        evidence.temper(30);
    }
    let quote = break_out(lower);
    // Links and lists hold steps of paths: they alone say nothing.
    let (mut function, mut axis) = (false, false);
    for (index, _) in value.anchors() {
        axis |= index >= SIGNS.len() + FUNCTIONS.len();
        function |= (SIGNS.len()..SIGNS.len() + FUNCTIONS.len()).contains(&index);
    }
    let speaks = function || axis;
    if !speaks && evidence.score() == 0 && quote.is_none() {
        return;
    }
    let step = STEP_WORDS.sets_in(lower) != 0;
    if !speaks && !step {
        return;
    }
    if axis {
        evidence.note(Kind::Semantics, 40, "xpath-axis");
        if function {
            evidence.note(Kind::Evasion, 20, "xpath-function");
        }
    } else if function {
        evidence.note(Kind::Semantics, 30, "xpath-function");
    }
    if step {
        evidence.note(Kind::Target, 20, "xpath-step");
    }
    if let Some(range) = quote {
        evidence.note_at(Kind::BreakOut, 35, "string-break-out", range);
    }
    if LOGIC_WORDS.sets_in(lower) != 0 {
        evidence.note(Kind::Structure, 20, "condition");
    }
    if compares(lower) {
        evidence.note(Kind::Terminator, 10, "comparison");
    }
}

/// A quote near the beginning that ends a string: `x' or`, `'] | //`.
fn break_out(lower: &[u8]) -> Option<Range<usize>> {
    let at = lower
        .iter()
        .take(BREAK_OUT_BYTES)
        .position(|byte| matches!(byte, b'\'' | b'"'))?;
    let next = lower.get(skip_blanks(lower, at + 1))?;
    let operator = matches!(
        next,
        b']' | b')' | b'|' | b'o' | b'a' | b'=' | b'<' | b'>' | b'+'
    );
    operator.then_some(at..at + 1)
}

/// `f(…)=…`
fn compares(lower: &[u8]) -> bool {
    lower
        .windows(2)
        .any(|pair| matches!(pair, [b')', b'=' | b'>' | b'<']))
        || has(lower, b") =")
}

static STEP_WORDS: LazyLock<WordSets> = LazyLock::new(|| WordSets::new(&[STEPS]));
static LOGIC_WORDS: LazyLock<WordSets> = LazyLock::new(|| WordSets::new(&[LOGICS]));

const FUNCTIONS: &[&str] = &[
    "string-length(",
    "substring(",
    "name()",
    "local-name(",
    "position()",
    "count(/",
    "count(*",
    "count(child",
    "last()",
    "starts-with(",
    "contains(",
    "normalize-space(",
    "translate(",
    "name(/",
    "name(*",
    "name(..",
    "namespace-uri(",
    "string-to-codepoints(",
    "codepoints-to-string(",
    "doc(",
    "doc-available(",
    "unparsed-text(",
    "encode-for-uri(",
    "ends-with(",
    "substring-before(",
    "substring-after(",
    "system-property(",
    "count(@",
    "name(@",
];
const AXES: &[&str] = &[
    "/child::",
    "child::node",
    "ancestor::",
    "ancestor-or-self::",
    "descendant::",
    "descendant-or-self::",
    "following-sibling::",
    "following::",
    "preceding-sibling::",
    "preceding::",
    "parent::",
    "self::node",
    "attribute::",
    "node()",
    "/text()",
    "text()=",
    "comment()=",
    "[text()",
    "::text()",
];
const STEPS: &[&str] = &[
    "//user",
    "//*",
    "/*[",
    "//account",
    "//employee",
    "//password",
    "//node",
    "//@",
    "/@*",
    "//text",
    "]/",
    "//parent",
    "/user[",
    "@password",
    "../",
    "//child",
    "[1]",
    "[position",
    "|//",
    "| //",
    "|/*",
    "/..",
    "/*/",
];
const LOGICS: &[&str] = &[
    " or ",
    " and ",
    "'or'",
    "'or ",
    "or(",
    "and(",
    "' or",
    "\" or",
    "'and",
    "and string",
    "or count",
    "or name",
    "not(",
    "|//",
    "| //",
    "| /",
];

/// Bytes before a quote that breaks out: a short value that was to be completed.
const BREAK_OUT_BYTES: usize = 32;
/// Bytes of an item that are looked at.
const ITEM_BYTES: usize = 96;
