//! The decode graph: in which other forms a back end may read a value.
//!
//! Each decoder has a cheap test ([`Signs`], taken in one pass over the bytes) that says whether it is worth a try, and
//! yields nothing when it would change nothing. The walk over the graph, its limits and its budget are in
//! [`super::walk`].
//!
//! | file | what |
//! |---|---|
//! | [`reference`](mod@reference) | character references of HTML and XML |
//! | [`escape`](mod@escape) | escapes of JavaScript and its kin |
//! | [`alphabet`] | base64 and hex |
//! | [`unicode`](mod@unicode) | look-alikes, overlong forms, UTF-7 |

mod alphabet;
mod escape;
mod reference;
mod unicode;

pub use alphabet::{base64, begins_wrapped, hex, is_spaced, wrapped};
pub use escape::escape;
pub use reference::{entity, reference};
pub use unicode::{unicode, utf7};

/// One decoder, as it is named in a finding's chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decoder {
    /// `%41`, `%u0041`, and `+` where no space is.
    Percent,
    /// `&lt;`, `&#60`, `&#x3c;`.
    Entity,
    /// `\x41`, `\u0041`, `\u{41}`, `\101`.
    Escape,
    /// Base64 and base64url, in data URLs, credentials and tokens too.
    Base64,
    /// Pairs of hex digits.
    Hex,
    /// Strings of a JSON document.
    Json,
    /// String literals and comments of a GraphQL document.
    Graphql,
    /// Values of a form or of a URL's query.
    Form,
    /// Overlong, full-width, circled and other characters, folded to ASCII.
    Unicode,
    /// UTF-7 sections (`+ADw-`).
    Utf7,
    /// Control characters taken out.
    Control,
    /// Comments inside words taken out (`un/**/ion`).
    Comment,
}

impl Decoder {
    /// The name in a chain.
    pub fn name(self) -> &'static str {
        match self {
            Self::Percent => "percent",
            Self::Entity => "entity",
            Self::Escape => "escape",
            Self::Base64 => "base64",
            Self::Hex => "hex",
            Self::Json => "json",
            Self::Graphql => "graphql",
            Self::Form => "form",
            Self::Unicode => "unicode",
            Self::Utf7 => "utf-7",
            Self::Control => "control",
            Self::Comment => "comment",
        }
    }
}

bitflags::bitflags! {
    /// Which bytes occur in a value.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Signs: u16 {
        /// `%`
        const PERCENT = 1;
        /// `+`
        const PLUS = 1 << 1;
        /// `&`
        const AMPERSAND = 1 << 2;
        /// `\`
        const BACKSLASH = 1 << 3;
        /// Bytes from 0x80 on.
        const HIGH = 1 << 4;
        /// Control bytes but tab, line feed and carriage return.
        const CONTROL = 1 << 5;
        /// A space.
        const SPACE = 1 << 6;
        /// `=`
        const EQUALS = 1 << 7;
        /// `"`
        const QUOTE = 1 << 8;
        /// `?`
        const QUESTION = 1 << 9;
        /// `<`
        const ANGLE = 1 << 10;
        /// A byte that base64, base64url and line ends do not have.
        const NOT_BASE64 = 1 << 11;
        /// A byte that is no hex digit.
        const NOT_HEX = 1 << 12;
        /// `/`
        const SLASH = 1 << 13;
        /// `*`
        const STAR = 1 << 14;
        /// `#`
        const HASH = 1 << 15;
    }
}

impl Signs {
    /// One pass over `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        let mut bits = 0_u16;
        for &byte in bytes {
            bits |= SIGNS[usize::from(byte)];
        }
        Self::from_bits_truncate(bits)
    }
}

static SIGNS: [u16; 256] = signs();

