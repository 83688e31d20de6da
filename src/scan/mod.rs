//! One message: its heads, its URL and its body, from bytes to verdict. Knows neither sockets nor ICAP nor clocks.
//!
//! ```text
//!            push(Bytes) ─► step() ─► Busy        one window of work was done, call again (yield in between)
//!                                    NeedInput   all that was pushed is inspected
//!                                    Decided     a block stands; more input changes nothing
//!                                    Offload     heavy work waits: take_job(), run it elsewhere, job_done(), go on
//!   end(Ended) ─► step() … ─► Done    the verdict is final
//! ```
//!
//! With a redacting profile [`Scan::released`] yields the bytes of the edited message as they settle; everything that
//! it yields, in order, is the whole edited body.
//!
//! | file | idea |
//! |---|---|
//! | [`ruleset`] | what all scans of a snapshot share: signatures, detectors, digest |
//! | `message` | the facts of a message that are not in its body |
//! | `obstacle` | what forbids editing a body |
//! | `pipeline` | [`Scan`]: stack → parts → findings → judge |
//! | `glance` | what a preview alone is enough for |
//! | `router` | drives the inspectors of the parts |
//! | `part` | the inspectors of one part, and which ones it gets |
//! | `known` | names that were looked at before and hold nothing |
//! | `routine` | fields of a head that were looked at before and hold nothing |
//! | `leaves` | where a value goes: detectors, signatures, blobs |
//! | `members` | names of JSON members, for baselines |
//! | `blob` | values that are files themselves: base64, data URIs |
//! | `workspace` | readers and buffers, reused from message to message |
//! | `cleaning` | the body's way through the sanitizer |
//! | `redaction` | the body's way through the redactor and back into its codings |
//! | `veils` | what was found where only a mask over all of it reaches |
//! | `report` | everything that is known at the end |

mod blob;
mod cleaning;
mod glance;
mod known;
mod leaves;
mod members;
mod message;
mod obstacle;
mod part;
mod pipeline;
mod redaction;
mod report;
mod router;
mod routine;
pub mod ruleset;
mod veils;
mod workspace;

pub use message::Message;
pub use pipeline::{Job, JobResult, Scan};
pub use report::{Judged, Report, Uninspected};
pub use ruleset::{Ruleset, RulesetError};

/// What the caller does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// One window of work was done and more waits: call [`Scan::step`] again, after letting others run.
    Busy,
    /// Everything pushed so far is inspected.
    NeedInput,
    /// The verdict is a block already; no further input can change it.
    Decided,
    /// Heavy work waits: take it with [`Scan::take_job`].
    Offload,
    /// The verdict is final.
    Done,
}

/// How the body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By its framing.
    Complete,
    /// The peer went away or broke its framing.
    Truncated,
}
