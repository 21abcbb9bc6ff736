//! The date of a run, shifted: `date-1d`, `date+2w`, `date-1m`.
//!
//! Which date a run has is left to `engine`.

use chrono::{Datelike, Days, Months, NaiveDate};

/// A number of days, weeks or months before or after a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shift {
    is_forward: bool,
    step: Step,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Days(u64),
    Months(u32),
}

/// Reads `date`, with or without a shift.
///
/// Returns `None` for another name, and `Some(None)` for a shift that cannot be read.
pub(super) fn shift(name: &str) -> Option<Option<Shift>> {
    let text = name.strip_prefix("date")?;
    let (is_forward, step) = match text.chars().next() {
        None => (true, Some(Step::Days(0))),
        Some(sign @ ('+' | '-')) => (sign == '+', Step::parse(&text[1..])),
        Some(_) => return None,
    };
    Some(step.map(|step| Shift { is_forward, step }))
}

impl Step {
    fn parse(text: &str) -> Option<Self> {
        let (unit_at, unit) = text.char_indices().next_back()?;
        let digits = &text[..unit_at];
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        match unit {
            'd' => digits.parse().ok().map(Self::Days),
            'w' => digits.parse::<u64>().ok()?.checked_mul(7).map(Self::Days),
            'm' => digits.parse().ok().map(Self::Months),
            _ => None,
        }
    }
}

impl Shift {
    /// Returns the shifted date. A day that its month does not have becomes the last of the month.
    /// Returns `None` outside the years 0 to 9999, which have no text of ISO 8601 in four digits.
    pub(super) fn apply(self, date: NaiveDate) -> Option<NaiveDate> {
        let shifted = match (self.step, self.is_forward) {
            (Step::Days(days), true) => date.checked_add_days(Days::new(days)),
            (Step::Days(days), false) => date.checked_sub_days(Days::new(days)),
            (Step::Months(months), true) => date.checked_add_months(Months::new(months)),
            (Step::Months(months), false) => date.checked_sub_months(Months::new(months)),
        };
        shifted.filter(|shifted| (0..=9_999).contains(&shifted.year()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shifted(name: &str) -> Option<Option<String>> {
        let date = NaiveDate::from_ymd_opt(2024, 3, 31).unwrap();
        let apply = |shift: Shift| shift.apply(date).map(|shifted| shifted.to_string());
        shift(name).map(|shift| shift.and_then(apply))
    }

    #[test]
    fn a_date_is_shifted_by_days_weeks_and_months() {
        let table = [
            ("date", "2024-03-31"),
            ("date-0d", "2024-03-31"),
            ("date-1d", "2024-03-30"),
            ("date+1d", "2024-04-01"),
            ("date-31d", "2024-02-29"),
            ("date-2w", "2024-03-17"),
            ("date+53w", "2025-04-06"),
            ("date-1m", "2024-02-29"),
            ("date-13m", "2023-02-28"),
            ("date+1m", "2024-04-30"),
            ("date-24290m", "0000-01-31"),
        ];
        for (name, expected) in table {
            assert_eq!(shifted(name), Some(Some(expected.to_owned())), "{name}");
        }
    }

    #[test]
    fn a_shift_that_cannot_be_read_or_leaves_the_calendar_is_none() {
        let table = [
            "date-",
            "date+",
            "date-d",
            "date-1",
            "date-1y",
            "date-1D",
            "date--1d",
            "date- 1d",
            "date-1.5d",
            "date-1dd",
            "date+1d+1d",
            "date-\u{663}d",
            "date-1\u{e4}",
            "date-24291m",
            "date+99999999999999999999d",
            "date+9999999999999999999w",
            "date+18446744073709551615d",
            "date+4294967295m",
            "date+8000000m",
            "date-3000000d",
        ];
        for name in table {
            assert_eq!(shifted(name), Some(None), "{name}");
        }
    }

    #[test]
    fn another_name_is_no_date() {
        for name in ["", "dat", "dates", "date_", "date 1d", "Date", "id"] {
            assert_eq!(shift(name), None, "{name}");
        }
    }
}
