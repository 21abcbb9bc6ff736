//! Secret parameters: a backend returns the sealed bytes as it got them.

use super::fixtures::{claim, create, new_backfill, new_run, read_run, run_id, save};
use crate::model::{PageRequest, Params};
use crate::storage::{RunFilter, Sealed, Storage};

fn params(date: &str, bytes: &[u8]) -> Params {
    let mut params = Params::from_iter([("region", "eu"), ("sealed", "text"), ("date", date)]);
    params.insert_sealed("token", Sealed::from_bytes(bytes.to_vec()));
    params.insert_sealed("ke\"y\u{e4}", Sealed::from_bytes(Vec::new()));
    params
}

/// The secret parameters of a run MUST be returned with it as they were given, by a list and by a
/// claim too.
pub async fn a_run_keeps_its_secret_params(storage: &dyn Storage) {
    save(storage, "daily").await;
    let every_byte: Vec<u8> = (0..=u8::MAX).collect();
    let given = params("2024-01-15", &every_byte);
    let mut run = new_run(1, "daily");
    run.params = given.clone();
    create(storage, run).await.unwrap();
    assert_eq!(read_run(storage, run_id(1)).await.run.params, given);
    let page = PageRequest::Newest { limit: 10 };
    let listed = storage.list_runs(RunFilter::default(), page).await.unwrap();
    assert_eq!(listed.items[0].params, given);
    let claims = storage.claim(claim(1, 10)).await.unwrap();
    let claimed = &claims.claimed[0].run.params;
    assert_eq!(*claimed, given);
    assert_eq!(claimed.sealed_of("token").unwrap().as_bytes(), every_byte);
    assert_eq!(
        (&*claimed["token"], &*claimed["sealed"]),
        ("********", "text")
    );
}

/// Each run of a backfill MUST have its secret parameters, be they those of the others or not.
pub async fn a_backfill_keeps_its_secret_params(storage: &dyn Storage) {
    save(storage, "daily").await;
    let mut create = new_backfill(1, "daily", 1, 3);
    for (new, bytes) in create.runs.iter_mut().zip([[1], [1], [2]]) {
        new.run.params = params(&new.run.date.to_string(), &bytes);
    }
    let given: Vec<_> = create
        .runs
        .iter()
        .map(|new| new.run.params.clone())
        .collect();
    storage.create_runs(create).await.unwrap();
    for (n, expected) in (1..).zip(given) {
        assert_eq!(read_run(storage, run_id(n)).await.run.params, expected);
    }
}
