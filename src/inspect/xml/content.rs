//! Character data, attribute values, comments and processing instructions.

use super::embedded::{Embedded, embedded};
use super::place::{self, Reach};
use super::reader::{Pass, RootState, add};
use super::reference::Item;
use super::rule;
use super::token::{Fragment, is_blank};
use crate::inspect::leaf::{
    Assembler, HostSyntax, LEAF_BYTES, Leaf, LeafSink, Notice, Outlet, Piece, Written,
};
use crate::inspect::record::Charge;
use crate::span::Span;

/// Hands leaves on, unless the gate is shut, and looks for document type declarations in them.
struct Watch<'a, S: ?Sized> {
    sink: &'a mut S,
    gate: Gate,
    embedded: Option<Embedded>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Gate {
    Open,
    Shut,
}

impl<S: LeafSink + ?Sized> LeafSink for Watch<'_, S> {
    fn leaf(&mut self, leaf: &Leaf<'_>) {
        if self.gate == Gate::Shut {
            return;
        }
        if self.embedded.is_none() {
            self.embedded = embedded(leaf.bytes);
        }
        self.sink.leaf(leaf);
    }
}

/// The run of character data between two tags.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Run {
    open: bool,
    /// Tokens in it that are more than blanks.
    solid: u32,
    /// The current token is one of them.
    solid_token: bool,
}

impl Run {
    const OPEN: Run = Run {
        open: true,
        solid: 0,
        solid_token: false,
    };

    fn begin_token(&mut self) {
        self.solid_token = false;
    }
}

