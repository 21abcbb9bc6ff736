//! The limits that the pages name are the defaults of `Limits`.

use std::time::Duration;

use floret::Limits;

use crate::tidy::root;

/// Returns a number as the pages write it, with a comma before each three digits.
fn number(number: impl TryInto<u64>) -> String {
    let digits = number.try_into().ok().unwrap().to_string();
    let mut text = String::new();
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns a size in the largest unit that divides it.
fn size(bytes: impl TryInto<u64>) -> String {
    let bytes = bytes.try_into().ok().unwrap();
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let (unit, name) = units
        .into_iter()
        .find(|(unit, _)| bytes % unit == 0)
        .unwrap_or((1, "bytes"));
    format!("{} {name}", number(bytes / unit))
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs())
}

fn page(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// Compares the second column of the table under a heading with the start of what is expected.
fn check_table(path: &str, heading: &str, expected: &[String]) {
    let page = page(path);
    let (_, section) = page.split_once(heading).unwrap();
    let rows = section
        .lines()
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'))
        .skip(2);
    let cells: Vec<_> = rows
        .map(|row| row.split('|').nth(2).unwrap().trim())
        .collect();
    assert_eq!(cells.len(), expected.len(), "{path}: {cells:?}");
    for (cell, expected) in cells.iter().zip(expected) {
        let rest = cell.strip_prefix(expected.as_str());
        let is_whole = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([';', ',']));
        assert!(is_whole, "{path}: {cell:?} is not {expected:?}");
    }
}

/// Returns the version that a manifest asks for of a dependency.
fn version(manifest: &str, name: &str) -> String {
    let manifest = page(manifest);
    let mut lines = manifest.lines();
    let line = lines.find(|line| line.starts_with(&format!("{name} = ")));
    let (_, rest) = line.unwrap().split_once("version = \"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

#[test]
fn the_readme_names_the_sql_crates_that_the_manifests_ask_for() {
    let range = version("Cargo.toml", "rusqlite");
    let range = range.strip_prefix(">=0.").unwrap();
    let (first, below) = range.split_once(", <0.").unwrap();
    let last = below.parse::<u64>().unwrap() - 1;
    let readme = page("README.md");
    let sqlx = version("tests/hosts/sqlx/Cargo.toml", "sqlx");
    for row in [
        format!("| `rusqlite` | 0.{first} to 0.{last} |"),
        format!("| `sqlx` | {sqlx} |"),
    ] {
        assert!(readme.contains(&row), "{row}");
    }
}

#[test]
fn the_readme_gives_the_default_limits() {
    let limits = Limits::default();
    let dataset = limits.dataset;
    let pair = |one: String, other: String| format!("{one}, {other}");
    let expected = [
        number(limits.runs_max),
        pair(
            number(limits.nodes_engine_max),
            number(limits.nodes_run_max),
        ),
        pair(
            number(limits.queued_pipeline_max),
            number(limits.queued_max),
        ),
        pair(number(limits.nodes_max), number(limits.edges_max)),
        format!(
            "{}, {} tags of {} bytes, {} variables a node",
            size(limits.definition_bytes_max),
            number(limits.tags_max),
            number(limits.tag_bytes_max),
            number(limits.variables_max)
        ),
        format!(
            "{}, {} in total",
            number(limits.params_max),
            size(limits.params_bytes_max)
        ),
        format!(
            "{}, {} columns, {} a cell",
            size(dataset.bytes_max),
            number(dataset.columns_max),
            size(dataset.cell_bytes_max)
        ),
        size(limits.datasets_bytes_max),
        size(limits.output_bytes_max),
        format!(
            "{}, {}, {}",
            size(limits.preview_bytes_max),
            size(limits.profile_bytes_max),
            size(limits.dry_run_bytes_max)
        ),
        format!(
            "{} lines, {}",
            number(limits.attempt_log_lines_max),
            size(limits.attempt_log_bytes_max)
        ),
        size(limits.result_bytes_max),
        size(limits.page_bytes_max),
        format!(
            "{}, within {}",
            size(limits.body_bytes_max),
            seconds(limits.body_timeout)
        ),
        format!("the newest {}", number(limits.memory_runs_max)),
    ];
    check_table("README.md", "### Limits", &expected);
}

#[test]
fn the_guide_for_operators_gives_the_default_limits() {
    let limits = Limits::default();
    let dataset = limits.dataset;
    let expected = [
        number(limits.runs_max),
        format!(
            "{}, {}",
            number(limits.nodes_engine_max),
            number(limits.nodes_run_max)
        ),
        format!(
            "{}, {}",
            number(limits.queued_pipeline_max),
            number(limits.queued_max)
        ),
        format!(
            "{}, {}, {}",
            size(dataset.bytes_max),
            number(dataset.columns_max),
            size(dataset.cell_bytes_max)
        ),
        size(limits.datasets_bytes_max),
        size(limits.output_bytes_max),
        size(limits.finished_runs_bytes_max),
    ];
    check_table("docs/guides/operating.md", "# Limits", &expected);
}

#[test]
fn the_api_page_names_the_default_limits() {
    let limits = Limits::default();
    let page = page("docs/api.md").replace('\n', " ");
    let preview = size(limits.preview_bytes_max);
    for phrase in [
        format!(
            "A list or a log of more than {} ends early",
            size(limits.page_bytes_max)
        ),
        format!("has more than {}; ask", size(limits.page_bytes_max)),
        format!(
            "the first {} rows of a node's output, in at most {preview}",
            limits.preview_rows_max
        ),
        format!(
            "describes the columns, in at most {}.",
            size(limits.profile_bytes_max)
        ),
        format!("The answer has at most {};", size(limits.dry_run_bytes_max)),
        format!(
            "more than {} nodes or {} edges",
            number(limits.nodes_max),
            number(limits.edges_max)
        ),
        format!(
            "more than {}, more than {} tags, a tag of more than {} bytes, more than {} dependencies, or a config that names more than {} variables",
            size(limits.definition_bytes_max),
            number(limits.tags_max),
            number(limits.tag_bytes_max),
            number(limits.dependencies_max),
            number(limits.variables_max)
        ),
        format!("its upstreams: at most {}", number(limits.dependencies_max)),
        format!(
            "more than {} or have more than {}",
            number(limits.params_max),
            size(limits.params_bytes_max)
        ),
    ] {
        assert!(page.contains(&phrase), "docs/api.md lacks {phrase:?}");
    }
}
