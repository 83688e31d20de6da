//! The decode graph: in which other forms a back end may read a value.
//!
//! Each decoder has a cheap test ([`Signs`], taken in one pass over the bytes) that says whether it is worth a try, and
//! yields nothing when it would change nothing. The walk over the graph, its limits and its budget are in
//! [`super::walk`].

/// One decoder, as it is named in a finding's chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decoder {
    /// `%41`, `%u0041`, and `+` where no space is.
    Percent,
    /// `&lt;`, `&#60`, `&#x3c;`.
    Entity,
    /// `\x41`, `\u0041`, `\u{41}`, `\101`.
    Escape,
    /// Base64 and base64url.
    Base64,
    /// Pairs of hex digits.
    Hex,
    /// Strings of a JSON document.
    Json,
    /// String literals of a GraphQL document.
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

/// Decodes character references, with or without `;`, padded or not. False when nothing was decoded.
pub fn entity(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    let mut changed = false;
    let mut rest = bytes;
    while let Some(at) = memchr::memchr(b'&', rest) {
        let (before, tail) = rest.split_at(at);
        out.extend_from_slice(before);
        match reference(tail) {
            Some((value, left)) => {
                push_scalar(value, out);
                rest = left;
                changed = true;
            }
            None => {
                out.push(b'&');
                rest = tail.get(1..).unwrap_or_default();
            }
        }
    }
    out.extend_from_slice(rest);
    changed
}

/// The scalar that the reference at the start of `tail` (which begins with `&`) stands for, and what follows it.
pub fn reference(tail: &[u8]) -> Option<(u32, &[u8])> {
    let body = tail.get(1..)?;
    if let Some(number) = body.strip_prefix(b"#") {
        let (radix, digits) = match number.split_first() {
            Some((b'x' | b'X', hex)) => (16, hex),
            _ => (10, number),
        };
        let count = digits
            .iter()
            .take(REFERENCE_DIGITS)
            .take_while(|digit| char::from(**digit).is_digit(radix))
            .count();
        let (value, left) = digits.split_at_checked(count)?;
        let value = std::str::from_utf8(value)
            .ok()
            .and_then(|value| u32::from_str_radix(value, radix).ok())?;
        return Some((value, left.strip_prefix(b";").unwrap_or(left)));
    }
    let count = body
        .iter()
        .take(REFERENCE_NAME)
        .take_while(|byte| byte.is_ascii_alphanumeric())
        .count();
    let name = body.get(..count)?;
    let left = body.get(count..)?;
    let (_, value) = NAMED
        .iter()
        .find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name))?;
    // HTML lets these four go without `;`; the others need it.
    let bare = matches!(*value, 0x3c | 0x3e | 0x26 | 0x22);
    match left.strip_prefix(b";") {
        Some(left) => Some((*value, left)),
        None if bare => Some((*value, left)),
        None => None,
    }
}

/// Decodes the numeric escapes of JavaScript, JSON, C and shells, and the one-letter ones beside them. False when there
/// was no numeric one.
pub fn escape(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    let mut changed = false;
    let mut rest = bytes;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let (before, tail) = rest.split_at(at);
        out.extend_from_slice(before);
        let body = tail.get(1..).unwrap_or_default();
        let (value, left, numeric) = escape_at(body);
        match value {
            Some(value) => push_scalar(value, out),
            None => out.push(b'\\'),
        }
        changed |= numeric;
        rest = left;
    }
    out.extend_from_slice(rest);
    changed
}

/// What the escape whose text after the backslash is `body` stands for; what follows; whether it is a numeric one.
fn escape_at(body: &[u8]) -> (Option<u32>, &[u8], bool) {
    let Some((&kind, after)) = body.split_first() else {
        return (None, body, false);
    };
    match kind {
        b'x' => match hex_digits(after, 2) {
            Some((value, left)) => (Some(value), left, true),
            None => (None, body, false),
        },
        b'u' | b'U' => {
            if let Some((value, left)) = hex_digits(after, 4) {
                return surrogates(value, left);
            }
            let Some(braced) = after.strip_prefix(b"{") else {
                return (None, body, false);
            };
            let count = braced
                .iter()
                .take(8)
                .take_while(|byte| byte.is_ascii_hexdigit())
                .count();
            match hex_digits(braced, count) {
                Some((value, left)) if count > 0 && left.first() == Some(&b'}') => {
                    (Some(value), left.get(1..).unwrap_or_default(), true)
                }
                _ => (None, body, false),
            }
        }
        b'0'..=b'7' => {
            let count = body
                .iter()
                .take(3)
                .take_while(|byte| (b'0'..=b'7').contains(byte))
                .count();
            let value = body
                .iter()
                .take(count)
                .fold(0_u32, |value, digit| value * 8 + u32::from(digit - b'0'));
            (
                Some(value),
                body.get(count..).unwrap_or_default(),
                count >= 2,
            )
        }
        b'n' => (Some(0x0a), after, false),
        b'r' => (Some(0x0d), after, false),
        b't' => (Some(0x09), after, false),
        b'"' | b'\'' | b'/' | b'\\' => (Some(u32::from(kind)), after, false),
        _ => (None, body, false),
    }
}

