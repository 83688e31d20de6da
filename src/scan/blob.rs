//! Values that are files themselves: base64 and data URIs inside JSON, XML, forms and texts.
//!
//! A value is decoded when all of it is base64, or a data URI with its escapes; what it decodes to is opened as a part of its own only when it looks like
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
    /// A value begins, at that offset of its part.
    Open(Opening, u64),
    /// Bytes of the value that is open in that part.
    Feed(PartId, Bytes),
    /// The value that is open in that part is over.
    Close(PartId),
}

/// Finds values that are files, and decodes them.
#[derive(Debug, Default)]
pub(super) struct Blobs {
    /// What to tell the stack.
    pub(super) orders: VecDeque<Order>,
    /// Values that are being decoded, at most one a part: what a long one decodes to has values of its own, which come
    /// between its pieces.
    open: Vec<(PartId, Long)>,
    clean: Vec<u8>,
    decoded: Vec<u8>,
}

#[derive(Debug)]
struct Long {
    coding: Coding,
    /// Up to three digits that wait for a fourth, or an escape that waits for its digits.
    carry: Vec<u8>,
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Base64(Alphabet),
    /// A data URI that does not say `base64` (RFC 2397).
    Percent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Alphabet {
    Standard,
    UrlSafe,
}

impl Blobs {
    /// Forgets what was found; keeps a little memory.
    pub(super) fn clear(&mut self) {
        self.orders.clear();
        self.open.clear();
        self.clean.clear();
        self.clean.shrink_to(KEPT_BYTES);
        self.decoded.clear();
        self.decoded.shrink_to(KEPT_BYTES);
    }

    /// Looks at one value.
    #[inline]
    pub(super) fn leaf(&mut self, leaf: &Leaf<'_>, parent: PartId) {
        if leaf.bytes.len() < SHORTEST && leaf.piece == Piece::Whole && self.open.is_empty() {
            return;
        }
        self.look(leaf, parent);
    }

    fn look(&mut self, leaf: &Leaf<'_>, parent: PartId) {
        match leaf.piece {
            Piece::Whole => {
                self.begin(leaf.bytes, leaf, parent);
                self.end(parent);
            }
            Piece::Window { overlap: 0, last } => {
                self.begin(leaf.bytes, leaf, parent);
                if last {
                    self.end(parent);
                }
            }
            Piece::Window { overlap, last } => {
                self.go_on(leaf.bytes.get(overlap..).unwrap_or_default(), parent);
                if last {
                    self.end(parent);
                }
            }
        }
    }

    fn begin(&mut self, bytes: &[u8], leaf: &Leaf<'_>, parent: PartId) {
        // A value that never ended, since its document was cut short.
        self.end(parent);
        if bytes.len() < SHORTEST {
            return;
        }
        let uri = data_uri(bytes);
        let (media_type, digits) = match &uri {
            Some(uri) => (uri.media_type.clone(), uri.content),
            None => (None, bytes),
        };
        let coding = match uri.as_ref().map(|uri| uri.coding) {
            Some(UriCoding::Percent) => Coding::Percent,
            Some(UriCoding::Base64) | None => match alphabet_of(digits) {
                Some(alphabet) => Coding::Base64(alphabet),
                None => return,
            },
        };
        let mut long = Long {
            coding,
            carry: Vec::new(),
        };
        if !long.decode(digits, &mut self.clean, &mut self.decoded) {
            return;
        }
        let worth = media_type.is_some() || worth_a_look(&self.decoded);
        if !worth {
            return;
        }
        let decoded = Bytes::copy_from_slice(&self.decoded);
        let opening = Opening {
            parent,
            label: leaf.path.shown(),
            media_type,
        };
        self.orders.push_back(Order::Open(opening, leaf.span.start));
        self.orders.push_back(Order::Feed(parent, decoded));
        self.open.push((parent, long));
    }

    fn go_on(&mut self, bytes: &[u8], parent: PartId) {
        let mut open = self.open.iter_mut();
        let Some((_, long)) = open.find(|(part, _)| *part == parent) else {
            return;
        };
        // A value that stops being base64 half way ends there; what follows is no file.
        match long.decode(bytes, &mut self.clean, &mut self.decoded) {
            true => {
                let decoded = Bytes::copy_from_slice(&self.decoded);
                self.orders.push_back(Order::Feed(parent, decoded));
            }
            false => self.end(parent),
        }
    }

    fn end(&mut self, parent: PartId) {
        let place = self.open.iter().position(|(part, _)| *part == parent);
        let Some((_, mut long)) = place.map(|place| self.open.swap_remove(place)) else {
            return;
        };
        let rest = std::mem::take(&mut long.carry);
        let decoded = match long.coding {
            Coding::Base64(alphabet) => alphabet.engine().decode(rest).ok(),
            Coding::Percent => Some(rest),
        };
        if let Some(decoded) = decoded.filter(|decoded| !decoded.is_empty()) {
            self.orders.push_back(Order::Feed(parent, decoded.into()));
        }
        self.orders.push_back(Order::Close(parent));
    }
}

impl Alphabet {
    fn engine(self) -> &'static GeneralPurpose {
        match self {
            Alphabet::Standard => &STANDARD,
            Alphabet::UrlSafe => &URL_SAFE,
        }
    }
}

