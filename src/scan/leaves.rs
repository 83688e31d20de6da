//! Where a value goes: the injection detectors, the signatures (in its decoded form), and the blobs.

use std::borrow::Cow;

use crate::inspect::injection::decode::{self, Signs};
use crate::inspect::injection::{Classes, Context, Detectors, Explanation, Scratch};
use crate::inspect::leaf::{HostSyntax, Leaf, LeafSink, Path, Piece};
use crate::inspect::literal::PartFacts;
use crate::inspect::signatures::{SignatureScan, Signatures};
use crate::inspect::{Direction, Finding, Findings, PartId, Severity, table, xml};
use crate::rules::literal::Place;

use super::blob::Blobs;
use super::known::Known;
use super::members::Members;
use super::routine::Routine;

/// Hands each leaf to whoever wants it.
pub(super) struct LeafRouter<'a> {
    pub(super) detectors: &'a Detectors,
    pub(super) context: Context,
    pub(super) scratch: &'a mut Scratch,
    pub(super) known: &'a mut Known,
    pub(super) routine: &'a mut Routine,
    /// Signatures over decoded values; `None` when the profile has no signatures.
    pub(super) values: Option<&'a mut SignatureScan>,
    pub(super) value_findings: &'a mut Findings,
    /// What a value decodes to, layer by layer.
    pub(super) decoded: &'a mut [Vec<u8>; 2],
    pub(super) blobs: Option<&'a mut Blobs>,
    pub(super) findings: &'a mut Findings,
    /// The kind of what the values lie in: a head, a body, a file.
    pub(super) around: Place,
    /// Its media type, as far as rules on values want it.
    pub(super) content_type: Option<&'a str>,
    pub(super) rules: &'a Signatures,
    /// Rules want to see each value that is no header's, no cookie's and no path by itself.
    pub(super) wants_fields: bool,
    /// What the offline scan is to show of the values; `None` in a server.
    pub(super) explanation: Option<&'a mut Explanation>,
    /// Where names of JSON members are noted; `None` where nobody asks for them.
    pub(super) members: Option<&'a mut Members>,
    /// Documents inside values are looked into.
    pub(super) structure: bool,
}

impl LeafSink for LeafRouter<'_> {
    /// Most of an API's JSON is names that are known and numbers.
    #[inline(always)]
    fn passes(&mut self, value: &[u8], host: HostSyntax, _: &Path) -> bool {
        let passes = !self.wants_values(host)
            && match host {
                HostSyntax::JsonKey => self.is_known(value),
                _ => self.is_idle(value, host),
            };
        if passes {
            self.scratch.pass(value.len());
        }
        passes
    }

    fn leaf(&mut self, leaf: &Leaf<'_>) {
        if let Some(members) = &mut self.members
            && leaf.host == HostSyntax::JsonKey
        {
            members.take(leaf.bytes, leaf.piece, self.known.place(leaf.bytes));
        }
        if self.is_idle(leaf.bytes, leaf.host) || self.is_routine(leaf) {
            self.scratch.pass(leaf.bytes.len());
        } else {
            self.look(leaf);
        }
        // The raw bytes went through the signatures already; a value without escapes has something new to show only to
        // rules on single values.
        match leaf.map.is_verbatim() {
            false => self.signatures((leaf, leaf.bytes), self.place_of(leaf.host), None),
            true if self.wants_values(leaf.host) => {
                let place = self.place_of(leaf.host);
                let around = match place {
                    Place::Url | Place::Header => Place::Header,
                    Place::Field | Place::File | Place::Body => self.around,
                };
                self.signatures((leaf, leaf.bytes), place, Some(around));
            }
            true => {}
        }
    }
}

