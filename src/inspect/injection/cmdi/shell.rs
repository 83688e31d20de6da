//! A lexer for shell text of either family, Unix or Windows, as it may stand inside a larger command.
//!
//! Quotes do not group: the value may itself stand inside quotes, so that a separator between quotes can still
//! separate. What a shell removes from a word (quotes, backslashes, carets, empty expansions) is removed here and
//! counted as evasion where it breaks a word in two.

use crate::inspect::injection::lexis::run;
use crate::inspect::table;

/// What ends one command and begins the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Separator {
    /// The beginning of the value.
    Start,
    /// `;`
    Semicolon,
    /// `|` or `||`
    Pipe,
    /// `&` or `&&`
    And,
    /// A line break.
    Newline,
    /// `` ` ``
    Backtick,
    /// `$(`, `<(`, `>(`
    Substitution,
    /// `(` or `)` or `{` or `}`: grouping
    Group,
    /// `{cat,/etc/passwd}`
    Brace,
}

/// One token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// A word; its text without quoting is [`Lexer::word`].
    Word,
    /// A separator.
    Separator(Separator),
    /// `<` or `>` and their doubles.
    Redirect,
}

bitflags::bitflags! {
    /// What was seen while a word was read.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Marks: u8 {
        /// Something that the shell removes stood between two letters of the word.
        const BROKEN = 1;
        /// A blank written as `$IFS`, or a character written as a slice of a variable.
        const EXPANDED = 1 << 1;
        /// It began with a quote.
        const QUOTED = 1 << 2;
        /// It holds `?`, `*` or `[`.
        const GLOB = 1 << 3;
        /// It begins with a variable: `$x`, `%x%`.
        const VARIABLE = 1 << 4;
        /// A brace list.
        const BRACE = 1 << 5;
    }
}

/// Reads tokens from a value in ASCII lower case.
#[derive(Clone, Debug)]
pub struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    /// `+` stands for a blank: a form's spelling that survived.
    plus_is_blank: bool,
    in_brace: bool,
    /// The current word, when the shell removes nothing of it.
    plain: Option<&'a [u8]>,
    word: [u8; WORD_BYTES],
    length: usize,
    /// What the current word was made of.
    pub marks: Marks,
    /// Where the last token began.
    pub start: usize,
    /// The blank before the word was an `$IFS`.
    blank_expanded: bool,
}

/// Bytes that may end a command or begin one.
static ENDS_WORDS: [bool; 256] = table::of(b";|&\n\r`$(){}<>\x1b");

/// Bytes that a word is made of and nothing else.
static PLAIN: [bool; 256] = {
    let mut plain = [true; 256];
    let others = b" \t\x0b\x0c\0+,;|&\n\r<>(){}\x1b`$'\"\\^%?*[";
    let mut index = 0;
    while index < others.len() {
        plain[others[index] as usize] = false;
        index += 1;
    }
    plain
};

/// Bytes behind which no more of a word can come.
static ENDS_PLAIN: [bool; 256] = table::of(b" \t\x0b\x0c\0;|&\n\r<>(){}\x1b");

/// Bytes of a word that are kept; no command or path worth knowing is longer.
const WORD_BYTES: usize = 96;

impl<'a> Lexer<'a> {
    /// A lexer at the beginning of `text`.
    pub fn new(text: &'a [u8]) -> Self {
        let blank = text.iter().any(|byte| matches!(byte, b' ' | b'\t'));
        Self {
            text,
            at: 0,
            plus_is_blank: !blank && text.contains(&b'+'),
            in_brace: false,
            plain: None,
            word: [0; WORD_BYTES],
            length: 0,
            marks: Marks::empty(),
            start: 0,
            blank_expanded: false,
        }
    }

    /// The text of the last word, as the shell would see it.
    pub fn word(&self) -> &[u8] {
        match self.plain {
            Some(plain) => plain,
            None => self.kept(),
        }
    }

    /// What is kept so far of a word that the shell removes something of.
    fn kept(&self) -> &[u8] {
        self.word.get(..self.length).unwrap_or_default()
    }

