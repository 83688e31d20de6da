//! Parts of multipart bodies in base64 and quoted-printable, and parts within them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{redacted, redacted_in_any_pieces};

const TYPE: &str = "multipart/mixed; boundary=xx";

/// `text` in base64, in lines of `width` digits.
fn base64_lines(text: &[u8], width: usize) -> String {
    let digits = STANDARD.encode(text);
    let lines: Vec<&str> = digits
        .as_bytes()
        .chunks(width)
        .map(|line| std::str::from_utf8(line).expect("digits"))
        .collect();
    lines.join("\r\n")
}

/// `text` in quoted-printable, in lines of 76 characters.
fn quoted_lines(text: &[u8]) -> String {
    let (mut out, mut column) = (String::new(), 0);
    for (at, byte) in text.iter().enumerate() {
        let unit = match byte {
            b'\r' | b'\n' => {
                out.push(char::from(*byte));
                column = 0;
                continue;
            }
            b'=' | 0x7f.. | 0..b' ' => format!("={byte:02X}"),
            // Some letters as well: legal, and what filters miss.
            b'a'..=b'z' if at % 5 == 0 => format!("={byte:02X}"),
            _ => char::from(*byte).to_string(),
        };
        if column + unit.len() > 75 {
            out.push_str("=\r\n");
            column = 0;
        }
        column += unit.len();
        out.push_str(&unit);
    }
    out
}

fn unquoted(text: &str) -> Vec<u8> {
    let mut decoder = sluice::content::transfer::QuotedPrintable::default();
    let mut out = Vec::new();
    assert!(decoder.push(text.as_bytes(), &mut out));
    out
}

fn part(head: &str, body: &str) -> String {
    format!("--xx\r\n{head}\r\n\r\n{body}\r\n--xx--\r\n")
}

/// The body of the only part.
fn body_of(message: &[u8]) -> String {
    let text = String::from_utf8(message.to_vec()).expect("ASCII");
    let (_, rest) = text.split_once("\r\n\r\n").expect("a head");
    let (body, _) = rest.rsplit_once("\r\n--xx--").expect("an end");
    body.to_owned()
}

/// Documents of each family with values in them.
fn documents() -> Vec<(&'static str, String)> {
    let json = (0..20)
        .map(|at| format!("{{\"id\": {at}, \"note\": \"für ann{at}@example.org, call\", \"cvv\": \"12{}\"}}\n", at % 10))
        .collect();
    vec![
        ("application/json", json),
        (
            "application/json",
            "{\"card\":\"4111 1111 1111 1111\"}".into(),
        ),
        (
            "text/plain",
            "Dear Ann,\r\nyour password: Velvet9!\r\nmail bob@example.org\r\n".repeat(9),
        ),
        ("text/plain", "bob@example.org".into()),
        (
            "text/csv",
            "name,password\r\nann,\"a\"\"b,c9\"\r\nbob,zz9\r\n".into(),
        ),
        (
            "text/xml",
            "<r><password>a&#66;c9</password><m x='a@b.org'/></r>".into(),
        ),
        (
            "text/html",
            "<table><tr><th>Password</th><td>abc9!</td></tr></table>".into(),
        ),
        (
            "application/x-www-form-urlencoded",
            "a=1&email=%61%40b.org&password=a%26b+c".into(),
        ),
    ]
}

#[test]
fn a_base64_part_is_decoded_redacted_and_encoded_again() {
    for (content_type, text) in documents() {
        let (expected, plain) = redacted(content_type, [text.as_bytes()]);
        assert!(plain.edits > 0, "{text}");
        for width in [76, 64, 10_000] {
            let head = format!("Content-Type: {content_type}\r\nContent-Transfer-Encoding: BASE64");
            let message = part(&head, &base64_lines(text.as_bytes(), width));
            let (out, summary) = redacted_in_any_pieces(TYPE, message.as_bytes());
            let body = body_of(&out);
            let decoded = STANDARD.decode(body.replace("\r\n", "")).expect("base64");
            assert_eq!(
                String::from_utf8_lossy(&decoded),
                String::from_utf8_lossy(&expected)
            );
            assert_eq!(summary.counts, plain.counts);
            assert_eq!(summary.anomalies, []);
            let longest = body.lines().map(str::len).max().unwrap_or(0);
            let most = if width < 1000 { 76 } else { usize::MAX };
            assert!(longest <= most, "{body}");
        }
    }
}

