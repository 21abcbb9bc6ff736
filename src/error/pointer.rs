//! JSON pointers (RFC 6901), which say where an issue is.
//!
//! Callers build the pointers; `serde_json` follows them.

/// Returns a key as a reference token of a JSON pointer (RFC 6901, section 3).
pub(crate) fn reference_token(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_escaped_as_a_reference_token() {
        assert_eq!(reference_token("a/b~c"), "a~1b~0c");
    }
}
