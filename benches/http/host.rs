//! A host whose nodes do nothing: Floret on SQLite with its default options, in a bare hyper
//! server.
//!
//! The fan-out needs it, because the listener of the standalone example closes the idlest of more
//! than 512 connections.

use std::path::Path;

use floret::executor::{Ctx, ExecutorError};
use floret::storage::SqliteStorage;
use floret::{Access, Floret, Pipeline};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Serves until the process is killed.
pub(crate) async fn serve(folder: &Path) {
    let storage = SqliteStorage::open(folder.join("floret.db")).await.unwrap();
    let floret = Floret::builder(storage)
        .node("nothing", async |_: Ctx| Ok::<_, ExecutorError>(()))
        .pipeline(
            Pipeline::new("double")
                .node("first", "nothing")
                .node("second", "nothing")
                .edge("first", "second"),
        )
        .start()
        .await
        .unwrap();
    let service = floret.service(Access::allow_all());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("listening on http://{}", listener.local_addr().unwrap());
    let mut connections = JoinSet::new();
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        socket.set_nodelay(true).unwrap();
        let service = TowerToHyperService::new(service.clone());
        connections.spawn(async move {
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(socket), service)
                .with_upgrades();
            // A client that closes its connection is no error here.
            drop(served.await);
        });
    }
}
