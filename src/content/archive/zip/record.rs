//! The records of a zip file (APPNOTE 6.3.10 §4.3).

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::content::coding::Format;

/// What the four bytes after `PK` announce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signature {
    /// §4.3.7
    Local,
    /// §4.3.12
    Central,
    /// §4.3.16
    End,
    /// §4.3.14
    End64,
    /// §4.3.15
    Locator64,
    /// §4.3.11
    Extra,
    /// §4.3.13
    Signed,
}

impl Signature {
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        Some(match bytes {
            b"PK\x03\x04" => Signature::Local,
            b"PK\x01\x02" => Signature::Central,
            b"PK\x05\x06" => Signature::End,
            b"PK\x06\x06" => Signature::End64,
            b"PK\x06\x07" => Signature::Locator64,
            b"PK\x06\x08" => Signature::Extra,
            b"PK\x05\x05" => Signature::Signed,
            _ => return None,
        })
    }

    /// Bytes of its fixed front, the signature included.
    pub(super) fn fixed_bytes(self) -> usize {
        match self {
            Signature::Local => 30,
            Signature::Central => 46,
            Signature::End => 22,
            Signature::End64 => 12,
            Signature::Locator64 => 20,
            Signature::Extra => 8,
            Signature::Signed => 6,
        }
    }

    /// Bytes that follow the fixed front `fixed`.
    pub(super) fn more_bytes(self, fixed: &[u8]) -> u64 {
        let field = |at| u64::from(u16_at(fixed, at));
        match self {
            Signature::Local => field(26) + field(28),
            Signature::Central => field(28) + field(30) + field(32),
            Signature::End => field(20),
            Signature::End64 => u64_at(fixed, 4),
            Signature::Locator64 => 0,
            Signature::Extra => u64::from(u32_at(fixed, 4)),
            Signature::Signed => field(4),
        }
    }
}

/// A member as a local header or a record of the central directory tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) flags: u16,
    pub(super) method: u16,
    pub(super) crc: u32,
    pub(super) packed: u64,
    pub(super) size: u64,
    /// Where its local header stands: by the walk, or by what the central directory says.
    pub(super) offset: u64,
    /// Hash of its name: enough to tell two names apart, less to keep.
    pub(super) name: u64,
    /// Records of the central directory that point here.
    pub(super) listed: u32,
}

impl Entry {
    /// Of a whole local header.
    pub(super) fn local(record: &[u8], offset: u64) -> Self {
        let mut entry = Self::fields(record, 6);
        entry.offset = offset;
        entry.name = hash(local_name(record));
        let extra = 30 + local_name(record).len();
        let extra = record.get(extra..).unwrap_or_default();
        entry.widen(extra, &mut []);
        entry
    }

    /// Of a whole record of the central directory.
    pub(super) fn central(record: &[u8]) -> Self {
        let mut entry = Self::fields(record, 8);
        let name_end = 46 + usize::from(u16_at(record, 28));
        let extra_end = name_end + usize::from(u16_at(record, 30));
        entry.name = hash(record.get(46..name_end).unwrap_or_default());
        let mut offset = u64::from(u32_at(record, 42));
        let extra = record.get(name_end..extra_end).unwrap_or_default();
        entry.widen(extra, &mut [&mut offset]);
        entry.offset = offset;
        entry
    }

    /// The fields that both records have, from the flags at `at` on.
    fn fields(record: &[u8], at: usize) -> Self {
        Self {
            flags: u16_at(record, at),
            method: u16_at(record, at + 2),
            crc: u32_at(record, at + 8),
            packed: u64::from(u32_at(record, at + 12)),
            size: u64::from(u32_at(record, at + 16)),
            ..Self::default()
        }
    }

    /// Takes what does not fit 32 bits from the zip64 field (§4.5.3): in fixed order, each only where it is needed.
    fn widen(&mut self, extra: &[u8], others: &mut [&mut u64]) {
        let Some(mut wide) = extra_field(extra, 0x0001) else {
            return;
        };
        let fields = [&mut self.size, &mut self.packed];
        for field in fields
            .into_iter()
            .chain(others.iter_mut().map(|field| &mut **field))
        {
            if *field == u64::from(u32::MAX)
                && let Some((value, rest)) = wide.split_first_chunk::<8>()
            {
                *field = u64::from_le_bytes(*value);
                wide = rest;
            }
        }
    }

    pub(super) fn is_encrypted(&self) -> bool {
        // §4.4.4: bit 0 traditional, 6 strong, 13 masked headers. Method 99: AES.
        self.flags & (1 | 1 << 6 | 1 << 13) != 0 || self.method == 99
    }

    /// True when sizes and CRC follow the data (§4.3.9).
    pub(super) fn has_descriptor(&self) -> bool {
        self.flags & (1 << 3) != 0
    }

    /// The format of its method; `None` for one that we cannot unpack.
    pub(super) fn format(&self) -> Option<Format> {
        Some(match self.method {
            0 => Format::Stored,
            8 => Format::Bare,
            9 => Format::Deflate64,
            12 => Format::Bzip2,
            93 => Format::Zstd,
            95 => Format::Xz,
            _ => return None,
        })
    }

    /// True when two readers, one by each record, unpack the same.
    pub(super) fn agrees(&self, central: &Self) -> bool {
        self.name == central.name
            && self.method == central.method
            && self.is_encrypted() == central.is_encrypted()
            && self.crc == central.crc
            && self.packed == central.packed
            && self.size == central.size
    }
}

/// The name in a whole local header.
pub(super) fn local_name(record: &[u8]) -> &[u8] {
    let end = 30 + usize::from(u16_at(record, 26));
    record.get(30..end).unwrap_or_default()
}

/// True when what stands after a chance `PK\x03\x04` in other data looks like a local header.
pub(super) fn is_plausible(fixed: &[u8]) -> bool {
    let version = u16_at(fixed, 4) & 0xff;
    let known = matches!(u16_at(fixed, 8), 0..=10 | 12 | 14 | 16 | 18..=20 | 93..=99);
    let name = u16_at(fixed, 26);
    version <= 63 && known && u16_at(fixed, 6) & 0xc000 == 0 && (1..=1024).contains(&name)
}

fn hash(name: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

/// The data of the extra field with that id.
fn extra_field(mut extra: &[u8], id: u16) -> Option<&[u8]> {
    loop {
        let len = usize::from(u16_at(extra.get(..4)?, 2));
        let data = extra.get(4..4 + len)?;
        if u16_at(extra, 0) == id {
            return Some(data);
        }
        extra = extra.get(4 + len..)?;
    }
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    let field = bytes.get(at..).and_then(|rest| rest.first_chunk());
    field.map_or(0, |field| u16::from_le_bytes(*field))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let field = bytes.get(at..).and_then(|rest| rest.first_chunk());
    field.map_or(0, |field| u32::from_le_bytes(*field))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let field = bytes.get(at..).and_then(|rest| rest.first_chunk());
    field.map_or(0, |field| u64::from_le_bytes(*field))
}
