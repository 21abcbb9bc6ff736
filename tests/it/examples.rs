//! The examples as a user starts them: what they print, what they refuse, and how they stop.
//!
//! Hosts are in `examples_hosts`, the responses of the API in `api_*`, crashes in `crash`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};

use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::built_examples::example;
use crate::tidy::root;

fn standalone(arguments: &[&str]) -> Command {
    let mut command = Command::new(example("standalone"));
    command
        .args(arguments)
        .env_remove("FLORET_API_KEY")
        .env_remove("FLORET_SECRET_KEY")
        .env("RUST_LOG", "off")
        .stdin(Stdio::null());
    command
}

/// Starts the server with arguments that it refuses. Returns its exit code and its error output.
fn refusal(arguments: &[&str]) -> (Option<i32>, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = standalone(arguments).output().unwrap();
    assert_eq!(String::from_utf8(stdout).unwrap(), "", "{arguments:?}");
    (status.code(), String::from_utf8(stderr).unwrap())
}

type Client =
    tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

/// A server that listens. Dropping it kills the process.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(arguments: &[&str]) -> Self {
        Self::start_on("127.0.0.1:0", arguments)
    }

    fn start_on(address: &str, arguments: &[&str]) -> Self {
        let mut child = standalone(arguments)
            .args(["--listen", address])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("listening on http://");
        let address = address
            .unwrap_or_else(|| panic!("unexpected output: {line:?}"))
            .to_owned();
        Self { child, address }
    }

    /// Returns the whole response to a request, including the status line.
    fn ask(&self, first_line: &str, headers: &[&str]) -> String {
        let mut socket = TcpStream::connect(&self.address).unwrap();
        let headers = headers.join("\r\n");
        write!(
            socket,
            "{first_line} HTTP/1.1\r\nConnection: close\r\n{headers}\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    }

    fn status(&self, first_line: &str, headers: &[&str]) -> u16 {
        let answer = self.ask(first_line, headers);
        answer.split(' ').nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The process may already have exited.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn the_quickstart_shows_that_a_resume_executes_nothing_twice() {
    let Output { status, stdout, .. } = Command::new(example("quickstart")).output().unwrap();
    let text = String::from_utf8(stdout).unwrap();
    assert!(status.success(), "{text}");
    for part in [
        "load      success, 344 rows",
        "clean     success, 342 rows",
        r#""penguins":123,"species":"Gentoo""#,
        "2 penguins were not weighed",
        "write     failed: the disk is broken",
        "summarize skipped, 3 rows reused from run ",
        "executed `load` 2 times and `summarize` 2 times",
    ] {
        assert!(text.contains(part), "{part:?} is missing:\n{text}");
    }
}

#[test]
fn an_invalid_secret_key_is_reported_without_its_text() {
    let folder = floret::testing::scratch();
    let file = folder.path().join("key");
    std::fs::write(&file, "canary words").unwrap();
    let file = file.to_str().unwrap();
    let (code, text) = refusal(&["--memory", "--secret-key-file", file]);
    let from_env = standalone(&["--memory"])
        .env("FLORET_SECRET_KEY", "canary words")
        .output()
        .unwrap();
    let env_error = String::from_utf8(from_env.stderr).unwrap();
    assert_eq!((code, from_env.status.code()), (Some(1), Some(1)));
    for (text, source) in [
        (&text, "--secret-key-file"),
        (&env_error, "FLORET_SECRET_KEY"),
    ] {
        assert!(
            text.starts_with("error: ") && text.contains(source),
            "{text}"
        );
        assert!(
            text.contains("32 bytes") && !text.contains("canary"),
            "{text}"
        );
        assert_eq!(text.lines().count(), 1, "{text}");
    }
    std::fs::write(folder.path().join("good"), "0f".repeat(32)).unwrap();
    let good = folder.path().join("good");
    let server = Server::start(&["--memory", "--secret-key-file", good.to_str().unwrap()]);
    let body = r#"{"key":"TOKEN","value":"canary","type":"secret"}"#;
    let length = format!("Content-Length: {}", body.len());
    let headers = [
        "Host: localhost",
        "Content-Type: application/json",
        length.as_str(),
        "",
        body,
    ];
    let answer = server.ask("POST /api/variables", &headers);
    assert!(
        answer.starts_with("HTTP/1.1 201") && answer.contains("********"),
        "{answer}"
    );
}

#[test]
fn without_an_api_key_the_standalone_server_listens_only_on_loopback() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "[::ffff:127.0.0.1]:0"] {
        let (code, text) = refusal(&["--memory", "--listen", address]);
        assert_eq!(code, Some(2), "{address}: {text}");
        assert!(
            text.starts_with("error: ") && text.contains("--api-key"),
            "{text}"
        );
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}

#[test]
fn a_wrong_api_key_is_refused_without_its_text() {
    for (address, key, expected) in [
        ("0.0.0.0:0", "canary", "at least 16 characters"),
        ("[::]:0", "canary-canary-c", "at least 16 characters"),
        ("127.0.0.1:0", "canary words", "without blanks"),
        ("127.0.0.1:0", "canary\u{e9}", "visible ASCII"),
        ("127.0.0.1:0", "", "not empty"),
    ] {
        let listen = ["--memory", "--listen", address];
        let as_option = refusal(&[&listen[..], &["--api-key", key]].concat());
        let as_variable = standalone(&listen).env("FLORET_API_KEY", key).output();
        let as_variable = as_variable.unwrap();
        let error = String::from_utf8(as_variable.stderr).unwrap();
        for (code, text) in [as_option, (as_variable.status.code(), error)] {
            assert_eq!(code, Some(2), "{key}: {text}");
            assert!(text.contains(expected), "{text}");
            assert!(!text.contains("canary"), "{text}");
        }
    }
    let long_enough = ["--memory", "--api-key", "0123456789abcdef"];
    drop(Server::start_on("0.0.0.0:0", &long_enough));
}

#[test]
fn an_empty_variable_is_not_a_missing_secret_key() {
    let mut command = standalone(&["--memory", "--listen", "127.0.0.1:0"]);
    let output = command.env("FLORET_SECRET_KEY", "").output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains("FLORET_SECRET_KEY: a key is 32 bytes"),
        "{text}"
    );
}

#[cfg(unix)]
#[test]
fn a_key_file_that_others_can_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt;

    let folder = floret::testing::scratch();
    let file = folder.path().join("key");
    // A file without a key ends the server once it has been read.
    std::fs::write(&file, "canary words").unwrap();
    for (mode, is_warned) in [(0o600, false), (0o640, true), (0o604, true)] {
        std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
        let mut command = standalone(&["--memory", "--listen", "127.0.0.1:0"]);
        command.arg("--secret-key-file").arg(&file);
        let output = command.env("RUST_LOG", "warn").output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert_eq!(text.contains("can read the key file"), is_warned, "{text}");
    }
}

