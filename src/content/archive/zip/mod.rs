//! zip, walked by its local headers (APPNOTE 6.3.10).
//!
//! ```text
//!   Search ──PK──► Signature ─┬─ local ──► Member ──► (Descriptor) ──► Signature …
//!      ▲                      ├─ central, end ──► held against the walk ──► Signature … ──► After
//!      └── a gap, or more ◄───┘
//! ```
//!
//! Readers that go by the central directory and readers that go by the walk must see the same members; where they would
//! not (overlapping, hidden, twice listed or differently told members, two ends, data between or after) it is an
//! anomaly. Each byte is unpacked once, however often the directory points at it.

mod directory;
mod record;

use std::collections::VecDeque;

use flate2::Crc;

use crate::anomaly::Anomaly;
use crate::budget::Reservation;
use crate::content::coding::{Decoded, Decoder, Format};
use crate::content::meter::Meter;
use crate::content::reader::{Event, Input};
use crate::content::window::{Last, Window};

use super::{NAME_BYTES, escapes, member};
use directory::Directory;
use record::{Entry, Signature, is_plausible, local_name, u32_at, u64_at};

/// Walks one zip file, or looks for one inside other data.
#[derive(Debug)]
pub(in crate::content) struct Zip {
    start: Start,
    state: State,
    /// The record being gathered.
    record: Vec<u8>,
    directory: Directory,
    /// Bytes that belong to no record lie before the one being gathered; the last of them.
    gap: Option<Vec<u8>>,
    events: VecDeque<Event>,
    told: Vec<Anomaly>,
    at: u64,
}

/// Where the zip file begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::content) enum Start {
    /// At the part's first byte.
    Front,
    /// Anywhere or nowhere: behind the stub of a self-extracting archive, behind an image.
    Anywhere,
}

#[derive(Debug)]
enum State {
    Search,
    Signature,
    Fixed(Signature),
    Whole(Signature, u64),
    Member(Box<Member>),
    Descriptor(Entry),
    Skip(u64),
    Over,
}

/// The member being unpacked.
#[derive(Debug)]
struct Member {
    entry: Entry,
    decoder: Decoder,
    memory: Option<Reservation>,
    /// Packed bytes still to come, when known.
    left: Option<u64>,
    packed: u64,
    crc: Crc,
    size: u64,
}

impl Zip {
    pub(in crate::content) fn new(start: Start) -> Self {
        Self {
            start,
            state: match start {
                Start::Front => State::Signature,
                Start::Anywhere => State::Search,
            },
            record: Vec::new(),
            directory: Directory::default(),
            gap: None,
            events: VecDeque::new(),
            told: Vec::new(),
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
            if let State::Member(member) = &mut self.state {
                let before = input.bytes.len();
                let did = member.unpack(&mut input.bytes, out, meter);
                self.at = self.at.saturating_add((before - input.bytes.len()) as u64);
                match did {
                    Unpacked::Full => return Event::Full,
                    Unpacked::NeedInput if input.last == Last::Open => return Event::NeedInput,
                    Unpacked::NeedInput => self.finish(),
                    Unpacked::Again => {}
                    Unpacked::Over => self.end_member(),
                    Unpacked::Broken(anomaly) => self.leave_member(anomaly),
                    Unpacked::Limit(anomaly) => self.stop(anomaly),
                }
                continue;
            }
            match (input.bytes.is_empty(), input.last) {
                _ if matches!(self.state, State::Over) => return Event::Done,
                (true, Last::Open) => return Event::NeedInput,
                (true, Last::Known) => self.finish(),
                (false, _) => self.step(&mut input.bytes, meter),
            }
        }
    }

