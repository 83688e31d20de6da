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

mod filling;
mod held;
mod section;

use self::filling::{Filling, TextSink};
use self::held::{AttributeSink, Held, attribute_host};
use self::section::Section;
use super::editor::Editor;
use super::entity;
use super::outline::Outline;
use crate::inspect::leaf::{Assembler, HostSyntax, Leaf, Outlet, Path, Piece, Root};
use crate::span::Span;

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

    fn attribute_text(
        &mut self,
        byte: u8,
        rest: &[u8],
        inside: Inside,
        editor: &mut Editor,
    ) -> usize {
        let ends = |byte: u8| match inside {
            Inside::Quoted(quote) => byte == quote,
            Inside::Bare | Inside::Text => byte.is_ascii_whitespace() || byte == b'>',
        };
        if ends(byte) {
            let length = usize::from(inside != Inside::Bare);
            self.end_attribute(self.at + length as u64, editor);
            self.attribute_at = self.at + length as u64;
            self.state = State::Attributes;
            return length;
        }
        if byte == b'&' {
            self.ahead.push(b'&');
            self.state = State::Entity(inside);
            return 1;
        }
        let length = rest
            .iter()
            .position(|byte| ends(*byte) || *byte == b'&')
            .unwrap_or(rest.len());
        self.attribute_plain(rest.get(..length).unwrap_or(rest), self.at, editor);
        length
    }

    /// After `&`: until `;`, or until it is clear that there is none.
    fn entity(&mut self, byte: u8, inside: Inside, editor: &mut Editor) -> usize {
        let back = match inside {
            Inside::Text => State::Text,
            Inside::Quoted(quote) => State::Quoted(quote),
            Inside::Bare => State::Bare,
        };
        if byte == b';' {
            let start = self.at - self.ahead.len() as u64;
            let mut decoded = [0; 4];
            let text = self.ahead.get(1..).unwrap_or_default();
            match entity::decode(text, self.dialect == Dialect::Html) {
                Some(char) => {
                    let bytes = char.encode_utf8(&mut decoded).as_bytes();
                    self.ahead.clear();
                    self.unit(bytes, Span::new(start, self.at + 1), inside, editor);
                }
                None => {
                    self.ahead.push(b';');
                    self.state = back;
                    self.pass_ahead(start, inside, editor);
                }
            }
            self.state = back;
            return 1;
        }
        if (byte.is_ascii_alphanumeric() || byte == b'#') && self.ahead.len() < ENTITY_BYTES {
            self.ahead.push(byte);
            return 1;
        }
        self.state = back;
        self.pass_ahead(self.at - self.ahead.len() as u64, inside, editor);
        0
    }

    /// What looked like an entity stands for itself.
    fn pass_ahead(&mut self, start: u64, inside: Inside, editor: &mut Editor) {
        let ahead = std::mem::take(&mut self.ahead);
        match inside {
            Inside::Text => self.plain(&ahead, start, editor),
            Inside::Quoted(_) | Inside::Bare => self.attribute_plain(&ahead, start, editor),
        }
        self.ahead = ahead;
        self.ahead.clear();
    }

    fn begin_value(&mut self, at: u64) {
        self.value.begin(at);
        self.open = true;
    }

    fn host(&self) -> HostSyntax {
        match (self.state, self.dialect) {
            (State::Section(Section::Cdata), _) => HostSyntax::XmlCdata,
            (State::Section(_), _) => HostSyntax::XmlComment,
            (State::Element, _) => HostSyntax::Raw,
            (_, Dialect::Xml) => HostSyntax::XmlText,
            (_, Dialect::Html) => HostSyntax::HtmlText,
        }
    }

    fn plain(&mut self, raw: &[u8], at: u64, editor: &mut Editor) {
        if self.state == State::Section(Section::Instruction) {
            return;
        }
        let host = self.host();
        let filling = &mut self.filling;
        self.value.plain(
            raw,
            at,
            &mut Outlet {
                sink: &mut TextSink { editor, filling },
                path: place(&self.outline, host),
                host,
            },
        );
    }

    fn unit(&mut self, decoded: &[u8], span: Span, inside: Inside, editor: &mut Editor) {
        if inside != Inside::Text {
            let mut sink = AttributeSink {
                editor,
                held: &mut self.held,
                name: &self.attribute,
                gone: None,
            };
            let host = attribute_host(self.dialect);
            self.value.unit(
                decoded,
                span,
                &mut Outlet {
                    sink: &mut sink,
                    path: &self.path,
                    host,
                },
            );
            return;
        }
        let host = self.host();
        let filling = &mut self.filling;
        self.value.unit(
            decoded,
            span,
            &mut Outlet {
                sink: &mut TextSink { editor, filling },
                path: place(&self.outline, host),
                host,
            },
        );
    }

    fn attribute_plain(&mut self, raw: &[u8], at: u64, editor: &mut Editor) {
        let mut sink = AttributeSink {
            editor,
            held: &mut self.held,
            name: &self.attribute,
            gone: None,
        };
        let host = attribute_host(self.dialect);
        self.value.plain(
            raw,
            at,
            &mut Outlet {
                sink: &mut sink,
                path: &self.path,
                host,
            },
        );
    }

    /// Ends the value of the attribute at hand, which itself ends before `end`.
    fn end_attribute(&mut self, end: u64, editor: &mut Editor) {
        self.open = false;
        // A name that other names need stays.
        let declares = self.attribute.starts_with(b"xmlns");
        let is_held = !self.held.is_empty() || self.at - self.tag_at <= TAG_BYTES;
        let mut sink = AttributeSink {
            editor,
            held: &mut self.held,
            name: &self.attribute,
            gone: (!declares && is_held).then(|| Span::new(self.attribute_at, end)),
        };
        let host = attribute_host(self.dialect);
        self.value.finish(&mut Outlet {
            sink: &mut sink,
            path: &self.path,
            host,
        });
    }

    /// Ends the text, comment, CDATA section or script at hand, if there is one.
    fn end_value(&mut self, editor: &mut Editor) {
        if !std::mem::take(&mut self.open) || self.state == State::Section(Section::Instruction) {
            return;
        }
        let host = self.host();
        let filling = &mut self.filling;
        self.value.finish(&mut Outlet {
            sink: &mut TextSink { editor, filling },
            path: place(&self.outline, host),
            host,
        });
        if matches!(host, HostSyntax::XmlText | HostSyntax::HtmlText) {
            self.outline.read(self.value.bytes());
        }
    }

    fn flush_ahead(&mut self, editor: &mut Editor) {
        let start = self.at - self.ahead.len() as u64;
        match self.state {
            State::Entity(inside) => self.pass_ahead(start, inside, editor),
            State::Section(_) | State::Element if self.open => {
                self.pass_ahead(start, Inside::Text, editor)
            }
            _ => {}
        }
        match self.state {
            State::Quoted(_) | State::Bare | State::Entity(Inside::Quoted(_) | Inside::Bare) => {
                self.end_attribute(self.at, editor);
            }
            _ => {}
        }
    }
}

/// The path of the text at hand.
fn place(outline: &Outline, host: HostSyntax) -> &Path {
    match host {
        HostSyntax::XmlComment => outline.comment(),
        _ => outline.text(),
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

/// `&#x10ffff` and the longest names of characters that matter.
const ENTITY_BYTES: usize = 32;
