//! Streams over real sockets, in real hosts, with a real client.
//!
//! What comes over a stream is `api_ws_session`'s.

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
use crate::stream::{ask, upgrade};
use crate::wire::{Backend, Host};

/// A server that ends with the test.
struct Server {
    address: String,
    _tasks: JoinSet<()>,
}

enum Upgrades {
    Served,
    Forgotten,
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
            // A connection that breaks off is the client's to notice.
            match upgrades {
                Upgrades::Served => connections.spawn(async move {
                    let _ = connection.with_upgrades().await;
                }),
                Upgrades::Forgotten => connections.spawn(async move {
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

async fn connect(server: &Server) -> Result<Client, Error> {
    let url = format!("ws://{}/api/ws?since=0", server.address);
    connect_async(url).await.map(|(client, _)| client)
}

async fn hear(client: &mut Client) -> Value {
    loop {
        if let Message::Text(text) = client.next().await.unwrap().unwrap() {
            return serde_json::from_str(&text).unwrap();
        }
    }
}

/// A run is heard from its beginning to its end, and a shutdown says goodbye.
async fn follow(host: &Host, server: &Server) {
    let mut client = connect(server).await.unwrap();
    let id = host.trigger().await;
    let mut seq = 0;
    loop {
        let event = hear(&mut client).await;
        seq += 1;
        assert_eq!(event["seq"], seq);
        assert_eq!(event["run_id"], *id);
        if event["type"] == "run.completed" {
            break;
        }
    }
    let stop = host.floret.shutdown(std::time::Duration::from_secs(60));
    let goodbye = async {
        match client.next().await {
            Some(Ok(Message::Close(Some(frame)))) => assert_eq!(u16::from(frame.code), 1001),
            other => panic!("expected a goodbye: {other:?}"),
        }
        assert!(client.next().await.is_none());
    };
    let (stopped, ()) = tokio::join!(stop, goodbye);
    stopped.unwrap();
    let refused = connect(server).await.unwrap_err();
    assert!(
        matches!(&refused, Error::Http(answer) if answer.status() == 503),
        "{refused}"
    );
}

#[tokio::test]
async fn a_run_is_followed_over_a_socket_of_axum() {
    for backend in [Backend::Memory, Backend::Sqlite] {
        let host = Host::start(backend).await;
        let server = axum(host.service.clone()).await;
        with_timeout("axum", follow(&host, &server)).await;
    }
}

#[tokio::test]
async fn a_run_is_followed_over_a_socket_of_hyper() {
    for backend in [Backend::Memory, Backend::Sqlite] {
        let host = Host::start(backend).await;
        let server = hyper(host.service.clone(), Upgrades::Served).await;
        with_timeout("hyper", follow(&host, &server)).await;
    }
}

#[tokio::test]
async fn a_host_that_forgets_upgrades_loses_the_stream_and_its_place_is_free_again() {
    let mut limits = Limits::default();
    limits.streams_max = 1;
    let host = Host::with(Backend::Memory, limits).await;
    let server = hyper(host.service.clone(), Upgrades::Forgotten).await;
    let lost = async {
        if let Ok(mut client) = connect(&server).await {
            assert!(!matches!(client.next().await, Some(Ok(_))));
        }
        while ask(&host.service, upgrade("/api/ws", &[])).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    with_timeout("a place", lost).await;
}
