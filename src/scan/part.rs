//! The inspectors of one part, and which ones it gets.
//!
//! Signatures look at every part. A reader is chosen by what the part declares and by what its bytes look like; where
//! the two disagree both read it, since the receiver may go by either.

use crate::content::{Part, PartKind, sniff};
use crate::inspect::json::{Framing, Patience, Purpose};
use crate::inspect::leaf::{HostSyntax, Leaf, LeafSink, OffsetMap, Path, Piece, Root, Written};
use crate::inspect::literal::PartFacts;
use crate::inspect::signatures::SignatureScan;
use crate::inspect::{Category, Direction, Findings, PartId, form, json, text, xml};
use crate::redact::Document;
use crate::rules::literal::Place;
use crate::span::Span;

use super::workspace::Workspace;

/// The inspectors of one part.
#[derive(Debug)]
pub(super) struct PartScan {
    pub(super) id: PartId,
    /// Its file name.
    pub(super) name: Option<Box<str>>,
    /// Its media type, for rules on its values; `None` where there are no such rules.
    pub(super) values_type: Option<Box<str>>,
    pub(super) signatures: Option<Box<SignatureScan>>,
    first: Option<Reader>,
    second: Option<Reader>,
    /// What its values are inspected for.
    pub(super) values: Values,
    /// It is binary data, and says nothing else.
    pub(super) binary: bool,
    /// Misdeeds of JSON's and XML's structure count.
    structure: bool,
}

/// Whether a part's values go through the injection detectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Values {
    /// Yes.
    Inspected,
    /// No: files and members are not input to a query.
    Structural,
}

/// One reader at work.
#[derive(Debug)]
enum Reader {
    Json(Box<json::Reader>, Trust),
    Xml(Box<xml::Reader>, Trust),
    Form(Box<form::Reader>),
    Text(Box<text::Reader>),
}

/// Whether the part says that it is what the reader reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    /// It does: breaking the grammar is a finding.
    Declared,
    /// It only looks like it: breaking the grammar means nothing.
    Sniffed,
    /// It only looks like it, and another reader reads all of it as what it says that it is.
    Shared,
}

impl Trust {
    fn patience(self) -> Patience {
        match self {
            Trust::Declared | Trust::Sniffed => Patience::Endless,
            Trust::Shared => Patience::Limited,
        }
    }
}

impl PartScan {
    /// Chooses the inspectors of `part`.
    pub(super) fn new(
        part: &Part,
        direction: Direction,
        signatures: Option<Box<SignatureScan>>,
        structure: bool,
        space: &mut Workspace,
    ) -> Self {
        let readers = Choice::of(part);
        let mut chosen = readers.iter().map(|kind| kind.open(part, direction, space));
        let (first, second) = (chosen.next(), chosen.next());
        drop(chosen);
        Self {
            id: part.id,
            name: part.name.clone(),
            values_type: None,
            signatures,
            first,
            second,
            values: Values::of(part),
            binary: may_be_objects(part) && !says_text(part),
            structure,
        }
    }

