//! Places that an operator names: a subset of JSONPath (RFC 9535), a subset of XPath, columns, fields and parts.
//!
//! | written | names |
//! |---|---|
//! | `$.user.ssn` `$['user']['ssn']` `$.items[*].pan` `$.items[0].pan` `$..pan` `$.user.*` | JSON values |
//! | `/order/card/@number` `//password` `/order/*/pan` | XML text and attributes, by local name |
//! | `csv:column` `form:name` `part:name` `query:name` `header:name` `cookie:name` | columns, fields, parts, heads |
//!
//! A selector is matched against the path of each value as it streams by; there are no filters and no look-ahead. One that
//! names an object, an array or an element names every value in it.

use crate::inspect::leaf::{Path, Root, Step};

/// One place, or a set of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    root: Root,
    steps: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Name(Box<[u8]>),
    Attribute(Box<[u8]>),
    Index(u32),
    /// `*` or `[*]`
    Any,
    /// `..` or `//`: any steps, or none.
    Descend,
}

/// Why a selector could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    /// It begins with none of the known roots.
    #[error(
        "expected a selector that begins with $, / or one of csv: form: part: query: header: cookie:"
    )]
    Root,
    /// A step is not written as this subset has it.
    #[error("expected a name, an index or * in a selector, at byte {at}")]
    Step {
        /// Offset of the step.
        at: usize,
    },
    /// More steps than are matched.
    #[error("expected at most {MOST_STEPS} steps in a selector")]
    TooLong,
}

impl Selector {
    /// Reads a selector.
    ///
    /// # Errors
    /// [`SelectorError`] says what was expected and where.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let named = NAMED.iter().find_map(|(prefix, root)| {
            let name = text.strip_prefix(prefix).filter(|name| !name.is_empty())?;
            Some(Self {
                root: *root,
                steps: vec![
                    Part::Descend,
                    match root {
                        // RFC 9110 §5.1: field names have no case.
                        Root::Header => Part::Name(name.to_ascii_lowercase().as_bytes().into()),
                        _ => Part::Name(name.as_bytes().into()),
                    },
                ],
            })
        });
        if let Some(named) = named {
            return Ok(named);
        }
        let (root, steps) = match text.as_bytes() {
            [b'$', ..] => (Root::Json, json_steps(text)?),
            [b'/', ..] => (Root::Xml, xml_steps(text)?),
            _ => return Err(SelectorError::Root),
        };
        if steps.len() > MOST_STEPS {
            return Err(SelectorError::TooLong);
        }
        Ok(Self { root, steps })
    }

    /// What kind of document or place it speaks of.
    pub fn root(&self) -> Root {
        self.root
    }

    /// True when the value at `path` is one of those named, or lies inside an object, array or element that is.
    pub fn matches(&self, path: &Path) -> bool {
        if path.root() != self.root || is_declaration(path) {
            return false;
        }
        // Bit n: the first n parts have been matched. Linear in the path, without a stack.
        let mut reached = self.past_descents(1);
        for step in path.steps() {
            let mut next = 0_u64;
            for (index, part) in self.steps.iter().enumerate() {
                if reached >> index & 1 == 0 {
                    continue;
                }
                match part {
                    Part::Descend => next |= 1 << index,
                    part if part.accepts(step) => next |= 1 << (index + 1),
                    _ => {}
                }
            }
            reached = self.past_descents(next);
            if reached == 0 {
                return false;
            }
            if self.is_whole(reached) {
                return true;
            }
        }
        self.is_whole(reached)
    }

    fn is_whole(&self, reached: u64) -> bool {
        reached >> self.steps.len() & 1 == 1
    }

    /// `Descend` may stand for no step at all.
    fn past_descents(&self, mut reached: u64) -> u64 {
        for (index, part) in self.steps.iter().enumerate() {
            if *part == Part::Descend && reached >> index & 1 == 1 {
                reached |= 1 << (index + 1);
            }
        }
        reached
    }
}

impl Part {
    fn accepts(&self, step: Step<'_>) -> bool {
        match (self, step) {
            (Part::Any, Step::Name(_) | Step::Index(_)) => true,
            (Part::Name(wanted), Step::Name(name)) => **wanted == *local(name, wanted),
            (Part::Attribute(wanted), Step::Attribute(name)) => {
                **wanted == *b"*" || **wanted == *local(name, wanted)
            }
            (Part::Index(wanted), Step::Index(index)) => *wanted == index,
            _ => false,
        }
    }
}

/// True for a namespace declaration, which is no attribute (XPath 1.0 §5.3) and no value of its element: without it the
/// names around mean something else.
fn is_declaration(path: &Path) -> bool {
    match path.steps().next_back() {
        Some(Step::Attribute(name)) => name == b"xmlns" || name.starts_with(b"xmlns:"),
        _ => false,
    }
}

/// `name` without its namespace prefix, unless the selector is written with one.
fn local<'a>(name: &'a [u8], wanted: &[u8]) -> &'a [u8] {
    if wanted.contains(&b':') {
        return name;
    }
    memchr::memrchr(b':', name).map_or(name, |colon| name.get(colon + 1..).unwrap_or(name))
}

