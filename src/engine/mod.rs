//! The write side: every command that changes something, and the loops that execute runs.
//!
//! Reads are left to `views`, and durable state to `storage`.

mod active;
mod appender;
mod attempt;
mod attempt_log;
mod audit;
mod backfill;
mod backfill_cancel;
mod backfill_dates;
mod backfill_intervals;
mod backfill_pauses;
mod backfill_rerun;
mod branch;
mod bulk;
mod cancel;
mod capacity;
mod check;
mod checkpoint;
mod code_pipelines;
mod command;
mod concurrency;
mod config_issues;
mod connections;
mod dataset_budget;
mod definition_warnings;
mod deliveries;
mod dependencies;
mod driver;
mod dry_run;
mod execution;
mod execution_permit;
mod hooks;
mod id_mismatch;
mod input_warnings;
mod journal;
mod labels;
mod node;
mod node_types;
mod note;
mod param_check;
mod pauses;
mod pipelines;
mod prepare;
mod profile;
mod purge;
mod queue;
mod queue_place;
mod redaction;
mod replaced_assets;
mod replaced_runs;
mod request_key;
mod rerun;
mod resume;
mod retention;
mod retry;
mod run_context;
mod run_date;
mod run_figures;
mod runtime_end;
mod secret_input;
mod secret_params;
mod secret_resolver;
mod shutdown;
mod stop_signal;
mod ticks;
mod trigger;
mod upstream_warnings;
mod variables;
mod versions;
mod webhook;

