//! Heads and field lines, as ICAP and HTTP/1 share them: where a head ends, which lines it has, how they are edited.
//!
//! [`framing`] finds the end of a head without reading a byte twice; [`grammar`] holds the byte classes and the small
//! parsers; [`fields`] indexes field lines in place and edits them byte-faithfully; [`pieces`] queues what a body comes
//! in. Nothing here judges: what departs from the grammar is a [`Deviations`] bit, which is an error on the ICAP level
//! and a fact on the HTTP level.

pub mod fields;
pub mod framing;
pub mod grammar;
pub mod pieces;

pub use fields::Fields;
pub use pieces::Pieces;

bitflags::bitflags! {
    /// Ways in which a head departs from its grammar or contradicts itself.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Deviations: u32 {
        /// A field value goes on in a line that begins with white space (RFC 9112 §5.2).
        const OBS_FOLD = 1;
        /// CR that is not followed by LF.
        const BARE_CR = 1 << 1;
        /// LF that does not follow CR.
        const BARE_LF = 1 << 2;
        /// A NUL byte.
        const NUL = 1 << 3;
        /// Another control byte in a value.
        const CONTROL = 1 << 4;
        /// White space between a field name and its colon (RFC 9112 §5.1).
        const SPACE_BEFORE_COLON = 1 << 5;
        /// A line without a colon.
        const NO_COLON = 1 << 6;
        /// A field name that is empty or has bytes outside `token`.
        const BAD_NAME = 1 << 7;
        /// The first field line begins with white space: a fold of nothing.
        const LEADING_FOLD = 1 << 8;
        /// A start line outside the grammar.
        const BAD_START_LINE = 1 << 9;
        /// Several `Content-Length` values that differ.
        const LENGTH_CONFLICT = 1 << 10;
        /// A `Content-Length` that is not a decimal number.
        const BAD_LENGTH = 1 << 11;
        /// `Content-Length` beside `Transfer-Encoding`.
        const LENGTH_AND_CODING = 1 << 12;
        /// Several `Host` lines.
        const HOST_CONFLICT = 1 << 13;
        /// Several `Content-Type` lines that differ.
        const TYPE_CONFLICT = 1 << 14;
        /// A `Transfer-Encoding` other than `chunked` or `identity`.
        const ODD_TRANSFER_CODING = 1 << 15;
        /// `Transfer-Encoding` that frames twice, or not at its end: `chunked` more than once or before another coding,
        /// or something that is no name (RFC 9112 §6.1).
        const CODING_CONFLICT = 1 << 16;
    }
}

impl Deviations {
    /// Those that let two readers see two different messages. Folds and control bytes are not among them, nor is the
    /// `Transfer-Encoding` that gateways leave beside a length.
    pub const AMBIGUOUS: Deviations = Deviations::BARE_CR
        .union(Deviations::BARE_LF)
        .union(Deviations::NUL)
        .union(Deviations::SPACE_BEFORE_COLON)
        .union(Deviations::NO_COLON)
        .union(Deviations::BAD_NAME)
        .union(Deviations::LEADING_FOLD)
        .union(Deviations::BAD_START_LINE)
        .union(Deviations::LENGTH_CONFLICT)
        .union(Deviations::BAD_LENGTH)
        .union(Deviations::HOST_CONFLICT)
        .union(Deviations::TYPE_CONFLICT)
        .union(Deviations::CODING_CONFLICT);
}
