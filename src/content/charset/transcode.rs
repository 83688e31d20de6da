//! From a charset to UTF-8, push-style.

use encoding_rs::{CoderResult, Decoder};

use super::Charset;
use super::ebcdic::Page;
use super::utf7::{self, Utf7};
use crate::anomaly::Anomaly;
use crate::content::filter::{PIECE_BYTES, Transform};
use crate::content::window::Last;

/// A text's way to UTF-8. What the charset does not have becomes U+FFFD.
pub(super) enum Text {
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

impl Text {
    /// The way from that charset; `None` for UTF-8, which needs none.
    pub(super) fn new(charset: Charset) -> Option<Self> {
        let utf32 = |order| Text::Utf32 {
            order,
            unit: [0; 4],
            held: 0,
        };
        let library = |encoding: &'static encoding_rs::Encoding| {
            Text::Library(Box::new(encoding.new_decoder_without_bom_handling()))
        };
        Some(match charset {
            Charset::Utf8 => return None,
            Charset::Utf16Le => library(encoding_rs::UTF_16LE),
            Charset::Utf16Be => library(encoding_rs::UTF_16BE),
            Charset::Utf32Le => utf32(Order::Little),
            Charset::Utf32Be => utf32(Order::Big),
            Charset::Utf7 => Text::Utf7(Utf7::default()),
            Charset::Ebcdic(page) => Text::Ebcdic(page),
            Charset::Legacy(encoding) => library(encoding),
        })
    }
}

impl Transform for Text {
    fn transform(&mut self, piece: &[u8], last: Last, out: &mut Vec<u8>) -> bool {
        match self {
            Text::Library(decoder) => by_library(decoder, piece, last, out),
            Text::Utf7(utf7) => {
                let mut fine = true;
                for byte in piece {
                    fine &= utf7.step(*byte, out);
                }
                fine && (last == Last::Open || utf7.is_complete())
            }
            Text::Ebcdic(page) => {
                for byte in piece {
                    utf7::push(page.char(*byte), out);
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
                        fine &= utf32(*order, *unit, out);
                    }
                }
                fine && (last == Last::Open || *held == 0)
            }
        }
    }

    fn anomaly(&self) -> Anomaly {
        Anomaly::BrokenCharset
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

/// Three bytes of UTF-8 for one of a single-byte charset is the worst ratio that encoding_rs has.
const READY_BYTES: usize = 3 * PIECE_BYTES + 16;
