//! One value in one decoded form, as detectors see it.

use std::ops::Range;

use crate::inspect::leaf::{HostSyntax, Path};

use super::{Context, Hit};

/// One value in one decoded form.
#[derive(Clone, Copy, Debug)]
pub struct Value<'a> {
    /// The bytes after the decode chain.
    pub bytes: &'a [u8],
    /// The same bytes, ASCII letters in lower case. Offsets agree with `bytes`.
    pub lower: &'a [u8],
    /// Where the value stands in its document.
    pub path: &'a Path,
    /// In which syntax it is written. Names of members and fields are values too.
    pub host: HostSyntax,
    /// What its name promises.
    pub hints: Hints,
    /// What sort of text it is.
    pub setting: Setting,
    /// Decode layers between the leaf and these bytes.
    pub layers: usize,
    /// What the caller knows.
    pub context: &'a Context,
    /// Where anchors stand, of all rooms.
    pub hits: &'a [Hit],
    /// The number of the room that looks.
    pub room: usize,
}

impl Value<'_> {
    /// Where the looking room's own anchors of more than one byte stand: index in its `ANCHORS`, bytes; in order of
    /// their ends.
    pub fn anchors(&self) -> impl Iterator<Item = (usize, Range<usize>)> {
        self.hits.iter().filter_map(|hit| hit.of(self.room))
    }

    /// True for the name of a member or field instead of its value.
    pub fn is_name(&self) -> bool {
        matches!(self.host, HostSyntax::JsonKey | HostSyntax::FormName)
    }

    /// True when the value is more than a few words and reads like written text or a document: signs inside it count
    /// for less than when they are all there is.
    pub fn is_prose(&self) -> bool {
        !matches!(self.setting, Setting::Short)
    }
}

/// What sort of text a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// A word, a number, a phrase, a payload.
    Short,
    /// Sentences.
    Prose,
    /// Many lines: markdown, source text, a log, a document of its own.
    Document,
}

impl Setting {
    /// Judges by length, lines, and the share of plain words. Blank lines, and what is blank around all of it, count for
    /// nothing.
    pub fn of(bytes: &[u8]) -> Self {
        if bytes.len() < SHORTEST_PROSE {
            return Self::Short;
        }
        let bytes = bytes.trim_ascii_start();
        let head = bytes.get(..SETTING_BYTES).unwrap_or(bytes).trim_ascii_end();
        // Most short values have too few words that end, and too few lines.
        if head.len() < COUNTED_BYTES {
            let ends = head.iter().map(|byte| ENDS[usize::from(*byte)]);
            if ends.map(usize::from).sum::<usize>() < PROSE_WORDS {
                return Self::Short;
            }
        }
        let mut lines = 0_usize;
        let mut blanks = 0_usize;
        let mut line_is_blank = false;
        let mut words = 0_usize;
        let mut run = 0_usize;
        let mut plain = 0_usize;
        for (at, byte) in head.iter().enumerate() {
            let sort = SORTS[usize::from(*byte)];
            if sort == LETTER {
                run += 1;
                line_is_blank = false;
                continue;
            }
            if run >= 2 && sort >= BLANK {
                words += 1;
                plain += run + 1;
            }
            run = 0;
            match sort {
                LINE_END if line_is_blank => blanks += 1,
                LINE_END => {
                    lines += 1;
                    line_is_blank = true;
                    // What follows takes nothing away.
                    if lines >= DOCUMENT_LINES && at - blanks >= DOCUMENT_BYTES {
                        return Self::Document;
                    }
                }
                BLANK => blanks += usize::from(line_is_blank),
                _ => line_is_blank = false,
            }
        }
        if lines >= DOCUMENT_LINES && head.len() - blanks >= DOCUMENT_BYTES {
            return Self::Document;
        }
        // Seven in ten bytes belong to words that end like words: code and payloads do not come near.
        if words >= PROSE_WORDS && plain * 10 >= head.len() * 7 {
            Self::Prose
        } else {
            Self::Short
        }
    }
}

/// Sorts of bytes, for [`Setting::of`].
static SORTS: [u8; 256] = {
    let mut table = [OTHER; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' | 0x80.. => LETTER,
            b' ' | b',' | b'.' | b'\r' => BLANK,
            b'\n' => LINE_END,
            _ => OTHER,
        };
        byte += 1;
    }
    table
};
/// What each byte may add to the ends of [`PROSE_WORDS`]: as many as [`DOCUMENT_LINES`] line ends make up for all of them.
static ENDS: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match SORTS[byte] {
            BLANK => 1,
            LINE_END => PROSE_WORDS.div_ceil(DOCUMENT_LINES) as u8,
            _ => 0,
        };
        byte += 1;
    }
    table
};
const OTHER: u8 = 0;
const LETTER: u8 = 1;
/// What ends a word of written text.
const BLANK: u8 = 2;
const LINE_END: u8 = 3;

bitflags::bitflags! {
    /// What the name of a value promises.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Hints: u8 {
        /// An address: `url`, `callback`, `webhook`, `image_src` …
        const URL = 1;
        /// A file or directory: `file`, `path`, `template` …
        const FILE = 1 << 1;
        /// Part of a query: `q`, `search`, `filter`, `sort` …
        const QUERY = 1 << 2;
        /// A template or text that is rendered: `template`, `subject`, `layout` …
        const TEMPLATE = 1 << 3;
        /// A command, a host to be pinged, an argument.
        const COMMAND = 1 << 4;
        /// Rich text: `html`, `content`, `body`, `description` …
        const TEXT = 1 << 5;
        /// A name or an account: `user`, `login`, `uid`, `cn` …
        const IDENTITY = 1 << 6;
        /// A statement that the sender is expected to write: `sql`, `preSql`, `ddl`, `procedureText` …
        const SQL = 1 << 7;
    }
}

