//! Which fleet a command means, and one reading of its run.

use crate::ending::failure::Failure;
use crate::stack::position::Position;
use crate::stack::session::Session;
use crossfade_actions::error::ActionError;
use crossfade_actions::operator::observe::plan_in_force;
use crossfade_actions::ports::{ExecutionStatus, StoredPolicy};
use crossfade_domain::fleet::forecast::end;
use crossfade_domain::fleet::head::{FleetHead, RunState};
use crossfade_domain::fleet::service_run::ServiceState;
use crossfade_domain::gates::checks::seconds_between;
use crossfade_domain::journal::Head;
use crossfade_domain::names::ServiceName;
use crossfade_domain::policy::document::decode_fleet;
use crossfade_domain::policy::problem::did_you_mean;
use crossfade_domain::policy::service_policy::FleetPolicy;
use crossfade_domain::retirement::Retirement;
use jiff::Timestamp;
use serde_json::json;
use std::collections::BTreeMap;

/// For how many seconds the execution that conducts a run may be unknown to Step Functions.
const BEFORE_ITS_START: u32 = 120;

/// A fleet whose policy is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredFleet {
    /// Its name.
    pub name: String,
    /// Its policy; without services if this version cannot decode it.
    pub policy: FleetPolicy,
    /// Why its policy cannot be decoded, if so.
    pub problem: Option<String>,
}

impl StoredFleet {
    /// Decodes a stored policy. One that this version cannot decode has no services, and says why.
    pub fn of(stored: StoredPolicy) -> Self {
        let StoredPolicy { fleet: name, document, .. } = stored;
        match decode_fleet(&document) {
            Ok(policy) => Self { name, policy, problem: None },
            Err(problems) => {
                let problem = format!(
                    "the stored policy of fleet {name} cannot be used: {problems}; `crossfade apply policy.yaml` \
                     stores a valid one"
                );
                Self { policy: without_services(&name), name, problem: Some(problem) }
            }
        }
    }

    /// The names of its services.
    pub fn services(&self) -> Vec<ServiceName> {
        self.policy.services.iter().map(|service| service.name.clone()).collect()
    }
}

impl Session {
    /// Returns the fleet with this name, or the only one if no name is given.
    ///
    /// # Errors
    /// No policy is stored under this name, or none or several without a name; the table cannot be read.
    pub async fn fleet(&self, name: Option<&str>) -> Result<StoredFleet, Failure> {
        let stored = self.ports.ledger.policies().await;
        let mut stored = stored.map_err(|source| self.ledger_failed("reading the stored policies", source))?;
        stored.sort_by(|a, b| a.fleet.cmp(&b.fleet));
        let known: Vec<&str> = stored.iter().map(|policy| policy.fleet.as_str()).collect();
        let listed = known.join(", ");
        let chosen = match name {
            Some(name) => known.iter().position(|known| *known == name),
            None if known.len() == 1 => Some(0),
            None => None,
        };
        let Some(chosen) = chosen else {
            return Err(Failure::bad_input(match name {
                _ if known.is_empty() => {
                    "no policy is stored\n  `crossfade apply policy.yaml` stores the policy of a fleet".to_owned()
                }
                Some(name) => {
                    let near = did_you_mean(name, known.iter().copied());
                    format!(
                        "there is no fleet {name}{near}\n  the stored policies are of {listed}; `crossfade apply \
                         policy.yaml` stores another"
                    )
                }
                None => format!(
                    "which fleet? the stored policies are of {listed}\n  give its name, such as: crossfade fleet \
                     status {}",
                    known[0]
                ),
            }));
        };
        Ok(StoredFleet::of(stored.swap_remove(chosen)))
    }

    /// Returns the head of a fleet's latest run, if it has had one.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn run_of(&self, fleet: &str) -> Result<Option<FleetHead>, Failure> {
        let head = self.ports.fleets.fleet(fleet).await;
        head.map_err(|source| self.ledger_failed(&format!("reading the head of fleet {fleet}"), source))
    }

    /// Returns the head of a fleet's latest run.
    ///
    /// # Errors
    /// The fleet has had no run; the table cannot be read.
    pub async fn begun_run_of(&self, fleet: &str) -> Result<FleetHead, Failure> {
        let head = self.run_of(fleet).await?;
        head.ok_or_else(|| {
            Failure::bad_input(format!(
                "fleet {fleet} has had no run yet\n  `crossfade fleet plan {fleet}` shows what would happen, \
                 `crossfade fleet start {fleet}` begins"
            ))
        })
    }
}

/// A policy that says nothing but the fleet's name.
fn without_services(fleet: &str) -> FleetPolicy {
    let empty = json!({"version": 1, "fleet": fleet, "services": []});
    serde_json::from_value(empty).expect("whatever else a policy has may be left out")
}

