use super::PortError;
use crossfade_domain::ids::ServiceName;
use crossfade_domain::journal::Trigger;

/// Step Functions.
#[async_trait::async_trait]
pub trait Executions: Send + Sync {
    /// Starts `roll-back-service` under `name` (at most 80 characters) with the input
    /// `{"service": ..., "trigger": "alarmEvent" | "sweep" | "operator", "cause": ...}`.
    /// A name that runs with the same input is `Started::New` once more; one that runs with another input or was used is
    /// `Started::Already`.
    async fn start_roll_back(
        &self,
        service: &ServiceName,
        name: &str,
        trigger: Trigger,
        cause: &str,
    ) -> Result<Started, PortError>;

    /// Starts the execution of `migrate-service` whose ARN is given, under the name and on the machine that the ARN names,
    /// with the input `{"service": ..., "resume": true}`. As with `start_roll_back`, one that runs is `Started::New` once
    /// more, and one that is over is `Started::Already`.
    async fn start_resumed(&self, service: &ServiceName, execution: &str) -> Result<Started, PortError>;

    /// How an execution is.
    async fn status(&self, execution: &str) -> Result<ExecutionStatus, PortError>;

    /// Stops an execution; one that is over or unknown is left alone.
    async fn stop(&self, execution: &str, cause: &str) -> Result<(), PortError>;
}

/// What a start came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Started {
    /// It runs, under this ARN; perhaps since an earlier start with the same name and input.
    New(String),
    /// An execution of that name exists: it is over, or was given another input.
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
