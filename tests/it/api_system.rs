//! System information and the purge over HTTP.

use std::time::Duration;

use floret::storage::{Pipelines, PutPipeline, SlugChoice};
use floret::testing::{
    FaultyStorage, Gate, ManualClock, Method as StorageCall, Scratch, ScriptedExecutor, Step,
    scratch,
};
use floret::{Access, Decision, Floret, Limits, PipelineId, RunsService, Scope, Slug, TenantId};
use http::Method;
use serde_json::{Value, json};

use crate::wire::{Backend, TestResponse, daily, request, send};

const DAY: Duration = Duration::from_secs(86_400);

/// A host with a manual clock.
struct ClockedHost {
    floret: Floret,
    service: RunsService,
    executor: ScriptedExecutor,
    storage: FaultyStorage,
    clock: ManualClock,
    _folder: Scratch,
}

impl ClockedHost {
    async fn start(backend: Backend, change: impl FnOnce(&mut Limits)) -> Self {
        let folder = scratch();
        let storage = FaultyStorage::new(backend.open(folder.path()).await);
        let executor = ScriptedExecutor::new();
        let clock = ManualClock::new("2024-01-15T06:00:00Z".parse().unwrap());
        let mut limits = Limits::default();
        // Advancing the clock by days must not expire a lease.
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

    async fn get(&self, path: &str) -> TestResponse {
        send(&self.service, request(Method::GET, path, None)).await
    }

    async fn purge(&self, body: Option<&Value>) -> TestResponse {
        let purge = request(Method::POST, "/api/system/purge", body);
        send(&self.service, purge).await
    }

    /// Executes a run, advances the clock by `days_ago` days and returns the id of the run.
    async fn finished_run(&self, days_ago: u32) -> String {
        let run = self.floret.run("daily").start().await.unwrap();
        run.finished().await.unwrap();
        self.clock.advance(days_ago * DAY);
        run.id().to_string()
    }

    async fn run_count(&self) -> usize {
        let runs = self.get("/api/runs?per_page=100").await.json();
        usize::try_from(runs["total"].as_u64().unwrap()).unwrap()
    }
}

#[expect(clippy::future_not_send, reason = "a tokio test stays on its thread")]
async fn on_each_backend(test: impl AsyncFn(&ClockedHost)) {
    for backend in [Backend::Memory, Backend::Sqlite] {
        test(&ClockedHost::start(backend, |_| {}).await).await;
    }
}

#[tokio::test]
async fn system_info_reports_its_figures() {
    for (backend, storage) in [(Backend::Memory, "memory"), (Backend::Sqlite, "sqlite")] {
        let host = ClockedHost::start(backend, |limits| limits.runs_max = 1).await;
        let gate = Gate::new();
        host.executor.script("load", [Step::pass_on().at(&gate)]);
        for _ in 0..3 {
            host.floret.run("daily").start().await.unwrap();
        }
        host.executor.started("load").await;
        host.clock.advance(Duration::from_millis(90_500));
        let response = host.get("/api/system/info").await;
        let info = response.json();
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
            response.text().starts_with(r#"{"version":""#),
            "{}",
            response.text()
        );
        gate.open();
    }
}

#[tokio::test]
async fn a_purge_deletes_runs_that_finished_longer_ago() {
    on_each_backend(async |host: &ClockedHost| {
        let old = host.finished_run(20).await;
        let newer = host.finished_run(15).await;
        let preview = host.purge(Some(&json!({"preview": true}))).await;
        assert_eq!(preview.json(), json!({"deleted": 1, "days": 30}));
        assert_eq!(host.run_count().await, 2);
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
            gone.assert_problem(404, "run-not-found");
        }
        assert_eq!(host.get(&format!("/api/runs/{newer}")).await.status, 200);
        let days = json!({"days": 15, "preview": false});
        assert_eq!(
            host.purge(Some(&days)).await.json()["deleted"],
            0,
            "15 days have not passed"
        );
        host.clock.advance(Duration::from_millis(1));
        let purged = host.purge(Some(&days)).await;
        assert_eq!(purged.json(), json!({"deleted": 1, "days": 15}));
        assert_eq!(host.run_count().await, 0);
    })
    .await;
}

#[tokio::test]
async fn active_runs_are_never_deleted() {
    for backend in [Backend::Memory, Backend::Sqlite] {
        let host = ClockedHost::start(backend, |limits| limits.runs_max = 1).await;
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
        assert_eq!(host.run_count().await, 2);
        gate.open();
    }
}

#[tokio::test]
async fn an_invalid_body_deletes_nothing() {
    on_each_backend(async |host: &ClockedHost| {
        host.finished_run(36_000).await;
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
            refused.assert_problem(422, "invalid-field");
        }
        let both = host
            .purge(Some(&json!({"preview": 1, "days": []})))
            .await
            .json();
        assert_eq!(both["errors"].as_array().unwrap().len(), 2);
        let unknown = host.purge(Some(&json!({"day": 1}))).await;
        unknown.assert_problem(422, "unknown-field");
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
            .assert_problem(400, "invalid-parameter");
        assert_eq!(host.run_count().await, 1);
        for body in [json!({"days": 36_500, "preview": true}), json!({})] {
            assert_eq!(host.purge(Some(&body)).await.status, 200);
        }
        assert_eq!(host.run_count().await, 0);
    })
    .await;
}

