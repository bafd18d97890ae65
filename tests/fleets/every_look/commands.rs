//! Commands at every call of the conductor.

use super::{FLEET, FleetStage, Interrupted, LATE, at_every_call, commanded, insist, name};
use crossfade_domain::fleet::head::RunState;
use crossfade_domain::journal::{EventKind, Phase};
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};

const MIGRATED: &str = "a migrated, b migrated, c migrated";

/// `a` and `b`, which move at the same time, and `c`, which is planned with them and waits until one has arrived.
fn fleet() -> FleetStage {
    let rollout = json!({"waveBake": "2m", "concurrency": 2});
    let mut fleet = FleetStage::new(&[("a", &[]), ("b", &[]), ("c", &[])], rollout);
    for service in fleet.policy["services"].as_array_mut().unwrap() {
        // Longer than a pause takes to arrive, or a service that is not held would have migrated in time.
        service["schedule"][0]["bake"] = json!("5m");
    }
    fleet.apply();
    fleet
}

/// Plays a command at every call. `judged` is called for the runs that took it. Where the run had not begun or was
/// over, it is refused and changes nothing.
#[track_caller]
fn check(input: &serde_json::Value, judged: impl Fn(&mut Interrupted) -> Vec<String> + Sync) {
    let taken = AtomicUsize::new(0);
    let action = input["action"].as_str().unwrap();
    at_every_call(
        fleet,
        |stage| commanded(stage, input.clone()),
        |mut run| {
            if run.took(action) {
                taken.fetch_add(1, Ordering::Relaxed);
                return judged(&mut run);
            }
            run.fleet.run();
            run.wrong(&[MIGRATED])
        },
    );
    assert!(taken.load(Ordering::Relaxed) > 50, "{taken:?} runs took {action}");
}

impl Interrupted {
    /// Goes on after a pause of so many minutes.
    fn resumed_after(&mut self, minutes: i64) {
        self.fleet.minutes(minutes);
        insist(&mut self.fleet, &json!({"fleet": FLEET, "action": "resume"}));
        self.fleet.run();
    }

    /// The services that began a migration after the command, and not in a call that was under way.
    fn begun_since(&self) -> Vec<&'static str> {
        let late = |service: &&str| self.fleet.began(service).is_some_and(|began| began > self.at + LATE);
        ["a", "b", "c"].into_iter().filter(late).collect()
    }

    fn moving(&self) -> Vec<&'static str> {
        ["a", "b", "c"].into_iter().filter(|service| self.fleet.phase(service) == Some(Phase::Moving)).collect()
    }
}

#[test]
fn invariant_17_a_pause_at_every_call_starts_and_raises_nothing_until_it_is_resumed() {
    check(&json!({"fleet": FLEET, "action": "pause"}), |run| {
        run.fleet.minutes(30);
        let mut wrong: Vec<String> = run.begun_since().iter().map(|service| format!("{service} began")).collect();
        for service in run.moving() {
            if !run.fleet.head(service).commands.paused {
                wrong.push(format!("{service} is not held"));
            }
        }
        if run.fleet.fleet().state != RunState::Paused {
            wrong.push(format!("the run is {:?}", run.fleet.fleet().state));
        }
        run.resumed_after(1);
        wrong.extend(run.wrong(&[MIGRATED]));
        wrong
    });
}

#[test]
fn a_drain_at_every_call_starts_nothing_and_lets_what_moves_arrive() {
    check(&json!({"fleet": FLEET, "action": "pause", "drain": true}), |run| {
        run.fleet.minutes(30);
        let mut wrong: Vec<String> = run.begun_since().iter().map(|service| format!("{service} began")).collect();
        wrong.extend(run.moving().iter().map(|service| format!("{service} has not arrived")));
        run.resumed_after(1);
        wrong.extend(run.wrong(&[MIGRATED]));
        wrong
    });
}

#[test]
fn an_abort_at_every_call_returns_what_moves_and_starts_nothing_more() {
    check(&json!({"fleet": FLEET, "action": "abort"}), |run| {
        run.fleet.run();
        let mut wrong = run.wrong(&[run.fleet.states().as_str()]);
        wrong.extend(run.begun_since().iter().map(|service| format!("{service} began")));
        if run.fleet.fleet().state != RunState::Over {
            wrong.push(format!("the run is {:?}", run.fleet.fleet().state));
        }
        for service in ["a", "b", "c"] {
            let finished = |event: &crossfade_domain::journal::Event| {
                matches!(event.kind, EventKind::Finished { .. }).then_some(event.at)
            };
            let back = match run.fleet.phase(service) {
                None => true,
                Some(Phase::Migrated) => run.fleet.recorded(service, finished)[0] <= run.at + LATE,
                Some(Phase::RolledBack | Phase::Refused) => run.fleet.is_at_baseline(service),
                Some(_) => false,
            };
            if !back {
                wrong.push(format!("{service} is {:?}", run.fleet.phase(service)));
            }
        }
        wrong
    });
}

#[test]
fn a_skip_at_every_call_takes_a_service_that_waits_out_of_the_run() {
    check(&json!({"fleet": FLEET, "action": "skip", "service": "c"}), |run| {
        run.fleet.run();
        let mut wrong = run.wrong(&["a migrated, b migrated, c skipped"]);
        if run.fleet.began("c").is_some() {
            wrong.push(format!("{} began although it was skipped", name("c")));
        }
        wrong
    });
}
