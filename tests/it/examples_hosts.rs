//! The example hosts over real sockets: their own responses, those of Floret, and how they stop.
//!
//! The responses of the API are in `api_*`. `example_host` starts and stops a host.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use futures_util::StreamExt;
use tokio_tungstenite::tungstenite::Message;

use crate::built_examples::example;
use crate::example_host::{Events, ExampleHost, RawResponse};
use crate::harness::with_timeout;

const DAILY: &str = "/api/pipelines/daily";
const ANN: &str = "Authorization: Bearer ann\r\n";
const BOB: &str = "Authorization: Bearer bob\r\n";

#[test]
fn axum_admits_the_users_of_its_own_login() {
    let host = ExampleHost::start("axum");
    let runs = "GET /ops/api/runs";
    assert_eq!(host.ask(runs, "").status, 401);
    assert_eq!(host.ask(runs, "Authorization: Bearer eve\r\n").status, 401);
    assert_eq!(host.ask(runs, BOB).status, 200);
    let trigger = "POST /ops/api/pipelines/invoices/run";
    assert_eq!(host.ask(trigger, BOB).status, 403);

    let started = host.ask(trigger, ANN);
    let location = started.header("location");
    assert!(location.starts_with("/ops/api/runs/"), "{started:?}");
    host.wait_for_success(location, ANN);

    let own = host.ask("POST /orders/17", ANN);
    assert_eq!(own.status, 202, "{own:?}");
    assert_eq!(
        host.ask("POST /orders/17", ANN).body,
        own.body,
        "one run for each order"
    );
    let location = format!("/ops/api/runs/{}", own.body);
    host.wait_for_success(&location, ANN);
    let log = host.ask(&format!("GET {location}/logs/export"), ANN);
    assert!(log.body.contains("an invoice for order 17"), "{log:?}");
    assert_eq!(host.ask("POST /orders/18", BOB).status, 403);
    let list = host.ask("GET /ops/api/runs?limit=1", ANN);
    assert!(
        list.header("link").starts_with("</ops/api/runs?"),
        "{list:?}"
    );
    assert_eq!(host.ask("GET /elsewhere", ANN).status, 404);
    assert!(host.ask("GET /ops", "").body.contains("/overview"));
    let page = host.ask("GET /ops/runs/1", "");
    assert!(page.body.contains("<base href=\"../\">"), "{page:?}");
}

