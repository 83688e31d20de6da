//! Where in its document a value stands: how a path is built from step to step, and how it is shown.

use std::fmt;

/// The path of a value inside its document: a root and segments. Names are kept up to [`NAME_BYTES`] each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    root: Root,
    names: Vec<u8>,
    segments: Vec<Segment>,
}

/// What kind of document or place a path begins in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Root {
    /// `$`
    Json,
    /// `/`
    Xml,
    /// `html:`
    Html,
    /// `form:`
    Form,
    /// `query:`
    Query,
    /// `header:`
    Header,
    /// `cookie:`
    Cookie,
    /// `part:`, a multipart part's own fields
    Multipart,
    /// `csv:`
    Csv,
    /// `url`, the path of the request target
    UrlPath,
    /// `text`
    Text,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Segment {
    Name { start: u32, end: u32 },
    Attribute { start: u32, end: u32 },
    Index(u32),
}

/// One step of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// An object member, element, field or column name, decoded.
    Name(&'a [u8]),
    /// An attribute's name.
    Attribute(&'a [u8]),
    /// An array index or row number, from 0.
    Index(u32),
}

impl Path {
    /// The path of the root itself.
    pub fn new(root: Root) -> Self {
        Self {
            root,
            names: Vec::new(),
            segments: Vec::new(),
        }
    }

    /// Becomes the path of the root itself; keeps its memory.
    pub fn reset(&mut self, root: Root) {
        self.root = root;
        self.names.clear();
        self.segments.clear();
    }

    /// Becomes a copy of `other`; keeps its memory.
    pub fn assign(&mut self, other: &Path) {
        self.root = other.root;
        self.names.clone_from(&other.names);
        self.segments.clone_from(&other.segments);
    }

    /// The root.
    pub fn root(&self) -> Root {
        self.root
    }

    /// Steps below the root.
    #[inline]
    pub fn depth(&self) -> usize {
        self.segments.len()
    }

    /// Goes one step down by name.
    #[inline]
    pub fn push_name(&mut self, name: &[u8]) {
        let (start, end) = self.keep(name);
        self.segments.push(Segment::Name { start, end });
    }

    /// Goes up until `depth` steps are left, and one down by name.
    #[inline(always)]
    pub fn set_name(&mut self, depth: usize, name: &[u8]) {
        // The most common way from one member of an object to the next.
        if self.segments.len() == depth + 1
            && let Some(Segment::Name { start, end }) = self.segments.last_mut()
            && name.len() <= NAME_BYTES
        {
            self.names.truncate(*start as usize);
            self.names.extend_from_slice(name);
            *end = *start + name.len() as u32;
        } else {
            self.set_name_anew(depth, name);
        }
    }

    #[inline(never)]
    fn set_name_anew(&mut self, depth: usize, name: &[u8]) {
        self.truncate(depth);
        self.push_name(name);
    }

    /// Goes one step down to an attribute.
    pub fn push_attribute(&mut self, name: &[u8]) {
        let (start, end) = self.keep(name);
        self.segments.push(Segment::Attribute { start, end });
    }

    /// Goes one step down by index.
    #[inline]
    pub fn push_index(&mut self, index: u32) {
        self.segments.push(Segment::Index(index));
    }

    /// Goes one step up.
    #[inline]
    pub fn pop(&mut self) {
        match self.segments.pop() {
            Some(Segment::Name { start, .. } | Segment::Attribute { start, .. }) => {
                self.names.truncate(start as usize);
            }
            Some(Segment::Index(_)) | None => {}
        }
    }

    /// Goes up until `depth` steps are left.
    #[inline]
    pub fn truncate(&mut self, depth: usize) {
        while self.segments.len() > depth {
            self.pop();
        }
    }

    /// The steps, from the root down.
    pub fn steps(&self) -> impl DoubleEndedIterator<Item = Step<'_>> {
        self.segments.iter().map(|segment| match *segment {
            Segment::Name { start, end } => Step::Name(self.name(start, end)),
            Segment::Attribute { start, end } => Step::Attribute(self.name(start, end)),
            Segment::Index(index) => Step::Index(index),
        })
    }

    /// The nearest name going up from the value: `card` for `$.card`, `$.card[0]`.
    #[inline]
    pub fn last_name(&self) -> Option<&[u8]> {
        if let Some(Segment::Name { start, end }) = self.segments.last() {
            return Some(self.name(*start, *end));
        }
        self.steps().rev().find_map(|step| match step {
            Step::Name(name) | Step::Attribute(name) => Some(name),
            Step::Index(_) => None,
        })
    }

    /// The last `count` names (at most four), indexes aside: their bytes one after the other, and their lengths, that of
    /// the last name in the lowest 16 bits. Equal for equal names, and cheap.
    pub fn tail(&self, count: usize) -> (u64, &[u8]) {
        let (mut lengths, mut shift) = (0, 0);
        let mut from = self.names.len();
        let most = 16 * count.min(4);
        for segment in self.segments.iter().rev() {
            let (start, end) = match *segment {
                Segment::Name { start, end } | Segment::Attribute { start, end } => (start, end),
                Segment::Index(_) => continue,
            };
            if shift >= most {
                break;
            }
            // One more than the length: an empty name is not no name.
            lengths |= (u64::from(end.saturating_sub(start)) + 1) << shift;
            shift += 16;
            from = start as usize;
        }
        (lengths, self.names.get(from..).unwrap_or_default())
    }

    #[inline]
    fn keep(&mut self, name: &[u8]) -> (u32, u32) {
        let start = self.names.len() as u32;
        self.names
            .extend_from_slice(name.get(..NAME_BYTES).unwrap_or(name));
        (start, self.names.len() as u32)
    }

    #[inline]
    fn name(&self, start: u32, end: u32) -> &[u8] {
        self.names
            .get(start as usize..end as usize)
            .unwrap_or_default()
    }

    /// The printable form, capped at [`SHOWN_BYTES`], control bytes escaped: what findings and logs carry.
    pub fn shown(&self) -> Box<str> {
        let mut shown = Shown(String::with_capacity(SHOWN_BYTES));
        if self.write(&mut shown).is_err() {
            shown.0.push('…');
        }
        shown.0.into_boxed_str()
    }

    fn write(&self, out: &mut impl fmt::Write) -> fmt::Result {
        let (prefix, separator) = match self.root {
            Root::Json => ("$", "."),
            Root::Xml => ("/", "/"),
            Root::Html => ("html:", "/"),
            Root::Form => ("form:", "."),
            Root::Query => ("query:", "."),
            Root::Header => ("header:", "."),
            Root::Cookie => ("cookie:", "."),
            Root::Multipart => ("part:", "."),
            Root::Csv => ("csv:", "."),
            Root::UrlPath => ("url", "/"),
            Root::Text => ("text", "."),
        };
        out.write_str(prefix)?;
        let mut first = !matches!(self.root, Root::Json | Root::Xml);
        for step in self.steps() {
            if let Step::Index(index) = step {
                write_index(out, index)?;
                continue;
            }
            if !std::mem::take(&mut first) {
                out.write_str(separator)?;
            }
            match step {
                Step::Name(name) => write_name(out, name)?,
                Step::Attribute(name) => {
                    out.write_str("@")?;
                    write_name(out, name)?;
                }
                Step::Index(_) => {}
            }
        }
        Ok(())
    }
}

