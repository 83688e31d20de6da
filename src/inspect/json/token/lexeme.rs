//! The tokens themselves: strings, numbers, literal names, and what is none of them (RFC 8259 §3, §6, §7).
//!
//! Each is read as far as the window holds it; [`Open`] remembers the rest. What goes on between them is the grammar's.

use std::ops::Range;

use super::bytes::{HIGH, LOW, ends_scalar, ends_word, plain_len};
use super::{
    Expect, Fault, Fragment, Lead, Mark, Number, Open, Role, Scalar, Sink, Star, Text, Token,
    Tokenizer, Word,
};

impl Tokenizer {
    /// Goes on with the token that the last window ended in.
    pub(super) fn resume<S: Sink + ?Sized>(&mut self, window: &[u8], sink: &mut S) -> usize {
        match self.open {
            Open::None => 0,
            Open::Bom(seen) => self.bom(seen, window, sink),
            Open::Text(text) => self.text(text, window, 0, sink),
            Open::Number(number, role, lead) => {
                self.number((number, role, lead), window, 0, 0, sink)
            }
            Open::Literal(word, role, lead) => self.literal((word, role, lead), window, 0, 0, sink),
            Open::Other(role, lead) => self.other((role, lead), window, 0, sink),
            Open::Slash => self.after_slash(window, sink),
            Open::LineComment(lead) => self.line_comment(lead, window, 0, sink),
            Open::BlockComment(star, lead) => self.block_comment((star, lead), window, 0, 0, sink),
        }
    }

    pub(super) fn end_open<S: Sink + ?Sized>(&mut self, sink: &mut S) {
        let (scalar, role, lead) = match self.open {
            Open::None => return,
            Open::Bom(seen) => {
                self.open = Open::None;
                if seen > 0 {
                    self.partial_bom(seen, sink);
                    self.end_open(sink);
                }
                return;
            }
            Open::Text(text) => {
                sink.fault(Fault::Unterminated, self.at);
                sink.string(text.role, self.tail(text.lead));
                self.open = Open::None;
                return;
            }
            Open::Number(number, role, lead) => {
                if !number.is_whole() {
                    sink.fault(Fault::Number, self.at);
                }
                (Scalar::Number, role, lead)
            }
            Open::Literal(word, role, lead) => {
                if !word.rest.is_empty() {
                    sink.fault(Fault::Word, self.at);
                }
                (Scalar::Literal, role, lead)
            }
            Open::Other(role, lead) => (Scalar::Other, role, lead),
            Open::Slash => {
                self.open = Open::None;
                let at = self.at.saturating_sub(1);
                let role = self.place(Token::Scalar, at, sink);
                sink.fault(Fault::Word, at);
                let whole = Fragment {
                    raw: b"/",
                    at,
                    ..self.tail(Lead::First)
                };
                sink.scalar(role, Scalar::Other, whole);
                return;
            }
            Open::LineComment(lead) => (Scalar::Other, Role::Comment, lead),
            Open::BlockComment(_, lead) => {
                sink.fault(Fault::Unterminated, self.at);
                (Scalar::Other, Role::Comment, lead)
            }
        };
        self.open = Open::None;
        sink.scalar(role, scalar, self.tail(lead));
    }

