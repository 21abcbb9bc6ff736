//! What a request asks for, and since when: the figures and the number of its answer.

use std::time::Duration;

use http::{HeaderValue, Response, StatusCode};

use super::body::Body;
use super::response::FLORET_SEQ;
use super::route::Route;
use crate::clock::Clock;
use crate::metrics;

/// The label of a request for nothing that the route table has: its own text is the caller's.
const NONE: &str = "none";

/// A request that waits for its answer.
pub(super) struct Asked {
    route: Option<&'static Route>,
    newest: u64,
    clock: Clock,
    since: Duration,
}

impl Asked {
    pub(super) fn now(clock: &Clock) -> Self {
        Self {
            route: None,
            newest: 0,
            since: clock.real_time(),
            clock: clock.clone(),
        }
    }

    /// Notes the route, and the newest event before the route reads anything.
    pub(super) const fn note_route(&mut self, route: &'static Route, newest: u64) {
        self.route = Some(route);
        self.newest = newest;
    }

    /// Adds the number of the newest event to what shows runs.
    pub(super) fn number(&self, response: &mut Response<Body>) {
        let shown = [StatusCode::OK, StatusCode::NOT_MODIFIED];
        if self.route.is_some_and(Route::shows_runs) && shown.contains(&response.status()) {
            let newest = HeaderValue::from(self.newest);
            response.headers_mut().insert(FLORET_SEQ, newest);
        }
    }

    pub(super) fn record(&self, status: StatusCode) {
        let took = self.clock.real_time().saturating_sub(self.since);
        let method = self.route.map_or(NONE, |route| route.method.name());
        let path = self.route.map_or(NONE, |route| route.path);
        metrics::request_answered(method, path, status.as_u16(), took);
    }
}
