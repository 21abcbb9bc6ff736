//! The main job, whole: a pipeline over real data, triggered over HTTP, watched, broken on purpose and resumed.
//!
//! `cargo run --release --example quickstart`. It ends by itself and needs no network but this machine's loopback.
#![expect(clippy::print_stdout, reason = "it shows what happens")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use floret::executor::{Ctx, ExecutorError};
use floret::{Access, Floret, Pipeline, RunsService, Subscription};
use http::{Method, Request};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::server::conn::http1;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

#[tokio::main]
async fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let report = folder.path().join("species.csv");
    let floret = Floret::open(folder.path().join("runs.db"))
        .await?
        .node("load", load)
        .node("clean", clean)
        .node("summarise", summarise)
        .sink("report", move |ctx: Ctx, rows: Vec<Species>| {
            write_report(ctx, rows, report.clone())
        })
        .pipeline(
            Pipeline::new("penguins")
                .node("load", "load")
                .node("clean", "clean")
                .after("load")
                .node("summarise", "summarise")
                .after("clean")
                .node("report", "report")
                .after("summarise"),
        )
        .start()
        .await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let visitor = Visitor::new(listener.local_addr()?, floret.events());
    tokio::select! {
        ended = serve(listener, floret.service(Access::allow_all())) => ended?,
        ended = tour(visitor) => ended?,
    }
    floret.shutdown(Duration::from_secs(10)).await?;
    Ok(())
}

/// A row of the table; what could not be measured is `NA` there.
#[derive(Serialize, Deserialize)]
struct Penguin {
    species: String,
    #[serde(deserialize_with = "csv::invalid_option")]
    body_mass_g: Option<f64>,
}

#[derive(Serialize, Deserialize)]
struct Weighed {
    species: String,
    body_mass_g: f64,
}

#[derive(Serialize, Deserialize)]
struct Species {
    species: String,
    penguins: u32,
    mean_body_mass_g: f64,
}

// A node is an async function from rows to rows; `?` takes any error.

async fn load(ctx: Ctx) -> Result<Vec<Penguin>, ExecutorError> {
    count(&ctx);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/penguins.csv");
    let text = tokio::fs::read(path).await?;
    let penguins: Result<_, csv::Error> = csv::Reader::from_reader(text.as_slice())
        .deserialize()
        .collect();
    Ok(penguins?)
}

async fn clean(ctx: Ctx, penguins: Vec<Penguin>) -> Result<Vec<Weighed>, ExecutorError> {
    count(&ctx);
    let all = penguins.len();
    let weighed: Vec<_> = penguins.into_iter().filter_map(Penguin::weighed).collect();
    ctx.log
        .warning(format!(
            "{} of {all} penguins were not weighed",
            all - weighed.len()
        ))
        .await;
    Ok(weighed)
}

async fn summarise(ctx: Ctx, penguins: Vec<Weighed>) -> Result<Vec<Species>, ExecutorError> {
    count(&ctx);
    let mut sums = BTreeMap::<String, (u32, f64)>::new();
    for penguin in penguins {
        let sum = sums.entry(penguin.species).or_default();
        *sum = (sum.0 + 1, sum.1 + penguin.body_mass_g);
    }
    let species = sums
        .into_iter()
        .map(|(species, (penguins, grams))| Species {
            species,
            penguins,
            mean_body_mass_g: (grams / f64::from(penguins)).round(),
        });
    Ok(species.collect())
}

async fn write_report(ctx: Ctx, species: Vec<Species>, path: PathBuf) -> Result<(), ExecutorError> {
    count(&ctx);
    if IS_DISK_BROKEN.load(Ordering::Relaxed) {
        return Err(ExecutorError::retryable("the disk is broken"));
    }
    let mut csv = csv::Writer::from_writer(Vec::new());
    species.iter().try_for_each(|row| csv.serialize(row))?;
    tokio::fs::write(&path, csv.into_inner()?).await?;
    ctx.log
        .info(format!("wrote {} species", species.len()))
        .await;
    Ok(())
}

