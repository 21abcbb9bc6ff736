//! The address that a webhook sends to: a checked URL.
//!
//! Where its host leads is decided for each request, in `connection`.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use http::Uri;
use http::uri::PathAndQuery;

/// Characters of a URL. 2,048: what receivers and proxies take.
const URL_CHARS_MAX: usize = 2_048;
/// Characters of a host name, and of each of its labels (RFC 1035).
const HOST_CHARS_MAX: usize = 253;
const LABEL_CHARS_MAX: usize = 63;

/// Where a webhook sends to. Its `Debug` and its `Display` show neither path nor query, which may
/// be secret.
#[derive(Clone)]
pub(crate) struct Target {
    pub(super) scheme: Scheme,
    pub(super) host: Host,
    pub(super) port: u16,
    pub(super) path: PathAndQuery,
}

/// How the bytes travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https,
}

/// The host of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Host {
    Name(String),
    Address(IpAddr),
}

impl Target {
    /// Reads a URL.
    ///
    /// # Errors
    /// Returns what is wrong with it. The text repeats no part of the URL.
    pub(crate) fn new(url: &str) -> Result<Self, &'static str> {
        if url.len() > URL_CHARS_MAX {
            return Err("the URL is longer than 2,048 characters");
        }
        if url.contains('#') {
            return Err("the URL has a fragment, which no request carries: remove the part from #");
        }
        if !url
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'\\')
        {
            return Err("the URL has a character that must be escaped");
        }
        let uri: Uri = url.parse().map_err(|_| "this is not a URL")?;
        let scheme = match uri.scheme_str() {
            Some("https") => Scheme::Https,
            Some("http") => Scheme::Http,
            Some(_) => return Err("the scheme of the URL must be https"),
            None => return Err("the URL must begin with https://"),
        };
        let authority = uri.authority().ok_or("the URL has no host")?.as_str();
        if authority.contains('@') {
            return Err("the URL has a user or a password, which no request carries");
        }
        let (host, port) = split_port(authority)?;
        let port = port.unwrap_or(match scheme {
            Scheme::Https => 443,
            Scheme::Http => 80,
        });
        let path = uri.path_and_query().cloned();
        Ok(Self {
            scheme,
            host: Host::new(host)?,
            port,
            path: path.unwrap_or_else(|| PathAndQuery::from_static("/")),
        })
    }

    /// Returns the value of the header `Host`.
    pub(super) fn authority(&self) -> String {
        let default = match self.scheme {
            Scheme::Https => 443,
            Scheme::Http => 80,
        };
        if self.port == default {
            self.host.to_string()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        write!(f, "{scheme}://{}", self.authority())
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}/***")
    }
}

/// Splits an authority without a user into its host and its port.
fn split_port(authority: &str) -> Result<(&str, Option<u16>), &'static str> {
    let end = authority.rfind(']').map_or(0, |at| at.saturating_add(1));
    let (host, port) = match authority[end..].find(':') {
        Some(at) => (&authority[..end + at], Some(&authority[end + at + 1..])),
        None => (authority, None),
    };
    let port = port.map(|port| match port.parse() {
        Ok(port) if port > 0 && !port_is_signed(authority) => Ok(port),
        Ok(_) | Err(_) => Err("the port of the URL must be from 1 to 65,535"),
    });
    Ok((host, port.transpose()?))
}

/// `u16` parses `+80`, which is no port.
fn port_is_signed(authority: &str) -> bool {
    authority.contains(":+")
}

impl Host {
    fn new(host: &str) -> Result<Self, &'static str> {
        if let Some(address) = host.strip_prefix('[') {
            let address = address.strip_suffix(']').unwrap_or_default();
            let address: Result<Ipv6Addr, _> = address.parse();
            return address
                .map(|address| Self::Address(IpAddr::V6(address)))
                .map_err(|_| "the address of the URL is no IPv6 address");
        }
        if let Ok(address) = host.parse() {
            return Ok(Self::Address(IpAddr::V4(address)));
        }
        if host.is_empty() {
            return Err("the URL has no host");
        }
        if host.len() > HOST_CHARS_MAX || !host.split('.').all(is_label) {
            return Err(
                "the host of the URL must be a name of letters, digits and hyphens, or an address",
            );
        }
        if ends_with_number(host) {
            return Err(
                "an IPv4 address in a URL must be four decimal numbers without leading zeros",
            );
        }
        Ok(Self::Name(host.to_ascii_lowercase()))
    }
}

fn is_label(label: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=LABEL_CHARS_MAX).contains(&label.len()) && label.bytes().all(is_allowed)
}

/// Returns whether the last label is a number, decimal or hexadecimal. Resolvers read such a host
/// as an address of IPv4: `2130706433`, `0x7f.1` and `0177.0.0.1` are 127.0.0.1.
fn ends_with_number(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or_default();
    let hexadecimal = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    last.bytes().all(|byte| byte.is_ascii_digit())
        || hexadecimal.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => address.fmt(f),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart_and_its_path_is_not_shown() {
        let cases = [
            ("https://Example.com", "https://example.com", 443, "/"),
            (
                "https://example.com:8443/a?b=c",
                "https://example.com:8443",
                8443,
                "/a?b=c",
            ),
            (
                "https://example.com:443/hooks/T0/B0",
                "https://example.com",
                443,
                "/hooks/T0/B0",
            ),
            ("http://10.0.0.1/x", "http://10.0.0.1", 80, "/x"),
            (
                "https://[2606:4700::1111]:444/",
                "https://[2606:4700::1111]:444",
                444,
                "/",
            ),
            (
                "https://my_host-1.example/?q",
                "https://my_host-1.example",
                443,
                "/?q",
            ),
        ];
        for (url, shown, port, path) in cases {
            let target = Target::new(url).unwrap();
            assert_eq!((target.to_string().as_str(), target.port), (shown, port));
            assert_eq!(target.path.as_str(), path, "{url}");
            assert_eq!(format!("{target:?}"), format!("{shown}/***"));
        }
    }

    #[test]
    fn a_wrong_url_is_refused_with_its_fault() {
        let long = format!("https://example.com/{}", "a".repeat(2_048));
        let cases = [
            ("", "not a URL"),
            ("example.com", "https://"),
            ("/hooks", "https://"),
            ("ftp://example.com/", "scheme"),
            ("file:///etc/passwd", ""),
            ("javascript:alert(1)", ""),
            ("https://", ""),
            ("https:///path", ""),
            ("https://user@example.com/", "user"),
            ("https://user:password@example.com/", "user"),
            ("https://example.com@10.0.0.1/", "user"),
            ("https://example.com/#part", "fragment"),
            ("https://example.com/ a", "escaped"),
            ("https://example.com\\@10.0.0.1/", "escaped"),
            ("https://exämple.com/", "escaped"),
            ("https://example.com:0/", "port"),
            ("https://example.com:65536/", ""),
            ("https://example.com:+80/", ""),
            ("https://example.com:/", "port"),
            ("https://example.com./", "host"),
            ("https://.example.com/", "host"),
            ("https://a..b/", "host"),
            ("https://%31%32%37.0.0.1/", ""),
            ("https://2130706433/", "four decimal"),
            ("https://0x7f000001/", "four decimal"),
            ("https://0x7f.1/", "four decimal"),
            ("https://127.1/", "four decimal"),
            ("https://127.0.1/", "four decimal"),
            ("https://0177.0.0.1/", "four decimal"),
            ("https://017700000001/", "four decimal"),
            ("https://127.0.0.01/", "four decimal"),
            ("https://127.0.0.256/", "four decimal"),
            ("https://1.2.3.4.5/", "four decimal"),
            ("https://0x/", "four decimal"),
            ("https://[::1/", ""),
            ("https://[fe80::1%25eth0]/", ""),
            ("https://[::127.0.0.1.1]/", ""),
            (long.as_str(), "2,048"),
        ];
        for (url, part) in cases {
            let error = Target::new(url).expect_err(url);
            assert!(error.contains(part), "{url}: {error}");
        }
    }
}
