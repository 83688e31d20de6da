//! The decode graph: in which other forms a back end may read a value.

/// One decoder, as it is named in a finding's chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decoder {
    /// `%41`, `%u0041`, `+`.
    Percent,
    /// `&lt;`, `&#60`, `&#x3c;`.
    Entity,
    /// `\x41`, `\u0041`, `\u{41}`, `\101`.
    Escape,
    /// Base64 and base64url.
    Base64,
    /// Pairs of hex digits.
    Hex,
    /// Strings of a JSON document.
    Json,
    /// Text of an XML document.
    Xml,
    /// Values of a form.
    Form,
    /// Overlong, full-width and circled characters, folded to ASCII.
    Unicode,
}

impl Decoder {
    /// The name in a chain.
    pub fn name(self) -> &'static str {
        match self {
            Self::Percent => "percent",
            Self::Entity => "entity",
            Self::Escape => "escape",
            Self::Base64 => "base64",
            Self::Hex => "hex",
            Self::Json => "json",
            Self::Xml => "xml",
            Self::Form => "form",
            Self::Unicode => "unicode",
        }
    }
}
