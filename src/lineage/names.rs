//! The displayed name of an asset, without credentials.
//!
//! Executors and `sql` name the assets.

/// Removes from an asset's name what may grant access to it: the userinfo, the query and the
/// fragment of a URL (RFC 3986, section 3), and the same parts of any URL inside its path.
pub(super) fn redact_asset_name(given: &str) -> String {
    if !given.contains("://") {
        return given.to_owned();
    }
    let mut name = String::with_capacity(given.len());
    let mut rest = given.split(['?', '#']).next().unwrap_or_default();
    while let Some((scheme, after)) = rest.split_once("://") {
        name.push_str(scheme);
        name.push_str("://");
        let (authority, path) = after.split_at(after.find('/').unwrap_or(after.len()));
        rest = match path.rfind('@') {
            // A password with a slash in it: everything up to the last `@` is userinfo.
            Some(at) if !has_plain_port(authority) => &path[at + 1..],
            Some(_) | None => &after[authority.rfind('@').map_or(0, |at| at + 1)..],
        };
    }
    name.push_str(rest);
    name
}

/// Returns whether the text after the first colon of an authority, if any, can be a port.
fn has_plain_port(authority: &str) -> bool {
    let host = authority.rsplit('@').next().unwrap_or_default();
    host.split_once(':').is_none_or(|(_, port)| {
        port.bytes().all(|byte| byte.is_ascii_digit()) || host.starts_with('[')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_cut_from_addresses() {
        for (given, expected) in [
            ("public.orders", "public.orders"),
            ("out/day=1/orders?.csv", "out/day=1/orders?.csv"),
            (
                "https://api.example.com/v1/users",
                "https://api.example.com/v1/users",
            ),
            (
                "https://ann:s3cret@api.example.com/v1",
                "https://api.example.com/v1",
            ),
            ("https://s3cret@api.example.com", "https://api.example.com"),
            (
                "https://api.example.com/v1?key=s3cret#s3cret",
                "https://api.example.com/v1",
            ),
            (
                "https://api.example.com?key=s3cret",
                "https://api.example.com",
            ),
            ("postgres://u:p@ss@db:5432/shop", "postgres://db:5432/shop"),
            ("postgres://u:s3/cret@db/shop", "postgres://db/shop"),
            ("s3://bucket/path@v2/x", "s3://bucket/path@v2/x"),
            (
                "https://example.com:8080/@scope/pkg",
                "https://example.com:8080/@scope/pkg",
            ),
            ("http://[::1]:80/@scope", "http://[::1]:80/@scope"),
            (
                "https://proxy/https://u:s3cret@host/x",
                "https://proxy/https://host/x",
            ),
            ("https://", "https://"),
        ] {
            assert_eq!(redact_asset_name(given), expected, "{given}");
        }
    }
}
