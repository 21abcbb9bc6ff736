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

/// Reads the field `encoding` of a file that is written.
pub(super) fn read_output_encoding(fields: &mut ConfigFields<'_>) -> Option<&'static Encoding> {
    let encoding = read_encoding(fields)?;
    if encoding.output_encoding() != encoding {
        fields.refuse(
            "/encoding",
            "a sink writes UTF-8 or an encoding of single characters, not UTF-16",
        );
    }
    Some(encoding)
}
