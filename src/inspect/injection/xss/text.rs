//! Values that hold no markup: what is put into an attribute, a script, a URL or a style.

use super::events::{HANDLER_BYTES, is_handler, is_known};
use super::script::{self, Scheme, Script};
use super::{Kind, Look, SCRIPT_BYTES, Setting};

impl Look<'_> {
    /// `" onmouseover=alert(1)`: a quote, a handler, an assignment, and no tag around.
    pub(super) fn attribute_break_out(&mut self) {
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
            let known = is_known(name);
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
    pub(super) fn script_text(&mut self) {
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
    pub(super) fn urls(&mut self) {
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
    pub(super) fn bare_style(&mut self) {
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
    pub(super) fn symbols(&mut self) {
        // A form's `+` may have become a blank.
        let bytes = self.value.bytes.trim_ascii();
        let is_symbol = |byte: &u8| matches!(byte, b'[' | b']' | b'(' | b')' | b'!' | b'+' | b' ');
        if self.value.setting != Setting::Short || memchr::memmem::find(bytes, b"[]").is_none() {
            return;
        }
        let symbols = bytes.iter().filter(|byte| is_symbol(byte)).count();
        let coerces = ["!![]", "![]+", "![] ", "+[]", "+!"]
            .iter()
            .any(|sign| memchr::memmem::find(bytes, sign.as_bytes()).is_some());
        let most = bytes.len() >= SYMBOL_BYTES && symbols * 10 >= bytes.len() * 9;
        let all = bytes.len() >= FEWEST_SYMBOLS && symbols == bytes.len();
        if most || all && coerces {
            self.note(
                Kind::Semantics,
                70,
                "symbol-script",
                0..self.value.bytes.len(),
            );
        }
    }
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

/// Bytes before a call or a handler in which a quote breaks out.
const BREAK_BYTES: usize = 24;
/// Words of a sentence that a value may have beside its call and still be nothing but a call.
const SCRIPT_WORDS: usize = 3;
/// Bytes of the shortest coercion: `+!![]`.
const FEWEST_SYMBOLS: usize = 5;
/// Bytes below which brackets are punctuation.
const SYMBOL_BYTES: usize = 24;
