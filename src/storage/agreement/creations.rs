//! Commands that define pipelines and create runs.
//!
//! Executing the runs is left to `executions`.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;

use super::command::Command;
use super::world::{World, both, name_of, scope_of};
use crate::model::{
    AuditAction, BackfillOrder, BackfillUnit, DependencyRule, DependencyState, InheritedOutput,
    OnConflict, Overlap, PageRequest, Pause, Pipeline, PipelineId, Priority, Qualified, Run,
    RunConcurrency, RunStatus, Scope, TokenHash, TraceParent, Trigger,
};
use crate::storage::{
    CreateRuns, DeletePipeline, Expect, IdempotencyKey, IdempotentOperation, NewRun,
    PipelineFilter, PutPipeline, RunDetail, RunFilter, SavedBy, SetBackfillPause, SetPause,
    SlugChoice, TokenChange,
};
use crate::testing::contract::fixtures::{
    at, definition, list_run_ids, new_backfill, new_run, pipeline_id, resume, slug,
};

/// Returns the traceparent of a run, which every second one has.
fn trace_of(n: u64) -> Option<TraceParent> {
    let text = format!("00-{:032x}-{:016x}-0{}", n + 1, n + 1, n % 4);
    n.is_multiple_of(2).then(|| text.parse().unwrap())
}

