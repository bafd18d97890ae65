//! New targets that are slow until they have answered enough requests, and a hook that warms them before users do.

use super::stage::{Stage, users};
use crate::simulation::HookDoes;
use crossfade_domain::journal::hook_answer::warmed_requests;
use crossfade_domain::journal::{Event, EventKind, Phase};
use crossfade_world::cloudwatch::{Outcome, RequestRecord};
use crossfade_world::cold::ColdCurve;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// Requests a minute for each group.
const EACH_MINUTE: u32 = 200;
/// The targets of the new group.
const TARGETS: u32 = 2;

/// A step at 50 % that bakes for a quarter of an hour, a hook before it, and no alarm.
fn warmed_before(fields: &Value) -> Value {
    let mut policy = users();
    policy["service"]["alarms"] = json!([]);
    policy["service"]["schedule"] = json!([{"weight": 50, "bake": "15m"}, {"weight": 100, "bake": "3m"}]);
    policy["service"]["hooks"] = json!({"beforeFirstShift": "crossfade-hook-users-warm-up"});
    for (field, value) in fields.as_object().unwrap() {
        policy["service"][field] = value.clone();
    }
    policy
}

/// A target with its measured curve.
struct Target {
    curve: ColdCurve,
    answered: u64,
    /// Slow answers that are due, and those it has given.
    due: f64,
    slow: u64,
}

impl Target {
    /// The latency of its next answer, in seconds: exactly the curve's share is above the old group's p95.
    fn answers(&mut self, number: u32) -> f64 {
        self.due += self.curve.share(self.answered);
        self.answered += 1;
        if self.due >= 1.0 {
            self.due -= 1.0;
            self.slow += 1;
            // Every second one is only a little slower than the old p95.
            return if self.slow.is_multiple_of(2) { 0.3 } else { 0.21 };
        }
        0.1 + f64::from(number % 95) / 1000.0
    }
}

/// Half an hour of requests for the old group, then ninety minutes for each. `warmed` requests are what each new target
/// had answered before, and what the hook says of them.
fn stage(warmed: u32) -> Stage {
    // The same seed gives the same ARNs, so that the new group is known before it exists.
    let (mut rehearsed, service) = Stage::with_users();
    rehearsed.migrate(warmed_before(&json!({"judge": false})));
    let new_group = rehearsed.new_group("users", &service.old_group);
    let (mut stage, service) = Stage::with_users();
    let started = stage.world.now();
    stage.world.advance(SignedDuration::from_mins(30));
    let target = || Target { curve: ColdCurve::measured(2_000), answered: warmed.into(), due: 0.0, slow: 0 };
    let mut targets: [Target; TARGETS as usize] = std::array::from_fn(|_| target());
    for minute in 0..120 {
        let at = started + SignedDuration::from_secs(60 * minute + 30);
        let old = |number| 0.1 + f64::from(number % 100) / 1000.0;
        serve(&stage, at, &service.load_balancer, &service.old_group, old);
        if minute >= 30 {
            let new = |number: u32| targets[(number % TARGETS) as usize].answers(number);
            serve(&stage, at, &service.load_balancer, &new_group, new);
        }
    }
    stage.hooks_do([HookDoes::SaysWarmed(warmed.into())]);
    stage
}

/// Answers a minute's requests of a group. `latency` gives the seconds of each, by its number.
fn serve(stage: &Stage, at: Timestamp, load_balancer: &str, group: &str, mut latency: impl FnMut(u32) -> f64) {
    let load_balancer = load_balancer.split_once("loadbalancer/").unwrap().1;
    let target_group = group.rsplit(':').next();
    stage.world.with(|state| {
        state.cloudwatch.record_hosts(at, load_balancer, target_group.unwrap(), TARGETS, 0);
        for number in 0..EACH_MINUTE {
            let record = RequestRecord {
                load_balancer: load_balancer.to_owned(),
                target_group: target_group.map(str::to_owned),
                outcome: Outcome::Target(200),
                latency_seconds: latency(number),
            };
            state.cloudwatch.record_request(at, &record);
        }
    });
}

fn reason_of(event: &Event) -> Option<String> {
    if let EventKind::Judged { reason, .. } = &event.kind { Some(reason.clone()) } else { None }
}

/// Minutes from the first shift to the second.
fn minutes_at_the_first_step(stage: &Stage) -> i64 {
    let shifted = |event: &Event| matches!(event.kind, EventKind::Shifted { .. }).then_some(event.at);
    let [_, half, full] = stage.recorded("users", shifted)[..] else { panic!("{}", stage.told()) };
    full.duration_since(half).as_mins()
}

#[test]
fn cold_targets_are_not_judged_by_slow_until_they_are_warm_and_arrive_later() {
    let mut stage = stage(0);
    stage.migrate(warmed_before(&json!({"onInconclusive": "hold"})));
    stage.assert_at_rest("users");
    assert_eq!(stage.head("users").phase, Phase::Migrated, "{}", stage.told());
    assert!(minutes_at_the_first_step(&stage) > 20, "{}", stage.told());
    let judged = stage.recorded("users", reason_of);
    assert!(judged.iter().any(|reason| reason.contains("slow is not judged yet: targets are cold (")), "{judged:#?}");
}

#[test]
fn targets_that_a_hook_has_warmed_are_judged_and_arrive_on_time() {
    let mut stage = stage(2_000);
    stage.migrate(warmed_before(&json!({})));
    stage.assert_at_rest("users");
    assert_eq!(stage.head("users").phase, Phase::Migrated, "{}", stage.told());
    assert_eq!(warmed_requests(&stage.events("users")), 2_000);
    assert_eq!(minutes_at_the_first_step(&stage), 15, "{}", stage.told());
    let judged = stage.recorded("users", reason_of);
    assert!(judged.iter().all(|reason| !reason.contains("cold")), "{judged:#?}");
}
