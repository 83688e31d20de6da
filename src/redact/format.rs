//! Which reader reads a body, and up to where its bytes have settled.

use super::csv::Table;
use super::editor::Editor;
use super::markup::{self, Markup};
use super::multipart::{Parts, parameter};
use super::pairs::Pairs;
use super::recoded::Recoded;
use super::text::{self, Lines};
use super::unsure::Unsure;
use super::veil::Veil;
use crate::inspect::leaf::{Assembler, HostSyntax, Outlet, Path};
use crate::inspect::{Findings, PartId, form, json};

/// How a body, or a part of one, is read.
#[derive(Debug)]
pub(super) enum Format {
    Json(Box<json::Reader>, Place),
    Form(Box<form::Reader>, Place),
    Text(Box<Lines>),
    Table(Box<Table>),
    Markup(Box<Markup>),
    Parts(Box<Parts>),
    /// A part in a transfer encoding.
    Recoded(Box<Recoded>),
    /// A form field: all of it is one value.
    Value(Box<Assembler>, Path, Place),
    /// The first bytes are to tell.
    Unsure(Box<Unsure>),
    /// Masked whole.
    Veil(Box<Veil>),
    /// Nothing that an edit can reach.
    Opaque(Place),
}

/// Where in the stream a reader is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    base: u64,
    at: u64,
    pending: Option<u64>,
}

impl Place {
    fn new(base: u64) -> Self {
        Self {
            base,
            at: base,
            pending: None,
        }
    }
}

impl Place {
    /// Where what is read now begins.
    fn reading(&self) -> u64 {
        self.pending.unwrap_or(self.at)
    }

    fn settled(&self, editor: &Editor) -> u64 {
        self.pending
            .map_or(self.at, |begun| begun.max(editor.windowed).min(self.at))
    }
}

/// The family of a media type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Json,
    Form,
    Csv,
    Tsv,
    Xml,
    Html,
    Multipart,
    Text,
    Unknown,
}

impl Family {
    /// That of a `Content-Type` field value.
    pub(super) fn of(content_type: &str) -> Self {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        let essence = essence.to_ascii_lowercase();
        match essence.as_str() {
            "application/x-www-form-urlencoded" => Family::Form,
            "text/csv" | "application/csv" | "text/x-csv" | "text/comma-separated-values" => {
                Family::Csv
            }
            "text/tab-separated-values" | "text/tsv" => Family::Tsv,
            "text/html" | "application/xhtml+xml" => Family::Html,
            "application/x-javascript"
            | "application/javascript"
            | "application/yaml"
            | "application/x-yaml"
            | "application/toml"
            | "application/sql"
            | "application/graphql"
            | "application/x-sh"
            | "application/x-pem-file"
            | "message/http" => Family::Text,
            other if other.starts_with("multipart/") => Family::Multipart,
            other
                if ["json", "jsonl", "ndjson", "json-seq", "json5", "jsonlines"]
                    .iter()
                    .any(|end| other.ends_with(end)) =>
            {
                Family::Json
            }
            other if other.ends_with("xml") => Family::Xml,
            other if other.starts_with("text/") => Family::Text,
            _ => Family::Unknown,
        }
    }
}

/// The type of a file, by the end of its name; `None` where that says nothing.
pub fn type_by_name(name: &str) -> Option<&'static str> {
    let (_, end) = name.rsplit_once('.')?;
    let known = TYPES
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(end));
    known.map(|(_, content_type)| *content_type)
}

impl Format {
    /// The reader of a body of that type.
    pub(super) fn of(content_type: &str) -> Self {
        Self::at(content_type, None, 0, PART_LEVELS)
    }

    /// The reader of a part of that type whose values lie below `path`.
    pub(super) fn below(content_type: &str, path: Path, base: u64, levels: u32) -> Self {
        Self::at(content_type, Some(path), base, levels)
    }

