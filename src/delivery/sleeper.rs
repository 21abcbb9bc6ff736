//! A notifier that sleeps until it is first needed. Until then it has no cursor and no worker, so
//! that it reads and writes nothing.
//!
//! `engine/hooks` stores its cursor and wakes it (`notifier/awakening`).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use super::Shared;
use super::served::ServedNotifier;
use super::worker::DeliveryWorker;
use crate::error::{Result, log};
use crate::notifier::{Awakening, Notifier};
use crate::storage::{ClaimCursors, Cursors, NotifierCursor};

/// The delay after a failed call of storage.
const STORAGE_RETRY_DELAY: Duration = Duration::from_secs(1);

/// The notifier of hooks, which sleeps until a pipeline has one.
#[derive(Clone)]
pub(crate) struct Sleeper {
    pub(crate) notifier: Arc<dyn Notifier>,
    pub(crate) awakening: Arc<Awakening>,
}

impl fmt::Debug for Sleeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.awakening.fmt(f)
    }
}

impl Sleeper {
    /// Returns its cursor, if it has begun before.
    ///
    /// One that was absent for too long starts anew, as any notifier.
    pub(super) async fn take_cursor(
        &self,
        shared: &Shared,
        claimed: &mut Cursors,
    ) -> Result<Option<NotifierCursor>> {
        let mut own = claimed
            .cursors
            .extract_if(.., |it| it.name == Awakening::HOOKS);
        let mut cursor = own.next();
        drop(own);
        let mut expired = claimed.expired.iter();
        if expired.any(|expired| expired.name == Awakening::HOOKS) {
            cursor = claim(shared).await?;
        }
        if cursor.is_some() {
            self.awakening.wake();
        }
        Ok(cursor)
    }

    /// Waits until it is woken, and serves it then.
    pub(super) async fn serve(self, shared: Arc<Shared>, newest: watch::Receiver<u64>) {
        tokio::select! {
            () = shared.drain.cancelled() => return,
            () = shared.stop.cancelled() => return,
            () = self.awakening.awoken() => {}
        }
        loop {
            match claim(&shared).await {
                Ok(Some(cursor)) => return self.worker(&shared, cursor, newest).run().await,
                // Its cursor is deleted if the host stops the clock for days. It gets another one.
                Ok(None) => {}
                Err(error) => log::warn!(%error, "the hooks wait for storage"),
            }
            tokio::select! {
                () = shared.stop.cancelled() => return,
                () = shared.clock.sleep(STORAGE_RETRY_DELAY) => {}
            }
        }
    }

    pub(super) fn worker(
        &self,
        shared: &Arc<Shared>,
        cursor: NotifierCursor,
        newest: watch::Receiver<u64>,
    ) -> DeliveryWorker {
        let served = ServedNotifier::of_many_receivers(&self.notifier, &shared.limits);
        DeliveryWorker::new(shared, served, cursor, newest)
    }
}

/// Returns the cursor, with what is parked. It expires at no age.
async fn claim(shared: &Shared) -> Result<Option<NotifierCursor>> {
    let names = vec![Awakening::HOOKS.to_owned()];
    let claim = ClaimCursors::new(names, DateTime::<Utc>::MIN_UTC, shared.clock.now());
    let claimed = shared.storage.claim_cursors(claim).await?;
    Ok(claimed.cursors.into_iter().next())
}
