//! Cross-site scripting.
//!
//! The value is read as HTML would be ([`html`]): elements that load or run code, event handlers, URLs and styles that
//! run ([`script`]). Beside that, values that break out of an attribute or of a string in a script. What an editor of
//! rich text writes (styles, classes, links and images over http) is no sign at all.

mod html;
mod script;

use super::{Evidence, Kind, Setting, Value};
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
            self.element(&tag);
            for attribute in Attributes::new(lower, &tag) {
                self.attribute(&tag, &attribute);
            }
            let dangerous = self.evidence.weight(Kind::Semantics) > before;
            if dangerous && self.mixed_case(&tag) {
                self.note(Kind::Evasion, 15, "mixed-case", start..tag.attributes);
            }
            if self.first_tag.is_none() {
                self.first_tag = Some((start, dangerous));
            }
        }
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

    fn element(&mut self, tag: &Tag<'_>) {
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
            b"base" => (self.has_attribute(tag, b"href", 45), "base-element"),
            b"link" => (self.has_attribute(tag, b"href", 45), "link-element"),
            b"xml" => (
                self.has_attribute(tag, b"src", 45)
                    .max(self.has_attribute(tag, b"id", 40)),
                "data-island",
            ),
            b"?import" | b"?xml-stylesheet" => (
                if tag.name == b"?import" { 50 } else { 0 },
                "import-instruction",
            ),
            b"?xml" | b"!doctype" | b"!--" => (0, ""),
            b"meta" => (self.has_attribute(tag, b"http-equiv", 50), "meta-element"),
            b"style" => {
                let body = self.body(tag.attributes);
                let end = memchr::memmem::find(body, b"</style").unwrap_or(body.len());
                let body = body.get(..end).unwrap_or_default();
                let runs = script::style_runs(body) || script::sink(body).is_some();
                (if runs { 60 } else { 10 }, "style-element")
            }
            b"set" | b"animate" | b"animatetransform" | b"animatemotion" => (
                self.has_attribute(tag, b"attributename", 50),
                "animation-element",
            ),
            b"listener" | b"handler" => (self.has_attribute(tag, b"event", 50), "event-element"),
            b"!entity" => (35, "entity-declaration"),
            b"form" => (self.has_attribute(tag, b"action", 30), "form-element"),
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

    fn has_attribute(&self, tag: &Tag<'_>, name: &[u8], weight: u8) -> u8 {
        let found = Attributes::new(self.value.lower, tag)
            .any(|attribute| attribute.assigned && local(attribute.name) == name);
        if found { weight } else { 0 }
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

    /// `" onmouseover=alert(1)`: a quote, a handler, an assignment, and no tag around.
    fn attribute_break_out(&mut self) {
        if self.value.setting != Setting::Short {
            return;
        }
        let lower = self.value.lower;
        for at in memchr::memmem::find_iter(lower, b"on") {
            let tail = lower.get(at..).unwrap_or_default();
            let length = tail
                .iter()
                .take(HANDLER_BYTES)
                .take_while(|byte| byte.is_ascii_alphabetic())
                .count();
            let name = tail.get(..length).unwrap_or_default();
            let assigned = tail.get(length..).unwrap_or_default().trim_ascii_start();
            let (Some(b'='), true) = (assigned.first(), is_handler(name)) else {
                continue;
            };
            let head = lower.get(..at).unwrap_or_default().trim_ascii_end();
            let quoted = matches!(head.last(), Some(b'"' | b'\'' | b'`' | b'/'))
                || head
                    .iter()
                    .rev()
                    .take(BREAK_BYTES)
                    .any(|byte| matches!(byte, b'"' | b'\'' | b'`'));
            let value = assigned.get(1..).unwrap_or_default();
            let value = value.get(..SCRIPT_BYTES).unwrap_or(value);
            let call = script::signs(value) == Script::Sink;
            let known = EVENTS.binary_search(&name).is_ok();
            if quoted {
                self.note(
                    Kind::Semantics,
                    if known || call { 45 } else { 20 },
                    "event-handler",
                    at..at + length,
                );
                self.note(Kind::BreakOut, 20, "attribute-break-out", at..at + 1);
            } else if call && (known || head.is_empty()) {
                self.note(Kind::Semantics, 45, "event-handler", at..at + length);
            }
            if call {
                self.note(Kind::Structure, 25, "script-call", at..at + length);
            }
            return;
        }
    }

    /// Calls of JavaScript that stand in the value as it is, or behind the end of a string.
    fn script_text(&mut self) {
        if self.value.setting != Setting::Short {
            return;
        }
        let lower = self.value.lower;
        let Some(at) = script::sink(lower) else {
            return;
        };
        self.note(Kind::Structure, 25, "script-call", at..at + 1);
        let head = lower.get(..at).unwrap_or_default();
        let breaks = breaks_string(head);
        if breaks {
            self.note(Kind::BreakOut, 25, "string-break-out", 0..at.max(1));
        }
        if lower.ends_with(b"//")
            || lower.ends_with(b"<!--")
            || breaks && matches!(lower.last(), Some(b'"' | b'\'' | b'`'))
        {
            self.note(
                Kind::Terminator,
                15,
                "comment",
                lower.len() - 1..lower.len(),
            );
        }
        // The value is that call and nothing else: no word of a sentence stands beside it.
        let words = self
            .value
            .bytes
            .split(|byte| byte.is_ascii_whitespace())
            .filter(|word| {
                word.len() >= 2
                    && word
                        .iter()
                        .all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b',' | b'.'))
            });
        if words.count() <= SCRIPT_WORDS {
            self.note(Kind::Semantics, 35, "script-call", at..at + 1);
        }
    }

    /// `javascript:` and its like, as the value or somewhere in it.
    fn urls(&mut self) {
        let lower = self.value.lower;
        if self.value.setting == Setting::Short {
            let url = script::url(lower);
            let hidden = !lower.starts_with(url.get(..6).unwrap_or_default())
                && memchr::memchr(b'&', lower).is_some();
            if script::scheme(&url) == Scheme::Runs
                && (url.len() > 12 || hidden)
                && !url.starts_with(b"data:;")
                && !url.starts_with(b"data:,")
            {
                // `Javascript: the good parts` is a title.
                let spaced = lower.iter().skip_while(|byte| **byte != b':').nth(1) == Some(&b' ');
                let title = spaced && !hidden && script::signs(&url) != Script::Sink;
                let weight = if title { 30 } else { 60 };
                self.note(
                    Kind::Semantics,
                    weight,
                    "script-url",
                    0..lower.len().min(16),
                );
            }
        }
        for scheme in ["javascript:", "vbscript:"] {
            let Some(at) = memchr::memmem::find(lower, scheme.as_bytes()) else {
                continue;
            };
            let after = lower.get(at + scheme.len()..).unwrap_or_default();
            let after = after.get(..SCRIPT_BYTES).unwrap_or(after);
            let call = script::signs(after) == Script::Sink;
            self.note(
                Kind::Semantics,
                if call { 45 } else { 25 },
                "script-url",
                at..at + scheme.len(),
            );
            if call {
                self.note(Kind::Structure, 20, "script-call", at..at + scheme.len());
            }
        }
    }

    /// The value of a style attribute or the text of a style element on its own.
    fn bare_style(&mut self) {
        if self.value.setting != Setting::Short {
            return;
        }
        let lower = self.value.lower;
        let sign = ["expression", "url(", "@import", "-moz-binding", "behavior"]
            .iter()
            .find_map(|sign| memchr::memmem::find(lower, sign.as_bytes()));
        if let Some(at) = sign
            && memchr::memchr(b'(', lower).is_some()
            && script::style_runs(lower)
        {
            self.note(Kind::Semantics, 50, "running-style", at..at + 1);
            if memchr::memchr2(b'"', b'\'', lower.get(..at).unwrap_or_default()).is_some()
                || script::signs(lower) == Script::Sink
            {
                self.note(Kind::BreakOut, 15, "attribute-break-out", at..at + 1);
            }
        }
    }

    /// JavaScript written in brackets and exclamation marks alone.
    fn symbols(&mut self) {
        let bytes = self.value.bytes;
        if bytes.len() < SYMBOL_BYTES
            || self.value.setting != Setting::Short
            || memchr::memmem::find(bytes, b"[]").is_none()
        {
            return;
        }
        let symbols = bytes
            .iter()
            .filter(|byte| matches!(byte, b'[' | b']' | b'(' | b')' | b'!' | b'+'))
            .count();
        if symbols * 10 >= bytes.len() * 9 {
            self.note(Kind::Semantics, 70, "symbol-script", 0..bytes.len());
        }
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
            Setting::Document => 65,
        };
        self.evidence.temper(percent);
        if let Some(span) = self.evidence.span()
            && is_quoted_code(self.value.bytes, span.start)
        {
            self.evidence.temper(CODE_PERCENT);
        }
    }
}

