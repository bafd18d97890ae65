//! A scenario: which services move, what they consist of, what goes wrong, and what is expected of each.
//!
//! Scenarios are YAML. `docs/rehearsal.md` explains every field, and `crossfade schema scenario` prints the JSON
//! Schema.

mod acts;
mod calendars;
mod calls;
mod decode;
mod defaults;
mod fleets;
mod hooks;
mod names;
mod operations;
mod reading;
mod retirements;
mod schema;

pub use acts::{ActDeed, ActScenario};
pub use calendars::CalendarScenario;
pub use calls::CallScenario;
pub use decode::{ScenarioError, decode_scenario};
pub use fleets::{FleetExpectation, FleetOrder, FleetOutcome, FleetScenario};
pub use hooks::HookDoes;
pub use names::{NEW_PORT, new_instance_id, new_target_id, old_group_name};
pub use operations::OPERATIONS;
pub use retirements::{RetirementEnd, RetirementScenario};
pub use schema::scenario_schema;

use crate::traffic::cluster::ClusterFault;
use crossfade_domain::journal::Trigger;
use crossfade_domain::names::ServiceName;
use crossfade_domain::opinion::Gate;
use crossfade_domain::policy::service_policy::ServicePolicy;
use crossfade_domain::weight::Weight;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The scenario that `crossfade rehearse` runs by default.
pub const DEFAULT_SCENARIO: &str = include_str!("../../../examples/rehearsals/default.yaml");
/// The scenarios that have a name, so that they need no file.
pub const NAMED_SCENARIOS: [(&str, &str); 1] = [("story", include_str!("../../../examples/rehearsals/story.yaml"))];

/// Everything that defines a rehearsal.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// The seed of all random choices.
    pub seed: u64,
    /// The highest number of world seconds in one real second.
    pub scale: f64,
    /// The services. Those that no fleet moves are started by the scenario, and move at the same time.
    pub services: Vec<ServiceScenario>,
    /// The policy document of the services that no fleet moves, as an operator would store it.
    pub policy: Value,
    /// The fleets, each with a policy of its own.
    pub fleets: Vec<FleetScenario>,
    /// The executions of `retire-service`, in order.
    pub retirements: Vec<RetirementScenario>,
    /// What people do, one act after the other. Where there are some, nothing begins by itself.
    pub acts: Vec<ActScenario>,
    /// Faults of AWS itself.
    pub aws_faults: Vec<AwsFault>,
    /// The change calendars that exist.
    pub calendars: Vec<CalendarScenario>,
    /// What the hooks of the policies do, by name. A hook that is not listed succeeds.
    pub hooks: BTreeMap<String, HookDoes>,
}

impl Scenario {
    /// The pods of every service on the new cluster: id and port of each.
    pub fn pods(&self) -> BTreeMap<String, Vec<(String, u16)>> {
        let of_service = |(place, service): (usize, &ServiceScenario)| {
            let pods = (1..=u64::from(service.new_targets)).map(|number| (new_target_id(place, number), NEW_PORT));
            (service.name.to_string(), pods.collect())
        };
        self.services.iter().enumerate().map(of_service).collect()
    }

    /// Whether the scenario moves a service. Otherwise it is there for people in a kept world, and what goes wrong with
    /// it is theirs to meet.
    pub fn moves(&self, service: &ServiceScenario) -> bool {
        service.start || service.conducted || !self.acts.is_empty()
    }
}

/// One service.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceScenario {
    /// Its name.
    pub name: ServiceName,
    /// Its decoded policy.
    pub policy: ServicePolicy,
    /// The names of its load balancers. Each has one listener and one old target group.
    pub load_balancers: Vec<String>,
    /// Its routes.
    pub routes: Vec<RouteScenario>,
    /// The number of servers on the old cluster.
    pub old_targets: u16,
    /// The number of servers on the new cluster.
    pub new_targets: u16,
    /// Requests in a world minute that are sent over connections.
    pub sent_per_minute: f64,
    /// Requests in a world minute that are drawn instead of sent.
    pub drawn_per_minute: f64,
    /// The services that its servers call.
    pub calls: Vec<CallScenario>,
    /// Whether its policy is stored. Otherwise it only exists, under load, and someone has to find out about it.
    pub described: bool,
    /// Whether to start its migration. Otherwise a fleet does, or it only exists, under load.
    pub start: bool,
    /// Whether a fleet moves it.
    pub conducted: bool,
    /// When to start it, in world minutes after the load began.
    pub start_minute: f64,
    /// The alarms that exist before the plan.
    pub existing_alarms: Vec<String>,
    /// What goes wrong in its clusters, and when.
    pub faults: Vec<TimedFault>,
    /// What someone else does to it, and when.
    pub disturbances: Vec<Disturbance>,
    /// How it should end.
    pub expect: Expectation,
}

