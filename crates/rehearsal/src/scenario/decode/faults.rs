//! Decodes what goes wrong: in clusters, by other people, at AWS.

use super::number;
use crate::scenario::{AwsEffect, AwsFault, Begin, Deed, Disturbance, OPERATIONS, ServiceScenario, Sides, TimedFault};
use crate::traffic::cluster::ClusterFault;
use crossfade_domain::policy::problem::did_you_mean;
use crossfade_domain::policy::reader::{Place, Reader};
use crossfade_domain::weight::Weight;
use crossfade_world::cold::{ColdCurve, ColdStep, MEASURED_REQUESTS, WARM_SHARE};

pub(in crate::scenario) const FAULT_FIELDS: [&str; 12] = [
    "errorsEvery",
    "errorShare",
    "slowFactor",
    "refuse",
    "unanswered",
    "answersOtherwise",
    "leak",
    "coldStart",
    "cold",
    "in",
    "from",
    "minutes",
];
pub(in crate::scenario) const AWS_FAULT_FIELDS: [&str; 5] = ["operation", "call", "by", "service", "effect"];

pub(super) fn fault(reader: &mut Reader, place: &Place<'_>) -> Option<TimedFault> {
    let fields = reader.object(place, &FAULT_FIELDS, "a fault of a cluster")?;
    let before = reader.count();
    let mut kinds = Vec::new();
    if let Some(place) = fields.get("errorsEvery") {
        kinds.extend(reader.whole(&place, 1, 1_000_000).map(ClusterFault::ErrorEvery));
    }
    if let Some(place) = fields.get("errorShare") {
        kinds.extend(number(reader, &place, 0.0, 1.0).map(ClusterFault::ErrorShare));
    }
    if let Some(place) = fields.get("slowFactor") {
        kinds.extend(number(reader, &place, 0.01, 1000.0).map(ClusterFault::SlowFactor));
    }
    if let Some(place) = fields.get("refuse") {
        kinds.extend(reader.flag(&place).map(|_| ClusterFault::Refuse));
    }
    if let Some(place) = fields.get("unanswered") {
        kinds.extend(reader.flag(&place).map(|_| ClusterFault::Unanswered));
    }
    if let Some(place) = fields.get("answersOtherwise") {
        kinds.extend(reader.text(&place, "a path such as /api/plans").map(ClusterFault::AnswersOtherwise));
    }
    if let Some(place) = fields.get("leak") {
        kinds.extend(number(reader, &place, 0.0, 1.0).map(|share_per_minute| ClusterFault::Leak { share_per_minute }));
    }
    if let Some(place) = fields.get("coldStart") {
        let inner = reader.object(&place, &["minutes", "share"], "minutes and share of failing requests");
        if let Some(inner) = inner {
            let minutes =
                reader.required(&inner, "minutes", "minutes").and_then(|place| number(reader, &place, 0.0, 1e6));
            let share = reader.required(&inner, "share", "a share").and_then(|place| number(reader, &place, 0.0, 1.0));
            kinds.extend(minutes.zip(share).map(|(minutes, share)| ClusterFault::ColdStart { minutes, share }));
        }
    }
    if let Some(place) = fields.get("cold") {
        kinds.extend(cold(reader, &place).map(ClusterFault::Cold));
    }
    if kinds.len() != 1 && reader.count() == before {
        reader.note(&place.path, format!("expected exactly one kind of fault, found {}", kinds.len()));
    }
    let sides = [("new", Sides::New), ("old", Sides::Old), ("both", Sides::Both)];
    let sides = fields.get("in").map_or(Some(Sides::New), |place| reader.word(&place, &sides));
    let begin = fields.get("from").map_or(Some(Begin::Minute(0.0)), |place| begin(reader, &place));
    let minutes = fields.get("minutes").map(|place| number(reader, &place, 0.0, 1e6));
    Some(TimedFault {
        fault: kinds.pop()?,
        sides: sides?,
        begin: begin?,
        minutes: match minutes {
            None => None,
            Some(minutes) => Some(minutes?),
        },
    })
}

/// `{ requests: 2000 }`, the measured curve, or a list of `{ below: 100, share: 0.9 }`.
fn cold(reader: &mut Reader, place: &Place<'_>) -> Option<ColdCurve> {
    if !place.value.is_array() {
        let fields = reader.object(place, &["requests"], "`{ requests: 2000 }`, or a list of `below` and `share`")?;
        let requests = fields.get("requests");
        let requests = requests.map_or(Some(MEASURED_REQUESTS), |place| reader.whole(&place, 1, 1_000_000));
        return requests.map(ColdCurve::measured);
    }
    let mut steps: Vec<ColdStep> = Vec::new();
    for place in reader.list(place, "a list of `below` and `share`")? {
        let Some(fields) = reader.object(&place, &["below", "share"], "`below` and `share`") else { continue };
        let below = reader
            .required(&fields, "below", "how many requests a server has answered at most")
            .and_then(|place| reader.whole(&place, 1, 1_000_000));
        let share = reader
            .required(&fields, "share", "the share of slow answers")
            .and_then(|place| number(reader, &place, WARM_SHARE, 1.0));
        let Some((below, share)) = below.map(u64::from).zip(share) else { continue };
        if let Some(last) = steps.last().filter(|last| below <= last.below) {
            reader.note(fields.path_of("below"), format!("{below}: expected more than {}, the one before", last.below));
        }
        steps.push(ColdStep { below, share });
    }
    if steps.is_empty() {
        reader.note(&place.path, "expected at least one step of `below` and `share`");
    }
    Some(ColdCurve::new(steps))
}

