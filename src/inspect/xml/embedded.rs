//! Document type declarations inside text: in CDATA, in escaped text, in a JSON string. An application that parses such
//! a text later runs into it.

use super::doctype::Doctype;
use super::entity::Entities;
use super::rule;
use crate::inspect::Category;
use crate::span::Span;

/// A document type declaration, found inside a text, that would be charged were it a document's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Embedded {
    /// The rule's id.
    pub rule: &'static str,
    /// Its class.
    pub category: Category,
    /// 0 to 100.
    pub score: u8,
    /// Why.
    pub reason: &'static str,
    /// Where in the text, in decoded bytes.
    pub span: Span,
}

/// Looks for document type and entity declarations in a text; by their grammar, so that a text *about* XML is none.
pub fn embedded(text: &[u8]) -> Option<Embedded> {
    let mut worst: Option<Embedded> = None;
    let declares = |&at: &usize| text.get(at + 1) == Some(&b'!');
    let places = memchr::memchr_iter(b'<', text).filter(declares);
    for at in places.take(MOST_DECLARATIONS) {
        let rest = text.get(at + 2..).unwrap_or_default();
        let doctype = if starts(rest, b"DOCTYPE") {
            Doctype::parse(capped(rest.get(7..).unwrap_or_default()))
        } else if starts(rest, b"ENTITY") {
            Doctype::parse_subset(capped(text.get(at..).unwrap_or_default()))
        } else {
            continue;
        };
        let mut entities = Entities::default();
        entities.declare(&doctype);
        rule::doctype(&doctype, &entities, u32::MAX, |charge| {
            let better = worst
                .as_ref()
                .is_none_or(|worst| worst.score < charge.score);
            if better {
                worst = Some(Embedded {
                    rule: charge.rule,
                    category: charge.category,
                    score: charge.score,
                    reason: charge.reason,
                    span: Span::new(at as u64, (at + 2) as u64),
                });
            }
        });
        // What follows belongs to the declaration that was read.
        if worst.is_some() {
            break;
        }
    }
    worst
}

fn starts(text: &[u8], word: &[u8]) -> bool {
    text.get(..word.len())
        .is_some_and(|front| front.eq_ignore_ascii_case(word))
}

fn capped(text: &[u8]) -> &[u8] {
    text.get(..DECLARATION_BYTES).unwrap_or(text)
}

/// Places in a text where a declaration is tried; with [`DECLARATION_BYTES`] this bounds the work.
const MOST_DECLARATIONS: usize = 16;

/// Bytes of a declaration that are read.
const DECLARATION_BYTES: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations_in_text_are_found_by_grammar() {
        let rule = |text: &str| embedded(text.as_bytes()).map(|found| found.rule);
        assert_eq!(
            rule("x <!DOCTYPE doc [<!ENTITY % dtd SYSTEM \"http://10.0.0.1/\"> %dtd;]><a/>"),
            Some("xxe/parameter-entity")
        );
        assert_eq!(
            rule("<!ENTITY e SYSTEM 'file:///x'>"),
            Some("xxe/external-entity")
        );
        assert_eq!(rule("Use <!ENTITY> sparingly; SYSTEM load is high"), None);
        assert_eq!(
            rule("The <!DOCTYPE html> declaration may define an ENTITY"),
            None
        );
        assert_eq!(rule("<!DOCTYPE html SYSTEM 'about:legacy-compat'>"), None);
    }
}
