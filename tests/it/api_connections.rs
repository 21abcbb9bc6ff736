//! Connections over HTTP.

use floret::{Access, Permissions, Scope, TenantId};
use http::Method;
use serde_json::{Value, json};

use crate::wire::{Backend, Host, TestResponse, on_each_backend, request, send};

fn warehouse() -> Value {
    json!({
        "conn_id": "warehouse",
        "type": "postgres",
        "description": "reporting database",
        "host": "db.internal",
        "port": 5432,
        "schema": "public",
        "login": "reader",
        "password": "hunter2",
        "extra": {"sslmode": "require"},
    })
}

async fn put(host: &Host, path: &str, body: &Value) -> TestResponse {
    host.send(request(Method::PUT, path, Some(body))).await
}

/// Returns the pointers of a problem, in order.
fn pointers(response: &TestResponse) -> Vec<String> {
    let problem = response.json();
    let errors = problem["errors"].as_array().unwrap().iter();
    let pointers = errors.map(|error| error["pointer"].as_str().unwrap().to_owned());
    pointers.collect()
}

#[tokio::test]
async fn a_connection_is_created_read_replaced_and_deleted() {
    on_each_backend(async |host: &Host| {
        let created = host.post("/api/connections", Some(&warehouse())).await;
        assert_eq!(created.status, 201, "{created:?}");
        assert_eq!(created.header("location"), "/api/connections/warehouse");
        let shown = created.json();
        let expected = json!({
            "conn_id": "warehouse",
            "type": "postgres",
            "description": "reporting database",
            "host": "db.internal",
            "port": 5432,
            "schema": "public",
            "login": "reader",
            "password": "********",
            "extra": "********",
            "created_at": shown["created_at"],
            "updated_at": shown["updated_at"],
        });
        assert_eq!(shown, expected);
        let path = "/api/connections/warehouse";
        assert_eq!(host.get(path).await.json(), shown);
        assert_eq!(host.get("/api/connections").await.json(), json!([shown]));

        let replaced = put(host, path, &json!({"type": "s3"})).await;
        assert_eq!(replaced.status, 200, "{replaced:?}");
        let replaced = replaced.json();
        assert_eq!(replaced["created_at"], shown["created_at"]);
        for absent in ["port", "password", "extra"] {
            assert_eq!(replaced[absent], Value::Null, "{replaced}");
        }
        for empty in ["description", "host", "schema", "login"] {
            assert_eq!(replaced[empty], "", "{replaced}");
        }

        let deleted = host.send(request(Method::DELETE, path, None)).await;
        assert_eq!((deleted.status.as_u16(), deleted.body.len()), (204, 0));
        host.get(path)
            .await
            .assert_problem(404, "connection-not-found");
        let again = host.send(request(Method::DELETE, path, None)).await;
        again.assert_problem(404, "connection-not-found");
    })
    .await;
}

#[tokio::test]
async fn writing_back_what_was_read_changes_nothing() {
    on_each_backend(async |host: &Host| {
        let created = host.post("/api/connections", Some(&warehouse())).await;
        let again = put(host, "/api/connections/warehouse", &created.json()).await;
        assert_eq!((again.status.as_u16(), again.json()), (200, created.json()));
    })
    .await;
}

