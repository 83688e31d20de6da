//! Where identifiers and hints in a document point to: to their own publisher, or to where they should not.

/// What fetching a location would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// Nothing to fear: a well-known publisher, the namespace's own host, a plain relative name, a URN.
    Harmless,
    /// A file beside the document, by a name without a path.
    Beside,
    /// Another host on the network.
    Elsewhere,
    /// A file, an internal host, or a scheme that reads what it should not.
    Inside,
}

/// Where a schema hint points to, for the namespace that it describes.
pub(super) fn hint(location: &[u8], namespace: &[u8]) -> Reach {
    match reach(location) {
        Reach::Beside => Reach::Harmless,
        Reach::Elsewhere if same_owner(location, namespace) => Reach::Harmless,
        reach => reach,
    }
}

/// Where the external subset of a DOCTYPE lies.
pub(super) fn subset(public: Option<&[u8]>, system: Option<&[u8]>) -> Reach {
    let known = public.is_some_and(|public| {
        PUBLISHERS
            .iter()
            .any(|publisher| trim(public).starts_with(publisher))
    });
    let Some(system) = system.map(trim) else {
        // SGML catalogues, as in HTML 4: nothing can be fetched.
        return if public.is_some() {
            Reach::Harmless
        } else {
            Reach::Beside
        };
    };
    if system.eq_ignore_ascii_case(b"about:legacy-compat") {
        return Reach::Harmless;
    }
    match reach(system) {
        Reach::Beside if known => Reach::Harmless,
        reach => reach,
    }
}

/// Where a location points to, by itself.
pub(super) fn reach(location: &[u8]) -> Reach {
    let location = trim(location);
    let Some((scheme, rest)) = split_scheme(location) else {
        return relative(location);
    };
    if scheme.eq_ignore_ascii_case(b"urn") {
        return Reach::Harmless;
    }
    let web = [b"http".as_slice(), b"https", b"ftp"];
    if !web.iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Reach::Inside;
    }
    let host = host(rest);
    if is_published(host) && !scheme.eq_ignore_ascii_case(b"ftp") {
        Reach::Harmless
    } else if is_internal(host) {
        Reach::Inside
    } else {
        Reach::Elsewhere
    }
}

fn relative(location: &[u8]) -> Reach {
    let rooted = location.starts_with(b"/") || location.starts_with(b"\\");
    let climbs = location
        .split(|byte| b"/\\".contains(byte))
        .any(|step| step == b"..");
    if rooted || climbs || location.contains(&b'%') {
        Reach::Inside
    } else {
        Reach::Beside
    }
}

fn trim(text: &[u8]) -> &[u8] {
    text.trim_ascii()
}

/// RFC 3986 §3.1, at least two letters: `c:\` is a path.
fn split_scheme(location: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = location.iter().position(|&byte| byte == b':')?;
    let (scheme, rest) = location.split_at(colon);
    let letters = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
    if scheme.len() == 1 && scheme.iter().all(u8::is_ascii_alphabetic) {
        return Some((b"file", rest));
    }
    (scheme.len() > 1 && scheme.iter().all(letters))
        .then(|| (scheme, rest.get(1..).unwrap_or_default()))
}

/// The authority without its port; with its user information, so that a host with one is never a known one.
fn host(rest: &[u8]) -> &[u8] {
    let rest = rest.strip_prefix(b"//").unwrap_or(rest);
    let end = rest
        .iter()
        .position(|byte| b"/?#\\".contains(byte))
        .unwrap_or(rest.len());
    let authority = rest.get(..end).unwrap_or_default();
    if authority.starts_with(b"[") {
        return authority;
    }
    let port = authority
        .iter()
        .rposition(|&byte| byte == b':')
        .unwrap_or(authority.len());
    authority.get(..port).unwrap_or_default()
}

/// An address, a name without a dot, or one of the names of internal networks.
fn is_internal(host: &[u8]) -> bool {
    let last = host.rsplit(|&byte| byte == b'.').next().unwrap_or_default();
    !host.contains(&b'.')
        || host.starts_with(b"[")
        || host.contains(&b'@')
        || last.first().is_none_or(u8::is_ascii_digit)
        || INTERNAL
            .iter()
            .any(|known| last.eq_ignore_ascii_case(known))
}

fn is_published(host: &[u8]) -> bool {
    HOSTS.iter().any(|known| is_below(host, known))
}

fn is_below(host: &[u8], domain: &[u8]) -> bool {
    let Some(start) = host.len().checked_sub(domain.len()) else {
        return false;
    };
    let (front, tail) = host.split_at(start);
    tail.eq_ignore_ascii_case(domain) && (front.is_empty() || front.ends_with(b"."))
}

