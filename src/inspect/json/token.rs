//! The push tokenizer: no tree, no recursion, no memory but a bit stack.

/// Receives tokens in document order. Offsets count from the first byte of the document.
pub trait Sink {
    /// `{`, `}`, `[`, `]`, `:` or `,` at `at`.
    fn mark(&mut self, mark: Mark, at: u64);
    /// A piece of a string, between its quotes and with its escapes.
    fn string(&mut self, role: Role, fragment: Fragment<'_>);
    /// A piece of a number, a literal or of something that is neither.
    fn scalar(&mut self, scalar: Scalar, fragment: Fragment<'_>);
    /// The text is not RFC 8259 at `at`; reading goes on.
    fn fault(&mut self, fault: Fault, at: u64);
}

/// A structural character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mark {
    /// `{`
    OpenObject,
    /// `}`
    CloseObject,
    /// `[`
    OpenArray,
    /// `]`
    CloseArray,
    /// `:`
    Colon,
    /// `,`
    Comma,
}

/// What a string stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// A member name.
    Key,
    /// A value.
    Value,
}

/// What a token without quotes is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scalar {
    /// A number (its grammar is checked; a wrong one is a [`Fault`]).
    Number,
    /// `true`, `false`, `null`.
    Literal,
    /// Anything else: bare words, comments.
    Other,
}

/// Raw bytes of a token, as many as one window held. A token that lies in one window comes as one fragment that is
/// first and last.
#[derive(Clone, Copy, Debug)]
pub struct Fragment<'a> {
    /// Raw bytes. An escape or a character may be cut at the edge of a window.
    pub raw: &'a [u8],
    /// Offset of the first of them.
    pub at: u64,
    /// Begins the token.
    pub first: bool,
    /// Ends the token.
    pub last: bool,
    /// A backslash is among the bytes.
    pub escaped: bool,
}

/// How a text breaks RFC 8259.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// A token where the grammar has none.
    Syntax,
}

/// Splits JSON text into tokens.
#[derive(Debug, Default)]
pub struct Tokenizer {}

impl Tokenizer {
    /// Begins a new document; keeps memory.
    pub fn reset(&mut self) {}

    /// Reads one window, of any size.
    pub fn push<S: Sink + ?Sized>(&mut self, _window: &[u8], _sink: &mut S) {}

    /// Ends the document.
    pub fn finish<S: Sink + ?Sized>(&mut self, _sink: &mut S) {}
}
