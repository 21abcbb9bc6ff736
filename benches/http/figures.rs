//! What a round measures of the standalone example and of hyper's hello, in this order.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::connection::{Connection, Exchange};
use crate::crowd::CROWDS;
use crate::fan_out;
use crate::load::{Load, Until, closed, percentile};
use crate::open;
use crate::server::Server;
use crate::stream::Stream;
use crate::table::{Row, Table};

/// How long a load of reads lasts.
const SPAN: Until = Until::Elapsed(Duration::from_secs(2));

/// The runs in the store while it is read.
const RUNS: usize = 10_000;

/// Measures one round and adds it to the tables.
pub(crate) async fn round(program: &Path, folder: &Path, tables: &mut Tables) {
    let scratch = tempfile::tempdir_in(folder).unwrap();
    let hello = Server::start(Server::own("hello", scratch.path()), scratch.path());
    for width in [1, 8, 32] {
        let load = load(&hello, width, SPAN, &[Exchange::get("/")]).await;
        tables.loads.add(&hello_of(width), load);
    }
    drop(hello);
    let floret = standalone(program, scratch.path());
    writes(&floret, &mut tables.loads).await;
    reads(&floret, &mut tables.loads).await;
    starts(&floret, &mut tables.starts).await;
    drop(floret);
    // The node types of the example read, write and start programs: a host's own may do nothing.
    let host = Server::start(Server::own("host", scratch.path()), scratch.path());
    let row = whole_runs(&host, 2_000).await;
    let name = "two-node runs that do nothing, to their ends, 8 connections";
    tables.loads.add(name, row);
    drop(host);
    for crowd in CROWDS {
        let measured = fan_out::measure(folder, crowd).await;
        let micros = |time: Option<Duration>| time.map(|time| time.as_secs_f64() * 1e6);
        let row = Row([micros(measured.floret), micros(measured.bare), None, None]);
        let name = format!("clients: {}, runs: {}", crowd.clients, crowd.runs);
        tables.fan_out.add(&name, row);
    }
}

/// The tables of all rounds.
pub(crate) struct Tables {
    /// Answers a second, p50, p99, processor time of the server for an answer.
    pub(crate) loads: Table,
    /// p50 and p99.
    pub(crate) starts: Table,
    /// Floret and the bare write.
    pub(crate) fan_out: Table,
}

/// The row of hello with this number of connections.
pub(crate) fn hello_of(width: usize) -> String {
    format!("hyper's hello, {}", at(width))
}

/// The end of the name of a load on so many connections.
pub(crate) fn at(width: usize) -> String {
    match width {
        1 => "1 connection".to_owned(),
        _ => format!("{width} connections"),
    }
}

/// Starts the example on a fresh store, with two pipelines that read a small file.
fn standalone(program: &Path, folder: &Path) -> Server {
    let (data, pipelines) = (folder.join("data"), folder.join("pipelines"));
    std::fs::create_dir(&data).unwrap();
    std::fs::create_dir(&pipelines).unwrap();
    std::fs::write(data.join("rows.csv"), "id,name\n1,a\n2,b\n3,c\n").unwrap();
    let node = |id: &str| {
        serde_json::json!({
            "id": id, "name": id, "type": "source_file", "config": {"path": "rows.csv"}
        })
    };
    let single = serde_json::json!({"id": "single", "name": "single", "nodes": [node("first")]});
    let double = serde_json::json!({
        "id": "double", "name": "double", "nodes": [node("first"), node("second")],
        "edges": [{"from": "first", "to": "second"}]
    });
    for pipeline in [single, double] {
        let file = format!("{}.json", pipeline["id"].as_str().unwrap());
        std::fs::write(pipelines.join(file), pipeline.to_string()).unwrap();
    }
    let mut command = Command::new(program);
    command.args(["--listen", "127.0.0.1:0", "--db"]);
    command.arg(folder.join("standalone.db"));
    command.arg("--data-dir").arg(data);
    command.arg("--pipelines").arg(pipelines);
    Server::start(command, folder)
}

async fn writes(floret: &Server, table: &mut Table) {
    let single = [Exchange::trigger("single")];
    // The first ones, which nothing measures, make the store what it is later.
    let mut runs = 1_000;
    load(floret, 8, Until::Sent(runs), &single).await;
    idle(floret).await;
    for (width, count) in [(1, 1_000), (8, 2_000), (32, 4_000)] {
        let row = load(floret, width, Until::Sent(count), &single).await;
        let name = format!("trigger, {}", at(width));
        // The processor executes the runs meanwhile.
        table.add(&name, Row([row.0[0], row.0[1], row.0[2], None]));
        idle(floret).await;
        runs += count;
    }
    let row = whole_runs(floret, RUNS - runs).await;
    table.add(
        "two-node runs that read a file, to their ends, 8 connections",
        row,
    );
}

