//! The answer: verdict × what the client allows × method → 204 | 200 with the original | 200 with a block page | …

use bytes::Bytes;

use crate::http1::{RequestHead, ResponseHead};
use crate::icap::request::Allow;
use crate::icap::{BodySection, IsTag, Request, Response, Status};
use crate::inspect::{Category, Direction, cut};
use crate::policy::{Reason, Verdict};
use crate::redact::HeadEdit;
use crate::scan::Report;

use super::block_page::{Audience, BlockPages, Format};
use super::outcome::TransactionId;

/// Names of the ICAP headers that carry a verdict; empty: not sent.
#[derive(Clone, Debug, Default)]
pub struct VerdictHeaders {
    /// `Type=…; Resolution=…; Threat=…;`.
    pub infection_found: String,
    /// The rule's name.
    pub virus_id: String,
    /// `Blocked`.
    pub response_info: String,
    /// The reason code.
    pub blocked_reason: String,
    /// The count and four folded lines for each finding.
    pub violations_found: String,
    /// The transaction's name.
    pub transaction: String,
    /// How many values of which kind were masked: `EMAIL=2, PAN=1`.
    pub redactions: String,
}

/// What all answers of a snapshot have in common.
#[derive(Clone, Debug)]
pub struct Style {
    /// Block pages.
    pub pages: BlockPages,
    /// Names of headers.
    pub headers: VerdictHeaders,
}

/// Where in its conversation a transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Nothing of the body beyond the preview was asked for.
    Preview,
    /// There was no preview, or `100 Continue` was sent.
    Whole,
}

/// How a message that was not changed goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unchanged {
    /// 204: the client has it.
    NoContent,
    /// 200 with all of it.
    Original,
}

/// RFC 3507 §4.6: 204 inside the preview always, outside it only when the client allows it.
pub fn unchanged(allow: Allow, stage: Stage) -> Unchanged {
    match stage {
        Stage::Preview => Unchanged::NoContent,
        Stage::Whole if allow.contains(Allow::NO_CONTENT) => Unchanged::NoContent,
        Stage::Whole => Unchanged::Original,
    }
}

/// The heads of the message that is carried.
#[derive(Debug, Default)]
pub struct Heads {
    /// Of the HTTP request.
    pub request: Option<RequestHead>,
    /// Of the HTTP response.
    pub response: Option<ResponseHead>,
}

/// What the outgoing body is to the one that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The same bytes.
    None,
    /// Other bytes in the same content-codings; their length where it is known.
    Edited(Option<u64>),
    /// Other bytes in no content-coding; their length where it is known.
    Decoded(Option<u64>),
}

impl Heads {
    /// Takes the heads out of an ICAP request.
    pub fn of(request: &mut Request) -> Self {
        Self {
            request: request.http_request.take(),
            response: request.http_response.take(),
        }
    }

    /// 200 with the message of `direction`.
    pub fn answer(
        &mut self,
        mut answer: Response,
        direction: Direction,
        body: BodySection,
        change: Change,
    ) -> Response {
        match direction {
            Direction::Request => {
                if let Some(head) = &mut self.request {
                    head.strip_hop_by_hop();
                    edit(&mut head.fields, change);
                    answer = answer.http_request(head.to_bytes());
                }
            }
            // RFC 3507 §4.9.2: the answer to a RESPMOD has no request head.
            Direction::Response => {
                if let Some(head) = &mut self.response {
                    head.strip_hop_by_hop();
                    edit(&mut head.fields, change);
                    answer = answer.http_response(head.to_bytes());
                }
            }
        }
        match body {
            BodySection::Request | BodySection::Response => answer.with_body_section(body),
            BodySection::Absent | BodySection::Null | BodySection::Options => answer,
        }
    }

    /// Replaces what is sensitive in the head of `direction`.
    pub fn redact(&mut self, direction: Direction, edits: &[HeadEdit]) {
        for edit in edits {
            match (edit.field, direction) {
                (Some(index), Direction::Request) => {
                    if let Some(head) = &mut self.request {
                        head.fields.replace(index, &edit.value);
                    }
                }
                (Some(index), Direction::Response) => {
                    if let Some(head) = &mut self.response {
                        head.fields.replace(index, &edit.value);
                    }
                }
                (None, _) => {
                    if let Some(head) = &mut self.request {
                        head.set_target(&edit.value);
                    }
                }
            }
        }
    }

