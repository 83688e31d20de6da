//! The body on its way through the redactor: out of its content-codings, edited, and back into them.
//!
//! ```text
//!   BODY windows ─► Cleaning ─► Redactor ─► Encoder … (the codings it came in) ─► ready ─► Scan::released
//! ```
//!
//! Where no edit can reach (a charset other than UTF-8, a coding that we cannot write, a member of an archive) the text
//! is read all the same, the output is thrown away, and a value that should have gone is [`Anomaly::UnreachableEdit`].
//! A profile may want values masked, structure cut out ([`Cleaning`]), or both.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::anomaly::Anomaly;
use crate::budget::{Budget, Reservation};
use crate::content::{Declared, Encoder, MediaType, Part, PartKind};
use crate::inspect::cut::Cuts;
use crate::inspect::{Direction, PartId};
use crate::redact::{self, Recode, Redactor, Seam, Summary, Unread, type_by_name};

use super::cleaning::Cleaning;
use super::veils::Veils;

/// One body being redacted.
pub(super) struct Redaction {
    way: Way,
    cleaning: Cleaning,
    /// `None` when nothing is to be masked.
    redactor: Option<Redactor>,
    /// Parts that are read only.
    readers: Vec<(PartId, Redactor)>,
    encoders: Vec<Encoder>,
    recodes: Recodes,
    /// The part that is edited; `None` where the body is in another charset.
    source: Option<PartId>,
    edited: BytesMut,
    coded: [Vec<u8>; 2],
    ready: VecDeque<Bytes>,
    seam: Option<Seam>,
    /// What the encoders take.
    memory: Reservation,
    /// The body in UTF-8, where it came in another charset.
    text: Option<PartId>,
    /// What was found where no edit reaches, but may be masked whole.
    veils: Veils,
}

/// What the redactors of one body have in common.
pub(super) struct Way {
    /// What is masked, if anything.
    pub(super) profile: Option<Arc<redact::Profile>>,
    /// What is cut out.
    pub(super) cuts: Cuts,
    pub(super) content_type: Box<str>,
    /// What forbids editing the body.
    pub(super) obstacle: Option<Anomaly>,
    pub(super) direction: Direction,
    pub(super) budget: Budget,
}

impl Way {
    /// True when edited bodies leave in no content-coding.
    fn sends_plain(&self) -> bool {
        let profile = self.profile.as_ref();
        profile.is_some_and(|profile| profile.recode() == Recode::Identity)
    }

    fn redactor(&self, content_type: &str) -> Option<Redactor> {
        let profile = Arc::clone(self.profile.as_ref()?);
        let redactor = Redactor::new(profile, content_type, self.direction, &self.budget);
        Some(redactor)
    }
}

