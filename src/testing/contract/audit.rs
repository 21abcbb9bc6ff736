//! The audit: which commands are in it, and its lists.
//!
//! `audited_commands` has the commands that the cases give.

use super::audited_commands::{entry, give_all, pause, pause_in, refuse_all};
use super::fixtures::{assert_problem, at, save, save_for, scope, snapshot, with_key};
use super::parked::after;
use crate::error::Problem;
use crate::model::{
    AuditAction, AuditEntry, AuditId, AuditOutcome, AuditSubject, Page, PageRequest, Scope,
};
use crate::storage::{AuditFilter, NewAudit, Purge, PurgeMode, RefusedCommand, Storage};

const NEWEST: PageRequest = PageRequest::Newest { limit: 100 };

async fn list(storage: &dyn Storage, filter: AuditFilter, page: PageRequest) -> Page<AuditEntry> {
    storage.list_audit(filter, page).await.unwrap()
}

async fn numbers(storage: &dyn Storage, filter: AuditFilter) -> Vec<u64> {
    let found = list(storage, filter, NEWEST).await;
    found.items.iter().map(|entry| entry.id.number()).collect()
}

/// Every kind of command that takes effect MUST be in the audit as the request says, with the
/// tenant of its object.
pub async fn a_command_that_takes_effect_is_in_the_audit(storage: &dyn Storage) {
    let given = give_all(storage).await;
    let mut found = list(storage, AuditFilter::default(), NEWEST).await.items;
    found.reverse();
    let described = found.iter().map(|entry| {
        assert_eq!(entry.outcome, AuditOutcome::Done);
        let audit = NewAudit {
            by: entry.by.clone(),
            reason: entry.reason.clone(),
            ..NewAudit::new(entry.action, entry.subject.clone(), entry.at)
        };
        (audit, entry.tenant.clone())
    });
    let tenant = scope("ann").tenant().cloned();
    let expected: Vec<_> = given
        .into_iter()
        .map(|audit| (audit, tenant.clone()))
        .collect();
    assert_eq!(described.collect::<Vec<_>>(), expected);
    let ids: Vec<_> = found.iter().map(|entry| entry.id).collect();
    assert!(ids.is_sorted() && ids.windows(2).all(|two| two[0] != two[1]));
}

/// A refused command MUST NOT be in the audit, and MUST change nothing.
pub async fn a_refused_command_is_not_in_the_audit(storage: &dyn Storage) {
    save(storage, "daily").await;
    let before = snapshot(storage).await;
    refuse_all(storage).await;
    assert_eq!(snapshot(storage).await, before);
    assert_eq!(numbers(storage, AuditFilter::default()).await, [0_u64; 0]);
}

/// A preview, and a repeat with an idempotency key, MUST NOT be in the audit.
pub async fn previews_and_repeats_are_not_in_the_audit(storage: &dyn Storage) {
    save(storage, "daily").await;
    let audit = entry(AuditAction::RunRerun, AuditSubject::System, 1);
    let mut create = with_key(1, "once", 1);
    create.audit = Some(audit.clone());
    create.is_preview = true;
    storage.create_runs(create.clone()).await.unwrap();
    assert_eq!(numbers(storage, AuditFilter::default()).await, [0_u64; 0]);
    create.is_preview = false;
    storage.create_runs(create).await.unwrap();
    let mut again = with_key(2, "once", 1);
    again.audit = Some(audit);
    let repeated = storage.create_runs(again).await.unwrap();
    assert!(repeated.is_replayed);
    assert_eq!(numbers(storage, AuditFilter::default()).await, [1]);
    let mut preview = Purge::new(at(100), 10);
    preview.mode = PurgeMode::Preview;
    preview.audit = Some(entry(AuditAction::SystemPurge, AuditSubject::System, 2));
    storage.purge(preview).await.unwrap();
    assert_eq!(numbers(storage, AuditFilter::default()).await, [1]);
}

/// A refusal MUST be listed as it was recorded.
pub async fn a_refusal_is_recorded_with_its_problem(storage: &dyn Storage) {
    let audit = entry(AuditAction::RunCancel, AuditSubject::System, 7);
    let mut refused = RefusedCommand::new(audit.clone(), "run-finished");
    refused.tenant = scope("ann").tenant().cloned();
    storage.record_refusal(refused.clone()).await.unwrap();
    let found = list(storage, AuditFilter::default(), NEWEST).await;
    let outcome = AuditOutcome::Refused("run-finished".to_owned());
    let expected = audit.into_entry(AuditId::new(1), outcome, refused.tenant);
    assert_eq!(found, Page::new(vec![expected], None, None));
}

