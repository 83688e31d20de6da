//! ICAP/1.0 (RFC 3507 with its errata, 206, trailers) as a sans-IO server side: bytes in, [`Event`]s out; answers in,
//! bytes out. No sockets, no clock.
//!
//! ```text
//! connection      the state machine of one connection: order, preview, 100, drain, keep-alive
//! ├─ request      request line, URI, the header fields that mean something
//! │  └─ encapsulated   which sections follow, and where
//! ├─ chunked      the body's framing
//! └─ response     status line, ISTag, sections ◄── istag · options
//! error           what a peer can do wrong, each misdeed a variant with status, scope and code
//! limits          how much of everything is accepted
//! ```

pub mod chunked;
pub mod connection;
pub mod encapsulated;
pub mod error;
pub mod istag;
pub mod limits;
pub mod options;
mod outbox;
pub mod request;
pub mod response;
pub mod uri;

pub use connection::{Connection, Event, Phase, Wants};
pub use encapsulated::{BodySection, Encapsulated, EncapsulatedError};
pub use error::{ProtocolError, Scope};
pub use istag::IsTag;
pub use limits::Limits;
pub use request::{Allow, Method, Request};
pub use response::{BodyEnding, Response, Status};
pub use uri::{Scheme, Uri};
