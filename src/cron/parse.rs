//! The five fields of an expression as sets of numbers, and the words that stand for whole expressions.
//!
//! Minutes, hours, days and months are parsed by the crate `cron`, after what it takes and the standard does not is refused;
//! days of the week, which it counts from Sunday 1, here.

use ::cron::{Schedule, TimeUnitSpec};

use super::calendar::{Calendar, Days};
use super::{EXPRESSION_CHARS_MAX, Refusal};
use crate::error::shown;

/// Words for whole expressions.
const WORDS: [(&str, &str); 5] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
];

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// Days of a week, Sunday at both of its ends.
const WEEKDAY_MAX: u32 = 7;

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

    /// What a single item of the field may be.
    const fn takes(self) -> &'static str {
        match self {
            Self::Minute => "numbers from 0 to 59",
            Self::Hour => "numbers from 0 to 23",
            Self::Day => "numbers from 1 to 31",
            Self::Month => "numbers from 1 to 12 or names from jan to dec",
            Self::Weekday => "numbers from 0 to 7 (0 and 7 are Sunday) or names from sun to sat",
        }
    }

    fn refuse(self, text: &str) -> Refusal {
        let (name, takes) = (self.name(), self.takes());
        invalid(format!(
            "the {name} field of schedule must be *, {takes}, ranges such as 1-5, steps such as */2 or 1-5/2, or a list of these \
             with commas, received {}",
            shown(text)
        ))
    }
}

fn invalid(detail: String) -> Refusal {
    Refusal {
        slug: "cron-invalid",
        detail,
    }
}

/// The minutes that an expression means, and whether its hour or minute field begins with a star.
pub(super) fn expression(text: &str) -> Result<(Calendar, bool), Refusal> {
    let count = text.chars().count();
    if count > EXPRESSION_CHARS_MAX {
        return Err(Refusal {
            slug: "cron-too-long",
            detail: format!(
                "schedule must be at most {EXPRESSION_CHARS_MAX} characters, received {count}"
            ),
        });
    }
    let fields = fields(text)?;
    let [minute, hour, day, month, weekday] = fields;
    let begins_with_star = |field: &str| field.starts_with('*');
    let calendar = Calendar {
        minutes: numbers(Field::Minute, minute)?,
        hours: numbers(Field::Hour, hour)?,
        days: numbers(Field::Day, day)?,
        months: numbers(Field::Month, month)?,
        weekdays: weekdays(weekday)?,
        days_rule: if begins_with_star(day) || begins_with_star(weekday) {
            Days::Both
        } else {
            Days::Either
        },
    };
    if !calendar.has_days() {
        return Err(Refusal {
            slug: "cron-never-fires",
            detail: format!(
                "schedule must name a day that comes, received {}: none of its months has a day {}",
                shown(text),
                shown(day)
            ),
        });
    }
    let is_wildcard = begins_with_star(minute) || begins_with_star(hour);
    Ok((calendar, is_wildcard))
}

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
        invalid(format!(
            "schedule must have five fields (minute, hour, day-of-month, month, day-of-week) or be one of {words}, received {count} in {}",
            shown(text)
        ))
    })
}

/// The numbers of a field that the crate parses.
fn numbers(field: Field, text: &str) -> Result<u64, Refusal> {
    let names: &[&str] = match field {
        Field::Month => &MONTHS,
        Field::Minute | Field::Hour | Field::Day | Field::Weekday => &[],
    };
    let refuse = || field.refuse(text);
    let items: Vec<_> = text
        .split(',')
        .map(|item| Item::read(item, names))
        .collect();
    let items: Option<Vec<_>> = items.into_iter().collect();
    let written: Vec<_> = items
        .ok_or_else(refuse)?
        .iter()
        .map(Item::written)
        .collect();
    let own = written.join(",");
    let (before, after) = match field {
        Field::Minute => ("0", "* * * *"),
        Field::Hour => ("0 *", "* * *"),
        Field::Day => ("0 * *", "* *"),
        Field::Month | Field::Weekday => ("0 * * *", "*"),
    };
    let schedule: Schedule = format!("{before} {own} {after}")
        .parse()
        .map_err(|_| refuse())?;
    Ok(match field {
        Field::Minute => bits(schedule.minutes()),
        Field::Hour => bits(schedule.hours()),
        Field::Day => bits(schedule.days_of_month()),
        Field::Month | Field::Weekday => bits(schedule.months()),
    })
}

