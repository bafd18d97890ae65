//! A stage with a fleet on it.

use crate::simulation::{Breakage, at_once};
use crate::stories::stage::Stage;
use crossfade_actions::ports::Ledger as _;
use crossfade_domain::fleet::head::FleetHead;
use crossfade_domain::fleet::service_run::ServiceState;
use crossfade_domain::fleet::wording::lines;
use crossfade_domain::journal::{EventKind, Phase};
use crossfade_domain::names::ServiceName;
use crossfade_domain::retirement::RetirementPhase;
use crossfade_world::states::Work;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::ops::{Deref, DerefMut};

/// The fleet of every story.
pub(crate) const FLEET: &str = "eks";

pub(crate) struct FleetStage {
    pub(crate) stage: Stage,
    pub(crate) policy: Value,
}

impl Deref for FleetStage {
    type Target = Stage;
    fn deref(&self) -> &Stage {
        &self.stage
    }
}

impl DerefMut for FleetStage {
    fn deref_mut(&mut self) -> &mut Stage {
        &mut self.stage
    }
}

/// One service's policy.
pub(crate) fn service(name: &str, after: &[&str]) -> Value {
    json!({
        "name": name,
        "after": after,
        "oldTargetGroups": [format!("{name}-swarm")],
        "newTargets": {"instances": [{"id": "i-0bbbbbbbbbbbbbbb1", "port": 30080}, {"id": "i-0bbbbbbbbbbbbbbb2",
            "port": 30080}]},
        "schedule": [{"weight": 5, "bake": "2m"}, {"weight": 100, "bake": "2m"}],
        "alarms": ["{service}-5xx"],
        "minHealthy": 2,
        "slice": "1m",
        "judge": false,
        "onNoTraffic": "advance",
        "retire": {"keepOld": "1m", "waive": [
            {"evidence": "loadBalancer", "why": "no one counts requests here"},
            {"evidence": "directCallers", "why": "there are none"},
            {"evidence": "backgroundWork", "why": "there is none"},
        ]},
    })
}

pub(crate) fn name(service: &str) -> ServiceName {
    ServiceName::parse(service).unwrap()
}

impl FleetStage {
    /// Services with what they come after, one rule each on one load balancer, and how they move.
    pub(crate) fn new(services: &[(&str, &[&str])], rollout: impl Into<Value>) -> Self {
        Self::broken(services, rollout, None)
    }

    pub(crate) fn broken(services: &[(&str, &[&str])], rollout: impl Into<Value>, breakage: Option<Breakage>) -> Self {
        let stage = Stage::broken(breakage);
        for (name, _) in services {
            stage.world.add_service("internal", &format!("{name}-swarm"), &[&format!("{name}.internal")]);
            stage.world.add_alarm(&format!("{name}-5xx"));
        }
        stage.world.take_events();
        let services: Vec<Value> = services.iter().map(|(name, after)| service(name, after)).collect();
        let rollout: Value = rollout.into();
        let mut fleet = Self { stage, policy: json!({"fleet": FLEET, "rollout": rollout, "services": services}) };
        fleet.apply();
        fleet
    }

    /// Four services in three levels: `users`, then `carts` and `prices`, then `orders` after both.
    pub(crate) fn of_four(rollout: impl Into<Value>) -> Self {
        Self::new(
            &[("users", &[]), ("carts", &["users"]), ("prices", &["users"]), ("orders", &["carts", "prices"])],
            rollout,
        )
    }

    /// Stores the policy as it is now.
    pub(crate) fn apply(&mut self) {
        at_once(self.stage.ledger.store_policy(FLEET, &self.policy, Timestamp::UNIX_EPOCH)).unwrap();
    }

    /// Starts the conductor as a person would.
    pub(crate) fn conduct(&self) -> String {
        self.start_fleet("first", json!({"fleet": FLEET}))
    }

    /// Brings a command, under an execution's name of its own.
    pub(crate) fn command(&self, action: &str) -> String {
        self.start_fleet(action, json!({"fleet": FLEET, "action": action, "reason": "a story"}))
    }

