//! Who may do what, and whose objects a caller sees.

use bytes::Bytes;
use floret::{Access, Permission, Permissions, RunsService, Scope, TenantId};
use http::{Method, Request};
use http_body_util::Full;
use serde_json::json;

use crate::wire::{Answer, Host, on_each, request, send};

/// Every route that needs a permission.
const ROUTES: [(&str, &str, Permission); 18] = [
    (
        "POST",
        "/api/pipelines/daily/dry-run",
        Permission::PipelinesRun,
    ),
    ("POST", "/api/pipelines/daily/run", Permission::PipelinesRun),
    ("GET", "/api/pipelines/daily/runs", Permission::RunsView),
    ("GET", "/api/runs", Permission::RunsView),
    ("GET", "/api/runs/{run}", Permission::RunsView),
    ("POST", "/api/runs/{run}/cancel", Permission::RunsCancel),
    ("POST", "/api/runs/{run}/resume", Permission::RunsResume),
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
    ("GET", "/api/ws", Permission::EventsView),
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
        "DELETE",
        "/api/pipelines/daily",
        Permission::PipelinesDelete,
    ),
];

fn as_caller(own: Option<Permissions>, mut request: Request<Full<Bytes>>) -> Request<Full<Bytes>> {
    if let Some(own) = own {
        request.extensions_mut().insert(own);
    }
    request
}

#[tokio::test]
async fn each_route_lets_in_whoever_has_its_permission_and_nobody_else() {
    on_each(async |host: &Host| {
        let id = host.finished().await;
        let service = host.floret.service(Access::from_extensions());
        let read_only = host.floret.service(Access::read_only());
        for (method, path, permission) in ROUTES {
            let path = path.replace("{run}", &id);
            let request = || request(method.parse::<Method>().unwrap(), &path, None);
            let others = Permission::ALL.iter().filter(|other| **other != permission);
            let others = Permissions::of(others.copied());
            send(&service, request())
                .await
                .refused(401, "unauthenticated");
            send(&service, as_caller(Some(others), request()))
                .await
                .refused(403, "forbidden");
            let only = Permissions::of([permission]);
            let answer = send(&service, as_caller(Some(only), request())).await;
            assert!(
                !matches!(answer.status.as_u16(), 401 | 403),
                "{method} {path} {answer:?}"
            );
            if !permission.is_view() {
                send(&read_only, request()).await.refused(403, "forbidden");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn whoever_is_not_let_in_learns_nothing_of_what_exists() {
    on_each(async |host: &Host| {
        let service = host.floret.service(Access::from_extensions());
        let none = Permissions::of([]);
        for path in [
            "/api/pipelines/daily",
            "/api/pipelines/other",
            "/api/runs/x?y=z",
        ] {
            let request = request(Method::GET, path, None);
            send(&service, as_caller(Some(none.clone()), request))
                .await
                .refused(403, "forbidden");
        }
        let answer = send(&service, request(Method::GET, "/api/runs", None)).await;
        assert_eq!(answer.header("www-authenticate"), "Bearer");
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
async fn a_stranger_is_not_told_which_paths_there_are() {
    on_each(async |host: &Host| {
        let service = host.floret.service(Access::from_extensions());
        for (method, path) in [
            (Method::GET, "/api/nothing"),
            (Method::POST, "/elsewhere"),
            (Method::PATCH, "/api/runs"),
        ] {
            let asked = || request(method.clone(), path, None);
            send(&service, asked())
                .await
                .refused(401, "unauthenticated");
            let known = as_caller(Some(Permissions::of([])), asked());
            let answer = send(&service, known).await;
            assert!([404, 405].contains(&answer.status.as_u16()), "{answer:?}");
        }
    })
    .await;
}

/// Sends as a caller of this tenant.
async fn of(tenant: &str, service: &RunsService, request: Request<Full<Bytes>>) -> Answer {
    let scope = Scope::Tenant(TenantId::new(tenant).unwrap());
    let own = Permissions::all().scope(scope);
    send(service, as_caller(Some(own), request)).await
}

#[tokio::test]
async fn another_tenants_objects_are_as_if_they_did_not_exist() {
    on_each(async |host: &Host| {
        let service = host.floret.service(Access::from_extensions());
        let body = json!({"id": "own", "name": "own", "nodes": [{"id": "load", "type": "any"}]});
        let post = |path: &str, body| request(Method::POST, path, body);
        assert_eq!(
            of("a", &service, post("/api/pipelines", Some(&body)))
                .await
                .status,
            201
        );
        let run = of("a", &service, post("/api/pipelines/own/run", None))
            .await
            .json();
        let id = run["id"].as_str().unwrap();
        host.finish(id).await;

        for path in ["/api/runs", "/api/pipelines"] {
            let get = || request(Method::GET, path, None);
            assert_eq!(
                of("a", &service, get())
                    .await
                    .json()
                    .as_array()
                    .unwrap()
                    .len(),
                1
            );
            assert_eq!(of("b", &service, get()).await.json(), json!([]));
        }
        let own = |path: &str| path.replace("/daily", "/own").replace("{run}", id);
        let routes = ROUTES.iter().filter(|(_, path, _)| own(path) != *path);
        for (method, path, _) in routes {
            let request = request(method.parse().unwrap(), &own(path), Some(&body));
            assert_eq!(
                of("b", &service, request).await.status,
                404,
                "{method} {path}"
            );
        }
        let taken = of("b", &service, post("/api/pipelines", Some(&body))).await;
        taken.refused(409, "already-exists");
        let still = request(Method::GET, "/api/pipelines/own", None);
        assert_eq!(of("a", &service, still).await.status, 200);
    })
    .await;
}
