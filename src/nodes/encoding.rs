//! The encoding of a file, which the configs of sources and sinks name alike.
//!
//! `read` and `write` convert the text.

use encoding_rs::Encoding;

use super::config::ConfigFields;
use crate::error::quote;

/// Reads the field `encoding`.
pub(super) fn read_encoding(fields: &mut ConfigFields<'_>) -> Option<&'static Encoding> {
    let label = fields.text("encoding")?;
    let found = Encoding::for_label_no_replacement(label.as_bytes());
    if found.is_none() {
        let label = quote(label);
        fields.refuse(
            "/encoding",
            format!(
                "encoding is a label of the Encoding Standard, such as utf-8, utf-16le, \
                 windows-1252 or shift_jis, not {label}"
            ),
        );
    }
    found
}
