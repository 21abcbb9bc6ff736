//! Hexadecimal text of bytes (RFC 4648, section 8). Pure.

/// Returns the digits of bytes in lower case, two each.
pub(crate) fn encode(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads bytes from digits in either case, two each.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let digit = |digit: u8| char::from(digit).to_digit(16);
    let byte = |[high, low]: &[u8; 2]| u8::try_from(digit(*high)? << 4 | digit(*low)?).ok();
    let bytes: Option<Vec<u8>> = pairs.iter().map(byte).collect();
    bytes.filter(|_| rest.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_that_is_not_of_whole_bytes_is_none() {
        for (text, expected) in [
            ("", Some(vec![])),
            ("00fF", Some(vec![0, 0xff])),
            ("0", None),
            ("0g", None),
            ("+1", None),
            ("ä", None),
        ] {
            assert_eq!(decode(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn bytes_are_read_back(bytes: Vec<u8>) {
            prop_assert_eq!(decode(&encode(&bytes)), Some(bytes));
        }
    }
}
