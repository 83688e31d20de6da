//! `yara/*.yar`: YARA files as text, one namespace a file. Parsing and compiling is the engine's (`inspect::yara`).

use std::sync::Arc;

/// One YARA file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct YaraFile {
    /// Its path in the bundle, without the extension: the namespace of its rules.
    pub namespace: Arc<str>,
    /// The path as operators know it, for messages.
    pub shown: Box<str>,
    /// Its text, as [`text`] reads it.
    pub text: Arc<str>,
    /// Name of the bundle that it came in.
    pub bundle: Arc<str>,
}

/// A YARA file's bytes as text. UTF-16 is decoded by its mark, and a mark is left out. A byte that is not UTF-8 becomes the
/// escape that means it in strings and regular expressions: older collections are written in Latin-1, and libyara
/// compares the byte.
pub fn text(bytes: &[u8]) -> String {
    let wide = |swap: fn([u8; 2]) -> u16, rest: &[u8]| {
        let units: Vec<u16> = rest
            .as_chunks::<2>()
            .0
            .iter()
            .map(|pair| swap(*pair))
            .collect();
        String::from_utf16_lossy(&units)
    };
    let bytes = match bytes {
        [0xff, 0xfe, rest @ ..] => return wide(u16::from_le_bytes, rest),
        [0xfe, 0xff, rest @ ..] => return wide(u16::from_be_bytes, rest),
        [0xef, 0xbb, 0xbf, rest @ ..] => rest,
        other => other,
    };
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_become_their_escapes_and_marks_go() {
        assert_eq!(
            text(b"\xef\xbb\xbfrule \"a\xe9\xff\""),
            "rule \"a\\xe9\\xff\""
        );
        assert_eq!(text(b"\xff\xfer\0u\0"), "ru");
        assert_eq!(text(b"\xfe\xff\0r\0u"), "ru");
        assert_eq!(text("é".as_bytes()), "é");
    }
}
