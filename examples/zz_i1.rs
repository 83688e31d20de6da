//! dev only
use base64::Engine;
use sluice::inspect::injection::*;
use sluice::inspect::leaf::*;
use sluice::inspect::*;
use sluice::span::Span;
use std::collections::BTreeMap;
fn main() {
    let text = std::fs::read_to_string("/tmp/i1/leaves.jsonl").unwrap();
    let half: u32 = std::env::args()
        .nth(1)
        .and_then(|s| s.parse().ok())
        .unwrap_or(0);
    let want: Vec<String> = std::env::args()
        .nth(2)
        .unwrap_or_default()
        .split(',')
        .map(|s| s.to_string())
        .collect();
    let threshold: u8 = std::env::args()
        .nth(3)
        .and_then(|s| s.parse().ok())
        .unwrap_or(60);
    let cpu = || {
        std::fs::read_to_string("/proc/thread-self/schedstat")
            .unwrap()
            .split(' ')
            .next()
            .unwrap()
            .parse::<u64>()
            .unwrap() as f64
            / 1e9
    };
    let det = Detectors::new().unwrap();
    let mut scratch = Scratch::new();
    let b64 = base64::engine::general_purpose::STANDARD;
    let mut tpr: BTreeMap<String, (u32, u32, u32)> = BTreeMap::new();
    let mut fpr: BTreeMap<String, (u32, u32)> = BTreeMap::new();
    let mut hits: BTreeMap<String, (bool, u8)> = BTreeMap::new();
    let mut byclass: BTreeMap<String, (u32, u32)> = BTreeMap::new();
    let mut rows = vec![];
    let mut crc = [0u32; 256];
    for i in 0..256u32 {
        let mut c = i;
        for _ in 0..8 {
            c = if c & 1 == 1 {
                0xEDB88320 ^ (c >> 1)
            } else {
                c >> 1
            }
        }
        crc[i as usize] = c;
    }
    let crc32 = |s: &str| {
        let mut c = !0u32;
        for b in s.bytes() {
            c = crc[((c ^ b as u32) & 255) as usize] ^ (c >> 8);
        }
        !c
    };
    let mut spent: f64 = 0.0;
    let mut size = 0usize;
    let mut slow = vec![];
    for line in text.lines() {
        let r: serde_json::Value = serde_json::from_str(line).unwrap();
        let id = r["id"].as_str().unwrap().to_string();
        let key = id.strip_prefix("ctl-").unwrap_or(&id);
        if half < 2 && crc32(key) & 1 != half {
            continue;
        }
        let mut findings = Findings::default();
        scratch.begin();
        let leaves: Vec<(String, Vec<u8>, Vec<u8>)> = r["leaves"]
            .as_array()
            .unwrap()
            .iter()
            .map(|l| {
                (
                    l[0].as_str().unwrap().to_string(),
                    b64.decode(l[1].as_str().unwrap()).unwrap(),
                    b64.decode(l[2].as_str().unwrap()).unwrap(),
                )
            })
            .collect();
        let ctx = Context {
            direction: Direction::Request,
            part: PartId::BODY,
            classes: Classes::all(),
        };
        let t = cpu();
        let mut n = 0;
        for (kind, name, bytes) in &leaves {
            let (root, host) = match kind.as_str() {
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
            if !name.is_empty() {
                path.push_name(name);
            }
            let map = OffsetMap::verbatim(0);
            n += bytes.len();
            for (i, chunk) in bytes.chunks(60000).enumerate() {
                let leaf = Leaf {
                    path: &path,
                    host,
                    span: Span::new(0, chunk.len() as u64),
                    bytes: chunk,
                    map: &map,
                    piece: if bytes.len() > 60000 {
                        Piece::Window {
                            overlap: 0,
                            last: (i + 1) * 60000 >= bytes.len(),
                        }
                    } else {
                        Piece::Whole
                    },
                };
                det.inspect(&leaf, &ctx, &mut scratch, &mut findings);
            }
        }
        let dt = cpu() - t;
        if r["f"] == "benign" {
            spent += dt;
            size += n;
            slow.push((
                dt / (n.max(2000) as f64) * 1048576.0,
                n,
                id.clone(),
                r["tech"].as_str().unwrap().to_string(),
            ));
        }
        let hit = findings.list.iter().any(|f| f.score >= threshold);
        let f = r["f"].as_str().unwrap().to_string();
        let class = r["class"].as_str().unwrap().to_string();
        hits.insert(id.clone(), (hit, 0));
        if f == "benign" {
            let e = fpr
                .entry(
                    r["source"]
                        .as_str()
                        .unwrap()
                        .split(':')
                        .next()
                        .unwrap()
                        .to_string(),
                )
                .or_default();
            e.1 += 1;
            if hit {
                e.0 += 1;
            }
            for c in findings
                .list
                .iter()
                .filter(|f| f.score >= threshold)
                .map(|f| f.category.code().to_string())
                .collect::<std::collections::BTreeSet<_>>()
            {
                byclass.entry(c).or_default().0 += 1;
            }
            for a in &findings.anomalies {
                byclass.entry(a.anomaly.code().to_string()).or_default().1 += 1;
            }
        }
        rows.push((
            f,
            class,
            id,
            hit,
            findings
                .list
                .iter()
                .map(|f| format!("{}={} [{}]", f.rule, f.score, f.reason))
                .collect::<Vec<_>>()
                .join("; "),
            leaves,
            r["tech"].as_str().unwrap().to_string(),
            r["source"].as_str().unwrap().to_string(),
        ));
    }
    for (f, class, id, hit, ..) in &rows {
        if f == "attack" {
            let e = tpr.entry(class.clone()).or_default();
            e.1 += 1;
            if *hit {
                e.0 += 1;
                if !hits.get(&format!("ctl-{id}")).is_some_and(|h| h.0) {
                    e.2 += 1;
                }
            }
        }
    }
    if want[0] == "bench" {
        let classes = match std::env::args().nth(4).as_deref() {
            Some("mine") => {
                Classes::SQLI
                    | Classes::XSS
                    | Classes::NOSQLI
                    | Classes::GRAPHQL
                    | Classes::CODE_INJECTION
            }
            Some("none") => Classes::empty(),
            Some("sqli") => Classes::SQLI,
            Some("xss") => Classes::XSS,
            Some("code") => Classes::CODE_INJECTION,
            Some("nosqli") => Classes::NOSQLI,
            Some("cmdi") => Classes::CMDI,
            Some("deser") => Classes::DESER,
            Some("ssti") => Classes::SSTI,
            Some("path") => Classes::PATH_TRAVERSAL,
            _ => Classes::all(),
        };
        let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (i, r) in rows.iter().enumerate() {
            if r.0 == "benign" {
                groups
                    .entry(format!("{}/{}", r.7.split(':').next().unwrap(), r.6))
                    .or_default()
                    .push(i);
            }
        }
        let ctx = Context {
            direction: Direction::Request,
            part: PartId::BODY,
            classes,
        };
        let mut v = vec![];
        let mut total = 0;
        let mut secs = 0.0;
        for (k, list) in groups {
            let mut prepared = vec![];
            let mut n = 0;
            for i in &list {
                for (kind, name, bytes) in &rows[*i].5 {
                    let (root, host) = match kind.as_str() {
                        "key" => (Root::Json, HostSyntax::JsonKey),
                        "json" => (Root::Json, HostSyntax::JsonString),
                        "num" => continue,
                        "xml" => (Root::Xml, HostSyntax::XmlText),
                        "attr" => (Root::Xml, HostSyntax::XmlAttribute),
                        "fname" => (Root::Form, HostSyntax::FormName),
                        "form" => (Root::Form, HostSyntax::FormValue),
                        _ => (Root::Text, HostSyntax::Raw),
                    };
                    let mut path = Path::new(root);
                    if !name.is_empty() {
                        path.push_name(name);
                    }
                    n += bytes.len();
                    prepared.push((path, host, bytes));
                }
            }
            let map = OffsetMap::verbatim(0);
            let mut best = f64::MAX;
            for _ in 0..3 {
                let t = cpu();
                let t0 = std::time::Instant::now();
                let reps = (2_000_000 / n.max(1)).max(1);
                for _ in 0..reps {
                    for (path, host, bytes) in &prepared {
                        scratch.begin();
                        let mut findings = Findings::default();
                        for chunk in bytes.chunks(60000) {
                            det.inspect(
                                &Leaf {
                                    path,
                                    host: *host,
                                    span: Span::new(0, chunk.len() as u64),
                                    bytes: chunk,
                                    map: &map,
                                    piece: Piece::Whole,
                                },
                                &ctx,
                                &mut scratch,
                                &mut findings,
                            );
                        }
                    }
                }
                let _ = t0;
                let dt = (cpu() - t) / reps as f64;
                if dt < best {
                    best = dt;
                }
            }
            v.push((k, n, best));
            total += n;
            secs += best;
        }
        v.sort_by(|a, b| b.2.total_cmp(&a.2));
        for (k, n, t) in v.iter().take(14) {
            println!(
                "{k:40} {:8} KiB {:6.1} MiB/s  {:4.1}%",
                n / 1024,
                *n as f64 / t / 1048576.0,
                t / secs * 100.0
            );
        }
        println!("all {:.1} MiB/s", total as f64 / secs / 1048576.0);
        return;
    }
    if want[0].is_empty() {
        for (c, (h, n, net)) in &tpr {
            println!(
                "{c:16} {h:4}/{n:4} {:5.1}%  net {:5.1}%",
                100.0 * *h as f64 / *n as f64,
                100.0 * *net as f64 / *n as f64
            );
        }
        let (mut a, mut b) = (0, 0);
        for (c, (h, n)) in &fpr {
            println!(
                "FP {c:16} {h:4}/{n:4} {:5.2}%",
                100.0 * *h as f64 / *n as f64
            );
            a += h;
            b += n;
        }
        println!(
            "FP all {a}/{b} {:.2}%   benign {:.1} MiB/s ({} bytes)",
            100.0 * a as f64 / b as f64,
            size as f64 / spent / 1048576.0,
            size
        );
        println!("{byclass:?}");
        slow.sort_by(|a, b| b.0.total_cmp(&a.0));
        for s in slow.iter().take(5) {
            println!("slow {:.1} ms/MiB {} {} {}", s.0 * 1000.0, s.1, s.2, s.3);
        }
    }
    for (f, class, id, hit, why, leaves, tech, source) in &rows {
        let show = match want[0].as_str() {
            "dl" => why.contains("decode-limit"),
            "miss" => f == "attack" && !hit && want.contains(class),
            "fp" => {
                f == "benign"
                    && *hit
                    && (want.len() == 1 || want.iter().any(|w| why.contains(w.as_str())))
            }
            "all" => want.contains(class) && f == "attack",
            _ => false,
        };
        if !show {
            continue;
        }
        println!("{id} {source} {tech} :: {why}");
        if want[0] != "all" {
            for (k, n, v) in leaves {
                let s = String::from_utf8_lossy(v);
                if want[0] == "miss"
                    && v.len() < 40
                    && v.iter()
                        .all(|b| b.is_ascii_alphanumeric() || b" .@:+-_,".contains(b))
                {
                    continue;
                }
                if want[0] == "fp" {
                    // show only leaves that hit
                    let mut path = Path::new(Root::Json);
                    if !n.is_empty() {
                        path.push_name(n);
                    }
                    let map = OffsetMap::verbatim(0);
                    let mut fs = Findings::default();
                    let ctx = Context {
                        direction: Direction::Request,
                        part: PartId::BODY,
                        classes: Classes::all(),
                    };
                    det.inspect(
                        &Leaf {
                            path: &path,
                            host: if k == "key" {
                                HostSyntax::JsonKey
                            } else {
                                HostSyntax::JsonString
                            },
                            span: Span::new(0, v.len() as u64),
                            bytes: v,
                            map: &map,
                            piece: Piece::Whole,
                        },
                        &ctx,
                        &mut scratch,
                        &mut fs,
                    );
                    for f in &fs.list {
                        if f.score >= threshold {
                            let a = (f.span.start as usize).min(v.len());
                            let b = (f.span.end as usize).min(v.len());
                            println!(
                                "     {}={} [{}] {}..{} of {}: {:?}",
                                f.rule,
                                f.score,
                                f.reason,
                                a,
                                b,
                                v.len(),
                                String::from_utf8_lossy(
                                    &v[a.saturating_sub(40)..(b + 40).min(v.len()).min(a + 300)]
                                )
                            );
                        }
                    }
                    continue;
                }
                println!(
                    "     {k} {}={:?}",
                    String::from_utf8_lossy(n),
                    s.chars().take(260).collect::<String>()
                );
            }
        }
    }
}
