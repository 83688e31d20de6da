//! Behaviour tests: one binary, a module a theme.

mod cases;
mod corpus;
mod documents;
mod evasions;
#[path = "../../fuzz/src/lib.rs"]
mod fuzz;
mod house;
mod oracles;
mod protocol;
mod redact;
mod redactor;
mod sanitize;
mod scan;
mod server;
mod signatures;
mod steady;
mod structure;
