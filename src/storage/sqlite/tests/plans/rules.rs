//! What a plan must not do: walk a table, sort what an index could have sorted, or build an index.
//!
//! The plans that do so on purpose are listed, each with its reason.

use super::explain::Explained;

/// A reason to walk or to sort.
struct Exception {
    /// The texts that have this reason, each by a part of it.
    texts: &'static [&'static str],
    /// The beginnings of the lines that it allows.
    lines: &'static [&'static str],
    #[expect(dead_code, reason = "a reason is for people")]
    why: &'static str,
}

const SORT: &str = "USE TEMP B-TREE FOR ORDER BY";
const GROUP: &str = "USE TEMP B-TREE FOR GROUP BY";

const EXCEPTIONS: [Exception; 22] = [
    Exception {
        texts: &[
            "SELECT 1 FROM meta LIMIT 1",
            "SELECT at FROM audit INDEXED BY audit_by_time ORDER BY at LIMIT 1",
            "SELECT 1 FROM staged LIMIT 1",
            "SELECT 1 FROM sweeps LIMIT 1",
            "SELECT kind, key FROM sweeps LIMIT 1",
            "SELECT seq - n FROM journal ORDER BY seq LIMIT 1",
            "SELECT id FROM runs WHERE length(id) = 16 ORDER BY id DESC LIMIT 1",
        ],
        lines: &["SCAN"],
        why: "It ends at the first row. No more than a damaged id is passed on the way.",
    },
    Exception {
        texts: &[
            "FROM runs WHERE finished_at IS NULL AND status = 1",
            "GROUP BY priority, pipeline, backfill, status",
            "UPDATE runs SET owner = NULL",
            "FROM backfills WHERE finished_at IS NULL",
        ],
        lines: &[
            "SCAN runs USING INDEX runs_active",
            "SCAN backfills USING INDEX backfills_active",
            GROUP,
        ],
        why: "An open reads what has not finished, once, by indexes that have nothing else.",
    },
    Exception {
        texts: &["SELECT key FROM staged", "FROM sqlite_schema"],
        lines: &["SCAN staged", "SCAN sqlite_master"],
        why: "An open reads what a crash left, and the schema.",
    },
    Exception {
        texts: &["FROM counted_days"],
        lines: &["SCAN counted_days"],
        why: "The table has a handful of rows.",
    },
    Exception {
        texts: &["FROM notifiers n"],
        lines: &[
            "SCAN n USING INDEX sqlite_autoindex_notifiers_1",
            "SCAN n USING COVERING INDEX sqlite_autoindex_notifiers_1",
        ],
        why: "The table has a row for each notifier of the host.",
    },
    Exception {
        texts: &["FROM schedules s"],
        lines: &["SCAN s", SORT],
        why: "All schedules are read. They do not grow with the runs.",
    },
    Exception {
        texts: &["SELECT pipeline FROM answerable"],
        lines: &["SCAN answerable"],
        why: "All pipelines whose ends can be answered are read, and answered then.",
    },
    Exception {
        texts: &["FROM dependencies d", "FROM latest_ends e"],
        lines: &["SCAN d", "SCAN e"],
        why: "An open reads all dependencies. They do not grow with the runs.",
    },
    Exception {
        texts: &["FROM pipelines WHERE key = ?1) ORDER BY finished_at DESC"],
        lines: &[SORT],
        why: "A save that adds an upstream looks at the newest 1,000 runs of it.",
    },
    Exception {
        texts: &[
            "FROM pipelines p",
            "FROM connections WHERE deleted_at IS NULL",
            "FROM variables WHERE deleted_at IS NULL",
        ],
        lines: &[
            "SCAN p USING INDEX pipelines_by_age",
            "SCAN connections USING INDEX connections_by_age",
            "SCAN variables USING INDEX variables_by_age",
        ],
        why: "A page in the order of its index, or a total. Operators save these rows: they do not \
              grow with the runs.",
    },
    Exception {
        texts: &["SELECT key FROM pipelines WHERE tenant IS NULL"],
        lines: &["SCAN pipelines"],
        why: "Pipelines do not grow with the runs.",
    },
    Exception {
        texts: &["FROM backfills b"],
        lines: &["SCAN b"],
        why: "A page in the order of its index, or the total of many backfills. A backfill is one \
              row for all its runs.",
    },
    Exception {
        texts: &["FROM audit INDEXED BY audit_by_time"],
        lines: &[
            "SCAN audit USING INDEX audit_by_time",
            "SCAN audit USING COVERING INDEX audit_by_time",
        ],
        why: "A page in the order of its index, or a total. People give the commands, and the \
              retention deletes old entries.",
    },
    Exception {
        texts: &["FROM parked p INDEXED BY parked_dead"],
        lines: &["SCAN p USING COVERING INDEX parked_dead"],
        why: "Dead letters are counted by an index that has nothing else.",
    },
    Exception {
        texts: &["SELECT count(*) FROM parked p CROSS JOIN runs"],
        lines: &["SCAN p USING COVERING INDEX parked_of_run"],
        why: "Somebody asks how many deliveries have not succeeded. Those that wait are bounded, and \
              dead letters are few, or somebody should look at them.",
    },
    Exception {
        texts: &["FROM daily WHERE tenant = ''"],
        lines: &["SCAN daily"],
        why: "Runs without a tenant have no totals. A day of a pipeline is one row for all its \
              runs.",
    },
    Exception {
        texts: &["total(failed) AS fails FROM"],
        lines: &[GROUP, SORT],
        why: "The failing pipelines of a period are sorted by failures, and not their runs.",
    },
    Exception {
        texts: &["INDEXED BY runs_active WHERE"],
        lines: &["SCAN r USING INDEX runs_active", SORT],
        why: "A page of runs that have not finished: the index has nothing else.",
    },
    Exception {
        texts: &[
            "INDEXED BY runs_by_age WHERE",
            "INDEXED BY runs_of_pipeline WHERE",
        ],
        lines: &[SORT],
        why: "The list has counted before that these are few (`SORTED_MAX`).",
    },
    Exception {
        texts: &["ORDER BY r.id DESC LIMIT 51"],
        lines: &[
            "SCAN r USING INDEX sqlite_autoindex_runs_1",
            "SCAN r USING COVERING INDEX sqlite_autoindex_runs_1",
            "SCAN r USING INDEX runs_failed",
            "SCAN r USING COVERING INDEX runs_failed",
            "SCAN r USING INDEX runs_cancelled",
            "SCAN r USING COVERING INDEX runs_cancelled",
        ],
        why: "A page in the order of its index. It passes the runs that do not fit: its conditions \
              fit many runs, or no index has them together.",
    },
    Exception {
        texts: &[
            "(id = ?1 OR first_run = ?1)",
            "r.id = ?1 OR r.first_run = ?1",
        ],
        lines: &[SORT],
        why: "The runs of one chain of resumes are sorted.",
    },
    Exception {
        texts: &["ORDER BY finished_at, id LIMIT ?4"],
        lines: &["USE TEMP B-TREE FOR LAST TERM OF ORDER BY"],
        why: "Runs that finished in the same millisecond are sorted by id.",
    },
];

