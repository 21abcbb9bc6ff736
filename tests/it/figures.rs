//! Figures: every figure that the service returns equals a recount of the runs, after any sequence
//! of operations.
//!
//! The figures that storage returns are left to the storage contract.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use floret::testing::{Gate, Step};
use floret::{Access, Node, Pipeline, Run, RunStatus, RunsService};
use http::Method;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::harness::{Host, STEP, Store, World, with_timeout};
use crate::wire::{request, send};

/// The number of pipelines that fail: two more than the dashboard lists.
const FAILING: u8 = 7;

/// An operation or a step of time. A run is given by its index, modulo the number of runs.
#[derive(Debug, Clone)]
enum Action {
    Succeed,
    Fail(u8),
    /// Starts a run that waits at a gate. The pipeline `one` allows one run at a time.
    Wait(&'static str),
    Cancel(usize),
    Resume(usize),
    Purge(u32),
    Advance(Duration),
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        3 => Just(Action::Succeed),
        5 => (0..FAILING).prop_map(Action::Fail),
        2 => prop_oneof![Just(Action::Wait("many")), Just(Action::Wait("one"))],
        2 => any::<usize>().prop_map(Action::Cancel),
        2 => any::<usize>().prop_map(Action::Resume),
        1 => (1..4u32).prop_map(Action::Purge),
        4 => (1..40u64).prop_map(|hours| Action::Advance(Duration::from_secs(hours * 3_600 + 17))),
    ]
}

fn single_node(id: &str, node: &str) -> Pipeline {
    let mut pipeline = Pipeline::new(id).with(Node::new(node, STEP));
    pipeline.name = format!("The {id}");
    pipeline
}

fn world(store: Store, gate: &Gate) -> World {
    let mut world = World::new(store).pipeline(single_node("good", "good"));
    for n in 0..FAILING {
        world = world.pipeline(single_node(&format!("bad-{n}"), "bad"));
    }
    let mut one = single_node("one", "held");
    one.max_concurrent_runs = Some(1);
    world = world.pipeline(single_node("many", "held")).pipeline(one);
    world.script.script("bad", [Step::permanent("no")]);
    world.script.script("held", [Step::pass_on().at(gate)]);
    // Only `Advance` moves the clock, and no lease expires.
    world.limits.lease = Duration::from_secs(400 * 86_400);
    world.limits.runs_max = 1_000;
    world
}

struct History {
    world: World,
    host: Host,
    service: RunsService,
}

