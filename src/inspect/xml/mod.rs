//! XML 1.0 and Namespaces: a push tokenizer and a reader of leaves and of structural misdeeds.
//!
//! Entities are declared, counted and never expanded; nothing is ever fetched.

mod reader;

pub use reader::{Document, Limits, Reader};
