//! GraphQL abuse: depth, aliases, repeated fields, directive floods, fragment cycles, batches, introspection.
//!
//! A value that is a GraphQL document by its grammar (executable definitions, October 2021 edition, §2) is GraphQL and
//! nothing else: other detectors see its string literals and comments only ([`texts`]), and this one counts.

use std::collections::HashMap;

use crate::inspect::leaf::Step;

use super::{Evidence, Kind, Value};

/// Words of which one at least stands in every value that this detector can find something in.
pub const ANCHORS: &[&str] = &["{"];

/// Notes evidence of the class in `value`.
pub fn look(value: &Value<'_>, evidence: &mut Evidence) {
    let Some(counts) = Counts::of(value.bytes) else {
        return;
    };
    let mut rule = |holds: bool, weight: u8, name: &'static str| {
        if holds {
            evidence.note(Kind::Semantics, weight, name);
        }
    };
    rule(counts.depth >= DEPTH, 65, "depth");
    rule(counts.depth >= DEPTH * 2, 80, "depth");
    rule(counts.aliases >= ALIASES, 70, "alias-flood");
    rule(counts.directives >= DIRECTIVES, 70, "directive-flood");
    rule(counts.repeats >= REPEATS, 70, "field-repetition");
    rule(counts.fields >= FIELDS, 60, "field-flood");
    rule(counts.operations >= BATCH, 65, "batch");
    rule(counts.introspection, 65, "introspection");
    rule(counts.cycle, 80, "fragment-cycle");
    rule(batch_place(value) >= BATCH, 65, "batch");
}

/// The position of the value in a batch, an array of operations at the root.
fn batch_place(value: &Value<'_>) -> usize {
    let mut steps = value.path.steps();
    match (steps.next(), steps.next()) {
        (Some(Step::Index(place)), Some(Step::Name(b"query"))) => {
            usize::try_from(place).map_or(BATCH, |place| place + 1)
        }
        _ => 0,
    }
}

/// True when `bytes` is a GraphQL document.
pub(super) fn is_document(bytes: &[u8]) -> bool {
    begins(bytes) && Counts::of(bytes).is_some()
}

/// True when `bytes` begins like a document; cheap.
fn begins(bytes: &[u8]) -> bool {
    let head = bytes.trim_ascii_start();
    [
        b"{".as_slice(),
        b"query",
        b"mutation",
        b"subscription",
        b"fragment",
        b"#",
    ]
    .iter()
    .any(|start| head.starts_with(start))
}

/// Free text in a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Text<'a> {
    /// A string literal without its quotes, escapes not undone.
    String(&'a [u8]),
    /// What follows a `#` in its line.
    Comment(&'a [u8]),
}

/// The free texts of a document, in order.
pub(super) fn texts(bytes: &[u8]) -> impl Iterator<Item = Text<'_>> {
    let mut lexer = Lexer { bytes, at: 0 };
    std::iter::from_fn(move || {
        loop {
            if let Some(comment) = lexer.comment() {
                return Some(Text::Comment(comment));
            }
            match lexer.token()? {
                Token::Text(text) => return Some(Text::String(text)),
                Token::Invalid => return None,
                _ => {}
            }
        }
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Name(&'a [u8]),
    Punctuator(u8),
    Spread,
    Number,
    Text(&'a [u8]),
    Invalid,
}

struct Lexer<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Lexer<'a> {
    fn run(&self, from: usize, belongs: impl Fn(u8) -> bool) -> usize {
        let tail = self.bytes.get(from..).unwrap_or_default();
        from + tail.iter().take_while(|byte| belongs(**byte)).count()
    }

    /// The comment that is next, if one is.
    fn comment(&mut self) -> Option<&'a [u8]> {
        self.at = self.run(self.at, |byte| byte.is_ascii_whitespace() || byte == b',');
        let start = self.at + 1;
        if self.bytes.get(self.at) != Some(&b'#') {
            return None;
        }
        self.at = self.run(start, |byte| !matches!(byte, b'\n' | b'\r'));
        self.bytes.get(start..self.at)
    }

    /// The token that is next behind white space and comments.
    fn token(&mut self) -> Option<Token<'a>> {
        let start = self.at;
        let byte = *self.bytes.get(start)?;
        let token = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                self.at = self.run(start, |byte| byte.is_ascii_alphanumeric() || byte == b'_');
                Token::Name(self.bytes.get(start..self.at).unwrap_or_default())
            }
            b'0'..=b'9' | b'-' => {
                self.at = self.run(start + 1, |byte| {
                    byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-')
                });
                Token::Number
            }
            b'"' => self.text(start),
            b'.' if self.bytes.get(start..start + 3) == Some(b"...") => {
                self.at = start + 3;
                Token::Spread
            }
            b'!' | b'$' | b'(' | b')' | b':' | b'=' | b'@' | b'[' | b']' | b'{' | b'|' | b'}'
            | b'&' => {
                self.at = start + 1;
                Token::Punctuator(byte)
            }
            _ => Token::Invalid,
        };
        Some(token)
    }

    fn text(&mut self, start: usize) -> Token<'a> {
        let tail = self.bytes.get(start..).unwrap_or_default();
        if let Some(block) = tail.strip_prefix(b"\"\"\"") {
            let Some(end) = memchr::memmem::find(block, b"\"\"\"") else {
                return Token::Invalid;
            };
            self.at = start + 3 + end + 3;
            return Token::Text(block.get(..end).unwrap_or_default());
        }
        let body = tail.get(1..).unwrap_or_default();
        let mut from = 0;
        while let Some(found) = body
            .get(from..)
            .and_then(|rest| memchr::memchr3(b'"', b'\\', b'\n', rest))
        {
            let place = from + found;
            match body.get(place) {
                Some(b'"') => {
                    self.at = start + 1 + place + 1;
                    return Token::Text(body.get(..place).unwrap_or_default());
                }
                Some(b'\\') => from = place + 2,
                _ => return Token::Invalid,
            }
        }
        Token::Invalid
    }
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        while self.comment().is_some() {}
        self.token()
    }
}

