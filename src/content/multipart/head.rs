//! The head of one part: Content-Disposition, Content-Type, Content-Transfer-Encoding (RFC 2183, RFC 7578, RFC 2045).

use crate::content::PartKind;
use crate::content::declared::{MediaType, parameter};
use crate::content::reader::Child;
use crate::content::transfer::Transfer;

/// Which rules the parts follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `multipart/form-data`: each part is a field and must say which.
    Form,
    /// `message/rfc822`: one head and its body.
    Message,
    /// Any other multipart.
    Other,
}

impl Kind {
    /// The kind of a media type in lower case.
    pub(super) fn of(essence: &str) -> Self {
        match essence {
            "multipart/form-data" => Kind::Form,
            _ => Kind::Other,
        }
    }
}

/// Reads the head of part number `number`. The second value is true when two readers may take it differently.
pub(super) fn parse(head: &[u8], kind: Kind, number: u32) -> (Child, bool) {
    let mut found = Found::default();
    for (name, value) in fields(head, &mut found.odd) {
        found.field(&name, &value);
    }
    let named = found.field.is_some() || kind != Kind::Form;
    let shown = found.field.as_deref().or(found.file.as_deref());
    let label = match (kind, shown) {
        (Kind::Message, _) => "message".into(),
        (_, Some(name)) => format!("part:{name}"),
        (_, None) => format!("part[{number}]"),
    };
    let mut child = Child::new(PartKind::Multipart, label);
    child.media_type = found.media_type;
    child.maybe_field = !found.plainly_file;
    child.name = found.file;
    child.field = found.field;
    child.fields = found.others;
    child.transfer = found.transfer.unwrap_or_default();
    (child, found.odd || !named)
}

#[derive(Default)]
struct Found {
    field: Option<Box<str>>,
    file: Option<Box<str>>,
    media_type: Option<MediaType>,
    transfer: Option<Transfer>,
    others: Vec<(Box<str>, Box<[u8]>)>,
    /// Every reader sees that it is a file.
    plainly_file: bool,
    disposed: bool,
    odd: bool,
}

impl Found {
    fn field(&mut self, name: &[u8], value: &[u8]) {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        if is("content-disposition") {
            self.odd |= std::mem::replace(&mut self.disposed, true);
            self.disposition(value);
            return;
        }
        if is("content-type") {
            let media_type = MediaType::parse(value);
            self.odd |= self.media_type.is_some() || media_type.is_none();
            self.odd |= media_type.as_ref().is_some_and(|media| media.ambiguous);
            if self.media_type.is_none() {
                self.media_type = media_type;
            }
        } else if is("content-transfer-encoding") {
            let transfer = Transfer::parse(value);
            self.odd |= self.transfer.is_some() || transfer.is_none();
            self.transfer = self.transfer.or(transfer);
        }
        self.others.push((text(name), value.into()));
    }

    fn disposition(&mut self, value: &[u8]) {
        let begin = memchr::memchr(b';', value).unwrap_or(value.len());
        let mut rest = value.get(begin..).unwrap_or_default();
        let mut plain = None;
        let mut extended = None;
        let mut pieces = String::new();
        while let Some((name, value, after)) = parameter(rest) {
            rest = after;
            let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
            if is("name") {
                self.keep_once(&value, |found| &mut found.field);
            } else if is("filename") {
                self.odd |= plain.is_some();
                plain.get_or_insert(text(&value));
                self.plainly_file |= !value.is_empty();
            } else if is("filename*") {
                self.odd |= extended.is_some();
                extended.get_or_insert(extended_value(&value));
            } else if is_piece(name) {
                // RFC 2231 §3; RFC 7578 §4.2 forbids it, but mail has it.
                pieces.push_str(&extended_value(&value));
            }
            // What is shown of a name otherwise is short.
            let known = is("name") || is("filename");
            if !known || value.len() > NAME_BYTES {
                self.others.push((text(name), value.into()));
            }
        }
        let pieces = (!pieces.is_empty()).then(|| pieces.into_boxed_str());
        if let (Some(hidden), true) = (&plain, extended.is_some() || pieces.is_some()) {
            self.others
                .push(("filename".into(), hidden.as_bytes().into()));
        }
        if let Some(file) = extended.or(pieces).or(plain) {
            self.odd |= self.file.is_some();
            self.file.get_or_insert(file);
        }
    }

    fn keep_once(&mut self, value: &[u8], place: fn(&mut Self) -> &mut Option<Box<str>>) {
        if place(self).is_some() {
            self.odd = true;
        } else {
            *place(self) = Some(text(value));
        }
    }
}

/// `filename*0`, `filename*1*` …
fn is_piece(name: &[u8]) -> bool {
    name.get(..9)
        .is_some_and(|front| front.eq_ignore_ascii_case(b"filename*"))
}

/// `UTF-8'en'na%20me` (RFC 8187); without the quotes, the value as it is.
fn extended_value(value: &[u8]) -> Box<str> {
    let mut pieces = value.splitn(3, |byte| *byte == b'\'');
    let encoded = match (pieces.next(), pieces.next(), pieces.next()) {
        (Some(_), Some(_), Some(encoded)) => encoded,
        _ => value,
    };
    let decoded: Vec<u8> = percent_encoding::percent_decode(encoded).collect();
    text(&decoded)
}

/// A name for showing, capped; what is not UTF-8 is replaced.
fn text(value: &[u8]) -> Box<str> {
    let value = value.get(..NAME_BYTES).unwrap_or(value);
    String::from_utf8_lossy(value).into()
}

/// The fields of a head, unfolded. Lines that are none, and white space before a colon, are odd.
fn fields(head: &[u8], odd: &mut bool) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut fields: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    *odd |= memchr::memchr(0, head).is_some();
    for line in head.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        // A bare CR is a line end to some.
        *odd |= line.contains(&b'\r');
        if line.is_empty() {
            continue;
        }
        if let Some(b' ' | b'\t') = line.first() {
            match fields.last_mut() {
                Some((_, value)) => {
                    value.push(b' ');
                    value.extend_from_slice(line.trim_ascii());
                }
                None => *odd = true,
            }
            continue;
        }
        let Some(colon) = memchr::memchr(b':', line) else {
            *odd = true;
            continue;
        };
        let (name, value) = line.split_at(colon);
        *odd |= name.is_empty() || name.last().is_some_and(u8::is_ascii_whitespace);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        fields.push((name.trim_ascii().to_vec(), value.to_vec()));
    }
    fields
}

/// Bytes of a name that are kept.
const NAME_BYTES: usize = 255;
