//! The `Encapsulated` header (RFC 3507 §4.4.1): which sections follow the ICAP head, and where each begins.
//!
//! The only constructor is a parser that refuses every illegal list, because one wrong byte of framing moves a body
//! into the request stream.

use std::fmt;

use bytes::BytesMut;
use nom::bytes::complete::tag;
use nom::sequence::separated_pair;
use nom::{IResult, Parser};

use super::request::Method;
use crate::wire::grammar::{digits, spaces, token};

/// The sections of one message. Offsets are in order, the first is 0, there is exactly one body item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encapsulated {
    request_head: Option<u32>,
    response_head: Option<u32>,
    body: BodySection,
}

/// What follows the encapsulated heads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodySection {
    /// There is no `Encapsulated` header, hence no body (errata e1).
    Absent,
    /// `null-body`
    Null,
    /// `req-body`
    Request,
    /// `res-body`
    Response,
    /// `opt-body`
    Options,
}

/// Why an `Encapsulated` value is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncapsulatedError {
    /// Longer than the limit.
    #[error("Encapsulated is longer than {limit} bytes")]
    TooLong {
        /// The limit.
        limit: usize,
    },
    /// Not a list of `name=offset`.
    #[error("Encapsulated is not a list of name=offset at byte {at}")]
    Malformed {
        /// Offset in the value.
        at: usize,
    },
    /// A section name that RFC 3507 does not know.
    #[error("Encapsulated item {item} has an unknown name")]
    UnknownSection {
        /// Which item, from 0.
        item: usize,
    },
    /// A section that the method does not have, that stands twice, or in the wrong place.
    #[error("Encapsulated item {item} does not belong there")]
    MisplacedSection {
        /// Which item, from 0.
        item: usize,
    },
    /// The first offset is not 0.
    #[error("Encapsulated begins at offset {offset} instead of 0")]
    FirstNotZero {
        /// The offset.
        offset: u64,
    },
    /// An offset that is not above the one before.
    #[error("Encapsulated item {item} does not lie behind the one before it")]
    NotIncreasing {
        /// Which item, from 0.
        item: usize,
    },
    /// An offset over the limit for heads.
    #[error("Encapsulated item {item} lies behind more than {limit} bytes of heads")]
    OffsetTooLarge {
        /// Which item, from 0.
        item: usize,
        /// The limit.
        limit: usize,
    },
    /// The last item is not a body item.
    #[error("Encapsulated names no body")]
    NoBody,
}

impl Encapsulated {
    /// No header at all: no heads, no body (errata e1).
    pub const ABSENT: Encapsulated = Encapsulated {
        request_head: None,
        response_head: None,
        body: BodySection::Absent,
    };

    /// Parses the value of the header in a request of `method`. A head longer than `head_limit` bytes is refused.
    ///
    /// # Errors
    /// An [`EncapsulatedError`] for every list that RFC 3507 §4.4.1 with errata e4 does not allow.
    pub fn parse(
        method: Method,
        value: &[u8],
        head_limit: usize,
    ) -> Result<Self, EncapsulatedError> {
        let mut list = Builder {
            head_limit,
            ..Builder::default()
        };
        let mut rest = value;
        loop {
            let malformed = EncapsulatedError::Malformed {
                at: value.len() - rest.len(),
            };
            let (after, (name, offset)) = item(rest).map_err(|_| malformed)?;
            list.add(method, name, offset)?;
            match after {
                [] => return list.finish(),
                [b',', more @ ..] => rest = more,
                _ => {
                    return Err(EncapsulatedError::Malformed {
                        at: value.len() - after.len(),
                    });
                }
            }
        }
    }

    /// The body item.
    pub fn body(&self) -> BodySection {
        self.body
    }

    /// True when a chunked body follows.
    pub fn has_body(&self) -> bool {
        match self.body {
            BodySection::Absent | BodySection::Null => false,
            BodySection::Request | BodySection::Response | BodySection::Options => true,
        }
    }

    /// Length of the encapsulated HTTP request head, when there is one.
    pub fn request_head_len(&self) -> Option<usize> {
        self.request_head.map(|len| len as usize)
    }

    /// Length of the encapsulated HTTP response head, when there is one.
    pub fn response_head_len(&self) -> Option<usize> {
        self.response_head.map(|len| len as usize)
    }

    /// The list for a message that we send: heads of these lengths, then `body`.
    pub(super) fn of_lengths(
        request_head: Option<u32>,
        response_head: Option<u32>,
        body: BodySection,
    ) -> Self {
        Self {
            request_head,
            response_head,
            body,
        }
    }
}

impl Encapsulated {
    /// Appends the value of the header, offsets computed from the lengths.
    pub fn write_to(&self, out: &mut BytesMut) {
        let mut offset = 0u32;
        for (name, len) in [
            ("req-hdr=", self.request_head),
            ("res-hdr=", self.response_head),
        ] {
            if let Some(len) = len {
                out.extend_from_slice(name.as_bytes());
                write_decimal(out, offset);
                out.extend_from_slice(b", ");
                offset = offset.saturating_add(len);
            }
        }
        let name: &[u8] = match self.body {
            BodySection::Absent => return,
            BodySection::Null => b"null-body=",
            BodySection::Request => b"req-body=",
            BodySection::Response => b"res-body=",
            BodySection::Options => b"opt-body=",
        };
        out.extend_from_slice(name);
        write_decimal(out, offset);
    }
}

