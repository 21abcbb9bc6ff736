//! The fuzz target of SQLite rows: text that a damaged file may hold.
//!
//! The effect of a damaged row on its run is left to the durable cases of the contract.

/// Decodes the text as every kind of stored text, which may fail but MUST NOT panic.
pub fn row(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        crate::storage::decode(text);
    }
}
