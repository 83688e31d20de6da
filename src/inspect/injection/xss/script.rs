//! Signs of JavaScript in a piece of text, and URLs that carry it.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::super::decode;

/// How sure a piece of text is JavaScript that does something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Script {
    /// No sign.
    None,
    /// It has a name of the browser's world, or a call.
    Some,
    /// It calls what attackers call.
    Sink,
}

/// Looks for calls and properties in `lower`.
pub(super) fn signs(lower: &[u8]) -> Script {
    if sink(lower).is_some() {
        Script::Sink
    } else if PROPERTIES
        .iter()
        .any(|name| memchr::memmem::find(lower, name.as_bytes()).is_some())
    {
        Script::Some
    } else {
        Script::None
    }
}

/// Where a sink is called or assigned: the offset of its name.
pub(super) fn sink(lower: &[u8]) -> Option<usize> {
    for found in SINK_WORDS.find_overlapping_iter(lower) {
        let Some((_, need)) = SINKS.get(found.pattern().as_usize()) else {
            continue;
        };
        // `my-alert(1)` is a name, `-alert(1)` a subtraction.
        let head = lower.get(..found.start()).unwrap_or_default();
        let name = head.strip_suffix(b"-").unwrap_or(head);
        let glued = name
            .last()
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        if !(glued && need.word_before())
            && need.is_met(lower.get(found.end()..).unwrap_or_default())
        {
            return Some(found.start());
        }
    }
    None
}

/// One automaton over the names of [`SINKS`], for slices of a value: handlers, URLs, bodies of scripts.
static SINK_WORDS: LazyLock<AhoCorasick> = LazyLock::new(|| {
    AhoCorasick::builder()
        .match_kind(MatchKind::Standard)
        .kind(Some(AhoCorasickKind::DFA))
        .build(SINKS.iter().map(|(name, _)| name))
        .expect("fifty short names fit the automaton's limits")
});

/// What must follow a name for it to be a sink.
#[derive(Clone, Copy, Debug)]
pub(super) enum Need {
    /// A call whose argument is no English word: `alert(1)`, `alert('`, ``alert`1` ``, `alert(document`.
    Call,
    /// An opening bracket or nothing: the name alone is telling.
    Nothing,
    /// An assignment.
    Assignment,
    /// A known member of an object of the browser: `document.cookie`, `document /**/ ["domain"]`.
    Member,
    /// A member whose name is computed or quoted: `self["al"+"ert"]`.
    Computed,
}

impl Need {
    fn word_before(self) -> bool {
        !matches!(self, Self::Nothing)
    }

    fn is_met(self, after: &[u8]) -> bool {
        // `alert/*x*/(1)`, `alert (1)`, `(alert)(1)`, `alert?.(1)`.
        let skipped = after
            .iter()
            .take(CALL_BYTES)
            .take_while(|byte| {
                matches!(
                    byte,
                    b' ' | b'\t' | b'\n' | b'\r' | b')' | b'?' | b'.' | b'"' | b'\'' | b']' | b'\\'
                )
            })
            .count();
        let rest = after.get(skipped..).unwrap_or_default();
        match self {
            Self::Nothing => true,
            Self::Member => member(after),
            Self::Computed => after.strip_prefix(b"[").is_some_and(|inside| {
                matches!(
                    inside.trim_ascii_start().first(),
                    Some(b'"' | b'\'' | b'`' | b'(' | b'/' | b'\\' | b'+')
                )
            }),
            Self::Assignment => rest.first() == Some(&b'=') && rest.get(1) != Some(&b'='),
            Self::Call => {
                if rest.starts_with(b"/*")
                    || rest.starts_with(b"`")
                    || rest.starts_with(b"&lpar;")
                    || rest.starts_with(b"&#")
                {
                    return true;
                }
                if rest.starts_with(b".call") || rest.starts_with(b".apply") {
                    return true;
                }
                rest.strip_prefix(b"(").is_some_and(argument)
            }
        }
    }
}

