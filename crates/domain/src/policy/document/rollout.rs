//! How a fleet moves: `rollout: { canary: users, waveSize: 5, failures: 1 }`.

use super::duration::{self, BAKE, Bounds, seconds};
use super::names;
use crate::names::ServiceName;
use crate::policy::problem::did_you_mean;
use crate::policy::reader::{Place, Reader, wrong};
use crate::policy::rollout::{FailureBudget, MaxNewShare, OnStop, Order, RetireWhen, Risk, Rollout, StopWhen};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The fields of `rollout`.
pub(super) const ROLLOUT_FIELDS: [&str; 14] = [
    "canary",
    "canaryBake",
    "waveSize",
    "waveBake",
    "concurrency",
    "rollbackWithin",
    "failures",
    "strict",
    "stopWhen",
    "alarms",
    "onStop",
    "order",
    "maxNewShare",
    "retire",
];
/// The fields of `rollout.stopWhen`.
pub(super) const STOP_WHEN_FIELDS: [&str; 2] = ["rollbacks", "within"];
/// The fields of `rollout.maxNewShare`.
pub(super) const MAX_NEW_SHARE_FIELDS: [&str; 2] = ["untilWave", "percent"];
/// The words of `risk`.
pub(super) const RISK: [(&str, Risk); 3] = [("low", Risk::Low), ("medium", Risk::Medium), ("high", Risk::High)];
/// The words of `onStop`.
const ON_STOP: [(&str, OnStop); 3] =
    [("hold", OnStop::Hold), ("finish", OnStop::Finish), ("rollBack", OnStop::RollBack)];
/// The words of `order`.
const ORDER: [(&str, Order); 2] = [("risk", Order::Risk), ("listed", Order::Listed)];
/// The words of `retire`.
const RETIRE_WHEN: [(&str, RetireWhen); 3] =
    [("afterWave", RetireWhen::AfterWave), ("atEnd", RetireWhen::AtEnd), ("byHand", RetireWhen::ByHand)];
/// More services than any fleet has, so also more waves, failures and rollbacks.
const MOST_SERVICES: u32 = 1_000;
/// A rollback of 2,000 routes takes no longer.
const ROLLBACK: Bounds = Bounds { least: 1, most: 600 };

/// Reads `rollout`. A value that is wrong is noted and has its default.
pub(super) fn rollout(reader: &mut Reader, place: &Place<'_>) -> Rollout {
    let mut rollout = Rollout::default();
    let Some(object) = reader.object(place, &ROLLOUT_FIELDS, "an object such as { waveSize: 5 }") else {
        return rollout;
    };
    rollout.canary = names(reader, &object, "canary").unwrap_or_default();
    if let Some(place) = object.get("waveSize") {
        rollout.wave_size = reader.whole(&place, 1, MOST_SERVICES);
    }
    let durations = [
        ("canaryBake", BAKE, &mut rollout.canary_bake_seconds),
        ("waveBake", BAKE, &mut rollout.wave_bake_seconds),
        ("rollbackWithin", ROLLBACK, &mut rollout.rollback_within_seconds),
    ];
    for (field, bounds, chosen) in durations {
        if let Some(place) = object.get(field) {
            *chosen = seconds(reader, &place, bounds).unwrap_or(*chosen);
        }
    }
    if let Some(place) = object.get("concurrency") {
        rollout.concurrency = reader.whole(&place, 1, MOST_SERVICES).unwrap_or(rollout.concurrency);
    }
    if let Some(place) = object.get("failures") {
        rollout.failures = failures(reader, &place).unwrap_or(rollout.failures);
    }
    if let Some(place) = object.get("strict") {
        rollout.strict = reader.flag(&place).unwrap_or(rollout.strict);
    }
    if let Some(place) = object.get("stopWhen") {
        rollout.stop_when = stop_when(reader, &place);
    }
    if let Some(place) = object.get("alarms") {
        rollout.alarms = alarms(reader, &place);
    }
    if let Some(place) = object.get("onStop") {
        rollout.on_stop = reader.word(&place, &ON_STOP).unwrap_or(rollout.on_stop);
    }
    if let Some(place) = object.get("order") {
        rollout.order = reader.word(&place, &ORDER).unwrap_or(rollout.order);
    }
    if let Some(place) = object.get("retire") {
        rollout.retire = reader.word(&place, &RETIRE_WHEN).unwrap_or(rollout.retire);
    }
    rollout.max_new_share = object.get("maxNewShare").and_then(|place| max_new_share(reader, &place));
    rollout
}

