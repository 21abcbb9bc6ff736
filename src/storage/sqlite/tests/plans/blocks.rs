//! Texts and plans as blocks that people read, and the differences between two lists of blocks.
//!
//! `mod` compares the blocks with the file.

use super::explain::Explained;
use crate::storage::sqlite::backfills::BACKFILL;
use crate::storage::sqlite::rows::{NODE, PIPELINE, RUN};
use crate::storage::sqlite::state::ACTIVE_RUN;

/// The first lines of the file.
const HEADER: &str = "The SQL texts of the SQLite backend, each with its plan. The file mod.rs \
     beside this one has the\ncommand that writes it again. A text without a line under it has no \
     loop.\n";

/// The length of a line that is not broken.
const WIDTH: usize = 100;

/// Returns a block for each text, in order.
pub(super) fn blocks(explained: &[Explained]) -> Vec<String> {
    explained.iter().map(block).collect()
}

pub(super) fn file_of(blocks: &[String]) -> String {
    format!("{HEADER}\n{}\n", blocks.join("\n\n"))
}

/// Returns the blocks of a file. A checkout may have changed the line endings.
pub(super) fn blocks_of(file: &str) -> Vec<String> {
    let file = file.replace('\r', "");
    let blocks = file.trim_end().split("\n\n").skip(1);
    blocks.map(str::to_owned).collect()
}

/// Returns the blocks that only one of two lists has.
pub(super) fn differences(known: &[String], found: &[String]) -> Vec<String> {
    let only = |mark: &str, these: &[String], others: &[String]| {
        let marked =
            |block: &String| format!("{mark} {}", block.replace('\n', &format!("\n{mark} ")));
        let only = these.iter().filter(|block| !others.contains(block));
        only.map(marked).collect::<Vec<_>>()
    };
    let mut differences = only("-", known, found);
    differences.extend(only("+", found, known));
    // What became of a text stands beside the text.
    differences.sort_by(|one, other| one[2..].cmp(&other[2..]));
    differences
}

fn block(explained: &Explained) -> String {
    let Explained { text, plan } = explained;
    let mut lines = wrapped(&abbreviated(text));
    lines.extend(plan.iter().map(|line| format!("  | {line}")));
    lines.join("\n")
}

/// Returns a text with the names of long lists of columns instead of the lists.
fn abbreviated(text: &str) -> String {
    let lists = [
        (RUN, "{RUN}"),
        (ACTIVE_RUN, "{ACTIVE_RUN}"),
        (BACKFILL, "{BACKFILL}"),
        (NODE, "{NODE}"),
        (PIPELINE, "{PIPELINE}"),
    ];
    let abbreviate = |text: String, (list, name): (&str, &str)| text.replace(list, name);
    lists.into_iter().fold(text.to_owned(), abbreviate)
}

/// Breaks a text into lines.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().unwrap();
        if line.is_empty() {
            line.push_str(word);
        } else if line.len() + 1 + word.len() <= WIDTH {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(format!("  {word}"));
        }
    }
    lines
}
