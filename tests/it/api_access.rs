//! The permission of each route, and which tenant's objects a caller sees.

use bytes::Bytes;
use floret::testing::Step;
use floret::{Access, CallerName, Decision, Permission, Permissions, RunsService, Scope, TenantId};
use http::request::Parts;
use http::{Method, Request};
use http_body_util::Full;
use serde_json::{Value, json};

use crate::wire::{Host, TestResponse, on_each_backend, request, send};

/// The routes that need a permission.
const ROUTES: [(&str, &str, Permission); 37] = [
    (
        "POST",
        "/api/pipelines/daily/dry-run",
        Permission::PipelinesRun,
    ),
    ("POST", "/api/pipelines/daily/run", Permission::PipelinesRun),
    ("GET", "/api/pipelines/daily/runs", Permission::RunsView),
    ("GET", "/api/runs", Permission::RunsView),
    ("GET", "/api/runs/{run}", Permission::RunsView),
    ("PATCH", "/api/runs/{run}", Permission::RunsEdit),
    ("POST", "/api/runs/{run}/cancel", Permission::RunsCancel),
    ("POST", "/api/runs/{run}/resume", Permission::RunsResume),
    ("POST", "/api/runs/{run}/rerun", Permission::PipelinesRun),
    ("POST", "/api/runs/cancel", Permission::RunsCancel),
    ("POST", "/api/runs/rerun", Permission::PipelinesRun),
    ("GET", "/api/runs/{run}/logs", Permission::RunsView),
    ("GET", "/api/runs/{run}/logs/export", Permission::RunsView),
    (
        "GET",
        "/api/runs/{run}/nodes/load/preview",
        Permission::RunsView,
    ),
    (
        "GET",
        "/api/runs/{run}/nodes/load/profile",
        Permission::RunsView,
    ),
    (
        "POST",
        "/api/pipelines/daily/backfill",
        Permission::PipelinesRun,
    ),
    (
        "GET",
        "/api/pipelines/daily/backfills",
        Permission::RunsView,
    ),
    ("GET", "/api/backfills/{backfill}", Permission::RunsView),
    (
        "POST",
        "/api/backfills/{backfill}/cancel",
        Permission::RunsCancel,
    ),
    (
        "POST",
        "/api/backfills/{backfill}/pause",
        Permission::PipelinesRun,
    ),
    (
        "POST",
        "/api/backfills/{backfill}/unpause",
        Permission::PipelinesRun,
    ),
    ("GET", "/api/ws", Permission::EventsView),
    ("GET", "/api/events", Permission::EventsView),
    ("GET", "/api/deliveries", Permission::SettingsView),
    (
        "POST",
        "/api/deliveries/pager.1/retry",
        Permission::SettingsEdit,
    ),
    ("GET", "/api/pipelines", Permission::PipelinesView),
    ("POST", "/api/pipelines", Permission::PipelinesCreate),
    ("GET", "/api/pipelines/daily", Permission::PipelinesView),
    ("PUT", "/api/pipelines/daily", Permission::PipelinesEdit),
    (
        "GET",
        "/api/pipelines/daily/validate",
        Permission::PipelinesView,
    ),
    (
        "GET",
        "/api/pipelines/daily/versions",
        Permission::PipelinesView,
    ),
    (
        "GET",
        "/api/pipelines/daily/versions/1",
        Permission::PipelinesView,
    ),
    (
        "GET",
        "/api/pipelines/daily/versions/1/diff/1",
        Permission::PipelinesView,
    ),
    (
        "POST",
        "/api/pipelines/daily/rollback",
        Permission::PipelinesEdit,
    ),
    (
        "POST",
        "/api/pipelines/daily/pause",
        Permission::PipelinesEdit,
    ),
    (
        "POST",
        "/api/pipelines/daily/unpause",
        Permission::PipelinesEdit,
    ),
    (
        "DELETE",
        "/api/pipelines/daily",
        Permission::PipelinesDelete,
    ),
];

