//! OS command injection: what a value would make a shell run.
//!
//! | file | what |
//! |---|---|
//! | [`shell`] | tokens of shell text, with what a shell removes already removed |
//! | [`args`] | kinds of arguments |
//! | [`command`] | one command and what its arguments make of it |
//! | [`name`] | names of programs under their paths |
//! | [`commands`] | names of commands, and the arguments that they take |
//! | [`batch`] | `for` and `if` of the Windows command processor |
//!
//! A command counts when it stands where a shell looks for one and has arguments such as it takes. The score is made of
//! how the value came to that place (break-out), what is run (semantics), on what (target), and how it hides (evasion).

mod args;
mod batch;
mod command;
mod commands;
mod name;
mod shell;

use super::lexis::{self, has, run};
use super::{Evidence, Hints, Kind, Setting, Value};
use crate::inspect::table;
use args::{Args, classify};
use command::{Command, Ending, plausible};
pub use commands::ANCHORS;
use commands::{RUNNERS, Trade, trade};
use name::{base_name, globbed_path, in_bin};
use shell::{Lexer, Marks, Separator, Token};

/// Notes evidence of the class in `value`.
pub fn look(value: &Value<'_>, evidence: &mut Evidence) {
    let lower = value.lower;
    let mut walk = Walk::new(value);
    walk.run(evidence);
    if lower.starts_with(b"#!") {
        // A script that says so is a document.
        evidence.temper(50);
    }
    match value.setting {
        Setting::Short if lexis::is_json(lower) => evidence.temper(50),
        Setting::Short => {}
        Setting::Prose => evidence.temper(60),
        Setting::Document => evidence.temper(45),
    }
}

/// A function whose `()` stands at `open`: `() { :;}; command` in any spacing, and `f(){ f|f& };f`.
fn function_at(lower: &[u8], open: usize, evidence: &mut Evidence) {
    // A shell function in a payload is a line.
    let near = lower
        .get(..lower.len().min(open + MAX_BODY_BYTES))
        .unwrap_or_default();
    let lower = near;
    let brace = lexis::skip_blanks(lower, open + 2);
    if lower.get(brace) != Some(&b'{') {
        return;
    }
    let inside = lower.get(brace + 1..).unwrap_or_default();
    let Some(length) = memchr::memchr2(b'}', b'\n', inside) else {
        return;
    };
    let body = inside.get(..length).unwrap_or_default();
    let end = brace + 1 + length;
    if lower.get(end) != Some(&b'}') {
        return;
    }
    let after = lexis::skip_blanks(lower, end + 1);
    let before = lower.get(..open).unwrap_or_default();
    let name = before
        .iter()
        .rposition(|byte| {
            !(byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':' | b'.' | b'-'))
        })
        .map_or(before, |at| before.get(at + 1..).unwrap_or_default());
    let forks =
        !name.is_empty() && has(body, name) && body.iter().any(|byte| matches!(byte, b'|' | b'&'));
    if forks {
        evidence.note_at(Kind::Semantics, 45, "fork-bomb", open..end);
        evidence.note(Kind::Structure, 30, "function-definition");
    } else if name.is_empty() && lower.get(after) == Some(&b';') {
        evidence.note_at(Kind::BreakOut, 45, "shellshock", open..end);
        evidence.note(Kind::Structure, 30, "function-definition");
    }
}

/// `<!--#exec cmd="…"-->` at `at`.
fn server_side_include(lower: &[u8], at: usize, evidence: &mut Evidence) {
    if !lower
        .get(at..)
        .is_some_and(|rest| rest.starts_with(b"<!--#"))
    {
        return;
    }
    let word = run(lower, at + 5, |byte| byte.is_ascii_alphabetic());
    match word {
        b"exec" => {
            evidence.note_at(Kind::BreakOut, 40, "server-side-include", at..at + 9);
            evidence.note(Kind::Semantics, 40, "ssi-exec");
        }
        b"include" | b"echo" | b"printenv" | b"config" | b"fsize" | b"flastmod" | b"set" => {
            evidence.note_at(
                Kind::BreakOut,
                40,
                "server-side-include",
                at..at + 5 + word.len(),
            );
            evidence.note(Kind::Semantics, 25, "ssi-directive");
        }
        _ => {}
    }
}

