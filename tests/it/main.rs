//! Behaviour tests: one binary, a module a theme.

mod house;
mod oracles;
mod protocol;
mod scan;
mod server;
mod signatures;
mod structure;
