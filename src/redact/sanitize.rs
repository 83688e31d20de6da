//! Cuts out of a document what attacks its reader: the DTD of an XML document, JSON members that reach a prototype or
//! repeat a name. Every other byte stays as it was.
//!
//! ```text
//!   window ─► json::Reader | xml::Reader ─► Cutter (notices, marks) ─► Plan ─► Rewriter ─► settled bytes
//!                                                                                              │
//!                                           a second reader reads what leaves, and must find nothing left
//! ```
//!
//! A member goes with the comma before it, or, when no member before it stays, with the comma behind it. What is held
//! back is a name and the blanks before it, or a declaration, both bounded; a value being dropped is dropped as it comes.

use bytes::BytesMut;

use super::plan::Plan;
use super::rewriter::Rewriter;
use crate::inspect::cut::{Cut, Cuts};
use crate::inspect::json::{self, Mark};
use crate::inspect::leaf::{HostSyntax, Leaf, LeafSink, Notice, Piece};
use crate::inspect::{Findings, xml};
use crate::span::Span;

/// The documents that can be sanitized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Document {
    /// JSON in UTF-8.
    Json,
    /// XML in UTF-8.
    Xml,
}

/// What was cut.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sanitized {
    /// Cuts made, by kind.
    pub counts: Vec<(Cut, u64)>,
    /// False when what leaves still holds what should have been cut: the message must not pass.
    pub clean: bool,
}

/// Sanitizes one document. The output is a function of the input, not of its pieces.
#[derive(Debug)]
pub struct Sanitizer {
    reader: Reader,
    cutter: Cutter,
    rewriter: Rewriter,
    findings: Findings,
    proof: Proof,
}

#[derive(Debug)]
enum Reader {
    Json(Box<json::Reader>),
    Xml(Box<xml::Reader>),
}

impl Sanitizer {
    /// Begins a document.
    pub fn new(document: Document, cuts: Cuts) -> Self {
        Self {
            reader: Reader::new(document),
            cutter: Cutter::new(document, cuts),
            rewriter: Rewriter::default(),
            findings: Findings::default(),
            proof: Proof {
                reader: Reader::new(document),
                findings: Findings::default(),
                cuts,
                clean: true,
            },
        }
    }

    /// Takes the next bytes and appends to `out` what has settled.
    pub fn push(&mut self, input: &[u8], out: &mut BytesMut) {
        self.reader
            .push(input, &mut self.cutter, &mut self.findings);
        self.forget();
        self.cutter.at += input.len() as u64;
        self.cutter.advance();
        let settled = self.cutter.settled();
        let before = out.len();
        self.rewriter
            .push(input, settled, &mut self.cutter.plan, out);
        self.proof.push(out.get(before..).unwrap_or_default());
    }

    /// Ends the document: appends the rest to `out` and says what was cut.
    pub fn finish(&mut self, out: &mut BytesMut) -> Sanitized {
        self.reader.finish(&mut self.cutter, &mut self.findings);
        self.forget();
        self.cutter.finish();
        let before = out.len();
        self.rewriter
            .push(b"", u64::MAX, &mut self.cutter.plan, out);
        self.proof.push(out.get(before..).unwrap_or_default());
        let [doctype, prototype, repeated] = self.cutter.counts;
        Sanitized {
            counts: [
                (Cut::Doctype, doctype),
                (Cut::Prototype, prototype),
                (Cut::Repeated, repeated),
            ]
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .collect(),
            clean: self.proof.finish(),
        }
    }

    /// What the reader found is for the inspectors.
    fn forget(&mut self) {
        self.findings.list.clear();
        self.findings.anomalies.clear();
    }
}

impl Reader {
    fn new(document: Document) -> Self {
        match document {
            Document::Json => Reader::Json(Box::default()),
            Document::Xml => Reader::Xml(Box::default()),
        }
    }