impl LeafRouter<'_> {
    /// True for values in which none but rules on single values finds anything: numbers, literals, names that are known.
    #[inline(always)]
    fn is_idle(&self, value: &[u8], host: HostSyntax) -> bool {
        let idle = match host {
            HostSyntax::JsonLiteral => true,
            HostSyntax::JsonNumber => value.iter().all(|byte| is_numeric(*byte)),
            HostSyntax::JsonKey => self.known.place(value).is_some(),
            _ => false,
        };
        idle && self.explanation.is_none()
    }

    /// True for names of members that are idle; they are noted where somebody wants them noted.
    #[inline(always)]
    fn is_known(&mut self, name: &[u8]) -> bool {
        if self.explanation.is_some() {
            return false;
        }
        let Some(place) = self.known.place(name) else {
            return false;
        };
        if let Some(members) = &mut self.members
            && !members.again(place)
        {
            members.take(name, Piece::Whole, Some(place));
        }
        true
    }

    /// True for fields of a head in which the same look found nothing before.
    fn is_routine(&self, leaf: &Leaf<'_>) -> bool {
        leaf.host == HostSyntax::HeaderValue
            && self.explanation.is_none()
            && self.routine.has(leaf, &self.context)
    }

    fn look(&mut self, leaf: &Leaf<'_>) {
        let spent = self.scratch.spent();
        let mut signs = Signs::all();
        if !self.context.classes.is_empty() {
            let seen = self
                .detectors
                .inspect(leaf, &self.context, self.scratch, self.findings);
            if let Some(explanation) = &mut self.explanation {
                explanation.leaf(self.detectors, leaf, &self.context);
            }
            signs = seen.signs;
            if leaf.host == HostSyntax::JsonKey
                && seen.idle
                && !signs.intersects(Signs::ANGLE | Signs::PERCENT)
            {
                let place = self.known.enter(leaf.bytes);
                if let (Some(members), Some(place)) = (&mut self.members, place) {
                    members.unsettle(place);
                }
            }
        }
        if self.structure
            && signs.contains(Signs::ANGLE)
            && self.context.direction == Direction::Request
            && may_hold_document(leaf.host)
        {
            self.document(leaf);
        }
        // Without signatures nobody asked.
        let decodes = self.values.is_none() || self.decoded(leaf, signs);
        if !decodes
            && self.findings.is_empty()
            && self.scratch.spent() == spent
            && leaf.host == HostSyntax::HeaderValue
        {
            self.routine.enter(leaf, &self.context);
        }
        if let Some(blobs) = &mut self.blobs
            && may_hold_blob(leaf.host)
        {
            blobs.leaf(leaf, self.context.part);
        }
    }

    /// A document inside the value, which an application parses later: XML readers look into their own values.
    fn document(&mut self, leaf: &Leaf<'_>) {
        let Some(found) = xml::embedded(leaf.bytes) else {
            return;
        };
        self.findings.record(Finding {
            rule: Cow::Borrowed(found.rule),
            category: found.category,
            severity: Severity::High,
            score: found.score,
            part: self.context.part,
            span: leaf.span,
            path: leaf.path.shown(),
            reason: Cow::Borrowed(found.reason),
        });
    }

    /// The signatures see what a value decodes to once more: percent-encoded again, or base64 where no blob is opened.
    /// False when it decodes to nothing.
    fn decoded(&mut self, leaf: &Leaf<'_>, signs: Signs) -> bool {
        let base64 = self.blobs.is_none() && leaf.bytes.len() >= SHORTEST_BASE64;
        let escaped = signs.contains(Signs::PERCENT) && memchr::memchr(b'%', leaf.bytes).is_some();
        if !escaped && !base64 {
            return false;
        }
        let mut decodes = false;
        let [mut text, mut next] = std::mem::take(self.decoded);
        text.clear();
        text.extend_from_slice(leaf.bytes);
        for _ in 0..LAYERS {
            next.clear();
            // A plus is a plus behind the first layer.
            if !decode::percent(&text, Signs::SPACE, &mut next) {
                break;
            }
            self.whole(leaf, &next);
            decodes = true;
            std::mem::swap(&mut text, &mut next);
        }
        next.clear();
        if base64 && decode::base64(&text, &mut next) {
            self.whole(leaf, &next);
            decodes = true;
        }
        *self.decoded = [text, next];
        decodes
    }

    fn whole(&mut self, leaf: &Leaf<'_>, bytes: &[u8]) {
        let leaf = Leaf {
            piece: Piece::Whole,
            ..*leaf
        };
        let place = self.place_of(leaf.host);
        self.signatures((&leaf, bytes), place, None);
    }

    /// True when some rule wants to see each value of this kind by itself.
    #[inline]
    fn wants_values(&self, host: HostSyntax) -> bool {
        match host {
            HostSyntax::HeaderValue | HostSyntax::CookieValue | HostSyntax::UrlPath => {
                self.rules.wants_values(self.place_of(host))
            }
            _ => self.wants_fields,
        }
    }

    /// What kind of value it is to the rules.
    fn place_of(&self, host: HostSyntax) -> Place {
        match (host, self.around) {
            (HostSyntax::HeaderValue | HostSyntax::CookieValue, _) => Place::Header,
            (_, Place::Header) | (HostSyntax::UrlPath, _) => Place::Url,
            (_, Place::Url | Place::Field | Place::File | Place::Body) => Place::Field,
        }
    }

    fn signatures(
        &mut self,
        (leaf, bytes): (&Leaf<'_>, &[u8]),
        place: Place,
        within: Option<Place>,
    ) {
        let Some(values) = &mut self.values else {
            return;
        };
        let (skip, last) = match leaf.piece {
            Piece::Whole => (0, true),
            Piece::Window { overlap, last } => (overlap, last),
        };
        if skip == 0 {
            values.reset(&PartFacts {
                part: self.context.part,
                place,
                direction: self.context.direction,
                content_type: self.content_type,
                within,
            });
        }
        let fresh = bytes.get(skip..).unwrap_or_default();
        values.push(fresh, self.value_findings);
        if last {
            values.finish(self.value_findings);
        }
        for mut finding in self.value_findings.list.drain(..) {
            finding.span = leaf.span;
            finding.path = leaf.path.shown();
            self.findings.record(finding);
        }
        for at in self.value_findings.anomalies.drain(..) {
            self.findings.anomaly(at.anomaly, at.part, at.offset);
        }
    }
}

