//! The examples as a user starts them: what they print, what they refuse, and how they end.
//!
//! What the server answers is in the tests of the API, what it survives in `crash`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

/// Where cargo puts examples, beside this test's own executable.
pub(crate) fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    profile.join("examples").join(file)
}

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

/// What a start says that ends by itself.
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

/// A server that was started and listens; killed when dropped.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(arguments: &[&str]) -> Self {
        let mut child = standalone(arguments)
            .args(["--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("listening on http://");
        let address = address
            .unwrap_or_else(|| panic!("it said {line:?}"))
            .to_owned();
        Self { child, address }
    }

    /// The answer to a request, status line and all.
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
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn the_quickstart_shows_that_a_resume_executes_nothing_twice() {
    let Output { status, stdout, .. } = Command::new(example("quickstart")).output().unwrap();
    let told = String::from_utf8(stdout).unwrap();
    assert!(status.success(), "{told}");
    for part in [
        "load      success, 344 rows",
        "clean     success, 342 rows",
        r#""penguins":123,"species":"Gentoo""#,
        "2 penguins were not weighed",
        "write     failed: the disk is broken",
        "summarize skipped, 3 rows kept by run ",
        "executed `load` 2 times and `summarize` 2 times",
    ] {
        assert!(told.contains(part), "{part:?} is missing:\n{told}");
    }
}

#[test]
fn a_key_for_secrets_that_is_none_is_told_without_its_text() {
    let folder = floret::testing::scratch();
    let file = folder.path().join("key");
    std::fs::write(&file, "canary words").unwrap();
    let file = file.to_str().unwrap();
    let (code, told) = refusal(&["--memory", "--secret-key-file", file]);
    let of_env = standalone(&["--memory"])
        .env("FLORET_SECRET_KEY", "canary words")
        .output()
        .unwrap();
    let by_env = String::from_utf8(of_env.stderr).unwrap();
    assert_eq!((code, of_env.status.code()), (Some(1), Some(1)));
    for (told, place) in [(&told, "--secret-key-file"), (&by_env, "FLORET_SECRET_KEY")] {
        assert!(
            told.starts_with("error: ") && told.contains(place),
            "{told}"
        );
        assert!(
            told.contains("32 bytes") && !told.contains("canary"),
            "{told}"
        );
        assert_eq!(told.lines().count(), 1, "{told}");
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
fn without_a_key_the_standalone_server_listens_on_loopback_alone() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "[::ffff:127.0.0.1]:0"] {
        let (code, told) = refusal(&["--memory", "--listen", address]);
        assert_eq!(code, Some(2), "{address}: {told}");
        assert!(
            told.starts_with("error: ") && told.contains("--api-key"),
            "{told}"
        );
        assert_eq!(told.lines().count(), 1, "{told}");
    }
}

#[test]
fn what_is_wrong_at_the_start_is_one_line_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().to_str().unwrap();
    let missing = dir.path().join("missing");
    let missing = missing.to_str().unwrap();
    let store = dir.path().join("text.db");
    std::fs::write(&store, "a text, and no database at all").unwrap();
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
    for (arguments, named) in table {
        let (code, told) = refusal(&[*arguments, &loopback].concat());
        assert_eq!(code, Some(1), "{arguments:?}: {told}");
        assert!(
            told.starts_with("error: ") && told.contains(named),
            "{arguments:?}: {told}"
        );
        assert_eq!(told.lines().count(), 1, "{told}");
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
        let (code, told) = refusal(arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {told}");
    }
}

#[test]
fn without_a_key_only_names_of_this_machine_are_answered() {
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
}

#[test]
fn with_a_key_every_route_but_health_needs_it() {
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
async fn the_key_as_a_subprotocol_opens_a_stream_that_a_shutdown_ends() {
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
    says_goodbye(server, client).await;
}

#[cfg(unix)]
async fn says_goodbye(mut server: Server, mut client: Client) {
    use tokio_tungstenite::tungstenite::Message;

    let pid = server.child.id().to_string();
    let told = Command::new("kill").args(["-TERM", &pid]).status();
    assert!(told.unwrap().success());
    match futures_util::StreamExt::next(&mut client).await {
        Some(Ok(Message::Close(Some(frame)))) => assert_eq!(u16::from(frame.code), 1001),
        other => panic!("expected a goodbye: {other:?}"),
    }
    drop(client);
    assert!(server.child.wait().unwrap().success());
}

#[test]
fn the_pipelines_of_the_repository_run_as_they_are() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
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
fn sigterm_ends_the_server_in_order() {
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
