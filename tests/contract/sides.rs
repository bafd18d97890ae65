//! The two sides of the contract.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_dynamodb::types::{AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType};
use crossfade_actions::ports::{
    Alarms, AutoScaling, ChangeCalendars, ExecutionStatus, Executions, Fleets, Ledger, Metrics, Routes, Rules, Survey,
    Tagging, TargetGroups,
};
use crossfade_aws::{Settings, connect_with};
use crossfade_rehearsal::clock::{Work, WorldClock};
use crossfade_rehearsal::endpoints::auto_scaling::AutoScalingApi;
use crossfade_rehearsal::endpoints::aws_service::AwsService;
use crossfade_rehearsal::endpoints::change_calendars::ChangeCalendarsApi;
use crossfade_rehearsal::endpoints::cloudwatch::CloudWatchApi;
use crossfade_rehearsal::endpoints::elbv2::Elbv2Api;
use crossfade_rehearsal::endpoints::front_door::{Call, CallFault, CallObserver, DynamoDb, FrontDoor};
use crossfade_rehearsal::endpoints::step_functions::StepFunctionsApi;
use crossfade_rehearsal::functions::lambda_host::Functions;
use crossfade_rehearsal::functions::orchestrator::Orchestrator;
use crossfade_rehearsal::wiring::Wiring;
use crossfade_world::executions::Machines;
use crossfade_world::states::{StepFunctions, TaskError};
use crossfade_world::world::World;
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The name of the table in every test.
pub(crate) const TABLE: &str = "crossfade";

/// The pace of a clock that stands still, however slow the machine is: a second of the world takes thirty years.
pub(crate) const STANDS_STILL: f64 = 1e-9;

/// Whom a case is run against.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Side {
    /// `crates/aws` over HTTP.
    Served,
    /// The world's own ports.
    Direct,
}

/// A ledger, with whatever keeps it alive.
pub(crate) struct OpenLedger {
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) fleets: Arc<dyn Fleets>,
    _served: Option<Served>,
}

impl Side {
    /// An empty ledger.
    pub(crate) async fn ledger(self) -> OpenLedger {
        match self {
            Self::Served => {
                let served = Served::start(Vec::new()).await;
                let (ledger, fleets) = (served.ledger().await, served.fleets());
                OpenLedger { ledger, fleets, _served: Some(served) }
            }
            Self::Direct => {
                let table = Arc::new(crossfade_world::ledger::Ledger::default());
                OpenLedger { ledger: table.clone(), fleets: table, _served: None }
            }
        }
    }
}

/// A world's ports, with whatever keeps them alive.
pub(crate) struct Open {
    pub(crate) routes: Arc<dyn Routes>,
    pub(crate) rules: Arc<dyn Rules>,
    pub(crate) survey: Arc<dyn Survey>,
    pub(crate) target_groups: Arc<dyn TargetGroups>,
    pub(crate) tagging: Arc<dyn Tagging>,
    pub(crate) auto_scaling: Arc<dyn AutoScaling>,
    pub(crate) alarms: Arc<dyn Alarms>,
    pub(crate) metrics: Arc<dyn Metrics>,
    pub(crate) calendars: Arc<dyn ChangeCalendars>,
    served: Option<Served>,
}

impl Open {
    /// The operations that reached the endpoint since the last look.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.served.as_ref().map(|served| served.calls.take()).unwrap_or_default()
    }
}

impl Side {
    /// Opens a world that has been set up. What is changed in it afterwards is seen through the ports only.
    pub(crate) async fn open(self, world: &Arc<World>) -> Open {
        match self {
            Self::Served => {
                let served = Served::of(world).await;
                let connections = connect_with(&served.config, &settings());
                Open {
                    routes: connections.routes,
                    rules: connections.rules,
                    survey: connections.survey,
                    target_groups: connections.target_groups,
                    tagging: connections.tagging,
                    auto_scaling: connections.auto_scaling,
                    alarms: connections.alarms,
                    metrics: connections.metrics,
                    calendars: connections.calendars,
                    served: Some(served),
                }
            }
            Self::Direct => Open {
                routes: world.clone(),
                rules: world.clone(),
                survey: world.clone(),
                target_groups: world.clone(),
                tagging: world.clone(),
                auto_scaling: world.clone(),
                alarms: world.clone(),
                metrics: world.clone(),
                calendars: world.clone(),
                served: None,
            },
        }
    }
}

