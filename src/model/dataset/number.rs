//! Decides which texts a number of 64 bits prints back exactly. Only such a text becomes a number
//! by itself; every other text is kept.
//!
//! `parse` reads numbers of JSON, `infer` those of files, and `profile` those that stay text.

use serde_json::Value;

use super::column::Cell;

/// The number of digits that every 64-bit float preserves (`f64::DIGITS`).
const FLOAT_DIGITS: usize = 15;

/// Returns the number whose text in JSON is exactly this text. `None` if there is no such number:
/// `007`, `1.50`, `1E5`, `-0`, or too many digits.
pub(super) fn exact_cell(text: &str) -> Option<Cell<'static>> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if is_plain_integer(digits) {
        if text == "-0" {
            return None;
        }
        let signed = text.parse().ok().map(Cell::Int);
        return signed.or_else(|| text.parse().ok().map(Cell::UInt));
    }
    let value = text.parse().ok().filter(|_| is_json_number(text))?;
    prints_as(value, text).then_some(Cell::Float(value))
}

/// Returns the value of a number in JSON syntax, or `None` if no finite float is near it.
pub(super) fn finite(text: &str) -> Option<f64> {
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

/// Returns whether a number of 64 bits has the value of this text, a number in JSON syntax. The
/// number may print another text, as 1.5 does for `1.50`.
pub(super) fn has_exact_value(text: &str) -> bool {
    if text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok() {
        return true;
    }
    finite(text).is_some_and(|value| preserves_digits(value, mantissa(text)))
}

/// Returns the value of a text that people read as a number: a number in JSON syntax, with an
/// optional plus sign, and with an optional zero before the point.
pub(super) fn from_text(text: &str) -> Option<f64> {
    let plain = text.strip_prefix('+').unwrap_or(text);
    let unsigned = plain.strip_prefix('-').unwrap_or(plain);
    let has_two_signs = plain.len() < text.len() && unsigned.len() < plain.len();
    let is_number = if unsigned.starts_with('.') {
        is_json_number(&format!("0{unsigned}"))
    } else {
        is_json_number(unsigned)
    };
    finite(plain).filter(|_| is_number && !has_two_signs)
}

/// Returns whether people read the text as a number.
#[cfg(feature = "nodes")]
pub(crate) fn is_number_text(text: &str) -> bool {
    from_text(text).is_some()
}

/// Returns whether the text is a sequence of digits without an unnecessary leading zero.
fn is_plain_integer(digits: &str) -> bool {
    is_digits(digits) && (digits.len() == 1 || !digits.starts_with('0'))
}

pub(super) fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_json_number(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    is_plain_integer(whole)
        && fraction.is_none_or(is_digits)
        && exponent
            .is_none_or(|digits| is_digits(digits.strip_prefix(['+', '-']).unwrap_or(digits)))
}

/// Returns whether the JSON text of the float is this text.
fn prints_as(value: f64, text: &str) -> bool {
    // Longer than the text of any float.
    let mut printed = [0_u8; 40];
    let mut rest = &mut printed[..];
    if !value.is_finite() || serde_json::to_writer(&mut rest, &value).is_err() {
        return false;
    }
    let unused = rest.len();
    let length = printed.len() - unused;
    printed[..length] == *text.as_bytes()
}

/// Returns whether the float preserves all digits of the mantissa that it was parsed from.
fn preserves_digits(value: f64, mantissa: &str) -> bool {
    let given = significant_digits(mantissa);
    if (value == 0.0) != given.is_empty() {
        return false;
    }
    // A subnormal float holds fewer digits.
    if given.len() <= FLOAT_DIGITS && (value.is_normal() || value == 0.0) {
        return true;
    }
    significant_digits(self::mantissa(&Value::from(value).to_string())) == given
}

fn mantissa(text: &str) -> &str {
    text.split_once(['e', 'E'])
        .map_or(text, |(mantissa, _)| mantissa)
}

/// Returns the digits from the first to the last digit that is not zero.
fn significant_digits(mantissa: &str) -> String {
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    digits.trim_matches('0').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_a_number_only_if_the_number_prints_it() {
        for (text, expected) in [
            ("0", Cell::Int(0)),
            ("-20", Cell::Int(-20)),
            ("18446744073709551615", Cell::UInt(u64::MAX)),
            ("2.5", Cell::Float(2.5)),
            ("-0.0", Cell::Float(-0.0)),
            ("1e+300", Cell::Float(1e300)),
            ("0.1", Cell::Float(0.1)),
        ] {
            assert_eq!(exact_cell(text), Some(expected), "{text}");
        }
        for text in [
            "",
            "-",
            "007",
            "+1",
            "-0",
            "1.",
            ".5",
            "1e",
            "1E5",
            "1e5",
            "1e+5",
            "1.50",
            "19.90",
            "0x10",
            "1 ",
            " 1",
            "01.5",
            "1_000",
            "NaN",
            "inf",
            "1e999",
            "1e-999",
            "0e12",
            "18446744073709551616",
            "-9223372036854775809",
            "0.12345678901234567890",
            "32E0134",
            "1234567890123456.78",
            "−1",
            "١",
        ] {
            assert_eq!(exact_cell(text), None, "{text}");
        }
    }

    #[test]
    fn a_number_may_be_exact_though_it_prints_another_text() {
        for text in [
            "1.50",
            "1E5",
            "0e12",
            "-0",
            "007",
            "1e-7",
            "123456789012345e3",
        ] {
            assert!(has_exact_value(text), "{text}");
        }
        for text in [
            "36893488147419103232",
            "1234567890123456.78",
            "0.12345678901234567890",
            "1e-999",
            "1e999",
        ] {
            assert!(!has_exact_value(text), "{text}");
        }
    }

    #[test]
    fn people_write_numbers_with_signs_and_without_a_leading_zero() {
        for (text, expected) in [("+1.50", 1.5), (".5", 0.5), ("-.5", -0.5), ("1E5", 1e5)] {
            assert_eq!(from_text(text), Some(expected), "{text}");
        }
        for text in [
            "", "+", "+-1", "-+1", "007", "NaN", "inf", "1e999", "1,5", ".",
        ] {
            assert_eq!(from_text(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn the_text_of_a_float_is_that_float(value in proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL) {
            let text = Value::from(value).to_string();
            proptest::prop_assert_eq!(exact_cell(&text), Some(Cell::Float(value)));
            proptest::prop_assert!(has_exact_value(&text));
        }
    }
}