    fn push<S: LeafSink>(&mut self, bytes: &[u8], sink: &mut S, findings: &mut Findings) {
        match self {
            Reader::Json(reader) => reader.push(bytes, sink, findings),
            Reader::Xml(reader) => reader.push(bytes, sink, findings),
        }
    }

    fn finish<S: LeafSink>(&mut self, sink: &mut S, findings: &mut Findings) {
        match self {
            Reader::Json(reader) => reader.finish(sink, findings),
            Reader::Xml(reader) => reader.finish(sink, findings),
        }
    }
}

/// Reads what leaves.
#[derive(Debug)]
struct Proof {
    reader: Reader,
    findings: Findings,
    cuts: Cuts,
    clean: bool,
}

impl Proof {
    fn push(&mut self, bytes: &[u8]) {
        self.reader.push(bytes, &mut Nobody, &mut self.findings);
        self.judge();
    }

    fn finish(&mut self) -> bool {
        self.reader.finish(&mut Nobody, &mut self.findings);
        self.judge();
        self.clean
    }

    fn judge(&mut self) {
        let cuts = self.cuts;
        self.clean &= !self
            .findings
            .list
            .iter()
            .any(|finding| cuts.answer(&finding.rule, finding.score));
        self.findings.list.clear();
        self.findings.anomalies.clear();
    }
}

/// Wants no leaves.
struct Nobody;

impl LeafSink for Nobody {
    fn leaf(&mut self, _leaf: &Leaf<'_>) {}
}

/// Plans the cuts of one document.
#[derive(Debug)]
struct Cutter {
    document: Document,
    cuts: Cuts,
    plan: Plan,
    /// Cuts by kind, in the order of [`Cut`].
    counts: [u64; 3],
    /// Bytes read.
    at: u64,
    /// Open objects and arrays.
    levels: Vec<Level>,
    /// Open ones that are too deep to be followed: nothing in them is cut.
    beyond: u64,
    /// Where a cut would begin if the name that comes next must go.
    hold: Option<u64>,
    /// The member that is being dropped.
    dropping: Option<Dropping>,
    /// Where the declaration begins that is being read.
    doctype: Option<u64>,
    /// A declaration was cut: references to its entities go as well.
    stripped: bool,
}

/// An open object or array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Array,
    /// No member before this one stays.
    Object,
    /// One does.
    Kept,
}

#[derive(Clone, Copy, Debug)]
struct Dropping {
    /// What is dropped from here on is not planned yet.
    from: u64,
    /// Levels that are open around the member.
    depth: usize,
    /// Those too deep to be followed that its value has opened.
    beyond: u64,
}

impl Cutter {
    fn new(document: Document, cuts: Cuts) -> Self {
        Self {
            document,
            cuts,
            plan: Plan::default(),
            counts: [0; 3],
            at: 0,
            levels: Vec::new(),
            beyond: 0,
            hold: None,
            dropping: None,
            doctype: None,
            stripped: false,
        }
    }

    fn count(&mut self, cut: Cut) {
        if let Some(count) = self.counts.get_mut(cut as usize) {
            *count += 1;
        }
    }

    /// A window was read: what lies inside of what is dropped can go.
    fn advance(&mut self) {
        let at = self.at;
        if let Some(dropping) = &mut self.dropping {
            self.plan.add(Span::new(dropping.from, at), b"");
            dropping.from = at;
        }
        if let Some(begin) = self.doctype
            && at.saturating_sub(begin) > DOCTYPE_BYTES
            && self.cuts.doctype.is_some()
        {
            self.plan
                .add(Span::new(self.plan.end().max(begin), at), b"");
        }
    }

    /// Offset before which no cut will be planned any more.
    fn settled(&self) -> u64 {
        let held = match self.document {
            Document::Json => self.hold,
            Document::Xml => self.doctype,
        };
        let lag = match self.document {
            Document::Json => 0,
            Document::Xml => LAG_BYTES,
        };
        let free = self.at.saturating_sub(lag);
        match held {
            Some(held) if self.at.saturating_sub(held) <= HOLD_BYTES => held.min(free),
            Some(_) | None => free,
        }
    }

