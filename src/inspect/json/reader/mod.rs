//! From tokens to leaves and findings.

mod compare;
mod habits;

use super::keys::{Keys, Kind};
use super::rule::Rule;
use super::string::Decoder;
use super::token::{Fault, Fragment, Mark, Role, Scalar, Sink, Tokenizer};
use crate::anomaly::Anomaly;
use crate::inspect::leaf::{
    Assembler, HostSyntax, LEAF_BYTES, Leaf, LeafSink, OffsetMap, Outlet, Path, Piece, Root,
    Written,
};
use crate::inspect::record::Recorder;
use crate::inspect::{Findings, PartId};
use crate::span::Span;
use habits::{Cursor, Foreseen, Habits};

/// What is known about a JSON document before its first byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// The part that its spans lie in.
    pub part: PartId,
    /// One document, or one a line.
    pub framing: Framing,
    /// The charset it was written in, before it was turned into the UTF-8 that is read here.
    pub written: Written,
    /// What is looked at.
    pub purpose: Purpose,
    /// How long a text that breaks the grammar is still read as JSON.
    pub patience: Patience,
}

/// What a document is read for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// Its values, and what is wrong with its structure.
    #[default]
    Structure,
    /// Its values alone: names are not compared, numbers are not checked.
    Values,
}

/// How long a text that breaks the grammar is still read as JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Patience {
    /// To its end: it says that it is JSON, so its values are looked for whatever stands between them.
    #[default]
    Endless,
    /// After [`MOST_BREAKS`] places that no reader gets past, however lenient, its short bare words are left to the
    /// other reader that reads all of it: it only begins like JSON. Strings and long words are still handed out, since
    /// they may be JSON again, or base64, which the other reader does not take apart.
    Limited,
}

/// How many documents a body holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// One (RFC 8259).
    #[default]
    Single,
    /// Any number, one a line or after a record separator (NDJSON, JSON lines, RFC 7464).
    Lines,
}

/// Limits of the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Levels of nesting; deeper ones are read on, but their paths end here.
    pub depth: u32,
    /// Digits of a number.
    pub number_digits: u32,
    /// Bytes of a member name.
    pub key_bytes: u32,
    /// Members of one object.
    pub keys: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 128,
            number_digits: 1024,
            key_bytes: 4096,
            keys: 5000,
        }
    }
}

/// Reads one JSON document after another; keeps its memory between them.
#[derive(Debug)]
pub struct Reader {
    tokens: Tokenizer,
    state: State,
}

/// All but the tokenizer.
#[derive(Debug)]
struct State {
    limits: Limits,
    document: Document,
    recorder: Recorder,
    path: Path,
    /// Steps of the path that the document itself lies under.
    base: usize,
    frames: Vec<Frame>,
    /// Open levels that are too deep to have a frame.
    beyond: u64,
    keys: Keys,
    habits: Habits,
    decoder: Decoder,
    value: Assembler,
    verbatim: OffsetMap,
    pending: Option<u64>,
    /// Places that no reader of JSON gets past.
    breaks: u32,
}

/// One open object or array.
#[derive(Clone, Copy, Debug)]
struct Frame {
    shape: Shape,
    /// Steps of the path to it.
    depth: usize,
    /// Index of the next item.
    index: u32,
    /// Hash of what it holds so far.
    hash: u64,
    /// The last name.
    key: Span,
    /// Which name to expect next.
    cursor: Cursor,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Object,
    Array,
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
                path: Path::new(Root::Json),
                base: 0,
                frames: Vec::new(),
                beyond: 0,
                keys: Keys::new(),
                habits: Habits::default(),
                decoder: Decoder::default(),
                value: Assembler::default(),
                verbatim: OffsetMap::default(),
                pending: None,
                breaks: 0,
            },
        }
    }

    /// Begins a document.
    pub fn begin(&mut self, document: Document) {
        self.state.path.reset(Root::Json);
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
        state.base = state.path.depth();
        state.document = document;
        state.recorder.begin(document.part);
        state.frames.clear();
        state.beyond = 0;
        state.keys.clear();
        state.pending = None;
        state.breaks = 0;
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

    /// Offset of the first raw byte of the value that is being read; `None` between values. What lies before it will be
    /// in no further leaf, but for windows of a long value.
    pub fn pending(&self) -> Option<u64> {
        self.state.pending.or_else(|| self.tokens.withheld())
    }

    /// Ends the document.
    pub fn finish<S: LeafSink + ?Sized>(&mut self, sink: &mut S, findings: &mut Findings) {
        let mut pass = Pass {
            state: &mut self.state,
            sink,
            findings,
        };
        self.tokens.finish(&mut pass);
        pass.charset();
    }
}

