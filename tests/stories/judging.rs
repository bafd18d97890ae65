//! Migrations whose new cluster is compared with the old one, from counts in CloudWatch to where they come to rest.

mod counting;
mod replaying;

use super::stage::{Stage, new_group, users};
use crate::simulation::PortFault;
use crossfade_domain::journal::{Event, EventKind, Phase, Trigger};
use crossfade_domain::plan::FindingCode;
use crossfade_world::cloudwatch::{Outcome, RequestRecord};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// A step at 50 % that bakes for a quarter of an hour, and no alarm. Its targets are warm by then.
fn unguarded(fields: &Value) -> Value {
    let mut policy = users();
    policy["service"]["alarms"] = json!([]);
    policy["service"]["judge"] = json!({"warmUp": {"requests": 500}});
    policy["service"]["schedule"] = json!([{"weight": 50, "bake": "15m"}, {"weight": 100, "bake": "3m"}]);
    for (field, value) in fields.as_object().unwrap() {
        policy["service"][field] = value.clone();
    }
    policy
}

/// What one request came to, by its number within its minute.
type Served = fn(u32) -> (Outcome, f64);

fn fine(number: u32) -> (Outcome, f64) {
    (Outcome::Target(200), 0.1 + f64::from(number % 100) / 1000.0)
}

fn a_tenth_fails(number: u32) -> (Outcome, f64) {
    if number.is_multiple_of(10) { (Outcome::Target(500), 0.1) } else { fine(number) }
}

/// Three in ten reach a target and never get an answer.
fn some_hang(number: u32) -> (Outcome, f64) {
    if number % 10 < 3 { (Outcome::TimedOut, 60.0) } else { fine(number) }
}

fn twice_as_slow(number: u32) -> (Outcome, f64) {
    (Outcome::Target(200), 2.0 * fine(number).1)
}

/// Half an hour of 200 requests a minute for the old group, then an hour of 200 for each group.
fn stage(new: Served) -> Stage {
    // The same seed gives the same ARNs, so that the new group is known before it exists.
    let (mut rehearsed, service) = Stage::with_users();
    rehearsed.migrate(unguarded(&json!({"judge": false})));
    let new_group = rehearsed.new_group("users", &service.old_group);
    let (stage, service) = Stage::with_users();
    let started = stage.world.now();
    stage.world.advance(SignedDuration::from_mins(30));
    for minute in 0..90 {
        let at = started + SignedDuration::from_secs(60 * minute + 30);
        serve(&stage, at, &service.load_balancer, &service.old_group, fine);
        if minute >= 30 {
            serve(&stage, at, &service.load_balancer, &new_group, new);
        }
    }
    stage
}

fn serve(stage: &Stage, at: Timestamp, load_balancer: &str, group: &str, served: Served) {
    let load_balancer = load_balancer.split_once("loadbalancer/").unwrap().1.to_owned();
    let target_group = group.rsplit(':').next().map(str::to_owned);
    stage.world.with(|state| {
        for number in 0..200 {
            let (outcome, latency_seconds) = served(number);
            let (load_balancer, target_group) = (load_balancer.clone(), target_group.clone());
            let record = RequestRecord { load_balancer, target_group, outcome, latency_seconds };
            state.cloudwatch.record_request(at, &record);
        }
    });
}

fn reason_of(event: &Event) -> Option<String> {
    if let EventKind::Judged { reason, .. } = &event.kind { Some(reason.clone()) } else { None }
}

fn time_of_shift(event: &Event) -> Option<Timestamp> {
    matches!(event.kind, EventKind::Shifted { .. }).then_some(event.at)
}

#[track_caller]
fn rolled_back_by_the_judge(stage: &Stage, sentence: &str) {
    stage.assert_at_rest("users");
    let head = stage.head("users");
    assert_eq!(head.phase, Phase::RolledBack, "{}", stage.told());
    let rollback = head.rollback.unwrap();
    assert_eq!(rollback.trigger, Trigger::CheckAlarms);
    assert!(rollback.cause.contains(sentence), "{}", rollback.cause);
}

