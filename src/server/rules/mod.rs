//! The life of rules in a server, shared by the command line and the admin API.
//!
//! ```text
//! catalogue   what is loaded, and how often each rule was met
//! ```

pub mod catalogue;
