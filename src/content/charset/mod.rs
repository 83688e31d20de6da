//! Which charset a text is in, and its way to UTF-8.
//!
//! Four voices are heard: the byte order mark, the pattern of zero bytes (XML 1.0 appendix F, RFC 4627 §3), the charset
//! parameter, and the document's own declaration. A receiver may listen to any of them, so where they contradict each
//! other every reading is shown and the contradiction is an anomaly.
//!
//! Single-byte supersets of ASCII (ISO 8859, Windows 125x) are not transcoded: what is looked for is ASCII, and an edit
//! can reach it in place.

mod ebcdic;
mod transcode;
mod utf7;

use std::borrow::Cow;

use encoding_rs::Encoding;

use crate::anomaly::Anomaly;

use super::filter::Filter;
use super::sniff::Type;
use ebcdic::Page;
use transcode::Text;

/// A charset that we can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Charset {
    /// UTF-8, ASCII and the single-byte supersets of ASCII.
    Utf8,
    /// UTF-16, least significant byte first.
    Utf16Le,
    /// UTF-16, most significant byte first.
    Utf16Be,
    /// UTF-32, least significant byte first.
    Utf32Le,
    /// UTF-32, most significant byte first.
    Utf32Be,
    /// UTF-7.
    Utf7,
    /// EBCDIC.
    Ebcdic(Page),
    /// A multi-byte charset of the WHATWG Encoding standard.
    Legacy(&'static Encoding),
}

impl Charset {
    /// Its name; code pages of EBCDIC share one.
    pub(super) fn name(self) -> &'static str {
        match self {
            Charset::Utf8 => "utf-8",
            Charset::Utf16Le => "utf-16le",
            Charset::Utf16Be => "utf-16be",
            Charset::Utf32Le => "utf-32le",
            Charset::Utf32Be => "utf-32be",
            Charset::Utf7 => "utf-7",
            Charset::Ebcdic(_) => "ebcdic",
            Charset::Legacy(encoding) => encoding.name(),
        }
    }
}

/// What the first window says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    /// Charsets other than UTF-8 in which the text is to be read, with the length of their byte order mark.
    pub(super) charsets: [Option<(Charset, usize)>; 2],
    /// True when the bytes as they are may be read as ASCII or UTF-8.
    pub(super) as_is: bool,
    /// What is wrong.
    pub(super) anomaly: Option<Anomaly>,
}

/// Listens to all four voices about a part that begins with `head`, was sniffed as `sniffed`, and is labelled `label`.
pub(super) fn detect(head: &[u8], sniffed: Type, label: Option<&str>) -> Reading {
    let seen = by_bytes(head);
    let labelled = label
        .filter(|label| !label.is_empty())
        .map(|label| of_label(label, head));
    let inside = declared_inside(head, seen, sniffed);
    let mut reading = Reading {
        charsets: [None, None],
        as_is: seen.is_none_or(|(charset, _)| !charset.is_wide()),
        anomaly: None,
    };
    let unreadable = is_in_odd_order(head) || sniffed == Type::Xml && is_cut_short(head);
    if unreadable || matches!(labelled, Some(Err(_))) || matches!(inside, Some(Err(_))) {
        reading.anomaly = Some(Anomaly::UnknownCharset);
    }
    let labelled = labelled.and_then(Result::ok);
    let inside = inside.and_then(Result::ok);
    if let Some((charset, mark)) = seen {
        reading.add(charset, mark);
    }
    if let Some(charset) = labelled {
        reading.hear(charset, seen, sniffed);
    }
    // The HTML standard reads a meta element that says UTF-16 as UTF-8, since it was read as ASCII.
    let inside = inside.filter(|charset| sniffed != Type::Html || !charset.is_wide());
    if let Some(charset) = inside {
        reading.hear_inside(charset, seen, labelled);
    }
    reading
}

