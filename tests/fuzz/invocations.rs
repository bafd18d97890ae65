//! The functions' payloads: what a person types into the console, cursors, and events of alarms and executions.
//!
//! The world has a service on its way up whose execution has stopped, so that a payload that is nearly right does
//! something.

use super::Case;
use super::mutation::{any_document, document};
use crate::simulation::at_once;
use crate::stories::stage::{Stage, users};
use crossfade_actions::error::{ActionError, ErrorClass};
use crossfade_actions::ports::Ledger as _;
use crossfade_domain::gates::outside::{outside_opinion, read_answers};
use crossfade_domain::opinion::Vote;
use crossfade_domain::policy::gates::OutsideGate;
use jiff::Timestamp;
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const EXECUTION: &str = "arn:aws:states:eu-west-1:000000000000:execution:crossfade-migrate-service:fuzzed";
/// Payloads that one world gets, since some of them change it.
const PAYLOADS_OF_A_WORLD: u32 = 50;

/// A world, and how many payloads it has had.
struct Doors {
    open: fn() -> Stage,
    stage: Stage,
    left: u32,
}

impl Doors {
    fn new() -> Self {
        Self::of(moving_users)
    }

    fn of(open: fn() -> Stage) -> Self {
        Self { open, stage: open(), left: PAYLOADS_OF_A_WORLD }
    }

    /// Calls a function. A refusal of the input names its places, and every other error says what was being done.
    fn call(&mut self, function: &'static str, payload: &Value) -> Result<Option<Value>, String> {
        if self.left == 0 {
            *self = Self::of(self.open);
        }
        self.left -= 1;
        match self.stage.call(function, payload) {
            None => Err(format!("{function} never ends with {payload}")),
            Some(Ok(answer)) => Ok(Some(answer)),
            Some(Err(error)) if names_its_place(&error) => Ok(None),
            Some(Err(error)) => Err(format!("{function} names no place: {} ({payload})", error.chain())),
        }
    }
}

fn moving_users() -> Stage {
    let (mut stage, _) = Stage::with_users();
    stage.migrate_until("Check alarms", users());
    stage
}

/// The same with the policy of a fleet.
fn fleet_of_users() -> Stage {
    let stage = moving_users();
    let policy = json!({"fleet": "eks", "services": [users()["service"]]});
    at_once(stage.ledger.store_policy("eks", &policy, Timestamp::UNIX_EPOCH)).unwrap();
    stage
}

fn names_its_place(error: &ActionError) -> bool {
    let said = error.chain();
    match error.class() {
        ErrorClass::InvalidRequest => said.contains('$') || said.contains("users"),
        _ => said.len() > 10,
    }
}

fn nearly(rng: &mut ChaCha8Rng, originals: &[Value]) -> Value {
    if rng.random_bool(0.1) {
        return any_document(rng);
    }
    let original = &originals[rng.random_range(0..originals.len())];
    document(rng, original)
}

pub(super) fn console_inputs() -> Case {
    let mut doors = Doors::new();
    let inputs = [
        json!({"service": "users"}),
        json!({"service": "users", "dryRun": true}),
        json!({"service": "users", "resume": true, "acceptDrift": true}),
        users(),
        json!({"service": "users", "policy": {"fleet": "eks", "services": [users()["service"]]}}),
    ];
    Box::new(move |rng| {
        let input = nearly(rng, &inputs);
        let payload = json!({"request": input, "execution": EXECUTION});
        let Some(answer) = doors.call("plan-migration", &payload)? else {
            return Err(format!("an operator gets an error and no answer for {input}"));
        };
        let reason = answer["reason"].as_str().unwrap_or_default();
        if answer["error"] == "InvalidRequest" && reason.len() < 10 {
            return Err(format!("a refusal without words for {input}: {answer}"));
        }
        let request = json!({"cursor": input, "execution": EXECUTION, "mode": "act"});
        doors.call("roll-back", &request).map(drop)
    })
}

