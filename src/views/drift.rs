//! Schema drift: how a node's columns differ from those of its previous successful run.
//!
//! Pure. Storage finds the previous run.

use serde::Serialize;

use crate::model::{ColumnProfile, Profile};

/// The change in percentage points from which a share of nulls is reported.
const NULL_POINTS_MIN: f64 = 10.0;

/// A difference in one column.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Drift {
    /// The name of the column.
    pub column: String,
    /// `added`, `removed`, `type_changed` or `null_pct`.
    #[cfg_attr(test, schemars(extend("enum" = ["added", "removed", "type_changed", "null_pct"])))]
    pub kind: &'static str,
    /// The value of the previous run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<DriftValue>,
    /// The value of this run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<DriftValue>,
}

/// The compared value of a column.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
#[non_exhaustive]
pub enum DriftValue {
    /// The type of the column.
    Type(String),
    /// The share of nulls in percent.
    Percent(f64),
}

/// Returns the differences in column order. Removed columns come last.
pub(super) fn find_drift(before: &Profile, after: &Profile) -> Vec<Drift> {
    let position_of = |profile: &'_ Profile, name: &str| {
        let mut columns = profile.columns.iter();
        columns.position(|column| column.name == name)
    };
    let mut drift = Vec::new();
    for column in &after.columns {
        match position_of(before, &column.name).and_then(|index| before.columns.get(index)) {
            None if lacks_columns(before) => {}
            None => drift.push(Drift {
                column: column.name.clone(),
                kind: "added",
                before: None,
                after: Some(DriftValue::Type(column.kind.clone())),
            }),
            Some(old) => drift.extend(column_drift(old, column)),
        }
    }
    let removed = before
        .columns
        .iter()
        .filter(|column| !lacks_columns(after) && position_of(after, &column.name).is_none());
    drift.extend(removed.map(|column| Drift {
        column: column.name.clone(),
        kind: "removed",
        before: Some(DriftValue::Type(column.kind.clone())),
        after: None,
    }));
    drift
}

/// Returns whether columns were left out, so that nothing is known of those.
fn lacks_columns(profile: &Profile) -> bool {
    (profile.columns.len() as u64) < profile.column_count
}

fn column_drift(before: &ColumnProfile, after: &ColumnProfile) -> impl Iterator<Item = Drift> {
    let types = (before.kind != after.kind).then(|| {
        let values = [&before.kind, &after.kind].map(|kind| DriftValue::Type(kind.clone()));
        ("type_changed", values)
    });
    // Percentages have one decimal. The tolerance absorbs the rounding of binary fractions.
    let points = (after.null_pct - before.null_pct).abs();
    let nulls = (points > NULL_POINTS_MIN - 0.05).then(|| {
        (
            "null_pct",
            [before, after].map(|side| DriftValue::Percent(side.null_pct)),
        )
    });
    let name = after.name.clone();
    types
        .into_iter()
        .chain(nulls)
        .map(move |(kind, [before, after])| Drift {
            column: name.clone(),
            kind,
            before: Some(before),
            after: Some(after),
        })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn profile(columns: &[(&str, &str, f64)]) -> Profile {
        let columns: Vec<Value> = columns
            .iter()
            .map(|(name, kind, null_pct)| {
                json!({"name": name, "type": kind, "null_count": 0, "null_pct": null_pct,
                    "unique_count": 0, "unique_pct": 0.0, "is_numeric": false, "sample_values": [], "capped": false})
            })
            .collect();
        let profile = json!({"row_count": 1, "column_count": columns.len(), "columns": columns, "profiling_ms": 0});
        serde_json::from_value(profile).unwrap()
    }

    fn drift_json(before: &[(&str, &str, f64)], after: &[(&str, &str, f64)]) -> Value {
        json!(find_drift(&profile(before), &profile(after)))
    }

    #[test]
    fn each_kind_of_difference_is_reported() {
        let before = [
            ("id", "integer", 0.0),
            ("old", "json", 0.0),
            ("name", "string", 5.0),
        ];
        let after = [
            ("name", "null", 100.0),
            ("id", "integer", 0.0),
            ("new", "float", 0.0),
        ];
        let expected = json!([
            {"column": "name", "kind": "type_changed", "before": "string", "after": "null"},
            {"column": "name", "kind": "null_pct", "before": 5.0, "after": 100.0},
            {"column": "new", "kind": "added", "after": "float"},
            {"column": "old", "kind": "removed", "before": "json"},
        ]);
        assert_eq!(drift_json(&before, &after), expected);
        assert_eq!(drift_json(&before, &before), json!([]));
    }

    #[test]
    fn nulls_are_reported_from_ten_points_on() {
        for (before, after, is_reported) in [
            (0.0, 10.0, true),
            (10.0, 0.0, true),
            (70.3, 80.3, true),
            (0.1, 10.1, true),
            (0.0, 9.9, false),
            (70.3, 80.2, false),
            (50.0, 40.1, false),
        ] {
            let drift = drift_json(&[("a", "string", before)], &[("a", "string", after)]);
            assert_eq!(drift != json!([]), is_reported, "{before} {after}");
        }
    }
}
