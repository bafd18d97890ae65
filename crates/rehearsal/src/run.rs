//! A rehearsal: the world of a scenario, the migrations in it, and what came of them.

mod aws_faults;
mod beginning;
mod cluster_faults;
mod disturbances;
mod happenings;
mod progress;
mod return_times;
mod settle;
mod traffic;

pub(crate) use happenings::Happenings;
pub(crate) use progress::share;
pub use progress::{ServiceProgress, Snapshot};

use crate::access::AccessLog;
use crate::aws_service::AwsService;
use crate::clock::WorldClock;
use crate::cloudwatch_api::CloudWatchApi;
use crate::data_plane::{DataPlane, DataPlaneSettings};
use crate::elbv2_api::Elbv2Api;
use crate::front_door::{DynamoDb, FrontDoor};
use crate::hooks::WithHooks;
use crate::lambda_host::{FunctionSpec, HostSettings, LambdaHost, StartError};
use crate::orchestrator::{Executions, Orchestrator};
use crate::report::{Report, Run};
use crate::scenario::Scenario;
use crate::stage::{Stage, StageError};
use crate::stepfunctions_api::StepFunctionsApi;
use crate::sts_api::StsApi;
use crate::wiring::{REGION, STACK, Wiring, WiringError};
use aws_faults::{AwsFaults, Reach};
use crossfade_actions::ports::{Ledger, LedgerError, LoadBalancers, PortError};
use crossfade_world::states::RefusedCall;
use jiff::Timestamp;
use return_times::ReturnTimes;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinSet;
use traffic::{NewGroups, Traffic};

/// A target that has not answered by then, in real time, gives its client 504. Generous: it guards work.
const TARGET_TIMEOUT: Duration = Duration::from_secs(15);

