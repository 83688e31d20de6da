//! The push tokenizer: no tree, no recursion, no memory but a bit stack.
//!
//! ```text
//!            ┌──────────── `,` ────────────┐
//!            ▼                             │
//!   `{` ─► Key ── string ─► Colon ─ `:` ─► Value ── value ─► After ── `}` ─► After (of the parent) or Done
//!   `[` ─► Item ─────────── value ────────────────────────►  After ── `]` ─► …
//! ```
//!
//! A token that the grammar does not allow in a state is a [`Fault`]; the state then moves on as if what is missing had
//! been there, so that every byte of a broken text still reaches the sink, in a string, a scalar or a mark. What is
//! inside a string (its escapes, its UTF-8) is not looked at here: that is `string`'s.

use std::ops::Range;

/// Receives tokens in document order. Offsets count from the first byte of the document.
pub trait Sink {
    /// `{`, `}`, `[`, `]`, `:` or `,` at `at`.
    fn mark(&mut self, mark: Mark, at: u64);
    /// A piece of a string, between its quotes and with its escapes.
    fn string(&mut self, role: Role, fragment: Fragment<'_>);
    /// A piece of a number, a literal or of something that is neither. The kind may change to [`Scalar::Other`] between
    /// the fragments of one token; that of the last fragment holds.
    fn scalar(&mut self, role: Role, scalar: Scalar, fragment: Fragment<'_>);
    /// The text is not RFC 8259 at `at`; reading goes on.
    fn fault(&mut self, fault: Fault, at: u64);
}

/// A structural character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mark {
    /// `{`
    OpenObject,
    /// `}`
    CloseObject,
    /// `[`
    OpenArray,
    /// `]`
    CloseArray,
    /// `:`
    Colon,
    /// `,`
    Comma,
}

/// What a token stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// A member name.
    Key,
    /// A value.
    Value,
    /// Neither: a comment.
    Comment,
}

/// What a token without quotes is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scalar {
    /// A number.
    Number,
    /// `true`, `false`, `null`.
    Literal,
    /// Anything else: bare words, comments. Always a [`Fault`] as well.
    Other,
}

/// Raw bytes of a token, as many as one window held. A token that lies in one window comes as one fragment that is
/// first and last; the last fragment of one that does not may be empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// Raw bytes. An escape or a character may be cut at the edge of a window.
    pub raw: &'a [u8],
    /// Offset of the first of them.
    pub at: u64,
    /// Begins the token.
    pub first: bool,
    /// Ends the token.
    pub last: bool,
    /// A backslash is among the bytes, or one in the window before escapes the first of them.
    pub escaped: bool,
    /// All bytes are ASCII. (May be false for a fragment that is.)
    pub ascii: bool,
}

/// How a text breaks RFC 8259.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// No value at all (§2).
    Empty,
    /// A second value or a stray mark after the end of the first, on the same line (§2).
    Trailing,
    /// A second value on a later line: NDJSON (§2).
    NextLine,
    /// A record separator of RFC 7464 (§2).
    RecordSeparator,
    /// A value where `:` must stand (§4).
    MissingColon,
    /// A value where `,` must stand (§4, §5).
    MissingComma,
    /// `,` where a value or a name must stand (§4, §5).
    StrayComma,
    /// `,` before a closing bracket (§4, §5).
    TrailingComma,
    /// `:` where none may stand (§4).
    StrayColon,
    /// A member name that is no string (§4).
    BareKey,
    /// A member without a value (§4).
    MissingValue,
    /// A closing bracket that closes nothing (§2).
    Unopened,
    /// `]` for `{` or `}` for `[` (§2).
    Mismatched,
    /// The text ends inside an object or an array (§2).
    Unclosed,
    /// The text ends inside a string or a comment (§7).
    Unterminated,
    /// A control character inside a string (§7).
    ControlCharacter,
    /// A string in apostrophes (§7).
    SingleQuotes,
    /// A comment (§2).
    Comment,
    /// A number that breaks the grammar (§6).
    Number,
    /// A word that is no literal (§3).
    Word,
    /// Deeper than a reader can be trusted to count ([`TRACKED_LEVELS`]).
    Untracked,
}

