//! What the first window of a part says about its type. Content-Type lies; bytes are what a parser meets.

/// The type that the first bytes look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// No bytes at all.
    Empty,
    /// Begins like a JSON object or array.
    Json,
    /// Begins like XML (declaration, DOCTYPE, comment or an element with a namespace look).
    Xml,
    /// Begins like HTML.
    Html,
    /// `name=value&…`
    Form,
    /// A delimiter line and a part head.
    Multipart,
    /// `%PDF-`
    Pdf,
    /// A zip local header or an empty zip; OOXML, ODF and jar too.
    Zip,
    /// gzip.
    Gzip,
    /// A zstd frame.
    Zstd,
    /// bzip2.
    Bzip2,
    /// xz.
    Xz,
    /// 7z.
    SevenZip,
    /// RAR 4 or 5.
    Rar,
    /// Microsoft cabinet.
    Cab,
    /// tar, by its header checksum.
    Tar,
    /// A Windows executable.
    Pe,
    /// An ELF executable or library.
    Elf,
    /// A Mach-O executable or a fat binary.
    MachO,
    /// A Java class.
    JavaClass,
    /// WebAssembly.
    Wasm,
    /// OLE2 compound file: old Office, msi.
    Ole2,
    /// RTF.
    Rtf,
    /// PNG, JPEG, GIF, WebP, BMP, TIFF or ICO.
    Image,
    /// A script by its `#!` line.
    Script,
    /// Text of no known kind.
    Text,
    /// Bytes of no known kind.
    Binary,
}

impl Type {
    /// The stable kebab-case name used in logs and rules.
    pub fn code(self) -> &'static str {
        match self {
            Type::Empty => "empty",
            Type::Json => "json",
            Type::Xml => "xml",
            Type::Html => "html",
            Type::Form => "form",
            Type::Multipart => "multipart",
            Type::Pdf => "pdf",
            Type::Zip => "zip",
            Type::Gzip => "gzip",
            Type::Zstd => "zstd",
            Type::Bzip2 => "bzip2",
            Type::Xz => "xz",
            Type::SevenZip => "7z",
            Type::Rar => "rar",
            Type::Cab => "cab",
            Type::Tar => "tar",
            Type::Pe => "pe",
            Type::Elf => "elf",
            Type::MachO => "mach-o",
            Type::JavaClass => "java-class",
            Type::Wasm => "wasm",
            Type::Ole2 => "ole2",
            Type::Rtf => "rtf",
            Type::Image => "image",
            Type::Script => "script",
            Type::Text => "text",
            Type::Binary => "binary",
        }
    }

    /// True for what a person or a document parser reads: no magic number, no binary bytes.
    pub fn is_text(self) -> bool {
        matches!(
            self,
            Type::Json
                | Type::Xml
                | Type::Html
                | Type::Form
                | Type::Multipart
                | Type::Rtf
                | Type::Script
                | Type::Text
        )
    }

    /// True for archives and compressed files.
    pub fn is_archive(self) -> bool {
        matches!(
            self,
            Type::Zip
                | Type::Gzip
                | Type::Zstd
                | Type::Bzip2
                | Type::Xz
                | Type::SevenZip
                | Type::Rar
                | Type::Cab
                | Type::Tar
        )
    }

    /// The type that a `type/subtype` in lower case promises; `None` when it promises nothing that we can check.
    pub fn of_media_type(essence: &str) -> Option<Self> {
        let (top, sub) = essence.split_once('/')?;
        let known = match (top, sub) {
            (_, "json") | ("text", "x-json") => Type::Json,
            (_, sub) if sub.ends_with("+json") => Type::Json,
            (_, "html" | "xhtml+xml") => Type::Html,
            ("image", "svg+xml") => Type::Xml,
            (_, "xml") | (_, "xml-dtd") => Type::Xml,
            (_, sub) if sub.ends_with("+xml") => Type::Xml,
            (_, "x-www-form-urlencoded") => Type::Form,
            ("multipart", _) => Type::Multipart,
            (_, "pdf") => Type::Pdf,
            (_, "gzip" | "x-gzip") => Type::Gzip,
            (_, "zstd") => Type::Zstd,
            (_, "x-bzip2") => Type::Bzip2,
            (_, "x-xz") => Type::Xz,
            (_, "x-7z-compressed") => Type::SevenZip,
            (_, "vnd.rar" | "x-rar-compressed" | "x-rar") => Type::Rar,
            (_, "x-tar") => Type::Tar,
            (_, "zip" | "x-zip-compressed" | "java-archive") => Type::Zip,
            (_, sub) if sub.starts_with("vnd.openxmlformats") => Type::Zip,
            (_, sub) if sub.starts_with("vnd.oasis.opendocument") => Type::Zip,
            (_, "vnd.microsoft.portable-executable" | "x-msdownload" | "x-dosexec") => Type::Pe,
            (_, "msword" | "vnd.ms-excel" | "vnd.ms-powerpoint") => Type::Ole2,
            (_, "rtf") => Type::Rtf,
            (_, "wasm") => Type::Wasm,
            ("image", "png" | "jpeg" | "gif" | "webp" | "bmp" | "tiff" | "x-icon") => Type::Image,
            ("text", _) => Type::Text,
            _ => return None,
        };
        Some(known)
    }

    /// True when data of this sniffed type under the declared type `declared` is no surprise.
    pub fn fits(self, declared: Type) -> bool {
        self == declared
            || self == Type::Empty
            || match declared {
                // Any text may be plain text; a form or JSON text may be a single word.
                Type::Text => self.is_text(),
                Type::Form => matches!(self, Type::Text),
                Type::Json => matches!(self, Type::Text),
                Type::Html => matches!(self, Type::Text | Type::Xml),
                Type::Xml => matches!(self, Type::Html),
                Type::Multipart => matches!(self, Type::Text),
                _ => false,
            }
    }
}

