//! The request URI: absolute, `icap` or `icaps` (RFC 3507 §4.2, §4.3.2).

use std::ops::Range;

use bytes::Bytes;
use memchr::{memchr, memchr2};

/// `icap://host[:port]/path[?query]`, kept as it came.
#[derive(Clone, PartialEq, Eq)]
pub struct Uri {
    raw: Bytes,
    scheme: Scheme,
    host: Range<usize>,
    port: Option<u16>,
    path: Range<usize>,
    query: Option<Range<usize>>,
}

/// The scheme of a request URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `icap`
    Icap,
    /// `icaps`
    Icaps,
}

/// Why a request URI is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UriError {
    /// Not absolute, or a scheme other than `icap` and `icaps`.
    #[error("request URI does not begin with icap:// or icaps://")]
    NotIcap,
    /// No host.
    #[error("request URI has no host")]
    NoHost,
    /// A host or port outside the grammar.
    #[error("request URI has a malformed authority")]
    BadAuthority,
    /// A byte that no URI holds: control, space, above ASCII, or a fragment.
    #[error("request URI has an illegal byte at {at}")]
    BadByte {
        /// Offset in the URI.
        at: usize,
    },
}

impl Uri {
    /// Parses a request URI.
    ///
    /// # Errors
    /// A [`UriError`] when it is not an absolute ICAP URI.
    pub fn parse(raw: Bytes) -> Result<Self, UriError> {
        let illegal = |byte: &u8| (*byte <= b' ') | (*byte >= 0x7f) | (*byte == b'#');
        // Without a way out, so that it becomes vector code.
        if raw.iter().fold(false, |any, byte| any | illegal(byte)) {
            let at = raw.iter().position(illegal).unwrap_or_default();
            return Err(UriError::BadByte { at });
        }
        let (scheme, start) = scheme(&raw)?;
        let rest = raw.get(start..).unwrap_or_default();
        let authority_end = memchr2(b'/', b'?', rest).map_or(raw.len(), |at| start + at);
        let (host, port) = authority(&raw, start..authority_end)?;
        let tail = raw.get(authority_end..).unwrap_or_default();
        let question = memchr(b'?', tail).map(|at| authority_end + at);
        let path = authority_end..question.unwrap_or(raw.len());
        let query = question.map(|at| at + 1..raw.len());
        Ok(Self {
            raw,
            scheme,
            host,
            port,
            path,
            query,
        })
    }

    /// The whole URI as it came.
    pub fn as_str(&self) -> &str {
        text(&self.raw)
    }

    /// The scheme.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host without port; an IPv6 address keeps its brackets.
    pub fn host(&self) -> &str {
        self.part(&self.host)
    }

    /// The port, when one is written.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The path as written, percent-escapes and all; `/` when it is missing.
    pub fn path(&self) -> &str {
        match self.part(&self.path) {
            "" => "/",
            path => path,
        }
    }

    /// What follows `?`, as written.
    pub fn query(&self) -> Option<&str> {
        self.query.as_ref().map(|query| self.part(query))
    }

    /// The `name=value` pairs of the query as written; a pair without `=` has an empty value.
    pub fn query_pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.query()
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    }

    fn part(&self, range: &Range<usize>) -> &str {
        text(self.raw.get(range.clone()).unwrap_or_default())
    }
}

impl std::fmt::Debug for Uri {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Uri({})", self.as_str())
    }
}

/// The bytes were found to be ASCII when the URI was parsed.
fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

fn scheme(raw: &[u8]) -> Result<(Scheme, usize), UriError> {
    // RFC 3986 §3.1: schemes are compared without case.
    for (prefix, scheme) in [
        (&b"icap://"[..], Scheme::Icap),
        (b"icaps://", Scheme::Icaps),
    ] {
        let found = raw.get(..prefix.len());
        if found.is_some_and(|start| start.eq_ignore_ascii_case(prefix)) {
            return Ok((scheme, prefix.len()));
        }
    }
    Err(UriError::NotIcap)
}

