//! An exporter that prints each span.

use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};

/// Prints a line for each span: its name, its trace, its id, and the id of its parent.
#[derive(Debug)]
pub(crate) struct Printer;

impl SpanExporter for Printer {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        for span in batch {
            println!(
                "span {} trace {} id {} parent {}",
                span.name,
                span.span_context.trace_id(),
                span.span_context.span_id(),
                span.parent_span_id
            );
        }
        Ok(())
    }
}
