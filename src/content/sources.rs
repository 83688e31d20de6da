//! Where bytes come in from outside the tree: the body, and the values that the consumer has opened.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::span::PartId;

use super::window::Last;

/// One of them: bytes that wait for room in the window of a node.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) node: usize,
    /// `None` for the body.
    pub(super) value: Option<PartId>,
    pub(super) queue: VecDeque<Bytes>,
    pub(super) last: Last,
    /// The node has all of it.
    pub(super) finished: bool,
}

impl Source {
    /// Hands over bytes; none come behind the end.
    pub(super) fn push(&mut self, bytes: Bytes) {
        if !bytes.is_empty() && self.last == Last::Open {
            self.queue.push_back(bytes);
        }
    }

    /// Says that no more will come.
    pub(super) fn end(&mut self) {
        self.last = Last::Known;
    }
}

/// The body, then the open values, the oldest first: mostly it is the first of them that is over next.
#[derive(Debug, Default)]
pub(super) struct Sources {
    open: VecDeque<Source>,
    /// Of those that are over, for the next ones.
    queues: Vec<VecDeque<Bytes>>,
}

impl Sources {
    /// A place where bytes come in for `node`.
    pub(super) fn open(&mut self, node: usize, value: Option<PartId>) {
        let queue = self.queues.pop().unwrap_or_default();
        self.open.push_back(Source {
            node,
            value,
            queue,
            last: Last::Open,
            finished: false,
        });
    }

    /// How many there are, the body among them.
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    pub(super) fn get(&self, at: usize) -> Option<&Source> {
        self.open.get(at)
    }

    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut Source> {
        self.open.get_mut(at)
    }

    pub(super) fn body(&mut self) -> Option<&mut Source> {
        self.open.front_mut()
    }

    pub(super) fn of(&mut self, value: PartId) -> Option<&mut Source> {
        self.open
            .iter_mut()
            .rfind(|source| source.value == Some(value))
    }

    /// Bytes pushed and not yet taken.
    pub(super) fn queued_bytes(&self) -> usize {
        let queued = |source: &Source| source.queue.iter().map(Bytes::len).sum::<usize>();
        self.open.iter().map(queued).sum()
    }

    /// Takes out one that is over.
    pub(super) fn remove(&mut self, at: usize) {
        if let Some(source) = self.open.remove(at) {
            self.keep(source.queue);
        }
    }

    /// Forgets all of them.
    pub(super) fn clear(&mut self) {
        while let Some(source) = self.open.pop_back() {
            self.keep(source.queue);
        }
    }

    fn keep(&mut self, mut queue: VecDeque<Bytes>) {
        if self.queues.len() < KEPT_QUEUES && queue.capacity() <= KEPT_PIECES {
            queue.clear();
            self.queues.push(queue);
        }
    }
}

/// Queues, and pieces in a queue, that are kept from body to body: what a small one needs.
const KEPT_QUEUES: usize = 2;
const KEPT_PIECES: usize = 64;
