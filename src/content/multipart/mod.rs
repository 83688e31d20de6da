//! Multipart bodies (RFC 2046 §5.1, RFC 7578) and MIME messages, split while streaming.
//!
//! ```text
//!   Preamble ──delimiter line──► Head ──empty line──► Body ──delimiter line──► Head …
//!                                                      └────close delimiter──► Epilogue ──delimiter line──► (odd) Head
//! ```
//!
//! What one reader takes for a delimiter and another does not is an anomaly: line ends of a bare LF, a delimiter that
//! goes on as another word, parts after the close delimiter, no close delimiter. Preamble and epilogue are parts too
//! when they hold anything but white space, so that every byte is looked at as content.

mod head;

use std::collections::VecDeque;

use memchr::memmem::Finder;

use crate::anomaly::Anomaly;

use super::PartKind;
use super::meter::Meter;
use super::reader::{Child, Event, Input};
use super::window::{Last, Window};
use head::Kind;

/// Splits one multipart body, or one message.
#[derive(Debug)]
pub(super) struct Multipart {
    kind: Kind,
    /// LF, two hyphens, the boundary.
    needle: Finder<'static>,
    place: Place,
    /// Bytes that may be the front of a delimiter, or its line.
    held: Vec<u8>,
    /// Bytes at the front of `held` that were never there: a line begins where the stream or a body begins.
    imagined: usize,
    head: Vec<u8>,
    out: Outgoing,
    /// True while a child is open, or will be once the events so far are handled.
    open: bool,
    /// Parts so far; names those without a name.
    parts: u32,
    /// True once an oddity has been reported.
    told: bool,
    /// Offset in the parent's stream of the next byte to take.
    at: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Preamble,
    Head,
    Body,
    Epilogue,
    Over,
}

impl Multipart {
    /// A splitter at that boundary.
    pub(super) fn new(boundary: &[u8], essence: &str) -> Self {
        let mut needle = b"\n--".to_vec();
        needle.extend_from_slice(boundary);
        Self {
            kind: Kind::of(essence),
            needle: Finder::new(&needle).into_owned(),
            place: Place::Preamble,
            held: b"\n".to_vec(),
            imagined: 1,
            head: Vec::new(),
            out: Outgoing::default(),
            open: false,
            parts: 0,
            told: false,
            at: 0,
        }
    }

    /// A message (RFC 5322): one head, and a body that goes to the end.
    pub(super) fn message() -> Self {
        Self {
            kind: Kind::Message,
            place: Place::Head,
            held: Vec::new(),
            imagined: 0,
            ..Self::new(b"", "")
        }
    }

    pub(super) fn read(
        &mut self,
        input: &mut Input<'_>,
        out: &mut Window,
        meter: &mut Meter,
    ) -> Event {
        loop {
            if let Some(event) = self.out.pass(out) {
                return event;
            }
            match (input.bytes.is_empty(), input.last) {
                _ if self.place == Place::Over => return Event::Done,
                (true, Last::Open) => return Event::NeedInput,
                (true, Last::Known) => self.finish(),
                (false, _) => self.take(&mut input.bytes, meter),
            }
        }
    }

    fn take(&mut self, input: &mut &[u8], meter: &mut Meter) {
        match self.place {
            Place::Head => self.take_head(input, meter),
            Place::Preamble | Place::Body | Place::Epilogue if self.held.is_empty() => {
                self.take_data(input);
            }
            Place::Preamble | Place::Body | Place::Epilogue => self.take_held(input),
            Place::Over => *input = &[],
        }
    }