/// Splits JSON text into tokens.
#[derive(Debug)]
pub struct Tokenizer {
    levels: Levels,
    expect: Expect,
    open: Open,
    /// Offset of the next window's first byte.
    at: u64,
    /// A newline was seen after the last document's end.
    newline: bool,
    started: bool,
}

/// What the grammar allows next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    /// The first value of the text.
    Start,
    /// A name, or `}`.
    FirstKey,
    /// A name.
    NextKey,
    /// `:`
    Colon,
    /// The value of a member.
    Value,
    /// A value, or `]`.
    FirstItem,
    /// A value.
    NextItem,
    /// `,` or a closing bracket.
    After,
    /// The end.
    Done,
}

/// The token that the last window ended in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    None,
    /// Bytes of a byte order mark that were seen.
    Bom(u8),
    Text(Text),
    Number(Number, Role, Lead),
    Literal(Word, Role, Lead),
    Other(Role, Lead),
    /// `/` seen.
    Slash,
    /// `//` or `#` seen.
    LineComment(Lead),
    /// `/*` seen; true after a `*`.
    BlockComment(Star, Lead),
}

/// Whether a fragment of the open token was handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lead {
    First,
    Later,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Star {
    No,
    Yes,
}

/// An open string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Text {
    role: Role,
    quote: u8,
    lead: Lead,
    /// The last window ended in a backslash.
    backslash: bool,
}

/// How much of `true`, `false` or `null` was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Word {
    rest: &'static [u8],
}

/// Where in the grammar of §6 a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Number {
    Sign,
    Zero,
    Integer,
    Point,
    Fraction,
    Exponent,
    ExponentSign,
    ExponentDigits,
    Wrong,
}

impl Tokenizer {
    /// At the beginning of a document.
    pub fn new() -> Self {
        Self {
            levels: Levels::default(),
            expect: Expect::Start,
            open: Open::Bom(0),
            at: 0,
            newline: false,
            started: false,
        }
    }

    /// Begins a new document; keeps memory.
    pub fn reset(&mut self) {
        self.levels.clear();
        self.expect = Expect::Start;
        self.open = Open::Bom(0);
        self.at = 0;
        self.newline = false;
        self.started = false;
    }

    /// Offset of the first byte that was read and is in no fragment yet: what it begins is not known. `None` when there
    /// is none.
    pub fn withheld(&self) -> Option<u64> {
        match self.open {
            Open::Slash => Some(self.at.saturating_sub(1)),
            Open::Bom(seen) if seen > 0 => Some(self.at.saturating_sub(u64::from(seen))),
            _ => None,
        }
    }

    /// Levels that are open.
    pub fn depth(&self) -> u64 {
        self.levels.depth
    }

    /// Reads one window, of any size.
    pub fn push<S: Sink + ?Sized>(&mut self, window: &[u8], sink: &mut S) {
        let mut pos = 0;
        if self.open != Open::None {
            pos = self.resume(window, sink);
        }
        while let Some(&byte) = window.get(pos) {
            pos = match byte {
                b'"' => self.begin_text(b'"', window, pos, sink),
                b' ' | b'\n' | b'\r' | b'\t' => self.blank(window, pos),
                b',' => self.comma(pos, sink),
                b':' => self.colon(pos, sink),
                b'{' => self.begin(Shape::Object, pos, sink),
                b'[' => self.begin(Shape::Array, pos, sink),
                b'}' => self.end(Shape::Object, pos, sink),
                b']' => self.end(Shape::Array, pos, sink),
                b'-' | b'0'..=b'9' => {
                    let role = self.place(Token::Scalar, self.offset(pos), sink);
                    let number = Number::first(byte);
                    self.number((number, role, Lead::First), window, pos, pos + 1, sink)
                }
                b't' => self.begin_literal(b"rue", window, pos, sink),
                b'f' => self.begin_literal(b"alse", window, pos, sink),
                b'n' => self.begin_literal(b"ull", window, pos, sink),
                b'\'' => {
                    sink.fault(Fault::SingleQuotes, self.offset(pos));
                    self.begin_text(b'\'', window, pos, sink)
                }
                b'/' => self.slash(window, pos, sink),
                b'#' => {
                    sink.fault(Fault::Comment, self.offset(pos));
                    self.line_comment(Lead::First, window, pos, sink)
                }
                RECORD_SEPARATOR if self.levels.depth == 0 => {
                    sink.fault(Fault::RecordSeparator, self.offset(pos));
                    self.newline = true;
                    pos + 1
                }
                _ => {
                    let role = self.place(Token::Scalar, self.offset(pos), sink);
                    sink.fault(Fault::Word, self.offset(pos));
                    self.other((role, Lead::First), window, pos, sink)
                }
            };
        }
        self.at += window.len() as u64;
    }

