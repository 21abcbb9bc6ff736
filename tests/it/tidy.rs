//! House rules that the compiler cannot check, held by tests that read the sources.
//!
//! Circular dependencies between files are left to `tidy_circles`, and behavior to the other tests.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The rows of the crate, from the bottom up. A module uses only rows below its own.
const ROWS: &[(&str, u8)] = &[
    ("error", 0),
    ("limits", 0),
    ("schema_macros", 0),
    ("spreadsheet", 0),
    ("hex", 0),
    ("suggestion", 0),
    ("cron", 1),
    ("json", 1),
    ("model", 1),
    ("clock", 2),
    ("compute", 2),
    ("graph", 2),
    ("metrics", 2),
    ("secret", 2),
    ("template", 2),
    ("executor", 3),
    ("loops", 3),
    ("notifier", 3),
    ("storage", 3),
    ("events", 4),
    ("hooks", 4),
    ("lineage", 4),
    ("nodes", 4),
    ("outage", 4),
    ("delivery", 5),
    ("engine", 5),
    ("views", 5),
    ("scheduler", 6),
    ("api", 7),
    ("console", 8),
    ("floret", 9),
    ("builder", 10),
    ("testing", 11),
    ("guide", 12),
];

const LINES_MAX: usize = 300;
const STORAGE_METHODS_MAX: usize = 57;
const README_LINES_MAX: usize = 25;
const FORBIDDEN_MODULES: &[&str] = &[
    "util", "utils", "common", "helpers", "types", "manager", "core", "http",
];

/// A source file of the crate.
pub(crate) struct Source {
    path: PathBuf,
    /// The path of its module: `["engine", "cancel"]`.
    pub(crate) module: Vec<String>,
    text: String,
    /// The lines that are compiled into the crate, without comments and `#[cfg(test)]` modules.
    pub(crate) code: Vec<String>,
}

impl Source {
    fn read(path: PathBuf) -> Self {
        let text = std::fs::read_to_string(&path).unwrap();
        let module = module_of(path.strip_prefix(root().join("src")).unwrap());
        let code = code_of(&text);
        Self {
            path,
            module,
            text,
            code,
        }
    }

    fn name(&self) -> String {
        self.path
            .strip_prefix(root())
            .unwrap()
            .display()
            .to_string()
    }

    fn top(&self) -> &str {
        self.module.first().map_or("", String::as_str)
    }
}

/// Returns the root of the workspace, where the crate and its pages are.
pub(crate) fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns every file below a folder with one of these extensions, without build output, packages
/// of npm and hidden folders.
pub(crate) fn files(folder: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy();
        let extension = path.extension().map(|it| it.to_string_lossy());
        if path.is_dir() {
            if name != "target" && name != "node_modules" && !name.starts_with('.') {
                found.extend(files(&path, extensions));
            }
        } else if extension.is_some_and(|it| extensions.contains(&it.as_ref())) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    files(folder, &["rs"])
}

/// Returns every file that is compiled into the crate, without files that only tests include.
pub(crate) fn sources() -> Vec<Source> {
    let all: Vec<_> = rust_files(&root().join("src"))
        .into_iter()
        .map(Source::read)
        .collect();
    let tests: BTreeSet<_> = all.iter().flat_map(test_modules).collect();
    all.into_iter()
        .filter(|source| !tests.iter().any(|test| source.module.starts_with(test)))
        .collect()
}

/// Returns the modules that a file declares only for its tests.
fn test_modules(source: &Source) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut is_test = false;
    for line in source.text.lines().map(str::trim) {
        let declared = line
            .strip_suffix(';')
            .and_then(|line| line.strip_prefix("mod "));
        match declared {
            Some(name) if is_test => {
                found.push([source.module.as_slice(), &[name.to_owned()]].concat());
                is_test = false;
            }
            _ => is_test = line == "#[cfg(test)]" || (is_test && line.starts_with("#[")),
        }
    }
    found
}

