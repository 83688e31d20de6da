//! Facts about content that keep us from reading it as the peer will.
//!
//! An anomaly is neither an error nor a verdict: `policy` decides, per profile, whether it is let through (open) or
//! blocked (closed). Every anomaly is counted and logged under its [`code`](Anomaly::code).

use std::fmt;

macro_rules! anomalies {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal,)+) => {
        /// Something that kept the content, or a part of it, from being fully inspected or read in one way only.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Anomaly {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Anomaly {
            /// All of them, in order of declaration.
            pub const ALL: &'static [Anomaly] = &[$(Anomaly::$name,)+];

            /// The stable kebab-case name used in configuration, logs and metrics.
            pub fn code(self) -> &'static str {
                match self {
                    $(Anomaly::$name => $code,)+
                }
            }
        }
    };
}

anomalies! {
    /// The body ended before its framing said so.
    TruncatedBody = "truncated-body",
    /// The body is larger than the profile's limit.
    BodyTooLarge = "body-too-large",
    /// A content-coding that we do not know.
    UnknownCoding = "unknown-coding",
    /// A declared content-coding whose data is corrupt or cut short.
    BrokenCoding = "broken-coding",
    /// A declared content-coding that the body does not have.
    CodingMismatch = "coding-mismatch",
    /// Bytes after the end of a coded stream.
    TrailingData = "trailing-data",
    /// More stacked content-codings than the limit.
    TooManyCodings = "too-many-codings",
    /// More gzip members or zstd frames than the limit.
    TooManyMembers = "too-many-members",
    /// Decoded bytes over the limit.
    DecodedTooLarge = "decoded-too-large",
    /// Decoded to encoded ratio over the limit.
    RatioTooHigh = "ratio-too-high",
    /// A zstd or brotli window over the limit.
    CodingWindowTooLarge = "coding-window-too-large",
    /// A charset that we do not know.
    UnknownCharset = "unknown-charset",
    /// Bytes that are not valid in the charset.
    BrokenCharset = "broken-charset",
    /// Charset by BOM, declaration and Content-Type disagree.
    CharsetConflict = "charset-conflict",
    /// A multipart body that breaks its grammar (no boundary, no end, bad part header).
    BrokenMultipart = "broken-multipart",
    /// More parts than the limit.
    TooManyParts = "too-many-parts",
    /// An archive that is broken or contradicts itself.
    BrokenArchive = "broken-archive",
    /// An archive member that is encrypted.
    EncryptedArchive = "encrypted-archive",
    /// An archive format or compression method that we cannot open.
    UnsupportedArchive = "unsupported-archive",
    /// Parts nested deeper than the limit.
    TooDeep = "too-deep",
    /// A transfer encoding inside a document (base64, quoted-printable) that is broken.
    BrokenEncoding = "broken-encoding",
    /// A document over a structural limit of its parser (depth, count, name length).
    StructureLimit = "structure-limit",
    /// A value too long, or decode layers too many, to be looked at in full.
    DecodeLimit = "decode-limit",
    /// Inspected in windows instead of whole: `filesize`, `uintN` and module conditions were not evaluated exactly.
    Windowed = "windowed",
    /// More matches than are recorded.
    TooManyMatches = "too-many-matches",
    /// The time allowed for scanning one body is over.
    ScanTimeout = "scan-timeout",
    /// An engine failed.
    EngineFailure = "engine-failure",
    /// No worker was free for the finishing work.
    Overload = "overload",
    /// The process-wide memory budget is exhausted.
    MemoryBudget = "memory-budget",
    /// The spool is full or failed.
    SpoolFailure = "spool-failure",
    /// A `206` or `Content-Range` fragment: a signature may lie across its edges.
    PartialContent = "partial-content",
    /// The HTTP head contradicts itself or breaks its grammar.
    HeadConflict = "head-conflict",
    /// A redaction was due where no edit can reach.
    UnreachableEdit = "unreachable-edit",
    /// A body, or a part of one, that the redactor has no reader for: pictures, programs, compressed data.
    UnreadContent = "unread-content",
    /// A redaction was due on a message that must not be changed (`no-transform`).
    EditForbidden = "edit-forbidden",
    /// A redaction was due on a message whose body is signed.
    SignedContent = "signed-content",
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl std::str::FromStr for Anomaly {
    type Err = UnknownAnomaly;

    fn from_str(code: &str) -> Result<Self, UnknownAnomaly> {
        Self::ALL
            .iter()
            .copied()
            .find(|anomaly| anomaly.code() == code)
            .ok_or(UnknownAnomaly)
    }
}

/// No anomaly has that code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no anomaly has that name")]
pub struct UnknownAnomaly;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_parse_back() {
        for anomaly in Anomaly::ALL {
            assert_eq!(anomaly.code().parse(), Ok(*anomaly));
        }
    }
}
