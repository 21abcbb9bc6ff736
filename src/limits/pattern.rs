//! Bounds of the patterns of parameters. They are fixed, since they bound the time of a match.

/// The number of bytes of a pattern. 256: two lines of text.
pub(crate) const PATTERN_BYTES_MAX: usize = 256;
/// The number of bytes of a compiled pattern. 32 KiB: some hundreds of repeated characters.
pub(crate) const PATTERN_COMPILED_BYTES_MAX: usize = 32 * 1024;
/// The nesting of groups in a pattern. 20: a parser recurses that deep.
pub(crate) const PATTERN_NESTING_MAX: u32 = 20;
/// The number of bytes of a value that a pattern matches. 4 KiB: a match takes some milliseconds at
/// worst.
pub(crate) const PATTERN_VALUE_BYTES_MAX: usize = 4 * 1024;
