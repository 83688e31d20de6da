//! The push tokenizer: tags, text, sections; no tree, no recursion, no names kept.
//!
//! ```text
//!   Text ─ `<` ─► Less ─┬─ name ─► Name ─► Tag ⇄ (AttributeName ─ `=` ─► Equals ─► Value) ─ `>` `/>` ─► Text
//!                       ├─ `/` ──► EndName ─► EndTag ─ `>` ─► Text
//!                       ├─ `?` ──► Target ─► Instruction ─ `?>` ─► Text
//!                       └─ `!` ──► Bang ─┬─ `--` ─► Comment ─ `-->` ─► Text
//!                                        ├─ `[CDATA[` ─► Section ─ `]]>` ─► Text
//!                                        └─ `DOCTYPE` ─► Doctype (`doctype::Extent` finds its end) ─► Text
//! ```
//!
//! What breaks the grammar is a [`Fault`]; reading goes on, and no byte is lost: what fits nowhere is [`Kind::Stray`].
//!
//! `tag` is what stands between `<` and `>`, `section` what ends with a delimiter of its own.

mod section;
mod tag;

use super::doctype::Extent;

/// Receives tokens in document order. Offsets count from the first byte of the document.
pub trait Sink {
    /// A piece of a token.
    fn token(&mut self, kind: Kind, fragment: Fragment<'_>);
    /// A start tag ends at `at` (offset of the first byte behind it).
    fn tag_end(&mut self, tag: TagEnd, at: u64);
    /// The text is not well-formed at `at`; reading goes on.
    fn fault(&mut self, fault: Fault, at: u64);
}

/// How a start tag ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TagEnd {
    /// `>`: content follows.
    Open,
    /// `/>`: the element is empty.
    Empty,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The name in a start tag.
    StartName,
    /// The name of an attribute.
    AttributeName,
    /// An attribute's value, between its quotes.
    Value,
    /// The name in an end tag.
    EndName,
    /// Character data, with its references.
    Text,
    /// The inside of a CDATA section.
    Section,
    /// The inside of a comment.
    Comment,
    /// The target of a processing instruction.
    Target,
    /// The data of a processing instruction.
    Instruction,
    /// What stands between `<!DOCTYPE` and its `>`.
    Doctype,
    /// Bytes in a tag or after `<!` that fit nowhere.
    Stray,
}

/// Raw bytes of a token, as many as one window held. A token that lies in one window comes as one fragment that is
/// first and last; the last fragment of one that does not may be empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// Raw bytes. A reference or a character may be cut at the edge of a window.
    pub raw: &'a [u8],
    /// Offset of the first of them.
    pub at: u64,
    /// Begins the token.
    pub first: bool,
    /// Ends the token.
    pub last: bool,
}

/// How a text breaks XML 1.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// `<` that begins no markup (§2.4).
    Less,
    /// `<!` that begins nothing known (§2.8).
    Declaration,
    /// Bytes in a tag that are neither name nor attribute (§3.1).
    Tag,
    /// An attribute without a value (§3.1).
    Bare,
    /// An attribute value without quotes (§3.1).
    Unquoted,
    /// `<` in an attribute value (§3.1).
    LessInValue,
    /// `--` inside a comment (§2.5).
    DoubleHyphen,
    /// The text ends inside markup.
    Unterminated,
    /// `<?` without a name (§2.6).
    Target,
}

/// Splits XML text into tokens.
#[derive(Debug)]
pub struct Tokenizer {
    state: State,
    /// No fragment of the open token was handed out yet.
    first: bool,
    /// Offset of the next window's first byte.
    at: u64,
    /// The DOCTYPE's own grammar.
    extent: Extent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Text,
    Less,
    /// How many bytes behind `<!` agree with each of the three words.
    Bang(Bang),
    Name,
    Tag,
    /// After `/` in a start tag.
    Slash,
    AttributeName,
    /// After an attribute's name and blanks.
    Named,
    /// After `=`.
    Equals,
    /// The quote, and whether a `<` was met.
    Value(u8, bool),
    Unquoted,
    Stray,
    EndName,
    EndTag,
    EndStray,
    /// Bytes of the closing `--` that were seen.
    Comment(u8),
    /// Bytes of the closing `]]` that were seen.
    Section(u8),
    Target,
    /// True after `?`.
    Instruction(bool),
    Doctype,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bang {
    word: &'static [u8],
    matched: usize,
}

impl Tokenizer {
    /// At the beginning of a document.
    pub fn new() -> Self {
        Self {
            state: State::Text,
            first: true,
            at: 0,
            extent: Extent::default(),
        }
    }

    /// Begins a new document; keeps memory.
    pub fn reset(&mut self) {
        *self = Self::new();
    }

    /// True before the first byte of a document.
    pub fn is_fresh(&self) -> bool {
        self.at == 0
    }

    /// Reads one window, of any size.
    pub fn push<S: Sink + ?Sized>(&mut self, window: &[u8], sink: &mut S) {
        let mut pos = 0;
        while pos < window.len() {
            pos = self.step(window, pos, sink);
        }
        self.at += window.len() as u64;
    }

