//! An error on its way through an execution.

use super::engine::TaskError;
use serde_json::{Map, Value, json};

/// An error on its way to a retrier, a catcher or the end of the execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) error: Option<String>,
    pub(super) cause: Option<String>,
}

impl Failure {
    pub(super) fn new(error: &str, cause: impl Into<String>) -> Self {
        Self { error: Some(error.to_owned()), cause: Some(cause.into()) }
    }

    pub(super) fn name(&self) -> &str {
        self.error.as_deref().unwrap_or_default()
    }

    /// The fields `error` and `cause` of a history event.
    pub(super) fn details(&self) -> Map<String, Value> {
        let texts = [("error", &self.error), ("cause", &self.cause)];
        texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), json!(text.as_ref()?)))).collect()
    }

    /// The error that a catcher writes into the state's input.
    pub(super) fn output(&self) -> Value {
        json!({ "Error": self.error, "Cause": self.cause })
    }
}

impl From<TaskError> for Failure {
    fn from(error: TaskError) -> Self {
        Self { error: Some(error.error), cause: Some(error.cause) }
    }
}
