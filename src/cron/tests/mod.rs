//! Expressions and their fire times, in tables written by hand.
//!
//! Clock changes are left to `changes`, other readings of the same expressions to `dialect` and
//! `oracle`.

mod changes;
mod dialect;
mod oracle;

use super::*;
use crate::error::Problem;

pub(super) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub(super) fn schedule(expression: &str, zone: &str) -> Schedule {
    Schedule::new(expression, Some(zone)).unwrap_or_else(|refusal| panic!("{refusal:?}"))
}

/// Returns the next fire times, as text in UTC.
pub(super) fn instants(schedule: &Schedule, after: &str, count: usize) -> Vec<String> {
    let first = schedule.next(at(after));
    let all = std::iter::successors(first, |last| schedule.next(*last));
    all.take(count)
        .map(|instant| instant.format("%Y-%m-%dT%H:%MZ").to_string())
        .collect()
}

#[test]
fn expressions_fire_when_cron_says() {
    // 2024-01-01 is a Monday.
    for (expression, expected) in [
        ("* * * * *", "2024-01-01T00:01Z"),
        ("0 0 * * *", "2024-01-02T00:00Z"),
        ("30 6 * * *", "2024-01-01T06:30Z"),
        ("*/15 * * * *", "2024-01-01T00:15Z"),
        ("7-59/10 3 * * *", "2024-01-01T03:07Z"),
        ("5,3 2 * * *", "2024-01-01T02:03Z"),
        ("0 0 31 * *", "2024-01-31T00:00Z"),
        ("0 0 29 2 *", "2024-02-29T00:00Z"),
        ("0 0 * * 0", "2024-01-07T00:00Z"),
        ("0 0 * * 7", "2024-01-07T00:00Z"),
        ("0 0 * * sun", "2024-01-07T00:00Z"),
        ("0 0 * * 2-5", "2024-01-02T00:00Z"),
        ("0 0 * * Tue-FRI", "2024-01-02T00:00Z"),
        ("0 0 * * sat-sun", "2024-01-06T00:00Z"),
        ("0 0 * * 5-7", "2024-01-05T00:00Z"),
        ("0 0 * * sun-mon", "2024-01-07T00:00Z"),
        ("0 0 * * */7", "2024-01-07T00:00Z"),
        ("0 0 * * */3", "2024-01-03T00:00Z"),
        ("0 0 1 mar *", "2024-03-01T00:00Z"),
        ("0 0 1 Mar-Apr *", "2024-03-01T00:00Z"),
        ("0 0 1 */5 *", "2024-06-01T00:00Z"),
        // Both day fields are restricted: either is enough.
        ("0 0 13 * 5", "2024-01-05T00:00Z"),
        ("0 0 3 * 5", "2024-01-03T00:00Z"),
        // One day field begins with a star: a day must be in both.
        ("0 0 13 * */5", "2024-09-13T00:00Z"),
        ("0 0 */13 * 0", "2024-01-14T00:00Z"),
        ("@hourly", "2024-01-01T01:00Z"),
        ("@DAILY", "2024-01-02T00:00Z"),
        ("@weekly", "2024-01-07T00:00Z"),
        ("@monthly", "2024-02-01T00:00Z"),
        (" @yearly\t", "2025-01-01T00:00Z"),
        (" 0\t 0  2 * *  ", "2024-01-02T00:00Z"),
    ] {
        let next = instants(&schedule(expression, "UTC"), "2024-01-01T00:00:00Z", 1);
        assert_eq!(next, [expected], "{expression}");
    }
}

#[test]
fn a_malformed_expression_is_refused_with_its_field() {
    for (expression, expected) in [
        ("60 * * * *", "the minute field"),
        ("-1 * * * *", "the minute field"),
        ("5/15 * * * *", "the minute field"),
        ("*/0 * * * *", "the minute field"),
        ("*/60 * * * *", "the minute field"),
        ("1, * * * *", "the minute field"),
        ("1-2-3 * * * *", "the minute field"),
        ("50-10 * * * *", "the minute field"),
        ("99999999999 * * * *", "the minute field"),
        ("\u{661} * * * *", "the minute field"),
        ("* 24 * * *", "the hour field"),
        ("* mon * * *", "the hour field"),
        ("* * 0 * *", "the day-of-month field"),
        ("* * 32 * *", "the day-of-month field"),
        ("* * ? * *", "the day-of-month field"),
        ("* * L * *", "the day-of-month field"),
        ("* * * 13 *", "the month field"),
        ("* * * january *", "the month field"),
        ("* * * * 8", "the day-of-week field"),
        ("* * * * monday", "the day-of-week field"),
        ("* * * * 1#2", "the day-of-week field"),
        ("* * * * ?", "the day-of-week field"),
        ("* * * * 5-2", "the day-of-week field"),
        ("* * * * */8", "the day-of-week field"),
        ("* * * * 1\n", "the day-of-week field"),
        ("", "received 0 in \"\""),
        ("* * * *", "received 4"),
        ("* * * * * *", "received 6"),
        ("@annual", "received 1"),
        ("@every 5m", "received 2"),
    ] {
        let refusal = Schedule::new(expression, None).unwrap_err();
        assert_eq!(refusal.problem, Problem::CronInvalid, "{expression}");
        assert!(
            refusal.detail.contains(expected),
            "{expression}: {refusal:?}"
        );
    }
}