/// The type that `head`, the first window of a part, looks like.
pub fn sniff(head: &[u8]) -> Type {
    if head.is_empty() {
        return Type::Empty;
    }
    if let Some(found) = magic(head) {
        return found;
    }
    if is_tar(head) {
        return Type::Tar;
    }
    text(head)
}

/// Magic numbers at offset 0.
fn magic(head: &[u8]) -> Option<Type> {
    let known = MAGICS
        .iter()
        .find(|(magic, _)| head.starts_with(magic))
        .map(|(_, found)| *found);
    match known {
        // `MZ`, `BM` and the like are also how words begin: text after them is text.
        Some(Type::Pe) if head.len() < 64 || !looks_binary(head) => None,
        Some(Type::Image) if head.starts_with(b"GIF") && !looks_binary(head) => None,
        Some(Type::JavaClass) => Some(java_or_fat(head)),
        None if is_skippable_frame(head) => Some(Type::Zstd),
        None if head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WEBP") => Some(Type::Image),
        None if head.starts_with(b"BM") && looks_binary(head) => Some(Type::Image),
        None if head.starts_with(b"BZh")
            && head.get(4..10) == Some(&[0x31, 0x41, 0x59, 0x26, 0x53, 0x59]) =>
        {
            Some(Type::Bzip2)
        }
        known => known,
    }
}

