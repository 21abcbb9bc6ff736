//! A storage that fails on cue, before or after the effect, and counts its calls.
//!
//! The data is left to the storage that it wraps. Connections and variables are in
//! `faulty_settings`, schedules and backfills in `faulty_schedules`, deliveries in
//! `faulty_deliveries`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use parking_lot::Mutex;

use super::cues::{Cue, Cues};
use super::fault::When;
use super::{Fault, Gate, Method};
use crate::error::Result;
use crate::model::{
    NodeId, NodeIndex, OwnerId, Page, PageRequest, Preview, Run, RunId, Scope, StoredPipeline,
    Waiting,
};
use crate::storage::{
    Append, AppendOutcome, CancelOutcome, CancelRequest, Claim, ClaimOutcome, CreateRuns,
    CreatedRuns, DeletePipeline, EarlierEvents, EditRun, EventFilter, EventPage, Events, Figures,
    FiguresFilter, FirstCreation, FoundProfile, HeldRun, IdempotentOperation, Journal, OutputChunk,
    Outputs, PipelineFilter, Pipelines, Purge, PurgeOutcome, PutPipeline, Queue, RunDetail,
    RunFilter, Runs, SetPause, Stats, Storage, StoredOutput, System,
};

/// A wrapper around any storage that fails, waits and counts calls as a test asks.
///
/// Clones share their faults, gates and counts, so a test keeps one clone and gives the other to
/// the [`Builder`](crate::Builder).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use std::sync::Arc;
///
/// use floret::storage::{MemoryStorage, Runs as _};
/// use floret::testing::{Fault, FaultyStorage, Method};
/// use floret::{ErrorKind, Problem};
///
/// let storage = FaultyStorage::new(Arc::new(MemoryStorage::default()));
/// storage.fail(Fault::before(Method::NewestRun, Problem::StorageBusy));
///
/// let refused = storage.newest_run().await.unwrap_err();
/// assert_eq!(refused.kind(), ErrorKind::Unavailable);
/// assert!(storage.newest_run().await.is_ok());
/// assert_eq!(storage.calls(Method::NewestRun), 2);
/// # }
/// ```
#[derive(Clone)]
pub struct FaultyStorage {
    pub(super) inner: Arc<dyn Storage>,
    cues: Arc<Mutex<Cues>>,
}

impl fmt::Debug for FaultyStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyStorage")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl FaultyStorage {
    /// Wraps `inner`, at first without any fault.
    #[must_use]
    pub fn new(inner: Arc<dyn Storage>) -> Self {
        Self {
            inner,
            cues: Arc::default(),
        }
    }

    /// Adds a fault to the existing ones.
    ///
    /// If several faults match a call, the call fails with the first one added.
    pub fn fail(&self, fault: Fault) {
        self.cues.lock().faults.push(fault);
    }

    /// Removes all faults.
    pub fn heal(&self) {
        self.cues.lock().faults.clear();
    }

    /// Makes the next call of `method` wait at `gate` before it takes effect.
    pub fn hold(&self, method: Method, gate: &Gate) {
        self.hold_at(method, When::Before, gate);
    }

    /// Makes the next call of `method` wait at `gate` after it took effect, before it returns.
    pub fn hold_after(&self, method: Method, gate: &Gate) {
        self.hold_at(method, When::After, gate);
    }

    /// Makes `close` do nothing from now on.
    ///
    /// The next Floret can then open a storage in memory again, as it could open a file.
    pub fn ignore_close(&self) {
        self.cues.lock().ignores_close = true;
    }

    fn hold_at(&self, method: Method, when: When, gate: &Gate) {
        self.cues.lock().gates.push((method, when, gate.clone()));
    }

    /// Changes the last byte of every stored output that is read from now on.
    pub fn damage_outputs(&self) {
        self.cues.lock().damages_outputs = true;
    }

    /// Returns how often `method` was called, including failed calls.
    #[must_use]
    pub fn calls(&self, method: Method) -> u64 {
        self.cues.lock().calls.get(&method).copied().unwrap_or(0)
    }

    /// Returns how many calls were made of all methods, including failed calls.
    #[must_use]
    pub fn total_calls(&self) -> u64 {
        self.cues.lock().calls.values().sum()
    }

    /// Applies the next fault and gates of `method` to a call, and counts it.
    pub(super) async fn intercept<T>(
        &self,
        method: Method,
        effect: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let Cue {
            fault,
            before,
            after,
        } = self.cues.lock().next(method);
        wait_at(before).await;
        let failed_after = match fault {
            Some((When::Before, failure)) => return Err(failure.into_error()),
            Some((When::After, failure)) => Some(failure),
            None => None,
        };
        let result = effect.await;
        wait_at(after).await;
        match failed_after {
            Some(failure) => result.and(Err(failure.into_error())),
            None => result,
        }
    }
}

