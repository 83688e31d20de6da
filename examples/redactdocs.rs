//! throwaway
use base64::Engine as _;
use std::io::{BufRead, Write};
fn main() {
    let b64 = base64::engine::general_purpose::STANDARD;
    let profile = std::sync::Arc::new(
        sluice::redact::Profile::builtin(&std::env::args().nth(1).unwrap_or("all".into())).unwrap(),
    );
    let stdin = std::io::stdin();
    let mut out = std::io::stdout().lock();
    for line in stdin.lock().lines() {
        let line = line.unwrap();
        let mut f = line.split(' ');
        let chunk: usize = f.next().unwrap().parse().unwrap();
        let ct = String::from_utf8(b64.decode(f.next().unwrap()).unwrap()).unwrap();
        let body = b64.decode(f.next().unwrap()).unwrap();
        let budget = sluice::budget::Budget::new(1 << 30);
        let mut r = sluice::redact::Redactor::new(
            profile.clone(),
            &ct,
            sluice::inspect::Direction::Response,
            &budget,
        );
        let mut o = bytes::BytesMut::new();
        for c in body.chunks(chunk) {
            r.push(c, &mut o);
        }
        let s = r.finish(&mut o);
        let notes: Vec<String> = s
            .notes
            .iter()
            .map(|n| {
                format!(
                    "{}|{}|{}|{}-{}",
                    n.entity, n.rule, n.path, n.span.start, n.span.end
                )
            })
            .collect();
        writeln!(
            out,
            "{} {}",
            b64.encode(&o[..]),
            b64.encode(notes.join("\n"))
        )
        .unwrap();
        out.flush().unwrap();
    }
}
