//! SIGHUP: configuration and rules anew, all or nothing. What is wrong is refused with its place, and what was in force
//! stays in force.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};

use crate::config::ConfigError;

use super::listener::Prepared;
use super::snapshot::{Snapshot, SnapshotError};
use super::tls::TlsError;
use super::{Shared, Source, loaded_at};

/// A reload was refused.
#[derive(Debug, thiserror::Error)]
enum ReloadError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("the loading thread was lost")]
    Lost,
}

/// Reloads at each SIGHUP, for ever.
pub(super) async fn on_hangup(shared: Arc<Shared>, source: Source) {
    let mut hangup = match signal(SignalKind::hangup()) {
        Ok(hangup) => hangup,
        Err(error) => return tracing::error!(%error, "cannot catch SIGHUP: no reload"),
    };
    while hangup.recv().await.is_some() {
        match reload(&shared, &source).await {
            Ok((snapshot, listeners)) => {
                listeners.commit();
                shared.listeners.announce(&shared);
                shared.snapshot.store(Arc::new(snapshot));
                shared.telemetry.metrics.reload("ok");
                announce(&shared);
            }
            Err(error) => {
                shared.telemetry.metrics.reload("refused");
                tracing::error!(%error, "reload refused; what was in force stays in force");
            }
        }
    }
}

/// Tells log and metrics what is in force now.
pub(super) fn announce(shared: &Shared) {
    let snapshot = shared.snapshot.load();
    let digest = snapshot.house.istag.as_str().to_owned();
    shared
        .telemetry
        .metrics
        .rules(&digest, loaded_at(&snapshot));
    tracing::info!(istag = digest, "configuration and rules are in force");
}

async fn reload(shared: &Shared, source: &Source) -> Result<(Snapshot, Prepared), ReloadError> {
    let (source, listeners) = (Arc::clone(source), shared.listeners.clone());
    tokio::task::spawn_blocking(move || {
        let config = Arc::new(source()?);
        let listeners = listeners.prepare(&config)?;
        Ok((Snapshot::load(config)?, listeners))
    })
    .await
    .map_err(|_| ReloadError::Lost)?
}
