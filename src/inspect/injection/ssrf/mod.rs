//! Server-side request forgery: addresses that a server should not be sent to.
//!
//! Each URL in the value is split as a lax client would (scheme, user, host, port), the host is brought to its normal
//! form ([`address`]) and judged by where it leads; ordinary public URLs say nothing. Documents name `localhost` all
//! the time, so that a plain loopback URL needs a name that promises a URL, a telling port or path, or a trick.

mod address;

use std::sync::LazyLock;

use super::lexis::{WordSets, has, is_one_of, run};
use super::{Evidence, Hints, Kind, Setting, Value};
use crate::inspect::leaf::Root;
use address::{Host, Reach};

/// Words of which one at least stands in every value that this detector can find something in.
pub const ANCHORS: &[&str] = &[
    "://",
    ":\\\\",
    "http:",
    "https:",
    "//1",
    "//0",
    "//[",
    "//l",
    "//m",
    "169.254.",
    "gopher:",
    "dict:",
    "jar:",
    "netdoc:",
    "file:",
    "view-source:",
    "localhost:",
    "metadata.google",
    "latest/meta-data",
    "%3a%2f%2f",
];

/// Notes evidence of the class in `value`.
pub fn look(value: &Value<'_>, evidence: &mut Evidence) {
    // Host, Origin, Referer and their like name the service itself.
    if value.path.root() == Root::Header
        && value
            .path
            .last_name()
            .is_none_or(|name| !custom_header(name))
    {
        return;
    }
    let lower = value.lower;
    let mut at = 0;
    let mut seen = 0;
    let mut weighty = 0;
    while let Some(found) = memchr::memchr(b'/', lower.get(at..).unwrap_or_default()) {
        let here = at + found;
        at = here + 1;
        let doubled = matches!(lower.get(here + 1), Some(b'/' | b'\\'));
        if !doubled {
            continue;
        }
        if let Some(mut url) = Url::around(lower, here) {
            seen += 1;
            at = here + 2;
            weighty += u32::from(judge(value, &mut url, evidence));
            if weighty == MAX_WEIGHTY {
                break;
            }
        }
    }
    if seen == 0 {
        without_slashes(value, evidence);
    } else {
        cut_off(value, evidence);
    }
    match value.setting {
        Setting::Short => {}
        Setting::Prose => evidence.temper(60),
        Setting::Document => evidence.temper(40),
    }
}

fn custom_header(name: &[u8]) -> bool {
    let mut lower = [0_u8; 20];
    for (slot, byte) in lower.iter_mut().zip(name) {
        *slot = byte.to_ascii_lowercase();
    }
    has(&lower, b"url")
        || has(&lower, b"callback")
        || has(&lower, b"webhook")
        || has(&lower, b"x-forwarded-host")
        || has(&lower, b"x-proxy")
}

/// A URL as a lax client splits it. Offsets are of the value.
struct Url<'a> {
    scheme: &'a [u8],
    user: Option<&'a [u8]>,
    host: &'a [u8],
    /// All between the slashes and the path.
    authority: &'a [u8],
    port: Option<u32>,
    rest: &'a [u8],
    start: usize,
    end: usize,
    /// A backslash, a blank or several `@` in the authority: readers disagree on the host.
    split_two_ways: bool,
}

impl<'a> Url<'a> {
    /// The URL whose `//` begins at `slashes`.
    fn around(lower: &'a [u8], slashes: usize) -> Option<Self> {
        let before = lower.get(slashes.saturating_sub(SCHEME_BYTES)..slashes)?;
        let scheme_length = match before.split_last() {
            Some((b':', rest)) => rest
                .iter()
                .rev()
                .take_while(|byte| {
                    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.' | b'_')
                })
                .count(),
            // `//host/x` at the beginning is a URL as well; elsewhere it is a comment or a doubled slash.
            _ if before.is_empty() => 0,
            _ => return None,
        };
        let colon = usize::from(!before.is_empty());
        let start = slashes.checked_sub(scheme_length + colon)?;
        let scheme = lower.get(start..start + scheme_length)?;
        let mut authority_start = slashes + 2;
        // Lax clients take any number of slashes of either kind.
        while matches!(lower.get(authority_start), Some(b'/' | b'\\')) && scheme != b"file" {
            authority_start += 1;
        }
        let near = lower.get(authority_start..lower.len().min(authority_start + URL_BYTES))?;
        let authority = run(near, 0, |byte| {
            !matches!(
                byte,
                b'/' | b'?'
                    | b'"'
                    | b'\''
                    | b'<'
                    | b'>'
                    | b')'
                    | b','
                    | b'`'
                    | b'\n'
                    | b'\r'
                    | b' '
                    | b'\t'
                    | b'|'
                    | b'}'
                    | b'{'
                    | b'$'
            )
        });
        let mut url = Self {
            scheme,
            user: None,
            host: authority,
            authority,
            port: None,
            rest: near.get(authority.len()..)?,
            start,
            end: authority_start + authority.len(),
            split_two_ways: false,
        };
        url.split(authority);
        Some(url)
    }

