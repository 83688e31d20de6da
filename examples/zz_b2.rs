//! dev only
use base64::Engine;
use sluice::inspect::injection::*;
use sluice::inspect::leaf::*;
use sluice::inspect::*;
use sluice::span::Span;
fn main() {
    let text = std::fs::read_to_string("/tmp/i1/leaves.jsonl").unwrap();
    let b64 = base64::engine::general_purpose::STANDARD;
    let det = Detectors::new().unwrap();
    let mut bodies: Vec<Vec<(Path, HostSyntax, Vec<u8>)>> = vec![];
    let mut size = 0;
    for line in text.lines() {
        let r: serde_json::Value = serde_json::from_str(line).unwrap();
        if r["f"] != "benign" {
            continue;
        }
        let mut body = vec![];
        for l in r["leaves"].as_array().unwrap() {
            let kind = l[0].as_str().unwrap();
            let (root, host) = match kind {
                "key" => (Root::Json, HostSyntax::JsonKey),
                "json" => (Root::Json, HostSyntax::JsonString),
                "num" => (Root::Json, HostSyntax::JsonNumber),
                "xml" => (Root::Xml, HostSyntax::XmlText),
                "attr" => (Root::Xml, HostSyntax::XmlAttribute),
                "fname" => (Root::Form, HostSyntax::FormName),
                "form" => (Root::Form, HostSyntax::FormValue),
                _ => (Root::Text, HostSyntax::Raw),
            };
            let mut path = Path::new(root);
            let name = b64.decode(l[1].as_str().unwrap()).unwrap();
            if !name.is_empty() {
                path.push_name(&name);
            }
            let bytes = b64.decode(l[2].as_str().unwrap()).unwrap();
            for chunk in bytes.chunks(60000) {
                size += chunk.len();
                body.push((path.clone(), host, chunk.to_vec()));
            }
        }
        bodies.push(body);
    }
    println!("{} bodies {} bytes of leaves", bodies.len(), size);
    let names = [
        "SQLI", "XSS", "NOSQLI", "GRAPHQL", "CODE", "CMDI", "PATH", "SSTI", "LDAPI", "JNDI",
        "SSRF", "DESER", "CRLF",
    ];
    let mut sets: Vec<(String, Classes)> = (0..13)
        .map(|i| (names[i].to_string(), Classes::from_bits_truncate(1 << i)))
        .collect();
    sets.push(("none".into(), Classes::empty()));
    sets.push(("ALL".into(), Classes::all()));
    let want = std::env::args().nth(1);
    for (name, classes) in sets {
        if want.as_ref().is_some_and(|w| *w != name) {
            continue;
        }
        let ctx = Context {
            direction: Direction::Request,
            part: PartId::BODY,
            classes,
        };
        let mut scratch = Scratch::new();
        let mut best = f64::MAX;
        for _ in 0..3 {
            let t = cpu();
            for body in &bodies {
                scratch.begin();
                let mut findings = Findings::default();
                let map = OffsetMap::verbatim(0);
                for (path, host, bytes) in body {
                    det.inspect(
                        &Leaf {
                            path,
                            host: *host,
                            span: Span::new(0, bytes.len() as u64),
                            bytes,
                            map: &map,
                            piece: Piece::Whole,
                        },
                        &ctx,
                        &mut scratch,
                        &mut findings,
                    );
                }
            }
            best = best.min(cpu() - t);
        }
        println!("{name:8} {:.1} MiB/s", size as f64 / best / 1048576.0);
    }
}
fn cpu() -> f64 {
    let s = std::fs::read_to_string("/proc/self/stat").unwrap();
    let f: Vec<&str> = s.rsplit(')').next().unwrap().split_whitespace().collect();
    (f[11].parse::<f64>().unwrap() + f[12].parse::<f64>().unwrap()) / 100.0
}
