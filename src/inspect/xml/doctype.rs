//! The document type declaration: where it ends, and what its grammar says (XML 1.0 §2.8, §4.2).
//!
//! Nothing is fetched and nothing is expanded. The declaration is read as a whole, once it is complete, up to the limit
//! of its length.

use std::ops::Range;

use super::token::is_blank;

/// Finds the `>` that ends a DOCTYPE, in windows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Extent {
    place: Place,
    subset: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// Outside of everything, or between the declarations of the subset.
    #[default]
    Between,
    Quoted(u8),
    /// `<` in the subset.
    Less,
    /// `<!`
    Bang,
    /// `<!-`
    Dash,
    /// Inside a comment; closing dashes seen.
    Comment(u8),
    /// Inside a processing instruction; `?` seen.
    Instruction(bool),
    /// Inside a declaration.
    Declaration,
    DeclarationQuoted(u8),
}

impl Extent {
    /// Reads a piece; the offset of the ending `>` in it, if it is there.
    pub(super) fn push(&mut self, piece: &[u8]) -> Option<usize> {
        for (index, &byte) in piece.iter().enumerate() {
            self.place = match (self.place, byte) {
                (Place::Between, b'>') if !self.subset => return Some(index),
                (Place::Between, b'"' | b'\'') if !self.subset => Place::Quoted(byte),
                (Place::Between, b'[') => {
                    self.subset = true;
                    Place::Between
                }
                (Place::Between, b']') => {
                    self.subset = false;
                    Place::Between
                }
                (Place::Between, b'<') if self.subset => Place::Less,
                (Place::Between, _) => Place::Between,
                (Place::Quoted(quote), _) if byte == quote => Place::Between,
                (Place::Quoted(_), _) => self.place,
                (Place::Less, b'!') => Place::Bang,
                (Place::Less, b'?') => Place::Instruction(false),
                (Place::Less, b'>') => Place::Between,
                (Place::Less, _) => Place::Declaration,
                (Place::Bang, b'-') => Place::Dash,
                (Place::Dash, b'-') => Place::Comment(0),
                (Place::Bang | Place::Dash | Place::Declaration, b'>') => Place::Between,
                (Place::Declaration, b'"' | b'\'') => Place::DeclarationQuoted(byte),
                (Place::Bang | Place::Dash | Place::Declaration, _) => Place::Declaration,
                (Place::DeclarationQuoted(quote), _) if byte == quote => Place::Declaration,
                (Place::DeclarationQuoted(_), _) => self.place,
                (Place::Comment(2), b'>') => Place::Between,
                (Place::Comment(seen), b'-') => Place::Comment((seen + 1).min(2)),
                (Place::Comment(_), _) => Place::Comment(0),
                (Place::Instruction(true), b'>') => Place::Between,
                (Place::Instruction(_), _) => Place::Instruction(byte == b'?'),
            };
        }
        None
    }
}

/// An external identifier (§4.2.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ExternalId<'a> {
    /// The public identifier.
    pub(super) public: Option<&'a [u8]>,
    /// The system identifier.
    pub(super) system: Option<&'a [u8]>,
}

/// An entity declaration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entity<'a> {
    /// Its name.
    pub(super) name: &'a [u8],
    /// A parameter entity (`%`).
    pub(super) parameter: bool,
    /// Its text, or where it would be fetched from.
    pub(super) value: Value<'a>,
    /// Where in the declaration's text the value stands.
    pub(super) place: Range<usize>,
}

/// What an entity stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// Text of its own.
    Internal(&'a [u8]),
    /// A resource.
    External(ExternalId<'a>),
}

/// What a document type declaration says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Doctype<'a> {
    /// The name of the root element.
    pub(super) name: &'a [u8],
    /// The external subset.
    pub(super) external: Option<ExternalId<'a>>,
    /// Entities, in order of declaration; no more than [`MOST_ENTITIES`].
    pub(super) entities: Vec<Entity<'a>>,
    /// What attributes hold that are not written: the name of the element, the value, and where in the text it stands.
    pub(super) defaults: Vec<(&'a [u8], &'a [u8], usize)>,
    /// Declarations of entities, those that are not kept included.
    pub(super) entity_count: usize,
    /// A parameter entity is referred to between declarations.
    pub(super) parameter_use: bool,
    /// It has an internal subset.
    pub(super) subset: bool,
}

