//! One-shot runs of the standalone example: their progress and exit codes, and the logs of runs.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use floret::testing::Scratch;
use serde_json::{Value, json};

use crate::standalone::{Standalone, command};

/// A folder with a store, a pipe and pipelines.
struct Place {
    folder: Scratch,
}

impl Place {
    fn new() -> Self {
        let place = Self {
            folder: floret::testing::scratch(),
        };
        std::fs::create_dir(place.path("pipelines")).unwrap();
        let made = Command::new("mkfifo").arg(place.path("gate")).status();
        assert!(made.unwrap().success());
        let shell = |script: &str| json!(["sh", "-c", script]);
        let gate = format!("cat {}", place.path("gate").display());
        place.define("good", &[shell("echo '{\"n\": 1}'"), shell("cat")]);
        place.define(
            "bad",
            &[shell("printf 'a\\033[31mred' >&2; exit 3"), shell("cat")],
        );
        place.define("waits", &[shell(&gate), shell("cat")]);
        place.define("sleeps", &[shell("exec sleep 600")]);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Saves a chain of commands `a`, `b` and so on, with a parameter.
    fn define(&self, name: &str, commands: &[Value]) {
        let id = |index: usize| ["a", "b"][index];
        let node = |(index, command): (usize, &Value)| {
            let config = json!({"command": command, "output": "ndjson"});
            json!({"id": id(index), "type": "command", "config": config})
        };
        let nodes: Vec<_> = commands.iter().enumerate().map(node).collect();
        let edge = |index| json!({"from": id(index - 1), "to": id(index)});
        let edges: Vec<_> = (1..commands.len()).map(edge).collect();
        let definition = json!({
            "id": name, "name": name, "nodes": nodes, "edges": edges,
            "param_defs": [{"name": "day", "type": "string", "default": "monday"}],
        });
        let file = self.path("pipelines").join(format!("{name}.json"));
        std::fs::write(file, definition.to_string()).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(arguments);
        command
            .arg("--allow-commands")
            .arg("--db")
            .arg(self.path("runs.db"))
            .arg("--pipelines")
            .arg(self.path("pipelines"));
        command
    }

    /// Executes a run. Returns its exit code, its output and its error output.
    fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let arguments = [&["run"], arguments].concat();
        let output = self.command(&arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    }

    fn start(&self, arguments: &[&str]) -> Started {
        let mut command = self.command(&[&["run"], arguments].concat());
        Started::spawn(&mut command)
    }

    fn logs(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let mut command = command(&[&["logs"], arguments].concat());
        let output = command.arg("--db").arg(self.path("runs.db")).output();
        let output = output.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    }
}

/// A task that executes. Dropping it kills the process.
struct Started {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Started {
    fn spawn(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// Reads lines until one has this text.
    fn until(&mut self, text: &str) {
        let mut lines = self.lines.by_ref().map(Result::unwrap);
        assert!(
            lines.any(|line| line.contains(text)),
            "no line has {text:?}"
        );
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let kill = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(kill.unwrap().success());
    }

    /// Waits for the end. Returns the exit code and the rest of the output.
    fn finish(mut self) -> (Option<i32>, Vec<String>) {
        let rest = self.lines.by_ref().map(Result::unwrap).collect();
        (self.child.wait().unwrap().code(), rest)
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // The process may already have exited.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Returns the id in the last line of a run, `run ID success in 0.1 s`.
fn run_id(text: &str) -> &str {
    let last = text.lines().last().unwrap();
    last.split(' ').nth(1).unwrap()
}

#[test]
fn a_run_shows_its_nodes_and_exits_by_its_status() {
    let place = Place::new();
    let (code, text, error) = place.run(&["good", "--param", "day=friday"]);
    assert_eq!((code, error.as_str()), (Some(0), ""), "{text}");
    let lines: Vec<_> = text.lines().collect();
    assert!(
        lines[0].starts_with("run ") && lines[0].ends_with(" created"),
        "{text}"
    );
    assert_eq!(lines[1], "a  started");
    assert!(lines[2].starts_with("a  success, 1 rows in "), "{text}");
    assert_eq!(lines[3], "b  started");
    assert!(lines[5].contains(" success in "), "{text}");
    assert_eq!(lines.len(), 6);

    let (code, text, _) = place.run(&["bad"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("\na  failed: ") && text.contains("\nb  skipped\n"),
        "{text}"
    );
    assert!(
        text.lines().last().unwrap().contains(" failed in "),
        "{text}"
    );
    assert!(text.contains("red") && !text.contains('\u{1b}'), "{text:?}");
}

#[test]
fn what_cannot_be_asked_for_is_a_usage_error() {
    let place = Place::new();
    for (arguments, expected) in [
        (&["absent"][..], "absent"),
        (&["good", "--param", "days=1"], "days"),
        (&["good", "--param", "day"], "a parameter is NAME=VALUE"),
        (&["good", "--param", "=1"], "a parameter is NAME=VALUE"),
        (&[], "<PIPELINE>"),
    ] {
        let (code, text, error) = place.run(arguments);
        assert_eq!(
            (code, text.as_str()),
            (Some(2), ""),
            "{arguments:?}: {error}"
        );
        assert!(error.contains(expected), "{error}");
    }
    let server = Standalone::start(&["--db", place.path("runs.db").to_str().unwrap()]);
    let (code, _, error) = place.run(&["good"]);
    assert_eq!(code, Some(1));
    assert!(error.contains("already open in process"), "{error}");
    server.kill();
    let mut command = command(&["run", "good", "--memory", "--allow-commands", "--pipelines"]);
    let status = command
        .arg(place.path("pipelines"))
        .stdout(Stdio::null())
        .status();
    assert!(status.unwrap().success());
}

#[test]
fn the_bar_is_below_the_lines_and_gone_at_the_end() {
    let place = Place::new();
    let (code, text, _) = place.run(&["good", "--progress", "bar"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains("[--------------------] 0/2 a\r\u{1b}[K"),
        "{text:?}"
    );
    assert!(
        text.contains("[##########----------] 1/2 b\r\u{1b}[K"),
        "{text:?}"
    );
    let last = text.rsplit("\u{1b}[K").next().unwrap();
    assert!(
        last.starts_with("run ") && last.ends_with(" s\n"),
        "{last:?}"
    );
    assert!(!place.run(&["good"]).1.contains('\u{1b}'), "no terminal");
}

#[test]
fn a_signal_lets_the_node_finish_and_cancels_the_rest() {
    let place = Place::new();
    for (signal, expected) in [("INT", 130), ("TERM", 143)] {
        let mut run = place.start(&["waits"]);
        run.until("a  started");
        run.signal(signal);
        run.until("cancelling");
        let gate = std::fs::OpenOptions::new()
            .write(true)
            .open(place.path("gate"));
        gate.unwrap().write_all(b"{\"n\": 1}").unwrap();
        let (code, rest) = run.finish();
        assert_eq!(code, Some(expected), "{rest:?}");
        assert!(
            rest.iter().any(|line| line.starts_with("a  success")),
            "{rest:?}"
        );
        assert!(rest.iter().any(|line| line == "b  cancelled"), "{rest:?}");
    }
}

#[test]
fn a_second_signal_stops_the_node() {
    let place = Place::new();
    let mut run = place.start(&["sleeps"]);
    run.until("a  started");
    run.signal("INT");
    run.until("cancelling");
    run.signal("INT");
    let (code, rest) = run.finish();
    assert_eq!(code, Some(130), "{rest:?}");
    assert!(rest.last().unwrap().contains(" cancelled in "), "{rest:?}");
}

/// A run of a paused pipeline waits for the end of the pause, and says so.
#[tokio::test]
async fn a_run_of_a_paused_pipeline_says_why_it_waits() {
    let place = Place::new();
    let (server, _) = serve(&place);
    let headers = [
        ("authorization".to_owned(), format!("Bearer {KEY}")),
        ("content-type".to_owned(), "application/json".to_owned()),
    ];
    let body = json!({"reason": "the source\nmoves"}).to_string();
    let path = "/pipelines/good/pause";
    let sent = server
        .api
        .exchange(http::Method::POST, path, &headers, body);
    let (status, paused) = sent.await;
    assert_eq!(status, 200, "{paused}");
    drop(server);
    let mut run = place.start(&["good"]);
    run.until(r"the pipeline is paused: the source\nmoves; the run waits");
    run.signal("INT");
    let (code, rest) = run.finish();
    assert_eq!(code, Some(130), "{rest:?}");
}

#[test]
fn the_log_of_a_run_is_read_from_the_file() {
    let place = Place::new();
    let (_, text, _) = place.run(&["bad"]);
    let id = run_id(&text);
    let before = std::fs::read(place.path("runs.db")).unwrap();
    let (code, log, error) = place.logs(&[id]);
    assert_eq!((code, error.as_str()), (Some(0), ""));
    let first = log.lines().next().unwrap();
    assert!(first.contains("Z INFO [a] Starting node: "), "{first}");
    assert!(!log.contains('\u{1b}'), "{log:?}");
    let (_, errors, _) = place.logs(&[id, "--level", "error"]);
    assert!(!errors.is_empty() && errors.lines().all(|line| line.contains("Z ERROR ")));
    assert_eq!(
        place
            .logs(&[id, "--node", "b", "--level", "info"])
            .1
            .lines()
            .count(),
        0
    );
    assert_eq!(std::fs::read(place.path("runs.db")).unwrap(), before);
    let absent = "01a22a31-ba70-7e13-a701-7e852e0217d4";
    let (code, _, error) = place.logs(&[absent]);
    assert_eq!(code, Some(1));
    assert!(error.contains(absent), "{error}");
    for arguments in [&["x"][..], &[id, "--level", "loud"], &[id, "--follow"]] {
        let (code, _, error) = place.logs(arguments);
        assert_eq!(code, Some(2), "{error}");
    }
}

const KEY: &str = "the-key-of-this-test";

fn serve(place: &Place) -> (Standalone, String) {
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let (db, pipelines) = (text(&place.path("runs.db")), text(&place.path("pipelines")));
    let server = Standalone::start(&[
        "--allow-commands",
        "--db",
        &db,
        "--pipelines",
        &pipelines,
        "--api-key",
        KEY,
    ]);
    let url = server.api.base().trim_end_matches("/api").to_owned();
    (server, url)
}

async fn trigger(server: &Standalone, pipeline: &str) -> String {
    let headers = [("authorization".to_owned(), format!("Bearer {KEY}"))];
    let path = format!("/pipelines/{pipeline}/run");
    let (method, body) = (http::Method::POST, String::new());
    let (status, run) = server.api.exchange(method, &path, &headers, body).await;
    assert_eq!(status, 202, "{run}");
    let run: Value = serde_json::from_str(&run).unwrap();
    run["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_log_of_a_run_is_followed_until_its_end() {
    let place = Place::new();
    let (server, url) = serve(&place);
    let id = trigger(&server, "waits").await;
    let mut follow = command(&["logs", &id, "--follow", "--server", &url]);
    let mut follow = Started::spawn(follow.env("FLORET_API_KEY", KEY));
    follow.until("[a] Starting node: ");
    let gate = std::fs::OpenOptions::new()
        .write(true)
        .open(place.path("gate"));
    gate.unwrap().write_all(b"{\"n\": 1}").unwrap();
    let (code, rest) = follow.finish();
    assert_eq!(code, Some(0), "{rest:?}");
    assert!(rest[0].contains("[a] Node completed: 1 rows"), "{rest:?}");
    assert!(
        rest.last().unwrap().contains("[b] Node completed: "),
        "{rest:?}"
    );
    // A finished run has the same lines, from the server and from the file.
    for arguments in [&[][..], &["--follow"]] {
        let arguments = [&["logs", &id, "--server", &url], arguments].concat();
        let output = command(&arguments)
            .env("FLORET_API_KEY", KEY)
            .output()
            .unwrap();
        let log = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<_> = log.lines().collect();
        assert!(output.status.success());
        assert!(lines[0].contains("[a] Starting node: "), "{log}");
        assert_eq!(lines[1..], rest);
    }
    let (code, _, error) = place.logs(&[&id]);
    assert_eq!(code, Some(1));
    assert!(error.contains("--server URL"), "{error}");
    server.kill();
    let stored = place.logs(&[&id]).1;
    assert_eq!(stored.lines().skip(1).collect::<Vec<_>>(), rest);
}

#[tokio::test]
async fn a_server_that_refuses_or_is_not_there_is_named() {
    let place = Place::new();
    let (server, url) = serve(&place);
    let id = trigger(&server, "good").await;
    let (code, text, error) = place.logs(&[&id, "--server", &url]);
    assert_eq!((code, text.as_str()), (Some(1), ""));
    assert!(
        error.contains("the server: this needs credentials"),
        "{error}"
    );
    let (code, _, error) = place.logs(&[&id, "--server", &url, "--api-key", "canary-key"]);
    assert!(code == Some(1) && !error.contains("canary"), "{error}");
    let elsewhere = format!("{url}/elsewhere");
    let (code, _, error) = place.logs(&[&id, "--server", &elsewhere, "--api-key", KEY]);
    assert_eq!(code, Some(1), "{error}");
    server.kill();
    let (code, _, error) = place.logs(&[&id, "--server", &url]);
    assert!(code == Some(1) && error.contains(&url), "{error}");
    for (url, expected) in [
        ("https://localhost", "use a tunnel for TLS"),
        ("localhost:8080", "http://HOST:PORT"),
        ("http://a:b@localhost", "neither a user nor a query"),
        ("http://localhost/?a=b", "neither a user nor a query"),
    ] {
        let (code, _, error) = place.logs(&[&id, "--server", url]);
        assert!(
            code == Some(2) && error.contains(expected),
            "{url}: {error}"
        );
    }
}
