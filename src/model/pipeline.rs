//! A pipeline: nodes, the edges between them, and how a run of it behaves.
//!
//! Whether the edges make a graph is checked by `graph`; reading JSON with every problem told is
//! left to `graph/definition`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Overlap, PipelineId, Slug, TenantId};

/// A pipeline as its author writes it.
///
/// ```
/// use floret::Pipeline;
/// let daily = Pipeline::new("daily")
///     .node("load", "load")
///     .node("sum", "summarize").after("load");
/// assert_eq!(daily.nodes.len(), 2);
/// assert_eq!(daily.edges[0].to, "sum");
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Pipeline {
    /// Its id; checked when it is saved ([`PipelineId`]).
    pub id: String,
    /// Its slug; derived from the name where none is given.
    #[serde(rename = "pipeline_id", skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    /// Its name, 1 to 255 characters.
    pub name: String,
    /// What it does, at most 2,000 characters.
    pub description: String,
    /// Its nodes, 1 to 1,000.
    pub nodes: Vec<Node>,
    /// Its edges, at most 20,000.
    pub edges: Vec<Edge>,
    /// Parameters with their defaults.
    pub params: BTreeMap<String, String>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Whether schedules start it; a caller always may.
    pub enabled: bool,
    /// How long a run may take from its start, to the millisecond.
    #[serde(with = "seconds", skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// How many of its runs may execute at once; none: no limit of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_concurrent_runs: Option<u32>,
    /// When runs start by themselves: five fields of cron(8), or one of
    /// `@hourly @daily @weekly @monthly @yearly`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// The IANA name of the zone whose clock the schedule reads; UTC where none is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule_timezone: Option<String>,
    /// Whether the latest tick that was missed, within 24 hours, is made up for.
    #[serde(skip_serializing_if = "is_default")]
    pub catch_up: bool,
    /// What becomes of a tick while a run of the schedule is unfinished.
    #[serde(skip_serializing_if = "is_default")]
    pub overlap: Overlap,
    /// Fields that Floret does not know, kept as they came.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A node as its author writes it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Node {
    /// Its id, unique in its pipeline.
    pub id: String,
    /// The name under which its executor is registered.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its name for people; the id where none is given.
    pub name: String,
    /// What its executor reads, templates included.
    pub config: Map<String, Value>,
    /// Fields that Floret does not know, kept as they came.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// An edge: the output of `from` is an input of `to`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Edge {
    /// The upstream node.
    pub from: String,
    /// The downstream node.
    pub to: String,
    /// Fields that Floret does not know, kept as they came.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Default for Pipeline {
    /// An enabled pipeline without anything, not even an id: what a field that is left out reads
    /// as.
    fn default() -> Self {
        Self {
            id: String::new(),
            slug: None,
            name: String::new(),
            description: String::new(),
            nodes: Vec::new(),
            edges: Vec::new(),
            params: BTreeMap::new(),
            tags: Vec::new(),
            enabled: true,
            timeout: None,
            max_concurrent_runs: None,
            schedule: None,
            schedule_timezone: None,
            catch_up: false,
            overlap: Overlap::Queue,
            extra: Map::new(),
        }
    }
}

