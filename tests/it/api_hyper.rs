//! The service under a hyper server, on an in-memory connection.
//!
//! The other `api_*` files test the contents of responses, without a server.

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use hyper::client::conn::http1 as client;
use hyper::server::conn::http1 as server;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use serde_json::json;

use crate::wire::{Backend, Host, TestResponse, request};

type Sender = client::SendRequest<Full<Bytes>>;

/// Serves one connection while `client` uses it.
async fn with_connection(host: &Host, client: impl AsyncFnOnce(Sender)) {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let service = TowerToHyperService::new(host.service.clone());
    let serving = server::Builder::new().serve_connection(TokioIo::new(theirs), service);
    let (sender, connection) = client::handshake(TokioIo::new(ours)).await.unwrap();
    // Both sides finish when the client drops its sender, or when the server drops a body that it
    // does not read.
    let (_served, _closed, ()) = tokio::join!(serving, connection, client(sender));
}

async fn send(sender: &mut Sender, mut request: Request<Full<Bytes>>) -> TestResponse {
    let host = http::HeaderValue::from_static("localhost");
    request.headers_mut().insert("host", host);
    sender.ready().await.unwrap();
    TestResponse::read(sender.send_request(request).await.unwrap()).await
}

#[tokio::test]
async fn a_run_is_started_and_followed_over_a_connection() {
    let host = Host::start(Backend::Sqlite).await;
    with_connection(&host, async |mut sender| {
        let body = json!({"params": {"a": "1"}});
        let post = request(Method::POST, "/api/pipelines/daily/run", Some(&body));
        let accepted = send(&mut sender, post).await;
        assert_eq!(accepted.status, 202);
        let location = accepted.header("location").to_owned();
        host.wait_finished(accepted.json()["id"].as_str().unwrap())
            .await;

        let run = send(&mut sender, request(Method::GET, &location, None)).await;
        assert_eq!(run.json()["status"], "success");
        let length = run.body.len().to_string();
        assert_eq!(run.header("content-length"), length);
        let head = send(&mut sender, request(Method::HEAD, &location, None)).await;
        assert_eq!(
            (head.body.len(), head.header("content-length")),
            (0, &*length)
        );

        let export = format!("{location}/logs/export");
        let file = send(&mut sender, request(Method::GET, &export, None)).await;
        assert_eq!(file.header("transfer-encoding"), "chunked");
        assert_eq!(file.text().lines().count(), 4);
        let head = send(&mut sender, request(Method::HEAD, &export, None)).await;
        assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));

        let delete = request(Method::DELETE, "/api/pipelines/daily", None);
        assert_eq!(send(&mut sender, delete).await.status, 204);
    })
    .await;
}

#[tokio::test]
async fn a_too_large_content_length_is_refused_before_the_body_is_sent() {
    let host = Host::start(Backend::Memory).await;
    with_connection(&host, async |mut sender| {
        let body = json!({"params": {"a": "x".repeat(5 << 20)}});
        let post = request(Method::POST, "/api/pipelines/daily/run", Some(&body));
        let response = send(&mut sender, post).await;
        response.assert_problem(413, "body-too-large");
    })
    .await;
}
