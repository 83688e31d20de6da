//! What operators see: the application log, metrics, and one audit record a transaction.
//!
//! | room | what |
//! |---|---|
//! | [`log`] | `tracing`, human on a terminal, JSON lines otherwise |
//! | [`metrics`] | Prometheus counters |
//! | [`exposition`] | the text formats of `/metrics` |
//! | [`audit`] | one JSON record a transaction |
//! | [`lines`] | the thread that writes, so that nobody waits |

pub mod audit;
pub mod exposition;
pub mod lines;
pub mod log;
pub mod metrics;

use std::time::SystemTime;

use crate::service::outcome::{Ending, Failure, Outcome};

pub(crate) use audit::{action_code, severity_code};

/// Renders outcomes. Shared by all connections.
#[derive(Debug, Default)]
pub struct Telemetry {
    /// Counters.
    pub metrics: metrics::Metrics,
    /// Which transactions leave an audit record.
    pub records: audit::Records,
    /// Where audit records go; `None`: nowhere.
    pub audit: Option<lines::Lines>,
}

impl Telemetry {
    /// Counts and records one finished transaction.
    pub fn transaction(&self, outcome: &Outcome) {
        self.metrics.transaction(outcome);
        if let Some(audit) = self.audit.as_ref().filter(|_| self.records.wants(outcome)) {
            let now = SystemTime::now();
            audit.append(|line| audit::render(outcome, now, line));
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
        if let Some(audit) = &self.audit {
            self.metrics.audit_dropped(audit.dropped());
        }
        self.metrics.exposition()
    }
}
