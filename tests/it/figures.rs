//! Every figure that a page shows equals a recount of the runs, after whatever happened to them.
//!
//! That storage's figures equal a recount is a case of the contract; here what the service answers
//! is compared.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use floret::storage::Events;
use floret::testing::{Gate, Step};
use floret::{Access, Node, Pipeline, Run, RunStatus, RunsService};
use http::Method;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::harness::{Host, STEP, Store, World, with_timeout};
use crate::wire::{request, send};

/// Pipelines that fail, one more than the dashboard tells and another.
const FAILING: u8 = 7;

/// Something that happens; runs are named by their number, counted round.
#[derive(Debug, Clone)]
enum Act {
    Succeed,
    Fail(u8),
    /// A run that waits at a gate; of the pipeline `one` only one runs at a time.
    Wait(&'static str),
    Cancel(usize),
    Resume(usize),
    Purge(u32),
    Turn(Duration),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => Just(Act::Succeed),
        5 => (0..FAILING).prop_map(Act::Fail),
        2 => prop_oneof![Just(Act::Wait("many")), Just(Act::Wait("one"))],
        2 => any::<usize>().prop_map(Act::Cancel),
        2 => any::<usize>().prop_map(Act::Resume),
        1 => (1..4u32).prop_map(Act::Purge),
        4 => (1..40u64).prop_map(|hours| Act::Turn(Duration::from_secs(hours * 3_600 + 17))),
    ]
}

fn of(id: &str, node: &str) -> Pipeline {
    let mut pipeline = Pipeline::new(id).with(Node::new(node, STEP));
    pipeline.name = format!("The {id}");
    pipeline
}

fn world(store: Store, gate: &Gate) -> World {
    let mut world = World::new(store).pipeline(of("good", "good"));
    for n in 0..FAILING {
        world = world.pipeline(of(&format!("bad-{n}"), "bad"));
    }
    let mut one = of("one", "held");
    one.max_concurrent_runs = Some(1);
    world = world.pipeline(of("many", "held")).pipeline(one);
    world.script.script("bad", [Step::permanent("no")]);
    world.script.script("held", [Step::pass_on().at(gate)]);
    // Nothing but the acts turns the clock, and nothing is lost by it.
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
    async fn carry_out(&self, act: &Act) {
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
        match act {
            Act::Succeed => trigger("good").await,
            Act::Fail(n) => trigger(&format!("bad-{n}")).await,
            Act::Wait(pipeline) => trigger(pipeline).await,
            Act::Cancel(number) => {
                // A finished one is refused, which changes nothing.
                if let Some(run) = run(*number).await
                    && floret.force_cancel(run).await.is_ok()
                {
                    floret.handle(run).finished().await.unwrap();
                }
            }
            Act::Resume(number) => {
                if let Some(run) = run(*number).await
                    && let Ok(resumed) = floret.resume(run).await
                {
                    resumed.finished().await.unwrap();
                }
            }
            Act::Purge(days) => {
                let before = self.world.clock.clock().now() - TimeDelta::days(i64::from(*days));
                let runs = self.host.runs().await;
                let is_due = |run: &&Run| run.finished_at.is_some_and(|at| at < before);
                let due = runs.iter().filter(is_due).count();
                for preview in [true, false] {
                    let body = json!({"days": days, "preview": preview});
                    let answer = self
                        .ask(Method::POST, "/api/system/purge", Some(&body))
                        .await;
                    assert_eq!(answer, json!({"deleted": due, "days": days}));
                }
                assert_eq!(self.host.runs().await.len(), runs.len() - due);
            }
            Act::Turn(duration) => self.world.clock.advance(*duration),
        }
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Value {
        let answer = send(&self.service, request(method, path, body)).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.json()
    }

    async fn get(&self, path: &str) -> Value {
        self.ask(Method::GET, path, None).await
    }

    /// Compares every answer with the runs, at a moment when no run moves.
    async fn check(&self) {
        loop {
            let before = self.host.storage.newest_seq().await.unwrap();
            let now = self.world.clock.clock().now();
            let runs = self.host.runs().await;
            let calendar = self.get("/api/runs/calendar?days=30").await;
            let of_one = self
                .get("/api/runs/calendar?days=9&pipeline_id=bad-0")
                .await;
            let dashboard = self.get("/api/dashboard").await;
            let info = self.get("/api/system/info").await;
            if self.host.storage.newest_seq().await.unwrap() != before {
                tokio::task::yield_now().await;
                continue;
            }
            assert_eq!(calendar, recounted(&runs, now, 30));
            let bad = runs
                .iter()
                .filter(|run| run.pipeline_id.as_str() == "bad-0");
            let bad: Vec<_> = bad.cloned().collect();
            assert_eq!(of_one, recounted(&bad, now, 9));
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

fn recounted(runs: &[Run], now: DateTime<Utc>, days: u64) -> Value {
    let days = dates(now.date_naive(), days).map(|date| {
        let own = runs
            .iter()
            .filter(|run| run.created_at.date_naive() == date);
        let own: Vec<_> = own.collect();
        json!({
            "date": date,
            "success": count(&own, RunStatus::Success),
            "failed": count(&own, RunStatus::Failed),
            "total": own.len(),
            "cancelled": count(&own, RunStatus::Cancelled),
            "running": count(&own, RunStatus::Running),
            "pending": count(&own, RunStatus::Pending),
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
        let own = within(date, date);
        let (success, failed) = (
            count(&own, RunStatus::Success),
            count(&own, RunStatus::Failed),
        );
        json!({"date": date, "success": success, "failed": failed, "total": own.len()})
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
    let rate = dashboard["success_rate_24h"].as_f64().unwrap();
    let exact = 100.0 * success as f64 / (success + failed).max(1) as f64;
    assert!((rate - exact).abs() < 0.051, "{rate} is not {exact}");
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
            .all(|(run, own)| run["id"] == json!(own.id))
    );
}

fn play(store: Store, acts: &[Act]) {
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
        for act in acts {
            with_timeout("an act", history.carry_out(act)).await;
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
    fn every_figure_equals_a_recount_in_memory(acts in prop::collection::vec(act(), 1..50)) {
        play(Store::memory(), &acts);
    }

    #[test]
    fn every_figure_equals_a_recount_on_sqlite(acts in prop::collection::vec(act(), 1..50)) {
        play(Store::sqlite(), &acts);
    }
}
