//! Invalid date ranges and options of backfills.

use super::row::{BACKFILL, Row, all, post};

pub(super) fn rows() -> Vec<Row> {
    let days = |first: &str, last: &str, at: &str| {
        let body = format!(r#"{{"start_date":"{first}","end_date":"{last}"}}"#);
        post(BACKFILL, body).at(at)
    };
    let option = |field: &str, at: &str| {
        let body = format!(r#"{{"start_date":"2024-01-01","end_date":"2024-01-02",{field}}}"#);
        post(BACKFILL, body).at(at)
    };
    let list = |dates: &str, at: &str| post(BACKFILL, format!(r#"{{"dates":{dates}}}"#)).at(at);
    let invalid = [
        list("[]", "/dates"),
        list(r#"["2024-01-01","2999-01-01"]"#, "/dates/1"),
        days("2024-01-02", "2024-01-01", "/end_date"),
        days("2999-01-01", "2999-01-02", "/end_date"),
        days("2024-01-01", "2999-01-01", "/end_date"),
    ];
    // The service must compute the length of these ranges. Counting the days would take too long.
    let many = format!("[{}]", vec![r#""2024-01-01""#; 3_661].join(","));
    let large = [
        list(&many, "/dates"),
        days("1990-01-01", "2024-01-01", "/end_date"),
        days("2010-01-01", "2024-01-01", "/end_date"),
        days("0001-01-01", "2024-01-01", "/end_date"),
    ];
    let invalid_fields = [
        post(BACKFILL, "{}").at("/start_date"),
        post(BACKFILL, r#"{"start_date":"2024-01-01"}"#).at("/end_date"),
        days("2024-1-1", "2024-01-02", "/start_date"),
        days("2024-01-01", "2024-02-30", "/end_date"),
        days("2024-01-01", "99999-01-01", "/end_date"),
        days("2024-01-01T00:00:00Z", "2024-01-02", "/start_date"),
        option(r#""params":{"date":"x"}"#, "/params/date"),
        option(r#""params":{"date":"2024-01-01"}"#, "/params/date"),
        option(r#""max_parallel":0"#, "/max_parallel"),
        option(r#""max_parallel":4294967296"#, "/max_parallel"),
        option(r#""max_parallel":1e300"#, "/max_parallel"),
        option(r#""max_failures":3661"#, "/max_failures"),
        option(r#""order":"ascending""#, "/order"),
        option(r#""dates":["2024-01-01"]"#, "/start_date"),
        list(r#""2024-01-01""#, "/dates"),
        list(r#"["2024-1-1"]"#, "/dates/0"),
        list(r#"["2024-02-29", "2023-02-29"]"#, "/dates/1"),
        list("[20240101]", "/dates/0"),
        list("null", "/dates"),
        list(r#"["2024-01-01","2024-01-02","2024-01-01"]"#, "/dates/2"),
    ];
    let twice = r#"{"start_date":"2024-01-01","start_date":"2024-01-01","end_date":"2024-01-02"}"#;
    let rows = [
        all(422, "range-invalid", invalid),
        all(422, "backfill-too-large", large),
        all(422, "invalid-field", invalid_fields),
        all(
            422,
            "unknown-field",
            [option(r#""parallel":1"#, "/parallel")],
        ),
        all(400, "duplicate-key", [post(BACKFILL, twice)]),
    ];
    [rows.concat(), units()].concat()
}

/// Invalid units, and dates on which no unit begins.
fn units() -> Vec<Row> {
    let unit = |unit: &str, dates: &str, at: &str| {
        post(BACKFILL, format!(r#"{{"unit":{unit},{dates}}}"#)).at(at)
    };
    let days = r#""start_date":"2024-01-02","end_date":"2024-01-07""#;
    let years = r#""start_date":"2020-01-01","end_date":"2024-01-01""#;
    let hundreds = (1..=12).flat_map(|month| (1..=28).map(move |day| (month, day)));
    let hundreds = hundreds.map(|(month, day)| format!(r#""2023-{month:02}-{day:02}""#));
    let hundreds = format!(r#""dates":[{}]"#, hundreds.collect::<Vec<_>>().join(","));
    let absent = [
        unit(r#""week""#, days, "/end_date"),
        unit(r#""month""#, days, "/end_date"),
        unit(
            r#""week""#,
            r#""dates":["2024-01-01","2024-01-02"]"#,
            "/dates/1",
        ),
        unit(r#""month""#, r#""dates":["2024-01-31"]"#, "/dates/0"),
        unit(r#""hour""#, r#""dates":["2999-01-01"]"#, "/dates/0"),
    ];
    let large = [
        unit(r#""hour""#, years, "/end_date"),
        unit(r#""hour""#, &hundreds, "/dates"),
    ];
    // The pipeline has no schedule.
    let invalid = [r#""tick""#, r#""days""#, r#""Hour""#, "null", "3600"];
    let rows = [
        all(422, "range-invalid", absent),
        all(422, "backfill-too-large", large),
        all(
            422,
            "invalid-field",
            invalid.map(|word| unit(word, days, "/unit")),
        ),
    ];
    rows.concat()
}
