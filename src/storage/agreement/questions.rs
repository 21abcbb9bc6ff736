//! The questions for both storages.
//!
//! Commands are left to `world`.

use chrono::TimeDelta;

use super::command::{Paging, Question};
use super::creations::TRIGGERS;
use super::world::{World, both, cursor_of, name_of, scope_of};
use crate::model::{EventKind, Managed, PageRequest, Qualified, RunStatus, Scope};
use crate::storage::{
    BackfillFilter, EventFilter, FiguresBy, FiguresFilter, IdempotencyKey, IdempotentOperation,
    NewestRuns, PipelineFilter, RunFilter, SearchText,
};
use crate::testing::contract::fixtures::{at, node_id, pipeline_id};

impl World<'_> {
    pub(super) async fn ask(&self, question: &Question) {
        match *question {
            Question::Runs { .. } | Question::Pipelines { .. } => self.ask_lists(question).await,
            Question::Backfills { .. } => self.ask_backfills(question).await,
            Question::Events { .. } => self.ask_events(question).await,
            Question::Settings { .. } => self.ask_settings(question).await,
            Question::Node { .. } => self.ask_node(question).await,
            Question::Figures {
                pipeline,
                days,
                scope,
            } => {
                let day = |days: i64| (self.now() - TimeDelta::days(days)).date_naive();
                let mut filter = FiguresFilter::new(day(days.0.max(days.1)), day(days.1));
                filter.pipeline = pipeline.map(|number| pipeline_id(&name_of(number)));
                filter.scope = scope_of(scope);
                for by in [FiguresBy::Day, FiguresBy::FailingPipeline { count_max: 2 }] {
                    filter.by = by;
                    drop(both!(self, question, |storage, _side| storage
                        .figures(filter.clone())));
                }
            }
            Question::Key {
                pipeline,
                key,
                body,
            } => {
                let pipeline = pipeline_id(&name_of(pipeline));
                let owners = (1..4).map(scope_of);
                let operations = owners.flat_map(|owner| {
                    let own = Qualified::new(pipeline.clone(), owner.tenant().cloned());
                    [
                        IdempotentOperation::Run(own.clone()),
                        IdempotentOperation::Backfill(own),
                    ]
                });
                for operation in operations {
                    let key = IdempotencyKey::new(operation, key.to_string(), [body; 32]);
                    drop(both!(self, question, |storage, _side| storage
                        .find_idempotent(&key.operation, &key.key)));
                }
            }
            Question::Overview { pipeline, limit } => {
                for owner in 1..4 {
                    let tenant = scope_of(owner).tenant().cloned();
                    let pipeline = Qualified::new(pipeline_id(&name_of(pipeline)), tenant);
                    let runs = NewestRuns::new(pipeline, limit);
                    drop(both!(self, question, |storage, _side| storage
                        .list_run_nodes(runs.clone())));
                    for node in ["load", "sum", "save", "none"].map(node_id) {
                        drop(both!(self, question, |storage, _side| storage
                            .list_past_node_runs(runs.clone(), &node)));
                    }
                }
            }
            Question::Audit { .. } => self.ask_audit(question).await,
            Question::System { scope } => self.ask_system(question, &scope_of(scope)).await,
        }
    }

    /// Asks what each name stands for in a scope.
    pub(super) async fn ask_names(&self, scope: u8) {
        let page = Paging::Newest(50);
        self.ask(&Question::System { scope }).await;
        self.ask(&Question::Settings { page, scope }).await;
    }

    async fn ask_node(&self, question: &Question) {
        let &Question::Node {
            run,
            node_index,
            scope,
        } = question
        else {
            return;
        };
        let (run, scope) = (self.run(run), scope_of(scope));
        let node = node_id(["load", "sum", "save"][usize::from(node_index)]);
        let one = RunFilter {
            scope: scope.clone(),
            run: Some(run),
            ..RunFilter::default()
        };
        let page = PageRequest::Newest { limit: 2 };
        drop(both!(self, question, |storage, _side| storage
            .list_runs(one.clone(), page.clone())));
        drop(both!(self, question, |storage, _side| storage
            .find_run(run, &scope)));
        drop(both!(self, question, |storage, _side| storage
            .find_chain(run, &scope)));
        drop(both!(self, question, |storage, _side| storage.waiting(
            run,
            &scope,
            self.now()
        )));
        drop(both!(self, question, |storage, _side| storage
            .find_output(run, node_index, &scope)));
        drop(both!(self, question, |storage, _side| storage
            .find_preview(run, &node, &scope)));
        drop(both!(self, question, |storage, _side| storage
            .find_profile(run, &node, &scope)));
    }

    async fn ask_lists(&self, question: &Question) {
        match question {
            Question::Runs {
                pipeline,
                status,
                trigger,
                label,
                backfill,
                page,
                scope,
            } => {
                let filter = RunFilter {
                    scope: scope_of(*scope),
                    run: None,
                    pipeline: pipeline.map(|number| pipeline_id(&name_of(number))),
                    backfill: backfill.map(|number| self.backfill(number)),
                    statuses: status
                        .map(|number| STATUSES[usize::from(number)])
                        .into_iter()
                        .collect(),
                    triggers: trigger
                        .map(|number| TRIGGERS[usize::from(number)])
                        .into_iter()
                        .collect(),
                    from: (*scope == 2).then(|| at(30)),
                    to: (*scope == 1).then(|| at(40_000)),
                    labels: label
                        .map(|(name, value)| (format!("label {name}"), format!("value {value}")))
                        .into_iter()
                        .collect(),
                };
                let page = page_of(page, |number| self.run(number).to_string());
                drop(both!(self, question, |storage, _side| storage
                    .list_runs(filter.clone(), page.clone())));
            }
            Question::Pipelines {
                is_tagged,
                enabled,
                is_of_code,
                text,
                page,
                scope,
            } => {
                let text = text.map(|number| TEXTS[usize::from(number)]);
                let filter = PipelineFilter {
                    scope: scope_of(*scope),
                    tag: is_tagged.then(|| "odd".to_owned()),
                    enabled: *enabled,
                    managed: is_of_code.map(|is_of_code| Managed::ALL[usize::from(is_of_code)]),
                    text: text.map(SearchText::new),
                };
                let page = page_of(page, cursor_of);
                drop(both!(self, question, |storage, _side| storage
                    .list_pipelines(filter.clone(), page.clone())));
            }
            _ => unreachable!("{question:?} asks for no list"),
        }
    }

    async fn ask_backfills(&self, question: &Question) {
        let Question::Backfills {
            pipeline,
            backfill,
            page,
            scope,
        } = question
        else {
            unreachable!("{question:?} asks for no backfills");
        };
        let filter = BackfillFilter {
            scope: scope_of(*scope),
            backfill: None,
            pipeline: pipeline.map(|number| pipeline_id(&name_of(number))),
        };
        let page = page_of(page, |number| self.backfill(number).to_string());
        drop(both!(self, question, |storage, _side| storage
            .list_backfills(filter.clone(), page.clone())));
        let (id, scope) = (self.backfill(*backfill), scope_of(*scope));
        let one = BackfillFilter {
            backfill: Some(id),
            ..filter
        };
        drop(both!(self, question, |storage, _side| storage
            .list_backfills(one.clone(), page.clone())));
        drop(both!(self, question, |storage, _side| storage
            .find_backfill(id, &scope)));
    }

    async fn ask_events(&self, question: &Question) {
        let Question::Events {
            run,
            pipeline,
            kind,
            after,
            limit,
            scope,
        } = *question
        else {
            unreachable!("{question:?} asks for no events");
        };
        let filter = EventFilter {
            scope: scope_of(scope),
            run: run.map(|number| self.run(number)),
            pipeline: pipeline.map(|number| pipeline_id(&name_of(number))),
            kinds: kind
                .map(|number| KINDS[usize::from(number)])
                .into_iter()
                .collect(),
        };
        let after = u64::from(after);
        drop(both!(self, question, |storage, _side| storage.events(
            filter.clone(),
            after,
            limit
        )));
        drop(both!(self, question, |storage, _side| storage
            .events_before(filter.clone(), after, limit)));
    }

    async fn ask_system(&self, question: &Question, scope: &Scope) {
        drop(both!(self, question, |storage, _side| async {
            storage.stats(scope).await.map(|mut stats| {
                (stats.bytes, stats.kind) = (0, "");
                stats
            })
        }));
        drop(both!(self, question, |storage, _side| storage.newest_seq()));
        drop(both!(self, question, |storage, _side| storage.schedules(scope)));
        self.ask_ends(question).await;
        for key in ["p0", "p1", "s0", "s0-2", "p1-2"] {
            drop(both!(self, question, |storage, _side| storage
                .find_pipeline(key, scope)));
        }
    }
}

