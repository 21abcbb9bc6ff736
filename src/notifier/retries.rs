//! When failed deliveries are retried.
//!
//! `delivery` carries it out.

use std::time::Duration;

use crate::limits::Limits;

/// The longest schedule. 100 tries: a week with a delay of nearly two hours.
const DELAYS_MAX: usize = 100;
/// The longest delay of a schedule. 7 days, after which a notifier that is absent is forgotten.
const DELAY_MAX: Duration = Duration::from_secs(7 * 24 * 3_600);

/// When a failed delivery is retried, and after how many tries the event becomes a dead letter.
///
/// ```
/// use std::time::Duration;
/// use floret::notifier::RetrySchedule;
///
/// // Three tries: at once, a minute after the first, an hour after the second.
/// let schedule = RetrySchedule::after([60, 3_600].map(Duration::from_secs));
/// assert_ne!(schedule, RetrySchedule::default());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RetrySchedule(Delays);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Delays {
    /// Doubling delays, by the limits of the engine.
    #[default]
    Doubling,
    /// The delay after each failed try but the last.
    Each(Vec<Duration>),
}

impl RetrySchedule {
    /// Creates a schedule from the delay after each failed try. After as many retries as there are
    /// delays, the event becomes a dead letter.
    ///
    /// At most 100 delays count, each of at most 7 days. A retry comes up to a tenth of its delay
    /// later, so that events which failed together do not return together.
    #[must_use]
    pub fn after(delays: impl IntoIterator<Item = Duration>) -> Self {
        let delays = delays.into_iter().take(DELAYS_MAX);
        Self(Delays::Each(
            delays.map(|delay| delay.min(DELAY_MAX)).collect(),
        ))
    }

    /// The schedule that Standard Webhooks recommends: ten tries within about three days.
    #[must_use]
    pub fn standard_webhooks() -> Self {
        const MINUTE: u64 = 60;
        const HOUR: u64 = 60 * MINUTE;
        let delays = [
            5,
            5 * MINUTE,
            30 * MINUTE,
            2 * HOUR,
            5 * HOUR,
            10 * HOUR,
            14 * HOUR,
            20 * HOUR,
            24 * HOUR,
        ];
        Self::after(delays.map(Duration::from_secs))
    }

    /// Returns the delay after this many failed tries of an event, or `None` if no try follows.
    pub(crate) fn delay(&self, tries: u32, seq: u64, limits: &Limits) -> Option<Duration> {
        let failed = tries.saturating_sub(1);
        match &self.0 {
            Delays::Doubling if tries >= limits.notifier_tries_max => None,
            Delays::Doubling => {
                let doublings = failed.min(u32::BITS - 1);
                let delay = limits.notifier_delay.saturating_mul(1 << doublings);
                Some(delay.min(limits.notifier_delay_max))
            }
            Delays::Each(delays) => {
                let delay = delays.get(usize::try_from(failed).ok()?)?;
                Some(delay.saturating_add(jitter(*delay, seq, tries)))
            }
        }
    }

    /// Returns the longest delay that [`RetrySchedule::delay`] returns.
    pub(crate) fn delay_max(&self, limits: &Limits) -> Duration {
        match &self.0 {
            Delays::Doubling => limits.notifier_delay_max,
            Delays::Each(delays) => {
                let longest = delays.iter().max().copied().unwrap_or_default();
                longest.saturating_add(longest / 10)
            }
        }
    }
}

/// Returns up to a tenth of a delay. The numbers of the event and of the try decide it, so that it
/// is the same after a restart.
fn jitter(delay: Duration, seq: u64, tries: u32) -> Duration {
    // An odd factor near the golden ratio spreads neighboring numbers over the whole range.
    let mixed = (seq ^ u64::from(tries).rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let thousandths = u32::try_from(mixed >> 54).unwrap_or_default();
    (delay / 10).saturating_mul(thousandths) / 1_024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delays_of_the_limits_double_up_to_the_longest() {
        let limits = Limits {
            notifier_tries_max: 13,
            ..Limits::default()
        };
        let schedule = RetrySchedule::default();
        let delays: Vec<_> = (1..=13)
            .map(|tries| schedule.delay(tries, 7, &limits))
            .collect();
        let seconds = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600];
        let mut expected = seconds
            .map(|delay| Some(Duration::from_secs(delay)))
            .to_vec();
        expected.push(None);
        assert_eq!(delays, expected);
    }

    #[test]
    fn the_standard_schedule_has_ten_tries_whose_delays_vary_by_a_tenth() {
        let (schedule, limits) = (RetrySchedule::standard_webhooks(), Limits::default());
        let expected = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
        for (tries, seconds) in (1..).zip(expected) {
            let least = Duration::from_secs(seconds);
            let delays: Vec<_> = (0..100)
                .map(|seq| schedule.delay(tries, seq, &limits).unwrap())
                .collect();
            assert!(
                delays
                    .iter()
                    .all(|delay| (least..=least * 11 / 10).contains(delay))
            );
            let (first, last) = (delays.iter().min().unwrap(), delays.iter().max().unwrap());
            assert!(*last - *first > least / 12, "{first:?} to {last:?}");
            assert!(*last <= schedule.delay_max(&limits));
        }
        assert_eq!(schedule.delay(10, 1, &limits), None);
    }

    #[test]
    fn a_schedule_without_delays_never_retries() {
        let schedule = RetrySchedule::after([]);
        assert_eq!(schedule.delay(1, 1, &Limits::default()), None);
        let endless = RetrySchedule::after(std::iter::repeat(Duration::MAX));
        assert_eq!(endless.delay(101, 1, &Limits::default()), None);
        assert!(endless.delay(100, 1, &Limits::default()).unwrap() <= DELAY_MAX * 11 / 10);
    }
}