impl Reading {
    fn add(&mut self, charset: Charset, mark: usize) {
        let known = self
            .charsets
            .iter()
            .flatten()
            .any(|(known, _)| *known == charset);
        if charset == Charset::Utf8 || known {
            return;
        }
        if let Some(free) = self.charsets.iter_mut().find(|place| place.is_none()) {
            *free = Some((charset, mark));
        }
    }

    /// The charset parameter against the bytes.
    fn hear(&mut self, charset: Charset, seen: Option<(Charset, usize)>, sniffed: Type) {
        match seen {
            Some((seen, _)) if seen == charset => {}
            Some(_) => {
                self.add(charset, 0);
                self.anomaly = Some(Anomaly::CharsetConflict);
            }
            None => {
                self.add(charset, 0);
                // Labelled with two or four bytes a character, and yet it begins like an ASCII document.
                if charset.is_wide() && is_structured(sniffed) {
                    self.anomaly = Some(Anomaly::CharsetConflict);
                }
            }
        }
    }

    /// The document's own declaration against the bytes and the charset parameter.
    fn hear_inside(
        &mut self,
        charset: Charset,
        seen: Option<(Charset, usize)>,
        labelled: Option<Charset>,
    ) {
        let outside = seen.map(|(charset, _)| charset).or(labelled);
        match outside {
            Some(outside) if outside == charset => {}
            Some(_) => {
                self.anomaly = Some(Anomaly::CharsetConflict);
                // It was read as ASCII, so it cannot be in a wide charset.
                if !charset.is_wide() {
                    self.add(charset, 0);
                }
            }
            None if charset.is_wide() => self.anomaly = Some(Anomaly::CharsetConflict),
            None => self.add(charset, 0),
        }
    }
}

impl Charset {
    /// The filter that turns text in it into UTF-8, `mark` bytes of byte order mark left out; `None` for UTF-8.
    pub(super) fn to_utf8(self, mark: usize) -> Option<Filter> {
        Text::new(self).map(|text| Filter::new(Box::new(text), mark))
    }

    /// True when ASCII text looks different in it byte for byte.
    fn is_wide(self) -> bool {
        match self {
            Charset::Utf16Le | Charset::Utf16Be | Charset::Utf32Le | Charset::Utf32Be => true,
            Charset::Ebcdic(_) => true,
            Charset::Utf8 | Charset::Utf7 | Charset::Legacy(_) => false,
        }
    }
}

/// No charset has that name, or none that we can read.
struct Unknown;

/// The charset of a label. Where it leaves the byte order open, `head` decides.
fn of_label(label: &str, head: &[u8]) -> Result<Charset, Unknown> {
    let label = label.trim();
    // Nearly all, which are not to cost an allocation each.
    if label.eq_ignore_ascii_case("utf-8") {
        return Ok(Charset::Utf8);
    }
    let label = label.to_ascii_lowercase();
    let open = by_bytes(head).map(|(charset, _)| charset);
    Ok(match label.as_str() {
        // WHATWG and RFC 2781 differ on UTF-16 without a mark; browsers take the former.
        "utf-16" | "utf16" | "ucs-2" | "iso-10646-ucs-2" | "unicode" | "csunicode" => match open {
            Some(Charset::Utf16Be) => Charset::Utf16Be,
            _ => Charset::Utf16Le,
        },
        "utf-32" | "utf32" | "ucs-4" | "iso-10646-ucs-4" => match open {
            Some(Charset::Utf32Le) => Charset::Utf32Le,
            _ => Charset::Utf32Be,
        },
        "utf-32le" | "ucs-4le" => Charset::Utf32Le,
        "utf-32be" | "ucs-4be" => Charset::Utf32Be,
        "utf-7" | "utf7" | "unicode-1-1-utf-7" | "csutf7" | "unicode-2-0-utf-7" => Charset::Utf7,
        "utf8mb4" | "utf8mb3" => Charset::Utf8,
        label
            if label.starts_with("ebcdic")
                || label.starts_with("ibm")
                || label.starts_with("cp") =>
        {
            match (Page::of_label(label), Encoding::for_label(label.as_bytes())) {
                (Some(page), _) => Charset::Ebcdic(page),
                (None, Some(encoding)) => of_encoding(encoding)?,
                // The pages of DOS are supersets of ASCII; the other ones of IBM are EBCDIC.
                (None, None) if is_dos(label) => Charset::Utf8,
                (None, None) => return Err(Unknown),
            }
        }
        label => of_encoding(Encoding::for_label(label.as_bytes()).ok_or(Unknown)?)?,
    })
}