/// Three machines: `roll-back-service` and `migrate-fleet` wait for an hour, `migrate-service` succeeds at once.
pub(crate) struct OpenExecutions {
    pub(crate) executions: Arc<dyn Executions>,
    machines: Option<(Arc<Machines>, Arc<World>)>,
    _served: Option<(Served, Orchestrator)>,
}

const MACHINES: &str = r"
Resources:
  Wait:
    Type: AWS::Serverless::StateMachine
    Properties: { Name: roll-back-service, Definition: { StartAt: Wait,
      States: { Wait: { Type: Wait, Seconds: 3600, Next: End }, End: { Type: Succeed } } } }
  Conduct:
    Type: AWS::Serverless::StateMachine
    Properties: { Name: migrate-fleet, Definition: { StartAt: Wait,
      States: { Wait: { Type: Wait, Seconds: 3600, Next: End }, End: { Type: Succeed } } } }
  End:
    Type: AWS::Serverless::StateMachine
    Properties: { Name: migrate-service, Definition: { StartAt: End, States: { End: { Type: Succeed } } } }
  Retire:
    Type: AWS::Serverless::StateMachine
    Properties: { Name: retire-service, Definition: { StartAt: End, States: { End: { Type: Succeed } } } }
";
const NOW: &str = "2026-11-02T03:00:00Z";
const REGION: (&str, &str) = ("eu-west-1", "000000000000");

impl Side {
    /// Step Functions without any execution.
    pub(crate) async fn executions(self) -> OpenExecutions {
        let folder = tempfile::tempdir().unwrap();
        let template = folder.path().join("template.yaml");
        std::fs::write(&template, MACHINES).unwrap();
        let wiring = Wiring::read(&template).unwrap();
        match self {
            Self::Served => {
                let clock = WorldClock::starting_at(NOW.parse().unwrap(), STANDS_STILL);
                let orchestrator = Orchestrator::start(&wiring, Arc::new(NoFunctions), &clock, 7).unwrap();
                let api: Arc<dyn AwsService> = Arc::new(StepFunctionsApi::new(orchestrator.executions()));
                let served = Served::start(vec![("states", api)]).await;
                let machine =
                    |name: &str| Some(format!("arn:aws:states:{}:{}:stateMachine:{name}", REGION.0, REGION.1));
                let executions = connect_with(
                    &served.config,
                    &Settings {
                        migrate_machine: machine("migrate-service"),
                        roll_back_machine: machine("roll-back-service"),
                        retire_machine: machine("retire-service"),
                        ..settings()
                    },
                );
                OpenExecutions {
                    executions: executions.executions,
                    machines: None,
                    _served: Some((served, orchestrator)),
                }
            }
            Self::Direct => {
                let world = World::new(NOW.parse().unwrap(), 7);
                let mut engine = StepFunctions::new(REGION.0, REGION.1, 7);
                for machine in wiring.machines.values() {
                    engine.create_state_machine(world.now(), &machine.name, &machine.definition).unwrap();
                }
                let machines =
                    Machines::new(engine, "migrate-service", "roll-back-service", "retire-service", world.clone());
                OpenExecutions { executions: machines.clone(), machines: Some((machines, world)), _served: None }
            }
        }
    }
}