fn json_steps(text: &str) -> Result<Vec<Part>, SelectorError> {
    let mut steps = Vec::new();
    let mut at = 1;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let wrong = SelectorError::Step { at };
        let length = if let Some(after) = rest.strip_prefix('[') {
            let close = after.find(']').ok_or(wrong)?;
            let inner = after.get(..close).ok_or(wrong)?;
            let quoted = ['\'', '"']
                .iter()
                .find_map(|quote| inner.strip_prefix(*quote)?.strip_suffix(*quote));
            steps.push(match (inner, quoted) {
                ("*", _) => Part::Any,
                (_, Some(name)) => Part::Name(name.as_bytes().into()),
                (index, None) => Part::Index(index.parse().map_err(|_| wrong)?),
            });
            close + 2
        } else {
            let dots = if rest.starts_with("..") { 2 } else { 1 };
            let after = rest
                .get(dots..)
                .filter(|_| rest.starts_with('.'))
                .ok_or(wrong)?;
            if dots == 2 {
                steps.push(Part::Descend);
            }
            let name = after.split(['.', '[']).next().unwrap_or_default();
            match name {
                "" if dots == 2 && after.starts_with('[') => {}
                "" => return Err(wrong),
                "*" => steps.push(Part::Any),
                name => steps.push(Part::Name(name.as_bytes().into())),
            }
            dots + name.len()
        };
        at += length;
    }
    Ok(steps)
}

fn xml_steps(text: &str) -> Result<Vec<Part>, SelectorError> {
    let mut steps = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let slashes = if rest.starts_with("//") { 2 } else { 1 };
        let name = rest
            .get(slashes..)
            .filter(|_| rest.starts_with('/'))
            .and_then(|after| after.split('/').next())
            .filter(|name| !name.is_empty())
            .ok_or(SelectorError::Step { at })?;
        if slashes == 2 {
            steps.push(Part::Descend);
        }
        steps.push(match name.strip_prefix('@') {
            Some(name) => Part::Attribute(name.as_bytes().into()),
            None if name == "*" => Part::Any,
            None => Part::Name(name.as_bytes().into()),
        });
        at += slashes + name.len();
    }
    Ok(steps)
}

const NAMED: &[(&str, Root)] = &[
    ("csv:", Root::Csv),
    ("form:", Root::Form),
    ("part:", Root::Multipart),
    ("query:", Root::Query),
    ("header:", Root::Header),
    ("cookie:", Root::Cookie),
    ("html:", Root::Html),
];

/// Parts of a selector: they are matched as bits of one word.
const MOST_STEPS: usize = 62;

#[cfg(test)]
mod tests {
    use super::*;

    fn json(steps: &[&str]) -> Path {
        let mut path = Path::new(Root::Json);
        for step in steps {
            match step.parse() {
                Ok(index) => path.push_index(index),
                Err(_) => path.push_name(step.as_bytes()),
            }
        }
        path
    }

    #[test]
    fn a_selector_has_no_more_steps_than_bits_of_a_word() {
        for (steps, expected) in [
            (MOST_STEPS, None),
            (MOST_STEPS + 1, Some(SelectorError::TooLong)),
        ] {
            let text = format!("${}", ".a".repeat(steps));
            assert_eq!(Selector::parse(&text).err(), expected, "{steps}");
        }
    }

    #[test]
    fn json_selectors_name_what_rfc_9535_says() {
        for (text, steps, matches) in [
            ("$.user.ssn", &["user", "ssn"][..], true),
            // What is named may be an object: all that is in it goes.
            ("$.user.ssn", &["user", "ssn", "x"], true),
            ("$.user.ssn", &["user", "ssn2"], false),
            ("$['user'][\"ssn\"]", &["user", "ssn"], true),
            ("$.items[*].pan", &["items", "3", "pan"], true),
            ("$.items[0].pan", &["items", "3", "pan"], false),
            ("$..pan", &["a", "1", "b", "pan"], true),
            ("$..pan", &["pan"], true),
            ("$..a..b", &["x", "a", "y", "b"], true),
            ("$.*", &["a"], true),
            ("$.*", &["a", "b"], true),
            ("$.*.b", &["a"], false),
        ] {
            let selector = Selector::parse(text).expect("well formed");
            assert_eq!(selector.matches(&json(steps)), matches, "{text} {steps:?}");
        }
    }

    #[test]
    fn xml_selectors_ignore_prefixes_and_know_attributes() {
        let mut path = Path::new(Root::Xml);
        path.push_name(b"soap:Envelope");
        path.push_name(b"card");
        path.push_attribute(b"number");
        for (text, matches) in [
            ("/Envelope/card/@number", true),
            ("//@number", true),
            ("//card/@*", true),
            ("/Envelope/*/@number", true),
            ("//card", true),
            ("//Body", false),
        ] {
            let selector = Selector::parse(text).expect("well formed");
            assert_eq!(selector.matches(&path), matches, "{text}");
        }
        for declaration in [&b"xmlns"[..], b"xmlns:c"] {
            path.truncate(2);
            path.push_attribute(declaration);
            for text in ["//card", "//@*", "//card/@c", "//@xmlns"] {
                let selector = Selector::parse(text).expect("well formed");
                assert!(!selector.matches(&path), "{text}");
            }
        }
    }

    #[test]
    fn what_is_not_of_the_subset_is_refused() {
        for text in [
            "",
            "user",
            "$user",
            "$.",
            "$.a[?(@.b)]",
            "$.a[",
            "/",
            "//",
            "csv:",
            "/a//",
        ] {
            assert!(Selector::parse(text).is_err(), "{text}");
        }
        let column = Selector::parse("csv:card no").expect("well formed");
        let mut path = Path::new(Root::Csv);
        path.push_index(4);
        path.push_name(b"card no");
        assert!(column.matches(&path));
    }
}
