//! The file of counts: everything that the judge knows about a migration.
//!
//! Someone may have written it by hand, so all of its problems are named at once, each with its path.

use crossfade_actions::operator::replay::Replay;
use crossfade_domain::judge::{Before, MetricKind, MetricSeries, Minute, PairSeries, Parameters, Series, WarmUp};
use crossfade_domain::policy::document::judging;
use crossfade_domain::policy::problem::Problems;
use crossfade_domain::policy::reader::{Object, Place, Reader, wrong};
use crossfade_domain::policy::service_policy::Tolerated;
use serde::Serialize as _;
use serde_json::ser::Formatter;
use serde_json::{Value, json};
use std::io::{self, Write};

/// The largest count that a floating-point number holds exactly.
const MAX_COUNT: u64 = 1 << 53;

/// More minutes than the longest schedule has: a hundred steps of a week each.
const MAX_MINUTES: usize = 100 * 7 * 24 * 60;

const FILE_FIELDS: [&str; 4] = ["horizonMinutes", "judge", "warmed", "metrics"];
const METRIC_FIELDS: [&str; 4] = ["phi", "oldShare", "minutes", "pairs"];
const PAIR_FIELDS: [&str; 4] = ["name", "phi", "oldShare", "minutes"];
const MINUTE_FIELDS: [&str; 7] = ["age", "newBad", "newBadByOld", "new", "oldBad", "old", "targets"];

/// What a file contains.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct CountsFile {
    /// Planned minutes of the whole migration.
    pub(super) horizon_minutes: u32,
    /// The policy's field `judge`.
    pub(super) tolerated: Tolerated,
    /// Requests that a hook sent to each new target before the first shift.
    pub(super) warmed: u64,
    /// The counts.
    pub(super) series: Series,
}

impl CountsFile {
    /// Has everything that a migration was judged by.
    pub(super) fn of(replay: &Replay) -> Self {
        Self {
            horizon_minutes: replay.parameters.horizon_minutes,
            tolerated: replay.plan.policy.tolerated,
            warmed: replay.parameters.warm_up.warmed,
            series: replay.series.clone(),
        }
    }

    /// Writes the file, a minute to a line.
    pub(super) fn text(&self) -> String {
        let metrics: serde_json::Map<String, Value> =
            self.series.metrics.iter().map(|(kind, metric)| (kind.name().to_owned(), metric_json(metric))).collect();
        let file = json!({
            "horizonMinutes": self.horizon_minutes, "judge": self.tolerated, "warmed": self.warmed, "metrics": metrics,
        });
        let mut text = Vec::new();
        let mut serializer = serde_json::Serializer::with_formatter(&mut text, ItemToALine);
        file.serialize(&mut serializer).expect("a value is JSON, and writing to a vector succeeds");
        text.push(b'\n');
        String::from_utf8(text).expect("JSON is UTF-8")
    }

    /// The judge's settings.
    pub(super) fn parameters(&self) -> Parameters {
        let parameters = Parameters::tolerating(self.horizon_minutes, &self.tolerated);
        Parameters { warm_up: WarmUp { warmed: self.warmed, ..parameters.warm_up }, ..parameters }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// Every problem of the text, each with its path.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
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
}

fn metric_json(metric: &MetricSeries) -> Value {
    let pair = |pair: &PairSeries| {
        let targets = pair.targets.iter().copied().chain(std::iter::repeat(0));
        let mut minutes: Vec<Value> = pair.minutes.iter().zip(targets).map(minute_json).collect();
        for (minute, new_bad_by_old) in minutes.iter_mut().zip(&pair.new_bad_by_old) {
            minute["newBadByOld"] = json!(new_bad_by_old);
        }
        with_before(pair.before, json!({"name": pair.name, "minutes": minutes}))
    };
    with_before(metric.before, json!({"pairs": metric.pairs.iter().map(pair).collect::<Vec<_>>()}))
}

fn with_before(before: Before, mut value: Value) -> Value {
    value["phi"] = json!(before.dispersion);
    if let Some(share) = before.old_share {
        value["oldShare"] = json!(share);
    }
    value
}

fn minute_json((minute, targets): (&Minute, u32)) -> Value {
    let Minute { age, new_bad, new, old_bad, old } = minute;
    json!({"age": age, "newBad": new_bad, "new": new, "oldBad": old_bad, "old": old, "targets": targets})
}

/// Begins a line with each item of a list.
struct ItemToALine;

impl Formatter for ItemToALine {
    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        writer.write_all(if first { b"\n" } else { b",\n" })
    }
}

fn file(reader: &mut Reader, place: &Place<'_>) -> Option<CountsFile> {
    let fields = reader.object(place, &FILE_FIELDS, "an object")?;
    let horizon_minutes = required_whole(reader, &fields, "horizonMinutes", 1, u64::from(u32::MAX));
    let tolerated = fields.get("judge").map_or(Some(Tolerated::default()), |place| tolerated(reader, &place));
    let warmed = whole_or(reader, &fields, "warmed", 0, MAX_COUNT);
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
    let horizon_minutes = u32::try_from(horizon_minutes?).ok()?;
    Some(CountsFile { horizon_minutes, tolerated: tolerated?, warmed: warmed?, series })
}

fn tolerated(reader: &mut Reader, place: &Place<'_>) -> Option<Tolerated> {
    let tolerated = judging(reader, place)?;
    if tolerated.is_none() {
        reader.note(&place.path, wrong(place.value, "true, or an object such as { factor: 2 }"));
    }
    tolerated
}

