//! What a name stands for where objects of several tenants have it, over HTTP and in Rust.
//!
//! `tenants` tests that a tenant reads nothing of another.

use floret::testing::{Route, Step, routes};
use floret::{RunStatus, Scope, TenantId};
use http::Method;
use serde_json::{Value, json};

use crate::wire::{Host, TestResponse, on_each_backend, request, with_key};

const TENANTS: [&str; 2] = ["ann", "ben"];

/// Creates a pipeline, a connection and a variable with the name `shared`.
async fn create(host: &Host, query: &str) {
    let nodes = json!([{"id": "load", "type": "any"}]);
    let pipeline = json!({"id": "shared", "pipeline_id": "nightly", "name": "s", "nodes": nodes});
    for (path, body) in [
        ("pipelines", pipeline),
        ("connections", json!({"conn_id": "shared", "type": "http"})),
        ("variables", json!({"key": "shared", "value": "v"})),
    ] {
        let created = host
            .post(&format!("/api/{path}?{query}"), Some(&body))
            .await;
        assert_eq!(created.status, 201, "{created:?}");
    }
}

async fn create_for_both(host: &Host) {
    for tenant in TENANTS {
        create(host, &format!("tenant={tenant}")).await;
    }
}

/// Returns every route that names an object by its id, its slug or its key.
fn naming() -> Vec<(Method, String)> {
    let filters = ["/runs", "/runs/calendar"];
    let filters = filters.map(|path| (Method::GET, format!("{path}?pipeline_id=shared")));
    let mut naming = Vec::from(filters);
    // A webhook reveals nothing to a caller without its token.
    let asking = |route: &Route| route.path != "/pipelines/{id}/webhook";
    for route in routes().into_iter().filter(asking) {
        let path = route
            .path
            .replace("{conn_id}", "shared")
            .replace("{key}", "shared")
            .replace("{version}", "1")
            .replace("{to}", "1");
        if path.contains("{id}") {
            let path = path.replace("{node_id}", "load");
            naming.push((route.method.clone(), path.replace("{id}", "shared")));
            naming.push((route.method, path.replace("{id}", "nightly")));
        } else if path != route.path {
            naming.push((route.method, path));
        }
    }
    naming
}

async fn ask(host: &Host, method: &Method, path: &str, query: &str) -> TestResponse {
    let sign = if path.contains('?') { '&' } else { '?' };
    let path = format!("/api{path}{sign}{query}");
    host.send(request(method.clone(), &path, None)).await
}

fn tenants_of(items: &Value) -> Vec<&str> {
    let items = items.as_array().unwrap().iter();
    items
        .map(|item| item["tenant"].as_str().unwrap_or_default())
        .collect()
}

