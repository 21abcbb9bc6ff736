//! Sends every example of `docs/api.md` to the standalone server and compares the answers with it.
//! Compares its table of problems with the crate's.
//!
//! What the answers mean is left to the tests of the routes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};

use floret::Problem;
use floret::testing::{routes, scratch};
use http::Method;
use serde_json::Value;

use crate::harness::with_timeout;
use crate::standalone::{Api, Standalone};

/// Where the page's examples ask.
const BASE: &str = "http://127.0.0.1:8080/api";

/// A request of the page with the answer that it shows.
#[derive(Debug)]
struct Example {
    request: Curl,
    status: u16,
    /// The variable that takes the answer's id, and where the run is waited for.
    binds: Option<(String, Option<Until>)>,
    /// The body; none where it is no JSON.
    shown: Option<Value>,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    Running,
    Ended,
}

/// What of curl's options the page uses.
#[derive(Debug, Clone)]
struct Curl {
    method: Method,
    url: String,
    headers: Vec<(String, String)>,
    body: String,
}

#[tokio::test]
async fn every_example_of_the_api_page_is_answered_as_it_shows() {
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
    let mut told = Vec::new();
    for example in examples() {
        told.extend(Box::pin(play(&server.api, &example, &mut bound)).await);
    }
    assert!(told.is_empty(), "{}", told.join("\n"));
}

#[test]
fn the_api_page_has_an_example_of_every_route() {
    let page = page();
    let asked: Vec<_> = examples()
        .into_iter()
        .map(|example| example.request)
        .collect();
    let missing: BTreeSet<_> = routes()
        .into_iter()
        .filter(|route| route.path != "/ws")
        .filter(|route| {
            !asked
                .iter()
                .any(|curl| curl.asks(&route.method, route.path))
        })
        .map(|route| format!("{} {}", route.method, route.path))
        .collect();
    assert_eq!(missing, BTreeSet::new());
    assert!(page.contains("wscat -c \"ws://127.0.0.1:8080/api/ws"));
}

#[test]
fn the_api_page_has_every_problem_of_the_wire_once() {
    let page = page();
    let (_, section) = page.split_once("\n## Problems\n").unwrap();
    let rows = section.lines().filter_map(|line| {
        let mut cells = line.split('|').map(str::trim).skip(1);
        let status = cells.next()?.parse::<u16>().ok()?;
        let slug = cells.next()?.trim_matches('`');
        Some((status, slug))
    });
    let mut shown: Vec<_> = rows.collect();
    let on_wire = Problem::ALL.iter().filter(|own| own.on_wire() == **own);
    let mut known: Vec<_> = on_wire.map(|own| (own.status(), own.slug())).collect();
    shown.sort_unstable();
    known.sort_unstable();
    assert_eq!(shown, known, "left: docs/api.md, right: the table");
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn page() -> String {
    std::fs::read_to_string(root().join("docs/api.md")).unwrap()
}

/// Each block that begins with `curl`, with the block after it.
fn examples() -> Vec<Example> {
    let page = page();
    let mut blocks = blocks(&page).into_iter().peekable();
    let mut found = Vec::new();
    while let Some((_, text)) = blocks.next() {
        if text.starts_with("curl ") {
            let answer = blocks.next();
            let (info, shown) = answer.unwrap_or_else(|| panic!("no answer after {text}"));
            found.push(Example::read(&text, &info, &shown));
        }
    }
    found
}

/// Every fenced block: what stands behind the fence, and its text.
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
            "ended" => Until::Ended,
            other => panic!("{other} is nothing to wait for"),
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

    /// Whether it asks this route.
    fn asks(&self, method: &Method, template: &str) -> bool {
        let path = self.url.trim_start_matches(BASE);
        let path = path.split('?').next().unwrap_or_default();
        let (own, wanted) = (path.split('/'), template.split('/'));
        self.method == method
            && own.clone().count() == wanted.clone().count()
            && own
                .zip(wanted)
                .all(|(own, wanted)| own == wanted || (wanted.starts_with('{') && !own.is_empty()))
    }
}

