//! Fire times at clock changes, in tables written by hand: the zones' own rules at real dates.
//!
//! Expressions away from clock changes are left to the parent module.

use super::{instants, schedule};

/// One row: an expression, a zone, an instant, and the next fire times after it.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
);

fn check(rows: &[Row]) {
    for (expression, zone, after, expected) in rows {
        let next = instants(&schedule(expression, zone), after, expected.len());
        assert_eq!(next, *expected, "{expression} in {zone} after {after}");
    }
}

/// Berlin, 31 March 2024: at 01:00Z the clock goes from 02:00 to 03:00.
#[test]
fn a_missing_hour_fires_at_its_end_and_wildcards_skip_it() {
    check(&[
        (
            "30 2 * * *",
            "Europe/Berlin",
            "2024-03-30T02:00:00Z",
            &["2024-03-31T01:00Z", "2024-04-01T00:30Z"],
        ),
        (
            "0 2 * * *",
            "Europe/Berlin",
            "2024-03-30T02:00:00Z",
            &["2024-03-31T01:00Z", "2024-04-01T00:00Z"],
        ),
        // Both times in the gap and the first after it are the same instant.
        (
            "0,30 2,3 * * *",
            "Europe/Berlin",
            "2024-03-31T00:00:00Z",
            &[
                "2024-03-31T01:00Z",
                "2024-03-31T01:30Z",
                "2024-04-01T00:00Z",
            ],
        ),
        (
            "59 1 * * *",
            "Europe/Berlin",
            "2024-03-30T12:00:00Z",
            &["2024-03-31T00:59Z", "2024-03-31T23:59Z"],
        ),
        (
            "*/30 2 * * *",
            "Europe/Berlin",
            "2024-03-30T02:00:00Z",
            &["2024-04-01T00:00Z", "2024-04-01T00:30Z"],
        ),
        (
            "15 * * * *",
            "Europe/Berlin",
            "2024-03-30T23:30:00Z",
            &["2024-03-31T00:15Z", "2024-03-31T01:15Z"],
        ),
        (
            "* * * * *",
            "Europe/Berlin",
            "2024-03-31T00:58:30Z",
            &["2024-03-31T00:59Z", "2024-03-31T01:00Z"],
        ),
        (
            "0 */2 * * *",
            "Europe/Berlin",
            "2024-03-30T22:00:00Z",
            &["2024-03-30T23:00Z", "2024-03-31T02:00Z"],
        ),
    ]);
}

/// Berlin, 27 October 2024: at 01:00Z the clock goes back from 03:00 to 02:00.
#[test]
fn a_repeated_hour_fires_once_in_its_first_half_and_wildcards_in_both() {
    check(&[
        (
            "30 2 * * *",
            "Europe/Berlin",
            "2024-10-26T12:00:00Z",
            &["2024-10-27T00:30Z", "2024-10-28T01:30Z"],
        ),
        (
            "0 2,3 * * *",
            "Europe/Berlin",
            "2024-10-26T12:00:00Z",
            &["2024-10-27T00:00Z", "2024-10-27T02:00Z"],
        ),
        (
            "30 2 * * *",
            "Europe/Berlin",
            "2024-10-27T01:10:00Z",
            &["2024-10-28T01:30Z"],
        ),
        (
            "*/30 2 * * *",
            "Europe/Berlin",
            "2024-10-26T12:00:00Z",
            &[
                "2024-10-27T00:00Z",
                "2024-10-27T00:30Z",
                "2024-10-27T01:00Z",
                "2024-10-27T01:30Z",
                "2024-10-28T01:00Z",
            ],
        ),
        (
            "45 * * * *",
            "Europe/Berlin",
            "2024-10-26T23:50:00Z",
            &[
                "2024-10-27T00:45Z",
                "2024-10-27T01:45Z",
                "2024-10-27T02:45Z",
            ],
        ),
        (
            "*/20 * * * *",
            "Europe/Berlin",
            "2024-10-27T00:50:00Z",
            &[
                "2024-10-27T01:00Z",
                "2024-10-27T01:20Z",
                "2024-10-27T01:40Z",
            ],
        ),
        (
            "0 */12 * * *",
            "Europe/Berlin",
            "2024-10-26T22:00:00Z",
            &["2024-10-27T11:00Z", "2024-10-27T23:00Z"],
        ),
    ]);
}

