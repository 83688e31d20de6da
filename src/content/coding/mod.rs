//! Content-codings (RFC 9110 §8.4.1) and single-file compression, undone while streaming.
//!
//! A coding that cannot be undone to its end is judged by [`Anomaly`], and the bytes are shown raw as well: from the
//! window before the break on, which for a wrong label is the whole body. So a lie in Content-Encoding hides nothing.
//!
//! ```text
//!   Decoding ──broken, cut short──► Fact ► End ► Begin(raw) ─► Raw: what was kept, then the rest
//!      │  └────ended, bytes follow─►        (the same, from the first byte that follows)
//!      └───────limit hit───────────► Fact ► Done
//! ```

mod brotli;
mod bzip2;
mod decoder;
mod deflate64;
mod encoder;
mod gzip;
mod inflate;
mod xz;
mod zstd;

pub use encoder::{Encoder, Unencodable};

use crate::anomaly::Anomaly;
use crate::budget::Reservation;

use super::PartKind;
use super::declared::{Coding, MediaType};
use super::meter::Meter;
use super::reader::{Child, Event, Input};
use super::window::{Last, WINDOW_BYTES, Window};

pub(super) use decoder::{Decoded, Decoder, Format};
pub(super) use gzip::file_name;

/// Undoes one content-coding, or unpacks one compressed file.
#[derive(Debug)]
pub(super) struct CodingReader {
    format: Option<Format>,
    decoder: Option<Decoder>,
    memory: Option<Reservation>,
    members: u32,
    taken: u64,
    written: u64,
    /// `None` for a compressed file: its raw bytes are shown anyway, as the parent's.
    kept: Option<Kept>,
    media_type: Option<MediaType>,
    after: After,
}

/// What is to be said and done after the decoding.
#[derive(Debug)]
enum After {
    /// Still decoding.
    Decoding,
    /// Say that, at that offset.
    Fact(Anomaly, u64),
    /// Close the decoded child.
    End,
    /// Open the raw one.
    Begin,
    /// Pass the kept bytes from there on, then the input.
    Raw(usize),
    /// Over.
    Done,
}

impl CodingReader {
    /// Undoes a content-coding of a body of that media type.
    pub(super) fn of(coding: Coding, media_type: Option<MediaType>) -> Self {
        Self {
            format: Format::of(coding),
            decoder: None,
            memory: None,
            members: 0,
            taken: 0,
            written: 0,
            kept: Some(Kept::default()),
            media_type,
            after: After::Decoding,
        }
    }

    /// Unpacks a compressed file.
    pub(super) fn of_file(format: Format) -> Self {
        Self {
            format: Some(format),
            kept: None,
            ..Self::of(Coding::Unknown, None)
        }
    }

    pub(super) fn read(
        &mut self,
        input: &mut Input<'_>,
        out: &mut Window,
        meter: &mut Meter,
    ) -> Event {
        match self.after {
            After::Decoding => self.decode(input, out, meter),
            After::Fact(anomaly, offset) => {
                self.after = match self.kept {
                    Some(_) => After::End,
                    None => After::Done,
                };
                Event::Fact(anomaly, offset)
            }
            After::End => {
                self.after = After::Begin;
                Event::End
            }
            After::Begin => {
                self.after = After::Raw(0);
                let mut child = Child::new(PartKind::Raw, "raw");
                child.media_type = self.media_type.take();
                Event::Begin(Box::new(child))
            }
            After::Raw(at) => self.pass_raw(at, input, out),
            After::Done => Event::Done,
        }
    }