/// RFC 8878 §3.1.2; a zstd file may begin with one.
fn is_skippable_frame(head: &[u8]) -> bool {
    matches!(head, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

/// `CAFEBABE` is a Java class and a fat Mach-O; a class's major version is 45 or more, a fat binary holds few slices.
fn java_or_fat(head: &[u8]) -> Type {
    match head.get(4..8) {
        Some([0, 0, 0, slices]) if *slices < 40 => Type::MachO,
        _ => Type::JavaClass,
    }
}

/// True when `head` begins with a tar header: its checksum fits (POSIX ustar, also without the `ustar` magic).
pub(super) fn is_tar(head: &[u8]) -> bool {
    let Some(header) = head.get(..512) else {
        return false;
    };
    let Some(field) = header.get(148..156) else {
        return false;
    };
    let digits: Vec<u8> = field
        .iter()
        .copied()
        .skip_while(|byte| *byte == b' ')
        .take_while(|byte| (b'0'..=b'7').contains(byte))
        .collect();
    if digits.is_empty() {
        return false;
    }
    let stored = digits
        .iter()
        .fold(0u32, |sum, digit| (sum << 3) | u32::from(digit - b'0'));
    let summed: u32 = header
        .iter()
        .enumerate()
        .map(|(at, byte)| {
            if (148..156).contains(&at) {
                u32::from(b' ')
            } else {
                u32::from(*byte)
            }
        })
        .sum();
    stored == summed
}

/// Text kinds, after BOM and white space.
fn text(head: &[u8]) -> Type {
    let body = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let body = body.trim_ascii_start();
    let found = match body.first() {
        // Behind so many blanks anything may come; only XML needs to be known before.
        None if head.len() >= MANY_BLANKS => Some(Type::Xml),
        Some(b'<') => markup(body),
        Some(b'{' | b'[') => Some(Type::Json),
        Some(b'-') if is_multipart(body) => Some(Type::Multipart),
        Some(b'#') if head.starts_with(b"#!") => Some(Type::Script),
        _ => None,
    };
    if let Some(found) = found {
        return found;
    }
    if looks_binary(head) {
        Type::Binary
    } else if is_form(body) {
        Type::Form
    } else {
        Type::Text
    }
}

/// `<…`: XML, HTML, or text that happens to begin with an angle bracket.
fn markup(body: &[u8]) -> Option<Type> {
    let starts = |tag: &str| {
        body.get(..tag.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(tag.as_bytes()))
    };
    if starts("<?xml") {
        return Some(Type::Xml);
    }
    if starts("<!doctype") {
        let name = body.get(9..).unwrap_or_default().trim_ascii_start();
        let html = name
            .get(..4)
            .is_some_and(|name| name.eq_ignore_ascii_case(b"html"));
        return Some(if html { Type::Html } else { Type::Xml });
    }
    if HTML_TAGS.iter().any(|tag| starts(tag)) {
        return Some(Type::Html);
    }
    match body.get(1) {
        Some(b'!' | b'?') => Some(Type::Xml),
        Some(byte)
            if byte.is_ascii_alphabetic() || matches!(byte, b'_' | b':') || *byte >= 0x80 =>
        {
            Some(Type::Xml)
        }
        _ => None,
    }
}

/// Blanks that stand in front of nothing honest.
const MANY_BLANKS: usize = 16 * 1024;

/// A delimiter line, then a field line of a part head.
fn is_multipart(body: &[u8]) -> bool {
    let Some(line) = boundary(body) else {
        return false;
    };
    let head = body
        .get(line.len() + 2..)
        .unwrap_or_default()
        .trim_ascii_start();
    head.get(..8)
        .is_some_and(|name| name.eq_ignore_ascii_case(b"content-"))
}

/// The boundary of the delimiter line that `body` begins with.
pub(super) fn boundary(body: &[u8]) -> Option<&[u8]> {
    let rest = body.trim_ascii_start().strip_prefix(b"--")?;
    let end = rest.iter().take(256).position(|byte| *byte == b'\n')?;
    let line = rest.get(..end)?.trim_ascii_end();
    (!line.is_empty()).then_some(line)
}

/// A name of form characters, then `=`, before any white space.
fn is_form(body: &[u8]) -> bool {
    let name = body
        .iter()
        .take(256)
        .take_while(|byte| byte.is_ascii_alphanumeric() || b"%+-_.*[]$~".contains(byte))
        .count();
    if name == 0 || body.get(name) != Some(&b'=') {
        return false;
    }
    !body
        .iter()
        .take(4096)
        .any(|byte| matches!(byte, b' ' | b'\t' | b'<' | b'"' | b'{') || *byte < 0x09)
}

/// True when the first KiB holds control bytes that no text has.
fn looks_binary(head: &[u8]) -> bool {
    let head = head.get(..1024).unwrap_or(head);
    // Without an early end: this way the compiler takes many bytes at once.
    head.iter().fold(false, |found, byte| {
        found | matches!(byte, 0..=8 | 0x0e..=0x1a | 0x1c..=0x1f)
    })
}

const MAGICS: &[(&[u8], Type)] = &[
    (b"%PDF-", Type::Pdf),
    (b"PK\x03\x04", Type::Zip),
    (b"PK\x05\x06", Type::Zip),
    (b"PK\x07\x08PK\x03\x04", Type::Zip),
    (b"PK00PK\x03\x04", Type::Zip),
    (b"\x1f\x8b\x08", Type::Gzip),
    (b"\x28\xb5\x2f\xfd", Type::Zstd),
    (b"\xfd7zXZ\x00", Type::Xz),
    (b"7z\xbc\xaf\x27\x1c", Type::SevenZip),
    (b"Rar!\x1a\x07", Type::Rar),
    (b"MSCF\0\0\0\0", Type::Cab),
    (b"MZ", Type::Pe),
    (b"\x7fELF", Type::Elf),
    (b"\xfe\xed\xfa\xce", Type::MachO),
    (b"\xfe\xed\xfa\xcf", Type::MachO),
    (b"\xce\xfa\xed\xfe", Type::MachO),
    (b"\xcf\xfa\xed\xfe", Type::MachO),
    (b"\xca\xfe\xba\xbe", Type::JavaClass),
    (b"\0asm", Type::Wasm),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Type::Ole2),
    (b"{\\rt", Type::Rtf),
    (b"\x89PNG\r\n\x1a\n", Type::Image),
    (b"\xff\xd8\xff", Type::Image),
    (b"GIF87a", Type::Image),
    (b"GIF89a", Type::Image),
    (b"II*\0", Type::Image),
    (b"MM\0*", Type::Image),
    (b"\0\0\x01\0", Type::Image),
];

/// Tags that begin HTML without a DOCTYPE (WHATWG MIME Sniffing §7.1).
const HTML_TAGS: &[&str] = &[
    "<html",
    "<head",
    "<script",
    "<iframe",
    "<h1",
    "<div",
    "<font",
    "<table",
    "<a ",
    "<a>",
    "<style",
    "<title",
    "<b>",
    "<body",
    "<br",
    "<p>",
    "<p ",
    "<img",
    "<svg onload",
    "<span",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_told_by_their_first_bytes() {
        let table: &[(&[u8], Type)] = &[
            (b"", Type::Empty),
            (b" {\"a\":1}", Type::Json),
            (b"\xef\xbb\xbf[1]", Type::Json),
            (b"<?xml version=\"1.0\"?>", Type::Xml),
            (b"<!DOCTYPE foo [", Type::Xml),
            (b"\n<!doctype HTML>", Type::Html),
            (b"<script>", Type::Html),
            (b"<soap:Envelope", Type::Xml),
            (b"<- left", Type::Text),
            (b"a=b&c=%20", Type::Form),
            (b"a = b", Type::Text),
            (b"--x\r\nContent-Disposition: form-data", Type::Multipart),
            (b"--option", Type::Text),
            (b"%PDF-1.7", Type::Pdf),
            (b"PK\x03\x04....", Type::Zip),
            (b"\x1f\x8b\x08", Type::Gzip),
            (b"\x7fELF", Type::Elf),
            (b"MZ is a comic", Type::Text),
            (b"GIF89a is a format", Type::Text),
            (b"GIF89a\x01\0\x01\0\x80", Type::Image),
            (b"\xca\xfe\xba\xbe\0\0\0\x34", Type::JavaClass),
            (b"\xca\xfe\xba\xbe\0\0\0\x02", Type::MachO),
            (b"{\\rtf1", Type::Rtf),
            (b"#!/bin/sh\n", Type::Script),
            (b"hello", Type::Text),
            (b"\0\x01\x02", Type::Binary),
        ];
        for (head, found) in table {
            assert_eq!(sniff(head), *found, "{}", String::from_utf8_lossy(head));
        }
        let mut pe = b"MZ\x90\0\x03".to_vec();
        pe.resize(100, 0);
        assert_eq!(sniff(&pe), Type::Pe);
    }

    #[test]
    fn a_declared_type_promises_a_sniffed_one() {
        let table = [
            ("application/json", Some(Type::Json)),
            ("application/problem+json", Some(Type::Json)),
            ("image/svg+xml", Some(Type::Xml)),
            ("text/plain", Some(Type::Text)),
            ("application/octet-stream", None),
        ];
        for (essence, promised) in table {
            assert_eq!(Type::of_media_type(essence), promised, "{essence}");
        }
        assert!(Type::Json.fits(Type::Text));
        assert!(!Type::Pe.fits(Type::Text));
    }
}