    fn step(&mut self, input: &mut &[u8], meter: &mut Meter) {
        match self.state {
            State::Search => self.search(input),
            State::Signature => {
                if self.gather(input, 4) {
                    self.signature();
                }
            }
            State::Fixed(signature) => {
                if self.gather(input, signature.fixed_bytes()) {
                    self.fixed(signature, meter);
                }
            }
            State::Whole(signature, len) => {
                let len = usize::try_from(len).unwrap_or(usize::MAX);
                if self.gather(input, len) {
                    self.whole(signature, meter);
                }
            }
            State::Descriptor(_) => self.descriptor(input),
            State::Skip(left) => {
                let piece = self.cut(input, left);
                let left = left.saturating_sub(piece.len() as u64);
                self.state = match left {
                    0 => State::Signature,
                    left => State::Skip(left),
                };
            }
            State::Member(_) | State::Over => {}
        }
    }

    /// Looks for the next `PK`.
    fn search(&mut self, input: &mut &[u8]) {
        let found = memchr::memmem::find(input, b"PK");
        let half = input.last() == Some(&b'P');
        let end = match found {
            Some(at) => at,
            None => input.len() - usize::from(half),
        };
        let passed = self.cut(input, end as u64);
        self.remember_gap(passed);
        if found.is_some() || half {
            self.state = State::Signature;
        }
    }

    fn remember_gap(&mut self, passed: &[u8]) {
        if passed.is_empty() {
            return;
        }
        let last = self.gap.get_or_insert_default();
        let from = passed.len().saturating_sub(GAP_BYTES);
        last.extend_from_slice(passed.get(from..).unwrap_or_default());
        let over = last.len().saturating_sub(GAP_BYTES);
        last.drain(..over);
    }

    /// Four bytes are there: a record, or part of a gap.
    fn signature(&mut self) {
        let signature = self.record.get(..4).and_then(Signature::of);
        let embedded = self.start == Start::Anywhere && self.directory.is_empty();
        match signature {
            Some(Signature::Local) => self.state = State::Fixed(Signature::Local),
            Some(signature) if !embedded => self.state = State::Fixed(signature),
            Some(_) | None => self.resume(),
        }
    }

    /// What was gathered is no record: looks on from its second byte.
    fn resume(&mut self) {
        let record = std::mem::take(&mut self.record);
        let rest = record.get(1..).unwrap_or_default();
        let next = rest
            .windows(2)
            .position(|pair| pair == b"PK")
            .or_else(|| rest.ends_with(b"P").then(|| rest.len() - 1));
        let cut = next.map_or(record.len(), |at| at + 1);
        let (gap, rest) = record.split_at(cut);
        self.remember_gap(gap);
        self.record.extend_from_slice(rest);
        self.state = match rest.is_empty() {
            true => State::Search,
            false => State::Signature,
        };
    }

    /// The fixed front of a record is there.
    fn fixed(&mut self, signature: Signature, meter: &mut Meter) {
        let embedded = self.start == Start::Anywhere && self.directory.is_empty();
        if embedded && !is_plausible(&self.record) {
            self.resume();
            return;
        }
        self.judge_gap(signature);
        let more = signature.more_bytes(&self.record);
        self.state = match signature {
            Signature::Local | Signature::Central | Signature::End if more == 0 => {
                self.whole(signature, meter);
                return;
            }
            Signature::Local | Signature::Central | Signature::End => {
                State::Whole(signature, signature.fixed_bytes() as u64 + more)
            }
            // Nothing in them that the other records do not say.
            Signature::End64 | Signature::Locator64 | Signature::Extra | Signature::Signed => {
                self.record.clear();
                match more {
                    0 => State::Signature,
                    more => State::Skip(more),
                }
            }
        };
    }

    /// Bytes lay between the records.
    fn judge_gap(&mut self, next: Signature) {
        let Some(last) = self.gap.take() else {
            return;
        };
        let front = self.directory.is_empty() && self.start == Start::Anywhere;
        let signed = next == Signature::Central && last.ends_with(APK_SIGNATURE);
        if !front && !signed {
            self.tell(Anomaly::BrokenArchive);
        }
    }