/// Bytes behind a `()` that are looked at.
const MAX_BODY_BYTES: usize = 256;

/// One pass over the tokens of a value.
struct Walk<'a, 'v> {
    value: &'a Value<'v>,
    lexer: Lexer<'v>,
    separator: Separator,
    separator_at: usize,
    /// No blank stood before the separator.
    attached: bool,

    command: Option<Command>,
    /// Length of the front of the value that holds nothing but quotes, brackets and separators.
    brackets: usize,
    /// Words before the first separator.
    opening: usize,
    separators: usize,
    assigned: bool,
    /// The value begins with a command: a line of a script, as manifests have them.
    opens_with_command: bool,
    commands: u32,
    /// Words since the last separator, but for those passed over behind the first.
    words: usize,
    redirect: bool,
}

impl<'a, 'v> Walk<'a, 'v> {
    fn new(value: &'a Value<'v>) -> Self {
        Self {
            value,
            lexer: Lexer::new(value.lower),
            separator: Separator::Start,
            separator_at: 0,
            attached: false,

            command: None,
            brackets: run(value.lower, 0, is_bracket).len(),
            opening: 0,
            separators: 0,
            assigned: false,
            opens_with_command: false,
            commands: 0,
            words: 0,
            redirect: false,
        }
    }

    fn run(&mut self, evidence: &mut Evidence) {
        while let Some(token) = self.lexer.next() {
            match token {
                Token::Separator(separator) => self.separate(separator, evidence),
                Token::Redirect => {
                    self.redirect = true;
                    server_side_include(self.value.lower, self.lexer.start, evidence);
                    if let Some(command) = &mut self.command {
                        command.args |= Args::REDIRECT;
                    }
                }
                Token::Word if self.lexer.word().is_empty() => {}
                Token::Word => self.word(evidence),
            }
        }
        self.finish(Ending::Value, evidence);
    }

    fn separate(&mut self, separator: Separator, evidence: &mut Evidence) {
        let ending = match separator {
            Separator::Group | Separator::Brace => Ending::Group,
            _ => Ending::Separator,
        };
        if self.command.is_some() {
            self.finish(ending, evidence);
        }
        if separator == Separator::Group {
            self.bracket(evidence);
        }
        // A bracket after a separator keeps it: `; (ls)`.
        let keeps =
            separator == Separator::Group && self.words == 0 && self.separator != Separator::Start;
        if !keeps {
            self.separator = separator;
            self.separator_at = self.lexer.start;
            self.attached = self
                .separator_at
                .checked_sub(1)
                .and_then(|before| self.value.lower.get(before))
                .is_some_and(|byte| !byte.is_ascii_whitespace());
        }
        if separator != Separator::Group {
            self.separators += 1;
        }
        self.words = 0;
        self.redirect = false;
    }

    /// An opening bracket: of a function that runs what is in it, or of a function of the shell.
    fn bracket(&mut self, evidence: &mut Evidence) {
        let lower = self.value.lower;
        let at = self.lexer.start;
        if lower.get(at) != Some(&b'(') {
            return;
        }
        if lower.get(at + 1) == Some(&b')') {
            function_at(lower, at, evidence);
            return;
        }
        let before = lower
            .get(at.saturating_sub(RUNNER_BYTES)..at)
            .unwrap_or_default();
        // The names of all runners end in a letter.
        if !before.last().is_some_and(u8::is_ascii_lowercase) {
            return;
        }
        let name = before
            .iter()
            .rposition(|byte| !(lexis::is_ident(*byte) || matches!(byte, b'.' | b'-')))
            .map_or(before, |last| before.get(last + 1..).unwrap_or_default());
        if name.len() >= 3 && lexis::is_one_of(name, RUNNERS) {
            evidence.note_at(Kind::BreakOut, 30, "call-of-a-shell", at..at + 1);
        }
    }

