//! What a fleet's policy says of its rollout.

use super::*;
use crate::policy::document::{check_fleet, decode_fleet};

fn fleet(rollout: &Value, services: &[(&str, &[&str])]) -> Value {
    let service = |(name, after): &(&str, &[&str])| {
        json!({ "name": name, "after": after, "oldTargetGroups": format!("{name}-swarm"),
            "newTargets": { "instances": ["i-1", "i-2"] } })
    };
    let services: Vec<Value> = services.iter().map(service).collect();
    json!({ "fleet": "f", "rollout": rollout, "services": services })
}

const FOUR: [(&str, &[&str]); 4] =
    [("sessions", &[]), ("users", &["sessions"]), ("bookings", &["users"]), ("payments", &["users"])];

/// What `check` says of a fleet of four services, whatever `decode` takes.
#[track_caller]
fn check(rollout: &Value, expected: &[&str]) {
    let problems = check_fleet(&fleet(rollout, &FOUR)).err().map(|problems| problems.0).unwrap_or_default();
    let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(said, expected);
}

#[test]
fn every_field_of_a_rollout_is_read_and_left_out_ones_have_their_defaults() {
    let decoded = |rollout: &Value| decode_fleet(&fleet(rollout, &FOUR)).unwrap().rollout;
    assert_eq!(decoded(&json!({})), Rollout::default());
    let given = json!({
        "canary": "sessions", "canaryBake": "12h", "waveSize": 5, "waveBake": "30m", "concurrency": 4,
        "rollbackWithin": "20s", "failures": "25%", "strict": true,
        "stopWhen": { "rollbacks": 3, "within": "15m" }, "alarms": ["cluster-api-errors"], "onStop": "rollBack",
        "order": "listed", "maxNewShare": { "untilWave": 1, "percent": 20 }, "retire": "afterWave",
    });
    let expected = Rollout {
        canary: vec![ServiceName::parse("sessions").unwrap()],
        canary_bake_seconds: 12 * 3_600,
        wave_size: Some(5),
        wave_bake_seconds: 1_800,
        concurrency: 4,
        rollback_within_seconds: 20,
        failures: FailureBudget::Percent(25),
        strict: true,
        stop_when: StopWhen { rollbacks: 3, within_seconds: 900 },
        alarms: vec!["cluster-api-errors".to_owned()],
        on_stop: OnStop::RollBack,
        order: Order::Listed,
        max_new_share: Some(MaxNewShare { until_wave: 1, percent: 20 }),
        retire: RetireWhen::AfterWave,
    };
    assert_eq!(decoded(&given), expected);
    assert_eq!(decoded(&json!({ "stopWhen": { "within": "5m" } })).stop_when.rollbacks, 2);
    assert_eq!(decoded(&json!({ "failures": "0 %" })).failures, FailureBudget::Percent(0));
}

#[test]
fn whatever_is_out_of_range_is_named_with_its_place_in_one_answer() {
    check(
        &json!({
            "canary": ["sessions", "9lives"], "waveSize": 0, "concurrency": 0, "rollbackWithin": "1h",
            "failures": "120%", "strict": "yes", "stopWhen": { "rollbacks": 1 }, "alarms": ["{service}-5xx"],
            "onStop": "rollback", "maxNewShare": { "percent": 100 }, "wavesize": 3,
        }),
        &[
            "rollout.wavesize: unknown field (did you mean \"waveSize\"?)",
            "rollout.canary[1]: service name \"9lives\": expected a letter, then letters, digits, - or _ (48 \
             characters at most, ending in a letter or digit)",
            "rollout.waveSize: 0: expected a whole number from 1 to 1000",
            "rollout.rollbackWithin: \"1h\": expected 1s to 10m",
            "rollout.concurrency: 0: expected a whole number from 1 to 1000",
            "rollout.failures: \"120%\": expected a number of services such as 1, or a share such as \"5%\"",
            "rollout.strict: \"yes\": expected true or false",
            "rollout.stopWhen.rollbacks: 1: expected a whole number from 2 to 1000",
            "rollout.alarms: \"{service}-5xx\": expected no placeholder; a service's own alarms are in its own \
             alarms",
            "rollout.onStop: \"rollback\": expected one of hold, finish, rollBack (did you mean \"rollBack\"?)",
            "rollout.maxNewShare.untilWave: missing: expected the last wave for which it holds",
            "rollout.maxNewShare.percent: 100: expected a whole number from 1 to 99",
        ],
    );
    check(&json!([]), &["rollout: a list: expected an object such as { waveSize: 5 }"]);
}

