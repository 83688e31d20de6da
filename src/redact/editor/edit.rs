//! What is planned for a value that was found, and what is noted of it.

use super::{Editor, UNREAD, VEILED, raw};
use crate::inspect::leaf::{HostSyntax, Leaf, Path, Piece};
use crate::inspect::sensitive::Hit;
use crate::inspect::sensitive::catalog::Rule;
use crate::redact::operator::{self, Mask};
use crate::redact::profile::{Mode, Place, SELECTED};
use crate::redact::redactor::{Action, EditNote, MAX_NOTES, Summary};
use crate::span::Span;

impl Editor {
    /// Plans to mask `hit` in `leaf`. `outer` is the string that holds the document in which `leaf` lies, if there is one.
    pub(super) fn edit(&mut self, leaf: &Leaf<'_>, hit: Hit, outer: Option<&Leaf<'_>>) {
        if !self.edit_plainly(leaf, hit, outer) {
            self.edit_any(leaf, hit, outer);
        }
    }

    /// Plans to put a fixed mask where `hit` lies; false where there is more to it.
    fn edit_plainly(&mut self, leaf: &Leaf<'_>, hit: Hit, outer: Option<&Leaf<'_>>) -> bool {
        let verbatim = operator::is_verbatim(leaf.host)
            && outer.is_none_or(|outer| operator::is_verbatim(outer.host));
        if !self.open || !verbatim || self.profile.mode() != Mode::Enforce {
            return false;
        }
        let Some(mask) = self.profile.verbatim_mask(hit) else {
            return false;
        };
        let mut span = leaf.map.raw(hit.start, hit.end);
        if let Some(outer) = outer {
            span = within(outer, span);
        }
        let span = span.shifted(self.base);
        if self.plan.add(span, mask) {
            self.count_plainly(hit, span, outer.unwrap_or(leaf).path);
        }
        true
    }

    /// Counts a value that was masked, by its entity.
    fn count_plainly(&mut self, hit: Hit, span: Span, path: &Path) {
        if self.summary.notes.len() < MAX_NOTES {
            let label = self.profile.catalog().label(hit.entity).clone();
            self.note(hit.rule, (&label, span, Action::Masked), path);
            return;
        }
        let entity = usize::from(hit.entity.0);
        if self.counts.len() <= entity {
            self.counts.resize(entity + 1, 0);
        }
        if let Some(count) = self.counts.get_mut(entity) {
            *count += 1;
        }
        self.summary.edits += 1;
        self.summary.changed = true;
    }

    /// Adds what was counted by entity to the summary.
    pub(in crate::redact) fn sum_up(&mut self) {
        for (entity, count) in self.profile.catalog().entities().zip(&mut self.counts) {
            if *count > 0 {
                let label = &**self.profile.catalog().label(entity);
                *self
                    .summary
                    .counts
                    .entry(label.to_owned().into())
                    .or_default() += *count;
                *count = 0;
            }
        }
    }

    /// What was done.
    pub(in crate::redact) fn into_summary(mut self) -> Summary {
        self.sum_up();
        self.summary
    }

    fn edit_any(&mut self, leaf: &Leaf<'_>, hit: Hit, outer: Option<&Leaf<'_>>) {
        let profile = self.profile.clone();
        let catalog = profile.catalog();
        let (mask, label) = match profile.place(leaf.path) {
            Place::Selected(selected) => (Some(&selected.mask), &*selected.label),
            Place::Open | Place::Exempt => (profile.mask_of(hit), &**catalog.label(hit.entity)),
        };
        let Some(mask) = mask else { return };
        let value = leaf.bytes.get(hit.start..hit.end).unwrap_or_default();
        self.plain.clear();
        self.written.clear();
        mask.render(label, value, &mut self.plain);
        let bare = matches!(leaf.host, HostSyntax::JsonNumber | HostSyntax::JsonLiteral);
        if bare && matches!(mask, Mask::Null | Mask::Remove) {
            self.written.extend_from_slice(b"null");
        } else {
            operator::write(leaf.host, &self.plain, &mut self.written);
        }
        let mut span = leaf.map.raw(hit.start, hit.end);
        if outer.is_none()
            && profile.mode() == Mode::Enforce
            && let Some((taken, left)) = self.taken(leaf, hit, mask)
        {
            self.written.clear();
            self.written.extend_from_slice(left);
            span = taken;
        }
        if let Some(outer) = outer {
            std::mem::swap(&mut self.plain, &mut self.written);
            self.written.clear();
            operator::write(outer.host, &self.plain, &mut self.written);
            span = within(outer, span);
        }
        span = span.shifted(self.base);
        let action = match (profile.mode(), mask) {
            (Mode::Observe, _) => Action::Observed,
            (Mode::Enforce, Mask::Block) => Action::Blocked,
            (Mode::Enforce, Mask::Remove) => Action::Removed,
            (Mode::Enforce, _) => Action::Masked,
        };
        if action != Action::Observed && !self.plan.add(span, &self.written) {
            return;
        }
        self.note(hit.rule, (label, span, action), outer.unwrap_or(leaf).path);
    }

    /// Where a mask takes more than the value between its quotes: what, and what is left in its place.
    fn taken(&mut self, leaf: &Leaf<'_>, hit: Hit, mask: &Mask) -> Option<(Span, &'static [u8])> {
        match (mask, leaf.host) {
            (Mask::Null, HostSyntax::HtmlAttribute) => {
                // Without a quote around nothing, the next attribute would be the value.
                let bare = self.enclosing?.end == leaf.span.end && covers(leaf, hit);
                bare.then_some((leaf.span, b"\"\""))
            }
            (Mask::Null, _) => self.whole(leaf, hit).map(|_| (raw(leaf), &b"null"[..])),
            (Mask::Remove, _) => {
                let gone = match self.whole(leaf, hit) {
                    Some(member) => self.removal.as_mut()?.take(member, raw(leaf)),
                    None => self.enclosed(leaf, hit),
                };
                gone.map(|gone| (gone, &b""[..]))
            }
            _ => None,
        }
    }

