//! Redaction of datasets: previews and profiles without the secrets that a run has opened.
//!
//! `secret/mask` holds the known secrets and masks texts.

use serde_json::Number;

use crate::error::Result;
use crate::limits::Limits;
use crate::model::{Cell, ColumnProfile, Dataset, Preview, PreviewBounds, PreviewBuilder, Profile};
use crate::secret::Mask;

/// Returns whether a dataset contains a known secret. Such a dataset must not be stored.
pub(super) fn contains_secret(dataset: &Dataset, mask: &Mask) -> bool {
    !mask.is_empty()
        && (dataset.columns().iter().any(|name| mask.matches(name))
            || columns_with_secrets(dataset, mask).contains(&true))
}

/// Returns for each column whether one of its values contains a known secret.
fn columns_with_secrets(dataset: &Dataset, mask: &Mask) -> Vec<bool> {
    let has_numbers = mask.has_numbers();
    let is_secret = |number: Option<Number>| {
        has_numbers && number.is_some_and(|number| mask.matches_number(&number))
    };
    dataset.columns_where(|cell| match cell {
        Cell::Text(text) => mask.matches(text),
        Cell::Json(text) => mask.matches(text) || has_numbers && is_secret(text.parse().ok()),
        Cell::Int(number) => is_secret(Some(number.into())),
        Cell::UInt(number) => is_secret(Some(number.into())),
        Cell::Float(number) => is_secret(Number::from_f64(number)),
        Cell::Missing | Cell::Null | Cell::Bool(_) => false,
    })
}

/// Returns the first rows with secrets masked.
pub(super) fn preview(dataset: &Dataset, mask: &Mask, limits: &Limits) -> Result<Preview> {
    let bounds = PreviewBounds {
        rows_max: limits.preview_rows_max,
        cell_bytes_max: limits.preview_cell_bytes_max,
        bytes_max: limits.preview_bytes_max,
    };
    preview_within(dataset, mask, bounds)
}

/// Returns the first rows with secrets masked, within these bounds.
pub(super) fn preview_within(
    dataset: &Dataset,
    mask: &Mask,
    bounds: PreviewBounds,
) -> Result<Preview> {
    if mask.is_empty() {
        return dataset.preview_within(bounds);
    }
    let columns = dataset.columns().into_iter();
    let columns = columns.map(|name| mask.text(name)).collect();
    let mut builder = PreviewBuilder::new(columns, dataset.row_count(), bounds);
    for row_index in 0..dataset.len() {
        // Whole cells are masked before they are cut: half a secret at a cut would not be found.
        if !builder.push(mask.object(dataset.row(row_index)?)) {
            break;
        }
    }
    Ok(builder.finish())
}

/// Returns the statistics with secrets masked.
///
/// A column that contains a secret shows no values, and if the dataset contains one, text columns
/// show none: a value that was cut may start with half a secret.
pub(super) fn profile(dataset: &Dataset, mask: &Mask, bytes_max: usize) -> Result<Profile> {
    let profile = dataset.profile()?;
    if mask.is_empty() {
        return Ok(profile.fitted(bytes_max));
    }
    Ok(redact_profile(profile, dataset, mask).fitted(bytes_max))
}

fn redact_profile(mut profile: Profile, dataset: &Dataset, mask: &Mask) -> Profile {
    let secret = columns_with_secrets(dataset, mask);
    let has_secret =
        secret.contains(&true) || dataset.columns().iter().any(|name| mask.matches(name));
    let columns = profile.columns.into_iter().zip(secret);
    let redact = |(column, is_secret): (ColumnProfile, bool)| {
        let is_number = matches!(column.kind.as_str(), "integer" | "float");
        let has_values = !is_secret && (is_number || !has_secret);
        redact_column(column, mask, has_values)
    };
    profile.columns = columns.map(redact).collect();
    profile
}

