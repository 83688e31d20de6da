//! The findings of the JSON reader: ids, classes, reasons.

use super::token::Fault;
use crate::inspect::Category;
use crate::inspect::record::Charge;

/// What a JSON document can be guilty of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    Depth,
    NumberLong,
    NumberOverflow,
    DuplicateKey,
    KeyCollision,
    KeyFlood,
    LongKey,
    LoneSurrogate,
    NulEscape,
    InvalidUtf8,
    Charset,
    PrototypeKey,
    PrototypePointer,
    Fault(Fault),
    Escape,
}

impl Rule {
    /// What the rule's findings share. All are facts, so all are sure.
    pub(super) fn charge(self) -> Charge {
        let (rule, category, reason) = self.text();
        Charge {
            rule,
            category,
            score: 100,
            reason,
        }
    }

    /// Id, class and reason.
    fn text(self) -> (&'static str, Category, &'static str) {
        use Category::{JsonAbuse, PrototypePollution};
        match self {
            Rule::Depth => (
                "json-abuse/depth",
                JsonAbuse,
                "nested deeper than the limit",
            ),
            Rule::NumberLong => (
                "json-abuse/number-length",
                JsonAbuse,
                "number with more digits than the limit",
            ),
            Rule::NumberOverflow => (
                "json-abuse/number-range",
                JsonAbuse,
                "number that overflows a double, or has an exponent that nobody means",
            ),
            Rule::DuplicateKey => (
                "json-abuse/duplicate-key",
                JsonAbuse,
                "name repeated with another value",
            ),
            Rule::KeyCollision => (
                "json-abuse/key-collision",
                JsonAbuse,
                "names equal once folded, with other values",
            ),
            Rule::KeyFlood => (
                "json-abuse/key-flood",
                JsonAbuse,
                "more members than the limit",
            ),
            Rule::LongKey => (
                "json-abuse/long-key",
                JsonAbuse,
                "name longer than the limit",
            ),
            Rule::LoneSurrogate => (
                "json-abuse/lone-surrogate",
                JsonAbuse,
                "half of a surrogate pair",
            ),
            Rule::NulEscape => ("json-abuse/nul-escape", JsonAbuse, "NUL in a string"),
            Rule::InvalidUtf8 => (
                "json-abuse/invalid-utf8",
                JsonAbuse,
                "string that is not UTF-8",
            ),
            Rule::Charset => ("json-abuse/charset", JsonAbuse, "not written in UTF-8"),
            Rule::PrototypeKey => (
                "prototype-pollution/key",
                PrototypePollution,
                "name that reaches a prototype",
            ),
            Rule::PrototypePointer => (
                "prototype-pollution/pointer",
                PrototypePollution,
                "JSON pointer that reaches a prototype",
            ),
            Rule::Escape => (
                "json-malformed/escape",
                Category::JsonMalformed,
                "escape that there is not",
            ),
            Rule::Fault(fault) => fault_text(fault),
        }
    }
}

fn fault_text(fault: Fault) -> (&'static str, Category, &'static str) {
    let (id, reason) = match fault {
        Fault::Empty => ("json-malformed/empty", "no value"),
        Fault::Trailing => ("json-malformed/trailing-data", "data after the value"),
        Fault::NextLine => (
            "json-malformed/next-document",
            "another value after the first",
        ),
        Fault::RecordSeparator => ("json-malformed/record-separator", "record separator"),
        Fault::MissingColon => (
            "json-malformed/missing-colon",
            "value where a colon must stand",
        ),
        Fault::MissingComma => (
            "json-malformed/missing-comma",
            "value where a comma must stand",
        ),
        Fault::StrayComma => (
            "json-malformed/stray-comma",
            "comma where a value must stand",
        ),
        Fault::TrailingComma => (
            "json-malformed/trailing-comma",
            "comma before a closing bracket",
        ),
        Fault::StrayColon => ("json-malformed/stray-colon", "colon where none may stand"),
        Fault::BareKey => ("json-malformed/bare-key", "name that is no string"),
        Fault::MissingValue => ("json-malformed/missing-value", "member without a value"),
        Fault::Unopened => (
            "json-malformed/unopened",
            "closing bracket that closes nothing",
        ),
        Fault::Mismatched => (
            "json-malformed/mismatched",
            "closing bracket of the other kind",
        ),
        Fault::Unclosed => ("json-malformed/unclosed", "end inside an object or array"),
        Fault::Unterminated => (
            "json-malformed/unterminated",
            "end inside a string or comment",
        ),
        Fault::ControlCharacter => (
            "json-malformed/control-character",
            "control character in a string",
        ),
        Fault::SingleQuotes => ("json-malformed/single-quotes", "string in apostrophes"),
        Fault::Comment => ("json-malformed/comment", "comment"),
        Fault::Number => ("json-malformed/number", "number that breaks the grammar"),
        Fault::Word => ("json-malformed/word", "word that is no literal"),
        Fault::Untracked => ("json-malformed/untracked", "nested too deep to be followed"),
    };
    (id, Category::JsonMalformed, reason)
}