fn module_of(path: &Path) -> Vec<String> {
    let mut module: Vec<_> = path
        .with_extension("")
        .components()
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    if module.last().is_some_and(|last| last == "mod") {
        module.pop();
    }
    module
}

pub(crate) fn code_of(text: &str) -> Vec<String> {
    let mut code = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let is_test = line == "#[cfg(test)]"
            && lines
                .peek()
                .is_some_and(|next| next.contains("mod ") && next.ends_with('{'));
        if is_test {
            lines.by_ref().find(|line| *line == "}");
        } else if !line.trim().is_empty() && !line.trim_start().starts_with("//") {
            code.push(line.to_owned());
        }
    }
    code
}

/// Returns the identifier at the start of a text.
fn identifier(text: &str) -> &str {
    let end = text
        .find(|character: char| !character.is_alphanumeric() && character != '_')
        .unwrap_or(text.len());
    &text[..end]
}

/// Returns the first name of each path in a group, `{a::b, c, d::{e, f}}`, or of a single path.
fn first_names(text: &str) -> Vec<&str> {
    let Some(group) = text.strip_prefix('{') else {
        return vec![identifier(text)];
    };
    let (mut depth, mut start, mut names) = (1, 0, Vec::new());
    for (index, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if (character == ',' && depth == 1) || depth == 0 {
            names.push(identifier(group[start..index].trim_start()));
            start = index + 1;
        }
        if depth == 0 {
            break;
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

/// Maps each name at the root of the crate to its module: `Run` → `model`.
fn root_names() -> BTreeMap<String, String> {
    let lib = code_of(&read("src/lib.rs")).join("\n");
    let mut names = BTreeMap::new();
    for used in lib.split("pub use ").skip(1) {
        let (statement, _) = used.split_once(';').unwrap();
        let (path, exported) = statement
            .rsplit_once("::")
            .unwrap_or((statement, statement));
        let (path, exported) = match statement.split_once('{') {
            Some((path, group)) => (path, group),
            None => (path, exported),
        };
        for name in exported.split([',', '}']).map(str::trim) {
            names.insert(name.to_owned(), identifier(path).to_owned());
        }
    }
    names
}

/// Returns the modules at the root of the crate that a file uses.
fn used_modules(source: &Source, root_names: &BTreeMap<String, String>) -> BTreeSet<String> {
    let code = source.code.join("\n");
    let mut used = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        for name in first_names(&code[at + "crate::".len()..]) {
            let module = root_names.get(name).map_or(name, String::as_str);
            used.insert(module.to_owned());
        }
    }
    // A path with one `super` per level also leads to the root.
    let up = "super::".repeat(source.module.len());
    for (at, _) in code.match_indices(&up) {
        used.extend(
            first_names(&code[at + up.len()..])
                .into_iter()
                .map(str::to_owned),
        );
    }
    used.retain(|name| !is_macro(name));
    used
}

/// Returns whether a name is a macro of the contract. Macros are exported at the root.
fn is_macro(name: &str) -> bool {
    const MACROS: [&str; 5] = [
        "storage_contract",
        "definition_contract",
        "execution_contract",
        "durable_contract",
        "handles_contract",
    ];
    MACROS.contains(&name)
}

fn row_of(module: &str) -> Option<u8> {
    ROWS.iter()
        .find(|(name, _)| *name == module)
        .map(|(_, row)| *row)
}

pub(crate) fn assert_none(problems: &[String], rule: &str) {
    assert!(problems.is_empty(), "{rule}:\n{}", problems.join("\n"));
}

#[test]
fn every_module_of_the_crate_has_a_row() {
    let found: BTreeSet<_> = sources()
        .iter()
        .map(|source| source.top().to_owned())
        .filter(|top| top != "lib")
        .collect();
    let rows: BTreeSet<_> = ROWS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(found, rows, "left: in src, right: in the table");
}

#[test]
fn a_module_uses_only_rows_below_its_own() {
    let names = root_names();
    let mut problems = Vec::new();
    for source in sources().iter().filter(|source| source.top() != "lib") {
        let own = row_of(source.top()).unwrap_or(0);
        for used in used_modules(source, &names) {
            let is_below = row_of(&used).is_some_and(|row| row < own);
            if used != source.top() && !is_below {
                problems.push(format!("{} uses {used}", source.name()));
            }
        }
    }
    assert_none(&problems, "a module uses only rows below its own");
}

#[test]
fn the_api_never_names_storage() {
    let problems: Vec<_> = sources()
        .iter()
        .filter(|source| source.top() == "api")
        .filter(|source| source.code.iter().any(|line| line.contains("storage::")))
        .map(Source::name)
        .collect();
    assert_none(&problems, "api uses engine and views, never storage");
}

/// A panic of the log's subscriber would end the run, the loop or the delivery that logs, or what
/// executes in a span.
#[test]
fn what_serves_runs_logs_through_the_contained_macros() {
    const CONTAINED: &[&str] = &[
        "compute",
        "delivery",
        "engine",
        "events",
        "loops",
        "outage",
        "scheduler",
    ];
    const BARE: [&str; 8] = [
        "tracing::error!",
        "tracing::warn!",
        "tracing::info!",
        "tracing::debug!",
        "_span!(",
        "tracing::Instrument",
        "tracing::instrument",
        "Span::current",
    ];
    let logs = |line: &String| {
        let line = line.replace("log::info_span!(", "");
        let line = line.replace("LogSpan::current", "");
        BARE.iter().any(|bare| line.contains(bare))
    };
    let problems: Vec<_> = sources()
        .iter()
        .filter(|source| CONTAINED.contains(&source.top()))
        .filter(|source| source.code.iter().any(logs))
        .map(Source::name)
        .collect();
    assert_none(&problems, "these use error/log.rs and error/span.rs");
}

#[test]
fn a_file_has_at_most_300_lines_of_code() {
    let mut problems = Vec::new();
    for source in sources() {
        let lines = source.code.len();
        if lines > LINES_MAX {
            problems.push(format!("{}: {lines}", source.name()));
        }
    }
    assert_none(&problems, "a file has at most 300 lines of code");
}

#[test]
fn a_file_of_the_console_is_short_and_says_what_it_is_for() {
    let mut problems = Vec::new();
    let folders = [root().join("console/src"), root().join("console/tests")];
    for path in folders
        .iter()
        .flat_map(|folder| files(folder, &["ts", "tsx", "mjs", "css"]))
    {
        let text = std::fs::read_to_string(&path).unwrap();
        let has_header = text.starts_with("// ") || text.starts_with("/* ");
        if !has_header || text.lines().count() > LINES_MAX {
            problems.push(path.display().to_string());
        }
    }
    assert_none(&problems, "at most 300 lines, and a comment at the start");
}

#[test]
fn every_file_starts_with_a_header() {
    let mut problems = Vec::new();
    for folder in ["src", "tests", "examples", "benches"] {
        let folder = root().join(folder);
        if !folder.exists() {
            continue;
        }
        for path in rust_files(&folder) {
            let text = std::fs::read_to_string(&path).unwrap();
            if !text.starts_with("//! ") && !text.starts_with("#![doc = include_str!") {
                problems.push(path.display().to_string());
            }
        }
    }
    assert_none(&problems, "every file starts with //!");
}

/// The macros of `tracing` that a panic of the host's subscriber passes through.
const UNCONTAINED: [&str; 6] = [
    "tracing::error!",
    "tracing::warn!",
    "tracing::info!",
    "tracing::debug!",
    "tracing::trace!",
    "tracing::event!",
];

#[test]
fn every_line_of_the_log_is_contained() {
    // These files contain the others' lines.
    const CONTAIN: [&str; 2] = ["src/error/log.rs", "src/error/panic.rs"];
    let mut problems = Vec::new();
    for path in rust_files(&root().join("src")) {
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        let code = code_of(&std::fs::read_to_string(&path).unwrap()).join("\n");
        let uses_one = UNCONTAINED.iter().any(|own| code.contains(own));
        if uses_one && !CONTAIN.contains(&name.as_str()) {
            problems.push(name);
        }
    }
    assert_none(
        &problems,
        "the macros of crate::error::log write to the log",
    );
}

/// Crates whose types must not appear in a public signature, so that their upgrades break no host.
const INNER_CRATES: &[&str] = &[
    "arrow_array",
    "arrow_buffer",
    "arrow_ipc",
    "arrow_schema",
    "arrow_select",
    "cap_std",
    "csv",
    "matchit",
    "parking_lot",
    "rusqlite",
    "rustix",
];

/// Returns the types that a file imports from [`INNER_CRATES`], by their names in the file.
fn inner_types(source: &Source) -> BTreeSet<String> {
    let code = source.code.join(" ");
    let imports = code.split("use ").skip(1);
    imports
        .filter_map(|rest| rest.split(';').next())
        .filter(|path| INNER_CRATES.contains(&identifier(path)))
        .flat_map(|path| path.split(['{', '}', ',']))
        .filter_map(|path| path.rsplit([':', ' ']).next())
        .filter(|name| name.starts_with(char::is_uppercase))
        .map(str::to_owned)
        .collect()
}

/// Returns the part of a line that is visible outside the crate.
fn visible(line: &str) -> &str {
    let line = line.trim();
    let conversion = || {
        line.split_once("From<")
            .filter(|(_, rest)| rest.contains("> for Error "))
    };
    match conversion() {
        Some((_, from)) => from.split('>').next().unwrap_or(""),
        None if !line.starts_with("pub ") => "",
        // A field without `pub` is private.
        None if line.starts_with("pub struct") && !line.contains("(pub ") => {
            line.split('(').next().unwrap_or("")
        }
        None => line,
    }
}

#[test]
fn no_public_signature_names_a_type_of_an_inner_crate() {
    let mut problems = Vec::new();
    for source in sources() {
        let types = inner_types(&source);
        for line in &source.code {
            let mut words = visible(line)
                .split(|character: char| !character.is_alphanumeric() && character != '_');
            if words.any(|word| types.contains(word) || INNER_CRATES.contains(&word)) {
                problems.push(format!("{}: {line}", source.name()));
            }
        }
    }
    assert_none(&problems, "these signatures expose types of inner crates");
}

#[test]
fn names_at_the_root_are_exported_one_by_one() {
    let problems: Vec<_> = sources()
        .iter()
        .filter(|source| {
            let code = source.code.join(" ");
            code.split("pub use ").skip(1).any(|used| {
                used.split(';')
                    .next()
                    .is_some_and(|path| path.contains('*'))
            })
        })
        .map(Source::name)
        .collect();
    assert_none(&problems, "no `pub use …::*`");
}

#[test]
fn no_module_has_a_meaningless_name() {
    let problems: Vec<_> = sources()
        .iter()
        .filter(|source| {
            let mut parts = source.module.iter();
            parts.any(|part| FORBIDDEN_MODULES.contains(&part.as_str()))
        })
        .map(Source::name)
        .collect();
    assert_none(&problems, "these modules have meaningless names");
}

#[test]
fn the_storage_traits_have_at_most_57_methods_and_no_default_methods() {
    let (mut methods, mut defaults) = (0, Vec::new());
    for source in sources() {
        if source.module.len() > 2 || source.top() != "storage" {
            continue;
        }
        let code = source.code.join("\n");
        for body in code.split("pub trait ").skip(1) {
            let (body, _) = body.split_once("\n}").unwrap();
            methods += body.matches("fn ").count();
            if body.matches('{').count() > 1 {
                defaults.push(source.name());
            }
        }
    }
    assert_none(&defaults, "a backend implements every method itself");
    assert!(methods > 0, "no storage trait was found");
    assert!(methods <= STORAGE_METHODS_MAX, "{methods} methods");
}

/// Returns the cases of a contract file: `pub async fn a_missing_run_is_not_found(`.
fn cases_in(text: &str) -> BTreeSet<String> {
    text.lines()
        .filter_map(|line| line.strip_prefix("pub async fn "))
        .map(|rest| identifier(rest).to_owned())
        .collect()
}

/// Returns the cases that a macro lists for a subject, `runs: [a, b]`, or for its only subject,
/// `$durable, [a, b]`.
fn cases_listed(macros: &str, subject: &str) -> BTreeSet<String> {
    let lists = [format!(" {subject}: ["), format!(" ${subject}, [")];
    let found = lists
        .iter()
        .flat_map(|list| macros.split(list.as_str()).skip(1));
    found
        .filter_map(|rest| rest.split_once(']'))
        .flat_map(|(cases, _)| cases.split(','))
        .map(|case| case.trim().to_owned())
        .filter(|case| !case.is_empty() && !case.starts_with('$'))
        .collect()
}

#[test]
fn the_contract_macros_list_every_case() {
    let folder = root().join("src/testing/contract");
    let macros = [
        "mod",
        "definitions",
        "execution",
        "durable_backend",
        "handles",
    ]
    .map(|file| read(&format!("src/testing/contract/{file}.rs")));
    let macros = code_of(&macros.join("\n")).join("\n");
    let mut count = 0;
    for path in rust_files(&folder) {
        let subject = path.file_stem().unwrap().to_string_lossy().into_owned();
        let cases = cases_in(&std::fs::read_to_string(&path).unwrap());
        count += cases.len();
        if !["mod", "definitions", "execution"].contains(&subject.as_str()) {
            assert_eq!(
                cases_listed(&macros, &subject),
                cases,
                "{subject}: left: in the macro, right: functions"
            );
        }
    }
    assert!(count > 0, "the contract has no case");
}

/// Returns the texts between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .flat_map(|line| line.split('`').skip(1).step_by(2))
}

fn is_path(text: &str) -> bool {
    const ROOTS: &[&str] = &[
        "src/",
        "tests/",
        "examples/",
        "benches/",
        "console/",
        "docs/",
        "fuzz/",
        ".ci/",
        ".github/",
    ];
    const FILES: &[&str] = &[
        "Cargo.toml",
        "Cargo.lock",
        "clippy.toml",
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
    ];
    ROOTS.iter().any(|root| text.starts_with(root)) || FILES.contains(&text)
}

/// The Markdown pages that name files.
const PAGES: &[&str] = &[
    "ARCHITECTURE.md",
    "README.md",
    "docs/api.md",
    "docs/crate.md",
    "docs/guides/console.md",
    "docs/guides/embedding.md",
    "docs/guides/executors.md",
    "docs/guides/operating.md",
    "docs/guides/parameters.md",
    "docs/guides/recipes.md",
    "docs/guides/storage.md",
    "docs/guides/tenants.md",
    "examples/README.md",
    "examples/standalone/README.md",
    "fuzz/README.md",
    "tests/clients/README.md",
];

#[test]
fn every_path_in_the_pages_exists() {
    let mut problems = Vec::new();
    for page in PAGES {
        let text = read(page);
        let missing = quoted(&text).filter(|text| is_path(text) && !root().join(text).exists());
        problems.extend(missing.map(|path| format!("{page}: {path}")));
    }
    assert_none(&problems, "these paths do not exist");
}

#[test]
fn the_architecture_names_every_module() {
    let map = read("ARCHITECTURE.md");
    let named: BTreeSet<_> = quoted(&map).collect();
    let problems: Vec<_> = ROWS
        .iter()
        .filter(|(module, _)| {
            let (file, folder) = (format!("src/{module}.rs"), format!("src/{module}/"));
            !named.contains(file.as_str()) && !named.contains(folder.as_str())
        })
        .map(|(module, _)| (*module).to_owned())
        .collect();
    assert_none(&problems, "ARCHITECTURE.md does not name these modules");
}

/// Returns the names of the dependencies of the crate.
fn dependencies() -> Vec<String> {
    let manifest = read("Cargo.toml");
    let (_, rest) = manifest.split_once("[dependencies]\n").unwrap();
    let (dependencies, _) = rest.split_once("\n[").unwrap();
    let names = dependencies
        .lines()
        .filter_map(|line| line.split_once(" = "));
    names.map(|(name, _)| name.trim().to_owned()).collect()
}

#[test]
fn the_architecture_gives_a_reason_for_every_dependency() {
    let map = read("ARCHITECTURE.md");
    let named: BTreeSet<_> = quoted(&map).collect();
    let mut problems = dependencies();
    problems.retain(|name| !named.contains(name.as_str()));
    assert_none(
        &problems,
        "ARCHITECTURE.md gives no reason for these dependencies",
    );
}

#[test]
fn every_dependency_is_used() {
    let code: Vec<_> = sources()
        .into_iter()
        .flat_map(|source| source.code)
        .collect();
    let code = code.join("\n");
    let mut problems = dependencies();
    problems.retain(|name| !code.contains(&format!("{}::", name.replace('-', "_"))));
    assert_none(&problems, "no source uses these dependencies");
}

#[test]
fn unsafe_code_is_forbidden() {
    let manifest = read("Cargo.toml");
    let (_, lints) = manifest.split_once("[workspace.lints.rust]").unwrap();
    assert!(lints.contains("unsafe_code = \"forbid\""));
}

/// A package in a workspace of its own cannot take them.
#[test]
fn every_package_takes_the_lints_of_the_workspace() {
    let manifests = files(root(), &["toml"]);
    let members = manifests.iter().filter(|path| path.ends_with("Cargo.toml"));
    let mut problems = Vec::new();
    let mut count = 0;
    for path in members {
        let manifest = std::fs::read_to_string(path).unwrap();
        let is_alone = path.ancestors().any(has_workspace_of_its_own);
        count += usize::from(!is_alone);
        if !is_alone && !manifest.contains("\n[lints]\nworkspace = true\n") {
            problems.push(path.display().to_string());
        }
    }
    assert!(count > 3, "{count} packages");
    assert_none(&problems, "these packages have no lints");
}

/// Returns whether a folder has the manifest of a workspace other than that of Floret.
fn has_workspace_of_its_own(folder: &Path) -> bool {
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
    manifest.contains("\n[workspace]\n") && !manifest.contains("\nmembers = ")
}

/// Returns the first block of this language in the README.
fn first_block(language: &str) -> String {
    let readme = read("README.md");
    let (_, rest) = readme.split_once(&format!("```{language}")).unwrap();
    let (_, rest) = rest.split_once('\n').unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

/// The doctests of the README check that the program compiles.
#[test]
fn the_first_run_takes_at_most_25_lines_of_code() {
    let (program, crates) = (first_block("rust"), first_block("toml"));
    let whole = format!("{program}{crates}");
    let lines = whole.lines().filter(|line| !line.trim().is_empty()).count();
    assert!(lines <= README_LINES_MAX, "{lines} lines");
    for part in ["fn main", "Floret::open", "floret.service(", "serve("] {
        assert!(program.contains(part), "the program has no {part}");
    }
}

#[test]
fn the_readme_gives_two_commands_to_set_up() {
    let block = first_block("sh");
    let commands: Vec<_> = block.lines().collect();
    assert_eq!(commands, ["cargo run --example quickstart", "cargo test"]);
    assert_eq!(
        read("README.md").matches("```sh").count(),
        1,
        "no other commands"
    );
}