    /// What the signatures are told about `part`.
    pub(super) fn facts<'a>(part: &'a Part, direction: Direction) -> PartFacts<'a> {
        let place = match part.kind {
            PartKind::Body | PartKind::Raw | PartKind::Utf8 => Place::Body,
            PartKind::Multipart if part.name.is_none() => Place::Field,
            PartKind::Multipart
            | PartKind::Transfer
            | PartKind::Member
            | PartKind::Unpacked
            | PartKind::Value => Place::File,
        };
        PartFacts {
            part: part.id,
            place,
            direction,
            content_type: part
                .media_type
                .as_ref()
                .map(|media_type| &*media_type.essence),
            within: None,
        }
    }

    /// One window, in order.
    pub(super) fn window<S: LeafSink>(
        &mut self,
        bytes: &[u8],
        sink: &mut S,
        findings: &mut Findings,
    ) {
        if let Some(signatures) = &mut self.signatures {
            signatures.push(bytes, findings);
        }
        for reader in [&mut self.first, &mut self.second].into_iter().flatten() {
            let before = findings.list.len();
            reader.push(bytes, sink, findings);
            reader.discount(self.structure, before, findings);
        }
    }

    /// The part is over: ends the readers and puts them back.
    pub(super) fn finish<S: LeafSink>(&mut self, sink: &mut S, findings: &mut Findings) {
        for reader in [&mut self.first, &mut self.second].into_iter().flatten() {
            let before = findings.list.len();
            reader.finish(sink, findings);
            reader.discount(self.structure, before, findings);
        }
    }

    /// Puts the readers back.
    pub(super) fn give_back(self, space: &mut Workspace) {
        for reader in [self.first, self.second].into_iter().flatten() {
            match reader {
                Reader::Json(reader, _) => space.json.push(reader),
                Reader::Xml(reader, _) => space.xml.push(reader),
                Reader::Form(reader) => space.form.push(reader),
                Reader::Text(reader) => space.text.push(reader),
            }
        }
        if let Some(signatures) = self.signatures {
            space.reuse(signatures);
        }
    }
}

impl Values {
    fn of(part: &Part) -> Self {
        match part.kind {
            PartKind::Unpacked if may_be_objects(part) => Values::Inspected,
            PartKind::Member | PartKind::Unpacked | PartKind::Value => Values::Structural,
            PartKind::Body
            | PartKind::Raw
            | PartKind::Utf8
            | PartKind::Multipart
            | PartKind::Transfer => Values::Inspected,
        }
    }
}

/// True for what may be a stream of objects (Java, .NET, pickle): they come as bodies of their own, compressed or not, and
/// of binary values only those are looked for.
fn may_be_objects(part: &Part) -> bool {
    part.sniffed == sniff::Type::Binary && matches!(part.kind, PartKind::Body | PartKind::Unpacked)
}

/// True for what calls itself a text of some kind: whoever takes it for one sees all that stands between its control
/// characters, and behind the beginning of a picture.
fn says_text(part: &Part) -> bool {
    let media_type = part.media_type.as_ref();
    media_type.is_some_and(|media_type| {
        let essence = &*media_type.essence;
        let subtype = || essence.rsplit(['/', '+']).next().unwrap_or_default();
        essence.starts_with("text/")
            || declared(essence).is_some()
            || TEXTS.contains(&subtype().trim_start_matches("x-"))
    })
}

/// Subtypes and suffixes of texts that are no `text/*`, without `x-`.
const TEXTS: &[&str] = &[
    "csv",
    "ecmascript",
    "graphql",
    "javascript",
    "php",
    "sql",
    "toml",
    "yaml",
    "yml",
];

impl Reader {
    fn push<S: LeafSink>(&mut self, bytes: &[u8], sink: &mut S, findings: &mut Findings) {
        match self {
            Reader::Json(reader, _) => reader.push(bytes, sink, findings),
            Reader::Xml(reader, _) => reader.push(bytes, sink, findings),
            Reader::Form(reader) => reader.push(bytes, sink, findings),
            Reader::Text(reader) => reader.push(bytes, sink),
        }
    }

    fn finish<S: LeafSink>(&mut self, sink: &mut S, findings: &mut Findings) {
        match self {
            Reader::Json(reader, _) => reader.finish(sink, findings),
            Reader::Xml(reader, _) => reader.finish(sink, findings),
            Reader::Form(reader) => reader.finish(sink, findings),
            Reader::Text(reader) => reader.finish(sink),
        }
    }

