//! gzip (RFC 1952): any number of members, their heads and trailers checked.

use flate2::Crc;

use super::decoder::Decoded;
use super::inflate::{Inflate, Wrap};
use crate::anomaly::Anomaly;
use crate::content::window::Window;

/// A gzip stream.
#[derive(Debug)]
pub(in crate::content) struct Gzip {
    state: State,
    crc: Crc,
}

#[derive(Debug)]
enum State {
    /// In the fixed ten bytes of a head.
    Head { at: u8, flags: u8 },
    /// In its optional fields: those still to come, and where in the present one.
    Field(Field),
    /// In the DEFLATE stream.
    Body(Box<Inflate>),
    /// In CRC-32 and length, so many bytes of them read.
    Trailer { at: u8, bytes: [u8; 8] },
    /// After a member.
    Between,
    /// After a member and the first byte of the magic number.
    Second,
    /// Nothing more is gzip.
    Over,
}

/// RFC 1952 §2.3.1: the optional fields of a head, in their order.
#[derive(Clone, Copy, Debug)]
struct Field {
    flags: u8,
    /// Bytes still to skip in the present field; `None` until it is known.
    left: Option<u16>,
    /// The low byte of FEXTRA's length.
    low: Option<u8>,
    /// Bytes of a name or comment so far.
    text: u32,
}

impl Default for Gzip {
    fn default() -> Self {
        Self {
            state: State::Head { at: 0, flags: 0 },
            crc: Crc::new(),
        }
    }
}

impl Gzip {
    pub(super) fn decode(&mut self, input: &mut &[u8], out: &mut Window) -> Decoded {
        loop {
            if let State::Body(inflate) = &mut self.state {
                let held = out.len();
                let decoded = inflate.decode(input, out);
                self.crc.update(out.bytes().get(held..).unwrap_or_default());
                if decoded != Decoded::Member {
                    return decoded;
                }
                self.state = State::Trailer {
                    at: 0,
                    bytes: [0; 8],
                };
                continue;
            }
            let Some((byte, rest)) = input.split_first() else {
                return Decoded::NeedInput;
            };
            if matches!(self.state, State::Over) {
                return Decoded::Over { back: 0 };
            }
            *input = rest;
            if let Some(decoded) = self.step(*byte) {
                return decoded;
            }
        }
    }

    pub(super) fn is_complete(&self) -> bool {
        matches!(self.state, State::Between | State::Over)
    }

    /// One byte outside the DEFLATE stream.
    fn step(&mut self, byte: u8) -> Option<Decoded> {
        let broken = Some(Decoded::Broken(Anomaly::BrokenCoding));
        match &mut self.state {
            State::Head { at, flags } => {
                let right = match *at {
                    0 => byte == MAGIC[0],
                    1 => byte == MAGIC[1],
                    // CM: 8 is DEFLATE, the only one there is.
                    2 => byte == 8,
                    // RFC 1952 §2.3.1.2: reserved bits must be zero.
                    3 => byte & 0xe0 == 0,
                    _ => true,
                };
                if !right {
                    return broken;
                }
                if *at == 3 {
                    *flags = byte;
                }
                *at += 1;
                if *at == 10 {
                    self.state = Field::first(*flags).map_or_else(body, State::Field);
                    self.crc.reset();
                }
            }
            State::Field(field) => match field.step(byte) {
                Ok(true) => self.state = field.next().map_or_else(body, State::Field),
                Ok(false) => {}
                Err(TooLong) => return broken,
            },
            State::Trailer { at, bytes } => {
                if let Some(place) = bytes.get_mut(usize::from(*at)) {
                    *place = byte;
                }
                *at += 1;
                if *at == 8 {
                    let right = *bytes == trailer(&self.crc);
                    self.state = State::Between;
                    return if right { Some(Decoded::Member) } else { broken };
                }
            }
            State::Between if byte == MAGIC[0] => self.state = State::Second,
            // Padding of tapes and blocks, which every gunzip skips.
            State::Between if byte == 0 => {}
            State::Second if byte == MAGIC[1] => self.state = State::Head { at: 2, flags: 0 },
            State::Second => {
                self.state = State::Over;
                return Some(Decoded::Over { back: 2 });
            }
            State::Between | State::Over | State::Body(_) => {
                self.state = State::Over;
                return Some(Decoded::Over { back: 1 });
            }
        }
        None
    }
}

fn body() -> State {
    State::Body(Box::new(Inflate::new(Wrap::Raw)))
}

fn trailer(crc: &Crc) -> [u8; 8] {
    let mut bytes = [0; 8];
    let (sum, len) = bytes.split_at_mut(4);
    sum.copy_from_slice(&crc.sum().to_le_bytes());
    len.copy_from_slice(&crc.amount().to_le_bytes());
    bytes
}

/// A name or comment longer than [`TEXT_BYTES`].
struct TooLong;

impl Field {
    /// The first optional field that `flags` announce.
    fn first(flags: u8) -> Option<Self> {
        (flags & (FEXTRA | FNAME | FCOMMENT | FHCRC) != 0).then_some(Self {
            flags,
            left: None,
            low: None,
            text: 0,
        })
    }

    /// One byte; true when the present field is over.
    fn step(&mut self, byte: u8) -> Result<bool, TooLong> {
        if self.flags & FEXTRA != 0 {
            match (self.left, self.low) {
                (Some(left), _) => {
                    self.left = Some(left.saturating_sub(1));
                    return Ok(left <= 1);
                }
                (None, Some(low)) => {
                    let len = u16::from_le_bytes([low, byte]);
                    self.left = Some(len);
                    return Ok(len == 0);
                }
                (None, None) => {
                    self.low = Some(byte);
                    return Ok(false);
                }
            }
        }
        if self.flags & (FNAME | FCOMMENT) != 0 {
            self.text = self.text.saturating_add(1);
            return match self.text > TEXT_BYTES {
                true => Err(TooLong),
                false => Ok(byte == 0),
            };
        }
        let left = self.left.unwrap_or(2);
        self.left = Some(left.saturating_sub(1));
        Ok(left <= 1)
    }

    /// The field after the present one.
    fn next(&self) -> Option<Self> {
        let present = [FEXTRA, FNAME, FCOMMENT, FHCRC]
            .into_iter()
            .find(|flag| self.flags & flag != 0)
            .unwrap_or(0);
        Self::first(self.flags & !present)
    }
}

/// The FNAME of a gzip file that `head` begins; `None` when it has none or it does not end within `head`.
pub(in crate::content) fn file_name(head: &[u8]) -> Option<Box<str>> {
    let flags = *head.get(3)?;
    let mut at = 10;
    if flags & FEXTRA != 0 {
        let len = u16::from_le_bytes([*head.get(at)?, *head.get(at + 1)?]);
        at += 2 + usize::from(len);
    }
    if flags & FNAME == 0 {
        return None;
    }
    let rest = head.get(at..)?;
    let end = rest.iter().take(256).position(|byte| *byte == 0)?;
    Some(String::from_utf8_lossy(rest.get(..end)?).into())
}

const MAGIC: [u8; 2] = [0x1f, 0x8b];
const FHCRC: u8 = 1 << 1;
const FEXTRA: u8 = 1 << 2;
const FNAME: u8 = 1 << 3;
const FCOMMENT: u8 = 1 << 4;

/// Longest name or comment of a head; file systems stop at 4 KiB.
const TEXT_BYTES: u32 = 64 * 1024;
