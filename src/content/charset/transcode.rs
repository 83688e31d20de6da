//! From a charset to UTF-8, push-style.

use encoding_rs::{CoderResult, Decoder};

use super::Charset;
use super::ebcdic::Page;
use super::utf7::{self, Utf7};
use crate::anomaly::Anomaly;
use crate::content::reader::{Event, Input};
use crate::content::window::{Last, Window};

/// Turns a part's text into UTF-8. Bytes that the charset does not have become U+FFFD and are reported once.
#[derive(Debug)]
pub(in crate::content) struct Transcoder {
    text: Text,
    /// Bytes of a byte order mark still to skip.
    mark: usize,
    ready: Vec<u8>,
    passed: usize,
    broken: Broken,
    over: bool,
}

enum Text {
    Library(Box<Decoder>),
    Utf32 {
        order: Order,
        unit: [u8; 4],
        held: usize,
    },
    Utf7(Utf7),
    Ebcdic(Page),
}

/// Which byte of a unit comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// The least significant.
    Little,
    /// The most significant.
    Big,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Broken {
    No,
    At(u64),
    Told,
}

impl Transcoder {
    /// A transcoder that skips `mark` bytes of byte order mark; `None` for UTF-8, which needs none.
    pub(in crate::content) fn new(charset: Charset, mark: usize) -> Option<Self> {
        let utf32 = |order| Text::Utf32 {
            order,
            unit: [0; 4],
            held: 0,
        };
        let library = |encoding: &'static encoding_rs::Encoding| {
            Text::Library(Box::new(encoding.new_decoder_without_bom_handling()))
        };
        let text = match charset {
            Charset::Utf8 => return None,
            Charset::Utf16Le => library(encoding_rs::UTF_16LE),
            Charset::Utf16Be => library(encoding_rs::UTF_16BE),
            Charset::Utf32Le => utf32(Order::Little),
            Charset::Utf32Be => utf32(Order::Big),
            Charset::Utf7 => Text::Utf7(Utf7::default()),
            Charset::Ebcdic(page) => Text::Ebcdic(page),
            Charset::Legacy(encoding) => library(encoding),
        };
        Some(Self {
            text,
            mark,
            ready: Vec::new(),
            passed: 0,
            broken: Broken::No,
            over: false,
        })
    }

    pub(in crate::content) fn read(&mut self, input: &mut Input<'_>, out: &mut Window) -> Event {
        let mut offset = input.offset;
        loop {
            if let Broken::At(at) = self.broken {
                self.broken = Broken::Told;
                return Event::Fact(Anomaly::BrokenCharset, at);
            }
            let mut rest = self.ready.get(self.passed..).unwrap_or_default();
            self.passed += out.copy(&mut rest);
            if out.is_full() {
                return Event::Full;
            }
            self.ready.clear();
            self.passed = 0;
            if input.bytes.is_empty() && (input.last == Last::Open || self.over) {
                return Event::NeedInput;
            }
            let skip = self.mark.min(input.bytes.len());
            let piece = (input.bytes.len() - skip).min(PIECE_BYTES);
            let (now, later) = input.bytes.split_at(skip + piece);
            input.bytes = later;
            self.mark -= skip;
            let last = if later.is_empty() {
                input.last
            } else {
                Last::Open
            };
            self.over = last == Last::Known;
            let fine = self.decode(now.get(skip..).unwrap_or_default(), last);
            if !fine && self.broken == Broken::No {
                self.broken = Broken::At(offset);
            }
            offset = offset.saturating_add((skip + piece) as u64);
        }
    }

    /// Decodes a piece into `ready`. False when a byte of it was out of place.
    fn decode(&mut self, piece: &[u8], last: Last) -> bool {
        let ready = &mut self.ready;
        match &mut self.text {
            Text::Library(decoder) => by_library(decoder, piece, last, ready),
            Text::Utf7(utf7) => {
                let mut fine = true;
                for byte in piece {
                    fine &= utf7.step(*byte, ready);
                }
                fine && (last == Last::Open || utf7.is_complete())
            }
            Text::Ebcdic(page) => {
                for byte in piece {
                    utf7::push(page.char(*byte), ready);
                }
                true
            }
            Text::Utf32 { order, unit, held } => {
                let mut fine = true;
                for byte in piece {
                    if let Some(place) = unit.get_mut(*held) {
                        *place = *byte;
                    }
                    *held += 1;
                    if *held == unit.len() {
                        *held = 0;
                        fine &= utf32(*order, *unit, ready);
                    }
                }
                fine && (last == Last::Open || *held == 0)
            }
        }
    }
}

fn by_library(decoder: &mut Decoder, piece: &[u8], last: Last, ready: &mut Vec<u8>) -> bool {
    let mut rest = piece;
    let mut fine = true;
    ready.resize(READY_BYTES, 0);
    let mut at = 0;
    loop {
        let room = ready.get_mut(at..).unwrap_or_default();
        let (result, read, written, errors) =
            decoder.decode_to_utf8(rest, room, last == Last::Known);
        rest = rest.get(read..).unwrap_or_default();
        at += written;
        fine &= !errors;
        match result {
            CoderResult::InputEmpty => break,
            CoderResult::OutputFull => ready.resize(ready.len() + READY_BYTES, 0),
        }
    }
    ready.truncate(at);
    fine
}

fn utf32(order: Order, unit: [u8; 4], out: &mut Vec<u8>) -> bool {
    let code = match order {
        Order::Little => u32::from_le_bytes(unit),
        Order::Big => u32::from_be_bytes(unit),
    };
    let char = char::from_u32(code);
    utf7::push(char.unwrap_or(char::REPLACEMENT_CHARACTER), out);
    char.is_some()
}

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Text::Library(_) => "Library",
            Text::Utf32 { .. } => "Utf32",
            Text::Utf7(_) => "Utf7",
            Text::Ebcdic(_) => "Ebcdic",
        })
    }
}

/// Bytes decoded at a time: small enough that the decoded piece stays in the first cache level.
const PIECE_BYTES: usize = 4096;

/// Three bytes of UTF-8 for one of a single-byte charset is the worst ratio that encoding_rs has.
const READY_BYTES: usize = 3 * PIECE_BYTES + 16;
