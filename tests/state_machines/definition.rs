//! The portable subset of the States Language as types: what they cannot hold, a machine must not use.

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;
use std::fmt;

/// A state machine.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct Machine {
    pub(super) comment: String,
    pub(super) start_at: String,
    pub(super) states: States,
}

impl Machine {
    pub(super) fn state(&self, name: &str) -> &State {
        self.states.0.iter().find(|(other, _)| other == name).map_or_else(|| panic!("no state {name:?}"), |(_, s)| s)
    }

    pub(super) fn tasks(&self) -> impl Iterator<Item = (&str, &Task)> {
        self.states.0.iter().filter_map(|(name, state)| match state {
            State::Task(task) => Some((name.as_str(), task)),
            _ => None,
        })
    }

    pub(super) fn ends(&self) -> impl Iterator<Item = &str> {
        self.states.0.iter().filter(|(_, state)| state.is_end()).map(|(name, _)| name.as_str())
    }
}

/// The states in the order of the file. A map of the standard library would lose the order, and would let a second
/// state of the same name replace the first without a word.
#[derive(Debug)]
pub(super) struct States(pub(super) Vec<(String, State)>);

impl<'de> Deserialize<'de> for States {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = States;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object of states")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<States, A::Error> {
                let mut states: Vec<(String, State)> = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    if states.iter().any(|(other, _)| *other == name) {
                        return Err(A::Error::custom(format!("state {name:?} appears twice")));
                    }
                    let state = map.next_value().map_err(|e| A::Error::custom(format!("state {name:?}: {e}")))?;
                    states.push((name, state));
                }
                Ok(States(states))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

#[derive(Debug, Deserialize)]
#[serde(tag = "Type")]
pub(super) enum State {
    Task(Task),
    Choice(Choice),
    Wait(Wait),
    Pass(Pass),
    Map(Map),
    Succeed(Succeed),
    Fail(Fail),
}

impl State {
    pub(super) fn comment(&self) -> &str {
        match self {
            Self::Task(state) => &state.comment,
            Self::Choice(state) => &state.comment,
            Self::Wait(state) => &state.comment,
            Self::Pass(state) => &state.comment,
            Self::Map(state) => &state.comment,
            Self::Succeed(state) => &state.comment,
            Self::Fail(state) => &state.comment,
        }
    }

    pub(super) fn is_end(&self) -> bool {
        matches!(self, Self::Succeed(_) | Self::Fail(_))
    }

    /// Every arrow out of the state: why it is taken, and where it leads.
    pub(super) fn arrows(&self) -> Vec<(&str, &str)> {
        match self {
            Self::Task(state) => {
                let mut arrows = vec![("done", state.next.as_str())];
                arrows.extend(state.catch.iter().map(|catcher| ("error", catcher.next.as_str())));
                arrows
            }
            Self::Choice(state) => {
                let mut arrows: Vec<_> = state.choices.iter().map(|rule| (rule.why(), rule.next.as_str())).collect();
                arrows.push(("anything else", &state.default));
                arrows
            }
            Self::Map(state) => {
                let mut arrows = vec![("done", state.next.as_str())];
                arrows.extend(state.catch.iter().map(|catcher| ("error", catcher.next.as_str())));
                arrows
            }
            Self::Wait(state) => vec![("waited", &state.next)],
            Self::Pass(state) => vec![("done", &state.next)],
            Self::Succeed(_) | Self::Fail(_) => Vec::new(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct Task {
    comment: String,
    pub(super) resource: String,
    pub(super) parameters: Invocation,
    #[serde(default)]
    pub(super) output_path: Option<String>,
    /// Null where the answer is thrown away.
    #[serde(default = "the_whole")]
    pub(super) result_path: Value,
    pub(super) timeout_seconds: u64,
    pub(super) retry: Vec<Retrier>,
    pub(super) catch: Vec<Catcher>,
    next: String,
}

fn the_whole() -> Value {
    "$".into()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct Invocation {
    #[serde(default)]
    pub(super) function_name: Option<String>,
    /// Where the cursor names the function.
    #[serde(default, rename = "FunctionName.$")]
    pub(super) function_name_path: Option<String>,
    pub(super) payload: serde_json::Map<String, Value>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct Retrier {
    pub(super) error_equals: Vec<String>,
    pub(super) interval_seconds: u32,
    pub(super) backoff_rate: f64,
    pub(super) max_delay_seconds: u32,
    pub(super) jitter_strategy: String,
    pub(super) max_attempts: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct Catcher {
    pub(super) error_equals: Vec<String>,
    pub(super) result_path: String,
    pub(super) next: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct Choice {
    comment: String,
    pub(super) choices: Vec<Rule>,
    pub(super) default: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct Rule {
    pub(super) variable: String,
    #[serde(default)]
    pub(super) string_equals: Option<String>,
    #[serde(default)]
    pub(super) is_present: Option<bool>,
    pub(super) next: String,
}

impl Rule {
    /// Why it is taken: the verdict, or the field that is there.
    fn why(&self) -> &str {
        self.string_equals.as_deref().unwrap_or(&self.variable)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct Wait {
    comment: String,
    pub(super) seconds_path: String,
    next: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct Pass {
    comment: String,
    #[serde(default)]
    pub(super) parameters: serde_json::Map<String, Value>,
    #[serde(default)]
    pub(super) result: Option<Value>,
    #[serde(default)]
    pub(super) result_path: Option<String>,
    next: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct Map {
    comment: String,
    pub(super) items_path: String,
    pub(super) item_processor: Value,
    pub(super) result_path: String,
    pub(super) catch: Vec<Catcher>,
    next: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct Succeed {
    comment: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct Fail {
    comment: String,
    #[serde(default)]
    pub(super) error: Option<String>,
    #[serde(default)]
    pub(super) error_path: Option<String>,
    pub(super) cause_path: String,
}