impl State {
    /// True when a bare word of `len` bytes is left to whoever else reads the text.
    #[inline]
    fn is_left(&self, len: usize) -> bool {
        len < SHORT_WORD
            && self.breaks >= MOST_BREAKS
            && self.document.patience == Patience::Limited
    }
}

impl Default for Reader {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

/// One call of [`Reader::push`].
struct Pass<'a, S: ?Sized> {
    state: &'a mut State,
    sink: &'a mut S,
    findings: &'a mut Findings,
}

impl<S: LeafSink + ?Sized> Sink for Pass<'_, S> {
    #[inline]
    fn mark(&mut self, mark: Mark, at: u64) {
        self.sink.mark(mark, at);
        match mark {
            Mark::OpenObject => self.open(Shape::Object, at),
            Mark::OpenArray => self.open(Shape::Array, at),
            Mark::CloseObject | Mark::CloseArray => self.close(),
            Mark::Colon | Mark::Comma => {}
        }
    }

    #[inline]
    fn foresaw(&mut self, text: &[u8], at: u64) -> Option<usize> {
        let state = &mut *self.state;
        if state.beyond > 0 || state.document.purpose != Purpose::Structure {
            return None;
        }
        let frame = state.frames.last_mut()?;
        let foreseen = state.habits.foreseen(frame.cursor, text)?;
        let name = text.get(1..)?.get(..foreseen.length)?;
        if frame.shape == Shape::Array {
            return None;
        }
        let at = at + 1;
        frame.cursor = foreseen.cursor;
        frame.key = Span::new(at, at + name.len() as u64);
        state.path.set_name(frame.depth, name);
        let Foreseen { place, hash, .. } = foreseen;
        let waits = name.len() <= state.limits.key_bytes as usize
            && state.keys.foreseen(place, hash, state.limits.keys);
        if waits {
            frame.hash = state.keys.join(frame.hash, hash);
        }
        self.verbatim(HostSyntax::JsonKey, name, at);
        if !waits {
            self.note_key(name, hash);
        }
        Some(foreseen.length)
    }

    #[inline(always)]
    fn string(&mut self, role: Role, fragment: Fragment<'_>) {
        let host = match role {
            Role::Key => HostSyntax::JsonKey,
            Role::Value | Role::Comment => HostSyntax::JsonString,
        };
        let whole = fragment.first && fragment.last && fragment.raw.len() <= LEAF_BYTES;
        if whole
            && !fragment.escaped
            && (fragment.ascii || std::str::from_utf8(fragment.raw).is_ok())
        {
            self.enter(role, fragment.raw, fragment.at);
            self.verbatim(host, fragment.raw, fragment.at);
            self.leave(role, Kind::Text, fragment.raw);
        } else {
            self.assemble(role, host, fragment);
        }
    }

    #[inline(always)]
    fn scalar(&mut self, role: Role, scalar: Scalar, fragment: Fragment<'_>) {
        let (host, kind) = match scalar {
            Scalar::Number => (HostSyntax::JsonNumber, Kind::Number),
            Scalar::Literal => (HostSyntax::JsonLiteral, Kind::Literal),
            Scalar::Other => (HostSyntax::Raw, Kind::Text),
        };
        if fragment.first && fragment.last && fragment.raw.len() <= LEAF_BYTES {
            self.enter(role, fragment.raw, fragment.at);
            if self.state.is_left(fragment.raw.len()) {
                return;
            }
            self.verbatim(host, fragment.raw, fragment.at);
            self.leave_scalar(role, kind, fragment.raw, fragment.at);
        } else {
            self.assemble_scalar(role, (host, kind), fragment);
        }
    }

    fn fault(&mut self, fault: Fault, at: u64) {
        let lines = self.state.document.framing == Framing::Lines;
        match fault {
            Fault::NextLine | Fault::RecordSeparator if lines => return,
            Fault::Untracked => {
                self.findings
                    .anomaly(Anomaly::StructureLimit, self.state.document.part, at);
                return;
            }
            // JSON5 and the like know bare names, comments and stray commas, but none of these.
            Fault::MissingColon | Fault::MissingComma | Fault::StrayColon | Fault::Mismatched => {
                self.state.breaks = self.state.breaks.saturating_add(1);
            }
            _ => {}
        }
        if self.state.document.purpose == Purpose::Values {
            return;
        }
        // The text as a whole is at fault: where the path stands by then depends on what of the token was seen.
        let charge = Rule::Fault(fault).charge();
        self.state
            .recorder
            .record(charge, Span::new(at, at), Box::default, self.findings);
    }
}