fn bits(numbers: &impl TimeUnitSpec) -> u64 {
    numbers
        .iter()
        .filter_map(|number| 1_u64.checked_shl(number))
        .fold(0, |bits, bit| bits | bit)
}

/// The days of the week as bits, Sunday bit 0.
fn weekdays(text: &str) -> Result<u64, Refusal> {
    let mut set = 0;
    for item in text.split(',') {
        let days = Item::read(item, &WEEKDAYS).and_then(|item| item.weekdays());
        set |= days.ok_or_else(|| Field::Weekday.refuse(text))?;
    }
    let sunday = set >> WEEKDAY_MAX & 1;
    Ok(set & !(1 << WEEKDAY_MAX) | sunday)
}

/// An item of a list, names already numbers.
struct Item {
    numbers: Numbers,
    step: Option<u32>,
}

enum Numbers {
    All,
    One(u32),
    Range(u32, u32),
}

impl Item {
    /// Reads `*`, `5`, `1-5`, `*/2` or `1-5/2`; a step of a single number, which the standard does not have, is none of them.
    fn read(text: &str, names: &[&str]) -> Option<Self> {
        let (numbers, step) = match text.split_once('/') {
            Some((numbers, step)) => (numbers, Some(digits(step)?)),
            None => (text, None),
        };
        let numbers = match (numbers, numbers.split_once('-')) {
            ("*", _) => Numbers::All,
            (_, Some((first, last))) => {
                let (first, last_number) = (number(first, names)?, number(last, names)?);
                Numbers::Range(first, last_of_range(first, last, last_number))
            }
            (_, None) if step.is_none() => Numbers::One(number(numbers, names)?),
            (_, None) => return None,
        };
        Some(Self { numbers, step })
    }

    fn written(&self) -> String {
        let numbers = match self.numbers {
            Numbers::All => "*".to_owned(),
            Numbers::One(number) => number.to_string(),
            Numbers::Range(first, last) => format!("{first}-{last}"),
        };
        match self.step {
            Some(step) => format!("{numbers}/{step}"),
            None => numbers,
        }
    }

    fn weekdays(&self) -> Option<u64> {
        let (first, last) = match self.numbers {
            Numbers::All => (0, WEEKDAY_MAX - 1),
            Numbers::One(number) => (number, number),
            Numbers::Range(first, last) => (first, last),
        };
        let step = self.step.unwrap_or(1);
        if first > last || last > WEEKDAY_MAX || !(1..=WEEKDAY_MAX).contains(&step) {
            return None;
        }
        let days = (first..=last).step_by(usize::try_from(step).ok()?);
        Some(days.fold(0, |set, day| set | 1 << day))
    }
}

/// Where a range ends: `sun` after another day is the Sunday that follows it, `fri-sun` the weekend.
fn last_of_range(first: u32, last: &str, number: u32) -> u32 {
    let is_sunday = last.eq_ignore_ascii_case(WEEKDAYS[0]);
    if is_sunday && first > 0 {
        WEEKDAY_MAX
    } else {
        number
    }
}

/// A number, or a name of three letters as its number; months count from 1.
fn number(text: &str, names: &[&str]) -> Option<u32> {
    let index = names
        .iter()
        .position(|name| text.eq_ignore_ascii_case(name));
    let first = if names.len() == MONTHS.len() { 1 } else { 0 };
    match index {
        Some(index) => Some(u32::try_from(index).ok()? + first),
        None => digits(text),
    }
}

fn digits(text: &str) -> Option<u32> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}
