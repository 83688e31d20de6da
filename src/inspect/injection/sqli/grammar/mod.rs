//! What a row of tokens says, were it SQL.

mod condition;
mod expression;
mod statement;

use super::super::{Evidence, Kind, Value};
use super::token::{Kind as T, Token};
use super::words::Word as W;

/// Where in a statement the tokens begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// Where an expression could stand.
    Bare,
    /// Somewhere in a text.
    Inner,
    /// Behind the end of a string, whose quote stands at `at`.
    Quote { quote: u8, at: usize },
}

/// One reading of a value.
pub(super) struct Reading<'a> {
    value: &'a Value<'a>,
    tokens: &'a [Token],
    entry: Entry,
    evidence: Evidence,
}

impl<'a> Reading<'a> {
    pub(super) fn new(value: &'a Value<'a>, tokens: &'a [Token], entry: Entry) -> Self {
        Self {
            value,
            tokens,
            entry,
            evidence: Evidence::default(),
        }
    }

    /// Everything that speaks for SQL in this reading.
    pub(super) fn evidence(mut self) -> Evidence {
        for index in 0..self.tokens.len() {
            match self.kind(index) {
                Some(T::Word(word)) => self.word(index, word),
                Some(T::Pipes | T::Ampersands) => self.condition(index, 45),
                Some(T::Semicolon) => self.stacked(index),
                Some(T::Global) => self.note(Kind::Target, 40, "server-variable", index),
                Some(T::VersionComment) => self.note(Kind::Evasion, 30, "version-comment", index),
                Some(T::Hex) => self.hex(index),
                Some(T::BlockComment) => self.inline_comment(index),
                Some(T::Json) => self.json_operator(index),
                _ => {}
            }
        }
        self.splice();
        self.bare_comment();
        if self.evidence.score() > 0 {
            self.entrance();
            self.ending();
        }
        self.evidence
    }

    fn kind(&self, index: usize) -> Option<T> {
        self.tokens.get(index).map(|token| token.kind)
    }

    fn is_word(&self, index: usize, word: W) -> bool {
        self.kind(index) == Some(T::Word(word))
    }

