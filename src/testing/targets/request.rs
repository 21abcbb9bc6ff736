//! The fuzz target of the service: a method, a path with ids and query parameters, and a body.
//!
//! What each route answers is left to the tests of the routes.

use std::future::poll_fn;
use std::pin::Pin;

use http::{Method, Request, Response};
use http_body::Body as _;
use serde_json::Value;
use tower_service::Service as _;

use super::host;
use crate::api::Body;

/// Sends a request to the service.
///
/// The first byte chooses the method, the rest of the first line is the path, and the other lines
/// are the body. The answer is never a server error, and a refusal is a problem with a slug.
///
/// ```
/// floret::testing::targets::request(b"\0pipelines?limit=2");
/// ```
pub fn request(bytes: &[u8]) {
    let Some(request) = read(bytes) else {
        return;
    };
    host::with_service(async |service| {
        let answered = service.clone().call(request).await;
        let Ok(response) = answered;
        assert_valid(response).await;
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

async fn assert_valid(response: Response<Body>) {
    let status = response.status();
    assert!(!status.is_server_error(), "{status}");
    let body = collect(response.into_body()).await;
    if status.is_client_error() && !body.is_empty() {
        let problem: Value = serde_json::from_slice(&body).expect("a refusal is JSON");
        let slug = problem["type"].as_str().unwrap_or_default();
        assert!(slug.starts_with("urn:floret:problem:"), "{problem}");
    }
}

async fn collect(mut body: Body) -> Vec<u8> {
    let mut collected = Vec::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame = frame.expect("the body of a response is complete");
        collected.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
    }
    collected
}