impl World<'_> {
    pub(super) async fn put(&self, command: &Command) {
        let Command::Put {
            pipeline,
            variant,
            slug: choice,
            expect,
            saved_by,
            scope,
        } = *command
        else {
            unreachable!("{command:?} is no put");
        };
        let id = pipeline_id(&name_of(pipeline));
        let definition = Arc::new(variant_of(&name_of(pipeline), variant));
        let mut put = PutPipeline::new(id, slug_of(choice), definition, self.now());
        put.expect = EXPECTATIONS[usize::from(expect)];
        put.saved_by = AUTHORS[usize::from(saved_by)];
        let token = usize::from(variant) + usize::from(expect) + usize::from(saved_by);
        put.webhook_token = TOKENS[token % TOKENS.len()];
        put.scope = scope_of(scope);
        put.audit = Some(self.audit(AuditAction::PipelineEdit));
        drop(both!(self, command, |storage, _side| storage
            .put_pipeline(put.clone())));
    }

    pub(super) async fn delete(&self, command: &Command, pipeline: u8, scope: u8) {
        let id = pipeline_id(&name_of(pipeline));
        let mut delete = DeletePipeline::new(id, self.now());
        delete.scope = scope_of(scope);
        delete.audit = Some(self.audit(AuditAction::PipelineDelete));
        // Expects a version in every other case. About half of the pipelines have that version.
        delete.version = self.runs.is_multiple_of(2).then_some(1);
        drop(both!(self, command, |storage, _side| storage
            .delete_pipeline(delete.clone())));
    }

    pub(super) async fn pause(&self, command: &Command) {
        let Command::Pause {
            pipeline,
            pauses,
            scope,
        } = *command
        else {
            unreachable!("{command:?} is no pause");
        };
        let pause = pauses.then(|| Pause::new(self.now()));
        let mut request = SetPause::new(pipeline_id(&name_of(pipeline)), pause);
        request.scope = scope_of(scope);
        request.audit = Some(self.audit(AuditAction::PipelinePause));
        drop(both!(self, command, |storage, _side| storage
            .set_pause(request.clone())));
    }

    /// Returns the pipeline that an id stands for and its version, or what a creation would take if
    /// there is none.
    ///
    /// A look-up does not tell: the slug of another tenant's pipeline may make it unclear.
    async fn named(&self, name: &str, scope: &Scope) -> (Qualified<PipelineId>, u32) {
        let filter = PipelineFilter {
            scope: scope.clone(),
            ..PipelineFilter::default()
        };
        let newest = PageRequest::Newest { limit: 100 };
        let listed = self.left.list_pipelines(filter, newest).await;
        let listed = listed.map_or_else(|_| Vec::new(), |page| page.items);
        let same_id = listed.into_iter().filter(|item| item.id.as_str() == name);
        let found = scope.choose(name, same_id, |item| item.tenant.as_ref());
        let found = found.ok().flatten();
        let absent = || Qualified::new(pipeline_id(name), scope.tenant().cloned());
        let version = found.as_ref().map_or(1, |found| found.version);
        (
            found.map_or_else(absent, |found| found.qualified_id()),
            version,
        )
    }

    pub(super) async fn trigger(&mut self, command: &Command) {
        let Command::Trigger {
            pipeline,
            trigger,
            count,
            key,
            tick,
            place: (priority, delay),
            concurrency,
            scope,
        } = *command
        else {
            unreachable!("{command:?} is no trigger");
        };
        let name = name_of(pipeline);
        let (own, version) = self.named(&name, &scope_of(scope)).await;
        let mut create = CreateRuns::new(Vec::new());
        for n in 0..u64::from(count) {
            let mut run = new_run(self.runs + n + 1, &name);
            run.pipeline_version = version;
            run.trigger = TRIGGERS[usize::from(trigger)];
            run.created_at = self.now();
            run.priority = Priority::ALL[usize::from(priority)];
            run.run_after = delay.map(|delay| self.now() + TimeDelta::seconds(delay.into()));
            run.scheduled_at = delay.map(|delay| at(i64::from(delay)));
            run.traceparent = trace_of(self.runs + n);
            create.runs.push(with_key(run, concurrency));
        }
        create.runs[0].fire_at = tick.map(|tick| at(i64::from(tick)));
        create.scope = scope_of(scope);
        (create.queued_pipeline_max, create.queued_max) = (5, 8);
        create.idempotency = key.map(|(key, body)| {
            let operation = IdempotentOperation::Run(own);
            IdempotencyKey::new(operation, key.to_string(), [body; 32])
        });
        let created = both!(self, command, |storage, _side| storage
            .create_runs(create.clone()));
        if created.is_ok() {
            self.runs += u64::from(count);
        }
    }

    pub(super) async fn backfill_dates(&mut self, command: &Command) {
        let Command::Backfill {
            pipeline,
            count,
            limits: (max_parallel, max_failures),
            unit,
            flags: [skips, is_preview, is_descending],
            concurrency,
            key,
            scope,
        } = *command
        else {
            unreachable!("{command:?} is no backfill");
        };
        let name = name_of(pipeline);
        let (own, version) = self.named(&name, &scope_of(scope)).await;
        let (number, count) = (self.backfills + 1, u64::from(count));
        let mut create = new_backfill(number, &name, self.runs + 1, count);
        let unit = UNITS[usize::from(unit)];
        for (index, new) in (0..).zip(&mut create.runs) {
            (new.run.pipeline_version, new.run.created_at) = (version, self.now());
            if !unit.is_dated() {
                // The times of ticks, too. The date of a run is the day of its instant.
                new.run.scheduled_at = Some(at(index));
                new.run.date = at(index).date_naive();
            }
            new.run.traceparent = trace_of(number);
            *new = with_key(new.run.clone(), concurrency);
        }
        let new = create.backfill.as_mut().unwrap();
        new.skip_existing = skips;
        new.backfill.unit = unit;
        new.backfill.max_parallel = u32::from(max_parallel);
        new.backfill.max_failures = Some(u32::from(max_failures)).filter(|max| *max > 0);
        if is_descending {
            new.backfill.order = BackfillOrder::Descending;
        }
        create.is_preview = is_preview && skips;
        create.audit = Some(self.audit(AuditAction::BackfillCreate));
        create.scope = scope_of(scope);
        (create.queued_pipeline_max, create.queued_max) = (6, 9);
        create.idempotency = key.map(|(key, body)| {
            let operation = IdempotentOperation::Backfill(own);
            IdempotencyKey::new(operation, key.to_string(), [body; 32])
        });
        let created = both!(self, command, |storage, _side| storage
            .create_runs(create.clone()));
        if created.is_ok() {
            self.runs += count;
            self.backfills += 1;
        }
    }

    pub(super) async fn pause_backfill(&self, command: &Command) {
        let Command::PauseBackfill {
            backfill,
            pauses,
            scope,
        } = *command
        else {
            unreachable!("{command:?} is no pause of a backfill");
        };
        let pause = pauses.then(|| Pause::new(self.now()));
        let mut request = SetBackfillPause::new(self.backfill(backfill), pause);
        request.scope = scope_of(scope);
        request.audit = Some(self.audit(AuditAction::BackfillPause));
        drop(both!(self, command, |storage, _side| storage
            .set_backfill_pause(request.clone())));
    }

    /// Returns mostly a failed run, sometimes any run.
    async fn old_run(&self, number: u8) -> Option<RunDetail> {
        let filter = RunFilter {
            statuses: vec![RunStatus::Failed],
            ..RunFilter::default()
        };
        let failed = list_run_ids(self.left, filter).await;
        let chosen = failed.iter().cycle().nth(usize::from(number));
        let run = chosen.copied().filter(|_| !number.is_multiple_of(8));
        let run = run.unwrap_or_else(|| self.run(number));
        self.left.find_run(run, &Scope::All).await.unwrap()
    }

    /// Creates a resume, or a rerun that inherits as one does.
    pub(super) async fn resume(&mut self, command: &Command, run: u8, inherit: bool, key: bool) {
        let Some(old) = self.old_run(run).await else {
            return;
        };
        let mut new = resume(self.runs + 1, old.run.id, old.run.first_run);
        new.pipeline_id = old.run.pipeline_id.clone();
        new.pipeline_version = old.run.pipeline_version;
        new.created_at = self.now();
        new.concurrency.clone_from(&old.run.concurrency);
        let is_rerun = run % 3 == 1;
        if is_rerun {
            (new.resumed_from, new.rerun_of) = (None, Some(old.run.id));
            (new.first_run, new.trigger) = (new.id, Trigger::Manual);
        }
        for node in old.nodes.iter().filter(|_| inherit) {
            let from = node.reused_from.unwrap_or(old.run.id);
            let mut inherited = InheritedOutput::new(node.node_index, from, node.node_index);
            inherited.output_hash = node.output_hash;
            new.inherited.push(inherited);
        }
        let mut create = CreateRuns::new(vec![NewRun::new(new)]);
        create.audit = Some(self.audit(AuditAction::RunResume));
        // Mostly the scope of the old run. In every scope, its id may stand for another pipeline.
        if !run.is_multiple_of(4) {
            create.scope = old.run.qualified_pipeline().scope();
        }
        if key {
            let operation = match is_rerun {
                true => IdempotentOperation::Rerun(old.run.id),
                false => IdempotentOperation::Resume(old.run.id),
            };
            create.idempotency = Some(IdempotencyKey::new(operation, "once", [1; 32]));
        }
        let created = both!(self, command, |storage, _side| storage
            .create_runs(create.clone()));
        if created.is_ok() {
            self.runs += 1;
        }
    }
}

