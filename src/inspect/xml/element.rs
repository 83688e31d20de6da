//! Tags: elements, attributes, namespaces, and what they are charged with.

use super::namespace::{Namespace, split};
use super::place::{self, Reach};
use super::reader::{Pass, RootState};
use super::rule;
use super::token::{Fragment, TagEnd};
use crate::inspect::leaf::{HostSyntax, LeafSink};
use crate::span::Span;

/// What is known of the start tag that is being read.
#[derive(Debug, Default)]
pub(super) struct Tag {
    /// Where its name begins.
    at: u64,
    attributes: u32,
    namespaces: u32,
    /// Names of its attributes so far, one behind the other, where each ends, and a digest of each.
    seen: Vec<u8>,
    ends: Vec<usize>,
    digests: Vec<u64>,
    /// The current attribute.
    attribute: Vec<u8>,
    attribute_at: u64,
    /// Attributes whose meaning depends on a namespace that may be declared behind them: name and value.
    hints: Vec<(Vec<u8>, Vec<u8>, u64)>,
}

impl Tag {
    /// The name of the current attribute.
    pub(super) fn attribute_name(&self) -> &[u8] {
        &self.attribute
    }

    fn begin(&mut self, at: u64) {
        self.at = at;
        self.attributes = 0;
        self.namespaces = 0;
        self.seen.clear();
        self.ends.clear();
        self.digests.clear();
        self.hints.clear();
    }

    /// True when the tag had an attribute of that name before.
    fn repeats(&mut self, name: &[u8]) -> bool {
        let digest = digest(name);
        let known = |(index, &other): (usize, &u64)| {
            let end = self.ends.get(index).copied().unwrap_or(0);
            let start = index
                .checked_sub(1)
                .and_then(|before| self.ends.get(before));
            other == digest && self.seen.get(start.copied().unwrap_or(0)..end) == Some(name)
        };
        if self.digests.iter().enumerate().any(known) {
            return true;
        }
        if self.ends.len() < COMPARED_ATTRIBUTES {
            self.seen.extend_from_slice(name);
            self.ends.push(self.seen.len());
            self.digests.push(digest);
        }
        false
    }
}

/// Tells most names apart: length, first and last bytes.
fn digest(name: &[u8]) -> u64 {
    let mut front = [0; 8];
    let mut back = [0; 8];
    for (place, &byte) in front.iter_mut().zip(name) {
        *place = byte;
    }
    for (place, &byte) in back.iter_mut().zip(name.iter().rev()) {
        *place = byte;
    }
    let len = name.len() as u64;
    u64::from_le_bytes(front).rotate_left(23) ^ u64::from_le_bytes(back) ^ len
}

