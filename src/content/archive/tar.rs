//! tar (POSIX ustar and pax, GNU long names): a head of 512 bytes, the member padded to 512, and so on.

use std::collections::VecDeque;

use crate::anomaly::Anomaly;
use crate::content::meter::Meter;
use crate::content::reader::{Event, Input};
use crate::content::sniff;
use crate::content::window::{Last, WINDOW_BYTES, Window};

use super::{NAME_BYTES, escapes, member};

/// Walks one tar archive.
#[derive(Debug)]
pub(in crate::content) struct Tar {
    state: State,
    block: Vec<u8>,
    /// The name that a pax or GNU head before has given to the next member.
    name: Option<Vec<u8>>,
    events: VecDeque<Event>,
    at: u64,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Gathering a head.
    Head,
    /// In a member's bytes, so many left, and so many of padding after them.
    Member { left: u64, pad: u64 },
    /// In the bytes of a head that says something about the next member.
    About { what: About, left: u64, pad: u64 },
    /// In bytes that nobody needs.
    Skip(u64),
    /// After the end mark: only zeros may follow.
    End,
    /// Nothing more is looked at.
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum About {
    LongName,
    Pax,
}

impl Tar {
    pub(in crate::content) fn new() -> Self {
        Self {
            state: State::Head,
            block: Vec::new(),
            name: None,
            events: VecDeque::new(),
            at: 0,
        }
    }

    pub(in crate::content) fn read(
        &mut self,
        input: &mut Input<'_>,
        out: &mut Window,
        meter: &mut Meter,
    ) -> Event {
        loop {
            if let Some(event) = self.events.pop_front() {
                return event;
            }
            match (self.state, input.bytes.is_empty(), input.last) {
                (State::Over, _, _) => return Event::Done,
                (_, true, Last::Open) => return Event::NeedInput,
                (_, true, Last::Known) => self.finish(),
                (State::Member { left, pad }, false, _) => {
                    self.pass(left, pad, &mut input.bytes, out);
                    if out.is_full() {
                        return Event::Full;
                    }
                }
                (_, false, _) => self.step(&mut input.bytes, meter),
            }
        }
    }

    /// Passes bytes of the open member.
    fn pass(&mut self, left: u64, pad: u64, input: &mut &[u8], out: &mut Window) {
        let room = left.min((WINDOW_BYTES - out.len().min(WINDOW_BYTES)) as u64);
        let mut piece = self.cut(input, room);
        let left = left.saturating_sub(piece.len() as u64);
        out.copy(&mut piece);
        self.state = State::Member { left, pad };
        if left == 0 {
            self.events.push_back(Event::End);
            self.state = State::Skip(pad);
        }
    }

    fn step(&mut self, input: &mut &[u8], meter: &mut Meter) {
        match self.state {
            State::Head | State::Skip(0) => {
                self.state = State::Head;
                let missing = BLOCK_BYTES.saturating_sub(self.block.len());
                let piece = self.cut(input, missing as u64);
                self.block.extend_from_slice(piece);
                if self.block.len() == BLOCK_BYTES {
                    let block = std::mem::take(&mut self.block);
                    self.head(&block, meter);
                }
            }
            State::About { what, left, pad } => {
                let piece = self.cut(input, left);
                self.block.extend_from_slice(piece);
                let left = left.saturating_sub(piece.len() as u64);
                self.state = State::About { what, left, pad };
                if left == 0 {
                    self.about(what);
                    self.state = State::Skip(pad);
                }
            }
            State::Skip(left) => {
                let piece = self.cut(input, left);
                self.state = State::Skip(left.saturating_sub(piece.len() as u64));
            }
            State::End => {
                let at = self.at;
                let rest = self.cut(input, u64::MAX);
                if let Some(strange) = rest.iter().position(|byte| *byte != 0) {
                    self.stop(Anomaly::TrailingData, at.saturating_add(strange as u64));
                }
            }
            State::Member { .. } | State::Over => {}
        }
    }