    /// Where the URL leads; when readers disagree on the host, the worst of where it might lead.
    fn worst_host(&self) -> Host {
        let host = address::judge(self.host);
        if !self.split_two_ways {
            return host;
        }
        let hosts = self
            .authority
            .split(|byte| matches!(byte, b'@' | b'#' | b'\\' | b'&' | b' '))
            .take(MAX_HOSTS)
            .map(|name| address::judge(run(name, 0, |byte| byte != b':')));
        hosts.fold(host, |worst, host| {
            if host.reach > worst.reach && host.reach != Reach::PublicAddress {
                host
            } else {
                worst
            }
        })
    }

    /// Cuts the rest where the URL ends; done only for the few whose rest matters.
    fn finish(&mut self) {
        self.rest = run(self.rest, 0, |byte| {
            !byte.is_ascii_whitespace() && !matches!(byte, b'"' | b'<' | b'>')
        });
        self.end += self.rest.len();
    }

    fn split(&mut self, authority: &'a [u8]) {
        let ats = authority.iter().filter(|byte| **byte == b'@').count();
        self.split_two_ways = ats > 1
            || authority.contains(&b'\\')
            || (ats == 1 && authority.contains(&b'#'))
            || authority.contains(&b'%') && (has(authority, b"%23@") || has(authority, b"%40"))
            || ats > 0 && has(authority, b"&@");
        let authority = match authority.iter().rposition(|byte| *byte == b'@') {
            Some(at) => {
                self.user = authority.get(..at);
                // Nobody is called like an address.
                let name = run(authority, 0, |byte| byte != b':' && byte != b'@');
                self.split_two_ways |= name.contains(&b'.') && address::four(name).is_some();
                authority.get(at + 1..).unwrap_or_default()
            }
            None => authority,
        };
        let authority = run(authority, 0, |byte| {
            !matches!(byte, b'#' | b'\\' | b';' | b'&' | b'!')
        });
        if authority.first() == Some(&b'[') {
            let inner = run(authority, 0, |byte| byte != b']');
            self.host = authority.get(..inner.len() + 1).unwrap_or(authority);
            self.port = port(authority.get(inner.len() + 1..).unwrap_or_default());
        } else {
            self.host = run(authority, 0, |byte| byte != b':');
            self.port = port(authority.get(self.host.len()..).unwrap_or_default());
        }
    }
}

