//! throwaway
fn cpu() -> u64 {
    std::fs::read_to_string("/proc/thread-self/schedstat")
        .unwrap()
        .split(' ')
        .next()
        .unwrap()
        .parse()
        .unwrap()
}
fn run(name: &str, ct: &str, body: &[u8]) {
    let profile = std::sync::Arc::new(sluice::redact::Profile::all());
    let budget = sluice::budget::Budget::new(1 << 30);
    let mut best = f64::MAX;
    let mut edits = 0;
    for _ in 0..5 {
        let t = cpu();
        let mut r = sluice::redact::Redactor::new(
            profile.clone(),
            ct,
            sluice::inspect::Direction::Response,
            &budget,
        );
        let mut o = bytes::BytesMut::with_capacity(1 << 20);
        for c in body.chunks(16384) {
            r.push(c, &mut o);
            if o.len() > 65536 {
                o.clear();
            }
        }
        edits = r.finish(&mut o).edits;
        best = best.min((cpu() - t) as f64 / 1e9);
    }
    println!(
        "{name}: {:.1} MiB/s, {} edits in {} bytes",
        body.len() as f64 / best / 1048576.0,
        edits,
        body.len()
    );
}
fn main() {
    let mut clean = String::from("[");
    let mut x: u64 = 88172645463325252;
    let mut rnd = || {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x
    };
    let words = [
        "alpha", "river", "Stone", "market", "window", "paper", "Garden", "silver", "north",
        "little", "second", "country", "history",
    ];
    for i in 0..60000 {
        if i > 0 {
            clean.push(',');
        }
        clean += &format!(
            "{{\"id\": {}, \"title\": \"{} {} {}\", \"sku\": \"SKU-{}-{}\", \"price\": {}.{:02}, \"in_stock\": {}, \"created_at\": \"2026-0{}-1{}T1{}:22:33Z\", \"description\": \"{} {} {} {} {} {} {} {}\", \"tags\": [\"{}\", \"{}\"]}}\n",
            i,
            words[rnd() as usize % 13],
            words[rnd() as usize % 13],
            words[rnd() as usize % 13],
            rnd() % 99999,
            rnd() % 99,
            rnd() % 1000,
            rnd() % 100,
            rnd() % 2 == 0,
            1 + rnd() % 9,
            rnd() % 10,
            rnd() % 10,
            words[rnd() as usize % 13],
            words[rnd() as usize % 13],
            words[rnd() as usize % 13],
            words[rnd() as usize % 13],
            words[rnd() as usize % 13],
            words[rnd() as usize % 13],
            words[rnd() as usize % 13],
            words[rnd() as usize % 13],
            words[rnd() as usize % 13],
            words[rnd() as usize % 13]
        );
    }
    clean.push(']');
    run("clean json", "application/json", clean.as_bytes());
    let text: String = clean.replace('{', "row ").replace('"', "").replace('}', "");
    run("clean text", "text/plain", text.as_bytes());
    let dense = std::fs::read(
        std::env::args()
            .nth(1)
            .unwrap_or("/tmp/dense.ndjson".into()),
    )
    .unwrap();
    run("dense ndjson", "application/x-ndjson", &dense);
    let dense = std::fs::read("/tmp/dense.txt").unwrap();
    run("dense text", "text/plain", &dense);
    let dense = std::fs::read("/tmp/dense.csv").unwrap();
    run("dense csv", "text/csv", &dense);
}