    fn audience(&self, direction: Direction) -> Audience<'_> {
        let request = |name| self.request.as_ref().and_then(|head| head.fields.get(name));
        let response = |name| {
            self.response
                .as_ref()
                .and_then(|head| head.fields.get(name))
        };
        Audience {
            accept: request("accept"),
            content_type: match direction {
                Direction::Request => request("content-type"),
                Direction::Response => response("content-type"),
            },
            requested_with: request("x-requested-with"),
            fetch_dest: request("sec-fetch-dest"),
        }
    }
}

/// Fields that describe bytes which are no longer there (RFC 9110 §8, RFC 9530, RFC 1864).
fn edit(fields: &mut crate::wire::Fields, change: Change) {
    let length = match change {
        Change::None => return,
        Change::Edited(length) => length,
        Change::Decoded(length) => {
            // RFC 9110 §8.4: the field tells what was applied, and nothing is any more. `Vary` stays: it speaks of how
            // the origin chose, and a cache that keeps this answer for who asks otherwise asks again.
            fields.remove("content-encoding");
            length
        }
    };
    remove_stale(fields);
    let strong = fields
        .get("etag")
        .is_some_and(|tag| !tag.starts_with(b"W/"));
    if strong {
        fields.remove("etag");
    }
    match length {
        Some(length) if fields.contains("content-length") => {
            fields.set("Content-Length", length.to_string().as_bytes());
        }
        Some(_) | None => {
            fields.remove("content-length");
        }
    }
}

/// Removes what is said of bytes that are no longer there; in a trailer section as well.
pub fn remove_stale(fields: &mut crate::wire::Fields) {
    for name in STALE_AFTER_EDIT {
        fields.remove(name);
    }
}

/// The parts of a block.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    /// Why.
    pub reason: &'a Reason,
    /// Which way the message went.
    pub direction: Direction,
    /// Which transaction.
    pub transaction: TransactionId,
}

impl Style {
    /// ICAP 200 with an HTTP answer in the place of the message, and its body (`None` in answer to HEAD). Never an ICAP
    /// 403, which clients take for a failure of the service.
    pub fn block(
        &self,
        istag: IsTag,
        heads: &Heads,
        block: Block<'_>,
    ) -> (Response, Option<Bytes>) {
        let format = heads.audience(block.direction).format();
        let page = self
            .pages
            .render(format, block.direction, block.reason, block.transaction);
        let head = page_head(self.pages.status(), format, page.len());
        let answer = self.verdict(Response::new(Status::Ok, istag), block);
        let answer = answer.http_response(head.into());
        // RFC 9110 §9.3.2: an answer to HEAD has no body, and a proxy would take one for the next answer.
        let is_head = heads
            .request
            .as_ref()
            .is_some_and(|head| head.method() == b"HEAD");
        if is_head {
            (answer, None)
        } else {
            (answer.with_body(), Some(page.into()))
        }
    }

    /// Adds the headers that name a block.
    fn verdict(&self, mut answer: Response, block: Block<'_>) -> Response {
        let names = &self.headers;
        let (kind, threat) = match block.reason {
            Reason::Finding { rule, category } => (kind(*category), value(rule)),
            Reason::Anomaly(anomaly) => (CONTAINER, anomaly.code().to_owned()),
            Reason::Redaction { entity } => (POLICY, value(entity)),
        };
        let infection = format!("Type={kind}; Resolution=2; Threat={threat};");
        let transaction = block.transaction.to_string();
        for (name, value) in [
            (&names.infection_found, infection.as_str()),
            (&names.virus_id, &threat),
            (&names.response_info, "Blocked"),
            (&names.blocked_reason, block.reason.code()),
            (&names.transaction, &transaction),
        ] {
            if !name.is_empty() {
                answer.push_field(name, value);
            }
        }
        if !names.violations_found.is_empty() {
            // The count, then for each violation: file name, threat, problem id, resolution (2: blocked). The name of
            // the file is the message's, so it is not repeated.
            let lines = ["1", "-", &threat, &kind.to_string(), "2"];
            answer.push_folded_field(&names.violations_found, &lines);
        }
        answer
    }

