//! The HTTP answer that stands in for a blocked message: HTML, `application/problem+json` (RFC 9457) or plain text.
//!
//! The pages say why (a reason code), and which transaction; nothing of the blocked message is repeated in them. The
//! templates can be replaced by the operator; whatever a template shows is escaped for its format.

use std::borrow::Cow;
use std::sync::Arc;

use minijinja::{AutoEscape, Environment, context};

use crate::anomaly::Anomaly;
use crate::inspect::{Category, Direction};
use crate::policy::Reason;

use super::outcome::TransactionId;

/// The three templates, compiled.
#[derive(Clone, Debug)]
pub struct BlockPages {
    templates: Arc<Environment<'static>>,
    status: u16,
}

/// An operator's template does not work.
#[derive(Debug, thiserror::Error)]
#[error("the {format} block page: {kind}{}", line.map(|line| format!(" in line {line}")).unwrap_or_default())]
pub struct TemplateError {
    /// Which page.
    pub format: &'static str,
    /// What kind of mistake.
    pub kind: minijinja::ErrorKind,
    /// Where in the template.
    pub line: Option<usize>,
}

/// The form of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Html,
    /// For programs: `application/problem+json`.
    Json,
    /// For the rest.
    Text,
}

impl Format {
    /// All forms, in the order in which they are preferred when a client takes several equally.
    pub const ALL: [Format; 3] = [Format::Html, Format::Json, Format::Text];

    /// The `Content-Type` of the page.
    pub fn media_type(self) -> &'static str {
        match self {
            Format::Html => "text/html; charset=utf-8",
            Format::Json => "application/problem+json",
            Format::Text => "text/plain; charset=utf-8",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Format::Html => "block.html",
            Format::Json => "block.json",
            Format::Text => "block.txt",
        }
    }
}

/// What the blocked message's head says about the form that its sender can read. Field values as they came.
#[derive(Clone, Copy, Debug, Default)]
pub struct Audience<'a> {
    /// `Accept` of the HTTP request.
    pub accept: Option<&'a [u8]>,
    /// `Content-Type` of the blocked message.
    pub content_type: Option<&'a [u8]>,
    /// `X-Requested-With` of the HTTP request.
    pub requested_with: Option<&'a [u8]>,
    /// `Sec-Fetch-Dest` of the HTTP request.
    pub fetch_dest: Option<&'a [u8]>,
}

impl Audience<'_> {
    /// The form to answer in: the one that `Accept` prefers; where it has no preference, JSON for programs
    /// (`fetch`, XMLHttpRequest, JSON and XML bodies), HTML otherwise.
    pub fn format(&self) -> Format {
        let native = self.native();
        let Some(accept) = self.accept else {
            return native;
        };
        let mut best = (native, (0, 0));
        for format in [native].into_iter().chain(Format::ALL) {
            let rank = rank(accept, format);
            if rank > best.1 {
                best = (format, rank);
            }
        }
        best.0
    }

    fn native(&self) -> Format {
        if self.fetch_dest.is_some_and(|dest| dest == b"document") {
            return Format::Html;
        }
        let fetched = self.fetch_dest.is_some_and(|dest| dest == b"empty");
        let scripted = self
            .requested_with
            .is_some_and(|by| by.eq_ignore_ascii_case(b"XMLHttpRequest"));
        let spoken = self.content_type.is_some_and(|media_type| {
            let essence = essence(media_type).to_ascii_lowercase();
            ["json", "xml"]
                .iter()
                .any(|end| essence.ends_with(end.as_bytes()))
                && essence != b"application/xhtml+xml"
        });
        if fetched || scripted || spoken {
            Format::Json
        } else {
            Format::Html
        }
    }
}

impl BlockPages {
    /// The pages of the embedded templates, with HTTP status 403.
    pub fn embedded() -> Self {
        Self::new(403, |_| None).expect("the embedded templates compile; a test renders them")
    }