/// How what leaves relates to what came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Recodes {
    /// Byte for byte the same where nothing was edited.
    No,
    /// Coded anew: other bytes even where nothing was edited.
    Yes,
    /// In no coding, for the profile says so.
    Identity,
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
    /// The way of one body through a redactor, out of and back into its declared codings.
    ///
    /// # Errors
    /// [`Anomaly::MemoryBudget`]: there is no room for the encoders.
    pub(super) fn new(way: Way, declared: &Declared) -> Result<Self, Anomaly> {
        let plain = way.sends_plain() && !declared.codings().is_empty();
        let codings = match way.obstacle {
            None if !plain => declared.codings(),
            Some(_) | None => &[],
        };
        let mut memory = way.budget.reservation();
        let needed = codings.iter().copied().map(Encoder::memory_bytes).sum();
        memory.grow(needed).map_err(|_| Anomaly::MemoryBudget)?;
        let encoders: Result<Vec<_>, _> = codings.iter().copied().map(Encoder::new).collect();
        let recodes = match &encoders {
            _ if way.obstacle.is_some() => Recodes::Impossible,
            _ if plain => Recodes::Identity,
            Ok(encoders) if encoders.is_empty() => Recodes::No,
            Ok(_) => Recodes::Yes,
            Err(_) => Recodes::Impossible,
        };
        Ok(Self {
            cleaning: Cleaning::new(way.cuts),
            redactor: way.redactor(&way.content_type),
            way,
            readers: Vec::new(),
            encoders: encoders.unwrap_or_default(),
            recodes,
            source: Some(PartId::BODY),
            edited: BytesMut::new(),
            coded: [Vec::new(), Vec::new()],
            ready: VecDeque::new(),
            seam: None,
            memory,
            text: None,
            veils: Veils::default(),
        })
    }

    /// True when what leaves differs from what came even where nothing was edited.
    pub(super) fn recodes(&self) -> bool {
        matches!(self.recodes, Recodes::Yes | Recodes::Identity)
    }

    /// True when the outgoing body is in no content-coding although it came in one.
    pub(super) fn decodes(&self) -> bool {
        self.recodes == Recodes::Identity
    }

    /// True when the message as a whole must not be edited.
    pub(super) fn is_forbidden(&self) -> bool {
        self.way.obstacle.is_some()
    }

    /// True when [`released`](Self::released) is the outgoing body.
    pub(super) fn edits(&self) -> bool {
        self.recodes != Recodes::Impossible
    }

    /// A part begins: text in another charset is read in its UTF-8 form, which no edit reaches.
    pub(super) fn part_begins(&mut self, part: &Part) {
        self.cleaning.begin(part);
        if self.masks_unread() {
            self.veils.begin(part);
        }
        if part.id == PartId::BODY {
            if !part.utf8 {
                self.source = None;
            }
            return;
        }
        let of_body = part.parent == Some(PartId::BODY);
        match part.kind {
            PartKind::Utf8 if of_body => {
                self.source = None;
                self.text = self.text.or(Some(part.id));
            }
            PartKind::Utf8 | PartKind::Raw | PartKind::Member | PartKind::Unpacked => {}
            // The body's own reader reads the parts of a multipart body, and its values.
            PartKind::Body | PartKind::Multipart | PartKind::Transfer | PartKind::Value => return,
        }
        if part.utf8 && (part.sniffed.is_text() || part.kind == PartKind::Utf8) {
            let declared = match of_body && !part.kind.is_packed() {
                true => self.way.content_type.to_string(),
                false => declared_type(part),
            };
            if let Some(reader) = self.way.redactor(&declared) {
                self.readers.push((part.id, reader));
            }
        }
    }

    /// A value is read on its own; it stands at that offset of `parent`.
    pub(super) fn value_opens(&mut self, value: PartId, parent: PartId, at: u64) {
        if self.masks_unread() {
            self.veils.value(value, parent, at);
        }
    }

    /// True when what is not read is masked whole.
    fn masks_unread(&self) -> bool {
        let profile = self.way.profile.as_ref();
        profile.is_some_and(|profile| profile.unread() == Unread::Mask)
    }

    /// True when what cuts answer in `part` is being cut.
    pub(super) fn answers(&mut self, part: PartId) -> bool {
        part == PartId::BODY && self.edits() && self.cleaning.answers()
    }

    /// True when a finding was counted on to be cut, and nothing was, or it cannot leave.
    pub(super) fn owes_cut(&self) -> bool {
        self.cleaning.owes_cut() && !(self.cleaning.has_cut() && self.edits())
    }

    /// From here on the body cannot be written in its codings: what its decoders yield is not all of it.
    pub(super) fn coding_fails(&mut self, anomaly: Anomaly) {
        if self.recodes() && CODING_FAILURES.contains(&anomaly) {
            self.recodes = Recodes::Impossible;
            self.ready.clear();
            self.encoders.clear();
            self.memory.shrink(u64::MAX);
        }
    }

    /// A window of `part`.
    pub(super) fn window(&mut self, part: PartId, bytes: &[u8]) -> Result<(), Anomaly> {
        if part != PartId::BODY {
            if let Some((_, reader)) = self.readers.iter_mut().find(|(id, _)| *id == part) {
                reader.push(bytes, &mut self.edited);
                self.edited.clear();
            }
            return Ok(());
        }
        match self.cleaning.push(bytes) {
            Some(cleaned) => self.mask(&cleaned),
            None => self.mask(bytes),
        }
    }

    /// The next bytes of the body, cleaned.
    fn mask(&mut self, bytes: &[u8]) -> Result<(), Anomaly> {
        let redactor = self.redactor.as_mut();
        let Some(redactor) = redactor.filter(|_| self.source == Some(PartId::BODY)) else {
            return self.forward(bytes);
        };
        redactor.push(bytes, &mut self.edited);
        let edited = self.edited.split();
        self.forward(&edited)
    }

    /// A part is over. The summary, when it is the one that is redacted.
    pub(super) fn part_ends(&mut self, part: PartId) -> Result<Option<Summary>, Anomaly> {
        if part != PartId::BODY {
            let at = self.readers.iter().position(|(id, _)| *id == part);
            let Some(at) = at else { return Ok(None) };
            let (_, mut reader) = self.readers.swap_remove(at);
            let found = reader.finish(&mut self.edited);
            self.edited.clear();
            let counts = found.changed || self.text == Some(part);
            let found = found.not_made(Anomaly::UnreachableEdit);
            if counts && self.masks_unread() && self.source == Some(PartId::BODY) {
                // It is known at the end of the body whether it leaves.
                let found = self.veils.hold(part, found);
                return Ok(found);
            }
            return Ok(counts.then_some(found));
        }
        let mut summary = None;
        let mut cleaned = None;
        if let Some((rest, done)) = self.cleaning.finish() {
            self.mask(&rest)?;
            cleaned = Some(done?);
        }
        if self.source == Some(part)
            && let Some(redactor) = &mut self.redactor
        {
            let found = redactor.finish(&mut self.edited);
            let seam = redactor.seam();
            let edited = self.edited.split();
            self.forward(&edited)?;
            if self.recodes == Recodes::No && !self.cleaning.has_cut() {
                self.seam = Some(seam);
            }
            summary = Some(match self.edits() {
                true => found,
                false => found.not_made(self.way.obstacle.unwrap_or(Anomaly::UnreachableEdit)),
            });
        }
        self.end_codings()?;
        let veiled = match (&self.redactor, self.edits()) {
            // Where something was cut, offsets in the body are others.
            (Some(redactor), true) if !self.cleaning.has_cut() => redactor.veiled(),
            (Some(_) | None, _) => &[],
        };
        for found in self.veils.leaving(veiled) {
            summary = Some(match summary {
                Some(known) => with(known, found),
                None => found,
            });
        }
        Ok(join(summary, cleaned))
    }

    /// Where the rest begins that goes out as it came; known at the end, and only where nothing was coded anew.
    pub(super) fn seam(&self) -> Option<Seam> {
        self.seam
    }

    /// What was done so far, once a value was found for which the message must be blocked.
    pub(super) fn blocks(&self) -> Option<&Summary> {
        let summary = self.redactor.as_ref()?.summary();
        summary.blocked_by.is_some().then_some(summary)
    }

    /// The next outgoing bytes.
    pub(super) fn released(&mut self) -> Option<Bytes> {
        self.ready.pop_front()
    }

    fn forward(&mut self, bytes: &[u8]) -> Result<(), Anomaly> {
        match self.recodes {
            Recodes::Impossible => {}
            Recodes::No | Recodes::Identity if bytes.is_empty() => {}
            Recodes::No | Recodes::Identity => {
                self.ready.push_back(Bytes::copy_from_slice(bytes));
            }
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

/// Both; what was found last has nothing to do with edits.
fn with(mut known: Summary, found: Summary) -> Summary {
    for (label, count) in found.counts {
        *known.counts.entry(label).or_default() += count;
    }
    for anomaly in found.anomalies {
        if !known.anomalies.contains(&anomaly) {
            known.anomalies.push(anomaly);
        }
    }
    known.blocked_by = known.blocked_by.or(found.blocked_by);
    known
}

/// What was masked and what was cut.
fn join(masked: Option<Summary>, cut: Option<Summary>) -> Option<Summary> {
    match (masked, cut) {
        (Some(mut masked), Some(cut)) => {
            masked.edits += cut.edits;
            masked.changed |= cut.changed;
            masked.counts.extend(cut.counts);
            Some(masked)
        }
        (masked, cut) => masked.or(cut),
    }
}

/// The type of a part that is read only: as it is declared, or as its name ends.
fn declared_type(part: &Part) -> String {
    let of_media = |media: &MediaType| match &media.boundary {
        Some(boundary) => {
            let boundary = String::from_utf8_lossy(boundary);
            format!("{}; boundary=\"{boundary}\"", media.essence)
        }
        None => media.essence.to_string(),
    };
    match (&part.media_type, &part.name) {
        (Some(media), _) => of_media(media),
        (None, Some(name)) => type_by_name(name).unwrap_or_default().to_owned(),
        (None, None) => String::new(),
    }
}

/// After these the decoded body is not what the receiver will read.
const CODING_FAILURES: &[Anomaly] = &[
    Anomaly::UnknownCoding,
    Anomaly::BrokenCoding,
    Anomaly::CodingMismatch,
    Anomaly::TrailingData,
    Anomaly::TooManyCodings,
    Anomaly::TooManyMembers,
    Anomaly::DecodedTooLarge,
    Anomaly::RatioTooHigh,
    Anomaly::CodingWindowTooLarge,
    Anomaly::MemoryBudget,
];