/// True when a known member of `document` follows, comments and white space between.
fn member(after: &[u8]) -> bool {
    let mut rest = after;
    for _ in 0..MEMBER_GAPS {
        rest = rest.trim_ascii_start();
        if let Some(body) = rest.strip_prefix(b"/*") {
            let near = body.get(..COMMENT_BYTES).unwrap_or(body);
            rest = memchr::memmem::find(near, b"*/")
                .and_then(|end| body.get(end + 2..))
                .unwrap_or_default();
        } else if let Some(next) = rest
            .strip_prefix(b".")
            .or_else(|| rest.strip_prefix(b"?"))
            .or_else(|| rest.strip_prefix(b")"))
        {
            rest = next;
        } else {
            break;
        }
    }
    if rest.starts_with(b"[") {
        return true;
    }
    rest.len() < after.len()
        && MEMBERS
            .iter()
            .any(|known| rest.starts_with(known.as_bytes()))
}

/// Members of `document` that scripts of attacks use.
const MEMBERS: &[&str] = &[
    "cookie",
    "domain",
    "write",
    "location",
    "body",
    "documentelement",
    "forms",
    "getelement",
    "queryselector",
    "createelement",
    "title",
    "head.",
    "url",
    "referrer",
    "scripts",
    "images",
    "open(",
    "execcommand",
    "execscript",
    "defaultview",
    "implementation",
    "all[",
    "all.",
    "links",
    "anchors",
    "embeds",
    "xml",
    "styleSheets",
];

/// Bytes of a comment in such a gap: as many as of an attribute are read.
const COMMENT_BYTES: usize = 4096;
/// Gaps between an object and its member.
const MEMBER_GAPS: usize = 8;

/// True when what follows the bracket is no word of a sentence.
fn argument(inside: &[u8]) -> bool {
    let inside = inside.trim_ascii_start();
    let word = inside
        .iter()
        .take_while(|byte| byte.is_ascii_alphabetic())
        .count();
    match inside.first() {
        None => true,
        Some(byte) if byte.is_ascii_alphabetic() => {
            let after = inside.get(word..).unwrap_or_default();
            let name = inside.get(..word).unwrap_or_default();
            matches!(
                name,
                b"document"
                    | b"window"
                    | b"location"
                    | b"this"
                    | b"self"
                    | b"top"
                    | b"name"
                    | b"atob"
                    | b"string"
                    | b"xss"
                    | b"cookie"
                    | b"origin"
                    | b"function"
            ) || matches!(after.first(), Some(b'.' | b'(' | b'[' | b'+' | b'`'))
        }
        Some(_) => true,
    }
}

/// A URL as a browser reads it: references decoded, white space and control characters out, lower case. At most
/// [`URL_BYTES`] of it.
pub(super) fn url(value: &[u8]) -> Vec<u8> {
    let head = value.get(..URL_BYTES).unwrap_or(value);
    let mut decoded = Vec::with_capacity(head.len());
    if !decode::entity(head, &mut decoded) {
        decoded.clear();
        decoded.extend_from_slice(head);
    }
    decoded.retain(|byte| *byte > b' ' && *byte != 0x7f && !matches!(byte, b'\\'));
    decoded.make_ascii_lowercase();
    decoded
}

/// What a URL may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    /// It runs code: `javascript:`, `vbscript:`, `data:text/html`.
    Runs,
    /// It may carry markup: other `data:` documents, `mhtml:`.
    Carries,
    /// Anything else.
    Plain,
}

