//! Mask styles, and how a mask is written in each host syntax.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::inspect::leaf::HostSyntax;

/// How a value is masked.
#[derive(Clone, Debug, Default)]
pub enum Mask {
    /// `[REDACTED:TYPE]`
    #[default]
    Fixed,
    /// All but the last four letters and digits are stars; separators stay. Values of fewer than nine are masked whole.
    KeepLast4,
    /// The first six and the last four digits stay (PCI DSS 4.0.1 requirement 3.4.1); card numbers only.
    BinLast4,
    /// `tok_` and a keyed HMAC of the value: equal values have equal tokens under one key and tenant.
    Token(Arc<TokenKey>),
    /// JSON `null`; empty elsewhere.
    Null,
    /// The member, element, field or cell is taken out where the syntax allows it, else emptied.
    Remove,
    /// The message is blocked.
    Block,
}

/// The key of [`Mask::Token`], bound to a tenant. Never printed.
pub struct TokenKey {
    inner: [u8; BLOCK],
    outer: [u8; BLOCK],
    tenant: Box<str>,
    /// Names the key in each token.
    id: Box<str>,
    /// While keys are rotated: the one before.
    previous: Option<Box<TokenKey>>,
}

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenKey").finish_non_exhaustive()
    }
}

impl TokenKey {
    /// A key for `tenant`. `None` for a secret under [`KEY_BYTES`] bytes: numbers are guessed in minutes under a weak
    /// one.
    pub fn new(secret: &[u8], tenant: &str) -> Option<Self> {
        if secret.len() < KEY_BYTES {
            return None;
        }
        // RFC 2104 §2: keys longer than a block are hashed first.
        let mut block = [0; BLOCK];
        let digest = Sha256::digest(secret);
        let key: &[u8] = if secret.len() > BLOCK {
            &digest
        } else {
            secret
        };
        block
            .iter_mut()
            .zip(key)
            .for_each(|(slot, byte)| *slot = *byte);
        Some(Self {
            inner: block.map(|byte| byte ^ 0x36),
            outer: block.map(|byte| byte ^ 0x5c),
            tenant: tenant.into(),
            id: "".into(),
            previous: None,
        })
    }

    /// The same key under a name that each token shows: `tok_2026a_…`. After a rotation old tokens are told apart.
    #[must_use]
    pub fn with_id(self, id: &str) -> Self {
        Self {
            id: id.into(),
            ..self
        }
    }

    /// The same key, while it takes the place of `previous`: tokens are written under both, `tok_2026b_….2026a_…`, so that
    /// what is new joins what was written before the rotation.
    #[must_use]
    pub fn with_previous(self, previous: Self) -> Self {
        Self {
            previous: Some(Box::new(previous)),
            ..self
        }
    }

    /// What tells this key from another without telling anything of either.
    pub fn fingerprint(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.token("fingerprint", b"sluice", &mut out);
        out
    }

    /// `tok_`, the digest and, while keys are rotated, a dot and the digest under the key before.
    fn token(&self, entity: &str, value: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(b"tok_");
        self.digest(entity, value, out);
        if let Some(previous) = &self.previous {
            out.push(b'.');
            previous.digest(entity, value, out);
        }
    }

    /// The key's name and 22 characters: 128 bits of HMAC-SHA-256 over entity, tenant and value.
    fn digest(&self, entity: &str, value: &[u8], out: &mut Vec<u8>) {
        let mut inner = Sha256::new_with_prefix(self.inner);
        for part in [entity.as_bytes(), self.tenant.as_bytes(), value] {
            // Lengths keep (`ab`, `c`) and (`a`, `bc`) apart.
            inner.update((part.len() as u64).to_be_bytes());
            inner.update(part);
        }
        let mut outer = Sha256::new_with_prefix(self.outer);
        outer.update(inner.finalize());
        let digest = outer.finalize();
        if !self.id.is_empty() {
            out.extend_from_slice(self.id.as_bytes());
            out.push(b'_');
        }
        let short = digest.get(..16).unwrap_or_default();
        out.extend_from_slice(URL_SAFE_NO_PAD.encode(short).as_bytes());
    }
}

impl Mask {
    /// Appends the mask of `value`, an `entity`, in plain characters.
    pub fn render(&self, entity: &str, value: &[u8], out: &mut Vec<u8>) {
        match self {
            Mask::Fixed | Mask::Block => fixed(entity, out),
            Mask::KeepLast4 => partly(entity, value, 0, out),
            Mask::BinLast4 if entity == "PAN" => partly(entity, value, 6, out),
            Mask::BinLast4 => fixed(entity, out),
            Mask::Token(key) => key.token(entity, value, out),
            Mask::Null | Mask::Remove => {}
        }
    }
}

