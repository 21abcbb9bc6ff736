//! A pipeline: its nodes, the edges between them, and the settings of its runs.
//!
//! `graph` checks that the edges form a valid graph. `graph/definition` reads definitions from JSON
//! and reports every issue.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::defaults::is_default;
use super::{
    Concurrency, DependencyMode, DependencyRule, Edge, Hook, Hooks, Node, Overlap, ParamDef,
    TenantId, WebhookToken, seconds,
};

/// The definition of a pipeline.
///
/// Build one with [`Pipeline::new`] and the methods below, or read one from JSON with
/// [`Pipeline::from_json`]. Values are checked when the pipeline is saved.
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
    /// The id. Has the format of a [`PipelineId`](super::PipelineId).
    pub id: String,
    /// The slug, in the format of a [`Slug`](super::Slug). Derived from the name if `None`.
    ///
    /// The API calls it `slug`. This type serializes it under its old name, `pipeline_id`, which
    /// the API reads as well.
    #[serde(rename = "pipeline_id", skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    /// The display name, 1 to 255 characters.
    pub name: String,
    /// The description, at most 2,000 characters.
    pub description: String,
    /// The nodes, from 1 to 1,000 (`Limits::nodes_max`).
    pub nodes: Vec<Node>,
    /// The edges, at most 20,000 (`Limits::edges_max`).
    pub edges: Vec<Edge>,
    /// The parameters with their defaults. A trigger can override the values.
    pub params: BTreeMap<String, String>,
    /// The definitions of the parameters, at most 256 (`Limits::params_max`). Without any, a run
    /// takes parameters of every name and value.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub param_defs: Vec<ParamDef>,
    /// Tags for searching, 1 to 128 characters each.
    pub tags: Vec<String>,
    /// Whether the schedule starts runs. A caller can always start one.
    pub enabled: bool,
    /// The timeout of a run, counted from its start: 0.001 s to one year, in milliseconds. `None`
    /// means no timeout.
    #[serde(with = "seconds", skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// The most runs of the pipeline that may execute at the same time, at least 1. `None` means no
    /// limit of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_concurrent_runs: Option<u32>,
    /// How many runs with the same key may execute at the same time. `None` means no key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<Concurrency>,
    /// The schedule: five fields as in cron(8), or one of
    /// `@hourly @daily @weekly @monthly @yearly`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// The IANA name of the time zone of the schedule. `None` means UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule_timezone: Option<String>,
    /// Whether the latest missed tick within the last 24 hours gets a catch-up run.
    #[serde(skip_serializing_if = "is_default")]
    pub catch_up: bool,
    /// Whether every missed tick gets a catch-up run, the oldest first. Needs [`Overlap::Queue`].
    #[serde(skip_serializing_if = "is_default")]
    pub catch_up_all: bool,
    /// How many missed ticks get a run with `catch_up_all`, the newest ones: 1 to 100. `None` means
    /// 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub catch_up_max: Option<u32>,
    /// The overlap rule: what a tick does while a run of the schedule is unfinished.
    #[serde(skip_serializing_if = "is_default")]
    pub overlap: Overlap,
    /// The ids of pipelines that must have succeeded: each is short for a
    /// [`DependencyRule::gate`], unless [`Pipeline::dependency_rules`] has a gate for it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
    /// The dependencies on other pipelines. Together with [`Pipeline::depends_on`] at most 100
    /// (`Limits::dependencies_max`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dependency_rules: Vec<DependencyRule>,
    /// The requests that Floret sends when a run starts, succeeds or fails.
    #[serde(skip_serializing_if = "Hooks::is_empty")]
    pub hooks: Hooks,
    /// The token with which a webhook starts runs: 16 to 255 visible ASCII characters. `None` means
    /// no webhook.
    ///
    /// A save takes it out of the definition, and storage keeps its hash alone. Of a pipeline that
    /// was found, it is `********`, which a save leaves as it is. An empty text asks the save to
    /// make one ([`SavedPipeline`](crate::query::SavedPipeline)).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_token: Option<WebhookToken>,
    /// The tenant that the pipeline belongs to. Its JSON has none: a caller over HTTP has its own.
    #[serde(skip)]
    pub tenant: Option<TenantId>,
    /// Fields that Floret does not know. It keeps them unchanged.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Default for Pipeline {
    /// Returns an enabled pipeline in which every other field is empty. These are the values of
    /// omitted fields.
    fn default() -> Self {
        Self {
            id: String::new(),
            slug: None,
            name: String::new(),
            description: String::new(),
            nodes: Vec::new(),
            edges: Vec::new(),
            params: BTreeMap::new(),
            param_defs: Vec::new(),
            tags: Vec::new(),
            enabled: true,
            timeout: None,
            max_concurrent_runs: None,
            concurrency: None,
            schedule: None,
            schedule_timezone: None,
            catch_up: false,
            catch_up_all: false,
            catch_up_max: None,
            overlap: Overlap::Queue,
            depends_on: Vec::new(),
            dependency_rules: Vec::new(),
            hooks: Hooks::default(),
            webhook_token: None,
            tenant: None,
            extra: Map::new(),
        }
    }
}

