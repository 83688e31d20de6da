//! Hosts: addresses in all their normal forms, and names that lead inside.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::inspect::injection::lexis::{is_one_of, run};

/// Where a host leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// A public name.
    Public,
    /// A public address without a name.
    PublicAddress,
    /// A name that only resolves inside.
    Internal,
    /// A service that resolves to whatever the caller likes, or tells the caller who asked.
    Rebinding,
    /// Private or link-local.
    Private,
    /// The host itself.
    Loopback,
    /// The metadata service of a cloud.
    Metadata,
}

/// A host, judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Host {
    /// Where it leads.
    pub reach: Reach,
    /// It is an address in a form that nobody writes: decimal, octal, hex, short, mapped, full-width.
    pub odd: bool,
    /// It is the plain word `localhost`.
    pub by_name: bool,
}

/// Judges `host`: lower case, without port and brackets; `bracketed` tells of them.
pub fn judge(host: &[u8]) -> Host {
    let mut folded = [0_u8; HOST_BYTES];
    let (length, wide) = fold(host, &mut folded);
    let host = folded.get(..length).unwrap_or_default();
    // What was encoded ends the name for some readers: `127.0.0.1%00.example.com`.
    let name = run(host, 0, |byte| {
        byte > b' ' && !matches!(byte, b'/' | b'?' | b'#' | b'\\' | b'@')
    });
    let wide = wide || name.len() < host.len();
    let host = name.strip_suffix(b".").unwrap_or(name);
    if let Some(inner) = host.strip_prefix(b"[") {
        return six(inner.strip_suffix(b"]").unwrap_or(inner), wide);
    }
    if let Some((address, odd)) = four(host) {
        return Host {
            reach: reach_of_four(address),
            odd: odd || wide,
            by_name: false,
        };
    }
    Host {
        reach: reach_of_name(host),
        odd: wide,
        by_name: host == b"localhost",
    }
}

/// Folds percent-encoding, full-width and circled characters and other dots to ASCII. Tells whether there were any.
fn fold(host: &[u8], out: &mut [u8; HOST_BYTES]) -> (usize, bool) {
    let plain = host.len() <= HOST_BYTES && host.is_ascii() && !host.contains(&b'%');
    if plain && let Some(start) = out.get_mut(..host.len()) {
        start.copy_from_slice(host);
        start.make_ascii_lowercase();
        return (host.len(), false);
    }
    let mut length = 0;
    let mut wide = false;
    let mut push = |bytes: &[u8]| {
        for byte in bytes {
            if let Some(slot) = out.get_mut(length) {
                *slot = byte.to_ascii_lowercase();
                length += 1;
            }
        }
    };
    for chunk in host
        .get(..host.len().min(HOST_BYTES))
        .unwrap_or_default()
        .utf8_chunks()
    {
        let mut chars = chunk.valid().chars().peekable();
        while let Some(char) = chars.next() {
            if char.is_ascii() {
                let mut buffer = [0; 4];
                let byte = char.encode_utf8(&mut buffer).as_bytes();
                if char == '%' {
                    let mut ahead = chars.clone();
                    let digits = (
                        ahead.next().and_then(|c| c.to_digit(16)),
                        ahead.next().and_then(|c| c.to_digit(16)),
                    );
                    if let (Some(high), Some(low)) = digits
                        && let Ok(decoded) = u8::try_from(high * 16 + low)
                    {
                        push(&[decoded]);
                        chars = ahead;
                        wide = true;
                        continue;
                    }
                }
                push(byte);
                continue;
            }
            wide = true;
            let code = u32::from(char);
            match code {
                0xff01..=0xff5e => push(&[u8::try_from(code - 0xfee0).unwrap_or(b'?')]),
                0x3002 | 0xff61 | 0x2024 => push(b"."),
                0x2460..=0x2468 => push(&[u8::try_from(code - 0x2460).unwrap_or(0) + b'1']),
                0x24ea => push(b"0"),
                0x2469..=0x2473 => push(&[b'1', u8::try_from(code - 0x2469).unwrap_or(0) + b'0']),
                0x24b6..=0x24cf => push(&[u8::try_from(code - 0x24b6).unwrap_or(0) + b'a']),
                0x24d0..=0x24e9 => push(&[u8::try_from(code - 0x24d0).unwrap_or(0) + b'a']),
                0x2070 => push(b"0"),
                0xb9 => push(b"1"),
                0xb2 => push(b"2"),
                0xb3 => push(b"3"),
                0x2074..=0x2079 => push(&[u8::try_from(code - 0x2070).unwrap_or(0) + b'0']),
                0x1d7d8..=0x1d7e1 => push(&[u8::try_from(code - 0x1d7d8).unwrap_or(0) + b'0']),
                _ => {
                    let mut buffer = [0; 4];
                    push(char.encode_utf8(&mut buffer).as_bytes());
                }
            }
        }
        push(chunk.invalid());
    }
    // A name in another script is no trick; digits and dots are.
    let folded = wide && out.get(..length).is_some_and(<[u8]>::is_ascii);
    (length, folded)
}

