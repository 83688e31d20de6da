//! NoSQL injection: operators of MongoDB and its kin as names, operators in strings, JavaScript of `$where`.

use std::ops::Range;

use super::{Evidence, Kind, Setting, Value};

/// Words of which one at least stands in every value that this detector can find something in.
pub const ANCHORS: &[&str] = &[
    "$",
    "this.",
    "return",
    "db.",
    "sleep(",
    "while",
    "for(;",
    "for (;",
    "==",
    "mapreduce",
    "new date(",
];

/// Notes evidence of the class in `value`.
pub fn look(value: &Value<'_>, evidence: &mut Evidence) {
    if value.is_name() {
        name(value, evidence);
    }
    operators(value, evidence);
    let present = value
        .anchors()
        .fold(0, |set, (anchor, _)| set | 1 << anchor);
    script(value, present, evidence);
    tautology(value, evidence);
    if evidence.weight(Kind::Semantics) > 0 {
        surroundings(value, evidence);
    }
    match value.setting {
        Setting::Short => {}
        Setting::Prose => evidence.temper(60),
        Setting::Document => evidence.temper(45),
    }
}

/// A member `$ne`, a field `user[$ne]`.
fn name(value: &Value<'_>, evidence: &mut Evidence) {
    let lower = value.lower.trim_ascii();
    let bracketed = memchr::memmem::find(lower, b"[$").map(|at| {
        let tail = lower.get(at + 1..).unwrap_or_default();
        tail.get(..memchr::memchr(b']', tail).unwrap_or(tail.len()))
            .unwrap_or_default()
    });
    let operator = bracketed.unwrap_or(lower);
    let weight = match weigh(operator) {
        Operator::Code => 85,
        Operator::Query => 70,
        Operator::Stage => 45,
        Operator::None => return,
    };
    evidence.note_at(
        Kind::Semantics,
        weight,
        "operator-name",
        0..value.bytes.len(),
    );
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    /// It runs JavaScript.
    Code,
    /// It changes what a query selects.
    Query,
    /// It belongs to pipelines and updates.
    Stage,
    None,
}

fn weigh(name: &[u8]) -> Operator {
    match name {
        b"$where" | b"$function" | b"$accumulator" | b"$expr" | b"$eval" => Operator::Code,
        b"$ne" | b"$gt" | b"$gte" | b"$lt" | b"$lte" | b"$in" | b"$nin" | b"$regex"
        | b"$exists" | b"$or" | b"$and" | b"$nor" | b"$not" | b"$elemmatch" | b"$mod"
        | b"$jsonschema" | b"$like" | b"$ilike" | b"$iregexp" | b"$notlike" | b"$between"
        | b"$any" | b"$all" | b"$size" | b"$near" => Operator::Query,
        b"$text" | b"$lookup" | b"$group" | b"$match" | b"$project" | b"$out" | b"$merge"
        | b"$unionwith" | b"$rename" | b"$unset" | b"$push" | b"$inc" | b"$options" | b"$eq" => {
            Operator::Stage
        }
        _ => Operator::None,
    }
}

/// `{$gt: ''}`, `[$ne]=1`, `, $where: '1 == 1'` inside a string.
fn operators(value: &Value<'_>, evidence: &mut Evidence) {
    if value.is_name() && value.lower.starts_with(b"$") {
        return;
    }
    let lower = value.lower;
    for at in memchr::memchr_iter(b'$', lower) {
        let tail = lower.get(at..).unwrap_or_default();
        let length = 1 + tail
            .iter()
            .skip(1)
            .take(OPERATOR_BYTES)
            .take_while(|byte| byte.is_ascii_alphabetic())
            .count();
        let operator = tail.get(..length).unwrap_or_default();
        let comment = operator == b"$comment";
        let weight = match weigh(operator) {
            Operator::Code => 60,
            Operator::Query => 50,
            Operator::Stage => 35,
            Operator::None if comment => 35,
            Operator::None => continue,
        };
        let head = lower.get(..at).unwrap_or_default();
        let quoted = matches!(head.last(), Some(b'"' | b'\''));
        let head = if quoted {
            head.get(..at - 1).unwrap_or_default()
        } else {
            head
        }
        .trim_ascii_end();
        let after = tail.get(length..).unwrap_or_default();
        let after = if quoted {
            after.get(1..).unwrap_or_default()
        } else {
            after
        }
        .trim_ascii_start();
        let opens =
            head.is_empty() || matches!(head.last(), Some(b'{' | b'[' | b',' | b'(' | b'&'));
        let assigns = matches!(after.first(), Some(b':' | b']'));
        if opens && assigns {
            evidence.note_at(Kind::Semantics, weight, "operator", at..at + length);
            if head
                .last()
                .is_none_or(|byte| matches!(byte, b'{' | b'[' | b','))
            {
                evidence.note_at(Kind::Structure, 15, "operator-object", at..at + length);
            }
        }
    }
}

