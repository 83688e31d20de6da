//! XML and HTML: text, attributes, CDATA, comments and scripts as values, everything else passed over.
//!
//! ```text
//!             ┌────────── `>` ───────────┐
//!             ▼                          │
//!   Text ─ `<` ─► Open ─ letter ─► Name ─┴─ blank ─► Attributes ─► Attribute ─ `=` ─► Before ─► Quoted / Bare
//!     │             ├─ `/` ─► Close ─ `>` ─► Text
//!     `&`           ├─ `!` ─► Bang ─► Comment / Cdata / Declaration ─► Text
//!     ▼             └─ `?` ─► Instruction ─► Text
//!   Entity                          (HTML) script, style ─► Element ─ `</script` ─► Close
//! ```
//!
//! Tolerant as browsers are: it never fails, and what it does not understand is passed as it is.
//!
//! Why this is not the tokenizer of [`crate::inspect::xml`]: that one is XML's, strict, and asks for what an inspector
//! must know (namespaces, the document type, limits on expansion). It ends a token at the first byte that breaks the
//! grammar, knows neither attributes without quotes nor raw scripts nor references without a semicolon, and hands an
//! attribute out before the rest of its tag. Made tolerant, it would miss the very misdeeds it is there for. Here nothing
//! is judged: one state a byte, and both dialects differ in three places.
//!
//! - `held` — attributes until the end of their tag
//! - `filling` — the text of an element until the tag behind it, where values are taken out
//! - `section` — comments, CDATA sections, scripts
//! - `value` — the characters of texts and attributes

mod filling;
mod held;
mod section;
mod value;

use self::filling::Filling;
use self::held::Held;
use self::section::Section;
use super::editor::Editor;
use super::outline::Outline;
use crate::inspect::leaf::{Assembler, Leaf, Path, Piece, Root};

/// Which language is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// XML 1.0, SOAP.
    Xml,
    /// HTML as browsers read it.
    Html,
}

/// Reads markup.
#[derive(Debug)]
pub(super) struct Markup {
    dialect: Dialect,
    at: u64,
    state: State,
    value: Assembler,
    /// A value is being read.
    open: bool,
    /// What may be the beginning of an entity, of the end of a section or of a tag.
    ahead: Vec<u8>,
    /// Offset of the `<` of the tag at hand.
    tag_at: u64,
    name: Vec<u8>,
    attribute: Vec<u8>,
    /// Where the white space before the attribute at hand begins, or itself.
    attribute_at: u64,
    held: Vec<Held>,
    filling: Filling,
    outline: Outline,
    path: Path,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Text,
    Open,
    Name,
    Close,
    Attributes,
    Attribute,
    /// After an attribute's name.
    Equals,
    /// Before its value.
    Before,
    Quoted(u8),
    Bare,
    /// After `<!`.
    Bang,
    /// Until `-->`, `]]>` or `?>`.
    Section(Section),
    /// Until `>`, outside of `[` and `]`.
    Declaration(u32),
    /// Content of a script or style, until its closing tag.
    Element,
    /// After `&`, in text or in an attribute with that quote.
    Entity(Inside),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inside {
    Text,
    Quoted(u8),
    Bare,
}

impl Markup {
    /// A document whose values lie below `path` and whose first byte has offset `base`.
    pub(super) fn new(dialect: Dialect, path: Option<Path>, base: u64) -> Self {
        let root = match dialect {
            Dialect::Xml => Root::Xml,
            Dialect::Html => Root::Html,
        };
        let path = path.unwrap_or_else(|| Path::new(root));
        Self {
            dialect,
            at: base,
            state: State::Text,
            value: Assembler::default(),
            open: false,
            ahead: Vec::new(),
            tag_at: base,
            name: Vec::new(),
            attribute: Vec::new(),
            attribute_at: base,
            held: Vec::new(),
            filling: Filling::default(),
            outline: Outline::new(dialect, path.clone()),
            path,
        }
    }

