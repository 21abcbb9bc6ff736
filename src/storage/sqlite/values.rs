//! The codec of single values: times, ids, statuses, counts, keys and JSON.
//!
//! `rows` converts whole rows.

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use super::store_error::StoreError;
use crate::model::{
    BackfillId, BackfillStatus, BackfillUnit, Cancel, LaneClass, NodeIndex, NodeStatus, OwnerId,
    PipelineId, Priority, Rank, RunId, RunStatus, TenantId, TraceParent, Trigger, UnstoredOutput,
};

/// Converts a count for a column. A larger count becomes the greatest value.
pub(super) fn to_i64(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Converts a stored count. A negative value becomes 0.
pub(super) fn to_u64(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// Converts a stored small count. A value out of range becomes the nearest one.
pub(super) fn to_u32(value: i64) -> u32 {
    u32::try_from(value).unwrap_or(if value < 0 { 0 } else { u32::MAX })
}

pub(super) fn millis(at: DateTime<Utc>) -> i64 {
    at.timestamp_millis()
}

pub(super) fn time(value: i64) -> Result<DateTime<Utc>, StoreError> {
    DateTime::from_timestamp_millis(value).ok_or_else(|| StoreError::unreadable("a time", value))
}

/// Converts a stored time. A time beyond the calendar becomes its nearest end.
pub(super) fn nearest_time(value: i64) -> DateTime<Utc> {
    let (first, last) = (DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC);
    DateTime::from_timestamp_millis(value).unwrap_or(if value < 0 { first } else { last })
}

/// Converts a date to the number of its day.
pub(super) fn day(date: NaiveDate) -> i64 {
    i64::from(chrono::Datelike::num_days_from_ce(&date))
}

pub(super) fn date(value: i64) -> Result<NaiveDate, StoreError> {
    i32::try_from(value)
        .ok()
        .and_then(NaiveDate::from_num_days_from_ce_opt)
        .ok_or_else(|| StoreError::unreadable("a date", value))
}

pub(super) fn run_id(bytes: &[u8]) -> Result<RunId, StoreError> {
    Uuid::from_slice(bytes)
        .map(RunId::from_uuid)
        .map_err(|error| StoreError::unreadable("a run's id", error))
}

pub(super) fn owner_id(bytes: &[u8]) -> Result<OwnerId, StoreError> {
    Uuid::from_slice(bytes)
        .map(OwnerId::from_uuid)
        .map_err(|error| StoreError::unreadable("an owner's id", error))
}

pub(super) fn backfill_id(bytes: &[u8]) -> Result<BackfillId, StoreError> {
    Uuid::from_slice(bytes)
        .map(BackfillId::from_uuid)
        .map_err(|error| StoreError::unreadable("a backfill's id", error))
}

pub(super) const fn backfill_status(status: BackfillStatus) -> i64 {
    match status {
        // The columns of its pause distinguish a paused backfill.
        BackfillStatus::Running | BackfillStatus::Paused => 0,
        BackfillStatus::Success => 1,
        BackfillStatus::Failed => 2,
        BackfillStatus::Cancelled => 3,
    }
}

pub(super) fn to_backfill_status(value: i64) -> Result<BackfillStatus, StoreError> {
    match value {
        0 => Ok(BackfillStatus::Running),
        1 => Ok(BackfillStatus::Success),
        2 => Ok(BackfillStatus::Failed),
        3 => Ok(BackfillStatus::Cancelled),
        other => Err(StoreError::unreadable("a backfill's status", other)),
    }
}

pub(super) const fn backfill_unit(unit: BackfillUnit) -> i64 {
    match unit {
        BackfillUnit::Day => 0,
        BackfillUnit::Hour => 1,
        BackfillUnit::Week => 2,
        BackfillUnit::Month => 3,
        BackfillUnit::Tick => 4,
    }
}

/// Returns the unit of a number. A damaged number stands for a day, and must not hide the backfill.
pub(super) const fn to_backfill_unit(value: i64) -> BackfillUnit {
    match value {
        1 => BackfillUnit::Hour,
        2 => BackfillUnit::Week,
        3 => BackfillUnit::Month,
        4 => BackfillUnit::Tick,
        _ => BackfillUnit::Day,
    }
}

/// Returns the bytes of a run's id.
pub(super) const fn id(run: &RunId) -> &[u8] {
    run.as_uuid().as_bytes()
}

pub(super) fn hash(bytes: &[u8]) -> Result<[u8; 32], StoreError> {
    bytes
        .try_into()
        .map_err(|_| StoreError::unreadable("a hash", bytes.len()))
}

pub(super) const fn run_status(status: RunStatus) -> i64 {
    match status {
        RunStatus::Pending => 0,
        RunStatus::Running => 1,
        RunStatus::Success => 2,
        RunStatus::Failed => 3,
        RunStatus::Cancelled => 4,
    }
}

pub(super) fn to_run_status(value: i64) -> Result<RunStatus, StoreError> {
    match value {
        0 => Ok(RunStatus::Pending),
        1 => Ok(RunStatus::Running),
        2 => Ok(RunStatus::Success),
        3 => Ok(RunStatus::Failed),
        4 => Ok(RunStatus::Cancelled),
        other => Err(StoreError::unreadable("a run's status", other)),
    }
}

/// Returns the value of the column `has_dataset`, which is not 0 if the node returned a dataset.
pub(super) const fn dataset(has_dataset: bool, unstored: Option<UnstoredOutput>) -> i64 {
    match (has_dataset, unstored) {
        (false, _) => 0,
        (true, None) => 1,
        (true, Some(UnstoredOutput::TooLarge)) => 2,
        (true, Some(UnstoredOutput::Secret)) => 3,
    }
}

/// Returns why an output was never stored. A store of an older version does not say it.
pub(super) const fn to_unstored(value: i64) -> Option<UnstoredOutput> {
    match value {
        2 => Some(UnstoredOutput::TooLarge),
        3 => Some(UnstoredOutput::Secret),
        _ => None,
    }
}

pub(super) const fn node_status(status: NodeStatus) -> i64 {
    match status {
        NodeStatus::Pending => 0,
        NodeStatus::Running => 1,
        NodeStatus::Success => 2,
        NodeStatus::Failed => 3,
        NodeStatus::Cancelled => 4,
        NodeStatus::Skipped => 5,
    }
}

pub(super) fn to_node_status(value: i64) -> Result<NodeStatus, StoreError> {
    match value {
        0 => Ok(NodeStatus::Pending),
        1 => Ok(NodeStatus::Running),
        2 => Ok(NodeStatus::Success),
        3 => Ok(NodeStatus::Failed),
        4 => Ok(NodeStatus::Cancelled),
        5 => Ok(NodeStatus::Skipped),
        other => Err(StoreError::unreadable("a node's status", other)),
    }
}

pub(super) const fn trigger(trigger: Trigger) -> i64 {
    match trigger {
        Trigger::Manual => 0,
        Trigger::Schedule => 1,
        Trigger::Backfill => 2,
        Trigger::Resume => 3,
        Trigger::Catchup => 4,
        Trigger::Webhook => 5,
        Trigger::Dependency => 6,
    }
}

pub(super) fn to_trigger(value: i64) -> Result<Trigger, StoreError> {
    match value {
        0 => Ok(Trigger::Manual),
        1 => Ok(Trigger::Schedule),
        2 => Ok(Trigger::Backfill),
        3 => Ok(Trigger::Resume),
        4 => Ok(Trigger::Catchup),
        5 => Ok(Trigger::Webhook),
        6 => Ok(Trigger::Dependency),
        other => Err(StoreError::unreadable("a trigger", other)),
    }
}

pub(super) const fn rank(rank: Rank) -> i64 {
    let class = match rank.class {
        LaneClass::Manual => 0,
        LaneClass::Schedule => 1,
        LaneClass::Backfill => 2,
    };
    let priority = match rank.priority {
        Priority::Normal => 0,
        Priority::High => 1,
        Priority::Low => 2,
    };
    class + 16 * priority
}

pub(super) fn to_rank(value: i64) -> Result<Rank, StoreError> {
    let mut all = Rank::all();
    all.find(|found| rank(*found) == value)
        .ok_or_else(|| StoreError::unreadable("a rank", value))
}

pub(super) const fn cancel(cancel: Cancel) -> i64 {
    match cancel {
        Cancel::Plain => 0,
        Cancel::Forced => 1,
    }
}

pub(super) fn to_cancel(value: i64) -> Result<Cancel, StoreError> {
    match value {
        0 => Ok(Cancel::Plain),
        1 => Ok(Cancel::Forced),
        other => Err(StoreError::unreadable("a cancel request", other)),
    }
}

pub(super) fn pipeline_id(text: &str) -> Result<PipelineId, StoreError> {
    PipelineId::new(text).map_err(|error| StoreError::unreadable("a pipeline's id", error))
}

pub(super) fn tenant(text: Option<String>) -> Result<Option<TenantId>, StoreError> {
    text.map(TenantId::new)
        .transpose()
        .map_err(|error| StoreError::unreadable("a tenant", error))
}

/// Reads the tenant in a column. An unreadable one reads as none.
pub(super) fn tenant_or_none(row: &rusqlite::Row<'_>, column: usize) -> Option<TenantId> {
    let text = row.get(column).map_err(StoreError::from);
    text.and_then(tenant).ok().flatten()
}

/// Reads the traceparent in a column. An unreadable one reads as none: it must not hide the run.
pub(super) fn trace_parent(row: &rusqlite::Row<'_>, column: usize) -> Option<TraceParent> {
    let text: Option<String> = row.get(column).ok().flatten();
    text.and_then(|text| text.parse().ok())
}

pub(super) fn optional_time(value: Option<i64>) -> Result<Option<DateTime<Utc>>, StoreError> {
    value.map(time).transpose()
}

pub(super) fn optional_run(bytes: Option<Vec<u8>>) -> Result<Option<RunId>, StoreError> {
    bytes.map(|bytes| run_id(&bytes)).transpose()
}

/// Decodes stored JSON. An error names it with `what`.
pub(super) fn json<T: serde::de::DeserializeOwned>(
    what: &str,
    text: &str,
) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::unreadable(what, error))
}

