//! SQL injection.
//!
//! The value is read as SQL in the places a careless program would put it: as it is, and behind an opened `'` or `"`
//! ([`token`], [`words`]); [`grammar`] looks for what only SQL says. In long texts the reading begins anew at each
//! quote that is followed by what would continue a statement.

mod grammar;
mod token;
mod words;

use std::cell::Cell;

use super::{Evidence, Hints, Setting, Value};
use grammar::{Entry, Reading};
use token::{Kind as TokenKind, Quotes, Token};

/// Words of which one at least stands in every value that this detector can find something in.
pub const ANCHORS: &[&str] = &[
    // Bytes of break-outs and comparisons: enough for a short value.
    "'",
    "\"",
    "=",
    "<",
    ">",
    "#",
    ";",
    "(",
    "`",
    "?",
    // Words, also where a reading begins in a long text.
    "||",
    "&&",
    "--",
    "/*",
    "@@",
    "select",
    "union",
    "insert into",
    "update ",
    "delete from",
    "drop ",
    "create ",
    "alter ",
    "truncate",
    "exec ",
    "exec(",
    "execute ",
    "declare @",
    "waitfor",
    "sleep(",
    "benchmark(",
    " having ",
    "order by",
    "group by",
    "procedure",
    "outfile",
    "dumpfile",
    "load_file",
    "information_schema",
    "xp_",
    "sp_",
    "utl_",
    "dbms_",
    "pg_sleep",
    "extractvalue",
    "updatexml",
    "shutdown",
    "sysobjects",
    "sqlite_master",
    "pg_catalog",
    "between",
    " like",
    "null",
    "xor ",
    "rlike",
    "regexp",
    "glob ",
    "having",
    "current_",
    "version()",
    "user()",
    "database()",
    "group_concat",
    "json_",
    "char(",
    "chr(",
    "print",
    "ilike",
    "notnull",
    "isnull",
    "is null",
    "merge ",
    "or '",
    "or \"",
    "or(",
    "or 0",
    "or 1",
    "or 2",
    "or 3",
    "or 4",
    "or 5",
    "or 6",
    "or 7",
    "or 8",
    "or 9",
    "or @",
    "and '",
    "and \"",
    "and(",
    "and 0",
    "and 1",
    "and 2",
    "and 3",
    "and 4",
    "and 5",
    "and 6",
    "and 7",
    "and 8",
    "and 9",
    "and @",
    "or true",
    "or not ",
    "or exists",
    "and exists",
    "or/*",
    "and/*",
    "or (",
    "and (",
];

/// The first anchor of those that begin a reading in a long text; those before it stand in every text.
const FIRST_STRONG: usize = 14;

/// Notes evidence of the class in `value`.
pub fn look(value: &Value<'_>, evidence: &mut Evidence) {
    if is_version_range(value.bytes) {
        return;
    }
    let mut tokens = TOKENS.take();
    tokens.clear();
    let mut best = Evidence::default();
    // Quotes of markup belong to attributes.
    let setting = if is_markup(value.lower) {
        Setting::Document
    } else {
        value.setting
    };
    if setting != Setting::Short {
        strong_words(value, setting, &mut tokens, &mut best);
    } else if worth_reading(value) {
        token::read(value.lower, 0, Quotes::Sql, SHORT_TOKENS, &mut tokens);
        if tokens.len() >= 2 {
            best = Reading::new(value, &tokens, Entry::Bare).evidence();
            temper(setting, &tokens, &mut best);
            // A member called `sql` holds a whole statement by design; one that breaks out of a quote is read below.
            if value.hints.contains(Hints::SQL) && value.layers == 0 {
                best.temper(DESIGNED_PERCENT);
            }
        }
    }
    quoted_starts(value, setting, &mut tokens, &mut best);
    tokens.shrink_to(KEPT_TOKENS);
    TOKENS.set(tokens);
    if best.score() > evidence.score() {
        *evidence = best;
    }
}

thread_local! {
    /// What the value before was read into.
    static TOKENS: Cell<Vec<Token>> = const { Cell::new(Vec::new()) };
}

/// Bytes of a string that is compared to a name.
const OWN_BYTES: usize = 64;
/// What a statement counts where one is expected.
const DESIGNED_PERCENT: u8 = 50;

/// True when a short value can say anything as it is: a word of SQL, a comparison, an operator of JSON, a call.
fn worth_reading(value: &Value<'_>) -> bool {
    value.anchors().next().is_some()
        || memchr::memchr3(b'=', b'<', b'>', value.lower).is_some()
        || memchr::memchr2(b'?', b'~', value.lower).is_some()
        || value.lower.trim_ascii_end().ends_with(b"(")
        || value.lower.ends_with(b"'")
        || value.lower.starts_with(b"concat")
}