    /// The empty last fragment of a token that the text ends in.
    fn tail(&self, lead: Lead) -> Fragment<'static> {
        Fragment {
            raw: b"",
            at: self.at,
            first: lead == Lead::First,
            last: true,
            escaped: false,
            ascii: true,
        }
    }

    /// RFC 8259 §8.1: a parser may ignore a byte order mark.
    fn bom<S: Sink + ?Sized>(&mut self, seen: u8, window: &[u8], sink: &mut S) -> usize {
        let mut seen = seen;
        for (pos, &byte) in window.iter().enumerate() {
            match BOM.get(usize::from(seen)) {
                Some(&expected) if expected == byte => seen += 1,
                Some(_) if seen > 0 => {
                    let role = self.partial_bom(seen, sink);
                    return self.other((role, Lead::Later), window, pos, sink);
                }
                Some(_) | None => {
                    self.open = Open::None;
                    return pos;
                }
            }
        }
        self.open = if usize::from(seen) == BOM.len() {
            Open::None
        } else {
            Open::Bom(seen)
        };
        window.len()
    }

    /// What looked like a byte order mark is a bare word.
    fn partial_bom<S: Sink + ?Sized>(&mut self, seen: u8, sink: &mut S) -> Role {
        let role = self.place(Token::Scalar, 0, sink);
        sink.fault(Fault::Word, 0);
        sink.scalar(
            role,
            Scalar::Other,
            Fragment {
                raw: BOM.get(..usize::from(seen)).unwrap_or_default(),
                at: 0,
                first: true,
                last: false,
                escaped: false,
                ascii: false,
            },
        );
        self.open = Open::Other(role, Lead::Later);
        role
    }

    #[inline(always)]
    pub(super) fn begin_text<S: Sink + ?Sized>(
        &mut self,
        quote: u8,
        window: &[u8],
        pos: usize,
        sink: &mut S,
    ) -> usize {
        let role = match self.expect {
            Expect::FirstKey | Expect::NextKey => {
                let text = window.get(pos..).unwrap_or_default();
                if let Some(length) = sink.foresaw(text, self.offset(pos)) {
                    return self.behind(Role::Key, window, pos + length + 2, sink);
                }
                self.expect = Expect::Colon;
                Role::Key
            }
            Expect::Value | Expect::FirstItem | Expect::NextItem => {
                self.expect = self.after();
                Role::Value
            }
            _ => self.place(Token::Text, self.offset(pos), sink),
        };
        let (start, mut high) = (pos + 1, 0);
        let rest = window.get(start..).unwrap_or_default();
        let len = plain_len(rest, LOW * u64::from(quote), &mut high);
        if rest.get(len) == Some(&quote) {
            // Most strings: no escape in them, and all in this window.
            let fragment = Fragment {
                raw: rest.get(..len).unwrap_or_default(),
                at: self.offset(start),
                first: true,
                last: true,
                escaped: false,
                ascii: high & HIGH == 0,
            };
            sink.string(role, fragment);
            return self.behind(role, window, start + len + 1, sink);
        }
        let text = Text {
            role,
            quote,
            lead: Lead::First,
            backslash: false,
        };
        self.text(text, window, pos + 1, sink)
    }

    /// Reads the mark right behind a name or a value, if it is the one that belongs there.
    #[inline(always)]
    fn behind<S: Sink + ?Sized>(
        &mut self,
        role: Role,
        window: &[u8],
        pos: usize,
        sink: &mut S,
    ) -> usize {
        match (role, window.get(pos)) {
            (Role::Key, Some(b':')) => {
                self.expect = Expect::Value;
                sink.mark(Mark::Colon, self.offset(pos));
                pos + 1 + usize::from(window.get(pos + 1) == Some(&b' '))
            }
            (Role::Value, Some(b',')) => self.comma_blank(window, pos, sink),
            _ => pos,
        }
    }

    fn text<S: Sink + ?Sized>(
        &mut self,
        text: Text,
        window: &[u8],
        start: usize,
        sink: &mut S,
    ) -> usize {
        let mut pos = start;
        let mut high = 0;
        let mut escaped = text.backslash;
        if text.backslash && pos < window.len() {
            pos += 1;
            // The escaped byte may be the first of a character.
            high = HIGH;
        }
        let pending = text.backslash && pos == start;
        let quotes = LOW * u64::from(text.quote);
        let (end, backslash) = loop {
            pos += plain_len(window.get(pos..).unwrap_or_default(), quotes, &mut high);
            match window.get(pos) {
                None => break (None, pending),
                Some(b'\\') => {
                    escaped = true;
                    if pos + 1 == window.len() {
                        pos += 1;
                        break (None, true);
                    }
                    high |= HIGH & u64::from(window.get(pos + 1).copied().unwrap_or(0));
                    pos += 2;
                }
                Some(&byte) if byte == text.quote => break (Some(pos), false),
                Some(&byte) if byte < 0x20 => {
                    sink.fault(Fault::ControlCharacter, self.offset(pos));
                    pos += 1;
                }
                Some(_) => pos += 1,
            }
        };
        let last = end.is_some();
        let raw = window.get(start..pos).unwrap_or_default();
        if last || !raw.is_empty() {
            let fragment = Fragment {
                raw,
                at: self.offset(start),
                first: text.lead == Lead::First,
                last,
                escaped,
                ascii: high & HIGH == 0,
            };
            sink.string(text.role, fragment);
        }
        if last {
            self.open = Open::None;
            return pos + 1;
        }
        self.open = Open::Text(Text {
            lead: if raw.is_empty() {
                text.lead
            } else {
                Lead::Later
            },
            backslash,
            ..text
        });
        window.len()
    }

    #[inline]
    pub(super) fn number<S: Sink + ?Sized>(
        &mut self,
        (number, role, lead): (Number, Role, Lead),
        window: &[u8],
        start: usize,
        from: usize,
        sink: &mut S,
    ) -> usize {
        let mut number = number;
        let mut pos = from;
        if number == Number::Integer {
            // More digits change nothing.
            let digits = window.get(pos..).unwrap_or_default().iter();
            pos += digits.take_while(|byte| byte.is_ascii_digit()).count();
        }
        while let Some(&byte) = window.get(pos) {
            if ends_scalar(byte) {
                if !number.is_whole() {
                    sink.fault(Fault::Number, self.offset(pos));
                }
                self.scalar((Scalar::Number, role, lead), window, start..pos, sink);
                return pos;
            }
            number = number.next(byte);
            pos += 1;
        }
        let lead = self.scalar_piece((Scalar::Number, role, lead), window, start, sink);
        self.open = Open::Number(number, role, lead);
        window.len()
    }

    #[inline]
    pub(super) fn begin_literal<S: Sink + ?Sized>(
        &mut self,
        rest: &'static [u8],
        window: &[u8],
        pos: usize,
        sink: &mut S,
    ) -> usize {
        let role = self.place(Token::Scalar, self.offset(pos), sink);
        self.literal(
            (Word { rest }, role, Lead::First),
            window,
            pos,
            pos + 1,
            sink,
        )
    }

    #[inline]
    fn literal<S: Sink + ?Sized>(
        &mut self,
        (word, role, lead): (Word, Role, Lead),
        window: &[u8],
        start: usize,
        from: usize,
        sink: &mut S,
    ) -> usize {
        let mut rest = word.rest;
        let mut pos = from;
        while let Some(&byte) = window.get(pos) {
            match rest.split_first() {
                Some((&expected, later)) if expected == byte => rest = later,
                None if ends_scalar(byte) => {
                    self.scalar((Scalar::Literal, role, lead), window, start..pos, sink);
                    return pos;
                }
                _ => {
                    sink.fault(Fault::Word, self.offset(pos));
                    return self.other((role, lead), window, start, sink);
                }
            }
            pos += 1;
        }
        let lead = self.scalar_piece((Scalar::Literal, role, lead), window, start, sink);
        self.open = Open::Literal(Word { rest }, role, lead);
        window.len()
    }

    /// A bare word runs over blanks to the end of the line or the next mark or quote: `' or 1=1 --` stays one value.
    pub(super) fn other<S: Sink + ?Sized>(
        &mut self,
        (role, lead): (Role, Lead),
        window: &[u8],
        start: usize,
        sink: &mut S,
    ) -> usize {
        let rest = window.get(start..).unwrap_or_default();
        // The byte that began the word belongs to it, whatever it is.
        let skip = usize::from(lead == Lead::First);
        let len = rest
            .iter()
            .skip(skip)
            .position(|&byte| ends_word(byte))
            .map(|len| len + skip);
        match len {
            Some(len) => {
                let range = start..start + len;
                self.scalar((Scalar::Other, role, lead), window, range, sink);
                start + len
            }
            None => {
                let lead = self.scalar_piece((Scalar::Other, role, lead), window, start, sink);
                self.open = Open::Other(role, lead);
                window.len()
            }
        }
    }

    /// A `/` in this window, at `pos`.
    pub(super) fn slash<S: Sink + ?Sized>(
        &mut self,
        window: &[u8],
        pos: usize,
        sink: &mut S,
    ) -> usize {
        match window.get(pos + 1) {
            None => {
                self.open = Open::Slash;
                window.len()
            }
            Some(b'/') => {
                sink.fault(Fault::Comment, self.offset(pos));
                self.line_comment(Lead::First, window, pos, sink)
            }
            Some(b'*') => {
                sink.fault(Fault::Comment, self.offset(pos));
                self.block_comment((Star::No, Lead::First), window, pos, pos + 2, sink)
            }
            Some(_) => {
                let role = self.place(Token::Scalar, self.offset(pos), sink);
                sink.fault(Fault::Word, self.offset(pos));
                self.other((role, Lead::First), window, pos, sink)
            }
        }
    }

    /// A `/` was the last byte of the window before.
    fn after_slash<S: Sink + ?Sized>(&mut self, window: &[u8], sink: &mut S) -> usize {
        let Some(&next) = window.first() else {
            return 0;
        };
        let at = self.at.saturating_sub(1);
        let role = match next {
            b'/' | b'*' => {
                sink.fault(Fault::Comment, at);
                Role::Comment
            }
            _ => {
                let role = self.place(Token::Scalar, at, sink);
                sink.fault(Fault::Word, at);
                role
            }
        };
        let slash = Fragment {
            raw: b"/",
            at,
            last: false,
            ..self.tail(Lead::First)
        };
        sink.scalar(role, Scalar::Other, slash);
        match next {
            b'/' => self.line_comment(Lead::Later, window, 0, sink),
            b'*' => self.block_comment((Star::No, Lead::Later), window, 0, 1, sink),
            _ => self.other((role, Lead::Later), window, 0, sink),
        }
    }

    pub(super) fn line_comment<S: Sink + ?Sized>(
        &mut self,
        lead: Lead,
        window: &[u8],
        start: usize,
        sink: &mut S,
    ) -> usize {
        let rest = window.get(start..).unwrap_or_default();
        let token = (Scalar::Other, Role::Comment, lead);
        match memchr::memchr2(b'\n', b'\r', rest) {
            Some(len) => {
                self.scalar(token, window, start..start + len, sink);
                start + len
            }
            None => {
                let lead = self.scalar_piece(token, window, start, sink);
                self.open = Open::LineComment(lead);
                window.len()
            }
        }
    }

    fn block_comment<S: Sink + ?Sized>(
        &mut self,
        (star, lead): (Star, Lead),
        window: &[u8],
        start: usize,
        from: usize,
        sink: &mut S,
    ) -> usize {
        let token = (Scalar::Other, Role::Comment, lead);
        let mut star = star;
        for (index, &byte) in window.iter().enumerate().skip(from) {
            if byte == b'/' && star == Star::Yes {
                self.scalar(token, window, start..index + 1, sink);
                return index + 1;
            }
            star = if byte == b'*' { Star::Yes } else { Star::No };
        }
        let lead = self.scalar_piece(token, window, start, sink);
        self.open = Open::BlockComment(star, lead);
        window.len()
    }

    /// Hands out the last fragment of a scalar.
    #[inline(always)]
    fn scalar<S: Sink + ?Sized>(
        &mut self,
        (scalar, role, lead): (Scalar, Role, Lead),
        window: &[u8],
        range: Range<usize>,
        sink: &mut S,
    ) {
        self.open = Open::None;
        let fragment = Fragment {
            raw: window.get(range.clone()).unwrap_or_default(),
            at: self.offset(range.start),
            first: lead == Lead::First,
            last: true,
            escaped: false,
            ascii: false,
        };
        sink.scalar(role, scalar, fragment);
    }

    /// Hands out what the window holds of a scalar that goes on.
    fn scalar_piece<S: Sink + ?Sized>(
        &mut self,
        (scalar, role, lead): (Scalar, Role, Lead),
        window: &[u8],
        start: usize,
        sink: &mut S,
    ) -> Lead {
        let raw = window.get(start..).unwrap_or_default();
        if raw.is_empty() {
            return lead;
        }
        let fragment = Fragment {
            raw,
            at: self.offset(start),
            first: lead == Lead::First,
            last: false,
            escaped: false,
            ascii: false,
        };
        sink.scalar(role, scalar, fragment);
        Lead::Later
    }
}