impl Pipeline {
    /// An enabled pipeline without nodes, its id also its name.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        let id = id.into();
        Self {
            name: id.clone(),
            id,
            ..Self::default()
        }
    }

    /// Adds a node that the executor registered as `kind` executes.
    #[must_use]
    pub fn node(mut self, id: impl Into<String>, kind: impl Into<String>) -> Self {
        self.nodes.push(Node::new(id, kind));
        self
    }

    /// Adds a node that is already made.
    #[must_use]
    pub fn with(mut self, node: Node) -> Self {
        self.nodes.push(node);
        self
    }

    /// Makes the node added last run after `upstream`, on its output.
    #[must_use]
    pub fn after(mut self, upstream: impl Into<String>) -> Self {
        let to = self
            .nodes
            .last()
            .map(|node| node.id.clone())
            .unwrap_or_default();
        self.edges.push(Edge::new(upstream, to));
        self
    }

    /// Adds an edge.
    #[must_use]
    pub fn edge(mut self, from: impl Into<String>, to: impl Into<String>) -> Self {
        self.edges.push(Edge::new(from, to));
        self
    }

    /// Sets the name for people.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets the default of a parameter.
    #[must_use]
    pub fn param(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.params.insert(name.into(), value.into());
        self
    }

    /// Sets how long a run may take from its start, to the millisecond.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets how many runs may execute at once.
    #[must_use]
    pub const fn max_concurrent_runs(mut self, runs: u32) -> Self {
        self.max_concurrent_runs = Some(runs);
        self
    }

    /// Sets when runs start by themselves: five fields of cron(8), or one of
    /// `@hourly @daily @weekly @monthly @yearly`.
    ///
    /// ```
    /// # use floret::{Overlap, Pipeline};
    /// let daily = Pipeline::new("daily").node("load", "load")
    ///     .schedule("30 6 * * mon-fri").schedule_timezone("Europe/Berlin")
    ///     .catch_up().overlap(Overlap::Skip);
    /// # assert!(daily.catch_up);
    /// ```
    #[must_use]
    pub fn schedule(mut self, expression: impl Into<String>) -> Self {
        self.schedule = Some(expression.into());
        self
    }

    /// Sets the zone whose clock the schedule reads, by its IANA name.
    #[must_use]
    pub fn schedule_timezone(mut self, zone: impl Into<String>) -> Self {
        self.schedule_timezone = Some(zone.into());
        self
    }

    /// Has the latest tick that was missed, within 24 hours, made up for.
    #[must_use]
    pub const fn catch_up(mut self) -> Self {
        self.catch_up = true;
        self
    }

    /// Sets what becomes of a tick while a run of the schedule is unfinished.
    #[must_use]
    pub const fn overlap(mut self, overlap: Overlap) -> Self {
        self.overlap = overlap;
        self
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Node {
    /// A node without config, its id also its name.
    #[must_use]
    pub fn new(id: impl Into<String>, kind: impl Into<String>) -> Self {
        let id = id.into();
        Self {
            name: id.clone(),
            id,
            kind: kind.into(),
            ..Self::default()
        }
    }

    /// Sets a key of the config.
    #[must_use]
    pub fn config(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.config.insert(key.into(), value.into());
        self
    }

    /// Sets the name for people.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }
}

impl Edge {
    /// An edge between two nodes.
    #[must_use]
    pub fn new(from: impl Into<String>, to: impl Into<String>) -> Self {
        Self {
            from: from.into(),
            to: to.into(),
            extra: Map::new(),
        }
    }
}

/// A duration as a number of seconds, to the millisecond.
pub(crate) mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de};

    /// Reads a number of seconds and rounds it to milliseconds; none when it is negative or too
    /// large.
    ///
    /// Without rounding 18503566.495 would come back with a nanosecond too many.
    pub(crate) fn read(seconds: f64) -> Option<Duration> {
        const HALF_MS: Duration = Duration::from_micros(500);
        let exact = Duration::try_from_secs_f64(seconds).ok()?;
        let ms = exact.checked_add(HALF_MS)?.as_millis();
        u64::try_from(ms).ok().map(Duration::from_millis)
    }

    #[expect(clippy::ref_option, reason = "serde gives the field by reference")]
    pub(crate) fn serialize<S: Serializer>(
        value: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            None => serializer.serialize_none(),
            Some(duration) if duration.subsec_millis() == 0 => {
                serializer.serialize_u64(duration.as_secs())
            }
            // One division, so that 3.3 s reads 3.3 and not 3.3000000000000003.
            Some(duration) => serializer.serialize_f64(duration.as_millis() as f64 / 1_000.0),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        let read = |seconds| read(seconds).ok_or_else(|| de::Error::custom("no duration"));
        Option::<f64>::deserialize(deserializer)?
            .map(read)
            .transpose()
    }
}

/// A pipeline as storage keeps it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct StoredPipeline {
    /// Its id.
    pub id: PipelineId,
    /// Its slug, given or derived.
    pub slug: Slug,
    /// The tenant it belongs to.
    pub tenant: Option<TenantId>,
    /// The version of the definition, from 1; grows when a save changes something.
    pub version: u32,
    /// The definition of that version.
    pub definition: Arc<Pipeline>,
    /// When it was first saved.
    pub created_at: DateTime<Utc>,
    /// When a save last changed it.
    pub updated_at: DateTime<Utc>,
}

impl StoredPipeline {
    /// The first version of a pipeline.
    #[must_use]
    pub const fn new(
        id: PipelineId,
        slug: Slug,
        definition: Arc<Pipeline>,
        created_at: DateTime<Utc>,
    ) -> Self {
        Self {
            id,
            slug,
            tenant: None,
            version: 1,
            definition,
            created_at,
            updated_at: created_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_written_in_seconds_and_read_to_the_millisecond() {
        for (ms, text) in [
            (60_000, "60"),
            (3_300, "3.3"),
            (1, "0.001"),
            (18_503_566_495, "18503566.495"),
            (31_535_999_999, "31535999.999"),
        ] {
            let pipeline = Pipeline::new("p").timeout(Duration::from_millis(ms));
            let written = serde_json::to_string(&pipeline).unwrap();
            assert!(
                written.contains(&format!("\"timeout\":{text}")),
                "{written}"
            );
            assert_eq!(
                serde_json::from_str::<Pipeline>(&written).unwrap(),
                pipeline
            );
        }
        assert_eq!(seconds::read(0.000_499), Some(Duration::ZERO));
        assert_eq!(seconds::read(0.000_501), Some(Duration::from_millis(1)));
        assert_eq!((seconds::read(-1.0), seconds::read(1e300)), (None, None));
        assert_eq!(seconds::read(f64::NAN), None);
    }

    #[test]
    fn a_field_that_is_left_out_reads_as_its_default_and_numbers_as_they_came() {
        let text = r#"{"id":"p","big":18446744073709551615,"low":-9223372036854775808,"half":0.5,"one":1.0}"#;
        let pipeline: Pipeline = serde_json::from_str(text).unwrap();
        assert!(pipeline.enabled && pipeline.timeout.is_none());
        assert_eq!(
            serde_json::to_value(&pipeline.extra["big"]).unwrap(),
            u64::MAX
        );
        let extra = serde_json::to_string(&pipeline.extra).unwrap();
        assert_eq!(
            extra,
            r#"{"big":18446744073709551615,"half":0.5,"low":-9223372036854775808,"one":1.0}"#
        );
    }
}