fn surrogates(high: u32, left: &[u8]) -> (Option<u32>, &[u8], bool) {
    if (0xd800..0xdc00).contains(&high)
        && let Some(tail) = left.strip_prefix(b"\\u")
        && let Some((low, left)) = hex_digits(tail, 4)
        && (0xdc00..0xe000).contains(&low)
    {
        return (
            Some(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00)),
            left,
            true,
        );
    }
    (Some(high), left, true)
}

/// Decodes base64 or base64url (line ends skipped) when the whole of `bytes` is of that alphabet and what comes out is
/// text or a format that carries attacks. False when it is not.
pub fn base64(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    let trimmed = trim_padding(bytes);
    // A word of eight letters is base64 too: nothing shorter says anything, and odd rests cannot be.
    if trimmed.len() < BASE64_BYTES || trimmed.len() % 4 == 1 && !trimmed.contains(&b'\n') {
        return false;
    }
    let head = trimmed.get(..PROBE_BYTES).unwrap_or(trimmed);
    sextets(head, out);
    let plausible = is_text(out) || is_carrier(out);
    if !plausible {
        return false;
    }
    out.clear();
    sextets(trimmed, out);
    is_text(out) || is_carrier(out)
}

fn sextets(bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(bytes.len());
    let mut bits = 0_u32;
    let mut held = 0_u32;
    for &byte in bytes {
        let value = SEXTETS[usize::from(byte)];
        if value > 63 {
            continue;
        }
        bits = (bits << 6) | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push(u8::try_from((bits >> held) & 0xff).unwrap_or_default());
        }
    }
}

/// What each byte stands for in base64 and base64url; more than 63: nothing.
static SEXTETS: [u8; 256] = {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut table = [64; 256];
    let mut value = 0;
    while value < 64 {
        table[letters[value] as usize] = value as u8;
        value += 1;
    }
    table[b'-' as usize] = 62;
    table[b'_' as usize] = 63;
    table
};

fn trim_padding(bytes: &[u8]) -> &[u8] {
    let mut trimmed = bytes.trim_ascii();
    while let Some(shorter) = trimmed.strip_suffix(b"=") {
        trimmed = shorter;
    }
    trimmed
}

/// Decodes pairs of hex digits when that yields text. False when it does not.
pub fn hex(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    if bytes.len() < HEX_BYTES || bytes.len() % 2 == 1 {
        return false;
    }
    for pair in bytes.chunks_exact(2) {
        match hex_digits(pair, 2) {
            Some((value, _)) => out.push(u8::try_from(value).unwrap_or_default()),
            None => return false,
        }
        if out.len() == PROBE_BYTES && !is_text(out) {
            return false;
        }
    }
    is_text(out)
}

/// Folds what looks like ASCII, or is decoded to it by a lax reader, to ASCII. False when nothing was.
pub fn unicode(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    let mut changed = false;
    let mut rest = bytes;
    loop {
        let ascii = rest.iter().take_while(|byte| byte.is_ascii()).count();
        let (plain, tail) = rest.split_at_checked(ascii).unwrap_or((rest, &[]));
        out.extend_from_slice(plain);
        rest = tail;
        let Some((&byte, after)) = rest.split_first() else {
            return changed;
        };
        let Some((scalar, length)) = lax_scalar(rest) else {
            out.push(byte);
            rest = after;
            continue;
        };
        let (unit, left) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        rest = left;
        match fold(scalar) {
            Folded::Ascii(ascii) => {
                out.push(ascii);
                changed = true;
            }
            Folded::Nothing => changed = true,
            Folded::Same => out.extend_from_slice(unit),
        }
    }
}

