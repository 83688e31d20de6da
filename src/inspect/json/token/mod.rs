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
//!
//! `lexeme` reads the tokens, `bytes` passes over what is plain in them, `levels` knows which brackets are open; here is what may follow what.

mod bytes;
mod levels;
mod lexeme;

use bytes::blank_len;
pub use levels::TRACKED_LEVELS;
use levels::{Levels, Shape};

/// Receives tokens in document order. Offsets count from the first byte of the document.
pub trait Sink {
    /// `{`, `}`, `[`, `]`, `:` or `,` at `at`.
    fn mark(&mut self, mark: Mark, at: u64);
    /// A member name begins at `at`, the front of `text`, with its quote. How long it is, when the sink knows what comes, to
    /// the colon right behind the name, and has taken it: it is handed out no more.
    #[inline]
    fn foresaw(&mut self, text: &[u8], at: u64) -> Option<usize> {
        let _ = (text, at);
        None
    }
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
                b',' => self.comma_blank(window, pos, sink),
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

    /// A comma and the space that most writers put behind it.
    #[inline(always)]
    fn comma_blank<S: Sink + ?Sized>(&mut self, window: &[u8], pos: usize, sink: &mut S) -> usize {
        let pos = self.comma(pos, sink);
        pos + usize::from(window.get(pos) == Some(&b' '))
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

const RECORD_SEPARATOR: u8 = 0x1e;
