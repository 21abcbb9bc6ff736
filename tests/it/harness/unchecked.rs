//! Definitions that no save has checked: an older Floret, or a tool, has written them to the store.

use std::sync::Arc;
use std::time::Duration;

use floret::storage::{PutPipeline, SlugChoice};
use floret::testing::{FaultyStorage, ManualClock};
use floret::{EventKind, Pipeline, PipelineId, Run, RunStatus, Slug, Trigger};

use super::World;

impl World {
    /// Saves a definition, whose id is also its slug, without a check.
    pub(crate) async fn save_unchecked(&self, storage: &FaultyStorage, definition: Pipeline) {
        use floret::storage::Pipelines as _;
        let (id, slug) = (&*definition.id, &*definition.id);
        let (id, slug) = (PipelineId::new(id).unwrap(), Slug::new(slug).unwrap());
        let now = self.clock.clock().now();
        let put = PutPipeline::new(id, SlugChoice::Given(slug), Arc::new(definition), now);
        storage.put_pipeline(put).await.unwrap();
    }

    /// Returns the run that the first tick of a definition makes, which no save has checked. The
    /// schedule is that of each hour, and the run fails.
    pub(crate) async fn failed_tick_of_unchecked(&mut self, definition: Pipeline) -> Run {
        self.clock = ManualClock::new("2024-01-15T06:30:00Z".parse().unwrap());
        let storage = self.store.open().await;
        let hourly = definition.schedule("0 * * * *");
        self.save_unchecked(&storage, hourly).await;
        let host = self.start_on(storage, |builder| builder).await;
        self.clock.sleeper_within(Duration::from_secs(60)).await;
        self.clock.advance(Duration::from_secs(1_800));
        host.wait_for_events(EventKind::RunFailed, 1).await;
        let run = host.runs().await.remove(0);
        assert_eq!(
            (run.status, run.trigger),
            (RunStatus::Failed, Trigger::Schedule)
        );
        run
    }
}