/// Values.
impl<S: LeafSink + ?Sized> Pass<'_, S> {
    /// A piece of an attribute's value.
    pub(super) fn value(&mut self, fragment: &Fragment<'_>) {
        let state = &mut *self.state;
        if fragment.first {
            let name = state.tag.attribute_name();
            state.path.push_attribute(name);
        }
        if self.is_verbatim(fragment) {
            self.verbatim(HostSyntax::XmlAttribute, fragment);
            self.attribute_value(fragment.raw);
        } else {
            self.assemble(HostSyntax::XmlAttribute, fragment);
            if fragment.last {
                let value = std::mem::take(&mut self.state.value);
                self.attribute_value(value.bytes());
                self.state.value = value;
            }
        }
        if fragment.last {
            self.state.path.pop();
        }
    }

    /// A piece of character data, in a CDATA section or not.
    pub(super) fn text(&mut self, host: HostSyntax, fragment: &Fragment<'_>) {
        if fragment.first {
            let state = &mut *self.state;
            state.path.truncate(state.base + state.levels.len());
            state.run.begin_token();
            if !state.run.open {
                state.run = Run::OPEN;
                state.joined.begin(fragment.at);
            }
            if host == HostSyntax::XmlCdata && !self.is_inside() {
                self.charge(rule::OUTSIDE_ROOT, Span::new(fragment.at, fragment.at));
            }
        }
        if self.is_verbatim(fragment) {
            self.join(Item::Plain(fragment.raw, fragment.at));
            if !is_all_blank(fragment.raw) {
                self.verbatim(host, fragment);
            }
        } else {
            self.assemble(host, fragment);
        }
    }

    fn is_inside(&self) -> bool {
        self.state.root == RootState::Inside && !self.state.levels.is_empty()
    }

    /// A piece of something that is neither content nor attribute.
    pub(super) fn aside(&mut self, host: HostSyntax, fragment: &Fragment<'_>) {
        if self.is_verbatim(fragment) {
            if !is_all_blank(fragment.raw) {
                self.verbatim(host, fragment);
            }
        } else {
            self.assemble(host, fragment);
        }
        if host != HostSyntax::Raw || !fragment.last {
            return;
        }
        if fragment.first {
            self.stray_declaration(fragment.raw, fragment.at);
        } else {
            let value = std::mem::take(&mut self.state.value);
            self.stray_declaration(value.bytes(), value.start());
            self.state.value = value;
        }
    }

    /// A declaration of an entity outside of any DOCTYPE: half of an attack, meant to be put together elsewhere.
    fn stray_declaration(&mut self, stray: &[u8], at: u64) {
        if stray
            .get(..6)
            .is_some_and(|word| word.eq_ignore_ascii_case(b"ENTITY"))
            && let Some(found) = embedded(&[b"<!", stray].concat())
        {
            self.found(found, Span::new(at, at));
        }
    }

    fn is_verbatim(&self, fragment: &Fragment<'_>) -> bool {
        fragment.first
            && fragment.last
            && fragment.raw.len() <= LEAF_BYTES
            && memchr::memchr(b'&', fragment.raw).is_none()
    }

    fn verbatim(&mut self, host: HostSyntax, fragment: &Fragment<'_>) {
        let state = &mut *self.state;
        state.verbatim.reset(fragment.at);
        let leaf = Leaf {
            path: &state.path,
            host,
            span: Span::new(fragment.at, fragment.at + fragment.raw.len() as u64),
            bytes: fragment.raw,
            map: &state.verbatim,
            piece: Piece::Whole,
        };
        self.sink.leaf(&leaf);
        // A bare `<` stands in a text, too.
        if host != HostSyntax::XmlComment
            && let Some(found) = embedded(fragment.raw)
        {
            self.found(found, Span::new(fragment.at, fragment.at));
        }
    }

    /// A piece of a value that has references or does not lie in one window.
    fn assemble(&mut self, host: HostSyntax, fragment: &Fragment<'_>) {
        if fragment.first {
            self.state.value.begin(fragment.at);
            self.state.decoder.begin();
        }
        let decodes = matches!(host, HostSyntax::XmlText | HostSyntax::XmlAttribute);
        let joins = matches!(host, HostSyntax::XmlText | HostSyntax::XmlCdata);
        if decodes {
            let mut decoder = std::mem::take(&mut self.state.decoder);
            let mut take = |item: Item<'_>| self.item(item, host, joins);
            decoder.push(fragment.raw, fragment.at, &mut take);
            if fragment.last {
                decoder.finish(&mut take);
            }
            self.state.decoder = decoder;
        } else {
            self.item(Item::Plain(fragment.raw, fragment.at), host, joins);
        }
        if fragment.last {
            self.finish_value(host);
        }
    }

    fn item(&mut self, item: Item<'_>, host: HostSyntax, joins: bool) {
        match item {
            Item::Plain(..) | Item::Character(..) => {
                if joins {
                    self.join(item);
                }
                self.with_value(host, |value, out| add(item, value, out));
            }
            Item::Entity(name, at) => self.entity(name, at),
            Item::Broken(at) => self.charge(rule::REFERENCE, Span::new(at, at + 1)),
            Item::Long(at) => self.charge(rule::LONG_NAME, Span::new(at, at + 1)),
        }
    }

    fn finish_value(&mut self, host: HostSyntax) {
        let value = &self.state.value;
        let blank = !value.is_windowed() && is_all_blank(value.bytes());
        if blank && host != HostSyntax::XmlAttribute {
            return;
        }
        self.with_value(host, |value, out| value.finish(out));
    }

    /// Does something with the value and its outlet, and looks at what came out of it.
    fn with_value(
        &mut self,
        host: HostSyntax,
        act: impl FnOnce(&mut Assembler, &mut Outlet<'_, Watch<'_, S>>),
    ) {
        let state = &mut *self.state;
        let mut watch = Watch {
            sink: &mut *self.sink,
            gate: Gate::Open,
            embedded: None,
        };
        let mut out = Outlet {
            sink: &mut watch,
            path: &state.path,
            host,
        };
        act(&mut state.value, &mut out);
        // What is commented out is not parsed later either.
        if let Some(found) = watch.embedded
            && host != HostSyntax::XmlComment
        {
            let start = self.state.value.start();
            self.found(found, Span::new(start, start));
        }
    }

    fn found(&mut self, found: Embedded, span: Span) {
        let charge = if found.score >= rule::EMBEDDED_DOCTYPE.score {
            rule::EMBEDDED_DOCTYPE
        } else {
            Charge {
                rule: found.rule,
                category: found.category,
                score: found.score,
                reason: found.reason,
            }
        };
        self.charge(charge, span);
    }

    /// A reference to an entity: what it would grow to is counted.
    fn entity(&mut self, name: &[u8], at: u64) {
        let span = Span::new(at, at + name.len() as u64 + 2);
        self.sink.notice(Notice::Reference, span);
        match self.state.entities.get(name) {
            Some(grown) => {
                let before = self.state.grown;
                self.state.grown = before.saturating_add(grown.bytes);
                let bound = rule::GROWN_BYTES.max(at.saturating_mul(rule::GROWN_RATIO));
                if self.state.grown > bound {
                    self.charge(rule::ENTITY_GROWTH, span);
                }
            }
            None if self.state.external => {}
            None => self.charge(rule::ENTITY_UNKNOWN, span),
        }
    }
}

