//! Keys and tokens that services hand out.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// A JSON Web Token (RFC 7519) in compact form: three parts (five when encrypted), and a header that is base64url of
/// a JSON object with `alg`.
pub fn jwt(text: &[u8]) -> bool {
    let mut parts = text.split(|byte| *byte == b'.');
    let header = parts.next().unwrap_or_default();
    let rest = parts.count();
    let Ok(header) = URL_SAFE.decode(
        header
            .get(..header.len().min(JWT_HEADER_BYTES))
            .unwrap_or_default(),
    ) else {
        return false;
    };
    matches!(rest, 2 | 4)
        && header.first() == Some(&b'{')
        && memchr::memmem::find(&header, b"\"alg\"").is_some()
}

/// A GitHub token of the form `ghp_` + 30 + 6: the last six characters are the CRC-32 of the thirty before in base 62
/// (GitHub, "Behind GitHub's new authentication token formats"). Fine-grained tokens carry no checksum that is
/// published.
pub fn github(text: &[u8]) -> bool {
    if text.starts_with(b"github_pat_") {
        return random(text.get(11..).unwrap_or_default());
    }
    let Some(body) = text.get(4..) else {
        return false;
    };
    if body.len() != 36 {
        return random(body);
    }
    let (secret, check) = body.split_at(30);
    let mut crc = crc32(secret);
    check.iter().rev().all(|byte| {
        let expected = BASE62.get((crc % 62) as usize);
        crc /= 62;
        expected == Some(byte)
    })
}

/// An AWS access key id: a known prefix and sixteen letters and digits that look drawn at random.
pub fn aws_key_id(text: &[u8]) -> bool {
    let body = text.get(4..).unwrap_or_default();
    distinct(body) >= 5 && !placeholder(text) && !text.ends_with(b"EXAMPLE")
}

/// Credentials of basic authentication (RFC 7617 §2): base64 of printable `user:password`.
pub fn basic_auth(text: &[u8]) -> bool {
    let Ok(decoded) = STANDARD.decode(text) else {
        return false;
    };
    let printable =
        std::str::from_utf8(&decoded).is_ok_and(|text| !text.chars().any(char::is_control));
    printable && memchr::memchr(b':', &decoded).is_some_and(|at| at + 1 < decoded.len() || at > 0)
}

/// What stands behind `Basic` in a field that is called so: [`basic_auth`], or something that is no word (a password need
/// not be UTF-8).
pub fn basic_credentials(text: &[u8]) -> bool {
    basic_auth(text) || super::word::secret(text)
}

/// Looks drawn at random: several different characters and not a placeholder or a sentence.
pub fn random(text: &[u8]) -> bool {
    distinct(text) >= 6 && !placeholder(text) && !lower_words(text)
}

/// As [`random`], with a digit.
pub fn random_digits(text: &[u8]) -> bool {
    random(text) && text.iter().any(u8::is_ascii_digit)
}

/// Stands where a secret would: one repeated character, `your-token-here`, `<token>`, `${TOKEN}`, `{{ token }}`.
pub fn placeholder(text: &[u8]) -> bool {
    let longest_run = longest_run(text);
    let templated = matches!(
        (text.first(), text.last()),
        (Some(b'<'), Some(b'>'))
            | (Some(b'['), Some(b']'))
            | (Some(b'{'), Some(b'}'))
            | (Some(b'%'), Some(b'%'))
    ) || text.starts_with(b"${")
        || text.starts_with(b"$(")
        || text.starts_with(b"{{");
    let masked = text
        .iter()
        .all(|byte| b"*xX#.-_ \xe2\x80\xa2\xa6".contains(byte));
    templated
        || masked
        || longest_run >= 6
        || longest_run * 2 > text.len() && text.len() > 4
        || stands_in(text)
}

/// Length of the longest run of one character, in any case.
fn longest_run(text: &[u8]) -> usize {
    let mut longest = text.len().min(1);
    let mut run = 1;
    for (before, byte) in text.iter().zip(text.get(1..).unwrap_or_default()) {
        // Most neighbours differ in more than their case.
        if (before ^ byte) & !0x20 == 0 && before.eq_ignore_ascii_case(byte) {
            run += 1;
            longest = longest.max(run);
        } else {
            run = 1;
        }
    }
    longest
}

/// True when `text` contains what documentation writes instead of a secret.
fn stands_in(text: &[u8]) -> bool {
    let mut before = 0;
    for (at, byte) in text.iter().enumerate() {
        let [first, second] = BEGINS[usize::from(*byte)];
        if before & second != 0 && stands_at(text, at - 1) {
            return true;
        }
        before = first;
    }
    false
}

