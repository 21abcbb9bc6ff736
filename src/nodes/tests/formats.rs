//! What sources read from each file format, and that they read what sinks wrote.

use serde_json::{Value, json};

use super::{TestDir, call, rows};
use crate::executor::{Executor, Output};
use crate::nodes::{SinkFile, SourceFile};

async fn read(name: &str, text: impl AsRef<[u8]>) -> Value {
    let test_dir = TestDir::new();
    test_dir.write(name, text);
    json!(rows(test_dir.read(json!({"path": name})).await.unwrap()))
}

async fn refused(name: &str, text: impl AsRef<[u8]>) -> String {
    let test_dir = TestDir::new();
    test_dir.write(name, text);
    test_dir.message(test_dir.read(json!({"path": name})).await)
}

#[tokio::test]
async fn a_csv_file_has_typed_rows_and_nulls() {
    let text = "\u{feff}id,zip,name,price\n1,00501,\"a, \"\"b\"\"\",2\r\n2,10001,,2.5\n";
    assert_eq!(
        read("data.CSV", text).await,
        json!([
            {"id": 1, "zip": "00501", "name": "a, \"b\"", "price": 2},
            {"id": 2, "zip": "10001", "name": null, "price": 2.5},
        ])
    );
}

#[tokio::test]
async fn csv_types_are_inferred_over_the_whole_file_unless_disabled() {
    let mut text = "n,m\n".to_owned();
    (0..5_000).for_each(|number| text.push_str(&format!("{number},1\n")));
    text.push_str("x,2\n");
    let test_dir = TestDir::new();
    test_dir.write("data.csv", &text);
    let rows_of = async |config| rows(test_dir.read(config).await.unwrap());
    let inferred = rows_of(json!({"path": "data.csv"})).await;
    assert_eq!(json!(inferred[7]), json!({"n": "7", "m": 1}));
    let plain = rows_of(json!({"path": "data.csv", "infer": false})).await;
    assert_eq!(json!(plain[5_000]), json!({"n": "x", "m": "2"}));
}

#[tokio::test]
async fn json_lines_and_arrays_have_their_objects() {
    let expected = json!([{"b": 1.0, "a": [1, {"c": null}]}, {"a": u64::MAX}]);
    let lines = "{\"b\":1.0,\"a\":[1,{\"c\":null}]}\r\n\n  {\"a\":18446744073709551615}";
    assert_eq!(read("data.ndjson", lines).await, expected);
    assert_eq!(read("data.jsonl", lines).await, expected);
    assert_eq!(read("data.json", expected.to_string()).await, expected);
    assert_eq!(read("empty.json", " [ ] ").await, json!([]));
    assert_eq!(read("header.csv", "a,b\n").await, json!([]));
}