    fn whole(&mut self, signature: Signature, meter: &mut Meter) {
        let record = std::mem::take(&mut self.record);
        let begin = self.at.saturating_sub(record.len() as u64);
        self.state = State::Signature;
        match signature {
            Signature::Local => self.begin_member(&record, begin, meter),
            Signature::Central => {
                let entry = Entry::central(&record);
                if !self.directory.list(&entry, begin) {
                    self.tell(Anomaly::BrokenArchive);
                }
            }
            Signature::End => {
                if !self.directory.end(&record, begin) {
                    self.tell(Anomaly::BrokenArchive);
                }
            }
            Signature::End64 | Signature::Locator64 | Signature::Extra | Signature::Signed => {}
        }
    }

    fn begin_member(&mut self, record: &[u8], begin: u64, meter: &mut Meter) {
        if self.directory.is_ended() {
            // Readers look for the end from behind: to them only what comes now exists.
            self.tell(Anomaly::TrailingData);
            self.directory = Directory::default();
        }
        let entry = Entry::local(record, begin);
        if let Err(anomaly) = meter.archive_entry() {
            self.stop(anomaly);
            return;
        }
        let name = local_name(record);
        if escapes(name) || !self.directory.is_new(&entry) {
            self.tell(Anomaly::BrokenArchive);
        }
        let folder = name.ends_with(b"/") && entry.size == 0;
        if !folder {
            let name = name.get(..NAME_BYTES).unwrap_or(name);
            let child = member("zip", &String::from_utf8_lossy(name));
            self.events.push_back(Event::Begin(Box::new(child)));
        }
        let bare = folder && entry.method == 0;
        let known = !entry.has_descriptor() || entry.packed > 0 || bare;
        let left = known.then_some(entry.packed);
        let opaque = if entry.is_encrypted() {
            Some(Anomaly::EncryptedArchive)
        } else if entry.format().is_none() {
            Some(Anomaly::UnsupportedArchive)
        } else if entry.format() == Some(Format::Stored) && left.is_none() {
            // Its end is wherever something like a descriptor stands: two readers, two ends.
            Some(Anomaly::BrokenArchive)
        } else {
            None
        };
        let decoder = entry
            .format()
            .and_then(|format| Decoder::new(format, meter.limits()));
        match (opaque, decoder) {
            (None, Some(decoder)) => {
                self.state = State::Member(Box::new(Member {
                    entry,
                    decoder,
                    memory: None,
                    left,
                    packed: 0,
                    crc: Crc::new(),
                    size: 0,
                }));
            }
            (opaque, _) => {
                self.tell(opaque.unwrap_or(Anomaly::MemoryBudget));
                self.events.push_back(Event::End);
                self.directory.add(entry);
                self.pass_over(left);
            }
        }
    }

    /// Goes on behind `left` packed bytes, or at the next record.
    fn pass_over(&mut self, left: Option<u64>) {
        self.state = match left {
            Some(0) => State::Signature,
            Some(left) => State::Skip(left),
            None => State::Search,
        };
    }

    fn end_member(&mut self) {
        let State::Member(member) = std::mem::replace(&mut self.state, State::Signature) else {
            return;
        };
        let Member {
            mut entry,
            left,
            packed,
            crc,
            size,
            ..
        } = *member;
        self.events.push_back(Event::End);
        let hidden = left.unwrap_or(0);
        let (crc, told) = (crc.sum(), entry.has_descriptor());
        let wrong = entry.crc != crc || entry.size != size;
        if hidden > 0 || wrong && !told {
            self.tell(Anomaly::BrokenArchive);
        }
        if told {
            entry.crc = crc;
            entry.size = size;
            entry.packed = packed;
            self.state = State::Descriptor(entry);
            return;
        }
        self.directory.add(entry);
        self.pass_over(Some(hidden));
    }

