//! Step Functions.

use crate::classify::{classify, failed, malformed, refused};
use crate::clients::Later;
use aws_sdk_sfn::Client;
use aws_sdk_sfn::error::SdkError;
use aws_sdk_sfn::types::ExecutionStatus as SdkStatus;
use crossfade_actions::ports::{
    ExecutionStatus, Executions, MigrationOrder, PortError, RetireOrder, RollBackOrder, Started,
};
use crossfade_domain::names::ServiceName;
use serde_json::{Value, json};

const START: &str = "StartExecution";

pub(crate) struct StepFunctions {
    client: Later<Client>,
    migrate_machine: Option<String>,
    roll_back_machine: Option<String>,
    retire_machine: Option<String>,
}

impl StepFunctions {
    pub(crate) fn new(
        client: Later<Client>,
        migrate_machine: Option<String>,
        roll_back_machine: Option<String>,
        retire_machine: Option<String>,
    ) -> Self {
        Self { client, migrate_machine, roll_back_machine, retire_machine }
    }

    async fn start(&self, machine: &str, name: &str, input: &Value) -> Result<Started, PortError> {
        let start = self.client.start_execution().state_machine_arn(machine).name(name).input(input.to_string());
        match start.send().await {
            Ok(started) => Ok(Started::New(started.execution_arn)),
            Err(SdkError::ServiceError(context)) if context.err().is_execution_already_exists() => Ok(Started::Already),
            Err(error) => Err(classify(START, name.to_owned(), &error)),
        }
    }
}

#[async_trait::async_trait]
impl Executions for StepFunctions {
    fn roll_back_machine(&self) -> Option<String> {
        self.roll_back_machine.clone()
    }

    async fn start_roll_back(&self, name: &str, order: &RollBackOrder) -> Result<Started, PortError> {
        let Some(machine) = &self.roll_back_machine else {
            return Err(refused(START, name, "NotConfigured", "this function was given no roll-back machine"));
        };
        self.start(machine, name, &order.input()).await
    }

    async fn start_resumed(&self, service: &ServiceName, execution: &str) -> Result<Started, PortError> {
        let Some((machine, name)) = machine_and_name(execution) else {
            return Err(refused(START, execution, "InvalidArn", "expected the ARN of an execution"));
        };
        self.start(&machine, name, &json!({"service": service, "resume": true})).await
    }

    fn migration_execution(&self, name: &str) -> Option<String> {
        Some(execution_of(self.migrate_machine.as_ref()?, name))
    }

    async fn start_migration(&self, name: &str, order: &MigrationOrder) -> Result<Started, PortError> {
        let Some(machine) = &self.migrate_machine else {
            return Err(refused(START, name, "NotConfigured", "this function was given no machine that migrates"));
        };
        self.start(machine, name, &order.input()).await
    }

    fn retirement_execution(&self, name: &str) -> Option<String> {
        Some(execution_of(self.retire_machine.as_ref()?, name))
    }

    async fn start_retirement(&self, name: &str, order: &RetireOrder) -> Result<Started, PortError> {
        let Some(machine) = &self.retire_machine else {
            return Err(refused(START, name, "NotConfigured", "this function was given no machine that retires"));
        };
        self.start(machine, name, &order.input()).await
    }

    async fn start_conductor(&self, fleet: &str, execution: &str) -> Result<Started, PortError> {
        let Some((machine, name)) = machine_and_name(execution) else {
            return Err(refused(START, execution, "InvalidArn", "expected the ARN of an execution"));
        };
        self.start(&machine, name, &json!({"fleet": fleet})).await
    }

    async fn status(&self, execution: &str) -> Result<ExecutionStatus, PortError> {
        const OPERATION: &str = "DescribeExecution";
        match self.client.describe_execution().execution_arn(execution).send().await {
            Ok(description) => match description.status {
                SdkStatus::Running => Ok(ExecutionStatus::Running),
                SdkStatus::Succeeded => Ok(ExecutionStatus::Succeeded),
                // One that waits for a redrive does nothing by itself.
                SdkStatus::Failed | SdkStatus::PendingRedrive | SdkStatus::TimedOut => {
                    Ok(ExecutionStatus::Dead { error: description.error, cause: description.cause })
                }
                SdkStatus::Aborted => {
                    Ok(ExecutionStatus::Stopped { error: description.error, cause: description.cause })
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

/// The execution of machine `arn:...:stateMachine:<machine>` under a name.
fn execution_of(machine: &str, name: &str) -> String {
    format!("{}:{name}", machine.replace(":stateMachine:", ":execution:"))
}

/// `arn:...:execution:<machine>:<name>` is of machine `arn:...:stateMachine:<machine>`.
fn machine_and_name(execution: &str) -> Option<(String, &str)> {
    let (machine, name) = execution.rsplit_once(':')?;
    let (account, machine) = machine.split_once(":execution:")?;
    Some((format!("{account}:stateMachine:{machine}"), name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_execution_names_its_machine() {
        let execution = "arn:aws:states:eu-west-1:1:execution:crossfade-migrate-service:users-1-resume-2";
        let machine = "arn:aws:states:eu-west-1:1:stateMachine:crossfade-migrate-service".to_owned();
        assert_eq!(machine_and_name(execution), Some((machine, "users-1-resume-2")));
        assert_eq!(machine_and_name("users-1"), None);
    }
}