    /// Takes at most `count` bytes off the front of `input`.
    fn cut<'a>(&mut self, input: &mut &'a [u8], count: u64) -> &'a [u8] {
        let count = usize::try_from(count)
            .unwrap_or(usize::MAX)
            .min(input.len());
        let (now, rest) = input.split_at(count);
        *input = rest;
        self.at = self.at.saturating_add(now.len() as u64);
        now
    }

    fn stop(&mut self, anomaly: Anomaly, at: u64) {
        self.events.push_back(Event::Fact(anomaly, at));
        self.state = State::Over;
    }

    fn finish(&mut self) {
        let whole = match self.state {
            // Many writers leave the end mark out; a cut head or member is another matter.
            State::Head | State::Skip(0) => self.block.is_empty(),
            State::End => true,
            State::Member { .. } | State::About { .. } | State::Skip(_) | State::Over => false,
        };
        if !whole {
            self.stop(Anomaly::BrokenArchive, self.at);
        }
        self.state = State::Over;
    }

    fn head(&mut self, block: &[u8], meter: &mut Meter) {
        let begin = self.at.saturating_sub(BLOCK_BYTES as u64);
        if block.iter().all(|byte| *byte == 0) {
            self.state = State::End;
            return;
        }
        let size = block.get(124..136).and_then(number);
        let (true, Some(size)) = (sniff::is_tar(block), size) else {
            self.stop(Anomaly::BrokenArchive, begin);
            return;
        };
        let pad = size
            .next_multiple_of(BLOCK_BYTES as u64)
            .saturating_sub(size);
        let kind = block.get(156).copied().unwrap_or_default();
        let about = match kind {
            b'L' => Some(About::LongName),
            b'x' => Some(About::Pax),
            _ => None,
        };
        if let Some(what) = about {
            if size > ABOUT_BYTES {
                self.stop(Anomaly::BrokenArchive, begin);
            } else {
                self.state = State::About {
                    what,
                    left: size,
                    pad,
                };
            }
            return;
        }
        let name = self.name.take().unwrap_or_else(|| header_name(block));
        if matches!(kind, b'g' | b'K' | b'V') {
            self.state = State::Skip(size.saturating_add(pad));
            return;
        }
        if let Err(anomaly) = meter.archive_entry() {
            self.stop(anomaly, begin);
            return;
        }
        if kind == b'S' {
            // GNU sparse: holes make other bytes of it than stand here.
            self.events
                .push_back(Event::Fact(Anomaly::UnsupportedArchive, begin));
        }
        if escapes(&name) {
            self.events
                .push_back(Event::Fact(Anomaly::BrokenArchive, begin));
        }
        if size == 0 && matches!(kind, b'5' | b'1' | b'2') {
            self.state = State::Head;
            return;
        }
        let name = name.get(..NAME_BYTES).unwrap_or(&name);
        let child = member("tar", &String::from_utf8_lossy(name));
        self.events.push_back(Event::Begin(Box::new(child)));
        self.state = State::Member { left: size, pad };
        if size == 0 {
            self.events.push_back(Event::End);
            self.state = State::Head;
        }
    }

    /// A head about the next member is whole.
    fn about(&mut self, what: About) {
        let bytes = std::mem::take(&mut self.block);
        match what {
            About::LongName => {
                let end = memchr::memchr(0, &bytes).unwrap_or(bytes.len());
                self.name = bytes.get(..end).map(<[u8]>::to_vec);
            }
            About::Pax => {
                if let Some(path) = pax_path(&bytes) {
                    self.name = Some(path.to_vec());
                }
            }
        }
    }
}

/// An octal number, or GNU's base 256 for sizes of 8 GiB and more.
fn number(field: &[u8]) -> Option<u64> {
    if let Some((0x80, rest)) = field.split_first() {
        return rest.iter().try_fold(0u64, |sum, byte| {
            sum.checked_mul(256)?.checked_add(u64::from(*byte))
        });
    }
    let digits = field.trim_ascii();
    let end = memchr::memchr2(0, b' ', digits).unwrap_or(digits.len());
    digits
        .get(..end)?
        .iter()
        .try_fold(0u64, |sum, byte| match byte {
            b'0'..=b'7' => sum.checked_mul(8)?.checked_add(u64::from(byte - b'0')),
            _ => None,
        })
}

/// `prefix/name` of a ustar head.
fn header_name(block: &[u8]) -> Vec<u8> {
    let text = |from: usize, to: usize| {
        let field = block.get(from..to).unwrap_or_default();
        let end = memchr::memchr(0, field).unwrap_or(field.len());
        field.get(..end).unwrap_or_default()
    };
    let mut name = Vec::new();
    let ustar = block.get(257..263) == Some(b"ustar\0");
    if ustar && !text(345, 500).is_empty() {
        name.extend_from_slice(text(345, 500));
        name.push(b'/');
    }
    name.extend_from_slice(text(0, 100));
    name
}