fn is_dos(label: &str) -> bool {
    let number = label.trim_start_matches(|char: char| !char.is_ascii_digit());
    matches!(
        number,
        "437"
            | "720"
            | "737"
            | "775"
            | "850"
            | "852"
            | "855"
            | "857"
            | "858"
            | "860"
            | "861"
            | "862"
            | "863"
            | "864"
            | "865"
            | "869"
            | "1250"
            | "1251"
            | "1252"
    )
}

fn of_encoding(encoding: &'static Encoding) -> Result<Charset, Unknown> {
    if encoding == encoding_rs::UTF_8 || encoding.is_single_byte() {
        Ok(Charset::Utf8)
    } else if encoding == encoding_rs::UTF_16LE {
        Ok(Charset::Utf16Le)
    } else if encoding == encoding_rs::UTF_16BE {
        Ok(Charset::Utf16Be)
    } else if encoding == encoding_rs::REPLACEMENT {
        // ISO-2022-KR, HZ and the like: decoders that could be tricked, which no browser has any more.
        Err(Unknown)
    } else {
        Ok(Charset::Legacy(encoding))
    }
}

/// The charset that the bytes themselves show, and the length of the byte order mark.
fn by_bytes(head: &[u8]) -> Option<(Charset, usize)> {
    if let Some(found) = MARKS.iter().find(|(mark, _)| head.starts_with(mark)) {
        return Some((found.1, found.0.len()));
    }
    // UTF-7 has no other signature than how `<` and the mark itself look in it.
    if head.starts_with(b"+/v8") || head.starts_with(b"+/v9") || head.starts_with(b"+ADw") {
        return Some((Charset::Utf7, 0));
    }
    if head.starts_with(b"\x4c\x6f\xa7\x94") {
        return Some((Charset::Ebcdic(ebcdic_page(head)), 0));
    }
    by_zeros(head).map(|charset| (charset, 0))
}

/// The page that an EBCDIC XML declaration names; letters and digits are the same in all.
fn ebcdic_page(head: &[u8]) -> Page {
    let ascii: Vec<u8> = head
        .iter()
        .take(DECLARATION_BYTES)
        .map(|byte| ascii(Page::Cp037, *byte))
        .collect();
    xml_encoding(&ascii)
        .and_then(|name| Page::of_label(&String::from_utf8_lossy(name).to_ascii_lowercase()))
        .unwrap_or(Page::Cp037)
}

fn ascii(page: Page, byte: u8) -> u8 {
    u8::try_from(page.char(byte)).unwrap_or(b'?')
}

/// Text without a mark whose first characters are ASCII shows its width by its zero bytes.
fn by_zeros(head: &[u8]) -> Option<Charset> {
    let units = |width: usize, at: usize| {
        let count = head.chunks_exact(width).take(4).filter(|unit| {
            unit.iter().enumerate().all(|(place, byte)| {
                if place == at {
                    is_text_ascii(*byte)
                } else {
                    *byte == 0
                }
            })
        });
        (count.count(), head.chunks_exact(width).take(4).count())
    };
    let all = |width, at| {
        let (fit, of) = units(width, at);
        // Four characters; of a shorter text, all of them, at least two.
        fit == of && (of == 4 || (of >= 2 && head.len() / width == of))
    };
    if all(4, 0) {
        Some(Charset::Utf32Le)
    } else if all(4, 3) {
        Some(Charset::Utf32Be)
    } else if all(2, 0) || starts_markup(head, 0) {
        Some(Charset::Utf16Le)
    } else if all(2, 1) || starts_markup(head, 1) {
        Some(Charset::Utf16Be)
    } else {
        None
    }
}