impl Long {
    /// Decodes what is whole into `out` and keeps the rest. False when a byte is no digit.
    fn decode(&mut self, digits: &[u8], clean: &mut Vec<u8>, out: &mut Vec<u8>) -> bool {
        out.clear();
        clean.clear();
        let Coding::Base64(alphabet) = self.coding else {
            clean.append(&mut self.carry);
            clean.extend_from_slice(digits);
            self.unescape(clean, out);
            return true;
        };
        // To its end: most have none, and the eight or sixteen bytes of a step cost what one does.
        let spaced = digits
            .iter()
            .fold(false, |any, byte| any | byte.is_ascii_whitespace());
        let digits = match spaced || !self.carry.is_empty() {
            true => {
                clean.append(&mut self.carry);
                clean.extend(digits.iter().filter(|byte| !byte.is_ascii_whitespace()));
                clean
            }
            false => digits,
        };
        let padding = digits
            .iter()
            .rev()
            .take_while(|byte| **byte == b'=')
            .count();
        let whole = match padding {
            0 => digits.len() / 4 * 4,
            _ => digits.len(),
        };
        let Some((now, later)) = digits.split_at_checked(whole) else {
            return false;
        };
        if alphabet.engine().decode_vec(now, out).is_err() {
            return false;
        }
        self.carry.extend_from_slice(later);
        true
    }

    /// Percent escapes, as far as they are whole; what only looks like one stays.
    fn unescape(&mut self, text: &[u8], out: &mut Vec<u8>) {
        let last = text.len().saturating_sub(2);
        let cut = memchr::memrchr(b'%', text).filter(|at| *at >= last);
        let (now, later) = text.split_at(cut.unwrap_or(text.len()));
        self.carry.extend_from_slice(later);
        out.extend(percent_encoding::percent_decode(now));
    }
}

/// A data URI, taken apart.
struct DataUri<'a> {
    media_type: Option<MediaType>,
    coding: UriCoding,
    content: &'a [u8],
}

/// How a data URI is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UriCoding {
    Base64,
    Percent,
}

/// Splits `data:image/png;base64,iVBO…` (RFC 2397); `None` when it is no data URI.
fn data_uri(bytes: &[u8]) -> Option<DataUri<'_>> {
    let start = bytes.trim_ascii_start();
    let scheme = start.get(..5)?;
    if !scheme.eq_ignore_ascii_case(b"data:") {
        return None;
    }
    let head = start.get(5..start.len().min(5 + DATA_URI_HEAD_BYTES))?;
    let comma = head.iter().position(|byte| *byte == b',')?;
    let head = head.get(..comma)?;
    let content = start.get(5 + comma + 1..)?;
    let split = head
        .len()
        .checked_sub(b";base64".len())
        .and_then(|at| head.split_at_checked(at))
        .filter(|(_, coding)| coding.eq_ignore_ascii_case(b";base64"));
    let (media_type, coding) = match split {
        Some((media_type, _)) => (media_type, UriCoding::Base64),
        None => (head, UriCoding::Percent),
    };
    // A sentence that begins like one is none: a type is there, or nothing is.
    if coding == UriCoding::Percent && !media_type.is_empty() && !media_type.contains(&b'/') {
        return None;
    }
    Some(DataUri {
        media_type: MediaType::parse(media_type),
        coding,
        content,
    })
}

/// Which base64 alphabet `digits` are of; `None` when a byte is of neither. The last bytes are not judged: less than a
/// group of four is decoded at the end only.
fn alphabet_of(digits: &[u8]) -> Option<Alphabet> {
    let sorts = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(0, |all, byte| all | SORTS[usize::from(*byte)])
    };
    let (judged, last) = digits.split_at(digits.len().saturating_sub(LONGEST_CARRY));
    let mut seen = 0;
    for chunk in judged.chunks(JUDGED_BYTES) {
        seen |= sorts(chunk);
        // Most values end here, being text.
        if seen & STRANGE != 0 {
            return None;
        }
    }
    Some(match (seen | sorts(last)) & URL_SAFE_DIGIT {
        0 => Alphabet::Standard,
        _ => Alphabet::UrlSafe,
    })
}

/// What tells the alphabets and other texts apart.
static SORTS: [u8; 256] = {
    let mut table = [STRANGE; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'-' | b'_' => URL_SAFE_DIGIT,
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' | b'=' => 0,
            // A form feed is white space to most decoders.
            b' ' | b'\t' | b'\r' | b'\n' | 0x0c => 0,
            _ => STRANGE,
        };
        byte += 1;
    }
    table
};
const STRANGE: u8 = 1;
const URL_SAFE_DIGIT: u8 = 2;
/// Bytes that are judged at once.
const JUDGED_BYTES: usize = 64;

/// True for decoded bytes that look like a file or a text, in UTF-16 too where it says so.
fn worth_a_look(decoded: &[u8]) -> bool {
    let marked = decoded.starts_with(b"\xff\xfe") || decoded.starts_with(b"\xfe\xff");
    marked
        || !matches!(
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

/// What a buffer keeps from message to message.
const KEPT_BYTES: usize = 64 << 10;

/// Digits that wait for a fourth.
const LONGEST_CARRY: usize = 3;

/// A data URI's media type and parameters are no longer than this.
const DATA_URI_HEAD_BYTES: usize = 256;
