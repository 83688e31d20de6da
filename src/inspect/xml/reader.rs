//! From tokens to leaves and findings: the document as a whole. Tags are `element`'s, text is `content`'s.

use super::content::Run;
use super::doctype::{Doctype, Value};
use super::element::Tag;
use super::entity::Entities;
use super::namespace::{Scope, split};
use super::published;
use super::reference::{self, Item};
use super::rule;
use super::token::{Fault, Fragment, Kind, Sink, TagEnd, Tokenizer};
use crate::inspect::leaf::{
    Assembler, HostSyntax, LeafSink, Notice, OffsetMap, Outlet, Path, Root, Written,
};
use crate::inspect::record::{Charge, Recorder};
use crate::inspect::{Direction, Findings, PartId};
use crate::span::Span;

/// What is known about an XML document before its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Document {
    /// The part that its spans lie in.
    pub part: PartId,
    /// The charset it was written in, before it was turned into the UTF-8 that is read here.
    pub written: Written,
    /// Which way it goes: who sends a document to a service may name well-known document types only.
    pub direction: Direction,
}

impl Default for Document {
    fn default() -> Self {
        Self {
            part: PartId::default(),
            written: Written::default(),
            direction: Direction::Request,
        }
    }
}

/// Limits of the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Levels of nesting; deeper ones are read on, but their paths end here.
    pub depth: u32,
    /// Attributes of one element.
    pub attributes: u32,
    /// Namespace declarations of one element.
    pub namespaces: u32,
    /// Bytes of a name.
    pub name_bytes: u32,
    /// Bytes of the document type declaration.
    pub doctype_bytes: u32,
    /// Entity declarations.
    pub entities: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 256,
            attributes: 256,
            namespaces: 64,
            name_bytes: 4096,
            doctype_bytes: 64 * 1024,
            entities: 16,
        }
    }
}

/// Reads one XML document after another; keeps its memory between them.
#[derive(Debug)]
pub struct Reader {
    tokens: Tokenizer,
    state: State,
}

/// All but the tokenizer.
#[derive(Debug)]
pub(super) struct State {
    pub(super) limits: Limits,
    pub(super) document: Document,
    pub(super) recorder: Recorder,
    pub(super) path: Path,
    /// Steps of the path that the document itself lies under.
    pub(super) base: usize,
    /// Names of the open elements, one behind the other, and where each begins.
    pub(super) names: Vec<u8>,
    pub(super) levels: Vec<usize>,
    /// Open elements that are too deep to have a level.
    pub(super) beyond: u64,
    pub(super) scope: Scope,
    pub(super) tag: Tag,
    /// A name that did not lie in one window.
    pub(super) name: Vec<u8>,
    name_at: u64,
    pub(super) root: RootState,
    /// The root element is that of an SVG image.
    pub(super) is_svg: bool,
    pub(super) decoder: reference::Decoder,
    pub(super) value: Assembler,
    pub(super) joined: Assembler,
    pub(super) run: Run,
    pub(super) verbatim: OffsetMap,
    doctype: Kept,
    pub(super) entities: Entities,
    /// Entities may be declared where we cannot see them.
    pub(super) external: bool,
    /// Name of the document type that declares entities.
    doctype_name: Vec<u8>,
    /// Bytes that references to entities would grow to so far.
    pub(super) grown: u64,
    pub(super) instruction: Kept,
    pub(super) is_declaration: bool,
    pub(super) is_stylesheet: bool,
}

/// Where the document is in `prolog element Misc*` (XML 1.0 §2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RootState {
    Before,
    Inside,
    After,
}

/// A token of which the front is kept.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) bytes: Vec<u8>,
    pub(super) at: u64,
    pub(super) len: u64,
}