    fn finish(&mut self) {
        if let Some(dropping) = self.dropping.take() {
            self.plan.add(Span::new(dropping.from, self.at), b"");
        }
    }

    /// Something stands where a name was awaited, or the name stays.
    fn keep(&mut self) {
        self.hold = None;
        if let Some(level @ Level::Object) = self.levels.last_mut() {
            *level = Level::Kept;
        }
    }

    /// The name that was just read must go, and its value with it.
    fn drop_member(&mut self, cut: Cut, name: Span) {
        // Where the grammar is broken there is nothing to hold on to; the proof will say so.
        let Some(from) = self
            .hold
            .take()
            .filter(|from| self.beyond == 0 && name.end.saturating_sub(*from) <= HOLD_BYTES)
        else {
            return;
        };
        self.count(cut);
        self.dropping = Some(Dropping {
            from,
            depth: self.levels.len(),
            beyond: 0,
        });
    }

    /// A mark inside or behind the member that is being dropped.
    fn dropped(&mut self, mut dropping: Dropping, mark: Mark, at: u64) {
        let outside = self.levels.len() == dropping.depth && dropping.beyond == 0;
        match mark {
            Mark::Comma if outside => {
                // A member before it stays: its comma has gone, and this one takes its place. Else this one goes too.
                let end = match self.levels.last() {
                    Some(Level::Kept) => at,
                    Some(Level::Object | Level::Array) | None => at + 1,
                };
                self.plan.add(Span::new(dropping.from, end), b"");
                self.dropping = None;
                self.hold = Some(end);
            }
            Mark::CloseObject | Mark::CloseArray if outside => {
                self.plan.add(Span::new(dropping.from, at), b"");
                self.dropping = None;
                self.levels.pop();
            }
            Mark::OpenObject | Mark::OpenArray => {
                if self.levels.len() < LEVELS {
                    self.levels.push(Level::Array);
                } else {
                    dropping.beyond += 1;
                    self.dropping = Some(dropping);
                }
            }
            Mark::CloseObject | Mark::CloseArray => {
                if dropping.beyond > 0 {
                    dropping.beyond -= 1;
                    self.dropping = Some(dropping);
                } else {
                    self.levels.pop();
                }
            }
            Mark::Colon | Mark::Comma => {}
        }
    }
}

impl LeafSink for Cutter {
    fn leaf(&mut self, leaf: &Leaf<'_>) {
        if self.document == Document::Xml || self.dropping.is_some() {
            return;
        }
        let is_name = leaf.host == HostSyntax::JsonKey && leaf.piece == Piece::Whole;
        if !is_name && self.hold.is_some() {
            self.keep();
        }
    }

    fn mark(&mut self, mark: Mark, at: u64) {
        if let Some(dropping) = self.dropping {
            self.dropped(dropping, mark, at);
            return;
        }
        match mark {
            Mark::OpenObject | Mark::OpenArray => {
                self.keep();
                if self.levels.len() >= LEVELS {
                    self.beyond += 1;
                    return;
                }
                if mark == Mark::OpenObject {
                    self.levels.push(Level::Object);
                    self.hold = Some(at + 1);
                } else {
                    self.levels.push(Level::Array);
                }
            }
            Mark::CloseObject | Mark::CloseArray => {
                self.hold = None;
                if self.beyond > 0 {
                    self.beyond -= 1;
                } else {
                    self.levels.pop();
                }
            }
            Mark::Colon => self.keep(),
            Mark::Comma => match self.levels.last() {
                Some(Level::Object | Level::Kept) if self.beyond == 0 => {
                    self.keep();
                    self.hold = Some(at);
                }
                Some(Level::Object | Level::Kept | Level::Array) | None => {}
            },
        }
    }