/// `1`, or `"5%"`.
fn failures(reader: &mut Reader, place: &Place<'_>) -> Option<FailureBudget> {
    let Value::String(text) = place.value else {
        return reader.whole(place, 0, MOST_SERVICES).map(FailureBudget::Count);
    };
    let percent = text.strip_suffix('%').and_then(|percent| percent.trim_end().parse().ok());
    let percent: Option<u8> = percent.filter(|percent| *percent <= 100);
    if percent.is_none() {
        reader.note(&place.path, wrong(place.value, "a number of services such as 1, or a share such as \"5%\""));
    }
    percent.map(FailureBudget::Percent)
}

fn stop_when(reader: &mut Reader, place: &Place<'_>) -> StopWhen {
    let mut chosen = StopWhen::default();
    let what = "an object such as { rollbacks: 2, within: 10m }";
    let Some(object) = reader.object(place, &STOP_WHEN_FIELDS, what) else { return chosen };
    if let Some(place) = object.get("rollbacks") {
        chosen.rollbacks = reader.whole(&place, 2, MOST_SERVICES).unwrap_or(chosen.rollbacks);
    }
    if let Some(place) = object.get("within") {
        chosen.within_seconds = seconds(reader, &place, BAKE).unwrap_or(chosen.within_seconds);
    }
    chosen
}

fn alarms(reader: &mut Reader, place: &Place<'_>) -> Vec<String> {
    let names = reader.texts(place, "an alarm's name").unwrap_or_default();
    for name in names.iter().filter(|name| name.contains(['{', '}'])) {
        let message = format!("{name:?}: expected no placeholder; a service's own alarms are in its own alarms");
        reader.note(&place.path, message);
    }
    names
}

fn max_new_share(reader: &mut Reader, place: &Place<'_>) -> Option<MaxNewShare> {
    let what = "an object such as { untilWave: 2, percent: 20 }";
    let object = reader.object(place, &MAX_NEW_SHARE_FIELDS, what)?;
    let until = reader
        .required(&object, "untilWave", "the last wave for which it holds")
        .and_then(|place| reader.whole(&place, 0, MOST_SERVICES));
    let percent = reader
        .required(&object, "percent", "a share of the fleet's requests")
        .and_then(|place| reader.whole(&place, 1, 99));
    Some(MaxNewShare { until_wave: until?, percent: u8::try_from(percent?).expect("99 at most") })
}

/// The services of a document that can be told apart: each name with the names that it comes after.
type Services<'a> = BTreeMap<&'a str, Vec<&'a str>>;

