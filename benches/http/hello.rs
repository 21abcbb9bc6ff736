//! The least that an HTTP server does: hyper answers each request with the same bytes.

use std::convert::Infallible;

use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;

use crate::listener::listen;

/// Serves until the process is killed.
pub(crate) async fn serve() {
    listen(|socket| async {
        let served = http1::Builder::new().serve_connection(socket, service_fn(hello));
        // A client that closes its connection is no error here.
        drop(served.await);
    })
    .await;
}

async fn hello(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::from("hello")))
}
