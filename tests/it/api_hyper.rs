//! The service under hyper, on a connection in memory: what a server makes of its answers.
//!
//! What stands in them is tested without a server.

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use hyper::client::conn::http1 as client;
use hyper::server::conn::http1 as server;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use serde_json::json;

use crate::wire::{Answer, Backend, Host, request};

type Sender = client::SendRequest<Full<Bytes>>;

/// Serves one connection while a client talks.
async fn talk(host: &Host, client: impl AsyncFnOnce(Sender)) {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let service = TowerToHyperService::new(host.service.clone());
    let serving = server::Builder::new().serve_connection(TokioIo::new(theirs), service);
    let (sender, connection) = client::handshake(TokioIo::new(ours)).await.unwrap();
    // Either side ends once the client has let go of its sender, or the server of a body that it
    // does not read.
    let (_ended, _closed, ()) = tokio::join!(serving, connection, client(sender));
}

async fn ask(sender: &mut Sender, mut request: Request<Full<Bytes>>) -> Answer {
    let host = http::HeaderValue::from_static("localhost");
    request.headers_mut().insert("host", host);
    sender.ready().await.unwrap();
    Answer::read(sender.send_request(request).await.unwrap()).await
}

#[tokio::test]
async fn a_run_is_started_and_followed_over_a_connection() {
    let host = Host::start(Backend::Sqlite).await;
    talk(&host, async |mut sender| {
        let body = json!({"params": {"a": "1"}});
        let post = request(Method::POST, "/api/pipelines/daily/run", Some(&body));
        let accepted = ask(&mut sender, post).await;
        assert_eq!(accepted.status, 202);
        let location = accepted.header("location").to_owned();
        host.finish(accepted.json()["id"].as_str().unwrap()).await;

        let run = ask(&mut sender, request(Method::GET, &location, None)).await;
        assert_eq!(run.json()["status"], "success");
        let length = run.body.len().to_string();
        assert_eq!(run.header("content-length"), length);
        let head = ask(&mut sender, request(Method::HEAD, &location, None)).await;
        assert_eq!(
            (head.body.len(), head.header("content-length")),
            (0, &*length)
        );

        let export = format!("{location}/logs/export");
        let file = ask(&mut sender, request(Method::GET, &export, None)).await;
        assert_eq!(file.header("transfer-encoding"), "chunked");
        assert_eq!(file.text().lines().count(), 4);
        let head = ask(&mut sender, request(Method::HEAD, &export, None)).await;
        assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));

        let delete = request(Method::DELETE, "/api/pipelines/daily", None);
        assert_eq!(ask(&mut sender, delete).await.status, 204);
    })
    .await;
}

#[tokio::test]
async fn a_body_that_says_it_is_too_large_is_refused_before_it_is_sent() {
    let host = Host::start(Backend::Memory).await;
    talk(&host, async |mut sender| {
        let body = json!({"params": {"a": "x".repeat(5 << 20)}});
        let post = request(Method::POST, "/api/pipelines/daily/run", Some(&body));
        let answer = ask(&mut sender, post).await;
        answer.refused(413, "body-too-large");
    })
    .await;
}