    /// Ends the document.
    pub fn finish<S: Sink + ?Sized>(&mut self, sink: &mut S) {
        self.end_open(sink);
        if self.levels.depth > 0 {
            sink.fault(Fault::Unclosed, self.at);
        } else if !self.started {
            sink.fault(Fault::Empty, self.at);
        }
        self.levels.clear();
        self.expect = Expect::Done;
    }

    fn offset(&self, pos: usize) -> u64 {
        self.at + pos as u64
    }
}

impl Default for Tokenizer {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether a token could be a member name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Token {
    Text,
    Scalar,
    Container,
}

/// The grammar between tokens.
impl Tokenizer {
    /// A token that is or begins a value or a name stands at `at`: finds its role and moves on.
    #[inline(always)]
    fn place<S: Sink + ?Sized>(&mut self, token: Token, at: u64, sink: &mut S) -> Role {
        match self.expect {
            Expect::Value | Expect::FirstItem | Expect::NextItem => {}
            Expect::FirstKey | Expect::NextKey => return self.place_key(token, at, sink),
            Expect::Start => self.started = true,
            Expect::Colon => sink.fault(Fault::MissingColon, at),
            Expect::After => {
                sink.fault(Fault::MissingComma, at);
                if self.levels.top() == Some(Shape::Object) {
                    return self.place_key(token, at, sink);
                }
            }
            Expect::Done => {
                let fault = if self.newline {
                    Fault::NextLine
                } else {
                    Fault::Trailing
                };
                sink.fault(fault, at);
                self.newline = false;
            }
        }
        if token != Token::Container {
            self.expect = self.after();
        }
        Role::Value
    }

    fn place_key<S: Sink + ?Sized>(&mut self, token: Token, at: u64, sink: &mut S) -> Role {
        match token {
            Token::Text => {}
            Token::Scalar => sink.fault(Fault::BareKey, at),
            Token::Container => {
                sink.fault(Fault::BareKey, at);
                return Role::Value;
            }
        }
        self.expect = Expect::Colon;
        Role::Key
    }

    #[inline]
    fn after(&self) -> Expect {
        if self.levels.depth == 0 {
            Expect::Done
        } else {
            Expect::After
        }
    }

    #[inline]
    fn begin<S: Sink + ?Sized>(&mut self, shape: Shape, pos: usize, sink: &mut S) -> usize {
        self.place(Token::Container, self.offset(pos), sink);
        if !self.levels.push(shape) {
            sink.fault(Fault::Untracked, self.offset(pos));
        }
        let (mark, expect) = match shape {
            Shape::Object => (Mark::OpenObject, Expect::FirstKey),
            Shape::Array => (Mark::OpenArray, Expect::FirstItem),
        };
        self.expect = expect;
        sink.mark(mark, self.offset(pos));
        pos + 1
    }

