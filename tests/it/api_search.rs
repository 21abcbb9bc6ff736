//! Search over HTTP.

use std::sync::Arc;

use floret::storage::{
    ConnectionFields, Connections, Pipelines, PutConnection, PutPipeline, PutVariable, SlugChoice,
    VariableFields, VariableKey, VariableValue, Variables,
};
use floret::{
    Access, ConnectionId, Decision, Permission, Permissions, Pipeline, PipelineId, Scope, Slug,
    TenantId,
};
use http::Method;
use serde_json::{Value, json};

use crate::wire::{Host, on_each_backend, request, send};

fn tenant(name: &str) -> Scope {
    Scope::Tenant(TenantId::new(name).unwrap())
}

async fn put_pipeline(host: &Host, id: &str, name: &str, scope: &Scope) {
    let mut pipeline = Pipeline::new(id).node("load", "any");
    pipeline.name = name.to_owned();
    pipeline.description = format!("about {id}");
    let slug = SlugChoice::Given(Slug::new(id).unwrap());
    let now = "2024-01-15T06:00:00Z".parse().unwrap();
    let mut put = PutPipeline::new(PipelineId::new(id).unwrap(), slug, Arc::new(pipeline), now);
    put.scope = scope.clone();
    host.faults.put_pipeline(put).await.unwrap();
}

/// Saves a connection and a variable with the same name.
async fn put_settings(host: &Host, name: &str, scope: &Scope) {
    let now = "2024-01-15T06:00:00Z".parse().unwrap();
    let mut fields = ConnectionFields::default();
    fields.kind = "postgres".to_owned();
    fields.description = "Where USERS are".to_owned();
    fields.host = "hidden-host".to_owned();
    fields.login = "hidden-login".to_owned();
    let mut put = PutConnection::new(ConnectionId::new(name).unwrap(), fields, now);
    put.scope = scope.clone();
    host.faults.put_connection(put).await.unwrap();
    let mut fields = VariableFields::new(VariableValue::Plain("hidden-value".to_owned()));
    fields.description = "how many users".to_owned();
    let mut put = PutVariable::new(VariableKey::new(name).unwrap(), fields, now);
    put.scope = scope.clone();
    host.faults.put_variable(put).await.unwrap();
}

async fn search(host: &Host, query: &str) -> Value {
    let response = host.get(&format!("/api/search?{query}")).await;
    assert_eq!(response.status, 200, "{response:?}");
    response.json()
}

/// Returns the type and the id of each hit.
fn types_and_ids(hits: &Value) -> Vec<String> {
    let hits = hits.as_array().unwrap().iter();
    hits.map(|hit| format!("{} {}", hit["type"], hit["id"]).replace('"', ""))
        .collect()
}

#[tokio::test]
async fn names_ids_and_descriptions_match_in_any_case() {
    on_each_backend(async |host: &Host| {
        put_pipeline(host, "load-users", "Ärger mit Straßen", &Scope::All).await;
        put_settings(host, "people", &Scope::All).await;
        let hits = search(host, "q=USERS").await;
        assert_eq!(
            hits,
            json!([
                {"type": "pipeline", "id": "load-users", "name": "Ärger mit Straßen", "description": "about load-users", "meta": "1 node"},
                {"type": "connection", "id": "people", "name": "people", "description": "Where USERS are", "meta": "postgres"},
                {"type": "variable", "id": "people", "name": "people", "description": "how many users", "meta": "string"},
            ])
        );
        for (query, ids) in [
            ("q=%C3%A4RGER", vec!["pipeline load-users"]),
            ("q=strasse", vec!["pipeline load-users"]),
            ("q=about+load", vec!["pipeline load-users"]),
            ("q=peop", vec!["connection people", "variable people"]),
            ("q=daily", vec!["pipeline daily"]),
            ("q=hidden", vec![]),
            ("q=%25", vec![]),
            ("q=_", vec![]),
        ] {
            assert_eq!(types_and_ids(&search(host, query).await), ids, "{query}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_limit_bounds_the_number_of_hits() {
    on_each_backend(async |host: &Host| {
        for n in 0..120 {
            put_pipeline(host, &format!("many-{n}"), "Many", &Scope::All).await;
        }
        put_settings(host, "many", &Scope::All).await;
        for (query, count) in [
            ("q=many", 30),
            ("q=many&limit=1", 1),
            ("q=many&limit=100", 100),
        ] {
            assert_eq!(search(host, query).await.as_array().unwrap().len(), count);
        }
        assert_eq!(
            types_and_ids(&search(host, "q=many-0").await),
            ["pipeline many-0"],
            "the search reads beyond the first page that storage returns"
        );
    })
    .await;
}

#[tokio::test]
async fn invalid_parameters_are_refused() {
    on_each_backend(async |host: &Host| {
        let long = format!("q={}", "x".repeat(201));
        for query in [
            "",
            "q=",
            "q=+%20",
            "limit=5",
            &long,
            "q=x&limit=0",
            "q=x&limit=101",
            "q=x&limit=a",
            "q=x&q=y",
            "q=x&page=1",
            "q=%ff",
        ] {
            let response = host.get(&format!("/api/search?{query}")).await;
            response.assert_problem(400, "invalid-parameter");
        }
        let longest = format!("q={}", "%C3%A4".repeat(200));
        assert_eq!(search(host, &longest).await, json!([]));
    })
    .await;
}

#[tokio::test]
async fn hits_that_the_caller_may_not_view_are_hidden() {
    on_each_backend(async |host: &Host| {
        put_pipeline(host, "users", "Users", &Scope::All).await;
        put_settings(host, "users-too", &Scope::All).await;
        let service = host.floret.service(Access::from_extensions());
        let search_with = async |permissions: &[Permission]| {
            let mut get = request(Method::GET, "/api/search?q=users", None);
            get.extensions_mut()
                .insert(Permissions::of(permissions.iter().copied()));
            send(&service, get).await
        };
        let (pipelines, connections, variables) = (
            Permission::PipelinesView,
            Permission::ConnectionsView,
            Permission::VariablesView,
        );
        assert_eq!(
            types_and_ids(&search_with(&[pipelines]).await.json()),
            ["pipeline users"]
        );
        let hits = search_with(&[pipelines, connections]).await.json();
        assert_eq!(
            types_and_ids(&hits),
            ["pipeline users", "connection users-too"]
        );
        let hits = search_with(&[pipelines, variables]).await.json();
        assert_eq!(
            types_and_ids(&hits),
            ["pipeline users", "variable users-too"]
        );
        search_with(&[connections, variables])
            .await
            .assert_problem(403, "forbidden");
    })
    .await;
}

#[tokio::test]
async fn a_caller_finds_only_objects_of_the_tenant_of_each_permission() {
    on_each_backend(async |host: &Host| {
        for (name, scope) in [("users-ann", tenant("ann")), ("users-ben", tenant("ben"))] {
            put_pipeline(host, name, "Users", &scope).await;
            put_settings(host, name, &scope).await;
        }
        // An access decision may allow each permission for a different tenant.
        let access = Access::custom(|_, permission| match permission {
            Permission::VariablesView => Decision::Allow(tenant("ben")),
            _ => Decision::Allow(tenant("ann")),
        });
        let service = host.floret.service(access);
        let hits = send(&service, request(Method::GET, "/api/search?q=users", None)).await;
        assert_eq!(
            types_and_ids(&hits.json()),
            [
                "pipeline users-ann",
                "connection users-ann",
                "variable users-ben"
            ]
        );
    })
    .await;
}
