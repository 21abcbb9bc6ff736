//! One kept connection to a server, on the client of hyper.

use std::net::SocketAddr;

use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// A request, and the status that its answer must have.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    pub(crate) request: Request<Full<Bytes>>,
    pub(crate) status: StatusCode,
}

impl Exchange {
    pub(crate) fn get(path: &str) -> Self {
        Self::new(Method::GET, path, StatusCode::OK)
    }

    pub(crate) fn trigger(pipeline: &str) -> Self {
        let path = format!("/api/pipelines/{pipeline}/run");
        Self::new(Method::POST, &path, StatusCode::ACCEPTED)
    }

    /// Asks whether a page has another tag than this one. It does not.
    pub(crate) fn unchanged(path: &str, tag: &str) -> Self {
        let mut exchange = Self::new(Method::GET, path, StatusCode::NOT_MODIFIED);
        let headers = exchange.request.headers_mut();
        headers.insert(header::IF_NONE_MATCH, tag.parse().unwrap());
        exchange
    }

    fn new(method: Method, path: &str, status: StatusCode) -> Self {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "localhost")
            .body(Full::default())
            .unwrap();
        Self { request, status }
    }
}

/// A connection that stays open.
pub(crate) struct Connection(SendRequest<Full<Bytes>>);

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).await.unwrap();
        socket.set_nodelay(true).unwrap();
        let (sender, connection) = http1::handshake(TokioIo::new(socket)).await.unwrap();
        // It ends with the sender.
        tokio::spawn(connection);
        Self(sender)
    }

    /// Sends a request and returns its whole answer. Stops the program if the status is wrong.
    pub(crate) async fn send(&mut self, exchange: &Exchange) -> Response<Bytes> {
        self.0.ready().await.unwrap();
        let sent = self.0.send_request(exchange.request.clone());
        let (head, body) = sent.await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        assert_eq!(
            head.status, exchange.status,
            "{:?}: {head:?} {body:?}",
            exchange.request
        );
        Response::from_parts(head, body)
    }

    pub(crate) async fn json(&mut self, exchange: &Exchange) -> Value {
        let answer = self.send(exchange).await;
        serde_json::from_slice(answer.body()).unwrap()
    }
}
