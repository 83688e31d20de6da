//! Text in another dress (base64, quoted-printable): undone, read, and its edits put on in the same dress.
//!
//! ```text
//!   raw ─► Dress ─► decoded ─► inner Format ─► edits of the decoded text
//!            └► OffsetMap ────────────────────────┴─► edits of the raw stream ─► the editor's plan
//! ```
//!
//! - `base64` — an edit moves everything behind it by bits: from the group of the first edit on the part is written anew
//! - `quoted` — an edit is written where it lies; line breaks that keep lines short are added around it
//! - `lines` — where the raw lines begin

mod base64;
mod lines;
mod quoted;

use super::editor::Editor;
use super::format::Format;
use super::plan::Plan;
use crate::anomaly::Anomaly;
use crate::inspect::leaf::OffsetMap;
use crate::inspect::{Findings, PartId};
use crate::span::Span;

use self::base64::Base64;
use self::lines::Lines;
use self::quoted::Quoted;

/// A part in a transfer encoding, from its first raw byte on.
#[derive(Debug)]
pub(super) struct Recoded {
    dress: Dress,
    inner: Box<Format>,
    /// Edits of the decoded text.
    plan: Plan,
    text: Text,
    lines: Lines,
    /// Offset of the next raw byte.
    at: u64,
    /// Raw offset before which no edit will be planned any more.
    settled: u64,
    /// What [`Editor::windowed`] is to the decoded text.
    windowed: u64,
    told: bool,
}

/// How the text is dressed.
#[derive(Debug)]
enum Dress {
    Base64(Box<Base64>),
    Quoted(Quoted),
}

/// Decoded bytes of one call, and where all that have not settled came from.
#[derive(Debug)]
struct Text {
    bytes: Vec<u8>,
    /// Decoded offset of the first of `bytes`.
    at: u64,
    map: OffsetMap,
    /// Decoded offset that is 0 in `map`.
    base: u64,
}

impl Text {
    /// Appends what `raw` stands for.
    fn unit(&mut self, decoded: &[u8], raw: Span) {
        let raw_len = usize::try_from(raw.len()).unwrap_or(usize::MAX);
        let at = self.relative(self.at + self.bytes.len() as u64);
        self.map.push_unit(at, decoded.len(), raw.start, raw_len);
        self.bytes.extend_from_slice(decoded);
    }

    /// The raw bytes of decoded bytes, whole units only.
    fn raw(&self, span: Span) -> Span {
        self.map
            .raw(self.relative(span.start), self.relative(span.end))
    }

    /// The largest decoded offset, at most `at`, at which a unit begins.
    fn floor(&self, at: u64) -> u64 {
        self.base + self.map.floor(self.relative(at)) as u64
    }

    /// Raw offset at which the unit of decoded offset `at` begins.
    fn place(&self, at: u64) -> u64 {
        self.raw(Span::new(at, at)).start
    }

    /// Forgets where the bytes before `settled` came from.
    fn forget(&mut self, settled: u64) {
        // Dropping walks over the map: not for a few bytes, or tiny pieces would make it quadratic.
        let all = settled == self.at;
        if all || settled.saturating_sub(self.base) >= FORGET_BYTES {
            let floor = self.floor(settled);
            self.map.drop_front(self.relative(floor));
            self.base = floor;
        }
    }

    fn relative(&self, at: u64) -> usize {
        usize::try_from(at.saturating_sub(self.base)).unwrap_or(usize::MAX)
    }
}

impl Recoded {
    /// A base64 part whose first raw byte has offset `base` and whose head ends its lines with `line_break`; `inner`
    /// reads the decoded text, from offset 0.
    pub(super) fn base64(inner: Format, base: u64, line_break: &'static [u8]) -> Self {
        let dress = Dress::Base64(Box::new(Base64::new(line_break)));
        Self::new(dress, inner, base, line_break)
    }