pub(super) fn cursors() -> Case {
    let mut doors = Doors::new();
    let steps = ["create-target-group", "create-guard-alarms", "register-targets", "check-targets", "shift-weight"];
    let functions = [&steps[..], &["probe-service", "check-alarms", "finish-migration", "roll-back"]].concat();
    let cursor = |verdict: &str| {
        json!({
            "version": 1, "service": "users", "migration": "users-1", "generation": 1, "step": 1, "weight": 5.0,
            "verdict": verdict, "waitSeconds": 60, "reason": "baking", "checks": 3,
            "hook": {"point": "afterEachShift", "function": "crossfade-hook-move"},
            "ask": [{"question": {"gate": "errors", "now": "2026-11-02T03:00:00Z"}}],
            "answers": [{"question": {"gate": "errors"}, "answer": {"payload": {"verdict": "go", "reason": "fine"}}}],
            "causedAt": "2026-11-02T03:00:00Z", "error": {"Error": "Transient", "Cause": "{\"errorMessage\": \"x\"}"},
        })
    };
    let payload = |verdict| {
        json!({
            "cursor": cursor(verdict), "execution": EXECUTION, "mode": "verify", "onlyOwn": true,
            "trigger": "operator",
        })
    };
    let payloads = [payload("bake"), payload("rollBack"), payload("hook")];
    Box::new(move |rng| {
        let function = functions[rng.random_range(0..functions.len())];
        let Some(answer) = doors.call(function, &nearly(rng, &payloads))? else { return Ok(()) };
        if answer["verdict"].is_string() && answer["reason"].is_string() {
            return Ok(());
        }
        Err(format!("{function} answers no cursor: {answer}"))
    })
}

/// What a person types to begin a fleet or to command it, and what its machine passes on.
pub(super) fn fleet_inputs() -> Case {
    let mut doors = Doors::of(fleet_of_users);
    let command = |action: &str| json!({"fleet": "eks", "action": action, "reason": "a test", "who": "ana"});
    let for_users = |action: &str| {
        let mut input = command(action);
        input["service"] = json!("users");
        input
    };
    let mut skip = for_users("skip");
    skip["releaseDependants"] = json!(true);
    let looks = json!({
        "version": 1, "fleet": "eks", "run": 1, "verdict": "wait", "waitSeconds": 60, "reason": "wave 1 of 1",
        "looks": 3, "changes": ["users: moving"],
    });
    let inputs = [
        json!({"fleet": "eks"}),
        json!({"fleet": "eks", "now": true, "reason": "a test"}),
        json!({"fleet": "eks", "action": "pause", "drain": true}),
        command("resume"),
        command("abort"),
        command("rollBackAll"),
        for_users("retry"),
        skip,
        looks,
    ];
    Box::new(move |rng| {
        // Executions differ, so that one of them takes over from another.
        let execution = format!("{EXECUTION}-{}", rng.random_range(0..4));
        let input = nearly(rng, &inputs);
        let Some(answer) = doors.call("check-fleet", &json!({"cursor": input, "execution": execution}))? else {
            return Ok(());
        };
        let reason = answer["reason"].as_str().unwrap_or_default();
        match answer["verdict"].as_str() {
            Some("refused") if reason.len() < 10 => Err(format!("a refusal without words for {input}: {answer}")),
            Some(_) => Ok(()),
            None => Err(format!("check-fleet answers no cursor for {input}: {answer}")),
        }
    })
}