/// Why a rehearsal could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum RehearsalError {
    /// The template cannot be read.
    #[error("cannot read the wiring of the functions")]
    Wiring(#[from] WiringError),
    /// Functions of the template have no binary.
    #[error("there is no binary named {}", .0.join(", "))]
    NoBinary(
        /// The binaries that are missing.
        Vec<String>,
    ),
    /// A function does not start.
    #[error("cannot start the functions")]
    Start(#[from] StartError),
    /// The stage cannot be set.
    #[error("cannot set the stage")]
    Stage(#[from] StageError),
    /// The state machines are not in the subset that runs everywhere, or an execution was refused.
    #[error("Step Functions refused")]
    Machine(#[from] RefusedCall),
    /// The table cannot be used.
    #[error("cannot use the table")]
    Ledger(#[from] LedgerError),
    /// The load balancers cannot be used.
    #[error("cannot use the load balancers")]
    Port(#[from] PortError),
    /// The table cannot be made.
    #[error("cannot create the table: {0}")]
    Table(String),
    /// A port or a server of this machine.
    #[error("cannot open a port on this machine")]
    Io(#[from] std::io::Error),
}

/// The world as the functions know it, through AWS's own client.
#[derive(Clone)]
pub struct Access {
    /// The table.
    pub ledger: Arc<dyn Ledger>,
    /// The load balancers.
    pub load_balancers: Arc<dyn LoadBalancers>,
}

/// Where the running world is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// For `AWS_ENDPOINT_URL`: every AWS service of the world.
    pub aws: String,
    /// For `AWS_REGION`.
    pub region: String,
    /// For `CROSSFADE_CLOCK`, so that a command sees world time.
    pub clock: String,
    /// The table's name.
    pub table: String,
    /// The ARN of `roll-back-service`.
    pub roll_back_machine: String,
    /// The services whose policies are stored; those that the scenario does not start come last.
    pub services: Vec<String>,
    /// Live HTTP: each load balancer's name and its listener's address.
    pub load_balancers: Vec<(String, String)>,
}

/// A world that stands, and in which nothing has begun to move yet. Dropped, it is gone with all its processes.
pub struct Rehearsal {
    scenario: Scenario,
    clock: WorldClock,
    stage: Stage,
    plane: DataPlane,
    accesses: Arc<AccessLog>,
    executions: Executions,
    host: Arc<LambdaHost>,
    endpoints: Endpoints,
    machine: String,
    aws_faults: Arc<AwsFaults>,
    _orchestrator: Orchestrator,
    _front_door: FrontDoor,
    _bridge: JoinSet<()>,
}

impl Rehearsal {
    /// Makes the world of a scenario: stage, table, functions as processes, state machines.
    ///
    /// `binaries` are the function binaries by name; `template` is `infra/template.yaml`. `started` is the world time at
    /// which the hour of history ends.
    pub async fn start(
        scenario: Scenario,
        binaries: &BTreeMap<String, PathBuf>,
        template: &Path,
        started: Timestamp,
        logs: Option<PathBuf>,
    ) -> Result<Self, RehearsalError> {
        let wiring = Wiring::read(template)?;
        let clock = WorldClock::starting_at(started, scenario.scale);
        let stage = Stage::set(&scenario, clock).await?;
        let aws_faults = Arc::new(AwsFaults::new(&scenario));
        let accesses = Arc::new(AccessLog::around(aws_faults.clone(), stage.elbv2.clone()));
        let table = Arc::new(DynamoDb::start().await?);
        create_tables(&table, &wiring).await?;
        let front_door = FrontDoor::bind(
            vec![
                ("elasticloadbalancing", Arc::new(Elbv2Api::new(stage.elbv2.clone(), clock)) as Arc<dyn AwsService>),
                ("monitoring", Arc::new(CloudWatchApi::new(stage.cloudwatch.clone(), clock))),
                ("dynamodb", table),
                ("sts", Arc::new(StsApi)),
            ],
            accesses.clone(),
        )
        .await?;
        let settings = HostSettings {
            endpoint_url: front_door.url(),
            region: REGION.to_owned(),
            clock: Some(clock.environment_value()),
            log_directory: logs,
        };
        let host = Arc::new(LambdaHost::new(settings, functions(&wiring, binaries)?));
        warm(&host, &wiring).await?;
        let functions = Arc::new(WithHooks::new(host.clone(), scenario.hooks.clone()));
        let orchestrator = Orchestrator::start(&wiring, functions, clock, scenario.seed)?;
        let executions = orchestrator.executions();
        aws_faults.may_reach(Reach {
            host: Arc::downgrade(&host),
            executions: executions.clone(),
            events: orchestrator.events(),
            cloudwatch: stage.cloudwatch.clone(),
            clock,
        });
        front_door.add("states", Arc::new(StepFunctionsApi::new(executions.clone())));
        let (alarm_events, bridge) = bridge(&orchestrator);
        let plane_settings = DataPlaneSettings {
            elbv2: stage.elbv2.clone(),
            cloudwatch: stage.cloudwatch.clone(),
            clock,
            directory: stage.directory.clone(),
            events: alarm_events,
            target_timeout: TARGET_TIMEOUT,
        };
        let listeners: Vec<String> = stage.listeners.values().cloned().collect();
        let plane = DataPlane::start(plane_settings, &listeners).await?;
        let endpoints = endpoints(&wiring, &front_door, &clock, &stage, &plane, &scenario);
        Ok(Self {
            machine: format!("{STACK}-migrate-service"),
            scenario,
            clock,
            stage,
            plane,
            accesses,
            executions,
            host,
            endpoints,
            aws_faults,
            _orchestrator: orchestrator,
            _front_door: front_door,
            _bridge: bridge,
        })
    }

    /// Ends every execution and every function's process, and waits until the processes are gone.
    pub async fn close(self) {
        let Self { _orchestrator: orchestrator, host, .. } = self;
        drop(orchestrator);
        host.shut_down().await;
    }

    /// Where the world is reached.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    pub(crate) fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    pub(crate) fn stage(&self) -> &Stage {
        &self.stage
    }

    pub(crate) fn executions(&self) -> &Executions {
        &self.executions
    }

    /// Who asked AWS for what, so far.
    pub(crate) fn access_log(&self) -> &AccessLog {
        &self.accesses
    }

    pub(crate) fn scale(&self) -> f64 {
        self.clock.scale()
    }

    /// A route's actions as AWS describes them now.
    pub(crate) fn actions_of(&self, route: &str) -> Result<Value, StageError> {
        let mut elbv2 = self.stage.elbv2.lock().expect("no holder of the lock panics");
        crate::stage::described(&mut elbv2, self.clock.now(), route)
            .map_err(|source| StageError::Refused { what: format!("a look at {route}"), source })
    }

    /// The last lines that a function wrote.
    pub fn last_lines(&self, function: &str) -> Vec<String> {
        self.host.last_lines(function)
    }

    /// Stores the policy, sends load, moves every service that the scenario starts, waits until each is at rest, and
    /// reports. `progress` is told what happens. The load ends with the report; [`Afterwards`] begins it anew.
    pub async fn run(
        &self,
        access: &Access,
        progress: &watch::Sender<Snapshot>,
    ) -> Result<(Report, Afterwards), RehearsalError> {
        let began = Instant::now();
        access.ledger.store_policy("rehearsal", &self.scenario.policy).await?;
        self.wait_for_old_targets().await;
        let new_groups = NewGroups::default();
        let traffic = Traffic::start(self, &new_groups);
        let world_began = self.clock.now();
        let mut arns = vec![None; self.scenario.services.len()];
        let mut happenings = Happenings::new(self, world_began);
        let mut return_times = ReturnTimes::default();
        let follower = progress::Follower::new(self, &traffic, &new_groups);
        let heads =
            self.until_at_rest(&mut arns, access, &mut happenings, &mut return_times, &follower, progress).await?;
        let run = Run {
            arns: &arns,
            heads,
            counts: traffic.stop().await,
            happenings: &happenings,
            bare: return_times.finish().await?,
            wall_seconds: began.elapsed().as_secs_f64(),
            world_seconds: self.clock.now().duration_since(world_began).as_secs_f64(),
        };
        let report = Report::of(self, run, &access.ledger).await?;
        Ok((report, Afterwards { happenings, arns, new_groups }))
    }

    /// What the scenario wants to go wrong and did not, each by its place in the scenario.
    pub(crate) fn without_effect(&self, happenings: &Happenings) -> Vec<String> {
        let mut found = happenings.without_effect();
        found.extend(self.aws_faults.without_effect());
        found
    }
}

/// A world that stays up after its rehearsal.
pub struct Afterwards {
    happenings: Happenings,
    arns: Vec<Option<String>>,
    new_groups: NewGroups,
}

impl Afterwards {
    /// Sends load again and lets faults begin and end, until it is dropped: whoever starts a service now finds the world at
    /// work.
    pub async fn go_on(&mut self, rehearsal: &Rehearsal) -> Result<std::convert::Infallible, RehearsalError> {
        let _traffic = Traffic::start(rehearsal, &self.new_groups);
        loop {
            let weights = rehearsal.weights(&self.new_groups);
            self.happenings.update(rehearsal, &self.arns, &weights)?;
            tokio::time::sleep(settle::LOOK_EVERY).await;
        }
    }
}

fn functions(wiring: &Wiring, binaries: &BTreeMap<String, PathBuf>) -> Result<Vec<FunctionSpec>, RehearsalError> {
    let wanted = wiring.functions.values().map(|function| &function.binary);
    let missing: Vec<String> = wanted.filter(|binary| !binaries.contains_key(*binary)).cloned().collect();
    if !missing.is_empty() {
        return Err(RehearsalError::NoBinary(missing));
    }
    let spec = |function: &crate::wiring::FunctionWiring| {
        let folder = binaries[&function.binary].parent().unwrap_or(Path::new("."));
        FunctionSpec::of_wiring(function, folder)
    };
    Ok(wiring.functions.values().map(spec).collect())
}

/// Starts one process of each function, all at once.
async fn warm(host: &Arc<LambdaHost>, wiring: &Wiring) -> Result<(), StartError> {
    let names: Vec<String> = wiring.functions.keys().cloned().collect();
    let warming = names.iter().map(|name| host.warm(name));
    futures::future::try_join_all(warming).await.map(drop)
}

/// Passes alarm events on to the event bus.
fn bridge(orchestrator: &Orchestrator) -> (tokio::sync::mpsc::UnboundedSender<Value>, JoinSet<()>) {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel::<Value>();
    let bus = orchestrator.events();
    let mut task = JoinSet::new();
    task.spawn(async move {
        while let Some(event) = receiver.recv().await {
            bus.put(event);
        }
    });
    (sender, task)
}

async fn create_tables(table: &DynamoDb, wiring: &Wiring) -> Result<(), RehearsalError> {
    for wanted in &wiring.tables {
        let mut input = json!({"TableName": wanted.name, "BillingMode": "PAY_PER_REQUEST"});
        for member in ["AttributeDefinitions", "KeySchema"] {
            input[member] = wanted.properties[member].clone();
        }
        let request = http::Request::post("/")
            .header("x-amz-target", "DynamoDB_20120810.CreateTable")
            .header("content-type", "application/x-amz-json-1.0")
            .header("authorization", "AWS4-HMAC-SHA256 Credential=local/20260101/eu-west-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0")
            .header("x-amz-date", "20260101T000000Z")
            .body(input.to_string().into())
            .expect("plain headers make a request");
        let response = table.handle(request).await;
        if !response.status().is_success() {
            return Err(RehearsalError::Table(String::from_utf8_lossy(response.body()).into_owned()));
        }
    }
    Ok(())
}

fn endpoints(
    wiring: &Wiring,
    front_door: &FrontDoor,
    clock: &WorldClock,
    stage: &Stage,
    plane: &DataPlane,
    scenario: &Scenario,
) -> Endpoints {
    let mut services: Vec<_> = scenario.services.iter().collect();
    services.sort_by_key(|service| !service.start);
    let machine = wiring.machines.get(&format!("{STACK}-roll-back-service"));
    let addresses = stage.listeners.iter().filter_map(|(name, listener)| {
        plane.address_of(listener).map(|address| (name.clone(), format!("http://{address}")))
    });
    Endpoints {
        aws: front_door.url(),
        region: REGION.to_owned(),
        clock: clock.environment_value(),
        table: wiring.tables.first().map_or_else(|| STACK.to_owned(), |table| table.name.clone()),
        roll_back_machine: machine.map(|machine| machine.arn.clone()).unwrap_or_default(),
        services: services.iter().map(|service| service.name.to_string()).collect(),
        load_balancers: addresses.collect(),
    }
}
