//! What may be cut out of a document to make it harmless, and which findings that answers.

use super::Category;

/// A kind of cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cut {
    /// The document type declaration of an XML document, and the references to entities that hang on it.
    Doctype,
    /// A JSON member whose name reaches a prototype.
    Prototype,
    /// A JSON member whose name its object had before: the first one stays.
    Repeated,
}

impl Cut {
    /// The cut that answers findings of `rule`; `None` where no cut is well defined.
    pub fn of(rule: &str) -> Option<Self> {
        RULES
            .iter()
            .find(|(known, _, _)| *known == rule)
            .map(|(_, _, cut)| *cut)
    }

    /// The stable name for counters.
    pub fn code(self) -> &'static str {
        match self {
            Cut::Doctype => "sanitize/doctype",
            Cut::Prototype => "sanitize/prototype",
            Cut::Repeated => "sanitize/repeated-name",
        }
    }
}

/// What all [`Cut::code`]s begin with.
pub const LABELS: &str = "sanitize/";

/// Which cuts are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cuts {
    /// Document type declarations that are charged with this score or a higher one.
    pub doctype: Option<u8>,
    /// JSON members that reach a prototype.
    pub prototype: bool,
    /// JSON members that repeat a name.
    pub repeated: bool,
}

impl Cuts {
    /// True when nothing is to be cut.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// True when findings of `rule` with `score` are answered by one of these cuts.
    pub fn answer(self, rule: &str, score: u8) -> bool {
        match Cut::of(rule) {
            Some(Cut::Doctype) => self.doctype.is_some_and(|least| score >= least),
            Some(Cut::Prototype) => self.prototype,
            Some(Cut::Repeated) => self.repeated,
            None => false,
        }
    }

    /// Wants one more.
    pub fn add(&mut self, cut: Cut, threshold: u8) {
        match cut {
            Cut::Doctype => {
                self.doctype = Some(self.doctype.map_or(threshold, |known| known.min(threshold)));
            }
            Cut::Prototype => self.prototype = true,
            Cut::Repeated => self.repeated = true,
        }
    }
}

/// Rules that a cut answers, their class, and the cut. Not among them: what stands outside of the declaration (XInclude,
/// schema hints, a declaration inside character data), names that only collide, JSON pointers.
pub const RULES: &[(&str, Category, Cut)] = &[
    ("xxe/external-entity", Category::Xxe, Cut::Doctype),
    ("xxe/parameter-entity", Category::Xxe, Cut::Doctype),
    ("xxe/external-subset", Category::Xxe, Cut::Doctype),
    ("xxe/relative-subset", Category::Xxe, Cut::Doctype),
    ("xxe/foreign-doctype", Category::Xxe, Cut::Doctype),
    ("xml-bomb/long-doctype", Category::XmlBomb, Cut::Doctype),
    ("xml-bomb/entity-count", Category::XmlBomb, Cut::Doctype),
    ("xml-bomb/entity-cycle", Category::XmlBomb, Cut::Doctype),
    ("xml-bomb/entity-nesting", Category::XmlBomb, Cut::Doctype),
    ("xml-bomb/entity-growth", Category::XmlBomb, Cut::Doctype),
    (
        "prototype-pollution/key",
        Category::PrototypePollution,
        Cut::Prototype,
    ),
    (
        "json-abuse/duplicate-key",
        Category::JsonAbuse,
        Cut::Repeated,
    ),
];