/// True for `^14.17 || >=16 <17.0.x`, which is comparisons and nothing else.
fn is_version_range(bytes: &[u8]) -> bool {
    let plain = bytes.iter().all(|byte| {
        byte.is_ascii_digit()
            || matches!(
                byte,
                b' ' | b'.'
                    | b'|'
                    | b'<'
                    | b'>'
                    | b'='
                    | b'^'
                    | b'~'
                    | b'*'
                    | b'x'
                    | b'v'
                    | b','
                    | b'-'
            )
    });
    // Ranges compare with a bound (`>=14`), never two values (`1=1`).
    plain
        && memchr::memmem::find(bytes, b"--").is_none()
        && memchr::memchr_iter(b'=', bytes).all(|at| {
            at.checked_sub(1)
                .and_then(|before| bytes.get(before))
                .is_some_and(|before| matches!(before, b'<' | b'>' | b'^' | b'~'))
        })
}

/// True when a closing tag stands in it.
fn is_markup(lower: &[u8]) -> bool {
    memchr::memmem::find_iter(lower, b"</")
        .any(|at| lower.get(at + 2).is_some_and(u8::is_ascii_alphabetic))
}

/// Reads around the words that only SQL puts this way; what a reading has covered is not read again.
fn strong_words(value: &Value<'_>, setting: Setting, tokens: &mut Vec<Token>, best: &mut Evidence) {
    let mut covered = 0;
    for (anchor, at) in value.anchors() {
        if anchor < FIRST_STRONG || at.start < covered {
            continue;
        }
        let start = word_start(value.lower, at.start.saturating_sub(LEAD_BYTES));
        token::read(value.lower, start, Quotes::Prose, START_TOKENS, tokens);
        let end = tokens.last().map_or(at.end, |token| token.end);
        covered = end.saturating_sub(LEAD_BYTES).max(at.end);
        let mut found = Reading::new(value, tokens, Entry::Inner).evidence();
        temper(setting, tokens, &mut found);
        if found.score() > best.score() {
            *best = found;
        }
    }
}

/// The first byte of a word at or after `at`.
fn word_start(lower: &[u8], at: usize) -> usize {
    if at == 0 {
        return 0;
    }
    let tail = lower.get(at..).unwrap_or_default();
    at + memchr::memchr3(b' ', b'\n', b'\t', tail.get(..LEAD_BYTES).unwrap_or(tail))
        .map_or(0, |skip| skip + 1)
}

/// Tries the quotes that are followed by what continues a statement, each as the end of a string.
fn quoted_starts(
    value: &Value<'_>,
    setting: Setting,
    tokens: &mut Vec<Token>,
    best: &mut Evidence,
) {
    let mut tried = 0;
    // Where the last readings ended. Readings from three quotes have seen a text as code and as string.
    let mut ends = [0_usize; 3];
    for at in memchr::memchr3_iter(b'\'', b'"', b'`', value.lower) {
        let after = value.lower.get(at + 1..).unwrap_or_default();
        let seen = ends
            .iter()
            .all(|end| *end > at + AHEAD_BYTES || *end == value.lower.len());
        if seen
            || !continues(after)
            || setting != Setting::Short && apostrophe(value.lower, at)
            || is_own(value.lower, at)
        {
            continue;
        }
        tried += 1;
        if tried > START_TRIES {
            return;
        }
        let Some(&quote) = value.lower.get(at) else {
            return;
        };
        token::read(value.lower, at + 1, Quotes::Sql, START_TOKENS, tokens);
        let Some(end) = tokens.last().map(|token| token.end) else {
            continue;
        };
        ends.rotate_left(1);
        ends[2] = end;
        let mut found = Reading::new(value, tokens, Entry::Quote { quote, at }).evidence();
        temper(setting, tokens, &mut found);
        if found.score() > best.score() {
            *best = found;
        }
    }
}

/// True for a quote that ends a string of the value's own, which is assigned or compared to a name (`path="/order" && …`,
/// `event == 'push' && …`): a string around the value would have ended at the quote before.
fn is_own(lower: &[u8], at: usize) -> bool {
    let Some(&quote) = lower.get(at) else {
        return false;
    };
    let head = lower.get(..at).unwrap_or_default();
    memchr::memrchr(quote, head).is_some_and(|opened| {
        let string = head.get(opened + 1..).unwrap_or_default();
        let before = head.get(..opened).unwrap_or_default().trim_ascii_end();
        let compared = before
            .strip_suffix(b"==")
            .or_else(|| before.strip_suffix(b"!="))
            .or_else(|| before.strip_suffix(b"="));
        string.len() <= OWN_BYTES
            && memchr::memchr(b'\\', string).is_none()
            && compared.is_some_and(|name| {
                name.trim_ascii_end()
                    .last()
                    .is_some_and(u8::is_ascii_alphanumeric)
            })
    })
}

