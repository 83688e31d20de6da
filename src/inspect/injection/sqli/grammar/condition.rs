//! Conditions: tautologies, comparisons, patterns, and strings that are ended and spliced.

use super::super::super::Kind;
use super::super::token::Kind as T;
use super::super::words::Word as W;
use super::expression::{Expr, Operand};
use super::{Entry, Reading};

impl<'a> Reading<'a> {
    /// `or 1=1`: a condition after a logical word, whose first token is at `index + 1`.
    pub(super) fn condition(&mut self, index: usize, weight: u8) {
        let first = index + 1;
        if self.is_word(self.skip_comments(first), W::Exists) {
            self.note(Kind::Semantics, weight, "condition", index);
            return;
        }
        let Some(mut left) = self.expression(first) else {
            return;
        };
        let plain = self.skip_inline(left.next);
        if plain + 1 < self.tokens.len() {
            left.next = plain;
        }
        let lone = matches!(self.kind(index), Some(T::Pipes | T::Ampersands))
            || self.is_word(index, W::Condition);
        match self.kind(left.next) {
            Some(T::Compare | T::Json) => self.comparison(index, left, weight),
            Some(T::Word(W::Predicate)) => {
                let negated = left.next;
                self.predicate(index, left, negated + 1);
            }
            Some(T::Word(W::Unary)) => self.predicate(index, left, left.next + 2),
            Some(T::Word(W::In)) if self.kind(left.next + 1) == Some(T::Open) => {
                let inner = matches!(
                    self.kind(left.next + 2),
                    Some(T::Text | T::OpenText | T::Number | T::Hex)
                ) || self.is_word(left.next + 2, W::Select);
                self.note(
                    Kind::Semantics,
                    if inner { 45 } else { 25 },
                    "membership",
                    index,
                );
            }
            Some(T::Word(W::IsNull)) => self.note(Kind::Semantics, 40, "null-test", index),
            Some(T::Word(W::Is)) => {
                let not = usize::from(self.is_word(left.next + 1, W::Unary));
                if self.is_word(left.next + 1 + not, W::Literal) {
                    self.note(Kind::Semantics, 40, "null-test", index);
                }
            }
            Some(T::Word(W::Between)) => self.between(index, left),
            Some(T::DashComment | T::HashComment | T::OpenComment | T::BlockComment)
                if !lone || self.broken_out() =>
            {
                if left.operand != Operand::Name {
                    self.note(Kind::Semantics, 40, "constant-condition", index);
                } else if self.broken_out() {
                    self.note(Kind::Semantics, 20, "condition", index);
                }
            }
            Some(T::Semicolon) if left.operand != Operand::Name && self.broken_out() => {
                let literal = self.is_word(left.first, W::Literal);
                let weight = if literal { 35 } else { 30 };
                self.note(Kind::Semantics, weight, "constant-condition", index);
            }
            None if matches!(self.kind(index), Some(T::Pipes | T::Ampersands))
                && self.entry == Entry::Bare
                && left.simple
                && (0..index).all(|before| self.kind(before) == Some(T::Open)) =>
            {
                self.note(Kind::Semantics, 50, "constant-condition", index);
            }
            Some(T::Word(W::Logic)) | None if left.simple && self.is_word(index, W::Having) => {
                self.note(Kind::Semantics, 45, "constant-condition", index);
                self.note(Kind::Structure, 10, "whole-clause", index);
            }
            None if (left.operand != Operand::Name || left.next > left.first + 1)
                && left.next >= self.tokens.len() =>
            {
                self.condition_at_end(index, left)
            }
            _ => {}
        }
    }

    pub(super) fn condition_at_end(&mut self, index: usize, left: Expr) {
        let last = self.kind(left.next.saturating_sub(1));
        let reopens = last == Some(T::OpenText) && self.reopens(left.next.saturating_sub(1));
        let literal = self.is_word(left.first, W::Literal);
        if reopens || literal && (self.broken_out() || index == 0) {
            self.note(Kind::Semantics, 35, "constant-condition", index);
        } else if left.operand >= Operand::Call {
            self.note(
                Kind::Semantics,
                if self.broken_out() || index == 0 {
                    35
                } else {
                    15
                },
                "condition",
                index,
            );
        }
    }

