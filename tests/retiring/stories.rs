//! Retirements as they go, and what others do meanwhile.

use super::stage::{Retiring, terms};
use crate::stories::stage::Stage;
use crossfade_domain::retirement::{RetireVerdict, RetirementEventKind as Kind, RetirementPhase};
use crossfade_world::world::ServiceOnBalancer;
use serde_json::json;

#[test]
fn invariant_12_an_idle_old_side_is_detached_watched_and_deregistered_and_then_rests() {
    let mut run = Retiring::new(terms("deregistered"));
    let end = run.run();
    assert_eq!(end.verdict, RetireVerdict::Deregistered, "{:#?}", run.said);
    assert!(run.is_detached() && run.exists());
    assert_eq!(run.targets(), 0);
    run.assert_unviolated();
    assert_eq!(run.stage.ledger.snapshot().held().count(), 0);
    assert!(matches!(
        run.kinds()[..],
        [
            Kind::Begun { .. },
            Kind::DetachIntended { .. },
            Kind::Detached,
            Kind::DeregisterIntended { .. },
            Kind::Deregistered,
            Kind::Rested
        ]
    ));
    // The same request again finds it done.
    let again = run.command(json!({})).unwrap().unwrap();
    assert_eq!((again.verdict, again.number), (RetireVerdict::Deregistered, 1));
}

#[test]
fn invariant_19_a_deletion_waits_for_its_own_approval_and_is_recorded_in_full_first() {
    let mut run = Retiring::new(terms("deleted"));
    let waits = run.run();
    assert_eq!((waits.verdict, waits.phase), (RetireVerdict::Approval, Some(RetirementPhase::Deregistered)));
    assert!(run.exists() && waits.reason.contains("--approve-deletion"), "{}", waits.reason);
    let end = run.run_approving();
    assert_eq!(end.verdict, RetireVerdict::Deleted, "{:#?}", run.said);
    assert!(!run.exists());
    run.assert_unviolated();
    let record = &run.retirement().plan.groups[0].record;
    assert_eq!((record.name.as_str(), record.targets.len()), ("users-swarm", 2));
    let late = run.command(json!({"command": "undo", "who": "ana"})).unwrap().unwrap();
    assert_eq!(late.verdict, RetireVerdict::Refused);
    assert!(late.reason.contains("aws elbv2 create-target-group --name users-swarm"), "{}", late.reason);
}

#[test]
fn invariant_12_an_old_side_with_a_request_now_and_then_is_left_alone() {
    let mut run = Retiring::new(terms("deregistered"));
    for _ in 0..12 {
        let cursor = run.look().unwrap().unwrap();
        assert_eq!(cursor.phase, Some(RetirementPhase::Proving), "{:#?}", run.said);
        run.use_old();
        run.pass(10);
    }
    assert!(run.said.iter().any(|said| said.contains("in use")), "{:#?}", run.said);
    assert!(run.is_attached());
    assert_eq!(run.run().verdict, RetireVerdict::Deregistered);
    run.assert_unviolated();
}

#[test]
fn invariant_12_a_request_that_the_proof_could_not_see_yet_returns_the_old_side() {
    let mut run = Retiring::new(terms("deregistered"));
    loop {
        let cursor = run.look().unwrap().unwrap();
        if cursor.verdict == RetireVerdict::Detach {
            break;
        }
        run.pass(1);
    }
    run.use_old();
    let end = run.run();
    assert_eq!(end.verdict, RetireVerdict::Undone, "{:#?}", run.said);
    assert!(end.reason.contains("1 request after the idle window"), "{}", end.reason);
    run.assert_as_before();
}

