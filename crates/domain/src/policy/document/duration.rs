//! Durations as people write them: `90s`, `10m`, `1h30m`, `2d`, or a number of seconds.

use crate::policy::reader::{Place, Reader, wrong};
use serde_json::{Value, json};

const MINUTE: u32 = 60;
const HOUR: u32 = 60 * MINUTE;
const DAY: u32 = 24 * HOUR;

/// The longest and the shortest that a duration may be, in seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) least: u32,
    pub(super) most: u32,
}

/// A bake: up to a week.
pub(super) const BAKE: Bounds = Bounds { least: 1, most: 7 * DAY };
/// A slice: up to a quarter of an hour, the longest that an operator's command may have to wait.
pub(super) const SLICE: Bounds = Bounds { least: 1, most: 15 * MINUTE };
/// A hold or an approval: up to a month.
pub(super) const HOLD: Bounds = Bounds { least: 1, most: 30 * DAY };
/// The wait for targets: up to a day.
pub(super) const TARGETS: Bounds = Bounds { least: 1, most: DAY };

/// A call of an outside gate: all gates of a check wait for it.
pub(super) const OUTSIDE: Bounds = Bounds { least: 1, most: 30 };

/// Reads a duration in seconds.
pub(super) fn seconds(reader: &mut Reader, place: &Place<'_>, bounds: Bounds) -> Option<u32> {
    let seconds = match place.value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => parse(text),
        _ => None,
    };
    let Some(seconds) = seconds else {
        reader.note(&place.path, wrong(place.value, "a duration such as 90s, 10m or 1h30m, or a number of seconds"));
        return None;
    };
    let fitting = u32::try_from(seconds).ok().filter(|seconds| (bounds.least..=bounds.most).contains(seconds));
    if fitting.is_none() {
        let expected = format!("{} to {}", written(bounds.least), written(bounds.most));
        reader.note(&place.path, wrong(place.value, &expected));
    }
    fitting
}

/// The schema of a duration, with its default as people write it.
pub(super) fn schema(bounds: Bounds, default: impl Into<Option<u32>>, description: &str) -> Value {
    let range = format!("{} to {}", written(bounds.least), written(bounds.most));
    let mut schema = described(&json!({ "$ref": "#/$defs/duration", "x-range": range }), description);
    if let Some(default) = default.into() {
        schema["default"] = json!(written(default));
    }
    schema
}

/// A schema with a description.
pub(super) fn described(schema: &Value, description: &str) -> Value {
    let mut schema = schema.clone();
    schema["description"] = json!(description);
    schema
}

/// The seconds of a duration as people write it; `None` if the text is not a duration.
pub fn parse(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    let mut total: u64 = 0;
    let mut last_unit = u64::MAX;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        let unit = match rest.as_bytes()[digits] {
            b'd' => u64::from(DAY),
            b'h' => u64::from(HOUR),
            b'm' => u64::from(MINUTE),
            b's' => 1,
            _ => return None,
        };
        // `10m5h` is more likely a slip than a wish.
        if unit >= last_unit {
            return None;
        }
        last_unit = unit;
        total = total.checked_add(number.checked_mul(unit)?)?;
        rest = &rest[digits + 1..];
    }
    Some(total)
}

/// Seconds as people write them.
pub fn written(seconds: u32) -> String {
    let mut rest = seconds;
    let mut text = String::new();
    for (unit, letter) in [(DAY, 'd'), (HOUR, 'h'), (MINUTE, 'm'), (1, 's')] {
        if rest >= unit {
            text.push_str(&(rest / unit).to_string());
            text.push(letter);
            rest %= unit;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_write_them() {
        for (text, seconds) in [("90s", 90), ("10m", 600), ("1h30m", 5400), ("2d", 172_800), ("1d2h3m4s", 93_784)] {
            assert_eq!(parse(text), Some(seconds), "{text}");
        }
        for (text, seconds) in [("1m30s", 90), ("10m", 600), ("1h30m", 5400), ("2d", 172_800), ("0s", 0)] {
            assert_eq!(written(seconds), text);
        }
        for text in ["", "10", "m", "10x", "10m5h", "1.5h", "-5m", "10m 5s", "5mm", "99999999999999999999d", "10µ"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
