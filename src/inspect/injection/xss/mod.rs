//! Cross-site scripting.
//!
//! The value is read as HTML would be ([`html`]): elements that load or run code, event handlers ([`events`]), URLs and
//! styles that run ([`script`]). Beside that, values that break out of an attribute or of a string in a script ([`text`]).
//! What an editor of
//! rich text writes (styles, classes, links and images over http) is no sign at all.

mod events;
mod html;
mod script;
mod text;

use super::{Evidence, Kind, Setting, Value};
use crate::inspect::leaf::HostSyntax;
use events::is_handler;
use html::{Attribute, Attributes, Tag};
use script::{Scheme, Script};

/// Words of which one at least stands in every value that this detector can find something in.
pub const ANCHORS: &[&str] = &anchors();

const fn anchors() -> [&'static str; WORDS.len() + script::SINKS.len()] {
    let mut words = [""; WORDS.len() + script::SINKS.len()];
    let mut index = 0;
    while index < words.len() {
        words[index] = if index < WORDS.len() {
            WORDS[index]
        } else {
            script::SINKS[index - WORDS.len()].0
        };
        index += 1;
    }
    words
}

const WORDS: &[&str] = &[
    "<",
    "=",
    "script:",
    "expression",
    "url(",
    "@import",
    "data:",
    "-moz-binding",
    "behavior",
    "mhtml:",
    "[]",
    "vbs:",
    "mocha:",
];

/// Notes evidence of the class in `value`.
pub fn look(value: &Value<'_>, evidence: &mut Evidence) {
    let mut look = Look {
        value,
        evidence,
        closings: 0,
        first_tag: None,
        scripted: 0,
        reached: 0,
        again: AGAIN_FLOOR + AGAIN_FACTOR * value.lower.len(),
    };
    look.tags();
    look.attribute_break_out();
    if value.anchors().next().is_some() {
        look.script_text();
        look.urls();
        look.bare_style();
        look.symbols();
    }
    look.entrance();
    look.temper();
}

struct Look<'a> {
    value: &'a Value<'a>,
    evidence: &'a mut Evidence,
    closings: usize,
    /// Offset of the first tag, and whether it is a dangerous one.
    first_tag: Option<(usize, bool)>,
    /// Up to where bodies of scripts and styles were read: none is read twice.
    scripted: usize,
    /// Up to where attributes were read.
    reached: usize,
    /// Bytes that may still be read again: a tag may stand in an attribute of the tag before, and so on.
    again: usize,
}

impl<'a> Look<'a> {
    fn note(&mut self, kind: Kind, weight: u8, name: &'static str, at: std::ops::Range<usize>) {
        self.evidence.note_at(kind, weight, name, at);
    }

    fn tags(&mut self) {
        let lower = self.value.lower;
        for start in memchr::memchr_iter(b'<', lower) {
            let Some(tag) = html::tag(lower, start) else {
                self.odd_tag(start);
                continue;
            };
            if tag.closes {
                self.closing(&tag);
                continue;
            }
            let before = self.evidence.weight(Kind::Semantics);
            let open = self.open(&tag);
            self.element(&tag, open);
            self.attributes(&tag, open);
            let dangerous = self.evidence.weight(Kind::Semantics) > before;
            if dangerous && self.mixed_case(&tag) {
                self.note(Kind::Evasion, 15, "mixed-case", start..tag.attributes);
            }
            if self.first_tag.is_none() {
                self.first_tag = Some((start, dangerous));
            }
        }
    }

