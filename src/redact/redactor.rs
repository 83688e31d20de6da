//! One body: decoded bytes in, edited bytes out, as they settle.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::BytesMut;

use super::editor::Editor;
use super::format::{Family, Format};
use super::profile::Profile;
use super::rewriter::{Rewriter, Seam};
use crate::anomaly::Anomaly;
use crate::budget::{Budget, Reservation};
use crate::inspect::{Direction, Findings};
use crate::span::Span;

/// What was done to a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Replaced by a mask.
    Masked,
    /// Taken out with its member or element.
    Removed,
    /// Counted only ([`Mode::Observe`](super::Mode::Observe)).
    Observed,
    /// The message must be blocked.
    Blocked,
}

/// One edit, as the audit log shows it: never the value, a prefix of it or the text around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditNote {
    /// The entity's label, such as `PAN`.
    pub entity: Cow<'static, str>,
    /// Id of the rule that found it, such as `entity/pan` or `field/password`.
    pub rule: Cow<'static, str>,
    /// The value's path, escaped and capped.
    pub path: Box<str>,
    /// Raw bytes of the body that were replaced.
    pub span: Span,
    /// What was done.
    pub action: Action,
}

/// What a [`Redactor`] did to one body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Values by entity, observed ones too.
    pub counts: BTreeMap<Cow<'static, str>, u64>,
    /// The first [`MAX_NOTES`] edits, in order.
    pub notes: Vec<EditNote>,
    /// Edits made, in all; what is only observed is not among them.
    pub edits: u64,
    /// What could not be read, or where a limit was hit.
    pub anomalies: Vec<Anomaly>,
    /// True when the output differs from the input.
    pub changed: bool,
    /// The first entity for which the profile asks that the message be blocked.
    pub blocked_by: Option<Cow<'static, str>>,
}

impl Summary {
    /// Takes note of an anomaly, once.
    pub(super) fn anomaly(&mut self, anomaly: Anomaly) {
        if !self.anomalies.contains(&anomaly) {
            self.anomalies.push(anomaly);
        }
    }

    /// The same values, none of which could be masked, for this reason.
    #[must_use]
    pub fn not_made(mut self, why: Anomaly) -> Self {
        if std::mem::take(&mut self.changed) {
            self.anomalies.push(why);
        }
        self.edits = 0;
        for note in &mut self.notes {
            if note.action != Action::Blocked {
                note.action = Action::Observed;
            }
        }
        self
    }
}

/// Edits that a [`Summary`] lists one by one; the others are counted.
pub const MAX_NOTES: usize = 256;

/// Redacts one body. The output is a function of the input, not of its pieces.
#[derive(Debug)]
pub struct Redactor {
    editor: Editor,
    format: Format,
    rewriter: Rewriter,
    findings: Findings,
    memory: Reservation,
}

impl Redactor {
    /// True when there is a reader for bodies of this type (the value of `Content-Type`); that of others is chosen by
    /// their first bytes.
    pub fn covers(content_type: &str) -> bool {
        Family::of(content_type) != Family::Unknown
    }

    /// Begins a body of type `content_type` (the whole field value; empty when there is none). What it holds back is
    /// drawn from `budget`; where that has no room, the summary says so.
    pub fn new(
        profile: Arc<Profile>,
        content_type: &str,
        direction: Direction,
        budget: &Budget,
    ) -> Self {
        let _ = direction;
        Self {
            editor: Editor::new(profile),
            format: Format::of(content_type),
            rewriter: Rewriter::default(),
            findings: Findings::default(),
            memory: budget.reservation(),
        }
    }

    /// Takes the next bytes (content-codings undone) and appends to `out` what has settled.
    pub fn push(&mut self, input: &[u8], out: &mut BytesMut) {
        let editor = &mut self.editor;
        self.format.push(input, editor, &mut self.findings);
        let settled = self.format.settled(editor);
        self.rewriter.push(input, settled, &mut editor.plan, out);
        editor.sum_up();
        self.reserve();
        self.forget();
    }

    /// Ends the body: appends the rest to `out` and says what was done.
    pub fn finish(&mut self, out: &mut BytesMut) -> Summary {
        let editor = &mut self.editor;
        self.format.finish(editor, &mut self.findings);
        self.rewriter.push(b"", u64::MAX, &mut editor.plan, out);
        editor.sum_up();
        self.forget();
        std::mem::take(&mut self.editor.summary)
    }

    /// What was done so far.
    pub fn summary(&self) -> &Summary {
        &self.editor.summary
    }

    /// Where values and parts begin that were masked whole: what lies in them does not leave.
    pub fn veiled(&self) -> &[u64] {
        &self.editor.veiled
    }

    /// Where the rest of the body begins that no edit reached; final after [`finish`](Self::finish).
    pub fn seam(&self) -> Seam {
        self.rewriter.seam()
    }

    /// Draws what is held back from the budget: raw, and decoded by the reader that it waits for.
    fn reserve(&mut self) {
        let held = self.rewriter.held() as u64 * 2 + self.editor.plan.held() as u64;
        let steps = held.div_ceil(RESERVE_BYTES) * RESERVE_BYTES;
        let bytes = self.memory.bytes();
        self.memory.shrink(bytes.saturating_sub(steps));
        let more = steps.saturating_sub(bytes);
        if more > 0 && self.memory.grow(more).is_err() {
            self.note(Anomaly::MemoryBudget);
        }
    }

    fn note(&mut self, anomaly: Anomaly) {
        self.editor.summary.anomaly(anomaly);
    }

    /// What the readers found wrong is for the inspectors; here only limits count.
    fn forget(&mut self) {
        self.findings.list.clear();
        for at in std::mem::take(&mut self.findings.anomalies) {
            self.note(at.anomaly);
        }
    }
}

/// Steps in which memory is drawn: most values are shorter than one, and cost one atomic operation.
const RESERVE_BYTES: u64 = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_names_neither_a_script_nor_a_comment_nor_what_follows_its_input() {
        let page = "<label>Password</label><input type=password value=Velvet9x>forgotten?\
            <label>Password</label><!-- a remark --><script>go(1);</script>";
        let profile = Arc::new(Profile::all());
        let budget = Budget::new(1 << 20);
        let mut redactor = Redactor::new(profile, "text/html", Direction::Response, &budget);
        let mut out = BytesMut::new();
        redactor.push(page.as_bytes(), &mut out);
        redactor.finish(&mut out);
        let masked = page.replace("Velvet9x", "[REDACTED:PASSWORD]");
        assert_eq!(String::from_utf8_lossy(&out), masked);
    }
}