    fn leave_member(&mut self, anomaly: Anomaly) {
        let State::Member(member) = std::mem::replace(&mut self.state, State::Search) else {
            return;
        };
        self.tell(match anomaly {
            Anomaly::BrokenCoding => Anomaly::BrokenArchive,
            anomaly => anomaly,
        });
        self.events.push_back(Event::End);
        self.directory.add(member.entry);
        self.pass_over(member.left);
    }

    /// Sizes and CRC after the data, with or without a signature, of 32 or 64 bits (§4.3.9).
    fn descriptor(&mut self, input: &mut &[u8]) {
        let Some(byte) = self.cut(input, 1).first() else {
            return;
        };
        self.record.push(*byte);
        let State::Descriptor(entry) = &self.state else {
            return;
        };
        let fields = self
            .record
            .strip_prefix(b"PK\x07\x08")
            .unwrap_or(&self.record);
        let (crc, narrow) = (u32_at(fields, 0), (u32_at(fields, 4), u32_at(fields, 8)));
        let right = match fields.len() {
            12 => u64::from(narrow.0) == entry.packed && u64::from(narrow.1) == entry.size,
            20 => u64_at(fields, 4) == entry.packed && u64_at(fields, 12) == entry.size,
            _ => return,
        };
        let right = right && crc == entry.crc;
        let hopeless = fields.len() == 20;
        if right || hopeless {
            let entry = entry.clone();
            self.directory.add(entry);
            self.record.clear();
            self.state = State::Signature;
            if !right {
                self.tell(Anomaly::BrokenArchive);
                self.state = State::Search;
            }
        }
    }

    /// The part is over.
    fn finish(&mut self) {
        let whole = match &self.state {
            State::Search | State::Signature | State::Skip(_) => self.directory.is_ended(),
            State::Fixed(_) => self.directory.is_empty() && self.start == Start::Anywhere,
            State::Whole(..) | State::Member(_) | State::Descriptor(_) => false,
            State::Over => true,
        };
        let nothing = self.directory.is_empty() && self.start == Start::Anywhere;
        let more = self.gap.is_some() || !self.record.is_empty();
        if nothing && matches!(self.state, State::Search | State::Signature) {
            self.state = State::Over;
            return;
        }
        if !whole {
            self.tell(Anomaly::BrokenArchive);
        } else if more {
            self.tell(Anomaly::TrailingData);
        }
        self.state = State::Over;
    }

    fn stop(&mut self, anomaly: Anomaly) {
        self.tell(anomaly);
        self.state = State::Over;
    }

    /// Reports an anomaly, each once.
    fn tell(&mut self, anomaly: Anomaly) {
        if !self.told.contains(&anomaly) {
            self.told.push(anomaly);
            self.events.push_back(Event::Fact(anomaly, self.at));
        }
    }