/// Returns a run with a concurrency key, its maximum, and what happens while it is taken.
pub(super) fn with_key(mut run: Run, concurrency: Option<(u8, u32, u8)>) -> NewRun {
    let key = concurrency.map(|(key, max, _)| RunConcurrency::new(key.to_string(), max));
    run.concurrency = key;
    let mut new = NewRun::new(run);
    let number = concurrency.map_or(0, |(_, _, number)| number);
    new.on_conflict = OnConflict::ALL[usize::from(number)];
    new
}

pub(super) const EXPECTATIONS: [Expect; 5] = [
    Expect::Any,
    Expect::Absent,
    Expect::Present,
    Expect::Version(1),
    Expect::Version(2),
];

pub(super) const TRIGGERS: [Trigger; 7] = [
    Trigger::Manual,
    Trigger::Schedule,
    Trigger::Backfill,
    Trigger::Resume,
    Trigger::Catchup,
    Trigger::Webhook,
    Trigger::Dependency,
];

const UNITS: [BackfillUnit; 3] = [BackfillUnit::Day, BackfillUnit::Hour, BackfillUnit::Tick];

/// What saves make of tokens.
const TOKENS: [TokenChange; 4] = [
    TokenChange::Keep,
    TokenChange::Remove,
    TokenChange::Set(TokenHash::from_bytes([1; 32])),
    TokenChange::Set(TokenHash::from_bytes([2; 32])),
];

/// Twice a caller, so that edits come between saves by code.
pub(super) const AUTHORS: [SavedBy; 4] = [
    SavedBy::Caller,
    SavedBy::Caller,
    SavedBy::Code,
    SavedBy::Removal,
];

fn variant_of(id: &str, variant: u8) -> Pipeline {
    let mut pipeline = definition(id).param("variant", (variant % 2).to_string());
    pipeline.enabled = variant != 1;
    pipeline.description = format!("Variant {variant}");
    pipeline.tags = vec![["even", "odd"][usize::from(variant % 2)].to_owned()];
    pipeline.max_concurrent_runs = (variant == 3).then_some(1);
    pipeline.schedule = (variant != 2).then(|| "@hourly".to_owned());
    if variant == 2 {
        pipeline.nodes[0] = pipeline.nodes[0].clone().keep_output();
    }
    pipeline.overlap = match variant {
        0 => Overlap::CancelRunning,
        3 => Overlap::Skip,
        _ => Overlap::Queue,
    };
    pipeline.dependency_rules = rules_of(id, variant);
    pipeline
}

/// Returns the dependencies of a definition. Those of two pipelines may form a circle.
fn rules_of(id: &str, variant: u8) -> Vec<DependencyRule> {
    let completed = DependencyState::Completed;
    let within = Duration::from_secs(30);
    match (id, variant) {
        ("p0", 2) => vec![DependencyRule::gate("p1").state(completed).within(within)],
        ("p0", 3) => vec![DependencyRule::any("p1"), DependencyRule::any("p2")],
        ("p1", 2) => vec![DependencyRule::any("p0").state(completed)],
        ("p1", 3) => vec![
            DependencyRule::all("p0").state(completed),
            DependencyRule::all("p2"),
        ],
        ("p2", 2) => vec![DependencyRule::gate("p1")],
        _ => Vec::new(),
    }
}

fn slug_of(choice: u8) -> SlugChoice {
    match choice {
        0 => SlugChoice::Derived(slug("s0")),
        1 => SlugChoice::Derived(slug("p1")),
        2 => SlugChoice::Given(slug("s0")),
        3 => SlugChoice::Given(slug("p0")),
        _ => SlugChoice::Given(slug("s0-2")),
    }
}