#[test]
fn invariant_12_a_service_with_one_request_a_day_is_not_retired_before_a_day_without_it() {
    let mut day = terms("deregistered");
    day["idleFor"] = json!("24h");
    let mut run = Retiring::new(day);
    // Three days with a request each, and a look whenever the machine has one.
    for _ in 0..3 {
        run.use_old();
        for _ in 0..23 {
            let cursor = run.look().unwrap().unwrap();
            assert_eq!(cursor.phase, Some(RetirementPhase::Proving), "{:#?}", run.said);
            assert_eq!(cursor.verdict, RetireVerdict::Wait, "{:#?}", run.said);
            run.pass(60);
        }
    }
    assert!(run.said.iter().any(|said| said.contains("in use: users-swarm has had 1 request")), "{:#?}", run.said);
    let last = run.seen.lock().unwrap().used.last().copied().unwrap();
    assert_eq!(run.run().verdict, RetireVerdict::Deregistered, "{:#?}", run.said);
    let idle = run.retirement().proved.unwrap();
    assert!(idle.since > last && idle.length().as_hours() == 24, "{idle:?} after {last}");
    run.assert_unviolated();
}

#[test]
fn errors_of_the_new_side_after_the_detach_return_the_old_side() {
    let mut run = Retiring::new(terms("deregistered"));
    while run.look().unwrap().unwrap().phase != Some(RetirementPhase::Watching) {
        run.pass(1);
    }
    for _ in 0..20 {
        run.request(&run.new.clone(), 500);
    }
    let end = run.run();
    assert_eq!(end.verdict, RetireVerdict::Undone, "{:#?}", run.said);
    run.assert_as_before();
}

#[test]
fn silence_without_either_control_proves_nothing() {
    let mut uncounted = Retiring::new(terms("deregistered"));
    uncounted.counted = false;
    for _ in 0..8 {
        assert_eq!(uncounted.look().unwrap().unwrap().phase, Some(RetirementPhase::Proving));
        uncounted.pass(10);
    }
    assert!(uncounted.said.last().unwrap().contains("shows nothing"), "{:#?}", uncounted.said);
    let mut silent = Retiring::new(terms("deregistered"));
    silent.busy = false;
    let asks = silent.run();
    assert_eq!(asks.verdict, RetireVerdict::Approval);
    assert!(asks.reason.contains("--accept-no-traffic"), "{}", asks.reason);
    silent.command(json!({"command": "acceptNoTraffic", "who": "ana", "reason": "it is a batch service"}));
    assert_eq!(silent.run().verdict, RetireVerdict::Deregistered, "{:#?}", silent.said);
}

#[test]
fn what_would_break_is_shown_and_approved_before_the_detach() {
    let mut run = Retiring::on(terms("deregistered"), watched);
    // An approval of what cannot be read is none, and one that comes while the old side is kept holds after that.
    run.look();
    run.stage.calls.always("alarms_on_groups", crate::simulation::PortFault::FailsBefore);
    assert!(run.command(json!({"command": "approve", "who": "ana"})).unwrap().is_err());
    run.stage.calls.clear();
    assert!(run.retirement().accepted.is_empty());
    run.command(json!({}));
    let asks = run.run();
    assert_eq!((asks.verdict, asks.phase), (RetireVerdict::Approval, Some(RetirementPhase::Proving)));
    assert!(asks.reason.contains("alarm users-p95 watches users-swarm"), "{}", asks.reason);
    run.command(json!({"command": "approve", "who": "ana"}));
    assert_eq!(run.run().verdict, RetireVerdict::Deregistered, "{:#?}", run.said);
}

#[test]
fn what_would_break_can_be_approved_while_the_old_side_is_still_kept() {
    let mut run = Retiring::on(terms("deregistered"), watched);
    assert!(run.look().unwrap().unwrap().reason.contains("keeps the old side"), "{:#?}", run.said);
    run.command(json!({"command": "approve", "who": "ana"}));
    assert_eq!(run.retirement().accepted.len(), 1);
    assert_eq!(run.run().verdict, RetireVerdict::Deregistered, "{:#?}", run.said);
}

