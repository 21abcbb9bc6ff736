//! Checks of `Origin` and `Host`: refuses cross-site requests and hosts that are not allowed.
//!
//! These checks apply to authorized callers too; `access` identifies the caller.

use http::header::{HOST, HeaderName, ORIGIN};
use http::request::Parts;
use http::uri::Scheme;
use http::{HeaderMap, Method};

use crate::error::{Error, Problem, Result, quote};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses a request that may change something and comes from a page of another origin.
///
/// # Errors
/// `Forbidden` (`cross-origin`).
pub(super) fn check(parts: &Parts, allowed: &[String]) -> Result<()> {
    if parts.method == Method::GET || parts.method == Method::HEAD {
        return Ok(());
    }
    let is_allowed = check_origins(parts, allowed)?;
    if !is_allowed && is_cross_site(&parts.headers) {
        return Err(foreign("a page of another site"));
    }
    Ok(())
}

/// Refuses a stream to a page of another origin.
///
/// The upgrade is a GET, and a browser lets any page read a WebSocket.
///
/// # Errors
/// `Forbidden` (`cross-origin`).
pub(super) fn check_stream(parts: &Parts, allowed: &[String]) -> Result<()> {
    check_origins(parts, allowed).map(drop)
}

/// Returns whether the host application allows the origin that the request names.
fn check_origins(parts: &Parts, allowed: &[String]) -> Result<bool> {
    let mut origins = parts.headers.get_all(ORIGIN).iter().peekable();
    let mut is_allowed = origins.peek().is_some();
    for origin in origins {
        let origin = origin.to_str().unwrap_or("null");
        if !allowed.iter().any(|own| is_same(own, origin)) {
            is_allowed = false;
            if !is_own(origin, authority(parts)) {
                return Err(foreign(&format!("the origin {}", quote(origin))));
            }
        }
    }
    Ok(is_allowed)
}

/// Refuses a request that does not name exactly one host, or a host that is not allowed. An empty
/// list allows every host.
///
/// # Errors
/// `Malformed` (`misdirected`).
pub(super) fn check_host(parts: &Parts, allowed: &[String]) -> Result<()> {
    check_single_host(parts)?;
    if allowed.is_empty() {
        return Ok(());
    }
    let given = authority(parts).unwrap_or_default();
    let (host, _) = host_and_port(given);
    let is_allowed =
        |own: &String| own.eq_ignore_ascii_case(host) || own.eq_ignore_ascii_case(given);
    if !host.is_empty() && allowed.iter().any(is_allowed) {
        return Ok(());
    }
    if given.is_empty() {
        return Err(misdirected(
            "the request names no host; it needs the header Host".to_owned(),
        ));
    }
    Err(misdirected(format!(
        "this server does not serve the host {}",
        quote(given)
    )))
}

/// Refuses several `Host` headers, one that is not a host, and one that contradicts an absolute
/// target (RFC 9112, section 3.2).
///
/// A proxy in front may have decided by another of them than this service would.
fn check_single_host(parts: &Parts) -> Result<()> {
    let mut hosts = parts.headers.get_all(HOST).iter();
    let (Some(host), others) = (hosts.next(), hosts.count()) else {
        return Ok(());
    };
    if others > 0 {
        let count = others + 1;
        return Err(misdirected(format!(
            "a request has one Host, received {count}"
        )));
    }
    let Some(host) = host.to_str().ok().filter(|host| is_host(host)) else {
        let received = quote(&String::from_utf8_lossy(host.as_bytes()));
        return Err(misdirected(format!("Host is not a host: {received}")));
    };
    match parts.uri.authority() {
        Some(target) if !is_same_host(host, target.as_str(), default_port(parts)) => {
            Err(misdirected(format!(
                "Host is {}, but the target of the request names {}",
                quote(host),
                quote(target.as_str())
            )))
        }
        Some(_) | None => Ok(()),
    }
}

/// Returns whether a text can be a host with a port. An empty one means that the target has none.
fn is_host(text: &str) -> bool {
    let is_delimiter = |byte: u8| matches!(byte, b',' | b'@' | b'/' | b'?' | b'#' | b'\\');
    text.bytes()
        .all(|byte| byte.is_ascii_graphic() && !is_delimiter(byte))
}

fn is_same_host(one: &str, other: &str, default_port: &str) -> bool {
    let ((one, one_port), (other, other_port)) = (host_and_port(one), host_and_port(other));
    one.eq_ignore_ascii_case(other)
        && one_port.unwrap_or(default_port) == other_port.unwrap_or(default_port)
}

