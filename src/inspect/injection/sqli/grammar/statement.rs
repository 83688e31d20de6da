//! Clauses, statements and calls that only SQL has.

use super::super::super::Kind;
use super::super::token::Kind as T;
use super::super::words::Word as W;
use super::expression::Operand;
use super::{Entry, Reading};

impl Reading<'_> {
    pub(super) fn union(&mut self, index: usize) {
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
    pub(super) fn select_item(&self, index: usize) -> bool {
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
                matches!(
                    after,
                    Some(T::Comma | T::Open | T::Dot | T::Pipes | T::Word(W::From))
                )
            }
            _ => false,
        }
    }

    pub(super) fn select(&mut self, index: usize) {
        let mut first = self.skip_comments(index + 1);
        if self.is_word(first, W::Quantifier) || self.is_word(first, W::Limit) {
            first = self.skip_comments(first + 1);
        }
        let nested = index > 0 && self.kind(index - 1) == Some(T::Open);
        if !self.select_item(first) {
            return;
        }
        let list = self.select_list(first);
        let (mut weight, name): (u8, _) = match list.from {
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
        // A value that is one whole query breaks out of nothing.
        if index == 0 && self.entry == Entry::Bare && !self.is_cut_off() {
            weight = weight.saturating_sub(15);
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
    pub(super) fn table_at(&self, index: usize) -> bool {
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

    pub(super) fn clause_after_table(&self, index: usize) -> bool {
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

    pub(super) fn sorting(&mut self, index: usize) {
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

    pub(super) fn danger(&mut self, index: usize) {
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
        if weight >= CALL_WEIGHT && self.asked_for(index) {
            self.note(Kind::Structure, 20, "call-in-query", index);
        }
    }

    /// True for a call that a query makes: `select sleep(5)`, `if(1=1,sleep(5),0)`. A program's `if (x) sleep(5)` is none.
    fn asked_for(&self, index: usize) -> bool {
        let before = index.checked_sub(1).and_then(|before| self.kind(before));
        let chosen = self.kind(0) == Some(T::Word(W::Case))
            && self.kind(1) == Some(T::Open)
            && before == Some(T::Comma);
        before == Some(T::Word(W::Select)) || chosen
    }

    pub(super) fn comma_inside(&self, open: usize) -> bool {
        (open + 1..open + 6).any(|index| self.kind(index) == Some(T::Comma))
    }

    pub(super) fn function(&mut self, index: usize) {
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

    pub(super) fn system(&mut self, index: usize) {
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

    pub(super) fn command(&mut self, index: usize, word: W) {
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
    pub(super) fn statement(&self, index: usize) -> Option<(u8, &'static str)> {
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
                // `Delete from cart` is what a button says.
                let label = index == 0
                    && table >= self.tokens.len()
                    && self.is_word(next + 1, W::Plain)
                    && self.entry == Entry::Bare;
                ended.then_some((if label { 25 } else { 45 }, "delete"))
            }
            W::Define => self.define(index, next),
            W::Select => self.select_item(next).then_some((45, "select")),
            W::Statement => self.other_statement(index, next),
            _ => None,
        }
    }

    pub(super) fn define(&self, index: usize, next: usize) -> Option<(u8, &'static str)> {
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

    pub(super) fn other_statement(&self, index: usize, next: usize) -> Option<(u8, &'static str)> {
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
    pub(super) fn name_end(&self, index: usize) -> Option<usize> {
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

    pub(super) fn stacked(&mut self, index: usize) {
        let next = self.skip_comments(index + 1);
        if let Some((weight, _)) = self.statement(next) {
            self.note(Kind::Semantics, weight, "stacked-statement", next);
            self.note(Kind::Structure, 15, "stacked", index);
        } else if let Some(T::Word(W::Execute | W::Declare | W::Waitfor | W::Shutdown)) =
            self.kind(next)
        {
            self.note(Kind::Structure, 15, "stacked", index);
        } else if self.is_word(next, W::Set)
            && self.kind(next + 1) == Some(T::Variable)
            && self.kind(next + 2) == Some(T::Compare)
        {
            self.note(Kind::Semantics, 45, "stacked-statement", next);
            self.note(Kind::Structure, 15, "stacked", index);
        }
    }

    pub(super) fn outfile(&mut self, index: usize) {
        if matches!(self.lower(index + 1), b"outfile" | b"dumpfile") {
            self.note(Kind::Semantics, 60, "outfile", index);
        }
    }
}

/// What a list of `select` holds.
struct List {
    sql: bool,
    from: Option<usize>,
}

/// Tokens of a list of `select`: they bound the work when each token begins one.
const LIST_TOKENS: usize = 64;

/// What a call must weigh for its place in a query to count.
const CALL_WEIGHT: u8 = 45;
