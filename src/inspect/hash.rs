//! Whole-content digests against block and allow lists, computed while the content streams by.
//!
//! A million entries are two sorted arrays: 32 and 16 bytes an entry and two for its list, nothing else.

use md5::Md5;
use sha2::{Digest as _, Sha256};

use crate::inspect::{Category, Findings, PartId, Severity};
use crate::rules::hash::{HashList, ListKind};
use crate::rules::{About, Mode};
use crate::span::Span;

/// Compiled lists; immutable, shared.
#[derive(Debug, Default)]
pub struct HashSet {
    lists: Vec<(About, ListKind)>,
    sha256: Column<32>,
    md5: Column<16>,
}

/// Digests of one length, sorted, with the list that each came from.
#[derive(Debug)]
struct Column<const N: usize> {
    digests: Vec<[u8; N]>,
    lists: Vec<u16>,
}

impl<const N: usize> Default for Column<N> {
    fn default() -> Self {
        Self {
            digests: Vec::new(),
            lists: Vec::new(),
        }
    }
}

/// Digests of one part under way; computes only what some list asks for.
#[derive(Clone, Debug, Default)]
pub struct HashState {
    sha256: Option<Sha256>,
    md5: Option<Md5>,
    length: u64,
}

/// Lists of digests that are told apart.
const MAX_LISTS: usize = u16::MAX as usize;

impl HashSet {
    /// Compiles `lists`.
    pub fn new(lists: impl IntoIterator<Item = HashList>) -> Self {
        let mut set = Self::default();
        let (mut sha256, mut md5) = (Vec::new(), Vec::new());
        for list in lists.into_iter().take(MAX_LISTS) {
            let number = u16::try_from(set.lists.len()).unwrap_or(u16::MAX);
            set.lists.push((about(&list), list.kind));
            sha256.extend(list.sha256.into_iter().map(|digest| (digest, number)));
            md5.extend(list.md5.into_iter().map(|digest| (digest, number)));
        }
        set.sha256 = Column::new(sha256);
        set.md5 = Column::new(md5);
        set
    }

    /// Number of digests.
    pub fn len(&self) -> usize {
        self.sha256.digests.len() + self.md5.digests.len()
    }

    /// True when there are no lists, so that nothing needs computing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Memory of the compiled lists, in bytes.
    pub fn memory_bytes(&self) -> usize {
        self.sha256.memory_bytes() + self.md5.memory_bytes()
    }

    /// What rules the lists stand for.
    pub fn rules(&self) -> impl Iterator<Item = &About> {
        self.lists.iter().map(|(about, _)| about)
    }

    /// The state before the first byte.
    pub fn start(&self) -> HashState {
        HashState {
            sha256: (!self.sha256.digests.is_empty()).then(Sha256::new),
            md5: (!self.md5.digests.is_empty()).then(Md5::new),
            length: 0,
        }
    }

    /// The part is over: records a finding for each block list that has it, none when an allow list has it.
    pub fn finish(&self, state: HashState, part: PartId, out: &mut Findings) {
        // The digest of nothing is on many lists by mistake.
        if state.length == 0 {
            return;
        }
        let mut listed: Vec<u16> = Vec::new();
        if let Some(hash) = state.sha256 {
            listed.extend(self.sha256.find(&hash.finalize().into()));
        }
        if let Some(hash) = state.md5 {
            listed.extend(self.md5.find(&hash.finalize().into()));
        }
        listed.sort_unstable();
        listed.dedup();
        let known = || {
            listed
                .iter()
                .filter_map(|number| self.lists.get(usize::from(*number)))
        };
        if known().any(|(_, kind)| *kind == ListKind::Allow) {
            return;
        }
        for (about, _) in known() {
            out.record(crate::inspect::literal::finding(
                about,
                part,
                Span::new(0, state.length),
            ));
        }
    }
}

impl HashState {
    /// Takes the next bytes.
    pub fn push(&mut self, window: &[u8]) {
        self.length += window.len() as u64;
        if let Some(hash) = &mut self.sha256 {
            hash.update(window);
        }
        if let Some(hash) = &mut self.md5 {
            hash.update(window);
        }
    }
}

