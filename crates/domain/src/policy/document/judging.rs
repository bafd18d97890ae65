//! Whether the clusters are compared, and what is tolerated: `judge: false`, or `judge: { factor: 2, margins: { errors:
//! 0.5 } }`.

use crate::policy::reader::{Place, Reader, wrong};
use crate::policy::service_policy::{Margins, TargetsWarmUp, Tolerated};
use serde_json::{Value, json};

/// The fields of `judge`.
pub(super) const JUDGE_FIELDS: [&str; 6] = ["factor", "margins", "cap", "alpha", "slowMilliseconds", "warmUp"];
/// The fields of `judge.margins`.
pub(super) const MARGIN_FIELDS: [&str; 4] = ["errors", "slow", "verySlow", "clientErrors"];
/// The fields of `judge.warmUp`.
pub(super) const WARM_UP_FIELDS: [&str; 3] = ["requests", "minutes", "errors"];
/// Below 1 the new cluster would have to be better than the old one.
const FACTOR: [f64; 2] = [1.0, 10.0];
/// In points.
const MARGIN: [f64; 2] = [0.0, 50.0];
/// A minute: whatever is slower than that is no difference of milliseconds.
const MOST_MILLISECONDS: u32 = 60_000;
/// Requests of each target.
const MOST_REQUESTS: u32 = 1_000_000;
/// A week.
const MOST_MINUTES: u32 = 7 * 24 * 60;
/// Beyond one migration in twenty a rollback says nothing.
const ALPHA: [f64; 2] = [0.000_001, 0.05];

/// The field `judge`; `None` if it switches the judge off.
pub type Judging = Option<Tolerated>;

/// Reads the field `judge` of a policy, or of a file of counts.
pub fn judging(reader: &mut Reader, place: &Place<'_>) -> Option<Judging> {
    match place.value {
        Value::Bool(is_on) => Some(is_on.then(Tolerated::default)),
        Value::Object(_) => tolerated(reader, place).map(Some),
        other => {
            reader.note(&place.path, wrong(other, "true, false, or an object such as { factor: 2 }"));
            None
        }
    }
}

fn tolerated(reader: &mut Reader, place: &Place<'_>) -> Option<Tolerated> {
    let before = reader.count();
    let object = reader.object(place, &JUDGE_FIELDS, "an object such as { factor: 2 }")?;
    let mut chosen = Tolerated::default();
    if let Some(place) = object.get("factor") {
        chosen.factor = reader.number(&place, FACTOR[0], FACTOR[1]).unwrap_or(chosen.factor);
    }
    if let Some(place) = object.get("alpha") {
        chosen.alpha = reader.number(&place, ALPHA[0], ALPHA[1]).unwrap_or(chosen.alpha);
    }
    if let Some(place) = object.get("margins") {
        chosen.margins = margins(reader, &place).unwrap_or(chosen.margins);
    }
    if let Some(place) = object.get("cap") {
        chosen.cap = reader.number(&place, MARGIN[0], MARGIN[1]).unwrap_or(chosen.cap);
    }
    if let Some(place) = object.get("slowMilliseconds") {
        chosen.slow_milliseconds = reader.whole(&place, 0, MOST_MILLISECONDS).unwrap_or(chosen.slow_milliseconds);
    }
    if let Some(place) = object.get("warmUp") {
        chosen.warm_up = warm_up(reader, &place).unwrap_or(chosen.warm_up);
    }
    (reader.count() == before).then_some(chosen)
}

fn margins(reader: &mut Reader, place: &Place<'_>) -> Option<Margins> {
    let object = reader.object(place, &MARGIN_FIELDS, "an object such as { errors: 0.5 }")?;
    let mut chosen = Margins::default();
    let fields = [&mut chosen.errors, &mut chosen.slow, &mut chosen.very_slow, &mut chosen.client_errors];
    for (field, margin) in MARGIN_FIELDS.into_iter().zip(fields) {
        if let Some(place) = object.get(field) {
            *margin = reader.number(&place, MARGIN[0], MARGIN[1]).unwrap_or(*margin);
        }
    }
    Some(chosen)
}

