//! Evidence of several kinds and the score it adds up to.

use std::ops::Range;

/// What sort of sign a piece of evidence is. Evidence of *different* kinds adds up; of one kind only the heaviest
/// counts, so that repeating a word raises no score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// The value leaves the syntax it would be put into: a quote, a bracket, a tag closed.
    BreakOut,
    /// It says something in the attacked language that does harm: a tautology, a call, an event handler.
    Semantics,
    /// It is built as a sentence of the attacked language: clauses in order, balanced calls, a full tag.
    Structure,
    /// It names something worth attacking: a system table, `/etc/passwd`, a metadata address.
    Target,
    /// It hides: mixed case, comments between words, concatenation, odd encodings.
    Evasion,
    /// It ends what would follow: a comment sign, a NUL, a balanced quote.
    Terminator,
    /// It stands where an attack would stand: first, last, or all of the value.
    Position,
    /// The name of the value says that it is put to such a use.
    Hint,
}

const KINDS: usize = KIND_ORDER.len();

/// All kinds, in order of declaration.
const KIND_ORDER: [Kind; 8] = [
    Kind::BreakOut,
    Kind::Semantics,
    Kind::Structure,
    Kind::Target,
    Kind::Evasion,
    Kind::Terminator,
    Kind::Position,
    Kind::Hint,
];

impl Kind {
    /// The name that explanations show.
    pub fn name(self) -> &'static str {
        match self {
            Kind::BreakOut => "break-out",
            Kind::Semantics => "semantics",
            Kind::Structure => "structure",
            Kind::Target => "target",
            Kind::Evasion => "evasion",
            Kind::Terminator => "terminator",
            Kind::Position => "position",
            Kind::Hint => "hint",
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Note {
    weight: u8,
    name: &'static str,
}

/// What one detector found in one value.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    notes: [Note; KINDS],
    span: Option<(usize, usize)>,
    temper: Option<u8>,
    cap: Option<u8>,
}

impl Evidence {
    /// Notes a sign worth `weight` (0 to 100). Its name (`tautology`, `string-break-out`) is the rule's, when it is the
    /// heaviest of all, and appears in the finding's reason.
    pub fn note(&mut self, kind: Kind, weight: u8, name: &'static str) {
        if let Some(note) = self.notes.get_mut(kind as usize)
            && weight > note.weight
        {
            *note = Note { weight, name };
        }
    }

    /// The same, and says which bytes of the value it stands in. The finding covers all bytes so noted.
    pub fn note_at(&mut self, kind: Kind, weight: u8, name: &'static str, at: Range<usize>) {
        self.note(kind, weight, name);
        self.cover(at);
    }

    /// Says that the bytes at `at` of the value are part of it all.
    pub fn cover(&mut self, at: Range<usize>) {
        let (start, end) = self.span.unwrap_or((at.start, at.end));
        self.span = Some((start.min(at.start), end.max(at.end)));
    }

    /// Says that the value begins at `by` of another, whose bytes are meant from now on.
    pub(super) fn shift(&mut self, by: usize) {
        self.span = self.span.map(|(start, end)| (start + by, end + by));
    }

    /// Lowers the sum to `percent` of it: for signs that stand in prose, in code samples, in documentation. The lowest
    /// percentage given counts.
    pub fn temper(&mut self, percent: u8) {
        self.temper = Some(self.temper.unwrap_or(100).min(percent));
    }

    /// Lets the score be `most` at most.
    pub(super) fn cap(&mut self, most: u8) {
        self.cap = Some(most);
    }

    /// True when something of that kind was noted.
    pub fn has(&self, kind: Kind) -> bool {
        self.weight(kind) > 0
    }

    /// The weight noted for that kind.
    pub fn weight(&self, kind: Kind) -> u8 {
        self.notes.get(kind as usize).map_or(0, |note| note.weight)
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The sum over kinds, tempered, 0 to 100.
    pub fn score(&self) -> u8 {
        let sum: u32 = self.notes.iter().map(|note| u32::from(note.weight)).sum();
        let tempered = sum * u32::from(self.temper.unwrap_or(100)) / 100;
        let most = self.cap.unwrap_or(100);
        u8::try_from(tempered).map_or(most, |score| score.min(most))
    }

    /// The name of the heaviest sign: of equal ones, the first in the order of [`Kind`], semantics before all.
    pub fn strongest(&self) -> &'static str {
        let semantics = self.notes.get(Kind::Semantics as usize);
        let mut best = Note::default();
        for note in semantics.into_iter().chain(&self.notes) {
            if note.weight > best.weight {
                best = *note;
            }
        }
        best.name
    }

    /// Kind, weight and name of all signs, in the order of [`Kind`].
    pub fn signs(&self) -> impl Iterator<Item = (Kind, u8, &'static str)> {
        KIND_ORDER
            .into_iter()
            .zip(self.notes)
            .filter(|(_, note)| note.weight > 0)
            .map(|(kind, note)| (kind, note.weight, note.name))
    }

    /// The percentage that the sum is lowered to, if it is.
    pub fn tempered(&self) -> Option<u8> {
        self.temper
    }

    /// Names of all signs, in the order of [`Kind`].
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.notes
            .iter()
            .filter(|note| note.weight > 0)
            .map(|note| note.name)
    }

    /// Bytes of the value that the signs stand in, when they said so.
    pub fn span(&self) -> Option<Range<usize>> {
        self.span.map(|(start, end)| start..end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_add_up_and_repetition_does_not() {
        let mut evidence = Evidence::default();
        evidence.note(Kind::Semantics, 40, "tautology");
        evidence.note(Kind::Semantics, 30, "union");
        assert_eq!(evidence.score(), 40);
        evidence.note_at(Kind::BreakOut, 30, "string-break-out", 2..3);
        assert_eq!(evidence.score(), 70);
        assert_eq!(evidence.strongest(), "tautology");
        evidence.temper(50);
        assert_eq!(evidence.score(), 35);
        assert_eq!(
            evidence.names().collect::<Vec<_>>(),
            ["string-break-out", "tautology"]
        );
        assert_eq!(evidence.span(), Some(2..3));
    }
}