/// Files, their texts, and what is wrong with them.
const INVALID: &[(&str, &[u8], &str)] = &[
    (
        "a.csv",
        b"a,b\n1,2\n3\n",
        "line 3 of a.csv: it has 1 fields, not 2 (set ragged to \"pad\" to fill them with null)",
    ),
    (
        "a.csv",
        b"a,b\n1,2,3\n",
        "line 2 of a.csv: it has 3 fields, not 2",
    ),
    (
        "a.csv",
        b"a,b\n1,2\n3,\xff\n",
        "line 3, column 3 of a.csv: the field is not UTF-8: set encoding, for example to \
             \"windows-1252\"",
    ),
    (
        "a.csv",
        b"a,b,a\n",
        "line 1 of a.csv: the column \"a\" appears twice (set duplicate_names to \"suffix\" to \
             rename it)",
    ),
    (
        "a.ndjson",
        b"{}\n\n[1]\n",
        "line 3 of a.ndjson: an array is not a JSON object at column 1",
    ),
    (
        "a.ndjson",
        b"\n [\n{\"a\":1}\n]\n",
        "line 2 of a.ndjson: an array is not a JSON object at column 2: set format to \"json\" if \
             the file is one array",
    ),
    (
        "a.ndjson",
        b"[{\"a\":1}]\n",
        "line 1 of a.ndjson: an array is not a JSON object at column 1: set format to \"json\" if \
             the file is one array",
    ),
    (
        "a.ndjson",
        b"\"x\"\n",
        "line 1 of a.ndjson: the text \"x\" is not a JSON object at column 3",
    ),
    (
        "a.ndjson",
        b"{\"a\":1,\"a\":2}\n",
        "line 1 of a.ndjson: the key \"a\" comes twice at column 13",
    ),
    (
        "a.ndjson",
        b"{\"o\":{\"a\":1,\"a\":2}}\n",
        "line 1 of a.ndjson: the key \"a\" comes twice at column 19",
    ),
    (
        "a.ndjson",
        b"{\"a\":[1e999]}\n",
        "line 1 of a.ndjson: the number 1e999 is too large at column 13",
    ),
    (
        "a.ndjson",
        b"{\"a\":",
        "line 1 of a.ndjson: EOF while parsing a value at column 5",
    ),
    (
        "a.json",
        b"[{},\n5]",
        "line 2, column 1 of a.json: `5` instead of a JSON object",
    ),
    (
        "a.json",
        b"[{},\n {\"a\":1,\"a\":2}]",
        "line 2, column 2 of a.json: in the row that begins here: the key \"a\" comes twice at \
             column 13",
    ),
    (
        "a.json",
        b"{}",
        "line 1, column 1 of a.json: `{` instead of an array of JSON objects: set format to \
             \"ndjson\" if each line is one object",
    ),
    (
        "a.json",
        b"[{}",
        "line 1, column 4 of a.json: the array is never closed",
    ),
    (
        "a.json",
        b"[{},]",
        "line 1, column 5 of a.json: a JSON object is missing",
    ),
    (
        "a.json",
        b"[{} {}]",
        "line 1, column 2 of a.json: in the row that begins here: trailing characters at column 4",
    ),
    (
        "a.json",
        b"[{}}",
        "line 1, column 4 of a.json: `}` instead of a comma",
    ),
    (
        "a.json",
        b"[] []",
        "line 1, column 4 of a.json: `[` instead of nothing after the array",
    ),
];

#[tokio::test]
async fn an_invalid_line_is_named() {
    for (name, text, message) in INVALID {
        assert_eq!(refused(name, text).await, *message);
    }
}

#[tokio::test]
async fn the_digits_and_the_order_of_json_stay() {
    let line = "{\"id\":36893488147419103232,\"x\":1234567890123456.78,\"p\":19.90,\
                \"o\":{\"b\":1.50,\"a\":[1E5]}}\n";
    let array = format!("[\n{line}]");
    for (name, text) in [("a.ndjson", line), ("a.json", array.as_str())] {
        let test_dir = TestDir::new();
        test_dir.write(name, format!("\u{feff}{text}"));
        let Ok(Output::Dataset(dataset)) = test_dir.read(json!({"path": name})).await else {
            panic!("no dataset");
        };
        let preview = dataset.preview(1, 1024).unwrap();
        assert_eq!(preview.rows[0]["id"], json!("36893488147419103232"));
        let stored = call(json!({"path": "out.ndjson"}), [dataset]);
        SinkFile::new(test_dir.dir.clone())
            .execute(stored)
            .await
            .unwrap();
        assert_eq!(test_dir.text("out.ndjson"), line);
    }
}