/// The scalar at the start, overlong forms included, and its length in bytes.
fn lax_scalar(bytes: &[u8]) -> Option<(u32, usize)> {
    let lead = *bytes.first()?;
    let (length, first) = match lead {
        0xc0..=0xdf => (2, u32::from(lead & 0x1f)),
        0xe0..=0xef => (3, u32::from(lead & 0x0f)),
        0xf0..=0xf7 => (4, u32::from(lead & 0x07)),
        _ => return None,
    };
    let mut scalar = first;
    for &byte in bytes.get(1..length)? {
        if byte & 0xc0 != 0x80 {
            return None;
        }
        scalar = (scalar << 6) | u32::from(byte & 0x3f);
    }
    Some((scalar, length))
}

enum Folded {
    Ascii(u8),
    Nothing,
    Same,
}

fn fold(scalar: u32) -> Folded {
    let letter = |base: u32, first: u8| {
        u8::try_from(scalar - base).map_or(Folded::Same, |step| {
            Folded::Ascii(first.saturating_add(step))
        })
    };
    match scalar {
        // An overlong form of an ASCII character.
        0..0x80 => u8::try_from(scalar).map_or(Folded::Same, Folded::Ascii),
        // Full-width forms.
        0xff01..=0xff5e => letter(0xff01, b'!'),
        0x3000 | 0xa0 | 0x2000..=0x200a | 0x202f | 0x205f => Folded::Ascii(b' '),
        // Zero-width characters and the soft hyphen.
        0x200b..=0x200f | 0x2060 | 0xfeff | 0xad => Folded::Nothing,
        0x2018 | 0x2019 | 0x201a | 0x201b | 0x2032 | 0x02b9 | 0x02bb | 0x02bc | 0x02c8 => {
            Folded::Ascii(b'\'')
        }
        0x201c..=0x201f | 0x2033 | 0x02ba => Folded::Ascii(b'"'),
        0x2039 | 0x27e8 | 0x2329 | 0x3008 | 0xfe64 => Folded::Ascii(b'<'),
        0x203a | 0x27e9 | 0x232a | 0x3009 | 0xfe65 => Folded::Ascii(b'>'),
        0x2215 | 0x2044 | 0x29f8 => Folded::Ascii(b'/'),
        0x2216 | 0x29f5 | 0xfe68 => Folded::Ascii(b'\\'),
        0x2024 | 0x3002 | 0xff61 => Folded::Ascii(b'.'),
        0xfe50 => Folded::Ascii(b','),
        0xfe54 | 0x037e => Folded::Ascii(b';'),
        0xfe55 | 0xa789 | 0x2236 => Folded::Ascii(b':'),
        0xfe59 | 0x207d | 0x208d => Folded::Ascii(b'('),
        0xfe5a | 0x207e | 0x208e => Folded::Ascii(b')'),
        0xfe5b => Folded::Ascii(b'{'),
        0xfe5c => Folded::Ascii(b'}'),
        0xfe66 | 0x207c | 0x208c => Folded::Ascii(b'='),
        0xfe62 | 0x207a | 0x208a => Folded::Ascii(b'+'),
        0xfe60 => Folded::Ascii(b'&'),
        0xfe69 => Folded::Ascii(b'$'),
        0x2212 | 0xfe63 | 0x2010..=0x2012 => Folded::Ascii(b'-'),
        // Circled and parenthesised digits and letters.
        0x2460..=0x2468 => letter(0x2460, b'1'),
        0x24ea => Folded::Ascii(b'0'),
        0x24b6..=0x24cf => letter(0x24b6, b'A'),
        0x24d0..=0x24e9 => letter(0x24d0, b'a'),
        0x2474..=0x247c => letter(0x2474, b'1'),
        0x249c..=0x24b5 => letter(0x249c, b'a'),
        0x2080..=0x2089 => letter(0x2080, b'0'),
        0x2074..=0x2079 => letter(0x2074, b'4'),
        // Mathematical letters: 13 alphabets of 52, then digits.
        0x1_d400..=0x1_d6a3 => {
            let step = u8::try_from((scalar - 0x1_d400) % 52).unwrap_or_default();
            Folded::Ascii(if step < 26 {
                b'A' + step
            } else {
                b'a' + step - 26
            })
        }
        0x1_d7ce..=0x1_d7ff => {
            Folded::Ascii(b'0' + u8::try_from((scalar - 0x1_d7ce) % 10).unwrap_or_default())
        }
        // Case mappings that end in ASCII: dotless i, dotted I, long s, Kelvin.
        0x131 => Folded::Ascii(b'i'),
        0x130 => Folded::Ascii(b'I'),
        0x17f => Folded::Ascii(b's'),
        0x212a => Folded::Ascii(b'K'),
        _ => Folded::Same,
    }
}