impl History {
    async fn apply(&self, action: &Action) {
        let floret = &self.host.floret;
        let trigger = async |pipeline: &str| {
            let run = floret.run(pipeline).start().await.unwrap();
            if !matches!(pipeline, "many" | "one") {
                run.finished().await.unwrap();
            }
        };
        let run = async |number: usize| {
            let runs = self.host.runs().await;
            (!runs.is_empty()).then(|| runs[number % runs.len()].id)
        };
        match action {
            Action::Succeed => trigger("good").await,
            Action::Fail(n) => trigger(&format!("bad-{n}")).await,
            Action::Wait(pipeline) => trigger(pipeline).await,
            Action::Cancel(number) => {
                // A finished run refuses the request and does not change.
                if let Some(run) = run(*number).await
                    && floret.run_by_id(run).cancel().force().await.is_ok()
                {
                    floret.run_by_id(run).finished().await.unwrap();
                }
            }
            Action::Resume(number) => {
                if let Some(run) = run(*number).await
                    && let Ok(resumed) = floret.run_by_id(run).resume().await
                {
                    resumed.finished().await.unwrap();
                }
            }
            Action::Purge(days) => {
                let before = self.world.clock.clock().now() - TimeDelta::days(i64::from(*days));
                let runs = self.host.runs().await;
                let is_expired = |run: &&Run| run.finished_at.is_some_and(|at| at < before);
                let expired = runs.iter().filter(is_expired).count();
                for preview in [true, false] {
                    let body = json!({"days": days, "preview": preview});
                    let answer = self
                        .call(Method::POST, "/api/system/purge", Some(&body))
                        .await;
                    assert_eq!(answer, json!({"deleted": expired, "days": days}));
                }
                assert_eq!(self.host.runs().await.len(), runs.len() - expired);
            }
            Action::Advance(duration) => self.world.clock.advance(*duration),
        }
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Value {
        let answer = send(&self.service, request(method, path, body)).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.json()
    }

    async fn get(&self, path: &str) -> Value {
        self.call(Method::GET, path, None).await
    }

    /// Compares every response with the runs, at a moment when no run changes.
    async fn check(&self) {
        loop {
            let now = self.world.clock.clock().now();
            let runs = self.host.runs().await;
            let calendar = self.get("/api/runs/calendar?days=30").await;
            let filtered = self
                .get("/api/runs/calendar?days=9&pipeline_id=bad-0")
                .await;
            let dashboard = self.get("/api/dashboard").await;
            let info = self.get("/api/system/info").await;
            // The number of the newest event is published after a commit that readers see already.
            if self.host.runs().await != runs {
                tokio::task::yield_now().await;
                continue;
            }
            assert_eq!(calendar, recount(&runs, now, 30));
            let bad = runs
                .iter()
                .filter(|run| run.pipeline_id.as_str() == "bad-0");
            let bad: Vec<_> = bad.cloned().collect();
            assert_eq!(filtered, recount(&bad, now, 9));
            check_dashboard(&dashboard, &runs, now);
            let with = |status| runs.iter().filter(|run| run.status == status).count();
            assert_eq!(info["active_runs"], with(RunStatus::Running));
            assert_eq!(info["queued_runs"], with(RunStatus::Pending));
            assert_eq!(info["pipelines"], usize::from(FAILING) + 3);
            return;
        }
    }
}

fn count(runs: &[&Run], status: RunStatus) -> usize {
    runs.iter().filter(|run| run.status == status).count()
}

fn dates(today: NaiveDate, days: u64) -> impl Iterator<Item = NaiveDate> {
    let from = today - Days::new(days - 1);
    from.iter_days().take(usize::try_from(days).unwrap())
}

fn recount(runs: &[Run], now: DateTime<Utc>, days: u64) -> Value {
    let days = dates(now.date_naive(), days).map(|date| {
        let of_date = runs
            .iter()
            .filter(|run| run.created_at.date_naive() == date);
        let of_date: Vec<_> = of_date.collect();
        json!({
            "date": date,
            "success": count(&of_date, RunStatus::Success),
            "failed": count(&of_date, RunStatus::Failed),
            "total": of_date.len(),
            "cancelled": count(&of_date, RunStatus::Cancelled),
            "running": count(&of_date, RunStatus::Running),
            "pending": count(&of_date, RunStatus::Pending),
        })
    });
    days.collect()
}

fn check_dashboard(dashboard: &Value, runs: &[Run], now: DateTime<Utc>) {
    let within = |from: NaiveDate, to: NaiveDate| {
        let is_within = move |run: &&Run| (from..=to).contains(&run.created_at.date_naive());
        runs.iter().filter(is_within).collect::<Vec<_>>()
    };
    let today = now.date_naive();
    let yesterday = today - Days::new(1);
    let trends = dates(today, 7).map(|date| {
        let of_date = within(date, date);
        let (success, failed) = (
            count(&of_date, RunStatus::Success),
            count(&of_date, RunStatus::Failed),
        );
        json!({"date": date, "success": success, "failed": failed, "total": of_date.len()})
    });
    assert_eq!(dashboard["trends"], trends.collect::<Value>());
    let mut failing = BTreeMap::new();
    for run in within(today - Days::new(6), today) {
        if run.status == RunStatus::Failed {
            *failing.entry(run.pipeline_id.to_string()).or_insert(0) += 1;
        }
    }
    let mut failing: Vec<_> = failing.into_iter().collect();
    failing.sort_by_key(|(_, fails)| Reverse(*fails));
    let failing = failing.into_iter().take(5).map(
        |(id, fails)| json!({"pipeline_id": id, "name": format!("The {id}"), "fail_count": fails}),
    );
    assert_eq!(dashboard["top_failing"], failing.collect::<Value>());
    assert_eq!(dashboard["runs_today"], within(today, today).len());
    assert_eq!(
        dashboard["runs_yesterday"],
        within(yesterday, yesterday).len()
    );
    let all: Vec<_> = runs.iter().collect();
    assert_eq!(dashboard["runs_running"], count(&all, RunStatus::Running));
    let last: Vec<_> = runs
        .iter()
        .filter(|run| run.created_at >= now - TimeDelta::days(1))
        .collect();
    let (success, failed) = (
        count(&last, RunStatus::Success),
        count(&last, RunStatus::Failed),
    );
    assert_eq!(dashboard["runs_24h_total"], last.len());
    assert_eq!(dashboard["runs_24h_success"], success);
    assert_eq!(dashboard["runs_24h_failed"], failed);
    let rate = dashboard
        .get("success_rate_24h")
        .map(|rate| rate.as_f64().unwrap());
    assert_eq!(rate.is_some(), success + failed > 0, "{rate:?}");
    let exact = 100.0 * success as f64 / (success + failed).max(1) as f64;
    let rate = rate.unwrap_or_default();
    assert!((rate - exact).abs() < 0.1, "{rate} is not {exact}");
    let shown: Vec<_> = dashboard["recent_runs"]
        .as_array()
        .unwrap()
        .iter()
        .collect();
    assert_eq!(shown.len(), runs.len().min(50));
    assert!(
        shown
            .iter()
            .zip(runs)
            .all(|(shown, run)| shown["id"] == json!(run.id))
    );
}

fn run_history(store: Store, actions: &[Action]) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let gate = Gate::new();
        let world = world(store, &gate);
        let host = world.start().await;
        let service = host.floret.service(Access::allow_all());
        let history = History {
            world,
            host,
            service,
        };
        for action in actions {
            with_timeout("an action", history.apply(action)).await;
            with_timeout("a check", history.check()).await;
        }
        let History { host, service, .. } = history;
        drop(service);
        host.stop().await;
    });
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 12,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_figure_equals_a_recount_in_memory(actions in prop::collection::vec(action(), 1..50)) {
        run_history(Store::memory(), &actions);
    }

    #[test]
    fn every_figure_equals_a_recount_on_sqlite(actions in prop::collection::vec(action(), 1..50)) {
        run_history(Store::sqlite(), &actions);
    }
}