fn fixed(entity: &str, out: &mut Vec<u8>) {
    for part in fixed_parts(entity) {
        out.extend_from_slice(part);
    }
}

/// What [`Mask::Fixed`] is made of.
pub fn fixed_parts(entity: &str) -> [&[u8]; 3] {
    [b"[REDACTED:", entity.as_bytes(), b"]"]
}

/// The fixed mask of `entity` where it is written as it is in each syntax that [`is_verbatim`] names.
pub fn verbatim(entity: &str) -> Option<Box<[u8]>> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let is_plain = entity.bytes().all(plain);
    is_plain.then(|| fixed_parts(entity).concat().into())
}

/// True when letters, digits and the marks of a fixed mask are written in `host` as they are.
pub fn is_verbatim(host: HostSyntax) -> bool {
    match host {
        HostSyntax::JsonNumber
        | HostSyntax::JsonLiteral
        | HostSyntax::FormValue
        | HostSyntax::FormName
        | HostSyntax::UrlPath => false,
        HostSyntax::JsonString
        | HostSyntax::JsonKey
        | HostSyntax::XmlText
        | HostSyntax::XmlCdata
        | HostSyntax::XmlJoined
        | HostSyntax::XmlAttribute
        | HostSyntax::XmlComment
        | HostSyntax::HtmlText
        | HostSyntax::HtmlAttribute
        | HostSyntax::CsvCell
        | HostSyntax::CsvQuoted
        | HostSyntax::HeaderValue
        | HostSyntax::CookieValue
        | HostSyntax::Raw => true,
    }
}

/// Keeps the first `head` and the last four letters and digits, and the separators.
fn partly(entity: &str, value: &[u8], head: usize, out: &mut Vec<u8>) {
    let total = value
        .iter()
        .filter(|byte| byte.is_ascii_alphanumeric())
        .count();
    if total < KEEP_FROM || !value.is_ascii() {
        fixed(entity, out);
        return;
    }
    let mut seen = 0;
    for byte in value {
        if !byte.is_ascii_alphanumeric() {
            out.push(*byte);
            continue;
        }
        seen += 1;
        let kept = seen <= head || seen > total - 4;
        out.push(if kept { *byte } else { b'*' });
    }
}

/// Appends `text` as it must be written inside `host`.
pub fn write(host: HostSyntax, text: &[u8], out: &mut Vec<u8>) {
    match host {
        HostSyntax::JsonString | HostSyntax::JsonKey => json(text, out),
        HostSyntax::JsonNumber | HostSyntax::JsonLiteral => {
            // A bare mask is no JSON: a string stands in for the number.
            out.push(b'"');
            json(text, out);
            out.push(b'"');
        }
        HostSyntax::XmlText
        | HostSyntax::XmlAttribute
        | HostSyntax::XmlJoined
        | HostSyntax::HtmlText
        | HostSyntax::HtmlAttribute => markup(text, out),
        HostSyntax::FormValue | HostSyntax::FormName | HostSyntax::UrlPath => percent(text, out),
        HostSyntax::CsvQuoted => {
            for byte in text {
                if *byte == b'"' {
                    out.push(b'"');
                }
                out.push(*byte);
            }
        }
        HostSyntax::XmlCdata
        | HostSyntax::XmlComment
        | HostSyntax::CsvCell
        | HostSyntax::HeaderValue
        | HostSyntax::CookieValue
        | HostSyntax::Raw => out.extend_from_slice(text),
    }
}

fn json(text: &[u8], out: &mut Vec<u8>) {
    // The masks that are made here need no escape; only what is left of a value does.
    // No early end, so that the compiler makes it many bytes at a time.
    let special = text.iter().fold(false, |any, byte| {
        any | (*byte < b' ') | (*byte == b'"') | (*byte == b'\\')
    });
    if !special {
        out.extend_from_slice(text);
        return;
    }
    for byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
            0..0x20 => {
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            }
            _ => out.push(*byte),
        }
    }
}

fn markup(text: &[u8], out: &mut Vec<u8>) {
    for byte in text {
        match byte {
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            b'"' => out.extend_from_slice(b"&#34;"),
            b'\'' => out.extend_from_slice(b"&#39;"),
            _ => out.push(*byte),
        }
    }
}