    /// The value as far as the attributes of `tag` are read.
    fn open(&mut self, tag: &Tag<'_>) -> &'a [u8] {
        let lower = self.value.lower;
        if self.reached <= tag.start || self.again > 0 {
            return lower;
        }
        // No page nests so much: what is not read for it is no small thing.
        let at = tag.start..tag.attributes;
        self.note(Kind::Semantics, 60, "tag-flood", at.clone());
        self.note(Kind::Evasion, 45, "tags-in-attributes", at);
        lower.get(..tag.attributes).unwrap_or_default()
    }

    fn attributes(&mut self, tag: &Tag<'_>, lower: &'a [u8]) {
        let mut attributes = Attributes::new(lower, tag);
        for attribute in attributes.by_ref() {
            self.attribute(tag, &attribute);
        }
        if self.reached > tag.start {
            self.again = self.again.saturating_sub(attributes.at - tag.start);
        }
        self.reached = self.reached.max(attributes.at);
    }

    /// `<` before something that is a tag only after a filter took bytes out: `<\x00script`, `< script`.
    fn odd_tag(&mut self, start: usize) {
        let after = self.value.lower.get(start + 1..).unwrap_or_default();
        let skipped = after
            .iter()
            .take(8)
            .take_while(|byte| matches!(byte, b' ' | b'\t' | b'<' | b'\\' | b'/' | 0..0x20))
            .count();
        let rest = after.get(skipped..).unwrap_or_default();
        if skipped > 0
            && rest.starts_with(b"script")
            && !rest.get(6).is_some_and(u8::is_ascii_alphanumeric)
        {
            self.note(Kind::Semantics, 45, "script-element", start..start + 1);
        }
    }

    fn closing(&mut self, tag: &Tag<'_>) {
        if matches!(
            tag.name,
            b"script"
                | b"textarea"
                | b"title"
                | b"style"
                | b"noscript"
                | b"xmp"
                | b"iframe"
                | b"template"
        ) {
            self.closings += 1;
            let opened = self.first_tag.is_some();
            if !opened && self.value.setting == Setting::Short {
                self.note(
                    Kind::BreakOut,
                    25,
                    "element-break-out",
                    tag.start..tag.attributes,
                );
            }
            if !opened && self.closings >= 3 {
                self.note(
                    Kind::Semantics,
                    45,
                    "element-break-out",
                    tag.start..tag.attributes,
                );
            }
        }
    }

    fn element(&mut self, tag: &Tag<'_>, open: &[u8]) {
        let at = tag.start..tag.attributes;
        let (weight, name) = match tag.name {
            b"script" => {
                let body = self.body(tag.attributes);
                if script::signs(body) == Script::Sink {
                    self.note(Kind::Structure, 25, "script-call", at.clone());
                }
                (60, "script-element")
            }
            b"iframe" | b"frame" | b"portal" | b"fencedframe" => (45, "frame-element"),
            b"vmlframe" | b"imported" | b"frameset" | b"ilayer" | b"layer" | b"bgsound"
            | b"isindex" | b"event-source" | b"xss" | b"htmlfile" => (45, "script-like-element"),
            b"object" | b"embed" | b"applet" => (45, "plugin-element"),
            b"base" => (has_attribute(open, tag, b"href", 45), "base-element"),
            b"link" => (has_attribute(open, tag, b"href", 45), "link-element"),
            b"xml" => (
                has_attribute(open, tag, b"src", 45).max(has_attribute(open, tag, b"id", 40)),
                "data-island",
            ),
            b"?import" | b"?xml-stylesheet" => (
                if tag.name == b"?import" { 50 } else { 0 },
                "import-instruction",
            ),
            b"?xml" | b"!doctype" | b"!--" => (0, ""),
            b"meta" => (has_attribute(open, tag, b"http-equiv", 50), "meta-element"),
            b"style" => {
                let body = self.body(tag.attributes);
                let end = memchr::memmem::find(body, b"</style").unwrap_or(body.len());
                let body = body.get(..end).unwrap_or_default();
                let runs = script::style_runs(body) || script::sink(body).is_some();
                (if runs { 60 } else { 10 }, "style-element")
            }
            b"set" | b"animate" | b"animatetransform" | b"animatemotion" => (
                has_attribute(open, tag, b"attributename", 50),
                "animation-element",
            ),
            b"listener" | b"handler" => (has_attribute(open, tag, b"event", 50), "event-element"),
            b"!entity" => (35, "entity-declaration"),
            b"form" => (has_attribute(open, tag, b"action", 30), "form-element"),
            b"svg" | b"math" => (10, "foreign-element"),
            _ => (0, ""),
        };
        self.note_if(Kind::Semantics, weight, name, at);
    }

    /// What follows an opening tag, up to [`SCRIPT_BYTES`] of it, without what was read for a tag before.
    fn body(&mut self, from: usize) -> &'a [u8] {
        let from = from.max(self.scripted);
        let body = self.value.lower.get(from..).unwrap_or_default();
        let body = body.get(..SCRIPT_BYTES).unwrap_or(body);
        self.scripted = from + body.len();
        body
    }

