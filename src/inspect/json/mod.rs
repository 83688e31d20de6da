//! JSON (RFC 8259): a push tokenizer and a reader of leaves and of structural misdeeds.
//!
//! - `token` — [`Tokenizer`]: windows in, [`Sink`] events out; strict verdict as [`Fault`]s, tolerant reading after one
//! - `reader` — [`Reader`]: keeps the path, decodes strings, emits leaves, records findings
//! - `keys` — names seen in the open objects: duplicates and collisions
//! - `string` — escapes of strings undone, across windows
//! - `number` — which numbers a reader cannot represent

mod reader;
mod token;

pub use reader::{Document, Framing, Limits, Reader};
pub use token::{Fault, Fragment, Mark, Role, Scalar, Sink, Tokenizer};
