//! How far a value reaches that begins at a place, and whether it is one: pattern, suffix, validator, words around.

use super::around::{ends, is_word, words_before};
use super::catalog::{Detector, Field};
use super::pattern::Pattern;
use super::scanner::{Hit, Named};

impl Detector {
    /// The value that begins at `at`, or behind the prefix that does.
    pub(super) fn value(&self, text: &[u8], at: usize) -> Option<(usize, usize)> {
        let mut limit = text.len().min(at + VALUE_BYTES);
        // What follows the value may stand at the limit at the latest.
        if let Some(mark) = self.mark {
            let near = text.get(at..text.len().min(limit + 1))?;
            memchr::memchr(mark, near)?;
        }
        let start = match &self.prefix {
            Some(prefix) => prefix.end(text, at, limit)?,
            None => at,
        };
        for _ in 0..CUTS {
            let end = self.pattern.end(text, start, limit)?;
            let end = trimmed(text, start, end);
            if self.accepts(text, start, end) {
                return Some((start, end));
            }
            // A separator may tie on what is no part of the value: `… 7654 32 paid`. Give up the last group.
            let value = text.get(start..end)?;
            let cut = value
                .iter()
                .rposition(|byte| b" .-/@".contains(byte))
                .filter(|cut| *cut > 0)?;
            limit = start + cut;
        }
        None
    }

    fn accepts(&self, text: &[u8], start: usize, end: usize) -> bool {
        let followed = match &self.suffix {
            Some(suffix) => suffix
                .end(text, end, text.len().min(end + VALUE_BYTES))
                .is_some(),
            None => ends(self.boundary, text, end),
        };
        let value = text.get(start..end).unwrap_or_default();
        followed && !value.is_empty() && self.check.is_none_or(|check| check(value))
    }

    /// True when the words around allow it.
    #[inline]
    pub(super) fn fits(&self, text: &[u8], start: usize, named: &Named) -> bool {
        self.worded.is_none_or(|place| {
            let verdict = named.verdicts.get(place).copied();
            self.words_fit(text, start, verdict.unwrap_or_default())
        })
    }

    fn words_fit(&self, text: &[u8], start: usize, (speaks_for, against): (bool, bool)) -> bool {
        let unless = || words_before(text, start).take(2);
        let refused =
            !self.unless.is_empty() && (against || unless().any(|word| self.unless.contains(word)));
        let context = || words_before(text, start).take(4);
        !refused
            && (self.context.is_empty()
                || speaks_for
                || context().any(|word| self.context.contains(word)))
    }
}

impl Field {
    /// The value in a field that holds nothing else, at `start..end` of `text`.
    pub(super) fn whole_value(&self, text: &[u8], start: usize, end: usize) -> Option<Hit> {
        let start = match &self.prefix {
            Some(prefix) => prefix.end(text, start, end)?,
            None => start,
        };
        let fits = match &self.whole {
            Some(whole) => whole.end(text, start, end) == Some(end),
            None => start < end,
        };
        let value = text.get(start..end)?;
        (fits && self.check.is_none_or(|check| check(value))).then_some(self.hit(start, end))
    }

    /// The value in running text that begins at `start` and ends before `limit`.
    pub(super) fn value(&self, text: &[u8], start: usize, limit: usize) -> Option<Hit> {
        let start = match &self.prefix {
            Some(prefix) => prefix.end(text, start, limit)?,
            None => start,
        };
        let pattern: &Pattern = self.pattern.as_ref()?;
        let end = super::label::value_end(text, start, pattern.end(text, start, limit)?);
        let value = text.get(start..end)?;
        let joined = value.last().is_some_and(u8::is_ascii_alphanumeric) && is_word(text, end);
        (!joined && !value.is_empty() && self.check.is_none_or(|check| check(value)))
            .then_some(self.hit(start, end))
    }

    fn hit(&self, start: usize, end: usize) -> Hit {
        Hit {
            start,
            end,
            entity: self.entity,
            rule: self.rule,
            priority: self.priority,
        }
    }
}

/// `end` without the white space (or its escapes) that the value at `start..end` ends with.
fn trimmed(text: &[u8], start: usize, mut end: usize) -> usize {
    while let Some(value) = text.get(start..end) {
        let less = match value {
            [.., b'\\', b'n' | b'r' | b't'] if value.len() > 16 => 2,
            [.., last] if last.is_ascii_whitespace() || *last == b'\\' => 1,
            _ => break,
        };
        end -= less;
    }
    end
}

/// How far a detector looks from where its keyword or shape stands. RSA keys of 16,384 bits are 12 KiB of PEM; tokens
/// stay under 8 KiB.
const VALUE_BYTES: usize = 16 * 1024;

/// Trailing groups that may be given up before a candidate is.
const CUTS: usize = 5;
