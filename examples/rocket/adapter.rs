//! Mounts the service behind Rocket's routes: it streams both bodies and passes on upgraded
//! connections. For the API without the console, put `RunsService` in place of `ConsoleService`.
//!
//! `main` decides what is mounted, and when it starts and stops.

use std::io::Cursor;
use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use floret::{Body, ConsoleService, Handover, Upgrade};
use futures_util::{StreamExt, TryStreamExt, stream};
use http::{StatusCode, header};
use http_body::{Body as _, Frame};
use http_body_util::{BodyDataStream, BodyExt, StreamBody};
use rocket::data::{ByteUnit, DataStream, IoHandler, IoStream};
use rocket::http::{Method, Status};
use rocket::route::{Handler, Outcome};
use rocket::tokio::io::{self, AsyncReadExt};
use rocket::tokio::sync::mpsc;
use rocket::{Data, Request, Response, Route};
use tokio_util::io::StreamReader;
use tower::Service;

/// Every method that Rocket knows. Floret itself responds to those that it does not support.
const METHODS: [Method; 9] = [
    Method::Get,
    Method::Head,
    Method::Post,
    Method::Put,
    Method::Delete,
    Method::Patch,
    Method::Options,
    Method::Trace,
    Method::Connect,
];

type Chunk = io::Result<Bytes>;

/// Returns routes for all paths below the mount point, which must be the service's prefix.
pub(crate) fn routes(service: &ConsoleService) -> Vec<Route> {
    let route = |method| Route::new(method, "/<path..>", Mounted(service.clone()));
    METHODS.map(route).to_vec()
}

#[derive(Clone)]
struct Mounted(ConsoleService);

#[rocket::async_trait]
impl Handler for Mounted {
    async fn handle<'r>(&self, request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r> {
        let (sender, receiver) = mpsc::channel(1);
        let (upgrade, handover) = Upgrade::channel();
        let Ok(mut given) = translate(request, receiver) else {
            return Outcome::Error(Status::BadRequest);
        };
        given.extensions_mut().insert(upgrade);
        // Rocket's data borrows from the connection, but the service needs an owned body. One
        // future copies the data while the other calls the service.
        let mut call = self.0.clone().call(given);
        let mut pump = Box::pin(pump(data.open(ByteUnit::max_value()), sender));
        let answer = rocket::tokio::select! {
            answer = &mut call => answer,
            () = &mut pump => call.await,
        };
        let Ok(answer) = answer;
        match respond(request.method(), answer, handover).await {
            Ok(response) => Outcome::Success(response),
            Err(_) => Outcome::Error(Status::InternalServerError),
        }
    }
}

/// Forwards the body until it ends or its receiver is gone.
async fn pump(mut data: DataStream<'_>, sender: mpsc::Sender<Chunk>) {
    const CHUNK: usize = 16 * 1024;
    loop {
        let mut chunk = BytesMut::with_capacity(CHUNK);
        let read = data.read_buf(&mut chunk).await;
        let is_last = !matches!(read, Ok(1..));
        let read = match read {
            Ok(0) => return,
            read => read.map(|_| chunk.freeze()),
        };
        if sender.send(read).await.is_err() || is_last {
            return;
        }
    }
}

fn translate(
    request: &Request<'_>,
    chunks: mpsc::Receiver<Chunk>,
) -> http::Result<http::Request<impl http_body::Body<Data = Bytes> + Send + use<>>> {
    let mut given = http::Request::builder()
        .method(request.method().as_str())
        .uri(request.uri().to_string());
    for header in request.headers().iter() {
        given = given.header(header.name().as_str(), header.value());
    }
    given.body(StreamBody::new(stream::unfold(
        chunks,
        async |mut chunks| {
            let chunk: Chunk = chunks.recv().await?;
            Some((chunk.map(Frame::data), chunks))
        },
    )))
}

async fn respond<'r>(
    method: Method,
    answer: http::Response<Body>,
    handover: Handover,
) -> Result<Response<'r>, floret::service::BodyError> {
    let (parts, body) = answer.into_parts();
    let mut response = Response::build();
    let is_upgrade = parts.status == StatusCode::SWITCHING_PROTOCOLS;
    for (name, value) in &parts.headers {
        // Rocket sets these itself: the first two at a 101, the last from the size of the body.
        let is_rockets = is_upgrade && [header::CONNECTION, header::UPGRADE].contains(name);
        if !is_rockets && name != header::CONTENT_LENGTH {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            response.raw_header_adjoin(name.to_string(), value);
        }
    }
    if is_upgrade {
        return Ok(response.upgrade("websocket", Handed(handover)).finalize());
    }
    response.status(Status::new(parts.status.as_u16()));
    let length = parts.headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if method == Method::Head {
        if let Some(length) = length {
            response.sized_body(length, Cursor::new(Bytes::new()));
        }
    } else if let Some(length) = body.size_hint().exact() {
        // Rocket sends a length only with a sized body.
        let whole = body.collect().await?.to_bytes();
        response.sized_body(usize::try_from(length).ok(), Cursor::new(whole));
    } else {
        let chunks = BodyDataStream::new(body).map_err(io::Error::other);
        response.streamed_body(StreamReader::new(chunks.boxed()));
    }
    Ok(response.finalize())
}

/// Passes the connection on after Rocket has sent the 101.
struct Handed(Handover);

#[rocket::async_trait]
impl IoHandler for Handed {
    async fn io(self: Pin<Box<Self>>, connection: IoStream) -> io::Result<()> {
        Pin::into_inner(self).0.hand_over(connection);
        Ok(())
    }
}
