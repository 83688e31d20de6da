//! The embedded HTTP/1 heads: read for inspection, kept raw for forwarding.
//!
//! These heads are the origin's or the browser's traffic. Whatever is odd about them is a fact
//! ([`Deviations`](crate::wire::Deviations)) that policy judges, not an error of the ICAP client.

pub mod head;
pub mod media_type;
pub mod target;

pub use head::{RequestHead, ResponseHead};
pub use media_type::MediaType;
pub use target::Target;
