//! Redaction of datasets: previews and profiles without the secrets that a run has opened.
//!
//! `secret/mask` holds the known secrets and masks texts.

use crate::error::Result;
use crate::limits::Limits;
use crate::model::{ColumnProfile, Dataset, Preview, PreviewBounds, PreviewBuilder, Profile};
use crate::secret::Mask;

/// Returns whether a dataset contains a known secret. Such a dataset must not be stored.
pub(super) fn contains_secret(dataset: &Dataset, mask: &Mask) -> bool {
    !mask.is_empty() && dataset.any_text(|text| mask.matches(text))
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
/// If the dataset contains a secret, text columns show no values: a value that was cut may start
/// with half a secret.
pub(super) fn profile(dataset: &Dataset, mask: &Mask, bytes_max: usize) -> Result<Profile> {
    let profile = dataset.profile()?;
    if mask.is_empty() {
        return Ok(profile.fitted(bytes_max));
    }
    Ok(redact_profile(profile, dataset, mask).fitted(bytes_max))
}

fn redact_profile(mut profile: Profile, dataset: &Dataset, mask: &Mask) -> Profile {
    let contains_secret = contains_secret(dataset, mask);
    let columns = profile.columns.into_iter();
    profile.columns = columns
        .map(|column| redact_column(column, mask, contains_secret))
        .collect();
    profile
}

fn redact_column(mut column: ColumnProfile, mask: &Mask, contains_secret: bool) -> ColumnProfile {
    column.name = mask.text(column.name);
    let has_values = matches!(column.kind.as_str(), "integer" | "float") || !contains_secret;
    let redact = |value: Option<_>| value.filter(|_| has_values).map(|value| mask.value(value));
    column.min_val = redact(column.min_val);
    column.max_val = redact(column.max_val);
    let is_shown = |mean: &f64| has_values && !mask.matches(&mean.to_string());
    column.mean_val = column.mean_val.filter(is_shown);
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