/// Encodes a value as JSON for a column.
pub(super) fn text<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value)
        .map_err(|error| StoreError::unreadable("a value to be stored", error))
}

/// Converts an optional count for a column.
pub(super) fn to_optional_i64(count: Option<u64>) -> Option<i64> {
    count.map(to_i64)
}

/// Stored numbers stay below this one. A greater one is damage: counting on from it would overflow.
pub(super) const NUMBERS_END: i64 = 1 << 53;
/// The keys of runs stay below this number, so that the keys of their chunks have 63 bits.
pub(super) const RUN_KEYS_END: i64 = 1 << 35;

/// The bits of the node index in the key of a node.
pub(super) const NODE_INDEX_BITS: u32 = 12;
/// The bits of the chunk index in the key of a chunk.
const INDEX_BITS: u32 = 16;

/// Returns the key of a node of a run.
pub(super) fn node_key(run: i64, node_index: NodeIndex) -> i64 {
    run << NODE_INDEX_BITS | i64::from(node_index)
}

/// Returns the first and the last possible key of a run's nodes.
pub(super) const fn node_keys(run: i64) -> (i64, i64) {
    let first = run << NODE_INDEX_BITS;
    (first, first | ((1 << NODE_INDEX_BITS) - 1))
}

/// Returns the key of the run in the key of a node.
pub(super) const fn run_of_node(node: i64) -> i64 {
    node >> NODE_INDEX_BITS
}

/// Returns the node index in the key of a node.
pub(super) fn node_index(node: i64) -> NodeIndex {
    NodeIndex::try_from(node & ((1 << NODE_INDEX_BITS) - 1)).unwrap_or(NodeIndex::MAX)
}

/// Returns the key of a chunk, or `None` if its index is too large.
pub(super) fn chunk_key(node: i64, index: u32) -> Option<i64> {
    u16::try_from(index)
        .ok()
        .map(|index| node << INDEX_BITS | i64::from(index))
}

/// Returns the first and the last possible key of a node's chunks.
pub(super) const fn chunk_keys(node: i64) -> (i64, i64) {
    let first = node << INDEX_BITS;
    (first, first | ((1 << INDEX_BITS) - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rank_survives_its_codec() {
        let numbers: Vec<_> = Rank::all().map(rank).collect();
        let stored = [16, 0, 32, 17, 1, 33, 18, 2, 34];
        assert_eq!(numbers, stored, "stored numbers never change");
        for expected in Rank::all() {
            assert_eq!(to_rank(rank(expected)).ok(), Some(expected));
        }
        assert!(to_rank(3).is_err());
        assert!(to_rank(48).is_err());
    }
}
