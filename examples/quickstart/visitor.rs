//! A client of the Runs API that prints the responses, and the events as they arrive.

use std::net::SocketAddr;

use floret::{Event, EventKind, Subscription};
use http::{Method, Request};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use crate::Result;

/// Sends requests over HTTP. Follows runs on the event stream, which a host has in its own process.
pub(crate) struct Visitor {
    api: String,
    client: Client<HttpConnector, Empty<Bytes>>,
    events: Subscription,
}

impl Visitor {
    pub(crate) fn new(address: SocketAddr, events: Subscription) -> Self {
        Self {
            api: format!("http://{address}/api"),
            client: Client::builder(TokioExecutor::new()).build_http(),
            events,
        }
    }

    /// Triggers a run, follows it until it has finished, and prints it with its nodes. Returns its
    /// id.
    pub(crate) async fn start(&mut self, path: &str) -> Result<String> {
        let started: Value = serde_json::from_str(&self.ask(Method::POST, path).await?)?;
        let id = started["id"].as_str().ok_or("the answer names no run")?;
        println!("  POST {path} answers {started}");
        println!("  its events, as they arrive:");
        while let Some(event) = self.events.next().await.transpose()? {
            if event.run_id.to_string() != id {
                continue;
            }
            show_event(&event)?;
            if event.kind.is_terminal() {
                break;
            }
        }
        let run = self.get(&format!("/runs/{id}")).await?;
        println!("  the run is {}, its nodes:", text(&run["status"]));
        for node in items(&run["node_runs"]) {
            show_node(node);
        }
        Ok(id.to_owned())
    }

    pub(crate) async fn show_preview(&mut self, run: &str, node: &str) -> Result<()> {
        let preview = self
            .get(&format!("/runs/{run}/nodes/{node}/preview"))
            .await?;
        for row in items(&preview["rows"]) {
            println!("  {row}");
        }
        Ok(())
    }

    pub(crate) async fn show_log(&mut self, run: &str) -> Result<()> {
        let log = self
            .ask(Method::GET, &format!("/runs/{run}/logs/export"))
            .await?;
        for line in log.lines() {
            println!("  {line}");
        }
        Ok(())
    }

    async fn get(&mut self, path: &str) -> Result<Value> {
        Ok(serde_json::from_str(&self.ask(Method::GET, path).await?)?)
    }

    async fn ask(&mut self, method: Method, path: &str) -> Result<String> {
        let uri = format!("{}{path}", self.api);
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .body(Empty::new())?;
        let answer = self.client.request(request).await?;
        let is_success = answer.status().is_success();
        let body = answer.into_body().collect().await?.to_bytes();
        let body = String::from_utf8(body.to_vec())?;
        if is_success {
            Ok(body)
        } else {
            Err(body.into())
        }
    }
}

/// Prints an event of the run or of a node. The log is shown on its own.
fn show_event(event: &Event) -> Result<()> {
    if event.kind != EventKind::Log {
        let kind = serde_json::to_value(event.kind)?;
        let node = event.node_id.as_ref().map(ToString::to_string);
        let line = format!("    {:<16}{}", text(&kind), node.unwrap_or_default());
        println!("{}", line.trim_end());
    }
    Ok(())
}

fn show_node(node: &Value) {
    print!(
        "    {:<10}{}",
        text(&node["node_id"]),
        text(&node["status"])
    );
    if let Some(rows) = node["row_count"].as_u64() {
        print!(", {rows} rows");
    }
    if let Some(run) = node["reused_from"].as_str() {
        print!(" reused from run {run}");
    }
    if let Some(error) = node["error"].as_str() {
        print!(": {error}");
    }
    println!();
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
