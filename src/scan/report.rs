//! Everything that is known of a message at the end; the audit record and the metrics are made of it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::anomaly::Anomaly;
use crate::inspect::{AnomalyAt, Finding, PartId};
use crate::policy::judge::Ruling;
use crate::policy::{Reason, Verdict};
use crate::redact::{EditNote, MAX_NOTES, Summary};

/// A fact and what it led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged<T> {
    /// The fact.
    pub fact: T,
    /// What it led to.
    pub ruling: Ruling,
}

/// What is known of a message; final once the scan is done.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The verdict.
    pub verdict: Verdict,
    /// Findings in order of discovery; enforced ones always, others while fewer than [`MAX_RECORDED`] are kept.
    pub findings: Vec<Judged<Finding>>,
    /// Findings that were judged but not kept.
    pub findings_dropped: u64,
    /// Findings that an exception of the profile silenced, by its number there, from 0.
    pub excepted: BTreeMap<usize, u64>,
    /// Anomalies, each once for a part.
    pub anomalies: Vec<Judged<AnomalyAt>>,
    /// Places of the parts below the body that findings and anomalies are about: `body/zip:word/document.xml`.
    pub paths: BTreeMap<PartId, Box<str>>,
    /// Body bytes taken in, as they came.
    pub body_bytes: u64,
    /// Bytes that decompressors yielded.
    pub decoded_bytes: u64,
    /// Why all of the body passed without full inspection, if it did.
    pub uninspected: Uninspected,
    /// Redactions by entity, observed ones too.
    pub redactions: BTreeMap<Cow<'static, str>, u64>,
    /// Redactions made, in all; those that a profile only observes are not among them.
    pub edits: u64,
    /// How many of them in the head: its start line, fields and cookies.
    pub head_edits: u64,
    /// The first redactions, without values.
    pub edit_notes: Vec<EditNote>,
    /// Rules that used up the time of a scan, as far as they are known: once a scan.
    pub late_rules: Vec<Arc<str>>,
}

/// Why bytes passed without full inspection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Uninspected {
    /// They did not.
    #[default]
    No,
    /// The profile inspects nothing.
    ProfileOff,
    /// Anomalies for which the profile is open, each kind once.
    Open(Vec<Anomaly>),
}

impl Uninspected {
    /// The stable codes for metrics and logs.
    pub fn codes(&self) -> impl Iterator<Item = &'static str> {
        let (off, open) = match self {
            Uninspected::No => (None, &[][..]),
            Uninspected::ProfileOff => (Some("profile-off"), &[][..]),
            Uninspected::Open(anomalies) => (None, anomalies.as_slice()),
        };
        off.into_iter()
            .chain(open.iter().map(|anomaly| anomaly.code()))
    }
}

impl Report {
    /// Bytes that passed without full inspection, for whatever reason; a byte counts once.
    pub fn uninspected_bytes(&self) -> u64 {
        match self.uninspected {
            Uninspected::No => 0,
            Uninspected::ProfileOff | Uninspected::Open(_) => self.body_bytes,
        }
    }

    /// Redactions made in the body.
    pub fn body_edits(&self) -> u64 {
        self.edits.saturating_sub(self.head_edits)
    }

    /// Adds what was done to a head or a body.
    pub(super) fn absorb(&mut self, summary: Summary) {
        for (entity, count) in summary.counts {
            *self.redactions.entry(entity).or_default() += count;
        }
        self.edits += summary.edits;
        let room = MAX_NOTES.saturating_sub(self.edit_notes.len());
        self.edit_notes.extend(summary.notes.into_iter().take(room));
        if let (Some(entity), false) = (summary.blocked_by, self.is_blocked()) {
            self.verdict = Verdict::Block(Reason::Redaction { entity });
        }
    }

    /// True when the verdict is a block, which nothing changes any more.
    pub(super) fn is_blocked(&self) -> bool {
        matches!(self.verdict, Verdict::Block(_))
    }

    /// Where a part is in the tree of parts.
    pub fn path_of(&self, part: PartId) -> &str {
        match part {
            PartId::HEAD => "head",
            PartId::BODY => "body",
            below => self.paths.get(&below).map_or("", |path| path),
        }
    }

    /// Takes the names of rules that used up a scan's time, as many as are kept of anything.
    pub(super) fn name_late(&mut self, late: &mut Vec<Arc<str>>) {
        let room = MAX_RECORDED.saturating_sub(self.late_rules.len());
        self.late_rules.extend(late.drain(..).take(room));
    }

    pub(super) fn keep(&mut self, fact: Finding, ruling: Ruling) {
        if let Ruling::Excepted(exception) = ruling {
            *self.excepted.entry(exception).or_default() += 1;
        }
        let full = self.findings.len() >= MAX_RECORDED;
        if full && !matches!(ruling, Ruling::Enforced(_)) {
            self.findings_dropped += 1;
        } else {
            self.findings.push(Judged { fact, ruling });
        }
    }
}

/// Findings recorded for one message: security.md §3.
pub const MAX_RECORDED: usize = 64;