/// Lord Howe Island changes by half an hour. In 2024 it went back on 6 April at 15:00Z, from 02:00
/// to 01:30, and forward on 5 October at 15:30Z, from 02:00 to 02:30.
#[test]
fn half_an_hour_is_repeated_and_skipped_like_an_hour() {
    check(&[
        (
            "45 1 * * *",
            "Australia/Lord_Howe",
            "2024-04-06T12:00:00Z",
            &["2024-04-06T14:45Z", "2024-04-07T15:15Z"],
        ),
        (
            "45 * * * *",
            "Australia/Lord_Howe",
            "2024-04-06T14:00:00Z",
            &[
                "2024-04-06T14:45Z",
                "2024-04-06T15:15Z",
                "2024-04-06T16:15Z",
            ],
        ),
        (
            "15 1 * * *",
            "Australia/Lord_Howe",
            "2024-04-06T12:00:00Z",
            &["2024-04-06T14:15Z", "2024-04-07T14:45Z"],
        ),
        (
            "15 2 * * *",
            "Australia/Lord_Howe",
            "2024-10-05T12:00:00Z",
            &["2024-10-05T15:30Z", "2024-10-06T15:15Z"],
        ),
        (
            "15 * * * *",
            "Australia/Lord_Howe",
            "2024-10-05T14:30:00Z",
            &["2024-10-05T14:45Z", "2024-10-05T16:15Z"],
        ),
    ]);
}

/// Apia skipped 30 December 2011: at 10:00Z its clock went from the end of the 29th to the start of
/// the 31st.
#[test]
fn a_missing_day_fires_at_its_end_and_wildcards_skip_it() {
    check(&[
        (
            "0 12 * * *",
            "Pacific/Apia",
            "2011-12-29T12:00:00Z",
            &[
                "2011-12-29T22:00Z",
                "2011-12-30T10:00Z",
                "2011-12-30T22:00Z",
            ],
        ),
        (
            "0 12 30 12 *",
            "Pacific/Apia",
            "2011-12-01T00:00:00Z",
            &["2011-12-30T10:00Z", "2012-12-29T22:00Z"],
        ),
        (
            "0 0 * * 5",
            "Pacific/Apia",
            "2011-12-24T00:00:00Z",
            &["2011-12-30T10:00Z", "2012-01-05T10:00Z"],
        ),
        (
            "0 * 30 12 *",
            "Pacific/Apia",
            "2011-12-01T00:00:00Z",
            &["2012-12-29T10:00Z"],
        ),
        (
            "0 * * * *",
            "Pacific/Apia",
            "2011-12-30T08:30:00Z",
            &["2011-12-30T09:00Z", "2011-12-30T10:00Z"],
        ),
    ]);
}

/// Santiago changes at midnight. In 2024 it went forward on 8 September at 04:00Z, from 00:00 to
/// 01:00, and back on 7 April at 03:00Z, from midnight to 23:00 on the 6th.
#[test]
fn midnight_is_skipped_and_the_hour_before_it_is_repeated() {
    check(&[
        (
            "0 0 * * *",
            "America/Santiago",
            "2024-09-07T12:00:00Z",
            &["2024-09-08T04:00Z", "2024-09-09T03:00Z"],
        ),
        (
            "@daily",
            "America/Santiago",
            "2024-04-06T12:00:00Z",
            &["2024-04-07T04:00Z", "2024-04-08T04:00Z"],
        ),
        (
            "30 23 6 4 *",
            "America/Santiago",
            "2024-04-01T00:00:00Z",
            &["2024-04-07T02:30Z", "2025-04-07T03:30Z"],
        ),
        (
            "30 * 6 4 *",
            "America/Santiago",
            "2024-04-07T02:00:00Z",
            &[
                "2024-04-07T02:30Z",
                "2024-04-07T03:30Z",
                "2025-04-06T04:30Z",
            ],
        ),
    ]);
}

/// Troll changes by two hours. In 2024 it went forward on 31 March at 01:00Z, from 01:00 to 03:00,
/// and back on 27 October at 01:00Z, from 03:00 to 01:00.
#[test]
fn two_hours_are_repeated_and_skipped_like_one() {
    check(&[
        (
            "10 1,2 * * *",
            "Antarctica/Troll",
            "2024-03-30T12:00:00Z",
            &["2024-03-31T01:00Z", "2024-03-31T23:10Z"],
        ),
        (
            "10 1,2 * * *",
            "Antarctica/Troll",
            "2024-10-26T12:00:00Z",
            &[
                "2024-10-26T23:10Z",
                "2024-10-27T00:10Z",
                "2024-10-28T01:10Z",
            ],
        ),
        (
            "10 */2 * * *",
            "Antarctica/Troll",
            "2024-10-26T23:30:00Z",
            &[
                "2024-10-27T00:10Z",
                "2024-10-27T02:10Z",
                "2024-10-27T04:10Z",
            ],
        ),
    ]);
}
