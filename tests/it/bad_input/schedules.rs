//! Invalid schedules and time zones, in pipelines that are created or replaced.

use serde_json::json;

use super::definitions::{create_and_replace, graph};
use super::row::Row;

pub(super) fn rows() -> Vec<Row> {
    let long = "*".repeat(257);
    let texts = [
        ("schedule", "* 25 * * *", "cron-invalid", "the hour field"),
        ("schedule", "* * * *", "cron-invalid", "five fields"),
        ("schedule", "@fortnightly", "cron-invalid", "@weekly"),
        (
            "schedule",
            "*/0 * * * *",
            "cron-invalid",
            "the minute field",
        ),
        ("schedule", &long, "cron-too-long", "256"),
        ("schedule", "0 0 30 2 *", "cron-never-fires", "30"),
        (
            "schedule_timezone",
            "Europe/Berln",
            "timezone-unknown",
            r#"did you mean "Europe/Berlin"?"#,
        ),
    ];
    let texts = texts.map(|(member, value, slug, detail)| (member, json!(value), slug, detail));
    let others = [
        ("schedule", json!(5)),
        ("schedule", json!(null)),
        ("schedule_timezone", json!(1)),
        ("catch_up", json!("yes")),
        ("catchup", json!(1)),
        ("overlap", json!("cancel")),
        ("catch_up_all", json!("yes")),
        ("catch_up_max", json!(0)),
        ("catch_up_max", json!(101)),
        ("catch_up_max", json!(1.5)),
        ("depends_on", json!("load")),
        ("dependency_rules", json!({"pipeline_id": "load"})),
    ];
    let others = others.map(|(member, value)| (member, value, "invalid-field", ""));
    let mut rows = Vec::new();
    let mut replaced = graph(&["a"], &[]);
    (replaced["catch_up_all"], replaced["overlap"]) = (json!(true), json!("skip"));
    let bad = create_and_replace(&replaced).map(|bad| bad.at("/catch_up_all"));
    rows.extend(bad.map(|bad| (bad, 422, "invalid-field")));
    for (member, value, slug, detail) in texts.into_iter().chain(others) {
        let mut definition = graph(&["a"], &[]);
        definition[member] = value;
        let bad = create_and_replace(&definition)
            .map(|bad| bad.at(format!("/{member}")).with_detail(detail));
        rows.extend(bad.map(|bad| (bad, 422, slug)));
    }
    rows
}