    fn word(&mut self, evidence: &mut Evidence) {
        self.command_word(evidence);
        // Words that follow where no command stands are passed over at speed.
        if self.command.is_none() && self.words > 0 {
            let passed = self.lexer.skip_words();
            if self.separators == 0 {
                let words = passed.split(|byte| matches!(byte, b' ' | b'\t'));
                self.opening += words.filter(|word| !word.is_empty()).take(3).count();
            }
        }
    }

    fn command_word(&mut self, evidence: &mut Evidence) {
        self.words += 1;
        let word = self.lexer.word();
        if word.starts_with(b"/dev/tcp/") || word.starts_with(b"/dev/udp/") {
            let range = self.lexer.start..self.lexer.at();
            evidence.note_at(Kind::Semantics, 45, "network-device", range);
            evidence.note(Kind::Target, 30, "other-host");
        }
        if self.separators == 0 {
            self.opening += 1;
        }
        if self.command.is_some() {
            self.argument();
            return;
        }
        if self.words > 1 || (self.redirect && self.separator != Separator::Start) {
            return;
        }
        let first = self.value.lower.get(self.lexer.start);
        if matches!(first, Some(b'f' | b'i')) {
            batch::look(self.value.lower, self.lexer.start, evidence);
        }
        self.open(evidence);
    }

    /// A word in command position.
    fn open(&mut self, evidence: &mut Evidence) {
        let word = self.lexer.word();
        // Most words stand for themselves, and are no command.
        if !word.iter().any(|byte| TELLING[usize::from(*byte)]) && trade(word).is_none() {
            if word.len() <= LONGEST_KEYWORD && KEYWORDS.contains(&word) {
                self.words = 0;
            }
            return;
        }
        if let Some(equals) = word.iter().position(|byte| *byte == b'=')
            && equals > 0
            && word
                .get(..equals)
                .is_some_and(|name| name.iter().all(|byte| lexis::is_ident(*byte)))
        {
            // `x=…`: the command is still to come, and `$x` may be it.
            self.assigned = true;
            self.words = 0;
            return;
        }
        if self.assigned && word.first() == Some(&b'$') && word.len() > 1 && self.separators > 0 {
            evidence.note_at(
                Kind::Structure,
                35,
                "variable-run",
                self.lexer.start..self.lexer.at(),
            );
            evidence.note(Kind::Evasion, 30, "command-in-variable");
        }
        let marks = self.lexer.marks;
        if globbed_path(word, marks) {
            evidence.note_at(
                Kind::Evasion,
                45,
                "globbed-command",
                self.lexer.start..self.lexer.at(),
            );
            evidence.note(Kind::Semantics, 25, "globbed-path");
        }
        let (name, path) = base_name(word);
        let shell_variable = matches!(word, b"$shell" | b"$0" | b"%comspec%" | b"$bash");
        let known = if shell_variable {
            Some(Trade::Interpreter)
        } else {
            trade(name)
        };
        let known = known.or(
            if in_bin(word) || (word.len() > 4 && word.ends_with(b".exe")) {
                Some(Trade::Binary)
            } else {
                None
            },
        );
        let Some(trade) = known else {
            if KEYWORDS.contains(&name) {
                self.words = 0;
            }
            return;
        };
        if trade == Trade::Prefix {
            // `sudo id`: the command is the next word.
            self.words = 0;
        }
        if trade == Trade::Prefix
            && !matches!(
                name,
                b"start" | b"exec" | b"time" | b"command" | b"nice" | b"su"
            )
        {
            return;
        }
        if trade == Trade::Prefix {
            return;
        }
        self.command = Some(Command {
            trade,
            separator: self.separator,
            start: self.lexer.start,
            args: Args::empty(),
            count: 0,
            marks,
            path: path || shell_variable,
            windows: matches!(
                name,
                b"cmd"
                    | b"powershell"
                    | b"pwsh"
                    | b"mshta"
                    | b"certutil"
                    | b"bitsadmin"
                    | b"rundll32"
                    | b"regsvr32"
            ),
            brief: name.len() <= 2 && !self.is_substitution_alone(),
        });
    }

