//! Sensitive values: card numbers, passwords, keys, addresses and the like.
//!
//! ```text
//! catalog   the rules of signatures/entity, compiled: patterns, keywords, shapes, names
//! check     validators, the last word on a candidate
//! name      field names as words, matched from their end
//! glance    tells of most texts that they hold nothing
//! keyword   literals that say where to look, all at once
//! place     where in a text a value or a keyword may begin
//! shape     what the first bytes of values look like, all at once
//! pattern   regular expressions: how far a value reaches
//! value     where a value ends, and whether it is one
//! around    the words before a value, and where it may begin and end
//! scanner   layer 1 (fields by name) and layer 2 (content) over one decoded value
//! label     names inside running text: `password: …`, `born on …`
//! ```
//!
//! Everything works on decoded values; where they lie in the raw bytes is the caller's business.

mod around;
pub mod catalog;
pub mod check;
mod glance;
mod keyword;
mod label;
pub mod name;
mod pattern;
mod place;
pub mod scanner;
mod shape;
mod value;

pub use catalog::{Catalog, CatalogError, Entity};
pub use place::Opening;
pub use scanner::{Hit, Scanner, Stretch};
