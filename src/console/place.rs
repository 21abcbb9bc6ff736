//! What the console serves at a path. Pure.

/// The most slashes of a page's path: no page of the console is so deep.
const DEPTH_MAX: usize = 16;

/// What is served at a path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place<'a> {
    /// The Runs API.
    Api,
    /// The file of this name.
    Asset(&'a str),
    /// The mount itself. A host may have removed the slash at its end.
    Root,
    /// The page, so many folders below the mount.
    Page { depth: usize },
    /// Nothing.
    Nothing,
}

impl<'a> Place<'a> {
    /// Returns the place of a path, below the prefix or without it.
    pub(super) fn of(prefix: &str, path: &'a str) -> Self {
        let path = below(prefix, path);
        let depth = path.matches('/').count().saturating_sub(1);
        match path.trim_start_matches('/').split_once('/') {
            _ if matches!(path, "" | "/") => Self::Root,
            Some(("api", _)) => Self::Api,
            None if path == "/api" => Self::Api,
            Some(("assets", name)) => Self::Asset(name),
            None if path == "/assets" => Self::Nothing,
            Some(_) | None if depth > DEPTH_MAX => Self::Nothing,
            Some(_) | None => Self::Page { depth },
        }
    }
}

/// Returns the path below the prefix, or the path itself if the host has removed the prefix.
fn below<'a>(prefix: &str, path: &'a str) -> &'a str {
    match path.strip_prefix(prefix) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => rest,
        Some(_) | None => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_the_api_a_file_or_the_page() {
        for (path, expected) in [
            ("", Place::Root),
            ("/", Place::Root),
            ("/api", Place::Api),
            ("/api/", Place::Api),
            ("/api/runs/1", Place::Api),
            ("/apiary", Place::Page { depth: 0 }),
            ("/assets", Place::Nothing),
            ("/assets/", Place::Asset("")),
            ("/assets/app-1.js", Place::Asset("app-1.js")),
            ("/assets/a/b", Place::Asset("a/b")),
            ("/overview", Place::Page { depth: 0 }),
            ("/runs/", Place::Page { depth: 1 }),
            ("/runs/1", Place::Page { depth: 1 }),
            ("/pipelines/api/runs", Place::Page { depth: 2 }),
        ] {
            assert_eq!(Place::of("", path), expected, "{path}");
        }
        let deep = "/a".repeat(DEPTH_MAX + 2);
        assert_eq!(Place::of("", &deep), Place::Nothing);
    }

    #[test]
    fn a_prefix_is_removed_unless_the_host_has_removed_it() {
        for (path, expected) in [
            ("/ops/flows", Place::Root),
            ("/ops/flows/", Place::Root),
            ("/", Place::Root),
            ("/ops/flows/api/runs", Place::Api),
            ("/api/runs", Place::Api),
            ("/ops/flows/runs/1", Place::Page { depth: 1 }),
            ("/runs/1", Place::Page { depth: 1 }),
            ("/ops/flowsy", Place::Page { depth: 1 }),
        ] {
            assert_eq!(Place::of("/ops/flows", path), expected, "{path}");
        }
    }
}
