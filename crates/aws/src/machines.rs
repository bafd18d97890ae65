//! Step Functions for the command line: machines by ARN, executions by name, a function's last answer.

use crate::classify::{classify, failed, malformed};
use aws_sdk_sfn::Client;
use aws_sdk_sfn::error::SdkError;
use aws_sdk_sfn::primitives::DateTime;
use aws_sdk_sfn::types::ExecutionStatus;
use crossfade_actions::ports::PortError;
use jiff::Timestamp;
use serde_json::Value;

/// Events that are searched for a function's last answer. A wait, a choice and a task have fewer.
const EVENTS_OF_A_LOOK: i32 = 30;

/// The state machines of a stack.
#[derive(Debug, Clone)]
pub struct Machines {
    client: Client,
}

/// An execution as Step Functions describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribedExecution {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: ExecutionState,
    /// The error name of a `Fail` state.
    pub error: Option<String>,
    /// The cause of a `Fail` state.
    pub cause: Option<String>,
    /// The output of one that has succeeded.
    pub output: Option<String>,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub stopped: Option<Timestamp>,
}

/// The state of an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecutionState {
    /// It runs.
    Running,
    /// It ended in a `Succeed`.
    Succeeded,
    /// It ended in a `Fail`.
    Failed,
    /// Someone stopped it, or it timed out.
    Stopped,
}

/// The result of a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartResult {
    /// It runs under this ARN, perhaps since an earlier start with the same name and input.
    Running(String),
    /// An execution of that name has ended or has another input. A name cannot be used again for 90 days.
    NameUsed,
}

/// The last answer of a function of an execution.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// When it was given.
    pub at: Timestamp,
    /// The answer: a cursor.
    pub payload: Value,
}

impl Machines {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// Checks that a state machine exists.
    ///
    /// # Errors
    /// `NotFound` if it does not, else Step Functions'.
    pub async fn look_at(&self, machine: &str) -> Result<(), PortError> {
        let answer = self.client.describe_state_machine().state_machine_arn(machine).send().await;
        answer.map(drop).map_err(failed("DescribeStateMachine", machine))
    }

    /// Starts an execution.
    ///
    /// # Errors
    /// `NotFound` if there is no such machine, else Step Functions'.
    pub async fn start(&self, machine: &str, name: &str, input: &Value) -> Result<StartResult, PortError> {
        let start = self.client.start_execution().state_machine_arn(machine).name(name).input(input.to_string());
        match start.send().await {
            Ok(started) => Ok(StartResult::Running(started.execution_arn)),
            Err(SdkError::ServiceError(context)) if context.err().is_execution_already_exists() => {
                Ok(StartResult::NameUsed)
            }
            Err(error) => Err(classify("StartExecution", machine.to_owned(), &error)),
        }
    }

    /// Reads an execution; `None` if Step Functions does not know it, or no longer does.
    ///
    /// # Errors
    /// Step Functions'.
    pub async fn describe(&self, execution: &str) -> Result<Option<DescribedExecution>, PortError> {
        const OPERATION: &str = "DescribeExecution";
        let described = match self.client.describe_execution().execution_arn(execution).send().await {
            Ok(described) => described,
            Err(SdkError::ServiceError(context)) if context.err().is_execution_does_not_exist() => return Ok(None),
            Err(error) => return Err(classify(OPERATION, execution.to_owned(), &error)),
        };
        let state = match described.status {
            ExecutionStatus::Running => ExecutionState::Running,
            ExecutionStatus::Succeeded => ExecutionState::Succeeded,
            ExecutionStatus::Failed | ExecutionStatus::PendingRedrive => ExecutionState::Failed,
            ExecutionStatus::Aborted | ExecutionStatus::TimedOut => ExecutionState::Stopped,
            other => return Err(malformed(OPERATION, execution, format!("unknown status {other}"))),
        };
        let stopped = described.stop_date.map(|at| timestamp(OPERATION, execution, at)).transpose()?;
        Ok(Some(DescribedExecution {
            arn: described.execution_arn,
            name: described.name.unwrap_or_default(),
            state,
            error: described.error,
            cause: described.cause.map(message_of),
            output: described.output,
            started: timestamp(OPERATION, execution, described.start_date)?,
            stopped,
        }))
    }

    /// Stops an execution; one that has ended or is unknown is left alone.
    ///
    /// # Errors
    /// Step Functions'.
    pub async fn stop(&self, execution: &str, cause: &str) -> Result<(), PortError> {
        let stop = self.client.stop_execution().execution_arn(execution).error("Stopped").cause(cause);
        match stop.send().await.map_err(failed("StopExecution", execution)) {
            Ok(_) | Err(PortError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The last answer of a function of the execution; `None` before the first.
    ///
    /// # Errors
    /// Step Functions'.
    pub async fn last_answer(&self, execution: &str) -> Result<Option<Answer>, PortError> {
        const OPERATION: &str = "GetExecutionHistory";
        let history = self.client.get_execution_history().execution_arn(execution);
        let history = history.reverse_order(true).max_results(EVENTS_OF_A_LOOK).send().await;
        for event in history.map_err(failed(OPERATION, execution))?.events {
            let output = event.task_succeeded_event_details().and_then(|details| details.output());
            let Some(payload) = output.and_then(|text| serde_json::from_str::<Value>(text).ok()) else { continue };
            let payload = payload.get("Payload").cloned().unwrap_or(payload);
            return Ok(Some(Answer { at: timestamp(OPERATION, execution, event.timestamp)?, payload }));
        }
        Ok(None)
    }
}

fn timestamp(operation: &'static str, object: &str, at: DateTime) -> Result<Timestamp, PortError> {
    let nanoseconds = i32::try_from(at.subsec_nanos()).expect("a second has fewer nanoseconds");
    Timestamp::new(at.secs(), nanoseconds).map_err(|error| malformed(operation, object, error.to_string()))
}

/// The message in a cause. The cause of a function's error is JSON: `{"errorType": .., "errorMessage": ..}`.
fn message_of(cause: String) -> String {
    let message = serde_json::from_str::<serde_json::Value>(&cause)
        .ok()
        .and_then(|inner| inner.get("errorMessage")?.as_str().map(str::to_owned));
    message.unwrap_or(cause)
}

#[cfg(test)]
mod tests {
    use super::message_of;

    #[test]
    fn the_cause_of_a_functions_error_is_its_message() {
        let raw =
            r#"{"errorType":"InvalidRequest","errorMessage":"invalid request: $.cursor.service: expected a value"}"#;
        assert_eq!(message_of(raw.to_owned()), "invalid request: $.cursor.service: expected a value");
        for plain in ["alarm users-5xx fires", r#"{"service":"users"}"#, "7"] {
            assert_eq!(message_of(plain.to_owned()), plain);
        }
    }
}