    /// Ends the document.
    pub fn finish<S: Sink + ?Sized>(&mut self, sink: &mut S) {
        let kind = match self.state {
            State::Text => {
                if !self.first {
                    self.close(Kind::Text, b"", 0, sink);
                }
                return;
            }
            State::Less => {
                sink.fault(Fault::Less, self.at.saturating_sub(1));
                self.state = State::Text;
                self.held(Kind::Text, b"<", 0, 1, sink);
                self.close(Kind::Text, b"", 0, sink);
                return;
            }
            State::Bang(bang) => {
                sink.fault(Fault::Unterminated, self.at);
                let raw = bang.word.get(..bang.matched).unwrap_or_default();
                self.state = State::Text;
                self.lone(Kind::Stray, raw, sink);
                return;
            }
            State::Name => Kind::StartName,
            State::AttributeName => Kind::AttributeName,
            State::Value(..) | State::Unquoted => Kind::Value,
            State::Stray | State::EndStray => Kind::Stray,
            State::EndName => Kind::EndName,
            State::Comment(seen) => {
                self.unheld(Kind::Comment, b"--", seen, sink);
                Kind::Comment
            }
            State::Section(seen) => {
                self.unheld(Kind::Section, b"]]", seen, sink);
                Kind::Section
            }
            State::Target => Kind::Target,
            State::Instruction(question) => {
                self.unheld(Kind::Instruction, b"?", u8::from(question), sink);
                Kind::Instruction
            }
            State::Doctype => Kind::Doctype,
            State::Tag | State::Slash | State::Named | State::Equals | State::EndTag => {
                sink.fault(Fault::Unterminated, self.at);
                self.state = State::Text;
                return;
            }
        };
        sink.fault(Fault::Unterminated, self.at);
        self.close(kind, b"", 0, sink);
        self.state = State::Text;
    }

    fn offset(&self, pos: usize) -> u64 {
        self.at + pos as u64
    }

    /// Reads from `pos` on what belongs to the current state; says where the next state begins.
    fn step<S: Sink + ?Sized>(&mut self, window: &[u8], pos: usize, sink: &mut S) -> usize {
        let rest = window.get(pos..).unwrap_or_default();
        let byte = rest.first().copied().unwrap_or(0);
        match self.state {
            State::Text => self.text(rest, pos, sink),
            State::Less => self.less(byte, pos, sink),
            State::Bang(bang) => self.bang(bang, byte, pos, sink),
            State::Name => self.name(Kind::StartName, State::Tag, (rest, pos), sink),
            State::EndName => self.name(Kind::EndName, State::EndTag, (rest, pos), sink),
            State::AttributeName => self.name(Kind::AttributeName, State::Named, (rest, pos), sink),
            State::Tag => self.tag(byte, rest, pos, sink),
            State::Slash => self.slash(byte, pos, sink),
            State::Named => self.named(byte, rest, pos, sink),
            State::Equals => self.equals(byte, rest, pos, sink),
            State::Value(quote, less) => self.value((quote, less), rest, pos, sink),
            State::Unquoted => {
                self.until((Kind::Value, State::Tag), ends_unquoted, (rest, pos), sink)
            }
            State::Stray => self.until((Kind::Stray, State::Tag), ends_stray, (rest, pos), sink),
            State::EndStray => {
                self.until((Kind::Stray, State::EndTag), ends_stray, (rest, pos), sink)
            }
            State::EndTag => self.end_tag(byte, rest, pos, sink),
            State::Comment(seen) => self.comment(seen, rest, pos, sink),
            State::Section(seen) => self.section(seen, rest, pos, sink),
            State::Target => self.target(rest, pos, sink),
            State::Instruction(question) => self.instruction(question, rest, pos, sink),
            State::Doctype => self.doctype(rest, pos, sink),
        }
    }
}

impl Default for Tokenizer {
    fn default() -> Self {
        Self::new()
    }
}

/// Handing out.
impl Tokenizer {
    /// Hands out bytes of the open token.
    fn piece<S: Sink + ?Sized>(&mut self, kind: Kind, raw: &[u8], pos: usize, sink: &mut S) {
        if raw.is_empty() {
            return;
        }
        let fragment = Fragment {
            raw,
            at: self.offset(pos),
            first: self.first,
            last: false,
        };
        self.first = false;
        sink.token(kind, fragment);
    }

    /// Hands out the last bytes of the open token.
    fn close<S: Sink + ?Sized>(&mut self, kind: Kind, raw: &[u8], pos: usize, sink: &mut S) {
        let fragment = Fragment {
            raw,
            at: self.offset(pos),
            first: self.first,
            last: true,
        };
        self.first = true;
        sink.token(kind, fragment);
    }