/// Splits a command as a shell does: blanks, quotes, a backslash at the end of a line.
fn words(command: &str) -> Vec<String> {
    let command = command.replace("\\\n", " ");
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for letter in command.chars() {
        match (quote, letter) {
            (Some(open), _) if open == letter => quote = None,
            (None, '"' | '\'') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, ' ' | '\n') => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

/// Sends one example and answers where its answer is another.
async fn play(
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
    let told = format!("{} {path}: {status} {body}", request.method);
    if status.as_u16() != example.status {
        return Some(told);
    }
    let mut found = None;
    match &example.shown {
        Some(shown) => {
            let answered: Value = serde_json::from_str(&body).unwrap();
            found = difference(shown, &answered, "").map(|found| format!("{found} in {told}"));
            bind(api, example, &answered, bound).await;
        }
        None if !is_like(&example.text, &body) => {
            found = Some(format!("the page shows {:?}, not {told}", example.text));
        }
        None => {}
    }
    through_curl(api, &request, example);
    found
}

/// The same through curl itself where the machine has it and nothing would be made twice.
fn through_curl(api: &Api, request: &Curl, example: &Example) {
    if request.method != Method::GET {
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

async fn bind(
    api: &Api,
    example: &Example,
    answered: &Value,
    bound: &mut BTreeMap<String, String>,
) {
    let Some((name, until)) = &example.binds else {
        return;
    };
    let id = answered["id"].as_str().or(answered[0]["id"].as_str());
    let id = id.unwrap().to_owned();
    if let Some(until) = *until {
        let what = format!("{name} {until:?}");
        with_timeout(&what, reached(api, &id, until)).await;
    }
    bound.insert(name.clone(), id);
}

/// Asks until the run is there.
async fn reached(api: &Api, run: &str, until: Until) {
    loop {
        let (_, run) = api.get(&format!("/runs/{run}")).await.unwrap();
        let is_there = match until {
            Until::Running => run["node_runs"][0]["status"] == "running",
            Until::Ended => !matches!(run["status"].as_str(), Some("pending" | "running")),
        };
        if is_there {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// Whether a text begins as the page shows it, any text standing for each `…`; where the page shows
/// none there is none.
fn is_like(shown: &str, answered: &str) -> bool {
    let shown = shown.trim();
    if shown.is_empty() {
        return answered.is_empty();
    }
    let mut parts = shown.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = answered.strip_prefix(first) else {
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

/// Where an answer has another shape than the page shows: other members, another type, or another
/// text where the page has no `…`.
fn difference(shown: &Value, answered: &Value, at: &str) -> Option<String> {
    match (shown, answered) {
        // An object that the page leaves open.
        (Value::Object(shown), Value::Object(_)) if shown.is_empty() => None,
        (Value::Object(shown), Value::Object(answered)) => {
            let (a, b): (BTreeSet<_>, BTreeSet<_>) =
                (shown.keys().collect(), answered.keys().collect());
            if a != b {
                return Some(format!("{at} has the members {b:?}, the page shows {a:?}"));
            }
            shown
                .iter()
                .find_map(|(key, value)| difference(value, &answered[key], &format!("{at}/{key}")))
        }
        (Value::Array(shown), Value::Array(answered)) => match (shown.first(), answered.first()) {
            (Some(shown), Some(answered)) => difference(shown, answered, &format!("{at}/0")),
            (Some(_), None) => Some(format!("{at} is empty")),
            (None, _) => None,
        },
        (Value::String(shown), Value::String(_)) if shown.contains('…') => None,
        (Value::String(shown), Value::String(answered)) => {
            (shown != answered).then(|| format!("{at} is {answered:?}, the page shows {shown:?}"))
        }
        (Value::Number(_), Value::Number(_))
        | (Value::Bool(_), Value::Bool(_))
        | (Value::Null, Value::Null) => None,
        (shown, answered) => Some(format!("{at} is {answered}, the page shows {shown}")),
    }
}
