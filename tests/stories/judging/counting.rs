//! The requests of a migration are in its journal once it has ended, and counting them never stands in the way.

use super::{Stage, a_tenth_fails, fine, some_hang, stage, unguarded};
use crate::simulation::{PortFault, at_once};
use crossfade_actions::operator::requests::count_requests;
use crossfade_domain::journal::request_counts::RequestCounts;
use crossfade_domain::journal::{EventKind, Phase};
use serde_json::json;

/// What the journal says after each end, in order.
fn counted(stage: &Stage) -> Vec<Result<RequestCounts, String>> {
    stage.recorded("users", |event| match &event.kind {
        EventKind::RequestsCounted { counts } => Some(Ok(counts.clone())),
        EventKind::RequestsNotCounted { reason } => Some(Err(reason.clone())),
        _ => None,
    })
}

/// All traffic moves, with a judge that reads nothing: only the end asks for metrics.
fn without_a_judge() -> serde_json::Value {
    unguarded(&json!({"judge": false}))
}

#[test]
fn a_migration_that_has_arrived_has_its_requests_in_the_journal_after_its_end() {
    let mut stage = stage(a_tenth_fails);
    stage.migrate(without_a_judge());
    stage.assert_at_rest("users");
    assert_eq!(stage.head("users").phase, Phase::Migrated, "{}", stage.told());
    let [ended, counts] = &stage.events("users")[stage.events("users").len() - 2..] else { panic!() };
    assert!(matches!(ended.kind, EventKind::Finished { .. }), "{ended:?}");
    let EventKind::RequestsCounted { counts } = &counts.kind else { panic!("{counts:?}") };
    let (old, new) = counts.sums();
    assert!(counts.is_settled() && old.failed() == 0 && new.requests > 0, "{counts:?}");
    assert_eq!(10 * new.failed(), new.requests, "a tenth fails");
    let weights: Vec<String> = counts.spans.iter().map(|span| span.weight.to_string()).collect();
    assert!(weights.contains(&"50 %".to_owned()) && weights.contains(&"100 %".to_owned()), "{weights:?}");
    let half = counts.spans.iter().find(|span| span.old.p95_microseconds.is_some()).unwrap();
    assert_eq!((half.old.requests, half.new.requests), (200, 200), "{half:?}");
    assert!(half.old.p50_microseconds < half.old.p95_microseconds, "{half:?}");
    // The report would read the same from CloudWatch.
    let events = stage.events("users");
    let read = at_once(count_requests(&stage.plain, &stage.plan("users"), &events)).unwrap().unwrap();
    assert_eq!(read.counts.spans[..counts.spans.len()], counts.spans);
}

#[test]
fn a_rollback_has_the_minutes_that_show_its_harm_although_they_have_not_settled() {
    for served in [a_tenth_fails, some_hang] {
        let mut stage = stage(served);
        stage.migrate(unguarded(&json!({})));
        stage.assert_at_rest("users");
        assert_eq!(stage.head("users").phase, Phase::RolledBack, "{}", stage.told());
        let events = stage.events("users");
        let ends: Vec<&EventKind> = events.iter().rev().take(2).map(|event| &event.kind).collect();
        let [EventKind::RequestsCounted { counts }, EventKind::RollbackVerified { .. }] = ends[..] else {
            panic!("{ends:?}")
        };
        assert!(!counts.is_settled(), "{counts:?}");
        assert!(counts.sums().1.failed() > 0, "{counts:?}");
        let returned = events.iter().rfind(|event| matches!(event.kind, EventKind::RoutesReturned { .. })).unwrap();
        assert!(counts.until().unwrap() > returned.at, "{counts:?}");
    }
}

#[test]
fn requests_that_cannot_be_counted_keep_no_one_from_the_end() {
    for fault in [PortFault::Throttled, PortFault::Denied, PortFault::Hangs] {
        for (served, ends_at, phase) in [
            (fine as super::Served, "Finish migration", Phase::Migrated),
            (a_tenth_fails, "Roll back", Phase::RolledBack),
        ] {
            let mut stage = stage(served);
            let calls = stage.calls.clone();
            stage.once_before(ends_at, move |_| calls.always("metric_data", fault));
            let execution = stage.migrate(unguarded(&json!({})));
            stage.assert_at_rest("users");
            assert_eq!(stage.head("users").phase, phase, "{fault:?}\n{}", stage.told());
            assert_eq!(stage.ledger.snapshot().held().count(), 0, "{fault:?}: the locks are free");
            let said = counted(&stage);
            let [Err(reason)] = &said[..] else { panic!("{fault:?}: {said:?}\n{}", stage.told()) };
            assert!(!reason.is_empty());
            let (_, error) = stage.ended(&execution);
            assert_eq!(error.is_empty(), phase == Phase::Migrated, "{fault:?}: {error}");
        }
    }
}

#[test]
fn a_journal_that_cannot_be_read_or_written_after_the_end_leaves_the_end_as_it_is() {
    let mut stage = stage(fine);
    let calls = stage.calls.clone();
    stage.once_before("Finish migration", move |_| calls.always("events", PortFault::Throttled));
    stage.migrate(without_a_judge());
    assert_eq!(stage.head("users").phase, Phase::Migrated, "{}", stage.told());
    assert_eq!(counted(&stage), []);
    assert_eq!(stage.ledger.snapshot().held().count(), 0);
}

#[test]
fn what_runs_again_after_the_end_counts_once() {
    let mut stage = stage(fine);
    stage.migrate(without_a_judge());
    let again = json!({"cursor": {"service": "users", "migration": "users-1", "generation": 1, "step": 2},
        "execution": stage.head("users").execution});
    stage.call("finish-migration", &again).unwrap().unwrap();
    assert_eq!(counted(&stage).len(), 1, "{}", stage.told());
}

#[test]
fn without_traffic_there_is_nothing_to_count() {
    let (mut stage, _) = Stage::with_users();
    stage.once_before("Register targets", |world| world.fire_alarm("users-5xx"));
    stage.migrate(super::users());
    assert_ne!(stage.head("users").phase, Phase::Migrated, "{}", stage.told());
    assert_eq!(counted(&stage), []);
}