/// Starts a host with three old runs and a purge batch of one run.
async fn host_with_three_old_runs(backend: Backend) -> ClockedHost {
    let host = ClockedHost::start(backend, |limits| limits.purge_batch_max = 1).await;
    for _ in 0..3 {
        host.finished_run(0).await;
    }
    host.clock.advance(31 * DAY);
    host
}

/// Waits until storage has received `count` purge calls.
async fn purge_calls(host: &ClockedHost, count: u64) {
    while host.storage.calls(StorageCall::Purge) < count {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_purge_pauses_after_each_batch_for_as_long_as_it_took() {
    for backend in [Backend::Memory, Backend::Sqlite] {
        let host = host_with_three_old_runs(backend).await;
        let gate = Gate::new();
        host.storage.hold_after(StorageCall::Purge, &gate);
        let purging = async {
            let purged = host.purge(None).await;
            assert_eq!(purged.json()["deleted"], 3);
        };
        let advancing = async {
            purge_calls(&host, 1).await;
            host.clock.advance(Duration::from_secs(7));
            gate.open();
            host.clock.sleeper_within(Duration::from_secs(7)).await;
            assert_eq!(host.clock.next_wake(), Some(Duration::from_secs(7)));
            assert_eq!(host.storage.calls(StorageCall::Purge), 1);
            host.clock.advance(Duration::from_secs(7));
        };
        tokio::join!(purging, advancing);
        assert_eq!(
            host.storage.calls(StorageCall::Purge),
            4,
            "the fourth call finds nothing"
        );
    }
}

#[tokio::test]
async fn a_purge_continues_after_its_caller_disconnects() {
    for backend in [Backend::Memory, Backend::Sqlite] {
        let host = host_with_three_old_runs(backend).await;
        let gate = Gate::new();
        host.storage.hold(StorageCall::Purge, &gate);
        tokio::select! {
            response = host.purge(None) => panic!("the gate is closed: {response:?}"),
            () = purge_calls(&host, 1) => {}
        }
        gate.open();
        purge_calls(&host, 4).await;
        assert_eq!(host.run_count().await, 0);
    }
}

#[tokio::test]
async fn a_waiting_purge_does_not_start_after_its_caller_disconnects() {
    for backend in [Backend::Memory, Backend::Sqlite] {
        let host = ClockedHost::start(backend, |limits| limits.purge_batch_max = 1).await;
        host.finished_run(0).await;
        host.clock.advance(31 * DAY);
        let gate = Gate::new();
        host.storage.hold(StorageCall::Purge, &gate);
        let disconnecting = async {
            purge_calls(&host, 1).await;
            let hundred_yields = async {
                for _ in 0..100 {
                    tokio::task::yield_now().await;
                }
            };
            tokio::select! {
                biased;
                response = host.purge(None) => panic!("another purge is in progress: {response:?}"),
                () = hundred_yields => {}
            }
            gate.open();
        };
        let (purged, ()) = tokio::join!(host.purge(None), disconnecting);
        assert_eq!(purged.json()["deleted"], 1);
        assert_eq!(host.purge(None).await.json()["deleted"], 0);
        let calls = host.storage.calls(StorageCall::Purge);
        assert_eq!(calls, 3, "two of the first purge, one of the last");
    }
}

#[tokio::test]
async fn a_shutdown_stops_a_purge_and_refuses_new_ones() {
    for backend in [Backend::Memory, Backend::Sqlite] {
        let host = host_with_three_old_runs(backend).await;
        let gate = Gate::new();
        host.storage.hold_after(StorageCall::Purge, &gate);
        let (purged, stopped) = tokio::join!(host.purge(None), async {
            purge_calls(&host, 1).await;
            let stopping = host.floret.shutdown(Duration::ZERO);
            let opening = async { gate.open() };
            tokio::join!(stopping, opening).0
        });
        stopped.unwrap();
        purged.assert_problem(503, "shutting-down");
        assert_eq!(
            host.storage.calls(StorageCall::Purge),
            1,
            "the batch in progress is the last"
        );
        host.purge(None).await.assert_problem(503, "shutting-down");
        let preview = host.purge(Some(&json!({"preview": true}))).await;
        preview.assert_problem(503, "shutting-down");
    }
}

#[tokio::test]
async fn a_caller_counts_and_purges_only_its_tenants_objects() {
    on_each_backend(async |host: &ClockedHost| {
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
        let remaining = host.get("/api/runs").await.json();
        assert_eq!(remaining.as_array().unwrap().len(), 1);
        assert_eq!(remaining[0]["pipeline_id"], "daily");
    })
    .await;
}

#[tokio::test]
async fn reading_and_purging_need_different_permissions() {
    on_each_backend(async |host: &ClockedHost| {
        let service = host.floret.service(Access::read_only());
        let info = send(&service, request(Method::GET, "/api/system/info", None)).await;
        assert_eq!(info.status, 200);
        let purge = request(Method::POST, "/api/system/purge", None);
        send(&service, purge).await.assert_problem(403, "forbidden");
        let service = host.floret.service(Access::from_extensions());
        for (method, path) in [
            (Method::GET, "/api/system/info"),
            (Method::POST, "/api/system/purge"),
        ] {
            let response = send(&service, request(method, path, None)).await;
            response.assert_problem(401, "unauthenticated");
        }
    })
    .await;
}