    /// Takes `count` bytes off the front of `input`.
    fn cut<'a>(&mut self, input: &mut &'a [u8], count: usize) -> &'a [u8] {
        let (now, rest) = input.split_at_checked(count).unwrap_or((*input, &[]));
        *input = rest;
        self.at = self.at.saturating_add(now.len() as u64);
        now
    }

    /// Passes on data up to what may be a delimiter, whose first byte goes to `held`.
    fn take_data(&mut self, input: &mut &[u8]) {
        let start = self.at;
        let sure = match self.kind {
            Kind::Message => input.len(),
            Kind::Form | Kind::Other => self.sure(input),
        };
        let data = self.cut(input, sure);
        self.emit(data, start);
        let first = self.cut(input, 1);
        self.held.extend_from_slice(first);
    }

    /// How many bytes of `data` are sure to be data: up to the line end before a delimiter, or before its beginning.
    fn sure(&self, data: &[u8]) -> usize {
        if let Some(found) = self.needle.find(data) {
            let cr = found > 0 && data.get(found - 1) == Some(&b'\r');
            return found - usize::from(cr);
        }
        let from = data.len().saturating_sub(self.needle.needle().len());
        let tail = data.get(from..).unwrap_or_default();
        self.next_begin(tail).map_or(data.len(), |at| from + at)
    }

    /// Where in `text` a line end and a delimiter may begin.
    fn next_begin(&self, text: &[u8]) -> Option<usize> {
        memchr::memchr2_iter(b'\r', b'\n', text)
            .find(|at| self.may_begin(text.get(*at..).unwrap_or_default()))
    }

    /// True when `text` is the front of a line end and a delimiter, or goes beyond it.
    fn may_begin(&self, text: &[u8]) -> bool {
        let needle = self.needle.needle();
        let text = text.strip_prefix(b"\r").unwrap_or(text);
        let common = text.len().min(needle.len());
        text.get(..common) == needle.get(..common)
    }

    /// Adds to what may be a delimiter until it is decided.
    fn take_held(&mut self, input: &mut &[u8]) {
        while let [byte] = self.cut(input, 1) {
            self.held.push(*byte);
            if !self.may_begin(&self.held) {
                self.give_up();
                return;
            }
            let line = self.line();
            if line.ends_with(b"\n") || line.len() > PADDING_BYTES {
                self.decide();
                return;
            }
        }
    }

    /// What follows the boundary in `held`.
    fn line(&self) -> &[u8] {
        let cr = usize::from(self.held.starts_with(b"\r"));
        let delimiter = self.needle.needle().len() + cr;
        self.held.get(delimiter..).unwrap_or_default()
    }

    /// `held` is data after all, up to the next byte at which a delimiter may begin.
    fn give_up(&mut self) {
        let tail = self.held.get(1..).unwrap_or_default();
        let next = self.next_begin(tail);
        self.release(next.map_or(self.held.len(), |at| at + 1));
    }

    /// The first `count` bytes of `held` are data.
    fn release(&mut self, count: usize) {
        let mut data = std::mem::take(&mut self.held);
        self.held = data.split_off(count.min(data.len()));
        let real = data.get(self.imagined..).unwrap_or_default();
        self.imagined = 0;
        let behind = (self.held.len() + real.len()) as u64;
        self.emit(real, self.at.saturating_sub(behind));
    }

    /// A whole line that begins with the delimiter is held: what is it?
    fn decide(&mut self) {
        let line = self.line();
        let whole = line.ends_with(b"\n");
        let bare = self.imagined == 0 && !self.held.starts_with(b"\r")
            || whole && !line.ends_with(b"\r\n");
        let word = line.trim_ascii();
        if word.is_empty() && whole {
            self.judge_if(bare || self.place == Place::Epilogue);
            self.end_part();
            self.place = Place::Head;
        } else if let Some(after) = word.strip_prefix(b"--") {
            let odd = bare || !after.is_empty() || self.place == Place::Epilogue;
            self.judge_if(odd);
            self.end_part();
            self.place = Place::Epilogue;
        } else {
            // RFC 2046 §5.1.1 compares only as far as the boundary goes: who does so splits here, who looks at the
            // whole word does not.
            self.judge_if(true);
            let keep = usize::from(whole);
            self.release(self.held.len() - keep);
            return;
        }
        self.held.clear();
        self.imagined = 0;
        if self.place == Place::Epilogue && whole {
            self.held.push(b'\n');
            self.imagined = 1;
        }
    }

    /// Data of the open child; outside of parts a child is opened for it unless it is white space.
    fn emit(&mut self, data: &[u8], start: u64) {
        if self.open {
            self.out.data(data);
            return;
        }
        let text = data.trim_ascii_start();
        if text.is_empty() {
            return;
        }
        let label = match self.place {
            Place::Preamble => "preamble",
            Place::Head | Place::Body | Place::Epilogue | Place::Over => "epilogue",
        };
        let mut child = Child::new(PartKind::Multipart, label);
        child.base = Some(start.saturating_add((data.len() - text.len()) as u64));
        self.out.event(Event::Begin(Box::new(child)));
        self.open = true;
        self.out.data(text);
    }

    fn end_part(&mut self) {
        if std::mem::replace(&mut self.open, false) {
            self.out.event(Event::End);
        }
    }

    fn judge_if(&mut self, odd: bool) {
        if odd && !std::mem::replace(&mut self.told, true) {
            self.out
                .event(Event::Fact(Anomaly::BrokenMultipart, self.at));
        }
    }

    /// Gathers the head of a part, line by line, to its empty line.
    fn take_head(&mut self, input: &mut &[u8], meter: &mut Meter) {
        let end = memchr::memchr(b'\n', input).map_or(input.len(), |at| at + 1);
        let most = meter.limits().part_head_bytes;
        let room = most.saturating_sub(self.head.len());
        let piece = self.cut(input, end.min(room.max(1)));
        self.head.extend_from_slice(piece);
        let begin = match self.head.strip_suffix(b"\n") {
            Some(lines) => memchr::memrchr(b'\n', lines).map_or(0, |at| at + 1),
            None if self.head.len() >= most => {
                self.judge_if(true);
                self.begin_part(meter);
                return;
            }
            None => return,
        };
        let line = self.head.get(begin..).unwrap_or_default();
        let bare = !line.ends_with(b"\r\n");
        let delimiter = self.needle.needle().get(1..).unwrap_or_default();
        if line.trim_ascii().is_empty() {
            self.judge_if(bare);
            self.begin_part(meter);
        } else if self.kind != Kind::Message && line.starts_with(delimiter) {
            // A delimiter where a field is due: a part without a body.
            let mut held = b"\n".to_vec();
            held.extend_from_slice(line);
            self.judge_if(true);
            self.head.truncate(begin);
            self.begin_part(meter);
            if self.place == Place::Body {
                self.held = held;
                self.decide();
            }
        } else {
            self.judge_if(bare && self.kind != Kind::Message);
        }
    }

    /// The head is whole: opens the child that it describes.
    fn begin_part(&mut self, meter: &mut Meter) {
        let bytes = std::mem::take(&mut self.head);
        let (mut child, odd) = head::parse(&bytes, self.kind, self.parts);
        child.base = Some(self.at);
        self.judge_if(odd);
        if let Err(anomaly) = meter.multipart_part() {
            self.out.event(Event::Fact(anomaly, self.at));
            self.place = Place::Over;
            return;
        }
        self.parts = self.parts.saturating_add(1);
        self.out.event(Event::Begin(Box::new(child)));
        self.open = true;
        self.place = Place::Body;
        if self.kind != Kind::Message {
            // RFC 2046 §5.1.1: the line end of the empty line may be the delimiter's own.
            self.held = b"\n".to_vec();
            self.imagined = 1;
        }
    }

    /// The parent's stream is over.
    fn finish(&mut self) {
        if self.line().trim_ascii_end().starts_with(b"--") {
            self.decide();
        }
        let rest = self.held.len();
        self.release(rest);
        let closed = self.place == Place::Epilogue || self.kind == Kind::Message;
        self.judge_if(!closed || self.place == Place::Head);
        self.end_part();
        self.place = Place::Over;
    }
}