    #[inline]
    fn end<S: Sink + ?Sized>(&mut self, shape: Shape, pos: usize, sink: &mut S) -> usize {
        let at = self.offset(pos);
        match self.expect {
            Expect::After | Expect::FirstKey | Expect::FirstItem => {}
            Expect::NextKey | Expect::NextItem => sink.fault(Fault::TrailingComma, at),
            Expect::Colon => sink.fault(Fault::MissingColon, at),
            Expect::Value => sink.fault(Fault::MissingValue, at),
            Expect::Start | Expect::Done => {}
        }
        let mark = match shape {
            Shape::Object => Mark::CloseObject,
            Shape::Array => Mark::CloseArray,
        };
        match self.levels.pop() {
            None => {
                self.started = true;
                sink.fault(Fault::Unopened, at);
            }
            Some(Some(open)) if open != shape => sink.fault(Fault::Mismatched, at),
            Some(_) => {}
        }
        self.expect = self.after();
        sink.mark(mark, at);
        pos + 1
    }

    #[inline(always)]
    fn comma<S: Sink + ?Sized>(&mut self, pos: usize, sink: &mut S) -> usize {
        let at = self.offset(pos);
        match self.expect {
            Expect::After => {}
            Expect::Start | Expect::Done => sink.fault(Fault::Trailing, at),
            Expect::Colon | Expect::Value => sink.fault(Fault::MissingValue, at),
            Expect::FirstKey | Expect::NextKey | Expect::FirstItem | Expect::NextItem => {
                sink.fault(Fault::StrayComma, at);
            }
        }
        self.expect = match self.levels.top() {
            Some(Shape::Object) => Expect::NextKey,
            Some(Shape::Array) => Expect::NextItem,
            None => self.expect,
        };
        sink.mark(Mark::Comma, at);
        pos + 1
    }

    #[inline]
    fn colon<S: Sink + ?Sized>(&mut self, pos: usize, sink: &mut S) -> usize {
        let at = self.offset(pos);
        if self.expect != Expect::Colon {
            sink.fault(Fault::StrayColon, at);
        }
        self.expect = match self.levels.top() {
            Some(Shape::Object) => Expect::Value,
            Some(Shape::Array) => Expect::NextItem,
            None => self.expect,
        };
        sink.mark(Mark::Colon, at);
        pos + 1
    }

