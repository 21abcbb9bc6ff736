//! Reading and writing never change a value's text unless the pipeline asks for a type.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{TestDir, call, dataset, rows};
use crate::executor::{Executor, Output};
use crate::nodes::{SinkFile, SourceFile};

async fn typed(text: &str, config: Value) -> Result<Value, String> {
    let mut config = config;
    config["path"] = json!("a.csv");
    let test_dir = TestDir::new();
    test_dir.write("a.csv", text);
    match test_dir.read(config).await {
        Ok(output) => Ok(json!(rows(output))),
        failed => Err(test_dir.message(failed)),
    }
}

#[tokio::test]
async fn a_column_that_numbers_would_change_stays_text() {
    for texts in [
        ["1E5", "10E4"],
        ["3.1", "3.10"],
        ["19.90", "7"],
        ["32E0134", "1"],
        ["TRUE", "true"],
        ["0E12", "0E13"],
        ["007", "1"],
        ["36893488147419103232", "1"],
    ] {
        let read = typed(&format!("a\n{}\n{}\n", texts[0], texts[1]), json!({})).await;
        assert_eq!(read.unwrap(), json!([{"a": texts[0]}, {"a": texts[1]}]));
    }
}

#[tokio::test]
async fn given_types_convert_and_refuse_what_does_not_fit() {
    let text = "id,amount,ratio,ok,on,at,zip\n007,19.9,1E5,TRUE,2024-01-15,2024-01-15 08:00:00,1\n\
                8,,,no,,,2\n";
    let types = json!({"types": {"id": "integer", "amount": "decimal(12,2)", "ratio": "float",
        "ok": "boolean", "on": "date", "at": "timestamp", "zip": "text"}});
    let first = json!({"id": 7, "amount": 19.9, "ratio": 1e5, "ok": true, "on": "2024-01-15",
        "at": "2024-01-15T08:00:00", "zip": "1"});
    let second = json!({"id": 8, "amount": null, "ratio": null, "ok": false, "on": null, "at": null,
        "zip": "2"});
    assert_eq!(typed(text, types).await.unwrap(), json!([first, second]));
    assert_eq!(
        typed(
            "id,x\n1,\"a\nb\"\nx,c\n",
            json!({"types": {"id": "integer"}})
        )
        .await,
        Err(
            "line 4 of a.csv: the column \"id\" has \"x\", which is not of the type integer"
                .to_owned()
        )
    );
    assert_eq!(
        typed("amount\n1\n", json!({"types": {"amuont": "float"}})).await,
        Err(
            "a.csv: types names the column \"amuont\", which is not there; did you mean \"amount\"?"
                .to_owned()
        )
    );
}

#[tokio::test]
async fn a_decimal_keeps_its_scale_in_every_format() {
    let test_dir = TestDir::new();
    test_dir.write("a.csv", "p\n19.9\n7\n");
    for (path, expected) in [
        ("out.csv", "p\n19.90\n7.00\n"),
        ("out.ndjson", "{\"p\":19.90}\n{\"p\":7.00}\n"),
    ] {
        let config = json!({"path": "a.csv", "types": {"p": "decimal(12,2)"}});
        let Ok(Output::Dataset(prices)) = test_dir.read(config).await else {
            panic!("no dataset");
        };
        let profile = prices.profile().unwrap();
        assert_eq!(profile.columns[0].kind, "float");
        let call = call(json!({"path": path}), [prices]);
        SinkFile::new(test_dir.dir.clone())
            .execute(call)
            .await
            .unwrap();
        assert_eq!(test_dir.text(path), expected);
    }
}

#[tokio::test]
async fn nulls_and_empty_texts_differ() {
    assert_eq!(
        typed("a,b\n,\"\"\n", json!({})).await.unwrap(),
        json!([{"a": null, "b": ""}])
    );
    assert_eq!(
        typed("a,b\nNA,\"\"\n", json!({"nulls": ["", "NA"]}))
            .await
            .unwrap(),
        json!([{"a": null, "b": null}])
    );
    assert_eq!(
        typed("a,b\n,-\n", json!({"nulls": ["-"]})).await.unwrap(),
        json!([{"a": "", "b": null}])
    );
    let database = json!({"quote": false, "escape": "\\", "nulls": ["\\N"]});
    assert_eq!(
        typed("a,b,c\n\\N,N,\\\\N\n", database).await.unwrap(),
        json!([{"a": null, "b": "N", "c": "\\N"}])
    );
    assert_eq!(
        typed("a\n\"\"\n1\n", json!({})).await.unwrap(),
        json!([{"a": null}, {"a": 1}])
    );
}

