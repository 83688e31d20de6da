//! Bodies without a structure of their own: the whole text is one value, read in overlapping windows.

use crate::inspect::leaf::{LeafSink, Path, Root};

/// Reads one text after another; keeps its memory between them.
#[derive(Debug)]
pub struct Reader {
    path: Path,
}

impl Reader {
    /// A reader at the beginning of a text.
    pub fn new() -> Self {
        Self {
            path: Path::new(Root::Text),
        }
    }

    /// Begins a text whose leaves carry `path` (a multipart field's name, say) and whose first byte has offset `base`.
    pub fn begin(&mut self, path: &Path, base: u64) {
        let _ = base;
        self.path.clone_from(path);
    }

    /// Reads one window, of any size.
    pub fn push<S: LeafSink + ?Sized>(&mut self, window: &[u8], sink: &mut S) {
        let _ = (window, sink);
    }

    /// Ends the text.
    pub fn finish<S: LeafSink + ?Sized>(&mut self, sink: &mut S) {
        let _ = sink;
    }
}

impl Default for Reader {
    fn default() -> Self {
        Self::new()
    }
}