    #[inline]
    fn blank(&mut self, window: &[u8], pos: usize) -> usize {
        let rest = window.get(pos..).unwrap_or_default();
        let len = blank_len(rest);
        if self.expect == Expect::Done && !self.newline {
            self.newline = memchr::memchr(b'\n', rest.get(..len).unwrap_or_default()).is_some();
        }
        pos + len
    }
}

/// Tokens.
impl Tokenizer {
    /// Goes on with the token that the last window ended in.
    fn resume<S: Sink + ?Sized>(&mut self, window: &[u8], sink: &mut S) -> usize {
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

    fn end_open<S: Sink + ?Sized>(&mut self, sink: &mut S) {
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
    fn begin_text<S: Sink + ?Sized>(
        &mut self,
        quote: u8,
        window: &[u8],
        pos: usize,
        sink: &mut S,
    ) -> usize {
        let role = match self.expect {
            Expect::FirstKey | Expect::NextKey => {
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
            (Role::Value, Some(b',')) => self.comma(pos, sink),
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
    fn number<S: Sink + ?Sized>(
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
    fn begin_literal<S: Sink + ?Sized>(
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
    fn other<S: Sink + ?Sized>(
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
    fn slash<S: Sink + ?Sized>(&mut self, window: &[u8], pos: usize, sink: &mut S) -> usize {
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

    fn line_comment<S: Sink + ?Sized>(
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
    fn first(byte: u8) -> Self {
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

/// The shapes of the open objects and arrays, one bit each.
#[derive(Debug, Default)]
struct Levels {
    bits: Vec<u64>,
    depth: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Object,
    Array,
}

impl Levels {
    fn clear(&mut self) {
        self.bits.clear();
        self.depth = 0;
    }

    /// False when the level is too deep for its shape to be kept.
    #[inline]
    fn push(&mut self, shape: Shape) -> bool {
        let index = self.depth;
        self.depth += 1;
        let Some((word, bit)) = Self::place(index) else {
            return false;
        };
        if word == self.bits.len() {
            self.bits.push(0);
        }
        if let Some(bits) = self.bits.get_mut(word) {
            match shape {
                Shape::Object => *bits |= bit,
                Shape::Array => *bits &= !bit,
            }
        }
        true
    }

    /// None when nothing is open, `Some(None)` when the shape was not kept.
    #[inline]
    fn pop(&mut self) -> Option<Option<Shape>> {
        let index = self.depth.checked_sub(1)?;
        self.depth = index;
        Some(self.shape(index))
    }

    /// The innermost open shape; one that was not kept counts as an array.
    #[inline]
    fn top(&self) -> Option<Shape> {
        let index = self.depth.checked_sub(1)?;
        Some(self.shape(index).unwrap_or(Shape::Array))
    }

    #[inline]
    fn shape(&self, index: u64) -> Option<Shape> {
        let (word, bit) = Self::place(index)?;
        let bits = self.bits.get(word)?;
        Some(if bits & bit == 0 {
            Shape::Array
        } else {
            Shape::Object
        })
    }

    #[inline]
    fn place(index: u64) -> Option<(usize, u64)> {
        if index >= TRACKED_LEVELS {
            return None;
        }
        let word = usize::try_from(index / 64).ok()?;
        Some((word, 1 << (index % 64)))
    }
}

/// True for bytes that end a number or a literal.
#[inline]
fn ends_scalar(byte: u8) -> bool {
    matches!(
        byte,
        b' ' | b'\n' | b'\r' | b'\t' | b',' | b':' | b'[' | b']' | b'{' | b'}' | b'"'
    )
}

/// True for bytes that end a bare word.
fn ends_word(byte: u8) -> bool {
    !matches!(byte, b' ' | b'\t') && ends_scalar(byte)
}

/// Length of the run of blanks at the front; indentation goes by eight bytes at a time.
#[inline]
fn blank_len(bytes: &[u8]) -> usize {
    let mut len = 0;
    let mut rest = bytes;
    while let [b' ' | b'\n' | b'\r' | b'\t', later @ ..] = rest {
        len += 1;
        rest = later;
        while let Some((spaces, later)) = rest.split_first_chunk::<8>() {
            if *spaces != [b' '; 8] {
                break;
            }
            len += 8;
            rest = later;
        }
    }
    len
}

/// Length of the run at the front without quote, backslash and control characters; `high` gathers the top bits of what
/// was looked at. Eight bytes at a time (SWAR): the lowest byte that a zero-byte test marks is always a true one.
#[inline(always)]
fn plain_len(bytes: &[u8], quotes: u64, high: &mut u64) -> usize {
    let mut len = 0;
    let mut rest = bytes;
    while let Some((chunk, later)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*chunk);
        let quote = word ^ quotes;
        let backslash = word ^ (LOW * 0x5c);
        let hit = (quote.wrapping_sub(LOW) & !quote
            | backslash.wrapping_sub(LOW) & !backslash
            | word.wrapping_sub(LOW * 0x20) & !word)
            & HIGH;
        *high |= word;
        if hit != 0 {
            return len + (hit.trailing_zeros() / 8) as usize;
        }
        len += 8;
        rest = later;
    }
    let [quote, ..] = quotes.to_le_bytes();
    for &byte in rest {
        if byte == quote || byte == b'\\' || byte < 0x20 {
            break;
        }
        *high |= u64::from(byte);
        len += 1;
    }
    len
}

/// Levels whose shape is kept; deeper ones are only counted. 8 KiB of bits, and far above any limit on depth.
pub const TRACKED_LEVELS: u64 = 65_536;

const BOM: [u8; 3] = [0xef, 0xbb, 0xbf];
const RECORD_SEPARATOR: u8 = 0x1e;
const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;
