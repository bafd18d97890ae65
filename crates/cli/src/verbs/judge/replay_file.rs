//! Decodes the file on which the judge is replayed.
//!
//! Not derived, because the person who wrote the file wants all of its problems at once, each with its place.

use crossfade_domain::judge::{MetricKind, MetricSeries, Minute, Series};
use serde_json::{Map, Value};
use std::fmt;

/// The largest count that a floating-point number holds exactly.
const LARGEST_COUNT: u64 = 1 << 53;

/// The minutes of the longest schedule: a hundred steps of a week each.
const MOST_MINUTES: usize = 100 * 7 * 24 * 60;

/// All problems of a file.
#[derive(Debug)]
pub(super) struct Problems(Vec<String>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [only] => write!(f, "{only}"),
            several => {
                write!(f, "{} problems", several.len())?;
                several.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
            }
        }
    }
}

/// Decodes a file into the series and the planned minutes of the migration.
pub(super) fn parse(text: &str) -> Result<(Series, u32), Problems> {
    if text.trim().is_empty() {
        return Err(Problems(vec!["empty, expected a JSON object with horizonMinutes and metrics".to_owned()]));
    }
    let file: Value = serde_json::from_str(text).map_err(|error| Problems(vec![format!("not JSON: {error}")]))?;
    let mut reader = Reader::default();
    let read = reader.file(&file);
    if reader.problems.is_empty() { Ok(read) } else { Err(Problems(reader.problems)) }
}

/// Collects problems. A value that cannot be read becomes zero, which is never used because the file is refused.
#[derive(Default)]
struct Reader {
    problems: Vec<String>,
}

impl Reader {
    fn file(&mut self, file: &Value) -> (Series, u32) {
        let Some(fields) = self.object(file, "$", &["horizonMinutes", "metrics"]) else {
            return (Series::default(), 0);
        };
        let horizon = self.whole_number(fields, "horizonMinutes", "$", 1, u64::from(u32::MAX));
        let mut series = Series::default();
        let kinds = MetricKind::ALL.map(MetricKind::name);
        if let Some(metrics) = self.field(fields, "metrics", "$", "an object")
            && let Some(metrics) = self.object(metrics, "$.metrics", &kinds)
        {
            if metrics.is_empty() {
                self.problem("$.metrics", "empty", &one_of(&kinds));
            }
            for (name, metric) in metrics {
                if let Some(kind) = MetricKind::from_name(name) {
                    series.metrics.insert(kind, self.metric(metric, &format!("$.metrics.{name}")));
                }
            }
        }
        (series, u32::try_from(horizon).unwrap_or(0))
    }

    fn metric(&mut self, metric: &Value, path: &str) -> MetricSeries {
        let mut series = MetricSeries { dispersion: 1.0, minutes: Vec::new() };
        let Some(fields) = self.object(metric, path, &["phi", "minutes"]) else { return series };
        if let Some(phi) = fields.get("phi") {
            match phi.as_f64() {
                Some(phi) if phi >= 1.0 => series.dispersion = phi,
                _ => self.problem(&format!("{path}.phi"), &shown(phi), "a number from 1"),
            }
        }
        match self.field(fields, "minutes", path, "an array") {
            Some(Value::Array(minutes)) if minutes.len() > MOST_MINUTES => {
                let found = format!("{} minutes", minutes.len());
                self.problem(&format!("{path}.minutes"), &found, &format!("at most {MOST_MINUTES}"));
            }
            Some(Value::Array(minutes)) => {
                for (index, minute) in minutes.iter().enumerate() {
                    series.minutes.push(self.minute(minute, &format!("{path}.minutes[{index}]")));
                }
            }
            Some(other) => self.problem(&format!("{path}.minutes"), &shown(other), "an array"),
            None => {}
        }
        series
    }

    fn minute(&mut self, minute: &Value, path: &str) -> Minute {
        let Some(fields) = self.object(minute, path, &["age", "newBad", "new", "oldBad", "old"]) else {
            return Minute::default();
        };
        let age = self.whole_number(fields, "age", path, 0, u64::from(u32::MAX));
        let before = self.problems.len();
        let [new_bad, new, old_bad, old] =
            ["newBad", "new", "oldBad", "old"].map(|name| self.whole_number(fields, name, path, 0, LARGEST_COUNT));
        if self.problems.len() == before {
            for (bad, bad_name, all, name) in [(new_bad, "newBad", new, "new"), (old_bad, "oldBad", old, "old")] {
                if bad > all {
                    self.problem(&format!("{path}.{bad_name}"), &bad.to_string(), &format!("at most {name}, {all}"));
                }
            }
        }
        Minute { age: u32::try_from(age).unwrap_or(0), new_bad, new, old_bad, old }
    }

    /// Returns the fields of an object; reports each unknown one.
    fn object<'a>(&mut self, value: &'a Value, path: &str, known: &[&str]) -> Option<&'a Map<String, Value>> {
        let Value::Object(fields) = value else {
            self.problem(path, &shown(value), "an object");
            return None;
        };
        for name in fields.keys().filter(|name| !known.contains(&name.as_str())) {
            self.problem(&format!("{path}.{name}"), "unknown", &one_of(known));
        }
        Some(fields)
    }

    fn field<'a>(
        &mut self,
        fields: &'a Map<String, Value>,
        name: &str,
        path: &str,
        expected: &str,
    ) -> Option<&'a Value> {
        let found = fields.get(name);
        if found.is_none() {
            self.problem(&format!("{path}.{name}"), "missing", expected);
        }
        found
    }

    fn whole_number(&mut self, fields: &Map<String, Value>, name: &str, path: &str, least: u64, most: u64) -> u64 {
        let expected = format!("a whole number from {least} to {most}");
        let Some(value) = self.field(fields, name, path, &expected) else { return 0 };
        match whole(value) {
            Some(number) if (least..=most).contains(&number) => number,
            _ => {
                self.problem(&format!("{path}.{name}"), &shown(value), &expected);
                0
            }
        }
    }

    fn problem(&mut self, path: &str, found: &str, expected: &str) {
        self.problems.push(format!("{path}: {found}, expected {expected}"));
    }
}

/// Returns a whole number, even if it is written as `5.0`.
fn whole(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| {
        let number = value.as_f64()?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, not negative, below 2^63")]
        (number.fract() == 0.0 && (0.0..9e18).contains(&number)).then_some(number as u64)
    })
}

fn one_of(names: &[&str]) -> String {
    format!("one of {}", names.join(", "))
}

/// Quotes a value in a message: a short one as written, a long one by its kind.
fn shown(value: &Value) -> String {
    match value {
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        Value::String(text) if text.chars().count() > 40 => "a long text".to_owned(),
        short => short.to_string(),
    }
}
