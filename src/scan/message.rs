//! The facts of a message that are not in its body.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;

use crate::content::Declared;
use crate::http1::{RequestHead, ResponseHead};
use crate::inspect::Direction;
use crate::inspect::yara::Externals;
use crate::policy::facts::Facts;

/// One message as its front end sees it.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Request or response.
    pub direction: Direction,
    /// The request's head; with a response it is the request that the response answers, where known.
    pub request: Option<&'a RequestHead>,
    /// The response's head.
    pub response: Option<&'a ResponseHead>,
    /// The HTTP client's address where known, else the ICAP client's.
    pub client: Option<IpAddr>,
    /// The authenticated user, as sent.
    pub user: Option<&'a str>,
}

impl<'a> Message<'a> {
    /// A message of which nothing is known but its direction.
    pub fn new(direction: Direction) -> Self {
        Self {
            direction,
            request: None,
            response: None,
            client: None,
            user: None,
        }
    }

    /// What the head of the message itself says about its body.
    pub(super) fn declared(&self) -> Declared {
        let fields = match self.direction {
            Direction::Request => self.request.map(|head| &head.fields),
            Direction::Response => self.response.map(|head| &head.fields),
        };
        let Some(fields) = fields else {
            return Declared::new();
        };
        let mut declared = Declared::new();
        for field in fields.iter() {
            let is = |name: &str| field.name.eq_ignore_ascii_case(name.as_bytes());
            declared = match field.name.len() {
                12 if is("content-type") => declared.content_type(field.value),
                16 if is("content-encoding") => declared.content_encoding(field.value),
                _ => declared,
            };
        }
        declared
    }

    /// What is kept of the message for the rare cases that ask for it later.
    pub(super) fn origin(&self) -> Origin {
        Origin {
            direction: self.direction,
            request: self.request.map(|head| head.raw().clone()),
            client: self.client,
            user: self.user.map(Into::into),
        }
    }
}

/// Where a message comes from: cheap to keep, read only when a rule or an exception asks.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    direction: Direction,
    request: Option<Bytes>,
    client: Option<IpAddr>,
    user: Option<Arc<str>>,
}

impl Origin {
    /// What exceptions look at.
    pub(super) fn facts(&self, declared: &Declared) -> Facts {
        let head = self.request.clone().map(RequestHead::parse);
        Facts {
            content_type: declared
                .media_type()
                .map(|media_type| (*media_type.essence).into())
                .unwrap_or_default(),
            client: self.client,
            user: self.user.clone(),
            ..head.as_ref().map(Facts::of_request).unwrap_or_default()
        }
    }

    /// YARA's external variables for a part called `name`.
    pub(super) fn externals(&self, declared: &Declared, name: Option<&str>) -> Externals {
        let facts = self.facts(declared);
        let path = name.unwrap_or(&facts.route);
        let file = path.rsplit(['/', '\\']).next().unwrap_or_default();
        let extension = file.rfind('.').and_then(|dot| file.get(dot..));
        Externals {
            direction: match self.direction {
                Direction::Request => "request".into(),
                Direction::Response => "response".into(),
            },
            method: facts.method,
            host: facts.host,
            path: facts.route.clone(),
            content_type: facts.content_type,
            filename: file.into(),
            filepath: path.into(),
            extension: extension.unwrap_or_default().into(),
            filetype: "".into(),
            owner: facts.user.as_deref().unwrap_or_default().into(),
            client_address: facts
                .client
                .map(|client| client.to_string())
                .unwrap_or_default()
                .into(),
        }
    }
}