impl<const N: usize> Column<N> {
    fn new(mut entries: Vec<([u8; N], u16)>) -> Self {
        entries.sort_unstable();
        entries.dedup();
        Self {
            digests: entries.iter().map(|(digest, _)| *digest).collect(),
            lists: entries.iter().map(|(_, list)| *list).collect(),
        }
    }

    fn memory_bytes(&self) -> usize {
        self.digests.capacity() * N + self.lists.capacity() * size_of::<u16>()
    }

    fn find(&self, digest: &[u8; N]) -> impl Iterator<Item = u16> + '_ {
        let from = self.digests.partition_point(|entry| entry < digest);
        let to = self.digests.partition_point(|entry| entry <= digest);
        self.lists.get(from..to).unwrap_or_default().iter().copied()
    }
}

fn about(list: &HashList) -> About {
    About {
        id: format!("hash/{}", list.name).into(),
        severity: Severity::Critical,
        category: Category::Hash,
        description: "content whose digest is on a block list".into(),
        reference: Box::default(),
        licence: Box::default(),
        mode: Mode::Enforce,
        bundle: list.bundle.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(name: &str, kind: ListKind, content: &[u8]) -> HashList {
        HashList {
            name: name.into(),
            kind,
            bundle: "test".into(),
            sha256: vec![Sha256::digest(content).into()],
            md5: vec![Md5::digest(content).into()],
        }
    }

    fn ids(set: &HashSet, pieces: &[&[u8]]) -> Vec<String> {
        let mut state = set.start();
        for piece in pieces {
            state.push(piece);
        }
        let mut out = Findings::default();
        set.finish(state, PartId::BODY, &mut out);
        out.list
            .iter()
            .map(|finding| finding.rule.to_string())
            .collect()
    }

    #[test]
    fn finds_listed_content_once_however_it_is_cut() {
        let set = HashSet::new([list("bad", ListKind::Block, b"abc")]);
        assert_eq!(ids(&set, &[b"abc"]), ["hash/bad"]);
        assert_eq!(ids(&set, &[b"a", b"", b"bc"]), ["hash/bad"]);
        assert!(ids(&set, &[b"abcd"]).is_empty());
    }

    #[test]
    fn a_million_entries_stay_below_a_hundred_mib() {
        let digest = |number: u64| -> [u8; 32] { Sha256::digest(number.to_le_bytes()).into() };
        let bad = HashList {
            name: "bad".into(),
            bundle: "test".into(),
            kind: ListKind::Block,
            sha256: (0..700_000).map(digest).collect(),
            md5: (0..300_000u64)
                .map(|number| Md5::digest(number.to_le_bytes()).into())
                .collect(),
        };
        let good = HashList {
            name: "good".into(),
            bundle: "test".into(),
            kind: ListKind::Allow,
            sha256: (0..100_000).map(digest).collect(),
            md5: Vec::new(),
        };
        let set = HashSet::new([bad, good]);
        assert_eq!(set.len(), 1_100_000);
        assert!(set.memory_bytes() < 40 << 20, "{}", set.memory_bytes());
        let ids = |number: u64| ids(&set, &[&number.to_le_bytes()]);
        assert_eq!(ids(699_999), ["hash/bad"]);
        assert!(ids(99_999).is_empty(), "allowed");
        assert!(ids(700_000).is_empty(), "on no list");
    }

    #[test]
    fn an_allow_list_wins() {
        let set = HashSet::new([
            list("bad", ListKind::Block, b"abc"),
            list("good", ListKind::Allow, b"abc"),
        ]);
        assert!(ids(&set, &[b"abc"]).is_empty());
    }

    #[test]
    fn nothing_is_computed_without_lists_and_nothing_is_never_listed() {
        let empty = HashSet::default();
        assert!(empty.start().sha256.is_none());
        let set = HashSet::new([list("bad", ListKind::Block, b"")]);
        assert!(ids(&set, &[]).is_empty());
    }
}
