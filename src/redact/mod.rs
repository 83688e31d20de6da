//! Redaction: sensitive values of a message are masked in flight, every other byte stays as it was.
//!
//! - [`profile`] — which entities, how each is masked, which places an operator names
//! - [`redactor`] — [`Redactor`]: bytes of a body in, bytes of the edited body out, as they settle
//! - [`head`] — header fields, cookies and query strings, by policy
//! - [`selector`] — places that an operator names
//! - [`operator`] — the mask styles and how a mask is written in each host syntax
//! - [`sanitize`] — structure that attacks its reader is cut out, for profiles that say so
//! - [`plan`] — sorted, disjoint edits
//! - [`rewriter`] — the streaming splice
//! - `removal`, `pairs` — members and elements of JSON that go with their commas, pairs of a form
//! - `editor` — from leaves to edits; `known` — what names say; `nested` and `blob` — JSON and base64 inside strings
//! - `format` — which reader reads a body: `text`, `csv`, `markup` (with `outline` and `entity`), `multipart`, and those
//!   of [`crate::inspect`]
//! - `unsure` — what the first bytes say where the type does not; `recoded` — parts in a transfer encoding; `veil` —
//!   what is masked whole
//!
//! Detection itself (field rules, content detectors, validators) lives in [`crate::inspect::sensitive`].

mod blob;
mod csv;
mod editor;
mod entity;
mod format;
pub mod head;
mod known;
mod markup;
mod multipart;
mod nested;
pub mod operator;
mod outline;
mod pairs;
pub mod plan;
pub mod profile;
mod recoded;
pub mod redactor;
mod removal;
pub mod rewriter;
pub mod sanitize;
pub mod selector;
mod text;
mod unsure;
mod veil;

pub use format::type_by_name;
pub use head::{HeadEdit, redact_head};
pub use operator::{Mask, TokenKey};
pub use profile::{Despite, Heads, Mode, Profile, ProfileError, Recode, SELECTED, Unread};
pub use redactor::{Action, EditNote, MAX_NOTES, Redactor, Summary};
pub use rewriter::Seam;
pub use sanitize::{Document, Sanitized, Sanitizer};
pub use selector::Selector;