/// JavaScript that a `$where` would run. `present` has a bit for each of [`ANCHORS`] that stands in the value; every
/// script begins with one.
fn script(value: &Value<'_>, present: u32, evidence: &mut Evidence) {
    let lower = value.lower;
    if present == 0 || value.setting == Setting::Document {
        return;
    }
    let begins = |word: &str| {
        (0..)
            .zip(ANCHORS)
            .any(|(index, anchor)| present & (1 << index) != 0 && word.starts_with(anchor))
    };
    for (word, weight, name, holds) in SCRIPTS.iter().filter(|(word, ..)| begins(word)) {
        let found = memchr::memmem::find_iter(lower, word.as_bytes())
            .take(TRIES)
            .find(|at| {
                let before = at.checked_sub(1).and_then(|before| lower.get(before));
                let glued = before.is_some_and(|byte| {
                    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.')
                });
                !glued && holds(lower.get(at + word.len()..).unwrap_or_default())
            });
        if let Some(at) = found {
            evidence.note_at(Kind::Semantics, *weight, name, at..at + word.len());
        }
    }
}

/// `1==1`, `'a'==='a`, `this.x == this.x`: both sides of a comparison are the same, and no variable of a program.
fn tautology(value: &Value<'_>, evidence: &mut Evidence) {
    if value.setting != Setting::Short {
        return;
    }
    let lower = value.lower;
    let anchors = value
        .anchors()
        .filter(|(anchor, _)| ANCHORS.get(*anchor) == Some(&"=="));
    for (_, Range { start: at, .. }) in anchors.take(TRIES) {
        let (head, tail) = lower.split_at(at);
        let signs = tail
            .iter()
            .take(MOST_EQUALS)
            .take_while(|byte| **byte == b'=')
            .count();
        let tail = tail.get(signs..).unwrap_or_default().trim_ascii_start();
        let head = head.trim_ascii_end();
        let length = operand(head.iter().rev());
        let left = head.get(head.len() - length..).unwrap_or_default();
        let right = tail.get(..operand(tail.iter())).unwrap_or_default();
        let constant =
            matches!(left.first(), Some(b'0'..=b'9' | b'\'' | b'"')) || left.starts_with(b"this.");
        if constant && !left.is_empty() && unquoted(left) == unquoted(right) {
            evidence.note_at(Kind::Semantics, 40, "constant-comparison", at..at + 2);
            evidence.note(Kind::Structure, 15, "tautology");
            return;
        }
    }
}

/// Length of the name, number or string that `bytes` begin with.
fn operand<'a>(bytes: impl Iterator<Item = &'a u8>) -> usize {
    bytes
        .take(OPERAND_BYTES)
        .take_while(|byte| byte.is_ascii_alphanumeric() || b"._'\"".contains(byte))
        .count()
}

fn unquoted(operand: &[u8]) -> &[u8] {
    let start = operand
        .strip_prefix(b"'")
        .or_else(|| operand.strip_prefix(b"\""));
    let open = start.unwrap_or(operand);
    let end = open.strip_suffix(b"'").or_else(|| open.strip_suffix(b"\""));
    end.unwrap_or(open)
}

type Holds = fn(&[u8]) -> bool;