/// True for the apostrophe inside a word.
fn apostrophe(lower: &[u8], at: usize) -> bool {
    let letter = |at: usize| lower.get(at).is_some_and(u8::is_ascii_alphabetic);
    lower.get(at) == Some(&b'\'') && at.checked_sub(1).is_some_and(letter) && letter(at + 1)
}

/// True when `after` begins like the rest of a statement after a string.
fn continues(after: &[u8]) -> bool {
    let skipped = after
        .iter()
        .take(CONTINUE_BYTES)
        .take_while(|byte| {
            matches!(
                byte,
                b' ' | b'\t' | b'\r' | b'\n' | b')' | 0x0b | 0x0c | 0xa0
            )
        })
        .count();
    let rest = after.get(skipped..).unwrap_or_default();
    let Some(first) = rest.first() else {
        return false;
    };
    let mut words = CONTINUED_BY[usize::from(*first)];
    while let Some(word) = CONTINUATIONS.get(words.trailing_zeros() as usize) {
        words &= words - 1;
        let continues = rest.strip_prefix(word.as_bytes()).is_some_and(|next| {
            !word.ends_with(|last: char| last.is_ascii_alphabetic())
                || !next
                    .first()
                    .is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        });
        if continues {
            return true;
        }
    }
    false
}

/// For each first byte, which of [`CONTINUATIONS`] begin with it.
static CONTINUED_BY: [u64; 256] = {
    let mut table = [0; 256];
    let mut word = 0;
    while word < CONTINUATIONS.len() {
        table[CONTINUATIONS[word].as_bytes()[0] as usize] |= 1 << word;
        word += 1;
    }
    table
};

/// At most 63.
const CONTINUATIONS: &[&str] = &[
    "or",
    "and",
    "xor",
    "waitfor",
    "exec",
    "execute",
    "select",
    "declare",
    "insert",
    "update",
    "delete",
    "drop",
    "glob",
    "ilike",
    "not",
    "sounds",
    "~",
    "?",
    "::",
    "||",
    "&&",
    "union",
    "having",
    "order",
    "group",
    "limit",
    "like",
    "in",
    "is",
    "isnull",
    "notnull",
    "between",
    ";",
    "--",
    "/*",
    "#",
    "rlike",
    "regexp",
    "collate",
    "except",
    "where",
    "procedure",
    "into",
    "as",
    "=",
    "!",
    "*",
    "^",
    "%",
    "-",
    "+",
    "|",
];

/// Lowers what stands in written text, in documents, and between words that no statement has in a row.
fn temper(setting: Setting, tokens: &[Token], evidence: &mut Evidence) {
    match setting {
        Setting::Short => {}
        Setting::Prose => evidence.temper(PROSE_PERCENT),
        Setting::Document => evidence.temper(DOCUMENT_PERCENT),
    }
    let plain = |token: &Token| {
        matches!(token.kind, TokenKind::Word(words::Word::Plain)) && token.end > token.start + 1
    };
    let rows = tokens
        .windows(3)
        .filter(|row| row.iter().all(plain))
        .take(3)
        .count();
    if rows >= 1 {
        evidence.temper(if rows >= 3 {
            WORDS_PERCENT
        } else {
            SOME_WORDS_PERCENT
        });
    }
}

/// Tokens for which memory is kept from value to value: most have fewer.
const KEPT_TOKENS: usize = 256;
/// Tokens read of a short value; more is no short value.
const SHORT_TOKENS: usize = 4096;
/// Quotes tried in a text, and tokens read after each: the product bounds the work.
const START_TRIES: usize = 64;
const START_TOKENS: usize = 48;
/// Bytes that readings must have seen behind a quote for it not to be tried.
const AHEAD_BYTES: usize = 64;
/// Bytes before a word at which a reading begins.
const LEAD_BYTES: usize = 32;
/// Bytes between a quote and the word after it.
const CONTINUE_BYTES: usize = 16;
/// What is left of a score in written text and in documents, where SQL is quoted and talked about.
const PROSE_PERCENT: u8 = 65;
const DOCUMENT_PERCENT: u8 = 50;
/// What is left of a score beside rows of plain words.
const SOME_WORDS_PERCENT: u8 = 80;
const WORDS_PERCENT: u8 = 60;

/// The tokens of a value in ASCII lower case, for an explanation.
pub(super) fn tokens(lower: &[u8]) -> Vec<(String, std::ops::Range<usize>)> {
    let mut tokens = Vec::new();
    token::read(lower, 0, Quotes::Sql, SHORT_TOKENS, &mut tokens);
    tokens
        .iter()
        .map(|token| (format!("{:?}", token.kind), token.start..token.end))
        .collect()
}