impl Hints {
    /// Hints that a name gives: its words, split at case and punctuation, against a small table.
    pub fn of(name: &[u8]) -> Self {
        let mut hints = Self::empty();
        let mut word = [0_u8; 16];
        let mut length = 0;
        let mut before = 0_u8;
        for &byte in name.iter().take(HINT_BYTES) {
            let turn = byte.is_ascii_uppercase() && before.is_ascii_lowercase();
            if turn || !byte.is_ascii_alphanumeric() {
                hints |= Self::of_word(word.get(..length).unwrap_or_default());
                length = 0;
            }
            if byte.is_ascii_alphanumeric()
                && let Some(slot) = word.get_mut(length)
            {
                *slot = byte.to_ascii_lowercase();
                length += 1;
            }
            before = byte;
        }
        hints | Self::of_word(word.get(..length).unwrap_or_default())
    }

    fn of_word(word: &[u8]) -> Self {
        let Some(first) = word.first() else {
            return Self::empty();
        };
        let is_word = |known: &&str| {
            known.len() == word.len()
                && known.as_bytes().first() == Some(first)
                && known.as_bytes() == word
        };
        HINT_WORDS
            .iter()
            .find(|(_, words)| words.iter().any(is_word))
            .map_or(Self::empty(), |(hints, _)| *hints)
    }
}

const HINT_WORDS: &[(Hints, &[&str])] = &[
    (
        Hints::SQL,
        &[
            "sql",
            "presql",
            "postsql",
            "plsql",
            "tsql",
            "ddl",
            "dml",
            "statement",
            "procedure",
        ],
    ),
    (
        Hints::URL,
        &[
            "url",
            "uri",
            "link",
            "href",
            "src",
            "source",
            "redirect",
            "callback",
            "webhook",
            "endpoint",
            "host",
            "hostname",
            "domain",
            "target",
            "dest",
            "destination",
            "proxy",
            "feed",
            "image",
            "avatar",
            "next",
            "return",
            "site",
            "location",
            "fetch",
            "origin",
            "referer",
            "server",
            "remote",
            "upstream",
            "continue",
        ],
    ),
    (
        Hints::FILE,
        &[
            "file",
            "filename",
            "path",
            "dir",
            "directory",
            "folder",
            "page",
            "include",
            "document",
            "doc",
            "download",
            "load",
            "read",
            "attachment",
            "upload",
            "log",
            "lang",
            "locale",
            "theme",
            "style",
            "root",
            "config",
        ],
    ),
    (
        Hints::QUERY,
        &[
            "q", "query", "search", "filter", "where", "sort", "order", "id", "sql", "select",
            "find", "term", "keyword", "column", "limit", "offset", "category", "group",
        ],
    ),
    (
        Hints::TEMPLATE,
        &[
            "template",
            "tpl",
            "layout",
            "view",
            "subject",
            "render",
            "expression",
            "expr",
            "format",
        ],
    ),
    (
        Hints::COMMAND,
        &[
            "cmd", "command", "exec", "ip", "ping", "arg", "args", "argument", "shell", "run",
            "daemon",
        ],
    ),
    (
        Hints::TEXT,
        &[
            "html",
            "content",
            "body",
            "description",
            "comment",
            "text",
            "message",
            "note",
            "notes",
            "summary",
            "readme",
            "markdown",
            "bio",
            "review",
        ],
    ),
    (
        Hints::IDENTITY,
        &[
            "user", "username", "login", "uid", "cn", "name", "email", "password", "pass",
            "account", "member",
        ],
    ),
];

/// Bytes of a value that its setting is judged by.
const SETTING_BYTES: usize = 2048;
/// Fewer bytes cannot hold as many words.
const SHORTEST_PROSE: usize = 3 * PROSE_WORDS;
/// Bytes of a value of which the ends of words are counted first: a longer one mostly has enough.
const COUNTED_BYTES: usize = 128;
/// Words that make a text of a value; a payload rarely has as many that end like words.
const PROSE_WORDS: usize = 10;
/// Lines that make a document.
const DOCUMENT_LINES: usize = 4;
/// A document of fewer bytes is a payload with line breaks as easily.
const DOCUMENT_BYTES: usize = 240;
/// Bytes of a name that hints are taken from.
const HINT_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hint_by_their_words() {
        assert_eq!(Hints::of(b"callbackUrl"), Hints::URL);
        assert_eq!(Hints::of(b"template_file"), Hints::TEMPLATE | Hints::FILE);
        assert_eq!(Hints::of(b"curl"), Hints::empty());
    }

    #[test]
    fn sentences_are_prose_and_payloads_are_not() {
        assert_eq!(
            Setting::of(b"Please select the items you want and drop them into the table near the door, or ask us."),
            Setting::Prose
        );
        let hidden = format!("{}1 or 1=1\n\n{}", " \n".repeat(3000), "\r\n ".repeat(3000));
        assert_eq!(Setting::of(hidden.as_bytes()), Setting::Short);
        assert_eq!(
            Setting::of(b"1' UNION SELECT user, password FROM users-- -"),
            Setting::Short
        );
    }
}