    /// `$(id)` and nothing else: a selector of jQuery stands in a script.
    fn is_substitution_alone(&self) -> bool {
        self.separator == Separator::Substitution
            && self.value.lower.trim_ascii().len() <= BRIEF_SUBSTITUTION_BYTES
    }

    fn argument(&mut self) {
        let word = self.lexer.word();
        if word.first() == Some(&b'#') {
            return;
        }
        let marks = self.lexer.marks;
        let args = classify(word, marks);
        if let Some(command) = &mut self.command {
            command.args |= args;
            command.count += 1;
            command.marks |= marks & (Marks::EXPANDED | Marks::BRACE);
            if marks.contains(Marks::BROKEN) && args.intersects(Args::PATH | Args::SENSITIVE) {
                command.marks |= Marks::BROKEN;
            }
        }
    }

    /// The end of a command: what was it worth?
    fn finish(&mut self, ending: Ending, evidence: &mut Evidence) {
        let Some(command) = self.command.take() else {
            return;
        };
        let Some((weight, name)) = plausible(&command, ending, self.commands) else {
            return;
        };
        self.commands += 1;
        self.opens_with_command |= command.separator == Separator::Start;
        evidence.note_at(
            Kind::Semantics,
            weight,
            name,
            command.start..self.lexer.start,
        );
        self.note_break_out(&command, ending, evidence);
        self.note_target(&command, evidence);
        if self.commands > 1
            && !matches!(command.separator, Separator::Newline | Separator::Group)
            && !self.is_pipeline(&command)
        {
            evidence.note(Kind::Structure, 10, "several-commands");
        }
        if command.trade == Trade::Admin && command.args.contains(Args::KNOWN) && command.count >= 3
        {
            evidence.note(Kind::Structure, 20, "admin-verb");
        }
        if command.windows && command.count >= 2 && command.args.contains(Args::OPTION) {
            evidence.note(Kind::Structure, 25, "windows-shell");
        }
        if command.marks.intersects(Marks::BROKEN | Marks::EXPANDED) {
            evidence.note(Kind::Evasion, 35, "broken-word");
        }
        if command.separator == Separator::Brace {
            evidence.note(Kind::Evasion, 35, "brace-list");
        }
        if self.value.hints.contains(Hints::COMMAND) && self.separators > 0 {
            evidence.note(Kind::Hint, 5, "command-name");
        }
    }

    /// True where a value is a pipeline from its first word on: that is one command.
    fn is_pipeline(&self, command: &Command) -> bool {
        command.separator == Separator::Pipe && self.opens_with_command
    }

