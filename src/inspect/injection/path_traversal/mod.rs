//! Path traversal and local file inclusion.
//!
//! | file | what |
//! |---|---|
//! | [`anchors`] | words that paths worth a look hold |
//! | [`spelling`] | dots and slashes in every spelling that some reader undoes |
//! | [`targets`] | files and directories worth the trouble |
//!
//! Each path in the value is walked segment by segment, so that what counts is where it leads: `a/../b` leads nowhere,
//! `../../lib` leads to a neighbour, `/../../etc` leads out. Projects climb, too; a climb needs a target, an odd spelling
//! or an end cut off to be an attack.

mod anchors;
mod spelling;
mod targets;

use super::lexis::{self, any_of, find, run};
use super::{Evidence, Kind, Setting, Value};
use crate::inspect::leaf::{HostSyntax, Root};
use crate::inspect::table;
pub use anchors::ANCHORS;
use anchors::FIRST_STREAM;
use spelling::{Spelling, unit};
use targets::{Worth, worth};

/// Notes evidence of the class in `value`.
pub fn look(value: &Value<'_>, evidence: &mut Evidence) {
    wrappers(value, evidence);
    network_share(value, evidence);
    let mut start = 0;
    let lower = value.lower;
    while start < lower.len() {
        let token = run(lower, start, |byte| !ENDS_PATHS[usize::from(byte)]);
        if start > 0 && !is_candidate(token) {
            start += token.len() + 1;
            continue;
        }
        let (end, walk) = Walk::new(value, start).run();
        walk.judge(start..end, evidence);
        start = end.max(start) + 1;
    }
    match value.setting {
        Setting::Short => {}
        Setting::Prose => evidence.temper(60),
        Setting::Document => evidence.temper(40),
    }
}

/// Streams that read what they should not, or run it.
fn wrappers(value: &Value<'_>, evidence: &mut Evidence) {
    const ALONE: &[&str] = &[
        "php://filter",
        "php://input",
        "php://stdin",
        "php://fd",
        "expect://",
        "phar://",
        "php:/filter",
        "php:filter",
        "convert.base64-encode",
        "convert.iconv",
        "string.rot13",
    ];
    const WITH_POSITION: &[&str] = &[
        "zip://",
        "compress.zlib://",
        "compress.bzip2://",
        "glob://",
        "ogg://",
        "rar://",
        "zlib://",
        "data://text",
        "data://;",
        "netdoc://",
        "netdoc:/",
        "php://memory",
        "php://temp",
        "php://output",
        "ssh2.",
        "data:;base64,",
    ];
    if !value.anchors().any(|(index, _)| index >= FIRST_STREAM) {
        return;
    }
    let lower = value.lower;
    if let Some(name) = any_of(lower, ALONE) {
        let at = find(lower, name.as_bytes(), 0).unwrap_or_default();
        evidence.note_at(Kind::Semantics, 50, "stream-wrapper", at..at + name.len());
        evidence.note(Kind::Target, 20, "wrapper-target");
    } else if let Some(name) = any_of(lower, WITH_POSITION) {
        let at = find(lower, name.as_bytes(), 0).unwrap_or_default();
        evidence.note_at(Kind::Semantics, 40, "stream-wrapper", at..at + name.len());
        if at == 0 {
            evidence.note(Kind::Position, 20, "whole-value");
        }
    } else if lower.starts_with(b"data:text/plain")
        || lower.starts_with(b"data:application/x-httpd-php")
    {
        evidence.note(Kind::Semantics, 30, "data-wrapper");
        // PD9 and its like: `<?` in base64.
        if any_of(
            lower,
            &["base64,pd9", "base64,pd8", "<?", "%3c%3f", "system("],
        )
        .is_some()
        {
            evidence.note(Kind::Target, 40, "code-in-data");
        }
    }
}

