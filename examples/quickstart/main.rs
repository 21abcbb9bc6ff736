//! The complete main job: a pipeline over real data that is triggered over HTTP, watched, broken on
//! purpose and resumed.
//!
//! Run it with `cargo run --example quickstart`. It exits by itself and needs no network but the
//! loopback of this machine. With `-- --serve` it stays, so that you can look at its runs in the
//! console. This file is the host; `visitor.rs` is the client of its API.
#![expect(clippy::print_stdout, reason = "it shows what happens")]

mod visitor;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use floret::executor::{Ctx, ExecutorError};
use floret::{Access, ConsoleService, Floret, Pipeline};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use visitor::Visitor;

type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

#[tokio::main]
async fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("species.csv");
    let penguins = Pipeline::new("penguins")
        .node("load", "load")
        .node("clean", "clean")
        .after("load")
        .node("summarize", "summarize")
        .after("clean")
        .node("write", "write")
        .after("summarize");
    let floret = Floret::open(folder.path().join("runs.db"))
        .await?
        .node("load", load)
        .node("clean", clean)
        .node("summarize", summarize)
        .sink("write", move |ctx, species| {
            write(ctx, species, file.clone())
        })
        .pipeline(penguins)
        .start()
        .await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("The runs are stored in {}.", folder.path().display());
    let address = listener.local_addr()?;
    println!("The console is at http://{address}, the Runs API at http://{address}/api.\n");
    // Only this machine can reach the server, under its own names.
    let console = floret.console(Access::allow_all());
    let console = console.allow_host("127.0.0.1").allow_host("localhost");
    let visitor = Visitor::new(address, floret.events());
    tokio::select! {
        result = serve(listener, console) => result?,
        result = visit(visitor) => result?,
    }
    Ok(floret.shutdown(Duration::from_secs(10)).await?)
}

#[derive(Serialize, Deserialize)]
struct Penguin {
    species: String,
    /// Absent if the penguin was not weighed.
    body_mass_g: Option<f64>,
}

#[derive(Serialize, Deserialize)]
struct Species {
    species: String,
    penguins: u32,
    mean_body_mass_g: f64,
}

async fn load(_: Ctx) -> Result<Vec<Penguin>, ExecutorError> {
    LOADS.fetch_add(1, Ordering::Relaxed);
    let table = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/penguins.csv");
    let table = tokio::fs::read(table).await?;
    let mut rows = csv::Reader::from_reader(table.as_slice());
    Ok(rows.deserialize().collect::<Result<_, _>>()?)
}

async fn clean(ctx: Ctx, penguins: Vec<Penguin>) -> Result<Vec<Penguin>, ExecutorError> {
    let is_weighed = |penguin: &Penguin| penguin.body_mass_g.is_some();
    let (weighed, others): (Vec<_>, Vec<_>) = penguins.into_iter().partition(is_weighed);
    let message = format!("{} penguins were not weighed", others.len());
    ctx.log.warning(message).await;
    Ok(weighed)
}

async fn summarize(_: Ctx, penguins: Vec<Penguin>) -> Result<Vec<Species>, ExecutorError> {
    SUMMARIES.fetch_add(1, Ordering::Relaxed);
    let mut sums = BTreeMap::<_, (u32, f64)>::new();
    for penguin in penguins {
        let (count, mass) = sums.entry(penguin.species).or_default();
        *count += 1;
        *mass += penguin.body_mass_g.unwrap_or_default();
    }
    let species = sums.into_iter().map(|(species, (penguins, mass))| Species {
        species,
        penguins,
        mean_body_mass_g: (mass / f64::from(penguins)).round(),
    });
    Ok(species.collect())
}

async fn write(ctx: Ctx, species: Vec<Species>, file: PathBuf) -> Result<(), ExecutorError> {
    if IS_DISK_BROKEN.load(Ordering::Relaxed) {
        return Err(ExecutorError::permanent("the disk is broken"));
    }
    let mut rows = csv::Writer::from_writer(Vec::new());
    species.iter().try_for_each(|row| rows.serialize(row))?;
    tokio::fs::write(&file, rows.into_inner()?).await?;
    ctx.log
        .info(format!("{} species written", species.len()))
        .await;
    Ok(())
}

static IS_DISK_BROKEN: AtomicBool = AtomicBool::new(false);
static LOADS: AtomicUsize = AtomicUsize::new(0);
static SUMMARIES: AtomicUsize = AtomicUsize::new(0);

/// The host's own server. Floret is a tower service, which hyper can serve directly.
async fn serve(listener: TcpListener, floret: ConsoleService) -> Result<()> {
    let mut connections = JoinSet::new();
    loop {
        let (socket, _) = listener.accept().await?;
        let service = TowerToHyperService::new(floret.clone());
        let connection = http1::Builder::new().serve_connection(TokioIo::new(socket), service);
        // The console follows the events over a WebSocket.
        connections.spawn(connection.with_upgrades());
    }
}

async fn visit(mut visitor: Visitor) -> Result<()> {
    println!("A run, triggered over HTTP:");
    let run = visitor.start("/pipelines/penguins/run").await?;
    println!("\nThe output of `summarize`, and the log:");
    visitor.show_preview(&run, "summarize").await?;
    visitor.show_log(&run).await?;

    println!("\nA run while the disk is broken:");
    IS_DISK_BROKEN.store(true, Ordering::Relaxed);
    let failed = visitor.start("/pipelines/penguins/run").await?;
    println!("\nThe disk works again, and the run is resumed:");
    IS_DISK_BROKEN.store(false, Ordering::Relaxed);
    visitor.start(&format!("/runs/{failed}/resume")).await?;
    println!("\nThree runs executed `load` {LOADS:?} times and `summarize` {SUMMARIES:?} times.");
    if std::env::args().any(|argument| argument == "--serve") {
        println!("\nThe console stays until Ctrl-C.");
        tokio::signal::ctrl_c().await?;
    }
    Ok(())
}
