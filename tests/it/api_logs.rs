//! The log of a run over HTTP.

use floret::testing::Step;
use serde_json::{Value, json};

use crate::wire::{Host, on_each_backend};

/// Executes a run whose nodes log, one of them a message of two lines, and returns its id.
async fn run_with_logs(host: &Host) -> String {
    let rows = [json!({"n": 1}), json!({"n": 2})];
    host.executor
        .script("load", [Step::rows(rows).logs("one\ntwo \u{1b}[31m")]);
    host.executor
        .script("sum", [Step::permanent("no such table").logs("three")]);
    host.finished_run().await
}

/// Returns the messages without the duration, which varies.
fn messages(lines: &Value) -> Vec<String> {
    let lines = lines.as_array().unwrap().iter();
    let message = |line: &Value| line["message"].as_str().unwrap().to_owned();
    lines
        .map(|line| message(line).split(" rows in ").next().unwrap().to_owned())
        .collect()
}

const ALL: [&str; 6] = [
    "Starting node: load (any)",
    "one\ntwo \u{1b}[31m",
    "Node completed: 2",
    "Starting node: sum (any)",
    "three",
    "Node failed: no such table",
];

#[tokio::test]
async fn the_log_is_an_array_of_lines_in_order() {
    on_each_backend(async |host: &Host| {
        let id = run_with_logs(host).await;
        let response = host.get(&format!("/api/runs/{id}/logs")).await;
        assert_eq!(
            (response.status.as_u16(), response.header("link")),
            (200, "")
        );
        let lines = response.json();
        assert_eq!(messages(&lines), ALL);
        let first = &lines[0];
        let expected = json!({
            "run_id": id,
            "node_id": "load",
            "level": "info",
            "message": "Starting node: load (any)",
            "timestamp": first["timestamp"],
            "attempt": 1,
        });
        assert_eq!(*first, expected);
        assert!(first["timestamp"].as_str().unwrap().ends_with('Z'));
        let completed = lines[2]["message"].as_str().unwrap();
        assert!(completed.ends_with(" rows/sec)"), "{completed}");
        assert_eq!(lines[5]["level"], "error");
    })
    .await;
}