    fn note_if(&mut self, kind: Kind, weight: u8, name: &'static str, at: std::ops::Range<usize>) {
        if weight > 0 {
            self.note(kind, weight, name, at);
        }
    }

    fn attribute(&mut self, tag: &Tag<'_>, attribute: &Attribute<'_>) {
        let at = attribute.start..attribute.end;
        let name = local(attribute.name);
        if is_handler(name) && attribute.assigned {
            let value = attribute.value;
            // JSX and templates: the value is an expression of the page's own program.
            let bound = value.first() == Some(&b'{');
            self.note(
                Kind::Semantics,
                if bound { 15 } else { 60 },
                "event-handler",
                at.clone(),
            );
            if script::signs(value) == Script::Sink
                || script::scheme(&script::url(value)) == Scheme::Runs
            {
                self.note(Kind::Structure, 25, "script-call", at);
            }
            return;
        }
        if !attribute.assigned || attribute.value.is_empty() {
            return;
        }
        match name {
            b"srcdoc" => self.note(Kind::Semantics, 60, "srcdoc", at),
            b"style" => {
                if script::style_runs(attribute.value) {
                    self.note(Kind::Semantics, 60, "running-style", at);
                }
            }
            b"attributename" => {
                let target = local(attribute.value);
                if is_handler(target) || matches!(target, b"href" | b"src") {
                    self.note(Kind::Structure, 25, "animated-attribute", at);
                }
            }
            b"allowscriptaccess" => self.note(Kind::Structure, 25, "script-access", at),
            b"formaction" | b"dynsrc" | b"lowsrc" | b"datasrc" => {
                self.note(Kind::Structure, 15, "odd-source", at.clone());
                self.url_attribute(tag, attribute);
            }
            _ => self.url_attribute(tag, attribute),
        }
    }

    fn url_attribute(&mut self, tag: &Tag<'_>, attribute: &Attribute<'_>) {
        let value = attribute.value;
        let suspicious = memchr::memmem::find(value, b":").is_some()
            || memchr::memchr(b'&', value).is_some()
            || memchr::memchr(b'\\', value).is_some();
        if !suspicious || value.starts_with(b"http://") || value.starts_with(b"https://") {
            return;
        }
        let at = attribute.start..attribute.end;
        let url = script::url(value);
        match script::scheme(&url) {
            Scheme::Runs => {
                let idle = matches!(
                    url.as_slice(),
                    b"javascript:void(0)"
                        | b"javascript:;"
                        | b"javascript:void(0);"
                        | b"javascript:"
                );
                self.note(
                    Kind::Semantics,
                    if idle { 30 } else { 60 },
                    "script-url",
                    at.clone(),
                );
                if script::signs(&url) == Script::Sink {
                    self.note(Kind::Structure, 25, "script-call", at);
                }
            }
            Scheme::Carries
                if matches!(
                    tag.name,
                    b"a" | b"iframe"
                        | b"object"
                        | b"embed"
                        | b"script"
                        | b"use"
                        | b"frame"
                        | b"form"
                        | b"event-source"
                        | b"link"
                        | b"x"
                        | b"image"
                        | b"animate"
                        | b"set"
                ) =>
            {
                self.note(Kind::Semantics, 60, "document-url", at);
            }
            Scheme::Carries => self.note(Kind::Semantics, 25, "document-url", at),
            Scheme::Plain => {
                if memchr::memmem::find(&url, b"javascript:").is_some()
                    && local(attribute.name) != b"alt"
                {
                    self.note(Kind::Semantics, 50, "script-url", at);
                }
            }
        }
    }

    fn mixed_case(&self, tag: &Tag<'_>) -> bool {
        let name = self
            .value
            .bytes
            .get(tag.start + 1..tag.attributes)
            .unwrap_or_default();
        name.iter().any(u8::is_ascii_uppercase)
            && name.windows(2).any(
                |pair| matches!(pair, [a, b] if a.is_ascii_lowercase() && b.is_ascii_uppercase()),
            )
    }