/// `\\host\share`: the server would send its credentials there.
fn network_share(value: &Value<'_>, evidence: &mut Evidence) {
    let text = lexis::trim(value.lower);
    let Some(rest) = text.strip_prefix(b"\\\\") else {
        return;
    };
    let host = run(rest, 0, |byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'@' | b'_')
    });
    if host.len() < 2 || rest.get(host.len()) != Some(&b'\\') || value.is_prose() {
        return;
    }
    let share = run(rest, host.len() + 1, |byte| {
        lexis::is_ident(byte) || matches!(byte, b'$' | b'.' | b'-')
    });
    if share.is_empty() || share == b".." {
        return;
    }
    evidence.note(Kind::Structure, 35, "network-share");
    if host.contains(&b'.') {
        evidence.note(Kind::Target, 25, "dotted-host");
    }
    if share.ends_with(b"$") {
        evidence.note(Kind::Target, 35, "hidden-share");
    }
}

/// The walk along one path.
struct Walk<'a, 'v> {
    value: &'a Value<'v>,
    start: usize,
    at: usize,
    segment: [u8; SEGMENT_BYTES],
    segment_length: usize,
    /// Canonical rest of the path after its last climb.
    tail: [u8; TAIL_BYTES],
    tail_length: usize,
    /// Levels below the start, and the most that were left upwards.
    depth: i32,
    climbed: u32,
    climbs: u32,
    dots: u32,
    rooted: bool,
    slashes_forward: bool,
    slashes_backward: bool,
    empties: u32,
    /// `2f` stands for a slash.
    bare_hex: bool,
    /// The worst spelling among dots that climb, and slashes.
    dot_spelling: Spelling,
    slash_spelling: Spelling,
    segment_spelling: Spelling,
    stuffed: bool,
    matrix: bool,
    cut: bool,
}

impl<'a, 'v> Walk<'a, 'v> {
    fn new(value: &'a Value<'v>, start: usize) -> Self {
        Self {
            value,
            start,
            at: start,
            segment: [0; SEGMENT_BYTES],
            segment_length: 0,
            tail: [0; TAIL_BYTES],
            tail_length: 0,
            depth: 0,
            climbed: 0,
            climbs: 0,
            dots: 0,
            rooted: false,
            slashes_forward: false,
            slashes_backward: false,
            empties: 0,
            bare_hex: false,
            dot_spelling: Spelling::Plain,
            slash_spelling: Spelling::Plain,
            segment_spelling: Spelling::Plain,
            stuffed: false,
            matrix: false,
            cut: false,
        }
    }

    /// Walks to the end of the path; says where that is.
    fn run(mut self) -> (usize, Self) {
        let lower = self.value.lower;
        // `c:\program files`: a path that is the whole value may hold blanks.
        let drive = self.start == 0
            && !self.value.is_prose()
            && matches!(lower, [letter, b':', b'/' | b'\\', ..] if letter.is_ascii_lowercase());
        while let Some(unit) = unit(lower, self.at) {
            let plain = unit.spelling == Spelling::Plain;
            if plain && ENDS_PATHS[usize::from(unit.byte)] && !(drive && unit.byte == b' ') {
                break;
            }
            if unit.byte == b'/' {
                if unit.spelling == Spelling::Backslash {
                    self.slashes_backward = true;
                } else {
                    self.slashes_forward |= plain;
                    self.slash_spelling = self.slash_spelling.max(unit.spelling);
                }
                self.end_segment();
            } else if unit.byte == 0 {
                self.cut = true;
            } else if self.is_bare_slash() {
                self.bare_hex = true;
                self.slash_spelling = Spelling::Odd;
                self.at += 1;
                self.end_segment();
            } else {
                if unit.byte == b'.' && unit.spelling > Spelling::Backslash {
                    self.segment_spelling = self.segment_spelling.max(unit.spelling);
                }
                if let Some(slot) = self.segment.get_mut(self.segment_length) {
                    *slot = unit.byte;
                }
                self.segment_length += 1;
            }
            self.at += unit.length;
        }
        self.end_segment();
        // The end of a path of several words is not cut by a NUL in the middle.
        (self.at, self)
    }

    /// `..2f`: the percent sign got lost.
    fn is_bare_slash(&self) -> bool {
        let hex = matches!(
            self.value.lower.get(self.at..self.at + 2),
            Some(b"2f" | b"5c")
        );
        hex && (self.bare_hex || (self.segment_length == 2 && self.segment.starts_with(b"..")))
    }