/// Values.
impl<S: LeafSink + ?Sized> Pass<'_, S> {
    /// A value or a name begins: the path goes to it.
    #[inline(always)]
    fn enter(&mut self, role: Role, name: &[u8], at: u64) {
        let state = &mut *self.state;
        if state.beyond > 0 || role == Role::Comment {
            return;
        }
        let Some(frame) = state.frames.last_mut() else {
            state.path.truncate(state.base);
            return;
        };
        match (frame.shape, role) {
            (Shape::Object, Role::Key) => {
                state.path.set_name(frame.depth, name);
                frame.key = Span::new(at, at + name.len() as u64);
            }
            (Shape::Array, _) => {
                state.path.truncate(frame.depth);
                state.path.push_index(frame.index);
                frame.index = frame.index.saturating_add(1);
            }
            (Shape::Object, Role::Value | Role::Comment) => {}
        }
    }

    /// Hands out a value that needs no decoding, unless nobody wants it.
    #[inline(always)]
    fn verbatim(&mut self, host: HostSyntax, raw: &[u8], at: u64) {
        if !self.sink.passes(raw, host, &self.state.path) {
            self.hand_out(host, raw, at);
        }
    }

    #[inline(never)]
    fn hand_out(&mut self, host: HostSyntax, raw: &[u8], at: u64) {
        let state = &mut *self.state;
        state.verbatim.reset(at);
        self.sink.leaf(&Leaf {
            path: &state.path,
            host,
            span: Span::new(at, at + raw.len() as u64),
            bytes: raw,
            map: &state.verbatim,
            piece: Piece::Whole,
        });
    }

    /// A fragment of a string that has escapes, does not lie in one window, or is broken.
    #[inline(never)]
    fn assemble(&mut self, role: Role, host: HostSyntax, fragment: Fragment<'_>) {
        if fragment.first {
            if role != Role::Key {
                self.enter(role, b"", fragment.at);
            }
            self.state.decoder.begin();
            self.state.value.begin(fragment.at);
            self.state.pending = Some(fragment.at);
        }
        let state = &mut *self.state;
        let mut out = Outlet {
            sink: &mut *self.sink,
            path: &state.path,
            host,
        };
        state.decoder.check(&fragment);
        state.decoder.push(&fragment, &mut state.value, &mut out);
        if !fragment.last {
            return;
        }
        state.pending = None;
        let flaws = state.decoder.finish(&mut state.value, &mut out);
        let mut value = std::mem::take(&mut state.value);
        if role == Role::Key {
            self.enter(role, value.bytes(), value.start());
        }
        let mut out = Outlet {
            sink: &mut *self.sink,
            path: &self.state.path,
            host,
        };
        value.finish(&mut out);
        self.flaws(flaws, role, value.bytes());
        if value.is_windowed() {
            self.leave_windowed(role, value.start());
        } else {
            self.leave(role, Kind::Text, value.bytes());
        }
        self.state.value = value;
    }

    /// A fragment of a number or a word that does not lie in one window.
    #[inline(never)]
    fn assemble_scalar(
        &mut self,
        role: Role,
        (host, kind): (HostSyntax, Kind),
        fragment: Fragment<'_>,
    ) {
        if fragment.first {
            if role != Role::Key {
                self.enter(role, b"", fragment.at);
            }
            self.state.value.begin(fragment.at);
            self.state.pending = Some(fragment.at);
        }
        let state = &mut *self.state;
        let mut out = Outlet {
            sink: &mut *self.sink,
            path: &state.path,
            host,
        };
        state.value.plain(fragment.raw, fragment.at, &mut out);
        if !fragment.last {
            return;
        }
        state.pending = None;
        let mut value = std::mem::take(&mut state.value);
        if role == Role::Key {
            self.enter(role, value.bytes(), value.start());
        }
        if !value.is_windowed() && self.state.is_left(value.bytes().len()) {
            self.state.value = value;
            return;
        }
        let mut out = Outlet {
            sink: &mut *self.sink,
            path: &self.state.path,
            host,
        };
        value.finish(&mut out);
        if value.is_windowed() {
            if kind == Kind::Number {
                self.record(Rule::NumberLong, Span::new(value.start(), fragment.at));
            }
            self.leave_windowed(role, value.start());
        } else {
            self.leave_scalar(role, kind, value.bytes(), value.start());
        }
        self.state.value = value;
    }
}

