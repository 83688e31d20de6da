//! XML 1.0 and Namespaces: a push tokenizer and a reader of leaves and of structural misdeeds.
//!
//! Entities are declared, counted and never expanded; nothing is ever fetched.
//!
//! - `token` — [`Tokenizer`]: windows in, [`Sink`] events out; tolerant reading after a [`Fault`]
//! - `reader` — [`Reader`]: keeps the path, emits leaves, records findings; `element`: its tags; `content`: its text
//! - `reference` — references decoded, across windows
//! - `doctype`, `entity` — the document type declaration by its grammar; entity growth by arithmetic
//! - `namespace` — prefixes resolved, as far as a misdeed depends on them
//! - `place` — where identifiers and hints point to
//! - `published` — document types that everyone knows
//! - `embedded` — document type declarations inside text
//! - `rule` — the findings

mod content;
mod doctype;
mod element;
mod embedded;
mod entity;
mod namespace;
mod place;
mod published;
mod reader;
mod reference;
mod rule;
mod token;

pub use embedded::{Embedded, embedded};
pub use reader::{Document, Limits, Reader};
pub use token::{Fault, Fragment, Kind, Sink, TagEnd, Tokenizer};
