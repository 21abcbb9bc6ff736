//! An example host as a process: starts it on a free port, calls it over real sockets, and stops it
//! as a user would.
//!
//! `examples_hosts` asserts how each example behaves.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::built_examples::example;
use crate::sse;

pub(crate) type Events = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

/// A running example host. Dropping it kills the process.
pub(crate) struct ExampleHost {
    child: Child,
    address: String,
}

/// An HTTP response as text.
#[derive(Debug)]
pub(crate) struct RawResponse {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl ExampleHost {
    pub(crate) fn start(name: &str) -> Self {
        let mut command = Command::new(example(name));
        Self::start_with(command.arg("127.0.0.1:0").env("RUST_LOG", "off"))
    }

    pub(crate) fn start_with(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("listening on http://");
        let Some(address) = address.map(str::to_owned) else {
            drop(child.kill());
            panic!("the example printed {line:?}");
        };
        Self { child, address }
    }

    /// Opens a connection and sends nothing on it.
    pub(crate) fn connect(&self) -> TcpStream {
        let socket = TcpStream::connect(&self.address).unwrap();
        // A server that has sent nothing for a minute is stuck.
        let timeout = Some(Duration::from_secs(60));
        socket.set_read_timeout(timeout).unwrap();
        socket
    }

    /// Sends a request without a body. Each header in `headers` ends with CRLF.
    pub(crate) fn ask(&self, method_and_path: &str, headers: &str) -> RawResponse {
        self.send(method_and_path, headers, "")
    }

    pub(crate) fn send(&self, method_and_path: &str, headers: &str, body: &str) -> RawResponse {
        let mut socket = self.connect();
        let length = body.len();
        let request = format!(
            "{method_and_path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        );
        socket.write_all(request.as_bytes()).unwrap();
        RawResponse::read(&mut socket)
    }

    /// Starts a run of the pipeline at this path, waits until it succeeds and returns its path.
    pub(crate) fn run(&self, pipeline: &str, headers: &str) -> String {
        let started = self.ask(&format!("POST {pipeline}/run"), headers);
        assert_eq!(started.status, 202, "{started:?}");
        let location = started.header("location").to_owned();
        self.wait_for_success(&location, headers);
        location
    }

    /// Waits until a run succeeds. Panics if it fails.
    pub(crate) fn wait_for_success(&self, location: &str, headers: &str) {
        loop {
            let run = self.ask(&format!("GET {location}"), headers);
            assert_eq!(run.status, 200, "{run:?}");
            if run.body.contains(r#""status":"success","trigger""#) {
                return;
            }
            assert!(!run.body.contains(r#""status":"failed""#), "{run:?}");
        }
    }

    /// Opens a WebSocket with this bearer token and streams all events from the first one.
    pub(crate) async fn events(&self, api: &str, token: &str) -> Events {
        let url = format!("ws://{}{api}/ws?since=0", self.address);
        let mut request = url.into_client_request().unwrap();
        let value = format!("Bearer {token}").parse().unwrap();
        request.headers_mut().insert("authorization", value);
        connect_async(request).await.unwrap().0
    }

    /// Opens a stream of server-sent events with this bearer token, from the first event on.
    pub(crate) async fn server_sent_events(&self, api: &str, token: &str) -> sse::Client<Incoming> {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let request = http::Request::get(format!("http://{}{api}/events?since=0", self.address))
            .header("authorization", format!("Bearer {token}"))
            .header("accept-encoding", "gzip")
            .body(Empty::<Bytes>::new());
        sse::Client::new(client.request(request.unwrap()).await.unwrap())
    }

    /// Sends SIGINT once the process has a handler for it, and waits until the process exits with
    /// success.
    #[cfg(target_os = "linux")]
    pub(crate) fn interrupt(&mut self) {
        const SIGINT_BIT: u64 = 1 << 1;
        let pid = self.child.id().to_string();
        let is_caught = || {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
            let mut lines = status.lines();
            let mask = lines.find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
            u64::from_str_radix(mask.trim(), 16).unwrap() & SIGINT_BIT != 0
        };
        while !is_caught() {
            std::thread::yield_now();
        }
        let status = Command::new("kill").args(["-INT", &pid]).status();
        assert!(status.unwrap().success());
        assert!(self.child.wait().unwrap().success());
    }

    /// Kills the process and returns its standard error, which must be piped.
    pub(crate) fn kill(mut self) -> String {
        self.child.kill().unwrap();
        let mut output = String::new();
        let stderr = self.child.stderr.take();
        stderr.unwrap().read_to_string(&mut output).unwrap();
        output
    }
}

impl Drop for ExampleHost {
    fn drop(&mut self) {
        // The process may have exited already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl RawResponse {
    /// Reads a response until the server closes the connection.
    pub(crate) fn read(socket: &mut TcpStream) -> Self {
        let mut bytes = Vec::new();
        socket.read_to_end(&mut bytes).unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        Self {
            status: status.unwrap_or_else(|| panic!("the server sent {text:?}")),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let found = lines.find(|(header, _)| header.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }
}