/// Triggers runs of two nodes, and measures until the stream has reported all ends.
async fn whole_runs(floret: &Server, count: usize) -> Row {
    let types = "types=run.completed,run.failed,run.cancelled";
    let mut stream = Stream::open(floret.address, types).await;
    let ends = tokio::spawn(async move {
        for _ in 0..count {
            let event = stream.next().await;
            let event: serde_json::Value = serde_json::from_slice(&event).unwrap();
            assert_eq!(event["type"], "run.completed", "{event}");
        }
    });
    let (before, begin) = (floret.cpu(), Instant::now());
    let exchange = [Exchange::trigger("double")];
    let sent = closed(floret.address, 8, Until::Sent(count), &exchange).await;
    ends.await.unwrap();
    let elapsed = begin.elapsed();
    let mut row = row(Load { elapsed, ..sent }, before.zip(floret.cpu()));
    // The answers of the triggers are no ends.
    (row.0[1], row.0[2]) = (None, None);
    row
}

async fn reads(floret: &Server, table: &mut Table) {
    let mut connection = Connection::open(floret.address).await;
    let paths = finished_runs(&mut connection).await;
    let each: Vec<_> = paths.iter().map(|path| Exchange::get(path)).collect();
    let row = load(floret, 32, Until::Sent(each.len()), &each).await;
    table.add("each finished run once, 32 connections", row);
    let run = Exchange::get(&paths[0]);
    let answer = connection.send(&run).await;
    let tag = answer.headers()[http::header::ETAG].to_str().unwrap();
    let unchanged = Exchange::unchanged(&paths[0], tag);
    let questions = [
        ("the same finished run, from memory", run),
        ("the same run, not modified (304)", unchanged),
        ("50 of 10,000 runs", Exchange::get("/api/runs?per_page=50")),
        ("dashboard of 10,000 runs", Exchange::get("/api/dashboard")),
    ];
    for (name, exchange) in questions {
        let row = load(floret, 32, SPAN, &[exchange]).await;
        table.add(&format!("{name}, 32 connections"), row);
    }
}

/// Returns the paths of all runs, newest first, none of which was asked for before.
async fn finished_runs(connection: &mut Connection) -> Vec<String> {
    let mut paths = Vec::new();
    for page in 1..=RUNS.div_ceil(100) {
        let path = format!("/api/runs?per_page=100&page={page}");
        let runs = connection.json(&Exchange::get(&path)).await;
        assert_eq!(runs["total"], RUNS, "{runs}");
        let items = runs["items"].as_array().unwrap().iter();
        paths.extend(items.map(|run| format!("/api/runs/{}", run["id"].as_str().unwrap())));
    }
    paths
}

async fn starts(floret: &Server, table: &mut Table) {
    const PER_SECOND: u32 = 500;
    const SECONDS: usize = 5;
    let count = SECONDS * usize::try_from(PER_SECOND).unwrap();
    let starts = open::triggers(floret.address, count, Duration::from_secs(1) / PER_SECOND).await;
    for (name, mut times) in [
        ("intended trigger → 202", starts.answered),
        ("intended trigger → start of the node", starts.started),
        ("intended trigger → start seen on a stream", starts.seen),
    ] {
        let millis = |time: Duration| Some(time.as_secs_f64() * 1e3);
        let p50 = millis(percentile(&mut times, 0.5));
        let p99 = millis(percentile(&mut times, 0.99));
        table.add(name, Row([p50, p99, None, None]));
    }
}

/// Waits until no run waits or executes. This is not measured.
async fn idle(floret: &Server) {
    let mut connection = Connection::open(floret.address).await;
    let active = Exchange::get("/api/runs?status=pending&status=running&per_page=1");
    while connection.json(&active).await["total"] != 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn load(server: &Server, width: usize, until: Until, exchanges: &[Exchange]) -> Row {
    let before = server.cpu();
    let load = closed(server.address, width, until, exchanges).await;
    row(load, before.zip(server.cpu()))
}

fn row(mut load: Load, cpu: Option<(Duration, Duration)>) -> Row {
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    let count = u32::try_from(load.times.len()).unwrap();
    Row([
        Some(load.per_second()),
        Some(micros(percentile(&mut load.times, 0.5))),
        Some(micros(percentile(&mut load.times, 0.99))),
        cpu.map(|(from, to)| micros(to.saturating_sub(from)) / f64::from(count)),
    ])
}
