//! A storage that fails on cue, before or after the effect, and counts what it is asked.
//!
//! What it remembers is the storage's that it wraps; connections and variables stand in
//! `faulty_settings`, schedules and backfills in `faulty_schedules`.

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
    Event, NodeId, NodeIndex, OwnerId, Page, PageRequest, Preview, Run, RunId, Scope,
    StoredPipeline,
};
use crate::storage::{
    Append, AppendOutcome, CancelOutcome, CancelRequest, Claim, ClaimCursors, ClaimOutcome,
    CreateRuns, CreatedRuns, Cursors, DeletePipeline, Deliveries, EventFilter, Events, Figures,
    FiguresFilter, FoundProfile, HeldRun, IdempotencyKey, Journal, OutputChunk, Outputs,
    PipelineFilter, Pipelines, Purge, PurgeOutcome, PutDeliveries, PutPipeline, Queue, RunDetail,
    RunFilter, Runs, Stats, Storage, StoredOutput, System,
};

/// Wraps a storage and fails on cue. Clones share cues and counts.
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
    /// A storage without faults so far.
    #[must_use]
    pub fn new(inner: Arc<dyn Storage>) -> Self {
        Self {
            inner,
            cues: Arc::default(),
        }
    }

    /// Adds a fault to those that are there.
    pub fn fail(&self, fault: Fault) {
        self.cues.lock().faults.push(fault);
    }

    /// Takes all faults away.
    pub fn heal(&self) {
        self.cues.lock().faults.clear();
    }

    /// Makes the next call of `method` wait at a gate before its effect.
    pub fn hold(&self, method: Method, gate: &Gate) {
        self.hold_at(method, When::Before, gate);
    }

    /// Makes the next call of `method` wait at a gate after its effect, before its answer.
    pub fn hold_after(&self, method: Method, gate: &Gate) {
        self.hold_at(method, When::After, gate);
    }

    /// From now on closing has no effect, so that a storage in memory can be given to the next
    /// engine as a file could.
    pub fn stay_open(&self) {
        self.cues.lock().stays_open = true;
    }

    fn hold_at(&self, method: Method, when: When, gate: &Gate) {
        self.cues.lock().gates.push((method, when, gate.clone()));
    }

    /// From now on every kept output is read with its last byte changed.
    pub fn damage_outputs(&self) {
        self.cues.lock().damages_outputs = true;
    }

    /// How often a method was called, failed calls included.
    #[must_use]
    pub fn calls(&self, method: Method) -> u64 {
        self.cues.lock().calls.get(&method).copied().unwrap_or(0)
    }

    /// How often any method was called, failed calls included.
    #[must_use]
    pub fn calls_in_all(&self) -> u64 {
        self.cues.lock().calls.values().sum()
    }

    pub(super) async fn around<T>(
        &self,
        method: Method,
        effect: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let Cue {
            fault,
            before,
            after,
        } = self.cues.lock().next(method);
        pass(before).await;
        let failed_after = match fault {
            Some((When::Before, error)) => return Err(error),
            Some((When::After, error)) => Some(error),
            None => None,
        };
        let answer = effect.await;
        pass(after).await;
        match failed_after {
            Some(error) => answer.and(Err(error)),
            None => answer,
        }
    }
}

async fn pass(gate: Option<Gate>) {
    if let Some(gate) = gate {
        gate.passed().await;
    }
}

#[async_trait]
impl Pipelines for FaultyStorage {
    async fn put_pipeline(&self, put: PutPipeline) -> Result<StoredPipeline> {
        self.around(Method::PutPipeline, self.inner.put_pipeline(put))
            .await
    }

    async fn find_pipeline(&self, key: &str, scope: &Scope) -> Result<Option<StoredPipeline>> {
        self.around(Method::FindPipeline, self.inner.find_pipeline(key, scope))
            .await
    }

    async fn list_pipelines(
        &self,
        filter: PipelineFilter,
        page: PageRequest,
    ) -> Result<Page<StoredPipeline>> {
        self.around(
            Method::ListPipelines,
            self.inner.list_pipelines(filter, page),
        )
        .await
    }

    async fn delete_pipeline(&self, delete: DeletePipeline) -> Result<()> {
        self.around(Method::DeletePipeline, self.inner.delete_pipeline(delete))
            .await
    }
}

#[async_trait]
impl Runs for FaultyStorage {
    async fn create_runs(&self, create: CreateRuns) -> Result<CreatedRuns> {
        self.around(Method::CreateRuns, self.inner.create_runs(create))
            .await
    }

    async fn find_idempotent(&self, key: &IdempotencyKey) -> Result<Option<CreatedRuns>> {
        self.around(Method::FindIdempotent, self.inner.find_idempotent(key))
            .await
    }

