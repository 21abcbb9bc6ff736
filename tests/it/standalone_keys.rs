//! The keys of the standalone example: what each role may do, and how keys come and go while the
//! server runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Output;

use floret::testing::Scratch;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::standalone::{Api, Standalone, command};
use crate::tidy::root;

/// A caller: its key, and the line of the file that admits it.
pub(crate) struct Caller {
    key: String,
    pub(crate) line: String,
}

impl Caller {
    pub(crate) fn new(arguments: &[&str]) -> Self {
        let arguments = [&["key"], arguments].concat();
        let Output { stdout, stderr, .. } = command(&arguments).output().unwrap();
        let (line, key) = (String::from_utf8(stdout), String::from_utf8(stderr));
        let key = key.unwrap();
        let key = key.trim_end().strip_prefix("key: floret_").unwrap();
        assert_eq!(key.len(), 64, "32 bytes");
        Self {
            key: format!("floret_{key}"),
            line: line.unwrap(),
        }
    }

    pub(crate) fn headers(&self) -> Vec<(String, String)> {
        let value = format!("Bearer {}", self.key);
        vec![("authorization".to_owned(), value)]
    }

    async fn status(&self, api: &Api, path: &str) -> StatusCode {
        let headers = self.headers();
        let sent = api.exchange(Method::GET, path, &headers, String::new());
        sent.await.0
    }

    /// Sends a body of JSON, and returns what comes back.
    async fn send(&self, api: &Api, method: Method, path: &str, body: &Value) -> Value {
        let mut headers = self.headers();
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
        let sent = api.exchange(method, path, &headers, body.to_string());
        serde_json::from_str(&sent.await.1).unwrap()
    }
}

/// A folder with a file of keys.
fn keys_file(text: &str) -> (Scratch, PathBuf) {
    let folder = floret::testing::scratch();
    let file = folder.path().join("keys");
    std::fs::write(&file, text).unwrap();
    (folder, file)
}

pub(crate) fn server(file: &Path) -> Standalone {
    Standalone::start(&["--memory", "--api-keys", file.to_str().unwrap()])
}

const ROLES: [&str; 4] = ["viewer", "operator", "editor", "admin"];

/// Returns the table of the example's page: whether each role has a permission.
fn documented() -> BTreeMap<String, [bool; 4]> {
    let page = std::fs::read_to_string(root().join("examples/standalone/README.md")).unwrap();
    let cells = |line: &str| line.split('|').map(str::trim).map(str::to_owned).collect();
    let rows = page.lines().map(cells).filter_map(|cells: Vec<_>| {
        let permission = cells
            .get(1)?
            .strip_prefix('`')?
            .strip_suffix('`')?
            .to_owned();
        let held = cells.get(2..6)?.iter().map(|cell| cell == "yes");
        let held: Vec<_> = held.collect();
        permission
            .contains('.')
            .then(|| (permission, held.try_into().unwrap()))
    });
    rows.collect()
}

/// Returns the method, the path and the permission of each route that needs a certain one.
fn routes() -> Vec<(Method, String, String)> {
    let text = std::fs::read_to_string(root().join("docs/openapi.json")).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    let mut routes = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let permission = operation["x-permission"].as_str();
            let Some(permission) = permission.filter(|name| name.contains('.')) else {
                continue;
            };
            let method = method.to_uppercase().parse().unwrap();
            let path = path.replace(['{', '}'], "");
            routes.push((method, path, permission.to_owned()));
        }
    }
    routes
}

