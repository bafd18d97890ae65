//! EventBridge: which events a rule's pattern matches.

use serde_json::{Map, Value};

/// An event pattern, read strictly: a filter that we do not know is refused, since AWS would filter by it.
#[derive(Debug, Clone, PartialEq)]
pub struct EventPattern {
    fields: Vec<(String, Expected)>,
}

/// A condition of a pattern on one field.
#[derive(Debug, Clone, PartialEq)]
enum Expected {
    /// The field is an object that this matches.
    Object(EventPattern),
    /// The field's value, or one of its elements, passes one of these.
    OneOf(Vec<Filter>),
}

#[derive(Debug, Clone, PartialEq)]
enum Filter {
    Equals(Value),
    Prefix(String),
    Suffix(String),
    EqualsIgnoringCase(String),
    AnythingBut(Vec<Filter>),
    Exists(bool),
    Numeric(Vec<(Comparison, f64)>),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Why a pattern is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid event pattern at `{path}`: {reason}")]
pub struct InvalidPattern {
    path: String,
    reason: String,
}

/// Whether an event pattern matches an event.
///
/// The event is the whole one (`source`, `detail-type`, `detail`, ..). For several events read the [`EventPattern`]
/// once.
pub fn matches(pattern: &Value, event: &Value) -> Result<bool, InvalidPattern> {
    Ok(EventPattern::parse(pattern)?.matches(event))
}

impl EventPattern {
    /// Reads a pattern.
    pub fn parse(pattern: &Value) -> Result<Self, InvalidPattern> {
        Self::parse_at(pattern, "$")
    }

    /// Whether every field of the pattern finds what it asks for.
    pub fn matches(&self, event: &Value) -> bool {
        self.fields.iter().all(|(name, expected)| {
            let value = event.get(name);
            match expected {
                Expected::Object(pattern) => match value {
                    Some(Value::Array(elements)) => elements.iter().any(|element| pattern.matches(element)),
                    value => pattern.matches(value.unwrap_or(&Value::Null)),
                },
                Expected::OneOf(filters) => filters.iter().any(|filter| filter.passes(value)),
            }
        })
    }

    fn parse_at(pattern: &Value, path: &str) -> Result<Self, InvalidPattern> {
        let fields = match pattern {
            Value::Object(fields) if !fields.is_empty() => fields,
            other => return Err(invalid(path, format!("an object with at least one field is expected, not {other}"))),
        };
        let fields = fields
            .iter()
            .map(|(name, expected)| {
                let path = format!("{path}.{name}");
                if name.starts_with('$') {
                    return Err(invalid(&path, "operators between fields are not supported".to_owned()));
                }
                Ok((name.clone(), Expected::parse(expected, &path)?))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { fields })
    }
}

impl Expected {
    fn parse(expected: &Value, path: &str) -> Result<Self, InvalidPattern> {
        match expected {
            Value::Object(_) => EventPattern::parse_at(expected, path).map(Self::Object),
            Value::Array(filters) if !filters.is_empty() => {
                filters.iter().map(|filter| Filter::parse(filter, path)).collect::<Result<_, _>>().map(Self::OneOf)
            }
            other => Err(invalid(path, format!("a list of values or an object is expected, not {other}"))),
        }
    }
}

impl Filter {
    fn parse(filter: &Value, path: &str) -> Result<Self, InvalidPattern> {
        let fields = match filter {
            Value::Object(fields) => fields,
            Value::Array(_) => return Err(invalid(path, "a list inside a list is no filter".to_owned())),
            value => return Ok(Self::Equals(value.clone())),
        };
        let (name, argument) = only_field(fields)
            .ok_or_else(|| invalid(path, format!("a filter has exactly one field, not {}", fields.len())))?;
        let wrong = || invalid(path, format!("`{name}` cannot take {argument}"));
        let text = || argument.as_str().map(str::to_owned).ok_or_else(wrong);
        Ok(match name {
            "prefix" => Self::Prefix(text()?),
            "suffix" => Self::Suffix(text()?),
            "equals-ignore-case" => Self::EqualsIgnoringCase(text()?),
            "exists" => Self::Exists(argument.as_bool().ok_or_else(wrong)?),
            "anything-but" => Self::AnythingBut(match argument {
                Value::Array(values) => {
                    values.iter().map(|value| Self::parse(value, path)).collect::<Result<_, _>>()?
                }
                value => vec![Self::parse(value, path)?],
            }),
            "numeric" => Self::Numeric(numeric(argument).ok_or_else(wrong)?),
            _ => return Err(invalid(path, format!("the filter `{name}` is not supported"))),
        })
    }

    /// `value` is `None` where the event has no such field.
    fn passes(&self, value: Option<&Value>) -> bool {
        match (self, value) {
            // Only leaves exist for EventBridge: an object under this name does not count.
            (Self::Exists(expected), value) => value.is_some_and(|value| !value.is_object()) == *expected,
            (_, Some(Value::Array(elements))) => elements.iter().any(|element| self.accepts(element)),
            (_, Some(value)) => self.accepts(value),
            (_, None) => false,
        }
    }