/// An attribute's name without its namespace prefix.
fn local(name: &[u8]) -> &[u8] {
    match memchr::memrchr(b':', name) {
        Some(colon) => name.get(colon + 1..).unwrap_or_default(),
        None => name,
    }
}

/// `onload`, `onwebkittransitionend`, and unknown ones of the same make.
fn is_handler(name: &[u8]) -> bool {
    name.len() >= 5
        && name.len() <= HANDLER_BYTES
        && name.starts_with(b"on")
        && name.iter().all(u8::is_ascii_alphabetic)
}

/// True when the text before a call ends a string or an expression: `';`, `")`, `'-`, `${`.
fn breaks_string(head: &[u8]) -> bool {
    let mut quote = false;
    for byte in head.iter().rev().take(BREAK_BYTES) {
        match byte {
            b'"' | b'\'' | b'`' => {
                quote = true;
                break;
            }
            b';' | b')' | b'}' | b'-' | b'+' | b'*' | b'^' | b',' | b'(' | b'{' | b'[' | b' '
            | b'\\' | b'/' | b'|' | b'&' | b'$' | b'=' | b':' | b'?' | b'<' | b'>' | b'%'
            | b'\n' | b'\r' => {}
            _ => return false,
        }
    }
    quote
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

/// Events of browsers, in lower case, sorted.
const EVENTS: &[&[u8]] = &[
    b"onabort",
    b"onactivate",
    b"onafterprint",
    b"onanimationend",
    b"onanimationstart",
    b"onauxclick",
    b"onbeforecopy",
    b"onbeforecut",
    b"onbeforeinput",
    b"onbeforepaste",
    b"onbeforeprint",
    b"onbeforeunload",
    b"onbegin",
    b"onblur",
    b"onbounce",
    b"oncanplay",
    b"onchange",
    b"onclick",
    b"onclose",
    b"oncontextmenu",
    b"oncopy",
    b"oncut",
    b"ondblclick",
    b"ondrag",
    b"ondragend",
    b"ondragenter",
    b"ondragleave",
    b"ondragover",
    b"ondragstart",
    b"ondrop",
    b"onend",
    b"onended",
    b"onerror",
    b"onfinish",
    b"onfocus",
    b"onfocusin",
    b"onfocusout",
    b"onformdata",
    b"onfullscreenchange",
    b"onhashchange",
    b"oninput",
    b"oninvalid",
    b"onkeydown",
    b"onkeypress",
    b"onkeyup",
    b"onload",
    b"onloadeddata",
    b"onloadend",
    b"onloadstart",
    b"onmessage",
    b"onmousedown",
    b"onmouseenter",
    b"onmouseleave",
    b"onmousemove",
    b"onmouseout",
    b"onmouseover",
    b"onmouseup",
    b"onmousewheel",
    b"onmove",
    b"onpagehide",
    b"onpageshow",
    b"onpaste",
    b"onplay",
    b"onplaying",
    b"onpointerdown",
    b"onpointerenter",
    b"onpointermove",
    b"onpointerover",
    b"onpointerup",
    b"onpopstate",
    b"onprogress",
    b"onpropertychange",
    b"onreadystatechange",
    b"onrepeat",
    b"onreset",
    b"onresize",
    b"onscroll",
    b"onsearch",
    b"onselect",
    b"onselectstart",
    b"onshow",
    b"onstart",
    b"onstorage",
    b"onsubmit",
    b"ontoggle",
    b"ontouchend",
    b"ontouchmove",
    b"ontouchstart",
    b"ontransitionend",
    b"onunload",
    b"onwebkitanimationend",
    b"onwheel",
    b"onzoom",
];

/// Bytes of a script or handler that are looked at.
const SCRIPT_BYTES: usize = 2048;
/// Letters of the longest name of an event.
const HANDLER_BYTES: usize = 48;
/// Bytes before a call or a handler in which a quote breaks out.
const BREAK_BYTES: usize = 24;
/// Words of a sentence that a value may have beside its call and still be nothing but a call.
const SCRIPT_WORDS: usize = 3;
/// Bytes below which brackets are punctuation.
const SYMBOL_BYTES: usize = 24;
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
    fn events_are_sorted() {
        assert!(EVENTS.is_sorted());
    }

    #[test]
    fn fences_and_backticks_are_quoted_code() {
        assert!(is_quoted_code(b"a\n```html\n<script>", 10));
        assert!(is_quoted_code(b"use `<script>`", 5));
        assert!(!is_quoted_code(b"a `b` <script>", 6));
    }
}