    /// Gathers a record to `len` bytes; true when it is there.
    fn gather(&mut self, input: &mut &[u8], len: usize) -> bool {
        let missing = len.saturating_sub(self.record.len());
        let piece = self.cut(input, missing as u64);
        self.record.extend_from_slice(piece);
        self.record.len() >= len
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
}

/// What one call came to.
enum Unpacked {
    Full,
    NeedInput,
    Again,
    Over,
    Broken(Anomaly),
    Limit(Anomaly),
}

impl Member {
    fn unpack(&mut self, input: &mut &[u8], out: &mut Window, meter: &mut Meter) -> Unpacked {
        let most = self.left.and_then(|left| usize::try_from(left).ok());
        let mine = input.get(..most.unwrap_or(usize::MAX)).unwrap_or(input);
        let held = out.len();
        let mut rest = mine;
        let decoded = self.decoder.decode(&mut rest, out);
        let taken = mine.len() - rest.len();
        *input = input.get(taken..).unwrap_or_default();
        self.packed = self.packed.saturating_add(taken as u64);
        self.left = self.left.map(|left| left.saturating_sub(taken as u64));
        let fresh = out.bytes().get(held..).unwrap_or_default();
        self.crc.update(fresh);
        self.size = self.size.saturating_add(fresh.len() as u64);
        let memory = self.decoder.memory_bytes(self.size);
        let held = meter.hold(&mut self.memory, memory);
        if let Err(anomaly) = held.and_then(|()| meter.decoded(fresh.len())) {
            return Unpacked::Limit(anomaly);
        }
        match decoded {
            Decoded::Full => Unpacked::Full,
            Decoded::Broken(anomaly) => Unpacked::Broken(anomaly),
            Decoded::Over { back: 0 } => Unpacked::Over,
            Decoded::Over { .. } => Unpacked::Broken(Anomaly::BrokenArchive),
            Decoded::NeedInput | Decoded::Member if self.left == Some(0) => {
                // A member of no bytes need not even hold an empty stream.
                let empty = self.packed == 0 && self.entry.size == 0;
                match self.decoder.is_complete() || empty {
                    true => Unpacked::Over,
                    false => Unpacked::Broken(Anomaly::BrokenArchive),
                }
            }
            Decoded::Member if self.left.is_none() => Unpacked::Over,
            Decoded::NeedInput => Unpacked::NeedInput,
            Decoded::Member => Unpacked::Again,
        }
    }
}

/// What Android's signing puts between the members and the central directory ends with this.
const APK_SIGNATURE: &[u8] = b"APK Sig Block 42";

/// Bytes of a gap that are remembered: the end of a signing block.
const GAP_BYTES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::seen::{Seen, prose, run_split, run_with};
    use crate::content::{Declared, Limits, PartKind, Type};

    /// A member to be written.
    #[derive(Clone)]
    struct Given {
        name: &'static str,
        data: Vec<u8>,
        method: u16,
        flags: u16,
        streamed: bool,
    }

    fn given(name: &'static str, data: &[u8], method: u16) -> Given {
        Given {
            name,
            data: data.to_vec(),
            method,
            flags: 0,
            streamed: false,
        }
    }

