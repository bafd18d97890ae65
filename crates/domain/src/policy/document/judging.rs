//! Whether the clusters are compared, and what is tolerated: `judge: false`, or `judge: { factor: 2, margins: { errors:
//! 0.5 } }`.

use crate::policy::reader::{Place, Reader, wrong};
use crate::policy::service_policy::{Margins, Tolerated};
use serde_json::{Value, json};

/// The fields of `judge`.
pub(super) const JUDGE_FIELDS: [&str; 3] = ["factor", "margins", "alpha"];
/// The fields of `judge.margins`.
pub(super) const MARGIN_FIELDS: [&str; 3] = ["errors", "slow", "clientErrors"];
/// Below 1 the new cluster would have to be better than the old one.
const FACTOR: [f64; 2] = [1.0, 10.0];
/// In points.
const MARGIN: [f64; 2] = [0.0, 50.0];
/// Beyond one migration in twenty a rollback says nothing.
const ALPHA: [f64; 2] = [0.000_001, 0.05];

/// The field `judge`; `None` if it switches the judge off.
pub(super) type Judging = Option<Tolerated>;

/// Reads `judge`.
pub(super) fn judging(reader: &mut Reader, place: &Place<'_>) -> Option<Judging> {
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
    (reader.count() == before).then_some(chosen)
}

fn margins(reader: &mut Reader, place: &Place<'_>) -> Option<Margins> {
    let object = reader.object(place, &MARGIN_FIELDS, "an object such as { errors: 0.5 }")?;
    let mut chosen = Margins::default();
    let fields = [&mut chosen.errors, &mut chosen.slow, &mut chosen.client_errors];
    for (field, margin) in MARGIN_FIELDS.into_iter().zip(fields) {
        if let Some(place) = object.get(field) {
            *margin = reader.number(&place, MARGIN[0], MARGIN[1]).unwrap_or(*margin);
        }
    }
    Some(chosen)
}

/// The schema of `judge`.
pub(super) fn schema() -> Value {
    let defaults = Tolerated::default();
    let number = |[least, most]: [f64; 2], default: f64, description: &str| {
        json!({ "type": "number",
        "minimum": least, "maximum": most, "default": default, "description": description })
    };
    let Margins { errors, slow, client_errors } = defaults.margins;
    let margins = json!({
        "type": "object",
        "additionalProperties": false,
        "description": "How many points above factor x old harm begins.",
        "properties": {
            "errors": number(MARGIN, errors, "Requests answered with 5xx, and connections that failed."),
            "slow": number(MARGIN, slow, "Answers above the old cluster's p95."),
            "clientErrors": number(MARGIN, client_errors, "Requests answered with 4xx."),
        },
    });
    json!({
        "default": true,
        "description": "Whether the new cluster's errors and response times are compared with the old one's, and what \
                        is tolerated.",
        "oneOf": [
            { "type": "boolean" },
            {
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "factor": number(FACTOR, defaults.factor, "On the old cluster's share of bad requests; 2 where the \
                                                               clusters differ by noise."),
                    "margins": margins,
                    "alpha": number(ALPHA, defaults.alpha, "The chance of a false rollback in one migration."),
                },
            },
        ],
    })
}
