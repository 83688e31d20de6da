//! What rules and exceptions look at in a message, besides its content.

use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine as _;

/// The facts of one message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Path of the ICAP service, such as `/reqmod`.
    pub service: Box<str>,
    /// HTTP method.
    pub method: Box<str>,
    /// Host, lower case, without port.
    pub host: Box<str>,
    /// Path of the request target, without query.
    pub route: Box<str>,
    /// Media type, `type/subtype`, lower case.
    pub content_type: Box<str>,
    /// The HTTP client's address where known, else the ICAP client's.
    pub client: Option<IpAddr>,
    /// Authenticated user.
    pub user: Option<Arc<str>>,
    /// Groups of the authenticated user.
    pub groups: Vec<Box<str>>,
    /// Name in the ICAP client's certificate.
    pub tls_identity: Option<Arc<str>>,
}

/// Reads `X-Authenticated-User` or one element of `X-Authenticated-Groups`: plain, or base64 of `Scheme://path`
/// (draft-stecher-icap-subid-00 §3.4). `WinNT://domain/jane`, `LDAP://…` and `Local://jane` are kept whole after the
/// scheme.
pub fn identity(value: &str) -> Box<str> {
    let value = value.trim();
    let decoded = base64::engine::general_purpose::STANDARD
        .decode(value)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .filter(|text| text.contains("://") && !text.chars().any(char::is_control));
    let text = decoded.as_deref().unwrap_or(value);
    match text.split_once("://") {
        Some((_, path)) => path.into(),
        None => text.into(),
    }
}

/// Reads `X-Authenticated-Groups`: a comma-separated list, each element as [`identity`] reads it; a base64 value may hold
/// the whole list.
pub fn groups(value: &str) -> Vec<Box<str>> {
    let decoded = base64::engine::general_purpose::STANDARD
        .decode(value.trim())
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .filter(|text| text.contains("://") && !text.chars().any(char::is_control));
    decoded
        .as_deref()
        .unwrap_or(value)
        .split(',')
        .map(identity)
        .filter(|group| !group.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_are_read_plain_and_in_base64() {
        for (value, name) in [
            ("jane", "jane"),
            (" jane@corp.test ", "jane@corp.test"),
            ("TG9jYWw6Ly9qYW5l", "jane"),
            ("WinNT://CORP/jane", "CORP/jane"),
            // Base64 by its look, but of no identity: kept as it is.
            ("amFuZQ==", "amFuZQ=="),
        ] {
            assert_eq!(&*identity(value), name, "{value}");
        }
    }

    #[test]
    fn groups_are_a_list_plain_or_in_base64() {
        assert_eq!(groups("fraud, ops"), ["fraud".into(), "ops".into()]);
        // LDAP://fraud,LDAP://ops
        let coded = base64::engine::general_purpose::STANDARD.encode("LDAP://fraud,LDAP://ops");
        assert_eq!(groups(&coded), ["fraud".into(), "ops".into()]);
        assert!(groups("").is_empty());
    }
}
