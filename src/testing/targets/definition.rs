//! A body that should be a pipeline: read, checked, written, read again.
//!
//! What the rules are is left to `graph`.

use crate::graph::definition;
use crate::limits::Limits;
use crate::model::Pipeline;

/// Reads a definition.
///
/// What is accepted has a valid graph and comes back from its own text as it was; what is refused
/// says why.
pub fn definition(bytes: &[u8]) {
    let limits = Limits::default();
    let Ok(value) = crate::json::read(bytes) else {
        return;
    };
    let pipeline = match definition::parse(value, || "made".to_owned(), &limits) {
        Ok(pipeline) => pipeline,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let graph = definition::check(&pipeline, &limits).expect("what was read is acceptable");
    assert_eq!(graph.node_indexes().count(), pipeline.nodes.len());
    comes_back(&pipeline, &limits);
}

fn comes_back(pipeline: &Pipeline, limits: &Limits) {
    let text = serde_json::to_vec(pipeline).expect("a pipeline can be written");
    let value = crate::json::read(&text).expect("what was written can be read");
    let again = definition::parse(value, || "another".to_owned(), limits)
        .expect("what was accepted is accepted again");
    assert_eq!(&again, pipeline);
}