fn port(text: &[u8]) -> Option<u32> {
    let digits = run(text.strip_prefix(b":")?, 0, |byte| byte.is_ascii_digit());
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Notes what `url` is worth; true when it was worth a full look.
fn judge(value: &Value<'_>, url: &mut Url<'_>, evidence: &mut Evidence) -> bool {
    let odd_scheme = !url.scheme.starts_with(b"http") && is_one_of(url.scheme, ODD_SCHEMES);
    if url.host.is_empty() && url.scheme != b"file" && !odd_scheme {
        return false;
    }
    let host = url.worst_host();
    let mut weight = target(&host);
    if weight == 0 && !url.split_two_ways && !odd_scheme && url.scheme != b"file" {
        return false;
    }
    url.finish();
    let range = url.start..url.end;
    let whole = is_whole(value, url);
    let hinted = value.hints.contains(Hints::URL) && !value.is_prose();
    if odd_scheme {
        let weight = if url.scheme == b"gopher" || url.scheme == b"dict" {
            60
        } else {
            40
        };
        // Directories and mail have their places in configurations.
        let configured = matches!(
            url.scheme,
            b"ldap" | b"ldaps" | b"smtp" | b"imap" | b"pop3" | b"rmi" | b"smb" | b"telnet"
        );
        if whole && !configured {
            evidence.note(Kind::Position, 20, "whole-value");
        }
        evidence.note_at(Kind::Semantics, weight, "odd-scheme", range.clone());
    } else if url.scheme == b"file" {
        file(url, whole, evidence);
        return true;
    }
    if weight == 0 && !url.split_two_ways {
        return true;
    }
    let telling = telling_port(url) || WORDS.sets_in(url.rest) != 0;
    if !telling {
        weight = at_port(&host, url, weight);
    }
    let web = matches!(
        url.scheme,
        b"http" | b"https" | b"ftp" | b"" | b"ws" | b"wss" | b"sftp" | b"ftps"
    );
    if !web && !odd_scheme {
        // `redis://localhost`, `mongodb://10.0.0.1`: how services are configured.
        if !host.odd && host.reach != Reach::Metadata {
            return true;
        }
        weight = weight.min(35);
    }
    if url.scheme.is_empty() && weight < 45 {
        return true;
    }
    evidence.note_at(Kind::Target, weight, reach_name(host.reach), range);
    if host.odd && host.reach != Reach::Public {
        evidence.note(Kind::Evasion, 40, "odd-address");
    } else if url.split_two_ways {
        evidence.note(
            Kind::Evasion,
            if weight > 0 { 40 } else { 35 },
            "ambiguous-authority",
        );
    } else if url.user.is_some() && weight > 0 {
        evidence.note(Kind::Evasion, 20, "user-in-authority");
    }
    if telling {
        evidence.note(Kind::Semantics, 25, "telling-service");
    }
    if whole && weight > 0 {
        evidence.note(Kind::Position, 10, "whole-value");
    }
    let bare_name = host.by_name && url.port.is_none();
    if hinted && whole && weight > 20 && !bare_name {
        evidence.note(Kind::Hint, 20, "url-name");
    }
    true
}

/// Everybody develops on a high port of the host itself; and nobody asks for port 80 of it by number but to get in.
fn at_port(host: &Host, url: &Url<'_>, weight: u8) -> u8 {
    let own = matches!(host.reach, Reach::Loopback | Reach::Internal) && !host.odd;
    match url.port {
        Some(port) if own && port >= 1024 && !TELLING_PORTS.contains(&port) => weight.min(20),
        None if own && !host.by_name && host.reach == Reach::Loopback => weight.max(50),
        Some(port)
            if host.reach == Reach::Private && port >= 1024 && !TELLING_PORTS.contains(&port) =>
        {
            weight.min(40)
        }
        _ => weight,
    }
}

fn target(host: &Host) -> u8 {
    match host.reach {
        Reach::Public => 0,
        Reach::PublicAddress => 50,
        Reach::Internal => 35,
        Reach::Rebinding => 50,
        Reach::Private => 50,
        Reach::Loopback if host.by_name => 35,
        Reach::Loopback => 45,
        Reach::Metadata => 60,
    }
}

fn reach_name(reach: Reach) -> &'static str {
    match reach {
        Reach::Public => "public-host",
        Reach::PublicAddress => "bare-address",
        Reach::Internal => "internal-host",
        Reach::Rebinding => "rebinding-host",
        Reach::Private => "private-address",
        Reach::Loopback => "loopback",
        Reach::Metadata => "cloud-metadata",
    }
}

/// `file:///etc/passwd`, `file://host/share`.
fn file(url: &Url<'_>, whole: bool, evidence: &mut Evidence) {
    let rest = if url.host.is_empty() {
        url.rest
    } else {
        url.host
    };
    if rest.is_empty() || rest.starts_with(b"${") {
        return;
    }
    evidence.note_at(Kind::Semantics, 35, "file-scheme", url.start..url.end);
    let path = url.rest;
    let system = [
        "/etc", "passwd", "/proc", "/var/", "/root", "win.ini", "boot.ini", "c:", "/windows",
        "/home/", "\\etc", "/dev/", "shadow", "hosts",
    ]
    .iter()
    .any(|name| has(path, name.as_bytes()) || has(url.host, name.as_bytes()));
    if system {
        evidence.note(Kind::Target, 35, "local-file");
    }
    if whole {
        evidence.note(Kind::Position, 10, "whole-value");
    }
}

/// Ports of services that speak no web, and the web's own written out.
fn telling_port(url: &Url<'_>) -> bool {
    match url.port {
        Some(80) => url.scheme == b"http",
        Some(443) => url.scheme == b"https",
        Some(port) => TELLING_PORTS.contains(&port),
        None => false,
    }
}

/// `http:127.0.0.1`, `169.254.169.254/latest`, `localhost:22` where a URL is due.
fn without_slashes(value: &Value<'_>, evidence: &mut Evidence) {
    let text = value.lower.trim_ascii();
    if value.is_prose() || text.len() > 200 {
        return;
    }
    let (schemed, text) = match text.iter().position(|byte| *byte == b':') {
        Some(at)
            if matches!(
                text.get(..at),
                Some(b"http" | b"https" | b"gopher" | b"dict" | b"url")
            ) =>
        {
            (true, text.get(at + 1..).unwrap_or_default())
        }
        _ => (false, text),
    };
    let text = text
        .get(run(text, 0, |byte| matches!(byte, b'/' | b'\\')).len()..)
        .unwrap_or_default();
    let host = run(text, 0, |byte| {
        !matches!(byte, b'/' | b'\\' | b'?' | b'#' | b' ')
    });
    let name = if host.first() == Some(&b'[') {
        host
    } else {
        run(host, 0, |byte| byte != b':')
    };
    let judged = address::judge(name);
    let path = text.get(host.len()..).unwrap_or_default();
    let weight = match judged.reach {
        Reach::Metadata if path.len() > 1 || schemed => 60,
        Reach::Loopback | Reach::Private if schemed => 45,
        Reach::Loopback | Reach::Private
            if judged.odd && value.hints.contains(Hints::URL) && has(name, b".") =>
        {
            40
        }
        _ => 0,
    };
    if weight > 0 {
        evidence.note(Kind::Target, weight, reach_name(judged.reach));
        evidence.note(Kind::Position, 10, "whole-value");
        if judged.odd {
            evidence.note(Kind::Evasion, 30, "odd-address");
        } else if schemed {
            evidence.note(Kind::Evasion, 15, "no-slashes");
        }
        if value.hints.contains(Hints::URL) {
            evidence.note(Kind::Hint, 20, "url-name");
        }
    }
}

