//! The capabilities of a server: its node types and the definition versions that it reads.

use floret::{Access, Decision, Permission, Permissions, Scope};
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
