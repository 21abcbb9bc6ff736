//! The system over HTTP: its numbers, and deleting old runs.

use std::time::Duration;

use floret::storage::{Pipelines, PutPipeline, SlugChoice};
use floret::testing::{
    FaultyStorage, Gate, ManualClock, Method as Cue, Scratch, ScriptedExecutor, Step, scratch,
};
use floret::{Access, Decision, Floret, Limits, PipelineId, RunsService, Scope, Slug, TenantId};
use http::Method;
use serde_json::{Value, json};

use crate::wire::{Answer, Backend, daily, request, send};

const DAY: Duration = Duration::from_secs(86_400);

/// A host whose clock is turned by hand.
struct Aged {
    floret: Floret,
    service: RunsService,
    executor: ScriptedExecutor,
    storage: FaultyStorage,
    clock: ManualClock,
    _folder: Scratch,
}

impl Aged {
    async fn start(backend: Backend, change: impl FnOnce(&mut Limits)) -> Self {
        let folder = scratch();
        let storage = FaultyStorage::new(backend.open(folder.path()).await);
        let executor = ScriptedExecutor::new();
        let clock = ManualClock::new("2024-01-15T06:00:00Z".parse().unwrap());
        let mut limits = Limits::default();
        // Turning the clock by days must not make anybody lose a claim.
        limits.lease = 40_000 * DAY;
        change(&mut limits);
        let floret = Floret::builder(storage.clone())
            .executor("any", executor.clone())
            .pipeline(daily())
            .limits(limits)
            .clock(clock.clock())
            .start()
            .await
            .unwrap();
        Self {
            service: floret.service(Access::allow_all()),
            floret,
            executor,
            storage,
            clock,
            _folder: folder,
        }
    }

    async fn get(&self, path: &str) -> Answer {
        send(&self.service, request(Method::GET, path, None)).await
    }

    async fn purge(&self, body: Option<&Value>) -> Answer {
        let purge = request(Method::POST, "/api/system/purge", body);
        send(&self.service, purge).await
    }

    /// A run that has ended, so many days before now.
    async fn ended(&self, days_ago: u32) -> String {
        let run = self.floret.run("daily").start().await.unwrap();
        run.finished().await.unwrap();
        self.clock.advance(days_ago * DAY);
        run.id().to_string()
    }

    async fn runs(&self) -> usize {
        let runs = self.get("/api/runs?per_page=100").await.json();
        usize::try_from(runs["total"].as_u64().unwrap()).unwrap()
    }
}

#[expect(
    clippy::future_not_send,
    reason = "a test of tokio stays on its thread"
)]
async fn on_each(test: impl AsyncFn(&Aged)) {
    for backend in [Backend::Memory, Backend::Sqlite] {
        test(&Aged::start(backend, |_| {}).await).await;
    }
}

#[tokio::test]
async fn the_system_tells_its_numbers() {
    for (backend, storage) in [(Backend::Memory, "memory"), (Backend::Sqlite, "sqlite")] {
        let host = Aged::start(backend, |limits| limits.runs_max = 1).await;
        let gate = Gate::new();
        host.executor.script("load", [Step::pass_on().at(&gate)]);
        for _ in 0..3 {
            host.floret.run("daily").start().await.unwrap();
        }
        host.executor.started("load").await;
        host.clock.advance(Duration::from_millis(90_500));
        let answer = host.get("/api/system/info").await;
        let info = answer.json();
        let size = info["db_size"].as_u64().unwrap();
        assert!(size > 0);
        let expected = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "db_size": size,
            "db_size_mb": format!("{:.2} MB", size as f64 / 1_048_576.0),
            "pipelines": 1,
            "active_runs": 1,
            "queued_runs": 2,
            "max_concurrent_runs": 1,
            "dead_letters": 0,
            "storage": storage,
            "uptime_seconds": 90,
        });
        assert_eq!(info, expected);
        assert!(
            answer.text().starts_with(r#"{"version":""#),
            "{}",
            answer.text()
        );
        gate.open();
    }
}

