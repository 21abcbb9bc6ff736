//! What is known of the receivers of hooks: which do not answer, and which want no more events.
//!
//! All hooks share one notifier. A receiver that hangs takes few of its requests, and so do all
//! receivers of a host together, so that the others get theirs. Nothing is stored: after a restart,
//! each receiver is asked again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::notifier::NotifierError;

/// Requests to one receiver at once. 64: hundreds per second for one that answers in 0.1 s, and a
/// sixteenth of what all hooks may have.
const IN_FLIGHT_MAX: u32 = 64;
/// Requests to all receivers of one host at once. 128: one that hangs, whatever its URLs, takes an
/// eighth of what all hooks may have, and none of its receivers more than half of that.
const HOST_IN_FLIGHT_MAX: u32 = 128;
/// How long a silent receiver is not asked. 30 s: hanging requests to a thousand receivers take
/// less than half of what all hooks may have.
const PAUSE: Duration = Duration::from_secs(30);
/// Receivers that are remembered. 10,000: a few MB.
const RECEIVERS_MAX: usize = 10_000;

/// The receivers. Those that answer are forgotten after each request.
#[derive(Debug, Default, Clone)]
pub(super) struct Receivers(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// By URL.
    receivers: HashMap<String, Receiver>,
    /// The requests in flight to each host that has any.
    hosts: HashMap<String, u32>,
}

#[derive(Debug, Default)]
struct Receiver {
    in_flight: u32,
    /// Until when it is not asked, if its last request hung. After it, one request at a time is
    /// sent until one is answered.
    silent_until: Option<Duration>,
    /// The greatest number of an event that it does not get, because it has answered 410.
    gone_to: Option<u64>,
}

/// A request in flight. One that is dropped has hung.
#[derive(Debug)]
pub(super) struct Request {
    receivers: Receivers,
    place: Place,
    begun_at: Duration,
    is_finished: bool,
}

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The host with its port.
    pub(super) host: String,
    pub(super) url: String,
}

impl Receivers {
    /// Begins a request for an event.
    ///
    /// # Errors
    /// Returns a permanent error if the receiver wants no more events, and a retryable one if it
    /// does not answer, or if it or its host has many requests in flight.
    pub(super) fn admit(
        &self,
        place: Place,
        seq: u64,
        now: Duration,
    ) -> Result<Request, NotifierError> {
        let mut state = self.0.lock();
        let State { receivers, hosts } = &mut *state;
        if receivers.len() >= RECEIVERS_MAX {
            receivers.retain(|_, receiver| receiver.in_flight > 0);
        }
        let receiver = receivers.entry(place.url.clone()).or_default();
        let checked = receiver.check(seq, now).and_then(|()| {
            let count = hosts.get(&place.host).copied().unwrap_or_default();
            check_host(count)
        });
        if let Err(refused) = checked {
            if !receiver.is_worth_remembering() {
                receivers.remove(&place.url);
            }
            return Err(refused);
        }
        receiver.in_flight = receiver.in_flight.saturating_add(1);
        let count = hosts.entry(place.host.clone()).or_default();
        *count = count.saturating_add(1);
        Ok(Request {
            receivers: self.clone(),
            place,
            begun_at: now,
            is_finished: false,
        })
    }
}

/// Refuses a request to a host that has many in flight.
fn check_host(in_flight: u32) -> Result<(), NotifierError> {
    if in_flight < HOST_IN_FLIGHT_MAX {
        return Ok(());
    }
    Err(NotifierError::retryable(format!(
        "{HOST_IN_FLIGHT_MAX} requests to the host of the receiver wait for its answer"
    )))
}

impl Receiver {
    fn check(&mut self, seq: u64, now: Duration) -> Result<(), NotifierError> {
        // A new event has a greater number than those that it did not get. A smaller one comes
        // again, since a caller retries it.
        if self.gone_to.is_some_and(|gone_to| seq > gone_to) {
            self.gone_to = Some(seq);
            return Err(NotifierError::permanent(
                "the receiver has answered 410, so that it gets nothing until the next start, or \
                 until a delivery that a caller retries succeeds",
            ));
        }
        if self
            .silent_until
            .is_some_and(|until| now < until || self.in_flight > 0)
        {
            return Err(NotifierError::retryable(
                "the receiver did not answer a moment ago, so that it is not asked again yet",
            ));
        }
        if self.in_flight >= IN_FLIGHT_MAX {
            return Err(NotifierError::retryable(format!(
                "{IN_FLIGHT_MAX} requests to the receiver wait for its answer"
            )));
        }
        Ok(())
    }

    const fn is_worth_remembering(&self) -> bool {
        let Self {
            in_flight,
            silent_until,
            gone_to,
        } = self;
        *in_flight > 0 || silent_until.is_some() || gone_to.is_some()
    }
}

impl Request {
    pub(super) fn succeeded(self) {
        self.finish(|receiver| (receiver.silent_until, receiver.gone_to) = (None, None));
    }

    /// The receiver has answered, or cannot be reached.
    pub(super) fn refused(self) {
        self.finish(|receiver| receiver.silent_until = None);
    }

    /// The receiver wants no more events than those before this number.
    pub(super) fn gone(self, seq: u64) {
        self.finish(|receiver| {
            receiver.silent_until = None;
            receiver.gone_to = receiver.gone_to.max(Some(seq));
        });
    }

