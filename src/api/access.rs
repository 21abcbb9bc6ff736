//! Access control: asks the host about a caller before anything else is decided.
//!
//! `routes` names the permission of each route; storage restricts a query to a tenant.

use std::fmt;
use std::sync::Arc;

use http::request::Parts;

use super::permission::{Permission, Permissions};
use crate::error::{Error, Problem, Result};
use crate::model::{CallerName, Scope};

/// The host's decision about a caller that needs a permission.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let floret = floret::testing::memory().start().await?;
/// use floret::{Access, Decision, Scope};
/// use tower::ServiceExt as _;
///
/// let access = Access::custom(|parts, _| match parts.headers.get("x-user") {
///     Some(_) => Decision::Allow(Scope::All),
///     None => Decision::Unauthenticated,
/// });
/// let request = http::Request::get("/api/runs").body(String::new())?;
/// assert_eq!(floret.service(access).oneshot(request).await?.status(), 401);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// The caller may proceed, and sees and changes only the objects of this scope.
    Allow(Scope),
    /// The same for a caller whose name the host knows ([`Decision::by`]).
    AllowAs(Scope, CallerName),
    /// The host does not know the caller: 401.
    Unauthenticated,
    /// The host knows the caller and denies the permission: 403.
    Forbidden,
}

impl Decision {
    /// Allows a caller to proceed, within a scope.
    ///
    /// ```
    /// use floret::{Access, Decision, Scope};
    ///
    /// let access = Access::custom(|parts, _| {
    ///     let user = parts.headers.get("x-user").and_then(|user| user.to_str().ok());
    ///     match user {
    ///         Some(user) => Decision::allow(Scope::All).by(user),
    ///         None => Decision::Unauthenticated,
    ///     }
    /// });
    /// # drop(access);
    /// ```
    #[must_use]
    pub const fn allow(scope: Scope) -> Self {
        Self::Allow(scope)
    }

    /// Names the caller, if it is allowed to proceed. The runs that it creates say so
    /// ([`Run::created_by`](crate::Run::created_by)), and so does the
    /// [audit](crate::Client::audit).
    #[must_use]
    pub fn by(self, name: impl Into<CallerName>) -> Self {
        match self {
            Self::Allow(scope) | Self::AllowAs(scope, _) => Self::AllowAs(scope, name.into()),
            Self::Unauthenticated | Self::Forbidden => self,
        }
    }
}

/// What a caller was granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grant {
    pub(super) scope: Scope,
    /// The name of the caller, if the host knows it.
    pub(super) by: Option<CallerName>,
}

type Decide = dyn Fn(&Parts, Permission) -> Decision + Send + Sync;

/// How the service decides whether a caller may use a route.
///
/// ```
/// use floret::{Access, Decision, Permission, Scope};
/// let access = Access::custom(|parts, permission| match parts.headers.get("x-role") {
///     Some(role) if role == "operator" => Decision::Allow(Scope::All),
///     Some(_) if permission.is_view() => Decision::Allow(Scope::All),
///     Some(_) => Decision::Forbidden,
///     None => Decision::Unauthenticated,
/// });
/// ```
#[derive(Clone)]
pub struct Access(Rule);

#[derive(Clone)]
enum Rule {
    AllowAll,
    ReadOnly,
    Extensions,
    Custom(Arc<Decide>),
}

impl Access {
    /// Grants every permission to every caller, for a service that only its host can reach.
    #[must_use]
    pub const fn allow_all() -> Self {
        Self(Rule::AllowAll)
    }

    /// Grants every caller the permissions that only allow viewing, and no others.
    #[must_use]
    pub const fn read_only() -> Self {
        Self(Rule::ReadOnly)
    }

    /// Uses the [`Permissions`] that the host's middleware put into the extensions of the request.
    ///
    /// A request without them gets 401.
    #[must_use]
    pub const fn from_extensions() -> Self {
        Self(Rule::Extensions)
    }