#[test]
fn a_cluster_that_fails_more_is_rolled_back_in_the_middle_of_the_bake_with_the_judges_sentence() {
    let mut stage = stage(a_tenth_fails);
    stage.migrate(unguarded(&json!({})));
    rolled_back_by_the_judge(&stage, "judge: new cluster fails 10.0 % of requests (");
    let head = stage.head("users");
    let shifted = stage.recorded("users", time_of_shift).pop().unwrap();
    let minutes = head.rollback.unwrap().begun_at.duration_since(shifted).as_mins();
    assert!((4..10).contains(&minutes), "after {minutes} minutes\n{}", stage.told());
}

#[test]
fn a_cluster_that_never_answers_some_requests_is_rolled_back() {
    let mut stage = stage(some_hang);
    stage.migrate(unguarded(&json!({})));
    rolled_back_by_the_judge(&stage, "judge: new cluster fails 30.0 % of requests (");
}

#[test]
fn a_cluster_that_never_answers_some_requests_is_rolled_back_by_a_guard_alarm_too() {
    let mut stage = stage(some_hang);
    stage.migrate(unguarded(&json!({"judge": false, "guardAlarms": "auto"})));
    stage.assert_at_rest("users");
    let head = stage.head("users");
    assert_eq!(head.phase, Phase::RolledBack, "{}", stage.told());
    let rollback = head.rollback.unwrap();
    assert_eq!(rollback.trigger, Trigger::AlarmEvent);
    assert!(rollback.cause.contains("crossfade-guard-users-1-unanswered"), "{}", rollback.cause);
}

#[test]
fn a_cluster_that_is_slower_is_rolled_back_too() {
    let mut stage = stage(twice_as_slow);
    stage.migrate(unguarded(&json!({})));
    rolled_back_by_the_judge(&stage, "judge: new cluster is slow (over the old p95) for ");
}

#[test]
fn a_cluster_like_the_old_one_arrives_and_the_journal_says_what_was_compared() {
    let mut stage = stage(fine);
    stage.migrate(unguarded(&json!({"onInconclusive": "rollback"})));
    stage.assert_at_rest("users");
    assert_eq!(stage.head("users").phase, Phase::Migrated, "{}", stage.told());
    let judged = stage.recorded("users", reason_of);
    assert!(
        judged.iter().any(|reason| reason.contains("(judge: no worse than tolerated: new cluster fails 0.0 %")),
        "{judged:?}"
    );
    assert!(judged.iter().any(|reason| reason.contains("(judge: silent at 100 %")), "{judged:?}");
}

#[test]
fn no_reason_claims_that_failed_grpc_calls_were_compared_and_no_bake_ends_early() {
    let mut stage = stage(fine);
    let old = stage.world.with(|state| state.elbv2.group_named("users-swarm").unwrap().to_owned());
    stage.world.with(|state| state.elbv2.make_grpc(&old));
    let schedule = json!([{"weight": 50, "bake": "30m"}, {"weight": 100, "bake": "3m"}]);
    stage.migrate(unguarded(&json!({"schedule": schedule, "minBake": "1m"})));
    assert_eq!(stage.head("users").phase, Phase::Migrated, "{}", stage.told());
    let [_, half, full] = stage.recorded("users", time_of_shift)[..] else { panic!("{}", stage.told()) };
    assert_eq!(full.duration_since(half).as_mins(), 30);
    let said = "judge: failed gRPC calls not compared (they are answered with HTTP 200); by HTTP alone: ";
    let judged = stage.recorded("users", reason_of);
    let by_the_judge: Vec<&String> = judged.iter().filter(|reason| reason.contains("judge: ")).collect();
    assert!(!by_the_judge.is_empty() && by_the_judge.iter().all(|reason| reason.contains(said)), "{judged:?}");
    let codes: Vec<FindingCode> = stage.plan("users").findings.iter().map(|finding| finding.code).collect();
    assert!(codes.contains(&FindingCode::FailedCallsUnseen), "{codes:?}");
}