const fn signs() -> [u16; 256] {
    let mut table = [0_u16; 256];
    let mut byte = 0_usize;
    while byte < 256 {
        let b = byte as u8;
        let mut bits = match b {
            b'%' => Signs::PERCENT.bits(),
            b'+' => Signs::PLUS.bits(),
            b'&' => Signs::AMPERSAND.bits(),
            b'\\' => Signs::BACKSLASH.bits(),
            b' ' => Signs::SPACE.bits(),
            b'=' => Signs::EQUALS.bits(),
            b'"' => Signs::QUOTE.bits(),
            b'?' => Signs::QUESTION.bits(),
            b'<' => Signs::ANGLE.bits(),
            b'/' => Signs::SLASH.bits(),
            b'*' => Signs::STAR.bits(),
            b'#' => Signs::HASH.bits(),
            0x80.. => Signs::HIGH.bits(),
            b'\t' | b'\n' | b'\r' => 0,
            0..0x20 | 0x7f => Signs::CONTROL.bits(),
            _ => 0,
        };
        if !(b.is_ascii_alphanumeric()
            || matches!(b, b'+' | b'/' | b'=' | b'-' | b'_' | b'\r' | b'\n'))
        {
            bits |= Signs::NOT_BASE64.bits();
        }
        if !b.is_ascii_hexdigit() {
            bits |= Signs::NOT_HEX.bits();
        }
        table[byte] = bits;
        byte += 1;
    }
    table
}

/// Decodes `%XX` and `%uXXXX`; `+` is a space when the value has no space of its own. False when nothing was decoded.
pub fn percent(bytes: &[u8], signs: Signs, out: &mut Vec<u8>) -> bool {
    let plus = !signs.contains(Signs::SPACE);
    let mut changed = false;
    let mut rest = bytes;
    while let Some(at) = coded(rest, plus) {
        let (before, tail) = rest.split_at(at);
        out.extend_from_slice(before);
        let after = tail.get(1..).unwrap_or_default();
        rest = after;
        if tail.first() == Some(&b'+') {
            out.push(b' ');
            changed = true;
        } else if let Some((value, left)) = hex_digits(after, 2) {
            out.push(u8::try_from(value).unwrap_or(b'%'));
            rest = left;
            changed = true;
        } else if let Some((b'u' | b'U', digits)) = after.split_first()
            && let Some((value, left)) = hex_digits(digits, 4)
        {
            push_scalar(value, out);
            rest = left;
            changed = true;
        } else {
            out.push(b'%');
        }
    }
    out.extend_from_slice(rest);
    changed
}

/// Where the next `%` is, or `+` when that stands for a space.
fn coded(bytes: &[u8], plus: bool) -> Option<usize> {
    if plus {
        memchr::memchr2(b'%', b'+', bytes)
    } else {
        memchr::memchr(b'%', bytes)
    }
}

/// Takes control characters out. False when there was none.
pub fn control(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    out.extend(
        bytes
            .iter()
            .filter(|byte| !matches!(byte, 0..0x09 | 0x0b | 0x0c | 0x0e..0x20 | 0x7f)),
    );
    out.len() < bytes.len()
}

/// Takes `/* … */` out where it cuts a word in two. False when it does so nowhere.
pub fn comment(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    let mut changed = false;
    let mut rest = bytes;
    while let Some(at) = memchr::memmem::find(rest, b"/*") {
        let (before, tail) = rest.split_at(at);
        out.extend_from_slice(before);
        let body = tail.get(2..).unwrap_or_default();
        let Some(end) = memchr::memmem::find(body, b"*/") else {
            out.extend_from_slice(tail);
            return changed;
        };
        let after = body.get(end + 2..).unwrap_or_default();
        let inside = out.last().is_some_and(u8::is_ascii_alphabetic)
            && after.first().is_some_and(u8::is_ascii_alphabetic);
        if inside && !body.starts_with(b"!") {
            changed = true;
        } else {
            out.extend_from_slice(tail.get(..end + 4).unwrap_or(tail));
        }
        rest = after;
    }
    out.extend_from_slice(rest);
    changed
}

/// The `count` hex digits at the start as a number, and what follows them.
fn hex_digits(bytes: &[u8], count: usize) -> Option<(u32, &[u8])> {
    let (digits, left) = bytes.split_at_checked(count)?;
    let mut value = 0_u32;
    for digit in digits {
        value = value
            .checked_mul(16)?
            .checked_add(char::from(*digit).to_digit(16)?)?;
    }
    Some((value, left))
}

