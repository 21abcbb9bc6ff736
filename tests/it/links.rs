//! Follows the links and pictures of the pages to their files.
//!
//! rustdoc checks the links to items. Links to other sites are left to people.

use std::path::Path;

use crate::tidy::{assert_none, files, root};

/// Returns the files that a page links to, as the page names them.
fn targets(page: &str) -> impl Iterator<Item = &str> {
    let links = page.split("](").skip(1);
    links
        .filter_map(|rest| rest.split(')').next())
        .filter(|target| !target.contains("::") && !target.contains("://"))
        .filter_map(|target| target.split('#').next())
        .filter(|file| !file.is_empty())
}

/// Returns the links of a page that lead to no file.
fn dead(path: &Path) -> Vec<String> {
    let page = std::fs::read_to_string(path).unwrap();
    let folder = path.parent().unwrap();
    targets(&page)
        .filter(|target| !folder.join(target).exists())
        .map(|target| format!("{}: {target}", path.display()))
        .collect()
}

#[test]
fn every_link_of_a_page_leads_to_a_file() {
    let pages = files(root(), &["md"]);
    let dead: Vec<_> = pages.iter().flat_map(|page| dead(page)).collect();
    assert_none(&dead, "these links lead to no file");
}

#[test]
fn links_and_pictures_are_found_in_a_page() {
    let page = "[a](b.md), ![c](d/e.svg) and [f](../g.md#h); not [i](https://j.example/k),\n\
        [l](crate::M), [n](#o) or [p]";
    let found: Vec<_> = targets(page).collect();
    assert_eq!(found, ["b.md", "d/e.svg", "../g.md"]);
}
