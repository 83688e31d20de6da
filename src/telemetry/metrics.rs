//! Counters and histograms, under the names that `docs` promise. Labels are bounded: verdicts, codes and rule ids only.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::inspect::Severity;
use crate::service::outcome::{Ending, Method, Outcome};

/// All metrics of the process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    transactions: Family<TransactionLabels, Counter>,
    duration: Family<PhaseLabels, Histogram, fn() -> Histogram>,
    body_bytes: Family<DirectionLabels, Counter>,
    unscanned_bytes: Family<ReasonLabels, Counter>,
    findings: Family<FindingLabels, Counter>,
    exceptions: Family<ExceptionLabels, Counter>,
    anomalies: Family<ReasonLabels, Counter>,
    redactions: Family<EntityLabels, Counter>,
    rule_timeouts: Family<RuleLabels, Counter>,
    rule_seconds: Family<RuleLabels, Gauge<f64, AtomicU64>>,
    rule_per_mib: Family<RuleLabels, Gauge<f64, AtomicU64>>,
    errors: Family<KindLabels, Counter>,
    shed: Family<ReasonLabels, Counter>,
    reloads: Family<ResultLabels, Counter>,
    /// Transactions that are being worked on.
    pub inflight: Gauge,
    /// Bytes held in buffers.
    pub inflight_bytes: Gauge,
    connections: Family<ListenerLabels, Gauge>,
    accepted: Family<ListenerLabels, Counter>,
    denied: Family<ReasonLabels, Counter>,
    handshakes: Family<ResultLabels, Counter>,
    certificate_expiry: Family<ListenerLabels, Gauge>,
    rules: Family<RulesLabels, Gauge>,
    rules_loaded: Gauge,
    lines_dropped: Family<StreamLabels, Counter>,
    spans_dropped: Counter,
    deviations: Family<SignalLabels, Counter>,
    baseline_routes: Gauge,
    baseline_untracked: Counter,
    found: Found,
    /// The policy of a transaction without a profile.
    none: Arc<str>,
}