impl Number {
    pub(super) fn first(byte: u8) -> Self {
        match byte {
            b'-' => Number::Sign,
            b'0' => Number::Zero,
            _ => Number::Integer,
        }
    }

    /// RFC 8259 §6: `[ minus ] int [ frac ] [ exp ]`.
    #[inline]
    fn next(self, byte: u8) -> Self {
        match (self, byte) {
            (Number::Integer | Number::Fraction | Number::ExponentDigits, b'0'..=b'9') => self,
            (Number::Sign, b'0') => Number::Zero,
            (Number::Sign, b'1'..=b'9') => Number::Integer,
            (Number::Zero | Number::Integer, b'.') => Number::Point,
            (Number::Point, b'0'..=b'9') => Number::Fraction,
            (Number::Zero | Number::Integer | Number::Fraction, b'e' | b'E') => Number::Exponent,
            (Number::Exponent, b'+' | b'-') => Number::ExponentSign,
            (Number::Exponent | Number::ExponentSign, b'0'..=b'9') => Number::ExponentDigits,
            _ => Number::Wrong,
        }
    }

    #[inline]
    fn is_whole(self) -> bool {
        matches!(
            self,
            Number::Zero | Number::Integer | Number::Fraction | Number::ExponentDigits
        )
    }
}

const BOM: [u8; 3] = [0xef, 0xbb, 0xbf];
