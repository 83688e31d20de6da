//! `application/x-www-form-urlencoded` bodies and URL queries (WHATWG URL §5.1), in windows.
//!
//! Each name and each value is a leaf: `+` is a blank, `%xx` a byte, all else stands for itself. A nested name
//! (`user[roles][0]`, `a.b`) becomes steps of the path. Several fields of one name are all read.

use crate::inspect::leaf::{Assembler, HostSyntax, LeafSink, Outlet, Path, Root};
use crate::inspect::pollution::reaches_prototype;
use crate::inspect::record::{Charge, Recorder};
use crate::inspect::{Category, Findings, PartId};
use crate::span::Span;

/// Reads one form or query after another; keeps its memory between them.
#[derive(Debug)]
pub struct Reader {
    path: Path,
    /// Steps of the path that the form itself lies under.
    base: usize,
    at: u64,
    side: Side,
    escape: Escape,
    value: Assembler,
    recorder: Recorder,
}

/// Which side of `=` is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    /// Before the first byte of a name.
    Between,
    Name,
    Value,
}

/// How much of a `%xx` was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Escape {
    None,
    Percent,
    Digit(u8),
}

impl Reader {
    /// A reader of a form in the body.
    pub fn new() -> Self {
        Self {
            path: Path::new(Root::Form),
            base: 0,
            at: 0,
            side: Side::Between,
            escape: Escape::None,
            value: Assembler::default(),
            recorder: Recorder::default(),
        }
    }

    /// Begins a form ([`Root::Form`]) or a query ([`Root::Query`]) whose first byte has offset `base` in `part`.
    pub fn begin(&mut self, part: PartId, root: Root, base: u64) {
        self.path.reset(root);
        self.restart(part, base);
    }

    /// Begins a form that is itself the value at `path`; its leaves' paths go on from there.
    pub fn begin_below(&mut self, part: PartId, path: &Path, base: u64) {
        self.path.assign(path);
        self.restart(part, base);
    }

    fn restart(&mut self, part: PartId, base: u64) {
        self.base = self.path.depth();
        self.at = base;
        self.side = Side::Between;
        self.escape = Escape::None;
        self.recorder.begin(part);
    }

    /// Reads one window, of any size.
    pub fn push<S: LeafSink + ?Sized>(
        &mut self,
        window: &[u8],
        sink: &mut S,
        findings: &mut Findings,
    ) {
        let mut rest = window;
        while let Some(&byte) = rest.first() {
            if self.side == Side::Between {
                self.side = Side::Name;
                self.path.truncate(self.base);
                self.value.begin(self.at);
            }
            let len = self.step(byte, rest, sink, findings);
            rest = rest.get(len..).unwrap_or_default();
            self.at += len as u64;
        }
    }

    /// Offset of the first raw byte of the name or value that is being read; `None` between fields.
    pub fn pending(&self) -> Option<u64> {
        (self.side != Side::Between).then(|| self.value.start())
    }

    /// Ends the form.
    pub fn finish<S: LeafSink + ?Sized>(&mut self, sink: &mut S, findings: &mut Findings) {
        self.end_side(sink, findings);
        self.side = Side::Between;
    }

    /// Reads the byte at the front, or the run of plain bytes there; says how many were read.
    fn step<S: LeafSink + ?Sized>(
        &mut self,
        byte: u8,
        rest: &[u8],
        sink: &mut S,
        findings: &mut Findings,
    ) -> usize {
        match (self.escape, char::from(byte).to_digit(16)) {
            (Escape::None, _) => {}
            (Escape::Percent, Some(_)) => {
                self.escape = Escape::Digit(byte);
                return 1;
            }
            (Escape::Digit(first), Some(low)) => {
                self.escape = Escape::None;
                let high = char::from(first).to_digit(16).unwrap_or(0);
                let decoded = u8::try_from(high * 16 + low).unwrap_or(0);
                let span = Span::new(self.at - 2, self.at + 1);
                self.unit(&[decoded], span, sink);
                return 1;
            }
            (Escape::Percent | Escape::Digit(_), None) => {
                self.broken_escape(sink);
            }
        }
        match byte {
            b'&' => {
                self.end_side(sink, findings);
                self.side = Side::Between;
                1
            }
            b'=' if self.side == Side::Name => {
                self.end_side(sink, findings);
                self.side = Side::Value;
                self.value.begin(self.at + 1);
                1
            }
            b'%' => {
                self.escape = Escape::Percent;
                1
            }
            b'+' => {
                self.unit(b" ", Span::new(self.at, self.at + 1), sink);
                1
            }
            _ => {
                let len = match self.side {
                    Side::Value => rest.iter().position(|byte| b"&%+".contains(byte)),
                    Side::Between | Side::Name => {
                        rest.iter().position(|byte| b"&%+=".contains(byte))
                    }
                };
                let plain = rest.get(..len.unwrap_or(rest.len())).unwrap_or(rest);
                self.plain(plain, self.at, sink);
                plain.len()
            }
        }
    }

    /// A `%` without two digits stands for itself.
    fn broken_escape<S: LeafSink + ?Sized>(&mut self, sink: &mut S) {
        match std::mem::replace(&mut self.escape, Escape::None) {
            Escape::None => {}
            Escape::Percent => self.plain(b"%", self.at - 1, sink),
            Escape::Digit(digit) => self.plain(&[b'%', digit], self.at - 2, sink),
        }
    }

