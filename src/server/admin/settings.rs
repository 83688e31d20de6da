//! What runs here, with which settings; the log level at run time.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::telemetry::log::{self, Threshold};

use super::Admin;
use super::problem::Problem;

/// Version, ISTag, and when the rules in force were loaded.
pub(super) async fn version(State(admin): State<Arc<Admin>>) -> Json<Value> {
    let snapshot = admin.shared.snapshot.load();
    let loaded = jiff::Timestamp::try_from(snapshot.loaded).map(|time| time.to_string());
    Json(json!({
        "name": "sluice",
        "version": env!("CARGO_PKG_VERSION"),
        "istag": snapshot.house.istag.as_str(),
        "loaded": loaded.unwrap_or_default(),
    }))
}

/// The configuration in force, every default filled in, secrets masked.
pub(super) async fn config(State(admin): State<Arc<Admin>>) -> Result<Json<Value>, Problem> {
    let config = Arc::clone(&admin.shared.snapshot.load().config);
    let mut file = (*config.effective).clone();
    for token in &mut file.admin.tokens {
        "***".clone_into(&mut token.hash);
    }
    serde_json::to_value(&file)
        .map(Json)
        .map_err(|error| Problem::refused(error.to_string()))
}

/// `{"level": "debug"}`
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Level {
    level: Threshold,
}

/// From which level on the application log is written.
pub(super) async fn log_level() -> Result<Json<Level>, Problem> {
    match log::threshold() {
        Some(level) => Ok(Json(Level { level })),
        None => Err(Problem::unset(log::NotStarted.to_string())),
    }
}

/// Sets it, until the next start.
pub(super) async fn set_log_level(Json(wanted): Json<Level>) -> Result<Json<Level>, Problem> {
    log::set_threshold(wanted.level).map_err(|error| Problem::unset(error.to_string()))?;
    Ok(Json(wanted))
}
