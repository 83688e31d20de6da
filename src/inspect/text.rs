//! Bodies without a structure of their own: the whole text is one value, read in overlapping windows.

use crate::inspect::leaf::{Assembler, HostSyntax, LeafSink, Outlet, Path, Root};

/// Reads one text after another; keeps its memory between them.
#[derive(Debug)]
pub struct Reader {
    path: Path,
    at: u64,
    value: Assembler,
}

impl Reader {
    /// A reader at the beginning of a text.
    pub fn new() -> Self {
        Self {
            path: Path::new(Root::Text),
            at: 0,
            value: Assembler::default(),
        }
    }

    /// Begins a text whose leaves carry `path` (a multipart field's name, say) and whose first byte has offset `base`.
    pub fn begin(&mut self, path: &Path, base: u64) {
        self.path.assign(path);
        self.at = base;
        self.value.begin(base);
    }

    /// Reads one window, of any size.
    pub fn push<S: LeafSink + ?Sized>(&mut self, window: &[u8], sink: &mut S) {
        let at = self.at;
        self.at += window.len() as u64;
        self.value.plain(
            window,
            at,
            &mut Outlet {
                sink,
                path: &self.path,
                host: HostSyntax::Raw,
            },
        );
    }

    /// Ends the text.
    pub fn finish<S: LeafSink + ?Sized>(&mut self, sink: &mut S) {
        if self.value.bytes().is_empty() {
            return;
        }
        self.value.finish(&mut Outlet {
            sink,
            path: &self.path,
            host: HostSyntax::Raw,
        });
    }
}

impl Default for Reader {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::leaf::{LEAF_BYTES, Leaf, Piece};

    struct Lengths(Vec<(usize, Piece)>);

    impl LeafSink for Lengths {
        fn leaf(&mut self, leaf: &Leaf<'_>) {
            assert!(leaf.map.is_verbatim());
            self.0.push((leaf.bytes.len(), leaf.piece));
        }
    }

    #[test]
    fn a_text_is_cut_at_the_same_places_however_it_comes() {
        let text = vec![b'x'; 3 * LEAF_BYTES];
        let mut expected = None;
        for size in [7, 1000, LEAF_BYTES, text.len()] {
            let mut lengths = Lengths(Vec::new());
            let mut reader = Reader::new();
            reader.begin(&Path::new(Root::Text), 0);
            for piece in text.chunks(size) {
                reader.push(piece, &mut lengths);
            }
            reader.finish(&mut lengths);
            let expected = expected.get_or_insert_with(|| lengths.0.clone());
            assert_eq!(*expected, lengths.0);
        }
        assert_eq!(expected.map_or(0, |pieces| pieces.len()), 4);
    }
}