    /// Pages that answer with the HTTP status `status`; `replaced` yields the operator's template for a form.
    ///
    /// # Errors
    /// [`TemplateError`] for a template that does not compile or fails when it is rendered.
    pub fn new(
        status: u16,
        replaced: impl Fn(Format) -> Option<String>,
    ) -> Result<Self, TemplateError> {
        let mut templates = Environment::new();
        templates.set_auto_escape_callback(|name| match name.rsplit('.').next() {
            Some("html") => AutoEscape::Html,
            Some("json") => AutoEscape::Json,
            Some(_) | None => AutoEscape::None,
        });
        // A template is the operator's, but a loop in it must not hold a thread for ever.
        templates.set_fuel(Some(TEMPLATE_STEPS));
        for format in Format::ALL {
            let source = replaced(format).map_or(Cow::Borrowed(embedded(format)), Cow::Owned);
            templates
                .add_template_owned(format.name(), source)
                .map_err(|error| refused(format, &error))?;
        }
        let pages = Self {
            templates: Arc::new(templates),
            status,
        };
        let sample = Reason::Anomaly(Anomaly::TruncatedBody);
        for format in Format::ALL {
            pages
                .rendered(format, Direction::Request, &sample, TransactionId::next())
                .map_err(|error| refused(format, &error))?;
        }
        Ok(pages)
    }

    /// The HTTP status of the answer.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The page.
    pub fn render(
        &self,
        format: Format,
        direction: Direction,
        reason: &Reason,
        transaction: TransactionId,
    ) -> String {
        self.rendered(format, direction, reason, transaction)
            .unwrap_or_else(|_| format!("Blocked: {} ({transaction})\n", reason.code()))
    }

    fn rendered(
        &self,
        format: Format,
        direction: Direction,
        reason: &Reason,
        transaction: TransactionId,
    ) -> Result<String, minijinja::Error> {
        self.templates
            .get_template(format.name())?
            .render(context! {
                direction => match direction {
                    Direction::Request => "request",
                    Direction::Response => "response",
                },
                status => self.status,
                reason => reason.code(),
                detail => detail(reason),
                transaction => transaction.to_string(),
            })
    }
}

fn embedded(format: Format) -> &'static str {
    match format {
        Format::Html => include_str!("pages/block.html"),
        Format::Json => include_str!("pages/block.json"),
        Format::Text => include_str!("pages/block.txt"),
    }
}

fn refused(format: Format, error: &minijinja::Error) -> TemplateError {
    TemplateError {
        format: format.name(),
        kind: error.kind(),
        line: error.line(),
    }
}

/// One sentence for people; the code beside it is for programs.
fn detail(reason: &Reason) -> &'static str {
    match reason {
        Reason::Finding { category, .. } => match category {
            Category::Malware | Category::Hash => {
                "It contains malicious software or a test file for it."
            }
            Category::Exploit => "It contains a known attack.",
            Category::Disguise => "It contains a file that is not what it says it is.",
            Category::Xxe | Category::XmlBomb => {
                "It contains XML that would attack the program that reads it."
            }
            Category::XmlMalformed | Category::JsonMalformed | Category::JsonAbuse => {
                "It contains a document that cannot be read in one way only."
            }
            Category::Sensitive => LEAK,
            Category::Sqli
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
            | Category::PrototypePollution => "It contains what looks like an injection attack.",
        },
        Reason::Redaction { .. } => LEAK,
        Reason::Anomaly(_) => {
            "It could not be inspected completely, and the policy does not let such content pass."
        }
    }
}

const LEAK: &str = "It contains data that must not leave.";

/// The quality, 0 to 1000, that an `Accept` value gives to `format` (RFC 9110 §12.5.1), where the most specific range
/// counts, and how specific that is: a type that is named is preferred to one that `*/*` covers.
fn rank(accept: &[u8], format: Format) -> (u32, u8) {
    let mut best = (0, 0);
    for range in accept.split(|byte| *byte == b',').take(ACCEPT_RANGES) {
        let essence = essence(range);
        let specific = specificity(essence, format);
        if specific > best.0 {
            best = (specific, parameter_q(range));
        }
    }
    match best {
        (_, 0) => (0, 0),
        (specific, quality) => (quality, specific),
    }
}

fn specificity(essence: &[u8], format: Format) -> u8 {
    let same: &[&str] = match format {
        Format::Html => &["text/html", "application/xhtml+xml"],
        Format::Json => &["application/problem+json", "application/json", "text/json"],
        Format::Text => &["text/plain"],
    };
    let is = |name: &str| essence.eq_ignore_ascii_case(name.as_bytes());
    // RFC 6839 §3.1: a reader of any +json type can read JSON.
    let suffix = essence.len().checked_sub(b"+json".len());
    let is_json = suffix
        .and_then(|at| essence.get(at..))
        .is_some_and(|end| end.eq_ignore_ascii_case(b"+json"));
    if same.iter().any(|name| is(name)) || is_json && format == Format::Json {
        3
    } else if is("text/*") && format != Format::Json
        || is("application/*") && format == Format::Json
    {
        2
    } else if is("*/*") {
        1
    } else {
        0
    }
}