/// The value of the header.
impl fmt::Display for Encapsulated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut value = BytesMut::new();
        self.write_to(&mut value);
        f.write_str(&String::from_utf8_lossy(&value))
    }
}

/// Digits without the formatting machinery: an answer is written for every transaction.
fn write_decimal(out: &mut BytesMut, number: u32) {
    let mut divisor = 1u32;
    while number / divisor >= 10 {
        divisor *= 10;
    }
    while divisor > 0 {
        let digit = u8::try_from(number / divisor % 10).unwrap_or_default();
        out.extend_from_slice(&[b'0' + digit]);
        divisor /= 10;
    }
}

/// `*SP name=offset *SP`
fn item(input: &[u8]) -> IResult<&[u8], (&[u8], u64)> {
    let (input, _) = spaces(input)?;
    let (input, pair) = separated_pair(token, tag("="), digits).parse(input)?;
    let (input, _) = spaces(input)?;
    Ok((input, pair))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Item {
    RequestHead,
    ResponseHead,
    Body(BodySection),
}

/// The list as far as it is read.
#[derive(Default)]
struct Builder {
    head_limit: usize,
    items: usize,
    last: Option<(Item, u32)>,
    request_head: Option<u32>,
    response_head: Option<u32>,
}

impl Builder {
    #[inline]
    fn add(&mut self, method: Method, name: &[u8], offset: u64) -> Result<(), EncapsulatedError> {
        let item = self.items;
        self.items += 1;
        let section = section(name).ok_or(EncapsulatedError::UnknownSection { item })?;
        if !belongs(method, section) {
            return Err(EncapsulatedError::MisplacedSection { item });
        }
        // Each head has the limit for itself: a short first one does not lend its share to the second.
        let before = self.last.map_or(0, |(_, at)| at as usize);
        let limit = before.saturating_add(self.head_limit);
        let offset = u32::try_from(offset)
            .ok()
            .filter(|offset| *offset as usize <= limit)
            .ok_or(EncapsulatedError::OffsetTooLarge { item, limit })?;
        match self.last {
            None if offset != 0 => {
                return Err(EncapsulatedError::FirstNotZero {
                    offset: offset.into(),
                });
            }
            None => {}
            Some((before, at)) => self.close(before, section, offset, at)?,
        }
        self.last = Some((section, offset));
        Ok(())
    }

    /// Ends the section `before`, which began at `at`, where `section` begins.
    fn close(
        &mut self,
        before: Item,
        section: Item,
        offset: u32,
        at: u32,
    ) -> Result<(), EncapsulatedError> {
        let item = self.items - 1;
        let in_order = match (before, section) {
            (Item::RequestHead, Item::ResponseHead | Item::Body(_)) => true,
            (Item::ResponseHead, Item::Body(_)) => true,
            (Item::RequestHead | Item::ResponseHead, _) | (Item::Body(_), _) => false,
        };
        if !in_order {
            return Err(EncapsulatedError::MisplacedSection { item });
        }
        let len = offset
            .checked_sub(at)
            .filter(|len| *len > 0)
            .ok_or(EncapsulatedError::NotIncreasing { item })?;
        match before {
            Item::RequestHead => self.request_head = Some(len),
            Item::ResponseHead => self.response_head = Some(len),
            Item::Body(_) => {}
        }
        Ok(())
    }

    fn finish(self) -> Result<Encapsulated, EncapsulatedError> {
        match self.last {
            Some((Item::Body(body), _)) => Ok(Encapsulated {
                request_head: self.request_head,
                response_head: self.response_head,
                body,
            }),
            _ => Err(EncapsulatedError::NoBody),
        }
    }
}

fn section(name: &[u8]) -> Option<Item> {
    const NAMES: [(&str, Item); 6] = [
        ("req-hdr", Item::RequestHead),
        ("res-hdr", Item::ResponseHead),
        ("null-body", Item::Body(BodySection::Null)),
        ("req-body", Item::Body(BodySection::Request)),
        ("res-body", Item::Body(BodySection::Response)),
        ("opt-body", Item::Body(BodySection::Options)),
    ];
    NAMES
        .iter()
        .find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes()))
        .map(|(_, item)| *item)
}

/// RFC 3507 §4.4.1, the grammar of the three request forms; errata e4 makes the heads optional.
fn belongs(method: Method, item: Item) -> bool {
    match (method, item) {
        (_, Item::Body(BodySection::Null)) => true,
        (Method::Reqmod, Item::RequestHead | Item::Body(BodySection::Request)) => true,
        (
            Method::Respmod,
            Item::RequestHead | Item::ResponseHead | Item::Body(BodySection::Response),
        ) => true,
        (Method::Options, Item::Body(BodySection::Options)) => true,
        (Method::Options | Method::Reqmod | Method::Respmod, _) => false,
    }
}
