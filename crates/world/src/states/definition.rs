//! A machine of the portable subset, read and checked.

use super::choice::Rule;
use super::path::ReferencePath;
use super::template::Template;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A state machine of the portable subset.
#[derive(Debug, Clone)]
pub struct Machine {
    /// The states at the top.
    pub scope: Arc<Scope>,
    /// How long an execution may take, in seconds of world time.
    pub timeout_seconds: Option<u64>,
}

/// The states of a machine or of a Map's iteration.
#[derive(Debug, Clone)]
pub struct Scope {
    /// The first state.
    pub start_at: String,
    /// Every state by its name.
    pub states: BTreeMap<String, State>,
}

/// One state.
#[derive(Debug, Clone)]
pub struct State {
    /// The part of the input that it gets.
    pub input_path: Selection,
    /// The part of its result that the next state gets.
    pub output_path: Selection,
    /// The next state; unused by Choice and Fail.
    pub transition: Transition,
    /// Its kind, with its settings.
    pub kind: Kind,
}

/// `InputPath` and `OutputPath`.
#[derive(Debug, Clone, PartialEq)]
pub enum Selection {
    /// The value at the path.
    Path(ReferencePath),
    /// `null` in the definition: an empty object.
    Nothing,
}

/// `ResultPath`.
#[derive(Debug, Clone, PartialEq)]
pub enum ResultPlace {
    /// The result is put there in the state's input.
    Path(ReferencePath),
    /// `null` in the definition: the next state gets the input, and the result is dropped.
    Discard,
}

/// Where a state leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transition {
    /// To the state of this name.
    Next(String),
    /// To the end of its scope.
    End,
}

/// The kind of a state, with its settings.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "each variant is the state type of its name, each field the field of its name")]
pub enum Kind {
    Task(Task),
    Choice { rules: Vec<(Rule, String)>, default: Option<String> },
    Wait(WaitFor),
    Pass { result: Option<Value>, parameters: Option<Template>, result_path: ResultPlace },
    Succeed,
    Fail { error: FailText, cause: FailText },
    Map(Box<MapState>),
}

/// A text of a Fail state.
#[derive(Debug, Clone, PartialEq)]
pub enum FailText {
    /// Not given.
    Absent,
    /// As written.
    Text(String),
    /// Read from the state's input.
    Path(ReferencePath),
}

/// How long a Wait state waits, in seconds of world time.
#[derive(Debug, Clone, PartialEq)]
pub enum WaitFor {
    Seconds(u64),
    SecondsPath(ReferencePath),
}

/// How long one attempt of a task may take, in seconds.
#[derive(Debug, Clone, PartialEq)]
pub enum TimeoutFor {
    /// `TimeoutSeconds`.
    Seconds(u64),
    /// `TimeoutSecondsPath`.
    SecondsPath(ReferencePath),
}

/// The resource of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Integration {
    /// `arn:aws:states:::lambda:invoke`
    LambdaInvoke,
    /// `arn:aws:states:::states:startExecution.sync:2`
    StartExecution,
}

impl Integration {
    /// The integration of a task's `Resource`.
    pub fn of_resource(resource: &str) -> Option<Self> {
        match resource {
            "arn:aws:states:::lambda:invoke" => Some(Self::LambdaInvoke),
            "arn:aws:states:::states:startExecution.sync:2" => Some(Self::StartExecution),
            _ => None,
        }
    }

    /// `resourceType` and `resource` of history events.
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::LambdaInvoke => ("lambda", "invoke"),
            Self::StartExecution => ("states", "startExecution.sync:2"),
        }
    }
}

/// A Task state.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// The resource that it calls.
    pub integration: Integration,
    /// The call's parameters.
    pub parameters: Template,
    /// The part of the result that is kept.
    pub result_selector: Option<Template>,
    /// The path that it is written to.
    pub result_path: ResultPlace,
    /// How long one attempt may take, in real seconds.
    pub timeout: Option<TimeoutFor>,
    /// Its retriers and catchers.
    pub recovery: Recovery,
}

/// A Map state with inline iterations.
#[derive(Debug, Clone)]
pub struct MapState {
    /// Where the list is.
    pub items_path: ReferencePath,
    /// The input of each iteration; the item itself if absent.
    pub item_selector: Option<Template>,
    /// The states of an iteration.
    pub processor: Arc<Scope>,
    /// How many iterations run at once, at most 40.
    pub max_concurrency: usize,
    /// The part of the result that is kept.
    pub result_selector: Option<Template>,
    /// The path that it is written to.
    pub result_path: ResultPlace,
    /// Its retriers and catchers.
    pub recovery: Recovery,
}

/// `Retry` and `Catch`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Recovery {
    /// In the order of the definition; the first that matches decides.
    pub retriers: Vec<Retrier>,
    /// In the order of the definition; the first that matches decides.
    pub catchers: Vec<Catcher>,
}

/// One element of `Retry`.
#[derive(Debug, Clone, PartialEq)]
pub struct Retrier {
    /// `ErrorEquals`.
    pub errors: Vec<String>,
    /// The first delay.
    pub interval_seconds: u64,
    /// How often; 0 means never.
    pub max_attempts: u64,
    /// The factor from one delay to the next.
    pub backoff_rate: f64,
    /// No delay is longer.
    pub max_delay_seconds: Option<u64>,
    /// `JitterStrategy` is `FULL`: a delay is drawn between 0 and what was computed.
    pub full_jitter: bool,
}

/// One element of `Catch`.
#[derive(Debug, Clone, PartialEq)]
pub struct Catcher {
    /// `ErrorEquals`.
    pub errors: Vec<String>,
    /// Where the error output is put in the state's input.
    pub result_path: ResultPlace,
    /// The next state.
    pub next: String,
}

impl Scope {
    /// The state of this name.
    pub fn state(&self, name: &str) -> &State {
        self.states.get(name).expect("a definition is accepted only when every target of a transition exists")
    }
}