fn percent(text: &[u8], out: &mut Vec<u8>) {
    for byte in text {
        if byte.is_ascii_alphanumeric() || b"-._*".contains(byte) {
            out.push(*byte);
        } else {
            out.extend_from_slice(&[
                b'%',
                HEX[usize::from(byte >> 4)],
                HEX[usize::from(byte & 15)],
            ]);
        }
    }
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Block size of SHA-256.
const BLOCK: usize = 64;

/// The shortest key: as long as the digest's strength in half (128 bits).
const KEY_BYTES: usize = 16;

/// Keeping four of fewer would tell half of the value.
const KEEP_FROM: usize = 9;

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(mask: &Mask, entity: &str, value: &str) -> String {
        let mut out = Vec::new();
        mask.render(entity, value.as_bytes(), &mut out);
        String::from_utf8(out).expect("masks are ASCII")
    }

    #[test]
    fn masks_keep_what_they_say_and_no_more() {
        assert_eq!(rendered(&Mask::Fixed, "PAN", "4111"), "[REDACTED:PAN]");
        let pan = "4111-1111-1111-1234";
        assert_eq!(
            rendered(&Mask::KeepLast4, "PAN", pan),
            "****-****-****-1234"
        );
        assert_eq!(rendered(&Mask::BinLast4, "PAN", pan), "4111-11**-****-1234");
        assert_eq!(rendered(&Mask::BinLast4, "IBAN", pan), "[REDACTED:IBAN]");
        assert_eq!(rendered(&Mask::KeepLast4, "CVV", "123"), "[REDACTED:CVV]");
        assert_eq!(rendered(&Mask::Null, "PAN", pan), "");
    }

    #[test]
    fn tokens_join_equal_values_of_one_tenant_and_type_only() {
        let key = |tenant| {
            Mask::Token(Arc::new(
                TokenKey::new(&[7; 32], tenant).expect("long enough"),
            ))
        };
        let one = rendered(&key("a"), "PAN", "4111");
        assert_eq!(one.len(), 26);
        assert_eq!(one, rendered(&key("a"), "PAN", "4111"));
        assert_ne!(one, rendered(&key("b"), "PAN", "4111"));
        assert_ne!(one, rendered(&key("a"), "SSN", "4111"));
        assert_ne!(one, rendered(&key("a"), "PAN", "4112"));
        assert!(TokenKey::new(b"short", "a").is_none());
        assert!(!format!("{:?}", key("a")).contains('7'));
    }

    #[test]
    fn while_keys_are_rotated_a_token_joins_both_what_was_and_what_will_be() {
        let key = |secret: u8, id: &str| {
            let key = TokenKey::new(&[secret; 32], "a").expect("long enough");
            key.with_id(id)
        };
        let token = |key: TokenKey| rendered(&Mask::Token(Arc::new(key)), "PAN", "4111");
        let (old, new) = (token(key(1, "2026a")), token(key(2, "2026b")));
        let both = token(key(2, "2026b").with_previous(key(1, "2026a")));
        let old = old.strip_prefix("tok_").expect("a token");
        assert!(old.starts_with("2026a_"), "{old}");
        assert_eq!(both, format!("{new}.{old}"));
    }

    #[test]
    fn hmac_is_that_of_rfc_4231() {
        // RFC 4231 test case 2 pads a short key; the same padding is used here, so the two blocks must agree with it.
        let key = TokenKey::new(&[0x0b; 20], "").expect("long enough");
        let mut inner = Sha256::new_with_prefix(key.inner);
        inner.update(b"Hi There");
        let mut outer = Sha256::new_with_prefix(key.outer);
        outer.update(inner.finalize());
        let digest = outer.finalize();
        assert_eq!(&digest[..4], [0xb0, 0x34, 0x4c, 0x61]);
    }

    #[test]
    fn a_mask_stays_well_formed_in_every_host() {
        let written = |host| {
            let mut out = Vec::new();
            write(host, b"[R:\"<&\\]", &mut out);
            String::from_utf8(out).expect("ASCII")
        };
        assert_eq!(written(HostSyntax::JsonString), r#"[R:\"<&\\]"#);
        assert_eq!(written(HostSyntax::JsonNumber), r#""[R:\"<&\\]""#);
        assert_eq!(written(HostSyntax::XmlText), r"[R:&#34;&lt;&amp;\]");
        assert_eq!(written(HostSyntax::FormValue), "%5BR%3A%22%3C%26%5C%5D");
        assert_eq!(written(HostSyntax::CsvQuoted), r#"[R:""<&\]"#);
    }
}