#[tokio::test]
async fn a_source_stops_at_the_row_limit() {
    let test_dir = TestDir::new();
    // The rest is no row: reading it would fail.
    test_dir.write("a.csv", "a\n1\n2\n3,3\n");
    test_dir.write("a.ndjson", "{\"a\":1}\n{\"a\":2}\nx");
    test_dir.write("a.json", "[{\"a\":1},{\"a\":2},x");
    for path in ["a.csv", "a.ndjson", "a.json"] {
        let mut call = call(json!({"path": path}), []);
        call.ctx.row_limit = Some(2);
        let output = SourceFile::new(test_dir.dir.clone()).execute(call).await;
        assert_eq!(
            json!(rows(output.unwrap())),
            json!([{"a": 1}, {"a": 2}]),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_cancelled_source_reads_no_file() {
    let test_dir = TestDir::new();
    test_dir.write("a.csv", "a\n1\n");
    let call = call(json!({"path": "a.csv"}), []);
    call.ctx.cancel.cancel();
    let output = SourceFile::new(test_dir.dir.clone()).execute(call).await;
    assert_eq!(output.unwrap_err().message(), "stopped before it finished");
}

#[tokio::test]
async fn a_source_reads_what_a_sink_wrote() {
    let test_dir = TestDir::new();
    let written = json!([
        {"id": 1, "text": "a,\"b\"\nc", "code": "007", "ratio": 0.1, "ok": true, "none": null},
        {"id": -2, "text": "é", "code": "01", "ratio": 1e300, "ok": false, "none": null},
    ]);
    for path in [
        "out.csv",
        "out.tsv",
        "out.csv.gz",
        "out.csv.zst",
        "deep/er/out.ndjson",
        "out.ndjson.gz",
        "out.json",
        "out.json.zst",
    ] {
        test_dir
            .store(json!({"path": path}), written.clone())
            .await
            .unwrap();
        let read = rows(test_dir.read(json!({"path": path})).await.unwrap());
        assert_eq!(json!(read), written, "{path}");
    }
    let mixed = json!([{"a": 1, "b": [1, null]}, {"a": "x", "b": {"c": 1}}, {"a": null}]);
    test_dir
        .store(json!({"path": "mixed.ndjson"}), mixed.clone())
        .await
        .unwrap();
    assert_eq!(
        json!(rows(
            test_dir
                .read(json!({"path": "mixed.ndjson"}))
                .await
                .unwrap()
        )),
        mixed
    );
    test_dir
        .store(json!({"path": "mixed.csv"}), mixed)
        .await
        .unwrap();
    assert_eq!(
        test_dir.text("mixed.csv"),
        "a,b\n1,\"[1,null]\"\nx,\"{\"\"c\"\":1}\"\n,\n"
    );
}

#[tokio::test]
async fn the_penguins_are_read_with_their_types() {
    let dir = crate::nodes::DataDir::open("examples/data").unwrap();
    let output = SourceFile::new(dir)
        .execute(call(json!({"path": "penguins.csv"}), []))
        .await;
    let Output::Dataset(penguins) = output.unwrap() else {
        panic!("no dataset");
    };
    let profile = penguins.profile().unwrap();
    let found: Vec<_> = profile
        .columns
        .iter()
        .map(|column| {
            (
                column.name.as_str(),
                column.kind.as_str(),
                column.null_count,
            )
        })
        .collect();
    assert_eq!(profile.row_count, 344);
    assert_eq!(
        found,
        [
            ("species", "string", 0),
            ("island", "string", 0),
            ("bill_length_mm", "float", 2),
            ("bill_depth_mm", "float", 2),
            ("flipper_length_mm", "integer", 2),
            ("body_mass_g", "integer", 2),
            ("sex", "string", 11),
            ("year", "integer", 0),
        ]
    );
}

#[tokio::test]
async fn a_row_is_limited_but_not_the_file() {
    let test_dir = TestDir::new();
    let array = |text: &str| format!("[{0},{0},{0}]", json!({"a": text}));
    for (path, fits, exceeds) in [
        (
            "a.csv",
            "a\n12345\n12345\n".to_owned(),
            "a\n\"1234567890\"\n".to_owned(),
        ),
        (
            "a.ndjson",
            "{\"a\":1}\n{\"a\":2}\n".to_owned(),
            "{\"a\":12345}\n".to_owned(),
        ),
        ("a.json", array("1"), array("123456")),
    ] {
        let read = async |text: &str| {
            test_dir.write(path, text);
            let mut call = call(json!({"path": path}), []);
            call.ctx.dataset_limits.row_bytes_max = 9;
            SourceFile::new(test_dir.dir.clone()).execute(call).await
        };
        read(&fits)
            .await
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        let message = test_dir.message(read(&exceeds).await);
        assert!(message.contains("is longer than 9 bytes"), "{message}");
    }
}

#[test]
fn a_row_without_an_end_is_refused_before_it_fills_memory() {
    use super::super::blocking::StopCheck;
    use super::super::format::Format;
    use super::super::read::{Bounds, document};
    use std::io::Read;

    let stop = StopCheck::never();
    for (format, start) in [
        (Format::Json, &b"[{\"a\": \""[..]),
        (Format::Ndjson, b"{\"a\": \""),
        (Format::Csv, b"a\n\""),
        (Format::Csv, b"a\n"),
    ] {
        let endless = start.chain(std::io::repeat(b'x'));
        let bounds = Bounds {
            rows_max: usize::MAX,
            limits: crate::DatasetLimits::default(),
        };
        let error = document(endless, format, bounds, &stop).unwrap_err();
        let message = error.into_executor_error("the output").to_string();
        assert!(
            message.contains("is longer than 33554432 bytes"),
            "{message}"
        );
    }
}