#[tokio::test]
async fn runs_that_finished_longer_ago_are_deleted() {
    on_each(async |host: &Aged| {
        let old = host.ended(20).await;
        let newer = host.ended(15).await;
        let preview = host.purge(Some(&json!({"preview": true}))).await;
        assert_eq!(preview.json(), json!({"deleted": 1, "days": 30}));
        assert_eq!(host.runs().await, 2);
        for deleted in [1, 0] {
            let purged = host.purge(None).await;
            assert_eq!(
                purged.text(),
                format!(r#"{{"deleted":{deleted},"days":30}}"#)
            );
        }
        for part in [
            "",
            "/logs",
            "/logs/export",
            "/nodes/load/preview",
            "/nodes/load/profile",
        ] {
            let gone = host.get(&format!("/api/runs/{old}{part}")).await;
            gone.refused(404, "run-not-found");
        }
        assert_eq!(host.get(&format!("/api/runs/{newer}")).await.status, 200);
        let days = json!({"days": 15, "preview": false});
        assert_eq!(
            host.purge(Some(&days)).await.json()["deleted"],
            0,
            "15 days are not over"
        );
        host.clock.advance(Duration::from_millis(1));
        let purged = host.purge(Some(&days)).await;
        assert_eq!(purged.json(), json!({"deleted": 1, "days": 15}));
        assert_eq!(host.runs().await, 0);
    })
    .await;
}

#[tokio::test]
async fn active_runs_are_never_deleted() {
    for backend in [Backend::Memory, Backend::Sqlite] {
        let host = Aged::start(backend, |limits| limits.runs_max = 1).await;
        let gate = Gate::new();
        host.executor.script("load", [Step::pass_on().at(&gate)]);
        let runs = [host.floret.run("daily"), host.floret.run("daily")];
        for run in runs {
            run.start().await.unwrap();
        }
        host.executor.started("load").await;
        host.clock.advance(36_500 * DAY);
        let purged = host.purge(Some(&json!({"days": 1}))).await;
        assert_eq!(purged.json(), json!({"deleted": 0, "days": 1}));
        assert_eq!(host.runs().await, 2);
        gate.open();
    }
}

#[tokio::test]
async fn a_wrong_body_deletes_nothing() {
    on_each(async |host: &Aged| {
        host.ended(36_000).await;
        for body in [
            json!({"days": 0}),
            json!({"days": 36_501}),
            json!({"days": -1}),
            json!({"days": 1.5}),
            json!({"days": "30"}),
            json!({"days": null}),
            json!({"days": 1e300}),
            json!({"preview": "yes"}),
            json!({"preview": 1, "days": []}),
            json!([]),
            json!(5),
        ] {
            let refused = host.purge(Some(&body)).await;
            refused.refused(422, "invalid-field");
        }
        let both = host
            .purge(Some(&json!({"preview": 1, "days": []})))
            .await
            .json();
        assert_eq!(both["errors"].as_array().unwrap().len(), 2);
        let unknown = host.purge(Some(&json!({"day": 1}))).await;
        unknown.refused(422, "unknown-field");
        assert!(
            unknown.text().contains("did you mean"),
            "{}",
            unknown.text()
        );
        for text in [
            "{",
            "{\"days\":1",
            "days=1",
            "{\"days\":1,\"days\":2}",
            "\u{feff}{}",
        ] {
            let mut broken = request(Method::POST, "/api/system/purge", Some(&json!({})));
            *broken.body_mut() = text.to_owned().into();
            assert_eq!(send(&host.service, broken).await.status, 400, "{text}");
        }
        let query = request(Method::POST, "/api/system/purge?days=1", None);
        send(&host.service, query)
            .await
            .refused(400, "invalid-parameter");
        assert_eq!(host.runs().await, 1);
        for body in [json!({"days": 36_500, "preview": true}), json!({})] {
            assert_eq!(host.purge(Some(&body)).await.status, 200);
        }
        assert_eq!(host.runs().await, 0);
    })
    .await;
}

/// Three runs that ended long ago, purged one by one.
async fn three_in_steps(backend: Backend) -> Aged {
    let host = Aged::start(backend, |limits| limits.purge_batch_max = 1).await;
    for _ in 0..3 {
        host.ended(0).await;
    }
    host.clock.advance(31 * DAY);
    host
}

/// Waits until purge was called so often.
async fn steps(host: &Aged, count: u64) {
    while host.storage.calls(Cue::Purge) < count {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_step_is_followed_by_a_pause_as_long_as_it_took() {
    for backend in [Backend::Memory, Backend::Sqlite] {
        let host = three_in_steps(backend).await;
        let gate = Gate::new();
        host.storage.hold_after(Cue::Purge, &gate);
        let purging = async {
            let purged = host.purge(None).await;
            assert_eq!(purged.json()["deleted"], 3);
        };
        let turning = async {
            steps(&host, 1).await;
            host.clock.advance(Duration::from_secs(7));
            gate.open();
            host.clock.sleeper_within(Duration::from_secs(7)).await;
            assert_eq!(host.clock.next_wake(), Some(Duration::from_secs(7)));
            assert_eq!(host.storage.calls(Cue::Purge), 1);
            host.clock.advance(Duration::from_secs(7));
        };
        tokio::join!(purging, turning);
        assert_eq!(
            host.storage.calls(Cue::Purge),
            4,
            "the fourth finds nothing"
        );
    }
}

#[tokio::test]
async fn a_purge_goes_on_though_its_caller_leaves() {
    for backend in [Backend::Memory, Backend::Sqlite] {
        let host = three_in_steps(backend).await;
        let gate = Gate::new();
        host.storage.hold(Cue::Purge, &gate);
        tokio::select! {
            answer = host.purge(None) => panic!("the gate is closed: {answer:?}"),
            () = steps(&host, 1) => {}
        }
        gate.open();
        steps(&host, 4).await;
        assert_eq!(host.runs().await, 0);
    }
}

#[tokio::test]
async fn a_purge_whose_caller_leaves_before_its_turn_is_not_begun() {
    for backend in [Backend::Memory, Backend::Sqlite] {
        let host = Aged::start(backend, |limits| limits.purge_batch_max = 1).await;
        host.ended(0).await;
        host.clock.advance(31 * DAY);
        let gate = Gate::new();
        host.storage.hold(Cue::Purge, &gate);
        let leaving = async {
            steps(&host, 1).await;
            let a_while = async {
                for _ in 0..100 {
                    tokio::task::yield_now().await;
                }
            };
            tokio::select! {
                biased;
                answer = host.purge(None) => panic!("it is not its turn: {answer:?}"),
                () = a_while => {}
            }
            gate.open();
        };
        let (purged, ()) = tokio::join!(host.purge(None), leaving);
        assert_eq!(purged.json()["deleted"], 1);
        assert_eq!(host.purge(None).await.json()["deleted"], 0);
        let steps = host.storage.calls(Cue::Purge);
        assert_eq!(steps, 3, "two that purge, and one that finds nothing");
    }
}

#[tokio::test]
async fn a_shutdown_ends_a_purge_and_refuses_others() {
    for backend in [Backend::Memory, Backend::Sqlite] {
        let host = three_in_steps(backend).await;
        let gate = Gate::new();
        host.storage.hold_after(Cue::Purge, &gate);
        let (purged, stopped) = tokio::join!(host.purge(None), async {
            steps(&host, 1).await;
            let stopping = host.floret.shutdown(Duration::ZERO);
            let opening = async { gate.open() };
            tokio::join!(stopping, opening).0
        });
        stopped.unwrap();
        purged.refused(503, "shutting-down");
        assert_eq!(
            host.storage.calls(Cue::Purge),
            1,
            "the step in hand is the last"
        );
        host.purge(None).await.refused(503, "shutting-down");
        let preview = host.purge(Some(&json!({"preview": true}))).await;
        preview.refused(503, "shutting-down");
    }
}

#[tokio::test]
async fn a_caller_purges_and_counts_what_is_its_tenants() {
    on_each(async |host: &Aged| {
        let ann = Scope::Tenant(TenantId::new("ann").unwrap());
        let mut put = PutPipeline::new(
            PipelineId::new("own").unwrap(),
            SlugChoice::Given(Slug::new("own").unwrap()),
            daily().into(),
            host.clock.clock().now(),
        );
        put.scope = ann.clone();
        host.storage.put_pipeline(put).await.unwrap();
        for pipeline in ["own", "daily"] {
            let run = host.floret.run(pipeline).start().await.unwrap();
            run.finished().await.unwrap();
        }
        host.clock.advance(31 * DAY);
        let access = Access::custom(move |_, _| Decision::Allow(ann.clone()));
        let service = host.floret.service(access);
        let info = send(&service, request(Method::GET, "/api/system/info", None)).await;
        assert_eq!(info.json()["pipelines"], 1);
        for deleted in [1, 0] {
            let purge = request(Method::POST, "/api/system/purge", None);
            assert_eq!(send(&service, purge).await.json()["deleted"], deleted);
        }
        let left = host.get("/api/runs").await.json();
        assert_eq!(left.as_array().unwrap().len(), 1);
        assert_eq!(left[0]["pipeline_id"], "daily");
    })
    .await;
}

#[tokio::test]
async fn looking_and_deleting_are_two_permissions() {
    on_each(async |host: &Aged| {
        let service = host.floret.service(Access::read_only());
        let info = send(&service, request(Method::GET, "/api/system/info", None)).await;
        assert_eq!(info.status, 200);
        let purge = request(Method::POST, "/api/system/purge", None);
        send(&service, purge).await.refused(403, "forbidden");
        let service = host.floret.service(Access::from_extensions());
        for (method, path) in [
            (Method::GET, "/api/system/info"),
            (Method::POST, "/api/system/purge"),
        ] {
            let answer = send(&service, request(method, path, None)).await;
            answer.refused(401, "unauthenticated");
        }
    })
    .await;
}
