//! Floret: a job is a run of a pipeline of one node.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use floret::executor::{Ctx, ExecutorError};
use floret::storage::{Durability, EventFilter, SqliteOptions, SqliteStorage};
use floret::{EventKind, Floret, Limits, Pipeline, RunId, RunStatus};
use peers_work::{Jobs, Peer};

const PARAM: &str = "job";
const PIPELINE: &str = "single";

/// The job of each run that has started.
type Runs = Arc<Mutex<HashMap<RunId, usize>>>;

pub(crate) struct FloretPeer {
    floret: Floret,
    runs: Runs,
}

impl FloretPeer {
    pub(crate) async fn open(
        folder: &Path,
        durability: Durability,
        in_flight: usize,
        jobs: Arc<Jobs>,
    ) -> Self {
        let options = SqliteOptions::default().durability(durability);
        let storage = SqliteStorage::open_with(folder.join("floret.db"), options)
            .await
            .unwrap();
        let mut limits = Limits::default();
        limits.runs_max = u32::try_from(in_flight).unwrap();
        let runs = Runs::default();
        let (node_jobs, node_runs) = (Arc::clone(&jobs), Arc::clone(&runs));
        let floret = Floret::builder(storage)
            .limits(limits)
            .node("nothing", move |ctx: Ctx| {
                let (jobs, runs) = (Arc::clone(&node_jobs), Arc::clone(&node_runs));
                async move {
                    let job = ctx.param(PARAM).unwrap().parse().unwrap();
                    runs.lock().unwrap().insert(ctx.run_id, job);
                    jobs.start(job).await;
                    Ok::<_, ExecutorError>(())
                }
            })
            .pipeline(Pipeline::new(PIPELINE).node("only", "nothing"))
            .start()
            .await
            .unwrap();
        tokio::spawn(note_ends(floret.clone(), Arc::clone(&runs), jobs));
        Self { floret, runs }
    }
}

/// Notes each end once its event is committed: a subscription reads what is stored.
async fn note_ends(floret: Floret, runs: Runs, jobs: Arc<Jobs>) {
    let mut filter = EventFilter::default();
    filter.kinds = vec![
        EventKind::RunCompleted,
        EventKind::RunFailed,
        EventKind::RunCancelled,
    ];
    let mut events = floret.events_of(filter, 0);
    while let Some(event) = events.next().await {
        let event = event.unwrap();
        assert_eq!(event.kind, EventKind::RunCompleted, "of {}", event.run_id);
        let job = runs.lock().unwrap()[&event.run_id];
        jobs.end(job);
    }
}

impl Peer for FloretPeer {
    async fn enqueue(&self, job: usize) {
        let run = self.floret.run(PIPELINE).param(PARAM, job.to_string());
        run.start().await.unwrap();
    }

    /// Checks that each run that has started is stored as finished, too.
    async fn close(self) {
        let runs: Vec<_> = self.runs.lock().unwrap().keys().copied().collect();
        for run in runs {
            let detail = self.floret.run_by_id(run).finished().await.unwrap();
            assert_eq!(detail.run.status, RunStatus::Success);
        }
        self.floret.shutdown(Duration::from_secs(10)).await.unwrap();
    }
}
