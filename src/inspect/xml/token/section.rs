//! Comments, CDATA sections, processing instructions, document type declarations: what ends with a delimiter of its own
//! (XML 1.0 §2.5 to §2.8).

use super::{Fault, Fragment, Kind, Sink, State, Tokenizer, is_blank, starts_name};

impl Tokenizer {
    pub(super) fn comment<S: Sink + ?Sized>(
        &mut self,
        seen: u8,
        rest: &[u8],
        pos: usize,
        sink: &mut S,
    ) -> usize {
        // XML 1.0 §2.5: "--" must not occur within comments.
        let byte = rest.first().copied().unwrap_or(0);
        match (seen, byte) {
            (2.., b'>') => {
                self.close(Kind::Comment, b"", pos, sink);
                self.state = State::Text;
                return pos + 1;
            }
            (0, b'-') => {
                self.state = State::Comment(1);
                return pos + 1;
            }
            (1, b'-') => {
                self.state = State::Comment(2);
                return pos + 1;
            }
            (0, _) => {}
            (2.., b'-') => {
                sink.fault(Fault::DoubleHyphen, self.offset(pos));
                self.held(Kind::Comment, b"-", pos, 2, sink);
                return pos + 1;
            }
            (1.., _) => {
                if seen >= 2 {
                    sink.fault(Fault::DoubleHyphen, self.offset(pos));
                }
                let dashes = b"--".get(..usize::from(seen)).unwrap_or_default();
                self.held(Kind::Comment, dashes, pos, dashes.len(), sink);
                self.state = State::Comment(0);
                return pos;
            }
        }
        let len = memchr::memchr(b'-', rest).unwrap_or(rest.len());
        self.piece(
            Kind::Comment,
            rest.get(..len).unwrap_or_default(),
            pos,
            sink,
        );
        pos + len
    }

    pub(super) fn section<S: Sink + ?Sized>(
        &mut self,
        seen: u8,
        rest: &[u8],
        pos: usize,
        sink: &mut S,
    ) -> usize {
        let byte = rest.first().copied().unwrap_or(0);
        match (seen, byte) {
            (2.., b'>') => {
                self.close(Kind::Section, b"", pos, sink);
                self.state = State::Text;
                return pos + 1;
            }
            (2.., b']') => {
                self.held(Kind::Section, b"]", pos, 2, sink);
                return pos + 1;
            }
            (0 | 1, b']') => {
                self.state = State::Section(seen + 1);
                return pos + 1;
            }
            (0, _) => {}
            (1.., _) => {
                let brackets = b"]]".get(..usize::from(seen)).unwrap_or_default();
                self.held(Kind::Section, brackets, pos, brackets.len(), sink);
                self.state = State::Section(0);
                return pos;
            }
        }
        let len = memchr::memchr(b']', rest).unwrap_or(rest.len());
        self.piece(
            Kind::Section,
            rest.get(..len).unwrap_or_default(),
            pos,
            sink,
        );
        pos + len
    }

    /// Hands out bytes that might have been the delimiter and were not; they began `back` bytes before `pos`.
    pub(super) fn held<S: Sink + ?Sized>(
        &mut self,
        kind: Kind,
        raw: &[u8],
        pos: usize,
        back: usize,
        sink: &mut S,
    ) {
        let fragment = Fragment {
            raw,
            at: self.offset(pos).saturating_sub(back as u64),
            first: self.first,
            last: false,
        };
        self.first = false;
        sink.token(kind, fragment);
    }

    /// Hands out the first `seen` bytes of a delimiter that the text ended in.
    pub(super) fn unheld<S: Sink + ?Sized>(
        &mut self,
        kind: Kind,
        delimiter: &[u8],
        seen: u8,
        sink: &mut S,
    ) {
        let raw = delimiter.get(..usize::from(seen)).unwrap_or_default();
        if !raw.is_empty() {
            self.held(kind, raw, 0, raw.len(), sink);
        }
    }

    pub(super) fn target<S: Sink + ?Sized>(
        &mut self,
        rest: &[u8],
        pos: usize,
        sink: &mut S,
    ) -> usize {
        if self.first && !rest.first().copied().is_some_and(starts_name) {
            sink.fault(Fault::Target, self.offset(pos));
        }
        let end = rest.iter().position(|&byte| is_blank(byte) || byte == b'?');
        match end {
            None => {
                self.piece(Kind::Target, rest, pos, sink);
                pos + rest.len()
            }
            Some(len) => {
                self.close(Kind::Target, rest.get(..len).unwrap_or_default(), pos, sink);
                self.state = State::Instruction(false);
                pos + len
            }
        }
    }

    pub(super) fn instruction<S: Sink + ?Sized>(
        &mut self,
        question: bool,
        rest: &[u8],
        pos: usize,
        sink: &mut S,
    ) -> usize {
        let byte = rest.first().copied().unwrap_or(0);
        if question {
            if byte == b'>' {
                self.close(Kind::Instruction, b"", pos, sink);
                self.state = State::Text;
                return pos + 1;
            }
            self.held(Kind::Instruction, b"?", pos, 1, sink);
            self.state = State::Instruction(false);
            return pos;
        }
        let len = memchr::memchr(b'?', rest);
        let raw = rest.get(..len.unwrap_or(rest.len())).unwrap_or_default();
        self.piece(Kind::Instruction, raw, pos, sink);
        if len.is_none() {
            return pos + raw.len();
        }
        self.state = State::Instruction(true);
        pos + raw.len() + 1
    }

    pub(super) fn doctype<S: Sink + ?Sized>(
        &mut self,
        rest: &[u8],
        pos: usize,
        sink: &mut S,
    ) -> usize {
        match self.extent.push(rest) {
            None => {
                self.piece(Kind::Doctype, rest, pos, sink);
                pos + rest.len()
            }
            Some(len) => {
                self.close(
                    Kind::Doctype,
                    rest.get(..len).unwrap_or_default(),
                    pos,
                    sink,
                );
                self.state = State::Text;
                pos + len + 1
            }
        }
    }
}