    /// One past the last token.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The next token.
    pub fn next(&mut self) -> Option<Token> {
        self.length = 0;
        self.plain = None;
        self.marks = Marks::empty();
        self.skip_blanks();
        self.start = self.at;
        let byte = self.peek(0)?;
        if let Some(name) = self.quoted_name() {
            self.plain = Some(name);
            self.at += name.len() + 4;
            return Some(Token::Word);
        }
        if !PLAIN[usize::from(byte)]
            && let Some((token, length)) = self.operator(byte)
        {
            self.at += length;
            return Some(token);
        }
        let plain = run(self.text, self.at, |byte| PLAIN[usize::from(byte)]);
        let end = self.text.get(self.at + plain.len());
        if plain.len() <= WORD_BYTES && end.is_none_or(|end| ENDS_PLAIN[usize::from(*end)]) {
            self.plain = Some(plain);
            self.at += plain.len();
        } else {
            self.read_word();
        }
        if self.blank_expanded {
            self.marks |= Marks::EXPANDED;
            self.blank_expanded = false;
        }
        Some(Token::Word)
    }

    /// The word of ``` ``word`` ```, as documentation quotes names: to a shell two backticks together are nothing at all.
    fn quoted_name(&self) -> Option<&'a [u8]> {
        let rest = self.text.get(self.at..)?.strip_prefix(b"``")?;
        let name = run(rest, 0, |byte| PLAIN[usize::from(byte)]);
        let behind = rest.get(name.len()..)?.strip_prefix(b"``")?;
        let joined = behind
            .first()
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'/');
        (!name.is_empty() && !joined).then_some(name)
    }

    /// Passes over words up to what may end a command or begin one.
    pub fn skip_words(&mut self) -> &'a [u8] {
        let passed = run(self.text, self.at, |byte| !ENDS_WORDS[usize::from(byte)]);
        self.at += passed.len();
        passed
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }

    fn is_blank(&self, byte: u8) -> bool {
        matches!(byte, b' ' | b'\t' | 0x0b | 0x0c | 0)
            || (byte == b'+' && self.plus_is_blank)
            || (byte == b',' && self.in_brace)
    }

    fn skip_blanks(&mut self) {
        loop {
            match self.peek(0) {
                Some(byte) if self.is_blank(byte) => self.at += 1,
                // A continued line is a blank.
                Some(b'\\') if matches!(self.peek(1), Some(b'\n' | b'\r')) => self.at += 2,
                Some(b'$') => {
                    let length = ifs(self.text.get(self.at..).unwrap_or_default());
                    if length == 0 {
                        return;
                    }
                    self.at += length;
                    self.blank_expanded = true;
                }
                _ => return,
            }
        }
    }

    /// The operator that begins with `byte` here, and its length.
    fn operator(&mut self, byte: u8) -> Option<(Token, usize)> {
        let next = self.peek(1);
        let doubled = usize::from(next == Some(byte)) + 1;
        let separator = match byte {
            b';' => (Separator::Semicolon, 1),
            b'|' => (Separator::Pipe, doubled),
            b'&' if next == Some(b'>') => return Some((Token::Redirect, 2)),
            b'&' => (Separator::And, doubled),
            b'\n' | b'\r' => (Separator::Newline, 1),
            b'`' => (Separator::Backtick, doubled),
            b'$' if next == Some(b'(') && self.peek(2) != Some(b'(') => {
                (Separator::Substitution, 2)
            }
            b'<' | b'>' if next == Some(b'(') => (Separator::Substitution, 2),
            b'<' | b'>' if next == Some(b'&') => return Some((Token::Redirect, 2)),
            b'<' | b'>' => return Some((Token::Redirect, doubled)),
            b'(' | b')' => (Separator::Group, 1),
            b'{' if self.opens_brace_list() => {
                self.in_brace = true;
                self.at += 1;
                return Some((Token::Separator(Separator::Brace), 0));
            }
            b'{' => (Separator::Group, 1),
            b'}' => {
                self.in_brace = false;
                (Separator::Group, 1)
            }
            // `\n`, spelled out at the beginning of a value: in a path of Windows it would not come first.
            b'\\' if self.at == 0 && matches!(next, Some(b'n' | b'r')) => (Separator::Newline, 2),
            // ESC [ 2 J and its like, which log viewers obey: what follows is a line of its own.
            0x1b => {
                let digits = run(self.text, self.at + 2, |b| b.is_ascii_digit() || b == b';');
                (Separator::Newline, 2 + digits.len())
            }
            _ => return None,
        };
        Some((Token::Separator(separator.0), separator.1))
    }

    /// `{cat,` or `{,id`: a list without blanks.
    fn opens_brace_list(&self) -> bool {
        let word = run(self.text, self.at + 1, |byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.' | b'"' | b'\'')
        });
        self.text.get(self.at + 1 + word.len()) == Some(&b',')
            && self
                .text
                .get(self.at + 2 + word.len())
                .is_some_and(|byte| !byte.is_ascii_whitespace())
    }

    fn read_word(&mut self) {
        while let Some(byte) = self.peek(0) {
            if PLAIN[usize::from(byte)] {
                self.push_plain();
                continue;
            }
            if self.is_blank(byte) {
                return;
            }
            match byte {
                b';' | b'|' | b'&' | b'\n' | b'\r' | b'<' | b'>' | b'(' | b')' | b'{' | b'}'
                | 0x1b => return,
                b'`' => {
                    // Two backticks together expand to nothing.
                    if self.peek(1) != Some(b'`') || self.length == 0 {
                        return;
                    }
                    self.remove(2);
                    self.marks |= Marks::BROKEN;
                }
                b'$' => {
                    if !self.dollar() {
                        return;
                    }
                }
                b'\'' | b'"' => {
                    if self.length == 0 {
                        self.marks |= Marks::QUOTED;
                        self.at += 1;
                    } else {
                        self.remove(1);
                    }
                }
                b'\\' => self.backslash(),
                b'^' => self.remove(1),
                b'%' if self.length == 0 => {
                    self.marks |= Marks::VARIABLE;
                    self.push(byte);
                }
                b'?' | b'*' | b'[' => {
                    self.marks |= Marks::GLOB;
                    self.push(byte);
                }
                _ => self.push(byte),
            }
        }
    }

    fn push_plain(&mut self) {
        let plain = run(self.text, self.at, |byte| PLAIN[usize::from(byte)]);
        self.at += plain.len();
        let free = self.word.get_mut(self.length..).unwrap_or_default();
        let kept = free.len().min(plain.len());
        for (slot, byte) in free.iter_mut().zip(plain) {
            *slot = *byte;
        }
        self.length += kept;
    }

    fn push(&mut self, byte: u8) {
        if let Some(slot) = self.word.get_mut(self.length) {
            *slot = byte;
            self.length += 1;
        }
        self.at += 1;
    }

    /// Leaves out `count` bytes that the shell removes, and marks the word when they stood between letters.
    fn remove(&mut self, count: usize) {
        self.at += count;
        let before = self
            .length
            .checked_sub(1)
            .and_then(|last| self.word.get(last))
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'/');
        let after = self.peek(0).is_some_and(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'\'' | b'"' | b'\\' | b'$' | b'/')
        });
        if before && after {
            self.marks |= Marks::BROKEN;
        }
    }

    fn backslash(&mut self) {
        // `\n` at the end of a word is a line break spelled out.
        let breaks = matches!(self.peek(1), Some(b'n' | b'r'))
            && self
                .peek(2)
                .is_none_or(|byte| !byte.is_ascii_alphanumeric());
        if breaks && self.length > 0 {
            self.at += 2;
            return;
        }
        let drive = self.length == 2 && self.word.get(1) == Some(&b':');
        let windows = drive || self.kept().contains(&b'\\') || self.length == 0;
        match self.peek(1) {
            // `c\at`: gone. In `c:\dir` and `\\host` it separates.
            Some(next) if next.is_ascii_alphanumeric() && !windows => self.remove(1),
            Some(b'\'' | b'"' | b'`' | b'$' | b'\\') if self.length > 0 => self.remove(1),
            Some(b'`' | b'\'' | b'"') => self.at += 1,
            _ => self.push(b'\\'),
        }
    }

    /// Reads a `$…` inside a word; false when the word ends before it.
    fn dollar(&mut self) -> bool {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if ifs(rest) > 0 {
            return false;
        }
        match rest.get(1) {
            Some(b'(') if rest.get(2) == Some(&b')') && self.length > 0 => {
                self.remove(3);
                self.marks |= Marks::BROKEN;
            }
            Some(b'(') => {
                if self.length > 0 || rest.get(2) != Some(&b'(') {
                    return false;
                }
                self.push(b'$');
            }
            Some(b'{') => self.braced_variable(rest),
            Some(b'@' | b'*' | b'_' | b'?' | b'$' | b'!' | b'#' | b'-' | b'0'..=b'9')
                if self.length > 0 =>
            {
                self.remove(2);
            }
            // $'...' and $"..." are quotes.
            Some(b'\'' | b'"') => self.remove(1),
            Some(next) if next.is_ascii_alphabetic() && self.length > 0 => {
                let name = run(rest, 1, |byte| byte.is_ascii_alphanumeric() || byte == b'_');
                // `c${x}at` has its brace; `a$bcd` takes the rest of the word with it.
                self.at += 1 + name.len();
            }
            _ => {
                if self.length == 0 {
                    self.marks |= Marks::VARIABLE;
                }
                self.push(b'$');
            }
        }
        true
    }

    /// `${x}`, `${path:0:1}`, `${x:-word}`.
    fn braced_variable(&mut self, rest: &[u8]) {
        let near = rest.get(..MAX_VARIABLE_BYTES + 3).unwrap_or(rest);
        let body = run(near, 2, |byte| !matches!(byte, b'}' | b'{' | b'\n' | b' '));
        let closed = rest.get(2 + body.len()) == Some(&b'}');
        let name = run(body, 0, |byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let slice = body.get(name.len()).is_some_and(|byte| *byte == b':')
            && body
                .get(name.len() + 1)
                .is_some_and(|byte| byte.is_ascii_digit() || matches!(byte, b' ' | b'-' | b'~'));
        if !closed || body.len() > MAX_VARIABLE_BYTES {
            if self.length == 0 {
                self.marks |= Marks::VARIABLE;
            }
            self.push(b'$');
            return;
        }
        if slice
            && matches!(
                name,
                b"path" | b"home" | b"pwd" | b"shell" | b"ps2" | b"ps4" | b"oldpwd"
            )
        {
            self.push(b'/');
            self.at += 2 + body.len();
            self.marks |= Marks::EXPANDED;
        } else if self.length > 0 {
            self.remove(3 + body.len());
        } else {
            self.marks |= Marks::VARIABLE;
            self.push(b'$');
            self.at += 1;
            for byte in name {
                self.push(*byte);
            }
            self.at += 1 + body.len() - name.len();
        }
    }
}

