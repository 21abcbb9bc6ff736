//! The standalone example as a process: starts it, calls it over HTTP, and kills it.
//!
//! `crash`, `documents` and the files `standalone_…` assert how it behaves.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use bytes::Bytes;
use http::{Method, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite};

use crate::built_examples::example;
use crate::sse;

type WebSocket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A running standalone server, killed when dropped.
pub(crate) struct Standalone {
    child: Child,
    pub(crate) api: Api,
}

/// An HTTP client for one server. Clones share its connections.
#[derive(Clone)]
pub(crate) struct Api {
    base: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// The status and the JSON body of a response, or an error if the server is gone.
pub(crate) type ApiResult = Result<(StatusCode, Value), hyper_util::client::legacy::Error>;

impl Standalone {
    /// Starts the example on a free port and waits until it listens.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::spawn(arguments, &mut Command::new(executable()))
    }

    /// Starts the example by a shell script, which executes it as `"$0" "$@"`.
    #[cfg(target_os = "linux")]
    pub(crate) fn start_by(script: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new("sh");
        Self::spawn(arguments, command.arg("-c").arg(script).arg(executable()))
    }

    /// Returns the id of the process.
    #[cfg(unix)]
    pub(crate) fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Starts the example as another user, if one is given.
    #[cfg(unix)]
    pub(crate) fn start_as(arguments: &[&str], uid: Option<u32>) -> Self {
        let mut command = Command::new(executable());
        if let Some(uid) = uid {
            std::os::unix::process::CommandExt::uid(&mut command, uid);
        }
        Self::spawn(arguments, &mut command)
    }

    fn spawn(arguments: &[&str], command: &mut Command) -> Self {
        let mut child = remove_options(command)
            .args(["--listen", "127.0.0.1:0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .env("RUST_LOG", "off")
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line.trim().strip_prefix("listening on ");
        let Some(address) = address else {
            drop(child.kill());
            panic!("the standalone example printed {line:?}, expected `listening on http://…`");
        };
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self {
            api: Api {
                base: format!("{address}/api"),
                client,
            },
            child,
        }
    }

    /// Kills the process without a shutdown, and waits until it is gone.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Returns whether the process has exited.
    pub(crate) fn has_exited(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits until the process exits, and returns its exit status.
    pub(crate) fn wait(&mut self) -> std::process::ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Standalone {
    fn drop(&mut self) {
        // An error means that the process is already gone.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Returns a command that executes the example with these arguments alone: no variable of the
/// environment gives an option, nothing is logged, and nothing can be read from standard input.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(executable());
    remove_options(&mut command)
        .args(arguments)
        .env("RUST_LOG", "off")
        .stdin(Stdio::null());
    command
}

/// Removes the variables of the environment that give options.
fn remove_options(command: &mut Command) -> &mut Command {
    let names = std::env::vars_os().map(|(name, _)| name);
    for name in names.filter(|name| name.to_string_lossy().starts_with("FLORET_")) {
        command.env_remove(name);
    }
    command
}

fn executable() -> PathBuf {
    example("standalone")
}

async fn first_event(mut body: Incoming) -> Vec<u8> {
    let mut bytes = Vec::new();
    while !bytes.windows(6).any(|part| part == b"data: ") {
        let frame = body.frame().await.unwrap().unwrap();
        bytes.extend(frame.into_data().unwrap());
    }
    bytes
}

impl Api {
    /// Sends a request, with `body` as JSON unless it is null.
    ///
    /// A response body that is missing or not JSON becomes null.
    pub(crate) async fn send(&self, method: Method, path: &str, body: &Value) -> ApiResult {
        let mut request = http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base));
        let body = if body.is_null() {
            Bytes::new()
        } else {
            request = request.header("content-type", "application/json");
            Bytes::from(body.to_string())
        };
        let response = self
            .client
            .request(request.body(Full::new(body)).unwrap())
            .await?;
        let status = response.status();
        let bytes = match response.into_body().collect().await {
            Ok(body) => body.to_bytes(),
            // The server was killed after it sent the headers. The status is still valid.
            Err(_) => Bytes::new(),
        };
        Ok((
            status,
            serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        ))
    }

    /// Returns a client for what the server has beside the API.
    pub(crate) fn beside(&self) -> Self {
        let base = self.base.strip_suffix("/api").unwrap();
        Self {
            base: base.to_owned(),
            client: self.client.clone(),
        }
    }

    /// Sends a request with these headers and returns the body unparsed, of a stream up to its
    /// first event.
    pub(crate) async fn exchange(
        &self,
        method: Method,
        path: &str,
        headers: &[(String, String)],
        body: String,
    ) -> (StatusCode, String) {
        let mut request = http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::from(body)).unwrap();
        let response = self.client.request(request).await.unwrap();
        let status = response.status();
        let is_stream = sse::is_stream(response.headers());
        let body = response.into_body();
        let bytes = if is_stream {
            first_event(body).await
        } else {
            body.collect().await.unwrap().to_bytes().to_vec()
        };
        (status, String::from_utf8(bytes).unwrap())
    }

    /// Sends a GET request with a header and returns the response before its body.
    pub(crate) async fn open(
        &self,
        path: &str,
        (name, value): (&str, String),
    ) -> Result<http::Response<Incoming>, hyper_util::client::legacy::Error> {
        let request = http::Request::get(format!("{}{path}", self.base)).header(name, value);
        self.client
            .request(request.body(Full::default()).unwrap())
            .await
    }

    /// Opens a WebSocket.
    pub(crate) async fn websocket(&self, path: &str) -> Result<WebSocket, tungstenite::Error> {
        let url = format!("{}{path}", self.base.replacen("http", "ws", 1));
        connect_async(url).await.map(|(socket, _)| socket)
    }

    /// Returns the URL of the API, without a trailing slash.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    pub(crate) async fn get(&self, path: &str) -> ApiResult {
        self.send(Method::GET, path, &Value::Null).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> ApiResult {
        self.send(Method::POST, path, body).await
    }
}