#[test]
fn an_expression_may_have_256_characters_and_no_more() {
    let long = |count: usize| format!("{}* * * * *", " ".repeat(count - 9));
    assert!(Schedule::new(&long(256), None).is_ok());
    let refusal = Schedule::new(&long(257), None).unwrap_err();
    assert_eq!(refusal.problem, Problem::CronTooLong);
    assert!(refusal.detail.ends_with("received 257"), "{refusal:?}");
}

#[test]
fn an_expression_that_never_fires_is_refused_and_a_rare_one_is_not() {
    for expression in ["0 0 30 2 *", "0 0 31 2,4,6,9,11 *", "0 0 30-31 2 */2"] {
        let refusal = Schedule::new(expression, None).unwrap_err();
        assert_eq!(refusal.problem, Problem::CronNeverFires, "{expression}");
    }
    for (expression, expected) in [
        ("0 0 30 2 1", "2024-02-05T00:00Z"),
        ("0 0 29 2 */7", "2032-02-29T00:00Z"),
        ("0 0 31 1,2 *", "2024-01-31T00:00Z"),
    ] {
        let next = instants(&schedule(expression, "UTC"), "2024-01-01T00:00:00Z", 1);
        assert_eq!(next, [expected], "{expression}");
    }
}

#[test]
fn a_day_forty_years_away_is_found_across_a_century() {
    let sundays = schedule("0 0 29 2 */7", "UTC");
    let next = instants(&sundays, "2072-03-01T00:00:00Z", 1);
    assert_eq!(next, ["2088-02-29T00:00Z"]);
    // 2100 is no leap year.
    let next = instants(&sundays, "2088-03-01T00:00:00Z", 1);
    assert_eq!(next, ["2128-02-29T00:00Z"]);
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the promise is a duration on the machine"
)]
fn a_rare_day_is_found_within_a_millisecond() {
    let sundays = schedule("0 0 29 2 */7", "Europe/Berlin");
    let fastest = (0..20).map(|_| {
        let started = std::time::Instant::now();
        assert!(sundays.next(at("2088-03-01T00:00:00Z")).is_some());
        started.elapsed()
    });
    let fastest = fastest.min().unwrap();
    assert!(fastest.as_micros() < 1_000, "{fastest:?}");
}

#[test]
fn an_unknown_zone_is_refused_with_the_nearest_name() {
    for (zone, near) in [
        ("Europe/Berln", r#"; did you mean "Europe/Berlin"?"#),
        ("europe/berlin", r#"; did you mean "Europe/Berlin"?"#),
        ("America/NewYork", r#"; did you mean "America/New_York"?"#),
        ("utc", r#"; did you mean "UTC"?"#),
        ("", "received \"\""),
        ("+02:00", "received \"+02:00\""),
        (&"x".repeat(100_000), "…\""),
    ] {
        let refusal = Schedule::new("* * * * *", Some(zone)).unwrap_err();
        assert_eq!(refusal.problem, Problem::TimezoneUnknown);
        assert!(refusal.detail.ends_with(near), "{refusal:?}");
    }
}

#[test]
fn the_latest_fire_time_is_the_last_of_those_that_follow() {
    for (expression, after, until) in [
        (
            "*/7 * * * *",
            "2024-01-01T00:00:00Z",
            "2024-01-01T05:03:10Z",
        ),
        ("0 3 * * *", "2023-12-20T03:00:00Z", "2024-01-01T02:59:59Z"),
        ("0 3 * * *", "2023-12-20T03:00:00Z", "2024-01-01T03:00:00Z"),
        ("0 3 * * *", "2024-01-01T03:00:00Z", "2024-01-02T02:59:59Z"),
        ("30 2 * * *", "2024-03-30T12:00:00Z", "2024-03-31T12:00:00Z"),
        ("0 0 29 2 *", "2013-01-01T00:00:00Z", "2023-12-31T00:00:00Z"),
        ("0 0 1 1 *", "2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z"),
        ("0 0 1 1 *", "2024-01-02T00:00:00Z", "2023-01-01T00:00:00Z"),
    ] {
        let schedule = schedule(expression, "Europe/Berlin");
        let (after, until) = (at(after), at(until));
        let all = std::iter::successors(schedule.next(after), |last| schedule.next(*last));
        let last = all.take_while(|next| *next <= until).last();
        assert_eq!(schedule.latest(after, until), last, "{expression}");
    }
}

#[test]
fn no_fire_time_comes_beyond_the_ends_of_the_calendar() {
    for zone in ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"] {
        for expression in ["* * * * *", "0 0 29 2 */7", "30 2 1 1 *"] {
            let schedule = schedule(expression, zone);
            assert_eq!(schedule.next(DateTime::<Utc>::MAX_UTC), None);
            assert!(schedule.next(at("1900-01-01T00:00:00Z")).is_some());
            assert_eq!(
                schedule.latest(DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MIN_UTC),
                None
            );
        }
    }
}

#[test]
fn a_date_is_the_one_that_the_zone_shows() {
    let date = |zone| {
        schedule("* * * * *", zone)
            .date(at("2024-01-14T23:30:00Z"))
            .to_string()
    };
    assert_eq!(date("Europe/Berlin"), "2024-01-15");
    assert_eq!(date("America/New_York"), "2024-01-14");
}