    pub(super) fn comparison(&mut self, index: usize, left: Expr, weight: u8) {
        let mut right_at = self.skip_inline(left.next + 1);
        if matches!(self.kind(right_at), Some(T::Compare | T::Json)) {
            right_at += 1;
        }
        // `= any(…)`, `> all(…)`
        if self.is_word(right_at, W::Quantifier) && self.kind(right_at + 1) == Some(T::Open) {
            self.note(Kind::Semantics, 35, "quantified-condition", index);
            self.note(Kind::Structure, 10, "whole-clause", right_at);
            return;
        }
        let Some(right) = self.expression(right_at) else {
            // Cut off behind the operator: what follows in the program completes it.
            if right_at >= self.tokens.len() && left.operand == Operand::Literal {
                self.note(Kind::Semantics, 40, "comparison", index);
                self.note(Kind::Structure, 10, "open-end", index);
            }
            return;
        };
        let complete = right.next >= self.tokens.len()
            || matches!(
                self.kind(right.next),
                Some(
                    T::DashComment
                        | T::HashComment
                        | T::OpenComment
                        | T::BlockComment
                        | T::Semicolon
                )
            )
            || self
                .kind(right.next)
                .is_some_and(|kind| matches!(kind, T::Word(W::Logic) | T::Word(W::Union)));
        if complete {
            self.note(
                Kind::Structure,
                10,
                "whole-clause",
                right.next.saturating_sub(1),
            );
        }
        let same = left.operand == Operand::Name
            && right.operand == Operand::Name
            && self.text_of(left) == self.text_of(right);
        let (weight, name) = match (left.operand, right.operand) {
            (Operand::Subselect, _) | (_, Operand::Subselect) => (weight, "subselect-condition"),
            (Operand::Literal, Operand::Literal) => (weight, "tautology"),
            _ if same => (weight.saturating_sub(5), "tautology"),
            (Operand::Call, _) | (_, Operand::Call) => (weight.saturating_sub(10), "condition"),
            (Operand::Name, Operand::Name) => (15, "condition"),
            (Operand::Name, Operand::Literal) | (Operand::Literal, Operand::Name) => {
                (30, "condition")
            }
        };
        let weight = if complete {
            weight
        } else {
            weight.saturating_sub(15)
        };
        self.note(Kind::Semantics, weight, name, index);
        self.note(Kind::Semantics, weight, name, right.next.saturating_sub(1));
    }

