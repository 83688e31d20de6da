//! The answer to OPTIONS (RFC 3507 §4.10.2).

use super::istag::IsTag;
use super::request::Method;
use super::response::{Response, Status};

/// What one service says of itself. `None` and empty lists leave their field out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// REQMOD, RESPMOD or both; OPTIONS is not listed (§4.10.2).
    pub methods: Vec<Method>,
    /// `Service`: free text.
    pub service: String,
    /// `Service-ID`: a token.
    pub service_id: String,
    /// `Max-Connections`.
    pub max_connections: Option<u32>,
    /// `Options-TTL` in seconds; some storage clients need it absent.
    pub ttl_seconds: Option<u32>,
    /// `Preview` in bytes.
    pub preview_bytes: Option<u64>,
    /// Whether 206 may be offered to a client that offers it.
    pub partial_content: PartialContent,
    /// Which file extensions are to be sent how.
    pub transfer: Transfer,
    /// `X-Include`: which client facts we want.
    pub include: Vec<String>,
}

/// Whether a service knows 206.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PartialContent {
    /// Never offered.
    #[default]
    Off,
    /// Offered to clients whose OPTIONS offer it.
    Offered,
}

/// `Transfer-Preview`, `Transfer-Ignore`, `Transfer-Complete`: one of them holds `*` when any is sent (§4.10.2), which
/// this type makes sure of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Transfer {
    /// None is sent.
    #[default]
    Unsaid,
    /// `*` is previewed; these extensions are not sent at all, or whole.
    Preview {
        /// `Transfer-Ignore`
        ignore: Vec<String>,
        /// `Transfer-Complete`
        complete: Vec<String>,
    },
}

impl Options {
    /// The answer. `client_allow` is what the OPTIONS request offered; `date` is an HTTP date, given by who has a clock.
    pub fn response(
        &self,
        istag: IsTag,
        client_allow: super::request::Allow,
        date: Option<&str>,
    ) -> Response {
        let mut answer = Response::new(Status::Ok, istag);
        answer.push_field(
            "Methods",
            &join(self.methods.iter().map(|method| method.name())),
        );
        push_text(&mut answer, "Service", &self.service);
        push_text(&mut answer, "Service-ID", &self.service_id);
        push_number(
            &mut answer,
            "Max-Connections",
            self.max_connections.map(u64::from),
        );
        push_number(&mut answer, "Options-TTL", self.ttl_seconds.map(u64::from));
        push_text(&mut answer, "Date", date.unwrap_or_default());
        let offers_206 = self.partial_content == PartialContent::Offered
            && client_allow.contains(super::request::Allow::PARTIAL_CONTENT);
        answer.push_field("Allow", if offers_206 { "204, 206" } else { "204" });
        push_number(&mut answer, "Preview", self.preview_bytes);
        match &self.transfer {
            Transfer::Unsaid => {}
            Transfer::Preview { ignore, complete } => {
                answer.push_field("Transfer-Preview", "*");
                push_text(
                    &mut answer,
                    "Transfer-Ignore",
                    &join(ignore.iter().map(String::as_str)),
                );
                push_text(
                    &mut answer,
                    "Transfer-Complete",
                    &join(complete.iter().map(String::as_str)),
                );
            }
        }
        push_text(
            &mut answer,
            "X-Include",
            &join(self.include.iter().map(String::as_str)),
        );
        answer
    }
}

fn join<'a>(items: impl Iterator<Item = &'a str>) -> String {
    items.collect::<Vec<_>>().join(", ")
}

fn push_text(answer: &mut Response, name: &str, value: &str) {
    if !value.is_empty() {
        answer.push_field(name, value);
    }
}

fn push_number(answer: &mut Response, name: &str, value: Option<u64>) {
    if let Some(value) = value {
        answer.push_field(name, &value.to_string());
    }
}
