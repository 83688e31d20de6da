//! Leaves of a message's head: the target's path and query, field values, cookies.
//!
//! The caller splits the head (`http1`); this room only knows which values an attacker would use and how they decode.

use crate::inspect::Findings;
use crate::inspect::leaf::LeafSink;

/// Reads the heads of one message after another; keeps its memory between them.
#[derive(Debug, Default)]
pub struct Reader {}

impl Reader {
    /// The path of the request target, raw, without its query. `base` is its offset in the head.
    pub fn path<S: LeafSink + ?Sized>(&mut self, raw: &[u8], base: u64, sink: &mut S) {
        let _ = (raw, base, sink);
    }

    /// The query of the request target, raw, without its `?`. `base` is its offset in the head.
    pub fn query<S: LeafSink + ?Sized>(
        &mut self,
        raw: &[u8],
        base: u64,
        out: (&mut S, &mut Findings),
    ) {
        let _ = (raw, base, out.0, out.1);
    }

    /// One field line: its name, its value without the white space around it, and the value's offset in the head.
    /// Fields that say how the message travels (lengths, dates, caching …) yield no leaf; `Cookie` yields one a cookie.
    pub fn field<S: LeafSink + ?Sized>(
        &mut self,
        name: &[u8],
        value: &[u8],
        base: u64,
        sink: &mut S,
    ) {
        let _ = (name, value, base, sink);
    }
}