impl<'a> Doctype<'a> {
    /// Reads what stands between `<!DOCTYPE` and its `>`, as far as it can be read.
    pub(super) fn parse(text: &'a [u8]) -> Self {
        let mut cursor = Cursor { text, pos: 0 };
        let mut doctype = Doctype::default();
        cursor.skip_blanks();
        doctype.name = cursor.name();
        cursor.skip_blanks();
        doctype.external = cursor.external_id();
        cursor.skip_blanks();
        if cursor.eat(b'[') {
            doctype.subset = true;
            doctype.declarations(&mut cursor);
        }
        doctype
    }

    /// Reads declarations that stand on their own, without a DOCTYPE around them.
    pub(super) fn parse_subset(text: &'a [u8]) -> Self {
        let mut doctype = Doctype {
            subset: true,
            ..Doctype::default()
        };
        doctype.declarations(&mut Cursor { text, pos: 0 });
        doctype
    }

    fn declarations(&mut self, cursor: &mut Cursor<'a>) {
        while let Some(byte) = cursor.peek() {
            match byte {
                b']' => return,
                b'%' => {
                    cursor.pos += 1;
                    self.parameter_use |= !cursor.name().is_empty();
                }
                b'<' => self.declaration(cursor),
                _ => cursor.pos += 1,
            }
        }
    }

    /// After `<!ATTLIST`.
    fn attributes(&mut self, cursor: &mut Cursor<'a>) {
        cursor.skip_blanks();
        let element = cursor.name();
        while let Some(byte) = cursor.peek() {
            match byte {
                b'>' => return,
                b'"' | b'\'' => {
                    let start = cursor.pos + 1;
                    let value = cursor.quoted().unwrap_or_default();
                    self.defaults.push((element, value, start));
                }
                _ => cursor.pos += 1,
            }
        }
    }

    fn declaration(&mut self, cursor: &mut Cursor<'a>) {
        if cursor.eat_word(b"<!--") {
            cursor.skip_past(b"-->");
        } else if cursor.eat_word(b"<?") {
            cursor.skip_past(b"?>");
        } else if cursor.eat_word(b"<![") {
            // Conditional sections belong into external subsets; what they hold is read all the same.
            cursor.skip_to(b'[');
            cursor.eat(b'[');
        } else if cursor.eat_word(b"<!ENTITY") {
            if let Some(entity) = cursor.entity() {
                self.entity_count += 1;
                if self.entities.len() < MOST_ENTITIES {
                    self.entities.push(entity);
                }
            }
            cursor.skip_declaration();
        } else if cursor.eat_word(b"<!ATTLIST") {
            self.attributes(cursor);
        } else {
            cursor.pos += 1;
            cursor.skip_declaration();
        }
    }
}

/// Reads the text of a declaration.
struct Cursor<'a> {
    text: &'a [u8],
    pos: usize,
}

