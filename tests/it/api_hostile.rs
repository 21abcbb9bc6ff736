//! Hostile text in every field and path is stored unchanged or refused, and never causes a server
//! error.

use http::Method;
use serde_json::{Value, json};

use crate::wire::{Host, on_each_backend, request};

const HOSTILE: [&str; 24] = [
    "'; DROP TABLE runs; --",
    "\" OR 1=1 --",
    "100%",
    "_",
    "%_[a-z]*",
    "a\r\nSet-Cookie: x=1",
    "a\0b",
    "\u{1b}[31mred",
    "../../etc/passwd",
    "..\\..\\x",
    "\u{202e}evil",
    "\u{2028}",
    "😀😀",
    "İstanbul",
    "ﬃ",
    "<script>alert(1)</script>",
    "${param.x}",
    "$${param.x}",
    "{{7*7}}",
    "=cmd|' /C calc'!A0",
    "\u{feff}bom",
    "null",
    " leading and trailing ",
    "\u{7f}",
];

/// Percent-encodes every byte.
fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[tokio::test]
async fn text_in_a_definition_is_stored_unchanged_or_refused() {
    on_each_backend(async |host: &Host| {
        for text in HOSTILE {
            let field = |member: &str, value: Value| {
                let mut definition = json!({"name": "x", "nodes": [{"id": "a", "type": "any"}]});
                definition[member] = value;
                definition
            };
            for definition in [
                field("name", json!(text)),
                field("id", json!(text)),
                field("pipeline_id", json!(text)),
                field("description", json!(text)),
                field("tags", json!([text])),
                field("params", json!({"p": text})),
                field("owner", json!({text: text})),
                field(
                    "nodes",
                    json!([{"id": "a", "type": "any", "name": text, "config": {"k": text}}]),
                ),
            ] {
                let created = host.post("/api/pipelines", Some(&definition)).await;
                if created.status != 201 {
                    assert_eq!(
                        created.status.as_u16() / 100,
                        4,
                        "{definition} gave {created:?}"
                    );
                    continue;
                }
                let path = created.header("location").to_owned();
                let shown = host.get(&path).await.json();
                for (member, value) in definition.as_object().unwrap() {
                    let is_unchanged = match member.as_str() {
                        "nodes" => {
                            shown["nodes"][0]["config"]
                                == value[0].get("config").cloned().unwrap_or(json!({}))
                        }
                        _ => shown[member] == *value,
                    };
                    assert!(is_unchanged, "{definition} became {shown}");
                }
                let deleted = host.send(request(Method::DELETE, &path, None)).await;
                assert_eq!(deleted.status, 204);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn run_params_are_stored_unchanged() {
    on_each_backend(async |host: &Host| {
        let params: serde_json::Map<_, _> = HOSTILE
            .iter()
            .map(|text| ((*text).to_owned(), json!(text)))
            .collect();
        let body = json!({"params": params});
        let response = host.post("/api/pipelines/daily/run", Some(&body)).await;
        assert_eq!(response.status.as_u16(), 202, "{response:?}");
        let run = host.get(response.header("location")).await.json();
        for text in HOSTILE {
            assert_eq!(run["params"][text], text);
        }
    })
    .await;
}

#[tokio::test]
async fn hostile_paths_cause_no_server_error_and_are_escaped() {
    on_each_backend(async |host: &Host| {
        let id = host.finished_run().await;
        for text in HOSTILE {
            let text = encoded(text);
            for path in [
                format!("/api/pipelines/{text}"),
                format!("/api/pipelines/{text}/runs"),
                format!("/api/runs/{text}"),
                format!("/api/runs/{text}/logs/export"),
                format!("/api/runs/{id}/nodes/{text}/preview"),
                format!("/api/{text}"),
                format!("/api/runs?pipeline_id={text}"),
                format!("/api/runs?after={text}"),
                format!("/api/runs?{text}=1"),
                format!("/api/pipelines?tag={text}&limit=1"),
                format!("/api/runs/{id}/logs?node_id={text}"),
            ] {
                let response = host.get(&path).await;
                let is_ok = response.status == 200 || response.status.is_client_error();
                assert!(is_ok, "{path} gave {response:?}");
                if response.status != 200 {
                    let detail = response.json()["detail"].as_str().unwrap().to_owned();
                    assert!(
                        !detail.chars().any(char::is_control),
                        "{path} gave {detail:?}"
                    );
                }
            }
        }
    })
    .await;
}
