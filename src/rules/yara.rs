//! `yara/*.yar`: YARA files as text, one namespace a file. Parsing and compiling is the engine's (`inspect::yara`).

use std::sync::Arc;

use crate::rules::Mode;

/// One YARA file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct YaraFile {
    /// Its path in the bundle, without the extension: the namespace of its rules.
    pub namespace: Arc<str>,
    /// The path as operators know it, for messages.
    pub shown: Box<str>,
    /// Its text. Bytes that are not UTF-8 were replaced: they can only stand in comments and meta values, since
    /// libyara's grammar wants escapes elsewhere.
    pub text: Arc<str>,
    /// How matches count unless a rule's own `mode` says otherwise.
    pub mode: Mode,
}