/// True for markup in UCS-4 with its bytes in the orders 2143 or 3412 (XML 1.0 appendix F), marked or not: there are
/// parsers that read it, and we do not.
fn is_in_odd_order(head: &[u8]) -> bool {
    let begins = |bytes: &[u8]| head.starts_with(bytes);
    begins(b"\0\0\xff\xfe")
        || begins(b"\xfe\xff\0\0")
        || matches!(head, [0, 0, b'<', 0, 0, 0, second, 0, ..] if is_text_ascii(*second))
        || matches!(head, [0, b'<', 0, 0, 0, second, 0, 0, ..] if is_text_ascii(*second))
}

/// True when an XML declaration does not end where one is looked for: the charset that it may name is not known.
fn is_cut_short(head: &[u8]) -> bool {
    let looked_at = head.get(..DECLARATION_BYTES);
    looked_at.is_some_and(|text| {
        text.trim_ascii_start().starts_with(b"<?xml") && memchr::memmem::find(text, b"?>").is_none()
    })
}

/// `<`, `{` or `[` in UTF-16 and one more ASCII character: enough for a document whose names are not ASCII.
fn starts_markup(head: &[u8], at: usize) -> bool {
    let unit = |number: usize| {
        let low = head.get(number * 2 + at).copied()?;
        let high = head.get(number * 2 + 1 - at).copied()?;
        (high == 0).then_some(low)
    };
    matches!(unit(0), Some(b'<' | b'{' | b'[')) && unit(1).is_some_and(is_text_ascii)
}

fn is_text_ascii(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\r' | 0x20..=0x7e)
}

/// True for types whose first bytes can be told for certain only when they are ASCII.
fn is_structured(sniffed: Type) -> bool {
    matches!(
        sniffed,
        Type::Json | Type::Xml | Type::Html | Type::Form | Type::Multipart
    )
}

/// What an XML declaration says, or an HTML `meta` element.
fn declared_inside(
    head: &[u8],
    seen: Option<(Charset, usize)>,
    sniffed: Type,
) -> Option<Result<Charset, Unknown>> {
    if seen.is_none() && !matches!(sniffed, Type::Xml | Type::Html) {
        return None;
    }
    let declared = head.get(..DECLARATION_BYTES).unwrap_or(head);
    let (charset, mark) = seen.unwrap_or((Charset::Utf8, 0));
    let text = declared.get(mark..).unwrap_or_default();
    let ascii: Cow<'_, [u8]> = match charset {
        Charset::Ebcdic(page) => declared.iter().map(|byte| ascii(page, *byte)).collect(),
        charset if charset.is_wide() => text.iter().copied().filter(|byte| *byte != 0).collect(),
        _ => text.into(),
    };
    let name = match sniffed {
        Type::Html => meta_charset(&ascii),
        _ => xml_encoding(&ascii),
    };
    name.map(|name| of_label(&String::from_utf8_lossy(name), head))
}

/// `encoding="…"` of an XML declaration (XML 1.0 §2.8).
fn xml_encoding(text: &[u8]) -> Option<&[u8]> {
    let text = text.trim_ascii_start();
    let inside = text.strip_prefix(b"<?xml")?;
    let end = memchr::memmem::find(inside, b"?>").unwrap_or(inside.len());
    let inside = inside.get(..end)?;
    let at = memchr::memmem::find(inside, b"encoding")?;
    value_after(inside.get(at + b"encoding".len()..)?)
}