/// The scheme of a URL that [`url`] has put in order.
pub(super) fn scheme(url: &[u8]) -> Scheme {
    let url = url
        .strip_prefix(b"feed:")
        .or_else(|| url.strip_prefix(b"view-source:"))
        .unwrap_or(url);
    let url = url.strip_prefix(b"url=").unwrap_or(url);
    if [
        "javascript:",
        "vbscript:",
        "livescript:",
        "mocha:",
        "vbs:",
        "jscript:",
    ]
    .iter()
    .any(|scheme| url.starts_with(scheme.as_bytes()))
    {
        return Scheme::Runs;
    }
    let Some(media) = url.strip_prefix(b"data:") else {
        let carries = url.starts_with(b"mhtml:") || url.starts_with(b"jar:");
        return if carries {
            Scheme::Carries
        } else {
            Scheme::Plain
        };
    };
    let image = [
        "image/png",
        "image/jpeg",
        "image/jpg",
        "image/gif",
        "image/webp",
        "image/x-icon",
        "image/bmp",
        "image/avif",
        "font/",
        "audio/",
        "video/",
    ]
    .iter()
    .any(|known| media.starts_with(known.as_bytes()));
    if image || media.is_empty() {
        Scheme::Plain
    } else if media.starts_with(b"text/html")
        || media.starts_with(b"application/xhtml")
        || media.starts_with(b",")
        || media.starts_with(b";")
        || media.starts_with(b"text/javascript")
        || media.starts_with(b"application/javascript")
    {
        Scheme::Runs
    } else {
        Scheme::Carries
    }
}

/// True for the text of a style that runs code in some browser. Comments, escapes and white space are skipped.
pub(super) fn style_runs(style: &[u8]) -> bool {
    let mut text = Vec::new();
    let head = style.get(..STYLE_BYTES).unwrap_or(style);
    let mut decoded = Vec::new();
    let head = if decode::entity(head, &mut decoded) {
        decoded.as_slice()
    } else {
        head
    };
    let mut unescaped = Vec::new();
    css_unescape(head, &mut unescaped);
    let mut rest = unescaped.as_slice();
    while let Some(at) = memchr::memmem::find(rest, b"/*") {
        text.extend_from_slice(rest.get(..at).unwrap_or_default());
        let body = rest.get(at + 2..).unwrap_or_default();
        rest = memchr::memmem::find(body, b"*/")
            .map_or(&[] as &[u8], |end| body.get(end + 2..).unwrap_or_default());
    }
    text.extend_from_slice(rest);
    text.retain(|byte| *byte > b' ' && *byte != b'\\');
    text.make_ascii_lowercase();
    [
        "expression(",
        "javascript:",
        "vbscript:",
        "-moz-binding:",
        "behavior:url",
        "behaviour:url",
        "@import",
        "-o-link:",
        "data:text/html",
        "data:image/svg",
    ]
    .iter()
    .any(|sign| memchr::memmem::find(&text, sign.as_bytes()).is_some())
}

/// Undoes `\65 xpression`.
fn css_unescape(style: &[u8], out: &mut Vec<u8>) {
    let mut rest = style;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(rest.get(..at).unwrap_or_default());
        let body = rest.get(at + 1..).unwrap_or_default();
        let count = body
            .iter()
            .take(6)
            .take_while(|byte| byte.is_ascii_hexdigit())
            .count();
        let value = body
            .get(..count)
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .and_then(char::from_u32);
        match value {
            Some(char) => {
                out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                let tail = body.get(count..).unwrap_or_default();
                rest = tail.strip_prefix(b" ").unwrap_or(tail);
            }
            None => rest = body,
        }
    }
    out.extend_from_slice(rest);
}