/// What an operator's function answers, and what the machine makes of it when it does not.
pub(super) fn outside_answers() -> Case {
    let at = "2026-11-02T03:05:00Z";
    let call = json!({"function": "crossfade-hook-errors", "timeoutSeconds": 10, "question": {
        "gate": "errors", "service": "users", "migration": "users-1", "step": 1, "weight": 5.0, "targetGroups": [],
        "shiftedAt": at, "now": at,
    }});
    let with = |came: Value| {
        let mut item = call.clone();
        item.as_object_mut().unwrap().extend(came.as_object().unwrap().clone());
        json!({"ask": [call.clone()], "answers": [item]})
    };
    let originals = [
        with(json!({"answer": {"payload": {"verdict": "go", "reason": "fine"}}})),
        with(json!({"answer": {"payload": {"verdict": "hold", "reason": "wait"}}})),
        with(json!({"answer": {"payload": {"verdict": "rollBack", "reason": "12 % fail"}}})),
        with(json!({"error": {"Error": "States.Timeout", "Cause": ""}})),
        with(json!({"error": {"Error": "NoData", "Cause": "{\"errorMessage\": \"no data\"}"}})),
    ];
    let gate = OutsideGate { function: "crossfade-hook-errors".to_owned(), timeout_seconds: 10 };
    let gates = BTreeMap::from([("errors".to_owned(), gate)]);
    Box::new(move |rng| {
        let came = nearly(rng, &originals);
        let Some(read) = read_answers(&gates, came.get("ask"), came.get("answers"), at.parse().unwrap()) else {
            return Ok(());
        };
        let opinion = outside_opinion("errors", &read["errors"], rng.random_bool(0.5));
        let payload = came["answers"].as_array().into_iter().flatten().map(|item| &item["answer"]["payload"]);
        let says_so = payload.into_iter().any(|payload| payload["verdict"] == "rollBack");
        let named = read["errors"].as_ref().err().is_none_or(|problem| problem.starts_with("crossfade-hook-errors: "));
        match opinion.vote {
            Vote::RollBack if !says_so => Err(format!("a rollback that no one asked for: {came}")),
            _ if !named => Err(format!("a problem without its function: {read:?}")),
            _ if opinion.reason.contains(['\n', '\r']) => Err(format!("a reason of several lines: {opinion:?}")),
            _ => Ok(()),
        }
    })
}

pub(super) fn alarm_events() -> Case {
    let mut doors = Doors::new();
    let event = json!({
        "version": "0", "id": "c4c1c1c9-6542-e61b-6ef0-8c4d36933a92", "detail-type": "CloudWatch Alarm State Change",
        "source": "aws.cloudwatch", "account": "000000000000", "time": "2026-11-02T03:05:00Z", "region": "eu-west-1",
        "resources": ["arn:aws:cloudwatch:eu-west-1:000000000000:alarm:users-5xx"],
        "detail": {
            "alarmName": "users-5xx",
            "configuration": {"metrics": [{"id": "m1", "metricStat": {"metric": {"namespace": "AWS/ApplicationELB",
                "name": "HTTPCode_Target_5XX_Count", "dimensions": {}}, "period": 60, "stat": "Sum"}}]},
            "previousState": {"reason": "quiet", "timestamp": "2026-11-02T03:04:00.000+0000", "value": "OK"},
            "state": {"reason": "2 of 3", "timestamp": "2026-11-02T03:05:00.000+0000", "value": "ALARM"},
        },
    });
    Box::new(move |rng| doors.call("react-to-alarm", &nearly(rng, std::slice::from_ref(&event))).map(drop))
}

pub(super) fn execution_events() -> Case {
    let mut doors = Doors::new();
    let events = [
        json!({
            "version": "0", "detail-type": "Step Functions Execution Status Change", "source": "aws.states",
            "account": "000000000000", "time": "2026-11-02T03:05:00Z", "region": "eu-west-1", "resources": [EXECUTION],
            "detail": {
                "executionArn": EXECUTION,
                "stateMachineArn": "arn:aws:states:eu-west-1:000000000000:stateMachine:crossfade-migrate-service",
                "name": "fuzzed", "status": "FAILED", "startDate": 1_793_588_400_000_i64,
                "stopDate": 1_793_588_400_000_i64, "input": "{\"service\": \"users\"}", "output": null,
                "error": "States.Runtime", "cause": "the history is full",
            },
        }),
        json!({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}, "time": "2026-11-02T03:05:00Z"}),
    ];
    Box::new(move |rng| doors.call("sweep-migrations", &nearly(rng, &events)).map(drop))
}
