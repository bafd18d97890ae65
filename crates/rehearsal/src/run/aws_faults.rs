//! Injects faults of AWS itself, as a scenario asks for them: at the k-th call of an operation.

use crate::clock::WorldClock;
use crate::endpoints::front_door::{Call, CallFault, CallObserver};
use crate::functions::event_sender::EventSender;
use crate::functions::lambda_host::LambdaHost;
use crate::functions::local_executions::LocalExecutions;
use crate::scenario::{AwsEffect, AwsFault, Scenario, ServiceScenario};
use crossfade_world::cloudwatch::CloudWatch;
use crossfade_world::states::Status;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, Weak};

/// Counts calls and injects each fault once.
pub(super) struct AwsFaults {
    faults: Mutex<Vec<Counted>>,
    reach: OnceLock<Reach>,
    /// The executions of the services.
    executions: Mutex<BTreeMap<String, String>>,
    /// The calls whose process is killed once they take effect, each with the number of its fault.
    to_kill: Mutex<Vec<(usize, Call)>>,
}

/// What faults may affect besides the call itself.
pub(super) struct Reach {
    pub(super) host: Weak<LambdaHost>,
    pub(super) executions: LocalExecutions,
    pub(super) events: EventSender,
    pub(super) cloudwatch: Arc<Mutex<CloudWatch>>,
    pub(super) clock: WorldClock,
}

struct Counted {
    fault: AwsFault,
    /// Returns the first existing alarm that guards the fault's service.
    alarm: Option<String>,
    calls: u32,
    happened: bool,
}

impl AwsFaults {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let counted = |fault: &AwsFault| {
            let named = |name: &String| scenario.services.iter().find(|service| service.name.as_str() == name);
            let alarm = fault.service.as_ref().and_then(named).and_then(|service| {
                service.policy.alarms.iter().find(|alarm| service.existing_alarms.contains(alarm)).cloned()
            });
            Counted { fault: fault.clone(), alarm, calls: 0, happened: false }
        };
        Self {
            faults: Mutex::new(scenario.aws_faults.iter().map(counted).collect()),
            reach: OnceLock::new(),
            executions: Mutex::default(),
            to_kill: Mutex::default(),
        }
    }

    /// Sets what faults may affect.
    pub(super) fn may_reach(&self, reach: Reach) {
        // It is set once, before the first call.
        let _said_before = self.reach.set(reach);
    }

    /// Records which execution moves a service.
    pub(super) fn may_stop(&self, service: &str, execution: &str) {
        self.executions.lock().expect("no holder of the lock panics").insert(service.to_owned(), execution.to_owned());
    }

    /// Returns the faults that never happened, each by its place in the scenario, but those about a service that it
    /// does not move.
    pub(super) fn without_effect(&self, scenario: &Scenario) -> Vec<String> {
        let faults = self.faults.lock().expect("no holder of the lock panics");
        let waits_for_people = |counted: &Counted| {
            let is_meant = |service: &&ServiceScenario| Some(service.name.as_str()) == counted.fault.service.as_deref();
            scenario.services.iter().find(is_meant).is_some_and(|service| !scenario.moves(service))
        };
        let describe = |(index, counted): (usize, &Counted)| {
            let AwsFault { operation, call, by, service, .. } = &counted.fault;
            let by = by.as_ref().map_or_else(String::new, |by| format!(" by {by}"));
            let about = service.as_ref().map_or_else(String::new, |service| format!(" about {service}"));
            let made = match counted.calls {
                calls if calls >= *call => "the call was made, but there was nothing to affect".to_owned(),
                0 => "no such call was made".to_owned(),
                calls => format!("only {calls} of them were made"),
            };
            format!("awsFaults[{index}] never happened, at call {call} of {operation}{by}{about}: {made}")
        };
        let missed = |(_, counted): &(usize, &Counted)| !counted.happened && !waits_for_people(counted);
        faults.iter().enumerate().filter(missed).map(describe).collect()
    }

    fn note_happened(&self, fault: usize, happened: bool) {
        self.faults.lock().expect("no holder of the lock panics")[fault].happened |= happened;
    }

    /// Returns the number of the first fault that is due at this call.
    fn due(&self, call: &Call) -> Option<(usize, AwsFault, Option<String>)> {
        let mut faults = self.faults.lock().expect("no holder of the lock panics");
        let mut due = None;
        for (index, counted) in faults.iter_mut().enumerate() {
            let fault = &counted.fault;
            // Functions are deployed as `<stack>-<name>`.
            let caller = |name: &String| call.caller.as_ref().is_some_and(|caller| caller.ends_with(name.as_str()));
            let is_meant = fault.operation == call.operation
                && fault.by.as_ref().is_none_or(caller)
                && fault.service.as_ref().is_none_or(|service| call.names(service));
            if is_meant {
                counted.calls += 1;
                if counted.calls == fault.call && due.is_none() {
                    due = Some((index, fault.clone(), counted.alarm.clone()));
                }
            }
        }
        due
    }

    /// Stops the execution that moves a service; returns whether one was running.
    fn stop(&self, service: Option<&String>) -> bool {
        let executions = self.executions.lock().expect("no holder of the lock panics");
        let Some((reach, arn)) = self.reach.get().zip(service.and_then(|service| executions.get(service))) else {
            return false;
        };
        let running = reach.executions.describe(arn).is_ok_and(|shown| shown.status == Status::Running);
        let cause = "someone stopped it in the console".to_owned();
        running && reach.executions.stop(arn, None, Some(cause)).is_ok()
    }

    /// Fires an alarm and delivers its event this many times; returns whether there was an alarm.
    fn fire(&self, alarm: Option<&String>, times: usize) -> bool {
        let Some((reach, alarm)) = self.reach.get().zip(alarm) else { return false };
        let now = reach.clock.now();
        let mut cloudwatch = reach.cloudwatch.lock().expect("no holder of the lock panics");
        let state = json!({"AlarmName": alarm, "StateValue": "ALARM", "StateReason": "the scenario fires it here"});
        let fired = cloudwatch.call(now, "SetAlarmState", &state).is_ok();
        for event in cloudwatch.evaluate(now) {
            let ours = event.pointer("/detail/alarmName").and_then(serde_json::Value::as_str) == Some(alarm);
            for _ in 0..if ours { times } else { 1 } {
                reach.events.put(event.clone());
            }
        }
        fired
    }
}