/// Returns the port that an absolute target means if it names none.
fn default_port(parts: &Parts) -> &'static str {
    if parts.uri.scheme() == Some(&Scheme::HTTPS) {
        "443"
    } else {
        "80"
    }
}

fn misdirected(detail: String) -> Error {
    Error::new(Problem::Misdirected, detail)
}

fn foreign(what: &str) -> Error {
    Error::new(
        Problem::CrossOrigin,
        format!("{what} may not send this; the host application can allow an origin"),
    )
}

fn is_cross_site(headers: &HeaderMap) -> bool {
    // A proxy may join the lines of a header into a list.
    let mut sites = headers
        .get_all(SEC_FETCH_SITE)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    sites.any(|site| site.trim_ascii().eq_ignore_ascii_case(b"cross-site"))
}

/// Returns the host that the request names; HTTP/2 has it in the URI.
fn authority(parts: &Parts) -> Option<&str> {
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    host.or_else(|| parts.uri.authority().map(http::uri::Authority::as_str))
}

/// Returns whether an origin is the host that the request names.
///
/// The scheme is not compared, since a proxy may terminate TLS. A missing port is the default port
/// of the origin's scheme.
fn is_own(origin: &str, host: Option<&str>) -> bool {
    let Some((default_port, own)) = split_scheme(origin) else {
        return false;
    };
    let is_equal = |host: &str| is_same_host(own, host, default_port);
    !own.is_empty() && host.is_some_and(is_equal)
}

fn is_same(allowed: &str, origin: &str) -> bool {
    match (split_scheme(allowed), split_scheme(origin)) {
        (Some((allowed_port, allowed)), Some((port, origin))) => {
            allowed_port == port && is_same_host(allowed, origin, port)
        }
        (None, _) | (_, None) => false,
    }
}

/// Splits an origin into the default port of its scheme and the rest.
fn split_scheme(origin: &str) -> Option<(&'static str, &str)> {
    let (scheme, rest) = origin.split_once("://")?;
    let port = match scheme {
        _ if scheme.eq_ignore_ascii_case("http") => "80",
        _ if scheme.eq_ignore_ascii_case("https") => "443",
        _ => return None,
    };
    Some((port, rest))
}

/// Splits off a port; an IPv6 address keeps its brackets.
fn host_and_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
            (host, Some(port).filter(|port| !port.is_empty()))
        }
        Some(_) | None => (authority, None),
    }
}