#[tokio::test]
async fn a_sink_writes_the_dialect_that_a_source_reads() {
    let values = json!([
        {"a": "x;y", "b": "5\" pipe", "c": "a\nb"},
        {"a": "", "b": null, "c": "\\"},
        {"a": "NA", "b": "'", "c": "é"},
        {"a": "N", "b": "\\N", "c": null},
    ]);
    for config in [
        json!({}),
        json!({"delimiter": ";"}),
        json!({"quote": "'"}),
        json!({"escape": "\\"}),
        json!({"delimiter": "\t", "quote": "'", "escape": "^"}),
        json!({"encoding": "windows-1252"}),
        json!({"escape": "\\", "null": "\\N", "nulls": ["\\N"]}),
        json!({"delimiter": "\t", "quote": "'", "escape": "\\", "null": "\\N", "nulls": ["\\N"]}),
    ] {
        let mut config = config;
        config["path"] = json!("out.csv");
        let test_dir = TestDir::new();
        test_dir
            .store(config.clone(), values.clone())
            .await
            .unwrap();
        config["infer"] = json!(false);
        let read = rows(test_dir.read(config.clone()).await.unwrap());
        assert_eq!(json!(read), values, "{config}");
    }
}

#[tokio::test]
async fn a_sink_refuses_what_its_file_cannot_hold() {
    let test_dir = TestDir::new();
    let equals_null = "in row 1, a text that is equal to null needs quotes, and quote is false: \
                       set null to another text";
    let is_blank = "an empty text of the only column would be a blank line, and quote is false";
    for (config, row, message) in [
        (
            json!({"quote": false}),
            json!({"a": "1,2"}),
            "in row 1, a text needs quotes, and quote is false",
        ),
        (
            json!({"encoding": "windows-1252"}),
            json!({"a": "日"}),
            "in row 1, it has a character that windows-1252 does not have",
        ),
        (
            json!({"quote": false}),
            json!({"e": "", "z": null}),
            equals_null,
        ),
        (
            json!({"quote": false, "escape": "\\"}),
            json!({"e": "", "z": null}),
            equals_null,
        ),
        (
            json!({"quote": false, "null": "NA"}),
            json!({"e": "NA", "z": ""}),
            equals_null,
        ),
        (
            json!({"quote": false, "null": "-1"}),
            json!({"e": -1, "z": 1}),
            equals_null,
        ),
        (
            json!({"quote": false, "null": "NA"}),
            json!({"a": ""}),
            &format!("in row 1, {is_blank}"),
        ),
        (
            json!({"quote": false, "null": "NA"}),
            json!({"": "x"}),
            &format!("in the header, {is_blank}"),
        ),
    ] {
        let mut config = config;
        config["path"] = json!("a.csv");
        let stored = test_dir.store(config.clone(), json!([row])).await;
        let expected = format!("a.csv is not written: {message}");
        assert_eq!(test_dir.message(stored), expected, "{config}");
        assert!(test_dir.names(".").is_empty());
    }
}

#[tokio::test]
async fn formulas_are_guarded_if_the_config_says_so() {
    let test_dir = TestDir::new();
    let values =
        json!([{"a": "=1+1", "b": "-5.20"}, {"a": " @x", "b": "-x"}, {"a": "x", "b": "+"}]);
    for (guard, expected) in [
        (true, "a,b\n'=1+1,-5.20\n' @x,'-x\nx,'+\n"),
        (false, "a,b\n=1+1,-5.20\n @x,-x\nx,+\n"),
    ] {
        let config = json!({"path": "a.csv", "guard_formulas": guard});
        test_dir.store(config, values.clone()).await.unwrap();
        assert_eq!(test_dir.text("a.csv"), expected);
    }
}

proptest! {
    #[test]
    fn what_a_sink_writes_is_what_a_source_reads(
        cells in vec(vec(option::of(prop_oneof!["[,;\"'\\\\N\n\r =0-9.]{0,4}", ".{0,6}"]), 2..=2), 1..6),
        delimiter in prop_oneof![Just(","), Just(";"), Just("\t")],
        escape in option::of(Just("\\")),
        null_text in option::of(prop_oneof![Just("NULL"), Just("\\N")]),
        has_quotes in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let values: Vec<_> = cells.iter().map(|row| json!({"a": row[0], "b": row[1]})).collect();
        let mut config = json!({"path": "a.csv", "delimiter": delimiter});
        if let Some(escape) = escape {
            config["escape"] = json!(escape);
        }
        // Without an escape, `\N` is a text like any other, and `nulls` has it in quotes, too.
        if let Some(text) = null_text.filter(|text| escape.is_some() || *text == "NULL") {
            (config["null"], config["nulls"]) = (json!(text), json!([text]));
        }
        if !has_quotes {
            config["quote"] = json!(false);
        }
        let test_dir = TestDir::new();
        let written = call(config.clone(), [dataset(json!(values))]);
        let stored = runtime.block_on(SinkFile::new(test_dir.dir.clone()).execute(written));
        if !has_quotes && stored.is_err() {
            // The dialect cannot express a text.
            return Ok(());
        }
        stored.unwrap();
        config["infer"] = json!(false);
        let output = runtime
            .block_on(SourceFile::new(test_dir.dir.clone()).execute(call(config, [])))
            .unwrap();
        prop_assert_eq!(json!(rows(output)), json!(values));
    }
}
