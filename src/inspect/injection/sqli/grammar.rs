//! What a row of tokens says, were it SQL.

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

/// What an operand is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Operand {
    Literal,
    Name,
    Call,
    Subselect,
}

/// An expression without comparison: its sort, the index after it, its first and last token.
#[derive(Clone, Copy, Debug)]
struct Expr {
    operand: Operand,
    first: usize,
    next: usize,
    /// It was a string or number alone.
    simple: bool,
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

    /// `or 1=1`: a condition after a logical word, whose first token is at `index + 1`.
    fn condition(&mut self, index: usize, weight: u8) {
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
                self.note(Kind::Semantics, 30, "constant-condition", index);
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

    fn condition_at_end(&mut self, index: usize, left: Expr) {
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

    fn comparison(&mut self, index: usize, left: Expr, weight: u8) {
        let mut right_at = self.skip_inline(left.next + 1);
        if matches!(self.kind(right_at), Some(T::Compare | T::Json)) {
            right_at += 1;
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

    fn text_of(&self, expr: Expr) -> &'a [u8] {
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

    fn predicate(&mut self, index: usize, left: Expr, at: usize) {
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

    fn between(&mut self, index: usize, left: Expr) {
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
    fn predicate_at_break(&mut self, index: usize) {
        let right = self.expression(index + 1 + usize::from(self.is_word(index + 1, W::Unary)));
        let simple = right.is_some_and(|right| right.simple || right.operand >= Operand::Call)
            && self.tight();
        if simple && right.is_some_and(|right| self.closes_at(right.next)) {
            self.note(Kind::Semantics, 40, "pattern-condition", index);
        }
    }

    fn closes_at(&self, index: usize) -> bool {
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

    fn union(&mut self, index: usize) {
        let mut next = self.skip_comments(index + 1);
        let plain = next == index + 1;
        while self.is_word(next, W::Quantifier) || self.kind(next) == Some(T::Open) {
            next = self.skip_comments(next + 1);
        }
        if self.is_word(next, W::Select) {
            let item = self.skip_comments(next + 1);
            let listed = self.select_item(item);
            // `Union Select Oak` is a brand; `union select` at the end of a probe is none.
            let weight = if listed || item >= self.tokens.len() || index + 1 < next {
                60
            } else {
                45
            };
            self.note(Kind::Semantics, weight, "union-select", index);
            if listed {
                self.note(Kind::Structure, 20, "select-list", next);
            }
        } else if self.is_word(next, W::Values) && self.kind(next + 1) == Some(T::Open) {
            self.note(Kind::Semantics, 55, "union-values", index);
        } else if self.lower(index) == b"union" && (!plain || index > 0 && self.number_entry()) {
            self.note(Kind::Semantics, 30, "union", index);
        }
    }

    /// True when a list of `select` could begin at `index` with what English would not say.
    fn select_item(&self, index: usize) -> bool {
        let after = self.kind(self.skip_comments(index + 1));
        match self.kind(index) {
            Some(
                T::Number | T::Hex | T::Text | T::OpenText | T::Variable | T::Global | T::Open,
            ) => true,
            Some(T::Operator) => {
                matches!(after, Some(T::Word(W::From) | T::Comma)) || after.is_none()
            }
            Some(T::Word(W::Literal)) => true,
            Some(T::Word(_)) => {
                matches!(after, Some(T::Comma | T::Open | T::Dot | T::Word(W::From)))
            }
            _ => false,
        }
    }

    fn select(&mut self, index: usize) {
        let mut first = self.skip_comments(index + 1);
        if self.is_word(first, W::Quantifier) || self.is_word(first, W::Limit) {
            first = self.skip_comments(first + 1);
        }
        let nested = index > 0 && self.kind(index - 1) == Some(T::Open);
        if !self.select_item(first) {
            return;
        }
        let list = self.select_list(first);
        let (mut weight, name) = match list.from {
            Some(from) if list.sql && self.table_at(from + 1) => (45, "select-from"),
            Some(from) if self.table_at(from + 1) && self.clause_after_table(from + 1) => {
                (40, "select-from")
            }
            Some(_) => (25, "select-from"),
            None if list.sql => (25, "select"),
            None => (10, "select"),
        };
        if nested {
            weight += 10;
            self.note(
                Kind::Structure,
                if list.sql { 20 } else { 10 },
                "subselect",
                index,
            );
        }
        self.note(Kind::Semantics, weight, name, index);
        if let Some(from) = list.from {
            if let Some(T::Word(W::Prize)) = self.kind(from + 1) {
                self.note(Kind::Target, 15, "user-table", from + 1);
            }
            if list.sql || nested {
                self.note(Kind::Structure, 15, "select-list", index);
            }
        }
    }

    /// Reads the list of a `select` up to its `from`.
    fn select_list(&self, first: usize) -> List {
        let mut list = List {
            sql: false,
            from: None,
        };
        let mut depth = 0_usize;
        let mut index = first;
        let mut plain = 0_usize;
        while let Some(kind) = self.kind(index) {
            match kind {
                T::Open => depth += 1,
                T::Close if depth == 0 => break,
                T::Close => depth -= 1,
                T::Word(W::From) if depth == 0 => {
                    list.from = Some(index);
                    break;
                }
                T::Semicolon => break,
                _ => {}
            }
            match kind {
                T::Word(W::Plain) => plain += 1,
                _ => plain = 0,
            }
            // Three names in a row are a sentence.
            if plain >= 3 || index - first > LIST_TOKENS {
                return List {
                    sql: false,
                    from: None,
                };
            }
            list.sql |= matches!(
                kind,
                T::Comma
                    | T::Number
                    | T::Hex
                    | T::Text
                    | T::Variable
                    | T::Global
                    | T::Word(W::Literal)
            ) || matches!(kind, T::Word(_))
                && matches!(self.kind(index + 1), Some(T::Open | T::Dot))
                || kind == T::Operator && matches!(self.kind(index + 1), Some(T::Word(W::From)));
            index += 1;
        }
        list
    }

    /// A name, a bracket or a function stands where a table belongs.
    fn table_at(&self, index: usize) -> bool {
        let index = self.skip_comments(index);
        match self.kind(index) {
            Some(T::Open | T::Word(W::System | W::Prize) | T::Variable) => true,
            Some(T::Word(W::Plain | W::Object | W::Function)) => {
                !matches!(self.kind(index + 1), Some(T::Word(W::Plain)))
                    || matches!(
                        self.kind(index + 2),
                        None | Some(T::Comma | T::Close)
                            | Some(T::Word(W::Condition | W::Sorting | W::Limit))
                    )
            }
            _ => false,
        }
    }

    fn clause_after_table(&self, index: usize) -> bool {
        let mut next = index + 1;
        while self.kind(next) == Some(T::Dot) {
            next += 2;
        }
        matches!(
            self.kind(next),
            None | Some(T::Semicolon | T::DashComment | T::HashComment | T::Close)
                | Some(T::Word(W::Condition | W::Sorting | W::Limit | W::Union))
        )
    }

    fn sorting(&mut self, index: usize) {
        let by = self.skip_comments(index + 1);
        if !self.is_word(by, W::By) {
            return;
        }
        let Some(item) = self.expression(self.skip_comments(by + 1)) else {
            return;
        };
        let ended = matches!(
            self.kind(item.next),
            None | Some(T::DashComment | T::HashComment | T::OpenComment | T::Comma | T::Semicolon)
        );
        if item.operand == Operand::Literal && ended {
            self.note(Kind::Semantics, 40, "column-count", index);
        } else if self.is_word(item.next, W::Having) || self.is_word(item.next, W::Condition) {
            self.note(Kind::Semantics, 35, "group-having", index);
        } else if item.operand >= Operand::Call {
            self.note(Kind::Semantics, 35, "sort-by-expression", index);
        }
    }

    fn danger(&mut self, index: usize) {
        let open = self.skip_comments(index + 1);
        let name = self.lower(index);
        if name.starts_with(b"xp_") || name.starts_with(b"sp_") || name == b"openrowset" {
            self.note(Kind::Semantics, 60, "stored-procedure", index);
            return;
        }
        if name == b"master" {
            if self.kind(index + 1) == Some(T::Dot) && self.kind(index + 2) == Some(T::Dot) {
                self.note(Kind::Target, 40, "master-database", index);
            }
            return;
        }
        if self.kind(open) != Some(T::Open) {
            return;
        }
        let argument = self.kind(open + 1);
        let placeholder = self.lower(open + 1).starts_with(b"_");
        let plain = matches!(
            argument,
            Some(T::Word(W::Plain | W::In | W::From | W::Prize))
        ) && !placeholder
            || argument == Some(T::Close);
        let adjacent = self
            .tokens
            .get(index)
            .zip(self.tokens.get(open))
            .is_some_and(|(word, open)| word.end == open.start);
        let weight = match name {
            b"sleep" if plain => 10,
            b"sleep" => 45,
            b"benchmark" if self.comma_inside(open) => 60,
            b"benchmark" => 10,
            _ if plain && !adjacent => 20,
            _ => 60,
        };
        self.note(Kind::Semantics, weight, "dangerous-call", index);
    }

    fn comma_inside(&self, open: usize) -> bool {
        (open + 1..open + 6).any(|index| self.kind(index) == Some(T::Comma))
    }

    fn function(&mut self, index: usize) {
        let open = self.skip_comments(index + 1);
        if self.kind(open) != Some(T::Open) {
            return;
        }
        let name = self.lower(index);
        // `char(97)+char(98)`: text spelled in numbers.
        if matches!(name, b"char" | b"chr" | b"nchar")
            && matches!(self.kind(open + 1), Some(T::Number | T::Hex))
        {
            self.note(Kind::Evasion, 20, "char-codes", index);
        }
        // A lone call that is not even closed: nothing but the head of an expression.
        if index == 0 && self.tokens.len() == 2 && self.entry == Entry::Bare {
            self.note(Kind::Semantics, 45, "function-head", index);
            self.note(Kind::Structure, 15, "open-end", open);
        }
        if index == 0
            && self.entry == Entry::Bare
            && self.call_end(open) == self.tokens.len()
            && self.tokens.len() >= 6
        {
            self.note(Kind::Structure, 10, "whole-call", index);
        }
        let inner = self.kind(open + 1);
        let telling = matches!(
            name,
            b"version" | b"database" | b"user" | b"current_user" | b"session_user" | b"system_user"
        ) && inner == Some(T::Close)
            || matches!(
                name,
                b"group_concat"
                    | b"json_extract"
                    | b"json_keys"
                    | b"make_set"
                    | b"export_set"
                    | b"aes_decrypt"
                    | b"sqlite_version"
                    | b"unhex"
                    | b"concat_ws"
                    | b"name_const"
                    | b"inet_ntoa"
                    | b"db_name"
                    | b"hextoraw"
                    | b"to_base64"
                    | b"object_id"
            );
        if telling {
            self.note(Kind::Target, 25, "database-function", index);
        } else if matches!(inner, Some(T::Hex | T::Global)) || self.is_word(open + 1, W::Select) {
            self.note(Kind::Target, 15, "function-on-secret", index);
        }
        self.note(Kind::Position, 5, "function", index);
    }

    fn system(&mut self, index: usize) {
        let dotted = self.kind(index + 1) == Some(T::Dot);
        let name = self.lower(index);
        let weight = match name {
            b"sys" | b"dual" | b"schema_name" | b"datadir" | b"xtype" => 10,
            b"table_name" | b"table_schema" => 15,
            _ if dotted || name.contains(&b'_') => 40,
            _ => 30,
        };
        self.note(Kind::Target, weight, "system-table", index);
    }

    fn command(&mut self, index: usize, word: W) {
        let next = self.skip_comments(index + 1);
        let (weight, name) = match (word, self.kind(next)) {
            (W::Waitfor, Some(T::Word(_))) if matches!(self.lower(next), b"delay" | b"time") => {
                let timed = matches!(
                    self.kind(next + 1),
                    Some(T::Text | T::OpenText | T::Variable) | None
                );
                (if timed { 65 } else { 40 }, "time-delay")
            }
            (W::Declare, Some(T::Variable)) => (60, "declare"),
            (W::Execute, Some(T::Word(W::Danger | W::System))) => (60, "execute"),
            (W::Execute, Some(T::Variable)) => (50, "execute"),
            (W::Execute, Some(T::Open))
                if matches!(
                    self.kind(next + 1),
                    Some(T::Text | T::Variable | T::Word(W::Function))
                ) =>
            {
                (45, "execute")
            }
            (W::Execute, Some(T::Word(W::Plain))) if self.lower(next) == b"immediate" => {
                (60, "execute")
            }
            (W::Shutdown, None | Some(T::Semicolon | T::DashComment)) if index > 0 => {
                (45, "shutdown")
            }
            (W::Shutdown, Some(T::Word(W::Plain))) if self.lower(next) == b"with" => {
                (60, "shutdown")
            }
            _ => return,
        };
        self.note(Kind::Semantics, weight, name, index);
    }

    /// A statement that begins at `index`, when it goes on as one.
    fn statement(&self, index: usize) -> Option<(u8, &'static str)> {
        let next = self.skip_comments(index + 1);
        let word = match self.kind(index) {
            Some(T::Word(word)) => word,
            _ => return None,
        };
        match word {
            W::Insert => {
                let into = self
                    .is_word(next, W::Into)
                    .then(|| self.skip_comments(next + 1))?;
                let columns = self.name_end(into)?;
                let list = self.kind(columns) == Some(T::Open);
                let values = self.is_word(columns, W::Values)
                    || self.is_word(columns, W::Select)
                    || self.is_word(columns, W::Set);
                (list || values).then_some((50, "insert"))
            }
            W::Update => {
                let set = self.name_end(next)?;
                let column = self.name_end(set + 1);
                (self.is_word(set, W::Set)
                    && column.is_some_and(|at| self.kind(at) == Some(T::Compare)))
                .then_some((50, "update"))
            }
            W::Delete => {
                let table = self
                    .is_word(next, W::From)
                    .then(|| self.name_end(next + 1))??;
                let ended = self.closes_at(table) || self.is_word(table, W::Condition);
                ended.then_some((45, "delete"))
            }
            W::Define => self.define(index, next),
            W::Select => self.select_item(next).then_some((45, "select")),
            W::Statement => self.other_statement(index, next),
            _ => None,
        }
    }

    fn define(&self, index: usize, next: usize) -> Option<(u8, &'static str)> {
        if !matches!(self.kind(next), Some(T::Word(W::Object | W::Quantifier))) {
            let bare = self.lower(index) == b"truncate" && self.closes_at(self.name_end(next)?);
            return (bare && index > 0).then_some((40, "truncate"));
        }
        let mut name = next + 1;
        while matches!(
            self.kind(name),
            Some(T::Word(W::Case | W::Exists | W::Unary | W::Object))
        ) {
            name += 1;
        }
        let end = self.name_end(name)?;
        let ended = self.closes_at(end)
            || matches!(self.kind(end), Some(T::Open | T::Comma))
            || matches!(
                self.lower(end),
                b"cascade"
                    | b"add"
                    | b"drop"
                    | b"modify"
                    | b"identified"
                    | b"with"
                    | b"as"
                    | b"set"
                    | b"owner"
                    | b"rename"
            );
        ended.then_some((45, "schema-change"))
    }

    fn other_statement(&self, index: usize, next: usize) -> Option<(u8, &'static str)> {
        let follows = self.lower(next);
        let fits = match self.lower(index) {
            b"grant" => matches!(
                follows,
                b"all" | b"select" | b"execute" | b"dba" | b"connect"
            ),
            b"load" => follows == b"data",
            b"copy" => {
                self.kind(next) == Some(T::Open)
                    || self.lower(next + 1) == b"from"
                    || self.lower(next + 1) == b"to"
            }
            b"attach" | b"backup" | b"restore" => follows == b"database",
            b"bulk" => follows == b"insert",
            b"handler" => self.lower(next + 1) == b"open",
            b"show" => matches!(
                follows,
                b"tables" | b"databases" | b"columns" | b"grants" | b"variables" | b"warnings"
            ),
            b"openrowset" => true,
            _ => false,
        };
        fits.then_some((45, "statement"))
    }

    /// The index after a name with dots at `index`.
    fn name_end(&self, index: usize) -> Option<usize> {
        let mut next = self.skip_comments(index);
        loop {
            match self.kind(next) {
                Some(
                    T::Word(W::Plain | W::System | W::Prize | W::Function | W::Object | W::Danger)
                    | T::Variable
                    | T::Text,
                ) => {}
                _ => return None,
            }
            next = self.skip_comments(next + 1);
            if self.kind(next) != Some(T::Dot) {
                return Some(next);
            }
            next += 1;
        }
    }

    fn stacked(&mut self, index: usize) {
        let next = self.skip_comments(index + 1);
        if let Some((weight, _)) = self.statement(next) {
            self.note(Kind::Semantics, weight, "stacked-statement", next);
            self.note(Kind::Structure, 15, "stacked", index);
        } else if let Some(T::Word(W::Execute | W::Declare | W::Waitfor | W::Shutdown)) =
            self.kind(next)
        {
            self.note(Kind::Structure, 15, "stacked", index);
        }
    }

    fn outfile(&mut self, index: usize) {
        if matches!(self.lower(index + 1), b"outfile" | b"dumpfile") {
            self.note(Kind::Semantics, 60, "outfile", index);
        }
    }

    /// `'{"a":1}'::jsonb @> '…'`, `'[1]' ? '1'`.
    fn json_operator(&mut self, index: usize) {
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

    /// `' || '`, `'-'`, `'*1*'`: operators that join the string before the break with the one after it.
    fn splice(&mut self) {
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

    /// `admin'--`, `x') #`: the string ends, and with it the statement.
    fn bare_comment(&mut self) {
        let Entry::Quote { at, .. } = self.entry else {
            return;
        };
        let mut first = 0;
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

    /// True unless the quotes look like quotation marks around words or like inches: a space outside of them, a long
    /// text before, more of them.
    fn tight(&self) -> bool {
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
            && !reopened.first().is_some_and(u8::is_ascii_whitespace)
            && reopened.len() <= HEAD_BYTES
    }

    /// True when the open string at `index` has the quote of the one that was closed.
    fn reopens(&self, index: usize) -> bool {
        matches!(self.entry, Entry::Quote { quote, .. } if self.lower(index).first() == Some(&quote))
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
        let continues = matches!(
            self.kind(self.skip_comments(first)),
            Some(
                T::Pipes
                    | T::Ampersands
                    | T::Semicolon
                    | T::Comma
                    | T::Operator
                    | T::Compare
                    | T::DashComment
                    | T::HashComment
                    | T::OpenComment
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

    /// An expression without comparison that begins at `index`.
    fn expression(&self, index: usize) -> Option<Expr> {
        let mut expr = self.operand(index)?;
        let mut links = 0;
        loop {
            let at = self.skip_inline(expr.next);
            let linked = match self.kind(at) {
                Some(T::Operator | T::Cast | T::Pipes) | Some(T::Word(W::Arithmetic)) => true,
                // The quote of the program stands behind a string without any operator: strings in a row are one.
                Some(T::Text | T::OpenText) => matches!(self.kind(expr.next - 1), Some(T::Text)),
                _ => false,
            };
            links += 1;
            if !linked || links > EXPRESSION_LINKS {
                return Some(expr);
            }
            let from = if matches!(self.kind(at), Some(T::Text | T::OpenText)) {
                at
            } else {
                at + 1
            };
            let Some(more) = self.operand(from) else {
                return Some(expr);
            };
            if self.kind(at) == Some(T::Cast) {
                expr.next = more.next;
                continue;
            }
            expr = Expr {
                operand: expr.operand.max(more.operand),
                first: expr.first,
                next: more.next,
                simple: expr.simple && more.simple,
            };
        }
    }

    /// Comments inside an expression: block comments only, others end it.
    fn skip_inline(&self, mut index: usize) -> usize {
        while matches!(self.kind(index), Some(T::BlockComment | T::VersionComment))
            && index + 1 < self.tokens.len()
        {
            index += 1;
        }
        index
    }

    fn operand(&self, index: usize) -> Option<Expr> {
        let mut at = index;
        let mut open = 0_usize;
        loop {
            match self.kind(at)? {
                T::Open => open += 1,
                T::Operator
                | T::Word(W::Unary | W::Quantifier)
                | T::BlockComment
                | T::VersionComment => {}
                T::HashComment | T::DashComment if at + 1 < self.tokens.len() => {}
                _ => break,
            }
            at += 1;
        }
        let kind = self.kind(at)?;
        let (operand, mut next, simple) = match kind {
            T::Number | T::Hex | T::Text | T::OpenText => (Operand::Literal, at + 1, true),
            T::Word(W::Literal) => (Operand::Literal, at + 1, true),
            T::Word(W::Select) => {
                return Some(Expr {
                    operand: Operand::Subselect,
                    first: at,
                    next: self.tokens.len(),
                    simple: false,
                });
            }
            T::Word(W::Case) => (Operand::Call, self.case_end(at), false),
            T::Word(word) if self.kind(self.skip_inline(at + 1)) == Some(T::Open) => {
                if matches!(word, W::Logic | W::Union | W::Condition | W::From | W::In) {
                    return None;
                }
                (
                    Operand::Call,
                    self.call_end(self.skip_inline(at + 1)),
                    false,
                )
            }
            T::Word(W::Function)
                if matches!(
                    self.lower(at),
                    b"current_date"
                        | b"current_user"
                        | b"current_time"
                        | b"utc_time"
                        | b"utc_date"
                        | b"utc_timestamp"
                        | b"current_timestamp"
                        | b"localtime"
                        | b"sysdate"
                ) =>
            {
                (Operand::Call, at + 1, false)
            }
            T::Word(
                W::Plain
                | W::Prize
                | W::System
                | W::Function
                | W::Object
                | W::Statement
                | W::Sorting
                | W::Limit,
            ) => {
                let mut next = at + 1;
                while self.kind(next) == Some(T::Dot)
                    && matches!(self.kind(next + 1), Some(T::Word(_)))
                {
                    next += 2;
                }
                (Operand::Name, next, false)
            }
            T::Variable | T::Global => (Operand::Call, at + 1, false),
            _ => return None,
        };
        while self.kind(next) == Some(T::Close) {
            next += 1;
            open = open.saturating_sub(1);
        }
        Some(Expr {
            operand,
            first: at,
            next,
            simple,
        })
    }

    /// The index after the bracket that closes the one at `open`; the end, when none does.
    fn call_end(&self, open: usize) -> usize {
        let mut depth = 0_usize;
        for index in open..self.tokens.len().min(open + CALL_TOKENS) {
            match self.kind(index) {
                Some(T::Open) => depth += 1,
                Some(T::Close) => {
                    depth -= 1;
                    if depth == 0 {
                        return index + 1;
                    }
                }
                _ => {}
            }
        }
        self.tokens.len()
    }

    fn case_end(&self, at: usize) -> usize {
        (at + 1..self.tokens.len().min(at + CALL_TOKENS))
            .find(|index| self.lower(*index) == b"end")
            .map_or(self.tokens.len(), |index| index + 1)
    }
}

/// What a list of `select` holds.
struct List {
    sql: bool,
    from: Option<usize>,
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

/// Tokens of a list of `select`, of a call and of an expression that are read before the look gives up: they bound the
/// work when each token begins one.
const LIST_TOKENS: usize = 64;
const CALL_TOKENS: usize = 64;
const EXPRESSION_LINKS: usize = 16;
/// Bytes before and after a spliced string.
const HEAD_BYTES: usize = 32;
/// Tokens of a spliced string.
const SPLICE_TOKENS: usize = 8;
/// Characters of a hex literal that hides text instead of being a number.
const HEX_BYTES: usize = 8;