/// Who conducts a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conductor {
    /// Its execution is running.
    Runs,
    /// The run needs none: it is over, or has stopped.
    NotNeeded,
    /// Its execution has ended, although the run has not; in words.
    Ended(String),
    /// Its execution could not be read.
    Unreadable(String),
}

/// One reading of a fleet's run.
#[derive(Debug, Clone, PartialEq)]
pub struct FleetReading {
    /// When it was read.
    pub now: Timestamp,
    /// The fleet.
    pub fleet: StoredFleet,
    /// The run.
    pub head: FleetHead,
    /// Who conducts it.
    pub conductor: Conductor,
    /// When the run is over, if nothing fails; none where it does not go on by itself.
    pub end: Option<Timestamp>,
    /// Where the services are that move, or that have stopped on the way.
    pub positions: BTreeMap<ServiceName, Position>,
    /// The latest retirements of the services that have migrated.
    pub retirements: BTreeMap<ServiceName, Retirement>,
}

impl FleetReading {
    /// Reads the conductor's execution, and the heads and plans of what moves or has stopped on the way.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn take(session: &Session, fleet: StoredFleet, head: FleetHead) -> Result<Self, ActionError> {
        let on_the_way =
            |state: ServiceState| state.is_in_flight() || matches!(state, ServiceState::Halted | ServiceState::Died);
        let names: Vec<ServiceName> = head.those(on_the_way).cloned().collect();
        let migrated: Vec<ServiceName> = head.names().filter(|name| has_old_side(&head, name)).cloned().collect();
        let (heads, retirements, conductor) = tokio::join!(
            session.ports.ledger.heads(&names),
            session.ports.ledger.retirements(&migrated),
            conductor(session, &head)
        );
        let retirements = retirements.map_err(|source| ActionError::Ledger {
            doing: "reading the retirements of the fleet's services".to_owned(),
            source,
        })?;
        let retirements = retirements.into_iter().map(|one| (one.service.clone(), one)).collect();
        let heads = heads.map_err(|source| ActionError::Ledger {
            doing: "reading the heads of the fleet's services".to_owned(),
            source,
        })?;
        let now = session.now();
        let mut positions = BTreeMap::new();
        for service in heads.into_iter().filter(|service| is_of_this_run(&head, service)) {
            // A row without its weight is better than no screen.
            let plan = plan_in_force(&session.ports, &service).await.ok();
            positions.insert(service.service.clone(), Position::of(service, plan, now));
        }
        let left = positions
            .iter()
            .filter_map(|(name, position): (_, &Position)| Some((name.clone(), position.seconds_left?)));
        let end = end(&fleet.policy, &head, &left.collect(), now);
        Ok(Self { now, fleet, head, conductor, end, positions, retirements })
    }
}

/// Whether a service may have a retirement of its migration in this run.
fn has_old_side(fleet: &FleetHead, name: &ServiceName) -> bool {
    fleet.services.get(name).is_some_and(|run| run.state.has_migrated() || run.retirement.is_some())
}

/// Returns whether a service's head is of the migration that the run has seen, not of an earlier one.
pub fn is_of_this_run(fleet: &FleetHead, head: &Head) -> bool {
    let run = fleet.service(&head.service);
    run.migration.as_ref().map_or_else(
        || run.execution.as_deref().is_some_and(|name| head.execution.ends_with(&format!(":{name}"))),
        |migration| *migration == head.migration,
    )
}

/// Reads who conducts a run.
pub async fn conductor(session: &Session, head: &FleetHead) -> Conductor {
    if matches!(head.state, RunState::Over | RunState::Stopped) && !head.starts_retirements() {
        return Conductor::NotNeeded;
    }
    let why = |error: &Option<String>, cause: &Option<String>| {
        let texts: Vec<&str> = [error, cause].into_iter().flatten().map(String::as_str).collect();
        if texts.is_empty() { String::new() } else { format!(": {}", texts.join(": ")) }
    };
    match session.ports.executions.status(&head.execution).await {
        Ok(ExecutionStatus::Running) => Conductor::Runs,
        Ok(ExecutionStatus::Stopped { error, cause }) => {
            Conductor::Ended(format!("someone stopped it{}", why(&error, &cause)))
        }
        Ok(ExecutionStatus::Dead { error, cause }) => {
            Conductor::Ended(format!("it failed{}; the sweep starts another within minutes", why(&error, &cause)))
        }
        Ok(ExecutionStatus::Succeeded) => {
            Conductor::Ended("it has ended; the sweep starts another within minutes".to_owned())
        }
        // Whoever goes on with a run records the execution before it starts it.
        Ok(ExecutionStatus::Missing) if seconds_between(head.conducted_since, session.now()) < BEFORE_ITS_START => {
            Conductor::Runs
        }
        Ok(ExecutionStatus::Missing) => Conductor::Ended("Step Functions does not know it".to_owned()),
        Err(error) => Conductor::Unreadable(error.to_string()),
    }
}
