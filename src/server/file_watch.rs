//! A file watch: when rule files change, and half a second has passed since the last write, they are loaded as at SIGHUP.
//!
//! Files that are half written by then are refused like any other bad set, shown as amber, and tried again at the next
//! write. Bytes that were tried already are not tried twice.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use crate::config::file::Rules;
use crate::rules::bundle::BundleDigest;
use crate::rules::raw::Raw;

use super::reload::{Reloader, beside};
use super::rules::load;

/// Watches for ever; what is watched follows the configuration.
pub(super) async fn run(reloader: Arc<Reloader>) {
    let mut tried = None;
    loop {
        let config = Arc::clone(&reloader.in_force().config);
        let places = match config.rules.watch {
            true => places(&config.rules),
            false => Vec::new(),
        };
        let (told, mut changes) = mpsc::channel(1);
        let watcher = watcher(&places, told);
        if let Err(error) = &watcher {
            tracing::error!(%error, "rule files cannot be watched; SIGHUP reloads them");
        }
        if !places.is_empty() {
            // What changed between the last load and the watch was not seen.
            reload(&reloader, &mut tried).await;
        }
        // Another configuration may have come in by another way.
        while same(&config.rules, &reloader) {
            let change = timeout(LOOK_TIME, changes.recv()).await;
            if !matches!(change, Ok(Some(()))) {
                // Without a watcher the channel has ended: to ask again at once would spin.
                if matches!(change, Ok(None)) {
                    tokio::time::sleep(LOOK_TIME).await;
                }
                continue;
            }
            settled(&mut changes).await;
            reload(&reloader, &mut tried).await;
        }
    }
}

fn same(rules: &Rules, reloader: &Reloader) -> bool {
    let now = Arc::clone(&reloader.in_force().config);
    rules.watch == now.rules.watch && (!rules.watch || places(rules) == places(&now.rules))
}

/// Ends when nothing has changed for a while, or when that takes too long.
async fn settled(changes: &mut mpsc::Receiver<()>) {
    let end = Instant::now() + LONGEST_WAIT;
    while let Ok(Some(())) = timeout(QUIET_TIME, changes.recv()).await {
        if Instant::now() > end {
            // Somebody writes for ever: what is there is tried.
            sleep_until(Instant::now() + QUIET_TIME).await;
            return;
        }
    }
}

async fn reload(reloader: &Reloader, tried: &mut Option<BundleDigest>) {
    let rules = reloader.in_force().config.rules.clone();
    let found = beside(move || {
        load::gathered(&rules)
            .map(|raws| Raw::digest_of(&raws))
            .ok()
    })
    .await;
    let found = found.flatten();
    let known = found.is_some_and(|found| reloader.in_force().is_of(found));
    if known || found.is_some() && found == *tried {
        return;
    }
    *tried = found;
    let _ = reloader.reload().await;
}

/// The folders that hold rule files: of a single file its folder, since a file is replaced by renaming.
fn places(rules: &Rules) -> Vec<(PathBuf, RecursiveMode)> {
    let mut places: Vec<(PathBuf, RecursiveMode)> = Vec::new();
    let folders = rules.bundles.iter().chain([&rules.store, &rules.imports]);
    for path in folders.filter(|path| !path.as_os_str().is_empty()) {
        places.push(match path.is_dir() {
            true => (path.clone(), RecursiveMode::Recursive),
            false => {
                let folder = path
                    .parent()
                    .filter(|folder| !folder.as_os_str().is_empty());
                let folder = folder.unwrap_or(Path::new("."));
                (folder.to_owned(), RecursiveMode::NonRecursive)
            }
        });
    }
    places
}

fn watcher(
    places: &[(PathBuf, RecursiveMode)],
    told: mpsc::Sender<()>,
) -> notify::Result<Option<RecommendedWatcher>> {
    if places.is_empty() {
        return Ok(None);
    }
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // One word is enough: a full channel means that it is said already.
        if event.is_ok_and(|event| is_change(event.kind)) {
            let _ = told.try_send(());
        }
    })?;
    for (path, mode) in places {
        watcher.watch(path, *mode)?;
    }
    Ok(Some(watcher))
}

/// To read is no change: the server itself reads these files.
fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_) => true,
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        EventKind::Any | EventKind::Other => false,
    }
}

/// After the last write.
const QUIET_TIME: Duration = Duration::from_millis(500);

/// After the first write, even when writing does not end.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Between two looks at the configuration.
const LOOK_TIME: Duration = Duration::from_secs(1);
