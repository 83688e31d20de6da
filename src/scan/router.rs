//! Receives the stack's parts and drives their inspectors.

use crate::anomaly::Anomaly;
use crate::budget::Budget;
use crate::content::{Part, PartKind, PartSink};
use crate::inspect::injection::{Classes, Context, Explanation};
use crate::inspect::signatures::{SignatureScan, YaraWork};
use crate::inspect::{Direction, Findings, PartId};
use crate::policy::profile::Profile;
use crate::rules::literal::Place;

use super::leaves::{LeafRouter, value_facts};
use super::members::Members;
use super::part::{PartScan, Values};
use super::redaction::Redaction;
use super::report::Report;
use super::ruleset::Ruleset;
use super::workspace::Workspace;

/// The stack's sink, for one step.
pub(super) struct PartRouter<'a> {
    pub(super) rules: &'a Ruleset,
    pub(super) profile: &'a Profile,
    pub(super) budget: &'a Budget,
    pub(super) direction: Direction,
    pub(super) classes: Classes,
    pub(super) space: &'a mut Workspace,
    pub(super) values: &'a mut Option<Box<SignatureScan>>,
    pub(super) heavy: &'a mut Vec<(YaraWork, Option<Box<str>>)>,
    pub(super) redaction: Option<&'a mut Redaction>,
    pub(super) report: &'a mut Report,
    pub(super) explanation: Option<&'a mut Explanation>,
    pub(super) members: Option<&'a mut Members>,
}

impl PartSink for PartRouter<'_> {
    fn begin(&mut self, part: &Part) {
        if let Some(redaction) = &mut self.redaction {
            redaction.part_begins(part);
        }
        let signatures = self.profile.inspect.signatures.then(|| {
            let facts = PartScan::facts(part, self.direction);
            let mut scan = self
                .space
                .signature_scan(&self.rules.signatures, self.budget, &facts);
            scan.keep_up_to(self.profile.limits.yara);
            scan
        });
        if self.values.is_none() && self.profile.inspect.signatures {
            let facts = value_facts(part.id, self.direction);
            *self.values = Some(self.space.signature_scan(
                &self.rules.signatures,
                self.budget,
                &facts,
            ));
        }
        let mut scan = PartScan::new(
            part,
            self.direction,
            signatures,
            self.profile.inspect.structure,
            self.space,
        );
        if self.rules.signatures.wants_values(Place::Field) {
            scan.values_type = part
                .media_type
                .as_ref()
                .map(|media_type| (*media_type.essence).into());
        }
        let named = scan.values == Values::Inspected && part.kind == PartKind::Multipart;
        let free = self.space.parts.iter_mut().find(|place| place.is_none());
        match free {
            Some(place) => *place = Some(scan),
            None => self.space.parts.push(Some(scan)),
        }
        if named {
            self.with_part(part.id, |_, sink, _| super::part::head(part, sink));
        }
    }

    fn window(&mut self, part: PartId, bytes: &[u8], offset: u64) {
        if let Some(redaction) = &mut self.redaction {
            if let Err(anomaly) = redaction.window(part, bytes) {
                self.space.findings.anomaly(anomaly, part, offset);
            }
            if let (Some(summary), false) = (redaction.blocks(), self.report.is_blocked()) {
                // What comes after it is not looked at any more.
                self.report.absorb(summary.clone());
            }
        }
        self.with_part(part, |scan, sink, findings| {
            scan.window(bytes, sink, findings)
        });
        self.take_work(part);
    }

    fn end(&mut self, part: PartId) {
        match self
            .redaction
            .as_mut()
            .map(|redaction| redaction.part_ends(part))
        {
            None | Some(Ok(None)) => {}
            Some(Ok(Some(summary))) => {
                for anomaly in &summary.anomalies {
                    self.space.findings.anomaly(*anomaly, part, 0);
                }
                if !self.report.is_blocked() {
                    self.report.absorb(summary);
                }
            }
            Some(Err(anomaly)) => self.space.findings.anomaly(anomaly, part, 0),
        }
        self.with_part(part, |scan, sink, findings| scan.finish(sink, findings));
        let place = self
            .space
            .parts
            .iter_mut()
            .find(|place| place.as_ref().is_some_and(|scan| scan.id == part));
        let Some(mut scan) = place.and_then(Option::take) else {
            return;
        };
        if let Some(signatures) = &mut scan.signatures
            && let Some(work) = signatures.finish(&mut self.space.findings)
        {
            self.heavy.push((work, scan.name.take()));
        }
        scan.give_back(self.space);
    }

    fn anomaly(&mut self, part: PartId, anomaly: Anomaly, offset: u64) {
        if let Some(redaction) = &mut self.redaction
            && part == PartId::BODY
        {
            redaction.coding_fails(anomaly);
        }
        self.space.findings.anomaly(anomaly, part, offset);
    }
}

impl PartRouter<'_> {
    /// What a long part wants written or scanned before more of it comes.
    fn take_work(&mut self, part: PartId) {
        let scans = self.space.parts.iter_mut().flatten();
        let Some(scan) = scans.filter(|scan| scan.id == part).last() else {
            return;
        };
        let Some(signatures) = &mut scan.signatures else {
            return;
        };
        while let Some(work) = signatures.take_work() {
            self.heavy.push((work, scan.name.clone()));
        }
    }

    fn with_part(
        &mut self,
        part: PartId,
        work: impl FnOnce(&mut PartScan, &mut LeafRouter<'_>, &mut Findings),
    ) {
        let space = &mut *self.space;
        let scan = space
            .parts
            .iter_mut()
            .flatten()
            .find(|scan| scan.id == part);
        let Some(scan) = scan else { return };
        let classes = match scan.values {
            Values::Inspected => self.classes,
            Values::Structural => Classes::empty(),
        };
        let values_type = scan.values_type.take();
        let mut router = LeafRouter {
            detectors: &self.rules.detectors,
            context: Context {
                direction: self.direction,
                part,
                classes,
                binary: scan.binary,
            },
            scratch: &mut space.scratch,
            known: &mut space.known,
            routine: &mut space.routine,
            values: self.values.as_deref_mut(),
            value_findings: &mut space.value_findings,
            decoded: &mut space.decoded,
            blobs: self.profile.inspect.signatures.then_some(&mut space.blobs),
            findings: &mut space.leaf_findings,
            around: match scan.values {
                Values::Inspected => Place::Body,
                Values::Structural => Place::File,
            },
            content_type: values_type.as_deref(),
            rules: &self.rules.signatures,
            wants_fields: self.rules.signatures.wants_values(Place::Field),
            explanation: self.explanation.as_deref_mut(),
            members: self.members.as_deref_mut(),
            structure: self.profile.inspect.structure,
        };
        work(scan, &mut router, &mut space.findings);
        scan.values_type = values_type;
        merge(&mut space.leaf_findings, &mut space.findings);
    }
}

/// Moves what was found from one list to another.
pub(super) fn merge(from: &mut Findings, into: &mut Findings) {
    for finding in from.list.drain(..) {
        into.record(finding);
    }
    for at in from.anomalies.drain(..) {
        into.anomaly(at.anomaly, at.part, at.offset);
    }
    into.late.append(&mut from.late);
}
