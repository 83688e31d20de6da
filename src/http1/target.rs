//! The request-target of an HTTP request (RFC 9112 §3.2), split for inspection.

use memchr::{memchr, memchr2};

/// A request-target in its parts, as written; nothing is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// `host[:port]`, with userinfo if there is any; empty in origin form.
    pub authority: &'a [u8],
    /// The path; `*` in asterisk form, empty in authority form.
    pub path: &'a [u8],
    /// Offset of the path in the request-target.
    pub path_at: usize,
    /// What follows `?`.
    pub query: Option<&'a [u8]>,
    /// Offset of the query in the request-target, when there is one.
    pub query_at: usize,
}

impl<'a> Target<'a> {
    /// Splits a target. Total: every byte string has parts. A fragment, which does not belong in a request, stays with
    /// the path or the query, so that it is inspected.
    pub fn parse(target: &'a [u8]) -> Self {
        let authority_at = authority_start(target);
        let from = target.get(authority_at..).unwrap_or_default();
        let path_at = match authority_at {
            0 if !target.starts_with(b"//") && is_authority_form(target) => target.len(),
            0 => 0,
            at => memchr2(b'/', b'?', from).map_or(target.len(), |found| at + found),
        };
        let authority = target.get(authority_at..path_at).unwrap_or_default();
        let rest = target.get(path_at..).unwrap_or_default();
        let (path, query) = match memchr(b'?', rest) {
            Some(at) => (rest.get(..at).unwrap_or_default(), rest.get(at + 1..)),
            None => (rest, None),
        };
        Self {
            authority,
            path,
            path_at,
            query,
            query_at: query.map_or(target.len(), |query| target.len() - query.len()),
        }
    }
}

/// Where the authority of an absolute-form target begins; 0 in the other forms.
fn authority_start(target: &[u8]) -> usize {
    let Some(colon) = memchr(b':', target) else {
        return 0;
    };
    let is_scheme = target
        .get(..colon)
        .is_some_and(|scheme| !scheme.is_empty() && scheme.iter().all(u8::is_ascii_alphanumeric));
    match target.get(colon..) {
        Some([b':', b'/', b'/', ..]) if is_scheme => colon + 3,
        _ => 0,
    }
}

/// `host:port`, as CONNECT has it.
fn is_authority_form(target: &[u8]) -> bool {
    memchr::memrchr(b':', target).is_some_and(|colon| {
        let port = target.get(colon + 1..).unwrap_or_default();
        !port.is_empty() && port.iter().all(u8::is_ascii_digit)
    }) && memchr2(b'/', b'?', target).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_target_is_split_rfc_9112_section_3_2() {
        let cases: [(&str, &str, &str, Option<&str>); 10] = [
            ("/a/b?c=d", "", "/a/b", Some("c=d")),
            ("http://h:80/a?b?c", "h:80", "/a", Some("b?c")),
            ("http://h", "h", "", None),
            ("http://h?q", "h", "", Some("q")),
            ("*", "", "*", None),
            ("h:443", "h:443", "", None),
            ("//h/a", "", "//h/a", None),
            ("/a#f?x", "", "/a#f", Some("x")),
            ("", "", "", None),
            (
                "/redirect?to=http://x/y",
                "",
                "/redirect",
                Some("to=http://x/y"),
            ),
        ];
        for (text, authority, path, query) in cases {
            let target = Target::parse(text.as_bytes());
            assert_eq!(target.authority, authority.as_bytes(), "{text}");
            assert_eq!(target.path, path.as_bytes(), "{text}");
            assert_eq!(target.query, query.map(str::as_bytes), "{text}");
            assert!(
                text.as_bytes()[target.path_at..].starts_with(target.path),
                "{text}"
            );
            if let Some(query) = target.query {
                assert_eq!(&text.as_bytes()[target.query_at..], query, "{text}");
            }
        }
    }
}