#[inline(never)]
fn stands_at(text: &[u8], at: usize) -> bool {
    let rest = text.get(at..).unwrap_or_default();
    WORDS.iter().any(|word| {
        let here = rest.get(..word.len());
        here.is_some_and(|here| here.eq_ignore_ascii_case(word))
    })
}

/// By a byte, in any case: the [`WORDS`] of which it is the first, and those of which it is the second, as bits.
const BEGINS: [[u16; 2]; 256] = {
    let mut table = [[0; 2]; 256];
    let mut word = 0;
    while word < WORDS.len() {
        let mut at = 0;
        while at < 2 {
            let byte = WORDS[word][at];
            table[byte as usize][at] |= 1 << word;
            if byte.is_ascii_lowercase() {
                table[byte.to_ascii_uppercase() as usize][at] |= 1 << word;
            }
            at += 1;
        }
        word += 1;
    }
    table
};

/// Lower-case words joined by `-` or `_`, without a digit: a name, not a secret.
pub fn lower_words(text: &[u8]) -> bool {
    text.iter()
        .all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'_' | b'.'))
}

/// How many different bytes there are.
fn distinct(text: &[u8]) -> usize {
    let mut seen = [0_u64; 4];
    for byte in text {
        if let Some(word) = seen.get_mut(usize::from(byte >> 6)) {
            *word |= 1 << (byte & 63);
        }
    }
    seen.iter().map(|word| word.count_ones() as usize).sum()
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            let mask = 0_u32.wrapping_sub(crc & 1);
            crc >> 1 ^ 0xedb8_8320 & mask
        })
    })
}

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// What documentation writes instead of a secret, of two letters at least.
const WORDS: &[&[u8]] = &[
    b"your-",
    b"your_",
    b"yourtoken",
    b"yourkey",
    b"-here",
    b"_here",
    b"placeholder",
    b"redacted",
    b"xxxxx",
    b"insert_",
    b"replace_",
    b"replace-",
    b"dummy",
    b"1234567890abcdef",
];

/// JWT headers are some dozens of bytes; more is not looked at.
const JWT_HEADER_BYTES: usize = 2048;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jwt_has_a_header_with_an_algorithm() {
        assert!(jwt(b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"));
        assert!(!jwt(b"eyJpZCI6IDU1NTQ0MiwgIm8iOiA2NX0=.x.y"));
        assert!(!jwt(b"eyJhbGciOiJIUzI1NiJ9"));
    }

    #[test]
    fn github_tokens_carry_their_checksum() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        let secret = b"abcdefghijklmnopqrstuvwxyz0123";
        let mut crc = crc32(secret);
        let mut tail = [b'0'; 6];
        for slot in tail.iter_mut().rev() {
            *slot = BASE62[(crc % 62) as usize];
            crc /= 62;
        }
        let token = [b"ghp_".as_slice(), secret, &tail].concat();
        assert!(github(&token));
        assert!(!github(b"ghp_abcdefghijklmnopqrstuvwxyz0123456789"));
        assert!(!github(b"ghp_feature_branch"));
    }

    #[test]
    fn runs_are_counted_in_any_case() {
        for (text, longest) in [("", 0), ("a", 1), ("aAab", 3), ("baAA", 3), ("abab", 1)] {
            assert_eq!(longest_run(text.as_bytes()), longest, "{text}");
        }
    }

    #[test]
    fn what_stands_in_for_a_secret_is_found_in_any_case_wherever_it_lies() {
        for word in WORDS {
            for (before, behind) in [("", ""), ("a8", ""), ("", "q7"), ("y", "x")] {
                let text = [before.as_bytes(), word, behind.as_bytes()].concat();
                assert!(stands_in(&text) && stands_in(&text.to_ascii_uppercase()));
            }
            assert!(!stands_in(&word[1..]) && !stands_in(&word[..word.len() - 1]));
        }
    }

    #[test]
    fn placeholders_are_not_random() {
        for text in [
            "xxxxxxxxxxxxxxxx",
            "your-token-here",
            "${API_KEY}",
            "<token>",
            "AKIAXXXXXXXXXXXXXXXX",
            "********",
        ] {
            assert!(placeholder(text.as_bytes()), "{text}");
        }
        assert!(!placeholder(b"u629Aey_W6tS-FVgb2JIf1VKL00Peh8S5"));
    }

    #[test]
    fn basic_credentials_decode_to_user_and_password() {
        assert!(basic_auth(b"QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
        assert!(!basic_auth(b"authentication"));
    }
}