    /// A quoted-printable part, likewise.
    pub(super) fn quoted(inner: Format, base: u64, line_break: &'static [u8]) -> Self {
        Self::new(
            Dress::Quoted(Quoted::new(line_break)),
            inner,
            base,
            line_break,
        )
    }

    fn new(dress: Dress, inner: Format, base: u64, line_break: &'static [u8]) -> Self {
        Self {
            dress,
            inner: Box::new(inner),
            plan: Plan::default(),
            text: Text {
                bytes: Vec::new(),
                at: 0,
                map: OffsetMap::verbatim(base),
                base: 0,
            },
            lines: Lines::new(base, line_break.len() as u64),
            at: base,
            settled: base,
            windowed: 0,
            told: false,
        }
    }

    pub(super) fn push(&mut self, input: &[u8], editor: &mut Editor, findings: &mut Findings) {
        let fine = match &mut self.dress {
            Dress::Base64(base64) => base64.decode(input, self.at, &mut self.text),
            Dress::Quoted(quoted) => quoted.decode(input, self.at, &mut self.text),
        };
        self.lines.read(input, self.at);
        if !fine && !std::mem::replace(&mut self.told, true) {
            findings.anomaly(Anomaly::BrokenEncoding, PartId::BODY, self.at);
        }
        self.at += input.len() as u64;
        self.read(End::Open, editor, findings);
    }

    pub(super) fn finish(&mut self, editor: &mut Editor, findings: &mut Findings) {
        match &mut self.dress {
            Dress::Base64(base64) => base64.end(&mut self.text),
            Dress::Quoted(_) => {}
        }
        self.read(End::Reached, editor, findings);
    }

    /// Offset before which no edit will be planned any more.
    pub(super) fn settled(&self) -> u64 {
        self.settled
    }

    /// True when all of it is masked.
    pub(super) fn is_veil(&self) -> bool {
        self.inner.is_veil()
    }

    /// Lets the inner reader see the decoded bytes, and writes the edits that it asks for.
    fn read(&mut self, end: End, editor: &mut Editor, findings: &mut Findings) {
        let notes = editor.summary.notes.len();
        // Offsets of the decoded text are no places in the body.
        let veiled = editor.veiled.len();
        std::mem::swap(&mut editor.plan, &mut self.plan);
        std::mem::swap(&mut editor.windowed, &mut self.windowed);
        self.inner.push(&self.text.bytes, editor, findings);
        self.text.at += self.text.bytes.len() as u64;
        let settled = match end {
            End::Open => self.inner.settled(editor),
            End::Reached => {
                self.inner.finish(editor, findings);
                self.text.at
            }
        };
        std::mem::swap(&mut editor.plan, &mut self.plan);
        std::mem::swap(&mut editor.windowed, &mut self.windowed);
        editor.veiled.truncate(veiled);
        for note in editor.summary.notes.iter_mut().skip(notes) {
            note.span = self.text.raw(note.span);
        }
        let settled = self.text.floor(settled);
        self.write(settled, end, editor);
        self.text.bytes.clear();
        self.text.forget(settled);
        self.lines.forget(self.settled);
    }

    /// Plans the raw edits of what has settled.
    fn write(&mut self, settled: u64, end: End, editor: &mut Editor) {
        let Self {
            dress,
            plan,
            text,
            lines,
            ..
        } = self;
        self.settled = match dress {
            Dress::Quoted(quoted) => {
                quoted.write(plan, text, lines, &mut editor.plan);
                text.place(settled)
            }
            Dress::Base64(base64) => {
                let settled = base64.recode(settled, plan, text, lines);
                base64.write(self.at, end, &mut editor.plan);
                settled
            }
        };
        if end == End::Reached {
            self.settled = self.at;
        }
    }
}

/// Whether more raw bytes may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Open,
    Reached,
}

/// Decoded bytes that settle before the map lets go of them.
const FORGET_BYTES: u64 = 4096;
