//! Where the rules of a YARA file begin and end, without understanding them: braces outside of strings, regular
//! expressions and comments.

/// The next import, include or rule at or after `at`: where it begins and ends.
pub(super) fn next_item(text: &str, at: usize) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let mut at = skip_blank(bytes, at);
    // A byte order mark, and what was left over by something broken.
    while bytes
        .get(at)
        .is_some_and(|byte| !byte.is_ascii_alphabetic())
    {
        at = skip_blank(bytes, at + 1);
    }
    let start = at;
    bytes.get(start)?;
    let rest = bytes.get(start..).unwrap_or_default();
    if rest.starts_with(b"import") || rest.starts_with(b"include") {
        let open = memchr::memchr(b'"', rest)?;
        let after = rest.get(open + 1..).unwrap_or_default();
        let close = memchr::memchr2(b'"', b'\n', after)?;
        return Some((start, start + open + close + 2));
    }
    let mut depth = 0usize;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth <= 1 => return Some((start, at + 1)),
            b'}' => depth -= 1,
            b'"' => at = skip_quoted(bytes, at, b'"'),
            b'/' => match bytes.get(at + 1) {
                Some(b'/' | b'*') => {
                    at = skip_blank(bytes, at);
                    continue;
                }
                // YARA divides with a backslash: any other slash begins a regular expression.
                _ if depth > 0 => at = skip_quoted(bytes, at, b'/'),
                _ => {}
            },
            _ => {}
        }
        at += 1;
    }
    Some((start, bytes.len()))
}

/// After white space and comments.
fn skip_blank(bytes: &[u8], mut at: usize) -> usize {
    loop {
        match (bytes.get(at), bytes.get(at + 1)) {
            (Some(byte), _) if byte.is_ascii_whitespace() => at += 1,
            (Some(b'/'), Some(b'/')) => {
                let rest = bytes.get(at..).unwrap_or_default();
                at += memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            }
            (Some(b'/'), Some(b'*')) => {
                let rest = bytes.get(at + 2..).unwrap_or_default();
                at += memchr::memmem::find(rest, b"*/").map_or(rest.len() + 2, |end| end + 4);
            }
            _ => return at,
        }
    }
}

/// The place of the closing `quote`; the end of the line when there is none.
fn skip_quoted(bytes: &[u8], open: usize, quote: u8) -> usize {
    let mut at = open + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 1,
            b'\n' => return at - 1,
            byte if *byte == quote => return at,
            _ => {}
        }
        at += 1;
    }
    at
}

/// Where to go on after something broken in `from..to`: the next line that begins like a rule.
pub(super) fn resume(text: &str, from: usize, to: usize) -> usize {
    let broken = text.get(from..to).unwrap_or_default();
    let mut at = from;
    for line in broken.split_inclusive('\n') {
        let begins = ["rule ", "private rule ", "global rule ", "import "]
            .iter()
            .any(|word| line.starts_with(word));
        if begins && at > from {
            return at;
        }
        at += line.len();
    }
    to
}
