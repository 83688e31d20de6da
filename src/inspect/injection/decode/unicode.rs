//! Characters that some reader folds to ASCII, and UTF-7.

use super::alphabet::sextets;

/// Folds what looks like ASCII, or is decoded to it by a lax reader, to ASCII. False when nothing was.
pub fn unicode(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    let mut changed = false;
    let mut rest = bytes;
    loop {
        let ascii = ascii_length(rest);
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

/// Length of the run of ASCII at the front, eight bytes at a time where it is long.
fn ascii_length(bytes: &[u8]) -> usize {
    let (words, _) = bytes.as_chunks::<8>();
    let plain = words.iter().take_while(|word| word.is_ascii()).count() * 8;
    let rest = bytes.get(plain..).unwrap_or_default();
    plain + rest.iter().take_while(|byte| byte.is_ascii()).count()
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

/// Bytes of a section of UTF-7; no two sections overlap, so the work stays linear.
const SECTION_BYTES: usize = 256;