pub(crate) use crate::storage::{EditRun, PurgeMode};
pub(crate) use audit::Author;
pub(crate) use backfill::{BackfillRequest, StartedBackfill};
pub(crate) use backfill_dates::BackfillDates;
pub(crate) use backfill_rerun::{BackfillRerun, RepeatedDates};
pub(crate) use bulk::{BULK_MAX, BulkAction, BulkRerun, BulkRuns};
pub use bulk::{BulkOutcome, SkippedRun};
pub(crate) use cancel::CancelCommand;
pub(crate) use check::CheckedRuns;
pub use check::Finding;
pub(crate) use code_pipelines::CodePolicy;
pub(crate) use connections::CONNECTION_FIELDS;
pub(crate) use dry_run::DryRunRequest;
pub(crate) use labels::Annotations;
pub(crate) use pauses::{PauseChange, PauseCommand};
pub(crate) use pipelines::{Precondition, Revision};
pub use pipelines::{SavedPipeline, ValidationReport};
pub(crate) use purge::{PURGE_DAYS, PURGE_DAYS_MAX, PurgeRequest};
pub(crate) use queue_place::QueuePlace;
pub(crate) use request_key::{RequestKey, hash_body};
pub(crate) use rerun::RerunRequest;
pub(crate) use resume::{ResumeDefinition, ResumeRequest};
pub(crate) use ticks::{PendingTick, SchedulerHandle};
pub(crate) use trigger::{RunRequest, StartedRun};
pub(crate) use variables::VARIABLE_FIELDS;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{Mutex, Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::capacity::Capacity;
use crate::clock::Clock;
use crate::compute::Compute;
use crate::error::{Error, Problem, Result};
use crate::events::Events;
use crate::executor::{Registry, config_schema};
use crate::graph::param_defs::Patterns;
use crate::limits::Limits;
use crate::model::{OwnerId, Retention, ScheduledPipelines, TenantId};
#[cfg(feature = "webhook")]
use crate::notifier::HookClient;
use crate::notifier::{Awakening, RetryRequests};
use crate::secret::Keyring;
use crate::storage::Storage;

/// Processes commands and executes runs. Clones are the same engine; dropping the last one stops
/// its tasks.
#[derive(Debug, Clone)]
pub(crate) struct Engine(
    Arc<Shared>,
    // Held for its `Drop`.
    Arc<shutdown::ShutdownOnDrop>,
);

/// The state that all commands and loops of an engine share.
#[derive(Debug)]
pub(crate) struct Shared {
    storage: Arc<dyn Storage>,
    registry: Registry,
    keyring: Keyring,
    limits: Limits,
    clock: Clock,
    // Long computations on datasets, of all runs and dry runs.
    compute: Compute,
    events: Events,
    active: active::ActiveRuns,
    // The owner of every claim of this engine. It never changes: storage could not tell the
    // engine's own runs from orphans then.
    owner: OwnerId,
    capacity: Capacity,
    // The patterns of parameters that were used lately.
    patterns: Patterns,
    // The datasets of all runs and dry runs.
    dataset_budget: dataset_budget::DatasetBudget,
    // A permit is a command in progress.
    commands: Arc<Semaphore>,
    // A permit is a dry run in progress.
    dry_runs: Arc<Semaphore>,
    // Wakes the queue. A notify, since many wake-ups before the next claim count as one.
    wake: Notify,
    // Wakes the scheduler after a definition, and so its schedule, was saved or deleted.
    schedules_changed: Notify,
    // Ends of upstream runs may wait for an answer.
    ends_changed: Notify,
    // The dead letters that callers retry. The deliveries take them.
    retry_requests: Arc<RetryRequests>,
    // Wakes the notifier that calls the hooks of pipelines.
    hooks: Arc<Awakening>,
    // Checks the hooks of definitions.
    #[cfg(feature = "webhook")]
    hook_client: HookClient,
    // Tripped first: the engine claims no run and starts no node.
    drain: CancellationToken,
    // Tripped when the grace has passed: executing nodes are dropped.
    stop: CancellationToken,
    // Serializes purges. An async lock, since it is fair and is held across the pauses of a purge.
    purging: Arc<Mutex<()>>,
    // Which runs the engine purges automatically, and which entries of the audit it deletes.
    retention: Retention,
    // What callers may do with the pipelines of the code.
    code_policy: CodePolicy,
    // Which stored schedules fire.
    scheduled: ScheduledPipelines,
    // When the engine was created, on the monotonic clock.
    created_at: Duration,
    // Owns every task of the engine, so that `shutdown` can wait for them.
    tasks: TaskTracker,
    // Attempts that could not be aborted, since their code does not yield.
    abandoned: AtomicU64,
}

/// The parts from which an engine is built.
#[derive(Debug)]
pub(crate) struct EngineParts {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) registry: Registry,
    pub(crate) keyring: Keyring,
    pub(crate) limits: Limits,
    pub(crate) clock: Clock,
    pub(crate) events: Events,
    pub(crate) compute: Compute,
    pub(crate) retention: Retention,
    pub(crate) scheduled: ScheduledPipelines,
    pub(crate) code_policy: CodePolicy,
    #[cfg(feature = "webhook")]
    pub(crate) hook_client: HookClient,
}

impl Engine {
    /// Creates an engine that executes nothing until it is started.
    pub(crate) fn new(parts: EngineParts) -> Self {
        let EngineParts {
            storage,
            registry,
            keyring,
            limits,
            clock,
            events,
            compute,
            retention,
            scheduled,
            code_policy,
            #[cfg(feature = "webhook")]
            hook_client,
        } = parts;
        let dry_runs = usize::try_from(limits.dry_runs_max)
            .unwrap_or(usize::MAX)
            .min(Semaphore::MAX_PERMITS);
        let commands = limits.commands_max.clamp(1, Semaphore::MAX_PERMITS);
        let (drain, stop) = (CancellationToken::new(), CancellationToken::new());
        let shutdown_on_drop = shutdown::ShutdownOnDrop {
            drain: drain.clone(),
            stop: stop.clone(),
            events: events.clone(),
            dropped: CancellationToken::new(),
        };
        let shared = Shared {
            created_at: clock.elapsed(),
            owner: clock.new_owner_id(),
            purging: Arc::default(),
            retention,
            scheduled,
            code_policy,
            storage,
            registry,
            keyring,
            dataset_budget: dataset_budget::DatasetBudget::new(limits.datasets_bytes_max),
            capacity: Capacity::new(&limits),
            patterns: Patterns::default(),
            limits,
            clock,
            compute,
            events,
            active: active::ActiveRuns::default(),
            commands: Arc::new(Semaphore::new(commands)),
            dry_runs: Arc::new(Semaphore::new(dry_runs)),
            wake: Notify::new(),
            schedules_changed: Notify::new(),
            ends_changed: Notify::new(),
            retry_requests: Arc::default(),
            hooks: Arc::default(),
            #[cfg(feature = "webhook")]
            hook_client,
            drain,
            stop,
            tasks: TaskTracker::new(),
            abandoned: AtomicU64::new(0),
        };
        Self(Arc::new(shared), Arc::new(shutdown_on_drop))
    }

