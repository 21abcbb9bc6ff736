//! Tests of small files that become very large while they are read.

use std::io::{Read, Write};

use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::super::SourceFile;
use super::super::blocking::StopCheck;
use super::super::compression::{Compression, Compressor};
use super::super::format::Format;
use super::super::read::{Bounds, document, open};
use super::{TestDir, call};
use crate::DatasetLimits;
use crate::executor::Executor;

#[test]
fn a_stop_ends_the_reading_of_a_file_that_is_small_only_while_compressed() {
    for compression in [Compression::Gzip, Compression::Zstd] {
        let mut compressed = Vec::new();
        let mut out = Compressor::new(&mut compressed, compression).unwrap();
        out.write_all(&vec![b' '; 4 * 1024 * 1024]).unwrap();
        out.finish().unwrap();
        let token = CancellationToken::new();
        let stop = StopCheck::with(token.clone());
        let mut text = open(&compressed[..], compression, None, &stop).unwrap();
        text.read_exact(&mut [0; 1024]).unwrap();
        token.cancel();
        let stopped = text.read_to_end(&mut Vec::new());
        assert_eq!(stopped.unwrap_err().to_string(), "stopped");
    }
}

#[test]
fn a_record_of_endless_empty_fields_is_refused() {
    let stop = StopCheck::never();
    for (start, line) in [(&b""[..], 1), (b"a\n", 2)] {
        let endless = start.chain(std::io::repeat(b','));
        let bounds = Bounds {
            rows_max: usize::MAX,
            limits: DatasetLimits::default(),
        };
        let error = document(endless, Format::Csv, bounds, &stop).unwrap_err();
        assert_eq!(
            error.into_executor_error("the output").message(),
            format!(
                "line {line} of the output: it has more than 4096 fields, and a dataset has at \
                 most 4096 columns"
            )
        );
    }
}

#[tokio::test]
async fn a_repeated_name_is_numbered_in_one_pass() {
    let test_dir = TestDir::new();
    let header = vec!["a"; 20_000].join(",");
    test_dir.write("a.csv", header.as_str());
    let mut call = call(json!({"path": "a.csv", "duplicate_names": "suffix"}), []);
    call.ctx.dataset_limits.columns_max = 20_000;
    let source = SourceFile::new(test_dir.dir.clone());
    let read = source.execute(call).await.unwrap();
    let crate::executor::Output::Dataset(dataset) = read else {
        panic!("the node has no output");
    };
    assert_eq!(dataset.columns()[19_999], "a_20000");
}