async fn wait_at(gate: Option<Gate>) {
    if let Some(gate) = gate {
        gate.passed().await;
    }
}

#[async_trait]
impl Pipelines for FaultyStorage {
    async fn put_pipeline(&self, put: PutPipeline) -> Result<StoredPipeline> {
        self.intercept(Method::PutPipeline, self.inner.put_pipeline(put))
            .await
    }

    async fn find_pipeline(&self, key: &str, scope: &Scope) -> Result<Option<StoredPipeline>> {
        self.intercept(Method::FindPipeline, self.inner.find_pipeline(key, scope))
            .await
    }

    async fn list_pipelines(
        &self,
        filter: PipelineFilter,
        page: PageRequest,
    ) -> Result<Page<StoredPipeline>> {
        self.intercept(
            Method::ListPipelines,
            self.inner.list_pipelines(filter, page),
        )
        .await
    }

    async fn set_pause(&self, request: SetPause) -> Result<StoredPipeline> {
        self.intercept(Method::SetPause, self.inner.set_pause(request))
            .await
    }

    async fn delete_pipeline(&self, delete: DeletePipeline) -> Result<()> {
        self.intercept(Method::DeletePipeline, self.inner.delete_pipeline(delete))
            .await
    }
}

#[async_trait]
impl Runs for FaultyStorage {
    async fn create_runs(&self, create: CreateRuns) -> Result<CreatedRuns> {
        self.intercept(Method::CreateRuns, self.inner.create_runs(create))
            .await
    }

    async fn find_idempotent(
        &self,
        operation: &IdempotentOperation,
        key: &str,
    ) -> Result<Option<FirstCreation>> {
        let found = self.inner.find_idempotent(operation, key);
        self.intercept(Method::FindIdempotent, found).await
    }

    async fn find_run(&self, run: RunId, scope: &Scope) -> Result<Option<RunDetail>> {
        self.intercept(Method::FindRun, self.inner.find_run(run, scope))
            .await
    }

    async fn find_chain(&self, first_run: RunId, scope: &Scope) -> Result<Vec<RunDetail>> {
        self.intercept(Method::FindChain, self.inner.find_chain(first_run, scope))
            .await
    }

    async fn list_runs(&self, filter: RunFilter, page: PageRequest) -> Result<Page<Run>> {
        self.intercept(Method::ListRuns, self.inner.list_runs(filter, page))
            .await
    }

    async fn request_cancel(&self, request: CancelRequest) -> Result<CancelOutcome> {
        self.intercept(Method::RequestCancel, self.inner.request_cancel(request))
            .await
    }

    async fn edit_run(&self, edit: EditRun) -> Result<()> {
        self.intercept(Method::EditRun, self.inner.edit_run(edit))
            .await
    }

    async fn find_preview(
        &self,
        run: RunId,
        node: &NodeId,
        scope: &Scope,
    ) -> Result<Option<Preview>> {
        self.intercept(
            Method::FindPreview,
            self.inner.find_preview(run, node, scope),
        )
        .await
    }

    async fn find_profile(
        &self,
        run: RunId,
        node: &NodeId,
        scope: &Scope,
    ) -> Result<Option<FoundProfile>> {
        self.intercept(
            Method::FindProfile,
            self.inner.find_profile(run, node, scope),
        )
        .await
    }

    async fn newest_run(&self) -> Result<Option<RunId>> {
        self.intercept(Method::NewestRun, self.inner.newest_run())
            .await
    }
}

#[async_trait]
impl Queue for FaultyStorage {
    async fn claim(&self, claim: Claim) -> Result<ClaimOutcome> {
        self.intercept(Method::Claim, self.inner.claim(claim)).await
    }

    async fn renew(
        &self,
        owner: OwnerId,
        held: Vec<HeldRun>,
        lease: Duration,
        now: DateTime<Utc>,
    ) -> Result<Vec<HeldRun>> {
        self.intercept(Method::Renew, self.inner.renew(owner, held, lease, now))
            .await
    }

    async fn release(&self, owner: OwnerId, held: Vec<HeldRun>) -> Result<Vec<HeldRun>> {
        self.intercept(Method::Release, self.inner.release(owner, held))
            .await
    }

    async fn waiting(
        &self,
        run: RunId,
        scope: &Scope,
        now: DateTime<Utc>,
    ) -> Result<Option<Waiting>> {
        self.intercept(Method::Waiting, self.inner.waiting(run, scope, now))
            .await
    }
}

#[async_trait]
impl Journal for FaultyStorage {
    async fn append(&self, append: Append) -> Result<AppendOutcome> {
        self.intercept(Method::Append, self.inner.append(append))
            .await
    }
}

