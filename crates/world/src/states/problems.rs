//! Collects the problems of a definition, and reads objects without leaving a field unread.

use serde_json::{Map, Value};
use std::cell::{Cell, RefCell};

/// One reason why a definition is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The place in the definition, as a JSON path.
    pub path: String,
    /// The problem.
    pub reason: String,
}

/// A definition outside the portable subset, with everything that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid definition: {}", .problems.iter().map(|problem| format!("{}: {}", problem.path,
    problem.reason)).collect::<Vec<_>>().join("; "))]
pub struct InvalidDefinition {
    /// At least one, in the order of the definition.
    pub problems: Vec<Problem>,
}

/// Collects problems from every depth of the reader.
#[derive(Debug, Default)]
pub(super) struct Problems {
    found: RefCell<Vec<Problem>>,
    /// Whether the reader is inside a Map's iteration, where `$$.Map.Item` exists.
    pub(super) in_map: Cell<bool>,
}

impl Problems {
    pub(super) fn report(&self, path: impl Into<String>, reason: impl Into<String>) {
        self.found.borrow_mut().push(Problem { path: path.into(), reason: reason.into() });
    }

    pub(super) fn into_vec(self) -> Vec<Problem> {
        self.found.into_inner()
    }
}

/// An object whose fields are taken one by one; those left over at the end are outside the subset.
pub(super) struct Fields<'a> {
    left: Map<String, Value>,
    /// The path of the object in the definition.
    pub(super) path: String,
    pub(super) problems: &'a Problems,
}

impl<'a> Fields<'a> {
    pub(super) fn of(value: &Value, path: &str, problems: &'a Problems) -> Self {
        let left = value.as_object().cloned().unwrap_or_else(|| {
            problems.report(path, "an object is expected here");
            Map::new()
        });
        Self { left, path: path.to_owned(), problems }
    }

    pub(super) fn at(&self, name: &str) -> String {
        if name.chars().all(char::is_alphanumeric) {
            format!("{}.{name}", self.path)
        } else {
            format!("{}['{name}']", self.path)
        }
    }

    pub(super) fn report(&self, name: &str, reason: impl Into<String>) {
        self.problems.report(self.at(name), reason);
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.left.contains_key(name)
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.left.keys().cloned().collect()
    }

    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.left.remove(name)
    }

    pub(super) fn peek(&self, name: &str) -> Option<&Value> {
        self.left.get(name)
    }

    pub(super) fn put_back(&mut self, name: &str, value: Value) {
        self.left.insert(name.to_owned(), value);
    }

    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        match self.take(name)? {
            Value::String(text) => Some(text),
            other => {
                self.report(name, format!("a string is expected, not {other}"));
                None
            }
        }
    }

    pub(super) fn whole_number(&mut self, name: &str, least: u64, most: u64) -> Option<u64> {
        let value = self.take(name)?;
        let number = value.as_u64().filter(|number| (least..=most).contains(number));
        if number.is_none() {
            self.report(name, format!("a whole number from {least} to {most} is expected, not {value}"));
        }
        number
    }

    pub(super) fn number(&mut self, name: &str, least: f64) -> Option<f64> {
        let value = self.take(name)?;
        let number = value.as_f64().filter(|number| *number >= least);
        if number.is_none() {
            self.report(name, format!("a number of at least {least} is expected, not {value}"));
        }
        number
    }

    pub(super) fn list(&mut self, name: &str) -> Option<Vec<Value>> {
        match self.take(name)? {
            Value::Array(elements) => Some(elements),
            other => {
                self.report(name, format!("a list is expected, not {other}"));
                None
            }
        }
    }

    pub(super) fn comment(&mut self) {
        self.text("Comment");
    }

    /// Reports what was not taken.
    pub(super) fn finish(self) {
        for name in self.left.keys() {
            self.problems.report(self.at(name), reason_for_unknown(name));
        }
    }
}

fn reason_for_unknown(name: &str) -> &'static str {
    match name {
        "Assign" => "variables are outside the portable subset",
        "Arguments" | "Output" | "Condition" | "Items" => "JSONata is outside the portable subset",
        "HeartbeatSeconds" | "HeartbeatSecondsPath" => "heartbeats are outside the portable subset",
        "Iterator" => "write ItemProcessor instead",
        "Branches" => "Parallel is outside the portable subset",
        "ItemReader" | "ItemBatcher" | "ResultWriter" | "ToleratedFailurePercentage" | "ToleratedFailureCount" => {
            "distributed Map is outside the portable subset"
        }
        _ => "this field is outside the portable subset here",
    }
}