/// `http://host/x?`: the question mark takes what the application would append.
fn cut_off(value: &Value<'_>, evidence: &mut Evidence) {
    let text = value.lower.trim_ascii();
    let web = text.starts_with(b"http://")
        || text.starts_with(b"https://")
        || text.starts_with(b"ftp://")
        || text.starts_with(b"ftps://");
    let one = !text.iter().any(|byte| byte.is_ascii_whitespace());
    if web
        && one
        && text.iter().filter(|byte| **byte == b'?').count() == 1
        && text.ends_with(b"?")
        && text.len() > 12
    {
        evidence.note(Kind::Terminator, 45, "query-cuts");
        evidence.note(Kind::Position, 15, "whole-value");
    }
}

/// The URL is all there is, but for a prefix such as `jar:` or `url=`.
fn is_whole(value: &Value<'_>, url: &Url<'_>) -> bool {
    let before = value
        .lower
        .get(..url.start)
        .unwrap_or_default()
        .trim_ascii();
    let after = value
        .lower
        .get(url.end.min(value.lower.len())..)
        .unwrap_or_default()
        .trim_ascii();
    (before.is_empty()
        || (before.len() <= 12 && (before.ends_with(b":") || before.ends_with(b"="))))
        && after.len() <= 2
}

/// Hosts of one ambiguous authority that are judged.
const MAX_HOSTS: usize = 8;

/// Schemes that only a server's client library speaks.
const ODD_SCHEMES: &[&str] = &[
    "dict",
    "expect",
    "gopher",
    "gophers",
    "imap",
    "jar",
    "ldap",
    "ldaps",
    "local_file",
    "netdoc",
    "phar",
    "php",
    "pop3",
    "rmi",
    "smb",
    "smtp",
    "telnet",
    "tftp",
    "view-source",
];

const TELLING_PORTS: &[u32] = &[
    21, 22, 23, 25, 53, 110, 111, 135, 139, 143, 389, 445, 514, 587, 636, 873, 993, 1433, 1521,
    2049, 2375, 2376, 2379, 3306, 3389, 4194, 4243, 5432, 5900, 5984, 5985, 6379, 6443, 8500, 9001,
    9042, 9200, 9300, 10250, 10255, 11211, 27017, 50070, 61616,
];

static WORDS: LazyLock<WordSets> = LazyLock::new(|| WordSets::new(&[PATHS]));

const PATHS: &[&str] = &[
    "/latest/",
    "meta-data",
    "/metadata/",
    "computemetadata",
    "/openstack/",
    "/admin",
    "/server-status",
    "/.env",
    "/actuator/env",
    "/actuator/heapdump",
    "/_cat/",
    "/containers/json",
    "/v1/agent",
    "/api/v1/namespaces",
    "/flushall",
    "flag",
    "/manager/html",
    "/jmx",
    "/shutdown",
    "/secret",
    "/internal",
    "/etc/",
    "/script",
    "/nginx_status",
    "/debug/",
    "/console",
    "_flush",
    "_config",
    "%0d%0a",
    "/stats",
];

/// URLs looked at in full in one value; by then the evidence is in.
const MAX_WEIGHTY: u32 = 64;
/// Bytes before `://` that a scheme is looked for in.
const SCHEME_BYTES: usize = 24;
/// Bytes of a URL that are looked at.
const URL_BYTES: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::injection::lexis::is_sorted;

    #[test]
    fn urls_are_split_as_lax_clients_do() {
        assert!(is_sorted(ODD_SCHEMES));
        let text = b"see http://ann:pw@[::1]:99/x";
        let url = Url::around(text, 9).expect("there is one");
        assert_eq!(url.scheme, b"http");
        assert_eq!(url.host, b"[::1]");
        assert_eq!(url.port, Some(99));
        assert_eq!(url.user, Some(b"ann:pw".as_slice()));
        assert_eq!(url.rest, b"/x");
    }
}
