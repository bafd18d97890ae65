//! Schedules: `canary`, `linear`, or a list of steps.

use super::duration::{BAKE, seconds, written};
use crate::policy::problem::did_you_mean;
use crate::policy::reader::{Object, Place, Reader, wrong};
use crate::policy::service_policy::{Schedule, ScheduleStep};
use crate::weight::Weight;
use serde_json::Value;

/// The fields of a step.
pub(super) const STEP_FIELDS: [&str; 4] = ["weight", "bake", "approve", "minBake"];
/// The schedules that have a name.
pub(super) const NAMES: [&str; 2] = ["canary", "linear"];
/// More steps than this would be more than the history of one execution holds.
pub(super) const MOST_STEPS: usize = 100;

/// 1, 5, 10, 25, 50, 90 and 100 %, ten minutes each.
pub fn canary() -> Schedule {
    of(&[1, 5, 10, 25, 50, 90, 100], 600)
}

/// 10, 20, ... 100 %, five minutes each.
pub fn linear() -> Schedule {
    of(&[10, 20, 30, 40, 50, 60, 70, 80, 90, 100], 300)
}

fn of(percents: &[u32], bake_seconds: u32) -> Schedule {
    let step = |percent: &u32| ScheduleStep {
        weight: Weight::try_new(f64::from(*percent)).expect("whole percents up to 100 are weights"),
        bake_seconds,
        approve: false,
        min_bake_seconds: None,
    };
    Schedule { steps: percents.iter().map(step).collect() }
}

pub(super) fn schedule(reader: &mut Reader, place: &Place<'_>) -> Option<Schedule> {
    match place.value {
        Value::String(name) => match name.as_str() {
            "canary" => Some(canary()),
            "linear" => Some(linear()),
            _ => {
                let near = did_you_mean(name, NAMES);
                reader.note(&place.path, format!("{name:?}: expected canary, linear or a list of steps{near}"));
                None
            }
        },
        Value::Array(_) => steps(reader, place),
        other => {
            reader.note(&place.path, wrong(other, "canary, linear or a list of steps"));
            None
        }
    }
}

fn steps(reader: &mut Reader, place: &Place<'_>) -> Option<Schedule> {
    let items = reader.list(place, "a list of steps")?;
    if items.is_empty() {
        reader.note(&place.path, "no steps: expected at least one, the last 100 %");
        return None;
    }
    if items.len() > MOST_STEPS {
        reader.note(&place.path, format!("{} steps: expected at most {MOST_STEPS}", items.len()));
    }
    let before = reader.count();
    let mut steps = Vec::with_capacity(items.len());
    let mut previous: Option<Weight> = None;
    let mut last = None;
    for item in &items {
        let (weight, step) = one_step(reader, item);
        if let (Some(weight), Some(previous)) = (weight, previous) {
            not_rising(reader, item, weight, previous);
        }
        previous = weight.or(previous);
        last = weight;
        steps.extend(step);
    }
    if let (Some(step), Some(item)) = (steps.last(), items.last())
        && step.min_bake_seconds.is_some()
    {
        let path = format!("{}.minBake", item.path);
        reader.note(path, "the last step's bake is the final one and never ends early; leave it out".to_owned());
    }
    if let Some(last) = last.filter(|last| *last != Weight::FULL) {
        let message = format!("never reaches 100 %: the last step is {last}; add a step of 100 % with the final bake");
        reader.note(&place.path, message);
    }
    (reader.count() == before && steps.len() == items.len()).then_some(Schedule { steps })
}

fn not_rising(reader: &mut Reader, item: &Place<'_>, weight: Weight, previous: Weight) {
    let path = format!("{}.weight", item.path);
    if weight == previous {
        reader.note(path, format!("{weight}: the step before has the same weight; give one of them the longer bake"));
    } else if weight < previous {
        reader.note(path, format!("{weight}: expected more than the step before, {previous}"));
    }
}

/// The weight is returned even if another field is wrong, because the next step is compared with it.
fn one_step(reader: &mut Reader, item: &Place<'_>) -> (Option<Weight>, Option<ScheduleStep>) {
    let Some(object) = reader.object(item, &STEP_FIELDS, "a step such as { weight: 5, bake: 10m }") else {
        return (None, None);
    };
    let weight = reader
        .required(&object, "weight", "the new cluster's share in percent")
        .and_then(|place| weight(reader, &place));
    let bake_seconds =
        reader.required(&object, "bake", "a duration such as 10m").and_then(|place| seconds(reader, &place, BAKE));
    let approve = match object.get("approve") {
        Some(place) => reader.flag(&place),
        None => Some(false),
    };
    let min_bake_seconds = min_bake(reader, &object, bake_seconds);
    let step = match (weight, bake_seconds, approve) {
        (Some(weight), Some(bake_seconds), Some(approve)) => {
            Some(ScheduleStep { weight, bake_seconds, approve, min_bake_seconds })
        }
        _ => None,
    };
    (weight, step)
}

/// A wrong one adds a problem, so the step is refused.
fn min_bake(reader: &mut Reader, object: &Object<'_>, bake_seconds: Option<u32>) -> Option<u32> {
    let place = object.get("minBake")?;
    let least = seconds(reader, &place, BAKE)?;
    if let Some(bake) = bake_seconds.filter(|bake| least > *bake) {
        reader.note(&place.path, format!("{}: longer than the bake, {}", written(least), written(bake)));
    }
    Some(least)
}

fn weight(reader: &mut Reader, place: &Place<'_>) -> Option<Weight> {
    let weight = place.value.as_f64().and_then(|percent| Weight::try_new(percent).ok());
    let rising = weight.filter(|weight| *weight > Weight::ZERO);
    if rising.is_none() {
        reader.note(&place.path, wrong(place.value, "a percentage from 0.1 to 100, in steps of 0.1"));
    }
    rising
}
