//! **sluice**: an ICAP (RFC 3507) server that scans HTTP payloads while they stream.
//!
//! # The map
//!
//! A module imports only from lower rows; `tests/it/house.rs` reads the sources and fails on an upward arrow.
//!
//! ```text
//! cli                                          clap, anyhow
//! server   config   telemetry   probe          tokio, tokio-rustls, arc-swap | serde, toml | tracing-subscriber, prometheus-client
//! outgoing       HTTP requests of our own       hyper, tokio, tokio-rustls
//! service        one ICAP transaction, sans-IO
//! scan           one message (heads, URL, body), sans-IO
//! policy ► redact
//! inspect        detectors                     aho-corasick, regex-automata, boreal (one adapter file each)
//! content        what a body is                flate2, brotli, zstd, encoding_rs
//! icap   http1   rules                         nom, bytes | nom | serde, toml
//! wire           heads and field lines         nom, memchr
//! span   paced   shelf   budget ► anomaly      std only
//! ```
//!
//! # Laws
//!
//! 1. Bytes in, bytes out, no sockets and no clock below `server`.
//! 2. Each fact is parsed once, into a type that cannot be wrong; raw bytes are kept for forwarding.
//! 3. What is scanned is what is forwarded. What we cannot read as the peer will is an [`anomaly::Anomaly`],
//!    and `policy`, in one place, says open or closed. Default closed, never silent.
//! 4. The verdict is a function of the stream, not of its pieces.
//! 5. Every buffer has an owner, a limit and an anomaly for when the limit is hit.
//! 6. One outcome per transaction: wire answer, metrics, trace and audit record are renderings of it.
//! 7. One immutable snapshot behind one atomic pointer; a transaction pins it once.
//! 8. The core (`scan`) does not know ICAP.
//! 9. Signatures are data, in `signatures/`.
//! 10. A panic in one transaction ends that transaction, never the server.

pub mod anomaly;
pub mod budget;
pub mod paced;
pub mod shelf;
pub mod span;

pub mod wire;

pub mod http1;
pub mod icap;
pub mod rules;

pub mod content;

pub mod inspect;

pub mod policy;
pub mod redact;

pub mod scan;

pub mod service;

pub mod outgoing;

pub mod config;
pub mod telemetry;

// No fuzz target goes there, and instrumenting what they are built on takes minutes.
#[cfg(not(fuzzing))]
pub mod cli;
#[cfg(not(fuzzing))]
pub mod probe;
#[cfg(not(fuzzing))]
pub mod server;
