//! What stands around the body: the request line, the fields and cookies before it, the trailers behind it.

use crate::anomaly::Anomaly;
use crate::http1::{RequestHead, Target};
use crate::inspect::injection::Context;
use crate::inspect::literal::PartFacts;
use crate::inspect::{Direction, Findings, PartId};
use crate::policy::profile::Mode;
use crate::rules::literal::Place;
use crate::wire::{Deviations, Fields};

use super::super::leaves::LeafRouter;
use super::super::message::Message;
use super::super::router::merge;
use super::super::workspace::Workspace;
use super::Scan;

/// Field lines, with all that stands before them.
struct Lines<'a> {
    /// As they came.
    raw: &'a [u8],
    fields: &'a Fields,
    /// Whose request line is inspected with them.
    request: Option<&'a RequestHead>,
}

impl Scan {
    /// The head, before any byte of the body.
    pub(super) fn heads(&mut self, message: &Message<'_>) {
        let head = match message.direction {
            Direction::Request => message
                .request
                .map(|head| (head.raw(), &head.fields, head.deviations())),
            Direction::Response => message
                .response
                .map(|head| (head.raw(), &head.fields, head.deviations())),
        };
        let Some((raw, fields, deviations)) = head else {
            return;
        };
        let findings = &mut self.space.findings;
        if deviations.intersects(Deviations::AMBIGUOUS) {
            findings.anomaly(Anomaly::HeadConflict, PartId::HEAD, 0);
        }
        if message.direction == Direction::Response
            && (message.response.and_then(|head| head.status()) == Some(206)
                || fields.contains("content-range"))
        {
            findings.anomaly(Anomaly::PartialContent, PartId::HEAD, 0);
        }
        self.lines(&Lines {
            raw,
            fields,
            request: message
                .request
                .filter(|_| message.direction == Direction::Request),
        });
    }

    /// The fields behind the body, before its end is told: what goes on to the peer is read like a head's fields.
    pub fn trailers(&mut self, trailers: &Fields) {
        if self.profile.mode == Mode::Off || self.is_decided() {
            return;
        }
        let mut raw = Vec::with_capacity(trailers.written_len());
        for field in trailers.iter() {
            raw.extend_from_slice(field.raw);
        }
        self.lines(&Lines {
            raw: &raw,
            fields: trailers,
            request: None,
        });
    }

    fn lines(&mut self, lines: &Lines<'_>) {
        let Lines {
            raw,
            fields,
            request,
        } = *lines;
        let space: &mut Workspace = &mut self.space;
        let facts = PartFacts {
            part: PartId::HEAD,
            place: Place::Header,
            direction: self.direction,
            content_type: None,
            within: None,
        };
        let rules = &self.rules.signatures;
        let mut values = None;
        if self.profile.inspect.signatures {
            let mut scan = space.signature_scan(rules, &self.budget, &facts);
            scan.push(raw, &mut space.findings);
            scan.finish(&mut space.findings);
            if let (Some(request), true) = (request, rules.wants_values(Place::Url)) {
                // As it is written; its decoded values follow as leaves.
                scan.reset(&PartFacts {
                    place: Place::Url,
                    within: Some(Place::Header),
                    ..facts
                });
                scan.push(request.target(), &mut space.findings);
                scan.finish(&mut space.findings);
            }
            values = Some(scan);
        }
        // Encoded values are looked at decoded; a head without an escape has none, base64 is looked for in requests only.
        let escaped = memchr::memchr(b'%', raw).is_some();
        let single = rules.wants_values(Place::Url) || rules.wants_values(Place::Header);
        let encoded = values.is_some() && (escaped || single || !self.classes.is_empty());
        if encoded || !self.classes.is_empty() {
            let mut reader = std::mem::take(&mut space.head);
            let mut router = LeafRouter {
                detectors: &self.rules.detectors,
                context: Context {
                    direction: self.direction,
                    part: PartId::HEAD,
                    classes: self.classes,
                    binary: false,
                },
                scratch: &mut space.scratch,
                known: &mut space.known,
                routine: &mut space.routine,
                values: values.as_deref_mut().filter(|_| encoded),
                value_findings: &mut space.value_findings,
                decoded: &mut space.decoded,
                blobs: None,
                findings: &mut space.leaf_findings,
                around: Place::Header,
                content_type: None,
                rules,
                wants_fields: rules.wants_values(Place::Url),
                explanation: self.explanation.as_deref_mut(),
                members: None,
                structure: self.profile.inspect.structure,
            };
            if let Some(request) = request {
                target(&mut reader, request, &mut router, &mut space.findings);
            }
            let mut at = (raw.len() - fields.written_len().min(raw.len())) as u64;
            for field in fields.iter() {
                reader.field(field.name, field.value, at, &mut router);
                at += field.raw.len() as u64;
            }
            space.head = reader;
            merge(&mut space.leaf_findings, &mut space.findings);
        }
        if let Some(scan) = values {
            space.reuse(scan);
        }
        self.judge_found();
    }
}

fn target(
    reader: &mut crate::inspect::head::Reader,
    request: &RequestHead,
    router: &mut LeafRouter<'_>,
    findings: &mut Findings,
) {
    let target = Target::parse(request.target());
    let base = request.method().len() as u64 + 1;
    // A host is in `Host` too; what is no host is part of the URL.
    let host = |byte: &u8| byte.is_ascii_alphanumeric() || b".-:[]_".contains(byte);
    if !target.authority.iter().all(host) {
        let at = target.path_at.saturating_sub(target.authority.len());
        reader.path(target.authority, base + at as u64, router);
    }
    reader.path(target.path, base + target.path_at as u64, router);
    if let Some(query) = target.query {
        let at = request.target().len().saturating_sub(query.len());
        reader.query(query, base + at as u64, (router, findings));
    }
}