    /// Starts the loops that execute runs.
    pub(crate) fn start(&self) {
        self.0.tasks.spawn(queue::run(Arc::clone(&self.0)));
        self.0.tasks.spawn(queue::renew(Arc::clone(&self.0)));
        let live = self.0.events.clone().fill_ring(self.0.clock.clone());
        self.0.tasks.spawn(live);
        let (shared, retention) = (Arc::clone(&self.0), self.0.retention);
        let purging = move || retention::run(Arc::clone(&shared), retention);
        self.spawn_loop(purging);
        self.0.wake.notify_one();
    }

    /// Spawns a task that serves a stream of events.
    ///
    /// The task ends when the events are closed, and a shutdown waits for it.
    pub(crate) fn spawn_stream(&self, stream: impl Future<Output = ()> + Send + 'static) {
        self.0.tasks.spawn(stream);
    }

    /// Returns a token that is tripped when the last handle is dropped, but not by a shutdown.
    pub(crate) fn dropped(&self) -> CancellationToken {
        self.1.dropped.clone()
    }

    /// Returns the time since the engine was created.
    pub(crate) fn uptime(&self) -> Duration {
        self.0.clock.elapsed().saturating_sub(self.0.created_at)
    }

    /// Returns whether a shutdown has begun.
    pub(crate) fn is_shutting_down(&self) -> bool {
        self.0.drain.is_cancelled()
    }

    /// Returns the node types that pipelines of a tenant can use, in alphabetical order.
    pub(crate) fn node_types<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
    ) -> impl Iterator<Item = &'a str> {
        self.0.registry.kinds(tenant)
    }

    /// Returns the JSON Schema of the config of each node type that declares one and that pipelines
    /// of a tenant can use.
    pub(crate) fn config_schemas<'a>(
        &'a self,
        tenant: Option<&'a TenantId>,
    ) -> impl Iterator<Item = (&'a str, Value)> {
        let schema = move |kind| {
            let executor = self.0.registry.get(kind, tenant)?;
            Some((kind, config_schema(&**executor)?))
        };
        self.node_types(tenant).filter_map(schema)
    }

    /// Returns the limits as they were at the start.
    pub(crate) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Returns the limits as they are now.
    pub(crate) fn current_limits(&self) -> Arc<Limits> {
        self.0.capacity.current()
    }

    /// Changes how much executes and waits at once.
    ///
    /// # Errors
    /// `Invalid` if another limit differs from the one at the start. Nothing is changed then.
    pub(crate) fn set_limits(&self, limits: &Limits) -> Result<()> {
        self.0.set_limits(limits)
    }

    /// Returns what wakes the notifier of hooks.
    #[cfg(feature = "webhook")]
    pub(crate) fn hooks(&self) -> &Arc<Awakening> {
        &self.0.hooks
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(crate) fn events(&self) -> &Events {
        &self.0.events
    }

    /// Refuses a command after a shutdown has begun.
    pub(crate) fn refuse_in_shutdown(&self) -> Result<()> {
        if self.is_shutting_down() {
            return Err(shutting_down());
        }
        Ok(())
    }
}

fn shutting_down() -> Error {
    Error::new(
        Problem::ShuttingDown,
        "Floret is shutting down; nothing is accepted any more",
    )
}