/// An alarm of its owner watches the old group.
pub(super) fn watched(stage: &Stage, service: &ServiceOnBalancer) {
    let group = service.old_group.rsplit(':').next().unwrap();
    let balancer = service.load_balancer.split_once("loadbalancer/").unwrap().1;
    let alarm = json!({
        "AlarmName": "users-p95", "Namespace": "AWS/ApplicationELB", "MetricName": "TargetResponseTime",
        "Dimensions": [{"Name": "TargetGroup", "Value": group}, {"Name": "LoadBalancer", "Value": balancer}],
        "Statistic": "Average", "Period": 60, "EvaluationPeriods": 1, "Threshold": 1.0,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold", "TreatMissingData": "ignore",
    });
    stage.world.with(|state| state.cloudwatch.call(state.now, "PutMetricAlarm", &alarm).unwrap());
}

#[test]
fn a_rule_that_is_no_route_of_the_migration_refuses_before_and_holds_after_the_detach() {
    let mut run = Retiring::new(terms("deregistered"));
    run.stage.world.someone_adds_rule(&run.service.listener, "/old/*", &run.service.old_group).unwrap();
    let refused = run.run();
    assert_eq!(refused.verdict, RetireVerdict::Refused, "{:#?}", run.said);
    assert!(run.is_attached());

    let mut run = Retiring::new(terms("deregistered"));
    while run.look().unwrap().unwrap().phase != Some(RetirementPhase::Watching) {
        run.pass(1);
    }
    let rule = run.stage.world.someone_adds_rule(&run.service.listener, "/old/*", &run.service.old_group).unwrap();
    run.pass(30);
    let held = run.look().unwrap().unwrap();
    assert_eq!((held.verdict, held.phase), (RetireVerdict::Wait, Some(RetirementPhase::Watching)));
    assert!(held.reason.contains("attached an old target group of users again"), "{}", held.reason);
    assert_eq!(run.targets(), 2);
    run.stage.world.someone_deletes_rule(&rule).unwrap();
    run.pass(3);
    assert_eq!(run.run().verdict, RetireVerdict::Deregistered, "{:#?}", run.said);
    run.assert_unviolated();
}

#[test]
fn invariant_8_a_rollback_of_the_migration_and_a_retirement_never_write_the_same_routes() {
    let mut run = Retiring::new(terms("deregistered"));
    while run.look().unwrap().unwrap().phase != Some(RetirementPhase::Watching) {
        run.pass(1);
    }
    let holders: Vec<String> = run.stage.ledger.snapshot().held().map(|holder| holder.migration.to_string()).collect();
    assert_eq!(holders, ["users.retirement-1", "users.retirement-1"]);
    let input = json!({"cursor": {"service": "users", "cause": "slow"}, "execution": "arn", "mode": "act"});
    let refused = run.stage.call("roll-back", &input);
    assert!(run.is_detached(), "{refused:?}");
    assert_eq!(run.run().verdict, RetireVerdict::Deregistered, "{:#?}", run.said);
}

#[test]
fn the_hook_is_called_once_and_stands_for_what_the_load_balancer_cannot_count() {
    let mut run = Retiring::hooked(json!({"keepOld": "10m", "idleFor": "15m"}), "crossfade-hook-nobody-calls");
    let mut calls = 0;
    let end = loop {
        let cursor = run.look().unwrap().unwrap();
        calls += usize::from(cursor.verdict == RetireVerdict::Hook);
        assert!(cursor.hook.as_ref().is_none_or(|hook| hook.function == "crossfade-hook-nobody-calls"));
        if !cursor.verdict.goes_on() {
            break cursor;
        }
        run.pass(cursor.wait_seconds.div_ceil(60));
    };
    assert_eq!((end.verdict, calls), (RetireVerdict::Deregistered, 1), "{:#?}", run.said);
    let kinds = run.kinds();
    assert!(
        matches!(kinds[..3], [Kind::Begun { .. }, Kind::HookCalled { .. }, Kind::HookAnswered { .. }]),
        "{kinds:?}"
    );
    let proof = kinds.iter().find_map(|kind| match kind {
        Kind::DetachIntended { proof, .. } => Some(proof.clone()),
        _ => None,
    });
    let proof = proof.unwrap();
    assert!(proof.contains("directCallers: crossfade-hook-nobody-calls has checked it"), "{proof}");
}

