//! Tokens of SQL, all dialects at once, read without ever failing.

use super::words::Word;

/// One token: what, and where in the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Word(Word),
    /// A decimal or floating number.
    Number,
    /// `0x…`, `x'…'`.
    Hex,
    /// A string with both quotes.
    Text,
    /// A string whose end is missing.
    OpenText,
    /// `@name`.
    Variable,
    /// `@@name`.
    Global,
    /// `= < > <= >= <> != <=> == ~ !~`.
    Compare,
    /// `-> ->> @> <@ #> #>> ? ?| ?&`.
    Json,
    /// `+ - * / % ^ | & << >> !`.
    Operator,
    /// `||`.
    Pipes,
    /// `&&`.
    Ampersands,
    /// `::`.
    Cast,
    Open,
    Close,
    Comma,
    Semicolon,
    Dot,
    /// `-- …` up to the end of the line.
    DashComment,
    /// `# …` up to the end of the line.
    HashComment,
    /// `/* … */`.
    BlockComment,
    /// `/*! … */`: its text is tokens too.
    VersionComment,
    /// `/* …` without its end.
    OpenComment,
    /// Anything else.
    Other,
}

/// How to take a quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quotes {
    /// As SQL does.
    Sql,
    /// As in written text: an apostrophe inside a word is none, and a quote closes on its line or not at all.
    Prose,
}

/// Reads the tokens of `bytes` from `start` on, at most `limit` of them. `lower` is `bytes` in lower case.
pub(super) fn read(lower: &[u8], start: usize, quotes: Quotes, limit: usize, out: &mut Vec<Token>) {
    out.clear();
    let mut lexer = Lexer {
        lower,
        at: start,
        quotes,
    };
    while out.len() < limit {
        match lexer.next() {
            Some(token) => out.push(token),
            None => return,
        }
    }
}

