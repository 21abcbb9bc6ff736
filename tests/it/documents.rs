//! Sends every example of `docs/api.md` to the standalone server and compares the responses. Also
//! compares the table of problems with the crate.
//!
//! The `api_*` files test what the responses mean.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};

use floret::Problem;
use floret::testing::{routes, scratch};
use http::Method;
use serde_json::Value;

use crate::harness::with_timeout;
use crate::standalone::{Api, Standalone};
use crate::tidy::root;

/// The base URL of the examples on the page.
const BASE: &str = "http://127.0.0.1:8080/api";

/// A request on the page with the response that the page shows.
#[derive(Debug)]
struct Example {
    request: Curl,
    status: u16,
    /// The variable that takes the id of the response, and the state of the run to wait for.
    binds: Option<(String, Option<Until>)>,
    /// The body. `None` if it is not JSON.
    shown: Option<Value>,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    Running,
    Finished,
}

/// The parts of a curl command that the page uses.
#[derive(Debug, Clone)]
struct Curl {
    method: Method,
    url: String,
    headers: Vec<(String, String)>,
    body: String,
}

#[tokio::test]
async fn every_example_of_the_api_page_gets_the_response_it_shows() {
    let folder = scratch();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let penguins = root().join("examples/data/penguins.csv");
    std::fs::copy(penguins, data.join("penguins.csv")).unwrap();
    std::fs::create_dir(data.join("out")).unwrap();
    let key = folder.path().join("key");
    std::fs::write(&key, "07".repeat(32)).unwrap();
    let server = Standalone::start(&[
        "--memory",
        "--allow-commands",
        "--data-dir",
        data.to_str().unwrap(),
        "--pipelines",
        root().join("examples/pipelines").to_str().unwrap(),
        "--secret-key-file",
        key.to_str().unwrap(),
    ]);
    let mut bound = BTreeMap::new();
    let mut differences = Vec::new();
    for example in examples() {
        differences.extend(Box::pin(check(&server.api, &example, &mut bound)).await);
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn the_api_page_has_an_example_of_every_route() {
    let page = page();
    let sent: Vec<_> = examples()
        .into_iter()
        .map(|example| example.request)
        .collect();
    let missing: BTreeSet<_> = routes()
        .into_iter()
        .filter(|route| route.path != "/ws")
        .filter(|route| {
            !sent
                .iter()
                .any(|curl| curl.targets(&route.method, route.path))
        })
        .map(|route| format!("{} {}", route.method, route.path))
        .collect();
    assert_eq!(missing, BTreeSet::new());
    assert!(page.contains("wscat -c \"ws://127.0.0.1:8080/api/ws"));
}

#[test]
fn the_api_page_lists_every_problem_once() {
    let page = page();
    let (_, section) = page.split_once("\n## Problems\n").unwrap();
    let rows = section.lines().filter_map(|line| {
        let mut cells = line.split('|').map(str::trim).skip(1);
        let status = cells.next()?.parse::<u16>().ok()?;
        let slug = cells.next()?.trim_matches('`');
        Some((status, slug))
    });
    let mut shown: Vec<_> = rows.collect();
    let on_wire = Problem::ALL
        .iter()
        .filter(|problem| problem.on_wire() == **problem);
    let mut expected: Vec<_> = on_wire
        .map(|problem| (problem.status(), problem.slug()))
        .collect();
    shown.sort_unstable();
    expected.sort_unstable();
    assert_eq!(shown, expected, "left: docs/api.md, right: the crate");
}

fn page() -> String {
    std::fs::read_to_string(root().join("docs/api.md")).unwrap()
}

/// Reads each block that starts with `curl`, and the response block after it.
fn examples() -> Vec<Example> {
    let page = page();
    let mut blocks = blocks(&page).into_iter().peekable();
    let mut examples = Vec::new();
    while let Some((_, text)) = blocks.next() {
        if text.starts_with("curl ") {
            let response = blocks.next();
            let (info, shown) = response.unwrap_or_else(|| panic!("no response after {text}"));
            examples.push(Example::read(&text, &info, &shown));
        }
    }
    examples
}

/// Returns the info string and the text of every fenced block.
fn blocks(page: &str) -> Vec<(String, String)> {
    let mut parts = page.split("\n```");
    parts.next();
    let mut blocks = Vec::new();
    while let Some(block) = parts.next() {
        let (info, text) = block.split_once('\n').unwrap_or((block, ""));
        blocks.push((info.to_owned(), text.to_owned()));
        parts.next();
    }
    blocks
}

impl Example {
    fn read(curl: &str, info: &str, text: &str) -> Self {
        let words: Vec<_> = info.split(' ').collect();
        let is_json = words[0] == "json";
        let shown = is_json.then(|| {
            serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"))
        });
        let until = words.get(3).map(|word| match *word {
            "running" => Until::Running,
            "finished" => Until::Finished,
            other => panic!("cannot wait for {other}"),
        });
        Self {
            request: Curl::read(curl),
            status: words[1].parse().unwrap(),
            binds: words.get(2).map(|name| ((*name).to_owned(), until)),
            shown,
            text: text.to_owned(),
        }
    }
}

impl Curl {
    fn read(command: &str) -> Self {
        let mut words = words(command).into_iter().skip(1);
        let mut curl = Self {
            method: Method::GET,
            url: String::new(),
            headers: Vec::new(),
            body: String::new(),
        };
        while let Some(word) = words.next() {
            match word.as_str() {
                "-X" => curl.method = words.next().unwrap().parse().unwrap(),
                "-d" => curl.body = words.next().unwrap(),
                "-H" => {
                    let header = words.next().unwrap();
                    let (name, value) = header.split_once(": ").unwrap();
                    curl.headers.push((name.to_owned(), value.to_owned()));
                }
                url => {
                    assert!(url.starts_with(BASE), "{url} in {command}");
                    url.clone_into(&mut curl.url);
                }
            }
        }
        curl
    }

    /// Returns whether the request targets this route.
    fn targets(&self, method: &Method, template: &str) -> bool {
        let path = self.url.trim_start_matches(BASE);
        let path = path.split('?').next().unwrap_or_default();
        let (actual, expected) = (path.split('/'), template.split('/'));
        self.method == method
            && actual.clone().count() == expected.clone().count()
            && actual.zip(expected).all(|(actual, expected)| {
                actual == expected || (expected.starts_with('{') && !actual.is_empty())
            })
    }
}

/// Splits a command like a shell: at blanks, with quotes and line continuations.
fn words(command: &str) -> Vec<String> {
    let command = command.replace("\\\n", " ");
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for character in command.chars() {
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (None, '"' | '\'') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, ' ' | '\n') => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    words
}

/// Sends one example. Returns a message if the response differs from the page.
async fn check(
    api: &Api,
    example: &Example,
    bound: &mut BTreeMap<String, String>,
) -> Option<String> {
    let mut request = example.request.clone();
    for (name, id) in bound.iter() {
        request.url = request.url.replace(&format!("${name}"), id);
    }
    let path = request.url.trim_start_matches(BASE).to_owned();
    let (status, body) = api
        .exchange(
            request.method.clone(),
            &path,
            &request.headers,
            request.body.clone(),
        )
        .await;
    let exchange = format!("{} {path}: {status} {body}", request.method);
    if status.as_u16() != example.status {
        return Some(exchange);
    }
    let mut message = None;
    match &example.shown {
        Some(shown) => {
            let actual: Value = serde_json::from_str(&body).unwrap();
            message = difference(shown, &actual, "")
                .map(|difference| format!("{difference} in {exchange}"));
            bind(api, example, &actual, bound).await;
        }
        None if !is_like(&example.text, &body) => {
            message = Some(format!("the page shows {:?}, not {exchange}", example.text));
        }
        None => {}
    }
    check_with_curl(api, &request, example);
    message
}

/// Returns whether curl would wait for the end of a response that has none.
fn is_endless(request: &Curl) -> bool {
    request.targets(&Method::GET, "/events")
}

/// Repeats a `GET` with curl itself, if the machine has it.
fn check_with_curl(api: &Api, request: &Curl, example: &Example) {
    if request.method != Method::GET || is_endless(request) {
        return;
    }
    let url = request.url.replace(BASE, api.base());
    let sent = Command::new("curl")
        .args(["-s", "-o", "/dev/null", "-w", "%{http_code}", &url])
        .stderr(Stdio::null())
        .output();
    if let Ok(sent) = sent {
        let status = String::from_utf8_lossy(&sent.stdout).into_owned();
        assert_eq!(status, example.status.to_string(), "curl {url}");
    }
}

async fn bind(api: &Api, example: &Example, actual: &Value, bound: &mut BTreeMap<String, String>) {
    let Some((name, until)) = &example.binds else {
        return;
    };
    let id = actual["id"].as_str().or(actual[0]["id"].as_str());
    let id = id.unwrap().to_owned();
    if let Some(until) = *until {
        let what = format!("{name} {until:?}");
        with_timeout(&what, reached(api, &id, until)).await;
    }
    bound.insert(name.clone(), id);
}

/// Asks until the run has reached this state.
async fn reached(api: &Api, run: &str, until: Until) {
    let path = match until {
        Until::Running => format!("/runs/{run}"),
        Until::Finished => format!("/runs/{run}?wait=30"),
    };
    loop {
        let (_, run) = api.get(&path).await.unwrap();
        let is_reached = match until {
            Until::Running => run["node_runs"][0]["status"] == "running",
            Until::Finished => !matches!(run["status"].as_str(), Some("pending" | "running")),
        };
        if is_reached {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// Returns whether a text starts as the page shows it, where `…` matches any text. If the page
/// shows an empty text, the other must be empty too.
fn is_like(shown: &str, actual: &str) -> bool {
    let shown = shown.trim();
    if shown.is_empty() {
        return actual.is_empty();
    }
    let mut parts = shown.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = actual.strip_prefix(first) else {
        return false;
    };
    parts.all(|part| match rest.split_once(part) {
        Some((_, after)) => {
            rest = after;
            true
        }
        None => false,
    })
}

/// Describes the first difference between a response and the page: other members, another type, or
/// another text where the page has no `…`.
fn difference(shown: &Value, actual: &Value, at: &str) -> Option<String> {
    match (shown, actual) {
        // The page shows `{}` for an object of any shape.
        (Value::Object(shown), Value::Object(_)) if shown.is_empty() => None,
        (Value::Object(shown), Value::Object(actual)) => {
            let (a, b): (BTreeSet<_>, BTreeSet<_>) =
                (shown.keys().collect(), actual.keys().collect());
            if a != b {
                return Some(format!("{at} has the members {b:?}, the page shows {a:?}"));
            }
            shown
                .iter()
                .find_map(|(key, value)| difference(value, &actual[key], &format!("{at}/{key}")))
        }
        (Value::Array(shown), Value::Array(actual)) => match (shown.first(), actual.first()) {
            (Some(shown), Some(actual)) => difference(shown, actual, &format!("{at}/0")),
            (Some(_), None) => Some(format!("{at} is empty")),
            (None, _) => None,
        },
        (Value::String(shown), Value::String(_)) if shown.contains('…') => None,
        (Value::String(shown), Value::String(actual)) => {
            (shown != actual).then(|| format!("{at} is {actual:?}, the page shows {shown:?}"))
        }
        (Value::Number(_), Value::Number(_))
        | (Value::Bool(_), Value::Bool(_))
        | (Value::Null, Value::Null) => None,
        (shown, actual) => Some(format!("{at} is {actual}, the page shows {shown}")),
    }
}
