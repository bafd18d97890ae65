//! The actions' port to Step Functions, on the world's engine.

use crate::states::{RefusedCall, Status, StepFunctions};
use crossfade_actions::ports::{
    Clock, ExecutionStatus, Executions, MigrationOrder, PortError, RetireOrder, RollBackOrder, Started,
};
use crossfade_domain::names::ServiceName;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// An engine that several users share, with the time of one clock.
pub struct Machines {
    engine: Mutex<StepFunctions>,
    migrate_machine: &'static str,
    roll_back_machine: &'static str,
    retire_machine: &'static str,
    clock: Arc<dyn Clock>,
}

impl Machines {
    /// Shares an engine; its `migrate_machine` moves services, its `roll_back_machine` rolls them back, and
    /// its `retire_machine` retires their old sides.
    pub fn new(
        engine: StepFunctions,
        migrate_machine: &'static str,
        roll_back_machine: &'static str,
        retire_machine: &'static str,
        clock: Arc<dyn Clock>,
    ) -> Arc<Self> {
        Arc::new(Self { engine: Mutex::new(engine), migrate_machine, roll_back_machine, retire_machine, clock })
    }

    /// Looks at or drives the engine; do not await inside.
    pub fn with<T>(&self, look: impl FnOnce(&mut StepFunctions) -> T) -> T {
        look(&mut self.locked())
    }

    fn start(&self, machine: &str, name: &str, input: Value) -> Result<Started, PortError> {
        let started = self.locked().start_execution(self.clock.now(), machine, Some(name), input);
        match started {
            Ok(arn) => Ok(Started::New(arn)),
            Err(RefusedCall::ExecutionAlreadyExists { .. }) => Ok(Started::Already),
            Err(error) => Err(refused("StartExecution", name, &error)),
        }
    }

    fn execution_of(&self, machine: &str, name: &str) -> Option<String> {
        let engine = self.locked();
        let machine = engine.describe_state_machine(machine).ok()?;
        Some(format!("{}:{name}", machine.arn.replace(":stateMachine:", ":execution:")))
    }

    fn locked(&self) -> MutexGuard<'_, StepFunctions> {
        self.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait::async_trait]
impl Executions for Machines {
    fn roll_back_machine(&self) -> Option<String> {
        let engine = self.locked();
        engine.describe_state_machine(self.roll_back_machine).ok().map(|machine| machine.arn.clone())
    }

    async fn start_roll_back(&self, name: &str, order: &RollBackOrder) -> Result<Started, PortError> {
        self.start(self.roll_back_machine, name, order.input())
    }

    async fn start_resumed(&self, service: &ServiceName, execution: &str) -> Result<Started, PortError> {
        let (machine, name) = machine_and_name(execution);
        self.start(machine, name, json!({"service": service, "resume": true}))
    }

    fn migration_execution(&self, name: &str) -> Option<String> {
        self.execution_of(self.migrate_machine, name)
    }

    async fn start_migration(&self, name: &str, order: &MigrationOrder) -> Result<Started, PortError> {
        self.start(self.migrate_machine, name, order.input())
    }

    fn retirement_execution(&self, name: &str) -> Option<String> {
        self.execution_of(self.retire_machine, name)
    }

    async fn start_retirement(&self, name: &str, order: &RetireOrder) -> Result<Started, PortError> {
        self.start(self.retire_machine, name, order.input())
    }

    async fn start_conductor(&self, fleet: &str, execution: &str) -> Result<Started, PortError> {
        let (machine, name) = machine_and_name(execution);
        self.start(machine, name, json!({"fleet": fleet}))
    }

    async fn status(&self, execution: &str) -> Result<ExecutionStatus, PortError> {
        match self.locked().describe(execution) {
            Ok(shown) => Ok(match shown.status {
                Status::Running => ExecutionStatus::Running,
                Status::Succeeded => ExecutionStatus::Succeeded,
                Status::Aborted => ExecutionStatus::Stopped { error: shown.error.clone(), cause: shown.cause.clone() },
                _ => ExecutionStatus::Dead { error: shown.error.clone(), cause: shown.cause.clone() },
            }),
            Err(RefusedCall::ExecutionDoesNotExist { .. }) => Ok(ExecutionStatus::Missing),
            Err(error) => Err(refused("DescribeExecution", execution, &error)),
        }
    }

    async fn stop(&self, execution: &str, cause: &str) -> Result<(), PortError> {
        let stopped =
            self.locked().stop(self.clock.now(), execution, Some("Stopped".to_owned()), Some(cause.to_owned()));
        match stopped {
            Ok(_) | Err(RefusedCall::ExecutionDoesNotExist { .. }) => Ok(()),
            Err(error) => Err(refused("StopExecution", execution, &error)),
        }
    }
}

/// The names of a machine and of its execution: the last parts of the execution's ARN.
pub fn machine_and_name(execution: &str) -> (&str, &str) {
    let (machine, name) = execution.rsplit_once(':').unwrap_or(("", execution));
    (machine.rsplit(':').next().unwrap_or_default(), name)
}

fn refused(operation: &'static str, object: &str, error: &RefusedCall) -> PortError {
    PortError::Refused {
        operation,
        object: object.to_owned(),
        code: error.code().to_owned(),
        detail: error.to_string(),
    }
}
