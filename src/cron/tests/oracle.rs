//! The oracle: walks over every minute of a zone's clock and shares no code with what it checks.
//!
//! It parses expressions itself, uses only the offsets of zones, and never converts a wall time.

use chrono::{DateTime, Datelike, NaiveDateTime, Offset, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;

use super::schedule;

const SEED: u64 = 20_241_027;
const EXPRESSIONS: usize = 320;
const RANDOM_DAYS: u64 = 30;

/// Zones, each with the first of two years whose clock changes are walked.
const ZONES: [(&str, i32); 12] = [
    ("UTC", 2024),
    ("Europe/Berlin", 2024),
    ("America/New_York", 2026),
    ("Australia/Lord_Howe", 2024),
    ("Pacific/Apia", 2011),
    ("America/Santiago", 2024),
    ("Antarctica/Troll", 2024),
    ("Pacific/Chatham", 2025),
    ("Africa/Casablanca", 2024),
    ("Asia/Tehran", 2021),
    ("America/St_Johns", 2010),
    ("Asia/Kathmandu", 2024),
];

/// Expressions that are rarely among the random ones.
const PICKED: [&str; 20] = [
    "* 0-3 * * *",
    "0 * * * *",
    "30 2 * * *",
    "*/30 1-3 * * *",
    "0,30 0-3 * * *",
    "59 23 * * *",
    "0 0 * * *",
    "15 1,2 * * 0",
    "1-59/2 2 * * *",
    "0 */2 * * *",
    "0 0 1 * 1",
    "0 0 29 2 */7",
    "0 0 */2 * 1-5",
    "45 1 1-7 * */7",
    "0 3 31 3,10 *",
    "* 2 * * *",
    "0-59 2 * * 0",
    "5 4 * * sun",
    "@daily",
    "@hourly",
];

/// Pseudorandom numbers from a seed (`SplitMix64`).
struct Random(u64);

impl Random {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % below
    }

    /// Returns a field of numbers from `low` to `high`; `stars` in ten are a star.
    fn field(&mut self, low: u64, high: u64, stars: u64) -> String {
        let count = high - low + 1;
        if self.next(10) < stars {
            return "*".to_owned();
        }
        let one = low + self.next(count);
        let other = low + self.next(count);
        let (first, last) = (one.min(other), one.max(other));
        match self.next(5) {
            0 => format!("*/{}", 2 + self.next((count - 2).min(12))),
            1 => format!("{first}-{last}"),
            2 => format!("{first}-{last}/{}", 1 + self.next(5)),
            3 => format!("{one},{other}"),
            _ => one.to_string(),
        }
    }

    fn expression(&mut self) -> String {
        // Few minutes, since frequent fire times cost time and find no more faults. Half of the
        // hours are at night, when clocks change.
        let minute = match self.next(8) {
            0 => format!("*/{}", 15 + self.next(30)),
            1 => format!("{}-59/17", self.next(30)),
            _ => format!("{},{}", self.next(60), self.next(60)),
        };
        let hour = match self.next(4) {
            0 => self.field(0, 23, 3),
            1 => "*".to_owned(),
            _ => self.field(0, 4, 0),
        };
        let (day, month) = (self.field(1, 28, 6), self.field(1, 12, 8));
        let weekday = self.field(0, 6, 6);
        format!("{minute} {hour} {day} {month} {weekday}")
    }
}

/// Parses the numbers of a field in the plainest way.
fn numbers(field: &str, low: u32, high: u32) -> Vec<u32> {
    let mut all = Vec::new();
    for item in field.split(',') {
        let (range, step) = item.split_once('/').unwrap_or((item, "1"));
        let (first, last) = match range.split_once('-') {
            Some((first, last)) => (first.parse().unwrap(), last.parse().unwrap()),
            None if range == "*" => (low, high),
            None => (range.parse().unwrap(), range.parse().unwrap()),
        };
        let step: u32 = step.parse().unwrap();
        all.extend((first..=last).filter(|number| (number - first) % step == 0));
    }
    all
}

/// An expression as the oracle parses it.
struct Plain {
    minutes: Vec<u32>,
    hours: Vec<u32>,
    days: Vec<u32>,
    months: Vec<u32>,
    weekdays: Vec<u32>,
    either_day: bool,
    is_wildcard: bool,
}

impl Plain {
    fn read(expression: &str) -> Self {
        let expression = match expression {
            "@daily" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            other => other,
        };
        let expression = expression.replace("sun", "0");
        let fields: Vec<_> = expression.split(' ').collect();
        let starred = |index: usize| fields[index].starts_with('*');
        Self {
            minutes: numbers(fields[0], 0, 59),
            hours: numbers(fields[1], 0, 23),
            days: numbers(fields[2], 1, 31),
            months: numbers(fields[3], 1, 12),
            weekdays: numbers(fields[4], 0, 6),
            either_day: !starred(2) && !starred(4),
            is_wildcard: starred(0) || starred(1),
        }
    }

    fn has_hour(&self, wall: NaiveDateTime) -> bool {
        let day = self.days.contains(&wall.day());
        let weekday = self
            .weekdays
            .contains(&wall.weekday().num_days_from_sunday());
        let has_day = if self.either_day {
            day || weekday
        } else {
            day && weekday
        };
        self.hours.contains(&wall.hour()) && self.months.contains(&wall.month()) && has_day
    }
}