    /// Takes back what was found from `before` on and does not count: a text that only looks like JSON or XML is not broken
    /// JSON or XML.
    fn discount(&self, structure: bool, before: usize, findings: &mut Findings) {
        let (Reader::Json(_, trust) | Reader::Xml(_, trust)) = self else {
            return;
        };
        let grammar = structure && *trust == Trust::Declared;
        if grammar {
            return;
        }
        let mut index = 0;
        findings.list.retain(|finding| {
            let old = index < before;
            index += 1;
            let counts = match finding.category {
                Category::JsonMalformed | Category::XmlMalformed | Category::JsonAbuse => grammar,
                Category::Xxe | Category::XmlBomb => structure,
                _ => true,
            };
            old || counts
        });
    }
}

/// A kind of reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Json(Trust),
    Xml(Trust),
    Form,
    Text,
}

impl Choice {
    /// At most two readers: the one that the part declares, and the one that its bytes ask for.
    fn of(part: &Part) -> ChoiceList {
        let mut list = ChoiceList::default();
        // Text in another charset is read in its UTF-8 form, a multipart body in its parts.
        if !part.utf8 || part.sniffed == sniff::Type::Multipart && !says_text(part) {
            return list;
        }
        let declared = part
            .media_type
            .as_ref()
            .and_then(|media_type| declared(&media_type.essence));
        list.add(declared);
        let sniffed = match part.sniffed {
            sniff::Type::Json => Some(Choice::Json(Trust::Sniffed)),
            sniff::Type::Xml => Some(Choice::Xml(Trust::Sniffed)),
            sniff::Type::Form if part.media_type.is_none() => Some(Choice::Form),
            _ => None,
        };
        let same = matches!(
            (declared, sniffed),
            (Some(Choice::Json(_)), Some(Choice::Json(_)))
                | (Some(Choice::Xml(_)), Some(Choice::Xml(_)))
        );
        if !same {
            list.add(sniffed);
        }
        let looks_like_text = part.sniffed.is_text()
            || says_text(part)
            || may_be_objects(part)
            || part.kind == PartKind::Multipart && part.maybe_field;
        if list.is_empty() && looks_like_text {
            list.add(Some(Choice::Text));
        }
        // What says that it is a text and begins like JSON or XML is read as both, and so is a field of a form, which says
        // nothing: `{{…}}` begins like JSON, `<!--#…` like XML.
        let field = part.kind == PartKind::Multipart;
        if declared.is_none() && sniffed.is_some() && (part.media_type.is_some() || field) {
            list.add(Some(Choice::Text));
        }
        list.share();
        list
    }

    fn document(self) -> Option<Document> {
        match self {
            Choice::Json(_) => Some(Document::Json),
            Choice::Xml(_) => Some(Document::Xml),
            Choice::Form | Choice::Text => None,
        }
    }

    fn open(self, part: &Part, direction: Direction, space: &mut Workspace) -> Reader {
        let written = written(part);
        match self {
            Choice::Json(trust) => {
                let mut reader = space.json.pop().unwrap_or_default();
                let lines = part
                    .media_type
                    .as_ref()
                    .is_some_and(|media_type| is_json_lines(&media_type.essence));
                reader.begin(json::Document {
                    part: part.id,
                    framing: if lines {
                        Framing::Lines
                    } else {
                        Framing::Single
                    },
                    written,
                    purpose: Purpose::Structure,
                    patience: trust.patience(),
                });
                Reader::Json(reader, trust)
            }
            Choice::Xml(trust) => {
                let mut reader = space.xml.pop().unwrap_or_default();
                reader.begin(xml::Document {
                    part: part.id,
                    written,
                    direction,
                });
                Reader::Xml(reader, trust)
            }
            Choice::Form => {
                let mut reader = space.form.pop().unwrap_or_default();
                reader.begin(part.id, Root::Form, 0);
                Reader::Form(reader)
            }
            Choice::Text => {
                let mut reader = space.text.pop().unwrap_or_default();
                reader.begin(&text_path(part), 0);
                Reader::Text(reader)
            }
        }
    }
}

/// Up to two choices.
#[derive(Clone, Copy, Debug, Default)]
struct ChoiceList([Option<Choice>; 2]);