fn metric(reader: &mut Reader, place: &Place<'_>) -> Option<MetricSeries> {
    let fields = reader.object(place, &METRIC_FIELDS, "an object")?;
    let before = before(reader, &fields);
    let Some(place) = fields.get("pairs") else {
        let minutes = minutes(reader, &fields);
        let (before, minutes) = (before?, minutes?);
        return Some(MetricSeries { before, pairs: vec![series_of(String::new(), before, minutes)] });
    };
    if fields.has("minutes") {
        reader.note(fields.path_of("minutes"), "expected minutes or pairs, not both");
    }
    let places = reader.list(&place, "a list")?;
    if places.is_empty() {
        reader.note(&place.path, "empty: expected at least one pair");
    }
    let pairs: Vec<PairSeries> = places.iter().filter_map(|place| pair(reader, place)).collect();
    let ages = |pair: &PairSeries| pair.minutes.iter().map(|minute| minute.age).collect::<Vec<_>>();
    for (place, pair) in places.iter().zip(&pairs) {
        if ages(pair) != ages(&pairs[0]) {
            reader.note(&place.path, "expected minutes of the same ages as the first pair's");
        }
    }
    Some(MetricSeries { before: before?, pairs })
}

fn pair(reader: &mut Reader, place: &Place<'_>) -> Option<PairSeries> {
    let fields = reader.object(place, &PAIR_FIELDS, "an object")?;
    let expected = "the name of its load balancer";
    let name = reader.required(&fields, "name", expected).and_then(|place| reader.text(&place, expected));
    let (before, minutes) = (before(reader, &fields), minutes(reader, &fields));
    Some(series_of(name?, before?, minutes?))
}

/// A minute as the file has it: its healthy targets, and its bad requests by the old cluster's measure, where it says.
type Read = (Minute, u32, Option<u64>);

fn series_of(name: String, before: Before, read: Vec<Read>) -> PairSeries {
    let by_old = |&(minute, _, by_old): &Read| by_old.unwrap_or(minute.new_bad);
    PairSeries {
        name,
        before,
        new_bad_by_old: read.iter().map(by_old).collect(),
        targets: read.iter().map(|minute| minute.1).collect(),
        minutes: read.into_iter().map(|minute| minute.0).collect(),
    }
}

fn before(reader: &mut Reader, fields: &Object<'_>) -> Option<Before> {
    let dispersion = fields.get("phi").map_or(Some(1.0), |phi| {
        let dispersion = phi.value.as_f64().filter(|dispersion| *dispersion >= 1.0);
        if dispersion.is_none() {
            reader.note(&phi.path, wrong(phi.value, "a number from 1"));
        }
        dispersion
    });
    let old_share = match fields.get("oldShare") {
        None => None,
        Some(share) => Some(reader.number(&share, 0.0, 1.0)?),
    };
    Some(Before { dispersion: dispersion?, old_share })
}

fn minutes(reader: &mut Reader, fields: &Object<'_>) -> Option<Vec<Read>> {
    let place = reader.required(fields, "minutes", "a list")?;
    let minutes = reader.list(&place, "a list")?;
    if minutes.len() > MAX_MINUTES {
        reader.note(&place.path, format!("{} minutes: expected at most {MAX_MINUTES}", minutes.len()));
        return None;
    }
    Some(minutes.iter().filter_map(|place| minute(reader, place)).collect())
}

/// More bad requests than requests are no mistake: CloudWatch counts so during an outage. The judge takes them for as
/// many as there were requests.
fn minute(reader: &mut Reader, place: &Place<'_>) -> Option<Read> {
    let fields = reader.object(place, &MINUTE_FIELDS, "an object")?;
    let age = required_whole(reader, &fields, "age", 0, u64::from(u32::MAX));
    let counts = ["newBad", "new", "oldBad", "old"].map(|name| required_whole(reader, &fields, name, 0, MAX_COUNT));
    let targets = whole_or(reader, &fields, "targets", 0, u64::from(u32::MAX));
    let by_old = match fields.get("newBadByOld") {
        None => None,
        Some(place) => Some(whole(reader, &place, 0, MAX_COUNT)?),
    };
    let [Some(new_bad), Some(new), Some(old_bad), Some(old)] = counts else { return None };
    let age = u32::try_from(age?).ok()?;
    Some((Minute { age, new_bad, new, old_bad, old }, u32::try_from(targets?).ok()?, by_old))
}

fn required_whole(reader: &mut Reader, fields: &Object<'_>, name: &str, least: u64, most: u64) -> Option<u64> {
    let place = reader.required(fields, name, &format!("a whole number from {least} to {most}"))?;
    whole(reader, &place, least, most)
}

fn whole_or(reader: &mut Reader, fields: &Object<'_>, name: &str, default: u64, most: u64) -> Option<u64> {
    fields.get(name).map_or(Some(default), |place| whole(reader, &place, 0, most))
}

/// A whole number, also one that is written `5.0`.
fn whole(reader: &mut Reader, place: &Place<'_>, least: u64, most: u64) -> Option<u64> {
    let number = place.value.as_u64().or_else(|| {
        let number = place.value.as_f64()?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, not negative, below 2^63")]
        (number.fract() == 0.0 && (0.0..9e18).contains(&number)).then_some(number as u64)
    });
    let fitting = number.filter(|number| (least..=most).contains(number));
    if fitting.is_none() {
        reader.note(&place.path, wrong(place.value, &format!("a whole number from {least} to {most}")));
    }
    fitting
}
