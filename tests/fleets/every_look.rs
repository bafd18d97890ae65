//! A person does something at every call of the conductor: between two looks, and in the middle of each.

mod commands;
mod policies;

use super::every_call::{in_parallel, violations_or_panic};
use super::scenarios::insist;
use super::stage::{FLEET, FleetStage, name};
use super::watch::violations;
use crate::simulation::at_once;
use crate::simulation::wiring::MIGRATE_FLEET;
use crossfade_actions::functions::check_fleet::check_fleet;
use crossfade_domain::fleet::event::FleetEvent;
use crossfade_domain::fleet::head::RunState;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// How long a run of these fleets takes at most, in minutes.
const LONGEST_RUN: i64 = 120;

/// How long a function that was about to start or finish something may still do it.
const LATE: SignedDuration = SignedDuration::from_secs(70);

/// A run of a fleet in which a person did something right before one call of the conductor.
struct Interrupted {
    fleet: FleetStage,
    /// When the person did it.
    at: Timestamp,
}

/// Plays a fleet once for each call of its conductor, up to the moment at which a person does something there.
/// `judged` plays it to its end and returns what is wrong.
#[track_caller]
fn at_every_call(
    fleet: fn() -> FleetStage,
    happens: impl Fn(&FleetStage) -> Box<dyn FnOnce() + Send> + Sync,
    judged: impl Fn(Interrupted) -> Vec<String> + Sync,
) {
    let mut undisturbed = fleet();
    undisturbed.conduct();
    undisturbed.minutes(LONGEST_RUN);
    assert_eq!(undisturbed.fleet().state, RunState::Over, "it takes longer than {LONGEST_RUN} minutes");
    let calls = undisturbed.calls.numbers_by("check-fleet");
    assert!(calls.len() > 80, "{} calls", calls.len());
    let found = in_parallel(&calls, |call| {
        let broken = violations_or_panic(|| judged(interrupted(fleet(), *call, &happens)));
        (!broken.is_empty()).then(|| format!("before call {call}: {broken:?}"))
    });
    assert!(found.is_empty(), "{} of {} runs:\n{}", found.len(), calls.len(), found[..found.len().min(20)].join("\n"));
}

fn interrupted(
    mut fleet: FleetStage,
    call: usize,
    happens: impl Fn(&FleetStage) -> Box<dyn FnOnce() + Send>,
) -> Interrupted {
    let (reached, world, does) = (Arc::new(Mutex::new(None)), fleet.world.clone(), happens(&fleet));
    let noted = Arc::clone(&reached);
    fleet.calls.before(call, move || {
        *noted.lock().unwrap() = Some(world.now());
        does();
    });
    fleet.conduct();
    for _ in 0..LONGEST_RUN {
        if let Some(at) = *reached.lock().unwrap() {
            return Interrupted { fleet, at };
        }
        fleet.minutes(1);
    }
    panic!("call {call} was never reached");
}

/// Brings a command at once, with its first look, while the conductor is in the middle of its own. The machine repeats
/// that look, as after an answer that was lost.
fn commanded(fleet: &FleetStage, input: Value) -> Box<dyn FnOnce() + Send> {
    let (world, machines, plain) = (fleet.world.clone(), fleet.machines.clone(), fleet.plain.clone());
    Box::new(move || {
        let (now, given) = (world.now(), input.clone());
        let started = machines.with(|engine| engine.start_execution(now, MIGRATE_FLEET, Some("commanded"), given));
        at_once(check_fleet(&plain, &json!({"cursor": input, "execution": started.unwrap()}))).unwrap();
    })
}

impl Interrupted {
    /// Whether the journal of the fleet has a command.
    fn took(&self, action: &str) -> bool {
        let items = self.fleet.ledger.snapshot();
        let mut events = items.fleet_journals.values().flatten().flat_map(|entry| &entry.events);
        events.any(|event| matches!(event, FleetEvent::Commanded { command, .. } if command.name() == action))
    }

    /// What is wrong with the run at its end: a broken invariant, another end, or a service that was started twice.
    fn wrong(&self, ends: &[&str]) -> Vec<String> {
        let mut wrong = violations(&self.fleet, &[], &[]);
        let states = self.fleet.states();
        if !ends.contains(&states.as_str()) {
            wrong.push(format!("ended as {states:?}, expected one of {ends:?}"));
        }
        for service in self.fleet.fleet().names() {
            let items = self.fleet.ledger.snapshot();
            let own = |id: &str| id.rsplit_once('-').is_some_and(|(own, _)| own == service.as_str());
            let migrations = items.journals.keys().filter(|id| own(id.as_str())).count();
            if migrations > 1 {
                wrong.push(format!("{service} was started {migrations} times"));
            }
        }
        wrong
    }
}