#[tokio::test]
async fn each_role_reaches_the_routes_that_the_page_lists() {
    let callers = ROLES.map(|role| Caller::new(&[role, role]));
    let lines: String = callers.iter().map(|caller| caller.line.as_str()).collect();
    let (_folder, file) = keys_file(&format!("# callers\n\n{lines}"));
    let server = server(&file);
    let (documented, routes) = (documented(), routes());
    let all = floret::Permission::ALL.iter().map(ToString::to_string);
    assert!(
        documented
            .keys()
            .cloned()
            .eq(all.collect::<std::collections::BTreeSet<_>>())
    );
    assert!(routes.len() > 30, "{}", routes.len());
    for (method, path, permission) in routes {
        for (caller, is_allowed) in callers.iter().zip(documented[&permission]) {
            let [(_, value)] = &caller.headers()[..] else {
                unreachable!()
            };
            // A stream has no end.
            let status = if path == "/events" && method == Method::GET {
                let opened = server.api.open(&path, ("authorization", value.clone()));
                opened.await.unwrap().status()
            } else {
                let (api, headers) = (&server.api, caller.headers());
                api.exchange(method.clone(), &path, &headers, String::new())
                    .await
                    .0
            };
            let line = format!("{} {method} {path}: {status}", caller.line);
            assert_ne!(status, 401, "{line}");
            assert_eq!(status != 403, is_allowed, "{line}");
        }
    }
}

#[tokio::test]
async fn a_caller_has_its_name_and_its_tenant() {
    let host = Caller::new(&["host", "admin"]);
    let acme = Caller::new(&["robot", "editor", "--tenant", "acme"]);
    let (_folder, file) = keys_file(&format!("{}{}", host.line, acme.line));
    let server = Standalone::start(&[
        "--memory",
        "--allow-commands",
        "--api-keys",
        file.to_str().unwrap(),
        "--api-key",
        "the-one-key-of-all",
    ]);
    let node = json!({"id": "a", "type": "command", "config": {"command": ["true"]}});
    for (caller, name) in [(&acme, "theirs"), (&host, "ours")] {
        let definition = json!({"name": name, "id": name, "nodes": [node]});
        let saved = caller.send(&server.api, Method::POST, "/pipelines", &definition);
        assert_eq!(saved.await["id"], name);
    }
    assert_eq!(acme.status(&server.api, "/pipelines/ours").await, 404);
    assert_eq!(acme.status(&server.api, "/pipelines/theirs").await, 200);
    assert_eq!(
        host.status(&server.api, "/pipelines/theirs?tenant=acme")
            .await,
        200
    );
    let path = "/pipelines/theirs/run?wait=30";
    let run = acme.send(&server.api, Method::POST, path, &json!({})).await;
    assert_eq!(run["created_by"], "robot", "{run}");
    let one = Caller {
        key: "the-one-key-of-all".to_owned(),
        line: String::new(),
    };
    assert_eq!(one.status(&server.api, "/pipelines/ours").await, 200);
    let other = Caller {
        key: host.key.to_uppercase(),
        line: String::new(),
    };
    assert_eq!(other.status(&server.api, "/pipelines/ours").await, 401);
    // The hash in the file is no key.
    let hash = host.line.split_whitespace().last().unwrap().to_owned();
    let hash = Caller {
        key: hash,
        line: String::new(),
    };
    assert_eq!(hash.status(&server.api, "/pipelines/ours").await, 401);
}

/// Starts the server with a file of keys that it refuses, and returns the message.
fn refusal(text: &str) -> String {
    let (_folder, file) = keys_file(text);
    let mut server = command(&["--memory", "--listen", "127.0.0.1:0", "--api-keys"]);
    let output = server.arg(&file).output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert_eq!(message.lines().count(), 1, "{message}");
    message
}

#[test]
fn every_faulty_line_is_named_without_its_text() {
    let hash = "ab".repeat(32);
    let good = format!("a viewer - {hash}");
    for (line, expected) in [
        ("canary", "this one has 1 fields"),
        (&format!("{good} canary"), "this one has 5 fields"),
        (&format!("a canary - {hash}"), "the role is none of"),
        (&format!("a viewer can/ary {hash}"), "the tenant is neither"),
        ("a viewer - canary", "not 64 hex digits"),
        (
            &format!("a viewer - {}", "+a".repeat(32)),
            "not 64 hex digits",
        ),
        (
            &format!("a viewer - {}", "é".repeat(32)),
            "not 64 hex digits",
        ),
        (
            &format!("b admin - {}", hash.to_uppercase()),
            "an earlier line has the same key",
        ),
        (
            &format!("{} viewer - {hash}", "n".repeat(256)),
            "a name has 1 to 255 bytes",
        ),
    ] {
        let message = refusal(&format!("# keys\n\n{good}\n{line}\n"));
        assert!(
            message.contains("line 4: ") && message.contains(expected),
            "{message}"
        );
        assert!(
            !message.contains("canary") && !message.contains(&hash),
            "{message}"
        );
    }
    let message = refusal("x\n".repeat(30).as_str());
    for number in [1, 2, 20] {
        assert!(message.contains(&format!("line {number}: ")), "{message}");
    }
    assert!(message.contains("and 10 more faulty lines"), "{message}");
    let missing = [
        "--memory",
        "--listen",
        "127.0.0.1:0",
        "--api-keys",
        "/nowhere/keys",
    ];
    let output = command(&missing).output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("/nowhere/keys"), "{message}");
}

