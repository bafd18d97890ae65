//! A rehearsal: the world of a scenario, its migrations, and their results.

mod acts;
mod afterwards;
mod aws_faults;
mod beginning;
mod cluster_faults;
mod disturbances;
mod fleets;
mod progress;
mod retirements;
mod scheduled_faults;
mod set_up;
mod settle;
mod traffic;
mod write_report;

pub use afterwards::Afterwards;
pub use progress::{ServiceProgress, Snapshot};
use scheduled_faults::ScheduledFaults;

use crate::clock::{ClockServer, OwnTime, Work, WorldClock};
use crate::endpoints::access::AccessLog;
use crate::endpoints::auto_scaling::AutoScalingApi;
use crate::endpoints::aws_service::AwsService;
use crate::endpoints::change_calendars::ChangeCalendarsApi;
use crate::endpoints::cloudwatch::CloudWatchApi;
use crate::endpoints::elbv2::Elbv2Api;
use crate::endpoints::front_door::{DynamoDb, FrontDoor};
use crate::endpoints::kubernetes::KubernetesApi;
use crate::endpoints::step_functions::StepFunctionsApi;
use crate::endpoints::sts::StsApi;
use crate::functions::hooks::WithHooks;
use crate::functions::lambda_host::{HostSettings, LambdaHost, StartError};
use crate::functions::local_executions::LocalExecutions;
use crate::functions::orchestrator::Orchestrator;
use crate::report::Report;
use crate::scenario::Scenario;
use crate::stage::{Stage, StageError};
use crate::traffic::controller::Controller;
use crate::traffic::data_plane::{DataPlane, DataPlaneSettings, Sockets};
use crate::wiring::{REGION, STACK, Wiring, WiringError};
use acts::Player;
use aws_faults::{AwsFaults, Reach};
use crossfade_actions::error::ActionError;
use crossfade_actions::ports::{Clock, LedgerError, Ports};
use crossfade_world::states::RefusedCall;
use jiff::Timestamp;
use serde_json::Value;
use set_up::{create_tables, endpoints, full_hour, functions, warm};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tokio::sync::watch;
use traffic::{NewGroups, Traffic};
use write_report::{FinishedRun, write_report};

