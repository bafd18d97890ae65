//! Events: how the run collects those of alarms and executions, and to whom it delivers them.

use super::*;
use crossfade_world::states::StepFunctions;

impl SimulatedRun {
    /// Collects the new events of alarms and executions, and sends them where the template's rules say.
    pub(super) fn collect_events(&mut self) {
        let now = self.account.now();
        let alarms = self.account.world.take_events();
        let statuses = self.account.machines.with(StepFunctions::status_events);
        for event in alarms {
            let fires = event["detail"]["state"]["value"] == "ALARM";
            self.account.tell(|| {
                format!("event: alarm {} is {}", event["detail"]["alarmName"], event["detail"]["state"]["value"])
            });
            if fires {
                self.account.tell_watch(|watch| watch.alarm_fired(now));
            }
            let copies = if fires { std::mem::replace(&mut self.copies, 1) } else { self.copies.max(1) };
            for copy in 0..copies {
                self.send(&event, copy);
            }
        }
        for event in statuses {
            self.account
                .tell(|| format!("event: execution {} is {}", event["detail"]["name"], event["detail"]["status"]));
            self.send(&event, 0);
        }
    }

    pub(in crate::simulation) fn send(&mut self, event: &Value, copy: u32) {
        let event = &self.account.breakage.map_or_else(|| event.clone(), |breakage| breakage.of_event(event));
        if self.lost_sources.iter().any(|source| event["source"] == *source) {
            return;
        }
        for rule in wiring().rules.iter().filter(|rule| rule.pattern.matches(event)) {
            for target in &rule.targets {
                let delay = self.account.draw_seconds(0.1..1.0) + SignedDuration::from_millis(1300 * i64::from(copy));
                let at = self.account.now() + delay;
                let input = target.input.of_event(event);
                self.due(at, Due::Delivery { target: target.clone(), input, queued: QueuedEvent::sent(at) });
            }
        }
    }

    pub(super) fn deliver(&mut self, target: TargetWiring, input: Value, queued: QueuedEvent) {
        match &target.target {
            Target::Function(name) => {
                let function = binary_of(name);
                self.invoke(function, input.clone(), Reply::Event { target, input, queued }, None);
            }
            Target::Machine(arn) => {
                let now = self.account.now();
                self.account.machines.with(|states| states.start_execution(now, arn, None, input)).unwrap();
            }
        }
    }

    pub(super) fn alarm(&mut self, fault: PortFault) {
        use crate::simulation::scenario::{ERRORS, LATENCY};
        self.account.tell(|| format!("alarm: {fault}"));
        self.copies = match fault {
            PortFault::AlarmTwice => 2,
            PortFault::AlarmUnheard => 0,
            _ => 1,
        };
        let world = self.account.world.clone();
        let exists = |name: &str| world.with(|state| state.cloudwatch.alarm_state(name).is_some());
        let first = if exists(LATENCY) { LATENCY } else { ERRORS };
        self.account.world.fire_alarm(first);
        self.collect_events();
        self.copies = self.copies.max(1);
        if fault == PortFault::TwoAlarms && first != ERRORS && exists(ERRORS) {
            self.account.world.fire_alarm(ERRORS);
        }
        if fault == PortFault::AlarmUnheard {
            let at = self.account.now() + SignedDuration::from_secs(5);
            self.due(at, Due::Quiet(first));
        }
    }
}
