//! Parses the five fields of an expression into sets of numbers, and words for whole expressions.
//!
//! The crate `cron` reads another dialect: seconds come first, years may follow, and days of the
//! week count from Sunday = 1. It recognizes such an expression, so that the refusal can say what
//! to change. `calendar` decides which minutes the sets mean.

use super::calendar::{Calendar, DayRule};
use super::{EXPRESSION_CHARS_MAX, Refusal};
use crate::error::{Problem, quote};

/// Words for whole expressions.
const WORDS: [(&str, &str); 5] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
];

/// Names of the numbers from 1.
const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

/// Names of the numbers from 0.
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// The other number of Sunday.
const SUNDAY_AFTER: u32 = 7;

/// A field of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Minute,
    Hour,
    Day,
    Month,
    Weekday,
}

impl Field {
    const fn name(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day-of-month",
            Self::Month => "month",
            Self::Weekday => "day-of-week",
        }
    }

    /// Returns the least and the greatest number of the field.
    const fn bounds(self) -> (u32, u32) {
        match self {
            Self::Minute => (0, 59),
            Self::Hour => (0, 23),
            Self::Day => (1, 31),
            Self::Month => (1, 12),
            Self::Weekday => (0, SUNDAY_AFTER),
        }
    }

    /// Returns the names of the field's numbers, the least number first.
    const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Minute | Self::Hour | Self::Day => &[],
            Self::Month => &MONTHS,
            Self::Weekday => &WEEKDAYS,
        }
    }

    /// Describes the single numbers of the field.
    const fn allowed(self) -> &'static str {
        match self {
            Self::Minute => "numbers from 0 to 59",
            Self::Hour => "numbers from 0 to 23",
            Self::Day => "numbers from 1 to 31",
            Self::Month => "numbers from 1 to 12 or names from jan to dec",
            Self::Weekday => "numbers from 0 to 7 (0 and 7 are Sunday) or names from sun to sat",
        }
    }

    /// Parses the field: a list of items with commas.
    fn parse(self, text: &str) -> Result<u64, Refusal> {
        let mut items = text.split(',').map(|item| self.item(item));
        let set = items.try_fold(0, |set, item| Some(set | item?));
        set.ok_or_else(|| {
            let (name, allowed, text) = (self.name(), self.allowed(), quote(text));
            invalid(format!(
                "the {name} field of schedule must be *, {allowed}, ranges such as 1-5, steps such \
                 as */2 or 1-5/2, or a list of these with commas, received {text}"
            ))
        })
    }

    /// Parses `*`, `5`, `1-5`, `*/2` or `1-5/2`. A step of a single number is not in the standard.
    fn item(self, text: &str) -> Option<u64> {
        let (min, max) = self.bounds();
        let (range, step) = match text.split_once('/') {
            Some((range, step)) => (range, Some(digits(step)?)),
            None => (text, None),
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (min, max),
            Some((first, last)) => self.range(first, last)?,
            None if step.is_none() => (self.number(range)?, self.number(range)?),
            None => return None,
        };
        let step = step.unwrap_or(1);
        if first < min || first > last || last > max || !(1..=max).contains(&step) {
            return None;
        }
        let numbers = (first..=last).step_by(usize::try_from(step).ok()?);
        Some(numbers.fold(0, |set, number| set | self.bit(number)))
    }

    /// Parses the ends of a range. `sun` after another day is the next Sunday, as in `fri-sun`.
    fn range(self, first: &str, last: &str) -> Option<(u32, u32)> {
        let (first, number) = (self.number(first)?, self.number(last)?);
        let is_sunday = self == Self::Weekday && last.eq_ignore_ascii_case(WEEKDAYS[0]);
        let last = if is_sunday && first > 0 {
            SUNDAY_AFTER
        } else {
            number
        };
        Some((first, last))
    }

    /// Parses a number or its name.
    fn number(self, text: &str) -> Option<u32> {
        let mut names = self.names().iter();
        match names.position(|name| text.eq_ignore_ascii_case(name)) {
            Some(index) => u32::try_from(index).ok()?.checked_add(self.bounds().0),
            None => digits(text),
        }
    }

    /// Returns the bit of a number within the bounds; both numbers of Sunday have bit 0.
    const fn bit(self, number: u32) -> u64 {
        match self {
            Self::Weekday => 1 << (number % SUNDAY_AFTER),
            Self::Minute | Self::Hour | Self::Day | Self::Month => 1 << number,
        }
    }
}

fn digits(text: &str) -> Option<u32> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

fn invalid(detail: String) -> Refusal {
    Refusal {
        problem: Problem::CronInvalid,
        detail,
    }
}

/// Parses an expression. Also returns whether its hour or minute field begins with a star.
pub(super) fn expression(text: &str) -> Result<(Calendar, bool), Refusal> {
    let count = text.chars().count();
    if count > EXPRESSION_CHARS_MAX {
        return Err(Refusal {
            problem: Problem::CronTooLong,
            detail: format!(
                "schedule must be at most {EXPRESSION_CHARS_MAX} characters, received {count}"
            ),
        });
    }
    let [minute, hour, day, month, weekday] = fields(text)?;
    let begins_with_star = |field: &str| field.starts_with('*');
    let calendar = Calendar {
        minutes: Field::Minute.parse(minute)?,
        hours: Field::Hour.parse(hour)?,
        days: Field::Day.parse(day)?,
        months: Field::Month.parse(month)?,
        weekdays: Field::Weekday.parse(weekday)?,
        day_rule: if begins_with_star(day) || begins_with_star(weekday) {
            DayRule::Both
        } else {
            DayRule::Either
        },
    };
    if !calendar.has_days() {
        return Err(Refusal {
            problem: Problem::CronNeverFires,
            detail: format!(
                "schedule must name a day that exists, received {}: none of its months has a day \
                 {}",
                quote(text),
                quote(day)
            ),
        });
    }
    let is_wildcard = begins_with_star(minute) || begins_with_star(hour);
    Ok((calendar, is_wildcard))
}

/// Splits an expression into its fields; a word stands for the fields of its expression.
fn fields(text: &str) -> Result<[&str; 5], Refusal> {
    let trimmed = text.trim_matches([' ', '\t']);
    let word = WORDS
        .iter()
        .find(|(word, _)| trimmed.eq_ignore_ascii_case(word));
    let expanded = word.map_or(trimmed, |(_, expression)| expression);
    let fields: Vec<_> = expanded
        .split([' ', '\t'])
        .filter(|field| !field.is_empty())
        .collect();
    let count = fields.len();
    fields.try_into().map_err(|_| {
        let words = WORDS.map(|(word, _)| word).join(", ");
        let (hint, text) = (dialect_hint(trimmed, count), quote(text));
        invalid(format!(
            "schedule must have five fields (minute, hour, day-of-month, month, day-of-week) or be \
             one of {words}, received {count} in {text}{hint}"
        ))
    })
}

/// Says how to rewrite an expression in the dialect of the crate `cron`; empty for any other text.
fn dialect_hint(text: &str, field_count: usize) -> &'static str {
    let rewriting = match field_count {
        6 => "; remove the first field (seconds), and count days of the week from Sunday = 0",
        7 => {
            "; remove the first field (seconds) and the last (years), and count days of the week \
             from Sunday = 0"
        }
        _ => return "",
    };
    let parsed: Result<::cron::Schedule, _> = text.parse();
    parsed.map_or("", |_| rewriting)
}