    fn lower(&self, index: usize) -> &'a [u8] {
        self.tokens
            .get(index)
            .and_then(|token| self.value.lower.get(token.start..token.end))
            .unwrap_or_default()
    }

    fn note(&mut self, kind: Kind, weight: u8, name: &'static str, index: usize) {
        if let Some(token) = self.tokens.get(index) {
            self.evidence
                .note_at(kind, weight, name, token.start..token.end);
        }
    }

    /// The index of the first token from `index` on that is no comment.
    fn skip_comments(&self, mut index: usize) -> usize {
        while matches!(
            self.kind(index),
            Some(T::BlockComment | T::VersionComment | T::HashComment | T::DashComment)
        ) {
            index += 1;
        }
        index
    }

    fn word(&mut self, index: usize, word: W) {
        if !matches!(word, W::Plain | W::Prize) {
            self.mixed_case(index);
        }
        match word {
            W::Logic => self.condition(index, 50),
            W::Condition | W::Having => self.condition(index, 45),
            W::Union => self.union(index),
            W::Select => self.select(index),
            W::Sorting => self.sorting(index),
            W::Danger => self.danger(index),
            W::Function => self.function(index),
            W::System => self.system(index),
            W::Execute | W::Declare | W::Waitfor | W::Shutdown => self.command(index, word),
            W::Insert | W::Update | W::Delete | W::Define | W::Statement => {
                if let Some((weight, name)) = self.statement(index) {
                    self.note(Kind::Semantics, weight, name, index);
                }
            }
            W::Values if index == 0 && self.tokens.len() == 2 && self.kind(1) == Some(T::Open) => {
                self.note(Kind::Semantics, 60, "function-head", index);
            }
            W::Into => self.outfile(index),
            W::Object
                if self.lower(index) == b"procedure" && self.lower(index + 1) == b"analyse" =>
            {
                self.note(Kind::Semantics, 55, "procedure-analyse", index);
            }
            W::Collate if index == 0 && self.entry != Entry::Bare => {
                self.note(Kind::Semantics, 35, "collation", index);
            }
            W::Predicate | W::In | W::Is | W::IsNull | W::Between
                if index == 0 && self.entry != Entry::Bare =>
            {
                self.predicate_at_break(index);
            }
            _ => {}
        }
    }

    fn hex(&mut self, index: usize) {
        if self
            .tokens
            .get(index)
            .is_some_and(|token| token.end - token.start >= HEX_BYTES)
        {
            self.note(Kind::Evasion, 15, "hex-string", index);
        }
    }

    fn inline_comment(&mut self, index: usize) {
        let before = index.checked_sub(1).and_then(|before| self.kind(before));
        let glued = index
            .checked_sub(1)
            .and_then(|before| self.tokens.get(before))
            .zip(self.tokens.get(index))
            .is_some_and(|(before, comment)| before.end == comment.start);
        let keyword = |kind: Option<T>| matches!(kind, Some(T::Word(word)) if word != W::Plain);
        if glued && (keyword(before) || keyword(self.kind(index + 1))) {
            self.note(Kind::Evasion, 20, "inline-comment", index);
        }
    }

    fn mixed_case(&mut self, index: usize) {
        let Some(token) = self.tokens.get(index) else {
            return;
        };
        let word = self
            .value
            .bytes
            .get(token.start..token.end)
            .unwrap_or_default();
        let turns = word
            .windows(2)
            .filter(
                |pair| matches!(pair, [a, b] if a.is_ascii_lowercase() && b.is_ascii_uppercase()),
            )
            .count();
        if word.len() >= 4 && turns >= 1 {
            self.note(Kind::Evasion, 15, "mixed-case", index);
        }
    }

    fn broken_out(&self) -> bool {
        matches!(self.entry, Entry::Quote { .. })
    }

    /// True when the tokens begin with a number, as where a program expects one.
    fn number_entry(&self) -> bool {
        let sign = usize::from(self.kind(0) == Some(T::Operator));
        self.entry == Entry::Bare && self.kind(sign) == Some(T::Number)
    }

    /// How the value gets into the statement.
    fn entrance(&mut self) {
        let mut first = 0;
        while self.kind(first) == Some(T::Close) {
            first += 1;
        }
        // A comment may be all that follows: `admin'--`.
        let cut = matches!(
            self.kind(first),
            Some(T::DashComment | T::HashComment | T::OpenComment)
        );
        let continues = cut
            || matches!(
                self.kind(self.skip_comments(first)),
                Some(
                    T::Pipes
                        | T::Ampersands
                        | T::Semicolon
                        | T::Comma
                        | T::Operator
                        | T::Compare
                        | T::Word(
                            W::Logic
                                | W::Union
                                | W::Sorting
                                | W::Having
                                | W::Condition
                                | W::Limit
                                | W::Predicate
                                | W::In
                                | W::Is
                                | W::IsNull
                                | W::Collate
                                | W::Into
                                | W::Between
                                | W::Execute
                                | W::Waitfor
                                | W::Select
                                | W::Suffix
                                | W::Unary
                        )
                )
            );
        match self.entry {
            Entry::Quote { at, .. } if continues || first > 0 => {
                self.evidence
                    .note_at(Kind::BreakOut, 25, "string-break-out", at..at + 1);
            }
            Entry::Quote { .. } | Entry::Inner => {}
            Entry::Bare if first > 0 => self.note(Kind::BreakOut, 20, "bracket-break-out", 0),
            Entry::Bare if self.number_entry() => self.note(Kind::BreakOut, 15, "after-number", 0),
            Entry::Bare if continues => self.note(Kind::Position, 10, "continues-statement", 0),
            Entry::Bare => self.head(),
        }
    }

    fn head(&mut self) {
        let begins = matches!(
            self.kind(0),
            Some(
                T::Word(
                    W::Insert
                        | W::Update
                        | W::Delete
                        | W::Define
                        | W::Declare
                        | W::Shutdown
                        | W::Danger
                        | W::Statement
                        | W::Function
                ) | T::Open
            )
        );
        if begins {
            self.note(Kind::Position, 15, "whole-statement", 0);
        } else if matches!(self.kind(1), Some(T::Word(W::Logic | W::Union))) {
            self.note(Kind::Position, 5, "after-word", 0);
        }
    }

    /// True when it ends with what gets rid of the rest of a statement.
    fn is_cut_off(&self) -> bool {
        matches!(
            self.tokens.last().map(|token| token.kind),
            Some(T::DashComment | T::HashComment | T::OpenComment | T::Semicolon)
        )
    }

    /// How it gets rid of what follows.
    fn ending(&mut self) {
        let Some(last) = self.tokens.len().checked_sub(1) else {
            return;
        };
        let Some(end) = self.tokens.last().map(|token| token.end) else {
            return;
        };
        if end < self.value.lower.trim_ascii_end().len() {
            return;
        }
        match (self.kind(last), self.entry) {
            (Some(T::DashComment | T::HashComment | T::OpenComment), _) => {
                self.note(Kind::Terminator, 20, "comment", last);
            }
            (Some(T::Semicolon), _) => self.note(Kind::Terminator, 10, "semicolon", last),
            (Some(T::OpenText), Entry::Quote { quote, .. })
                if self.lower(last).first() == Some(&quote) =>
            {
                self.note(Kind::Terminator, 15, "quote-balanced", last);
            }
            _ => {}
        }
    }
}

/// Characters of a hex literal that hides text instead of being a number.
const HEX_BYTES: usize = 8;