#[test]
fn a_quoted_printable_part_is_redacted_where_it_stands() {
    for (content_type, text) in documents() {
        let (expected, plain) = redacted(content_type, [text.as_bytes()]);
        let head =
            format!("Content-Type: {content_type}\r\nContent-Transfer-Encoding: quoted-printable");
        let message = part(&head, &quoted_lines(text.as_bytes()));
        let (out, summary) = redacted_in_any_pieces(TYPE, message.as_bytes());
        let body = body_of(&out);
        assert_eq!(
            String::from_utf8_lossy(&unquoted(&body)),
            String::from_utf8_lossy(&expected)
        );
        assert_eq!(summary.counts, plain.counts);
        assert_eq!(summary.anomalies, []);
        assert!(body.lines().all(|line| line.len() <= 76), "{body}");
    }
}

#[test]
fn an_encoded_part_without_values_stays_byte_for_byte() {
    let text = "{\"id\": 17, \"note\": \"für nothing\"}\n".repeat(30);
    let odd = base64_lines(text.as_bytes(), 61).replace('+', "-");
    for (encoding, body) in [
        ("base64", odd.as_str()),
        ("base64", "  e30 =\r\n\r\n"),
        ("quoted-printable", &quoted_lines(text.as_bytes())),
        ("Quoted-Printable", "soft=  \r\nbreak=3d=\r\n"),
    ] {
        let head =
            format!("Content-Type: application/json\r\nContent-Transfer-Encoding: {encoding}");
        let message = part(&head, body);
        let (out, summary) = redacted_in_any_pieces(TYPE, message.as_bytes());
        assert_eq!(String::from_utf8_lossy(&out), message);
        assert!(!summary.changed);
    }
}

#[test]
fn notes_of_an_encoded_part_say_where_the_raw_bytes_lie() {
    let text = "one two three four five six seven eight nine ten, write to bob@example.org today";
    let head = "Content-Type: text/plain; x=1\r\nContent-Disposition: attachment; filename=f\r\nContent-Transfer-Encoding: ";
    let message = part(&format!("{head}base64"), &base64_lines(text.as_bytes(), 76));
    let (_, summary) = redacted_in_any_pieces(TYPE, message.as_bytes());
    let [note] = summary.notes.as_slice() else {
        panic!("one value")
    };
    let raw = &message.as_bytes()[note.span.start as usize..note.span.end as usize];
    let digits: Vec<u8> = raw.iter().copied().filter(|byte| *byte > b' ').collect();
    let decoded = STANDARD.decode(&digits).expect("whole groups");
    let decoded = String::from_utf8_lossy(&decoded);
    assert!(
        decoded.contains("bob@example.org") && decoded.len() < 20,
        "{decoded}"
    );
}

#[test]
fn multipart_inside_base64_and_base64_inside_multipart_are_reached() {
    let inner = format!(
        "--yy\r\nContent-Type: application/json\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n--yy\r\n\
         Content-Transfer-Encoding: quoted-printable\r\n\r\nmail =62ob@example.org\r\n--yy--\r\n",
        base64_lines(b"{\"password\": \"Velvet9!\"}", 76)
    );
    for encoded in [false, true] {
        let head = "Content-Type: multipart/mixed; boundary=yy";
        let message = match encoded {
            false => part(head, &inner),
            true => part(
                &format!("{head}\r\nContent-Transfer-Encoding: base64"),
                &base64_lines(inner.as_bytes(), 76),
            ),
        };
        let (out, summary) = redacted_in_any_pieces(TYPE, message.as_bytes());
        assert_eq!(summary.edits, 2, "encoded: {encoded}");
        let mut body = body_of(&out);
        if encoded {
            let decoded = STANDARD.decode(body.replace("\r\n", "")).expect("base64");
            body = String::from_utf8(decoded).expect("ASCII");
        }
        assert!(body.contains("mail [REDACTED:EMAIL]"), "{body}");
        let json = STANDARD.encode(b"{\"password\": \"[REDACTED:PASSWORD]\"}");
        assert!(body.replace("\r\n", "").contains(&json), "{body}");
    }
}

#[test]
fn what_cannot_be_undone_is_an_anomaly() {
    use sluice::anomaly::Anomaly;
    for (encoding, body) in [
        ("base64", "e3!0="),
        ("quoted-printable", "a=ZZb"),
        ("x-uuencode", "begin 644 f"),
    ] {
        let head =
            format!("Content-Type: application/json\r\nContent-Transfer-Encoding: {encoding}");
        let message = part(&head, body);
        let (out, summary) = redacted_in_any_pieces(TYPE, message.as_bytes());
        assert_eq!(String::from_utf8_lossy(&out), message);
        assert_eq!(summary.anomalies, [Anomaly::BrokenEncoding], "{encoding}");
    }
}
