//! Values of named fields: a secret, or a word that only stands where one would.

use super::token::{lower_words, placeholder};

/// A password where a name says so: anything but an empty value, a word of state, a template or a mask.
pub fn password(text: &[u8]) -> bool {
    !state_word(text) && !template(text) && text.len() >= 3
}

/// A password in a sentence: five characters or more, with a digit, a mark or a capital inside.
pub fn likely_password(text: &[u8]) -> bool {
    let inside = text.get(1..).unwrap_or_default();
    text.len() >= 5 && inside.iter().copied().any(is_odd) && password(text)
}

/// True for what plain words do not have inside: digits, capitals, marks.
pub const fn is_odd(byte: u8) -> bool {
    byte.is_ascii_digit()
        || byte.is_ascii_uppercase()
        || matches!(
            byte,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'*' | b'+' | b'?' | b'@' | b'^' | b'_' | b'~'
        )
}

/// A password by its looks: seven characters or more, a digit, and letters of both cases or a mark.
pub fn strong_password(text: &[u8]) -> bool {
    let has = |class: fn(&u8) -> bool| text.iter().any(class);
    let digit = has(u8::is_ascii_digit);
    let lower = has(u8::is_ascii_lowercase);
    let upper = has(u8::is_ascii_uppercase);
    let mark = has(u8::is_ascii_punctuation);
    text.len() >= 7 && digit && lower && (upper || mark) && password(text) && !placeholder(text)
}

/// The password of a URL's user information.
pub fn url_password(text: &[u8]) -> bool {
    !text.is_empty() && !template(text) && !variable(text)
}

/// A variable of a shell: `$DB_PASS`.
fn variable(text: &[u8]) -> bool {
    let name = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_';
    matches!(text, [b'$', first, rest @ ..] if !first.is_ascii_digit() && name(first) && rest.iter().all(name))
}

/// A secret, key or token where a name says so: eight characters or more, no sentence, no plain word, no placeholder.
pub fn secret(text: &[u8]) -> bool {
    text.len() >= 8
        && !text.iter().any(u8::is_ascii_whitespace)
        && !state_word(text)
        && !template(text)
        && !placeholder(text)
        && !title_word(text)
        && !lower_words(text)
        && !address_like(text)
}

/// The name of a session that is as good as a key: a secret with a digit, and no UUID, which tracing gives to everything.
pub fn session(text: &[u8]) -> bool {
    let dashes = text.iter().filter(|byte| **byte == b'-').count();
    let uuid = text.len() == 36
        && dashes == 4
        && text
            .iter()
            .all(|byte| byte.is_ascii_hexdigit() || *byte == b'-');
    secret(text) && !uuid && text.iter().any(u8::is_ascii_digit)
}

/// One word with a capital letter: `Identifier`, `ACCESS`.
fn title_word(text: &[u8]) -> bool {
    let rest = text.get(1..).unwrap_or_default();
    text.first().is_some_and(u8::is_ascii_uppercase)
        && (rest.iter().all(u8::is_ascii_lowercase)
            || rest
                .iter()
                .all(|byte| byte.is_ascii_uppercase() || *byte == b'_'))
        && text.len() < 20
}

/// A URL or a path: it says where the secret is.
fn address_like(text: &[u8]) -> bool {
    memchr::memmem::find(text, b"://").is_some()
        || text.starts_with(b"arn:")
        || text.starts_with(b"/")
            && text.iter().filter(|byte| **byte == b'/').count() > 1
            && !text.iter().any(|byte| matches!(byte, b'+' | b'='))
}

/// A template or a mask: `${PASSWORD}`, `{{ secret }}`, `<password>`, `********`, `[REDACTED]`.
fn template(text: &[u8]) -> bool {
    let framed = |open: &[u8], close: &[u8]| text.starts_with(open) && text.ends_with(close);
    framed(b"${", b"}")
        || framed(b"{{", b"}}")
        || framed(b"<", b">")
        || framed(b"[", b"]")
        || framed(b"%(", b")s")
        || framed(b"$(", b")")
        || text
            .iter()
            .all(|byte| b"*xX.\xe2\x80\xa2\xa6".contains(byte))
}

/// A word of state, type or form, in any case.
pub fn state_word(text: &[u8]) -> bool {
    let lengths = text.first().map_or(1, |first| STATE_LENGTHS[low(*first)]);
    text.len() < 32
        && lengths >> text.len() & 1 == 1
        && STATE_WORDS
            .iter()
            .any(|word| word.as_bytes().eq_ignore_ascii_case(text))
}

/// The low bits of a letter, which do not tell small from capital ones.
const fn low(letter: u8) -> usize {
    (letter & 31) as usize
}

/// By the low bits of their first letters: the lengths of [`STATE_WORDS`], as bits.
const STATE_LENGTHS: [u32; 32] = {
    let mut table = [0; 32];
    let mut at = 0;
    while at < STATE_WORDS.len() {
        if let [first, ..] = STATE_WORDS[at].as_bytes() {
            table[low(*first)] |= 1 << STATE_WORDS[at].len();
        }
        at += 1;
    }
    table
};

const STATE_WORDS: &[&str] = &[
    "",
    "true",
    "false",
    "null",
    "none",
    "nil",
    "undefined",
    "yes",
    "no",
    "n/a",
    "na",
    "on",
    "off",
    "ok",
    "set",
    "unset",
    "empty",
    "missing",
    "present",
    "required",
    "optional",
    "invalid",
    "valid",
    "incorrect",
    "correct",
    "wrong",
    "expired",
    "revoked",
    "changed",
    "reset",
    "pending",
    "failed",
    "fail",
    "pass",
    "passed",
    "success",
    "error",
    "unknown",
    "default",
    "hidden",
    "string",
    "text",
    "number",
    "boolean",
    "object",
    "bearer",
    "basic",
    "digest",
    "mac",
    "jwt",
    "oauth",
    "oauth2",
    "mobile",
    "visa",
    "enabled",
    "disabled",
    "strong",
    "weak",
    "must",
    "should",
    "is",
    "was",
    "has",
    "will",
    "for",
    "and",
    "the",
    "not",
    "your",
    "access",
    "refresh",
    "enter",
    "updated",
    "rotated",
    "unchanged",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_state_is_known_in_any_case() {
        for word in STATE_WORDS {
            assert!(state_word(word.as_bytes()), "{word}");
            assert!(state_word(word.to_ascii_uppercase().as_bytes()), "{word}");
            assert!(!state_word(format!("{word}~").as_bytes()), "{word}~");
        }
    }

    #[test]
    fn words_of_state_are_no_secrets() {
        for bad in [
            "true",
            "Bearer",
            "required",
            "${PASSWORD}",
            "********",
            "[REDACTED:PASSWORD]",
        ] {
            assert!(!password(bad.as_bytes()), "{bad}");
            assert!(!secret(bad.as_bytes()), "{bad}");
        }
        for good in ["opportunity-sell-hard40", "Ocean1153#", "hunter2"] {
            assert!(password(good.as_bytes()), "{good}");
        }
    }

    #[test]
    fn a_secret_is_not_a_word_or_an_address() {
        for bad in [
            "identifier",
            "Identifier",
            "https://vault.example/secret",
            "next page please",
            "ACCESS_TOKEN",
        ] {
            assert!(!secret(bad.as_bytes()), "{bad}");
        }
        for good in [
            "u629Aey_W6tS-FVgb2JIf1VKL00Peh8S5",
            "c5fa8bdd18e525d21c8983acf49ee62d",
        ] {
            assert!(secret(good.as_bytes()), "{good}");
        }
    }
}