pub(super) fn page_of(page: &Paging, cursor: impl Fn(u8) -> String) -> PageRequest {
    match *page {
        Paging::Newest(limit) => PageRequest::Newest { limit },
        Paging::Numbered(page, per_page) => PageRequest::Numbered { page, per_page },
        Paging::After(number, limit) => PageRequest::After {
            cursor: number.map(cursor),
            limit,
        },
    }
}

/// Parts of ids, slugs, names and descriptions.
const TEXTS: [&str; 5] = ["P1", "s0", "-2", "VARIANT 1", "missing"];

const STATUSES: [RunStatus; 5] = [
    RunStatus::Pending,
    RunStatus::Running,
    RunStatus::Success,
    RunStatus::Failed,
    RunStatus::Cancelled,
];

const KINDS: [EventKind; 14] = [
    EventKind::RunCreated,
    EventKind::RunStarted,
    EventKind::RunCancelling,
    EventKind::RunCompleted,
    EventKind::RunFailed,
    EventKind::RunCancelled,
    EventKind::NodeStarted,
    EventKind::NodeCompleted,
    EventKind::NodeFailed,
    EventKind::NodeRetrying,
    EventKind::NodeRecovered,
    EventKind::NodeSkipped,
    EventKind::NodeCancelled,
    EventKind::Log,
];
