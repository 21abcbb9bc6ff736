//! Hooks that are wrong: their fields, their URLs and their secrets.
//!
//! Nothing that a refusal says repeats a part of a URL or of a secret; `hook_secrets` checks that.

use serde_json::{Value, json};

use super::definitions::{create_and_replace, graph};
use super::row::{Row, all};

pub(super) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (hooks, at, detail) in wrong() {
        rows.extend(refused(&hooks, "invalid-field", at, detail));
    }
    for (hooks, at, detail) in unknown() {
        rows.extend(refused(&hooks, "unknown-field", at, detail));
    }
    for (url, detail) in urls() {
        let hooks = json!({"on_success": {"type": "webhook", "url": url}});
        let at = "/hooks/on_success/url";
        rows.extend(refused(&hooks, "invalid-field", at, detail));
    }
    for (at, field, value) in misplaced() {
        let mut definition = graph(&["a"], &[]);
        let object = definition.pointer_mut(at).unwrap();
        object[field] = value;
        let at = format!("{at}/{field}");
        let bad = create_and_replace(&definition).map(|bad| bad.at(&at).with_detail("\"hooks\""));
        rows.extend(all(422, "unknown-field", bad));
    }
    rows
}

/// Returns secrets of hooks in objects that keep their unknown fields.
fn misplaced() -> [(&'static str, &'static str, Value); 4] {
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    [
        ("", "hook", with("secret", json!(secret))),
        ("", "on_failure", json!({"secret": secret})),
        ("", "x", json!([{secret: 1}])),
        ("/nodes/0", "hooks", with("secret", json!(secret))),
    ]
}

fn refused(hooks: &Value, slug: &'static str, at: &str, detail: &'static str) -> Vec<Row> {
    let mut definition = graph(&["a"], &[]);
    definition["hooks"] = hooks.clone();
    let bad = create_and_replace(&definition).map(|bad| bad.at(at).with_detail(detail));
    all(422, slug, bad)
}

/// Returns a hook for failures in which a field has this value.
fn with(field: &str, value: Value) -> Value {
    let mut hook = json!({"type": "webhook", "url": "https://example.com/hooks"});
    hook[field] = value;
    json!({"on_failure": hook})
}

fn wrong() -> Vec<(Value, &'static str, &'static str)> {
    let url = "/hooks/on_failure/url";
    let secret = "/hooks/on_failure/secret";
    let kind = "/hooks/on_failure/type";
    vec![
        (json!("https://example.com"), "/hooks", "an object"),
        (Value::Null, "/hooks", "an object"),
        (json!([]), "/hooks", "an object"),
        (
            json!({"on_start": "https://example.com"}),
            "/hooks/on_start",
            "an object",
        ),
        (json!({"on_start": null}), "/hooks/on_start", "an object"),
        (
            json!({"on_failure": {"url": "https://a.example"}}),
            kind,
            "missing",
        ),
        (json!({"on_failure": {"type": "webhook"}}), url, "missing"),
        (with("type", json!("email")), kind, "webhook"),
        (with("type", json!(5)), kind, "webhook"),
        (with("url", json!(5)), url, "a string"),
        (with("url", Value::Null), url, "a string"),
        (with("secret", json!(5)), secret, "received a number"),
        (with("secret", Value::Null), secret, "received null"),
        (with("secret", json!("")), secret, "24 to 64 bytes"),
        (with("secret", json!("hunter2")), secret, "base64"),
        (
            with("secret", json!("whsec_MfKQ9r8=")),
            secret,
            "24 to 64 bytes",
        ),
        (with("secret", json!("sealed:00")), secret, "base64"),
        (
            with("secret", json!("********")),
            secret,
            "none is stored yet",
        ),
    ]
}

fn unknown() -> Vec<(Value, &'static str, &'static str)> {
    let mut hook = with("headers", json!({}));
    hook["on_failure"]["secrets"] = json!("a");
    vec![
        (
            json!({"on_failed": {"type": "webhook", "url": "https://a.example"}}),
            "/hooks/on_failed",
            "on_failure",
        ),
        (hook, "/hooks/on_failure/headers", "type, url, secret"),
        (
            json!({"on_cancel": {"type": "webhook", "url": "https://a.example"}}),
            "/hooks/on_cancel",
            "a cancelled run calls no hook",
        ),
    ]
}

fn urls() -> Vec<(String, &'static str)> {
    let long = format!("https://example.com/{}", "a".repeat(2_048));
    let urls = [
        ("", "not a URL"),
        ("example.com", "https://"),
        ("ftp://example.com/", "scheme"),
        ("http://example.com/", "https://"),
        ("https://user:hunter2@example.com/", "a user or a password"),
        ("https://example.com/#a", "fragment"),
        ("https://example.com/ a", "escaped"),
        ("https://127.0.0.1/", "a loopback address"),
        ("https://10.0.0.1/", "a private address"),
        ("https://[::1]/", "a loopback address"),
        ("https://[::ffff:192.168.0.1]/", "a private address"),
        ("https://169.254.169.254/", "a link-local address"),
        ("https://100.100.100.200/", "the machine's cloud"),
        ("https://0x7f.1/", "four decimal numbers"),
        ("https://2130706433/", "four decimal numbers"),
        ("https://example.com:0/", "port"),
        ("https://example.com/${var.X}", "write the URL itself"),
        ("${var.X}", "write the URL itself"),
    ];
    let urls = urls.map(|(url, detail)| (url.to_owned(), detail));
    let mut urls = Vec::from(urls);
    urls.push((long, "at most 2048 characters"));
    urls
}