/// Decodes UTF-7 sections that are plain ASCII afterwards. False when there was none.
pub fn utf7(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    let mut changed = false;
    let mut rest = bytes;
    while let Some(at) = memchr::memchr(b'+', rest) {
        let (before, tail) = rest.split_at(at);
        out.extend_from_slice(before);
        let body = tail.get(1..).unwrap_or_default();
        let count = body
            .iter()
            .take(SECTION_BYTES)
            .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'/')
            .count();
        let (section, left) = body.split_at_checked(count).unwrap_or((body, &[]));
        let mark = out.len();
        if count >= 3 && utf7_section(section, out) {
            rest = left.strip_prefix(b"-").unwrap_or(left);
            changed = true;
        } else {
            out.truncate(mark);
            out.push(b'+');
            rest = body;
        }
    }
    out.extend_from_slice(rest);
    changed
}

fn utf7_section(section: &[u8], out: &mut Vec<u8>) -> bool {
    let mut units = Vec::with_capacity(section.len());
    sextets(section, &mut units);
    let pairs = units.chunks_exact(2);
    let whole = pairs.remainder().iter().all(|byte| *byte == 0);
    let mark = out.len();
    for pair in pairs {
        match pair {
            [0, ascii] if (0x20..0x7f).contains(ascii) => out.push(*ascii),
            _ => return false,
        }
    }
    whole && out.len() > mark
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
    let odd = bytes
        .iter()
        .filter(|byte| !matches!(byte, b'\t' | b'\n' | b'\r' | 0x20..=0x7e))
        .count();
    // Real text in UTF-8 may be all high bytes; random bytes are hardly ever valid UTF-8 without control characters.
    odd * 20 <= bytes.len()
        || std::str::from_utf8(bytes).is_ok_and(|text| {
            text.chars()
                .all(|char| !char.is_control() || char.is_whitespace())
        })
}

/// True for the beginnings of binary formats that carry attacks: serialized Java, .NET and Python objects.
fn is_carrier(bytes: &[u8]) -> bool {
    CARRIERS.iter().any(|magic| bytes.starts_with(magic))
}

const CARRIERS: &[&[u8]] = &[
    b"\xac\xed\x00\x05",
    b"\x00\x01\x00\x00\x00\xff\xff\xff\xff",
    b"\x80\x02",
    b"\x80\x03",
    b"\x80\x04",
    b"\x80\x05",
    b"\xff\x01",
    b"\x04\x08",
];

const NAMED: &[(&str, u32)] = &[
    ("lt", 0x3c),
    ("gt", 0x3e),
    ("amp", 0x26),
    ("quot", 0x22),
    ("apos", 0x27),
    ("nbsp", 0x20),
    ("tab", 0x09),
    ("newline", 0x0a),
    ("colon", 0x3a),
    ("semi", 0x3b),
    ("lpar", 0x28),
    ("rpar", 0x29),
    ("equals", 0x3d),
    ("sol", 0x2f),
    ("bsol", 0x5c),
    ("lsqb", 0x5b),
    ("lbrack", 0x5b),
    ("rsqb", 0x5d),
    ("rbrack", 0x5d),
    ("lcub", 0x7b),
    ("lbrace", 0x7b),
    ("rcub", 0x7d),
    ("rbrace", 0x7d),
    ("grave", 0x60),
    ("excl", 0x21),
    ("quest", 0x3f),
    ("period", 0x2e),
    ("comma", 0x2c),
    ("num", 0x23),
    ("percnt", 0x25),
    ("ast", 0x2a),
    ("plus", 0x2b),
    ("hyphen", 0x2d),
    ("dash", 0x2d),
    ("lowbar", 0x5f),
    ("verbar", 0x7c),
    ("vert", 0x7c),
    ("commat", 0x40),
    ("dollar", 0x24),
    ("hat", 0x5e),
];

/// Digits of a numeric reference; longer padding than any payload list has.
const REFERENCE_DIGITS: usize = 16;
/// Letters of the longest name in the table.
const REFERENCE_NAME: usize = 8;
/// Base64 characters below which a value is taken for a word.
const BASE64_BYTES: usize = 8;
/// Hex digits below which a value is taken for a number or an id.
const HEX_BYTES: usize = 12;
/// Bytes of a section of UTF-7; no two sections overlap, so the work stays linear.
const SECTION_BYTES: usize = 256;
/// Bytes decoded to see whether the rest is worth it.
const PROBE_BYTES: usize = 64;

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