const SCRIPTS: &[(&str, u8, &str, Holds)] = &[
    ("this.", 40, "document-field", |after| {
        let name = after
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_')
            .count();
        let rest = after.get(name..).unwrap_or_default().trim_ascii_start();
        name > 0
            && [
                ".match(",
                ".length",
                "==",
                "!=",
                ".test(",
                ".indexof(",
                ".startswith(",
                "[",
            ]
            .iter()
            .any(|next| rest.starts_with(next.as_bytes()))
    }),
    ("return", 40, "return", |after| {
        let rest = after.trim_ascii_start();
        let spaced =
            rest.len() < after.len() || matches!(rest.first(), Some(b'!' | b'(' | b'\'' | b'"'));
        let value = [
            "true", "1", "!", "'", "\"", "(", "this", "false", "0", "db.",
        ]
        .iter()
        .any(|value| rest.starts_with(value.as_bytes()));
        spaced && value
    }),
    ("db.", 50, "database-call", |after| {
        let path = after
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'$'))
            .count();
        let call = after.get(path..).unwrap_or_default().starts_with(b"(");
        let method = after.get(..path).unwrap_or_default();
        let method = method
            .rsplit(|byte| *byte == b'.')
            .next()
            .unwrap_or_default();
        call && [
            "insert",
            "insertone",
            "insertmany",
            "find",
            "findone",
            "drop",
            "dropdatabase",
            "remove",
            "deletemany",
            "deleteone",
            "update",
            "updateone",
            "updatemany",
            "mapreduce",
            "aggregate",
            "eval",
            "getcollectionnames",
            "createuser",
            "version",
            "adduser",
            "runcommand",
            "admincommand",
            "save",
        ]
        .iter()
        .any(|known| known.as_bytes() == method)
    }),
    ("sleep(", 45, "time-delay", |after| {
        after.first().is_some_and(u8::is_ascii_digit)
    }),
    ("while(", 50, "endless-loop", |after| {
        ["1)", "true)", "!0)"]
            .iter()
            .any(|next| after.starts_with(next.as_bytes()))
    }),
    ("while (", 50, "endless-loop", |after| {
        ["1)", "true)"]
            .iter()
            .any(|next| after.starts_with(next.as_bytes()))
    }),
    ("for(;;", 50, "endless-loop", |_| true),
    ("new date(", 10, "clock", |after| after.starts_with(b")")),
];

/// What stands around makes it an attack: an ended string or statement, a reopened one, a comment.
fn surroundings(value: &Value<'_>, evidence: &mut Evidence) {
    if value.setting != Setting::Short {
        return;
    }
    let bytes = value.bytes.trim_ascii();
    let Some(start) = evidence.span().map(|span| span.start) else {
        return;
    };
    let head = value.bytes.get(..start).unwrap_or_default();
    let quote = head
        .iter()
        .rev()
        .take(BREAK_BYTES)
        .any(|byte| matches!(byte, b'"' | b'\'' | b'`'));
    let ends = head
        .iter()
        .rev()
        .take(BREAK_BYTES)
        .any(|byte| matches!(byte, b';' | b'}' | b'|' | b'&'));
    if quote {
        evidence.note_at(Kind::BreakOut, 25, "string-break-out", start..start + 1);
    } else if ends {
        evidence.note_at(Kind::BreakOut, 20, "statement-break-out", start..start + 1);
    } else if head.trim_ascii().is_empty() {
        evidence.note_at(Kind::Position, 10, "all-of-it", start..start + 1);
    } else if head
        .iter()
        .all(|byte| byte.is_ascii_digit() || byte.is_ascii_whitespace())
    {
        evidence.note_at(Kind::BreakOut, 15, "after-number", start..start + 1);
    }
    let last = bytes.last();
    if bytes.ends_with(b"//")
        || bytes.ends_with(b"%00")
        || bytes.ends_with(b"\0")
        || bytes.ends_with(b"<!--")
    {
        evidence.note(Kind::Terminator, 20, "comment");
    } else if quote && matches!(last, Some(b'\'' | b'"')) {
        evidence.note(Kind::Terminator, 15, "quote-balanced");
    } else if matches!(last, Some(b';' | b'}' | b')')) {
        evidence.note(Kind::Terminator, 10, "statement-end");
    }
}

/// Letters of the longest operator.
const OPERATOR_BYTES: usize = 16;
/// Bytes of a side of a comparison.
const OPERAND_BYTES: usize = 64;
/// `===`
const MOST_EQUALS: usize = 3;
/// Occurrences of a word that are looked at.
const TRIES: usize = 32;
/// Bytes before a sign in which a quote breaks out.
const BREAK_BYTES: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_begins_with_an_anchor_of_more_than_one_byte() {
        for (word, ..) in SCRIPTS {
            let mut anchors = ANCHORS.iter().filter(|anchor| anchor.len() > 1);
            assert!(anchors.any(|anchor| word.starts_with(anchor)), "{word}");
        }
    }
}
