//! The headers that tell a browser what it may do with the page and its files.

use http::header::{
    CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue};

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");

/// What the page may load: files of this service alone. The frames are up to the host.
macro_rules! page_policy {
    ($ancestors:expr) => {
        concat!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; ",
            "connect-src 'self'; worker-src 'self'; base-uri 'self'; form-action 'none'; ",
            "require-trusted-types-for 'script'; trusted-types floret; frame-ancestors ",
            $ancestors
        )
    };
}

/// What the stub may do: run its own script, whose hash this is.
macro_rules! stub_policy {
    ($ancestors:expr) => {
        concat!(
            "default-src 'none'; ",
            "script-src 'sha256-cYq55D9etKARXtrXH/DomI2M8De+h3RFj55uHas1ICY='; ",
            "base-uri 'none'; form-action 'none'; frame-ancestors ",
            $ancestors
        )
    };
}

/// The content security policies of a console.
#[derive(Debug, Clone)]
pub(super) struct Policies {
    pub(super) page: HeaderValue,
    pub(super) stub: HeaderValue,
}

impl Policies {
    /// Returns the policies with these ancestors, or `None` if they are no list of sources.
    pub(super) fn new(ancestors: &str) -> Option<Self> {
        let is_list = !ancestors.trim().is_empty() && !ancestors.contains([';', ',']);
        let policy = |begin: &str| HeaderValue::try_from(format!("{begin}{ancestors}")).ok();
        let (page, stub) = (policy(page_policy!(""))?, policy(stub_policy!(""))?);
        is_list.then_some(Self { page, stub })
    }
}

impl Default for Policies {
    /// Returns the policies that let only pages of the same origin show the console in a frame.
    fn default() -> Self {
        Self {
            page: HeaderValue::from_static(page_policy!("'self'")),
            stub: HeaderValue::from_static(stub_policy!("'self'")),
        }
    }
}

/// Sets the headers of everything that the console serves itself.
///
/// The referrer is not left out: a browser then sends the origin `null`, which the API refuses.
pub(super) fn restrict(headers: &mut HeaderMap, policy: &HeaderValue) {
    headers.insert(CONTENT_SECURITY_POLICY, policy.clone());
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(
        CROSS_ORIGIN_RESOURCE_POLICY,
        HeaderValue::from_static("same-origin"),
    );
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::console::stub;

    #[test]
    fn the_policy_of_the_stub_admits_its_script() {
        let (_, rest) = stub::HTML.split_once("<script>").unwrap();
        let (script, _) = rest.split_once("</script>").unwrap();
        let hash = data_encoding::BASE64.encode(&Sha256::digest(script));
        assert!(
            stub_policy!("").contains(&format!("'sha256-{hash}'")),
            "{hash}"
        );
    }

    #[test]
    fn ancestors_cannot_add_a_directive() {
        for (ancestors, expected) in [
            ("'self'", true),
            ("'none'", true),
            ("'self' https://portal.example.com", true),
            ("'self'; script-src *", false),
            ("'self', default-src *", false),
            ("'self'\r\nset-cookie: a=b", false),
            (" ", false),
        ] {
            assert_eq!(
                Policies::new(ancestors).is_some(),
                expected,
                "{ancestors:?}"
            );
        }
        let own = Policies::new("'self'").unwrap();
        assert_eq!(own.page, Policies::default().page);
        assert_eq!(own.stub, Policies::default().stub);
        let policies = Policies::new("'none'").unwrap();
        let page = policies.page.to_str().unwrap();
        assert!(page.ends_with("; frame-ancestors 'none'"), "{page}");
    }
}