/// Structure.
impl<S: LeafSink + ?Sized> Pass<'_, S> {
    fn open(&mut self, shape: Shape, at: u64) {
        self.enter(Role::Value, b"", at);
        let state = &mut *self.state;
        let limit = usize::try_from(state.limits.depth).unwrap_or(usize::MAX);
        if state.frames.len() >= limit.min(MOST_FRAMES) {
            state.beyond += 1;
            if state.beyond == 1 {
                self.too_deep(at);
            }
            return;
        }
        let around = state.frames.last().map(|frame| frame.cursor);
        state.frames.push(Frame {
            shape,
            cursor: around.unwrap_or_default().inside(),
            depth: state.path.depth(),
            index: 0,
            hash: match shape {
                Shape::Object => 1,
                Shape::Array => 2,
            },
            key: Span::new(at, at),
        });
        if shape == Shape::Object && state.document.purpose == Purpose::Structure {
            state.keys.open();
        }
    }

    fn too_deep(&mut self, at: u64) {
        match self.state.document.purpose {
            Purpose::Structure => self.record(Rule::Depth, Span::new(at, at + 1)),
            // Who looks at values alone learns that their names are not known any more.
            Purpose::Values => {
                let part = self.state.document.part;
                self.findings.anomaly(Anomaly::StructureLimit, part, at);
            }
        }
    }

    fn close(&mut self) {
        let state = &mut *self.state;
        if state.beyond > 0 {
            state.beyond -= 1;
            return;
        }
        let Some(frame) = state.frames.pop() else {
            return;
        };
        state.path.truncate(frame.depth);
        if state.document.purpose == Purpose::Values {
            return;
        }
        if frame.shape == Shape::Object {
            state.keys.close();
        }
        self.value(frame.hash, Kind::Container);
    }

    fn charset(&mut self) {
        match self.state.document.written {
            Written::Utf8 | Written::Other => {}
            // RFC 8259 §8.1: JSON between systems is UTF-8.
            Written::Utf16 | Written::Utf32 | Written::Utf7 | Written::Ebcdic => {
                self.state.path.truncate(self.state.base);
                self.record(Rule::Charset, Span::new(0, 0));
            }
        }
    }

    #[cold]
    fn record(&mut self, rule: Rule, span: Span) {
        if self.state.document.purpose == Purpose::Values {
            return;
        }
        let State { recorder, path, .. } = &mut *self.state;
        recorder.record(rule.charge(), span, || path.shown(), self.findings);
    }
}

/// Places that no reader gets past, after which the bare words of a text with [`Patience::Limited`] are left alone.
pub const MOST_BREAKS: u32 = 64;

/// Bare words below this many bytes may be left alone: base64 that holds a file is longer.
const SHORT_WORD: usize = 24;

