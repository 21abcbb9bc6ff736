//! The fan-out: clients that watch all events while runs execute, and what each delivery costs the
//! server, beside the bare write of the same frames to as many sockets.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use tokio::task::JoinSet;

use crate::bare_write;
use crate::connection::{Connection, Exchange};
use crate::crowd::Crowd;
use crate::server::Server;
use crate::stream::Stream;

/// The processor time of the server for each event and client.
pub(crate) struct FanOut {
    pub(crate) floret: Option<Duration>,
    pub(crate) bare: Option<Duration>,
}

/// Measures the runs without clients, with clients, and the bare write.
pub(crate) async fn measure(folder: &Path, crowd: Crowd) -> FanOut {
    let alone = Crowd {
        clients: 0,
        ..crowd
    };
    let (alone, _) = watched(folder, alone).await;
    let (with_clients, frames) = watched(folder, crowd).await;
    let bare = written(folder, crowd, &frames).await;
    let deliveries = u32::try_from(crowd.clients * frames.len()).unwrap();
    FanOut {
        floret: alone
            .zip(with_clients)
            .map(|(alone, with)| with.saturating_sub(alone) / deliveries),
        bare: bare.map(|bare| bare / deliveries),
    }
}

/// Executes the runs and returns the processor time of the server, and the frames of a client.
async fn watched(folder: &Path, crowd: Crowd) -> (Option<Duration>, Vec<Bytes>) {
    let folder = tempfile::tempdir_in(folder).unwrap();
    let server = Server::start(Server::own("host", folder.path()), folder.path());
    let mut connection = Connection::open(server.address).await;
    let exchange = Exchange::trigger("double");
    let mut streams = Vec::new();
    for _ in 0..crowd.clients {
        streams.push(Stream::open(server.address, "").await);
    }
    let before = server.cpu();
    let mut tasks = JoinSet::new();
    for stream in streams {
        tasks.spawn(frames_of(stream, crowd.runs));
    }
    let (mut last, begin) = (String::new(), Instant::now());
    for number in 0..crowd.runs {
        let due = begin + crowd.pause() * u32::try_from(number).unwrap();
        let pause = due.saturating_duration_since(Instant::now());
        tokio::task::spawn_blocking(move || thread::sleep(pause))
            .await
            .unwrap();
        let run = connection.json(&exchange).await;
        last = run["id"].as_str().unwrap().to_owned();
    }
    let all = tasks.join_all().await;
    finished(&mut connection, &last).await;
    let spent = before.zip(server.cpu()).map(|(from, to)| to - from);
    let frames = all.first().cloned().unwrap_or_default();
    for other in &all {
        assert!(*other == frames, "two clients have received other frames");
    }
    (spent, frames)
}

/// Waits for the end of the last run, which nobody else watches if there is no client.
async fn finished(connection: &mut Connection, run: &str) {
    let exchange = Exchange::get(&format!("/api/runs/{run}"));
    loop {
        let answer = connection.json(&exchange).await;
        match answer["status"].as_str() {
            Some("success") => return,
            Some("pending" | "running") => tokio::time::sleep(Duration::from_millis(50)).await,
            _ => panic!("{answer}"),
        }
    }
}

/// Returns the frames of a stream until so many runs have finished.
async fn frames_of(mut stream: Stream, runs: usize) -> Vec<Bytes> {
    const FINISHED: &[u8] = br#""type":"run.completed""#;
    const LAGGED: &[u8] = br#""type":"lagged""#;
    let contains = |text: &[u8], part: &[u8]| text.windows(part.len()).any(|it| it == part);
    let (mut frames, mut finished) = (Vec::new(), 0);
    while finished < runs {
        let (frame, payload) = stream.next_frame().await;
        assert!(!contains(&payload, LAGGED), "a client was too slow");
        finished += usize::from(contains(&payload, FINISHED));
        frames.push(frame);
    }
    frames
}

/// Lets a bare program write the frames, and returns its processor time.
async fn written(folder: &Path, crowd: Crowd, frames: &[Bytes]) -> Option<Duration> {
    let folder = tempfile::tempdir_in(folder).unwrap();
    bare_write::save(folder.path(), frames);
    let mut command = Server::own("bare-write", folder.path());
    command.args([crowd.clients, crowd.runs].map(|count| count.to_string()));
    let server = Server::start(command, folder.path());
    let before = server.cpu();
    let mut tasks = JoinSet::new();
    for _ in 0..crowd.clients {
        let mut stream = Stream::raw(server.address).await;
        let count = frames.len();
        tasks.spawn(async move {
            for _ in 0..count {
                stream.next_frame().await;
            }
            stream
        });
    }
    let _open = tasks.join_all().await;
    before.zip(server.cpu()).map(|(from, to)| to - from)
}
