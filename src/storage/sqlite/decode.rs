//! The entry point of fuzzers: decodes a text as every kind of stored text.
//!
//! The codecs are in `values`, `body` and `definitions`.

use std::sync::Arc;

use super::body::{Shared, unpack};
use super::definitions::Definition;
use super::values::json;
use crate::model::{InheritedOutput, Pipeline, PipelineId, Preview, Profile, RunId};

/// Decodes a text as every kind of stored text and ignores the results.
pub(crate) fn decode(text: &str) {
    drop(json::<Vec<InheritedOutput>>(
        "a run's inherited outputs",
        text,
    ));
    drop(json::<Preview>("a preview", text));
    drop(json::<Profile>("a profile", text));
    let stored = json::<Pipeline>("a definition", text);
    drop(stored.and_then(|pipeline| Definition::new(Arc::new(pipeline), text.len())));
    let pipeline = Pipeline::new("daily").node("load", "load");
    let parts = (
        PipelineId::new("daily"),
        Definition::new(Arc::new(pipeline), text.len()),
    );
    let (Ok(pipeline), Ok(definition)) = parts else {
        return debug_assert!(false, "the pipeline is valid");
    };
    let shared = Shared {
        first_seq: 1,
        run: RunId::from_uuid(uuid::Uuid::nil()),
        pipeline,
        tenant: None,
        started_at: None,
        definition: &definition,
        traceparent: None,
    };
    drop(unpack(text, &shared));
}
