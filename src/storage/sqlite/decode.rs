//! Every kind of stored text, read as a damaged file would give it.
//!
//! For fuzzers; the reading itself is the other files'.

use std::sync::Arc;

use super::body::{Shared, unpack};
use super::definitions::Definition;
use super::values::json;
use crate::model::{InheritedOutput, Pipeline, PipelineId, Preview, Profile, RunId};

/// Reads a text as each kind of stored text and drops what comes of it.
pub(crate) fn decode(text: &str) {
    drop(json::<Vec<InheritedOutput>>("what a run inherits", text));
    drop(json::<Preview>("a preview", text));
    drop(json::<Profile>("a profile", text));
    let stored = json::<Pipeline>("a definition", text);
    drop(stored.and_then(|pipeline| Definition::new(Arc::new(pipeline))));
    let pipeline = Pipeline::new("daily").node("load", "load");
    let parts = (
        PipelineId::new("daily"),
        Definition::new(Arc::new(pipeline)),
    );
    let (Ok(pipeline), Ok(definition)) = parts else {
        return debug_assert!(false, "the pipeline is acceptable");
    };
    let shared = Shared {
        first_seq: 1,
        run: RunId::from_uuid(uuid::Uuid::nil()),
        pipeline,
        tenant: None,
        started_at: None,
        definition: &definition,
    };
    drop(unpack(text, &shared));
}
