//! Document type declarations inside text: in CDATA, in escaped text, in a JSON string. An application that parses such
//! a text later runs into it.

use super::doctype::Doctype;
use super::entity::Entities;
use super::rule;
use super::token::is_blank;
use crate::inspect::Category;
use crate::inspect::record::Charge;
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

/// Looks for document type and entity declarations and for XInclude in a text; by their grammar, so that a text *about*
/// XML is none. Reading costs at most [`READ_BYTES`]; a text that wants more is charged for that.
pub fn embedded(text: &[u8]) -> Option<Embedded> {
    memchr::memchr(b'<', text)?;
    declarations(text).or_else(|| xinclude(text))
}

fn declarations(text: &[u8]) -> Option<Embedded> {
    let declares = |&at: &usize| text.get(at + 1) == Some(&b'!');
    let places = memchr::memchr_iter(b'<', text).filter(declares);
    let mut allowance = READ_BYTES;
    for at in places {
        let rest = text.get(at + 2..).unwrap_or_default();
        let declaration = if starts(rest, b"DOCTYPE") {
            rest.get(7..).unwrap_or_default()
        } else if starts(rest, b"ENTITY") {
            text.get(at..).unwrap_or_default()
        } else {
            continue;
        };
        let doctype = match starts(rest, b"DOCTYPE") {
            true => Doctype::parse(declaration),
            false => Doctype::parse_subset(declaration),
        };
        let mut worst = None;
        let mut entities = Entities::default();
        entities.declare(&doctype);
        rule::doctype(&doctype, &entities, u32::MAX, |charge| {
            keep(&mut worst, charge, at)
        });
        // What follows belongs to the declaration that was read.
        if worst.is_some() {
            return worst;
        }
        // A DOCTYPE without a subset is read as far as its identifiers; any other to the end of the text at worst.
        let cost = match doctype.subset {
            true => declaration.len(),
            false => 0,
        };
        allowance = match allowance.checked_sub(cost) {
            Some(left) => left,
            None => {
                keep(&mut worst, rule::EMBEDDED_LIMIT, at);
                return worst;
            }
        };
    }
    None
}

/// An element `include` under any prefix, in a text that names XInclude's namespace.
fn xinclude(text: &[u8]) -> Option<Embedded> {
    let mut includes = memchr::memmem::find_iter(text, b"include");
    let at = includes.find(|&at| {
        let after = text.get(at + 7);
        let tag = text.get(..at).unwrap_or_default();
        let name = tag
            .iter()
            .rev()
            .take(NAME_BYTES)
            .position(|&byte| byte == b'<' || byte == b'>' || byte <= b' ');
        let opens = name.is_some_and(|back| {
            let start = tag.len() - 1 - back;
            tag.get(start) == Some(&b'<') && (back == 0 || tag.ends_with(b":"))
        });
        opens && after.is_some_and(|&byte| is_blank(byte) || b"/>".contains(&byte))
    })?;
    let named = [b"/XInclude".as_slice(), b"/xinclude"]
        .iter()
        .any(|name| memchr::memmem::find(text, name).is_some());
    let mut found = None;
    if named || memchr::memmem::find(text, b"&#").is_some() {
        keep(&mut found, rule::XINCLUDE, at);
    }
    found
}

fn keep(worst: &mut Option<Embedded>, charge: Charge, at: usize) {
    let better = worst
        .as_ref()
        .is_none_or(|worst| worst.score < charge.score);
    if better {
        *worst = Some(Embedded {
            rule: charge.rule,
            category: charge.category,
            score: charge.score,
            reason: charge.reason,
            span: Span::new(at as u64, (at + 2) as u64),
        });
    }
}

fn starts(text: &[u8], word: &[u8]) -> bool {
    text.get(..word.len())
        .is_some_and(|front| front.eq_ignore_ascii_case(word))
}

/// Bytes of declarations that are read in one text: sixteen times the longest leaf.
const READ_BYTES: usize = 16 * 64 * 1024;

/// Bytes of a name; a longer prefix is none.
const NAME_BYTES: usize = 4096;

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
        let bait = "<!x>".repeat(100);
        let far = format!("{bait}<!ENTITY e {}SYSTEM 'file:///x'>", " ".repeat(17_000));
        assert_eq!(rule(&far), Some("xxe/external-entity"));
        let include = "<z:include xmlns:z='http://www.w3.org/2001/XInclude' href='file:///x'/>";
        assert_eq!(rule(include), Some("xxe/xinclude"));
        assert_eq!(rule("include a file <b> by XInclude"), None);
        let flood = format!("{}{}", "<!DOCTYPE a [".repeat(40), "x".repeat(60_000));
        assert_eq!(rule(&flood), Some("xxe/embedded-limit"));
    }
}
