//! Which readers look into a part: decided once, on its first window.

use crate::anomaly::Anomaly;

use super::charset::{self, Transcoder};
use super::node::Node;
use super::reader::{Child, Reader};
use super::sniff::{Type, sniff};
use super::{Limits, PartKind};

/// What the first window of a part says.
pub(super) struct Found {
    pub(super) sniffed: Type,
    pub(super) utf8: bool,
    pub(super) anomalies: Vec<Anomaly>,
    pub(super) readers: Vec<(Reader, Option<Child>)>,
}

/// Looks at the first window of `node`.
pub(super) fn look(window: &[u8], node: &Node, _limits: &Limits) -> Found {
    let mut found = Found {
        sniffed: sniff(window),
        utf8: true,
        anomalies: Vec::new(),
        readers: Vec::new(),
    };
    found.charset(window, node);
    found
}

impl Found {
    /// The charset of text; a part that was transcoded is UTF-8 whatever it says of itself.
    fn charset(&mut self, window: &[u8], node: &Node) {
        let text = self.sniffed.is_text() || self.sniffed == Type::Binary;
        if !text || node.part.kind == PartKind::Utf8 {
            return;
        }
        let label = node
            .part
            .media_type
            .as_ref()
            .and_then(|media| media.charset.as_deref());
        let reading = charset::detect(window, self.sniffed, label);
        self.anomalies.extend(reading.anomaly);
        self.utf8 = reading.as_is;
        if !reading.as_is {
            self.sniffed = Type::Text;
        }
        for (charset, mark) in reading.charsets.into_iter().flatten() {
            if let Some(transcoder) = Transcoder::new(charset, mark) {
                let mut child = Child::new(PartKind::Utf8, "utf-8");
                child.media_type = node.part.media_type.clone();
                self.readers
                    .push((Reader::Charset(transcoder), Some(child)));
            }
        }
    }
}