/// Character data of one element, joined over CDATA sections, comments and processing instructions.
impl<S: LeafSink + ?Sized> Pass<'_, S> {
    fn join(&mut self, item: Item<'_>) {
        let (item, at) = match item {
            Item::Plain(raw, at) if !self.state.run.solid_token => {
                let blanks = blank_len(raw, at);
                let (blank, solid) = raw.split_at(blanks);
                self.join_part(Item::Plain(blank, at), at);
                if solid.is_empty() {
                    return;
                }
                let at = at + blanks as u64;
                (Item::Plain(solid, at), at)
            }
            Item::Plain(_, at) => (item, at),
            Item::Character(_, span) => (item, span.start),
            Item::Entity(..) | Item::Broken(_) | Item::Long(_) => return,
        };
        if !self.state.run.solid_token {
            self.state.run.solid_token = true;
            self.state.run.solid = self.state.run.solid.saturating_add(1);
            if !self.is_inside() {
                self.charge(rule::OUTSIDE_ROOT, Span::new(at, at));
            }
        }
        self.join_part(item, at);
    }

    fn join_part(&mut self, item: Item<'_>, at: u64) {
        self.with_joined(|joined, out| {
            joined.skip_to(at, out);
            add(item, joined, out);
        });
    }

    /// A tag comes: what was joined of several pieces is handed out.
    pub(super) fn end_text(&mut self) {
        if self.state.run.solid > 1 {
            self.with_joined(|joined, out| joined.finish(out));
        }
        self.state.run = Run::default();
    }

    fn with_joined(&mut self, act: impl FnOnce(&mut Assembler, &mut Outlet<'_, Watch<'_, S>>)) {
        let state = &mut *self.state;
        let mut watch = Watch {
            sink: &mut *self.sink,
            gate: if state.run.solid > 1 {
                Gate::Open
            } else {
                Gate::Shut
            },
            embedded: None,
        };
        let mut out = Outlet {
            sink: &mut watch,
            path: &state.path,
            host: HostSyntax::XmlJoined,
        };
        act(&mut state.joined, &mut out);
        if let Some(found) = watch.embedded {
            let start = self.state.joined.start();
            self.found(found, Span::new(start, start));
        }
    }
}

