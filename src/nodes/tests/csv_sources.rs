//! How a CSV source reads the shapes of real files: quotes, delimiters, headers, comments and
//! uneven records.

use serde_json::{Value, json};

use super::{TestDir, call, rows};
use crate::executor::Executor;
use crate::nodes::SourceFile;

async fn read(text: &str, mut config: Value) -> Value {
    config["path"] = json!("a.csv");
    let test_dir = TestDir::new();
    test_dir.write("a.csv", text);
    json!(rows(test_dir.read(config).await.unwrap()))
}

async fn refused(text: &str, mut config: Value) -> String {
    config["path"] = json!("a.csv");
    let test_dir = TestDir::new();
    test_dir.write("a.csv", text);
    test_dir.message(test_dir.read(config).await)
}

#[tokio::test]
async fn a_quote_in_a_wrong_place_is_an_error_with_its_line() {
    for (text, message) in [
        (
            "id,n\n1,a\n2,\"5 in\n3,c\n4,d\n",
            "line 3, column 3 of a.csv: the quote before \"5 in\" is never closed",
        ),
        (
            "a\n\"é\"b\n",
            "line 2, column 1 of a.csv: the quoted field that begins here is closed before line 2, \
             column 4, where \"b\" follows instead of a delimiter: double a quote inside a quoted \
             field, or set escape",
        ),
        (
            "a\n\"x\\\"y\"\n",
            "line 2, column 1 of a.csv: the quoted field that begins here is closed before line 2, \
             column 5, where \"y\" follows instead of a delimiter: double a quote inside a quoted \
             field, or set escape",
        ),
        (
            "a,b\n1,5\" pipe\n",
            "line 2, column 4 of a.csv: a quote \"\\\"\" inside a field that does not begin with one: \
             quote the field and double its quotes, or set quote to false",
        ),
        (
            "\"a\";\"b\"\n\"1\";\"2\"\n",
            "line 1, column 1 of a.csv: the quoted field that begins here is closed before line 1, \
             column 4, where \";\" follows instead of a delimiter: set delimiter to \";\"",
        ),
        (
            "a\n1\n\"2\r\n\n\"x",
            "line 3, column 1 of a.csv: the quoted field that begins here is closed before line 5, \
             column 2, where \"x\" follows instead of a delimiter: double a quote inside a quoted \
             field, or set escape",
        ),
    ] {
        assert_eq!(refused(text, json!({})).await, message);
    }
}

#[tokio::test]
async fn quotes_and_escapes_are_what_the_config_says() {
    assert_eq!(
        read("a,b\n\"x\\\"y\",\\,z\\\\\n", json!({"escape": "\\"})).await,
        json!([{"a": "x\"y", "b": ",z\\"}])
    );
    assert_eq!(
        read("a,b\n5\" pipe,\"x\n", json!({"quote": false})).await,
        json!([{"a": "5\" pipe", "b": "\"x"}])
    );
    assert_eq!(
        read("a,b\n'x,''y',\"\n", json!({"quote": "'"})).await,
        json!([{"a": "x,'y", "b": "\""}])
    );
    assert_eq!(
        refused("a\nx\\", json!({"escape": "\\"})).await,
        "line 2, column 2 of a.csv: nothing follows the escape character"
    );
}

#[tokio::test]
async fn another_delimiter_is_noticed_and_proposed() {
    for (text, found, delimiter) in [
        ("a;b\n1;2\n", "a;b", ";"),
        ("a\tb\n1\t2\n", "a\\tb", "\\t"),
        ("a|b\n", "a|b", "|"),
        ("sep=;\na;b\n1;2\n", "sep=;", ";"),
    ] {
        assert_eq!(
            refused(text, json!({})).await,
            format!(
                "line 1 of a.csv: the only field is \"{found}\": set delimiter to \"{delimiter}\", \
                 or to \",\" if the file has one column"
            )
        );
    }
    let expected = json!([{"a": 1, "b": 2}]);
    assert_eq!(
        read("a;b\n1;2\n", json!({"delimiter": ";"})).await,
        expected
    );
    assert_eq!(
        read("sep=;\na;b\n1;2\n", json!({"delimiter": ";"})).await,
        expected
    );
    assert_eq!(
        read("a\tb\n1\t2\n", json!({"format": "tsv"})).await,
        expected
    );
    assert_eq!(
        read("a;b\n1;2\n", json!({"delimiter": ","})).await,
        json!([{"a;b": "1;2"}])
    );
    assert_eq!(read("\"a;b\"\nx\n", json!({})).await, json!([{"a;b": "x"}]));
}

#[tokio::test]
async fn the_names_come_from_the_header_or_from_the_config() {
    let text = "x,y\n1,2\n";
    assert_eq!(
        read(text, json!({"header": false})).await,
        json!([{"column_1": "x", "column_2": "y"}, {"column_1": "1", "column_2": "2"}])
    );
    assert_eq!(
        read(text, json!({"header": ["a", "b"], "skip_lines": 1})).await,
        json!([{"a": 1, "b": 2}])
    );
    assert_eq!(
        refused(text, json!({"header": ["a"]})).await,
        "line 1 of a.csv: it has 2 fields, not 1"
    );
    assert_eq!(
        read("a,a,a_2,a\n1,2,3,4\n", json!({"duplicate_names": "suffix"})).await,
        json!([{"a": 1, "a_3": 2, "a_2": 3, "a_4": 4}])
    );
}

#[tokio::test]
async fn lines_that_are_no_records_are_skipped() {
    let text = "a report\n\"of today\n#x\na,b\n\n1,2\n# 3,\"4\n5,6\n\n\n";
    assert_eq!(
        read(text, json!({"skip_lines": 2, "comment": "#"})).await,
        json!([{"a": 1, "b": 2}, {"a": 5, "b": 6}])
    );
    assert_eq!(
        read("a\r1\r\r\n2", json!({})).await,
        json!([{"a": 1}, {"a": 2}])
    );
    assert_eq!(
        refused("a,b\r\n1,2\r\n\r\n3\r\n", json!({})).await,
        "line 4 of a.csv: it has 1 fields, not 2 (set ragged to \"pad\" to fill them with null)"
    );
}

#[tokio::test]
async fn short_records_are_padded_and_long_ones_never_cut() {
    let config = json!({"ragged": "pad"});
    assert_eq!(
        read("a,b,c\n1\n1,2\n", config.clone()).await,
        json!([{"a": 1, "b": null, "c": null}, {"a": 1, "b": 2, "c": null}])
    );
    assert_eq!(
        refused("a,b\n1,2,3\n", config).await,
        "line 2 of a.csv: it has 3 fields, not 2"
    );
}

#[tokio::test]
async fn oddities_are_in_the_log() {
    let test_dir = TestDir::new();
    test_dir.write("a.csv", "a,a,\n1,2\n\n3,4,5\n");
    let (log, lines) = super::recorded();
    let mut call = call(
        json!({"path": "a.csv", "duplicate_names": "suffix", "ragged": "pad"}),
        [],
    );
    call.ctx.log = log;
    call.ctx.row_limit = Some(2);
    SourceFile::new(test_dir.dir.clone())
        .execute(call)
        .await
        .unwrap();
    assert_eq!(
        lines.take(),
        [
            "Warning: column 2 is another \"a\" and is called \"a_2\"",
            "Warning: column 3 has no name",
            "Warning: 1 records with too few fields were filled with null, the first at line 2",
            "Warning: 1 blank lines were skipped, the first at line 3",
            "Warning: the types are inferred from the first 2 rows only",
        ]
    );
}
