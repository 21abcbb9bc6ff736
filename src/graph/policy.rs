//! Reads the keys of a node's config that the engine uses: retries, their delay, and the timeout of
//! an attempt.
//!
//! `model/engine_keys` has their names, ranges and defaults, `engine/retry` decides how the delay
//! grows. Every other key belongs to the executor.

use std::time::Duration;

use serde_json::{Map, Value};

use super::fields::{mismatch, seconds, whole_number};
use super::issues::Issues;
use crate::error::Issue;
use crate::model::Node;
use crate::model::engine_keys::{
    DELAY_DEFAULT, DELAY_MS_MAX, KEEP_OUTPUT, MAX_RETRIES, RETRIES_MAX, RETRY_DELAY, TIMEOUT,
    TIMEOUT_MAX, TIMEOUT_MIN, TIMEOUT_RANGE,
};

/// How often the engine retries a node, and how long one attempt may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RetryPolicy {
    /// The number of attempts after the first.
    pub(crate) max_retries: u32,
    /// The pause before the second attempt.
    pub(crate) retry_delay: Duration,
    /// The timeout of one attempt, or `None` for no limit.
    pub(crate) timeout: Option<Duration>,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_retries: 0,
            retry_delay: DELAY_DEFAULT,
            timeout: None,
        }
    }
}

impl RetryPolicy {
    /// Reads the policy from a node's config.
    ///
    /// # Errors
    /// An issue for every invalid key. The pointers start at the node.
    pub(crate) fn for_node(node: &Node) -> Result<Self, Vec<Issue>> {
        let mut issues = Issues::default();
        let policy = Self::read(&node.config, "/config", &mut issues);
        if issues.is_empty() {
            Ok(policy)
        } else {
            Err(issues.into_vec())
        }
    }

    /// Reads the config at the JSON pointer `at`. An invalid key adds an issue and reads as its
    /// default.
    pub(super) fn read(config: &Map<String, Value>, at: &str, issues: &mut Issues) -> Self {
        let default = Self::default();
        let retries = format!("a whole number from 0 to {RETRIES_MAX}");
        let max_retries = read_key(config, at, MAX_RETRIES, &retries, issues, |value| {
            whole_number(value).filter(|retries| *retries <= RETRIES_MAX)
        });
        let delay = format!("a whole number of milliseconds from 0 to {DELAY_MS_MAX}");
        let delay_ms = read_key(config, at, RETRY_DELAY, &delay, issues, |value| {
            whole_number(value).filter(|ms| *ms <= DELAY_MS_MAX)
        });
        let timeout = read_key(config, at, TIMEOUT, TIMEOUT_RANGE, issues, |value| {
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

/// Checks whether the output of a node is to be kept. `Graph` reads it.
pub(super) fn check_keep_output(config: &Map<String, Value>, at: &str, issues: &mut Issues) {
    read_key(
        config,
        at,
        KEEP_OUTPUT,
        "true or false",
        issues,
        Value::as_bool,
    );
}

/// Returns whether a timeout is in its range.
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
    use crate::error::IssueLocation;
    use crate::model::engine_keys::CONFIG_KEYS;

    #[test]
    fn a_config_without_the_keys_means_one_attempt_without_a_timeout() {
        let policy = RetryPolicy::for_node(&Node::new("a", "x").config("path", "in.csv"));
        assert_eq!(policy, Ok(RetryPolicy::default()));
        assert_eq!(RetryPolicy::default().max_retries, 0);
        assert_eq!(RetryPolicy::default().retry_delay, Duration::from_secs(1));
    }

    #[test]
    fn the_list_of_keys_has_every_key_that_is_read() {
        for key in CONFIG_KEYS {
            let node = Node::new("a", "x").config(key, Value::Null);
            let mut issues = Issues::default();
            RetryPolicy::read(&node.config, "/config", &mut issues);
            check_keep_output(&node.config, "/config", &mut issues);
            let at = IssueLocation::Pointer(format!("/config/{key}"));
            let issues = issues.into_vec();
            assert_eq!((issues.len(), &issues[0].location), (1, &at));
        }
        let RetryPolicy {
            max_retries: _,
            retry_delay: _,
            timeout: _,
        } = RetryPolicy::default();
    }

    #[test]
    fn values_at_their_bounds_are_accepted() {
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
    fn a_setter_writes_what_is_read() {
        for (delay, timeout) in [
            (Duration::ZERO, TIMEOUT_MIN),
            (Duration::from_millis(1_500), Duration::from_millis(2_250)),
            (Duration::from_millis(DELAY_MS_MAX.into()), TIMEOUT_MAX),
        ] {
            let node = Node::new("a", "x").retries(RETRIES_MAX);
            let node = node.retry_delay(delay).timeout(timeout);
            let expected = RetryPolicy {
                max_retries: RETRIES_MAX,
                retry_delay: delay,
                timeout: Some(timeout),
            };
            assert_eq!(RetryPolicy::for_node(&node), Ok(expected));
        }
    }

    #[test]
    fn a_setter_with_a_value_out_of_range_is_refused_at_its_key() {
        let node = |index: usize| {
            let node = Node::new("a", "x");
            match index {
                0 => node.retries(RETRIES_MAX + 1),
                1 => node.retry_delay(Duration::from_millis(300_001)),
                2 => node.retry_delay(Duration::MAX),
                3 => node.timeout(Duration::ZERO),
                4 => node.timeout(TIMEOUT_MAX + TIMEOUT_MIN),
                _ => node.timeout(Duration::MAX),
            }
        };
        let keys = [
            MAX_RETRIES,
            RETRY_DELAY,
            RETRY_DELAY,
            TIMEOUT,
            TIMEOUT,
            TIMEOUT,
        ];
        for (index, key) in keys.into_iter().enumerate() {
            let issues = RetryPolicy::for_node(&node(index)).unwrap_err();
            let at = format!("/config/{key}");
            assert_eq!(issues.len(), 1, "{issues:?}");
            assert_eq!(issues[0].location, IssueLocation::Pointer(at));
        }
    }

    #[test]
    fn every_invalid_key_is_reported() {
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