impl Pipeline {
    /// Creates an enabled pipeline without nodes. Its name is its id.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        let id = id.into();
        Self {
            name: id.clone(),
            id,
            ..Self::default()
        }
    }

    /// Sets the slug, in the format of a [`Slug`](super::Slug). Without it, the slug is derived
    /// from the name.
    #[must_use]
    pub fn slug(mut self, slug: impl Into<String>) -> Self {
        self.slug = Some(slug.into());
        self
    }

    /// Adds a node that the executor registered as `kind` executes. Its name is its id.
    ///
    /// The id comes first, then the node type. [`Pipeline::with`] adds a node with more than these.
    #[must_use]
    pub fn node(mut self, id: impl Into<String>, kind: impl Into<String>) -> Self {
        self.nodes.push(Node::new(id, kind));
        self
    }

    /// Adds a node that is already built.
    #[must_use]
    pub fn with(mut self, node: Node) -> Self {
        self.nodes.push(node);
        self
    }

    /// Adds an edge from `upstream` to the node that was added last.
    ///
    /// Before the first node, it adds an edge that the check of the pipeline refuses.
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

    /// Adds an edge from `upstream` to the node that was added last, which is taken only if
    /// `upstream` takes this branch.
    ///
    /// `upstream` must return a [`Branch`](crate::executor::Branch). A node with several edges
    /// executes if one of them is taken, and receives nothing along the others.
    #[must_use]
    pub fn after_if(self, upstream: impl Into<String>, branch: bool) -> Self {
        let mut pipeline = self.after(upstream);
        if let Some(edge) = pipeline.edges.last_mut() {
            edge.condition = Some(branch);
        }
        pipeline
    }

    /// Adds an edge that is already built.
    #[must_use]
    pub fn with_edge(mut self, edge: Edge) -> Self {
        self.edges.push(edge);
        self
    }

    /// Adds an edge from one node to another.
    #[must_use]
    pub fn edge(mut self, from: impl Into<String>, to: impl Into<String>) -> Self {
        self.edges.push(Edge::new(from, to));
        self
    }

    /// Sets the display name.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets the description, at most 2,000 characters.
    ///
    /// ```
    /// # use floret::Pipeline;
    /// let daily = Pipeline::new("daily")
    ///     .name("Daily load").slug("daily-load")
    ///     .description("Loads the orders of a day.")
    ///     .tags(["etl", "orders"]).tag("hourly")
    ///     .extra("owner", "data team")
    ///     .disabled();
    /// assert_eq!(daily.tags, ["etl", "orders", "hourly"]);
    /// assert!(!daily.enabled);
    /// ```
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// Adds a tag for searching, 1 to 128 characters. A pipeline has at most 100 tags
    /// (`Limits::tags_max`).
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Adds tags, as [`Pipeline::tag`] adds one.
    #[must_use]
    pub fn tags(mut self, tags: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.tags.extend(tags.into_iter().map(Into::into));
        self
    }

    /// Keeps the schedule from starting runs. A caller can still start one.
    #[must_use]
    pub const fn disabled(mut self) -> Self {
        self.enabled = false;
        self
    }

    /// Lets the schedule start runs, which is the default.
    #[must_use]
    pub const fn enabled(mut self) -> Self {
        self.enabled = true;
        self
    }

    /// Sets a field that Floret does not know, and keeps unchanged. A save refuses the name of a
    /// field that Floret knows.
    #[must_use]
    pub fn extra(mut self, field: impl Into<String>, value: impl Into<Value>) -> Self {
        self.extra.insert(field.into(), value.into());
        self
    }

    /// Sets the tenant that the pipeline belongs to. Without it, the pipeline belongs to no tenant,
    /// or to that of the client that saves it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> floret::Result<()> {
    /// use floret::executor::{Ctx, ExecutorError};
    /// use floret::{Pipeline, TenantId, testing::memory};
    ///
    /// async fn load(ctx: Ctx) -> Result<(), ExecutorError> {
    ///     assert_eq!(ctx.tenant.as_ref().map(TenantId::as_str), Some("acme"));
    ///     Ok(())
    /// }
    /// let acme = TenantId::new("acme").expect("a valid id");
    /// let daily = Pipeline::new("daily").node("load", "load").tenant(acme.clone());
    /// let floret = memory().node("load", load).pipeline(daily).start().await?;
    /// let run = floret.run("daily").await?.finished().await?.run;
    /// assert_eq!(run.tenant, Some(acme));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn tenant(mut self, tenant: TenantId) -> Self {
        self.tenant = Some(tenant);
        self
    }

    /// Sets the token with which a webhook starts runs of the pipeline.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> floret::Result<()> {
    /// # use floret::{Pipeline, Trigger, executor::Ctx, testing::memory};
    /// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
    /// let token = "a-token-from-the-environment";
    /// let daily = Pipeline::new("daily").node("load", "load").webhook_token(token);
    /// let floret = memory().node("load", load).pipeline(daily).start().await?;
    /// let run = floret.run("daily").webhook(token).await?.finished().await?.run;
    /// assert_eq!(run.trigger, Trigger::Webhook);
    ///
    /// let refused = floret.run("daily").webhook("another token").await.unwrap_err();
    /// assert_eq!(refused.slug(), "unauthenticated");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn webhook_token(mut self, token: impl Into<String>) -> Self {
        self.webhook_token = Some(WebhookToken::from(token.into()));
        self
    }

    /// Sets the default of a parameter.
    #[must_use]
    pub fn param(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.params.insert(name.into(), value.into());
        self
    }

    /// Defines a parameter. A pipeline with definitions refuses parameters that are not defined,
    /// and values that do not fit.
    ///
    /// `date`, which Floret sets in each run, needs no definition.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> floret::Result<()> {
    /// use floret::executor::{Ctx, ExecutorError};
    /// use floret::{ParamDef, Pipeline, testing::memory};
    ///
    /// async fn load(_: Ctx) -> Result<(), ExecutorError> { Ok(()) }
    /// let daily = Pipeline::new("daily")
    ///     .node("load", "load")
    ///     .param_def(ParamDef::integer("rows").min(1).max(100).default(10));
    /// let floret = memory().node("load", load).pipeline(daily).start().await?;
    /// let run = floret.run("daily").await?.finished().await?.run;
    /// assert_eq!(run.params["rows"], "10");
    ///
    /// let refused = floret.run("daily").param("rows", "1000").await.unwrap_err();
    /// assert_eq!(refused.slug(), "param-invalid");
    /// let refused = floret.run("daily").param("row", "5").await.unwrap_err();
    /// assert!(refused.to_string().contains("did you mean \"rows\"?"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn param_def(mut self, def: ParamDef) -> Self {
        self.param_defs.push(def);
        self
    }

    /// Sets the timeout of a run, counted from its start. It is rounded to milliseconds.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets the most runs that may execute at the same time, at least 1.
    #[must_use]
    pub const fn max_concurrent_runs(mut self, runs: u32) -> Self {
        self.max_concurrent_runs = Some(runs);
        self
    }

    /// Sets the concurrency key: how many runs with the same key may execute at the same time.
    #[must_use]
    pub fn concurrency(mut self, concurrency: Concurrency) -> Self {
        self.concurrency = Some(concurrency);
        self
    }

    /// Sets the schedule: five fields as in cron(8), or one of
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

    /// Sets the time zone of the schedule by its IANA name.
    #[must_use]
    pub fn schedule_timezone(mut self, zone: impl Into<String>) -> Self {
        self.schedule_timezone = Some(zone.into());
        self
    }

    /// Enables a catch-up run for the latest missed tick within the last 24 hours.
    #[must_use]
    pub const fn catch_up(mut self) -> Self {
        self.catch_up = true;
        self
    }

    /// Enables a catch-up run for every missed tick, however old. The oldest comes first.
    ///
    /// At most [`Pipeline::catch_up_max`] get one, the newest. It is for pipelines of which each
    /// run loads its own day, and needs [`Overlap::Queue`].
    #[must_use]
    pub const fn catch_up_all(mut self) -> Self {
        self.catch_up_all = true;
        self
    }

    /// Sets how many missed ticks get a run with [`Pipeline::catch_up_all`]: 1 to 100, 100 by
    /// default.
    #[must_use]
    pub const fn catch_up_max(mut self, runs: u32) -> Self {
        self.catch_up_max = Some(runs);
        self
    }

    /// Sets the overlap rule: what a tick does while a run of the schedule is unfinished.
    #[must_use]
    pub const fn overlap(mut self, overlap: Overlap) -> Self {
        self.overlap = overlap;
        self
    }

    /// Makes the runs of this pipeline wait while the latest run of `upstream` has not succeeded.
    #[must_use]
    pub fn depends_on(mut self, upstream: impl Into<String>) -> Self {
        self.depends_on.push(upstream.into());
        self
    }

    /// Adds a dependency on another pipeline.
    #[must_use]
    pub fn dependency(mut self, rule: DependencyRule) -> Self {
        self.dependency_rules.push(rule);
        self
    }

    /// Sets the hook that is called when a run starts.
    ///
    /// Hooks need the feature `webhook`. The run does not wait for them. The body and the headers
    /// of a request are those of [`Webhook`](crate::notifier), and so are its retries and what
    /// becomes of an event that cannot be delivered.
    ///
    /// ```
    /// use floret::{Hook, Pipeline};
    ///
    /// let daily = Pipeline::new("daily")
    ///     .node("load", "load")
    ///     .on_start(Hook::webhook("https://example.com/started"))
    ///     .on_success(Hook::webhook("https://example.com/loaded"))
    ///     .on_failure(
    ///         Hook::webhook("https://example.com/failed")
    ///             .secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    ///     );
    /// assert!(!format!("{daily:?}").contains("whsec_"));
    /// ```
    #[must_use]
    pub fn on_start(mut self, hook: Hook) -> Self {
        self.hooks.on_start = Some(hook);
        self
    }

    /// Sets the hook that is called when a run has succeeded, as [`Pipeline::on_start`] sets one.
    #[must_use]
    pub fn on_success(mut self, hook: Hook) -> Self {
        self.hooks.on_success = Some(hook);
        self
    }

    /// Sets the hook that is called when a run has failed, as [`Pipeline::on_start`] sets one. A
    /// cancelled run has not failed.
    #[must_use]
    pub fn on_failure(mut self, hook: Hook) -> Self {
        self.hooks.on_failure = Some(hook);
        self
    }

    /// Returns whether a rule starts runs of this pipeline.
    pub(crate) fn is_started_by_others(&self) -> bool {
        self.dependency_rules
            .iter()
            .any(|rule| rule.mode.starts_runs())
    }

    /// Returns every dependency, by upstream and mode: the rules, and a gate for each other id of
    /// `depends_on`.
    #[must_use]
    pub fn dependencies(&self) -> Vec<DependencyRule> {
        let mut rules = self.dependency_rules.clone();
        for upstream in &self.depends_on {
            let has_gate = rules
                .iter()
                .any(|rule| rule.mode == DependencyMode::Gate && rule.pipeline_id == *upstream);
            if !has_gate {
                rules.push(DependencyRule::gate(upstream));
            }
        }
        rules.sort_by(|a, b| (&a.pipeline_id, a.mode).cmp(&(&b.pipeline_id, b.mode)));
        rules
    }

    /// Returns whether two definitions differ at most in [`Pipeline::enabled`].
    ///
    /// ```
    /// use floret::Pipeline;
    ///
    /// let daily = Pipeline::new("daily").node("load", "load");
    /// assert!(daily.is_same_but_enabled(&daily.clone().disabled()));
    /// assert!(!daily.is_same_but_enabled(&daily.clone().schedule("@daily")));
    /// ```
    #[must_use]
    pub fn is_same_but_enabled(&self, other: &Self) -> bool {
        let same = Self {
            enabled: other.enabled,
            ..self.clone()
        };
        same == *other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a pipeline of which every field is set, as a host sets them.
    fn full() -> Pipeline {
        Pipeline::new("p")
            .slug("daily")
            .name("Daily")
            .description("loads")
            .with(Node::new("a", "x").name("A").config("k", 1).extra("y", 1))
            .with_edge(Edge::new("a", "b").condition(true).extra("label", "rows"))
            .param("limit", "10")
            .param_def(ParamDef::integer("limit"))
            .tag("etl")
            .disabled()
            .timeout(Duration::from_secs(5))
            .max_concurrent_runs(2)
            .concurrency(Concurrency::new("${param.limit}").max(3))
            .schedule("@daily")
            .schedule_timezone("Europe/Berlin")
            .catch_up()
            .catch_up_all()
            .catch_up_max(7)
            .overlap(Overlap::Skip)
            .depends_on("import")
            .dependency(DependencyRule::all("clean").within(Duration::from_secs(60)))
            .on_start(Hook::webhook("https://a.example"))
            .on_success(Hook::webhook("https://b.example").secret("********"))
            .on_failure(Hook::webhook("https://c.example"))
            .webhook_token("0123456789abcdef")
            .tenant(TenantId::new("acme").unwrap())
            .extra("owner", "data")
    }

    fn differs<T: Default + PartialEq>(value: &T) -> bool {
        *value != T::default()
    }

    /// A new field does not compile before it is here, and fails before `full` sets it.
    #[test]
    fn every_field_has_a_setter() {
        let Pipeline {
            id,
            slug,
            name,
            description,
            nodes,
            edges,
            params,
            param_defs,
            tags,
            enabled,
            timeout,
            max_concurrent_runs,
            concurrency,
            schedule,
            schedule_timezone,
            catch_up,
            catch_up_all,
            catch_up_max,
            overlap,
            depends_on,
            dependency_rules,
            hooks,
            webhook_token,
            tenant,
            extra,
        } = full();
        assert!(differs(&id) && differs(&slug) && differs(&name) && differs(&description));
        assert!(differs(&params) && differs(&param_defs) && differs(&tags) && !enabled);
        assert!(differs(&timeout) && differs(&depends_on) && differs(&dependency_rules));
        assert!(differs(&hooks.on_start) && differs(&hooks.on_success));
        assert!(differs(&hooks.on_failure));
        assert!(differs(&concurrency) && differs(&max_concurrent_runs));
        assert!(differs(&schedule) && differs(&schedule_timezone));
        assert!(differs(&catch_up_all) && differs(&catch_up_max) && differs(&webhook_token));
        assert!(differs(&catch_up) && differs(&overlap) && differs(&tenant) && differs(&extra));
        for node in nodes {
            let Node {
                id,
                kind,
                name,
                config,
                extra,
            } = node;
            assert!(differs(&id) && differs(&kind) && differs(&name));
            assert!(differs(&config) && differs(&extra));
        }
        for edge in edges {
            let Edge {
                from,
                to,
                condition,
                extra,
            } = edge;
            assert!(differs(&from) && differs(&to) && differs(&condition) && differs(&extra));
        }
        assert!(full().enabled().enabled);
        let tags = full().tags(["a", "b"]).tags;
        assert_eq!(tags, ["etl", "a", "b"]);
    }

    #[test]
    fn what_the_setters_set_is_what_json_has() {
        let text = r#"{
            "id": "p", "pipeline_id": "daily", "name": "Daily", "description": "loads",
            "nodes": [{"id": "a", "type": "x", "name": "A", "config": {"k": 1}, "y": 1}],
            "edges": [{"from": "a", "to": "b", "condition": true, "label": "rows"}],
            "params": {"limit": "10"}, "param_defs": [{"name": "limit", "type": "integer"}],
            "tags": ["etl"], "enabled": false, "timeout": 5,
            "max_concurrent_runs": 2,
            "concurrency": {"key": "${param.limit}", "max": 3}, "schedule": "@daily", "schedule_timezone": "Europe/Berlin",
            "catch_up": true, "catch_up_all": true, "catch_up_max": 7, "overlap": "skip",
            "depends_on": ["import"],
            "dependency_rules": [{"pipeline_id": "clean", "mode": "all", "within_seconds": 60}],
            "hooks": {
                "on_start": {"type": "webhook", "url": "https://a.example"},
                "on_success": {"type": "webhook", "url": "https://b.example", "secret": "********"},
                "on_failure": {"type": "webhook", "url": "https://c.example"}
            },
            "webhook_token": "0123456789abcdef", "owner": "data"
        }"#;
        let json: Value = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_value(full()).unwrap(), json);
    }

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
    fn an_omitted_field_has_its_default_and_numbers_stay_exact() {
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
