//! The delay before the next attempt: a pure function.
//!
//! `node` decides whether there is a next attempt.

use std::time::Duration;

/// Returns the delay before attempt `next`, where 2 is the first retry.
///
/// The delay starts at `first`, doubles with each retry up to `max`, and has ±20 % jitter.
/// `random` is in `0.0..=1.0`; 0.5 means no jitter.
pub(super) fn delay(first: Duration, next: u32, max: Duration, random: f64) -> Duration {
    const JITTER: f64 = 0.2;
    let doublings = next.saturating_sub(2).min(u32::BITS - 1);
    let without_jitter = first.saturating_mul(1 << doublings).min(max);
    without_jitter.mul_f64(1.0 - JITTER + 2.0 * JITTER * random.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: Duration = Duration::from_secs(300);

    #[test]
    fn the_delay_doubles_up_to_the_maximum() {
        let second = Duration::from_secs(1);
        for (next, expected) in [
            (2, 1),
            (3, 2),
            (4, 4),
            (10, 256),
            (11, 300),
            (101, 300),
            (u32::MAX, 300),
        ] {
            assert_eq!(
                delay(second, next, MAX, 0.5),
                Duration::from_secs(expected),
                "attempt {next}"
            );
        }
        assert_eq!(delay(Duration::MAX, 7, MAX, 0.5), MAX);
        assert_eq!(delay(Duration::ZERO, 7, MAX, 0.5), Duration::ZERO);
    }

    #[test]
    fn jitter_stays_within_a_fifth() {
        let second = Duration::from_secs(1);
        assert_eq!(delay(second, 2, MAX, 0.0), Duration::from_millis(800));
        assert_eq!(delay(second, 2, MAX, 1.0), Duration::from_millis(1200));
    }
}
