//! An example that serves, as a process: started on a free port, asked over real sockets, ended as
//! its user would.
//!
//! What is expected of it stands in the tests.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::examples::example;

pub(crate) type Events = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

/// A running example; killed when dropped.
pub(crate) struct Hosted {
    child: Child,
    address: String,
}

/// An answer as text.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Hosted {
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
            panic!("it said {line:?}");
        };
        Self { child, address }
    }

    /// A connection on which nothing was said yet.
    pub(crate) fn connect(&self) -> TcpStream {
        let socket = TcpStream::connect(&self.address).unwrap();
        // A server that is silent for so long hangs.
        let bound = Some(Duration::from_secs(60));
        socket.set_read_timeout(bound).unwrap();
        socket
    }

    /// Asks without a body; `headers` end with a line break each.
    pub(crate) fn ask(&self, method_and_path: &str, headers: &str) -> Answer {
        self.send(method_and_path, headers, "")
    }

    pub(crate) fn send(&self, method_and_path: &str, headers: &str, body: &str) -> Answer {
        let mut socket = self.connect();
        let length = body.len();
        let request = format!(
            "{method_and_path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        );
        socket.write_all(request.as_bytes()).unwrap();
        Answer::read(&mut socket)
    }

    /// Starts a run of a pipeline by its address, waits for its end and answers the run's address.
    pub(crate) fn run(&self, pipeline: &str, headers: &str) -> String {
        let started = self.ask(&format!("POST {pipeline}/run"), headers);
        assert_eq!(started.status, 202, "{started:?}");
        let location = started.header("location").to_owned();
        self.finish(&location, headers);
        location
    }

    /// Waits for the end of a run.
    pub(crate) fn finish(&self, location: &str, headers: &str) {
        loop {
            let run = self.ask(&format!("GET {location}"), headers);
            assert_eq!(run.status, 200, "{run:?}");
            if run.body.contains(r#""status":"success","trigger""#) {
                return;
            }
            assert!(!run.body.contains(r#""status":"failed""#), "{run:?}");
        }
    }

    /// A stream of all events, in whose opening `token` stands for the user.
    pub(crate) async fn events(&self, api: &str, token: &str) -> Events {
        let url = format!("ws://{}{api}/ws?since=0", self.address);
        let mut request = url.into_client_request().unwrap();
        let value = format!("Bearer {token}").parse().unwrap();
        request.headers_mut().insert("authorization", value);
        connect_async(request).await.unwrap().0
    }

    /// Asks it to end, as soon as it listens to signals, and waits until it has.
    #[cfg(target_os = "linux")]
    pub(crate) fn interrupt(&mut self) {
        const INTERRUPT: u64 = 1 << 1;
        let pid = self.child.id().to_string();
        let is_caught = || {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
            let mut lines = status.lines();
            let mask = lines.find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
            u64::from_str_radix(mask.trim(), 16).unwrap() & INTERRUPT != 0
        };
        while !is_caught() {
            std::thread::yield_now();
        }
        let told = Command::new("kill").args(["-INT", &pid]).status();
        assert!(told.unwrap().success());
        assert!(self.child.wait().unwrap().success());
    }

    /// What it has said on standard error, once it is gone.
    pub(crate) fn kill(mut self) -> String {
        self.child.kill().unwrap();
        let mut told = String::new();
        let stderr = self.child.stderr.take();
        stderr.unwrap().read_to_string(&mut told).unwrap();
        told
    }
}

impl Drop for Hosted {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Answer {
    /// Reads until the server closes the connection.
    pub(crate) fn read(socket: &mut TcpStream) -> Self {
        let mut bytes = Vec::new();
        socket.read_to_end(&mut bytes).unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        Self {
            status: status.unwrap_or_else(|| panic!("it answered {text:?}")),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let own = lines.find(|(own, _)| own.eq_ignore_ascii_case(name));
        own.map_or("", |(_, value)| value)
    }
}