    pub(super) fn text_of(&self, expr: Expr) -> &'a [u8] {
        let start = self.tokens.get(expr.first).map_or(0, |token| token.start);
        let end = expr
            .next
            .checked_sub(1)
            .and_then(|last| self.tokens.get(last))
            .map_or(0, |token| token.end);
        self.value
            .lower
            .get(start..end)
            .unwrap_or_default()
            .trim_ascii()
            .trim_suffix_close()
    }

    pub(super) fn predicate(&mut self, index: usize, left: Expr, at: usize) {
        let at = at + usize::from(self.is_word(at, W::Predicate));
        let weight = match self.expression(at) {
            Some(right) if right.simple && left.operand == Operand::Literal => 50,
            Some(right) if right.simple => 35,
            Some(right) if self.text_of(right) == self.text_of(left) => 40,
            Some(right) if right.operand >= Operand::Call => 30,
            _ => 0,
        };
        self.note(Kind::Semantics, weight, "pattern-condition", index);
    }

    pub(super) fn between(&mut self, index: usize, left: Expr) {
        let bound = self.expression(left.next + 1);
        if bound.is_some_and(|bound| {
            bound.operand == Operand::Literal && self.is_word(bound.next, W::Logic)
        }) {
            self.note(
                Kind::Semantics,
                if left.operand == Operand::Literal {
                    50
                } else {
                    35
                },
                "range-condition",
                index,
            );
        }
    }

    /// `'like'`, `' glob 1`, `'in (…`: the string before the quote is the left side.
    pub(super) fn predicate_at_break(&mut self, index: usize) {
        // `' notnull--` has no right side.
        let cut = matches!(
            self.kind(index + 1),
            Some(T::DashComment | T::HashComment | T::OpenComment)
        );
        if self.is_word(index, W::IsNull) && cut {
            self.note(Kind::Semantics, 40, "null-test", index);
            return;
        }
        let right = self.expression(index + 1 + usize::from(self.is_word(index + 1, W::Unary)));
        let simple = right.is_some_and(|right| right.simple || right.operand >= Operand::Call)
            && self.tight();
        if simple && right.is_some_and(|right| self.closes_at(right.next)) {
            self.note(Kind::Semantics, 40, "pattern-condition", index);
        }
    }

    pub(super) fn closes_at(&self, index: usize) -> bool {
        matches!(
            self.kind(index),
            None | Some(
                T::DashComment
                    | T::HashComment
                    | T::OpenComment
                    | T::BlockComment
                    | T::Semicolon
                    | T::Close
            ) | Some(T::Word(W::Logic))
        )
    }

    /// `'{"a":1}'::jsonb @> '…'`, `'[1]' ? '1'`.
    pub(super) fn json_operator(&mut self, index: usize) {
        let cast = index >= 3
            && self.kind(index - 2) == Some(T::Cast)
            && self.kind(index - 3) == Some(T::Text);
        let left = cast || index > 0 && self.kind(index - 1) == Some(T::Text);
        let right =
            self.skip_comments(index + 1 + usize::from(self.kind(index + 1) == Some(T::Compare)));
        let document = matches!(self.kind(right), Some(T::Text | T::OpenText))
            || self.lower(right) == b"array";
        if left && document {
            let weight = if cast || self.lower(index).len() >= 2 {
                50
            } else {
                40
            };
            self.note(Kind::Semantics, weight, "json-operator", index);
            self.note(Kind::Structure, 10, "whole-clause", right);
        }
    }

    /// `' || '`, `'-'`, `'*1*'`: operators that join the string before the break with the one after it.
    pub(super) fn splice(&mut self) {
        let Entry::Quote { quote, .. } = self.entry else {
            return;
        };
        if !matches!(
            self.kind(0),
            Some(T::Operator | T::Pipes | T::Compare | T::Ampersands)
        ) || self.tokens.len() > SPLICE_TOKENS
        {
            return;
        }
        let last = self.tokens.len() - 1;
        let reopened =
            self.kind(last) == Some(T::OpenText) && self.lower(last).first() == Some(&quote);
        let joined = last > 0
            && matches!(
                self.kind(last - 1),
                Some(T::Operator | T::Pipes | T::Compare | T::Ampersands)
            );
        let mut operand = false;
        for index in 0..last {
            let is_operand = matches!(
                self.kind(index),
                Some(
                    T::Number
                        | T::Text
                        | T::Word(W::Plain | W::Literal | W::Function | W::System)
                        | T::Variable
                        | T::Global
                        | T::Hex
                )
            );
            if is_operand && operand {
                return;
            }
            operand = is_operand;
        }
        if reopened && joined && self.tight() {
            self.note(Kind::Structure, 35, "spliced-string", last);
        }
    }

    /// `admin'--`, `x') #`, `'=0--`: the string ends, and with it the statement.
    pub(super) fn bare_comment(&mut self) {
        let Entry::Quote { at, .. } = self.entry else {
            return;
        };
        let mut first = 0;
        let literal = matches!(self.kind(1), Some(T::Number | T::Text | T::Hex));
        if self.kind(0) == Some(T::Compare) && literal {
            first = 2;
        }
        while matches!(self.kind(first), Some(T::Close | T::Semicolon)) {
            first += 1;
        }
        let cut = matches!(
            self.kind(first),
            Some(T::DashComment | T::HashComment | T::OpenComment)
        );
        let text = self
            .lower(first)
            .iter()
            .filter(|byte| !matches!(byte, b'-' | b'+' | b'#' | b'/' | b'*' | b' '))
            .count();
        let before = at
            .checked_sub(1)
            .and_then(|before| self.value.lower.get(before));
        let spaced = before.is_some_and(u8::is_ascii_whitespace);
        if cut && first + 1 == self.tokens.len() && text == 0 && !spaced && at <= HEAD_BYTES {
            self.note(Kind::Semantics, 35, "cut-statement", first);
        }
    }

    /// True unless the quotes look like quotation marks around words or like inches (a space outside of them, a long text
    /// before, more of them) or like the first argument of a call: `mask("*", 6)`.
    pub(super) fn tight(&self) -> bool {
        let Entry::Quote { quote, at } = self.entry else {
            return false;
        };
        let head = self.value.lower.get(..at).unwrap_or_default();
        let tail = self.value.lower.get(at + 1..).unwrap_or_default();
        let reopened = memchr::memchr(quote, tail)
            .and_then(|at| tail.get(at + 1..))
            .unwrap_or_default();
        head.len() <= HEAD_BYTES
            && !head.last().is_some_and(u8::is_ascii_whitespace)
            && !matches!(head, [.., name, b'('] if name.is_ascii_alphanumeric())
            && !reopened.first().is_some_and(u8::is_ascii_whitespace)
            && reopened.len() <= HEAD_BYTES
    }

    /// True when the open string at `index` has the quote of the one that was closed.
    pub(super) fn reopens(&self, index: usize) -> bool {
        matches!(self.entry, Entry::Quote { quote, .. } if self.lower(index).first() == Some(&quote))
    }
}

trait TrimClose {
    fn trim_suffix_close(&self) -> &[u8];
}

impl TrimClose for [u8] {
    /// Without closing brackets at the end.
    fn trim_suffix_close(&self) -> &[u8] {
        let mut trimmed = self;
        while let Some(shorter) = trimmed.strip_suffix(b")") {
            trimmed = shorter.trim_ascii_end();
        }
        trimmed
    }
}

/// Bytes before and after a spliced string.
const HEAD_BYTES: usize = 32;
/// Tokens of a spliced string.
const SPLICE_TOKENS: usize = 8;
