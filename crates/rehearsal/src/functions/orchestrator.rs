//! Puts the local Step Functions and EventBridge together: machines, rules and schedules.

use crate::clock::{Turn, WorldClock};
use crate::functions::event_bus::EventBus;
use crate::functions::event_sender::EventSender;
use crate::functions::lambda_host::Functions;
use crate::functions::local_executions::LocalExecutions;
use crate::wiring::{ACCOUNT, REGION, ScheduleWiring, Wiring};
use crossfade_world::states::{RefusedCall, StepFunctions};
use serde_json::json;
use std::sync::Arc;

/// A running Step Functions and EventBridge. When it is dropped, it stops and starts nothing more.
pub struct Orchestrator {
    executions: LocalExecutions,
}

impl Orchestrator {
    /// Creates the template's machines and starts to drive them, their events and the schedules. Must be called inside
    /// a Tokio runtime.
    ///
    /// `seed` decides the jitter of retries.
    pub fn start(
        wiring: &Wiring,
        functions: Arc<dyn Functions>,
        clock: &WorldClock,
        seed: u64,
    ) -> Result<Self, RefusedCall> {
        let now = clock.now();
        let mut states = StepFunctions::new(REGION, ACCOUNT, seed);
        for machine in wiring.machines.values() {
            states.create_state_machine(now, &machine.name, &machine.definition)?;
        }
        let (events, receiver) = EventSender::new(clock.clone());
        let executions = LocalExecutions::new(states, Arc::clone(&functions), events, clock.clone());
        let bus = Arc::new(EventBus::new(wiring, functions, executions.clone(), clock.clone()));
        for schedule in &wiring.schedules {
            let first = clock.at(clock.now() + schedule.every);
            executions.spawn(run_schedule(schedule.clone(), Arc::clone(&bus), clock.clone(), first));
        }
        executions.spawn(bus.run(receiver));
        Ok(Self { executions })
    }

    /// Returns a handle for others to use.
    pub fn executions(&self) -> LocalExecutions {
        self.executions.clone()
    }

    /// Returns the bus on which others put their events, such as the alarms.
    pub fn events(&self) -> EventSender {
        self.executions.events()
    }
}

impl Drop for Orchestrator {
    fn drop(&mut self) {
        // The tasks hold the handle that holds them; only this ends the circle.
        self.executions.end_tasks();
    }
}

/// Fires a schedule forever.
async fn run_schedule(schedule: ScheduleWiring, bus: Arc<EventBus>, clock: WorldClock, first: Turn) {
    let mut turn = first;
    loop {
        let work = turn.await;
        let now = clock.now();
        turn = clock.at(now + schedule.every);
        let event = json!({
            "version": "0",
            "id": uuid::Uuid::new_v4().to_string(),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": ACCOUNT,
            "time": now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "region": REGION,
            "resources": [schedule.arn],
            "detail": {},
        });
        bus.deliver_to_all(&schedule.targets, &event);
        drop(work);
    }
}
