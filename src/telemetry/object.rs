//! JSON objects on one line: printable ASCII whatever came from outside, each string capped, and lists that end where the
//! line's cap is reached.

use std::cell::Cell;
use std::fmt::Display;
use std::io::Write;
use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

/// Writes one object; [`end`](Object::end) closes it.
pub struct Object<'a> {
    line: &'a mut Vec<u8>,
    /// Length of `line` at which no further item of a list is written.
    full: usize,
    /// Before each key: the namespace of what no standard names.
    prefix: &'static str,
    first: bool,
    cut: bool,
}

impl<'a> Object<'a> {
    /// Begins an object at the end of `line` that is to take no more than `cap` bytes.
    pub fn begin(line: &'a mut Vec<u8>, cap: usize) -> Self {
        let full = line.len() + cap.saturating_sub(RESERVED_BYTES);
        line.push(b'{');
        Self {
            line,
            full,
            prefix: "",
            first: true,
            cut: false,
        }
    }

    /// Puts `prefix` before the keys that follow.
    pub fn under(&mut self, prefix: &'static str) {
        self.prefix = prefix;
    }

    /// A string, escaped and capped.
    pub fn text(&mut self, key: &str, text: &str) {
        self.text_of(key, text, FIELD_BYTES);
    }

    /// A string, escaped and capped at so many bytes.
    pub fn text_of(&mut self, key: &str, text: &str, cap: usize) {
        self.key(key);
        self.line.push(b'"');
        escape_into(text, cap, self.line);
        self.line.push(b'"');
    }

    /// A string, unless there is none or it is empty.
    pub fn text_if(&mut self, key: &str, text: Option<&str>) {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            self.text(key, text);
        }
    }

    /// A number.
    pub fn number(&mut self, key: &str, number: u64) {
        self.key(key);
        digits(number, self.line);
    }

    /// An address.
    pub fn address(&mut self, key: &str, address: IpAddr) {
        let IpAddr::V4(address) = address else {
            self.shown(key, address);
            return;
        };
        self.key(key);
        let mut before = b'"';
        for octet in address.octets() {
            self.line.push(before);
            digits(u64::from(octet), self.line);
            before = b'.';
        }
        self.line.push(b'"');
    }

    /// A string that shows itself in printable ASCII without quotes: an address, an identifier, a moment.
    pub fn shown(&mut self, key: &str, value: impl Display) {
        self.key(key);
        // Writing to a vector cannot fail.
        let _ = write!(self.line, "\"{value}\"");
    }

    /// Members that are the same on every line, as JSON text of our own.
    pub fn members(&mut self, json: &'static str) {
        if !self.first {
            self.line.push(b',');
        }
        self.first = false;
        self.line.extend_from_slice(json.as_bytes());
    }

    /// JSON text of our own.
    pub fn literal(&mut self, key: &str, json: &str) {
        self.key(key);
        self.line.extend_from_slice(json.as_bytes());
    }

    /// A moment, RFC 3339 with microseconds.
    pub fn time(&mut self, key: &str, at: SystemTime) {
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let Some(second) = second(since.as_secs()) else {
            return;
        };
        self.key(key);
        self.line.push(b'"');
        self.line.extend_from_slice(&second);
        let mut point = *b".000000Z\"";
        let mut micros = since.subsec_micros();
        for digit in point.iter_mut().skip(1).take(6).rev() {
            *digit += u8::try_from(micros % 10).unwrap_or_default();
            micros /= 10;
        }
        self.line.extend_from_slice(&point);
    }

    /// An object in this one.
    pub fn object(&mut self, key: &str, write: impl FnOnce(&mut Object<'_>)) {
        self.key(key);
        self.line.push(b'{');
        let mut inner = self.inner();
        write(&mut inner);
        self.cut |= inner.cut;
        self.line.push(b'}');
    }

    /// A list of objects, as many as the line has room for.
    pub fn list<T>(&mut self, key: &str, items: &[T], each: impl Fn(&mut Object<'_>, &T)) {
        self.key(key);
        self.line.push(b'[');
        for (at, item) in items.iter().take(LISTED).enumerate() {
            let before = self.line.len();
            if at > 0 {
                self.line.push(b',');
            }
            self.line.push(b'{');
            each(&mut self.inner(), item);
            self.line.push(b'}');
            if self.line.len() > self.full {
                self.line.truncate(before);
                self.cut = true;
                break;
            }
        }
        self.cut |= items.len() > LISTED;
        self.line.push(b']');
    }

    /// True when nothing but the end fits any more; notes that something was left out.
    pub fn is_full(&mut self) -> bool {
        let full = self.line.len() > self.full;
        self.cut |= full;
        full
    }

    /// Closes the object; what was left out is said.
    pub fn end(mut self) {
        if self.cut {
            self.literal("truncated", "true");
        }
        self.line.push(b'}');
    }

    fn inner(&mut self) -> Object<'_> {
        Object {
            line: self.line,
            full: self.full,
            prefix: "",
            first: true,
            cut: false,
        }
    }

    fn key(&mut self, key: &str) {
        self.line.extend_from_slice(match self.first {
            true => b"\"",
            false => b",\"",
        });
        self.first = false;
        self.line.extend_from_slice(self.prefix.as_bytes());
        self.line.extend_from_slice(key.as_bytes());
        self.line.extend_from_slice(b"\":");
    }
}

