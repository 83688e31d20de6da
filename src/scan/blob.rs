//! Values that are files themselves: base64 and data URIs inside JSON, XML and forms.
//!
//! A value is decoded when all of it is base64; what it decodes to is opened as a part of its own only when it looks like
//! something (a file by its magic number, or text): most base64-like values are ids, digests and tokens. A long value
//! is decoded window by window, so that its size costs no memory.

use std::collections::VecDeque;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;

use crate::content::{MediaType, Opening, sniff};
use crate::inspect::PartId;
use crate::inspect::leaf::{Leaf, Piece};

/// What the stack is to be told, in order.
#[derive(Debug)]
pub(super) enum Order {
    /// A value begins.
    Open(Opening),
    /// Bytes of the value opened last.
    Feed(Bytes),
    /// The value opened last is over.
    Close,
}

/// Finds values that are files, and decodes them.
#[derive(Debug, Default)]
pub(super) struct Blobs {
    /// What to tell the stack.
    pub(super) orders: VecDeque<Order>,
    /// A long value that is being decoded.
    long: Option<Long>,
    clean: Vec<u8>,
}

#[derive(Debug)]
struct Long {
    alphabet: Alphabet,
    /// Up to three digits that wait for a fourth.
    carry: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Alphabet {
    Standard,
    UrlSafe,
}

impl Blobs {
    /// Looks at one value.
    pub(super) fn leaf(&mut self, leaf: &Leaf<'_>, parent: PartId) {
        match leaf.piece {
            Piece::Whole => {
                self.begin(leaf.bytes, leaf, parent);
                self.end();
            }
            Piece::Window { overlap: 0, last } => {
                self.begin(leaf.bytes, leaf, parent);
                if last {
                    self.end();
                }
            }
            Piece::Window { overlap, last } => {
                self.go_on(leaf.bytes.get(overlap..).unwrap_or_default());
                if last {
                    self.end();
                }
            }
        }
    }

    fn begin(&mut self, bytes: &[u8], leaf: &Leaf<'_>, parent: PartId) {
        self.long = None;
        if bytes.len() < SHORTEST {
            return;
        }
        let (media_type, digits) = match data_uri(bytes) {
            Some((media_type, digits)) => (media_type, digits),
            None => (None, bytes),
        };
        let Some(alphabet) = alphabet_of(digits) else {
            return;
        };
        let mut long = Long {
            alphabet,
            carry: Vec::new(),
        };
        let Some(decoded) = long.decode(digits, &mut self.clean) else {
            return;
        };
        let worth = media_type.is_some() || worth_a_look(&decoded);
        if !worth {
            return;
        }
        self.orders.push_back(Order::Open(Opening {
            parent,
            label: leaf.path.shown(),
            media_type,
        }));
        self.orders.push_back(Order::Feed(decoded.into()));
        self.long = Some(long);
    }

    fn go_on(&mut self, bytes: &[u8]) {
        let Some(long) = &mut self.long else { return };
        // A value that stops being base64 half way ends there; what follows is no file.
        match long.decode(bytes, &mut self.clean) {
            Some(decoded) => self.orders.push_back(Order::Feed(decoded.into())),
            None => self.end(),
        }
    }

    fn end(&mut self) {
        let Some(mut long) = self.long.take() else {
            return;
        };
        let rest = std::mem::take(&mut long.carry);
        if let Ok(decoded) = long.engine().decode(rest) {
            self.orders.push_back(Order::Feed(decoded.into()));
        }
        self.orders.push_back(Order::Close);
    }
}

impl Long {
    fn engine(&self) -> &'static GeneralPurpose {
        match self.alphabet {
            Alphabet::Standard => &STANDARD,
            Alphabet::UrlSafe => &URL_SAFE,
        }
    }

    /// Decodes whole groups of four digits and keeps the rest. `None` when a byte is no digit.
    fn decode(&mut self, digits: &[u8], clean: &mut Vec<u8>) -> Option<Vec<u8>> {
        clean.clear();
        clean.append(&mut self.carry);
        clean.extend(digits.iter().filter(|byte| !byte.is_ascii_whitespace()));
        let padding = clean.iter().rev().take_while(|byte| **byte == b'=').count();
        let whole = match padding {
            0 => clean.len() / 4 * 4,
            _ => clean.len(),
        };
        let (now, later) = clean.split_at_checked(whole)?;
        let decoded = self.engine().decode(now).ok()?;
        self.carry.extend_from_slice(later);
        Some(decoded)
    }
}

/// Splits `data:image/png;base64,iVBO…`; `None` when it is no base64 data URI.
fn data_uri(bytes: &[u8]) -> Option<(Option<MediaType>, &[u8])> {
    let start = bytes.trim_ascii_start();
    let scheme = start.get(..5)?;
    if !scheme.eq_ignore_ascii_case(b"data:") {
        return None;
    }
    let head = start.get(5..start.len().min(5 + DATA_URI_HEAD_BYTES))?;
    let comma = head.iter().position(|byte| *byte == b',')?;
    let head = head.get(..comma)?;
    let at = head.len().checked_sub(b";base64".len())?;
    let (media_type, coding) = head.split_at_checked(at)?;
    if !coding.eq_ignore_ascii_case(b";base64") {
        return None;
    }
    Some((MediaType::parse(media_type), start.get(5 + comma + 1..)?))
}

/// Which base64 alphabet `digits` are of, judged by the first of them; decoding judges the rest.
fn alphabet_of(digits: &[u8]) -> Option<Alphabet> {
    let mut alphabet = Alphabet::Standard;
    for byte in digits.iter().take(PROBED) {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' | b'=' => {}
            b'-' | b'_' => alphabet = Alphabet::UrlSafe,
            byte if byte.is_ascii_whitespace() => {}
            _ => return None,
        }
    }
    if digits.iter().any(|byte| matches!(byte, b'-' | b'_')) {
        alphabet = Alphabet::UrlSafe;
    }
    Some(alphabet)
}

/// True for decoded bytes that look like a file or a text.
fn worth_a_look(decoded: &[u8]) -> bool {
    !matches!(
        sniff::sniff(decoded),
        sniff::Type::Binary | sniff::Type::Empty
    )
}

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
static STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
static URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// Shorter values hold no file and no signature worth the name.
const SHORTEST: usize = 24;

/// Bytes that the first, cheap test looks at.
const PROBED: usize = 64;

/// A data URI's media type and parameters are no longer than this.
const DATA_URI_HEAD_BYTES: usize = 256;