#[test]
fn a_key_needs_a_name_that_is_one_word_and_a_known_role() {
    for (arguments, expected) in [
        (&["a b", "viewer"][..], "no blanks"),
        (&["", "viewer"], "1 to 255 bytes"),
        (&["#a", "viewer"], "no # at its beginning"),
        (
            &["a", "root"],
            "possible values: viewer, operator, editor, admin",
        ),
        (&["a", "viewer", "--tenant", "-"], "--tenant"),
    ] {
        let arguments = [&["key"], arguments].concat();
        let output = command(&arguments).output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains(expected), "{message}");
        assert!(output.stdout.is_empty());
    }
}

#[cfg(unix)]
mod reload {
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::harness::with_timeout;
    use crate::sse;

    fn hang_up(process: u32) {
        let kill = Command::new("kill")
            .args(["-HUP", &process.to_string()])
            .status();
        assert!(kill.unwrap().success());
    }

    /// Asks until the answer has this status.
    async fn until(caller: &Caller, api: &Api, status: u16) {
        let asking = async { while caller.status(api, "/runs").await != status {} };
        with_timeout("the reload", asking).await;
    }

    #[tokio::test]
    async fn a_key_comes_and_goes_while_the_other_is_used() {
        let (stays, goes) = (Caller::new(&["a", "viewer"]), Caller::new(&["b", "viewer"]));
        let both = format!("{}{}", stays.line, goes.line);
        let (_folder, file) = keys_file(&stays.line);
        let server = server(&file);
        let is_done = AtomicBool::new(false);
        let using = async {
            let mut count = 0;
            while !is_done.load(Ordering::Relaxed) {
                assert_eq!(stays.status(&server.api, "/runs").await, 200);
                count += 1;
            }
            count
        };
        let changing = async {
            for _ in 0..20 {
                std::fs::write(&file, &both).unwrap();
                hang_up(server.process_id());
                until(&goes, &server.api, 200).await;
                std::fs::write(&file, &stays.line).unwrap();
                hang_up(server.process_id());
                until(&goes, &server.api, 401).await;
                assert_eq!(goes.status(&server.api, "/runs").await, 401);
            }
            is_done.store(true, Ordering::Relaxed);
        };
        let (count, ()) = tokio::join!(using, changing);
        assert!(count > 20, "{count}");
    }

    #[tokio::test]
    async fn a_removed_key_loses_its_stream_and_an_added_one_closes_none() {
        let (stays, goes) = (Caller::new(&["a", "viewer"]), Caller::new(&["b", "viewer"]));
        let added = Caller::new(&["c", "viewer"]);
        let both = format!("{}{}", stays.line, goes.line);
        let (_folder, file) = keys_file(&both);
        let server = server(&file);
        let stream = async |caller: &Caller| {
            let value = format!("Bearer {}", caller.key);
            let opened = server.api.open("/events?since=0", ("authorization", value));
            sse::Client::new(opened.await.unwrap())
        };
        let mut streams = [stream(&stays).await, stream(&goes).await];
        for stream in &mut streams {
            assert_eq!(stream.block().await, Some(None));
        }
        std::fs::write(&file, format!("{both}{}", added.line)).unwrap();
        hang_up(server.process_id());
        until(&added, &server.api, 200).await;
        for stream in &mut streams {
            let next = futures_util::FutureExt::now_or_never(stream.block());
            assert!(next.is_none(), "the stream is open: {next:?}");
        }
        // A key that may do less than before is one that was removed, and one that was added.
        let less = both.replace("b viewer -", "b viewer acme");
        std::fs::write(&file, less).unwrap();
        hang_up(server.process_id());
        for stream in &mut streams {
            let ended = with_timeout("the stream", stream.block()).await;
            assert_eq!(ended, None);
        }
        // The client whose key is still good connects again.
        assert_eq!(stream(&stays).await.block().await, Some(None));
    }

