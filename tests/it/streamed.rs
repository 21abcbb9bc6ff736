//! What streams send, over a WebSocket and as server-sent events: the events of a host, and the
//! reports about those that a slow client missed.

use floret::testing::Step;
use floret::{Access, Event, RunsService};
use serde_json::Value;

use crate::harness::{Host, World, chain};

/// Starts a host with the pipeline `p` (`a`, then `b`).
pub(crate) async fn streaming(world: World) -> (World, Host, RunsService) {
    let world = world.pipeline(chain("p", &["a", "b"]));
    let host = world.start().await;
    let service = host.floret.service(Access::allow_all());
    (world, host, service)
}

/// Returns the events in the form in which a stream sends them.
pub(crate) fn sent(events: &[Event]) -> Vec<Value> {
    let events = events.iter();
    events
        .map(|event| serde_json::to_value(event).unwrap())
        .collect()
}

/// A step that logs `lines` lines.
pub(crate) fn chatty(lines: usize) -> Step {
    (0..lines).fold(Step::pass_on(), |step, line| {
        step.logs(format!("line {line}"))
    })
}

/// Checks the received messages against all events. Returns the number of events received or
/// reported as missed, and the number of `lagged` messages.
pub(crate) fn check_lag(received: &[Value], all: &[Value]) -> (usize, usize) {
    let (mut count, mut lags) = (0, 0);
    for message in received {
        if message["type"] == "lagged" {
            lags += 1;
            let next = message["next_seq"].as_u64().unwrap();
            let later = all[count..].iter();
            let missed = later.take_while(|event| event["seq"].as_u64().unwrap() < next);
            let missed = missed.count();
            assert!(missed > 0);
            assert_eq!(message["missed"], missed, "{message}");
            count += missed;
        } else {
            assert_eq!(*message, all[count]);
            count += 1;
        }
    }
    (count, lags)
}
