//! 206: only the edited beginning goes back, the client adds the rest (draft-icap-ext-partial-content-07).

use super::harness::{Client, Reply, respmod, shared};

const JSON: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nETag: \"a\"\r\nContent-Length: ";

fn head(body: &[u8]) -> String {
    format!("{JSON}{}\r\n\r\n", body.len())
}

/// A value that goes, then a long rest that stays.
fn document() -> Vec<u8> {
    let rest: Vec<_> = (0..4000).map(|row| format!("\"row {row}\"")).collect();
    let card = ["4111", "1111", "1111", "1111"].concat();
    format!("{{\"card\":\"{card}\",\"rows\":[{}]}}", rest.join(",")).into_bytes()
}

fn offset(reply: &Reply) -> usize {
    let text = reply
        .trailers
        .trim_start_matches([';', ' '])
        .strip_prefix("use-original-body=")
        .expect("the client is told where to go on");
    text.trim().parse().expect("digits")
}

fn length(reply: &Reply) -> usize {
    let field = reply
        .http
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "));
    field.expect("a length").trim().parse().expect("digits")
}

#[test]
fn what_the_client_puts_together_is_what_a_200_would_have_carried() {
    let body = document();
    let mut client = Client::connect(shared());
    let whole = client.ask(respmod("/redact", "", &head(&body), &body));
    assert_eq!(whole.status, 200);
    assert_ne!(whole.body, body);
    for lines in ["Allow: 204, 206\r\n", "Allow: 206, 204\r\n"] {
        let part = client.ask(respmod("/redact", lines, &head(&body), &body));
        assert_eq!(part.status, 206, "{}", part.head);
        let rest = offset(&part);
        assert!(part.body.len() < 200 && rest < 200, "only the beginning");
        let joined = [&part.body, &body[rest..]].concat();
        assert_eq!(joined, whole.body);
        assert_eq!(length(&part), joined.len());
        assert!(!part.http.contains("ETag"), "{}", part.http);
    }
}

#[test]
fn alone_206_speaks_of_the_preview() {
    let body = document();
    let lines = format!("Preview: {}\r\nAllow: 206\r\n", body.len() + 1);
    let mut request = respmod("/redact", &lines, &head(&body), &body);
    request.truncate(request.len() - 5);
    request.extend_from_slice(b"0; ieof\r\n\r\n");
    let mut client = Client::connect(shared());
    assert_eq!(client.ask(&request).status, 206);
    let lines = "Preview: 0\r\nAllow: 206\r\n";
    let mut request = respmod("/redact", lines, &head(&body), b"");
    assert_eq!(client.ask(&request).status, 100);
    request = respmod("/redact", "", &head(&body), &body);
    let chunks = request.windows(4).position(|four| four == b"\r\n{\"");
    let chunks = &request[chunks.expect("the first chunk") - 4..];
    let reply = client.ask(chunks);
    assert_eq!(reply.status, 200, "beyond the preview nobody keeps a copy");
    assert_eq!(
        client
            .ask(respmod("/redact", "Allow: 206\r\n", &head(&body), &body))
            .status,
        200
    );
}

#[test]
fn an_unchanged_message_is_204_and_a_recoded_one_200() {
    let mut client = Client::connect(shared());
    let allow = "Allow: 204, 206\r\n";
    let clean = b"{\"a\":1}";
    let reply = client.ask(respmod("/redact", allow, &head(clean), clean));
    assert_eq!(reply.status, 204);
    let body = document();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, &body).expect("memory");
    let coded = gzip.finish().expect("memory");
    let coded_head = head(&coded).replace("ETag", "Content-Encoding: gzip\r\nETag");
    let reply = client.ask(respmod("/redact", allow, &coded_head, &coded));
    assert_eq!(reply.status, 200);
    // The last byte that changes is the last of the body: nothing is left to add.
    let text = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n";
    let card = ["4111", "1111", "1111", "1111"].concat();
    let reply = client.ask(respmod("/redact", allow, text, card.as_bytes()));
    assert_eq!(reply.status, 200);
}
