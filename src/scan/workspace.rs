//! Readers and buffers that scans reuse, so that a transaction allocates next to nothing in the steady state.
//!
//! Each thread keeps a few; a scan takes one when it begins and leaves it on whichever thread it ends.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use crate::budget::Budget;
use crate::content::{Declared, Limits, Stack};
use crate::inspect::injection::Scratch;
use crate::inspect::literal::PartFacts;
use crate::inspect::signatures::{SignatureScan, Signatures};
use crate::inspect::{Findings, form, head, json, text, xml};

use super::blob::Blobs;
use super::known::Known;
use super::part::PartScan;
use super::routine::Routine;

/// What one scan borrows.
#[expect(
    clippy::vec_box,
    reason = "readers are large and move between the shelf and a part"
)]
#[derive(Debug, Default)]
pub(super) struct Workspace {
    pub(super) scratch: Scratch,
    pub(super) known: Known,
    pub(super) routine: Routine,
    pub(super) head: head::Reader,
    pub(super) findings: Findings,
    pub(super) leaf_findings: Findings,
    pub(super) value_findings: Findings,
    /// What a value decodes to, layer by layer.
    pub(super) decoded: [Vec<u8>; 2],
    pub(super) parts: Vec<Option<PartScan>>,
    pub(super) json: Vec<Box<json::Reader>>,
    pub(super) xml: Vec<Box<xml::Reader>>,
    pub(super) form: Vec<Box<form::Reader>>,
    pub(super) text: Vec<Box<text::Reader>>,
    signatures: Vec<Box<SignatureScan>>,
    pub(super) blobs: Blobs,
    stack: Option<Box<Stack>>,
}

impl Workspace {
    /// A signature scan for one part, a used one where its rules are still in force.
    pub(super) fn signature_scan(
        &mut self,
        rules: &Arc<Signatures>,
        budget: &Budget,
        facts: &PartFacts<'_>,
    ) -> Box<SignatureScan> {
        while let Some(mut used) = self.signatures.pop() {
            if used.is_for(rules) {
                used.reset(facts);
                return used;
            }
        }
        Box::new(SignatureScan::new(rules, budget, facts))
    }

    /// Takes a signature scan back.
    pub(super) fn reuse(&mut self, scan: Box<SignatureScan>) {
        if self.signatures.len() < KEPT_READERS {
            self.signatures.push(scan);
        }
    }

    /// A stack for a body.
    pub(super) fn stack(&mut self, declared: &Declared, limits: Limits) -> Box<Stack> {
        match self.stack.take() {
            Some(mut used) => {
                used.renew(declared, limits);
                used
            }
            None => Box::new(Stack::new(declared, limits)),
        }
    }

    /// Takes a stack back.
    pub(super) fn reuse_stack(&mut self, mut stack: Box<Stack>) {
        stack.clear();
        self.stack = Some(stack);
    }

    fn clear(&mut self) {
        self.blobs.clear();
        self.parts.clear();
        self.findings.list.clear();
        self.findings.anomalies.clear();
        self.findings.late.clear();
        self.json.truncate(KEPT_READERS);
        self.xml.truncate(KEPT_READERS);
        self.form.truncate(KEPT_READERS);
        self.text.truncate(KEPT_READERS);
    }
}

/// A workspace on loan.
#[derive(Debug)]
pub(super) struct Loan(Option<Box<Workspace>>);

impl Loan {
    pub(super) fn take() -> Self {
        let kept = SHELF.with_borrow_mut(Vec::pop);
        Self(Some(kept.unwrap_or_default()))
    }
}

impl Deref for Loan {
    type Target = Workspace;

    fn deref(&self) -> &Workspace {
        self.0
            .as_ref()
            .expect("a loan holds its workspace until it is dropped")
    }
}

impl DerefMut for Loan {
    fn deref_mut(&mut self) -> &mut Workspace {
        self.0
            .as_mut()
            .expect("a loan holds its workspace until it is dropped")
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        // A panic may have left a reader half way: its workspace is not used again.
        let Some(mut workspace) = self.0.take().filter(|_| !std::thread::panicking()) else {
            return;
        };
        workspace.clear();
        // The thread may be ending, and its shelf gone: then the workspace goes too.
        let _ = SHELF.try_with(|shelf| {
            let mut shelf = shelf.borrow_mut();
            if shelf.len() < KEPT_WORKSPACES {
                shelf.push(workspace);
            }
        });
    }
}

thread_local! {
    static SHELF: RefCell<Vec<Box<Workspace>>> = const { RefCell::new(Vec::new()) };
}

/// Workspaces a thread keeps: as many as it may have transactions in flight at a busy moment, at some 100 KiB each.
const KEPT_WORKSPACES: usize = 16;

/// Readers of one kind that a workspace keeps; archives may open more for a while.
const KEPT_READERS: usize = 4;
