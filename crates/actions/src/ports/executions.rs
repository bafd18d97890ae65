use super::PortError;
use crossfade_domain::ids::ServiceName;
use crossfade_domain::journal::Trigger;

/// Step Functions.
#[async_trait::async_trait]
pub trait Executions: Send + Sync {
    /// Starts `roll-back-service` under `name` (at most 80 characters) with the input
    /// `{"service": ..., "trigger": "alarmEvent" | "sweep" | "operator", "cause": ...}`.
    /// A name that is running or was used is `Started::Already`: the rollback has its second look.
    async fn start_roll_back(
        &self,
        service: &ServiceName,
        name: &str,
        trigger: Trigger,
        cause: &str,
    ) -> Result<Started, PortError>;

    /// How an execution is.
    async fn status(&self, execution: &str) -> Result<ExecutionStatus, PortError>;

    /// Stops an execution; one that is over or unknown is left alone.
    async fn stop(&self, execution: &str, cause: &str) -> Result<(), PortError>;
}

/// What a start came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Started {
    /// It runs, under this ARN.
    New(String),
    /// An execution of that name exists.
    Already,
}

/// How an execution is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecutionStatus {
    /// It runs.
    Running,
    /// It came to a `Succeed`.
    Succeeded,
    /// It came to a `Fail`, timed out or was stopped.
    Dead,
    /// Step Functions does not know it (yet, or any more).
    Missing,
}
