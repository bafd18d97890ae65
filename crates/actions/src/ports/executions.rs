use super::PortError;
use crossfade_domain::journal::Trigger;
use crossfade_domain::journal::settle::SETTLE_SECONDS;
use crossfade_domain::names::{MigrationId, ServiceName};
use crossfade_domain::policy::request::MOST_REASON;
use crossfade_domain::policy::retire::Until;
use jiff::Timestamp;
use serde_json::{Value, json};

/// What `roll-back-service` is started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollBackOrder {
    /// The service.
    pub service: ServiceName,
    /// Its migration, where that is known; a later one is not rolled back.
    pub migration: Option<MigrationId>,
    /// What began the rollback.
    pub trigger: Trigger,
    /// Why, as an operator reads it.
    pub cause: String,
    /// When the cause arose, if that was before the start.
    pub caused_at: Option<Timestamp>,
    /// Whether the caller returns the routes itself: then the machine settles first, and verifies after that.
    pub returned_already: bool,
}

impl RollBackOrder {
    /// A rollback that the machine begins itself.
    pub fn new(service: &ServiceName, trigger: Trigger, cause: &str) -> Self {
        Self {
            service: service.clone(),
            migration: None,
            trigger,
            cause: cause.to_owned(),
            caused_at: None,
            returned_already: false,
        }
    }

    /// As the machine reads it: `{"service": ..., "migration"?, "trigger": "alarmEvent" | ..., "cause": ...,
    /// "causedAt"?, "waitSeconds"?}`. With `waitSeconds`, the machine waits before it verifies.
    pub fn input(&self) -> Value {
        let mut input = json!({"service": self.service, "trigger": self.trigger, "cause": self.cause});
        if let Some(migration) = &self.migration {
            input["migration"] = json!(migration);
        }
        if let Some(caused_at) = self.caused_at {
            input["causedAt"] = json!(caused_at);
        }
        if self.returned_already {
            input["waitSeconds"] = json!(SETTLE_SECONDS);
        }
        input
    }
}

/// A start of `migrate-service` by a fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationOrder {
    /// The service.
    pub service: ServiceName,
    /// Whether it starts although a service that it comes after has not migrated.
    pub ignore_after: bool,
    /// Whether windows and freezes are ignored.
    pub now: bool,
    /// Who asks for that.
    pub who: String,
    /// Why, for the migration's journal, which takes 1,024 characters of it.
    pub reason: String,
}

impl MigrationOrder {
    /// A start in its turn, which needs no reason.
    pub fn in_turn(service: &ServiceName) -> Self {
        Self { service: service.clone(), ignore_after: false, now: false, who: String::new(), reason: String::new() }
    }

    /// As the machine reads it: `{"service": ..., "ignoreAfter"?, "now"?, "who"?, "reason"?}`. Who and why are only
    /// there next to one of the others.
    pub fn input(&self) -> Value {
        let mut input = json!({"service": self.service});
        for (field, _) in [("ignoreAfter", self.ignore_after), ("now", self.now)].iter().filter(|(_, given)| *given) {
            input[field] = json!(true);
        }
        if self.ignore_after || self.now {
            let short = |text: &str| text.chars().take(MOST_REASON).collect::<String>();
            input["who"] = json!(short(&self.who));
            input["reason"] = json!(short(&self.reason));
        }
        input
    }
}

/// A start of `retire-service` by a fleet, or by the sweep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetireOrder {
    /// The service.
    pub service: ServiceName,
    /// Where it ends, where that is not left to the policy.
    pub until: Option<Until>,
    /// Who asks for it, and why, for the journal of the retirement.
    pub who: String,
    /// Whether it only runs what has begun, because the journal names this execution.
    pub continues: bool,
}

impl RetireOrder {
    /// Runs what has begun and nobody runs any more.
    pub fn to_continue(service: &ServiceName) -> Self {
        Self { service: service.clone(), until: None, who: "sweep-migrations".to_owned(), continues: true }
    }

    /// As the machine reads it: `{"service": ..., "until"?, "command"?, "who": ...}`.
    pub fn input(&self) -> Value {
        let who: String = self.who.chars().take(MOST_REASON).collect();
        let mut input = json!({"service": self.service, "who": who});
        if self.continues {
            input["command"] = json!("continue");
        }
        if let Some(until) = self.until {
            input["until"] = json!(until.as_str());
        }
        input
    }
}

/// Step Functions.
#[async_trait::async_trait]
pub trait Executions: Send + Sync {
    /// The ARN of `roll-back-service`, which is in this account and region; none where this process was given none.
    fn roll_back_machine(&self) -> Option<String>;

    /// Starts `roll-back-service` under `name` (at most 80 characters) with [`RollBackOrder::input`]. A name that runs
    /// with the same input is `Started::New` again; one that runs with another input or was used is
    /// `Started::Already`.
    async fn start_roll_back(&self, name: &str, order: &RollBackOrder) -> Result<Started, PortError>;

    /// Starts the execution of `migrate-service` whose ARN is given, under the name and on the machine that the ARN
    /// names, with the input `{"service": ..., "resume": true}`. As with `start_roll_back`, one that runs is
    /// `Started::New` again, and one that is over is `Started::Already`.
    async fn start_resumed(&self, service: &ServiceName, execution: &str) -> Result<Started, PortError>;

    /// The ARN of the execution of `migrate-service` under a name, whether or not there is one; none where this process
    /// was given no such machine.
    fn migration_execution(&self, name: &str) -> Option<String>;

    /// Starts `migrate-service` under `name` with [`MigrationOrder::input`], as with `start_roll_back`.
    async fn start_migration(&self, name: &str, order: &MigrationOrder) -> Result<Started, PortError>;

    /// The ARN of the execution of `retire-service` under a name, as with `migration_execution`.
    fn retirement_execution(&self, name: &str) -> Option<String>;

    /// Starts `retire-service` under `name` with [`RetireOrder::input`], as with `start_roll_back`.
    async fn start_retirement(&self, name: &str, order: &RetireOrder) -> Result<Started, PortError>;

    /// Starts the execution of `migrate-fleet` whose ARN is given, under the name and on the machine that the ARN
    /// names, with the input `{"fleet": ...}`, as with `start_resumed`.
    async fn start_conductor(&self, fleet: &str, execution: &str) -> Result<Started, PortError>;

    /// The status of an execution.
    async fn status(&self, execution: &str) -> Result<ExecutionStatus, PortError>;

    /// Stops an execution; one that is over or unknown is left alone.
    async fn stop(&self, execution: &str, cause: &str) -> Result<(), PortError>;
}

/// The result of a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Started {
    /// It runs, under this ARN; perhaps since an earlier start with the same name and input.
    New(String),
    /// An execution of that name exists: it is over, or was given another input.
    Already,
}

/// The status of an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExecutionStatus {
    /// It runs.
    Running,
    /// It ended in a `Succeed`.
    Succeeded,
    /// Someone stopped it.
    Stopped {
        /// The error name that was given.
        error: Option<String>,
        /// The reason that was given.
        cause: Option<String>,
    },
    /// It ended in a `Fail` or timed out.
    Dead {
        /// The error name of its `Fail`.
        error: Option<String>,
        /// The cause of its `Fail`.
        cause: Option<String>,
    },
    /// Step Functions does not know it: not yet, or no longer.
    Missing,
}