fn warm_up(reader: &mut Reader, place: &Place<'_>) -> Option<TargetsWarmUp> {
    let object = reader.object(place, &WARM_UP_FIELDS, "an object such as { requests: 2000, minutes: 5 }")?;
    let mut chosen = TargetsWarmUp::default();
    if let Some(place) = object.get("requests") {
        chosen.requests = reader.whole(&place, 0, MOST_REQUESTS).unwrap_or(chosen.requests);
    }
    if let Some(place) = object.get("minutes") {
        chosen.minutes = reader.whole(&place, 0, MOST_MINUTES).unwrap_or(chosen.minutes);
    }
    if let Some(place) = object.get("errors") {
        chosen.errors = reader.flag(&place).unwrap_or(chosen.errors);
    }
    Some(chosen)
}

/// The schema of `judge`.
pub(super) fn schema() -> Value {
    let defaults = Tolerated::default();
    let number = |[least, most]: [f64; 2], default: f64, unit: &str, description: &str| {
        let mut number = json!({ "type": "number", "minimum": least, "maximum": most, "default": default });
        (number["x-unit"], number["description"]) = (json!(unit), json!(description));
        number
    };
    let points = |default: f64, description: &str| number(MARGIN, default, "points", description);
    let whole = |most: u32, default: u32, unit: &str, description: &str| {
        let mut whole = json!({ "type": "integer", "minimum": 0, "maximum": most, "default": default });
        (whole["x-unit"], whole["description"]) = (json!(unit), json!(description));
        whole
    };
    let Margins { errors, slow, very_slow, client_errors } = defaults.margins;
    let margins = json!({
        "type": "object",
        "additionalProperties": false,
        "description": "How far above the old cluster's share harm begins.",
        "properties": {
            "errors": points(errors, "5xx answers, failed connections and requests without an answer."),
            "slow": points(slow, "Answers clearly slower than the old cluster's p95."),
            "verySlow": points(very_slow, "Answers slower than twice that p95."),
            "clientErrors": points(client_errors, "4xx answers."),
        },
    });
    let warm_up = json!({
        "type": "object",
        "additionalProperties": false,
        "description": "When slowness begins to be judged: a JVM is slow for its first requests.",
        "properties": {
            "requests": whole(MOST_REQUESTS, defaults.warm_up.requests, "requests", "So many requests each new target \
                                                                                     has answered by then, those of a \
                                                                                     hook that warms it included."),
            "minutes": whole(MOST_MINUTES, defaults.warm_up.minutes, "minutes", "So many minutes have passed since \
                                                                                 the first shift."),
            "errors": { "type": "boolean", "default": false, "description": "Whether errors and 4xx answers wait for \
                                                                             the warm-up too." },
        },
    });
    json!({
        "default": true,
        "description": "Whether the judge compares the new cluster with the old one. An object says what it tolerates.",
        "oneOf": [
            { "type": "boolean" },
            {
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "factor": number(FACTOR, defaults.factor, "times", "For errors and 4xx answers: harm begins above \
                                                                        factor x the old cluster's share, plus the \
                                                                        margin."),
                    "margins": margins,
                    "cap": points(defaults.cap, "The most that the factor adds to the old cluster's share of errors."),
                    "alpha": number(ALPHA, defaults.alpha, "of 1", "The chance of a false rollback in one migration."),
                    "slowMilliseconds": whole(MOST_MILLISECONDS, defaults.slow_milliseconds, "milliseconds", "So far \
                                                                                                              above \
                                                                                                              the old \
                                                                                                              p95, an \
                                                                                                              answer \
                                                                                                              of the \
                                                                                                              new \
                                                                                                              cluster \
                                                                                                              never \
                                                                                                              counts \
                                                                                                              as \
                                                                                                              slow."),
                    "warmUp": warm_up,
                },
            },
        ],
    })
}