    fn pack(data: &[u8], method: u16) -> Vec<u8> {
        use std::io::{Read, Write};
        match method {
            8 => {
                let mut out =
                    flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::new(6));
                out.write_all(data).expect("memory");
                out.finish().expect("memory")
            }
            12 => {
                let mut out = Vec::new();
                let mut encoder = bzip2::read::BzEncoder::new(data, bzip2::Compression::fast());
                encoder.read_to_end(&mut out).expect("memory");
                out
            }
            93 => ::zstd::encode_all(data, 1).expect("memory"),
            95 => {
                let mut out = Vec::new();
                let mut encoder = liblzma::read::XzEncoder::new(data, 1);
                encoder.read_to_end(&mut out).expect("memory");
                out
            }
            _ => data.to_vec(),
        }
    }

    fn u16s(values: &[u16]) -> Vec<u8> {
        values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect()
    }

    fn u32s(values: &[u32]) -> Vec<u8> {
        values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect()
    }

    /// Local headers with data, and the central directory, apart.
    fn write(members: &[Given], origin: u32) -> (Vec<u8>, Vec<u8>) {
        let (mut file, mut central) = (Vec::new(), Vec::new());
        for member in members {
            let packed = pack(&member.data, member.method);
            let mut crc = Crc::new();
            crc.update(&member.data);
            let offset = file.len() as u32 + origin;
            let told = [crc.sum(), packed.len() as u32, member.data.len() as u32];
            let flags = member.flags | if member.streamed { 8 } else { 0 };
            let here = if member.streamed { [0; 3] } else { told };
            let name = member.name.as_bytes();
            file.extend(b"PK\x03\x04");
            file.extend(u16s(&[20, flags, member.method, 0, 0]));
            file.extend(u32s(&here));
            file.extend(u16s(&[name.len() as u16, 0]));
            file.extend(name);
            file.extend(&packed);
            if member.streamed {
                file.extend(b"PK\x07\x08");
                file.extend(u32s(&told));
            }
            central.extend(b"PK\x01\x02");
            central.extend(u16s(&[20, 20, flags, member.method, 0, 0]));
            central.extend(u32s(&told));
            central.extend(u16s(&[name.len() as u16, 0, 0, 0, 0, 0, 0]));
            central.extend(u32s(&[offset]));
            central.extend(name);
        }
        (file, central)
    }

    fn end(count: u16, central: usize, begin: usize, comment: &[u8]) -> Vec<u8> {
        let mut end = b"PK\x05\x06".to_vec();
        end.extend(u16s(&[0, 0, count, count]));
        end.extend(u32s(&[central as u32, begin as u32]));
        end.extend(u16s(&[comment.len() as u16]));
        end.extend(comment);
        end
    }

    fn zip(members: &[Given]) -> Vec<u8> {
        let (mut file, central) = write(members, 0);
        let begin = file.len();
        file.extend(&central);
        file.extend(end(members.len() as u16, central.len(), begin, b""));
        file
    }

    fn kinds(body: &[u8]) -> Vec<Anomaly> {
        run_split(&Declared::new(), body).kinds()
    }

    #[test]
    fn members_of_every_method_are_unpacked() {
        let data = prose(40_000, 5);
        let methods = [0, 8, 12, 93, 95];
        let names = ["stored", "word/document.xml", "c.bz2", "d.zst", "e.xz"];
        let members: Vec<_> = methods
            .iter()
            .zip(names)
            .map(|(method, name)| given(name, &data, *method))
            .chain([
                given("empty", b"", 0),
                given("dir/", b"", 0),
                given("none", b"", 8),
            ])
            .collect();
        let body = zip(&members);
        let seen = run_split(&Declared::new(), &body);
        for name in names {
            assert!(seen.bytes(&format!("body/zip:{name}")) == data, "{name}");
        }
        let part = seen.part("body/zip:word/document.xml");
        assert_eq!(part.kind, PartKind::Member);
        assert_eq!(part.name.as_deref(), Some("word/document.xml"));
        assert_eq!(part.base, None);
        assert_eq!(seen.part("body/zip:empty").sniffed, Type::Empty);
        assert_eq!(seen.paths().len(), 8);
        assert_eq!(seen.anomalies, []);
    }

    #[test]
    fn sizes_may_follow_the_data() {
        let mut members = [
            given("a", &prose(30_000, 1), 8),
            given("b", b"", 8),
            given("d/", b"", 0),
        ];
        for member in &mut members {
            member.streamed = true;
        }
        let body = zip(&members);
        let seen = run_split(&Declared::new(), &body);
        assert!(seen.bytes("body/zip:a") == members[0].data);
        assert_eq!(seen.anomalies, []);
        // Without the descriptors' signatures, which are optional.
        let plain = memchr::memmem::find_iter(&body, b"PK\x07\x08").collect::<Vec<_>>();
        let mut bare = Vec::new();
        let mut from = 0;
        for at in plain {
            bare.extend(&body[from..at]);
            from = at + 4;
        }
        bare.extend(&body[from..]);
        let seen = run_split(&Declared::new(), &bare);
        assert!(seen.bytes("body/zip:a") == members[0].data);
        assert_eq!(seen.kinds(), [Anomaly::BrokenArchive], "offsets have moved");
    }

    #[test]
    fn encrypted_and_unknown_members_are_anomalies_and_the_rest_is_seen() {
        let mut locked = given("a", b"secret", 8);
        locked.flags = 1;
        let seen = run_split(&Declared::new(), &zip(&[locked, given("b", b"open", 8)]));
        assert_eq!(seen.kinds(), [Anomaly::EncryptedArchive]);
        assert_eq!(seen.bytes("body/zip:b"), b"open");
        let odd = given("a", b"data", 14);
        let seen = run_split(&Declared::new(), &zip(&[odd, given("b", b"open", 0)]));
        assert_eq!(seen.kinds(), [Anomaly::UnsupportedArchive]);
        assert_eq!(seen.bytes("body/zip:b"), b"open");
    }

    #[test]
    fn what_the_walk_and_the_directory_tell_differently_is_an_anomaly() {
        let members = [given("a", b"one", 8), given("b", b"two", 0)];
        let (file, central) = write(&members, 0);
        let build = |file: &[u8], central: &[u8], end: &[u8]| [file, central, end].concat();
        let fine = end(2, central.len(), file.len(), b"comment");
        assert_eq!(kinds(&build(&file, &central, &fine)), []);

        let mut name = central.clone();
        name[46] = b'x';
        let mut method = central.clone();
        method[10] = 0;
        let mut size = central.clone();
        size[24] ^= 1;
        let mut overlap = central.clone();
        overlap[47 + 42] = 0;
        let mut nowhere = central.clone();
        nowhere[42] = 7;
        let one = central[..47].to_vec();
        for (what, central, count) in [
            ("name", name, 2),
            ("method", method, 2),
            ("size", size, 2),
            ("both point at one", overlap, 2),
            ("points into data", nowhere, 2),
            ("one is not listed", one, 1),
            ("count", central.clone(), 3),
        ] {
            let end = end(count, central.len(), file.len(), b"");
            let body = build(&file, &central, &end);
            assert_eq!(kinds(&body), [Anomaly::BrokenArchive], "{what}");
        }
        let wrong_place = end(2, central.len(), file.len() - 1, b"");
        assert_eq!(
            kinds(&build(&file, &central, &wrong_place)),
            [Anomaly::BrokenArchive]
        );
        let hidden_end = end(2, central.len(), file.len(), &fine);
        assert_eq!(
            kinds(&build(&file, &central, &hidden_end)),
            [Anomaly::BrokenArchive]
        );
        assert_eq!(kinds(&file), [Anomaly::BrokenArchive], "no directory");
        assert_eq!(
            kinds(&build(&file, &central, b"")),
            [Anomaly::BrokenArchive],
            "no end"
        );
    }

    #[test]
    fn damaged_members_are_anomalies() {
        let data = prose(3000, 3);
        let body = zip(&[given("a", &data, 8), given("b", b"two", 8)]);
        let mut crc = body.clone();
        crc[14] ^= 1;
        let mut stream = body.clone();
        stream[31] = 0xff;
        for (what, body) in [("CRC", crc), ("stream", stream)] {
            let seen = run_split(&Declared::new(), &body);
            assert_eq!(seen.kinds(), [Anomaly::BrokenArchive], "{what}");
            assert_eq!(seen.bytes("body/zip:b"), b"two", "{what}");
        }
        for cut in [20, 35, 200, body.len() - 60, body.len() - 1] {
            assert_eq!(
                kinds(&body[..cut]),
                [Anomaly::BrokenArchive],
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn bytes_between_and_behind_are_anomalies() {
        let members = [given("a", b"one", 8)];
        let (file, central) = write(&members, 0);
        let tail = end(1, central.len(), file.len(), b"");
        let mut body = [
            file.clone(),
            central.clone(),
            tail.clone(),
            b"more".to_vec(),
        ]
        .concat();
        assert_eq!(kinds(&body), [Anomaly::TrailingData]);
        body.extend(zip(&[given("late", b"two", 8)]));
        let seen = run_split(&Declared::new(), &body);
        assert_eq!(seen.bytes("body/zip:late"), b"two");
        assert!(seen.kinds().contains(&Anomaly::TrailingData));

        let gap = b"PKP--------------".to_vec();
        let tail = end(1, central.len(), file.len() + gap.len(), b"");
        let body = [file.clone(), gap, central.clone(), tail].concat();
        assert_eq!(kinds(&body), [Anomaly::BrokenArchive]);
        let block = b"12345678 pairs APK Sig Block 42".to_vec();
        let tail = end(1, central.len(), file.len() + block.len(), b"");
        let body = [file, block, central, tail].concat();
        assert_eq!(kinds(&body), [], "an Android signing block");
    }

    #[test]
    fn an_archive_behind_other_data_is_opened() {
        let stub = [
            b"GIF89a PK\x03\x04 PK\x03PK nonsense PK\x03\x04".as_slice(),
            &prose(20_000, 9),
        ]
        .concat();
        for origin in [0, stub.len() as u32] {
            let (file, central) = write(&[given("evil.js", b"alert", 8)], origin);
            let tail = end(1, central.len(), file.len() + origin as usize, b"");
            let body = [stub.clone(), file, central, tail].concat();
            let seen = run_split(&Declared::new(), &body);
            assert_eq!(seen.bytes("body/zip:evil.js"), b"alert");
            assert_eq!(seen.anomalies, []);
        }
        assert_eq!(kinds(&stub), [], "nothing but chance signatures");
    }

    #[test]
    fn names_that_leave_their_folder_or_come_twice_are_anomalies() {
        for name in ["../x", "a/../../x", "/etc/x", "C:\\x", "..\\x", "a\0.txt"] {
            assert_eq!(
                kinds(&zip(&[given(name, b"x", 0)])),
                [Anomaly::BrokenArchive],
                "{name}"
            );
        }
        let twice = [given("a", b"x", 0), given("a", b"y", 0)];
        assert_eq!(kinds(&zip(&twice)), [Anomaly::BrokenArchive]);
        assert_eq!(kinds(&zip(&[given("a..b/c", b"x", 0)])), []);
    }

    #[test]
    fn archives_in_archives_are_opened_to_the_limit() {
        let mut body = zip(&[given("bottom", b"x", 0)]);
        for _ in 0..2 {
            body = zip(&[given("in.zip", &body, 8)]);
        }
        let seen = run_split(&Declared::new(), &body);
        assert_eq!(seen.bytes("body/zip:in.zip/zip:in.zip/zip:bottom"), b"x");
        assert_eq!(seen.anomalies, []);
        for _ in 0..20 {
            body = zip(&[given("in.zip", &body, 0)]);
        }
        assert_eq!(kinds(&body), [Anomaly::TooDeep]);
    }

    #[test]
    fn members_are_limited_over_the_whole_tree() {
        let many: Vec<_> = (0..1200).map(|_| given("x", b"", 0)).collect();
        let limits = Limits {
            archive_entries: 1000,
            ..Limits::default()
        };
        let seen = run_with(&Declared::new(), limits, [zip(&many).as_slice()]);
        assert!(seen.kinds().contains(&Anomaly::TooManyParts));
        assert!(seen.parts.len() <= 1001);
    }

    #[test]
    fn a_bomb_stops_at_the_ratio() {
        let members: Vec<_> = ["a", "b", "c", "d", "e", "f", "g", "h"]
            .map(|name| given(name, &vec![0; 1 << 20], 8))
            .to_vec();
        let body = zip(&members);
        let limits = Limits::default();
        let seen = run_with(&Declared::new(), limits, [body.as_slice()]);
        assert_eq!(seen.kinds(), [Anomaly::RatioTooHigh]);
        let total: usize = seen.parts.iter().skip(1).map(|part| part.bytes.len()).sum();
        assert!(total <= (4 << 20) + 2 * crate::content::WINDOW_BYTES);
    }

    #[test]
    fn other_formats_are_named() {
        let table: &[&[u8]] = &[
            b"7z\xbc\xaf\x27\x1c...",
            b"Rar!\x1a\x07\0...",
            b"MSCF\0\0\0\0",
        ];
        for body in table {
            let seen: Seen = run_split(&Declared::new(), body);
            assert_eq!(seen.kinds(), [Anomaly::UnsupportedArchive]);
        }
    }
}