    pub(super) fn push(&mut self, mut rest: &[u8], editor: &mut Editor) {
        while let Some(&byte) = rest.first() {
            let length = self.step(byte, rest, editor);
            rest = rest.get(length..).unwrap_or_default();
            self.at += length as u64;
        }
    }

    pub(super) fn finish(&mut self, editor: &mut Editor) {
        self.flush_ahead(editor);
        self.end_value(editor);
        self.release(editor);
        self.filling.spoil(editor);
    }

    /// Offset before which no edit will be planned any more.
    pub(super) fn settled(&self, editor: &Editor) -> u64 {
        let begun = match self.state {
            _ if !self.held.is_empty() => self.tag_at,
            _ if self.open => self.value.start().max(editor.windowed),
            // A text may begin with it.
            State::Open => self.tag_at,
            _ => self.at - self.ahead.len() as u64,
        };
        let begun = match editor.removal {
            Some(_) => begun.min(self.may_go_from()),
            None => begun,
        };
        begun.min(self.at)
    }

    /// Where the element begins that may be taken out once more of it was read.
    fn may_go_from(&self) -> u64 {
        let in_tag = !matches!(
            self.state,
            State::Text
                | State::Entity(Inside::Text)
                | State::Close
                | State::Bang
                | State::Section(_)
                | State::Declaration(_)
                | State::Element
        );
        match self.filling.element {
            Some(element) => element,
            None if in_tag && self.at - self.tag_at <= TAG_BYTES => self.tag_at,
            None => self.at,
        }
    }

    /// Reads the byte at the front, or a run; says how many bytes were read.
    fn step(&mut self, byte: u8, rest: &[u8], editor: &mut Editor) -> usize {
        match self.state {
            State::Text => return self.text(byte, rest, editor),
            State::Open => return self.open_tag(byte, editor),
            State::Name => match byte {
                b'>' => self.end_tag(editor),
                b'/' | b' ' | b'\t' | b'\r' | b'\n' => {
                    self.attribute_at = self.at;
                    self.state = State::Attributes;
                    if byte == b'/' {
                        keep(&mut self.ahead, byte);
                    }
                }
                _ => keep(&mut self.name, byte),
            },
            State::Close => match byte {
                b'>' => {
                    self.filling.close(self.at + 1, editor);
                    let name = std::mem::take(&mut self.name);
                    self.outline.close(&name);
                    self.name = name;
                    self.state = State::Text;
                }
                byte if byte.is_ascii_whitespace() => {}
                _ => keep(&mut self.name, byte),
            },
            State::Attributes => match byte {
                b'>' => self.end_tag(editor),
                b'/' => keep(&mut self.ahead, b'/'),
                byte if byte.is_ascii_whitespace() => {}
                _ => {
                    if !self.ahead.is_empty() {
                        self.attribute_at = self.at;
                    }
                    self.ahead.clear();
                    self.attribute.clear();
                    self.attribute.push(byte);
                    self.state = State::Attribute;
                }
            },
            State::Attribute => match byte {
                b'=' => self.state = State::Before,
                b'>' => self.end_tag(editor),
                b'/' => {
                    keep(&mut self.ahead, byte);
                    self.state = State::Attributes;
                }
                byte if byte.is_ascii_whitespace() => self.state = State::Equals,
                _ => keep(&mut self.attribute, byte),
            },
            State::Equals => match byte {
                b'=' => self.state = State::Before,
                byte if byte.is_ascii_whitespace() => {}
                _ => {
                    self.attribute_at = self.at;
                    self.state = State::Attributes;
                    return 0;
                }
            },
            State::Before => match byte {
                b'"' | b'\'' => {
                    self.begin_value(self.at + 1);
                    self.state = State::Quoted(byte);
                }
                b'>' => self.end_tag(editor),
                byte if byte.is_ascii_whitespace() => {}
                _ => {
                    self.begin_value(self.at);
                    self.state = State::Bare;
                    return 0;
                }
            },
            State::Quoted(quote) => {
                return self.attribute_text(byte, rest, Inside::Quoted(quote), editor);
            }
            State::Bare => return self.attribute_text(byte, rest, Inside::Bare, editor),
            State::Bang => return self.bang(byte),
            State::Section(section) => return self.section(section, rest, editor),
            State::Declaration(depth) => match byte {
                b'[' => self.state = State::Declaration(depth.saturating_add(1)),
                b']' => self.state = State::Declaration(depth.saturating_sub(1)),
                b'>' if depth == 0 => self.state = State::Text,
                _ => {}
            },
            State::Element => return self.element(byte, rest, editor),
            State::Entity(inside) => return self.entity(byte, inside, editor),
        }
        1
    }

