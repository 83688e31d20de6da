//! Bodies and rules that mean harm: matches without end, rules without end. What is cut short is said.

use super::literals::{message, rules_of, ruleset, watching};
use super::*;
use std::time::{Duration, Instant};

fn limited(text: &str, limits: YaraLimits) -> Arc<Signatures> {
    let mut bundle = Bundle::default();
    bundle.yara = vec![rule_file("l.yar", text)];
    let rules = Signatures::compile(vec![bundle], limits).expect("compiles");
    assert_eq!(rules.problems().len(), 0, "{:?}", rules.problems());
    Arc::new(rules)
}

/// The engine's time is that of the clock, and the machine may be busy.
fn patient() -> YaraLimits {
    YaraLimits {
        scan_time: Duration::from_secs(600),
        ..YaraLimits::default()
    }
}

fn outcome(rules: &Arc<Signatures>, body: &[u8]) -> (Vec<String>, Vec<&'static str>, Duration) {
    let begun = Instant::now();
    let budget = Budget::new(1 << 30);
    let mut scan = SignatureScan::new(rules, &budget, &FACTS);
    let out = run(&mut scan, body.chunks(16 * 1024), &Externals::default());
    let codes = out.anomalies.iter().map(|at| at.anomaly.code()).collect();
    (ids(&out), codes, begun.elapsed())
}

#[test]
fn a_flood_of_matches_is_capped_and_the_cap_is_said_where_it_matters() {
    let rules = limited(
        "rule plain { strings: $a = \"aaaa\" condition: $a }\n\
         rule counts { strings: $a = \"aaaa\" condition: #a > 500000 }\n\
         rule far { strings: $a = \"aaaa\" condition: $a at 800000 }\n",
        patient(),
    );
    let (found, codes, _) = outcome(&rules, &vec![b'a'; 1 << 20]);
    assert_eq!(found, ["l/plain"]);
    assert_eq!(codes, ["too-many-matches"]);
    let only = limited(
        "rule plain { strings: $a = \"aaaa\" condition: $a }",
        patient(),
    );
    let (found, codes, _) = outcome(&only, &vec![b'a'; 1 << 20]);
    assert_eq!(
        (found.len(), codes.len()),
        (1, 0),
        "presence is exact, however many"
    );
}

/// Goes over every byte by itself.
const SLOW: &str = "rule slow { condition: for all i in (1..filesize) : ( uint8(i - 1) != 3 ) }\nrule quick { strings: $a = \"house\" condition: $a }";

#[test]
fn a_slow_rule_ends_with_its_time_and_is_named_at_load() {
    let limits = YaraLimits {
        scan_time: Duration::from_millis(60),
        scan_time_per_mib: Duration::ZERO,
        ..YaraLimits::default()
    };
    let rules = limited(SLOW, limits);
    let (_, codes, time) = outcome(&rules, &vec![b' '; 7 << 20]);
    assert_eq!(codes, ["scan-timeout"]);
    assert!(time < Duration::from_secs(60), "{time:?}");
    let (named, _) = late(&rules, &vec![b' '; 7 << 20]);
    assert_eq!(named, ["l/slow"]);
    let spent: Vec<_> = rules.yara().spent().collect();
    assert!(
        spent
            .iter()
            .any(|(id, time)| &***id == "l/slow" && !time.is_zero())
    );
    let slow = rules.yara().slow();
    let places: Vec<_> = slow.iter().map(|rule| (&*rule.file, rule.line)).collect();
    assert_eq!(places.first(), Some(&("l.yar", 1)));
    let names: Vec<&str> = slow.iter().map(|rule| &*rule.about.id).collect();
    assert!(names.contains(&"l/slow"), "{slow:?}");
    assert!(!names.contains(&"l/quick"), "{slow:?}");
}

/// Rules that were blamed, and anomalies.
fn late(rules: &Arc<Signatures>, body: &[u8]) -> (Vec<String>, Vec<&'static str>) {
    let budget = Budget::new(1 << 30);
    let mut scan = SignatureScan::new(rules, &budget, &FACTS);
    let out = run(&mut scan, body.chunks(16 * 1024), &Externals::default());
    let codes = out.anomalies.iter().map(|at| at.anomaly.code()).collect();
    (
        out.late.iter().map(|rule| rule.to_string()).collect(),
        codes,
    )
}

/// Slow where a body is made for it only, and otherwise as quick as any.
const BAITED: &str = "rule baited { strings: $a = \"abab\" condition: for all i in (1..#a) : ( for all j in (1..#a) : ( @a[i] + @a[j] != 7 ) ) }\n\
    rule quick { strings: $a = \"ab\" condition: #a > 3 }";

