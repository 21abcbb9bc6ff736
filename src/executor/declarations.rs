//! What an executor declares of its nodes: their effect and their assets. Contains a panic of the
//! host's code.
//!
//! Who asks, and what follows from the answer, is left to `engine`.

use super::{Asset, Effect, Executor};
use crate::error::{catch_panic_in, trace_panic};
use crate::model::Node;

/// Returns whether a node writes outside its pipeline. One whose executor panics when it is asked
/// may, so it counts as a sink: a dry run skips it, and a resume never repeats its success.
pub(crate) fn is_sink(executor: &dyn Executor, node: &Node) -> bool {
    catch_panic_in(|| executor.effect(node) == Effect::Sink).unwrap_or_else(|panic| {
        trace_panic("an executor panicked when asked for its effect", &panic);
        true
    })
}

/// Returns what a node reads and writes. One whose executor panics when it is asked declares
/// nothing.
pub(crate) fn assets(executor: &dyn Executor, node: &Node) -> Vec<Asset> {
    catch_panic_in(|| executor.assets(node)).unwrap_or_else(|panic| {
        trace_panic("an executor panicked when asked for its assets", &panic);
        Vec::new()
    })
}