#[tokio::test]
async fn an_unclear_name_needs_its_tenant_on_every_route() {
    on_each_backend(async |host: &Host| {
        create_for_both(host).await;
        let naming = naming();
        assert!(naming.len() > 25, "{naming:?}");
        for (method, path) in &naming {
            let unclear = ask(host, method, path, "").await;
            unclear.assert_problem(409, "tenant-required");
            let absent = ask(host, method, path, "tenant=cy").await;
            assert_eq!(absent.status, 404, "{method} {path}: {absent:?}");
            let absent = ask(host, method, path, "tenant=").await;
            assert_eq!(absent.status, 404, "{method} {path}: {absent:?}");
        }
        // Reads first, so that the deletions come last.
        for (method, path) in naming.iter().filter(|(method, _)| *method == Method::GET) {
            let found = ask(host, method, path, "tenant=ann").await;
            assert_eq!(found.status, 200, "{method} {path}: {found:?}");
        }
        for path in ["pipelines", "connections", "variables"] {
            let path = format!("/{path}/shared");
            let deleted = ask(host, &Method::DELETE, &path, "tenant=ann").await;
            assert_eq!(deleted.status, 204, "{path}: {deleted:?}");
            let left = ask(host, &Method::GET, &path, "").await;
            assert_eq!(left.json()["tenant"], "ben", "{path}: {left:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_name_stands_for_the_object_without_a_tenant_beside_those_of_tenants() {
    on_each_backend(async |host: &Host| {
        create_for_both(host).await;
        create(host, "").await;
        for (method, path) in naming().iter().filter(|(method, _)| *method == Method::GET) {
            for query in ["", "tenant="] {
                let found = ask(host, method, path, query).await;
                assert_eq!(found.status, 200, "{path}?{query}: {found:?}");
                assert_eq!(
                    found.json().get("tenant"),
                    None,
                    "{path}?{query}: {found:?}"
                );
            }
        }
        let listed = host.get("/api/connections").await.json();
        let mut listed = tenants_of(&listed);
        // Some may be created in the same millisecond.
        listed.sort_unstable();
        assert_eq!(listed, ["", "ann", "ben"]);
    })
    .await;
}

#[tokio::test]
async fn each_tenant_has_its_own_runs_under_one_id_and_one_idempotency_key() {
    on_each_backend(async |host: &Host| {
        create_for_both(host).await;
        let mut ids = Vec::new();
        for tenant in TENANTS {
            let path = format!("/api/pipelines/shared/run?tenant={tenant}");
            let trigger = || with_key(&path, "morning", Some(&json!({})));
            let run = host.send(trigger()).await.json();
            assert_eq!(host.send(trigger()).await.json(), run);
            host.wait_finished(run["id"].as_str().unwrap()).await;
            let days = json!({"start_date": "2024-01-01", "end_date": "2024-01-01", "skip_existing": true});
            let path = format!("/api/pipelines/shared/backfill?tenant={tenant}");
            let backfilled = host.post(&path, Some(&days)).await.json();
            let backfilled = backfilled[0].as_str().unwrap().to_owned();
            host.wait_finished(&backfilled).await;
            let path = format!("/api/pipelines/shared/runs?tenant={tenant}");
            let listed = host.get(&path).await.json();
            assert_eq!(tenants_of(&listed), [tenant, tenant]);
            ids.push(run["id"].clone());
        }
        assert_ne!(ids[0], ids[1]);
        let all = host.get("/api/runs").await.json();
        assert_eq!(tenants_of(&all), ["ben", "ben", "ann", "ann"]);
        look_up_the_key(host, &ids).await;
    })
    .await;
}

/// Finds the run of each tenant by the key that both have used.
async fn look_up_the_key(host: &Host, ids: &[Value]) {
    let query = "pipeline_id=shared&idempotency_key=morning";
    let unclear = host.get(&format!("/api/runs?{query}")).await;
    unclear.assert_problem(409, "tenant-required");
    for (tenant, id) in TENANTS.iter().zip(ids) {
        let listed = host
            .get(&format!("/api/runs?{query}&tenant={tenant}"))
            .await;
        let listed = listed.json();
        assert_eq!((&listed[0]["id"], listed.get(1)), (id, None), "{tenant}");
        let scope = Scope::of(Some(&TenantId::new(*tenant).unwrap()));
        let own = host.floret.scoped(scope);
        let found = own.runs().of("shared").key("morning").await.unwrap();
        assert_eq!(json!(found.items[0].id), *id, "{tenant}");
    }
    let none = host.get(&format!("/api/runs?{query}&tenant=cy")).await;
    none.assert_problem(404, "pipeline-not-found");
}

#[tokio::test]
async fn a_list_of_every_tenant_is_paged_without_loss_or_repeat() {
    on_each_backend(async |host: &Host| {
        create_for_both(host).await;
        create(host, "").await;
        for path in ["pipelines", "connections", "variables"] {
            let whole = host.get(&format!("/api/{path}")).await.json();
            let whole = whole.as_array().unwrap();
            let mut next = format!("/api/{path}?limit=1");
            for item in whole {
                let page = host.get(&next).await.json();
                assert_eq!(page["items"][0], *item, "{next}");
                let cursor = page["cursor"].as_str().unwrap_or_default();
                next = format!("/api/{path}?limit=1&after={}", cursor.replace('/', "%2F"));
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_body_that_names_another_tenant_is_refused() {
    on_each_backend(async |host: &Host| {
        create(host, "tenant=ann").await;
        for path in ["pipelines", "connections", "variables"] {
            let path = format!("/api/{path}/shared");
            let mut body = host.get(&path).await.json();
            let same = host.send(request(Method::PUT, &path, Some(&body))).await;
            assert_eq!(same.status, 200, "{same:?}");
            body["tenant"] = json!("ben");
            let other = host.send(request(Method::PUT, &path, Some(&body))).await;
            other.assert_problem(400, "id-mismatch");
        }
    })
    .await;
}

#[tokio::test]
async fn rust_calls_name_a_tenant_by_their_scope() {
    on_each_backend(async |host: &Host| {
        create_for_both(host).await;
        let floret = &host.floret;
        let error = floret.run("shared").start().await.unwrap_err();
        assert_eq!(error.slug(), "tenant-required");
        for tenant in TENANTS {
            let tenant = TenantId::new(tenant).unwrap();
            let own = Scope::Tenant(tenant.clone());
            let client = floret.scoped(own);
            let run = client.run("nightly").await.unwrap();
            let run = run.finished().await.unwrap().run;
            assert_eq!(
                (run.status, run.tenant.as_ref()),
                (RunStatus::Success, Some(&tenant))
            );
            let day = "2024-01-01".parse().unwrap();
            let backfill = client.backfill("shared", day..=day).await.unwrap();
            let done = backfill.finished().await.unwrap();
            assert_eq!(done.unwrap().backfill.tenant.as_ref(), Some(&tenant));
            client.dry_run("shared").await.unwrap();
            assert_eq!(client.backfills().await.unwrap().items.len(), 1);
        }
        let listed = floret.backfills().await.unwrap();
        assert_eq!(listed.items.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn the_id_of_a_tenants_pipeline_never_hides_the_slug_of_the_hosts() {
    on_each_backend(async |host: &Host| {
        let nodes = json!([{"id": "load", "type": "any"}]);
        for (query, id, slug) in [("", "p1", "nightly"), ("tenant=ann", "nightly", "other")] {
            let pipeline = json!({"id": id, "pipeline_id": slug, "name": "n", "nodes": nodes});
            let created = host
                .post(&format!("/api/pipelines?{query}"), Some(&pipeline))
                .await;
            assert_eq!(created.status, 201, "{created:?}");
        }
        let found = host.get("/api/pipelines/nightly").await.json();
        assert_eq!((&found["id"], found.get("tenant")), (&json!("p1"), None));
        let own = host.get("/api/pipelines/nightly?tenant=ann").await.json();
        assert_eq!(
            (&own["id"], &own["tenant"]),
            (&json!("nightly"), &json!("ann"))
        );
    })
    .await;
}

#[tokio::test]
async fn an_entity_tag_and_a_location_name_the_tenant() {
    on_each_backend(async |host: &Host| {
        create_for_both(host).await;
        let tags = async |query: &str| {
            let found = host.get(&format!("/api/pipelines/shared?{query}")).await;
            found.header("etag").to_owned()
        };
        let (ann, ben) = (tags("tenant=ann").await, tags("tenant=ben").await);
        assert_ne!(ann, ben);
        let mut read = request(Method::GET, "/api/pipelines/shared?tenant=ben", None);
        read.headers_mut()
            .insert("if-none-match", ann.parse().unwrap());
        assert_eq!(host.send(read).await.status, 200);
        let path = "/api/pipelines/shared?tenant=ben";
        let mut change = request(Method::DELETE, path, None);
        change
            .headers_mut()
            .insert("if-match", ann.parse().unwrap());
        host.send(change)
            .await
            .assert_problem(412, "precondition-failed");
        let variable = json!({"key": "shared", "value": "v"});
        for (query, tenant) in [("tenant=cy", Some("cy")), ("tenant=", None)] {
            let path = format!("/api/variables?{query}");
            let created = host.post(&path, Some(&variable)).await;
            let found = host.get(created.header("location")).await.json();
            assert_eq!(
                found.get("tenant").and_then(Value::as_str),
                tenant,
                "{query}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn the_next_page_is_that_of_the_same_pipeline() {
    on_each_backend(async |host: &Host| {
        create(host, "tenant=ann").await;
        for _ in 0..2 {
            let run = host.post("/api/pipelines/shared/run", None).await.json();
            host.wait_finished(run["id"].as_str().unwrap()).await;
        }
        for path in [
            "/api/pipelines/shared/runs?limit=1",
            "/api/runs?pipeline_id=shared&limit=1",
        ] {
            let page = host.get(path).await;
            let link = page.header("link").to_owned();
            assert!(link.contains("tenant=ann"), "{link}");
        }
    })
    .await;
}

#[tokio::test]
async fn every_view_of_all_tenants_shows_whose_an_object_is() {
    on_each_backend(async |host: &Host| {
        for tenant in TENANTS {
            let nodes = json!([{"id": "load", "type": "any"}]);
            let pipeline = json!({
                "id": "shared", "name": "s", "nodes": nodes, "schedule": "0 0 1 1 *",
            });
            let path = format!("/api/pipelines?tenant={tenant}");
            let created = host.post(&path, Some(&pipeline)).await;
            assert_eq!(created.status, 201, "{created:?}");
            host.executor.script("load", [Step::permanent("no")]);
            let path = format!("/api/pipelines/shared/run?tenant={tenant}");
            let run = host.post(&path, None).await.json();
            assert_eq!(run["tenant"], tenant);
            host.wait_finished(run["id"].as_str().unwrap()).await;
        }
        let get = async |path: &str| host.get(&format!("/api/{path}")).await.json();
        assert_eq!(tenants_of(&get("search?q=shared").await), ["ben", "ann"]);
        assert_eq!(tenants_of(&get("scheduler/status").await), TENANTS);
        let dashboard = get("dashboard").await;
        assert_eq!(tenants_of(&dashboard["top_failing"]), TENANTS);
        assert_eq!(tenants_of(&dashboard["recent_runs"]), ["ben", "ann"]);
        let lineage = get("lineage").await;
        let nodes = lineage["nodes"].as_array().unwrap().iter();
        let ids: Vec<_> = nodes.map(|node| node["id"].as_str().unwrap()).collect();
        for tenant in TENANTS {
            assert!(
                ids.contains(&&*format!("pipeline:{tenant}/shared")),
                "{ids:?}"
            );
            assert!(
                ids.contains(&&*format!("processing:{tenant}/shared/load")),
                "{ids:?}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_pipeline_that_is_found_and_saved_again_stays_its_tenants() {
    on_each_backend(async |host: &Host| {
        create_for_both(host).await;
        create(host, "").await;
        let pipelines = host.floret.pipelines();
        let shared = pipelines.clone().await.unwrap().items;
        let shared = shared
            .into_iter()
            .filter(|found| found.id.as_str() == "shared");
        let mut tenants = Vec::new();
        for found in shared {
            let disabled = (*found.definition).clone().disabled();
            let saved = pipelines.put(disabled.description("first")).await.unwrap();
            let again = (*saved.stored.definition).clone().description("second");
            let again = pipelines.put(again).await.unwrap().stored;
            assert_eq!(
                (again.tenant.as_ref(), again.version),
                (found.tenant.as_ref(), 3)
            );
            tenants.push(again.tenant);
        }
        assert_eq!(tenants.len(), 3);
        for tenant in tenants {
            let scope = tenant.map_or(Scope::NoTenant, Scope::Tenant);
            let own = host
                .floret
                .scoped(scope)
                .pipelines()
                .get("shared")
                .await
                .unwrap();
            assert!(!own.definition.enabled);
            assert_eq!(own.definition.description, "second");
        }
    })
    .await;
}
