//! CRLF and header injection: a line break that ends a header field, and what is written after it.
//!
//! Text of several lines is ordinary, and so are mails and logs of HTTP. What tells: the break is encoded once more
//! than its place explains, the line after it is a field that a head or a mail really has, with a value such as that
//! field takes, and the line before it is a fragment and no sentence.

mod field;

use std::ops::Range;

use super::lexis::{find, has, run};
use super::{Evidence, Kind, Setting, Value};
use crate::inspect::leaf::Root;
use crate::inspect::table;
use field::{field, is_any_field, is_command, is_field_like, is_mail_command, is_markup};

/// Words of which one at least stands in every value that this detector can find something in.
pub const ANCHORS: &[&str] = &[
    "%0d",
    "%0a",
    "%250d",
    "%250a",
    "%u000d",
    "%u000a",
    "%e5%98%8",
    "\u{560a}",
    "\u{560d}",
    "\\r\\n",
    "%e2%80%a8",
    "%c4%8",
    "\u{10a}",
    "\u{10d}",
    "0d0a",
    "%23%0",
    "&#13",
    "&#10",
    "&#xd",
    "&#xa",
    "\nset-cookie",
    "\nlocation",
    "\ncontent-",
    "\nx-",
    "\nrefresh",
    "\nbcc",
    "\ncc:",
    "\nto:",
    "\nfrom:",
    "\nsubject",
    "\nreply-to",
    "\nhttp/",
    "\nhost:",
    "\ntransfer-",
    "\naccess-",
    "\nget ",
    "\npost ",
    "\nstatus:",
    "\nlink:",
    "\netag",
    "\ncookie:",
    "\nauthorization",
    "\nmime-",
    "\nconnection:",
    "\nserver:",
    "\nlast-modified",
    "\ncache-",
    "\nexpires",
    "\rset-cookie",
    "\rlocation",
    "\rcontent-",
    "\rx-",
    "\rrefresh",
    "\rbcc",
    "\rhttp/",
    "\n set-cookie",
    "\n\thttp",
    "\nheader",
    "\n\n<",
    "\n\r\n<",
    "\nhelo",
    "\nmail from",
    "\nrcpt to",
    "\ndata\r",
    "\nflushall",
    "\nconfig set",
    "\nslaveof",
    "\neval ",
    "\nset ",
    "\nauth ",
    "\na001",
    "\nquit",
    "\n.\r",
    "\n.\n",
    "capability",
    "\nv1",
];

/// Notes evidence of the class in `value`.
pub fn look(value: &Value<'_>, evidence: &mut Evidence) {
    let root = value.path.root();
    // A head's own fields are read as such; folded lines are an anomaly of the head.
    if root == Root::Header && value.layers == 0 && !has(value.lower, b"%0") {
        return;
    }
    if only_breaks(value.lower) {
        evidence.note_at(Kind::BreakOut, 40, "encoded-break", 0..value.lower.len());
        evidence.note(Kind::Position, 25, "whole-value");
        return;
    }
    let mut lines = Lines::new(value.lower);
    let Some(first) = lines.next() else { return };
    let mut seen = Seen::default();
    let fragment = is_fragment(&first, value);
    let leading = first.text.is_empty() && !value.is_prose();
    for line in lines {
        seen.line(&line, leading);
    }
    seen.note(fragment, leading, evidence);
    match value.setting {
        Setting::Short => {}
        Setting::Prose => evidence.temper(50),
        Setting::Document => evidence.temper(if seen.encoded == Spelling::Percent {
            55
        } else {
            30
        }),
    }
}

/// How a line break is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Spelling {
    /// As it is.
    #[default]
    Plain,
    /// `\\n`, `&#10;`: what documents inside documents have, too.
    Escaped,
    /// `%0a` and worse.
    Percent,
}

/// One line of a value, and how the break before it was written.
struct Line<'a> {
    text: &'a [u8],
    at: usize,
    /// Length of the break before it; 0 for the first line.
    encoded: Spelling,
}

/// Splits at line breaks in all their spellings.
struct Lines<'a> {
    lower: &'a [u8],
    at: usize,
    done: bool,
    encoded: Spelling,
}

