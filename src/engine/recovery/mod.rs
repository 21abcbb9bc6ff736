//! Takes a claimed run up where it stands: at its beginning, after a crash, or on what an earlier run of its chain left.
//!
//! What must be executed again is decided by `graph/plan`; this file reads what the plan asks for.

mod known;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use self::known::{Known, known};
use super::Shared;
use super::attempt::reached;
use super::checkpoint;
use super::context::Context;
use super::driver::{Closing, Driver};
use super::halt::Halt;
use super::journal::{Journal, Lost, Position};
use super::vault::Vault;
use crate::error::{Result, trace_causes};
use crate::graph::Graph;
use crate::graph::frontier::{Frontier, NodeOutcome};
use crate::graph::plan::{Kept, Past, Plan};
use crate::model::{Cancel, Dataset, Level, NodeStatus, Place, RunStatus};
use crate::storage::{Claimed, Entry, NodeEnd};

/// What reaches a run under way from outside.
#[derive(Debug)]
pub(super) struct Strings {
    pub(super) wish: watch::Receiver<Option<Cancel>>,
    pub(super) halt: watch::Sender<Halt>,
}

/// A run ready to be driven, with the nodes that will never run.
pub(super) type Ready = (Driver, Vec<Place>);

/// Takes up a claimed run.
///
/// # Errors
/// `Err(Lost)` inside when the claim is lost meanwhile; an error when the stored definition is no graph.
pub(super) async fn take_up(
    shared: &Arc<Shared>,
    claimed: Claimed,
    strings: Strings,
) -> Result<Result<Ready, Lost>> {
    let graph = Arc::new(Graph::new(&claimed.definition)?);
    let known = known(&graph, &claimed);
    let is_suspect = claimed.claim_count > 1;
    let Strings { wish, halt } = strings;
    let at = Position {
        run: claimed.run.id,
        epoch: claimed.epoch,
        position: claimed.position,
    };
    let (journal, appender) = Journal::open(shared, at, halt.clone());
    let closing = journal.closing();
    let slots = usize::try_from(shared.limits.nodes_run_max)
        .unwrap_or(usize::MAX)
        .max(1);
    let context = Arc::new(Context {
        shared: Arc::clone(shared),
        vault: Vault::new(shared, &claimed.run),
        run: claimed.run,
        epoch: claimed.epoch,
        definition: claimed.definition,
        graph: Arc::clone(&graph),
        journal,
        node_slots: Arc::new(tokio::sync::Semaphore::new(slots)),
        halt,
    });
    let appender = Closing {
        closing,
        appender: shared.tasks.spawn(appender.run()),
    };
    Ok(TakeUp {
        context,
        graph,
        known,
        is_suspect,
    }
    .prepare(wish, appender)
    .await)
}

struct TakeUp {
    context: Arc<Context>,
    graph: Arc<Graph>,
    known: Vec<Known>,
    is_suspect: bool,
}

impl TakeUp {
    async fn prepare(
        self,
        wish: watch::Receiver<Option<Cancel>>,
        appender: Closing,
    ) -> Result<Ready, Lost> {
        let mut plan = Plan::new(
            &self.graph,
            self.places()
                .map(|(place, known)| known.past(self.context.is_sink(place)))
                .collect(),
        );
        let datasets = self.read_needed(&mut plan).await?;
        self.record_reuse(&plan).await?;
        let is_remade = |place: Place, known: &Known| {
            known.outcome() == Some(NodeOutcome::Success) && plan.executes(place)
        };
        let settled = self
            .places()
            .map(|(place, known)| self.settled(&plan, place, known))
            .collect();
        let (frontier, skipped) = Frontier::new(Arc::clone(&self.graph), settled);
        let takers = self.takers(&plan);
        let driver = Driver {
            frontier,
            datasets,
            takers,
            attempts: self.attempts(),
            remade: self
                .places()
                .filter(|(place, known)| is_remade(*place, known))
                .map(|(place, _)| place)
                .collect(),
            doomed: self.doomed(&plan),
            first_error: self.first_error(),
            is_suspect: self.is_suspect,
            wish,
            tasks: JoinSet::new(),
            ends: JoinSet::new(),
            profiles: JoinSet::new(),
            appender,
            context: self.context,
        };
        Ok((driver, skipped))
    }

    fn places(&self) -> impl Iterator<Item = (Place, &Known)> {
        (0..Place::MAX).zip(&self.known)
    }

    /// Reads every kept output that an executing node needs; one that is missing or damaged makes its node run again.
    async fn read_needed(&self, plan: &mut Plan<'_>) -> Result<Vec<Option<Dataset>>, Lost> {
        let mut datasets = vec![None; self.graph.len()];
        for (place, known) in self.places() {
            if let Past::Succeeded {
                output: Kept::Lost, ..
            } = known.past(false)
                && plan.executes(place)
            {
                self.tell(
                    place,
                    "its output was too large to keep, or a secret stood in it, so that it is executed again",
                )
                .await?;
            }
        }
        while let Some(place) = plan.next_needed() {
            match self.read(place).await? {
                Some(dataset) => {
                    if let Some(slot) = datasets.get_mut(usize::from(place)) {
                        *slot = Some(dataset);
                    }
                }
                None => {
                    plan.lost(place);
                    self.tell(
                        place,
                        "its kept output is missing or damaged, so that it is executed again",
                    )
                    .await?;
                }
            }
        }
        Ok(datasets)
    }