/// Notes what is readable and comes to nothing. It looks at the document, so that it says so whatever else is wrong.
pub(super) fn check(reader: &mut Reader, document: &Value) {
    let place = |field: &str| Place { value: &document["rollout"][field], path: format!("rollout.{field}") };
    let is_given = |field: &str| document["rollout"].get(field).is_some();
    let (Some(items), true) = (document["services"].as_array(), document["rollout"].is_object()) else { return };
    let mut problems = Reader::default();
    let root = Place { value: &document["rollout"], path: "rollout".to_owned() };
    let chosen = rollout(&mut problems, &root);
    let services: Services<'_> = items.iter().filter_map(|item| Some((item["name"].as_str()?, after(item)))).collect();

    check_canary(reader, &place("canary"), &chosen, &services);
    if is_given("canaryBake") && !is_given("canary") {
        reader.note(place("canaryBake").path, "there is no canary: name one in canary, or leave canaryBake out");
    }
    // What is said below follows from other fields, which have to be right.
    if problems.count() > 0 || items.is_empty() {
        return;
    }
    let count = u32::try_from(items.len()).unwrap_or(u32::MAX);
    let tolerated = chosen.failures.tolerated(count);
    if tolerated >= count {
        let message = format!(
            "{} tolerates all {count} failures, so the fleet would never stop: expected {} at most",
            document["rollout"]["failures"],
            count - 1
        );
        reader.note(place("failures").path, message);
    }
    let most = chosen.most_failures(count);
    if is_given("stopWhen") && chosen.stop_when.rollbacks > most {
        let message = format!(
            "{} can never happen: {most} can fail at most, because the fleet stops at failure {}; lower it, or leave \
             stopWhen out",
            chosen.stop_when.rollbacks,
            tolerated.saturating_add(1)
        );
        reader.note(format!("{}.rollbacks", place("stopWhen").path), message);
    }
    if let (Some(share), Some(last)) = (chosen.max_new_share, last_wave(&chosen, &services))
        && share.until_wave >= last
    {
        let expected =
            if last <= 1 { "leave maxNewShare out".to_owned() } else { format!("expected {} at most", last - 1) };
        let message = format!(
            "{}, and the last wave is {last}: its services could never take all their requests; {expected}",
            share.until_wave
        );
        reader.note(format!("{}.untilWave", place("maxNewShare").path), message);
    }
}

