//! Files that change while a source reads them.

use std::fs::File;
use std::io::Write;

use super::super::blocking::StopCheck;
use super::super::compression::{Compression, Compressor};
use super::super::format::Format;
use super::super::read::{Bounds, CsvOptions, WholeFile, open, rows};
use crate::DatasetLimits;
use crate::executor::ExecutorError;

/// Reads a CSV file with 100,000 rows that `change` changes after the first part of it is read.
/// Returns the number of rows.
fn read_while(
    compression: Compression,
    change: impl FnOnce(File, u64),
) -> Result<usize, ExecutorError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.csv");
    let mut out = Compressor::new(File::create(&path).unwrap(), compression).unwrap();
    // Numbers that repeat late, so that the compressed file is larger than a buffer, too.
    let numbers = (0..100_000_u64).map(|row| row.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    out.write_all(b"a\n").unwrap();
    numbers.for_each(|number| writeln!(out, "{number}").unwrap());
    out.finish().unwrap();
    let file = WholeFile::new(File::open(&path).unwrap()).unwrap();
    let stop = StopCheck::never();
    let text = open(file, compression, None, &stop).unwrap();
    let file = File::options().append(true).open(&path).unwrap();
    let length = file.metadata().unwrap().len();
    change(file, length);
    let bounds = Bounds {
        rows_max: usize::MAX,
        limits: DatasetLimits::default(),
    };
    rows(text, Format::Csv, &CsvOptions::default(), bounds)
        .map(|table| table.builder.row_count())
        .map_err(|error| error.into_executor_error("a.csv"))
}

#[test]
fn a_file_that_becomes_shorter_is_a_retryable_error() {
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let unchanged = read_while(compression, |_, _| {});
        assert_eq!(unchanged.unwrap(), 100_000, "{compression:?}");
        let shortened = read_while(compression, |file, length| {
            file.set_len(length - length / 4).unwrap();
        });
        let error = shortened.unwrap_err();
        assert_eq!(
            error.message(),
            "file a.csv became shorter while it was read"
        );
        assert!(error.is_retryable());
    }
}

#[test]
fn a_file_that_grows_has_the_rows_that_are_there_when_its_end_is_read() {
    let grown = read_while(Compression::None, |mut file, _| {
        file.write_all(b"1\n2\n").unwrap();
    });
    assert_eq!(grown.unwrap(), 100_002);
}
