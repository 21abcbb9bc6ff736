//! Schedules, dependencies and backfills of a storage that fails on cue.
//!
//! How a call fails is left to `faulty_storage`.

use async_trait::async_trait;

use super::{FaultyStorage, Method};
use crate::error::Result;
use crate::model::{Backfill, BackfillId, Page, PageRequest, Scope};
use crate::storage::{
    Advance, AdvanceOutcome, AnswerEnds, AnswerOutcome, BackfillDetail, BackfillFilter, Backfills,
    CancelBackfill, CancelBackfillOutcome, Dependencies, Schedules, SetBackfillPause,
    StoredSchedule, WaitingEnds,
};

#[async_trait]
impl Schedules for FaultyStorage {
    async fn schedules(&self, scope: &Scope) -> Result<Vec<StoredSchedule>> {
        self.intercept(Method::Schedules, self.inner.schedules(scope))
            .await
    }

    async fn advance(&self, advance: Advance) -> Result<AdvanceOutcome> {
        self.intercept(Method::Advance, self.inner.advance(advance))
            .await
    }
}

#[async_trait]
impl Dependencies for FaultyStorage {
    async fn waiting_ends(&self) -> Result<Vec<WaitingEnds>> {
        self.intercept(Method::WaitingEnds, self.inner.waiting_ends())
            .await
    }

    async fn answer_ends(&self, answer: AnswerEnds) -> Result<AnswerOutcome> {
        self.intercept(Method::AnswerEnds, self.inner.answer_ends(answer))
            .await
    }
}

#[async_trait]
impl Backfills for FaultyStorage {
    async fn find_backfill(
        &self,
        backfill: BackfillId,
        scope: &Scope,
    ) -> Result<Option<BackfillDetail>> {
        self.intercept(
            Method::FindBackfill,
            self.inner.find_backfill(backfill, scope),
        )
        .await
    }

    async fn list_backfills(
        &self,
        filter: BackfillFilter,
        page: PageRequest,
    ) -> Result<Page<Backfill>> {
        self.intercept(
            Method::ListBackfills,
            self.inner.list_backfills(filter, page),
        )
        .await
    }

    async fn set_backfill_pause(&self, request: SetBackfillPause) -> Result<BackfillDetail> {
        let call = self.inner.set_backfill_pause(request);
        self.intercept(Method::SetBackfillPause, call).await
    }

    async fn cancel_backfill(&self, cancel: CancelBackfill) -> Result<CancelBackfillOutcome> {
        self.intercept(Method::CancelBackfill, self.inner.cancel_backfill(cancel))
            .await
    }
}