#[tokio::test]
async fn an_invalid_connection_reports_every_problem() {
    on_each_backend(async |host: &Host| {
        let body = json!({
            "conn_id": "a b", "type": " ", "description": 5, "host": [], "port": 65_536, "schema": {}, "login": true,
            "password": "hunter2".repeat(16_384), "extra": [],
        });
        let refused = host.post("/api/connections", Some(&body)).await;
        refused.assert_problem(422, "invalid-field");
        assert_eq!(pointers(&refused).len(), 9, "{refused:?}");
        assert!(!refused.text().contains("hunter2"), "{refused:?}");
        for port in [json!(0), json!(-1), json!(1.5), json!("5432"), json!(65_536)] {
            let body = json!({"conn_id": "c", "type": "x", "port": port});
            let refused = host.post("/api/connections", Some(&body)).await;
            refused.assert_problem(422, "invalid-field");
            assert_eq!(pointers(&refused), ["/port"], "{port}");
        }
        for port in [json!(1), json!(65_535), json!(null)] {
            let body = json!({"conn_id": format!("c-{port}"), "type": "x", "port": port});
            let created = host.post("/api/connections", Some(&body)).await;
            assert_eq!((created.status.as_u16(), &created.json()["port"]), (201, &port));
        }
        let missing = host.post("/api/connections", Some(&json!({}))).await;
        missing.assert_problem(422, "invalid-field");
        assert_eq!(pointers(&missing), ["/type", "/conn_id"]);
        for body in [json!([]), json!(5), json!(null)] {
            let refused = host.post("/api/connections", Some(&body)).await;
            refused.assert_problem(422, "invalid-field");
        }
        let unknown = json!({"conn_id": "c", "type": "x", "pasword": "hunter2"});
        let unknown = host.post("/api/connections", Some(&unknown)).await;
        unknown.assert_problem(422, "unknown-field");
        assert!(unknown.text().contains(r#"did you mean \"password\"?"#));
        assert!(!unknown.text().contains("hunter2"));
        for secret in ["password", "extra"] {
            let body = json!({"conn_id": "c", "type": "x", secret: "********"});
            let refused = host.post("/api/connections", Some(&body)).await;
            refused.assert_problem(422, "invalid-field");
            assert_eq!(pointers(&refused), [format!("/{secret}")]);
        }
    })
    .await;
}

#[tokio::test]
async fn a_taken_mismatched_or_malformed_id_is_refused() {
    on_each_backend(async |host: &Host| {
        host.post("/api/connections", Some(&warehouse())).await;
        let taken = host.post("/api/connections", Some(&warehouse())).await;
        taken.assert_problem(409, "already-exists");
        let other = json!({"conn_id": "other", "type": "s3"});
        let path = "/api/connections/warehouse";
        put(host, path, &other)
            .await
            .assert_problem(400, "id-mismatch");
        for missing in ["missing", "a%20b", "%C3%A4", "-"] {
            let path = format!("/api/connections/{missing}");
            host.get(&path)
                .await
                .assert_problem(404, "connection-not-found");
            // A missing connection is reported before an invalid body.
            let refused = put(host, &path, &json!([])).await;
            refused.assert_problem(404, "connection-not-found");
        }
        let query = host.get("/api/connections/warehouse?verbose=1").await;
        query.assert_problem(400, "invalid-parameter");
    })
    .await;
}

#[tokio::test]
async fn connections_are_listed_in_pages() {
    on_each_backend(async |host: &Host| {
        for id in ["a", "b", "c"] {
            let body = json!({"conn_id": id, "type": "x"});
            host.post("/api/connections", Some(&body)).await;
        }
        let page = host.get("/api/connections?per_page=2").await;
        let listed = page.json();
        assert_eq!((&listed["total"], &listed["pages"]), (&json!(3), &json!(2)));
        let next = "</api/connections?per_page=2&page=2>; rel=\"next\"";
        assert_eq!(page.header("link"), next);
        let page = host.get("/api/connections?limit=2").await.json();
        let cursor = page["cursor"].as_str().unwrap();
        let path = format!("/api/connections/{cursor}");
        host.send(request(Method::DELETE, &path, None)).await;
        let rest = host.get(&format!("/api/connections?after={cursor}")).await;
        assert_eq!(rest.json()["items"].as_array().unwrap().len(), 1);
        let refused = host.get("/api/connections?after=nothing").await;
        refused.assert_problem(400, "invalid-parameter");
    })
    .await;
}

#[tokio::test]
async fn without_a_key_no_secret_is_stored() {
    for backend in [Backend::Memory, Backend::Sqlite] {
        let host = Host::build(backend, |builder| builder).await;
        for secret in ["password", "extra"] {
            let body = json!({"conn_id": "c", "type": "x", secret: "hunter2"});
            let refused = host.post("/api/connections", Some(&body)).await;
            refused.assert_problem(409, "encryption-key-missing");
            assert!(refused.text().contains("FLORET_SECRET_KEY"), "{refused:?}");
        }
        let plain = json!({"conn_id": "c", "type": "x", "password": "", "extra": null});
        let created = host.post("/api/connections", Some(&plain)).await;
        assert_eq!(created.status, 201, "{created:?}");
    }
}

#[tokio::test]
async fn another_tenants_connection_is_hidden_and_its_id_is_free() {
    on_each_backend(async |host: &Host| {
        let service = host.floret.service(Access::from_extensions());
        let send_as = async |tenant: &str, method: Method, path: &str, body: Option<&Value>| {
            let scope = Scope::Tenant(TenantId::new(tenant).unwrap());
            let mut request = request(method, path, body);
            let permissions = Permissions::all().scope(scope);
            request.extensions_mut().insert(permissions);
            send(&service, request).await
        };
        let (list, path) = ("/api/connections", "/api/connections/warehouse");
        let created = send_as("ann", Method::POST, list, Some(&warehouse())).await;
        assert_eq!(created.status, 201, "{created:?}");
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let body = (method == Method::PUT).then(warehouse);
            let absent = send_as("ben", method, path, body.as_ref()).await;
            absent.assert_problem(404, "connection-not-found");
        }
        assert_eq!(
            send_as("ben", Method::GET, list, None).await.json(),
            json!([])
        );
        // A caller with access to all tenants can replace it. It keeps its tenant and its secrets.
        let replaced = put(host, path, &host.get(path).await.json()).await;
        assert_eq!(
            (replaced.status.as_u16(), replaced.json()),
            (200, created.json())
        );
        let shown = send_as("ann", Method::GET, path, None).await;
        assert_eq!(shown.json(), created.json());
        let own = send_as("ben", Method::POST, list, Some(&warehouse())).await;
        assert_eq!(own.status, 201, "{own:?}");
        let deleted = send_as("ben", Method::DELETE, path, None).await;
        assert_eq!(deleted.status, 204, "{deleted:?}");
        let shown = send_as("ann", Method::GET, path, None).await;
        assert_eq!(shown.json(), created.json());
    })
    .await;
}