    /// A form field whose value begins at `base`.
    pub(super) fn value(path: Path, base: u64) -> Self {
        let mut value = Assembler::default();
        value.begin(base);
        Format::Value(Box::new(value), path, Place::new(base))
    }

    /// Bytes that are passed as they are.
    pub(super) fn opaque(base: u64) -> Self {
        Format::Opaque(Place::new(base))
    }

    /// A part that is masked whole.
    pub(super) fn veil(path: Path, base: u64) -> Self {
        Format::Veil(Box::new(Veil::new(path, base)))
    }

    /// True when all of it is masked, whatever is in it.
    pub(super) fn is_veil(&self) -> bool {
        match self {
            Format::Veil(_) => true,
            Format::Recoded(part) => part.is_veil(),
            _ => false,
        }
    }

    fn at(content_type: &str, path: Option<Path>, base: u64, levels: u32) -> Self {
        match Family::of(content_type) {
            Family::Json | Family::Form | Family::Xml | Family::Html | Family::Unknown => {
                Format::Unsure(Box::new(Unsure::new(content_type, path, base, levels)))
            }
            family @ (Family::Csv | Family::Tsv | Family::Multipart | Family::Text) => {
                Self::family(family, content_type, (path, base), levels)
            }
        }
    }

    /// The reader of that family for a stream whose values lie below a path and whose first byte has an offset.
    pub(super) fn family(
        family: Family,
        content_type: &str,
        (path, base): (Option<Path>, u64),
        levels: u32,
    ) -> Self {
        match family {
            Family::Json => {
                let mut reader = json::Reader::default();
                let document = json::Document {
                    framing: json::Framing::Lines,
                    purpose: json::Purpose::Values,
                    ..json::Document::default()
                };
                match path {
                    Some(path) => reader.begin_below(document, &path),
                    None => reader.begin(document),
                }
                Format::Json(Box::new(reader), Place::new(base))
            }
            Family::Form => {
                let mut reader = form::Reader::new();
                if let Some(path) = path {
                    reader.begin_below(PartId::BODY, &path, base);
                }
                Format::Form(Box::new(reader), Place::new(base))
            }
            Family::Csv => Format::Table(Box::new(Table::new(path, base, None))),
            Family::Tsv => Format::Table(Box::new(Table::new(path, base, Some(b'\t')))),
            Family::Xml => Format::Markup(Box::new(Markup::new(markup::Dialect::Xml, path, base))),
            Family::Html => {
                Format::Markup(Box::new(Markup::new(markup::Dialect::Html, path, base)))
            }
            Family::Multipart => match parameter(content_type.as_bytes(), b"boundary") {
                Some(boundary) => Format::Parts(Box::new(Parts::new(&boundary, base, levels))),
                None => Self::text(path, base),
            },
            Family::Text | Family::Unknown => Self::text(path, base),
        }
    }

    fn text(path: Option<Path>, base: u64) -> Self {
        Format::Text(Box::new(Lines::new(path.unwrap_or_else(text::root), base)))
    }

    /// Reads `input`, the next bytes of the stream.
    pub(super) fn push(&mut self, input: &[u8], editor: &mut Editor, findings: &mut Findings) {
        match self {
            Format::Unsure(unsure) => {
                if let Some(reader) = unsure.push(input, editor, findings) {
                    *self = reader;
                }
            }
            Format::Json(reader, place) => {
                editor.base = place.base;
                reader.push(input, editor, findings);
                editor.base = 0;
                place.at += input.len() as u64;
                place.pending = reader.pending().map(|at| at + place.base);
            }
            Format::Form(reader, place) => {
                if let Some(removal) = editor.removal.as_mut().filter(|_| place.at == place.base) {
                    removal.pairs = Pairs::new(place.base);
                }
                reader.push(input, editor, findings);
                place.at += input.len() as u64;
                place.pending = reader.pending();
            }
            Format::Text(lines) => lines.push(input, editor),
            Format::Table(table) => table.push(input, editor),
            Format::Markup(markup) => markup.push(input, editor),
            Format::Parts(parts) => parts.push(input, editor, findings),
            Format::Recoded(part) => part.push(input, editor, findings),
            Format::Value(value, path, place) => {
                let mut out = Outlet {
                    sink: editor,
                    path,
                    host: HostSyntax::Raw,
                };
                value.plain(input, place.at, &mut out);
                place.at += input.len() as u64;
                place.pending = Some(place.base);
            }
            Format::Veil(veil) => veil.push(input, editor),
            Format::Opaque(place) => place.at += input.len() as u64,
        }
    }

