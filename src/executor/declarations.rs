//! What an executor declares of its nodes: their effect, their assets, their inputs and the schema
//! of their config. Contains a panic of the host's code.
//!
//! Who asks, and what follows from the answer, is left to `engine`.

use serde_json::Value;

use super::{Asset, Effect, Executor};
use crate::error::{catch_panic_in, trace_panic};
use crate::model::Node;

/// Returns the JSON Schema of a config. An executor that panics when it is asked has none.
pub(crate) fn config_schema(executor: &dyn Executor) -> Option<Value> {
    catch_panic_in(|| executor.config_schema()).unwrap_or_else(|panic| {
        trace_panic(
            "an executor panicked when asked for the schema of its config",
            &panic,
        );
        None
    })
}

/// Returns how many inputs a node of this type takes. An executor that panics when it is asked
/// takes any number.
pub(crate) fn input_count(executor: &dyn Executor) -> Option<usize> {
    catch_panic_in(|| executor.input_count()).unwrap_or_else(|panic| {
        trace_panic(
            "an executor panicked when asked for the number of its inputs",
            &panic,
        );
        None
    })
}

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