/// Levels that have a frame, whatever the limit on depth is set to.
const MOST_FRAMES: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    /// Leaves as `path host span bytes piece`, marks as they are.
    #[derive(Default)]
    struct Log(Vec<String>);

    impl LeafSink for Log {
        fn leaf(&mut self, leaf: &Leaf<'_>) {
            let units: Vec<Span> = (0..leaf.bytes.len().min(40))
                .map(|index| leaf.map.raw(index, index + 1))
                .collect();
            self.0.push(format!(
                "{} {:?} {} {:?} {:?} {units:?}",
                leaf.path,
                leaf.host,
                leaf.span,
                String::from_utf8_lossy(leaf.bytes),
                leaf.piece
            ));
        }
        fn mark(&mut self, mark: Mark, at: u64) {
            self.0.push(format!("{mark:?} {at}"));
        }
    }

    fn read<'a>(
        pieces: impl IntoIterator<Item = &'a [u8]>,
        document: Document,
    ) -> (Vec<String>, Findings) {
        let mut reader = Reader::default();
        let (mut log, mut findings) = (Log::default(), Findings::default());
        reader.begin(document);
        for piece in pieces {
            reader.push(piece, &mut log, &mut findings);
        }
        reader.finish(&mut log, &mut findings);
        (log.0, findings)
    }

    fn rules(text: &[u8]) -> Vec<String> {
        let (_, findings) = read([text], Document::default());
        let mut rules: Vec<String> = findings.list.iter().map(|f| f.rule.to_string()).collect();
        rules.dedup();
        rules
    }

    fn values(text: &[u8]) -> Vec<String> {
        struct Values(Vec<String>);
        impl LeafSink for Values {
            fn leaf(&mut self, leaf: &Leaf<'_>) {
                let bytes = String::from_utf8_lossy(leaf.bytes);
                self.0.push(format!("{}={bytes}", leaf.path));
            }
        }
        let mut values = Values(Vec::new());
        let mut reader = Reader::default();
        let mut findings = Findings::default();
        reader.push(text, &mut values, &mut findings);
        reader.finish(&mut values, &mut findings);
        values.0
    }

    #[test]
    fn values_come_with_their_paths() {
        assert_eq!(
            values(br#"{"user":{"name":"J\u00f6rg","tags":["a",[1,true]]},"n":-1.5e3}"#),
            [
                "$.user=user",
                "$.user.name=name",
                "$.user.name=Jörg",
                "$.user.tags=tags",
                "$.user.tags[0]=a",
                "$.user.tags[1][0]=1",
                "$.user.tags[1][1]=true",
                "$.n=n",
                "$.n=-1.5e3"
            ]
        );
    }

    #[test]
    fn a_broken_text_is_read_to_its_end() {
        assert_eq!(
            values(br#"{"a":x' or 1=1 --,b:'it',"c" "d" // note"#),
            [
                "$.a=a",
                "$.a=x' or 1=1 --",
                "$.b=b",
                "$.b=it",
                "$.c=c",
                "$.c=d",
                "$.c=// note",
            ]
        );
    }

    #[test]
    fn short_words_are_left_alone_where_no_reader_would_go_on() {
        let limited = Document {
            patience: Patience::Limited,
            ..Document::default()
        };
        let leaves = |text: &str, document| read([text.as_bytes()], document).0.len();
        let most = MOST_BREAKS as usize;
        let broken = |count| "{x".repeat(count);
        for count in [1, most] {
            let text = broken(count);
            let same = leaves(&text, limited) == leaves(&text, Document::default());
            assert!(same, "{count}");
        }
        assert!(
            leaves(&broken(most + 1), limited) < leaves(&broken(most + 1), Document::default())
        );
        // What lenient readers accept is no break, however much of it there is.
        let lenient = format!("[{}]", "{/**/a:'x',b:+.5,},// c\n".repeat(most + 2));
        let whole = read([lenient.as_bytes()], limited).0;
        assert_eq!(whole, read([lenient.as_bytes()], Document::default()).0);
        // Strings and long words are handed out all the same, under the same paths.
        let long = "A".repeat(SHORT_WORD);
        let text = broken(most + 9) + &format!("[{long},y,\"s\",y,\"t\\u0041\",'u'");
        let whole = read([text.as_bytes()], limited).0;
        for value in [&*long, "s", "tA", "u"] {
            let value = format!("{value:?}");
            assert!(whole.iter().any(|line| line.contains(&value)), "{value}");
        }
        assert!(!whole.iter().any(|line| line.contains("\"y\"")));
        // Neither depends on the windows.
        for cut in 0..text.len() {
            let (head, tail) = text.as_bytes().split_at(cut);
            assert_eq!(read([head, tail], limited).0, whole, "{cut}");
        }
        assert_eq!(read(text.as_bytes().chunks(1), limited).0, whole);
    }

    #[test]
    fn misdeeds_are_found() {
        let table: [(&[u8], &[&str]); 24] = [
            (br#"{"a":1,"a":1}"#, &[]),
            (br#"{"a":1,"a":2}"#, &["json-abuse/duplicate-key"]),
            (br#"{"a":1,"\u0061":2}"#, &["json-abuse/duplicate-key"]),
            (
                br#"{"a":{"b":[1]},"a":{"b":[2]}}"#,
                &["json-abuse/duplicate-key"],
            ),
            (br#"{"a":{"b":[1]},"a":{"b":[1]}}"#, &[]),
            (br#"{"a":[1,{}],"a":[1,[]]}"#, &["json-abuse/duplicate-key"]),
            (br#"{"role":"u","Role":"a"}"#, &["json-abuse/key-collision"]),
            (br#"[{"a":1},{"a":2}]"#, &[]),
            (
                br#"{"a":{"b":{"__proto__":{}}}}"#,
                &["prototype-pollution/key"],
            ),
            (
                br#"{"constructor":{"prototype":1}}"#,
                &["prototype-pollution/key"],
            ),
            (br#"{"constructor":"x","prototype":1}"#, &[]),
            (
                br#"[{"op":"add","path":"/__proto__/x","value":1}]"#,
                &["prototype-pollution/pointer"],
            ),
            (br#"["\ud800"]"#, &["json-abuse/lone-surrogate"]),
            (br#"["\ud800\ud800\udc00"]"#, &["json-abuse/lone-surrogate"]),
            (br#"["\ud83d\ude00"]"#, &[]),
            (br#"["a\u0000b"]"#, &["json-abuse/nul-escape"]),
            (br#"["\u0000"]"#, &[]),
            (br#"{"\u0000":1}"#, &["json-abuse/nul-escape"]),
            (b"[\"\xff\"]", &["json-abuse/invalid-utf8"]),
            (b"[\"\xe2\x82\"]", &["json-abuse/invalid-utf8"]),
            (b"[1e400]", &["json-abuse/number-range"]),
            (b"\xef\xbb\xbf{}", &[]),
            (b"1\n2", &["json-malformed/next-document"]),
            (b"", &["json-malformed/empty"]),
        ];
        for (text, expected) in table {
            assert_eq!(rules(text), expected, "{}", String::from_utf8_lossy(text));
        }
        let deep = [b"[".repeat(129), b"]".repeat(129)].concat();
        assert_eq!(rules(&deep), ["json-abuse/depth"]);
        assert_eq!(rules(&deep[1..257]), Vec::<String>::new());
    }

    #[test]
    fn what_a_slash_or_half_a_mark_begins_is_pending() {
        for (text, pending) in [
            (&b"[1,/"[..], Some(3)),
            (b"\xef\xbb", Some(0)),
            (b"[1,", None),
        ] {
            let mut reader = Reader::default();
            let (mut log, mut findings) = (Log::default(), Findings::default());
            reader.push(text, &mut log, &mut findings);
            assert_eq!(reader.pending(), pending);
        }
    }

    #[test]
    fn several_documents_are_legal_where_the_type_says_so() {
        let lines = Document {
            framing: Framing::Lines,
            ..Document::default()
        };
        let (_, findings) = read([b"{\"a\":1}\n{\"a\":2}\n".as_slice()], lines);
        assert!(findings.is_empty());
        let (_, findings) = read([b"\x1e{\"a\":1}\n\x1e{\"a\":2}\n".as_slice()], lines);
        assert!(findings.is_empty());
        let (_, findings) = read([b"{\"a\":1}{\"a\":2}".as_slice()], lines);
        assert_eq!(findings.list.len(), 1);
    }

    #[test]
    fn what_was_read_before_does_not_matter() {
        let texts: [&[u8]; 12] = [
            br#"{"id":1,"op":"x","sub":{"k":[{"id":2},{"id":3}]},"op2":2}"#,
            br#"[{"id":1,"op":"x","id":1},{"id":1,"op":"x","id":2},{"id":1,"Op":"x","op":"y"}]"#,
            b"{\"id\" :1,\"op\": \"x\", \"sub\"\t:{\"k\" : [ ] },\"op2\":2}",
            br#"{"id":1,"\u006fp":"x","sub":{"k":[{"id":2,"id":2}],"k":1},"op":2}"#,
            br#"{'id':1,"op":"x","sub":[[{"k":1}]],op2:2}"#,
            br#"{"id":1 "op":"x",,"sub":{"k":1},"id""#,
            b"{\"i\x01d\":1,\"op\":2,\"i\x01d\":2}",
            br#"{"id":1,"__proto__":{"op":1},"op":{"prototype":1,"constructor":{"prototype":{}}}}"#,
            br#"[{"path":"/__proto__/x","op":"add"},{"op":"add","path":"/__proto__/x"}]"#,
            br#"{"":1,"a\"b":2,"a\\b":3,"a":4,"a":"5"}"#,
            br#""id":1,"op":2}{"id":1}"#,
            br#"{"id":1,"op":{"id":"#,
        ];
        let read = |reader: &mut Reader, text: &[u8], size: usize| {
            let (mut log, mut findings) = (Log::default(), Findings::default());
            reader.begin(Document::default());
            for piece in text.chunks(size) {
                reader.push(piece, &mut log, &mut findings);
            }
            reader.finish(&mut log, &mut findings);
            (log.0, findings.list)
        };
        let mut used = Reader::default();
        for round in 1..60 {
            for text in texts {
                let size = [usize::MAX, round, 3][round % 3];
                let expected = read(&mut Reader::default(), text, usize::MAX);
                assert_eq!(read(&mut used, text, size), expected, "in pieces of {size}");
            }
        }
    }

    #[test]
    fn the_pieces_of_a_text_do_not_matter() {
        let texts: [&[u8]; 12] = [
            br#"{"user":{"na\u006de":"J\u00f6rg \ud83d\ude00 \" x","t":["a",[1,true,null]]},"n":-1.5e3}"#,
            "{\"ключ\":\"значение é\u{10ffff}\",\"a\":[\"\\u00\",\"\\x\",\"\\".as_bytes(),
            br#"{a:'it\'s',"b":/* c *//x/ // y
            "c":nul,"d":truely, 1.2.3 } ] {"#,
            b"\xef\xbb\xbf [1,2]",
            b"\xef\xbb{}",
            b"\xef\xbb",
            b"[\"\xe2\x82\xac\xe2\x82\",\"\xf0\x9f\",\"\xff\"]",
            b"[1,\"\\ud800\\u0041\\udc00\\ud800\"]/",
            b"{\"a\":1,\"a\":\"\x01\"}#",
            b"{\"a\":1e999,\"A\":2}\x1e\n{} 1",
            b"[/*/ */,/**/,//\n1,/",
            br#"{"__proto__":1,"":0,"\u0000":[{},{"x":[]}]}"#,
        ];
        for text in texts {
            let (whole, expected) = read([text], Document::default());
            for cut in 0..=text.len() {
                let (left, right) = text.split_at(cut);
                let (log, findings) = read([left, right], Document::default());
                assert_eq!(log, whole, "cut at {cut}");
                assert_eq!(findings.list, expected.list, "cut at {cut}");
            }
            let (log, findings) = read(text.chunks(1), Document::default());
            assert_eq!(log, whole);
            assert_eq!(findings.list, expected.list);
        }
    }
}