/// Data and events in their order, until the caller has taken them.
#[derive(Debug, Default)]
struct Outgoing {
    items: VecDeque<Item>,
    bytes: Vec<u8>,
    passed: usize,
}

#[derive(Debug)]
enum Item {
    Data(usize),
    Event(Event),
}

impl Outgoing {
    fn data(&mut self, data: &[u8]) {
        if !data.is_empty() {
            self.bytes.extend_from_slice(data);
            self.items.push_back(Item::Data(data.len()));
        }
    }

    fn event(&mut self, event: Event) {
        self.items.push_back(Item::Event(event));
    }

    /// Copies data to the child's window up to the next event; `None` when nothing is left.
    fn pass(&mut self, window: &mut Window) -> Option<Event> {
        while let Some(item) = self.items.pop_front() {
            let len = match item {
                Item::Event(event) => return Some(event),
                Item::Data(len) => len,
            };
            let end = self.passed.saturating_add(len);
            let mut data = self.bytes.get(self.passed..end).unwrap_or_default();
            let copied = window.copy(&mut data);
            self.passed = self.passed.saturating_add(copied);
            if copied < len {
                self.items.push_front(Item::Data(len - copied));
            }
            if window.is_full() {
                return Some(Event::Full);
            }
        }
        self.bytes.clear();
        self.passed = 0;
        None
    }
}

