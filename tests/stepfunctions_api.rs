//! The served Step Functions, its events and schedules, through the real SDK.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sfn::Client;
use aws_sdk_sfn::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_sfn::error::ProvideErrorMetadata;
use aws_sdk_sfn::types::{ExecutionStatus, HistoryEventType};
use crossfade_rehearsal::clock::{Work, WorldClock};
use crossfade_rehearsal::endpoints::front_door::{FrontDoor, NoFaults};
use crossfade_rehearsal::endpoints::step_functions::StepFunctionsApi;
use crossfade_rehearsal::functions::lambda_host::Functions;
use crossfade_rehearsal::functions::orchestrator::Orchestrator;
use crossfade_rehearsal::wiring::Wiring;
use crossfade_world::states::TaskError;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const TEMPLATE: &str = r#"
Resources:
  SweepFunction:
    Type: AWS::Serverless::Function
    Metadata: { BuildProperties: { Binary: sweep } }
    Properties:
      FunctionName: crossfade-sweep
      Events:
        ExecutionDies:
          Type: EventBridgeRule
          Properties:
            Pattern: { source: [aws.states], detail: { status: [ABORTED, FAILED],
              stateMachineArn: [!Sub "arn:aws:states:${AWS::Region}:${AWS::AccountId}:stateMachine:crossfade-move"] } }
        EveryMinute: { Type: Schedule, Properties: { Schedule: rate(1 minute), Input: '{"scheduled":true}' } }
  Move:
    Type: AWS::Serverless::StateMachine
    Properties:
      Name: crossfade-move
      DefinitionSubstitutions: { SweepFunction: !GetAtt SweepFunction.Arn }
      Definition:
        StartAt: Bake slice
        States:
          Bake slice: { Type: Wait, SecondsPath: $.waitSeconds, Next: Look }
          Look:
            Type: Task
            Resource: arn:aws:states:::lambda:invoke
            Parameters: { FunctionName: "${SweepFunction}", Payload: { cursor.$: $ } }
            OutputPath: $.Payload
            End: true
  Ended:
    Type: AWS::Events::Rule
    Properties:
      EventPattern: { source: [test] }
      Targets: [{ Id: move, Arn: !Ref Move, InputPath: $.detail }]
"#;

/// Remembers what it was asked; the first calls can fail.
#[derive(Default)]
struct Stub {
    payloads: Mutex<Vec<Value>>,
    failures_left: Mutex<u32>,
}

#[async_trait::async_trait]
impl Functions for Stub {
    async fn invoke(&self, function: &str, payload: Value, work: Work) -> (Result<Value, TaskError>, Work) {
        assert!(function.ends_with("crossfade-sweep"), "{function}");
        self.payloads.lock().unwrap().push(payload);
        let mut failures_left = self.failures_left.lock().unwrap();
        if *failures_left > 0 {
            *failures_left -= 1;
            return (Err(TaskError { error: "Transient".into(), cause: String::new() }), work);
        }
        (Ok(json!({ "looked": true })), work)
    }
}

struct World {
    functions: Arc<Stub>,
    orchestrator: Orchestrator,
    client: Client,
    clock: WorldClock,
    /// Held while the test does something, so that the world stands still.
    work: Option<Work>,
    _front_door: FrontDoor,
}

impl World {
    /// Lets a world second pass.
    async fn second(&mut self) {
        let work = self.work.take().expect("a test does one thing at a time");
        self.work = Some(self.clock.pause(work, Duration::from_secs(1)).await);
    }

    /// Waits until so many payloads that satisfy a condition have arrived.
    async fn until(&mut self, count: usize, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        for _ in 0..LONGEST_WAIT_SECONDS {
            let found: Vec<Value> =
                self.functions.payloads.lock().unwrap().iter().filter(|payload| wanted(payload)).cloned().collect();
            if found.len() >= count {
                return found;
            }
            self.second().await;
        }
        panic!("only these arrived: {:?}", self.functions.payloads.lock().unwrap());
    }
}

/// A world day is longer than anything takes that a test waits for.
const LONGEST_WAIT_SECONDS: u32 = 86_400;
const MACHINE: &str = "arn:aws:states:eu-west-1:000000000000:stateMachine:crossfade-move";

async fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let template = folder.path().join("template.yaml");
    std::fs::write(&template, TEMPLATE).unwrap();
    let functions = Arc::new(Stub::default());
    let clock = WorldClock::starting_at("2026-11-01T00:00:00Z".parse().unwrap(), 1e9);
    let work = Some(clock.work());
    let wiring = Wiring::read(&template).unwrap();
    let orchestrator = Orchestrator::start(&wiring, functions.clone(), &clock, 7).unwrap();
    let api = StepFunctionsApi::new(orchestrator.executions());
    let front_door = FrontDoor::bind(vec![("states", Arc::new(api))], Arc::new(NoFaults)).await.unwrap();
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .region(Region::new("eu-west-1"))
        .endpoint_url(front_door.url())
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new("local", "local", None, None, "test")))
        .build();
    let client = Client::from_conf(
        aws_sdk_sfn::config::Builder::from(&config)
            .retry_config(aws_sdk_sfn::config::retry::RetryConfig::disabled())
            .build(),
    );
    World { functions, orchestrator, client, clock, work, _front_door: front_door }
}

#[tokio::test]
async fn an_execution_runs_to_its_end_and_can_be_looked_at() {
    let mut world = world().await;
    let client = world.client.clone();
    let started = client
        .start_execution()
        .state_machine_arn(MACHINE)
        .name("users-1")
        .input(r#"{"waitSeconds": 600}"#)
        .send()
        .await
        .unwrap();
    let arn = started.execution_arn();
    let executions = world.orchestrator.executions();
    while executions.describe(arn).unwrap().stop_date.is_none() {
        world.second().await;
    }

    let shown = client.describe_execution().execution_arn(arn).send().await.unwrap();
    assert_eq!(shown.status(), &ExecutionStatus::Succeeded);
    assert_eq!(shown.output(), Some(r#"{"looked":true}"#));
    assert_eq!(shown.input(), Some(r#"{"waitSeconds":600}"#));
    let seconds = shown.stop_date().unwrap().secs() - shown.start_date().secs();
    assert_eq!(seconds, 600);
    assert_eq!(executions.entered_states(arn), ["Bake slice", "Look"]);

    let mut types = Vec::new();
    let mut pages = client.get_execution_history().execution_arn(arn).max_results(3).into_paginator().send();
    let mut page_count = 0;
    while let Some(page) = pages.next().await {
        page_count += 1;
        types.extend(page.unwrap().events().iter().map(|event| event.r#type().clone()));
    }
    assert_eq!(page_count, 3);
    assert_eq!(types.first(), Some(&HistoryEventType::ExecutionStarted));
    assert_eq!(types.last(), Some(&HistoryEventType::ExecutionSucceeded));
    assert!(!types.iter().any(|event_type| matches!(event_type, HistoryEventType::TaskFailed)));
    let entered = client.get_execution_history().execution_arn(arn).reverse_order(true).send().await.unwrap();
    let looked = entered.events().iter().find_map(|event| event.state_exited_event_details()).unwrap();
    assert_eq!((looked.name(), looked.output()), ("Look", Some(r#"{"looked":true}"#)));

    let machines = client.list_state_machines().send().await.unwrap();
    assert_eq!(machines.state_machines()[0].state_machine_arn(), MACHINE);
    let machine = client.describe_state_machine().state_machine_arn(MACHINE).send().await.unwrap();
    assert!(machine.definition().contains("function:crossfade-sweep"), "{}", machine.definition());
}

#[tokio::test]
async fn a_stopped_execution_is_aborted_and_its_event_reaches_the_sweep() {
    let mut world = world().await;
    let client = world.client.clone();
    *world.functions.failures_left.lock().unwrap() = 1;
    let start = |name: &'static str, input: &'static str| {
        client.start_execution().state_machine_arn(MACHINE).name(name).input(input).send()
    };
    let started = start("users-1", r#"{"waitSeconds": 86400}"#).await.unwrap();
    let again = start("users-1", r#"{"waitSeconds": 86400}"#).await.unwrap();
    assert_eq!(started.execution_arn(), again.execution_arn());
    let other = start("users-1", r#"{"waitSeconds": 1}"#).await.unwrap_err().into_service_error();
    assert!(other.is_execution_already_exists(), "{other:?}");

    client
        .stop_execution()
        .execution_arn(started.execution_arn())
        .error("Aborted")
        .cause("by hand")
        .send()
        .await
        .unwrap();
    let shown = client.describe_execution().execution_arn(started.execution_arn()).send().await.unwrap();
    assert_eq!(shown.status(), &ExecutionStatus::Aborted);
    assert_eq!((shown.error(), shown.cause()), (Some("Aborted"), Some("by hand")));
    let list = client.list_executions().state_machine_arn(MACHINE).status_filter(ExecutionStatus::Aborted).send().await;
    assert_eq!(list.unwrap().executions().len(), 1);

    // The first delivery fails, so that the event comes again.
    let events = world.until(2, |payload| payload["source"] == "aws.states").await;
    assert_eq!(events[0], events[1]);
    assert_eq!(events[0]["detail"]["status"], "ABORTED");
    assert_eq!(events[0]["detail"]["executionArn"], started.execution_arn());
}

#[tokio::test]
async fn wrong_calls_get_the_errors_of_the_model() {
    let World { client, .. } = &world().await;
    let missing = format!("{MACHINE}-gone");
    let error = client.start_execution().state_machine_arn(missing).send().await.unwrap_err().into_service_error();
    assert!(error.is_state_machine_does_not_exist(), "{error:?}");
    let start = client.start_execution().state_machine_arn(MACHINE);
    let error = start.clone().input("{").send().await.unwrap_err().into_service_error();
    assert!(error.is_invalid_execution_input(), "{error:?}");
    let error = start.clone().name("a/b").send().await.unwrap_err().into_service_error();
    assert!(error.is_invalid_name(), "{error:?}");
    let error = start.state_machine_arn("machine").send().await.unwrap_err().into_service_error();
    assert!(error.is_invalid_arn(), "{error:?}");
    let gone = "arn:aws:states:eu-west-1:000000000000:execution:crossfade-move:gone";
    let error = client.describe_execution().execution_arn(gone).send().await.unwrap_err().into_service_error();
    assert!(error.is_execution_does_not_exist(), "{error:?}");
    let error = client.stop_execution().execution_arn(gone).send().await.unwrap_err().into_service_error();
    assert!(error.is_execution_does_not_exist(), "{error:?}");
    let error = client
        .list_executions()
        .state_machine_arn(MACHINE)
        .next_token("made up")
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    assert!(error.is_invalid_token(), "{error:?}");
    let error = client.delete_state_machine().state_machine_arn(MACHINE).send().await.unwrap_err();
    assert_eq!(error.code(), Some("UnknownOperationException"));
}

#[tokio::test]
async fn schedules_fire_in_world_time_and_rules_start_machines() {
    let mut world = world().await;
    let client = world.client.clone();
    let ticks = world.until(3, |payload| payload == &json!({ "scheduled": true })).await;
    assert_eq!(ticks.len(), 3);
    world.orchestrator.events().put(json!({ "source": "test", "detail": { "waitSeconds": 0 } }));
    world.orchestrator.events().put(json!({ "source": "other", "detail": { "waitSeconds": 0 } }));
    world.until(1, |payload| payload["cursor"]["waitSeconds"] == 0).await;
    let list = client.list_executions().state_machine_arn(MACHINE).send().await.unwrap();
    assert_eq!(list.executions().len(), 1, "only the event that the pattern matches starts one");
}

#[tokio::test]
async fn a_dropped_orchestrator_fires_nothing_more() {
    let mut world = world().await;
    world.until(1, |payload| payload["scheduled"] == true).await;
    let World { functions, orchestrator, clock, work, .. } = world;
    let executions = orchestrator.executions();
    drop(orchestrator);
    let before = functions.payloads.lock().unwrap().len();
    executions.start_execution(MACHINE, None, json!({ "waitSeconds": 0 })).unwrap();
    let work = clock.pause(work.unwrap(), Duration::from_hours(1)).await;
    drop(work);
    assert_eq!(functions.payloads.lock().unwrap().len(), before);
}