/// Minutes of one hour on the clock, each with its instant.
struct Hour {
    wall: NaiveDateTime,
    minutes: Vec<(u32, DateTime<Utc>)>,
}

/// A span of time, and what the clock shows and first reaches within it.
struct Window {
    after: DateTime<Utc>,
    until: DateTime<Utc>,
    /// Every minute that the clock shows: a wildcard schedule fires at these.
    shown: Vec<Hour>,
    /// Every minute at the first instant when the clock shows it or a later one: any other
    /// schedule fires at these.
    reached: Vec<Hour>,
}

fn offset(zone: Tz, at: DateTime<Utc>) -> TimeDelta {
    let offset = zone.offset_from_utc_datetime(&at.naive_utc()).fix();
    TimeDelta::seconds(i64::from(offset.local_minus_utc()))
}

fn note(hours: &mut Vec<Hour>, wall: NaiveDateTime, at: DateTime<Utc>) {
    let hour = wall.date().and_hms_opt(wall.hour(), 0, 0).unwrap();
    if hours.last().is_none_or(|last| last.wall != hour) {
        hours.push(Hour {
            wall: hour,
            minutes: Vec::new(),
        });
    }
    hours.last_mut().unwrap().minutes.push((wall.minute(), at));
}

fn walk(zone: Tz, after: DateTime<Utc>, days: i64) -> Window {
    const MINUTE: TimeDelta = TimeDelta::minutes(1);
    let until = after + TimeDelta::days(days);
    let wall_at = |at: DateTime<Utc>| at.naive_utc() + offset(zone, at);
    let (mut shown, mut reached) = (Vec::new(), Vec::new());
    let mut highest = wall_at(after);
    let mut at = after + MINUTE;
    while at <= until {
        let wall = wall_at(at);
        note(&mut shown, wall, at);
        while highest < wall {
            highest += MINUTE;
            note(&mut reached, highest, at);
        }
        at += MINUTE;
    }
    Window {
        after,
        until,
        shown,
        reached,
    }
}

/// Returns the instants of the zone's clock changes in two years.
fn changes(zone: Tz, year: i32) -> Vec<DateTime<Utc>> {
    let first = |year| Utc.with_ymd_and_hms(year, 1, 1, 0, 0, 0).unwrap();
    let (mut at, end) = (first(year), first(year + 2));
    let mut found = Vec::new();
    while at < end {
        let next = at + TimeDelta::hours(1);
        if offset(zone, at) != offset(zone, next) {
            found.push(next);
        }
        at = next;
    }
    found
}

fn windows(zone: Tz, year: i32, random: &mut Random) -> Vec<Window> {
    let before = TimeDelta::hours(84);
    let mut windows: Vec<_> = changes(zone, year)
        .into_iter()
        .map(|change| walk(zone, change - before, 7))
        .collect();
    let first = Utc.with_ymd_and_hms(year, 1, 1, 0, 0, 0).unwrap();
    for _ in 0..RANDOM_DAYS {
        let minute = i64::try_from(random.next(2 * 365 * 24 * 60)).unwrap();
        windows.push(walk(zone, first + TimeDelta::minutes(minute), 1));
    }
    windows
}

fn expected(plain: &Plain, window: &Window) -> Vec<DateTime<Utc>> {
    let hours = if plain.is_wildcard {
        &window.shown
    } else {
        &window.reached
    };
    let mut fire_times = Vec::new();
    for hour in hours.iter().filter(|hour| plain.has_hour(hour.wall)) {
        let minutes = hour.minutes.iter();
        fire_times.extend(
            minutes
                .filter(|(minute, _)| plain.minutes.contains(minute))
                .map(|(_, at)| *at),
        );
    }
    fire_times.sort_unstable();
    fire_times.dedup();
    fire_times
}

#[test]
fn fire_times_equal_those_of_a_walk_over_every_minute() {
    let mut random = Random(SEED);
    let mut expressions: Vec<_> = PICKED.map(str::to_owned).to_vec();
    while expressions.len() < EXPRESSIONS {
        expressions.push(random.expression());
    }
    let (mut change_count, mut fire_count) = (0, 0);
    for (name, year) in ZONES {
        let zone: Tz = name.parse().unwrap();
        let windows = windows(zone, year, &mut random);
        change_count += windows.len() - usize::try_from(RANDOM_DAYS).unwrap();
        for expression in &expressions {
            let (ours, plain) = (schedule(expression, name), Plain::read(expression));
            for window in &windows {
                let expected = expected(&plain, window);
                let first = ours.next(window.after);
                let all = std::iter::successors(first, |last| ours.next(*last));
                let found: Vec<_> = all.take_while(|next| *next <= window.until).collect();
                assert_eq!(
                    found, expected,
                    "{expression} in {name} after {} (seed {SEED})",
                    window.after
                );
                fire_count += found.len();
            }
        }
    }
    assert!(change_count >= 30, "{change_count} clock changes");
    assert!(fire_count >= 100_000, "{fire_count} fire times");
}
