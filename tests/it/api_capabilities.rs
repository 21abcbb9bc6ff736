//! What the server tells a client that it can execute.

use floret::{Access, Decision, Permission, Permissions, Scope};
use http::Method;
use serde_json::json;

use crate::wire::{Host, on_each, request, send};

const PATH: &str = "/api/capabilities";

#[tokio::test]
async fn the_registered_types_are_told_with_the_versions_that_are_read() {
    on_each(async |host: &Host| {
        let told = host.get(PATH).await;
        assert_eq!(told.status, 200);
        let expected = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "supported_ir_versions": ["1.0", "2.0"],
            "supported_execution_features": [],
            "node_type_capabilities": {"any": []},
            "disabled_node_types": [],
        });
        assert_eq!(told.json(), expected);
    })
    .await;
}

#[tokio::test]
async fn any_caller_that_is_let_in_may_ask() {
    on_each(async |host: &Host| {
        let service = host.floret.service(Access::from_extensions());
        let as_caller = |own: Option<Permissions>| {
            let mut request = request(Method::GET, PATH, None);
            if let Some(own) = own {
                request.extensions_mut().insert(own);
            }
            request
        };
        send(&service, as_caller(None))
            .await
            .refused(401, "unauthenticated");
        let none = Permissions::of([]);
        send(&service, as_caller(Some(none)))
            .await
            .refused(403, "forbidden");
        for permission in Permission::ALL {
            let own = Permissions::of([*permission]);
            let answer = send(&service, as_caller(Some(own))).await;
            assert_eq!(answer.status, 200, "{permission}");
        }
        let decides = Access::custom(|_, permission| match permission {
            Permission::VariablesView => Decision::Allow(Scope::All),
            _ => Decision::Forbidden,
        });
        let service = host.floret.service(decides);
        assert_eq!(send(&service, as_caller(None)).await.status, 200);
    })
    .await;
}