pub(super) fn disturbance(reader: &mut Reader, place: &Place<'_>) -> Option<Disturbance> {
    let known = ["stopExecution", "editRoute", "throttleInvocations", "scaleOut", "from"];
    let fields = reader.object(place, &known, "something that someone else does")?;
    let stop = fields.get("stopExecution").map(|place| reader.flag(&place).map(|_| Deed::StopExecution));
    let edit = fields.get("editRoute").map(|place| {
        reader.whole(&place, 1, 90).map(|number| Deed::EditRoute(usize::try_from(number).expect("at most 90")))
    });
    let throttle =
        fields.get("throttleInvocations").map(|place| reader.whole(&place, 1, 600).map(Deed::ThrottleInvocations));
    let scale_out = fields.get("scaleOut").map(|place| reader.flag(&place).map(|_| Deed::ScaleOut));
    let deeds: Vec<Option<Deed>> = [stop, edit, throttle, scale_out].into_iter().flatten().collect();
    if deeds.len() != 1 {
        reader.note(
            &place.path,
            "expected exactly one of `stopExecution: true`, `editRoute` (a route's number), `throttleInvocations` \
             (minutes) or `scaleOut: true`",
        );
    }
    let deed = deeds.into_iter().next().flatten();
    let begin = fields.get("from").map_or(Some(Begin::Minute(0.0)), |place| begin(reader, &place));
    Some(Disturbance { deed: deed?, begin: begin? })
}

fn begin(reader: &mut Reader, place: &Place<'_>) -> Option<Begin> {
    let fields = reader.object(place, &["weight", "plusMinutes", "minute"], "`{weight: 25}` or `{minute: 10}`")?;
    let plus = fields.get("plusMinutes").map_or(Some(0.0), |place| number(reader, &place, 0.0, 1e6));
    match (fields.get("weight"), fields.get("minute")) {
        (Some(place), None) => {
            let percent = number(reader, &place, 0.0, 100.0)?;
            let weight = Weight::try_new(percent);
            if let Err(error) = &weight {
                reader.note(&place.path, error.to_string());
            }
            weight.ok().zip(plus).map(|(weight, plus)| Begin::Weight(weight, plus))
        }
        (None, Some(place)) if !fields.has("plusMinutes") => number(reader, &place, 0.0, 1e6).map(Begin::Minute),
        _ => {
            reader.note(&place.path, "expected exactly one of `weight` (with `plusMinutes` if later) or `minute`");
            None
        }
    }
}

pub(super) fn aws_fault(reader: &mut Reader, place: &Place<'_>) -> Option<AwsFault> {
    let fields = reader.object(place, &AWS_FAULT_FIELDS, "a fault of AWS")?;
    let operation = reader
        .required(&fields, "operation", "an operation such as ModifyRule")
        .and_then(|place| operation(reader, &place));
    let call = fields.get("call").map_or(Some(1), |place| reader.whole(&place, 1, 1_000_000));
    let by = fields.get("by").map(|place| reader.text(&place, "a function such as shift-weight"));
    let service = fields.get("service").map(|place| reader.text(&place, "a service of the scenario"));
    let effects = [
        ("throttle", AwsEffect::Throttle),
        ("failBefore", AwsEffect::FailBefore),
        ("failAfter", AwsEffect::FailAfter),
        ("loseAnswer", AwsEffect::LoseAnswer),
        ("hang", AwsEffect::Hang),
        ("kill", AwsEffect::Kill),
        ("stopExecution", AwsEffect::StopExecution),
        ("alarmEvent", AwsEffect::AlarmEvent),
        ("alarmEventTwice", AwsEffect::AlarmEventTwice),
    ];
    let effect = reader.required(&fields, "effect", "what happens").and_then(|place| reader.word(&place, &effects));
    Some(AwsFault {
        operation: operation?,
        call: call?,
        by: match by {
            None => None,
            Some(by) => Some(by?),
        },
        service: match service {
            None => None,
            Some(service) => Some(service?),
        },
        effect: effect?,
    })
}

/// An operation that Crossfade calls: a fault in any other would never happen.
fn operation(reader: &mut Reader, place: &Place<'_>) -> Option<String> {
    let name = reader.text(place, "an operation")?;
    if !OPERATIONS.contains(&name.as_str()) {
        let near = did_you_mean(&name, OPERATIONS);
        reader.note(
            &place.path,
            format!("{name:?}: expected an operation that Crossfade calls, such as ModifyRule{near}"),
        );
    }
    Some(name)
}

/// Checks that a fault about one service names a service, and that an alarm's event has an alarm.
pub(super) fn note_strangers(reader: &mut Reader, faults: &[AwsFault], services: &[ServiceScenario]) {
    for (index, fault) in faults.iter().enumerate() {
        let named = fault.service.as_ref();
        let service = named.and_then(|named| services.iter().find(|service| service.name.as_str() == named));
        let path = format!("awsFaults[{index}].service");
        let about_one =
            matches!(fault.effect, AwsEffect::StopExecution | AwsEffect::AlarmEvent | AwsEffect::AlarmEventTwice);
        match (named, service) {
            (Some(name), None) => reader.note(path, format!("{name:?} is not one of the scenario's services")),
            (None, _) if about_one => reader.note(path, "missing: expected the service whose execution or alarm it is"),
            (_, Some(service))
                if matches!(fault.effect, AwsEffect::AlarmEvent | AwsEffect::AlarmEventTwice)
                    && !service.policy.alarms.iter().any(|alarm| service.existing_alarms.contains(alarm)) =>
            {
                reader.note(path, format!("{} has no alarm that exists and guards it", service.name));
            }
            _ => {}
        }
    }
}