#[test]
fn a_failed_start_prints_one_line_that_names_the_problem() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().to_str().unwrap();
    let missing = dir.path().join("missing");
    let missing = missing.to_str().unwrap();
    let store = dir.path().join("text.db");
    std::fs::write(&store, "a text that is not a database").unwrap();
    let definition = dir.path().join("broken.json");
    std::fs::write(&definition, r#"{"name": "x", "nodes": [{"id": "a"}]}"#).unwrap();
    let store = store.to_str().unwrap();
    let (loopback, memory) = (["--listen", "127.0.0.1:0"], "--memory");
    let table: &[(&[&str], &str)] = &[
        (&["--db", store], "text.db"),
        (&["--db", "/nowhere/at/all.db"], "/nowhere/at/all.db"),
        (&[memory, "--data-dir", missing], "--data-dir"),
        (&[memory, "--pipelines", missing], "--pipelines"),
        (
            &[memory, "--pipelines", folder],
            "broken.json: at /nodes/0/type: ",
        ),
    ];
    for (arguments, expected) in table {
        let (code, text) = refusal(&[*arguments, &loopback].concat());
        assert_eq!(code, Some(1), "{arguments:?}: {text}");
        assert!(
            text.starts_with("error: ") && text.contains(expected),
            "{arguments:?}: {text}"
        );
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}

#[test]
fn contradictory_options_are_a_usage_error() {
    for arguments in [
        &["--memory", "--db", "a.db"][..],
        &["--memory", "--durability", "full"],
        &["--max-concurrent-runs", "0"],
        &["--api-key", ""],
        &["--listen", "here"],
        &["--unknown"],
    ] {
        let (code, text) = refusal(arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {text}");
    }
}

#[test]
fn without_an_api_key_only_local_host_names_are_served() {
    let server = Server::start(&["--memory"]);
    for (host, expected) in [
        ("localhost", 200),
        ("127.0.0.1:9999", 200),
        ("[::1]", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
    ] {
        let status = server.status("GET /api/runs", &[&format!("Host: {host}")]);
        assert_eq!(status, expected, "{host}");
    }
    let unnamed = server.ask("GET /api/runs", &["Accept: */*"]);
    assert!(unnamed.starts_with("HTTP/1.1 421"), "{unnamed}");
    assert!(unnamed.contains("the request names no host"), "{unnamed}");
}

#[cfg(unix)]
#[test]
fn a_load_balancer_sees_the_shutdown_while_a_node_finishes() {
    let folder = tempfile::tempdir().unwrap();
    let gate = folder.path().join("gate");
    assert!(
        Command::new("mkfifo")
            .arg(&gate)
            .status()
            .unwrap()
            .success()
    );
    let waiting = serde_json::json!({
        "name": "waiting",
        "nodes": [{"id": "a", "type": "command", "config": {"command": ["cat", gate]}}],
    });
    let pipelines = folder.path().join("pipelines");
    std::fs::create_dir(&pipelines).unwrap();
    std::fs::write(pipelines.join("waiting.json"), waiting.to_string()).unwrap();
    let mut server = Server::start(&[
        "--memory",
        "--allow-commands",
        "--pipelines",
        pipelines.to_str().unwrap(),
    ]);
    let started = server.ask(
        "POST /api/pipelines/waiting/run",
        &["Host: localhost", "Content-Length: 0"],
    );
    assert!(started.starts_with("HTTP/1.1 202"), "{started}");
    // The program opens the pipe, which waits for a reader.
    let mut gate = std::fs::OpenOptions::new().write(true).open(&gate).unwrap();
    let pid = server.child.id().to_string();
    let kill = Command::new("kill").args(["-TERM", &pid]).status();
    assert!(kill.unwrap().success());
    let health = loop {
        let health = server.ask("GET /api/health", &["Host: localhost"]);
        if !health.starts_with("HTTP/1.1 200") {
            break health;
        }
        std::thread::yield_now();
    };
    assert!(health.starts_with("HTTP/1.1 503"), "{health}");
    gate.write_all(b"done").unwrap();
    drop(gate);
    assert!(server.child.wait().unwrap().success());
}

#[test]
fn with_an_api_key_every_route_except_health_requires_it() {
    let server = Server::start(&["--memory", "--api-key", "s3cret"]);
    let status =
        |credentials: &str| server.status("GET /api/runs", &["Host: any.example", credentials]);
    assert_eq!(status("Authorization: Bearer s3cret"), 200);
    assert_eq!(status("authorization: bearer s3cret"), 200);
    for wrong in [
        "X-None: 1",
        "Authorization: Bearer s3cre",
        "Authorization: Bearer s3crets",
        "Authorization: Basic s3cret",
        "Authorization: s3cret",
    ] {
        assert_eq!(status(wrong), 401, "{wrong}");
    }
    let answer = server
        .ask("POST /api/pipelines/a/run", &["Host: a"])
        .to_ascii_lowercase();
    assert!(
        answer.contains("www-authenticate: bearer") && answer.contains("problem+json"),
        "{answer}"
    );
    assert_eq!(
        server.status("GET /api/health", &["Host: any.example"]),
        200
    );
}

#[tokio::test]
async fn an_api_key_as_a_subprotocol_opens_a_stream_until_shutdown() {
    let server = Server::start(&["--memory", "--api-key", "s3cret"]);
    let stream = async |protocols: &str| {
        let mut request = format!("ws://{}/api/ws", server.address)
            .into_client_request()
            .unwrap();
        let protocols = protocols.parse().unwrap();
        request
            .headers_mut()
            .insert("sec-websocket-protocol", protocols);
        tokio_tungstenite::connect_async(request).await
    };
    let refused = stream("floret, bearer.other").await.unwrap_err();
    assert!(
        matches!(&refused, Error::Http(answer) if answer.status() == 401),
        "{refused}"
    );
    let (client, answer) = stream("floret, bearer.s3cret").await.unwrap();
    assert_eq!(answer.headers()["sec-websocket-protocol"], "floret");
    #[cfg(unix)]
    assert_closes_at_shutdown(server, client).await;
}

#[cfg(unix)]
async fn assert_closes_at_shutdown(mut server: Server, mut client: Client) {
    use tokio_tungstenite::tungstenite::Message;

    let pid = server.child.id().to_string();
    let kill = Command::new("kill").args(["-TERM", &pid]).status();
    assert!(kill.unwrap().success());
    match futures_util::StreamExt::next(&mut client).await {
        Some(Ok(Message::Close(Some(frame)))) => assert_eq!(u16::from(frame.code), 1001),
        other => panic!("expected a close frame: {other:?}"),
    }
    drop(client);
    assert!(server.child.wait().unwrap().success());
}

#[test]
fn the_example_pipelines_run() {
    let root = root().join("examples");
    let data = tempfile::tempdir().unwrap();
    std::fs::copy(
        root.join("data/penguins.csv"),
        data.path().join("penguins.csv"),
    )
    .unwrap();
    let pipelines = root.join("pipelines");
    let server = Server::start(&[
        "--memory",
        "--allow-commands",
        "--data-dir",
        data.path().to_str().unwrap(),
        "--pipelines",
        pipelines.to_str().unwrap(),
    ]);
    for (pipeline, file, lines) in [
        ("penguins", "penguins.ndjson", 344),
        ("species", "Gentoo.csv", 125),
    ] {
        let started = server.ask(
            &format!("POST /api/pipelines/{pipeline}/run"),
            &["Host: localhost", "Content-Length: 0"],
        );
        assert!(started.starts_with("HTTP/1.1 202"), "{started}");
        let id = started
            .split_once(r#"{"id":""#)
            .and_then(|(_, rest)| rest.split_once('"'))
            .unwrap()
            .0;
        let run = loop {
            let run = server.ask(&format!("GET /api/runs/{id}"), &["Host: localhost"]);
            if run.contains(r#""finished_at""#) && !run.contains(r#""status":"running""#) {
                break run;
            }
            std::thread::yield_now();
        };
        assert!(run.contains(r#""status":"success","trigger""#), "{run}");
        let written = std::fs::read_to_string(data.path().join("out").join(file)).unwrap();
        assert_eq!(written.lines().count(), lines);
    }
}

#[cfg(unix)]
#[test]
fn sigterm_shuts_the_server_down() {
    let mut server = Server::start(&["--memory"]);
    let pid = server.child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    assert!(server.child.wait().unwrap().success());
}