/// `charset=…` in a `meta` element, as the prescan of the HTML standard finds it, roughly.
fn meta_charset(text: &[u8]) -> Option<&[u8]> {
    let is = |at: usize, word: &[u8]| {
        let here = text.get(at..at + word.len());
        here.is_some_and(|here| here.eq_ignore_ascii_case(word))
    };
    let is_meta = |at: &usize| is(*at, b"<meta");
    let small = memchr::memmem::find_iter(text, b"<m").find(is_meta);
    let before = text.get(..small.unwrap_or(text.len()))?;
    let capital = memchr::memmem::find_iter(before, b"<M").find(is_meta);
    let meta = capital.or(small)?;
    let mut places = memchr::memchr2_iter(b'c', b'C', text.get(meta..)?).map(|at| meta + at);
    let at = places.find(|at| is(*at, b"charset"))?;
    value_after(text.get(at + b"charset".len()..)?)
}

fn value_after(text: &[u8]) -> Option<&[u8]> {
    let text = text
        .trim_ascii_start()
        .strip_prefix(b"=")?
        .trim_ascii_start();
    let text = text
        .strip_prefix(b"\"")
        .or(text.strip_prefix(b"'"))
        .unwrap_or(text);
    let end = text
        .iter()
        .take(LABEL_BYTES)
        .position(|byte| matches!(byte, b'"' | b'\'' | b' ' | b';' | b'>' | b'/' | b'?'))
        .unwrap_or(text.len().min(LABEL_BYTES));
    let name = text.get(..end)?;
    (!name.is_empty()).then_some(name)
}

/// Byte order marks; UTF-32LE before UTF-16LE, whose mark it begins with.
const MARKS: &[(&[u8], Charset)] = &[
    (b"\xef\xbb\xbf", Charset::Utf8),
    (b"\xff\xfe\0\0", Charset::Utf32Le),
    (b"\0\0\xfe\xff", Charset::Utf32Be),
    (b"\xff\xfe", Charset::Utf16Le),
    (b"\xfe\xff", Charset::Utf16Be),
];

/// Where a declaration must stand: the HTML standard scans 1,024 bytes; XML's stands first. Four times for UTF-32.
const DECLARATION_BYTES: usize = 4096;