/// White space that may follow a boundary on its line. RFC 2046 sets no bound; nobody sends more than a few.
const PADDING_BYTES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::seen::{Seen, prose, run, run_split, run_with};
    use crate::content::{Declared, Limits, Type};

    fn form() -> Declared {
        Declared::new().content_type(b"multipart/form-data; boundary=XY")
    }

    /// Every part with a base stands where it says.
    fn bases_hold(seen: &Seen, body: &[u8]) {
        for found in &seen.parts {
            if let Some(base) = found.part.base {
                let rest = &body[base as usize..];
                assert!(rest.starts_with(&found.bytes), "{}", found.part.path);
            }
        }
    }

    fn split(declared: &Declared, body: &str) -> Seen {
        let seen = run_split(declared, body.as_bytes());
        bases_hold(&seen, body.as_bytes());
        seen
    }

    const PLAIN: &str = "--XY\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\none\r\ntwo\r\n\
        --XY\r\ncontent-disposition:form-data; name=f; filename=\"x.php\"\r\nContent-Type: text/xml\r\n\r\n<a/>\r\n--XY--\r\n";

    #[test]
    fn a_form_is_split_into_its_fields() {
        let seen = split(&form(), PLAIN);
        assert_eq!(seen.paths(), ["body", "body/part:a", "body/part:f"]);
        assert_eq!(seen.bytes("body/part:a"), b"one\r\ntwo");
        assert_eq!(seen.bytes("body/part:f"), b"<a/>");
        let file = seen.part("body/part:f");
        assert_eq!(
            (file.name.as_deref(), file.field.as_deref()),
            (Some("x.php"), Some("f"))
        );
        assert_eq!(file.sniffed, Type::Xml);
        assert_eq!(
            file.media_type.as_ref().map(|media| &*media.essence),
            Some("text/xml")
        );
        assert!(file.base.is_some());
        assert_eq!(seen.anomalies, []);
    }

    #[test]
    fn delimiters_look_alike_in_data_but_are_none() {
        let mut body = b"--XY\r\nContent-Disposition: form-data; name=a\r\n\r\n".to_vec();
        let data = b"\r\n-XY \n\n--X\r\r\n--\r\n--X\n-\r\n--xy--\r\nab--XY\r\n--\r".repeat(700);
        body.extend_from_slice(&data);
        body.extend_from_slice(b"\r\n--XY--");
        let seen = run_split(&form(), &body);
        bases_hold(&seen, &body);
        assert!(seen.bytes("body/part:a") == data);
        assert_eq!(seen.anomalies, []);
    }

    #[test]
    fn large_parts_fill_their_windows() {
        let (one, two) = (prose(50_000, 1), prose(33_000, 2));
        let mut body = b"--XY\r\nContent-Disposition: form-data; name=a\r\n\r\n".to_vec();
        body.extend_from_slice(&one);
        body.extend_from_slice(b"\r\n--XY \t\r\nContent-Disposition: form-data; name=b\r\n\r\n");
        body.extend_from_slice(&two);
        body.extend_from_slice(b"\r\n--XY--\r\n");
        let seen = run_split(&form(), &body);
        bases_hold(&seen, &body);
        assert!(seen.bytes("body/part:a") == one && seen.bytes("body/part:b") == two);
        assert_eq!(seen.anomalies, []);
    }

    #[test]
    fn empty_parts_and_empty_forms_are_fine() {
        let seen = split(
            &form(),
            "--XY\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n--XY--\r\n",
        );
        assert_eq!(
            (seen.bytes("body/part:a"), seen.anomalies.len()),
            (&b""[..], 0)
        );
        let seen = split(
            &form(),
            "--XY\r\nContent-Disposition: form-data; name=a\r\n\r\n--XY--",
        );
        assert_eq!(
            (seen.bytes("body/part:a"), seen.anomalies.len()),
            (&b""[..], 0)
        );
        let seen = split(&form(), "--XY--\r\n");
        assert_eq!((seen.paths(), seen.anomalies.len()), (vec!["body"], 0));
    }

    #[test]
    fn what_two_readers_would_split_differently_is_an_anomaly() {
        let head = "Content-Disposition: form-data; name=a\r\n\r\n";
        let table = [
            ("no close delimiter", format!("--XY\r\n{head}x")),
            ("no delimiter", "just text".to_owned()),
            ("another boundary", format!("--ZZ\r\n{head}x\r\n--ZZ--")),
            ("bare LF", format!("--XY\n{}x\n--XY--\n", head.replace('\r', ""))),
            ("one bare LF", format!("--XY\r\n{head}x\n--XY--\r\n")),
            ("longer word", format!("--XY\r\n{head}x\r\n--XYZ\r\n{head}y\r\n--XY--")),
            ("after the close", format!("--XY\r\n{head}x\r\n--XY--\r\n--XY\r\n{head}y\r\n--XY--")),
            ("close and a word", format!("--XY\r\n{head}x\r\n--XY--Z\r\n")),
            ("two names", "--XY\r\nContent-Disposition: form-data; name=a; name=b\r\n\r\nx\r\n--XY--".to_owned()),
            ("two file names", "--XY\r\nContent-Disposition: form-data; name=a; filename=a; filename=b\r\n\r\nx\r\n--XY--".to_owned()),
            ("two dispositions", format!("--XY\r\nContent-Disposition: form-data; name=b\r\n{head}x\r\n--XY--")),
            ("no disposition", "--XY\r\nX: y\r\n\r\nx\r\n--XY--".to_owned()),
            ("no field", format!("--XY\r\nnonsense\r\n{head}x\r\n--XY--")),
            ("space before the colon", "--XY\r\nContent-Disposition : form-data; name=a\r\n\r\nx\r\n--XY--".to_owned()),
            ("a delimiter in the head", format!("--XY\r\nX: y\r\n--XY\r\n{head}x\r\n--XY--")),
            ("a cut head", "--XY\r\nContent-Dis".to_owned()),
            ("an unknown transfer encoding", format!("--XY\r\nContent-Transfer-Encoding: zip\r\n{head}x\r\n--XY--")),
            ("an oversized head", format!("--XY\r\nX: {}\r\n{head}x\r\n--XY--", "y".repeat(17_000))),
            ("NUL in the head", format!("--XY\r\nX: \0\r\n{head}x\r\n--XY--")),
        ];
        for (what, body) in table {
            let seen = split(&form(), &body);
            assert_eq!(seen.kinds(), [Anomaly::BrokenMultipart], "{what}");
        }
    }

    #[test]
    fn what_is_outside_of_parts_is_a_part_too() {
        let body = format!("\r\n  hidden\r\n{PLAIN} also hidden \r\n--XYno");
        let seen = split(&form(), &body);
        assert_eq!(seen.bytes("body/preamble"), b"hidden");
        assert!(seen.bytes("body/epilogue").starts_with(b"also hidden"));
    }

    #[test]
    fn parts_after_the_close_delimiter_are_seen() {
        let body =
            format!("{PLAIN}--XY\r\nContent-Disposition: form-data; name=z\r\n\r\nlate\r\n--XY--");
        assert_eq!(split(&form(), &body).bytes("body/part:z"), b"late");
    }

    #[test]
    fn a_multipart_body_without_a_boundary_is_split_at_the_one_it_shows() {
        let head = Declared::new().content_type(b"multipart/form-data");
        let seen = split(&head, PLAIN);
        assert_eq!(seen.kinds(), [Anomaly::BrokenMultipart]);
        assert_eq!(seen.bytes("body/part:f"), b"<a/>");
        let seen = split(&Declared::new().content_type(b"text/plain"), PLAIN);
        assert_eq!(
            (seen.bytes("body/part:f"), seen.anomalies.len()),
            (&b"<a/>"[..], 0)
        );
    }

    #[test]
    fn file_names_are_read_in_every_spelling() {
        let table = [
            ("filename=plain.txt", "plain.txt"),
            ("filename=\"a;b \\\"c\\\".txt\"", "a;b \"c\".txt"),
            ("filename=\"C:\\dir\\x.txt\"", "C:\\dir\\x.txt"),
            ("filename*=UTF-8''na%C3%AFve.txt", "naïve.txt"),
            ("filename=x; filename*=utf-8'en'y.txt", "y.txt"),
            ("filename*0=long; filename*1=er.txt", "longer.txt"),
        ];
        for (parameter, name) in table {
            let body = format!(
                "--XY\r\nContent-Disposition: form-data; name=a; {parameter}\r\n\r\n\r\n--XY--"
            );
            let seen = split(&form(), &body);
            assert_eq!(seen.part("body/part:a").name.as_deref(), Some(name));
            assert_eq!(seen.anomalies, [], "{parameter}");
        }
    }

    #[test]
    fn transfer_encodings_are_undone_in_a_child() {
        let body = "--XY\r\nContent-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: Base64\r\n\r\n\
            PHIv\r\nPg==\r\n--XY\r\nContent-Disposition: form-data; name=b\r\n\
            Content-Transfer-Encoding: quoted-printable\r\n\r\n=3Cr/=\r\n>\r\n--XY--";
        let seen = split(&form(), body);
        assert_eq!(seen.bytes("body/part:a"), b"PHIv\r\nPg==");
        assert_eq!(seen.bytes("body/part:a/base64"), b"<r/>");
        assert_eq!(seen.part("body/part:a/base64").sniffed, Type::Xml);
        assert_eq!(seen.bytes("body/part:b/quoted-printable"), b"<r/>");
        assert_eq!(seen.anomalies, []);
    }

    #[test]
    fn multipart_nests_and_messages_are_opened() {
        let body = "--XY\r\nContent-Type: multipart/mixed; boundary=XYZ\r\n\r\n\
            --XYZ\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\nContent-Type: text/plain\r\n\r\nmail\r\n\
            --XYZ\r\n\r\nbare\r\n--XYZ--\r\n--XY--\r\n";
        let declared = Declared::new().content_type(b"multipart/mixed; boundary=XY");
        let seen = split(&declared, body);
        assert_eq!(seen.bytes("body/part[0]/part[0]/message"), b"mail");
        assert_eq!(seen.bytes("body/part[0]/part[1]"), b"bare");
        // The inner boundary begins with the outer one, which RFC 2046 forbids.
        assert_eq!(seen.kinds(), [Anomaly::BrokenMultipart]);
        let seen = split(&declared, &body.replace("XYZ", "QQQ"));
        assert_eq!(seen.anomalies, []);
        let inner = seen.part("body/part[0]/part[1]").base.expect("in reach");
        assert!(body[inner as usize..].starts_with("bare"));
    }

    #[test]
    fn parts_are_limited_over_the_whole_tree() {
        let limits = Limits {
            multipart_parts: 3,
            ..Limits::default()
        };
        let part = "--XY\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n";
        let body = format!("{}--XY--", part.repeat(9));
        let seen = run_with(&form(), limits, [body.as_bytes()]);
        assert_eq!(seen.kinds(), [Anomaly::TooManyParts]);
        assert_eq!(seen.parts.len(), 4);
    }

    #[test]
    fn deep_nesting_stops_at_the_limit() {
        let mut body = String::from("x");
        for depth in 0..30 {
            body = format!(
                "--{depth}q\r\nContent-Type: multipart/mixed; boundary={}q\r\n\r\n{body}\r\n--{depth}q--",
                depth - 1
            );
        }
        let declared = Declared::new().content_type(b"multipart/mixed; boundary=29q");
        let seen = run(&declared, [body.as_bytes()]);
        assert!(seen.kinds().contains(&Anomaly::TooDeep));
    }
}
