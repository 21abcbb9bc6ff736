//! The capabilities of a server: its node types and the definition versions that it reads.

use floret::{Access, Decision, Permission, Permissions, Scope, TenantId};
use http::Method;
use serde_json::json;

use crate::wire::{Host, on_each_backend, request, send};

const PATH: &str = "/api/capabilities";

#[tokio::test]
async fn capabilities_list_registered_types_and_supported_versions() {
    on_each_backend(async |host: &Host| {
        let response = host.get(PATH).await;
        assert_eq!(response.status, 200);
        let mut capabilities = response.json();
        let guarantees = capabilities.as_object_mut().unwrap().remove("guarantees");
        assert_eq!(guarantees.unwrap()[0]["storage"], json!(["sqlite"]));
        let caller = capabilities.as_object_mut().unwrap().remove("caller");
        assert_eq!(
            caller.unwrap(),
            json!({"permissions": names(Permission::ALL)})
        );
        let expected = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "supported_ir_versions": ["1.0", "2.0"],
            "supported_execution_features": ["conditional-routing"],
            "node_type_capabilities": {"any": []},
            "disabled_node_types": [],
            "node_type_config": {},
        });
        assert_eq!(capabilities, expected);
    })
    .await;
}

fn names(permissions: &[Permission]) -> Vec<&'static str> {
    let names = permissions.iter().map(|permission| permission.as_str());
    names.collect()
}

#[tokio::test]
async fn capabilities_say_who_asks_and_what_it_may_do() {
    on_each_backend(async |host: &Host| {
        let own = [Permission::PipelinesView, Permission::RunsView];
        let ann = Scope::Tenant(TenantId::new("ann").unwrap());
        let caller = async |access: Access, query: &str| {
            let path = format!("{PATH}{query}");
            let shown = send(
                &host.floret.service(access),
                request(Method::GET, &path, None),
            )
            .await;
            shown.json()["caller"].clone()
        };
        let permissions = Permissions::of(own).scope(ann.clone()).by("alice");
        let mut asked = request(Method::GET, PATH, None);
        asked.extensions_mut().insert(permissions);
        let shown = send(&host.floret.service(Access::from_extensions()), asked).await;
        let expected = json!({"name": "alice", "tenant": "ann", "permissions": names(&own)});
        assert_eq!(shown.json()["caller"], expected);
        // A permission in another tenant does not count in the one that the request names.
        let mixed = || {
            let ann = ann.clone();
            Access::custom(move |_, permission| match permission {
                Permission::RunsView => Decision::allow(Scope::All),
                Permission::PipelinesView => Decision::allow(ann.clone()),
                _ => Decision::Forbidden,
            })
        };
        for (query, held) in [("?tenant=ann", &own[..]), ("?tenant=ben", &own[1..])] {
            assert_eq!(
                caller(mixed(), query).await["permissions"],
                json!(names(held))
            );
        }
        let shown = caller(Access::read_only(), "").await;
        let views = Permission::ALL.iter().copied();
        let views: Vec<_> = views.filter(|permission| permission.is_view()).collect();
        assert_eq!(shown, json!({"permissions": names(&views)}));
    })
    .await;
}

#[tokio::test]
async fn any_permission_is_enough_to_read_capabilities() {
    on_each_backend(async |host: &Host| {
        let service = host.floret.service(Access::from_extensions());
        let as_caller = |permissions: Option<Permissions>| {
            let mut request = request(Method::GET, PATH, None);
            if let Some(permissions) = permissions {
                request.extensions_mut().insert(permissions);
            }
            request
        };
        send(&service, as_caller(None))
            .await
            .assert_problem(401, "unauthenticated");
        let no_permissions = Permissions::of([]);
        send(&service, as_caller(Some(no_permissions)))
            .await
            .assert_problem(403, "forbidden");
        for permission in Permission::ALL {
            let only = Permissions::of([*permission]);
            let response = send(&service, as_caller(Some(only))).await;
            assert_eq!(response.status, 200, "{permission}");
        }
        let access = Access::custom(|_, permission| match permission {
            Permission::VariablesView => Decision::Allow(Scope::All),
            _ => Decision::Forbidden,
        });
        let service = host.floret.service(access);
        assert_eq!(send(&service, as_caller(None)).await.status, 200);
    })
    .await;
}
