//! Calls of a service in process, without a socket: routing, and the JSON of a small answer. The
//! router of axum has 25 routes and gives the same answers from a map.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Json, Router};
use floret::executor::{Ctx, ExecutorError};
use floret::storage::MemoryStorage;
use floret::{Access, Floret, Pipeline};
use http_body_util::BodyExt;
use peers_work::{Figure, Report};
use serde_json::Value;
use tower::{Service, ServiceExt};

/// The calls of each path in a round.
const CALLS: u32 = 20_000;

/// Paths that are in the router and not called.
const OTHER_PATHS: [&str; 22] = [
    "/api/capabilities",
    "/api/connections",
    "/api/connections/{conn_id}",
    "/api/variables",
    "/api/variables/{key}",
    "/api/pipelines/{id}/run",
    "/api/pipelines/{id}/runs",
    "/api/pipelines/{id}/dry-run",
    "/api/pipelines/{id}/backfill",
    "/api/pipelines/{id}/backfills",
    "/api/pipelines/{id}/validate",
    "/api/pipelines",
    "/api/runs",
    "/api/runs/calendar",
    "/api/runs/{run_id}/cancel",
    "/api/runs/{run_id}/logs",
    "/api/runs/{run_id}/nodes/{node_id}/preview",
    "/api/backfills/{backfill_id}",
    "/api/lineage",
    "/api/dashboard",
    "/api/search",
    "/api/system/info",
];

/// The last segment of each called path, with the answer.
type Answers = Arc<HashMap<String, Arc<Value>>>;

/// Measures one round: the mean time of a call in nanoseconds, over three paths.
pub(crate) async fn measure(mode: &str) -> Report {
    let floret = Floret::builder(MemoryStorage::default())
        .node("nothing", |_: Ctx| async { Ok::<_, ExecutorError>(()) })
        .pipeline(Pipeline::new("single").node("only", "nothing"))
        .start()
        .await
        .unwrap();
    let run = floret.run("single").start().await.unwrap();
    run.finished().await.unwrap();
    let paths = [
        "/api/health".to_owned(),
        "/api/pipelines/single".to_owned(),
        format!("/api/runs/{}", run.id()),
    ];
    let mut service = floret.service(Access::allow_all());
    let mut answers = HashMap::new();
    for path in &paths {
        let (_, last) = path.rsplit_once('/').unwrap();
        let answer = call(&mut service, path).await;
        answers.insert(
            last.to_owned(),
            Arc::new(serde_json::from_slice(&answer).unwrap()),
        );
    }
    let answers = Answers::new(answers);
    let time = match mode {
        "floret-service" => time(&mut service, &paths, &answers).await,
        "axum" => time(&mut router(Arc::clone(&answers)), &paths, &answers).await,
        other => panic!("no such mode: {other}"),
    };
    let mut report = Report::default();
    report.add(Figure::Call, time);
    report
}

fn router(answers: Answers) -> Router {
    let mut router = Router::new()
        .route("/api/health", get(health))
        .route("/api/pipelines/{id}", get(find))
        .route("/api/runs/{run_id}", get(find));
    for path in OTHER_PATHS {
        router = router.route(path, get(async || "not called"));
    }
    router.with_state(answers)
}

async fn health(State(answers): State<Answers>) -> Json<Arc<Value>> {
    Json(Arc::clone(&answers["health"]))
}

async fn find(State(answers): State<Answers>, Path(id): Path<String>) -> Json<Arc<Value>> {
    Json(Arc::clone(&answers[&id]))
}

/// Returns the mean time of a call, after a call of each path whose answer is compared.
async fn time<S, B>(service: &mut S, paths: &[String], answers: &Answers) -> f64
where
    S: Service<http::Request<Body>, Response = http::Response<B>, Error = Infallible>,
    B: http_body::Body<Error: std::fmt::Debug>,
{
    for path in paths {
        let answer: Value = serde_json::from_slice(&call(service, path).await).unwrap();
        let (_, last) = path.rsplit_once('/').unwrap();
        assert_eq!(answer, *answers[last]);
    }
    let begin = Instant::now();
    for _ in 0..CALLS {
        for path in paths {
            call(service, path).await;
        }
    }
    let calls = f64::from(CALLS) * 3.0;
    begin.elapsed().as_secs_f64() * 1e9 / calls
}

async fn call<S, B>(service: &mut S, path: &str) -> Vec<u8>
where
    S: Service<http::Request<Body>, Response = http::Response<B>, Error = Infallible>,
    B: http_body::Body<Error: std::fmt::Debug>,
{
    let request = http::Request::get(path).body(Body::empty()).unwrap();
    let response = service.ready().await.unwrap().call(request).await.unwrap();
    assert_eq!(response.status(), 200);
    response
        .into_body()
        .collect()
        .await
        .unwrap()
        .to_bytes()
        .into()
}
