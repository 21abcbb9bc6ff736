//! How numbers are written in charts and tables.

/// Returns three digits, or all digits of a larger whole number, with a comma after each thousand.
pub(crate) fn value(value: f64) -> String {
    let decimals = match value {
        ..1.0 => 3,
        ..10.0 => 2,
        ..100.0 => 1,
        _ => 0,
    };
    grouped(&format!("{value:.decimals$}"))
}

/// Returns a whole number with a comma after each thousand.
pub(crate) fn whole(number: u64) -> String {
    grouped(&number.to_string())
}

/// Returns a whole number in at most four characters: `10k` for 10,000.
pub(crate) fn short(number: u64) -> String {
    match number {
        0..1_000 => number.to_string(),
        1_000..1_000_000 => format!("{}k", number / 1_000),
        _ => format!("{}M", number / 1_000_000),
    }
}

/// Inserts a comma after each thousand of a text that begins with the digits of a whole number.
pub(crate) fn grouped(digits: &str) -> String {
    let whole = digits.split('.').next().unwrap_or_default().len();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        let rest = whole.saturating_sub(index);
        if index > 0 && rest > 0 && rest.is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
