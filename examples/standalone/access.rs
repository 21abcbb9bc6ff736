//! Decides who has access: callers with the key, or this machine alone.

use floret::{Access, Decision, Floret, RunsService, Scope};
use http::header::AUTHORIZATION;
use http::request::Parts;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::options::ApiKey;

/// The service as it is reachable from outside.
pub(crate) fn service(floret: &Floret, key: Option<&ApiKey>) -> RunsService {
    match key {
        Some(key) => floret.service(bearer(key)),
        // A page in a browser on this machine could reach the server under a name that its author
        // controls.
        None => floret
            .service(Access::allow_all())
            .allow_host("localhost")
            .allow_host("127.0.0.1")
            .allow_host("[::1]"),
    }
}

fn bearer(key: &ApiKey) -> Access {
    let expected = Sha256::digest(key.as_bytes());
    Access::custom(move |parts, _| match credentials(parts) {
        // Digests have one length, so the time of the comparison does not reveal the length of the
        // key.
        Some(given) if bool::from(Sha256::digest(given).ct_eq(&expected)) => {
            Decision::Allow(Scope::All)
        }
        Some(_) | None => Decision::Unauthenticated,
    })
}

/// Returns the credentials after the scheme, whose case does not matter (RFC 9110, section 11.1).
/// Returns `None` for two headers, because choosing one would be a guess.
fn credentials(parts: &Parts) -> Option<&[u8]> {
    let mut headers = parts.headers.get_all(AUTHORIZATION).iter();
    let (Some(header), None) = (headers.next(), headers.next()) else {
        return None;
    };
    let (scheme, rest) = header.as_bytes().split_at_checked("Bearer ".len())?;
    scheme
        .eq_ignore_ascii_case(b"Bearer ")
        .then(|| rest.trim_ascii())
}