    /// The same for one service.
    pub(crate) fn command_for(&self, action: &str, service: &str) -> String {
        let input = json!({"fleet": FLEET, "action": action, "service": service, "reason": "a story"});
        self.start_fleet(&format!("{action}-{service}"), input)
    }

    /// An alarm of each of these services fires, once, when the gates look at it for the first time.
    pub(crate) fn spoil(&mut self, services: &[&'static str]) {
        let mut left: Vec<&'static str> = services.to_vec();
        self.before(move |world, _, work, _| {
            if let Some(service) = checked(work)
                && let Some(place) = left.iter().position(|other| *other == service)
            {
                left.remove(place);
                world.fire_alarm(&format!("{service}-5xx"));
            }
        });
    }

    pub(crate) fn fleet(&self) -> FleetHead {
        self.ledger.snapshot().fleets.get(FLEET).cloned().unwrap_or_else(|| panic!("no run\n{}", self.told()))
    }

    pub(crate) fn state(&self, service: &str) -> ServiceState {
        self.fleet().state_of(&name(service))
    }

    /// The states of services, as `users migrated, carts rolled back`.
    pub(crate) fn states(&self) -> String {
        let fleet = self.fleet();
        let states: Vec<String> =
            fleet.names().map(|name| format!("{name} {}", fleet.state_of(name).in_words())).collect();
        states.join(", ")
    }

    /// Every line of the journal of the present run.
    pub(crate) fn lines(&self) -> Vec<String> {
        let items = self.ledger.snapshot();
        let run = items.fleets[FLEET].run;
        items.fleet_journals[&(FLEET.to_owned(), run)].iter().flat_map(lines).collect()
    }

    /// The services that have migrated and whose old side is not retired.
    pub(crate) fn unretired(&self) -> Vec<String> {
        let retirements = self.ledger.snapshot().retirements;
        let phase = |name: &ServiceName| retirements.get(name).map(|retirement| retirement.phase);
        let fleet = self.fleet();
        let migrated = fleet.those(|state| state == ServiceState::Migrated);
        let left = migrated.filter(|name| phase(name) != Some(RetirementPhase::Deregistered));
        left.map(|name| format!("{name} has migrated, and its retirement is {:?}", phase(name))).collect()
    }

    /// When the first migration of a service took its locks.
    pub(crate) fn began(&self, service: &str) -> Option<Timestamp> {
        let items = self.ledger.snapshot();
        let mut journals = items.journals.iter().filter(|(id, _)| id.as_str().rsplit_once('-').unwrap().0 == service);
        journals.next().map(|(_, journal)| journal[0].at)
    }

    /// When the latest migration of a service came to its end.
    pub(crate) fn ended_at(&self, service: &str) -> Timestamp {
        self.events(service).iter().rfind(|event| !event.kind.is_about_requests()).unwrap().at
    }

    pub(crate) fn phase(&self, service: &str) -> Option<Phase> {
        self.ledger.snapshot().heads.get(&name(service)).map(|head| head.phase)
    }

    /// How many migrations of all services have begun.
    pub(crate) fn migrations(&self) -> usize {
        self.ledger.snapshot().journals.len()
    }

    /// The times at which a service's traffic was raised.
    pub(crate) fn raised(&self, service: &str) -> Vec<Timestamp> {
        if self.phase(service).is_none() {
            return Vec::new();
        }
        let shifted = |event: &crossfade_domain::journal::Event| {
            matches!(event.kind, EventKind::Shifted { step, .. } if step > 0).then_some(event.at)
        };
        self.recorded(service, shifted)
    }

    pub(crate) fn minutes(&mut self, minutes: i64) {
        self.run_for(SignedDuration::from_mins(minutes));
    }
}

/// The service that is about to be checked by its gates.
fn checked(work: &Work) -> Option<String> {
    let checks = work.state == "Check alarms";
    checks.then(|| work.payload["cursor"]["service"].as_str().unwrap_or_default().to_owned())
}