fn as_caller(
    permissions: Option<Permissions>,
    mut request: Request<Full<Bytes>>,
) -> Request<Full<Bytes>> {
    if let Some(permissions) = permissions {
        request.extensions_mut().insert(permissions);
    }
    request
}

#[tokio::test]
async fn each_route_requires_exactly_its_permission() {
    on_each_backend(async |host: &Host| {
        let id = host.finished_run().await;
        let service = host.floret.service(Access::from_extensions());
        let read_only = host.floret.service(Access::read_only());
        for (method, path, permission) in ROUTES {
            let path = path.replace("{run}", &id).replace("{backfill}", &id);
            let request = || request(method.parse::<Method>().unwrap(), &path, None);
            let others = Permission::ALL.iter().filter(|other| **other != permission);
            let others = Permissions::of(others.copied());
            send(&service, request())
                .await
                .assert_problem(401, "unauthenticated");
            send(&service, as_caller(Some(others), request()))
                .await
                .assert_problem(403, "forbidden");
            let only = Permissions::of([permission]);
            let response = send(&service, as_caller(Some(only), request())).await;
            assert!(
                !matches!(response.status.as_u16(), 401 | 403),
                "{method} {path} {response:?}"
            );
            if !permission.is_view() {
                send(&read_only, request())
                    .await
                    .assert_problem(403, "forbidden");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_refused_caller_cannot_probe_for_objects() {
    on_each_backend(async |host: &Host| {
        let service = host.floret.service(Access::from_extensions());
        let no_permissions = Permissions::of([]);
        for path in [
            "/api/pipelines/daily",
            "/api/pipelines/other",
            "/api/runs/x?y=z",
        ] {
            let request = request(Method::GET, path, None);
            send(&service, as_caller(Some(no_permissions.clone()), request))
                .await
                .assert_problem(403, "forbidden");
        }
        let response = send(&service, request(Method::GET, "/api/runs", None)).await;
        assert_eq!(response.header("www-authenticate"), "Bearer");
        assert_eq!(
            send(&service, request(Method::GET, "/api/health", None))
                .await
                .status,
            200
        );
    })
    .await;
}

#[tokio::test]
async fn an_unauthenticated_caller_cannot_probe_for_paths() {
    on_each_backend(async |host: &Host| {
        let service = host.floret.service(Access::from_extensions());
        for (method, path) in [
            (Method::GET, "/api/nothing"),
            (Method::POST, "/elsewhere"),
            (Method::PATCH, "/api/runs"),
        ] {
            let new_request = || request(method.clone(), path, None);
            send(&service, new_request())
                .await
                .assert_problem(401, "unauthenticated");
            let authenticated = as_caller(Some(Permissions::of([])), new_request());
            let response = send(&service, authenticated).await;
            assert!(
                [404, 405].contains(&response.status.as_u16()),
                "{response:?}"
            );
        }
    })
    .await;
}

/// Sends a request as a caller of this tenant.
async fn send_as(
    tenant: &str,
    service: &RunsService,
    request: Request<Full<Bytes>>,
) -> TestResponse {
    let scope = Scope::Tenant(TenantId::new(tenant).unwrap());
    let permissions = Permissions::all().scope(scope);
    send(service, as_caller(Some(permissions), request)).await
}

#[tokio::test]
async fn another_tenants_objects_appear_not_to_exist() {
    on_each_backend(async |host: &Host| {
        let service = host.floret.service(Access::from_extensions());
        let body = json!({"id": "own", "name": "own", "nodes": [{"id": "load", "type": "any"}]});
        let post = |path: &str, body| request(Method::POST, path, body);
        assert_eq!(
            send_as("a", &service, post("/api/pipelines", Some(&body)))
                .await
                .status,
            201
        );
        let run = send_as("a", &service, post("/api/pipelines/own/run", None))
            .await
            .json();
        let id = run["id"].as_str().unwrap();
        host.wait_finished(id).await;
        let dates = json!({"start_date": "2024-01-01", "end_date": "2024-01-01"});
        let start = post("/api/pipelines/own/backfill", Some(&dates));
        let started = send_as("a", &service, start).await;
        let backfill = started.header("location").rsplit('/').next().unwrap();
        let backfill_run = started.json()[0].as_str().unwrap().to_owned();
        host.wait_finished(&backfill_run).await;

        for (path, count) in [("/api/runs", 2), ("/api/pipelines", 1)] {
            let get = || request(Method::GET, path, None);
            assert_eq!(
                send_as("a", &service, get())
                    .await
                    .json()
                    .as_array()
                    .unwrap()
                    .len(),
                count
            );
            assert_eq!(send_as("b", &service, get()).await.json(), json!([]));
        }
        let own_path = |path: &str| {
            let path = path.replace("/daily", "/own").replace("{run}", id);
            path.replace("{backfill}", backfill)
        };
        let routes = ROUTES.iter().filter(|(_, path, _)| own_path(path) != *path);
        for (method, path, _) in routes {
            let request = request(method.parse().unwrap(), &own_path(path), Some(&body));
            assert_eq!(
                send_as("b", &service, request).await.status,
                404,
                "{method} {path}"
            );
        }
        let free = send_as("b", &service, post("/api/pipelines", Some(&body))).await;
        assert_eq!(free.status, 201, "{free:?}");
        let taken = send_as("b", &service, post("/api/pipelines", Some(&body))).await;
        taken.assert_problem(409, "already-exists");
        let get = request(Method::GET, "/api/pipelines/own", None);
        assert_eq!(send_as("a", &service, get).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn a_run_says_who_created_it() {
    on_each_backend(async |host: &Host| {
        let named = |parts: &Parts, _| match parts.headers.get("x-user") {
            Some(user) => Decision::allow(Scope::All).by(user.to_str().unwrap()),
            None => Decision::allow(Scope::All),
        };
        let by_header = host.floret.service(Access::custom(named));
        let by_extensions = host.floret.service(Access::from_extensions());
        let dates = json!({"start_date": "2024-01-01", "end_date": "2024-01-01"});
        for (path, body) in [("run", json!({})), ("backfill", dates)] {
            let path = format!("/api/pipelines/daily/{path}");
            let mut by_alice = request(Method::POST, &path, Some(&body));
            let alice = "alice@example.com".parse().unwrap();
            by_alice.headers_mut().insert("x-user", alice);
            let by_alice = send(&by_header, by_alice).await.json();
            assert_eq!(creator(host, &by_alice).await, json!("alice@example.com"));
            let by_ben = Permissions::all().by("ben");
            let by_ben = as_caller(Some(by_ben), request(Method::POST, &path, Some(&body)));
            let by_ben = send(&by_extensions, by_ben).await.json();
            assert_eq!(creator(host, &by_ben).await, json!("ben"));
            let by_nobody = host.post(&path, Some(&body)).await.json();
            assert_eq!(creator(host, &by_nobody).await, Value::Null);
        }
        host.executor
            .script("load", [Step::permanent("down"), Step::pass_on()]);
        let failed = host.floret.by("carol").run("daily").await.unwrap();
        let detail = failed.finished().await.unwrap();
        assert_eq!(detail.run.created_by, Some(CallerName::new("carol")));
        let client = host.floret.scoped(Scope::NoTenant).by("dan");
        let resumed = client.run_by_id(failed.id()).resume().await.unwrap();
        let detail = resumed.finished().await.unwrap();
        assert_eq!(detail.run.created_by, Some(CallerName::new("dan")));
    })
    .await;
}

/// Waits until the run of an answer is finished, and returns who created it, as the API shows it.
async fn creator(host: &Host, answer: &Value) -> Value {
    let run = if answer.is_array() {
        &answer[0]
    } else {
        &answer["id"]
    };
    let run = run.as_str().unwrap();
    host.wait_finished(run).await;
    host.get(&format!("/api/runs/{run}")).await.json()["created_by"].take()
}