#[async_trait]
impl Outputs for FaultyStorage {
    async fn put_output_chunk(&self, chunk: OutputChunk) -> Result<()> {
        self.intercept(Method::PutOutputChunk, self.inner.put_output_chunk(chunk))
            .await
    }

    async fn find_output(
        &self,
        run: RunId,
        node_index: NodeIndex,
        scope: &Scope,
    ) -> Result<Option<StoredOutput>> {
        let find = self.inner.find_output(run, node_index, scope);
        let mut found = self.intercept(Method::FindOutput, find).await?;
        if self.cues.lock().damages_outputs
            && let Some(last) = found.as_mut().and_then(|output| output.bytes.last_mut())
        {
            *last = !*last;
        }
        Ok(found)
    }
}

#[async_trait]
impl Events for FaultyStorage {
    async fn events(&self, filter: EventFilter, after: u64, limit: u32) -> Result<EventPage> {
        self.intercept(Method::Events, self.inner.events(filter, after, limit))
            .await
    }

    async fn events_before(
        &self,
        filter: EventFilter,
        before: u64,
        limit: u32,
    ) -> Result<EarlierEvents> {
        let read = self.inner.events_before(filter, before, limit);
        self.intercept(Method::EventsBefore, read).await
    }

    async fn newest_seq(&self) -> Result<u64> {
        self.intercept(Method::NewestSeq, self.inner.newest_seq())
            .await
    }
}

#[async_trait]
impl System for FaultyStorage {
    async fn stats(&self, scope: &Scope) -> Result<Stats> {
        self.intercept(Method::Stats, self.inner.stats(scope)).await
    }

    async fn figures(&self, filter: FiguresFilter) -> Result<Vec<Figures>> {
        self.intercept(Method::Figures, self.inner.figures(filter))
            .await
    }

    async fn purge(&self, purge: Purge) -> Result<PurgeOutcome> {
        self.intercept(Method::Purge, self.inner.purge(purge)).await
    }

    async fn close(&self) -> Result<()> {
        let ignores_close = self.cues.lock().ignores_close;
        let close = async {
            if ignores_close {
                return Ok(());
            }
            self.inner.close().await
        };
        self.intercept(Method::Close, close).await
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::error::{ErrorKind, Problem};
    use crate::storage::MemoryStorage;
    use crate::testing::contract::fixtures::{all_events, create, new_run, save};

    crate::storage_contract!(async |_| FaultyStorage::new(Arc::new(MemoryStorage::default())));

    fn faulty() -> FaultyStorage {
        FaultyStorage::new(Arc::new(MemoryStorage::default()))
    }

    #[tokio::test]
    async fn a_call_takes_effect_only_if_its_fault_comes_after() {
        let storage = faulty();
        save(&storage, "daily").await;
        storage.fail(Fault::before(Method::CreateRuns, Problem::StorageBusy));
        let before = create(&storage, new_run(1, "daily")).await;
        assert_eq!(before.unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(all_events(&storage).await.len(), 0);
        storage.fail(Fault::after(Method::CreateRuns, Problem::StorageFull));
        let after = create(&storage, new_run(1, "daily")).await;
        assert_eq!(after.unwrap_err().problem(), Problem::StorageFull);
        assert_eq!(all_events(&storage).await.len(), 1);
        create(&storage, new_run(2, "daily")).await.unwrap();
        assert_eq!(storage.calls(Method::CreateRuns), 3);
    }

    #[tokio::test]
    async fn a_fault_fails_exactly_the_chosen_calls() {
        let storage = faulty();
        let fault = Fault::before(Method::NewestSeq, Problem::StorageBusy);
        storage.fail(fault.skip(1).times(2));
        let mut outcomes = Vec::new();
        for _ in 0..4 {
            outcomes.push(storage.newest_seq().await.is_ok());
            storage.newest_run().await.unwrap();
        }
        assert_eq!(outcomes, [true, false, false, true]);
    }

    #[tokio::test]
    async fn after_a_crash_every_call_fails_until_the_storage_is_healed() {
        let storage = faulty();
        storage.fail(Fault::crash().skip(1));
        save(&storage, "daily").await;
        assert!(storage.newest_seq().await.is_err());
        assert!(create(&storage, new_run(1, "daily")).await.is_err());
        assert_eq!(storage.total_calls(), 3);
        storage.heal();
        create(&storage, new_run(1, "daily")).await.unwrap();
    }

    #[tokio::test]
    async fn a_held_call_waits_at_its_gate() {
        let storage = faulty();
        save(&storage, "daily").await;
        let gate = Gate::new();
        storage.hold(Method::CreateRuns, &gate);
        let mut held = Box::pin(create(&storage, new_run(1, "daily")));
        assert!((&mut held).now_or_never().is_none());
        create(&storage, new_run(2, "daily")).await.unwrap();
        gate.open();
        held.await.unwrap();
    }
}
