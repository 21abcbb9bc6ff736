//! Decodes keys from text: hex and base64 (RFC 4648, sections 4 and 5).
//!
//! `key` uses the decoded bytes.

use crate::hex;

/// Decodes 64 hex digits.
pub(super) fn hex(text: &str) -> Option<[u8; 32]> {
    hex::decode(text)?.try_into().ok()
}

/// Decodes 32 bytes of base64 in either alphabet, with or without the trailing `=`.
pub(super) fn base64(text: &str) -> Option<[u8; 32]> {
    const SEXTETS: usize = 43;
    let text = text.strip_suffix('=').unwrap_or(text);
    if text.len() != SEXTETS {
        return None;
    }
    let mut bytes = Vec::with_capacity(32);
    let (mut bits, mut count) = (0_u32, 0);
    for letter in text.bytes() {
        bits = (bits << 6 | u32::from(sextet(letter)?)) & 0xffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).ok()?);
        }
    }
    // The unused bits must be zero. Otherwise two texts would decode to the same key.
    let unused = bits & ((1 << count) - 1);
    bytes.try_into().ok().filter(|_| unused == 0)
}

const fn sextet(letter: u8) -> Option<u8> {
    match letter {
        b'A'..=b'Z' => Some(letter - b'A'),
        b'a'..=b'z' => Some(letter - b'a' + 26),
        b'0'..=b'9' => Some(letter - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_decoded_from_hex_and_base64() {
        let key: [u8; 32] = std::array::from_fn(|index| u8::try_from(index * 8 + 7).unwrap());
        let digits = "070f171f272f373f474f575f676f777f878f979fa7afb7bfc7cfd7dfe7eff7ff";
        let letters = "Bw8XHycvNz9HT1dfZ293f4ePl5-nr7e_x8_X3-fv9_8";
        assert_eq!(hex(digits), Some(key));
        assert_eq!(hex(&digits.to_uppercase()), Some(key));
        assert_eq!(base64(letters), Some(key));
        let padded = letters.replace('-', "+").replace('_', "/") + "=";
        assert_eq!(base64(&padded), Some(key));
    }

    #[test]
    fn an_invalid_key_is_refused() {
        for text in [
            "",
            "00",
            &"0".repeat(63),
            &"0".repeat(65),
            &"g".repeat(64),
            "ä",
        ] {
            assert_eq!(hex(text), None, "{text}");
        }
        let unclean = format!("{}B", "A".repeat(42));
        for text in [
            "",
            "AAAA",
            &"A".repeat(42),
            &"A".repeat(45),
            &unclean,
            &"*".repeat(43),
        ] {
            assert_eq!(base64(text), None, "{text}");
        }
        assert_eq!(base64(&"A".repeat(43)), Some([0; 32]));
    }
}
