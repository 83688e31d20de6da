//! Tags: names, attributes and their values (XML 1.0 §3.1).

use super::{
    Fault, Kind, Sink, State, TagEnd, Tokenizer, blank_len, ends_name, is_blank, starts_name,
};

impl Tokenizer {
    pub(super) fn name<S: Sink + ?Sized>(
        &mut self,
        kind: Kind,
        next: State,
        (rest, pos): (&[u8], usize),
        sink: &mut S,
    ) -> usize {
        match rest.iter().position(|&byte| ends_name(byte)) {
            None => {
                self.piece(kind, rest, pos, sink);
                pos + rest.len()
            }
            Some(len) => {
                self.close(kind, rest.get(..len).unwrap_or_default(), pos, sink);
                self.state = next;
                pos + len
            }
        }
    }

    pub(super) fn tag<S: Sink + ?Sized>(
        &mut self,
        byte: u8,
        rest: &[u8],
        pos: usize,
        sink: &mut S,
    ) -> usize {
        match byte {
            b'>' => {
                self.state = State::Text;
                sink.tag_end(TagEnd::Open, self.offset(pos + 1));
                pos + 1
            }
            b'/' => {
                self.state = State::Slash;
                pos + 1
            }
            b'<' => {
                // The tag was never closed; another one begins.
                sink.fault(Fault::Tag, self.offset(pos));
                sink.tag_end(TagEnd::Open, self.offset(pos));
                self.state = State::Less;
                pos + 1
            }
            _ if is_blank(byte) => pos + blank_len(rest),
            _ if starts_name(byte) => {
                self.state = State::AttributeName;
                pos
            }
            _ => self.stray(pos, sink),
        }
    }

    pub(super) fn stray<S: Sink + ?Sized>(&mut self, pos: usize, sink: &mut S) -> usize {
        sink.fault(Fault::Tag, self.offset(pos));
        self.state = State::Stray;
        pos
    }

    pub(super) fn slash<S: Sink + ?Sized>(&mut self, byte: u8, pos: usize, sink: &mut S) -> usize {
        if byte == b'>' {
            self.state = State::Text;
            sink.tag_end(TagEnd::Empty, self.offset(pos + 1));
            return pos + 1;
        }
        sink.fault(Fault::Tag, self.offset(pos));
        self.state = State::Tag;
        pos
    }

    pub(super) fn named<S: Sink + ?Sized>(
        &mut self,
        byte: u8,
        rest: &[u8],
        pos: usize,
        sink: &mut S,
    ) -> usize {
        if byte == b'=' {
            self.state = State::Equals;
            return pos + 1;
        }
        if is_blank(byte) {
            return pos + blank_len(rest);
        }
        sink.fault(Fault::Bare, self.offset(pos));
        self.state = State::Tag;
        pos
    }

    pub(super) fn equals<S: Sink + ?Sized>(
        &mut self,
        byte: u8,
        rest: &[u8],
        pos: usize,
        sink: &mut S,
    ) -> usize {
        match byte {
            b'"' | b'\'' => {
                self.state = State::Value(byte, false);
                pos + 1
            }
            b'>' | b'<' => {
                sink.fault(Fault::Bare, self.offset(pos));
                self.state = State::Tag;
                pos
            }
            _ if is_blank(byte) => pos + blank_len(rest),
            _ => {
                sink.fault(Fault::Unquoted, self.offset(pos));
                self.state = State::Unquoted;
                pos
            }
        }
    }

    pub(super) fn value<S: Sink + ?Sized>(
        &mut self,
        (quote, less): (u8, bool),
        rest: &[u8],
        pos: usize,
        sink: &mut S,
    ) -> usize {
        let end = memchr::memchr(quote, rest);
        let raw = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        if !less && let Some(at) = memchr::memchr(b'<', raw) {
            self.piece(Kind::Value, raw.get(..at).unwrap_or_default(), pos, sink);
            sink.fault(Fault::LessInValue, self.offset(pos + at));
            self.state = State::Value(quote, true);
            return pos + at;
        }
        match end {
            None => {
                self.piece(Kind::Value, raw, pos, sink);
                pos + raw.len()
            }
            Some(len) => {
                self.close(Kind::Value, raw, pos, sink);
                self.state = State::Tag;
                pos + len + 1
            }
        }
    }

    /// A token in a tag that runs to a byte of a class.
    pub(super) fn until<S: Sink + ?Sized>(
        &mut self,
        (kind, next): (Kind, State),
        ends: fn(u8) -> bool,
        (rest, pos): (&[u8], usize),
        sink: &mut S,
    ) -> usize {
        // The byte that began it belongs to it, whatever it is.
        let skip = usize::from(self.first);
        let end = rest.iter().skip(skip).position(|&byte| ends(byte));
        match end {
            None => {
                self.piece(kind, rest, pos, sink);
                pos + rest.len()
            }
            Some(len) => {
                let len = len + skip;
                self.close(kind, rest.get(..len).unwrap_or_default(), pos, sink);
                self.state = next;
                pos + len
            }
        }
    }

    pub(super) fn end_tag<S: Sink + ?Sized>(
        &mut self,
        byte: u8,
        rest: &[u8],
        pos: usize,
        sink: &mut S,
    ) -> usize {
        match byte {
            b'>' => {
                self.state = State::Text;
                pos + 1
            }
            _ if is_blank(byte) => pos + blank_len(rest),
            b'<' => {
                sink.fault(Fault::Tag, self.offset(pos));
                self.state = State::Less;
                pos + 1
            }
            _ => {
                sink.fault(Fault::Tag, self.offset(pos));
                self.state = State::EndStray;
                pos
            }
        }
    }
}
