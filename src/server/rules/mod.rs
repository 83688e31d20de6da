//! The life of rules in a server, shared by the command line and the admin API.
//!
//! ```text
//! load ─► aside ─► examination     from the configuration to compiled rules
//! update ─► fetch                  a pack into the store
//! changes ─► overlay               what the admin API may do to the set in force
//! catalogue                        what is loaded, and how often each rule was met
//! report                           examples, for people and for pipelines
//! ```

pub mod aside;
pub mod catalogue;
pub(super) mod changes;
pub mod examination;
pub mod fetch;
pub mod load;
pub mod overlay;
pub mod report;
pub mod update;
