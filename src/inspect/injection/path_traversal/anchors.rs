//! Words that make a value worth a walk along its paths.

/// Words of which one at least stands in every value that this detector can find something in.
pub const ANCHORS: &[&str] = &anchors();

const fn anchors() -> [&'static str; PLACES.len() + STREAMS.len()] {
    let mut words = [""; PLACES.len() + STREAMS.len()];
    let mut index = 0;
    while index < words.len() {
        words[index] = if index < PLACES.len() {
            PLACES[index]
        } else {
            STREAMS[index - PLACES.len()]
        };
        index += 1;
    }
    words
}

/// Beginnings of the wrappers of streams.
pub(super) const STREAMS: &[&str] = &[
    "php:/",
    "phar:/",
    "zip:/",
    "expect:/",
    "data:/",
    "glob:/",
    "ogg:/",
    "rar:/",
    "compress.",
    "data:text/",
    "data:;base64",
    "netdoc:",
    "zlib:/",
    "php:filter",
    "convert.",
    "string.rot13",
    "ssh2.",
    "data:application/x-httpd",
];

const PLACES: &[&str] = &[
    "../",
    "..\\",
    "..%",
    "..;",
    "..2f",
    "..5c",
    "...",
    "%2e",
    "%252e",
    "%25%32",
    "%%32",
    "%%2",
    "%c0%",
    "%c1%",
    "%e0%80",
    "%u002e",
    "%u2215",
    "%u2216",
    "%uff0e",
    "%25c0",
    "%ef%bc%8e",
    "0x2e",
    "\\u002e",
    "..\u{2215}",
    "..\u{2216}",
    "\u{ff0e}",
    "/./",
    "\\.\\",
    "..\u{ff0f}",
    "/etc/",
    "etc/passwd",
    "etc/shadow",
    "etc%2f",
    "/var/",
    "/proc/",
    "/root/",
    "/boot/",
    "/usr/local/",
    "/usr/pkg",
    "/usr/apache",
    "/usr/lib/",
    "/usr/etc",
    "/usr/home",
    "/usr/share/adduser",
    "/usr/spool",
    "/opt/",
    "/sys/",
    "/private/",
    "/system/library",
    "/library/web",
    "/volumes/",
    "/home/",
    "/web/conf",
    "/php",
    "/mysql/",
    "/apache",
    "/perl/",
    "/jboss",
    "/tomcat",
    "/www/",
    ":\\",
    "c:/",
    "d:/",
    "e:/",
    "f:/",
    "/windows/",
    "/winnt/",
    "/inetpub",
    "\\inetpub",
    "\\windows",
    "\\winnt",
    "web-inf",
    "meta-inf",
    "/.git/",
    "/.aws/",
    "/.ssh/",
    "/.env",
    ".htaccess",
    ".htpasswd",
    "file:/",
    "/xampp",
    "/wamp",
    "\\\\",
];