    async fn find_run(&self, run: RunId, scope: &Scope) -> Result<Option<RunDetail>> {
        self.around(Method::FindRun, self.inner.find_run(run, scope))
            .await
    }

    async fn find_chain(&self, first_run: RunId, scope: &Scope) -> Result<Vec<RunDetail>> {
        self.around(Method::FindChain, self.inner.find_chain(first_run, scope))
            .await
    }

    async fn list_runs(&self, filter: RunFilter, page: PageRequest) -> Result<Page<Run>> {
        self.around(Method::ListRuns, self.inner.list_runs(filter, page))
            .await
    }

    async fn request_cancel(&self, request: CancelRequest) -> Result<CancelOutcome> {
        self.around(Method::RequestCancel, self.inner.request_cancel(request))
            .await
    }

    async fn find_preview(
        &self,
        run: RunId,
        node: &NodeId,
        scope: &Scope,
    ) -> Result<Option<Preview>> {
        self.around(
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
        self.around(
            Method::FindProfile,
            self.inner.find_profile(run, node, scope),
        )
        .await
    }

    async fn newest_run(&self) -> Result<Option<RunId>> {
        self.around(Method::NewestRun, self.inner.newest_run())
            .await
    }
}

#[async_trait]
impl Queue for FaultyStorage {
    async fn claim(&self, claim: Claim) -> Result<ClaimOutcome> {
        self.around(Method::Claim, self.inner.claim(claim)).await
    }

    async fn renew(
        &self,
        owner: OwnerId,
        held: Vec<HeldRun>,
        lease: Duration,
        now: DateTime<Utc>,
    ) -> Result<Vec<HeldRun>> {
        self.around(Method::Renew, self.inner.renew(owner, held, lease, now))
            .await
    }

    async fn release(&self, owner: OwnerId, held: Vec<HeldRun>) -> Result<Vec<HeldRun>> {
        self.around(Method::Release, self.inner.release(owner, held))
            .await
    }
}

#[async_trait]
impl Journal for FaultyStorage {
    async fn append(&self, append: Append) -> Result<AppendOutcome> {
        self.around(Method::Append, self.inner.append(append)).await
    }
}

#[async_trait]
impl Outputs for FaultyStorage {
    async fn put_output_chunk(&self, chunk: OutputChunk) -> Result<()> {
        self.around(Method::PutOutputChunk, self.inner.put_output_chunk(chunk))
            .await
    }

    async fn find_output(
        &self,
        run: RunId,
        node_index: NodeIndex,
        scope: &Scope,
    ) -> Result<Option<StoredOutput>> {
        let find = self.inner.find_output(run, node_index, scope);
        let mut found = self.around(Method::FindOutput, find).await?;
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
    async fn events(&self, filter: EventFilter, after: u64, limit: u32) -> Result<Vec<Event>> {
        self.around(Method::Events, self.inner.events(filter, after, limit))
            .await
    }

    async fn newest_seq(&self) -> Result<u64> {
        self.around(Method::NewestSeq, self.inner.newest_seq())
            .await
    }
}

#[async_trait]
impl Deliveries for FaultyStorage {
    async fn claim_cursors(&self, claim: ClaimCursors) -> Result<Cursors> {
        self.around(Method::ClaimCursors, self.inner.claim_cursors(claim))
            .await
    }

    async fn put_deliveries(&self, put: PutDeliveries) -> Result<()> {
        self.around(Method::PutDeliveries, self.inner.put_deliveries(put))
            .await
    }
}

#[async_trait]
impl System for FaultyStorage {
    async fn stats(&self, scope: &Scope) -> Result<Stats> {
        self.around(Method::Stats, self.inner.stats(scope)).await
    }

    async fn figures(&self, filter: FiguresFilter) -> Result<Vec<Figures>> {
        self.around(Method::Figures, self.inner.figures(filter))
            .await
    }

    async fn purge(&self, purge: Purge) -> Result<PurgeOutcome> {
        self.around(Method::Purge, self.inner.purge(purge)).await
    }

    async fn close(&self) -> Result<()> {
        let stays_open = self.cues.lock().stays_open;
        let close = async {
            if stays_open {
                return Ok(());
            }
            self.inner.close().await
        };
        self.around(Method::Close, close).await
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
    async fn a_fault_before_has_no_effect_and_one_after_has_it() {
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
    async fn a_fault_strikes_the_calls_that_were_named() {
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
    async fn after_its_end_nothing_is_reached_until_it_is_healed() {
        let storage = faulty();
        storage.fail(Fault::end().skip(1));
        save(&storage, "daily").await;
        assert!(storage.newest_seq().await.is_err());
        assert!(create(&storage, new_run(1, "daily")).await.is_err());
        assert_eq!(storage.calls_in_all(), 3);
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