/// Returns the plans that break a rule without a reason, and the reasons that no plan needs.
pub(super) fn broken(explained: &[Explained]) -> Vec<String> {
    let without_reason = explained.iter().filter_map(broken_lines);
    let texts = EXCEPTIONS.iter().flat_map(|exception| {
        let is_idle = |text: &&&str| !explained.iter().any(|found| found.needs(exception, text));
        exception.texts.iter().filter(is_idle)
    });
    let lines = EXCEPTIONS.iter().flat_map(|exception| {
        let is_idle = |line: &&&str| {
            let mut texts = exception.texts.iter();
            !texts.any(|text| explained.iter().any(|found| found.has(text, line)))
        };
        exception.lines.iter().filter(is_idle)
    });
    let idle = texts
        .chain(lines)
        .map(|part| format!("no plan needs the exception `{part}`"));
    without_reason.chain(idle).collect()
}

fn broken_lines(explained: &Explained) -> Option<String> {
    let is_broken = |line: &&String| {
        let allows = |exception: &Exception| exception.allows(&explained.text, line);
        breaks_rule(line) && !EXCEPTIONS.iter().any(allows)
    };
    let lines: Vec<_> = explained.plan.iter().filter(is_broken).collect();
    let first = lines.first()?;
    Some(format!("{}\n  | {first}", explained.text))
}

/// Returns whether a line walks a table, sorts, or builds an index.
fn breaks_rule(line: &str) -> bool {
    let line = line.trim_start();
    // The rows of a subquery, whose own lines have been judged, and those of a function.
    let subqueries = [
        "SCAN (subquery-",
        "SCAN page",
        "SCAN f",
        "SCAN line",
        "SCAN CONSTANT ROW",
    ];
    let is_subquery = subqueries.iter().any(|name| line.starts_with(name));
    let is_walk = line.starts_with("SCAN") && !is_subquery && !line.contains("VIRTUAL TABLE");
    is_walk || line.contains("TEMP B-TREE") || line.contains("AUTOMATIC")
}

impl Exception {
    fn allows(&self, text: &str, line: &str) -> bool {
        let line = line.trim_start();
        let has_text = self.texts.iter().any(|part| text.contains(part));
        has_text && self.lines.iter().any(|start| line.starts_with(start))
    }
}

impl Explained {
    /// Returns whether this is such a text with a line that needs the exception.
    fn needs(&self, exception: &Exception, text: &str) -> bool {
        exception.lines.iter().any(|line| self.has(text, line))
    }

    fn has(&self, text: &str, line: &str) -> bool {
        let breaks = |found: &String| breaks_rule(found) && found.trim_start().starts_with(line);
        self.text.contains(text) && self.plan.iter().any(breaks)
    }
}