    fn note_break_out(&self, command: &Command, ending: Ending, evidence: &mut Evidence) {
        let before = self
            .value
            .lower
            .get(..self.separator_at)
            .unwrap_or_default()
            .trim_ascii_end();
        let only_brackets = self.separator_at <= self.brackets;
        let quote_closed = match before.last() {
            // Lines hold strings of their own; one of odd quotes ends a string around the value.
            Some(quote @ (b'\'' | b'"'))
                if command.separator == Separator::Newline && before.len() <= HEAD_BYTES =>
            {
                memchr::memchr_iter(*quote, before).count() % 2 == 1
            }
            last => matches!(last, Some(b'\'' | b'"' | b')')),
        };
        let (weight, name) = match command.separator {
            Separator::Start => return,
            Separator::Substitution => (35, "command-substitution"),
            Separator::Backtick if only_brackets => (35, "backtick"),
            Separator::Backtick if self.attached => (30, "backtick"),
            Separator::Backtick => (10, "backtick"),
            _ if only_brackets => (35, "leading-separator"),
            _ if quote_closed && self.opening <= 2 => (30, "quote-then-separator"),
            Separator::Newline if self.opening > 1 => (5, "line-break"),
            Separator::Group | Separator::Brace if self.opening > 1 => (5, "group"),
            _ if self.opening <= 1 && !self.opens_with_command => (30, "separator-after-word"),
            _ => (15, "separator"),
        };
        evidence.note_at(
            Kind::BreakOut,
            weight,
            name,
            self.separator_at..command.start,
        );
        if ending == Ending::Separator && command.count == 0 && !self.is_pipeline(command) {
            evidence.note(Kind::Terminator, 10, "separator-behind");
        }
        // A value that begins like this, and is over with the command, is a command to be appended.
        let appends = matches!(command.separator, Separator::Semicolon | Separator::And);
        if only_brackets && appends && ending == Ending::Value {
            evidence.note(Kind::Position, 5, "whole-value");
        }
    }

    fn note_target(&self, command: &Command, evidence: &mut Evidence) {
        let args = command.args;
        if args.contains(Args::SENSITIVE) {
            evidence.note(Kind::Target, 35, "sensitive-file");
        } else if args.contains(Args::SHELL) {
            evidence.note(Kind::Target, 35, "shell-handed-over");
        } else if command.trade == Trade::File && args.contains(Args::OPTION | Args::ROOT) {
            evidence.note(Kind::Target, 30, "all-files");
        } else if command.trade == Trade::Net && args.intersects(Args::URL | Args::ADDRESS) {
            evidence.note(Kind::Target, 15, "other-host");
        } else if matches!(command.trade, Trade::Interpreter | Trade::Binary)
            && command.path
            && args.contains(Args::OPTION)
        {
            evidence.note(Kind::Target, 25, "program-by-path");
        }
    }
}

/// What an attacker writes to leave the place that a value is put in.
fn is_bracket(byte: u8) -> bool {
    byte.is_ascii_whitespace()
        || matches!(
            byte,
            b'\''
                | b'"'
                | b')'
                | b'}'
                | b']'
                | b'\\'
                | b';'
                | b'|'
                | b'&'
                | b'`'
                | b'$'
                | b'('
                | b'{'
                | b'/'
                | b'<'
                | b'>'
                | b'%'
                | 0x1b
        )
}

/// Bytes of `$(id)`.
const BRIEF_SUBSTITUTION_BYTES: usize = 5;
/// Bytes before a line whose quotes are counted.
const HEAD_BYTES: usize = 512;
/// Bytes of the longest of [`RUNNERS`], and one more.
const RUNNER_BYTES: usize = 26;

/// Bytes of a word that may be more than its name: an assignment, a variable, a directory, an extension, a prefix.
static TELLING: [bool; 256] = table::of(b"=$%/\\.@+");

const LONGEST_KEYWORD: usize = 5;
const KEYWORDS: &[&[u8]] = &[
    b"then", b"do", b"else", b"if", b"while", b"until", b"!", b"@", b".", b"-",
];

/// The tokens of a value in ASCII lower case, for an explanation.
pub(super) fn tokens(lower: &[u8]) -> Vec<(String, std::ops::Range<usize>)> {
    let mut lexer = Lexer::new(lower);
    let mut tokens = Vec::new();
    while let Some(token) = lexer.next() {
        let (at, marks) = (lexer.start..lexer.at(), lexer.marks);
        let kind = match token {
            Token::Word if marks.is_empty() => "Word".to_owned(),
            Token::Word => format!("Word({marks:?})"),
            Token::Separator(_) | Token::Redirect => format!("{token:?}"),
        };
        if at.is_empty() {
            break;
        }
        tokens.push((kind, at));
    }
    tokens
}