fn redact_column(mut column: ColumnProfile, mask: &Mask, has_values: bool) -> ColumnProfile {
    column.name = mask.text(column.name);
    let redact = |value: Option<_>| value.filter(|_| has_values).map(|value| mask.value(value));
    column.min_val = redact(column.min_val);
    column.max_val = redact(column.max_val);
    column.mean_val = column.mean_val.filter(|_| has_values);
    let samples = column.sample_values.into_iter();
    column.sample_values = samples.filter_map(|value| redact(Some(value))).collect();
    column
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn dataset(rows: &[Value]) -> Dataset {
        Dataset::from_serialize(rows).unwrap()
    }

    fn mask() -> Mask {
        let mask = Mask::default();
        mask.add("hunter2");
        mask
    }

    #[test]
    fn a_secret_is_found_in_strings_nested_values_and_names() {
        for rows in [
            json!([{"a": "x hunter2 y"}]),
            json!([{"a": {"b": ["hunter2"]}}]),
            json!([{"a": 1}, {"a": "hunter2"}]),
            json!([{"hunter2": 1}]),
        ] {
            let dataset = dataset(rows.as_array().unwrap());
            assert!(contains_secret(&dataset, &mask()), "{rows}");
            assert!(!contains_secret(&dataset, &Mask::default()));
            let preview = preview(&dataset, &mask(), &Limits::default()).unwrap();
            let profile = profile(&dataset, &mask(), usize::MAX).unwrap();
            let shown = format!("{preview:?} {profile:?}");
            assert!(
                !shown.contains("hunter2") && shown.contains("***"),
                "{shown}"
            );
        }
        assert!(!contains_secret(
            &dataset(&[json!({"a": "hunter"})]),
            &mask()
        ));
    }

    #[test]
    fn a_secret_that_is_a_number_is_hidden_in_every_statistic() {
        let mask = Mask::default();
        mask.add("471147");
        let dataset = dataset(&[json!({"a": 471_147, "b": 7})]);
        let profile = profile(&dataset, &mask, usize::MAX).unwrap();
        let shown = format!("{profile:?}");
        assert!(!shown.contains("471147"), "{shown}");
        assert_eq!(profile.columns[1].mean_val, Some(7.0));
    }

    #[test]
    fn a_secret_that_is_a_number_is_found_in_every_spelling() {
        for (secret, rows) in [
            ("98765432.10", json!([{"a": 98_765_432.1}, {"a": 0.5}])),
            ("98765432.10", json!([{"a": 98_765_432.1}, {"a": "x"}])),
            ("9876543210", json!([{"a": 9_876_543_210_i64}, {"a": 0}])),
            ("9876543210", json!([{"a": 9_876_543_210.0}, {"a": 1.5}])),
            ("18446744073709551615", json!([{"a": u64::MAX}, {"a": 1}])),
        ] {
            let mask = Mask::default();
            mask.add(secret);
            let dataset = dataset(rows.as_array().unwrap());
            assert!(contains_secret(&dataset, &mask), "{rows}");
            let column = &profile(&dataset, &mask, usize::MAX).unwrap().columns[0];
            let shown = (&column.min_val, &column.max_val, &column.mean_val);
            assert_eq!(shown, (&None, &None, &None), "{rows}");
            assert!(column.sample_values.is_empty(), "{rows}");
            let preview = preview(&dataset, &mask, &Limits::default()).unwrap();
            assert_eq!(preview.rows[0]["a"], "***", "{rows}");
        }
    }

    #[test]
    fn a_secret_at_a_cut_leaves_nothing_behind() {
        let long = format!("{}hunter2", "x".repeat(4_090));
        let dataset = dataset(&[json!({"a": long, "b": [long], "c": 1})]);
        let preview = preview(&dataset, &mask(), &Limits::default()).unwrap();
        let profile = profile(&dataset, &mask(), usize::MAX).unwrap();
        let shown = format!("{preview:?} {profile:?}");
        assert!(!shown.contains("hunt"), "{shown}");
        assert!(preview.truncated);
        assert_eq!(preview.rows[0]["c"], 1);
    }

    #[test]
    fn a_dataset_without_a_secret_is_unchanged() {
        let dataset = dataset(&[json!({"a": "x".repeat(5_000), "b": {"c": null}, "d": "y"})]);
        let limits = Limits::default();
        let plain = preview(&dataset, &Mask::default(), &limits).unwrap();
        assert_eq!(preview(&dataset, &mask(), &limits).unwrap(), plain);
        assert_eq!(
            profile(&dataset, &mask(), usize::MAX).unwrap(),
            dataset.profile().unwrap()
        );
    }
}
