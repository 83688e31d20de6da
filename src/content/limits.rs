//! The limits of decoding; each hit is an anomaly.

/// Ceilings on what one body may decode into. The defaults are those of the threat model; all are configurable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes that all decompressors of one body may yield together.
    pub decoded_bytes: u64,
    /// Decoded to encoded ratio, checked after [`ratio_floor_bytes`](Self::ratio_floor_bytes). Text reaches 5 to 20,
    /// deflate's ceiling is 1,032.
    pub ratio: u64,
    /// Decoded bytes before the ratio is looked at.
    pub ratio_floor_bytes: u64,
    /// Stacked content-codings.
    pub codings: usize,
    /// gzip members or zstd frames of one stream.
    pub members: u32,
    /// The window that a zstd frame may ask for, in bytes. Brotli's is at most 16 MiB by its format.
    pub coding_window_bytes: u64,
    /// Archives inside archives.
    pub archive_depth: u8,
    /// Archive members in the whole tree. The threat model's floor is 1,000, which libraries of ordinary size pass: guava
    /// has 2,000 classes, a JDK module or a web application twice and thrice that. Ten times the floor lets them
    /// through; bytes, ratio and time bound the work as before, and a member of nothing costs a microsecond.
    pub archive_entries: u32,
    /// Multipart parts in the whole tree.
    pub multipart_parts: u32,
    /// The head of one multipart part.
    pub part_head_bytes: usize,
    /// A multipart boundary (RFC 2046 §5.1.1: at most 70).
    pub boundary_bytes: usize,
    /// Parts below parts, of any kind.
    pub depth: u8,
    /// Parts of any kind in the whole tree: members, and what is found inside some of them.
    pub parts: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            decoded_bytes: 256 * MIB,
            ratio: 200,
            ratio_floor_bytes: 4 * MIB,
            codings: 3,
            members: 1000,
            coding_window_bytes: 8 * MIB,
            archive_depth: 3,
            archive_entries: 10_000,
            multipart_parts: 1000,
            part_head_bytes: 16 * 1024,
            boundary_bytes: 70,
            depth: 8,
            parts: 16_384,
        }
    }
}

const MIB: u64 = 1024 * 1024;
