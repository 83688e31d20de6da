//! SIGTERM and SIGINT: the first drains, the second ends the process.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

/// Ends with the first SIGTERM or SIGINT. The second one, at whatever time, ends the process at once.
///
/// # Errors
/// When the signals cannot be caught.
pub fn until_terminated() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (first, told) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let mut once = async || {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        once().await;
        let _ = first.send(());
        once().await;
        tracing::warn!("a second signal: ending at once");
        // Nothing on disk needs repair: spool files have no name, audit lines are written by then or lost.
        std::process::exit(SECOND_SIGNAL_STATUS);
    });
    Ok(async move {
        let _ = told.await;
    })
}

/// As a shell reports a process that SIGTERM ended.
const SECOND_SIGNAL_STATUS: i32 = 143;
