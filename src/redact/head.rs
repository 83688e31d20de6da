//! Header fields, cookies and query strings, by policy.

use std::sync::Arc;

use bytes::BytesMut;

use super::editor::{Editor, Reach};
use super::pairs::Pairs;
use super::plan::Plan;
use super::profile::{Heads, Profile};
use super::redactor::Summary;
use super::rewriter::Rewriter;
use crate::inspect::leaf::{HostSyntax, Leaf, LeafSink as _, OffsetMap, Path, Piece, Root};
use crate::inspect::{Findings, PartId, form};
use crate::span::Span;

/// A field value, or the request target, that is to be replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadEdit {
    /// Index of the field in the list that was given; `None` means the request target.
    pub field: Option<usize>,
    /// The new value.
    pub value: Vec<u8>,
}

/// Redacts field values (`name`, `value` in order) and the query of the request target, where `profile` says so. Only
/// what changes is returned, and what was done; offsets there count from the first byte of the old value.
pub fn redact_head<'a>(
    profile: &Arc<Profile>,
    target: Option<&[u8]>,
    fields: impl Iterator<Item = (&'a [u8], &'a [u8])>,
) -> (Vec<HeadEdit>, Summary) {
    let mut edits = Vec::new();
    let mut head = HeadEditor {
        profile,
        editor: None,
    };
    let query = head.reach(profile.heads().query, Root::Query, None);
    if let (Some(target), Some(reach)) = (target, query)
        && let Some(value) = head.edit(target, reach, |editor| read_query(target, editor))
    {
        edits.push(HeadEdit { field: None, value });
    }
    for (index, (name, value)) in fields.enumerate() {
        let edited = if is_cookie(name) {
            head.reach(profile.heads().cookies, Root::Cookie, None)
                .and_then(|reach| {
                    head.edit(value, reach, |editor| read_cookies(name, value, editor))
                })
        } else {
            let listed = profile.heads().lists(name);
            let of_field = head
                .reach(listed, Root::Header, Some(name))
                .and_then(|reach| {
                    head.edit(value, reach, |editor| {
                        read_value(Root::Header, name, (value, 0), editor);
                    })
                });
            match (of_field, query) {
                (None, Some(reach)) if is_url(name) => {
                    head.edit(value, reach, |editor| read_query(value, editor))
                }
                (edited, _) => edited,
            }
        };
        if let Some(value) = edited {
            let field = Some(index);
            edits.push(HeadEdit { field, value });
        }
    }
    let summary = head.editor.map(Editor::into_summary).unwrap_or_default();
    (edits, summary)
}

/// One editor for all of a head, made when the first value is looked at.
struct HeadEditor<'a> {
    profile: &'a Arc<Profile>,
    editor: Option<Editor>,
}

impl HeadEditor<'_> {
    /// Which values of that kind are looked at, if any are.
    fn reach(&self, listed: bool, root: Root, name: Option<&[u8]>) -> Option<Reach> {
        let name = name.map(<[u8]>::to_ascii_lowercase);
        if listed {
            Some(Reach::All)
        } else if self.profile.selects(root, name.as_deref()) {
            Some(Reach::Selected)
        } else {
            None
        }
    }

    /// Runs `read` over `value` and makes the edits that it plans.
    fn edit(
        &mut self,
        value: &[u8],
        reach: Reach,
        read: impl FnOnce(&mut Editor),
    ) -> Option<Vec<u8>> {
        let profile = self.profile;
        let editor = self
            .editor
            .get_or_insert_with(|| Editor::new(Arc::clone(profile)));
        editor.reach = reach;
        editor.plan = Plan::default();
        read(editor);
        editor.plan.next()?;
        let mut out = BytesMut::new();
        Rewriter::default().push(value, u64::MAX, &mut editor.plan, &mut out);
        Some(out.to_vec())
    }
}

impl Heads {
    /// True when values of the field `name` are searched.
    fn lists(&self, name: &[u8]) -> bool {
        self.fields.iter().any(|known| {
            known.as_bytes().eq_ignore_ascii_case(name)
                || **known == *"*"
                    && !NEVER
                        .iter()
                        .any(|never| never.as_bytes().eq_ignore_ascii_case(name))
        })
    }
}

fn is_cookie(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"cookie") || name.eq_ignore_ascii_case(b"set-cookie")
}

/// Fields that hold a URL whose query says what the request's did.
fn is_url(name: &[u8]) -> bool {
    [&b"referer"[..], b"location", b"content-location"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(name))
}

fn read_query(url: &[u8], editor: &mut Editor) {
    let Some(mark) = memchr::memchr(b'?', url) else {
        return;
    };
    let query = url.get(mark + 1..).unwrap_or_default();
    let end = memchr::memchr(b'#', query).unwrap_or(query.len());
    let mut reader = form::Reader::new();
    let mut findings = Findings::default();
    if let Some(removal) = &mut editor.removal {
        removal.pairs = Pairs::new(mark as u64 + 1);
    }
    reader.begin(PartId::HEAD, Root::Query, mark as u64 + 1);
    reader.push(query.get(..end).unwrap_or_default(), editor, &mut findings);
    reader.finish(editor, &mut findings);
}