/// Percent layers that are undone for the signatures, one more than any gateway and its application undo together.
const LAYERS: usize = 3;

/// Shorter base64 holds no signature worth the name.
const SHORTEST_BASE64: usize = 24;

/// What a number is made of (RFC 8259 §6); what only begins like one may hold anything.
fn is_numeric(byte: u8) -> bool {
    NUMERIC[usize::from(byte)]
}

static NUMERIC: [bool; 256] = table::of(b"0123456789.-+eE");

/// XML in a value; values of XML are looked into by their own reader.
fn may_hold_document(host: HostSyntax) -> bool {
    match host {
        HostSyntax::JsonString
        | HostSyntax::JsonKey
        | HostSyntax::FormValue
        | HostSyntax::FormName
        | HostSyntax::CsvCell
        | HostSyntax::CsvQuoted
        | HostSyntax::HeaderValue
        | HostSyntax::CookieValue
        | HostSyntax::UrlPath
        | HostSyntax::Raw => true,
        HostSyntax::JsonNumber
        | HostSyntax::JsonLiteral
        | HostSyntax::XmlText
        | HostSyntax::XmlCdata
        | HostSyntax::XmlJoined
        | HostSyntax::XmlAttribute
        | HostSyntax::XmlComment
        | HostSyntax::HtmlText
        | HostSyntax::HtmlAttribute => false,
    }
}

/// Base64 lies in strings and texts, not in names, numbers or comments.
fn may_hold_blob(host: HostSyntax) -> bool {
    match host {
        HostSyntax::JsonString
        | HostSyntax::XmlText
        | HostSyntax::XmlCdata
        | HostSyntax::XmlAttribute
        | HostSyntax::XmlJoined
        | HostSyntax::FormValue
        | HostSyntax::HtmlAttribute
        | HostSyntax::Raw => true,
        HostSyntax::JsonKey
        | HostSyntax::JsonNumber
        | HostSyntax::JsonLiteral
        | HostSyntax::XmlComment
        | HostSyntax::HtmlText
        | HostSyntax::FormName
        | HostSyntax::CsvCell
        | HostSyntax::CsvQuoted
        | HostSyntax::HeaderValue
        | HostSyntax::CookieValue
        | HostSyntax::UrlPath => false,
    }
}

/// The injection classes that a profile wants looked for.
pub(super) fn wanted(profile: &crate::policy::profile::Profile) -> Classes {
    use crate::inspect::Category;
    use crate::policy::profile::Action;
    if !profile.inspect.injection {
        return Classes::empty();
    }
    let pairs = [
        (Category::Sqli, Classes::SQLI),
        (Category::Xss, Classes::XSS),
        (Category::Nosqli, Classes::NOSQLI),
        (Category::Graphql, Classes::GRAPHQL),
        (Category::CodeInjection, Classes::CODE_INJECTION),
        (Category::Cmdi, Classes::CMDI),
        (Category::PathTraversal, Classes::PATH_TRAVERSAL),
        (Category::Ssti, Classes::SSTI),
        (Category::Ldapi, Classes::LDAPI),
        (Category::Jndi, Classes::JNDI),
        (Category::Ssrf, Classes::SSRF),
        (Category::Deser, Classes::DESER),
        (Category::Crlf, Classes::CRLF),
    ];
    pairs
        .into_iter()
        .filter(|(category, _)| profile.classes.of(*category).action != Action::Off)
        .fold(Classes::empty(), |all, (_, class)| all | class)
}

/// A scan of decoded values.
pub(super) fn value_facts(
    part: PartId,
    direction: crate::inspect::Direction,
) -> PartFacts<'static> {
    PartFacts {
        part,
        place: Place::Field,
        direction,
        content_type: None,
        within: None,
    }
}