#[test]
fn hyper_serves_its_own_routes_beside_floret() {
    let host = ExampleHost::start("hyper");
    host.run(DAILY, "");
    let own = host.ask("GET /apiary", "");
    assert_eq!(
        (own.status, &*own.body),
        (200, "the program's own /apiary\n")
    );
    let foreign = "GET http://evil.example/api/runs";
    let mut socket = host.connect();
    write!(
        socket,
        "GET /api/runs HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    assert_eq!(RawResponse::read(&mut socket).status, 421, "{foreign}");
}

#[test]
fn every_middleware_layer_takes_effect() {
    let mut command = Command::new(example("middleware"));
    let host = ExampleHost::start_with(
        command
            .arg("127.0.0.1:0")
            .env("RUST_LOG", "tower_http=debug")
            .env("NO_COLOR", "1")
            .stderr(Stdio::piped()),
    );
    host.run(DAILY, "");
    let named = host.ask("GET /api/health", "X-Request-Id: mine\r\n");
    assert_eq!(named.header("x-request-id"), "mine");
    let unnamed = host.ask("GET /api/health", "Authorization: Bearer s3cret\r\n");
    assert_eq!(unnamed.header("x-request-id").len(), 36, "{unnamed:?}");

    let page = "Origin: https://app.example.com\r\n";
    let question = format!("{page}Access-Control-Request-Method: POST\r\n");
    let allowed = host.ask("OPTIONS /api/pipelines/daily/run", &question);
    let origin = "access-control-allow-origin";
    assert_eq!(
        (allowed.status, allowed.header(origin)),
        (200, "https://app.example.com")
    );
    let started = host.ask("POST /api/pipelines/daily/run", page);
    assert_eq!(
        (started.status, started.header(origin)),
        (202, "https://app.example.com")
    );
    let evil = host.ask(
        "POST /api/pipelines/daily/run",
        "Origin: https://evil.example\r\n",
    );
    assert_eq!(evil.status, 403);

    let list = host.ask("GET /api/pipelines", "Accept-Encoding: gzip\r\n");
    assert_eq!(list.header("content-encoding"), "gzip", "{list:?}");
    let large = "x".repeat(65 * 1024);
    assert_eq!(host.send("POST /api/pipelines", page, &large).status, 413);

    let log = host.kill();
    assert!(!log.contains("s3cret"), "{log}");
    for part in ["Sensitive", "mine", "status=413", "status=403"] {
        assert!(log.contains(part), "{part} is missing: {log}");
    }
}

#[test]
fn the_middleware_refuses_requests_over_its_limit_at_once() {
    let host = ExampleHost::start("middleware");
    let begun = "POST /api/pipelines/daily/run HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n";
    let begin = || {
        let mut socket = host.connect();
        socket.write_all(begun.as_bytes()).unwrap();
        socket
    };
    let mut held: Vec<_> = (0..64).map(|_| begin()).collect();
    let page = "Origin: https://app.example.com\r\n";
    let refused = loop {
        // On a slow machine, the time limit may have ended some of them.
        held.push(begin());
        let answer = host.ask("GET /api/health", page);
        if answer.status != 200 {
            break answer;
        }
    };
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(!refused.header("access-control-allow-origin").is_empty());
    drop(held);
    while host.ask("GET /api/health", "").status != 200 {}
}

#[test]
fn rocket_starts_floret_and_serves_its_own_routes_beside_it() {
    let host = ExampleHost::start("rocket");
    let location = host.run(DAILY, "");
    let own = host.ask("GET /greet", "");
    assert_eq!((own.status, own.body.len()), (200, 36), "{own:?}");
    host.wait_for_success(&format!("/api/runs/{}", own.body), "");

    let run = host.ask(&format!("GET {location}"), "");
    let length = run.body.len().to_string();
    assert_eq!(run.header("content-length"), length);
    let head = host.ask(&format!("HEAD {location}"), "");
    assert_eq!((head.header("content-length"), &*head.body), (&*length, ""));
    let export = host.ask(&format!("GET {location}/logs/export"), "");
    assert_eq!(export.header("transfer-encoding"), "chunked");
    assert!(export.body.contains("good morning"), "{export:?}");
    let list = host.ask("GET /api/runs?limit=1", "");
    assert!(
        list.header("link").starts_with("</api/runs?limit=1&after="),
        "{list:?}"
    );
}

#[test]
fn behind_rocket_bodies_are_streamed_and_bounded() {
    let host = ExampleHost::start("rocket");
    let json = "Content-Type: application/json
";
    let trigger = "POST /api/pipelines/daily/run";
    let started = host.send(trigger, json, r#"{"params":{"a":"1"}}"#);
    assert_eq!(started.status, 202, "{started:?}");
    assert_eq!(host.send(trigger, json, "{}").status, 202);
    // Params have a smaller limit than bodies, so blanks make this one large.
    let large = format!(r#"{{"params":{{"a":"1"}}{}}}"#, " ".repeat(1 << 20));
    let mut socket = host.connect();
    // The second half is sent in pieces.
    let (first, second) = large.split_at(large.len() / 2);
    let length = large.len();
    write!(
        socket,
        "{trigger} HTTP/1.1
Host: localhost
Connection: close
{json}Content-Length: {length}

{first}"
    )
    .unwrap();
    for piece in second.as_bytes().chunks(50_000) {
        socket.write_all(piece).unwrap();
    }
    let answer = RawResponse::read(&mut socket);
    assert_eq!(answer.status, 202, "{answer:?}");
    let form = "Content-Type: application/x-www-form-urlencoded
";
    let delete = host.send("POST /api/pipelines/daily", form, "_method=delete");
    assert!([405, 415].contains(&delete.status), "{delete:?}");
    assert_eq!(host.ask("GET /api/pipelines/daily", "").status, 200);
}

#[test]
fn errors_of_rocket_itself_are_problems_too() {
    let host = ExampleHost::start("rocket");
    for (request, status) in [
        ("GET /assets/elsewhere", 404),
        ("GET /api/nothing", 404),
        ("DELETE /api/runs", 405),
        ("PATCH /api/pipelines/daily", 405),
        ("PROPFIND /api/runs", 400),
        ("GET /api/runs?after=[", 400),
    ] {
        let answer = host.ask(request, "");
        assert_eq!(answer.status, status, "{request}: {answer:?}");
        let kind = answer.header("content-type");
        assert_eq!(kind, "application/problem+json", "{request}");
        let problem: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(problem["status"], status, "{request}");
        assert_eq!(problem["detail"], problem["error"], "{request}");
    }
    assert!(
        host.ask("GET /runs/1", "")
            .body
            .contains("<base href=\"../\">")
    );
}

#[test]
fn the_spans_of_a_run_are_exported_below_the_span_of_its_caller() {
    let output = Command::new(example("opentelemetry")).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    // Each span is `span NAME trace TRACE id ID parent PARENT`.
    let spans: BTreeMap<&str, (&str, &str)> = text
        .lines()
        .filter_map(|line| line.strip_prefix("span "))
        .map(|line| {
            let words: Vec<_> = line.split(' ').collect();
            assert_eq!((words.len(), words[2]), (7, trace), "{text}");
            (words[0], (words[4], words[6]))
        })
        .collect();
    assert_eq!(spans["run"].1, "00f067aa0ba902b7", "{text}");
    assert_eq!(spans["node"].1, spans["run"].0, "{text}");
    assert_eq!(spans["attempt"].1, spans["node"].0, "{text}");
    assert_eq!(spans["webhook"].1, spans["run"].0, "{text}");
    for (line, span) in [
        ("the node sends", "attempt"),
        ("the webhook sends", "webhook"),
    ] {
        let expected = format!("{line} 00-{trace}-{}-01\n", spans[span].0);
        assert!(text.contains(&expected), "{expected}{text}");
    }
}

#[test]
fn a_service_waits_times_out_or_refuses() {
    let output = Command::new(example("tower_executor")).output().unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    assert!(output.ends_with("run: Success\n"), "{output}");
    let row = |id: &str| {
        let mut lines = output.lines().filter_map(|line| line.split_once(' '));
        let (_, row) = lines.find(|(own, _)| *own == id).unwrap();
        let numbers = row.split(' ').filter_map(|word| word.parse::<u64>().ok());
        let numbers: Vec<_> = numbers.collect();
        (numbers[0], numbers[1])
    };
    assert_eq!(row("slow").0, 2, "{output}");
    let patient = ["one", "two", "three", "four"].map(row);
    assert!(patient.iter().all(|(tries, _)| *tries == 1), "{output}");
    let waited = patient.iter().filter(|(_, waited)| *waited >= 50);
    assert_eq!(waited.count(), 2, "{output}");
    let proud = ["first", "second"].map(row);
    assert_eq!(
        proud.iter().filter(|(tries, _)| *tries > 1).count(),
        1,
        "{output}"
    );
}

/// Every host, the path of its API, and the path of a pipeline.
const HOSTS: [(&str, &str, &str); 4] = [
    ("axum", "/ops/api", "/ops/api/pipelines/invoices"),
    ("hyper", "/api", DAILY),
    ("middleware", "/api", DAILY),
    ("rocket", "/api", DAILY),
];

/// Reads the texts of a stream up to the first one that contains `last`.
async fn read_until(events: &mut Events, last: &str) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    while !texts.last().is_some_and(|text| text.contains(last)) {
        let message = with_timeout(last, Box::pin(events.next())).await;
        if let Message::Text(text) = message.unwrap().unwrap() {
            texts.push(text.to_string());
        }
    }
    texts
}

#[tokio::test]
async fn every_host_streams_events_over_a_websocket() {
    for (name, api, pipeline) in HOSTS {
        let host = ExampleHost::start(name);
        host.run(pipeline, ANN);
        let mut events = host.events(api, "ann").await;
        let stored = read_until(&mut events, "run.completed").await;
        assert!(
            stored.iter().any(|text| text.contains("run.created")),
            "{name}"
        );
        host.run(pipeline, ANN);
        let live = read_until(&mut events, "run.completed").await;
        assert!(
            live.iter().any(|text| text.contains("run.created")),
            "{name}"
        );
    }
}

#[tokio::test]
async fn every_host_streams_server_sent_events() {
    for (name, api, pipeline) in HOSTS {
        let host = ExampleHost::start(name);
        host.run(pipeline, ANN);
        let mut stream = host.server_sent_events(api, "ann").await;
        // Each event comes when it happens, not when some buffer is full or the stream ends.
        for round in ["stored", "live"] {
            let mut kinds = Vec::new();
            while kinds.last().is_none_or(|kind| kind != "run.completed") {
                let event = with_timeout(name, stream.event()).await;
                kinds.push(event["type"].as_str().unwrap().to_owned());
            }
            assert_eq!(kinds[0], "run.created", "{round} in {name}");
            if round == "stored" {
                host.run(pipeline, ANN);
            }
        }
    }
}

#[test]
fn in_every_host_a_start_waits_for_the_end_of_its_run() {
    for (name, _, pipeline) in HOSTS {
        let host = ExampleHost::start(name);
        let run = host.ask(&format!("POST {pipeline}/run?wait=60"), ANN);
        assert_eq!(run.status, 200, "{name}: {run:?}");
        assert!(
            run.body.contains(r#""status":"success","trigger""#),
            "{name}: {run:?}"
        );
    }
}

/// Neither an open stream nor an idle connection may delay the shutdown.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn every_host_shuts_down_when_it_is_interrupted() {
    for (name, api, _) in HOSTS {
        let mut host = ExampleHost::start(name);
        let _idle = host.connect();
        let mut events = host.events(api, "ann").await;
        let mut stream = host.server_sent_events(api, "ann").await;
        let stopped = tokio::task::spawn_blocking(move || host.interrupt());
        let mut is_closed = false;
        while let Some(Ok(message)) = with_timeout(name, Box::pin(events.next())).await {
            is_closed |= message.is_close();
        }
        assert!(is_closed, "{name} sent no close frame");
        with_timeout(name, stream.until_closed()).await;
        with_timeout(name, stopped).await.unwrap();
    }
}

#[test]
fn rocket_upgrades_only_valid_websocket_requests() {
    let host = ExampleHost::start("rocket");
    assert_eq!(host.ask("GET /api/ws", "").status, 426);
    let foreign = host.ask("GET /api/ws", "Origin: https://evil.example\r\n");
    assert_eq!(foreign.status, 403, "{foreign:?}");
}