impl OpenExecutions {
    /// Waits until an execution is as it should be.
    pub(crate) async fn until(&self, execution: &str, wanted: ExecutionStatus) {
        loop {
            if let Some((machines, world)) = &self.machines {
                assert!(machines.with(|engine| engine.due_work(world.now())).is_empty(), "no state calls a function");
            }
            if self.executions.status(execution).await.unwrap() == wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// The machines of these tests call none.
struct NoFunctions;

#[async_trait::async_trait]
impl Functions for NoFunctions {
    async fn invoke(&self, function: &str, _: Value, _: Work) -> (Result<Value, TaskError>, Work) {
        panic!("{function} was invoked");
    }
}

/// A served world: the endpoint, and what was called there.
pub(crate) struct Served {
    pub(crate) config: SdkConfig,
    pub(crate) calls: Arc<ServedCalls>,
    _front_door: FrontDoor,
}

/// Every call that reached the endpoint; and the faults that the next calls will meet.
#[derive(Default)]
pub(crate) struct ServedCalls {
    seen: Mutex<Vec<String>>,
    faults: Mutex<VecDeque<(String, CallFault)>>,
}

impl ServedCalls {
    /// The operations since the last look, in order.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }

    /// The next `count` calls of `operation` go wrong.
    pub(crate) fn fail_next(&self, operation: &str, count: usize, fault: CallFault) {
        let fault = (operation.to_owned(), fault);
        self.faults.lock().unwrap().extend(std::iter::repeat_n(fault, count));
    }
}

impl CallObserver for ServedCalls {
    fn before(&self, call: &Call) -> CallFault {
        self.seen.lock().unwrap().push(call.operation.clone());
        let mut faults = self.faults.lock().unwrap();
        let next = faults.iter().position(|(operation, _)| *operation == call.operation);
        next.and_then(|index| faults.remove(index)).map_or(CallFault::None, |(_, fault)| fault)
    }
}

impl Served {
    /// Serves a copy of a world, at its time, and the table.
    pub(crate) async fn of(world: &World) -> Self {
        Self::of_with(world, Vec::new()).await
    }

    /// The same, and these services.
    pub(crate) async fn of_with(world: &World, mut services: Vec<(&'static str, Arc<dyn AwsService>)>) -> Self {
        let clock = WorldClock::starting_at(world.now(), STANDS_STILL);
        let (elbv2, cloudwatch, calendars) =
            world.with(|state| (state.elbv2.clone(), state.cloudwatch.clone(), state.calendars.clone()));
        let calendars = ChangeCalendarsApi::new(Arc::new(Mutex::new(calendars)), clock.clone());
        services.push(("ssm", Arc::new(calendars)));
        let elbv2 = Arc::new(Mutex::new(elbv2));
        let scaling = Arc::new(Mutex::new(world.with(|state| state.auto_scaling.clone())));
        services.push(("autoscaling", Arc::new(AutoScalingApi::new(scaling, elbv2.clone(), clock.clone()))));
        let elbv2 = Elbv2Api::new(elbv2, clock.clone());
        let cloudwatch = CloudWatchApi::new(Arc::new(Mutex::new(cloudwatch)), clock);
        services.push(("elasticloadbalancing", Arc::new(elbv2)));
        services.push(("monitoring", Arc::new(cloudwatch)));
        Self::start(services).await
    }

    /// Serves the table and these services.
    pub(crate) async fn start(services: Vec<(&'static str, Arc<dyn AwsService>)>) -> Self {
        let calls = Arc::new(ServedCalls::default());
        Self::start_observed(services, calls.clone(), calls).await
    }

    /// The same, seen by `observer` instead of `calls`.
    pub(crate) async fn start_observed(
        mut services: Vec<(&'static str, Arc<dyn AwsService>)>,
        observer: Arc<dyn CallObserver>,
        calls: Arc<ServedCalls>,
    ) -> Self {
        services.push(("dynamodb", Arc::new(DynamoDb::start().await.unwrap())));
        let front_door = FrontDoor::bind(services, observer).await.unwrap();
        let credentials = Credentials::new("local", "local", None, None, "tests");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .region(Region::new("eu-west-1"))
            .endpoint_url(front_door.url())
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build();
        Self { config, calls, _front_door: front_door }
    }

    /// The ledger of `crates/aws` on an empty table.
    pub(crate) async fn ledger(&self) -> Arc<dyn Ledger> {
        let key = |name: &str, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap();
        let text = |name: &str| {
            let definition = AttributeDefinition::builder().attribute_name(name);
            definition.attribute_type(ScalarAttributeType::S).build().unwrap()
        };
        self.table()
            .create_table()
            .table_name(TABLE)
            .billing_mode(BillingMode::PayPerRequest)
            .key_schema(key("pk", KeyType::Hash))
            .key_schema(key("sk", KeyType::Range))
            .attribute_definitions(text("pk"))
            .attribute_definitions(text("sk"))
            .send()
            .await
            .unwrap();
        self.calls.take();
        connect_with(&self.config, &settings()).ledger
    }

    /// The part of the table that fleets have, once [`Served::ledger`] has created it.
    pub(crate) fn fleets(&self) -> Arc<dyn Fleets> {
        connect_with(&self.config, &settings()).fleets
    }

    /// The table itself, for what no port allows.
    pub(crate) fn table(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.config)
    }
}

pub(crate) fn settings() -> Settings {
    Settings {
        table: TABLE.to_owned(),
        migrate_machine: None,
        roll_back_machine: None,
        retire_machine: None,
        stack: "crossfade".to_owned(),
    }
}