    /// The element, attribute or pair that `hit` fills, if nothing in it was edited before.
    fn enclosed(&mut self, leaf: &Leaf<'_>, hit: Hit) -> Option<Span> {
        let gone = self.enclosing?;
        let first = gone.start + self.base >= self.plan.end();
        if !first || !covers(leaf, hit) {
            return None;
        }
        if let (HostSyntax::FormValue, Some(removal)) = (leaf.host, &mut self.removal) {
            removal.pairs.gone();
        }
        Some(gone)
    }

    /// Where the member or element begins that `hit` fills, if it is still held back.
    fn whole(&self, leaf: &Leaf<'_>, hit: Hit) -> Option<u64> {
        let of_json = matches!(
            leaf.host,
            HostSyntax::JsonString | HostSyntax::JsonNumber | HostSyntax::JsonLiteral
        );
        let whole = leaf.piece == Piece::Whole && hit.start == 0 && hit.end == leaf.bytes.len();
        self.member.filter(|_| of_json && whole)
    }

    fn note(&mut self, rule: Rule, (label, span, action): (&str, Span, Action), path: &Path) {
        let summary = &mut self.summary;
        match summary.counts.get_mut(label) {
            Some(count) => *count += 1,
            None => {
                summary.counts.insert(label.to_owned().into(), 1);
            }
        }
        if action != Action::Observed {
            summary.edits += 1;
            summary.changed = true;
        }
        if action == Action::Blocked && summary.blocked_by.is_none() {
            summary.blocked_by = Some(label.to_owned().into());
        }
        if summary.notes.len() >= MAX_NOTES {
            return;
        }
        let note = EditNote {
            entity: label.to_owned().into(),
            rule: self.profile.catalog().rule_id(rule).to_string().into(),
            path: self.shown(path),
            span,
            action,
        };
        self.summary.notes.push(note);
    }

    /// The path as a record shows it: a name may itself be what must not be shown (`{"ann@example.org": …}`).
    fn shown(&mut self, path: &Path) -> Box<str> {
        let text = path.shown();
        let mut found = Vec::new();
        let named = self.scanner.named(b"");
        self.scanner.content(text.as_bytes(), &named, &mut found);
        let mut shown = String::with_capacity(text.len());
        let mut at = 0;
        for hit in found {
            shown.push_str(text.get(at..hit.start).unwrap_or_default());
            shown.push_str("[...]");
            at = at.max(hit.end);
        }
        shown.push_str(text.get(at..).unwrap_or_default());
        shown.into()
    }

    /// Plans to mask `hit` in `leaf` as it says, whatever the rules do. True when it is planned.
    pub(super) fn put(&mut self, leaf: &Leaf<'_>, hit: Hit, (label, mask): (&str, &Mask)) -> bool {
        self.plain.clear();
        self.written.clear();
        mask.render(label, b"", &mut self.plain);
        operator::write(leaf.host, &self.plain, &mut self.written);
        let span = leaf.map.raw(hit.start, hit.end).shifted(self.base);
        let action = match self.profile.mode() {
            Mode::Observe => Action::Observed,
            Mode::Enforce => Action::Masked,
        };
        let planned = action == Action::Masked && self.plan.add(span, &self.written);
        if planned || action == Action::Observed {
            self.note(hit.rule, (label, span, action), leaf.path);
        }
        planned
    }

    /// Plans to take out a piece of what is masked whole, and to put the mask where it begins.
    pub(in crate::redact) fn veil_piece(&mut self, span: Span, piece: VeilPiece) {
        if self.profile.mode() != Mode::Enforce {
            return;
        }
        match piece {
            VeilPiece::First => {
                let mask = operator::fixed_parts(UNREAD).concat();
                self.plan.add(span, &mask)
            }
            VeilPiece::Later => self.plan.add(span, b""),
        };
    }

    /// Takes note of what was masked whole.
    pub(in crate::redact) fn note_veil(&mut self, span: Span, path: &Path) {
        let action = match self.profile.mode() {
            Mode::Observe => Action::Observed,
            Mode::Enforce => Action::Masked,
        };
        if let Some(hit) = self.scanner.selected(0..0, SELECTED) {
            self.note(hit.rule, (UNREAD, span, action), path);
        }
    }

    /// Takes note of where a value or a part begins that was masked whole.
    pub(in crate::redact) fn note_veiled_at(&mut self, at: u64) {
        if self.profile.mode() == Mode::Enforce && self.veiled.len() < VEILED {
            self.veiled.push(at);
        }
    }
}

/// A piece of what is masked whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::redact) enum VeilPiece {
    First,
    Later,
}

/// Where what stands at `span` of the document in the string `outer` lies.
fn within(outer: &Leaf<'_>, span: Span) -> Span {
    let offset = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
    outer.map.raw(offset(span.start), offset(span.end))
}

/// True when there is nothing in `leaf` but `hit` and white space.
fn covers(leaf: &Leaf<'_>, hit: Hit) -> bool {
    let blank = |range: Option<&[u8]>| range.is_some_and(|bytes| bytes.trim_ascii().is_empty());
    leaf.piece == Piece::Whole
        && blank(leaf.bytes.get(..hit.start))
        && blank(leaf.bytes.get(hit.end..))
}
