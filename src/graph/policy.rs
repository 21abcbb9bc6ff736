//! What the engine itself reads from a node's config: retries, their delay, the time-out of an
//! attempt.
//!
//! How the delay grows is left to `engine/retry`; every other key is the executor's.

use std::time::Duration;

use serde_json::{Map, Value};

use super::fields::{mismatch, seconds, whole_number};
use super::issues::Issues;
use crate::error::Issue;
use crate::model::Node;

/// Retries that a node may ask for. 100: with the longest delay, eight hours.
const RETRIES_MAX: u32 = 100;

/// Milliseconds that a node may ask for before its first retry. 5 min, since no later delay is
/// longer.
const DELAY_MS_MAX: u32 = 300_000;

/// Time-outs are kept to the millisecond.
const TIMEOUT_MIN: Duration = Duration::from_millis(1);

/// Time-outs end within a year: a longer one is a slip of units.
pub(super) const TIMEOUT_MAX: Duration = Duration::from_secs(31_536_000);

/// What [`is_timeout_in_range`] takes.
pub(super) const TIMEOUT_RANGE: &str = "a number of seconds from 0.001 to 31536000";

/// How often and how long a node is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RetryPolicy {
    /// Attempts after the first.
    pub(crate) max_retries: u32,
    /// The pause before the second attempt.
    pub(crate) retry_delay: Duration,
    /// How long one attempt may take.
    pub(crate) timeout: Option<Duration>,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_retries: 0,
            retry_delay: Duration::from_secs(1),
            timeout: None,
        }
    }
}

impl RetryPolicy {
    /// Reads a node's config.
    ///
    /// # Errors
    /// Every key that is wrong; pointers begin at the node.
    pub(crate) fn for_node(node: &Node) -> Result<Self, Vec<Issue>> {
        let mut issues = Issues::default();
        let policy = Self::read(&node.config, "/config", &mut issues);
        if issues.is_empty() {
            Ok(policy)
        } else {
            Err(issues.into_vec())
        }
    }

    /// Reads the config at the JSON pointer `at`; what is wrong reads as its default.
    pub(super) fn read(config: &Map<String, Value>, at: &str, issues: &mut Issues) -> Self {
        let default = Self::default();
        let retries = format!("a whole number from 0 to {RETRIES_MAX}");
        let max_retries = read_key(config, at, "max_retries", &retries, issues, |value| {
            whole_number(value).filter(|retries| *retries <= RETRIES_MAX)
        });
        let delay = format!("a whole number of milliseconds from 0 to {DELAY_MS_MAX}");
        let delay_ms = read_key(config, at, "retry_delay", &delay, issues, |value| {
            whole_number(value).filter(|ms| *ms <= DELAY_MS_MAX)
        });
        let timeout = read_key(config, at, "timeout", TIMEOUT_RANGE, issues, |value| {
            seconds(value).filter(|timeout| is_timeout_in_range(*timeout))
        });
        Self {
            max_retries: max_retries.unwrap_or(default.max_retries),
            retry_delay: delay_ms.map_or(default.retry_delay, |ms| {
                Duration::from_millis(u64::from(ms))
            }),
            timeout,
        }
    }
}

/// Whether a time-out is in its range.
pub(super) fn is_timeout_in_range(timeout: Duration) -> bool {
    (TIMEOUT_MIN..=TIMEOUT_MAX).contains(&timeout)
}

fn read_key<T>(
    config: &Map<String, Value>,
    at: &str,
    key: &str,
    expects: &str,
    issues: &mut Issues,
    read: impl FnOnce(&Value) -> Option<T>,
) -> Option<T> {
    let value = config.get(key)?;
    let taken = read(value);
    if taken.is_none() {
        issues.push(&format!("{at}/{key}"), || mismatch(key, expects, value));
    }
    taken
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_config_without_the_keys_means_one_attempt_without_a_limit() {
        let policy = RetryPolicy::for_node(&Node::new("a", "x").config("path", "in.csv"));
        assert_eq!(policy, Ok(RetryPolicy::default()));
        assert_eq!(RetryPolicy::default().max_retries, 0);
        assert_eq!(RetryPolicy::default().retry_delay, Duration::from_secs(1));
    }

    #[test]
    fn values_up_to_their_bounds_are_read() {
        for (retries, delay, timeout) in
            [(0, 0_u32, json!(0.001)), (100, 300_000, json!(31_536_000))]
        {
            let node = Node::new("a", "x")
                .config("max_retries", retries)
                .config("retry_delay", delay)
                .config("timeout", timeout.clone());
            let policy = RetryPolicy::for_node(&node).unwrap();
            assert_eq!(policy.max_retries, retries);
            assert_eq!(policy.retry_delay.as_millis(), u128::from(delay));
            assert_eq!(
                policy.timeout.map(|own| own.as_secs_f64()),
                timeout.as_f64()
            );
        }
    }

    #[test]
    fn every_key_that_is_wrong_is_told() {
        let retries = "max_retries must be a whole number from 0 to 100, received ";
        let delay =
            "retry_delay must be a whole number of milliseconds from 0 to 300000, received ";
        let timeout = "timeout must be a number of seconds from 0.001 to 31536000, received ";
        for (key, value, detail, received) in [
            ("max_retries", json!(101), retries, "101"),
            ("max_retries", json!(-1), retries, "-1"),
            ("max_retries", json!(1.5), retries, "1.5"),
            ("max_retries", json!("3"), retries, "\"3\""),
            ("retry_delay", json!(300_001), delay, "300001"),
            (
                "retry_delay",
                json!(u64::MAX),
                delay,
                "18446744073709551615",
            ),
            ("retry_delay", json!(null), delay, "null"),
            ("timeout", json!(0), timeout, "0"),
            ("timeout", json!(-0.5), timeout, "-0.5"),
            ("timeout", json!(1e-12), timeout, "1e-12"),
            ("timeout", json!(31_536_000.5), timeout, "31536000.5"),
            ("timeout", json!(1e300), timeout, "1e+300"),
            ("timeout", json!({}), timeout, "an object"),
        ] {
            let issues =
                RetryPolicy::for_node(&Node::new("a", "x").config(key, value)).unwrap_err();
            let expected = Issue::pointer(format!("/config/{key}"), format!("{detail}{received}"));
            assert_eq!(issues, [expected]);
        }
    }
}
