//! The fuzz target of pipeline definitions: a request body is parsed, checked, serialized and
//! parsed again.
//!
//! The rules are left to `graph`.

use crate::graph::definition;
use crate::limits::Limits;
use crate::model::Pipeline;

/// Parses a definition.
///
/// An accepted definition has a valid graph and survives serialization unchanged. A refused one
/// gives a reason.
pub fn definition(bytes: &[u8]) {
    let limits = Limits::default();
    let Ok(value) = crate::json::read(bytes) else {
        return;
    };
    let pipeline = match definition::parse(value, || "made".to_owned(), &limits) {
        Ok(pipeline) => pipeline,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let graph =
        definition::check(&pipeline, &limits).expect("a parsed definition passes the check");
    assert_eq!(graph.node_indexes().count(), pipeline.nodes.len());
    assert_round_trip(&pipeline, &limits);
}

fn assert_round_trip(pipeline: &Pipeline, limits: &Limits) {
    let text = serde_json::to_vec(pipeline).expect("a pipeline can be serialized");
    let value = crate::json::read(&text).expect("a serialized pipeline is valid JSON");
    let parsed = definition::parse(value, || "another".to_owned(), limits)
        .expect("an accepted definition is accepted again");
    assert_eq!(&parsed, pipeline);
}