struct Lexer<'a> {
    lower: &'a [u8],
    at: usize,
    quotes: Quotes,
}

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.lower.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn run(&self, from: usize, belongs: impl Fn(u8) -> bool) -> usize {
        let tail = self.lower.get(from..).unwrap_or_default();
        from + tail.iter().take_while(|byte| belongs(**byte)).count()
    }

    fn next(&mut self) -> Option<Token> {
        self.at = self.run(self.at, |byte| byte <= b' ' || byte == 0x7f);
        let start = self.at;
        let byte = *self.lower.get(start)?;
        let (kind, end) = match byte {
            b'0'..=b'9' => self.number(start),
            b'.' if self.peek(1).is_ascii_digit() => self.number(start),
            b'a'..=b'z' | b'_' | b'$' | 0x80.. => self.word(start),
            b'\'' | b'"' => self.text(start, byte),
            b'`' => self.quoted_name(start),
            b'@' => self.variable(start),
            b'-' if self.peek(1) == b'-' => (Kind::DashComment, self.line_end(start)),
            b'#' => self.hash(start),
            b'/' if self.peek(1) == b'*' => self.block(start),
            // The end of a version comment, whose text was read as tokens.
            b'*' if self.peek(1) == b'/' => (Kind::BlockComment, start + 2),
            b'(' => (Kind::Open, start + 1),
            b')' => (Kind::Close, start + 1),
            b',' => (Kind::Comma, start + 1),
            b';' => (Kind::Semicolon, start + 1),
            b'.' => (Kind::Dot, start + 1),
            _ => self.operator(start, byte),
        };
        self.at = end.max(start + 1);
        Some(Token {
            kind,
            start,
            end: self.at,
        })
    }

    fn operator(&self, start: usize, byte: u8) -> (Kind, usize) {
        let pair = [byte, self.peek(1)];
        match &pair {
            b"||" => (Kind::Pipes, start + 2),
            b"&&" => (Kind::Ampersands, start + 2),
            b"::" => (Kind::Cast, start + 2),
            b"->" => (Kind::Json, start + if self.peek(2) == b'>' { 3 } else { 2 }),
            b"<@" | b"?|" | b"?&" => (Kind::Json, start + 2),
            b"<=" => (
                Kind::Compare,
                start + if self.peek(2) == b'>' { 3 } else { 2 },
            ),
            b"<>" | b">=" | b"!=" | b"==" | b"!~" | b"~*" | b":=" => (Kind::Compare, start + 2),
            b"<<" | b">>" => (Kind::Operator, start + 2),
            _ => match byte {
                b'=' | b'<' | b'>' | b'~' => (Kind::Compare, start + 1),
                b'?' => (Kind::Json, start + 1),
                b'+' | b'-' | b'*' | b'/' | b'%' | b'^' | b'|' | b'&' | b'!' => {
                    (Kind::Operator, start + 1)
                }
                _ => (Kind::Other, start + 1),
            },
        }
    }

    fn number(&self, start: usize) -> (Kind, usize) {
        if self.peek(0) == b'0' && self.peek(1) == b'x' {
            let end = self.run(start + 2, |byte| byte.is_ascii_hexdigit());
            return if end > start + 2 {
                (Kind::Hex, end)
            } else {
                (Kind::Number, start + 1)
            };
        }
        let mut end = self.run(start, |byte| byte.is_ascii_digit() || byte == b'.');
        let exponent = self.lower.get(end) == Some(&b'e');
        let sign = usize::from(matches!(self.lower.get(end + 1), Some(b'+' | b'-')));
        if exponent
            && self
                .lower
                .get(end + 1 + sign)
                .is_some_and(u8::is_ascii_digit)
        {
            end = self.run(end + 1 + sign, |byte| byte.is_ascii_digit());
        }
        (Kind::Number, end)
    }

    fn word(&self, start: usize) -> (Kind, usize) {
        // PostgreSQL's dollar quotes.
        if self.peek(0) == b'$' && self.peek(1) == b'$' {
            let body = self.lower.get(start + 2..).unwrap_or_default();
            return match memchr::memmem::find(body, b"$$") {
                Some(at) => (Kind::Text, start + 2 + at + 2),
                None => (Kind::Other, start + 2),
            };
        }
        let end = self.run(start, |byte| IN_WORDS[usize::from(byte)]);
        let word = self.lower.get(start..end).unwrap_or_default();
        // Strings with a type in front: N'…', X'…', E'…'.
        if matches!(word, b"n" | b"x" | b"e" | b"b" | b"_utf8")
            && self.lower.get(end) == Some(&b'\'')
        {
            let (kind, end) = self.text(end, b'\'');
            return (
                if word == b"x" && kind == Kind::Text {
                    Kind::Hex
                } else {
                    kind
                },
                end,
            );
        }
        (Kind::Word(Word::of(word)), end)
    }

    fn text(&self, start: usize, quote: u8) -> (Kind, usize) {
        let mut from = start + 1;
        if self.quotes == Quotes::Prose {
            let letter = |at: usize| {
                self.lower
                    .get(at)
                    .is_some_and(|byte| byte.is_ascii_alphabetic() || *byte >= 0x80)
            };
            let inside = start.checked_sub(1).is_some_and(letter) && letter(from);
            let line = self.lower.get(from..).unwrap_or_default();
            let line = line.get(..PROSE_TEXT_BYTES).unwrap_or(line);
            return match memchr::memchr2(quote, b'\n', line) {
                Some(at) if !inside && line.get(at) == Some(&quote) => (Kind::Text, from + at + 1),
                _ => (Kind::Other, from),
            };
        }
        while let Some(at) = self
            .lower
            .get(from..)
            .and_then(|tail| memchr::memchr2(quote, b'\\', tail))
        {
            let place = from + at;
            let escapes = self.lower.get(place) == Some(&b'\\');
            if escapes || self.lower.get(place + 1) == Some(&quote) {
                from = place + 2;
            } else {
                return (Kind::Text, place + 1);
            }
        }
        (Kind::OpenText, self.lower.len())
    }

    fn quoted_name(&self, start: usize) -> (Kind, usize) {
        let body = self.lower.get(start + 1..).unwrap_or_default();
        let body = body.get(..NAME_BYTES).unwrap_or(body);
        match memchr::memchr(b'`', body) {
            Some(at) => {
                let name = body.get(..at).unwrap_or_default();
                let word = match Word::of(name) {
                    system @ (Word::System | Word::Prize) => system,
                    _ => Word::Plain,
                };
                (Kind::Word(word), start + 1 + at + 1)
            }
            None => (Kind::Other, start + 1),
        }
    }

    fn variable(&self, start: usize) -> (Kind, usize) {
        if self.peek(1) == b'>' {
            return (Kind::Json, start + 2);
        }
        let global = self.peek(1) == b'@';
        let from = start + if global { 2 } else { 1 };
        let end = self.run(from, |byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$')
        });
        match (global, end > from) {
            (true, true) => (Kind::Global, end),
            (false, true) => (Kind::Variable, end),
            // MySQL takes a bare `@` for a variable.
            (false, false) if matches!(self.peek(1), b':' | b',' | b')' | b'=') => {
                (Kind::Variable, from)
            }
            _ => (Kind::Other, from),
        }
    }

    fn hash(&self, start: usize) -> (Kind, usize) {
        match self.peek(1) {
            b'>' => (Kind::Json, start + if self.peek(2) == b'>' { 3 } else { 2 }),
            // `#- '{a,b}'` takes a member out.
            b'-' if self.run(start + 2, |byte| byte == b' ') == start + 3
                && self.lower.get(start + 3) == Some(&b'\'') =>
            {
                (Kind::Json, start + 2)
            }
            _ => (Kind::HashComment, self.line_end(start)),
        }
    }

    fn block(&self, start: usize) -> (Kind, usize) {
        if self.peek(2) == b'!' {
            // MySQL runs what a version comment says.
            let end = self.run(start + 3, |byte| byte.is_ascii_digit());
            return (Kind::VersionComment, end);
        }
        let body = self.lower.get(start + 2..).unwrap_or_default();
        match memchr::memmem::find(body, b"*/") {
            Some(at) => (Kind::BlockComment, start + 2 + at + 2),
            None => (Kind::OpenComment, self.lower.len()),
        }
    }

    fn line_end(&self, start: usize) -> usize {
        let tail = self.lower.get(start..).unwrap_or_default();
        memchr::memchr(b'\n', tail).map_or(self.lower.len(), |at| start + at)
    }
}