impl Kept {
    pub(super) fn push(&mut self, fragment: &Fragment<'_>, limit: usize) {
        if fragment.first {
            self.bytes.clear();
            self.at = fragment.at;
            self.len = 0;
        }
        self.len += fragment.raw.len() as u64;
        let room = limit.saturating_sub(self.bytes.len());
        self.bytes
            .extend_from_slice(fragment.raw.get(..room).unwrap_or(fragment.raw));
    }
}

impl Reader {
    /// A reader at the beginning of a document with default facts.
    pub fn new(limits: Limits) -> Self {
        Self {
            tokens: Tokenizer::new(),
            state: State {
                limits,
                document: Document::default(),
                recorder: Recorder::default(),
                path: Path::new(Root::Xml),
                base: 0,
                names: Vec::new(),
                levels: Vec::new(),
                beyond: 0,
                scope: Scope::default(),
                tag: Tag::default(),
                name: Vec::new(),
                name_at: 0,
                root: RootState::Before,
                is_svg: false,
                decoder: reference::Decoder::default(),
                value: Assembler::default(),
                joined: Assembler::default(),
                run: Run::default(),
                verbatim: OffsetMap::default(),
                doctype: Kept::default(),
                entities: Entities::default(),
                external: false,
                doctype_name: Vec::new(),
                grown: 0,
                instruction: Kept::default(),
                is_declaration: false,
                is_stylesheet: false,
            },
        }
    }

    /// Begins a document.
    pub fn begin(&mut self, document: Document) {
        self.state.path.reset(Root::Xml);
        self.restart(document);
    }

    /// Begins a document that is itself the value at `path`; its leaves' paths go on from there.
    pub fn begin_below(&mut self, document: Document, path: &Path) {
        self.state.path.assign(path);
        self.restart(document);
    }

    fn restart(&mut self, document: Document) {
        self.tokens.reset();
        let state = &mut self.state;
        state.document = document;
        state.recorder.begin(document.part);
        state.base = state.path.depth();
        state.names.clear();
        state.levels.clear();
        state.beyond = 0;
        state.scope.clear();
        state.root = RootState::Before;
        state.run = Run::default();
        state.entities.clear();
        state.external = false;
        state.doctype_name.clear();
        state.grown = 0;
    }

    /// Reads one window, of any size.
    pub fn push<S: LeafSink + ?Sized>(
        &mut self,
        window: &[u8],
        sink: &mut S,
        findings: &mut Findings,
    ) {
        let mut pass = Pass {
            state: &mut self.state,
            sink,
            findings,
        };
        self.tokens.push(window, &mut pass);
    }

    /// Ends the document. Nothing at all is no document, and no broken one.
    pub fn finish<S: LeafSink + ?Sized>(&mut self, sink: &mut S, findings: &mut Findings) {
        if self.tokens.is_fresh() {
            return;
        }
        let mut pass = Pass {
            state: &mut self.state,
            sink,
            findings,
        };
        self.tokens.finish(&mut pass);
        pass.finish();
    }
}

impl Default for Reader {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

/// One call of [`Reader::push`].
pub(super) struct Pass<'a, S: ?Sized> {
    pub(super) state: &'a mut State,
    pub(super) sink: &'a mut S,
    pub(super) findings: &'a mut Findings,
}

impl<S: LeafSink + ?Sized> Sink for Pass<'_, S> {
    fn token(&mut self, kind: Kind, fragment: Fragment<'_>) {
        match kind {
            Kind::StartName => self.named(fragment, Self::start),
            Kind::AttributeName => self.named(fragment, Self::attribute),
            Kind::EndName => self.named(fragment, Self::end),
            Kind::Value => self.value(&fragment),
            Kind::Text => self.text(HostSyntax::XmlText, &fragment),
            Kind::Section => self.text(HostSyntax::XmlCdata, &fragment),
            Kind::Comment => self.aside(HostSyntax::XmlComment, &fragment),
            Kind::Stray => self.aside(HostSyntax::Raw, &fragment),
            Kind::Target => self.target(&fragment),
            Kind::Instruction => self.instruction(&fragment),
            Kind::Doctype => self.doctype(&fragment),
        }
    }

    fn tag_end(&mut self, tag: TagEnd, at: u64) {
        self.end_start_tag(tag, at);
    }

    fn fault(&mut self, fault: Fault, at: u64) {
        // The text as a whole is at fault.
        let charge = rule::fault(fault);
        self.state
            .recorder
            .record(charge, Span::new(at, at), Box::default, self.findings);
    }
}