    /// Reads a kept output, again and again while storage is only out of reach.
    async fn read(&self, place: Place) -> Result<Option<Dataset>, Lost> {
        const PAUSE: Duration = Duration::from_millis(100);
        let mut halt = self.context.halt.subscribe();
        loop {
            let error = match checkpoint::read(&self.context, place).await {
                Ok(dataset) => return Ok(dataset),
                Err(error) => error,
            };
            if !error.kind().is_transient() {
                tracing::error!(run_id = %self.context.run.id, %error, "a kept output cannot be read; its node runs again");
                trace_causes(&error);
                return Ok(None);
            }
            tokio::select! {
                () = self.context.shared.clock.sleep(PAUSE) => {}
                _ = reached(&mut halt, Halt::Lost) => return Err(Lost),
                () = self.context.shared.stop.cancelled() => return Err(Lost),
            }
        }
    }

    async fn tell(&self, place: Place, what: &str) -> Result<(), Lost> {
        let node = self.context.node_id(place).map_or("", |id| id.as_str());
        let message = format!("Node {node}: {what}");
        let at = self.context.shared.clock.now();
        self.context
            .journal
            .send(Entry::Log {
                place: Some(place),
                attempt: None,
                level: Level::Warning,
                message,
                at,
            })
            .await
    }

    /// Records the nodes whose earlier success is reused.
    async fn record_reuse(&self, plan: &Plan<'_>) -> Result<(), Lost> {
        for (place, known) in self.places() {
            let Some(inherited) = &known.inherited else {
                continue;
            };
            if plan.executes(place) || known.outcome().is_some() || known.has_begun() {
                continue;
            }
            let mut end = NodeEnd::new(place, NodeStatus::Skipped, self.context.shared.clock.now());
            end.row_count = inherited.row_count;
            end.has_dataset = inherited.has_dataset;
            end.reused_from = Some(inherited.from_run);
            self.context
                .journal
                .send(Entry::NodeFinished(Box::new(end)))
                .await?;
        }
        Ok(())
    }

    /// What the frontier takes as final.
    fn settled(&self, plan: &Plan<'_>, place: Place, known: &Known) -> Option<NodeOutcome> {
        match known.outcome() {
            Some(NodeOutcome::Success) if plan.executes(place) => None,
            Some(outcome) => Some(outcome),
            None if known.inherited.is_some() && !plan.executes(place) => {
                Some(NodeOutcome::Success)
            }
            None => None,
        }
    }

    /// How many executing nodes take each node's output.
    fn takers(&self, plan: &Plan<'_>) -> Vec<usize> {
        let of = |place| {
            self.graph
                .downstream(place)
                .iter()
                .filter(|&&taker| plan.executes(taker))
                .count()
        };
        self.places().map(|(place, _)| of(place)).collect()
    }

    /// The attempt to begin with: one that a crash ended is made again, one that failed is followed by the next.
    fn attempts(&self) -> HashMap<Place, u32> {
        let begun = |(place, known): (Place, &Known)| {
            let row = known
                .row
                .as_ref()
                .filter(|row| row.status == NodeStatus::Pending)?;
            let has_failed = row.error.is_some();
            row.attempt
                .map(|attempt| (place, attempt.saturating_add(u32::from(has_failed))))
        };
        self.places().filter_map(begun).collect()
    }

    /// Nodes that need the lost output of a sink, which is never repeated.
    fn doomed(&self, plan: &Plan<'_>) -> HashMap<Place, String> {
        let why = |sink: Place| {
            let sink = self.context.node_id(sink).map_or("", |id| id.as_str());
            format!(
                "the output of {sink} is needed and no longer there, and a sink that succeeded is never repeated by itself"
            )
        };
        plan.unmet()
            .iter()
            .map(|&(sink, node)| (node, why(sink)))
            .collect()
    }

    fn first_error(&self) -> Option<String> {
        let failed = self
            .known
            .iter()
            .filter_map(|known| known.row.as_ref())
            .filter(|row| row.status == NodeStatus::Failed);
        let first = failed.min_by_key(|row| row.finished_at)?;
        Some(format!(
            "node {}: {}",
            first.node_id,
            first.error.as_deref().unwrap_or("it failed")
        ))
    }
}

/// How a run whose definition cannot be executed ends.
pub(super) fn broken(
    claimed: &Claimed,
    error: &crate::error::Error,
    at: chrono::DateTime<chrono::Utc>,
) -> Entry {
    let status = if claimed.run.cancel.is_some() {
        RunStatus::Cancelled
    } else {
        RunStatus::Failed
    };
    Entry::RunFinished {
        status,
        error: Some(format!("the stored definition cannot be executed: {error}")),
        at,
    }
}