impl<'a> Lines<'a> {
    fn new(lower: &'a [u8]) -> Self {
        Self {
            lower,
            at: 0,
            done: false,
            encoded: Spelling::Plain,
        }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        if self.done {
            return None;
        }
        let start = self.at;
        let encoded = self.encoded;
        let mut at = start;
        while at < self.lower.len() {
            // Few bytes can begin a break; the rest is skipped at speed.
            let here = run(self.lower, at, |byte| !BEGINS_BREAKS[usize::from(byte)]);
            at += here.len();
            let length = line_break(self.lower, at);
            if length > 0 {
                self.at = at + length;
                self.encoded = match self.lower.get(at) {
                    Some(b'\n' | b'\r') if length <= 2 => Spelling::Plain,
                    Some(b'\\' | b'&') => Spelling::Escaped,
                    _ => Spelling::Percent,
                };
                return Some(Line {
                    text: self.lower.get(start..at).unwrap_or_default(),
                    at: start,
                    encoded,
                });
            }
            at += 1;
        }
        self.done = true;
        Some(Line {
            text: self.lower.get(start..).unwrap_or_default(),
            at: start,
            encoded,
        })
    }
}

/// First bytes of line breaks in all spellings.
static BEGINS_BREAKS: [bool; 256] = table::of(b"\n\r%\\&\xe5\xc4\xe2");

/// Length of the line break at `at`, in any spelling, CR LF as one; 0 when there is none.
fn line_break(lower: &[u8], at: usize) -> usize {
    let first = break_unit(lower.get(at..).unwrap_or_default());
    if first == 0 {
        return 0;
    }
    let carriage = is_carriage(lower.get(at..at + first).unwrap_or_default());
    let second = if carriage {
        let rest = lower.get(at + first..).unwrap_or_default();
        let length = break_unit(rest);
        if length > 0 && !is_carriage(rest.get(..length).unwrap_or_default()) {
            length
        } else {
            0
        }
    } else {
        0
    };
    first + second
}

fn is_carriage(unit: &[u8]) -> bool {
    matches!(unit.last(), Some(b'\r' | b'd' | 0x8d)) || unit == b"\\r"
}

/// Length of one CR or LF at the beginning of `rest`.
fn break_unit(rest: &[u8]) -> usize {
    const SPELLINGS: &[&[u8]] = &[
        b"%0a",
        b"%0d",
        b"%250a",
        b"%250d",
        b"%25250a",
        b"%25250d",
        b"%u000a",
        b"%u000d",
        b"%e5%98%8a",
        b"%e5%98%8d",
        b"%e2%80%a8",
        b"%e2%80%a9",
        b"%c4%8a",
        b"%c4%8d",
        b"%%0a0a",
        b"%%0d0a",
        b"%3f%0a",
        b"\\r",
        b"\\n",
        b"\\u000a",
        b"\\u000d",
        b"\\x0a",
        b"\\x0d",
        b"&#10;",
        b"&#13;",
        b"&#xa;",
        b"&#xd;",
        "\u{560a}".as_bytes(),
        "\u{560d}".as_bytes(),
        "\u{10a}".as_bytes(),
        "\u{10d}".as_bytes(),
    ];
    match rest.first() {
        Some(b'\n' | b'\r') => 1,
        Some(b'%' | b'\\' | b'&' | 0xe5 | 0xc4) => SPELLINGS
            .iter()
            .find(|spelling| rest.starts_with(spelling))
            .map_or(0, |spelling| spelling.len()),
        _ => 0,
    }
}

/// Nothing but encoded breaks: a probe.
fn only_breaks(lower: &[u8]) -> bool {
    if lower.len() > 64 || lower.len() < 4 {
        return false;
    }
    let mut at = 0;
    // `%0%0d%0ad`: what is left when a filter takes one layer away.
    let nested = (has(lower, b"%0d") || has(lower, b"%0a"))
        && lower
            .iter()
            .all(|byte| matches!(byte, b'%' | b'0' | b'd' | b'a' | b'2' | b'5'));
    if nested {
        return true;
    }
    let mut encoded = 0;
    while at < lower.len() {
        let rest = lower.get(at..).unwrap_or_default();
        let length = break_unit(rest);
        if length == 0 {
            match rest.first() {
                Some(b' ' | b'%' | b'0') => at += 1,
                _ => return false,
            }
            continue;
        }
        encoded += usize::from(length > 1);
        at += length;
    }
    encoded >= 1
}