/// Takes [`SHOWN_BYTES`] of text and no more, so that a path as deep as a document may be costs what it shows.
struct Shown(String);

impl fmt::Write for Shown {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let left = SHOWN_BYTES.saturating_sub(self.0.len());
        if text.len() <= left {
            self.0.push_str(text);
            return Ok(());
        }
        let cut = text.floor_char_boundary(left);
        self.0.push_str(text.get(..cut).unwrap_or_default());
        Err(fmt::Error)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f)
    }
}

/// A flood of findings in deep arrays is a flood of indexes, most of one digit.
fn write_index(out: &mut impl fmt::Write, index: u32) -> fmt::Result {
    const SMALL: &str = "[0][1][2][3][4][5][6][7][8][9]";
    let at = usize::try_from(index)
        .unwrap_or(SMALL.len())
        .saturating_mul(3);
    match SMALL.get(at..at.saturating_add(3)) {
        Some(shown) => out.write_str(shown),
        None => write!(out, "[{index}]"),
    }
}

fn write_name(out: &mut impl fmt::Write, name: &[u8]) -> fmt::Result {
    // Most names need no escape.
    if name.iter().all(|byte| matches!(byte, b' '..=b'~'))
        && let Ok(text) = std::str::from_utf8(name)
    {
        return out.write_str(text);
    }
    for chunk in name.utf8_chunks() {
        for char in chunk.valid().chars() {
            if char.is_control() || matches!(char, '\u{2028}' | '\u{2029}') {
                write!(out, "{}", char.escape_unicode())?;
            } else {
                write!(out, "{char}")?;
            }
        }
        if !chunk.invalid().is_empty() {
            out.write_str("\u{fffd}")?;
        }
    }
    Ok(())
}

/// Bytes of one name that a path keeps.
pub const NAME_BYTES: usize = 256;

/// Bytes of a path that findings and logs show.
pub const SHOWN_BYTES: usize = 160;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_print_in_their_roots_way() {
        let mut path = Path::new(Root::Json);
        path.push_name(b"items");
        path.push_index(3);
        path.push_name(b"id\n");
        assert_eq!(path.to_string(), "$.items[3].id\\u{a}");
        assert_eq!(path.last_name(), Some(b"id\n".as_slice()));
        path.pop();
        assert_eq!(path.to_string(), "$.items[3]");
        for index in [0, 9, 10, u32::MAX] {
            path.push_index(index);
        }
        assert_eq!(path.to_string(), "$.items[3][0][9][10][4294967295]");
        assert_eq!(*path.shown(), path.to_string());

        let mut path = Path::new(Root::Xml);
        path.push_name(b"item");
        path.push_attribute(b"id");
        assert_eq!(path.to_string(), "//item/@id");

        let mut path = Path::new(Root::Query);
        path.push_name(b"q");
        assert_eq!(path.to_string(), "query:q");
    }

    #[test]
    fn a_deep_path_is_shown_up_to_its_limit_and_no_character_is_cut() {
        let mut path = Path::new(Root::Json);
        for _ in 0..1000 {
            path.push_name("né".as_bytes());
        }
        let shown = path.shown();
        assert!(shown.starts_with("$.né.né.") && shown.ends_with('…'));
        assert!((SHOWN_BYTES - 1..=SHOWN_BYTES).contains(&(shown.len() - '…'.len_utf8())));
        let whole = path.to_string();
        assert!(whole.starts_with(shown.trim_end_matches('…')));
    }
}