/// Processing instructions.
impl<S: LeafSink + ?Sized> Pass<'_, S> {
    pub(super) fn target(&mut self, fragment: &Fragment<'_>) {
        self.state.instruction.push(fragment, TARGET_BYTES);
        if !fragment.last {
            return;
        }
        let target = &self.state.instruction;
        let at = target.at.saturating_sub(2);
        let declares = target.bytes == b"xml";
        let sheet = target.bytes == b"xml-stylesheet";
        self.state.is_stylesheet = sheet;
        let mark = at == 3 && self.state.root == RootState::Before;
        let name = std::mem::take(&mut self.state.instruction.bytes);
        self.strange_name(&name, at + 2);
        self.state.instruction.bytes = name;
        let kept = self.state.instruction.bytes.len() as u64;
        if self.state.instruction.len > kept {
            self.charge(rule::LONG_NAME, Span::new(at, at + kept));
        }
        let first = at == 0 || mark;
        self.state.is_declaration = declares && first;
        if declares && !first {
            self.charge(rule::LATE_DECLARATION, Span::new(at, at + 5));
        }
    }

    pub(super) fn instruction(&mut self, fragment: &Fragment<'_>) {
        self.state.instruction.push(fragment, INSTRUCTION_BYTES);
        if self.state.is_declaration {
            if fragment.last {
                self.declaration();
            }
            return;
        }
        if fragment.last && self.state.is_stylesheet {
            self.stylesheet();
        }
        self.aside(HostSyntax::XmlComment, fragment);
    }

    /// XML 1.0 §4.3.3: the declared encoding.
    fn declaration(&mut self) {
        let kept = &self.state.instruction;
        let span = Span::new(kept.at, kept.at + kept.len);
        let Some(declared) = pseudo_attribute(&kept.bytes, b"encoding") else {
            return;
        };
        let family = |prefix: &[u8]| {
            declared
                .get(..prefix.len())
                .is_some_and(|front| front.eq_ignore_ascii_case(prefix))
        };
        let declared = if family(b"utf-16") || family(b"ucs-2") || family(b"iso-10646-ucs-2") {
            Written::Utf16
        } else if family(b"utf-32") || family(b"ucs-4") || family(b"iso-10646-ucs-4") {
            Written::Utf32
        } else if family(b"utf-7") {
            Written::Utf7
        } else if family(b"ibm") || family(b"cp037") || family(b"ebcdic") {
            Written::Ebcdic
        } else if family(b"utf-8") {
            Written::Utf8
        } else {
            Written::Other
        };
        let written = self.state.document.written;
        // A charset with ASCII's bytes in it may be declared and not needed.
        let agree = declared == written
            || matches!(declared, Written::Other) && matches!(written, Written::Utf8);
        if !agree {
            let charge = match declared {
                Written::Utf7 | Written::Ebcdic => rule::CHARSET,
                _ => rule::CHARSET_CONFLICT,
            };
            self.charge(charge, span);
        }
    }

    /// Associating Style Sheets with XML documents 1.0.
    fn stylesheet(&mut self) {
        let kept = &self.state.instruction;
        let span = Span::new(kept.at, kept.at + kept.len);
        let Some(href) = pseudo_attribute(&kept.bytes, b"href") else {
            return;
        };
        let css = pseudo_attribute(&kept.bytes, b"type").is_some_and(|kind| kind == b"text/css")
            || href.ends_with(b".css");
        match (place::reach(href), css) {
            (Reach::Inside, _) => self.charge(rule::STYLESHEET_INSIDE, span),
            (Reach::Elsewhere, false) => self.charge(rule::STYLESHEET_ELSEWHERE, span),
            (Reach::Elsewhere, true) | (Reach::Harmless | Reach::Beside, _) => {}
        }
    }
}

/// Blanks at the front of a text at `at`; a byte order mark counts as such (XML 1.0 §4.3.3).
fn blank_len(text: &[u8], at: u64) -> usize {
    let mark = [0xef, 0xbb, 0xbf];
    text.iter()
        .enumerate()
        .position(|(index, &byte)| {
            let place = usize::try_from(at)
                .unwrap_or(usize::MAX)
                .saturating_add(index);
            !is_blank(byte) && mark.get(place) != Some(&byte)
        })
        .unwrap_or(text.len())
}

fn is_all_blank(text: &[u8]) -> bool {
    text.iter().all(|&byte| is_blank(byte))
}

/// The value of `name="…"` in the data of a processing instruction.
fn pseudo_attribute<'a>(data: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut from = 0;
    while let Some(found) = memchr::memmem::find(data.get(from..)?, name) {
        let at = from + found;
        from = at + name.len();
        let begins = at == 0 || data.get(at - 1).copied().is_some_and(is_blank);
        let rest = data.get(from..)?.trim_ascii_start();
        let Some(rest) = rest.strip_prefix(b"=").filter(|_| begins) else {
            continue;
        };
        let (&quote, rest) = rest.trim_ascii_start().split_first()?;
        if quote != b'"' && quote != b'\'' {
            return None;
        }
        let end = memchr::memchr(quote, rest).unwrap_or(rest.len());
        return rest.get(..end);
    }
    None
}

/// Bytes of a processing instruction's target that are looked at; a longer one is a finding.
const TARGET_BYTES: usize = 4096;

/// Bytes of a processing instruction that are read for what they refer to.
const INSTRUCTION_BYTES: usize = 8 * 1024;