/// `2026-01-01T00:00:00`, so many seconds after the beginning of 1970; none after the year 9999. Many lines are of one
/// second, and writing out its date takes as long as the rest of a heading.
fn second(seconds: u64) -> Option<[u8; 19]> {
    thread_local! {
        static LAST: Cell<(u64, [u8; 19])> = const { Cell::new((u64::MAX, [0; 19])) };
    }
    let (known, text) = LAST.get();
    if known == seconds {
        return Some(text);
    }
    let at = jiff::Timestamp::from_second(i64::try_from(seconds).ok()?).ok()?;
    let text = *format!("{at:.0}").as_bytes().first_chunk()?;
    LAST.set((seconds, text));
    Some(text)
}

/// A number in decimal digits: a line has many, and each costs a third of what the formatter takes.
fn digits(number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// `text` as printable ASCII of at most about `cap` bytes, safe on a terminal and in any log format: controls, quotes of
/// JSON, C1, bidirectional marks and all that is not ASCII become `\uXXXX`.
pub fn escape_into(text: &str, cap: usize, out: &mut Vec<u8>) {
    // Without a way out, so that it becomes vector code.
    let odd = |odd: bool, byte: &u8| {
        odd | (*byte < b' ') | (*byte > b'~') | (*byte == b'"') | (*byte == b'\\')
    };
    if text.len() <= cap && !text.as_bytes().iter().fold(false, odd) {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    let begin = out.len();
    for character in text.chars() {
        if out.len() - begin >= cap {
            out.extend_from_slice(b"...");
            return;
        }
        match character {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            ' '..='~' => out.push(u8::try_from(character).unwrap_or(b'?')),
            _ => {
                let mut units = [0; 2];
                for unit in character.encode_utf16(&mut units) {
                    // Writing to a vector cannot fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
}

/// A field of a record: long enough for real hosts and paths, short enough that a flood of records stays small.
pub const FIELD_BYTES: usize = 256;

/// Items listed in one record; the counts are in the metrics.
pub const LISTED: usize = 64;

/// What follows the last list, and the end of the line.
const RESERVED_BYTES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_ends_where_the_line_is_full_and_says_so() {
        let mut line = Vec::new();
        let mut object = Object::begin(&mut line, 1000);
        object.list("all", &[0; 60], |object, _| {
            object.text("text", &"\u{1}".repeat(100));
        });
        object.end();
        assert!(line.len() <= 1000, "{}", line.len());
        let value: serde_json::Value = serde_json::from_slice(&line).expect("JSON");
        assert_eq!(value["truncated"], true);
        assert!(value["all"].as_array().is_some_and(|all| !all.is_empty()));
    }

    #[test]
    fn numbers_and_addresses_are_written_as_the_formatter_writes_them() {
        let powers = (0..20).map(|power| 10_u64.pow(power));
        for number in powers
            .flat_map(|power| [power - 1, power, power + 1])
            .chain([u64::MAX])
        {
            let mut out = Vec::new();
            digits(number, &mut out);
            assert_eq!(out, number.to_string().into_bytes());
        }
        for address in ["127.0.0.1", "203.0.113.255", "2001:db8::1"] {
            let mut line = Vec::new();
            let mut object = Object::begin(&mut line, 100);
            object.address("ip", address.parse().expect("an address"));
            object.end();
            assert_eq!(line, format!("{{\"ip\":\"{address}\"}}").into_bytes());
        }
    }

    #[test]
    fn moments_are_written_as_the_formatter_would() {
        use std::time::Duration;
        for (seconds, micros) in [
            (0, 0),
            (1, 999_999),
            (1, 7),
            (951_782_399, 100_000),
            (951_782_400, 0),
            (951_782_399, 5),
            (253_402_207_200, 0),
        ] {
            let mut line = Vec::new();
            let mut object = Object::begin(&mut line, 100);
            let since = Duration::from_secs(seconds) + Duration::from_micros(micros);
            object.time("at", UNIX_EPOCH + since);
            object.end();
            let nanos = i128::try_from(since.as_nanos()).expect("small");
            let at = jiff::Timestamp::from_nanosecond(nanos).expect("a moment");
            assert_eq!(line, format!("{{\"at\":\"{at:.6}\"}}").into_bytes());
        }
    }

    #[test]
    fn the_cap_holds_for_what_is_written_not_for_what_came() {
        let mut out = Vec::new();
        escape_into(&"\u{2028}".repeat(100), 60, &mut out);
        assert_eq!(out.len(), 63);
    }
}