    fn end_segment(&mut self) {
        let length = self.segment_length.min(SEGMENT_BYTES);
        let spelling = std::mem::replace(&mut self.segment_spelling, Spelling::Plain);
        let first = self.depth == 0
            && self.climbs == 0
            && self.tail_length == 0
            && !self.rooted
            && self.dots == 0;
        self.segment_length = 0;
        let segment = self.segment.get(..length).unwrap_or_default();
        match segment {
            b"" if first => self.rooted = true,
            b"" => self.empties += 1,
            b"." => {
                self.dots += 1;
                self.dot_spelling = self.dot_spelling.max(spelling);
            }
            b".." => self.climb(spelling),
            b"..." | b"...." => {
                self.stuffed = true;
                self.climb(spelling);
            }
            [b'.', b'.', b';', ..] => {
                self.matrix = true;
                self.climb(spelling);
            }
            b"..%" | b"%.." | b".. " | b"..\\" | b"..?" | b"..+" | b"..00" => {
                self.stuffed = true;
                self.climb(spelling);
            }
            _ => {
                self.depth += 1;
                let from = self.tail_length;
                for (offset, byte) in segment.iter().chain(b"/").enumerate() {
                    if let Some(slot) = self.tail.get_mut(from + offset) {
                        *slot = *byte;
                        self.tail_length += 1;
                    }
                }
            }
        }
    }

    fn climb(&mut self, spelling: Spelling) {
        self.climbs += 1;
        self.depth -= 1;
        if self.depth < 0 {
            self.climbed = self.climbed.max(self.depth.unsigned_abs());
        }
        self.dot_spelling = self.dot_spelling.max(spelling);
        self.tail_length = 0;
    }

    fn tail(&self) -> &[u8] {
        let tail = self.tail.get(..self.tail_length).unwrap_or_default();
        tail.strip_suffix(b"/").unwrap_or(tail)
    }