#[test]
fn a_canary_is_a_service_of_the_fleet_that_can_move_first() {
    check(&json!({ "canary": ["sessions", "users"] }), &[]);
    check(
        &json!({ "canary": ["usrs", "users"] }),
        &[
            "rollout.canary[0]: \"usrs\" is no service of this fleet (did you mean \"users\"?)",
            "rollout.canary[1]: users comes after sessions, which is no canary, but canaries move first: make sessions \
             a canary too, or choose another",
        ],
    );
    check(
        &json!({ "canaryBake": "1h" }),
        &["rollout.canaryBake: there is no canary: name one in canary, or leave canaryBake out"],
    );
}

#[test]
fn a_budget_that_would_never_stop_the_fleet_is_refused() {
    check(&json!({ "failures": 3 }), &[]);
    let said = "tolerates all 4 failures, so the fleet would never stop: expected 3 at most";
    check(&json!({ "failures": 4 }), &[&format!("rollout.failures: 4 {said}")]);
    check(&json!({ "failures": "100%" }), &[&format!("rollout.failures: \"100%\" {said}")]);
    check(&json!({ "failures": "99%" }), &[]);
}

#[test]
fn more_rollbacks_than_can_happen_are_refused() {
    check(&json!({ "stopWhen": { "rollbacks": 3 } }), &[]);
    let never = |count: u32, most: u32, stops: u32| {
        format!(
            "rollout.stopWhen.rollbacks: {count} can never happen: {most} can fail at most, because the fleet \
             stops at failure {stops}; lower it, or leave stopWhen out"
        )
    };
    check(&json!({ "stopWhen": { "rollbacks": 4 } }), &[&never(4, 3, 1)]);
    check(&json!({ "stopWhen": { "rollbacks": 3 }, "failures": 1, "strict": true }), &[&never(3, 2, 2)]);
    check(&json!({ "stopWhen": { "rollbacks": 4 }, "failures": 1 }), &[]);
    check(&json!({ "concurrency": 1 }), &[]);
}

#[test]
fn a_limit_on_the_new_share_ends_before_the_last_wave() {
    let share = |until: u32| json!({ "maxNewShare": { "untilWave": until, "percent": 20 } });
    check(&share(2), &[]);
    let said = "its services could never take all their requests";
    check(
        &share(3),
        &[&format!("rollout.maxNewShare.untilWave: 3, and the last wave is 3: {said}; expected 2 at most")],
    );
    let waves = |canary: &[&str], size: Option<u32>| {
        let mut rollout = share(9);
        rollout["canary"] = json!(canary);
        if let Some(size) = size {
            rollout["waveSize"] = json!(size);
        }
        let problems = check_fleet(&fleet(&rollout, &FOUR)).unwrap_err().to_string();
        problems.split("last wave is ").nth(1).and_then(|rest| rest.split(':').next()).map(str::to_owned)
    };
    assert_eq!(waves(&[], Some(1)).as_deref(), Some("4"));
    assert_eq!(waves(&["sessions"], None).as_deref(), Some("2"));
    assert_eq!(waves(&["sessions", "users"], None).as_deref(), Some("1"));
}

#[test]
fn what_comes_to_nothing_stays_readable_and_is_refused_next_to_other_problems() {
    let mut document = fleet(&json!({ "failures": 9, "canary": "nobody" }), &FOUR);
    assert!(decode_fleet(&document).is_ok());
    document["services"][0]["newTargets"] = json!({});
    let said: Vec<String> = check_fleet(&document).unwrap_err().0.into_iter().map(|problem| problem.path).collect();
    assert_eq!(said, ["services[0].newTargets", "rollout.canary", "rollout.failures"]);
}