/// True when both lie under one registered domain, taken as the last two labels.
fn same_owner(location: &[u8], namespace: &[u8]) -> bool {
    let domain = |url: &[u8]| -> Option<Vec<u8>> {
        let (_, rest) = split_scheme(trim(url))?;
        let labels: Vec<&[u8]> = host(rest).split(|&byte| byte == b'.').collect();
        let tail = labels.get(labels.len().checked_sub(2)?..)?;
        Some(tail.join(&b'.').to_ascii_lowercase())
    };
    domain(location).is_some_and(|own| domain(namespace) == Some(own))
}

/// Owners of public identifiers whose document types every XML library knows.
const PUBLISHERS: [&[u8]; 16] = [
    b"-//W3C//",
    b"-//IETF//",
    b"-//Apple",
    b"-//OASIS//",
    b"-//Sun Microsystems",
    b"-//Apache Software Foundation",
    b"-//Hibernate",
    b"-//mybatis.org",
    b"-//SPRING//",
    b"-//Netscape Communications",
    b"-//WAPFORUM",
    b"-//freedesktop",
    b"-//NLM//",
    b"-//Recordare//",
    b"-//DocBook",
    b"ISO ",
];

/// Hosts of standards bodies and publishers of document types; a reader that fetches from there does no harm.
const HOSTS: [&[u8]; 24] = [
    b"w3.org",
    b"apple.com",
    b"oasis-open.org",
    b"java.sun.com",
    b"xmlns.jcp.org",
    b"jakarta.ee",
    b"apache.org",
    b"hibernate.org",
    b"hibernate.sourceforge.net",
    b"mybatis.org",
    b"springframework.org",
    b"my.netscape.com",
    b"netscape.com",
    b"wapforum.org",
    b"openmobilealliance.org",
    b"freedesktop.org",
    b"ncbi.nlm.nih.gov",
    b"dtd.nlm.nih.gov",
    b"musicxml.org",
    b"docbook.org",
    b"xmlsoap.org",
    b"purl.org",
    b"openxmlformats.org",
    b"opengis.net",
];

const INTERNAL: [&[u8]; 8] = [
    b"local",
    b"localhost",
    b"internal",
    b"intranet",
    b"corp",
    b"lan",
    b"home",
    b"localdomain",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_told_apart() {
        let table: [(&str, Reach); 14] = [
            (
                "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd",
                Reach::Harmless,
            ),
            ("http://java.sun.com/dtd/properties.dtd", Reach::Harmless),
            ("urn:x:y", Reach::Harmless),
            ("note.dtd", Reach::Beside),
            ("dtds/note.dtd", Reach::Beside),
            ("http://collab.example.net/x.dtd", Reach::Elsewhere),
            ("http://w3.org.example.net/x.dtd", Reach::Elsewhere),
            ("http://www.w3.org@10.0.0.1/x", Reach::Inside),
            ("http://169.254.169.254/latest", Reach::Inside),
            ("http://[::1]/", Reach::Inside),
            ("http://db/x", Reach::Inside),
            ("file:///etc/passwd", Reach::Inside),
            ("../../etc/passwd", Reach::Inside),
            ("c:\\boot.ini", Reach::Inside),
        ];
        for (location, expected) in table {
            assert_eq!(reach(location.as_bytes()), expected, "{location}");
        }
        let pom = b"http://maven.apache.org/xsd/maven-4.0.0.xsd";
        assert_eq!(
            hint(pom, b"http://maven.apache.org/POM/4.0.0"),
            Reach::Harmless
        );
        let own = b"https://schemas.example.org/a.xsd";
        assert_eq!(hint(own, b"http://example.org/a"), Reach::Harmless);
        assert_eq!(hint(own, b"http://example.com/a"), Reach::Elsewhere);
        assert_eq!(hint(b"a.xsd", b""), Reach::Harmless);
    }

    #[test]
    fn public_document_types_are_harmless_only_at_their_publishers() {
        let html = Some(b"-//W3C//DTD XHTML 1.0 Strict//EN".as_slice());
        let at = |system: &'static str| Some(system.as_bytes());
        assert_eq!(
            subset(
                html,
                at("http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd")
            ),
            Reach::Harmless
        );
        assert_eq!(subset(html, at("xhtml1-strict.dtd")), Reach::Harmless);
        assert_eq!(subset(html, None), Reach::Harmless);
        assert_eq!(
            subset(html, at("http://evil.example.net/x.dtd")),
            Reach::Elsewhere
        );
        assert_eq!(subset(html, at("file:///etc/passwd")), Reach::Inside);
        assert_eq!(subset(None, at("about:legacy-compat")), Reach::Harmless);
        assert_eq!(subset(None, at("note.dtd")), Reach::Beside);
    }
}