    /// The receiver has not answered.
    pub(super) fn silent(self, now: Duration) {
        let until = now.saturating_add(PAUSE);
        self.finish(|receiver| receiver.silent_until = Some(until));
    }

    fn finish(mut self, change: impl FnOnce(&mut Receiver)) {
        self.is_finished = true;
        self.end(change);
    }

    fn end(&self, change: impl FnOnce(&mut Receiver)) {
        let Place { host, url } = &self.place;
        let mut state = self.receivers.0.lock();
        let State { receivers, hosts } = &mut *state;
        if let Some(count) = hosts.get_mut(host) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                hosts.remove(host);
            }
        }
        let Some(receiver) = receivers.get_mut(url) else {
            return;
        };
        receiver.in_flight = receiver.in_flight.saturating_sub(1);
        change(receiver);
        if !receiver.is_worth_remembering() {
            receivers.remove(url);
        }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        if !self.is_finished {
            let until = self.begun_at.saturating_add(PAUSE);
            self.end(|receiver| receiver.silent_until = Some(until));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://example.com/a";

    fn second(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn at(url: &str) -> Place {
        let host = url.split('/').nth(2).unwrap().to_owned();
        let url = url.to_owned();
        Place { host, url }
    }

    fn refusal(receivers: &Receivers, seq: u64, now: u64) -> NotifierError {
        receivers.admit(at(URL), seq, second(now)).unwrap_err()
    }

    fn is_empty(receivers: &Receivers) -> bool {
        let state = receivers.0.lock();
        state.receivers.is_empty() && state.hosts.is_empty()
    }

    #[test]
    fn a_receiver_that_answers_is_forgotten() {
        let receivers = Receivers::default();
        receivers.admit(at(URL), 1, second(0)).unwrap().succeeded();
        receivers.admit(at(URL), 2, second(0)).unwrap().refused();
        assert!(is_empty(&receivers));
    }

    #[test]
    fn a_silent_receiver_is_asked_once_after_a_pause() {
        let receivers = Receivers::default();
        receivers
            .admit(at(URL), 1, second(0))
            .unwrap()
            .silent(second(20));
        let error = refusal(&receivers, 2, 49);
        assert!(error.is_retryable() && error.message().contains("not asked again yet"));
        assert!(
            receivers
                .admit(at("https://example.com/b"), 2, second(49))
                .is_ok()
        );
        let probe = receivers.admit(at(URL), 2, second(50)).unwrap();
        assert!(refusal(&receivers, 3, 50).is_retryable());
        drop(probe);
        assert!(refusal(&receivers, 3, 79).is_retryable());
        receivers.admit(at(URL), 3, second(80)).unwrap().refused();
        let both = [4, 5].map(|seq| receivers.admit(at(URL), seq, second(80)).unwrap());
        drop(both);
    }

    #[test]
    fn a_receiver_has_a_share_of_the_requests() {
        let receivers = Receivers::default();
        let admit = |seq| receivers.admit(at(URL), seq, second(0));
        let all: Result<Vec<_>, _> = (0..IN_FLIGHT_MAX.into()).map(admit).collect();
        let all = all.unwrap();
        assert!(
            refusal(&receivers, 100, 0)
                .message()
                .contains("64 requests")
        );
        all.into_iter().for_each(Request::succeeded);
        assert!(receivers.admit(at(URL), 100, second(0)).is_ok());
    }

    #[test]
    fn the_receivers_of_a_host_have_a_share_together() {
        let receivers = Receivers::default();
        let admit = |n: u32, host: &str| {
            let url = format!("https://{host}/{n}");
            receivers.admit(at(&url), u64::from(n), second(0))
        };
        let hanging: Result<Vec<_>, _> = (0..HOST_IN_FLIGHT_MAX)
            .map(|n| admit(n, "slow.example"))
            .collect();
        let hanging = hanging.unwrap();
        let refused = admit(1_000, "slow.example").unwrap_err();
        assert!(refused.is_retryable() && refused.message().contains("128 requests to the host"));
        admit(1, "other.example").unwrap().succeeded();
        assert_eq!(receivers.0.lock().receivers.len(), hanging.len());
        hanging.into_iter().for_each(Request::succeeded);
        assert!(is_empty(&receivers));
    }

    #[test]
    fn a_receiver_that_is_gone_gets_a_retry_alone() {
        let receivers = Receivers::default();
        receivers.admit(at(URL), 5, second(0)).unwrap().gone(5);
        for seq in [6, 7] {
            assert!(!refusal(&receivers, seq, 1).is_retryable());
        }
        let retried = receivers.admit(at(URL), 6, second(2)).unwrap();
        assert!(!refusal(&receivers, 8, 2).is_retryable());
        retried.succeeded();
        receivers.admit(at(URL), 9, second(3)).unwrap().succeeded();
        assert!(is_empty(&receivers));
    }

    #[test]
    fn the_memory_is_bounded() {
        let receivers = Receivers::default();
        for seq in 0..=RECEIVERS_MAX {
            let url = format!("{URL}/{seq}");
            let request = receivers.admit(at(&url), 1, second(0)).unwrap();
            request.silent(second(0));
        }
        assert!(receivers.0.lock().receivers.len() < RECEIVERS_MAX);
    }
}
