//! A method, a path with ids and query parameters, and a body, as a client would send them.
//!
//! What a route answers is left to the tests of the routes; here only that every answer is one.

use std::future::poll_fn;
use std::pin::Pin;

use http::{Method, Request, Response};
use http_body::Body as _;
use serde_json::Value;
use tower_service::Service as _;

use super::host;
use crate::api::Body;

/// Sends a request: the first byte chooses the method, the first line is the path, what follows it
/// the body.
///
/// The answer is never a fault of the service, and a refusal is a problem that tells its slug.
pub fn request(bytes: &[u8]) {
    let Some(request) = read(bytes) else {
        return;
    };
    host::with(async |service| {
        let answered = service.clone().call(request).await;
        let Ok(answer) = answered;
        judge(answer).await;
    });
}

fn read(bytes: &[u8]) -> Option<Request<String>> {
    let (choice, rest) = bytes.split_first()?;
    let mut lines = rest.splitn(2, |byte| *byte == b'\n');
    let path = [b"/api/", lines.next()?].concat();
    let body = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let methods = [Method::GET, Method::POST, Method::PUT, Method::DELETE];
    let request = Request::builder()
        .method(&methods[usize::from(*choice) % methods.len()])
        .uri(path.as_slice())
        .header("content-type", "application/json");
    request.body(body).ok()
}

async fn judge(answer: Response<Body>) {
    let status = answer.status();
    assert!(!status.is_server_error(), "{status}");
    let body = collect(answer.into_body()).await;
    if status.is_client_error() && !body.is_empty() {
        let problem: Value = serde_json::from_slice(&body).expect("a refusal is JSON");
        let slug = problem["type"].as_str().unwrap_or_default();
        assert!(slug.starts_with("urn:floret:problem:"), "{problem}");
    }
}

async fn collect(mut body: Body) -> Vec<u8> {
    let mut collected = Vec::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame = frame.expect("an answer is whole");
        collected.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
    }
    collected
}