impl<'a> Cursor<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.pos).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.text.get(self.pos..).unwrap_or_default()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.pos += usize::from(there);
        there
    }

    /// Keywords are taken in any case: a reader that is laxer than XML allows must not see more than this one.
    fn eat_word(&mut self, word: &[u8]) -> bool {
        let there = self
            .rest()
            .get(..word.len())
            .is_some_and(|front| front.eq_ignore_ascii_case(word));
        if there {
            self.pos += word.len();
        }
        there
    }

    fn skip_blanks(&mut self) {
        while self.peek().is_some_and(is_blank) {
            self.pos += 1;
        }
    }

    fn skip_to(&mut self, byte: u8) {
        let rest = self.rest();
        self.pos += memchr::memchr(byte, rest).unwrap_or(rest.len());
    }

    fn skip_past(&mut self, end: &[u8]) {
        let rest = self.rest();
        self.pos += memchr::memmem::find(rest, end).map_or(rest.len(), |at| at + end.len());
    }

    /// To behind the `>` of a declaration; quoted ones do not count.
    fn skip_declaration(&mut self) {
        while let Some(byte) = self.peek() {
            self.pos += 1;
            match byte {
                b'>' => return,
                b'"' | b'\'' => {
                    self.skip_to(byte);
                    self.pos += 1;
                }
                _ => {}
            }
        }
        self.pos = self.text.len();
    }

    fn name(&mut self) -> &'a [u8] {
        let rest = self.rest();
        let len = rest
            .iter()
            .position(|&byte| is_blank(byte) || b"[]<>\"';%()".contains(&byte))
            .unwrap_or(rest.len());
        self.pos += len;
        rest.get(..len).unwrap_or_default()
    }

    fn quoted(&mut self) -> Option<&'a [u8]> {
        self.skip_blanks();
        let quote = self.peek().filter(|byte| b"\"'".contains(byte))?;
        self.pos += 1;
        let rest = self.rest();
        let len = memchr::memchr(quote, rest).unwrap_or(rest.len());
        self.pos += len + 1;
        let text = rest.get(..len)?;
        // A doubled quote, as left behind by a CSV writer: the next quote ends it.
        if text.is_empty()
            && self
                .peek()
                .is_some_and(|byte| !is_blank(byte) && byte != b'>')
        {
            let rest = self.rest();
            let len = memchr::memchr(quote, rest).unwrap_or(rest.len());
            self.pos += len + 1;
            return rest.get(..len);
        }
        Some(text)
    }

    fn external_id(&mut self) -> Option<ExternalId<'a>> {
        if self.eat_word(b"SYSTEM") {
            return Some(ExternalId {
                public: None,
                system: self.quoted(),
            });
        }
        if self.eat_word(b"PUBLIC") {
            let public = self.quoted();
            return Some(ExternalId {
                public,
                system: self.quoted(),
            });
        }
        None
    }

    /// After `<!ENTITY`.
    fn entity(&mut self) -> Option<Entity<'a>> {
        if !self.peek().is_some_and(is_blank) {
            return None;
        }
        self.skip_blanks();
        let parameter = self.eat(b'%');
        self.skip_blanks();
        let name = self.name();
        if name.is_empty() {
            return None;
        }
        self.skip_blanks();
        if let Some(external) = self.external_id() {
            return Some(Entity {
                name,
                parameter,
                value: Value::External(external),
                place: self.pos..self.pos,
            });
        }
        let start = self.pos + 1;
        let text = self.quoted()?;
        Some(Entity {
            name,
            parameter,
            value: Value::Internal(text),
            place: start..start + text.len(),
        })
    }
}

/// Entity declarations that are kept; far above the limit that makes their number a finding.
const MOST_ENTITIES: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_found_in_any_pieces() {
        let texts: [&[u8]; 5] = [
            b" html>",
            b" a PUBLIC \"-//X>\" 'y>'>",
            b" a [<!ENTITY x \"]>\"> <!-- ]> ' --> <?p ]> \" ?> %p; ]>",
            b" a SYSTEM 'x' [<!ELEMENT a (#PCDATA)> <!ATTLIST a b CDATA '>'>] >",
            b" a [<! x '>' > ]>",
        ];
        for text in texts {
            for cut in 0..=text.len() {
                let (left, right) = text.split_at(cut);
                let mut extent = Extent::default();
                let end = extent
                    .push(left)
                    .or_else(|| extent.push(right).map(|at| at + cut));
                assert_eq!(end, Some(text.len() - 1), "cut at {cut}");
            }
        }
    }

    #[test]
    fn declarations_are_read_by_their_grammar() {
        let doctype = Doctype::parse(
            b" note PUBLIC '-//A//B' \"b.dtd\" [\n<!ELEMENT note ANY><!ENTITY co \"A & B\">\
              <!entity % p SYSTEM 'file:///x'> %p; <!ENTITY pic SYSTEM 'a.gif' NDATA gif> <!-- <!ENTITY c ''> --> ]",
        );
        assert_eq!(doctype.name, b"note");
        assert_eq!(
            doctype.external,
            Some(ExternalId {
                public: Some(b"-//A//B"),
                system: Some(b"b.dtd")
            })
        );
        assert_eq!(doctype.entity_count, 3);
        assert!(doctype.parameter_use);
        let text = b" a [<!ATTLIST a b CDATA 'x>' c (d|e) \"d\"> <!ATTLIST f g CDATA #IMPLIED>";
        assert_eq!(
            Doctype::parse(text).defaults,
            [(b"a".as_slice(), b"x>".as_slice(), 25), (b"a", b"d", 38)]
        );
        let kinds: Vec<(&[u8], bool, bool)> = doctype
            .entities
            .iter()
            .map(|entity| {
                let external = matches!(entity.value, Value::External(_));
                (entity.name, entity.parameter, external)
            })
            .collect();
        assert_eq!(
            kinds,
            [
                (b"co".as_slice(), false, false),
                (b"p", true, true),
                (b"pic", false, true)
            ]
        );
    }
}
