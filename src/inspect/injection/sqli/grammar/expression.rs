//! Expressions without comparison: operands, calls, arithmetic.

use super::super::token::Kind as T;
use super::super::words::Word as W;
use super::Reading;

/// What an operand is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Operand {
    Literal,
    Name,
    Call,
    Subselect,
}

/// An expression without comparison: its sort, the index after it, its first and last token.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expr {
    pub(super) operand: Operand,
    pub(super) first: usize,
    pub(super) next: usize,
    /// It was a string or number alone.
    pub(super) simple: bool,
}

impl Reading<'_> {
    /// An expression without comparison that begins at `index`.
    pub(super) fn expression(&self, index: usize) -> Option<Expr> {
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
    pub(super) fn skip_inline(&self, mut index: usize) -> usize {
        while matches!(self.kind(index), Some(T::BlockComment | T::VersionComment))
            && index + 1 < self.tokens.len()
        {
            index += 1;
        }
        index
    }

    pub(super) fn operand(&self, index: usize) -> Option<Expr> {
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
    pub(super) fn call_end(&self, open: usize) -> usize {
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

    pub(super) fn case_end(&self, at: usize) -> usize {
        (at + 1..self.tokens.len().min(at + CALL_TOKENS))
            .find(|index| self.lower(*index) == b"end")
            .map_or(self.tokens.len(), |index| index + 1)
    }
}

/// Tokens of a call and links of an expression that are read before the look gives up: they bound the work when each
/// token begins one.
const CALL_TOKENS: usize = 64;
const EXPRESSION_LINKS: usize = 16;