    /// Hands out bytes that were the last of the window before, or of this one before `self.at`'s end.
    fn lone<S: Sink + ?Sized>(&mut self, kind: Kind, raw: &[u8], sink: &mut S) {
        let at = self.at.saturating_sub(raw.len() as u64);
        sink.token(
            kind,
            Fragment {
                raw,
                at,
                first: true,
                last: true,
            },
        );
    }
}

/// Text and what `<` begins.
impl Tokenizer {
    /// A `<` that begins no markup is text: the token goes on. What stands before it is handed out first, so that
    /// findings come in one order.
    fn text<S: Sink + ?Sized>(&mut self, rest: &[u8], pos: usize, sink: &mut S) -> usize {
        let mut start = 0;
        let mut from = 0;
        while let Some(len) = memchr::memchr(b'<', rest.get(from..).unwrap_or_default()) {
            let len = from + len;
            let before = rest.get(start..len).unwrap_or_default();
            match rest.get(len + 1) {
                Some(&next) if begins_markup(next) => {
                    if !before.is_empty() || !self.first {
                        self.close(Kind::Text, before, pos + start, sink);
                    }
                    self.state = State::Less;
                    return pos + len + 1;
                }
                Some(_) => {
                    self.piece(Kind::Text, before, pos + start, sink);
                    sink.fault(Fault::Less, self.offset(pos + len));
                    start = len;
                    from = len + 1;
                }
                None => {
                    self.piece(Kind::Text, before, pos + start, sink);
                    self.state = State::Less;
                    return pos + len + 1;
                }
            }
        }
        self.piece(
            Kind::Text,
            rest.get(start..).unwrap_or_default(),
            pos + start,
            sink,
        );
        pos + rest.len()
    }

    /// After `<`; when that was the last byte of a window, the text before it may still be open.
    fn less<S: Sink + ?Sized>(&mut self, byte: u8, pos: usize, sink: &mut S) -> usize {
        if !begins_markup(byte) {
            sink.fault(Fault::Less, self.offset(pos) - 1);
            self.held(Kind::Text, b"<", pos, 1, sink);
            self.state = State::Text;
            return pos;
        }
        if !self.first {
            self.close(Kind::Text, b"", pos, sink);
        }
        let (state, next) = match byte {
            b'/' => (State::EndName, pos + 1),
            b'?' => (State::Target, pos + 1),
            b'!' => {
                let bang = Bang {
                    word: b"",
                    matched: 0,
                };
                (State::Bang(bang), pos + 1)
            }
            _ => (State::Name, pos),
        };
        self.state = state;
        next
    }

    fn bang<S: Sink + ?Sized>(&mut self, bang: Bang, byte: u8, pos: usize, sink: &mut S) -> usize {
        let word = match (bang.matched, byte) {
            (0, b'-') => COMMENT,
            (0, b'[') => SECTION,
            (0, b'D' | b'd') => DOCTYPE,
            _ => bang.word,
        };
        let expected = word.get(bang.matched).copied();
        // HTML's `<!doctype` is a fault, and is read as what it would be to a laxer reader.
        let lax = word == DOCTYPE && expected == Some(byte.to_ascii_uppercase());
        if expected == Some(byte) || lax {
            if expected != Some(byte) {
                sink.fault(Fault::Declaration, self.offset(pos));
            }
            let matched = bang.matched + 1;
            self.state = if matched < word.len() {
                State::Bang(Bang { word, matched })
            } else if word == COMMENT {
                State::Comment(0)
            } else if word == SECTION {
                State::Section(0)
            } else {
                self.extent = Extent::default();
                State::Doctype
            };
            return pos + 1;
        }
        sink.fault(Fault::Declaration, self.offset(pos));
        let raw = bang.word.get(..bang.matched).unwrap_or_default();
        if !raw.is_empty() {
            sink.token(
                Kind::Stray,
                Fragment {
                    raw,
                    at: self.offset(pos) - raw.len() as u64,
                    first: true,
                    last: false,
                },
            );
            self.first = false;
        }
        self.state = State::Stray;
        pos
    }
}

/// XML 1.0 §2.3 `S`.
pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn blank_len(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .position(|&byte| !is_blank(byte))
        .unwrap_or(bytes.len())
}

fn begins_markup(byte: u8) -> bool {
    matches!(byte, b'/' | b'?' | b'!') || starts_name(byte)
}

/// XML 1.0 §2.3 `NameStartChar`; beyond ASCII everything is let through.
fn starts_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || matches!(byte, b'_' | b':' | 0x80..)
}

/// Where a name ends for sure. Other bytes that no name may hold stay in it, for the reader to look at.
fn ends_name(byte: u8) -> bool {
    is_blank(byte) || matches!(byte, b'>' | b'/' | b'=' | b'<' | b'"' | b'\'')
}

fn ends_unquoted(byte: u8) -> bool {
    is_blank(byte) || matches!(byte, b'>' | b'<')
}

fn ends_stray(byte: u8) -> bool {
    matches!(byte, b'>' | b'<')
}

const COMMENT: &[u8] = b"--";
const SECTION: &[u8] = b"[CDATA[";
const DOCTYPE: &[u8] = b"DOCTYPE";
