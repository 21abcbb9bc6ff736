//! Connections over HTTP.

use floret::{Access, Permissions, Scope, TenantId};
use http::Method;
use serde_json::{Value, json};

use crate::wire::{Answer, Backend, Host, on_each, request, send};

fn warehouse() -> Value {
    json!({
        "conn_id": "warehouse",
        "type": "postgres",
        "description": "where the figures are",
        "host": "db.internal",
        "port": 5432,
        "schema": "public",
        "login": "reader",
        "password": "hunter2",
        "extra": {"sslmode": "require"},
    })
}

async fn put(host: &Host, path: &str, body: &Value) -> Answer {
    host.send(request(Method::PUT, path, Some(body))).await
}

/// The pointers of a refusal.
fn pointers(answer: &Answer) -> Vec<String> {
    let problem = answer.json();
    let errors = problem["errors"].as_array().unwrap().iter();
    let pointers = errors.map(|error| error["pointer"].as_str().unwrap().to_owned());
    pointers.collect()
}

#[tokio::test]
async fn a_connection_is_made_shown_replaced_and_deleted() {
    on_each(async |host: &Host| {
        let made = host.post("/api/connections", Some(&warehouse())).await;
        assert_eq!(made.status, 201, "{made:?}");
        assert_eq!(made.header("location"), "/api/connections/warehouse");
        let shown = made.json();
        let expected = json!({
            "conn_id": "warehouse",
            "type": "postgres",
            "description": "where the figures are",
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
        host.get(path).await.refused(404, "connection-not-found");
        let again = host.send(request(Method::DELETE, path, None)).await;
        again.refused(404, "connection-not-found");
    })
    .await;
}

#[tokio::test]
async fn what_was_read_can_be_sent_back_and_changes_nothing() {
    on_each(async |host: &Host| {
        let made = host.post("/api/connections", Some(&warehouse())).await;
        let again = put(host, "/api/connections/warehouse", &made.json()).await;
        assert_eq!((again.status.as_u16(), again.json()), (200, made.json()));
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_a_connection_is_refused_whole() {
    on_each(async |host: &Host| {
        let body = json!({
            "conn_id": "a b", "type": " ", "description": 5, "host": [], "port": 65_536, "schema": {}, "login": true,
            "password": "hunter2".repeat(16_384), "extra": [],
        });
        let refused = host.post("/api/connections", Some(&body)).await;
        refused.refused(422, "invalid-field");
        assert_eq!(pointers(&refused).len(), 9, "{refused:?}");
        assert!(!refused.text().contains("hunter2"), "{refused:?}");
        for port in [json!(0), json!(-1), json!(1.5), json!("5432"), json!(65_536)] {
            let body = json!({"conn_id": "c", "type": "x", "port": port});
            let refused = host.post("/api/connections", Some(&body)).await;
            refused.refused(422, "invalid-field");
            assert_eq!(pointers(&refused), ["/port"], "{port}");
        }
        for port in [json!(1), json!(65_535), json!(null)] {
            let body = json!({"conn_id": format!("c-{port}"), "type": "x", "port": port});
            let made = host.post("/api/connections", Some(&body)).await;
            assert_eq!((made.status.as_u16(), &made.json()["port"]), (201, &port));
        }
        let missing = host.post("/api/connections", Some(&json!({}))).await;
        missing.refused(422, "invalid-field");
        assert_eq!(pointers(&missing), ["/type", "/conn_id"]);
        for body in [json!([]), json!(5), json!(null)] {
            let refused = host.post("/api/connections", Some(&body)).await;
            refused.refused(422, "invalid-field");
        }
        let unknown = json!({"conn_id": "c", "type": "x", "pasword": "hunter2"});
        let unknown = host.post("/api/connections", Some(&unknown)).await;
        unknown.refused(422, "unknown-field");
        assert!(unknown.text().contains(r#"did you mean \"password\"?"#));
        assert!(!unknown.text().contains("hunter2"));
        for kept in ["password", "extra"] {
            let body = json!({"conn_id": "c", "type": "x", kept: "********"});
            let refused = host.post("/api/connections", Some(&body)).await;
            refused.refused(422, "invalid-field");
            assert_eq!(pointers(&refused), [format!("/{kept}")]);
        }
    })
    .await;
}

#[tokio::test]
async fn an_id_that_is_taken_differs_or_is_none_is_refused() {
    on_each(async |host: &Host| {
        host.post("/api/connections", Some(&warehouse())).await;
        let taken = host.post("/api/connections", Some(&warehouse())).await;
        taken.refused(409, "already-exists");
        let other = json!({"conn_id": "other", "type": "s3"});
        let path = "/api/connections/warehouse";
        put(host, path, &other).await.refused(400, "id-mismatch");
        for missing in ["missing", "a%20b", "%C3%A4", "-"] {
            let path = format!("/api/connections/{missing}");
            host.get(&path).await.refused(404, "connection-not-found");
            // Whether it is there is told before what is wrong with the body.
            let refused = put(host, &path, &json!([])).await;
            refused.refused(404, "connection-not-found");
        }
        let query = host.get("/api/connections/warehouse?verbose=1").await;
        query.refused(400, "invalid-parameter");
    })
    .await;
}

#[tokio::test]
async fn connections_are_listed_in_pages() {
    on_each(async |host: &Host| {
        for id in ["a", "b", "c"] {
            let body = json!({"conn_id": id, "type": "x"});
            host.post("/api/connections", Some(&body)).await;
        }
        let page = host.get("/api/connections?per_page=2").await;
        let told = page.json();
        assert_eq!((&told["total"], &told["pages"]), (&json!(3), &json!(2)));
        let next = "</api/connections?per_page=2&page=2>; rel=\"next\"";
        assert_eq!(page.header("link"), next);
        let page = host.get("/api/connections?limit=2").await.json();
        let cursor = page["cursor"].as_str().unwrap();
        let path = format!("/api/connections/{cursor}");
        host.send(request(Method::DELETE, &path, None)).await;
        let rest = host.get(&format!("/api/connections?after={cursor}")).await;
        assert_eq!(rest.json()["items"].as_array().unwrap().len(), 1);
        let none = host.get("/api/connections?after=nothing").await;
        none.refused(400, "invalid-parameter");
    })
    .await;
}

#[tokio::test]
async fn without_a_key_no_secret_is_stored() {
    for backend in [Backend::Memory, Backend::Sqlite] {
        let host = Host::built(backend, |builder| builder).await;
        for secret in ["password", "extra"] {
            let body = json!({"conn_id": "c", "type": "x", secret: "hunter2"});
            let refused = host.post("/api/connections", Some(&body)).await;
            refused.refused(409, "encryption-key-missing");
            assert!(refused.text().contains("FLORET_SECRET_KEY"), "{refused:?}");
        }
        let plain = json!({"conn_id": "c", "type": "x", "password": "", "extra": null});
        let made = host.post("/api/connections", Some(&plain)).await;
        assert_eq!(made.status, 201, "{made:?}");
    }
}

#[tokio::test]
async fn another_tenants_connection_is_absent_and_its_id_taken() {
    on_each(async |host: &Host| {
        let service = host.floret.service(Access::from_extensions());
        let ask = async |tenant: &str, method: Method, path: &str, body: Option<&Value>| {
            let scope = Scope::Tenant(TenantId::new(tenant).unwrap());
            let mut request = request(method, path, body);
            let held = Permissions::all().scope(scope);
            request.extensions_mut().insert(held);
            send(&service, request).await
        };
        let (list, path) = ("/api/connections", "/api/connections/warehouse");
        let made = ask("ann", Method::POST, list, Some(&warehouse())).await;
        assert_eq!(made.status, 201, "{made:?}");
        let taken = ask("ben", Method::POST, list, Some(&warehouse())).await;
        taken.refused(409, "already-exists");
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let body = (method == Method::PUT).then(warehouse);
            let absent = ask("ben", method, path, body.as_ref()).await;
            absent.refused(404, "connection-not-found");
        }
        assert_eq!(ask("ben", Method::GET, list, None).await.json(), json!([]));
        // Whoever sees all may change it: it stays the tenant's, its secrets too.
        let kept = put(host, path, &host.get(path).await.json()).await;
        assert_eq!((kept.status.as_u16(), kept.json()), (200, made.json()));
        let own = ask("ann", Method::GET, path, None).await;
        assert_eq!(own.json(), made.json());
    })
    .await;
}
