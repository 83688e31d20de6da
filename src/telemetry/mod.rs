//! What operators see: three streams of log lines, metrics, and what the admin listener tells of transactions.
//!
//! | room | what |
//! |---|---|
//! | [`log`] | the application stream: `tracing`, human on a terminal, JSON lines otherwise |
//! | [`ecs`] | lines of all streams as JSON with ECS names: one access line a transaction, one a detection |
//! | [`detection`] | the finding stream; [`ocsf`] and [`cef`] are other forms of it |
//! | [`metrics`] | Prometheus counters |
//! | [`exposition`] | the text formats of `/metrics` |
//! | [`traces`] | one span a transaction to a collector |
//! | [`baseline`] | what is usual on each route, and what is not |
//! | [`recent`] | the last verdicts |
//! | [`live`] | the transactions that are being worked on |
//! | [`audit`] | a transaction's record as the HTTP API answers it |
//! | [`object`] | JSON objects on one line |
//! | [`lines`] | the thread that writes, so that nobody waits; files that are rotated are followed |

pub mod audit;
pub mod baseline;
pub mod cef;
pub mod detection;
pub mod ecs;
pub mod exposition;
pub mod lines;
pub mod live;
pub mod log;
mod log_file;
pub mod metrics;
pub mod object;
pub mod ocsf;
pub mod recent;
pub mod traces;

use std::cell::RefCell;
use std::time::{Instant, SystemTime};

use crate::service::outcome::{Ending, Failure, Outcome};

pub(crate) use audit::{action_code, severity_code};

/// Renders outcomes. Shared by all connections.
#[derive(Debug, Default)]
pub struct Telemetry {
    /// Counters.
    pub metrics: metrics::Metrics,
    /// Which transactions leave an access line.
    pub records: audit::Records,
    /// Where access lines go; `None`: nowhere.
    pub audit: Option<lines::Lines>,
    /// How and where detections are written; `None`: nowhere.
    pub findings: Option<(detection::Form, lines::Lines)>,
    /// The application stream, whose losses are counted with the others'.
    pub application: Option<lines::Lines>,
    /// Where spans go; `None`: nowhere.
    pub traces: Option<traces::Traces>,
    /// What is usual, and since when time is counted; `None`: nothing is learned.
    pub baselines: Option<(baseline::Baselines, Instant)>,
    /// The last verdicts.
    pub recent: recent::Recent,
    /// The transactions that are being worked on.
    pub live: live::Register,
}

impl Telemetry {
    /// Counts and records one finished transaction.
    pub fn transaction(&self, outcome: &Outcome) {
        self.metrics.transaction(outcome);
        let now = SystemTime::now();
        self.recent.note(outcome, now);
        if let Some(audit) = self.audit.as_ref().filter(|_| self.records.wants(outcome)) {
            append(audit, |line| {
                ecs::access(outcome, now, audit.line_bytes(), line);
            });
        }
        if let Some(traces) = &self.traces {
            traces.transaction(outcome, now);
        }
        let deviations = match &self.baselines {
            Some((baselines, began)) => baselines.observe(outcome, began.elapsed()),
            None => Vec::new(),
        };
        for deviation in &deviations {
            self.metrics.deviation(deviation.signal.code());
        }
        if let Some((form, lines)) = &self.findings {
            detection::each((outcome, &deviations), now, |detection| {
                append(lines, |line| {
                    form.render(detection, lines.line_bytes(), line);
                });
            });
        }
        for rule in &outcome.report.late_rules {
            tracing::warn!(transaction = %outcome.id, %rule, "a rule used up the time of a scan");
        }
        match outcome.ending {
            Ending::Failed(Failure::Panic) => {
                tracing::error!(transaction = %outcome.id, "a transaction was ended by a panic");
            }
            Ending::Answered | Ending::Failed(_) => {
                tracing::debug!(
                    transaction = %outcome.id,
                    method = outcome.mode(),
                    service = outcome.service.as_deref(),
                    status = outcome.status,
                    verdict = outcome.verdict_code(),
                    reason = outcome.reason_code(),
                    "transaction"
                );
            }
        }
    }

    /// The exposition text for a scraper.
    pub fn exposition(&self) -> String {
        for (stream, lines) in [
            ("application", self.application.as_ref()),
            ("access", self.audit.as_ref()),
            ("finding", self.findings.as_ref().map(|(_, lines)| lines)),
        ] {
            if let Some(lines) = lines {
                self.metrics.lines_dropped(stream, lines.dropped());
            }
        }
        if let Some(traces) = &self.traces {
            self.metrics.spans_dropped(traces.lost());
        }
        if let Some((baselines, _)) = &self.baselines {
            let (routes, untracked) = baselines.size();
            self.metrics.baselines(routes, untracked);
        }
        self.metrics.exposition()
    }
}

/// Renders outside of the lock that the streams' producers share.
fn append(lines: &lines::Lines, render: impl FnOnce(&mut Vec<u8>)) {
    thread_local! {
        static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    SCRATCH.with_borrow_mut(|scratch| {
        scratch.clear();
        render(scratch);
        scratch.push(b'\n');
        lines.append(scratch);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::outcome::{Facts, Method, Timing, TransactionId};

    /// A transaction whose client tries everything that log formats mind.
    pub(crate) fn hostile() -> Outcome {
        Outcome {
            id: TransactionId::next(),
            peer: "127.0.0.1".parse().ok(),
            method: Method::Reqmod,
            service: Some("/reqmod".into()),
            profile: None,
            route: None,
            message: Facts {
                path: "/a\nact=allow|x\\ src=1.2.3.4".into(),
                host: "h\"}\r\n{\"event.action\":\"allow\"".into(),
                user: "\u{202e}u\u{0}".into(),
                ..Facts::default()
            },
            report: Default::default(),
            status: 200,
            ending: Ending::Answered,
            bytes_in: 3,
            bytes_out: 0,
            timing: Timing::default(),
        }
    }

    #[test]
    fn an_access_line_is_one_line_of_json_whatever_the_client_sent() {
        let mut line = Vec::new();
        ecs::access(&hostile(), SystemTime::UNIX_EPOCH, 8192, &mut line);
        assert!(line.iter().all(|byte| (b' '..=b'~').contains(byte)));
        let record: serde_json::Value = serde_json::from_slice(&line).expect("JSON");
        assert_eq!(record["url.domain"], &*hostile().message.host);
        assert_eq!(record["event.action"], "allow");
        assert_eq!(record["@timestamp"], "1970-01-01T00:00:00.000000Z");
    }
}