/// An IPv4 address as `inet_aton` reads it: one to four parts, each decimal, octal or hex. Tells whether the form is odd.
pub fn four(host: &[u8]) -> Option<(Ipv4Addr, bool)> {
    let mut parts = [0_u64; 4];
    let mut count = 0;
    let mut odd = false;
    if !host.first().is_some_and(u8::is_ascii_digit) || host.len() > 64 {
        return None;
    }
    for part in host.split(|byte| *byte == b'.') {
        let slot = parts.get_mut(count)?;
        let (value, plain) = number(part)?;
        *slot = value;
        odd |= !plain;
        count += 1;
    }
    odd |= count != 4;
    let (last, front) = parts.get(..count)?.split_last()?;
    let mut address: u64 = 0;
    for part in front {
        // Some readers take a part modulo 256.
        odd |= *part > 255;
        address = address << 8 | (part & 0xff);
    }
    let bits = 8 * (5 - u32::try_from(count).ok()?);
    odd |= *last >= 1 << bits;
    address = address << bits | (last & ((1_u64 << bits) - 1));
    u32::try_from(address & 0xffff_ffff)
        .ok()
        .map(|address| (Ipv4Addr::from(address), odd))
}

/// A number in C's spelling; plain when it is a short decimal without a zero in front.
fn number(part: &[u8]) -> Option<(u64, bool)> {
    let text = std::str::from_utf8(part).ok()?;
    if let Some(hex) = text.strip_prefix("0x") {
        let hex = hex.trim_start_matches('0');
        if !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) || hex.len() > 15 {
            return None;
        }
        return Some((u64::from_str_radix(hex, 16).unwrap_or(0), false));
    }
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if text.len() > 1 && text.starts_with('0') {
        let value = u64::from_str_radix(text, 8)
            .or_else(|_| text.parse())
            .ok()?;
        return Some((value, false));
    }
    text.parse().ok().map(|value| (value, text.len() <= 3))
}

fn six(inner: &[u8], wide: bool) -> Host {
    let text = std::str::from_utf8(inner).unwrap_or_default();
    let text = text.split('%').next().unwrap_or_default();
    let address: Option<Ipv6Addr> = text.parse().ok();
    let Some(address) = address else {
        return Host {
            reach: Reach::PublicAddress,
            odd: true,
            by_name: false,
        };
    };
    let embedded = embedded_four(address);
    let segments = address.segments();
    let reach = match embedded {
        Some(four) => reach_of_four(four),
        None if address.is_loopback() || address.is_unspecified() => Reach::Loopback,
        // fd00:ec2::254 is the metadata service of EC2.
        None if segments[0] == 0xfd00 && segments[1] == 0xec2 => Reach::Metadata,
        None if segments[0] & 0xfe00 == 0xfc00 || segments[0] & 0xffc0 == 0xfe80 => Reach::Private,
        None => Reach::PublicAddress,
    };
    Host {
        reach,
        odd: wide || embedded.is_some(),
        by_name: false,
    }
}

/// The IPv4 address in a mapped, compatible, 6to4 or NAT64 one.
fn embedded_four(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let s = address.segments();
    let tail = || Ipv4Addr::from((u32::from(s[6]) << 16) | u32::from(s[7]));
    match s {
        [0, 0, 0, 0, 0, 0xffff, ..] => Some(tail()),
        [0, 0, 0, 0, 0xffff, 0, ..] => Some(tail()),
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => Some(tail()),
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 || low > 1 => Some(tail()),
        [0x2002, high, low, ..] => Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low))),
        _ => None,
    }
}

fn reach_of_four(address: Ipv4Addr) -> Reach {
    let octets = address.octets();
    match octets {
        [169, 254, 169, 254]
        | [169, 254, 170, 2]
        | [100, 100, 100, 200]
        | [192, 0, 0, 192]
        | [169, 254, 169, 253] => Reach::Metadata,
        [127 | 0, ..] => Reach::Loopback,
        [169, 254, ..] | [10, ..] | [192, 168, ..] => Reach::Private,
        [172, second, ..] if (16..32).contains(&second) => Reach::Private,
        [100, second, ..] if (64..128).contains(&second) => Reach::Private,
        [192, 0, 0, _] | [198, 18 | 19, ..] => Reach::Private,
        [first, ..] if first >= 224 => Reach::Private,
        _ => Reach::PublicAddress,
    }
}

