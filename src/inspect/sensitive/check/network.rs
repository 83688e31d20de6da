//! Mailboxes and IP addresses.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::domain::top_level;

/// A mailbox `local@domain` whose domain ends in a top-level domain that exists (or is reserved for examples).
pub fn mailbox(text: &[u8]) -> bool {
    let Some(at) = memchr::memrchr(b'@', text) else {
        return false;
    };
    let (local, domain) = (
        text.get(..at).unwrap_or_default(),
        text.get(at + 1..).unwrap_or_default(),
    );
    let Some(dot) = memchr::memrchr(b'.', domain) else {
        return false;
    };
    let labels = domain.get(..dot).unwrap_or_default();
    let top = domain.get(dot + 1..).unwrap_or_default();
    let dots = |text: &[u8]| {
        text.first() == Some(&b'.')
            || text.last() == Some(&b'.')
            || text.windows(2).any(|pair| pair == b"..")
    };
    !local.is_empty()
        && local.len() <= 64
        && domain.len() <= 253
        && !dots(local)
        && !labels.is_empty()
        && !dots(labels)
        && labels
            .split(|byte| *byte == b'.')
            .all(|label| label.first() != Some(&b'-') && label.last() != Some(&b'-'))
        && top_level(top)
}

/// The same, percent-encoded (RFC 6068 §2 for `mailto:`).
pub fn encoded_mailbox(text: &[u8]) -> bool {
    let hex = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let pair = match (byte, after) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match pair {
            Some((high, low)) => {
                decoded.push(high << 4 | low);
                rest = after.get(2..).unwrap_or_default();
            }
            None => decoded.push(byte),
        }
    }
    mailbox(&decoded)
}

/// A dotted-quad IPv4 address that says something about somebody: not unspecified, loopback or broadcast.
pub fn ipv4(text: &[u8]) -> bool {
    let Some(address) = std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse::<Ipv4Addr>().ok())
    else {
        return false;
    };
    !address.is_unspecified() && !address.is_loopback() && !address.is_broadcast()
}

/// An IPv6 address of at least two written groups, one of them with a digit; `dead::beef` could be C++.
pub fn ipv6(text: &[u8]) -> bool {
    // Most candidates are times of day, which are told at less cost than the parser takes.
    let colons = text.iter().filter(|byte| **byte == b':').count();
    if colons < IPV6_COLONS && !text.windows(2).any(|pair| pair == b"::") {
        return false;
    }
    let Some(address) = std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse::<Ipv6Addr>().ok())
    else {
        return false;
    };
    let groups = text
        .split(|byte| *byte == b':')
        .filter(|group| !group.is_empty())
        .count();
    groups >= 2
        && text.iter().any(u8::is_ascii_digit)
        && !address.is_unspecified()
        && !address.is_loopback()
        && (groups > 2 || text.len() >= 7)
}

/// Colons of an address in which no groups are left out, and whose last two are an IPv4 address (RFC 4291 §2.2).
const IPV6_COLONS: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mailboxes_end_in_a_domain_that_exists() {
        for good in [
            "a@b.com",
            "john.dean+x1@jennings-campbell.org",
            "x@y.co.uk",
            "a@b.museum",
        ] {
            assert!(mailbox(good.as_bytes()), "{good}");
        }
        for bad in [
            "root@localhost",
            "logo@2x.png",
            "lodash@4.17.21",
            "a@-b.com",
            "a..b@c.com",
            "@b.com",
            "a@b..com",
        ] {
            assert!(!mailbox(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn addresses_are_parsed() {
        assert!(ipv4(b"192.168.1.7"));
        assert!(!ipv4(b"130.0.6254.421"));
        assert!(!ipv4(b"127.0.0.1"));
        assert!(ipv6(b"2001:db8::e729:ee37"));
        assert!(ipv6(b"fe80::1"));
        assert!(ipv6(b"2001:db8:0:1:2:3:4:5"));
        assert!(ipv6(b"2001:db8:0:1:2:3:192.0.2.33"));
        assert!(!ipv6(b"12:14:17"));
        assert!(!ipv6(b"ad:9a:62:cb:de:6d"));
        assert!(!ipv6(b"dead::beef"));
        assert!(!ipv6(b"::1"));
    }
}
