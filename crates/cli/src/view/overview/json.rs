//! The overview, for programs.

use super::Choice;
use super::rows::why;
use crate::stack::overview::standing::Standing;
use crate::stack::overview::{Overview, ServiceSeen};
use crossfade_domain::gates::checks::seconds_between;
use crossfade_domain::journal::Head;
use crossfade_domain::retirement::Retirement;
use jiff::Timestamp;
use serde_json::{Value, json};

/// One object for each service that was chosen.
pub fn objects(overview: &Overview, choice: &Choice) -> Vec<Value> {
    choice.of(overview).into_iter().map(|(standing, seen)| object(standing, seen, overview)).collect()
}

fn object(standing: Standing, seen: &ServiceSeen, overview: &Overview) -> Value {
    let position = seen.position.as_ref();
    let head = position.map(|position| &position.head);
    let mut object = json!({
        "service": seen.service,
        "fleet": seen.fleet.as_deref().unwrap_or("-"),
        "migration": head.map(|head| &head.migration),
        "phase": head.map(|head| head.phase),
        "weight": position.and_then(|position| position.weight),
        "reason": head.and_then(|head| head.reason.as_ref()),
        "onTheOldSide": seen.left.as_ref().and_then(|left| left.as_ref().ok()),
        "standing": standing,
        "group": standing.group(),
        "why": why(standing, seen, overview),
        "since": head.map(Head::at_rest_since),
        "secondsSince": head.map(|head| seconds_between(head.at_rest_since(), overview.now)),
        "step": position.and_then(|position| position.step).map(|(step, _)| step),
        "steps": position.and_then(|position| position.step).map(|(_, steps)| steps),
        "secondsToNextStep": position.and_then(|position| position.seconds_to_next_step),
        "waitsForApproval": position.is_some_and(|position| position.waits_for_approval),
        "paused": head.is_some_and(|head| head.commands.paused),
        "unread": seen.unread,
    });
    if let Some(retirement) = &seen.retirement {
        object["retirement"] = retired(retirement, overview.now);
    }
    object
}

/// A retirement as programs read it.
pub fn retired(retirement: &Retirement, now: Timestamp) -> Value {
    json!({
        "number": retirement.number, "phase": retirement.phase, "since": retirement.phase_since,
        "standing": retirement.standing(now), "reason": retirement.reason,
    })
}