#[tokio::test]
async fn a_log_is_filtered_by_node_and_level() {
    on_each_backend(async |host: &Host| {
        let id = run_with_logs(host).await;
        let list = async |query: &str| {
            messages(
                &host
                    .get(&format!("/api/runs/{id}/logs?{query}"))
                    .await
                    .json(),
            )
        };
        assert_eq!(list("node_id=sum").await, ALL[3..]);
        assert_eq!(list("level=error").await, ALL[5..]);
        assert_eq!(list("level=debug").await, ALL);
        assert_eq!(list("level=warning&node_id=load").await, [""; 0]);
        assert_eq!(list("node_id=other").await, [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn a_log_is_paged_and_its_last_cursor_stays_valid() {
    on_each_backend(async |host: &Host| {
        let id = run_with_logs(host).await;
        let (mut walked, mut cursor) = (Vec::new(), "0".to_owned());
        loop {
            let path = format!("/api/runs/{id}/logs?after={cursor}&limit=4");
            let response = host.get(&path).await;
            let page = response.json();
            walked.extend(messages(&page["items"]));
            cursor = page["cursor"].as_str().unwrap().to_owned();
            let items = page["items"].as_array().unwrap();
            let seqs: Vec<_> = items
                .iter()
                .map(|line| line["seq"].as_u64().unwrap())
                .collect();
            assert!(seqs.is_sorted_by(|one, other| one < other), "{page}");
            let has_link = response.header("link")
                == format!("</api/runs/{id}/logs?limit=4&after={cursor}>; rel=\"next\"");
            assert_eq!(page["has_next"], has_link, "{page}");
            if !has_link {
                break;
            }
        }
        assert_eq!(walked, ALL);
        let path = format!("/api/runs/{id}/logs?after={cursor}");
        let rest = host.get(&path).await.json();
        assert_eq!(
            rest,
            json!({"items": [], "has_next": false, "cursor": cursor})
        );
    })
    .await;
}

#[tokio::test]
async fn a_text_export_escapes_line_breaks_and_control_characters() {
    on_each_backend(async |host: &Host| {
        let id = run_with_logs(host).await;
        let response = host
            .get(&format!("/api/runs/{id}/logs/export?format=text"))
            .await;
        assert_eq!(response.status, 200);
        assert_eq!(response.header("content-type"), "text/plain; charset=utf-8");
        let disposition = format!("attachment; filename=\"run-{id}-logs.txt\"");
        assert_eq!(response.header("content-disposition"), disposition);
        let lines: Vec<_> = response.text().lines().collect();
        assert_eq!(lines.len(), 6);
        assert!(
            lines[0].ends_with("Z INFO [load] Starting node: load (any)"),
            "{}",
            lines[0]
        );
        assert!(
            lines[1].ends_with(r"Z INFO [load] one\ntwo \u{1b}[31m"),
            "{}",
            lines[1]
        );
        assert!(
            lines[5].ends_with("Z ERROR [sum] Node failed: no such table"),
            "{}",
            lines[5]
        );
        let errors = host
            .get(&format!(
                "/api/runs/{id}/logs/export?level=error&node_id=sum"
            ))
            .await;
        assert_eq!(errors.text().lines().collect::<Vec<_>>(), [lines[5]]);
    })
    .await;
}

#[tokio::test]
async fn an_export_has_the_whole_log_and_a_list_has_pages() {
    on_each_backend(async |host: &Host| {
        let step = (0..1_500).fold(Step::nothing(), |step, n| step.logs(format!("line {n}")));
        host.executor.script("load", [step]);
        let id = host.finished_run().await;
        let export = host
            .get(&format!("/api/runs/{id}/logs/export?node_id=load"))
            .await;
        let text = export.text();
        let lines = text
            .lines()
            .filter(|line| line.contains("] line "))
            .collect::<Vec<_>>();
        assert_eq!(lines.len(), 1_500);
        assert!(lines[1_499].ends_with("line 1499"));
        let page = host
            .get(&format!("/api/runs/{id}/logs?limit=1400&node_id=load"))
            .await
            .json();
        assert_eq!(page["items"].as_array().unwrap().len(), 1_400);
        assert_eq!(page["has_next"], true);
    })
    .await;
}

#[tokio::test]
async fn an_ndjson_export_has_the_same_lines_as_the_list() {
    on_each_backend(async |host: &Host| {
        let id = run_with_logs(host).await;
        let response = host
            .get(&format!("/api/runs/{id}/logs/export?format=ndjson"))
            .await;
        assert_eq!(response.header("content-type"), "application/x-ndjson");
        let disposition = format!("attachment; filename=\"run-{id}-logs.ndjson\"");
        assert_eq!(response.header("content-disposition"), disposition);
        let lines: Vec<Value> = response
            .text()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let listed = host.get(&format!("/api/runs/{id}/logs")).await.json();
        assert_eq!(json!(lines), listed);
        assert!(!response.text().contains('\u{1b}'));
    })
    .await;
}

#[tokio::test]
async fn a_csv_export_starts_no_formula() {
    on_each_backend(async |host: &Host| {
        let step = Step::nothing()
            .logs("=HYPERLINK(\"https://evil.example\")")
            .logs("say \"a,b\"\r\nnext \u{9b}31m");
        host.executor.script("load", [step]);
        let id = host.finished_run().await;
        let path = format!("/api/runs/{id}/logs/export?format=csv&node_id=load");
        let response = host.get(&path).await;
        assert_eq!(
            response.header("content-type"),
            "text/csv; charset=utf-8; header=present"
        );
        let disposition = format!("attachment; filename=\"run-{id}-logs.csv\"");
        assert_eq!(response.header("content-disposition"), disposition);
        let mut reader = csv::Reader::from_reader(response.text().as_bytes());
        let head: Vec<_> = reader
            .headers()
            .unwrap()
            .iter()
            .map(str::to_owned)
            .collect();
        assert_eq!(
            head,
            [
                "run_id",
                "node_id",
                "level",
                "message",
                "timestamp",
                "attempt"
            ]
        );
        let records: Vec<_> = reader.records().map(Result::unwrap).collect();
        assert_eq!(records.len(), 4);
        assert_eq!((&records[1][0], &records[1][1]), (id.as_str(), "load"));
        assert_eq!((&records[1][2], &records[1][5]), ("info", "1"));
        assert_eq!(&records[1][3], "'=HYPERLINK(\"https://evil.example\")");
        assert_eq!(&records[2][3], r#"say "a,b"\r\nnext \u{9b}31m"#);
        let empty = host.get(&format!("{path}&level=error")).await;
        assert_eq!(empty.text().lines().count(), 1, "only the header");
        host.get(&format!("/api/runs/{id}/logs/export?format=xml"))
            .await
            .assert_problem(400, "invalid-parameter");
    })
    .await;
}
