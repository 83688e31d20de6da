//! What ends at a mark of its own: comments, CDATA sections, instructions, and the content of scripts.

use super::{Inside, Markup, State};
use crate::redact::editor::Editor;

/// What a mark opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Comment,
    Cdata,
    Instruction,
}

impl Section {
    fn terminator(self) -> &'static [u8] {
        match self {
            Section::Comment => b"-->",
            Section::Cdata => b"]]>",
            Section::Instruction => b"?>",
        }
    }
}

impl Markup {
    /// After `<!`.
    pub(super) fn bang(&mut self, byte: u8) -> usize {
        self.ahead.push(byte);
        let section = [
            (b"--".as_slice(), Section::Comment),
            (b"[CDATA[", Section::Cdata),
        ];
        if let Some((_, section)) = section.iter().find(|(open, _)| *open == self.ahead) {
            self.ahead.clear();
            self.state = State::Section(*section);
            self.begin_value(self.at + 1);
            return 1;
        }
        if section
            .iter()
            .any(|(open, _)| open.starts_with(&self.ahead))
        {
            return 1;
        }
        self.ahead.clear();
        self.state = State::Declaration(0);
        0
    }

    /// Inside a comment, a CDATA section or an instruction.
    pub(super) fn section(&mut self, section: Section, rest: &[u8], editor: &mut Editor) -> usize {
        let terminator = section.terminator();
        let mark = terminator.first().copied().unwrap_or(b'>');
        if self.ahead.is_empty() {
            let length = memchr::memchr(mark, rest).unwrap_or(rest.len());
            if length > 0 {
                self.plain(rest.get(..length).unwrap_or(rest), self.at, editor);
                return length;
            }
        }
        let Some(&byte) = rest.first() else { return 0 };
        if terminator.get(self.ahead.len()) == Some(&byte) {
            self.ahead.push(byte);
            if self.ahead.len() == terminator.len() {
                self.ahead.clear();
                self.end_value(editor);
                self.state = State::Text;
            }
            return 1;
        }
        // `--->`: the first mark is content, the others may still end it.
        let start = self.at - self.ahead.len() as u64;
        let again = byte == mark && self.ahead.len() + 1 == terminator.len();
        let ahead = std::mem::take(&mut self.ahead);
        let (passed, kept) = ahead.split_at(if again { 1 } else { ahead.len() });
        self.plain(passed, start, editor);
        self.ahead = kept.to_vec();
        if again {
            self.ahead.push(byte);
            return 1;
        }
        0
    }

    /// Inside a script or a style.
    pub(super) fn element(&mut self, byte: u8, rest: &[u8], editor: &mut Editor) -> usize {
        if self.ahead.is_empty() {
            let length = memchr::memchr(b'<', rest).unwrap_or(rest.len());
            if length > 0 {
                self.begin_text();
                self.plain(rest.get(..length).unwrap_or(rest), self.at, editor);
                return length;
            }
        }
        let expected = match self.ahead.len() {
            0 => Some(b'<'),
            1 => Some(b'/'),
            seen => self.name.get(seen - 2).map(u8::to_ascii_lowercase),
        };
        if expected == Some(byte.to_ascii_lowercase()) {
            self.ahead.push(byte);
            if self.ahead.len() == self.name.len() + 2 {
                self.ahead.clear();
                self.end_value(editor);
                self.state = State::Close;
            }
            return 1;
        }
        self.begin_value_before_ahead();
        self.pass_ahead(self.at - self.ahead.len() as u64, Inside::Text, editor);
        0
    }

    fn begin_value_before_ahead(&mut self) {
        if !self.open {
            self.begin_value(self.at - self.ahead.len() as u64);
        }
    }
}
