//! AWS's answers through the SDK's own deserializers: recorded from the local world's endpoints, then changed.

mod wire;

use self::wire::{NoSleep, Wire, WireClient};
use super::Case;
use super::mutation::{any_bytes, bytes};
use crate::contract::first_retirement;
use crate::contract::samples::{route, service, start};
use crate::contract::sides::{Served, settings};
use aws_smithy_async::rt::sleep::SharedAsyncSleep;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use crossfade_actions::ports::{Ledger, RetireOrder};
use crossfade_aws::{Connections, Machines, Settings, connect_with, machines_with};
use crossfade_domain::comparison::{ComparedPair, GroupPair, SlowAbove, queries};
use crossfade_domain::load_balancer::route::RouteId;
use crossfade_domain::names::{ListenerArn, LoadBalancerArn, TargetGroupArn};
use crossfade_domain::retirement::RetirementEventKind;
use crossfade_rehearsal::clock::{Work, WorldClock};
use crossfade_rehearsal::endpoints::aws_service::AwsService;
use crossfade_rehearsal::endpoints::step_functions::StepFunctionsApi;
use crossfade_rehearsal::functions::lambda_host::Functions;
use crossfade_rehearsal::functions::orchestrator::Orchestrator;
use crossfade_rehearsal::wiring::Wiring;
use crossfade_world::World;
use crossfade_world::cloudwatch::{Lateness, Outcome, RequestRecord};
use crossfade_world::states::{Status, TaskError};
use crossfade_world::tree::Tree;
use crossfade_world::world::ServiceOnBalancer;
use jiff::{SignedDuration, Timestamp};
use rand::Rng as _;
use rand::seq::IndexedRandom as _;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::fmt::Debug;
use std::sync::Arc;

/// An answer of AWS.
#[derive(Debug, Clone)]
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// The calls of ports whose answers are changed.
const CALLS: [&str; 37] = [
    "load_balancers",
    "listeners",
    "routes",
    "read_routes",
    "rules",
    "all_load_balancers",
    "listeners_of",
    "balancer_attributes",
    "all_target_groups",
    "target_groups",
    "target_groups_of",
    "limits",
    "attributes",
    "health",
    "tags",
    "groups_of_service",
    "alarms",
    "firings",
    "metric_data",
    "calendar",
    "scaling_group",
    "is_refreshing",
    "sources",
    "status",
    "start_retirement",
    "describe",
    "last_answer",
    "head",
    "heads",
    "events",
    "holders",
    "retirement",
    "retirements",
    "open_retirements",
    "fleet",
    "fleets",
    "fleet_entries",
];

pub(super) fn answers() -> Case {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let wire = Arc::new(Wire::default());
    let (recorded, asked, connections) = runtime.block_on(record(&wire));
    Box::new(move |rng| {
        let (call, real) = recorded.choose(rng).expect("every call was recorded");
        let changed = changed(rng, real);
        wire.replay(changed.clone());
        let answer = runtime.block_on(asked.ask(&connections, call));
        let Err(error) = answer else { return Ok(()) };
        if error.contains(" on ") || error.contains(": ") {
            Ok(())
        } else {
            Err(format!("{call}: {error} ({changed:?})"))
        }
    })
}

