//! Makes a span of OpenTelemetry for each span of Floret.
//!
//! The layer of `tracing-opentelemetry` does this for a whole program, but gives each span a new
//! id. This one keeps the ids in `traceparent`, which other services get as the parent of their
//! spans, and takes the parent of a run from `parent_span_id`.

use std::cell::Cell;
use std::fmt::{self, Debug};

use floret::TraceParent;
use opentelemetry::trace::{SpanContext, TraceContextExt, TraceState, Tracer};
use opentelemetry::{Context, KeyValue, SpanId, TraceFlags, TraceId};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator, SdkTracer};
use tracing::Subscriber;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing_subscriber::layer::{self, Layer};
use tracing_subscriber::registry::LookupSpan;

thread_local! {
    /// The id of the span that this thread is about to create.
    static NEXT_ID: Cell<Option<SpanId>> = const { Cell::new(None) };
}

/// Returns the ids in the fields of Floret's spans, and random ones for the others.
#[derive(Debug, Default)]
pub(crate) struct SpanIds(RandomIdGenerator);

impl IdGenerator for SpanIds {
    fn new_trace_id(&self) -> TraceId {
        self.0.new_trace_id()
    }

    fn new_span_id(&self) -> SpanId {
        NEXT_ID.take().unwrap_or_else(|| self.0.new_span_id())
    }
}

/// A layer that exports spans.
#[derive(Debug)]
pub(crate) struct Bridge(SdkTracer);

impl Bridge {
    pub(crate) const fn new(tracer: SdkTracer) -> Self {
        Self(tracer)
    }
}

impl<S: Subscriber + for<'span> LookupSpan<'span>> Layer<S> for Bridge {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: layer::Context<'_, S>) {
        let Some(span) = context.span(id) else {
            return;
        };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let parent = fields.remote_parent().unwrap_or_else(|| {
            let parent = span.parent();
            let parent = parent.and_then(|parent| parent.extensions().get::<Context>().cloned());
            parent.unwrap_or_default()
        });
        let own = fields.traceparent.map(TraceParent::span_id);
        NEXT_ID.set(own.map(|own| SpanId::from_bytes(own.to_bytes())));
        let name = attributes.metadata().name();
        let builder = self.0.span_builder(name).with_attributes(fields.others);
        let started = builder.start_with_context(&self.0, &parent);
        span.extensions_mut().insert(parent.with_span(started));
    }

    fn on_close(&self, id: Id, context: layer::Context<'_, S>) {
        let span = context.span(&id);
        let ended = span.and_then(|span| span.extensions_mut().remove::<Context>());
        if let Some(ended) = ended {
            ended.span().end();
        }
    }
}

/// The fields of a span.
#[derive(Default)]
struct Fields {
    traceparent: Option<TraceParent>,
    parent_span_id: Option<SpanId>,
    others: Vec<KeyValue>,
}

impl Fields {
    /// Returns the parent, if it is no span of this program's log.
    fn remote_parent(&self) -> Option<Context> {
        let (own, parent) = (self.traceparent?, self.parent_span_id?);
        let trace = TraceId::from_bytes(own.trace_id().to_bytes());
        let flags = TraceFlags::default().with_sampled(own.is_sampled());
        let remote = SpanContext::new(trace, parent, flags, true, TraceState::NONE);
        Some(Context::new().with_remote_span_context(remote))
    }
}

impl Visit for Fields {
    fn record_u64(&mut self, field: &Field, value: u64) {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        self.others.push(KeyValue::new(field.name(), value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "traceparent" => self.traceparent = value.parse().ok(),
            "parent_span_id" => self.parent_span_id = SpanId::from_hex(value).ok(),
            name => self.others.push(KeyValue::new(name, value.to_owned())),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, &fmt::format(format_args!("{value:?}")));
    }
}