/// Names whose call or assignment does harm or shows that harm could be done.
pub(super) const SINKS: &[(&str, Need)] = &[
    ("alert", Need::Call),
    ("confirm", Need::Call),
    ("prompt", Need::Call),
    ("eval", Need::Call),
    ("settimeout", Need::Call),
    ("setinterval", Need::Call),
    ("execscript", Need::Call),
    ("new function", Need::Nothing),
    ("msgbox", Need::Nothing),
    ("document", Need::Member),
    ("self", Need::Computed),
    ("top", Need::Computed),
    ("this", Need::Computed),
    ("parent", Need::Computed),
    ("frames", Need::Computed),
    ("window", Need::Computed),
    ("globalthis", Need::Computed),
    ("console", Need::Computed),
    ("btoa", Need::Call),
    ("decodeuri", Need::Nothing),
    ("unescape", Need::Call),
    ("localstorage", Need::Member),
    ("sessionstorage", Need::Member),
    ("localstorage.", Need::Nothing),
    ("sessionstorage.", Need::Nothing),
    ("reflect.", Need::Nothing),
    ("top.location", Need::Nothing),
    ("parent.location", Need::Nothing),
    ("self.location", Need::Nothing),
    ("postmessage", Need::Call),
    ("$.get", Need::Call),
    ("constructor(", Need::Nothing),
    ("[\"constructor", Need::Nothing),
    ("['constructor", Need::Nothing),
    ("call`", Need::Nothing),
    ("`${alert", Need::Nothing),
    ("`${eval", Need::Nothing),
    ("map(alert", Need::Nothing),
    ("find(alert", Need::Nothing),
    ("foreach(alert", Need::Nothing),
    ("=alert", Need::Nothing),
    ("{alert", Need::Nothing),
    ("window.location", Need::Assignment),
    ("window.open", Need::Call),
    ("window.name", Need::Nothing),
    ("location.href", Need::Assignment),
    ("location.replace", Need::Call),
    ("location.assign", Need::Call),
    ("location", Need::Assignment),
    ("string.fromcharcode", Need::Nothing),
    (".innerhtml", Need::Assignment),
    (".outerhtml", Need::Assignment),
    (".textcontent", Need::Assignment),
    ("insertadjacenthtml", Need::Nothing),
    ("createelement", Need::Call),
    ("atob", Need::Call),
    ("xmlhttprequest", Need::Nothing),
    ("new image", Need::Nothing),
    ("importscripts", Need::Call),
    ("import(", Need::Nothing),
    ("constructor.constructor", Need::Nothing),
    ("fetch", Need::Call),
    ("navigator.sendbeacon", Need::Nothing),
    ("console.log", Need::Call),
    ("$.getscript", Need::Nothing),
    ("components.classes", Need::Nothing),
    ("activexobject", Need::Nothing),
    ("__definegetter__", Need::Nothing),
    ("srcdoc", Need::Assignment),
    ("throw onerror", Need::Nothing),
    ("onerror", Need::Assignment),
];

/// Names of the browser's world.
const PROPERTIES: &[&str] = &[
    "document.",
    "window.",
    "location.",
    "this.",
    "function(",
    "function (",
    "=>",
    "javascript:",
    "localstorage",
    "var ",
    "http://",
    "//",
    "(",
];

/// Bytes between a name and its bracket.
const CALL_BYTES: usize = 16;
/// Bytes of a URL and of a style that are put in order.
const URL_BYTES: usize = 1024;
const STYLE_BYTES: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_sinks_and_words_are_not() {
        assert_eq!(signs(b"';alert(1)//"), Script::Sink);
        assert_eq!(signs(b"alert`1`"), Script::Sink);
        assert_eq!(signs(b"please confirm(ed) it"), Script::Some);
        assert_eq!(signs(b"red alert"), Script::None);
    }

    #[test]
    fn schemes_are_seen_through_white_space_and_references() {
        assert_eq!(
            scheme(&url(b" jav&#x0A;a\tscript&colon;alert(1)")),
            Scheme::Runs
        );
        assert_eq!(scheme(&url(b"data:image/png;base64,AAAA")), Scheme::Plain);
        assert_eq!(
            scheme(&url(b"https://a.example/javascript:")),
            Scheme::Plain
        );
    }

    #[test]
    fn styles_that_run_are_seen_through_comments_and_escapes() {
        assert!(style_runs(b"x:expr/**/ession(alert(1))"));
        assert!(style_runs(b"x:\\65 xpression(1)"));
        assert!(!style_runs(b"color:#333;width:62%"));
    }
}