impl<S: LeafSink + ?Sized> Pass<'_, S> {
    /// Gathers a name that may come in pieces, and hands it on.
    fn named(&mut self, fragment: Fragment<'_>, then: fn(&mut Self, &[u8], u64)) {
        if fragment.first && fragment.last {
            then(self, fragment.raw, fragment.at);
            return;
        }
        let mut name = std::mem::take(&mut self.state.name);
        if fragment.first {
            name.clear();
            self.state.name_at = fragment.at;
        }
        let limit = usize::try_from(self.state.limits.name_bytes).unwrap_or(usize::MAX);
        // One byte more than the limit says that it was passed.
        let room = limit.saturating_add(1).saturating_sub(name.len());
        name.extend_from_slice(fragment.raw.get(..room).unwrap_or(fragment.raw));
        if fragment.last {
            then(self, &name, self.state.name_at);
        }
        self.state.name = name;
    }

    /// The declaration is complete, or another piece of it is here.
    fn doctype(&mut self, fragment: &Fragment<'_>) {
        let limit = usize::try_from(self.state.limits.doctype_bytes).unwrap_or(usize::MAX);
        self.state.doctype.push(fragment, limit);
        if fragment.first {
            let begin = fragment.at.saturating_sub(DOCTYPE_BYTES);
            self.sink
                .notice(Notice::DoctypeBegins, Span::new(begin, begin));
        }
        if !fragment.last {
            return;
        }
        let kept = std::mem::take(&mut self.state.doctype);
        let span = Span::new(kept.at, kept.at + kept.len);
        let mut worst = 0;
        if kept.len > kept.bytes.len() as u64 {
            self.charge(rule::LONG_DOCTYPE, span);
            worst = rule::LONG_DOCTYPE.score;
        }
        if self.state.root != RootState::Before {
            self.charge(rule::LATE_DOCTYPE, span);
        }
        let doctype = Doctype::parse(&kept.bytes);
        self.state.entities.declare(&doctype);
        self.state.external |= doctype.external.is_some() || doctype.parameter_use;
        if !doctype.entities.is_empty() {
            self.state.doctype_name.clear();
            self.state.doctype_name.extend_from_slice(doctype.name);
        }
        let entities = std::mem::take(&mut self.state.entities);
        let most = self.state.limits.entities;
        rule::doctype(&doctype, &entities, most, |charge| {
            worst = worst.max(charge.score);
            self.charge(charge, span);
        });
        if worst < rule::UNKNOWN_SUBSET.score
            && let Some(external) = doctype.external
            && self.state.document.direction == Direction::Request
            && !published::is_known(external.public, external.system)
        {
            worst = worst.max(rule::UNKNOWN_SUBSET.score);
            self.charge(rule::UNKNOWN_SUBSET, span);
        }
        let whole = Span::new(kept.at.saturating_sub(DOCTYPE_BYTES), span.end + 1);
        self.sink.notice(Notice::Doctype(worst), whole);
        self.state.entities = entities;
        if doctype.subset && memchr::memmem::find(&kept.bytes, b"XInclude").is_some() {
            self.charge(rule::XINCLUDE, span);
        }
        self.entity_leaves(&doctype, kept.at);
        self.state.doctype = kept;
    }

    /// The texts of entities are values too, since the document can put them anywhere, and so are values of attributes
    /// that elements have without being given them.
    fn entity_leaves(&mut self, doctype: &Doctype<'_>, base: u64) {
        let state = &mut *self.state;
        state.path.truncate(state.base);
        state.path.push_name(b"!DOCTYPE");
        let entities = doctype.entities.iter();
        let entities = entities.filter_map(|entity| match entity.value {
            Value::Internal(text) => Some((entity.name, text, entity.place.start)),
            Value::External(_) => None,
        });
        for (name, text, start) in entities.chain(doctype.defaults.iter().copied()) {
            state.path.push_name(name);
            let at = base + start as u64;
            let mut out = Outlet {
                sink: &mut *self.sink,
                path: &state.path,
                host: HostSyntax::XmlAttribute,
            };
            state.value.begin(at);
            state.decoder.begin();
            let value = &mut state.value;
            let mut take = |item: Item<'_>| add(item, value, &mut out);
            state.decoder.push(text, at, &mut take);
            state.decoder.finish(&mut take);
            value.finish(&mut out);
            state.path.pop();
        }
        state.path.truncate(state.base);
    }

    /// The root element begins: the document type, if entities were declared for one, must be its own (XML 1.0 §2.8,
    /// validity constraint Root Element Type).
    pub(super) fn begin_root(&mut self, name: &[u8], at: u64) {
        self.state.root = RootState::Inside;
        self.state.is_svg = split(name).1 == b"svg";
        let declared = &self.state.doctype_name;
        if !declared.is_empty() && declared != name {
            self.charge(rule::FOREIGN_DOCTYPE, Span::new(at, at + name.len() as u64));
        }
    }

    fn finish(&mut self) {
        self.end_text();
        let end = Span::default();
        self.state.path.truncate(self.state.base);
        if self.state.root == RootState::Before {
            self.charge(rule::NO_ROOT, end);
        } else if !self.state.levels.is_empty() {
            self.charge(rule::UNCLOSED, end);
        }
        match self.state.document.written {
            Written::Utf8 | Written::Utf16 | Written::Other => {}
            Written::Utf7 | Written::Utf32 | Written::Ebcdic => self.charge(rule::CHARSET, end),
        }
    }

    /// Records a finding at the current path.
    #[cold]
    pub(super) fn charge(&mut self, charge: Charge, span: Span) {
        let State { recorder, path, .. } = &mut *self.state;
        recorder.record(charge, span, || path.shown(), self.findings);
    }
}