/// How a service should end. A field that is `None` is not checked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Expectation {
    /// The outcome.
    pub outcome: Outcome,
    /// Who starts the rollback.
    pub trigger: Option<Trigger>,
    /// The gate that decides.
    pub gate: Option<Gate>,
    /// Words of the deciding reason.
    pub says: Option<String>,
    /// The limit in world seconds until every route is back, from the alarm's change of state, or else from the
    /// verdict.
    pub within_seconds: Option<f64>,
    /// The limit in world seconds from the first fault until a rollback begins or the migration halts.
    pub noticed_within_seconds: Option<f64>,
    /// World seconds for which a step must be held at least.
    pub held_for_seconds: Option<f64>,
}

/// One route.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteScenario {
    /// The load balancer it is on.
    pub load_balancer: String,
    /// What it matches.
    pub matches: Match,
    /// Whether an OIDC action comes before the forward.
    pub oidc: bool,
    /// The rule's group stickiness, in seconds; `None` for off.
    pub stickiness_seconds: Option<u32>,
    /// The weight of the old group, if the action has other groups.
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
#[derive(Debug, Clone, PartialEq)]
pub struct TimedFault {
    /// What goes wrong.
    pub fault: ClusterFault,
    /// The clusters that have it.
    pub sides: Sides,
    /// When it begins.
    pub begin: Begin,
    /// When it ends, in world minutes after it began; never if `None`.
    pub minutes: Option<f64>,
}

/// The clusters that have a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sides {
    /// The new cluster.
    New,
    /// The old cluster.
    Old,
    /// Both.
    Both,
}

/// Something that someone else does to a migration or to its account, once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Disturbance {
    /// What is done.
    pub deed: Deed,
    /// When.
    pub begin: Begin,
}

/// What someone else does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Stops the migration's execution, as in the console.
    StopExecution,
    /// Changes the weight of the route with this number, from 1.
    EditRoute(usize),
    /// Uses up the account's Lambda concurrency for so many world minutes: Lambda throttles every function without
    /// concurrency of its own.
    ThrottleInvocations(u32),
    /// The service's Auto Scaling group launches an instance.
    ScaleOut,
}

/// When a fault begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Begin {
    /// World minutes after the load began.
    Minute(f64),
    /// This many world minutes after the new cluster first had this weight on every route.
    Weight(Weight, f64),
}

/// A fault of AWS itself, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsFault {
    /// The operation, by AWS's name.
    pub operation: String,
    /// Which call of it, counted from 1.
    pub call: u32,
    /// Count only the calls of this function; all calls if `None`.
    pub by: Option<String>,
    /// Count only the calls that name this service; all calls if `None`.
    pub service: Option<String>,
    /// What happens.
    pub effect: AwsEffect,
}

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AwsEffect {
    /// AWS throttles it.
    Throttle,
    /// It fails before it takes effect.
    FailBefore,
    /// It takes effect, then fails.
    FailAfter,
    /// It takes effect; the response is lost.
    LoseAnswer,
    /// It never returns.
    Hang,
    /// It takes effect; then the calling process is killed before it receives the response.
    Kill,
    /// The service's execution is stopped, as in the console; the call continues.
    StopExecution,
    /// The service's first alarm fires, and its event is delivered; the call continues.
    AlarmEvent,
    /// The same, but the event is delivered twice.
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
    /// An operator must decide.
    Halted,
    /// It did not start.
    Refused,
    /// The scenario did not start it.
    NotStarted,
}

impl Outcome {
    /// Returns its name in scenarios and reports.
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
