//! The body on its way through the redactor: out of its content-codings, edited, and back into them.
//!
//! ```text
//!   BODY windows ─► Redactor ─► Encoder … (the codings it came in) ─► ready ─► Scan::released
//! ```
//!
//! Where no edit can reach (a charset other than UTF-8, a coding that we cannot write) the redactor still reads, its
//! output is thrown away, and a value that should have gone is [`Anomaly::UnreachableEdit`].

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use crate::anomaly::Anomaly;
use crate::content::{Declared, Encoder, Part, PartKind};
use crate::inspect::PartId;
use crate::redact::{Redactor, Seam, Summary};

/// One body being redacted.
pub(super) struct Redaction {
    redactor: Redactor,
    encoders: Vec<Encoder>,
    recodes: Recodes,
    /// The part that the redactor reads; `None` until the text of a body in another charset begins.
    source: Option<PartId>,
    edited: BytesMut,
    coded: [Vec<u8>; 2],
    ready: VecDeque<Bytes>,
    seam: Option<Seam>,
}

/// How what leaves relates to what came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Recodes {
    /// Byte for byte the same where nothing was edited.
    No,
    /// Coded anew: other bytes even where nothing was edited.
    Yes,
    /// The codings cannot be written: nothing leaves from here.
    Impossible,
}

impl std::fmt::Debug for Redaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Never the bytes.
        f.debug_struct("Redaction")
            .field("recodes", &self.recodes)
            .finish_non_exhaustive()
    }
}

impl Redaction {
    /// The way of one body through `redactor`, out of and back into its declared codings.
    pub(super) fn new(redactor: Redactor, declared: &Declared) -> Self {
        let codings = declared.codings();
        let encoders: Result<Vec<_>, _> = codings.iter().copied().map(Encoder::new).collect();
        let recodes = match &encoders {
            Ok(encoders) if encoders.is_empty() => Recodes::No,
            Ok(_) => Recodes::Yes,
            Err(_) => Recodes::Impossible,
        };
        Self {
            redactor,
            encoders: encoders.unwrap_or_default(),
            recodes,
            source: Some(PartId::BODY),
            edited: BytesMut::new(),
            coded: [Vec::new(), Vec::new()],
            ready: VecDeque::new(),
            seam: None,
        }
    }

    /// True when what leaves differs from what came even where nothing was edited.
    pub(super) fn recodes(&self) -> bool {
        self.recodes == Recodes::Yes
    }

    /// True when [`released`](Self::released) is the outgoing body.
    pub(super) fn edits(&self) -> bool {
        self.recodes != Recodes::Impossible
    }

    /// A part begins: text in another charset is read in its UTF-8 form, which no edit reaches.
    pub(super) fn part_begins(&mut self, part: &Part) {
        if part.id == PartId::BODY && !part.utf8 {
            self.source = None;
        }
        if part.kind == PartKind::Utf8 && part.parent == Some(PartId::BODY) {
            self.source = Some(part.id);
        }
    }

    /// A window of `part`.
    pub(super) fn window(&mut self, part: PartId, bytes: &[u8]) -> Result<(), Anomaly> {
        let body = part == PartId::BODY;
        if self.source == Some(part) {
            self.redactor.push(bytes, &mut self.edited);
            let edited = self.edited.split();
            return match body {
                true => self.forward(&edited),
                false => Ok(()),
            };
        }
        match body {
            true => self.forward(bytes),
            false => Ok(()),
        }
    }

    /// A part is over. The summary, when it is the one that is redacted.
    pub(super) fn part_ends(&mut self, part: PartId) -> Result<Option<Summary>, Anomaly> {
        let mut summary = None;
        if self.source == Some(part) {
            let found = self.redactor.finish(&mut self.edited);
            let edited = self.edited.split();
            if part == PartId::BODY {
                self.forward(&edited)?;
            }
            let reached = part == PartId::BODY && self.edits();
            if !reached && found.edits > 0 {
                return Err(Anomaly::UnreachableEdit);
            }
            if reached && self.recodes == Recodes::No {
                self.seam = Some(self.redactor.seam());
            }
            summary = Some(found);
        }
        if part == PartId::BODY {
            self.end_codings()?;
        }
        Ok(summary)
    }

    /// Where the rest begins that goes out as it came; known at the end, and only where nothing was coded anew.
    pub(super) fn seam(&self) -> Option<Seam> {
        self.seam
    }

    /// The next outgoing bytes.
    pub(super) fn released(&mut self) -> Option<Bytes> {
        self.ready.pop_front()
    }

    fn forward(&mut self, bytes: &[u8]) -> Result<(), Anomaly> {
        match self.recodes {
            Recodes::Impossible => {}
            Recodes::No if bytes.is_empty() => {}
            Recodes::No => self.ready.push_back(Bytes::copy_from_slice(bytes)),
            Recodes::Yes => self.encode(bytes)?,
        }
        Ok(())
    }

    /// Sends `bytes` through the encoders that are left: the first declared coding is applied first.
    fn encode(&mut self, bytes: &[u8]) -> Result<(), Anomaly> {
        let [current, next] = &mut self.coded;
        current.clear();
        current.extend_from_slice(bytes);
        for encoder in &mut self.encoders {
            next.clear();
            encoder
                .push(current, next)
                .map_err(|_| Anomaly::EngineFailure)?;
            std::mem::swap(current, next);
        }
        if !current.is_empty() {
            self.ready.push_back(Bytes::copy_from_slice(current));
        }
        Ok(())
    }

    fn end_codings(&mut self) -> Result<(), Anomaly> {
        while !self.encoders.is_empty() {
            let mut tail = Vec::new();
            self.encoders
                .remove(0)
                .finish(&mut tail)
                .map_err(|_| Anomaly::EngineFailure)?;
            self.encode(&tail)?;
        }
        Ok(())
    }
}
