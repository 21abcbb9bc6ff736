//! Tests of the graph that pipelines add up to.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::model::{Pipeline, Slug};

const ALL: VisibleKinds = VisibleKinds {
    connections: true,
    variables: true,
};

fn stored(pipeline: Pipeline) -> StoredPipeline {
    let id = PipelineId::new(&pipeline.id).unwrap();
    let slug = Slug::new(&pipeline.id).unwrap();
    let at = "2024-01-15T06:00:00Z".parse().unwrap();
    StoredPipeline::new(id, slug, Arc::new(pipeline), at)
}

fn node(id: &str, config: Value) -> Node {
    let Value::Object(config) = config else {
        panic!("a config is an object");
    };
    let mut node = Node::new(id, "any");
    node.config = config;
    node
}

/// Declares what the config keys `reads` and `writes` name, as `kind:name`. A node that writes is a
/// sink.
fn declared(node: &Node) -> NodeDeclaration {
    let assets = ["reads", "writes"].into_iter().filter_map(|key| {
        let (kind, name) = node.config.get(key)?.as_str()?.split_once(':')?;
        Some(Asset::new(kind, name, key == "writes"))
    });
    let is_sink = node.config.contains_key("writes");
    NodeDeclaration {
        assets: assets.collect(),
        effect: Some(if is_sink {
            Effect::Sink
        } else {
            Effect::Transform
        }),
    }
}

fn graph(visible_kinds: VisibleKinds, pipelines: impl IntoIterator<Item = Pipeline>) -> Lineage {
    let mut lineage = Lineage::new(visible_kinds, false);
    for pipeline in pipelines {
        lineage.add(&stored(pipeline), declared);
    }
    lineage
}

fn ids(lineage: &Lineage) -> Vec<&str> {
    lineage.nodes.keys().map(String::as_str).collect()
}

fn edges(lineage: &Lineage) -> Vec<String> {
    let edges = lineage.edges.iter();
    edges
        .map(|edge| format!("{} > {}", edge.from, edge.to))
        .collect()
}

#[test]
fn two_pipelines_that_touch_one_table_meet_in_it() {
    let writer = Pipeline::new("writer")
        .with(node(
            "read",
            json!({"reads": "api:https://ann:s3cret@shop.example.com/orders?key=s3cret"}),
        ))
        .with(node("save", json!({"writes": "table:orders"})))
        .after("read");
    let reader = Pipeline::new("reader").with(node("load", json!({"reads": "table:orders"})));
    let lineage = graph(ALL, [writer, reader]);
    assert_eq!(
        edges(&lineage),
        [
            "api:https://shop.example.com/orders > processing:writer/read",
            "pipeline:reader > processing:reader/load",
            "pipeline:writer > processing:writer/read",
            "processing:writer/read > processing:writer/save",
            "processing:writer/save > table:orders",
            "table:orders > processing:reader/load",
        ]
    );
    let json = serde_json::to_string(&LineageGraph::from(lineage)).unwrap();
    assert!(!json.contains("s3cret"), "{json}");
    assert!(
        json.contains(r#"{"id":"table:orders","type":"table","name":"orders"}"#),
        "{json}"
    );
    assert!(
        json.contains(r#"{"id":"processing:reader/load","type":"processing","name":"load","pipeline_id":"reader"}"#),
        "{json}"
    );
    assert!(
        json.contains(r#"{"from":"table:orders","to":"processing:reader/load","pipeline_id":"reader","pipeline":"reader"}"#),
        "{json}"
    );
}

#[test]
fn connections_and_variables_are_edges_of_the_nodes_that_name_them() {
    let pipeline = Pipeline::new("p")
        .with(node(
            "load",
            json!({"connection": "shop", "where": "day > ${var.DAY}"}),
        ))
        .with(node(
            "save",
            json!({"conn_id": "lake", "writes": "file:out.csv"}),
        ))
        .after("load");
    let lineage = graph(ALL, [pipeline.clone()]);
    assert_eq!(
        edges(&lineage),
        [
            "connection:shop > processing:p/load",
            "pipeline:p > processing:p/load",
            "processing:p/load > processing:p/save",
            "processing:p/save > connection:lake",
            "processing:p/save > file:out.csv",
            "variable:DAY > processing:p/load",
        ]
    );
    let none = VisibleKinds {
        connections: false,
        variables: false,
    };
    let lineage = graph(none, [pipeline]);
    assert_eq!(
        ids(&lineage),
        [
            "file:out.csv",
            "pipeline:p",
            "processing:p/load",
            "processing:p/save"
        ]
    );
}

#[test]
fn tables_of_two_connections_are_two() {
    let of = |id: &str, connection: &str| {
        Pipeline::new(id).with(node(
            "load",
            json!({"reads": "table:users", "connection": connection}),
        ))
    };
    let pipelines = || [of("a", "shop"), of("b", "lake"), of("c", "shop")];
    let tables = |lineage: &Lineage| {
        let ids = ids(lineage)
            .into_iter()
            .filter(|id| id.starts_with("table:"));
        ids.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(
        tables(&graph(ALL, pipelines())),
        ["table:users@lake", "table:users@shop"]
    );
    let hidden = VisibleKinds {
        connections: false,
        ..ALL
    };
    assert_eq!(tables(&graph(hidden, pipelines())), ["table:users"]);
}

#[test]
fn an_unknown_kind_of_asset_is_omitted() {
    let pipeline = Pipeline::new("p").with(node("load", json!({"reads": "planet:mars"})));
    assert_eq!(
        ids(&graph(ALL, [pipeline])),
        ["pipeline:p", "processing:p/load"]
    );
}

#[cfg(feature = "lineage-sql")]
#[test]
fn sql_in_a_config_names_tables() {
    let pipeline = Pipeline::new("p")
        .with(node(
            "load",
            json!({"sql": "SELECT * FROM Shop.Orders", "reads": "table:shop.orders"}),
        ))
        .with(node(
            "save",
            json!({"query": "INSERT INTO daily SELECT * FROM \"Days\""}),
        ))
        .with(node("odd", json!({"sql": "SELECT s3cret FROM ("})));
    let lineage = graph(ALL, [pipeline]);
    let touched: Vec<_> = edges(&lineage)
        .into_iter()
        .filter(|edge| edge.contains("table:"))
        .collect();
    assert_eq!(
        touched,
        [
            "processing:p/save > table:daily",
            "table:Days > processing:p/save",
            "table:shop.orders > processing:p/load",
        ]
    );
    assert_eq!(lineage.unreadable(), ["p/odd"]);
    assert_eq!(lineage.node_count(), 3);
}