    fn decode(&mut self, input: &mut Input<'_>, out: &mut Window, meter: &mut Meter) -> Event {
        if self.decoder.is_none() {
            if input.bytes.is_empty() {
                return Event::NeedInput;
            }
            let format = self.format;
            self.decoder = format.and_then(|format| Decoder::new(format, meter.limits()));
        }
        let Some(decoder) = &mut self.decoder else {
            return self.stop(Anomaly::MemoryBudget);
        };
        let before = input.bytes;
        let held = out.len();
        let decoded = decoder.decode(&mut input.bytes, out);
        let taken = before.len() - input.bytes.len();
        let written = out.len() - held;
        self.taken = self.taken.saturating_add(taken as u64);
        self.written = self.written.saturating_add(written as u64);
        if let (Some(kept), Some(taken)) = (&mut self.kept, before.get(..taken)) {
            kept.keep(taken);
        }
        let memory = decoder.memory_bytes(self.written);
        let held = meter.hold(&mut self.memory, memory);
        if let Err(anomaly) = held.and_then(|()| meter.decoded(written)) {
            return self.stop(anomaly);
        }
        match decoded {
            Decoded::Full => Event::Full,
            Decoded::NeedInput if input.last == Last::Open => Event::NeedInput,
            Decoded::NeedInput => self.finish(),
            Decoded::Member => self.count_member(meter.limits().members, input),
            Decoded::Over { back } => self.end(back, input),
            Decoded::Broken(anomaly) => self.fail(anomaly),
        }
    }

    /// The input ends.
    fn finish(&mut self) -> Event {
        if self.decoder.as_ref().is_some_and(Decoder::is_complete) {
            return Event::Done;
        }
        self.fail(Anomaly::BrokenCoding)
    }

    fn count_member(&mut self, most: u32, input: &Input<'_>) -> Event {
        self.members = self.members.saturating_add(1);
        if self.members > most {
            return self.stop(Anomaly::TooManyMembers);
        }
        if input.bytes.is_empty() && input.last == Last::Known {
            return Event::Done;
        }
        // Nothing to say: the next call goes on with the next member.
        Event::Idle
    }

    /// The stream is over before its input.
    fn end(&mut self, back: u64, input: &Input<'_>) -> Event {
        if back == 0 && input.bytes.is_empty() {
            if input.last == Last::Known {
                return Event::Done;
            }
            return Event::NeedInput;
        }
        let at = self.taken.saturating_sub(back);
        // Other data can pass for a short bare DEFLATE or brotli stream, so with these all that is kept is shown.
        let sure = self.format.is_some_and(Format::is_sure);
        if let (Some(kept), true) = (&mut self.kept, sure) {
            kept.forget_before(at);
        }
        self.after = After::Fact(Anomaly::TrailingData, at);
        Event::Idle
    }

    fn fail(&mut self, anomaly: Anomaly) -> Event {
        // Not one byte came out: it was never that coding.
        let anomaly = match anomaly {
            Anomaly::BrokenCoding if self.written == 0 && self.members == 0 => {
                Anomaly::CodingMismatch
            }
            anomaly => anomaly,
        };
        self.after = After::Fact(anomaly, self.taken);
        Event::Idle
    }

    /// A limit: what is left is not looked at.
    fn stop(&mut self, anomaly: Anomaly) -> Event {
        self.kept = None;
        self.decoder = None;
        self.memory = None;
        self.after = After::Fact(anomaly, self.taken);
        Event::Idle
    }

    fn pass_raw(&mut self, at: usize, input: &mut Input<'_>, out: &mut Window) -> Event {
        let kept = self.kept.as_ref().map_or(&[][..], |kept| &kept.bytes);
        let mut rest = kept.get(at..).unwrap_or_default();
        let copied = out.copy(&mut rest);
        if rest.is_empty() {
            out.copy(&mut input.bytes);
        }
        self.after = After::Raw(at.saturating_add(copied));
        if out.is_full() {
            Event::Full
        } else {
            Event::NeedInput
        }
    }
}

/// The coded bytes last taken, for the case that they turn out not to be coded.
#[derive(Debug, Default)]
struct Kept {
    bytes: Vec<u8>,
    start: u64,
}

impl Kept {
    /// Keeps the last one to two windows.
    fn keep(&mut self, taken: &[u8]) {
        self.bytes.extend_from_slice(taken);
        if self.bytes.len() > KEPT_BYTES {
            self.bytes.drain(..WINDOW_BYTES);
            self.start = self.start.saturating_add(WINDOW_BYTES as u64);
        }
    }