/// What the lines after the first hold.
#[derive(Default)]
struct Seen {
    field: Option<(Range<usize>, &'static str, u8)>,
    status: Option<usize>,
    markup: Option<usize>,
    command: Option<usize>,
    encoded: Spelling,
    blank: bool,
    /// A lone dot ended a mail.
    dot: bool,
    fields: u32,
    lines: u32,
    /// Lines that are neither.
    others: u32,
}

impl Seen {
    fn line(&mut self, line: &Line<'_>, leading: bool) {
        self.lines += 1;
        self.encoded = self.encoded.max(line.encoded);
        let text = line.text.trim_ascii_start();
        let text = text.strip_prefix(b"%20").unwrap_or(text);
        if text.is_empty() {
            self.blank = true;
            return;
        }
        if self.dot && matches!(text, b"data" | b"quit" | b"rset") {
            self.command = self.command.or(Some(line.at));
        }
        self.dot |= text == b".";
        if self.dot {
            return;
        }
        if let Some((name, weight)) = field(text) {
            self.fields += 1;
            if self
                .field
                .as_ref()
                .is_none_or(|(_, _, known)| *known < weight)
            {
                self.field = Some((line.at..line.at + line.text.len(), name, weight));
            }
        } else if text.starts_with(b"http/1.") || text.starts_with(b"http/2") {
            self.status = self.status.or(Some(line.at));
        } else if self.blank && is_markup(text) {
            self.markup = self.markup.or(Some(line.at));
        } else if is_command(text) {
            self.command = self.command.or(Some(line.at));
        } else if line.encoded == Spelling::Percent && is_any_field(text) {
            self.fields += 1;
            if self.field.is_none() {
                self.field = Some((line.at..line.at + line.text.len(), "header-field", 25));
            }
        } else if leading && self.lines == 1 && (is_mail_command(text) || is_field_like(text)) {
            self.command = self.command.or(Some(line.at));
        } else {
            self.others += 1;
        }
    }

    fn note(&self, fragment: bool, leading: bool, evidence: &mut Evidence) {
        if let Some((range, name, weight)) = &self.field {
            evidence.note_at(Kind::Semantics, *weight, name, range.clone());
        }
        if let Some(at) = self.command {
            evidence.note_at(Kind::Semantics, 40, "protocol-command", at..at + 1);
        }
        if let Some(at) = self.status {
            evidence.note_at(Kind::Structure, 35, "status-line", at..at + 1);
        } else if let Some(at) = self.markup {
            evidence.note_at(Kind::Structure, 30, "body-after-head", at..at + 1);
        } else if self.fields >= 2 {
            evidence.note(Kind::Structure, 15, "several-fields");
        }
        if !evidence.has(Kind::Semantics) && !evidence.has(Kind::Structure) {
            return;
        }
        if self.encoded > Spelling::Plain {
            let weight = if self.encoded == Spelling::Percent {
                40
            } else {
                25
            };
            evidence.note(Kind::Evasion, weight, "encoded-break");
        } else {
            evidence.note(
                Kind::BreakOut,
                if leading && self.lines == 1 { 30 } else { 10 },
                "line-break",
            );
        }
        if fragment && self.others <= 1 {
            evidence.note(Kind::Position, 20, "after-fragment");
        }
    }
}

/// A first line that is a piece of a field's value: a word, a path, a number; no sentence, no heading, no head of a
/// message.
fn is_fragment(first: &Line<'_>, value: &Value<'_>) -> bool {
    let text = first.text.trim_ascii();
    let blanks = text.iter().filter(|byte| **byte == b' ').count();
    let greeting = text.ends_with(b",") || text.ends_with(b":");
    let head = field(text).is_some()
        || text.starts_with(b"http/")
        || find(text, b" http/1", 0).is_some()
        || text.starts_with(b"from ");
    let heading = text.starts_with(b"# ");
    // A word may be as long as it likes.
    (text.len() <= 80 || blanks == 0)
        && blanks <= 2
        && !heading
        && !greeting
        && !head
        && !matches!(value.setting, Setting::Document)
}