/// Bytes of `<!DOCTYPE`.
const DOCTYPE_BYTES: u64 = 9;

/// Adds what a reference decoder yields to a value.
pub(super) fn add<S: LeafSink + ?Sized>(
    item: Item<'_>,
    value: &mut Assembler,
    out: &mut Outlet<'_, S>,
) {
    match item {
        Item::Plain(raw, at) => value.plain(raw, at, out),
        Item::Character(char, span) => {
            value.unit(char.encode_utf8(&mut [0; 4]).as_bytes(), span, out);
        }
        Item::Entity(..) | Item::Broken(_) | Item::Long(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::leaf::Leaf;

    #[derive(Default)]
    struct Log {
        values: Vec<String>,
        exact: Vec<String>,
    }

    impl LeafSink for Log {
        fn leaf(&mut self, leaf: &Leaf<'_>) {
            let text = String::from_utf8_lossy(leaf.bytes);
            let joined = if leaf.host == HostSyntax::XmlJoined {
                " joined"
            } else {
                ""
            };
            self.values.push(format!("{}={text}{joined}", leaf.path));
            let units: Vec<Span> = (0..leaf.bytes.len())
                .map(|index| leaf.map.raw(index, index + 1))
                .collect();
            self.exact.push(format!(
                "{} {:?} {} {text} {:?} {units:?}",
                leaf.path, leaf.host, leaf.span, leaf.piece
            ));
        }
    }

    fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Log, Findings) {
        let mut reader = Reader::default();
        let (mut log, mut findings) = (Log::default(), Findings::default());
        for piece in pieces {
            reader.push(piece, &mut log, &mut findings);
        }
        reader.finish(&mut log, &mut findings);
        (log, findings)
    }

    fn values(text: &str) -> Vec<String> {
        read([text.as_bytes()]).0.values
    }

    fn rules(text: &str) -> Vec<String> {
        let (_, findings) = read([text.as_bytes()]);
        findings.list.iter().map(|f| f.rule.to_string()).collect()
    }

    #[test]
    fn values_come_with_their_paths() {
        assert_eq!(
            values(
                "<?xml version='1.0'?>\n<o id='a&amp;b'><!-- note -->\n<n>J&#246;rg &co;</n><e x='1'/>t\n</o>"
            ),
            [
                "//o/@id=a&b",
                "//o= note ",
                "//o/n=Jörg &co;",
                "//o/e/@x=1",
                "//o=t\n"
            ]
        );
        assert_eq!(
            values("<a>un<![CDATA[ion]]><!-- x -->&#32;select</a>"),
            [
                "//a=un",
                "//a=ion",
                "//a= x ",
                "//a= select",
                "//a=union select joined"
            ]
        );
        assert_eq!(
            values("<!DOCTYPE a [<!ENTITY e 'x&#60;script>'>]><a>&e;</a>"),
            ["//!DOCTYPE/e=x<script>", "//a=&e;"]
        );
    }

    #[test]
    fn broken_text_is_read_to_its_end() {
        assert_eq!(
            values("<a b=c' \"stray\"><d e='1' f>1 < 2</x>tail<!bogus x><"),
            [
                "//a/@b=c'",
                "//a=\"stray\"",
                "//a/d/@e=1",
                "//a/d=1 < 2",
                "//a=tail",
                "//a=bogus x",
                "//a=<",
                "//a=tail< joined"
            ]
        );
    }

    #[test]
    fn document_types_are_judged_by_their_grammar() {
        let xhtml = "<!DOCTYPE html PUBLIC \"-//W3C//DTD XHTML 1.0 Strict//EN\" \"http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd\"><html/>";
        let table: [(&str, &[&str]); 16] = [
            (xhtml, &[]),
            ("<!DOCTYPE html><html/>", &[]),
            (
                "<!DOCTYPE d [<!ENTITY co 'A GmbH'><!ENTITY y '26'>]><d>&co; &y;</d>",
                &[],
            ),
            (
                "<!DOCTYPE d [<!ELEMENT d (#PCDATA)><!ATTLIST d a CDATA #IMPLIED>]><d/>",
                &[],
            ),
            (
                "<!DOCTYPE d SYSTEM 'd.dtd'><d/>",
                &["xxe/relative-subset", "xxe/unknown-subset"],
            ),
            (
                "<!DOCTYPE d SYSTEM 'http://10.0.0.1/d.dtd'><d/>",
                &["xxe/external-subset"],
            ),
            (
                "<!DOCTYPE d PUBLIC 'x' 'http://example.net/d.dtd'><d/>",
                &["xxe/external-subset"],
            ),
            (
                "<!DOCTYPE d [<!ENTITY e SYSTEM 'file:///x'>]><d>&e;</d>",
                &["xxe/external-entity"],
            ),
            (
                "<!DOCTYPE d [<!ENTITY e PUBLIC 'a' 'file:///x'>]><d/>",
                &["xxe/external-entity"],
            ),
            (
                "<!DOCTYPE d [<!ENTITY % p 'x'>]><d/>",
                &["xxe/parameter-entity"],
            ),
            (
                "<!DOCTYPE d [<!ENTITY a 'x&b;'><!ENTITY b 'y&a;'>]><d/>",
                &["xml-bomb/entity-cycle"],
            ),
            (
                "<!DOCTYPE d [<!ENTITY a 'x'><!ENTITY b '&a;&a;'><!ENTITY c '&b;&b;'>]><d/>",
                &["xml-bomb/entity-nesting"],
            ),
            (
                "<!DOCTYPE x [<!ENTITY a 'x'>]><d>&a;</d>",
                &["xxe/foreign-doctype"],
            ),
            ("<d/><!DOCTYPE d>", &["xml-malformed/late-doctype"]),
            (
                "<d><![CDATA[<!DOCTYPE d [<!ENTITY % p SYSTEM 'http://x/'> %p;]><d/>]]></d>",
                &["xxe/embedded-doctype"],
            ),
            (
                "<d>&lt;!DOCTYPE d [&lt;!ENTITY p SYSTEM 'http://x/'>]></d>",
                &["xxe/embedded-doctype"],
            ),
        ];
        for (text, expected) in table {
            assert_eq!(rules(text), expected, "{text}");
        }
        let quadratic = format!(
            "<!DOCTYPE d [<!ENTITY a '{}'>]><d>{}</d>",
            "x".repeat(10_000),
            "&a;".repeat(1000)
        );
        assert!(rules(&quadratic).contains(&"xml-bomb/entity-growth".to_owned()));
        let many: String = (0..17).map(|n| format!("<!ENTITY e{n} 'x'>")).collect();
        assert_eq!(
            rules(&format!("<!DOCTYPE d [{many}]><d/>")),
            ["xml-bomb/entity-count"]
        );
        let long = format!("<!DOCTYPE d [{}]><d/>", " ".repeat(70_000));
        assert_eq!(rules(&long), ["xml-bomb/long-doctype"]);
    }

    #[test]
    fn a_declaration_outside_of_any_document_type_counts() {
        let text =
            "<!ENTITY % int \"<!ENTITY &#37; trick SYSTEM 'http://127.0.0.1/?%file;'> \"> %int;";
        assert!(rules(text).contains(&"xxe/embedded-doctype".to_owned()));
        let (_, whole) = read([text.as_bytes()]);
        let (_, bytes) = read(text.as_bytes().chunks(1));
        assert_eq!(whole.list, bytes.list);
    }

    #[test]
    fn inclusions_hints_and_stylesheets_are_judged_by_where_they_lead() {
        let xsi = "xmlns:i='http://www.w3.org/2001/XMLSchema-instance'";
        let table: [(String, &[&str]); 10] = [
            (
                "<a xmlns:q='http://www.w3.org/2001/XInclude'><b><q:include href='x'/></b></a>".into(),
                &["xxe/xinclude"],
            ),
            ("<include xmlns='http://www.w3.org/2001/XInclude'/>".into(), &["xxe/xinclude"]),
            ("<include href='x'/>".into(), &[]),
            ("<q:include xmlns:q='urn:x'/>".into(), &[]),
            (
                format!("<a i:schemaLocation='http://example.org/a http://example.org/a.xsd' {xsi}/>"),
                &[],
            ),
            (
                format!("<a i:schemaLocation='urn:a http://evil.example.net/a.xsd' {xsi}/>"),
                &["xxe/schema-location"],
            ),
            (
                format!("<a i:noNamespaceSchemaLocation='file:///etc/passwd' {xsi}/>"),
                &["xxe/schema-location"],
            ),
            (
                "<?xml-stylesheet type='text/xsl' href='http://example.net/x.xsl'?><a/>".into(),
                &["xxe/stylesheet"],
            ),
            (
                "<?xml-stylesheet type='text/css' href='http://example.net/x.css'?><a/>".into(),
                &[],
            ),
            (
                "<s:stylesheet xmlns:s='http://www.w3.org/1999/XSL/Transform'><s:copy-of select=\"document('/x')\"/></s:stylesheet>".into(),
                &["xxe/xslt-document"],
            ),
        ];
        for (text, expected) in table {
            assert_eq!(rules(&text), expected, "{text}");
        }
    }

    #[test]
    fn scripts_in_svg_images_are_found() {
        let svg = "xmlns='http://www.w3.org/2000/svg'";
        let table: [(String, usize); 6] = [
            (format!("<svg {svg}><script>x()</script></svg>"), 1),
            (format!("<svg {svg} onload='x()'/>"), 1),
            (
                "<s:svg xmlns:s='x'><s:a xlink:href=' java&#10;script:x()'/></s:svg>".into(),
                1,
            ),
            (
                format!("<svg {svg}><text one='1' on='x' href='#a'>script</text></svg>"),
                0,
            ),
            ("<page><script>x()</script></page>".into(), 0),
            ("<form onsubmit='x'/>".into(), 0),
        ];
        for (text, expected) in table {
            let found = rules(&text);
            assert_eq!(found.len(), expected, "{text}: {found:?}");
            assert!(found.iter().all(|rule| rule == "xss/svg-script"));
        }
    }

    #[test]
    fn floods_and_broken_grammar_are_found() {
        let attributes: String = (0..257).map(|n| format!(" a{n}='1'")).collect();
        assert_eq!(rules(&format!("<a{attributes}/>")), ["xml-bomb/attributes"]);
        let namespaces: String = (0..65).map(|n| format!(" xmlns:a{n}='u'")).collect();
        assert_eq!(rules(&format!("<a{namespaces}/>")), ["xml-bomb/namespaces"]);
        let deep = format!("{}{}", "<a>".repeat(257), "</a>".repeat(257));
        assert_eq!(rules(&deep), ["xml-bomb/depth"]);
        assert_eq!(rules(""), [""; 0]);
        let name = "a".repeat(4097);
        assert_eq!(rules(&format!("<{name}></{name}>")), ["xml-bomb/long-name"]);
        let table = [
            (" ", "xml-malformed/no-root"),
            ("x<a/>", "xml-malformed/outside-root"),
            ("<![CDATA[x]]>", "xml-malformed/outside-root"),
            ("<a/><b/>", "xml-malformed/second-root"),
            ("<a><b></a></b>", "xml-malformed/mismatch"),
            ("<a>", "xml-malformed/unclosed"),
            ("<a b='1' b='2'/>", "xml-malformed/duplicate-attribute"),
            ("<a>&nbsp;</a>", "xml-malformed/entity"),
            (
                "<a> <?xml version='1.0'?></a>",
                "xml-malformed/late-declaration",
            ),
        ];
        for (text, expected) in table {
            assert!(rules(text).contains(&expected.to_owned()), "{text}");
        }
        assert!(rules("\u{feff}<?xml version='1.0' encoding='utf-8'?>\n<a/>\n").is_empty());
    }

    #[test]
    fn the_pieces_of_a_text_do_not_matter() {
        let texts = [
            "<?xml version='1.0' encoding=\"utf-16\"?><!DOCTYPE a [<!ENTITY e '&#60;x'>]><a b = \"1&amp;2\" c='<'>x&#x41;&e;&nope; <![CDATA[ ]x]]]><!-- a-b---->\n<b/> y</a >z",
            "\u{feff} <?xml-stylesheet href='file:///x'?><a xmlns:q='http://www.w3.org/2001/XInclude'>  <![CDATA[x]]>  <q:include/></q></a>",
            "<a b=c d e='é&lt;!DOCTYPE x [&lt;!ENTITY y SYSTEM \"z\">]>' \"s'>t</a x='1'><!DOCT x><!-><?php echo 1 ?><![CDAT[",
            "<a><b><c></b></a>&#0;&&#;<",
            "<a x='1' x='2' xsi:schemaLocation='u file:///y'/",
            "<!--x--",
            "<a><![CDATA[x]]",
        ];
        for text in texts {
            let text = text.as_bytes();
            let (whole, expected) = read([text]);
            for cut in 0..=text.len() {
                let (left, right) = text.split_at(cut);
                let (log, findings) = read([left, right]);
                assert_eq!(log.exact, whole.exact, "cut at {cut}");
                assert_eq!(findings.list, expected.list, "cut at {cut}");
            }
            let (log, findings) = read(text.chunks(1));
            assert_eq!(log.exact, whole.exact);
            assert_eq!(findings.list, expected.list);
        }
    }
}