/// The media type without its parameters.
fn essence(value: &[u8]) -> &[u8] {
    value
        .split(|byte| *byte == b';')
        .next()
        .unwrap_or_default()
        .trim_ascii()
}

fn parameter_q(range: &[u8]) -> u32 {
    for parameter in range.split(|byte| *byte == b';').skip(1) {
        let parameter = parameter.trim_ascii();
        let Some(value) = parameter
            .strip_prefix(b"q=")
            .or_else(|| parameter.strip_prefix(b"Q="))
        else {
            continue;
        };
        return match value {
            [b'1', ..] => 1000,
            [b'0', b'.', digits @ ..] => thousandths(digits),
            _ => 0,
        };
    }
    1000
}

fn thousandths(digits: &[u8]) -> u32 {
    let mut sum = 0;
    for weight in 0..3 {
        let digit = digits.get(weight).copied().unwrap_or(b'0');
        sum = sum * 10 + u32::from(digit.saturating_sub(b'0').min(9));
    }
    sum
}

/// Steps of one rendering: a thousand times what the embedded templates take.
const TEMPLATE_STEPS: u64 = 50_000;

/// Ranges of an `Accept` value that are looked at; browsers send under ten.
const ACCEPT_RANGES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn reason() -> Reason {
        Reason::Finding {
            rule: "literal/eicar".into(),
            category: Category::Malware,
        }
    }

    #[test]
    fn each_page_names_the_reason_and_the_transaction() {
        let pages = BlockPages::embedded();
        for format in Format::ALL {
            let id = TransactionId::next();
            let page = pages.render(format, Direction::Response, &reason(), id);
            assert!(page.contains("malware"), "{page}");
            assert!(page.contains(&id.to_string()), "{page}");
        }
    }

    #[test]
    fn the_json_page_is_a_problem_document() {
        let page = BlockPages::embedded().render(
            Format::Json,
            Direction::Request,
            &reason(),
            TransactionId::next(),
        );
        let page: serde_json::Value = serde_json::from_str(&page).expect("JSON");
        assert_eq!(page["status"], 403);
        assert_eq!(page["title"], "Blocked");
    }

    #[test]
    fn the_form_follows_accept_then_the_kind_of_request() {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        for (accept, content_type, expected) in [
            (Some(browser), None, Format::Html),
            (Some("application/json"), None, Format::Json),
            (
                Some("application/json, text/plain, */*"),
                None,
                Format::Json,
            ),
            (Some("text/plain"), Some("application/json"), Format::Text),
            (
                Some("text/html;q=0.1, application/problem+json;q=0.2"),
                None,
                Format::Json,
            ),
            (Some("*/*"), None, Format::Html),
            (
                Some("*/*"),
                Some("application/json; charset=utf-8"),
                Format::Json,
            ),
            (
                Some("*/*;q=0.1, text/plain"),
                Some("application/json"),
                Format::Text,
            ),
            (Some("image/png"), None, Format::Html),
            (Some("text/html;q=0, */*"), None, Format::Json),
            (None, Some("application/soap+xml"), Format::Json),
            (None, Some("text/plain"), Format::Html),
            (None, None, Format::Html),
            (Some(",;q=,;;"), None, Format::Html),
        ] {
            let audience = Audience {
                accept: accept.map(str::as_bytes),
                content_type: content_type.map(str::as_bytes),
                ..Audience::default()
            };
            assert_eq!(audience.format(), expected, "{accept:?} {content_type:?}");
        }
    }

    #[test]
    fn an_operators_template_is_escaped_and_a_broken_one_refused() {
        let pages = BlockPages::new(451, |format| {
            (format == Format::Html).then(|| "<p>{{ '<b>' ~ reason }}</p>".to_owned())
        })
        .expect("it compiles");
        let page = pages.render(
            Format::Html,
            Direction::Request,
            &reason(),
            TransactionId::next(),
        );
        assert_eq!(page, "<p>&lt;b&gt;malware</p>");
        let error = BlockPages::new(403, |_| Some("\n{% for %}".into())).expect_err("no");
        assert_eq!(error.line, Some(2));
        let endless =
            "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}";
        assert!(BlockPages::new(403, |_| Some(endless.into())).is_err());
    }
}
