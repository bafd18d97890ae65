//! The acts of the fleet: it moves in waves, what failed is repaired, and is tried again.

use super::{Played, Player, RehearsalError, counted};
use crate::scenario::ActScenario;
use crate::wiring::STACK;
use crossfade_domain::fleet::head::FleetHead;
use crossfade_domain::fleet::service_run::ServiceState;
use crossfade_domain::journal::EventKind;
use serde_json::{Value, json};

/// How many looks a command has until its conductor is at work.
const LOOKS_TO_BEGIN: u32 = 10;

impl Player<'_> {
    /// Runs the fleet until its run is over.
    pub(super) async fn migrate(&mut self) -> Result<Played, RehearsalError> {
        let fleet = self.policy().fleet.clone();
        self.conduct("start", json!({ "fleet": fleet })).await?;
        self.until_rest().await?;
        let head = self.ports.fleets.fleet(&fleet).await?;
        let waves = head.as_ref().map_or(0, |head| head.waves.len());
        let (migrated, failed, left, wrong) = states(head.as_ref());
        let (mut probed, mut failed_probes, mut hook_calls) = (0, 0, 0);
        for head in self.heads().await?.iter().flatten() {
            let events = self.ports.ledger.events(&head.service, &head.migration).await?;
            let any = |is: fn(&EventKind) -> bool| usize::from(events.iter().any(|event| is(&event.kind)));
            probed += any(|kind| matches!(kind, EventKind::Probed { passed: true, .. }));
            failed_probes += any(|kind| matches!(kind, EventKind::Probed { passed: false, .. }));
            let entered = self.rehearsal.executions.entered_states(&head.execution);
            hook_calls += entered.iter().filter(|state| *state == "Call hook").count();
        }
        let counts = [
            ("waves", waves),
            ("migrated", migrated),
            ("failed", failed),
            ("left", left),
            ("probed", probed),
            ("failedProbes", failed_probes),
            ("hookCalls", hook_calls),
        ];
        let summary = format!("{migrated} moved in {}; {failed} rolled back, {left} waiting", counted(waves, "wave"));
        Ok(Played::new(counts, summary, wrong))
    }

    /// Ends what is wrong with services.
    pub(super) fn repair(&mut self, act: &ActScenario) -> Played {
        let mut wrong = Vec::new();
        for name in &act.services {
            let place = self.rehearsal.scenario.services.iter().position(|service| service.name == *name);
            if place.is_none_or(|place| self.faults.repair(place) == 0) {
                wrong.push(format!("nothing was wrong with {name}"));
            }
        }
        let repaired = act.services.len() - wrong.len();
        let counts = [("services", repaired), ("left", wrong.len())];
        let names: Vec<&str> = act.services.iter().map(crossfade_domain::names::ServiceName::as_str).collect();
        Played::new(counts, format!("{}: {}", counted(repaired, "service"), names.join(", ")), wrong)
    }

    /// Tries services again, and lets those move that waited for them.
    pub(super) async fn retry(&mut self, act: &ActScenario) -> Result<Played, RehearsalError> {
        let fleet = self.policy().fleet.clone();
        for service in &act.services {
            let input = json!({ "fleet": fleet, "action": "retry", "service": service, "reason": "it is repaired" });
            self.conduct(&format!("retry-{service}"), input).await?;
        }
        self.until_rest().await?;
        let head = self.ports.fleets.fleet(&fleet).await?;
        let arrived = |name| head.as_ref().is_some_and(|head| head.state_of(name).has_migrated());
        let services = act.services.iter().filter(|name| arrived(name)).count();
        let (migrated, failed, left, wrong) = states(head.as_ref());
        let counts = [("services", services), ("migrated", migrated), ("failed", failed), ("left", left)];
        let summary = format!("{} moved; {migrated} in all, {left} waiting", counted(services, "service"));
        Ok(Played::new(counts, summary, wrong))
    }

    /// Starts a conductor, and waits until it is at work.
    async fn conduct(&mut self, name: &str, input: Value) -> Result<(), RehearsalError> {
        let executions = &self.rehearsal.executions;
        executions.start_execution(&format!("{STACK}-migrate-fleet"), Some(&format!("story-{name}")), input)?;
        for _ in 0..LOOKS_TO_BEGIN {
            self.tick().await?;
        }
        Ok(())
    }
}

/// How many services have migrated, failed and not moved, and those that have not, in words.
fn states(head: Option<&FleetHead>) -> (usize, usize, usize, Vec<String>) {
    let all: Vec<_> = head.into_iter().flat_map(|head| head.names().map(|name| (name, head.state_of(name)))).collect();
    let count = |is: &dyn Fn(ServiceState) -> bool| all.iter().filter(|(_, state)| is(*state)).count();
    let migrated = count(&|state| state == ServiceState::Migrated);
    let failed = count(&ServiceState::has_failed);
    let others = all.iter().filter(|(_, state)| *state != ServiceState::Migrated);
    let reason = |name| head.and_then(|head| head.services.get(name)?.reason.as_deref());
    let mut wrong = Vec::new();
    for (name, state) in others {
        let reason = reason(name).map(|reason| format!(": {reason}")).unwrap_or_default();
        wrong.push(format!("{name} is {}{reason}", state.in_words()));
    }
    wrong.extend(head.and_then(|head| head.reason.clone()));
    (migrated, failed, all.len() - migrated - failed, wrong)
}