#[test]
fn a_bake_ends_early_when_the_policy_allows_it_and_the_judge_has_seen_enough() {
    let minutes = |fields: &Value| {
        let mut stage = stage(fine);
        let schedule = json!([{"weight": 50, "bake": "30m"}, {"weight": 100, "bake": "12m"}]);
        let mut fields = fields.clone();
        fields["schedule"] = schedule;
        stage.migrate(unguarded(&fields));
        assert_eq!(stage.head("users").phase, Phase::Migrated, "{}", stage.told());
        let [_, half, full] = stage.recorded("users", time_of_shift)[..] else { panic!("{}", stage.told()) };
        let finished = stage.events("users").into_iter().rfind(|event| event.kind.is_end()).unwrap().at;
        (full.duration_since(half).as_mins(), finished.duration_since(full).as_mins())
    };
    assert_eq!(minutes(&json!({})), (30, 12));
    assert_eq!(minutes(&json!({"minBake": "20m"})), (20, 12), "not before its minimum, and never the final bake");
    let (earliest, last) = minutes(&json!({"minBake": "1m"}));
    assert!((7..=12).contains(&earliest), "not before the judge has seen enough: {earliest}");
    assert_eq!(last, 12);
}

#[test]
fn that_one_step_was_fine_never_ends_the_next_one_early() {
    let mut stage = stage(fine);
    let schedule = json!([
        {"weight": 50, "bake": "30m"}, {"weight": 60, "bake": "30m"}, {"weight": 100, "bake": "2m"},
    ]);
    stage.migrate(unguarded(&json!({"schedule": schedule, "minBake": "1m"})));
    assert_eq!(stage.head("users").phase, Phase::Migrated, "{}", stage.told());
    let [_, first, second, full] = stage.recorded("users", time_of_shift)[..] else { panic!("{}", stage.told()) };
    for bake in [second.duration_since(first), full.duration_since(second)] {
        assert!((7..=12).contains(&bake.as_mins()), "{bake}\n{}", stage.told());
    }
}

#[test]
fn a_judge_that_is_switched_off_reads_nothing() {
    let mut stage = stage(a_tenth_fails);
    stage.migrate(unguarded(&json!({"judge": false})));
    assert_eq!(stage.head("users").phase, Phase::Migrated, "{}", stage.told());
    let calls = stage.calls.made();
    let reads: Vec<usize> = (0..calls.len()).filter(|call| calls[*call] == "metric_data").collect();
    let released = calls.iter().position(|call| *call == "release").unwrap();
    assert!(reads.len() == 1 && reads[0] > released, "only the requests are counted, after the end: {calls:?}");
}

#[test]
fn metrics_that_cannot_be_read_hold_at_the_end_of_the_bake_until_a_person_is_needed() {
    for fault in [PortFault::Throttled, PortFault::Denied] {
        let mut stage = stage(fine);
        let calls = stage.calls.clone();
        stage.once_before("Check alarms", move |_| calls.always("metric_data", fault));
        stage.migrate(unguarded(&json!({"maxHold": "1h"})));
        stage.assert_at_rest("users");
        let head = stage.head("users");
        assert_eq!((head.phase, head.verified_step), (Phase::Halted, Some(1)), "{}", stage.told());
        assert!(head.reason.clone().unwrap().contains("judge: could not be read: "), "{head:?}");
    }
}

#[test]
fn nothing_is_begun_while_metrics_cannot_be_read() {
    let (mut stage, _) = Stage::with_users();
    stage.calls.always("metric_data", PortFault::Denied);
    let execution = stage.migrate(unguarded(&json!({})));
    let (_, error) = stage.ended(&execution);
    assert_eq!((error.as_str(), stage.heads().len()), ("Refused", 0), "{}", stage.told());
}

#[test]
fn a_new_cluster_that_gets_nothing_of_its_share_holds_and_does_not_go_on() {
    // Traffic for the old group alone, long after the shift.
    let (mut stage, service) = Stage::with_users();
    let started = stage.world.now();
    for minute in 0..90 {
        let at = started + SignedDuration::from_secs(60 * minute + 30);
        serve(&stage, at, &service.load_balancer, &service.old_group, fine);
    }
    stage.migrate(unguarded(&json!({"maxHold": "30m"})));
    stage.assert_at_rest("users");
    let head = stage.head("users");
    assert_eq!((head.phase, head.verified_step), (Phase::Halted, Some(1)), "{}", stage.told());
    let reason = head.reason.unwrap();
    assert!(reason.contains("requests at this step, less than half of its share of 50 %"), "{reason}");
}