    /// Ends the body or part.
    pub(super) fn finish(&mut self, editor: &mut Editor, findings: &mut Findings) {
        if let Format::Unsure(unsure) = self {
            *self = unsure.finish(editor, findings);
        }
        match self {
            Format::Json(reader, place) => {
                editor.base = place.base;
                reader.finish(editor, findings);
                editor.base = 0;
                if let Some(removal) = &mut editor.removal {
                    removal.reset();
                }
            }
            Format::Form(reader, _) => reader.finish(editor, findings),
            Format::Text(lines) => lines.finish(editor),
            Format::Table(table) => table.finish(editor),
            Format::Markup(markup) => markup.finish(editor),
            Format::Parts(parts) => parts.finish(editor, findings),
            Format::Recoded(part) => part.finish(editor, findings),
            Format::Value(value, path, _) => value.finish(&mut Outlet {
                sink: editor,
                path,
                host: HostSyntax::Raw,
            }),
            Format::Veil(veil) => veil.finish(editor),
            Format::Opaque(_) | Format::Unsure(_) => {}
        }
    }

    /// Offset before which no edit will be planned any more.
    pub(super) fn settled(&self, editor: &Editor) -> u64 {
        match self {
            Format::Json(_, place) => {
                let settled = place.settled(editor);
                match &editor.removal {
                    Some(removal) => {
                        let base = place.base;
                        let reading = place.reading().saturating_sub(base);
                        settled.min(removal.settled(reading) + base)
                    }
                    None => settled,
                }
            }
            Format::Form(_, place) => {
                let settled = place.settled(editor);
                match &editor.removal {
                    Some(removal) => settled.min(removal.pairs.settled(place.reading())),
                    None => settled,
                }
            }
            Format::Value(_, _, place) | Format::Opaque(place) => place.settled(editor),
            Format::Text(lines) => lines.settled(editor),
            Format::Table(table) => table.settled(editor),
            Format::Markup(markup) => markup.settled(editor),
            Format::Parts(parts) => parts.settled(editor),
            Format::Recoded(part) => part.settled(),
            Format::Unsure(unsure) => unsure.settled(),
            Format::Veil(veil) => veil.settled(),
        }
    }
}

/// Multipart inside multipart: mail programs nest three deep.
const PART_LEVELS: u32 = 3;

/// What the ends of names say.
const TYPES: &[(&str, &str)] = &[
    ("json", "application/json"),
    ("ndjson", "application/x-ndjson"),
    ("jsonl", "application/x-ndjson"),
    ("xml", "application/xml"),
    ("svg", "application/xml"),
    ("xsd", "application/xml"),
    ("html", "text/html"),
    ("htm", "text/html"),
    ("csv", "text/csv"),
    ("tsv", "text/tab-separated-values"),
    ("tab", "text/tab-separated-values"),
    ("txt", "text/plain"),
    ("log", "text/plain"),
    ("md", "text/plain"),
    ("yaml", "text/plain"),
    ("yml", "text/plain"),
    ("sql", "text/plain"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_name_tells_the_type() {
        assert_eq!(type_by_name("dump.NDJSON"), Some("application/x-ndjson"));
        assert_eq!(type_by_name("a/b.tar.gz"), None);
        assert_eq!(type_by_name("README"), None);
    }
}
