//! Streams over real sockets, in real hosts, with a real client.
//!
//! `api_ws_session` covers what a stream sends.

use floret::{Limits, RunsService};
use futures_util::StreamExt;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::harness::with_timeout;
use crate::stream::{connect, upgrade};
use crate::wire::{Backend, Host};

/// A server that stops when it is dropped.
struct Server {
    address: String,
    _tasks: JoinSet<()>,
}

enum Upgrades {
    Supported,
    Ignored,
}

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address.to_string())
}

async fn axum(service: RunsService) -> Server {
    let (listener, address) = listener().await;
    let router = axum::Router::new().nest_service("/api", service);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
    Server {
        address,
        _tasks: tasks,
    }
}

async fn hyper(service: RunsService, upgrades: Upgrades) -> Server {
    let (listener, address) = listener().await;
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let service = TowerToHyperService::new(service.clone());
            let connection = http1::Builder::new().serve_connection(TokioIo::new(socket), service);
            // The client notices a broken connection.
            match upgrades {
                Upgrades::Supported => connections.spawn(async move {
                    let _ = connection.with_upgrades().await;
                }),
                Upgrades::Ignored => connections.spawn(async move {
                    let _ = connection.await;
                }),
            };
        }
    });
    Server {
        address,
        _tasks: tasks,
    }
}

type Client = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn connect_to(server: &Server) -> Result<Client, Error> {
    let url = format!("ws://{}/api/ws?since=0", server.address);
    connect_async(url).await.map(|(client, _)| client)
}

async fn receive(client: &mut Client) -> Value {
    loop {
        if let Message::Text(text) = client.next().await.unwrap().unwrap() {
            return serde_json::from_str(&text).unwrap();
        }
    }
}

/// Follows a run from start to finish, and asserts that a shutdown closes the stream.
async fn follow(host: &Host, server: &Server) {
    let mut client = connect_to(server).await.unwrap();
    let id = host.trigger().await;
    let mut seq = 0;
    loop {
        let event = receive(&mut client).await;
        seq += 1;
        assert_eq!(event["seq"], seq);
        assert_eq!(event["run_id"], *id);
        if event["type"] == "run.completed" {
            break;
        }
    }
    let stop = host.floret.shutdown(std::time::Duration::from_secs(60));
    let close = async {
        match client.next().await {
            Some(Ok(Message::Close(Some(frame)))) => assert_eq!(u16::from(frame.code), 1001),
            other => panic!("expected a close frame: {other:?}"),
        }
        assert!(client.next().await.is_none());
    };
    let (stopped, ()) = tokio::join!(stop, close);
    stopped.unwrap();
    let refused = connect_to(server).await.unwrap_err();
    assert!(
        matches!(&refused, Error::Http(response) if response.status() == 503),
        "{refused}"
    );
}

#[tokio::test]
async fn a_run_is_followed_over_an_axum_socket() {
    for backend in [Backend::Memory, Backend::Sqlite] {
        let host = Host::start(backend).await;
        let server = axum(host.service.clone()).await;
        with_timeout("axum", follow(&host, &server)).await;
    }
}

#[tokio::test]
async fn a_run_is_followed_over_a_hyper_socket() {
    for backend in [Backend::Memory, Backend::Sqlite] {
        let host = Host::start(backend).await;
        let server = hyper(host.service.clone(), Upgrades::Supported).await;
        with_timeout("hyper", follow(&host, &server)).await;
    }
}

#[tokio::test]
async fn a_host_that_ignores_upgrades_loses_the_stream_and_frees_its_slot() {
    let mut limits = Limits::default();
    limits.streams_max = 1;
    let host = Host::with_limits(Backend::Memory, limits).await;
    let server = hyper(host.service.clone(), Upgrades::Ignored).await;
    let lost = async {
        if let Ok(mut client) = connect_to(&server).await {
            assert!(!matches!(client.next().await, Some(Ok(_))));
        }
        while connect(&host.service, upgrade("/api/ws", &[]))
            .await
            .is_err()
        {
            tokio::task::yield_now().await;
        }
    };
    with_timeout("a free slot", lost).await;
}
