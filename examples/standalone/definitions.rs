//! Reads pipelines from files and reports each problem with its file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use floret::{Error, Issue, IssueLocation, Pipeline};

use crate::failure::Failure;

/// The definitions of a folder by their ids.
#[derive(Debug, Default)]
pub(crate) struct Definitions(BTreeMap<String, (PathBuf, Pipeline)>);

impl Definitions {
    /// Reads every `*.json` file of a folder in the order of the names. No folder means no
    /// definitions.
    pub(crate) fn read(folder: Option<&Path>) -> Result<Self, Failure> {
        let mut found = Self::default();
        let Some(folder) = folder else {
            return Ok(found);
        };
        for file in json_files(folder)? {
            let pipeline = read_one(&file)?;
            if let Some((other, _)) = found.0.get(&pipeline.id) {
                return Err(Failure::new(format!(
                    "{} and {} both have the id {:?}",
                    other.display(),
                    file.display(),
                    pipeline.id
                )));
            }
            found.0.insert(pipeline.id.clone(), (file, pipeline));
        }
        Ok(found)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Pipeline> {
        self.0.values().map(|(_, pipeline)| pipeline)
    }

    /// Returns a failure that names the file whose definition Floret refused.
    pub(crate) fn failure(&self, error: Error) -> Failure {
        let text = error.to_string();
        let file = self.0.iter().find_map(|(id, (file, _))| {
            let prefix = format!("pipeline {id}: ");
            text.starts_with(&prefix).then_some(file)
        });
        match file {
            Some(file) => Failure::new(format!("{}: {}", file.display(), all_of(&error))),
            None => Failure::of("cannot start", error),
        }
    }
}

fn json_files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = |error| Failure::of(format!("--pipelines {}", folder.display()), error);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read_one(file: &Path) -> Result<Pipeline, Failure> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::of(file.display().to_string(), error))?;
    Pipeline::from_json(&text)
        .map_err(|error| Failure::new(format!("{}: {}", file.display(), all_of(&error))))
}

/// Lists every problem with its position, up to a readable number.
pub(crate) fn all_of(error: &Error) -> String {
    const SHOWN_MAX: usize = 20;
    let issues: Vec<_> = error.issues().iter().take(SHOWN_MAX).map(shown).collect();
    if issues.is_empty() {
        return error.to_string();
    }
    issues.join("; ")
}

fn shown(issue: &Issue) -> String {
    match &issue.location {
        IssueLocation::Pointer(pointer) if !pointer.is_empty() => {
            format!("at {pointer}: {}", issue.detail)
        }
        _ => issue.detail.clone(),
    }
}
