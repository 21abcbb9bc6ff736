//! Circular dependencies: the files of the crate do not use one another in a circle.
//!
//! Imports are read as text. `tidy` checks which module may use which.

use std::collections::{BTreeMap, BTreeSet};

use crate::tidy::{Source, assert_none, code_of, sources};

type Path = Vec<String>;

/// An import: its name in the file, and its path.
type Import = (String, Path);

/// The imports of a file, and the paths that it uses.
#[derive(Default)]
struct File {
    imports: BTreeMap<String, Path>,
    used: Vec<Path>,
}

/// The files of a crate, by the path of their module.
type Files = BTreeMap<Path, File>;

fn path(text: &str) -> Path {
    text.split("::")
        .map(|part| part.trim().to_owned())
        .collect()
}

/// Returns the imports of a tree: `super::{a::B, c as d}` is `super::a::B` as `B` and `super::c` as
/// `d`.
fn imports(tree: &str) -> Vec<Import> {
    let Some((prefix, group)) = tree.split_once('{') else {
        let (full, alias) = tree.split_once(" as ").unwrap_or((tree, ""));
        let full = path(full.trim().trim_end_matches("::self"));
        let name = match alias {
            "" => full.last().cloned().unwrap_or_default(),
            alias => alias.to_owned(),
        };
        return vec![(name, full)];
    };
    let (mut depth, mut start, mut found) = (1, 0, Vec::new());
    for (index, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if (character == ',' && depth == 1) || depth == 0 {
            let part = group[start..index].trim();
            if !part.is_empty() {
                found.extend(imports(&format!("{}{part}", prefix.trim())));
            }
            start = index + 1;
        }
        if depth == 0 {
            break;
        }
    }
    found
}

/// Parses a file. A name that the file only re-exports is an import, but the file does not use it.
fn parse_file(code: &str) -> File {
    let mut file = File::default();
    let mut rest = String::new();
    for statement in code.split_inclusive(';') {
        let start = statement.rfind("use ").filter(|start| {
            let before = statement[..*start].chars().last();
            statement.ends_with(';') && before.is_none_or(char::is_whitespace)
        });
        let Some(start) = start else {
            rest.push_str(statement);
            continue;
        };
        rest.push_str(&statement[..start]);
        let line = statement[..start].lines().last().unwrap_or("");
        let found = imports(statement[start + "use ".len()..].trim_end_matches(';'));
        if !line.trim_start().starts_with("pub") {
            file.used.extend(found.iter().map(|(_, path)| path.clone()));
        }
        file.imports.extend(found);
    }
    let words =
        rest.split(|character: char| !character.is_alphanumeric() && !"_:".contains(character));
    let full = words.filter(|word| word.starts_with("crate::") || word.starts_with("super::"));
    file.used.extend(full.map(path));
    file
}

fn parse_files(sources: &[Source]) -> Files {
    let module = |source: &Source| {
        let parts = source.module.iter().filter(|part| *part != "lib");
        parts.cloned().collect()
    };
    let files = sources.iter();
    files
        .map(|source| (module(source), parse_file(&source.code.join("\n"))))
        .collect()
}

/// Returns the file that defines what a path names, as seen from a file. Returns `None` for a path
/// of another crate.
fn resolve(files: &Files, from: &Path, path: &[String]) -> Option<Path> {
    let mut at = from.clone();
    let mut rest = path;
    let child = |at: &Path, name: &String| [at.as_slice(), std::slice::from_ref(name)].concat();
    match rest.first()?.as_str() {
        "crate" => (at, rest) = (Path::new(), &rest[1..]),
        "self" => rest = &rest[1..],
        "super" => {
            while rest.first().is_some_and(|part| part == "super") {
                at.pop();
                rest = &rest[1..];
            }
        }
        _ if files.contains_key(&child(&at, &rest[0])) => {}
        _ => return None,
    }
    while let Some((name, after)) = rest.split_first() {
        if files.contains_key(&child(&at, name)) {
            (at, rest) = (child(&at, name), after);
            continue;
        }
        let import = files.get(&at).and_then(|file| file.imports.get(name));
        return match import.filter(|_| at != *from) {
            Some(import) => resolve(files, &at, import),
            None => Some(at),
        };
    }
    Some(at)
}

/// Returns the files that each file uses. The `mod.rs` files of its own folders do not count.
fn uses(files: &Files) -> BTreeMap<&Path, BTreeSet<Path>> {
    let used = |module: &Path, file: &File| {
        let used = file.used.iter();
        used.filter_map(|path| resolve(files, module, path))
            .filter(|used| !module.starts_with(used) && files.contains_key(used))
            .collect()
    };
    files
        .iter()
        .map(|(module, file)| (module, used(module, file)))
        .collect()
}

/// Returns the files that are in a circle or between two circles.
fn circles(files: &Files) -> Vec<String> {
    let mut remaining = uses(files);
    loop {
        let all: BTreeSet<_> = remaining.values().flatten().cloned().collect();
        let keys: BTreeSet<_> = remaining.keys().map(|module| (*module).clone()).collect();
        let count = remaining.len();
        remaining.retain(|module, used| all.contains(*module) && !used.is_disjoint(&keys));
        if remaining.len() == count {
            return remaining.keys().map(|module| module.join("::")).collect();
        }
    }
}

#[test]
fn no_files_use_one_another_in_a_circle() {
    assert_none(
        &circles(&parse_files(&sources())),
        "these files use one another in a circle",
    );
}

/// Parses a crate of these modules.
fn parse_crate(files: &[(&str, &str)]) -> Files {
    let read = |(module, text): &(&str, &str)| {
        let parts = module.split("::").filter(|part| !part.is_empty());
        let module = parts.map(str::to_owned).collect();
        (module, parse_file(&code_of(text).join("\n")))
    };
    files.iter().map(read).collect()
}

#[test]
fn a_circle_is_found_through_groups_and_exports_and_full_paths() {
    let root = ("", "mod a;\npub use a::x::X;");
    let folder = ("a", "mod x;\nmod y;\nmod z;\npub(crate) use self::x::X;");
    let tables = ("a::z", "use std::fmt;\npub struct Z;");
    let through_group = parse_crate(&[
        root,
        folder,
        tables,
        ("a::x", "use crate::a::{\n    y::{self, Y},\n    z::Z,\n};"),
        ("a::y", "fn of(x: crate::X) {}"),
    ]);
    assert_eq!(circles(&through_group), ["a::x", "a::y"]);
    let one_way = parse_crate(&[
        root,
        folder,
        tables,
        ("a::x", "// use super::y::Y;\nuse super::z::Z as Row;"),
        ("a::y", "use crate::a::X;\nuse super::z;"),
    ]);
    assert_eq!(circles(&one_way), Vec::<String>::new());
}