    /// Calls a closure with the request and the permission of its route, once for each request.
    ///
    /// Search, lineage and the dashboard return objects of several kinds. For these, the closure is
    /// also called with the permission to view each other kind, so that a hidden kind is omitted.
    /// For a route that is open to any caller, it is called with one permission after another until
    /// it allows one.
    ///
    /// The path of the request is passed as it arrived. Decide by the permission, never by the text
    /// of the path.
    #[must_use]
    pub fn custom(decide: impl Fn(&Parts, Permission) -> Decision + Send + Sync + 'static) -> Self {
        Self(Rule::Custom(Arc::new(decide)))
    }

    /// Returns what a caller is granted that has this permission.
    ///
    /// # Errors
    /// `Unauthenticated` or `Forbidden`.
    pub(super) fn check(&self, parts: &Parts, permission: Permission) -> Result<Grant> {
        match self.decide(parts, permission) {
            Decision::Allow(scope) => Ok(Grant { scope, by: None }),
            Decision::AllowAs(scope, name) => Ok(Grant {
                scope,
                by: Some(name),
            }),
            Decision::Unauthenticated => Err(unauthenticated()),
            Decision::Forbidden => Err(Error::new(
                Problem::Forbidden,
                format!("this needs the permission {permission}, which the caller does not have"),
            )),
        }
    }

    /// Returns what a caller is granted that has at least one permission: the first whose scope
    /// `admits` accepts, or else the first.
    ///
    /// # Errors
    /// `Unauthenticated` or `Forbidden`.
    pub(super) fn check_any(
        &self,
        parts: &Parts,
        admits: impl Fn(&Scope) -> bool,
    ) -> Result<Grant> {
        let decided = Permission::ALL
            .iter()
            .map(|permission| self.decide(parts, *permission));
        let (mut is_known, mut first) = (false, None);
        for decision in decided {
            let (scope, by) = match decision {
                Decision::Allow(scope) => (scope, None),
                Decision::AllowAs(scope, name) => (scope, Some(name)),
                Decision::Forbidden => {
                    is_known = true;
                    continue;
                }
                Decision::Unauthenticated => continue,
            };
            let is_admitted = admits(&scope);
            let grant = Grant { scope, by };
            if is_admitted {
                return Ok(grant);
            }
            first = first.or(Some(grant));
        }
        if let Some(grant) = first {
            Ok(grant)
        } else if is_known {
            Err(Error::new(
                Problem::Forbidden,
                "this needs any permission, and the caller has none",
            ))
        } else {
            Err(unauthenticated())
        }
    }

    /// Checks that webhooks may start runs.
    ///
    /// # Errors
    /// `Forbidden`.
    pub(super) fn check_webhooks(&self) -> Result<()> {
        match self.0 {
            Rule::ReadOnly => Err(Error::new(
                Problem::Forbidden,
                "this service is read-only, so that no webhook starts a run here",
            )),
            Rule::AllowAll | Rule::Extensions | Rule::Custom(_) => Ok(()),
        }
    }

    fn decide(&self, parts: &Parts, permission: Permission) -> Decision {
        match &self.0 {
            Rule::AllowAll => Decision::Allow(Scope::All),
            Rule::ReadOnly if permission.is_view() => Decision::Allow(Scope::All),
            Rule::ReadOnly => Decision::Forbidden,
            Rule::Extensions => match parts.extensions.get::<Permissions>() {
                Some(own) if own.has(permission) => granted(own),
                Some(_) => Decision::Forbidden,
                None => Decision::Unauthenticated,
            },
            Rule::Custom(decide) => decide(parts, permission),
        }
    }
}

fn granted(own: &Permissions) -> Decision {
    let decision = Decision::allow(own.objects().clone());
    match own.name() {
        Some(name) => decision.by(name.clone()),
        None => decision,
    }
}