    /// Adds the headers that name edits.
    pub fn redacted(&self, answer: &mut Response, report: &Report, transaction: TransactionId) {
        let Verdict::Redact { .. } = report.verdict else {
            return;
        };
        let mut labels = report.redactions.keys();
        let threat = match labels.all(|label| label.starts_with(cut::LABELS)) {
            true => "unsafe structure",
            false => "sensitive data",
        };
        // draft-stecher-icap-subid-00 §4.2: resolution 1 is a message that was repaired.
        let infection = format!("Type={POLICY}; Resolution=1; Threat={threat};");
        let counts: Vec<String> = report
            .redactions
            .iter()
            .map(|(entity, count)| format!("{entity}={count}"))
            .collect();
        for (name, value) in [
            (&self.headers.infection_found, infection),
            (&self.headers.redactions, counts.join(", ")),
            (&self.headers.transaction, transaction.to_string()),
        ] {
            if !name.is_empty() {
                answer.push_field(name, &value);
            }
        }
    }
}

fn page_head(status: u16, format: Format, length: usize) -> String {
    let reason = match status {
        403 => "Forbidden",
        451 => "Unavailable For Legal Reasons",
        _ => "Blocked",
    };
    format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: {}\r\nContent-Length: {length}\r\nCache-Control: no-store\r\n\
         X-Content-Type-Options: nosniff\r\n\r\n",
        format.media_type()
    )
}

/// The type number of `X-Infection-Found` (draft-stecher-icap-subid-00 §4.2).
fn kind(category: Category) -> u8 {
    match category {
        Category::Malware | Category::Hash | Category::Exploit => VIRUS,
        Category::XmlBomb => CONTAINER,
        Category::Disguise
        | Category::Xxe
        | Category::XmlMalformed
        | Category::JsonAbuse
        | Category::JsonMalformed
        | Category::Sqli
        | Category::Nosqli
        | Category::Xss
        | Category::Cmdi
        | Category::PathTraversal
        | Category::Ssti
        | Category::Ldapi
        | Category::Jndi
        | Category::Ssrf
        | Category::Deser
        | Category::Graphql
        | Category::CodeInjection
        | Category::Crlf
        | Category::PrototypePollution
        | Category::Sensitive => POLICY,
    }
}

/// `text` as a header parameter: one line of ASCII without `;`, capped.
fn value(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            ';' => ',',
            ' '..='~' => character,
            _ => '?',
        })
        .take(THREAT_CHARS)
        .collect()
}

const VIRUS: u8 = 0;
const POLICY: u8 = 1;
const CONTAINER: u8 = 2;

/// Rule ids are far shorter; clients keep this in fixed buffers.
const THREAT_CHARS: usize = 128;

const STALE_AFTER_EDIT: [&str; 6] = [
    "content-md5",
    "digest",
    "content-digest",
    "repr-digest",
    "accept-ranges",
    "transfer-encoding",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_content_only_where_the_client_can_take_it_section_4_6() {
        let allows = Allow::NO_CONTENT | Allow::TRAILERS;
        for (allow, stage, expected) in [
            (Allow::empty(), Stage::Preview, Unchanged::NoContent),
            (Allow::empty(), Stage::Whole, Unchanged::Original),
            (allows, Stage::Whole, Unchanged::NoContent),
            // `Allow: 206` alone speaks of the preview only.
            (Allow::PARTIAL_CONTENT, Stage::Whole, Unchanged::Original),
        ] {
            assert_eq!(unchanged(allow, stage), expected, "{allow:?} {stage:?}");
        }
    }

    #[test]
    fn a_threat_is_one_line_of_ascii_without_semicolons() {
        assert_eq!(value("a;b\r\nc\u{e9}"), "a,b??c?");
        assert_eq!(value(&"x".repeat(1000)).len(), THREAT_CHARS);
    }
}