    /// How the value gets into the page.
    fn entrance(&mut self) {
        if self.evidence.weight(Kind::Semantics) < 20 {
            return;
        }
        let lower = self.value.lower;
        match self.first_tag {
            Some((start, dangerous)) => {
                let head = lower.get(..start).unwrap_or_default().trim_ascii_end();
                if head.is_empty() && dangerous {
                    self.note(Kind::Position, 15, "all-of-it", start..start + 1);
                }
                let breaks = matches!(
                    head.last(),
                    Some(b'"' | b'\'' | b'>' | b'`' | b')' | b';' | b'}')
                ) || head.ends_with(b"--")
                    || head.ends_with(b"]]");
                if breaks && self.value.setting == Setting::Short {
                    self.note(
                        Kind::BreakOut,
                        25,
                        "attribute-break-out",
                        start.saturating_sub(1)..start,
                    );
                }
            }
            None if self.evidence.weight(Kind::Semantics) >= 35 && !self.value.is_prose() => {
                let first = lower.trim_ascii_start().first();
                if first.is_some_and(|byte| !byte.is_ascii_digit()) {
                    self.note(Kind::Position, 5, "short-value", 0..1);
                }
            }
            None => {}
        }
    }

    fn temper(&mut self) {
        let percent = match self.value.setting {
            Setting::Short => return,
            Setting::Prose => 75,
            // Scripts belong into pages, which bodies are; what is text otherwise has none outside of quoted code.
            Setting::Document if is_of_page(self.value) => 65,
            Setting::Document => 72,
        };
        self.evidence.temper(percent);
        if let Some(span) = self.evidence.span()
            && is_quoted_code(self.value.bytes, span.start)
        {
            self.evidence.temper(CODE_PERCENT);
        }
    }
}

/// `weight` when the tag has such an attribute, 0 when not.
fn has_attribute(open: &[u8], tag: &Tag<'_>, name: &[u8], weight: u8) -> u8 {
    let found = Attributes::new(open, tag)
        .any(|attribute| attribute.assigned && local(attribute.name) == name);
    if found { weight } else { 0 }
}

/// An attribute's name without its namespace prefix.
fn local(name: &[u8]) -> &[u8] {
    match memchr::memrchr(b':', name) {
        Some(colon) => name.get(colon + 1..).unwrap_or_default(),
        None => name,
    }
}

/// True for a page, for what decodes from one, and for a body that may be one.
fn is_of_page(value: &Value<'_>) -> bool {
    let front = value.lower.trim_ascii_start();
    value.host == HostSyntax::Raw
        || value.layers > 0
        || front.starts_with(b"<!doctype html")
        || front.starts_with(b"<html")
}

/// True when the byte at `at` stands in a fenced block or between backticks of its line.
pub(super) fn is_quoted_code(bytes: &[u8], at: usize) -> bool {
    let head = bytes.get(..at).unwrap_or(bytes);
    let fences = memchr::memmem::find_iter(head, b"```").count()
        + memchr::memmem::find_iter(head, b"~~~").count();
    if fences % 2 == 1 {
        return true;
    }
    let line = memchr::memrchr(b'\n', head)
        .map_or(head, |start| head.get(start + 1..).unwrap_or_default());
    memchr::memchr_iter(b'`', line).count() % 2 == 1
        || line.starts_with(b"    ")
        || line.starts_with(b"\t")
}

/// Times that the bytes of a value may be read again for tags inside of attributes, and bytes beside that.
const AGAIN_FACTOR: usize = 2;
const AGAIN_FLOOR: usize = 4096;
/// Bytes of a script or handler that are looked at.
const SCRIPT_BYTES: usize = 2048;
/// What is left of a score in code that a text quotes.
const CODE_PERCENT: u8 = 40;

/// The tags and attributes of a value in ASCII lower case, for an explanation.
pub(super) fn tokens(lower: &[u8]) -> Vec<(String, std::ops::Range<usize>)> {
    let mut tokens = Vec::new();
    for start in memchr::memchr_iter(b'<', lower) {
        let Some(tag) = html::tag(lower, start) else {
            continue;
        };
        let kind = if tag.closes { "EndTag" } else { "Tag" };
        tokens.push((kind.to_owned(), start..tag.attributes));
        for attribute in html::Attributes::new(lower, &tag) {
            tokens.push(("Attribute".to_owned(), attribute.start..attribute.end));
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fences_and_backticks_are_quoted_code() {
        assert!(is_quoted_code(b"a\n```html\n<script>", 10));
        assert!(is_quoted_code(b"use `<script>`", 5));
        assert!(!is_quoted_code(b"a `b` <script>", 6));
    }
}