/// Bytes that words are made of, in lower case or not.
static IN_WORDS: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] =
            (byte as u8).is_ascii_alphanumeric() || matches!(byte as u8, b'_' | b'$' | 0x80..);
        byte += 1;
    }
    table
};

/// Bytes of a quoted phrase in written text.
const PROSE_TEXT_BYTES: usize = 256;
/// Bytes of a quoted name.
const NAME_BYTES: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<Kind> {
        let mut out = Vec::new();
        read(
            text.to_ascii_lowercase().as_bytes(),
            0,
            Quotes::Sql,
            100,
            &mut out,
        );
        out.into_iter().map(|token| token.kind).collect()
    }

    #[test]
    fn tokens_of_all_dialects_are_read() {
        assert_eq!(
            kinds("1 OR 'a''b'=@@version -- x"),
            [
                Kind::Number,
                Kind::Word(Word::Logic),
                Kind::Text,
                Kind::Compare,
                Kind::Global,
                Kind::DashComment
            ]
        );
        assert_eq!(
            kinds("0x41 /*!50000union*/ #>> '{a}' ->> $$b$$ /* open"),
            [
                Kind::Hex,
                Kind::VersionComment,
                Kind::Word(Word::Union),
                Kind::BlockComment,
                Kind::Json,
                Kind::Text,
                Kind::Json,
                Kind::Text,
                Kind::OpenComment
            ]
        );
        assert_eq!(
            kinds("1e5or.5"),
            [Kind::Number, Kind::Word(Word::Logic), Kind::Number]
        );
    }

    #[test]
    fn apostrophes_inside_words_are_none_in_prose() {
        let mut out = Vec::new();
        read(b"it's 'so' they're", 0, Quotes::Prose, 100, &mut out);
        assert_eq!(
            out.iter().filter(|token| token.kind == Kind::Text).count(),
            1
        );
    }
}