#[test]
fn one_look_is_one_question_to_cloudwatch() {
    let mut stage = stage(fine);
    stage.migrate(unguarded(&json!({})));
    let looks = stage.visits("Check alarms").len();
    let asked = stage.calls.numbers_of("metric_data").len();
    let others =
        "two more when the plan was made: what is slow, and the hour before; one for the requests after the end";
    assert_eq!(asked, looks + 3, "{others}");
}

#[test]
fn a_rollback_that_was_recorded_stays_decided_although_its_function_died_and_what_it_saw_is_over() {
    let (mut stage, service) = Stage::with_users();
    stage.before_checks(move |check, world, calls| {
        let new = new_group(world, &service);
        if check == 1 {
            world.make_unhealthy(&new);
            calls.always("record", PortFault::DiesAfter);
        } else {
            world.make_healthy(&new);
            calls.clear();
        }
    });
    stage.migrate(users());
    stage.assert_at_rest("users");
    let head = stage.head("users");
    assert_eq!(head.phase, Phase::RolledBack, "{}", stage.told());
    let cause = head.rollback.unwrap().cause;
    assert!(cause.contains("health: ") && cause.contains("0 of 2 targets healthy"), "{cause}");
    assert_eq!(stage.recorded("users", reason_of).len(), 1, "decided once");
}

#[test]
fn counts_that_cloudwatch_gives_in_part_are_not_judged() {
    let mut stage = stage(a_tenth_fails);
    stage.once_before("Check alarms", |world| {
        world.with(|state| state.cloudwatch.end_metric_data_with("PartialData"));
    });
    stage.migrate(unguarded(&json!({"maxHold": "1h"})));
    let head = stage.head("users");
    assert_eq!((head.phase, head.verified_step), (Phase::Halted, Some(1)), "{}", stage.told());
    assert!(head.reason.clone().unwrap().contains("PartialData"), "{head:?}");
}

#[test]
fn a_migration_that_outlives_what_cloudwatch_keeps_is_not_compared_any_more_and_says_so() {
    let mut stage = Stage::with_users().0;
    stage.migrate(unguarded(&json!({"onInconclusive": "hold", "maxHold": "16d"})));
    stage.assert_at_rest("users");
    let head = stage.head("users");
    assert_eq!((head.phase, head.verified_step), (Phase::Halted, Some(1)), "{}", stage.told());
    let reason = head.reason.unwrap();
    let expected = "judge: inconclusive at the end of the bake: not compared any more: the first shift was 15 days ago";
    assert!(reason.contains(expected), "{reason}");
}

#[test]
fn the_plan_keeps_what_was_measured_before_and_no_look_measures_it_again() {
    let mut stage = stage(fine);
    stage.migrate(unguarded(&json!({})));
    let plan = stage.plan("users");
    assert!(
        plan.dispersion.len() == 4 && plan.dispersion.values().all(|dispersion| (1.0..=5.0).contains(dispersion)),
        "{:?}",
        plan.dispersion
    );
}

#[test]
fn a_step_that_nobody_calls_is_held_and_halts_unless_the_policy_says_otherwise() {
    let ends = |fields: &Value| {
        let mut stage = Stage::with_users().0;
        let mut fields = fields.clone();
        fields["maxHold"] = json!("1h");
        stage.migrate(unguarded(&fields));
        stage.assert_at_rest("users");
        let head = stage.head("users");
        (head.phase, head.reason.unwrap_or_default())
    };
    let quiet = "no new traffic: the new cluster has had no request at this step";
    for policy in ["advance", "hold", "rollback"] {
        let (phase, reason) = ends(&json!({"onInconclusive": policy, "onNoTraffic": "hold"}));
        assert_eq!(phase, Phase::Halted, "{reason}");
        let expected = format!("judge: {quiet}; slowness not compared");
        assert!(reason.contains(&expected), "{reason}");
        assert!(reason.contains("nobody has judged it (onNoTraffic: advance continues)"), "{reason}");
    }
    assert_eq!(ends(&json!({"onInconclusive": "advance"})).0, Phase::Migrated);
    for (policy, phase) in [("hold", Phase::Halted), ("rollback", Phase::RolledBack)] {
        let (ended, reason) = ends(&json!({"onInconclusive": policy}));
        assert_eq!(ended, phase, "{reason}");
        assert!(reason.contains(&format!("judge: inconclusive at the end of the bake: {quiet}")), "{reason}");
    }
}