impl Penguin {
    fn weighed(self) -> Option<Weighed> {
        let (species, body_mass_g) = (self.species, self.body_mass_g?);
        Some(Weighed {
            species,
            body_mass_g,
        })
    }
}

static IS_DISK_BROKEN: AtomicBool = AtomicBool::new(false);
/// How often each node was executed.
static EXECUTIONS: Mutex<BTreeMap<String, u32>> = Mutex::new(BTreeMap::new());

fn count(ctx: &Ctx) {
    *EXECUTIONS.lock().entry(ctx.node.id.clone()).or_default() += 1;
}

/// The host's server: Floret is a tower service, so hyper alone can mount it.
async fn serve(listener: TcpListener, service: RunsService) -> Result<()> {
    let mut connections = JoinSet::new();
    loop {
        let (socket, _) = listener.accept().await?;
        let service = TowerToHyperService::new(service.clone());
        connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), service));
    }
}

async fn tour(mut visitor: Visitor) -> Result<()> {
    println!("A run, triggered over HTTP:");
    let run = visitor.start("/pipelines/penguins/run").await?;
    println!("\nWhat summarise handed on:");
    for row in visitor
        .get(&format!("/runs/{run}/nodes/summarise/preview"))
        .await?["rows"]
        .as_array()
        .into_iter()
        .flatten()
    {
        println!("  {row}");
    }
    println!(
        "\nIts log:\n{}",
        visitor
            .text(Method::GET, &format!("/runs/{run}/logs/export"))
            .await?
    );

    println!("A run with the disk broken:");
    IS_DISK_BROKEN.store(true, Ordering::Relaxed);
    let failed = visitor.start("/pipelines/penguins/run").await?;
    let before = EXECUTIONS.lock().clone();

    println!("\nThe disk is repaired and the run resumed:");
    IS_DISK_BROKEN.store(false, Ordering::Relaxed);
    visitor.start(&format!("/runs/{failed}/resume")).await?;
    println!("\nExecutions in the resumed run:");
    for (node, count) in &*EXECUTIONS.lock() {
        println!("  {node:<10} {}", count - before[node]);
    }
    Ok(())
}

/// A client of the Runs API.
struct Visitor {
    api: String,
    client: Client<HttpConnector, Empty<Bytes>>,
    events: Subscription,
}

impl Visitor {
    fn new(address: std::net::SocketAddr, events: Subscription) -> Self {
        Self {
            api: format!("http://{address}/api"),
            client: Client::builder(TokioExecutor::new()).build_http(),
            events,
        }
    }

    /// Starts a run, follows it to its end and shows it with its nodes. Answers its id.
    async fn start(&mut self, path: &str) -> Result<String> {
        let started: Value = serde_json::from_str(&self.text(Method::POST, path).await?)?;
        let id = started["id"].as_str().ok_or("the answer has no id")?;
        while let Some(event) = self.events.next().await.transpose()? {
            if event.run_id.to_string() == id && event.kind.is_terminal() {
                break;
            }
        }
        let run = self.get(&format!("/runs/{id}")).await?;
        println!("  run {id}: {}", text_of(&run["status"]));
        for node in run["node_runs"].as_array().into_iter().flatten() {
            let rows = node["row_count"]
                .as_u64()
                .map_or(String::new(), |rows| format!("{rows} rows"));
            println!(
                "  {:<10} {:<8} {rows}{}",
                text_of(&node["node_id"]),
                text_of(&node["status"]),
                text_of(&node["error"])
            );
        }
        Ok(id.to_owned())
    }

    async fn get(&self, path: &str) -> Result<Value> {
        Ok(serde_json::from_str(&self.text(Method::GET, path).await?)?)
    }

    async fn text(&self, method: Method, path: &str) -> Result<String> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.api))
            .body(Empty::new())?;
        let answer = self.client.request(request).await?;
        let is_success = answer.status().is_success();
        let text = String::from_utf8(answer.into_body().collect().await?.to_bytes().into())?;
        if is_success {
            Ok(text)
        } else {
            Err(text.into())
        }
    }
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