impl ChoiceList {
    fn add(&mut self, choice: Option<Choice>) {
        let Some(choice) = choice else { return };
        if let Some(place) = self.0.iter_mut().find(|place| place.is_none()) {
            *place = Some(choice);
        }
    }

    fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// Of two, the one that was sniffed is not alone.
    fn share(&mut self) {
        if self.0.iter().all(Option::is_some) {
            for choice in self.0.iter_mut().flatten() {
                if let Choice::Json(trust) | Choice::Xml(trust) = choice
                    && *trust == Trust::Sniffed
                {
                    *trust = Trust::Shared;
                }
            }
        }
    }

    fn iter(&self) -> impl Iterator<Item = Choice> {
        self.0.into_iter().flatten()
    }
}

/// What a part's head says is values as well: `part:avatar.filename`, `part:avatar.x-note`.
pub(super) fn head<S: LeafSink>(part: &Part, sink: &mut S) {
    let mut path = Path::new(Root::Multipart);
    if let Some(field) = &part.field {
        path.push_name(field.as_bytes());
    }
    let named = [("name", &part.field), ("filename", &part.name)];
    let named = named
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_deref()?.as_bytes())));
    let others = part.fields.iter().map(|(name, value)| (&**name, &**value));
    let mut map = OffsetMap::verbatim(0);
    for (name, value) in named.chain(others) {
        // It may have been written otherwise (RFC 8187), and no byte of the part's own stream stands for it.
        map.reset(0);
        map.push_unit(0, value.len(), 0, 0);
        path.push_name(name.to_ascii_lowercase().as_bytes());
        sink.leaf(&Leaf {
            path: &path,
            host: HostSyntax::HeaderValue,
            // The head of a part lies outside of its stream.
            span: Span::new(0, 0),
            bytes: value,
            map: &map,
            piece: Piece::Whole,
        });
        path.pop();
    }
}

/// What a part is read as, when that is one document that can be edited as such.
pub(super) fn document(part: &Part) -> Option<Document> {
    let mut documents = Choice::of(part)
        .0
        .into_iter()
        .flatten()
        .filter_map(Choice::document);
    let first = documents.next()?;
    documents.all(|other| other == first).then_some(first)
}

/// True when a body that declares this type may be one.
pub(super) fn may_be_document(essence: Option<&str>) -> bool {
    essence.is_none_or(|essence| declared(essence).and_then(Choice::document).is_some())
}

fn declared(essence: &str) -> Option<Choice> {
    if essence == "application/x-www-form-urlencoded" {
        return Some(Choice::Form);
    }
    if is_json_lines(essence) {
        return Some(Choice::Json(Trust::Declared));
    }
    match sniff::Type::of_media_type(essence)? {
        sniff::Type::Json => Some(Choice::Json(Trust::Declared)),
        sniff::Type::Xml => Some(Choice::Xml(Trust::Declared)),
        _ => None,
    }
}

/// Media types of one JSON document a line.
fn is_json_lines(essence: &str) -> bool {
    matches!(
        essence,
        "application/x-ndjson"
            | "application/ndjson"
            | "application/jsonl"
            | "application/x-jsonlines"
            | "application/json-lines"
            | "application/json-seq"
            | "application/stream+json"
    )
}

fn written(part: &Part) -> Written {
    match part.charset {
        None => Written::Utf8,
        Some(charset) if charset.starts_with("utf-16") => Written::Utf16,
        Some(charset) if charset.starts_with("utf-32") => Written::Utf32,
        Some("utf-7") => Written::Utf7,
        Some("ebcdic") => Written::Ebcdic,
        Some(_) => Written::Other,
    }
}

fn text_path(part: &Part) -> Path {
    match (&part.field, part.kind) {
        (Some(field), PartKind::Multipart) => {
            let mut path = Path::new(Root::Multipart);
            path.push_name(field.as_bytes());
            path
        }
        _ => Path::new(Root::Text),
    }
}
