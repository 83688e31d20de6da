//! What a line by itself is: a field of a head with a value such as it takes, a command of a mail server, markup.

use super::super::lexis::{has, is_one_of, run};

/// The field that `line` is, when its value is such as it takes: a name for the finding and its weight.
pub(super) fn field(line: &[u8]) -> Option<(&'static str, u8)> {
    let name = run(line, 0, |byte| {
        byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
    });
    let mut rest = line.get(name.len()..)?;
    rest = rest
        .strip_prefix(b":")
        .or_else(|| rest.strip_prefix(b"%3a"))
        .or_else(|| rest.strip_prefix(b" :"))?;
    let text = trim_encoded(rest);
    if name.len() < 2 || name.len() > 40 {
        return None;
    }
    let mail = |text: &[u8]| text.contains(&b'@') || has(text, b"%40");
    let takes = match name {
        b"set-cookie" | b"cookie" | b"set-cookie2" => text.contains(&b'=') || has(text, b"%3d"),
        b"location" | b"content-location" | b"refresh" => {
            has(text, b"://")
                || text.first() == Some(&b'/')
                || has(text, b"url=")
                || has(text, b"%3a%2f")
                || has(text, b"javascript:")
                || text.contains(&b'.')
        }
        b"content-length" | b"age" | b"max-forwards" | b"status" => {
            text.first().is_some_and(u8::is_ascii_digit)
        }
        b"content-type" | b"contenttype" => {
            has(text, b"/") || has(text, b"html") || has(text, b"%2f")
        }
        b"transfer-encoding"
        | b"content-encoding"
        | b"connection"
        | b"cache-control"
        | b"content-disposition"
        | b"content-transfer-encoding"
        | b"x-xss-protection" => !text.is_empty(),
        b"bcc" | b"cc" | b"to" | b"from" | b"reply-to" | b"return-path" | b"sender" => mail(text),
        b"host" | b"x-forwarded-host" | b"x-host" => text.contains(&b'.') && !text.contains(&b' '),
        b"subject" => !text.is_empty(),
        b"mime-version" => text.starts_with(b"1."),
        _ if is_one_of(name, OTHER_FIELDS) => !text.is_empty(),
        _ if name.starts_with(b"x-")
            || name.starts_with(b"access-control-")
            || name.starts_with(b"sec-") =>
        {
            !text.is_empty()
        }
        _ if has(name, b"inject") || has(name, b"header") => !text.is_empty(),
        _ => return None,
    };
    if !takes {
        return None;
    }
    Some(match name {
        b"subject" | b"from" | b"to" | b"host" => ("mail-field", 30),
        b"bcc" | b"cc" | b"reply-to" => ("mail-field", 40),
        b"set-cookie" | b"location" | b"refresh" | b"content-length" | b"content-type"
        | b"transfer-encoding" => ("response-field", 40),
        _ => ("header-field", 35),
    })
}

/// `text` without blanks in front, encoded ones as well.
fn trim_encoded(text: &[u8]) -> &[u8] {
    let mut text = text.trim_ascii_start();
    while let Some(rest) = text
        .strip_prefix(b"%20")
        .or_else(|| text.strip_prefix(b"+"))
    {
        text = rest.trim_ascii_start();
    }
    text
}

pub(super) fn is_markup(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"%3c").map_or(text, |_| b"<");
    text.first() == Some(&b'<')
}

/// A line of SMTP, Redis or an HTTP request, sent through somebody else's connection.
pub(super) fn is_command(text: &[u8]) -> bool {
    const COMMANDS: &[&[u8]] = &[
        b"mail from:",
        b"rcpt to:",
        b"helo ",
        b"ehlo ",
        b"flushall",
        b"config set dir",
        b"config set dbfilename",
        b"slaveof ",
        b"mail%20from",
        b"rcpt%20to",
    ];
    let request = (text.starts_with(b"get /")
        || text.starts_with(b"post /")
        || text.starts_with(b"get%20/")
        || text.starts_with(b"get http"))
        && has(
            text.get(..text.len().min(512)).unwrap_or_default(),
            b"http/",
        );
    request || COMMANDS.iter().any(|command| text.starts_with(command))
}

/// A line of SMTP, POP3, IMAP or FTP.
pub(super) fn is_mail_command(text: &[u8]) -> bool {
    const COMMANDS: &[&str] = &[
        "append",
        "apop",
        "auth",
        "authenticate",
        "capability",
        "create",
        "data",
        "dele",
        "delete",
        "ehlo",
        "examine",
        "expn",
        "fetch",
        "helo",
        "list",
        "login",
        "logout",
        "lsub",
        "mail",
        "noop",
        "pass",
        "quit",
        "rcpt",
        "rename",
        "retr",
        "rset",
        "search",
        "select",
        "starttls",
        "stat",
        "store",
        "top",
        "uid",
        "uidl",
        "user",
        "vrfy",
    ];
    let word = run(text, 0, |byte| byte.is_ascii_alphanumeric());
    let rest = text.get(word.len()..).unwrap_or_default().trim_ascii();
    let words = rest.split(|byte| *byte == b' ').count();
    // `a001 LOGIN x y`: IMAP's tags.
    let tagged = word.iter().any(u8::is_ascii_digit) && word.len() <= 6 && {
        let second = run(rest, 0, |byte| byte.is_ascii_alphabetic());
        is_one_of(second, COMMANDS)
    };
    tagged || (is_one_of(word, COMMANDS) && words <= 3 && rest.len() < 80)
}

/// `name: value` of any name, after a break that is encoded.
pub(super) fn is_any_field(text: &[u8]) -> bool {
    let name = run(text, 0, |byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let rest = text.get(name.len()..).unwrap_or_default();
    (2..=32).contains(&name.len()) && (rest.starts_with(b":") || rest.starts_with(b"%3a"))
}

/// `Some-Name: value`, with a hyphen in the name as heads have them.
pub(super) fn is_field_like(text: &[u8]) -> bool {
    let name = run(text, 0, |byte| byte.is_ascii_alphanumeric() || byte == b'-');
    name.len() > 4 && name.contains(&b'-') && text.get(name.len()) == Some(&b':')
}

/// Other fields of heads and mails.
const OTHER_FIELDS: &[&str] = &[
    "accept",
    "authorization",
    "clear-site-data",
    "content-security-policy",
    "etag",
    "expires",
    "last-modified",
    "link",
    "origin",
    "pragma",
    "proxy-authorization",
    "referer",
    "server",
    "strict-transport-security",
    "user-agent",
    "vary",
    "via",
    "www-authenticate",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::injection::lexis::is_sorted;

    #[test]
    fn fields_are_told_by_name_and_value() {
        assert!(is_sorted(OTHER_FIELDS));
        assert!(field(b"set-cookie: a=b").is_some());
        assert!(field(b"location: /next").is_some());
        assert!(field(b"location: Cork").is_none());
        assert!(field(b"note: call Anna").is_none());
    }
}
