//! Files in other encodings, with byte order marks, and compressed ones.

use std::io::Write;

use serde_json::{Value, json};

use super::{TestDir, rows};

async fn read(name: &str, bytes: &[u8], mut config: Value) -> Result<Value, String> {
    config["path"] = json!(name);
    let test_dir = TestDir::new();
    test_dir.write(name, bytes);
    match test_dir.read(config).await {
        Ok(output) => Ok(json!(rows(output))),
        failed => Err(test_dir.message(failed)),
    }
}

fn utf_16(text: &str, to_bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(to_bytes).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn a_byte_order_mark_names_the_encoding() {
    for (name, text) in [
        ("a.csv", "a,b\né,1\n"),
        ("a.ndjson", "{\"a\":\"é\",\"b\":1}\n"),
        ("a.json", "[{\"a\":\"é\",\"b\":1}]"),
    ] {
        let marked = format!("\u{feff}{text}");
        for bytes in [
            marked.clone().into_bytes(),
            utf_16(&marked, u16::to_le_bytes),
            utf_16(&marked, u16::to_be_bytes),
        ] {
            let expected = json!([{"a": "é", "b": 1}]);
            assert_eq!(read(name, &bytes, json!({})).await.unwrap(), expected);
            let compressed = format!("{name}.gz");
            let gzipped = gzip(&bytes);
            assert_eq!(
                read(&compressed, &gzipped, json!({})).await.unwrap(),
                expected
            );
        }
    }
}

#[tokio::test]
async fn an_encoding_is_set_or_proposed() {
    let latin = json!({"encoding": "windows-1252"});
    assert_eq!(
        read("a.csv", b"a\n\xe9\x80\n", latin).await.unwrap(),
        json!([{"a": "é€"}])
    );
    let unmarked = utf_16("a,b\n1,2\n", u16::to_le_bytes);
    assert_eq!(
        read("a.csv", &unmarked, json!({})).await.unwrap_err(),
        "line 1 of a.csv: it has NUL characters: set encoding, for example to \"utf-16le\""
    );
    assert_eq!(
        read("a.csv", &unmarked, json!({"encoding": "utf-16le"}))
            .await
            .unwrap(),
        json!([{"a": 1, "b": 2}])
    );
    let cut = [&utf_16("a\n1\n", u16::to_le_bytes)[..], b"x"].concat();
    assert_eq!(
        read("a.csv", &cut, json!({"encoding": "utf-16le"}))
            .await
            .unwrap_err(),
        "line 3 of a.csv: it is not UTF-16LE"
    );
}

#[tokio::test]
async fn long_texts_are_converted_at_any_boundary() {
    let mut text = "a,b\n".to_owned();
    (0..30_000).for_each(|number| text.push_str(&format!("é😀{number},x\n")));
    let bytes = utf_16(&text, u16::to_be_bytes);
    let read = read("a.csv", &bytes, json!({"encoding": "utf-16be"}))
        .await
        .unwrap();
    assert_eq!(read.as_array().unwrap().len(), 30_000);
    assert_eq!(read[29_999]["a"], "é😀29999");
}

#[tokio::test]
async fn damaged_compression_is_content_and_members_are_joined() {
    let whole = gzip(b"a\n1\n");
    let joined = [whole.clone(), gzip(b"2\n")].concat();
    assert_eq!(
        read("a.csv.gz", &joined, json!({})).await.unwrap(),
        json!([{"a": 1}, {"a": 2}])
    );
    let packed = zstd::encode_all(&b"a\n1\n"[..], 1).unwrap();
    let frames = [packed.clone(), zstd::encode_all(&b"2\n"[..], 1).unwrap()].concat();
    assert_eq!(
        read("a.csv.zst", &frames, json!({})).await.unwrap(),
        json!([{"a": 1}, {"a": 2}])
    );
    for (name, bytes) in [
        ("a.csv.gz", &whole[..whole.len() - 4]),
        ("a.csv.gz", b"a\n1\n"),
        ("a.csv.zst", &packed[..packed.len() - 2]),
        ("a.csv.zst", b"a\n1\n"),
    ] {
        let message = read(name, bytes, json!({})).await.unwrap_err();
        let expected = format!("{name}: its compressed data is damaged: ");
        assert!(message.starts_with(&expected), "{message}");
    }
}