    fn forget_before(&mut self, offset: u64) {
        let gone = offset
            .saturating_sub(self.start)
            .min(self.bytes.len() as u64);
        self.bytes
            .drain(..usize::try_from(gone).unwrap_or(self.bytes.len()));
        self.start = self.start.saturating_add(gone);
    }
}

/// Two windows: a decoder that runs through the whole first one without noticing that the label is wrong is not known,
/// and what it decoded is inspected besides.
const KEPT_BYTES: usize = 2 * WINDOW_BYTES;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::seen::{Seen, prose, run, run_split, run_with};
    use crate::content::{Declared, Encoder, Limits};
    use crate::span::PartId;

    const CODINGS: [Coding; 4] = [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd];

    fn encoded(coding: Coding, bytes: &[u8]) -> Vec<u8> {
        let mut encoder = Encoder::new(coding).expect("known");
        let mut out = Vec::new();
        for piece in bytes.chunks(50_000) {
            encoder.push(piece, &mut out).expect("memory");
        }
        encoder.finish(&mut out).expect("memory");
        out
    }

    fn labelled(codings: &str) -> Declared {
        Declared::new().content_encoding(codings.as_bytes())
    }

    fn decoded_once(seen: &Seen, bytes: &[u8]) {
        assert_eq!(seen.paths(), ["body"]);
        assert_eq!(seen.bytes("body"), bytes);
        assert_eq!(seen.anomalies, []);
    }

    #[test]
    fn every_coding_gives_back_what_was_encoded() {
        for coding in CODINGS {
            for len in [0, 1, 5, 16 * 1024, 100_000] {
                let body = prose(len, 7);
                let coded = encoded(coding, &body);
                decoded_once(&run_split(&labelled(coding.name()), &coded), &body);
            }
        }
    }

    #[test]
    fn an_empty_body_under_a_coding_is_no_anomaly() {
        for coding in CODINGS {
            decoded_once(&run(&labelled(coding.name()), []), b"");
        }
    }

    #[test]
    fn bare_deflate_is_told_from_zlib() {
        let body = prose(70_000, 3);
        let mut bare = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::new(6));
        std::io::Write::write_all(&mut bare, &body).expect("memory");
        let coded = bare.finish().expect("memory");
        decoded_once(&run_split(&labelled("deflate"), &coded), &body);
    }

    #[test]
    fn stacked_codings_are_undone_from_the_last() {
        let body = prose(40_000, 9);
        let coded = encoded(
            Coding::Zstd,
            &encoded(Coding::Brotli, &encoded(Coding::Gzip, &body)),
        );
        decoded_once(&run_split(&labelled("gzip, br, zstd"), &coded), &body);
        let lines = Declared::new()
            .content_encoding(b"x-gzip")
            .content_encoding(b"BR, identity")
            .content_encoding(b"zstd");
        decoded_once(&run(&lines, [coded.as_slice()]), &body);
    }

    #[test]
    fn more_codings_than_the_limit_are_an_anomaly() {
        let seen = run(&labelled("gzip,gzip,gzip,gzip"), []);
        assert_eq!(seen.anomalies, [(PartId::BODY, Anomaly::TooManyCodings, 0)]);
    }

    #[test]
    fn a_wrong_label_shows_the_body_raw() {
        let body = prose(90_000, 5);
        for coding in CODINGS {
            let seen = run_split(&labelled(coding.name()), &body);
            assert_eq!(seen.bytes("body/raw"), body, "{coding:?}");
            let kind = seen.kinds();
            let known = [Anomaly::CodingMismatch, Anomaly::BrokenCoding];
            assert!(kind.len() == 1 && known.contains(&kind[0]), "{kind:?}");
            let short = run_split(&labelled(coding.name()), b"X5O!P%@AP");
            assert_eq!(short.bytes("body/raw"), b"X5O!P%@AP", "{coding:?}");
        }
    }

    #[test]
    fn another_coding_than_declared_shows_the_body_raw() {
        let body = prose(30_000, 5);
        for coding in CODINGS {
            for other in CODINGS.into_iter().filter(|other| *other != coding) {
                let coded = encoded(other, &body);
                let seen = run(&labelled(coding.name()), [coded.as_slice()]);
                assert!(seen.bytes("body/raw") == coded, "{coding:?} {other:?}");
            }
        }
    }

    #[test]
    fn an_unknown_coding_shows_the_body_as_it_is() {
        let seen = run_split(&labelled("gzip, compress"), b"plain");
        assert_eq!(seen.bytes("body"), b"plain");
        assert_eq!(seen.anomalies, [(PartId::BODY, Anomaly::UnknownCoding, 0)]);
    }

    #[test]
    fn a_coding_cut_short_shows_what_was_decoded_and_the_rest_raw() {
        let body = prose(200_000, 11);
        for coding in CODINGS {
            let coded = encoded(coding, &body);
            for cut in [1, 9, coded.len() / 2, coded.len() - 1] {
                let seen = run_split(&labelled(coding.name()), &coded[..cut]);
                assert_eq!(seen.kinds().len(), 1, "{coding:?} {cut}");
                assert!(body.starts_with(seen.bytes("body")));
                assert!(coded[..cut].ends_with(seen.bytes("body/raw")));
            }
        }
    }

    #[test]
    fn a_flipped_byte_is_an_anomaly() {
        let body = prose(100_000, 13);
        for coding in [Coding::Gzip, Coding::Deflate] {
            let mut coded = encoded(coding, &body);
            let middle = coded.len() / 2;
            coded[middle] ^= 0x20;
            let seen = run_split(&labelled(coding.name()), &coded);
            assert_eq!(seen.kinds(), [Anomaly::BrokenCoding], "{coding:?}");
        }
    }

    #[test]
    fn what_follows_a_coded_stream_is_shown_raw() {
        let body = prose(30_000, 17);
        for coding in CODINGS {
            for tail in [b"t".as_slice(), b"\x1f", b"\x1ft", b"tail of it"] {
                let mut coded = encoded(coding, &body);
                let at = coded.len() as u64;
                coded.extend_from_slice(tail);
                let seen = run_split(&labelled(coding.name()), &coded);
                assert_eq!(seen.bytes("body"), body, "{coding:?}");
                assert!(seen.bytes("body/raw").ends_with(tail), "{coding:?}");
                let cut_frame = coding == Coding::Zstd && tail.len() < 4;
                let cut_member = coding == Coding::Gzip && tail == b"\x1f";
                if !cut_frame && !cut_member {
                    let sure = matches!(coding, Coding::Gzip | Coding::Zstd);
                    assert!(!sure || seen.bytes("body/raw") == tail, "{coding:?}");
                    assert_eq!(seen.anomalies, [(PartId::BODY, Anomaly::TrailingData, at)]);
                }
            }
        }
    }

    #[test]
    fn gzip_members_and_zstd_frames_follow_each_other() {
        for coding in [Coding::Gzip, Coding::Zstd] {
            let mut coded = encoded(coding, b"one ");
            coded.extend(encoded(coding, b""));
            coded.extend(encoded(coding, b"two"));
            if coding == Coding::Gzip {
                coded.extend([0; 700]);
            } else {
                coded.extend(b"\x5a\x2a\x4d\x18\x03\0\0\0abc");
            }
            decoded_once(&run_split(&labelled(coding.name()), &coded), b"one two");
        }
    }

    #[test]
    fn members_are_limited() {
        for coding in [Coding::Gzip, Coding::Zstd] {
            let many = encoded(coding, b"").repeat(10_000);
            let seen = run(&labelled(coding.name()), [many.as_slice()]);
            assert_eq!(seen.kinds(), [Anomaly::TooManyMembers]);
        }
    }

    #[test]
    fn gzip_heads_with_all_fields_are_read() {
        let body = prose(500, 19);
        let mut coded = encoded(Coding::Gzip, &body);
        let rest = coded.split_off(10);
        coded[3] = FLAGS;
        coded.extend(b"\x03\0abcname.txt\0comment\0\x11\x22");
        coded.extend(rest);
        decoded_once(&run_split(&labelled("gzip"), &coded), &body);
        assert_eq!(file_name(&coded).as_deref(), Some("name.txt"));
    }

    /// FEXTRA, FNAME, FCOMMENT, FHCRC.
    const FLAGS: u8 = 0x1e;

    #[test]
    fn a_zstd_window_over_the_limit_is_an_anomaly() {
        let mut encoder = ::zstd::stream::raw::Encoder::new(3).expect("memory");
        encoder
            .set_parameter(::zstd::zstd_safe::CParameter::WindowLog(27))
            .expect("in range");
        let mut writer = ::zstd::stream::zio::Writer::new(Vec::new(), encoder);
        std::io::Write::write_all(&mut writer, &prose(1000, 1)).expect("memory");
        writer.finish().expect("memory");
        let coded = writer.into_inner().0;
        let seen = run_split(&labelled("zstd"), &coded);
        assert_eq!(seen.kinds(), [Anomaly::CodingWindowTooLarge]);
    }

    /// So many MiB of zeros in that coding.
    fn bomb(coding: Coding, mebibytes: usize) -> Vec<u8> {
        let mut encoder = Encoder::new(coding).expect("known");
        let mut out = Vec::new();
        let zeros = vec![0; 1 << 20];
        for _ in 0..mebibytes {
            encoder.push(&zeros, &mut out).expect("memory");
        }
        encoder.finish(&mut out).expect("memory");
        out
    }

    #[test]
    fn bombs_stop_at_the_ratio() {
        // The encoders are what takes time here.
        for (coding, mebibytes) in [
            (Coding::Brotli, 32),
            (Coding::Gzip, 32),
            (Coding::Zstd, 512),
        ] {
            let coded = bomb(coding, mebibytes);
            let seen = run(&labelled(coding.name()), [coded.as_slice()]);
            assert_eq!(seen.kinds(), [Anomaly::RatioTooHigh], "{coding:?}");
            let fair = (coded.len() as u64 * 200).max(4 << 20) + WINDOW_BYTES as u64;
            assert!(seen.bytes("body").len() as u64 <= fair, "{coding:?}");
        }
    }

    #[test]
    fn the_total_of_decoded_bytes_is_limited() {
        let body = prose(300_000, 23);
        let coded = encoded(Coding::Gzip, &body);
        let limits = Limits {
            decoded_bytes: 100_000,
            ..Limits::default()
        };
        let seen = run_with(&labelled("gzip"), limits, [coded.as_slice()]);
        assert_eq!(seen.kinds(), [Anomaly::DecodedTooLarge]);
        assert!(seen.bytes("body").len() <= 100_000 + WINDOW_BYTES);
    }

    #[test]
    fn decoders_draw_on_the_budget_and_give_it_back() {
        let budget = crate::budget::Budget::new(1 << 20);
        let body = prose(3 << 20, 29);
        for coding in CODINGS {
            let mut stack = crate::content::Stack::new(&labelled(coding.name()), Limits::default());
            stack.draw_on(&budget);
            let mut seen = Seen::default();
            stack.push(encoded(coding, &body).into());
            stack.end();
            let mut most = 0;
            while stack.step(&mut seen) != crate::content::Progress::Done {
                most = most.max(budget.used());
            }
            let large = matches!(coding, Coding::Brotli | Coding::Zstd);
            assert_eq!(
                seen.kinds().contains(&Anomaly::MemoryBudget),
                large,
                "{coding:?}"
            );
            assert!(most <= 1 << 20);
            drop(stack);
            assert_eq!(budget.used(), 0);
        }
    }
}