/// A longer `${…}` is no variable.
const MAX_VARIABLE_BYTES: usize = 64;

/// Length of an `$IFS`, `${IFS}`, `${IFS%??}`, `$IFS$9` at the beginning of `text` (lower case), or 0.
fn ifs(text: &[u8]) -> usize {
    if text.starts_with(b"${ifs") {
        let near = text.get(..MAX_VARIABLE_BYTES + 5).unwrap_or(text);
        let body = run(near, 5, |byte| !matches!(byte, b'}' | b'\n'));
        return match near.get(5 + body.len()) {
            Some(b'}') => 6 + body.len(),
            _ => 0,
        };
    }
    if !text.starts_with(b"$ifs") {
        return 0;
    }
    match (text.get(4), text.get(5)) {
        (Some(b'$'), Some(next)) if next.is_ascii_digit() || matches!(next, b'@' | b'*') => 6,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Vec<String> {
        let lower = text.to_ascii_lowercase();
        let mut lexer = Lexer::new(&lower);
        let mut seen = Vec::new();
        while let Some(token) = lexer.next() {
            seen.push(match token {
                Token::Word => {
                    let word = String::from_utf8_lossy(lexer.word()).into_owned();
                    if lexer.marks.intersects(Marks::BROKEN | Marks::EXPANDED) {
                        format!("!{word}")
                    } else {
                        word
                    }
                }
                Token::Separator(separator) => format!("{separator:?}"),
                Token::Redirect => "Redirect".to_owned(),
            });
        }
        seen
    }

    #[test]
    fn what_a_shell_removes_is_removed_and_marked() {
        assert_eq!(read(b"w'h'o\"am\"i"), ["!whoami"]);
        assert_eq!(read(b"l\\s$IFS-la"), ["!ls", "!-la"]);
        assert_eq!(read(b"t${x}ail$@f"), ["!tailf"]);
        assert_eq!(read(b"n^et user"), ["!net", "user"]);
        assert_eq!(read(b"un$()ame"), ["!uname"]);
        assert_eq!(
            read(b"{head,-1,/x}"),
            ["Brace", "head", "-1", "/x", "Group"]
        );
        assert_eq!(read(b"ls ${HOME:0:1}tmp"), ["ls", "!/tmp"]);
    }

    #[test]
    fn separators_split_even_between_quotes() {
        assert_eq!(
            read(b"x'; uname -a|tee `pwd`"),
            [
                "x",
                "Semicolon",
                "uname",
                "-a",
                "Pipe",
                "tee",
                "Backtick",
                "pwd",
                "Backtick"
            ]
        );
        assert_eq!(read(b"dir c:\\temp"), ["dir", "c:\\temp"]);
    }
}
