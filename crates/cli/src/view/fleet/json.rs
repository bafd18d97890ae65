//! A fleet's run, for programs.

use super::old_sides;
use super::rows::{needs_a_person, why};
use crate::stack::fleets::{Conductor, FleetReading};
use crossfade_domain::fleet::head::FleetHead;
use crossfade_domain::fleet::outlook::headline;
use crossfade_domain::fleet::retiring::OldSide;
use crossfade_domain::gates::checks::seconds_between;
use crossfade_domain::names::ServiceName;
use serde_json::{Value, json};

/// Version of this format.
const VERSION: u32 = 1;

/// Everything that is known of the run.
pub fn object(reading: &FleetReading) -> Value {
    let FleetReading { head, fleet, .. } = reading;
    let (conducted, message) = match &reading.conductor {
        Conductor::Runs => ("running", None),
        Conductor::NotNeeded => ("notNeeded", None),
        Conductor::Ended(why) => ("ended", Some(why)),
        Conductor::Unreadable(error) => ("unreadable", Some(error)),
    };
    let waves: Vec<Value> = head
        .waves
        .iter()
        .enumerate()
        .map(|(place, wave)| {
            json!({
                "wave": place + 1,
                "canary": wave.number == 0,
                "present": usize::try_from(head.wave).is_ok_and(|present| present == place),
                "services": wave.services.iter().map(|name| service(reading, name)).collect::<Vec<_>>(),
            })
        })
        .collect();
    let troubled: Vec<&ServiceName> = head.those(needs_a_person).collect();
    json!({
        "version": VERSION,
        "fleet": fleet.name,
        "run": head.run,
        "state": head.state,
        "reason": head.reason,
        "outcome": head.outcome,
        "headline": headline(&fleet.policy, head),
        "oldSides": old_sides::totals_of(reading),
        "since": head.since,
        "watchedSince": head.baking_since,
        "end": reading.end,
        "secondsLeft": reading.end.map(|end| seconds_between(reading.now, end)),
        "windowsIgnored": head.windows_ignored,
        "policyProblem": fleet.problem,
        "conductor": {"execution": head.execution, "state": conducted, "since": head.conducted_since, "told": message},
        "needAPerson": troubled,
        "waves": waves,
        "readAt": reading.now,
    })
}

fn service(reading: &FleetReading, name: &ServiceName) -> Value {
    let head: &FleetHead = &reading.head;
    let run = head.service(name);
    let position = reading.positions.get(name);
    let side = old_sides::of(reading, name);
    json!({
        "service": name,
        "state": run.state,
        "since": run.since,
        "why": why(&run, position),
        "tries": run.tries,
        "hold": run.hold,
        "execution": run.execution,
        "migration": run.migration,
        "failedAt": run.failed_at,
        "requestsADay": head.requests.get(name),
        "phase": position.map(|position| position.head.phase),
        "weight": position.and_then(|position| position.weight),
        "step": position.and_then(|position| position.step).map(|(step, _)| step),
        "steps": position.and_then(|position| position.step).map(|(_, steps)| steps),
        "shiftingTo": position.and_then(|position| position.shifting_to),
        "secondsLeft": position.and_then(|position| position.seconds_left),
        "secondsToNextStep": position.and_then(|position| position.seconds_to_next_step),
        "oldSide": side.map(OldSide::word),
        "oldSideInWords": side.map(OldSide::in_words),
        "oldSideKeptUntil": side.and_then(|side| match side {
            OldSide::Resting(until) => Some(until),
            _ => None,
        }),
        "oldSideWaitsFor": side.and_then(|side| match side {
            OldSide::ToApprove(what) => Some(what),
            _ => None,
        }),
        "oldSideWhy": old_sides::why(reading, name),
        "retirement": reading.retirements.get(name).map(|one| one.number),
        "waitsForApproval": position.is_some_and(|position| position.waits_for_approval),
    })
}