fn reach_of_name(host: &[u8]) -> Reach {
    let may_be_known = has_known_shape(host);
    if may_be_known && is_one_of(host, METADATA_NAMES) {
        return Reach::Metadata;
    }
    if host.starts_with(b"kubernetes.default") || host == b"kubernetes" {
        return Reach::Metadata;
    }
    if may_be_known && (host == b"localhost" || is_one_of(host, LOOPBACK_NAMES)) {
        return Reach::Loopback;
    }
    // The longest name that is known counts.
    suffixes(host)
        .filter_map(suffix)
        .last()
        .unwrap_or(Reach::Public)
}

/// Where names below `name` lead, if that is known.
fn suffix(name: &[u8]) -> Option<Reach> {
    if !has_known_shape(name) {
        return None;
    }
    let at = SUFFIXES.binary_search_by(|(known, _)| known.as_bytes().cmp(name));
    at.ok()
        .and_then(|at| SUFFIXES.get(at))
        .map(|(_, reach)| *reach)
}

/// True when a name in one of the tables has the length and the first letter of `name`: most names fail here.
fn has_known_shape(name: &[u8]) -> bool {
    let first = name.first().copied().unwrap_or_default();
    SHAPES[name.len() % SHAPES.len()] >> (first & 31) & 1 == 1
}

/// By length, the first letters of all names in the tables below.
static SHAPES: [u32; 64] = {
    const fn enter(shapes: &mut [u32; 64], name: &str) {
        shapes[name.len() % 64] |= 1 << (name.as_bytes()[0] & 31);
    }
    let mut shapes = [0; 64];
    let mut index = 0;
    while index < METADATA_NAMES.len() {
        enter(&mut shapes, METADATA_NAMES[index]);
        index += 1;
    }
    index = 0;
    while index < LOOPBACK_NAMES.len() {
        enter(&mut shapes, LOOPBACK_NAMES[index]);
        index += 1;
    }
    index = 0;
    while index < SUFFIXES.len() {
        enter(&mut shapes, SUFFIXES[index].0);
        index += 1;
    }
    shapes
};

/// The last label of `host`, the last two, up to [`SUFFIX_LABELS`].
fn suffixes(host: &[u8]) -> impl Iterator<Item = &[u8]> {
    let dots = memchr::memrchr_iter(b'.', host).map(|dot| dot + 1);
    dots.chain(std::iter::once(0))
        .take(SUFFIX_LABELS)
        .filter_map(|start| host.get(start..))
}

/// Labels of the longest name below.
const SUFFIX_LABELS: usize = 3;
/// Bytes of a host that are looked at; a DNS name has at most 253.
const HOST_BYTES: usize = 256;

const METADATA_NAMES: &[&str] = &[
    "instance-data",
    "instance-data.ec2.internal",
    "metadata",
    "metadata.azure.com",
    "metadata.goog",
    "metadata.google.com",
    "metadata.google.internal",
    "metadata.nicob.net",
    "metadata.oraclecloud.com",
    "metadata.packet.net",
    "metadata.platformequinix.com",
    "metadata.tencentyun.com",
    "rancher-metadata",
];

const LOOPBACK_NAMES: &[&str] = &[
    "bugbounty.dod.network",
    "ip6-localhost",
    "ip6-loopback",
    "localhost.localdomain",
    "localhost4",
    "localhost6",
    "loopback",
    "spoofed.burpcollaborator.net",
];