fn after(service: &Value) -> Vec<&str> {
    match &service["after"] {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// A canary is a service of the fleet, and comes after none that moves later.
fn check_canary(reader: &mut Reader, place: &Place<'_>, rollout: &Rollout, services: &Services<'_>) {
    for (index, canary) in rollout.canary.iter().enumerate() {
        let path = if place.value.is_array() { format!("{}[{index}]", place.path) } else { place.path.clone() };
        let Some(after) = services.get(canary.as_str()) else {
            let near = did_you_mean(canary.as_str(), services.keys().copied());
            reader.note(path, format!("\"{canary}\" is no service of this fleet{near}"));
            continue;
        };
        let is_canary = |name: &str| rollout.canary.iter().any(|canary| canary.as_str() == name);
        for later in after.iter().filter(|name| !is_canary(name)) {
            let message = format!(
                "{canary} comes after {later}, which is no canary, but canaries move first: make {later} a canary too, \
                 or choose another"
            );
            reader.note(&path, message);
        }
    }
}

/// The number of the last wave; wave 0 are the canaries. `None` where `after` leads in a circle.
fn last_wave(rollout: &Rollout, services: &Services<'_>) -> Option<u32> {
    let mut moved: BTreeSet<&str> = rollout.canary.iter().map(ServiceName::as_str).collect();
    let mut left: Vec<&str> = services.keys().copied().filter(|name| !moved.contains(name)).collect();
    let mut wave = 0;
    while !left.is_empty() {
        let (level, later): (Vec<&str>, Vec<&str>) =
            left.into_iter().partition(|name| services[name].iter().all(|earlier| moved.contains(earlier)));
        if level.is_empty() {
            return None;
        }
        let count = u32::try_from(level.len()).unwrap_or(u32::MAX);
        wave += count.div_ceil(rollout.wave_size.unwrap_or(count));
        moved.extend(level);
        left = later;
    }
    Some(wave)
}

/// The schema of `risk`.
pub(super) fn risk_schema() -> Value {
    let risks = RISK.map(|(word, _)| word);
    json!({
        "enum": risks, "default": "medium",
        "description": "How much harm its failure would do. A fleet moves services of low risk first.",
    })
}

/// The schema of `rollout`.
pub(super) fn schema() -> Value {
    let Rollout { canary_bake_seconds, wave_bake_seconds, concurrency, rollback_within_seconds, stop_when, .. } =
        Rollout::default();
    let whole = |least: u32, description: &str| {
        let mut whole = json!({ "type": "integer", "minimum": least, "maximum": MOST_SERVICES });
        whole["description"] = json!(description);
        whole
    };
    let with_default = |mut schema: Value, default: Value| {
        schema["default"] = default;
        schema
    };
    json!({
        "type": "object",
        "description": "How the fleet moves.",
        "additionalProperties": false,
        "properties": {
            "canary": { "$ref": "#/$defs/texts", "description": "Wave 0: these move first, and nothing else moves \
                                                                 with them. They come after no other service." },
            "canaryBake": duration::schema(BAKE, canary_bake_seconds, "How long wave 0 is watched before the next \
                                                                       wave. Only with `canary`."),
            "waveSize": whole(1, "The most services of a wave. If left out, a wave is all services whose `after` have \
                                  moved."),
            "waveBake": duration::schema(BAKE, wave_bake_seconds, "How long a wave is watched before the next one."),
            "concurrency": with_default(whole(1, "The most services that move at once."), json!(concurrency)),
            "rollbackWithin": duration::schema(ROLLBACK, rollback_within_seconds, "How long the rollback of \
                                                                                   everything that moves may take. \
                                                                                   AWS takes 20 changes of routes at \
                                                                                   once and 3 a second after that, so \
                                                                                   10 seconds allow 50 routes to move \
                                                                                   at once."),
            "failures": {
                "default": 0,
                "description": "How many services may fail; one more stops the fleet. A share is rounded down: \"5%\" \
                                of 50 services are 2.",
                "oneOf": [
                    { "type": "integer", "minimum": 0, "maximum": MOST_SERVICES },
                    { "type": "string", "pattern": "^(100|[0-9]{1,2}) *%$" },
                ],
            },
            "strict": {
                "type": "boolean", "default": false,
                "description": "Whether fewer services move at once, so that no more than one beyond `failures` can \
                                fail. Without it, all that move when the fleet stops can still fail.",
            },
            "stopWhen": {
                "type": "object",
                "description": "So many services that roll back within a time stop the fleet, even if `failures` \
                                allows more.",
                "additionalProperties": false,
                "properties": {
                    "rollbacks": with_default(whole(2, "The number of services."), json!(stop_when.rollbacks)),
                    "within": duration::schema(BAKE, stop_when.within_seconds, "The time within which they begin to \
                                                                                roll back."),
                },
            },
            "alarms": { "$ref": "#/$defs/texts", "description": "Alarms that stop the fleet, such as those of the new \
                                                                 cluster's API or its network." },
            "onStop": {
                "enum": ON_STOP.map(|(word, _)| word), "default": "hold",
                "description": "What happens to the services that move when the fleet stops. `hold` keeps their \
                                weights and their gates, `finish` lets them continue, `rollBack` rolls them back.",
            },
            "order": {
                "enum": ORDER.map(|(word, _)| word), "default": "risk",
                "description": "The order of services that may move at the same time: least `risk` first, then fewest \
                                requests. Or as the file lists them.",
            },
            "retire": {
                "enum": RETIRE_WHEN.map(|(word, _)| word), "default": "byHand",
                "description": "When the fleet retires the old sides of services that have migrated: when their wave \
                                has been watched, when all waves are over, or when a person asks for it. Each then \
                                waits for its own `retire` settings.",
            },
            "maxNewShare": {
                "type": "object",
                "description": "How many of the fleet's requests the new cluster gets at most, until a wave has baked.",
                "additionalProperties": false,
                "required": MAX_NEW_SHARE_FIELDS,
                "properties": {
                    "untilWave": whole(0, "The limit ends when this wave has baked."),
                    "percent": {
                        "type": "integer", "minimum": 1, "maximum": 99, "x-unit": "percent of all requests",
                        "description": "The limit.",
                    },
                },
            },
        },
    })
}

#[cfg(test)]
mod tests;