/// Series that each transaction moves, by method: they are looked up once.
#[derive(Debug, Default)]
struct Found {
    durations: [[OnceLock<Histogram>; PHASES.len()]; Method::Unknown as usize + 1],
    bytes: [OnceLock<Counter>; WAYS.len()],
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TransactionLabels {
    mode: &'static str,
    policy: Arc<str>,
    verdict: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PhaseLabels {
    mode: &'static str,
    phase: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DirectionLabels {
    direction: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EntityLabels {
    entity: String,
    policy: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RuleLabels {
    rule: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SignalLabels {
    signal: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StreamLabels {
    stream: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ListenerLabels {
    listener: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RulesLabels {
    bundle: String,
    digest: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FindingLabels {
    rule: String,
    severity: &'static str,
    action: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ExceptionLabels {
    policy: Arc<str>,
    exception: u64,
}

impl Metrics {
    /// All metrics at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("sluice");
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "What runs here", build);
        let duration = Family::new_with_constructor(histogram as fn() -> Histogram);
        registry.register_with_unit(
            "transaction_duration",
            "From a request's first byte to the first and the last byte of its answer",
            Unit::Seconds,
            duration.clone(),
        );
        let mut counted = Counted {
            registry: &mut registry,
        };
        let transactions = counted.family("transactions", "Transactions by verdict");
        let unscanned_bytes = counted.family(
            "unscanned_bytes",
            "Body bytes that were not fully inspected",
        );
        let body_bytes = counted.family("body_bytes", "Body bytes received and sent");
        let findings = counted.family("findings", "Findings by rule");
        let exceptions = counted.family(
            "exceptions",
            "Findings silenced by an exception, by its number in the profile, from 1",
        );
        let anomalies = counted.family("anomalies", "Transactions that met this anomaly");
        let redactions = counted.family("redactions", "Values redacted, by entity");
        let rule_timeouts = counted.family(
            "rule_timeouts",
            "Scans whose time this rule used up, where it is known",
        );
        let errors = counted.family("errors", "Transactions and connections that failed");
        let shed = counted.family("shed", "Work refused because of load");
        let reloads = counted.family("reload", "Reloads of configuration and rules");
        let denied = counted.family(
            "denied",
            "Connections and requests of clients without the right",
        );
        let handshakes = counted.family("tls_handshakes", "TLS handshakes by result");
        let lines_dropped = counted.family(
            "log_dropped_lines",
            "Log lines that found their buffer full or their rate reached",
        );
        let deviations = counted.family(
            "baseline_deviations",
            "Messages that were unusual on their route, by signal",
        );
        let baseline_routes = counted.gauge("baseline_routes", "Routes whose baseline is learned");
        let baseline_untracked = counted.counter(
            "baseline_untracked",
            "Messages of routes beyond those that are followed",
        );
        let spans_dropped = counted.counter(
            "trace_dropped_spans",
            "Spans that the collector did not take in time",
        );
        let accepted = counted.family("accepted_connections", "Connections accepted");
        let inflight = counted.gauge("inflight", "Transactions being worked on");
        let inflight_bytes = counted.gauge("inflight_bytes", "Bytes held in buffers");
        let rules_loaded = counted.gauge(
            "rules_loaded_timestamp_seconds",
            "When the rules in force were loaded",
        );
        let connections = Family::default();
        registry.register("connections", "Open connections", connections.clone());
        let certificate_expiry = Family::default();
        registry.register(
            "tls_cert_expiry_timestamp_seconds",
            "When the certificate of a listener expires",
            certificate_expiry.clone(),
        );
        let rule_seconds = Family::default();
        registry.register(
            "slow_rule_scan_seconds",
            "Time that the slowest rules have taken since they were loaded",
            rule_seconds.clone(),
        );
        let rule_per_mib = Family::default();
        registry.register(
            "slow_rule_seconds_per_mib",
            "Time that the slowest rules take for a MiB, measured when they were loaded",
            rule_per_mib.clone(),
        );
        let rules = Family::default();
        registry.register("rules_info", "The rules in force", rules.clone());
        // `increase` sees nothing in a series that begins with 1: what alerts wait for is there from the start.
        for kind in ALERTED_ERRORS {
            drop(errors.get_or_create(&KindLabels { kind }));
        }
        for result in ALERTED_RELOADS {
            drop(reloads.get_or_create(&ResultLabels { result }));
        }
        Self {
            transactions,
            duration,
            body_bytes,
            unscanned_bytes,
            findings,
            exceptions,
            anomalies,
            redactions,
            rule_timeouts,
            rule_seconds,
            rule_per_mib,
            errors,
            shed,
            reloads,
            inflight,
            inflight_bytes,
            connections,
            accepted,
            denied,
            handshakes,
            certificate_expiry,
            rules,
            rules_loaded,
            lines_dropped,
            spans_dropped,
            deviations,
            baseline_routes,
            baseline_untracked,
            found: Found::default(),
            none: "none".into(),
            registry,
        }
    }

    /// Counts one finished transaction.
    pub fn transaction(&self, outcome: &Outcome) {
        let mode = outcome.mode();
        self.transactions
            .get_or_create(&TransactionLabels {
                mode,
                policy: self.policy(outcome),
                verdict: outcome.verdict_code(),
            })
            .inc();
        let times = [outcome.timing.first_byte, Some(outcome.timing.total)];
        let series = self.found.durations.get(outcome.method as usize);
        for ((phase, time), series) in PHASES.iter().zip(times).zip(series.into_iter().flatten()) {
            if let Some(time) = time {
                let find = || {
                    self.duration
                        .get_or_create_owned(&PhaseLabels { mode, phase })
                };
                series.get_or_init(find).observe(time.as_secs_f64());
            }
        }
        let bytes = [outcome.bytes_in, outcome.bytes_out];
        for ((direction, bytes), series) in WAYS.iter().zip(bytes).zip(&self.found.bytes) {
            if bytes > 0 {
                let labels = DirectionLabels { direction };
                let find = || self.body_bytes.get_or_create_owned(&labels);
                series.get_or_init(find).inc_by(bytes);
            }
        }
        if let Ending::Failed(error) = &outcome.ending {
            self.error(error.code());
        }
        self.report(outcome);
    }

    fn policy(&self, outcome: &Outcome) -> Arc<str> {
        Arc::clone(outcome.profile.as_ref().unwrap_or(&self.none))
    }

    fn report(&self, outcome: &Outcome) {
        let report = &outcome.report;
        for judged in &report.findings {
            self.findings
                .get_or_create(&FindingLabels {
                    rule: judged.fact.rule.clone().into_owned(),
                    severity: super::severity_code(judged.fact.severity),
                    action: super::action_code(&judged.ruling),
                })
                .inc();
        }
        for (exception, count) in &report.excepted {
            self.exceptions
                .get_or_create(&ExceptionLabels {
                    policy: self.policy(outcome),
                    exception: u64::try_from(exception + 1).unwrap_or(u64::MAX),
                })
                .inc_by(*count);
        }
        for judged in &report.anomalies {
            self.anomalies
                .get_or_create(&ReasonLabels {
                    reason: judged.fact.anomaly.code(),
                })
                .inc();
        }
        for (entity, edits) in &report.redactions {
            self.redactions
                .get_or_create(&EntityLabels {
                    entity: entity.clone().into_owned(),
                    policy: self.policy(outcome),
                })
                .inc_by(*edits);
        }
        for rule in &report.late_rules {
            let labels = RuleLabels {
                rule: rule.to_string(),
            };
            self.rule_timeouts.get_or_create(&labels).inc();
        }
        for reason in report.uninspected.codes() {
            self.unscanned_bytes
                .get_or_create(&ReasonLabels { reason })
                .inc_by(report.body_bytes);
        }
    }

    /// Counts a failure by its code.
    pub fn error(&self, kind: &'static str) {
        self.errors.get_or_create(&KindLabels { kind }).inc();
    }

    /// Counts work refused because of load.
    pub fn shed(&self, reason: &'static str) {
        self.shed.get_or_create(&ReasonLabels { reason }).inc();
    }

    /// Counts a connection or request that its client had no right to.
    pub fn denied(&self, reason: &'static str) {
        self.denied.get_or_create(&ReasonLabels { reason }).inc();
    }

    /// Counts a TLS handshake by its result.
    pub fn handshake(&self, result: &'static str) {
        self.handshakes
            .get_or_create(&ResultLabels { result })
            .inc();
    }

    /// States when the certificate of `listener` expires, in seconds since 1970.
    pub fn certificate_expiry(&self, listener: &str, seconds: i64) {
        self.certificate_expiry
            .get_or_create(&ListenerLabels {
                listener: listener.to_owned(),
            })
            .set(seconds);
    }

    /// Counts a reload: `ok` or `refused`.
    pub fn reload(&self, result: &'static str) {
        self.reloads.get_or_create(&ResultLabels { result }).inc();
    }

    /// Findings of a rule since the start, whatever they led to.
    pub fn hits(&self, rule: &str, severity: Severity) -> u64 {
        super::audit::ACTIONS
            .iter()
            .filter_map(|action| {
                let labels = FindingLabels {
                    rule: rule.to_owned(),
                    severity: super::severity_code(severity),
                    action,
                };
                self.findings.get(&labels).map(|counter| counter.get())
            })
            .sum()
    }

    /// States what the slowest rules take: each with its time for a MiB and what it has taken, both in seconds.
    pub fn slow_rules<'a>(&self, slowest: impl Iterator<Item = (&'a str, f64, f64)>) {
        self.rule_seconds.clear();
        self.rule_per_mib.clear();
        for (rule, per_mib, seconds) in slowest.take(SLOW_RULES) {
            let labels = RuleLabels { rule: rule.into() };
            self.rule_seconds.get_or_create(&labels).set(seconds);
            self.rule_per_mib.get_or_create(&labels).set(per_mib);
        }
    }

    /// Names the rules in force.
    pub fn rules(&self, digest: &str, loaded: Duration) {
        self.rules.clear();
        self.rules
            .get_or_create(&RulesLabels {
                bundle: "embedded".into(),
                digest: digest.into(),
            })
            .set(1);
        self.rules_loaded
            .set(i64::try_from(loaded.as_secs()).unwrap_or(i64::MAX));
    }

    /// The counts of a listener's connections.
    pub fn arrivals(&self, listener: &str) -> Arrivals {
        let labels = ListenerLabels {
            listener: listener.to_owned(),
        };
        Arrivals {
            accepted: self.accepted.get_or_create_owned(&labels),
            open: self.connections.get_or_create_owned(&labels),
        }
    }

    /// Counts a message that was unusual.
    pub fn deviation(&self, signal: &'static str) {
        self.deviations
            .get_or_create(&SignalLabels { signal })
            .inc();
    }

    /// States how many routes are followed, and how many messages belonged to none of them, ever.
    pub fn baselines(&self, routes: usize, untracked: u64) {
        self.baseline_routes
            .set(i64::try_from(routes).unwrap_or(i64::MAX));
        self.baseline_untracked
            .inner()
            .store(untracked, Ordering::Relaxed);
    }

    /// States how many spans were lost, ever.
    pub fn spans_dropped(&self, spans: u64) {
        self.spans_dropped.inner().store(spans, Ordering::Relaxed);
    }

    /// States how many lines of a stream were lost, ever.
    pub fn lines_dropped(&self, stream: &'static str, lines: u64) {
        self.lines_dropped
            .get_or_create(&StreamLabels { stream })
            .inner()
            .store(lines, Ordering::Relaxed);
    }

    /// The exposition text for a scraper.
    pub fn exposition(&self) -> String {
        let mut text = String::new();
        text::encode(&mut text, &self.registry).expect("a string takes all");
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// Errors of which deploy/prometheus/alerts.yml wants to know the first.
const ALERTED_ERRORS: [&str; 2] = ["panic", "spool"];

/// The same of reloads.
const ALERTED_RELOADS: [&str; 2] = ["refused", "certificate-refused"];

/// The counts of one listener's connections, looked up once.
#[derive(Debug)]
pub struct Arrivals {
    accepted: Counter,
    open: Gauge,
}

impl Arrivals {
    /// Counts a connection in; the guard counts it out.
    pub fn connection(&self) -> ConnectionGuard {
        self.accepted.inc();
        let open = self.open.clone();
        open.inc();
        ConnectionGuard { open }
    }
}

/// Keeps one connection counted as open.
#[derive(Debug)]
pub struct ConnectionGuard {
    open: Gauge,
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.open.dec();
    }
}

struct Counted<'a> {
    registry: &'a mut Registry,
}

impl Counted<'_> {
    fn family<L>(&mut self, name: &str, help: &str) -> Family<L, Counter>
    where
        L: Clone + std::hash::Hash + Eq + EncodeLabelSet + std::fmt::Debug + Send + Sync + 'static,
    {
        let family = Family::default();
        self.registry.register(name, help, family.clone());
        family
    }

    fn counter(&mut self, name: &str, help: &str) -> Counter {
        let counter = Counter::default();
        self.registry.register(name, help, counter.clone());
        counter
    }

    fn gauge(&mut self, name: &str, help: &str) -> Gauge {
        let gauge = Gauge::default();
        self.registry.register(name, help, gauge.clone());
        gauge
    }
}

/// What of a transaction is timed.
const PHASES: [&str; 2] = ["first-byte", "total"];

/// Which way a body goes.
const WAYS: [&str; 2] = ["in", "out"];

/// Slow rules that are shown, so that a rule set cannot make labels without end.
const SLOW_RULES: usize = 10;

/// 100 µs to 52 s, each twice the one before: small transactions take tens of microseconds, big bodies seconds.
fn histogram() -> Histogram {
    Histogram::new(prometheus_client::metrics::histogram::exponential_buckets(
        0.000_1, 2.0, 20,
    ))
}
