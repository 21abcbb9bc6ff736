//! Compares our parser with that of the crate `cron`, and tries expressions of the crate's dialect.
//!
//! The crate counts days of the week differently, so only the other four fields are compared.
//! `oracle` checks fire times.

use ::cron::TimeUnitSpec;

use super::Schedule;
use crate::error::Problem;

/// Numbers within, at and beyond the bounds of the fields.
const NUMBERS: [u32; 13] = [0, 1, 2, 5, 12, 13, 23, 24, 28, 31, 32, 59, 60];

/// Returns list items in every form that both dialects share.
fn items() -> Vec<String> {
    let mut ranges = vec!["*".to_owned()];
    for first in NUMBERS {
        ranges.extend(NUMBERS.map(|last| format!("{first}-{last}")));
    }
    let mut items: Vec<_> = NUMBERS.iter().map(ToString::to_string).collect();
    for step in NUMBERS {
        items.extend(ranges.iter().map(|range| format!("{range}/{step}")));
    }
    items.extend(ranges);
    items.push("1,2-5,*/13".to_owned());
    items
}

fn ours(fields: &str) -> Option<[u64; 4]> {
    let schedule = Schedule::new(&format!("{fields} *"), None).ok()?;
    let calendar = schedule.calendar;
    Some([
        calendar.minutes,
        calendar.hours,
        calendar.days,
        calendar.months,
    ])
}

fn theirs(fields: &str) -> Option<[u64; 4]> {
    fn bits(numbers: &impl TimeUnitSpec) -> u64 {
        numbers.iter().fold(0, |set, number| set | 1 << number)
    }
    let schedule: ::cron::Schedule = format!("0 {fields} *").parse().ok()?;
    Some([
        bits(schedule.minutes()),
        bits(schedule.hours()),
        bits(schedule.days_of_month()),
        bits(schedule.months()),
    ])
}

#[test]
fn both_parsers_read_four_fields_alike() {
    let mut accepted = 0;
    for item in items() {
        for field in 0..4 {
            let mut fields = ["*"; 4];
            fields[field] = &item;
            let fields = fields.join(" ");
            let ours = ours(&fields);
            assert_eq!(ours, theirs(&fields), "{fields}");
            accepted += usize::from(ours.is_some());
        }
    }
    assert!(accepted >= 1_000, "only {accepted} fields were accepted");
}

#[test]
fn only_a_valid_expression_of_the_crate_is_refused_with_a_hint() {
    for (expression, expected) in [
        (
            "0 30 6 * * Mon-Fri",
            "; remove the first field (seconds), and count days of the week from Sunday = 0",
        ),
        (
            "0 30 6 ? * 2 2024-2030",
            "; remove the first field (seconds) and the last (years), and count days of the week \
             from Sunday = 0",
        ),
        ("0 61 6 * * *", "received 6 in \"0 61 6 * * *\""),
        ("30 6 * *", "received 4 in \"30 6 * *\""),
        ("0 0 0 1 1 1 2024 1", "received 8 in \"0 0 0 1 1 1 2024 1\""),
    ] {
        let refusal = Schedule::new(expression, None).unwrap_err();
        assert_eq!(refusal.problem, Problem::CronInvalid, "{expression}");
        assert!(
            refusal.detail.ends_with(expected),
            "{expression}: {refusal:?}"
        );
    }
}
