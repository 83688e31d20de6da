//! The ISTag: which state of the service an answer belongs to (RFC 3507 §4.7).

use std::fmt;

/// A service state tag: at most 32 bytes, shown between quotes. Every answer carries one.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct IsTag {
    bytes: [u8; MAX_BYTES],
    len: u8,
}

/// The tag is empty, longer than 32 bytes, or holds a byte other than a letter, a digit, `-`, `.` or `_`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an ISTag is 1 to 32 letters, digits, '-', '.' or '_'")]
pub struct IsTagError;

impl IsTag {
    /// The tag with that text, quotes not included.
    ///
    /// # Errors
    /// [`IsTagError`] when the text cannot be a tag.
    pub fn new(text: &str) -> Result<Self, IsTagError> {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        if text.is_empty() || text.len() > MAX_BYTES || !text.bytes().all(legal) {
            return Err(IsTagError);
        }
        let mut bytes = [0; MAX_BYTES];
        for (slot, byte) in bytes.iter_mut().zip(text.bytes()) {
            *slot = byte;
        }
        Ok(Self {
            bytes,
            len: u8::try_from(text.len()).map_err(|_| IsTagError)?,
        })
    }

    /// The first 14 bytes of `digest` in hexadecimal: 28 digits, so that the tag with its quotes stays under 32 bytes,
    /// which is how some clients count.
    pub fn from_digest(digest: &[u8]) -> Self {
        let mut tag = Self {
            bytes: [b'0'; MAX_BYTES],
            len: DIGEST_DIGITS,
        };
        let digits = digest
            .iter()
            .flat_map(|byte| [byte >> 4, byte & 15])
            .filter_map(|nibble| char::from_digit(u32::from(nibble), 16));
        for (slot, digit) in tag.bytes.iter_mut().zip(digits.take(DIGEST_DIGITS.into())) {
            *slot = u8::try_from(digit).unwrap_or(b'0');
        }
        tag
    }

    /// The tag without quotes.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len.into()).unwrap_or_default()
    }

    /// The tag without quotes.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

impl fmt::Display for IsTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.as_str())
    }
}

impl fmt::Debug for IsTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IsTag({self})")
    }
}

/// RFC 3507 §4.7: "a 32-byte-maximum alphanumeric string".
const MAX_BYTES: usize = 32;

/// Digits of a tag made from a digest.
const DIGEST_DIGITS: u8 = 28;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_quoted_and_at_most_32_bytes_section_4_7() {
        assert_eq!(
            IsTag::new("W3E4R7U9-L2E4-2").map(|tag| tag.to_string()),
            Ok("\"W3E4R7U9-L2E4-2\"".into())
        );
        assert!(IsTag::new(&"a".repeat(32)).is_ok());
        for bad in ["", "a b", "a\"b", "a\r\n", "ä", &"a".repeat(33)] {
            assert_eq!(IsTag::new(bad), Err(IsTagError), "{bad:?}");
        }
        assert_eq!(IsTag::from_digest(&[0xab; 32]).as_str(), "ab".repeat(14));
        assert_eq!(IsTag::from_digest(&[]).as_str(), "0".repeat(28));
    }
}
