//! Bounds of the patterns of parameters. They are fixed, since together they bound the time of a
//! check, which is the product of the number of patterns, their compiled sizes and the values.

/// The number of patterns of a pipeline. 8: a check of values that are chosen to be slow takes
/// some tens of milliseconds in all.
pub(crate) const PATTERNS_MAX: usize = 8;
/// The number of bytes of a pattern. 256: two lines of text.
pub(crate) const PATTERN_BYTES_MAX: usize = 256;
/// The number of bytes of a compiled pattern. 8 KiB: a hundred repeated characters.
pub(crate) const PATTERN_COMPILED_BYTES_MAX: usize = 8 * 1024;
/// The nesting of groups in a pattern. 20: a parser recurses that deep.
pub(crate) const PATTERN_NESTING_MAX: u32 = 20;
/// The number of bytes of a value that a pattern matches. 256: an identifier or a path.
pub(crate) const PATTERN_VALUE_BYTES_MAX: usize = 256;