    fn accepts(&self, value: &Value) -> bool {
        let text = value.as_str();
        match self {
            Self::Equals(expected) => match (expected.as_f64(), value.as_f64()) {
                #[expect(clippy::float_cmp, reason = "1 and 1.0 are the same number, nothing is computed")]
                (Some(expected), Some(value)) => expected == value,
                _ => expected == value,
            },
            Self::Prefix(prefix) => text.is_some_and(|text| text.starts_with(prefix)),
            Self::Suffix(suffix) => text.is_some_and(|text| text.ends_with(suffix)),
            Self::EqualsIgnoringCase(expected) => text.is_some_and(|text| text.eq_ignore_ascii_case(expected)),
            Self::AnythingBut(filters) => !filters.iter().any(|filter| filter.accepts(value)),
            Self::Exists(expected) => *expected,
            Self::Numeric(bounds) => value
                .as_f64()
                .is_some_and(|number| bounds.iter().all(|(comparison, bound)| comparison.holds(number, *bound))),
        }
    }
}

impl Comparison {
    fn parse(sign: &str) -> Option<Self> {
        Some(match sign {
            "=" => Self::Equal,
            "<" => Self::Less,
            "<=" => Self::LessOrEqual,
            ">" => Self::Greater,
            ">=" => Self::GreaterOrEqual,
            _ => return None,
        })
    }

    fn holds(self, number: f64, bound: f64) -> bool {
        match self {
            #[expect(clippy::float_cmp, reason = "the pattern asks for exactly this number")]
            Self::Equal => number == bound,
            Self::Less => number < bound,
            Self::LessOrEqual => number <= bound,
            Self::Greater => number > bound,
            Self::GreaterOrEqual => number >= bound,
        }
    }
}

fn numeric(argument: &Value) -> Option<Vec<(Comparison, f64)>> {
    let parts = argument.as_array().filter(|parts| parts.len() == 2 || parts.len() == 4)?;
    parts.chunks(2).map(|pair| Some((Comparison::parse(pair[0].as_str()?)?, pair[1].as_f64()?))).collect()
}

fn only_field(fields: &Map<String, Value>) -> Option<(&str, &Value)> {
    let mut fields_left = fields.iter();
    let (name, value) = fields_left.next()?;
    fields_left.next().is_none().then_some((name.as_str(), value))
}

fn invalid(path: &str, reason: String) -> InvalidPattern {
    InvalidPattern { path: path.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(pattern: &Value, expected: bool) {
        let event = json!({
            "source": "aws.cloudwatch",
            "detail-type": "CloudWatch Alarm State Change",
            "resources": ["arn:one", "arn:two"],
            "detail": {
                "alarmName": "users-5xx",
                "state": { "value": "ALARM" },
                "count": 5,
                "muted": null,
                "metrics": [{ "id": "m1" }, { "id": "m2" }],
            },
        });
        assert_eq!(matches(pattern, &event), Ok(expected), "{pattern}");
    }

    #[test]
    fn a_pattern_matches_what_eventbridge_says() {
        check(&json!({"source": ["aws.cloudwatch"]}), true);
        check(&json!({"source": ["aws.states", "aws.cloudwatch"]}), true);
        check(&json!({"source": ["aws.states"]}), false);
        check(&json!({"source": ["aws.cloudwatch"], "detail": {"state": {"value": ["ALARM"]}}}), true);
        check(&json!({"source": ["aws.cloudwatch"], "detail": {"state": {"value": ["OK"]}}}), false);
        check(&json!({"resources": ["arn:two"]}), true);
        check(&json!({"resources": [{"prefix": "arn:"}]}), true);
        check(&json!({"resources": ["arn:three"]}), false);
        check(&json!({"detail": {"alarmName": [{"prefix": "users-"}]}}), true);
        check(&json!({"detail": {"alarmName": [{"suffix": "-latency"}]}}), false);
        check(&json!({"detail": {"alarmName": [{"equals-ignore-case": "USERS-5XX"}]}}), true);
        check(&json!({"detail": {"alarmName": [{"anything-but": ["a", "b"]}]}}), true);
        check(&json!({"detail": {"alarmName": [{"anything-but": "users-5xx"}]}}), false);
        check(&json!({"detail": {"alarmName": [{"anything-but": {"prefix": "users-"}}]}}), false);
        check(&json!({"detail": {"gone": [{"anything-but": "x"}]}}), false);
        check(&json!({"detail": {"gone": [{"exists": false}]}}), true);
        check(&json!({"detail": {"alarmName": [{"exists": true}]}}), true);
        check(&json!({"detail": {"muted": [null]}}), true);
        check(&json!({"detail": {"count": [{"numeric": [">", 3, "<=", 5]}]}}), true);
        check(&json!({"detail": {"count": [{"numeric": ["<", 5]}]}}), false);
        check(&json!({"detail": {"count": [5.0]}}), true);
        check(&json!({"detail": {"count": ["5"]}}), false);
        check(&json!({"detail": {"metrics": {"id": ["m2"]}}}), true);
        check(&json!({"nothing": {"inside": ["x"]}}), false);
        check(&json!({"nothing": {"inside": [{"exists": false}]}}), true);
    }

    #[test]
    fn a_pattern_that_cannot_be_read_is_refused_with_its_path() {
        for pattern in [
            json!({}),
            json!("text"),
            json!({"source": "aws.states"}),
            json!({"source": []}),
            json!({"detail": {}}),
            json!({"detail": {"count": [{"numeric": ["~", 5]}]}}),
            json!({"detail": {"name": [{"wildcard": "a*b"}]}}),
            json!({"$or": [{"source": ["a"]}]}),
        ] {
            assert!(EventPattern::parse(&pattern).is_err(), "{pattern}");
        }
        let error = EventPattern::parse(&json!({"detail": {"name": [{"wildcard": "a*b"}]}})).unwrap_err();
        assert_eq!(
            error.to_string(),
            "invalid event pattern at `$.detail.name`: the filter `wildcard` is not supported"
        );
    }
}