/// Why a rehearsal could not run.
#[derive(Debug, thiserror::Error)]
pub enum RehearsalError {
    /// The template cannot be read.
    #[error("cannot read the wiring of the functions")]
    Wiring(#[from] WiringError),
    /// The template's functions have no binary.
    #[error("there is no binary named {}", .0.join(", "))]
    NoBinary(
        /// The binaries that are missing.
        Vec<String>,
    ),
    /// A function does not start.
    #[error("cannot start the functions")]
    Start(#[from] StartError),
    /// The stage could not be set up.
    #[error("cannot set the stage")]
    Stage(#[from] StageError),
    /// The state machines use more than the subset that runs everywhere, or an execution was refused.
    #[error("Step Functions refused")]
    Machine(#[from] RefusedCall),
    /// The table cannot be used.
    #[error("cannot use the table")]
    Ledger(#[from] LedgerError),
    /// An act could not be played.
    #[error("an act cannot be played")]
    Act(#[source] ActionError),
    /// The table cannot be created.
    #[error("cannot create the table: {0}")]
    Table(String),
    /// A port or a server on this machine failed.
    #[error("cannot open a port on this machine")]
    Io(#[from] std::io::Error),
}

/// Where the running world is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// The value for `AWS_ENDPOINT_URL`, which serves every AWS service.
    pub aws: String,
    /// The value for `AWS_REGION`.
    pub region: String,
    /// The value for `CROSSFADE_CLOCK`, so that a command uses world time.
    pub clock: String,
    /// The table's name.
    pub table: String,
    /// The ARN of `roll-back-service`.
    pub roll_back_machine: String,
    /// The services with stored policies. Those that the scenario does not start come last.
    pub services: Vec<String>,
    /// Live HTTP: the name of each load balancer and the address of its listener.
    pub load_balancers: Vec<(String, String)>,
    /// The value for `CROSSFADE_LISTENERS`, so that a command can ask the listeners.
    pub listeners: String,
}

/// A world that is set up, and in which no migration has begun. Dropping it ends all its processes.
pub struct Rehearsal {
    scenario: Scenario,
    clock: WorldClock,
    own_time: Arc<OwnTime>,
    stage: Stage,
    controller: Arc<Controller>,
    plane: DataPlane,
    accesses: Arc<AccessLog>,
    executions: LocalExecutions,
    host: Arc<LambdaHost>,
    endpoints: Endpoints,
    machine: String,
    aws_faults: Arc<AwsFaults>,
    /// Held until the services start to move, so that no world time passes before.
    setting_up: Mutex<Option<Work>>,
    _orchestrator: Orchestrator,
    _front_door: FrontDoor,
    _clock_server: ClockServer,
}

impl Rehearsal {
    /// Sets up the world of a scenario: stage, table, functions as processes, state machines.
    ///
    /// `binaries` are the function binaries by name; `template` is `infra/template.yaml`. The world begins at the last
    /// full hour before `started`, so that minutes begin at the same world times in every run of a scenario.
    pub async fn start(
        scenario: Scenario,
        binaries: &BTreeMap<String, PathBuf>,
        template: &Path,
        started: Timestamp,
        logs: Option<PathBuf>,
    ) -> Result<Self, RehearsalError> {
        let wiring = Wiring::read(template)?;
        let clock = WorldClock::starting_at(full_hour(started), scenario.scale);
        let setting_up = clock.work();
        let stage = Stage::set(&scenario, &clock).await?;
        let aws_faults = Arc::new(AwsFaults::new(&scenario));
        let accesses = Arc::new(AccessLog::around(aws_faults.clone(), stage.elbv2.clone()));
        let controller = Arc::new(Controller::new(stage.elbv2.clone(), clock.clone(), scenario.pods()));
        let table = Arc::new(DynamoDb::start().await?);
        create_tables(&table, &wiring).await?;
        let front_door = FrontDoor::bind(
            vec![
                (
                    "elasticloadbalancing",
                    Arc::new(Elbv2Api::new(stage.elbv2.clone(), clock.clone())) as Arc<dyn AwsService>,
                ),
                ("monitoring", Arc::new(CloudWatchApi::new(stage.cloudwatch.clone(), clock.clone()))),
                (
                    "autoscaling",
                    Arc::new(AutoScalingApi::new(stage.auto_scaling.clone(), stage.elbv2.clone(), clock.clone())),
                ),
                ("dynamodb", table),
                ("sts", Arc::new(StsApi)),
                ("kubernetes", Arc::new(KubernetesApi(controller.clone()))),
                ("ssm", Arc::new(ChangeCalendarsApi::new(stage.calendars.clone(), clock.clone()))),
            ],
            accesses.clone(),
        )
        .await?;
        let settings = HostSettings {
            endpoint_url: front_door.url(),
            region: REGION.to_owned(),
            clock: clock.clone(),
            log_directory: logs,
        };
        let sockets = Sockets::open(stage.listeners.values().cloned()).await?;
        let told = functions(&wiring, binaries)?.into_iter().map(|spec| spec.knowing(&sockets.addresses()));
        let host = Arc::new(LambdaHost::new(settings, told));
        warm(&host, &wiring).await?;
        let new_clusters = scenario.services.iter().map(|service| service.name.to_string());
        let new_clusters = new_clusters.zip(stage.services.iter().map(|staged| staged.new.clone())).collect();
        let functions = WithHooks::new(host.clone(), scenario.hooks.clone(), new_clusters, clock.clone());
        let orchestrator = Orchestrator::start(&wiring, Arc::new(functions), &clock, scenario.seed)?;
        let executions = orchestrator.executions();
        aws_faults.may_reach(Reach {
            host: Arc::downgrade(&host),
            executions: executions.clone(),
            events: orchestrator.events(),
            cloudwatch: stage.cloudwatch.clone(),
            clock: clock.clone(),
        });
        front_door.add("states", Arc::new(StepFunctionsApi::new(executions.clone())));
        let bus = orchestrator.events();
        let plane_settings = DataPlaneSettings {
            elbv2: stage.elbv2.clone(),
            cloudwatch: stage.cloudwatch.clone(),
            clock: clock.clone(),
            directory: stage.directory.clone(),
            events: Arc::new(move |event| bus.put(event)),
        };
        let plane = DataPlane::start(plane_settings, sockets);
        let clock_server = ClockServer::bind(&clock).await?;
        let endpoints = endpoints(&wiring, &front_door, &clock_server, &stage, &plane, &scenario);
        Ok(Self {
            machine: format!("{STACK}-migrate-service"),
            scenario,
            own_time: OwnTime::of(&clock),
            clock,
            stage,
            controller,
            plane,
            accesses,
            executions,
            host,
            endpoints,
            aws_faults,
            setting_up: Mutex::new(Some(setting_up)),
            _orchestrator: orchestrator,
            _front_door: front_door,
            _clock_server: clock_server,
        })
    }

    /// Ends every execution and every function's process, and waits until the processes have ended.
    pub async fn close(self) {
        let Self { _orchestrator: orchestrator, host, .. } = self;
        drop(orchestrator);
        host.shut_down().await;
    }

    /// From now on, lets world time pass only while a command waits for a later time.
    pub fn wait_for_onlookers(&self) {
        self.clock.wait_for_onlookers();
    }

    /// Returns how to reach the world.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    pub(crate) fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    pub(crate) fn stage(&self) -> &Stage {
        &self.stage
    }

    pub(crate) fn executions(&self) -> &LocalExecutions {
        &self.executions
    }

    /// Returns every AWS call so far, by caller.
    pub(crate) fn access_log(&self) -> &AccessLog {
        &self.accesses
    }

    /// Returns a route's current actions, as AWS describes them.
    pub(crate) fn actions_of(&self, route: &str) -> Result<Value, StageError> {
        let mut elbv2 = self.stage.elbv2.lock().expect("no holder of the lock panics");
        crate::stage::described(&mut elbv2, self.clock.now(), route)
            .map_err(|source| StageError::Refused { what: format!("describing {route}"), source })
    }

    /// Returns the last lines that a function printed.
    pub fn last_lines(&self, function: &str) -> Vec<String> {
        self.host.last_lines(function)
    }

    /// Whether the scenario has acts.
    pub fn has_acts(&self) -> bool {
        !self.scenario.acts.is_empty()
    }

    /// The clock for the ports with which [`Rehearsal::run`] works.
    pub fn own_time(&self) -> Arc<dyn Clock> {
        self.own_time.clone()
    }

    /// Stores the policies, sends load, moves every service and fleet of the scenario, waits until each is at rest, and
    /// reports. `progress` receives what happens. The load ends with the report; [`Afterwards`] starts it again.
    pub async fn run(
        &self,
        ports: &Ports,
        progress: &watch::Sender<Snapshot>,
    ) -> Result<(Report, Afterwards), RehearsalError> {
        let (began, ledger) = (Instant::now(), &ports.ledger);
        let setting_up = self.setting_up.lock().expect("no holder of the lock panics").take();
        let work = setting_up.unwrap_or_else(|| self.clock.work());
        if !self.scenario.policy["services"].as_array().is_none_or(Vec::is_empty) {
            ledger.store_policy("rehearsal", &self.scenario.policy, self.clock.now()).await?;
        }
        for fleet in &self.scenario.fleets {
            ledger.store_policy(&fleet.name, &fleet.policy, self.clock.now()).await?;
        }
        let work = self.wait_for_old_targets(work).await;
        let new_groups = NewGroups::default();
        let traffic = Traffic::start(self, &new_groups);
        let world_began = self.clock.now();
        self.stage.create_calendars(&self.scenario, world_began);
        let mut arns = vec![None; self.scenario.services.len()];
        let mut scheduled_faults = ScheduledFaults::new(self, world_began);
        let follower = progress::Follower::new(self, &traffic, &new_groups);
        let (rest, work) = if self.scenario.acts.is_empty() {
            self.until_at_rest(&mut arns, &**ledger, &mut scheduled_faults, &follower, progress, work).await?
        } else {
            self.own_time.hold(work);
            let seen = (&traffic, &follower);
            let player = Player::new(self, ports, seen, &mut scheduled_faults, &mut arns, progress);
            let rest = player.play().await?;
            (rest, self.own_time.take())
        };
        let run = FinishedRun {
            arns: &arns,
            heads: rest.heads,
            retirements: rest.retirements,
            acts: rest.acts,
            counts: traffic.stop(),
            fleets: self.fleet_reports(&*ports.fleets, &scheduled_faults).await?,
            scheduled_faults: &scheduled_faults,
            wall_seconds: began.elapsed().as_secs_f64(),
            waited: self.clock.spent(),
            world_seconds: self.clock.now().duration_since(world_began).as_secs_f64(),
        };
        let report = write_report(self, run, ledger).await?;
        Ok((report, Afterwards { scheduled_faults, arns, new_groups, work }))
    }

    /// Returns the planned faults that did not happen, each by its place in the scenario.
    pub(crate) fn without_effect(&self, scheduled_faults: &ScheduledFaults) -> Vec<String> {
        let mut found = scheduled_faults.without_effect(&self.scenario);
        found.extend(self.aws_faults.without_effect(&self.scenario));
        found
    }
}
