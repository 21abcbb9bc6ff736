//! The message of an event for Slack: blocks for an incoming webhook.
//!
//! The limits of the texts are those of Slack's Block Kit. Pure.

use serde_json::{Value, json};

use crate::model::{Event, EventKind};

/// Characters of an error in a message. 500: about ten lines. A block takes 3,000.
const ERROR_CHARS_MAX: usize = 500;

/// Returns the body: a text for notifications, and the blocks of the message.
///
/// `runs_url` is the page of runs, to which the id of the run is added.
pub(super) fn body(event: &Event, runs_url: Option<&str>) -> String {
    let (emoji, what) = verb(event.kind);
    let pipeline = escape(event.pipeline_id.as_str());
    let mut blocks = vec![section(&format!("{emoji} *{pipeline}* {what}"))];
    blocks.push(json!({"type": "section", "fields": fields(event)}));
    if let Some(error) = &event.error {
        blocks.push(section(&format!("```{}```", error_text(error))));
    }
    if let Some(url) = runs_url {
        let url = format!("{}/{}", url.trim_end_matches('/'), event.run_id);
        blocks.push(section(&format!("<{}|Open the run>", escape(&url))));
    }
    json!({"text": format!("{pipeline} {what}"), "blocks": blocks}).to_string()
}

/// Returns the emoji and the words of a kind of events.
const fn verb(kind: EventKind) -> (&'static str, &'static str) {
    match kind {
        EventKind::RunCompleted => (":large_green_circle:", "completed"),
        EventKind::RunFailed => (":red_circle:", "failed"),
        EventKind::RunCancelled => (":white_circle:", "was cancelled"),
        EventKind::RunCreated => (":large_blue_circle:", "was triggered"),
        EventKind::RunStarted => (":large_blue_circle:", "started"),
        EventKind::RunCancelling => (":white_circle:", "is being cancelled"),
        EventKind::NodeStarted => (":large_blue_circle:", "started a node"),
        EventKind::NodeRecovered => (":large_yellow_circle:", "starts a node again"),
        EventKind::NodeCompleted => (":large_green_circle:", "completed a node"),
        EventKind::NodeFailed => (":red_circle:", "has a failed node"),
        EventKind::NodeRetrying => (":large_yellow_circle:", "retries a node"),
        EventKind::NodeSkipped => (":white_circle:", "skipped a node"),
        EventKind::NodeCancelled => (":white_circle:", "cancelled a node"),
        EventKind::Log => (":speech_balloon:", "logged a line"),
    }
}

fn fields(event: &Event) -> Vec<Value> {
    let status = event.status.as_ref().and_then(|status| {
        let status = serde_json::to_value(status).ok()?;
        Some(status.as_str()?.to_owned())
    });
    let duration = event.duration_ms.map(duration_text);
    let node = event.node_id.as_ref().map(|node| node.as_str().to_owned());
    let message = event.message.as_deref().map(error_text);
    let each = [
        ("Status", status),
        ("Duration", duration),
        ("Node", node),
        ("Line", message),
        ("Run", Some(event.run_id.to_string())),
    ];
    let each = each
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    each.map(|(name, value)| mrkdwn(&format!("*{name}*\n{value}")))
        .collect()
}

/// Returns a duration as people read it.
fn duration_text(millis: u64) -> String {
    let (seconds, tenths) = (millis / 1_000, millis % 1_000 / 100);
    let (minutes, hours) = (seconds / 60, seconds / 3_600);
    if hours > 0 {
        format!("{hours} h {} min", minutes % 60)
    } else if minutes > 0 {
        format!("{minutes} min {} s", seconds % 60)
    } else {
        format!("{seconds}.{tenths} s")
    }
}

/// Returns the beginning of a text of an executor, which cannot end the block of code around it.
fn error_text(text: &str) -> String {
    let is_shown = |letter: &char| *letter == '\n' || !letter.is_control();
    let mut letters = text.chars().filter(is_shown).map(|letter| match letter {
        '`' => '\'',
        other => other,
    });
    let beginning: String = letters.by_ref().take(ERROR_CHARS_MAX).collect();
    let rest = if letters.next().is_some() { "…" } else { "" };
    format!("{}{rest}", escape(&beginning))
}

/// Escapes the characters that begin links and mentions.
fn escape(text: &str) -> String {
    let text = text.replace('&', "&amp;");
    text.replace('<', "&lt;").replace('>', "&gt;")
}

fn section(text: &str) -> Value {
    json!({"type": "section", "text": mrkdwn(text)})
}

fn mrkdwn(text: &str) -> Value {
    json!({"type": "mrkdwn", "text": text})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RunStatus;
    use crate::testing::contract::fixtures::{at, pipeline_id, run_id};

    fn failed(error: &str) -> Event {
        let daily = pipeline_id("daily");
        let mut event = Event::new(7, EventKind::RunFailed, run_id(1), daily, at(0));
        event.status = Some(RunStatus::Failed.into());
        event.duration_ms = Some(62_300);
        event.error = Some(error.to_owned());
        event
    }

    fn message(event: &Event, runs_url: Option<&str>) -> Value {
        serde_json::from_str(&body(event, runs_url)).unwrap()
    }

    #[test]
    fn a_failed_run_names_its_pipeline_status_duration_and_error() {
        let run = run_id(1);
        let shown = message(&failed("no disk"), Some("https://console.example/runs/"));
        let expected = json!({
            "text": "daily failed",
            "blocks": [
                {"type": "section", "text": mrkdwn(":red_circle: *daily* failed")},
                {"type": "section", "fields": [
                    mrkdwn("*Status*\nfailed"),
                    mrkdwn("*Duration*\n1 min 2 s"),
                    mrkdwn(&format!("*Run*\n{run}")),
                ]},
                {"type": "section", "text": mrkdwn("```no disk```")},
                {"type": "section", "text":
                    mrkdwn(&format!("<https://console.example/runs/{run}|Open the run>"))},
            ],
        });
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_completed_or_cancelled_run_without_a_page_has_two_blocks() {
        for (kind, text) in [
            (EventKind::RunCompleted, "daily completed"),
            (EventKind::RunCancelled, "daily was cancelled"),
        ] {
            let event = Event::new(7, kind, run_id(1), pipeline_id("daily"), at(0));
            let shown = message(&event, None);
            assert_eq!(shown["text"], text);
            assert_eq!(shown["blocks"].as_array().unwrap().len(), 2, "{shown}");
        }
    }

    #[test]
    fn an_error_cannot_mention_a_channel_end_its_block_or_grow() {
        let shown = message(&failed("<!channel> ``` & \u{1b}[31m"), None);
        let text = &shown["blocks"][2]["text"]["text"];
        assert_eq!(*text, "```&lt;!channel&gt; ''' &amp; [31m```");
        let shown = message(&failed(&"<".repeat(100_000)), None);
        let text = shown["blocks"][2]["text"]["text"].as_str().unwrap();
        assert!(text.chars().count() < 3_000, "{}", text.len());
    }

    #[test]
    fn a_duration_has_its_two_largest_units() {
        for (millis, text) in [
            (0, "0.0 s"),
            (59_950, "59.9 s"),
            (60_000, "1 min 0 s"),
            (3_599_000, "59 min 59 s"),
            (90_000_000, "25 h 0 min"),
        ] {
            assert_eq!(duration_text(millis), text);
        }
    }
}