    fn text(&mut self, byte: u8, rest: &[u8], editor: &mut Editor) -> usize {
        match byte {
            b'<' => {
                self.tag_at = self.at;
                self.state = State::Open;
                1
            }
            b'&' => {
                self.begin_text();
                self.ahead.push(b'&');
                self.state = State::Entity(Inside::Text);
                1
            }
            _ => {
                self.begin_text();
                let length = memchr::memchr2(b'<', b'&', rest).unwrap_or(rest.len());
                self.plain(rest.get(..length).unwrap_or(rest), self.at, editor);
                length
            }
        }
    }

    fn begin_text(&mut self) {
        if !self.open {
            self.begin_value(self.at);
        }
    }

    /// After `<`.
    fn open_tag(&mut self, byte: u8, editor: &mut Editor) -> usize {
        let next = match byte {
            b'/' => State::Close,
            b'!' => State::Bang,
            b'?' => State::Section(Section::Instruction),
            byte if byte.is_ascii_alphabetic() || byte >= 0x80 || byte == b'_' || byte == b':' => {
                State::Name
            }
            _ => {
                // `a < b`: text.
                if !self.open {
                    self.begin_value(self.tag_at);
                }
                self.plain(b"<", self.tag_at, editor);
                self.state = State::Text;
                return 0;
            }
        };
        self.end_value(editor);
        self.name.clear();
        self.held.clear();
        self.state = next;
        if next == State::Name {
            self.filling.spoil(editor);
            self.name.push(byte);
        }
        1
    }

    fn end_tag(&mut self, editor: &mut Editor) {
        let empty = self.ahead.last() == Some(&b'/') && self.dialect == Dialect::Xml;
        self.ahead.clear();
        let attributes = self
            .held
            .iter()
            .map(|held| (&*held.name, held.bytes.as_slice()));
        self.outline.open(&self.name, attributes);
        self.release(editor);
        let short = self.at - self.tag_at <= TAG_BYTES;
        if empty {
            self.outline.close(&self.name);
        } else if editor.removal.is_some() && short && self.outline.is_inside() {
            self.filling.open(self.tag_at);
        }
        let raw = self.dialect == Dialect::Html
            && RAW_ELEMENTS
                .iter()
                .any(|known| known.eq_ignore_ascii_case(&self.name));
        self.state = if raw { State::Element } else { State::Text };
    }

    /// Hands out the attributes of the tag at hand.
    fn release(&mut self, editor: &mut Editor) {
        for held in self.held.drain(..) {
            self.path.assign(self.outline.attribute(&held.name));
            let leaf = Leaf {
                path: &self.path,
                host: held.host,
                span: held.span,
                bytes: &held.bytes,
                map: &held.map,
                piece: Piece::Whole,
            };
            editor.leaf_within(&leaf, held.gone);
        }
    }
}

/// Adds a byte to a name, up to what names are looked at for.
fn keep(name: &mut Vec<u8>, byte: u8) {
    if name.len() < NAME_BYTES {
        name.push(byte);
    }
}

/// HTML elements whose content is not markup (HTML §13.1.2).
const RAW_ELEMENTS: [&[u8]; 2] = [b"script", b"style"];

/// Bytes of a name that are looked at.
const NAME_BYTES: usize = 128;

/// Bytes of a start tag that are held back because its element may be taken out.
const TAG_BYTES: u64 = 4096;