#[test]
fn a_service_without_a_hook_and_without_a_waiver_is_refused_with_what_to_do() {
    let mut run = Retiring::new(json!({"keepOld": "10m", "idleFor": "15m"}));
    let refused = run.look().unwrap().unwrap();
    assert_eq!((refused.verdict, refused.number), (RetireVerdict::Refused, 0));
    assert!(refused.reason.contains("hooks.beforeRetire"), "{}", refused.reason);
    assert!(refused.reason.contains("waive backgroundWork with a reason"), "{}", refused.reason);
}

#[test]
fn invariant_16_a_freeze_holds_the_detach_and_the_deletion_and_never_an_undo() {
    let frozen = json!({
        "timeZone": "UTC",
        "freeze": [{"from": "2026-11-02T03:10:00", "to": "2026-11-02T06:00:00", "why": "year end"}],
    });
    let mut run = Retiring::in_windows(terms("deregistered"), frozen.clone());
    for _ in 0..20 {
        let cursor = run.look().unwrap().unwrap();
        assert_eq!(cursor.phase, Some(RetirementPhase::Proving), "{:#?}", run.said);
        run.pass(5);
    }
    assert!(run.said.last().unwrap().contains("year end"), "{:#?}", run.said);
    assert_eq!(run.run().verdict, RetireVerdict::Deregistered, "{:#?}", run.said);
    run.assert_unviolated();

    let later = json!({
        "timeZone": "UTC",
        "freeze": [{"from": "2026-11-02T03:40:00", "to": "2026-11-02T06:00:00", "why": "year end"}],
    });
    let mut run = Retiring::in_windows(terms("deregistered"), later);
    while run.look().unwrap().unwrap().phase != Some(RetirementPhase::Watching) {
        run.pass(1);
    }
    run.pass(30);
    let held = run.look().unwrap().unwrap();
    assert!(held.reason.contains("year end"), "{}", held.reason);
    run.command(json!({"command": "undo", "who": "ana"}));
    assert_eq!(run.run().verdict, RetireVerdict::Undone, "{:#?}", run.said);
    run.assert_as_before();
}

#[test]
fn an_execution_that_dies_is_continued_by_the_next_one_wherever_it_was() {
    for looks in 1..12 {
        let mut run = Retiring::new(terms("deregistered"));
        for _ in 0..looks {
            let cursor = run.look().unwrap().unwrap();
            run.pass(cursor.wait_seconds.div_ceil(60).min(5));
        }
        run.command(json!({}));
        let end = run.run();
        assert_eq!((end.verdict, end.number), (RetireVerdict::Deregistered, 1), "{:#?}", run.said);
        run.assert_unviolated();
    }
}

#[test]
fn a_hook_that_fails_is_called_again_and_nothing_goes_before_it_succeeds() {
    let mut run = Retiring::hooked(json!({"keepOld": "10m", "idleFor": "15m"}), "crossfade-hook-nobody-calls");
    run.hook_fails = true;
    for _ in 0..20 {
        let cursor = run.look().unwrap().unwrap();
        assert_eq!(cursor.phase, Some(RetirementPhase::Proving), "{:#?}", run.said);
        run.pass(5);
    }
    assert!(run.said.iter().any(|said| said.contains("StillUsed: 12 requests a minute")), "{:#?}", run.said);
    assert!(run.said.iter().filter(|said| said.contains("Hook calling")).count() > 1, "{:#?}", run.said);
    run.hook_fails = false;
    assert_eq!(run.run().verdict, RetireVerdict::Deregistered, "{:#?}", run.said);
}