/// The last `path` record of a pax head: `length path=value\n`.
fn pax_path(records: &[u8]) -> Option<&[u8]> {
    let mut rest = records;
    let mut path = None;
    while let Some(space) = memchr::memchr(b' ', rest) {
        let digits = rest.get(..space)?;
        let len: usize = std::str::from_utf8(digits).ok()?.parse().ok()?;
        let record = rest.get(space + 1..len)?;
        rest = rest.get(len..)?;
        if let Some(value) = record.strip_prefix(b"path=") {
            path = value.strip_suffix(b"\n");
        }
    }
    path
}

const BLOCK_BYTES: usize = 512;

/// Longest pax or long-name head that is read; path names end at 4 KiB.
const ABOUT_BYTES: u64 = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::seen::{prose, run_split};
    use crate::content::{Declared, Type};

    fn block(name: &str, size: usize, kind: u8) -> Vec<u8> {
        let mut block = vec![0; 512];
        block[..name.len()].copy_from_slice(name.as_bytes());
        block[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
        block[156] = kind;
        block[257..263].copy_from_slice(b"ustar\0");
        block[148..156].copy_from_slice(b"        ");
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        block
    }

    fn entry(name: &str, data: &[u8], kind: u8) -> Vec<u8> {
        let mut entry = block(name, data.len(), kind);
        entry.extend_from_slice(data);
        entry.resize(entry.len().next_multiple_of(512), 0);
        entry
    }

    #[test]
    fn members_are_shown_under_their_names() {
        let data = prose(40_000, 7);
        let long = format!("{}/end.txt", "d".repeat(150));
        let body = [
            entry("dir/", b"", b'5'),
            entry("dir/a.txt", &data, b'0'),
            entry("empty", b"", 0),
            entry("././@LongLink", format!("{long}\0").as_bytes(), b'L'),
            entry("cut", b"long", b'0'),
            entry("PaxHeaders/x", b"17 path=pax-name\n", b'x'),
            entry("x", b"<a/>", b'0'),
            vec![0; 1024],
        ]
        .concat();
        let seen = run_split(&Declared::new(), &body);
        assert!(seen.bytes("body/tar:dir/a.txt") == data);
        assert_eq!(seen.bytes(&format!("body/tar:{long}")), b"long");
        assert_eq!(seen.part("body/tar:pax-name").sniffed, Type::Xml);
        assert_eq!(seen.paths().len(), 5);
        assert_eq!(seen.anomalies, []);
    }

    #[test]
    fn damage_and_tricks_are_anomalies() {
        let good = entry("a", &prose(2000, 1), b'0');
        let end = vec![0; 1024];
        let mut sum = entry("b", b"x", b'0');
        sum[0] = b'c';
        let table = [
            ("cut member", good[..1000].to_vec(), Anomaly::BrokenArchive),
            (
                "cut head",
                [&good[..], &good[..100]].concat(),
                Anomaly::BrokenArchive,
            ),
            (
                "checksum",
                [&good[..], &sum[..]].concat(),
                Anomaly::BrokenArchive,
            ),
            (
                "after the end",
                [&good[..], &end[..], b"x"].concat(),
                Anomaly::TrailingData,
            ),
            (
                "leaves its folder",
                entry("../a", b"x", b'0'),
                Anomaly::BrokenArchive,
            ),
            (
                "sparse",
                entry("a", b"x", b'S'),
                Anomaly::UnsupportedArchive,
            ),
        ];
        for (what, body, anomaly) in table {
            assert_eq!(
                run_split(&Declared::new(), &body).kinds(),
                [anomaly],
                "{what}"
            );
        }
    }

    #[test]
    fn a_compressed_tar_is_opened_in_two_steps() {
        let tar = [entry("a.txt", b"hello", b'0'), vec![0; 1024]].concat();
        let mut gzip = flate2::GzBuilder::new()
            .filename("x.tar")
            .write(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut gzip, &tar).expect("memory");
        let seen = run_split(&Declared::new(), &gzip.finish().expect("memory"));
        assert_eq!(seen.bytes("body/gzip/tar:a.txt"), b"hello");
        assert_eq!(seen.part("body/gzip").name.as_deref(), Some("x.tar"));
        assert_eq!(seen.anomalies, []);
    }
}
