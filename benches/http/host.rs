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
use hyper_util::rt::TokioTimer;
use hyper_util::service::TowerToHyperService;

use crate::listener::listen;

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
    listen(|socket| {
        let service = TowerToHyperService::new(service.clone());
        async {
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(socket, service)
                .with_upgrades();
            // A client that closes its connection is no error here.
            drop(served.await);
        }
    })
    .await;
}