/// Splits `[userinfo@]host[:port]`.
fn authority(raw: &[u8], at: Range<usize>) -> Result<(Range<usize>, Option<u16>), UriError> {
    let whole = raw.get(at.clone()).unwrap_or_default();
    let host_start = memchr::memrchr(b'@', whole).map_or(0, |at| at + 1);
    let (host_len, port) =
        host_port(whole.get(host_start..).unwrap_or_default()).ok_or(UriError::BadAuthority)?;
    if host_len == 0 {
        return Err(UriError::NoHost);
    }
    let start = at.start + host_start;
    Ok((start..start + host_len, port))
}

/// Length of the host in `host[:port]`, and the port; `None` when it is neither a name, an IPv4 nor a bracketed IPv6
/// address, or the port is no port.
pub(super) fn host_port(bytes: &[u8]) -> Option<(usize, Option<u16>)> {
    let host_len = match bytes {
        [b'[', inner @ ..] => {
            let close = memchr(b']', inner)?;
            let literal = inner.get(..close)?;
            std::str::from_utf8(literal)
                .ok()?
                .parse::<std::net::Ipv6Addr>()
                .ok()?;
            close + 2
        }
        name => {
            let len = memchr(b':', name).unwrap_or(name.len());
            let legal = |byte: &u8| {
                byte.is_ascii_alphanumeric()
                    || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'%' | b'!' | b'$' | b'&')
                    || matches!(byte, b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=')
            };
            name.get(..len)?.iter().all(legal).then_some(len)?
        }
    };
    let port = match bytes.get(host_len..)? {
        [] | [b':'] => None,
        [b':', digits @ ..] => {
            let port = crate::wire::grammar::decimal(digits, 5)?;
            Some(u16::try_from(port).ok()?)
        }
        _ => return None,
    };
    Some((host_len, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Uri, UriError> {
        Uri::parse(Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn absolute_icap_uris_are_split_section_4_2() {
        let cases = [
            ("icap://h/reqmod", Scheme::Icap, "h", None, "/reqmod", None),
            (
                "ICAP://h:1344/a?b=c",
                Scheme::Icap,
                "h",
                Some(1344),
                "/a",
                Some("b=c"),
            ),
            (
                "icaps://[::1]:11344/x",
                Scheme::Icaps,
                "[::1]",
                Some(11344),
                "/x",
                None,
            ),
            ("icap://h", Scheme::Icap, "h", None, "/", None),
            ("icap://h?q", Scheme::Icap, "h", None, "/", Some("q")),
            ("icap://u:p@h:/x?", Scheme::Icap, "h", None, "/x", Some("")),
            (
                "icap://h/a?b?c/d",
                Scheme::Icap,
                "h",
                None,
                "/a",
                Some("b?c/d"),
            ),
        ];
        for (text, scheme, host, port, path, query) in cases {
            let uri = parse(text).expect(text);
            assert_eq!(
                (
                    uri.scheme(),
                    uri.host(),
                    uri.port(),
                    uri.path(),
                    uri.query()
                ),
                (scheme, host, port, path, query),
                "{text}"
            );
            assert_eq!(uri.as_str(), text);
        }
    }

    #[test]
    fn everything_else_is_refused_section_4_2() {
        use UriError::*;
        for (text, error) in [
            ("/reqmod", NotIcap),
            ("*", NotIcap),
            ("http://h/x", NotIcap),
            ("icap:/h/x", NotIcap),
            ("icap:///x", NoHost),
            ("icap://:1344/x", NoHost),
            ("icap://h:65536/x", BadAuthority),
            ("icap://h:+1/x", BadAuthority),
            ("icap://[::1/x", BadAuthority),
            ("icap://[zz]/x", BadAuthority),
            ("icap://h\"/x", BadAuthority),
            ("icap://h/x#f", BadByte { at: 10 }),
            ("icap://h/ä", BadByte { at: 9 }),
            ("icap://h/\t", BadByte { at: 9 }),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn the_query_is_split_into_pairs_as_written() {
        let uri = parse("icap://h/virus_scan?allow204=on&force&&mode=a=b").expect("a legal URI");
        let pairs: Vec<_> = uri.query_pairs().collect();
        assert_eq!(pairs, [("allow204", "on"), ("force", ""), ("mode", "a=b")]);
    }
}
