//! Step Functions.

use crate::classify::{classify, failed, malformed, refused};
use aws_sdk_sfn::Client;
use aws_sdk_sfn::error::SdkError;
use aws_sdk_sfn::types::ExecutionStatus as SdkStatus;
use crossfade_actions::ports::{ExecutionStatus, Executions, PortError, Started};
use crossfade_domain::ids::ServiceName;
use crossfade_domain::journal::Trigger;
use serde_json::json;

pub(crate) struct StepFunctions {
    client: Client,
    roll_back_machine: Option<String>,
}

impl StepFunctions {
    pub(crate) fn new(client: Client, roll_back_machine: Option<String>) -> Self {
        Self { client, roll_back_machine }
    }
}

#[async_trait::async_trait]
impl Executions for StepFunctions {
    async fn start_roll_back(
        &self,
        service: &ServiceName,
        name: &str,
        trigger: Trigger,
        cause: &str,
    ) -> Result<Started, PortError> {
        const OPERATION: &str = "StartExecution";
        let Some(machine) = &self.roll_back_machine else {
            return Err(refused(OPERATION, name, "NotConfigured", "this function was given no roll-back machine"));
        };
        let input = json!({"service": service, "trigger": trigger, "cause": cause}).to_string();
        let answer = self.client.start_execution().state_machine_arn(machine).name(name).input(input).send().await;
        match answer {
            Ok(started) => Ok(Started::New(started.execution_arn)),
            Err(SdkError::ServiceError(context)) if context.err().is_execution_already_exists() => Ok(Started::Already),
            Err(error) => Err(classify(OPERATION, name.to_owned(), &error)),
        }
    }

    async fn status(&self, execution: &str) -> Result<ExecutionStatus, PortError> {
        const OPERATION: &str = "DescribeExecution";
        match self.client.describe_execution().execution_arn(execution).send().await {
            Ok(description) => match description.status {
                SdkStatus::Running => Ok(ExecutionStatus::Running),
                SdkStatus::Succeeded => Ok(ExecutionStatus::Succeeded),
                // One that waits for a redrive does nothing by itself.
                SdkStatus::Aborted | SdkStatus::Failed | SdkStatus::PendingRedrive | SdkStatus::TimedOut => {
                    Ok(ExecutionStatus::Dead)
                }
                other => Err(malformed(OPERATION, execution, format!("unknown status {other}"))),
            },
            Err(SdkError::ServiceError(context)) if context.err().is_execution_does_not_exist() => {
                Ok(ExecutionStatus::Missing)
            }
            Err(error) => Err(classify(OPERATION, execution.to_owned(), &error)),
        }
    }

    async fn stop(&self, execution: &str, cause: &str) -> Result<(), PortError> {
        let stop = self.client.stop_execution().execution_arn(execution).error("Stopped").cause(cause);
        match stop.send().await.map_err(failed("StopExecution", execution)) {
            Ok(_) | Err(PortError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