    /// A server whose log can be read. Dropping it kills the process.
    struct Logged(Child);

    impl Drop for Logged {
        fn drop(&mut self) {
            drop(self.0.kill());
            drop(self.0.wait());
        }
    }

    #[test]
    fn after_a_faulty_line_the_earlier_keys_are_in_force() {
        let caller = Caller::new(&["a", "viewer"]);
        let (_folder, file) = keys_file(&caller.line);
        let mut server = command(&["--memory", "--listen", "127.0.0.1:0", "--api-keys"]);
        server.arg(&file).env("RUST_LOG", "info");
        server.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut server = Logged(server.spawn().unwrap());
        let mut line = String::new();
        let mut stdout = BufReader::new(server.0.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let address = line
            .trim_end()
            .strip_prefix("listening on http://")
            .unwrap();
        std::fs::write(&file, format!("{}b viewer\n", caller.line)).unwrap();
        hang_up(server.0.id());
        let log = BufReader::new(server.0.stderr.take().unwrap());
        let mut lines = log.lines().map(Result::unwrap);
        let error = lines.find(|line| line.contains("ERROR")).unwrap();
        assert!(
            error.contains("line 2: a line is NAME ROLE TENANT HASH"),
            "{error}"
        );
        assert!(error.contains("the earlier ones are in force"), "{error}");
        let answer = ask(address, &caller.key);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        std::fs::write(&file, &caller.line).unwrap();
        hang_up(server.0.id());
        let read = lines.find(|line| line.contains("the keys were read again"));
        assert!(read.unwrap().contains("INFO"));
    }

    fn ask(address: &str, key: &str) -> String {
        use std::io::{Read, Write};

        let mut socket = std::net::TcpStream::connect(address).unwrap();
        let head = format!("Host: a\r\nConnection: close\r\nAuthorization: Bearer {key}");
        write!(socket, "GET /api/runs HTTP/1.1\r\n{head}\r\n\r\n").unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    }
}

/// A webhook has a token of its own, in place of the key of a caller.
#[tokio::test]
async fn a_webhook_needs_its_token_and_no_key() {
    let editor = Caller::new(&["ann", "editor", "--tenant", "acme"]);
    let (_folder, file) = keys_file(&editor.line);
    let keys = file.to_str().unwrap();
    let server = Standalone::start(&["--memory", "--allow-commands", "--api-keys", keys]);
    let node = json!({"id": "a", "type": "command", "config": {"command": ["true"]}});
    let hook = json!({"id": "hook", "name": "Hook", "nodes": [node], "webhook_token": ""});
    let saved = editor.send(&server.api, Method::POST, "/pipelines", &hook);
    let token = saved.await["webhook_token"].as_str().unwrap().to_owned();
    let knock = async |headers: Vec<(String, String)>| {
        let path = "/pipelines/hook/webhook";
        let sent = server
            .api
            .exchange(Method::POST, path, &headers, String::new());
        sent.await.0
    };
    let header = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    assert_eq!(knock(header("x-floret-token", &token)).await, 202);
    assert_eq!(
        knock(header("authorization", &format!("Bearer {token}"))).await,
        202
    );
    assert_eq!(
        knock(header("x-floret-token", "another-token-0123")).await,
        401
    );
    assert_eq!(knock(editor.headers()).await, 401);
    assert_eq!(knock(Vec::new()).await, 401);
    let with_token = header("authorization", &format!("Bearer {token}"));
    let listed = server
        .api
        .exchange(Method::GET, "/runs", &with_token, String::new());
    assert_eq!(listed.await.0, 401, "a token opens nothing else");
}
