//! Decodes the file on which the judge is replayed.
//!
//! Someone may have written it by hand, so all of its problems are named at once, each with its path.

use crossfade_domain::judge::{MetricKind, MetricSeries, Minute, Series};
use crossfade_domain::policy::problem::Problems;
use crossfade_domain::policy::reader::{Object, Place, Reader, wrong};
use serde_json::Value;

/// The largest count that a floating-point number holds exactly.
const MAX_COUNT: u64 = 1 << 53;

/// More minutes than the longest schedule has: a hundred steps of a week each.
const MAX_MINUTES: usize = 100 * 7 * 24 * 60;

/// Reads a file: the series and the planned minutes of the migration.
pub(super) fn parse(text: &str) -> Result<(Series, u32), String> {
    if text.trim().is_empty() {
        return Err("empty: expected a JSON object with horizonMinutes and metrics".to_owned());
    }
    let value: Value = serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
    let mut reader = Reader::default();
    let read = file(&mut reader, &Place { value: &value, path: "$".to_owned() });
    reader.finish(read).map_err(|Problems(problems)| match problems.as_slice() {
        [only] => only.to_string(),
        several => several
            .iter()
            .fold(format!("{} problems", several.len()), |message, problem| format!("{message}\n  {problem}")),
    })
}

fn file(reader: &mut Reader, place: &Place<'_>) -> Option<(Series, u32)> {
    let fields = reader.object(place, &["horizonMinutes", "metrics"], "an object")?;
    let horizon = whole(reader, &fields, "horizonMinutes", 1, u64::from(u32::MAX));
    let kinds = MetricKind::ALL.map(MetricKind::name);
    let place = reader.required(&fields, "metrics", "an object")?;
    let metrics = reader.object(&place, &kinds, "an object")?;
    if kinds.iter().all(|kind| !metrics.has(kind)) {
        reader.note(&place.path, format!("empty: expected one of {}", kinds.join(", ")));
    }
    let mut series = Series::default();
    for kind in MetricKind::ALL {
        let read = metrics.get(kind.name()).and_then(|place| metric(reader, &place));
        series.metrics.extend(read.map(|metric| (kind, metric)));
    }
    Some((series, u32::try_from(horizon?).ok()?))
}

fn metric(reader: &mut Reader, place: &Place<'_>) -> Option<MetricSeries> {
    let fields = reader.object(place, &["phi", "minutes"], "an object")?;
    let dispersion = fields.get("phi").map_or(Some(1.0), |phi| {
        let dispersion = phi.value.as_f64().filter(|dispersion| *dispersion >= 1.0);
        if dispersion.is_none() {
            reader.note(&phi.path, wrong(phi.value, "a number from 1"));
        }
        dispersion
    });
    let place = reader.required(&fields, "minutes", "a list")?;
    let minutes = reader.list(&place, "a list")?;
    if minutes.len() > MAX_MINUTES {
        reader.note(&place.path, format!("{} minutes: expected at most {MAX_MINUTES}", minutes.len()));
        return None;
    }
    let minutes = minutes.iter().filter_map(|place| minute(reader, place)).collect();
    Some(MetricSeries::of_one_pair(dispersion?, minutes))
}

fn minute(reader: &mut Reader, place: &Place<'_>) -> Option<Minute> {
    let fields = reader.object(place, &["age", "newBad", "new", "oldBad", "old"], "an object")?;
    let age = whole(reader, &fields, "age", 0, u64::from(u32::MAX));
    let counts = ["newBad", "new", "oldBad", "old"].map(|name| whole(reader, &fields, name, 0, MAX_COUNT));
    let [Some(new_bad), Some(new), Some(old_bad), Some(old)] = counts else { return None };
    for (bad, bad_name, all, name) in [(new_bad, "newBad", new, "new"), (old_bad, "oldBad", old, "old")] {
        if bad > all {
            reader.note(fields.path_of(bad_name), format!("{bad}: expected at most {name}, {all}"));
        }
    }
    Some(Minute { age: u32::try_from(age?).ok()?, new_bad, new, old_bad, old })
}

/// A whole number, also one that is written `5.0`.
fn whole(reader: &mut Reader, fields: &Object<'_>, name: &str, least: u64, most: u64) -> Option<u64> {
    let expected = format!("a whole number from {least} to {most}");
    let place = reader.required(fields, name, &expected)?;
    let number = place.value.as_u64().or_else(|| {
        let number = place.value.as_f64()?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, not negative, below 2^63")]
        (number.fract() == 0.0 && (0.0..9e18).contains(&number)).then_some(number as u64)
    });
    let fitting = number.filter(|number| (least..=most).contains(number));
    if fitting.is_none() {
        reader.note(&place.path, wrong(place.value, &expected));
    }
    fitting
}