/// Every call against the world's endpoints, with the answers that it got.
async fn record(wire: &Arc<Wire>) -> (Vec<(&'static str, Vec<Answer>)>, Asked, Connections) {
    let world = World::new("2026-11-02T03:00:00Z".parse().unwrap(), 1);
    let users = world.add_service("public", "users-swarm", &["a.test", "b.test"]);
    serve_requests(&world, &users);
    world.add_alarm("users-5xx");
    world.fire_alarm("users-5xx");
    let closed = [(world.now(), world.now() + SignedDuration::from_hours(1))];
    world.with(|state| state.calendars.put_calendar("change-freeze", &closed));
    world.with(|state| {
        state.auto_scaling.put_group("nodes", &["i-1"], "ELB");
        let sources = json!([{"Identifier": users.old_group, "Type": "elbv2"}]);
        let input = Tree::from_json(&json!({"AutoScalingGroupName": "nodes", "TrafficSources": sources}));
        state.auto_scaling.call(state.now, "AttachTrafficSources", &input, &mut state.elbv2).unwrap();
    });
    let (orchestrator, execution) = executed(&world).await;
    let states: Arc<dyn AwsService> = Arc::new(StepFunctionsApi::new(orchestrator.executions()));
    let served = Served::of_with(&world, vec![("states", states)]).await;
    let ledger = served.ledger().await;
    let begun = start("users", 1, &[route(1), route(2)], &["users-5xx"]);
    ledger.take(None, &begun.head, &begun.plan, &begun.event).await.unwrap();
    begin_a_retirement(&*ledger).await;
    wire.record(served.config.http_client().expect("it was given"));
    let config = served
        .config
        .to_builder()
        .http_client(SharedHttpClient::new(WireClient(wire.clone())))
        .sleep_impl(SharedAsyncSleep::new(NoSleep))
        .build();
    let connections = connect_with(&config, &Settings { retire_machine: Some(MOVE.to_owned()), ..settings() });
    let asked = Asked::of(&users, machines_with(&config), execution);
    let mut recorded = Vec::new();
    for call in CALLS {
        asked.ask(&connections, call).await.unwrap_or_else(|error| panic!("{call}: {error}"));
        let answers = wire.recorded();
        assert!(!answers.is_empty(), "{call} asked nothing");
        recorded.push((call, answers));
    }
    (recorded, asked, connections)
}

/// A retirement that an execution runs.
async fn begin_a_retirement(ledger: &dyn Ledger) {
    let first = first_retirement();
    let (plan, execution) = (Box::new(first.plan.clone()), Some(format!("{MOVE}:users-1")));
    let event = first.next_event(RetirementEventKind::Begun { plan, who: "ana".to_owned(), execution }, first.since);
    ledger.record_retirement(None, &event, &first.apply(&event).unwrap()).await.unwrap();
}

/// Two minutes of requests on a service, all of which have arrived.
fn serve_requests(world: &World, users: &ServiceOnBalancer) {
    let dimension = |arn: &str| arn.rsplit(':').next().unwrap_or_default().to_owned();
    let record = RequestRecord {
        load_balancer: dimension(&users.load_balancer).replacen("loadbalancer/", "", 1),
        target_group: Some(dimension(&users.old_group)),
        outcome: Outcome::Target(200),
        latency_seconds: 0.02,
    };
    world.with(|state| {
        state.cloudwatch.lateness = Lateness::NONE;
        for _ in 0..3 {
            state.cloudwatch.record_request(state.now, &record);
        }
    });
    world.advance(SignedDuration::from_mins(5));
}

const MOVE: &str = "arn:aws:states:eu-west-1:000000000000:stateMachine:crossfade-move";
const MACHINE: &str = r#"
Resources:
  LookFunction:
    Type: AWS::Serverless::Function
    Metadata: { BuildProperties: { Binary: look } }
    Properties: { FunctionName: crossfade-look }
  Move:
    Type: AWS::Serverless::StateMachine
    Properties:
      Name: crossfade-move
      DefinitionSubstitutions: { LookFunction: !GetAtt LookFunction.Arn }
      Definition:
        StartAt: Look
        States:
          Look:
            Type: Task
            Resource: arn:aws:states:::lambda:invoke
            Parameters: { FunctionName: "${LookFunction}", Payload: { cursor.$: $ } }
            OutputPath: $.Payload
            Next: Rolled back
          Rolled back: { Type: Fail, Error: RolledBack, Cause: "{\"errorMessage\": \"users-5xx fires\"}" }
"#;

/// Answers as a function does.
struct Looks;

#[async_trait::async_trait]
impl Functions for Looks {
    async fn invoke(&self, _: &str, _: Value, work: Work) -> (Result<Value, TaskError>, Work) {
        (Ok(json!({"verdict": "rollBack", "reason": "users-5xx fires", "waitSeconds": 0})), work)
    }
}

/// An execution that has called a function and has failed.
async fn executed(world: &World) -> (Orchestrator, String) {
    let folder = tempfile::tempdir().unwrap();
    let template = folder.path().join("template.yaml");
    std::fs::write(&template, MACHINE).unwrap();
    let clock = WorldClock::starting_at(world.now(), 1e9);
    let orchestrator = Orchestrator::start(&Wiring::read(&template).unwrap(), Arc::new(Looks), &clock, 7).unwrap();
    let executions = orchestrator.executions();
    let execution = executions.start_execution(MOVE, None, json!({"service": "users"})).unwrap();
    while executions.describe(&execution).unwrap().status == Status::Running {
        tokio::task::yield_now().await;
    }
    (orchestrator, execution)
}

/// The answers with one of them changed.
fn changed(rng: &mut ChaCha8Rng, real: &[Answer]) -> Vec<Answer> {
    let mut answers = real.to_vec();
    let at = rng.random_range(0..answers.len());
    let answer = &mut answers[at];
    match rng.random_range(0..10) {
        0 => answer.body = any_bytes(rng),
        1 => answer.status = *[200, 204, 301, 400, 403, 404, 429].choose(rng).expect("there are some"),
        2 => answer.headers.clear(),
        _ => {}
    }
    answer.body = bytes(rng, &answer.body);
    answers
}

/// The objects that are asked about.
struct Asked {
    load_balancer: LoadBalancerArn,
    listener: ListenerArn,
    rule: RouteId,
    group: TargetGroupArn,
    machines: Machines,
    execution: String,
}

impl Asked {
    fn of(users: &ServiceOnBalancer, machines: Machines, execution: String) -> Self {
        Self {
            load_balancer: LoadBalancerArn::parse(users.load_balancer.clone()).unwrap(),
            listener: ListenerArn::parse(users.listener.clone()).unwrap(),
            rule: RouteId::parse(users.rules[0].clone()).unwrap(),
            group: TargetGroupArn::parse(users.old_group.clone()).unwrap(),
            machines,
            execution,
        }
    }

    /// Asks through the ports; the error is its chain.
    async fn ask(&self, to: &Connections, call: &str) -> Result<(), String> {
        let Connections {
            routes,
            rules,
            // It asks load balancers and never AWS.
            probes: _,
            survey,
            target_groups,
            tagging,
            auto_scaling,
            alarms,
            metrics,
            calendars,
            executions,
            ledger,
            fleets,
        } = to;
        let group = self.group.as_str().to_owned();
        let names = ["users-5xx".to_owned()];
        let users = service("users");
        match call {
            "load_balancers" => said(routes.load_balancers(std::slice::from_ref(&self.load_balancer)).await),
            "listeners" => said(routes.listeners(&self.load_balancer).await),
            "routes" => said(routes.routes(&self.listener).await),
            "read_routes" => said(routes.read_routes(std::slice::from_ref(&self.rule)).await),
            "rules" => said(rules.rules(&self.listener).await),
            "all_load_balancers" => said(survey.all_load_balancers().await),
            "listeners_of" => said(survey.listeners_of(&self.load_balancer).await),
            "balancer_attributes" => said(survey.balancer_attributes(&self.load_balancer).await),
            "all_target_groups" => said(survey.all_target_groups().await),
            "target_groups" => said(target_groups.target_groups(&[group]).await),
            "target_groups_of" => said(target_groups.target_groups_of(&self.load_balancer).await),
            "attributes" => said(target_groups.attributes(&self.group).await),
            "health" => said(target_groups.health(&self.group).await),
            "tags" => said(tagging.tags(&[group]).await),
            "groups_of_service" => said(tagging.groups_of_service(&users).await),
            "alarms" => said(alarms.alarms(&names).await),
            "firings" => said(alarms.firings(&names, Timestamp::UNIX_EPOCH).await),
            "metric_data" => {
                let pair = GroupPair {
                    load_balancer: self.load_balancer.clone(),
                    old: self.group.clone(),
                    new: self.group.clone(),
                };
                let slow_above = Some(SlowAbove::tolerating(200_000, 10));
                let asked = queries(&[ComparedPair { pair, slow_above, sticky: false }]);
                let until = "2026-11-02T03:05:00Z".parse().expect("it is a time");
                said(metrics.data(&asked, until - SignedDuration::from_mins(5), until).await)
            }
            "calendar" => said(calendars.calendar("change-freeze").await),
            "scaling_group" => said(auto_scaling.scaling_group("nodes").await),
            "is_refreshing" => said(auto_scaling.is_refreshing("nodes").await),
            "sources" => said(auto_scaling.sources("nodes").await),
            "status" => said(executions.status(&self.execution).await),
            "start_retirement" => {
                said(executions.start_retirement("users-retirement-1-2", &RetireOrder::to_continue(&users)).await)
            }
            "describe" => said(self.machines.describe(&self.execution).await),
            "last_answer" => said(self.machines.last_answer(&self.execution).await),
            "head" => said(ledger.head(&users).await),
            "heads" => said(ledger.heads(&[users]).await),
            "retirement" => said(ledger.retirement(&users).await),
            "retirements" => said(ledger.retirements(&[users]).await),
            "open_retirements" => said(ledger.open_retirements().await),
            "fleet" => said(fleets.fleet("eks").await),
            "fleets" => said(fleets.fleets().await),
            "fleet_entries" => said(fleets.fleet_entries("eks", 1).await),
            "events" => said(ledger.events(&users, &start("users", 1, &[], &[]).head.migration).await),
            _ => said(ledger.holders(&[route(1), route(2)]).await),
        }
    }
}

/// An answer, or an error with its causes.
fn said<T: Debug, E: std::error::Error>(answer: Result<T, E>) -> Result<(), String> {
    answer.map(drop).map_err(|error| {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(source) = cause {
            text = format!("{text}: {source}");
            cause = source.source();
        }
        text
    })
}
