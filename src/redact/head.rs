//! Header fields, cookies and query strings, by policy.

use std::sync::Arc;

use bytes::BytesMut;

use super::editor::Editor;
use super::profile::Profile;
use super::redactor::EditNote;
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
    /// What was replaced; offsets count from the first byte of the old value.
    pub notes: Vec<EditNote>,
}

/// Redacts field values (`name`, `value` in order) and the query of the request target, where `profile` says so. Only
/// what changes is returned.
pub fn redact_head(
    profile: &Arc<Profile>,
    target: Option<&[u8]>,
    fields: &[(&[u8], &[u8])],
) -> Vec<HeadEdit> {
    let heads = profile.heads();
    let mut edits = Vec::new();
    if let Some(target) = target.filter(|_| heads.query)
        && let Some(mark) = memchr::memchr(b'?', target)
    {
        edits.extend(edit(profile, None, target, |editor| {
            let mut reader = form::Reader::new();
            let mut findings = Findings::default();
            reader.begin(PartId::HEAD, Root::Query, mark as u64 + 1);
            reader.push(
                target.get(mark + 1..).unwrap_or_default(),
                editor,
                &mut findings,
            );
            reader.finish(editor, &mut findings);
        }));
    }
    for (index, (name, value)) in fields.iter().enumerate() {
        let cookies = heads.cookies
            && (name.eq_ignore_ascii_case(b"cookie") || name.eq_ignore_ascii_case(b"set-cookie"));
        let listed = heads
            .fields
            .iter()
            .any(|known| known.as_bytes().eq_ignore_ascii_case(name));
        if cookies {
            let first_only = name.eq_ignore_ascii_case(b"set-cookie");
            edits.extend(edit(profile, Some(index), value, |editor| {
                read_cookies(value, first_only, editor);
            }));
        } else if listed {
            edits.extend(edit(profile, Some(index), value, |editor| {
                read_value(Root::Header, name, (value, 0), editor);
            }));
        }
    }
    edits
}

/// Hands the value of each cookie to `editor`. In `Set-Cookie` (RFC 6265 §4.1) only the first pair is one.
fn read_cookies(value: &[u8], first_only: bool, editor: &mut Editor) {
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
    path.push_name(name);
    let host = match root {
        Root::Cookie => HostSyntax::CookieValue,
        _ => HostSyntax::HeaderValue,
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

/// Runs `read` over `value` and makes the edits that it plans.
fn edit(
    profile: &Arc<Profile>,
    field: Option<usize>,
    value: &[u8],
    read: impl FnOnce(&mut Editor),
) -> Option<HeadEdit> {
    let mut editor = Editor::new(Arc::clone(profile));
    read(&mut editor);
    if !editor.summary.changed {
        return None;
    }
    let mut out = BytesMut::new();
    Rewriter::default().push(value, u64::MAX, &mut editor.plan, &mut out);
    Some(HeadEdit {
        field,
        value: out.to_vec(),
        notes: editor.summary.notes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::Heads;

    #[test]
    fn heads_are_left_alone_unless_the_profile_names_them() {
        let target: &[u8] = b"/x?email=a%40b.org&page=2";
        let fields: [(&[u8], &[u8]); 3] = [
            (
                b"Cookie",
                b"theme=dark; access_token=u629Aey_W6tS-FVgb2JIf1; n=1",
            ),
            (b"Authorization", b"Bearer mF_9.B5f-4.1JqM9xQ7z2"),
            (b"X-Forwarded-For", b"192.0.2.7"),
        ];
        let profile = Arc::new(Profile::all());
        assert!(redact_head(&profile, Some(target), &fields).is_empty());
        let profile = Arc::new(Profile::all().with_heads(Heads {
            fields: vec!["authorization".into(), "x-forwarded-for".into()],
            cookies: true,
            query: true,
        }));
        let edits = redact_head(&profile, Some(target), &fields);
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
            ]
        );
    }
}