/// Entries MUST be listed by their time and then by their id, both descending, in pages that follow
/// one another.
pub async fn entries_are_listed_newest_first(storage: &dyn Storage) {
    save(storage, "daily").await;
    for seconds in [3, 1, 2, 2, 5] {
        pause(storage, "daily", seconds).await;
    }
    let filter = AuditFilter::default;
    let expected = [5, 1, 4, 3, 2];
    assert_eq!(numbers(storage, filter()).await, expected);
    let mut cursor = None;
    let mut found = Vec::new();
    loop {
        let page = list(storage, filter(), after(cursor, 2)).await;
        found.extend(page.items.iter().map(|entry| entry.id.number()));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(found, expected);
    let numbered = PageRequest::Numbered {
        page: 2,
        per_page: 2,
    };
    let page = list(storage, filter(), numbered).await;
    let ids: Vec<_> = page.items.iter().map(|entry| entry.id.number()).collect();
    assert_eq!((ids, page.total), (vec![4, 3], Some(5)));
    let unknown = list(storage, filter(), after(Some("99".to_owned()), 2)).await;
    assert_eq!(unknown, Page::new(vec![], None, None));
    let bad = after(Some("x".to_owned()), 2);
    let refused = storage.list_audit(filter(), bad).await;
    assert_problem(refused, Problem::InvalidParameter);
}

/// An entry MUST meet every condition of a filter.
pub async fn all_filters_apply_together(storage: &dyn Storage) {
    let subject = |id: &str| format!("pipeline:{id}").parse::<AuditSubject>().unwrap();
    for (action, id, by, seconds) in [
        (AuditAction::PipelinePause, "a", "ann", 1),
        (AuditAction::PipelinePause, "b", "ann", 2),
        (AuditAction::PipelineUnpause, "a", "ann", 3),
        (AuditAction::PipelinePause, "a", "ben", 4),
        (AuditAction::PipelinePause, "a", "ann", 5),
    ] {
        let mut audit = NewAudit::new(action, subject(id), at(seconds));
        audit.by = Some(by.into());
        let refused = RefusedCommand::new(audit, "already-exists");
        storage.record_refusal(refused).await.unwrap();
    }
    let all = AuditFilter::default;
    let pauses = AuditFilter {
        action: Some(AuditAction::PipelinePause),
        ..all()
    };
    let of_ann = AuditFilter {
        by: Some("ann".into()),
        ..all()
    };
    let of_a = AuditFilter {
        subject: Some(subject("a")),
        ..all()
    };
    let middle = AuditFilter {
        from: Some(at(2)),
        to: Some(at(4)),
        ..all()
    };
    let whole = AuditFilter {
        action: pauses.action,
        by: of_ann.by.clone(),
        subject: of_a.subject.clone(),
        ..all()
    };
    for (filter, expected) in [
        (pauses, &[5, 4, 2, 1][..]),
        (of_ann, &[5, 3, 2, 1]),
        (of_a, &[5, 4, 3, 1]),
        (middle, &[3, 2]),
        (whole.clone(), &[5, 1]),
        (
            AuditFilter {
                to: Some(at(5)),
                ..whole
            },
            &[1],
        ),
    ] {
        for scope in [Scope::All, Scope::NoTenant] {
            let filter = AuditFilter {
                scope,
                ..filter.clone()
            };
            assert_eq!(
                numbers(storage, filter.clone()).await,
                expected,
                "{filter:?}"
            );
        }
    }
}

/// An entry MUST look absent in the scope of another tenant.
pub async fn an_entry_of_another_tenant_is_hidden(storage: &dyn Storage) {
    save(storage, "daily").await;
    save_for(storage, "daily", "ann").await;
    save_for(storage, "daily", "ben").await;
    for (seconds, owner) in [(1, scope("ann")), (2, scope("ben")), (3, Scope::NoTenant)] {
        pause_in(storage, "daily", seconds, &owner).await;
    }
    for (scope, expected) in [
        (Scope::All, &[3, 2, 1][..]),
        (scope("ann"), &[1]),
        (scope("ben"), &[2]),
        (Scope::NoTenant, &[3]),
        (scope("eve"), &[]),
    ] {
        let filter = || AuditFilter {
            scope: scope.clone(),
            ..AuditFilter::default()
        };
        let narrowed = [
            filter(),
            AuditFilter {
                action: Some(AuditAction::PipelinePause),
                ..filter()
            },
            AuditFilter {
                by: Some("alice".into()),
                ..filter()
            },
            AuditFilter {
                subject: Some("pipeline:daily".parse().unwrap()),
                ..filter()
            },
        ];
        for filter in narrowed {
            assert_eq!(
                numbers(storage, filter.clone()).await,
                expected,
                "{filter:?}"
            );
        }
    }
}

/// A trim MUST delete the oldest entries that are old enough, and at most as many as it may. Their
/// ids MUST NOT be used again.
pub async fn old_entries_are_deleted_in_bounded_steps(storage: &dyn Storage) {
    save(storage, "daily").await;
    for seconds in 1..=5 {
        pause(storage, "daily", seconds).await;
    }
    assert_eq!(storage.trim_audit(at(1), 10).await.unwrap(), 0);
    assert_eq!(storage.trim_audit(at(4), 2).await.unwrap(), 2);
    assert_eq!(numbers(storage, AuditFilter::default()).await, [5, 4, 3]);
    assert_eq!(storage.trim_audit(at(4), 2).await.unwrap(), 1);
    assert_eq!(numbers(storage, AuditFilter::default()).await, [5, 4]);
    let trimmed = list(
        storage,
        AuditFilter::default(),
        after(Some("3".to_owned()), 9),
    )
    .await;
    assert_eq!(trimmed, Page::new(vec![], None, None));
    pause(storage, "daily", 1).await;
    assert_eq!(numbers(storage, AuditFilter::default()).await, [5, 4, 6]);
    assert_eq!(storage.trim_audit(at(9), 10).await.unwrap(), 3);
    pause(storage, "daily", 10).await;
    assert_eq!(numbers(storage, AuditFilter::default()).await, [7]);
}
