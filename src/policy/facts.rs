//! What rules and exceptions look at in a message, besides its content.

use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine as _;

use crate::http1::{RequestHead, Target};

/// The facts of one message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Path of the ICAP service, such as `/reqmod`.
    pub service: Box<str>,
    /// HTTP method.
    pub method: Box<str>,
    /// Host, lower case, without port.
    pub host: Box<str>,
    /// Path of the request target, without query, as [`canonical_path`] writes it.
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

impl Facts {
    /// What a request's head says: method, host and path.
    pub fn of_request(head: &RequestHead) -> Self {
        let target = Target::parse(head.target());
        // RFC 9112 §3.2.2: the authority of an absolute target wins over Host.
        let authority = match target.authority {
            [] => head.fields.get("host").unwrap_or_default(),
            authority => authority,
        };
        Self {
            method: String::from_utf8_lossy(head.method()).into(),
            host: host_name(authority),
            route: canonical_path(target.path),
            ..Self::default()
        }
    }
}

/// The host of an authority: lower case, without userinfo, port and the root's dot.
pub fn host_name(authority: &[u8]) -> Box<str> {
    let host = match memchr::memrchr(b'@', authority) {
        Some(at) => authority.get(at + 1..).unwrap_or_default(),
        None => authority,
    };
    let host = String::from_utf8_lossy(host).to_ascii_lowercase();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => &host,
    };
    name.strip_suffix('.').unwrap_or(name).into()
}

/// The path that servers of any kind take `path` for: percent-escapes undone once, `\` read as `/`, path parameters
/// (`;x=1`) left out, empty and dot segments resolved (RFC 3986 §5.2.4), no slash at the end. A rule that is written for `/customers` speaks of
/// `/x/..;/%63ustomers` as well, so no spelling of a path chooses another profile.
pub fn canonical_path(path: &[u8]) -> Box<str> {
    if path == b"*" {
        return "*".into();
    }
    let decoded: Vec<u8> = percent_encoding::percent_decode(path).collect();
    let mut segments: Vec<&[u8]> = Vec::new();
    for segment in decoded.split(|byte| matches!(byte, b'/' | b'\\')) {
        let name = segment.split(|byte| *byte == b';').next();
        let name = name.unwrap_or_default();
        match name {
            b"" | b"." => {}
            b".." => {
                segments.pop();
            }
            name => segments.push(name),
        }
    }
    let mut canonical = Vec::with_capacity(decoded.len() + 1);
    for segment in &segments {
        canonical.push(b'/');
        canonical.extend_from_slice(segment);
    }
    if canonical.is_empty() {
        canonical.push(b'/');
    }
    String::from_utf8_lossy(&canonical).into()
}

/// Reads `X-Authenticated-User` or one element of `X-Authenticated-Groups`: plain, or base64 of `Scheme://path`
/// (draft-stecher-icap-subid-00 §3.4). `WinNT://domain/jane`, `LDAP://…` and `Local://jane` are kept whole after the
/// scheme.
pub fn identity(value: &str) -> Box<str> {
    let value = value.trim();
    if value.is_empty() {
        return Box::default();
    }
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
    fn every_spelling_of_a_path_is_one_path() {
        for spelled in [
            "/customers/7",
            "//customers//7",
            "/./customers/7",
            "/x/../customers/7",
            "/x/..;/customers;v=1/7;a",
            "/%63ustomers%2f7",
            "/customers\\7",
        ] {
            assert_eq!(
                &*canonical_path(spelled.as_bytes()),
                "/customers/7",
                "{spelled}"
            );
        }
        for (path, canonical) in [
            ("", "/"),
            ("/", "/"),
            ("*", "*"),
            ("/a/", "/a"),
            ("/a/..", "/"),
            ("/../../a", "/a"),
            ("/%2561", "/%61"),
        ] {
            assert_eq!(&*canonical_path(path.as_bytes()), canonical, "{path}");
        }
    }

    #[test]
    fn a_host_is_a_name_alone() {
        for (authority, name) in [
            ("Api.Example.com:443", "api.example.com"),
            ("user:pass@h", "h"),
            ("h.", "h"),
            ("[::1]:80", "[::1]"),
            ("[::1]", "[::1]"),
        ] {
            assert_eq!(&*host_name(authority.as_bytes()), name, "{authority}");
        }
    }

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
