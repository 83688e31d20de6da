//! What kinds of arguments a command has.

use std::sync::LazyLock;

use super::commands::ADMIN_WORDS;
use super::shell::Marks;
use crate::inspect::injection::lexis::{WordSets, has, run};

bitflags::bitflags! {
    /// What kinds of arguments a command has.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Args: u16 {
        /// `-x`, `/c`.
        const OPTION = 1;
        /// A path.
        const PATH = 1 << 1;
        /// A file or place that only an attacker asks for.
        const SENSITIVE = 1 << 2;
        /// A URL.
        const URL = 1 << 3;
        /// A host.
        const ADDRESS = 1 << 4;
        /// A number.
        const NUMBER = 1 << 5;
        /// A variable.
        const VARIABLE = 1 << 6;
        /// It began with a quote.
        const QUOTED = 1 << 7;
        /// Just a word.
        const PLAIN = 1 << 8;
        /// A file name with an extension.
        const FILE = 1 << 9;
        /// A shell.
        const SHELL = 1 << 10;
        /// A verb of an administrative command.
        const KNOWN = 1 << 11;
        /// Output or input redirected.
        const REDIRECT = 1 << 12;
        /// Code, or a connection that carries it.
        const CODE = 1 << 13;
        /// The root of all files, or of a user's.
        const ROOT = 1 << 14;
    }
}

/// The kinds that an argument belongs to.
pub fn classify(word: &[u8], marks: Marks) -> Args {
    let mut args = Args::empty();
    if marks.contains(Marks::QUOTED) {
        args |= Args::QUOTED;
    }
    if marks.contains(Marks::VARIABLE) {
        args |= Args::VARIABLE;
    }
    if is_sensitive(word) {
        args |= Args::SENSITIVE;
    }
    if word.starts_with(b"exec:")
        || word.starts_with(b"tcp:")
        || has(word, b"webclient")
        || word.starts_with(b"system.net")
    {
        args |= Args::CODE;
    }
    args | match word {
        b"-e" | b"-c" | b"/c" | b"/k" | b"-enc" | b"-r" | b"-i" | b"-nop" | b"-w" => Args::OPTION,
        [b'-', second, ..] if second.is_ascii_alphanumeric() || *second == b'-' => Args::OPTION,
        [b'/', letter] if letter.is_ascii_alphabetic() || *letter == b'?' => Args::OPTION,
        b"/bin/sh" | b"/bin/bash" | b"cmd.exe" | b"/bin/dash" | b"/bin/zsh" | b"sh" | b"bash" => {
            Args::SHELL | Args::PATH
        }
        b"/" | b"/*" | b"~" | b"~/" => Args::PATH | Args::ROOT,
        [b'/' | b'~', ..] | [b'.', b'/' | b'\\' | b'.', ..] | [b'\\', b'\\', ..] => Args::PATH,
        [_, b':', b'\\' | b'/', ..] => Args::PATH,
        b"." => Args::PATH,
        _ if has(word, b"://") => Args::URL,
        _ if word.iter().all(u8::is_ascii_digit) => Args::NUMBER,
        [digits @ .., b's' | b'm']
            if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) =>
        {
            Args::NUMBER
        }
        _ if is_address(word) => Args::ADDRESS | Args::URL,
        _ if is_file_name(word) => Args::FILE,
        [b'%', .., b'%'] if word.len() > 2 => Args::VARIABLE | Args::PATH,
        _ if word.starts_with(b"%") && word.contains(&b'\\') => Args::PATH,
        _ if word.contains(&b'/') && marks.contains(Marks::GLOB) => Args::PATH,
        _ if word.iter().filter(|byte| **byte == b'/').count() > 1 => Args::PATH,
        _ if ADMIN_WORDS
            .binary_search_by(|known| known.as_bytes().cmp(word))
            .is_ok() =>
        {
            Args::KNOWN
        }
        _ => Args::PLAIN,
    }
}

/// Files that only an attacker has a shell print.
fn is_sensitive(word: &[u8]) -> bool {
    PLACES.sets_in(word) != 0
}

/// An IPv4 address, `localhost`, or a dotted host.
fn is_address(word: &[u8]) -> bool {
    let dots = word.iter().filter(|byte| **byte == b'.').count();
    let host = word.iter().all(|byte| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'.' | b'-' | b':' | b'/' | b'@' | b'_' | b'?' | b'=')
    });
    let tail = run(
        word,
        word.iter()
            .rposition(|byte| *byte == b'.')
            .map_or(0, |at| at + 1),
        |byte| byte.is_ascii_alphanumeric(),
    );
    word == b"localhost"
        || (host
            && dots == 3
            && word
                .iter()
                .take(7)
                .all(|byte| byte.is_ascii_digit() || *byte == b'.'))
        || (host && dots >= 1 && TOP_LEVEL.contains(&tail))
}

/// `name.ext` with an extension of one to four letters.
fn is_file_name(word: &[u8]) -> bool {
    let Some(dot) = word.iter().rposition(|byte| *byte == b'.') else {
        return false;
    };
    let extension = word.get(dot + 1..).unwrap_or_default();
    dot > 0
        && (1..=4).contains(&extension.len())
        && extension
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'*')
        && !extension.iter().all(u8::is_ascii_digit)
}

const TOP_LEVEL: &[&[u8]] = &[
    b"com",
    b"net",
    b"org",
    b"io",
    b"ru",
    b"cn",
    b"me",
    b"xyz",
    b"info",
    b"tld",
    b"local",
    b"internal",
    b"site",
    b"fun",
    b"pro",
    b"online",
    b"example",
    b"test",
    b"co",
    b"eu",
    b"de",
    b"uk",
    b"app",
    b"dev",
];

static PLACES: LazyLock<WordSets> = LazyLock::new(|| WordSets::new(&[SENSITIVE]));

const SENSITIVE: &[&str] = &[
    "/etc/passwd",
    "/etc/shadow",
    "/etc/group",
    "/etc/hosts",
    "/etc/issue",
    "/etc/",
    "passwd",
    "shadow",
    ".bash_history",
    "id_rsa",
    "win.ini",
    "boot.ini",
    "system.ini",
    "/proc/self",
    "/var/log",
    "\\sam",
    "repair\\",
    "system32",
    "/flag",
    "flag.txt",
    ".htpasswd",
    ".htaccess",
    "wp-config",
    "web.config",
    "/root",
    "%systemroot%",
    "%windir%",
    "%temp%",
    "%appdata%",
    "hklm\\",
    "hkcu\\",
    "c:\\users",
    "documents and settings",
    "/dev/tcp/",
    "/dev/udp/",
];