/// Longest charset name (RFC 2978 §2.3: 40).
const LABEL_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::seen::{prose, run_split};
    use crate::content::{Declared, PartKind};

    const XML: &str =
        "<?xml version=\"1.0\"?><!DOCTYPE r [<!ENTITY e SYSTEM \"file:///x\">]><r>&e;é😀</r>";

    fn utf16(text: &str, order: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(order).collect()
    }

    fn utf32(text: &str, order: fn(u32) -> [u8; 4]) -> Vec<u8> {
        text.chars().map(u32::from).flat_map(order).collect()
    }

    fn marked(mark: &[u8], text: Vec<u8>) -> Vec<u8> {
        let mut bytes = mark.to_vec();
        bytes.extend(text);
        bytes
    }

    fn ebcdic(text: &str, page: Page) -> Vec<u8> {
        let byte = |char| (0..=255u8).find(|byte| page.char(*byte) == char);
        text.chars()
            .map(|char| byte(char).expect("in the page"))
            .collect()
    }

    #[test]
    fn what_a_parser_may_read_and_we_do_not_is_an_anomaly() {
        let order = |places: [usize; 4]| -> Vec<u8> {
            let text = XML.chars().map(|char| u32::from(char).to_be_bytes());
            text.flat_map(|unit| places.map(|place| unit[place]))
                .collect()
        };
        let (odd, swapped) = (order([1, 0, 3, 2]), order([2, 3, 0, 1]));
        assert!(odd.starts_with(b"\0\0<\0") && swapped.starts_with(b"\0<\0\0"));
        let blanks = " ".repeat(5000);
        let late = format!("<?xml version=\"1.0\"{blanks}encoding=\"UTF-7\"?>+ADw-r/+AD4-");
        for body in [odd, swapped, late.into_bytes()] {
            let seen = run_split(&typed("application/xml"), &body);
            assert!(seen.kinds().contains(&Anomaly::UnknownCharset));
        }
        let near = format!("<?xml version=\"1.0\"{}?><r/>", " ".repeat(4000));
        let seen = run_split(&typed("application/xml"), near.as_bytes());
        assert_eq!(seen.anomalies, []);
    }

    fn typed(content_type: &str) -> Declared {
        Declared::new().content_type(content_type.as_bytes())
    }

    #[test]
    fn wide_text_is_shown_in_utf_8_with_and_without_a_mark() {
        let table = [
            utf16(XML, u16::to_le_bytes),
            utf16(XML, u16::to_be_bytes),
            utf32(XML, u32::to_le_bytes),
            utf32(XML, u32::to_be_bytes),
            marked(b"\xff\xfe", utf16(XML, u16::to_le_bytes)),
            marked(b"\xfe\xff", utf16(XML, u16::to_be_bytes)),
            marked(b"\xff\xfe\0\0", utf32(XML, u32::to_le_bytes)),
            marked(b"\0\0\xfe\xff", utf32(XML, u32::to_be_bytes)),
        ];
        for body in table {
            let seen = run_split(&typed("text/xml"), &body);
            assert_eq!(seen.bytes("body"), body);
            assert_eq!(String::from_utf8_lossy(seen.bytes("body/utf-8")), XML);
            let part = seen.part("body/utf-8");
            assert_eq!((part.kind, part.sniffed), (PartKind::Utf8, Type::Xml));
            assert_eq!(part.base, None);
            assert!(!seen.part("body").utf8);
            assert_eq!(seen.anomalies, []);
        }
    }

    #[test]
    fn long_wide_text_fills_its_windows() {
        let text =
            String::from_utf8(prose(60_000, 3)).expect("ASCII") + "é😀 ".repeat(9000).as_str();
        let seen = run_split(&typed("text/plain"), &utf16(&text, u16::to_be_bytes));
        assert!(seen.bytes("body/utf-8") == text.as_bytes());
        assert_eq!(seen.anomalies, []);
    }

    #[test]
    fn ebcdic_is_read_by_the_page_that_it_names() {
        for (page, name) in [
            (Page::Cp037, "cp037"),
            (Page::Cp500, "ibm-500"),
            (Page::Cp1047, "IBM1047"),
        ] {
            let text = format!(
                "<?xml version=\"1.0\" encoding=\"{name}\"?><!DOCTYPE r [<!ENTITY e \"x\">]><r/>"
            );
            let seen = run_split(&typed("application/xml"), &ebcdic(&text, page));
            assert_eq!(String::from_utf8_lossy(seen.bytes("body/utf-8")), text);
            assert_eq!(seen.anomalies, [], "{name}");
        }
    }

    #[test]
    fn a_meta_element_is_read_in_any_case_the_first_one_only() {
        let named = |text: &str| meta_charset(text.as_bytes()).map(<[u8]>::to_vec);
        for (text, name) in [
            ("<html><META CharSet='GBK'><meta charset=x>", Some("GBK")),
            (
                "<mark><MeTa http-equiv=x content=\"a/b;cHARSET = gbk\">",
                Some("gbk"),
            ),
            ("<meta charset=a><META charset=b>", Some("a")),
            ("<meta charset><meta charset=b>", None),
            ("charset=a<met charset=b<MET", None),
            ("<meta", None),
        ] {
            assert_eq!(
                named(text),
                name.map(|name| name.as_bytes().to_vec()),
                "{text}"
            );
        }
    }

    #[test]
    fn utf_7_is_read_when_labelled_and_when_seen() {
        let text = b"+ADw-script+AD4-a+-b +2D3eAA- +AGE";
        let seen = run_split(&typed("text/html; charset=utf-7"), text);
        assert_eq!(
            seen.bytes("body/utf-8"),
            "<script>a+b \u{1f600} a".as_bytes()
        );
        assert_eq!(seen.anomalies, []);
        assert!(seen.part("body").utf8);
        let seen = run_split(&Declared::new(), text);
        assert_eq!(
            seen.bytes("body/utf-8"),
            "<script>a+b \u{1f600} a".as_bytes()
        );
    }

    #[test]
    fn single_byte_charsets_are_left_as_they_are() {
        for label in [
            "iso-8859-1",
            "us-ascii",
            "windows-1251",
            "UTF8",
            "\"utf-8\"",
            "cp850",
        ] {
            let seen = run_split(&typed(&format!("text/plain; charset={label}")), b"caf\xe9");
            assert_eq!(seen.paths(), ["body"], "{label}");
            assert_eq!(seen.anomalies, [], "{label}");
        }
    }

    #[test]
    fn multi_byte_charsets_are_transcoded() {
        let seen = run_split(
            &typed("text/plain; charset=Shift_JIS"),
            b"\x83\x65\x83\x58\x83\x67",
        );
        assert_eq!(seen.bytes("body/utf-8"), "テスト".as_bytes());
        let declared = b"<?xml version='1.0' encoding='euc-jp'?><r/>";
        let seen = run_split(&typed("text/xml"), declared);
        assert_eq!(seen.bytes("body/utf-8"), declared);
    }

    #[test]
    fn contradictions_are_anomalies_and_every_reading_is_shown() {
        let wide = utf16("<r>x</r>", u16::to_le_bytes);
        let seen = run_split(&typed("text/xml; charset=utf-8"), &wide);
        assert_eq!(seen.kinds(), [Anomaly::CharsetConflict]);
        assert_eq!(seen.bytes("body/utf-8"), b"<r>x</r>");

        let seen = run_split(&typed("text/xml; charset=utf-16"), b"<r>xx</r>");
        assert!(seen.kinds().contains(&Anomaly::CharsetConflict));
        assert!(seen.part("body").utf8);
        assert_eq!(seen.paths(), ["body", "body/utf-8"]);

        let lying = b"<?xml version=\"1.0\" encoding=\"utf-16\"?><r/>";
        let seen = run_split(&typed("text/xml"), lying);
        assert_eq!(seen.kinds(), [Anomaly::CharsetConflict]);

        let utf7 = b"<?xml version=\"1.0\" encoding=\"utf-7\"?>+ADw-r/>";
        let seen = run_split(&typed("text/xml; charset=utf-8"), utf7);
        assert_eq!(seen.kinds(), [Anomaly::CharsetConflict]);
        assert!(seen.bytes("body/utf-8").ends_with(b"?><r/>"));
    }

    #[test]
    fn what_the_charset_does_not_have_is_an_anomaly() {
        let table: &[(&str, &[u8])] = &[
            ("utf-16le", b"<\0a\0\0\xd8b\0"),
            ("utf-16le", b"<\0a\0b"),
            ("utf-32be", b"\0\0\0<\0\0\0a\0\x11\0\0"),
            ("utf-7", b"a+2D3-b"),
            ("utf-7", b"\xff"),
            ("shift_jis", b"\x83"),
        ];
        for (label, body) in table {
            let seen = run_split(&typed(&format!("text/plain; charset={label}")), body);
            assert_eq!(seen.kinds(), [Anomaly::BrokenCharset], "{label}");
            assert_eq!(seen.bytes("body"), *body);
            assert!(seen.paths().contains(&"body/utf-8"));
        }
    }

    #[test]
    fn an_unknown_label_is_an_anomaly() {
        for label in ["klingon", "hz-gb-2312", "ibm273"] {
            let seen = run_split(&typed(&format!("text/plain; charset={label}")), b"x");
            assert_eq!(seen.kinds(), [Anomaly::UnknownCharset], "{label}");
        }
    }

    #[test]
    fn html_says_its_charset_in_a_meta_element() {
        let body = b"<html><meta http-equiv=x content='text/html; charset=gbk'>\xc4\xe3";
        let seen = run_split(&typed("text/html"), body);
        assert!(seen.bytes("body/utf-8").ends_with("你".as_bytes()));
        let seen = run_split(&typed("text/html"), b"<html><meta charset=utf-16>x");
        assert_eq!((seen.paths(), seen.anomalies.len()), (vec!["body"], 0));
    }
}
