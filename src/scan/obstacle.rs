//! What forbids editing a body, whatever is in it.
//!
//! | obstacle | why no edit | anomaly |
//! |---|---|---|
//! | `Cache-Control: no-transform` | RFC 9111 §5.2.2.6: nobody on the way may change the content | [`Anomaly::EditForbidden`] |
//! | a signature over the body | its reader would refuse what was changed, or take it unverified | [`Anomaly::SignedContent`] |
//! | 206, `Content-Range` | a fragment has no beginning to read it from, and its place would be a lie | [`Anomaly::UnreachableEdit`] |
//!
//! The body is read all the same; only a value that should have gone makes the anomaly, and policy judges that.

use crate::anomaly::Anomaly;
use crate::inspect::Direction;
use crate::redact::Despite;
use crate::wire::Fields;

use super::Message;

/// What keeps the body of `message` from being edited, but for what the profile edits all the same.
pub(super) fn of(message: &Message<'_>, despite: Despite) -> Option<Anomaly> {
    let (fields, status) = match message.direction {
        Direction::Request => (&message.request?.fields, None),
        Direction::Response => {
            let head = message.response?;
            (&head.fields, head.status())
        }
    };
    if status == Some(PARTIAL_CONTENT) || fields.contains("content-range") {
        return Some(Anomaly::UnreachableEdit);
    }
    let frozen = fields
        .list("cache-control")
        .any(|directive| directive.eq_ignore_ascii_case(b"no-transform"));
    if frozen && !despite.contains(Despite::NO_TRANSFORM) {
        return Some(Anomaly::EditForbidden);
    }
    (is_signed(fields) && !despite.contains(Despite::SIGNATURE)).then_some(Anomaly::SignedContent)
}

/// True when a field holds a signature or a keyed digest over the body.
fn is_signed(fields: &Fields) -> bool {
    fields.iter().any(|field| {
        let name = field.name.to_ascii_lowercase();
        match name.as_slice() {
            // RFC 9421 §2: the body is covered through a digest of it; a signature over other fields stays good.
            b"signature-input" | b"signature" => covers_body(field.value),
            // AWS Signature Version 4: the hash of the body is part of what is signed.
            b"x-amz-content-sha256" => {
                field.value.len() == SHA256_HEX && field.value.iter().all(u8::is_ascii_hexdigit)
            }
            // X-Hub-Signature-256, Stripe-Signature, X-Slack-Signature, Webhook-Signature, X-Shopify-Hmac-Sha256 …
            name => SIGNATURES
                .iter()
                .any(|end| name.ends_with(end) && name.len() > end.len()),
        }
    })
}

/// True when the covered components of `Signature-Input`, or the `headers` of the older drafts, name a digest.
fn covers_body(value: &[u8]) -> bool {
    let value = value.to_ascii_lowercase();
    DIGESTS
        .iter()
        .any(|name| memchr::memmem::find(&value, name).is_some())
}

/// How names of fields end that webhooks are signed in.
const SIGNATURES: [&[u8]; 6] = [
    b"-signature",
    b"-signature-256",
    b"-signature-ed25519",
    b"-signature-v2",
    b"-hmac-sha256",
    b"-transmission-sig",
];

/// Components that stand for the body: `content-digest`, `repr-digest`, `digest`, `content-md5`, `content-length`.
const DIGESTS: [&[u8]; 3] = [b"digest", b"content-md5", b"content-length"];

/// Digits of a SHA-256.
const SHA256_HEX: usize = 64;

const PARTIAL_CONTENT: u16 = 206;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http1::{RequestHead, ResponseHead};

    fn of_request(fields: &str, despite: Despite) -> Option<Anomaly> {
        let head = RequestHead::parse(format!("POST / HTTP/1.1\r\n{fields}\r\n\r\n").into());
        let message = Message {
            request: Some(&head),
            ..Message::new(Direction::Request)
        };
        of(&message, despite)
    }

    #[test]
    fn signatures_over_a_body_are_known_by_their_fields() {
        let none = Despite::empty();
        for signed in [
            "X-Hub-Signature-256: sha256=ab",
            "X-Hub-Signature: sha1=ab",
            "Stripe-Signature: t=1,v1=ab",
            "X-Slack-Signature: v0=ab",
            "X-Shopify-Hmac-Sha256: ab",
            "Paypal-Transmission-Sig: ab",
            "X-Signature-Ed25519: ab",
            "Signature-Input: sig1=(\"@method\" \"content-digest\");created=1",
            "Signature: keyId=\"a\",headers=\"(request-target) digest\",signature=\"x\"",
            "x-amz-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ] {
            assert_eq!(
                of_request(signed, none),
                Some(Anomaly::SignedContent),
                "{signed}"
            );
            assert_eq!(of_request(signed, Despite::SIGNATURE), None, "{signed}");
        }
        for free in [
            "Signature-Input: sig1=(\"@method\" \"@target-uri\");created=1",
            "x-amz-content-sha256: UNSIGNED-PAYLOAD",
            "Cache-Control: no-cache",
            "X-Signature-Policy: none",
        ] {
            assert_eq!(of_request(free, none), None, "{free}");
        }
    }

    #[test]
    fn no_transform_and_fragments_forbid_edits() {
        let frozen = "Cache-Control: max-age=1, No-Transform";
        assert_eq!(
            of_request(frozen, Despite::SIGNATURE),
            Some(Anomaly::EditForbidden)
        );
        assert_eq!(of_request(frozen, Despite::NO_TRANSFORM), None);
        let head = ResponseHead::parse("HTTP/1.1 206 Partial Content\r\n\r\n".into());
        let message = Message {
            response: Some(&head),
            ..Message::new(Direction::Response)
        };
        // Nothing makes a fragment editable.
        assert_eq!(of(&message, Despite::all()), Some(Anomaly::UnreachableEdit));
    }
}
