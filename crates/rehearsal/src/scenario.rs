//! A scenario: which services move, what they stand on, what goes wrong, and what is expected of each.
//!
//! Written in YAML; `docs/rehearsal.md` explains every field, `crossfade schema scenario` prints its JSON Schema.

mod decode;
mod hooks;
mod names;
mod schema;

pub use decode::{ScenarioError, decode_scenario};
pub use hooks::HookDoes;
pub use names::{NEW_PORT, new_target_id, old_group_name};
pub use schema::scenario_schema;

use crate::traffic::cluster::ClusterFault;
use crossfade_domain::gates::opinion::Gate;
use crossfade_domain::journal::Trigger;
use crossfade_domain::names::ServiceName;
use crossfade_domain::policy::service_policy::ServicePolicy;
use crossfade_domain::weight::Weight;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The scenario that `crossfade rehearse` runs when none is named.
pub const DEFAULT_SCENARIO: &str = include_str!("../../../examples/rehearsals/default.yaml");

/// Everything a rehearsal needs to know.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Seed of everything that is drawn.
    pub seed: u64,
    /// World seconds to one real second, at the most.
    pub scale: f64,
    /// Services that move at the same time.
    pub services: Vec<ServiceScenario>,
    /// The fleet's policy document, as an operator would store it.
    pub policy: Value,
    /// Faults of AWS itself.
    pub aws_faults: Vec<AwsFault>,
    /// What the hooks do that the policies name, by their names; one that is not here answers.
    pub hooks: BTreeMap<String, HookDoes>,
}

/// One service.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceScenario {
    /// Its name.
    pub name: ServiceName,
    /// Its decoded policy.
    pub policy: ServicePolicy,
    /// Names of its load balancers, each with one listener and one old target group.
    pub load_balancers: Vec<String>,
    /// Its routes.
    pub routes: Vec<RouteScenario>,
    /// Servers on the old cluster.
    pub old_targets: u16,
    /// Servers on the new cluster.
    pub new_targets: u16,
    /// Requests in a world minute that are sent over connections.
    pub sent_per_minute: f64,
    /// Requests in a world minute that are drawn instead of sent.
    pub drawn_per_minute: f64,
    /// Whether its migration is started; else it only stands there, under load.
    pub start: bool,
    /// When it is started, in world minutes after the load began.
    pub start_minute: f64,
    /// Alarms that exist before the plan.
    pub existing_alarms: Vec<String>,
    /// What goes wrong in its clusters, and when.
    pub faults: Vec<TimedFault>,
    /// What somebody else does to it, and when.
    pub disturbances: Vec<Disturbance>,
    /// How it should end.
    pub expect: Expectation,
}

/// How a service should end; what is none is not looked at.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Expectation {
    /// The outcome.
    pub outcome: Outcome,
    /// Who begins the rollback.
    pub trigger: Option<Trigger>,
    /// The gate that decides.
    pub gate: Option<Gate>,
    /// Words of the sentence that decides.
    pub says: Option<String>,
    /// World seconds in which a rollback has every route back, from the alarm's change of state, else from the verdict.
    pub within_seconds: Option<f64>,
    /// World seconds from the first thing that goes wrong until a rollback begins or the migration halts.
    pub noticed_within_seconds: Option<f64>,
    /// World seconds for which a step is held, at the least.
    pub held_for_seconds: Option<f64>,
}

/// One route.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteScenario {
    /// The load balancer it is on.
    pub load_balancer: String,
    /// What it matches.
    pub matches: Match,
    /// Whether an OIDC action stands before the forward.
    pub oidc: bool,
    /// Group stickiness of the rule, in seconds; none for off.
    pub stickiness_seconds: Option<u32>,
    /// The weight of the old group, where other groups stand beside it.
    pub old_weight: u16,
    /// Other groups of the action and their weights.
    pub others: Vec<(String, u16)>,
}

/// What a route matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Match {
    /// Everything that no rule matches: the listener's default action.
    Default,
    /// A host name.
    Host(String),
    /// A path pattern, such as `/api/*`.
    Path(String),
}

/// A fault of a cluster, and when it begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimedFault {
    /// What goes wrong.
    pub fault: ClusterFault,
    /// In which clusters.
    pub sides: Sides,
    /// When it begins.
    pub begin: Begin,
    /// When it ends, in world minutes after it began; never, if none.
    pub minutes: Option<f64>,
}

/// Which clusters a fault is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sides {
    /// The new one.
    New,
    /// The old one.
    Old,
    /// Both.
    Both,
}

/// Something that somebody else does to a migration, once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Disturbance {
    /// What is done.
    pub deed: Deed,
    /// When.
    pub begin: Begin,
}

/// What somebody else does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Stops the migration's execution, as in the console.
    StopExecution,
    /// Writes another weight into the route of this number, from 1.
    EditRoute(usize),
}

/// When a fault begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Begin {
    /// World minutes after the load began.
    Minute(f64),
    /// So many world minutes after the new cluster first had this weight on every route.
    Weight(Weight, f64),
}

/// A fault of AWS itself, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsFault {
    /// The operation by AWS's name.
    pub operation: String,
    /// Which call of it, from 1.
    pub call: u32,
    /// Counted over the calls of this function only; over all calls, if none.
    pub by: Option<String>,
    /// Counted over the calls that name this service only; over all calls, if none.
    pub service: Option<String>,
    /// What happens.
    pub effect: AwsEffect,
}

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AwsEffect {
    /// Refused for its rate.
    Throttle,
    /// Fails before it takes effect.
    FailBefore,
    /// Takes effect, then fails.
    FailAfter,
    /// Takes effect; the answer is lost.
    LoseAnswer,
    /// Never answers.
    Hang,
    /// Takes effect; the process that called is killed before the answer.
    Kill,
    /// The service's execution is stopped as in the console; the call goes on.
    StopExecution,
    /// The service's first alarm fires, and its event is delivered; the call goes on.
    AlarmEvent,
    /// As before, and the event is delivered twice.
    AlarmEventTwice,
}

/// How a migration ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// All traffic is on the new cluster.
    #[default]
    Migrated,
    /// Every route is back at its baseline.
    RolledBack,
    /// A person is needed.
    Halted,
    /// It did not begin.
    Refused,
    /// The scenario did not start it.
    NotStarted,
}

impl Outcome {
    /// The word for it, in scenarios and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Migrated => "migrated",
            Self::RolledBack => "rolledBack",
            Self::Halted => "halted",
            Self::Refused => "refused",
            Self::NotStarted => "notStarted",
        }
    }
}
