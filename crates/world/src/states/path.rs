//! Reference paths: the only `JSONPath` of the portable subset.

use serde_json::{Map, Value};

/// A path to exactly one place in the state's input (`$.a.b[0]`) or in the context object (`$$.Execution.Id`).
///
/// Filters, wildcards, slices and `..` select many places; interpreters differ in them, so they are no part of the
/// subset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferencePath {
    text: String,
    context: bool,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Field(String),
    Element(usize),
}

/// Why a text is no reference path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no reference path: {reason}")]
pub struct PathProblem {
    text: String,
    reason: &'static str,
}

/// Every context path that AWS and the second interpreters agree on; a trailing `.*` means anything below.
const CONTEXT_PATHS: [&str; 10] = [
    "$$.Execution.Id",
    "$$.Execution.Name",
    "$$.Execution.Input",
    "$$.Execution.StartTime",
    "$$.State.Name",
    "$$.State.EnteredTime",
    "$$.State.RetryCount",
    "$$.StateMachine.Id",
    "$$.Map.Item.Index",
    "$$.Map.Item.Value",
];

impl ReferencePath {
    /// Reads `$`, `$.field`, `$['any field']`, `$.list[0]`, and the same below `$$`.
    pub fn parse(text: &str) -> Result<Self, PathProblem> {
        let problem = |reason| PathProblem { text: text.to_owned(), reason };
        if text.starts_with("States.") {
            return Err(problem("intrinsic functions are outside the portable subset"));
        }
        let Some(rest) = text.strip_prefix('$') else {
            return Err(problem("it must start with `$`"));
        };
        let (context, mut rest) = rest.strip_prefix('$').map_or((false, rest), |rest| (true, rest));
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let (step, remaining) = next_step(rest).map_err(problem)?;
            steps.push(step);
            rest = remaining;
        }
        Ok(Self { text: text.to_owned(), context, steps })
    }

    /// Whether it reads the context object instead of the state's input.
    pub fn reads_context(&self) -> bool {
        self.context
    }

    /// Whether a context path is one of those that every interpreter knows; `in_map` allows `$$.Map.Item`.
    pub fn is_known_context(&self, in_map: bool) -> bool {
        CONTEXT_PATHS.iter().any(|known| {
            let below = matches!(*known, "$$.Execution.Input" | "$$.Map.Item.Value");
            let is_it = self.text == *known
                || (below && self.text.strip_prefix(known).is_some_and(|rest| rest.starts_with(['.', '['])));
            is_it && (in_map || !known.starts_with("$$.Map"))
        })
    }

    /// The value at this path, if there is one.
    pub fn get<'a>(&self, input: &'a Value, context: &'a Value) -> Option<&'a Value> {
        let root = if self.context { context } else { input };
        self.steps.iter().try_fold(root, |value, step| match step {
            Step::Field(name) => value.as_object()?.get(name),
            Step::Element(index) => value.as_array()?.get(*index),
        })
    }

    /// `target` with `value` at this path; missing objects on the path are created.
    ///
    /// `None` if something on the path is neither an object nor an existing element of a list.
    pub fn put(&self, mut target: Value, value: Value) -> Option<Value> {
        let mut place = &mut target;
        for (depth, step) in self.steps.iter().enumerate() {
            place = match step {
                Step::Field(name) => {
                    if depth > 0 && place.is_null() {
                        *place = Value::Object(Map::new());
                    }
                    place.as_object_mut()?.entry(name.clone()).or_insert(Value::Null)
                }
                Step::Element(index) => place.as_array_mut()?.get_mut(*index)?,
            };
        }
        *place = value;
        Some(target)
    }
}

impl std::fmt::Display for ReferencePath {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.text)
    }
}

fn next_step(rest: &str) -> Result<(Step, &str), &'static str> {
    if let Some(rest) = rest.strip_prefix('.') {
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        let (name, rest) = rest.split_at(end);
        if name.is_empty() {
            return Err("a field name is empty (`..` selects many places)");
        }
        if !name.chars().all(|character| character.is_alphanumeric() || matches!(character, '_' | '-')) {
            return Err("a field with other signs than letters, digits, `_` and `-` is written ['..']");
        }
        return Ok((Step::Field(name.to_owned()), rest));
    }
    let Some(inside) = rest.strip_prefix('[') else {
        return Err("a step starts with `.` or `[`");
    };
    if let Some(quoted) = inside.strip_prefix('\'') {
        let Some((name, rest)) = quoted.split_once("']") else {
            return Err("`['` is not closed by `']`");
        };
        return Ok((Step::Field(name.to_owned()), rest));
    }
    let Some((index, rest)) = inside.split_once(']') else {
        return Err("`[` is not closed");
    };
    let index = index.parse().map_err(|_| "only a single index or a quoted name stands in brackets")?;
    Ok((Step::Element(index), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check_get(path: &str, expected: Option<&Value>) {
        let input = json!({"a": {"b-c": [10, {"d": null}], "e f": 1}, "n": null});
        let context = json!({"Execution": {"Id": "arn"}});
        let path = ReferencePath::parse(path).unwrap();
        assert_eq!(path.get(&input, &context), expected, "{path}");
    }

    #[test]
    fn a_path_finds_one_place() {
        check_get("$.a.b-c[0]", Some(&json!(10)));
        check_get("$['a']['e f']", Some(&json!(1)));
        check_get("$.a.b-c[1].d", Some(&Value::Null));
        check_get("$.n", Some(&Value::Null));
        check_get("$.n.x", None);
        check_get("$.a.b-c[2]", None);
        check_get("$$.Execution.Id", Some(&json!("arn")));
    }

    #[test]
    fn a_path_to_many_places_is_refused() {
        for text in ["$..a", "$.a[*]", "$.a[0:2]", "$.a[?(@.b)]", "$.*", "a", "", "$.", "$['a", "States.Format('{}')"] {
            assert!(ReferencePath::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_result_makes_the_objects_on_its_way() {
        let path = ReferencePath::parse("$.a.b").unwrap();
        assert_eq!(path.put(json!({"k": 1}), json!(2)), Some(json!({"k": 1, "a": {"b": 2}})));
        assert_eq!(path.put(json!({"a": {"b": 1, "c": 3}}), json!(2)), Some(json!({"a": {"b": 2, "c": 3}})));
        assert_eq!(path.put(json!({"a": "text"}), json!(2)), None);
        assert_eq!(path.put(json!([1]), json!(2)), None);
    }

    #[test]
    fn the_map_item_is_known_only_inside_a_map() {
        let path = ReferencePath::parse("$$.Map.Item.Value.name").unwrap();
        assert!(path.is_known_context(true));
        assert!(!path.is_known_context(false));
        assert!(!ReferencePath::parse("$$.Task.Token").unwrap().is_known_context(true));
    }
}
