//! The body on its way through the sanitizer, where a profile wants cuts: before the redactor.

use bytes::BytesMut;

use crate::anomaly::Anomaly;
use crate::content::Part;
use crate::inspect::PartId;
use crate::inspect::cut::Cuts;
use crate::redact::{Sanitizer, Summary};

use super::part::document;

/// The sanitizing of one body.
#[derive(Debug, Default)]
pub(super) struct Cleaning {
    cuts: Cuts,
    sanitizer: Option<Sanitizer>,
    /// The body is one document, and a sanitizer reads it or has read it.
    reads: bool,
    /// A finding stands that only a cut answers.
    owes_cut: bool,
    has_cut: bool,
    cleaned: BytesMut,
}

impl Cleaning {
    /// Makes `cuts`, if any.
    pub(super) fn new(cuts: Cuts) -> Self {
        Self {
            cuts,
            ..Self::default()
        }
    }

    /// The body begins.
    pub(super) fn begin(&mut self, part: &Part) {
        if part.id == PartId::BODY && part.utf8 && !self.cuts.is_empty() {
            self.sanitizer = document(part).map(|document| Sanitizer::new(document, self.cuts));
            self.reads = self.sanitizer.is_some();
        }
    }

    /// True when what cuts answer in the body is being cut; such a finding is taken note of.
    pub(super) fn answers(&mut self) -> bool {
        self.owes_cut |= self.reads;
        self.reads
    }

    /// True when a finding was counted on to be cut.
    pub(super) fn owes_cut(&self) -> bool {
        self.owes_cut
    }

    /// True when something was cut.
    pub(super) fn has_cut(&self) -> bool {
        self.has_cut
    }

    /// What has settled after `bytes`, the next ones of the body; `None`: just these.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Option<BytesMut> {
        let sanitizer = self.sanitizer.as_mut()?;
        sanitizer.push(bytes, &mut self.cleaned);
        Some(self.cleaned.split())
    }

    /// The rest of the body, and what was cut.
    ///
    /// # Errors
    /// [`Anomaly::UnreachableEdit`]: what was to go is still there.
    pub(super) fn finish(&mut self) -> Option<(BytesMut, Result<Summary, Anomaly>)> {
        let done = self.sanitizer.take()?.finish(&mut self.cleaned);
        let rest = self.cleaned.split();
        self.has_cut = !done.counts.is_empty();
        if !done.clean {
            return Some((rest, Err(Anomaly::UnreachableEdit)));
        }
        let mut summary = Summary::default();
        for (cut, count) in done.counts {
            summary.edits += count;
            summary.changed = true;
            summary.counts.insert(cut.code().into(), count);
        }
        Some((rest, Ok(summary)))
    }
}
