//! Which readers look into a part: decided once, on its first window.

use crate::anomaly::Anomaly;

use super::Limits;
use super::node::Node;
use super::reader::{Child, Reader};
use super::sniff::{Type, sniff};

/// What the first window of a part says.
pub(super) struct Found {
    pub(super) sniffed: Type,
    pub(super) utf8: bool,
    pub(super) anomalies: [Option<Anomaly>; 2],
    pub(super) readers: [Option<(Reader, Option<Child>)>; 3],
}

/// Looks at the first window of `node`.
pub(super) fn look(window: &[u8], _node: &Node, _limits: &Limits) -> Found {
    Found {
        sniffed: sniff(window),
        utf8: true,
        anomalies: [None; 2],
        readers: [None, None, None],
    }
}