/// Names whose names below lead inside, or resolve as their labels say, or report every question.
const SUFFIXES: &[(&str, Reach)] = &[
    ("1u.ms", Reach::Rebinding),
    ("bc.googleusercontent.com", Reach::Rebinding),
    ("burpcollaborator.net", Reach::Rebinding),
    ("canarytokens.com", Reach::Rebinding),
    ("ceye.io", Reach::Rebinding),
    ("cluster.local", Reach::Internal),
    ("consul", Reach::Internal),
    ("corp", Reach::Internal),
    ("dnsbin.zhack.ca", Reach::Rebinding),
    ("dnslog.cn", Reach::Rebinding),
    ("fbi.com", Reach::Rebinding),
    ("fuf.me", Reach::Rebinding),
    ("home.arpa", Reach::Internal),
    ("interact.sh", Reach::Rebinding),
    ("internal", Reach::Internal),
    ("intranet", Reach::Internal),
    ("ip6.name", Reach::Rebinding),
    ("lacolhost.com", Reach::Rebinding),
    ("lan", Reach::Internal),
    ("lan.la", Reach::Rebinding),
    ("lndo.site", Reach::Rebinding),
    ("local", Reach::Internal),
    ("local.tunnel", Reach::Rebinding),
    ("localdomain", Reach::Loopback),
    ("localho.st", Reach::Rebinding),
    ("localhost", Reach::Loopback),
    ("localtest.me", Reach::Rebinding),
    ("loopback.jp", Reach::Rebinding),
    ("lvh.me", Reach::Rebinding),
    ("nicob.net", Reach::Rebinding),
    ("nip.io", Reach::Rebinding),
    ("oast.fun", Reach::Rebinding),
    ("oast.live", Reach::Rebinding),
    ("oast.me", Reach::Rebinding),
    ("oast.online", Reach::Rebinding),
    ("oast.pro", Reach::Rebinding),
    ("oast.site", Reach::Rebinding),
    ("oastify.com", Reach::Rebinding),
    ("pipedream.net", Reach::Rebinding),
    ("private", Reach::Internal),
    ("r87.me", Reach::Rebinding),
    ("rbndr.us", Reach::Rebinding),
    ("requestbin.net", Reach::Rebinding),
    ("requestrepo.com", Reach::Rebinding),
    ("sslip.io", Reach::Rebinding),
    ("traefik.me", Reach::Rebinding),
    ("vcap.me", Reach::Rebinding),
    ("webhook.site", Reach::Rebinding),
    ("xip.io", Reach::Rebinding),
    ("xip.name", Reach::Rebinding),
    ("yoogle.com", Reach::Rebinding),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::injection::lexis::is_sorted;

    #[test]
    fn addresses_are_read_in_every_form() {
        assert!(is_sorted(METADATA_NAMES) && is_sorted(LOOPBACK_NAMES));
        let suffixes: Vec<_> = SUFFIXES.iter().map(|(name, _)| *name).collect();
        assert!(is_sorted(&suffixes));
        let labels = |name: &&str| name.split('.').count() <= SUFFIX_LABELS;
        assert!(suffixes.iter().all(labels));
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f.1",
            "0177.0.0.1",
            "017700000001",
            "0",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[0:0:0:0:0:ffff:7f00:1]",
            "localhost",
            "a.localhost",
            "①②⑦.⓪.⓪.①",
            "127。0。0。1",
            "1２7.0.0.1",
            "%31%32%37.0.0.1",
        ] {
            assert_eq!(
                judge(host.to_lowercase().as_bytes()).reach,
                Reach::Loopback,
                "{host}"
            );
        }
        for host in [
            "169.254.169.254",
            "0xa9fea9fe",
            "2852039166",
            "0251.0376.0251.0376",
            "[::ffff:a9fe:a9fe]",
            "metadata.google.internal",
            "[fd00:ec2::254]",
        ] {
            assert_eq!(judge(host.as_bytes()).reach, Reach::Metadata, "{host}");
        }
        for host in [
            "10.1.2.3",
            "192.168.0.9",
            "172.20.1.1",
            "0xc0a80001",
            "[fe80::1]",
            "[fc00::1]",
        ] {
            assert_eq!(judge(host.as_bytes()).reach, Reach::Private, "{host}");
        }
        for host in [
            "www.example.org",
            "192-168.example.com",
            "8.8.example.net",
            "münchen.de",
        ] {
            assert_eq!(judge(host.as_bytes()).reach, Reach::Public, "{host}");
        }
        for (name, reach) in SUFFIXES {
            assert_eq!(
                judge(format!("x.{name}").as_bytes()).reach,
                *reach,
                "{name}"
            );
        }
        for (names, reach) in [
            (METADATA_NAMES, Reach::Metadata),
            (LOOPBACK_NAMES, Reach::Loopback),
        ] {
            assert!(
                names
                    .iter()
                    .all(|name| judge(name.as_bytes()).reach == reach)
            );
        }
        assert_eq!(judge(b"8.8.8.8").reach, Reach::PublicAddress);
        assert_eq!(judge(b"10.0.0.1.nip.io").reach, Reach::Rebinding);
        assert!(judge(b"2130706433").odd && !judge(b"127.0.0.1").odd);
    }
}