#[test]
fn the_hook_after_it_is_called_when_the_targets_are_gone_and_before_anything_is_deleted() {
    let hooks = json!({"afterRetire": "crossfade-hook-scale-down"});
    let mut run = Retiring::of([("retire", terms("deleted")), ("hooks", hooks)], |_, _| ());
    assert_eq!(run.run_approving().verdict, RetireVerdict::Deleted, "{:#?}", run.said);
    let kinds = run.kinds();
    let position = |wanted: &dyn Fn(&Kind) -> bool| kinds.iter().position(wanted).unwrap();
    let called =
        position(&|kind| matches!(kind, Kind::HookCalled { function, .. } if function.ends_with("scale-down")));
    assert_eq!(position(&|kind| *kind == Kind::Deregistered) + 1, called);
    assert!(matches!(kinds[called + 1], Kind::HookAnswered { .. }));
    assert!(position(&|kind| matches!(kind, Kind::DeleteIntended { .. })) > called + 1);
    run.assert_unviolated();
}

#[test]
fn each_end_before_the_last_is_a_rest_from_which_it_goes_on_or_back() {
    let mut run = Retiring::new(terms("idle"));
    let idle = run.run();
    assert_eq!((idle.verdict, idle.phase), (RetireVerdict::Idle, Some(RetirementPhase::Proving)));
    assert!(run.is_attached() && idle.reason.contains("--until deregistered"), "{}", idle.reason);
    run.pass(60);
    run.command(json!({"until": "detached"}));
    let detached = run.run();
    assert_eq!((detached.verdict, run.targets()), (RetireVerdict::Detached, 2), "{:#?}", run.said);
    assert!(run.is_detached());
    run.command(json!({"until": "deregistered"}));
    assert_eq!(run.run().verdict, RetireVerdict::Deregistered, "{:#?}", run.said);
    run.command(json!({"until": "deleted"}));
    assert_eq!(run.run_approving().verdict, RetireVerdict::Deleted, "{:#?}", run.said);
    run.assert_unviolated();

    let mut run = Retiring::new(terms("detached"));
    assert_eq!(run.run().verdict, RetireVerdict::Detached);
    run.command(json!({"command": "undo", "who": "ana"}));
    assert_eq!(run.run().verdict, RetireVerdict::Undone, "{:#?}", run.said);
    run.assert_as_before();
}

#[test]
fn evidence_that_nothing_can_show_may_be_waived_after_the_beginning() {
    let mut run = Retiring::new(terms("deregistered"));
    run.counted = false;
    for _ in 0..8 {
        assert_eq!(run.look().unwrap().unwrap().phase, Some(RetirementPhase::Proving));
        run.pass(10);
    }
    run.command(json!({"waive": [{"evidence": "loadBalancer", "why": "its nodes are off"}], "who": "ana"}));
    assert_eq!(run.run().verdict, RetireVerdict::Deregistered, "{:#?}", run.said);
    let waived = run.kinds().into_iter().any(|kind| matches!(kind, Kind::Waived { who, .. } if who == "ana"));
    assert!(waived, "{:#?}", run.kinds());
}

#[test]
fn a_route_that_a_migration_holds_is_waited_for() {
    let mut run = Retiring::new(terms("deregistered"));
    while run.look().unwrap().unwrap().verdict != RetireVerdict::Detach {
        run.pass(1);
    }
    let (ledger, now) = (run.stage.ledger.clone(), run.stage.world.now());
    let before = ledger.snapshot();
    let mut items = before.clone();
    for lock in items.locks.values_mut() {
        lock.free_at = None;
    }
    ledger.restore(items);
    let held = run.look().unwrap().unwrap();
    assert_eq!((held.verdict, held.phase), (RetireVerdict::Wait, Some(RetirementPhase::Proving)), "{now}");
    assert!(held.reason.contains("users-1"), "{}", held.reason);
    let mut items = ledger.snapshot();
    items.locks = before.locks;
    ledger.restore(items);
    run.pass(2);
    assert_eq!(run.run().verdict, RetireVerdict::Deregistered, "{:#?}", run.said);
}