    fn notice(&mut self, notice: Notice, span: Span) {
        match notice {
            Notice::RepeatedName | Notice::PrototypeName if self.dropping.is_some() => {}
            Notice::RepeatedName if self.cuts.repeated => self.drop_member(Cut::Repeated, span),
            Notice::PrototypeName if self.cuts.prototype => self.drop_member(Cut::Prototype, span),
            Notice::RepeatedName | Notice::PrototypeName => {}
            Notice::DoctypeBegins => self.doctype = Some(span.start),
            Notice::Doctype(score) => {
                let begin = self.doctype.take().unwrap_or(span.start);
                let charged = self.cuts.doctype.is_some_and(|least| score >= least);
                if charged {
                    self.stripped = true;
                    self.count(Cut::Doctype);
                    // Of a long one the front has gone already.
                    let from = self.plan.end().max(begin);
                    self.plan.add(Span::new(from, span.end), b"");
                }
            }
            Notice::Reference if self.stripped => {
                self.plan.add(span, b"");
            }
            Notice::Reference => {}
        }
    }
}

/// Bytes held back for a name (a leaf's worth) and for blanks before it, or for a declaration.
const HOLD_BYTES: u64 = 192 << 10;

/// Past this many bytes a declaration is charged for its length, whatever it says
/// ([`xml::Limits::doctype_bytes`](crate::inspect::xml::Limits)), so it need not be held.
const DOCTYPE_BYTES: u64 = (64 << 10) + 9;

/// Bytes that may belong to a reference or to `<!DOCTYPE` that a window's end cuts in two.
const LAG_BYTES: u64 = 512;

