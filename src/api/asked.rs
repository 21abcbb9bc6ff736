//! What a request asks for, and since when: the figures of its answer.

use std::time::Duration;

use http::StatusCode;

use super::route::Route;
use crate::clock::Clock;
use crate::metrics;

/// The label of a request for nothing that the route table has: its own text is the caller's.
const NONE: &str = "none";

/// A request that waits for its answer.
pub(super) struct Asked {
    route: Option<&'static Route>,
    clock: Clock,
    since: Duration,
}

impl Asked {
    pub(super) fn now(clock: &Clock) -> Self {
        Self {
            route: None,
            since: clock.real_time(),
            clock: clock.clone(),
        }
    }

    pub(super) const fn find(&mut self, route: &'static Route) {
        self.route = Some(route);
    }

    pub(super) fn record(&self, status: StatusCode) {
        let took = self.clock.real_time().saturating_sub(self.since);
        let method = self.route.map_or(NONE, |route| route.method.name());
        let path = self.route.map_or(NONE, |route| route.path);
        metrics::request_answered(method, path, status.as_u16(), took);
    }
}