impl<S: LeafSink + ?Sized> Pass<'_, S> {
    /// `<name`
    pub(super) fn start(&mut self, name: &[u8], at: u64) {
        self.end_text();
        self.name_length(name, at);
        let state = &mut *self.state;
        let most = usize::try_from(state.limits.depth).unwrap_or(usize::MAX);
        if state.levels.len() >= most {
            state.beyond += 1;
            state.tag.begin(at);
            if state.beyond == 1 {
                self.charge(rule::DEPTH, Span::new(at, at + name.len() as u64));
            }
            return;
        }
        state.path.truncate(state.base + state.levels.len());
        state.path.push_name(name);
        state.levels.push(state.names.len());
        state.names.extend_from_slice(name);
        state.tag.begin(at);
        self.strange_name(name, at);
        match self.state.root {
            RootState::Before => self.begin_root(name, at),
            RootState::Inside => {}
            RootState::After => {
                self.state.root = RootState::Inside;
                self.charge(rule::SECOND_ROOT, Span::new(at, at + name.len() as u64));
            }
        }
    }

    /// The name of an attribute.
    pub(super) fn attribute(&mut self, name: &[u8], at: u64) {
        self.name_length(name, at);
        let span = Span::new(at, at + name.len() as u64);
        let tag = &mut self.state.tag;
        tag.attribute.clear();
        tag.attribute.extend_from_slice(name);
        tag.attribute_at = at;
        tag.attributes = tag.attributes.saturating_add(1);
        // A flood is a finding of its own; nothing more is learnt from comparing all of it.
        let repeated = tag.attributes <= self.state.limits.attributes && tag.repeats(name);
        if tag.attributes == self.state.limits.attributes.saturating_add(1) {
            self.charge(rule::ATTRIBUTES, span);
        }
        if repeated {
            self.charge(rule::DUPLICATE_ATTRIBUTE, span);
        }
        self.strange_name(name, at);
    }

    /// A name with bytes that no name may hold is a value in disguise.
    pub(super) fn strange_name(&mut self, name: &[u8], at: u64) {
        let plain = |&byte: &u8| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':' | b'.' | b'-' | 0x80..)
        };
        if !name.iter().all(plain) {
            let fragment = Fragment {
                raw: name,
                at,
                first: true,
                last: true,
            };
            self.aside(HostSyntax::Raw, &fragment);
        }
    }

    /// A value is complete, decoded.
    pub(super) fn attribute_value(&mut self, value: &[u8]) {
        let name = std::mem::take(&mut self.state.tag.attribute);
        let span = Span::new(self.state.tag.attribute_at, self.state.tag.attribute_at);
        let (prefix, local) = split(&name);
        self.svg_attribute(local, value, span);
        if name == b"xmlns" || prefix == b"xmlns" {
            let declared = if name == b"xmlns" { b"" } else { local };
            self.declare(declared, value, span);
        } else if matches!(local, b"schemaLocation" | b"noNamespaceSchemaLocation") {
            self.hint(&name, value, span.start);
        } else if matches!(local, b"select" | b"test" | b"href") && prefix.is_empty() {
            self.xslt(local, value, span);
        }
        self.state.tag.attribute = name;
    }

    fn declare(&mut self, prefix: &[u8], uri: &[u8], span: Span) {
        let namespace = Namespace::named(uri);
        if namespace == Namespace::Extension {
            self.charge(rule::XSLT_EXTENSION, span);
        }
        let depth = self.depth();
        let state = &mut *self.state;
        let kept = state.scope.declare(prefix, namespace, depth);
        state.tag.namespaces = state.tag.namespaces.saturating_add(1);
        if !kept || state.tag.namespaces == state.limits.namespaces.saturating_add(1) {
            self.charge(rule::NAMESPACES, span);
        }
    }

    fn hint(&mut self, name: &[u8], value: &[u8], at: u64) {
        let hints = &mut self.state.tag.hints;
        if hints.len() < COMPARED_HINTS {
            let value = value.get(..HINT_BYTES).unwrap_or(value);
            hints.push((name.to_vec(), value.to_vec(), at));
        }
    }

    /// XSLT that reads other documents: `document('…')`, `unparsed-text('…')`, `xsl:import`, `xsl:include`.
    fn xslt(&mut self, local: &[u8], value: &[u8], span: Span) {
        let Some(&start) = self.state.levels.last() else {
            return;
        };
        let element = self.state.names.get(start..).unwrap_or_default();
        let (prefix, element) = split(element);
        if self.state.scope.resolve(prefix) != Some(Namespace::Xslt) {
            return;
        }
        let reads = if local == b"href" {
            matches!(element, b"import" | b"include")
                && matches!(place::reach(value), Reach::Elsewhere | Reach::Inside)
        } else {
            READERS
                .iter()
                .any(|reader| memchr::memmem::find(value, reader).is_some())
        };
        if reads {
            self.charge(rule::XSLT_DOCUMENT, span);
        }
    }

    /// Event handlers and script links of an SVG image.
    fn svg_attribute(&mut self, local: &[u8], value: &[u8], span: Span) {
        if !self.state.is_svg {
            return;
        }
        let handler = local
            .strip_prefix(b"on")
            .is_some_and(|event| event.len() > 3 && event.iter().all(u8::is_ascii_lowercase));
        let link = || {
            let plain = value.iter().copied().filter(|byte| *byte > b' ');
            let front: Vec<u8> = plain.take(SCRIPT.len()).collect();
            front.eq_ignore_ascii_case(SCRIPT)
        };
        if handler || local == b"href" && link() {
            self.charge(rule::SVG_SCRIPT, span);
        }
    }

    /// `>` or `/>`: all of the element's namespaces are known.
    pub(super) fn end_start_tag(&mut self, tag: TagEnd, at: u64) {
        if self.state.beyond == 0 {
            self.resolve();
        }
        let hints = std::mem::take(&mut self.state.tag.hints);
        for (name, value, at) in &hints {
            self.schema_hint(name, value, Span::new(*at, *at));
        }
        self.state.tag.hints = hints;
        if tag == TagEnd::Empty {
            self.close(at);
        }
    }

    fn resolve(&mut self) {
        let Some(&start) = self.state.levels.last() else {
            return;
        };
        let name = self.state.names.get(start..).unwrap_or_default();
        let (prefix, local) = split(name);
        let namespace = self.state.scope.resolve(prefix);
        let unbound = prefix == b"xi" && namespace.is_none();
        let script = local == b"script" && self.state.is_svg;
        if script {
            let at = self.state.tag.at;
            self.charge(
                rule::SVG_SCRIPT,
                Span::new(at, at + name_len(local, prefix)),
            );
        } else if local == b"include" && (namespace == Some(Namespace::XInclude) || unbound) {
            let at = self.state.tag.at;
            self.charge(rule::XINCLUDE, Span::new(at, at + name_len(local, prefix)));
        }
    }

    /// XML Schema Part 1 §4.3.2.
    fn schema_hint(&mut self, name: &[u8], value: &[u8], span: Span) {
        let (prefix, local) = split(name);
        match self.state.scope.resolve(prefix) {
            Some(Namespace::SchemaInstance) => {}
            None if prefix == b"xsi" => {}
            Some(_) | None => return,
        }
        let mut worst = Reach::Harmless;
        if local == b"schemaLocation" {
            let mut words = value
                .split(u8::is_ascii_whitespace)
                .filter(|word| !word.is_empty());
            while let (Some(namespace), Some(location)) = (words.next(), words.next()) {
                worst = worst.max(place::hint(location, namespace));
            }
        } else {
            worst = place::hint(value, b"");
        }
        match worst {
            Reach::Harmless | Reach::Beside => {}
            Reach::Elsewhere => self.charge(rule::SCHEMA_ELSEWHERE, span),
            Reach::Inside => self.charge(rule::SCHEMA_INSIDE, span),
        }
    }

    /// `</name`
    pub(super) fn end(&mut self, name: &[u8], at: u64) {
        self.end_text();
        self.strange_name(name, at);
        let span = Span::new(at, at + name.len() as u64);
        if self.state.beyond > 0 {
            self.close(span.end);
            return;
        }
        let state = &mut *self.state;
        let Some(&start) = state.levels.last() else {
            self.charge(rule::MISMATCH, span);
            return;
        };
        let matches = state.names.get(start..) == Some(name);
        let parent = state
            .levels
            .len()
            .checked_sub(2)
            .and_then(|index| state.levels.get(index))
            .is_some_and(|&outer| state.names.get(outer..start) == Some(name));
        if !matches {
            self.charge(rule::MISMATCH, span);
            if parent {
                self.close(span.end);
            }
        }
        self.close(span.end);
    }

    /// The innermost element ends.
    fn close(&mut self, _at: u64) {
        let depth = self.depth();
        let state = &mut *self.state;
        state.scope.leave(depth);
        if state.beyond > 0 {
            state.beyond -= 1;
            return;
        }
        if let Some(start) = state.levels.pop() {
            state.names.truncate(start);
        }
        state.path.truncate(state.base + state.levels.len());
        if state.levels.is_empty() {
            state.root = RootState::After;
        }
    }

    fn depth(&self) -> u64 {
        self.state.levels.len() as u64 + self.state.beyond
    }

    fn name_length(&mut self, name: &[u8], at: u64) {
        let limit = usize::try_from(self.state.limits.name_bytes).unwrap_or(usize::MAX);
        if name.len() > limit {
            self.charge(rule::LONG_NAME, Span::new(at, at + name.len() as u64));
        }
    }
}

fn name_len(local: &[u8], prefix: &[u8]) -> u64 {
    (local.len() + prefix.len() + usize::from(!prefix.is_empty())) as u64
}

/// XSLT 1.0 §12.1, XSLT 2.0 §16.2 and XPath 3.0: functions that read what lies outside of the document.
const READERS: [&[u8]; 5] = [
    b"document(",
    b"unparsed-text(",
    b"doc(",
    b"collection(",
    b"json-doc(",
];

const SCRIPT: &[u8] = b"javascript:";

/// Attributes of one element that are compared with each other; more than the limit is a finding of its own.
const COMPARED_ATTRIBUTES: usize = 128;

/// Schema hints of one element that are looked at, and bytes of each.
const COMPARED_HINTS: usize = 4;
const HINT_BYTES: usize = 16 * 1024;
