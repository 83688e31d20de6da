//! Values that were found where no edit reaches: whether what holds them was masked whole is known at the end of the body.

use std::collections::HashMap;

use crate::content::{Part, PartKind};
use crate::inspect::PartId;
use crate::redact::Summary;

/// Where parts lie, and what was found in them.
#[derive(Debug, Default)]
pub(super) struct Veils {
    places: HashMap<PartId, Place>,
    held: Vec<(PartId, Summary)>,
    /// Once the body is over: the places of what was masked whole, in order.
    veiled: Option<Box<[u64]>>,
}

/// Where a part lies.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    parent: Option<PartId>,
    /// Offset in the body at which it begins; `None` where it has none of its own.
    at: Option<u64>,
    /// Offset in the body of the byte that its own offsets count from; `None` where they count decoded bytes.
    base: Option<u64>,
}

impl Veils {
    /// A part begins.
    pub(super) fn begin(&mut self, part: &Part) {
        let at = match part.kind {
            PartKind::Multipart => part.base,
            PartKind::Body
            | PartKind::Raw
            | PartKind::Utf8
            | PartKind::Transfer
            | PartKind::Member
            | PartKind::Unpacked
            | PartKind::Value => None,
        };
        let place = self.places.entry(part.id).or_default();
        place.parent = part.parent;
        place.at = place.at.or(at);
        place.base = part.base;
    }

    /// A value of `parent` is read on its own; it stands at that offset of it.
    pub(super) fn value(&mut self, value: PartId, parent: PartId, at: u64) {
        let base = self.places.get(&parent).and_then(|place| place.base);
        let place = self.places.entry(value).or_default();
        place.parent = Some(parent);
        place.at = base.map(|base| base + at);
    }

    /// Keeps what was found in `part` until [`leaving`](Self::leaving). Values may end after the body that they stand in:
    /// what was found in those is given back, unless it does not leave.
    pub(super) fn hold(&mut self, part: PartId, found: Summary) -> Option<Summary> {
        match &self.veiled {
            Some(veiled) => (!self.is_in(part, veiled)).then_some(found),
            None => {
                self.held.push((part, found));
                None
            }
        }
    }

    /// What was found in parts that leave as they are: none of what they lie in begins at one of the places `veiled`.
    pub(super) fn leaving(&mut self, veiled: &[u64]) -> Vec<Summary> {
        self.veiled = Some(veiled.into());
        let held = std::mem::take(&mut self.held);
        let stays = |part: &PartId| !self.is_in(*part, veiled);
        held.into_iter()
            .filter(|(part, _)| stays(part))
            .map(|(_, found)| found)
            .collect()
    }

    fn is_in(&self, part: PartId, veiled: &[u64]) -> bool {
        let mut next = Some(part);
        // A part is younger than what it lies in, so this ends.
        while let Some(place) = next.and_then(|part| self.places.get(&part)) {
            if place.at.is_some_and(|at| veiled.binary_search(&at).is_ok()) {
                return true;
            }
            next = place.parent;
        }
        false
    }
}