/// Appends a scalar as UTF-8, a single byte for what is below 0x80.
fn push_scalar(value: u32, out: &mut Vec<u8>) {
    let char = char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER);
    out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
}

/// True when nearly all of it is printable.
pub fn is_text(bytes: &[u8]) -> bool {
    if bytes.is_empty() {
        return false;
    }
    let odd = bytes.iter().filter(|byte| is_odd(**byte)).count();
    // Real text in UTF-8 may be all high bytes; random bytes are hardly ever valid UTF-8 without control characters.
    odd * 20 <= bytes.len()
        || std::str::from_utf8(bytes).is_ok_and(|text| {
            text.chars()
                .all(|char| !char.is_control() || char.is_whitespace())
        })
}

/// True for bytes of which a text in ASCII has hardly any.
fn is_odd(byte: u8) -> bool {
    !matches!(byte, b'\t' | b'\n' | b'\r' | 0x20..=0x7e)
}

/// True for control characters that are no white space, of which a text in UTF-8 has none.
fn is_control(byte: u8) -> bool {
    matches!(byte, 0..=0x08 | 0x0e..=0x1f | 0x7f)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(decoder: fn(&[u8], &mut Vec<u8>) -> bool, bytes: &[u8]) -> Option<String> {
        let mut out = Vec::new();
        decoder(bytes, &mut out).then(|| String::from_utf8_lossy(&out).into_owned())
    }

    #[test]
    fn percent_decodes_bytes_unicode_and_plus() {
        let mut out = Vec::new();
        assert!(percent(
            b"%3Cb%u003e+%2",
            Signs::of(b"%3Cb%u003e+%2"),
            &mut out
        ));
        assert_eq!(out, b"<b> %2");
        assert!(!percent(
            b"100% of it",
            Signs::of(b"100% of it"),
            &mut Vec::new()
        ));
    }

    #[test]
    fn references_decode_in_all_spellings() {
        let shown = run(
            entity,
            b"&lt;&#60&#0000060;&#x3C;&#X3c&LT;&lpar;&bogus; a&b",
        );
        assert_eq!(shown.as_deref(), Some("<<<<<<(&bogus; a&b"));
        assert_eq!(run(entity, b"fish & chips"), None);
    }

    #[test]
    fn escapes_decode_when_one_is_numeric() {
        assert_eq!(
            run(escape, br"\x3c\u003E\u{27}\101\'").as_deref(),
            Some("<>'A'")
        );
        assert_eq!(run(escape, br"C:\new\table"), None);
    }

    #[test]
    fn base64_decodes_text_only() {
        assert_eq!(run(base64, b"PHNjcmlwdD4=").as_deref(), Some("<script>"));
        assert_eq!(run(base64, b"PHNjcmlwdD4").as_deref(), Some("<script>"));
        assert_eq!(run(base64, b"password"), None);
    }

    #[test]
    fn hex_decodes_text_only() {
        assert_eq!(run(hex, b"3c7363726970743e").as_deref(), Some("<script>"));
        assert_eq!(run(hex, b"d41d8cd98f00b204e9800998ecf8427e"), None);
    }

    #[test]
    fn look_alikes_fold_to_ascii() {
        assert_eq!(
            run(unicode, "＜ｓcript＞ ①⑦ ‘".as_bytes()).as_deref(),
            Some("<script> 17 '")
        );
        assert_eq!(
            run(unicode, b"\xc0\xae\xe0\x80\xae/").as_deref(),
            Some("../")
        );
        assert_eq!(run(unicode, "naïve 日本".as_bytes()), None);
    }

    #[test]
    fn utf7_sections_decode() {
        assert_eq!(run(utf7, b"+ADw-script+AD4-").as_deref(), Some("<script>"));
        assert_eq!(run(utf7, b"1 + 2 = three+four"), None);
    }
}