/// What a document holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    depth: usize,
    aliases: usize,
    directives: usize,
    /// The most repetitions of one field in one selection set.
    repeats: usize,
    fields: usize,
    operations: usize,
    introspection: bool,
    cycle: bool,
}

impl Counts {
    /// Reads a document; `None` when it is none.
    fn of(bytes: &[u8]) -> Option<Self> {
        if !begins(bytes) {
            return None;
        }
        let mut reader = Reader::default();
        for token in (Lexer { bytes, at: 0 }) {
            reader.token(token)?;
        }
        reader.end()
    }
}

/// Where in a document the reader is.
#[derive(Default)]
struct Reader<'a> {
    counts: Counts,
    /// Open brackets, innermost last. A brace directly in the document or in a brace is a selection set.
    open: Vec<u8>,
    /// Braces among them that are selection sets.
    sets: usize,
    /// The token before.
    before: Option<Token<'a>>,
    /// The field before in this selection set, and how often in a row it stood there.
    field: (&'a [u8], usize),
    /// Number of the fragment being defined; operations have none.
    fragment: Option<usize>,
    fragments: HashMap<&'a [u8], usize>,
    /// Spreads: from which fragment to which name.
    spreads: Vec<(usize, &'a [u8])>,
    /// A definition has begun and its selection set has not.
    defining: bool,
}

impl<'a> Reader<'a> {
    fn token(&mut self, token: Token<'a>) -> Option<()> {
        match self.open.last().copied() {
            None => self.at_top(token)?,
            Some(b'{') if self.open.len() == self.sets => self.in_set(token)?,
            Some(_) => self.in_arguments(token)?,
        }
        self.before = Some(token);
        Some(())
    }

    fn at_top(&mut self, token: Token<'a>) -> Option<()> {
        match token {
            Token::Name(word) if !self.defining => {
                self.defining = true;
                match word {
                    b"query" | b"mutation" | b"subscription" => {
                        self.counts.operations += 1;
                        self.fragment = None;
                    }
                    b"fragment" => self.fragment = Some(usize::MAX),
                    _ => return None,
                }
            }
            Token::Name(word) => {
                if self.before == Some(Token::Name(b"fragment")) {
                    let number = self.fragments.len();
                    self.fragment = Some(*self.fragments.entry(word).or_insert(number));
                }
            }
            Token::Punctuator(b'{') => {
                if !self.defining {
                    self.counts.operations += 1;
                    self.fragment = None;
                }
                self.open_set()?;
            }
            Token::Punctuator(b'(') if self.defining => self.open.push(b'('),
            Token::Punctuator(b'@') if self.defining => self.counts.directives += 1,
            _ => return None,
        }
        Some(())
    }

    fn open_set(&mut self) -> Option<()> {
        self.open.push(b'{');
        self.sets += 1;
        self.counts.depth = self.counts.depth.max(self.sets);
        self.field = (b"", 0);
        (self.sets <= MAX_DEPTH).then_some(())
    }

    fn in_set(&mut self, token: Token<'a>) -> Option<()> {
        match token {
            Token::Name(name) => self.name_in_set(name),
            Token::Punctuator(b':') => self.counts.aliases += 1,
            Token::Punctuator(b'@') => self.counts.directives += 1,
            Token::Punctuator(b'(') if matches!(self.before, Some(Token::Name(_))) => {
                self.open.push(b'(')
            }
            Token::Punctuator(b'{') => {
                if matches!(self.before, Some(Token::Punctuator(b'{' | b'}' | b':'))) {
                    return None;
                }
                self.open_set()?;
            }
            Token::Punctuator(b'}') => {
                if self.before == Some(Token::Punctuator(b'{')) {
                    return None;
                }
                self.open.pop();
                self.sets -= 1;
                self.field = (b"", 0);
                if self.open.is_empty() {
                    self.defining = false;
                }
            }
            Token::Spread => {}
            _ => return None,
        }
        Some(())
    }

    fn name_in_set(&mut self, name: &'a [u8]) {
        match self.before {
            Some(Token::Punctuator(b'@')) => return,
            Some(Token::Spread) => {
                if let Some(from) = self.fragment
                    && name != b"on"
                {
                    self.spreads.push((from, name));
                }
                return;
            }
            Some(Token::Name(b"on")) => return,
            _ => {}
        }
        self.counts.fields += 1;
        self.counts.introspection |= name == b"__schema" || name == b"__type";
        if self.field.0 == name {
            self.field.1 += 1;
        } else {
            self.field = (name, 1);
        }
        self.counts.repeats = self.counts.repeats.max(self.field.1);
    }

    fn in_arguments(&mut self, token: Token<'a>) -> Option<()> {
        match token {
            Token::Punctuator(open @ (b'(' | b'[' | b'{')) => self.open.push(open),
            Token::Punctuator(close @ (b')' | b']' | b'}')) => {
                let open = self.open.pop()?;
                let fits = matches!((open, close), (b'(', b')') | (b'[', b']') | (b'{', b'}'));
                if !fits {
                    return None;
                }
            }
            Token::Punctuator(b':' | b'$' | b'=' | b'!' | b'@')
            | Token::Name(_)
            | Token::Number
            | Token::Text(_) => {}
            Token::Punctuator(_) | Token::Spread | Token::Invalid => return None,
        }
        Some(())
    }

    fn end(mut self) -> Option<Counts> {
        if !self.open.is_empty() || self.defining || self.before.is_none() {
            return None;
        }
        self.counts.cycle = self.has_cycle();
        Some(self.counts)
    }

    /// Peels off fragments that spread nothing undefined or unpeeled, round by round; what is left is a cycle.
    fn has_cycle(&self) -> bool {
        let edges: Vec<(usize, usize)> = self
            .spreads
            .iter()
            .take(MAX_SPREADS)
            .filter_map(|(from, name)| self.fragments.get(name).map(|to| (*from, *to)))
            .collect();
        let count = self.fragments.len();
        let mut pending = vec![0_usize; count];
        let mut users: Vec<Vec<usize>> = vec![Vec::new(); count];
        for (from, to) in &edges {
            if let (Some(pending), Some(users)) = (pending.get_mut(*from), users.get_mut(*to)) {
                *pending += 1;
                users.push(*from);
            }
        }
        let mut free: Vec<usize> = (0..count)
            .filter(|index| pending.get(*index) == Some(&0))
            .collect();
        let mut peeled = 0;
        while let Some(fragment) = free.pop() {
            peeled += 1;
            for user in users.get(fragment).into_iter().flatten() {
                if let Some(left) = pending.get_mut(*user) {
                    *left -= 1;
                    if *left == 0 {
                        free.push(*user);
                    }
                }
            }
        }
        peeled < count
    }
}

/// Levels of selection sets from which on a query is abuse: what people write by hand has at most eight or nine, the
/// introspection query of tools thirteen.
const DEPTH: usize = 12;
/// Aliases in a document; a dashboard has a dozen.
const ALIASES: usize = 20;
/// Directives in a document.
const DIRECTIVES: usize = 15;
/// The same field in a row.
const REPEATS: usize = 8;
/// Fields in a document.
const FIELDS: usize = 1000;
/// Operations in one request.
const BATCH: usize = 10;
/// Levels at which reading ends: it is no document that a server would run.
const MAX_DEPTH: usize = 100_000;
/// Spreads in fragments that are followed.
const MAX_SPREADS: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(text: &str) -> Option<Counts> {
        Counts::of(text.as_bytes())
    }

    #[test]
    fn documents_are_told_from_other_text() {
        assert!(is_document(b"query Q($id: ID! = \"a\") { user(id: $id) @include(if: true) { ...F n: name } } fragment F on U { id }"));
        assert!(is_document(b"{ me { id } }"));
        for text in [
            "{\"a\": 1}",
            "query { a } ' or 1=1 --",
            "{ a: {$ne: 1} }",
            "query the database",
            "{}",
            "{ <b> }",
        ] {
            assert!(!is_document(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn depth_aliases_and_cycles_are_counted() {
        let found = counts("{ a: x { b: y { __schema { t } } } }").expect("it is a document");
        assert_eq!(
            (found.depth, found.aliases, found.introspection),
            (4, 2, true)
        );
        assert!(
            counts("{ ...A } fragment A on T { ...B } fragment B on T { x { ...A } }")
                .is_some_and(|found| found.cycle)
        );
        assert!(
            counts("{ ...A } fragment A on T { ...B } fragment B on T { x }")
                .is_some_and(|found| !found.cycle)
        );
    }

    #[test]
    fn strings_and_comments_are_handed_out() {
        let document =
            b"#!\n{ a(x: \"one\\\"\", y: \"\"\"two\"\"\") # \"three\"\r b(z: \"four\")\n#\n }#";
        let found: Vec<_> = texts(document).collect();
        let expected = [
            Text::Comment(b"!"),
            Text::String(b"one\\\""),
            Text::String(b"two"),
            Text::Comment(b" \"three\""),
            Text::String(b"four"),
            Text::Comment(b""),
            Text::Comment(b""),
        ];
        assert_eq!(found, expected);
    }
}