/// Hands the value of each cookie to `editor`. In `Set-Cookie` (RFC 6265 §4.1) only the first pair is one.
fn read_cookies(field: &[u8], value: &[u8], editor: &mut Editor) {
    let first_only = field.eq_ignore_ascii_case(b"set-cookie");
    let mut at = 0;
    for pair in value.split(|byte| *byte == b';') {
        let blank = pair.len() - pair.trim_ascii_start().len();
        let equals = memchr::memchr(b'=', pair);
        if let Some(equals) = equals
            && let (Some(name), Some(text)) = (pair.get(blank..equals), pair.get(equals + 1..))
        {
            read_value(Root::Cookie, name, (text, at + equals + 1), editor);
        }
        if first_only {
            return;
        }
        at += pair.len() + 1;
    }
}

fn read_value(root: Root, name: &[u8], (value, at): (&[u8], usize), editor: &mut Editor) {
    let mut path = Path::new(root);
    let host = match root {
        Root::Cookie => {
            path.push_name(name);
            HostSyntax::CookieValue
        }
        _ => {
            path.push_name(&name.to_ascii_lowercase());
            HostSyntax::HeaderValue
        }
    };
    editor.leaf(&Leaf {
        path: &path,
        host,
        span: Span::new(at as u64, (at + value.len()) as u64),
        bytes: value,
        map: &OffsetMap::verbatim(at as u64),
        piece: Piece::Whole,
    });
}

/// What `*` does not name: fields without which the message has no end, no reader or no way (RFC 9110 §6 to §8), and
/// cookies, which have a switch of their own.
const NEVER: [&str; 18] = [
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "content-type",
    "content-encoding",
    "content-range",
    "range",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "date",
    "etag",
    "vary",
    "cookie",
    "set-cookie",
    "strict-transport-security",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::{Mask, Selector};

    #[test]
    fn heads_are_left_alone_unless_the_profile_names_them() {
        let target: &[u8] = b"/x?email=a%40b.org&page=2";
        let fields: [(&[u8], &[u8]); 4] = [
            (
                b"Cookie",
                b"theme=dark; access_token=u629Aey_W6tS-FVgb2JIf1; n=1",
            ),
            (b"Authorization", b"Bearer mF_9.B5f-4.1JqM9xQ7z2"),
            (b"X-Forwarded-For", b"192.0.2.7"),
            (b"Referer", b"https://h/?a=1&card=4111111111111111#top"),
        ];
        let profile = Arc::new(Profile::all());
        assert!(
            redact_head(&profile, Some(target), fields.into_iter())
                .0
                .is_empty()
        );
        let profile = Arc::new(Profile::all().with_heads(Heads {
            fields: vec!["authorization".into(), "x-forwarded-for".into()],
            cookies: true,
            query: true,
        }));
        let (edits, summary) = redact_head(&profile, Some(target), fields.into_iter());
        assert_eq!(summary.edits, 5);
        assert_eq!(&*summary.notes[0].path, "query:email");
        let values: Vec<String> = edits
            .iter()
            .map(|edit| String::from_utf8_lossy(&edit.value).into_owned())
            .collect();
        assert_eq!(
            values,
            [
                "/x?email=%5BREDACTED%3AEMAIL%5D&page=2",
                "theme=dark; access_token=[REDACTED:SECRET]; n=1",
                "Bearer [REDACTED:SECRET]",
                "[REDACTED:IPV4]",
                "https://h/?a=1&card=%5BREDACTED%3APAN%5D#top",
            ]
        );
    }

    #[test]
    fn a_selector_reaches_a_head_that_is_otherwise_left_alone() {
        let profile = Profile::all();
        let selected = ["header:X-Build", "cookie:theme", "query:page"]
            .into_iter()
            .map(|text| Selector::parse(text).expect("a selector"))
            .fold(profile, |profile, selector| {
                profile.with_selector(selector, Mask::Fixed, "SELECTED")
            });
        let fields: [(&[u8], &[u8]); 3] = [
            (b"x-build", b"7"),
            (
                b"Cookie",
                b"theme=dark; access_token=u629Aey_W6tS-FVgb2JIf1",
            ),
            (b"X-Forwarded-For", b"192.0.2.7"),
        ];
        let target: &[u8] = b"/?page=2&mail=a%40b.org";
        let (edits, _) = redact_head(&Arc::new(selected), Some(target), fields.into_iter());
        let values: Vec<&str> = edits
            .iter()
            .map(|edit| std::str::from_utf8(&edit.value).expect("ASCII"))
            .collect();
        assert_eq!(
            values,
            [
                "/?page=%5BREDACTED%3ASELECTED%5D&mail=a%40b.org",
                "[REDACTED:SELECTED]",
                "theme=[REDACTED:SELECTED]; access_token=u629Aey_W6tS-FVgb2JIf1",
            ]
        );
    }

    #[test]
    fn a_star_names_no_field_that_frames_a_message() {
        let heads = Heads {
            fields: vec!["*".into()],
            ..Heads::default()
        };
        assert!(heads.lists(b"X-Api-Key") && heads.lists(b"Authorization"));
        assert!(!heads.lists(b"Content-Length") && !heads.lists(b"Set-Cookie"));
    }
}