    fn end_side<S: LeafSink + ?Sized>(&mut self, sink: &mut S, findings: &mut Findings) {
        self.broken_escape(sink);
        match self.side {
            Side::Between => return,
            Side::Name => self.name(findings),
            Side::Value => {}
        }
        let host = self.host();
        if self.side == Side::Value || !self.value.bytes().is_empty() {
            self.value.finish(&mut Outlet {
                sink,
                path: &self.path,
                host,
            });
        }
    }

    /// A name is complete: the path goes to it.
    fn name(&mut self, findings: &mut Findings) {
        let name = self.value.bytes();
        self.path.truncate(self.base);
        for step in name.splitn(MOST_STEPS, |byte| b"[]".contains(byte)) {
            if !step.is_empty() {
                self.path.push_name(step);
            }
        }
        if self.path.depth() == self.base {
            self.path.push_name(name);
        }
        if reaches_prototype(name, None) {
            let span = Span::new(self.value.start(), self.at);
            let path = &self.path;
            self.recorder
                .record(PROTOTYPE, span, || path.shown(), findings);
        }
    }

    fn host(&self) -> HostSyntax {
        match self.side {
            Side::Between | Side::Name => HostSyntax::FormName,
            Side::Value => HostSyntax::FormValue,
        }
    }

    fn plain<S: LeafSink + ?Sized>(&mut self, raw: &[u8], at: u64, sink: &mut S) {
        let host = self.host();
        self.value.plain(
            raw,
            at,
            &mut Outlet {
                sink,
                path: &self.path,
                host,
            },
        );
    }

    fn unit<S: LeafSink + ?Sized>(&mut self, decoded: &[u8], raw: Span, sink: &mut S) {
        let host = self.host();
        self.value.unit(
            decoded,
            raw,
            &mut Outlet {
                sink,
                path: &self.path,
                host,
            },
        );
    }
}

impl Default for Reader {
    fn default() -> Self {
        Self::new()
    }
}

/// Steps that a nested name is split into.
const MOST_STEPS: usize = 32;

const PROTOTYPE: Charge = Charge {
    rule: "prototype-pollution/form-name",
    category: Category::PrototypePollution,
    score: 100,
    reason: "name that reaches a prototype",
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::leaf::Leaf;

    #[derive(Default)]
    struct Log(Vec<String>);

    impl LeafSink for Log {
        fn leaf(&mut self, leaf: &Leaf<'_>) {
            let bytes = String::from_utf8_lossy(leaf.bytes);
            let units: Vec<Span> = (0..leaf.bytes.len())
                .map(|index| leaf.map.raw(index, index + 1))
                .collect();
            self.0.push(format!(
                "{}={bytes} {:?} {} {units:?}",
                leaf.path, leaf.host, leaf.span
            ));
        }
    }

    fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<String>, Findings) {
        let mut reader = Reader::new();
        let (mut log, mut findings) = (Log::default(), Findings::default());
        for piece in pieces {
            reader.push(piece, &mut log, &mut findings);
        }
        reader.finish(&mut log, &mut findings);
        (log.0, findings)
    }

    fn values(text: &str) -> Vec<String> {
        let (log, _) = read([text.as_bytes()]);
        log.iter()
            .map(|line| line.split(" Form").next().unwrap_or("").to_owned())
            .collect()
    }

    #[test]
    fn names_and_values_are_decoded_once() {
        assert_eq!(
            values("q=a+b%26c&user%5Bname%5D[0]=%2527&flag&=x&a=b=c"),
            [
                "form:q=q",
                "form:q=a b&c",
                "form:user.name.0=user[name][0]",
                "form:user.name.0=%27",
                "form:flag=flag",
                "form:=x",
                "form:a=a",
                "form:a=b=c"
            ]
        );
    }

    #[test]
    fn the_pieces_of_a_form_do_not_matter() {
        let texts: [&[u8]; 4] = [
            b"q=a+b%26c&user%5Bname%5D[0]=%2527&flag&=x&a=b=c",
            b"a%=%&b%4=%4g&%41%zz=%%41&&=&==+%",
            b"__proto__[x]=1&constructor%5bprototype%5d=2&a=%C3%A9",
            b"",
        ];
        for text in texts {
            let whole = read([text]);
            for cut in 0..=text.len() {
                let (left, right) = text.split_at(cut);
                let (log, findings) = read([left, right]);
                assert_eq!(log, whole.0, "cut at {cut}");
                assert_eq!(findings.list, whole.1.list, "cut at {cut}");
            }
            assert_eq!(read(text.chunks(1)).0, whole.0);
        }
    }

    #[test]
    fn names_that_reach_a_prototype_are_found() {
        for (form, expected) in [
            ("__proto__[admin]=1&name=x", 1),
            ("constructor[prototype][x]=1", 1),
            ("constructor.prototype.x=1", 1),
            ("constructor=1&prototype=2&q=__proto__", 0),
        ] {
            let (_, findings) = read([form.as_bytes()]);
            assert_eq!(findings.list.len(), expected, "{form}");
        }
    }
}