fn unauthenticated() -> Error {
    Error::new(
        Problem::Unauthenticated,
        "this needs credentials, and the request has none that are known",
    )
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rule = match &self.0 {
            Rule::AllowAll => "allow_all",
            Rule::ReadOnly => "read_only",
            Rule::Extensions => "from_extensions",
            Rule::Custom(_) => "custom",
        };
        f.debug_tuple("Access").field(&rule).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TenantId;

    fn parts(own: Option<Permissions>) -> Parts {
        let mut request = http::Request::new(());
        if let Some(own) = own {
            request.extensions_mut().insert(own);
        }
        request.into_parts().0
    }

    fn slug(access: &Access, own: Option<Permissions>, permission: Permission) -> &'static str {
        match access.check(&parts(own), permission) {
            Ok(_) => "allowed",
            Err(error) => error.slug(),
        }
    }

    #[test]
    fn a_request_without_permissions_is_unauthenticated_and_one_with_others_is_forbidden() {
        let access = Access::from_extensions();
        let viewer = Permissions::of([Permission::RunsView]);
        let run = Permission::PipelinesRun;
        assert_eq!(slug(&access, None, run), "unauthenticated");
        assert_eq!(slug(&access, Some(viewer.clone()), run), "forbidden");
        assert_eq!(slug(&access, Some(viewer), Permission::RunsView), "allowed");
    }

    #[test]
    fn the_scope_in_the_extensions_narrows_the_caller() {
        let tenant = Scope::Tenant(TenantId::new("acme").unwrap());
        let own = parts(Some(Permissions::all().scope(tenant.clone())));
        let given = Access::from_extensions().check(&own, Permission::RunsView);
        assert_eq!(given.unwrap().scope, tenant);
    }

    #[test]
    fn a_read_only_service_lets_nobody_change_anything() {
        let access = Access::read_only();
        for permission in Permission::ALL {
            let expected = if permission.is_view() {
                "allowed"
            } else {
                "forbidden"
            };
            assert_eq!(slug(&access, None, *permission), expected, "{permission}");
        }
    }

    #[test]
    fn any_caller_has_at_least_one_permission() {
        let any = |access: &Access, own| match access.check_any(&parts(own), |_| true) {
            Ok(_) => "allowed",
            Err(error) => error.slug(),
        };
        let access = Access::from_extensions();
        assert_eq!(any(&access, None), "unauthenticated");
        assert_eq!(any(&access, Some(Permissions::of([]))), "forbidden");
        let edits = Permissions::of([Permission::SettingsEdit]);
        assert_eq!(any(&access, Some(edits)), "allowed");
        assert_eq!(any(&Access::read_only(), None), "allowed");
        assert_eq!(any(&Access::allow_all(), None), "allowed");
        let nobody = Access::custom(|_, _| Decision::Forbidden);
        assert_eq!(any(&nobody, None), "forbidden");
    }

    #[test]
    fn a_caller_with_several_scopes_gets_the_one_that_the_request_needs() {
        let tenant = Scope::Tenant(TenantId::new("acme").unwrap());
        let own = tenant.clone();
        let access = Access::custom(move |_, permission| match permission {
            Permission::RunsView => Decision::Allow(Scope::All),
            Permission::PipelinesView => Decision::Allow(own.clone()),
            _ => Decision::Forbidden,
        });
        for wanted in [Scope::All, tenant] {
            let given = access.check_any(&parts(None), |scope| *scope == wanted);
            assert_eq!(given.unwrap().scope, wanted);
        }
    }

    #[test]
    fn a_closure_decides_by_the_permission_of_the_route() {
        let access = Access::custom(|_, permission| {
            if permission == Permission::RunsView {
                Decision::Allow(Scope::All)
            } else {
                Decision::Forbidden
            }
        });
        assert_eq!(slug(&access, None, Permission::RunsView), "allowed");
        assert_eq!(slug(&access, None, Permission::RunsCancel), "forbidden");
    }
}