#[test]
fn a_rule_that_only_a_hostile_body_makes_slow_is_found_out_and_so_is_the_time_of_the_configuration()
{
    let text = "[timeouts]\nscan-ms = 50\nscan-per-mib-ms = 0\n[rules]\nembedded = false\n";
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("l.yar"), BAITED).expect("written");
    let text = format!("{text}bundles = [{:?}]\n", folder.path());
    let config = sluice::config::Config::parse(&text, None, &[]).expect("a configuration");
    let snapshot = sluice::server::snapshot::Snapshot::load(Arc::new(config)).expect("it loads");
    let rules = snapshot.house.rules.shared_signatures();
    assert!(rules.yara().slow().is_empty(), "{:?}", rules.yara().slow());
    let body = b"ab".repeat(20_000);
    let begun = Instant::now();
    let (named, codes) = late(&rules, &body);
    assert_eq!(codes.first(), Some(&"scan-timeout"), "{codes:?}");
    assert_eq!(named, ["l/baited"]);
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "{:?}",
        begun.elapsed()
    );
    let (named, codes) = late(&rules, b"ab and abab");
    assert!(named.is_empty() && codes.is_empty(), "{codes:?}");
}

#[test]
fn the_time_of_a_body_grows_with_it() {
    let limits = YaraLimits {
        scan_time: Duration::from_millis(1),
        scan_time_per_mib: Duration::from_secs(5),
        ..YaraLimits::default()
    };
    let rules = limited(
        "rule quick { strings: $a = \"house\" condition: $a }",
        limits,
    );
    let mut body = vec![b'.'; 6 << 20];
    body.extend_from_slice(b"a house");
    let (found, codes, _) = outcome(&rules, &body);
    assert_eq!((found.len(), codes.len()), (1, 0));
}

#[test]
fn conditions_see_what_is_known_of_the_message() {
    let mut bundle = Bundle::default();
    let variables = [
        ("direction", "request"),
        ("method", "PUT"),
        ("host", "files.example"),
        ("path", "/up/report.PDF"),
        ("content_type", "application/pdf"),
        ("filename", "report.PDF"),
        ("filepath", "/up/report.PDF"),
        ("extension", ".PDF"),
        ("owner", ""),
        ("client_address", "192.0.2.7"),
    ];
    let text: String = variables
        .iter()
        .map(|(name, value)| {
            format!("rule {name}_is {{ strings: $a = \"house\" condition: $a and {name} == \"{value}\" }}\n")
        })
        .collect();
    bundle.yara = vec![rule_file("t.yar", &text)];
    let rules = ruleset(bundle);
    let head = "PUT /up/report.PDF?x=1 HTTP/1.1\r\nHost: Files.Example:8080\r\nContent-Type: application/pdf\r\n\r\n";
    for (body, size) in [
        (b"%PDF- a house".to_vec(), 5),
        (long_house(40_000), 1000),
        (long_house(3 << 20), 16 * 1024),
    ] {
        let mut profile = watching();
        // The last of them in blocks.
        profile.limits.yara = Keeping {
            memory_bytes: 1 << 20,
            spool_bytes: 0,
        };
        let found = rules_of(&message(&rules, profile, head, (&body, size)));
        let mut wanted: Vec<String> = variables
            .iter()
            .map(|(name, _)| format!("t/{name}_is"))
            .collect();
        wanted.sort();
        assert_eq!(found, wanted, "{} bytes", body.len());
    }
}

fn long_house(length: usize) -> Vec<u8> {
    let mut body = vec![b'.'; length];
    body.splice(..5, *b"%PDF-");
    body.extend_from_slice(b"a house");
    body
}

#[test]
fn an_engine_that_is_not_built_in_is_refused_by_name() {
    use sluice::inspect::yara::Engine;
    assert!(Engine::Boreal.is_built_in());
    assert_eq!(Engine::Libyara.is_built_in(), cfg!(feature = "libyara"));
    let config = sluice::config::Config::parse("[rules]\nengine = \"libyara\"\n", None, &[]);
    let config = config.expect("the key is known");
    let loaded = sluice::server::snapshot::Snapshot::load(Arc::new(config));
    match cfg!(feature = "libyara") {
        true => assert!(loaded.is_ok()),
        false => {
            let told = loaded.expect_err("not built in").to_string();
            assert!(told.contains("--features libyara"), "{told}");
        }
    }
}
