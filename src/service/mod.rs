//! One ICAP transaction, sans-IO.

pub mod outcome;
