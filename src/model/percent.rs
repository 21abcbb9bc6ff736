//! Percentages with one decimal, which say 0 and 100 only where that is exact.
//!
//! Profiles and the dashboard show them.

/// Returns what `part` is of `whole` in percent, with one decimal. Returns `None` if `whole` is 0.
///
/// 0.0 means none and 100.0 means all: a share that would round to one of them is 0.1 or 99.9.
pub(crate) fn percent(part: u64, whole: u64) -> Option<f64> {
    if whole == 0 {
        return None;
    }
    let rounded = (part as f64 * 1_000.0 / whole as f64).round() / 10.0;
    Some(match part {
        0 => 0.0,
        part if part >= whole => 100.0,
        _ => rounded.clamp(0.1, 99.9),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_none_is_0_and_only_all_is_100() {
        for (part, whole, expected) in [
            (0, 0, None),
            (0, 3, Some(0.0)),
            (3, 3, Some(100.0)),
            (1, 3, Some(33.3)),
            (2, 3, Some(66.7)),
            (1, 8, Some(12.5)),
            (1, 1_000_000, Some(0.1)),
            (999_999, 1_000_000, Some(99.9)),
            (1, u64::MAX, Some(0.1)),
            (u64::MAX - 1, u64::MAX, Some(99.9)),
        ] {
            assert_eq!(percent(part, whole), expected, "{part} of {whole}");
        }
    }
}
