//! Values: the characters of texts and attributes, with references decoded, until they end.

use super::filling::TextSink;
use super::held::{AttributeSink, attribute_host};
use super::section::Section;
use super::{Dialect, Inside, Markup, State, TAG_BYTES};
use crate::inspect::leaf::{HostSyntax, Outlet, Path};
use crate::redact::editor::Editor;
use crate::redact::entity;
use crate::redact::outline::Outline;
use crate::span::Span;

impl Markup {
    #[inline]
    pub(super) fn attribute_text(
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
    #[inline]
    pub(super) fn entity(&mut self, byte: u8, inside: Inside, editor: &mut Editor) -> usize {
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
    pub(super) fn pass_ahead(&mut self, start: u64, inside: Inside, editor: &mut Editor) {
        let ahead = std::mem::take(&mut self.ahead);
        match inside {
            Inside::Text => self.plain(&ahead, start, editor),
            Inside::Quoted(_) | Inside::Bare => self.attribute_plain(&ahead, start, editor),
        }
        self.ahead = ahead;
        self.ahead.clear();
    }

    #[inline]
    pub(super) fn begin_value(&mut self, at: u64) {
        self.value.begin(at);
        self.open = true;
    }

    #[inline]
    pub(super) fn host(&self) -> HostSyntax {
        match (self.state, self.dialect) {
            (State::Section(Section::Cdata), _) => HostSyntax::XmlCdata,
            (State::Section(_), _) => HostSyntax::XmlComment,
            (State::Element, _) => HostSyntax::Raw,
            (_, Dialect::Xml) => HostSyntax::XmlText,
            (_, Dialect::Html) => HostSyntax::HtmlText,
        }
    }

    #[inline]
    pub(super) fn plain(&mut self, raw: &[u8], at: u64, editor: &mut Editor) {
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

    #[inline]
    pub(super) fn unit(&mut self, decoded: &[u8], span: Span, inside: Inside, editor: &mut Editor) {
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

    #[inline]
    pub(super) fn attribute_plain(&mut self, raw: &[u8], at: u64, editor: &mut Editor) {
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
    pub(super) fn end_attribute(&mut self, end: u64, editor: &mut Editor) {
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
    pub(super) fn end_value(&mut self, editor: &mut Editor) {
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

    pub(super) fn flush_ahead(&mut self, editor: &mut Editor) {
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

/// `&#x10ffff` and the longest names of characters that matter.
const ENTITY_BYTES: usize = 32;