    fn is_whole(&self, end: usize) -> bool {
        let before = self.value.lower.get(..self.start).unwrap_or_default();
        let after = self.value.lower.get(end..).unwrap_or_default();
        let blank = |text: &[u8]| {
            text.iter()
                .all(|byte| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | 0))
        };
        before.len() <= 2 && blank(before) && after.len() <= 4 && blank(after)
    }

    fn judge(&self, range: std::ops::Range<usize>, evidence: &mut Evidence) {
        if range.len() < 4 {
            return;
        }
        let drive = self.tail().get(1) == Some(&b':') && self.tail().len() > 3;
        let odd =
            self.dot_spelling >= Spelling::Percent || self.slash_spelling >= Spelling::Percent;
        if self.climbs == 0 && !self.rooted && !drive && self.dots < 3 && !self.cut && !odd {
            return;
        }
        let worth = worth(self.tail());
        let weight_before = evidence.score();
        if self.climbs > 0 || self.dots >= 3 || (self.dots > 0 && odd) {
            self.judge_climb(worth, evidence);
        } else {
            self.judge_absolute(worth, drive, range.end, evidence);
        }
        if self.cut && (self.climbs > 1 || worth > Worth::None) {
            evidence.note(Kind::Terminator, 30, "nul-cut");
        }
        if evidence.score() > weight_before {
            evidence.cover(range);
        }
    }

    fn judge_climb(&self, worth: Worth, evidence: &mut Evidence) {
        let host = self.value.host;
        let weight = match self.climbed {
            0 => 0,
            1 => 15,
            2 => 20,
            3 => 30,
            4 => 40,
            _ => 50,
        };
        evidence.note(Kind::BreakOut, weight, "climbs");
        let past_root =
            self.rooted && self.climbed > 0 && !matches!(host, HostSyntax::HtmlAttribute);
        if past_root {
            let weight = if self.climbed > 1 { 60 } else { 45 };
            evidence.note(Kind::BreakOut, weight, "climbs-past-root");
        }
        if self.climbed > 0 || self.dots > 0 {
            match worth {
                Worth::Trophy => evidence.note(Kind::Target, 45, "sensitive-file"),
                Worth::System => evidence.note(Kind::Target, 35, "system-directory"),
                Worth::None => {}
            }
        }
        if self.climbed == 0 && worth == Worth::Trophy {
            evidence.note(Kind::Target, 45, "sensitive-file");
            evidence.note(Kind::Structure, 25, "roundabout-path");
        }
        self.judge_spelling(evidence);
        let upload = self.value.path.root() == Root::Multipart
            && self
                .value
                .path
                .last_name()
                .is_some_and(|name| name.starts_with(b"filename"));
        if upload && self.climbed > 0 {
            evidence.note(Kind::Hint, 60, "climbing-file-name");
        }
    }

    fn judge_spelling(&self, evidence: &mut Evidence) {
        match self.dot_spelling.max(self.slash_spelling) {
            Spelling::Odd => evidence.note(Kind::Evasion, 50, "odd-spelling"),
            Spelling::Percent => evidence.note(Kind::Evasion, 40, "encoded-climb"),
            Spelling::Plain | Spelling::Backslash => {}
        }
        if self.matrix {
            evidence.note(Kind::Evasion, 50, "matrix-parameter");
        }
        let several = self.climbs >= 2;
        if self.slashes_backward && self.slashes_forward && several {
            evidence.note(Kind::Evasion, 30, "mixed-separators");
        }
        if self.stuffed && several {
            evidence.note(Kind::Evasion, 35, "stuffed-climb");
        }
        if self.dots >= 3 {
            evidence.note(Kind::Evasion, 35, "dot-segments");
        }
        if self.empties >= 2 && several {
            evidence.note(Kind::Evasion, 25, "doubled-separators");
        }
    }

    fn judge_absolute(&self, worth: Worth, drive: bool, end: usize, evidence: &mut Evidence) {
        let (weight, name) = match worth {
            Worth::Trophy => (45, "sensitive-file"),
            Worth::System => (40, "system-directory"),
            Worth::None => return,
        };
        if self.is_mount() {
            return;
        }
        evidence.note(Kind::Target, weight, name);
        if (self.rooted || drive) && self.is_whole(end) && !self.value.is_prose() {
            evidence.note(Kind::Position, 20, "whole-value");
        }
        let odd = self.slash_spelling.max(self.dot_spelling);
        if odd >= Spelling::Percent {
            evidence.note(Kind::Evasion, 30, "encoded-path");
        }
    }

    /// Manifests name directories of the system in their mounts and volumes.
    fn is_mount(&self) -> bool {
        let path = self.value.path;
        path.steps().rev().take(MOUNT_STEPS).any(|step| match step {
            crate::inspect::leaf::Step::Name(name)
            | crate::inspect::leaf::Step::Attribute(name) => {
                let mut lower = [0_u8; 16];
                let length = name.len().min(lower.len());
                for (slot, byte) in lower.iter_mut().zip(name) {
                    *slot = byte.to_ascii_lowercase();
                }
                let lower = lower.get(..length).unwrap_or_default();
                any_of(lower, &["mount", "volume", "hostpath"]).is_some()
            }
            crate::inspect::leaf::Step::Index(_) => false,
        })
    }
}

/// A cheap test: does it climb, start at a root, or hold a spelling that is worth reading?
fn is_candidate(token: &[u8]) -> bool {
    if token.len() < 4 {
        return false;
    }
    if matches!(token, [b'/' | b'\\', ..] | [_, b':', ..]) {
        return true;
    }
    // Most words have none of the bytes that matter.
    let front = run(token, 0, |byte| {
        byte.is_ascii() && !BEGINS_SPELLING[usize::from(byte)]
    });
    let Some(rest) = token.get(front.len()..).filter(|rest| !rest.is_empty()) else {
        return false;
    };
    rest.iter().any(|byte| matches!(byte, b'%' | 0 | 0x80..))
        || rest
            .windows(2)
            .any(|pair| matches!(pair, b".." | b"0x" | b"./" | b".\\"))
}

/// Bytes at which a path in a longer text ends.
static ENDS_PATHS: [bool; 256] = table::of(b" \t\n\x0c\r\"'<>=,?#&|()`[]{}$");

/// ASCII that begins a spelling that may make a candidate.
static BEGINS_SPELLING: [bool; 256] = table::of(b"%.0\0");

/// Steps above a path in a manifest among which its mount is named.
const MOUNT_STEPS: usize = 8;
/// Bytes of a segment that are kept.
const SEGMENT_BYTES: usize = 48;
/// Bytes of a path's end that are kept.
const TAIL_BYTES: usize = 160;
