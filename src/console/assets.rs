//! The files of the page, as the build in `console/` has made them.
//!
//! `console/dist/assets.rs` is written by that build, and lists them.

/// A file of the page. Its name has a hash of its content, so that a name never gets another one.
pub(super) struct Asset {
    pub(super) name: &'static str,
    pub(super) content_type: &'static str,
    pub(super) plain: &'static [u8],
    pub(super) gzip: &'static [u8],
}

include!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/console/dist/assets.rs"
));

/// Returns the file of this name.
pub(super) fn find(name: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::page::TEMPLATE;

    /// What a browser loads before it can show anything, compressed.
    const FIRST_BYTES_MAX: usize = 45 * 1024;
    const ALL_BYTES_MAX: usize = 100 * 1024;

    fn gzip_bytes(assets: impl Iterator<Item = &'static Asset>) -> usize {
        assets.map(|asset| asset.gzip.len()).sum()
    }

    #[test]
    fn the_page_is_small() {
        let is_first = |asset: &&Asset| TEMPLATE.contains(asset.name);
        let first = ASSETS.iter().filter(is_first);
        assert!(first.clone().count() >= 2, "a script and a style");
        let first = gzip_bytes(first);
        assert!(first <= FIRST_BYTES_MAX, "{first} bytes at first");
        let all = gzip_bytes(ASSETS.iter());
        assert!(all <= ALL_BYTES_MAX, "{all} bytes in all");
    }

    #[test]
    fn every_compressed_file_is_that_file() {
        for asset in ASSETS {
            // RFC 1952: the magic number and the method, and the length of the content at the end.
            assert_eq!(asset.gzip[..3], [0x1f, 0x8b, 8], "{}", asset.name);
            let length = asset
                .gzip
                .last_chunk()
                .map(|bytes| u32::from_le_bytes(*bytes));
            assert_eq!(
                length,
                u32::try_from(asset.plain.len()).ok(),
                "{}",
                asset.name
            );
        }
    }

    #[test]
    fn a_file_is_found_by_its_whole_name() {
        for asset in ASSETS {
            assert_eq!(find(asset.name).map(|found| found.plain), Some(asset.plain));
        }
        assert!(find("").is_none());
        assert!(find("../index.html").is_none());
    }
}
