//! The search in a log, and its pages from the end back.

use floret::testing::{ScriptedExecutor, Step, memory};
use floret::{Limits, Pipeline, RunHandle};
use serde_json::{Value, json};

use crate::wire::{Host, on_each_backend};

/// Executes a run that logs these lines, and returns its id.
async fn run_with_lines(host: &Host, lines: impl Iterator<Item = String>) -> String {
    let step = lines.fold(Step::nothing(), |step, line| step.logs(line));
    host.executor.script("load", [step]);
    host.finished_run().await
}

async fn page(host: &Host, id: &str, query: &str) -> Value {
    let path = format!("/api/runs/{id}/logs?{query}");
    host.get(&path).await.json()
}

fn messages(page: &Value) -> Vec<String> {
    let lines = page["items"].as_array().unwrap().iter();
    lines
        .map(|line| line["message"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_log_is_read_back_from_its_end() {
    on_each_backend(async |host: &Host| {
        let id = run_with_lines(host, (0..7).map(|n| format!("line {n}"))).await;
        let all = page(host, &id, "limit=10000").await;
        let (mut walked, mut before) = (Vec::new(), u64::MAX.to_string());
        loop {
            let path = format!("/api/runs/{id}/logs?before={before}&limit=3");
            let answer = host.get(&path).await;
            let part = answer.json();
            let items = part["items"].as_array().unwrap();
            assert!(items.len() <= 3 && !items.is_empty(), "{part}");
            walked.splice(0..0, items.iter().cloned());
            before = part["cursor"].as_str().unwrap().to_owned();
            let next = format!("</api/runs/{id}/logs?limit=3&before={before}>; rel=\"next\"");
            assert_eq!(part["has_next"], answer.header("link") == next, "{part}");
            if part["has_next"] == false {
                break;
            }
        }
        assert_eq!(json!(walked), all["items"]);
        let none = json!({"items": [], "has_next": false, "cursor": "0"});
        assert_eq!(page(host, &id, &format!("before={before}")).await, none);
    })
    .await;
}

#[tokio::test]
async fn a_page_before_a_line_has_all_filters() {
    on_each_backend(async |host: &Host| {
        let id = run_with_lines(host, (0..20).map(|n| format!("line {n}"))).await;
        let query = "before=9007199254740991&node_id=load&level=info&q=LINE%201&limit=2";
        let newest = page(host, &id, query).await;
        assert_eq!(messages(&newest), ["line 18", "line 19"]);
        let query = format!("before={}&q=line%201", newest["cursor"].as_str().unwrap());
        let earlier = page(host, &id, &query).await;
        let expected = [1].into_iter().chain(10..18).map(|n| format!("line {n}"));
        assert_eq!(messages(&earlier), expected.collect::<Vec<_>>());
        assert_eq!(
            (&earlier["has_next"], &earlier["cursor"]),
            (&json!(false), &json!("0"))
        );
        let none = page(host, &id, "before=99999&node_id=sum&q=line").await;
        assert_eq!(messages(&none), [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn a_text_is_found_in_either_case() {
    on_each_backend(async |host: &Host| {
        let lines = ["Am Ende der Straße", "ÄRGER: 5 rows", "nothing"];
        let id = run_with_lines(host, lines.into_iter().map(str::to_owned)).await;
        for (text, expected) in [
            ("STRASSE", "Am Ende der Straße"),
            ("%C3%A4rger", "ÄRGER: 5 rows"),
            ("STARTING+NODE:+LOAD", "Starting node: load (any)"),
        ] {
            let found = host
                .get(&format!("/api/runs/{id}/logs?q={text}"))
                .await
                .json();
            assert_eq!(found.as_array().unwrap().len(), 1, "{found}");
            assert_eq!(found[0]["message"], expected);
            assert!(found[0].get("seq").is_none(), "{found}");
            let file = host
                .get(&format!("/api/runs/{id}/logs/export?q={text}"))
                .await;
            assert_eq!(file.text().lines().count(), 1);
            assert!(
                file.text().trim_end().ends_with(expected),
                "{}",
                file.text()
            );
        }
    })
    .await;
}

#[tokio::test]
async fn an_export_ends_before_a_line() {
    on_each_backend(async |host: &Host| {
        let id = run_with_lines(host, (0..5).map(|n| format!("line {n}"))).await;
        let found = page(host, &id, "limit=1&q=line%203").await;
        let seq = found["items"][0]["seq"].as_u64().unwrap();
        let path = format!("/api/runs/{id}/logs/export?before={seq}&q=line");
        let file = host.get(&path).await;
        let ends: Vec<_> = file
            .text()
            .lines()
            .map(|line| &line[line.len() - 6..])
            .collect();
        assert_eq!(ends, ["line 0", "line 1", "line 2"]);
    })
    .await;
}

/// Executes a run with a thousand lines, of which the first and the last contain `hit`, where a
/// search examines at most this many.
async fn run_with_hits(searched_max: usize) -> RunHandle {
    let executor = ScriptedExecutor::new();
    let lines = (0..1_000).map(|n| match n {
        0 | 999 => format!("hit {n}"),
        _ => format!("line {n}"),
    });
    let step = lines.fold(Step::nothing(), |step, line| step.logs(line));
    executor.script("load", [step]);
    let mut limits = Limits::default();
    limits.log_searched_max = searched_max;
    let builder = memory().executor("any", executor).limits(limits);
    let daily = Pipeline::new("daily").node("load", "any");
    let floret = builder.pipeline(daily).start().await.unwrap();
    let run = floret.run("daily").start().await.unwrap();
    run.finished().await.unwrap();
    run
}

#[tokio::test]
async fn a_search_examines_a_part_at_a_time_and_finds_everything() {
    for searched_max in [1, 7, 300, 999, 20_000] {
        let run = run_with_hits(searched_max).await;
        let (mut found, mut after, mut reads) = (Vec::new(), 0, 0);
        loop {
            let page = run.logs().search("HIT").after(after).await.unwrap();
            assert!(page.cursor >= after);
            reads += 1;
            after = page.cursor;
            found.extend(page.lines.into_iter().map(|line| line.message));
            if !page.has_next {
                break;
            }
        }
        assert_eq!(found, ["hit 0", "hit 999"]);
        // The start and the end of the node have a line each.
        assert!(
            reads >= 1_002_usize.div_ceil(searched_max.max(500)),
            "{reads}"
        );
        assert!(reads <= 1_010_usize.div_ceil(searched_max) + 1, "{reads}");
        let (mut found, mut before) = (Vec::new(), u64::MAX);
        while before > 0 {
            let page = run.logs().search("hit").before(before).await.unwrap();
            assert!(page.cursor < before, "the search gets on");
            assert_eq!(page.has_next, page.cursor > 0);
            before = page.cursor;
            found.splice(0..0, page.lines.into_iter().map(|line| line.message));
        }
        assert_eq!(found, ["hit 0", "hit 999"]);
    }
}

#[tokio::test]
async fn a_log_without_a_text_is_read_whole() {
    let run = run_with_hits(1).await;
    assert_eq!(run.logs().await.unwrap().lines.len(), 1_002);
    let page = run.logs().before(u64::MAX).await.unwrap();
    assert_eq!(
        (page.lines.len(), page.has_next, page.cursor),
        (1_002, false, 0)
    );
    let mut reader = run.logs().search("hit").stream().await.unwrap();
    let mut count = 0;
    while let Some(lines) = reader.next().await.unwrap() {
        count += lines.len();
    }
    assert_eq!(count, 2, "a stream is searched whole");
}

#[tokio::test]
async fn unfit_ranges_and_texts_are_refused() {
    let run = run_with_hits(1).await;
    for logs in [
        run.logs().search(" "),
        run.logs().search("a".repeat(201)),
        run.logs().after(1).before(2),
    ] {
        let refused = logs.clone().await.unwrap_err();
        assert_eq!(refused.slug(), "invalid-parameter");
        assert_eq!(logs.stream().await.unwrap_err().slug(), "invalid-parameter");
    }
}
