//! `for` and `if` of the Windows command processor, whose grammar is unlike anything else.

use std::ops::Range;

use crate::inspect::injection::{Evidence, Kind};

/// Notes a batch statement that begins at `at`, a command position, in `lower`.
pub fn look(lower: &[u8], at: usize, evidence: &mut Evidence) {
    let tail = lower.get(at..).unwrap_or_default();
    let after = tail
        .strip_prefix(b"for")
        .or_else(|| tail.strip_prefix(b"if"));
    if !after.is_some_and(|rest| rest.first().is_some_and(|byte| is_blank(*byte))) {
        return;
    }
    let near = lower
        .get(..lower.len().min(at + MAX_STATEMENT_BYTES))
        .unwrap_or_default();
    let mut words = Words { lower: near, at };
    match words.next() {
        b"for" => look_for(words, at, evidence),
        b"if" => look_if(words, at, evidence),
        _ => {}
    }
}

/// `for [/d|/r|/l|/f ["options"] [path]] %x in (set) do command`
fn look_for(mut words: Words<'_>, start: usize, evidence: &mut Evidence) {
    for _ in 0..MAX_OPTIONS {
        let word = words.next();
        if word.is_empty() {
            return;
        }
        if word.len() > 1 && word.first() == Some(&b'%') {
            break;
        }
    }
    if words.next() != b"in" || !words.next().starts_with(b"(") {
        return;
    }
    evidence.note_at(Kind::Semantics, 45, "batch-for", start..words.at);
    evidence.note(Kind::Structure, 30, "batch-loop");
}

/// `if [/i] [not] exist x | defined x | errorlevel n | a==b | a equ b  command`
fn look_if(mut words: Words<'_>, start: usize, evidence: &mut Evidence) {
    let mut first = words.next();
    let mut modifiers = 0_u8;
    let mut ignores_case = false;
    while matches!(first, b"/i" | b"not") {
        ignores_case |= first == b"/i";
        modifiers += 1;
        if modifiers > 2 {
            return;
        }
        first = words.next();
    }
    let condition = words.condition(first);
    let Some(condition) = condition else { return };
    let range = start..words.at;
    note_condition(&condition, range, evidence);
    let action = words.next();
    let acts = action.starts_with(b"(")
        || action.starts_with(b"%")
        || ACTIONS.contains(&action.strip_prefix(b"@").unwrap_or(action));
    if acts {
        evidence.note(Kind::Structure, 30, "batch-action");
    } else if ignores_case && !action.is_empty() {
        evidence.note(Kind::Structure, 30, "batch-switch");
    } else if modifiers > 0 && action.is_empty() {
        evidence.note(Kind::Structure, 20, "batch-modifier");
    }
    if first.contains(&b'%') || condition.right.contains(&b'%') {
        evidence.note(Kind::Target, 15, "batch-variable");
        evidence.note(Kind::Structure, 20, "batch-comparison");
    }
}

fn note_condition(condition: &Condition<'_>, range: Range<usize>, evidence: &mut Evidence) {
    let (weight, name) = match condition.operator {
        Operator::Exists => (40, "batch-exist"),
        Operator::Equal => (30, "batch-equal"),
        Operator::Compared => (45, "batch-compare"),
    };
    evidence.note_at(Kind::Semantics, weight, name, range);
}

struct Condition<'a> {
    operator: Operator,
    right: &'a [u8],
}

#[derive(Clone, Copy)]
enum Operator {
    Exists,
    Equal,
    Compared,
}

/// Words between blanks; a quoted string is one word.
struct Words<'a> {
    lower: &'a [u8],
    at: usize,
}

impl<'a> Words<'a> {
    fn next(&mut self) -> &'a [u8] {
        let mut at = self.at;
        while self.lower.get(at).is_some_and(|byte| is_blank(*byte)) {
            at += 1;
        }
        let start = at;
        let mut quoted = false;
        while let Some(&byte) = self.lower.get(at) {
            if byte == b'"' {
                quoted = !quoted;
            } else if byte == b'\n' || (is_blank(byte) && !quoted) {
                break;
            }
            at += 1;
        }
        self.at = at;
        self.lower.get(start..at).unwrap_or_default()
    }

    /// Reads the rest of a condition that begins with `first`.
    fn condition(&mut self, first: &'a [u8]) -> Option<Condition<'a>> {
        let of = |operator, right| Some(Condition { operator, right });
        match first {
            b"exist" | b"defined" | b"errorlevel" | b"cmdextversion" => {
                let right = self.next();
                return if right.is_empty() {
                    None
                } else {
                    of(Operator::Exists, right)
                };
            }
            b"" => return None,
            _ => {}
        }
        if let Some(at) = first.windows(2).position(|pair| pair == b"==") {
            let mut right = first.get(at + 2..).unwrap_or_default();
            if right.is_empty() {
                right = self.next();
            }
            // `if a == b:` and `if (a == b) {` are other languages.
            let foreign = right.is_empty() || right.ends_with(b":") || right.starts_with(b"=");
            return if foreign {
                None
            } else {
                of(Operator::Equal, right)
            };
        }
        let operator = self.next();
        let kind = match operator {
            b"equ" | b"neq" | b"lss" | b"leq" | b"gtr" | b"geq" => Operator::Compared,
            _ if operator.starts_with(b"==") && operator.get(2) != Some(&b'=') => Operator::Equal,
            _ => return None,
        };
        let right = match operator.get(2..) {
            Some(rest) if !rest.is_empty() && matches!(kind, Operator::Equal) => rest,
            _ => self.next(),
        };
        let foreign = right.is_empty() || right.ends_with(b":") || right.ends_with(b"{");
        if foreign { None } else { of(kind, right) }
    }
}

/// A form's `+` may have survived.
fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == b'+'
}

/// Bytes of a statement that are looked at.
const MAX_STATEMENT_BYTES: usize = 256;

/// Words between `for` and its variable: a switch, options, a path.
const MAX_OPTIONS: usize = 6;

const ACTIONS: &[&[u8]] = &[
    b"echo",
    b"goto",
    b"call",
    b"cmd",
    b"set",
    b"del",
    b"copy",
    b"exit",
    b"start",
    b"do",
    b"rem",
    b"type",
    b"dir",
    b"md",
    b"rd",
    b"move",
    b"ren",
    b"pause",
    b"shift",
    b"net",
    b"reg",
    b"powershell",
    b"cmd.exe",
    b"erase",
    b"xcopy",
    b"setlocal",
    b"command",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn score(text: &str) -> u8 {
        let mut evidence = Evidence::default();
        look(text.to_ascii_lowercase().as_bytes(), 0, &mut evidence);
        evidence.score()
    }

    #[test]
    fn batch_statements_are_told_from_prose_and_other_languages() {
        for text in [
            "FOR /L %%i IN (1,2,9) DO ver",
            "for /f \"tokens=2 delims=,\" %q in ('ver') do set v=%q",
            "IF NOT EXIST c:\\inst.log (md c:\\inst)",
            "if /i \"%OS%\"==\"Windows_NT\" goto nt",
            "if 3 GTR 2 call more",
        ] {
            assert!(score(text) >= 60, "{text}: {}", score(text));
        }
        for text in [
            "if it is too late, call me",
            "if a == b:",
            "if x == y {",
            "for all of you in (or near) Cork",
            "if not, echo it back",
            "if exist",
        ] {
            assert!(score(text) < 60, "{text}: {}", score(text));
        }
    }
}