/// Levels that are followed; far above the limit that makes their number a finding.
const LEVELS: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Cuts = Cuts {
        doctype: Some(60),
        prototype: true,
        repeated: true,
    };

    fn sanitize<'a>(
        document: Document,
        pieces: impl IntoIterator<Item = &'a [u8]>,
    ) -> (String, Sanitized) {
        let mut sanitizer = Sanitizer::new(document, ALL);
        let mut out = BytesMut::new();
        for piece in pieces {
            sanitizer.push(piece, &mut out);
        }
        let done = sanitizer.finish(&mut out);
        (String::from_utf8_lossy(&out).into_owned(), done)
    }

    const JSON: &[(&str, &str, u64)] = &[
        (r#"{"a":1}"#, r#"{"a":1}"#, 0),
        (r#"{"__proto__":1}"#, r#"{}"#, 1),
        (r#"{"__proto__":{"x":[1,{"y":2}]},"a":1}"#, r#"{"a":1}"#, 1),
        (
            r#"{"a":1 , "__proto__" : {"x":1} , "b":2}"#,
            r#"{"a":1 , "b":2}"#,
            1,
        ),
        (r#"{"a":1,"__proto__":"x,}"}"#, r#"{"a":1}"#, 1),
        (r#"{"__proto__":1,"__proto__":2,"b":{}}"#, r#"{"b":{}}"#, 2),
        (r#"{"a":1,"__proto__":1,"__proto__":2}"#, r#"{"a":1}"#, 2),
        (
            r#"{"\u005f_proto__":1,"a":"__proto__"}"#,
            r#"{"a":"__proto__"}"#,
            1,
        ),
        (
            r#"[{"constructor":{"prototype":{"x":1}}},{"constructor":1}]"#,
            r#"[{"constructor":{}},{"constructor":1}]"#,
            1,
        ),
        (r#"{"a":1,"a":2}"#, r#"{"a":1}"#, 1),
        (
            r#"{"a":1,"b":[{"a":1}],"\u0061":{"a":2,"a":3},"c":0}"#,
            r#"{"a":1,"b":[{"a":1}],"c":0}"#,
            1,
        ),
        (
            r#"{"x":{"a":{"b":1},"a":{"b":2}}}"#,
            r#"{"x":{"a":{"b":1}}}"#,
            1,
        ),
        ("{\n  \"a\": 1,\n  \"a\": 2\n}\n", "{\n  \"a\": 1}\n", 1),
    ];

    const XML: &[(&str, &str, u64)] = &[
        ("<a/>", "<a/>", 0),
        (
            "<!DOCTYPE a [<!ENTITY e SYSTEM 'file:///x'>]><a b='1&e;2'>x&e;&amp;y</a>",
            "<a b='12'>x&amp;y</a>",
            1,
        ),
        (
            "<?xml version='1.0'?>\n<!DOCTYPE a [<!ENTITY % p 'x'> %p;]>\n<a/>",
            "<?xml version='1.0'?>\n\n<a/>",
            1,
        ),
        (
            "<!DOCTYPE a SYSTEM 'http://10.0.0.1/a.dtd'><a>&e;</a>",
            "<a></a>",
            1,
        ),
        (
            "<!DOCTYPE a [<!ENTITY b 'xx'><!ENTITY c '&b;&b;'><!ENTITY d '&c;&c;'>]><a>&d;</a>",
            "<a></a>",
            1,
        ),
        // Harmless ones stay, with their entities.
        (
            "<!DOCTYPE d [<!ENTITY co 'A GmbH'>]><d>&co;</d>",
            "<!DOCTYPE d [<!ENTITY co 'A GmbH'>]><d>&co;</d>",
            0,
        ),
    ];

    #[test]
    fn what_is_cut_leaves_a_document_behind() {
        for (document, table) in [(Document::Json, JSON), (Document::Xml, XML)] {
            for (text, expected, cuts) in table {
                let (out, done) = sanitize(document, [text.as_bytes()]);
                assert_eq!(out, *expected, "{text}");
                assert!(done.clean, "{text}");
                let count: u64 = done.counts.iter().map(|(_, count)| count).sum();
                assert_eq!(count, *cuts, "{text}");
                if document == Document::Json {
                    serde_json::from_str::<serde_json::Value>(&out).expect("still JSON");
                }
            }
        }
    }

    #[test]
    fn the_pieces_of_a_document_do_not_matter() {
        for (document, table) in [(Document::Json, JSON), (Document::Xml, XML)] {
            for (text, _, _) in table {
                let text = text.as_bytes();
                let whole = sanitize(document, [text]);
                for cut in 0..=text.len() {
                    let (left, right) = text.split_at(cut);
                    assert_eq!(sanitize(document, [left, right]), whole, "cut at {cut}");
                }
                assert_eq!(sanitize(document, text.chunks(1)), whole);
            }
        }
    }

    #[test]
    fn a_long_value_and_a_long_declaration_are_dropped_as_they_come() {
        let json = format!(
            "{{\"a\":1,\"__proto__\":[{}],\"b\":2}}",
            vec!["\"xxxxxxxx\""; 200_000].join(",")
        );
        let mut sanitizer = Sanitizer::new(Document::Json, ALL);
        let mut out = BytesMut::new();
        let mut held = 0;
        for piece in json.as_bytes().chunks(16 << 10) {
            sanitizer.push(piece, &mut out);
            held = held.max(sanitizer.rewriter.held());
        }
        assert!(sanitizer.finish(&mut out).clean);
        assert_eq!(&out[..], b"{\"a\":1,\"b\":2}");
        assert!(held < 1024, "{held} bytes were held");

        let long = format!(
            "<!DOCTYPE a [<!ENTITY b '{}'>]><a>&b;</a>",
            "x".repeat(1 << 20)
        );
        let (out, done) = sanitize(Document::Xml, long.as_bytes().chunks(16 << 10));
        assert_eq!((out.as_str(), done.clean), ("<a></a>", true));
        assert_eq!(sanitize(Document::Xml, [long.as_bytes()]).0, "<a></a>");
    }

    #[test]
    fn what_cannot_be_cut_is_said() {
        // No comma to hold on to, names that are too far apart, a broken declaration inside another.
        let far = format!("{{\"a\":1,{}\"a\":2}}", " ".repeat(300 << 10));
        for text in [
            r#"{"a":1 "__proto__":2}"#,
            "{/**/\"__proto__\":1}",
            far.as_str(),
        ] {
            let (out, done) = sanitize(Document::Json, [text.as_bytes()]);
            assert!(!done.clean, "{out}");
        }
    }
}