/// Returns whether a text is an origin that a browser could send.
pub(super) fn is_origin(text: &str) -> bool {
    split_scheme(text).is_some_and(|(_, host)| !host.is_empty() && !host.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(method: &Method, headers: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::builder().method(method).uri("/api/runs");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn passes(headers: &[(&str, &str)]) -> bool {
        let allowed = ["https://app.example.com".to_owned()];
        check(&parts(&Method::POST, headers), &allowed).is_ok()
    }

    #[test]
    fn only_the_service_itself_and_allowed_origins_may_change_things() {
        let host = ("host", "floret.example.com");
        for (origin, expected) in [
            ("https://floret.example.com", true),
            ("http://floret.example.com", true),
            ("HTTPS://FLORET.example.COM", true),
            ("https://floret.example.com:443", true),
            ("https://floret.example.com:8443", false),
            ("https://floret.example.com.evil", false),
            ("https://evil.com", false),
            ("https://sub.floret.example.com", false),
            ("null", false),
            ("", false),
            ("https://", false),
            ("file://", false),
            ("https://app.example.com", true),
            ("http://app.example.com", false),
            ("https://app.example.com:8443", false),
            ("https://APP.example.com", true),
        ] {
            assert_eq!(passes(&[host, ("origin", origin)]), expected, "{origin}");
        }
    }

    #[test]
    fn ports_and_addresses_are_compared() {
        for (host, origin, expected) in [
            ("localhost:8080", "http://localhost:8080", true),
            ("localhost:8080", "http://localhost:3000", false),
            ("localhost:8080", "http://localhost", false),
            ("localhost:80", "http://localhost", true),
            ("[::1]:8080", "http://[::1]:8080", true),
            ("[::1]", "http://[::1]", true),
            ("[::1]:8080", "http://[::2]:8080", false),
        ] {
            let passes = passes(&[("host", host), ("origin", origin)]);
            assert_eq!(passes, expected, "{host} {origin}");
        }
    }

    #[test]
    fn a_cross_site_request_passes_from_an_allowed_origin_only() {
        let host = ("host", "floret.example.com");
        let cross = ("sec-fetch-site", "cross-site");
        assert!(!passes(&[host, cross]));
        assert!(!passes(&[
            host,
            cross,
            ("origin", "https://floret.example.com")
        ]));
        assert!(passes(&[
            host,
            cross,
            ("origin", "https://app.example.com")
        ]));
        for list in ["same-origin, cross-site", "none,Cross-Site ,none"] {
            assert!(!passes(&[host, ("sec-fetch-site", list)]), "{list}");
        }
        let lines = [
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-site", "cross-site"),
        ];
        assert!(!passes(&[&[host], &lines[..]].concat()));
        assert!(passes(&[host, ("sec-fetch-site", "same-origin, none")]));
        assert!(passes(&[host, ("sec-fetch-site", "same-origin")]));
        assert!(passes(&[host]));
        assert!(passes(&[]));
    }

    #[test]
    fn one_foreign_origin_among_several_is_refused() {
        let own = ("origin", "https://floret.example.com");
        let host = ("host", "floret.example.com");
        assert!(!passes(&[host, own, ("origin", "https://evil.com")]));
        assert!(!passes(&[own]));
    }

    #[test]
    fn a_read_is_allowed_from_any_origin() {
        let headers = [
            ("origin", "https://evil.com"),
            ("sec-fetch-site", "cross-site"),
        ];
        assert!(check(&parts(&Method::GET, &headers), &[]).is_ok());
        assert!(check(&parts(&Method::HEAD, &headers), &[]).is_ok());
        assert!(check(&parts(&Method::DELETE, &headers), &[]).is_err());
    }

    #[test]
    fn a_request_names_one_host_and_an_absolute_target_the_same() {
        let slug = |target: &str, hosts: &[&[u8]]| {
            let mut request = http::Request::get(target);
            for host in hosts {
                request = request.header("host", *host);
            }
            let parts = request.body(()).unwrap().into_parts().0;
            check_host(&parts, &[]).map_or_else(|error| error.slug(), |()| "passes")
        };
        for (target, hosts) in [
            ("/api/runs", &[][..]),
            ("/api/runs", &[&b"a.example"[..]][..]),
            ("/api/runs", &[b""]),
            ("http://a.example/api", &[]),
            ("http://a.example/api", &[b"A.Example"]),
            ("http://a.example/api", &[b"a.example:80"]),
            ("https://a.example:443/api", &[b"a.example"]),
            ("http://[::1]:8080/api", &[b"[::1]:8080"]),
        ] {
            assert_eq!(slug(target, hosts), "passes", "{target} {hosts:?}");
        }
        for (target, hosts) in [
            ("/api/runs", &[&b"a.example"[..], b"a.example"][..]),
            ("/api/runs", &[b"a.example", b"evil.example"]),
            ("/api/runs", &[b"a.example, evil.example"]),
            ("/api/runs", &[b"a.example@evil.example"]),
            ("/api/runs", &[b"a.example/evil"]),
            ("/api/runs", &[b"a.example evil"]),
            ("/api/runs", &[b"\xff.example"]),
            ("http://evil.example/api", &[b"a.example"]),
            ("http://a.example/api", &[b"a.example:8080"]),
            ("http://a.example:8080/api", &[b"a.example"]),
            ("https://a.example/api", &[b"a.example:80"]),
            ("http://a.example@evil.example/api", &[b"evil.example"]),
            ("http://a.example/api", &[b""]),
        ] {
            assert_eq!(slug(target, hosts), "misdirected", "{target} {hosts:?}");
        }
    }

    #[test]
    fn a_list_of_allowed_hosts_excludes_all_others() {
        let allowed = ["localhost".to_owned(), "[::1]".to_owned()];
        for (host, expected) in [
            ("localhost", true),
            ("LOCALHOST:8080", true),
            ("[::1]:8080", true),
            ("localhost.evil", false),
            ("evil:80", false),
            ("", false),
        ] {
            let parts = parts(&Method::GET, &[("host", host)]);
            assert_eq!(check_host(&parts, &allowed).is_ok(), expected, "{host}");
            assert!(check_host(&parts, &[]).is_ok());
        }
    }
}