impl CallObserver for AwsFaults {
    fn before(&self, call: &Call) -> CallFault {
        let Some((index, fault, alarm)) = self.due(call) else { return CallFault::None };
        let (answer, happened) = match fault.effect {
            AwsEffect::Throttle => (CallFault::Throttle, true),
            AwsEffect::FailBefore => (CallFault::FailBefore, true),
            AwsEffect::FailAfter => (CallFault::FailAfter, true),
            AwsEffect::LoseAnswer => (CallFault::DropAfter, true),
            AwsEffect::Hang => (CallFault::Hang, true),
            AwsEffect::Kill => {
                self.to_kill.lock().expect("no holder of the lock panics").push((index, call.clone()));
                (CallFault::DropAfter, false)
            }
            AwsEffect::StopExecution => (CallFault::None, self.stop(fault.service.as_ref())),
            AwsEffect::AlarmEvent => (CallFault::None, self.fire(alarm.as_ref(), 1)),
            AwsEffect::AlarmEventTwice => (CallFault::None, self.fire(alarm.as_ref(), 2)),
        };
        self.note_happened(index, happened);
        answer
    }

    fn after(&self, call: &Call) {
        let doomed = {
            let mut to_kill = self.to_kill.lock().expect("no holder of the lock panics");
            let index = to_kill.iter().position(|(_, doomed)| doomed == call);
            index.map(|index| to_kill.swap_remove(index))
        };
        let host = self.reach.get().and_then(|reach| reach.host.upgrade());
        if let (Some((index, _)), Some(host), Some(caller)) = (doomed, host, &call.caller) {
            let killed = host.kill_instance(caller);
            tracing::info!(caller, killed, "killed a function while it was working");
            self.note_happened(index, killed);
        }
    }
}
