//! What the entities of a document would grow to, by arithmetic; nothing is expanded (XML 1.0 §4.4).

use std::borrow::Cow;
use std::collections::HashMap;

use super::doctype::{Doctype, Value};
use super::reference;

/// The general entities of one document, with what each would grow to.
#[derive(Debug, Default)]
pub(super) struct Entities {
    by_name: HashMap<Box<[u8]>, usize>,
    grown: Vec<Grown>,
}

/// What one entity would grow to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Grown {
    /// Bytes, saturating.
    pub(super) bytes: u64,
    /// Levels of entities below it.
    pub(super) depth: u32,
    /// It contains itself.
    pub(super) cyclic: bool,
}

impl Entities {
    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.by_name.clear();
        self.grown.clear();
    }

    /// Reads the declarations of a document; the first of a name is the one that holds (§4.2).
    pub(super) fn declare(&mut self, doctype: &Doctype<'_>) {
        self.clear();
        let mut texts = Vec::new();
        for entity in &doctype.entities {
            if entity.parameter || self.by_name.contains_key(entity.name) {
                continue;
            }
            self.by_name.insert(entity.name.into(), texts.len());
            texts.push(match entity.value {
                Value::Internal(text) => replacement(text),
                Value::External(_) => Cow::Borrowed(b"".as_slice()),
            });
        }
        self.grow(&texts);
    }

    /// The entity of that name.
    pub(super) fn get(&self, name: &[u8]) -> Option<Grown> {
        let index = *self.by_name.get(name)?;
        self.grown.get(index).copied()
    }

    /// The largest and deepest of them.
    pub(super) fn worst(&self) -> Grown {
        self.grown
            .iter()
            .fold(Grown::default(), |worst, grown| Grown {
                bytes: worst.bytes.max(grown.bytes),
                depth: worst.depth.max(grown.depth),
                cyclic: worst.cyclic || grown.cyclic,
            })
    }

    /// Depth-first over the references with a stack of our own; each entity is computed once, so the time is that of
    /// reading all declarations twice.
    fn grow(&mut self, texts: &[Cow<'_, [u8]>]) {
        let edges: Vec<Vec<usize>> = texts
            .iter()
            .map(|text| {
                references(text)
                    .filter_map(|name| self.by_name.get(name).copied())
                    .collect()
            })
            .collect();
        self.grown = texts
            .iter()
            .map(|text| Grown {
                bytes: text.len() as u64,
                ..Grown::default()
            })
            .collect();
        let mut marks = vec![Mark::New; texts.len()];
        let mut stack: Vec<(usize, usize)> = Vec::new();
        for root in 0..texts.len() {
            stack.push((root, 0));
            while let Some(&mut (node, ref mut next)) = stack.last_mut() {
                let mark = marks.get(node).copied().unwrap_or(Mark::Done);
                if mark == Mark::Done {
                    stack.pop();
                    continue;
                }
                set(&mut marks, node, Mark::Open);
                let child = edges.get(node).and_then(|edges| edges.get(*next)).copied();
                *next += 1;
                let Some(child) = child else {
                    set(&mut marks, node, Mark::Done);
                    stack.pop();
                    continue;
                };
                match marks.get(child).copied().unwrap_or(Mark::Done) {
                    Mark::Done => self.add(node, child),
                    Mark::Open => {
                        if let Some(grown) = self.grown.get_mut(node) {
                            grown.cyclic = true;
                        }
                    }
                    Mark::New => {
                        // Come back to this edge once the child is done.
                        *next -= 1;
                        stack.push((child, 0));
                    }
                }
            }
        }
    }

    fn add(&mut self, node: usize, child: usize) {
        let below = self.grown.get(child).copied().unwrap_or_default();
        if let Some(grown) = self.grown.get_mut(node) {
            grown.bytes = grown.bytes.saturating_add(below.bytes);
            grown.depth = grown.depth.max(below.depth.saturating_add(1));
            grown.cyclic |= below.cyclic;
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    New,
    Open,
    Done,
}

fn set(marks: &mut [Mark], node: usize, mark: Mark) {
    if let Some(place) = marks.get_mut(node) {
        *place = mark;
    }
}

/// XML 1.0 §4.5: the characters that a literal refers to stand in its replacement text, where an `&` begins a reference
/// like any other.
fn replacement(literal: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memmem::find(literal, b"&#").is_none() {
        return Cow::Borrowed(literal);
    }
    let mut text = Vec::with_capacity(literal.len());
    let mut rest = literal;
    while let Some(at) = memchr::memmem::find(rest, b"&#") {
        let (before, reference) = rest.split_at(at);
        text.extend_from_slice(before);
        let len = match reference::numeric(reference) {
            Some((char, len)) => {
                text.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                len
            }
            None => {
                text.extend_from_slice(b"&#");
                2
            }
        };
        rest = reference.get(len..).unwrap_or_default();
    }
    text.extend_from_slice(rest);
    Cow::Owned(text)
}

/// The names of the general entities that a text refers to. No name holds an `&`, so that a flood of them stays linear.
fn references(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    memchr::memchr_iter(b'&', text).filter_map(move |at| {
        let rest = text.get(at + 1..)?;
        let end = rest
            .iter()
            .position(|&byte| byte <= b' ' || b"[]<>\"';%()&".contains(&byte))?;
        let (name, end) = (rest.get(..end)?, rest.get(end)?);
        (*end == b';' && name.first() != Some(&b'#')).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worst(subset: &str) -> Grown {
        let mut entities = Entities::default();
        entities.declare(&Doctype::parse_subset(subset.as_bytes()));
        entities.worst()
    }

    #[test]
    fn growth_is_computed_and_never_performed() {
        let flat = worst("<!ENTITY a 'abc'><!ENTITY b '&lt;&#60;'>");
        assert_eq!((flat.bytes, flat.depth, flat.cyclic), (5, 0, false));
        let nested = worst("<!ENTITY b '&a;&a;x'><!ENTITY a 'abc'>");
        assert_eq!((nested.bytes, nested.depth), (7 + 6, 1));
        for amp in ["&#38;", "&#x26;", "&#00038;"] {
            let hidden = worst(&format!("<!ENTITY b '{amp}a;{amp}a;x'><!ENTITY a 'abc'>"));
            assert_eq!((hidden.bytes, hidden.depth), (7 + 6, 1), "{amp}");
        }
        let long = "n".repeat(300);
        let named = worst(&format!(
            "<!ENTITY b '&{long};&{long};x'><!ENTITY {long} 'abc'>"
        ));
        assert_eq!((named.bytes, named.depth), (2 * 302 + 1 + 6, 1));
        assert!(worst("<!ENTITY a 'x&b;'><!ENTITY b 'y&a;'>").cyclic);
        assert!(worst("<!ENTITY a '&a;'>").cyclic);
        let mut laughs = String::from("<!ENTITY e0 'lol'>");
        for level in 1..200 {
            let refs = format!("&e{};", level - 1).repeat(10);
            laughs.push_str(&format!("<!ENTITY e{level} '{refs}'>"));
        }
        let grown = worst(&laughs);
        assert_eq!(
            (grown.bytes, grown.depth, grown.cyclic),
            (u64::MAX, 199, false)
        );
    }
}
