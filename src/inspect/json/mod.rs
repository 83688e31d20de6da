//! JSON (RFC 8259): a push tokenizer and a reader of leaves and of structural misdeeds.
//!
//! - `token` — [`Tokenizer`]: windows in, [`Sink`] events out; strict verdict as [`Fault`]s, tolerant reading after one
//! - `reader` — [`Reader`]: keeps the path, decodes strings, emits leaves, records findings; `compare`: names and values
//! - `string` — escapes of strings undone, across windows
//! - `keys` — names seen in the open objects: duplicates and collisions
//! - `number` — which numbers a reader cannot represent
//! - `rule` — the findings

mod keys;
mod number;
mod reader;
mod rule;
mod string;
mod token;

pub use reader::{Document, Framing, Limits, MOST_BREAKS, Patience, Purpose, Reader};
pub use token::{Fault, Fragment, Mark, Role, Scalar, Sink, TRACKED_LEVELS, Tokenizer};
