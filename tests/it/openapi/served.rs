//! What `GET /openapi.json` serves, and whether the examples of the document fit its schemas.

use floret::{Access, Permission, Permissions};
use http::Method;
use serde_json::{Value, json};

use super::document::document;
use super::{Checker, operations};
use crate::wire::{Host, on_each_backend, request, send};

const PATH: &str = "/api/openapi.json";

#[tokio::test]
async fn a_service_serves_the_document_with_its_prefix() {
    on_each_backend(async |host: &Host| {
        assert_eq!(host.get(PATH).await.json(), *document());
        for (prefix, url) in [("/v1", "/v1"), ("", "/")] {
            let service = host.service.clone().prefix(prefix);
            let path = format!("{prefix}/openapi.json");
            let served = send(&service, request(Method::GET, &path, None))
                .await
                .json();
            assert_eq!(served["servers"], json!([{"url": url}]));
            assert_eq!(served["paths"], document()["paths"]);
            assert_eq!(served, host.floret.system().openapi(prefix).unwrap());
        }
    })
    .await;
}

#[tokio::test]
async fn a_client_that_has_the_document_gets_304() {
    on_each_backend(async |host: &Host| {
        let first = host.get(PATH).await;
        let mut again = request(Method::GET, PATH, None);
        again
            .headers_mut()
            .insert("if-none-match", first.headers["etag"].clone());
        let again = host.send(again).await;
        assert_eq!(again.status, 304);
        assert_eq!(again.header("etag"), first.header("etag"));
        assert!(again.body.is_empty());
        let service = host.service.clone().prefix("/v1");
        let other = send(&service, request(Method::GET, "/v1/openapi.json", None)).await;
        assert_ne!(other.header("etag"), first.header("etag"));
    })
    .await;
}

#[tokio::test]
async fn any_permission_is_enough_to_read_the_document() {
    on_each_backend(async |host: &Host| {
        let service = host.floret.service(Access::from_extensions());
        let read_as = async |permissions: Option<Permissions>| {
            let mut request = request(Method::GET, PATH, None);
            if let Some(permissions) = permissions {
                request.extensions_mut().insert(permissions);
            }
            send(&service, request).await
        };
        read_as(None).await.assert_problem(401, "unauthenticated");
        read_as(Some(Permissions::of([])))
            .await
            .assert_problem(403, "forbidden");
        let any = Permissions::of([Permission::EventsView]);
        assert_eq!(read_as(Some(any)).await.status, 200);
    })
    .await;
}

#[test]
fn every_example_fits_its_schema() {
    let mut faults = Vec::new();
    let mut count = 0;
    for operation in operations() {
        let answers = operation.value["responses"].as_object().unwrap().values();
        let answers = answers.filter_map(|answer| {
            let json = answer.pointer("/content/application~1json")?;
            Some((&json["schema"], json.get("example")?))
        });
        for (schema, example) in answers.chain(operation.body()) {
            count += 1;
            for fault in Checker::closed().check(schema, example) {
                faults.push(format!("{} {}: {fault}", operation.method, operation.path));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(count > 15, "{count} examples");
}

#[test]
fn the_checker_finds_what_is_wrong() {
    let run = json!({"id": "x", "pipeline_id": "daily", "status": "paused", "more": 1});
    let schema = &document()["components"]["schemas"]["AcceptedRun"];
    let faults = Checker::closed().check(schema, &run);
    assert_eq!(faults.len(), 3, "{faults:?}");
    assert_eq!(Checker::open().check(schema, &run).len(), 2);
    assert_eq!(Checker::open().check(schema, &json!({})).len(), 3);
    let list = &document()["components"]["schemas"]["RunList"];
    assert!(Checker::closed().check(list, &json!([])).is_empty());
    assert!(
        Checker::closed()
            .check(list, &json!({"items": [], "has_next": false}))
            .is_empty()
    );
    assert_eq!(
        Checker::closed().check(list, &json!({"items": []})).len(),
        1
    );
    assert_eq!(Checker::closed().check(list, &Value::Null).len(), 1);
}
