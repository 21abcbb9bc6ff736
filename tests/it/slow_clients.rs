//! Clients without credentials that hold connections: none of them can shut the others out.
//!
//! Each test runs against each example with the shared listener, in real time.

use std::future::ready;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use futures_util::stream::select_all;
use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::Message;

use crate::built_examples::example;
use crate::example_host::{ExampleHost, RawResponse};
use crate::harness::with_timeout;

/// The cap of the listener.
const CONNECTIONS_MAX: usize = 512;
/// The longest timeout of the listener is 10 s.
const HEALTH_MAX: Duration = Duration::from_secs(11);

/// How long a client waits for an answer before the health is asked for again.
const PATIENCE: Duration = Duration::from_millis(20);

/// What a client sends before it holds its connection.
const OPENINGS: [(&str, &str); 7] = [
    ("nothing", ""),
    ("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ("half the preface", "PRI * HTT"),
    (
        "half a head",
        "GET /api/health HTTP/1.1\r\nHost: localhost\r\n",
    ),
    (
        "a request, then nothing",
        "GET /api/health HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ),
    (
        "half a second head",
        "GET /api/health HTTP/1.1\r\nHost: localhost\r\n\r\nGET /api/he",
    ),
    // Floret gives a body 30 s.
    (
        "half a body",
        "POST /api/pipelines/x/run HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{",
    ),
];

/// A connection that is held.
struct Held {
    what: &'static str,
    socket: TcpStream,
    /// Whether the client never reads. It notices the end when it writes.
    is_deaf: bool,
}

impl Held {
    fn open(host: &ExampleHost, (what, opening): (&'static str, &str)) -> Self {
        let mut socket = host.connect();
        socket.write_all(opening.as_bytes()).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self {
            what,
            socket,
            is_deaf: false,
        }
    }

    /// Sends requests until the server takes no more, since its responses are not read.
    fn open_deaf(host: &ExampleHost) -> Self {
        let request = "GET /api/nothing HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(1_000);
        let mut socket = host.connect();
        let patience = Some(Duration::from_millis(500));
        socket.set_write_timeout(patience).unwrap();
        while socket.write_all(request.as_bytes()).is_ok() {}
        socket.set_nonblocking(true).unwrap();
        Self {
            what: "requests, and reads no response",
            socket,
            is_deaf: true,
        }
    }

    /// Waits a moment for an answer or the end.
    fn wait(&self) {
        self.socket.set_nonblocking(false).unwrap();
        self.socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let answer = self.socket.peek(&mut [0]);
        // Whatever comes, `is_closed` sees it.
        drop(answer);
        self.socket.set_nonblocking(true).unwrap();
    }

    fn is_closed(&mut self) -> bool {
        let result = if self.is_deaf {
            self.socket.write(b"GET").map(|_| 1)
        } else {
            self.socket.read(&mut [0; 4_096])
        };
        match result {
            Ok(count) => count == 0,
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        }
    }
}

fn hosts() -> [(&'static str, ExampleHost); 2] {
    hosts_as(Command::new)
}

/// Starts each example with a closure that prepares the command for its executable.
fn hosts_as(command: impl Fn(PathBuf) -> Command) -> [(&'static str, ExampleHost); 2] {
    let start = |name, arguments: &[&str]| {
        let mut command = command(example(name));
        command
            .args(arguments)
            .env_remove("FLORET_API_KEY")
            .env_remove("FLORET_SECRET_KEY")
            .env("RUST_LOG", "off");
        (name, ExampleHost::start_with(&mut command))
    };
    [
        start("standalone", &["--memory", "--listen", "127.0.0.1:0"]),
        start("hyper", &["127.0.0.1:0"]),
    ]
}

/// Runs a test against each example, at the same time.
fn on_each(hosts: [(&'static str, ExampleHost); 2], test: impl Fn(&str, &ExampleHost) + Sync) {
    let test = &test;
    std::thread::scope(|scope| {
        for (name, host) in hosts {
            scope.spawn(move || test(name, &host));
        }
    });
}

/// Asks for the health and waits for the response no longer than the longest timeout.
fn assert_healthy(name: &str, host: &ExampleHost) {
    let mut socket = host.connect();
    socket.set_read_timeout(Some(HEALTH_MAX)).unwrap();
    let request = "GET /api/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    socket.write_all(request.as_bytes()).unwrap();
    assert_eq!(RawResponse::read(&mut socket).status, 200, "{name}");
}

/// Waits until the server has closed each connection, and asks for its health all the while.
fn assert_each_is_closed(name: &str, host: &ExampleHost, mut held: Vec<Held>) {
    // Floret's longest timeout is 30 s, and a turn takes no longer than `PATIENCE` or a response.
    for _ in 0..50_000 {
        assert_healthy(name, host);
        if let Some(first) = held.first() {
            first.wait();
        }
        held.retain_mut(|held| !held.is_closed());
        if held.is_empty() {
            return;
        }
    }
    let open: Vec<_> = held.iter().map(|held| held.what).collect();
    panic!("{name} has not closed {open:?}");
}

/// Runs the cases at the same time, because each waits for the timeouts of its hosts.
#[test]
fn no_client_that_holds_connections_keeps_others_out() {
    std::thread::scope(|scope| {
        scope.spawn(each_kind_of_client_that_holds_a_connection_loses_it);
        scope.spawn(more_silent_clients_than_connections_keep_nobody_out);
        scope.spawn(the_middleware_gives_up_on_a_slow_request);
        #[cfg(target_os = "linux")]
        for name in ["axum", "hyper", "middleware", "rocket"] {
            scope.spawn(move || a_client_that_takes_no_response_delays_no_shutdown(name));
        }
        #[cfg(target_os = "linux")]
        scope.spawn(clients_that_take_every_descriptor_keep_nobody_out);
    });
}

fn each_kind_of_client_that_holds_a_connection_loses_it() {
    on_each(hosts(), |name, host| {
        let mut held = Vec::new();
        for opening in OPENINGS {
            held.extend((0..8).map(|_| Held::open(host, opening)));
        }
        held.extend((0..2).map(|_| Held::open_deaf(host)));
        assert_each_is_closed(name, host, held);
    });
}

fn more_silent_clients_than_connections_keep_nobody_out() {
    on_each(hosts(), |name, host| {
        let openings = OPENINGS.into_iter().cycle().take(CONNECTIONS_MAX + 100);
        let held = openings.map(|opening| Held::open(host, opening)).collect();
        assert_each_is_closed(name, host, held);
    });
}

fn the_middleware_gives_up_on_a_slow_request() {
    let host = ExampleHost::start("middleware");
    let mut socket = host.connect();
    let head = "POST /api/pipelines/daily/run HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n";
    socket.write_all(head.as_bytes()).unwrap();
    assert_eq!(RawResponse::read(&mut socket).status, 503);
}

/// Waits as long as the hosts do: for the bytes that the client never takes.
#[cfg(target_os = "linux")]
fn a_client_that_takes_no_response_delays_no_shutdown(name: &str) {
    let mut host = ExampleHost::start(name);
    let deaf = Held::open_deaf(&host);
    host.interrupt();
    drop(deaf);
}

#[cfg(target_os = "linux")]
fn clients_that_take_every_descriptor_keep_nobody_out() {
    let limited = |executable| {
        let mut command = Command::new("sh");
        command.args(["-c", r#"ulimit -n 64 && exec "$0" "$@""#]);
        command.arg(executable);
        command
    };
    on_each(hosts_as(limited), |name, host| {
        let held = (0..200).map(|_| Held::open(host, OPENINGS[0])).collect();
        assert_each_is_closed(name, host, held);
    });
}

#[tokio::test]
async fn a_stream_outlives_the_clients_that_send_nothing() {
    for (name, host) in hosts() {
        let mut stream = host.events("/api", "none").await;
        let mut quiet = host.server_sent_events("/api", "none").await;
        assert_eq!(quiet.first_id().await, 0, "{name}");
        let held: Vec<_> = (0..CONNECTIONS_MAX + 100)
            .map(|_| Held::open(&host, OPENINGS[0]))
            .collect();
        assert_healthy(name, &host);
        stream
            .send(Message::Ping("still there".into()))
            .await
            .unwrap();
        let is_pong = |message: &_| matches!(message, Ok(Message::Pong(_)));
        let pong = stream.by_ref().filter(|message| ready(is_pong(message)));
        let mut pong = std::pin::pin!(pong);
        let answer = with_timeout(name, pong.next()).await;
        assert!(answer.is_some(), "{name} has closed the stream");
        let ended = quiet.block().now_or_never();
        assert!(ended.is_none(), "{name} has closed the quiet stream");
        drop(held);
    }
}

#[tokio::test]
async fn a_stream_keeps_its_connection_slot() {
    for (name, host) in hosts() {
        let mut streams = Vec::new();
        for _ in 0..=CONNECTIONS_MAX {
            streams.push(host.events("/api", "none").await);
        }
        // One stream more than there are slots: the idlest is closed.
        let mut messages = select_all(streams);
        let broken = messages.by_ref().filter(|message| ready(message.is_err()));
        let broken = with_timeout(name, std::pin::pin!(broken).next()).await;
        assert!(broken.is_some(), "{name} has closed no stream");
        assert_healthy(name, &host);
    }
}
